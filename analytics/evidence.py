"""What the weekly findings look at, read once for all of them: trades, signals, fills and runs of the last months."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from django.db.models import Count, Sum

from analytics import findings
from analytics.findings import Observation
from quant_site.core.models import Account
from quant_site.core.types import Direction
from signals_app.models import TradingSignal
from signals_app.states import SignalStatus
from strategies.models import Strategy, StrategyRun
from trading.brokers.costs import CostModel
from trading.models import EquitySnapshot, Fill, Position
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
    rows = EquitySnapshot.objects.filter(account=account, snapshot_date__lte=session).order_by("-snapshot_date")
    rows = list(rows.values_list("snapshot_date", "daily_return", "benchmark_return", "benchmark_symbol")[:TRADE_WINDOW])
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
    strategies = dict(Strategy.objects.order_by("key").values_list("pk", "key"))
    looks = [
        *_trade_looks(account, window),
        *_signal_looks(account, window, strategies),
        *_slippage_looks(account, window),
        (findings.behind_benchmark, window.returns, window.benchmark_returns, window.benchmark),
    ]
    confidence = findings.shared_confidence(len(looks))
    seen = [look(*arguments, confidence) for look, *arguments in looks]
    seen += _silent_strategies(account, window)
    return sorted((one for one in seen if one is not None), key=lambda one: (one.scope, one.code))


class Opened(NamedTuple):
    """A position that was opened within the window, closed since or not."""

    id: int
    strategy__key: str
    signal_id: int | None
    entry_cost: Decimal
    realized_pnl: Decimal
    dividends: Decimal
    unrealized_pnl: Decimal
    exit_reason: str


def _trade_looks(account: Account, window: Window) -> list[tuple]:
    rows = Position.objects.filter(account=account, entry_session__gte=window.trades_from, strategy__isnull=False)
    rows = rows.order_by("entry_session", "symbol", "strategy__key")
    stopped: dict[str, list[float]] = defaultdict(list)
    others: dict[str, list[float]] = defaultdict(list)
    results: dict[tuple, Decimal] = defaultdict(Decimal)
    costs: dict[tuple, Decimal] = defaultdict(Decimal)
    for leg in (Opened(*row) for row in rows.values_list(*Opened._fields)):
        result, trade = leg.realized_pnl + leg.dividends + leg.unrealized_pnl, (leg.strategy__key, leg.signal_id or -leg.id)
        (stopped if leg.exit_reason == Purpose.STOP else others)[leg.strategy__key].append(float(result))
        results[trade] += result
        costs[trade] += abs(leg.entry_cost)
    returns: dict[str, list[float]] = defaultdict(list)
    for trade, result in results.items():
        if costs[trade]:
            returns[trade[0]].append(float(result / costs[trade]))
    losing = [(findings.losing_strategy, scope, returns[scope]) for scope in sorted(returns)]
    return losing + [(findings.stops_too_often, scope, stopped[scope], others[scope]) for scope in sorted(stopped)]


def _signal_looks(account: Account, window: Window, strategies: dict[int, str]) -> list[tuple]:
    entries: Counter = Counter()
    codes: dict[str, Counter] = defaultdict(Counter)
    rows = TradingSignal.objects.filter(account=account, session__gte=window.signals_from, session__lte=window.session)
    rows = rows.exclude(direction=Direction.CLOSE).order_by()
    for strategy_id, n in rows.values_list("strategy_id").annotate(n=Count("pk")):
        entries[strategies[strategy_id]] += n
    rejected = rows.filter(signal_status=SignalStatus.REJECTED)
    for strategy_id, errors in rejected.values_list("strategy_id", "validation_errors"):
        codes[strategies[strategy_id]].update({error["code"] for error in errors})
    return [(findings.rejections_dominate, scope, entries[scope], dict(codes[scope])) for scope in sorted(entries)]


def _slippage_looks(account: Account, window: Window) -> list[tuple]:
    model = CostModel()
    modelled = float(model.half_spread_bps) + float(model.slippage_bps)
    points: dict[str, list[float]] = defaultdict(list)
    rows = Fill.objects.filter(account=account, session__gte=window.trades_from, session__lte=window.session)
    rows = rows.filter(order__purpose=Purpose.ENTRY, slippage__isnull=False, order__signal__isnull=False)
    rows = rows.order_by("session", "symbol", "order__signal__strategy__key", "order__leg")
    for key, slippage, amount in rows.values_list("order__signal__strategy__key", "slippage", "amount"):
        if amount:
            points[key].append(1e4 * float(slippage) / float(amount))
    return [(findings.slippage_above_model, scope, points[scope], modelled) for scope in sorted(points)]


def _silent_strategies(account: Account, window: Window) -> list[Observation | None]:
    rows = StrategyRun.objects.filter(
        account=account, strategy__enabled=True, session__gte=window.signals_from, session__lte=window.session
    )
    groups = rows.order_by().values_list("strategy__key", "status", "abstain_reason").annotate(runs=Count("pk"), drafts=Sum("signal_count"))
    runs: Counter = Counter()
    drafts: Counter = Counter()
    abstentions: dict[str, Counter] = defaultdict(Counter)
    for key, status, reason, n, made in groups:
        runs[key] += n
        drafts[key] += made
        if status == StrategyRun.Status.ABSTAINED:
            abstentions[key][reason] += n
    return [findings.silent_strategy(key, runs[key], drafts[key], abstentions[key]) for key in sorted(runs)]
