"""Every metric of returns over one grid of worlds and lengths, by a library and by its formula in plain Python.

Libraries differ from our definitions in places, and are asked only where both mean the same: empyrical makes a yearly figure
of any number of days and infinity of returns that never vary, and has nan where nothing was lost. The rules of an `Opinion`
say what is answered there instead, `ELSEWHERE` holds what the library answers, so that a change of its mind is noticed.
"""

import math
import statistics
from collections.abc import Callable
from typing import NamedTuple

import empyrical
import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats as scipy_stats

from analytics import stats
from analytics.stats import Undefined

pytestmark = pytest.mark.filterwarnings("ignore:Precision loss")
LENGTHS = (0, 1, 2, 59, 60, 61, 252, 1250)
YEAR = math.sqrt(252)


def worlds(n=1250):
    random = np.random.default_rng(20240131)
    normal = random.normal(0.0004, 0.01, n)
    return {
        "normal": normal,
        "skewed": 0.005 - random.gamma(2.0, 0.0024, n),
        "fat-tailed": np.clip(random.standard_t(3, n) * 0.01, -0.5, 0.5),
        "trending": 0.002 + np.convolve(random.normal(0, 0.004, n + 9), np.full(10, 0.3), "valid"),
        "constant gain": np.full(n, 0.0005),
        "constant loss": np.full(n, -0.0005),
        "idle": np.zeros(n),
        "no losers": np.abs(normal),
        "loss on the first day": np.concatenate([[-0.15], np.abs(normal[1:]) / 20]),
    }


WORLDS = worlds()
BENCHMARK = 0.5 * WORLDS["normal"] + np.random.default_rng(7).normal(0.0002, 0.006, 1250)


class Case:
    """Returns `r`, the benchmark `b` and the risk-free rate, `annual` and per session; `plain` is `r` as a list."""

    def __init__(self, world: str, n: int, annual: float):
        self.r, self.b, self.annual, self.n = WORLDS[world][:n], BENCHMARK[:n], annual, n
        self.rate, self.plain = (1 + annual) ** (1 / 252) - 1, WORLDS[world][:n].tolist()


# --- formulas in plain Python


def moment(case, power):
    mean = statistics.fmean(case.plain)
    return statistics.fmean((each - mean) ** power for each in case.plain)


def growth(case):
    return math.prod(1 + each for each in case.plain)


def drawdown(case):
    level, highest, deepest = 1.0, 1.0, 0.0
    for each in case.plain:
        level *= 1 + each
        highest = max(highest, level)
        deepest = min(deepest, level / highest - 1)
    return deepest


def sharpe(case):
    return (statistics.fmean(case.plain) - case.rate) / statistics.stdev(case.plain)


def sortino(case):
    return 252 * statistics.fmean(case.plain) / (YEAR * math.sqrt(statistics.fmean(min(each, 0) ** 2 for each in case.plain)))


def probability(case, ratio, skewness, kurtosis):
    spread = math.sqrt(1 - skewness * ratio + (kurtosis - 1) / 4 * ratio**2)
    return statistics.NormalDist().cdf(ratio * math.sqrt(case.n - 1) / spread)


def alpha(case):
    line = statistics.linear_regression([each - case.rate for each in case.b], [each - case.rate for each in case.plain])
    return (1 + line.intercept) ** 252 - 1


def quantile(case):
    return statistics.quantiles(case.plain, n=20, method="inclusive")[0] if case.n > 1 else case.plain[0]


def least_squares(case):
    return sm.OLS(case.r - case.rate, sm.add_constant(case.b - case.rate, has_constant="add")).fit().params


# --- opinions


class Rule(NamedTuple):
    """Where there is no value, and why."""

    applies: Callable
    reason: Undefined


EMPTY = Rule(lambda c: c.n == 0, Undefined.NO_DATA)
SINGLE = Rule(lambda c: c.n < 2, Undefined.TOO_FEW)
SHORT = Rule(lambda c: c.n < 60, Undefined.TOO_SHORT)
FLAT = Rule(lambda c: len(set(c.plain)) == 1, Undefined.NO_VARIATION)
UNHURT = Rule(lambda c: min(c.plain) >= 0, Undefined.NO_LOSSES)


class Opinion(NamedTuple):
    """What a metric answers, the rules in the order in which they are asked, what a library says, and the formula."""

    ours: Callable
    rules: tuple[Rule, ...]
    library: Callable
    formula: Callable


