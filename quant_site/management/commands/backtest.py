"""`manage.py backtest`: a strategy over the stored bars, as metrics, trades and what was assumed."""

import json
from datetime import date

from django.core.management.base import BaseCommand, CommandError

from quant_site.core.errors import InvalidInput, QuantError
from quant_site.core.stats import Metric
from quant_site.core.types import money
from quant_site.market.selectors import benchmark_default
from strategies.backtest import BacktestResult, BacktestSettings, backtest
from strategies.backtest.stored import stored_panel

SHOWN = 20


class Command(BaseCommand):
    help = "Run a strategy over the stored bars: what it would have traded, what that made, and what is assumed. Nothing is recorded."

    def add_arguments(self, parser):
        parser.add_argument("strategy", help="Key of the strategy, e.g. golden_cross.")
        parser.add_argument("--param", action="append", default=[], metavar="NAME=VALUE", help="A parameter; may be given several times.")
        parser.add_argument(
            "--from", dest="start", type=date.fromisoformat, metavar="YYYY-MM-DD", help="Default: the first stored session."
        )
        parser.add_argument("--to", dest="end", type=date.fromisoformat, metavar="YYYY-MM-DD", help="Default: the last one.")
        parser.add_argument("--symbols", nargs="+", help="Trade these only (default: every tradable instrument); commas or spaces.")
        parser.add_argument("--capital", default="100000", help="Dollars to begin with (default 100,000).")
        parser.add_argument("--json", dest="as_json", action="store_true", help="Print the whole result as one JSON object.")

    def handle(self, *, strategy, param, start, end, symbols, capital, as_json, **options):
        try:
            settings = BacktestSettings(capital=money(capital, "The capital"), benchmark=benchmark_default() or "")
            panel = stored_panel(listed(symbols))
            result = backtest(strategy, parameters(param), panel=panel, start=start, end=end, settings=settings)
        except QuantError as error:
            raise CommandError(error.message) from error
        self.stdout.write(json.dumps(result.as_json(), sort_keys=True) if as_json else "\n".join(lines(result)))


def listed(words: list[str] | None) -> list[str] | None:
    """Symbols separated by commas or blanks."""
    return [symbol for text in words for symbol in text.split(",") if symbol] if words else None


def parameters(pairs: list[str]) -> dict:
    """{name: value} of "name=value"; a value is JSON where it reads as such, else text."""
    params = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise InvalidInput("bad_parameter", f"A parameter is given as NAME=VALUE, not {pair!r}.")
        try:
            params[name] = json.loads(text)
        except ValueError:
            params[name] = text
    return params


def lines(result: BacktestResult) -> list[str]:
    trades = result.trade_rows()
    hidden = len(trades) - SHOWN
    return [
        f"{result.strategy}, {result.day(0)} to {result.day(-1)}, {len(result.sessions)} sessions, {', '.join(result.symbols)}",
        f"Equity {result.capital:,.2f} to {result.equity[-1]:,.2f}; {result.drafts} drafts, {len(result.fills)} fills",
        *(f"  Refused: {code} {count} times" for code, count in result.rejected.items()),
        *(f"  Abstained in {count} sessions: {reason}" for reason, count in result.abstained.items()),
        "Metrics",
        *(f"  {name:28} {shown(metric)}" for name, metric in result.metrics.items()),
        f"Trades{f' (the last {SHOWN} of {len(trades)})' if hidden > 0 else ''}",
        *(trade_line(trade) for trade in trades[-SHOWN:]),
        "Assumptions",
        *(f"  {text}" for text in result.assumptions),
    ]


def shown(metric: Metric) -> str:
    if metric.value is None:
        return f"undefined: {metric.reason} (n = {metric.n})"
    bounds = "" if metric.low is None else f"  [{metric.low:.4f}, {metric.high:.4f}]"
    return f"{metric.value:.4f}{bounds}  (n = {metric.n})"


def trade_line(trade: dict) -> str:
    end = f"{trade['exit_session']} {trade['exit']:10}" if trade["exit_session"] else f"{'open':21}"
    return (
        f"  {trade['entry_session']} {trade['direction']:5} {trade['quantity']:>7} {trade['symbol']:6} at {trade['entry_price']:<12.4f}"
        f" {end} {trade['pnl']:>12,.2f}"
    )
