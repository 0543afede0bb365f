"""Structures of options: payoffs, credits, break-evens, Greeks and expectations equal QuantLib and direct computation."""

from datetime import date

import numpy as np
import pytest
import QuantLib as ql
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import lognorm

from quant_site.core.errors import InvalidInput
from quant_site.core.types import Direction
from quant_site.market.options.chain import years_until
from strategies.library.structures import OptionLeg, Structure, Terms
from tests.option_strategies_world import quantlib_values, quote_of

EXPIRY, TODAY = date(2023, 10, 20), date(2023, 9, 20)
LONG, SHORT = Direction.LONG, Direction.SHORT
# right, strike, bid, ask, side, implied volatility
CONDOR = (
    ("P", 85, 0.48, 0.52, LONG, 0.28),
    ("P", 90, 1.48, 1.52, SHORT, 0.24),
    ("C", 110, 1.18, 1.22, SHORT, 0.18),
    ("C", 120, 0.19, 0.21, LONG, 0.17),
)
SPOT, RATE, YIELD = 100.0, 0.04, 0.015
YEARS = float(years_until(EXPIRY, TODAY, "CLOSE"))
TERMS = Terms(SPOT, SPOT * np.exp((RATE - YIELD) * YEARS), YEARS, RATE)


def structure(rows=CONDOR, **fields) -> Structure:
    legs = []
    for right, strike, bid, ask, side, iv in rows:
        legs.append(OptionLeg(quote_of(right, strike, EXPIRY, bid, ask, terms=(SPOT, YEARS, RATE, YIELD), iv=iv, **fields), side))
    return Structure(tuple(legs))


def quantlib_payoff(made: Structure, spot: float) -> float:
    total = 0.0
    for leg in made.legs:
        kind = ql.Option.Call if leg.contract.right == "C" else ql.Option.Put
        total += leg.signed * ql.PlainVanillaPayoff(kind, float(leg.contract.strike))(spot)
    return total


@pytest.mark.parametrize(
    "spot, profit",
    [(0, -3.07), (80, -3.07), (85, -3.07), (87, -1.07), (90, 1.93), (100, 1.93), (110, 1.93), (115, -3.07), (120, -8.07), (150, -8.07)],
)
def test_a_condors_profit_at_expiry_is_the_table_one_writes_by_hand(spot, profit):
    # The credit is 1.48 + 1.18 − 0.52 − 0.21 = 1.93; beyond a wing it pays out 5 below and 10 above.
    assert float(structure().profit(spot)) == pytest.approx(profit)


def test_a_condors_credit_is_what_is_sold_at_the_bid_less_what_is_bought_at_the_ask():
    condor = structure()
    assert condor.debit == pytest.approx(-(1.48 + 1.18 - 0.52 - 0.21))
    assert condor.middle == pytest.approx(-2.0)
    assert condor.crossing == pytest.approx(0.07)
    assert condor.direction is SHORT


def test_a_condor_loses_its_wider_wing_less_the_credit_at_most_and_wins_the_credit():
    condor = structure()
    assert condor.max_loss == pytest.approx(10 - 1.93)
    assert condor.max_profit == pytest.approx(1.93)
    assert condor.break_evens == pytest.approx((90 - 1.93, 110 + 1.93))


def test_greeks_of_a_condor_are_those_of_quantlib():
    condor = structure()
    values = [quantlib_values(leg.contract, TODAY, SPOT, RATE, YIELD, leg.quote.iv) for leg in condor.legs]
    for name, ours in condor.greeks().items():
        theirs = sum(leg.signed * value[name] for leg, value in zip(condor.legs, values, strict=True))
        assert ours == pytest.approx(theirs, rel=1e-6), name


def test_a_greek_that_one_leg_lacks_is_not_known():
    legs = structure().legs
    torn = OptionLeg(quote_of("P", 85, EXPIRY, 0.48, 0.52), LONG)
    assert Structure((torn, *legs[1:])).greeks() == dict.fromkeys(("delta", "gamma", "vega", "theta"))


@pytest.mark.parametrize("spot_move, vol_move", [(0.0, 0.0), (-0.2, 1.0), (0.2, 1.0), (0.05, -0.25)])
def test_what_a_structure_would_be_worth_under_stress_is_quantlibs_price(spot_move, vol_move):
    condor = structure(underlying="XSP")
    worth = 0.0
    for leg in condor.legs:
        value = quantlib_values(leg.contract, TODAY, SPOT * (1 + spot_move), RATE, YIELD, leg.quote.iv * (1 + vol_move))
        worth += leg.signed * value["price"]
    assert condor.worth(TERMS, spot_move, vol_move) == pytest.approx(worth, abs=1e-9)


def test_an_american_option_is_worth_exercising_at_least():
    deep = [("P", 150, 49.0, 51.0, LONG, 0.2)]
    american, european = structure(deep), structure(deep, underlying="XSP")
    assert european.worth(TERMS) < 50 == american.worth(TERMS)


def test_a_stress_that_cannot_be_told_is_nan():
    assert np.isnan(structure([("P", 90, 1.48, 1.52, LONG, np.nan)]).worth(TERMS))
    assert np.isnan(structure().worth(Terms(np.nan, 100.0, YEARS, RATE)))
    assert np.isnan(structure().worth(Terms(100.0, 100.0, 0.0, RATE)))


