"""Realised variance and its forecast: the direct formulas, statsmodels' regression, and nothing from the future."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies.library import realised
from tests.support_strategies import bundled_panel, random_panel


def bars_of(panel):
    return panel.adj_open, panel.adj_high, panel.adj_low, panel.adj_close


def direct_yang_zhang(o, h, lo, c, n):
    """Equation by equation from the paper, for the last `n` sessions of a list of bars."""
    night = [np.log(o[i] / c[i - 1]) for i in range(len(c) - n, len(c))]
    day = [np.log(c[i] / o[i]) for i in range(len(c) - n, len(c))]
    v_night = sum((x - sum(night) / n) ** 2 for x in night) / (n - 1)
    v_day = sum((x - sum(day) / n) ** 2 for x in day) / (n - 1)
    v_rs = 0.0
    for i in range(len(c) - n, len(c)):
        up, down, move = np.log(h[i] / o[i]), np.log(lo[i] / o[i]), np.log(c[i] / o[i])
        v_rs += (up * (up - move) + down * (down - move)) / n
    k = 0.34 / (1.34 + (n + 1) / (n - 1))
    return v_night + k * v_day + (1 - k) * v_rs


@pytest.mark.parametrize("n", [2, 5, 22, 60])
def test_yang_zhang_is_the_papers_formula(n):
    panel = random_panel(7, symbols=1, sessions=150)
    bars = bars_of(panel)
    ours = realised.yang_zhang(*bars, n)[0]
    assert np.isnan(ours[:n]).all()
    for t in range(n, 150):
        expected = direct_yang_zhang(*(values[0, : t + 1] for values in bars), n)
        assert ours[t] == pytest.approx(expected, rel=1e-11)


def test_a_sessions_own_variance_is_its_night_squared_and_its_range():
    o, h, lo, c = [100.0, 102.0], [101.0, 105.0], [99.0, 101.0], [100.0, 104.0]
    up, down, day = np.log(105 / 102), np.log(101 / 102), np.log(104 / 102)
    variance = realised.session_variance(*(np.array(x) for x in (o, h, lo, c)))
    assert np.isnan(variance[0])
    assert variance[1] == pytest.approx(np.log(1.02) ** 2 + up * (up - day) + down * (down - day), rel=1e-13)


def test_yang_zhang_finds_the_volatility_of_a_simulated_market_whatever_its_drift():
    rng, steps, sigma = np.random.default_rng(3), 400, 0.01
    for drift in (0.0, 0.002):
        moves = rng.normal(drift / steps, sigma / np.sqrt(steps), (800, steps))
        path = np.cumsum(moves, axis=1) + np.cumsum(moves.sum(axis=1))[:, None] - moves.sum(axis=1)[:, None]
        # A quarter of each day's steps pass over night.
        day = np.exp(path[:, steps // 4 :])
        estimate = realised.yang_zhang(day[:, 0], day.max(axis=1), day.min(axis=1), day[:, -1], 700)[-1]
        # A range seen at 300 steps only is a little too narrow.
        assert np.sqrt(estimate) == pytest.approx(sigma, rel=0.05)


def by_statsmodels(bars, t, horizon, fit):
    """The fitted log variance at t, the targets it was fitted on, and the residual variance."""
    month = realised.yang_zhang(*bars, 22)
    day = np.maximum(realised.session_variance(*bars), month / 50)
    x = np.log(pd.DataFrame({"day": day, "week": realised.yang_zhang(*bars, 5), "month": month}))
    y = np.log(pd.Series(realised.yang_zhang(*bars, horizon)))
    pairs = x.shift(horizon).assign(y=y).iloc[: t + 1].dropna().tail(fit)
    model = sm.OLS(pairs["y"], sm.add_constant(pairs[["day", "week", "month"]])).fit()
    return float(model.predict([[1.0, *x.iloc[t]]])[0]), pairs["y"], model.mse_resid


@pytest.mark.parametrize("horizon", [5, 21])
@pytest.mark.parametrize("row", [0, 3])
def test_the_forecast_is_that_of_statsmodels(horizon, row):
    panel = bundled_panel()
    bars = tuple(values[row] for values in bars_of(panel))
    ours = realised.har_forecast(*bars, horizon, fit=500, least=250)
    for t in (400, 700, 1500, 3000):
        fitted, targets, spread = by_statsmodels(bars, t, horizon, 500)
        assert targets.min() < fitted < targets.max()
        assert ours[t] == pytest.approx(np.exp(fitted + spread / 2), rel=1e-8)


def test_a_fitted_value_beyond_what_occurred_is_brought_back_to_it():
    bars = [values[0, 1900:2300] for values in bars_of(bundled_panel())]  # Apple through the autumn of 2008
    ours, brought_back = realised.har_forecast(*bars, 21, fit=60, least=60), 0
    for t in range(210, 310):
        fitted, targets, spread = by_statsmodels(bars, t, 21, 60)
        kept = np.clip(fitted, targets.min(), targets.max())
        brought_back += kept != fitted
        assert ours[t] == pytest.approx(np.exp(kept + spread / 2), rel=1e-8)
    assert brought_back > 3


def test_a_forecast_is_closer_to_what_comes_than_the_last_month_is():
    panel = bundled_panel()
    for row in (0, 3, 4):
        bars = tuple(values[row] for values in bars_of(panel))
        forecast, month = realised.har_forecast(*bars, 21, fit=1000, least=250), realised.yang_zhang(*bars, 22)
        came = np.concatenate([realised.yang_zhang(*bars, 21)[21:], np.full(21, np.nan)])
        known = np.isfinite(forecast) & np.isfinite(came)
        loss = [np.mean((ratio := came[known] / each[known]) - np.log(ratio) - 1) for each in (forecast, month)]
        assert loss[0] < loss[1]


def test_too_little_history_gives_no_forecast():
    panel = random_panel(1, symbols=2, sessions=200)
    forecast = realised.har_forecast(*bars_of(panel), 21, fit=500, least=100)
    # The first month is bar 22, its first complete pair 43, the hundredth 142.
    assert np.isnan(forecast[:, :142]).all()
    assert np.isfinite(forecast[:, 142:]).all()
    assert np.isnan(realised.har_forecast(*(values[:, :20] for values in bars_of(panel)), 21, fit=500, least=100)).all()


def test_a_price_that_stands_still_has_no_volatility_to_forecast():
    flat = np.full(400, 10.0)
    assert np.isnan(realised.har_forecast(flat, flat, flat, flat, 5, fit=300, least=100)).all()
    assert np.isnan(realised.annual_volatility(np.array([0.0, np.nan, -1.0]))).all()
    assert realised.annual_volatility(np.array(1e-4)) == pytest.approx(0.01 * np.sqrt(252))


@given(seed=st.integers(0, 2**32 - 1), cut=st.integers(100, 299), gaps=st.booleans(), late=st.booleans())
@settings(max_examples=25, deadline=None)
def test_what_comes_later_changes_no_forecast(seed, cut, gaps, late):
    bars = bars_of(random_panel(seed, symbols=2, gaps=gaps, late=late))
    whole = realised.har_forecast(*bars, 5, fit=80, least=40)
    part = realised.har_forecast(*(values[:, :cut] for values in bars), 5, fit=80, least=40)
    np.testing.assert_array_equal(whole[:, :cut], part)


def test_gaps_are_passed_over():
    bars = bars_of(random_panel(5, symbols=1))
    torn = [np.concatenate([row[:, :150], np.full((1, 6), np.nan), row[:, 150:]], axis=1) for row in bars]
    whole, with_gap = (realised.har_forecast(*given, 5, fit=80, least=40) for given in (bars, torn))
    np.testing.assert_array_equal(np.delete(with_gap, range(150, 156), axis=1), whole)
    assert np.isnan(with_gap[:, 150:156]).all()


def test_thirty_days_have_twenty_one_sessions():
    assert [realised.horizon_of(days) for days in (0, 7, 30, 365)] == [2, 5, 21, 252]
