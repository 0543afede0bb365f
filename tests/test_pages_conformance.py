"""A strategy's page shows its conformance card, and what it makes of the stored bars."""

import json

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from strategies.base import KnownAnswer
from strategies.cards import card, card_of
from strategies.library.trend_following import GoldenCross
from strategies.registry import REGISTRY
from tests.pages_world import account_make, user_make

pytestmark = pytest.mark.django_db


@pytest.fixture
def account():
    return account_make(user_make("owner"))


@pytest.fixture
def client(account):
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(account.owner)
    return client


@pytest.mark.parametrize("key", sorted(REGISTRY))
def test_every_card_names_source_needs_departures_and_known_answers_that_hold(key):
    shown = card_of(key)
    assert shown.source and shown.requires and shown.departures and shown.parameters
    assert len(shown.known_answers) >= 2
    assert [answer.case for answer in shown.known_answers if not answer.holds] == []


@pytest.mark.parametrize("key", sorted(REGISTRY))
def test_every_parameter_has_bounds_a_step_and_help(key):
    for row in card_of(key).parameters:
        assert row.description, row.name
        assert row.choices or row.kind == "boolean" or (row.minimum is not None and row.maximum is not None and row.step), row.name


def test_a_card_whose_answer_does_not_hold_does_not_conform():
    class Wrong(GoldenCross):
        def known_answers(self):
            return (KnownAnswer("two and two", 4, 5),)

    assert not card(Wrong()).conforms
    assert card_of("golden_cross").conforms


def test_a_card_without_known_answers_proves_nothing():
    class Silent(GoldenCross):
        def known_answers(self):
            return ()

    assert not card(Silent()).conforms


def test_the_page_shows_the_card(client):
    text = client.get("/strategies/golden_cross/").content.decode()
    assert "Brock, Lakonishok and LeBaron" in text
    assert "agrees with its definition" in text
    assert all(answer.case in text for answer in card_of("golden_cross").known_answers)


@pytest.mark.usefixtures("bundled_market")
def test_the_page_reads_a_backtest_of_the_stored_bars(client, account):
    answer = client.get(f"/strategies/golden_cross/backtest/?account={account.pk}")
    assert answer.status_code == 200
    assert "bokeh_sampledata" in answer.content.decode()
    assert answer.context["current"]["symbols"] == 5


def test_without_bars_the_page_says_how_to_get_them(client, account, market_dir):
    text = client.get(f"/strategies/golden_cross/backtest/?account={account.pk}").content.decode()
    assert "import_bars" in text


def test_the_command_prints_a_card_and_fails_for_an_unknown_key(capsys):
    call_command("card", "golden_cross", "--json")
    shown = json.loads(capsys.readouterr().out)
    assert (shown["key"], shown["conforms"]) == ("golden_cross", True)
    with pytest.raises(CommandError, match="golden_cross"):
        call_command("card", "golden_crosss")
