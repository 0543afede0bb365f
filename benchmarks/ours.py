"""What our own backtests need for the work that `peers` does, and how it grows.

    python -m benchmarks.ours SETS        peak memory in MB of one sweep of so many sets

Rules and costs are those of `peers`, but for the size of a trade: ours is sized and checked as the loop would. Django is
set up by whoever imports this.
"""

import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from decimal import Decimal
from statistics import median

import numpy as np
import talib

from benchmarks.peers import axes
from quant_site.market import indicators
from quant_site.market.execution import CostModel
from quant_site.market.panel import ARRAYS, Panel
from strategies.backtest import BacktestResult, BacktestSettings, backtest
from strategies.backtest.stored import stored_panel
from strategies.backtest.sweep import SweepTable, sweep
from strategies.library.trend_following import GoldenCrossParams

SESSIONS = 2500
# A dollar a fill, three basis points against.
COSTS = CostModel(commission_per_share=Decimal(0), commission_minimum=Decimal(1), commission_cap=Decimal(1))
SETTINGS = BacktestSettings(costs=COSTS)
CROSS = GoldenCrossParams(fast=50, slow=200, entry_window=1)


def timed(work: Callable) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def medians(work: Callable, repetitions: int) -> float:
    """Seconds; once before, so that nothing is compiled or read for the first time."""
    work()
    return median(timed(work) for _ in range(repetitions))


# --- backtests


def span() -> tuple[date, date]:
    """The last sessions in which IBM has bars."""
    panel = stored_panel(["IBM"])
    traded = np.flatnonzero(np.isfinite(panel.close[0]))
    return panel.sessions[traded[-SESSIONS]].item(), panel.sessions[traded[-1]].item()


def cut_panel() -> Panel:
    """The same sessions as a panel without anything else."""
    panel, (start, end) = stored_panel(["IBM"]), span()
    columns = slice(panel.index(start), panel.index(end) + 1)
    arrays = {name: getattr(panel, name)[:, columns].copy() for name in ARRAYS}
    return replace(panel, sessions=panel.sessions[columns].copy(), **arrays, background=None)


def single(start: date, end: date) -> BacktestResult:
    """All that a person gets: the stored panel, decisions, fills, daily equity, every metric, the trades as rows."""
    result = backtest("golden_cross", CROSS, panel=stored_panel(["IBM"]), start=start, end=end, settings=SETTINGS)
    result.trade_rows()
    return result


def single_on(panel: Panel) -> BacktestResult:
    return backtest("golden_cross", CROSS, panel=panel, settings=SETTINGS)


def swept(panel: Panel, count: int, threads: int | None = None) -> SweepTable:
    fast, slow = axes(count)
    return sweep("golden_cross", {"fast": fast, "slow": slow, "entry_window": [1]}, panel=panel, settings=SETTINGS, threads=threads)


def walks(symbols: int, sessions: int) -> Panel:
    """Random walks, for growth only."""
    rng = np.random.default_rng(1)
    close = 50 * np.exp(np.cumsum(rng.normal(0.0002, 0.012, (symbols, sessions)), axis=1)).round(2)
    opened = np.concatenate([close[:, :1], close[:, :-1]], axis=1)
    high, low = np.maximum(opened, close) * 1.005, np.minimum(opened, close) * 0.995
    days = np.datetime64("1950-01-02") + np.arange(sessions)
    names = tuple(f"W{i:03d}" for i in range(symbols))
    return Panel(names, days, opened, high, low, close, np.full(close.shape, 1e6), np.ones(close.shape))


# --- indicators


def eight(high, low, close) -> list[tuple[Callable, Callable, int]]:
    """Eight indicators: ours over all rows, TA-Lib's for row i, and the number of their outputs."""
    simple = talib.MA_Type.SMA
    return [
        (lambda: indicators.sma(close, 20), lambda i: talib.SMA(close[i], 20), 1),
        (lambda: indicators.ema(close, 20), lambda i: talib.EMA(close[i], 20), 1),
        (lambda: indicators.bollinger(close, 20), lambda i: talib.BBANDS(close[i], 20, 2.0, 2.0, simple), 3),
        (lambda: indicators.rsi(close, 14), lambda i: talib.RSI(close[i], 14), 1),
        (lambda: indicators.macd(close), lambda i: talib.MACD(close[i], 12, 26, 9), 3),
        (lambda: indicators.stochastic(high, low, close), lambda i: talib.STOCH(high[i], low[i], close[i], 14, 3, 0, 3, 0), 2),
        (lambda: indicators.atr(high, low, close, 14), lambda i: talib.ATR(high[i], low[i], close[i], 14), 1),
        (lambda: indicators.adx(high, low, close, 14), lambda i: talib.ADX(high[i], low[i], close[i], 14), 1),
    ]


def by_talib(function: Callable, outputs: int, shape: tuple[int, int], threads: int) -> None:
    """TA-Lib alone, row by row: no gaps are looked for, nothing undefined is told apart."""
    made = [np.empty(shape) for _ in range(outputs)]

    def part(begin: int, end: int) -> None:
        for i in range(begin, end):
            values = function(i)
            for result, column in zip(made, values if outputs > 1 else (values,), strict=True):
                result[i] = column

    cuts = [shape[0] * i // threads for i in range(threads + 1)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(part, cuts[:-1], cuts[1:]))


def indicators_beside_talib(symbols: int, turns: int) -> list[float]:
    """Seconds of the eight: ours, TA-Lib's on two threads, TA-Lib's on one; medians of turns."""
    close = walks(symbols, SESSIONS).close
    totals = np.zeros(3)
    for own, function, outputs in eight(close * 1.01, close * 0.99, close):
        works = [own, *(lambda n=n, f=function, k=outputs: by_talib(f, k, close.shape, n) for n in (2, 1))]
        totals += np.median([[timed(work) for work in works] for _ in range(turns + 1)][1:], axis=0)
    return totals.tolist()


if __name__ == "__main__":
    market = walks(1, SESSIONS)
    swept(market, int(sys.argv[1]))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
