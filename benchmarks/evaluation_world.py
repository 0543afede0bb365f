"""What `benchmarks.evaluation` judges: an account of twelve strategies with a long history. Imported once Django stands.

The history is written in bulk and to the cent as the ledger would have; its last session is booked by the ledger itself.
"""

import time
from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
from django.db import transaction

from analytics.judging.attribution import attribution_record
from analytics.judging.missed import missed_record
from analytics.models import Attribution, DailyPerformance, ExtremeSignal, Finding, MissedOutcome
from analytics.performance import PerformanceAnalyzer, is_week_end
from quant_site.core.services import account_create
from quant_site.core.types import decimal, ratio
from quant_site.market.panel import Panel
from quant_site.market.sessions import session_distance, sessions_between
from signals_app.models import SignalOutcome, TradingSignal
from strategies.models import Strategy
from trading.books.checks import FIRST_DAY, FULL_CHECK_EVERY, books_check
from trading.books.equity import INDEX, equity_snapshot, session_return
from trading.books.ledger import fills_book, positions_mark
from trading.models import CashEntry, EquitySnapshot, Fill, Order, Position

STRATEGIES, SYMBOLS, CASH = 12, 100, 1_000_000
REJECTED = 0.2
LONGEST_HELD, FEE = 40, 100  # sessions, cents
BULK, DUE = 2000, 5


def cents(value: int) -> Decimal:
    return Decimal(int(value)).scaleb(-2)


class Trades:
    """Trades as arrays of whole numbers, prices and amounts in cents: in at an open, out at one, or not out yet."""

    def __init__(self, rng: np.random.Generator, n: int, opens: np.ndarray, closes: np.ndarray):
        sessions = opens.shape[1]
        self.n, self.strategy, self.symbol = n, rng.integers(0, STRATEGIES, n), rng.integers(0, SYMBOLS, n)
        self.entry = np.sort(rng.integers(1, sessions - 1, n))
        self.exit = self.entry + rng.integers(1, LONGEST_HELD + 1, n)
        self.shares = rng.integers(5, 25, n)
        self.decided, self.paid = closes[self.symbol, self.entry - 1], opens[self.symbol, self.entry] + 1
        self.last = np.minimum(self.exit, sessions - 1)
        self.got = opens[self.symbol, self.last] - 1
        self.cost, self.proceeds = self.shares * self.paid + FEE, self.shares * self.got - FEE


