"""The page of plans and alerts: made, changed, executed and taken back by those who may; what cannot be is said beside its field."""

import re
from datetime import UTC, datetime

import pytest
from django.test import Client
from django.urls import reverse

from quant_site.core import clock
from quant_site.core.models import Account
from tests.desk_world import NOW, D, account_make, people, position_make, signed_in
from tests.test_pages_desk import part, plain
from trading.intents.alerts import alert_create
from trading.intents.plans import plan_create
from trading.models import AlertFiring, Order, PriceAlert, TradingPlan

pytestmark = pytest.mark.django_db
PAGE, NEW_PLAN, NEW_ALERT = reverse("plans"), reverse("plan-new"), reverse("alert-new")


@pytest.fixture(autouse=True)
def after_the_close(market_dir):
    with clock.use(NOW):
        yield


@pytest.fixture
def users():
    return people()


@pytest.fixture
def account(users):
    return account_make(users)


@pytest.fixture
def owner(users):
    return signed_in(users["owner"])


def page_of(user, account, **query) -> str:
    answer = signed_in(user).get(PAGE, {"account": account.pk, **query})
    assert answer.status_code == 200
    return answer.content.decode()


def plan_make(account, actor, **fields) -> TradingPlan:
    terms = {"symbol": "AAA", "direction": "LONG", "quantity": D(10), "entry_price": D(99), "stop_loss": D(94), "take_profit": D(109)}
    return plan_create(account=account, actor=actor, **(terms | fields))


def alert_make(account, actor, **fields) -> PriceAlert:
    terms = {"symbol": "AAA", "alert_type": "PRICE_ABOVE", "threshold_value": D(110)}
    return alert_create(account=account, actor=actor, **(terms | fields))


def plan_body(account, **fields) -> dict:
    values = {"account": account.pk, "symbol": "aaa", "direction": "LONG", "plan_type": "", "quantity": "10", "entry_price": "99"}
    return values | {"stop_loss": "94", "take_profit": "109", "expired_at": "", "reasoning": ""} | fields


def alert_body(account, **fields) -> dict:
    values = {"account": account.pk, "symbol": "AAA", "alert_type": "PRICE_BELOW", "threshold_value": "95", "action_type": "NOTIFY_ONLY"}
    return values | fields


def wrong_field(answer, form: str) -> str:
    """The one field of the form that something is wrong with."""
    [found] = re.findall(r'<div class="field wrong.*?</div>', part(answer.content.decode(), form), re.S)
    return found


# --- who


@pytest.fixture
def everything(account, users):
    plan, alert = plan_make(account, users["owner"]), alert_make(account, users["owner"])
    return {
        NEW_PLAN: plan_body(account),
        reverse("plan-change", args=[plan.pk]): plan_body(account, quantity="11"),
        reverse("plan-execute", args=[plan.pk]): {},
        reverse("plan-cancel", args=[plan.pk]): {},
        reverse("plan-delete", args=[plan.pk]): {},
        NEW_ALERT: alert_body(account),
        reverse("alert-switch", args=[alert.pk]): {"active": "0"},
        reverse("alert-delete", args=[alert.pk]): {},
    }


def rows() -> list:
    plans = TradingPlan.objects.order_by("pk").values_list("pk", "status", "quantity", "is_deleted")
    return [*plans, *PriceAlert.objects.order_by("pk").values_list("pk", "is_active", "is_deleted"), Order.objects.count()]


def test_who_may_look_sees_plans_and_alerts_and_no_form(account, users, everything):
    plan = TradingPlan.objects.get().pk
    for name, forms in (("owner", True), ("trader", True), ("reader", False)):
        text = page_of(users[name], account, plan=plan)
        assert "Entry 99.00 Stop 94.00 Target 109.00 R:R 1.87" in plain(part(text, f"plan-{plan}"))
        assert "Price above" in part(text, "alerts")
        for path in everything:
            if path != NEW_PLAN:  # the form of the plan stands in its place
                assert (path in text) is forms, (name, path)
    assert NEW_PLAN in page_of(users["owner"], account) and NEW_PLAN not in page_of(users["reader"], account)


