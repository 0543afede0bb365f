"""How options end without an order: expiry, early exercise against their writer, a split of their underlying."""

from datetime import date
from decimal import Decimal

import pytest

from quant_site.core.errors import DataMissing
from quant_site.market.options.closing import ClosingPrices
from quant_site.market.options.contracts import parse_contract
from quant_site.market.options.lifecycle import Settlement, settlements, splits_at, trades_after
from tests.options_desk import EXPIRY, option, quoted
from tests.orders_world import DAYS, FLAT, panel_of

D = Decimal
CALL, PUT, LATE = option("C", 95), option("P", 105), option("C", 95, date(2019, 2, 15))
LAST = DAYS.index(EXPIRY)
# Quoted in cents, so that a dividend can be told from rounding.
CENTS = (100.25, 101.25, 99.25, 100.25)


def flat(length=20, **symbols):
    return panel_of({"SPY": [FLAT] * length, **symbols})


def paying(dividend: float, *, mid: float, right="C", strike=95.25, quote=True):
    """Spot 100.25; the dividend's ex-date is DAYS[2], before which the option stands at `mid`."""
    factor = 1 - dividend / 100.25
    panel = panel_of({"SPY": [CENTS] * 5}, {"SPY": [factor, factor, 1.0, 1.0, 1.0]})
    symbol = option(right, strike)
    return quoted(panel, {symbol: (mid - 0.1, mid + 0.1)} if quote else {}), symbol


# --- expiry


def test_on_the_last_session_each_option_is_worth_its_exercise_at_the_raw_close():
    panel = quoted(panel_of({"SPY": [FLAT] * LAST + [(100, 104, 99, 103)]}), {})
    held = {CALL: D(2), PUT: D(-1), LATE: D(1), "SPY": D(100)}
    assert settlements(held, panel, LAST, "CLOSE") == [Settlement(CALL, "EXPIRY", 8.0), Settlement(PUT, "EXPIRY", 2.0)]


def test_before_its_last_session_nothing_expires_and_at_the_open_nothing_does():
    panel = quoted(flat(LAST + 1), {})
    assert settlements({CALL: D(1)}, panel, LAST - 1, "CLOSE") == []
    assert settlements({CALL: D(1)}, panel, LAST, "OPEN") == []


def test_what_is_worth_nothing_expires_all_the_same():
    panel = quoted(flat(LAST + 1), {})
    assert settlements({option("C", 120): D(5)}, panel, LAST, "CLOSE") == [Settlement(option("C", 120), "EXPIRY", 0.0)]


def test_a_contract_that_names_a_saturday_ends_on_the_friday():
    saturday = option("C", 95, date(2019, 1, 19))
    panel = quoted(flat(LAST + 1), {})
    assert settlements({saturday: D(1)}, panel, LAST, "CLOSE") == [Settlement(saturday, "EXPIRY", 5.0)]


def test_without_a_bar_on_the_last_session_the_close_before_counts():
    panel = quoted(panel_of({"SPY": [FLAT] * LAST + [None], "KO": [FLAT] * (LAST + 1)}), {})
    assert settlements({CALL: D(1)}, panel, LAST, "CLOSE") == [Settlement(CALL, "EXPIRY", 5.0)]


def test_an_option_on_what_never_had_a_price_cannot_be_settled_and_says_so():
    panel = quoted(panel_of({"KO": [FLAT] * (LAST + 1)}), {})
    with pytest.raises(DataMissing, match="import bars of SPY"):
        settlements({CALL: D(1)}, panel, LAST, "CLOSE")


def test_a_contract_trades_up_to_its_expiration_day():
    assert trades_after(parse_contract(CALL), DAYS[LAST - 1])
    assert not trades_after(parse_contract(CALL), DAYS[LAST])


# --- early exercise


