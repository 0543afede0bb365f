"""Technical indicators through TA-Lib, as plain functions of float64 arrays.

Each takes (T,) or (N, T) and returns the same shape. A value at t depends on nothing after t. A bar counts where every
input is finite: a row may begin with NaN (listed later), and a gap in between is skipped, so that windows count a symbol's
own bars and the value is NaN at the gap only. NaN too where the window is not full yet or the value is undefined
(nothing moved, nothing traded). Recursive ones (EMA, RSI, MACD, ATR, ADX) start from a row's first bar.

Windows are numbers of bars, at least 2.
"""

from collections.abc import Callable

import numpy as np
import talib

Array = np.ndarray


def sma(values: Array, n: int) -> Array:
    """Mean of the last `n` values."""
    return _by_row(lambda x: talib.SMA(x, n), values, windows=(n,))[0]


def ema(values: Array, n: int) -> Array:
    """Exponential mean with weight 2 / (n + 1), started with the mean of the first `n` values."""
    return _by_row(lambda x: talib.EMA(x, n), values, windows=(n,))[0]


def bollinger(close: Array, n: int = 20, k: float = 2.0) -> tuple[Array, Array, Array]:
    """(lower, middle, upper): the mean of `n` closes and `k` population standard deviations (ddof 0) of the same closes around it."""
    upper, middle, lower = _by_row(lambda x: talib.BBANDS(x, n, k, k, talib.MA_Type.SMA), close, outputs=3, windows=(n,))
    return lower, middle, upper


def rsi(close: Array, n: int = 14) -> Array:
    """Wilder's relative strength index, 0 to 100. Undefined while no close of the window differs from another."""

    def row(x):
        values = talib.RSI(x, n)
        # TA-Lib answers 0 for 0/0, which would read as "fell every day".
        flat = np.zeros(len(x), dtype=bool)
        flat[n:] = talib.MAX(x, n + 1)[n:] == talib.MIN(x, n + 1)[n:]
        values[flat & (values == 0)] = np.nan
        return values

    return _by_row(row, close, windows=(n,))[0]


def macd(close: Array, fast: int = 12, slow: int = 26, signal: int = 9) -> tuple[Array, Array, Array]:
    """(line, signal, histogram): EMA(fast) − EMA(slow), its EMA, and their difference; both EMAs start at bar `slow`."""
    return _by_row(lambda x: talib.MACD(x, fast, slow, signal), close, outputs=3, windows=(fast, slow, signal))


def stochastic(high: Array, low: Array, close: Array, n: int = 14, smooth: int = 3, signal: int = 3) -> tuple[Array, Array]:
    """(%K, %D) of the slow stochastic, 0 to 100. Undefined where the range of `n` bars is zero."""

    def row(h, lo, c):
        k, d = talib.STOCH(h, lo, c, n, smooth, 0, signal, 0)
        flat = np.zeros(len(c))
        flat[n - 1 :] = talib.MAX(h, n)[n - 1 :] == talib.MIN(lo, n)[n - 1 :]
        k[talib.SUM(flat, smooth) > 0] = np.nan
        d[talib.SUM(flat, smooth + signal - 1) > 0] = np.nan
        return k, d

    return _by_row(row, high, low, close, outputs=2, windows=(n, smooth, signal))


def atr(high: Array, low: Array, close: Array, n: int = 14) -> Array:
    """Average true range with Wilder's smoothing, started with the mean of the first `n` true ranges; price units."""
    return _by_row(lambda h, lo, c: talib.ATR(h, lo, c, n), high, low, close, windows=(n,))[0]


def adx(high: Array, low: Array, close: Array, n: int = 14) -> Array:
    """Wilder's average directional index, 0 to 100: the strength of a trend, whichever its direction."""
    return _by_row(lambda h, lo, c: talib.ADX(h, lo, c, n), high, low, close, windows=(n,))[0]


def volume_ratio(volume: Array, n: int = 20) -> Array:
    """Volume over the mean volume of the `n` bars before it. Undefined where nothing traded in them."""

    def row(v):
        ratio = np.full(len(v), np.nan)
        before = talib.SMA(v, n)[:-1]
        np.divide(v[1:], before, out=ratio[1:], where=before > 0)
        return ratio

    return _by_row(row, volume, windows=(n,))[0]


def _by_row(function: Callable, *inputs: Array, outputs: int = 1, windows: tuple[int, ...] = ()) -> tuple[Array, ...]:
    """Apply a function of 1-D arrays without NaN to the valid bars of each row and put the results back in their place."""
    if min(windows, default=2) < 2:
        raise ValueError(f"A window needs at least 2 bars, not {min(windows)}.")
    arrays = [np.ascontiguousarray(values, dtype=float) for values in inputs]
    if any(array.shape != arrays[0].shape for array in arrays):
        raise ValueError(f"Inputs must have one shape, not {', '.join(str(array.shape) for array in arrays)}.")
    shape = arrays[0].shape
    rows = [np.atleast_2d(array) for array in arrays]
    results = tuple(np.full(rows[0].shape, np.nan) for _ in range(outputs))
    for i in range(rows[0].shape[0]):
        valid = np.logical_and.reduce([np.isfinite(array[i]) for array in rows])
        if valid.sum() < 2:
            continue
        values = function(*(array[i][valid] for array in rows))
        for result, column in zip(results, values if outputs > 1 else (values,), strict=True):
            result[i, valid] = column
    return tuple(result.reshape(shape) for result in results)
