"""Low volatility: the calmest fifth by pandas, weights by 1/σ, a buffer, and neither halted nor pinned stocks."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_site.market.panel import Panel
from quant_site.market.sessions import session_array
from strategies.library.defensive import LowVolatility, LowVolatilityParams
from strategies.library.ranking import buffered, top_count
from tests.portfolio_world import fixture_panel, month_ends, simulated_weights, stock_panel

STRATEGY = LowVolatility()
PARAMS = LowVolatilityParams()
QUICK = LowVolatilityParams(window=63)


def decided(panel, t, params=PARAMS, held=()):
    features = STRATEGY.prepare(panel, params)
    return STRATEGY.targets(panel, features, t, params, frozenset(held)), STRATEGY.lack(panel, features, t, params)


def by_pandas(panel, t, window=252, share=0.2):
    """{symbol: weight} of the calmest share at column t, computed from the table of closes."""
    close = pd.DataFrame(panel.adj_close.T[: t + 1], columns=panel.symbols)
    sigma = close.pct_change(fill_method=None).tail(window).std().sort_values(kind="stable")
    calm = 1 / sigma.head(int(np.ceil(share * len(sigma))))
    return (calm / calm.sum()).to_dict()


@pytest.fixture(scope="module")
def panel():
    return stock_panel(4, 20, 420)


def test_known_answers_hold():
    assert len(STRATEGY.known_answers()) >= 2
    assert all(answer.holds for answer in STRATEGY.known_answers())


def test_picks_and_weights_are_those_of_pandas(panel):
    for t in (260, 313, 419):
        targets, lack = decided(panel, t)
        assert lack == ""
        assert {each.symbol: each.weight for each in targets} == pytest.approx(by_pandas(panel, t), rel=1e-9)


def test_on_real_stocks_every_first_portfolio_of_a_quarter_is_that_of_pandas(market_fixtures):
    symbols = sorted(path.name.removesuffix(".csv.gz") for path in (market_fixtures / "prices/stocks").iterdir())
    panel = fixture_panel(market_fixtures / "prices/stocks", symbols, "2014-12-31", "2019-12-31")
    whole = panel.select([symbol for symbol in symbols if np.isfinite(panel.close[panel.row(symbol)]).all()])
    assert len(whole.symbols) > 50
    features = STRATEGY.prepare(whole, PARAMS)
    quarters = [t for t in month_ends(whole, 3) if t >= 252]
    assert len(quarters) == 17
    for t in quarters:
        targets = STRATEGY.targets(whole, features, t, PARAMS, frozenset())
        assert {each.symbol: each.weight for each in targets} == pytest.approx(by_pandas(whole, t), rel=1e-9)


def test_it_decides_at_the_ends_of_quarters_only(panel):
    decisions, _ = simulated_weights(STRATEGY, panel, QUICK, 0, 419)
    quarters = month_ends(panel, 3)
    allowed = {t + later for t in quarters for later in range(3)}
    traded = {t for t, drafts in enumerate(decisions) if drafts}
    assert traded
    assert traded <= allowed


def test_the_calmest_weighs_most_and_all_weights_sum_to_one(panel):
    targets, _ = decided(panel, 419)
    weights = [each.weight for each in targets]
    assert weights == sorted(weights, reverse=True)
    assert sum(weights) == pytest.approx(1)


# --- the buffer


def test_a_holding_within_the_buffer_stays_before_a_newcomer_comes_in(panel):
    order = [each.symbol for each in decided(panel, 419, LowVolatilityParams(share=0.5))[0]]
    # Ten of twenty are held; the best eight are sure, and who is held among the best twelve comes before the rest.
    everybody = [each.symbol for each in decided(panel, 419, LowVolatilityParams(share=0.5, buffer=0), held=panel.symbols)[0]]
    assert order == everybody
    eleventh, thirteenth = _ranked(panel, 419)[10], _ranked(panel, 419)[12]
    kept = [each.symbol for each in decided(panel, 419, LowVolatilityParams(share=0.5), held=[eleventh, thirteenth])[0]]
    assert kept == [*order[:9], eleventh]


def _ranked(panel, t):
    close = pd.DataFrame(panel.adj_close.T[: t + 1], columns=panel.symbols)
    return close.pct_change(fill_method=None).tail(252).std().sort_values().index.tolist()


names = st.integers(1, 40)


@given(count=names, share=st.floats(0.05, 0.5), buffer=st.floats(0, 0.5), data=st.data())
@settings(deadline=None)
def test_what_the_buffer_chose_it_chooses_again_even_where_only_a_part_could_be_bought(count, share, buffer, data):
    symbols = [f"S{i:02}" for i in range(count)]
    scores = np.array(data.draw(st.lists(st.floats(-1, 1), min_size=count, max_size=count)))
    held = frozenset(data.draw(st.sets(st.sampled_from(symbols))))
    size = top_count(count, share)
    chosen = buffered(scores, symbols, held, count=size, buffer=buffer)
    assert len(chosen) == len(set(chosen)) == size
    names = {symbols[row] for row in chosen}
    bought = data.draw(st.sets(st.sampled_from(sorted(names))))
    assert buffered(scores, symbols, frozenset((held & names) | bought), count=size, buffer=buffer) == chosen


# --- who does not move is not calm


def still(panel, symbol, since, *, volume=1e6):
    """The panel in which the price of `symbol` stands still, but for a cent now and then, from column `since` on."""
    row = panel.row(symbol)
    arrays = {name: getattr(panel, name).copy() for name in ("open", "high", "low", "close", "volume")}
    jitter = 0.001 * np.sin(np.arange(panel.close.shape[1] - since))
    for name in ("open", "high", "low", "close"):
        arrays[name][row, since:] = panel.close[row, since] + jitter
    arrays["volume"][row, since:] = volume
    return replace(panel, **arrays)


def test_a_stock_pinned_by_a_takeover_is_left_out_however_much_it_trades(panel):
    loud = _ranked(panel, 419)[-1]
    pinned = still(panel, loud, 200, volume=1e8)
    assert by_pandas(pinned, 419).keys() >= {loud}
    assert loud not in {each.symbol for each in decided(pinned, 419)[0]}
    off = LowVolatilityParams(pinned=0)
    assert loud in {each.symbol for each in decided(pinned, 419, off)[0]}


def test_a_holding_that_is_pinned_now_is_sold(panel):
    calm = _ranked(panel, 419)[0]
    assert calm in {each.symbol for each in decided(panel, 419, held=[calm])[0]}
    assert calm not in {each.symbol for each in decided(still(panel, calm, 350), 419, held=[calm])[0]}


@pytest.mark.parametrize("volume", [0.0, np.nan, 100.0])
def test_a_stock_that_hardly_trades_is_left_out(panel, volume):
    calm = _ranked(panel, 419)[0]
    traded = panel.volume.copy()
    traded[panel.row(calm), 380:] = volume
    traded[panel.row(calm), :380] = 2e4 if volume == 100.0 else 1e6
    assert calm in {each.symbol for each in decided(panel, 419)[0]}
    assert calm not in {each.symbol for each in decided(replace(panel, volume=traded), 419)[0]}


def test_a_price_that_never_moves_has_no_weight():
    sessions = session_array("2010-01-04", "2024-12-31")[:300].copy()
    rng = np.random.default_rng(0)
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.01, (8, 300)), axis=1))
    close[0] = 33.3
    panel = Panel(tuple("ABCDEFGH"), sessions, *(close.copy() for _ in range(4)), np.full_like(close, 1e6), np.ones_like(close))
    targets, _ = decided(panel, 299, LowVolatilityParams(pinned=0, share=0.5))
    assert "A" not in {each.symbol for each in targets}
    assert all(np.isfinite(each.weight) for each in targets)


def test_on_real_prices_the_target_of_a_takeover_is_pinned_and_calm_stocks_are_not(market_fixtures):
    table = pd.read_csv(market_fixtures / "cross_section/sp500_2013_2018_ohlcv.csv.gz", parse_dates=["date"])
    sessions = session_array("2013-02-08", "2018-02-07").copy()
    wide = {
        name: table.pivot(index="date", columns="symbol", values=name).reindex(pd.DatetimeIndex(sessions))
        for name in ("open", "high", "low", "close", "volume")
    }
    symbols = tuple(wide["close"].columns)
    arrays = [wide[name].to_numpy(float).T.copy() for name in ("open", "high", "low", "close", "volume")]
    panel = Panel(symbols, sessions, *arrays, np.ones((len(symbols), len(sessions))))
    # United Technologies bid for Rockwell Collins in September 2017.
    t = panel.index(pd.Timestamp("2018-01-12").date())
    chosen, unfiltered = (
        {each.symbol for each in decided(panel, t, LowVolatilityParams(window=63, pinned=pinned))[0]} for pinned in (0.3, 0)
    )
    assert unfiltered - chosen == {"COL"}
    assert {"KO", "PEP", "XOM"} <= chosen


# --- without data


def test_only_stocks_are_ranked(panel):
    kinds = ("ETF",) * 10 + ("STOCK",) * 10
    mixed = replace(panel, reference=replace(panel.reference, kinds=kinds))
    assert {each.symbol for each in decided(mixed, 419)[0]} <= set(panel.symbols[10:])


def test_bars_without_volume_are_missing_data_and_holdings_stay(panel):
    targets, lack = decided(replace(panel, volume=np.full_like(panel.volume, np.nan)), 419)
    assert targets is None
    assert "import_bars" in lack
    assert len(lack) < 256


def test_fewer_bars_than_the_window_are_no_ranking():
    short = stock_panel(2, 8, 230)
    features = STRATEGY.prepare(short, PARAMS)
    # Nine tenths of the window are enough, fewer are not.
    assert STRATEGY.targets(short, features, 225, PARAMS, frozenset()) is None
    assert STRATEGY.lack(short, features, 225, PARAMS)


def test_a_stock_with_gaps_is_ranked_by_the_returns_it_has(panel):
    torn = panel.close.copy()
    torn[:, 300:305] = np.nan
    targets, _ = decided(replace(panel, close=torn), 419)
    assert {each.symbol: each.weight for each in targets} == pytest.approx(by_pandas(replace(panel, close=torn), 419), rel=1e-9)
