"""The compiled account trades what the general simulation trades, and what a replay trades: every fill, every cent."""

from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quant_site.market.execution import CostModel
from quant_site.market.panel import ARRAYS, Panel
from quant_site.parity import replay_trail, settings_of
from quant_site.replay import replay_account
from strategies.backtest import BacktestSettings, backtest, simulate
from strategies.backtest.kernel import run_rules
from strategies.backtest.kernel_loop import play_sets
from strategies.backtest.result import PURPOSES, REASONS
from strategies.library.mean_reversion import PairsTrading
from strategies.library.trend_following import BreakoutMomentum
from strategies.models import Strategy
from strategies.parameters import effective_params
from strategies.risk import RiskLimits
from tests.kernel_world import RULE_STRATEGIES, assert_equal, both, quick_params, wild_panel, wild_settings
from tests.support_strategies import bundled_panel, panel_of

BY_KEY = pytest.mark.parametrize("strategy", RULE_STRATEGIES, ids=lambda strategy: strategy.key)
DEFAULT = BacktestSettings()


@BY_KEY
@pytest.mark.parametrize("share", [1.0, None])
def test_thirteen_years_of_five_stocks_are_the_same_to_the_cent(strategy, share):
    compiled, simulated = both(strategy, strategy.Params(), bundled_panel(), BacktestSettings(share=share))
    assert_equal(compiled, simulated)
    assert len(compiled.fills) > 20


@BY_KEY
def test_a_part_of_history_with_its_warm_up_before_it_is_the_same(strategy):
    span = {"start": date(2005, 3, 6), "end": date(2008, 12, 25)}
    compiled, simulated = both(strategy, strategy.Params(), bundled_panel().select(("MSFT", "AAPL")), DEFAULT, **span)
    assert_equal(compiled, simulated)
    assert compiled.abstained == {}
    assert (compiled.sessions[0], compiled.sessions[-1]) == (np.datetime64("2005-03-07"), np.datetime64("2008-12-24"))


@BY_KEY
@given(seed=st.integers(0, 2**32 - 1), symbols=st.sampled_from([1, 2, 5]), sessions=st.integers(70, 400), cut=st.floats(0, 0.6))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_market_any_account_and_any_costs_are_the_same(strategy, seed, symbols, sessions, cut):
    panel = wild_panel(seed, symbols, sessions)
    start = panel.sessions[int(cut * sessions)].item()
    assert_equal(*both(strategy, quick_params(strategy, seed), panel, wild_settings(seed), start))


def test_those_markets_hold_everything_that_can_happen_to_a_trade():
    purposes, reasons, codes, sides = set(), set(), set(), set()
    for seed in range(160):
        strategy = RULE_STRATEGIES[seed % 3]
        panel = wild_panel(seed, 5, 400)
        result = run_rules(strategy, quick_params(strategy, seed), panel, 0, 399, wild_settings(seed))
        purposes |= {PURPOSES[row] for row in result.fills["purpose"]}
        reasons |= {REASONS[row] for row in result.trades["reason"]}
        sides |= set(result.trades["side"].tolist())
        codes |= set(result.rejected)
    assert purposes == {"ENTRY", "EXIT", "STOP"}
    assert {"OPEN", "EXIT", "STOP"} <= reasons
    assert sides == {1, -1}
    sizes = {"RISK_BUDGET", "SINGLE_NAME", "STRATEGY_SHARE", "ADV", "VOLATILITY_TARGET", "NO_DATA"}
    assert sizes | {"DRAWDOWN_LIMIT", "DAY_TRADES", "SHORT_NOT_ALLOWED", "NO_BAR"} <= codes


def add_while_stopped(gap: float) -> tuple[Panel, BreakoutMomentum]:
    """A breakout that adds a unit, whose order meets an open `gap` away: through the stop of what is held."""
    closes = np.array([100.0] * 80 + [104.0, 105.0, 107.0, 107.0 + gap, 107.0 + gap, 107.0 + gap])
    noise = np.resize([0.3, -0.3], len(closes))
    closes[:80] += noise[:80]
    panel = panel_of({"A": closes}, highs={"A": closes + 1}, lows={"A": closes - 1})
    return panel, BreakoutMomentum()


@pytest.mark.parametrize("mirrored", [False, True])
def test_an_addition_that_fills_at_the_open_at_which_the_stop_goes_off_is_the_same(mirrored):
    panel, strategy = add_while_stopped(-12.0)
    if mirrored:
        flipped = [200 - values for values in (panel.open, panel.low, panel.high, panel.close)]
        panel = Panel(panel.symbols, panel.sessions, *flipped, panel.volume, panel.factor)
    roomy = RiskLimits(0.9, 2.0, 0.9, 0.01, 1.0, 99, True)
    params = strategy.Params(stop_n=2.0, skip_after_winner=False)
    compiled, simulated = both(strategy, params, panel, BacktestSettings(limits=roomy))
    assert_equal(compiled, simulated)
    at_the_open = compiled.fills[compiled.fills["session"] == 83]
    assert [PURPOSES[row] for row in at_the_open["purpose"]][:2] == ["STOP", "ENTRY"]


