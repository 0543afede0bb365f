"""Reads of the market: the panel everybody shares, the tradable universe, the default benchmark."""

import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import replace
from difflib import get_close_matches
from threading import Lock

from django.conf import settings

from quant_site.core.errors import DataMissing
from quant_site.market.models import Instrument
from quant_site.market.panel import Panel
from quant_site.market.reference.load import reference_load
from quant_site.market.reference.store import reference_store
from quant_site.market.store import bar_store

BENCHMARKS = ("SPY", "SPX")
# A panel of 100 symbols over 20 years takes 60 MB with its adjusted prices, and 100 MB more where their reports are stored.
PANELS_KEPT = 3

_panels: OrderedDict[tuple, Panel] = OrderedDict()
_panels_lock = Lock()


def panel_load(symbols: Iterable[str] | None = None) -> Panel:
    """The stored bars of `symbols` (None: of every instrument, indexes too), in sorted order, with what is stored beside them.

    The same data give the same `Panel` object as long as the process keeps it, for one small query. Raises
    `DataMissing` for a symbol that is not stored, and when nothing is stored at all.
    """
    try:
        return _panel_cached(symbols)
    except DataMissing as error:
        if error.code not in ("stale_bars", "stale_reference"):
            raise
        return _panel_cached(symbols)  # an import replaced a file between our query and our reading


def _panel_cached(symbols: Iterable[str] | None) -> Panel:
    rows = Instrument.objects.filter(bars__gt=0).order_by("symbol")
    if symbols is not None:
        wanted = sorted(set(symbols))
        rows = rows.filter(symbol__in=wanted)
    stored = tuple(rows.values_list("symbol", "content_digest", "source", "kind"))
    digests = {symbol: digest for symbol, digest, _, _ in stored}
    if symbols is not None and len(digests) < len(wanted):
        raise DataMissing("unknown_symbol", " ".join(unknown_symbols(wanted).values()), symbols=sorted(set(wanted) - set(digests)))
    if not digests:
        raise DataMissing(
            "no_bars", "No bars are stored: import some (manage.py import_bars PATH) or load the bundled ones (bin/run does)."
        )
    reference = reference_store().digests()
    key = (str(settings.MARKET_DATA_DIR), stored, reference)
    with _panels_lock:
        if key not in _panels:
            _panels[key] = _panel_read(digests, {symbol: kind for symbol, _, _, kind in stored}, reference)
            while len(_panels) > PANELS_KEPT:
                _panels.popitem(last=False)
        _panels.move_to_end(key)
        return _panels[key]


def _panel_read(digests: dict[str, str], kinds: dict[str, str], reference: tuple) -> Panel:
    panel = bar_store().panel(digests, digests)
    digest = hashlib.sha256(repr((sorted(digests.items()), sorted(kinds.items()), reference)).encode()).hexdigest()
    panel = replace(panel, reference=reference_load(panel, kinds), digest=digest)
    if reference_store().digests() != reference:
        raise DataMissing("stale_reference", "Reference data were imported while they were read: try again.")
    return panel


def universe_symbols() -> list[str]:
    """Symbols that can be traded and have bars, sorted."""
    return list(Instrument.objects.filter(tradable=True, bars__gt=0).order_by("symbol").values_list("symbol", flat=True))


def benchmark_default() -> str | None:
    """SPY where it is stored, else the S&P 500 index; None when neither is."""
    stored = set(Instrument.objects.filter(pk__in=BENCHMARKS, bars__gt=0).values_list("symbol", flat=True))
    return next((symbol for symbol in BENCHMARKS if symbol in stored), None)


def unknown_symbols(symbols: Iterable[str]) -> dict[str, str]:
    """A sentence for each of `symbols` without stored bars, with what might have been meant; empty when all are known."""
    wanted = list(dict.fromkeys(symbols))
    stored = list(Instrument.objects.filter(bars__gt=0).order_by("symbol").values_list("symbol", flat=True))
    return {symbol: f"No bars of {symbol} are stored{did_you_mean(symbol, stored)}" for symbol in wanted if symbol not in set(stored)}


def did_you_mean(symbol: str, known: list[str]) -> str:
    """The end of a sentence about an unknown symbol."""
    close = get_close_matches(symbol.upper(), known, n=3, cutoff=0.5)
    if close:
        return f": did you mean {' or '.join(close)}?"
    return ": import them first (manage.py import_bars PATH)."
