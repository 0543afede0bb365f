"""`manage.py import_volatility PATH`: implied volatilities of symbols into the reference store."""

from quant_site.market.management.commands._reference import ReferenceCommand
from quant_site.market.reference.services import volatility_import


class Command(ReferenceCommand):
    help = (
        "Import implied volatilities at the money for three months, as decimals a year (0.25 is 25 %), from PATH: one CSV, CSV.gz or "
        "Parquet file, or a folder of them; the first column is the date, each other one a symbol. What is stored of a symbol is replaced "
        "as a whole. Values that cannot be are rejected and listed; a blank is unknown; an unreadable file changes nothing."
    )
    rows = "values"

    def take(self, **options):
        return volatility_import(**options)
