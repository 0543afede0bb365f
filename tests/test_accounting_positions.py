"""Positions follow from fills, exact to the cent."""

from decimal import Decimal as D
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_site.core.errors import InvalidInput, LedgerMismatch
from quant_site.core.types import money
from trading.books.accounting import PositionState, allocate, apply_fill, apply_split, cash_flow, split_ratio

cents = st.integers(1, 10_000_000).map(lambda n: D(n) / 100)


@st.composite
def trades(draw):
    """Fills of one position: entries and partial exits that never pass through zero; ends flat or open."""
    opening, closing = draw(st.sampled_from([("BUY", "SELL"), ("SELL", "BUY")]))
    held, fills = 0, []
    for _ in range(draw(st.integers(1, 12))):
        if held and draw(st.booleans()):
            quantity, side = draw(st.integers(1, held)), closing
            held -= quantity
        else:
            quantity, side = draw(st.integers(1, 5000)), opening
            held += quantity
        fills.append((side, D(quantity), draw(cents), draw(st.integers(0, 500).map(lambda n: D(n) / 100))))
    if draw(st.booleans()) and held:
        fills.append((closing, D(held), draw(cents), D("1.00")))
    return fills


def book(fills):
    state, realized = PositionState(), D(0)
    for fill in fills:
        state, gain = apply_fill(state, *fill)
        realized += gain
    return state, realized


def test_a_long_round_trip_earns_the_difference_less_both_commissions():
    state, _ = apply_fill(PositionState(), "BUY", D(100), D("5000.00"), D("1.00"))
    assert state == PositionState(D(100), D("5001.00"))
    state, realized = apply_fill(state, "SELL", D(100), D("5500.00"), D("1.25"))
    assert (state, realized) == (PositionState(D(0), D("0.00")), D("497.75"))


def test_a_short_position_has_its_proceeds_as_negative_cost():
    state, _ = apply_fill(PositionState(), "SELL", D(10), D("500.00"), D("1.00"))
    assert state == PositionState(D(-10), D("-499.00"))
    state, realized = apply_fill(state, "BUY", D(10), D("400.00"), D("1.00"))
    assert (state, realized) == (PositionState(D(0), D("0.00")), D("98.00"))


def test_a_partial_close_releases_its_share_of_the_cost_and_the_last_close_the_rest():
    state, _ = apply_fill(PositionState(), "BUY", D(3), D("100.00"))
    first, gain_1 = apply_fill(state, "SELL", D(1), D("40.00"))
    second, gain_2 = apply_fill(first, "SELL", D(1), D("40.00"))
    last, gain_3 = apply_fill(second, "SELL", D(1), D("40.00"))
    assert [first.cost, second.cost, last.cost] == [D("66.67"), D("33.33"), D("0.00")]
    assert gain_1 + gain_2 + gain_3 == D("20.00")


@given(trades())
def test_cash_flows_equal_realised_profit_less_open_cost_after_any_fills(fills):
    state, realized = book(fills)
    assert sum(cash_flow(side, amount, commission) for side, _, amount, commission in fills) == realized - state.cost
    if state.quantity == 0:
        assert state.cost == 0


@given(trades())
def test_realised_profit_is_that_of_average_cost_but_for_a_cent_a_fill(fills):
    """Oracle: average cost in exact fractions, never rounded."""
    held, cost, realized = Fraction(0), Fraction(0), Fraction(0)
    for side, quantity, amount, commission in fills:
        sign = 1 if side == "BUY" else -1
        flow = Fraction(-sign * amount - commission)
        if held * sign >= 0:
            cost -= flow
        else:
            released = cost * Fraction(quantity) / abs(held)
            realized, cost = realized + flow - released, cost - released
        held += sign * int(quantity)
    state, booked = book(fills)
    assert state.quantity == held
    assert abs(Fraction(booked) - realized) <= Fraction(len(fills), 100)


def test_closing_more_than_is_held_is_a_mismatch():
    state, _ = apply_fill(PositionState(), "BUY", D(5), D("50.00"))
    with pytest.raises(LedgerMismatch, match="closes 6 of a position of 5"):
        apply_fill(state, "SELL", D(6), D("60.00"))


