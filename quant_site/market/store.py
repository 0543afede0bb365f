"""The bar store: one Parquet file per symbol, written by atomic replacement, read into a `Panel`.

Columns: date, open, high, low, close, adj_close, volume. Prices are raw; adj_close carries splits and dividends; a
volume that the source does not give is NaN. A file names its source and the digest of its bars in its metadata.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from django.conf import settings

from quant_site.core.errors import DataMissing, InvalidInput
from quant_site.market.panel import Panel
from quant_site.market.parquet import SUFFIX, parquet_replace
from quant_site.market.sessions import session_array

PRICES = ("open", "high", "low", "close", "adj_close")
COLUMNS = ("date", *PRICES, "volume")
SCHEMA = pa.schema([("date", pa.date32()), *((name, pa.float64()) for name in (*PRICES, "volume"))])
SYMBOL = re.compile(r"[A-Z0-9^][A-Z0-9^.=_-]{0,31}")


def symbol_clean(symbol: str) -> str:
    """`symbol` in capitals; raises `InvalidInput` for what is no symbol or could leave the store's folder."""
    name = str(symbol).strip().upper()
    if not SYMBOL.fullmatch(name) or ".." in name:
        raise InvalidInput(
            "invalid_symbol",
            f"{symbol!r} is not a symbol: use letters, digits and . - _ = ^, at most 32, beginning with a letter, a digit or ^.",
            symbol=str(symbol),
        )
    return name


def bars_digest(frame: pd.DataFrame) -> str:
    """SHA-256 of the bars themselves: neither file format nor source nor time of writing enters it."""
    digest = hashlib.sha256()
    digest.update(frame["date"].to_numpy().astype("datetime64[D]").astype("<i8").tobytes())
    for name in (*PRICES, "volume"):
        column = frame[name].to_numpy(dtype="<f8", copy=True)
        column[np.isnan(column)] = np.nan  # one bit pattern for every NaN
        digest.update(column.tobytes())
    return digest.hexdigest()


class BarStore:
    """Bars under `root`. One writer at a time (`services` holds the lock); readers need none."""

    def __init__(self, root: Path):
        self.root = Path(root)

    def path(self, symbol: str) -> Path:
        return self.root / f"{symbol_clean(symbol)}{SUFFIX}"

    def symbols(self) -> list[str]:
        """Stored symbols, sorted."""
        return sorted(path.name.removesuffix(SUFFIX) for path in self.root.glob(f"[!.]*{SUFFIX}"))

    def write(self, symbol: str, frame: pd.DataFrame, source: str) -> tuple[str, bool]:
        """Replace the bars of `symbol`; returns (digest, whether the store changed).

        `frame` has the store's columns with ascending, distinct dates. A reader sees the old file or the new one, never a part.
        """
        days = frame["date"].to_numpy().astype("datetime64[D]")
        if len(days) == 0 or not (days[1:] > days[:-1]).all():
            raise InvalidInput(
                "unordered_bars", f"The bars of {symbol} must be at least one, with ascending and distinct dates.", symbol=symbol
            )
        digest = bars_digest(frame)
        if self.holds(symbol, digest, source):
            return digest, False
        table = pa.table(
            [pa.array(days, pa.date32()), *(pa.array(frame[name], pa.float64(), from_pandas=False) for name in COLUMNS[1:])], SCHEMA
        )
        table = table.replace_schema_metadata({"source": source, "digest": digest})
        # Prices hardly repeat: without dictionaries the file is smaller and reads faster.
        parquet_replace(self.path(symbol), table, use_dictionary=False, write_statistics=False)
        return digest, True

    def identity(self, symbol: str) -> tuple[str, str] | None:
        """(digest, source) that the file of `symbol` names; None when there is no readable file."""
        path = self.path(symbol)
        if not path.exists():
            return None
        try:
            metadata = pq.read_schema(path).metadata or {}
        except (pa.ArrowInvalid, OSError):
            return None  # an unreadable file is replaced by the next import
        return metadata.get(b"digest", b"").decode(), metadata.get(b"source", b"").decode()

    def holds(self, symbol: str, digest: str, source: str) -> bool:
        """Whether the file of `symbol` is these bars, read and not only claimed: importing again repairs a damaged file."""
        if self.identity(symbol) != (digest, source):
            return False
        try:
            return bars_digest(self.read(symbol)) == digest
        except DataMissing:
            return False

    def read(self, symbol: str) -> pd.DataFrame:
        """The bars of `symbol`, `date` as datetime64. Raises `DataMissing` where there are none or the file is damaged."""
        frame = self._table(symbol).to_pandas(date_as_object=False)
        return frame[list(COLUMNS)]

    def panel(self, symbols: Iterable[str], digests: Mapping[str, str] | None = None) -> Panel:
        """The bars of `symbols`, in their order, over every session from the earliest of their bars to the latest.

        With `digests`, a file that holds other bars than its digest says raises `DataMissing("stale_bars")`.
        """
        symbols = tuple(symbols)
        if not symbols:
            raise DataMissing("no_bars", "A panel needs at least one symbol: import bars first (manage.py import_bars PATH).")
        tables = [self._table(symbol) for symbol in symbols]
        for symbol, table in zip(symbols, tables, strict=True):
            if digests is not None and digests[symbol] != table.schema.metadata.get(b"digest", b"").decode():
                raise DataMissing(
                    "stale_bars",
                    f"The stored bars of {symbol} are not those of its last import, which was cut short: import them again.",
                    symbol=symbol,
                )
        days = [table["date"].to_numpy().astype("datetime64[D]") for table in tables]
        sessions = session_array(min(day[0] for day in days), max(day[-1] for day in days))
        arrays = {name: np.full((len(symbols), len(sessions)), np.nan) for name in COLUMNS[1:]}
        for row, (symbol, table, day) in enumerate(zip(symbols, tables, days, strict=True)):
            columns = np.searchsorted(sessions, day)
            if columns[-1] == len(sessions) or (sessions[columns] != day).any():
                raise _damaged(symbol, self.path(symbol), "it holds days that are no sessions")
            for name, array in arrays.items():
                array[row, columns] = table[name].to_numpy()
        factor = arrays.pop("adj_close") / arrays["close"]
        sources = {
            symbol: (table.schema.metadata or {}).get(b"source", b"").decode() for symbol, table in zip(symbols, tables, strict=True)
        }
        return Panel(symbols, sessions, **arrays, factor=factor, sources=sources)

    def _table(self, symbol: str) -> pa.Table:
        path = self.path(symbol)
        if not path.exists():
            raise DataMissing(
                "unknown_symbol", f"No bars of {symbol} are stored: import them first (manage.py import_bars PATH).", symbol=symbol
            )
        try:
            # One file, read whole: threads and dataset discovery cost more than they bring.
            table = pq.ParquetFile(path, page_checksum_verification=True).read(use_threads=False)
            if not table.schema.equals(SCHEMA):
                raise pa.ArrowInvalid(f"its columns are {', '.join(table.column_names)}")
        except (pa.ArrowException, OSError) as error:
            raise _damaged(symbol, path, str(error).splitlines()[0]) from error
        return table


def _damaged(symbol: str, path: Path, why: str) -> DataMissing:
    return DataMissing(
        "damaged_bars",
        f"The stored bars of {symbol} cannot be read ({why}). Import them again: manage.py import_bars PATH replaces {path}.",
        symbol=symbol,
        path=str(path),
    )


def bar_store() -> BarStore:
    """The store of this installation, under `MARKET_DATA_DIR`."""
    return BarStore(settings.MARKET_DATA_DIR)
