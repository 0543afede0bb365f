"""`Panel`: the market as arrays, symbols × sessions, shared read-only by every strategy, indicator and backtest.

Raw prices are what traded: orders, fills and fixed fees use them. Adjusted prices (raw × factor) carry splits and
dividends: signals use them. The two are never mixed in one array.
"""

from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

import numpy as np

from quant_site.core.errors import DataMissing
from quant_site.market.options.contracts import parse_contract, price_sources
from quant_site.market.reference import Reference

ARRAYS = ("open", "high", "low", "close", "volume", "factor")


@dataclass(frozen=True, eq=False)
class Panel:
    """Bars of N symbols on T consecutive NYSE sessions; float64 arrays of shape (N, T), NaN where no bar exists.

    `sessions` is datetime64[D], ascending. `factor` is adjusted / raw close: 1 everywhere when the source gives
    adjusted bars only. Arrays are not writable. `reference` is what is known beside bars, on the same sessions;
    `background` the panel this one was selected from, with symbols that are looked at and not traded (VIX, an index).
    `digest` identifies the stored data it was read from, "" where it was not.
    """

    symbols: tuple[str, ...]
    sessions: np.ndarray
    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray
    factor: np.ndarray
    sources: dict[str, str] = field(default_factory=dict)
    reference: Reference = field(default_factory=Reference)
    background: "Panel | None" = None
    digest: str = ""

    def __post_init__(self):
        for name in ("sessions", *ARRAYS):
            getattr(self, name).setflags(write=False)

    @cached_property
    def adj_open(self) -> np.ndarray:
        return self.open * self.factor

    @cached_property
    def adj_high(self) -> np.ndarray:
        return self.high * self.factor

    @cached_property
    def adj_low(self) -> np.ndarray:
        return self.low * self.factor

    @cached_property
    def adj_close(self) -> np.ndarray:
        return self.close * self.factor

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {symbol: row for row, symbol in enumerate(self.symbols)}

    def row(self, symbol: str) -> int:
        """The row of `symbol`; raises `DataMissing` when the panel does not hold it."""
        try:
            return self._rows[symbol]
        except KeyError:
            raise DataMissing("unknown_symbol", f"No bars of {symbol} are stored: import them first.", symbol=symbol) from None

    def __contains__(self, symbol: str) -> bool:
        return symbol in self._rows

    def index(self, session: date) -> int:
        """The column of `session`; raises `DataMissing` when the panel does not reach it."""
        day = np.datetime64(session, "D")
        t = int(np.searchsorted(self.sessions, day))
        if t == len(self.sessions) or self.sessions[t] != day:
            raise DataMissing("no_bars", f"There are no bars of session {session}: stored are {self.span}.", session=str(session))
        return t

    @property
    def span(self) -> str:
        return f"{self.sessions[0]} to {self.sessions[-1]}" if len(self.sessions) else "none"

    def until(self, session: date) -> "Panel":
        """The same panel without anything after `session`."""
        end = int(np.searchsorted(self.sessions, np.datetime64(session, "D"), side="right"))
        cut = {name: getattr(self, name)[:, :end] for name in ARRAYS}
        background = self.background and self.background.until(session)
        return Panel(
            self.symbols, self.sessions[:end], **cut, sources=self.sources, reference=self.reference.until(end), background=background
        )

    def select(self, symbols) -> "Panel":
        """The same panel with these symbols only, in their order; the others stay in its background."""
        rows = [self.row(symbol) for symbol in symbols]
        cut = {name: getattr(self, name)[rows] for name in ARRAYS}
        sources = {symbol: self.sources[symbol] for symbol in symbols if symbol in self.sources}
        reference, background = self.reference.select(rows), self.background or self
        return Panel(tuple(symbols), self.sessions, **cut, sources=sources, reference=reference, background=background, digest=self.digest)

    def holding(self, symbol: str) -> "tuple[Panel, int] | None":
        """The panel (this one, else its background) with bars of `symbol`, and its row there; None where neither has any."""
        for panel in (self, self.background):
            if panel is not None and symbol in panel:
                return panel, panel.row(symbol)
        return None

    def knows(self, symbol: str) -> bool:
        """Whether there are bars of `symbol`, or of what it is an option on."""
        contract = parse_contract(symbol)
        return symbol in self if contract is None else any(self.holding(name) for name in price_sources(contract.underlying))
