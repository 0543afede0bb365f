"""Processes that die at failpoints under faults of the broker: `tests.harness.kill_matrix` in small."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CASES, SEED = 60, 11
ENDS = {
    "bracket": ["ENTRY AAA FILLED 9/9", "STOP AAA ACKED 0/9", "TARGET AAA ACKED 0/9"],
    "parts": ["ENTRY AAA FILLED 9/9", "STOP AAA ACKED 0/9", "TARGET AAA ACKED 0/9"],
    "exit": ["ENTRY AAA FILLED 9/9", "STOP AAA FILLED 9/9", "TARGET AAA CANCELLED 0/9"],
    "combo": ["ENTRY AAA/vertical FILLED 2/2"],
    "cancel": ["ENTRY AAA CANCELLED 3/9"],
    "change": ["ENTRY AAA PARTIAL 2/5"],
    "outside": ["ENTRY AAA FILLED 4/4", "ENTRY CCC FILLED 4/4", "ENTRY EXT FILLED 5/5"],
    "tight": ["ENTRY AAA DENIED 0/20", "ENTRY BBB DENIED 0/20", "ENTRY CCC FILLED 20/20", "ENTRY DDD FILLED 20/20"],
    "halt": ["ENTRY AAA FILLED 4/4", "ENTRY BBB DENIED 0/3", "ENTRY CCC FILLED 4/4"],
}


def matrix(*arguments: str) -> dict:
    environment = {key: value for key, value in os.environ.items() if key not in {"DATABASE_URL", "REDIS_URL", "VAR_DIR"}}
    command = [sys.executable, "-m", "tests.harness.kill_matrix", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
    assert done.stdout.startswith("{"), done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def campaign() -> dict:
    return matrix("--cases", str(CASES), "--seed", str(SEED))


def test_what_a_dead_process_leaves_is_brought_to_what_the_exchange_says(campaign):
    assert campaign["violations"] == [], f"repeat with --seed {SEED} --only NUMBER"
    assert campaign["cases"] == CASES


def test_the_processes_die_where_they_should(campaign):
    assert campaign["killed"] > CASES / 2
    assert len(campaign["by_failpoint"]) >= 12
    assert len(campaign["by_fault"]) >= 8


def test_the_stories_of_the_matrix_end_as_they_should_where_nothing_goes_wrong():
    told = matrix("--calm")
    assert {story: sorted(end["orders"]) for story, end in told.items()} == ENDS
    assert all(end["violations"] == {} for end in told.values())
