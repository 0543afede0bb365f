"""The kill switch: stopping needs the right to trade and nothing that can be down; going on needs a confirmation."""

import threading

import pytest
import redis
from django.contrib.auth.models import User
from django.db import DatabaseError, connection
from kombu.exceptions import OperationalError

from quant_site.core import ratelimit
from quant_site.core.errors import InvalidInput, NotAllowed, Unavailable
from quant_site.core.models import Account
from quant_site.core.ratelimit import REQUESTS_PER_ADDRESS
from quant_site.core.services import account_create
from quant_site.core.stepup import confirmation_give
from tests.control_world import (
    PASSWORD,
    account_make,
    audited,
    client_of,
    confirm,
    confirmation_for,
    confirmed,
    events_of,
    people,
    state_of,
    user_make,
)
from trading.control import trading_state as control
from trading.control.trading_state import RESUME, resume_payload, trading_state_set, trading_state_set_all

STATES = ("ACTIVE", "REDUCING", "HALTED")
TIGHTER = [(a, b) for i, a in enumerate(STATES) for b in STATES[i + 1 :]]
LOOSER = [(b, a) for a, b in TIGHTER]


@pytest.fixture
def users(db):
    return people()


@pytest.fixture
def account(users):
    return account_make(users)


def put(account, state, reason="before"):
    Account.objects.filter(pk=account.pk).update(state=state, state_reason=reason)
    account.refresh_from_db()


def ask(client, account, state, headers=None, **more):
    body = {"account": getattr(account, "pk", account), "state": state, "reason": "asked", **more}
    return client.post("/api/v1/trading-state/", body, format="json", headers=headers)


# --- what passes and what does not


@pytest.mark.parametrize(("before", "after"), TIGHTER)
def test_tightening_needs_no_password(users, account, before, after):
    put(account, before)
    assert ask(client_of(users["trader"]), account, after).status_code == 200
    row = Account.objects.get(pk=account.pk)
    assert (row.state, row.state_reason) == (after, "asked")


@pytest.mark.parametrize(("before", "after"), LOOSER)
def test_loosening_without_a_confirmation_changes_nothing_and_says_what_to_confirm(users, account, before, after):
    put(account, before)
    refused = ask(client_of(users["trader"]), account, after)
    assert (refused.status_code, refused.json()["code"]) == (403, "confirmation_required")
    assert refused.json()["details"] == {"action": "RESUME", "payload": {"account": "DESK", "state": after}}
    assert state_of(account) == before


@pytest.mark.parametrize(("before", "after"), LOOSER)
def test_loosening_passes_with_a_confirmation_of_exactly_that(users, account, before, after):
    put(account, before)
    client = client_of(users["trader"])
    header = confirmed(client, ask(client, account, after).json())
    assert ask(client, account, after, headers=header).status_code == 200
    assert state_of(account) == after


def test_one_confirmation_resumes_once(users, account):
    put(account, "HALTED")
    client = client_of(users["owner"])
    header = confirmed(client, ask(client, account, "ACTIVE").json())
    assert ask(client, account, "ACTIVE", headers=header).status_code == 200
    put(account, "HALTED")
    assert ask(client, account, "ACTIVE", headers=header).json()["code"] == "confirmation_used"
    assert state_of(account) == "HALTED"


def test_a_confirmation_for_another_account_or_state_or_person_opens_nothing(users, account):
    other = account_make(users, "DESK-2")
    put(account, "HALTED")
    client = client_of(users["owner"])
    for payload in ({"account": other.pk, "state": "ACTIVE"}, {"account": account.pk, "state": "REDUCING"}):
        header = {"X-Confirmation": confirm(client, "RESUME", payload).json()["confirmation"]}
        assert ask(client, account, "ACTIVE", headers=header).json()["code"] == "confirmation_mismatch"
    theirs = confirm(client_of(users["trader"]), "RESUME", {"account": "DESK", "state": "ACTIVE"}).json()["confirmation"]
    assert ask(client, account, "ACTIVE", headers={"X-Confirmation": theirs}).json()["code"] == "confirmation_mismatch"
    assert state_of(account) == "HALTED"


def test_the_system_can_stop_but_never_let_go(account):
    trading_state_set(account=account, state="HALTED", reason="by a guard", actor="guard")
    with pytest.raises(NotAllowed, match="Only a person"):
        trading_state_set(account=account, state="ACTIVE", reason="", actor="guard", confirmation_id="x")
    assert state_of(account) == "HALTED"


