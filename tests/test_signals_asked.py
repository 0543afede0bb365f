"""A size says how many times as much its strategy asked for, before the account's room cut it."""

from dataclasses import replace
from decimal import Decimal

import pytest

from quant_site.core.types import Direction
from strategies.base import Draft, Leg
from strategies.sizing import BUFFER, size_entry
from tests.test_signals_options import CONTEXT, LIMITS, UNIT_RISK, draft

SHARES = Draft("SPY", Direction.LONG, (Leg("SPY", Direction.LONG),), 1.0, "test", entry_price=100.0, stop_loss=98.0)


def sized(what, context=CONTEXT, share=1.0):
    return size_entry(what, context, strategy_id=1, share=share, scale=1.0)


def test_the_room_of_a_single_name_cuts_what_the_risk_budget_asked_for():
    # 1 % of 100,000 at a distance of 2 % is 50,000; a name may have 20 %, less a buffer.
    size = sized(SHARES)
    assert size.binding == "SINGLE_NAME"
    assert size.asked == pytest.approx(50_000 / (20_000 * BUFFER))


def test_where_its_own_measure_binds_it_got_what_it_asked_for():
    roomy = replace(CONTEXT, limits=replace(LIMITS, max_position_pct=0.9, max_adv_pct=1.0))
    assert sized(SHARES, roomy).binding == "RISK_BUDGET"
    assert sized(SHARES, roomy).asked == 1.0


def test_a_portfolio_asks_for_its_target_weight():
    # Half of the capital, which has the same buffer as the room of a name.
    size = sized(replace(SHARES, weight=0.5))
    assert (size.binding, size.asked) == ("SINGLE_NAME", pytest.approx(0.5 / 0.2))


def test_a_structure_asks_for_its_risk_budget():
    poor = replace(CONTEXT, cash=Decimal(500))
    size = sized(draft(), poor)
    assert size.binding == "CASH"
    assert size.quantities[0] * UNIT_RISK <= 500
    assert size.asked == pytest.approx(1000 / (500 * BUFFER))


def test_where_nothing_is_left_nothing_is_said():
    assert sized(SHARES, replace(CONTEXT, cash=Decimal(0))).asked == 1.0
