"""The kill switch and arming from the shell; passwords come from the terminal or standard input, never as an argument."""

import io
import sys

import pytest
from django.core.management import CommandError, call_command

from quant_site.core.models import Account, Confirmation
from quant_site.core.services import account_create
from tests.control_world import PASSWORD, account_make, audited, people, ready_to_arm, real_account_make, state_of
from trading.control.armed import armed
from trading.management import asking

pytestmark = pytest.mark.django_db


@pytest.fixture
def users():
    return people()


@pytest.fixture
def account(users, settings):
    settings.REAL_TRADING = True
    return real_account_make(users, "DESK")


def run(*words) -> str:
    out = io.StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


@pytest.fixture
def typed(monkeypatch):
    """What comes in by standard input."""

    def type_(text):
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))

    return type_


def test_halt_halts_one_account_and_says_so(account):
    assert run("halt", "DESK", "--reason", "odd fills") == "DESK is HALTED: odd fills\n"
    [entry] = audited("TRADING_STATE")
    assert entry.actor.startswith("shell:")
    assert entry.details["reason"] == "odd fills"


def test_halt_needs_a_reason_and_to_know_what_to_halt(account):
    for words in (("DESK",), ("--reason", "x"), ("--all", "DESK", "--reason", "x")):
        with pytest.raises(CommandError):
            run("halt", *words)
    assert state_of(account) == "ACTIVE"


def test_halt_all_halts_all_but_replays(account, users):
    second = account_make(users, "B")
    replay = account_create(id="OLD", is_replay=True)
    assert run("halt", "--all", "--reason", "fire") == "HALTED: B, DESK.\n"
    assert run("halt", "--all", "--reason", "fire") == "HALTED: nothing was left to do.\n"
    assert [state_of(row) for row in (account, second, replay)] == ["HALTED", "HALTED", "ACTIVE"]


def test_halt_can_stop_only_what_opens_and_never_loosens(account):
    run("halt", "DESK", "--reduce-only", "--reason", "late")
    assert state_of(account) == "REDUCING"
    run("halt", "DESK", "--reason", "later")
    with pytest.raises(CommandError, match="tighter"):
        run("halt", "DESK", "--reduce-only", "--reason", "x")
    assert state_of(account) == "HALTED"


def test_an_unknown_account_is_named_with_those_there_are(account):
    with pytest.raises(CommandError, match="Known: DESK"):
        run("halt", "DESKK", "--reason", "x")


def test_resume_takes_the_password_from_standard_input(account, typed):
    Account.objects.update(state="HALTED", state_reason="x")
    typed(f"{PASSWORD}\n")
    assert run("resume", "DESK", "--user", "trader", "--reason", "checked") == "DESK is ACTIVE.\n"
    [entry] = audited("TRADING_STATE")
    assert (entry.actor, entry.details["reason"]) == ("trader", "checked")


def test_resume_asks_at_a_terminal(account, monkeypatch):
    Account.objects.update(state="HALTED")
    asked = []

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(asking.getpass, "getpass", lambda prompt: asked.append(prompt) or PASSWORD)
    run("resume", "DESK", "--user", "owner")
    assert asked == ["Password of owner: "]
    assert state_of(account) == "ACTIVE"


@pytest.mark.parametrize("text", ["wrong\n", "", "\n", PASSWORD[:-1]])
def test_resume_with_a_wrong_password_changes_nothing(account, typed, text):
    Account.objects.update(state="HALTED")
    typed(text)
    with pytest.raises(CommandError, match="not your password"):
        run("resume", "DESK", "--user", "owner")
    assert state_of(account) == "HALTED"
    assert audited("CONFIRMATION_REFUSED")


@pytest.mark.parametrize("name", ["reader", "other"])
def test_resume_needs_the_right_to_trade_not_only_a_password(account, typed, name):
    Account.objects.update(state="HALTED")
    typed(f"{PASSWORD}\n")
    with pytest.raises(CommandError, match="not trade"):
        run("resume", "DESK", "--user", name)
    assert state_of(account) == "HALTED"


def test_resume_knows_active_users_only(account, users, typed):
    users["owner"].is_active = False
    users["owner"].save()
    typed(f"{PASSWORD}\n")
    for name in ("owner", "nobody"):
        with pytest.raises(CommandError, match="no active user"):
            run("resume", "DESK", "--user", name)


def test_resume_can_go_half_way(account, typed):
    Account.objects.update(state="HALTED")
    typed(f"{PASSWORD}\n")
    assert run("resume", "DESK", "--user", "owner", "--reduce-only") == "DESK is REDUCING.\n"


def test_resume_of_an_active_account_asks_for_nothing(account):
    assert run("resume", "DESK", "--user", "owner") == "DESK is ACTIVE already.\n"
    assert not Confirmation.objects.exists()


@pytest.mark.parametrize("command", ["resume", "arm"])
def test_a_password_is_no_argument(command):
    with pytest.raises((CommandError, TypeError)):
        run(command, "DESK", "--user", "owner", "--password", PASSWORD)


def test_arm_says_all_that_is_missing_before_it_asks_for_anything(account):
    Account.objects.update(max_order_notional=None)
    with pytest.raises(CommandError) as refused:
        run("arm", "DESK", "--user", "owner")
    assert "LIMITS_MISSING" in str(refused.value) and "NO_SENDER" in str(refused.value)


def test_arm_and_disarm(account, typed):
    ready_to_arm(account)
    typed(f"{PASSWORD}\n")
    assert run("arm", "DESK", "--user", "owner").startswith("DESK is armed since ")
    assert armed("DESK").armed_by.username == "owner"
    assert run("disarm", "DESK", "--reason", "enough") == "Disarmed: DESK.\n"
    assert armed("DESK") is None
    assert run("disarm", "--all") == "Nothing was armed.\n"


def test_arm_with_a_wrong_password_arms_nothing(account, typed):
    ready_to_arm(account)
    typed("wrong\n")
    with pytest.raises(CommandError, match="not your password"):
        run("arm", "DESK", "--user", "owner")
    assert armed("DESK") is None
