"""The distance method of pairs: formation on past prices, then the spread of each pair in units of its formation σ.

Gatev, Goetzmann and Rouwenhorst (2006), "Pairs Trading: Performance of a Relative-Value Arbitrage Rule", Review of
Financial Studies 19(3). Time is cut into trading periods on the calendar; each is preceded by its formation, and
nothing that is fitted there changes while the period lasts.
"""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from scipy.spatial.distance import pdist

from quant_site.market.panel import Panel
from quant_site.market.sessions import next_session, sessions_between
from strategies.library.kernels import divergence_age

# A pair whose normalised prices never part (two classes of one share after rounding) has nothing to trade.
SMALLEST_SIGMA = 1e-6


@dataclass(frozen=True)
class Pair:
    """Rows `a` and `b` of the panel, the first symbol of the alphabet first; `sigma` of their formation spread."""

    a: int
    b: int
    distance: float
    sigma: float


@dataclass(frozen=True)
class Period:
    """One trading period: columns `start` up to `end`. `base` (N,) are the adjusted closes that prices are divided by.

    `z` and `age` (pairs × columns) are the spread in formation σ and the sessions since it diverged.
    """

    start: int
    end: int
    base: np.ndarray
    pairs: tuple[Pair, ...]
    z: np.ndarray
    age: np.ndarray

    def spread(self, close: np.ndarray, a: int, b: int) -> float:
        """Normalised price of row `a` less that of row `b`, at the adjusted closes (N,) of one session."""
        return float(close[a] / self.base[a] - close[b] / self.base[b])


def months_of(sessions: np.ndarray) -> np.ndarray:
    """Months since January 1970 of datetime64[D] sessions."""
    return sessions.astype("datetime64[M]").astype(np.int64)


def period_of(day, months: int) -> int:
    """The number of the trading period that holds `day`; periods of `months` (a divisor of 12) begin each January."""
    return int(np.datetime64(day, "M").astype(np.int64)) // months


def is_last_of_period(day, months: int) -> bool:
    """Whether the exchange's next session lies in another period: what is decided at this close fills there."""
    return period_of(next_session(day), months) != period_of(day, months)


def trading_periods(panel: Panel, *, formation: int, trading: int, count: int, width: float) -> dict[int, Period]:
    """Every period (by number) whose formation the panel covers whole. Lengths are in months.

    `count` pairs of least distance are kept; `width` is the divergence, in formation σ, that `age` counts from.
    """
    months = months_of(panel.sessions)
    periods = {}
    for number in range(months[0] // trading, months[-1] // trading + 1) if len(months) else ():
        first, begin, end = np.searchsorted(months, [number * trading - formation, number * trading, (number + 1) * trading])
        if begin < end and _covered(panel, np.datetime64(number * trading - formation, "M")):
            periods[number] = _period(panel, first, begin, end, count, width)
    return periods


def _covered(panel: Panel, month: np.datetime64) -> bool:
    """Whether the panel has every session from the beginning of `month`: else a formation would be cut short."""
    return not sessions_between(month.astype("datetime64[D]").item(), panel.sessions[0].item() - timedelta(days=1))


def _period(panel: Panel, first: int, begin: int, end: int, count: int, width: float) -> Period:
    pairs = nearest_pairs(panel.adj_close[:, first:begin], panel.symbols, count)
    base = panel.adj_close[:, first].copy()
    prices = panel.adj_close[:, begin:end]
    z = np.full((len(pairs), end - begin), np.nan)
    for i, pair in enumerate(pairs):
        z[i] = (prices[pair.a] / base[pair.a] - prices[pair.b] / base[pair.b]) / pair.sigma
    return Period(begin, end, base, pairs, z, divergence_age(z, width))


def nearest_pairs(prices: np.ndarray, symbols: tuple[str, ...], count: int) -> tuple[Pair, ...]:
    """The `count` pairs with the least sum of squared differences of normalised prices; ties by symbol.

    `prices` (N, F) are adjusted closes of the formation. As in the source, a symbol that misses a session of it is
    left out, and so is one whose price never moved.
    """
    rows = [row for row in sorted(range(len(symbols)), key=symbols.__getitem__) if _usable(prices[row])]
    if len(rows) < 2:
        return ()
    normalised = prices[rows] / prices[rows, :1]
    distances = pdist(normalised, "sqeuclidean")
    left, right = np.triu_indices(len(rows), 1)
    pairs = []
    for k in np.argsort(distances, kind="stable"):
        sigma = float(np.std(normalised[left[k]] - normalised[right[k]], ddof=1))
        if sigma > SMALLEST_SIGMA:
            pairs.append(Pair(rows[left[k]], rows[right[k]], float(distances[k]), sigma))
        if len(pairs) == count:
            break
    return tuple(pairs)


def _usable(prices: np.ndarray) -> bool:
    return len(prices) > 1 and bool(np.isfinite(prices).all() and prices.min() > 0 and prices.max() > prices.min())
