"""A structure of options is one order from its signal to the books, opened, reduced and closed as one; and what if by halves."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from quant_site.core.errors import LedgerMismatch
from quant_site.core.types import OrderType, Side
from signals_app.models import TradingSignal
from tests.options_desk import option, quoted
from tests.orders_world import DAYS, FLAT, signal_of
from tests.test_orders_partial_exits import Desk
from trading.books.bookings import position_key
from trading.books.journal import average_entries
from trading.books.ledger import fills_book, positions_mark
from trading.brokers.base import CANCELLED, BrokerFill, BrokerOrder
from trading.models import CashEntry, Fill, Order, OrderEvent, PaperOrder, Position
from trading.order_path.evidence import evidence_apply
from trading.order_path.executor import OrderExecutor
from trading.order_path.orders import order_cancel, order_send, orders_resolve, orders_send_ready
from trading.order_path.protection import positions_protect
from trading.order_path.rows import order_advance, order_create
from trading.order_path.states import OrderStatus
from trading.vocabulary import Origin, Purpose

pytestmark = pytest.mark.django_db
D = Decimal
LOW, SOLD, CALL, HIGH = option("P", 90), option("P", 95), option("C", 105), option("C", 110)
PRICES = {LOW: (0.3, 0.4), SOLD: (0.9, 1.0), CALL: (0.8, 0.9), HIGH: (0.2, 0.3)}
CONDOR = ((LOW, "LONG", 3), (SOLD, "SHORT", 3), (CALL, "SHORT", 3), (HIGH, "LONG", 3))
GROUP = "SPY/condor"


def desk(prices=None) -> Desk:
    found = Desk({"SPY": [FLAT] * 8})
    quoted(found.broker.panel, PRICES | (prices or {}))
    return found


def opened(prices=None, legs=CONDOR) -> Desk:
    return desk(prices).bought(*legs, group=GROUP, direction="SHORT")


def entered(legs=CONDOR) -> tuple[Desk, Order]:
    """A structure's order that works at the broker, and nothing of it filled."""
    found = desk()
    signal_of(found.account, DAYS[0], *legs, group=GROUP, direction="SHORT")
    found.execute(0)
    return found, Order.objects.get(purpose="ENTRY")


def told(found: Desk, order: Order, *fills: tuple[str, int], status="WORKING", filled=0, day=1) -> None:
    """The broker tells of fills (symbol, contracts) at a dollar and of the order's status; they are booked, and the signal follows."""
    number = Fill.objects.count()
    sides = {leg["symbol"]: leg["side"] for leg in order.legs}
    executions = [
        BrokerFill(
            f"f{number + i}",
            order.client_order_id,
            DAYS[day],
            D(count),
            D(1),
            D(0),
            datetime(2019, 1, 3, 15, tzinfo=UTC),
            symbol,
            sides[symbol],
        )
        for i, (symbol, count) in enumerate(fills)
    ]
    report = BrokerOrder(order.client_order_id, order.broker_order_id, status, order.quantity, None, None, D(filled), None, D(0))
    evidence_apply(found.account.pk, {order.client_order_id: report}, executions)
    fills_book(account=found.account, fills=Fill.objects.filter(account=found.account))
    OrderExecutor(found.account, found.broker, DAYS[day]).monitor_order_status()


def protected(found: Desk, day=1) -> list[Order]:
    """The orders that protecting made; doing it again makes none."""
    before = set(Order.objects.values_list("pk", flat=True))
    positions_protect(account=found.account, session=DAYS[day], broker=found.broker)
    events = OrderEvent.objects.count()
    assert positions_protect(account=found.account, session=DAYS[day], broker=found.broker) == {}
    assert OrderEvent.objects.count() == events
    return list(Order.objects.exclude(pk__in=before).order_by("id"))


def legs_of(order: Order) -> dict[str, int]:
    return {leg["symbol"]: (1 if leg["side"] == "BUY" else -1) * leg["ratio"] * int(order.quantity) for leg in order.legs}


def held() -> dict[str, int]:
    return {symbol: int(count) for symbol, count in Position.objects.filter(exit_session=None).values_list("symbol", "quantity")}


