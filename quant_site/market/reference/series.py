"""Which column of a file is which series, and in which unit: factor returns of a day, and rates of a year, as decimals.

Factors are those of Fama and French (Journal of Financial Economics 33, 1993; 116, 2015) and Carhart's momentum
(Journal of Finance 52, 1997) as Kenneth French's data library publishes them day by day, in percent, with -99.99 and
-999 for unknown. A unit is never guessed from numbers; numbers only speak against a unit that was taken for granted.
"""

import re
from datetime import datetime

import numpy as np
import pandas as pd

from quant_site.core.errors import InvalidInput
from quant_site.market.reference.imports import FACTOR, RATE, Column, ParsedTable, numbers_of, parse_wide, require_daily, require_distinct

UNITS = {"percent": 0.01, "decimal": 1.0}
FACTORS = ("MKT_RF", "SMB", "HML", "RMW", "CMA", "MOM", "RF")
RATES = ("TBILL_3M",)
NAMES = {name.lower(): name for name in (*FACTORS, *RATES)} | {"umd": "MOM"}
# As the library heads its columns; our own spelling of the market's says nothing of the unit.
LIBRARY = ("mkt-rf", "smb", "hml", "rmw", "cma", "mom", "umd", "rf")
LIBRARY_BLANKS = (-99.99, -999.0)
# Typical (median absolute) returns of the factors lie at 0.2 to 0.5 per cent a day, and rates at a few per cent a year.
LEAST_TYPICAL = 0.0003
MOST_TYPICAL = {FACTOR: 0.05, RATE: 0.25}
ENOUGH = 20


def parse_series(frame: pd.DataFrame, what: str, *, unit: str, at: datetime) -> ParsedTable:
    """The known series of the table `what`, (item, date, value as a decimal); its first column is the date.

    `unit` is that of every column ("percent", "decimal"), or "": then percent where a name ends in `_pct` or is one of
    the data library's. Raises `InvalidInput`: no known series, two columns for one, an unclear unit, values not daily.
    """
    require_distinct(frame, what)
    columns, ignored = _columns(frame, what, unit)
    require_daily(frame, columns, what)
    factors, rates = ([each for each in columns if each.item in names] for names in (FACTORS, RATES))
    parsed = [parse_wide(frame, group, rule, at=at) for group, rule in ((factors, FACTOR), (rates, RATE)) if group]
    notes = list(dict.fromkeys(note for each in parsed for note in each.notes))
    if ignored:
        notes.append(f"Columns that are no known series were ignored: {', '.join(ignored)}.")
    table = pd.concat([each.frame for each in parsed], ignore_index=True)
    return ParsedTable(table, [row for each in parsed for row in each.rejections], notes=notes)


def _columns(frame: pd.DataFrame, what: str, unit: str) -> tuple[list[Column], list[str]]:
    known: dict[str, Column] = {}
    ignored = []
    for position, written in enumerate(map(str, frame.columns)):
        name, in_percent = _name(written)
        if name is None:
            ignored += [written.strip()] if position else []
            continue
        if position == 0:
            raise InvalidInput("missing_columns", f"The first column of {what} is {written.strip()}: it must be the date.")
        if name in known:
            raise InvalidInput("ambiguous_columns", f"{what} has more than one column for {name}.", columns=[name])
        scale = UNITS[_unit(written.strip(), in_percent, unit, what)]
        known[name] = Column(name, position, scale, LIBRARY_BLANKS if name in FACTORS else ())
        _require_plausible(frame, known[name], what, assumed=not unit and not in_percent)
    if not known:
        raise InvalidInput(
            "missing_columns",
            f"{what} has no known series; it can have {', '.join(map(str, (*LIBRARY, 'tbill_3m_pct')))}.",
            columns=ignored,
        )
    return list(known.values()), ignored


def _name(written: str) -> tuple[str | None, bool]:
    """The series that a column's name means (None: no known one), and whether the name says percent."""
    clean = re.sub(r"[\s-]+", "_", written.strip().lower())
    return NAMES.get(clean.removesuffix("_pct")), clean.endswith("_pct")


def _unit(written: str, in_percent: bool, unit: str, what: str) -> str:
    if in_percent and unit == "decimal":
        raise InvalidInput("ambiguous_unit", f"{written} of {what} says percent and --unit decimal: rename the column or leave --unit out.")
    if unit or in_percent or written.lower() in LIBRARY:
        return unit or "percent"
    raise InvalidInput(
        "ambiguous_unit", f"Whether {written} of {what} is in percent cannot be told from its name: say --unit percent or --unit decimal."
    )


def _require_plausible(frame: pd.DataFrame, column: Column, what: str, *, assumed: bool) -> None:
    """Refuse decimals that are too large, and percent that was only `assumed` where the returns would then hardly move."""
    values = numbers_of(frame.iloc[:, column.position])[0]
    values = np.abs(values[np.isfinite(values) & ~np.isin(values, column.blanks)]) * column.scale
    if len(values) < ENOUGH:
        return
    typical, words = float(np.median(values)), f"{column.item} of {what} is typically"
    if typical > MOST_TYPICAL[RATE if column.item in RATES else FACTOR]:
        raise InvalidInput(
            "implausible_unit", f"{words} {typical:.4f} as a decimal, which is too much: say --unit percent if it is in percent."
        )
    if assumed and column.item != "RF" and typical < LEAST_TYPICAL:
        message = f"{words} {100 * typical:.5f} if in percent, which is too little: say --unit decimal, or --unit percent if it is so."
        raise InvalidInput("ambiguous_unit", message)
