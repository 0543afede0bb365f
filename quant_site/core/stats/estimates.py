"""Estimates with their intervals: a share of successes, a mean."""

import math
from collections.abc import Iterable
from statistics import NormalDist

import numpy as np
from scipy.special import stdtrit

from quant_site.core.errors import InvalidInput
from quant_site.core.stats.metric import CONFIDENCE, NO_SPREAD, Metric, Undefined, observations, observed, share, undefined


def wilson_interval(successes: int, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Wilson's score interval (1927) of a proportion, without continuity correction. Needs 0 ≤ successes ≤ n, n ≥ 1."""
    if not 0 <= successes <= n or n < 1:
        raise InvalidInput("bad_proportion", f"A proportion needs 0 ≤ successes ≤ n and n ≥ 1, not {successes} of {n}.")
    z = NormalDist().inv_cdf((1 + share(confidence)) / 2)
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


@np.errstate(over="ignore", invalid="ignore")
def mean_estimate(values: Iterable, confidence: float = CONFIDENCE) -> Metric:
    """The mean with Student's t interval mean ± t·s/√n; undefined below 2 observations or without variation."""
    array = observations(values, "Mean")
    if array.size < 2:
        return undefined(Undefined.TOO_FEW, array.size)
    mean, sd = float(array.mean()), float(array.std(ddof=1))
    if sd < NO_SPREAD:
        return undefined(Undefined.NO_VARIATION, array.size)
    half = float(stdtrit(array.size - 1, (1 + share(confidence)) / 2)) * sd / math.sqrt(array.size)
    if not math.isfinite(half):
        return undefined(Undefined.TOO_LARGE, array.size)
    return observed(mean, array.size, (mean - half, mean + half))
