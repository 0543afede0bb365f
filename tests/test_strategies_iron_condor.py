"""Iron condor: what it sells and when, its expected value, what closes it early, and what it says it lacks."""

from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.integrate import quad
from scipy.stats import lognorm

from quant_site.core.types import Direction
from quant_site.market.chains.services import chains_import
from quant_site.market.options.contracts import parse_contract
from quant_site.market.options.quotes import option_market
from quant_site.market.sessions import session_distance
from strategies.drafts import draft_from_json, draft_to_json
from strategies.library.iron_condor import IronCondor, IronCondorParams, condor_of, near_short_strike
from strategies.library.option_trades import dividend_due, forecast_of, open_trades
from strategies.library.structures import terms_of
from tests.option_strategies_world import column, entries, held_trade, made_panel, quantlib_values, real_panel, traded, without

STRATEGY = IronCondor()
ANY = IronCondorParams(least_edge=-1)
ONCE = IronCondorParams(least_edge=-1, entry_window=1)
CLOSE, LONG, SHORT = Direction.CLOSE, Direction.LONG, Direction.SHORT


@pytest.fixture(autouse=True)
def no_stored_chains(market_dir):
    """No test here reads the chains of the installation."""


@pytest.fixture(scope="module")
def panel():
    return made_panel()


@pytest.fixture(scope="module")
def first(panel):
    """The first entry with a forecast."""
    forecast = forecast_of(panel, "SPY", 21)
    return next(t for t, target in enumerate(STRATEGY.prepare(panel, ONCE).targets) if target and np.isfinite(forecast[t]))


def decided(panel, t, params=ANY, holdings=()):
    return STRATEGY.decide(panel, STRATEGY.prepare(panel, params), t, params, tuple(holdings))


def condor_held(panel, t, draft=None, *, days_ago=10, credit=None):
    """The condor of `draft` (one unit), held since `days_ago` sessions; its entry prices bring `credit`."""
    quantities = {leg.symbol: float(leg.direction.sign) for leg in draft.legs}
    quotes = {symbol: option_market(panel).quote(symbol, t, "CLOSE").mid for symbol in quantities}
    if credit is not None:
        symbol = draft.legs[1].symbol  # the short put takes what is left over
        others = sum(number * quotes[each] for each, number in quantities.items() if each != symbol)
        quotes[symbol] = credit + others
    return replace(held_trade(quantities, quotes, panel.sessions[t - days_ago].item(), SHORT), group=draft.group)


# --- when


def test_it_is_sold_at_the_close_of_each_monthly_expiration_for_the_next(panel):
    targets = STRATEGY.prepare(panel, ONCE).targets
    fridays = pd.date_range("2016-01-01", "2018-03-31", freq="WOM-3FRI").date  # none of them a holiday
    expected = dict(pairwise(fridays))
    days = panel.sessions.astype(object)
    assert {days[t]: target for t, target in enumerate(targets) if target} == {day: expected[day] for day in fridays if day <= days[-1]}


@pytest.mark.parametrize("days", [30, 45, 60])
def test_with_days_it_is_sold_on_the_first_session_at_most_so_long_before_expiry(panel, days):
    params = IronCondorParams(days=days, entry_window=1)
    sessions = panel.sessions.astype(object)
    found = {target: sessions[t] for t, target in enumerate(STRATEGY.prepare(panel, params).targets) if target}
    assert len(found) > 20
    for target, day in found.items():
        before = sessions[np.searchsorted(sessions, day) - 1]
        assert (target - day).days <= days < (target - before).days


def test_an_entry_that_was_refused_is_tried_again_within_the_window(panel, first):
    assert [bool(decided(panel, t)) for t in range(first - 1, first + 4)] == [False, True, True, True, False]
    (draft,) = decided(panel, first)
    held = condor_held(panel, first + 1, draft, days_ago=0)
    assert decided(panel, first + 1, holdings=[held]) == []


def test_one_that_expires_today_does_not_stand_in_the_way_of_the_next(panel, first):
    (draft,) = decided(panel, first)
    expiry = panel.index(parse_contract(draft.legs[0].symbol).expiry)
    held = condor_held(panel, expiry, draft)
    (following,) = decided(panel, expiry, holdings=[held])
    assert following.direction is SHORT and following.group != draft.group


# --- what


