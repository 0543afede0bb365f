"""Metrics of returns beside those of a benchmark in the same sessions."""

import math
from collections.abc import Iterable

import numpy as np

from quant_site.core.stats.metric import (
    FEWEST_TO_ANNUALISE,
    NO_SPREAD,
    SESSIONS_PER_YEAR,
    Metric,
    Undefined,
    observed,
    power,
    same_length,
    undefined,
)
from quant_site.core.stats.returns import Returns, rate_per_period, year


def beta(returns: Iterable | Returns, benchmark: Iterable | Returns) -> Metric:
    """cov(r, b) / var(b), the slope of least squares. A constant risk-free rate cancels, so none is asked for.

    Undefined below 2 pairs or where the benchmark does not vary (sd < 1e-12).
    """
    own, other = _pair(returns, benchmark, "Beta")
    if reason := _incomparable(own, other):
        return undefined(reason, own.n)
    return observed(_slope(own, other), own.n)


def alpha(returns: Iterable | Returns, benchmark: Iterable | Returns, risk_free: float = 0.0, periods: int = SESSIONS_PER_YEAR) -> Metric:
    """Jensen's alpha (1968), compounded to a year: (1 + mean(r − rf − β(b − rf)))^periods − 1, rf geometric per period.

    Undefined where beta is, below 60 pairs, and where the mean is −1 or less.
    """
    own, other = _pair(returns, benchmark, "Alpha")
    if reason := _incomparable(own, other):
        return undefined(reason, own.n)
    if own.n < FEWEST_TO_ANNUALISE:
        return undefined(Undefined.TOO_SHORT, own.n)
    rate = rate_per_period(risk_free, periods)
    excess = own.mean - rate - _slope(own, other) * (other.mean - rate)
    if excess <= -1:
        return undefined(Undefined.NO_EQUITY, own.n)
    return observed(power(1 + excess, year(periods)) - 1, own.n)


def correlation(returns: Iterable | Returns, benchmark: Iterable | Returns) -> Metric:
    """Pearson's correlation, −1 to 1; undefined below 2 pairs or where either side does not vary (sd < 1e-12)."""
    own, other = _pair(returns, benchmark, "Correlation")
    if reason := _incomparable(own, other) or (Undefined.NO_VARIATION if own.sd < NO_SPREAD else None):
        return undefined(reason, own.n)
    value = _slope(own, other) * (other.sd / own.sd)
    # Rounding may leave a hair beyond the ends.
    return observed(min(max(value, -1.0), 1.0) if math.isfinite(value) else value, own.n)


def _pair(returns: Iterable | Returns, benchmark: Iterable | Returns, what: str) -> tuple[Returns, Returns]:
    own, other = Returns.of(returns, what), Returns.of(benchmark, f"{what} (benchmark)")
    same_length(f"{what} needs one return of the benchmark per return", own.values, other.values)
    return own, other


def _incomparable(own: Returns, other: Returns) -> Undefined | None:
    if own.n < 2:
        return Undefined.TOO_FEW
    if not (math.isfinite(own.sd) and math.isfinite(other.sd)):
        return Undefined.TOO_LARGE
    return Undefined.NO_VARIATION if other.sd < NO_SPREAD else None


def _slope(own: Returns, other: Returns) -> float:
    # Sums of products, not a dot product: those differ in their last digits from one processor to the next.
    centred = other.values - other.mean
    return float((centred * own.values).sum() / np.square(centred).sum())