class History:
    def __init__(self, sessions: int, signals: int):
        rng, self.rng = np.random.default_rng(1), np.random.default_rng(2)
        self.days = _days(sessions + 1)
        self.before, self.last = len(self.days) - 2, len(self.days) - 1
        steps = rng.normal(0.0002, 0.015, (SYMBOLS, len(self.days)))
        self.closes = np.round(100 * np.exp(np.cumsum(steps, axis=1)) * 100).astype(int)
        self.opens = np.round(self.closes * (1 + rng.normal(0, 0.004, self.closes.shape))).astype(int)
        self.symbols = tuple(f"S{number:03d}" for number in range(SYMBOLS))
        self.keys = [f"strategy_{number:02d}" for number in range(STRATEGIES)]
        self.panel = self._panel()
        self.rejected = int(REJECTED * signals)
        self.trades = Trades(rng, signals - self.rejected, self.opens[:, : self.last], self.closes[:, : self.last])
        self.open = self.trades.exit > self.before

    def _panel(self) -> Panel:
        opened, close = self.opens / 100, self.closes / 100
        high, low = np.maximum(opened, close), np.minimum(opened, close)
        days = np.array(self.days, dtype="datetime64[D]")
        return Panel(self.symbols, days, opened, high, low, close, np.full(close.shape, 1e6), np.ones(close.shape))

    @property
    def session(self) -> date:
        return self.days[self.last]

    # --- writing

    @transaction.atomic
    def write(self) -> None:
        self.account = account_create(id="bench", initial_cash=Decimal(CASH), is_replay=True)
        self.strategies = [Strategy.objects.create(key=key, name=key, category="TREND_FOLLOWING") for key in self.keys]
        self.signals = self._write_signals()
        self._write_trades()
        self._write_curve()
        before = self.days[self.before]
        equity_snapshot(account=self.account, session=before, panel=self.panel)
        for day in self.days[: self.before + 1]:
            missed_record(self.account, day, self.panel)
        PerformanceAnalyzer(self.account).evaluate_daily_performance(before)
        attribution_record(self.account, before, self.panel)
        self._trade_last_session()

    def _write_signals(self) -> list[TradingSignal]:
        trades, rng = self.trades, self.rng
        rows = [
            self._signal(trades.strategy[i], trades.symbol[i], trades.entry[i] - 1, trades.shares[i], "EXECUTED") for i in range(trades.n)
        ]
        columns = (rng.integers(0, top, self.rejected) for top in (STRATEGIES, SYMBOLS, self.before))
        rows += [self._signal(*each, 10, "REJECTED") for each in zip(*columns, strict=True)]
        TradingSignal.objects.bulk_create(rows, BULK)
        return rows

    def _signal(self, strategy, symbol, t, shares, status) -> TradingSignal:
        close = int(self.closes[symbol, t])
        legs = [{"symbol": self.symbols[symbol], "direction": "LONG", "ratio": 1.0, "quantity": int(shares)}]
        errors = [{"code": "CASH", "message": "", "limit": None, "value": None}] if status == "REJECTED" else []
        return TradingSignal(
            account=self.account, strategy=self.strategies[strategy], session=self.days[t], symbol=self.symbols[symbol], direction="LONG",
            legs=legs, entry_price=cents(close), stop_loss=cents(close * 95 // 100), take_profit=cents(close * 110 // 100),
            position_size=int(shares), signal_status=status, validation_errors=errors,
        )  # fmt: skip

    def _write_trades(self) -> None:
        trades, closed = self.trades, ~self.open
        positions = [self._position(i) for i in range(trades.n)]
        Position.objects.bulk_create(positions, BULK)
        entries = [self._order(i, positions[i], "ENTRY", int(trades.entry[i])) for i in range(trades.n)]
        exits = [self._order(i, positions[i], "EXIT", int(trades.exit[i])) for i in np.flatnonzero(closed)]
        Order.objects.bulk_create(entries + exits, BULK)
        fills = [self._fill(order) for order in entries + exits]
        Fill.objects.bulk_create(fills, BULK)
        cash = [CashEntry(account=self.account, key="fund:initial", session=self.days[0], kind="DEPOSIT", amount=Decimal(CASH))]
        for fill in fills:
            own = {"account": self.account, "session": fill.session, "symbol": fill.symbol}
            flow = -fill.amount if fill.side == "BUY" else fill.amount
            cash.append(CashEntry(key=f"fill:{fill.fill_id}", kind="TRADE", amount=flow, **own))
            cash.append(CashEntry(key=f"fee:{fill.fill_id}", kind="COMMISSION", amount=-fill.commission, **own))
        CashEntry.objects.bulk_create(cash, BULK)
        SignalOutcome.objects.bulk_create([self._outcome(i, positions[i]) for i in np.flatnonzero(closed)], BULK)

    def _position(self, i: int) -> Position:
        trades, is_open = self.trades, bool(self.open[i])
        shares, symbol, paid = int(trades.shares[i]), self.symbols[trades.symbol[i]], cents(trades.paid[i])
        made = cents(trades.proceeds[i] - trades.cost[i])
        mark = int(self.closes[trades.symbol[i], self.before])
        value, cost = cents(shares * mark), cents(trades.cost[i])
        stop = cents(trades.decided[i] * 95 // 100)
        state = (
            {"quantity": shares, "cost": cost, "market_value": value, "unrealized_pnl": value - cost, "mark_price": cents(mark),
             "mark_session": self.days[self.before], "open_key": f"bench:{i}"}
            if is_open
            else {"quantity": 0, "cost": 0, "realized_pnl": made, "exit_session": self.days[trades.exit[i]],
                  "exit_price": cents(trades.got[i]), "exit_reason": "EXIT" if i % 3 else "STOP"}
        )  # fmt: skip
        return Position(
            account=self.account, strategy=self.strategies[trades.strategy[i]], signal=self.signals[i], group=symbol, symbol=symbol,
            direction="LONG", commission=cents(FEE), entry_session=self.days[trades.entry[i]], entry_price=paid, last_entry_price=paid,
            entry_quantity=shares, peak_quantity=shares, entry_cost=cost, initial_stop=stop, stop_price=stop,
            initial_risk=max(shares * (paid - stop), cents(1)), best_pnl=max(made, Decimal(0)), worst_pnl=min(made, Decimal(0)), **state,
        )  # fmt: skip

    def _order(self, i: int, position: Position, purpose: str, t: int) -> Order:
        """The order that trades in session t."""
        entering, trades = purpose == "ENTRY", self.trades
        order = Order(
            account=self.account, signal=self.signals[i], position=position, client_order_id=f"{i}-{purpose}", purpose=purpose,
            mode="DRY_RUN", session=self.days[t - 1], symbol=position.symbol, side="BUY" if entering else "SELL", order_type="MKT",
            quantity=int(trades.shares[i]), filled_quantity=int(trades.shares[i]), status="FILLED",
            decision_price=cents(self.closes[trades.symbol[i], t - 1]),
        )  # fmt: skip
        order.trades_at, order.price = t, self.opens[trades.symbol[i], t] + (1 if entering else -1)
        return order

    def _fill(self, order: Order) -> Fill:
        day, price, sign = self.days[order.trades_at], cents(order.price), 1 if order.side == "BUY" else -1
        return Fill(
            account=self.account, order=order, fill_id=order.client_order_id, session=day, symbol=order.symbol, side=order.side,
            quantity=order.quantity, price=price, amount=order.quantity * price, commission=cents(FEE),
            slippage=sign * order.quantity * (price - order.decision_price),
            filled_at=datetime(day.year, day.month, day.day, 15, tzinfo=UTC),
        )  # fmt: skip

    def _outcome(self, i: int, position: Position) -> SignalOutcome:
        made = position.realized_pnl
        return SignalOutcome(
            signal=self.signals[i], closed_session=position.exit_session, holding_sessions=int(self.trades.exit[i] - self.trades.entry[i]),
            realized_pnl=made, return_pct=ratio(made / position.entry_cost), r_multiple=ratio(made / position.initial_risk),
        )  # fmt: skip

    def _write_curve(self) -> None:
        """Snapshots and strategies' returns of every session before the last two."""
        trades, sessions = self.trades, self.before + 1
        cash, value, closed = np.zeros(sessions, int), np.zeros(sessions, int), np.zeros(sessions, int)
        made, held = np.zeros((STRATEGIES, sessions), int), np.zeros(sessions, int)
        for i in range(trades.n):
            entry, end = trades.entry[i], min(trades.exit[i], sessions)
            worth = trades.shares[i] * self.closes[trades.symbol[i], entry:end]
            cash[entry] -= trades.cost[i]
            value[entry:end] += worth
            held[entry:end] += 1
            made[trades.strategy[i], entry:end] += np.diff(worth, prepend=trades.cost[i])
            if end < sessions:
                cash[end] += trades.proceeds[i]
                closed[end] += trades.proceeds[i] - trades.cost[i]
                made[trades.strategy[i], end] += trades.proceeds[i] - worth[-1]
        balance = CASH * 100 + np.cumsum(cash)
        self._write_snapshots(balance, value, np.cumsum(closed), held)
        equity = balance + value
        DailyPerformance.objects.bulk_create(
            [
                DailyPerformance(
                    account=self.account, strategy=self.strategies[s], scope=self.keys[s], session=self.days[t], pnl=cents(made[s, t]),
                    cumulative_pnl=0, daily_return=ratio(made[s, t] / equity[t - 1]),
                )
                for s in range(STRATEGIES)
                for t in range(1, self.before)
            ],
            BULK,
        )  # fmt: skip

    def _write_snapshots(self, balance: np.ndarray, value: np.ndarray, closed: np.ndarray, held: np.ndarray) -> None:
        rows, unit, peak, deepest, before = [], Decimal(1), Decimal(1), Decimal(0), Decimal(0)
        for t in range(self.before):
            cash, worth, gained = (cents(array[t]) for array in (balance, value, closed))
            flow = Decimal(CASH) if t == 0 else Decimal(0)
            change = session_return(before, cash + worth, flow)
            unit = decimal(unit * (1 + change), INDEX, "The unit")
            peak = max(peak, unit)
            deepest = min(deepest, ratio(unit / peak - 1))
            before = cash + worth
            rows.append(
                EquitySnapshot(
                    account=self.account, snapshot_date=self.days[t], total_equity=before, cash=cash, market_value=worth,
                    gross_exposure=worth, realized_pnl=gained, closed_pnl=gained, unrealized_pnl=before - CASH - gained, net_flow=flow,
                    daily_return=ratio(change), cumulative_return=ratio(unit - 1), unit_value=unit, peak_unit_value=peak,
                    drawdown_pct=ratio(unit / peak - 1), max_drawdown_pct=deepest, open_positions=int(held[t]),
                    benchmark_return=ratio(float(self.closes[0, t] / self.closes[0, max(t - 1, 0)] - 1)), benchmark_symbol=self.symbols[0],
                )
            )  # fmt: skip
        EquitySnapshot.objects.bulk_create(rows, BULK)

    def _trade_last_session(self) -> None:
        """What is due first is closed and booked by the ledger, the rest is marked."""
        waiting = np.flatnonzero(self.open)
        due = waiting[np.argsort(self.trades.exit[waiting], kind="stable")][:DUE]
        found = {p.signal_id: p for p in Position.objects.filter(signal__in=[self.signals[i] for i in due])}
        orders = [self._order(i, found[self.signals[i].pk], "EXIT", self.last) for i in due]
        Order.objects.bulk_create(orders)
        fills = [self._fill(order) for order in orders]
        Fill.objects.bulk_create(fills)
        fills_book(account=self.account, fills=list(Fill.objects.filter(session=self.session)))
        positions_mark(account=self.account, session=self.session, panel=self.panel)
        equity_snapshot(account=self.account, session=self.session, panel=self.panel)

    # --- judging

    def judged(self) -> dict[str, float]:
        """Seconds of each step for the last session, judged as for the first time."""
        for model in (DailyPerformance, ExtremeSignal, Finding, MissedOutcome, Attribution):
            model.objects.filter(account=self.account, session=self.session).delete()
        analyzer, times = PerformanceAnalyzer(self.account), {}
        steps = {
            "evaluation": lambda: analyzer.evaluate_daily_performance(self.session),
            "missed": lambda: missed_record(self.account, self.session, self.panel),
            "attribution": lambda: attribution_record(self.account, self.session, self.panel),
            "findings": lambda: analyzer.identify_improvement_opportunities(self.session),
        }
        for name, step in steps.items():
            began = time.perf_counter()
            with transaction.atomic():
                step()
            times[name] = time.perf_counter() - began
        return times

    def check(self) -> dict:
        """The full check of the books, which the evaluation of this session contains."""
        return books_check(account=self.account, session=self.session, full=True)


def _days(n: int) -> list[date]:
    """`n` sessions up to one that is the last of its week and has a full check of the books."""
    days = sessions_between(date(2005, 1, 3), date(2024, 12, 31))
    full = (t for t in range(n, len(days)) if session_distance(FIRST_DAY, days[t]) % FULL_CHECK_EVERY == 0)
    last = next(t for t in full if is_week_end(days[t]))
    return days[last - n + 1 : last + 1]
