"""Pairs trading: formation against direct computation, periods on the calendar, two legs that open and close together."""

from datetime import date
from itertools import combinations

import numpy as np
import pytest

from quant_site.core.types import Direction
from strategies.library.distance import nearest_pairs, trading_periods
from strategies.library.mean_reversion import PairsParams, PairsTrading
from tests.support_strategies import bundled_panel, holding_of, panel_of, random_panel

STRATEGY = PairsTrading()
QUICK = PairsParams(formation_months=3, trading_months=3, pairs=1, entry_window=3)


def decided(panel, t, params=QUICK, holdings=()):
    return STRATEGY.decide(panel, STRATEGY.prepare(panel, params), t, params, tuple(holdings))


def twins(sessions=125, **spreads):
    """A and B that swing around each other from 2010-01-04; `spreads` sets A − B (normalised) from a column on: t65=0.1."""
    wave = 0.01 * np.sin(np.arange(sessions) * 1.3)
    wave[0] = 0.0
    for name in sorted(spreads, key=lambda key: int(key[1:])):
        wave[int(name[1:]) :] = spreads[name]
    return panel_of(
        {"A": 100 * (1 + wave), "B": np.full(sessions, 50.0) * (1 + 0.02 * np.sin(np.arange(sessions)) * (np.arange(sessions) < 61))}
    )


@pytest.mark.parametrize("seed", range(3))
def test_pairs_are_those_of_least_squared_distance_of_normalised_prices(seed):
    panel = random_panel(seed, symbols=9, sessions=250)
    prices = panel.adj_close
    direct = []
    for a, b in combinations(range(9), 2):
        spread = [prices[a, t] / prices[a, 0] - prices[b, t] / prices[b, 0] for t in range(250)]
        mean = sum(spread) / 250
        direct.append((sum(s * s for s in spread), a, b, (sum((s - mean) ** 2 for s in spread) / 249) ** 0.5))
    direct.sort()
    ours = nearest_pairs(prices, panel.symbols, 6)
    assert [(pair.a, pair.b) for pair in ours] == [(a, b) for _, a, b, _ in direct[:6]]
    for pair, (distance, _, _, sigma) in zip(ours, direct, strict=False):
        assert (pair.distance, pair.sigma) == (pytest.approx(distance), pytest.approx(sigma))


def test_the_order_of_rows_does_not_change_the_pairs():
    panel = random_panel(2, symbols=6, sessions=200)
    mixed = panel.select(["S4", "S1", "S5", "S0", "S3", "S2"])
    named = [
        [(given.symbols[pair.a], given.symbols[pair.b]) for pair in nearest_pairs(given.adj_close, given.symbols, 5)]
        for given in (panel, mixed)
    ]
    assert named[0] == named[1]


def test_symbols_that_miss_a_formation_session_or_never_move_form_no_pair():
    panel = random_panel(2, symbols=5, sessions=100)
    prices = panel.adj_close.copy()
    prices[1, 40] = np.nan
    prices[3] = 20.0
    assert {row for pair in nearest_pairs(prices, panel.symbols, 10) for row in (pair.a, pair.b)} == {0, 2, 4}


def test_symbols_whose_prices_never_part_form_no_pair():
    walk = random_panel(1, symbols=1, sessions=100).close[0]
    assert nearest_pairs(np.array([walk, 2 * walk]), ("A", "B"), 5) == ()


def test_periods_begin_in_january_and_july_after_twelve_whole_months():
    panel = bundled_panel()
    periods = trading_periods(panel, formation=12, trading=6, count=5, width=2.0)
    starts = [panel.sessions[period.start].item() for period in periods.values()]
    # Bars begin in March 2000: the year 2000 is no whole formation, July 2000 to June 2001 is the first.
    assert starts[0] == date(2001, 7, 2)
    assert [(day.year, day.month) for day in starts[1:4]] == [(2002, 1), (2002, 7), (2003, 1)]
    assert all(day.month in (1, 7) for day in starts)


def test_a_panel_that_begins_on_the_first_session_of_a_month_covers_it():
    panel = random_panel(0, sessions=130)
    assert panel.sessions[0].item() == date(2010, 1, 4)
    assert min(trading_periods(panel, formation=3, trading=3, count=1, width=2.0)) == (2010 - 1970) * 4 + 1
    late = random_panel(0, sessions=130)
    later = late.until(late.sessions[-1].item())
    shifted = panel_of({s: row[1:] for s, row in zip(later.symbols, later.close, strict=True)}, start="2010-01-05")
    assert min(trading_periods(shifted, formation=3, trading=3, count=1, width=2.0), default=None) == (2010 - 1970) * 4 + 2


