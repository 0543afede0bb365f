"""Tail hedge: when it rolls, what it buys and at which price, its budget, what it is sold for, and what it says it lacks."""

import math
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from pandas.tseries.holiday import GoodFriday
from pydantic import ValidationError

from quant_site.core.types import Direction
from quant_site.market.chains.services import chains_import
from quant_site.market.options.contracts import parse_contract
from quant_site.market.options.quotes import option_market
from quant_site.market.options.surface import stock_surface
from quant_site.market.providers.synthetic import SyntheticMarket
from strategies.drafts import draft_from_json, draft_to_json
from strategies.library.tail_hedge import TailHedge, TailHedgeParams, hedge_of, vix_share
from strategies.risk import RiskContext, RiskLimits
from strategies.sizing import size_entry
from tests.option_strategies_world import column, entries, held_trade, made_panel, real_panel, traded, without

STRATEGY = TailHedge()
PARAMS = TailHedgeParams()
ONCE = TailHedgeParams(entry_window=1)


@pytest.fixture(autouse=True)
def no_stored_chains(market_dir):
    """No test here reads the chains of the installation."""


@pytest.fixture(scope="module")
def panel():
    return made_panel(160)


def decided(panel, t, params=PARAMS, holdings=()):
    return STRATEGY.decide(panel, STRATEGY.prepare(panel, params), t, params, tuple(holdings))


def rolls(panel, params=ONCE) -> list[int]:
    return [t for t, target in enumerate(STRATEGY.prepare(panel, params).targets) if target]


def third_fridays(first: str, last: str) -> list[date]:
    """Monthly expirations by pandas: third Fridays, or the Thursday where that Friday is Good Friday."""
    closed = set(GoodFriday.dates(pd.Timestamp(first), pd.Timestamp(last)).date)
    fridays = pd.date_range(first, last, freq="WOM-3FRI").date
    return [friday - timedelta(days=1) if friday in closed else friday for friday in fridays]


# --- the roll


def test_the_roll_is_decided_at_the_close_before_each_monthly_expiration(market_fixtures):
    panel = real_panel(market_fixtures).until(date(2019, 12, 31))
    table = third_fridays("2009-01-01", "2020-01-31")
    targets = STRATEGY.prepare(panel, ONCE).targets
    days = panel.sessions.astype(object)
    expected = {days[np.searchsorted(days, expiry) - 1]: after for expiry, after in pairwise(table) if expiry <= days[-1]}
    assert {days[t]: target for t, target in enumerate(targets) if target} == expected
    assert len(expected) == 132
    assert expected[date(2019, 4, 17)] == date(2019, 5, 17)


def test_what_was_missed_is_bought_within_the_window_only(panel):
    first = rolls(panel)[1]
    groups = [[draft.group for draft in decided(panel, t)] for t in range(first - 1, first + 4)]
    assert groups[0] == groups[4] == []
    assert len({tuple(group) for group in groups[1:4]}) == 1
    assert groups[1][0].startswith("SPY/TH/")


def test_what_is_held_is_not_bought_again_after_a_restart(panel):
    first = rolls(panel)[1]
    (draft,) = decided(panel, first)
    held = held_trade(
        {draft.legs[0].symbol: 1.0}, {draft.legs[0].symbol: draft.entry_price}, panel.sessions[first + 1].item(), Direction.LONG
    )
    assert decided(panel, first + 1, holdings=[held]) == []


def test_no_night_is_without_protection_while_nothing_is_sold_early(panel):
    params = TailHedgeParams(monetise_at=0)
    first = rolls(panel)[0]
    features, nights, held = STRATEGY.prepare(panel, params), 0, {}
    for t in range(first, len(panel.sessions) - 1):
        drafts = STRATEGY.decide(panel, features, t, params, tuple(held.values()))
        for draft in drafts:
            if draft.direction is Direction.CLOSE:
                del held[draft.group]
            else:
                trade = held_trade(
                    {draft.legs[0].symbol: 1.0}, {draft.legs[0].symbol: draft.entry_price}, features.days[t + 1], Direction.LONG
                )
                held[draft.group] = replace(trade, group=draft.group)
        # After tomorrow's open, is there a put for the night that follows?
        assert any(parse_contract(symbol).expiry > features.days[t + 1] for trade in held.values() for symbol in trade.quantities)
        nights += 1
    assert nights > 100


