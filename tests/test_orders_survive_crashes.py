"""Die at every database statement of five sessions, resume, and end with the same rows as if nothing had happened."""

import random
from collections.abc import Iterable
from decimal import Decimal
from itertools import pairwise

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from quant_site.core import clock
from quant_site.core.types import money
from quant_site.market.sessions import session_close
from signals_app.models import TradingSignal
from tests.orders_world import DAYS, FLAT, account_of, broker_of, signal_of
from trading.books.ledger import account_fund, activities_book, fills_book
from trading.books.market_day import session_trade
from trading.models import CashEntry, Fill, Order, PaperFill, PaperHolding, PaperOrder, Position
from trading.order_path.executor import OrderExecutor

pytestmark = pytest.mark.django_db
D = Decimal

UP, DOWN = (104.0, 112.0, 103.0, 111.0), (96.0, 97.0, 88.0, 90.0)
BARS = {
    "AAA": [FLAT, FLAT, DOWN, FLAT, FLAT],  # stopped out on the third day
    "BBB": [FLAT, FLAT, FLAT, FLAT, FLAT],  # leg of a pair whose other leg does not trade
    "CCC": [FLAT, None, FLAT, FLAT, FLAT],
    "DDD": [FLAT, FLAT, UP, FLAT, FLAT],  # reaches its target
    "EEE": [FLAT, FLAT, FLAT, None, FLAT],  # closed by its strategy; the exit waits a day for a bar
}


class Died(BaseException):
    """A kill -9."""


class Loop:
    """The two stages that touch orders, session by session, and the record of what is done."""

    def __init__(self, broker):
        self.broker, self.done = broker, set()
        self.account = account_of()

    def run(self) -> None:
        for day in DAYS[:5]:
            with clock.use(clock.VirtualClock(session_close(day))):
                self.stage(("settle", day), lambda day=day: self.settle(day))
                self.stage(("orders", day), lambda day=day: self.orders(day))

    def stage(self, name, work) -> None:
        if name not in self.done:
            work()
            self.done.add(name)

    def settle(self, day) -> None:
        session_trade(account=self.account, broker=self.broker, session=day, book=self.book)

    def book(self, activities, fills) -> None:
        activities_book(account=self.account, activities=activities)
        fills_book(account=self.account, fills=fills)

    def orders(self, day) -> None:
        signals = list(TradingSignal.objects.filter(account=self.account, session=day).order_by("pk"))
        OrderExecutor(self.account, self.broker, day).execute_signal_batch(signals)

    def signals(self) -> None:
        """What the strategies will say, written beforehand."""
        signal_of(self.account, DAYS[0], ("AAA", "LONG", 50), stop_loss=D(95), take_profit=D(120))
        signal_of(self.account, DAYS[0], ("BBB", "LONG", 20), ("CCC", "SHORT", 20), direction="LONG", key="pairs")
        signal_of(self.account, DAYS[0], ("DDD", "SHORT", 30), direction="SHORT", stop_loss=D(115), take_profit=D(90))
        signal_of(self.account, DAYS[0], ("EEE", "LONG", 10), stop_loss=D(80))
        signal_of(self.account, DAYS[0], ("ZZZ", "LONG", 10))
        signal_of(self.account, DAYS[1], ("DDD", "LONG", 5), stop_loss=D(70), take_profit=D(108), key="other")
        signal_of(self.account, DAYS[2], ("EEE", "CLOSE", None), direction="CLOSE")
        signal_of(self.account, DAYS[3], ("AAA", "LONG", 7), stop_loss=D(95))


def prepared() -> Loop:
    loop = Loop(broker_of(BARS))
    account_fund(account=loop.account, amount=loop.account.initial_cash, session=DAYS[0], key="initial")
    loop.signals()
    return loop


