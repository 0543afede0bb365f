"""`manage.py run_strategy`: what one strategy proposes for one account at the close of one session."""

import json
from datetime import date

from django.core.management.base import BaseCommand, CommandError

from quant_site.core import clock
from quant_site.core.errors import Conflict, QuantError
from quant_site.core.models import Account
from quant_site.market.panel import Panel
from quant_site.market.sessions import last_completed_session
from strategies.base import Draft, Holding
from strategies.drafts import draft_from_json
from strategies.engine import StrategyEngine, universe_panel
from strategies.models import Strategy, StrategyRun
from strategies.selectors import strategy_by_key
from trading.exposure.context import holdings_build


class Command(BaseCommand):
    help = "Run one strategy for an account and show its drafts. It is recorded like the loop's runs, and never run twice for a session."

    def add_arguments(self, parser):
        parser.add_argument("strategy", help="Key of the strategy, e.g. golden_cross.")
        parser.add_argument("--account", required=True)
        parser.add_argument("--session", type=date.fromisoformat, metavar="YYYY-MM-DD", help="Default: the last one with bars.")
        parser.add_argument("--json", dest="as_json", action="store_true", help="Print the run as one JSON object.")

    def handle(self, *, strategy, account, session, as_json, **options):
        try:
            run = self._run(strategy, account, session)
        except QuantError as error:
            raise CommandError(error.message) from error
        if as_json:
            self.stdout.write(json.dumps(as_object(run), sort_keys=True))
        else:
            self.stdout.write("\n".join(as_lines(run)))
        if run.status == StrategyRun.Status.FAILED:
            raise CommandError(run.error)

    def _run(self, key: str, account_id: str, session: date | None) -> StrategyRun:
        row = strategy_by_key(key=key)
        account = Account.objects.filter(pk=account_id).first()
        if account is None:
            raise CommandError(f"There is no account {account_id!r}.")
        panel = universe_panel(account)
        session = session or latest(panel)
        held = open_trades(account, row, session)
        return StrategyEngine().run_strategy(row.pk, account=account, session=session, panel=panel, holdings=held)


def latest(panel: Panel) -> date:
    """The last session that is over and has bars."""
    return min(panel.sessions[-1].item(), last_completed_session(clock.now()))


def open_trades(account: Account, row: Strategy, session: date) -> tuple[Holding, ...]:
    """The strategy's open trades; raises `Conflict` where `session` lies before one of them was opened."""
    held = holdings_build(account=account).get(row.pk, ())
    later = [holding.group for holding in held if holding.entry_session > session]
    if later:
        raise Conflict("trades_since", f"{account.pk} opened {', '.join(later)} after {session}: choose a later session.")
    return held


def as_object(run: StrategyRun) -> dict:
    return {
        "strategy": run.strategy.key,
        "account": run.account_id,
        "session": str(run.session),
        "status": run.status,
        "params": run.params,
        "abstain_reason": run.abstain_reason,
        "error": run.error,
        "drafts": run.output,
    }


def as_lines(run: StrategyRun) -> list[str]:
    head = f"{run.strategy.name}, {run.account_id}, {run.session}: {run.get_status_display()}, {run.signal_count} drafts"
    return [head, *filter(None, [run.abstain_reason]), *(line(draft_from_json(stored)) for stored in run.output)]


def line(draft: Draft) -> str:
    prices = [f"{name} {value:g}" for name, value in (("entry", draft.entry_price), ("stop", draft.stop_loss)) if value is not None]
    return "  ".join([f"{draft.direction.value:5} {draft.group:12}", *prices, draft.reason])
