"""The tear sheet: everything that a record of an account, or of one strategy on it, has to say for itself.

A strategy's returns are what it added on the account's equity, as `DailyPerformance` keeps them, and its equity curve is
its cumulative P&L: capital is the account's, not a strategy's own.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from analytics import stats
from analytics.models import Finding
from analytics.reports.figures import Year, returns_by_month
from analytics.reports.tearsheet_changes import Adapted, adaptation_read
from analytics.reports.tearsheet_figures import ClosedTrade, Curves, Day, Histogram, common, curves_of, histogram, metrics_of
from analytics.reports.tearsheet_reads import (
    ZERO,
    Attributed,
    Scope,
    attribution_read,
    contributions_read,
    days_read,
    exposure_read,
    findings_read,
    traded_read,
    trades_read,
)
from analytics.stats import Metric
from quant_site.core.errors import InvalidInput
from quant_site.core.models import Account
from strategies.models import Strategy

EXTREMES = 5


@dataclass(frozen=True)
class Exits:
    """Closed trades that ended for one reason."""

    reason: str
    trades: int
    won: int
    pnl: Decimal


@dataclass(frozen=True)
class Outcomes:
    """How closed trades turned out, in dollars and, where a stop said what was at risk, in multiples of that."""

    trades: int
    results: Histogram | None
    with_risk: int
    multiples: Histogram | None
    best: list[ClosedTrade]
    worst: list[ClosedTrade]
    exits: list[Exits]
    symbols: list[tuple[str, int, Decimal]]


@dataclass(frozen=True)
class TearSheet:
    """`pnl` is what was made in the span; `gaps` counts its sessions without a return.

    `benchmark_metrics` are those of the benchmark over the sessions that have both returns. Contributions and attribution
    are the account's; a strategy's sheet has none.
    """

    account: Account
    strategy: Strategy | None
    first: date | None
    last: date | None
    benchmark_symbol: str
    pnl: Decimal
    equity: Decimal | None
    gaps: int
    curves: Curves
    years: list[Year]
    metrics: dict[str, Metric]
    benchmark_metrics: dict[str, Metric]
    outcomes: Outcomes
    contributions: list[tuple[str, Decimal]]
    attribution: Attributed | None
    findings: list[Finding]
    adapted: Adapted


def tear_sheet(account: Account, strategy: Strategy | None = None, first: date | None = None, last: date | None = None) -> TearSheet:
    """The sheet of the sessions from `first` to `last`, both included; without them of all there are.

    Raises `InvalidInput` where `first` lies after `last`.
    """
    if first and last and first > last:
        raise InvalidInput("bad_span", "The first day lies after the last: exchange them.", field="to")
    scope = Scope(account, strategy, **{name: day for name, day in (("first", first), ("last", last)) if day})
    days, symbol = days_read(scope)
    trades = trades_read(scope)
    return TearSheet(
        account=account,
        strategy=strategy,
        first=days[0].session if days else None,
        last=days[-1].session if days else None,
        benchmark_symbol=symbol,
        pnl=sum((day.pnl for day in days), ZERO),
        equity=days[-1].equity if days else None,
        gaps=sum(day.change is None for day in days),
        curves=curves_of(days),
        years=returns_by_month([day.session for day in days], [day.change for day in days]),
        metrics=_metrics(scope, days, trades),
        benchmark_metrics=stats.report(common(days)[1]),
        outcomes=outcomes_of(trades),
        contributions=[] if strategy else contributions_read(scope),
        attribution=None if strategy else attribution_read(scope),
        findings=findings_read(scope),
        adapted=adaptation_read(scope),
    )


def _metrics(scope: Scope, days: list[Day], trades: list[ClosedTrade]) -> dict[str, Metric]:
    found = metrics_of(days, trades, *traded_read(scope))
    return found if scope.strategy is None else found | {"exposure": exposure_read(scope)}


def outcomes_of(trades: list[ClosedTrade]) -> Outcomes:
    multiples = [trade.multiple for trade in trades if trade.multiple is not None]
    ranked = sorted(trades, key=lambda trade: (-trade.result, trade.closed, trade.symbol))
    return Outcomes(
        trades=len(trades),
        results=histogram(trade.result for trade in trades),
        with_risk=len(multiples),
        multiples=histogram(multiples),
        best=[trade for trade in ranked[:EXTREMES] if trade.result > 0],
        worst=[trade for trade in ranked[: -EXTREMES - 1 : -1] if trade.result < 0],
        exits=_exits(trades),
        symbols=_by_symbol(trades),
    )


def _exits(trades: Iterable[ClosedTrade]) -> list[Exits]:
    """By reason, the most frequent first."""
    results = defaultdict(list)
    for trade in trades:
        results[trade.reason].append(trade.result)
    rows = [Exits(reason, len(each), sum(result > 0 for result in each), sum(each, ZERO)) for reason, each in results.items()]
    return sorted(rows, key=lambda row: (-row.trades, row.reason))


def _by_symbol(trades: Iterable[ClosedTrade]) -> list[tuple[str, int, Decimal]]:
    """(symbol, trades, P&L) of closed trades, the most profitable first."""
    results = defaultdict(list)
    for trade in trades:
        results[trade.symbol].append(trade.result)
    return sorted(((symbol, len(each), sum(each, ZERO)) for symbol, each in results.items()), key=lambda row: (-row[2], row[0]))