def rows() -> dict:
    """Everything that counts, without the numbers of rows; the trail of events tells of crashes and is left out."""
    tables = {
        Order: (
            "client_order_id", "status", "status_reason", "symbol", "side", "order_type", "quantity", "stop_price", "limit_price",
            "decision_price", "filled_quantity", "average_fill_price", "commission", "purpose", "session", "created_at", "updated_at",
            "legs",
        ),
        Fill: (
            "fill_id", "session", "symbol", "side", "quantity", "price", "amount", "commission", "slippage", "filled_at",
            "order__client_order_id", "position__symbol",
        ),
        Position: ("symbol", "group", "quantity", "cost", "realized_pnl", "stop_price", "target_price", "exit_session", "exit_reason"),
        CashEntry: ("key", "session", "kind", "amount"),
        TradingSignal: ("session", "symbol", "direction", "signal_status", "validation_errors", "executed_at"),
        PaperOrder: ("client_order_id", "status", "reason", "session", "filled_quantity", "average_fill_price"),
        PaperFill: ("fill_id", "session", "price", "quantity", "commission"),
        PaperHolding: ("symbol", "quantity"),
    }  # fmt: skip
    return {model.__name__: sorted(map(repr, model.objects.values_list(*names))) for model, names in tables.items()}


def crashing(loop: Loop, at: int) -> bool:
    """Run until the statement number `at`, and die there; False when the loop ends before."""
    seen = 0

    def die(execute, sql, params, many, context):
        nonlocal seen
        seen += 1
        if seen == at:
            raise Died
        return execute(sql, params, many, context)

    try:
        with connection.execute_wrapper(die):
            loop.run()
    except Died:
        return True
    return False


def check_invariants(broker) -> None:
    for order in Order.objects.all():
        trail = list(order.events.order_by("sequence").values_list("sequence", "from_status", "to_status"))
        assert [step[0] for step in trail] == list(range(1, order.version + 1))
        assert all(before[2] == after[1] for before, after in pairwise(trail))
        assert trail[-1][2] == order.status
    assert {row.client_order_id for row in PaperOrder.objects.all()} <= {row.client_order_id for row in Order.objects.all()}
    held = {}
    for symbol, quantity in Position.objects.filter(exit_session=None).values_list("symbol", "quantity"):
        held[symbol] = held.get(symbol, 0) + quantity
    assert held == broker.positions("paper")
    assert money(sum(CashEntry.objects.values_list("amount", flat=True))) == broker.cash("paper")


def test_the_scenario_does_what_it_says():
    loop = prepared()
    loop.run()
    check_invariants(loop.broker)
    signals = {f"{row.session.day} {row.direction} {row.symbol}": row.signal_status for row in TradingSignal.objects.all()}
    assert signals == {
        "2 LONG AAA": "EXECUTED",
        "2 LONG BBB/CCC": "FAILED",
        "2 SHORT DDD": "EXECUTED",
        "2 LONG EEE": "EXECUTED",
        "2 LONG ZZZ": "FAILED",
        "3 LONG DDD": "FAILED",
        "4 CLOSE EEE": "EXPIRED",
        "7 LONG AAA": "EXECUTED",
    }
    exits = {row.symbol: (row.exit_session, row.exit_reason) for row in Position.objects.exclude(exit_session=None)}
    assert exits == {"AAA": (DAYS[2], "STOP"), "BBB": (DAYS[2], "EXIT"), "EEE": (DAYS[4], "EXIT")}
    assert PaperOrder.objects.filter(order_type="STP", status="WORKING").count() == 2


def undisturbed(loop: Loop) -> tuple[dict, int]:
    """The rows of a run without deaths, and its number of statements; everything is taken back."""
    before = transaction.savepoint()
    with CaptureQueriesContext(connection) as statements:
        loop.run()
    expected = rows()
    transaction.savepoint_rollback(before)
    return expected, len(statements)


def dies_and_ends_the_same(loop: Loop, expected: dict, deaths: Iterable[int]) -> int:
    """Die after so many statements, each time counted from the resumption; then run to the end. Answers how often it died."""
    before = transaction.savepoint()
    loop.done, count = set(), 0
    for at in deaths:
        if not crashing(loop, at):
            break
        count += 1
    loop.run()
    assert rows() == expected, f"died {count} times"
    check_invariants(loop.broker)
    transaction.savepoint_rollback(before)
    return count


@pytest.mark.parametrize("seed", range(2))
def test_dying_again_and_again_and_resuming_changes_nothing(seed):
    loop = prepared()
    expected, _ = undisturbed(loop)
    chance = random.Random(seed)
    assert dies_and_ends_the_same(loop, expected, [chance.randint(1, 120) for _ in range(20)]) >= 8


@pytest.mark.slow
def test_dying_at_each_single_statement_and_resuming_changes_nothing():
    loop = prepared()
    expected, statements = undisturbed(loop)
    for at in range(1, statements + 1):
        dies_and_ends_the_same(loop, expected, [at])
