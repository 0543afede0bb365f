"""Market data of Tiger Brokers: bars, quotes, option chains with Greeks, expirations, the calendar, contracts.

It needs the credentials of the settings and, for quotes, a data subscription of theirs. Nothing is asked before a method
is called.
"""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from functools import cached_property

import pandas as pd

from quant_site.core import clock
from quant_site.core.errors import DataMissing, InvalidInput
from quant_site.market.chains.imports import chain_columns_clean
from quant_site.market.imports import columns_clean
from quant_site.market.providers.base import Progress, RawBars, silent
from quant_site.market.providers.chain_folder import RawChains
from quant_site.market.sessions import NEW_YORK
from quant_site.market.store import symbol_clean
from quant_site.market.tiger import quotes as asked
from quant_site.market.tiger.wire import Wire

SOURCE = "Tiger Brokers"
HISTORY = timedelta(days=730)


class TigerProvider:
    """The `symbols` from `first` to `last` (two years up to today where nothing is said). Raises `Unavailable` without
    credentials, `TigerError` where Tiger does not answer."""

    def __init__(self, symbols: Iterable[str] = (), *, first: date | None = None, last: date | None = None, wire: Wire | None = None):
        self.symbols = sorted({symbol_clean(symbol) for symbol in symbols})
        self.last = last or clock.now().astimezone(NEW_YORK).date()
        self.first = first or self.last - HISTORY
        self._given = wire

    @cached_property
    def wire(self) -> Wire:
        return self._given or Wire()

    def bars(self, progress: Progress = silent) -> Iterator[RawBars]:
        """Daily bars as they traded, with the closes that Tiger adjusts. Raises `DataMissing` for a symbol that has none."""
        if not self.symbols:
            raise InvalidInput("no_symbols", "Name the symbols whose bars are wanted.")
        for symbol in progress(self.symbols, "Asking"):
            raw = asked.bars(self.wire, symbol, self.first, self.last)
            if not raw:
                raise DataMissing("tiger_no_bars", f"Tiger has no bars of {symbol} from {self.first} to {self.last}.", symbol=symbol)
            adjusted = {bar.session: bar.close for bar in asked.bars(self.wire, symbol, self.first, self.last, adjusted=True)}
            yield RawBars(symbol, _bar_frame(raw, adjusted), SOURCE, f"{SOURCE}: kline")

    def chains(self, progress: Progress = silent, *, until: date | None = None) -> Iterator[RawChains]:
        """The chain of each symbol as it is now, of the expirations up to `until` (60 days ahead where nothing is said).
        Raises `DataMissing` where the underlying has no price."""
        until = until or self.last + timedelta(days=60)
        prices = self.quotes(self.symbols)
        for underlying in progress(self.symbols, "Asking"):
            quote = prices.get(underlying)
            if quote is None or quote.last is None:
                raise DataMissing("tiger_no_quote", f"Tiger has no price of {underlying}.", symbol=underlying)
            days = [day for day in self.expirations(underlying) if self.last <= day <= until]
            rows = [row for day in days for row in asked.chain(self.wire, underlying, day)]
            if rows:
                frame = _chain_frame(rows, quote.at.astimezone(NEW_YORK).date(), float(quote.last))
                yield RawChains(frame, SOURCE, f"{SOURCE}: option_chain of {underlying}")

    def chain(self, underlying: str, expiry: date) -> list[asked.ChainRow]:
        """The options of one expiration, with Greeks."""
        return asked.chain(self.wire, underlying, expiry)

    def quotes(self, symbols: Iterable[str]) -> dict[str, asked.TigerQuote]:
        """Quotes of stocks and options by symbol; what has none is absent."""
        return asked.quotes(self.wire, symbols)

    def expirations(self, underlying: str) -> list[date]:
        """The days on which listed options of `underlying` expire."""
        return asked.expirations(self.wire, underlying)

    def calendar(self, first: date, last: date) -> dict[date, str]:
        """Tiger's word for each day: TRADING, EARLY_CLOSE, NON_TRADING."""
        return asked.calendar(self.wire, first, last)

    def contract(self, symbol: str) -> asked.TigerContract | None:
        """Ticks, lot and multiplier; None where Tiger does not know `symbol`."""
        return asked.contract(self.wire, symbol)


def _bar_frame(bars: list[asked.TigerBar], adjusted: dict) -> pd.DataFrame:
    rows = {
        "date": [bar.session.isoformat() for bar in bars],
        **{name: [float(getattr(bar, name)) for bar in bars] for name in ("open", "high", "low", "close")},
        "volume": [float("nan") if bar.volume is None else float(bar.volume) for bar in bars],
        "adj_close": [float(adjusted.get(bar.session, bar.close)) for bar in bars],
    }
    return columns_clean(pd.DataFrame(rows, index=range(1, len(bars) + 1)), SOURCE)


def _chain_frame(rows: list[asked.ChainRow], session: date, spot: float) -> pd.DataFrame:
    """Nobody's bid is a bid of 0, as the chains of other sources have it; an ask that nobody makes stays unknown."""
    table = {
        "quote_date": [session.isoformat()] * len(rows),
        "underlying": [row.contract.underlying for row in rows],
        "underlying_price": [spot] * len(rows),
        "expiration": [row.contract.expiry.isoformat() for row in rows],
        "strike": [float(row.contract.strike) for row in rows],
        "type": [row.contract.right for row in rows],
        "bid": [_number(row.bid, 0.0) for row in rows],
        **{name: [_number(getattr(row, name)) for row in rows] for name in ("ask", "last", "volume", "open_interest", "delta", "gamma")},
        "iv": [_number(row.implied_volatility) for row in rows],
    }
    return chain_columns_clean(pd.DataFrame(table, index=range(1, len(rows) + 1)), SOURCE)


def _number(value, default: float = float("nan")) -> float:
    return default if value is None else float(value)