def test_nothing_of_it_is_anothers_and_nothing_happens_by_a_link_or_from_elsewhere(account, users, everything):
    before = rows()
    assert signed_in(users["other"]).get(PAGE, {"account": account.pk}).status_code == 404
    assert Client().get(PAGE).url.startswith(reverse("login"))
    for path, body in everything.items():
        assert signed_in(users["other"]).post(path, body).status_code == 404, path
        assert signed_in(users["reader"]).post(path, body).status_code == 403, path
        assert signed_in(users["owner"], enforce_csrf_checks=True).post(path, body).status_code == 403, path
        assert signed_in(users["owner"]).get(path, body).url == PAGE
        assert Client().post(path, body).url.startswith(reverse("login"))
    assert rows() == before


def test_nobody_acts_on_a_replay(account, users, everything):
    Account.objects.update(is_replay=True)
    before = rows()
    for path, body in everything.items():
        assert path not in page_of(users["owner"], account)
        assert signed_in(users["owner"]).post(path, body).status_code == 403
    assert rows() == before


def test_each_form_does_what_it_says(account, users, everything):
    """The same forms that did nothing for the others above."""
    client = signed_in(users["trader"])
    for path, body in everything.items():
        before, answer = rows(), client.post(path, body)
        assert (answer.status_code, answer.url) == (302, f"{PAGE}?account=DESK#messages"), path
        assert rows() != before, path


def test_an_empty_account_says_what_to_do(account, users):
    text = plain(page_of(users["owner"], account))
    for words in ("No plan yet.", "No alert yet.", "No alert has fired yet."):
        assert words in text
    assert "No account yet" in signed_in(users["other"]).get(PAGE).content.decode()


def test_the_page_needs_few_queries_however_many_plans_there_are(account, users, owner, django_assert_max_num_queries):
    for number in range(45):
        plan_make(account, users["owner"], quantity=D(10 + number))
    with django_assert_max_num_queries(25):
        text = owner.get(PAGE).content.decode()
    assert len(re.findall('id="plan-[0-9]+"', text)) == 40 and "page=2" in text


# --- plans


def test_a_plan_is_written_with_its_type_by_its_entry_and_its_time_in_new_york(account, owner):
    answer = owner.post(NEW_PLAN, plan_body(account, expired_at="2019-07-01T09:30", auto_execute="on", reasoning="Support."), follow=True)
    plan = TradingPlan.objects.get()
    assert (plan.symbol, plan.plan_type, plan.quantity, plan.created_source) == ("AAA", "PULLBACK", 10, "MANUAL")
    assert plan.expired_at == datetime(2019, 7, 1, 13, 30, tzinfo=UTC)
    assert plan.auto_execute and plan.reasoning == "Support."
    text = answer.content.decode()
    assert f"Plan {plan.pk} is written: Long AAA." in plain(text)
    shown = plain(part(text, f"plan-{plan.pk}"))
    for words in ("Expires 2019-07-01 09:30", "executes by itself", "waiting", "Support."):
        assert words in shown


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        ({"symbol": "ZZZ"}, "symbol", "No bars of ZZZ are stored"),
        ({"symbol": "a/b"}, "symbol", "is not a symbol"),
        ({"entry_price": "", "plan_type": "BREAKOUT"}, "entry_price", "A Breakout needs an entry price"),
        ({"stop_loss": "99.5"}, "entry_price", "A Long needs stop &lt; entry &lt; target."),
        ({"stop_loss": "-1"}, "stop_loss", "The stop must be above zero and at most 1000000000, not -1."),
        ({"direction": "CLOSE"}, "stop_loss", "neither stop nor target"),
        ({"quantity": ""}, "quantity", "Give a quantity"),
        ({"quantity": "1.5"}, "quantity", "whole number above zero"),
        ({"quantity": "x"}, "quantity", "number"),
        ({"expired_at": "2019-01-02T10:00"}, "expired_at", "would have expired already"),
        ({"expired_at": "tomorrow"}, "expired_at", "valid date"),
        ({"direction": "UP"}, "direction", "UP"),
    ],
)
def test_what_no_plan_can_be_is_said_beside_its_field(account, owner, fields, field, said):
    answer = owner.post(NEW_PLAN, plan_body(account, **fields))
    assert answer.status_code == 400
    wrong = wrong_field(answer, "plan-form")
    assert f'id="plan_{field}"' in wrong and said in wrong
    assert 'value="109"' in part(answer.content.decode(), "plan-form")
    assert TradingPlan.objects.count() == 0


