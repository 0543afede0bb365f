"""Sector rotation: the month-end picks of an independent table, cash below the index's average, and who was not listed yet."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from strategies.library.macro_hedge import SECTORS, SectorRotation, SectorRotationParams, index_distance
from tests.portfolio_world import fixture_panel, month_ends, simulated_weights, stock_panel

STRATEGY = SectorRotation()
PARAMS = SectorRotationParams()
SPANS = (1, 3, 6, 9, 12)


def decided(panel, t, params=PARAMS):
    features = STRATEGY.prepare(panel, params)
    return STRATEGY.targets(panel, features, t, params, frozenset()), STRATEGY.lack(panel, features, t, params)


def table_of_picks(closes: pd.DataFrame, index: pd.Series, spans=SPANS, top=3, months=10) -> dict:
    """{month: picks} from adjusted closes by day, the way one would do it in a spreadsheet; [] for cash, None before it can say."""
    monthly, level = closes.resample("ME").last(), index.resample("ME").last()
    ranks = sum(monthly.pct_change(span, fill_method=None).where(monthly.shift(12).notna()).rank(axis=1) for span in spans)
    mean = level.rolling(months).mean()
    picks = {}
    for month in monthly.index:
        ordered = ranks.loc[month].dropna().sort_index().sort_values(ascending=False, kind="stable").index.tolist()
        if len(ordered) <= top or np.isnan(mean[month]):
            picks[month.strftime("%Y-%m")] = None
        else:
            picks[month.strftime("%Y-%m")] = ordered[:top] if level[month] >= mean[month] else []
    return picks


def world(seed=0, sessions=520, symbols=(*SECTORS, "SPY")):
    return stock_panel(seed, symbols, sessions)


def frames(panel):
    days = pd.DatetimeIndex(panel.sessions)
    closes = pd.DataFrame(panel.adj_close.T, index=days, columns=panel.symbols)
    return closes[[symbol for symbol in panel.symbols if symbol in SECTORS]], closes["SPY"]


def test_known_answers_hold():
    assert len(STRATEGY.known_answers()) >= 2
    assert all(answer.holds for answer in STRATEGY.known_answers())


def assert_picks_are_those_of_the_table(panel, params=PARAMS):
    picks = table_of_picks(*frames(panel), spans=params.spans, top=params.top, months=params.index_months)
    features, seen = STRATEGY.prepare(panel, params), []
    for t in month_ends(panel):
        targets = STRATEGY.targets(panel, features, t, params, frozenset())
        expected = picks[str(panel.sessions[t])[:7]]
        found = None if targets is None else [each.symbol for each in targets]
        assert found == expected, panel.sessions[t]
        assert all(each.weight == pytest.approx(1 / params.top) for each in targets or ())
        seen.append("none" if found is None else "sectors" if found else "cash")
    return seen


@pytest.mark.parametrize("seed", range(3))
def test_picks_are_those_of_a_table_by_pandas(seed):
    seen = assert_picks_are_those_of_the_table(world(seed))
    assert seen[:11] == ["none"] * 11
    assert {"sectors", "cash"} <= set(seen)


@pytest.mark.parametrize("ranking", ["1M", "3M", "6M", "9M", "12M"])
def test_one_span_ranks_by_itself(ranking):
    params = SectorRotationParams(ranking=ranking, top=2, index_months=5)
    panel = world(3)
    features = STRATEGY.prepare(panel, params)
    closes, index = frames(panel)
    months = int(ranking[:-1])
    for t in [t for t in month_ends(panel) if t > 300]:
        level = index.iloc[: t + 1].resample("ME").last()
        gained = closes.iloc[: t + 1].resample("ME").last().pct_change(months).iloc[-1].sort_values(ascending=False)
        invested = level.iloc[-1] >= level.tail(5).mean()
        targets = STRATEGY.targets(panel, features, t, params, frozenset())
        assert [each.symbol for each in targets] == (gained.index[:2].tolist() if invested else [])
        assert all(each.metadata[f"return_{months}m"] == pytest.approx(gained[each.symbol], abs=1e-4) for each in targets)


def test_on_real_funds_picks_are_those_of_the_table(market_fixtures):
    panel = fixture_panel(market_fixtures / "prices/etf", (*SECTORS, "SPY"), "2004-01-02", "2019-12-31")
    seen = assert_picks_are_those_of_the_table(panel)
    assert len(seen) == 16 * 12
    assert seen.count("cash") > 20
    assert seen.count("sectors") > 120


def test_a_fund_is_not_ranked_before_it_has_been_listed_for_twelve_months(market_fixtures):
    panel = fixture_panel(market_fixtures / "prices/etf", (*SECTORS, "SPY"), "2014-01-02", "2024-12-31")
    features = STRATEGY.prepare(panel, PARAMS)
    first = {}
    for t in month_ends(panel):
        for row, ranked in zip(features.rows, np.isfinite(features.returns[:, :, t]).all(axis=0), strict=True):
            if ranked:
                first.setdefault(panel.symbols[row], str(panel.sessions[t])[:7])
    assert first["XLRE"] == "2016-10"
    assert first["XLC"] == "2019-06"
    assert {first[symbol] for symbol in SECTORS if symbol not in ("XLRE", "XLC")} == {"2015-01"}


def test_below_its_average_everything_is_sold_and_bought_again_above_it():
    panel = world(1)
    _, weights = simulated_weights(STRATEGY, panel, PARAMS, 0, 519)
    distance = index_distance(panel, 10)
    for t in [t for t in month_ends(panel) if 252 < t < 515]:
        assert len(weights[t + 3]) == (3 if distance[t] >= 0 else 0)


def test_an_index_that_stands_at_its_average_is_not_below_it():
    panel = world(1)
    close = panel.close.copy()
    close[panel.row("SPY")] = 100 / 3 / panel.factor[panel.row("SPY")]
    assert len(decided(replace(panel, close=close), month_ends(panel)[-1])[0]) == 3


def test_the_index_is_measured_at_month_ends_and_not_in_between():
    panel = world(1)
    t = month_ends(panel)[-2]
    close = panel.close.copy()
    close[panel.row("SPY"), t - 5] *= 0.2
    assert index_distance(replace(panel, close=close), 10)[t] == index_distance(panel, 10)[t]


def test_without_the_filter_no_index_is_needed():
    panel = world(2, symbols=SECTORS)
    features = STRATEGY.prepare(panel, SectorRotationParams(index_filter=False))
    t = month_ends(panel)[-1]
    assert STRATEGY.lack(panel, features, t, SectorRotationParams(index_filter=False)) == ""
    assert len(STRATEGY.targets(panel, features, t, SectorRotationParams(index_filter=False), frozenset())) == 3


def test_the_index_is_looked_at_in_the_background():
    panel = world(2)
    selected = panel.select(SECTORS)
    t = month_ends(panel)[-1]
    assert "SPY" not in selected
    assert decided(selected, t) == decided(panel, t)


def test_the_index_itself_stands_in_where_there_is_no_fund_on_it():
    fund = world(2)
    index = replace(fund, symbols=(*SECTORS, "SPX"))
    t = month_ends(fund)[-1]
    assert decided(index, t) == decided(fund, t)


def test_a_fund_that_is_too_young_for_the_average_gives_way_to_the_index():
    panel = world(2, symbols=(*SECTORS, "SPX", "SPY"))
    young = panel.close.copy()
    young[panel.row("SPY"), :400] = np.nan
    t = month_ends(panel)[-1]
    only_index = world(2, symbols=(*SECTORS, "SPX", "SPY")).select((*SECTORS, "SPX"))
    only_index = replace(only_index, background=None)
    assert decided(replace(panel, close=young), t) == decided(only_index, t)


def test_without_an_index_it_abstains_says_how_to_get_one_and_sells_nothing():
    panel = world(2, symbols=SECTORS)
    targets, lack = decided(panel, month_ends(panel)[-1])
    assert targets is None
    assert "SPY or SPX" in lack
    assert "import_bars" in lack
    assert len(lack) < 256


def test_as_many_sectors_as_are_held_are_no_choice():
    panel = world(2, symbols=("XLB", "XLE", "XLF", "SPY"))
    targets, lack = decided(panel, month_ends(panel)[-1])
    assert targets is None
    assert "4 sector funds" in lack
    assert decided(world(2, symbols=("AAA", "SPY")), 400)[0] is None


def test_a_fund_that_vanished_is_sold_at_the_next_month_end():
    panel = world(4)
    params = SectorRotationParams(index_filter=False)
    features = STRATEGY.prepare(panel, params)
    start = next(t for t in month_ends(panel) if t > 300)
    held = STRATEGY.targets(panel, features, start, params, frozenset())[0].symbol
    arrays = {name: getattr(panel, name).copy() for name in ("open", "high", "low", "close")}
    for values in arrays.values():
        values[panel.row(held), start + 5 :] = np.nan
    decisions, _ = simulated_weights(STRATEGY, replace(panel, **arrays), params, 0, 519)
    following = next(t for t in month_ends(panel) if t > start)
    assert held in {draft.group for draft in decisions[following] if draft.metadata["rule"] == "NOT_IN_TARGET"}


def test_a_gap_at_a_month_end_is_bridged_by_the_close_before():
    panel = world(5)
    t = month_ends(panel)[-1]
    twelve = month_ends(panel)[-13]
    close = panel.close.copy()
    close[:, twelve] = np.nan
    features = STRATEGY.prepare(replace(panel, close=close), PARAMS)
    np.testing.assert_allclose(features.returns[4, :, t], panel.adj_close[:11, t] / panel.adj_close[:11, twelve - 1] - 1)
