"""NYSE sessions: holidays, half days, distances, and the session that is over."""

from datetime import UTC, date, datetime, timedelta

import exchange_calendars
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_site.core.errors import DataMissing
from quant_site.market import sessions

days = st.dates(date(1990, 1, 2), date(2026, 12, 1))


@pytest.fixture(scope="module")
def oracle():
    return exchange_calendars.get_calendar("XNYS", start="1990-01-01")


@given(day=days)
def test_it_agrees_with_the_exchange_calendar(oracle, day):
    assert sessions.is_session(day) == oracle.is_session(day.isoformat())
    following = oracle.date_to_session((day + timedelta(days=1)).isoformat(), "next").date()
    assert sessions.next_session(day) == following
    if day > date(1990, 1, 2):
        assert sessions.previous_session(day) == oracle.date_to_session((day - timedelta(days=1)).isoformat(), "previous").date()


@given(first=days, last=days)
def test_distance_counts_sessions_and_is_antisymmetric(first, last):
    assert sessions.session_distance(first, last) == -sessions.session_distance(last, first)
    if first <= last:
        assert sessions.session_distance(first, last) == len(sessions.sessions_between(first + timedelta(days=1), last))


def test_holidays_and_unplanned_closures_are_no_sessions():
    closed = [date(2012, 10, 29), date(2001, 9, 11), date(2018, 12, 5), date(2021, 7, 5), date(2025, 1, 9), date(2024, 1, 6)]
    assert not any(sessions.is_session(day) for day in closed)
    assert sessions.next_session(date(2001, 9, 10)) == date(2001, 9, 17)


def test_a_half_day_closes_at_one_in_new_york():
    half = date(2023, 11, 24)
    assert sessions.session_open(half) == datetime(2023, 11, 24, 14, 30, tzinfo=UTC)
    assert sessions.session_close(half) == datetime(2023, 11, 24, 18, 0, tzinfo=UTC)
    assert sessions.session_close(date(2023, 7, 5)) == datetime(2023, 7, 5, 20, 0, tzinfo=UTC)


def test_a_session_is_completed_at_its_close_and_not_before():
    close = sessions.session_close(date(2024, 3, 11))
    assert sessions.last_completed_session(close) == date(2024, 3, 11)
    assert sessions.last_completed_session(close - timedelta(seconds=1)) == date(2024, 3, 8)
    assert sessions.last_completed_session(datetime(2024, 3, 10, 23, tzinfo=UTC)) == date(2024, 3, 8)


def test_arrays_and_lists_name_the_same_sessions():
    first, last = date(2015, 12, 20), date(2016, 1, 10)
    assert sessions.session_array(first, last).tolist() == sessions.sessions_between(first, last)
    some = np.array(["2015-12-24", "2015-12-25", "NaT", "1900-01-01", "2999-01-01"], dtype="datetime64[D]")
    assert sessions.are_sessions(some).tolist() == [True, False, False, False, False]


def test_the_calendar_reaches_from_1990_to_a_year_ahead_and_says_where_it_ends():
    first, last = sessions.calendar_span()
    assert first <= date(1990, 1, 2)
    assert last >= datetime.now(UTC).date() + timedelta(days=360)
    with pytest.raises(DataMissing, match=r"outside the calendar, which covers 1962-01-02"):
        sessions.next_session(date(2200, 1, 1))
    with pytest.raises(DataMissing, match="is not a session"):
        sessions.session_open(date(2024, 12, 25))
    with pytest.raises(DataMissing):
        sessions.next_session(last)


def test_a_time_is_not_taken_for_a_session():
    with pytest.raises(TypeError):
        sessions.next_session(datetime(2024, 1, 2, tzinfo=UTC))
    with pytest.raises(ValueError, match="aware"):
        sessions.last_completed_session(datetime(2024, 1, 2))  # noqa: DTZ001
