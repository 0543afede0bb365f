"""MariaDB and Redis that fail under processes that send: `tests.harness.service_trials`, where there is such a database."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.service_trials import TRIALS

ROOT = Path(__file__).resolve().parents[1]
URL = os.environ.get("DATABASE_URL", "")

pytestmark = pytest.mark.skipif(not URL.startswith(("mysql://", "mariadb://")), reason="DATABASE_URL names no MySQL or MariaDB")


@pytest.fixture(scope="module")
def report() -> dict:
    environment = {key: value for key, value in os.environ.items() if key != "VAR_DIR"}
    command = [sys.executable, "-m", "tests.harness.service_trials", "--database", URL]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900)
    assert done.stdout.startswith("{"), done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("trial", TRIALS)
def test_nothing_is_doubled_lost_or_invented_when(report, trial):
    assert report[trial]["cases"] > 0 or trial == "redis_flushed_and_dead"
    assert report[trial]["violations"] == {}


def test_the_kill_switch_needs_no_redis(report):
    assert report["redis_flushed_and_dead"]["seconds_to_halt"] < 1.0
