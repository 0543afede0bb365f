"""Fama–French: what it ranks by, which of the stocks it holds, and what it does without its data."""

from dataclasses import replace

import numpy as np
import pytest

from quant_site.market.reference import Reference
from strategies.library.multi_factor import FamaFrenchParams, FamaFrenchThreeFactor
from tests.portfolio_world import fixture_panel, fixture_series, month_ends, reference_of, simulated_weights, stock_panel

STRATEGY = FamaFrenchThreeFactor()
QUICK = {"min_names": 5, "window": 60, "factor_lag": 21}
BOOK = FamaFrenchParams(method="CHARACTERISTICS", **QUICK)
ALPHA = FamaFrenchParams(method="ALPHA", **QUICK)
AUTO = FamaFrenchParams(**QUICK)


def decided(panel, t, params):
    features = STRATEGY.prepare(panel, params)
    return STRATEGY.targets(panel, features, t, params, frozenset()), STRATEGY.lack(panel, features, t, params)


def without(panel, *names):
    """The panel without these parts of its reference."""
    return replace(panel, reference=replace(panel.reference, **{name: {} for name in names}))


@pytest.fixture(scope="module")
def panel():
    return stock_panel(1, 20, 420)


@pytest.fixture(scope="module")
def end(panel):
    return month_ends(panel)[-1]


def test_known_answers_hold():
    assert len(STRATEGY.known_answers()) >= 2
    assert all(answer.holds for answer in STRATEGY.known_answers())


