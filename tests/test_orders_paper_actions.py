"""Splits and dividends at the paper broker, before anything trades at the open."""

from decimal import Decimal

import pytest

from quant_site.market.actions import CorporateAction
from tests.orders_world import DAYS, FLAT, broker_of, request, run_session
from trading.brokers import paper_session

pytestmark = pytest.mark.django_db
D = Decimal
HALF = (50.0, 50.5, 49.5, 50.0)


def held(broker, quantity):
    run_session(broker, DAYS[0])
    broker.place(request("seed", "BUY" if quantity > 0 else "SELL", quantity=abs(quantity)))
    run_session(broker, DAYS[1])
    return broker


def test_a_split_multiplies_what_is_held_and_restates_what_works():
    broker = held(broker_of({"AAA": [FLAT, FLAT, HALF]}, factors={"AAA": [0.5, 0.5, 1.0]}), 101)
    broker.place(request("stop", "SELL", "STP", 101, stop_price="95.01", reducing=True))
    broker.place(request("entry", quantity=7))
    run_session(broker, DAYS[2])
    stop = broker.orders("paper", ["stop"])["stop"]
    assert (stop.status, stop.quantity, stop.stop_price, stop.split_ratio) == ("WORKING", 202, D("47.505"), 2)
    assert broker.positions("paper") == {"AAA": 202 + 14}
    [split] = broker.activities("paper", DAYS[2])
    assert (split.kind, split.quantity, split.per_share, split.amount) == ("SPLIT", 101, 2, 0)


@pytest.mark.parametrize(("quantity", "whole", "lieu"), [(101, 33, "200"), (-101, -33, "-200"), (2, 0, "200"), (99, 33, "0")])
def test_a_reverse_split_pays_the_fraction_at_the_last_close(quantity, whole, lieu):
    """Three old shares at 100 make a new one: the two that are left over are worth 200."""
    triple = (300.0, 301.0, 299.0, 300.0)
    broker = held(broker_of({"AAA": [FLAT, FLAT, triple]}, cash="1000000", factors={"AAA": [3.0, 3.0, 1.0]}), quantity)
    before = broker.cash("paper")
    run_session(broker, DAYS[2])
    assert broker.positions("paper").get("AAA", 0) == whole
    assert broker.cash("paper") - before == D(lieu)
    assert broker.activities("paper", DAYS[2])[0].amount == D(lieu)


@pytest.mark.parametrize("quantity", [40, -40])
def test_a_dividend_is_paid_to_longs_and_owed_by_shorts_on_what_was_held_before_the_open(quantity, monkeypatch):
    dividend = CorporateAction("AAA", "DIVIDEND", D("0.5"))
    monkeypatch.setattr(paper_session, "corporate_actions", lambda panel: {2: [dividend]})
    broker = held(broker_of({"AAA": [FLAT, FLAT, FLAT]}), quantity)
    broker.place(request("exit", "SELL" if quantity > 0 else "BUY", quantity=40, reducing=True))
    before = broker.cash("paper")
    run_session(broker, DAYS[2])
    [dividend] = broker.activities("paper", DAYS[2])
    assert (dividend.kind, dividend.per_share, dividend.amount) == ("DIVIDEND", D("0.5"), D("0.5") * quantity)
    assert broker.cash("paper") - before == D("0.5") * quantity + D(100) * quantity


def test_an_action_is_booked_once():
    broker = held(broker_of({"AAA": [FLAT, FLAT, HALF]}, factors={"AAA": [0.5, 0.5, 1.0]}), 10)
    for _ in range(3):
        broker.open_session("paper", DAYS[2])
    assert broker.positions("paper") == {"AAA": 20}
    assert len(broker.activities("paper", DAYS[2])) == 1