def test_where_the_panel_begins_does_not_change_a_period_it_covers():
    panel = bundled_panel()
    cut = panel.index(date(2004, 5, 3))
    names = ("open", "high", "low", "close", "volume", "factor")
    shorter = type(panel)(panel.symbols, panel.sessions[cut:].copy(), **{name: getattr(panel, name)[:, cut:].copy() for name in names})
    whole, part = (STRATEGY.prepare(given, PairsParams()) for given in (panel, shorter))
    assert len(part) > 10
    for number, period in part.items():
        assert period.pairs == whole[number].pairs
        np.testing.assert_array_equal(period.z, whole[number].z)


def test_a_pair_is_opened_beyond_two_sigma_by_selling_the_dear_and_buying_the_cheap():
    panel = twins(t70=0.2)
    assert decided(panel, 69) == []
    (draft,) = decided(panel, 70)
    assert (draft.group, draft.direction) == ("A/B", Direction.SHORT)
    assert [(leg.symbol, leg.direction, leg.ratio) for leg in draft.legs] == [("A", Direction.SHORT, 0.5), ("B", Direction.LONG, 0.5)]
    assert (draft.stop_loss, draft.entry_price) == (None, None)
    assert draft.score > 2
    (mirror,) = decided(twins(t70=-0.2), 70)
    assert mirror.direction is Direction.LONG
    assert [(leg.symbol, leg.direction) for leg in mirror.legs] == [("A", Direction.LONG), ("B", Direction.SHORT)]


def test_a_divergence_is_tried_for_the_window_only_and_again_after_a_crossing():
    panel = twins(t70=0.2, t80=-0.001, t85=0.2)
    assert [t for t in range(61, 100) if decided(panel, t)] == [70, 71, 72, 85, 86, 87]


def test_a_pair_that_is_held_is_not_opened_again():
    panel = twins(t70=0.2)
    held = holding_of("A/B", Direction.SHORT, 120.0, panel.sessions[71].item())
    assert decided(panel, 71, holdings=[held]) == []


@pytest.mark.parametrize("direction, apart, crossed", [(Direction.SHORT, 0.2, -0.001), (Direction.LONG, -0.2, 0.001)])
def test_a_pair_is_closed_whole_when_its_prices_cross(direction, apart, crossed):
    panel = twins(t70=apart, t80=crossed)
    held = holding_of("A/B", direction, 120.0, panel.sessions[71].item())
    assert decided(panel, 79, holdings=[held]) == []
    (draft,) = decided(panel, 80, holdings=[held])
    assert (draft.group, draft.direction, draft.metadata["rule"]) == ("A/B", Direction.CLOSE, "CROSSED")
    assert [leg.symbol for leg in draft.legs] == ["A", "B"]


def test_a_pair_is_closed_at_the_last_close_of_its_period_and_none_is_opened_there():
    panel = twins(t70=0.2, t120=0.2)
    last = panel.index(date(2010, 6, 30))
    held = holding_of("A/B", Direction.SHORT, 120.0, panel.sessions[71].item())
    assert decided(panel, last - 1, holdings=[held]) == []
    for t in (last, last + 1):
        (draft,) = decided(panel, t, holdings=[held])
        assert draft.metadata["rule"] == "PERIOD_END"
    fresh = twins(**{f"t{last}": 0.2})
    assert decided(fresh, last) == []
    assert len(decided(twins(**{f"t{last - 1}": 0.2}), last - 1)) == 1


def test_the_end_of_a_period_is_known_on_its_day_without_later_bars():
    panel = twins(t70=0.2)
    last = panel.index(date(2010, 6, 30))
    held = holding_of("A/B", Direction.SHORT, 120.0, panel.sessions[71].item())
    (draft,) = decided(panel.until(date(2010, 6, 30)), last, holdings=[held])
    assert draft.metadata["rule"] == "PERIOD_END"


def test_a_leg_that_is_left_alone_is_closed():
    panel = twins(t70=0.2)
    held = holding_of("A/B", Direction.SHORT, 120.0, panel.sessions[71].item(), quantities={"B": 10.0})
    (draft,) = decided(panel, 75, holdings=[held])
    assert (draft.metadata["rule"], [leg.symbol for leg in draft.legs]) == ("BROKEN_PAIR", ["B"])


def test_nothing_is_decided_on_a_session_where_a_leg_has_no_bar():
    panel = twins(t70=0.2)
    close = panel.close.copy()
    close[1, 70] = np.nan
    torn = panel_of({"A": close[0], "B": close[1]})
    held = holding_of("A/B", Direction.LONG, 120.0, panel.sessions[65].item())
    assert decided(torn, 70) == []
    assert decided(torn, 70, holdings=[held]) == []
    assert len(decided(torn, 71)) == 1
