"""The terms of a plan are frozen with its order, never change after, and say so where somebody changed them."""

from datetime import timedelta

import pytest

from quant_site.core import clock
from quant_site.core.errors import Conflict, InvalidInput, LedgerMismatch, NotFound
from quant_site.core.models import Account
from tests.intents_world import DAYS, FLAT, D, account_live, after, bars_write
from trading.intents import plans as plans_module
from trading.intents.plan_freeze import frozen_terms, plan_freeze, terms_hash
from trading.intents.plans import plan_cancel, plan_create, plan_execute, plan_update, plans_follow
from trading.models import Order, TradingPlan
from trading.order_path.orders import order_cancel_request

pytestmark = pytest.mark.django_db
LONG = {"symbol": "AAA", "direction": "LONG", "quantity": D(10), "entry_price": D(98), "stop_loss": D(95), "take_profit": D(110)}


@pytest.fixture
def desk(market_dir):
    bars_write("AAA", [FLAT] * 30)
    with clock.use(after(DAYS[29])):
        yield account_live()


def make(account, **changes) -> TradingPlan:
    return plan_create(account=account, actor="tester", **(LONG | changes))


def executed(account, **changes) -> TradingPlan:
    plan = make(account, **changes)
    plan_execute(plan=plan, actor="tester")
    plan.refresh_from_db()
    return plan


def test_a_plan_is_not_frozen_before_it_is_ordered(desk):
    plan = make(desk)
    assert (plan.frozen_terms, plan.frozen_hash) == (None, "")
    with pytest.raises(NotFound):
        frozen_terms(plan)


def test_executing_freezes_the_terms_under_their_hash(desk):
    expires = clock.now() + timedelta(days=9)
    plan = executed(desk, expired_at=expires)
    terms = frozen_terms(plan)
    assert (terms.symbol, terms.direction, terms.plan_type) == ("AAA", "LONG", "PULLBACK")
    assert (terms.entry_price, terms.stop_loss, terms.take_profit, terms.quantity) == (D(98), D(95), D(110), D(10))
    assert (terms.planned_at, terms.expired_at) == (clock.now(), expires)
    assert plan.frozen_hash == terms_hash(plan.frozen_terms)
    assert len(plan.frozen_hash) == 64


def test_the_terms_are_frozen_before_the_order_is_placed(desk, monkeypatch):
    seen = []
    place = plans_module.intent_order

    def placed(**order):
        seen.append(bool(order["plan"].frozen_hash))
        return place(**order)

    monkeypatch.setattr(plans_module, "intent_order", placed)
    executed(desk)
    assert seen == [True]


def test_frozen_terms_are_neither_frozen_again_nor_written_by_a_change(desk):
    plan = executed(desk)
    with pytest.raises(Conflict) as again:
        plan_freeze(plan)
    assert again.value.code == "plan_frozen"
    with pytest.raises(Conflict):
        plan_update(plan=plan, actor="tester", changes={"stop_loss": D(90)})
    for name in ("frozen_terms", "frozen_hash"):
        with pytest.raises(InvalidInput):
            plan_update(plan=make(desk), actor="tester", changes={name: ""})


def test_an_ordered_plan_that_has_not_heard_of_its_fill_is_not_ordered_or_changed_again(desk):
    plan = executed(desk)
    Order.objects.filter(plan=plan).update(status="FILLED", filled_quantity=10)
    TradingPlan.objects.filter(pk=plan.pk).update(status="ACTIVE")
    for act in (
        lambda: plan_execute(plan=plan, actor="tester"),
        lambda: plan_update(plan=plan, actor="tester", changes={"quantity": D(5)}),
    ):
        with pytest.raises(Conflict) as refused:
            act()
        assert refused.value.code == "plan_frozen"


def test_taking_a_plan_back_keeps_what_was_frozen(desk):
    plan = executed(desk)
    before = plan.frozen_terms
    plan_cancel(plan=plan, actor="tester")
    plan.refresh_from_db()
    assert plan.frozen_terms == before
    assert frozen_terms(plan).stop_loss == D(95)


def test_a_plan_whose_order_was_denied_is_free_again(desk):
    Account.objects.filter(pk=desk.pk).update(max_position_pct=D("0.0001"))
    desk.refresh_from_db()
    plan = make(desk)
    order = plan_execute(plan=plan, actor="tester")
    plan.refresh_from_db()
    assert (order.status, plan.status, plan.frozen_hash) == ("DENIED", "ACTIVE", "")
    plan_update(plan=plan, actor="tester", changes={"quantity": D(5)})


def test_a_plan_whose_order_waits_is_frozen_and_free_again_when_that_is_taken_back(desk):
    Account.objects.filter(pk=desk.pk).update(confirm_above=D(1))
    desk.refresh_from_db()
    plan = executed(desk)
    assert plan.status == "ACTIVE"
    assert plan.frozen_hash
    order_cancel_request(order=plan.orders.get(), actor="tester")
    changed = plan_update(plan=plan, actor="tester", changes={"quantity": D(5)})
    assert changed.frozen_hash == ""
    plans_follow()
    plan_execute(plan=plan, actor="tester")
    plan.refresh_from_db()
    assert frozen_terms(plan).quantity == D(5)


@pytest.mark.parametrize(
    "tamper",
    [
        lambda plan: {"frozen_terms": {**plan.frozen_terms, "stop_loss": "80"}},
        lambda plan: {"frozen_terms": None},
        lambda plan: {"frozen_hash": "0" * 64},
        lambda plan: {"frozen_hash": ""},
    ],
)
def test_a_changed_row_is_said(desk, tamper):
    plan = executed(desk)
    TradingPlan.objects.filter(pk=plan.pk).update(**tamper(plan))
    plan.refresh_from_db()
    with pytest.raises(LedgerMismatch) as said:
        frozen_terms(plan)
    assert f"plan {plan.pk}" in said.value.message


def test_the_terms_of_another_plan_are_not_its_own(desk):
    first, second = executed(desk), executed(desk, quantity=D(20))
    TradingPlan.objects.filter(pk=second.pk).update(frozen_terms=first.frozen_terms, frozen_hash=first.frozen_hash)
    second.refresh_from_db()
    with pytest.raises(LedgerMismatch):
        frozen_terms(second)
