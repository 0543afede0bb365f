"""A plan from its making to its order, its expiry or its end, and what cannot be one."""

from datetime import timedelta

import pytest

from quant_site.core import clock
from quant_site.core.errors import Conflict, InvalidInput, NotAllowed, NotFound
from quant_site.core.models import AuditLog, OutboxEvent
from tests.intents_world import DAYS, FLAT, D, account_live, after, bars_write, moment, orders_of
from trading.intents import intent_tickets
from trading.intents.plans import (
    plan_cancel,
    plan_create,
    plan_delete,
    plan_execute,
    plan_risk_reward,
    plan_update,
    plans_expire,
    plans_follow,
)
from trading.models import Order, Position, TradingPlan
from trading.order_path.orders import order_cancel_request
from trading.order_path.rows import order_move
from trading.order_path.states import OrderStatus
from trading.vocabulary import OrderType

pytestmark = pytest.mark.django_db
LONG = {"symbol": "AAA", "direction": "LONG", "quantity": D(10), "entry_price": D(98), "stop_loss": D(95), "take_profit": D(110)}


@pytest.fixture
def desk(market_dir):
    bars_write("AAA", [FLAT] * 30)
    bars_write("IDX", [FLAT] * 30, tradable=False)
    with clock.use(after(DAYS[29])) as time:
        account = account_live()
        account.time = time
        yield account


def make(account, **changes) -> TradingPlan:
    return plan_create(account=account, actor="tester", **(LONG | changes))


def hold(account, quantity=20) -> Position:
    quantity = D(quantity)
    fields = {"cost": quantity * 100, "entry_session": DAYS[0], "entry_price": D(100), "last_entry_price": D(100)}
    return Position.objects.create(
        account=account, symbol="AAA", group="AAA", direction="LONG" if quantity > 0 else "SHORT", quantity=quantity,
        peak_quantity=abs(quantity), entry_cost=quantity * 100, **fields,
    )  # fmt: skip


def acts(plan) -> list[str]:
    rows = AuditLog.objects.filter(resource_type="tradingplan", resource_id=str(plan.pk)).order_by("id")
    return list(rows.values_list("action_type", flat=True))


def events(plan) -> list[str]:
    rows = OutboxEvent.objects.filter(type__startswith="plan.", account_id=plan.account_id).order_by("id")
    return [row.type for row in rows if row.payload["id"] == plan.pk]


# --- what is a plan


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"stop_loss": D(99)}, "levels_out_of_order"),
        ({"take_profit": D(97)}, "levels_out_of_order"),
        ({"stop_loss": D(98)}, "levels_out_of_order"),
        ({"direction": "SHORT"}, "levels_out_of_order"),
        ({"entry_price": None, "stop_loss": D(110), "take_profit": D(95)}, "levels_out_of_order"),
        ({"direction": "SIDEWAYS"}, "bad_plan"),
        ({"plan_type": "LATER"}, "bad_plan"),
        ({"entry_price": D(0)}, "bad_price"),
        ({"entry_price": D("NaN")}, "not_a_number"),
        ({"entry_price": D("1e15"), "take_profit": None}, "bad_price"),
        ({"entry_price": None, "plan_type": "BREAKOUT"}, "entry_missing"),
        ({"quantity": D("1.5")}, "bad_quantity"),
        ({"quantity": D(0)}, "bad_quantity"),
        ({"quantity": D(-3)}, "bad_quantity"),
        ({"quantity": None}, "bad_quantity"),
        ({"direction": "CLOSE"}, "close_has_no_levels"),
        ({"symbol": "ZZZ"}, "unknown_symbol"),
        ({"symbol": "../etc"}, "invalid_symbol"),
        ({"symbol": "IDX"}, "not_tradable"),
        ({"expired_at": moment(DAYS[29])}, "already_expired"),
    ],
)
def test_what_cannot_be_a_plan_is_refused_and_leaves_nothing(desk, changes, code):
    with pytest.raises(InvalidInput) as refused:
        make(desk, **changes)
    assert refused.value.code == code
    assert not TradingPlan.objects.exists()


