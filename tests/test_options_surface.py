"""The synthetic surface and the expirations and strikes it is drawn on."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_site.core.errors import InvalidInput
from quant_site.market.options.black_scholes import bsm_price
from quant_site.market.options.expirations import expiry_near, monthly_expiration, monthly_expirations, strike_grid
from quant_site.market.options.surface import FLOOR, bid_ask, index_surface, stock_surface
from quant_site.market.sessions import calendar_span, is_session, sessions_between

NODES = {7: (-0.10, 0.03), 30: (-0.17, 0.041), 90: (-0.22, 0.036), 180: (-0.25, 0.031), 365: (-0.29, 0.008)}


def written_out(atm, m, slope, curvature):
    m = max(-3.0, min(1.5, m))
    return atm * (1 + slope * m + curvature * m * m)


@pytest.mark.parametrize(("days", "slope", "curvature"), [(days, *values) for days, values in NODES.items()])
def test_the_smile_is_the_formula_at_each_of_its_maturities(days, slope, curvature):
    surface, years = index_surface(20), days / 365
    atm = float(surface.atm_volatility(years))
    for m in (-5, -3, -1.2, 0, 0.7, 1.5, 2.2):
        strike = 400 * np.exp(m * atm * np.sqrt(years))
        assert float(surface.volatility(strike, 400, years)) == pytest.approx(written_out(atm, m, slope, curvature), rel=1e-12)


def test_between_maturities_slope_and_curvature_are_linear_in_days_and_beyond_them_flat():
    surface = stock_surface(0.3)
    for days, slope, curvature in ((60, -0.195, 0.0385), (1, -0.10, 0.03), (700, -0.29, 0.008)):
        strike = 100 * np.exp(-0.3 * np.sqrt(days / 365))
        assert float(surface.volatility(strike, 100, days / 365)) == pytest.approx(written_out(0.3, -1, slope, curvature), rel=1e-12)


def test_thirty_days_out_an_index_stands_at_four_fifths_of_the_vix_and_reverts_from_there():
    for vix in (10, 16, 35, 80):
        assert float(index_surface(vix).atm_volatility(30 / 365)) == pytest.approx(0.008 * vix, rel=1e-12)
    calm, mean, wild = (index_surface(vix).atm_volatility(np.array([7, 30, 90, 365]) / 365) for vix in (12, 20, 45))
    assert (np.diff(calm) > 0).all() and (np.diff(wild) < 0).all()
    assert mean == pytest.approx([0.16] * 4)


def test_mean_variance_is_that_of_a_reverting_variance():
    surface, years = index_surface(40), np.array([0.1, 0.5, 2.0])
    start = 0.16**2 + (0.32**2 - 0.16**2) * (5 * 30 / 365) / (1 - np.exp(-5 * 30 / 365))
    steps = np.linspace(0, 1, 20_001)
    for length in years:
        path = 0.16**2 + (start - 0.16**2) * np.exp(-5 * steps * length)
        assert float(surface.atm_volatility(length)) ** 2 == pytest.approx(np.trapezoid(path, steps), rel=1e-6)


def test_a_stock_keeps_its_three_month_volatility_at_every_maturity():
    assert stock_surface(0.27).atm_volatility(np.array([0.01, 0.25, 2.0])).tolist() == [0.27] * 3


def test_no_volatility_falls_below_the_floor():
    low = index_surface(9).volatility(np.array([60.0, 100, 140]), 100, 1 / 365)
    assert (low >= FLOOR).all() and low.min() == FLOOR
    assert index_surface(3).atm_volatility(np.array([1 / 365, 0.1])).min() == FLOOR


@given(st.floats(9, 80), st.sampled_from([7, 21, 45, 90, 180, 365]))
def test_prices_of_the_surface_admit_no_vertical_arbitrage(vix, days):
    years, surface = days / 365, index_surface(vix)
    strikes = 100 * np.exp(np.linspace(-3, 1.5, 200) * float(surface.atm_volatility(years)) * np.sqrt(years))
    volatility = surface.volatility(strikes, 100, years)
    assert (np.diff(bsm_price(100, strikes, years, 0, 0, volatility, True)) <= 1e-9).all()
    assert (np.diff(bsm_price(100, strikes, years, 0, 0, volatility, False)) >= -1e-9).all()


def test_spreads_are_those_that_were_fitted():
    bid, ask = bid_ask(np.array([10.0, 10.0, 10.0, 20.0, 300.0]), np.array([0, 0.75, 3, -1, -3]), 450.0, np.array([True] * 5))
    assert (ask - bid).round(2).tolist() == [0.16, 0.26, 0.36, 0.30, 0.90]
    assert bid.tolist() == [9.92, 9.87, 9.82, 19.85, 299.55]


@given(st.floats(0, 400), st.floats(-6, 6), st.booleans())
def test_bid_and_ask_are_cents_around_the_price_and_never_meet(price, moneyness, call):
    bid, ask = bid_ask(price, moneyness, 450.0, call)
    assert bid <= price + 1e-7 and ask >= price - 1e-7 and bid >= 0 and ask >= bid + 0.01 - 1e-12
    assert (round(float(bid), 2), round(float(ask), 2)) == (bid, ask)


def test_what_is_worth_less_than_a_cent_has_no_bid():
    assert bid_ask(0.004, 2.0, 450.0, True) == (0.0, 0.01)


@pytest.mark.parametrize(
    ("month", "expected"),
    [
        ((2023, 9), date(2023, 9, 15)),
        ((2014, 4), date(2014, 4, 17)),  # Good Friday; the contracts named Saturday the 19th
        ((2019, 4), date(2019, 4, 18)),
        ((2012, 1), date(2012, 1, 20)),  # the contracts named Saturday the 21st
        ((2020, 6), date(2020, 6, 19)),  # not yet a holiday
        ((2026, 6), date(2026, 6, 18)),  # Juneteenth
    ],
)
def test_monthly_options_end_on_the_third_friday_or_the_session_before(month, expected):
    assert monthly_expiration(*month) == expected


def test_beyond_the_calendar_only_good_friday_and_juneteenth_move_an_expiration():
    _, last = calendar_span()
    expected = {(2030, 4): date(2030, 4, 18), (2032, 6): date(2032, 6, 17), (2035, 3): date(2035, 3, 16), (2033, 6): date(2033, 6, 17)}
    assert all(day > last for day in expected.values())
    assert {month: monthly_expiration(*month) for month in expected} == expected


def test_thirteen_months_are_listed_on_every_session():
    for session in sessions_between(date(2019, 1, 2), date(2020, 12, 31)):
        listed = monthly_expirations(session)
        assert listed[0] > session and (listed[0] - session).days <= 35
        assert listed[-1] >= session + timedelta(days=390)
        assert list(listed) == sorted(set(listed)) and all(map(is_session, listed))


def test_the_nearest_expiration_is_taken_and_the_earlier_of_two():
    session = date(2023, 9, 14)
    assert expiry_near(session, 30) == date(2023, 10, 20)
    assert expiry_near(session, 0) == date(2023, 9, 15)
    assert expiry_near(date(2023, 9, 15), 0) == date(2023, 10, 20)
    assert expiry_near(date(2024, 1, 2), (date(2024, 1, 19) - date(2024, 1, 2)).days + 14) == date(2024, 1, 19)
    with pytest.raises(InvalidInput, match="cannot be -1 days ahead"):
        expiry_near(session, -1)


@pytest.mark.parametrize(("spot", "step"), [(12.3, 0.5), (24.99, 0.5), (25.0, 1), (180.0, 1), (200.0, 5), (900.0, 5), (3000.0, 10)])
def test_stocks_list_strikes_by_their_price(spot, step):
    grid = strike_grid("ACME", spot)
    assert np.diff(grid).tolist() == [step] * (len(grid) - 1)
    assert spot / 2 <= grid[0] < spot / 2 + step and spot * 1.5 - step < grid[-1] <= spot * 1.5


def test_index_funds_list_every_dollar_near_the_spot():
    grid = strike_grid("SPY", 450.81)
    near = grid[(grid > 390) & (grid < 515)]
    assert np.diff(near).tolist() == [1] * (len(near) - 1)
    assert set(np.diff(grid[grid < 380])) == {5} and grid[0] == 230 and grid[-1] == 675
    assert np.diff(strike_grid("XSP", 80.0)).tolist() == [1] * 80


def test_a_cheap_stock_has_no_strike_of_zero():
    assert strike_grid("ACME", 0.6)[0] == 0.5
