"""Strategies with parameters and versions, runs stage by stage, orders, fills and journal."""

import pytest

from quant_site.core.models import LoopRun
from strategies.models import ParameterVersion, Strategy
from tests.pages_world import account_make, user_make
from tests.support_strategies import strategy_gone

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(client):
    user = user_make("owner")
    client.force_login(user)
    client.cookies["django_language"] = "en"
    return account_make(user)


def test_all_twelve_strategies_are_listed_and_the_disabled_say_why(client, account):
    strategy_gone()
    text = client.get("/strategies/").content.decode()
    rows = list(Strategy.objects.all())
    assert len(rows) == 12 + 1
    for row in rows:
        assert row.name in text
        assert row.enabled or row.disabled_reason[:40] in text


def test_a_parameter_shows_its_default_its_current_value_and_its_range(client, account):
    parameters = {row.name: row for row in client.get("/strategies/bollinger_mean_reversion/").context["parameters"]}
    assert (parameters["weight"].default, parameters["weight"].value, parameters["weight"].bounds) == (0.0833, 0.27, "0 – 1")
    assert parameters["weight"].changed and not parameters["window"].changed
    assert parameters["window"].description


def test_versions_show_who_when_why_and_what_changed_but_not_those_of_other_accounts(client, account):
    account_make(user_make("other"), "OTHER")
    response = client.get("/strategies/bollinger_mean_reversion/")
    assert {version.scope for version in response.context["versions"]} == {"", account.pk}
    text = response.content.decode()
    assert "By the record." in text and "v7" in text and "OTHER" not in text


def test_a_version_is_marked_active_only_while_it_is(client, account):
    active = client.get("/strategies/bollinger_mean_reversion/").context["active"]
    assert ParameterVersion.objects.get(number=7).pk in active


def test_a_disabled_strategy_says_why_on_its_page(client, account):
    row = strategy_gone()
    text = client.get("/strategies/gone/").content.decode()
    assert row.disabled_reason in text
    assert "It has no parameters until it is implemented." in text


def test_a_run_is_shown_stage_by_stage_with_what_each_reports(client, account):
    text = client.get(f"/loop/{LoopRun.objects.get().pk}/").content.decode()
    for word in ("Market data", "Risk checks", "Limit of a single name 1", "Weights and parameters move at the end of a week.", "4 ms"):
        assert word in text


def test_a_failed_run_shows_its_error(client, account):
    LoopRun.objects.update(status="FAILED", error="orders: the broker does not answer")
    assert "the broker does not answer" in client.get("/loop/").content.decode()


@pytest.mark.parametrize("tab", ["orders", "fills", "journal", "signals"])
def test_each_tab_lists_its_rows_and_filters_by_symbol(client, account, tab):
    shown = client.get("/trades/", {"tab": tab})
    assert len(shown.context["rows"].object_list) >= 1
    assert len(client.get("/trades/", {"tab": tab, "symbol": "NONE"}).context["rows"].object_list) == 0


def test_signals_and_orders_filter_by_status(client, account):
    rows = client.get("/trades/", {"tab": "signals", "status": "REJECTED"}).context["rows"].object_list
    assert [row.symbol for row in rows] == ["MSFT"]
    assert len(client.get("/trades/", {"tab": "orders", "status": "CANCELLED"}).context["rows"].object_list) == 0


def test_the_journal_shows_signed_profit(client, account):
    assert "+1,234.50" in client.get("/trades/", {"tab": "journal"}).content.decode()


def test_a_page_beyond_the_last_shows_the_last(client, account):
    assert client.get("/trades/", {"page": "99"}).context["rows"].number == 1


def test_a_page_needs_few_queries(client, account, django_assert_max_num_queries):
    with django_assert_max_num_queries(50):
        client.get("/")
    with django_assert_max_num_queries(20):
        client.get("/loop/")
    with django_assert_max_num_queries(20):
        client.get("/trades/")