def status_of(signal=None) -> str:
    return TradingSignal.objects.exclude(direction="CLOSE").get().signal_status


# --- opened


def test_a_signal_of_four_options_becomes_one_order_of_units():
    _, order = entered()
    assert (order.symbol, order.group, order.side, order.order_type, order.quantity) == (GROUP, GROUP, "BUY", "MKT", 3)
    assert legs_of(order) == {LOW: 3, SOLD: -3, CALL: -3, HIGH: 3}
    assert (order.status, PaperOrder.objects.get().legs) == (
        "ACKED",
        [{name: leg[name] for name in ("symbol", "side", "ratio")} for leg in order.legs],
    )


def test_ratios_are_in_their_lowest_terms():
    _, order = entered(((LOW, "LONG", 8), (SOLD, "SHORT", 4)))
    assert (order.quantity, [(leg["symbol"], leg["ratio"]) for leg in order.legs]) == (4, [(LOW, 2), (SOLD, 1)])


def test_its_fills_become_a_position_for_each_leg_that_the_full_check_finds():
    found = opened()
    assert held() == {LOW: 3, SOLD: -3, CALL: -3, HIGH: 3}
    assert {row.group for row in Position.objects.all()} == {GROUP}
    assert {(fill.symbol, fill.position.symbol, fill.order.position_id) for fill in Fill.objects.all()} == {(s, s, None) for s in PRICES}
    assert (status_of(), found.broker.positions("paper")) == ("EXECUTED", held())


def test_a_single_option_stays_a_plain_order_and_shares_trade_one_by_one():
    found = desk()
    signal_of(found.account, DAYS[0], (LOW, "LONG", 2), group="SPY/put")
    signal_of(found.account, DAYS[0], ("AAA", "LONG", 10), ("SPY", "SHORT", 10), key="pairs")
    found.execute(0)
    assert list(Order.objects.order_by("id").values_list("symbol", "legs", "group")) == [("AAA", [], ""), ("SPY", [], ""), (LOW, [], "")]


def test_beside_shares_the_options_are_one_order_that_comes_after_them():
    found = desk()
    signal_of(found.account, DAYS[0], (CALL, "SHORT", 1), ("SPY", "LONG", 100), group="SPY/covered", key="a")
    signal_of(found.account, DAYS[0], (CALL, "SHORT", 1), ("SPY", "LONG", 100), (LOW, "LONG", 1), group="SPY/collar", key="b")
    found.execute(0)
    assert list(Order.objects.order_by("id").values_list("symbol", "leg")) == [("SPY", 1), (CALL, 0), ("SPY", 1), ("SPY/collar", 0)]
    found.settle(1)
    assert found.broker.positions("paper") == {"SPY": 200, CALL: -2, LOW: 1}
    found.close(1, group="SPY/collar", key="b")
    assert [(row.symbol, len(row.legs)) for row in Order.objects.filter(purpose="EXIT").order_by("id")] == [("SPY", 0), ("SPY/collar", 2)]


def test_where_one_leg_has_no_quote_nothing_is_held_and_the_signal_expires():
    found = opened({CALL: {(1, "OPEN"): None, "else": PRICES[CALL]}})
    assert (held(), status_of(), CashEntry.objects.exclude(kind="DEPOSIT").exists()) == ({}, "EXPIRED", False)
    assert protected(found) == []


def test_where_one_leg_is_refused_the_signal_fails_with_the_reason_and_nothing_is_held():
    opened(legs=(*CONDOR, (option("C", 115), "LONG", 3)))
    signal = TradingSignal.objects.get()
    assert (signal.signal_status, signal.validation_errors[0]["symbol"], held()) == ("FAILED", GROUP, {})