@pytest.mark.parametrize(
    ("quantity", "dividend", "mid", "exercised"),
    [
        (-3, 1.00, 5.60, True),  # 0.60 of time value are less than the dividend
        (-3, 0.50, 5.60, False),
        (3, 1.00, 5.60, False),  # whether to exercise what is held is the holder's business
    ],
)
def test_a_writer_is_assigned_before_a_dividend_that_is_worth_more_than_the_time_value(quantity, dividend, mid, exercised):
    panel, symbol = paying(dividend, mid=mid)
    expected = [Settlement(symbol, "ASSIGNMENT", 5.0)] if exercised else []
    assert settlements({symbol: D(quantity)}, panel, 2, "OPEN") == expected
    assert settlements({symbol: D(quantity)}, panel, 1, "OPEN") == []


@pytest.mark.parametrize(
    "case",
    [
        {"mid": 0.30, "strike": 101.0},  # out of the money: nobody pays 101 for what costs 100
        {"mid": 5.10, "right": "P", "strike": 105.25},
        {"mid": 5.10, "quote": False},
    ],
    ids=["out of the money", "put", "no quote"],
)
def test_nobody_is_assigned_otherwise(case):
    panel, symbol = paying(1.0, **case)
    assert settlements({symbol: D(-1)}, panel, 2, "OPEN") == []


def test_european_options_are_never_exercised_early():
    factor = [1 - 1 / 100.25] * 2 + [1.0]
    panel = panel_of({"SPX": [CENTS] * 3}, {"SPX": factor})
    european, american = option("C", 95.25, underlying="SPX"), option("C", 95.25, underlying="SPXL")
    quoted(panel, {european: (5.0, 5.2)})
    assert settlements({european: D(-1)}, panel, 2, "OPEN") == []
    funds = quoted(panel_of({"SPXL": [CENTS] * 3}, {"SPXL": factor}), {american: (5.0, 5.2)})
    assert len(settlements({american: D(-1)}, funds, 2, "OPEN")) == 1, "the same on a fund is"


# --- splits


def test_a_split_ends_the_contract_at_its_last_mid_or_its_exercise_where_it_had_none():
    half = (50.0, 51.0, 49.0, 50.0)
    panel = panel_of({"SPY": [FLAT, FLAT, half, half]}, {"SPY": [0.5, 0.5, 1.0, 1.0]})
    quoted(panel, {CALL: {(1, "CLOSE"): (5.4, 5.6)}})
    assert splits_at({"SPY", "KO"}, panel, 2) == {"SPY"}
    held = {CALL: D(1), LATE: D(-1)}
    assert settlements(held, panel, 2, "OPEN") == [Settlement(CALL, "SPLIT", 5.5), Settlement(LATE, "SPLIT", 5.0)]
    assert settlements(held, panel, 3, "OPEN") == []


def test_what_happens_to_an_underlying_in_the_background_counts_as_well():
    symbol = option("C", 95.25)
    market = panel_of({"KO": [FLAT] * 5, "SPY": [CENTS] * 5}, {"SPY": [1 - 1 / 100.25] * 2 + [1.0] * 3})
    alone = quoted(market.select(["KO"]), {symbol: (5.5, 5.7)})
    assert settlements({symbol: D(-1)}, alone, 2, "OPEN") == [Settlement(symbol, "ASSIGNMENT", 5.0)]


# --- closing prices


def test_closing_prices_hold_shares_and_price_options_when_they_are_asked_for():
    panel = quoted(flat(), {CALL: {(3, "CLOSE"): (5.0, 5.5)}})
    prices = ClosingPrices({"SPY": 100.0}, panel, 3)
    assert (prices["SPY"], prices[CALL], prices.get(PUT)) == (100.0, 5.25, None)
    assert dict(prices) == {"SPY": 100.0}
    assert CALL in prices
    assert PUT not in prices
    assert ClosingPrices({}, panel, 3)["SPY"] == 100.0, "an underlying that is not among the closes"
    assert ClosingPrices({}, panel, 4).get(CALL) is None
