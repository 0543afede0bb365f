"""Hedges within the loop: ordered at a close, filled at the next open, judged over months, and stopped where they do harm."""

from decimal import Decimal as D

import numpy as np
import pytest

from quant_site.core.models import AuditLog, LoopStage, OutboxEvent
from quant_site.digest import account_digest
from tests.hedge_world import HedgeWorld, at_close, factor_panel, loop_over
from trading.books.checks import books_check
from trading.models import HedgeRecord, Order, Position
from trading.order_path.orders import orders_send_ready
from trading.order_path.tickets import Ticket, ticket_place

# The order path commits before it sends: a test case around it would be a transaction of its own.
pytestmark = pytest.mark.django_db(transaction=True)

FIRST = 260


def world_of(panel, *, shares: int = 800, **policy):
    """The account after its first session, with its shares ordered and a beta hedge switched on."""
    world = HedgeWorld(panel, funded=False, is_replay=True, initial_cash=D(400000))
    loop, session = loop_over(world.account, panel, FIRST, FIRST), world.day(FIRST)
    with at_close(session):
        ticket_place(ticket=Ticket(world.account, "AAA", "BUY", D(shares), key="stock"), actor="test", panel=panel, session=session)
        orders_send_ready(world.account, loop.broker)
    return world, world.policy(**policy)


def records(policy) -> list[HedgeRecord]:
    return list(policy.records.order_by("session"))


def test_a_hedge_is_filled_at_the_next_open_and_takes_away_most_of_the_variance():
    world, policy = world_of(factor_panel(sessions=360), review_sessions=63)
    loop = loop_over(world.account, world.panel, FIRST + 1, 359)
    found = records(policy)
    assert [record.session for record in found] == [world.day(t) for t in range(FIRST + 1, 360)]
    ordered = next(record for record in found if record.order)
    assert ordered.order.status == "FILLED"
    assert ordered.order.fills.get().session == world.day(world.panel.index(ordered.session) + 1)
    hedge = Position.objects.get(symbol="SPY")
    assert (hedge.group, hedge.strategy, hedge.direction) == ("HEDGE-BETA", None, "SHORT")

    # Numpy as the oracle, over the last 63 sessions.
    last = found[-63:]
    account, without = (np.array([float(record.account_pnl - part * record.hedge_pnl) for record in last]) for part in (0, 1))
    removed = 1 - account.var(ddof=1) / without.var(ddof=1)
    assert float(found[-1].variance_removed) == pytest.approx(removed, abs=1e-6)
    assert removed > 0.8
    assert policy.state == "ON"
    assert all(record.variance_removed is None for record in found[:20])

    # Its books are its own: to the cent, and together with the rest those of the account.
    assert found[-1].total_pnl == hedge.realized_pnl + hedge.dividends + hedge.unrealized_pnl
    assert sum(record.hedge_pnl for record in found) == found[-1].total_pnl
    filled = Order.objects.filter(origin="HEDGE", status="FILLED")
    commissions = sum(order.commission for order in filled)
    slipped = sum(fill.amount for order in filled for fill in order.fills.all()) * D("0.0003")
    assert sum(record.hedge_cost for record in found) == pytest.approx(commissions + slipped, abs=D("0.05"))
    books_check(account=world.account, session=world.day(359), broker=loop.broker, full=True)


