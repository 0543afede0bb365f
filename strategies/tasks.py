"""Background work of the strategy library."""

from celery import shared_task

from quant_site.core.errors import QuantError
from strategies.backtest.sweep_ledger import sweep_batch, sweep_finish
from strategies.models import SweepRun


@shared_task
def run_sweep_batch(run_id: int, begin: int, end: int) -> int:
    """Run one batch of a sweep. A worker is one of several processes, so it uses one thread."""
    run = SweepRun.objects.select_related("strategy").get(pk=run_id)
    try:
        written = sweep_batch(run=run, begin=begin, end=end, threads=1)
    except QuantError as error:
        sweep_finish(run, error=error.message)
        raise
    sweep_finish(run)
    return written
