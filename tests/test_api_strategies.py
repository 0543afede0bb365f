"""Steering strategies over REST: parameters, versions, on and off; and requests that are done once."""

from datetime import date
from decimal import Decimal

import pytest
from kombu.exceptions import OperationalError

from quant_site.core.models import AuditLog, IdempotencyKey
from quant_site.loop import loop_lock
from quant_site.market.selectors import panel_load
from strategies.models import ParameterVersion, Strategy, StrategyRun
from strategies.parameters import effective_params
from tests.api_world import build_world, make_signal
from tests.support_strategies import strategy_gone
from trading.books.ledger import account_fund
from trading.brokers import broker_for
from trading.models import EquitySnapshot
from trading.order_path.executor import OrderExecutor

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(settings):
    settings.STRATEGY_MANAGE_USERS = ["manager", "owner"]
    return build_world()


def params_url(world):
    return f"/api/v1/strategies/{world.strategy.pk}/params"


def put(world, params, *, role="manager", reason="because", **more):
    headers = more.pop("headers", {})
    return world.client(role).put(params_url(world), {"params": params, "reason": reason, **more}, format="json", headers=headers)


def test_each_parameter_comes_with_its_range_default_and_who_set_it(world):
    put(world, {"fast_entry": 25})
    answer = world.client("reader").get(params_url(world)).json()
    fast_entry = next(item for item in answer["parameters"] if item["name"] == "fast_entry")
    assert fast_entry == {
        "name": "fast_entry",
        "description": "Sessions of system 1's entry channel.",
        "type": "integer",
        "unit": "sessions",
        "minimum": 5,
        "maximum": 120,
        "step": 5,
        "choices": None,
        "default": 20,
        "value": 25,
        "set_by": "house",
    }
    assert answer["version"] == 2


def test_a_change_makes_a_new_version_with_its_reason_author_and_diff(world):
    answer = put(world, {"fast_entry": 25}, reason="Slower entries.")
    assert answer.status_code == 200
    version = ParameterVersion.objects.get(pk=answer.json()["id"])
    assert (version.reason, version.diff, version.created_by) == ("Slower entries.", {"fast_entry": [20, 25]}, world.users["manager"])
    assert effective_params(Strategy.objects.get(pk=world.strategy.pk)).fast_entry == 25
    assert AuditLog.objects.filter(actor="manager", action_type="PARAMS_CREATE").count() == 1


def test_a_change_for_one_account_leaves_the_house_alone(world):
    assert put(world, {"fast_entry": 25}, role="owner", account="FUND-1").status_code == 200
    row = Strategy.objects.get(pk=world.strategy.pk)
    assert effective_params(row).fast_entry == 20
    assert effective_params(row, world.account).fast_entry == 25


def test_a_change_for_an_account_of_somebody_else_is_a_404(world):
    assert put(world, {"fast_entry": 25}, role="manager", account="FUND-1").status_code == 404


@pytest.mark.parametrize(
    ("params", "code", "said"),
    [
        ({"fast_entri": 25}, "unknown_parameter", "did you mean 'fast_entry'"),
        ({"fast_entry": 1}, "invalid_parameter", "greater than or equal to 5"),
        ({"fast_entry": "many"}, "invalid_parameter", "fast_entry"),
        ({"fast_entry": 60}, "invalid_parameter", "fast_entry must be shorter"),
    ],
)
def test_a_parameter_it_cannot_take_is_refused_and_changes_nothing(world, params, code, said):
    before = ParameterVersion.objects.count()
    answer = put(world, params)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert said in answer.json()["message"]
    assert ParameterVersion.objects.count() == before


def test_a_change_without_a_reason_is_refused(world):
    assert put(world, {"fast_entry": 25}, reason=" ").status_code == 400


def test_parameters_of_a_strategy_without_an_implementation_are_refused_with_its_reason(world):
    gone = strategy_gone()
    answer = world.client("manager").get(f"/api/v1/strategies/{gone.pk}/params")
    assert (answer.status_code, answer.json()["code"]) == (400, "not_implemented")
    assert gone.disabled_reason in answer.json()["message"]


