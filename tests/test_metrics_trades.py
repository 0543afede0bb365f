"""Metrics of trades against pandas, scipy and hand calculation; empyrical knows no trades."""

import math
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from statsmodels.stats.weightstats import DescrStatsW

from quant_site.core import stats
from quant_site.core.errors import InvalidInput
from quant_site.core.stats import Metric, Undefined

OF_RESULTS = [stats.win_rate, stats.profit_factor, stats.payoff_ratio, stats.expectancy, stats.kelly_fraction]
results_drawn = st.lists(st.floats(-1e4, 1e4, allow_subnormal=False), min_size=1, max_size=60)


def results_of(seed, n, mean=5.0):
    return np.random.default_rng(seed).normal(mean, 50, n).round(2)


# --- gains beside losses


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("n", [20, 50, 400])
def test_the_payoff_ratio_is_that_of_pandas(seed, n):
    results = pd.Series(results_of(seed, n))
    expected = results[results > 0].mean() / -results[results < 0].mean()
    assert stats.payoff_ratio(results).value == pytest.approx(expected)
    assert stats.payoff_ratio(results).n == n


def test_the_payoff_ratio_needs_a_winner_and_a_loser():
    assert stats.payoff_ratio([]) == Metric(None, Undefined.NO_TRADES, 0)
    assert stats.payoff_ratio([5, 0]) == Metric(None, Undefined.NO_LOSSES, 2)
    assert stats.payoff_ratio([-5, 0]) == Metric(None, Undefined.NO_WINS, 2)
    assert stats.payoff_ratio([0]) == Metric(None, Undefined.NO_LOSSES, 1)


@settings(max_examples=100, deadline=None)
@given(results_drawn)
def test_profit_factor_is_the_payoff_ratio_times_winners_per_loser(results):
    values = np.array(results)
    wins, losses = (values > 0).sum(), (values < 0).sum()
    assume(wins and losses and values[values < 0].min() < -1e-6)
    assert stats.profit_factor(values).value == pytest.approx(stats.payoff_ratio(values).value * wins / losses, rel=1e-9)


@settings(max_examples=100, deadline=None)
@given(results_drawn, st.integers(1, 20), st.randoms(use_true_random=False))
def test_ratios_of_trades_depend_neither_on_currency_nor_on_order(results, halvings, random):
    values = np.array(results)
    assume((np.abs(values[values != 0]) > 1e-3).all() and (values.size < 2 or values.std() == 0 or values.std() > 1e-3))
    smaller = values * 0.5**halvings
    shuffled = values.copy()
    random.shuffle(shuffled)
    for metric in (stats.win_rate, stats.profit_factor, stats.payoff_ratio, stats.kelly_fraction):
        assert metric(smaller) == metric(values)
        assert metric(shuffled).reason == metric(values).reason
        assert metric(values).reason or metric(shuffled).value == pytest.approx(metric(values).value, rel=1e-9)
    assert stats.expectancy(smaller).value == stats.expectancy(values).value * 0.5**halvings


# --- expectancy and R


@pytest.mark.parametrize("n", [2, 5, 40, 1000])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_expectancy_is_the_mean_with_the_interval_of_statsmodels(n, confidence):
    results = results_of(n, n)
    found = stats.expectancy(results, confidence)
    assert found.value == pytest.approx(results.mean())
    assert (found.low, found.high) == pytest.approx(DescrStatsW(results).tconfint_mean(alpha=1 - confidence))


def test_the_expectancy_of_one_trade_or_of_equal_ones_has_no_interval():
    assert stats.expectancy([]) == Metric(None, Undefined.NO_TRADES, 0)
    assert stats.expectancy([Decimal("12.50")]) == Metric(12.5, None, 1)
    assert stats.expectancy([-3.0, -3.0]) == Metric(-3.0, None, 2)


def test_average_r_weighs_each_trade_by_the_risk_it_took():
    found = stats.average_r([Decimal("200"), Decimal("-50"), Decimal("30")], [Decimal("100"), Decimal("50"), Decimal("60")])
    multiples = np.array([2.0, -1.0, 0.5])
    interval = scipy_stats.t.interval(0.95, 2, multiples.mean(), multiples.std(ddof=1) / math.sqrt(3))
    assert (found.value, found.n) == (pytest.approx(0.5), 3)
    assert (found.low, found.high) == pytest.approx(interval)


def test_average_r_without_trades_is_undefined_and_of_one_trade_is_that_trade():
    assert stats.average_r([], []) == Metric(None, Undefined.NO_TRADES, 0)
    assert stats.average_r([-30], [60]) == Metric(-0.5, None, 1)


@pytest.mark.parametrize("risk", [0, -5])
def test_a_trade_without_initial_risk_is_refused_and_named(risk):
    with pytest.raises(InvalidInput, match=r"Initial risk: observation 2 of 2 is .* above zero") as caught:
        stats.average_r([10, 20], [5, risk])
    assert caught.value.details["at"] == 1


def test_average_r_needs_one_risk_per_result():
    with pytest.raises(InvalidInput, match="one initial risk per result; the lengths are 2, 1"):
        stats.average_r([1, 2], [1])


@pytest.mark.filterwarnings("error")
def test_what_leaves_the_range_of_numbers_is_too_large():
    assert stats.average_r([1e300], [1e-300]) == Metric(None, Undefined.TOO_LARGE, 1)
    assert stats.expectancy([1e308, -1e308]) == Metric(None, Undefined.TOO_LARGE, 2)
    assert stats.payoff_ratio([1e308, -1e-10]) == Metric(None, Undefined.TOO_LARGE, 2)
    assert stats.payoff_ratio([1.0, -1e308, -1e308]) == Metric(None, Undefined.TOO_LARGE, 3)
    assert stats.profit_factor([1.0, -1e308, -1e308]) == Metric(None, Undefined.TOO_LARGE, 3)