def test_a_plan_is_changed_by_what_differs_in_its_form(account, owner, users):
    plan = plan_make(account, users["owner"], expired_at=datetime(2019, 7, 1, 13, 30, tzinfo=UTC), auto_execute=True)
    form = part(page_of(users["owner"], account, plan=plan.pk), "plan-form")
    for words in ('value="AAA"', 'value="99"', 'value="2019-07-01T09:30"', "checked", f"Change plan {plan.pk}"):
        assert words in form
    sent = plan_body(account, symbol="AAA", plan_type="PULLBACK", stop_loss="93", expired_at="2019-07-01T09:30", auto_execute="on")
    owner.post(reverse("plan-change", args=[plan.pk]), sent)
    changed = TradingPlan.objects.get()
    assert (changed.stop_loss, changed.auto_execute, changed.expired_at) == (93, True, plan.expired_at)
    answer = owner.post(reverse("plan-change", args=[plan.pk]), sent | {"take_profit": "50"})
    assert answer.status_code == 400 and "stop &lt; entry &lt; target" in wrong_field(answer, "plan-form")
    assert f"Change plan {plan.pk}" in part(answer.content.decode(), "plan-form")


def test_a_plan_that_is_over_or_anothers_has_no_form(account, users):
    over = plan_make(account, users["owner"])
    TradingPlan.objects.update(status="CANCELLED")
    foreign = plan_make(account_make(users, "OTHER-1"), users["owner"])
    for number in (over.pk, foreign.pk, "x", "9" * 40):
        assert "New plan" in part(page_of(users["owner"], account, plan=number), "plan-form")


def test_executing_a_plan_orders_it_and_says_so(account, owner, users):
    plan = plan_make(account, users["owner"])
    answer = owner.post(reverse("plan-execute", args=[plan.pk]), follow=True)
    order = Order.objects.get()
    assert (order.plan, order.order_type, order.limit_price, order.status) == (plan, "LMT", 99, "INTENT")
    text = plain(answer.content.decode())
    assert f"Plan {plan.pk} is executed: order {order.pk} goes out" in text
    assert reverse("plan-execute", args=[plan.pk]) not in answer.content.decode()
    again = owner.post(reverse("plan-execute", args=[plan.pk]))
    assert again.status_code == 409 and Order.objects.count() == 1
    assert "make another one" in part(again.content.decode(), f"plan-{plan.pk}")


def test_an_order_that_is_denied_leaves_the_plan_and_says_why(account, owner, users):
    plan = plan_make(account, users["owner"])
    Account.objects.update(state="HALTED")
    text = owner.post(reverse("plan-execute", args=[plan.pk]), follow=True).content.decode()
    assert "message-error" in text and "was denied: The account is halted: nothing is sent." in plain(text)
    shown = plain(part(text, f"plan-{plan.pk}"))
    assert "waiting" in shown and "The account is halted: nothing is sent." in shown and "Denied" in shown


def test_an_order_that_waits_leads_to_where_it_is_confirmed(account, owner, users):
    plan = plan_make(account, users["owner"])
    Account.objects.update(confirm_above=D(500))
    text = owner.post(reverse("plan-execute", args=[plan.pk]), follow=True).content.decode()
    order = Order.objects.get()
    assert "message-warning" in text and "waits for a confirmation" in plain(text)
    assert f"/risk/?account=DESK#confirm-{order.pk}" in part(text, f"plan-{plan.pk}")
    assert f"Order {order.pk} waits for a confirmation: It trades 990.00, more than 500.00." in plain(part(text, f"plan-{plan.pk}"))
    answer = owner.post(reverse("plan-delete", args=[plan.pk]))
    assert answer.status_code == 409
    assert "cancel the plan first" in part(answer.content.decode(), f"plan-{plan.pk}")


