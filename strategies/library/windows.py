"""What a strategy reads backwards from a session: returns, sums and deviations of a window, closes of earlier months.

Arrays are float64 with sessions along the last axis; column t of every answer depends on columns ≤ t only. NaN is what is
not known: a session without a bar, a price that is not above zero (a ratio of such prices is no return).
"""

import numpy as np

from quant_site.market.panel import Panel
from strategies.library.distance import months_of

Array = np.ndarray

# A close stands in for a missing one for a week of sessions; after that it says nothing of today's price.
CARRY = 5


def positive(prices: Array) -> Array:
    """`prices` where they are above zero, NaN elsewhere: a futures contract can settle below zero."""
    return np.where(prices > 0, prices, np.nan)


def daily_returns(panel: Panel) -> Array:
    """(N, T) total returns from the session before, of adjusted closes; NaN where either session has no bar."""
    close = positive(panel.adj_close)
    returns = np.full_like(close, np.nan)
    returns[:, 1:] = close[:, 1:] / close[:, :-1] - 1
    return returns


def recent(values: Array, sessions: int = CARRY) -> Array:
    """`values` (N, T) with each gap filled by the value before it, where that is at most `sessions` old."""
    columns = np.arange(values.shape[1])
    last = np.maximum.accumulate(np.where(np.isnan(values), -1, columns), axis=1)
    filled = np.take_along_axis(values, np.maximum(last, 0), axis=1)
    return np.where((last >= 0) & (columns - last <= sessions), filled, np.nan)


def rolling_sum(values: Array, window: int) -> Array:
    """Sum of the last `window` values; NaN until there are so many, and where one of them is NaN.

    Added up from the window's own values alone (the end of one block and the beginning of the next), so that an
    outlier leaves no rounding behind once it has left the window, as a difference of running totals would.
    """
    count = values.shape[-1]
    blocks = -(-count // window)
    padded = np.zeros((*values.shape[:-1], blocks * window))
    padded[..., :count] = values
    cut = padded.reshape(*values.shape[:-1], blocks, window)
    head = np.cumsum(cut, axis=-1).reshape(padded.shape)
    tail = np.cumsum(cut[..., ::-1], axis=-1)[..., ::-1].reshape(padded.shape)
    sums = np.full(values.shape, np.nan)
    ends = np.arange(window - 1, count)
    starts = ends - window + 1
    whole = starts % window == 0
    sums[..., ends] = head[..., ends] + np.where(whole, 0.0, tail[..., starts])
    return sums


def rolling_count(values: Array, window: int) -> Array:
    """How many of the last `window` values are known; of a window that begins before the first column, those there are."""
    known = np.cumsum(np.isfinite(values), axis=-1)
    known[..., window:] -= known[..., :-window].copy()
    return known


def rolling_sigma(values: Array, window: int, least: int) -> Array:
    """Sample standard deviation (ddof 1) of the known among the last `window` values, where at least `least` are."""
    count = rolling_count(values, window)
    filled = np.nan_to_num(values)
    total, squares = rolling_sum(filled, window), rolling_sum(filled * filled, window)
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = (squares - total * total / count) / (count - 1)
    return np.where(count >= max(least, 2), np.sqrt(np.maximum(variance, 0.0)), np.nan)


def months_back(sessions: Array, months: int) -> Array:
    """For each session the column of the last one of the month `months` earlier; its own column for 0, −1 where there is none."""
    if months == 0:
        return np.arange(len(sessions))
    number = months_of(sessions)
    columns = np.searchsorted(number, number - months, side="right") - 1
    return np.where((columns >= 0) & (number[columns] == number - months), columns, -1)


def at_columns(values: Array, columns: Array) -> Array:
    """`values` (…, T) as they stood at `columns` (T,) or (N, T); NaN where a column is −1."""
    there = np.maximum(columns, 0)
    found = values[..., there] if columns.ndim == 1 else np.take_along_axis(values, there, axis=-1)
    return np.where(columns >= 0, found, np.nan)


def shifted(values: Array, sessions: int) -> Array:
    """`values` as they stood `sessions` sessions earlier; NaN before the first."""
    return at_columns(values, np.maximum(np.arange(values.shape[-1]) - sessions, -1))
