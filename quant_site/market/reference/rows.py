"""Tables with a row per report or per symbol: fundamentals and sectors. Each row is taken, or rejected with a reason."""

from datetime import datetime

import numpy as np
import pandas as pd

from quant_site.core.errors import InvalidInput
from quant_site.market.reference.fundamentals import FIELDS
from quant_site.market.reference.imports import ParsedTable, RowChecks, blank_of, days_of, numbers_of, require_distinct, shown
from quant_site.market.sessions import NEW_YORK
from quant_site.market.store import symbol_clean

ALIASES = {"ticker": "symbol", "estimated_shares_outstanding": "shares", "shares_outstanding": "shares", "gics_sector": "sector"}
# A balance sheet has these; sources write 0 where a company (a bank, say) does not report them.
NOT_ZERO = (
    "total_equity",
    "total_assets",
    "cost_of_revenue",
    "gross_profit",
    "total_current_assets",
    "total_current_liabilities",
    "shares",
)
NOT_NEGATIVE = ("total_assets", "long_term_debt", "total_current_assets", "total_current_liabilities", "shares")
LONGEST_SECTOR = 64


def parse_fundamentals(frame: pd.DataFrame, what: str, *, at: datetime) -> ParsedTable:
    """Reports of companies: (item, period_ending, filing_date, `FIELDS`), from columns symbol, period_ending and such fields.

    A blank number is unknown, and so is one that cannot be (`NOT_ZERO`, `NOT_NEGATIVE`), which is counted. Several filings
    of one period stay where their filing dates tell them apart; without one, a row gives way to a filed one.
    Raises `InvalidInput` for missing or repeated columns.
    """
    frame, ignored = _known(frame, what, ("symbol", "period_ending"), ("filing_date", *FIELDS))
    fields = [name for name in FIELDS if name in frame]
    if not fields:
        raise InvalidInput("missing_columns", f"{what} has none of the numbers that are kept: {', '.join(FIELDS)}.", missing=list(FIELDS))
    period = days_of(frame["period_ending"])
    checks = RowChecks(frame.index, period)
    symbols = _check_symbols(checks, frame["symbol"])
    filed = _check_dates(checks, frame, symbols, at)
    numbers = _check_numbers(checks, frame, symbols, fields)
    _check_repeated(checks, symbols, period, filed)
    notes, repaired = _drop_impossible(numbers, checks.good)
    if ignored:
        notes.append(f"Columns that are not kept were ignored: {', '.join(ignored)}.")
    table = pd.DataFrame({"item": symbols, "period_ending": period, "filing_date": filed})
    table = table.assign(**{name: numbers.get(name, np.nan) for name in FIELDS})[checks.good]
    table = table.sort_values(["item", "period_ending", "filing_date"], kind="stable", ignore_index=True)
    return ParsedTable(table, sorted(checks.rejections, key=lambda each: each["row"]), repaired, notes)


def parse_sectors(frame: pd.DataFrame, what: str) -> ParsedTable:
    """The sector of each symbol: (item, sector), from the columns symbol and sector (or gics_sector), in the source's words."""
    frame, _ = _known(frame, what, ("symbol", "sector"), ())
    checks = RowChecks(frame.index, np.full(len(frame), np.datetime64("NaT", "D")))
    symbols = _check_symbols(checks, frame["symbol"])
    sectors = frame["sector"].astype(object).where(frame["sector"].notna(), "").astype(str).str.strip().to_numpy(dtype=object)
    checks.reject(sectors == "", "NO_SECTOR", symbols.__getitem__, lambda row: "the sector is blank")
    long = np.array([len(sector) > LONGEST_SECTOR for sector in sectors], dtype=bool)
    checks.reject(
        long, "NO_SECTOR", symbols.__getitem__, lambda row: f"{shown(sectors[row])}... is longer than {LONGEST_SECTOR} characters"
    )
    again = np.zeros(len(frame), dtype=bool)
    again[checks.good] = pd.Series(symbols[checks.good]).duplicated().to_numpy()
    checks.reject(again, "DUPLICATE_SYMBOL", symbols.__getitem__, lambda row: f"{symbols[row]} came before; the first row is kept")
    table = pd.DataFrame({"item": symbols, "sector": sectors}, dtype=object)[checks.good]
    return ParsedTable(table.sort_values("item", ignore_index=True), sorted(checks.rejections, key=lambda each: each["row"]))


