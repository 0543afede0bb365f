"""What other libraries need for the same work. Runs in their own environment and knows nothing of ours.

    python peers.py BARS.csv TASK [NUMBER]

Rules: buy at the next open after the fast average of closes crosses above the slow one, sell at the next open after it
crosses below; $1 a fill, 3 basis points against. Answers one JSON object: seconds (each repetition), closed trades, peak
memory in MB.
"""

import json
import resource
import sys
import time
import warnings

import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")
CAPITAL, FIXED, AGAINST = 100_000, 1.0, 0.0003


def measured(work, repetitions: int) -> dict:
    work()  # compiles and fills caches
    seconds = []
    for _ in range(repetitions):
        began = time.perf_counter()
        trades = work()
        seconds.append(time.perf_counter() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "trades": trades, "peak": peak}


def axes(count: int) -> tuple[list[int], list[int]]:
    """Fast and slow windows whose pairs are `count` sets (250 times a whole number); those of `ours`."""
    slow = list(range(110, 310, 4 if count <= 1000 else 1))
    many = count // len(slow)
    return list(range(5, 105, max(1, 100 // many)))[:many], slow


def grid(count: int) -> list[tuple[int, int]]:
    fast, slow = axes(count)
    return [(quick, calm) for quick in fast for calm in slow]


# --- vectorbt


def vectorbt_portfolio(bars: pd.DataFrame, pairs: list[tuple[int, int]]):
    import vectorbt as vbt  # noqa: PLC0415 - only one of the peers is loaded at a time

    fast = vbt.MA.run(bars["Close"], [pair[0] for pair in pairs], short_name="fast")
    slow = vbt.MA.run(bars["Close"], [pair[1] for pair in pairs], short_name="slow")
    quick, calm = (made.ma.to_numpy().reshape(len(bars), -1) for made in (fast, slow))
    above, known = quick > calm, ~np.isnan(calm)
    before, seen = one_later(above), one_later(known)
    signals = one_later(above & ~before & seen), one_later(~above & before & seen)
    opened, close = (np.broadcast_to(bars[name].to_numpy()[:, None], above.shape) for name in ("Open", "Close"))
    costs = {"fixed_fees": FIXED, "slippage": AGAINST}
    return vbt.Portfolio.from_signals(pd.DataFrame(close, index=bars.index), *signals, price=opened, init_cash=CAPITAL, freq="1D", **costs)


def one_later(values: np.ndarray) -> np.ndarray:
    """What holds at each close, at the session after it."""
    return np.vstack([np.zeros((1, values.shape[1]), bool), values[:-1]])


def vectorbt_single(bars: pd.DataFrame, stats: bool) -> int:
    portfolio = vectorbt_portfolio(bars, [(50, 200)])
    trades = portfolio.trades.records_readable
    if stats:
        portfolio.stats(column=0)
    return int((trades["Status"] == "Closed").sum())


def vectorbt_sweep(bars: pd.DataFrame, count: int) -> int:
    """The eight numbers that our summary has."""
    portfolio = vectorbt_portfolio(bars, grid(count))
    closed = portfolio.trades.closed
    numbers = (
        closed.count(),
        portfolio.total_return(),
        portfolio.sharpe_ratio(),
        portfolio.max_drawdown(),
        closed.win_rate(),
        closed.profit_factor(),
        portfolio.orders.fees.sum(),
        portfolio.gross_exposure().mean(),
    )
    return int(numbers[0].sum())


# --- backtesting.py


def backtesting_runs(bars: pd.DataFrame, pairs: list[tuple[int, int]]) -> int:
    from backtesting import Backtest, Strategy  # noqa: PLC0415
    from backtesting.lib import crossover  # noqa: PLC0415

    def average(values, window):
        return pd.Series(values).rolling(window).mean()

    class Cross(Strategy):
        fast, slow = 50, 200

        def init(self):
            self.quick, self.calm = (self.I(average, self.data.Close, window) for window in (self.fast, self.slow))

        def next(self):
            if crossover(self.quick, self.calm):
                self.buy()
            elif crossover(self.calm, self.quick):
                self.position.close()

    engine = Backtest(bars, Cross, cash=CAPITAL, commission=(FIXED, 0.0), spread=AGAINST)
    return sum(int(engine.run(fast=fast, slow=slow)["# Trades"]) for fast, slow in pairs)


def main(path: str, task: str, number: int) -> dict:
    bars = pd.read_csv(path, index_col=0, parse_dates=True)
    work = {
        "vectorbt": lambda: vectorbt_single(bars, stats=False),
        "vectorbt+stats": lambda: vectorbt_single(bars, stats=True),
        "vectorbt-sweep": lambda: vectorbt_sweep(bars, number),
        "backtesting": lambda: backtesting_runs(bars, [(50, 200)]),
        "backtesting-sweep": lambda: backtesting_runs(bars, grid(1000)[:: 1000 // number]),
    }[task]
    return measured(work, 3 if "sweep" in task else 15)


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 0)))
