"""The API of the adaptation: lists with filters, a challenger with its path, and acts that are done once."""

import pytest

from analytics.models import Challenger, Pin
from strategies.models import AccountStrategy
from tests.adaptation_world import (
    GATE,
    SESSION,
    account_make,
    challenger_make,
    client_of,
    everything_make,
    people,
    promotion_make,
    strategy_of,
    trial_make,
    weight_move,
)

pytestmark = pytest.mark.django_db
HOUSE = 0.0833


@pytest.fixture
def users():
    return people()


@pytest.fixture
def account(users):
    return account_make(users)


@pytest.fixture
def strategy():
    return strategy_of()


@pytest.fixture
def client(users):
    return client_of(users["owner"])


def get(client, path, **query):
    answer = client.get(f"/api/v1/{path}", query)
    assert answer.status_code == 200, answer.json()
    return answer.json()


def test_decisions_are_filtered_by_account_strategy_and_lane(account, users, client):
    everything_make(account, users["owner"])
    second = account_make(users, "SECOND")
    weight_move(second, strategy_of("golden_cross"), 0.1)
    assert get(client, "adaptations/")["count"] == 34
    assert get(client, "adaptations/", account="SECOND")["count"] == 1
    assert get(client, "adaptations/", strategy="golden_cross")["count"] == 2
    [row] = get(client, "adaptations/", lane="DERISK")["results"]
    assert (row["strategy"], row["weight_before"], row["weight_after"]) == ("golden_cross", "0.083300", "0.041650")
    assert row["evidence"]["factor_after"] == 0.5
    assert client.get("/api/v1/adaptations/", {"lane": "NONE"}).status_code == 400


def test_a_challenger_comes_with_its_path_and_its_gate(account, strategy, client):
    challenger = challenger_make(account, strategy, days=3)
    found = get(client, f"challengers/{challenger.pk}/")
    assert [day["session"] for day in found["days"]] == ["2019-06-26", "2019-06-27", "2019-06-28"]
    assert found["gate"] == GATE
    assert found["change"] == {"width": [2.0, 2.2]}
    [listed] = get(client, "challengers/", status="SHADOW")["results"]
    assert "days" not in listed
    assert get(client, "challengers/", status="VETOED")["count"] == 0


def test_trials_come_without_their_returns(account, strategy, client):
    trial_make(account, strategy, "a")
    [row] = get(client, "trials/", strategy=strategy.key)["results"]
    assert "returns" not in row
    assert (row["params"], row["n"], row["role"]) == ({"width": 2.2}, 1258, "CANDIDATE")


def test_a_veto_sent_twice_under_one_key_is_done_once_and_answered_twice(account, strategy, client):
    challenger = challenger_make(account, strategy)
    body, key = {"reason": "Luck."}, {"Idempotency-Key": "veto-1"}
    first, second = (client.post(f"/api/v1/challengers/{challenger.pk}/veto/", body, format="json", headers=key) for _ in range(2))
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json() == second.json()
    assert first.json()["status"] == "VETOED"
    assert first.json()["decided_by"] == "owner"
    assert client.post(f"/api/v1/challengers/{challenger.pk}/veto/", body, format="json").status_code == 409


def test_a_weight_is_taken_back(account, strategy, client):
    moved = weight_move(account, strategy, 0.1, HOUSE)
    answer = client.post(f"/api/v1/adaptations/{moved.pk}/revert/", {"reason": "Luck."}, format="json")
    assert answer.status_code == 200
    assert not AccountStrategy.objects.exists()


def test_what_cannot_be_taken_back_says_what_to_do(account, strategy, client):
    first = weight_move(account, strategy, 0.1, HOUSE, session=SESSION.replace(day=21))
    weight_move(account, strategy, 0.12, 0.1)
    answer = client.post(f"/api/v1/adaptations/{first.pk}/revert/", {"reason": "Luck."}, format="json")
    assert answer.status_code == 409
    assert answer.json()["code"] == "not_revertible"
    assert "take that one back first" in answer.json()["message"]


def test_a_promotion_is_taken_back_with_its_challenger(account, strategy, client):
    decision = promotion_make(account, strategy, challenger_make(account, strategy, "PROBATION"))
    assert client.post(f"/api/v1/adaptations/{decision.pk}/revert/", {"reason": "Luck."}, format="json").status_code == 200
    assert Challenger.objects.get().status == "VETOED"


def test_a_pin_is_set_listed_and_removed(account, strategy, client):
    body = {"account": account.pk, "strategy": strategy.key, "what": "WEIGHT", "reason": "Audit."}
    pin = client.post("/api/v1/pins/", body, format="json").json()
    again = client.post("/api/v1/pins/", body | {"reason": "Still."}, format="json").json()
    assert (again["id"], again["reason"], again["pinned_by"]) == (pin["id"], "Still.", "owner")
    assert get(client, "pins/", account=account.pk)["count"] == 1
    assert client.delete(f"/api/v1/pins/{pin['id']}/").status_code == 400  # without a reason
    assert client.delete(f"/api/v1/pins/{pin['id']}/?reason=Done").status_code == 204
    assert not Pin.objects.exists()


@pytest.mark.parametrize("change", [{"what": "EVERYTHING"}, {"reason": ""}, {"strategy": "nothing_like_it"}])
def test_a_pin_that_makes_no_sense_is_refused(account, strategy, client, change):
    body = {"account": account.pk, "strategy": strategy.key, "what": "WEIGHT", "reason": "Audit."} | change
    assert client.post("/api/v1/pins/", body, format="json").status_code in (400, 404)
    assert not Pin.objects.exists()