@pytest.mark.parametrize("short", [False, True])
def test_a_split_to_nothing_and_what_is_paid_for_it_are_the_same(short):
    strategy = RULE_STRATEGIES[0]
    closes = np.array([100.0 + (1 if i % 2 else -1) for i in range(80)] + [94.0, 94.5, 94.5] + [94.5e3] * 6)
    if short:
        closes[80:83] = [106.0, 105.5, 105.5]
    factor = np.where(np.arange(len(closes)) < 83, 1000.0, 1.0)
    panel = panel_of({"A": closes}, highs={"A": closes * 1.001}, lows={"A": closes * 0.999}, factor={"A": factor})
    params = strategy.Params(adx_limit=100, width=1.5, stop_atr=6)
    compiled, simulated = both(strategy, params, panel, BacktestSettings(capital=Decimal(20_000)))
    assert_equal(compiled, simulated)
    assert "SPLIT" in {REASONS[row] for row in compiled.trades["reason"]}


def test_an_account_that_is_ruined_is_the_same():
    """Short before a price that rises tenfold over night."""
    closes = np.array([100.0 + (1 if i % 2 else -1) for i in range(80)] + [108.0, 107.0, 2000.0, 2000.0, 2000.0])
    panel = panel_of({"A": closes}, highs={"A": closes + 1}, lows={"A": closes - 1})
    strategy, limits = RULE_STRATEGIES[0], RiskLimits(2.0, 3.0, 0.9, 0.5, 1.0, 99, True)
    params = strategy.Params(adx_limit=100, width=1.5)
    compiled, simulated = both(strategy, params, panel, BacktestSettings(limits=limits))
    assert_equal(compiled, simulated)
    assert compiled.equity[-1] < 0


@BY_KEY
def test_the_same_panel_cut_selected_or_turned_round_needs_no_other_code(strategy):
    """Arrays that are views of others are read like those that are not."""
    panel = bundled_panel()
    cut = panel.until(panel.sessions[1500].item()).select(("MSFT", "IBM"))
    turned = Panel(cut.symbols, cut.sessions, *(np.asfortranarray(getattr(cut, name)) for name in ARRAYS))
    results = [run_rules(strategy, strategy.Params(), each, 0, 1500, DEFAULT) for each in (cut, turned)]
    np.testing.assert_array_equal(results[0].fills, results[1].fills)
    assert len(results[0].fills) > 10
    assert len(play_sets.signatures) == len(strategy.rules(panel, [strategy.Params()]).scan.signatures) == 1


def test_what_it_cannot_run_exactly_is_left_to_the_simulation():
    panel, strategy = bundled_panel().select(("IBM",)), RULE_STRATEGIES[0]
    fine = BacktestSettings(costs=CostModel(slippage_bps=Decimal("2.123456789")))
    large = BacktestSettings(capital=Decimal(10**10))
    for chosen in (fine, large):
        assert run_rules(strategy, strategy.Params(), panel, 0, 100, chosen) is None
        left = backtest(strategy, panel=panel, settings=chosen)
        np.testing.assert_array_equal(left.fills, simulate(strategy, panel=panel, settings=chosen).fills)
    assert run_rules(PairsTrading(), PairsTrading.Params(), panel, 0, 100, DEFAULT) is None


@pytest.mark.django_db
@pytest.mark.usefixtures("bundled_market")
@BY_KEY
def test_a_replay_of_the_loop_trades_the_same(strategy):
    account = replay_account(account_id="replay", cash=Decimal(100_000), symbols=["AAPL", "IBM", "MSFT"])
    start, end = date(2009, 3, 2), date(2009, 8, 31)
    replay = replay_trail(account, strategy, start, end)
    params = effective_params(Strategy.objects.get(key=strategy.key), account)
    result = backtest(strategy, params, panel=replay.panel, start=start, end=end, settings=settings_of(account))
    rows = [
        (row["session"], row["symbol"], row["side"], row["purpose"], row["quantity"], f"{row['price']:.6f}", f"{row['commission']:.2f}")
        for row in result.fill_rows()
    ]
    replayed = [
        (fill.session, fill.symbol, fill.side, fill.purpose, fill.quantity, f"{fill.price:.6f}", f"{fill.commission:.2f}")
        for fill in replay.fills
    ]
    assert sorted(rows) == sorted(replayed)
    assert len(rows) > 2
    np.testing.assert_array_equal(result.equity, [float(value) for value in replay.equity])
