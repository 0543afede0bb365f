"""`manage.py arm`: let an account send real orders, with the password of somebody who may trade it."""

from django.core.management.base import BaseCommand, CommandError

from quant_site.core.errors import QuantError
from trading.control.arming import ARM, account_arm, arm_payload, arming_problems
from trading.management.asking import account_named, confirmed, user_named


class Command(BaseCommand):
    help = "Arm an account for real orders, until it is disarmed or a process that sends starts. Asks for the user's password."

    def add_arguments(self, parser):
        parser.add_argument("account")
        parser.add_argument("--user", required=True, help="Who arms it: a user with the right to trade the account.")

    def handle(self, *, account, user, **options):
        row, person = account_named(account), user_named(user)
        problems = arming_problems(row)
        if problems:
            raise CommandError("\n".join([f"{row.pk} cannot be armed now:", *(f"  {each.code}: {each.message}" for each in problems)]))
        try:
            given = confirmed(person, action=ARM, payload=arm_payload(row.pk))
            arming = account_arm(account=row, actor=person, confirmation_id=given)
        except QuantError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{row.pk} is armed since {arming.armed_at:%Y-%m-%d %H:%M:%S} UTC by {person.get_username()}.")
