"""From what a simulation left to a `BacktestResult`: its arrays, the metrics over them, and what was assumed.

A trade is judged whole: the legs of a pair, or of a structure, count as one in the win rate and all that follows from it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from quant_site.core import stats
from quant_site.core.stats import Metric
from quant_site.market.options.contracts import multiplier_of
from quant_site.market.panel import Panel
from strategies.backtest.amounts import MICROS, half_even
from strategies.backtest.assumptions import assumptions_of
from strategies.backtest.book import Position
from strategies.backtest.orders import Execution
from strategies.backtest.result import FILL, TRADE, BacktestResult
from strategies.backtest.settings import BacktestSettings
from strategies.backtest.simulator import Record
from strategies.base import Strategy, StrategyParams

OF_PAIRS = ("beta", "alpha", "correlation")


def result_of(
    record: Record, strategy: Strategy, params: StrategyParams, panel: Panel, first: int, last: int, settings: BacktestSettings
) -> BacktestResult:
    """The result of a simulation over the columns `first` to `last` of `panel`."""
    symbols, groups = _names(record, panel)
    fills = fill_array(record.fills, symbols, groups, first)
    result = BacktestResult(
        strategy=strategy.key,
        params=params.model_dump(mode="json"),
        sessions=panel.sessions[first : last + 1],
        symbols=symbols,
        groups=groups,
        equity=np.array(record.equity) / 100,
        cash=np.array(record.cash) / 100,
        gross=np.array(record.gross) / 100,
        fills=fills,
        trades=trade_array(record.positions, symbols, groups, first),
        metrics={},
        capital=float(settings.capital),
        benchmark=benchmark_returns(panel, settings.benchmark, first, last),
        drafts=record.drafts,
        rejected=dict(sorted(Counter(code for _, _, code in record.refused).items())),
        abstained=dict(record.abstained),
        assumptions=assumptions_of(strategy, panel, settings, symbols, len(fills)),
    )
    return replace(result, metrics=metrics_of(result, [position.trade for position in record.positions]))


def metrics_of(result: BacktestResult, numbers: Sequence[int] | None = None) -> dict[str, Metric]:
    """Every metric of `result`. `numbers` tells which of its `trades` are legs of one trade; by default each stands alone.

    Once nothing is left of the account there is no return any more: the record is measured up to there.
    """
    ruined = np.flatnonzero(result.equity <= 0)
    end = int(ruined[0]) + 1 if ruined.size else len(result.equity)
    returns = stats.Returns(result.returns[:end])
    results, held = whole_trades(result.trades, numbers)
    bought, sold = traded_amounts(result.fills, result.symbols)
    found = stats.report(returns, equity=result.equity, gross=result.gross, trade_results=results, holding=held, buys=bought, sells=sold)
    risked = result.trades[(result.trades["exit"] >= 0) & (result.trades["risk"] > 0)]
    if risked.size:
        found["average_r"] = stats.average_r(risked["pnl"] / 100, risked["risk"] / 100)
    if result.benchmark is not None:
        known = np.isfinite(result.benchmark[:end])
        own, other = stats.Returns(returns.values[known]), stats.Returns(result.benchmark[:end][known])
        found |= {name: getattr(stats, name)(own, other) for name in OF_PAIRS}
    return found


def whole_trades(trades: np.ndarray, numbers: Sequence[int] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """What each closed trade made, in dollars over all of its legs, and the sessions it was held, in the order of its first leg."""
    numbers = np.arange(len(trades)) if numbers is None else np.asarray(numbers, int)
    if not len(trades):
        return np.empty(0), np.empty(0)
    open_ones = np.isin(numbers, numbers[trades["exit"] < 0])
    closed, of = trades[~open_ones], numbers[~open_ones]
    known, at, leg = np.unique(of, return_index=True, return_inverse=True)
    made = np.zeros(len(known), np.int64)
    entered, left = np.full(len(known), np.iinfo(np.int64).max), np.zeros(len(known), np.int64)
    np.add.at(made, leg, closed["pnl"])
    np.minimum.at(entered, leg, closed["entry"])
    np.maximum.at(left, leg, closed["exit"])
    order = np.argsort(at)
    return made[order] / 100, (left - entered)[order]


def traded_amounts(fills: np.ndarray, symbols: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Dollars of each purchase and of each sale."""
    multipliers = np.array([multiplier_of(symbol) for symbol in symbols])
    amounts = fills["quantity"] * fills["price"] / 1e6 * multipliers[fills["symbol"]]
    return amounts[fills["side"] > 0], amounts[fills["side"] < 0]


def benchmark_returns(panel: Panel, symbol: str, first: int, last: int) -> np.ndarray | None:
    """Daily total returns of `symbol` over the columns, the first since the session before; NaN before its first bar.

    A session without a bar returns nothing, and the move is counted where trading resumes. None for a symbol of which
    nothing is known.
    """
    found = panel.holding(symbol) if symbol else None
    if found is None:
        return None
    held, row = found
    closes = held.adj_close[row, : last + 1]
    columns = np.maximum.accumulate(np.where(np.isfinite(closes), np.arange(last + 1), -1))
    levels = np.where(columns >= 0, closes[columns], np.nan)
    before = np.concatenate([[np.nan], levels[:-1]])
    return (levels / before - 1)[first:]


def fill_array(fills: Sequence[tuple[int, Execution]], symbols: Sequence[str], groups: Sequence[str], first: int) -> np.ndarray:
    """FILL rows in the order in which they were booked."""
    symbol_of, group_of = _numbered(symbols), _numbered(groups)
    rows = [
        (
            t - first,
            symbol_of[done.symbol],
            group_of[done.order.group],
            done.side.sign,
            done.order.purpose,
            done.quantity,
            done.price,
            done.commission,
        )
        for t, done in fills
    ]
    return np.array(rows, FILL)


def trade_array(positions: Sequence[Position], symbols: Sequence[str], groups: Sequence[str], first: int) -> np.ndarray:
    """TRADE rows: closed ones in the order of their exits, then what is open at its mark."""
    symbol_of, group_of = _numbered(symbols), _numbered(groups)
    rows = [
        (
            symbol_of[position.symbol],
            group_of[position.group],
            position.side,
            position.reason,
            position.entry - first,
            position.exit - first if position.exit >= 0 else -1,
            half_even(position.entered, MICROS),
            position.mean_entry,
            position.mean_exit,
            position.pnl,
            position.fees,
            position.risk,
            position.best,
            position.worst,
        )
        for position in positions
    ]
    return np.array(rows, TRADE)


def _names(record: Record, panel: Panel) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The panel's symbols with the contracts that were traded beside them, and the groups in the order they were traded."""
    traded = dict.fromkeys(position.symbol for position in record.positions)
    contracts = sorted(symbol for symbol in traded if symbol not in panel)
    groups = dict.fromkeys(done.order.group for _, done in record.fills)
    return (*panel.symbols, *contracts), tuple(groups)


def _numbered(names: Sequence[str]) -> Mapping[str, int]:
    return {name: i for i, name in enumerate(names)}