def test_the_service_itself_refuses_who_may_not_trade(users, account):
    for name in ("reader", "other"):
        with pytest.raises(NotAllowed):
            trading_state_set(account=account, state="HALTED", reason="", actor=users[name])
    put(account, "HALTED")
    given = confirmation_for(users["reader"], RESUME, resume_payload(account.pk, "ACTIVE"))
    with pytest.raises(NotAllowed):
        trading_state_set(account=account, state="ACTIVE", reason="", actor=users["reader"], confirmation_id=given)
    assert state_of(account) == "HALTED"


def test_who_lost_the_right_to_trade_cannot_use_what_he_confirmed(users, account):
    put(account, "HALTED")
    given = confirmation_for(users["trader"], RESUME, resume_payload(account.pk, "ACTIVE"))
    account.memberships.filter(user=users["trader"]).update(role="READ")
    with pytest.raises(NotAllowed, match="not trade"):
        trading_state_set(account=account, state="ACTIVE", reason="", actor=users["trader"], confirmation_id=given)


@pytest.mark.parametrize("state", ["", "PAUSED", "halted", None])
def test_there_are_three_states(users, account, state):
    with pytest.raises(InvalidInput):
        trading_state_set(account=account, state=state, reason="", actor=users["owner"])
    assert ask(client_of(users["owner"]), account, state).status_code == 400


# --- what it leaves behind


def test_halting_is_audited_and_told_to_everybody_who_watches(users, account):
    ask(client_of(users["trader"]), account, "HALTED")
    [entry] = audited("TRADING_STATE")
    assert (entry.actor, entry.account_id, entry.ip_address) == ("trader", "DESK", "127.0.0.1")
    assert entry.details == {"from": "ACTIVE", "to": "HALTED", "reason": "asked"}
    assert events_of(account, "account.") == [
        ("account.state", {"from": "ACTIVE", "to": "HALTED", "reason": "asked", "by": "trader"}),
        ("account.halted", {"code": "BY_HAND", "message": "asked", "by": "trader"}),
    ]


def test_resuming_names_the_confirmation_in_the_audit_log_and_clears_the_reason(users, account):
    put(account, "HALTED")
    given = confirmation_for(users["owner"], RESUME, resume_payload(account.pk, "ACTIVE"))
    row = trading_state_set(account=account, state="ACTIVE", reason="looked at it", actor=users["owner"], confirmation_id=given)
    assert (row.state, row.state_reason) == ("ACTIVE", "")
    [entry] = audited("TRADING_STATE")
    assert (entry.details["reason"], entry.details["confirmation"]) == ("looked at it", str(given))


def test_a_second_click_does_nothing_more_and_keeps_the_first_reason(users, account):
    client = client_of(users["owner"])
    ask(client, account, "HALTED", reason="first")
    assert ask(client, account, "HALTED", reason="second").status_code == 200
    assert Account.objects.get(pk=account.pk).state_reason == "first"
    assert len(audited("TRADING_STATE")) == 1
    assert len(events_of(account, "account.")) == 2


# --- all at once


def test_all_halts_what_one_may_trade_and_nothing_else(users, account):
    second, foreign = account_make(users, "DESK-2"), account_create(id="FOREIGN", owner=user_make("stranger"))
    replay = account_create(id="REPLAY", owner=users["owner"], is_replay=True)
    put(second, "REDUCING")
    answer = ask(client_of(users["trader"]), "all", "HALTED")
    assert [(row["account"], row["state"]) for row in answer.json()] == [("DESK", "HALTED"), ("DESK-2", "HALTED")]
    assert [state_of(row) for row in (account, second, foreign, replay)] == ["HALTED", "HALTED", "ACTIVE", "ACTIVE"]


def test_all_only_reduce_leaves_a_halted_account_halted(users, account):
    second = account_make(users, "DESK-2")
    put(second, "HALTED")
    assert [row["account"] for row in ask(client_of(users["owner"]), "all", "REDUCING").json()] == ["DESK"]
    assert (state_of(account), state_of(second)) == ("REDUCING", "HALTED")


def test_all_cannot_be_let_go_together(users, account):
    put(account, "HALTED")
    client = client_of(users["owner"])
    header = {"X-Confirmation": confirm(client, "RESUME", {"account": "all", "state": "ACTIVE"}).json()["confirmation"]}
    assert ask(client, "all", "ACTIVE", headers=header).json()["code"] == "one_by_one"
    assert state_of(account) == "HALTED"


def test_a_reader_halts_nothing_with_all(users, account):
    assert ask(client_of(users["reader"]), "all", "HALTED").json() == []
    assert state_of(account) == "ACTIVE"


