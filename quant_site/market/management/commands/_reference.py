"""What the commands that import reference data share: their options, and how they show what was taken."""

from functools import partial

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from quant_site.core.errors import QuantError
from quant_site.market.reference.services import ReferenceImport

SHOWN_PER_ITEM = 20


class ReferenceCommand(BaseCommand):
    """`take(**options)` calls the service with `passed`; `rows` and `items` (one, several) name what the table has."""

    passed: tuple[str, ...] = ("path", "source", "strict")
    rows = "rows"
    items = ("symbol", "symbols")

    def add_arguments(self, parser):
        parser.add_argument("path", help="file or folder: CSV, CSV.gz or Parquet")
        parser.add_argument("--source", default="", help="where the data come from, shown wherever they are (default: the path's name)")
        parser.add_argument("--strict", action="store_true", help="import nothing when any row is rejected")
        parser.add_argument("--all-rejections", action="store_true", help=f"list every rejected row, not only {SHOWN_PER_ITEM} a name")

    def take(self, **options) -> ReferenceImport:
        raise NotImplementedError

    def handle(self, *, all_rejections, verbosity, **options):
        limit = None if all_rejections else SHOWN_PER_ITEM
        given = {name: options[name] for name in self.passed}
        bar, actor = partial(_bar, file=self.stderr, disable=verbosity == 0), type(self).__module__.rpartition(".")[2]
        try:
            done = self.take(**given, progress=bar, actor=actor)
        except QuantError as error:
            self._show_rejections(error.details.get("rejections", []), limit)
            raise CommandError(error.message) from error
        self.show_table(done)
        self._show_rejections(done.log.rejections, limit)
        for note in done.notes:
            self.stdout.write(note)
        self._show_total(done)

    def show_table(self, done: ReferenceImport) -> None:
        line = "{:<12} {:<10} {:<10} {:>7} {:>8}  {}"
        self.stdout.write(line.format(self.items[0].capitalize(), "First", "Last", self.rows.capitalize(), "Rejected", "Store"))
        for each in done.items:
            self.stdout.write(line.format(each.item, each.first, each.last, each.rows, each.rejected, each.outcome))

    def _show_rejections(self, rejections: list[dict], limit: int | None) -> None:
        groups: dict[tuple[str, str], list[dict]] = {}
        for row in rejections:
            groups.setdefault((row["file"], row["item"]), []).append(row)
        for (file, item), rows in groups.items():
            for row in rows[:limit]:
                dated = f" ({row['date']})" if row["date"] else ""
                self.stdout.write(f"{file}, {item}: row {row['row']}{dated} rejected, {row['reason']}: {row['detail']}.")
            hidden = len(rows) - len(rows[:limit])
            if hidden:
                self.stdout.write(f"{file}, {item}: {hidden} more rejected; --all-rejections lists them.")

    def _show_total(self, done: ReferenceImport) -> None:
        taken = [each for each in done.items if each.rows]
        changed = sum(each.outcome != "unchanged" for each in taken)
        self.stdout.write(
            f"{done.log.accepted} {self.rows} of {len(taken)} {self.items[len(taken) != 1]}: {changed} changed, "
            f"{len(taken) - changed} left as they were; {done.log.rejected} rejected."
        )


def _bar(steps, label, **options):
    return tqdm(steps, desc=f"{label:<8}", mininterval=0.5, **options)
