"""`backtest`: a strategy over history, by the compiled rules where it has some, else by the general simulation."""

from collections.abc import Callable, Mapping
from datetime import date

import numpy as np

from quant_site.core.errors import DataMissing, InvalidInput
from quant_site.market.panel import Panel
from strategies.backtest.kernel import run_rules
from strategies.backtest.report import result_of
from strategies.backtest.result import BacktestResult
from strategies.backtest.settings import BacktestSettings
from strategies.backtest.simulator import Simulation
from strategies.base import Strategy, StrategyParams
from strategies.registry import REGISTRY
from strategies.schema import parse_params

# Runs the columns `first` to `last`; answers None for what it cannot run exactly as the simulation would.
Runner = Callable[[Strategy, StrategyParams, Panel, int, int, BacktestSettings], BacktestResult | None]
RUNNERS: tuple[Runner, ...] = (run_rules,)


def backtest(
    strategy: Strategy | str,
    params: StrategyParams | Mapping | None = None,
    *,
    panel: Panel,
    start: date | None = None,
    end: date | None = None,
    settings: BacktestSettings = BacktestSettings(),  # noqa: B008 - frozen
) -> BacktestResult:
    """Run `strategy` over the sessions of `panel` from `start` to `end`; what lies before `start` is its warm-up.

    Raises `InvalidInput` for a strategy that does not exist, parameters it cannot take and dates in the wrong order, and
    `DataMissing` where the panel has no session within them.
    """
    code = strategy_of(strategy)
    parsed = params_of(code, params)
    first, last = columns_of(code, panel, start, end)
    for run in RUNNERS:
        result = run(code, parsed, panel, first, last, settings)
        if result is not None:
            return result
    return simulate(code, parsed, panel=panel, start=start, end=end, settings=settings)


def simulate(
    strategy: Strategy | str,
    params: StrategyParams | Mapping | None = None,
    *,
    panel: Panel,
    start: date | None = None,
    end: date | None = None,
    settings: BacktestSettings = BacktestSettings(),  # noqa: B008 - frozen
) -> BacktestResult:
    """The same by the general simulation, whatever the strategy: what every faster way is measured against."""
    code = strategy_of(strategy)
    parsed = params_of(code, params)
    first, last = columns_of(code, panel, start, end)
    record = Simulation(code, parsed, panel, settings).run(first, last)
    return result_of(record, code, parsed, panel, first, last, settings)


def strategy_of(strategy: Strategy | str) -> Strategy:
    """The implementation; raises `InvalidInput` for a key that has none."""
    if isinstance(strategy, Strategy):
        return strategy
    if strategy not in REGISTRY:
        raise InvalidInput("not_implemented", f"There is no strategy {strategy!r} that runs: choose one of {', '.join(sorted(REGISTRY))}.")
    return REGISTRY[strategy]


def params_of(strategy: Strategy, params: StrategyParams | Mapping | None) -> StrategyParams:
    return params if isinstance(params, StrategyParams) else parse_params(strategy, params or {})


def columns_of(strategy: Strategy, panel: Panel, start: date | None, end: date | None) -> tuple[int, int]:
    """First and last column of the sessions from `start` to `end`, which need not be sessions themselves.

    Without them the run covers what there is to trade: an index that reaches further adds no empty years to the figures.
    """
    if start is not None and end is not None and start > end:
        raise InvalidInput("bad_range", f"The backtest would end ({end}) before it begins ({start}).")
    days = panel.sessions
    first, last = traded_columns(strategy, panel)
    first = first if start is None else int(np.searchsorted(days, np.datetime64(start, "D")))
    last = last if end is None else int(np.searchsorted(days, np.datetime64(end, "D"), side="right")) - 1
    if first > last:
        raise DataMissing("no_sessions", f"No session of the stored bars ({panel.span}) lies within these dates: choose others.")
    return first, last


def traded_columns(strategy: Strategy, panel: Panel) -> tuple[int, int]:
    """First and last column at which a symbol of `panel` has a bar; every column for who trades options on what is beside it."""
    known = np.flatnonzero(np.isfinite(panel.close).any(axis=0))
    if "OPTIONS" in strategy.signal_sources or not len(known):
        return 0, len(panel.sessions) - 1
    return int(known[0]), int(known[-1])