def test_a_short_has_its_levels_the_other_way_round(desk):
    plan = make(desk, direction="SHORT", entry_price=D(102), stop_loss=D(105), take_profit=D(90))
    assert plan.status == "ACTIVE"


def test_the_type_follows_from_the_entry(desk):
    assert make(desk).plan_type == "PULLBACK"
    assert make(desk, entry_price=None).plan_type == "MARKET"


def test_an_account_of_a_replay_takes_no_plan(desk):
    desk.is_replay = True
    with pytest.raises(NotAllowed):
        make(desk)


def test_gain_against_risk_is_net_of_costs_and_blocks_nothing(desk):
    # 100 shares: commission 1.00 each way; the stop pays 3 basis points. (12·100 − 2) / (3·100 + 2.85 + 2) = 3.93…
    plan = make(desk, quantity=D(100))
    assert plan_risk_reward(plan).value == D("3.9298")
    poor = make(desk, take_profit=D("98.01"))
    assert plan_risk_reward(poor).value < 0
    assert plan_risk_reward(make(desk, take_profit=None)).reason == "It needs target."


# --- executing


@pytest.mark.parametrize(
    ("changes", "order_type", "limit", "stop"),
    [
        ({}, OrderType.LIMIT, D(98), None),
        ({"plan_type": "BREAKOUT", "entry_price": D(103)}, OrderType.STOP, None, D(103)),
        ({"entry_price": None}, OrderType.MARKET, None, None),
    ],
)
def test_executing_orders_what_the_type_says_and_links_it(desk, changes, order_type, limit, stop):
    plan = make(desk, **changes)
    order = plan_execute(plan=plan, actor="tester")
    assert (order.order_type, order.limit_price, order.stop_price) == (order_type, limit, stop)
    assert (order.origin, order.side, order.quantity, order.stop_loss, order.take_profit) == ("PLAN", "BUY", 10, D(95), D(110))
    assert (order.status, order.plan_id) == ("INTENT", plan.pk)
    plan.refresh_from_db()
    assert (plan.status, plan.status_reason, plan.executed_at) == ("EXECUTED", "", clock.now())
    assert (acts(plan), events(plan)) == (["PLAN_CREATE", "PLAN_EXECUTE"], ["plan.created", "plan.executed"])


def test_a_plan_is_executed_once(desk):
    plan = make(desk)
    plan_execute(plan=plan, actor="tester")
    with pytest.raises(Conflict, match="is EXECUTED"):
        plan_execute(plan=plan, actor="tester")
    assert len(orders_of(plan)) == 1


def test_a_denied_order_leaves_the_plan_active_and_says_why(desk):
    type(desk).objects.filter(pk=desk.pk).update(state="HALTED")
    plan = make(desk)
    assert plan_execute(plan=plan, actor="tester").status == "DENIED"
    plan.refresh_from_db()
    assert plan.status == "ACTIVE"
    assert plan.status_reason.startswith("HALTED: ")
    type(desk).objects.filter(pk=desk.pk).update(state="ACTIVE")
    assert plan_execute(plan=plan, actor="tester").status == "INTENT"
    plan.refresh_from_db()
    assert (plan.status, len(orders_of(plan))) == ("EXECUTED", 2)


def test_a_denial_in_the_last_look_makes_the_plan_active_again(desk):
    plan = make(desk, auto_execute=True)
    order = plan_execute(plan=plan, actor="tester")
    order_move(order, OrderStatus.DENIED, reason="STALE_QUOTE: The quote is old.")
    assert plans_follow() == 1
    plan.refresh_from_db()
    assert (plan.status, plan.status_reason, plan.executed_at) == ("ACTIVE", "STALE_QUOTE: The quote is old.", None)
    assert not plan.auto_execute
    assert plans_follow() == 0
    desk.time.move_to(moment(DAYS[29], 2))
    plan_update(plan=plan, actor="tester", changes={"auto_execute": True})
    assert plans_follow() == 0  # the old denial does not undo what a person has changed since
    assert TradingPlan.objects.get().auto_execute


