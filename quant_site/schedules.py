"""The timetable as data: what runs when, in New York time, and the tasks that have no other home.

Each of the loop's jobs names a time by which its stages must be done. They all resume the same loop, which is keyed to
the last completed session and does nothing where that session is done: a scan that failed at 16:20, or bars that
arrived in the evening, are taken up at 00:05 and again at 00:30. A replay's account never runs here.

The timetable is seeded once; from then on it belongs to the administrator. What was seeded is remembered in the audit
log, so a row that was edited, switched off or deleted stays as it is.
"""

import logging
from dataclasses import dataclass
from datetime import date, timedelta

from celery import shared_task
from django.core.cache import cache
from django.db import transaction
from django_celery_beat.models import CrontabSchedule, PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler

from quant_site.core import clock
from quant_site.core.models import Account, AuditLog
from quant_site.core.services import audit_record
from quant_site.core.stream.outbox import events_prune
from quant_site.loop import cycle_run, cycles_run_all, loop_lock
from quant_site.market.selectors import panel_load
from quant_site.market.sessions import last_completed_session
from signals_app.models import TradingSignal
from trading.brokers import broker_for
from trading.order_path.executor import OrderExecutor

log = logging.getLogger(__name__)

TIME_ZONE = "America/New_York"
SEEDED = "SCHEDULE_SEED"
HEARTBEAT_KEY = "worker.heartbeat"
EVENTS_KEPT = timedelta(days=30)


@dataclass(frozen=True)
class Job:
    """A task and its crontab; minutes and hours are New York's."""

    name: str
    task: str
    minute: str
    description: str
    hour: str = "*"
    weekdays: str = "*"


JOBS = (
    Job(
        name="refresh_technical_indicators",
        task="quant_site.market.tasks.refresh_technical_indicators",
        minute="5",
        description="Technical summaries of all instruments, each hour.",
    ),
    Job(
        name="daily_signal_scan",
        task="quant_site.schedules.signal_scan",
        minute="20",
        hour="16",
        weekdays="mon,tue,wed,thu,fri",
        description="The whole loop over the session that has just closed.",
    ),
    Job(
        name="daily_equity_snapshot",
        task="quant_site.schedules.equity_snapshot",
        minute="5",
        hour="0",
        description="Equity of the completed session: takes up what the scan left undone.",
    ),
    Job(
        name="daily_performance_evaluation",
        task="quant_site.schedules.performance_evaluation",
        minute="30",
        hour="0",
        description="Evaluation and adaptation of the completed session: takes up what is still undone.",
    ),
    Job(
        name="outbox_prune",
        task="quant_site.schedules.outbox_prune",
        minute="45",
        hour="3",
        description="Removes events older than 30 days from the outbox.",
    ),
    Job(
        name="worker_heartbeat",
        task="quant_site.schedules.worker_heartbeat",
        minute="*",
        description="Proves that scheduler, queue and worker are alive; `manage.py doctor` reads it.",
    ),
)


@shared_task
def signal_scan() -> dict[str, str]:
    return cycles_run_all()


@shared_task
def equity_snapshot() -> dict[str, str]:
    return cycles_run_all()


@shared_task
def performance_evaluation() -> dict[str, str]:
    return cycles_run_all()


@shared_task
def account_loop(account_id: str, session: str | None = None) -> list[str]:
    """The loop of one account up to `session` (ISO date; default the last completed one), for whoever asks by API."""
    until = date.fromisoformat(session) if session else None
    return [f"{run} {run.status}" for run in cycle_run(Account.objects.get(pk=account_id), until)]


@shared_task
def signals_execute(account_id: str, signal_ids: list[int]) -> dict:
    """The orders of validated signals of one account, for whoever asks by API."""
    account = Account.objects.get(pk=account_id)
    signals = list(TradingSignal.objects.filter(account=account, pk__in=signal_ids).select_related("strategy").order_by("pk"))
    with loop_lock(account):
        panel = panel_load()
        executor = OrderExecutor(account, broker_for(account, panel), last_completed_session(clock.now()), panel)
        return executor.execute_signal_batch(signals)


@shared_task
def outbox_prune() -> int:
    """Remove events that nobody can still be waiting for; returns how many."""
    return events_prune(before=clock.now() - EVENTS_KEPT)


@shared_task(expires=60)
def worker_heartbeat() -> None:
    cache.set(HEARTBEAT_KEY, clock.now(), timeout=86_400)


@transaction.atomic
def schedules_seed(*, jobs: tuple[Job, ...] = JOBS) -> list[str]:
    """Create the rows of jobs that were never seeded before; returns their names. Nothing that exists is changed."""
    known = {details["name"] for details in AuditLog.objects.filter(action_type=SEEDED).values_list("details", flat=True)}
    known |= set(PeriodicTask.objects.values_list("name", flat=True))
    seeded = []
    for job in jobs:
        if job.name in known:
            continue
        crontab, _ = CrontabSchedule.objects.get_or_create(
            minute=job.minute, hour=job.hour, day_of_week=job.weekdays, day_of_month="*", month_of_year="*", timezone=TIME_ZONE
        )
        row = PeriodicTask.objects.create(name=job.name, task=job.task, crontab=crontab, description=job.description)
        audit_record(action=SEEDED, resource=row, details={"name": job.name})
        seeded.append(job.name)
    return seeded


class SeededScheduler(DatabaseScheduler):
    """The scheduler that `celery beat` runs. It seeds before it first reads: rows that come later it may not notice."""

    def setup_schedule(self):
        for name in schedules_seed():
            log.info("Scheduled %s.", name)
        super().setup_schedule()
