"""Metrics as analytics imports them, against scipy, statsmodels, pandas and hand calculation."""

import math
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import DescrStatsW

from analytics import stats
from analytics.stats import Metric, Undefined
from quant_site.core import stats as shared
from quant_site.core.errors import InvalidInput

GRID = [
    (seed, n, scale, drift) for seed in (1, 2) for n in (60, 61, 252, 2000) for scale in (1e-6, 0.01, 0.2) for drift in (-0.3, 0.0, 0.3)
]


def returns_of(seed, n, scale, drift):
    return np.random.default_rng(seed).standard_t(5, n) * scale + drift * scale


# --- win rate


@pytest.mark.parametrize("n", [1, 2, 3, 10, 37, 500])
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.999])
def test_the_wilson_interval_is_that_of_scipy_and_statsmodels(n, confidence):
    for wins in sorted({0, 1, n // 3, n // 2, n - 1, n}):
        low, high = stats.wilson_interval(wins, n, confidence)
        oracle = scipy_stats.binomtest(wins, n).proportion_ci(confidence, method="wilson")
        second = proportion_confint(wins, n, alpha=1 - confidence, method="wilson")
        assert (low, high) == pytest.approx((oracle.low, oracle.high), abs=1e-12)
        assert (low, high) == pytest.approx(second, abs=1e-12)


def test_the_wilson_interval_reaches_its_ends_exactly():
    assert stats.wilson_interval(0, 7)[0] == 0.0
    assert stats.wilson_interval(7, 7)[1] == 1.0


@pytest.mark.parametrize(("wins", "n"), [(-1, 3), (4, 3), (0, 0)])
def test_a_proportion_outside_its_range_is_refused(wins, n):
    with pytest.raises(InvalidInput, match="0 ≤ successes ≤ n"):
        stats.wilson_interval(wins, n)


@pytest.mark.parametrize("confidence", [0.0, 1.0, -1.0, math.nan])
def test_a_confidence_outside_zero_to_one_is_refused(confidence):
    with pytest.raises(InvalidInput, match="between 0 and 1"):
        stats.wilson_interval(1, 2, confidence)


def test_win_rate_counts_break_even_trades_as_no_win():
    metric = stats.win_rate([Decimal("10.00"), Decimal("0.00"), Decimal("-3.50"), Decimal("0.01")])
    assert (metric.value, metric.n) == (0.5, 4)
    assert metric.low < 0.5 < metric.high


def test_win_rate_without_trades_is_undefined_and_says_so():
    assert stats.win_rate([]) == Metric(None, Undefined.NO_TRADES, 0)


# --- profit factor and holding


def test_profit_factor_is_gains_over_losses():
    assert stats.profit_factor([300, -100, 50, -75, 0]).value == pytest.approx(350 / 175)


def test_profit_factor_without_a_loss_is_undefined_not_infinite():
    assert stats.profit_factor([5, 0, 7]) == Metric(None, Undefined.NO_LOSSES, 3)


def test_profit_factor_without_a_gain_is_zero():
    assert stats.profit_factor([-5]).value == 0.0


def test_profit_factor_without_trades_is_undefined():
    assert stats.profit_factor([]) == Metric(None, Undefined.NO_TRADES, 0)


@pytest.mark.parametrize("seed", range(5))
def test_profit_factor_is_that_of_pandas(seed):
    results = pd.Series(np.random.default_rng(seed).normal(1, 50, 400))
    assert stats.profit_factor(results).value == pytest.approx(results.clip(lower=0).sum() / -results.clip(upper=0).sum())


def test_average_holding_counts_a_day_trade_as_zero():
    assert stats.average_holding([0, 3, 6]).value == 3.0
    assert stats.average_holding([]) == Metric(None, Undefined.NO_TRADES, 0)


# --- Sharpe ratio


@pytest.mark.parametrize(("seed", "n", "scale", "drift"), GRID)
@pytest.mark.parametrize("risk_free", [0.0, 0.05])
def test_the_sharpe_ratio_is_that_of_pandas(seed, n, scale, drift, risk_free):
    returns = pd.Series(returns_of(seed, n, scale, drift))
    excess = returns - ((1 + risk_free) ** (1 / 252) - 1)
    expected = excess.mean() / excess.std(ddof=1) * math.sqrt(252)
    assert stats.sharpe_ratio(returns, risk_free).value == pytest.approx(expected, rel=1e-9)


def test_the_sharpe_ratio_is_not_annualised_below_sixty_returns():
    returns = returns_of(3, 60, 0.01, 0.1)
    assert stats.sharpe_ratio(returns[:59]) == Metric(None, Undefined.TOO_SHORT, 59)
    assert stats.sharpe_ratio(returns).value is not None


@pytest.mark.parametrize("returns", [[], [0.01]])
def test_the_sharpe_ratio_of_fewer_than_two_returns_is_undefined(returns):
    assert stats.sharpe_ratio(returns) == Metric(None, Undefined.TOO_FEW, len(returns))


@pytest.mark.parametrize("constant", [0.0, 0.001, -0.02, 1e-13])
def test_the_sharpe_ratio_of_a_constant_is_undefined(constant):
    assert stats.sharpe_ratio([constant] * 100) == Metric(None, Undefined.NO_VARIATION, 100)


@pytest.mark.parametrize("rate", [-1.0, -2.0, math.nan, math.inf])
def test_a_rate_that_cannot_compound_is_refused(rate):
    with pytest.raises(InvalidInput, match="above -1"):
        stats.rate_per_period(rate)


# --- drawdown


@pytest.mark.parametrize(("seed", "n", "scale", "drift"), GRID)
def test_the_drawdown_is_that_of_pandas(seed, n, scale, drift):
    returns = np.clip(returns_of(seed, n, scale, drift), -0.9, None)
    value = pd.concat([pd.Series([1.0]), (1 + pd.Series(returns)).cumprod()])
    assert stats.max_drawdown(returns).value == pytest.approx((value / value.cummax() - 1).min(), rel=1e-9, abs=1e-15)


def test_a_loss_on_the_first_day_is_a_drawdown():
    assert stats.max_drawdown([-0.10]).value == pytest.approx(-0.10)
    assert stats.max_drawdown([-0.10, 0.05, 0.02]).value == pytest.approx(-0.10)


def test_a_curve_that_only_rises_has_a_drawdown_of_zero():
    assert stats.max_drawdown([0.01, 0.0, 0.02]) == Metric(0.0, None, 3)


def test_the_drawdown_of_nothing_is_undefined():
    assert stats.max_drawdown([]) == Metric(None, Undefined.NO_DATA, 0)


# --- exposure


def test_exposure_is_the_mean_share_of_equity_at_work():
    assert stats.exposure([50, 0, 150], [100, 100, 100]).value == pytest.approx(2 / 3)


def test_exposure_without_equity_is_undefined():
    assert stats.exposure([50, 10], [100, 0]) == Metric(None, Undefined.NO_EQUITY, 2)
    assert stats.exposure([], []) == Metric(None, Undefined.NO_DATA, 0)


def test_exposure_needs_one_equity_a_session():
    with pytest.raises(InvalidInput, match="one equity per session"):
        stats.exposure([1], [1, 2])


# --- estimates


@pytest.mark.parametrize("n", [2, 5, 40, 1000])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.9958])
def test_the_interval_of_a_mean_is_that_of_statsmodels(n, confidence):
    values = returns_of(n, n, 3.0, 0.4)
    metric = stats.mean_estimate(values, confidence)
    assert (metric.low, metric.high) == pytest.approx(DescrStatsW(values).tconfint_mean(alpha=1 - confidence))
    assert metric.value == pytest.approx(values.mean())


