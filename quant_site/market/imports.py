"""Rows of a file become bars, or are rejected one by one with a reason. Pure: arrays in, arrays out.

What can be repaired without inventing a price is: an open or close that lies outside the day's range by at most half a
per cent is rounding of the source, and the range is widened to hold it.
"""

from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pandas as pd

from quant_site.core.errors import InvalidInput
from quant_site.market.sessions import NEW_YORK, are_sessions, calendar_span, last_completed_session

REQUIRED = ("date", "open", "high", "low", "close")
PRICES = ("open", "high", "low", "close", "adj_close")
ALIASES = {
    "ticker": "symbol",
    "adjclose": "adj_close",
    "adjusted_close": "adj_close",
    "vol": "volume",
    "datetime": "date",
    "timestamp": "date",
}
KNOWN = (*REQUIRED, "adj_close", "volume", "symbol")
RANGE_TOLERANCE = 0.005

REASONS = (
    "BAD_DATE",
    "FUTURE_DATE",
    "NOT_A_SESSION",
    "NOT_A_NUMBER",
    "NEGATIVE_PRICE",
    "NEGATIVE_VOLUME",
    "HIGH_BELOW_LOW",
    "OPEN_CLOSE_OUTSIDE_RANGE",
    "DUPLICATE_DATE",
)


@dataclass(frozen=True)
class ParsedBars:
    """`frame`: the good rows as the store wants them. `rejections`: {row, date, reason, detail} of each of the others."""

    frame: pd.DataFrame
    rejections: list[dict] = field(default_factory=list)
    repaired: int = 0


def columns_clean(frame: pd.DataFrame, what: str) -> pd.DataFrame:
    """`frame` with the columns we know, under our names; raises `InvalidInput` where one is missing or given twice."""
    names = [str(name).strip().lower().replace(" ", "_") for name in frame.columns]
    names = [ALIASES.get(name, name) for name in names]
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        found = ", ".join(map(str, frame.columns)) or "none"
        raise InvalidInput("missing_columns", f"{what} lacks the column {', '.join(missing)}; its columns are: {found}.", missing=missing)
    twice = sorted({name for name in names if name in KNOWN and names.count(name) > 1})
    if twice:
        raise InvalidInput("ambiguous_columns", f"{what} has more than one column for {', '.join(twice)}.", columns=twice)
    renamed = frame.set_axis(names, axis=1)
    return renamed[[name for name in KNOWN if name in names]]


def parse_bars(frame: pd.DataFrame, *, at: datetime, allow_negative: bool = False) -> ParsedBars:
    """Check the rows of one symbol (columns of `columns_clean`; the index numbers the rows as a person would).

    `at` (aware) decides which sessions are over: the bar of a session that still trades is not final and is rejected.
    `allow_negative` admits prices below zero, which futures have had. Of rows with one date the first good one is kept.
    Without adj_close prices count as adjusted already; a volume that is not given stays unknown (NaN).
    """
    days = days_of(frame["date"])
    numbers = {name: pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=float) for name in (*PRICES, "volume") if name in frame}
    checks = _Checks(len(frame))
    _check_days(checks, days, at)
    _check_numbers(checks, frame, numbers, allow_negative)
    repaired = _check_range(checks, numbers)
    _check_duplicates(checks, days)

    good = np.flatnonzero(checks.good)
    good = good[np.argsort(days[good], kind="stable")]
    clean = pd.DataFrame({"date": days[good]} | {name: numbers[name][good] for name in REQUIRED[1:]})
    clean["adj_close"] = numbers["adj_close"][good] if "adj_close" in numbers else clean["close"]
    clean["volume"] = numbers["volume"][good] if "volume" in numbers else np.nan
    return ParsedBars(clean, checks.rejections(frame, days), int(repaired[good].sum()))


class _Checks:
    """The first reason found against each row, and the words for it."""

    def __init__(self, rows: int):
        self.reason = np.full(rows, -1)
        self.detail: dict[int, str] = {}

    @property
    def good(self) -> np.ndarray:
        return self.reason < 0

    def reject(self, mask: np.ndarray, reason: str, detail) -> None:
        """Reject the rows of `mask` that nothing speaks against yet; `detail(row)` says it in words."""
        for row in np.flatnonzero(mask & self.good).tolist():
            self.reason[row] = REASONS.index(reason)
            self.detail[row] = detail(row)

    def rejections(self, frame: pd.DataFrame, days: np.ndarray) -> list[dict]:
        return [
            {
                "row": int(frame.index[row]),
                "date": None if np.isnat(days[row]) else str(days[row]),
                "reason": REASONS[self.reason[row]],
                "detail": self.detail[row],
            }
            for row in np.flatnonzero(~self.good).tolist()
        ]


