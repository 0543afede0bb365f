"""The ledger of sweeps: what was tried, on which data, by which code, and what each set came to.

A run is found again by what decides its results, so the same request goes on where an earlier one stopped. Results are
written a batch at a time, each in one transaction; doing a batch again writes nothing.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from decimal import Decimal

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from quant_site.core import clock
from quant_site.core.build import code_version
from quant_site.core.errors import Conflict
from quant_site.core.rows import rows_insert, rows_read
from quant_site.core.services import audit_record
from quant_site.core.types import money
from quant_site.market.execution import CostModel
from quant_site.market.panel import Panel
from strategies.backtest.engine import columns_of
from strategies.backtest.kernel_record import SUMMARY
from strategies.backtest.settings import BacktestSettings
from strategies.backtest.stored import stored_panel
from strategies.backtest.sweep import SweepTable, sweep
from strategies.backtest.sweep_grid import Grid, grid_of, valid_params
from strategies.base import StrategyParams
from strategies.models import Strategy, SweepResult, SweepRun
from strategies.parameters import implementation
from strategies.risk import RiskLimits

# Sets of one batch: what is lost at most when a process dies.
BATCH = 2000


@transaction.atomic
def sweep_begin(
    *,
    strategy: Strategy,
    axes: Mapping[str, Sequence],
    symbols: Sequence[str] | None = None,
    start: date | None = None,
    end: date | None = None,
    settings: BacktestSettings,
    sample: int | None = None,
    seed: int = 0,
    actor: AbstractBaseUser | str = "system",
) -> SweepRun:
    """The run of these sets over the stored bars, made where it does not exist: the same data and code find it again.

    Raises `InvalidInput` for values the strategy cannot take and for too many sets, `DataMissing` for what is not stored.
    """
    code = implementation(strategy)
    grid, panel = grid_of(code, axes), stored_panel(symbols)
    first, last = columns_of(code, panel, start, end)
    chosen = grid.chosen(sample, seed)
    values = {
        "grid": [[name, list(values)] for name, values in grid.axes.items()],
        "sample": sample if len(chosen) < grid.size else None,
        "seed": seed if len(chosen) < grid.size else 0,
        "symbols": list(panel.symbols),
        "first_session": panel.sessions[first].item(),
        "last_session": panel.sessions[last].item(),
        "settings": settings_to_json(settings),
        "data_digest": _data_digest(panel),
        "code_version": code_version(),
    }
    identity = _digest([strategy.key, values])
    known = SweepRun.objects.filter(identity=identity).first()
    if known is not None:
        return known
    valid = sum(valid_params(code, combination) is not None for combination in grid.sets(chosen))
    who = actor if isinstance(actor, str) else actor.get_username()
    run = SweepRun.objects.create(strategy=strategy, identity=identity, sets=valid, skipped=len(chosen) - valid, actor=who, **values)
    audit_record(action="SWEEP_BEGIN", actor=actor, resource=run, details={"strategy": strategy.key, "sets": valid, "grid": run.grid})
    return run


def sweep_batches(run: SweepRun) -> list[tuple[int, int]]:
    """The batches of a run that have anything to do, as (begin, end) among its combinations."""
    numbers = _grid(run).chosen(run.sample, run.seed)
    written = {number for (number,) in rows_read(SweepResult, ("number",), "run_id = %s ORDER BY number", run.pk)}
    due = {number for number, _ in _combinations(run, 0, len(numbers))} - written
    begins = sorted({at // BATCH * BATCH for at, number in enumerate(numbers) if number in due})
    return [(begin, min(begin + BATCH, len(numbers))) for begin in begins]


def sweep_batch(*, run: SweepRun, begin: int, end: int, threads: int | None = None) -> int:
    """Run the combinations `begin` to `end` of a sweep that have no result yet; answers how many were written.

    Raises `Conflict` where the stored data or the code are not those the run began with.
    """
    panel = stored_panel(run.symbols)
    if (_data_digest(panel), code_version()) != (run.data_digest, run.code_version):
        raise Conflict("sweep_stale", f"The data or the code have changed since sweep {run.pk} began: begin it anew.", sweep=run.pk)
    where = "run_id = %s AND number >= %s AND number <= %s"
    sets = list(_combinations(run, begin, end))
    span = (sets[0][0], sets[-1][0]) if sets else (0, 0)
    written = {number for (number,) in rows_read(SweepResult, ("number",), where, run.pk, *span)}
    due = [(number, params) for number, params in sets if number not in written]
    if not due:
        return 0
    table = sweep(
        implementation(run.strategy),
        [params for _, params in due],
        panel=panel,
        start=run.first_session,
        end=run.last_session,
        settings=settings_from_json(run.settings),
        threads=threads,
    )
    return _write(run, [number for number, _ in due], table)


def _combinations(run: SweepRun, begin: int, end: int) -> list[tuple[int, StrategyParams]]:
    """(number in the grid, parameters) of the valid ones among some combinations of a run."""
    code, grid = implementation(run.strategy), _grid(run)
    numbers = grid.chosen(run.sample, run.seed)[begin:end]
    parsed = ((number, valid_params(code, values)) for number, values in zip(numbers, grid.sets(numbers), strict=True))
    return [(number, params) for number, params in parsed if params is not None]


@transaction.atomic
def _write(run: SweepRun, numbers: Sequence[int], table: SweepTable) -> int:
    """Store the results that nobody has stored meanwhile, in one statement."""
    SweepRun.objects.select_for_update().filter(pk=run.pk).first()
    where = "run_id = %s AND number >= %s AND number <= %s"
    written = {number for (number,) in rows_read(SweepResult, ("number",), where, run.pk, numbers[0], numbers[-1])}
    swept = list(run.axes)
    rows = [
        _row(run, number, params, values, swept)
        for number, params, values in zip(numbers, table.sets, table.metrics.tolist(), strict=True)
        if number not in written
    ]
    rows_insert(rows)
    return len(rows)


def _row(run: SweepRun, number: int, params: StrategyParams, values: Sequence[float], swept: Sequence[str]) -> SweepResult:
    found = dict(zip(SUMMARY, values, strict=True))
    chosen = {name: getattr(params, name) for name in swept}
    known = {name: value if value == value else None for name, value in found.items()}
    return SweepResult(
        run_id=run.pk,
        number=number,
        params=chosen,
        params_hash=_digest(chosen)[:32],
        **known | {"trades": int(found["trades"]), "fees": money(found["fees"])},
    )


@transaction.atomic
def sweep_finish(run: SweepRun, *, error: str = "") -> SweepRun:
    """Write down how far a run has come: completed once every set has its result."""
    run = SweepRun.objects.select_for_update().select_related("strategy").get(pk=run.pk)
    run.done = SweepResult.objects.filter(run=run).count()
    finished = run.done == run.sets
    run.status = SweepRun.Status.COMPLETED if finished else SweepRun.Status.FAILED if error else SweepRun.Status.RUNNING
    run.error, run.finished_at = "" if finished else error, clock.now() if finished or error else None
    run.save(update_fields=["done", "status", "error", "finished_at"])
    return run


# --- what decides the results


def _grid(run: SweepRun) -> Grid:
    return Grid(run.axes)


def _data_digest(panel: Panel) -> str:
    return _digest([panel.digest, list(panel.symbols)])


def _digest(content) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def settings_to_json(settings: BacktestSettings) -> dict:
    costs = {name: str(value) for name, value in asdict(settings.costs).items()}
    return {"capital": str(settings.capital), "share": settings.share, "limits": asdict(settings.limits), "costs": costs}


def settings_from_json(stored: Mapping) -> BacktestSettings:
    costs = CostModel(**{name: Decimal(value) for name, value in stored["costs"].items()})
    return BacktestSettings(Decimal(stored["capital"]), RiskLimits(**stored["limits"]), costs, stored["share"])
