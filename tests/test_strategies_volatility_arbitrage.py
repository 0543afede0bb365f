"""Volatility arbitrage: which straddles are extreme, what they risk, when they are left, and what the strategy says it lacks."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import percentileofscore

from quant_site.core.types import Direction
from quant_site.market.options.contracts import parse_contract
from quant_site.market.options.quotes import option_market
from quant_site.market.sessions import session_distance
from strategies.drafts import draft_from_json, draft_to_json
from strategies.library.realised import har_forecast
from strategies.library.structures import terms_of
from strategies.library.volatility_arbitrage import VolatilityArbitrage, VolatilityArbitrageParams, straddle_of, stress_loss
from strategies.library.volatility_gap import ranked_gaps, volatility_gap
from tests.option_strategies_world import STOCKS, column, entries, held_trade, made_panel, quantlib_values, real_panel, traded, without

STRATEGY = VolatilityArbitrage()
PARAMS = VolatilityArbitrageParams()
ONCE = VolatilityArbitrageParams(entry_window=1)
# A short past, so that one underlying is ranked within a panel of two years.
ALONE = VolatilityArbitrageParams(window=60, tail=0.3)
LONG, SHORT, CLOSE = Direction.LONG, Direction.SHORT, Direction.CLOSE


@pytest.fixture(autouse=True)
def no_stored_chains(market_dir):
    """No test here reads the chains of the installation."""


@pytest.fixture(scope="module")
def panel():
    return made_panel(stocks=12)


@pytest.fixture(scope="module")
def first(panel):
    """The first entry at which the stocks are ranked."""
    features = STRATEGY.prepare(panel, ONCE)
    return next(t for t, target in enumerate(features.targets) if target and np.isfinite(features.gaps.rank[-1, t]))


def decided(panel, t, params=PARAMS, holdings=()):
    return STRATEGY.decide(panel, STRATEGY.prepare(panel, params), t, params, tuple(holdings))


# --- the gap and its rank


def test_the_gap_is_the_log_of_forecast_over_implied_volatility():
    gap = volatility_gap(np.array([[0.01**2, 0.01**2, np.nan, 0.01**2]]), np.array([[0.2, 0.1, 0.2, 0.0]]))
    assert gap[0, :2] == pytest.approx([np.log(0.01 * np.sqrt(252) / 0.2), np.log(0.01 * np.sqrt(252) / 0.1)])
    assert np.isnan(gap[0, 2:]).all()


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_in_its_own_past_a_gap_ranks_by_the_share_of_smaller_ones(seed):
    rng = np.random.default_rng(seed)
    gap = rng.normal(size=(2, 90))
    gap[:, rng.random(90) < 0.1] = np.nan
    ranked = ranked_gaps(gap, np.zeros(2, bool), window=30, fewest=10)
    for row in range(2):
        known = np.flatnonzero(np.isfinite(gap[row]))
        for i, t in enumerate(known):
            past = gap[row, known[i - 30 : i]] if i >= 30 else None
            rank = np.nan if past is None else percentileofscore(past, gap[row, t], kind="strict") / 100
            assert ranked.rank[row, t] == pytest.approx(rank, nan_ok=True)
            assert ranked.centre[row, t] == pytest.approx(np.nan if past is None else np.median(past), nan_ok=True)


def test_ten_stocks_are_ranked_among_each_other_and_an_index_in_its_past():
    rng = np.random.default_rng(1)
    gap, stocks = rng.normal(size=(13, 80)), np.array([True] * 12 + [False])
    gap[:3, 40:] = np.nan  # nine stocks are left
    ranked = ranked_gaps(gap, stocks, window=30, fewest=10)
    order = np.argsort(gap[:12, 20])
    assert ranked.rank[order, 20] == pytest.approx(np.arange(12) / 11)
    assert ranked.centre[:12, 20] == pytest.approx([np.median(gap[:12, 20])] * 12)
    past = np.sort(gap[5, 30:60])
    assert ranked.rank[5, 60] == pytest.approx(np.searchsorted(past, gap[5, 60]) / 30)
    assert np.isnan(ranked.rank[12, 29]) and ranked.rank[12, 30] == pytest.approx(np.mean(gap[12, :30] < gap[12, 30]))


@given(seed=st.integers(0, 2**32 - 1), cut=st.integers(40, 89))
@settings(max_examples=20, deadline=None)
def test_what_comes_later_changes_no_rank(seed, cut):
    rng = np.random.default_rng(seed)
    gap = np.where(rng.random((12, 90)) < 0.1, np.nan, rng.normal(size=(12, 90)))
    stocks = rng.random(12) < 0.8
    whole, part = (ranked_gaps(given, stocks, window=30, fewest=8) for given in (gap, gap[:, :cut]))
    for name in ("rank", "centre"):
        np.testing.assert_array_equal(getattr(whole, name)[:, :cut], getattr(part, name))


# --- what is traded


def test_straddles_are_bought_where_options_are_cheapest_among_the_stocks_and_sold_where_they_are_dearest(panel, first):
    drafts = [draft for draft in decided(panel, first, ONCE) if not draft.group.startswith("SPY")]
    bars = (panel.adj_open, panel.adj_high, panel.adj_low, panel.adj_close)
    forecast = har_forecast(*bars, 21, fit=1000, least=250)[:, first]
    gap = pd.Series(np.log(np.sqrt(252 * forecast) / panel.reference.implied_vol[:, first]), panel.symbols).drop("SPY").sort_values()
    # Of twelve, the outer two of each side lie within a tenth of the ranking: 0/11, 1/11 and 10/11, 11/11.
    bought = {draft.group.split("/")[0] for draft in drafts if draft.direction is LONG}
    sold = {draft.group.split("/")[0] for draft in drafts if draft.direction is SHORT}
    assert bought == set(gap.index[-2:]) and sold == set(gap.index[:2])
    for draft in drafts:
        name = draft.group.split("/")[0]
        assert draft.metadata["gap"] == pytest.approx(gap[name], abs=1e-4)
        assert draft.metadata["centre"] == pytest.approx(gap.median(), abs=1e-4)
        assert draft_from_json(draft_to_json(draft)) == draft


def test_a_straddle_is_call_and_put_of_the_strike_nearest_the_forward(panel, first):
    for draft in decided(panel, first, ONCE):
        call, put = (parse_contract(leg.symbol) for leg in draft.legs)
        assert (call.right, put.right, call.strike, call.expiry) == ("C", "P", put.strike, put.expiry)
        assert {leg.direction for leg in draft.legs} == {draft.direction}
        chain = option_market(panel).chain(call.underlying, first, expirations=[call.expiry])
        forward = chain.spot * np.exp((chain.rate - chain.dividend_yield) * (call.expiry - chain.session).days / 365)
        nearest = np.unique(chain.strike)[np.argmin(np.abs(np.unique(chain.strike) - forward))]
        assert float(call.strike) == nearest
        quotes = [chain.at(call), chain.at(put)]
        price = sum(quote.ask if draft.direction is LONG else quote.bid for quote in quotes)
        assert draft.entry_price == pytest.approx(price)


def test_each_straddle_gets_the_share_of_equity_that_buys_the_same_vega(panel, first):
    drafts = decided(panel, first, ONCE)
    assert len(drafts) >= 4
    vegas = [draft.risk_share / draft.unit_risk * abs(draft.metadata["greeks"]["vega"]) for draft in drafts]
    assert vegas == pytest.approx([vegas[0]] * len(vegas), rel=5e-3)
    assert max(draft.risk_share for draft in drafts) == pytest.approx(PARAMS.max_risk)


def test_a_bought_straddle_can_lose_its_cost_and_a_sold_one_its_stress_by_quantlib(panel, first):
    drafts = decided(panel, first, ONCE)
    assert {draft.direction for draft in drafts} == {LONG, SHORT}
    for draft in drafts:
        if draft.direction is LONG:
            assert draft.unit_risk == pytest.approx(100 * draft.entry_price)
            continue
        contracts = [parse_contract(leg.symbol) for leg in draft.legs]
        chain = option_market(panel).chain(contracts[0].underlying, first, expirations=[contracts[0].expiry])
        worst = 0.0
        for move in (-0.2, 0.0, 0.2):
            for times in (1.0, 2.0):
                worth = 0.0
                for contract in contracts:
                    spot = chain.spot * (1 + move)
                    value = quantlib_values(contract, chain.session, spot, chain.rate, chain.dividend_yield, times * chain.at(contract).iv)
                    worth += max(value["price"], contract.intrinsic(spot))
                worst = max(worst, worth)
        half_spread = sum((chain.at(contract).ask - chain.at(contract).bid) / 2 for contract in contracts)
        assert draft.unit_risk == pytest.approx(100 * (worst - draft.entry_price + half_spread), abs=0.02)


def test_the_score_is_the_way_back_to_the_middle_in_vega_less_both_spreads_over_the_loss(panel, first):
    for draft in decided(panel, first, ONCE):
        facts = draft.metadata
        points = 100 * facts["iv"] * abs(facts["gap"] - facts["centre"])
        edge = points * abs(facts["greeks"]["vega"]) - 2 * (facts["crossing"] + 2 * 0.0065)
        assert facts["edge"] == pytest.approx(edge, abs=2e-3)
        assert draft.score == pytest.approx(100 * edge / draft.unit_risk, abs=1e-4)
        assert draft.score > 0


def test_without_short_selling_only_the_cheap_are_bought(panel, first):
    assert {draft.direction for draft in decided(panel, first, VolatilityArbitrageParams(short=False))} == {LONG}


def test_what_was_extreme_on_the_day_is_tried_again_within_the_window_and_nothing_else(panel, first):
    groups = [{draft.group for draft in decided(panel, t)} for t in range(first - 1, first + 4)]
    assert groups[0] == groups[4] == set()
    assert groups[1] and groups[2] <= groups[1] and groups[3] <= groups[1]


def test_an_underlying_that_is_held_is_not_traded_again(panel, first):
    drafts = decided(panel, first)
    taken = drafts[0]
    held = held_trade({leg.symbol: 1.0 for leg in taken.legs}, {}, panel.sessions[first].item(), taken.direction)
    again = decided(panel, first, holdings=[held])
    assert {draft.group for draft in again} == {draft.group for draft in drafts[1:]}


def test_with_few_stocks_each_is_ranked_in_its_own_past():
    panel = made_panel(stocks=3)
    features = STRATEGY.prepare(panel, ALONE)
    assert features.names == ("SPY", "S00", "S01", "S02")
    decisions, _ = traded(STRATEGY, panel, ALONE, 360, len(panel.sessions) - 1)
    drafts = entries(decisions)
    assert len({draft.group.split("/")[0] for draft in drafts}) > 1
    for draft in drafts:
        assert draft.metadata["rank"] >= 0.7 if draft.direction is LONG else draft.metadata["rank"] <= 0.3


# --- what ends it


@pytest.fixture(scope="module")
def trade(panel, first):
    """A straddle bought at the first entry, held from the next session on."""
    draft = next(draft for draft in decided(panel, first) if draft.direction is LONG and not draft.group.startswith("SPY"))
    held = held_trade({leg.symbol: 1.0 for leg in draft.legs}, {}, panel.sessions[first + 1].item(), LONG)
    return replace(held, group=draft.group)


def rules(panel, t, held, params=PARAMS, features=None) -> list[str]:
    drafts = STRATEGY.decide(panel, features or STRATEGY.prepare(panel, params), t, params, (held,))
    return [draft.metadata["rule"] for draft in drafts if draft.direction is CLOSE]


@pytest.mark.parametrize("sessions", [1, 3])
def test_it_is_left_before_expiry(panel, trade, sessions):
    expiry = parse_contract(next(iter(trade.quantities))).expiry
    params = VolatilityArbitrageParams(exit_sessions=sessions, exit_rank=0.2, delta_band=1.0)
    last = panel.index(expiry)
    found = {session_distance(panel.sessions[t].item(), expiry): rules(panel, t, trade, params) for t in range(last - 5, last)}
    for left in range(1, 6):
        assert ("EXPIRY" in found[left]) is (left <= sessions)


def test_it_is_left_when_its_rank_returns_to_the_middle_and_not_while_it_would_be_opened_again(panel, first, trade):
    params = VolatilityArbitrageParams(delta_band=1.0)
    features = STRATEGY.prepare(panel, params)
    ranks = features.gaps.rank[features.names.index(trade.group.split("/")[0])]
    sold = replace(trade, direction=SHORT, quantities=dict.fromkeys(trade.quantities, -1.0))
    left = {LONG: 0, SHORT: 0}
    for t in range(first + 1, first + 15):
        for held, back in ((trade, ranks[t] <= 0.5), (sold, ranks[t] >= 0.5)):
            expected = ["GAP_CLOSED"] if back and t > first + 1 else []
            assert rules(panel, t, held, params, features) == expected
            left[held.direction] += len(expected)
    assert min(left.values()) > 0


def test_it_is_left_when_its_delta_leaves_the_band(panel, first, trade):
    market, features = option_market(panel), STRATEGY.prepare(panel, PARAMS)
    ranks = features.gaps.rank[features.names.index(trade.group.split("/")[0])]
    left = {0.25: 0, 0.7: 0}
    for t in range(first + 2, first + 17):
        delta = sum(market.quote(symbol, t, "CLOSE").delta for symbol in trade.quantities)
        for band in left:
            params = VolatilityArbitrageParams(delta_band=band, exit_rank=0.2)
            expected = ["GAP_CLOSED"] if ranks[t] <= 0.2 else ["DELTA_BAND"] if abs(delta) > band else []
            assert rules(panel, t, trade, params, features) == expected
            left[band] += expected == ["DELTA_BAND"]
    assert left[0.25] > left[0.7]


def test_where_its_market_is_not_known_nothing_is_made_up(panel, first, trade):
    name, t = trade.group.split("/")[0], first + 6
    torn = without(panel, name, slice(t, t + 1))
    assert rules(torn, t, trade) == []


# --- what is lacking


def test_without_any_volatility_it_says_what_to_import():
    panel = without(made_panel(400), "VIX")
    features = STRATEGY.prepare(panel, PARAMS)
    lack = STRATEGY.lack(panel, features, 350, PARAMS)
    assert "VIX" in lack and "manage.py import_bars PATH" in lack
    assert features.names == () and STRATEGY.decide(panel, features, 350, PARAMS, ()) == []


def test_without_enough_history_it_says_how_much_it_needs():
    panel = made_panel(400)
    lack = STRATEGY.lack(panel, STRATEGY.prepare(panel, PARAMS), 399, PARAMS)
    assert "293 bars" in lack and "545 of one underlying" in lack and "import_volatility" in lack
    assert STRATEGY.needs(PARAMS).sessions == 293


def test_an_empty_or_a_broken_chain_gives_no_straddle(panel, first):
    expiry = STRATEGY.prepare(panel, ONCE).targets[first]
    chain = option_market(panel).chain("SPY", first, expirations=[expiry])
    terms, nan = terms_of(chain, expiry), np.full(len(chain), np.nan)
    for side in (LONG, SHORT):
        straddle = straddle_of(chain, expiry, side)
        assert straddle is not None and stress_loss(straddle, terms, PARAMS) > 0
        assert straddle_of(chain.where(np.zeros(len(chain), bool)), expiry, side) is None
        assert straddle_of(chain.of(expiry, "C"), expiry, side) is None
        assert straddle_of(chain.where(np.abs(chain.strike / chain.spot - 1) > 0.1), expiry, side) is None
        assert straddle_of(replace(chain, bid=chain.ask + 0.05), expiry, side) is None
        assert straddle_of(replace(chain, ask=nan), expiry, side) is None
        assert np.isnan(stress_loss(straddle_of(replace(chain, iv=nan), expiry, side), terms, PARAMS))
    assert straddle_of(replace(chain, bid=chain.bid * 0), expiry, SHORT) is None


@pytest.mark.parametrize("cut", [330, 402, 480])
def test_cutting_history_off_changes_nothing_before_the_cut(panel, cut):
    whole, _ = traded(STRATEGY, panel, PARAMS, 290, len(panel.sessions) - 1)
    part, _ = traded(STRATEGY, panel.until(panel.sessions[cut].item()), PARAMS, 290, cut)
    assert part == whole[: cut - 289]
    assert entries(part)


# --- real markets


def test_on_spy_and_the_vix_alone_it_trades_its_own_extremes_from_2013_to_2019(market_fixtures):
    panel = real_panel(market_fixtures)
    decisions, ended = traded(STRATEGY, panel, PARAMS, column(panel, "2013-01-02"), column(panel, "2019-12-31"))
    drafts = entries(decisions)
    assert 8 < len(drafts) < 60
    for draft in drafts:
        assert draft.metadata["rank"] >= 0.9 if draft.direction is LONG else draft.metadata["rank"] <= 0.1
        assert abs(draft.metadata["greeks"]["delta"]) < 0.2
        assert 0 < draft.unit_risk < 100 * 0.3 * 350 and draft.score > 0
    assert {trade.rule for trade in ended} <= {"GAP_CLOSED", "DELTA_BAND", "EXPIRY"}


def test_on_fifteen_stocks_it_buys_and_sells_each_month(market_fixtures):
    panel = real_panel(market_fixtures, stocks=True)
    decisions, ended = traded(STRATEGY, panel, PARAMS, column(panel, "2013-01-02"), column(panel, "2014-12-31"))
    drafts = [draft for draft in entries(decisions) if not draft.group.startswith("SPY")]
    assert {draft.group.split("/")[0] for draft in drafts} <= set(STOCKS)
    months = {draft.group.split("/")[2] for draft in drafts}
    assert len(months) == 24
    for month in months:
        sides = {draft.direction for draft in drafts if draft.group.endswith(month)}
        assert sides == {LONG, SHORT}
    for draft in drafts:
        assert abs(draft.metadata["greeks"]["delta"]) < 0.3
        assert 0 < draft.risk_share <= PARAMS.max_risk
    assert all(trade.rule in ("GAP_CLOSED", "DELTA_BAND", "EXPIRY") for trade in ended)
    assert all(trade.session < date.fromisoformat(trade.holding.metadata["expiry"]) or trade.rule == "EXPIRY" for trade in ended)


def test_every_known_answer_holds():
    answers = STRATEGY.known_answers()
    assert len(answers) == 3 and all(answer.holds for answer in answers)
