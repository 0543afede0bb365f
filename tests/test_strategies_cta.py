"""CTA commodities: the paper's formula computed apart, on funds only, never levered, and calm where prices are not above zero."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from quant_site.market.reference import Reference
from strategies.library.macro_hedge import COMMODITIES, CtaCommodities, CtaParams
from strategies.library.trend_sizing import cash_returns, earned_since, exponential_covariance, exponential_variance, scaled_weights
from tests.portfolio_world import fixture_panel, fixture_series, month_ends, simulated_weights, stock_panel

STRATEGY = CtaCommodities()
PARAMS = CtaParams()
FUNDS = ("DBC", "GLD", "SLV", "USO")


def decided(panel, t, params=PARAMS):
    features = STRATEGY.prepare(panel, params)
    return STRATEGY.targets(panel, features, t, params, frozenset()), STRATEGY.lack(panel, features, t, params)


def by_formula(panel, t, *, com=60, target=0.10, gross=1.0, short=True):
    """{symbol: weight} by Moskowitz, Ooi and Pedersen (2012), term by term, on the funds that have all sessions."""
    days = pd.DatetimeIndex(panel.sessions[: t + 1])
    close = pd.DataFrame(panel.adj_close[:, : t + 1].T, index=days, columns=panel.symbols)[list(FUNDS)].dropna(axis=1, how="all")
    year_ago = close[close.index.to_period("M") == days[-1].to_period("M") - 12].index[-1]
    bill = pd.Series(panel.reference.series["TBILL_3M"][: t + 1], index=days)
    cash = ((1 + bill[bill.index > year_ago]) ** (1 / 252)).prod() - 1
    excess = close.iloc[-1] / close.loc[year_ago] - 1 - cash
    returns = close.pct_change(fill_method=None).iloc[1:-1]  # the last return is not known to σ
    ages = np.arange(len(returns))[::-1]
    weights = (com / (com + 1)) ** ages
    weights /= weights.sum()
    deviations = returns - (returns.T * weights).T.sum()
    covariance = 261 * (deviations.T * weights) @ deviations
    sigma = np.sqrt(np.diag(covariance))
    size = np.sign(excess) * 0.40 / sigma / len(close.columns)
    size = size if short else size.clip(lower=0)
    size *= target / np.sqrt(size @ covariance @ size)
    size *= min(1, gross / size.abs().sum())
    return size[size != 0].to_dict()


def world(seed=0, sessions=420, symbols=FUNDS):
    panel = stock_panel(seed, symbols, sessions)
    return replace(panel, reference=replace(panel.reference, kinds=("ETF",) * len(symbols)))


@pytest.fixture(scope="module")
def panel():
    return world(1)


@pytest.fixture(scope="module")
def end(panel):
    return month_ends(panel)[-1]


def test_known_answers_hold():
    assert len(STRATEGY.known_answers()) >= 2
    assert all(answer.holds for answer in STRATEGY.known_answers())


@pytest.mark.parametrize("seed", range(4))
def test_weights_are_those_of_the_formula(seed):
    panel = world(seed)
    for t in month_ends(panel)[-3:]:
        targets, lack = decided(panel, t)
        assert lack == ""
        assert {each.symbol: each.weight for each in targets} == pytest.approx(by_formula(panel, t), rel=1e-9)


def test_parameters_enter_where_the_formula_has_them(panel, end):
    params = CtaParams(center_of_mass=30, target_volatility=0.05, max_gross=0.3)
    targets, _ = decided(panel, end, params)
    expected = by_formula(panel, end, com=30, target=0.05, gross=0.3)
    assert {each.symbol: each.weight for each in targets} == pytest.approx(expected, rel=1e-9)


def test_on_real_funds_weights_are_those_of_the_formula(market_fixtures):
    panel = fixture_panel(market_fixtures / "prices/multiasset", FUNDS, "2007-01-03", "2024-12-31")
    series = fixture_series(market_fixtures / "rates/tbill_3m.csv.gz", panel.sessions)
    bill = pd.Series(series["TBILL_3M"]).ffill().to_numpy()
    panel = replace(panel, reference=Reference(series={"TBILL_3M": bill}))
    features, gross = STRATEGY.prepare(panel, PARAMS), []
    for t in month_ends(panel)[12::7]:
        targets = {each.symbol: each.weight for each in STRATEGY.targets(panel, features, t, PARAMS, frozenset())}
        assert targets == pytest.approx(by_formula(panel, t), rel=1e-8)
        gross.append(sum(map(abs, targets.values())))
    assert max(gross) <= 1 + 1e-9
    assert min(gross) < 0.7


def test_the_last_return_changes_the_sign_and_not_the_volatility(panel, end):
    close = panel.close.copy()
    close[1, end] *= 3
    before, after = (STRATEGY.prepare(given, PARAMS) for given in (panel, replace(panel, close=close)))
    np.testing.assert_array_equal(before.sigma[:, end], after.sigma[:, end])
    assert after.excess[1, end] > before.excess[1, end]
    assert (after.sigma[1, end + 1 :] > before.sigma[1, end + 1 :]).all()


def test_without_shorts_falling_markets_are_left_out(panel, end):
    targets, _ = decided(panel, end, CtaParams(short=False))
    assert {each.symbol: each.weight for each in targets} == pytest.approx(by_formula(panel, end, short=False), rel=1e-9)
    assert 0 < len(targets) < 4


def test_where_everything_falls_and_nothing_is_sold_short_all_is_cash(end):
    panel = world(1)
    down = np.linspace(1.0, 0.2, 420) ** 1.5
    arrays = {name: getattr(panel, name) * down for name in ("open", "high", "low", "close")}
    targets, lack = decided(replace(panel, **arrays), end, CtaParams(short=False))
    assert (targets, lack) == ([], "")


def test_gross_never_exceeds_the_capital():
    for seed in range(5):
        calm = world(seed)
        arrays = {name: 50 + (getattr(calm, name) - 50) * 0.05 for name in ("open", "high", "low", "close")}
        panel = replace(calm, **arrays, factor=np.ones_like(calm.close))
        targets, _ = decided(panel, month_ends(panel)[-1])
        assert sum(abs(each.weight) for each in targets) == pytest.approx(1)


def test_a_simulated_account_stays_near_its_target_volatility(market_fixtures):
    panel = fixture_panel(market_fixtures / "prices/multiasset", FUNDS, "2007-01-03", "2024-12-31")
    bill = fixture_series(market_fixtures / "rates/tbill_3m.csv.gz", panel.sessions)["TBILL_3M"]
    panel = replace(panel, reference=Reference(series={"TBILL_3M": pd.Series(bill).ffill().to_numpy()}))
    first = month_ends(panel)[13]
    _, weights = simulated_weights(STRATEGY, panel, PARAMS, first, len(panel.sessions) - 1)
    table = pd.DataFrame(weights, columns=list(FUNDS)).fillna(0).to_numpy()
    returns = pd.DataFrame(panel.adj_close).pct_change(axis=1, fill_method=None).to_numpy()[:, first:]
    daily = (table[:-1] * returns.T[1:]).sum(axis=1)
    assert 0.08 < daily.std() * np.sqrt(252) < 0.12


# --- which markets


def test_only_funds_on_commodities_are_traded():
    panel = world(2, symbols=("AAPL", "CL", "DBC", "GLD", "SLV", "SPY", "USO"))
    targets, _ = decided(panel, month_ends(panel)[-1])
    assert {each.symbol for each in targets} == set(FUNDS)
    future = replace(panel, reference=replace(panel.reference, kinds=("STOCK", "FUTURE", "FUTURE", "ETF", "ETF", "ETF", "INDEX")))
    assert not np.isin(["DBC", "USO"], [panel.symbols[row] for row in STRATEGY.prepare(future, PARAMS).rows]).any()
    assert set(FUNDS) <= COMMODITIES.keys()


def test_too_few_markets_are_no_portfolio(end):
    panel = world(1, symbols=("GLD", "SLV"))
    targets, lack = decided(panel, end)
    assert targets is None
    assert "3 funds on commodities" in lack
    assert decided(world(1, symbols=("AAPL", "MSFT")), end)[0] is None


def test_a_market_listed_later_joins_once_it_has_a_year():
    panel = stock_panel(3, FUNDS, 640, late=True)
    features = STRATEGY.prepare(panel, PARAMS)
    held = {
        t: {each.symbol for each in STRATEGY.targets(panel, features, t, PARAMS, frozenset()) or ()} for t in month_ends(panel) if t > 330
    }
    joined = [t for t, symbols in held.items() if "USO" in symbols]
    assert joined
    assert min(joined) >= 320 + 230
    assert all(set(FUNDS) - {"USO"} <= symbols for symbols in held.values())


def negative(panel, symbol, t):
    """The panel in which `symbol` closes below zero at t, as crude oil did on 2020-04-20."""
    arrays = {name: getattr(panel, name).copy() for name in ("open", "high", "low", "close")}
    arrays["low"][panel.row(symbol), t] = arrays["close"][panel.row(symbol), t] = -37.63
    return replace(panel, **arrays)


@pytest.mark.parametrize("back", [0, 1, 30, 252])
def test_a_price_below_zero_makes_no_number_and_no_exception(panel, end, back):
    broken = negative(panel, "USO", end - back)
    features = STRATEGY.prepare(broken, PARAMS)
    assert np.isnan(features.returns[3, end - back])
    targets = STRATEGY.targets(broken, features, end, PARAMS, frozenset())
    assert all(np.isfinite(each.weight) and abs(each.weight) < 1 for each in targets)
    assert ("USO" in {each.symbol for each in targets}) == (back != 0)
    assert features.sigma[3, end] < 2 * STRATEGY.prepare(panel, PARAMS).sigma[3, end]


def test_the_real_contract_that_fell_below_zero_would_not_break_it(market_fixtures):
    crude = fixture_panel(market_fixtures / "prices/futures", ("CL",), "2018-01-02", "2020-12-31")
    panel = fixture_panel(market_fixtures / "prices/multiasset", FUNDS, "2018-01-02", "2020-12-31")
    assert crude.close.min() == pytest.approx(-37.63)
    arrays = {name: np.vstack([getattr(panel, name)[:3], getattr(crude, name)]) for name in ("open", "high", "low", "close")}
    reference = Reference(series={"TBILL_3M": np.full(len(panel.sessions), 0.01)})
    mixed = replace(panel, **arrays, reference=reference)
    features = STRATEGY.prepare(mixed, PARAMS)
    assert np.isfinite(features.sigma[3, 70:]).all()
    for t in month_ends(mixed)[13:]:
        assert all(np.isfinite(each.weight) for each in STRATEGY.targets(mixed, features, t, PARAMS, frozenset()))


# --- cash


def test_the_sign_is_that_of_the_return_above_cash(end):
    panel = world(1)
    flat = {name: np.full_like(panel.close, 50.0) for name in ("open", "high", "low", "close")}
    wobble = 1 + 0.001 * np.sin(np.arange(420) * np.array([[1.0], [1.3], [0.7], [0.9]]))
    grown = np.exp(np.linspace(0, np.log(1.05) * 420 / 252, 420))
    flat = {name: values * grown * wobble for name, values in flat.items()}
    for bill, sign in ((0.02, 1), (0.09, -1)):
        reference = replace(panel.reference, series={"TBILL_3M": np.full(420, bill)})
        targets, _ = decided(replace(panel, **flat, factor=np.ones_like(panel.close), reference=reference), end)
        assert {np.sign(each.weight) for each in targets} == {sign}


def test_without_a_rate_of_cash_it_abstains_says_how_to_get_one_and_leaves_holdings(panel, end):
    bare = replace(panel, reference=Reference())
    targets, lack = decided(bare, end)
    assert targets is None
    assert "import_factors" in lack
    assert len(lack) < 256


def test_cash_earns_the_bill_else_the_factors_rate_else_the_last_of_them_for_a_quarter():
    bill, factor = np.full(200, np.nan), np.full(200, np.nan)
    bill[20:40], factor[:60] = 0.0252, 0.0002
    cash = cash_returns(Reference(series={"TBILL_3M": bill, "RF": factor}), 200)
    assert cash[[0, 19, 40, 59]] == pytest.approx(0.0002)
    assert (1 + cash[30]) ** 252 == pytest.approx(1.0252)
    assert cash[[60, 59 + 63]] == pytest.approx(0.0002)
    assert np.isnan(cash[59 + 64 :]).all()
    assert np.isnan(cash_returns(Reference(), 5)).all()


def test_what_cash_earned_is_compounded_and_unknown_where_a_day_of_it_is():
    returns = np.array([np.nan, 0.01, 0.02, np.nan, 0.03, 0.01])
    columns = np.array([-1, 0, 0, 1, 3, 3])
    found = earned_since(returns, columns)
    assert found == pytest.approx([np.nan, 0.01, 1.01 * 1.02 - 1, np.nan, 0.03, 1.03 * 1.01 - 1], nan_ok=True)


# --- sizes


def test_the_exponential_variance_is_the_weighted_one_of_each_history():
    rng = np.random.default_rng(0)
    returns = rng.normal(0, 0.01, (2, 150))
    returns[1, 40:45] = np.nan
    variance = exponential_variance(returns, 60, 20)
    for row in range(2):
        for t in (25, 41, 60, 149):
            own = returns[row, : t + 1][np.isfinite(returns[row, : t + 1])]
            expected = np.cov(own, aweights=(60 / 61) ** np.arange(len(own))[::-1], ddof=0)
            assert variance[row, t] == pytest.approx(float(expected), rel=1e-9)
    assert np.isnan(variance[:, :19]).all()


def test_the_covariance_is_of_the_sessions_that_all_markets_have():
    rng = np.random.default_rng(1)
    returns = rng.normal(0, 0.01, (3, 200))
    returns[2, ::7] = np.nan
    common = returns[:, np.isfinite(returns[2])]
    expected = np.cov(common, aweights=(60 / 61) ** np.arange(common.shape[1])[::-1], ddof=0)
    np.testing.assert_allclose(exponential_covariance(returns, 60), expected, rtol=1e-9)
    assert np.isnan(exponential_covariance(returns[:, :1], 60)).all()


def test_weights_without_a_known_volatility_have_no_size():
    assert scaled_weights(np.array([1.0, 1.0]), np.full((2, 2), np.nan), 0.1, 1.0) is None
    assert scaled_weights(np.array([1.0]), np.zeros((1, 1)), 0.1, 1.0) is None
    assert scaled_weights(np.zeros(2), np.full((2, 2), np.nan), 0.1, 1.0).tolist() == [0, 0]


def test_panels_too_short_to_know_anything_are_no_portfolio():
    short = world(0, 80)
    assert all(decided(short, t)[0] is None for t in (0, 1, 40, 79))
