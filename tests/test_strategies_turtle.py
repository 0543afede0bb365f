"""Breakout momentum: the Turtles' channels, N, skip rule, additions, stops and exits."""

import numpy as np
import pandas as pd
import pytest

from quant_site.core.types import Direction
from strategies.library.kernels import breakouts, channel
from strategies.library.trend_following import BreakoutMomentum, TurtleParams
from tests.support_strategies import bundled_panel, holding_of, panel_of, random_panel

STRATEGY = BreakoutMomentum()
PARAMS = TurtleParams()


def decided(panel, t, params=PARAMS, holdings=()):
    return STRATEGY.decide(panel, STRATEGY.prepare(panel, params), t, params, tuple(holdings))


def bars(closes, reach=1.0):
    """One symbol "A" whose bars reach `reach` above and below their closes: N settles at 2·reach while closes stand still."""
    closes = np.asarray(closes, float)
    return panel_of({"A": closes}, highs={"A": closes + reach}, lows={"A": closes - reach})


@pytest.mark.parametrize("window", [10, 20, 55])
def test_the_channel_is_the_extremes_of_the_bars_before_today(window):
    panel = bundled_panel()
    top, bottom = channel(panel.adj_high, panel.adj_low, window)
    for row in range(len(panel.symbols)):
        high, low = (pd.Series(values[row]).dropna() for values in (panel.adj_high, panel.adj_low))
        expected = high.rolling(window).max().shift(), low.rolling(window).min().shift()
        for ours, theirs in zip((top, bottom), expected, strict=True):
            np.testing.assert_array_equal(ours[row], theirs.reindex(range(len(panel.sessions))))


def test_todays_high_does_not_hide_todays_breakout():
    closes = [100.0] * 60 + [104.0]
    assert [draft.metadata["system"] for draft in decided(bars(closes), 60)] == [1]
    assert decided(bars(closes), 59) == []


def test_n_is_wilders_average_of_true_ranges():
    panel, params = random_panel(4), TurtleParams(n_window=20)
    high, low, close = panel.adj_high[0], panel.adj_low[0], panel.adj_close[0]
    ranges = np.maximum(high[1:], close[:-1]) - np.minimum(low[1:], close[:-1])
    n = ranges[:20].mean()
    for value in ranges[20:]:
        n = (19 * n + value) / 20
    assert STRATEGY.prepare(panel, params).n[0, -1] == pytest.approx(n, rel=1e-12)


def test_a_breakout_is_entered_with_a_stop_two_n_away():
    (draft,) = decided(bars([100.0] * 60 + [104.0]), 60)
    # 59 true ranges of 2, then one of 5 (105 − 100): N = (19·2 + 5) / 20.
    n = (19 * 2 + 5) / 20
    assert (draft.direction, draft.entry_price, draft.add) == (Direction.LONG, 104.0, False)
    assert draft.metadata["n"] == pytest.approx(n, abs=1e-6)
    assert draft.stop_loss == pytest.approx(104 - 2 * n, abs=1e-5)
    assert draft.score == pytest.approx((104 - 101) / n, abs=1e-4)


def test_a_breakout_downwards_is_sold_short_and_can_be_switched_off():
    panel = bars([100.0] * 60 + [96.0])
    (draft,) = decided(panel, 60)
    assert draft.direction is Direction.SHORT
    assert draft.stop_loss > draft.entry_price
    assert draft.score > 0
    assert decided(panel, 60, TurtleParams(short=False)) == []


# A breakout at 104 that the exit channel ends at 115, won; then a 20-day high that is no 55-day one.
WINNER = [*([100.0] * 61), *np.linspace(104, 130, 10), *([118.0] * 12), *([115.0] * 21), 119.0]
# A breakout at 104 that falls through its stop, then a 20-day high.
LOSER = [*([100.0] * 61), 104.0, *([93.0] * 3), *([99.0] * 25), 102.5]


def test_system_1_skips_the_breakout_after_one_that_would_have_won():
    panel = bars(WINNER)
    t = len(WINNER) - 1
    assert STRATEGY.prepare(panel, TurtleParams(skip_after_winner=False)).fast[0, t] == 1
    assert decided(panel, t) == []
    assert [draft.metadata["system"] for draft in decided(panel, t, TurtleParams(skip_after_winner=False))] == [1]


def test_system_1_takes_the_breakout_after_one_that_lost_two_n():
    panel = bars(LOSER)
    (draft,) = decided(panel, len(LOSER) - 1)
    assert (draft.direction, draft.metadata["system"]) == (Direction.LONG, 1)


def test_system_2_takes_a_55_day_breakout_that_system_1_skips():
    closes = [*WINNER[:-1], 135.0]
    panel, t = bars(closes), len(closes) - 1
    systems = [[draft.metadata["system"] for draft in decided(panel, t, TurtleParams(skip_after_winner=skip))] for skip in (True, False)]
    assert systems == [[2], [1]]


def test_what_runs_on_paper_is_the_same_for_every_account():
    """Who held what changes no later entry: the skip rule follows breakouts, not trades."""
    panel = bars(WINNER)
    held = holding_of("A", Direction.LONG, 104.0, panel.sessions[62].item())
    t = len(WINNER) - 1
    features = STRATEGY.prepare(panel, PARAMS)
    before = STRATEGY.decide(panel, features, t, PARAMS, ())
    STRATEGY.decide(panel, features, 70, PARAMS, (held,))
    assert STRATEGY.decide(panel, features, t, PARAMS, ()) == before


