"""American prices and Greeks, against a binomial tree of two thousand steps and a finite-difference grid."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import QuantLib as ql
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_site.market.options.american import american_implied_volatility, american_price, american_prices, american_value
from quant_site.market.options.black_scholes import bsm_price
from tests.options_world import flat_process, quantlib_option

CASES = [
    (100, 100, 30, 0.05, 0.015, 0.15, False),
    (100, 115, 90, 0.05, 0.015, 0.20, False),
    (100, 80, 365, 0.05, 0.03, 0.30, False),
    (100, 140, 365, 0.05, 0.0, 0.15, False),
    (100, 100, 365, 0.02, 0.06, 0.25, True),
    (100, 90, 180, 0.01, 0.05, 0.20, True),
    (100, 110, 45, 0.05, 0.015, 0.20, True),
    (100, 105, 365, -0.004, 0.0, 0.20, False),
    (100, 95, 365, -0.01, 0.0, 0.20, True),
    (45, 50, 730, 0.08, 0.02, 0.50, False),
]


def value(case):
    spot, strike, days, *rest = case
    return american_value(spot, strike, days / 365, *rest)


@pytest.mark.parametrize("case", CASES)
def test_a_fine_binomial_tree_agrees(case):
    spot, strike, days, rate, dividend_yield, volatility, call = case
    engine = ql.BinomialCRRVanillaEngine(flat_process(spot, rate, dividend_yield, volatility), 2000)
    assert value(case).price == pytest.approx(quantlib_option(engine, strike, days, call, american=True).NPV(), abs=1e-2)


@pytest.mark.parametrize("case", CASES)
def test_greeks_are_those_of_a_finite_difference_grid(case):
    spot, strike, days, rate, dividend_yield, volatility, call = case

    def grid(volatility):
        engine = ql.FdBlackScholesVanillaEngine(flat_process(spot, rate, dividend_yield, volatility), 400, 800)
        return quantlib_option(engine, strike, days, call, american=True)

    option, found = grid(volatility), value(case)
    assert found.delta == pytest.approx(option.delta(), abs=5e-4)
    assert found.gamma == pytest.approx(option.gamma(), rel=1e-2, abs=1e-6)
    assert found.vega == pytest.approx(grid(volatility + 0.005).NPV() - grid(volatility - 0.005).NPV(), rel=1e-2, abs=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_theta_is_what_a_day_takes(case):
    spot, strike, days, *rest = case
    early, late = (american_price(spot, strike, (days + shift) / 365, *rest) for shift in (0.5, -0.5))
    assert value(case).theta == pytest.approx(late - early, rel=1e-2, abs=1e-5)


@settings(max_examples=200, deadline=None)
@given(
    st.floats(0.5, 1.8),
    st.floats(1 / 365, 2.5),
    st.floats(-0.01, 0.09),
    st.floats(0, 0.07),
    st.floats(0.05, 1.2),
    st.booleans(),
)
def test_an_american_option_is_worth_the_european_one_and_its_exercise_at_least(moneyness, years, rate, dividend_yield, volatility, call):
    arguments = (100 * moneyness, 100.0, years, rate, dividend_yield, volatility, call)
    price = american_price(*arguments)
    assert price >= float(bsm_price(*arguments)) - 1e-9
    assert price >= (1 if call else -1) * (100 * moneyness - 100) - 1e-9
    assert price <= (100 * moneyness if call else 100 * np.exp(max(0.0, -rate) * years))


def test_without_dividends_a_call_is_not_exercised_early_nor_a_put_without_interest():
    for arguments in ((100, 90, 1.0, 0.05, 0.0, 0.2, True), (100, 110, 1.0, 0.0, 0.02, 0.2, False)):
        assert american_price(*arguments) == pytest.approx(float(bsm_price(*arguments)), abs=1e-12)


def test_a_put_that_is_exercised_at_once_is_the_share_owed():
    found = value((50, 100, 90, 0.05, 0.0, 0.15, False))
    assert found.price == pytest.approx(50, abs=1e-6)
    assert (found.delta, found.gamma, found.vega, found.theta) == (-1, 0, 0, 0)


def test_at_expiry_only_exercise_is_left():
    assert american_price(100, 90, 0, 0.05, 0.02, 0.2, True) == 10
    assert american_value(100, 90, 0, 0.05, 0.02, 0.2, False)[:2] == (0, 0)
    assert american_price(100, 120, 1, 0.05, 0.0, 0.0, False) == 20


@pytest.mark.parametrize("arguments", [(np.nan, 100, 1, 0, 0, 0.2, True), (100, 100, -1, 0, 0, 0.2, True), (100, -1, 1, 0, 0, 0.2, False)])
def test_what_has_no_price_is_not_a_number(arguments):
    assert np.isnan(american_price(*arguments)) and np.isnan(american_value(*arguments)).all()


def test_two_exercise_boundaries_are_beyond_the_engine_and_give_no_price():
    assert np.isnan(american_price(90, 100, 1, -0.01, -0.02, 0.2, False))


def test_arrays_are_priced_one_by_one_and_may_be_empty():
    strikes = np.array([[90.0, 100.0], [110.0, 120.0]])
    table = american_prices(100, strikes, 0.5, 0.05, 0.02, 0.2, np.array([True, False]))
    assert table.tolist() == [[american_price(100, row[j], 0.5, 0.05, 0.02, 0.2, j == 0) for j in (0, 1)] for row in strikes.tolist()]
    assert american_prices(100, np.array([]), 0.5, 0.05, 0.02, 0.2, True).shape == (0,)


def test_the_evaluation_date_of_quantlib_changes_nothing():
    before = value(CASES[1])
    ql.Settings.instance().evaluationDate = ql.Date(1, 6, 2031)
    assert value(CASES[1]) == before


def test_threads_do_not_mix_their_contracts():
    expected = [value(case) for case in CASES]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(value, CASES * 20)) == expected * 20


def test_an_implied_volatility_takes_early_exercise_into_account():
    strikes = np.array([70.0, 85.0, 100.0, 105.0])
    price = american_prices(100, strikes, 1.0, 0.05, 0.0, 0.22, False)
    implied = american_implied_volatility(price, 100, strikes, 1.0, 0.05, 0.0, False)
    assert np.abs(implied - 0.22).max() < 1e-4
    assert np.isnan(american_implied_volatility(30.0, 100, 130, 1.0, 0.05, 0.0, False))
