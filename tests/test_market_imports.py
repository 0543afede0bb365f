"""Rows of a file: each becomes a bar or is rejected with its number, date and reason."""

from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_site.core.errors import InvalidInput
from quant_site.market.imports import REASONS, columns_clean, parse_bars
from quant_site.market.sessions import is_session

AT = datetime(2024, 6, 12, 15, 0, tzinfo=UTC)  # a Wednesday, the session still trades
GOOD = {"date": "2024-06-03", "open": 10.0, "high": 11.0, "low": 9.0, "close": 10.5, "adj_close": 10.4, "volume": 100}


def parse(*rows, **options):
    frame = pd.DataFrame([GOOD | row for row in rows])
    return parse_bars(frame.set_axis(frame.index + 2, axis=0), at=AT, **options)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"date": "03/06/2024"}, "BAD_DATE"),
        ({"date": ""}, "BAD_DATE"),
        ({"date": "2024-02-30"}, "BAD_DATE"),
        ({"date": None}, "BAD_DATE"),
        ({"date": "2024-06-13"}, "FUTURE_DATE"),
        ({"date": "2199-06-13"}, "FUTURE_DATE"),
        ({"date": "2024-06-12"}, "FUTURE_DATE"),
        ({"date": "2024-06-08"}, "NOT_A_SESSION"),
        ({"date": "2023-12-25"}, "NOT_A_SESSION"),
        ({"date": "1929-10-29"}, "NOT_A_SESSION"),
        ({"close": None}, "NOT_A_NUMBER"),
        ({"close": "abc"}, "NOT_A_NUMBER"),
        ({"high": float("inf")}, "NOT_A_NUMBER"),
        ({"adj_close": float("nan")}, "NOT_A_NUMBER"),
        ({"volume": "many"}, "NOT_A_NUMBER"),
        ({"close": -10.5}, "NEGATIVE_PRICE"),
        ({"low": 0}, "NEGATIVE_PRICE"),
        ({"adj_close": -0.01}, "NEGATIVE_PRICE"),
        ({"volume": -1}, "NEGATIVE_VOLUME"),
        ({"high": 8.0, "open": 8.5, "close": 8.5}, "HIGH_BELOW_LOW"),
        ({"close": 11.2}, "OPEN_CLOSE_OUTSIDE_RANGE"),
        ({"open": 8.9}, "OPEN_CLOSE_OUTSIDE_RANGE"),
    ],
)
def test_a_bad_row_is_rejected_for_its_reason_and_the_others_stay(change, reason):
    parsed = parse({}, {"date": "2024-06-04"} | change, {"date": "2024-06-05"})
    assert [(each["row"], each["reason"]) for each in parsed.rejections] == [(3, reason)]
    assert parsed.rejections[0]["detail"]
    assert parsed.frame["date"].dt.date.tolist() == [date(2024, 6, 3), date(2024, 6, 5)]


def test_of_rows_with_one_date_the_first_good_one_is_kept():
    parsed = parse({"close": -1.0}, {"close": 10.1}, {"close": 10.2}, {"close": 10.1})
    assert parsed.frame["close"].tolist() == [10.1]
    assert [(each["row"], each["reason"]) for each in parsed.rejections] == [
        (2, "NEGATIVE_PRICE"),
        (4, "DUPLICATE_DATE"),
        (5, "DUPLICATE_DATE"),
    ]


def test_rounding_outside_the_range_widens_it_and_is_counted():
    parsed = parse({"close": 11.05}, {"date": "2024-06-04", "open": 8.96}, {"date": "2024-06-05"})
    assert parsed.repaired == 2 and not parsed.rejections
    assert parsed.frame["high"].tolist() == [11.05, 11.0, 11.0]
    assert parsed.frame["low"].tolist() == [9.0, 8.96, 9.0]


def test_rows_are_put_in_order_of_date():
    parsed = parse({"date": "2024-06-05", "close": 10.3}, {"date": "2024-06-03", "close": 10.1}, {"date": "2024-06-04", "close": 10.2})
    assert parsed.frame["close"].tolist() == [10.1, 10.2, 10.3]


