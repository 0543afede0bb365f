"""`manage.py seed_demo`: what a new installation shows: bundled prices, a user, and what the loop did on them."""

import secrets
from datetime import date
from decimal import Decimal

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from quant_site.core.errors import QuantError
from quant_site.market.services import bundled_import
from quant_site.replay import replay_account, replay_run

ACCOUNT, USERNAME = "DEMO", "demo"
# From the fall of 2008 to where the bundled prices end.
FIRST, LAST = date(2008, 1, 2), date(2013, 3, 1)
CASH = Decimal("100000")


class Command(BaseCommand):
    help = "Load the bundled price history, make the demonstration user and account, and replay the loop. Repeats nothing."

    def handle(self, **options):
        try:
            imported = [row for row in bundled_import() if row.changed]
            if imported:
                self.stdout.write(f"Stored the price history of {len(imported)} bundled symbols.")
            user = self._user()
            account = replay_account(account_id=ACCOUNT, cash=CASH, symbols=None, owner=user, keeps_living=True, name="Demonstration")
            summary = replay_run(account=account, start=FIRST, end=LAST, progress=self._bar)
        except QuantError as error:
            raise CommandError(error.message) from error
        if summary.sessions_per_second:
            self.stdout.write(f"Replayed {summary.sessions} sessions up to {summary.last_session}: equity {summary.final_equity} USD.")
        if not user.has_usable_password():
            self._show_login(user)

    def _user(self):
        """The demonstration user; it cannot log in before everything is there to look at."""
        user, made = get_user_model().objects.get_or_create(username=USERNAME, defaults={"is_staff": True, "is_superuser": True})
        if made:
            user.set_unusable_password()
            user.save(update_fields=["password"])
        return user

    def _show_login(self, user):
        password = secrets.token_urlsafe(9)
        user.set_password(password)
        user.save(update_fields=["password"])
        self.stdout.write(f"Login (shown once): user {USERNAME}  password {password}")

    def _bar(self, sessions):
        return tqdm(sessions, unit="session", desc="replay", file=self.stderr, mininterval=0.5, disable=not sessions)
