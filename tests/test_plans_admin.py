"""In the admin plans and alerts go through their services: what they refuse is told beside the form, and only who may trade acts."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from quant_site.core import clock
from quant_site.core.models import AccountMember, AuditLog
from tests.intents_world import DAYS, FLAT, account_live, after, bars_write, orders_of
from trading.models import PriceAlert, TradingPlan

pytestmark = pytest.mark.django_db
PLAN = {
    "account": "desk", "symbol": "aaa", "direction": "LONG", "plan_type": "", "entry_price": "98", "stop_loss": "95",
    "take_profit": "110", "quantity": "10", "reasoning": "", "expired_at_0": "", "expired_at_1": "",
}  # fmt: skip
ALERT = {
    "account": "desk", "symbol": "AAA", "alert_type": "PRICE_ABOVE", "threshold_value": "105", "reference_price": "", "is_active": "on",
    "action_type": "NOTIFY_ONLY", "action_params": "{}", "firings-TOTAL_FORMS": "0", "firings-INITIAL_FORMS": "0",
}  # fmt: skip


@pytest.fixture
def desk(market_dir):
    with clock.use(after(DAYS[29])):
        bars_write("AAA", [FLAT] * 30)
        yield account_live(owner=User.objects.create_superuser("root", password="x"))


@pytest.fixture
def root(desk):
    client = Client()
    client.force_login(desk.owner)
    return client


def page(model: str, view: str, *args) -> str:
    return reverse(f"admin:trading_{model}_{view}", args=args)


def acts(kind: str) -> list[str]:
    return list(AuditLog.objects.filter(resource_type=kind, actor="root").order_by("id").values_list("action_type", flat=True))


def errors(answer) -> str:
    return str(answer.context["adminform"].form.errors)


def test_a_plan_is_made_changed_executed_and_taken_back(root):
    assert root.post(page("tradingplan", "add"), PLAN).status_code == 302
    plan = TradingPlan.objects.get()
    assert (plan.symbol, plan.plan_type, plan.status) == ("AAA", "PULLBACK", "ACTIVE")
    assert root.get(page("tradingplan", "changelist")).status_code == 200
    changed = root.post(page("tradingplan", "change", plan.pk), {**PLAN, "symbol": "AAA", "plan_type": "PULLBACK", "quantity": "5"})
    assert changed.status_code == 302
    root.post(page("tradingplan", "changelist"), {"action": "execute", "_selected_action": [plan.pk]})
    plan.refresh_from_db()
    assert (plan.status, [order.quantity for order in orders_of(plan)]) == ("EXECUTED", [5])
    assert root.post(page("tradingplan", "change", plan.pk), PLAN).status_code == 403
    root.post(page("tradingplan", "changelist"), {"action": "cancel", "_selected_action": [plan.pk]})
    root.post(page("tradingplan", "delete", plan.pk), {"post": "yes"})
    plan.refresh_from_db()
    assert (plan.status, plan.is_deleted) == ("CANCELLED", True)
    assert acts("tradingplan") == ["PLAN_CREATE", "PLAN_UPDATE", "PLAN_EXECUTE", "PLAN_CANCEL", "PLAN_DELETE"]
    assert root.get(page("tradingplan", "change", plan.pk)).status_code == 302  # as if it were not there


@pytest.mark.parametrize(("change", "told"), [({"stop_loss": "99"}, "stop &lt; entry &lt; target"), ({"symbol": "ZZZ"}, "No bars of ZZZ")])
def test_what_cannot_be_a_plan_is_told_on_the_form(root, change, told):
    answer = root.post(page("tradingplan", "add"), PLAN | change)
    assert answer.status_code == 200
    assert told in errors(answer).replace("&#x27;", "'")
    assert not TradingPlan.objects.exists()


def test_an_alert_is_made_changed_and_removed(root):
    assert root.post(page("pricealert", "add"), ALERT).status_code == 302
    alert = PriceAlert.objects.get()
    assert root.post(page("pricealert", "change", alert.pk), {**ALERT, "threshold_value": "99"}).status_code == 302
    alert.refresh_from_db()
    assert (alert.threshold_value, alert.is_beyond) == (99, True)
    root.post(page("pricealert", "changelist"), {"action": "delete_selected", "_selected_action": [alert.pk], "post": "yes"})
    alert.refresh_from_db()
    assert (alert.is_deleted, alert.is_active) == (True, False)
    assert acts("pricealert") == ["ALERT_CREATE", "ALERT_UPDATE", "ALERT_DELETE"]


def test_parameters_that_an_action_does_not_take_are_told_on_the_form(root):
    answer = root.post(page("pricealert", "add"), {**ALERT, "action_type": "AUTO_TRADE", "action_params": '{"side": "BUY"}'})
    assert "AUTO_TRADE does not take side" in errors(answer)


def test_a_plan_whose_order_is_out_is_not_deleted_and_says_why(root):
    root.post(page("tradingplan", "add"), PLAN)
    plan = TradingPlan.objects.get()
    root.post(page("tradingplan", "changelist"), {"action": "execute", "_selected_action": [plan.pk]})
    answer = root.post(page("tradingplan", "delete", plan.pk), {"post": "yes"}, follow=True)
    assert "cancel the plan first" in answer.content.decode()
    assert not TradingPlan.objects.get().is_deleted


def test_staff_who_may_only_look_at_an_account_change_nothing_on_it(root, desk):
    root.post(page("tradingplan", "add"), PLAN)
    plan = TradingPlan.objects.get()
    clerk = User.objects.create_user("clerk", password="x", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(content_type__app_label__in=["trading", "core"]))
    AccountMember.objects.create(account=desk, user=clerk, role=AccountMember.Role.READ)
    client = Client()
    client.force_login(clerk)
    assert client.get(page("tradingplan", "change", plan.pk)).status_code == 200
    assert client.post(page("tradingplan", "change", plan.pk), PLAN).status_code == 403
    assert client.post(page("tradingplan", "delete", plan.pk), {"post": "yes"}).status_code == 403
    client.post(page("tradingplan", "add"), PLAN)
    for act in ("execute", "cancel", "delete_selected"):
        client.post(page("tradingplan", "changelist"), {"action": act, "_selected_action": [plan.pk], "post": "yes"})
    plan = TradingPlan.objects.get()
    assert (plan.status, plan.is_deleted, orders_of(plan)) == ("ACTIVE", False, [])