def test_closing_what_is_not_held_is_said_at_the_plan(account, owner, users):
    plan = plan_make(account, users["owner"], direction="CLOSE", quantity=None, entry_price=None, stop_loss=None, take_profit=None)
    answer = owner.post(reverse("plan-execute", args=[plan.pk]))
    assert answer.status_code == 409
    assert "holds no AAA: there is nothing to close" in part(answer.content.decode(), f"plan-{plan.pk}")
    position_make(account)
    owner.post(reverse("plan-execute", args=[plan.pk]))
    assert Order.objects.values_list("purpose", "side", "quantity").get() == ("EXIT", "SELL", 100)


def test_a_plan_that_has_no_reward_to_risk_says_why(account, users):
    plan = plan_make(account, users["owner"], take_profit=None)
    assert 'title="It needs target."' in part(page_of(users["owner"], account), f"plan-{plan.pk}")


def test_taking_back_calls_its_orders_back_and_deleting_hides_it(account, owner, users):
    plan = plan_make(account, users["owner"])
    owner.post(reverse("plan-execute", args=[plan.pk]))
    owner.post(reverse("plan-cancel", args=[plan.pk]))
    assert (TradingPlan.objects.get().status, Order.objects.get().status) == ("CANCELLED", "CANCELLED")
    answer = owner.post(reverse("plan-delete", args=[plan.pk]), follow=True)
    assert f"Plan {plan.pk} is deleted." in plain(answer.content.decode()) and f'id="plan-{plan.pk}"' not in answer.content.decode()
    assert owner.post(reverse("plan-cancel", args=[plan.pk])).status_code == 404


# --- alerts


def test_an_alert_that_notifies_is_written_and_watches(account, owner):
    answer = owner.post(NEW_ALERT, alert_body(account), follow=True)
    alert = PriceAlert.objects.get()
    assert (alert.symbol, alert.threshold_value, alert.action_params, alert.is_active) == ("AAA", 95, {"once": False}, True)
    text = answer.content.decode()
    assert "The alert on AAA watches from now on." in plain(text)
    assert "AAA Price below 95.00 watching Notify" in plain(part(text, f"alert-{alert.pk}"))


def test_an_alert_that_trades_keeps_what_was_filled_in_and_nothing_else(account, owner):
    fields = {"direction": "LONG", "quantity": "5", "stop_loss": "90", "order_type": "LMT", "limit_price": "95.5"}
    answer = owner.post(NEW_ALERT, alert_body(account, action_type="AUTO_TRADE", plan_type="", **fields), follow=True)
    alert = PriceAlert.objects.get()
    assert alert.action_params == fields | {"once": True}
    shown = plain(part(answer.content.decode(), f"alert-{alert.pk}"))
    assert "direction Long" in shown and "quantity 5" in shown and "limit 95.5" in shown and "once only" in shown


def test_an_alert_that_plans_takes_the_terms_of_a_plan(account, owner):
    fields = {"direction": "SHORT", "quantity": "5", "plan_type": "BREAKOUT", "valid_days": "7", "auto_execute": "on"}
    owner.post(NEW_ALERT, alert_body(account, action_type="CREATE_PLAN", **fields))
    wanted = {"direction": "SHORT", "quantity": "5", "plan_type": "BREAKOUT", "valid_days": 7, "auto_execute": True, "once": True}
    assert PriceAlert.objects.get().action_params == wanted


