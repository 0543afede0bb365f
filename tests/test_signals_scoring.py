"""The strength of a signal is its percentile among its strategy's own scores, its risk the limit it uses most."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import percentileofscore

from quant_site.core.types import Direction
from signals_app.scoring import MINIMUM_HISTORY, risk_score, signal_strength
from strategies.base import Draft, Leg
from strategies.risk import PanelMarket
from strategies.sizing import Size, size_entry
from tests.risk_world import CALL, HandMarket, context, trade
from tests.test_risk_scenarios import long_panel

scores = st.floats(-1e6, 1e6) | st.integers(-3, 3).map(float)


@given(score=scores, history=st.lists(scores, min_size=MINIMUM_HISTORY, max_size=300))
def test_the_strength_is_twice_the_mean_percentile_less_one(score, history):
    strength, missing = signal_strength(score, sorted(history))
    assert missing is None
    assert strength == pytest.approx(2 * percentileofscore(history, score, kind="mean") / 100 - 1)


@pytest.mark.parametrize("n", [0, 1, MINIMUM_HISTORY - 1])
def test_a_short_history_gives_no_strength_and_says_why(n):
    assert signal_strength(1.0, [0.0] * n) == (None, "HISTORY_TOO_SHORT")


def test_the_extremes_are_minus_one_and_one():
    history = [float(value) for value in range(100)]
    assert signal_strength(-1.0, history) == (-1.0, None)
    assert signal_strength(1000.0, history) == (1.0, None)


# --- risk


def sized(quantity, *, loss, budget=1000.0, price=50.0) -> Size:
    return Size((quantity,), abs(quantity) * price, loss, budget, "RISK_BUDGET")


def test_the_risk_score_is_the_most_used_of_the_first_limits():
    account = context(exposures={"PEP": Decimal("45000")})
    assert risk_score(trade({"KO": 100}), sized(100, loss=900.0), account) == pytest.approx(90)
    assert risk_score(trade({"KO": 1000}), sized(1000, loss=100.0), account) == pytest.approx(100 * 50_000 / 90_000)
    thin = replace(account, adv=account.adv | {"KO": 12_500.0})
    assert risk_score(trade({"KO": 100}), sized(100, loss=100.0), thin) == pytest.approx(80)


def test_a_gap_beyond_the_stop_counts_where_there_is_a_stop():
    market = HandMarket(gaps={("KO", 1): 0.08, ("KO", -1): 0.05})
    account = context(market)
    size = sized(200, loss=500.0)
    assert risk_score(trade({"KO": 200}), size, account, stopped=True) == pytest.approx(80)
    assert risk_score(trade({"KO": -200}), size, account, stopped=True) == pytest.approx(50)
    assert risk_score(trade({"KO": 200}), size, account) == pytest.approx(50)
    assert risk_score(trade({"KO": 200}), size, context(HandMarket()), stopped=True) == pytest.approx(50)
    assert risk_score(trade({"KO": 200}), sized(200, loss=900.0), account, stopped=True) == pytest.approx(90)


def test_the_gap_is_the_ninety_ninth_percentile_of_the_adverse_ones():
    panel, t = long_panel(), 1399
    market = PanelMarket(panel, t)
    gaps = panel.open[0, t - 999 : t + 1] / panel.close[0, t - 1000 : t] - 1
    assert market.overnight_gap("KO", 1) == pytest.approx(-np.quantile(gaps, 0.01))
    assert market.overnight_gap("KO", -1) == pytest.approx(np.quantile(gaps, 0.99))
    assert PanelMarket(panel, 249).overnight_gap("KO", 1) is None
    assert PanelMarket(panel, 250).overnight_gap("KO", 1) is not None
    assert market.overnight_gap("GONE", 1) is None


def test_a_gap_sets_no_size():
    draft = Draft("KO", Direction.LONG, (Leg("KO", Direction.LONG),), 1.0, "test", entry_price=50.0, stop_loss=49.0)
    sizes = [size_entry(draft, context(HandMarket(gaps={("KO", 1): gap})), strategy_id=1, share=1.0, scale=1.0) for gap in (0.0, 0.5)]
    assert sizes[0] == sizes[1]


def test_what_a_trade_adds_to_shortfall_and_stress_counts_where_it_is_limited():
    account = context(exposures={"PEP": Decimal("10000")}, limits={"max_stress_pct": 0.02})
    added = risk_score(trade({"KO": 100}), sized(100, loss=0.0), account)
    assert added == pytest.approx(100 * 0.2 * 5000 / 2000)
    hedge = risk_score(trade({"KO": -100}), sized(-100, loss=0.0), account)
    assert hedge == pytest.approx(100 * 5000 / 90_000), "it adds nothing: its own name counts"
    panel = long_panel()
    shortfall = replace(account, market=PanelMarket(panel, 1399), limits=replace(account.limits, max_stress_pct=None, max_es_pct=0.01))
    both, alone = shortfall.after(trade({"KO": 100})), shortfall.holdings
    expected = (both.expected_shortfall.value - alone.expected_shortfall.value) / 1000
    assert risk_score(trade({"KO": 100}), sized(100, loss=0.0), shortfall) == pytest.approx(100 * expected)


def test_a_limit_that_cannot_be_measured_leaves_no_score():
    size = Size((1,), 800.0, 800.0, 1000.0, "RISK_BUDGET")
    assert risk_score(trade({CALL: 1}), size, context()) == pytest.approx(80)
    assert risk_score(trade({CALL: 1}), size, context(limits={"max_stress_pct": 0.5})) is None
    assert risk_score(trade({"KO": 10}), sized(10, loss=1.0), context(limits={"max_es_pct": 0.5})) is None
    assert risk_score(trade({"KO": 0}), sized(0, loss=0.0), context()) is None
