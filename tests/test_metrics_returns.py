"""Metrics of returns against empyrical over a grid of worlds, and against scipy or a plain loop where it has no equal.

Where empyrical answers nan or infinity (nothing varies, nothing was lost) or annualises a handful of days, ours says why
there is no number: those cases are stated here one by one.
"""

import math

import arch.data.sp500
import empyrical
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats as scipy_stats

from quant_site.core import stats
from quant_site.core.errors import InvalidInput
from quant_site.core.stats import Metric, Returns, Undefined

WORLDS = [
    (seed, n, scale, drift) for seed in (1, 2) for n in (60, 61, 252, 2500) for scale in (1e-5, 0.01, 0.1) for drift in (-0.2, 0.0, 0.2)
]
ORACLES = {
    stats.sharpe_ratio: empyrical.sharpe_ratio,
    stats.sortino_ratio: empyrical.sortino_ratio,
    stats.annual_volatility: empyrical.annual_volatility,
    stats.cagr: empyrical.cagr,
    stats.calmar_ratio: empyrical.calmar_ratio,
    stats.max_drawdown: empyrical.max_drawdown,
    stats.time_weighted_return: empyrical.cum_returns_final,
    stats.value_at_risk: empyrical.value_at_risk,
    stats.expected_shortfall: empyrical.conditional_value_at_risk,
    stats.skewness: scipy_stats.skew,
    stats.kurtosis: lambda returns: scipy_stats.kurtosis(returns, fisher=False),
}
NAMED = pytest.mark.parametrize("metric", ORACLES, ids=lambda metric: metric.__name__)
BY_YEAR = [stats.sharpe_ratio, stats.sortino_ratio, stats.annual_volatility, stats.cagr, stats.calmar_ratio]
returns_drawn = arrays(float, st.integers(60, 150), elements=st.floats(-0.5, 0.5, allow_subnormal=False))


def world(seed, n, scale, drift):
    return np.clip(np.random.default_rng(seed).standard_t(5, n) * scale + drift * scale, -0.9, None)


def longest_by_counting(returns):
    level = highest = 1.0
    run = longest = 0
    for one in returns:
        level *= 1 + one
        highest = max(highest, level)
        run = run + 1 if level < highest * (1 - 1e-12) else 0
        longest = max(longest, run)
    return longest


# --- against a second library


@NAMED
@pytest.mark.parametrize(("seed", "n", "scale", "drift"), WORLDS)
def test_a_metric_is_that_of_the_second_library(metric, seed, n, scale, drift):
    returns = world(seed, n, scale, drift)
    found = metric(returns)
    assert found.value == pytest.approx(ORACLES[metric](returns), rel=1e-8, abs=1e-12)
    assert (found.reason, found.n) == (None, n)


@NAMED
def test_a_metric_of_the_s_and_p_500_is_that_of_the_second_library(metric):
    returns = arch.data.sp500.load()["Adj Close"].pct_change().dropna().to_numpy()
    assert returns.size > 4000
    assert metric(returns).value == pytest.approx(ORACLES[metric](returns), rel=1e-9)


@pytest.mark.parametrize("annual", [-0.01, 0.0, 0.03, 0.2])
@pytest.mark.parametrize("periods", [12, 52, 252])
def test_the_sharpe_ratio_takes_a_yearly_risk_free_rate_that_compounds(annual, periods):
    returns = world(4, 300, 0.01, 0.1)
    expected = empyrical.sharpe_ratio(returns, (1 + annual) ** (1 / periods) - 1, annualization=periods)
    assert stats.sharpe_ratio(returns, annual, periods).value == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("metric", [stats.sortino_ratio, stats.annual_volatility, stats.cagr, stats.calmar_ratio])
@pytest.mark.parametrize("periods", [1, 12, 365])
def test_a_year_may_have_other_than_252_periods(metric, periods):
    returns = world(5, 120, 0.02, 0.1)
    assert metric(returns, periods).value == pytest.approx(ORACLES[metric](returns, annualization=periods), rel=1e-9)


@pytest.mark.parametrize("n", [1, 2, 19, 20, 21, 101, 1000])
@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.975, 0.99])
def test_value_at_risk_and_shortfall_are_those_of_numpy_at_any_confidence(n, confidence):
    returns = world(n, n, 0.01, 0.0)
    quantile = np.quantile(returns, round(1 - confidence, 12), method="linear")
    assert stats.value_at_risk(returns, confidence).value == pytest.approx(quantile, rel=1e-12)
    # Up to rounding at the bound itself, which belongs to the tail.
    expected = returns[returns <= quantile + 1e-15].mean()
    assert stats.expected_shortfall(returns, confidence).value == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("tied", [5, 41, 99])