def test_a_change_in_per_cent_is_shown_as_one(account, owner):
    owner.post(NEW_ALERT, alert_body(account, alert_type="PERCENT_CHANGE", threshold_value="-3.5", reference_price="101"))
    shown = plain(part(owner.get(PAGE).content.decode(), f"alert-{PriceAlert.objects.get().pk}"))
    assert "−3.50% from 101.00" in shown


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        ({"symbol": "ZZZ"}, "symbol", "No bars of ZZZ are stored"),
        ({"threshold_value": "0"}, "threshold_value", "The threshold must be above zero"),
        ({"threshold_value": ""}, "threshold_value", "required"),
        ({"alert_type": "PERCENT_CHANGE", "threshold_value": "-100"}, "threshold_value", "between -100 and 0"),
        ({"reference_price": "90"}, "reference_price", "Only a change in per cent has a reference"),
        ({"action_type": "AUTO_TRADE", "quantity": "5"}, "direction", "needs a direction"),
        ({"action_type": "AUTO_TRADE", "direction": "LONG"}, "quantity", "Give a quantity"),
        (
            {"action_type": "AUTO_TRADE", "direction": "LONG", "quantity": "5", "order_type": "LMT"},
            "limit_price",
            "needs? a limit_price|has a",
        ),
        ({"action_type": "AUTO_TRADE", "direction": "LONG", "quantity": "5", "valid_days": "3"}, "action_type", "does not take"),
        ({"action_type": "CREATE_PLAN", "direction": "LONG", "quantity": "5", "valid_days": "900"}, "valid_days", "365"),
        ({"quantity": "5"}, "action_type", "Notify does not take quantity; it takes once only."),
    ],
)
def test_what_no_alert_can_be_is_said_beside_its_field(account, owner, fields, field, said):
    answer = owner.post(NEW_ALERT, alert_body(account, **fields))
    assert answer.status_code == 400
    wrong = wrong_field(answer, "alert-form")
    assert f'id="alert_{field}"' in wrong and re.search(said, wrong)
    assert PriceAlert.objects.count() == 0


def test_what_it_plans_or_trades_is_shown_again_when_something_of_it_was_wrong(account, owner):
    form = part(owner.post(NEW_ALERT, alert_body(account, action_type="AUTO_TRADE", quantity="5")).content.decode(), "alert-form")
    assert '<details class="wide" open>' in form and 'value="5"' in form
    assert '<details class="wide">' in part(owner.get(PAGE).content.decode(), "alert-form")


def test_an_alert_is_switched_off_and_on_and_deleted(account, owner, users):
    alert = alert_make(account, users["owner"])
    switch = reverse("alert-switch", args=[alert.pk])
    assert "AAA is switched off" in owner.post(switch, {"active": "0"}, follow=True).content.decode()
    assert not PriceAlert.objects.get().is_active
    assert "off" in plain(part(owner.get(PAGE).content.decode(), f"alert-{alert.pk}"))
    owner.post(switch, {"active": "1"})
    assert PriceAlert.objects.get().is_active
    answer = owner.post(reverse("alert-delete", args=[alert.pk]), follow=True)
    assert f'id="alert-{alert.pk}"' not in answer.content.decode()
    assert owner.post(switch, {"active": "1"}).status_code == 404


def test_firings_are_shown_with_what_came_of_them(account, owner, users):
    alert, plan = alert_make(account, users["owner"]), plan_make(account, users["owner"])
    PriceAlert.objects.update(is_active=False, trigger_count=2, triggered_at=clock.now())
    details = [("PLANNED", "", plan), ("REFUSED", "HALTED: The account is halted: nothing is sent.", None)]
    for number, (outcome, detail, made) in enumerate(details, start=1):
        AlertFiring.objects.create(
            alert=alert, crossing=number, price=D("110.5"), at=clock.now(), outcome=outcome, detail=detail, plan=made
        )
    text = page_of(users["reader"], account)
    assert "fired" in plain(part(text, f"alert-{alert.pk}"))
    shown = plain(part(text, "firings"))
    assert f"110.50 Planned Plan {plan.pk}" in shown
    assert "110.50 Refused The account is halted: nothing is sent." in shown