def test_it_sells_twenty_delta_and_buys_five_delta_for_a_credit(panel, first):
    (draft,) = decided(panel, first)
    assert [leg.direction for leg in draft.legs] == [LONG, SHORT, SHORT, LONG]
    contracts = [parse_contract(leg.symbol) for leg in draft.legs]
    assert [contract.right for contract in contracts] == list("PPCC")
    assert sorted(contracts, key=lambda contract: contract.strike) == contracts
    assert np.abs(draft.metadata["deltas"]) == pytest.approx([0.05, 0.20, 0.20, 0.05], abs=0.015)
    quotes = [option_market(panel).quote(leg.symbol, first, "CLOSE") for leg in draft.legs]
    credit = quotes[1].bid + quotes[2].bid - quotes[0].ask - quotes[3].ask
    wing = max(contracts[1].strike - contracts[0].strike, contracts[3].strike - contracts[2].strike)
    assert (draft.direction, draft.entry_price) == (SHORT, pytest.approx(credit))
    assert draft.unit_risk == pytest.approx(100 * (float(wing) - credit))
    assert draft.risk_share == 0.02
    assert draft.metadata["break_evens"] == pytest.approx([float(contracts[1].strike) - credit, float(contracts[2].strike) + credit])
    assert draft.group == f"SPY/IC/{contracts[0].expiry:%y%m%d}"
    assert draft_from_json(draft_to_json(draft)) == draft


def test_its_deltas_are_those_of_quantlib(panel, first):
    (draft,) = decided(panel, first)
    session = panel.sessions[first].item()
    chain = option_market(panel).chain("SPY", first, expirations=[parse_contract(draft.legs[0].symbol).expiry])
    for leg, iv, delta in zip(draft.legs, draft.metadata["ivs"], draft.metadata["deltas"], strict=True):
        theirs = quantlib_values(parse_contract(leg.symbol), session, chain.spot, chain.rate, chain.dividend_yield, iv)
        assert delta == pytest.approx(theirs["delta"], abs=2e-4)


def test_its_score_is_the_expected_profit_over_the_maximum_loss_under_the_forecast(panel, first):
    (draft,) = decided(panel, first)
    expiry = parse_contract(draft.legs[0].symbol).expiry
    chain = option_market(panel).chain("SPY", first, expirations=[expiry])
    sessions = session_distance(panel.sessions[first].item(), expiry)
    deviation = np.sqrt(forecast_of(panel, "SPY", 21)[first] * sessions)
    law = lognorm(s=deviation, scale=terms_of(chain, expiry).forward * np.exp(-(deviation**2) / 2))
    strikes = draft.metadata["strikes"]

    def profit(spot):
        k1, k2, k3, k4 = strikes
        worth = max(k1 - spot, 0) - max(k2 - spot, 0) - max(spot - k3, 0) + max(spot - k4, 0)
        return worth + draft.metadata["credit"] - 4 * 0.0065

    expected = quad(lambda spot: profit(spot) * law.pdf(spot), strikes[0] * 0.5, strikes[3] * 1.5, points=strikes, limit=300)[0]
    assert draft.metadata["expected"] == pytest.approx(expected, abs=2e-4)
    assert draft.score == pytest.approx(expected / draft.metadata["max_loss"], abs=1e-5)
    # It cannot win more than its credit nor lose more than its wing.
    assert -1 < draft.score < draft.metadata["credit"] / draft.metadata["max_loss"]


def test_one_whose_score_is_below_the_least_edge_is_not_sold(panel, first):
    (draft,) = decided(panel, first)
    for edge, sold in ((draft.score - 1e-6, True), (draft.score + 1e-6, False)):
        assert bool(decided(panel, first, IronCondorParams(least_edge=edge))) is sold


def test_wings_lie_beyond_what_is_sold():
    with pytest.raises(ValidationError, match="long_delta must be below short_delta"):
        IronCondorParams(long_delta=0.2)
    with pytest.raises(ValidationError, match="exit_days must be fewer than days"):
        IronCondorParams(days=20, exit_days=21)


# --- what closes it


def rules(drafts) -> list[str]:
    return [draft.metadata["rule"] for draft in drafts if draft.direction is CLOSE]


def test_by_default_it_is_held_to_expiry_whatever_it_has_earned(panel, first):
    (draft,) = decided(panel, first)
    assert rules(decided(panel, first + 8, holdings=[condor_held(panel, first + 8, draft, credit=50.0)])) == []