def test_a_hedge_that_adds_variance_is_stopped_and_unwound():
    """From column 275 on the stock moves against the market: what hedged it then doubles what it does."""
    panel = factor_panel(sessions=360, turn=275, after=-2.0)
    world, policy = world_of(panel, review_sessions=30)
    loop = loop_over(world.account, panel, FIRST + 1, 330)
    policy.refresh_from_db()
    assert policy.state == "STOPPED"
    assert policy.state_reason.startswith("NO_VARIANCE_REMOVED: Over 30 hedged sessions the hedge removed -")
    stopping = next(record for record in records(policy) if record.detail.startswith("NO_VARIANCE_REMOVED"))
    assert stopping.variance_removed < 0
    assert stopping.order.purpose == "EXIT"
    assert not Position.objects.filter(symbol="SPY", exit_session=None).exists()
    assert Position.objects.get(symbol="AAA").quantity == 800
    assert not policy.records.filter(session__gt=stopping.order.fills.get().session).exists()
    audit = AuditLog.objects.get(action_type="HEDGE_STOP")
    assert (audit.actor, audit.account_id, audit.details["reason"]) == ("hedge", world.account.pk, policy.state_reason)
    event = OutboxEvent.objects.get(type="hedge.stopped")
    assert (event.payload["state"], event.payload["symbol"]) == ("STOPPED", "SPY")
    stage = LoopStage.objects.get(run__session=stopping.session, name="hedge")
    assert (stage.status, stage.detail) == ("DONE", {"policies": 1, "orders": 1, "stopped": 1})
    books_check(account=world.account, session=world.day(330), broker=loop.broker, full=True)


def test_switched_on_again_it_is_judged_from_then_on():
    panel = factor_panel(sessions=360, turn=275, after=-2.0)
    world, policy = world_of(panel, review_sessions=30)
    loop_over(world.account, panel, FIRST + 1, 330)
    type(policy).objects.filter(pk=policy.pk).update(state="ON", state_reason="", since=None)
    loop_over(world.account, panel, 331, 345)
    policy.refresh_from_db()
    assert (policy.state, policy.since) == ("ON", world.day(331))
    assert policy.records.first().variance_removed is None


def test_what_is_denied_when_it_is_sent_is_recorded_too():
    world, policy = world_of(factor_panel(sessions=320))
    type(world.account).objects.filter(pk=world.account.pk).update(allow_short=False)
    world.account.refresh_from_db()
    loop_over(world.account, world.panel, FIRST + 1, FIRST + 3)
    assert {order.status for order in Order.objects.filter(origin="HEDGE")} == {"DENIED"}
    for record in records(policy)[1:]:
        assert record.quantity == 0
        assert "SHORT_NOT_ALLOWED" in record.detail


def test_a_pass_that_died_behind_its_hedge_sends_it_once():
    """The record and the order's intent are there, the sending is not: the resumed stage sends and orders nothing anew."""
    world, policy = world_of(factor_panel(sessions=320))

    def dies(*args, **kwargs):
        raise RuntimeError("killed")

    with pytest.MonkeyPatch.context() as patch, pytest.raises(RuntimeError, match="killed"):
        patch.setattr("quant_site.loop.orders_recover", dies)
        loop_over(world.account, world.panel, FIRST + 1, FIRST + 1)
    order = Order.objects.get(origin="HEDGE")
    assert order.status == "INTENT"
    loop_over(world.account, world.panel, FIRST + 1, FIRST + 3)
    order.refresh_from_db()
    assert order.status == "FILLED"
    assert Order.objects.filter(origin="HEDGE").count() == 1
    assert [record.session for record in records(policy)] == [world.day(t) for t in (FIRST + 1, FIRST + 2, FIRST + 3)]


def test_a_pass_over_a_session_that_is_done_changes_nothing():
    world, policy = world_of(factor_panel(sessions=320))
    loop_over(world.account, world.panel, FIRST + 1, FIRST + 5)
    before = account_digest(world.account), list(policy.records.values())
    loop_over(world.account, world.panel, FIRST + 1, FIRST + 5)
    assert (account_digest(world.account), list(policy.records.values())) == before


def test_without_a_policy_the_stage_does_nothing():
    panel = factor_panel(sessions=320)
    world = HedgeWorld(panel, funded=False, is_replay=True, initial_cash=D(400000))
    loop_over(world.account, panel, FIRST, FIRST + 1)
    stages = LoopStage.objects.filter(run__account=world.account, name="hedge").values_list("status", "detail")
    assert list(stages) == [("DONE", {})] * 2
    assert not HedgeRecord.objects.exists()
