"""`manage.py parity`: whether a backtest of a strategy trades what its replay trades, fill by fill."""

import json
import sys
from datetime import date

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from quant_site.core.errors import QuantError
from quant_site.core.types import money
from quant_site.management.commands.backtest import listed
from quant_site.parity import ParityReport, parity_run
from strategies.backtest.comparison import counted

SHOWN = 10


class Command(BaseCommand):
    help = "Replay a strategy alone on a temporary account, backtest the same, and compare fill by fill. Fails where they differ."

    def add_arguments(self, parser):
        parser.add_argument("strategy", help="Key of the strategy, e.g. golden_cross.")
        parser.add_argument("--from", dest="start", type=date.fromisoformat, required=True, metavar="YYYY-MM-DD")
        parser.add_argument("--to", dest="end", type=date.fromisoformat, required=True, metavar="YYYY-MM-DD")
        parser.add_argument("--symbols", nargs="+", help="Trade these only (default: every tradable instrument); commas or spaces.")
        parser.add_argument("--cash", default="100000", help="Initial cash (default 100,000).")
        parser.add_argument("--keep", action="store_true", help="Keep the replay's account to look at; else it is deleted.")
        parser.add_argument("--json", dest="as_json", action="store_true", help="Print the report as one JSON object.")

    def handle(self, *, strategy, start, end, symbols, cash, keep, as_json, **options):
        try:
            report = parity_run(
                strategy,
                start=start,
                end=end,
                symbols=listed(symbols),
                cash=money(cash, "The initial cash"),
                keep=keep,
                progress=iter if as_json else self._bar,
            )
        except QuantError as error:
            raise CommandError(error.message) from error
        self.stdout.write(json.dumps(report.as_json(), sort_keys=True) if as_json else "\n".join(lines(report)))
        if not report.equal:
            sys.exit(1)

    def _bar(self, sessions):
        return tqdm(sessions, unit="session", desc="replay", file=self.stderr, mininterval=0.5, disable=not sessions)


def lines(report: ParityReport) -> list[str]:
    found = {bucket: count for bucket, count in counted(report.differences).items() if count}
    more = len(report.differences) - SHOWN
    return [
        f"{report.strategy}, {report.first} to {report.last}, {report.sessions} sessions",
        f"Replay: {report.fills[0]} fills, equity {report.equity[0]}" + (f", account {report.account}" if report.account else ""),
        f"Backtest: {report.fills[1]} fills, equity {report.equity[1]}",
        "Equal." if report.equal else "Different: " + ", ".join(f"{bucket} {count}" for bucket, count in found.items()),
        *(f"  {difference}" for difference in report.differences[:SHOWN]),
        *([f"  and {more} more; the first tells the cause."] if more > 0 else []),
    ]
