"""The gap between forecast and implied volatility, and how extreme it is: among stocks, or within an underlying's own past.

A gap is log(forecast σ) − log(implied σ): above zero options look cheap. Arrays are (N, T); column t depends on columns up
to t only.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from strategies.library.realised import annual_volatility


@dataclass(frozen=True)
class Gaps:
    """(N, T): the `gap`, its `rank` from 0 (options dearest) to 1 (cheapest), and the `centre` it is extreme from; NaN where unknown."""

    gap: np.ndarray
    rank: np.ndarray
    centre: np.ndarray


def volatility_gap(variance: np.ndarray, implied: np.ndarray) -> np.ndarray:
    """Of a forecast variance a session and an implied volatility a year."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.log(annual_volatility(variance)) - np.log(np.where(implied > 0, implied, np.nan))


def ranked_gaps(gap: np.ndarray, stocks: np.ndarray, *, window: int, fewest: int) -> Gaps:
    """Rank each gap: a stock's among the stocks of its session where at least `fewest` have one, anything else's in its past.

    `stocks` is a mask of rows. The past is the `window` gaps before; the centre is the median of what is ranked among.
    """
    rank, centre = _in_its_past(gap, window)
    among, middle, count = _among(np.where(stocks[:, None], gap, np.nan))
    across = stocks[:, None] & (count >= fewest)
    return Gaps(gap, np.where(across, among, rank), np.where(across & np.isfinite(gap), middle, centre))


def _in_its_past(gap: np.ndarray, window: int) -> tuple[np.ndarray, np.ndarray]:
    """The share of the `window` gaps before that are smaller, and their median; gaps that are not known are passed over."""
    rank, centre = np.full(gap.shape, np.nan), np.full(gap.shape, np.nan)
    for row in range(len(gap)):
        at = np.flatnonzero(np.isfinite(gap[row]))
        values = pd.Series(gap[row, at])
        rank[row, at] = (values.rolling(window + 1).rank() - 1) / window
        centre[row, at] = values.rolling(window).median().shift()
    return rank, centre


def _among(gap: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each session: the rank of each gap from 0 to 1, the median, and how many there are."""
    frame = pd.DataFrame(gap)
    count = np.isfinite(gap).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        rank = (frame.rank(axis=0).to_numpy() - 1) / (count - 1)
    return rank, frame.median(axis=0).to_numpy(), count
