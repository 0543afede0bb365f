"""Backtests: a strategy's own decisions over history, executed by the rules that paper trading uses."""

from strategies.backtest.engine import backtest, simulate
from strategies.backtest.result import BacktestResult
from strategies.backtest.settings import BacktestSettings

__all__ = ["BacktestResult", "BacktestSettings", "backtest", "simulate"]
