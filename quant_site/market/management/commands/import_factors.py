"""`manage.py import_factors PATH`: daily factor returns and rates into the reference store."""

from quant_site.market.management.commands._reference import ReferenceCommand
from quant_site.market.reference.series import UNITS
from quant_site.market.reference.services import factors_import


class Command(ReferenceCommand):
    help = (
        "Import daily factor returns (Mkt-RF, SMB, HML, RMW, CMA, Mom or UMD, RF) and the yearly rate of three-month Treasury bills "
        "(tbill_3m_pct) from PATH: one CSV, CSV.gz or Parquet file, or a folder of them; the first column is the date, each other one a "
        "series. Fama and French's names and names that end in _pct mean percent; for others --unit must say it. Each series is replaced "
        "as a whole. Values that cannot be are rejected and listed; an unreadable file changes nothing."
    )
    rows = "values"
    items = ("series", "series")
    passed = (*ReferenceCommand.passed, "unit")

    def add_arguments(self, parser):
        super().add_arguments(parser)
        parser.add_argument("--unit", choices=list(UNITS), default="", help="what the numbers are in (default: as the names say)")

    def take(self, **options):
        return factors_import(**options)
