"""Golden cross: the dates of pandas; an event is neither lost nor repeated, a state is left when it ends."""

import numpy as np
import pandas as pd
import pytest

from quant_site.core.types import Direction
from strategies.library.trend_following import GoldenCross, GoldenCrossParams
from tests.support_strategies import bundled_panel, holding_of, panel_of, random_panel

STRATEGY = GoldenCross()
SHORT = GoldenCrossParams(fast=5, slow=20, entry_window=3)


def decided(panel, t, params=SHORT, holdings=()):
    return STRATEGY.decide(panel, STRATEGY.prepare(panel, params), t, params, tuple(holdings))


@pytest.fixture
def turn():
    """A long fall, then a rise: one golden cross. Answers the panel and the column of the cross."""
    closes = [*np.linspace(100, 80, 60), *np.linspace(80.5, 110, 40)]
    fast, slow = (pd.Series(closes).rolling(n).mean() for n in (5, 20))
    return panel_of({"A": closes}), int(np.flatnonzero((fast > slow).to_numpy() & (fast <= slow).shift(fill_value=False).to_numpy())[0])


@pytest.mark.parametrize("fast, slow", [(50, 200), (20, 100), (10, 30)])
def test_crosses_fall_on_the_dates_of_pandas(fast, slow):
    panel = bundled_panel()
    features = STRATEGY.prepare(panel, GoldenCrossParams(fast=fast, slow=slow))
    for row in range(len(panel.symbols)):
        close = pd.Series(panel.adj_close[row]).dropna()
        gap = close.rolling(fast).mean() / close.rolling(slow).mean() - 1
        # Equal to the last digit, as on one real day here, is a touch: the side is the one before.
        above = np.sign(gap.where(gap.abs() > 1e-12)).ffill().dropna()
        crossed = above.index[(above != above.shift()) & above.shift().notna()]
        bought = above.index[(above > 0) & (above.shift() < 0)]
        ours = np.flatnonzero(features.age[row] == 0)
        assert list(ours) == list(crossed)
        assert list(ours[features.state[row, ours] > 0]) == list(bought)
        # FB was listed nine months before the end.
        assert len(ours) > 5 or panel.symbols[row] == "FB"


def test_a_cross_is_bought_on_its_day_and_tried_again_for_the_window_only(turn):
    panel, cross = turn
    drafts = {t: decided(panel, t) for t in range(25, 100)}
    assert [t for t, found in drafts.items() if found] == [cross, cross + 1, cross + 2]
    assert drafts[cross][0].direction is Direction.LONG
    assert drafts[cross][0].entry_price == pytest.approx(panel.close[0, cross])
    assert [drafts[cross + i][0].metadata["age"] for i in range(3)] == [0, 1, 2]


def test_with_a_window_of_one_only_the_event_itself_is_bought(turn):
    panel, cross = turn
    params = GoldenCrossParams(fast=5, slow=20, entry_window=1)
    assert [t for t in range(25, 100) if decided(panel, t, params)] == [cross]


def test_what_is_held_is_not_bought_again_after_a_restart(turn):
    panel, cross = turn
    held = holding_of("A", Direction.LONG, 90.0, panel.sessions[cross + 1].item())
    assert decided(panel, cross + 1, holdings=[held]) == []


def test_a_state_that_was_on_from_the_beginning_is_no_event():
    panel = panel_of({"A": np.linspace(50, 100, 120)})
    assert STRATEGY.prepare(panel, SHORT).state[0, 60] == 1
    assert not any(decided(panel, t) for t in range(120))


def test_a_trade_is_closed_while_the_fast_average_is_below_however_long_ago_it_crossed():
    closes = [*np.linspace(100, 80, 60), *np.linspace(80.5, 110, 40), *np.linspace(109, 60, 40)]
    panel = panel_of({"A": closes})
    state = STRATEGY.prepare(panel, SHORT).state[0]
    death = int(np.flatnonzero((state[1:] < 0) & (state[:-1] > 0))[0]) + 1
    held = holding_of("A", Direction.LONG, 90.0, panel.sessions[80].item())
    assert decided(panel, death - 1, holdings=[held]) == []
    for t in (death, death + 1, death + 15):
        (draft,) = decided(panel, t, holdings=[held])
        assert (draft.direction, draft.metadata["rule"]) == (Direction.CLOSE, "DEATH_CROSS")


def test_averages_that_only_touch_have_not_crossed():
    # After twenty closes at one level both averages are equal; then the price falls on.
    closes = [*np.linspace(120, 110, 40), *([110.0] * 40), *np.linspace(109.5, 90, 40)]
    features = STRATEGY.prepare(panel_of({"A": closes}), SHORT)
    assert (features.state[0, 25:] == -1).all()
    assert (features.age == -1).all()


def test_a_price_that_stands_still_never_crosses():
    features = STRATEGY.prepare(panel_of({"A": [33.3] * 400, "B": [1e-4 / 3] * 400}), SHORT)
    assert (features.age == -1).all()


def test_gaps_are_passed_over():
    whole, params = random_panel(9), GoldenCrossParams(fast=5, slow=20)
    closes = dict(zip(whole.symbols, whole.adj_close, strict=True))
    torn = {symbol: [*row[:150], *([np.nan] * 7), *row[150:]] for symbol, row in closes.items()}
    state, with_gap = (STRATEGY.prepare(panel_of(given), params).state for given in (closes, torn))
    assert (np.delete(with_gap, range(150, 157), axis=1) == state).all()
