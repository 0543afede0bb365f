"""Accounts, people, the journal and the timetable in the admin: what can be edited is edited by services, and audited."""

from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from quant_site.core.models import Account, ApiLogin, AuditLog
from quant_site.core.tokens import login_create
from quant_site.market.models import Instrument
from tests.api_world import build_world
from trading.models import PriceAlert

pytestmark = pytest.mark.django_db


@pytest.fixture
def world():
    Instrument.objects.create(symbol="AAPL", bars=10)
    Instrument.objects.create(symbol="MSFT", bars=10)
    return build_world()


@pytest.fixture
def root(world):
    client = Client()
    client.force_login(world.users["root"])
    return client


def inlines(prefix="memberships", count=0) -> dict:
    return {f"{prefix}-TOTAL_FORMS": count, f"{prefix}-INITIAL_FORMS": 0}


def shown(client, url) -> dict:
    form = client.get(url).context["adminform"].form
    values = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    values = {name: getattr(value, "pk", value) for name, value in values.items()}
    values["universe"] = ", ".join(values.get("universe") or [])
    return {name: "on" if value is True else value for name, value in values.items() if value not in (None, False)}


def account_url(account) -> str:
    return reverse("admin:core_account_change", args=[account.pk])


def save(client, account, **changes):
    return client.post(account_url(account), {**shown(client, account_url(account)), **inlines(), **changes})


def errors(response) -> dict:
    return response.context["adminform"].form.errors


def test_a_changed_limit_is_saved_and_audited_with_before_and_after(root, world):
    assert save(root, world.account, max_position_pct="0.1").status_code == 302
    assert Account.objects.get(pk="FUND-1").max_position_pct == Decimal("0.1")
    entry = AuditLog.objects.get(action_type="ACCOUNT_UPDATE")
    assert (entry.actor, entry.account_id, entry.ip_address) == ("root", "FUND-1", "127.0.0.1")
    assert entry.details == {"max_position_pct": ["0.200000", "0.1"]}


def test_saving_an_account_as_it_is_leaves_no_entry(root, world):
    assert save(root, world.account).status_code == 302
    assert not AuditLog.objects.filter(action_type="ACCOUNT_UPDATE").exists()


@pytest.mark.parametrize(("field", "value"), [("mode", "REAL"), ("broker", "tiger"), ("initial_cash", "5"), ("is_replay", "on")])
def test_what_an_account_is_cannot_be_changed(root, world, field, value):
    before = getattr(world.account, field)
    save(root, world.account, **{field: value})
    assert getattr(Account.objects.get(pk="FUND-1"), field) == before


def test_a_limit_out_of_range_is_refused_at_its_field(root, world):
    assert set(errors(save(root, world.account, max_position_pct="1.5"))) == {"max_position_pct"}


def test_symbols_are_words_and_unknown_ones_are_refused_with_what_was_meant(root, world):
    assert save(root, world.account, universe="MSFT, AAPL").status_code == 302
    assert Account.objects.get(pk="FUND-1").universe == ["AAPL", "MSFT"]
    refused = errors(save(root, world.account, universe="AAPLE"))
    assert "AAPL" in str(refused["universe"])
    assert set(errors(save(root, world.account, benchmark="NOPE"))) == {"benchmark"}


def test_an_account_is_made_by_the_service(root):
    url = reverse("admin:core_account_add")
    body = {**shown(root, url), **inlines(), "id": "NEW-1", "initial_cash": "5000"}
    assert root.post(url, body).status_code == 302
    assert Account.objects.get(pk="NEW-1").initial_cash == Decimal(5000)
    assert AuditLog.objects.filter(action_type="ACCOUNT_CREATE", account_id="NEW-1", actor="root").exists()


def test_a_member_is_added_with_an_audit_entry(root, world):
    member = {"memberships-0-user": world.users["other"].pk, "memberships-0-role": "READ", "memberships-0-account": "FUND-1"}
    assert save(root, world.account, **inlines(count=1), **member).status_code == 302
    assert world.account.memberships.filter(user=world.users["other"]).exists()
    assert AuditLog.objects.get(action_type="MEMBER_ADD").details == {"user": "other", "role": "READ"}


def test_no_account_can_be_removed(root, world):
    assert root.post(reverse("admin:core_account_delete", args=["FUND-1"]), {"post": "yes"}).status_code == 403


# --- Journal and alerts


