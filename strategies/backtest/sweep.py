"""A sweep: one backtest for each of many parameter sets, summarised as it is made.

What sets share of the market, such as an average of the same window, is computed once; each set is then decided and traded
in compiled code, by several threads, in memory that is used again. Every set's ledger of trades is made; it is kept where
it is asked for.
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date

import numpy as np

from quant_site.core.errors import InvalidInput
from quant_site.market.panel import Panel
from strategies.backtest.amounts import money_in_cents
from strategies.backtest.engine import backtest, columns_of, params_of, strategy_of
from strategies.backtest.kernel import can_run, decisions, terms_of, trade_array
from strategies.backtest.kernel_amounts import costs_of
from strategies.backtest.kernel_book import TRADE_WIDTH
from strategies.backtest.kernel_loop import Work, ledgers, play_sets
from strategies.backtest.kernel_market import market_of
from strategies.backtest.kernel_record import SUMMARY
from strategies.backtest.result import BacktestResult
from strategies.backtest.settings import BacktestSettings
from strategies.backtest.sweep_grid import grid_of, valid_params
from strategies.base import Strategy, StrategyParams
from strategies.rules import Rules, RuleStrategy

# Indicators of all windows of one chunk of sets, and decisions of one block, take about this many bytes.
CHUNK_BYTES, BLOCK_BYTES = 64 * 2**20, 2**19
LARGEST_BLOCK = 64
OF_METRICS = {"total_return": "time_weighted_return"}
DEFAULT_SETTINGS = BacktestSettings()


@dataclass(frozen=True, eq=False)
class SweepTable:
    """What S parameter sets came to. `metrics` (S, len(SUMMARY)): closed trades, total return, Sharpe ratio, maximum drawdown,
    win rate, profit factor, fees in dollars and exposure; NaN where one is undefined. `skipped` sets were no valid ones.

    `trades` are rows of TRADE, open ones at their mark, where they were asked for; `trade_sets` says whose each is.
    """

    strategy: str
    sets: tuple[StrategyParams, ...]
    metrics: np.ndarray
    skipped: int = 0
    trades: np.ndarray | None = None
    trade_sets: np.ndarray | None = None

    def column(self, name: str) -> np.ndarray:
        return self.metrics[:, SUMMARY.index(name)]

    def best(self, by: str = "sharpe_ratio", count: int = 10) -> list[int]:
        """The sets with the highest value of a metric, best first; undefined ones come last."""
        return np.argsort(-self.column(by), kind="stable")[:count].tolist()

    def trades_of(self, number: int) -> np.ndarray:
        """The trades of one set, in the order they ended."""
        if self.trades is None:
            raise InvalidInput("no_trades", "The trades of this sweep were not kept: ask for them when it is run.")
        return self.trades[self.trade_sets == number]


def sweep(
    strategy: Strategy | str,
    sets: Mapping[str, Iterable] | Iterable[StrategyParams | Mapping],
    *,
    panel: Panel,
    start: date | None = None,
    end: date | None = None,
    settings: BacktestSettings = DEFAULT_SETTINGS,
    threads: int | None = None,
    trades: bool = False,
) -> SweepTable:
    """Backtest every set of a grid (values by parameter), or of a list, over the sessions of `panel` from `start` to `end`.

    `threads` is as many as there are processors to use. A strategy without rules is simulated, set by set. Raises
    `InvalidInput` for parameters the strategy cannot take; combinations that do not go together are skipped.
    """
    code = strategy_of(strategy)
    chosen, skipped = _sets(code, sets)
    first, last = columns_of(code, panel, start, end)
    if not can_run(code, settings):
        return _simulated(code, chosen, skipped, panel, start, end, settings, trades)
    run = _Run(code, panel, first, last, settings, threads or len(os.sched_getaffinity(0)), trades)
    metrics = np.empty((len(chosen), len(SUMMARY)))
    for numbers in _chunks(chosen, settings, _windows_that_fit(panel)):
        run.play(chosen, numbers, metrics)
    kept, owners = run.ledger(len(panel.symbols)) if trades else (None, None)
    return SweepTable(code.key, tuple(chosen), metrics, skipped, kept, owners)


def _sets(strategy: Strategy, sets) -> tuple[list[StrategyParams], int]:
    if isinstance(sets, Mapping):
        grid = grid_of(strategy, sets)
        grid.chosen()  # not too many
        found = [valid_params(strategy, values) for values in grid.sets()]
        chosen = [params for params in found if params is not None]
        return chosen, len(found) - len(chosen)
    return [params_of(strategy, params) for params in sets], 0


# --- in which order, and how many at once


def _windows_that_fit(panel: Panel) -> int:
    """How many windows' indicators may be held at once; a strategy keeps up to three arrays a window."""
    return max(8, CHUNK_BYTES // (3 * 8 * max(panel.close.size, 1)))


def _chunks(sets: Sequence[StrategyParams], settings: BacktestSettings, windows: int) -> Iterator[list[int]]:
    """Numbers of sets that are played together: they have the same part of the account, and not too many windows."""
    groups: dict[float | None, list[int]] = defaultdict(list)
    for number, params in enumerate(sets):
        groups[params.weight if settings.share is None else None].append(number)
    for numbers in groups.values():
        yield from _halved(sets, numbers, windows)


def _halved(sets: Sequence[StrategyParams], numbers: list[int], windows: int) -> Iterator[list[int]]:
    names = [name for name, field in type(sets[numbers[0]]).model_fields.items() if field.annotation is int]
    if len(numbers) == 1 or sum(len({getattr(sets[number], name) for number in numbers}) for name in names) <= windows:
        yield numbers
        return
    half = len(numbers) // 2
    yield from _halved(sets, numbers[:half], windows)
    yield from _halved(sets, numbers[half:], windows)


class _Run:
    """The columns `first` to `last` of one market, for one set after the other."""

    def __init__(self, strategy: RuleStrategy, panel: Panel, first: int, last: int, settings: BacktestSettings, threads: int, keeps: bool):
        self.strategy, self.panel, self.settings, self.threads = strategy, panel, settings, threads
        self.span, self.keeps = (first, last), keeps
        self.market, self.costs = market_of(panel), costs_of(settings.costs)
        symbols, sessions = panel.close.shape
        bytes_a_set = symbols * sessions * (2 if symbols == 1 else 18)
        self.block = max(1, min(LARGEST_BLOCK, BLOCK_BYTES // max(bytes_a_set, 1)))
        self.kept: list[tuple[np.ndarray, np.ndarray]] = []

    def play(self, sets: Sequence[StrategyParams], numbers: list[int], metrics: np.ndarray) -> None:
        """Play the sets `numbers` and write what they came to into their rows of `metrics`."""
        rules = self.strategy.rules(self.panel, [sets[number] for number in numbers])
        terms, owners = terms_of(self.settings, sets[numbers[0]]), np.array(numbers)
        summary = np.zeros((len(numbers), len(SUMMARY)))
        blocks = [slice(begin, min(begin + self.block, len(numbers))) for begin in range(0, len(numbers), self.block)]
        waiting, kept = iter(blocks), {}

        def work() -> None:
            desk = _Desk(self, min(self.block, len(numbers)))
            for block in waiting:  # the next one that nobody has taken
                kept[block.start] = desk.play(rules, block, terms, summary[block])

        if self.threads == 1 or len(blocks) == 1:
            work()
        else:
            with ThreadPoolExecutor(min(self.threads, len(blocks))) as pool:
                for done in [pool.submit(work) for _ in range(min(self.threads, len(blocks)))]:
                    done.result()
        metrics[owners] = summary
        for begin in sorted(kept) if self.keeps else ():
            self.kept.append((owners[begin + kept[begin][:, 0]], kept[begin][:, 1:]))

    def ledger(self, symbols: int) -> tuple[np.ndarray, np.ndarray]:
        """The trades of all sets, and whose they are, by set."""
        owners = np.concatenate([owner for owner, _ in self.kept]) if self.kept else np.empty(0, np.int64)
        rows = np.concatenate([trades for _, trades in self.kept]) if self.kept else np.empty((0, TRADE_WIDTH), np.int64)
        order = np.argsort(owners, kind="stable")
        return trade_array(rows[order], np.arange(symbols), self.span[0]), owners[order]


class _Desk:
    """The memory of one thread."""

    def __init__(self, run: _Run, block: int):
        self.run = run
        self.decisions = decisions((block, *run.panel.close.shape))
        self.work, self.curve = Work.of(len(run.panel.symbols)), np.zeros((3, 0), np.int64)
        self.fills, self.trades = ledgers(len(run.panel.symbols))
        self.kept = np.empty((1 if run.keeps else 0, 1 + TRADE_WIDTH), np.int64)

    def play(self, rules: Rules, block: slice, terms, summary: np.ndarray) -> np.ndarray | None:
        """Decide and trade one block; answers its trades where they are kept."""
        run, count = self.run, block.stop - block.start
        entry, leave, score = self.decisions
        entry, leave, score = entry[:count], leave[:count], np.ascontiguousarray(score[:, :count])
        rules.fill(block, entry, leave, score)
        self.fills, self.trades, self.kept, used = play_sets(
            run.market, terms, run.costs, money_in_cents(run.settings.capital), entry, leave, score, *rules.numbers(block), *run.span,
            self.work, self.curve, self.fills, self.trades, self.kept, summary,
        )  # fmt: skip
        return self.kept[:used].copy() if run.keeps else None


# --- without rules


def _simulated(strategy, sets, skipped, panel, start, end, settings, trades) -> SweepTable:
    results = [backtest(strategy, params, panel=panel, start=start, end=end, settings=settings) for params in sets]
    metrics = np.array([_summary(result) for result in results]).reshape(-1, len(SUMMARY))
    if not trades:
        return SweepTable(strategy.key, tuple(sets), metrics, skipped)
    owners = np.repeat(np.arange(len(results)), [len(result.trades) for result in results])
    kept = np.concatenate([result.trades for result in results]) if results else None
    return SweepTable(strategy.key, tuple(sets), metrics, skipped, kept, owners)


def _summary(result: BacktestResult) -> list[float]:
    """The row of a sweep that a single backtest would be."""
    values = {"trades": float((result.trades["exit"] >= 0).sum()), "fees": result.fills["commission"].sum() / 100}
    found = (result.metrics.get(OF_METRICS.get(name, name)) for name in SUMMARY)
    return [
        values.get(name, np.nan if metric is None or metric.value is None else metric.value)
        for name, metric in zip(SUMMARY, found, strict=True)
    ]