def _known(frame: pd.DataFrame, what: str, required: tuple, optional: tuple) -> tuple[pd.DataFrame, list[str]]:
    """`frame` with the columns we know, under our names, and the names of the others."""
    require_distinct(frame, what)
    written = [str(name).strip() for name in frame.columns]
    names = [name.lower().replace(" ", "_") for name in written]
    names = [ALIASES.get(name, name) for name in names]
    known = (*required, *optional)
    missing = [name for name in required if name not in names]
    if missing:
        message = f"{what} lacks the column {', '.join(missing)}; its columns are: {', '.join(written) or 'none'}."
        raise InvalidInput("missing_columns", message, missing=missing)
    twice = sorted({name for name in names if name in known and names.count(name) > 1})
    if twice:
        raise InvalidInput("ambiguous_columns", f"{what} has more than one column for {', '.join(twice)}.", columns=twice)
    ignored = [text for text, name in zip(written, names, strict=True) if name not in known]
    return frame.set_axis(names, axis=1)[[name for name in known if name in names]], ignored


def _check_symbols(checks: RowChecks, column: pd.Series) -> np.ndarray:
    """The symbols in capitals; as written, for the rejection, where that is none."""
    symbols, wrong = np.empty(len(column), dtype=object), {}
    for row, value in enumerate(column):
        try:
            symbols[row] = symbol_clean("" if pd.isna(value) else value)
        except InvalidInput as error:
            symbols[row], wrong[row] = "" if pd.isna(value) else str(value)[:32], error.message.rstrip(".")
    mask = np.isin(np.arange(len(column)), list(wrong))
    checks.reject(mask, "BAD_SYMBOL", lambda row: symbols[row] or "rows", lambda row: wrong[row] if symbols[row] else "the symbol is blank")
    return symbols


def _check_dates(checks: RowChecks, frame: pd.DataFrame, symbols: np.ndarray, at: datetime) -> np.ndarray:
    """Reject rows by the end of their period and by their filing date, which is returned (NaT: not given)."""
    period, today, item = checks.days, np.datetime64(at.astimezone(NEW_YORK).date()), symbols.__getitem__
    checks.reject(np.isnat(period), "BAD_DATE", item, lambda row: "period_ending is not of the form YYYY-MM-DD")
    checks.reject(period > today, "FUTURE_DATE", item, lambda row: f"the period ends on {period[row]}, in the future")
    if "filing_date" not in frame:
        return np.full(len(frame), np.datetime64("NaT", "D"))
    written = frame["filing_date"]
    filed, blank = days_of(written), blank_of(written)
    checks.reject(np.isnat(filed) & ~blank, "BAD_DATE", item, lambda row: f"filing_date is {shown(written.iloc[row])}, not YYYY-MM-DD")
    checks.reject(filed > today, "FUTURE_DATE", item, lambda row: f"it was filed on {filed[row]}, in the future")
    checks.reject(filed < period, "FILED_BEFORE_END", item, lambda row: f"it was filed on {filed[row]}, before its period ended")
    return filed


def _check_numbers(checks: RowChecks, frame: pd.DataFrame, symbols: np.ndarray, fields: list[str]) -> dict[str, np.ndarray]:
    numbers = {}
    for name in fields:
        raw = frame[name]
        numbers[name], blank = numbers_of(raw)
        wrong = ~np.isfinite(numbers[name]) & ~blank
        checks.reject(wrong, "NOT_A_NUMBER", symbols.__getitem__, lambda row, raw=raw, name=name: f"{name} is {shown(raw.iloc[row])}")
    empty = np.all([np.isnan(values) for values in numbers.values()], axis=0)
    checks.reject(empty, "NO_NUMBERS", symbols.__getitem__, lambda row: "every number is blank")
    return numbers


def _check_repeated(checks: RowChecks, symbols: np.ndarray, period: np.ndarray, filed: np.ndarray) -> None:
    """Of rows with one symbol, period and filing date the first stays; one without such a date gives way to one with it."""
    keys = pd.DataFrame({"symbol": symbols, "period": period, "filed": filed, "given": ~np.isnat(filed)})
    good = keys[checks.good]
    again, unfiled = (np.zeros(len(keys), dtype=bool) for _ in range(2))
    again[good.index] = good.duplicated()
    unfiled[good.index] = good.groupby(["symbol", "period"])["given"].transform("any") & ~good["given"]
    item = symbols.__getitem__
    checks.reject(again, "DUPLICATE_PERIOD", item, lambda row: "the same period and filing date came before; the first row is kept")
    checks.reject(unfiled, "DUPLICATE_PERIOD", item, lambda row: "another row of the period has a filing date; that one is kept")


def _drop_impossible(numbers: dict[str, np.ndarray], good: np.ndarray) -> tuple[list[str], int]:
    """Make numbers unknown (in place) that cannot be; returns what to say about it, and how many they were."""
    counts = {}
    for name, values in numbers.items():
        wrong = good & (((values == 0) & (name in NOT_ZERO)) | ((values < 0) & (name in NOT_NEGATIVE)))
        if wrong.any():
            counts[name] = int(wrong.sum())
            values[wrong] = np.nan
    if not counts:
        return [], 0
    each = ", ".join(f"{name} {count}" for name, count in counts.items())
    return [f"Numbers that are 0 or negative where a company cannot have that count as unknown: {each}."], sum(counts.values())
