"""Technical indicators through TA-Lib, as plain functions of float64 arrays.

Each takes (T,) or (N, T) and returns the same shape. A value at t depends on nothing after t. A bar counts where every
input is finite: a row may begin with NaN (listed later), and a gap in between is skipped, so that windows count a symbol's
own bars and the value is NaN at the gap only. NaN too where the window is not full yet or the value is undefined
(nothing moved, nothing traded). Recursive ones (EMA, RSI, MACD, ATR, ADX) start from a row's first bar.

Windows are numbers of bars, at least 2.
"""

import inspect
import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import talib

Array = np.ndarray
# Each of TA-Lib's functions is wrapped in a look for pandas and polars, which costs as much as a short average.
ADX, ATR, BBANDS, EMA, MACD, MAX, MIN, RSI, SMA, STOCH, SUM = (
    inspect.unwrap(getattr(talib, name)) for name in ("ADX", "ATR", "BBANDS", "EMA", "MACD", "MAX", "MIN", "RSI", "SMA", "STOCH", "SUM")
)
# Fewer values than these are computed sooner than threads are started.
WORTH_THREADS = 250_000
# Rows that are looked through for gaps at once: what one call of NumPy costs is shared by so many.
LOOKED_THROUGH = 256


def sma(values: Array, n: int) -> Array:
    """Mean of the last `n` values."""
    return _by_row(lambda x: SMA(x, n), values, windows=(n,))[0]


def ema(values: Array, n: int) -> Array:
    """Exponential mean with weight 2 / (n + 1), started with the mean of the first `n` values."""
    return _by_row(lambda x: EMA(x, n), values, windows=(n,))[0]


def bollinger(close: Array, n: int = 20, k: float = 2.0) -> tuple[Array, Array, Array]:
    """(lower, middle, upper): the mean of `n` closes and `k` population standard deviations (ddof 0) of the same closes around it."""
    upper, middle, lower = _by_row(lambda x: BBANDS(x, n, k, k, talib.MA_Type.SMA), close, outputs=3, windows=(n,))
    return lower, middle, upper


def rsi(close: Array, n: int = 14) -> Array:
    """Wilder's relative strength index, 0 to 100. Undefined while no close of the window differs from another."""

    def row(x):
        values = RSI(x, n)
        # TA-Lib answers 0 for 0/0, which would read as "fell every day".
        if np.fmin.reduce(values) == 0:
            flat = np.zeros(len(x), dtype=bool)
            flat[n:] = MAX(x, n + 1)[n:] == MIN(x, n + 1)[n:]
            values[flat & (values == 0)] = np.nan
        return values

    return _by_row(row, close, windows=(n,), silent=(0,))[0]


def macd(close: Array, fast: int = 12, slow: int = 26, signal: int = 9) -> tuple[Array, Array, Array]:
    """(line, signal, histogram): EMA(fast) − EMA(slow), its EMA, and their difference; both EMAs start at bar `slow`."""
    return _by_row(lambda x: MACD(x, fast, slow, signal), close, outputs=3, windows=(fast, slow, signal))


def stochastic(high: Array, low: Array, close: Array, n: int = 14, smooth: int = 3, signal: int = 3) -> tuple[Array, Array]:
    """(%K, %D) of the slow stochastic, 0 to 100. Undefined where the range of `n` bars is zero."""

    def row(h, lo, c):
        k, d = STOCH(h, lo, c, n, smooth, 0, signal, 0)
        if not (h == lo).any():
            return k, d
        # TA-Lib answers 0 for 0/0 here too.
        flat = np.zeros(len(c))
        flat[n - 1 :] = MAX(h, n)[n - 1 :] == MIN(lo, n)[n - 1 :]
        k[SUM(flat, smooth) > 0] = np.nan
        d[SUM(flat, smooth + signal - 1) > 0] = np.nan
        return k, d

    return _by_row(row, high, low, close, outputs=2, windows=(n, smooth, signal), silent=(0, 1, 2))


def atr(high: Array, low: Array, close: Array, n: int = 14) -> Array:
    """Average true range with Wilder's smoothing, started with the mean of the first `n` true ranges; price units."""
    return _by_row(lambda h, lo, c: ATR(h, lo, c, n), high, low, close, windows=(n,), silent=(2,))[0]