def test_ties_at_the_value_at_risk_do_not_widen_the_tail_of_the_shortfall(tied):
    returns = np.concatenate([[-0.10, -0.08], np.full(tied, -0.02), np.full(99 - tied, 0.01)])
    assert stats.expected_shortfall(returns).value == pytest.approx((-0.10 - 0.08 - 4 * 0.02) / 6)


@pytest.mark.parametrize(("seed", "n", "scale", "drift"), WORLDS)
def test_the_longest_drawdown_is_that_of_counting(seed, n, scale, drift):
    returns = world(seed, n, scale, drift)
    assert stats.longest_drawdown(returns) == Metric(longest_by_counting(returns), None, n)


@pytest.mark.parametrize(
    ("returns", "sessions"),
    [
        ([0.01], 0),
        ([-0.01], 1),
        ([-0.1, 0.05, 0.2], 2),
        ([0.1, -0.1, 0.0, 0.0], 3),
        # A recovery that rounding leaves a hair below the high.
        ([-1 / 12, 1 / 11, -0.1], 1),
        ([-0.5, 1.0, -0.5, -0.5, 3.0], 2),
    ],
)
def test_the_longest_drawdown_begins_at_the_start_and_need_not_recover(returns, sessions):
    assert stats.longest_drawdown(returns).value == sessions


# --- edges


@pytest.mark.parametrize("metric", [stats.sharpe_ratio, stats.sortino_ratio, stats.annual_volatility, stats.skewness, stats.kurtosis])
@pytest.mark.parametrize("n", [0, 1])
def test_spread_needs_two_returns(metric, n):
    assert metric([0.01] * n) == Metric(None, Undefined.TOO_FEW, n)


@pytest.mark.parametrize(
    "metric",
    [
        stats.cagr,
        stats.calmar_ratio,
        stats.time_weighted_return,
        stats.max_drawdown,
        stats.longest_drawdown,
        stats.value_at_risk,
        stats.expected_shortfall,
    ],
)
def test_nothing_has_no_growth_and_no_loss(metric):
    assert metric([]) == Metric(None, Undefined.NO_DATA, 0)


@pytest.mark.parametrize("metric", BY_YEAR)
def test_fifty_nine_returns_are_too_short_for_a_yearly_figure_and_sixty_are_not(metric):
    returns = world(6, 60, 0.01, 0.1)
    assert metric(returns[:59]) == Metric(None, Undefined.TOO_SHORT, 59)
    assert metric(returns).reason is None


def test_a_loss_on_the_first_day_counts_in_every_metric_of_drawdown():
    returns = np.concatenate([[-0.10], np.full(99, 0.0005)])
    assert stats.max_drawdown(returns).value == pytest.approx(-0.10)
    assert stats.longest_drawdown(returns).value == 100
    assert stats.calmar_ratio(returns).value == pytest.approx(stats.cagr(returns).value / 0.10)


def test_without_a_loss_sortino_and_calmar_are_undefined_not_infinite():
    returns = np.abs(world(7, 100, 0.01, 0.0))
    assert stats.sortino_ratio(returns) == Metric(None, Undefined.NO_LOSSES, 100)
    assert stats.calmar_ratio(returns) == Metric(None, Undefined.NO_LOSSES, 100)
    assert stats.max_drawdown(returns) == Metric(0.0, None, 100)
    assert stats.longest_drawdown(returns) == Metric(0.0, None, 100)


@pytest.mark.parametrize("constant", [0.0, 0.001, -0.02])
def test_returns_that_never_vary_have_a_volatility_of_zero_but_no_ratio_or_shape(constant):
    returns = [constant] * 100
    assert stats.annual_volatility(returns) == Metric(0.0, None, 100)
    for metric in (stats.sharpe_ratio, stats.skewness, stats.kurtosis):
        assert metric(returns) == Metric(None, Undefined.NO_VARIATION, 100)
    assert stats.value_at_risk(returns).value == pytest.approx(constant, rel=1e-15)
    assert stats.expected_shortfall(returns).value == pytest.approx(constant, rel=1e-15)


def test_a_constant_loss_has_a_sortino_ratio_because_it_has_a_downside():
    assert stats.sortino_ratio([-0.02] * 100).value == pytest.approx(-math.sqrt(252))


def test_who_loses_everything_grew_by_minus_one():
    returns = [0.01] * 70 + [-1.0] + [0.5] * 10
    assert stats.time_weighted_return(returns) == Metric(-1.0, None, 81)
    assert stats.cagr(returns) == Metric(-1.0, None, 81)
    assert stats.max_drawdown(returns) == Metric(-1.0, None, 81)


