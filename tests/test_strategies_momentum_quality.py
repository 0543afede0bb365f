"""Momentum and quality: what each is measured by, who is ranked beside whom, who is bought and who stays."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import percentileofscore

from quant_site.market.reference import Reference
from strategies.library.characteristics import gross_profitability, health, piotroski_flags, return_on_equity
from strategies.library.multi_factor import MomentumQuality, MomentumQualityParams, momentum
from tests.portfolio_world import fixture_panel, month_ends, reports, simulated_weights, stock_panel

STRATEGY = MomentumQuality()
PARAMS = MomentumQualityParams(min_names=5)
# A healthy company: every one of Piotroski's flags is met.
YEAR = {
    "total_assets": 1000.0,
    "total_equity": 500.0,
    "total_revenue": 900.0,
    "gross_profit": 360.0,
    "net_income": 80.0,
    "net_cash_flow_operating": 120.0,
    "long_term_debt": 100.0,
    "total_current_assets": 400.0,
    "total_current_liabilities": 200.0,
    "shares": 50.0,
}
YEAR_BEFORE = YEAR | {
    "total_revenue": 800.0,
    "gross_profit": 300.0,
    "net_income": 70.0,
    "long_term_debt": 150.0,
    "total_current_assets": 380.0,
}


def company(now=YEAR, before=YEAR_BEFORE):
    """A panel of one company over two sessions, with its reports of two years."""
    panel = stock_panel(0, 1, 2)
    fields = {name: np.full((1, 2), value) for name, value in now.items()}
    fields |= {f"{name}_prior": np.full((1, 2), value) for name, value in before.items()}
    return replace(panel, reference=Reference(fundamentals=fields))


def decided(panel, t, params=PARAMS, held=()):
    features = STRATEGY.prepare(panel, params)
    return STRATEGY.targets(panel, features, t, params, frozenset(held)), STRATEGY.lack(panel, features, t, params)


def changed(panel, **fields):
    return replace(panel, reference=replace(panel.reference, **fields))


@pytest.fixture(scope="module")
def panel():
    return stock_panel(1, 20, 420)


@pytest.fixture(scope="module")
def end(panel):
    return month_ends(panel)[-1]


def test_known_answers_hold():
    assert len(STRATEGY.known_answers()) >= 2
    assert all(answer.holds for answer in STRATEGY.known_answers())


# --- the measures


def test_momentum_leaves_out_the_last_month():
    prices = np.arange(100.0, 400.0)[None]
    assert momentum(prices, 252, 21)[0, 299] == pytest.approx(prices[0, 278] / prices[0, 47] - 1)
    assert np.isnan(momentum(prices, 252, 21)[0, :252]).all()


def test_momentum_is_of_adjusted_prices_and_a_split_is_none(panel, end):
    close = panel.adj_close
    features = STRATEGY.prepare(panel, PARAMS)
    np.testing.assert_allclose(features.momentum[:, end], close[:, end - 21] / close[:, end - 252] - 1)
    assert panel.factor[0, 0] != panel.factor[0, -1]


def test_profitability_is_gross_profit_over_assets_and_return_on_equity():
    panel = company()
    assert gross_profitability(panel)[0, -1] == pytest.approx(0.36)
    assert return_on_equity(panel)[0, -1] == pytest.approx(0.16)
    assert np.isnan(return_on_equity(company(YEAR | {"total_equity": -5.0}))).all()


def test_a_company_that_improved_in_everything_meets_all_nine_flags():
    assert piotroski_flags(company())[:, 0, -1].tolist() == [1] * 9
    assert health(company())[0, -1] == 1


@pytest.mark.parametrize(
    "flag, now",
    [
        (0, {"net_income": -1.0}),
        (1, {"net_cash_flow_operating": -1.0}),
        (2, {"net_income": 69.0}),
        (3, {"net_cash_flow_operating": 79.0}),
        (4, {"long_term_debt": 151.0}),
        (5, {"total_current_assets": 379.0}),
        (6, {"shares": 51.0}),
        (7, {"gross_profit": 330.0}),
        (8, {"total_revenue": 790.0, "gross_profit": 316.0}),
    ],
)
def test_each_flag_is_missed_by_what_it_is_about(flag, now):
    assert piotroski_flags(company(YEAR | now))[flag, 0, -1] == 0


@pytest.mark.parametrize("shares", [350.0, 100.0, 25.0])
def test_shares_that_were_split_say_nothing_of_new_equity(shares):
    flags = piotroski_flags(company(YEAR | {"shares": shares}))[:, 0, -1]
    assert np.isnan(flags[6])
    assert np.isfinite(np.delete(flags, 6)).all()


def test_health_is_the_share_of_known_flags_and_unknown_where_fewer_than_six_are():
    gone = {"total_current_assets": np.nan, "shares": 52.0, "long_term_debt": 151.0}
    assert health(company(YEAR | gone))[0, -1] == pytest.approx(6 / 8)
    nothing = dict.fromkeys(YEAR_BEFORE, np.nan)
    assert np.isnan(health(company(YEAR, nothing))).all()


# --- the ranks


def test_scores_are_the_mean_percentiles_that_scipy_finds(panel, end):
    features = STRATEGY.prepare(panel, PARAMS)

    def percentile(values):
        known = values[np.isfinite(values)]
        return np.array([percentileofscore(known, value, "mean") if np.isfinite(value) else np.nan for value in values])

    gross, equity = percentile(features.gross[:, end]), percentile(features.equity[:, end])
    assert np.isfinite(gross).sum() == 14  # six are banks
    profitable = np.where(np.isfinite(gross), gross, equity)
    healthy = percentile(features.health[:, end])
    quality = percentile(np.where(np.isfinite(healthy), (profitable + healthy) / 2, profitable))
    score = (percentile(features.momentum[:, end]) + quality) / 2
    best = sorted(range(20), key=lambda row: (-score[row], panel.symbols[row]))[:4]
    targets, lack = decided(panel, end)
    assert lack == ""
    assert [each.symbol for each in targets] == [panel.symbols[row] for row in best]
    assert [each.score for each in targets] == pytest.approx(score[best], abs=1e-4)
    assert [each.weight for each in targets] == [0.25] * 4


def test_banks_are_measured_by_their_return_on_equity_and_have_no_flags(panel):
    features = STRATEGY.prepare(panel, PARAMS)
    assert np.isnan(features.gross[14:]).all()
    assert np.isnan(features.health[14:]).all()
    assert np.isfinite(features.equity[14:, -1]).all()
    assert np.isnan(features.equity[:14, -1]).all()


def test_without_sectors_nobody_is_a_bank_and_who_reports_no_gross_profit_is_measured_by_equity(panel):
    fundamentals = dict(panel.reference.fundamentals)
    fundamentals["gross_profit"] = np.where(np.arange(20)[:, None] == 2, np.nan, fundamentals["gross_profit"])
    features = STRATEGY.prepare(changed(panel, sectors=(), fundamentals=fundamentals), PARAMS)
    assert np.isfinite(features.equity[:, -1]).tolist() == [row == 2 for row in range(20)]
    assert np.isfinite(features.gross[:, -1]).tolist() == [row != 2 for row in range(20)]


def test_who_has_no_profits_or_no_momentum_is_not_ranked(panel, end):
    best = panel.row(decided(panel, end)[0][0].symbol)
    lost = {name: np.where(np.arange(20)[:, None] == best, np.nan, values) for name, values in panel.reference.fundamentals.items()}
    assert panel.symbols[best] not in [each.symbol for each in decided(changed(panel, fundamentals=lost), end)[0]]
    close = panel.close.copy()
    close[best, end - 252 - 6 : end - 251] = np.nan
    assert panel.symbols[best] not in [each.symbol for each in decided(replace(panel, close=close), end)[0]]


def test_only_stocks_are_ranked(panel, end):
    mixed = changed(panel, kinds=("ETF",) * 10 + ("STOCK",) * 10)
    assert {each.symbol for each in decided(mixed, end)[0]} <= set(panel.symbols[10:])


# --- who is held


def test_a_holding_stays_until_it_falls_below_the_fortieth_percentile(panel, end):
    everybody = MomentumQualityParams(min_names=5, hold_percentile=0)
    ranked = decided(panel, end, everybody, held=panel.symbols)[0]
    ordered = [each.symbol for each in ranked]
    assert sorted(ordered) == list(panel.symbols)
    # Equal scores share the mean of their ranks, as in pandas.
    standing = (pd.Series({each.symbol: each.score for each in ranked}).rank() - 0.5) / 20 * 100
    staying = [symbol for symbol in ordered if standing[symbol] >= 40]
    assert 11 <= len(staying) <= 13
    assert [each.symbol for each in decided(panel, end, held=panel.symbols)[0]] == staying
    targets, _ = decided(panel, end, held=[staying[9], ordered[14], "GONE"])
    assert [each.symbol for each in targets] == [*ordered[:4], staying[9]]
    assert all(each.weight == pytest.approx(1 / 5) for each in targets)


def test_what_it_holds_it_wants_again(panel, end):
    targets, _ = decided(panel, end)
    symbols = {each.symbol for each in targets}
    assert {each.symbol for each in decided(panel, end, held=symbols)[0]} == symbols


def test_it_sells_only_what_fell_below_the_hold_percentile(panel):
    decisions, _ = simulated_weights(STRATEGY, panel, PARAMS, 0, 419)
    features = STRATEGY.prepare(panel, PARAMS)
    everybody = frozenset(panel.symbols)
    sold = 0
    for t in month_ends(panel):
        staying = {each.symbol for each in STRATEGY.targets(panel, features, t, PARAMS, everybody) or ()}
        closed = {draft.group for draft in decisions[t] if draft.metadata.get("rule") == "NOT_IN_TARGET"}
        assert not closed & staying
        sold += len(closed)
    assert sold > 1


def test_without_reports_it_abstains_says_how_to_get_them_and_leaves_holdings(panel, end):
    nothing = {name: np.full_like(values, np.nan) for name, values in panel.reference.fundamentals.items()}
    for bare in (changed(panel, fundamentals={}), changed(panel, fundamentals=nothing)):
        targets, lack = decided(bare, end)
        assert targets is None
        assert "import_fundamentals" in lack
        assert len(lack) < 256


def test_too_few_stocks_are_no_ranking(panel, end):
    targets, lack = decided(panel, end, MomentumQualityParams(min_names=25))
    assert targets is None
    assert "20 have them" in lack


def test_fewer_bars_than_its_window_are_no_ranking():
    short = stock_panel(2, 8, 200)
    assert all(decided(short, t)[0] is None for t in range(0, 200, 20))


def test_on_real_reports_its_picks_are_those_of_pandas(market_fixtures):
    table = pd.read_csv(market_fixtures / "fundamentals/annual_2012_2016.csv.gz", parse_dates=["period_ending"])
    sectors = pd.read_csv(market_fixtures / "fundamentals/sectors_2016.csv.gz").set_index("symbol")["gics_sector"]
    priced = {path.name.removesuffix(".csv.gz") for path in (market_fixtures / "prices/stocks").iterdir()}
    symbols = sorted(priced & set(table["symbol"]))
    panel = fixture_panel(market_fixtures / "prices/stocks", symbols, "2013-12-02", "2016-06-30")
    reference = Reference(fundamentals=reports(panel, table=table), sectors=tuple(sectors.get(symbol, "") for symbol in symbols))
    panel, params = replace(panel, reference=reference), MomentumQualityParams(buy_share=0.2)
    t = panel.index(pd.Timestamp("2016-05-31").date())
    targets, lack = decided(panel, t, params)
    assert lack == ""

    known = table[table["period_ending"] + pd.Timedelta(days=90) <= "2016-05-31"].sort_values("period_ending").groupby("symbol").tail(1)
    year = known.set_index("symbol").reindex(symbols)
    close = pd.DataFrame(panel.adj_close, index=symbols)
    banks = year.index.map(sectors).isin(["Financials"])
    gross = (year["gross_profit"] / year["total_assets"]).where(~banks & (year["gross_profit"] != 0))
    profit = (year["net_income"] / year["total_equity"]).where(gross.isna() & (year["total_equity"] > 0))
    gained = close[t - 21] / close[t - 252] - 1
    ranked = gained[(gross.notna() | profit.notna()) & gained.notna()]
    assert len(targets) == int(np.ceil(0.2 * len(ranked)))
    hazen = (ranked.rank() - 0.5) / len(ranked) * 100
    shown = {each.symbol: each.metadata for each in targets}
    for symbol, numbers in shown.items():
        assert numbers["momentum_percentile"] == pytest.approx(hazen[symbol], abs=0.01)
    features = STRATEGY.prepare(panel, params)
    np.testing.assert_allclose(features.gross[:, t], gross.to_numpy(), equal_nan=True)
    np.testing.assert_allclose(features.equity[:, t], profit.to_numpy(), equal_nan=True)
