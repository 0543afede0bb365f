"""Orders at Tiger: what is sent, what comes back of it, and what is read of everybody's orders there."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.conf import settings

from tests.tiger_world import ACCOUNT, order_row, real_account, request_of, sent, trading_at
from trading.brokers import base
from trading.brokers.base import BrokerRefused, BrokerUnclear
from trading.brokers.tiger import TigerBroker
from trading.models import Order

pytestmark = pytest.mark.django_db
CALL, PUT = "AAPL260320C00227500", "AAPL260320P00200000"
WINGS = [
    {"symbol": "AAPL260320C00230000", "side": "SELL", "ratio": 1},
    {"symbol": "AAPL260320C00240000", "side": "BUY", "ratio": 1},
    {"symbol": "AAPL260320P00190000", "side": "BUY", "ratio": 1},
    {"symbol": "AAPL260320P00200000", "side": "SELL", "ratio": 1},
]


@pytest.fixture
def tiger(tmp_path):
    with trading_at(tmp_path) as tiger:
        real_account()
        tiger.quote("AAPL", bid=99.9, ask=100.1, last=100)
        yield tiger


@pytest.fixture
def broker(tiger):
    return TigerBroker()


def wire_of(tiger, order: Order) -> dict:
    """What place_order carried for an order."""
    (call,) = [call for call in tiger.journal.calls("place_order") if call.fields["user_mark"] == order.client_order_id]
    return call.fields


def report(broker, order: Order) -> base.BrokerOrder:
    return broker.orders(ACCOUNT, [order.client_order_id])[order.client_order_id]


def test_a_limit_order_goes_out_with_our_mark_its_number_and_regular_hours_only(tiger, broker):
    order = sent(broker, limit_price=Decimal("100.019"))
    book = tiger.journal.order(order.client_order_id)
    assert order.broker_order_id == str(book.id)
    assert order.reserved_id == str(book.order_id)
    assert (book.action, book.quantity, book.order_type) == ("BUY", 10, "LMT")
    assert (book.limit_price, book.time_in_force, book.outside_rth) == (Decimal("100.01"), "DAY", False)
    found = report(broker, order)
    assert (found.status, found.symbol, found.side, found.quantity, found.limit_price) == (
        base.WORKING,
        "AAPL",
        "BUY",
        10,
        Decimal("100.01"),
    )
    assert abs(found.placed_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_market_order_has_no_price(tiger, broker):
    order = sent(broker, order_type="MKT", limit_price=None)
    book = tiger.journal.order(order.client_order_id)
    assert (book.order_type, book.limit_price, book.aux_price) == ("MKT", None, None)


def test_a_stop_is_reached_no_later_than_decided(tiger, broker):
    order = sent(broker, side="SELL", order_type="STP", limit_price=None, stop_price=Decimal("95.004"))
    assert tiger.journal.order(order.client_order_id).aux_price == Decimal("95.01")
    assert report(broker, order).stop_price == Decimal("95.01")


@pytest.mark.parametrize(("side", "limit"), [("SELL", Decimal("1.80")), ("BUY", Decimal("2.20"))])
def test_an_options_stop_has_a_limit_that_stays_ours(tiger, broker, side, limit):
    order = sent(broker, symbol=CALL, side=side, order_type="STP", limit_price=None, stop_price=Decimal("2.00"))
    book = tiger.journal.order(order.client_order_id)
    assert (book.order_type, book.aux_price, book.limit_price) == ("STP_LMT", Decimal("2.00"), limit)
    found = report(broker, order)
    assert (found.order_type, found.stop_price, found.limit_price) == ("STP", Decimal("2.00"), None)


def test_an_option_goes_out_as_exactly_the_contract_it_is(tiger, broker):
    order = sent(broker, symbol="F260320C00002010", quantity=Decimal(3), limit_price=Decimal("0.50"))
    book = tiger.journal.order(order.client_order_id)
    assert book.contract.key == "F     260320C00002010"
    assert book.contract.multiplier == 100
    assert report(broker, order).symbol == "F260320C00002010"


def test_several_legs_go_out_as_one_order_with_their_credit(tiger, broker):
    order = sent(broker, symbol="AAPL", quantity=Decimal(2), limit_price=Decimal("-3.456"), legs=WINGS)
    (book,) = tiger.journal.orders()
    assert (book.contract.sec_type, book.action, book.quantity, book.combo_type) == ("MLEG", "BUY", 2, "CUSTOM")
    assert book.limit_price == Decimal("-3.46")
    legs = {(leg.contract.key.replace(" ", ""), leg.action, leg.ratio) for leg in book.legs}
    assert legs == {(leg["symbol"], leg["side"], leg["ratio"]) for leg in WINGS}
    found = report(broker, order)
    assert (found.limit_price, found.symbol, found.quantity) == (Decimal("-3.46"), "AAPL", 2)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"quantity": Decimal("1.5")}, "BAD_QUANTITY"),
        ({"quantity": Decimal(0)}, "BAD_QUANTITY"),
        ({"limit_price": None}, "BAD_PRICE"),
        ({"limit_price": Decimal("0.00001")}, "BAD_PRICE"),
        ({"order_type": "MKT", "time_in_force": "GTC"}, "TIME_IN_FORCE"),
        ({"order_type": "TRAIL"}, "ORDER_TYPE"),
        ({"order_type": "STP", "stop_price": Decimal(1), "legs": WINGS}, "ORDER_TYPE"),
    ],
)
def test_what_is_no_order_is_refused_before_anything_is_sent(tiger, broker, fields, code):
    with pytest.raises(BrokerRefused) as raised:
        broker.place(request_of(order_row(**fields)))
    assert raised.value.code == code
    assert tiger.journal.calls("place_order") == []


def test_an_account_that_is_not_made_for_real_orders_sends_none(tiger, broker):
    real_account("paper-one")
    type(real_account("dry-one")).objects.filter(pk="dry-one").update(mode="DRY_RUN")
    with pytest.raises(BrokerRefused, match="not one for real orders"):
        broker.place(request_of(order_row(account_id="dry-one")))
    assert tiger.journal.calls() == []


def test_an_account_may_have_a_number_of_its_own_at_the_broker(tiger, broker):
    real_account("other", broker_account="20260101000000777")
    with pytest.raises(BrokerUnclear, match="not yours"):
        broker.positions("other")
    assert {call.fields["account"] for call in tiger.journal.calls("positions")} == {"20260101000000777"}
    assert settings.TIGER.account != "20260101000000777"


def test_ticks_that_tiger_does_not_tell_are_those_that_always_hold(tiger, broker):
    tiger.fault("contract", "http", status=500, times=None)
    order = sent(broker, limit_price=Decimal("100.019"))
    option = sent(broker, symbol=CALL, side="SELL", order_type="LMT", limit_price=Decimal("3.01"))
    assert tiger.journal.order(order.client_order_id).limit_price == Decimal("100.01")
    assert tiger.journal.order(option.client_order_id).limit_price == Decimal("3.1")


def test_ticks_are_asked_for_once(tiger, broker):
    for _ in range(3):
        sent(broker)
    assert len(tiger.journal.calls("contract")) == 1


# --- what becomes of it


def test_a_cancel_is_a_request_and_what_was_filled_stays(tiger, broker):
    order = sent(broker)
    tiger.fill(order.client_order_id, quantity=4, price="99.5")
    tiger.settings(pending_cancel=True)
    broker.cancel(ACCOUNT, order.client_order_id)
    assert report(broker, order).status == base.WORKING
    tiger.cancel(order.client_order_id)
    found = report(broker, order)
    assert (found.status, found.filled_quantity, found.average_fill_price) == (base.CANCELLED, 4, Decimal("99.5"))


def test_a_cancel_that_comes_too_late_is_answered_by_the_order(tiger, broker):
    order = sent(broker)
    tiger.fill(order.client_order_id, price="99.5")
    broker.cancel(ACCOUNT, order.client_order_id)
    assert report(broker, order).status == base.FILLED


def test_a_lost_answer_to_a_cancel_is_unclear(tiger, broker):
    order = sent(broker)
    tiger.fault("cancel_order", "lose_reply")
    with pytest.raises(BrokerUnclear):
        broker.cancel(ACCOUNT, order.client_order_id)
    assert len(tiger.journal.calls("cancel_order")) == 1
    assert report(broker, order).status == base.CANCELLED


def test_an_order_whose_outcome_is_unknown_can_be_cancelled_by_its_number(tiger, broker):
    tiger.fault("place_order", "lose_reply")
    order = sent(broker)
    assert (order.status, order.broker_order_id) == ("UNKNOWN", "")
    broker.cancel(ACCOUNT, order.client_order_id)
    assert tiger.journal.order(order.client_order_id).status == "Cancelled"


def test_quantity_and_price_can_be_changed(tiger, broker):
    order = sent(broker)
    broker.modify(ACCOUNT, order.client_order_id, Decimal(6), Decimal("99.507"), None)
    found = report(broker, order)
    assert (found.quantity, found.limit_price) == (6, Decimal("99.5"))
    book = tiger.journal.order(order.client_order_id)
    assert (book.contract.key, book.outside_rth, book.time_in_force) == ("AAPL", False, "DAY")


def test_a_change_that_tiger_refuses_leaves_the_order_as_it_is(tiger, broker):
    order = sent(broker)
    tiger.fill(order.client_order_id, quantity=4, price="99.5")
    with pytest.raises(BrokerRefused, match="filled"):
        broker.modify(ACCOUNT, order.client_order_id, Decimal(2), Decimal(100), None)
    assert report(broker, order).quantity == 10


def test_an_order_nobody_acknowledged_is_not_changed(tiger, broker):
    with pytest.raises(BrokerRefused, match="not acknowledged"):
        broker.modify(ACCOUNT, order_row(broker).client_order_id, Decimal(2), Decimal(100), None)
    assert tiger.journal.calls("modify_order") == []


def test_inactive_is_rejected_with_tigers_words(tiger, broker):
    order = sent(broker)
    tiger.reject(order.client_order_id, "Short sale is not allowed")
    found = report(broker, order)
    assert (found.status, found.reason) == (base.REJECTED, "Short sale is not allowed")


def test_invalid_is_expired(tiger, broker):
    order = sent(broker)
    tiger.expire(order.client_order_id)
    assert report(broker, order).status == base.EXPIRED


def test_quantities_may_come_scaled(tiger, broker):
    tiger.settings(quantity_scale=5)
    order = sent(broker)
    tiger.fill(order.client_order_id, quantity=4, price="99.5")
    found = report(broker, order)
    assert (found.quantity, found.filled_quantity) == (10, 4)
    assert broker.positions(ACCOUNT) == {"AAPL": Decimal(4)}


# --- reading


def test_hundreds_of_orders_are_read_page_by_page(tiger, broker):
    own = sent(broker)
    for n in range(620):
        tiger.external_order("AAPL", "BUY", 1, limit_price=Decimal(5000 + n) / 100)
    others = [sent(broker) for _ in range(3)]
    assert len(broker.open_orders(ACCOUNT)) == 624
    wanted = [own.client_order_id, *(order.client_order_id for order in others)]
    before = len(tiger.journal.calls("orders"))
    assert sorted(broker.orders(ACCOUNT, wanted)) == sorted(wanted)
    assert 3 <= len(tiger.journal.calls("orders")) - before <= 4


def test_pages_that_break_off_are_not_taken_for_all(tiger, broker):
    for _ in range(301):
        tiger.external_order("AAPL", "BUY", 1, limit_price=50)
    tiger.fault("active_orders", "http", status=500, skip=1, times=None)
    with pytest.raises(BrokerUnclear):
        broker.open_orders(ACCOUNT)


def test_what_others_placed_is_told_with_all_there_is_to_know(tiger, broker):
    own = sent(broker)
    stock = tiger.external_order("AAPL", "SELL", 7, limit_price=150)
    option = tiger.external_order("AAPL", "BUY", 2, sec_type="OPT", expiry="20260320", strike="227.5", right="CALL", limit_price=5)
    found = {order.client_order_id: order for order in broker.open_orders(ACCOUNT)}
    assert set(found) == {own.client_order_id, f"X-{stock}", f"X-{option}"}
    theirs = found[f"X-{stock}"]
    assert (theirs.symbol, theirs.side, theirs.quantity, theirs.order_type, theirs.limit_price) == ("AAPL", "SELL", 7, "LMT", 150)
    assert found[f"X-{option}"].symbol == CALL
    assert broker.orders(ACCOUNT, [f"X-{stock}"])[f"X-{stock}"].status == base.WORKING


def test_what_is_over_works_no_more(tiger, broker):
    orders = [sent(broker) for _ in range(3)]
    tiger.fill(orders[0].client_order_id, price=100)
    tiger.reject(orders[1].client_order_id)
    assert [order.client_order_id for order in broker.open_orders(ACCOUNT)] == [orders[2].client_order_id]


def test_an_order_tiger_does_not_have_is_absent_and_no_answer_is_not_absence(tiger, broker):
    order = order_row(broker, status="ACKED", broker_order_id="999")
    assert broker.orders(ACCOUNT, [order.client_order_id]) == {}
    tiger.fault("orders", "http", status=500, times=None)
    with pytest.raises(BrokerUnclear):
        broker.orders(ACCOUNT, [order.client_order_id])


def test_a_preview_tells_what_an_order_would_do_and_places_nothing(tiger, broker):
    good = broker.preview(request_of(order_row()))
    assert good.accepted
    assert (good.initial_margin, good.maintenance_margin, good.commission) == (Decimal(500), Decimal(250), Decimal("0.99"))
    tiger.contract("AAPL", trade=False)
    bad = broker.preview(request_of(order_row()))
    assert not bad.accepted
    assert "cannot be traded" in bad.message
    assert tiger.journal.orders() == []


def test_without_a_number_nothing_is_sent(tiger, broker):
    tiger.fault("order_no", "http", status=500, times=None)
    with pytest.raises(BrokerUnclear):
        broker.reserve(ACCOUNT)
