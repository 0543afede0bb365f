"""Hedges as arithmetic, against statsmodels, numpy and a simulation of what the band is for."""

from decimal import Decimal
from math import exp, log, sqrt

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from quant_site.market.execution import CostModel
from trading.exposure.hedging import (
    Day,
    absolute_aversion,
    beta_hedge,
    delta_hedge,
    estimated_cost,
    mean_discount,
    proportional_cost,
    review,
    shrunk_beta,
    variance_removed,
    whalley_wilmott,
)

dollars = st.floats(-1e8, 1e8)
prices = st.floats(0.5, 5000)


def market_and_stock(count: int, beta: float = 1.4, seed: int = 3):
    rng = np.random.default_rng(seed)
    market = rng.normal(0, 0.01, count)
    return market, 0.0002 + beta * market + rng.normal(0, 0.01, count)


# --- beta


def test_beta_is_that_of_least_squares_shrunk_towards_one():
    market, own = market_and_stock(252)
    slope = sm.OLS(own, sm.add_constant(market)).fit().params[1]
    assert shrunk_beta(own, market).value == pytest.approx(0.67 * slope + 0.33, rel=1e-12)


def test_beta_looks_at_the_last_252_sessions_only():
    market, own = market_and_stock(400)
    own[:148] *= -30
    assert shrunk_beta(own, market) == shrunk_beta(own[148:], market[148:])
    assert shrunk_beta(own, market).n == 252


def test_beta_leaves_out_days_on_which_either_did_not_trade():
    market, own = market_and_stock(252)
    own[7], market[90] = np.nan, np.nan
    both = np.isfinite(own) & np.isfinite(market)
    slope = sm.OLS(own[both], sm.add_constant(market[both])).fit().params[1]
    found = shrunk_beta(own, market)
    assert (found.value, found.n) == (pytest.approx(0.67 * slope + 0.33, rel=1e-12), 250)


@pytest.mark.parametrize(("count", "known"), [(59, False), (60, True)])
def test_beta_needs_sixty_observations(count, known):
    market, own = market_and_stock(count)
    found = shrunk_beta(own, market)
    assert (found.value is not None) is known and found.n == count
    assert known or found.reason == "TOO_FEW"


def test_a_market_that_stands_still_gives_no_beta():
    found = shrunk_beta(np.random.default_rng(1).normal(size=100), np.zeros(100))
    assert (found.value, found.reason) == (None, "NO_VARIATION")


# --- the beta hedge


def test_within_its_band_a_beta_hedge_does_nothing():
    assert beta_hedge(10_400.0, 5_600.0, 4_800.0, 100.0).shares == 0
    assert beta_hedge(10_401.0, 5_600.0, 4_800.0, 100.0).shares == -48


def test_a_short_account_is_hedged_by_buying():
    assert beta_hedge(-50_000.0, 0.0, 1_000.0, 250.0).shares == 200


def test_the_multiplier_of_a_future_divides_the_number():
    assert beta_hedge(1_000_000.0, 0.0, 0.0, 4_000.0, multiplier=50).shares == -5


@given(dollars, dollars, st.floats(0, 1e7), prices)
def test_a_beta_hedge_comes_within_a_share_of_its_target_and_never_beyond(exposure, target, band, price):
    hedge = beta_hedge(exposure, target, band, price)
    if abs(exposure - target) <= band:
        assert hedge.shares == 0
        return
    left = exposure + hedge.shares * price - target
    assert abs(left) < price * (1 + 1e-5) + 1e-3
    assert left * (exposure - target) >= -1e-3 * max(abs(exposure), abs(target), 1.0)


def test_nonsense_is_no_hedge():
    for wrong in ((float("nan"), 0.0, 0.0, 1.0), (1.0, 0.0, -1.0, 1.0), (1.0, 0.0, 0.0, 0.0), (1.0, float("inf"), 0.0, 1.0)):
        with pytest.raises(ValueError, match="A hedge needs"):
            beta_hedge(*wrong)
        with pytest.raises(ValueError, match="A hedge needs"):
            delta_hedge(*wrong)


