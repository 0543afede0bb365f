"""`manage.py reconcile ACCOUNT`: our orders, positions and cash beside the broker's, difference by difference."""

from decimal import Decimal

from django.core.management.base import BaseCommand, CommandError

from quant_site.core import clock
from quant_site.core.errors import QuantError
from quant_site.core.locks import exclusive
from quant_site.core.models import Account
from quant_site.market.selectors import panel_load
from quant_site.market.sessions import trading_session
from trading.books.equity import account_state
from trading.books.ledger import account_fund
from trading.books.reconciliation import account_reconcile
from trading.brokers import broker_for
from trading.models import Reconciliation
from trading.order_path.intake import Intake

DIFFERS = 1


class Command(BaseCommand):
    help = "Compares orders, positions and cash with the broker's and prints every difference; ends with 1 where there is one."

    def add_arguments(self, parser):
        parser.add_argument("account")
        parser.add_argument(
            "--book-cash",
            action="store_true",
            help="Book a difference in cash as a deposit or withdrawal, once you know what it was.",
        )
        parser.add_argument("--memo", default="", help="What the difference in cash was; goes with --book-cash.")

    def handle(self, *args, account: str, book_cash: bool, memo: str, **options):
        row = Account.objects.filter(pk=account).first()
        if row is None:
            raise CommandError(f"There is no account {account}.")
        try:
            with exclusive(f"loop:{row.pk}", busy="Its loop or the sweeper works on it now; try again in a moment."):
                compared = self._compare(row, book_cash, memo)
        except QuantError as error:
            raise CommandError(error.message) from error
        self._print(compared)
        if not compared.agrees:
            raise CommandError("The books do not agree. Nothing is traded to make them.", returncode=DIFFERS)

    def _compare(self, account: Account, book_cash: bool, memo: str) -> Reconciliation:
        broker = broker_for(account, panel_load())
        intake = Intake(account, broker, trading_session(clock.now()))
        kind = Reconciliation.Kind.MANUAL
        compared = account_reconcile(account=account, broker=broker, kind=kind, intake=intake)
        cash = next((each for each in compared.differences if each["what"] == "Cash"), None)
        if book_cash and cash is not None:
            missing = Decimal(cash["broker"]) - Decimal(cash["ours"])
            session = trading_session(clock.now())
            account_fund(account=account, amount=missing, session=session, key=f"reconcile:{compared.pk}", memo=memo or "By hand")
            self.stdout.write(f"Booked {missing} in cash; the balance is {account_state(account=account, session=session).cash}.")
            compared = account_reconcile(account=account, broker=broker, kind=kind, intake=intake)
        return compared

    def _print(self, compared: Reconciliation) -> None:
        for each in compared.adopted:
            self.stdout.write(f"adopted  {each['what']}: " + ", ".join(f"{name} {value}" for name, value in each.items() if name != "what"))
        for each in compared.differences:
            ours, theirs = each["ours"] or "nothing", each["broker"] or "nothing"
            self.stdout.write(self.style.ERROR(f"differs  {each['what']}: we have {ours}, the broker {theirs}"))
        if compared.agrees:
            self.stdout.write(self.style.SUCCESS("Orders, positions and cash agree."))