OPINIONS = {
    "Sharpe ratio": Opinion(
        lambda c: stats.sharpe_ratio(c.r, c.annual),
        (SINGLE, FLAT, SHORT),
        lambda c: empyrical.sharpe_ratio(c.r, c.rate),
        lambda c: sharpe(c) * YEAR,
    ),
    "Sortino ratio": Opinion(lambda c: stats.sortino_ratio(c.r), (SINGLE, UNHURT, SHORT), lambda c: empyrical.sortino_ratio(c.r), sortino),
    "annual volatility": Opinion(
        lambda c: stats.annual_volatility(c.r),
        (SINGLE, SHORT),
        lambda c: empyrical.annual_volatility(c.r),
        lambda c: statistics.stdev(c.plain) * YEAR,
    ),
    "growth a year": Opinion(
        lambda c: stats.cagr(c.r), (EMPTY, SHORT), lambda c: empyrical.cagr(c.r), lambda c: growth(c) ** (252 / c.n) - 1
    ),
    "Calmar ratio": Opinion(
        lambda c: stats.calmar_ratio(c.r),
        (EMPTY, SHORT, UNHURT),
        lambda c: empyrical.calmar_ratio(c.r),
        lambda c: (growth(c) ** (252 / c.n) - 1) / -drawdown(c),
    ),
    "maximum drawdown": Opinion(lambda c: stats.max_drawdown(c.r), (EMPTY,), lambda c: empyrical.max_drawdown(c.r), drawdown),
    "time-weighted return": Opinion(
        lambda c: stats.time_weighted_return(c.r), (EMPTY,), lambda c: empyrical.cum_returns_final(c.r), lambda c: growth(c) - 1
    ),
    "value at risk": Opinion(lambda c: stats.value_at_risk(c.r), (EMPTY,), lambda c: empyrical.value_at_risk(c.r), quantile),
    "expected shortfall": Opinion(
        lambda c: stats.expected_shortfall(c.r),
        (EMPTY,),
        lambda c: empyrical.conditional_value_at_risk(c.r),
        lambda c: statistics.fmean(sorted(c.plain)[: (c.n - 1) // 20 + 1]),
    ),
    "skewness": Opinion(
        lambda c: stats.skewness(c.r), (SINGLE, FLAT), lambda c: scipy_stats.skew(c.r), lambda c: moment(c, 3) / moment(c, 2) ** 1.5
    ),
    "kurtosis": Opinion(
        lambda c: stats.kurtosis(c.r),
        (SINGLE, FLAT),
        lambda c: scipy_stats.kurtosis(c.r, fisher=False),
        lambda c: moment(c, 4) / moment(c, 2) ** 2,
    ),
    "probabilistic Sharpe ratio": Opinion(
        lambda c: stats.probabilistic_sharpe_ratio(c.r, risk_free=c.annual),
        (SINGLE, FLAT),
        lambda c: probability(
            c, empyrical.sharpe_ratio(c.r, c.rate) / YEAR, scipy_stats.skew(c.r), scipy_stats.kurtosis(c.r, fisher=False)
        ),
        lambda c: probability(c, sharpe(c), moment(c, 3) / moment(c, 2) ** 1.5, moment(c, 4) / moment(c, 2) ** 2),
    ),
    "beta": Opinion(
        lambda c: stats.beta(c.r, c.b),
        (SINGLE,),
        lambda c: empyrical.beta(c.r, c.b),
        lambda c: statistics.linear_regression(c.b.tolist(), c.plain).slope,
    ),
    "alpha": Opinion(lambda c: stats.alpha(c.r, c.b, c.annual), (SINGLE, SHORT), lambda c: (1 + least_squares(c)[0]) ** 252 - 1, alpha),
    "correlation": Opinion(
        lambda c: stats.correlation(c.r, c.b),
        (SINGLE, FLAT),
        lambda c: np.corrcoef(c.r, c.b)[0, 1],
        lambda c: statistics.correlation(c.plain, c.b.tolist()),
    ),
}


@pytest.mark.parametrize("annual", [0.0, 0.04])
@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("name", OPINIONS)
def test_a_library_and_the_plain_formula_say_what_the_metric_says_or_it_says_why_not(name, world, annual):
    opinion = OPINIONS[name]
    for n in LENGTHS:
        case = Case(world, n, annual)
        found = opinion.ours(case)
        reason = next((rule.reason for rule in opinion.rules if rule.applies(case)), None)
        assert (found.reason, found.n) == (reason, n)
        if reason is None:
            assert found.value == pytest.approx(opinion.formula(case), rel=1e-8, abs=1e-10), f"formula, n = {n}"
            assert found.value == pytest.approx(opinion.library(case), rel=1e-8, abs=1e-10), f"library, n = {n}"


ELSEWHERE = [
    ("Sharpe ratio", "constant gain", 1250, math.isinf),
    ("Sharpe ratio", "normal", 59, math.isfinite),
    ("Sortino ratio", "no losers", 252, math.isinf),
    ("growth a year", "normal", 2, math.isfinite),
    ("Calmar ratio", "no losers", 252, math.isnan),
    ("skewness", "idle", 252, math.isnan),
    ("value at risk", "normal", 0, math.isnan),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "world", "n", "answer"), ELSEWHERE)
def test_where_the_library_has_a_figure_that_means_nothing_ours_has_none(name, world, n, answer):
    case = Case(world, n, 0.0)
    assert answer(float(OPINIONS[name].library(case)))
    assert OPINIONS[name].ours(case).value is None
