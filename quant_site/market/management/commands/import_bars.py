"""`manage.py import_bars PATH`: the user's own bars into the store, with every rejected row and its reason."""

from functools import partial

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from quant_site.core.errors import QuantError
from quant_site.market.models import BarImport, Instrument
from quant_site.market.services import bars_import

SHOWN_PER_SYMBOL = 20


class Command(BaseCommand):
    help = (
        "Import daily bars from PATH: one CSV, CSV.gz or Parquet file, or a folder of them; one symbol a file (named after it) or long "
        "tables with a column symbol. Columns: date, open, high, low, close and, where known, adj_close and volume. The history of each "
        "symbol is replaced as a whole. Rows that cannot be bars are rejected and listed; an unreadable file changes nothing."
    )

    def add_arguments(self, parser):
        parser.add_argument("path", help="file or folder")
        parser.add_argument(
            "--kind", type=str.upper, choices=Instrument.Kind.values, default="", help="what the symbols are (default: STOCK)"
        )
        parser.add_argument("--source", default="", help="where the bars come from, shown wherever they are (default: the folder's name)")
        parser.add_argument("--symbols", nargs="+", type=str.upper, metavar="SYMBOL", help="take only these")
        parser.add_argument("--strict", action="store_true", help="import nothing when any row is rejected")
        parser.add_argument("--all-rejections", action="store_true", help=f"list every rejected row, not only {SHOWN_PER_SYMBOL} a symbol")

    def handle(self, *, path, kind, source, symbols, strict, all_rejections, verbosity, **options):
        limit = None if all_rejections else SHOWN_PER_SYMBOL
        bar = partial(_bar, file=self.stderr, disable=verbosity == 0)
        try:
            imports = bars_import(path=path, kind=kind, source=source, symbols=symbols, strict=strict, progress=bar, actor="import_bars")
        except QuantError as error:
            for symbol, rejections in sorted(error.details.get("rejections", {}).items()):
                self._show_rejections(symbol, rejections, limit)
            raise CommandError(error.message) from error
        self._show_table(imports)
        for each in imports:
            self._show_rejections(each.symbol, each.rejections, limit)
        self._show_total(imports)

    def _show_table(self, imports: list[BarImport]) -> None:
        rows = Instrument.objects.in_bulk([each.symbol for each in imports])
        line = "{:<12} {:<6} {:<10} {:<10} {:>7} {:>8} {:>8}  {}"
        self.stdout.write(line.format("Symbol", "Kind", "First", "Last", "Bars", "Rejected", "Repaired", "Store"))
        for each in imports:
            row = rows.get(each.symbol) if each.accepted else None
            known = (row.kind, str(row.first_session), str(row.last_session)) if row else ("", "", "")
            outcome = "unchanged" if each.accepted else "no usable row: as it was"
            if each.changed:
                outcome = f"replaces {each.replaced}" if each.replaced else "new"
            self.stdout.write(line.format(each.symbol, *known, each.accepted, each.rejected, each.repaired, outcome))

    def _show_rejections(self, symbol: str, rejections: list[dict], limit: int | None) -> None:
        for each in rejections[:limit]:
            self.stdout.write(f"{symbol}: row {each['row']} ({each['date'] or 'no date'}) rejected, {each['reason']}: {each['detail']}.")
        hidden = len(rejections) - len(rejections[:limit])
        if hidden:
            self.stdout.write(f"{symbol}: {hidden} more rejected rows; --all-rejections lists them.")

    def _show_total(self, imports: list[BarImport]) -> None:
        changed, bars = sum(each.changed for each in imports), sum(each.accepted for each in imports)
        rejected, repaired = sum(each.rejected for each in imports), sum(each.repaired for each in imports)
        symbols = "1 symbol" if len(imports) == 1 else f"{len(imports)} symbols"
        self.stdout.write(
            f"{symbols} with {bars} bars: {changed} changed, {len(imports) - changed} left as they were; "
            f"{rejected} rows rejected, {repaired} repaired (open or close lay just outside the day's range)."
        )


def _bar(steps, label, **options):
    return tqdm(steps, desc=f"{label:<8}", mininterval=0.5, **options)
