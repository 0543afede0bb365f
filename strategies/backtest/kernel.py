"""The compiled backtest of rule strategies: the fills of the general simulation, to the cent, without asking `decide`.

What it can run it runs exactly; what it cannot (costs with more decimals than 64 bits follow, an account beyond a billion
dollars, limits that not every account has) it leaves to the simulation.
"""

from bisect import bisect_left
from dataclasses import replace
from decimal import Decimal

import numpy as np

from quant_site.core.types import ratio
from quant_site.market.panel import Panel
from strategies.backtest.amounts import money_in_cents
from strategies.backtest.assumptions import assumptions_of
from strategies.backtest.kernel_amounts import costs_of
from strategies.backtest.kernel_book import DRAFTS, FILLS, TRADE_WIDTH, TRADES
from strategies.backtest.kernel_codes import CODES
from strategies.backtest.kernel_entries import Terms
from strategies.backtest.kernel_loop import Work, ledgers, play_sets
from strategies.backtest.kernel_market import market_of
from strategies.backtest.kernel_record import SUMMARY
from strategies.backtest.report import benchmark_returns, metrics_of
from strategies.backtest.result import FILL, TRADE, BacktestResult
from strategies.backtest.settings import BacktestSettings
from strategies.backtest.simulator import kind_of
from strategies.base import Strategy, StrategyParams
from strategies.readiness import missing
from strategies.rules import RuleStrategy

# Beyond this an amount in millionths of a dollar may leave what 64 bits hold exactly.
LARGEST_CAPITAL = Decimal(10**9)
NOTHING_KEPT = np.empty((0, 1 + TRADE_WIDTH), np.int64)


def can_run(strategy: Strategy, settings: BacktestSettings) -> bool:
    """Whether the compiled account runs this exactly."""
    known = settings.limits.plain and settings.capital <= LARGEST_CAPITAL and costs_of(settings.costs) is not None
    return known and isinstance(strategy, RuleStrategy)


def run_rules(
    strategy: Strategy, params: StrategyParams, panel: Panel, first: int, last: int, settings: BacktestSettings
) -> BacktestResult | None:
    """Run a strategy's rules over the columns `first` to `last` of `panel`; what lies before is its warm-up.

    None for what only the simulation can run.
    """
    if not can_run(strategy, settings):
        return None
    rules, shape = strategy.rules(panel, [params]), (1, *panel.close.shape)
    entry, leave, score = decisions(shape)
    rules.fill(slice(0, 1), entry, leave, score)
    work, curve = Work.of(len(panel.symbols)), np.zeros((3, last - first + 1), np.int64)
    fills, trades, _, _ = play_sets(
        market_of(panel), terms_of(settings, params), costs_of(settings.costs), money_in_cents(settings.capital), entry, leave, score,
        *rules.numbers(slice(0, 1)), first, last, work, curve, *ledgers(len(panel.symbols)), NOTHING_KEPT, np.zeros((1, len(SUMMARY))),
    )  # fmt: skip
    return _result(strategy, params, panel, first, last, settings, work, curve, fills, trades)


def decisions(shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Room for what rules decide over (S, N, T); one symbol competes with nobody and needs no score."""
    score = np.empty((2, *shape) if shape[1] > 1 else (2, shape[0], 0, 0))
    return np.empty(shape, np.int8), np.empty(shape, np.uint8), score


def terms_of(settings: BacktestSettings, params: StrategyParams) -> Terms:
    """The limits of the account. Where the settings name no share the strategy has that of its parameters."""
    share, limits = params.weight if settings.share is None else settings.share, settings.limits
    return Terms(
        share=float(share),
        # A signal carries the share with the decimals of its row; none of it means all of it.
        checked_share=float(ratio(share)) or 1.0,
        max_position=float(limits.max_position_pct),
        max_gross=float(limits.max_gross_exposure),
        max_drawdown=float(limits.max_drawdown_pct),
        risk_per_trade=float(limits.risk_per_trade_pct),
        max_adv=float(limits.max_adv_pct),
        max_day_trades=int(limits.max_day_trades),
        allow_short=bool(limits.allow_short),
    )


# --- from arrays to the result


def _result(strategy, params, panel, first, last, settings, work, curve, fills, trades) -> BacktestResult:
    account, (equity, cash, gross) = work.account, curve / 100
    fills, trades = fills[: account[FILLS]], trades[: account[TRADES]]
    traded = list(dict.fromkeys(fills[:, 1].tolist()))
    group_of = np.zeros(len(panel.symbols), np.int64)
    group_of[traded] = np.arange(len(traded))
    result = BacktestResult(
        strategy=strategy.key,
        params=params.model_dump(mode="json"),
        sessions=panel.sessions[first : last + 1],
        symbols=panel.symbols,
        groups=tuple(panel.symbols[row] for row in traded),
        equity=equity,
        cash=cash,
        gross=gross,
        fills=fill_array(fills, group_of, first),
        trades=trade_array(trades, group_of, first),
        metrics={},
        capital=float(settings.capital),
        benchmark=benchmark_returns(panel, settings.benchmark, first, last),
        drafts=int(account[DRAFTS]),
        rejected={code: count for code, count in sorted(zip(CODES, work.refused.tolist(), strict=True)) if count},
        abstained=_abstained(strategy, params, panel, first, last),
        assumptions=assumptions_of(strategy, panel, settings, panel.symbols, len(fills)),
    )
    return replace(result, metrics=metrics_of(result))


def fill_array(fills: np.ndarray, group_of: np.ndarray, first: int) -> np.ndarray:
    """FILL rows of the kernel's ledger."""
    rows = np.zeros(len(fills), FILL)
    for name, values in zip(("session", "symbol", "side", "purpose", "quantity", "price", "commission"), fills.T, strict=True):
        rows[name] = values
    rows["session"] -= first
    rows["group"] = group_of[fills[:, 1]]
    return rows


def trade_array(trades: np.ndarray, group_of: np.ndarray, first: int) -> np.ndarray:
    """TRADE rows of the kernel's ledger."""
    rows = np.zeros(len(trades), TRADE)
    for name, values in zip([name for name in TRADE.names if name != "group"], trades.T, strict=True):
        rows[name] = values
    rows["entry"] -= first
    rows["exit"] = np.where(trades[:, 4] >= 0, trades[:, 4] - first, -1)
    rows["group"] = group_of[trades[:, 0]]
    return rows


def _abstained(strategy: Strategy, params: StrategyParams, panel: Panel, first: int, last: int) -> dict[str, int]:
    """How many sessions of the run its warm-up took, by what was missing."""
    needs = strategy.needs(params)
    # A warm-up that is over stays over.
    ready = bisect_left(range(first, last + 1), True, key=lambda t: not missing(needs, panel, t))
    return {kind_of(missing(needs, panel, first)): ready} if ready else {}
