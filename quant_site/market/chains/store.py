"""The store of real option chains: one Parquet file per underlying and session.

Files lie under `MARKET_DATA_DIR/chains/UNDERLYING/SESSION.parquet`, where the store of bars does not look. They are
replaced as a whole; a reader sees the old file or the new one. A file names its source, the underlying's price and the
digest of its quotes in its metadata.
"""

import hashlib
import os
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from django.conf import settings

from quant_site.core.errors import DataMissing
from quant_site.market.chains.imports import OPTIONAL, ParsedChain
from quant_site.market.parquet import SUFFIX, parquet_replace
from quant_site.market.store import symbol_clean

FOLDER = "chains"
NUMBERS = ("strike", "bid", "ask", *OPTIONAL)
SCHEMA = pa.schema([("expiry", pa.date32()), ("right", pa.string()), *((name, pa.float64()) for name in NUMBERS)])


@dataclass(frozen=True)
class StoredChain:
    """Rows as imported: expiry datetime64, right "C" or "P", the others float64 with NaN for what the source did not give."""

    underlying: str
    session: date
    spot: float
    source: str
    digest: str
    frame: pd.DataFrame


def chain_digest(frame: pd.DataFrame, spot: float) -> str:
    """SHA-256 of the quotes themselves: neither file format nor source nor time of writing enters it."""
    digest = hashlib.sha256(np.float64(spot).tobytes())
    digest.update(frame["expiry"].to_numpy().astype("datetime64[D]").astype("<i8").tobytes())
    digest.update("".join(frame["right"]).encode())
    for name in NUMBERS:
        column = frame[name].to_numpy(dtype="<f8", copy=True)
        column[np.isnan(column)] = np.nan  # one bit pattern for every NaN
        digest.update(column.tobytes())
    return digest.hexdigest()


class ChainStore:
    """Chains under `root`. One writer at a time (`chain_services` holds the lock); readers need none."""

    def __init__(self, root: Path):
        self.root = Path(root)
        self._folder = str(self.root)

    def path(self, underlying: str, session: date) -> Path:
        return self.root / symbol_clean(underlying) / f"{session:%Y-%m-%d}{SUFFIX}"

    def sessions(self, underlying: str) -> list[date]:
        """Sessions of which a chain is stored, ascending."""
        names = (self.root / symbol_clean(underlying)).glob(f"[!.]*{SUFFIX}")
        return sorted(date.fromisoformat(path.name.removesuffix(SUFFIX)) for path in names)

    def stamp(self, underlying: str) -> int:
        """A number that changes with every write of a chain of `underlying`; 0 while there is none."""
        try:
            return os.stat(f"{self._folder}/{underlying}").st_mtime_ns
        except FileNotFoundError:
            return 0

    def holds(self, underlying: str, session: date, digest: str, source: str) -> bool:
        """Whether the stored chain is this one, read and not only claimed: importing again repairs a damaged file."""
        try:
            stored = self.read(underlying, session)
        except DataMissing:
            return False
        return (stored.digest, stored.source) == (digest, source) and chain_digest(stored.frame, stored.spot) == digest

    def read(self, underlying: str, session: date) -> StoredChain:
        """Raises `DataMissing` where no chain of that session is stored, or its file is damaged."""
        path = self.path(underlying, session)
        if not path.exists():
            raise DataMissing(
                "unknown_chain",
                f"No chain of {underlying} on {session} is stored: import it first (manage.py import_chain PATH).",
                underlying=underlying,
                session=str(session),
            )
        try:
            table = pq.ParquetFile(path, page_checksum_verification=True).read(use_threads=False)
            metadata = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
            if not table.schema.equals(SCHEMA):
                raise pa.ArrowInvalid(f"its columns are {', '.join(table.column_names)}")
            spot = float(metadata["spot"])
        except (pa.ArrowException, OSError, KeyError, ValueError) as error:
            raise _damaged(underlying, session, path, error) from error
        frame = table.to_pandas(date_as_object=False)
        return StoredChain(underlying, session, spot, metadata.get("source", ""), metadata.get("digest", ""), frame)

    def write(self, chain: ParsedChain, source: str) -> tuple[str, bool]:
        """Store `chain` in place of what there was; returns (digest, whether the store changed)."""
        digest = chain_digest(chain.frame, chain.spot)
        if self.holds(chain.underlying, chain.session, digest, source):
            return digest, False
        days = pa.array(chain.frame["expiry"].to_numpy().astype("datetime64[D]"), pa.date32())
        right = pa.array(chain.frame["right"].tolist(), pa.string())
        numbers = [pa.array(chain.frame[name].to_numpy(float), pa.float64(), from_pandas=False) for name in NUMBERS]
        metadata = {"source": source, "digest": digest, "spot": repr(chain.spot)}
        table = pa.table([days, right, *numbers], SCHEMA).replace_schema_metadata(metadata)
        parquet_replace(self.path(chain.underlying, chain.session), table, write_statistics=False)
        return digest, True


def _damaged(underlying: str, session: date, path: Path, error: Exception) -> DataMissing:
    return DataMissing(
        "damaged_chain",
        f"The stored chain of {underlying} on {session} cannot be read ({str(error).splitlines()[0]}). Import it again: "
        f"manage.py import_chain PATH replaces {path}.",
        underlying=underlying,
        session=str(session),
        path=str(path),
    )


def chain_store() -> ChainStore:
    """The store of this installation, under `MARKET_DATA_DIR`."""
    return _store_at(settings.MARKET_DATA_DIR)


@lru_cache(maxsize=8)
def _store_at(root: Path) -> ChainStore:
    return ChainStore(Path(root) / FOLDER)
