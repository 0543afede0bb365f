"""Arming: a real account sends nothing until everything is in order and a person has confirmed it, and no longer than that."""

from datetime import UTC, datetime, timedelta

import pytest

from quant_site.core.errors import Conflict, InvalidInput, NotAllowed
from quant_site.core.models import Account
from tests.control_world import (
    HARD_LIMITS,
    account_make,
    audited,
    client_of,
    confirmation_for,
    confirmed,
    events_of,
    people,
    ready_to_arm,
    real_account_make,
)
from trading.control import senders
from trading.control.armed import armed
from trading.control.arming import ARM, arm_payload, arming_problems
from trading.control.senders import boot_beat, boot_register
from trading.control.trading_state import account_arm, account_disarm, accounts_disarm
from trading.models import Arming, Reconciliation, SenderBoot

pytestmark = pytest.mark.django_db


@pytest.fixture
def users():
    return people()


@pytest.fixture
def account(users, settings):
    settings.REAL_TRADING = True
    return real_account_make(users)


def arm(account, user):
    return account_arm(account=account, actor=user, confirmation_id=confirmation_for(user, ARM, arm_payload(account.pk)))


def codes(account) -> list[str]:
    return [problem.code for problem in arming_problems(Account.objects.get(pk=account.pk))]


# --- what must be true first


def test_an_account_in_order_is_armed_by_a_confirmation(users, account):
    boot = ready_to_arm(account)
    assert arming_problems(account) == []
    arming = arm(account, users["trader"])
    assert armed(account.pk) == arming
    assert (arming.boot_id, arming.armed_by) == (boot.pk, users["trader"])


def test_arming_without_a_confirmation_arms_nothing(users, account):
    ready_to_arm(account)
    with pytest.raises(NotAllowed) as refused:
        account_arm(account=account, actor=users["owner"], confirmation_id=None)
    assert (refused.value.code, refused.value.details) == ("confirmation_required", {"action": "ARM", "payload": {"account": "REAL-1"}})
    assert armed(account.pk) is None


def test_a_confirmation_for_another_account_arms_nothing(users, account):
    ready_to_arm(account)
    given = confirmation_for(users["owner"], ARM, arm_payload("REAL-2"))
    with pytest.raises(NotAllowed, match="not what is asked for"):
        account_arm(account=account, actor=users["owner"], confirmation_id=given)
    assert armed(account.pk) is None


def test_a_simulated_account_is_never_armed(users, account):
    simulated = account_make(users, "SIM", **HARD_LIMITS)
    ready_to_arm(simulated)
    with pytest.raises(InvalidInput, match="only accounts of mode REAL"):
        arm(simulated, users["owner"])


def test_the_environment_must_allow_it(account, settings):
    ready_to_arm(account)
    settings.REAL_TRADING = False
    assert codes(account) == ["REAL_TRADING_OFF"]


def test_without_the_setting_nothing_is_real(account, settings):
    ready_to_arm(account)
    del settings.REAL_TRADING
    assert codes(account) == ["REAL_TRADING_OFF"]


@pytest.mark.parametrize("missing", sorted(HARD_LIMITS))
def test_every_hard_limit_must_be_set_and_the_refusal_lists_what_is_missing(account, missing):
    ready_to_arm(account)
    Account.objects.filter(pk=account.pk).update(**{missing: None})
    [problem] = arming_problems(Account.objects.get(pk=account.pk))
    assert (problem.code, problem.details) == ("LIMITS_MISSING", {"missing": [missing]})
    assert missing in problem.message


def test_a_halted_account_is_not_armed_and_a_reducing_one_may_be(account):
    ready_to_arm(account)
    Account.objects.update(state="HALTED")
    assert codes(account) == ["HALTED"]
    Account.objects.update(state="REDUCING")
    assert codes(account) == []


def test_somebody_must_be_there_to_send(account):
    assert codes(account) == ["NO_SENDER"]
    boot = ready_to_arm(account)
    SenderBoot.objects.filter(pk=boot.pk).update(beat_at=datetime.now(UTC) - timedelta(seconds=31))
    assert codes(account) == ["NO_SENDER"]
    boot_beat(boot)
    assert codes(account) == []


@pytest.mark.parametrize("differing", ["code_version", "config_hash"])
def test_all_who_send_must_run_the_same(account, differing):
    other = boot_register("worker")
    ready_to_arm(account)
    SenderBoot.objects.filter(pk=other.pk).update(**{differing: "another"})
    assert codes(account) == ["SENDERS_DIFFER"]
    SenderBoot.objects.filter(pk=other.pk).update(beat_at=datetime.now(UTC) - timedelta(minutes=1))
    assert codes(account) == []


def test_the_books_must_have_been_compared_since_the_last_start(users, account):
    boot_register("sweeper")
    assert codes(account) == ["NOT_RECONCILED"]
    ready_to_arm(account_of_another(users))
    assert codes(account) == ["NOT_RECONCILED"]
    boot = ready_to_arm(account)
    assert codes(account) == []
    boot_register("worker")
    assert codes(account) == ["NOT_RECONCILED"]
    Reconciliation.objects.create(account=account, boot=boot, kind="PERIODIC", agrees=True)  # it began before the worker did
    assert codes(account) == ["NOT_RECONCILED"]


def account_of_another(users):
    return real_account_make(users, "REAL-9")


def test_the_last_comparison_counts(account):
    boot = ready_to_arm(account)
    found = [{"what": "position", "symbol": "IBM", "ours": "10", "broker": "0"}]
    Reconciliation.objects.create(account=account, boot=boot, kind="PERIODIC", agrees=False, differences=found)
    assert codes(account) == ["DIFFERENCES"]
    Reconciliation.objects.create(account=account, boot=boot, kind="MANUAL", agrees=True)
    assert codes(account) == []


