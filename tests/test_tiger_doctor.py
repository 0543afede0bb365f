"""The doctor says whether Tiger is used, whether it answers, and what is missing."""

import io
from contextlib import suppress
from dataclasses import replace

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import override_settings

from quant_site.environment import Problem
from tests.tiger_world import trading_at

pytestmark = pytest.mark.django_db


@pytest.fixture
def tiger(tmp_path):
    with trading_at(tmp_path) as tiger:
        yield tiger


def lines() -> dict[str, str]:
    """What the doctor says of Tiger, by line, with the remedy."""
    out = io.StringIO()
    with suppress(CommandError):
        call_command("doctor", stdout=out, no_color=True)
    text = out.getvalue()
    found = {}
    for name in ("tiger", "tiger quotes"):
        (start,) = [at for at, line in enumerate(text.splitlines()) if line[8:22].strip() == name]
        some = text.splitlines()[start : start + 2]
        found[name] = "\n".join(some if some[0].startswith("problem") else some[:1])
    return found


def test_unset_it_is_not_used():
    with override_settings(TIGER=None):
        assert all(line.startswith("ok") and line.endswith("not used") for line in lines().values())


def test_all_is_well(tiger):
    found = lines()
    assert found["tiger"].startswith("ok")
    assert all(word in found["tiger"] for word in ("PAPER account", "answers in", "clock", "real orders are on"))
    assert found["tiger quotes"].startswith("ok")
    assert "usQuoteBasic" in found["tiger quotes"]
    assert settings.TIGER.account not in "".join(found.values())


def test_it_says_that_real_orders_are_off(tiger):
    with override_settings(REAL_TRADING=False):
        assert "real orders are off (REAL_TRADING)" in lines()["tiger"]


@pytest.mark.parametrize("skew", [3, -4])
def test_a_clock_that_is_wrong_is_a_problem(tiger, skew):
    tiger.clock_skew(skew)
    assert lines()["tiger"].startswith("problem")
    assert "differ by" in lines()["tiger"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"account": "20260101000000999"}, "TIGER_ACCOUNT"),
        ({"private_key": "A" * 400}, "TIGER_SECRET"),
        ({"server_url": "http://127.0.0.1:1/gateway"}, "cannot be reached"),
    ],
)
def test_what_is_wrong_is_named_with_its_remedy(tiger, change, words):
    with override_settings(TIGER=replace(settings.TIGER, **change)):
        found = lines()["tiger"]
    assert found.startswith("problem")
    assert words in found


def test_a_gateway_that_refuses_the_key_is_a_problem(tiger):
    tiger.fault("accounts", "error", code=1000, message="signature error", times=None)
    found = lines()["tiger"]
    assert found.startswith("problem")
    assert "signature error" in found
    assert "TIGER_API_KEY" in found


def test_without_permission_to_quotes_it_says_so(tiger):
    tiger.fault("get_quote_permission", "http", status=500, times=None)
    assert lines()["tiger quotes"].startswith("problem")


def test_a_half_of_the_variables_is_a_problem():
    problem = Problem("quant.E012", "Tiger needs TIGER_SECRET too.", "Set it.")
    with override_settings(TIGER=None, CONFIGURATION_PROBLEMS=[problem]):
        assert lines()["tiger"].startswith("problem")
