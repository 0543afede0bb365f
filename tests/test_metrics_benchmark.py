"""Beta, alpha and correlation against empyrical, and against least squares of statsmodels where that says the same."""

import math

import empyrical
import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from quant_site.core import stats
from quant_site.core.errors import InvalidInput
from quant_site.core.stats import Metric, Undefined

WORLDS = [(seed, n, slope) for seed in (1, 2, 3) for n in (60, 252, 2500) for slope in (-0.7, 0.0, 1.0, 2.5)]
METRICS = [stats.beta, stats.alpha, stats.correlation]
drawn = arrays(float, 80, elements=st.floats(-0.3, 0.3, allow_subnormal=False))


def worlds_pair(seed, n, slope):
    random = np.random.default_rng(seed)
    benchmark = random.standard_t(5, n) * 0.01 + 0.0003
    return slope * benchmark + random.normal(0.0001, 0.008, n), benchmark


@pytest.mark.parametrize(("seed", "n", "slope"), WORLDS)
def test_beta_is_that_of_empyrical_and_of_least_squares(seed, n, slope):
    returns, benchmark = worlds_pair(seed, n, slope)
    found = stats.beta(returns, benchmark)
    assert found.value == pytest.approx(empyrical.beta(returns, benchmark), rel=1e-9, abs=1e-12)
    assert found.value == pytest.approx(sm.OLS(returns, sm.add_constant(benchmark)).fit().params[1], rel=1e-9, abs=1e-12)
    assert found.n == n


@pytest.mark.parametrize(("seed", "n", "slope"), WORLDS)
@pytest.mark.parametrize("risk_free", [0.0, 0.05])
def test_alpha_is_that_of_empyrical_and_the_compounded_intercept_of_least_squares(seed, n, slope, risk_free):
    returns, benchmark = worlds_pair(seed, n, slope)
    rate = (1 + risk_free) ** (1 / 252) - 1
    found = stats.alpha(returns, benchmark, risk_free).value
    assert found == pytest.approx(empyrical.alpha(returns, benchmark, rate), rel=1e-8, abs=1e-10)
    intercept = sm.OLS(returns - rate, sm.add_constant(benchmark - rate)).fit().params[0]
    assert found == pytest.approx((1 + intercept) ** 252 - 1, rel=1e-8, abs=1e-10)


@pytest.mark.parametrize(("seed", "n", "slope"), WORLDS)
def test_the_correlation_is_that_of_numpy(seed, n, slope):
    returns, benchmark = worlds_pair(seed, n, slope)
    assert stats.correlation(returns, benchmark).value == pytest.approx(np.corrcoef(returns, benchmark)[0, 1], rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("seed", "n", "slope"), WORLDS)
def test_alpha_does_not_depend_on_the_order_of_pairs(seed, n, slope):
    returns, benchmark = worlds_pair(seed, n, slope)
    order = np.random.default_rng(seed).permutation(n)
    assert stats.alpha(returns[order], benchmark[order]).value == pytest.approx(stats.alpha(returns, benchmark).value, rel=1e-8)


def test_a_year_of_alpha_may_have_other_than_252_periods():
    returns, benchmark = worlds_pair(4, 120, 0.5)
    expected = empyrical.alpha(returns, benchmark, annualization=12)
    assert stats.alpha(returns, benchmark, periods=12).value == pytest.approx(expected, rel=1e-9)


def test_what_follows_the_benchmark_exactly_has_its_slope_and_no_alpha():
    benchmark = worlds_pair(5, 100, 0.0)[1]
    assert stats.beta(2 * benchmark, benchmark).value == pytest.approx(2.0)
    assert stats.alpha(2 * benchmark, benchmark).value == pytest.approx(0.0, abs=1e-12)
    assert stats.correlation(-2 * benchmark, benchmark).value == pytest.approx(-1.0, abs=1e-12)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("n", [0, 1])
