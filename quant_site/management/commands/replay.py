"""`manage.py replay`: the loop over history."""

import json
import sys
from datetime import date

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from analytics.selectors import adaptation_figures
from quant_site.core.errors import QuantError
from quant_site.core.models import Account
from quant_site.core.selectors import account_get
from quant_site.core.types import money
from quant_site.replay import ReplaySummary, replay_account, replay_run, replay_sessions


def comparison(adapted: ReplaySummary, fixed: ReplaySummary) -> dict:
    """Both runs, and beside each other what they came to."""
    beside = {
        name: {"adapted": adaptation_figures(adapted.account)[name], "fixed": value}
        for name, value in adaptation_figures(fixed.account).items()
    }
    return {"adapted": adapted.as_json(), "fixed": fixed.as_json(), "beside": beside}


def day(text: str) -> date:
    return date.fromisoformat(text)


class Command(BaseCommand):
    help = "Drive the trading loop over history, session by session. Stop it at any time: the same command goes on from there."

    def add_arguments(self, parser):
        parser.add_argument("--account", required=True, help="Account id; made as a paper account where it does not exist.")
        parser.add_argument("--from", dest="start", type=day, required=True, metavar="YYYY-MM-DD")
        parser.add_argument("--to", dest="end", type=day, required=True, metavar="YYYY-MM-DD")
        parser.add_argument("--symbols", nargs="+", help="Trade these only (default: every tradable instrument); commas or spaces.")
        parser.add_argument("--cash", default="100000", help="Initial cash of a new account (default 100,000).")
        parser.add_argument("--user", help="Act as this user: only on an account of theirs, or a new one they will own.")
        parser.add_argument("--fixed", action="store_true", help="Weights and parameters stay as they are.")
        parser.add_argument(
            "--compare", action="store_true", help="Also replay on ACCOUNT-fixed, where they stay, and print both side by side."
        )
        parser.add_argument("--json", dest="as_json", action="store_true", help="Print nothing but the summary, as one JSON object.")

    def handle(self, *, account, start, end, symbols, cash, user, fixed, compare, as_json, **options):
        chosen = [symbol for text in symbols for symbol in text.split(",") if symbol] if symbols else None
        runs = {account: not fixed} | ({f"{account}-fixed": False} if compare else {})
        try:
            owner = self._owner(user, account)
            replay_sessions(start, end)  # before an account is made for dates that cannot be
            summaries = []
            for name, adapt in runs.items():
                row = replay_account(account_id=name, cash=money(cash, "The initial cash"), symbols=chosen, owner=owner)
                progress = iter if as_json else self._bar
                summaries.append(replay_run(account=row, start=start, end=end, adapt=adapt, progress=progress))
        except QuantError as error:
            raise CommandError(error.message) from error
        except KeyboardInterrupt:
            self.stderr.write(f"\nStopped. Run the same command again to go on: what account {account} holds is whole.")
            sys.exit(130)
        answer = comparison(*summaries) if compare else summaries[0].as_json()
        self.stdout.write(json.dumps(answer, sort_keys=True, indent=None if as_json else 2))

    def _owner(self, username, account_id):
        if not username:
            return None
        owner = get_user_model().objects.filter(username=username, is_active=True).first()
        if owner is None:
            raise CommandError(f"There is no active user {username!r}.")
        if Account.objects.filter(pk=account_id).exists():
            account_get(user=owner, account_id=account_id, trade=True)
        return owner

    def _bar(self, sessions):
        return tqdm(sessions, unit="session", desc="replay", file=self.stderr, mininterval=0.5, disable=not sessions)
