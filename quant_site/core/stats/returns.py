"""Metrics of returns per session. Each takes any iterable of numbers, or a `Returns` that several metrics then share."""

import math
from collections.abc import Iterable
from functools import cached_property

import numpy as np

from quant_site.core.errors import InvalidInput
from quant_site.core.stats.metric import (
    CONFIDENCE,
    FEWEST_TO_ANNUALISE,
    NO_SPREAD,
    SESSIONS_PER_YEAR,
    Metric,
    Undefined,
    observations,
    observed,
    power,
    share,
    undefined,
)


class Returns:
    """Simple returns per session, checked once, and what metrics need of them, each computed at most once."""

    def __init__(self, values: Iterable, what: str = "Returns"):
        self.values = observations(values, what).copy()
        self.values.flags.writeable = False
        self.n = self.values.size

    @classmethod
    def of(cls, values: "Iterable | Returns", what: str) -> "Returns":
        return values if isinstance(values, cls) else cls(values, what)

    @cached_property
    def mean(self) -> float:
        """Needs n ≥ 1."""
        with np.errstate(over="ignore"):
            return float(self.values.mean())

    @cached_property
    def sd(self) -> float:
        """With n − 1; needs n ≥ 2."""
        with np.errstate(over="ignore", invalid="ignore"):
            return float(self.values.std(ddof=1))

    @cached_property
    def shape(self) -> tuple[float, float]:
        """(skewness, kurtosis) from the central moments over n; needs sd > 0."""
        with np.errstate(over="ignore", invalid="ignore"):
            centred = self.values - self.mean
            centred /= math.sqrt(float(np.square(centred).mean()))
            squares = np.square(centred)
            return float((squares * centred).mean()), float(np.square(squares).mean())

    @cached_property
    def levels(self) -> np.ndarray:
        """(n + 1,) the compounded value: 1.0 at the start, then after each return."""
        levels = np.empty(self.n + 1)
        levels[0] = 1.0
        with np.errstate(over="ignore", invalid="ignore"):
            np.cumprod(1 + self.values, out=levels[1:])
        return levels

    @cached_property
    def drawdowns(self) -> np.ndarray:
        """(n + 1,) the value over its highest so far − 1; not finite where the value left the range of numbers."""
        with np.errstate(over="ignore", invalid="ignore"):
            return self.levels / np.maximum.accumulate(self.levels) - 1

    @cached_property
    def deepest(self) -> float:
        return float(self.drawdowns.min())


def year(periods: int) -> int:
    """The number of periods of a year, 1 or more."""
    if periods < 1:
        raise InvalidInput("bad_year", f"A year has one period or more, not {periods}.")
    return periods


def rate_per_period(annual: float, periods: int = SESSIONS_PER_YEAR) -> float:
    """The rate per period that compounds to `annual`; needs annual > −1."""
    if not annual > -1 or not math.isfinite(annual) or periods < 1:
        raise InvalidInput("bad_rate", f"A yearly rate must be above -1 and a year have periods, not {annual} and {periods}.")
    return math.expm1(math.log1p(annual) / periods)


# --- Ratios of return and risk


def sharpe_ratio(returns: Iterable | Returns, risk_free: float = 0.0, periods: int = SESSIONS_PER_YEAR) -> Metric:
    """Sharpe ratio a year (Sharpe 1994): mean(r − rf) / sd(r) · √periods, sd with n − 1, rf = (1 + annual)^(1/periods) − 1.

    Undefined below 2 observations, without variation (sd < 1e-12), and below 60 observations, which are too few to
    speak of a year.
    """
    series = Returns.of(returns, "Sharpe ratio")
    if series.n < 2:
        return undefined(Undefined.TOO_FEW, series.n)
    return sharpe_ratio_of(series.mean, series.sd, series.n, risk_free, periods)


def sharpe_ratio_of(mean: float, sd: float, n: int, risk_free: float = 0.0, periods: int = SESSIONS_PER_YEAR) -> Metric:
    """The same from the mean and the standard deviation (n − 1) of the returns per period."""
    if n < 2:
        return undefined(Undefined.TOO_FEW, n)
    if not math.isfinite(sd):
        return undefined(Undefined.TOO_LARGE, n)
    if sd < NO_SPREAD:
        return undefined(Undefined.NO_VARIATION, n)
    if n < FEWEST_TO_ANNUALISE:
        return undefined(Undefined.TOO_SHORT, n)
    return observed((mean - rate_per_period(risk_free, periods)) / sd * math.sqrt(periods), n)


@np.errstate(over="ignore")
def sortino_ratio(returns: Iterable | Returns, periods: int = SESSIONS_PER_YEAR) -> Metric:
    """Sortino ratio a year with target 0 (Sortino and Price 1994): periods·mean(r) / (√periods·√mean(min(r, 0)²)).

    The downside is the mean over all n, not over the losses only. Undefined below 2 observations, without a loss
    (downside < 1e-12), and below 60 observations.
    """
    series = Returns.of(returns, "Sortino ratio")
    if series.n < 2:
        return undefined(Undefined.TOO_FEW, series.n)
    downside = math.sqrt(float(np.square(np.minimum(series.values, 0.0)).mean()))
    if not math.isfinite(downside):
        return undefined(Undefined.TOO_LARGE, series.n)
    if downside < NO_SPREAD:
        return undefined(Undefined.NO_LOSSES, series.n)
    if series.n < FEWEST_TO_ANNUALISE:
        return undefined(Undefined.TOO_SHORT, series.n)
    return observed(series.mean / downside * math.sqrt(year(periods)), series.n)


