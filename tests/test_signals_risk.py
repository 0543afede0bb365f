"""Risk checks over a frozen context: each limit stops exactly what breaks it, and closing always passes."""

import os
import subprocess
import sys
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_site.core.types import Direction
from strategies.base import Draft, Leg
from strategies.risk import ENTRY_CHECKS, Proposal, ProposedLeg, RiskContext, RiskLimits, assess
from strategies.sizing import size_entry
from tests.risk_world import HandMarket, terms

ROOT = Path(__file__).resolve().parent.parent

SESSION = date(2019, 3, 8)
LIMITS = RiskLimits(0.20, 1.0, 0.20, 0.01, 0.01, 3, True)
CONTEXT = RiskContext(
    account_id="A",
    session=SESSION,
    equity=Decimal("100000"),
    cash=Decimal("100000"),
    drawdown=0.0,
    limits=LIMITS,
    exposures={},
    pending={},
    day_trades=0,
    prices={"KO": 50.0, "PEP": 100.0},
    adv={"KO": 1e7, "PEP": 1e7},
    volatility={"KO": 0.01, "PEP": 0.01},
    last_session={"KO": SESSION, "PEP": SESSION},
    tradable=frozenset({"KO", "PEP"}),
)


def buy(symbol="KO", shares=100, context=CONTEXT, share=1.0):
    return Proposal(1, Direction.LONG, (ProposedLeg(symbol, shares, shares * context.prices[symbol]),), share)


def codes(proposal, context=CONTEXT):
    return [violation.code for violation in assess(proposal, context)]


def test_a_small_purchase_in_an_empty_account_passes():
    assert codes(buy()) == []


OPTION = "KO190621C00050000"
WILD = {"market": HandMarket(returns={"KO": np.full(600, -0.99)}), "equity": Decimal("9000")}
OPTIONS = Proposal(1, Direction.LONG, (ProposedLeg(OPTION, 10, 3000.0),), loss=3000.0, locks=3000.0)
QUOTED = {"market": HandMarket(options={OPTION: terms(OPTION, gamma=9.0, vega=90.0, theta=-90.0)})}
CASES = [
    ({"trading_state": "HALTED"}, buy(), "TRADING_STATE"),
    ({"trading_state": "REDUCING"}, buy(), "TRADING_STATE"),
    ({"tradable": frozenset({"PEP"})}, buy(), "NOT_TRADABLE"),
    ({"last_session": {"KO": date(2019, 3, 7)}}, buy(), "STALE_DATA"),
    ({"drawdown": -0.20}, buy(), "DRAWDOWN_LIMIT"),
    ({"day_trades": 3}, buy(), "DAY_TRADES"),
    ({"limits": replace(LIMITS, allow_short=False)}, buy(shares=-100), "SHORT_NOT_ALLOWED"),
    ({"exposures": {"KO": Decimal("-500")}}, buy(), "OPPOSITE_POSITION"),
    ({"exposures": {"KO": Decimal("15001")}}, buy(), "SINGLE_NAME"),
    ({"exposures": {"PEP": Decimal("95001")}}, buy(), "GROSS_EXPOSURE"),
    ({"pending": {"PEP": Decimal("-95001")}}, buy(), "GROSS_EXPOSURE"),
    ({"cash": Decimal("4999")}, buy(), "CASH"),
    ({"strategy_exposures": {1: Decimal("96000")}}, buy(), "STRATEGY_SHARE"),
    ({}, buy(shares=0), "SIZE_TOO_SMALL"),
    ({"limits": replace(LIMITS, restricted=("KO",))}, buy(), "RESTRICTED"),
    ({"limits": replace(LIMITS, options_level=1)}, Proposal(1, Direction.SHORT, (ProposedLeg(OPTION, -1, -300.0),)), "OPTIONS_LEVEL"),
    ({"limits": replace(LIMITS, max_order_notional=4999.0)}, buy(), "ORDER_NOTIONAL"),
    ({"limits": replace(LIMITS, max_symbol_notional=4999.0)}, buy(), "SYMBOL_NOTIONAL"),
    ({"limits": replace(LIMITS, max_sector_pct=0.049)}, buy(), "SECTOR"),
    ({"limits": replace(LIMITS, max_group_pct=0.049)}, buy(), "CORRELATED_GROUP"),
    ({"limits": replace(LIMITS, max_net_exposure=0.049)}, buy(), "NET_EXPOSURE"),
    ({"limits": replace(LIMITS, day_trade_rule="CASH_ACCOUNT"), "unsettled": Decimal("95001")}, buy(), "UNSETTLED_CASH"),
    ({"limits": replace(LIMITS, day_trade_rule="INTRADAY_MARGIN"), "equity": Decimal("1249")}, buy(), "INTRADAY_MARGIN"),
    ({"limits": replace(LIMITS, max_delta_pct=0.049)}, buy(), "DELTA"),
    *(({"limits": replace(LIMITS, **{f"max_{name}_pct": 0.5}), **QUOTED}, OPTIONS, name.upper()) for name in ("gamma", "vega", "theta")),
    ({"limits": replace(LIMITS, max_es_pct=0.5), **WILD}, buy(), "EXPECTED_SHORTFALL"),
    ({"limits": replace(LIMITS, max_stress_pct=0.0099)}, buy(), "STRESS"),
]


