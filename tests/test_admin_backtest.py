"""Parameters are tried before they are saved: the form as it stands is backtested beside what is in force."""

import json
import re

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from strategies.models import ParameterVersion, Strategy
from strategies.parameters import effective_params
from strategies.services import version_create
from tests.test_admin_strategies import form_body

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("bundled_market")]
ENGLISH = {"Accept-Language": "en"}


@pytest.fixture
def desk():
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


@pytest.fixture
def golden():
    return Strategy.objects.get(key="golden_cross")


def tried(client, strategy, **changes):
    url = reverse("admin:strategies_strategy_backtest", args=[strategy.pk])
    return client.post(url, form_body(client, strategy, **changes), headers=ENGLISH)


def refused(response) -> bool:
    """Answered as a form is, with what is wrong and nothing drawn: an error status would be an error on the console."""
    text = response.content.decode()
    return response.status_code == 200 and 'role="alert"' in text and "backtest-chart" not in text


def chart(response) -> dict:
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', response.content.decode(), re.S)[1])


def lines(response) -> dict:
    return {line["name"]: line["values"] for line in chart(response)["lines"]}


def test_what_is_in_force_is_backtested_where_the_form_changes_nothing(desk, golden):
    answer = tried(desk, golden)
    assert answer.status_code == 200
    assert set(lines(answer)) == {"current", "benchmark"}
    assert answer.context["current"]["params"] == effective_params(golden).model_dump(mode="json")


def test_changed_parameters_are_shown_beside_those_in_force_and_nothing_is_saved(desk, golden):
    before = ParameterVersion.objects.count()
    answer = tried(desk, golden, param_fast=20, param_slow=100)
    drawn = lines(answer)
    assert set(drawn) == {"current", "proposed", "benchmark"}
    assert drawn["current"] != drawn["proposed"]
    assert answer.context["proposed"]["params"]["fast"] == 20
    assert ParameterVersion.objects.count() == before
    assert effective_params(Strategy.objects.get(pk=golden.pk)).fast == 50


def test_the_chart_ends_where_the_table_does(desk, golden):
    answer = tried(desk, golden)
    current = answer.context["current"]
    assert lines(answer)["current"][-1] == current["final"]
    assert current["equity"][0] == pytest.approx(current["capital"], rel=0.05)


def test_a_value_out_of_its_range_is_refused_with_the_fields_own_message(desk, golden):
    answer = tried(desk, golden, param_fast=4)
    assert refused(answer)
    assert answer.context["problems"] == [("Fast", "Ensure this value is greater than or equal to 5.")]


def test_values_that_do_not_fit_together_are_refused(desk, golden):
    answer = tried(desk, golden, param_fast=150, param_slow=100)
    assert refused(answer)
    assert "fast must be shorter than slow" in answer.content.decode()


def test_no_reason_is_asked_for_before_anything_is_saved(desk, golden):
    assert tried(desk, golden, param_fast=20, reason="").status_code == 200


def test_dates_choose_the_sessions_and_a_wrong_one_is_named(desk, golden):
    answer = tried(desk, golden, backtest_start="2010-01-01", backtest_end="2011-12-31")
    assert (answer.context["current"]["first"], answer.context["current"]["last"]) == ("2010-01-04", "2011-12-30")
    wrong = tried(desk, golden, backtest_start="yesterday")
    assert refused(wrong) and "yesterday is no date" in wrong.content.decode()
    reversed_dates = tried(desk, golden, backtest_start="2012-01-01", backtest_end="2011-01-01")
    assert refused(reversed_dates) and "before it begins" in reversed_dates.content.decode()


def test_the_parameters_of_an_old_version_can_be_tried_again_by_typing_them(desk, golden):
    first = lines(tried(desk, golden))["current"]
    version_create(strategy=golden, params={"fast": 20}, reason="test", actor="test")
    again = tried(desk, Strategy.objects.get(pk=golden.pk), param_fast=50)
    assert lines(again)["proposed"] == first
    assert lines(again)["current"] != first


def test_who_may_not_change_strategies_may_not_try_them(golden):
    client = Client()
    client.force_login(User.objects.create_user("reader", is_staff=True))
    url = reverse("admin:strategies_strategy_backtest", args=[golden.pk])
    assert client.post(url, {}).status_code == 403
    client.logout()
    assert client.post(url, {}).status_code == 302


def test_a_second_look_at_the_same_parameters_is_answered_from_the_cache(desk, golden, monkeypatch):
    first = tried(desk, golden).context["current"]
    monkeypatch.setattr("strategies.previews.backtest", lambda *a, **k: pytest.fail("computed again"))
    assert tried(desk, golden).context["current"] == first


def test_the_backtest_ends_with_the_stocks_though_the_index_goes_on(desk, golden):
    current = tried(desk, golden).context["current"]
    assert (current["first"], current["last"]) == ("2003-03-03", "2013-03-01")
    condor = Strategy.objects.get(key="iron_condor")
    assert tried(desk, condor).context["current"]["last"] > "2018-12-01", "its options are on the index"