# --- the delta hedge


@given(dollars, dollars, st.floats(0, 1e7), prices)
def test_a_delta_hedge_goes_to_the_nearest_edge_of_its_band_and_no_further(exposure, target, band, price):
    hedge = delta_hedge(exposure, target, band, price)
    after = exposure + hedge.shares * price
    slack = price * (1 + 1e-5) + 1e-3
    if abs(exposure - target) <= band:
        assert hedge.shares == 0
    else:
        edge = target + band if exposure > target else target - band
        assert abs(after - edge) < slack
        assert abs(hedge.shares) * price <= abs(exposure - edge) + 1e-2


def test_the_band_is_that_of_whalley_and_wilmott():
    # By hand: 1.5 · e^(−.02·.25) · .001 · 50 · 40² / 2e-5 = 5,970,074.87, whose cube root is 181.41.
    width = whalley_wilmott(40.0, 50.0, cost=0.001, aversion=absolute_aversion(2.0, 100_000.0), discount=exp(-0.02 * 0.25))
    assert width**3 == pytest.approx(5_970_074.87, abs=0.01)
    assert width == pytest.approx(181.41, abs=0.01)


@given(st.floats(0.1, 1e4), prices, st.floats(1e-5, 0.05), st.floats(0.1, 10), st.floats(1e3, 1e8))
def test_the_band_grows_with_gamma_and_cost_as_the_formula_says(gamma, price, cost, aversion, equity):
    def width(gamma=gamma, cost=cost, equity=equity):
        return whalley_wilmott(gamma, price, cost=cost, aversion=absolute_aversion(aversion, equity))

    assert width(gamma=8 * gamma) == pytest.approx(4 * width())
    assert width(cost=8 * cost) == pytest.approx(2 * width())
    assert width(equity=8 * equity) == pytest.approx(2 * width())
    assert width(gamma=-gamma) == width()


def test_without_gamma_or_cost_there_is_no_band():
    assert whalley_wilmott(0.0, 100.0, cost=0.001, aversion=1e-5) == 0
    assert whalley_wilmott(5.0, 100.0, cost=0.0, aversion=1e-5) == 0


def test_the_discount_of_several_expiries_is_weighed_by_the_size_of_their_gammas():
    expected = (3 * exp(-0.04 * 0.1) + 1 * exp(-0.04 * 1.0)) / 4
    assert mean_discount([3.0, -1.0], [0.1, 1.0], 0.04) == pytest.approx(expected)
    assert mean_discount([], [], 0.04) == 1 and mean_discount([0.0], [0.5], 0.04) == 1


def hedged_outcomes(width_of, paths: int = 3000, steps: int = 126) -> np.ndarray:
    """P&L of 100 sold calls (of 100 units) hedged daily to the edge of `width_of(gamma, spot)`, at a cost of 50 basis points."""
    rng, volatility, strike, units, cost = np.random.default_rng(11), 0.2, 100.0, 10_000.0, 0.005
    spot, held, cash = np.full(paths, 100.0), np.zeros(paths), np.zeros(paths)
    dt = 0.5 / steps
    for step in range(steps):
        years = 0.5 - step * dt
        d1 = (np.log(spot / strike) + volatility**2 * years / 2) / (volatility * sqrt(years))
        delta, gamma = units * norm.cdf(d1), units * norm.pdf(d1) / (spot * volatility * sqrt(years))
        width = width_of(gamma, spot)
        wanted = np.clip(held, delta - width, delta + width)
        cash -= (wanted - held) * spot + cost * np.abs(wanted - held) * spot
        held = wanted
        spot = spot * np.exp(-(volatility**2) * dt / 2 + volatility * sqrt(dt) * rng.normal(size=paths))
    return cash + held * spot - cost * np.abs(held) * spot - units * np.maximum(spot - strike, 0)


