"""Sweeps: each set comes to what its own backtest comes to, whoever runs it, and a ledger keeps what was tried."""

import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quant_site.core.errors import InvalidInput
from strategies.backtest import BacktestSettings, backtest
from strategies.backtest.kernel_record import SUMMARY
from strategies.backtest.sweep import sweep
from strategies.backtest.sweep_grid import MOST_SETS, Grid, axes_of, grid_of
from strategies.library.mean_reversion import PairsTrading
from strategies.library.trend_following import BreakoutMomentum, GoldenCross
from tests.kernel_world import RULE_STRATEGIES, quick_params, wild_panel, wild_settings
from tests.support_strategies import bundled_panel

BY_KEY = pytest.mark.parametrize("strategy", RULE_STRATEGIES, ids=lambda strategy: strategy.key)
METRICS = {"total_return": "time_weighted_return"}
FAST, SLOW = (10, 20, 50), (40, 100, 200)


def expected(result) -> list[float]:
    """The summary of a single backtest, by the metrics of its report."""
    row = {"trades": (result.trades["exit"] >= 0).sum(), "fees": result.fills["commission"].sum() / 100}
    for name in set(SUMMARY) - set(row):
        value = result.metrics[METRICS.get(name, name)].value
        row[name] = np.nan if value is None else value
    return [float(row[name]) for name in SUMMARY]


# --- the sets


