"""An order whose answer was lost is found again by its mark, its number or its content, and its absence is never proof."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tests.tiger_world import ACCOUNT, order_row, real_account, request_of, send, sent, today, trading_at
from trading.brokers import base
from trading.brokers.base import BrokerUnclear
from trading.brokers.tiger import TigerBroker

pytestmark = pytest.mark.django_db
WINGS = [{"symbol": "AAPL260320C00230000", "side": "SELL", "ratio": 1}, {"symbol": "AAPL260320C00240000", "side": "BUY", "ratio": 2}]


@pytest.fixture
def tiger(tmp_path):
    with trading_at(tmp_path) as tiger:
        real_account()
        tiger.quote("AAPL", bid=99.9, ask=100.1, last=100)
        yield tiger


@pytest.fixture
def broker(tiger):
    return TigerBroker()


def lost(tiger, broker, kind="lose_reply", **fields):
    """An order of which the broker's answer never came."""
    tiger.fault("place_order", kind)
    order = sent(broker, **fields)
    assert order.status == "UNKNOWN"
    return order


def find(broker, order):
    return broker.find(ACCOUNT, order.client_order_id, 1)


@pytest.mark.parametrize(
    "ways",
    [{}, {"store_user_mark": False}, {"honour_order_no": False}, {"store_user_mark": False, "honour_order_no": False}],
    ids=["mark", "number", "mark-alone", "content"],
)
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"order_type": "MKT", "limit_price": None},
        {"symbol": "AAPL260320C00227500", "quantity": Decimal(2), "limit_price": Decimal("3.17")},
        {"symbol": "AAPL260320C00227500", "side": "SELL", "order_type": "STP", "limit_price": None, "stop_price": Decimal("2.01")},
        {"quantity": Decimal(2), "limit_price": Decimal("-1.234"), "legs": WINGS},
    ],
    ids=["stock", "market", "option", "option-stop", "legs"],
)
def test_a_lost_order_is_found_again(tiger, broker, ways, fields):
    tiger.settings(**ways)
    order = lost(tiger, broker, **fields)
    evidence = find(broker, order)
    (book,) = tiger.journal.orders()
    assert evidence.found.broker_order_id == str(book.id)
    assert evidence.found.client_order_id == order.client_order_id
    assert evidence.found.status == base.WORKING
    assert not evidence.final


@pytest.mark.parametrize("end", ["fill", "reject", "cancel", "expire"])
def test_a_lost_order_is_found_whatever_became_of_it(tiger, broker, end):
    order = lost(tiger, broker)
    getattr(tiger, end)(order.client_order_id, **({"price": "99"} if end == "fill" else {}))
    expected = {"fill": base.FILLED, "reject": base.REJECTED, "cancel": base.CANCELLED, "expire": base.EXPIRED}[end]
    assert find(broker, order).found.status == expected


def test_what_is_not_found_proves_nothing_and_may_come_late(tiger, broker):
    tiger.fault("place_order", "accept_late", seconds=0.5)
    order = sent(broker)
    assert order.status == "UNKNOWN"
    evidence = find(broker, order)
    assert (evidence.found, evidence.final) == (None, False)
    tiger.settle()
    assert find(broker, order).found.broker_order_id == str(tiger.journal.order(order.client_order_id).id)
    assert len(tiger.journal.orders()) == 1


def test_what_never_arrived_stays_unknown(tiger, broker):
    order = lost(tiger, broker, kind="lose_request")
    assert find(broker, order) == base.Evidence(None, final=False)


def test_a_list_that_does_not_come_is_no_absence(tiger, broker):
    order = lost(tiger, broker)
    tiger.fault("inactive_orders", "http", status=500, times=None)
    with pytest.raises(BrokerUnclear):
        find(broker, order)


def other_program(broker, **fields) -> str:
    """An order that another program sends through the same interface; answers Tiger's id."""
    order = order_row(broker, **fields)
    ack = broker.place(request_of(order))
    order.delete()
    return ack.broker_order_id


def by_content(tiger):
    tiger.settings(store_user_mark=False, honour_order_no=False)


def test_of_two_equal_orders_at_tiger_none_is_taken_for_ours(tiger, broker):
    by_content(tiger)
    order = lost(tiger, broker)
    other_program(broker)
    evidence = find(broker, order)
    assert len(tiger.journal.orders()) == 2
    assert evidence.found is None


