"""The reference store: one Parquet file per set under `MARKET_DATA_DIR/reference/`, written by atomic replacement.

A set is a long table of items, series or symbols, each with its source beside its rows. The metadata of a file names
the digest of its content and every source, so that the file says for itself what it is and an import shows at once.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from django.conf import settings

from quant_site.core.errors import DataMissing
from quant_site.market.parquet import SUFFIX, parquet_replace
from quant_site.market.reference.fundamentals import FIELDS

FOLDER = "reference"


@dataclass(frozen=True, eq=False)
class ReferenceSet:
    """`columns` beside item and source, by type; rows are ordered by `order`. `command` imports it."""

    name: str
    command: str
    columns: dict[str, pa.DataType]
    order: tuple[str, ...]

    @property
    def schema(self) -> pa.Schema:
        return pa.schema([("item", pa.string()), ("source", pa.string()), *self.columns.items()])

    @property
    def day(self) -> str:
        """The column that dates a row; "" where rows have no date."""
        return next((name for name, kind in self.columns.items() if pa.types.is_date(kind)), "")


_VALUES = {"date": pa.date32(), "value": pa.float64()}
_REPORTS = {"period_ending": pa.date32(), "filing_date": pa.date32(), **dict.fromkeys(FIELDS, pa.float64())}
SERIES = ReferenceSet("series", "import_factors", _VALUES, ("item", "date"))
IMPLIED_VOL = ReferenceSet("implied_vol", "import_volatility", _VALUES, ("item", "date"))
FUNDAMENTALS = ReferenceSet("fundamentals", "import_fundamentals", _REPORTS, ("item", "period_ending", "filing_date"))
SECTORS = ReferenceSet("sectors", "import_sectors", {"sector": pa.string()}, ("item",))
SETS = (SERIES, IMPLIED_VOL, FUNDAMENTALS, SECTORS)


class ReferenceStore:
    """Sets under `root`. One writer at a time (`services` holds the lock); readers need none."""

    def __init__(self, root: Path):
        self.root = Path(root)

    def path(self, each: ReferenceSet) -> Path:
        return self.root / f"{each.name}{SUFFIX}"

    def digests(self) -> tuple[tuple[str, str], ...]:
        """(name, digest) of the stored sets: four looks at the folder, and at a file only when it is another one."""
        return tuple((each.name, digest) for each in SETS if (digest := self.digest(each)) is not None)

    def digest(self, each: ReferenceSet) -> str | None:
        """The digest that the file of a set names: None where there is no file, "" where it cannot be read."""
        path = self.path(each)
        try:
            stat = path.stat()
        except FileNotFoundError:
            return None
        return _digest_of(str(path), stat.st_ino, stat.st_mtime_ns, stat.st_size)

    def read(self, each: ReferenceSet, items: Iterable[str] | None = None) -> pd.DataFrame:
        """The rows of a set, of these items only, in order; none where it is not stored.

        Dates are datetime64; item and source are categorical in what a file holds. Raises `DataMissing` for a damaged file.
        """
        path = self.path(each)
        if not path.exists():
            return each.schema.empty_table().to_pandas(date_as_object=False)
        try:
            table = pq.ParquetFile(path, page_checksum_verification=True, read_dictionary=["item", "source"]).read(use_threads=False)
            if table.column_names != each.schema.names:
                raise pa.ArrowInvalid(f"its columns are {', '.join(table.column_names)}")
        except (pa.ArrowException, OSError) as error:
            raise _damaged(each, path, str(error).splitlines()[0]) from error
        if items is not None:
            table = table.filter(pc.is_in(pc.cast(table["item"], pa.string()), pa.array(sorted(set(items)), pa.string())))
        return table.to_pandas(date_as_object=False)

    def write(self, each: ReferenceSet, frame: pd.DataFrame) -> tuple[str, bool]:
        """Replace a set by `frame`, in order and with the columns of its schema; returns (digest, whether the store changed)."""
        digest = table_digest(frame)
        if self.holds(each, digest):
            return digest, False
        table = pa.Table.from_pandas(frame[each.schema.names], each.schema, preserve_index=False)
        sources = "; ".join(sorted(set(frame["source"])))
        table = table.replace_schema_metadata({"source": sources, "digest": digest})
        parquet_replace(self.path(each), table, use_dictionary=["item", "source"])
        return digest, True

    def holds(self, each: ReferenceSet, digest: str) -> bool:
        """Whether the file of a set has this content, read and not only claimed: importing again repairs a damaged file."""
        if self.digest(each) != digest:
            return False
        try:
            return table_digest(self.read(each)) == digest
        except DataMissing:
            return False


def table_digest(frame: pd.DataFrame) -> str:
    """SHA-256 of the rows and their sources: neither file format nor time of writing enters it."""
    digest = hashlib.sha256()
    for name in sorted(frame.columns):
        column = frame[name]
        digest.update(f"{name}:{len(column)}:".encode())
        if pd.api.types.is_datetime64_dtype(column.dtype):
            digest.update(column.to_numpy().astype("datetime64[D]").astype("<i8").tobytes())
        elif pd.api.types.is_float_dtype(column.dtype):
            values = column.to_numpy(dtype="<f8", copy=True)
            values[np.isnan(values)] = np.nan  # one bit pattern for every NaN
            digest.update(values.tobytes())
        else:
            codes, words = pd.factorize(column)
            digest.update(codes.astype("<i8").tobytes() + "\0".join(map(str, words)).encode())
    return digest.hexdigest()


@lru_cache(maxsize=64)
def _digest_of(path: str, _inode: int, _changed: int, _size: int) -> str:
    try:
        return (pq.read_schema(path).metadata or {}).get(b"digest", b"").decode()
    except (pa.ArrowException, OSError):
        return ""  # reading it will say what is wrong


def _damaged(each: ReferenceSet, path: Path, why: str) -> DataMissing:
    return DataMissing(
        "damaged_reference",
        f"The stored {each.name.replace('_', ' ')} cannot be read ({why}). "
        f"Import them again, all of them: manage.py {each.command} PATH replaces {path}.",
        set=each.name,
        path=str(path),
    )


def reference_store() -> ReferenceStore:
    """The store of this installation, under `MARKET_DATA_DIR`."""
    return ReferenceStore(Path(settings.MARKET_DATA_DIR) / FOLDER)