def test_the_expected_payoff_is_the_integral_over_the_lognormal_law():
    condor, deviation = structure(), 0.06
    law = lognorm(s=deviation, scale=TERMS.forward * np.exp(-(deviation**2) / 2))
    assert law.mean() == pytest.approx(TERMS.forward)
    integral = quad(lambda s: quantlib_payoff(condor, s) * law.pdf(s), 60, 160, points=[85, 90, 110, 120], limit=200)[0]
    assert condor.expected_payoff(TERMS.forward, deviation) == pytest.approx(integral, abs=1e-7)
    assert condor.expected_profit(TERMS.forward, deviation, fee=0.0065) == pytest.approx(integral + 1.93 - 4 * 0.0065, abs=1e-7)


def test_without_volatility_what_is_expected_is_the_payoff_at_the_forward():
    assert structure().expected_payoff(87.0, 1e-9) == pytest.approx(-3.0)


LEGS = st.lists(
    st.tuples(
        st.sampled_from("CP"),
        st.integers(50, 150),
        st.floats(0.01, 20).map(lambda x: round(x, 2)),
        st.integers(0, 50),
        st.sampled_from((LONG, SHORT)),
        st.integers(1, 3),
    ),
    min_size=1,
    max_size=5,
)


def made_of(rows) -> Structure:
    return Structure(
        tuple(
            OptionLeg(quote_of(right, strike, EXPIRY, bid, round(bid + cents / 100, 2)), side, units)
            for right, strike, bid, cents, side, units in rows
        )
    )


@given(rows=LEGS)
@settings(max_examples=80, deadline=None)
def test_payoffs_are_quantlibs_whatever_the_legs(rows):
    made = made_of(rows)
    spots = np.linspace(0, 250, 26)
    np.testing.assert_allclose(made.payoff(spots), [quantlib_payoff(made, spot) for spot in spots], atol=1e-9)


@given(rows=LEGS)
@settings(max_examples=150, deadline=None)
def test_extremes_and_break_evens_are_those_of_the_profit_on_a_fine_grid(rows):
    made = made_of(rows)
    grid = np.linspace(0, 400, 4001)
    profit = made.profit(grid)
    rising = sum(leg.signed for leg in made.legs if leg.contract.right == "C")
    assert made.max_loss == (np.inf if rising < 0 else pytest.approx(max(0.0, -profit.min()), abs=1e-9))
    assert made.max_profit == (np.inf if rising > 0 else pytest.approx(profit.max(), abs=1e-9))
    through = np.flatnonzero(profit[:-1] * profit[1:] < 0)
    for at in through:
        assert any(grid[at] - 1e-9 <= spot <= grid[at + 1] + 1e-9 for spot in made.break_evens)
    np.testing.assert_allclose(made.profit(np.array(made.break_evens)), 0, atol=1e-7)


def test_a_call_sold_alone_has_no_bound_to_its_loss():
    naked = structure([("C", 110, 1.18, 1.22, SHORT, 0.18)])
    assert (naked.max_loss, naked.max_profit) == (np.inf, pytest.approx(1.18))
    assert naked.break_evens == pytest.approx((111.18,))


def test_a_profit_that_is_flat_at_zero_breaks_even_at_its_ends():
    # A condor for nothing: neither loses nor wins between its short strikes.
    free = structure(
        [("P", 85, 0, 0.5, LONG, 0.2), ("P", 90, 0.5, 1, SHORT, 0.2), ("C", 110, 0.5, 1, SHORT, 0.2), ("C", 120, 0, 0.5, LONG, 0.2)]
    )
    assert free.break_evens == (90.0, 110.0)


@pytest.mark.parametrize(
    "bid, ask, side, tradable",
    [
        (1.0, 1.1, LONG, True),
        (1.0, 1.1, SHORT, True),
        (0.0, 0.05, LONG, True),
        (0.0, 0.05, SHORT, False),
        (0.0, 0.0, LONG, False),
        (1.2, 1.1, LONG, False),
        (1.2, 1.1, SHORT, False),
        (-0.1, 0.1, LONG, False),
        (np.nan, 1.1, LONG, False),
        (1.0, np.nan, SHORT, False),
        (1.0, np.inf, LONG, False),
    ],
)
def test_only_a_market_that_is_known_and_not_crossed_can_be_traded(bid, ask, side, tradable):
    assert structure([("P", 90, bid, ask, side, 0.2)]).tradable is tradable


def test_legs_become_those_of_a_draft_with_their_units():
    made = Structure((OptionLeg(quote_of("P", 85, EXPIRY, 1, 2), LONG, 2), OptionLeg(quote_of("P", 90, EXPIRY, 1, 2), SHORT)))
    legs = made.draft_legs()
    assert [(leg.symbol, leg.direction, leg.units) for leg in legs] == [("SPY231020P00085000", LONG, 2), ("SPY231020P00090000", SHORT, 1)]
    assert sum(leg.ratio for leg in legs) == pytest.approx(1)
    assert made.contracts == 3


def test_legs_of_two_expiries_or_underlyings_or_of_no_contract_are_refused():
    leg = OptionLeg(quote_of("P", 85, EXPIRY, 1, 2), LONG)
    other = OptionLeg(quote_of("P", 85, date(2023, 11, 17), 1, 2), LONG)
    elsewhere = OptionLeg(quote_of("P", 85, EXPIRY, 1, 2, underlying="XSP"), LONG)
    none = OptionLeg(quote_of("P", 85, EXPIRY, 1, 2), LONG, 0)
    for legs in ((), (leg, other), (leg, elsewhere), (none,)):
        with pytest.raises(InvalidInput) as caught:
            Structure(legs)
        assert caught.value.code == "bad_structure"
