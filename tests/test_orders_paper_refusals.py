"""What the paper broker refuses, and what it promises about orders it never saw."""

from decimal import Decimal

import pytest

from quant_site.core.errors import Conflict, NotFound
from quant_site.market.models import Instrument
from tests.orders_world import DAYS, FLAT, broker_of, request, run_session
from trading.brokers.base import BrokerRefused, BrokerUnclear
from trading.models import PaperOrder

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("code", "fields"),
    [
        ("UNKNOWN_SYMBOL", {"symbol": "ZZZ"}),
        ("NOT_TRADABLE", {"symbol": "IDX"}),
        ("NO_PRICE", {"symbol": "NEW"}),
        ("BAD_QUANTITY", {"quantity": 0}),
        ("BAD_QUANTITY", {"quantity": -5}),
        ("BAD_QUANTITY", {"quantity": "1.5"}),
        ("BAD_PRICE", {"order_type": "LMT", "limit_price": 0}),
        ("BAD_PRICE", {"order_type": "STP"}),
        ("BUYING_POWER", {"quantity": 2001}),
        ("OPPOSITE_HOLDING", {"symbol": "BBB", "side": "SELL", "quantity": 1}),
        ("NO_ACCOUNT", {"account_id": "nobody"}),
    ],
)
def test_it_refuses_with_a_code_and_remembers_the_answer(code, fields):
    broker = broker_of({"AAA": [FLAT] * 2, "BBB": [FLAT] * 2, "IDX": [FLAT] * 2, "NEW": [None, None, FLAT]}, cash="100000")
    Instrument.objects.filter(symbol="IDX").update(tradable=False)
    run_session(broker, DAYS[0])
    if code == "OPPOSITE_HOLDING":
        broker.place(request("hold", symbol="BBB", quantity=1))
        run_session(broker, DAYS[1])
    refused = request("x", **fields)
    for _ in range(2):
        with pytest.raises(BrokerRefused) as error:
            broker.place(refused)
        assert error.value.code == code
    assert not PaperOrder.objects.filter(client_order_id="x").exclude(status="REJECTED").exists()


def test_buying_power_counts_what_is_held_and_what_is_ordered():
    broker = broker_of({"AAA": [FLAT] * 3}, cash="10000")
    run_session(broker, DAYS[0])
    broker.place(request("a", quantity=90))
    run_session(broker, DAYS[1])
    broker.place(request("b", quantity=100))
    with pytest.raises(BrokerRefused, match=r"20100.00 would be held or ordered; 20000.00 is allowed"):
        broker.place(request("c", quantity=11))
    broker.place(request("d", quantity=10))


def test_the_same_id_gets_the_same_answer_and_one_order():
    broker = broker_of({"AAA": [FLAT] * 2})
    assert broker.place(request("x")) == broker.place(request("x", fence=2))
    assert PaperOrder.objects.count() == 1


def test_a_sender_whose_order_was_declared_missing_can_no_longer_place_it():
    broker = broker_of({"AAA": [FLAT] * 2})
    evidence = broker.find("paper", "x", 3)
    assert evidence.found is None
    assert evidence.final
    for fence in (1, 3):
        with pytest.raises(BrokerUnclear):
            broker.place(request("x", fence=fence))
    assert not PaperOrder.objects.exists()
    broker.place(request("x", fence=4))
    assert broker.find("paper", "x", 4).found.status == "WORKING"


def test_a_fence_never_sinks():
    broker = broker_of({"AAA": [FLAT] * 2})
    broker.find("paper", "x", 5)
    broker.find("paper", "x", 2)
    with pytest.raises(BrokerUnclear):
        broker.place(request("x", fence=5))


def test_sessions_run_in_order_and_none_is_left_out_while_something_is_held():
    broker = broker_of({"AAA": [FLAT] * 5})
    with pytest.raises(Conflict):
        broker.trade_session("paper", DAYS[0])
    run_session(broker, DAYS[0])
    run_session(broker, DAYS[2])
    broker.place(request("x"))
    with pytest.raises(Conflict, match="run the sessions before"):
        broker.open_session("paper", DAYS[4])
    broker.open_session("paper", DAYS[3])
    with pytest.raises(Conflict):
        broker.open_session("paper", DAYS[4])


def test_an_account_is_opened_once_and_must_exist():
    broker = broker_of({"AAA": [FLAT]}, cash="5")
    broker.open_account("paper", Decimal("99"))
    assert broker.cash("paper") == Decimal("5")
    with pytest.raises(NotFound):
        broker.cash("nobody")
