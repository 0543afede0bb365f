"""What a metric answers, and how observations come in. Undefined is None with a reason, never 0 and never infinite."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from quant_site.core.errors import InvalidInput

SESSIONS_PER_YEAR = 252
FEWEST_TO_ANNUALISE = 60
NO_SPREAD = 1e-12
CONFIDENCE = 0.95


class Undefined(StrEnum):
    """Why a metric has no value."""

    NO_DATA = "NO_DATA"
    NO_TRADES = "NO_TRADES"
    NO_WINS = "NO_WINS"
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
    """`values` (numbers or Decimals) as a float64 vector; raises `InvalidInput` naming the first that is not finite.

    An array of float64 is answered as it is, not copied.
    """
    if type(values) is np.ndarray and values.dtype.kind in "fiub":
        array = values.astype(float, copy=False)
    else:
        array = np.asarray([float(value) for value in values], dtype=float)
    if array.ndim != 1:
        raise InvalidInput("not_a_vector", f"{what}: give one row of observations, not an array of shape {array.shape}.")
    finite = np.isfinite(array)
    if not finite.all():
        at = int(finite.argmin())
        raise InvalidInput("not_finite", f"{what}: observation {at + 1} of {array.size} is {array[at]}. Leave it out or correct it.", at=at)
    return array


def amounts(values: Iterable, what: str, *, zero: bool = True) -> np.ndarray:
    """Observations that are sizes; raises `InvalidInput` naming the first below zero, or at zero where `zero` is False."""
    array = observations(values, what)
    wrong = array < 0 if zero else array <= 0
    if wrong.any():
        at, bound = int(wrong.argmax()), "zero or more" if zero else "above zero"
        raise InvalidInput("not_a_size", f"{what}: observation {at + 1} of {array.size} is {array[at]}; it must be {bound}.", at=at)
    return array


def number(value: float, what: str) -> float:
    """One finite float, or `InvalidInput`."""
    plain = float(value)
    if not math.isfinite(plain):
        raise InvalidInput("not_finite", f"{what} must be a finite number, not {plain}.")
    return plain


def share(confidence: float) -> float:
    """A confidence, which lies between 0 and 1."""
    if not 0 < confidence < 1:
        raise InvalidInput("bad_confidence", f"A confidence lies between 0 and 1, not {confidence}.")
    return confidence


def same_length(need: str, *arrays: np.ndarray) -> None:
    """Raises `InvalidInput`, which says the `need`, unless all are of one length."""
    if len({array.size for array in arrays}) > 1:
        sizes = ", ".join(str(array.size) for array in arrays)
        raise InvalidInput("unequal_lengths", f"{need}; the lengths are {sizes}.")


def power(base: float, exponent: float) -> float:
    """base^exponent for base ≥ 0, infinite where it leaves the range of numbers."""
    try:
        return math.pow(base, exponent)
    except OverflowError:
        return math.inf
