"""The last checks of one order: what its price, its likes and the market say, over whatever numbers come in."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.risk.orders import (
    MadeOrder,
    OrderContent,
    clock_skew,
    daily_loss,
    duplicate,
    order_rate,
    price_collar,
    quote_age,
    self_cross,
    share_tick,
    tick_and_lot,
)

NOW = datetime(2024, 5, 30, 14, 30, tzinfo=UTC)
prices = st.decimals("0.01", "100000", places=4)
wild = st.decimals(allow_nan=True, allow_infinity=True)
seconds = st.integers(-3600, 3600).map(lambda value: timedelta(seconds=value))


def code(violation) -> str | None:
    return violation and violation.code


# --- price collar


@pytest.mark.parametrize(
    ("limit", "quote", "expected"),
    [
        ("105", "100", None),
        ("105.01", "100", "PRICE_COLLAR"),
        ("95", "100", None),
        ("94.99", "100", "PRICE_COLLAR"),
        ("-1.05", "-1", None),
        ("1", "-1", "PRICE_COLLAR"),
        ("100", None, "NO_QUOTE"),
        ("100", "0", "NO_QUOTE"),
        ("100", "NaN", "NO_QUOTE"),
        ("NaN", "100", "PRICE"),
        (None, "100", None),
        (None, None, "NO_QUOTE"),
    ],
)
def test_a_limit_may_lie_within_a_share_of_the_quote_either_way(limit, quote, expected):
    limit, quote = (None if value is None else Decimal(value) for value in (limit, quote))
    assert code(price_collar(limit, quote, Decimal("0.05"))) == expected
    assert price_collar(limit, quote, None) is None


@given(limit=prices, quote=prices, share=st.decimals("0", "2", places=4))
def test_the_collar_is_exact(limit, quote, share):
    assert (price_collar(limit, quote, share) is None) == (quote * (1 - share) <= limit <= quote * (1 + share))


@given(limit=wild, quote=wild | st.none(), share=st.decimals("0", "1", places=3))
def test_no_number_makes_the_collar_fail_or_passes_as_one_it_is_not(limit, quote, share):
    found = price_collar(limit, quote, share)
    if quote is None or not quote.is_finite() or not limit.is_finite():
        assert found is not None


# --- tick and lot


@pytest.mark.parametrize(
    ("price", "quantity", "tick", "lot", "expected"),
    [
        ("10.01", "100", "0.01", "1", None),
        ("10.015", "100", "0.01", "1", "TICK"),
        ("10.05", "3", "0.05", "1", None),
        ("10.01", "3", "0.05", "1", "TICK"),
        ("-1.25", "1", "0.05", "1", None),
        (None, "150", "0.01", "100", "LOT"),
        (None, "200", "0.01", "100", None),
        (None, "0.5", "0.01", "1", "LOT"),
        (None, "0", "0.01", "1", "QUANTITY"),
        (None, "-5", "0.01", "1", "QUANTITY"),
        (None, "NaN", "0.01", "1", "QUANTITY"),
        (None, "Infinity", "0.01", "1", "QUANTITY"),
        ("NaN", "1", "0.01", "1", "PRICE"),
        ("-Infinity", "1", "0.01", "1", "PRICE"),
        ("0", "1", "0.01", "1", "PRICE"),
    ],
)
def test_quantities_are_whole_lots_and_prices_whole_ticks(price, quantity, tick, lot, expected):
    found = tick_and_lot(None if price is None else Decimal(price), Decimal(quantity), Decimal(tick), Decimal(lot))
    assert code(found) == expected


@given(ticks=st.integers(1, 10**9), lots=st.integers(1, 10**9), tick=st.sampled_from(["0.01", "0.05", "0.0001", "0.1", "1"]))
def test_every_whole_number_of_ticks_and_lots_passes_and_half_of_one_does_not(ticks, lots, tick):
    tick = Decimal(tick)
    assert tick_and_lot(ticks * tick, Decimal(lots), tick) is None
    assert code(tick_and_lot(ticks * tick + tick / 2, Decimal(lots), tick)) == "TICK"
    assert code(tick_and_lot(ticks * tick, lots + Decimal("0.5"), tick)) == "LOT"


@given(price=wild, quantity=wild)
def test_no_number_makes_tick_and_lot_fail(price, quantity):
    if tick_and_lot(price, quantity, Decimal("0.01")) is None:
        assert quantity > 0
        assert quantity == quantity.to_integral_value()
        assert price.is_finite()


def test_shares_below_a_dollar_trade_in_hundredths_of_a_cent():
    assert (share_tick(Decimal("1")), share_tick(Decimal("0.9999"))) == (Decimal("0.01"), Decimal("0.0001"))


# --- duplicates

ORDER = OrderContent("A", "KO", "BUY", Decimal("100"))


def made(seconds_ago, content=ORDER) -> MadeOrder:
    return MadeOrder(content, NOW - timedelta(seconds=seconds_ago))


@pytest.mark.parametrize(("ago", "expected"), [(0, "DUPLICATE"), (59.9, "DUPLICATE"), (60, None), (3600, None), (-5, "DUPLICATE")])
def test_an_equal_order_within_the_window_is_a_duplicate(ago, expected):
    assert code(duplicate(ORDER, NOW, [made(ago)], 60)) == expected
    assert duplicate(ORDER, NOW, [made(ago)], 60, confirmed=True) is None
    assert duplicate(ORDER, NOW, [made(ago)], 0) is None


@pytest.mark.parametrize(
    "other",
    [
        OrderContent("B", "KO", "BUY", Decimal("100")),
        OrderContent("A", "PEP", "BUY", Decimal("100")),
        OrderContent("A", "KO", "SELL", Decimal("100")),
        OrderContent("A", "KO", "BUY", Decimal("101")),
        OrderContent("A", "KO", "BUY", Decimal("100"), (("KO", "BUY", 1),)),
    ],
)
def test_orders_that_differ_in_anything_are_none(other):
    assert duplicate(ORDER, NOW, [made(1, other)], 60) is None


def test_the_number_of_zeros_makes_no_difference():
    assert code(duplicate(ORDER, NOW, [made(1, OrderContent("A", "KO", "BUY", Decimal("100.000000")))], 60)) == "DUPLICATE"


@given(st.lists(seconds, max_size=8), st.integers(1, 600))
def test_one_of_many_is_enough(ages, window):
    found = duplicate(ORDER, NOW, [MadeOrder(ORDER, NOW - age) for age in ages], window)
    assert (found is not None) == any(age.total_seconds() < window for age in ages)


# --- crossing oneself


@pytest.mark.parametrize(
    ("side", "price", "resting", "expected"),
    [
        ("BUY", "10", ["10"], "SELF_CROSS"),
        ("BUY", "10", ["10.01", "11"], None),
        ("BUY", "10", ["11", "9.99"], "SELF_CROSS"),
        ("SELL", "10", ["10"], "SELF_CROSS"),
        ("SELL", "10", ["9.99", "9"], None),
        ("SELL", "10", ["9", "10.01"], "SELF_CROSS"),
        ("BUY", None, ["10"], "SELF_CROSS"),
        ("BUY", None, [], None),
        ("BUY", "10", [None], "SELF_CROSS"),
    ],
)
def test_an_order_does_not_meet_one_of_its_own(side, price, resting, expected):
    levels = [None if level is None else Decimal(level) for level in resting]
    assert code(self_cross(side, None if price is None else Decimal(price), levels)) == expected


@given(price=prices, resting=st.lists(prices, max_size=6))
def test_crossing_is_meeting_any_of_them(price, resting):
    assert (self_cross("BUY", price, resting) is not None) == any(level <= price for level in resting)
    assert (self_cross("SELL", price, resting) is not None) == any(level >= price for level in resting)


# --- rates, ages, clocks, losses


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50) | st.none(), st.integers(0, 50) | st.none())
def test_rates_hold_back_the_order_that_would_be_one_too_many(sent, refused, most_sent, most_refused):
    found = order_rate(sent, refused, most_sent, most_refused)
    too_many = most_sent is not None and sent >= most_sent
    too_bad = most_refused is not None and refused >= most_refused
    assert code(found) == ("ORDER_RATE" if too_many else "REFUSAL_RATE" if too_bad else None)


def test_a_limit_of_n_lets_n_orders_pass_in_a_minute():
    sent = 0
    while order_rate(sent, 0, 3, None) is None:
        sent += 1
    assert sent == 3


@pytest.mark.parametrize(("age", "expected"), [(0, None), (60, None), (60.1, "STALE_QUOTE"), (-2, None), (-2.1, "STALE_QUOTE")])
def test_a_quote_is_neither_old_nor_from_the_future(age, expected):
    assert code(quote_age("KO", NOW - timedelta(seconds=age), NOW, 60)) == expected
    assert code(quote_age("KO", None, NOW, 60)) == "NO_QUOTE"


@given(seconds)
def test_clocks_may_differ_by_two_seconds(apart):
    assert (clock_skew(NOW + apart, NOW) is None) == (abs(apart.total_seconds()) <= 2)
    assert clock_skew(None, NOW) is None


@given(before=st.decimals("1", "1000000", places=2), limit=st.decimals("0.01", "1", places=2))
def test_a_loss_within_a_session_breaks_its_limit_from_that_loss_on(before, limit):
    at = before * (1 - limit)
    assert code(daily_loss(before, at, limit)) == "DAILY_LOSS"
    assert daily_loss(before, at + Decimal("0.0001"), limit) is None
    assert daily_loss(before, at, None) is None


def test_sentences_say_what_to_do_in_whole_words():
    said = [
        price_collar(Decimal("110"), Decimal("100"), Decimal("0.05")),
        duplicate(ORDER, NOW, [made(3)], 60),
        self_cross("BUY", Decimal("10"), [Decimal("9.5")]),
    ]
    assert [each.message for each in said] == [
        "The limit 110 lies 10.0% from the quote 100.",
        "An equal order was made 3 seconds before; confirm this one if you want both.",
        "It would trade with an order of the same account that rests at 9.5.",
    ]
    assert all(before.code != after.code for before, after in pairwise(said))
