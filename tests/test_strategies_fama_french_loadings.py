"""Rolling regressions on factors: the numbers of statsmodels in every window, and undefined where there is nothing to say."""

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies.library.factors import factor_loadings, factor_returns
from strategies.library.windows import rolling_count, rolling_sigma, rolling_sum
from tests.portfolio_world import stock_panel


def world(seed=0, names=4, sessions=400, factors=3):
    rng = np.random.default_rng(seed)
    series = rng.normal(0.0003, 0.01, (factors, sessions))
    return rng.normal(0, 1, (names, factors)) @ series + rng.normal(0.0002, 0.015, (names, sessions)), series


def fitted(excess, factors, window, t):
    """The regression of the window that ends at t, by statsmodels, on the sessions where all is known."""
    cut = slice(t - window + 1, t + 1)
    design = sm.add_constant(factors[:, cut].T, has_constant="add")
    return sm.OLS(excess[cut], design, missing="drop").fit()


def assert_equal_to_statsmodels(loadings, excess, factors, window, row, t, tolerance=1e-9):
    model = fitted(excess[row], factors, window, t)
    found = [loadings.alpha[row, t], *loadings.betas[:, row, t]]
    statistics = [loadings.alpha_t[row, t], *loadings.betas_t[:, row, t]]
    assert found == pytest.approx(model.params, rel=tolerance, abs=tolerance)
    assert statistics == pytest.approx(model.tvalues, rel=tolerance, abs=tolerance)
    assert loadings.observations[row, t] == model.nobs


@pytest.mark.parametrize("window", [60, 252])
@pytest.mark.parametrize("factors", [1, 3, 5])
def test_every_window_equals_statsmodels(window, factors):
    excess, series = world(window + factors, factors=factors)
    loadings = factor_loadings(excess, series, window)
    for row in range(4):
        for t in range(window - 1, 400, 13):
            assert_equal_to_statsmodels(loadings, excess, series, window, row, t)
    assert np.isnan(loadings.alpha[:, : window - 1]).all()


def test_sessions_without_a_return_or_a_factor_are_left_out_and_too_many_of_them_leave_nothing():
    excess, series = world(7)
    rng = np.random.default_rng(7)
    excess[1, rng.random(400) < 0.05] = np.nan
    excess[2, :200] = np.nan
    series[1, 150:153] = np.nan
    loadings = factor_loadings(excess, series, 100)
    known = np.isfinite(excess) & np.isfinite(series).all(axis=0)
    for row in range(3):
        for t in range(99, 400, 7):
            if known[row, t - 99 : t + 1].sum() >= 90:
                assert_equal_to_statsmodels(loadings, excess, series, 100, row, t)
            else:
                assert np.isnan(loadings.alpha_t[row, t])
    assert np.isfinite(loadings.alpha[2, 290:]).all()


def test_the_lag_shows_the_regression_that_ended_so_many_sessions_before():
    excess, series = world(3)
    now, later = factor_loadings(excess, series, 60), factor_loadings(excess, series, 60, lag=21)
    np.testing.assert_array_equal(later.alpha_t[:, 21:], now.alpha_t[:, :-21])
    np.testing.assert_array_equal(later.betas[:, :, 21:], now.betas[:, :, :-21])
    assert np.isnan(later.alpha[:, : 59 + 21]).all()
    assert (later.observations[:, :21] == 0).all()


def test_an_absurd_return_spoils_no_window_that_does_not_hold_it():
    excess, series = world(5)
    excess[0, 120] = 1e6
    loadings = factor_loadings(excess, series, 60)
    for t in (*range(60, 120, 9), *range(180, 400, 9)):
        assert_equal_to_statsmodels(loadings, excess, series, 60, 0, t)


def test_factors_that_cannot_be_told_apart_have_no_loadings():
    excess, series = world(6)
    series[2] = 2 * series[1] - series[0]
    assert np.isnan(factor_loadings(excess, series, 60).alpha).all()
    series[2] = 0.0
    assert np.isnan(factor_loadings(excess, series, 60).betas).all()


def test_a_series_that_is_its_factors_has_betas_and_no_t_statistic():
    _, series = world(8)
    loadings = factor_loadings((series[0] - 0.5 * series[2])[None], series, 60)
    assert loadings.betas[:, 0, -1] == pytest.approx([1, 0, -0.5], abs=1e-9)
    assert np.isnan(loadings.alpha_t).all()


def test_what_comes_later_changes_no_earlier_regression():
    excess, series = world(9)
    whole = factor_loadings(excess, series, 60, lag=5)
    cut = factor_loadings(excess[:, :250], series[:, :250], 60, lag=5)
    np.testing.assert_allclose(cut.alpha_t, whole.alpha_t[:, :250], rtol=1e-12, equal_nan=True)


def test_factors_are_stacked_in_the_order_asked_for_and_one_missing_is_none_at_all():
    reference = stock_panel(0, 3, 50).reference
    np.testing.assert_array_equal(factor_returns(reference, ("HML", "SMB")), [reference.series["HML"], reference.series["SMB"]])
    assert factor_returns(reference, ("HML", "UMD")) is None


@given(
    values=st.lists(st.one_of(st.floats(-1e6, 1e6), st.just(float("nan"))), min_size=1, max_size=60),
    window=st.integers(1, 20),
)
@settings(deadline=None)
def test_rolling_sums_and_counts_are_those_of_each_window_alone(values, window):
    array = np.array([values])
    sums, counts = rolling_sum(array, window)[0], rolling_count(array, window)[0]
    for t in range(len(values)):
        own = array[0, max(0, t - window + 1) : t + 1]
        assert counts[t] == np.isfinite(own).sum()
        expected = own.sum() if len(own) == window else np.nan
        assert sums[t] == pytest.approx(expected, rel=1e-9, abs=1e-9, nan_ok=True)


def test_rolling_deviations_are_those_of_numpy_on_what_is_known():
    rng = np.random.default_rng(0)
    values = rng.normal(0, 0.01, (2, 200))
    values[1, rng.random(200) < 0.1] = np.nan
    sigma = rolling_sigma(values, 40, 36)
    for row in range(2):
        for t in range(200):
            own = values[row, max(0, t - 39) : t + 1]
            enough = t >= 39 and np.isfinite(own).sum() >= 36
            assert sigma[row, t] == pytest.approx(np.nanstd(own, ddof=1) if enough else np.nan, rel=1e-9, nan_ok=True)
