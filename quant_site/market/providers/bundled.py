"""Real price history that ships inside installed packages: it needs no network, and everybody has the same.

The files are read from where the packages lie, without importing them: importing `arch` alone takes seconds.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from quant_site.core.errors import DataMissing
from quant_site.market.imports import columns_clean
from quant_site.market.providers.base import Progress, RawBars, silent

PREFIX = "bundled: "


@dataclass(frozen=True)
class _Series:
    """One bundled history. `level` names the column of a series that has levels only: open = high = low = close."""

    symbol: str
    name: str
    kind: str
    package: str
    file: str
    origin: str
    level: str = ""

    @cached_property
    def source(self) -> str:
        return f"{PREFIX}{self.package} {version(self.package)}, {self.origin}"

    @cached_property
    def path(self) -> Path:
        spec = find_spec(self.package)
        path = Path(spec.submodule_search_locations[0]) / self.file if spec else None
        if path is None or not path.exists():
            raise DataMissing("package_missing", f"The package {self.package} with the history of {self.symbol} is not installed.")
        return path


_WIKI = ("bokeh_sampledata", "_data/stocks.csv.gz", "Quandl WIKI Prices")
SERIES = (
    _Series("AAPL", "Apple", "STOCK", *_WIKI),
    _Series("FB", "Facebook", "STOCK", *_WIKI),
    _Series("GOOG", "Google (before the 2014 split, class A)", "STOCK", *_WIKI),
    _Series("IBM", "IBM", "STOCK", *_WIKI),
    _Series("MSFT", "Microsoft", "STOCK", *_WIKI),
    _Series("IXIC", "NASDAQ Composite", "INDEX", "arch", "data/nasdaq/nasdaq.csv.gz", "Yahoo Finance"),
    _Series("SPX", "S&P 500", "INDEX", "arch", "data/sp500/sp500.csv.gz", "Yahoo Finance"),
    _Series("VIX", "CBOE Volatility Index", "INDEX", "arch", "data/vix/vix.csv.gz", "FRED VIXCLS", "vix"),
    _Series("WTI", "Crude oil, West Texas Intermediate, spot", "INDEX", "arch", "data/wti/wti.csv.gz", "FRED DCOILWTICO", "DCOILWTICO"),
)


class BundledProvider:
    """AAPL, FB, GOOG, IBM and MSFT with raw and adjusted bars; S&P 500, NASDAQ, VIX and WTI as indexes."""

    def sources(self) -> dict[str, str]:
        """The source of each symbol, as its bars will name it."""
        return {series.symbol: series.source for series in SERIES}

    def bars(self, progress: Progress = silent) -> Iterator[RawBars]:
        tables: dict[Path, pd.DataFrame] = {}
        for series in progress(list(SERIES), "Reading"):
            if series.path not in tables:
                tables[series.path] = pd.read_csv(series.path)
            frame = _rows(series, tables[series.path])
            yield RawBars(series.symbol, frame, series.source, str(series.path), kind=series.kind, name=series.name)


def _rows(series: _Series, table: pd.DataFrame) -> pd.DataFrame:
    if series.level:
        # A day without an observation is a blank line of FRED, not a bar.
        table = table.dropna(subset=[series.level])
        table = table.assign(**dict.fromkeys(("Open", "High", "Low", "Close"), table[series.level]))
    if "Ticker" in table:
        table = table[table["Ticker"] == series.symbol]
    frame = columns_clean(table, series.path.name)
    # arch writes American dates (1/4/1999).
    style = "%m/%d/%Y" if series.package == "arch" else "%Y-%m-%d"
    frame = frame.assign(date=pd.to_datetime(frame["date"], format=style))
    return frame.set_axis(frame.index + 2, axis=0)