def test_an_order_that_waits_for_a_confirmation_leaves_the_plan_active_until_it_is_given(desk):
    type(desk).objects.filter(pk=desk.pk).update(confirm_above=D(500))
    plan = make(desk)
    plan.account.refresh_from_db()
    order = plan_execute(plan=plan, actor="tester")
    plan.refresh_from_db()
    assert order.awaits
    assert plan.status == "ACTIVE"
    assert plan.status_reason.startswith(f"Order {order.pk} waits for a confirmation: It trades 980.00")
    assert plans_follow() == 0
    for act in (lambda: plan_execute(plan=plan, actor="x"), lambda: plan_update(plan=plan, actor="x", changes={"quantity": D(1)})):
        with pytest.raises(Conflict, match="waits already"):
            act()
    Order.objects.filter(pk=order.pk).update(status="ACKED", awaits="")  # somebody confirmed it, and it was sent
    assert plans_follow() == 1
    plan.refresh_from_db()
    assert plan.status == "EXECUTED"


def test_an_order_that_was_never_confirmed_leaves_the_plan_active(desk):
    type(desk).objects.filter(pk=desk.pk).update(confirm_above=D(500))
    plan = make(desk)
    plan.account.refresh_from_db()
    order = plan_execute(plan=plan, actor="tester")
    order_cancel_request(order=order, actor="tester")
    assert plans_follow() == 1
    plan.refresh_from_db()
    assert (plan.status, plan.status_reason) == ("ACTIVE", f"Order {order.pk} was not confirmed in time: it is CANCELLED.")
    assert plans_follow() == 0


def test_what_raises_leaves_the_plan_as_it_was(desk, monkeypatch):
    def refuse(**ticket):
        raise InvalidInput("bad_lot", "Round lots only.")

    plan = make(desk)
    monkeypatch.setattr(intent_tickets, "ticket_place", refuse)
    with pytest.raises(InvalidInput, match="Round lots"):
        plan_execute(plan=plan, actor="tester")
    plan.refresh_from_db()
    assert (plan.status, plan.status_reason, acts(plan)) == ("ACTIVE", "", ["PLAN_CREATE"])


# --- closing


CLOSE = {"direction": "CLOSE", "stop_loss": None, "take_profit": None, "entry_price": None}


@pytest.mark.parametrize(
    ("held", "quantity", "side", "purpose", "ordered"),
    [
        (D(20), None, "SELL", "EXIT", 20),
        (D(-20), None, "BUY", "EXIT", 20),
        (D(20), D(20), "SELL", "EXIT", 20),
        (D(20), D(5), "SELL", "REDUCE", 5),
    ],
)
def test_closing_trades_against_what_is_held(desk, held, quantity, side, purpose, ordered):
    position = hold(desk, held)
    order = plan_execute(plan=make(desk, **CLOSE, quantity=quantity), actor="tester")
    assert (order.side, order.purpose, order.quantity, order.position_id) == (side, purpose, ordered, position.pk)


def test_closing_what_is_not_there_or_more_than_is_there_is_refused(desk):
    with pytest.raises(Conflict, match="nothing to close"):
        plan_execute(plan=make(desk, **CLOSE, quantity=None), actor="tester")
    hold(desk)
    with pytest.raises(InvalidInput, match="Only 20 AAA are held"):
        plan_execute(plan=make(desk, **CLOSE, quantity=D(21)), actor="tester")
    hold(desk)
    with pytest.raises(Conflict, match="Several positions"):
        plan_execute(plan=make(desk, **CLOSE, quantity=None), actor="tester")


# --- changing, taking back, expiring, hiding