def test_two_lost_orders_with_one_content_are_not_told_apart(tiger, broker):
    by_content(tiger)
    first, second = lost(tiger, broker), lost(tiger, broker, kind="lose_request")
    assert len(tiger.journal.orders()) == 1
    assert find(broker, first).found is None
    assert find(broker, second).found is None


def test_an_order_that_is_another_of_ours_is_not_taken_twice(tiger, broker):
    by_content(tiger)
    known = sent(broker)
    order = lost(tiger, broker)
    found = find(broker, order).found
    assert found.broker_order_id == str(max(book.id for book in tiger.journal.orders()))
    assert found.broker_order_id != known.broker_order_id


@pytest.mark.parametrize(
    "other",
    [
        {"quantity": Decimal(11)},
        {"side": "SELL"},
        {"limit_price": Decimal("100.01")},
        {"limit_price": Decimal("99.99")},
        {"symbol": "MSFT"},
        {"order_type": "MKT", "limit_price": None},
        {"symbol": "AAPL260320C00227500"},
        {},
    ],
    ids=lambda other: next(iter(other), "none"),
)
def test_only_an_order_with_our_content_is_ours(tiger, broker, other):
    by_content(tiger)
    order = lost(tiger, broker, kind="lose_request")
    identity = other_program(broker, **other)
    found = find(broker, order).found
    assert found is None if other else found.broker_order_id == identity


def test_a_price_that_was_put_on_a_tick_is_still_ours_while_ticks_cannot_be_asked_for(tiger, broker):
    by_content(tiger)
    tiger.contract("AAPL", tick_sizes=[{"begin": "0", "end": "Infinity", "type": "CLOSED_OPEN", "tickSize": 0.005}])
    order = lost(tiger, broker, limit_price=Decimal("99.997"))
    (book,) = tiger.journal.orders()
    assert book.limit_price == Decimal("99.995")
    tiger.fault("contract", "http", status=500, times=None)
    broker.desk._ticks.clear()
    assert find(broker, order).found.broker_order_id == str(book.id)


def test_an_order_of_another_time_is_not_ours(tiger, broker):
    by_content(tiger)
    order = lost(tiger, broker)
    order.sent_at = datetime.now(UTC) - timedelta(minutes=5)
    order.save()
    assert find(broker, order).found is None


def test_an_order_from_the_phone_is_not_taken_for_ours(tiger, broker):
    by_content(tiger)
    order = lost(tiger, broker, kind="lose_request")
    identity = tiger.external_order("AAPL", "BUY", 10, limit_price=100)
    assert find(broker, order).found is None
    assert [each.client_order_id for each in broker.open_orders(ACCOUNT)] == [f"X-{identity}"]


def test_a_lost_order_is_not_taken_for_somebody_elses(tiger, broker):
    """Neither while it is found by its content alone, nor while it cannot be told from another."""
    by_content(tiger)
    order = lost(tiger, broker)
    assert [each.client_order_id for each in broker.open_orders(ACCOUNT)] == [order.client_order_id]
    other_program(broker)
    assert broker.open_orders(ACCOUNT) == []


def test_a_second_order_under_one_mark_is_nobodys(tiger, broker):
    order = sent(broker)
    twin = tiger.external_order("AAPL", "BUY", 10, limit_price=100, user_mark=order.client_order_id)
    assert sorted(each.client_order_id for each in broker.open_orders(ACCOUNT)) == sorted([order.client_order_id, f"X-{twin}"])


def test_fills_of_a_lost_order_wait_until_it_is_found(tiger, broker):
    order = lost(tiger, broker)
    tiger.fill(order.client_order_id, quantity=4, price="99.5")
    assert broker.fills(ACCOUNT, today()) == []
    order.broker_order_id, order.status = find(broker, order).found.broker_order_id, "ACKED"
    order.save()
    assert [fill.quantity for fill in broker.fills(ACCOUNT, today())] == [4]


def test_an_order_we_do_not_know_is_not_looked_for(tiger, broker):
    assert broker.find(ACCOUNT, "no-such-order", 1) == base.Evidence(None, final=False)
    assert send(broker, order_row(broker)).status == "ACKED"