def test_an_unknown_outcome_keeps_every_leg_s_symbol_waiting_and_no_other():
    found = desk()
    legs = [{"symbol": LOW, "side": "BUY", "ratio": 1}, {"symbol": SOLD, "side": "SELL", "ratio": 1}]
    same = {"account": found.account, "purpose": Purpose.ENTRY, "order_type": OrderType.MARKET, "quantity": 1, "session": DAYS[0]}
    unknown = order_create(symbol=GROUP, side=Side.BUY, legs=legs, **same)
    order_advance(unknown, [(OrderStatus.READY, "", {}), (OrderStatus.SENDING, "", {}), (OrderStatus.UNKNOWN, "", {})])
    for symbol, side in ((LOW, Side.BUY), (SOLD, Side.SELL), (HIGH, Side.BUY)):
        order_create(symbol=symbol, side=side, **same)
    other = [{"symbol": SOLD, "side": "SELL", "ratio": 1}, {"symbol": HIGH, "side": "BUY", "ratio": 1}]
    order_create(symbol="SPY/other", side=Side.BUY, legs=other, **same)
    orders_send_ready(found.account, found.broker)
    assert dict(Order.objects.values_list("symbol", "status")) == {
        GROUP: "UNKNOWN",
        LOW: "INTENT",
        SOLD: "INTENT",
        HIGH: "ACKED",
        "SPY/other": "INTENT",
    }
    orders_resolve(found.account, found.broker)
    orders_send_ready(found.account, found.broker)
    assert set(Order.objects.values_list("status", flat=True)) == {"ACKED"}


def test_a_leg_that_is_held_on_the_other_side_denies_the_order():
    found = opened()
    legs = [{"symbol": SOLD, "side": "BUY", "ratio": 1}, {"symbol": option("P", 85), "side": "SELL", "ratio": 1}]
    order = order_create(
        account=found.account, purpose=Purpose.ENTRY, symbol="SPY/turn", side=Side.BUY, order_type=OrderType.MARKET, quantity=1,
        session=DAYS[1], legs=legs,
    )  # fmt: skip
    order_send(order, found.broker)
    assert (order.status, order.status_reason.split(":")[0]) == ("DENIED", "OPPOSITE_POSITION")


# --- closed


def test_a_trade_is_closed_by_one_order_of_all_its_options():
    found = opened()
    positions_mark(account=found.account, session=DAYS[1], panel=found.broker.panel)
    signal = found.close(1, group=GROUP)
    [order] = Order.objects.filter(purpose="EXIT")
    assert (order.quantity, legs_of(order), order.signal_id) == (3, {LOW: -3, SOLD: 3, CALL: 3, HIGH: -3}, signal.pk)
    # Decided at the marks of the close: half-way between bid and ask.
    assert order.decision_price == -D("0.35") + D("0.95") + D("0.85") - D("0.25")
    found.settle(2)
    signal.refresh_from_db()
    assert (held(), signal.signal_status, found.broker.positions("paper")) == ({}, "EXECUTED", {})
    assert set(Position.objects.values_list("exit_reason", "exit_session")) == {("EXIT", DAYS[2])}


def test_a_trade_that_is_being_closed_is_not_closed_again():
    found = opened()
    found.close(1, group=GROUP)
    again = found.close(1, group=GROUP)
    assert (again.validation_errors[0]["message"], Order.objects.filter(purpose="EXIT").count()) == (
        "The trade is being closed already.",
        1,
    )


def test_a_whole_close_takes_a_waiting_reduction_out_of_the_way():
    found = opened()
    found.close(1, 0.4, group=GROUP)
    [reduction] = Order.objects.filter(purpose="REDUCE")
    assert (reduction.quantity, legs_of(reduction)) == (1, {LOW: -1, SOLD: 1, CALL: 1, HIGH: -1})
    signal_of(found.account, DAYS[1], (GROUP, "CLOSE", None), group=GROUP, direction="CLOSE")
    found.execute(1)
    reduction.refresh_from_db()
    assert (reduction.status, Order.objects.get(purpose="EXIT").quantity) == ("CANCELLED", 3)


def test_an_exit_that_found_no_market_for_one_leg_is_made_again_as_one_and_ends_the_trade():
    found = opened({HIGH: {(2, "OPEN"): None, "else": PRICES[HIGH]}})
    found.close(1, group=GROUP)
    found.settle(2)
    assert held() == {LOW: 3, SOLD: -3, CALL: -3, HIGH: 3}, "all of it waits for one leg"
    assert [(row.status, len(row.legs)) for row in Order.objects.filter(purpose="EXIT").order_by("id")] == [("EXPIRED", 4), ("ACKED", 4)]
    found.settle(3)
    assert held() == {}


