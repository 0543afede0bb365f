"""Bars from the user's own files: CSV, CSV.gz or Parquet, one symbol a file or one long table with a symbol column."""

import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from quant_site.core.errors import InvalidInput
from quant_site.market.imports import columns_clean
from quant_site.market.providers.base import Progress, RawBars, silent
from quant_site.market.store import symbol_clean

SUFFIXES = (".csv", ".csv.gz", ".parquet", ".pq")
UNREADABLE = (
    pa.ArrowException,
    OSError,
    EOFError,
    zlib.error,
    UnicodeDecodeError,
    pd.errors.ParserError,
    pd.errors.EmptyDataError,
    ValueError,
)


class FolderProvider:
    """The files of `path` (one file, or a folder whose files are taken in order of name; sub-folders are not entered)."""

    def __init__(self, path, source: str = ""):
        self.path = Path(path).expanduser()
        self.source = source or f"folder: {self.path.resolve().name}"

    def files(self) -> list[Path]:
        """The files to read; raises `InvalidInput` when the path does not exist or holds none."""
        if not self.path.exists():
            raise InvalidInput("no_such_path", f"There is no file or folder {self.path}.", path=str(self.path))
        if self.path.is_file():
            if not _is_bars(self.path):
                raise InvalidInput("unknown_format", f"{self.path.name} is none of {', '.join(SUFFIXES)}.", path=str(self.path))
            return [self.path]
        try:
            inside = sorted(self.path.iterdir())
            files = [path for path in inside if path.is_file() and _is_bars(path)]
            folders = [path.name for path in inside if path.is_dir() and any(map(_is_bars, path.iterdir()))] if not files else []
        except OSError as error:
            raise InvalidInput("unreadable_folder", f"{self.path} cannot be listed: {error.strerror}.", path=str(self.path)) from error
        if not files:
            hint = f" There are some in {', '.join(folders)} inside it: name one of these." if folders else ""
            raise InvalidInput("empty_folder", f"{self.path} holds no file of {', '.join(SUFFIXES)}.{hint}", path=str(self.path))
        return files

    def bars(self, progress: Progress = silent) -> Iterator[RawBars]:
        """The rows of each symbol. Raises `InvalidInput` for a file that cannot be read or a symbol that two files hold."""
        seen: dict[str, Path] = {}
        for path in progress(self.files(), "Reading"):
            for symbol, frame in _symbols(path, columns_clean(table_read(path), path.name)):
                if symbol in seen:
                    raise InvalidInput(
                        "duplicate_symbol",
                        f"{symbol} is in {seen[symbol].name} and again in {path.name}: leave one of them.",
                        symbol=symbol,
                    )
                seen[symbol] = path
                yield RawBars(symbol, frame, self.source, str(path))


def _is_bars(path: Path) -> bool:
    return path.name.lower().endswith(SUFFIXES) and not path.name.startswith(".")


def table_read(path: Path) -> pd.DataFrame:
    """The table in `path`, its index numbering the rows as a person does: lines of a CSV file, rows from 1 in Parquet."""
    parquet = path.name.lower().endswith((".parquet", ".pq"))
    try:
        if parquet:
            frame = pd.read_parquet(path)
            if not isinstance(frame.index, pd.RangeIndex):
                frame = frame.reset_index()  # a date index, as pandas and yfinance write it
        else:
            frame = pd.read_csv(path, low_memory=False, encoding="utf-8-sig")
    except UNREADABLE as error:
        kind = "Parquet" if parquet else "CSV"
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InvalidInput("unreadable_file", f"{path.name} cannot be read as {kind}: {why}", path=str(path)) from error
    if frame.empty:
        raise InvalidInput("empty_file", f"{path.name} holds no rows.", path=str(path))
    return frame.set_axis(np.arange(len(frame)) + (1 if parquet else 2), axis=0)


def _symbols(path: Path, frame: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """(symbol, rows) of a table: by its symbol column, else the file's name."""
    if "symbol" not in frame:
        name = path.name
        for suffix in SUFFIXES:
            if name.lower().endswith(suffix):
                name = name[: -len(suffix)]
                break
        yield _symbol(name, path, "its name"), frame
        return
    blank = frame["symbol"].isna()
    if blank.any():
        raise InvalidInput("invalid_symbol", f"{path.name}, row {frame.index[blank.argmax()]}: the symbol is blank.", path=str(path))
    written = frame["symbol"].astype(str)
    clean = {text: _symbol(text, path, f"row {frame.index[(written == text).argmax()]}") for text in written.unique()}
    yield from frame.drop(columns="symbol").groupby(written.map(clean), sort=True)


def _symbol(text: str, path: Path, where: str) -> str:
    try:
        return symbol_clean(text)
    except InvalidInput as error:
        raise InvalidInput("invalid_symbol", f"{path.name}, {where}: {error.message}", path=str(path)) from error
