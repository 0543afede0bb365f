"""Limits that an account may have beyond the first ones: each stops what it names, nothing else, and never a hedge."""

from dataclasses import fields, replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_site.core.limits import LIMIT_FIELDS
from quant_site.core.types import Direction
from strategies.risk import RiskLimits
from strategies.risk.groups import correlations, group_value, sector_values
from tests.risk_world import CALL, CONTEXT, LOW_PUT, PUT, HandMarket, codes, context, terms, trade

DRINKS = HandMarket(sectors={"KO": "Staples", "PEP": "Staples", "XOM": "Energy"})


def test_the_limits_are_the_columns_of_the_account():
    known = {each.name for each in fields(RiskLimits)}
    assert known <= set(LIMIT_FIELDS)
    assert set(LIMIT_FIELDS) - known <= {"close_unprotected"}


def test_nothing_is_limited_by_what_is_not_set():
    held = context(exposures={"KO": Decimal("60000"), "XOM": Decimal("-60000")}, cash=Decimal("1000000"))
    assert codes(trade({"PEP": 700}), held) == []


def test_limits_read_back_from_stored_settings_are_equal():
    limits = RiskLimits(0.2, 1.0, 0.2, 0.01, 0.01, 3, True, restricted=["MO", "KO"])
    stored = {each.name: getattr(limits, each.name) for each in fields(limits)} | {"restricted": ["KO", "MO"]}
    assert RiskLimits(**stored) == limits
    assert hash(RiskLimits(**stored)) == hash(limits)


# --- sectors


def test_a_sector_counts_what_is_held_and_on_its_way_in_all_its_names():
    held = context(DRINKS, limits={"max_sector_pct": 0.30}, exposures={"PEP": Decimal("15000")}, pending={"PEP": Decimal("5000")})
    assert codes(trade({"KO": 200}), held) == []
    assert codes(trade({"KO": 201}), held) == ["SECTOR"]
    assert codes(trade({"XOM": 375}), held) == []


def test_long_and_short_of_a_sector_net_and_a_hedge_passes_while_the_limit_is_exceeded():
    held = context(DRINKS, limits={"max_sector_pct": 0.10}, exposures={"PEP": Decimal("20000")})
    assert codes(trade({"KO": 1}), held) == ["SECTOR"]
    assert codes(trade({"KO": -1}), held) == []
    assert codes(trade({"KO": -700}), held) == [], "the sector would be 15,000 short: less than it is long"
    assert codes(trade({"KO": -900}), held) == ["SECTOR"]


def test_a_name_without_a_sector_is_one_of_its_own():
    held = context(HandMarket(), limits={"max_sector_pct": 0.20}, exposures={"PEP": Decimal("19000")})
    assert codes(trade({"KO": 390}), held) == []
    assert codes(trade({"PEP": 20}), held) == ["SECTOR"]


def test_what_options_can_lose_counts_in_the_sector_of_their_underlying():
    funds = HandMarket(sectors={"SPY": "Funds", "XOM": "Funds"})
    held = context(funds, limits={"max_sector_pct": 0.10}, exposures={"XOM": Decimal("9000")})
    spread = trade({PUT: -1, LOW_PUT: 1}, held)
    assert spread.needed_for_options == pytest.approx(1600)
    assert codes(spread, held) == ["SECTOR"]


@given(st.dictionaries(st.sampled_from("ABCDE"), st.floats(-1e6, 1e6), max_size=5), st.integers(0, 5))
def test_values_of_sectors_are_at_most_gross_and_together_at_least_net(shares, split):
    values = sector_values(shares, {}, lambda name: "first" if name < "ABCDEF"[split] else "second")
    assert sum(values.values()) <= sum(map(abs, shares.values())) + 1e-6
    assert sum(values.values()) >= abs(sum(shares.values())) - 1e-6


# --- groups


def test_names_that_move_together_count_where_they_are_the_same_bet():
    market = HandMarket(pairs={("KO", "PEP"): 0.9, ("KO", "XOM"): -0.85})
    limits = {"max_group_pct": 0.30}
    same = context(market, limits=limits, exposures={"PEP": Decimal("20000"), "XOM": Decimal("-9000")})
    assert codes(trade({"KO": 20}), same) == []
    assert codes(trade({"KO": 21}), same) == ["CORRELATED_GROUP"]
    other = replace(same, exposures={"PEP": Decimal("-20000"), "XOM": Decimal("9000")})
    assert codes(trade({"KO": 600}), other) == []
    assert codes(trade({"KO": -21}), other) == ["CORRELATED_GROUP"]


