"""Splits and dividends, read off the change of the adjustment factor (adjusted / raw close) between a symbol's bars.

The factor is a step function that its source shows through rounded prices. Each bar says within which interval it
lies; as long as the intervals overlap nothing happened. Where one does not, the ratio r = new factor / old factor is

- below noise (|r − 1| < 5e-4) or a fall of less than a tenth: a correction of the source, no action;
- a rise by a fifth or more next to a simple fraction, or a fall by a tenth or more: a split into r new shares for one;
- any other rise: cash D per share, in raw price units. A spin-off shows as such a dividend of its worth.

Sources compute r in two ways: 1 / (1 − D / previous close) as CRSP and Yahoo do, or 1 + D / close of the ex-date as Quandl
WIKI does. Rounding leaves a range of amounts under either; the one with the fewest decimals is taken, for dividends are
declared in cents. Two actions in one session are seen as one. The reading is causal: an action at t depends on bars up to
t only. Amounts of a source whose raw prices are split-adjusted already are split-adjusted too, and it shows no splits.
"""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Literal

import numpy as np

from quant_site.market.panel import Panel

NOISE = 5e-4
SPLIT_UP, SPLIT_DOWN = 1.2, 0.9
SPLIT_TOLERANCE = 0.005
MAX_DECIMALS = 6
# Products and quotients of doubles differ by this much, relatively, where nothing happened.
FLOAT_NOISE = 1e-9
SIMPLE_RATIOS = sorted(
    {Fraction(p, q) for q in range(1, 6) for p in range(q + 1, 51)}
    | {Fraction(1, p) for p in range(2, 101)}
    | {Fraction(2, 3), Fraction(3, 4), Fraction(4, 5)}
)


@dataclass(frozen=True)
class CorporateAction:
    """What happened before the open of a session. `value` of a SPLIT: new shares for one old; of a DIVIDEND: cash per share."""

    symbol: str
    kind: Literal["SPLIT", "DIVIDEND"]
    value: Decimal


def corporate_actions(panel: Panel) -> dict[int, list[CorporateAction]]:
    """Actions by the column of the session in which they take effect (the ex-date), symbols in the panel's order."""
    actions: dict[int, list[CorporateAction]] = {}
    for row, symbol in enumerate(panel.symbols):
        for t, kind, value in _row_actions(panel.close[row], panel.factor[row]):
            actions.setdefault(t, []).append(CorporateAction(symbol, kind, value))
    return dict(sorted(actions.items()))


def _row_actions(close: np.ndarray, factor: np.ndarray) -> list[tuple[int, str, Decimal]]:
    columns = np.flatnonzero(np.isfinite(close) & np.isfinite(factor) & (close > 0) & (factor > 0))
    close, factor = close[columns], factor[columns]
    if len(columns) < 2 or np.ptp(factor) < FLOAT_NOISE:
        return []
    low, high = _intervals(close, factor)
    actions = []
    old_low, old_high = low[0], high[0]
    for i in range(1, len(columns)):
        if low[i] <= old_high and high[i] >= old_low:
            old_low, old_high = max(old_low, low[i]), min(old_high, high[i])
            continue
        action = _action(low[i] / old_high, high[i] / old_low, float(close[i - 1]), float(close[i]))
        if action:
            actions.append((int(columns[i]), *action))
        old_low, old_high = low[i], high[i]
    return actions


def _intervals(close: np.ndarray, factor: np.ndarray) -> tuple[list[float], list[float]]:
    """Between which values each bar's factor lies, given to how many decimals its prices are written.

    A source that writes its adjusted prices to more decimals than its closes made them from those very closes: they are exact.
    """
    adjusted = close * factor
    decimals, close_decimals = _decimals(adjusted), _decimals(close)
    half_adjusted = _half_unit(decimals)
    half_close = np.where(decimals > close_decimals, 0.0, np.minimum(_half_unit(close_decimals), close / 2))
    low = np.maximum(adjusted - half_adjusted, adjusted / 2) / (close + half_close) * (1 - FLOAT_NOISE)
    high = (adjusted + half_adjusted) / (close - half_close) * (1 + FLOAT_NOISE)
    return low.tolist(), high.tolist()


def _decimals(prices: np.ndarray) -> np.ndarray:
    """To how many decimals the prices up to each bar are written; one more than `MAX_DECIMALS` stands for "not rounded"."""
    decimals = np.full(len(prices), MAX_DECIMALS + 1)
    for d in range(MAX_DECIMALS, -1, -1):
        scaled = prices * 10**d
        decimals[np.abs(scaled - np.round(scaled)) < 1e-7 * 10 ** max(d - 2, 0)] = d
    return np.maximum.accumulate(decimals)


def _half_unit(decimals: np.ndarray) -> np.ndarray:
    return np.where(decimals > MAX_DECIMALS, 0.0, 0.5 * 10.0**-decimals)


def _action(low: float, high: float, before: float, close: float) -> tuple[str, Decimal] | None:
    """The action that explains a ratio of factors between `low` and `high`, given the close before and that of the session."""
    ratio = (low + high) / 2
    if abs(ratio - 1) < NOISE:
        return None
    if ratio >= SPLIT_UP or ratio <= SPLIT_DOWN:
        simple = min(SIMPLE_RATIOS, key=lambda each: abs(float(each) / ratio - 1))
        if ratio <= SPLIT_DOWN or abs(float(simple) / ratio - 1) <= max(SPLIT_TOLERANCE, high / ratio - 1):
            return "SPLIT", Decimal(simple.numerator) / Decimal(simple.denominator)
    if ratio < 1:
        return None
    return "DIVIDEND", _roundest((before * (1 - 1 / low), before * (1 - 1 / high)), (close * (low - 1), close * (high - 1)))


def _roundest(*ranges: tuple[float, float]) -> Decimal:
    """The amount with the fewest decimals (two to four) in one of `ranges`, earlier ones first; else the first one's middle."""
    for decimals in (2, 3, 4):
        for low, high in ranges:
            rounded = round((low + high) / 2, decimals)
            if rounded > 0 and low <= rounded <= high:
                return Decimal(f"{rounded:.4f}")
    return Decimal(f"{sum(ranges[0]) / 2:.4f}")