def test_the_band_serves_its_owner_better_than_trading_daily_a_narrower_a_wider_one_or_none_at_all():
    aversion = absolute_aversion(1.0, 100_000.0)

    def utility(outcomes):
        """The certainty equivalent of exponential utility, which the band is asymptotically the best for."""
        return -log(np.mean(np.exp(-aversion * (outcomes - outcomes.mean())))) / aversion + outcomes.mean()

    def scaled(factor):
        return utility(hedged_outcomes(lambda gamma, spot: factor * whalley_wilmott(gamma, spot, cost=0.005, aversion=aversion)))

    best = scaled(1.0)
    assert best > scaled(0.0)
    assert best > scaled(0.2)
    assert best > scaled(4.0)
    assert best > utility(hedged_outcomes(lambda gamma, spot: np.full_like(gamma, 1e9)))


# --- costs


def test_costs_are_those_of_the_model():
    costs = CostModel()
    assert proportional_cost(costs, 50.0) == pytest.approx(0.0003 + 0.005 / 50)
    assert estimated_cost(costs, -300, Decimal("50")) == Decimal("15000") * Decimal("0.0003") + Decimal("1.50")
    assert estimated_cost(costs, 0, Decimal("50")) == 0


# --- whether it worked


def days_of(account, hedge, cost=1.0):
    return [Day(float(a), float(h), cost) for a, h in zip(account, hedge, strict=True)]


def test_variance_removed_is_measured_against_the_account_without_its_hedge():
    rng = np.random.default_rng(2)
    stocks = rng.normal(0, 1000, 80)
    hedge = -0.9 * stocks + rng.normal(0, 100, 80)
    expected = 1 - np.var(stocks + hedge, ddof=1) / np.var(stocks, ddof=1)
    assert variance_removed(days_of(stocks + hedge, hedge)) == pytest.approx(expected)
    assert expected > 0.9


def test_a_perfect_hedge_removes_all_and_a_doubled_position_adds_three_times_as_much():
    stocks = np.random.default_rng(5).normal(0, 1000, 40)
    assert variance_removed(days_of(stocks * 0, -stocks)) == pytest.approx(1)
    assert variance_removed(days_of(stocks * 2, stocks)) == pytest.approx(-3)


def test_an_account_that_never_moved_has_no_variance_to_remove():
    assert variance_removed(days_of([5.0] * 30, [0.0] * 30)) is None
    assert variance_removed(days_of([5.0], [1.0])) is None


def test_a_review_says_nothing_before_twenty_hedged_sessions_and_judges_none_before_its_own_number():
    stocks = np.random.default_rng(7).normal(0, 1000, 63)
    bad = days_of(2 * stocks, stocks)
    assert review(bad[:19], sessions=63, equity=1e6).variance_removed is None
    early = review(bad[:62], sessions=63, equity=1e6)
    assert early.variance_removed == pytest.approx(-3) and not early.fault
    assert review(bad, sessions=63, equity=1e6).fault.startswith("NO_VARIANCE_REMOVED: Over 63 hedged sessions")


def test_sessions_without_a_hedge_do_not_count():
    stocks = np.random.default_rng(7).normal(0, 1000, 63)
    idle = [Day(float(move), 0.0, 0.0) for move in stocks]
    good = days_of(stocks * 0.1, -0.9 * stocks)
    found = review([*idle, *good[:30], *idle], sessions=30, equity=1e6)
    assert (found.sessions, found.fault) == (30, "")
    assert found.variance_removed == pytest.approx(0.99)


def test_a_hedge_that_costs_more_than_a_percent_of_equity_a_year_is_too_dear():
    stocks = np.random.default_rng(7).normal(0, 1000, 63)
    limit = 0.01 * 100_000 * 63 / 252
    cheap, dear = (days_of(stocks * 0.1, -0.9 * stocks, cost) for cost in (limit / 63 * 0.999, limit / 63 * 1.001))
    assert not review(cheap, sessions=63, equity=100_000).fault
    assert review(dear, sessions=63, equity=100_000).fault.startswith("TOO_DEAR: Over 63 hedged sessions the hedge cost 250.25")