def days_of(column: pd.Series) -> np.ndarray:
    """The column as datetime64[D], NaT where it is no ISO date. A time of day and an offset are dropped, not applied."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column = column.dt.tz_localize(None)
    if pd.api.types.is_datetime64_dtype(column.dtype):
        return column.to_numpy().astype("datetime64[D]")
    if pd.api.types.is_numeric_dtype(column.dtype):
        column = column.map(lambda value: f"{value:.0f}")
    text = column.astype(str).str.strip().str.slice(0, 10)
    days = pd.to_datetime(text, format="%Y-%m-%d", errors="coerce", exact=True)
    compact = days.isna() & text.str.fullmatch(r"\d{8}")
    if compact.any():
        days = days.where(~compact, pd.to_datetime(text.where(compact), format="%Y%m%d", errors="coerce"))
    return days.to_numpy().astype("datetime64[D]")


def _check_days(checks: _Checks, days: np.ndarray, at: datetime) -> None:
    today, completed = np.datetime64(at.astimezone(NEW_YORK).date()), np.datetime64(last_completed_session(at))
    first = np.datetime64(calendar_span()[0])
    checks.reject(np.isnat(days), "BAD_DATE", lambda row: "the date is not of the form YYYY-MM-DD")
    checks.reject(days > today, "FUTURE_DATE", lambda row: f"{days[row]} lies in the future")
    checks.reject(days < first, "NOT_A_SESSION", lambda row: f"{days[row]} is before the calendar begins ({first})")
    checks.reject(~are_sessions(days), "NOT_A_SESSION", lambda row: f"the exchange was closed on {days[row]}")
    checks.reject(days > completed, "FUTURE_DATE", lambda row: f"the session of {days[row]} is not over: its bar is not final")


def _check_numbers(checks: _Checks, frame: pd.DataFrame, numbers: dict[str, np.ndarray], allow_negative: bool) -> None:
    for name, values in numbers.items():
        raw = frame[name]
        wrong = ~np.isfinite(values)
        if name == "volume":
            wrong &= raw.notna().to_numpy()  # a volume may be unknown, a price may not
        checks.reject(wrong, "NOT_A_NUMBER", lambda row, raw=raw, name=name: _wrong_number(raw.iloc[row], name))
    for name in PRICES:
        if name in numbers:
            values = numbers[name]
            wrong = values == 0 if allow_negative else values <= 0
            checks.reject(wrong, "NEGATIVE_PRICE", lambda row, values=values, name=name: f"{name} is {values[row]:g}")
    if "volume" in numbers:
        volume = numbers["volume"]
        checks.reject(volume < 0, "NEGATIVE_VOLUME", lambda row: f"volume is {volume[row]:g}")


def _wrong_number(value, name: str) -> str:
    return f"{name} is blank" if pd.isna(value) else f"{name} is {str(value)[:40]!r}"


def _check_range(checks: _Checks, numbers: dict[str, np.ndarray]) -> np.ndarray:
    """Reject what lies outside the day's range; widen the range (in place) where rounding explains it. Returns the widened rows."""
    opened, high, low, close = (numbers[name] for name in REQUIRED[1:])
    checks.reject(high < low, "HIGH_BELOW_LOW", lambda row: f"high {high[row]:g} is below low {low[row]:g}")
    top, bottom = np.maximum(opened, close), np.minimum(opened, close)
    excess = np.maximum(top - high, low - bottom)
    checks.reject(
        excess > RANGE_TOLERANCE * np.abs(close),
        "OPEN_CLOSE_OUTSIDE_RANGE",
        lambda row: f"open {opened[row]:g} or close {close[row]:g} lies outside {low[row]:g} to {high[row]:g}",
    )
    numbers["high"], numbers["low"] = np.maximum(high, top), np.minimum(low, bottom)
    return excess > 0


def _check_duplicates(checks: _Checks, days: np.ndarray) -> None:
    good = np.flatnonzero(checks.good)
    _, first = np.unique(days[good], return_index=True)
    again = np.zeros(len(days), dtype=bool)
    again[np.delete(good, first)] = True
    checks.reject(again, "DUPLICATE_DATE", lambda row: f"{days[row]} came before; the first row is kept")