def test_names_below_the_level_or_of_no_known_correlation_are_no_group():
    market = HandMarket(pairs={("KO", "PEP"): 0.79})
    held = context(market, limits={"max_group_pct": 0.20}, exposures={"PEP": Decimal("20000"), "XOM": Decimal("20000")})
    assert codes(trade({"KO": 400}), held) == []
    loose = replace(held, limits=replace(held.limits, group_correlation=0.75))
    assert codes(trade({"KO": 1}), loose) == ["CORRELATED_GROUP"]


def test_the_legs_of_a_pair_do_not_count_as_one_bet():
    held = context(HandMarket(pairs={("KO", "PEP"): 0.95}), limits={"max_group_pct": 0.20})
    assert codes(trade({"KO": 400, "PEP": -200}), held) == []
    assert codes(trade({"KO": 400, "PEP": 200}), held) == ["CORRELATED_GROUP"]


def test_options_of_a_group_count_either_way():
    held = context(HandMarket(pairs={("KO", "SPY"): 0.9}), limits={"max_group_pct": 0.10}, option_margins={"SPY": 8000.0})
    assert codes(trade({"KO": 40}), held) == []
    assert codes(trade({"KO": 41}), held) == ["CORRELATED_GROUP"]
    assert codes(trade({"KO": -41}), held) == ["CORRELATED_GROUP"]
    shares = replace(held, exposures={"KO": Decimal("-9000")}, option_margins={})
    assert codes(trade({CALL: 1}, shares), shares) == [], "one call can lose 800"
    assert codes(trade({CALL: 2}, shares), shares) == ["CORRELATED_GROUP"]


@given(st.integers(0, 2**32 - 1), st.floats(0, 0.4))
def test_correlations_are_those_of_numpy_over_the_sessions_that_both_have(seed, missing):
    rng = np.random.default_rng(seed)
    common = rng.normal(0, 0.01, 252)
    rows = common * rng.uniform(-1, 1, (4, 1)) + rng.normal(0, 0.01, (4, 252))
    rows[rng.random(rows.shape) < missing] = np.nan
    found = correlations(rows[0], rows[1:])
    for row, value in zip(rows[1:], found, strict=True):
        both = np.isfinite(rows[0]) & np.isfinite(row)
        if both.sum() < 126:
            assert np.isnan(value)
        else:
            assert value == pytest.approx(np.corrcoef(rows[0][both], row[both])[0, 1], abs=1e-9)


def test_what_does_not_move_correlates_with_nothing():
    assert np.isnan(correlations(np.zeros(252), np.ones((1, 252)))).all()


@given(
    st.dictionaries(st.sampled_from("ABCD"), st.floats(-1e5, 1e5), max_size=4),
    st.dictionaries(st.sampled_from("BCD"), st.floats(-1, 1) | st.just(float("nan")), max_size=3),
    st.floats(0, 1),
)
def test_the_two_directions_of_a_group_never_count_a_share_twice(shares, known, level):
    both = sum(group_value("A", direction, shares, {}, known, level) for direction in (1, -1))
    assert both <= sum(map(abs, shares.values())) * (1 + 1e-12) + 1e-6


# --- net, notionals, symbols


def test_net_exposure_is_limited_either_way_and_nearing_zero_passes():
    held = context(limits={"max_net_exposure": 0.10}, exposures={"PEP": Decimal("-20000")})
    assert codes(trade({"KO": -1}), held) == ["NET_EXPOSURE"]
    assert codes(trade({"KO": 500}), held) == []
    assert codes(trade({"KO": 700}), held) == [], "15,000 net is less than 20,000 was"
    assert codes(trade({"KO": 801}), held) == ["NET_EXPOSURE"]


def test_options_count_in_net_exposure_by_their_delta():
    market = HandMarket(options={PUT: terms(PUT, delta=-0.4)})
    held = context(market, limits={"max_net_exposure": 0.10}, exposures={"SPY": Decimal("20000")}, contracts={PUT: 1.0})
    assert held.holdings.net.value == pytest.approx(20000 - 0.4 * 280 * 100)
    unquoted = replace(held, market=HandMarket())
    assert codes(trade({"KO": 1}), unquoted) == ["MISSING_GREEK"]


def test_amounts_of_a_symbol_and_of_an_order_do_not_grow_with_the_account():
    rich = context(limits={"max_symbol_notional": 20000.0, "max_order_notional": 10000.0}, equity=Decimal("10000000"))
    held = replace(rich, exposures={"KO": Decimal("15000")})
    assert codes(trade({"KO": 100}), held) == []
    assert codes(trade({"KO": 101}), held) == ["SYMBOL_NOTIONAL"]
    assert codes(trade({"PEP": 100}), held) == []
    assert codes(trade({"PEP": 101}), held) == ["ORDER_NOTIONAL"]
    assert codes(trade({PUT: -7, LOW_PUT: 7}), held) == ["ORDER_NOTIONAL"], "seven spreads can lose 11,200"