# --- what is bought


def test_the_put_is_the_first_strike_at_or_below_five_per_cent_out_of_the_money_bought_at_the_ask(panel):
    first = rolls(panel)[1]
    (draft,) = decided(panel, first)
    market, (leg,) = option_market(panel), draft.legs
    contract, spot = parse_contract(leg.symbol), market.spot("SPY", first)
    assert (contract.right, leg.direction, leg.units, draft.direction) == ("P", Direction.LONG, 1, Direction.LONG)
    assert 0 <= 0.95 * spot - float(contract.strike) < 1
    quote = market.quote(leg.symbol, first, "CLOSE")
    assert draft.entry_price == quote.ask > quote.bid
    assert draft.unit_risk == pytest.approx(100 * quote.ask)
    assert draft.risk_share == pytest.approx(0.01 / 12)
    assert draft.metadata["rule"] == "PPUT" and draft.metadata["synthetic"] is True
    assert draft_from_json(draft_to_json(draft)) == draft


def test_a_ladder_buys_a_put_spread_of_the_deltas_three_months_out(panel):
    params = TailHedgeParams(form="LADDER")
    first = rolls(panel)[1]
    (draft,) = decided(panel, first, params)
    bought, sold = (parse_contract(leg.symbol) for leg in draft.legs)
    assert [leg.direction for leg in draft.legs] == [Direction.LONG, Direction.SHORT]
    assert bought.strike > sold.strike and bought.right == sold.right == "P"
    assert np.abs(draft.metadata["deltas"]) == pytest.approx([0.25, 0.10], abs=0.02)
    assert bought.expiry == third_fridays("2016-01-01", "2016-12-31")[4]
    assert draft.unit_risk == pytest.approx(100 * draft.entry_price) == pytest.approx(100 * draft.metadata["max_loss"])
    assert draft.metadata["max_profit"] == pytest.approx(float(bought.strike - sold.strike) - draft.entry_price)


def test_a_ladder_holds_as_many_spreads_as_it_has_rungs():
    panel = made_panel(200)
    params = TailHedgeParams(form="LADDER", monetise_at=0)
    decisions, ended = traded(STRATEGY, panel, params, 0, len(panel.sessions) - 1)
    bought = {draft.group for draft in entries(decisions)}
    still = bought - {trade.holding.group for trade in ended}
    assert len(bought) > 6
    assert len(still) == 3


def test_stress_and_carry_say_what_a_crash_brings_and_what_waiting_costs():
    panel = made_panel(420)
    drafts = entries(traded(STRATEGY, panel, PARAMS, 320, 419)[0])
    for draft in drafts:
        # Down by a fifth, a put 5 % out of the money is worth 15 % of the spot at least, less its cost.
        spot = draft.metadata["strikes"][0] / 0.95
        assert draft.metadata["stress"] > 100 * (0.14 * spot - draft.entry_price)
        assert draft.score == pytest.approx(draft.metadata["stress"] / draft.unit_risk, rel=1e-3)
        # At worst the premium and the commission are lost.
        assert -draft.unit_risk - 0.65 <= draft.metadata["carry"] < draft.metadata["stress"]
    assert len(drafts) == 5


def test_without_a_year_of_history_carry_is_not_known_and_the_hedge_is_bought(panel):
    (draft,) = decided(panel, rolls(panel)[1])
    assert draft.metadata["carry"] is None


def test_what_is_sold_must_lie_below_what_is_bought():
    with pytest.raises(ValidationError, match="short_delta must be below long_delta"):
        TailHedgeParams(short_delta=0.3)


# --- the budget


def context(equity: float) -> RiskContext:
    limits = RiskLimits(1.0, 2.0, 0.5, 1.0, 1.0, 100, True)
    empty = {name: {} for name in ("exposures", "pending", "prices", "adv", "volatility", "last_session")}
    return RiskContext(
        "A", date(2019, 1, 2), Decimal(str(equity)), Decimal(str(equity)), 0.0, limits, day_trades=0, tradable=frozenset(), **empty
    )