@pytest.mark.parametrize(("quantity", "commission"), [(D(0), D(0)), (D(-1), D(0)), (D(1), D("-0.01"))])
def test_a_fill_that_makes_no_sense_is_refused(quantity, commission):
    with pytest.raises(InvalidInput):
        apply_fill(PositionState(), "BUY", quantity, D("10.00"), commission)


@given(st.integers(-10_000_000, 10_000_000).map(lambda n: D(n) / 100), st.lists(st.integers(1, 100_000).map(D), min_size=1, max_size=8))
def test_a_shared_amount_adds_up_and_no_share_is_off_by_a_cent(amount, weights):
    shares = allocate(amount, weights)
    assert sum(shares) == amount
    for share, weight in zip(shares, weights, strict=True):
        assert abs(Fraction(share) - Fraction(amount) * Fraction(weight) / Fraction(sum(weights))) < Fraction(1, 100)


def test_a_dividend_of_long_and_short_positions_is_paid_by_the_short_ones():
    assert allocate(D("5.00"), [D(100), D(-50)]) == [D("10.00"), D("-5.00")]


def test_nothing_can_be_shared_out_over_weights_that_cancel():
    with pytest.raises(InvalidInput, match="sum to 0"):
        allocate(D("1.00"), [D(1), D(-1)])


def test_ratios_of_six_decimals_stand_for_simple_fractions():
    assert [split_ratio(D(text)) for text in ("2", "1.5", "0.333333", "0.142857", "0.05")] == [
        Fraction(2),
        Fraction(3, 2),
        Fraction(1, 3),
        Fraction(1, 7),
        Fraction(1, 20),
    ]
    with pytest.raises(InvalidInput):
        split_ratio(D("0"))


def test_a_split_without_a_fraction_leaves_the_cost_alone():
    (share,) = apply_split([PositionState(D(50), D("4000.00"))], D(2), D("0.00"), D("40"))
    assert (share.state, share.realized, share.cash) == (PositionState(D(100), D("4000.00")), D("0.00"), D("0.00"))


def test_cash_in_lieu_sells_the_fraction_of_a_share():
    (share,) = apply_split([PositionState(D(15), D("900.00"))], D("1.5"), D("22.00"), D("44"))
    assert share.state == PositionState(D(22), D("880.00"))
    assert (share.realized, share.cash) == (D("2.00"), D("22.00"))


def test_a_reverse_split_that_leaves_no_share_sells_all():
    (share,) = apply_split([PositionState(D(3), D("30.00"))], D("0.1"), D("31.00"), D("103"))
    assert share.state == PositionState(D(0), D("0.00"))
    assert (share.realized, share.cash) == (D("1.00"), D("31.00"))


def test_two_halves_of_a_share_become_a_whole_one_for_one_of_the_positions():
    states = [PositionState(D(15), D("900.00")), PositionState(D(15), D("900.00"))]
    first, second = apply_split(states, D("1.5"), D("0.00"), D("44"))
    assert (first.state.quantity, second.state.quantity) == (D(23), D(22))
    assert (first.cash, second.cash) == (D("-22.00"), D("22.00"))
    assert (first.state.cost, second.state.cost, second.realized) == (D("922.00"), D("880.00"), D("2.00"))


@given(
    st.lists(st.tuples(st.integers(1, 5000), cents), min_size=1, max_size=5),
    st.sampled_from([1, -1]),
    st.sampled_from([D(2), D(3), D("1.5"), D("7"), D("0.333333"), D("0.1"), D("1.05")]),
    cents,
)
def test_a_split_keeps_whole_shares_cash_and_profit_together(holdings, sign, ratio, price):
    states = [PositionState(D(sign * quantity), sign * cost) for quantity, cost in holdings]
    exact = sum(Fraction(state.quantity) for state in states) * split_ratio(ratio)
    fraction = exact - int(exact)
    cash = money(D(fraction.numerator) / D(fraction.denominator) * price)
    shares = apply_split(states, ratio, cash, price)
    assert sum(share.state.quantity for share in shares) == int(exact)
    assert sum(share.cash for share in shares) == cash
    for state, share in zip(states, shares, strict=True):
        assert share.state.quantity == share.state.quantity.to_integral_value()
        assert share.cash == share.realized - (share.state.cost - state.cost)