def test_a_barred_underlying_bars_its_options_and_closing_passes():
    barred = context(limits={"restricted": ("SPY",)})
    assert codes(trade({CALL: 1}), barred) == ["RESTRICTED"]
    assert codes(trade({"SPY": 1}), barred) == ["RESTRICTED"]
    assert codes(trade({"KO": 1}), barred) == []
    assert codes(replace(trade({CALL: -1}), direction=Direction.CLOSE), barred) == []


@pytest.mark.parametrize(
    ("quantities", "least"),
    [({"KO": 10}, 0), ({CALL: 1}, 1), ({PUT: -1, LOW_PUT: 1}, 2), ({PUT: 1, LOW_PUT: -1}, 2), ({PUT: -1}, 3), ({PUT: -2, LOW_PUT: 1}, 3)],
)
def test_each_level_of_options_lets_pass_what_is_allowed_at_it(quantities, least):
    for level in range(4):
        found = codes(trade(quantities), context(limits={"options_level": level}))
        assert (found == ["OPTIONS_LEVEL"]) == (level < least), (level, found)


def test_a_naked_option_of_which_nothing_is_claimed_counts_as_what_it_locks():
    naked = trade({PUT: -1})
    assert naked.loss == naked.locks == pytest.approx(20 / 100 * 280 * 100 - 10 * 100)


# --- day trades


def test_the_count_is_kept_under_its_rule_only():
    for rule, expected in (("LEGACY_COUNT", ["DAY_TRADES"]), ("INTRADAY_MARGIN", []), ("CASH_ACCOUNT", []), ("OFF", [])):
        assert codes(trade({"KO": 1}), context(limits={"day_trade_rule": rule}, day_trades=3)) == expected


def test_a_cash_account_sells_nothing_short_and_pays_with_what_has_arrived():
    account = context(limits={"day_trade_rule": "CASH_ACCOUNT"}, cash=Decimal("10000"), unsettled=Decimal("4000"))
    assert codes(trade({"KO": 120}), account) == []
    assert codes(trade({"KO": 121}), account) == ["UNSETTLED_CASH"]
    assert codes(trade({"KO": -1}), account) == ["SHORT_NOT_ALLOWED"]
    assert codes(trade({PUT: -1}), account)[0] == "SHORT_NOT_ALLOWED"
    assert codes(trade({PUT: -1, LOW_PUT: 1}), account) == []


@pytest.mark.parametrize(
    ("quantities", "exposures", "equity", "passes"),
    [
        ({"KO": 400}, {}, 5000, True),  # a quarter of 20,000
        ({"KO": 400}, {}, 4999, False),
        ({"KO": -400}, {}, 6000, True),  # 30 % of 20,000
        ({"KO": -400}, {}, 5999, False),
        ({"KO": 400}, {"PEP": Decimal("-10000")}, 8000, True),
        ({"KO": 400}, {"PEP": Decimal("-10000")}, 7999, False),
    ],
)
def test_the_intraday_margin_level_may_not_fall_below_nothing(quantities, exposures, equity, passes):
    limits = {"day_trade_rule": "INTRADAY_MARGIN", "max_position_pct": 99.0, "max_gross_exposure": 99.0}
    account = context(limits=limits, exposures=exposures, equity=Decimal(equity), cash=Decimal("1000000"))
    assert codes(trade(quantities), account) == ([] if passes else ["INTRADAY_MARGIN"])


@pytest.mark.parametrize(("price", "per_share"), [(50, 15), (10, 5), (4, 4), (2, 2.5)])
def test_cheap_shares_sold_short_ask_for_a_fixed_amount_a_share(price, per_share):
    limits = {"day_trade_rule": "INTRADAY_MARGIN", "max_position_pct": 99.0, "max_gross_exposure": 99.0}
    exact = context(
        limits=limits, prices=CONTEXT.prices | {"KO": float(price)}, equity=Decimal(str(1000 * per_share)), cash=Decimal("1000000")
    )
    assert codes(trade({"KO": -1000}, exact), exact) == []
    less = replace(exact, equity=exact.equity - 1)
    assert codes(trade({"KO": -1000}, less), less) == ["INTRADAY_MARGIN"]


def test_what_belongs_to_no_strategy_has_no_share_and_is_counted_all_the_same():
    held = context(limits={"max_gross_exposure": 0.5}, strategy_exposures={1: Decimal("50000")})
    by_hand = trade({"KO": 100}, strategy_id=None)
    assert codes(trade({"KO": 100}), held) == ["STRATEGY_SHARE"]
    assert codes(by_hand, held) == []
    after = held.with_entry(by_hand)
    assert (after.gross, dict(after.strategy_exposures)) == (5000.0, {1: Decimal("50000")})
