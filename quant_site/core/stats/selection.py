"""How likely a Sharpe ratio is more than luck, given how long the record, how it is shaped, and how many were tried.

Sharpe ratios in this module are per period, not per year: sharpe / √252 of a daily record.
"""

import math
from collections.abc import Iterable

from scipy.special import ndtr, ndtri

from quant_site.core.errors import InvalidInput
from quant_site.core.stats.metric import NO_SPREAD, Metric, Undefined, number, observed, undefined
from quant_site.core.stats.returns import Returns, rate_per_period

EULER_MASCHERONI = 0.5772156649015329


def probabilistic_sharpe_ratio(returns: Iterable | Returns, threshold: float = 0.0, risk_free: float = 0.0) -> Metric:
    """Probability that the true Sharpe ratio per period exceeds `threshold` (Bailey and López de Prado 2012).

    Φ[(SR − SR*)·√(n − 1) / √(1 − γ₃·SR + (γ₄ − 1)/4·SR²)] with SR = mean(r − rf) / sd(r), sd with n − 1, γ₃ the skewness
    and γ₄ the kurtosis (3 for the normal distribution). Undefined below 2 observations and without variation.
    """
    series = Returns.of(returns, "Probabilistic Sharpe ratio")
    if reason := _unmeasured(series):
        return undefined(reason, series.n)
    return probabilistic_sharpe_ratio_of(_sharpe(series, risk_free), series.n, *series.shape, threshold)


def probabilistic_sharpe_ratio_of(sharpe: float, n: int, skewness: float = 0.0, kurtosis: float = 3.0, threshold: float = 0.0) -> Metric:
    """The same from a Sharpe ratio per period. Undefined (NO_VARIATION) where the moments leave the ratio no variance."""
    if n < 2:
        return undefined(Undefined.TOO_FEW, n)
    variance = 1 - skewness * sharpe + (kurtosis - 1) / 4 * sharpe * sharpe
    if variance < NO_SPREAD:
        return undefined(Undefined.NO_VARIATION, n)
    return observed(ndtr((sharpe - number(threshold, "The threshold")) * math.sqrt(n - 1) / math.sqrt(variance)), n)


def deflated_sharpe_ratio(returns: Iterable | Returns, trials: int, variance: float, risk_free: float = 0.0) -> Metric:
    """Probability that the true Sharpe ratio per period exceeds the best that `trials` without any edge would show.

    Bailey and López de Prado 2014: the probabilistic Sharpe ratio against `expected_maximum_sharpe`. `trials` counts
    everything that was tried, not what was kept; `variance` is that of the trials' Sharpe ratios per period.
    """
    return probabilistic_sharpe_ratio(Returns.of(returns, "Deflated Sharpe ratio"), expected_maximum_sharpe(trials, variance), risk_free)


def deflated_sharpe_ratio_of(sharpe: float, n: int, skewness: float, kurtosis: float, trials: int, variance: float) -> Metric:
    """The same from a Sharpe ratio per period."""
    return probabilistic_sharpe_ratio_of(sharpe, n, skewness, kurtosis, expected_maximum_sharpe(trials, variance))


def expected_maximum_sharpe(trials: int, variance: float) -> float:
    """SR₀ = √V·[(1 − γ)·Φ⁻¹(1 − 1/N) + γ·Φ⁻¹(1 − 1/(N·e))], γ Euler–Mascheroni: the best of N Sharpe ratios without edge.

    0 for a single trial, where the formula has no value: the best of one is that one.
    """
    if trials != int(trials) or trials < 1:
        raise InvalidInput("bad_trials", f"The number of trials is a whole number of 1 or more, not {trials}.")
    if not 0 <= variance < math.inf:
        raise InvalidInput("bad_variance", f"The variance of the trials' Sharpe ratios is zero or more, not {variance}.")
    if trials == 1:
        return 0.0
    # Φ⁻¹(1 − x) = −Φ⁻¹(x), which keeps its digits where 1 − x would round to 1.
    normal = -(1 - EULER_MASCHERONI) * ndtri(1 / trials) - EULER_MASCHERONI * ndtri(1 / (trials * math.e))
    return float(math.sqrt(variance) * normal)


def _unmeasured(series: Returns) -> Undefined | None:
    if series.n < 2:
        return Undefined.TOO_FEW
    if not math.isfinite(series.sd):
        return Undefined.TOO_LARGE
    return Undefined.NO_VARIATION if series.sd < NO_SPREAD else None


def _sharpe(series: Returns, risk_free: float) -> float:
    return (series.mean - rate_per_period(risk_free)) / series.sd
