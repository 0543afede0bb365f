"""Backtests of the stored bars for people to look at: as JSON, thinned for a chart, and kept in the cache.

The key of a result is everything it depends on: the strategy, its parameters, the bars and what is known beside them,
and the dates. A new import or another version of the code therefore shows at once.
"""

import hashlib
import json
from datetime import date, timedelta

import numpy as np
from django.core.cache import cache
from django.utils.translation import gettext_lazy as _

from quant_site.core.build import code_version
from quant_site.core.errors import DataMissing
from quant_site.market.panel import Panel
from quant_site.market.selectors import benchmark_default
from strategies.backtest import BacktestSettings, backtest
from strategies.backtest.engine import traded_columns
from strategies.base import Strategy, StrategyParams
from strategies.engine import universe_panel

DAY = 86_400
# What a chart of a thousand pixels can show.
POINTS = 800
TRADES = 20
YEARS = 10


def preview(strategy: Strategy, params: StrategyParams, *, account=None, start: date | None = None, end: date | None = None) -> dict:
    """A backtest of `strategy` with `params` over the symbols of `account` (None: every tradable one), JSON-ready.

    From ten years before the end where no `start` is given. Raises `DataMissing` where no bars are stored or the
    dates hold none, `InvalidInput` for dates in the wrong order.
    """
    panel = universe_panel(account)
    if not len(panel.sessions) or not panel.symbols:
        raise DataMissing("no_bars", "No bars of a tradable symbol are stored: import some (manage.py import_bars PATH).")
    first, last = (panel.sessions[t].item() for t in traded_columns(strategy, panel))
    start = start or max(first, (end or last) - timedelta(days=365 * YEARS + 2))
    key = _key(strategy, params, panel, start, end)
    known = cache.get(key)
    if known is None:
        known = _summary(strategy, params, panel, start, end)
        cache.set(key, known, DAY)
    return known


def _key(strategy: Strategy, params: StrategyParams, panel: Panel, start: date, end: date | None) -> str:
    parts = (strategy.key, params.model_dump_json(), panel.symbols, panel.digest, str(start), str(end), code_version())
    return "backtest:" + hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _summary(strategy: Strategy, params: StrategyParams, panel: Panel, start: date, end: date | None) -> dict:
    symbol = benchmark_default() or ""
    result = backtest(strategy, params, panel=panel, start=start, end=end, settings=BacktestSettings(benchmark=symbol))
    shown = _thinned(len(result.sessions))
    sources = sorted({panel.sources.get(name, "") for name in panel.symbols} - {""})
    return {
        "strategy": strategy.key,
        "params": params.model_dump(mode="json"),
        "first": str(result.sessions[0]),
        "last": str(result.sessions[-1]),
        "sessions": len(result.sessions),
        "symbols": len(panel.symbols),
        "sources": sources,
        "capital": result.capital,
        "final": round(float(result.equity[-1]), 2),
        "days": [str(day) for day in result.sessions[shown]],
        "equity": [round(value, 2) for value in result.equity[shown].tolist()],
        "benchmark": None if result.benchmark is None else _levels(result.benchmark, result.capital, shown),
        "benchmark_symbol": symbol if result.benchmark is not None else "",
        "metrics": {name: metric.as_dict() for name, metric in result.metrics.items()},
        "drafts": result.drafts,
        "fills": len(result.fills),
        "trades": len(result.trades),
        "latest": [_plain(row) for row in result.trade_rows()[-TRADES:]][::-1],
        "rejected": dict(result.rejected),
        "abstained": dict(result.abstained),
        "assumptions": list(result.assumptions),
    }


def chart_data(**summaries: dict | None) -> dict:
    """What the chart script draws: a line for each named summary that is not None, and the benchmark of the first."""
    given = {name: summary for name, summary in summaries.items() if summary is not None}
    first = next(iter(given.values()))
    lines = [{"name": name, "days": summary["days"], "values": summary["equity"]} for name, summary in given.items()]
    if first["benchmark"] is not None:
        lines.append({"name": "benchmark", "days": first["days"], "values": first["benchmark"]})
    return {"lines": lines, "benchmark_symbol": first["benchmark_symbol"]}


def _thinned(size: int) -> np.ndarray:
    """At most `POINTS` columns, evenly, the first and the last among them."""
    return np.unique(np.linspace(0, size - 1, min(size, POINTS)).round().astype(int))


def _levels(returns: np.ndarray, capital: float, shown: np.ndarray) -> list[float | None]:
    """The benchmark's daily returns as the worth of the same capital."""
    grown = capital * np.cumprod(1 + np.nan_to_num(returns))
    return [round(value, 2) for value in grown[shown].tolist()]


def _plain(row: dict) -> dict:
    return {name: str(value) if isinstance(value, date) else value for name, value in row.items()}


# What a page shows of a backtest, and how: a share of one as per cent, a plain number, or dollars.
FIGURES = (
    ("time_weighted_return", _("Total return"), "percent"),
    ("cagr", _("Return a year"), "percent"),
    ("annual_volatility", _("Volatility a year"), "percent"),
    ("sharpe_ratio", _("Sharpe ratio"), "ratio"),
    ("sortino_ratio", _("Sortino ratio"), "ratio"),
    ("max_drawdown", _("Deepest drawdown"), "percent"),
    ("calmar_ratio", _("Calmar ratio"), "ratio"),
    ("expected_shortfall", _("Expected shortfall of a session, 95 per cent"), "percent"),
    ("beta", _("Beta"), "ratio"),
    ("alpha", _("Alpha a year"), "percent"),
    ("win_rate", _("Win rate"), "percent"),
    ("profit_factor", _("Profit factor"), "ratio"),
    ("average_holding", _("Sessions held"), "ratio"),
    ("exposure", _("Exposure"), "percent"),
    ("turnover", _("Turnover, in mean equities"), "ratio"),
)


def result_context(current: dict, proposed: dict | None = None) -> dict:
    """What `backtest/result.html` shows: one backtest, or two beside each other."""
    summaries = [current] if proposed is None else [current, proposed]
    return {
        "current": current,
        "proposed": proposed,
        "latest": summaries[-1],
        "rows": figure_rows(*summaries),
        "chart": chart_data(current=current, proposed=proposed),
    }


def figure_rows(*summaries: dict) -> list[dict]:
    """Rows of a table of metrics, one column for each of `summaries`; metrics that none of them has are left out."""
    return [
        {"label": label, "kind": kind, "metrics": [summary["metrics"].get(name) for summary in summaries]}
        for name, label, kind in FIGURES
        if any(name in summary["metrics"] for summary in summaries)
    ]
