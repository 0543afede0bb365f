"""`manage.py audit_strategy`: whether a strategy's decisions depend on what came after them, or on where its data begin."""

import json
import sys

from django.core.management.base import BaseCommand, CommandError

from quant_site.core.errors import QuantError
from quant_site.management.commands.backtest import listed
from strategies.audit import Verdict, audit
from strategies.backtest.engine import strategy_of
from strategies.backtest.stored import stored_panel
from strategies.registry import REGISTRY


class Command(BaseCommand):
    help = "Test a strategy for look-ahead on the stored bars: cut history off, exchange what comes later, begin later. Fails on a finding."

    def add_arguments(self, parser):
        parser.add_argument("strategy", nargs="?", help="Key of the strategy, e.g. golden_cross.")
        parser.add_argument("--all", action="store_true", help="Every strategy that runs.")
        parser.add_argument("--cuts", type=int, default=12, help="Sessions that are tested (default 12).")
        parser.add_argument("--seed", type=int, default=0, help="Which sessions are drawn, and how bars are exchanged (default 0).")
        parser.add_argument("--symbols", nargs="+", help="These only (default: every tradable instrument); commas or spaces.")
        parser.add_argument("--json", dest="as_json", action="store_true", help="Print one JSON object a strategy.")

    def handle(self, *, strategy, all, cuts, seed, symbols, as_json, **options):
        if bool(strategy) == all or cuts < 1:
            raise CommandError("Name one strategy, or all of them with --all; and at least one cut.")
        failed = []
        try:
            panel = stored_panel(listed(symbols))
            for key in sorted(REGISTRY) if all else [strategy]:
                code = strategy_of(key)
                verdicts = audit(code, code.Params(), panel, cuts=cuts, seed=seed)
                self.stdout.write(as_object(key, verdicts) if as_json else "\n".join(lines(key, verdicts)))
                failed += [f"{key} ({verdict.test})" for verdict in verdicts if verdict.failed]
        except QuantError as error:
            raise CommandError(error.message) from error
        if failed:
            self.stderr.write(f"Failed: {', '.join(failed)}.")
            sys.exit(1)


def as_object(key: str, verdicts: list[Verdict]) -> str:
    return json.dumps({"strategy": key, "verdicts": [vars(verdict) for verdict in verdicts]}, sort_keys=True)


def lines(key: str, verdicts: list[Verdict]) -> list[str]:
    return [key, *(f"  {each.test:11} {each.outcome:10} {each.decisions:>6} decisions  {each.detail}" for each in verdicts)]
