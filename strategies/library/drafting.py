"""Small pieces that every strategy of the library writes its drafts with."""

from collections.abc import Iterable

import numpy as np

from quant_site.core.types import Direction
from quant_site.market.panel import Panel
from strategies.base import Draft, Holding, Leg


def raw_price(panel: Panel, row: int, t: int, adjusted: float) -> float:
    """An adjusted price or distance of session t in what the symbol trades at on that session, six decimals."""
    return round(float(adjusted / panel.factor[row, t]), 6)


def rounded(value: float, digits: int = 4) -> float:
    """A number for people and JSON: a plain float."""
    return round(float(value), digits)


def closing(holding: Holding, rule: str, reason: str, **numbers) -> Draft:
    """The draft that closes `holding` whole. `rule` is the stable name of the exit, `numbers` what it was decided on."""
    symbols = sorted(holding.quantities)
    legs = tuple(Leg(symbol, Direction.CLOSE, 1 / len(symbols)) for symbol in symbols)
    return Draft(holding.group, Direction.CLOSE, legs, 0.0, reason, metadata={"rule": rule, **numbers})


def in_order(exits: Iterable[Draft], entries: Iterable[Draft]) -> list[Draft]:
    """Exits before entries, each by the name of its trade."""
    return [*sorted(exits, key=lambda draft: draft.group), *sorted(entries, key=lambda draft: draft.group)]


def sessions_held(panel: Panel, holding: Holding, t: int) -> int:
    """Sessions from the fill at an open to the close of session t, both counted."""
    return t - panel.index(holding.entry_session) + 1


def carried(values: np.ndarray) -> np.ndarray:
    """`values` (N, T) with each gap filled by the value before it; NaN only before the first."""
    columns = np.where(np.isnan(values), -1, np.arange(values.shape[1]))
    last = np.maximum.accumulate(columns, axis=1)
    filled = np.take_along_axis(values, np.maximum(last, 0), axis=1)
    filled[last < 0] = np.nan
    return filled


def at_bar_before(values: np.ndarray) -> np.ndarray:
    """For each column the latest known value of `values` (N, T) strictly before it."""
    before = np.full_like(values, np.nan)
    before[:, 1:] = carried(values)[:, :-1]
    return before
