"""Celery tasks of trading. They ring the doorbell; the orders table is the queue and the sweeper the guarantee."""

from celery import shared_task

from trading.sweeper import sweep


@shared_task(name="trading.sweep_orders")
def sweep_orders() -> dict[str, str]:
    """One round of the sweeper, now."""
    return sweep()