def test_at_the_share_of_its_maximum_profit_it_is_closed_at_what_that_costs(panel, first):
    (draft,) = decided(panel, first)
    t, market = first + 8, option_market(panel)
    quotes = {leg.symbol: market.quote(leg.symbol, t, "CLOSE") for leg in draft.legs}
    closing_costs = sum(
        -leg.direction.sign * (quotes[leg.symbol].bid if leg.direction is LONG else quotes[leg.symbol].ask) for leg in draft.legs
    )
    params = IronCondorParams(take_profit=0.5)
    # Half of the credit is left to pay where the credit is twice what closing costs.
    for credit, closed in ((2.02 * closing_costs, True), (1.98 * closing_costs, False)):
        assert rules(decided(panel, t, params, [condor_held(panel, t, draft, credit=credit)])) == ["TAKE_PROFIT"] * closed


def test_a_profit_is_not_taken_while_the_entry_would_be_repeated(panel, first):
    (draft,) = decided(panel, first)
    params = IronCondorParams(take_profit=0.5, least_edge=-1)
    for t, ago, closed in ((first + 1, 0, False), (first + 2, 1, True)):
        assert rules(decided(panel, t, params, [condor_held(panel, t, draft, credit=50.0, days_ago=ago)])) == ["TAKE_PROFIT"] * closed


def test_without_entry_prices_no_profit_is_made_up(panel, first):
    (draft,) = decided(panel, first)
    held = replace(condor_held(panel, first + 8, draft), entry_prices={})
    assert decided(panel, first + 8, IronCondorParams(take_profit=0.05), [held]) == []


def test_so_many_days_before_expiry_it_is_closed(panel, first):
    (draft,) = decided(panel, first)
    expiry, params = parse_contract(draft.legs[0].symbol).expiry, IronCondorParams(exit_days=21)
    for t in range(first + 3, panel.index(expiry) - 1):
        due = (expiry - panel.sessions[t].item()).days <= 21
        assert rules(decided(panel, t, params, [condor_held(panel, t, draft)])) == ["TIME_EXIT"] * due


def eve_with(panel, draft, spot_share: float):
    """The panel in which SPY stands at `spot_share` of the short call's strike on the eve of expiry, and that column."""
    t = panel.index(parse_contract(draft.legs[0].symbol).expiry) - 1
    strike = float(parse_contract(draft.legs[2].symbol).strike)
    arrays = {name: getattr(panel, name).copy() for name in ("open", "high", "low", "close")}
    for values in arrays.values():
        values[panel.row("SPY"), t] = strike * spot_share
    return replace(panel, **arrays), t


@pytest.mark.parametrize("spot_share, closed", [(0.99, False), (0.9951, True), (0.9949, False), (1.0, True), (1.05, True)])
def test_on_the_eve_of_expiry_it_is_closed_where_a_short_strike_is_near_or_in_the_money(panel, first, spot_share, closed):
    (draft,) = decided(panel, first)
    changed, t = eve_with(panel, draft, spot_share)
    assert rules(decided(changed, t, holdings=[condor_held(changed, t, draft)])) == ["PIN_RISK"] * closed


def test_options_settled_in_cash_are_left_to_their_expiry(panel, first):
    torn = without(panel, "SPY")
    (draft,) = decided(torn, first)
    assert draft.group.startswith("XSP/IC/")
    t = torn.index(parse_contract(draft.legs[0].symbol).expiry) - 1
    held = condor_held(torn, t, draft)
    (trade,) = open_trades([held], torn.sessions[t].item())
    assert near_short_strike(trade, float(parse_contract(draft.legs[2].symbol).strike), 0.0)
    assert rules(decided(torn, t, ANY, [held])) == []


def test_where_the_spot_is_not_known_before_expiry_it_is_closed(panel, first):
    (draft,) = decided(panel, first)
    t = panel.index(parse_contract(draft.legs[0].symbol).expiry) - 1
    held = condor_held(panel, t, draft)
    torn = without(panel, "SPY", slice(t, t + 1))
    assert rules(decided(torn, t, holdings=[held])) == ["PIN_RISK"]


# --- dividends


def paying(ex_dates: dict[date, float]):
    """A panel of SPY that pays a share of its price on each of the days."""
    factor, panel = np.ones(520), made_panel()
    for day, share in ex_dates.items():
        factor[: panel.index(day)] *= 1 - share
    return made_panel(factor=factor)


def spread_held(panel, t, strike_share: float):
    """A call spread sold a month ago at this share of the spot of column t, expiring in July 2017."""
    strike = round(option_market(panel).spot("SPY", t) * strike_share)
    legs = {f"SPY170721C{strike * 1000:08d}": -1.0, f"SPY170721C{(strike + 10) * 1000:08d}": 1.0}
    return held_trade(legs, dict.fromkeys(legs, 1.0), panel.sessions[t - 20].item(), SHORT)


