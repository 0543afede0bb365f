"""Sizes of a trend follower: exponentially weighted variances, the return of cash, and weights scaled to a volatility.

Moskowitz, Ooi and Pedersen (2012), Journal of Financial Economics 104, equation 1. Arrays are float64 with sessions along
the last axis; weights of a history of n returns sum to one over those n.
"""

import numpy as np
import pandas as pd

from quant_site.market.reference import Reference
from strategies.library.windows import at_columns, recent

# The paper's days of a year, and the exchange's, which yearly rates accrue over.
YEAR_DAYS = 261
SESSIONS_A_YEAR = 252
# Treasury bills are quoted daily and factors published some weeks late: an older rate is not today's.
RATE_SESSIONS = 63
# Weights fall by a factor e each centre of mass: after so many nothing is left.
MEMORY = 20


def exponential_variance(returns: np.ndarray, center_of_mass: float, least: int) -> np.ndarray:
    """Variance (M, T) a day of the returns up to each session, weighted by (c/(c + 1))^age around the mean of the same
    weights; NaN before `least` returns, and carried over sessions without one."""
    frame = pd.DataFrame(returns.T)
    return frame.ewm(com=center_of_mass, ignore_na=True, min_periods=least).var(bias=True).to_numpy().T


def exponential_covariance(returns: np.ndarray, center_of_mass: float) -> np.ndarray:
    """Covariance (M, M) a day with the same weights, of the sessions on which every market has a return."""
    common = returns[:, np.isfinite(returns).all(axis=0)][:, -int(MEMORY * center_of_mass) :]
    if common.shape[1] < 2:
        return np.full((len(returns), len(returns)), np.nan)
    weights = (center_of_mass / (center_of_mass + 1)) ** np.arange(common.shape[1] - 1, -1, -1)
    return np.atleast_2d(np.cov(common, aweights=weights, ddof=0))


def cash_returns(reference: Reference, sessions: int) -> np.ndarray:
    """(T,) the return of cash a session: the three-month bill's yearly rate, else RF, else the last of them for a quarter."""
    unknown = np.full(sessions, np.nan)
    bill, factor = (above_ruin(reference.series.get(name, unknown)) for name in ("TBILL_3M", "RF"))
    daily = np.expm1(np.log1p(bill) / SESSIONS_A_YEAR)
    return recent(np.where(np.isfinite(daily), daily, factor)[None], RATE_SESSIONS)[0]


def above_ruin(rates: np.ndarray) -> np.ndarray:
    """`rates` above −100 %; NaN for others, which no cash can earn."""
    return np.where(rates > -1, rates, np.nan)


def earned_since(returns: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """(T,) `returns` compounded from after `columns` (T,) up to each session; NaN where one of them is not known."""
    known = np.isfinite(returns)
    growth = np.cumsum(np.log1p(np.where(known, returns, 0.0)))
    unknown = np.cumsum(~known).astype(float)
    return np.where(unknown == at_columns(unknown, columns), np.expm1(growth - at_columns(growth, columns)), np.nan)


def scaled_weights(weights: np.ndarray, covariance: np.ndarray, target: float, max_gross: float) -> np.ndarray | None:
    """`weights` in their proportions, at the `target` volatility a year by the yearly `covariance`, or at `max_gross` where
    that needs more. None where they have no volatility that is known, and so no size."""
    if not weights.any():
        return weights
    variance = float(weights @ covariance @ weights)
    if not variance > 0:
        return None
    scaled = weights * target / np.sqrt(variance)
    return scaled * min(1.0, max_gross / np.abs(scaled).sum())
