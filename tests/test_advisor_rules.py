"""Risk and reward are decided by code: order of the levels, R:R net of cost, HOLD below 2."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.rules import Action, Held, Levels, Verdict, judge, risk_reward
from quant_site.core.errors import InvalidInput
from quant_site.core.types import Direction

D = Decimal
prices = st.decimals("0.000001", "100000", places=6)


def levels(entry, stop, target):
    return Levels(*(None if value is None else D(value) for value in (entry, stop, target)))


def test_exactly_two_passes():
    assert judge(Action.BUY, Direction.LONG, levels("100", "95", "110")) == Verdict(Action.BUY, D("2.0000"))
    assert judge(Action.SELL, Direction.SHORT, levels("100", "105", "90")) == Verdict(Action.SELL, D("2.0000"))


def test_two_that_no_binary_fraction_can_hold_passes():
    assert judge(Action.BUY, Direction.LONG, levels("0.3", "0.2", "0.5")).action is Action.BUY


def test_a_hair_below_two_is_held_and_does_not_read_as_two():
    verdict = judge(Action.BUY, Direction.LONG, levels("100", "95", "109.999999"))
    assert verdict == Verdict(Action.HOLD, D("1.9999"), Held.RISK_REWARD_TOO_LOW)


def test_cost_takes_from_the_gain_and_adds_to_the_risk():
    assert risk_reward(Direction.LONG, levels("100", "95", "115"), D("1")) == D(14) / D(6)
    assert judge(Action.BUY, Direction.LONG, levels("100", "95", "110"), D("0.01")).action is Action.HOLD


def test_a_gain_smaller_than_the_cost_is_a_negative_reward():
    verdict = judge(Action.BUY, Direction.LONG, levels("100", "99", "100.5"), D("1"))
    assert verdict == Verdict(Action.HOLD, D("-0.2500"), Held.RISK_REWARD_TOO_LOW)


@pytest.mark.parametrize(
    ("direction", "entry", "stop", "target"),
    [
        (Direction.LONG, "100", "105", "120"),
        (Direction.LONG, "100", "95", "99"),
        (Direction.LONG, "100", "100", "120"),
        (Direction.LONG, "100", "95", "100"),
        (Direction.SHORT, "100", "95", "120"),
        (Direction.SHORT, "100", "105", "101"),
    ],
)
def test_levels_out_of_order_are_held_and_never_sorted_into_shape(direction, entry, stop, target):
    action = Action.BUY if direction is Direction.LONG else Action.SELL
    assert judge(action, direction, levels(entry, stop, target)) == Verdict(Action.HOLD, held=Held.LEVELS_OUT_OF_ORDER)
    with pytest.raises(InvalidInput, match="stop < entry < target"):
        risk_reward(direction, levels(entry, stop, target))


@pytest.mark.parametrize("missing", ["entry", "stop", "target"])
def test_a_missing_level_is_held(missing):
    given_levels = {"entry": D(100), "stop": D(95), "target": D(120)} | {missing: None}
    assert judge(Action.BUY, Direction.LONG, Levels(**given_levels)).held is Held.LEVEL_MISSING


@pytest.mark.parametrize(("action", "direction"), [(Action.BUY, Direction.SHORT), (Action.SELL, Direction.LONG), (Action.BUY, None)])
def test_an_action_that_contradicts_its_direction_is_held(action, direction):
    assert judge(action, direction, levels("100", "95", "120")) == Verdict(Action.HOLD, held=Held.NO_DIRECTION)


def test_hold_and_what_closes_a_position_need_no_reward():
    assert judge(Action.HOLD, Direction.LONG, levels("100", None, None)) == Verdict(Action.HOLD)
    assert judge(Action.SELL, Direction.CLOSE, levels(None, None, None)) == Verdict(Action.SELL)


@pytest.mark.parametrize("wrong", [D("NaN"), D("Infinity"), D(0), D(-1), 100.0, "100"])
def test_a_level_that_is_no_positive_decimal_is_refused(wrong):
    with pytest.raises(InvalidInput, match="The stop must be a Decimal above zero"):
        Levels(D(100), wrong, D(120))


@pytest.mark.parametrize("wrong", [D(-1), D("NaN"), 0.1])
def test_a_cost_that_is_negative_or_no_decimal_is_refused(wrong):
    with pytest.raises(InvalidInput, match="The cost must be"):
        risk_reward(Direction.LONG, levels("100", "95", "120"), wrong)


@given(prices, prices, prices, st.decimals(0, 5, places=6))
def test_the_verdict_is_that_of_exact_fractions(entry, stop, target, cost):
    for action, direction, sign in ((Action.BUY, Direction.LONG, 1), (Action.SELL, Direction.SHORT, -1)):
        gain, risk = sign * (Fraction(target) - Fraction(entry)), sign * (Fraction(entry) - Fraction(stop))
        passes = gain > 0 and risk > 0 and (gain - Fraction(cost)) / (risk + Fraction(cost)) >= 2
        assert (judge(action, direction, Levels(entry, stop, target), cost).action is action) == passes