# The third Tuesday of June 2016, so expected on that of June 2017.
EX_DATE, EXPECTED, EVE = date(2016, 6, 21), date(2017, 6, 20), date(2017, 6, 19)


@pytest.mark.parametrize("later", [{}, {EXPECTED: 0.02}, {date(2017, 6, 22): 0.15}])
def test_a_short_call_in_the_money_is_closed_at_the_last_chance_before_an_ex_date_whatever_comes_later(later):
    panel = paying({EX_DATE: 0.02, **later})
    eve, found = panel.index(EVE), {}
    for t in range(eve - 4, eve + 1):
        drafts = decided(panel, t, ANY, [spread_held(panel, t, 0.85)])
        found[t - eve] = rules(drafts)
        if drafts and drafts[0].metadata["rule"] == "EX_DIVIDEND":
            paid = 0.02 * panel.close[0, panel.index(EX_DATE) - 1]
            assert drafts[0].metadata["dividend"] == pytest.approx(paid, rel=0.03)
    # Tomorrow's open is before the ex-date only from the close before its eve.
    assert found == {-4: [], -3: [], -2: [], -1: ["EX_DIVIDEND"], 0: []}


def test_a_call_with_more_time_value_than_the_dividend_is_not_exercised_and_not_closed():
    panel = paying({EX_DATE: 0.001})
    t = panel.index(EVE) - 1
    assert decided(panel, t, ANY, [spread_held(panel, t, 0.995)]) == []


PAID = ((date(2016, 3, 18), 1.05), (date(2016, 6, 17), 1.08), (date(2016, 9, 16), 1.08), (date(2016, 12, 16), 1.33))


@pytest.mark.parametrize(
    "session, after, until, due",
    [
        # The third Friday of March again; the last dividend known is December's.
        (date(2017, 3, 15), date(2017, 3, 16), date(2017, 3, 17), 1.33),
        (date(2017, 3, 16), date(2017, 3, 17), date(2017, 3, 20), 0.0),
        (date(2017, 3, 14), date(2017, 3, 15), date(2017, 3, 16), 0.0),
        (date(2017, 2, 1), date(2017, 2, 1), date(2017, 7, 1), 1.33),
        (date(2017, 3, 17), date(2017, 3, 18), date(2017, 6, 15), 0.0),
        # Nothing is known of the year before, and what is paid later is not known yet.
        (date(2018, 6, 1), date(2018, 6, 1), date(2018, 7, 1), 0.0),
        (date(2016, 3, 17), date(2016, 3, 17), date(2017, 4, 1), 0.0),
        (date(2016, 3, 18), date(2017, 3, 16), date(2017, 3, 17), 1.05),
    ],
)
def test_a_dividend_is_expected_a_year_after_the_last_on_the_same_weekday_of_its_month(session, after, until, due):
    assert dividend_due(PAID, session, after, until) == due


