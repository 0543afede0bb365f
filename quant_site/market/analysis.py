"""The technical summary of one symbol: every indicator's latest value, levels and candle patterns, as of its last bar.

It is computed on adjusted prices, scaled so that they equal the raw ones at the last bar: a level is a price one can
name in an order today. It is cached for an hour under the digest of the bars, so an import shows at once.
"""

import numpy as np
from django.core.cache import cache

from quant_site.core.errors import DataMissing
from quant_site.market import indicators as ta
from quant_site.market.models import Instrument
from quant_site.market.patterns import candle_patterns, support_resistance
from quant_site.market.selectors import unknown_symbols
from quant_site.market.store import bar_store, symbol_clean

CACHE_SECONDS = 3600
DECIMALS = 6


def technical_summary(symbol: str, *, force_refresh: bool = False) -> dict:
    """JSON-ready: {symbol, source, as_of, bars, close, indicators, undefined, support, resistance, patterns}.

    An indicator without a value is None in `indicators` and has its reason in `undefined`. `force_refresh` computes
    anew what the cache holds. Raises `DataMissing` when no bars of `symbol` are stored, `InvalidInput` for no symbol.
    """
    symbol = symbol_clean(symbol)
    row = Instrument.objects.filter(pk=symbol, bars__gt=0).values("content_digest", "source").first()
    if row is None:
        raise DataMissing("unknown_symbol", unknown_symbols([symbol])[symbol], symbol=symbol)
    key = f"technical:{symbol}:{row['content_digest']}"
    summary = None if force_refresh else cache.get(key)
    if summary is None:
        summary = {"symbol": symbol, "source": row["source"]} | _summarise(symbol)
        cache.set(key, summary, CACHE_SECONDS)
    return summary


def _summarise(symbol: str) -> dict:
    frame = bar_store().read(symbol)
    factor = (frame["adj_close"] / frame["close"]).to_numpy()
    scale = factor / factor[-1]
    opened, high, low, close = (frame[name].to_numpy() * scale for name in ("open", "high", "low", "close"))
    series = _indicators(high, low, close, frame["volume"].to_numpy())
    latest = {name: float(values[-1]) for name, (values, _) in series.items()}
    levels = support_resistance(high, low, close)
    return {
        "as_of": str(frame["date"].iloc[-1].date()),
        "bars": len(frame),
        "close": round(float(frame["close"].iloc[-1]), DECIMALS),
        "indicators": {name: round(value, DECIMALS) if np.isfinite(value) else None for name, value in latest.items()},
        "undefined": {name: _reason(series[name][1], len(frame)) for name, value in latest.items() if not np.isfinite(value)},
        "support": [{"price": round(each.price, DECIMALS), "touches": each.touches} for each in levels.support],
        "resistance": [{"price": round(each.price, DECIMALS), "touches": each.touches} for each in levels.resistance],
        "patterns": [
            {"name": each.name, "direction": each.direction, "bars_ago": each.bars_ago}
            for each in candle_patterns(opened, high, low, close)
        ],
    }


def _indicators(high, low, close, volume) -> dict[str, tuple[np.ndarray, int]]:
    """(series, bars it needs) by name, with the customary windows."""
    lower, middle, upper = ta.bollinger(close, 20, 2.0)
    line, signal, histogram = ta.macd(close)
    k, d = ta.stochastic(high, low, close)
    return {
        **{f"sma_{n}": (ta.sma(close, n), n) for n in (20, 50, 200)},
        **{f"ema_{n}": (ta.ema(close, n), n) for n in (12, 26)},
        "bollinger_lower": (lower, 20),
        "bollinger_middle": (middle, 20),
        "bollinger_upper": (upper, 20),
        "rsi_14": (ta.rsi(close), 15),
        "macd": (line, 34),
        "macd_signal": (signal, 34),
        "macd_histogram": (histogram, 34),
        "stochastic_k": (k, 18),
        "stochastic_d": (d, 18),
        "atr_14": (ta.atr(high, low, close), 15),
        "adx_14": (ta.adx(high, low, close), 28),
        "volume_ratio_20": (ta.volume_ratio(volume), 21),
    }


def _reason(needed: int, bars: int) -> str:
    if bars < needed:
        return f"needs {needed} bars, {bars} are stored"
    return "the source gives no volume, or nothing moved or traded in the window"
