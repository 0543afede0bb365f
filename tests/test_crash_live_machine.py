"""A live account in any order of accidents: `tests.harness.live_machine` in small for every run, in large where minutes count."""

import logging
import os
import random

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.harness.live_machine import LiveAccount

pytestmark = pytest.mark.django_db
LENGTH = 40


@pytest.fixture(autouse=True)
def real_trading(settings):
    """With orders for real money, and without a line for each accident."""
    settings.REAL_TRADING = True
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def shape(examples: int, **more):
    return settings(
        max_examples=examples,
        stateful_step_count=LENGTH,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
        **more,
    )


def test_no_accident_doubles_loses_or_invents_anything():
    run_state_machine_as_test(LiveAccount, settings=shape(16, derandomize=True))


@pytest.mark.slow
def test_ten_thousand_steps_double_lose_and_invent_nothing():
    wanted = int(os.environ.get("CRASH_STEPS", "10000"))
    chosen = int(os.environ.get("CRASH_SEED") or random.SystemRandom().randrange(2**32))
    print(f"\nseed {chosen}")
    LiveAccount.steps = 0
    while LiveAccount.steps < wanted:
        machine = seed(chosen + LiveAccount.steps)(
            type("Machine", (LiveAccount,), {"count": LiveAccount.count, "steps": LiveAccount.steps})
        )
        run_state_machine_as_test(machine, settings=shape(50, print_blob=True))
        LiveAccount.count, LiveAccount.steps = machine.count, machine.steps
    print(f"{LiveAccount.steps} steps on {LiveAccount.count} accounts")
