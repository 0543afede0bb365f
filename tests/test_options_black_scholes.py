"""Black–Scholes–Merton prices, Greeks and implied volatilities, against Hull, QuantLib and a root search."""

import time

import numpy as np
import pytest
import QuantLib as ql
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from quant_site.market.options.black_scholes import bsm_greeks, bsm_price, forward_price
from quant_site.market.options.implied import implied_volatility
from tests.options_world import flat_process, quantlib_option

GRID = [
    (spot, strike, days, rate, dividend_yield, volatility, call)
    for spot, strike in ((100, 100), (100, 82), (450, 520), (37.5, 30))
    for days in (1, 30, 365, 900)
    for rate, dividend_yield in ((0.05, 0.015), (0.0, 0.03), (-0.004, 0.0))
    for volatility in (0.08, 0.35)
    for call in (True, False)
]

terms = st.tuples(
    st.floats(20, 600),  # spot
    st.floats(-0.9, 0.9),  # log of strike over forward
    st.floats(1 / 365, 3),
    st.floats(-0.01, 0.1),
    st.floats(0, 0.06),
    st.floats(0.02, 2.5),
    st.booleans(),
)


def test_hulls_example_is_priced_as_printed():
    call, put = bsm_price(42, 40, 0.5, 0.10, 0.0, 0.20, np.array([True, False]))
    assert (round(float(call), 2), round(float(put), 2)) == (4.76, 0.81)


@pytest.mark.parametrize("case", GRID)
def test_price_and_greeks_are_quantlibs(case):
    spot, strike, days, rate, dividend_yield, volatility, call = case
    engine = ql.AnalyticEuropeanEngine(flat_process(spot, rate, dividend_yield, volatility))
    option = quantlib_option(engine, strike, days, call, american=False)
    arguments = (spot, strike, days / 365, rate, dividend_yield, volatility, call)
    greeks = bsm_greeks(*arguments)
    assert float(bsm_price(*arguments)) == pytest.approx(option.NPV(), abs=1e-8)
    assert float(greeks.delta) == pytest.approx(option.delta(), abs=1e-8)
    assert float(greeks.gamma) == pytest.approx(option.gamma(), abs=1e-8)
    assert float(greeks.vega) == pytest.approx(option.vega() / 100, abs=1e-8)
    assert float(greeks.theta) == pytest.approx(option.thetaPerDay(), abs=1e-8)
    assert float(greeks.rho) == pytest.approx(option.rho() / 100, abs=1e-8)


@given(terms)
def test_call_and_put_are_at_parity(case):
    spot, log_moneyness, years, rate, dividend_yield, volatility, _ = case
    strike = float(forward_price(spot, years, rate, dividend_yield)) * np.exp(log_moneyness)
    call, put = bsm_price(spot, strike, years, rate, dividend_yield, volatility, np.array([True, False]))
    assert call - put == pytest.approx(spot * np.exp(-dividend_yield * years) - strike * np.exp(-rate * years), abs=1e-9 * spot)


def test_arrays_broadcast_and_equal_their_single_prices():
    strikes, years = np.array([[90.0, 100.0, 110.0]]), np.array([[0.0], [0.1], [1.0]])
    table = bsm_price(100, strikes, years, 0.03, 0.01, 0.2, True)
    assert table.shape == (3, 3)
    assert all(table[i, j] == bsm_price(100, strikes[0, j], years[i, 0], 0.03, 0.01, 0.2, True) for i in range(3) for j in range(3))


def test_at_expiry_an_option_is_worth_its_exercise():
    strikes = np.array([90.0, 100.0, 110.0])
    assert bsm_price(100, strikes, 0, 0.05, 0.02, 0.3, True).tolist() == [10, 0, 0]
    assert bsm_price(100, strikes, 0, 0.05, 0.02, 0.3, False).tolist() == [0, 0, 10]
    call, put = bsm_greeks(100, strikes, 0, 0.05, 0.02, 0.3, True), bsm_greeks(100, strikes, 0, 0.05, 0.02, 0.3, False)
    assert call.delta.tolist() == [1, 0.5, 0] and put.delta.tolist() == [0, -0.5, -1]
    for greeks in (call, put):
        assert all((getattr(greeks, name) == 0).all() for name in ("gamma", "vega", "theta", "rho"))


