"""Structures of options on their way to orders: what they lose is what they are checked for, and what it claims is reserved."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_site.core.types import Direction
from signals_app.engine import SignalEngine, proposal_from_signal
from signals_app.scoring import risk_score
from signals_app.states import SignalStatus
from strategies.base import Draft, Leg
from strategies.drafts import draft_to_json
from strategies.exits import reductions
from strategies.models import Strategy, StrategyRun
from strategies.risk import Proposal, RiskContext, RiskLimits, assess, proposal_of
from strategies.sizing import Size, size_entry
from tests.options_desk import option
from tests.orders_world import account_of

SESSION = date(2019, 1, 4)
LIMITS = RiskLimits(0.20, 1.0, 0.20, 0.01, 0.01, 3, True)
LOW, PUT, CALL, HIGH = option("P", 90), option("P", 95), option("C", 105), option("C", 110)
CONDOR = {LOW: 1, PUT: -1, CALL: -1, HIGH: 1}
NAKED = option("C", 100)
MIDS = {LOW: 0.30, PUT: 0.80, CALL: 0.70, HIGH: 0.20, NAKED: 3.0}
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
    prices={"SPY": 100.0, **MIDS},
    adv={"SPY": 1e8},
    volatility={"SPY": 0.01},
    last_session={"SPY": SESSION},
    tradable=frozenset({"SPY"}),
)
# The credit is 1.00 and the wings are 5 wide.
UNIT_RISK = 400.0


def condor(units=2, *, context=CONTEXT, unit_risk=UNIT_RISK) -> Proposal:
    quantities = {symbol: units * count for symbol, count in CONDOR.items()}
    return proposal_of(context, quantities, strategy_id=1, direction=Direction.SHORT, units=units, unit_risk=unit_risk)


def naked(units=1, *, context=CONTEXT, unit_risk=1000.0) -> Proposal:
    return proposal_of(context, {NAKED: -units}, strategy_id=1, direction=Direction.SHORT, units=units, unit_risk=unit_risk)


def codes(proposal, context=CONTEXT):
    return [violation.code for violation in assess(proposal, context)]


def draft(unit_risk=UNIT_RISK, **fields) -> Draft:
    legs = tuple(Leg(symbol, Direction.LONG if count > 0 else Direction.SHORT, 0.25, 1) for symbol, count in CONDOR.items())
    return Draft("SPY/condor", Direction.SHORT, legs, 1.0, "Credit.", unit_risk=unit_risk, **fields)


# --- checks


def test_a_condor_counts_as_what_it_can_lose_not_as_its_premiums():
    proposal = condor(3)
    assert (proposal.gross, proposal.loss, proposal.uncovered) == (1200.0, 1200.0, ())
    assert codes(proposal) == []


def test_a_claim_to_lose_less_than_the_mids_say_is_not_believed():
    assert condor(2, unit_risk=10.0).loss == pytest.approx(2 * 400)


CASES = [
    ({"prices": {"SPY": 100.0, LOW: 0.3, PUT: 0.8, CALL: 0.7}}, condor(), "STALE_DATA"),
    ({}, condor(51), "SINGLE_NAME"),
    ({"exposures": {"SPY": Decimal("19300")}}, condor(), "SINGLE_NAME"),
    ({"cash": Decimal("799")}, condor(), "CASH"),
    ({"exposures": {"KO": Decimal("99300")}}, condor(), "GROSS_EXPOSURE"),
    ({"strategy_exposures": {1: Decimal("99300")}}, condor(), "STRATEGY_SHARE"),
    ({"exposures": {LOW: Decimal("-30")}}, condor(), "OPPOSITE_POSITION"),
    ({"limits": replace(LIMITS, allow_short=False)}, naked(), "SHORT_NOT_ALLOWED"),
    ({"cash": Decimal("1999")}, naked(), "CASH"),
    ({}, condor(0), "SIZE_TOO_SMALL"),
]


@pytest.mark.parametrize(("change", "proposal", "code"), CASES)
def test_each_limit_holds_for_structures_too(change, proposal, code):
    assert code in codes(proposal, replace(CONTEXT, **change))


def test_options_are_sold_without_short_selling_where_their_own_trade_covers_them():
    long_only = replace(CONTEXT, limits=replace(LIMITS, allow_short=False))
    assert codes(condor(), long_only) == []
    assert codes(condor(), replace(long_only, tradable=frozenset())) == [], "an option on an index that is not for sale"


def test_an_uncovered_option_needs_its_margin_in_cash_whatever_its_stress_loss():
    assert naked().loss == 1000.0
    assert naked().locks == pytest.approx(-300 + 100 * (3 + 20))
    assert codes(naked(), replace(CONTEXT, cash=Decimal("2000"))) == []


def test_options_on_a_share_count_with_it_against_its_name():
    held = replace(CONTEXT, exposures={LOW: Decimal("60"), PUT: Decimal("-160")}, option_margins={"SPY": 1000.0})
    assert held.options_at_risk("SPY") == pytest.approx(900)
    shares = proposal_of(held, {"SPY": 192}, strategy_id=2, direction=Direction.LONG)
    assert codes(shares, held) == ["SINGLE_NAME"]
    assert codes(shares) == []


def test_margins_lock_cash_and_short_options_are_no_short_shares():
    held = replace(CONTEXT, exposures={LOW: Decimal("60"), PUT: Decimal("-160")}, option_margins={"SPY": 1000.0})
    assert held.free_cash == pytest.approx(99_000)
    assert held.gross == pytest.approx(900)


def test_what_is_on_its_way_is_reserved_and_counts_once():
    after = CONTEXT.with_entry(condor(2))
    assert after.free_cash == pytest.approx(100_000 - 800)
    assert after.gross == pytest.approx(800)
    assert after.options_at_risk("SPY") == pytest.approx(800)
    assert after.strategy_exposures == {1: Decimal("800")}
    assert "SINGLE_NAME" in codes(condor(49), after)


def test_shares_within_a_structure_are_paid_for_besides():
    legs = {NAKED: 1, "SPY": -50}
    proposal = proposal_of(CONTEXT, legs, strategy_id=1, direction=Direction.LONG, units=1, unit_risk=300.0)
    assert proposal.gross == pytest.approx(300 + 5000)
    assert CONTEXT.with_entry(proposal).free_cash == pytest.approx(100_000 - 300 - 2500)


@given(units_risk=st.floats(50, 5000), cash=st.floats(0, 200_000), held=st.floats(0, 90_000), drawdown=st.floats(-0.3, 0))
def test_whatever_structure_is_sized_passes_the_checks_it_was_sized_for(units_risk, cash, held, drawdown):
    context = replace(
        CONTEXT,
        cash=Decimal(str(round(cash, 2))),
        exposures={"KO": Decimal(str(round(held, 2)))},
        drawdown=drawdown,
    )
    wanted = draft(unit_risk=max(units_risk, UNIT_RISK))
    size = size_entry(wanted, context, strategy_id=1, share=1.0, scale=1.0)
    if not size.empty:
        units = abs(size.quantities[0])
        assert codes(condor(units, context=context, unit_risk=wanted.unit_risk), context) == []


def test_the_risk_score_of_a_structure_is_the_most_used_limit():
    size = Size((2, -2, -2, 2), 800.0, 800.0, 1000.0, "RISK_BUDGET")
    assert risk_score(condor(2), size, CONTEXT) == pytest.approx(80.0)
    used = replace(CONTEXT, reserved={"SPY": 17_200.0})
    assert risk_score(condor(2), size, used) == pytest.approx(90.0)


# --- signals


@pytest.fixture
def run(db):
    row = Strategy.objects.create(key="desk", name="desk", category="VOLATILITY")
    account = account_of("A")
    return StrategyRun.objects.create(account=account, strategy=row, session=SESSION, params={"weight": 1.0})


def signals(run, *drafts, context=CONTEXT):
    run.output = [draft_to_json(each) for each in drafts]
    run.save()
    engine = SignalEngine(run.account)
    return engine, engine.generate_signals([run], context=context)


def test_a_structure_becomes_a_signal_that_says_what_each_unit_can_lose(run):
    engine, [signal] = signals(run, draft(risk_share=0.0085))
    assert [(leg["symbol"], leg["direction"], leg["quantity"], leg["units"]) for leg in signal.legs] == [
        (LOW, "LONG", 2, 1),
        (PUT, "SHORT", 2, 1),
        (CALL, "SHORT", 2, 1),
        (HIGH, "LONG", 2, 1),
    ]
    assert signal.signal_metadata["sizing"] == {"unit_risk": UNIT_RISK, "risk_share": 0.0085}
    assert signal.signal_metadata["loss_at_stop"] == 800.0
    assert proposal_from_signal(signal, CONTEXT).loss == pytest.approx(800)
    assert engine.validate_signals([signal], CONTEXT) == [signal]


def test_a_signal_is_checked_again_at_the_prices_of_its_day(run):
    """What the legs are worth by now says that a unit loses 1,900 and not 400."""
    engine, [signal] = signals(run, draft())
    wild = replace(CONTEXT, prices={**CONTEXT.prices, PUT: 0.0, LOW: 14.2}, cash=Decimal("3000"))
    engine.validate_signals([signal], wild)
    assert (signal.signal_status, signal.validation_errors[0]["code"]) == (SignalStatus.REJECTED, "CASH")


def test_a_portfolios_share_reaches_the_size_and_is_kept(run):
    leg = Leg("SPY", Direction.LONG)
    _, [signal] = signals(run, Draft("SPY", Direction.LONG, (leg,), 1.0, "Ranked.", entry_price=100.0, weight=0.05, add=True))
    assert signal.position_size == 49
    assert (signal.signal_metadata["binding"], signal.signal_metadata["sizing"]) == ("TARGET_WEIGHT", {"weight": 0.05})
    assert signal.signal_metadata["add"] is True


def test_a_close_of_a_part_keeps_its_portion_and_a_whole_one_says_nothing(run):
    closes = [
        Draft(name, Direction.CLOSE, (Leg(name, Direction.CLOSE),), 0.0, "Less.", portion=share)
        for name, share in (("A", 0.25), ("B", 1.0))
    ]
    _, made = signals(run, *closes)
    assert [signal.signal_metadata for signal in made] == [{"add": False, "portion": 0.25}, {"add": False}]


# --- how much a partial exit closes


@pytest.mark.parametrize(
    ("held", "portion", "closed"),
    [
        ({"A": 100}, 0.29, {"A": 29}),
        ({"A": -7}, 0.5, {"A": 3}),
        ({"A": Decimal("3.000000")}, 0.333333, {}),
        ({"A": 10, "B": -10}, 0.25, {"A": 2, "B": 2}),
        ({"A": 10, "B": -1}, 0.5, {}),
        ({}, 0.5, {}),
    ],
)
def test_a_part_is_floored_to_whole_units_in_all_legs_or_in_none(held, portion, closed):
    assert reductions(held, portion) == closed
