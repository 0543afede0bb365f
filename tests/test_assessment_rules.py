"""The rules by which a trade is held, protected, reduced or closed: each at its limit and just before it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.exposure.assessment_rules import RULES, STRENGTH, SoldOption, TradeFacts, Verdict, judge

# A trade about which there is nothing to say: bought at 100 with a stop at 95, now at 101.
QUIET = TradeFacts(
    sign=1, price=101.0, entry=100.0, stop=95.0, target=None, pnl=10.0, r=0.2, weight=0.05, weight_limit=0.20, trend=0.3,
    volatility_ratio=1.0, whole=True,
)  # fmt: skip
SHORT = replace(QUIET, sign=-1, price=99.0, stop=105.0)


def codes(facts: TradeFacts) -> list[str]:
    return [reason.code for reason in judge(facts)[1]]


def test_a_trade_that_no_rule_speaks_against_is_held():
    verdict, (reason,) = judge(QUIET)
    assert (verdict, reason.code) == ("HOLD", "NOTHING_AGAINST")
    assert judge(SHORT)[0] == "HOLD"


@pytest.mark.parametrize(
    ("before", "at", "code", "verdict"),
    [
        ({"price": 95.01}, {"price": 95.0}, "STOP_REACHED", "CLOSE"),
        ({"target": 110.0, "price": 109.99}, {"target": 110.0, "price": 110.0}, "TARGET_REACHED", "CLOSE"),
        ({"r": -0.99}, {"r": -1.0}, "LOSS_EXCEEDS_RISK", "CLOSE"),
        ({"r": 1.99, "stop": 100.0}, {"r": 2.0, "stop": 100.0}, "PROFIT_OF_2R", "TAKE_PARTIAL"),
        ({"weight": 0.20}, {"weight": 0.2001}, "OVERWEIGHT", "TAKE_PARTIAL"),
        ({"r": 0.99}, {"r": 1.0}, "PROFIT_OF_1R", "TIGHTEN_STOP"),
        ({"trend": -0.99}, {"trend": -1.0}, "TREND_AGAINST", "TIGHTEN_STOP"),
        ({"volatility_ratio": 1.49}, {"volatility_ratio": 1.5}, "VOLATILITY_UP", "TIGHTEN_STOP"),
    ],
)
def test_each_rule_speaks_at_its_limit_and_not_before(before, at, code, verdict):
    assert codes(replace(QUIET, **before)) == ["NOTHING_AGAINST"]
    found, (reason,) = judge(replace(QUIET, **at))
    assert (found, reason.code, reason.verdict) == (verdict, code, verdict)
    assert reason.message and reason.value is not None and reason.limit is not None


def test_a_short_trade_has_its_levels_on_the_other_side():
    assert codes(replace(SHORT, price=104.99)) == ["NOTHING_AGAINST"]
    assert codes(replace(SHORT, price=105.0)) == ["STOP_REACHED"]
    assert codes(replace(SHORT, target=90.0, price=90.01)) == ["NOTHING_AGAINST"]
    assert codes(replace(SHORT, target=90.0, price=90.0)) == ["TARGET_REACHED"]
    assert codes(replace(SHORT, r=1.0)) == ["PROFIT_OF_1R"]
    assert codes(replace(SHORT, r=1.0, stop=100.0)) == ["NOTHING_AGAINST"]


def test_what_is_partly_sold_already_is_not_to_be_sold_in_part_again():
    assert codes(replace(QUIET, r=3.0, stop=102.0, price=115.0, whole=False)) == ["NOTHING_AGAINST"]


def test_a_stop_that_does_not_exist_cannot_be_tightened():
    bare = replace(QUIET, stop=None, r=None, trend=-3.0, volatility_ratio=2.0)
    verdict, (reason,) = judge(bare)
    assert (verdict, reason.code) == ("HOLD", "NO_STOP")


def test_a_structure_of_options_is_not_told_that_it_has_no_stop():
    assert codes(replace(QUIET, sign=0, price=None, stop=None, r=None)) == ["NOTHING_AGAINST"]


def test_rising_volatility_matters_in_profit_only():
    assert codes(replace(QUIET, pnl=-1.0, volatility_ratio=2.0)) == ["NOTHING_AGAINST"]


CALL = SoldOption("SPY190315C00280000", 2, 280.0, 283.0, 1)


@pytest.mark.parametrize(
    ("option", "speaks"),
    [
        (CALL, True),  # in the money
        (replace(CALL, days=3), False),
        (replace(CALL, spot=277.3), True),  # within 1 % of its strike
        (replace(CALL, spot=277.0), False),
        (replace(CALL, right=-1, spot=270.0), True),  # a put in the money
        (replace(CALL, right=-1, spot=290.0), False),
    ],
)
def test_a_sold_option_is_closed_before_it_ends_near_its_strike_or_in_the_money(option, speaks):
    facts = replace(QUIET, sign=0, price=None, stop=None, r=None, sold=(option,))
    assert judge(facts)[0] == ("CLOSE" if speaks else "HOLD")


maybe = st.none() | st.floats(-5, 5)


facts = st.builds(
    TradeFacts,
    sign=st.sampled_from([-1, 0, 1]),
    price=st.none() | st.floats(50, 150),
    entry=st.just(100.0),
    stop=st.none() | st.floats(50, 150),
    target=st.none() | st.floats(50, 150),
    pnl=maybe,
    r=maybe,
    weight=st.none() | st.floats(0, 1),
    weight_limit=st.just(0.2),
    trend=maybe,
    volatility_ratio=st.none() | st.floats(0, 3),
    whole=st.booleans(),
)


@given(facts)
def test_the_verdict_is_the_strongest_of_its_reasons_and_each_rule_says_one_thing(facts):
    verdict, reasons = judge(facts)
    assert verdict == max((reason.verdict for reason in reasons), key=STRENGTH.get)
    assert [STRENGTH[reason.verdict] for reason in reasons] == sorted((STRENGTH[reason.verdict] for reason in reasons), reverse=True)
    assert len({reason.code for reason in reasons}) == len(reasons)
    assert set(Verdict) >= {verdict}
    # An unknown never speaks.
    nothing = TradeFacts(facts.sign, None, 100.0, None, None, None, None, None, 0.2, None, None, facts.whole)
    assert {reason.verdict for reason in judge(nothing)[1]} == {"HOLD"}


def test_each_rule_is_there_once():
    assert len(set(RULES)) == len(RULES)