@pytest.mark.parametrize(
    "form, by_vix, budget", [("PPUT", False, 0.01), ("PPUT", True, 0.01), ("LADDER", False, 0.005), ("PPUT", False, 0.12)]
)
def test_a_calendar_year_never_spends_more_than_its_budget(market_fixtures, form, by_vix, budget):
    panel, equity = real_panel(market_fixtures), 1_000_000.0
    params = TailHedgeParams(form=form, by_vix=by_vix, budget=budget)
    first, last = column(panel, "2016-01-04"), column(panel, "2019-12-31")
    decisions, _ = traded(STRATEGY, panel, params, first, last)
    spent: dict[int, float] = {}
    for t, drafts in enumerate(decisions, start=first):
        for draft in (draft for draft in drafts if draft.direction is not Direction.CLOSE):
            size = size_entry(draft, context(equity), strategy_id=1, share=1.0, scale=1.0)
            units = abs(size.quantities[0])
            assert units == math.floor(equity * draft.risk_share / draft.unit_risk)
            year = panel.sessions[t].item().year
            spent[year] = spent.get(year, 0.0) + units * draft.unit_risk
    assert all(0 < amount <= budget * equity for amount in spent.values())
    assert len(spent) == 4


@pytest.mark.parametrize(
    "vix, share", [(9.0, 0.0), (15.0, 0.0), (15.1, 1.0), (30.0, 1.0), (30.1, 0.5), (50.0, 0.5), (50.1, 0.0), (82.0, 0.0), (np.nan, np.nan)]
)
def test_the_vix_scales_the_budget_as_vxth_does(vix, share):
    assert vix_share(vix) == pytest.approx(share, nan_ok=True)


def test_with_the_schedule_nothing_is_bought_in_a_calm_month(panel):
    params = TailHedgeParams(by_vix=True)
    vix = panel.background.close[panel.background.row("VIX")]
    shares = {}
    for t in rolls(panel):
        drafts = decided(panel, t, params)
        shares[vix[t] <= 15] = drafts[0].risk_share if drafts else 0.0
    assert shares == {True: 0.0, False: pytest.approx(0.01 / 12)}


# --- selling


def put_held(panel, t: int, *, strike_share: float, months: int, cost: float):
    """A put bought thirty sessions ago, of which `months` monthly expirations from t on are its own."""
    expiry = [day for day in third_fridays("2016-01-01", "2017-12-31") if day > panel.sessions[t].item()][months]
    strike = round(option_market(panel).spot("SPY", t) * strike_share)
    symbol = f"SPY{expiry:%y%m%d}P{strike * 1000:08d}"
    return held_trade({symbol: 2.0}, {symbol: cost}, panel.sessions[t - 30].item(), Direction.LONG), symbol


def test_a_hedge_worth_five_times_its_cost_is_sold(panel):
    t = rolls(panel)[1] + 8
    held, symbol = put_held(panel, t, strike_share=1.1, months=1, cost=1.0)
    bid = option_market(panel).quote(symbol, t, "CLOSE").bid
    for times, sold in ((bid / 5.01, True), (bid / 4.99, False)):
        trade = replace(held, entry_prices={symbol: times})
        drafts = decided(panel, t, holdings=[trade])
        assert [(draft.direction, draft.metadata["rule"]) for draft in drafts] == ([(Direction.CLOSE, "MONETISE")] if sold else [])
    (draft,) = decided(panel, t, holdings=[replace(held, entry_prices={symbol: bid / 8})])
    assert draft.metadata["times"] == pytest.approx(8)
    assert decided(panel, t, TailHedgeParams(monetise_at=0), [replace(held, entry_prices={symbol: bid / 8})]) == []


def test_what_is_not_known_of_the_entry_is_not_made_up(panel):
    t = rolls(panel)[1] + 8
    held, symbol = put_held(panel, t, strike_share=1.1, months=1, cost=1.0)
    for prices in ({}, {symbol: 0.0}):
        assert decided(panel, t, holdings=[replace(held, entry_prices=prices)]) == []


