"""Cross-sections: who may be ranked, how high each stands, and which of them to hold.

Arrays are (N,), one value a symbol, NaN where it is not known. Equal values rank equal; where one must come first it is
the first of the alphabet, so that a decision never depends on the order of a panel.
"""

import math
from collections.abc import Sequence

import numpy as np
from scipy.stats import rankdata

from quant_site.market.panel import Panel

# How a kind is named where nobody said it: most universes are of stocks.
STOCKS = ("STOCK", "")


def stock_rows(panel: Panel) -> np.ndarray:
    """(N,) whether each symbol is a stock, as its instrument says; where kinds are unknown it is taken for one."""
    kinds = panel.reference.kinds or ("",) * len(panel.symbols)
    return np.array([kind in STOCKS for kind in kinds], dtype=bool)


def percentiles(values: np.ndarray) -> np.ndarray:
    """Rank of each known value as a percentile, (rank − ½) / n · 100: 50 for one alone, never 0 nor 100; NaN stays NaN."""
    known = np.isfinite(values)
    result = np.full(len(values), np.nan)
    if known.any():
        result[known] = (rankdata(values[known]) - 0.5) / known.sum() * 100
    return result


def mean_of(*scores: np.ndarray) -> np.ndarray:
    """The mean of several scores where all are known."""
    return sum(scores) / len(scores)


def best_first(scores: np.ndarray, symbols: Sequence[str]) -> list[int]:
    """The rows of known scores, the highest first, of equals the first of the alphabet."""
    return sorted(np.flatnonzero(np.isfinite(scores)).tolist(), key=lambda row: (-scores[row], symbols[row]))


def top_count(count: int, share: float) -> int:
    """How many of `count` names make the best `share`: at least one of them, a part of a name counts as one."""
    return min(count, max(1, math.ceil(count * share - 1e-9))) if count else 0


def buy_and_hold_zones(scores: np.ndarray, symbols: Sequence[str], held: frozenset[str], *, buy: float, hold: float) -> list[int]:
    """Rows of the best share `buy`, and those that are held and whose percentile is at least `hold`; the best first.

    Novy-Marx and Velikov (2016), Review of Financial Studies 29(1): asking more of what is bought than of what is kept
    saves most of the costs.
    """
    ordered = best_first(scores, symbols)
    bought = set(ordered[: top_count(len(ordered), buy)])
    standing = percentiles(scores)
    return [row for row in ordered if row in bought or (symbols[row] in held and standing[row] >= hold)]


def buffered(scores: np.ndarray, symbols: Sequence[str], held: frozenset[str], *, count: int, buffer: float) -> list[int]:
    """`count` rows with a buffer of the share `buffer` around that number; the best first.

    The best count·(1 − buffer) are taken, then what is held among the best count·(1 + buffer), then the best of the rest.
    """
    ordered = best_first(scores, symbols)
    sure = math.floor(count * (1 - buffer) + 1e-9)
    kept = [row for row in ordered[sure : math.floor(count * (1 + buffer) + 1e-9)] if symbols[row] in held]
    chosen = [*ordered[:sure], *kept][:count]
    chosen += [row for row in ordered[sure:] if row not in chosen][: count - len(chosen)]
    return [row for row in ordered if row in chosen]
