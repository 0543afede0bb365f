"""Structures of options in whole units: which contracts are one order, how many units they are, and what a part of them is."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.exits import reductions
from strategies.units import in_units, legs_together
from tests.options_desk import option

LOW, HIGH, CALL = option("P", 90), option("P", 95), option("C", 105)
contracts = st.integers(-60, 60).filter(bool)


def test_several_options_trade_together_and_everything_else_alone():
    assert legs_together([HIGH, "SPY", LOW]) == [LOW, HIGH]
    assert legs_together(["SPY", CALL]) == []
    assert legs_together(["AAA", "BBB"]) == []


@given(st.dictionaries(st.sampled_from([LOW, HIGH, CALL, option("C", 110)]), contracts, min_size=1))
def test_units_times_ratios_are_the_quantities_and_no_larger_number_of_units_is(quantities):
    units, ratios = in_units(quantities)
    assert {symbol: units * ratio for symbol, ratio in ratios.items()} == quantities
    assert list(ratios) == sorted(quantities)
    more = [n for n in range(units + 1, 61) if all(quantity % n == 0 for quantity in quantities.values())]
    assert more == []


@pytest.mark.parametrize(
    ("quantities", "portion", "closing"),
    [
        ({LOW: 4, HIGH: -4}, 0.5, {LOW: 2, HIGH: 2}),
        ({LOW: 5, HIGH: -5}, 0.5, {LOW: 2, HIGH: 2}),
        # Four units of two and one: a quarter and a bit more is one unit, not two of the one leg and one of the other.
        ({LOW: 8, HIGH: -4}, 0.4, {LOW: 2, HIGH: 1}),
        ({LOW: 8, HIGH: -4}, 0.2, {}),
        ({LOW: 4, HIGH: -3}, 0.9, {}),
        # An option alone, shares, and shares beside a structure.
        ({LOW: 5}, 0.5, {LOW: 2}),
        ({"AAA": Decimal(7), "BBB": Decimal(-9)}, 0.5, {"AAA": 3, "BBB": 4}),
        ({"SPY": 300, LOW: 3, HIGH: -3}, 0.34, {"SPY": 102, LOW: 1, HIGH: 1}),
    ],
)
def test_a_part_of_a_structure_is_whole_units_of_it(quantities, portion, closing):
    assert reductions(quantities, portion) == closing


@given(st.integers(1, 50), st.integers(1, 4), st.integers(1, 4), st.integers(1, 99))
def test_a_reduced_structure_keeps_its_ratios(units, one, other, percent):
    held = {LOW: units * one, HIGH: -units * other}
    closing = reductions(held, percent / 100)
    if closing:
        assert Fraction(closing[LOW], closing[HIGH]) == Fraction(one, other)
        assert 0 < closing[LOW] <= Fraction(percent, 100) * held[LOW]
