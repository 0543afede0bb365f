"""NYSE sessions: which days the exchange trades, and when it opens and closes (half days included).

A session is a `datetime.date`. The calendar (exchange_calendars, XNYS) runs from 1962, where daily bars of US stocks
begin, to one year after this process started; a day outside raises `DataMissing("outside_calendar")`.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
from exchange_calendars.exchange_calendar_xnys import XNYSExchangeCalendar

from quant_site.core.errors import DataMissing

NEW_YORK = ZoneInfo("America/New_York")
FIRST_DAY = "1962-01-02"
DAYS_AHEAD = 366


@dataclass(frozen=True)
class _Calendar:
    """The calendar as plain lists: a look-up is one bisection, about a microsecond."""

    days: list[date]
    array: np.ndarray
    opens: list[datetime]
    closes: list[datetime]


@cache
def _calendar() -> _Calendar:
    end = datetime.now(UTC).date() + timedelta(days=DAYS_AHEAD)
    calendar = XNYSExchangeCalendar(start=FIRST_DAY, end=end.isoformat())
    array = calendar.sessions.to_numpy().astype("datetime64[D]")
    array.setflags(write=False)
    opens, closes = ([at.astimezone(UTC) for at in times.dt.to_pydatetime()] for times in (calendar.opens, calendar.closes))
    return _Calendar(array.tolist(), array, opens, closes)


def _covered(day: date) -> date:
    """`day` as a plain date that the calendar covers."""
    if isinstance(day, datetime):
        raise TypeError("A session is a date, not a time: use last_completed_session(at) to come from one to the other.")
    days = _calendar().days
    if not days[0] <= day <= days[-1]:
        raise DataMissing("outside_calendar", f"{day} is outside the calendar, which covers {days[0]} to {days[-1]}.", day=str(day))
    return day


def calendar_span() -> tuple[date, date]:
    """First and last session of the calendar."""
    days = _calendar().days
    return days[0], days[-1]


def is_session(day: date) -> bool:
    """Whether the exchange trades on `day`; False outside the calendar."""
    days = _calendar().days
    at = bisect_left(days, day)
    return at < len(days) and days[at] == day


def sessions_between(first: date, last: date) -> list[date]:
    """The sessions from `first` to `last`, both included; empty when there is none."""
    days = _calendar().days
    return days[bisect_left(days, first) : bisect_right(days, last)]


def session_array(first, last) -> np.ndarray:
    """The same as datetime64[D], for arrays; `first` and `last` are dates or datetime64. Read-only."""
    array = _calendar().array
    start, end = np.datetime64(first, "D"), np.datetime64(last, "D")
    return array[np.searchsorted(array, start) : np.searchsorted(array, end, side="right")]


def are_sessions(days: np.ndarray) -> np.ndarray:
    """Whether each of `days` (datetime64[D], NaT allowed) is a session."""
    array = _calendar().array
    at = np.minimum(np.searchsorted(array, days), len(array) - 1)
    return array[at] == days


def next_session(day: date) -> date:
    """The first session after `day`, which need not be one."""
    days = _calendar().days
    at = bisect_right(days, _covered(day))
    return days[at] if at < len(days) else _covered(day + timedelta(days=1))


def previous_session(day: date) -> date:
    """The last session before `day`, which need not be one."""
    days = _calendar().days
    at = bisect_left(days, _covered(day))
    return days[at - 1] if at else _covered(day - timedelta(days=1))


def session_distance(first: date, last: date) -> int:
    """How many sessions lie after `first` up to and including `last`; negative when `last` comes before `first`.

    A day without trading counts as the session before it.
    """
    days = _calendar().days
    return bisect_right(days, _covered(last)) - bisect_right(days, _covered(first))


def session_open(session: date) -> datetime:
    """When `session` opens: aware, UTC."""
    return _calendar().opens[_position(session)]


def session_close(session: date) -> datetime:
    """When `session` closes: aware, UTC; 13:00 in New York on half days."""
    return _calendar().closes[_position(session)]


def market_is_open(at: datetime) -> bool:
    """Whether `at` (aware) lies within the regular hours of a session."""
    day = at.astimezone(NEW_YORK).date()
    return is_session(day) and session_open(day) <= at < session_close(day)


def trading_session(at: datetime) -> date:
    """The session that trades at `at` (aware) or traded last: the one a fill at that time belongs to."""
    day = at.astimezone(NEW_YORK).date()
    return day if is_session(day) and at >= session_open(day) else previous_session(day)


def last_completed_session(at: datetime) -> date:
    """The last session whose close is at or before `at` (aware)."""
    if at.tzinfo is None:
        raise ValueError("last_completed_session takes aware times only.")
    calendar = _calendar()
    position = bisect_right(calendar.closes, at) - 1
    if position < 0:
        raise DataMissing("outside_calendar", f"{at} is before the calendar, which begins on {calendar.days[0]}.", day=str(at))
    return calendar.days[position]


def _position(session: date) -> int:
    days = _calendar().days
    at = bisect_left(days, _covered(session))
    if days[at] != session:
        raise DataMissing("not_a_session", f"{session} is not a session: the exchange is closed that day.", day=str(session))
    return at
