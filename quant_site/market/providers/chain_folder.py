"""Option chains from the user's own files: CSV, CSV.gz or Parquet, any number of underlyings and days in each."""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from quant_site.market.chains.imports import chain_columns_clean
from quant_site.market.providers.base import Progress, silent
from quant_site.market.providers.folder import FolderProvider, table_read


@dataclass(frozen=True)
class RawChains:
    """Rows of one file, columns named by `chain_columns_clean`, unchecked; the index numbers them as a person would."""

    frame: pd.DataFrame
    source: str
    origin: str


class ChainFolderProvider(FolderProvider):
    """The files of `path`: one file, or a folder whose files are taken in order of name."""

    def chains(self, progress: Progress = silent) -> Iterator[RawChains]:
        """The rows of each file. Raises `InvalidInput` for a file that cannot be read or lacks a column."""
        for path in progress(self.files(), "Reading"):
            yield RawChains(chain_columns_clean(table_read(path), path.name), self.source, path.name)
