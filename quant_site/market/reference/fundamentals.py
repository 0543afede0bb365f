"""Reported fundamentals as they were known: which report of a company stands at which session. Pure.

A report is known from the session after its filing date, since filings come after the close too. Where no filing date is
given it counts from the first session on or after the 90th day past the end of its period: the longest that the SEC
gives for a 10-K (Form 10-K, general instruction A). A report older than 18 months is no longer what is known of
a company; its values are unknown again. Values per share (earnings, prices) are deliberately none of the fields: as
reported they precede later splits, while prices beside them are adjusted, and a ratio of the two is wrong by the split.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from quant_site.market.sessions import calendar_span, session_array

FIELDS = (
    "total_equity",
    "total_assets",
    "total_revenue",
    "cost_of_revenue",
    "gross_profit",
    "net_income",
    "net_cash_flow_operating",
    "long_term_debt",
    "total_current_assets",
    "total_current_liabilities",
    "shares",
)
PRIOR = "_prior"
LAG_DAYS = 90
STALE_MONTHS = 18
YEAR_DAYS = 365
# Fiscal years of 52 or 53 weeks differ by a week; half a quarter keeps one quarter apart from the next.
PRIOR_TOLERANCE = 45
QUARTERLY_BELOW = 200  # days between the ends of two periods
ENOUGH_PERIODS = 4


def public_sessions(period_ending: np.ndarray, filing_date: np.ndarray) -> np.ndarray:
    """The first session that knows each report: datetime64[D], NaT where it lies beyond the calendar.

    `period_ending` and `filing_date` (NaT where it is not given) are datetime64[D].
    """
    calendar = session_array(*calendar_span())
    filed = np.searchsorted(calendar, filing_date, side="right")
    assumed = np.searchsorted(calendar, period_ending + LAG_DAYS, side="left")
    at = np.where(np.isnat(filing_date), assumed, filed)
    return np.append(calendar, np.datetime64("NaT"))[at]


def stale_days(period_ending: np.ndarray) -> np.ndarray:
    """The last day on which each report still counts."""
    later = pd.DatetimeIndex(period_ending) + pd.DateOffset(months=STALE_MONTHS)
    return later.to_numpy().astype("datetime64[D]")


def align(reports: pd.DataFrame, symbols: Sequence[str], sessions: np.ndarray) -> dict[str, np.ndarray]:
    """Fields (N, T) for `symbols` on `sessions`, each the value of the newest period whose report was public; NaN elsewhere.

    `reports` has a row per filing: item (the symbol), period_ending and filing_date (datetime64), and `FIELDS`. Of two
    filings of one period the later stands from the session that knows it; the earlier until then. With the suffix
    `_prior` come the values of the period that ended a year before, as known at the same session, and `fiscal_year_end`
    is the end of the period that stands, in days since 1970-01-01. Values are those of the period as reported: the
    income of a quarter where a company's rows are quarters.
    """
    period = reports["period_ending"].to_numpy().astype("datetime64[D]")
    public = public_sessions(period, reports["filing_date"].to_numpy().astype("datetime64[D]"))
    groups = reports.groupby(reports["item"].astype(str)).indices
    current, prior = (np.full((len(symbols), len(sessions)), -1) for _ in range(2))
    for row, symbol in enumerate(symbols):
        if symbol in groups:
            known = groups[symbol][~np.isnat(public[groups[symbol]])]
            current[row], prior[row] = _standing(known, period[known], public[known], sessions)
    arrays = {}
    for name in FIELDS:
        values = np.append(reports[name].to_numpy(dtype=float), np.nan)  # the last is what index -1 finds
        arrays[name], arrays[name + PRIOR] = values[current], values[prior]
    arrays["fiscal_year_end"] = np.append(period.astype(float), np.nan)[current]
    return arrays


def _standing(rows: np.ndarray, period: np.ndarray, public: np.ndarray, sessions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each session the row (of `rows`, one company's) that stands, and that of the year before; -1 where none does."""
    none = np.full(len(sessions), -1)
    if not len(rows):
        return none, none
    order = np.lexsort((period, public))
    rows, period, public = rows[order], period[order], public[order]
    newest = _newest(period)
    before = _year_before(period, newest)
    published = np.searchsorted(public, sessions, side="right") - 1
    stands = newest[published]
    fresh = (published >= 0) & (sessions <= stale_days(period)[stands])
    prior = before[published]
    return np.where(fresh, rows[stands], none), np.where(fresh & (prior >= 0), rows[prior], none)


def _newest(period: np.ndarray) -> np.ndarray:
    """For each report, in order of publication, the one of the newest period up to it; of equals the later."""
    newest = np.zeros(len(period), dtype=int)
    for row in range(1, len(period)):
        newest[row] = row if period[row] >= period[newest[row - 1]] else newest[row - 1]
    return newest


def _year_before(period: np.ndarray, newest: np.ndarray) -> np.ndarray:
    """For each report the one, published up to it, whose period ended a year before that of its newest; -1 where none did."""
    published = np.tri(len(period), dtype=bool)
    days = period.astype(int)
    distance = np.abs(days[newest][:, None] - YEAR_DAYS - days[None, :])
    distance = np.where(published & (distance <= PRIOR_TOLERANCE), distance, PRIOR_TOLERANCE + 1)
    nearest = len(period) - 1 - distance[:, ::-1].argmin(axis=1)  # of equals the later
    return np.where(distance[np.arange(len(period)), nearest] <= PRIOR_TOLERANCE, nearest, -1)


def mixed_periods(periods: Mapping[str, np.ndarray]) -> tuple[list[str], list[str]]:
    """The symbols whose reports are of years, and those whose are of quarters, by the typical distance of their periods.

    Few reports do not tell: a company that moved the end of its year has one short period, not quarters.
    """
    annual, quarterly = [], []
    for symbol, days in periods.items():
        distinct = np.unique(days.astype("datetime64[D]"))
        apart = np.median(np.diff(distinct).astype(int)) if len(distinct) > 1 else np.nan
        if apart >= QUARTERLY_BELOW:
            annual.append(symbol)
        elif len(distinct) >= ENOUGH_PERIODS:
            quarterly.append(symbol)
    return annual, quarterly