def test_an_old_exit_does_not_end_a_later_trade_of_the_same_name():
    found = opened({HIGH: {(2, "OPEN"): None, "else": PRICES[HIGH]}})
    found.close(1, group=GROUP)
    found.settle(2), found.settle(3)
    signal_of(found.account, DAYS[3], *CONDOR, group=GROUP, direction="SHORT")
    found.execute(3)
    found.settle(4)
    assert held() == {LOW: 3, SOLD: -3, CALL: -3, HIGH: 3}
    assert set(Order.objects.filter(purpose="EXIT").values_list("status", flat=True)) == {"EXPIRED", "FILLED"}, "none is open"


def without(symbol: str) -> None:
    """The contract ended at the broker without a word about the orders for it."""
    Position.objects.filter(symbol=symbol).update(exit_session=DAYS[2], quantity=0, open_key=None)


def test_an_exit_of_which_a_contract_is_gone_is_withdrawn_and_the_rest_closed_as_one():
    found = opened()
    found.close(1, group=GROUP)
    without(SOLD)
    [order] = protected(found, 2)
    assert legs_of(order) == {LOW: -3, CALL: 3, HIGH: -3}
    assert Order.objects.filter(purpose="EXIT").order_by("id").first().status == "CANCELLED"


def test_the_rest_is_closed_also_where_the_withdrawal_takes_its_time(monkeypatch):
    found = opened()
    found.close(1, group=GROUP)
    without(SOLD)
    cancel = found.broker.cancel
    with monkeypatch.context() as patch:
        patch.setattr(found.broker, "cancel", lambda *_: None)
        positions_protect(account=found.account, session=DAYS[2], broker=found.broker)
    exit_ = Order.objects.get(purpose="EXIT")
    assert (exit_.status, exit_.cancel_requested) == ("ACKED", True)
    cancel(found.account.pk, exit_.client_order_id)
    orders_resolve(found.account, found.broker)
    [order] = protected(found, 2)
    assert legs_of(order) == {LOW: -3, CALL: 3, HIGH: -3}


def test_an_exit_that_a_person_cancelled_is_not_made_again():
    found = opened()
    found.close(1, group=GROUP)
    order_cancel(Order.objects.get(purpose="EXIT"), found.broker, reason="REQUESTED")
    assert protected(found, 1) == []


def test_an_exit_that_is_filled_in_part_goes_on():
    found = opened()
    found.close(1, group=GROUP)
    exit_ = Order.objects.get(purpose="EXIT")
    told(found, exit_, (LOW, 3), (SOLD, 1), day=2)
    exit_.refresh_from_db()
    assert (exit_.status, exit_.filled_quantity, held()) == ("PARTIAL", 0, {SOLD: -2, CALL: -3, HIGH: 3})
    assert protected(found, 2) == []
    told(found, exit_, (SOLD, 2), (CALL, 3), (HIGH, 3), status="FILLED", filled=3, day=2)
    assert (held(), Order.objects.get(pk=exit_.pk).status) == ({}, "FILLED")


# --- by halves


def test_a_structure_of_which_a_broker_filled_half_fails_and_what_is_held_is_closed_as_one():
    found, order = entered()
    told(found, order, (LOW, 3), (SOLD, 2), status=CANCELLED)
    assert (status_of(), held()) == ("FAILED", {LOW: 3, SOLD: -2})
    [closing] = protected(found)
    assert (closing.purpose, closing.group, legs_of(closing)) == ("EXIT", GROUP, {LOW: -3, SOLD: 2})
    assert (closing.quantity, closing.status) == (1, "ACKED")


def test_where_one_leg_alone_came_about_a_plain_order_closes_it():
    found, order = entered()
    told(found, order, (SOLD, 2), status=CANCELLED)
    [closing] = protected(found)
    assert (closing.symbol, closing.side, closing.quantity, closing.legs) == (SOLD, "BUY", 2, [])


