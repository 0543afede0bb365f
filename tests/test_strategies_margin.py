"""What open options lock: spreads by what they can lose, what is uncovered by the twenty per cent rule."""

from datetime import date

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from quant_site.market.options.contracts import parse_contract
from strategies.margin import margins, uncovered
from tests.options_desk import option

LATER, EARLIER = date(2019, 2, 15), date(2019, 1, 11)


def largest_loss(quantities: dict[str, float]) -> float:
    """By looking at a fine grid of prices of the underlying at expiry, well beyond every strike."""
    spots = np.linspace(0, 400, 4001)
    paid = np.zeros_like(spots)
    for symbol, quantity in quantities.items():
        contract = parse_contract(symbol)
        way = 1 if contract.right == "C" else -1
        paid += 100 * quantity * np.maximum(way * (spots - float(contract.strike)), 0)
    return max(0.0, -paid.min())


def locked(quantities, prices=None) -> float:
    return margins(quantities, prices or {"SPY": 100.0}).get("SPY", 0.0)


@pytest.mark.parametrize(
    ("legs", "expected"),
    [
        ({option("C", 100): 3}, 0),
        ({option("C", 100): -2, option("C", 105): 2}, 1000),
        ({option("C", 100): 2, option("C", 105): -2}, 0),
        ({option("P", 100): -1, option("P", 92): 1}, 800),
        ({option("P", 90): 1, option("P", 95): -1, option("C", 105): -1, option("C", 112): 1}, 700),
        ({option("C", 95): 1, option("C", 100): -2, option("C", 105): 1}, 0),
        ({option("C", 100): -1, option("C", 105, LATER): 1}, 500),
        ({option("C", 100): 1, option("C", 105): -1, option("P", 105): 1, option("P", 100): -1}, 0),
        ({option("C", 100): -1, option("C", 110): 2}, 1000),
    ],
    ids=["long", "credit spread", "debit spread", "put spread", "iron condor", "butterfly", "calendar", "box", "backspread"],
)
def test_what_is_covered_locks_the_most_it_can_lose(legs, expected):
    assert locked(legs) == expected
    assert uncovered(legs) == ()


@pytest.mark.parametrize(
    ("symbol", "premium", "expected"),
    [
        # 20 % of 128.50 less 8.50 out of the money: 17.20, with the premium.
        (option("P", 120), 8.25, 100 * (8.25 + 17.20)),
        (option("C", 120), 8.40, 100 * (8.40 + 25.70)),
        # So far out that the floor binds: 10 % of the strike for a put, of the underlying for a call.
        (option("P", 80), 0.10, 100 * (0.10 + 8.00)),
        (option("C", 180), 0.05, 100 * (0.05 + 12.85)),
    ],
)
def test_what_is_uncovered_locks_its_premium_and_a_fifth_of_the_underlying_less_what_it_is_out_of_the_money(symbol, premium, expected):
    assert locked({symbol: -1}, {"SPY": 128.5, symbol: premium}) == pytest.approx(expected)
    assert locked({symbol: -3}, {"SPY": 128.5, symbol: premium}) == pytest.approx(3 * expected)
    assert uncovered({symbol: -1}) == (symbol,)


def test_a_short_straddle_locks_its_larger_side_and_the_premium_of_the_other():
    call, put = option("C", 100), option("P", 100)
    prices = {"SPY": 104.0, call: 6.0, put: 2.0}
    alone = {symbol: locked({symbol: -2}, prices) for symbol in (call, put)}
    assert alone[call] > alone[put]
    assert locked({call: -2, put: -2}, prices) == pytest.approx(alone[call] + 200 * 2.0)


def test_a_cover_that_expires_first_covers_nothing():
    legs = {option("C", 100): -1, option("C", 105, EARLIER): 1}
    assert uncovered(legs) == (option("C", 100),)
    assert locked(legs, {"SPY": 100.0, option("C", 100): 3.0}) == pytest.approx(100 * (3 + 20))


def test_spreads_of_two_expiries_can_both_lose_and_lock_both():
    early = {option("P", 100): -1, option("P", 95): 1}
    late = {option("C", 100, LATER): -1, option("C", 105, LATER): 1}
    assert locked(early | late) == 500 + 500


def test_a_spread_of_which_half_is_covered_locks_both_halves():
    short, long = option("C", 100), option("C", 105)
    prices = {"SPY": 100.0, short: 2.0}
    assert locked({short: -2, long: 1}, prices) == pytest.approx(500 + 100 * (2 + 20))


def test_without_prices_the_strike_stands_for_the_underlying_and_exercise_for_the_premium():
    assert locked({option("C", 100): -1}, {"KO": 1.0}) == pytest.approx(100 * 20)


def test_underlyings_do_not_cover_each_other_and_shares_do_not_count():
    legs = {option("C", 100): -1, option("C", 105, underlying="IWM"): 1, "SPY": 100.0}
    assert set(margins(legs, {"SPY": 100.0})) == {"SPY", "IWM"}
    assert uncovered(legs) == (option("C", 100),)


counts = st.integers(1, 4)
strikes = st.integers(60, 140)


@st.composite
def covered(draw):
    """As many contracts bought as sold of each right, all of one expiry."""
    legs: dict[str, float] = {}
    for right in "CP":
        for _ in range(draw(st.integers(0, 3))):
            sold, bought, count = draw(strikes), draw(strikes), draw(counts)
            for strike, signed in ((sold, -count), (bought, count)):
                symbol = option(right, strike)
                legs[symbol] = legs.get(symbol, 0) + signed
    return legs


@given(covered())
def test_what_covers_itself_locks_exactly_its_largest_loss(legs):
    assert locked(legs) == pytest.approx(largest_loss(legs), abs=1e-9)


@given(covered(), strikes, counts)
def test_more_of_what_is_bought_never_locks_more(legs, strike, count):
    assume(legs.get(option("C", strike), 0) >= 0)  # to buy back what was sold takes a spread apart, and what covered it counts no more
    more = dict(legs)
    more[option("C", strike)] = more.get(option("C", strike), 0) + count
    assert largest_loss(more) - 1e-6 <= locked(more) <= locked(legs) + 1e-6
