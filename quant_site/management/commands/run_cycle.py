"""`manage.py run_cycle`: the live loop, by hand."""

from datetime import date

from django.core.management.base import BaseCommand, CommandError

from quant_site.core.errors import QuantError
from quant_site.core.models import Account
from quant_site.loop import cycle_run


class Command(BaseCommand):
    help = "Run the trading loop of an account for every session that is due."

    def add_arguments(self, parser):
        parser.add_argument("--account", required=True)
        parser.add_argument("--session", type=date.fromisoformat, metavar="YYYY-MM-DD", help="Default: the last completed session.")

    def handle(self, *, account, session, **options):
        row = Account.objects.filter(pk=account).first()
        if row is None:
            known = ", ".join(Account.objects.order_by("pk").values_list("pk", flat=True)[:10])
            raise CommandError(f"There is no account {account!r}. Known: {known or 'none'}.")
        try:
            runs = cycle_run(row, session)
        except QuantError as error:
            raise CommandError(error.message) from error
        for run in runs:
            stages = ", ".join(f"{stage.name} {stage.wall_ms} ms" for stage in run.stages.order_by("position"))
            self.stdout.write(f"{run.session} {run.status}: {stages}")
        if not runs:
            self.stdout.write("Nothing is due: the loop has run up to that session.")
