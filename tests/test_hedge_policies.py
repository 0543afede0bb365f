"""Hedge policies as people set them: by the service, over the API, in the admin."""

from decimal import Decimal as D

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from quant_site.core.errors import Conflict, DataMissing, InvalidInput, NotAllowed
from quant_site.core.models import AuditLog, OutboxEvent
from quant_site.core.services import account_create
from quant_site.market.models import Instrument
from tests.api_world import build_world
from trading.exposure.hedge_policies import hedge_policy_set, hedge_policy_stop
from trading.models import HedgePolicy, HedgeRecord

pytestmark = pytest.mark.django_db


@pytest.fixture
def account():
    for symbol, tradable in (("SPY", True), ("QQQ", True), ("SPX", False)):
        Instrument.objects.create(symbol=symbol, bars=10, tradable=tradable)
    return account_create(id="hedged")


def test_a_policy_begins_switched_off_and_leaves_an_audit_entry_and_an_event(account):
    policy = hedge_policy_set(account=account, kind="BETA", symbol="spy", actor="test", band=D("0.1"))
    assert (policy.symbol, policy.state, policy.band, policy.target, policy.since) == ("SPY", "OFF", D("0.1"), 0, None)
    audit = AuditLog.objects.get(action_type="HEDGE_POLICY_SET")
    assert (audit.actor, audit.resource_id) == ("test", str(policy.pk))
    assert OutboxEvent.objects.get(type="hedge.policy").payload["state"] == "OFF"


def test_setting_it_again_changes_what_is_given_and_nothing_else(account):
    first = hedge_policy_set(account=account, kind="DELTA", symbol="SPY", actor="test", risk_aversion=D(3), review_sessions=30)
    second = hedge_policy_set(account=account, kind="DELTA", symbol="SPY", actor="test", state="ON")
    assert first.pk == second.pk
    assert (second.state, second.risk_aversion, second.review_sessions) == ("ON", 3, 30)
    assert AuditLog.objects.order_by("-pk").first().details == {"kind": "DELTA", "symbol": "SPY", "state": ["OFF", "ON"]}
    hedge_policy_set(account=account, kind="DELTA", symbol="SPY", actor="test", state="ON")
    assert AuditLog.objects.filter(action_type="HEDGE_POLICY_SET").count() == 2


def test_switching_on_again_starts_the_review_anew(account):
    policy = hedge_policy_set(account=account, kind="BETA", symbol="SPY", actor="test", state="ON")
    HedgePolicy.objects.filter(pk=policy.pk).update(since="2019-01-02")
    policy.refresh_from_db()
    hedge_policy_stop(policy=policy, reason="TOO_DEAR: It cost too much.")
    assert (policy.state, policy.state_reason) == ("STOPPED", "TOO_DEAR: It cost too much.")
    again = hedge_policy_set(account=account, kind="BETA", symbol="SPY", actor="test", state="ON")
    assert (again.state, again.state_reason, again.since) == ("ON", "", None)


def test_two_beta_hedges_would_answer_each_other_so_the_second_is_refused(account):
    hedge_policy_set(account=account, kind="BETA", symbol="SPY", actor="test", state="ON")
    hedge_policy_set(account=account, kind="BETA", symbol="QQQ", actor="test")
    with pytest.raises(Conflict, match="hedges its beta with SPY"):
        hedge_policy_set(account=account, kind="BETA", symbol="QQQ", actor="test", state="ON")
    hedge_policy_set(account=account, kind="DELTA", symbol="QQQ", actor="test", state="ON")


@pytest.mark.parametrize(
    ("values", "error", "code"),
    [
        ({"symbol": "SPX"}, InvalidInput, "not_tradable"),
        ({"symbol": "SPZ"}, DataMissing, "unknown_symbol"),
        ({"symbol": "SPY190621C00280000"}, InvalidInput, "bad_hedge"),
        ({"symbol": "../SPY"}, InvalidInput, "invalid_symbol"),
        ({"kind": "GAMMA"}, InvalidInput, "bad_kind"),
        ({"state": "STOPPED"}, InvalidInput, "bad_state"),
        ({"target": D("2.01")}, InvalidInput, "bad_target"),
        ({"target": D("NaN")}, InvalidInput, "not_a_number"),
        ({"band": D("-0.01")}, InvalidInput, "bad_band"),
        ({"risk_aversion": D(0)}, InvalidInput, "bad_band"),
        ({"risk_aversion": D(10**6)}, InvalidInput, "invalid_policy"),
        ({"review_sessions": 19}, InvalidInput, "bad_review"),
    ],
)
def test_what_cannot_be_is_refused_with_a_reason_and_nothing_is_written(account, values, error, code):
    with pytest.raises(error) as raised:
        hedge_policy_set(**({"account": account, "kind": "BETA", "symbol": "SPY", "actor": "test"} | values))
    assert raised.value.code == code
    assert not HedgePolicy.objects.exists()