def test_everything_that_is_missing_is_said_at_once(users, account, settings):
    settings.REAL_TRADING = False
    Account.objects.update(state="HALTED", max_order_notional=None)
    with pytest.raises(Conflict) as refused:
        arm(account, users["owner"])
    assert [each["code"] for each in refused.value.details["problems"]] == ["REAL_TRADING_OFF", "LIMITS_MISSING", "HALTED", "NO_SENDER"]


def test_what_is_not_ready_spends_no_confirmation(users, account):
    given = confirmation_for(users["owner"], ARM, arm_payload(account.pk))
    with pytest.raises(Conflict):
        account_arm(account=account, actor=users["owner"], confirmation_id=given)
    ready_to_arm(account)
    assert account_arm(account=account, actor=users["owner"], confirmation_id=given)


def test_who_may_not_trade_cannot_arm_or_disarm(users, account):
    ready_to_arm(account)
    with pytest.raises(NotAllowed, match="not trade"):
        arm(account, users["reader"])
    arm(account, users["owner"])
    with pytest.raises(NotAllowed, match="not trade"):
        account_disarm(account=account, reason="", actor=users["reader"])
    assert armed(account.pk)


# --- how long it lasts


def test_a_start_of_a_process_that_sends_disarms_every_account(users, account):
    second = real_account_make(users, "REAL-2")
    boot = ready_to_arm(account)
    Reconciliation.objects.create(account=second, boot=boot, kind="BOOT", agrees=True)
    for row in (account, second):
        arm(row, users["owner"])
    boot_register("worker")
    assert (armed(account.pk), armed(second.pk)) == (None, None)
    assert set(Arming.objects.values_list("open_key", "disarmed_why")) == {(None, "RESTART")}
    assert [entry.actor for entry in audited("ACCOUNT_DISARM")] == ["worker", "worker"]


def test_a_later_start_voids_an_arming_even_where_nobody_closed_it(users, account):
    ready_to_arm(account)
    arming = arm(account, users["owner"])
    SenderBoot.objects.create(host="x", pid=1, role="worker", code_version="c", config_hash="d")
    assert armed(account.pk) is None
    assert Arming.objects.get(pk=arming.pk).open_key == account.pk
    ready_to_arm(account)
    SenderBoot.objects.filter(code_version="c").delete()
    assert armed(arm(account, users["owner"]).account_id)


def test_arming_again_answers_the_arming_that_stands(users, account):
    ready_to_arm(account)
    first = arm(account, users["owner"])
    assert account_arm(account=account, actor=users["trader"], confirmation_id=None) == first
    assert Arming.objects.count() == 1


def test_disarming_ends_it_at_once_and_once(users, account):
    ready_to_arm(account)
    arm(account, users["owner"])
    assert account_disarm(account=account, reason="enough", actor=users["trader"]) is True
    assert armed(account.pk) is None
    assert account_disarm(account=account, reason="again", actor=users["trader"]) is False
    [entry] = audited("ACCOUNT_DISARM")
    assert (entry.actor, entry.details["reason"]) == ("trader", "enough")
    assert [name for name, _ in events_of(account, "account.")] == ["account.armed", "account.disarmed"]


def test_all_are_disarmed_together(users, account):
    ready_to_arm(account)
    arm(account, users["owner"])
    assert accounts_disarm(reason="fire") == ["REAL-1"]
    assert accounts_disarm(reason="fire") == []


def test_asking_whether_an_account_is_armed_is_one_statement(users, account, django_assert_num_queries):
    ready_to_arm(account)
    arm(account, users["owner"])
    with django_assert_num_queries(1):
        assert armed(account.pk)


def test_arming_is_audited_with_what_it_stands_on(users, account):
    boot = ready_to_arm(account)
    arm(account, users["owner"])
    [entry] = audited("ACCOUNT_ARM")
    assert entry.actor == "owner"
    assert {name: entry.details[name] for name in ("boot", "code_version", "config_hash")} == {
        "boot": boot.pk,
        "code_version": boot.code_version,
        "config_hash": boot.config_hash,
    }


# --- through the API


def test_the_api_says_what_is_missing_then_arms_then_disarms(users, account):
    client, url = client_of(users["trader"]), f"/api/v1/accounts/{account.pk}"
    missing = client.post(f"{url}/arm", {}, format="json")
    assert (missing.status_code, missing.json()["code"]) == (409, "cannot_arm")
    assert client.get(f"{url}/arm").json()["problems"][0]["code"] == "NO_SENDER"
    ready_to_arm(account)
    refused = client.post(f"{url}/arm", {}, format="json")
    assert (refused.status_code, refused.json()["code"]) == (403, "confirmation_required")
    answer = client.post(f"{url}/arm", {}, format="json", headers=confirmed(client, refused.json())).json()
    assert (answer["armed"]["by"], answer["problems"]) == ("trader", [])
    [row] = client.get("/api/v1/trading-state/").json()["accounts"]
    assert row["armed"]["by"] == "trader"
    assert client.post(f"{url}/disarm", {"reason": "enough"}, format="json").json()["armed"] is None
    assert Arming.objects.get().disarmed_why == "enough"


def test_the_api_shows_who_sends(users, account, monkeypatch):
    monkeypatch.setattr(senders, "code_version", lambda: "abc")
    boot_register("sweeper")
    [boot] = client_of(users["owner"]).get("/api/v1/trading-state/").json()["boots"]
    assert (boot["role"], boot["code_version"]) == ("sweeper", "abc")
    assert set(boot) == {"role", "code_version", "config_hash", "started_at", "beat_at"}