@given(day=st.dates(date(2005, 1, 1), date(2023, 12, 31)))
def test_a_third_friday_returns_as_a_third_friday(day):
    month_start = day.replace(day=1)
    expected = month_start.replace(year=day.year + 1)
    expected += timedelta(days=(day.weekday() - expected.weekday()) % 7 + 7 * ((day.day - 1) // 7))
    before = expected - timedelta(days=1)
    assert dividend_due(((day, 1.0),), before, before, expected) == 1.0
    assert dividend_due(((day, 1.0),), before, expected, expected + timedelta(days=1)) == 0.0
    assert expected.weekday() == day.weekday()


# --- what is lacking


def test_without_a_vix_it_says_what_to_import(panel, first):
    torn = without(panel, "VIX")
    features = STRATEGY.prepare(torn, ANY)
    lack = STRATEGY.lack(torn, features, first, ANY)
    assert "VIX" in lack and "manage.py import_bars PATH" in lack
    assert STRATEGY.decide(torn, features, first, ANY, ()) == []


def test_without_enough_history_it_says_how_much_it_needs():
    panel = made_panel(200)
    features = STRATEGY.prepare(panel, ANY)
    t = max(t for t, target in enumerate(features.targets) if target)
    lack = STRATEGY.lack(panel, features, t, ANY)
    assert (
        lack == f"Needs 293 bars of SPY by {panel.sessions[t]} to forecast its variance: import earlier ones (manage.py import_bars PATH)."
    )
    assert STRATEGY.decide(panel, features, t, ANY, ()) == []
    assert STRATEGY.needs(ANY).sessions == 293


def test_an_empty_or_a_broken_chain_gives_no_condor(panel, first):
    expiry = STRATEGY.prepare(panel, ANY).targets[first]
    chain = option_market(panel).chain("SPY", first, expirations=[expiry])
    assert condor_of(chain, expiry, ANY) is not None
    assert condor_of(chain.where(np.zeros(len(chain), bool)), expiry, ANY) is None
    assert condor_of(chain, date(2030, 1, 18), ANY) is None
    nan = np.full(len(chain), np.nan)
    for broken in ({"bid": chain.ask + 0.05}, {"ask": nan}, {"bid": nan}, {"delta": nan}, {"bid": chain.bid * 0}):
        assert condor_of(replace(chain, **broken), expiry, ANY) is None
    # So dear are the wings that nothing is left of the credit.
    assert condor_of(replace(chain, ask=chain.ask + 5), expiry, ANY) is None
    # Only one strike a side: nothing lies beyond it.
    assert condor_of(chain.where(np.abs(chain.strike - chain.spot) < 1), expiry, ANY) is None


@pytest.mark.parametrize(
    "params", [ANY, IronCondorParams(least_edge=-1, days=45, short_delta=0.3, long_delta=0.16, take_profit=0.5, exit_days=21)]
)
@pytest.mark.parametrize("cut", [340, 402, 477])
def test_cutting_history_off_changes_nothing_before_the_cut(panel, params, cut):
    whole, _ = traded(STRATEGY, panel, params, 290, len(panel.sessions) - 1)
    part, _ = traded(STRATEGY, panel.until(panel.sessions[cut].item()), params, 290, cut)
    assert part == whole[: cut - 289]
    assert entries(part)


# --- real markets


def test_on_spy_and_the_vix_each_month_from_2013_to_2019_sells_one_sane_condor(market_fixtures):
    panel = real_panel(market_fixtures)
    decisions, ended = traded(STRATEGY, panel, ANY, column(panel, "2013-01-02"), column(panel, "2019-12-31"))
    drafts = entries(decisions)
    assert len(drafts) == 84
    for draft in drafts:
        credit, loss = draft.metadata["credit"], draft.metadata["max_loss"]
        assert 0 < credit < loss < 40
        assert np.abs(draft.metadata["deltas"]) == pytest.approx([0.05, 0.20, 0.20, 0.05], abs=0.04)
        assert -0.5 < draft.score < 0.3
    for trade in ended:
        # With the credit of its fill, a unit neither wins nor loses more than it can, but for the spread on the way out.
        numbers, prices, facts = trade.holding.quantities, trade.holding.entry_prices, trade.holding.metadata
        credit = -sum(number * prices[symbol] for symbol, number in numbers.items())
        wing = facts["credit"] + facts["max_loss"]
        assert credit - wing - 1.0 < trade.profit <= credit + 1e-9
    assert {trade.rule for trade in ended} == {"SETTLED", "PIN_RISK", "EX_DIVIDEND"}


def test_with_a_least_edge_only_condors_that_have_it_are_sold_and_by_default_all(market_fixtures):
    panel = real_panel(market_fixtures)
    first, last = column(panel, "2013-01-02"), column(panel, "2019-12-31")
    drafts = entries(traded(STRATEGY, panel, IronCondorParams(least_edge=0), first, last)[0])
    assert 5 < len(drafts) < 60
    assert min(draft.score for draft in drafts) >= 0
    every = entries(traded(STRATEGY, panel, IronCondorParams(), first, last)[0])
    assert len(every) > 80
    assert min(draft.score for draft in every) < 0


@pytest.mark.django_db
def test_a_stored_chain_is_sold_at_its_own_bids(market_fixtures):
    path = market_fixtures / "options/spy_chain_2023-09-14.csv.gz"
    chains_import(path=path)
    panel = real_panel(market_fixtures)
    t = column(panel, "2023-09-14")
    (draft,) = decided(panel, t, IronCondorParams(least_edge=-1, days=36))
    assert (draft.group, draft.metadata["synthetic"]) == ("SPY/IC/231020", False)
    rows = pd.read_csv(path).set_index("contract")
    legs = [rows.loc[leg.symbol] for leg in draft.legs]
    assert draft.metadata["credit"] == pytest.approx(legs[1]["bid"] + legs[2]["bid"] - legs[0]["ask"] - legs[3]["ask"], abs=1e-4)
    assert [abs(leg["delta"]) for leg in legs] == pytest.approx([0.05, 0.20, 0.20, 0.05], abs=0.02)


def test_every_known_answer_holds():
    answers = STRATEGY.known_answers()
    assert len(answers) == 4 and all(answer.holds for answer in answers)
