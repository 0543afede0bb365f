"""The ledger of sweeps: what was tried and what it came to, written once, by whoever runs it, and found again."""

import json
from contextlib import contextmanager

import numpy as np
import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.core.management.base import CommandError

from quant_site.celery import app
from quant_site.core.errors import Conflict, InvalidInput
from quant_site.core.models import AuditLog
from quant_site.schedules import HEARTBEAT_KEY
from strategies.backtest import BacktestSettings, sweep_ledger
from strategies.backtest.kernel_record import SUMMARY
from strategies.backtest.sweep import sweep
from strategies.backtest.sweep_ledger import settings_from_json, settings_to_json, sweep_batch, sweep_batches, sweep_begin, sweep_finish
from strategies.models import Strategy, SweepResult, SweepRun
from strategies.selectors import sweep_best, sweep_neighbours
from strategies.tasks import run_sweep_batch
from tests.kernel_world import wild_settings

pytestmark = pytest.mark.django_db
FAST, SLOW = (10, 20, 50), (40, 100, 200)


@pytest.fixture
def ledger(bundled_market, monkeypatch):
    monkeypatch.setattr(sweep_ledger, "BATCH", 4)
    row = Strategy.objects.get(key="golden_cross")
    axes = {"fast": FAST, "slow": SLOW}

    def begin(**more) -> SweepRun:
        return sweep_begin(strategy=row, axes=axes, symbols=["IBM"], settings=BacktestSettings(), actor="me", **more)

    return begin


@pytest.fixture
def eager():
    """A queue whose tasks run where they are sent."""

    @contextmanager
    def running():
        app.conf.task_always_eager = True
        yield
        app.conf.task_always_eager = False

    return running


def test_a_run_says_what_was_tried_on_which_data_by_which_code(ledger):
    run = ledger()
    assert (run.sets, run.skipped, run.status, run.actor) == (8, 1, "RUNNING", "me")
    assert run.axes == {"fast": FAST, "slow": SLOW}
    assert len(run.data_digest) == 64
    assert len(run.code_version) == 12
    assert ledger().pk == run.pk
    assert ledger(sample=3).pk != run.pk
    assert AuditLog.objects.filter(action_type="SWEEP_BEGIN", actor="me").count() == 2


def test_results_are_those_of_the_sweep_and_are_written_once(ledger):
    run = ledger()
    batches = sweep_batches(run)
    assert batches == [(0, 4), (4, 8), (8, 9)]
    assert [sweep_batch(run=run, begin=begin, end=end) for begin, end in batches] == [4, 3, 1]
    assert [sweep_batch(run=run, begin=begin, end=end) for begin, end in batches] == [0, 0, 0]
    assert sweep_batches(run) == []
    assert sweep_finish(run).status == "COMPLETED"
    rows = list(SweepResult.objects.filter(run=run).order_by("number"))
    span = {"start": run.first_session, "end": run.last_session}
    table = sweep("golden_cross", {"fast": FAST, "slow": SLOW}, panel=sweep_ledger.stored_panel(["IBM"]), **span)
    assert str(run.first_session) == "2000-03-01"  # its own first bar, not that of an index that is stored longer
    assert [(row.params["fast"], row.params["slow"]) for row in rows] == [(params.fast, params.slow) for params in table.sets]
    for name in SUMMARY:
        stored = [float(value) if (value := getattr(row, name)) is not None else np.nan for row in rows]
        np.testing.assert_allclose(stored, table.column(name), atol=0.005 if name == "fees" else 0)


def test_what_was_lost_is_found_again(ledger):
    run = ledger()
    sweep_batch(run=run, begin=0, end=4)
    SweepResult.objects.filter(run=run, number=2).delete()
    assert sweep_batches(run) == [(0, 4), (4, 8), (8, 9)]
    assert sweep_batch(run=run, begin=0, end=4) == 1
    assert sweep_finish(run).status == "RUNNING"


def test_a_run_is_not_continued_on_other_data(ledger):
    run = ledger()
    SweepRun.objects.filter(pk=run.pk).update(data_digest="0" * 64)
    run.refresh_from_db()
    with pytest.raises(Conflict, match="begin it anew"):
        sweep_batch(run=run, begin=0, end=4)
    with pytest.raises(Conflict):
        run_sweep_batch(run.pk, 0, 4)
    run.refresh_from_db()
    assert (run.status, "changed" in run.error) == ("FAILED", True)


def test_the_best_sets_and_the_neighbours_of_one(ledger):
    run = ledger()
    for begin, end in sweep_batches(run):
        sweep_batch(run=run, begin=begin, end=end)
    by_return = sweep_best(run=run, by="total_return", count=3)
    assert [row.total_return for row in by_return] == sorted(SweepResult.objects.values_list("total_return", flat=True), reverse=True)[:3]
    middle = SweepResult.objects.get(run=run, params__fast=20, params__slow=100)
    near = [(row.params["fast"], row.params["slow"]) for row in sweep_neighbours(result=middle)]
    assert sorted(near) == [(10, 100), (20, 40), (20, 200), (50, 100)]
    corner = SweepResult.objects.get(run=run, params__fast=50, params__slow=100)
    assert [(row.params["fast"], row.params["slow"]) for row in sweep_neighbours(result=corner)] == [(20, 100), (50, 200)]  # 50, 40 is none
    with pytest.raises(InvalidInput, match="no metric"):
        sweep_best(run=run, by="luck")


def test_settings_are_stored_whole():
    for seed in range(20):
        assert settings_from_json(json.loads(json.dumps(settings_to_json(wild_settings(seed))))) == wild_settings(seed)


# --- the command


def swept(*words) -> None:
    call_command("sweep", "golden_cross", "--grid", "fast=10,20,50", "slow=40,100,200", "--symbols", "IBM", "--json", *words)


@pytest.mark.usefixtures("ledger")
def test_the_command_goes_on_where_it_stopped(capsys, ledger):
    run = ledger()
    sweep_batch(run=run, begin=4, end=8)
    swept()
    told = json.loads(capsys.readouterr().out)
    assert (told["sweep"], told["status"], told["sets"], told["done"], told["skipped"]) == (run.pk, "COMPLETED", 8, 8, 1)
    assert [row["sharpe_ratio"] for row in told["best"]] == sorted((row["sharpe_ratio"] for row in told["best"]), reverse=True)
    swept()
    assert json.loads(capsys.readouterr().out) == told
    call_command("sweep", "golden_cross", "--grid", "fast=10,20,50", "slow=40,100,200", "--symbols", "IBM")
    assert "8 of 8 sets, 1 skipped" in capsys.readouterr().out


@pytest.mark.usefixtures("ledger")
def test_workers_write_what_one_process_writes(capsys, eager):
    swept()
    here = json.loads(capsys.readouterr().out)
    SweepRun.objects.all().delete()
    with eager():
        swept("--workers", "2")
    there = json.loads(capsys.readouterr().out)
    assert {**there, "sweep": 0} == {**here, "sweep": 0}


@pytest.mark.usefixtures("ledger")
def test_without_a_worker_it_says_so():
    cache.delete(HEARTBEAT_KEY)  # Redis keeps what an earlier worker left
    with pytest.raises(CommandError, match="No worker answers"):
        swept("--workers", "2")


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize(("words", "message"), [(["fats=1:2"], "did you mean 'fast'"), (["fast=900"], "less than or equal to 200")])
def test_the_command_refuses_what_the_parameters_refuse(words, message):
    with pytest.raises(CommandError, match=message):
        call_command("sweep", "golden_cross", "--grid", *words)
    assert SweepRun.objects.count() == 0
