"""Backtests: a strategy's own decisions over history, executed by the rules that paper trading uses."""
