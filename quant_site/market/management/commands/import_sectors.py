"""`manage.py import_sectors PATH`: the sector of each symbol into the reference store."""

from quant_site.market.management.commands._reference import ReferenceCommand
from quant_site.market.reference.services import ReferenceImport, sectors_import


class Command(ReferenceCommand):
    help = (
        "Import the sector of symbols from PATH: one CSV, CSV.gz or Parquet file, or a folder of them, with the columns symbol and sector "
        "(or gics_sector). Symbols may come before their bars. Rows without a symbol or a sector are rejected and listed; an unreadable "
        "file changes nothing."
    )
    rows = "sectors"

    def take(self, **options):
        return sectors_import(**options)

    def show_table(self, done: ReferenceImport) -> None:
        """One line a sector: there are ten of them, and hundreds of symbols."""
        self.stdout.write(f"{'Sector':<32} {'Symbols':>7}")
        for sector, count in done.frame["sector"].value_counts().sort_index().items():
            self.stdout.write(f"{sector:<32} {count:>7}")
        for each in done.items:
            if each.outcome.startswith("replaces"):
                self.stdout.write(f"{each.item}: {each.outcome}")
