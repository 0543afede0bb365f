"""Stops and targets as a desired state, and what becomes of signals through their orders."""

from decimal import Decimal

import pytest

from quant_site.core.models import Account
from signals_app.models import TradingSignal
from tests.orders_world import DAYS, FLAT, account_of, broker_of, signal_of
from trading.books.ledger import account_fund, activities_book, fills_book
from trading.books.market_day import session_trade
from trading.models import Order, OrderEvent, PaperOrder, Position
from trading.order_path import sweeper
from trading.order_path.executor import OrderExecutor
from trading.order_path.protection import positions_protect

pytestmark = pytest.mark.django_db
D = Decimal


class Desk:
    """An account whose sessions are settled and whose signals are executed."""

    def __init__(self, bars):
        self.broker = broker_of(bars)
        self.account = account_of()
        account_fund(account=self.account, amount=self.account.initial_cash, session=DAYS[0], key="initial")

    def settle(self, day):
        return session_trade(account=self.account, broker=self.broker, session=day, book=self.book)

    def book(self, activities, fills):
        activities_book(account=self.account, activities=activities)
        fills_book(account=self.account, fills=fills)

    def execute(self, day):
        signals = list(TradingSignal.objects.filter(account=self.account, session=day).order_by("pk"))
        return OrderExecutor(self.account, self.broker, day).execute_signal_batch(signals)

    def protect(self, day):
        return positions_protect(account=self.account, session=day, broker=self.broker)


def working(**where):
    rows = Order.objects.filter(status="ACKED", **where).order_by("purpose")
    return [(row.purpose, row.side, row.quantity, row.stop_price or row.limit_price) for row in rows]


@pytest.fixture
def desk():
    """Ten AAA, bought at the open of DAYS[1] with a stop at 95 and a target at 120."""
    desk = Desk({"AAA": [FLAT] * 8, "BBB": [FLAT] * 8})
    desk.settle(DAYS[0])
    signal_of(desk.account, DAYS[0], ("AAA", "LONG", 10), stop_loss=D(95), take_profit=D(120))
    desk.execute(DAYS[0])
    desk.settle(DAYS[1])
    return desk


def test_an_open_position_has_its_stop_and_target_and_a_second_look_changes_nothing(desk):
    expected = [("STOP", "SELL", 10, 95), ("TARGET", "SELL", 10, 120)]
    assert working() == expected
    events = OrderEvent.objects.count()
    assert desk.protect(DAYS[1]) == {}
    desk.settle(DAYS[1])
    desk.settle(DAYS[2])
    assert (working(), OrderEvent.objects.count()) == (expected, events)
    assert len(set(Order.objects.filter(purpose__in=["STOP", "TARGET"]).values_list("oca_group", flat=True))) == 1


def test_a_moved_stop_replaces_the_order_and_leaves_the_target(desk):
    target = Order.objects.get(purpose="TARGET")
    Position.objects.update(stop_price=D(97))
    desk.protect(DAYS[1])
    assert working() == [("STOP", "SELL", 10, 97), ("TARGET", "SELL", 10, 120)]
    assert list(Order.objects.filter(purpose="STOP").order_by("pk").values_list("status", flat=True)) == ["CANCELLED", "ACKED"]
    target.refresh_from_db()
    assert target.status == "ACKED"


def test_a_larger_position_gets_larger_orders(desk):
    signal_of(desk.account, DAYS[1], ("AAA", "LONG", 5), stop_loss=D(96), take_profit=D(120))
    desk.execute(DAYS[1])
    desk.settle(DAYS[2])
    assert working() == [("STOP", "SELL", 15, 96), ("TARGET", "SELL", 15, 120)]


def test_a_close_takes_the_stops_away_sends_one_exit_and_ends_the_signal(desk):
    signal_of(desk.account, DAYS[1], ("AAA", "CLOSE", None), direction="CLOSE")
    desk.execute(DAYS[1])
    desk.execute(DAYS[1])
    assert working() == [("EXIT", "SELL", 10, None)]
    desk.settle(DAYS[2])
    assert TradingSignal.objects.get(direction="CLOSE").signal_status == "EXECUTED"
    assert working() == []
    assert Position.objects.get().exit_session == DAYS[2]


def test_a_close_of_nothing_is_cancelled_with_its_reason(desk):
    signal_of(desk.account, DAYS[1], ("BBB", "CLOSE", None), direction="CLOSE")
    desk.execute(DAYS[1])
    signal = TradingSignal.objects.get(symbol="BBB")
    assert (signal.signal_status, signal.validation_errors[0]["code"]) == ("CANCELLED", "NOTHING_TO_CLOSE")


def test_a_halted_account_keeps_its_stops_and_gets_no_orders(desk):
    Account.objects.update(state="HALTED")
    Position.objects.update(stop_price=D(97))
    orders = Order.objects.count()
    desk.protect(DAYS[1])
    assert (Order.objects.count(), working()[0]) == (orders, ("STOP", "SELL", 10, 95))


def test_a_pair_of_which_one_leg_is_refused_sends_the_other_nowhere(desk):
    signal_of(desk.account, DAYS[1], ("BBB", "LONG", 5), ("ZZZ", "SHORT", 5), key="pairs")
    desk.execute(DAYS[1])
    signal = TradingSignal.objects.get(strategy__key="pairs")
    assert (signal.signal_status, signal.validation_errors[0]["code"]) == ("FAILED", "NOT_TRADABLE")
    assert list(signal.orders.order_by("leg").values_list("status", flat=True)) == ["CANCELLED", "DENIED"]
    desk.settle(DAYS[2])
    assert Position.objects.filter(symbol="BBB").count() == 0


def test_cancelling_a_signal_cancels_its_orders(desk):
    signal = signal_of(desk.account, DAYS[1], ("BBB", "LONG", 5))
    desk.execute(DAYS[1])
    signal.refresh_from_db()
    OrderExecutor(desk.account, desk.broker, DAYS[1]).cancel_signal(signal)
    assert (signal.signal_status, signal.orders.get().status) == ("CANCELLED", "CANCELLED")


def test_executing_twice_makes_one_order(desk):
    signal_of(desk.account, DAYS[1], ("BBB", "LONG", 5))
    for _ in range(3):
        desk.execute(DAYS[1])
    assert Order.objects.filter(symbol="BBB").count() == PaperOrder.objects.filter(symbol="BBB").count() == 1


@pytest.mark.parametrize(("is_replay", "sent"), [(False, True), (True, False)])
def test_the_sweeper_sends_what_was_left_on_live_accounts_only(desk, monkeypatch, is_replay, sent):
    Account.objects.update(is_replay=is_replay)
    signal = signal_of(desk.account, DAYS[1], ("BBB", "LONG", 5))
    OrderExecutor(desk.account, desk.broker, DAYS[1])._execute_single_signal(signal)
    monkeypatch.setattr(sweeper, "panel_load", lambda: desk.broker.panel)
    monkeypatch.setattr(sweeper, "last_completed_session", lambda at: DAYS[1])
    sweeper.sweep()
    assert Order.objects.get(symbol="BBB").status == ("ACKED" if sent else "INTENT")
    assert sweeper.sweep() == {}
