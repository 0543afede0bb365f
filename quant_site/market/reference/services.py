"""Writes of the reference store: factors, rates, implied volatilities, reports of companies and sectors come in from files.

Everything is read and checked before the first write, so a file that cannot be read changes nothing. What is stored of
an item, a series or a symbol, is replaced as a whole and never spliced from two sources; other items stay.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from django.db import transaction

from quant_site.core import clock
from quant_site.core.errors import DataMissing, InvalidInput
from quant_site.core.locks import exclusive
from quant_site.core.services import audit_record
from quant_site.market.models import BarImport
from quant_site.market.providers.base import Progress, silent
from quant_site.market.providers.tables import RawTable, TableProvider
from quant_site.market.reference.fundamentals import mixed_periods
from quant_site.market.reference.imports import ParsedTable, parse_implied_vols
from quant_site.market.reference.rows import parse_fundamentals, parse_sectors
from quant_site.market.reference.series import UNITS, parse_series
from quant_site.market.reference.store import (
    FUNDAMENTALS,
    IMPLIED_VOL,
    SECTORS,
    SERIES,
    ReferenceSet,
    ReferenceStore,
    reference_store,
    table_digest,
)

KINDS = {
    SERIES: BarImport.Kind.FACTORS,
    IMPLIED_VOL: BarImport.Kind.IMPLIED_VOL,
    FUNDAMENTALS: BarImport.Kind.FUNDAMENTALS,
    SECTORS: BarImport.Kind.SECTORS,
}
SYMBOLS_NAMED = 5


@dataclass(frozen=True)
class ImportedItem:
    """One series or symbol of an import: its rows, their first and last day ("" where rows have none), and what came of it."""

    item: str
    first: str
    last: str
    rows: int
    rejected: int
    outcome: str


@dataclass(frozen=True)
class ReferenceImport:
    """What an import took. `log` is its stored record; `log.rejections` has {file, row, item, date, reason, detail} of each row."""

    log: BarImport
    items: list[ImportedItem]
    notes: list[str]
    frame: pd.DataFrame


def factors_import(*, unit: str = "", **options) -> ReferenceImport:
    """Import daily factor returns and yearly rates (see `reference_series`). `unit` is "percent", "decimal", or "": as named.

    Further options, here and below: `path`, `source` (default: the file's name), `strict`, `progress`, `actor`. Raises
    `InvalidInput`: no such path, no files, an unreadable file, unknown columns, an item in two files; `nothing_usable`
    when every row was rejected and, with `strict`, `rejected_rows` when any was (both with `details["rejections"]`).
    """
    if unit and unit not in UNITS:
        raise InvalidInput("unknown_unit", f"{unit} is no unit: use {' or '.join(UNITS)}.", unit=unit)
    return _import(SERIES, lambda raw: parse_series(raw.frame, raw.name, unit=unit, at=clock.now()), **options)


def volatility_import(**options) -> ReferenceImport:
    """Import implied volatilities of symbols: at the money, three months, decimals a year."""
    return _import(IMPLIED_VOL, lambda raw: parse_implied_vols(raw.frame, raw.name, at=clock.now()), **options)


def fundamentals_import(**options) -> ReferenceImport:
    """Import reports of companies; also raises `InvalidInput("mixed_periods")` where some would be of years and some of quarters."""
    return _import(FUNDAMENTALS, lambda raw: parse_fundamentals(raw.frame, raw.name, at=clock.now()), **options)


def sectors_import(**options) -> ReferenceImport:
    """Import the sector of each symbol; symbols need no bars yet."""
    return _import(SECTORS, lambda raw: parse_sectors(raw.frame, raw.name), **options)


def _import(
    which: ReferenceSet,
    parse: Callable[[RawTable], ParsedTable],
    *,
    path: str | Path,
    source: str = "",
    strict: bool = False,
    progress: Progress = silent,
    actor="system",
) -> ReferenceImport:
    provider = TableProvider(path, source)
    files = {raw.name: parse(raw) for raw in progress(list(provider.tables(progress)), "Checking")}
    _refuse_shared(files)
    rejections = [{"file": name} | row for name, parsed in files.items() for row in parsed.rejections]
    frame = pd.concat([parsed.frame for parsed in files.values()], ignore_index=True).assign(source=provider.source)
    _refuse(frame, rejections, strict)
    log = BarImport(
        kind=KINDS[which],
        source=f"{provider.source} ({', '.join(files)})"[:255],
        accepted=len(frame),
        rejected=len(rejections),
        repaired=sum(parsed.repaired for parsed in files.values()),
        rejections=rejections,
    )
    notes = [f"{name}: {note}" for name, parsed in files.items() for note in parsed.notes]
    with exclusive("reference", busy="Another import is running; try again when it has ended."):
        stored, lost = _stored(reference_store(), which)
        items = _compared(which, stored, frame, rejections)
        _store(which, stored, frame, log, {"path": str(path), "notes": notes}, actor)
    return ReferenceImport(log, items, lost + notes, frame)


def _refuse_shared(files: dict[str, ParsedTable]) -> None:
    seen: dict[str, str] = {}
    for name, parsed in files.items():
        for item in parsed.frame["item"].unique():
            if item in seen:
                raise InvalidInput("duplicate_item", f"{item} is in {seen[item]} and again in {name}: leave one of them.", item=item)
            seen[item] = name


def _refuse(frame: pd.DataFrame, rejections: list[dict], strict: bool) -> None:
    count = len(rejections)
    if frame.empty:
        message = (
            f"Nothing was imported: every one of the {count} rows was rejected." if count else "Nothing was imported: no row has a value."
        )
        raise InvalidInput("nothing_usable", message, rejections=rejections)
    if strict and count:
        raise InvalidInput("rejected_rows", f"Nothing was imported: {count} rows were rejected, and none may be.", rejections=rejections)


def _stored(store: ReferenceStore, which: ReferenceSet) -> tuple[pd.DataFrame, list[str]]:
    """What is stored, and what to say where it could not be read: then it is replaced as a whole."""
    try:
        return store.read(which).astype({"item": str, "source": str}), []
    except DataMissing as error:
        lost = [f"What was stored is lost, and only this import remains: {error.message}"]
        return which.schema.empty_table().to_pandas(date_as_object=False), lost


def _compared(which: ReferenceSet, stored: pd.DataFrame, frame: pd.DataFrame, rejections: list[dict]) -> list[ImportedItem]:
    """What the import does to each item, in order of name; a stored one of which every row was rejected stays as it was."""
    old, new = (dict(iter(table.groupby("item", sort=False))) for table in (stored, frame))
    rejected: dict[str, int] = {}
    for row in rejections:
        rejected[row["item"]] = rejected.get(row["item"], 0) + 1
    done = []
    for item in sorted(new.keys() | (rejected.keys() & old.keys())):
        rows = new.get(item)
        if rows is None:
            done.append(ImportedItem(item, "", "", 0, rejected[item], "no usable row: as it was"))
            continue
        outcome = "new"
        if item in old:
            same = table_digest(rows[which.schema.names]) == table_digest(old[item][which.schema.names])
            outcome = "unchanged" if same else f"replaces {_described(which, old[item])}"
        done.append(ImportedItem(item, *_span(which, rows), len(rows), rejected.get(item, 0), outcome))
    return done


def _span(which: ReferenceSet, rows: pd.DataFrame) -> tuple[str, str]:
    return (str(rows[which.day].min().date()), str(rows[which.day].max().date())) if which.day else ("", "")


def _described(which: ReferenceSet, rows: pd.DataFrame) -> str:
    span = f", {' to '.join(_span(which, rows))}" if which.day else f" ({rows[next(iter(which.columns))].iloc[0]})"
    return f"{len(rows)} row{'s' if len(rows) > 1 else ''}{span}, {rows['source'].iloc[0]}"


@transaction.atomic
def _store(which: ReferenceSet, stored: pd.DataFrame, frame: pd.DataFrame, log: BarImport, details: dict, actor) -> None:
    """Rows first and the file last: whatever fails before the file leaves everything as it was."""
    kept = stored[~stored["item"].isin(frame["item"].unique())]
    merged = frame if kept.empty else pd.concat([kept, frame], ignore_index=True)
    merged = merged[which.schema.names].sort_values(list(which.order), kind="stable", ignore_index=True)
    if which is FUNDAMENTALS:
        _refuse_mixed(merged)
    store = reference_store()
    log.content_digest = table_digest(merged)
    log.changed = not store.holds(which, log.content_digest)
    log.save(force_insert=True)
    if log.changed:
        details |= {"items": sorted(frame["item"].unique()), "rejected": log.rejected}
        audit_record(action=f"{log.kind}_IMPORT", actor=actor, resource=log, details=details)
        store.write(which, merged)


def _refuse_mixed(merged: pd.DataFrame) -> None:
    periods = {item: rows["period_ending"].to_numpy() for item, rows in merged.groupby("item")}
    annual, quarterly = mixed_periods(periods)
    if annual and quarterly:
        years, quarters = (", ".join(symbols[:SYMBOLS_NAMED]) for symbols in (annual, quarterly))
        raise InvalidInput(
            "mixed_periods",
            f"Reports of years ({len(annual)} symbols: {years}...) and of quarters ({len(quarterly)}: {quarters}...) cannot be ranked "
            f"against each other. To change over, remove {reference_store().path(FUNDAMENTALS)} and import again.",
            annual=annual,
            quarterly=quarterly,
        )
