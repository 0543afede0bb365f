"""Findings about what was not done: entries that were not filled, gains that were not taken, strategies that are one twice.

Pure, and written as those of `findings` are: only where the whole interval is on the wrong side.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from statistics import NormalDist

import numpy as np

from analytics.judging.findings import FEWEST_SESSIONS, FEWEST_TRADES, Code, Observation, observation
from analytics.stats import Metric, correlation, mean_estimate, observed

# The gain, in units of initial risk, at which a trade is asked whether it should have been taken.
GAIN_TAKEN = 1.0
TOGETHER = 0.7
# Fisher's transform knows no correlation of exactly 1.
ALMOST_ONE = 1 - 1e-9


def by_session(results: Iterable[tuple[date, float]]) -> list[float]:
    """The mean result of each session's trades, oldest session first: trades of one day go the same way, and are no several looks."""
    days: dict[date, list[float]] = defaultdict(list)
    for session, result in results:
        days[session].append(result)
    return [float(np.mean(days[session])) for session in sorted(days)]


def rejections_cost(scope: str, results: Sequence[tuple[date, float]], confidence: float) -> Observation | None:
    """`results`: session of entry and dollars that each entry without a fill would have made, net of costs."""
    days = by_session(results)
    if len(days) < FEWEST_TRADES:
        return None
    mean = mean_estimate(days, confidence)
    if mean.value is None or mean.low <= 0:
        return None
    return observation(Code.REJECTIONS_COST, scope, mean, 1, unit="dollars an entry", confidence=confidence, missed=len(results))


def gains_given_back(scope: str, trades: Sequence[tuple[float, float]], confidence: float) -> Observation | None:
    """`trades`: best P&L while open and result of each closed trade, both in units of its initial risk.

    What a limit at a gain of 1 R would have made more. Without drift it makes nothing on average, however much trades give back
    of their best (a stopped martingale is one): an interval above zero speaks against the exits. That best P&L was
    above the result proves nothing, it always is.
    """
    if len(trades) < FEWEST_TRADES:
        return None
    best, result = np.asarray(trades, float).T
    mean = mean_estimate(np.where(best >= GAIN_TAKEN, GAIN_TAKEN - result, 0.0), confidence)
    if mean.value is None or mean.low <= 0:
        return None
    return observation(Code.GAINS_GIVEN_BACK, scope, mean, 1, unit="R a trade", confidence=confidence, gain=GAIN_TAKEN)


def correlated_strategies(
    scope: str, other: str, returns: Sequence[float], others: Sequence[float], confidence: float
) -> Observation | None:
    """Daily returns of two strategies over the same sessions (`active`), with Fisher's interval (1921) of their correlation."""
    found = correlation(returns, others)
    if found.n < FEWEST_SESSIONS or found.value is None:
        return None
    estimate = fisher_interval(found, confidence)
    if estimate.low <= TOGETHER:
        return None
    return observation(Code.CORRELATED_STRATEGIES, scope, estimate, 1, unit="correlation", confidence=confidence, other=other)


def active(returns: np.ndarray, others: np.ndarray) -> np.ndarray:
    """In which sessions at least one of the two made or lost anything: two that rest together do not move together."""
    return (returns != 0) | (others != 0)


def fisher_interval(found: Metric, confidence: float) -> Metric:
    """tanh(artanh r ± z/√(n − 3)); needs n ≥ 4."""
    centre = math.atanh(max(min(found.value, ALMOST_ONE), -ALMOST_ONE))
    half = NormalDist().inv_cdf((1 + confidence) / 2) / math.sqrt(found.n - 3)
    return observed(found.value, found.n, (math.tanh(centre - half), math.tanh(centre + half)))
