"""`manage.py disarm`: no more real orders from an account, or from any."""

from django.core.management.base import BaseCommand

from trading.control.trading_state import account_disarm, accounts_disarm
from trading.management.asking import account_named, shell_actor


class Command(BaseCommand):
    help = "Disarm an account, or all of them: no real order that opens a position is sent until somebody arms it again."

    def add_arguments(self, parser):
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("account", nargs="?", help="The account.")
        which.add_argument("--all", action="store_true", help="Every account.")
        parser.add_argument("--reason", default="BY_HAND", help="Why; kept with the arming and in the audit log.")

    def handle(self, *, account, all, reason, **options):
        if all:
            ended = accounts_disarm(reason=reason, actor=shell_actor())
        else:
            row = account_named(account)
            ended = [row.pk] if account_disarm(account=row, reason=reason, actor=shell_actor()) else []
        self.stdout.write(f"Disarmed: {', '.join(ended)}." if ended else "Nothing was armed.")