def test_without_volatility_the_forward_decides():
    assert float(bsm_price(100, 100, 1, 0.05, 0.0, 0.0, True)) == pytest.approx(100 - 100 * np.exp(-0.05))
    assert float(bsm_price(100, 100, 1, 0.05, 0.0, 0.0, False)) == 0


@pytest.mark.parametrize(
    "arguments",
    [(np.nan, 100, 1, 0, 0, 0.2), (100, 0, 1, 0, 0, 0.2), (-5, 100, 1, 0, 0, 0.2), (100, 100, -1, 0, 0, 0.2), (100, 100, 1, 0, 0, -0.2)],
)
def test_what_has_no_price_is_not_a_number(arguments):
    assert np.isnan(bsm_price(*arguments, True))
    assert all(np.isnan(greek) for greek in bsm_greeks(*arguments, True))


@settings(max_examples=300)
@given(terms)
def test_a_volatility_comes_back_from_its_price(case):
    spot, log_moneyness, years, rate, dividend_yield, volatility, call = case
    strike = float(forward_price(spot, years, rate, dividend_yield)) * np.exp(log_moneyness)
    arguments = (spot, strike, years, rate, dividend_yield)
    price = bsm_price(*arguments, volatility, call)
    asset, bond = spot * np.exp(-dividend_yield * years), strike * np.exp(-rate * years)
    least, most = max(0.0, asset - bond if call else bond - asset), asset if call else bond
    assume(price - least > 0.005 + 1e-9 and most - price > 1e-6 * most)
    assert implied_volatility(price, *arguments, call) == pytest.approx(volatility, abs=1e-8)


def test_deep_wings_come_back_where_a_tick_still_shows_them():
    strikes = np.concatenate([np.arange(300, 450), np.arange(450, 640)]).astype(float)
    volatility = 0.12 + 0.4 * np.abs(np.log(strikes / 450)) ** 1.2
    call = strikes > 450
    price = bsm_price(450, strikes, 30 / 365, 0.05, 0.015, volatility, call)
    implied = implied_volatility(price, 450, strikes, 30 / 365, 0.05, 0.015, call)
    defined = price >= 0.005
    assert 100 < defined.sum() < len(strikes)
    assert np.abs(implied[defined] - volatility[defined]).max() < 1e-8
    assert np.isnan(implied[~defined]).all()


@pytest.mark.parametrize(("strike", "years", "price", "call"), [(95, 0.3, 7.31, True), (130, 1.5, 33.0, False), (100, 0.02, 1.0, True)])
def test_a_root_search_finds_the_same_volatility(strike, years, price, call):
    def excess(volatility):
        return float(bsm_price(100, strike, years, 0.03, 0.01, volatility, call)) - price

    expected = brentq(excess, 1e-3, 5, xtol=1e-13)
    assert implied_volatility(price, 100, strike, years, 0.03, 0.01, call) == pytest.approx(expected, abs=1e-10)


def test_a_price_that_defines_no_volatility_gives_none():
    discount = np.exp(-0.05)
    floor = 100 - 90 * discount
    prices = [floor - 1, floor, floor + 0.004, 100.0, 101.0, np.nan, -1.0]
    assert np.isnan(implied_volatility(prices, 100, 90, 1, 0.05, 0, True)).all()
    assert implied_volatility(floor + 0.006, 100, 90, 1, 0.05, 0, True) > 0
    assert np.isnan(implied_volatility(5.0, 100, 100, 0, 0.05, 0, True))
    assert np.isnan(implied_volatility(100 * discount, 100, 100, 1, 0.05, 0, False))
    assert implied_volatility(np.array([]), 100, 100, 1, 0.05, 0, True).shape == (0,)


def test_a_hundred_thousand_volatilities_take_less_than_a_second():
    rng = np.random.default_rng(3)
    strikes, years = rng.uniform(70, 130, 100_000), rng.uniform(0.02, 2, 100_000)
    price = bsm_price(100, strikes, years, 0.03, 0.01, rng.uniform(0.1, 0.6, 100_000), True)
    started = time.process_time()
    implied_volatility(price, 100, strikes, years, 0.03, 0.01, True)
    assert time.process_time() - started < 1
