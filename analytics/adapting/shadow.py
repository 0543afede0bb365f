"""Parameter sets played side by side on the stored bars: what a search and a challenger are judged by.

A set is played as a backtest of its own, with modelled costs, on an account that has nothing else to do: the same signals at the
same closes that the live strategy sees, for a backtest and a live run trade the same. Every set that a search evaluates is
remembered, to be written into the ledger.
"""

import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from analytics.models import Trial
from analytics.tuning.neighbours import neighbours
from quant_site.core.rows import rows_read
from quant_site.market.panel import ARRAYS, Panel
from strategies.backtest.engine import backtest, traded_columns
from strategies.backtest.kernel import can_run
from strategies.backtest.result import BacktestResult
from strategies.backtest.settings import BacktestSettings
from strategies.base import Strategy, StrategyParams
from strategies.models import SweepResult

SETTINGS = BacktestSettings()
# Sessions before the first one, by which every indicator of the library has converged.
WARM_UP = 1260


@dataclass(frozen=True)
class Evaluated:
    """One set that a search looked at, with its daily returns over the columns `first` to `last`."""

    strategy: str
    params: StrategyParams
    first: int
    last: int
    returns: np.ndarray


class ShadowMarket:
    """The stored bars as `analytics.tuning.lane.Evaluator`. Columns of `panel` are its sessions."""

    def __init__(self, panel: Panel, registry: Mapping[str, Strategy], *, every: bool = False):
        self.panel, self.registry, self.every = panel, registry, every
        self.evaluated: list[Evaluated] = []

    def searchable(self, strategy: str) -> bool:
        """Whether it is searched: a set takes milliseconds where rules are compiled, and up to some seconds elsewhere."""
        return self.every or self._compiled(strategy)

    def _compiled(self, strategy: str) -> bool:
        return can_run(self.registry[strategy], SETTINGS)

    def column(self, day: date) -> int:
        """Of a session; raises `DataMissing` for one without bars."""
        return self.panel.index(day)

    def day(self, column: int) -> date:
        return self.panel.sessions[column].item()

    def first(self, strategy: str) -> int:
        code = self.registry[strategy]
        return traded_columns(code, self.panel)[0] + code.needs(code.Params()).sessions

    def neighbours(self, strategy: str, params: StrategyParams) -> list[StrategyParams]:
        return [near for _, near in neighbours(self.registry[strategy], params)]

    def returns(self, strategy: str, sets: Sequence[StrategyParams], first: int, last: int, since: int | None = None) -> np.ndarray:
        start = first if since is None else since
        rows = [row[first - start :] for row in self._played(strategy, sets, start, last)]
        if since is None:
            self.evaluated += [Evaluated(strategy, params, first, last, row) for params, row in zip(sets, rows, strict=True)]
        return np.array(rows).reshape(len(sets), last - first + 1)

    def tried(self, strategy: str) -> int:
        """Different sets in the ledger and in what people swept, on whatever data."""
        row = "strategy_id = (SELECT id FROM strategies WHERE strategies.key = %s)"
        trials = {each[0] for each in rows_read(Trial, ("params_hash",), row, strategy)}
        sweeps = "run_id IN (SELECT id FROM sweep_runs WHERE strategy_id = (SELECT id FROM strategies WHERE strategies.key = %s))"
        swept = {each[0] for each in rows_read(SweepResult, ("params_hash",), sweeps, strategy)}
        return len(trials | swept | {params_hash(each.params) for each in self.evaluated if each.strategy == strategy})

    def _played(self, strategy: str, sets: Sequence[StrategyParams], first: int, last: int) -> list[np.ndarray]:
        """The daily returns of each set over the columns `first` to `last`, on an account of its own."""
        panel = self._window(strategy, first, last)
        days = {"start": self.day(first), "end": self.day(last)}
        return [_earned(backtest(self.registry[strategy], params, panel=panel, settings=SETTINGS, **days)) for params in sets]

    def _window(self, strategy: str, first: int, last: int) -> Panel:
        """The bars that a strategy of rules needs for these columns: indicators of decades are of no use to a search of years."""
        if not self._compiled(strategy):
            return self.panel
        columns = slice(max(0, first - WARM_UP), last + 1)
        cut = {name: np.ascontiguousarray(getattr(self.panel, name)[:, columns]) for name in ARRAYS}
        return Panel(self.panel.symbols, self.panel.sessions[columns].copy(), **cut, sources=self.panel.sources)


def _earned(result: BacktestResult) -> np.ndarray:
    """Daily returns; an account that has lost everything earns nothing more."""
    return np.where(np.isfinite(result.returns) & (result.equity > 0), result.returns, 0.0)


def chosen(params: StrategyParams) -> dict:
    """What a set chooses: all parameters but the weight, which is another lane's."""
    return {name: value for name, value in params.model_dump(mode="json").items() if name != "weight"}


def params_hash(params: StrategyParams) -> str:
    return hashlib.sha256(json.dumps(chosen(params), sort_keys=True).encode()).hexdigest()[:32]


def packed(returns: np.ndarray) -> bytes:
    return zlib.compress(returns.astype("<f4").tobytes())


def unpacked(blob: bytes) -> np.ndarray:
    return np.frombuffer(zlib.decompress(blob), dtype="<f4").astype(float)
