"""`manage.py resume`: let an account trade again, with the password of somebody who may."""

from django.core.management.base import BaseCommand, CommandError

from quant_site.core.errors import QuantError
from quant_site.core.models import Account
from trading.control.trading_state import RESUME, resume_payload, trading_state_set
from trading.management.asking import account_named, confirmed, user_named


class Command(BaseCommand):
    help = "Let a halted or reducing account trade again. Asks for the password of the user, or reads it as a line of standard input."

    def add_arguments(self, parser):
        parser.add_argument("account")
        parser.add_argument("--user", required=True, help="Who lets it: a user with the right to trade the account.")
        parser.add_argument("--reason", default="", help="Why; kept in the audit log.")
        parser.add_argument("--reduce-only", action="store_true", help="Let a halted account only reduce.")

    def handle(self, *, account, user, reason, reduce_only, **options):
        row, person = account_named(account), user_named(user)
        state = Account.State.REDUCING if reduce_only else Account.State.ACTIVE
        if row.state == state:
            self.stdout.write(f"{row.pk} is {row.state} already.")
            return
        try:
            given = confirmed(person, action=RESUME, payload=resume_payload(row.pk, state))
            row = trading_state_set(account=row, state=state, reason=reason, actor=person, confirmation_id=given)
        except QuantError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{row.pk} is {row.state}.")
