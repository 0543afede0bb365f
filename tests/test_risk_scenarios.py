"""Expected shortfall and stress: by their definitions, against hand-made sums, an optimisation, and QuantLib."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
import QuantLib as ql
from hypothesis import given
from hypothesis import strategies as st

from quant_site.market.panel import Panel
from quant_site.market.sessions import session_array
from strategies.risk import PanelMarket, assess, exposure_report
from strategies.risk.scenarios import (
    SESSIONS,
    SPOT_SHOCKS,
    VOLATILITY_SHOCKS,
    Book,
    OptionRows,
    common_scenarios,
    expected_shortfall,
    stress_grid,
    volatility_scaled,
)
from tests.options_world import flat_process, market_panel, quantlib_option
from tests.risk_world import CALL, INDEX_PUT, LOW_PUT, PUT, HandMarket, codes, context, terms, trade


def long_panel(sessions=1400, seed=3, calm=700) -> Panel:
    """Three shares that move together, twice as wildly from column `calm` on; the third is listed late and misses a bar."""
    rng = np.random.default_rng(seed)
    wild = np.where(np.arange(sessions) < calm, 0.01, 0.02)
    moves = wild * (0.7 * rng.standard_t(4, sessions) + 0.7 * rng.normal(size=(3, sessions)))
    close = 50 * np.exp(np.cumsum(moves, axis=1))
    close[2, : sessions - 600] = np.nan
    close[2, -100] = np.nan
    opened = close * (1 + rng.normal(0, 0.002, close.shape))
    days = session_array("2004-01-02", "2024-12-31")[:sessions].copy()
    high, low = np.fmax(opened, close), np.fmin(opened, close)
    return Panel(("KO", "PEP", "XOM"), days, opened, high, low, close, np.full(close.shape, 1e6), np.ones(close.shape))


# --- scaled returns


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.floats(0, 0.5))
def test_each_return_is_scaled_by_the_volatility_of_today_over_that_of_its_day(seed, count, missing):
    """Oracle: the recursion, step by step."""
    rng = np.random.default_rng(seed)
    returns = rng.normal(0, 0.01, count)
    returns[rng.random(count) < missing] = np.nan
    there = [value for value in returns if value == value]
    variance = sum(value**2 for value in there) / len(there) if there else 0.0
    variances = []
    for value in there:
        variances.append(variance)
        variance = 0.94 * variance + 0.06 * value**2
    expected = iter([value * (variance / own) ** 0.5 for value, own in zip(there, variances, strict=True)])
    expected = [next(expected) if value == value else np.nan for value in returns]
    np.testing.assert_allclose(volatility_scaled(returns), expected, rtol=1e-9)


def test_what_never_moved_does_not_move():
    np.testing.assert_array_equal(volatility_scaled(np.array([np.nan, 0.0, 0.0])), [np.nan, 0.0, 0.0])
    assert np.isnan(volatility_scaled(np.full(3, np.nan))).all()


def test_calm_years_are_scaled_up_to_a_wild_present():
    panel = long_panel()
    scaled = PanelMarket(panel, 1399).scaled_returns("KO")
    raw = np.diff(panel.close[0, -SESSIONS - 1 :]) / panel.close[0, -SESSIONS - 1 : -1]
    calm = slice(0, 300)
    assert scaled[calm].std() / raw[calm].std() > 1.5
    assert len(scaled) == SESSIONS


def test_scenarios_know_nothing_of_the_future():
    panel = long_panel()
    whole, cut = PanelMarket(panel, 900), PanelMarket(panel.until(panel.sessions[900].item()), 900)
    for name in panel.symbols:
        np.testing.assert_array_equal(whole.scaled_returns(name), cut.scaled_returns(name))
        np.testing.assert_array_equal(whole.correlations(name, ["KO", "PEP"]), cut.correlations(name, ["KO", "PEP"]))
        assert whole.overnight_gap(name, 1) == cut.overnight_gap(name, 1)


# --- expected shortfall


def test_the_worst_twenty_five_of_a_thousand_are_averaged():
    outcomes = np.random.default_rng(1).permutation(np.arange(1000.0))
    assert expected_shortfall(outcomes) == pytest.approx(-np.mean(np.arange(25.0)))


def test_a_part_of_a_scenario_counts_by_its_part():
    outcomes = np.array([-10.0, -8.0, *np.zeros(48)])
    assert expected_shortfall(outcomes) == pytest.approx((10 + 0.25 * 8) / 1.25)
    assert expected_shortfall(np.array([-7.0])) == 7.0


@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=120), st.floats(0.01, 0.5))
def test_expected_shortfall_is_the_least_of_rockafellar_and_uryasev(outcomes, tail):
    """Oracle: ES = min over c of c + E[(loss − c)⁺] / tail, which is reached at one of the losses."""
    losses = [-value for value in outcomes]
    least = min(c + sum(max(loss - c, 0.0) for loss in losses) / len(losses) / tail for c in losses)
    assert expected_shortfall(np.array(outcomes), tail) == pytest.approx(least, abs=1e-6)


def test_days_that_a_name_has_not_are_no_scenarios():
    rows = [np.array([0.1, np.nan, 0.3, 0.4]), np.array([1.0, 2.0, np.nan, 4.0])]
    np.testing.assert_array_equal(common_scenarios(rows), [[0.1, 0.4], [1.0, 4.0]])


def test_the_shortfall_of_shares_is_that_of_their_scaled_history():
    panel = long_panel()
    market = PanelMarket(panel, 1399)
    held = context(market, exposures={"KO": Decimal("30000"), "PEP": Decimal("-10000")})
    outcomes = np.sort(30000 * market.scaled_returns("KO") - 10000 * market.scaled_returns("PEP"))
    found = held.holdings.expected_shortfall
    assert (found.value, found.n) == (pytest.approx(-outcomes[:25].mean()), 1000)


def test_too_short_a_history_is_refused_by_name_and_only_where_it_is_limited():
    market = PanelMarket(long_panel(), 1399)
    limited = context(market, limits={"max_es_pct": 0.5})
    assert codes(trade({"XOM": 10}), limited) == []
    late = replace(limited, market=PanelMarket(long_panel(sessions=1200), 1198 - 101))
    [violation] = [each for each in assess(trade({"XOM": 10}), late) if each.code == "NOT_ENOUGH_HISTORY"]
    assert "XOM" in violation.message
    assert codes(trade({"XOM": 10}), replace(late, limits=replace(late.limits, max_es_pct=None))) == []


def test_the_shortfall_is_limited_and_a_hedge_passes():
    market = PanelMarket(long_panel(), 1399)
    alone = context(market, exposures={"KO": Decimal("30000")}).holdings.expected_shortfall.value
    limited = context(market, limits={"max_es_pct": alone / 100_000}, exposures={"KO": Decimal("30000")})
    assert codes(trade({"KO": 1}), limited) == ["EXPECTED_SHORTFALL"]
    assert codes(trade({"PEP": -50}), limited) == []


# --- options in scenarios


def rows(contracts, **columns) -> OptionRows:
    count = len(contracts)
    plain = {"rate": 0.02, "dividend_yield": 0.01, "european": True, "name": 0}
    every = plain | columns
    return OptionRows(units=np.array(contracts) * 100.0, **{name: np.broadcast_to(value, count).copy() for name, value in every.items()})


@pytest.mark.parametrize("call", [True, False])
def test_options_are_valued_anew_as_quantlib_values_them(call):
    spot, strikes, volatility = 280.0, [250.0, 280.0, 310.0], 0.22
    book = Book(("SPY",), np.array([0.0]), rows([1, -2, 3], spot=spot, strike=strikes, years=91 / 365, volatility=volatility, call=call))
    for move in (-0.2, -0.01, 0.1):
        for factor in (0.75, 1.0, 2.0):
            expected = 0.0
            for count, strike in zip([1, -2, 3], strikes, strict=True):
                values = []
                for at, sigma in ((spot, volatility), (spot * (1 + move), volatility * factor)):
                    engine = ql.AnalyticEuropeanEngine(flat_process(at, 0.02, 0.01, sigma))
                    values.append(quantlib_option(engine, strike, 91, call, american=False).NPV())
                expected += count * 100 * (values[1] - values[0])
            assert book.outcomes(np.array([[move]]), factor)[0] == pytest.approx(expected, abs=1e-6)


def test_an_american_option_is_worth_no_less_than_exercising_it():
    book = Book(
        ("SPY",), np.array([0.0]), rows([1], spot=100.0, strike=150.0, years=2.0, rate=0.08, volatility=0.15, call=False, european=False)
    )
    fallen = book.options.prices(np.array([[0.5]]), 1.0)
    assert fallen[0, 0] == pytest.approx(100.0)
    european = replace(book.options, european=np.array([True]))
    assert european.prices(np.array([[0.5]]), 1.0)[0, 0] < 85


def test_nothing_changes_where_nothing_moves_and_a_long_position_loses_at_most_itself():
    options = rows([2], spot=100.0, strike=100.0, years=0.5, volatility=0.3, call=True)
    book = Book(("A",), np.array([5000.0]), options)
    worth = 200 * options.prices(np.ones((1, 1)), 1.0)[0, 0]
    assert book.outcomes(np.zeros((1, 1)))[0] == 0.0
    worst = common_scenarios([np.array([-1.5])])
    assert book.outcomes(worst)[0] == pytest.approx(-5000 - worth)


# --- stress


def test_the_grid_of_shares_is_their_value_times_the_shock():
    grid = stress_grid(Book(("A", "B"), np.array([10000.0, -4000.0])))
    np.testing.assert_allclose(grid, np.outer(SPOT_SHOCKS, np.ones(3)) * 6000)
    assert (SPOT_SHOCKS, VOLATILITY_SHOCKS) == ((-0.2, -0.1, -0.05, 0.05, 0.1, 0.2), (-0.25, 0.5, 1.0))


def test_a_sold_straddle_loses_most_where_volatility_doubles_and_the_spot_moves_far():
    market = HandMarket(options={CALL: terms(CALL), PUT: terms(PUT, delta=-0.4)})
    held = context(market, contracts={CALL: -1.0, PUT: -1.0})
    worst = exposure_report(held).stress.worst
    assert (abs(worst.spot), worst.volatility) == (0.2, 1.0)
    assert held.holdings.stress_loss.value == pytest.approx(-worst.gain)
    assert worst.gain < -4000


def test_the_loss_under_stress_is_limited_and_a_hedge_passes():
    limited = context(limits={"max_stress_pct": 0.02}, exposures={"KO": Decimal("10000")})
    assert codes(trade({"KO": 1}), limited) == ["STRESS"]
    assert codes(trade({"PEP": -50}), limited) == []
    assert codes(trade({"PEP": -250}), limited) == ["STRESS"]


def test_an_option_that_cannot_be_valued_is_refused_where_scenarios_are_limited():
    for market in (HandMarket(), HandMarket(options={CALL: terms(CALL, iv=float("nan"))})):
        for name in ("max_stress_pct", "max_es_pct"):
            assert codes(trade({CALL: 1}), context(market, limits={name: 1.0})) == ["NO_VALUATION"]


def test_an_option_at_its_last_close_is_worth_exercising_and_needs_no_volatility():
    market = HandMarket(options={INDEX_PUT: terms(INDEX_PUT, years=0.0, iv=float("nan"), delta=0.0, gamma=0.0, vega=0.0, theta=0.0)})
    held = context(market, contracts={INDEX_PUT: 1.0})
    worst = {cell.spot: cell.gain for cell in exposure_report(held).stress.cells}
    assert worst[0.05] == 0.0
    assert worst[-0.20] == pytest.approx((270 - 224) * 100)


# --- the report


def test_the_report_says_what_is_held_and_why_a_number_is_missing():
    panel = market_panel()
    t = 100
    held = context(PanelMarket(panel, t), exposures={"SPY": Decimal("28000")}, contracts={LOW_PUT: -1.0}, option_margins={"SPY": 900.0})
    report = exposure_report(held)
    assert report.gross == pytest.approx(28900)
    assert report.by_sector == {"SPY": pytest.approx(28900)}
    assert report.greeks["delta"].value == pytest.approx(report.greeks_by_name["SPY"]["delta"])
    assert report.greeks["gamma"].value < 0 < report.greeks["theta"].value
    assert (report.expected_shortfall.value, report.expected_shortfall.code) == (None, "NOT_ENOUGH_HISTORY")
    assert len(report.stress.cells) == 18
    unknown = exposure_report(replace(held, contracts={CALL: 1.0}, market=HandMarket()))
    assert unknown.greeks["vega"].value is None
    assert CALL in unknown.greeks["vega"].reason
    assert unknown.greeks_by_name["SPY"]["delta"] is None
    assert (unknown.stress.worst, unknown.stress.code) == (None, "NO_VALUATION")
    assert unknown.as_json()["stress"]["cells"] == ()


def test_an_empty_account_risks_nothing():
    report = exposure_report(context())
    assert (report.gross, report.net.value, report.expected_shortfall.value, report.by_sector) == (0, 0, 0, {})
    assert report.stress.worst.gain == 0