# --- excursions


def test_excursions_are_in_units_of_initial_risk_and_mirror_for_a_short_trade():
    # Long from 100, stop 95: fell to 97 (0.6 R), rose to 112 (2.4 R). Short from 50, stop 52: rose to 51 (0.5 R), fell to 45 (2.5 R).
    found = stats.mae_mfe([1, -1], [100, 50], [95, 52], [97, 45], [112, 51])
    assert (found.mae.value, found.mfe.value) == (pytest.approx((0.6 + 0.5) / 2), pytest.approx((2.4 + 2.5) / 2))
    assert (found.mae.n, found.mfe.n) == (2, 2)


def test_a_trade_that_never_went_against_its_holder_has_no_adverse_excursion():
    found = stats.mae_mfe([1], [100], [90], [101], [120])
    assert (found.mae, found.mfe) == (Metric(0.0, None, 1), Metric(2.0, None, 1))


def test_a_trade_that_only_lost_has_no_favourable_excursion():
    found = stats.mae_mfe([-1], [100], [110], [100], [115])
    assert (found.mae, found.mfe) == (Metric(1.5, None, 1), Metric(0.0, None, 1))


def test_excursions_without_trades_are_undefined():
    assert set(stats.mae_mfe([], [], [], [], [])) == {Metric(None, Undefined.NO_TRADES, 0)}


@pytest.mark.parametrize(
    ("trade", "why"),
    [
        ((0, 100, 95, 97, 112), "neither 1"),
        ((2, 100, 95, 97, 112), "neither 1"),
        ((1, 100, 100, 97, 112), "losing side"),
        ((1, 100, 105, 97, 112), "losing side"),
        ((-1, 100, 95, 97, 112), "losing side"),
        ((1, 100, 95, 113, 112), "above the highest"),
    ],
)
def test_a_trade_that_cannot_be_is_refused_and_named(trade, why):
    columns = zip((1, 100, 95, 97, 112), trade, strict=True)
    with pytest.raises(InvalidInput, match=f"Trade 2 of 2: .*{why}") as caught:
        stats.mae_mfe(*columns)
    assert caught.value.details["at"] == 1


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([1, -1]), st.floats(10, 500), st.floats(0.1, 5), st.floats(0, 9), st.floats(0, 9)), min_size=1))
def test_excursions_are_never_negative_and_are_those_of_a_loop(trades):
    rows = [(side, entry, entry - side * risk, entry - down, entry + up) for side, entry, risk, down, up in trades]
    adverse = [(entry - low if side > 0 else high - entry) / abs(entry - stop) for side, entry, stop, low, high in rows]
    favourable = [(high - entry if side > 0 else entry - low) / abs(entry - stop) for side, entry, stop, low, high in rows]
    found = stats.mae_mfe(*zip(*rows, strict=True))
    assert found.mae.value == pytest.approx(np.mean(adverse)) and found.mae.value >= 0
    assert found.mfe.value == pytest.approx(np.mean(favourable)) and found.mfe.value >= 0


# --- Kelly


@pytest.mark.parametrize(("wins", "losses", "gain", "loss"), [(60, 40, 100, 80), (45, 55, 300, 100), (500, 500, 12, 10)])
@pytest.mark.parametrize("kelly_share", [0.1, 0.5])
def test_kelly_uses_the_lower_wilson_bound_of_the_win_rate(wins, losses, gain, loss, kelly_share):
    p = scipy_stats.binomtest(wins, wins + losses).proportion_ci(0.95, method="wilson").low
    expected = kelly_share * (p - (1 - p) * loss / gain)
    assert expected > 0
    found = stats.kelly_fraction([gain] * wins + [-loss] * losses, kelly_share)
    assert (found.value, found.n) == (pytest.approx(expected), wins + losses)


def test_kelly_without_an_edge_is_a_size_of_zero():
    assert stats.kelly_fraction([100, -100] * 50) == Metric(0.0, None, 100)
    assert stats.kelly_fraction([-5, -6, 0]) == Metric(0.0, None, 3)
    assert stats.kelly_fraction([100, 100, -80]) == Metric(0.0, None, 3)


def test_kelly_without_a_loss_or_a_trade_is_undefined():
    assert stats.kelly_fraction([5, 7]) == Metric(None, Undefined.NO_LOSSES, 2)
    assert stats.kelly_fraction([]) == Metric(None, Undefined.NO_TRADES, 0)


def test_kelly_of_a_payoff_too_small_for_a_number_is_zero():
    assert stats.kelly_fraction([5e-324] * 9 + [-1e300]) == Metric(0.0, None, 10)


@pytest.mark.parametrize("kelly_share", [0.0, -0.1, 0.51, 1.0, math.nan])
def test_more_than_half_of_kelly_is_refused(kelly_share):
    with pytest.raises(InvalidInput, match="at most one half"):
        stats.kelly_fraction([100, -50], kelly_share)


@settings(max_examples=100, deadline=None)
@given(results_drawn)
def test_kelly_never_bets_more_than_half_nor_less_than_nothing(results):
    found = stats.kelly_fraction(results)
    assert found.value is None or 0 <= found.value < 0.5


# --- what is refused


@pytest.mark.parametrize("metric", OF_RESULTS)
@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_a_result_that_is_no_number_is_refused_by_its_place(metric, wrong):
    for given_as in (list, np.array):
        with pytest.raises(InvalidInput, match="observation 2 of 3 is") as caught:
            metric(given_as([1.0, wrong, -1.0]))
        assert caught.value.details["at"] == 1