def test_a_hedge_is_not_sold_while_the_same_months_budget_would_buy_it_again(panel):
    first = rolls(panel)[1]
    held, _ = put_held(panel, first + 1, strike_share=1.1, months=1, cost=0.01)
    for t, sold in ((first + 1, False), (first + 2, True)):
        trade = replace(held, entry_session=panel.sessions[first + 1].item())
        closed = [draft for draft in decided(panel, t, holdings=[trade]) if draft.direction is Direction.CLOSE]
        assert bool(closed) is sold


def test_before_it_expires_a_hedge_that_is_bid_for_is_sold_and_one_that_is_not_is_left(panel):
    t = rolls(panel)[2]
    for share, rule in ((1.05, ["ROLL"]), (0.70, [])):
        held, symbol = put_held(panel, t, strike_share=share, months=0, cost=1.0)
        assert (option_market(panel).quote(symbol, t, "CLOSE").bid > 0) is bool(rule)
        drafts = decided(panel, t, holdings=[held])
        assert [draft.metadata["rule"] for draft in drafts] == [*rule, "PPUT"]


def test_on_the_day_it_expires_a_hedge_is_left_to_its_settlement(panel):
    t = rolls(panel)[2] + 1
    held, _ = put_held(panel, t - 1, strike_share=1.05, months=0, cost=1.0)
    assert all(draft.direction is not Direction.CLOSE for draft in decided(panel, t, holdings=[held]))


# --- what is lacking


def test_without_a_vix_it_says_what_to_import_and_buys_nothing(panel):
    t = rolls(panel)[1]
    torn = without(panel, "VIX", slice(t - 10, t + 1))
    features = STRATEGY.prepare(torn, PARAMS)
    lack = STRATEGY.lack(torn, features, t, PARAMS)
    assert "VIX" in lack and "manage.py import_bars PATH" in lack
    assert STRATEGY.decide(torn, features, t, PARAMS, ()) == []
    assert STRATEGY.lack(panel, STRATEGY.prepare(panel, PARAMS), t, PARAMS) == ""


def test_scaled_by_the_vix_it_needs_that_sessions_own(panel):
    t, params = rolls(panel)[1], TailHedgeParams(by_vix=True)
    torn = without(panel, "VIX", slice(t, t + 1))
    features = STRATEGY.prepare(torn, params)
    assert (
        STRATEGY.lack(torn, features, t, params)
        == f"There is no bar of the VIX on {panel.sessions[t]}: import it (manage.py import_bars PATH)."
    )
    assert STRATEGY.decide(torn, features, t, params, ()) == []


def test_without_spy_and_the_index_it_abstains(panel):
    t = rolls(panel)[1]
    torn = without(without(panel, "SPY"), "SPX")
    features = STRATEGY.prepare(torn, PARAMS)
    assert "import" in STRATEGY.lack(torn, features, t, PARAMS)
    assert STRATEGY.decide(torn, features, t, PARAMS, ()) == []


def test_without_spy_the_mini_index_serves(panel):
    t = rolls(panel)[1]
    torn = without(panel, "SPY")
    assert STRATEGY.lack(torn, STRATEGY.prepare(torn, PARAMS), t, PARAMS) == ""
    (draft,) = decided(torn, t)
    assert draft.group.startswith("XSP/TH/")


def test_vxth_abstains_without_vix_options(panel):
    t, params = rolls(panel)[1], TailHedgeParams(form="VXTH")
    features = STRATEGY.prepare(panel, params)
    assert "manage.py import_chain PATH" in STRATEGY.lack(panel, features, t, params)
    assert STRATEGY.decide(panel, features, t, params, ()) == []