@pytest.mark.parametrize(("change", "proposal", "code"), CASES)
def test_each_limit_names_itself_with_its_numbers(change, proposal, code):
    violations = {violation.code: violation for violation in assess(proposal, replace(CONTEXT, **change))}
    assert code in violations
    assert violations[code].message
    assert violations[code].value is not None


def test_exactly_at_a_limit_passes_and_one_share_more_does_not():
    assert "SINGLE_NAME" not in codes(buy(shares=400))
    assert "SINGLE_NAME" in codes(buy(shares=401))


def test_closing_passes_whatever_the_account_looks_like_unless_it_is_halted():
    worst = replace(CONTEXT, drawdown=-0.9, day_trades=99, cash=Decimal("-1"), tradable=frozenset(), trading_state="REDUCING")
    closing = Proposal(1, Direction.CLOSE, ())
    assert codes(closing, worst) == []
    assert codes(closing, replace(worst, trading_state="HALTED")) == ["TRADING_STATE"]


def test_what_is_on_its_way_counts_for_the_next_proposal():
    after = CONTEXT.with_entry(buy(shares=300))
    assert "SINGLE_NAME" in codes(buy(shares=200), after)
    assert after.gross == pytest.approx(15000)


@pytest.mark.parametrize(("drawdown", "multiplier"), [(0, 1), (-0.05, 1), (-0.125, 0.5), (-0.20, 0), (-0.5, 0)])
def test_the_drawdown_throttle_falls_linearly_from_five_per_cent_to_the_limit(drawdown, multiplier):
    assert replace(CONTEXT, drawdown=drawdown).throttle == pytest.approx(multiplier)


def draft(stop=None, direction=Direction.LONG):
    return Draft("KO", direction, (Leg("KO", direction),), 1.0, "test", entry_price=50.0, stop_loss=stop)


def test_size_spends_the_risk_budget_between_entry_and_stop():
    size = size_entry(draft(stop=40.0), CONTEXT, strategy_id=1, share=1.0, scale=1.0)
    assert size.binding == "RISK_BUDGET"
    assert size.quantities == (100,)
    assert size.loss_at_stop == pytest.approx(1000)


def test_a_near_stop_is_capped_by_the_single_name_limit():
    size = size_entry(draft(stop=49.9), CONTEXT, strategy_id=1, share=1.0, scale=1.0)
    assert size.binding == "SINGLE_NAME"
    assert size.notional <= 20000


def test_a_pair_is_dollar_neutral_to_within_one_share_of_each_leg():
    pair = Draft("KO/PEP", Direction.LONG, (Leg("KO", Direction.LONG, 0.5), Leg("PEP", Direction.SHORT, 0.5)), 1.0, "test")
    long, short = size_entry(pair, CONTEXT, strategy_id=1, share=1.0, scale=1.0).quantities
    assert long > 0 > short
    assert abs(long * 50 + short * 100) <= 100


def test_a_symbol_without_price_volatility_or_volume_gets_no_size():
    for name in ("prices", "volatility", "adv"):
        size = size_entry(draft(stop=40.0), replace(CONTEXT, **{name: {"PEP": 1.0}}), strategy_id=1, share=1.0, scale=1.0)
        assert size.empty


@given(
    price=st.floats(1, 5000),
    stop=st.floats(0.05, 0.999),
    sigma=st.floats(0.0005, 0.2),
    adv=st.floats(1, 1e9),
    held=st.floats(0, 150_000),
    cash=st.floats(0, 200_000),
    drawdown=st.floats(-0.4, 0),
    share=st.floats(0.05, 1),
)
def test_whatever_is_sized_passes_every_check_it_was_sized_for(price, stop, sigma, adv, held, cash, drawdown, share):
    context = replace(
        CONTEXT,
        prices={"KO": price, "PEP": 10.0},
        volatility={"KO": sigma},
        adv={"KO": adv},
        drawdown=drawdown,
        cash=Decimal(str(round(cash, 2))),
        exposures={"PEP": Decimal(str(round(held, 2)))},
    )
    size = size_entry(draft(stop=price * stop), context, strategy_id=1, share=share, scale=1.0)
    assert size.quantities[0] >= 0
    if not size.empty:
        proposal = Proposal(1, Direction.LONG, (ProposedLeg("KO", size.quantities[0], size.notional),), share)
        assert [v.code for v in assess(proposal, context)] == []


@pytest.mark.parametrize("check", ENTRY_CHECKS)
def test_every_check_is_triggered_by_some_case_above(check):
    assert any(check(proposal, replace(CONTEXT, **change)) for change, proposal, _ in CASES)


GROSS = """
from datetime import date
from decimal import Decimal as D
from strategies.risk import RiskContext, RiskLimits
limits = RiskLimits(0.2, 1.0, 0.2, 0.01, 0.01, 3, True)
held = {f"S{i}": D(i * 7919 % 9973) / 100 + D("0.01") for i in range(40)}
context = RiskContext("A", date(2020, 1, 2), D(1), D(1), 0.0, limits, held, {}, 0, {}, {}, {}, {}, frozenset())
print(repr(context.gross))
"""


def gross_of_a_process(hash_seed: int) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    ran = subprocess.run([sys.executable, "-c", GROSS], cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    return ran.stdout.strip()


def test_gross_exposure_is_the_same_to_its_last_digit_in_every_process():
    """A sum of floats in the order of a set follows the process's hash seed, and with it which limit a refusal names."""
    answers = {gross_of_a_process(seed) for seed in range(6)}
    assert len(answers) == 1
    assert float(answers.pop()) > 1000
