"""Wide tables, dates × series or symbols, become values of single items, or are rejected row by row and cell by cell.

A blank cell is unknown and no fault. Rows before the calendar begins are left out and counted: the published factors
reach back to 1926. A factor return or an implied volatility belongs to a session; a rate is also set on days that the
banks work and the exchange does not, and then counts from the next session on.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pandas as pd

from quant_site.core.errors import InvalidInput
from quant_site.market.imports import days_of
from quant_site.market.sessions import NEW_YORK, are_sessions, calendar_span, last_completed_session
from quant_site.market.store import symbol_clean

LONGER = re.compile(r"\d{4}(-?\d{2})?")  # a year, or a year and a month
DAYS_APART = 4  # a week-end and a holiday between two sessions


@dataclass(frozen=True)
class ParsedTable:
    """What a file gives to one set of the reference store.

    `frame`: the good rows, with the columns of that set but its source, in order and distinct. `rejections`: {row, item,
    date, reason, detail} of each of the others, where `item` is the series or symbol, or the kind of table when the whole
    row is meant. `repaired` counts numbers that could not be and so became unknown. `notes` are sentences to show.
    """

    frame: pd.DataFrame
    rejections: list[dict] = field(default_factory=list)
    repaired: int = 0
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Rule:
    """What values of a kind can be: above or at `least`, at most `most`; `positive` excludes 0. `any_day`: not only of sessions."""

    label: str
    least: float
    most: float
    positive: bool = False
    any_day: bool = False

    def outside(self, values: np.ndarray) -> np.ndarray:
        return (values < self.least) | (values > self.most) | (self.positive & (values <= 0))


# No factor moved by half in a day, and no rate of the United States came near; an index in percent by mistake does.
FACTOR = Rule("factors", -0.5, 0.5)
RATE = Rule("rates", -0.5, 0.5, any_day=True)
IMPLIED_VOL = Rule("implied volatilities", 0.0, 5.0, positive=True)


@dataclass(frozen=True)
class Column:
    """The column at `position` of a table holds `item`; its numbers times `scale` are decimals. `blanks` stand for unknown."""

    item: str
    position: int
    scale: float = 1.0
    blanks: tuple[float, ...] = ()


class RowChecks:
    """Which rows are still good, and every rejection with its words. `index` numbers the rows as a person would."""

    def __init__(self, index: pd.Index, days: np.ndarray):
        self.index, self.days = index, days
        self.good = np.ones(len(index), dtype=bool)
        self.rejections: list[dict] = []

    def reject(self, mask: np.ndarray, reason: str, item, detail) -> None:
        """Reject the rows of `mask` that nothing speaks against yet; `item` names what they are of, `detail(row)` says why."""
        mask = mask & self.good
        self.add(mask, reason, item, detail)
        self.good &= ~mask

    def add(self, mask: np.ndarray, reason: str, item, detail) -> None:
        """Name a rejection for each row of `mask` without giving up the row: one cell of it is meant."""
        for row in np.flatnonzero(mask).tolist():
            day = None if np.isnat(self.days[row]) else str(self.days[row])
            what = item(row) if callable(item) else item
            self.rejections.append({"row": int(self.index[row]), "item": what, "date": day, "reason": reason, "detail": detail(row)})

    def reject_repeated(self, days: np.ndarray, item) -> None:
        """Of good rows with one of `days` the first stays."""
        again = np.zeros(len(self.good), dtype=bool)
        again[self.good] = pd.Series(days[self.good]).duplicated().to_numpy()
        self.reject(again, "DUPLICATE_DATE", item, lambda row: f"{days[row]} came before; the first row is kept")


def parse_wide(frame: pd.DataFrame, columns: list[Column], rule: Rule, *, at: datetime) -> ParsedTable:
    """The values of `columns`, all of one kind, in `frame`, whose first column is the date: a table (item, date, value).

    `at` (aware) decides which sessions are over: what belongs to one that still trades is not final and is rejected.
    """
    days = days_of(frame.iloc[:, 0])
    checks = RowChecks(frame.index, days)
    early = _check_days(checks, rule, at)
    parts = [_cells(checks, frame, column, rule) for column in columns]
    table = pd.concat(parts, ignore_index=True).sort_values(["item", "date"], kind="stable", ignore_index=True)
    notes = [f"{early} rows are from before {calendar_span()[0]}, where the calendar begins, and were left out."] if early else []
    return ParsedTable(table, sorted(checks.rejections, key=lambda each: each["row"]), notes=notes)


def _check_days(checks: RowChecks, rule: Rule, at: datetime) -> int:
    """Reject rows by their date; returns how many lie before the calendar."""
    days, what = checks.days, rule.label
    checks.reject(np.isnat(days), "BAD_DATE", what, lambda row: "the date is not of the form YYYY-MM-DD")
    early = days < np.datetime64(calendar_span()[0])
    checks.good &= ~early
    sessions = are_sessions(days)
    today, completed = np.datetime64(at.astimezone(NEW_YORK).date()), np.datetime64(last_completed_session(at))
    checks.reject(days > today, "FUTURE_DATE", what, lambda row: f"{days[row]} lies in the future")
    if not rule.any_day:
        checks.reject(~sessions, "NOT_A_SESSION", what, lambda row: f"the exchange was closed on {days[row]}")
    unfinished = (days > completed) & sessions
    checks.reject(unfinished, "FUTURE_DATE", what, lambda row: f"the session of {days[row]} is not over: its value is not final")
    checks.reject_repeated(days, what)
    return int(early.sum())


def _cells(checks: RowChecks, frame: pd.DataFrame, column: Column, rule: Rule) -> pd.DataFrame:
    raw = frame.iloc[:, column.position]
    numbers, blank = numbers_of(raw)
    blank |= np.isin(numbers, column.blanks)
    values = numbers * column.scale
    given, finite = checks.good & ~blank, np.isfinite(values)
    checks.add(given & ~finite, "NOT_A_NUMBER", column.item, lambda row: f"the value is {shown(raw.iloc[row])}")
    outside = given & finite & rule.outside(values)
    bounds = f"{'0 (excluded)' if rule.positive else f'{rule.least:g}'} to {rule.most:g}"
    checks.add(outside, "OUT_OF_RANGE", column.item, lambda row: f"{values[row]:g} as a decimal is not within {bounds}")
    keep = given & finite & ~outside
    return pd.DataFrame({"item": column.item, "date": checks.days[keep], "value": values[keep]})


def blank_of(column: pd.Series) -> np.ndarray:
    return column.isna().to_numpy() | column.astype(str).str.strip().eq("").to_numpy(dtype=bool)


def numbers_of(column: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """The column as float64, NaN where it is no number, and where it is blank."""
    return pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=np.nan, copy=True), blank_of(column)


def shown(value) -> str:
    return repr(str(value)[:40])


def require_daily(frame: pd.DataFrame, columns: Iterable[Column], what: str) -> None:
    """Raise `InvalidInput` where the dates of a column with values are those of weeks, months or years."""
    days = days_of(frame.iloc[:, 0])
    longer = frame.iloc[:, 0].astype(str).str.strip().str.fullmatch(LONGER).mean() > 0.5
    for column in columns:
        given = np.unique(days[frame.iloc[:, column.position].notna().to_numpy() & ~np.isnat(days)])
        if longer or (len(given) > 1 and np.mean(np.diff(given).astype(int) > DAYS_APART) > 0.5):
            raise InvalidInput(
                "not_daily",
                f"{what} holds no daily values of {column.item}: factors and rates are taken day by day. Get the daily file instead.",
                item=column.item,
            )


def parse_implied_vols(frame: pd.DataFrame, what: str, *, at: datetime) -> ParsedTable:
    """Implied volatilities a year as decimals, (item, date, value), from a table with a date first and a column for each symbol."""
    require_distinct(frame, what)
    if frame.shape[1] < 2:
        raise InvalidInput("missing_columns", f"{what} has no column beside the date: it needs one for each symbol.")
    columns = [Column(symbol_clean(name), position) for position, name in enumerate(frame.columns) if position]
    numbers = np.concatenate([numbers_of(frame.iloc[:, column.position])[0] for column in columns])
    if np.isfinite(numbers).any() and np.nanmedian(numbers) > IMPLIED_VOL.most:
        raise InvalidInput("implausible_unit", f"{what} looks like percent: implied volatilities are taken as decimals, 0.25 for 25 %.")
    return parse_wide(frame, columns, IMPLIED_VOL, at=at)


def require_distinct(frame: pd.DataFrame, what: str) -> None:
    """Raise `InvalidInput` where a column was written twice, which the reader of CSV files numbers instead (AAPL, AAPL.1)."""
    names = [str(name).strip() for name in frame.columns]
    bases = [re.sub(r"\.\d+$", "", name) for name in names]
    twice = sorted(
        {name for name in names if names.count(name) > 1}
        | {base for name, base in zip(names, bases, strict=True) if base != name and base in names}
    )
    if twice:
        raise InvalidInput("ambiguous_columns", f"{what} has more than one column for {', '.join(twice)}.", columns=twice)
