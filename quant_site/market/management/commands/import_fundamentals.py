"""`manage.py import_fundamentals PATH`: reports of companies into the reference store."""

from quant_site.market.management.commands._reference import ReferenceCommand
from quant_site.market.reference.fundamentals import FIELDS
from quant_site.market.reference.services import fundamentals_import


class Command(ReferenceCommand):
    help = (
        "Import reports of companies from PATH: one CSV, CSV.gz or Parquet file, or a folder of them, with a row for each report. Columns: "
        f"symbol, period_ending, where known filing_date, and any of {', '.join(FIELDS)}. A report counts from the session after it was "
        "filed; without a filing date from 90 days after its period ended. The reports of each symbol are replaced as a whole. Rows that "
        "cannot be are rejected and listed; a blank number is unknown; an unreadable file changes nothing."
    )
    rows = "reports"

    def take(self, **options):
        return fundamentals_import(**options)
