"""What comes after a session changes no decision at or before it."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quant_site.core.types import Direction
from quant_site.market.panel import Panel
from strategies.base import Draft, Leg, Needs, Strategy
from strategies.library.mean_reversion import BollingerMeanReversion, PairsTrading
from strategies.library.trend_following import BreakoutMomentum, GoldenCross
from strategies.registry import REGISTRY
from tests.support_strategies import ON_BUNDLED, bundled_panel, random_panel, simulated

# Parameters short enough that something happens within 300 sessions.
QUICK = {
    BollingerMeanReversion: {"window": 8, "width": 1.2, "adx_window": 5, "adx_limit": 60, "atr_window": 5, "max_holding": 4},
    PairsTrading: {"formation_months": 3, "trading_months": 1, "pairs": 4, "open_sigma": 1.0},
    BreakoutMomentum: {"fast_entry": 6, "slow_entry": 12, "fast_exit": 3, "slow_exit": 6, "n_window": 6},
    GoldenCross: {"fast": 5, "slow": 20},
}


@pytest.mark.parametrize("key", ON_BUNDLED)
def test_cutting_real_history_off_changes_nothing_before_the_cut(key):
    strategy, panel = REGISTRY[key], bundled_panel()
    params, end = strategy.Params(), len(panel.sessions) - 1
    whole = simulated(strategy, panel, params, 300, end)
    assert sum(map(len, whole)) > 10, "nothing happened, so nothing was shown"
    for cut in (700, 1891, 3100):
        truncated = panel.until(panel.sessions[cut].item())
        assert simulated(strategy, truncated, params, 300, cut) == whole[: cut - 300 + 1]


@pytest.mark.parametrize("strategy", [kind() for kind in QUICK], ids=lambda strategy: strategy.key)
@given(seed=st.integers(0, 2**32 - 1), cut=st.integers(120, 298), gaps=st.booleans(), late=st.booleans())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_cutting_any_history_off_changes_nothing_before_the_cut(strategy, seed, cut, gaps, late):
    panel, params = random_panel(seed, gaps=gaps, late=late), strategy.Params(**QUICK[type(strategy)])
    whole = simulated(strategy, panel, params, 60, 299)
    truncated = simulated(strategy, panel.until(panel.sessions[cut].item()), params, 60, cut)
    assert truncated == whole[: cut - 60 + 1]


@pytest.mark.parametrize("strategy", [kind() for kind in QUICK], ids=lambda strategy: strategy.key)
@pytest.mark.parametrize("seed", range(4))
def test_quick_parameters_do_trade(strategy, seed):
    decisions = simulated(strategy, random_panel(seed), strategy.Params(**QUICK[type(strategy)]), 60, 299)
    made = [draft.direction for drafts in decisions for draft in drafts]
    assert Direction.CLOSE in made
    assert len(made) > 4


@pytest.mark.parametrize("key", ON_BUNDLED)
def test_a_dividend_after_the_session_rescales_history_and_changes_no_decision(key):
    strategy, panel = REGISTRY[key], bundled_panel()
    params, end = strategy.Params(), 1500
    scale = np.array([[0.913], [1.0], [0.7], [0.5], [0.99]])
    later = Panel(panel.symbols, panel.sessions, panel.open, panel.high, panel.low, panel.close, panel.volume, panel.factor * scale)
    before, after = (simulated(strategy, given, params, 300, end) for given in (panel, later))
    for drafts, others in zip(before, after, strict=True):
        assert [(draft.group, draft.direction, draft.add) for draft in drafts] == [
            (draft.group, draft.direction, draft.add) for draft in others
        ]
        for draft, other in zip(drafts, others, strict=True):
            assert draft.stop_loss == pytest.approx(other.stop_loss, abs=2e-6)


class Peeker(Strategy):
    """Buys when tomorrow is higher."""

    key = "peeker"

    def needs(self, params):
        return Needs(sessions=1)

    def prepare(self, panel, params):
        return np.nan_to_num(np.diff(panel.adj_close, axis=1, append=np.nan)) > 0

    def decide(self, panel, features, t, params, holdings):
        rows = [] if holdings else np.flatnonzero(features[:, t])
        return [Draft(panel.symbols[row], Direction.LONG, (Leg(panel.symbols[row], Direction.LONG),), 1.0, "") for row in rows]


def test_the_truncation_test_catches_a_strategy_that_looks_ahead():
    strategy, panel = Peeker(), random_panel(1)
    whole = simulated(strategy, panel, strategy.Params(), 60, 299)
    caught = [
        simulated(strategy, panel.until(panel.sessions[cut].item()), strategy.Params(), 60, cut) != whole[: cut - 60 + 1]
        for cut in range(60, 90)
    ]
    assert any(caught)


@pytest.mark.parametrize("key", ON_BUNDLED)
def test_a_symbol_listed_later_is_not_traded_before_its_warm_up(key):
    strategy, panel = REGISTRY[key], bundled_panel()
    params = strategy.Params()
    listed = {symbol: int(np.flatnonzero(np.isfinite(panel.close[row]))[0]) for row, symbol in enumerate(panel.symbols)}
    for t, drafts in enumerate(simulated(strategy, panel, params, 0, len(panel.sessions) - 1)):
        for draft in drafts:
            for leg in draft.legs:
                bars = t - listed[leg.symbol] + 1
                assert bars >= (strategy.needs(params).sessions if key != "breakout_momentum" else params.fast_entry + 1)