def test_whole_units_that_came_about_are_a_trade_of_that_size():
    found, order = entered()
    told(found, order, *((symbol, 1) for symbol in PRICES), status=CANCELLED, filled=1)
    assert (status_of(), held()) == ("EXECUTED", {LOW: 1, SOLD: -1, CALL: -1, HIGH: 1})
    assert protected(found) == []


def test_a_leg_filled_after_all_was_called_off_is_closed():
    found, order = entered()
    told(found, order, status=CANCELLED)
    assert (status_of(), held()) == ("CANCELLED", {})
    told(found, order, (SOLD, 1), status=CANCELLED)
    assert held() == {SOLD: -1}
    [closing] = protected(found)
    assert (closing.symbol, closing.quantity) == (SOLD, 1)


def test_parts_of_a_leg_are_one_unit_of_its_position_and_an_addition_is_another():
    found, order = entered()
    for count in (1, 2):
        told(found, order, *((symbol, count) for symbol in PRICES))
    assert set(Position.objects.values_list("units", "quantity")) == {(1, D(3)), (1, D(-3))}
    signal_of(found.account, DAYS[1], *CONDOR, group=GROUP, direction="SHORT")
    found.execute(1)
    more = Order.objects.filter(purpose="ENTRY").order_by("id").last()
    told(found, more, *((symbol, 3) for symbol in PRICES), day=2)
    assert set(Position.objects.values_list("units", "quantity")) == {(2, D(6)), (2, D(-6))}
    assert set(average_entries(list(Position.objects.all())).values()) == {1}


def test_a_leg_that_closes_more_than_is_held_is_booked_nowhere():
    found = opened()
    found.close(1, group=GROUP)
    exit_ = Order.objects.get(purpose="EXIT")
    before = CashEntry.objects.count()
    with pytest.raises(LedgerMismatch):
        told(found, exit_, (LOW, 4), day=2)
    assert (CashEntry.objects.count(), held()[LOW]) == (before, 3)


# --- without a signal


def test_a_structure_ordered_by_hand_is_a_trade_of_its_own_name_and_closes_by_it():
    found = desk()
    legs = [{"symbol": LOW, "side": "BUY", "ratio": 1}, {"symbol": SOLD, "side": "SELL", "ratio": 1}]
    by_hand = {"account": found.account, "side": Side.BUY, "order_type": OrderType.MARKET, "quantity": 2, "origin": Origin.MANUAL}
    order = order_create(purpose=Purpose.ENTRY, symbol="my spread", session=DAYS[0], legs=legs, key="in", **by_hand)
    order_send(order, found.broker)
    found.settle(1)
    positions = list(Position.objects.order_by("symbol"))
    assert [(row.group, row.strategy_id, row.open_key) for row in positions] == [
        ("my spread", None, position_key(order, symbol)) for symbol in (LOW, SOLD)
    ]
    closing = [{"symbol": LOW, "side": "SELL", "ratio": 1}, {"symbol": SOLD, "side": "BUY", "ratio": 1}]
    out = order_create(
        purpose=Purpose.EXIT, symbol="closing it", session=DAYS[1], legs=closing, key="out", position=positions[0], **by_hand
    )
    assert (out.group, out.position_id) == ("my spread", None)
    order_send(out, found.broker)
    found.settle(2)
    assert (held(), found.broker.positions("paper")) == ({}, {})


def test_the_position_of_an_order_by_hand_is_protected_at_the_order_s_own_levels_in_today_s_shares():
    found = desk()
    order = order_create(
        account=found.account, purpose=Purpose.ENTRY, symbol="AAA", side=Side.BUY, order_type=OrderType.MARKET, quantity=10,
        session=DAYS[0], stop_loss=180, take_profit=240, origin=Origin.MANUAL, key="shares",
    )  # fmt: skip
    order_send(order, found.broker)
    # A split of two for one came between.
    Order.objects.update(split_ratio=2)
    PaperOrder.objects.update(split_ratio=2)
    found.settle(1)
    position = Position.objects.get()
    assert (position.stop_price, position.target_price, position.initial_stop) == (90, 120, 90)
    protective = Order.objects.exclude(pk=order.pk)
    assert set(protective.values_list("purpose", "origin", "status")) == {("STOP", "POSITION", "ACKED"), ("TARGET", "POSITION", "ACKED")}