@BY_KEY
@given(
    seed=st.integers(0, 2**32 - 1),
    symbols=st.sampled_from([1, 1, 3]),
    sessions=st.integers(70, 400),
    count=st.integers(1, 9),
    threads=st.integers(1, 3),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_each_set_comes_to_what_its_own_backtest_comes_to(strategy, seed, symbols, sessions, count, threads):
    panel, account = wild_panel(seed, symbols, sessions), wild_settings(seed)
    sets = [quick_params(strategy, seed + i) for i in range(count)]
    table = sweep(strategy, sets, panel=panel, settings=account, threads=threads, trades=True)
    for number, params in enumerate(sets):
        alone = backtest(strategy, params, panel=panel, settings=account)
        np.testing.assert_allclose(table.metrics[number], expected(alone), rtol=1e-7, atol=1e-9)
        kept = table.trades_of(number)
        for name in set(kept.dtype.names) - {"group"}:
            np.testing.assert_array_equal(kept[name], alone.trades[name])


@BY_KEY
def test_thirteen_years_of_real_prices_are_summarised_as_their_reports_say(strategy):
    panel = bundled_panel().select(("AAPL", "IBM", "MSFT"))
    table = sweep(strategy, [strategy.Params()], panel=panel)
    np.testing.assert_allclose(table.metrics[0], expected(backtest(strategy, panel=panel)), rtol=1e-9)


def test_a_grid_is_the_product_of_its_values_without_those_that_do_not_go_together():
    table = sweep("golden_cross", {"fast": FAST, "slow": SLOW}, panel=bundled_panel().select(("IBM",)))
    pairs = [(params.fast, params.slow) for params in table.sets]
    assert pairs == [(fast, slow) for fast in FAST for slow in SLOW if fast < slow]
    assert table.skipped == 1
    assert table.best("sharpe_ratio", 3) == np.argsort(-table.column("sharpe_ratio"))[:3].tolist()


def test_how_sets_are_cut_into_chunks_and_blocks_changes_nothing(monkeypatch):
    panel, axes = bundled_panel().select(("IBM",)), {"fast": range(5, 60, 5), "slow": range(60, 200, 20)}
    whole = sweep("golden_cross", axes, panel=panel)
    monkeypatch.setattr("strategies.backtest.sweep.CHUNK_BYTES", 1)
    monkeypatch.setattr("strategies.backtest.sweep.LARGEST_BLOCK", 3)
    for threads in (1, 2):
        np.testing.assert_array_equal(sweep("golden_cross", axes, panel=panel, threads=threads).metrics, whole.metrics)


def test_sets_with_their_own_part_of_the_account_are_each_given_it():
    panel, own = bundled_panel().select(("IBM",)), BacktestSettings(share=None)
    axes = {"weight": (0.25, 1.0, 0.5), "slow": (100, 150)}
    table = sweep("golden_cross", axes, panel=panel, settings=own)
    for params, row in zip(table.sets, table.metrics, strict=True):
        np.testing.assert_allclose(row, expected(backtest("golden_cross", params, panel=panel, settings=own)), rtol=1e-7)


def test_a_strategy_without_rules_is_simulated_set_by_set():
    panel, axes = bundled_panel().until(np.datetime64("2004-06-30").item()), {"open_sigma": (1.5, 2.0)}
    table = sweep(PairsTrading(), axes, panel=panel, trades=True)
    alone = [backtest(PairsTrading(), params, panel=panel) for params in table.sets]
    np.testing.assert_allclose(table.metrics, [expected(result) for result in alone], rtol=1e-12)
    assert [len(table.trades_of(i)) for i in range(2)] == [len(result.trades) for result in alone]


def test_trades_that_were_not_kept_cannot_be_asked_for():
    table = sweep("golden_cross", {"slow": (100,)}, panel=bundled_panel().select(("IBM",)))
    with pytest.raises(InvalidInput, match="not kept"):
        table.trades_of(0)


# --- from words to sets


def test_words_of_a_grid_are_ranges_with_their_ends_lists_and_switches():
    words = ["fast_entry=10:20:5", "slow_entry=40,55", "stop_n=1:2:0.25", "short=true,false", "add_n=0.5:1"]
    assert axes_of(BreakoutMomentum(), words) == {
        "fast_entry": (10, 15, 20),
        "slow_entry": (40, 55),
        "stop_n": (1, 1.25, 1.5, 1.75, 2),
        "short": (True, False),
        "add_n": (0.5, 0.75, 1),  # in the parameter's own steps
    }


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("fast", "names no values"),
        ("fast=", "names no values"),
        ("fats=10:20:5", "did you mean 'fast'"),
        ("fast=ten", "no number"),
        ("fast=20:10:5", "from:to:step"),
        ("fast=10:20:0", "from:to:step"),
        ("fast=1:99999999:1", "at most"),
    ],
)
def test_words_that_make_no_grid_are_refused_with_what_to_write(word, message):
    with pytest.raises(InvalidInput, match=re.escape(message)):
        axes_of(GoldenCross(), [word])


def test_a_value_out_of_range_is_refused_with_the_words_of_the_parameters():
    with pytest.raises(InvalidInput, match="fast: Input should be less than or equal to 200"):
        grid_of(GoldenCross(), {"fast": (10, 500)})
    with pytest.raises(InvalidInput, match="did you mean 'slow'"):
        grid_of(GoldenCross(), {"slwo": (100,)})
    assert grid_of(GoldenCross(), {"fast": (150, 200)}).size == 2  # whether they go with the slow average is another question


def test_a_sample_is_drawn_with_its_seed_and_decodes_to_its_combinations():
    grid = Grid({"a": tuple(range(50)), "b": (1, 2, 3), "c": (True, False)})
    whole = list(grid.sets())
    drawn = grid.chosen(40, seed=7)
    assert drawn == grid.chosen(40, seed=7) != grid.chosen(40, seed=8)
    assert len(set(drawn)) == 40
    assert list(grid.sets(drawn)) == [whole[number] for number in drawn]


def test_too_many_sets_are_refused():
    with pytest.raises(InvalidInput, match=f"at most {MOST_SETS:,}"):
        Grid({"a": tuple(range(1000)), "b": tuple(range(1000))}).chosen()
    assert len(Grid({"a": tuple(range(1000)), "b": tuple(range(1000))}).chosen(500)) == 500
