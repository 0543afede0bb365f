"""The figures of a tear sheet: curves, distributions and metrics of a record. Pure.

A session without a return is a gap in every curve (None) and left out of every metric, never a zero.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from analytics import stats
from analytics.reports.figures import growth_of_100
from analytics.stats import Metric, Returns

WINDOW = 126
BINS = 20
TAIL = 0.02
SHADES = 5
NICE = (1.0, 2.0, 2.5, 5.0, 10.0)


class Day(NamedTuple):
    """One session of a record. `change` is its return, `pnl` in dollars; `gross` is None where it is not kept."""

    session: date
    change: Decimal | None
    benchmark: Decimal | None
    pnl: Decimal
    equity: Decimal
    gross: Decimal | None = None


class ClosedTrade(NamedTuple):
    """All legs that one signal opened, once the last has ended. `multiple` is the result over the initial risk, where one was set."""

    symbol: str
    strategy_id: int | None
    opened: date
    closed: date
    sessions: int
    result: Decimal
    multiple: Decimal | None
    reason: str


@dataclass(frozen=True)
class Curves:
    """Arrays of the same length, one element a session. Growth is of 100, drawdown and return a share, P&L in dollars from 0."""

    sessions: tuple[date, ...]
    growth: list[float | None]
    benchmark: list[float | None]
    drawdown: list[float | None]
    rolling_sharpe: list[float | None]
    pnl: list[Decimal]


class Histogram(NamedTuple):
    """`counts[i]` values lie in [edges[i], edges[i + 1]); of the first and the last, `below` and `above` lie beyond the edge."""

    edges: list[float]
    counts: list[int]
    below: int
    above: int


def curves_of(days: Sequence[Day]) -> Curves:
    changes = [day.change for day in days]
    return Curves(
        tuple(day.session for day in days),
        growth_of_100(changes),
        growth_of_100(day.benchmark for day in days),
        underwater(changes),
        rolling_sharpe(changes),
        list(accumulate(day.pnl for day in days)),
    )


def underwater(changes: Sequence[Decimal | float | None]) -> list[float | None]:
    """Distance from the highest value so far, ≤ 0; the value before the first session (1.0) is such a high."""
    return _placed(changes, Returns(_defined(changes)).drawdowns[1:])


def rolling_sharpe(changes: Sequence[Decimal | float | None], window: int = WINDOW) -> list[float | None]:
    """Sharpe ratio a year over the last `window` returns, as `stats.sharpe_ratio` defines it; None until there are so many."""
    values = _defined(changes)
    ratios = np.full(values.size, np.nan)
    if values.size >= window:
        windows = np.lib.stride_tricks.sliding_window_view(values, window)
        mean, sd = windows.mean(axis=1), windows.std(axis=1, ddof=1)
        varies = sd >= stats.NO_SPREAD
        ratios[window - 1 :][varies] = mean[varies] / sd[varies] * math.sqrt(stats.SESSIONS_PER_YEAR)
    return _placed(changes, ratios)


def _defined(changes: Iterable) -> np.ndarray:
    return np.array([float(change) for change in changes if change is not None], dtype=float)


def _placed(changes: Sequence, values: np.ndarray) -> list[float | None]:
    """`values` of the defined changes, back at their sessions; what is not finite is None."""
    found = iter(np.round(values, 6).tolist())
    placed = (None if change is None else next(found) for change in changes)
    return [value if value is not None and math.isfinite(value) else None for value in placed]


def metrics_of(days: Sequence[Day], trades: Sequence[ClosedTrade], buys: Iterable[Decimal], sells: Iterable[Decimal]) -> dict[str, Metric]:
    """`stats.report` of the record, beside the benchmark where both have a return. Exposure wants the gross of every day."""
    gross = [day.gross for day in days]
    found = stats.report(
        _defined(day.change for day in days),
        equity=[day.equity for day in days],
        gross=None if None in gross else gross,
        trade_results=[trade.result for trade in trades],
        holding=[trade.sessions for trade in trades],
        buys=buys,
        sells=sells,
    )
    own, other = common(days)
    multiples = [trade.multiple for trade in trades if trade.multiple is not None]
    found |= {metric.__name__: metric(own, other) for metric in (stats.beta, stats.alpha, stats.correlation)}
    return found | {"average_r": stats.average_r(multiples, np.ones(len(multiples)))}


def common(days: Sequence[Day]) -> tuple[Returns, Returns]:
    """Returns and the benchmark's of the sessions that have both."""
    both = [day for day in days if day.change is not None and day.benchmark is not None]
    return Returns(_defined(day.change for day in both)), Returns(_defined(day.benchmark for day in both))


def histogram(values: Iterable[Decimal | float], bins: int = BINS) -> Histogram | None:
    """Bins of one round width with an edge at 0, so that none mixes gains and losses; None without a value.

    They span what lies between the 2nd and the 98th percentile; the outermost hold what lies beyond.
    """
    array = _defined(values)
    if not array.size:
        return None
    low, high = min(0.0, np.quantile(array, TAIL)), max(0.0, np.quantile(array, 1 - TAIL))
    width = nice((high - low) / bins or 1.0)
    first = min(math.floor(low / width), -1 if array.min() < 0 else 0)
    last = max(math.ceil(high / width), 1 if array.max() >= 0 else 0)
    edges = np.round(np.arange(first, last + 1) * width, 10)
    places = np.searchsorted(edges, array, side="right") - 1
    counts = np.bincount(np.clip(places, 0, edges.size - 2), minlength=edges.size - 1)
    return Histogram(edges.tolist(), counts.tolist(), int((places < 0).sum()), int((places > edges.size - 2).sum()))


def nice(size: float) -> float:
    """The smallest of 1, 2, 2.5, 5 times a power of ten that is `size` (above zero) or more."""
    power = 10.0 ** math.floor(math.log10(size))
    return next(step * power for step in NICE if step * power >= size * (1 - 1e-9))


def shade(change: float | None, scale: float) -> int:
    """How strongly a change is coloured: −5 … 5, its share of `scale` in steps; 0 for none."""
    if not change or not scale:
        return 0
    steps = min(SHADES, max(1, math.ceil(SHADES * abs(change) / scale)))
    return int(math.copysign(steps, change))


def shade_scale(changes: Iterable[float | None]) -> float:
    """What is coloured fully: the 90th percentile of the sizes, so that one freak month does not pale the others."""
    sizes = [abs(change) for change in changes if change is not None]
    return float(np.quantile(sizes, 0.9)) if sizes else 0.0
