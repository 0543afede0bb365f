"""The timetable: seeded once, then the administrator's."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.core.cache import cache
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from quant_site import schedules
from quant_site.celery import app
from quant_site.schedules import JOBS, Job, SeededScheduler, schedules_seed

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_work_at_exit(monkeypatch):
    monkeypatch.setattr("django_celery_beat.schedulers.Finalize", lambda *_, **__: None)


def due_at(name: str, moment: datetime) -> bool:
    """Whether the stored crontab of `name` runs in the minute of `moment` (aware)."""
    crontab = PeriodicTask.objects.get(name=name).crontab
    local = moment.astimezone(ZoneInfo(str(crontab.timezone)))
    schedule = crontab.schedule
    return local.minute in schedule.minute and local.hour in schedule.hour and local.isoweekday() % 7 in schedule.day_of_week


def test_every_job_is_seeded_once_and_a_second_start_adds_nothing():
    assert schedules_seed() == [job.name for job in JOBS]
    assert schedules_seed() == []
    assert PeriodicTask.objects.count() == len(JOBS)
    assert {str(row.timezone) for row in CrontabSchedule.objects.all()} == {"America/New_York"}


@pytest.mark.django_db(transaction=True)  # the scheduler closes connections as it likes
def test_the_first_start_of_the_scheduler_already_runs_the_jobs_it_seeds():
    assert {"refresh_technical_indicators", "worker_heartbeat"} <= set(SeededScheduler(app=app).schedule)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "moment, name",
    [
        (datetime(2025, 7, 8, 4, 2, tzinfo=UTC), "daily_equity_snapshot"),
        (datetime(2025, 1, 7, 5, 2, tzinfo=UTC), "daily_equity_snapshot"),
        (datetime(2025, 7, 8, 4, 27, tzinfo=UTC), "daily_performance_evaluation"),
        (datetime(2025, 7, 8, 20, 17, tzinfo=UTC), "daily_signal_scan"),
        (datetime(2025, 1, 7, 21, 17, tzinfo=UTC), "daily_signal_scan"),
    ],
)
def test_the_scheduler_has_a_job_in_hand_before_it_is_due_and_sends_it_then(moment, name, monkeypatch):
    sent = []
    with time_machine.travel(moment, tick=False) as clock:
        scheduler = SeededScheduler(app=app)
        monkeypatch.setattr(scheduler, "apply_async", lambda entry, **_: sent.append(entry.name) or SimpleNamespace(id=1))
        clock.shift(timedelta(minutes=3, seconds=1))
        for _ in range(len(JOBS)):
            scheduler.tick()
    assert sent.count(name) == 1


def test_what_an_administrator_changed_stays_changed():
    schedules_seed()
    other, _ = CrontabSchedule.objects.get_or_create(minute="7", hour="3", timezone="America/New_York")
    PeriodicTask.objects.filter(name="daily_signal_scan").update(enabled=False, crontab=other, task="my.task")
    schedules_seed()
    row = PeriodicTask.objects.get(name="daily_signal_scan")
    assert (row.enabled, row.crontab, row.task) == (False, other, "my.task")


def test_what_an_administrator_deleted_stays_deleted():
    schedules_seed()
    PeriodicTask.objects.get(name="worker_heartbeat").delete()
    assert schedules_seed() == []
    assert not PeriodicTask.objects.filter(name="worker_heartbeat").exists()


def test_a_job_that_a_later_release_brings_is_added_to_an_edited_timetable():
    schedules_seed()
    PeriodicTask.objects.get(name="outbox_prune").delete()
    later = Job(name="later", task="some.task", minute="1", description="")
    assert schedules_seed(jobs=(*JOBS, later)) == ["later"]
    assert not PeriodicTask.objects.filter(name="outbox_prune").exists()


def test_a_row_an_administrator_made_under_the_same_name_is_left_alone():
    own, _ = CrontabSchedule.objects.get_or_create(minute="9", timezone="UTC")
    PeriodicTask.objects.create(name="outbox_prune", task="mine", crontab=own)
    assert "outbox_prune" not in schedules_seed()
    assert PeriodicTask.objects.get(name="outbox_prune").task == "mine"


def test_jobs_keep_new_york_time_in_summer_and_winter():
    schedules_seed()
    assert due_at("daily_equity_snapshot", datetime(2025, 1, 7, 5, 5, tzinfo=UTC))
    assert due_at("daily_equity_snapshot", datetime(2025, 7, 8, 4, 5, tzinfo=UTC))
    assert not due_at("daily_equity_snapshot", datetime(2025, 7, 8, 5, 5, tzinfo=UTC))
    assert due_at("daily_performance_evaluation", datetime(2025, 7, 8, 4, 30, tzinfo=UTC))
    assert due_at("refresh_technical_indicators", datetime(2025, 7, 8, 13, 5, tzinfo=UTC))


def test_signals_are_scanned_after_the_close_of_each_weekday():
    schedules_seed()
    assert all(due_at("daily_signal_scan", datetime(2025, 7, day, 20, 20, tzinfo=UTC)) for day in (7, 8, 9, 10, 11))
    assert not any(due_at("daily_signal_scan", datetime(2025, 7, day, 20, 20, tzinfo=UTC)) for day in (5, 6))


def test_every_scheduled_task_is_one_that_the_worker_knows():
    app.loader.import_default_modules()
    assert {job.task for job in JOBS} <= set(app.tasks)


def test_the_loops_jobs_run_the_live_loop(monkeypatch):
    runs = []
    monkeypatch.setattr(schedules, "cycles_run_all", lambda: runs.append(1) or {"A": "1 sessions"})
    for task in (schedules.signal_scan, schedules.equity_snapshot, schedules.performance_evaluation):
        assert task() == {"A": "1 sessions"}
    assert len(runs) == 3


def test_the_heartbeat_leaves_its_time_where_the_doctor_looks():
    cache.delete(schedules.HEARTBEAT_KEY)
    schedules.worker_heartbeat()
    assert (datetime.now(UTC) - cache.get(schedules.HEARTBEAT_KEY)).total_seconds() < 60