def test_the_best_fifth_by_book_to_market_and_small_size_is_held_equally(panel, end):
    features = STRATEGY.prepare(panel, BOOK)
    book, size = features.book_to_market[:, end], features.size[:, end]
    count = len(panel.symbols)
    points = {symbol: sum(book[row] > book) + sum(size[row] < size) for row, symbol in enumerate(panel.symbols)}  # no two are equal
    best = sorted(panel.symbols, key=lambda symbol: (-points[symbol], symbol))[: count // 5]
    targets, lack = decided(panel, end, BOOK)
    assert lack == ""
    assert [each.symbol for each in targets] == best
    assert [each.weight for each in targets] == [0.25] * 4
    assert all(each.metadata["method"] == "CHARACTERISTICS" for each in targets)


def test_without_reports_stocks_are_ranked_by_the_t_statistic_of_their_alpha(panel, end):
    bare = without(panel, "fundamentals")
    alpha_t = STRATEGY.prepare(bare, AUTO).alpha_t[:, end]
    best = sorted(range(20), key=lambda row: -alpha_t[row])[:4]
    targets, _ = decided(bare, end, AUTO)
    assert [each.symbol for each in targets] == [panel.symbols[row] for row in best]
    assert [each.score for each in targets] == pytest.approx(np.sort(alpha_t)[::-1][:4], abs=1e-4)
    assert {each.metadata["method"] for each in targets} == {"ALPHA"}


def test_automatically_it_takes_characteristics_where_enough_are_known_and_else_alpha(panel, end):
    assert decided(panel, end, AUTO)[0] == decided(panel, end, BOOK)[0]
    few = FamaFrenchParams(**(QUICK | {"min_names": 20}))
    lost = {name: np.where(np.arange(20)[:, None] == 3, np.nan, values) for name, values in panel.reference.fundamentals.items()}
    fewer = replace(panel, reference=replace(panel.reference, fundamentals=lost))
    assert {each.metadata["method"] for each in decided(fewer, end, few)[0]} == {"ALPHA"}


def test_loadings_are_shown_as_attribution_by_either_method(panel, end):
    for params in (BOOK, ALPHA):
        shown = decided(panel, end, params)[0][0].metadata
        assert {"alpha_year", "alpha_t", "beta_mkt_rf", "beta_smb", "beta_hml"} <= shown.keys()
    assert "beta_smb" not in decided(without(panel, "series"), end, BOOK)[0][0].metadata


def test_only_stocks_are_ranked(panel, end):
    kinds = ("ETF",) * 5 + ("STOCK",) * 5 + ("",) * 5 + ("INDEX",) * 5
    mixed = replace(panel, reference=replace(panel.reference, kinds=kinds))
    for params in (BOOK, ALPHA):
        features = STRATEGY.prepare(mixed, params)
        assert {each.symbol for each in STRATEGY.targets(mixed, features, end, params, frozenset())} <= set(panel.symbols[5:15])


def test_a_stock_without_a_bar_is_not_ranked(panel, end):
    best = decided(panel, end, ALPHA)[0][0].symbol
    close = panel.close.copy()
    close[panel.row(best), end] = np.nan
    assert best not in [each.symbol for each in decided(replace(panel, close=close), end, ALPHA)[0]]


@pytest.mark.parametrize(
    "params, missing, commands",
    [
        (BOOK, ["fundamentals"], ["import_fundamentals"]),
        (ALPHA, ["series"], ["import_factors"]),
        (AUTO, ["fundamentals", "series"], ["import_fundamentals", "import_factors"]),
    ],
)
def test_without_its_data_it_abstains_says_how_to_get_it_and_leaves_holdings(panel, end, params, missing, commands):
    bare = without(panel, *missing)
    targets, lack = decided(bare, end, params)
    assert targets is None
    assert all(command in lack for command in commands)
    assert len(lack) < 256


def test_factors_that_ended_long_ago_are_missing(panel, end):
    old = {name: np.where(np.arange(420) < 300, values, np.nan) for name, values in panel.reference.series.items()}
    stale = replace(panel, reference=replace(panel.reference, series=old))
    targets, lack = decided(stale, end, ALPHA)
    assert targets is None
    assert "import_factors" in lack
    # As long as the lag covers what is not published yet nothing is missing.
    assert decided(stale, 299 + 21, ALPHA)[0] is not None


def test_unknown_everywhere_means_abstaining(panel, end):
    nothing = {name: np.full_like(values, np.nan) for name, values in panel.reference.fundamentals.items()}
    series = {name: np.full_like(values, np.nan) for name, values in panel.reference.series.items()}
    bare = replace(panel, reference=Reference(series=series, fundamentals=nothing))
    targets, lack = decided(bare, end, AUTO)
    assert targets is None
    assert lack


def test_fewer_bars_than_the_window_are_no_ranking():
    short = stock_panel(2, 8, 75)
    features = STRATEGY.prepare(short, ALPHA)
    assert all(STRATEGY.targets(short, features, t, ALPHA, frozenset()) is None for t in range(75))


def test_it_trades_at_month_ends_and_holds_what_it_wants(panel):
    decisions, weights = simulated_weights(STRATEGY, panel, ALPHA, 0, 419)
    ends = [t for t in month_ends(panel) if t >= 81]
    changed = {t for t, drafts in enumerate(decisions) if drafts}
    assert changed <= {t + later for t in ends for later in range(3)}
    for t in [end for end in ends if end + 3 < 420]:
        wanted = {each.symbol for each in decided(panel, t, ALPHA)[0]}
        assert set(weights[t + 3]) == wanted


def test_on_real_stocks_alphas_and_betas_are_those_of_statsmodels(market_fixtures):
    sm = pytest.importorskip("statsmodels.api")
    symbols = ("AAPL", "JPM", "KO", "META", "WMT", "XOM")
    panel = fixture_panel(market_fixtures / "prices/stocks", symbols, "2010-01-04", "2015-12-31")
    series = fixture_series(market_fixtures / "factors/ff3_daily.csv.gz", panel.sessions)
    panel = replace(panel, reference=reference_of(panel, series=series, fundamentals={}, sectors=()))
    params = FamaFrenchParams(min_names=5)
    targets, lack = decided(panel, month_ends(panel)[-1], params)
    assert lack == ""
    assert [each.metadata["method"] for each in targets] == ["ALPHA", "ALPHA"]
    t = month_ends(panel)[-1]
    window = slice(t - 63 - 251, t - 63 + 1)
    found = {}
    for row, symbol in enumerate(symbols):
        close = panel.close[row]
        excess = (close[1:] / close[:-1] - 1)[window.start - 1 : window.stop - 1] - series["RF"][window]
        design = np.column_stack([series[name][window] for name in ("MKT_RF", "SMB", "HML")])
        found[symbol] = sm.OLS(excess, sm.add_constant(design)).fit()
    best = sorted(symbols, key=lambda symbol: -found[symbol].tvalues[0])[:2]
    assert [each.symbol for each in targets] == best
    for each in targets:
        fitted, shown = found[each.symbol], each.metadata
        assert each.score == pytest.approx(fitted.tvalues[0], abs=1e-4)
        assert [shown["alpha_year"] / 252, shown["beta_mkt_rf"], shown["beta_smb"], shown["beta_hml"]] == pytest.approx(
            fitted.params, abs=1e-4
        )