def test_who_may_only_look_sets_no_policy(account):
    with pytest.raises(NotAllowed, match="You may look"):
        hedge_policy_set(account=account, kind="BETA", symbol="SPY", actor=User.objects.create_user("stranger"))


# --- over the API


@pytest.fixture
def world():
    Instrument.objects.create(symbol="SPY", bars=10)
    return build_world()


def test_a_policy_is_made_once_and_set_again_by_the_same_request(world):
    body = {"account": world.account.pk, "kind": "BETA", "symbol": "SPY", "state": "ON", "target": "0.1", "band": "0.02"}
    made = world.client("owner").post("/api/v1/hedges/", body, format="json")
    again = world.client("trader").post("/api/v1/hedges/", body | {"band": "0.03"}, format="json")
    assert (made.status_code, again.status_code) == (201, 200)
    assert made.json()["id"] == again.json()["id"]
    assert again.json() | {"state": "ON", "target": "0.100000", "band": "0.030000", "since": None} == again.json()


def test_a_person_cannot_stop_a_policy_in_the_engines_name(world):
    hedge = world.account.hedge_policies.get()
    answer = world.client("owner").patch(f"/api/v1/hedges/{hedge.pk}/", {"state": "STOPPED"}, format="json")
    assert answer.status_code == 400


def test_a_change_of_what_a_policy_is_about_is_no_change_of_it(world):
    hedge = world.account.hedge_policies.get()
    world.client("owner").patch(f"/api/v1/hedges/{hedge.pk}/", {"symbol": "QQQ", "kind": "BETA", "state": "ON"}, format="json")
    hedge.refresh_from_db()
    assert (hedge.symbol, hedge.kind, hedge.state) == ("SPY", "DELTA", "ON")


def test_records_are_listed_latest_first_and_what_is_undefined_is_null(world):
    hedge = world.account.hedge_policies.get()
    HedgeRecord.objects.create(policy=hedge, session="2013-02-27", detail="NO_GREEKS: …")
    HedgeRecord.objects.create(policy=hedge, session="2013-02-28", exposure=D("12.50"), wanted=0, band=D("3"), quantity=-4)
    first, second = world.client("reader").get(f"/api/v1/hedges/{hedge.pk}/records").json()["results"]
    assert (first["session"], first["exposure"], first["quantity"]) == ("2013-02-28", "12.50", "-4.000000")
    assert (second["exposure"], second["variance_removed"], second["order"]) == (None, None, None)


# --- in the admin


@pytest.fixture
def admin(world) -> Client:
    client = Client()
    client.force_login(User.objects.get(username="root"))
    return client


def form(world, **values) -> dict:
    defaults = {"target": "0", "band": "0.05", "risk_aversion": "1", "review_sessions": "63", "state": "ON"}
    return defaults | values


def test_the_admin_makes_and_changes_a_policy_by_the_same_service(world, admin):
    made = admin.post(reverse("admin:trading_hedgepolicy_add"), form(world, account=world.account.pk, kind="BETA", symbol="SPY"))
    assert made.status_code == 302
    policy = HedgePolicy.objects.get(kind="BETA")
    assert (policy.state, AuditLog.objects.get(action_type="HEDGE_POLICY_SET").actor) == ("ON", "root")
    changed = admin.post(reverse("admin:trading_hedgepolicy_change", args=[policy.pk]), form(world, state="OFF", band="0.2"))
    assert changed.status_code == 302
    policy.refresh_from_db()
    assert (policy.state, policy.band) == ("OFF", D("0.2"))


def test_the_admin_says_why_a_policy_cannot_be(world, admin):
    body = form(world, account=world.account.pk, kind="BETA", symbol="NONE")
    answer = admin.post(reverse("admin:trading_hedgepolicy_add"), body, follow=True)
    assert "No bars of NONE are stored" in answer.content.decode()
    assert not HedgePolicy.objects.filter(kind="BETA").exists()


def test_the_admin_offers_no_stopping_and_leaves_records_alone(world, admin):
    page = admin.get(reverse("admin:trading_hedgepolicy_add")).content.decode()
    assert 'value="ON"' in page and 'value="STOPPED"' not in page
    record = HedgeRecord.objects.create(policy=HedgePolicy.objects.get(), session="2013-02-28")
    assert admin.get(reverse("admin:trading_hedgerecord_changelist")).status_code == 200
    assert admin.post(reverse("admin:trading_hedgerecord_change", args=[record.pk]), {"detail": "x"}).status_code == 403
    assert admin.get(reverse("admin:trading_hedgepolicy_changelist")).status_code == 200
