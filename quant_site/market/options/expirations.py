"""Which options are listed: expiration days as they are known on a session, and the strikes around a price.

Monthly options expire on the third Friday; where the exchange is closed then, on the session before. Until February 2015
the contracts named the Saturday after it, but last traded on the Friday: here they expire on the Friday as well. Weekly
and quarterly expirations are not made up.
"""

from datetime import date, timedelta
from functools import lru_cache

import numpy as np
from dateutil.easter import easter

from quant_site.core.errors import InvalidInput
from quant_site.market.sessions import calendar_span, is_session, previous_session

MONTHS = 13
# From Juneteenth's first year as a holiday on, it can fall on a third Friday, or on the Saturday after one.
JUNETEENTH_SINCE = 2022
# Spot below which the step holds; strikes from half to one and a half times the spot.
STEPS = ((25.0, 0.5), (200.0, 1.0), (1000.0, 5.0), (np.inf, 10.0))
LOWEST, HIGHEST = 0.5, 1.5
# Options on the S&P 500's fund and its mini index: every dollar near the spot, as others once far from it.
DOLLAR_STRIKES = frozenset({"SPY", "XSP"})
DOLLAR_RANGE = 0.15
DOLLAR_EVERYWHERE_BELOW = 100.0


@lru_cache(maxsize=4096)
def monthly_expiration(year: int, month: int) -> date:
    """The last day on which that month's options trade."""
    first = date(year, month, 1)
    friday = first + timedelta(days=(4 - first.weekday()) % 7 + 14)
    first_session, last_session = calendar_span()
    if first_session <= friday <= last_session:
        return friday if is_session(friday) else previous_session(friday)
    return friday - timedelta(days=1) if _holiday(friday) else friday


def _holiday(friday: date) -> bool:
    """Whether a third Friday beyond the calendar of sessions is a holiday: only these two can fall on one."""
    juneteenth = friday.year >= JUNETEENTH_SINCE and friday.month == 6 and friday.day in (18, 19)
    return juneteenth or friday == easter(friday.year) - timedelta(days=2)


@lru_cache(maxsize=65536)
def monthly_expirations(session: date, months: int = MONTHS) -> tuple[date, ...]:
    """The monthly expirations after `session`, ascending, up to those of `months` months later at least."""
    count = session.year * 12 + session.month - 1
    days = (monthly_expiration(*_month(count + ahead)) for ahead in range(months + 2))
    return tuple(day for day in days if day > session)[: months + 1]


def _month(count: int) -> tuple[int, int]:
    return count // 12, count % 12 + 1


def expiry_near(session: date, days: int) -> date:
    """The listed expiration whose distance from `session` is closest to `days` calendar days; the earlier of two."""
    if days < 0:
        raise InvalidInput("bad_days", f"An expiration cannot be {days} days ahead: use 0 or more.", days=days)
    listed = monthly_expirations(session)
    return min(listed, key=lambda day: (abs((day - session).days - days), day))


def strike_grid(underlying: str, spot: float) -> np.ndarray:
    """The strikes listed while `underlying` stands at `spot`: ascending, half to one and a half times the spot.

    Steps of 0.50 below 25, 1 below 200, 5 below 1000 and 10 from there. SPY and XSP: 1 within 15 % of the spot and 5
    beyond it, 1 everywhere while they stand below 100.
    """
    step = next(step for limit, step in STEPS if spot < limit)
    if underlying not in DOLLAR_STRIKES:
        return _strikes(spot * LOWEST, spot * HIGHEST, step)
    if spot < DOLLAR_EVERYWHERE_BELOW:
        return _strikes(spot * LOWEST, spot * HIGHEST, 1.0)
    near = _strikes(spot * (1 - DOLLAR_RANGE), spot * (1 + DOLLAR_RANGE), 1.0)
    return np.union1d(near, _strikes(spot * LOWEST, spot * HIGHEST, 5.0))


def _strikes(low: float, high: float, step: float) -> np.ndarray:
    first = max(np.ceil(low / step), 1)
    return np.arange(first, np.floor(high / step) + 1) * step