def test_only_an_active_plan_can_be_changed(desk):
    plan = plan_update(plan=make(desk), actor="tester", changes={"entry_price": D(97), "quantity": D(5)})
    assert (plan.entry_price, plan.quantity) == (97, 5)
    with pytest.raises(InvalidInput, match="stop < entry < target"):
        plan_update(plan=plan, actor="tester", changes={"stop_loss": D(97)})
    with pytest.raises(InvalidInput, match="status of a plan cannot be changed"):
        plan_update(plan=plan, actor="tester", changes={"status": "EXECUTED"})
    plan_execute(plan=plan, actor="tester")
    with pytest.raises(Conflict):
        plan_update(plan=plan, actor="tester", changes={"quantity": D(6)})
    assert acts(plan) == ["PLAN_CREATE", "PLAN_UPDATE", "PLAN_EXECUTE"]


def test_a_change_that_changes_nothing_leaves_no_trace(desk):
    plan = make(desk)
    plan_update(plan=plan, actor="tester", changes={"quantity": D(10)})
    assert acts(plan) == ["PLAN_CREATE"]


def test_the_type_follows_an_entry_that_goes(desk):
    assert plan_update(plan=make(desk), actor="tester", changes={"entry_price": None}).plan_type == "MARKET"


@pytest.mark.parametrize(("status", "asked"), [("INTENT", False), ("ACKED", True)])
def test_taking_a_plan_back_asks_for_its_order_to_be_cancelled(desk, status, asked):
    plan = make(desk)
    order = plan_execute(plan=plan, actor="tester")
    Order.objects.filter(pk=order.pk).update(status=status)
    plan_cancel(plan=plan, actor="tester", reason="Changed my mind.")
    plan.refresh_from_db()
    order.refresh_from_db()
    assert (plan.status, plan.status_reason) == ("CANCELLED", "Changed my mind.")
    assert (order.status, order.cancel_requested) == (("ACKED", True) if asked else ("CANCELLED", False))
    assert plan_cancel(plan=plan, actor="tester").status == "CANCELLED"
    assert acts(plan).count("PLAN_CANCEL") == 1


def test_a_plan_whose_order_is_over_cannot_be_taken_back(desk):
    plan = make(desk)
    order = plan_execute(plan=plan, actor="tester")
    Order.objects.filter(pk=order.pk).update(status="FILLED")
    with pytest.raises(Conflict, match="nothing to take back"):
        plan_cancel(plan=plan, actor="tester")


def test_a_plan_expires_at_its_time_and_not_before(desk):
    plan = make(desk, expired_at=clock.now() + timedelta(hours=2))
    desk.time.move_to(clock.now() + timedelta(hours=2) - timedelta(microseconds=1))
    assert plans_expire() == 0
    desk.time.move_to(clock.now() + timedelta(microseconds=1))
    with pytest.raises(Conflict, match="has expired"):
        plan_execute(plan=plan, actor="tester")
    assert plans_expire() == 1
    plan.refresh_from_db()
    assert (plan.status, events(plan)) == ("EXPIRED", ["plan.created", "plan.expired"])
    assert plans_expire() == 0


def test_an_expired_plan_takes_its_unconfirmed_order_along(desk):
    type(desk).objects.filter(pk=desk.pk).update(confirm_above=D(500))
    plan = make(desk, expired_at=clock.now() + timedelta(hours=2))
    plan.account.refresh_from_db()
    order = plan_execute(plan=plan, actor="tester")
    desk.time.move_to(clock.now() + timedelta(hours=3))
    assert plans_expire() == 1
    order.refresh_from_db()
    assert order.status == "CANCELLED"


def test_a_deleted_plan_is_hidden_and_kept(desk):
    plan = make(desk)
    plan_delete(plan=plan, actor="tester")
    assert TradingPlan.objects.get().is_deleted
    for act in (plan_execute, plan_cancel, plan_delete):
        with pytest.raises(NotFound):
            act(plan=plan, actor="tester")


def test_a_plan_with_an_order_out_cannot_be_deleted(desk):
    plan = make(desk)
    order = plan_execute(plan=plan, actor="tester")
    with pytest.raises(Conflict, match="cancel the plan first"):
        plan_delete(plan=plan, actor="tester")
    Order.objects.filter(pk=order.pk).update(status="FILLED")
    plan_delete(plan=plan, actor="tester")
