"""How a session went, per strategy and for the whole account: from the facts of trading to rows of `DailyPerformance`.

P&L of a strategy in a session is the change of Σ(realised + dividends + unrealised) over its positions. Over the
strategies it adds up to the account's equity change less flows, to the cent, or the evaluation raises. Each row carries
the running totals of its scope, so that a session costs the positions that are open and those closed since, however
long the history is.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from analytics.judging.tally import ExposureTally, ReturnTally, TradeTally
from analytics.models import DailyPerformance
from analytics.stats import Metric, Undefined, undefined
from quant_site.core.errors import Conflict, DataMissing, LedgerMismatch
from quant_site.core.models import Account
from quant_site.core.rows import rows_read
from quant_site.core.types import money, ratio, score
from quant_site.market.sessions import session_distance
from signals_app.models import TradingSignal
from signals_app.states import SignalStatus
from strategies.models import Strategy
from trading.models import EquitySnapshot, Position

WHOLE_ACCOUNT = "ALL"
UNASSIGNED = "UNASSIGNED"
ZERO = Decimal("0.00")
LARGEST_SCORE = 10**6
BEGINNING = date(1900, 1, 1)


class Held(NamedTuple):
    """What a position says at the close, read as one tuple because a session reads them all."""

    id: int
    strategy_id: int | None
    signal_id: int | None
    group: str
    symbol: str
    entry_session: date
    exit_session: date | None
    realized_pnl: Decimal
    dividends: Decimal
    unrealized_pnl: Decimal
    market_value: Decimal
    entry_cost: Decimal

    @property
    def result(self) -> Decimal:
        return self.realized_pnl + self.dividends


class Snapshot(NamedTuple):
    snapshot_date: date
    total_equity: Decimal
    gross_exposure: Decimal
    net_flow: Decimal
    daily_return: Decimal | None
    max_drawdown_pct: Decimal | None


@dataclass(frozen=True)
class Trade:
    """A closed trade: all legs that one signal opened. `result` is net of commissions and includes dividends, `cost` is
    what the entries of its legs cost, without sign.
    """

    strategy_id: int | None
    signal_id: int | None
    symbol: str
    result: Decimal
    cost: Decimal
    sessions: int


@dataclass(frozen=True)
class Totals:
    """What a scope carries from one session to the next. `closed` is the P&L of its closed positions."""

    cumulative: Decimal = ZERO
    closed: Decimal = ZERO
    trades: TradeTally = field(default_factory=TradeTally)
    returns: ReturnTally = field(default_factory=ReturnTally)
    exposure: ExposureTally = field(default_factory=ExposureTally)
    signals: int = 0

    def dump(self) -> dict:
        parts = {name: getattr(self, name).dump() for name in ("trades", "returns", "exposure")}
        return {"closed": str(self.closed), "signals": self.signals, **parts}

    @classmethod
    def load(cls, cumulative: Decimal, state: dict) -> "Totals":
        tallies = TradeTally.load(state["trades"]), ReturnTally.load(state["returns"]), ExposureTally.load(state["exposure"])
        return cls(cumulative, Decimal(state["closed"]), *tallies, state["signals"])


class Evaluation:
    """The judgement of one session. `rows` are unsaved, the whole account first; `trades` are those closed since the last.

    Raises `DataMissing` without a snapshot of the session, `Conflict` when later sessions have been closed (the
    positions have moved on), `LedgerMismatch` when the parts do not add up to the account.
    """

    def __init__(self, account: Account, session: date):
        self.account, self.session = account, session
        self.keys = dict(rows_read(Strategy, ("id", "key"), "1 = 1"))
        self.since, self.carried = totals_before(account, session)
        self.opening, self.snapshots = snapshots_between(account, self.since, session)
        self.closing = self.snapshots[-1]
        self.positions, self.cumulative, self.closed = self._add_up()
        self.trades = sorted(closed_trades(account, self.positions), key=lambda trade: (trade.symbol, self.scope(trade.strategy_id)))
        self.signals = self._count_signals()
        self.rows = self._rows()

    def scope(self, strategy_id: int | None) -> str:
        return UNASSIGNED if strategy_id is None else self.keys[strategy_id]

    # --- P&L

    def _add_up(self) -> tuple[list[Held], dict[str, Decimal], dict[str, Decimal]]:
        """Positions, P&L since the start and P&L of closed positions by scope.

        The totals carried from the session before save reading all closed positions. Should one of those have changed
        after all (a late dividend), the sum does not tie and everything is read once.
        """
        before = sum((totals.cumulative for scope, totals in self.carried.items() if scope != WHOLE_ACCOUNT), ZERO)
        expected = before + self.closing.total_equity - self._opening_equity - self._flows
        for since in dict.fromkeys([self.since, None]):
            positions = positions_since(self.account, since)
            closed = {scope: totals.closed for scope, totals in self.carried.items()} if since else {}
            cumulative, closed = self._sums(positions, closed)
            total = sum(cumulative.values(), ZERO)
            if total == expected:
                recent = [held for held in positions if self.since is None or held.exit_session is None or held.exit_session > self.since]
                return recent, cumulative, closed
        raise LedgerMismatch(
            "performance_mismatch",
            f"The strategies of {self.account.pk} made {total} up to {self.session}, the account made {expected}.",
            strategies={scope: str(amount) for scope, amount in sorted(cumulative.items())},
            account=str(expected),
        )

    def _sums(self, positions: Iterable[Held], closed: dict[str, Decimal]) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
        ended = defaultdict(lambda: ZERO, {scope: amount for scope, amount in closed.items() if scope != WHOLE_ACCOUNT})
        running: dict[str, Decimal] = defaultdict(lambda: ZERO)
        for held in positions:
            sums = running if held.exit_session is None else ended
            sums[self.scope(held.strategy_id)] += held.result + held.unrealized_pnl
        return {scope: ended[scope] + running[scope] for scope in sorted({*ended, *running})}, dict(ended)

    @property
    def _opening_equity(self) -> Decimal:
        return self.opening.total_equity if self.opening else ZERO

    @property
    def _flows(self) -> Decimal:
        return sum((snapshot.net_flow for snapshot in self.snapshots), ZERO)

    @property
    def _capital(self) -> Decimal:
        """What returns are measured on, as those of the equity curve: a flow counts at the start of its session."""
        return self._opening_equity + self._flows

    # --- Signals

    def _count_signals(self) -> dict[str, Counter]:
        """Per scope: signals since the last evaluation, those of this session, and the rejected ones of this session."""
        where = "account_id = %s AND session > %s AND session <= %s"
        rows = rows_read(
            TradingSignal, ("strategy_id", "session", "signal_status"), where, self.account.pk, self.since or BEGINNING, self.session
        )
        counts: dict[str, Counter] = defaultdict(Counter)
        for strategy_id, session, status in rows:
            for scope in (WHOLE_ACCOUNT, self.keys[strategy_id]):
                counts[scope]["new"] += 1
                counts[scope]["today"] += session == self.session
                counts[scope]["rejected"] += session == self.session and status == SignalStatus.REJECTED
        return counts

    # --- Rows

    def _rows(self) -> list[DailyPerformance]:
        strategies = {key: pk for pk, key in self.keys.items()}
        active = {*self.cumulative, *self.signals, *self.carried} - {WHOLE_ACCOUNT}
        by_scope: dict[str, list[Held]] = defaultdict(list)
        for held in self.positions:
            by_scope[self.scope(held.strategy_id)].append(held)
        return [self._account_row()] + [self._scope_row(scope, strategies.get(scope), by_scope[scope]) for scope in sorted(active)]

    def _account_row(self) -> DailyPerformance:
        before = self.carried.get(WHOLE_ACCOUNT, Totals())
        returns, exposure = before.returns, before.exposure
        for snapshot in self.snapshots:
            exposure = exposure.plus(snapshot.gross_exposure, snapshot.total_equity)
            if snapshot.daily_return is not None:
                returns = returns.plus(snapshot.daily_return)
        cumulative = sum(self.cumulative.values(), ZERO)
        totals = self._totals(before, WHOLE_ACCOUNT, cumulative, self.trades, returns, exposure)
        change = self.closing.daily_return
        row = self._row(WHOLE_ACCOUNT, None, before, totals, change, None if change is not None else Undefined.NO_EQUITY)
        # The account's own curve is exact where the running value is rounded: one number, wherever it is shown.
        row.max_drawdown_pct = self.closing.max_drawdown_pct
        return row

    def _scope_row(self, scope: str, strategy_id: int | None, positions: list[Held]) -> DailyPerformance:
        before = self.carried.get(scope, Totals())
        cumulative = self.cumulative.get(scope, ZERO)
        change, reason = None, Undefined.NO_EQUITY
        returns = before.returns
        if self._capital > 0:
            change, reason = (cumulative - before.cumulative) / self._capital, None
            if len(self.snapshots) > 1:
                returns, change, reason = returns.compounded(change), None, Undefined.GAP
            else:
                returns = returns.plus(change)
        gross = sum((abs(held.market_value) for held in positions if held.exit_session is None), ZERO)
        exposure = before.exposure.plus(gross, self.closing.total_equity)
        trades = [trade for trade in self.trades if self.scope(trade.strategy_id) == scope]
        totals = self._totals(before, scope, cumulative, trades, returns, exposure)
        return self._row(scope, strategy_id, before, totals, change, reason)

    def _totals(self, before: Totals, scope: str, cumulative: Decimal, trades: list[Trade], returns, exposure) -> Totals:
        tally = before.trades
        for trade in trades:
            tally = tally.plus(trade.result, trade.sessions)
        closed = sum(self.closed.values(), ZERO) if scope == WHOLE_ACCOUNT else self.closed.get(scope, ZERO)
        return Totals(cumulative, closed, tally, returns, exposure, before.signals + self.signals[scope]["new"])

    def _row(
        self, scope: str, strategy_id: int | None, before: Totals, totals: Totals, change: Decimal | None, reason: Undefined | None
    ) -> DailyPerformance:
        metrics = {
            "win_rate": totals.trades.win_rate,
            "profit_factor": bounded(totals.trades.profit_factor),
            "average_holding": bounded(totals.trades.average_holding),
            "sharpe_ratio": bounded(totals.returns.sharpe),
            "max_drawdown_pct": totals.returns.max_drawdown,
            "exposure": totals.exposure.exposure,
        }
        why = {name: str(metric.reason) for name, metric in metrics.items() if metric.reason}
        constructors = {"max_drawdown_pct": ratio, "exposure": ratio}
        values = {name: None if m.value is None else constructors.get(name, score)(m.value) for name, m in metrics.items()}
        rate = metrics["win_rate"]
        return DailyPerformance(
            account=self.account,
            strategy_id=strategy_id,
            scope=scope,
            session=self.session,
            pnl=money(totals.cumulative - before.cumulative),
            cumulative_pnl=money(totals.cumulative),
            daily_return=None if change is None else ratio(change),
            closed_trades=totals.trades.n,
            win_rate_low=None if rate.low is None else score(rate.low),
            win_rate_high=None if rate.high is None else score(rate.high),
            signals=self.signals[scope]["today"],
            rejected=self.signals[scope]["rejected"],
            undefined=why | ({"daily_return": str(reason)} if reason else {}),
            state=totals.dump(),
            **values,
        )


def bounded(metric: Metric) -> Metric:
    """The metric, or TOO_LARGE where its column could not hold it: a profit factor over one lost cent says nothing."""
    if metric.value is not None and abs(metric.value) >= LARGEST_SCORE:
        return undefined(Undefined.TOO_LARGE, metric.n)
    return metric


# --- Reads


def totals_before(account: Account, session: date) -> tuple[date | None, dict[str, Totals]]:
    """The last evaluated session before `session`, and what each scope carries from it."""
    where = """account_id = %s AND session = (
        SELECT MAX(session) FROM daily_performance WHERE account_id = %s AND scope = %s AND session < %s)"""
    names = ("session", "scope", "cumulative_pnl", "state")
    rows = rows_read(DailyPerformance, names, where, account.pk, account.pk, WHOLE_ACCOUNT, session)
    carried = {scope: Totals.load(cumulative, state) for _, scope, cumulative, state in rows}
    return (rows[0][0] if rows else None), carried


def snapshots_between(account: Account, since: date | None, session: date) -> tuple[Snapshot | None, list[Snapshot]]:
    """The snapshot of `since`, and those after it up to `session`, which must be the last there is."""
    where = "account_id = %s AND snapshot_date >= %s ORDER BY snapshot_date"
    snapshots = [Snapshot(*row) for row in rows_read(EquitySnapshot, Snapshot._fields, where, account.pk, since or BEGINNING)]
    opening = snapshots.pop(0) if since and snapshots and snapshots[0].snapshot_date == since else None
    if session not in {snapshot.snapshot_date for snapshot in snapshots}:
        raise DataMissing("no_snapshot", f"There is no equity snapshot of {account.pk} at {session}: take it before the evaluation.")
    if snapshots[-1].snapshot_date > session:
        latest = snapshots[-1].snapshot_date
        raise Conflict("session_passed", f"{session} can no longer be judged: the books of {account.pk} stand at {latest}.")
    return opening, snapshots


def positions_since(account: Account, since: date | None) -> list[Held]:
    """Open positions and those closed after `since`; all of them without it."""
    where = "account_id = %s AND (exit_session IS NULL OR exit_session > %s) ORDER BY entry_session, symbol, strategy_id"
    return [Held(*row) for row in rows_read(Position, Held._fields, where, account.pk, since or BEGINNING)]


def closed_trades(account: Account, positions: Iterable[Held]) -> list[Trade]:
    """Trades that ended among `positions`. One of several legs ended when its last leg did; those closed earlier are read."""
    ended = [held for held in positions if held.exit_session is not None]
    paired = {held.signal_id for held in ended if held.signal_id and held.group != held.symbol}
    trades = [_trade([held]) for held in ended if held.signal_id not in paired]
    if paired:
        legs: dict[int, list[Held]] = defaultdict(list)
        for row in (
            Position.objects.filter(account=account, signal_id__in=paired)
            .order_by("entry_session", "symbol", "strategy__key")
            .values_list(*Held._fields)
        ):
            legs[row[2]].append(Held(*row))
        trades += [_trade(trade) for trade in legs.values() if all(leg.exit_session for leg in trade)]
    return sorted(trades, key=lambda trade: (trade.symbol, trade.result, trade.sessions))


def _trade(legs: list[Held]) -> Trade:
    sessions = session_distance(min(leg.entry_session for leg in legs), max(leg.exit_session for leg in legs))
    result, cost = sum((leg.result for leg in legs), ZERO), sum((abs(leg.entry_cost) for leg in legs), ZERO)
    return Trade(legs[0].strategy_id, legs[0].signal_id, legs[0].group, result, cost, sessions)
