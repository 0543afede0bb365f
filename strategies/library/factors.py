"""Loadings on return factors: ordinary least squares over a rolling window, for many symbols at once.

Fama and French (1993), "Common Risk Factors in the Returns on Stocks and Bonds", Journal of Financial Economics 33:
r − r_f = α + b·MKT_RF + s·SMB + h·HML + ε. Standard errors are those of homoscedastic errors.
"""

from dataclasses import dataclass

import numpy as np

from quant_site.market.reference import Reference
from strategies.library.windows import rolling_sum, shifted

THREE_FACTORS = ("MKT_RF", "SMB", "HML")
# Of a window's sessions, the share that must have both a return and the factors.
COVERAGE = 0.9
# Regressors in percent have squares of the size of the constant's, which keeps the normal equations well conditioned.
PERCENT = 100.0
# Where the factors explain all but this share of the variance, the rest is rounding and has no standard error.
SMALLEST_RESIDUAL = 1e-10
# A determinant this small, as a share of the product of the diagonal, is a window whose factors cannot be told apart.
SMALLEST_DETERMINANT = 1e-10


@dataclass(frozen=True)
class Loadings:
    """Of N symbols at T sessions: `alpha` (N, T) a day, `betas` (K, N, T), and their t-statistics `alpha_t` and `betas_t`.

    `observations` (N, T) counts the sessions that went in. NaN where there were too few.
    """

    alpha: np.ndarray
    betas: np.ndarray
    alpha_t: np.ndarray
    betas_t: np.ndarray
    observations: np.ndarray


def factor_returns(reference: Reference, names: tuple[str, ...] = THREE_FACTORS) -> np.ndarray | None:
    """(K, T) daily factor returns as decimals; None where one of `names` is not there."""
    if any(name not in reference.series for name in names):
        return None
    return np.stack([reference.series[name] for name in names])


def factor_loadings(excess: np.ndarray, factors: np.ndarray, window: int, *, lag: int = 0) -> Loadings:
    """Regressions of excess returns (N, T) on a constant and factors (K, T), over the last `window` sessions each.

    A session counts where the return and every factor are known; a window needs 90 % of its sessions. With `lag`, column t
    holds the regression that ended `lag` sessions earlier: the newest one that could be known at t.
    """
    names, sessions = excess.shape
    known = np.isfinite(factors).all(axis=0)
    regressors = np.where(known, np.vstack([np.ones(sessions), factors * PERCENT]), 0.0)
    moments = regressors[:, None, :] * regressors[None, :, :]
    shared = _inverse(np.moveaxis(rolling_sum(moments, window), -1, 0))
    shared_count = rolling_sum(known.astype(float), window)
    estimates = np.full((2, names, sessions, len(regressors)), np.nan)
    counts = np.zeros((names, sessions))
    for row in range(names):
        used = known & np.isfinite(excess[row])
        counts[row] = np.nan_to_num(rolling_sum(used.astype(float), window))
        enough = np.flatnonzero(counts[row] >= max(COVERAGE * window, len(regressors) + 1))
        if not len(enough):
            continue
        inverse = shared[enough]
        torn = counts[row, enough] < shared_count[enough]
        if torn.any():
            own = rolling_sum(moments * used, window)[..., enough[torn]]
            inverse[torn] = _inverse(np.moveaxis(own, -1, 0))
        estimates[:, row, enough] = _solve(inverse, np.where(used, excess[row], 0.0), regressors, window, enough, counts[row, enough])
    return _loadings(estimates, counts, lag)


def _inverse(moments: np.ndarray) -> np.ndarray:
    """Inverses of matrices (T, k, k); NaN where one is not of full rank or not known."""
    diagonal = np.prod(np.diagonal(moments, axis1=1, axis2=2), axis=1)
    with np.errstate(invalid="ignore"):
        regular = np.linalg.det(moments) > SMALLEST_DETERMINANT * diagonal
    result = np.full_like(moments, np.nan)
    result[regular] = np.linalg.inv(moments[regular])
    return result


def _solve(inverse: np.ndarray, values: np.ndarray, regressors: np.ndarray, window: int, columns: np.ndarray, count: np.ndarray):
    """(2, C, k) coefficients and their t-statistics at `columns`, of windows whose inverse moments and counts are given."""
    cross = rolling_sum(regressors * values, window)[:, columns].T
    total, squares = cross[:, 0], rolling_sum(values * values, window)[columns]
    coefficients = np.einsum("tij,tj->ti", inverse, cross)
    residual = squares - np.einsum("ti,ti->t", coefficients, cross)
    spread = squares - total * total / count
    residual = np.where(residual > SMALLEST_RESIDUAL * spread, residual, np.nan)
    variance = residual / (count - inverse.shape[-1])
    errors = np.sqrt(variance[:, None] * np.diagonal(inverse, axis1=1, axis2=2))
    return np.stack([coefficients, coefficients / errors])


def _loadings(estimates: np.ndarray, counts: np.ndarray, lag: int) -> Loadings:
    estimates = np.moveaxis(estimates, -1, 1)
    coefficients, statistics = (shifted(part, lag) for part in estimates)
    return Loadings(
        alpha=coefficients[0],
        betas=coefficients[1:] * PERCENT,
        alpha_t=statistics[0],
        betas_t=statistics[1:],
        observations=np.nan_to_num(shifted(counts, lag)),
    )