def test_the_system_halts_every_account(users, account):
    account_create(id="FOREIGN", owner=user_make("stranger"))
    assert [row.pk for row in trading_state_set_all(reason="fire", actor="shell:ops")] == ["DESK", "FOREIGN"]


def test_an_account_that_cannot_be_set_keeps_no_other_running(users, account, monkeypatch):
    last = account_make(users, "ZULU")
    real = control.trading_state_set

    def stuck(**wish):
        if wish["account"].pk == "DESK":
            raise DatabaseError("deadlock")
        return real(**wish)

    monkeypatch.setattr(control, "trading_state_set", stuck)
    with pytest.raises(Unavailable) as failed:
        trading_state_set_all(reason="", actor=users["owner"])
    assert failed.value.details == {"failed": ["DESK"], "moved": ["ZULU"]}
    assert state_of(last) == "HALTED"


def test_no_account_can_take_the_name_that_means_all(db):
    for name in ("all", "ALL", "All"):
        with pytest.raises(InvalidInput):
            account_create(id=name)


# --- what may be down


def test_it_works_while_redis_is_down(users, account, monkeypatch):
    class Down:
        def hit(self, *args):
            raise redis.ConnectionError("down")

        test = get_window_stats = hit

    client = client_of(users["trader"])
    monkeypatch.setattr(ratelimit, "limiter", Down)
    assert ask(client, account, "HALTED").status_code == 200
    assert state_of(account) == "HALTED"


def test_it_puts_nothing_on_the_queue(users, account, monkeypatch):
    def down(*args, **kwargs):
        raise OperationalError("the queue is down")

    monkeypatch.setattr("celery.app.task.Task.apply_async", down)
    monkeypatch.setattr("kombu.Connection.connect", down)
    assert ask(client_of(users["trader"]), account, "HALTED").status_code == 200
    assert state_of(account) == "HALTED"


def test_it_is_not_counted_among_the_requests_of_an_address(users, account):
    client = client_of(users["trader"])
    for _ in range(REQUESTS_PER_ADDRESS.amount):
        client.get("/api/v1/trading-state/")
    assert client.get("/api/v1/trading-state/").status_code == 429
    assert ask(client, account, "HALTED").status_code == 200
    assert client.post(f"/api/v1/accounts/{account.pk}/disarm", {}, format="json").status_code == 200


# --- who sees what


def test_the_list_shows_ones_own_accounts_with_what_one_may(users, account):
    put(account, "REDUCING", "DAILY_LOSS: x")
    answer = client_of(users["reader"]).get("/api/v1/trading-state/").json()
    assert answer["accounts"] == [
        {"account": "DESK", "mode": "DRY_RUN", "state": "REDUCING", "reason": "DAILY_LOSS: x", "may_trade": False, "armed": None}
    ]
    assert client_of(users["trader"]).get("/api/v1/trading-state/").json()["accounts"][0]["may_trade"] is True
    assert client_of(users["other"]).get("/api/v1/trading-state/").json()["accounts"] == []


@pytest.mark.parametrize(("name", "status"), [("reader", 403), ("other", 404)])
def test_who_may_not_trade_cannot_stop_or_start(users, account, name, status):
    client = client_of(users[name])
    for state in STATES:
        assert ask(client, account, state).status_code == status
    for path in ("arm", "disarm"):
        assert client.post(f"/api/v1/accounts/{account.pk}/{path}", {}, format="json").status_code == status
    assert client.patch(f"/api/v1/accounts/{account.pk}/limits", {"max_position_pct": "0.1"}, format="json").status_code == status
    assert state_of(account) == "ACTIVE"


# --- two at once


@pytest.mark.django_db(transaction=True)
def test_of_two_who_use_one_confirmation_at_once_one_passes():
    users = people()
    account = account_make(users)
    put(account, "HALTED")
    given = confirmation_give(user=users["owner"], password=PASSWORD, action=RESUME, payload=resume_payload(account.pk, "ACTIVE"))
    barrier, outcomes = threading.Barrier(2), []

    def resume(actor_id):
        actor = User.objects.get(pk=actor_id)
        barrier.wait()
        try:
            control.confirmation_use(confirmation_id=given.pk, user=actor, action=RESUME, payload=resume_payload(account.pk, "ACTIVE"))
            outcomes.append("used")
        except NotAllowed as refused:
            outcomes.append(refused.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=resume, args=(users["owner"].pk,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["confirmation_used", "used"]