def test_toggling_switches_and_says_why(world):
    client, url = world.client("manager"), f"/api/v1/strategies/{world.strategy.pk}/toggle"
    off = client.post(url, {"reason": "Choppy market."}, format="json").json()
    assert (off["enabled"], off["disabled_reason"]) == (False, "Choppy market.")
    assert client.post(url, {}, format="json").json()["enabled"] is True
    assert AuditLog.objects.filter(actor="manager", action_type="STRATEGY_TOGGLE").count() == 2


def test_staff_with_the_permission_manage_without_being_named(world, settings):
    settings.STRATEGY_MANAGE_USERS = []
    assert put(world, {"fast_entry": 25}, role="manager").status_code == 403
    assert put(world, {"fast_entry": 25}, role="root").status_code == 200


def test_a_category_that_does_not_exist_is_refused(world):
    client = world.client("reader")
    assert client.get("/api/v1/strategies/?category=VOLATILITY").json()["count"] == 2
    assert client.get("/api/v1/strategies/?category=LUCK").status_code == 400


# --- Runs and cancels


@pytest.mark.usefixtures("bundled_market")
def test_running_a_strategy_answers_its_drafts_and_orders_nothing(world):
    url, body = f"/api/v1/strategies/{world.strategy.pk}/run", {"account": "FUND-1", "session": "2013-02-27"}
    answer = world.client("trader").post(url, body, format="json")
    assert answer.status_code == 200
    assert answer.json()["status"] == "COMPLETED"
    assert StrategyRun.objects.filter(session="2013-02-27").count() == 1
    assert AuditLog.objects.filter(actor="trader", action_type="STRATEGY_RUN").count() == 1


@pytest.mark.usefixtures("bundled_market")
@pytest.mark.parametrize(("session", "status"), [("2013-02-24", 400), ("2999-01-04", 400), ("2026-11-20", 422), ("soon", 400)])
def test_a_session_that_cannot_run_is_refused_with_what_to_do(world, session, status):
    answer = world.client("owner").post("/api/v1/loop/run", {"account": "FUND-1", "session": session}, format="json")
    assert answer.status_code == status
    assert answer.json()["message"]


@pytest.mark.usefixtures("bundled_market")
def test_asking_for_the_loop_queues_it_once(world, monkeypatch):
    sent = []
    monkeypatch.setattr("quant_site.api.account_loop.delay", lambda *args: sent.append(args))
    client, body = world.client("owner"), {"account": "FUND-1", "session": "2013-02-28"}
    first = client.post("/api/v1/loop/run", body, format="json", headers={"Idempotency-Key": "k-1"})
    again = client.post("/api/v1/loop/run", body, format="json", headers={"Idempotency-Key": "k-1"})
    assert first.status_code == again.status_code == 202
    assert first.json() == again.json() == {"account": "FUND-1", "session": "2013-02-28", "status": "QUEUED"}
    assert again["Idempotency-Replayed"] == "true"
    assert sent == [("FUND-1", "2013-02-28")]


@pytest.mark.usefixtures("bundled_market")
def test_a_queue_that_is_down_is_said_and_the_key_stays_free(world, monkeypatch):
    def refuse(*args):
        raise OperationalError("down")

    monkeypatch.setattr("quant_site.api.account_loop.delay", refuse)
    body = {"account": "FUND-1", "session": "2013-02-28"}
    answer = world.client("owner").post("/api/v1/loop/run", body, format="json", headers={"Idempotency-Key": "k-1"})
    assert (answer.status_code, answer.json()["code"]) == (503, "queue_down")
    assert not IdempotencyKey.objects.exists()


