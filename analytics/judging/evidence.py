"""What the weekly findings look at, read once for all of them: trades, signals, fills and runs of the last months."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import combinations
from typing import NamedTuple

import numpy as np

from analytics.judging import findings, findings_missed
from analytics.judging.findings import Observation
from analytics.models import DailyPerformance, MissedOutcome
from quant_site.core.models import Account
from quant_site.core.rows import rows_read
from quant_site.core.types import Direction
from quant_site.market.execution import CostModel
from signals_app.models import TradingSignal
from signals_app.states import SignalStatus
from strategies.models import Strategy, StrategyRun
from trading.models import EquitySnapshot, Fill, Order, Position
from trading.vocabulary import Purpose

TRADE_WINDOW = 252
SIGNAL_WINDOW = 63


@dataclass(frozen=True)
class Window:
    """Sessions looked at: the longer one for trades, fills and returns, the shorter one for signals and runs."""

    session: date
    trades_from: date
    signals_from: date
    returns: list[float]
    benchmark_returns: list[float]
    benchmark: str


def window_read(account: Account, session: date) -> Window | None:
    """The window that ends at `session`; None before the first snapshot. Returns are those where both curves have one."""
    names = ("snapshot_date", "daily_return", "benchmark_return", "benchmark_symbol")
    where = "account_id = %s AND snapshot_date <= %s ORDER BY snapshot_date DESC LIMIT %s"
    rows = rows_read(EquitySnapshot, names, where, account.pk, session, TRADE_WINDOW)
    if not rows:
        return None
    both = [(float(own), float(other)) for _, own, other, _ in rows if own is not None and other is not None]
    return Window(
        session,
        rows[-1][0],
        rows[min(SIGNAL_WINDOW, len(rows)) - 1][0],
        [own for own, _ in both],
        [other for _, other in both],
        rows[0][3],
    )


def observations(account: Account, window: Window) -> list[Observation]:
    """Everything the window gives reason to notice, in a fixed order. It ends with the account's last snapshot: what is
    open is valued as it stands now.
    """
    strategies = dict(rows_read(Strategy, ("id", "key"), "1 = 1"))
    looks = [
        *_trade_looks(account, window, strategies),
        *_signal_looks(account, window, strategies),
        *_slippage_looks(account, window, strategies),
        *_missed_looks(account, window, strategies),
        *_correlation_looks(account, window),
        (findings.behind_benchmark, window.returns, window.benchmark_returns, window.benchmark),
    ]
    confidence = findings.shared_confidence(len(looks))
    seen = [look(*arguments, confidence) for look, *arguments in looks]
    seen += _silent_strategies(account, window, strategies)
    return _strongest(one for one in seen if one is not None)


def _strongest(seen: Iterable[Observation]) -> list[Observation]:
    """One of each scope and code, the largest effect, in their order: a strategy may move together with several."""
    best: dict[tuple[str, str], Observation] = {}
    for one in seen:
        key = one.scope, one.code
        if key not in best or (one.effect or 0) > (best[key].effect or 0):
            best[key] = one
    return [best[key] for key in sorted(best)]


class Opened(NamedTuple):
    """A position that was opened within the window, closed since or not."""

    id: int
    strategy_id: int
    signal_id: int | None
    entry_session: date
    symbol: str
    entry_cost: Decimal
    realized_pnl: Decimal
    dividends: Decimal
    unrealized_pnl: Decimal
    exit_reason: str
    initial_risk: Decimal | None
    best_pnl: Decimal
    exit_session: date | None


def _trade_looks(account: Account, window: Window, strategies: dict[int, str]) -> list[tuple]:
    where = "account_id = %s AND entry_session >= %s AND strategy_id IS NOT NULL ORDER BY id"
    legs = [Opened(*row) for row in rows_read(Position, Opened._fields, where, account.pk, window.trades_from)]
    legs.sort(key=lambda leg: (leg.entry_session, leg.symbol, strategies[leg.strategy_id]))
    stopped: dict[str, list[float]] = defaultdict(list)
    others: dict[str, list[float]] = defaultdict(list)
    results: dict[tuple, Decimal] = defaultdict(Decimal)
    costs: dict[tuple, Decimal] = defaultdict(Decimal)
    gains: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for leg in legs:
        scope, result = strategies[leg.strategy_id], leg.realized_pnl + leg.dividends + leg.unrealized_pnl
        trade = scope, leg.signal_id or -leg.id
        (stopped if leg.exit_reason == Purpose.STOP else others)[scope].append(float(result))
        results[trade] += result
        costs[trade] += abs(leg.entry_cost)
        if leg.exit_session is not None and leg.initial_risk:
            gains[scope].append((float(leg.best_pnl / leg.initial_risk), float(result / leg.initial_risk)))
    returns: dict[str, list[float]] = defaultdict(list)
    for trade, result in results.items():
        if costs[trade]:
            returns[trade[0]].append(float(result / costs[trade]))
    losing = [(findings.losing_strategy, scope, returns[scope]) for scope in sorted(returns)]
    stops = [(findings.stops_too_often, scope, stopped[scope], others[scope]) for scope in sorted(stopped)]
    return losing + stops + [(findings_missed.gains_given_back, scope, gains[scope]) for scope in sorted(gains)]


def _signal_looks(account: Account, window: Window, strategies: dict[int, str]) -> list[tuple]:
    entries: Counter = Counter()
    codes: dict[str, Counter] = defaultdict(Counter)
    where = "account_id = %s AND session >= %s AND session <= %s AND direction <> %s"
    names = ("strategy_id", "signal_status", "validation_errors")
    rows = rows_read(TradingSignal, names, where, account.pk, window.signals_from, window.session, Direction.CLOSE.value)
    for strategy_id, status, errors in rows:
        entries[strategies[strategy_id]] += 1
        if status == SignalStatus.REJECTED:
            codes[strategies[strategy_id]].update({error["code"] for error in errors})
    return [(findings.rejections_dominate, scope, entries[scope], dict(codes[scope])) for scope in sorted(entries)]


def _slippage_looks(account: Account, window: Window, strategies: dict[int, str]) -> list[tuple]:
    model = CostModel()
    modelled = float(model.half_spread_bps) + float(model.slippage_bps)
    points: dict[str, list[float]] = defaultdict(list)
    span = account.pk, window.trades_from, window.session
    filled = "id IN (SELECT order_id FROM fills WHERE account_id = %s AND session >= %s AND session <= %s)"
    entered = f"purpose = %s AND signal_id IS NOT NULL AND {filled}"
    orders = rows_read(Order, ("id", "signal_id", "leg"), entered, Purpose.ENTRY.value, *span)
    signals = f"id IN (SELECT signal_id FROM orders WHERE {entered})"
    owners = dict(rows_read(TradingSignal, ("id", "strategy_id"), signals, Purpose.ENTRY.value, *span))
    legs = {order: (strategies[owners[signal]], leg) for order, signal, leg in orders}
    names = ("session", "symbol", "order_id", "slippage", "amount")
    where = "account_id = %s AND session >= %s AND session <= %s AND slippage IS NOT NULL ORDER BY id"
    fills = [fill for fill in rows_read(Fill, names, where, *span) if fill[2] in legs]
    fills.sort(key=lambda fill: (fill[0], fill[1], *legs[fill[2]]))
    for _, _, order, slippage, amount in fills:
        if amount:
            points[legs[order][0]].append(1e4 * float(slippage) / float(amount))
    return [(findings.slippage_above_model, scope, points[scope], modelled) for scope in sorted(points)]


def _missed_looks(account: Account, window: Window, strategies: dict[int, str]) -> list[tuple]:
    span, within = (account.pk, window.trades_from, window.session), "account_id = %s AND session >= %s AND session <= %s"
    signals = f"id IN (SELECT signal_id FROM missed_outcomes WHERE {within})"
    owners = dict(rows_read(TradingSignal, ("id", "strategy_id"), signals, *span))
    results: dict[str, list[tuple[date, float]]] = defaultdict(list)
    for signal, entered, result in rows_read(MissedOutcome, ("signal_id", "entry_session", "result"), within, *span):
        results[strategies[owners[signal]]].append((entered, float(result)))
    return [(findings_missed.rejections_cost, scope, sorted(results[scope])) for scope in sorted(results)]


def _correlation_looks(account: Account, window: Window) -> list[tuple]:
    """Each two strategies that were at work in enough of the same sessions."""
    where = """account_id = %s AND session >= %s AND session <= %s AND strategy_id IS NOT NULL AND daily_return IS NOT NULL
        ORDER BY scope, session"""
    names = ("scope", "session", "daily_return")
    series: dict[str, dict[date, float]] = defaultdict(dict)
    for scope, session, change in rows_read(DailyPerformance, names, where, account.pk, window.trades_from, window.session):
        series[scope][session] = float(change)
    looks = []
    for one, other in combinations(series, 2):
        both = sorted(series[one].keys() & series[other].keys())
        returns, others = (np.array([series[scope][day] for day in both]) for scope in (one, other))
        worked = findings_missed.active(returns, others)
        if worked.sum() >= findings.FEWEST_SESSIONS:
            looks.append((findings_missed.correlated_strategies, one, other, returns[worked], others[worked]))
    return looks


def _silent_strategies(account: Account, window: Window, strategies: dict[int, str]) -> list[Observation | None]:
    where = "account_id = %s AND strategy_id IN (SELECT id FROM strategies WHERE enabled) AND session >= %s AND session <= %s"
    names = ("strategy_id", "status", "abstain_reason", "signal_count")
    runs: Counter = Counter()
    drafts: Counter = Counter()
    abstentions: dict[str, Counter] = defaultdict(Counter)
    for strategy_id, status, reason, made in rows_read(StrategyRun, names, where, account.pk, window.signals_from, window.session):
        key = strategies[strategy_id]
        runs[key] += 1
        drafts[key] += made
        if status == StrategyRun.Status.ABSTAINED:
            abstentions[key][reason] += 1
    return [findings.silent_strategy(key, runs[key], drafts[key], abstentions[key]) for key in sorted(runs)]