def adx(high: Array, low: Array, close: Array, n: int = 14) -> Array:
    """Wilder's average directional index, 0 to 100: the strength of a trend, whichever its direction."""
    return _by_row(lambda h, lo, c: ADX(h, lo, c, n), high, low, close, windows=(n,), silent=(0, 1, 2))[0]


def volume_ratio(volume: Array, n: int = 20) -> Array:
    """Volume over the mean volume of the `n` bars before it. Undefined where nothing traded in them."""

    def row(v):
        ratio = np.full(len(v), np.nan)
        before = SMA(v, n)[:-1]
        np.divide(v[1:], before, out=ratio[1:], where=before > 0)
        return ratio

    return _by_row(row, volume, windows=(n,), silent=(0,))[0]


def _by_row(
    function: Callable, *inputs: Array, outputs: int = 1, windows: tuple[int, ...] = (), silent: tuple[int, ...] = ()
) -> tuple[Array, ...]:
    """Apply a function of 1-D arrays without NaN to the valid bars of each row and put the results back in their place.

    Nearly every row is whole, and TA-Lib carries a NaN on to its last value: so a row is tried as it is first. `silent` are
    the inputs of which a NaN need not show there; they are looked through. Many rows are shared out over threads, for
    TA-Lib lets others work while it does.
    """
    if min(windows, default=2) < 2:
        raise ValueError(f"A window needs at least 2 bars, not {min(windows)}.")
    arrays = [np.ascontiguousarray(values, dtype=float) for values in inputs]
    if any(array.shape != arrays[0].shape for array in arrays):
        raise ValueError(f"Inputs must have one shape, not {', '.join(str(array.shape) for array in arrays)}.")
    shape = arrays[0].shape
    rows = [np.atleast_2d(array) for array in arrays]
    results = tuple(np.empty(rows[0].shape) for _ in range(outputs))
    parts = [(rows, results)] if rows[0].size < WORTH_THREADS else _parts(rows, results)
    if len(parts) == 1:
        _fill(function, silent, *parts[0])
    else:
        with ThreadPoolExecutor(len(parts)) as pool:
            list(pool.map(lambda part: _fill(function, silent, *part), parts))
    return tuple(result.reshape(shape) for result in results)


def _parts(rows: list[Array], results: tuple[Array, ...]) -> list[tuple[list[Array], list[Array]]]:
    """The rows, and what is made of them, in as many parts as there are processors."""
    count, total = min(len(os.sched_getaffinity(0)), len(rows[0])), len(rows[0])
    cuts = [(total * i // count, total * (i + 1) // count) for i in range(count)]
    return [([array[begin:end] for array in rows], [result[begin:end] for result in results]) for begin, end in cuts]


def _fill(function: Callable, silent: tuple[int, ...], rows: Sequence[Array], results: Sequence[Array]) -> None:
    """Compute each row of `results`."""
    if rows[0].shape[1] < 2:
        for result in results:
            result.fill(np.nan)
        return
    for begin in range(0, len(rows[0]), LOOKED_THROUGH):
        some = slice(begin, begin + LOOKED_THROUGH)
        inputs, outputs = [array[some] for array in rows], [result[some] for result in results]
        begins = np.isfinite([array[:, 0] for array in inputs]).all(axis=0)
        with np.errstate(invalid="ignore", over="ignore"):
            for which in silent:
                # The sum of a row is finite where every value is.
                begins &= np.isfinite(np.einsum("ij->i", inputs[which]))
        for whole, bars, columns in zip(begins.tolist(), zip(*inputs, strict=True), zip(*outputs, strict=True), strict=True):
            if not (whole and _put(function(*bars), columns)):
                _fill_torn(function, bars, columns)


def _put(values, columns: Sequence[Array], at=slice(None)) -> bool:
    """Write what a function answered; whether its last value is known."""
    if len(columns) == 1:
        columns[0][at] = values
        return math.isfinite(values[-1])
    for column, made in zip(columns, values, strict=True):
        column[at] = made
    return math.isfinite(values[-1][-1])


def _fill_torn(function: Callable, bars: Sequence[Array], columns: Sequence[Array]) -> None:
    """The same for one row that is not there at some sessions."""
    for column in columns:
        column.fill(np.nan)
    valid = np.logical_and.reduce([np.isfinite(values) for values in bars])
    if valid.sum() >= 2:
        _put(function(*(values[valid] for values in bars)), columns, valid)