def test_who_loses_more_than_everything_has_no_growth_but_a_drawdown():
    returns = [0.01] * 70 + [-1.5, -1.5]
    for metric in (stats.time_weighted_return, stats.cagr, stats.calmar_ratio):
        assert metric(returns) == Metric(None, Undefined.NO_EQUITY, 72)
    assert stats.max_drawdown(returns).value == pytest.approx(-1.5)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("returns", [[1e200, -1e200] * 40, [1e5] * 80, [1e308] * 80, [-1e308] * 80, [5.0, -0.5, 1e290] * 30])
def test_what_leaves_the_range_of_numbers_is_too_large_and_warns_of_nothing(returns):
    found = [metric(returns) for metric in (*ORACLES, stats.longest_drawdown, stats.probabilistic_sharpe_ratio)]
    assert all(metric.value is None or math.isfinite(metric.value) for metric in found)
    assert Undefined.TOO_LARGE in {metric.reason for metric in found}


@pytest.mark.parametrize(
    "metric", [stats.sharpe_ratio, stats.sortino_ratio, stats.annual_volatility, stats.skewness, stats.probabilistic_sharpe_ratio]
)
def test_a_spread_beyond_the_range_of_numbers_does_not_make_a_ratio_of_zero(metric):
    assert metric([1e200, -1e200] * 40) == Metric(None, Undefined.TOO_LARGE, 80)


@pytest.mark.parametrize("metric", [stats.max_drawdown, stats.longest_drawdown, stats.time_weighted_return])
def test_a_value_beyond_the_range_of_numbers_has_no_drawdown_and_no_growth(metric):
    assert metric([1e200, 1e200, 0.1]) == Metric(None, Undefined.TOO_LARGE, 3)


@pytest.mark.parametrize("metric", [stats.value_at_risk, stats.expected_shortfall])
@pytest.mark.parametrize("confidence", [0.0, 1.0, -0.5, math.nan])
def test_a_confidence_outside_zero_to_one_is_refused(metric, confidence):
    with pytest.raises(InvalidInput, match="between 0 and 1"):
        metric([0.1, 0.2], confidence)


@pytest.mark.parametrize("metric", BY_YEAR[1:])
def test_a_year_without_periods_is_refused(metric):
    with pytest.raises(InvalidInput, match="one period or more"):
        metric(world(1, 60, 0.01, 0.0), periods=0)


# --- what several share


def test_returns_that_several_metrics_share_do_not_change_with_the_array_they_came_from():
    source = world(8, 100, 0.01, 0.1)
    shared, expected = Returns(source), stats.sharpe_ratio(source)
    source[:] = 0.5
    assert stats.sharpe_ratio(shared) == expected
    with pytest.raises(ValueError, match="read-only"):
        shared.values[0] = 1.0


@settings(max_examples=60, deadline=None)
@given(returns_drawn, st.integers(1, 20))
def test_ratios_and_shapes_do_not_depend_on_the_unit(returns, halvings):
    smaller = returns * 0.5**halvings
    assume(smaller.std() > 1e-9 and np.sqrt(np.square(np.minimum(smaller, 0)).mean()) > 1e-9)
    # Halving is exact in floats, so these agree to the last digit.
    for metric in (stats.sharpe_ratio, stats.sortino_ratio, stats.skewness, stats.kurtosis, stats.probabilistic_sharpe_ratio):
        assert metric(smaller) == metric(returns)
    for metric in (stats.annual_volatility, stats.value_at_risk, stats.expected_shortfall):
        assert metric(smaller).value == metric(returns).value * 0.5**halvings


@settings(max_examples=60, deadline=None)
@given(returns_drawn, st.randoms(use_true_random=False))
def test_the_order_of_returns_matters_to_drawdowns_alone(returns, random):
    shuffled = returns.copy()
    random.shuffle(shuffled)
    assume(returns.std() > 1e-6 and np.sqrt(np.square(np.minimum(returns, 0)).mean()) > 1e-6)
    for metric in (stats.value_at_risk, stats.expected_shortfall):
        assert metric(shuffled) == metric(returns)
    for metric in (stats.sharpe_ratio, stats.sortino_ratio, stats.annual_volatility, stats.cagr, stats.time_weighted_return):
        assert metric(shuffled).value == pytest.approx(metric(returns).value, rel=1e-7, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(returns_drawn)
def test_losses_are_ordered_as_their_definitions_demand(returns):
    risk, shortfall = stats.value_at_risk(returns).value, stats.expected_shortfall(returns).value
    assert returns.min() - 1e-12 <= shortfall <= risk + 1e-12
    deepest, longest = stats.max_drawdown(returns).value, stats.longest_drawdown(returns).value
    assert -1 <= deepest <= 0
    assert longest == longest_by_counting(returns)
    assert (longest == 0) == (deepest >= -1e-12)
