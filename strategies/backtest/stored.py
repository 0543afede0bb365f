"""The stored market as somebody asks to backtest on it."""

from collections.abc import Sequence

from quant_site.core.errors import DataMissing, InvalidInput
from quant_site.market.panel import Panel
from quant_site.market.selectors import panel_load, universe_symbols, unknown_symbols
from strategies.features import features


def stored_panel(symbols: Sequence[str] | None = None) -> Panel:
    """The stored bars of `symbols`, or of every tradable one; the others stay in its background.

    Raises `DataMissing` for a symbol that is not stored and where nothing is, `InvalidInput` for one that cannot be traded.
    """
    unknown = unknown_symbols(symbols or ())
    if unknown:
        raise DataMissing("unknown_symbol", " ".join(unknown.values()), symbols=sorted(unknown))
    panel, tradable = panel_load(), universe_symbols()
    barred = sorted(set(symbols or ()) - set(tradable))
    if barred:
        raise InvalidInput("not_tradable", f"{', '.join(barred)} cannot be traded: choose among {', '.join(tradable)}.", symbols=barred)
    return features.restricted(panel, tuple(sorted(set(symbols or tradable))))