def test_vxth_buys_the_call_of_thirty_delta():
    day, expiry = date(2019, 3, 20), date(2019, 4, 17)
    chain = SyntheticMarket("VIX", day, "CLOSE", 16.0, 0.02, 0.0, stock_surface(0.9)).chain([expiry])
    hedge = hedge_of(chain, expiry, TailHedgeParams(form="VXTH"))
    (leg,) = hedge.legs
    deltas = chain.of(expiry, "C").delta
    assert (leg.contract.right, leg.direction) == ("C", Direction.LONG)
    assert abs(leg.quote.delta - 0.30) == pytest.approx(np.abs(deltas - 0.30).min())
    assert hedge.max_loss == pytest.approx(leg.quote.ask)


@pytest.mark.parametrize("form", ["PPUT", "LADDER", "VXTH"])
def test_an_empty_or_a_crossed_chain_gives_no_hedge(panel, form):
    t, params = rolls(panel)[1], TailHedgeParams(form=form)
    expiry = STRATEGY.prepare(panel, ONCE).targets[t]
    chain = option_market(panel).chain("SPY", t, expirations=[expiry])
    assert hedge_of(chain, expiry, params) is not None
    assert hedge_of(chain.where(np.zeros(len(chain), bool)), expiry, params) is None
    assert hedge_of(chain, date(2030, 1, 18), params) is None
    for broken in ({"bid": chain.ask + 0.05}, {"ask": np.full(len(chain), np.nan)}, {"ask": chain.ask * 0, "bid": chain.bid * 0}):
        assert hedge_of(replace(chain, **broken), expiry, params) is None
    unknown = replace(chain, **{name: np.full(len(chain), np.nan) for name in ("delta", "iv")})
    assert (hedge_of(unknown, expiry, params) is None) is (form != "PPUT")


@pytest.mark.parametrize("form", ["PPUT", "LADDER"])
@pytest.mark.parametrize("cut", [61, 90, 117, 143])
def test_cutting_history_off_changes_nothing_before_the_cut(panel, form, cut):
    params = TailHedgeParams(form=form, monetise_at=2.0)
    whole, _ = traded(STRATEGY, panel, params, 0, len(panel.sessions) - 1)
    part, _ = traded(STRATEGY, panel.until(panel.sessions[cut].item()), params, 0, cut)
    assert part == whole[: cut + 1]
    assert entries(part)


# --- real markets


def test_on_spy_and_the_vix_each_roll_from_2013_to_2019_buys_one_sane_put(market_fixtures):
    panel = real_panel(market_fixtures)
    decisions, ended = traded(STRATEGY, panel, PARAMS, column(panel, "2013-01-02"), column(panel, "2019-12-31"))
    drafts = entries(decisions)
    assert len(drafts) == 84
    for draft in drafts:
        assert 0.1 < draft.entry_price < 5 and draft.score > 5
        assert -0.4 < draft.metadata["deltas"][0] < -0.02
    rules = [trade.rule for trade in ended]
    # December 2018 or February 2018 paid; most months cost their premium.
    assert 2 <= rules.count("MONETISE") <= 15 and rules.count("SETTLED") > 50
    assert all(trade.profit > 0 for trade in ended if trade.rule == "MONETISE")
    assert sum(trade.profit for trade in ended) < 0
    assert np.mean([draft.metadata["carry"] for draft in drafts]) < 0


@pytest.mark.django_db
def test_a_stored_chain_is_bought_from_at_its_own_ask(market_fixtures):
    chains_import(path=market_fixtures / "options/spy_chain_2023-09-14.csv.gz")
    panel = real_panel(market_fixtures)
    t = column(panel, "2023-09-14")  # the day before an expiration
    (draft,) = decided(panel, t)
    rows = pd.read_csv(market_fixtures / "options/spy_chain_2023-09-14.csv.gz", parse_dates=["expiration"])
    puts = rows[(rows["type"] == "put") & (rows["expiration"] == "2023-10-20") & (rows["strike"] <= 0.95 * 450.81)]
    row = puts.loc[puts["strike"].idxmax()]
    assert (draft.legs[0].symbol, draft.entry_price) == (row["contract"], row["ask"])
    assert draft.metadata["synthetic"] is False
    assert draft.metadata["deltas"][0] == pytest.approx(row["delta"], abs=0.02)


def test_every_known_answer_holds():
    answers = STRATEGY.known_answers()
    assert len(answers) == 4 and all(answer.holds for answer in answers)
