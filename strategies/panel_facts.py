"""What accounting and risk read of a panel, computed once per panel instead of once a session.

The arrays are causal: column t depends on nothing after session t. They are kept as long as the panel itself.
"""

from dataclasses import dataclass
from datetime import date
from weakref import WeakKeyDictionary

import numpy as np

from quant_site.market.panel import Panel

ADV_SESSIONS = 20
VOLATILITY_SESSIONS = 60
# Of 60 sessions a symbol may miss a few bars, and still has a volatility.
VOLATILITY_RETURNS = 55
# Running sums leave rounding noise of this size where a price did not move at all.
NO_VARIANCE = 1e-16


@dataclass(frozen=True, eq=False)
class PanelFacts:
    """Arrays of shape (N, T): `last_bar` is the column of the last bar at or before t (−1: none yet), `adv` the mean
    shares of the bars within 20 sessions, `volatility` the daily σ (ddof 1) of adjusted returns within 60 sessions.
    NaN where the window is not full. `days` are the panel's sessions as dates."""

    days: list[date]
    last_bar: np.ndarray
    adv: np.ndarray
    volatility: np.ndarray


_facts: WeakKeyDictionary[Panel, PanelFacts] = WeakKeyDictionary()


def panel_facts(panel: Panel) -> PanelFacts:
    """The facts of `panel`, from a process-wide cache keyed by the panel's identity."""
    facts = _facts.get(panel)
    if facts is None:
        facts = _facts[panel] = _compute(panel)
    return facts


def _compute(panel: Panel) -> PanelFacts:
    columns = np.arange(len(panel.sessions))
    last_bar = np.maximum.accumulate(np.where(np.isfinite(panel.close), columns, -1), axis=1)
    volatility = return_volatility(panel.adj_close, last_bar)
    return PanelFacts(panel.sessions.astype("datetime64[D]").tolist(), last_bar, average_volume(panel.volume), volatility)


def average_volume(volume: np.ndarray, window: int = ADV_SESSIONS) -> np.ndarray:
    """Mean of the values within the last `window` columns; NaN before there is a full window since the first value."""
    total, count, ready = _window(volume, window)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(ready & (count > 0), total / count, np.nan)


def return_volatility(
    prices: np.ndarray, last_bar: np.ndarray, window: int = VOLATILITY_SESSIONS, least: int = VOLATILITY_RETURNS
) -> np.ndarray:
    """Standard deviation (ddof 1) of the returns within the last `window` columns; NaN with fewer than `least`.

    A return spans a gap in the bars: it belongs to the column where trading resumed.
    """
    rows = np.arange(len(prices))[:, None]
    before = np.concatenate([np.full((len(prices), 1), -1), last_bar[:, :-1]], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        returns = np.where(before >= 0, prices / prices[rows, before] - 1, np.nan)
        total, count, _ = _window(returns, window)
        squares, _, _ = _window(returns**2, window)
        variance = (squares - total**2 / count) / (count - 1)
    variance = np.where(variance < NO_VARIANCE, 0.0, variance)
    return np.where(count >= least, np.sqrt(variance), np.nan)


def _window(values: np.ndarray, window: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sum and count of the finite values within the last `window` columns, and whether that many columns have passed
    since the first of them."""
    finite = np.isfinite(values)
    total, count = np.cumsum(np.where(finite, values, 0.0), axis=1), np.cumsum(finite, axis=1)
    ready = np.cumsum(count > 0, axis=1) >= window
    for array in (total, count):
        array[:, window:] -= array[:, :-window].copy()
    return total, count, ready