def test_a_futures_price_may_be_negative_but_not_zero():
    row = {"open": 17.73, "high": 17.85, "low": -40.32, "close": -37.63, "adj_close": -37.63}
    assert parse(row, allow_negative=True).frame["close"].tolist() == [-37.63]
    assert parse(row).rejections[0]["reason"] == "NEGATIVE_PRICE"
    assert parse({"low": 0.0}, allow_negative=True).rejections[0]["reason"] == "NEGATIVE_PRICE"


def test_without_adjusted_closes_prices_count_as_adjusted_and_unknown_volume_stays_unknown():
    frame = pd.DataFrame([GOOD]).drop(columns=["adj_close", "volume"])
    parsed = parse_bars(frame, at=AT)
    assert parsed.frame["adj_close"].tolist() == [10.5] and parsed.frame["volume"].isna().all()
    assert parse({"volume": None}).frame["volume"].isna().all()


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(["2024-06-03 00:00:00-04:00"]),
        pd.Series(["20240603"]),
        pd.Series([20240603]),
        pd.Series([date(2024, 6, 3)]),
        pd.to_datetime(pd.Series(["2024-06-03 23:30"])).dt.tz_localize("America/New_York"),
        pd.to_datetime(pd.Series(["2024-06-03"])),
    ],
    ids=["offset", "compact", "number", "objects", "zoned", "timestamps"],
)
def test_dates_are_read_in_every_form_that_files_have(column):
    parsed = parse_bars(pd.DataFrame([GOOD]).assign(date=column), at=AT)
    assert parsed.frame["date"].dt.date.tolist() == [date(2024, 6, 3)], parsed.rejections


def test_columns_are_found_under_their_usual_names():
    frame = pd.DataFrame(columns=["Date", " Open", "HIGH", "Low", "Close", "Adj Close", "Volume", "Ticker", "Dividends"])
    assert list(columns_clean(frame, "x.csv")) == ["date", "open", "high", "low", "close", "adj_close", "volume", "symbol"]
    with pytest.raises(InvalidInput, match=r"x\.csv lacks the column low, close; its columns are: date, open, high, price"):
        columns_clean(pd.DataFrame(columns=["date", "open", "high", "price"]), "x.csv")
    with pytest.raises(InvalidInput, match="more than one column for close"):
        columns_clean(pd.DataFrame(columns=["date", "open", "high", "low", "close", "Close"]), "x.csv")


number = st.one_of(st.floats(), st.integers(-5, 50), st.sampled_from(["", "x", None, "12.5"]))
day = st.one_of(st.dates(date(2024, 5, 20), date(2024, 6, 30)).map(str), st.text(max_size=12), st.none(), st.dates().map(str))
rows = st.lists(
    st.fixed_dictionaries({"date": day} | dict.fromkeys(("open", "high", "low", "close", "adj_close", "volume"), number)),
    min_size=1,
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(rows=rows)
def test_whatever_comes_in_each_row_is_a_sound_bar_or_one_rejection(rows):
    frame = pd.DataFrame(rows, dtype=object)
    parsed = parse_bars(frame, at=AT)
    good = parsed.frame
    assert len(good) + len(parsed.rejections) == len(rows)
    assert {each["reason"] for each in parsed.rejections} <= set(REASONS)
    assert len({each["row"] for each in parsed.rejections}) == len(parsed.rejections)
    prices = good[["open", "high", "low", "close", "adj_close"]].to_numpy(dtype=float)
    assert np.isfinite(prices).all() and (prices > 0).all()
    assert (good["high"] >= good[["open", "close", "low"]].max(axis=1)).all() and (good["low"] <= good[["open", "close"]].min(axis=1)).all()
    assert good["date"].is_monotonic_increasing and good["date"].is_unique
    assert all(is_session(each) and each < date(2024, 6, 12) for each in good["date"].dt.date)
    assert not (good["volume"] < 0).any()