def test_the_loop_of_a_replay_is_not_run_on_the_live_clock(world):
    world.account.is_replay = True
    world.account.save()
    answer = world.client("owner").post("/api/v1/loop/run", {"account": "FUND-1"}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (403, "replay_account")


def test_a_pending_signal_can_be_taken_back_once_and_again(world):
    client, url = world.client("trader"), f"/api/v1/signals/{world.signal.pk}/cancel"
    assert client.post(url).json()["status"] == "CANCELLED"
    assert client.post(url).json()["status"] == "CANCELLED"
    assert AuditLog.objects.filter(action_type="SIGNAL_CANCEL").count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("bundled_market")
def test_a_signal_on_its_way_is_called_back_from_the_broker(world):
    panel, session = panel_load(), date(2013, 2, 27)
    broker = broker_for(world.account, panel)
    broker.open_account(world.account.pk, Decimal(100_000))
    EquitySnapshot.objects.all().delete()  # it lies after the session
    account_fund(account=world.account, amount=Decimal(100_000), session=session, key="initial")
    signal = make_signal(world.account, world.strategy, symbol="MSFT", status="VALIDATED", session=session)
    OrderExecutor(world.account, broker, session, panel).execute_signal_batch([signal])
    signal.refresh_from_db()
    assert signal.signal_status == "EXECUTING"
    answer = world.client("trader").post(f"/api/v1/signals/{signal.pk}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (200, "CANCELLED")
    order = signal.orders.get()
    assert order.status == "CANCELLED"
    assert broker.orders(world.account.pk, [order.client_order_id])[order.client_order_id].status == "CANCELLED"
    assert AuditLog.objects.filter(actor="trader", action_type="SIGNAL_CANCEL").count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("bundled_market")
def test_a_signal_is_not_called_back_while_the_loop_of_its_account_runs(world):
    signal = make_signal(world.account, world.strategy, symbol="MSFT", status="EXECUTING")
    with loop_lock(world.account):
        answer = world.client("trader").post(f"/api/v1/signals/{signal.pk}/cancel")
    assert (answer.status_code, answer.json()["code"]) == (409, "busy")


def test_a_signal_that_has_ended_cannot_be_taken_back(world):
    done = make_signal(world.account, world.strategy, symbol="IBM", status="EXECUTED")
    answer = world.client("owner").post(f"/api/v1/signals/{done.pk}/cancel")
    assert (answer.status_code, answer.json()["code"]) == (409, "illegal_transition")


# --- Idempotency-Key


def test_the_same_request_under_a_key_is_answered_again_and_done_once(world):
    answers = [put(world, {"fast_entry": 25}, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert [answer.headers.get("Idempotency-Replayed") for answer in answers] == [None, "true"]
    assert ParameterVersion.objects.filter(strategy=world.strategy).count() == 2


def test_another_request_under_the_same_key_is_a_conflict(world):
    put(world, {"fast_entry": 25}, headers={"Idempotency-Key": "k"})
    changed = put(world, {"fast_entry": 26}, headers={"Idempotency-Key": "k"})
    assert (changed.status_code, changed.json()["code"]) == (409, "idempotency_key_reused")
    toggle = f"/api/v1/strategies/{world.strategy.pk}/toggle"
    elsewhere = world.client("manager").post(toggle, {"enabled": False}, format="json", headers={"Idempotency-Key": "k"})
    assert elsewhere.status_code == 409
    assert Strategy.objects.get(pk=world.strategy.pk).enabled


def test_the_key_of_one_user_is_not_the_key_of_another(world):
    put(world, {"fast_entry": 25}, headers={"Idempotency-Key": "k"})
    assert put(world, {"fast_entry": 26}, role="root", headers={"Idempotency-Key": "k"}).status_code == 200


def test_a_request_that_failed_may_be_sent_again_under_its_key(world):
    assert put(world, {"fast_entry": 1}, headers={"Idempotency-Key": "k"}).status_code == 400
    assert not IdempotencyKey.objects.exists()
    assert put(world, {"fast_entry": 25}, headers={"Idempotency-Key": "k"}).status_code == 200


def test_a_key_that_is_too_long_is_refused(world):
    assert put(world, {"fast_entry": 25}, headers={"Idempotency-Key": "k" * 129}).status_code == 400
