"""The market around a symbol at the close of a session: trend, range and volatility, from bars up to then.

Pure. What has too few bars is None.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np

from quant_site.market import indicators as ta
from quant_site.market.panel import Panel

TREND_SESSIONS, LONG_SESSIONS = 20, 60
SESSIONS_A_YEAR = 252


@dataclass(frozen=True)
class Surroundings:
    """The return of 20 sessions, the same in standard deviations of 20 sessions (σ of 60 sessions · √20), the close over its
    20-session mean − 1, Wilder's ADX and average true range (in today's dollars), volatilities a year of 20 and 60 sessions."""

    symbol: str
    trend_20: float | None = None
    trend_in_deviations: float | None = None
    above_mean_20: float | None = None
    adx_14: float | None = None
    atr_14: float | None = None
    volatility_20: float | None = None
    volatility_60: float | None = None


def surroundings_of(symbol: str, bars: Panel, row: int, t: int) -> Surroundings:
    """The market around `symbol` at the close of column t, on adjusted prices scaled to the raw ones of that day."""
    scale = bars.factor[row, : t + 1] / bars.factor[row, t]
    high, low, close = (getattr(bars, name)[row, : t + 1] * scale for name in ("high", "low", "close"))
    with np.errstate(invalid="ignore", divide="ignore"):
        returns = close[1:] / close[:-1] - 1
    near, far = _deviation(returns, TREND_SESSIONS), _deviation(returns, LONG_SESSIONS)
    trend = _finite(close[-1] / close[-1 - TREND_SESSIONS] - 1) if t >= TREND_SESSIONS else None
    return Surroundings(
        symbol=symbol,
        trend_20=trend,
        trend_in_deviations=trend / (far * sqrt(TREND_SESSIONS)) if trend is not None and far else None,
        above_mean_20=_finite(close[-1] / ta.sma(close, TREND_SESSIONS)[-1] - 1),
        adx_14=_finite(ta.adx(high, low, close)[-1]),
        atr_14=_finite(ta.atr(high, low, close)[-1]),
        volatility_20=None if near is None else near * sqrt(SESSIONS_A_YEAR),
        volatility_60=None if far is None else far * sqrt(SESSIONS_A_YEAR),
    )


def _deviation(returns: np.ndarray, count: int) -> float | None:
    """σ a day (ddof 1) of the last `count` returns; None where one of them is missing."""
    window = returns[-count:]
    return float(window.std(ddof=1)) if len(window) == count and np.isfinite(window).all() else None


def _finite(value) -> float | None:
    return float(value) if np.isfinite(value) else None