def test_a_draft_of_the_journal_is_completed_by_a_person(root, world):
    url = reverse("admin:trading_tradejournal_change", args=[world.journal.pk])
    body = {"execution_quality": 4, "emotion_state": "calm", "mistake_tags": "late, greedy", "lesson_learned": "Wait."}
    assert root.post(url, body).status_code == 302
    world.journal.refresh_from_db()
    assert (world.journal.journal_status, world.journal.lesson_learned) == ("COMPLETED", "Wait.")
    assert world.journal.mistake_tags == ["late", "greedy"]
    assert world.journal.realized_pnl == Decimal("12.34")
    assert AuditLog.objects.filter(action_type="JOURNAL_COMPLETED", actor="root").count() == 1


def test_facts_of_a_trade_cannot_be_rewritten_in_the_journal(root, world):
    url = reverse("admin:trading_tradejournal_change", args=[world.journal.pk])
    root.post(url, {"mistake_tags": "", "realized_pnl": "9999", "symbol": "GOOG"})
    world.journal.refresh_from_db()
    assert (world.journal.realized_pnl, world.journal.symbol) == (Decimal("12.34"), "AAPL")


def test_a_reviewed_entry_stands(root, world):
    type(world.journal).objects.filter(pk=world.journal.pk).update(journal_status="REVIEWED")
    assert root.post(reverse("admin:trading_tradejournal_change", args=[world.journal.pk]), {"mistake_tags": ""}).status_code == 403


def test_staff_cannot_set_an_alert_for_an_account_of_somebody_else(world):
    clerk = User.objects.create_user("clerk", password="x", is_staff=True)
    clerk.user_permissions.add(*Permission.objects.filter(codename__in=["add_pricealert", "view_pricealert", "view_account"]))
    client = Client()
    client.force_login(clerk)
    body = {"account": "FUND-1", "symbol": "AAPL", "alert_type": "PRICE_ABOVE", "threshold_value": "500", "action_type": "NOTIFY_ONLY"}
    client.post(reverse("admin:trading_pricealert_add"), {**body, "action_params": "{}"})
    assert PriceAlert.objects.count() == 1  # the one of the world


# --- People and the timetable


def test_ending_a_users_logins_from_the_admin_works_at_once(root, world):
    login_create(user=world.users["owner"])
    root.post(reverse("admin:auth_user_changelist"), {"action": "log_out", "_selected_action": [world.users["owner"].pk]})
    assert not ApiLogin.objects.filter(user=world.users["owner"], revoked_at=None).exists()


def test_one_login_can_be_ended_by_itself(root, world):
    login_create(user=world.users["owner"])
    login = ApiLogin.objects.get(user=world.users["owner"])
    root.post(reverse("admin:core_apilogin_changelist"), {"action": "end_logins", "_selected_action": [str(login.pk)]})
    login.refresh_from_db()
    assert login.revoked_reason == "ADMIN"


def test_the_list_of_logins_tells_no_token(root, world):
    login_create(user=world.users["owner"])
    login = ApiLogin.objects.get(user=world.users["owner"])
    assert login.refresh_jti not in root.get(reverse("admin:core_apilogin_change", args=[login.pk])).content.decode()


def test_editing_a_user_is_audited_without_his_secrets(root, world):
    url = reverse("admin:auth_user_change", args=[world.users["owner"].pk])
    body = {**{k: v for k, v in shown(root, url).items() if k not in ("universe", "password", "date_joined")}, "email": "o@example.org"}
    body |= {"date_joined_0": "2026-01-01", "date_joined_1": "00:00:00", "is_active": "on"}
    assert root.post(url, body).status_code == 302
    entry = AuditLog.objects.get(action_type="ADMIN_CHANGE", resource_type="user")
    assert entry.actor == "root"
    assert world.users["owner"].password not in str(entry.details)


def test_a_user_is_disabled_not_removed(root, world):
    assert root.post(reverse("admin:auth_user_delete", args=[world.users["owner"].pk]), {"post": "yes"}).status_code == 403


def test_a_job_of_the_timetable_can_be_switched_off(root):
    crontab = CrontabSchedule.objects.create(minute="5", hour="0", timezone="America/New_York")
    job = PeriodicTask.objects.create(name="snapshot", task="quant_site.schedules.equity_snapshot", crontab=crontab)
    assert root.get(reverse("admin:django_celery_beat_periodictask_change", args=[job.pk])).status_code == 200
    root.post(reverse("admin:django_celery_beat_periodictask_changelist"), {"action": "disable_tasks", "_selected_action": [job.pk]})
    job.refresh_from_db()
    assert not job.enabled
