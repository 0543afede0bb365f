"""`manage.py halt`: the kill switch, from the shell. It needs the database and nothing else."""

from django.core.management.base import BaseCommand, CommandError

from quant_site.core.errors import QuantError
from quant_site.core.models import Account
from trading.control.trading_state import trading_state_set, trading_state_set_all
from trading.management.asking import account_named, shell_actor


class Command(BaseCommand):
    help = "Halt an account, or all of them: nothing is sent from the next order on. With --reduce-only what closes still passes."

    def add_arguments(self, parser):
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("account", nargs="?", help="The account.")
        which.add_argument("--all", action="store_true", help="Every account but those of replays.")
        parser.add_argument("--reason", required=True, help="Why; kept with the account and in the audit log.")
        parser.add_argument("--reduce-only", action="store_true", help="Only stop what opens positions.")

    def handle(self, *, account, all, reason, reduce_only, **options):
        wish = {"state": Account.State.REDUCING if reduce_only else Account.State.HALTED, "reason": reason, "actor": shell_actor()}
        try:
            if all:
                moved = trading_state_set_all(**wish)
                self.stdout.write(f"{wish['state']}: {', '.join(row.pk for row in moved) or 'nothing was left to do'}.")
                return
            named = account_named(account)
            if reduce_only and named.state == Account.State.HALTED:
                raise CommandError(f"{named.pk} is halted already, which is tighter. To loosen it: manage.py resume --reduce-only.")
            row = trading_state_set(account=named, **wish)
        except QuantError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{row.pk} is {row.state}: {row.state_reason}")
