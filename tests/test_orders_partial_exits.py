"""A strategy that closes a part of a trade: one reduction at the next open, and the rest goes on with its stop and target."""

from decimal import Decimal

import pytest

from signals_app.models import SignalOutcome, TradingSignal
from tests.options_desk import option, quoted
from tests.orders_world import DAYS, FLAT, account_of, broker_of, signal_of
from trading.books.ledger import account_fund
from trading.books.settlement import session_settle
from trading.models import Order, OrderEvent, Position, TradeJournal
from trading.order_path.executor import OrderExecutor
from trading.order_path.protection import positions_protect

pytestmark = pytest.mark.django_db
D = Decimal
GAP = (90.0, 91.0, 89.0, 90.0)


class Desk:
    """Ten AAA bought at the open of DAYS[1], with a stop at 95 and a target at 120."""

    def __init__(self, bars=None):
        self.broker = broker_of({"AAA": [FLAT] * 8} | (bars or {}))
        self.account = account_of()
        account_fund(account=self.account, amount=self.account.initial_cash, session=DAYS[0], key="initial")
        self.settle(0)

    def settle(self, day):
        return session_settle(account=self.account, broker=self.broker, session=DAYS[day])

    def execute(self, day):
        signals = list(TradingSignal.objects.filter(account=self.account, session=DAYS[day]).order_by("pk"))
        return OrderExecutor(self.account, self.broker, DAYS[day]).execute_signal_batch(signals)

    def bought(self, *legs, **fields):
        signal_of(self.account, DAYS[0], *(legs or [("AAA", "LONG", 10)]), **fields)
        self.execute(0)
        self.settle(1)
        return self

    def close(self, day, portion=None, group="AAA", key="trend"):
        metadata = {} if portion is None else {"portion": portion}
        signal = signal_of(
            self.account, DAYS[day], (group, "CLOSE", None), group=group, direction="CLOSE", key=key, signal_metadata=metadata
        )
        self.execute(day)
        signal.refresh_from_db()
        return signal


def desk(bars=None):
    return Desk(bars).bought(stop_loss=D(95), take_profit=D(120))


def working():
    rows = Order.objects.filter(status="ACKED").order_by("purpose")
    return [(row.purpose, row.side, row.quantity, row.stop_price or row.limit_price) for row in rows]


def test_a_part_is_sold_at_the_next_open_and_the_stop_and_target_follow():
    account = desk()
    signal = account.close(1, 0.35)
    assert working() == [("REDUCE", "SELL", 3, None), ("STOP", "SELL", 10, 95), ("TARGET", "SELL", 10, 120)]
    account.settle(2)
    signal.refresh_from_db()
    position = Position.objects.get()
    assert (signal.signal_status, position.quantity, position.exit_session, position.peak_quantity) == ("EXECUTED", 7, None, 10)
    assert working() == [("STOP", "SELL", 7, 95), ("TARGET", "SELL", 7, 120)]
    assert not SignalOutcome.objects.exists()
    assert not TradeJournal.objects.exists()


def test_executing_and_settling_again_changes_nothing():
    account = desk()
    account.close(1, 0.35)
    account.execute(1)
    account.settle(2)
    events = OrderEvent.objects.count()
    account.execute(1), account.settle(2)
    assert positions_protect(account=account.account, session=DAYS[2], broker=account.broker) == {}
    assert (OrderEvent.objects.count(), Order.objects.filter(purpose="REDUCE").count()) == (events, 1)


def test_a_later_close_ends_the_rest_and_only_then_there_is_an_outcome():
    account = desk()
    account.close(1, 0.5)
    account.settle(2)
    account.close(2)
    account.settle(3)
    position = Position.objects.get()
    assert (position.exit_session, position.exit_reason, position.quantity) == (DAYS[3], "EXIT", 0)
    assert SignalOutcome.objects.get().realized_pnl == 0
    assert (TradeJournal.objects.get().quantity, TradeJournal.objects.get().exit_price) == (10, 100)
    assert working() == []


def test_a_part_of_less_than_a_share_sells_nothing_and_says_so():
    account = desk()
    signal = account.close(1, 0.09)
    assert (signal.signal_status, signal.validation_errors[0]["code"]) == ("CANCELLED", "NOTHING_TO_CLOSE")
    assert signal.validation_errors[0]["message"] == "A share of 0.09 of the trade is less than one unit."
    assert not Order.objects.filter(purpose="REDUCE").exists()


def test_a_reduction_that_found_no_market_is_not_tried_again():
    account = desk({"AAA": [FLAT, FLAT, None, *[FLAT] * 5]})
    signal = account.close(1, 0.5)
    account.settle(2)
    signal.refresh_from_db()
    assert signal.signal_status == "EXPIRED"
    account.settle(3)
    assert (Position.objects.get().quantity, Order.objects.filter(purpose="REDUCE").count()) == (10, 1)
    assert [row[0] for row in working()] == ["STOP", "TARGET"]


def test_a_stop_that_the_market_gapped_through_comes_first_and_leaves_nothing_to_reduce():
    account = desk({"AAA": [FLAT, FLAT, GAP, *[FLAT] * 5]})
    account.close(1, 0.5)
    account.settle(2)
    position = Position.objects.get()
    assert (position.exit_reason, position.quantity) == ("STOP", 0)
    reduction = Order.objects.get(purpose="REDUCE")
    assert (reduction.status, reduction.status_reason) == ("CANCELLED", "OCA")
    assert account.broker.positions("paper") == {}


def test_a_whole_close_takes_a_reduction_that_waits_out_of_the_way():
    account = desk()
    account.close(1, 0.5)
    signal_of(account.account, DAYS[1], ("AAA", "CLOSE", None), direction="CLOSE")
    account.execute(1)
    assert working() == [("EXIT", "SELL", 10, None)]
    account.settle(2)
    assert Position.objects.get().exit_reason == "EXIT"


def test_a_trade_that_is_being_closed_is_not_reduced_besides():
    account = desk()
    account.close(1)
    assert account.close(1, 0.5).validation_errors[0]["message"] == "The trade is being closed already."


def test_a_short_position_is_reduced_by_buying():
    account = Desk().bought(("AAA", "SHORT", 10), direction="SHORT")
    account.close(1, 0.25)
    account.settle(2)
    assert (Position.objects.get().quantity, Order.objects.get(purpose="REDUCE").side) == (-8, "BUY")


def test_a_structure_is_reduced_in_whole_units_of_all_its_legs():
    low, sold = option("P", 90), option("P", 95)
    account = Desk({"SPY": [FLAT] * 8})
    quoted(account.broker.panel, {low: (0.3, 0.4), sold: (0.9, 1.0)})
    account.bought((low, "LONG", 5), (sold, "SHORT", 5), group="SPY/spread", direction="SHORT")
    account.close(1, 0.5, group="SPY/spread")
    account.settle(2)
    assert dict(Position.objects.values_list("symbol", "quantity")) == {low: 3, sold: -3}
    assert account.broker.positions("paper") == {low: 3, sold: -3}
