"""From the reference store to what a panel carries: every value at the session on whose close it was public.

Factor returns stand at their own session and nowhere else. A rate holds for ten sessions after it was set and an implied
volatility for five; then it is unknown. Reports follow `fundamentals.align`. Sectors are one classification for all
sessions: what a company was called before is not known.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from quant_site.market.panel import Panel
from quant_site.market.reference import Reference
from quant_site.market.reference.fundamentals import align
from quant_site.market.reference.series import RATES
from quant_site.market.reference.store import FUNDAMENTALS, IMPLIED_VOL, SECTORS, SERIES, reference_store
from quant_site.market.sessions import session_array

RATE_SESSIONS = 10
VOL_SESSIONS = 5


def reference_load(panel: Panel, kinds: Mapping[str, str] | None = None) -> Reference:
    """What is stored beside bars for the symbols and sessions of `panel`. `kinds` gives the `Instrument.Kind` by symbol.

    Arrays are read-only. A set that is not stored, or holds none of the symbols, is left empty. Raises `DataMissing` for a
    damaged file. Nothing in column t depends on what came after: the panel cut at a session gives the same columns.
    """
    store = reference_store()
    kept = tuple((kinds or {}).get(symbol, "") for symbol in panel.symbols)
    if not store.digests():
        return Reference(kinds=kept)
    series = dict(_items(store.read(SERIES)))
    rows = {each: found for each in (IMPLIED_VOL, FUNDAMENTALS, SECTORS) if len(found := store.read(each, panel.symbols))}
    sources = {each.name: "; ".join(sorted(found["source"].unique())) for each, found in rows.items()}
    return Reference(
        series={name: _of_series(name, own, panel.sessions) for name, own in series.items()},
        fundamentals=_of_reports(rows[FUNDAMENTALS], panel) if FUNDAMENTALS in rows else {},
        implied_vol=_of_vols(rows[IMPLIED_VOL], panel) if IMPLIED_VOL in rows else None,
        sectors=_of_sectors(rows[SECTORS], panel) if SECTORS in rows else (),
        kinds=kept,
        sources={name: own["source"].iloc[0] for name, own in series.items()} | sources,
    )


def as_of(sessions: np.ndarray, days: np.ndarray, values: np.ndarray, hold: int) -> np.ndarray:
    """At each session the newest of `values` (of ascending `days`), if it is at most `hold` sessions old; else NaN.

    A day without a session counts as the next session.
    """
    if not len(sessions) or not len(days):
        return np.full(len(sessions), np.nan)
    calendar = session_array(min(days[0], sessions[0]), sessions[-1])
    newest = np.searchsorted(days, sessions, side="right") - 1
    age = np.searchsorted(calendar, sessions) - np.searchsorted(calendar, days[newest])
    return np.where((newest >= 0) & (age <= hold), values[newest], np.nan)


def _items(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    yield from rows.groupby("item", observed=True)


def _of_series(name: str, rows: pd.DataFrame, sessions: np.ndarray) -> np.ndarray:
    return _read_only(as_of(sessions, _days(rows), rows["value"].to_numpy(), RATE_SESSIONS if name in RATES else 0))


def _of_vols(rows: pd.DataFrame, panel: Panel) -> np.ndarray:
    array = np.full((len(panel.symbols), len(panel.sessions)), np.nan)
    for symbol, own in _items(rows):
        array[panel.row(symbol)] = as_of(panel.sessions, _days(own), own["value"].to_numpy(), VOL_SESSIONS)
    return _read_only(array)


def _of_reports(rows: pd.DataFrame, panel: Panel) -> dict[str, np.ndarray]:
    return {name: _read_only(values) for name, values in align(rows, panel.symbols, panel.sessions).items()}


def _of_sectors(rows: pd.DataFrame, panel: Panel) -> tuple[str, ...]:
    known = dict(zip(rows["item"].astype(str), rows["sector"].astype(str), strict=True))
    return tuple(known.get(symbol, "") for symbol in panel.symbols)


def _days(rows: pd.DataFrame) -> np.ndarray:
    return rows["date"].to_numpy().astype("datetime64[D]")


def _read_only(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array