def test_the_mean_of_too_little_is_undefined():
    assert stats.mean_estimate([1.0]) == Metric(None, Undefined.TOO_FEW, 1)
    assert stats.mean_estimate([2.0, 2.0]) == Metric(None, Undefined.NO_VARIATION, 2)


# --- what every metric does


def test_analytics_and_backtests_share_one_definition_of_every_metric():
    assert set(shared.__all__) <= set(stats.__all__)
    for name in shared.__all__:
        assert getattr(stats, name) is getattr(shared, name)


@pytest.mark.parametrize(
    "metric", [stats.win_rate, stats.profit_factor, stats.average_holding, stats.sharpe_ratio, stats.max_drawdown, stats.mean_estimate]
)
@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_no_number_is_refused_by_its_place(metric, wrong):
    with pytest.raises(InvalidInput, match="observation 3 of 4 is") as caught:
        metric([0.1, 0.2, wrong, 0.3])
    assert caught.value.details["at"] == 2


def test_a_metric_has_a_value_or_a_reason_never_both_nor_neither():
    for arguments in [(1.0, Undefined.NO_DATA, 1), (None, None, 1), (math.nan, None, 1), (math.inf, None, 1)]:
        with pytest.raises(ValueError, match="A metric"):
            Metric(*arguments)


def test_the_json_form_carries_value_reason_and_number():
    assert stats.win_rate([]).as_dict() == {"value": None, "reason": "NO_TRADES", "n": 0}
    assert set(stats.win_rate([1]).as_dict()) == {"value", "reason", "n", "low", "high"}


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(-0.99, 5, allow_subnormal=False), max_size=120))
def test_whatever_the_returns_a_metric_is_finite_or_says_why(returns):
    for metric in (stats.sharpe_ratio(returns), stats.max_drawdown(returns), stats.win_rate(returns), stats.profit_factor(returns)):
        assert metric.n == len(returns)
        assert (metric.value is None) != (metric.reason is None)
    drawdown = stats.max_drawdown(returns).value
    assert drawdown is None or -1 <= drawdown <= 0
