"""Levels and candles of one symbol, from (T,) arrays of prices of one kind (all adjusted or all raw).

A swing high is a high that no high within `window` bars on either side exceeds; it is known `window` bars later, and
only then counts. Swings closer together than half an average true range are one level.
"""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import talib

from quant_site.market.indicators import atr

# TA-Lib's pattern functions, by the name traders use. Each answers ±100 (±200 when confirmed) or 0 a bar.
CANDLES = {
    "THREE_BLACK_CROWS": talib.CDL3BLACKCROWS,
    "THREE_INSIDE": talib.CDL3INSIDE,
    "THREE_WHITE_SOLDIERS": talib.CDL3WHITESOLDIERS,
    "DARK_CLOUD_COVER": talib.CDLDARKCLOUDCOVER,
    "DRAGONFLY_DOJI": talib.CDLDRAGONFLYDOJI,
    "ENGULFING": talib.CDLENGULFING,
    "EVENING_STAR": talib.CDLEVENINGSTAR,
    "GRAVESTONE_DOJI": talib.CDLGRAVESTONEDOJI,
    "HAMMER": talib.CDLHAMMER,
    "HANGING_MAN": talib.CDLHANGINGMAN,
    "HARAMI": talib.CDLHARAMI,
    "INVERTED_HAMMER": talib.CDLINVERTEDHAMMER,
    "MARUBOZU": talib.CDLMARUBOZU,
    "MORNING_STAR": talib.CDLMORNINGSTAR,
    "PIERCING": talib.CDLPIERCING,
    "SHOOTING_STAR": talib.CDLSHOOTINGSTAR,
}


@dataclass(frozen=True)
class Level:
    """A price at which swings turned; `touches` of them."""

    price: float
    touches: int


@dataclass(frozen=True)
class Levels:
    """Levels below and above the last close, the nearest first."""

    support: list[Level] = field(default_factory=list)
    resistance: list[Level] = field(default_factory=list)


@dataclass(frozen=True)
class Candle:
    """A candle pattern, `bars_ago` sessions before the last bar."""

    name: str
    direction: Literal["BULLISH", "BEARISH"]
    bars_ago: int


def support_resistance(high, low, close, *, window: int = 5, lookback: int = 250, count: int = 3) -> Levels:
    """At most `count` levels a side, from the confirmed swings of the last `lookback` bars; none where there are too few bars."""
    valid = np.isfinite(high) & np.isfinite(low) & np.isfinite(close)
    high, low, close = (np.asarray(each, dtype=float)[valid][-lookback:] for each in (high, low, close))
    span = 2 * window + 1
    if len(close) < max(span, 15):
        return Levels()
    tops = high[window:-window][np.lib.stride_tricks.sliding_window_view(high, span).max(axis=1) == high[window:-window]]
    bottoms = low[window:-window][np.lib.stride_tricks.sliding_window_view(low, span).min(axis=1) == low[window:-window]]
    levels = _clusters(np.sort(np.concatenate([tops, bottoms])), atr(high, low, close, 14)[-1] / 2)
    last = close[-1]
    below = [each for each in reversed(levels) if each.price < last]
    above = [each for each in levels if each.price > last]
    return Levels(below[:count], above[:count])


def _clusters(prices: np.ndarray, reach: float) -> list[Level]:
    """Ascending prices as levels: a price within `reach` of the first of a level belongs to it."""
    groups: list[list[float]] = []
    for price in prices.tolist():
        if groups and price - groups[-1][0] <= reach:
            groups[-1].append(price)
        else:
            groups.append([price])
    return [Level(float(np.mean(group)), len(group)) for group in groups]


def candle_patterns(opened, high, low, close, *, bars: int = 5) -> list[Candle]:
    """The patterns of the last `bars` bars, the latest first, then by name."""
    valid = np.isfinite(opened) & np.isfinite(high) & np.isfinite(low) & np.isfinite(close)
    prices = [np.asarray(each, dtype=float)[valid] for each in (opened, high, low, close)]
    if len(prices[0]) == 0:
        return []
    found = []
    for name, function in CANDLES.items():
        marks = function(*prices)[-bars:]
        found += [Candle(name, "BULLISH" if marks[i] > 0 else "BEARISH", len(marks) - 1 - int(i)) for i in np.flatnonzero(marks)]
    return sorted(found, key=lambda each: (each.bars_ago, each.name))
