"""The process that watches: one round on demand, a new beginning after whatever went wrong, and an end when it is asked to."""

import os
import signal
import subprocess
import sys
import time
from io import StringIO

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import OperationalError

from quant_site.core import clock
from quant_site.management.commands.up import programs
from tests.intents_world import DAYS, FLAT, D, account_live, after, bars_write, firings, moment
from trading.intents import alert_engine
from trading.intents.alert_engine import AlertEngine, watch_forever
from trading.intents.alerts import alert_create


@pytest.fixture
def alert(market_dir):
    """An alert on AAA, and the bar that crosses it, which no engine has looked at."""
    with clock.use(after(DAYS[29])) as now:
        bars_write("AAA", [FLAT] * 30)
        yield alert_create(account=account_live(), symbol="AAA", alert_type="PRICE_ABOVE", threshold_value=D(105), actor="tester")
        now.move_to(moment(DAYS[30]))


def cross() -> None:
    bars_write("AAA", [FLAT] * 30 + [(104.0, 108.0, 103.0, 107.0)])


@pytest.mark.django_db
def test_one_round_on_demand_says_what_went_off(alert):
    cross()
    out = StringIO()
    call_command("watch_prices", "--once", stdout=out)
    assert out.getvalue() == "1 alerts and plans went off.\n"
    assert len(firings(alert)) == 1


@pytest.mark.django_db
@pytest.mark.parametrize("error", [OperationalError("database is locked"), ZeroDivisionError()], ids=["database", "defect"])
def test_after_whatever_went_wrong_it_begins_anew_from_the_rows(alert, monkeypatch, error):
    """It dies between matching and recording; the next engine finds the crossing again."""
    record, calls = alert_engine.moves_record, []

    def fails_once(**moves):
        calls.append(moves)
        if len(calls) == 1:
            raise error
        return record(**moves)

    rounds = iter([False, False, True])
    monkeypatch.setattr(alert_engine, "moves_record", fails_once)
    monkeypatch.setattr(alert_engine, "close_old_connections", lambda: None)
    cross()
    watch_forever(interval=0.0, stopped=lambda: next(rounds))
    assert (len(calls), len(firings(alert))) == (2, 1)


@pytest.mark.django_db
def test_an_engine_reads_a_new_bar_without_being_told(alert):
    engine = AlertEngine()
    assert engine.step() == 0
    cross()
    assert engine.step() == 1


def test_it_is_among_the_programs_that_are_kept_running():
    [prices] = [program for program in programs("127.0.0.1", 8000, 2) if program.name == "prices"]
    assert prices.command[-1] == "watch_prices"


def test_it_ends_when_it_is_asked_to(tmp_path):
    environment = os.environ | {"VAR_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "quant_site.settings", "PYTHONUNBUFFERED": "1"}
    environment.pop("DATABASE_URL", None)
    manage = [sys.executable, "manage.py"]
    subprocess.run([*manage, "migrate", "--verbosity=0"], cwd=settings.BASE_DIR, env=environment, check=True)
    process = subprocess.Popen([*manage, "watch_prices"], cwd=settings.BASE_DIR, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "Watching prices every 0.5 seconds.\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.stdout.close()
