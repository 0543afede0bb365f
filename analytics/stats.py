"""Performance metrics: plain functions of observations. Undefined is None with a reason, never 0 and never infinite.

Each answers a `Metric`. The definitions are those of the literature and are stated here in full, so that a second
library can serve as the oracle of the tests. NaN or infinity among the observations raises `InvalidInput`: a number
that is missing must be left out by who knows why, not skipped here.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from statistics import NormalDist

import numpy as np
from scipy.special import stdtrit

from quant_site.core.errors import InvalidInput

SESSIONS_PER_YEAR = 252
FEWEST_TO_ANNUALISE = 60
NO_SPREAD = 1e-12
CONFIDENCE = 0.95


class Undefined(StrEnum):
    """Why a metric has no value."""

    NO_DATA = "NO_DATA"
    NO_TRADES = "NO_TRADES"
    NO_LOSSES = "NO_LOSSES"
    TOO_FEW = "TOO_FEW"
    TOO_SHORT = "TOO_SHORT"
    NO_VARIATION = "NO_VARIATION"
    NO_EQUITY = "NO_EQUITY"
    TOO_LARGE = "TOO_LARGE"
    GAP = "GAP"


@dataclass(frozen=True)
class Metric:
    """A value, or the reason why there is none, with the number of observations; `low` and `high` bound an estimate."""

    value: float | None
    reason: Undefined | None
    n: int
    low: float | None = None
    high: float | None = None

    def __post_init__(self):
        if (self.value is None) == (self.reason is None):
            raise ValueError("A metric has either a value or a reason.")
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError("A metric's value is finite.")

    def as_dict(self) -> dict:
        """JSON form: {value, reason, n}, with the interval where there is one."""
        plain = {"value": self.value, "reason": self.reason and str(self.reason), "n": self.n}
        return plain if self.low is None else plain | {"low": self.low, "high": self.high}


def observed(value: float, n: int, interval: tuple[float, float] | None = None) -> Metric:
    """The metric, or TOO_LARGE where a quotient left the range of numbers."""
    if not math.isfinite(value):
        return undefined(Undefined.TOO_LARGE, n)
    return Metric(float(value), None, n, *(interval or (None, None)))


def undefined(reason: Undefined, n: int) -> Metric:
    return Metric(None, reason, n)


def observations(values: Iterable, what: str) -> np.ndarray:
    """`values` (numbers or Decimals) as a float64 vector; raises `InvalidInput` naming the first that is not finite."""
    array = np.asarray([float(value) for value in values], dtype=float)
    wrong = np.flatnonzero(~np.isfinite(array))
    if wrong.size:
        at = int(wrong[0])
        raise InvalidInput("not_finite", f"{what}: observation {at + 1} of {array.size} is {array[at]}. Leave it out or correct it.", at=at)
    return array


# --- Trades


def wilson_interval(successes: int, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Wilson's score interval (1927) of a proportion, without continuity correction. Needs 0 ≤ successes ≤ n, n ≥ 1."""
    if not 0 <= successes <= n or n < 1:
        raise InvalidInput("bad_proportion", f"A proportion needs 0 ≤ successes ≤ n and n ≥ 1, not {successes} of {n}.")
    z = NormalDist().inv_cdf((1 + _share(confidence)) / 2)
    p, spread = successes / n, z * z / n
    centre = (p + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(p * (1 - p) / n + spread / (4 * n))
    # At the ends the bound is exactly 0 or 1; rounding of the formula must not miss it.
    return (0.0 if successes == 0 else centre - half), (1.0 if successes == n else centre + half)


def proportion(successes: int, n: int, confidence: float = CONFIDENCE, none: Undefined = Undefined.NO_DATA) -> Metric:
    """successes / n with its Wilson interval."""
    if n == 0:
        return undefined(none, 0)
    return observed(successes / n, n, wilson_interval(successes, n, confidence))


def win_rate(results: Iterable, confidence: float = CONFIDENCE) -> Metric:
    """Share of closed trades with a net result above zero, with its Wilson interval. A result of exactly 0 is no win."""
    values = observations(results, "Win rate")
    return proportion(int((values > 0).sum()), values.size, confidence, Undefined.NO_TRADES)


def profit_factor(results: Iterable) -> Metric:
    """Sum of the gains over the sum of the losses of closed trades; without a loss it is undefined, not infinite."""
    values = observations(results, "Profit factor")
    return profit_factor_of(float(values[values > 0].sum()), -float(values[values < 0].sum()), values.size)


def profit_factor_of(profit: float | Decimal, loss: float | Decimal, n: int) -> Metric:
    """`loss` is the size of the losses, positive."""
    if n == 0:
        return undefined(Undefined.NO_TRADES, 0)
    return observed(profit / loss, n) if loss > 0 else undefined(Undefined.NO_LOSSES, n)


def average_holding(sessions: Iterable) -> Metric:
    """Mean number of sessions that closed trades were held; 0 is a trade opened and closed in one session."""
    values = observations(sessions, "Average holding")
    return average_holding_of(values.sum(), values.size)


def average_holding_of(total: float, n: int) -> Metric:
    return observed(total / n, n) if n else undefined(Undefined.NO_TRADES, 0)


# --- Returns


def sharpe(returns: Iterable, risk_free: float = 0.0, periods: int = SESSIONS_PER_YEAR) -> Metric:
    """Sharpe ratio a year (Sharpe 1994): mean(r − rf) / sd(r) · √periods, sd with n − 1, rf = (1 + annual)^(1/periods) − 1.

    Undefined below 2 observations, without variation (sd < 1e-12), and below 60 observations, which are too few to
    speak of a year.
    """
    values = observations(returns, "Sharpe ratio")
    if values.size < 2:
        return undefined(Undefined.TOO_FEW, values.size)
    return sharpe_of(values.mean(), values.std(ddof=1), values.size, risk_free, periods)


def sharpe_of(mean: float, sd: float, n: int, risk_free: float = 0.0, periods: int = SESSIONS_PER_YEAR) -> Metric:
    """The same from the mean and the standard deviation (n − 1) of the returns per period."""
    if n < 2:
        return undefined(Undefined.TOO_FEW, n)
    if sd < NO_SPREAD:
        return undefined(Undefined.NO_VARIATION, n)
    if n < FEWEST_TO_ANNUALISE:
        return undefined(Undefined.TOO_SHORT, n)
    return observed((mean - rate_per_period(risk_free, periods)) / sd * math.sqrt(periods), n)


def rate_per_period(annual: float, periods: int = SESSIONS_PER_YEAR) -> float:
    """The rate per period that compounds to `annual`; needs annual > −1."""
    if not annual > -1 or not math.isfinite(annual) or periods < 1:
        raise InvalidInput("bad_rate", f"A yearly rate must be above -1 and a year have periods, not {annual} and {periods}.")
    return math.expm1(math.log1p(annual) / periods)


def max_drawdown(returns: Iterable) -> Metric:
    """Deepest fall of the compounded value from its highest before, ≤ 0. The start (1.0) is such a high: a loss in the
    first period counts. Returns below −1 (more than everything lost) are taken as they are.
    """
    values = observations(returns, "Maximum drawdown")
    if not values.size:
        return undefined(Undefined.NO_DATA, 0)
    value = np.concatenate([[1.0], np.cumprod(1 + values)])
    return observed((value / np.maximum.accumulate(value) - 1).min(), values.size)


def exposure(gross: Sequence, equity: Sequence) -> Metric:
    """Mean of Σ|market value| / equity over the sessions; undefined when the equity of any session is not above zero."""
    held, own = observations(gross, "Exposure"), observations(equity, "Equity")
    if held.size != own.size:
        raise InvalidInput("unequal_lengths", f"Exposure needs one equity per session: {held.size} values, {own.size} equities.")
    if not held.size:
        return undefined(Undefined.NO_DATA, 0)
    return observed((held / own).mean(), held.size) if (own > 0).all() else undefined(Undefined.NO_EQUITY, held.size)


# --- Estimates


def mean_estimate(values: Iterable, confidence: float = CONFIDENCE) -> Metric:
    """The mean with Student's t interval mean ± t·s/√n; undefined below 2 observations or without variation."""
    array = observations(values, "Mean")
    if array.size < 2:
        return undefined(Undefined.TOO_FEW, array.size)
    mean, sd = float(array.mean()), float(array.std(ddof=1))
    if sd < NO_SPREAD:
        return undefined(Undefined.NO_VARIATION, array.size)
    half = float(stdtrit(array.size - 1, (1 + _share(confidence)) / 2)) * sd / math.sqrt(array.size)
    return observed(mean, array.size, (mean - half, mean + half))


def _share(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise InvalidInput("bad_confidence", f"A confidence lies between 0 and 1, not {confidence}.")
    return confidence
