"""Confirmations: a fresh password, for one act, on exactly what was confirmed, once, for five minutes."""

from datetime import timedelta
from decimal import Decimal

import pytest
import redis
from django.contrib.auth.models import User
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st

from quant_site.core import clock, ratelimit
from quant_site.core.errors import InvalidInput, NotAllowed
from quant_site.core.models import Confirmation
from quant_site.core.ratelimit import FAILED_LOGINS_PER_NAME
from quant_site.core.stepup import confirmation_give, confirmation_use, payload_hash
from tests.control_world import PASSWORD, audited, client_of, confirm, user_make

pytestmark = pytest.mark.django_db
ACT, WHAT = "RESUME", {"account": "DESK", "state": "ACTIVE"}


@pytest.fixture
def user():
    return user_make("ada")


def give(user, action=ACT, payload=WHAT, password=PASSWORD):
    return confirmation_give(user=user, password=password, action=action, payload=payload)


def use(user, given, action=ACT, payload=WHAT):
    return confirmation_use(confirmation_id=getattr(given, "pk", given), user=user, action=action, payload=payload)


def refusal(user, given, **wanted) -> str:
    with pytest.raises(NotAllowed) as refused:
        use(user, given, **wanted)
    assert refused.value.details["action"] == wanted.get("action", ACT)
    assert refused.value.details["payload"] == wanted.get("payload", WHAT)
    return refused.value.code


def test_a_confirmation_opens_what_was_confirmed_once(user):
    given = give(user)
    assert use(user, given).used_at is not None
    assert refusal(user, given) == "confirmation_used"


def test_without_one_the_refusal_says_what_to_confirm(user):
    for nothing in (None, ""):
        assert refusal(user, nothing) == "confirmation_required"


@pytest.mark.parametrize(
    "wanted",
    [
        {"action": "ARM"},
        {"payload": {"account": "OTHER", "state": "ACTIVE"}},
        {"payload": {"account": "DESK", "state": "REDUCING"}},
        {"payload": {"account": "DESK"}},
        {"payload": {**WHAT, "more": 1}},
    ],
)
def test_it_opens_nothing_else_and_is_not_spent_by_trying(user, wanted):
    given = give(user)
    assert refusal(user, given, **wanted) == "confirmation_mismatch"
    assert use(user, given)


def test_it_is_worth_nothing_in_another_s_hands(user):
    given = give(user)
    assert refusal(user_make("bob"), given) == "confirmation_mismatch"


@pytest.mark.parametrize("unknown", ["00000000-0000-4000-8000-000000000000", "not an id", "1"])
def test_an_id_that_was_never_given_opens_nothing(user, unknown):
    assert refusal(user, unknown) == "confirmation_mismatch"


def test_it_ends_after_five_minutes(user):
    at = clock.now()
    with clock.use(clock.VirtualClock(at)) as moving:
        early, late = give(user), give(user)
        moving.move_to(at + timedelta(minutes=4, seconds=59))
        assert use(user, early)
        moving.move_to(at + timedelta(minutes=5))
        assert refusal(user, late) == "confirmation_expired"


def test_what_is_undone_leaves_it_unspent(user):
    given = give(user)
    with pytest.raises(RuntimeError), transaction.atomic():
        use(user, given)
        raise RuntimeError
    assert use(user, given)


def test_names_in_any_order_are_the_same_payload(user):
    given = give(user, payload={"a": 1, "b": [None, True, "x"]})
    assert use(user, given, payload={"b": [None, True, "x"], "a": 1})


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def told_apart(value):
    """A value in which 1 and True differ, as they do in JSON: an oracle that hashes nothing."""
    if isinstance(value, dict):
        return ("dict", frozenset((name, told_apart(item)) for name, item in value.items()))
    if isinstance(value, list):
        return ("list", tuple(told_apart(item) for item in value))
    return (type(value).__name__, value)


@given(st.dictionaries(st.text(max_size=4), PLAIN, max_size=3), st.dictionaries(st.text(max_size=4), PLAIN, max_size=3))
def test_two_payloads_hash_alike_only_when_they_are_alike(one, other):
    assert (payload_hash(one) == payload_hash(other)) == (told_apart(one) == told_apart(other))


@pytest.mark.parametrize("payload", [{"x": 0.1}, {"x": Decimal("1")}, {"x": [float("nan")]}, {1: "x"}, ["x"], {"x": "y" * 10_001}])
def test_what_has_no_text_of_its_own_cannot_be_confirmed(user, payload):
    with pytest.raises(InvalidInput):
        give(user, payload=payload)
    assert not Confirmation.objects.exists()


# --- through the API


def test_the_api_gives_one_for_the_password(user):
    answer = confirm(client_of(user), ACT, WHAT).json()
    assert set(answer) == {"confirmation", "expires_at"}
    assert use(user, answer["confirmation"])


def test_a_wrong_password_gives_none_and_is_audited(user):
    answer = confirm(client_of(user), ACT, WHAT, password="wrong")
    assert (answer.status_code, answer.json()["code"]) == (403, "wrong_password")
    assert not Confirmation.objects.exists()
    [entry] = audited("CONFIRMATION_REFUSED")
    assert (entry.actor, entry.ip_address, entry.details["action"]) == ("ada", "127.0.0.1", ACT)
    assert "wrong" not in str(entry.details)


def test_nothing_that_is_stored_or_answered_holds_the_password(user):
    answer = confirm(client_of(user), ACT, WHAT)
    stored = [str(vars(row)) for row in (*Confirmation.objects.all(), *audited("CONFIRMATION_GIVEN"))]
    assert PASSWORD not in answer.content.decode() + "".join(stored)


def test_guessing_is_counted_with_the_logins_and_locks_both(user):
    client = client_of(user)
    for _ in range(FAILED_LOGINS_PER_NAME.amount):
        assert confirm(client, ACT, WHAT, password="wrong").status_code == 403
    locked = confirm(client, ACT, WHAT)
    assert (locked.status_code, locked.json()["code"]) == (429, "too_many_tries")
    assert locked.json()["details"]["wait_seconds"] > 60
    login = client_of(user).post("/api/v1/auth/token", {"username": "ada", "password": PASSWORD}, format="json")
    assert login.status_code == 429
    assert not Confirmation.objects.exists()


def test_while_failed_logins_cannot_be_counted_none_is_given(user, monkeypatch):
    class Down:
        def hit(self, *args):
            raise redis.ConnectionError("down")

        test = hit

    client = client_of(user)
    monkeypatch.setattr(ratelimit, "limiter", Down)
    assert confirm(client, ACT, WHAT).status_code == 503
    assert not Confirmation.objects.exists()


def test_who_was_disabled_meanwhile_gets_none(user):
    client = client_of(user)
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert confirm(client, ACT, WHAT).status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"password": PASSWORD},
        {"password": PASSWORD, "action": "", "payload": {}},
        {"password": PASSWORD, "action": "A" * 33, "payload": {}},
        {"password": PASSWORD, "action": ACT, "payload": "x"},
        {"password": PASSWORD, "action": ACT, "payload": {"x": 1.5}},
    ],
)
def test_half_a_request_is_refused_at_its_fields(user, body):
    assert client_of(user).post("/api/v1/auth/confirm", body, format="json").status_code == 400