def calmar_ratio(returns: Iterable | Returns, periods: int = SESSIONS_PER_YEAR) -> Metric:
    """CAGR / |maximum drawdown| over the whole record (Young 1991 took 36 months). Undefined where nothing was ever lost."""
    series = Returns.of(returns, "Calmar ratio")
    growth, drawdown = cagr(series, periods), max_drawdown(series)
    if growth.value is None or drawdown.value is None:
        return undefined(growth.reason or drawdown.reason, series.n)
    if drawdown.value > -NO_SPREAD:
        return undefined(Undefined.NO_LOSSES, series.n)
    return observed(growth.value / -drawdown.value, series.n)


# --- Growth and spread


def time_weighted_return(returns: Iterable | Returns) -> Metric:
    """Π(1 + r) − 1. Undefined where a return is below −1: what is owed more than was there does not compound."""
    series = Returns.of(returns, "Time-weighted return")
    if not series.n:
        return undefined(Undefined.NO_DATA, 0)
    if series.values.min() < -1:
        return undefined(Undefined.NO_EQUITY, series.n)
    return observed(series.levels[-1] - 1, series.n)


def cagr(returns: Iterable | Returns, periods: int = SESSIONS_PER_YEAR) -> Metric:
    """Compound annual growth rate over n / periods years: (Π(1 + r))^(periods/n) − 1. Undefined below 60 observations."""
    series = Returns.of(returns, "Compound annual growth rate")
    total = time_weighted_return(series)
    if total.value is None:
        return total
    if series.n < FEWEST_TO_ANNUALISE:
        return undefined(Undefined.TOO_SHORT, series.n)
    return observed(power(float(series.levels[-1]), year(periods) / series.n) - 1, series.n)


def annual_volatility(returns: Iterable | Returns, periods: int = SESSIONS_PER_YEAR) -> Metric:
    """sd(r)·√periods, sd with n − 1; 0 where the returns do not vary (sd < 1e-12). Undefined below 60 observations."""
    series = Returns.of(returns, "Annual volatility")
    if series.n < 2:
        return undefined(Undefined.TOO_FEW, series.n)
    if series.n < FEWEST_TO_ANNUALISE:
        return undefined(Undefined.TOO_SHORT, series.n)
    return observed(0.0 if series.sd < NO_SPREAD else series.sd * math.sqrt(year(periods)), series.n)


def skewness(returns: Iterable | Returns) -> Metric:
    """γ₃ = m₃ / m₂^1.5 from central moments over n; 0 for the normal distribution."""
    return _shape(Returns.of(returns, "Skewness"), 0)


def kurtosis(returns: Iterable | Returns) -> Metric:
    """γ₄ = m₄ / m₂² from central moments over n; 3 for the normal distribution (this is not the excess)."""
    return _shape(Returns.of(returns, "Kurtosis"), 1)


def _shape(series: Returns, which: int) -> Metric:
    if series.n < 2:
        return undefined(Undefined.TOO_FEW, series.n)
    if not math.isfinite(series.sd):
        return undefined(Undefined.TOO_LARGE, series.n)
    if series.sd < NO_SPREAD:
        return undefined(Undefined.NO_VARIATION, series.n)
    return observed(series.shape[which], series.n)


# --- Losses


def max_drawdown(returns: Iterable | Returns) -> Metric:
    """Deepest fall of the compounded value from its highest before, ≤ 0. The start (1.0) is such a high: a loss in the
    first period counts. Returns below −1 (more than everything lost) are taken as they are.
    """
    series = Returns.of(returns, "Maximum drawdown")
    return observed(series.deepest, series.n) if series.n else undefined(Undefined.NO_DATA, 0)


def longest_drawdown(returns: Iterable | Returns) -> Metric:
    """Most sessions in a row that ended below the highest value before (the start included), recovered or not."""
    series = Returns.of(returns, "Longest drawdown")
    if not series.n:
        return undefined(Undefined.NO_DATA, 0)
    if not math.isfinite(series.deepest):
        return undefined(Undefined.TOO_LARGE, series.n)
    # What rounding leaves of a full recovery is no drawdown. The start is a high, so there is always one.
    highs = np.flatnonzero(series.drawdowns >= -NO_SPREAD)
    return observed(int(np.diff(highs, append=series.n + 1).max()) - 1, series.n)


def value_at_risk(returns: Iterable | Returns, confidence: float = CONFIDENCE) -> Metric:
    """Historical value at risk as a return: the (1 − confidence) quantile, interpolated linearly; below 0 is a loss."""
    series, tail = Returns.of(returns, "Value at risk"), 1 - share(confidence)
    if not series.n:
        return undefined(Undefined.NO_DATA, 0)
    whole, part = _place(series.n, tail)
    after = min(whole + 1, series.n - 1)
    ordered = np.partition(series.values, (whole, after))
    return observed((1 - part) * ordered[whole] + part * ordered[after], series.n)


def expected_shortfall(returns: Iterable | Returns, confidence: float = CONFIDENCE) -> Metric:
    """Mean of the returns up to the value at risk (CVaR, Rockafellar and Uryasev 2000): of the ⌊(n − 1)(1 − confidence)⌋ + 1
    lowest, so that ties at the bound do not change it.
    """
    series, tail = Returns.of(returns, "Expected shortfall"), 1 - share(confidence)
    if not series.n:
        return undefined(Undefined.NO_DATA, 0)
    whole, _ = _place(series.n, tail)
    with np.errstate(over="ignore"):
        return observed(np.sort(np.partition(series.values, whole)[: whole + 1]).mean(), series.n)


def _place(n: int, tail: float) -> tuple[int, float]:
    """Where the quantile lies among the ordered observations: index and the part of the way to the next."""
    # 1 − 0.9 is a hair below 0.1, and must not move the place by one.
    place = round((n - 1) * tail, 9)
    whole = math.floor(place)
    return whole, place - whole
