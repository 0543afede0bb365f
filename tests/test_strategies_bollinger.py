"""Bollinger mean reversion: entries against pandas, and each way out."""

import numpy as np
import pandas as pd
import pytest

from quant_site.core.types import Direction
from strategies.library.mean_reversion import BollingerMeanReversion, BollingerParams
from tests.support_strategies import bundled_panel, holding_of, panel_of, random_panel

STRATEGY = BollingerMeanReversion()
NO_FILTER = BollingerParams(adx_limit=100)


def decided(panel, t, params=NO_FILTER, holdings=()):
    return STRATEGY.decide(panel, STRATEGY.prepare(panel, params), t, params, tuple(holdings))


def ripple(sessions=80, level=100.0):
    """A quiet price that alternates around `level`."""
    return [level + (0.5 if i % 2 else -0.5) for i in range(sessions)]


@pytest.mark.parametrize("window, width", [(10, 1.5), (20, 2.0), (35, 2.5)])
def test_entries_are_the_first_closes_outside_the_bands_of_pandas(window, width):
    panel = bundled_panel()
    params = BollingerParams(window=window, width=width, adx_limit=100)
    side = STRATEGY.prepare(panel, params).side
    for row in range(len(panel.symbols)):
        close = pd.Series(panel.adj_close[row]).dropna()
        mean, sigma = close.rolling(window).mean(), close.rolling(window).std(ddof=0)
        outside = (close > mean + width * sigma).astype(float) - (close < mean - width * sigma).astype(float)
        outside[sigma.isna()] = np.nan
        fresh = (outside != outside.shift()) & outside.shift().notna() & (outside != 0)
        # ADX 14 is known from the 28th bar.
        fresh.iloc[:27] = False
        expected = outside.where(fresh, 0).fillna(0).reindex(range(side.shape[1]), fill_value=0)
        assert (side[row] == -expected.to_numpy()).all()
    assert np.abs(side).sum() > 100


def test_a_long_is_entered_below_the_lower_band_with_a_stop_in_average_true_ranges():
    closes = [*ripple(), 95.0]
    panel = panel_of({"A": closes})
    (draft,) = decided(panel, 80)
    # Wilder's average of true ranges of 1 for 79 bars, then one of 5.5.
    atr = (1.0 * 13 + 5.5) / 14
    assert (draft.group, draft.direction, draft.entry_price) == ("A", Direction.LONG, 95.0)
    assert draft.stop_loss == pytest.approx(95 - 2.5 * atr, abs=1e-5)
    assert draft.metadata["rule"] == "OUTSIDE_BAND"


def test_the_short_side_mirrors_the_long_side_and_can_be_switched_off():
    panel = panel_of({"A": [*ripple(), 105.0]})
    (draft,) = decided(panel, 80)
    assert draft.direction is Direction.SHORT
    assert draft.stop_loss > 105
    assert decided(panel, 80, BollingerParams(adx_limit=100, short=False)) == []


def test_prices_are_what_the_symbol_trades_at_not_adjusted_ones():
    closes = [2 * close for close in [*ripple(), 95.0]]
    panel = panel_of({"A": closes}, factor={"A": [0.5] * 81})
    (draft,) = decided(panel, 80)
    assert draft.entry_price == 190.0
    assert draft.stop_loss == pytest.approx(190 - 2 * 2.5 * (13 + 5.5) / 14, abs=1e-5)


def test_a_price_that_walks_the_band_is_entered_once():
    closes = [*ripple(), 95.0, 93.0, 90.0]
    panel = panel_of({"A": closes})
    params = BollingerParams(adx_limit=100, width=1.5)
    assert [len(decided(panel, t, params)) for t in (80, 81, 82)] == [1, 0, 0]


def test_no_entry_in_a_market_that_trends():
    rng = np.random.default_rng(3)
    closes = 100 * np.exp(np.cumsum(0.01 + rng.normal(0, 0.003, 120)))
    closes[-1] = closes[-21:-1].mean() * 0.7
    panel = panel_of({"A": closes})
    assert decided(panel, 119, BollingerParams(adx_limit=25)) == []
    assert len(decided(panel, 119, BollingerParams(adx_limit=100))) == 1


def test_a_held_symbol_is_not_entered_again():
    panel = panel_of({"A": [*ripple(), 95.0]})
    held = holding_of("A", Direction.LONG, 99.0, panel.sessions[79].item())
    assert decided(panel, 80, holdings=[held]) == []


@pytest.mark.parametrize("direction, fall, back", [(Direction.LONG, 95.0, 100.2), (Direction.SHORT, 105.0, 99.8)])
def test_a_trade_is_closed_when_the_close_is_back_at_the_middle_band(direction, fall, back):
    panel = panel_of({"A": [*ripple(), fall, fall, back]})
    held = holding_of("A", direction, fall, panel.sessions[81].item())
    assert decided(panel, 81, holdings=[held]) == []
    (draft,) = decided(panel, 82, holdings=[held])
    assert (draft.direction, draft.metadata["rule"]) == (Direction.CLOSE, "MIDDLE_BAND")
    assert [(leg.symbol, leg.direction) for leg in draft.legs] == [("A", Direction.CLOSE)]


def test_a_trade_is_closed_at_the_close_of_its_tenth_session():
    panel = panel_of({"A": [*ripple(), *np.linspace(95, 90, 14)]})
    held = holding_of("A", Direction.LONG, 95.0, panel.sessions[81].item())
    rules = [[draft.metadata["rule"] for draft in decided(panel, t, holdings=[held])] for t in (89, 90, 91)]
    assert rules == [[], ["TIME_STOP"], ["TIME_STOP"]]


def test_a_price_that_stands_still_is_never_entered():
    panel = panel_of({"A": [100.1] * 200, "B": [1e-3 * (1 + 1e-9 * (i % 2)) for i in range(200)]})
    assert not STRATEGY.prepare(panel, NO_FILTER).side.any()


def test_nothing_is_entered_on_a_session_without_a_bar():
    panel = random_panel(5, gaps=True)
    side = STRATEGY.prepare(panel, BollingerParams(window=8, width=1.2, adx_limit=100)).side
    assert side[np.isfinite(panel.close)].any()
    assert not side[np.isnan(panel.close)].any()