def last_move(moved):
    """Sixty bars with N = 2 throughout, the last of which closes `moved` N above (below) the others' 100."""
    step = 2 * moved
    closes = np.array([100.0] * 59 + [100.0 + step])
    highs = np.array([101.0] * 59 + [100 + max(step, 0) + (2 - abs(step)) / 2])
    return panel_of({"A": closes}, highs={"A": highs}, lows={"A": np.append(highs[:59] - 2, highs[59] - 2)})


@pytest.mark.parametrize("moved, units, added", [(0.49, 1, False), (0.51, 1, True), (0.51, 3, True), (0.51, 4, False)])
def test_a_unit_is_added_each_half_n_up_to_four(moved, units, added):
    panel = last_move(moved)
    held = holding_of("A", Direction.LONG, 100.0, panel.sessions[50].item(), units=units, metadata={"system": 1})
    drafts = decided(panel, 59, holdings=[held])
    assert [draft.add for draft in drafts] == ([True] if added else [])
    if added:
        assert drafts[0].stop_loss == pytest.approx(100 + 2 * moved - 2 * 2)
        assert (drafts[0].direction, drafts[0].group) == (Direction.LONG, "A")


def test_a_unit_is_added_to_a_short_as_the_price_falls():
    panel = last_move(-0.51)
    held = holding_of("A", Direction.SHORT, 100.0, panel.sessions[50].item(), metadata={"system": 2})
    (draft,) = decided(panel, 59, holdings=[held])
    assert (draft.direction, draft.add, draft.stop_loss) == (Direction.SHORT, True, pytest.approx(100 - 1.02 + 4))


def test_a_unit_that_was_refused_is_not_asked_for_while_the_price_stays_beyond_its_level():
    panel = last_move(0.1)
    held = holding_of("A", Direction.LONG, 98.0, panel.sessions[50].item(), metadata={"system": 1})
    assert decided(panel, 59, holdings=[held]) == []


@pytest.mark.parametrize("system, exit_at", [(1, 72), (2, 82)])
def test_a_long_is_closed_below_the_low_of_its_systems_exit_channel(system, exit_at):
    # Up to 120, then flat at 117 (inside both exit channels) until a low of 10 (20) bars has moved up to it.
    closes = [*([100.0] * 60), 120.0, *([117.0] * 40)]
    panel = bars(closes)
    slide = panel_of(
        {"A": np.append(closes[:exit_at], 115.9)},
        highs={"A": np.append(panel.high[0, :exit_at], 118.0)},
        lows={"A": np.append(panel.low[0, :exit_at], 115.0)},
    )
    held = holding_of("A", Direction.LONG, 118.0, panel.sessions[61].item(), units=4, metadata={"system": system})
    (draft,) = decided(slide, exit_at, holdings=[held])
    assert (draft.direction, draft.metadata["rule"], draft.metadata["system"]) == (Direction.CLOSE, "OPPOSITE_EXTREME", system)
    other = holding_of("A", Direction.LONG, 118.0, panel.sessions[61].item(), units=4, metadata={"system": 2})
    assert bool(decided(slide, exit_at, holdings=[other])) == (system == 2)


def test_the_system_of_a_trade_is_found_again_when_nobody_noted_it():
    panel = bars([*LOSER, *([102.5] * 3)])
    t = len(LOSER) - 1
    features = STRATEGY.prepare(panel, PARAMS)
    by_one = holding_of("A", Direction.LONG, 102.5, panel.sessions[t + 1].item())
    by_two = holding_of("A", Direction.LONG, 102.5, panel.sessions[t + 2].item())
    assert STRATEGY._system(panel, features, by_one) == 1
    assert STRATEGY._system(panel, features, by_two) == 2


def test_splits_do_not_break_out():
    closes = np.array([200.0] * 70 + [100.0] * 30)
    factor = {"A": [0.5] * 70 + [1.0] * 30}
    panel = panel_of({"A": closes}, highs={"A": closes * 1.01}, lows={"A": closes * 0.99}, factor=factor)
    assert not any(decided(panel, t) for t in range(100))


def followed(high, low, close, n, entry, exits, stop_units):
    """The paper trades of one symbol written out plainly, as an oracle: [(t, side, the one before won)]."""
    trades, trade, last = [], None, False
    for t in range(len(close)):
        if trade is not None:
            side, price, stop = trade
            if (low[t] <= stop) if side > 0 else (high[t] >= stop):
                trade, last = None, False
            elif (close[t] < exits[1][t]) if side > 0 else (close[t] > exits[0][t]):
                trade, last = None, (close[t] > price if side > 0 else close[t] < price)
        if trade is None and np.isfinite(n[t]):
            side = 1 if close[t] > entry[0][t] else -1 if close[t] < entry[1][t] else 0
            if side:
                trade = (side, close[t], close[t] - side * stop_units * n[t])
                trades.append((t, side, last))
    return trades


@pytest.mark.parametrize("seed", range(5))
def test_the_compiled_scan_follows_breakouts_as_the_plain_one_does(seed):
    panel = random_panel(seed, symbols=1, sessions=600)
    high, low, close = panel.adj_high, panel.adj_low, panel.adj_close
    n = STRATEGY.prepare(panel, PARAMS).n
    entry, exits = channel(high, low, 12), channel(high, low, 6)
    side, won = breakouts(high, low, close, n, *entry, *exits, 2.0)
    expected = followed(high[0], low[0], close[0], n[0], [x[0] for x in entry], [x[0] for x in exits], 2.0)
    assert [(t, side[0, t], bool(won[0, t])) for t in np.flatnonzero(side[0])] == expected
    assert {trade[2] for trade in expected} == {True, False}
