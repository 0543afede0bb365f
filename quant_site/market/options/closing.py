"""Prices at the close of a session, of shares and of options alike: raw closes, and the mids of options when they are asked for."""

from collections.abc import Iterator, Mapping
from math import isfinite

from quant_site.market.options.contracts import parse_contract
from quant_site.market.options.quotes import option_market
from quant_site.market.panel import Panel


class ClosingPrices(Mapping[str, float]):
    """Prices by symbol at the close of column t of a panel. Iterating goes over the closes it was made of.

    What is not among these is priced when it is asked for: an option by its mid, an underlying without bars of its own (XSP)
    by what stands for it. What has no price is absent.
    """

    def __init__(self, closes: Mapping[str, float], panel: Panel, t: int):
        self._closes, self._panel, self._t = dict(closes), panel, t

    def __getitem__(self, symbol: str) -> float:
        value = self._closes.get(symbol)
        if value is None:
            value = self._priced(symbol)
        if value is None:
            raise KeyError(symbol)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._closes)

    def __len__(self) -> int:
        return len(self._closes)

    def _priced(self, symbol: str) -> float | None:
        if parse_contract(symbol) is not None:
            return closing_mid(self._panel, symbol, self._t)
        spot = option_market(self._panel).spot(symbol, self._t)
        return spot if isfinite(spot) else None


def closing_mid(panel: Panel, symbol: str, t: int) -> float | None:
    """The mid of the option `symbol` at the close of column t; None where it has no quote."""
    quote = option_market(panel).quote(symbol, t, "CLOSE") if t >= 0 else None
    return None if quote is None or not isfinite(quote.mid) else quote.mid