def test_a_comparison_needs_two_pairs(metric, n):
    assert metric([0.1] * n, [0.2] * n) == Metric(None, Undefined.TOO_FEW, n)


@pytest.mark.parametrize("metric", METRICS)
def test_nothing_compares_with_a_benchmark_that_never_moves(metric):
    returns = worlds_pair(6, 100, 0.5)[0]
    assert metric(returns, [0.001] * 100) == Metric(None, Undefined.NO_VARIATION, 100)


def test_returns_that_never_vary_have_a_beta_of_zero_but_no_correlation():
    benchmark = worlds_pair(7, 100, 0.0)[1]
    assert stats.beta([0.0] * 100, benchmark) == Metric(0.0, None, 100)
    assert stats.correlation([0.001] * 100, benchmark) == Metric(None, Undefined.NO_VARIATION, 100)


def test_alpha_is_not_annualised_below_sixty_pairs_but_beta_is_no_yearly_figure():
    returns, benchmark = worlds_pair(8, 60, 0.5)
    assert stats.alpha(returns[:59], benchmark[:59]) == Metric(None, Undefined.TOO_SHORT, 59)
    assert stats.alpha(returns, benchmark).reason is None
    assert stats.beta(returns[:59], benchmark[:59]).reason is None


def test_an_alpha_that_loses_more_than_everything_each_day_does_not_compound():
    benchmark = worlds_pair(9, 100, 0.0)[1]
    assert stats.alpha(benchmark - 2.0, benchmark) == Metric(None, Undefined.NO_EQUITY, 100)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("metric", METRICS)
def test_a_comparison_beyond_the_range_of_numbers_is_too_large(metric):
    benchmark = worlds_pair(10, 100, 0.0)[1]
    assert metric([1e200, -1e200] * 50, benchmark).reason is Undefined.TOO_LARGE
    assert metric(benchmark, [1e200, -1e200] * 50).reason is Undefined.TOO_LARGE


@pytest.mark.filterwarnings("error")
def test_an_alpha_beyond_the_range_of_numbers_is_too_large():
    benchmark = worlds_pair(10, 100, 0.0)[1]
    assert stats.alpha(benchmark + 1e9, benchmark).reason is Undefined.TOO_LARGE


@pytest.mark.parametrize("metric", METRICS)
def test_a_benchmark_of_another_length_is_refused(metric):
    with pytest.raises(InvalidInput, match="one return of the benchmark per return; the lengths are 2, 3"):
        metric([0.1, 0.2], [0.1, 0.2, 0.3])


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_a_gap_in_either_series_is_refused_by_its_place(metric, wrong):
    with pytest.raises(InvalidInput, match="observation 2 of 3 is"):
        metric([0.1, wrong, 0.2], [0.1, 0.2, 0.3])
    with pytest.raises(InvalidInput, match=r"\(benchmark\): observation 3 of 3 is"):
        metric([0.1, 0.2, 0.3], [0.1, 0.2, wrong])


@settings(max_examples=60, deadline=None)
@given(drawn, drawn)
def test_correlation_is_symmetric_and_beta_is_the_correlation_in_units_of_spread(returns, benchmark):
    assume(min(returns.std(), benchmark.std()) > 1e-6)
    there, back = stats.correlation(returns, benchmark).value, stats.correlation(benchmark, returns).value
    assert there == pytest.approx(back, rel=1e-7, abs=1e-9)
    assert -1 <= there <= 1
    assert stats.beta(returns, benchmark).value == pytest.approx(there * returns.std() / benchmark.std(), rel=1e-6, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(drawn, drawn, st.permutations(range(80)))
def test_the_order_of_pairs_does_not_matter(returns, benchmark, order):
    assume(min(returns.std(), benchmark.std()) > 1e-6)
    for metric in (stats.beta, stats.correlation):
        assert metric(returns[order], benchmark[order]).value == pytest.approx(metric(returns, benchmark).value, rel=1e-6, abs=1e-6)
