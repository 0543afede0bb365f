"""The probabilistic and the deflated Sharpe ratio against the published example, scipy, and a simulated search without edge."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate
from scipy import stats as scipy_stats

from quant_site.core import stats
from quant_site.core.errors import InvalidInput
from quant_site.core.stats import Metric, Undefined

PER_DAY = math.sqrt(250)


def world(seed, n, drift=0.05):
    return (np.random.default_rng(seed).standard_t(6, n) + drift) * 0.01


def by_definition(returns, threshold, risk_free=0.0):
    excess = returns - ((1 + risk_free) ** (1 / 252) - 1)
    sharpe = excess.mean() / excess.std(ddof=1)
    skewness, kurtosis = scipy_stats.skew(returns), scipy_stats.kurtosis(returns, fisher=False)
    spread = math.sqrt(1 - skewness * sharpe + (kurtosis - 1) / 4 * sharpe**2)
    return scipy_stats.norm.cdf((sharpe - threshold) * math.sqrt(len(returns) - 1) / spread)


@pytest.mark.parametrize(("trials", "expected"), [(100, 0.9004), (46, 0.9505)])
def test_the_published_example_of_the_deflated_sharpe_ratio_is_met(trials, expected):
    found = stats.deflated_sharpe_ratio_of(2.5 / PER_DAY, 1250, -3, 10, trials, 0.5 / 250)
    assert found.value == pytest.approx(expected, abs=5e-5)
    assert found.n == 1250


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("n", [2, 10, 250, 2500])
@pytest.mark.parametrize("threshold", [-0.1, 0.0, 0.05])
@pytest.mark.parametrize("risk_free", [0.0, 0.04])
def test_the_probabilistic_sharpe_ratio_is_its_definition_in_scipy(seed, n, threshold, risk_free):
    returns = world(seed, n)
    found = stats.probabilistic_sharpe_ratio(returns, threshold, risk_free)
    assert found.value == pytest.approx(by_definition(returns, threshold, risk_free), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("trials", [2, 10, 1000])
@pytest.mark.parametrize("risk_free", [0.0, 0.04])
def test_the_deflated_sharpe_ratio_is_the_probabilistic_one_against_the_best_of_the_trials(trials, risk_free):
    returns, variance = world(4, 500, 0.1), 0.001
    euler = -scipy_stats.gumbel_r.ppf(math.exp(-1)) + np.euler_gamma
    normal = scipy_stats.norm.ppf
    best = math.sqrt(variance) * ((1 - euler) * normal(1 - 1 / trials) + euler * normal(1 - 1 / (trials * math.e)))
    found = stats.deflated_sharpe_ratio(returns, trials, variance, risk_free)
    assert found.value == pytest.approx(by_definition(returns, best, risk_free), rel=1e-9)


@pytest.mark.parametrize("trials", [5, 20, 100, 1000])
def test_the_best_without_edge_is_near_the_exact_mean_of_the_largest_of_so_many_normals(trials):
    def density(x):
        return x * trials * scipy_stats.norm.pdf(x) * scipy_stats.norm.cdf(x) ** (trials - 1)

    exact = integrate.quad(density, -10, 10)[0]
    # The formula is an approximation for many trials; it errs by some percent for few.
    assert stats.expected_maximum_sharpe(trials, 1.0) == pytest.approx(exact, rel=0.03)


def test_the_best_of_one_trial_is_that_trial():
    returns = world(5, 300)
    assert stats.expected_maximum_sharpe(1, 0.5) == 0.0
    assert stats.deflated_sharpe_ratio(returns, 1, 0.5) == stats.probabilistic_sharpe_ratio(returns)


def test_more_trials_than_a_float_can_tell_from_infinity_still_have_a_best():
    assert stats.expected_maximum_sharpe(10**20, 1.0) == pytest.approx(9.4, abs=0.1)


def test_a_search_among_worlds_without_edge_is_seen_through():
    n, trials, seen, deflated = 500, 50, 0, 0
    for seed in range(40):
        worlds = np.random.default_rng(seed).normal(0, 0.01, (trials, n))
        ratios = worlds.mean(axis=1) / worlds.std(axis=1, ddof=1)
        best = worlds[ratios.argmax()]
        seen += stats.probabilistic_sharpe_ratio(best).value > 0.95
        deflated += stats.deflated_sharpe_ratio(best, trials, ratios.var(ddof=1)).value > 0.95
    assert seen >= 30
    assert deflated <= 4


@pytest.mark.parametrize("metric", [stats.probabilistic_sharpe_ratio, lambda returns: stats.deflated_sharpe_ratio(returns, 10, 0.001)])
def test_too_little_or_nothing_that_varies_has_no_probability(metric):
    assert metric([]) == Metric(None, Undefined.TOO_FEW, 0)
    assert metric([0.01]) == Metric(None, Undefined.TOO_FEW, 1)
    assert metric([0.01] * 100) == Metric(None, Undefined.NO_VARIATION, 100)
    assert metric([1e200, -1e200]) == Metric(None, Undefined.TOO_LARGE, 2)


def test_moments_that_leave_the_ratio_no_variance_are_undefined():
    assert stats.probabilistic_sharpe_ratio_of(1.0, 100, skewness=2.0, kurtosis=5.0) == Metric(None, Undefined.NO_VARIATION, 100)
    assert stats.probabilistic_sharpe_ratio_of(0.1, 1) == Metric(None, Undefined.TOO_FEW, 1)


@pytest.mark.parametrize("trials", [0, -1, 2.5])
def test_a_number_of_trials_that_cannot_be_counted_is_refused(trials):
    with pytest.raises(InvalidInput, match="whole number of 1 or more"):
        stats.expected_maximum_sharpe(trials, 0.1)


@pytest.mark.parametrize("variance", [-0.1, math.nan, math.inf])
def test_a_variance_that_is_none_is_refused(variance):
    with pytest.raises(InvalidInput, match="zero or more"):
        stats.expected_maximum_sharpe(10, variance)


@pytest.mark.parametrize("metric", [stats.probabilistic_sharpe_ratio, lambda returns: stats.deflated_sharpe_ratio(returns, 10, 0.001)])
def test_a_return_that_is_no_number_is_refused_by_its_place(metric):
    with pytest.raises(InvalidInput, match="observation 2 of 3 is nan"):
        metric([0.1, math.nan, 0.2])


@settings(max_examples=100, deadline=None)
@given(st.floats(-0.3, 0.3), st.integers(2, 5000), st.floats(-3, 3), st.floats(0, 20), st.integers(1, 10**6), st.floats(0, 0.1))
def test_deflation_never_raises_a_probability(sharpe, n, skewness, excess, trials, variance):
    kurtosis = 1 + skewness**2 + excess
    plain = stats.probabilistic_sharpe_ratio_of(sharpe, n, skewness, kurtosis)
    deflated = stats.deflated_sharpe_ratio_of(sharpe, n, skewness, kurtosis, trials, variance)
    more = stats.deflated_sharpe_ratio_of(sharpe, n, skewness, kurtosis, trials + 1, variance)
    if plain.reason is None:
        assert 0 <= more.value <= deflated.value <= plain.value <= 1
    else:
        assert deflated == plain
