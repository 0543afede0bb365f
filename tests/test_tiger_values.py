"""Tiger's numbers, times and contracts, and the prices a contract can have."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tigeropen.common.util.contract_utils import get_option_identifier

from quant_site.market.options.contracts import OptionContract, parse_contract
from quant_site.market.tiger.ticks import COMBO_TICKS, OPTION_TICKS, STOCK_TICKS, on_tick, ticks_of
from quant_site.market.tiger.values import day, identifier_of, identity, milliseconds, moment, number, scaled, symbol_of, wire_contract
from trading.brokers import base
from trading.brokers.tiger.translate import legs_of, status_of

WORDS = st.one_of(st.text(), st.sampled_from(["Infinity", "NaN", "-", "1e400"]))
WILD = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), WORDS, st.lists(st.integers()))
OCC = "AAPL250815C00227500"


@given(WILD)
def test_whatever_comes_a_number_is_finite_or_none(value):
    found = number(value)
    assert found is None or (found.is_finite() and abs(found) < 10**15)


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan"), "Infinity", "", None, True, 1.7976931348623157e308])
def test_what_stands_for_none_is_none(value):
    assert number(value) is None


@given(st.integers(-(10**9), 10**9), st.integers(0, 6))
def test_a_scaled_quantity_is_the_integer_with_its_point(value, scale):
    assert scaled(value, scale) == Decimal(value) / 10**scale


@given(st.one_of(WILD, st.integers(1, 10**19)))
def test_an_id_is_digits_however_large(value):
    text = identity(value)
    assert text == "" or int(text) == int(value) != 0


@given(st.integers(10**9, 4 * 10**9))
def test_a_time_goes_out_and_comes_back(seconds):
    at = datetime.fromtimestamp(seconds, UTC)
    assert abs((moment(milliseconds(at)) - at).total_seconds()) < 0.001


@given(st.one_of(WILD, st.integers()))
def test_whatever_comes_a_time_is_one_or_none(value):
    assert moment(value) is None or moment(value).tzinfo is UTC


@pytest.mark.parametrize("value", ["20250815", "2025-08-15", 1755230400000, milliseconds(date(2025, 8, 15))])
def test_a_day_is_read_in_every_form(value):
    assert day(value) == date(2025, 8, 15)


@pytest.mark.parametrize("value", [None, "", "soon", "20251315", 0, [], "2025"])
def test_what_is_no_day_is_none(value):
    assert day(value) is None


@pytest.mark.parametrize(
    "item",
    [
        {"symbol": "AAPL", "secType": "OPT", "expiry": "20250815", "strike": "227.5", "right": "CALL"},
        {"symbol": "AAPL", "secType": "OPT", "expiry": 1755230400000, "strike": 227.5, "right": "C"},
        {"symbol": "AAPL", "expiry": "2025-08-15", "strike": "227.50", "right": "call"},
        {"symbol": "AAPL", "secType": "OPT", "identifier": "AAPL  250815C00227500"},
    ],
)
def test_an_option_is_named_by_its_parts_or_its_identifier(item):
    assert symbol_of(item) == OCC


@pytest.mark.parametrize(
    "item", [{"symbol": "brk.b", "secType": "STK"}, {"symbol": "BRK.B"}, {"symbol": "BRK.B", "secType": "STK", "right": None}]
)
def test_a_stock_is_named_by_its_symbol(item):
    assert symbol_of(item) == "BRK.B"


@given(st.integers(1, 99_999_999), st.sampled_from("CP"))
def test_every_strike_goes_out_exactly_and_comes_back(thousandths, right):
    contract = OptionContract("SPY", date(2026, 3, 20), right, Decimal(thousandths) / 1000)
    wire = wire_contract(contract.symbol)
    assert Decimal(wire.strike) == contract.strike
    parts = {"symbol": wire.symbol, "secType": wire.sec_type, "expiry": wire.expiry, "strike": wire.strike, "right": wire.right}
    assert symbol_of(parts) == contract.symbol
    assert parse_contract("".join(identifier_of(contract).split())) == contract


@pytest.mark.parametrize("strike", ["2.01", "8.19", "16.13"])
def test_cent_strikes_that_the_sdk_cuts_are_whole_here(strike):
    contract = OptionContract("F", date(2026, 3, 20), "C", Decimal(strike))
    assert get_option_identifier("F", "20260320", "CALL", strike) != identifier_of(contract)
    assert identifier_of(contract) == f"F     260320C{int(Decimal(strike) * 1000):08d}"


# --- ticks

TABLES = [STOCK_TICKS, OPTION_TICKS, COMBO_TICKS]
PRICES = st.decimals("0.0001", "5000", places=6)


@given(PRICES, st.sampled_from(TABLES), st.sampled_from(["BUY", "SELL"]))
def test_a_price_lands_on_a_tick_and_never_on_the_worse_side(price, ticks, side):
    found = on_tick(price, ticks, side)
    tick = next(tick for tick in reversed(ticks) if price >= tick.begin)
    assert (found / tick.size) % 1 == 0
    assert abs(found - price) < tick.size
    assert found <= price if side == "BUY" else found >= price


@given(st.decimals("-50", "50", places=6), st.sampled_from(["BUY", "SELL"]))
def test_a_credit_lands_on_a_cent_and_never_on_the_worse_side(price, side):
    found = on_tick(price, COMBO_TICKS, side)
    assert (found * 100) % 1 == 0
    assert found <= price if side == "BUY" else found >= price


@given(PRICES, st.sampled_from(TABLES), st.sampled_from(["BUY", "SELL"]))
def test_what_lies_on_a_tick_stays_and_survives_the_way_through_a_float(price, ticks, side):
    once = on_tick(price, ticks, side)
    assert on_tick(once, ticks, side) == once
    assert Decimal(repr(float(once))) == once


def test_tigers_table_is_read_and_one_that_is_none_is_not():
    table = [
        {"begin": "1", "end": "Infinity", "type": "OPEN", "tickSize": 0.01},
        {"begin": "0", "end": "1", "type": "CLOSED", "tickSize": 0.0001},
    ]
    assert ticks_of(table) == STOCK_TICKS
    assert ticks_of([*table, {"begin": "x"}]) == ticks_of(None) == ()


# --- what an order's state is


@pytest.mark.parametrize(
    ("raw", "filled", "status"),
    [
        ("Initial", 0, base.WORKING), ("PendingSubmit", 0, base.WORKING), ("Submitted", 4, base.WORKING),
        ("PendingCancel", 4, base.WORKING),
        ("PartiallyFilled", 4, base.WORKING), ("something new", 0, base.WORKING), (None, 0, base.WORKING), (5, 0, base.WORKING),
        ("Filled", 10, base.FILLED), ("Submitted", 10, base.FILLED), ("Cancelled", 10, base.FILLED), ("Inactive", 10, base.FILLED),
        ("Cancelled", 0, base.CANCELLED), ("Cancelled", 4, base.CANCELLED), (4, 0, base.CANCELLED),
        ("Inactive", 0, base.REJECTED), (7, 0, base.REJECTED), ("Inactive", 4, base.CANCELLED),
        ("Invalid", 0, base.EXPIRED), (-2, 0, base.EXPIRED), ("Invalid", 4, base.EXPIRED),
    ],
)  # fmt: skip
def test_a_state_follows_from_the_raw_word_and_from_what_is_filled(raw, filled, status):
    assert status_of({"status": raw, "totalQuantity": 10, "filledQuantity": filled}) == status


def test_selling_a_combination_turns_its_legs():
    legs = [{"symbol": "A", "action": "BUY"}, {"symbol": "B", "action": "SELL"}]
    assert [leg["action"] for leg in legs_of({"action": "BUY", "legs": legs})] == ["BUY", "SELL"]
    assert [leg["action"] for leg in legs_of({"action": "SELL", "legs": legs})] == ["SELL", "BUY"]
