"""Tables beside bars from the user's own files: CSV, CSV.gz or Parquet, a file or a folder of them."""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from quant_site.market.providers.base import Progress, silent
from quant_site.market.providers.folder import FolderProvider, table_read


@dataclass(frozen=True)
class RawTable:
    """A table as the file `name` has it, unchecked; its index numbers the rows as a person would. `source` is shown with its values."""

    name: str
    frame: pd.DataFrame
    source: str


class TableProvider(FolderProvider):
    """The same files as those of bars, each as the table it is."""

    def tables(self, progress: Progress = silent) -> Iterator[RawTable]:
        """The tables in order of name. Raises `InvalidInput` for a path without files or a file that cannot be read."""
        for path in progress(self.files(), "Reading"):
            yield RawTable(path.name, table_read(path), self.source)
