"""How likely it is that the best of several parameter sets is the best by chance.

Combinatorially symmetric cross-validation of Bailey, Borwein, López de Prado and Zhu (2017, "The probability of backtest
overfitting"): the sessions are cut into blocks; each half of the blocks chooses its best set, and the other half says where
that set ranks among all. The probability of overfitting is the share of choices that rank in the lower half.
"""

from functools import cache
from itertools import combinations

import numpy as np

from analytics.stats import Metric, Undefined, observed, undefined
from quant_site.core.errors import InvalidInput

BLOCKS = 16
NO_SPREAD = 1e-12
# So many choices are ranked at a time: what they need then stays in the cache.
AT_ONCE = 512


def probability_of_overfitting(returns: np.ndarray, blocks: int = BLOCKS) -> Metric:
    """PBO of daily `returns` (N sets, T sessions), by Sharpe ratio; `n` counts the choices, C(blocks, blocks/2).

    Sessions that fill no whole block are left out at the beginning. Undefined below two sets (NO_DATA) and below four
    sessions a block (TOO_FEW). Of a tie the middle rank counts. Raises `InvalidInput` for NaN or an odd number of blocks.
    """
    values = np.asarray(returns, dtype=float)
    if values.ndim != 2 or not np.isfinite(values).all():
        raise InvalidInput("not_finite", "Cross-validation needs finite returns, one row a parameter set.")
    if blocks < 2 or blocks % 2:
        raise InvalidInput("bad_blocks", f"The number of blocks is even and two or more, not {blocks}.")
    sets, sessions = values.shape
    size = sessions // blocks
    if sets < 2:
        return undefined(Undefined.NO_DATA, 0)
    if size < 4:
        return undefined(Undefined.TOO_FEW, 0)
    cut = values[:, sessions - size * blocks :].reshape(sets, blocks, size)
    sums, squares = cut.sum(axis=2).T, (cut * cut).sum(axis=2).T
    halves = _halves(blocks)
    below = sum(_below(halves[start : start + AT_ONCE], sums, squares, size) for start in range(0, len(halves), AT_ONCE))
    return observed(float(below) / len(halves), len(halves))


@cache
def _halves(blocks: int) -> np.ndarray:
    """(C, blocks): 1 where a block chooses, 0 where it judges."""
    chosen = list(combinations(range(blocks), blocks // 2))
    halves = np.zeros((len(chosen), blocks))
    halves[np.repeat(np.arange(len(chosen)), blocks // 2), np.concatenate(chosen)] = 1
    return halves


def _below(halves: np.ndarray, sums: np.ndarray, squares: np.ndarray, size: int) -> float:
    """How many of the choices rank in the lower half where they are judged; a half for one exactly in the middle."""
    best = _sharpe(halves @ sums, halves @ squares, size * halves.shape[1] // 2).argmax(axis=1)
    judged = _sharpe((1 - halves) @ sums, (1 - halves) @ squares, size * halves.shape[1] // 2)
    own = np.take_along_axis(judged, best[:, None], axis=1)
    worse, same = (judged < own).sum(axis=1), (judged == own).sum(axis=1)
    rank = worse + (same + 1) / 2
    middle = (judged.shape[1] + 1) / 2
    return float((rank < middle).sum() + 0.5 * (rank == middle).sum())


def _sharpe(sums: np.ndarray, squares: np.ndarray, n: int) -> np.ndarray:
    """Sharpe ratios per session from sums; 0 where nothing varies."""
    mean = sums / n
    spread = np.sqrt(np.maximum(squares / n - mean * mean, 0) * n / (n - 1))
    return np.where(spread > NO_SPREAD, mean / np.maximum(spread, NO_SPREAD), 0.0)
