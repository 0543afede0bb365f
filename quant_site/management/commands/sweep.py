"""`manage.py sweep`: a strategy backtested with many parameter sets, each kept in the ledger of sweeps."""

import json
import time
from collections.abc import Iterator
from datetime import date
from statistics import median

from celery import current_app, group
from django.core.cache import cache
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from quant_site.core import clock
from quant_site.core.errors import QuantError
from quant_site.core.locks import exclusive
from quant_site.core.types import money
from quant_site.health import HEARTBEAT_LATE_AFTER
from quant_site.schedules import HEARTBEAT_KEY
from strategies.backtest import BacktestSettings
from strategies.backtest.sweep_grid import axes_of
from strategies.backtest.sweep_ledger import sweep_batch, sweep_batches, sweep_begin, sweep_finish
from strategies.models import SweepResult, SweepRun
from strategies.parameters import implementation
from strategies.selectors import SWEEP_METRICS, strategy_by_key, sweep_best, sweep_get, sweep_neighbours
from strategies.tasks import run_sweep_batch

# Nobody takes a batch for so long: no worker is running.
PATIENCE, POLL = 120.0, 0.5


class Command(BaseCommand):
    help = "Backtest a strategy with many parameter sets. Stop it at any time: the same command goes on from there."

    def add_arguments(self, parser):
        day = {"type": date.fromisoformat, "metavar": "YYYY-MM-DD"}
        parser.add_argument("strategy", help="Key of the strategy, e.g. golden_cross.")
        parser.add_argument(
            "--grid",
            nargs="+",
            required=True,
            metavar="NAME=VALUES",
            help="fast=10:100:5 (from, to, step), width=1.5,2 or short=true,false.",
        )
        parser.add_argument("--from", dest="start", **day, help="Default: the first stored session.")
        parser.add_argument("--to", dest="end", **day, help="Default: the last one.")
        parser.add_argument("--symbols", nargs="+", help="Trade these only (default: every tradable instrument); commas or spaces.")
        parser.add_argument("--capital", default="100000", help="Dollars to begin with (default 100,000).")
        parser.add_argument("--sample", type=int, metavar="N", help="Draw N sets of the grid instead of running all.")
        parser.add_argument("--seed", type=int, default=0, help="What the sample is drawn with (default 0).")
        parser.add_argument(
            "--workers", type=int, default=1, metavar="N", help="Hand batches to N or more workers of the queue (default: here)."
        )
        parser.add_argument("--by", default="sharpe_ratio", choices=SWEEP_METRICS, help="Metric to rank by.")
        parser.add_argument("--best", type=int, default=10, metavar="N", help="Sets to show (default 10).")
        parser.add_argument("--json", dest="as_json", action="store_true", help="Print the run and its best sets as one JSON object.")

    def handle(self, *, strategy, grid, start, end, symbols, capital, sample, seed, workers, by, best, as_json, **options):
        try:
            row = strategy_by_key(key=strategy)
            run = sweep_begin(
                strategy=row,
                axes=axes_of(implementation(row), grid),
                symbols=[symbol for text in symbols for symbol in text.split(",") if symbol] if symbols else None,
                start=start,
                end=end,
                settings=BacktestSettings(capital=money(capital, "The capital")),
                sample=sample,
                seed=seed,
                actor="sweep",
            )
            run = self._run(run, workers, quiet=as_json)
        except QuantError as error:
            raise CommandError(error.message) from error
        except KeyboardInterrupt:
            raise CommandError("Stopped. Run the same command again to go on: what has a result is kept.") from None
        rows = sweep_best(run=run, by=by, count=best)
        self.stdout.write(json.dumps(as_object(run, rows), sort_keys=True) if as_json else "\n".join(lines(run, rows, by)))

    def _run(self, run: SweepRun, workers: int, *, quiet: bool) -> SweepRun:
        with exclusive(f"sweep:{run.pk}", busy=f"Sweep {run.pk} is running in another process."):
            batches, done = sweep_batches(run), SweepResult.objects.filter(run=run).count()
            with tqdm(total=run.sets, initial=done, unit="set", desc="sweep", file=self.stderr, disable=quiet or not batches) as bar:
                steps = _by_workers(run, batches) if workers > 1 else _here(run, batches)
                for count in steps:
                    bar.update(count)
        return sweep_finish(run)


def _here(run: SweepRun, batches: list[tuple[int, int]]) -> Iterator[int]:
    for begin, end in batches:
        yield sweep_batch(run=run, begin=begin, end=end)


def _by_workers(run: SweepRun, batches: list[tuple[int, int]]) -> Iterator[int]:
    """Queue the batches as one group, and tell what has been written as it comes."""
    eager = current_app.conf.task_always_eager
    if not eager:
        _require_worker()
    known = SweepResult.objects.filter(run=run).count()
    group(run_sweep_batch.s(run.pk, begin, end) for begin, end in batches).apply_async()
    seen = time.monotonic()
    while known < run.sets:
        done = SweepResult.objects.filter(run=run).count()
        if done > known:
            yield done - known
            known, seen = done, time.monotonic()
            continue
        state = sweep_get(sweep_id=run.pk)
        if state.status == SweepRun.Status.FAILED:
            raise CommandError(f"A batch failed: {state.error}")
        if eager or time.monotonic() - seen > PATIENCE:
            raise CommandError("No worker takes the batches: start workers (manage.py up), then run the same command again to go on.")
        time.sleep(POLL)


def _require_worker() -> None:
    beat = cache.get(HEARTBEAT_KEY)
    if beat is None or (clock.now() - beat).total_seconds() > HEARTBEAT_LATE_AFTER:
        raise CommandError("No worker answers: start workers (manage.py up), or leave --workers out to run the sweep here.")


def as_object(run: SweepRun, rows: list[SweepResult]) -> dict:
    names = ("number", "params", *SWEEP_METRICS)
    return {
        "sweep": run.pk,
        "strategy": run.strategy.key,
        "status": run.status,
        "sets": run.sets,
        "done": run.done,
        "skipped": run.skipped,
        "first_session": str(run.first_session),
        "last_session": str(run.last_session),
        "symbols": run.symbols,
        "code_version": run.code_version,
        "data_digest": run.data_digest,
        "best": [{name: getattr(row, name) for name in names} | {"fees": str(row.fees)} for row in rows],
    }


def lines(run: SweepRun, rows: list[SweepResult], by: str) -> list[str]:
    head = f"Sweep {run.pk}: {run.strategy.name}, {', '.join(run.symbols)}, {run.first_session} to {run.last_session}"
    counts = f"{run.done:,} of {run.sets:,} sets, {run.skipped:,} skipped that are no valid ones"
    return [head, counts, f"Best by {by}, and the median of their neighbours:", *(line(row, by) for row in rows)]


def line(row: SweepResult, by: str) -> str:
    near = [value for other in sweep_neighbours(result=row) if (value := getattr(other, by)) is not None]
    params = ", ".join(f"{name}={value}" for name, value in row.params.items())
    amounts = f"{row.trades} trades, return {shown(row.total_return, '.2%')}, drawdown {shown(row.max_drawdown, '.2%')}"
    return f"  {shown(getattr(row, by), '.3f'):>9} {shown(median(near) if near else None, '.3f'):>9}  {params}  ({amounts})"


def shown(value: float | None, form: str) -> str:
    return "undefined" if value is None else format(value, form)
