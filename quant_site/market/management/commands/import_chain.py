"""`manage.py import_chain PATH`: real option chains into the store, with every rejected row and its reason."""

from functools import partial

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from quant_site.core.errors import QuantError
from quant_site.market.chains.services import ChainImport, ChainImports, chains_import

SHOWN_PER_FILE = 20


class Command(BaseCommand):
    help = (
        "Import option chains from PATH: one CSV, CSV.gz or Parquet file, or a folder of them. Columns: quote_date, underlying, "
        "underlying_price, expiration, strike, type (call or put), bid, ask and, where known, last, volume, open_interest, iv, delta, "
        "gamma. The chain of each underlying and session is replaced as a whole, and stands at that session's close in place of the "
        "synthetic one. Rows that cannot be quotes are rejected and listed; an unreadable file changes nothing."
    )

    def add_arguments(self, parser):
        parser.add_argument("path", help="file or folder")
        parser.add_argument("--source", default="", help="where the chains come from, shown wherever they are (default: the folder's name)")
        parser.add_argument("--all-rejections", action="store_true", help=f"list every rejected row, not only {SHOWN_PER_FILE} a file")

    def handle(self, *, path, source, all_rejections, verbosity, **options):
        limit = None if all_rejections else SHOWN_PER_FILE
        bar = partial(_bar, file=self.stderr, disable=verbosity == 0)
        try:
            done = chains_import(path=path, source=source, progress=bar, actor="import_chain")
        except QuantError as error:
            self._show_rejections(error.details.get("rejections", {}), limit)
            raise CommandError(error.message) from error
        self._show_table(done.imports)
        self._show_rejections(done.rejections, limit)
        self._show_total(done)

    def _show_table(self, imports: list[ChainImport]) -> None:
        line = "{:<12} {:<10} {:>10} {:>11} {:>9}  {}"
        self.stdout.write(line.format("Underlying", "Session", "Price", "Expirations", "Contracts", "Store"))
        for each in imports:
            chain = each.chain
            outcome = "unchanged"
            if each.changed:
                outcome = "new" if each.replaced is None else f"replaces {each.replaced} contracts"
            expirations = chain.frame["expiry"].nunique()
            self.stdout.write(line.format(chain.underlying, str(chain.session), f"{chain.spot:g}", expirations, len(chain.frame), outcome))

    def _show_rejections(self, rejections: dict[str, list[dict]], limit: int | None) -> None:
        for name, rows in sorted(rejections.items()):
            for each in rows[:limit]:
                self.stdout.write(f"{name}: row {each['row']} ({each['contract']}) rejected, {each['reason']}: {each['detail']}.")
            hidden = len(rows) - len(rows[:limit])
            if hidden:
                self.stdout.write(f"{name}: {hidden} more rejected rows; --all-rejections lists them.")

    def _show_total(self, done: ChainImports) -> None:
        contracts, changed = sum(len(each.chain.frame) for each in done.imports), sum(each.changed for each in done.imports)
        rejected = sum(map(len, done.rejections.values()))
        chains = "1 chain" if len(done.imports) == 1 else f"{len(done.imports)} chains"
        self.stdout.write(
            f"{chains} with {contracts} contracts: {changed} changed, {len(done.imports) - changed} left as they were; "
            f"{rejected} rows rejected, {done.moved} Saturday expirations moved to the Friday before."
        )


def _bar(steps, label, **options):
    return tqdm(steps, desc=f"{label:<8}", mininterval=0.5, **options)
