"""Safeguards of the order path that only one look can miss: each test fails where one of them is gone."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction

from quant_site.core import clock
from quant_site.core.models import Account
from tests.harness.storm import LATE, LOST_REPLY, REFUSED, StormDouble
from tests.live_world import CANCELLED, LAST_CLOSE, NOON, live_account
from tests.orders_world import DAYS, FLAT, instruments, panel_of
from trading.books.ledger import account_fund
from trading.models import Arming, Fill, Order, Position, SenderBoot
from trading.order_path.live import live_round
from trading.order_path.orders import order_cancel, order_create, order_modify, order_send, orders_resolve, orders_sync
from trading.vocabulary import OrderType, Origin, Purpose, TimeInForce

pytestmark = pytest.mark.django_db
D = Decimal


@pytest.fixture
def now(settings):
    settings.REAL_TRADING = True
    with clock.use(clock.VirtualClock(NOON)) as virtual:
        yield virtual


@pytest.fixture
def account(now):
    account = live_account("GAPS", day_trade_rule="OFF")
    account_fund(account=account, amount=D(100_000), session=LAST_CLOSE, key="initial")
    return account


@pytest.fixture
def broker(account):
    instruments("AAA", "BBB")
    panel = panel_of({symbol: [FLAT] * len(DAYS) for symbol in ("AAA", "BBB")})
    return StormDouble(panel, account_id="GAPS", limit=D(10**6))


def wanted(account, quantity=9, **fields) -> Order:
    values = {"order_type": OrderType.LIMIT, "limit_price": D(99), "origin": Origin.MANUAL, "key": f"wish {quantity}"} | fields
    return order_create(
        account=account, purpose=Purpose.ENTRY, symbol="AAA", side="BUY", quantity=quantity, session=LAST_CLOSE, decision_price=100,
        time_in_force=TimeInForce.GTC, **values,
    )  # fmt: skip


def rounds(account, broker, now, count=2) -> None:
    for _ in range(count):
        live_round(Account.objects.get(pk=account.pk), broker)
        now.move_to(now.now() + timedelta(seconds=2))


def working(account, broker, now, **fields) -> Order:
    order = wanted(account, **fields)
    rounds(account, broker, now, 1)
    order.refresh_from_db()
    assert order.status == "ACKED"
    return order


# --- no broker within a transaction


@pytest.mark.parametrize("act", ["cancel", "modify", "sync", "send"])
def test_no_call_of_a_broker_is_made_within_a_transaction(account, broker, now, act):
    order = working(account, broker, now)
    before = list(broker.calls)
    acts = {
        "cancel": lambda: order_cancel(order, broker),
        "modify": lambda: order_modify(order, broker),
        "sync": lambda: orders_sync(account, broker, now.now().date()),
        "send": lambda: order_send(wanted(account, 3), broker),
    }
    with transaction.atomic(), pytest.raises(RuntimeError, match="transaction"):
        acts[act]()
    assert broker.calls == before


def test_nothing_is_looked_up_within_a_transaction(account, broker, now):
    broker.storms["place"] = [LOST_REPLY]
    order = wanted(account)
    rounds(account, broker, now, 1)
    with transaction.atomic():
        orders_resolve(account, broker, exclusive=True)  # what goes wrong with one order is written down, not raised
    order.refresh_from_db()
    assert order.status == "UNKNOWN"
    orders_resolve(account, broker, exclusive=True)
    order.refresh_from_db()
    assert order.status == "ACKED"


# --- who may send


def test_an_order_that_waits_for_a_person_is_not_sent(account, broker, now):
    order = wanted(account, awaits="It is large.")
    rounds(account, broker, now, 2)
    order.refresh_from_db()
    assert (order.status, broker.placed) == ("INTENT", [])
    Order.objects.filter(pk=order.pk).update(confirmed_by=account.owner)
    rounds(account, broker, now, 1)
    assert len(broker.placed) == 1


def test_an_arming_is_worth_nothing_once_another_process_started_even_while_its_row_is_open(account, broker, now):
    SenderBoot.objects.create(host="other", pid=2, role="sweeper", code_version="d", config_hash="i")
    order = wanted(account)
    rounds(account, broker, now, 2)
    order.refresh_from_db()
    assert Arming.objects.filter(open_key=account.pk).exists()
    assert (order.status, order.status_reason.partition(":")[0], broker.placed) == ("DENIED", "NOT_ARMED", [])


def test_what_would_turn_a_position_that_another_entry_is_opening_is_denied(account, broker, now):
    working(account, broker, now)
    order = order_create(
        account=account, purpose=Purpose.ENTRY, symbol="AAA", side="SELL", quantity=2, session=LAST_CLOSE, decision_price=100,
        order_type=OrderType.LIMIT, limit_price=D(101), origin=Origin.MANUAL, key="the other way",
    )  # fmt: skip
    rounds(account, broker, now, 1)
    order.refresh_from_db()
    assert (order.status, order.status_reason.partition(":")[0]) == ("DENIED", "OPPOSITE_POSITION")


def test_an_order_of_somebody_else_that_would_not_turn_the_position_still_stands_on_the_other_side(account, broker, now):
    order = working(account, broker, now)
    broker.fill(order.client_order_id, 9, 99)
    key = broker.elsewhere("AAA", "SELL", 5)
    broker.book[key] = replace(broker.book[key], limit_price=D(130))
    now.move_to(now.now() + timedelta(seconds=61))
    rounds(account, broker, now, 1)
    order = wanted(account, 2)
    rounds(account, broker, now, 1)
    order.refresh_from_db()
    assert (order.status, order.status_reason.partition(":")[0]) == ("DENIED", "OPPOSITE_POSITION")


def test_working_orders_count_against_the_limit(account, broker, now):
    Account.objects.filter(pk=account.pk).update(max_gross_exposure=D("0.01"))
    working(account, broker, now)
    second = order_create(
        account=account, purpose=Purpose.ENTRY, symbol="BBB", side="BUY", quantity=2, session=LAST_CLOSE, decision_price=100,
        order_type=OrderType.LIMIT, limit_price=D(99), origin=Origin.MANUAL, key="a second",
    )  # fmt: skip
    rounds(account, broker, now, 1)
    second.refresh_from_db()
    assert (second.status, second.status_reason.partition(":")[0]) == ("DENIED", "GROSS_EXPOSURE")


def test_an_order_that_was_claimed_ten_times_is_not_claimed_again(account, broker, now):
    order = wanted(account)
    Order.objects.filter(pk=order.pk).update(fence=10)
    rounds(account, broker, now, 1)
    order.refresh_from_db()
    assert (order.status, order.status_reason.partition(":")[0], broker.placed) == ("DENIED", "TOO_MANY_CLAIMS", [])


# --- cancels


def test_a_cancel_that_the_broker_has_not_carried_out_is_still_a_request(account, broker, now):
    order = working(account, broker, now)
    broker.storms["cancel"] = [LATE]
    order_cancel(order, broker)
    assert (order.status, order.cancel_requested) == ("ACKED", True)
    broker.arrive_late()
    rounds(account, broker, now)
    order.refresh_from_db()
    assert order.status == "CANCELLED"


# --- protection


def bought(account, broker, now) -> Order:
    """Four of nine, with a stop and a target over them."""
    order = wanted(account, stop_loss=D(95), take_profit=D(120))
    rounds(account, broker, now, 1)
    broker.fill(order.client_order_id, 4, 99)
    rounds(account, broker, now)
    assert stops(broker) == [D(4)]
    return order


def stops(broker) -> list[Decimal]:
    """What the stops that work at the broker are over."""
    return [order.quantity - order.filled_quantity for order in broker.open_orders("GAPS") if order.order_type == "STP"]


def test_a_new_stop_waits_until_the_old_one_is_gone(account, broker, now):
    order = bought(account, broker, now)
    broker.storms |= {"modify": [REFUSED] * 2, "cancel": [LATE] * 10}
    broker.fill(order.client_order_id, 5, 99)
    rounds(account, broker, now)
    assert stops(broker) == [D(4)]
    broker.storms.clear()
    broker.arrive_late()
    rounds(account, broker, now)
    assert stops(broker) == [D(9)]
    assert broker.broken == []


def test_no_second_stop_is_sent_while_the_first_may_still_be_on_its_way(account, broker, now):
    order = wanted(account, stop_loss=D(95))
    rounds(account, broker, now, 1)
    broker.fill(order.client_order_id, 4, 99)
    broker.storms["place"] = [LATE]
    rounds(account, broker, now, 1)
    broker.fill(order.client_order_id, 5, 99)
    rounds(account, broker, now)
    broker.storms["cancel"] = [LATE] * 10
    broker.arrive_late()
    rounds(account, broker, now)
    assert stops(broker) == [D(4)]
    broker.storms.clear()
    broker.arrive_late()
    rounds(account, broker, now)
    assert (stops(broker), broker.broken) == ([D(9)], [])


def test_on_a_halted_account_what_works_is_left_alone(account, broker, now):
    order = bought(account, broker, now)
    Account.objects.filter(pk=account.pk).update(state="HALTED")
    broker.fill(order.client_order_id, 5, 99)
    broker.calls.clear()
    rounds(account, broker, now)
    assert Position.objects.get().quantity == D(9), "what happened is taken in"
    assert not {"place", "cancel", "modify"} & set(broker.calls)


# --- what a broker tells in another order than it happened


def test_a_fill_that_is_told_twice_in_one_answer_counts_once(account, broker, now, monkeypatch):
    order = working(account, broker, now)
    broker.fill(order.client_order_id, 4, 99)
    told = broker.fills
    monkeypatch.setattr(broker, "fills", lambda *names: told(*names) * 2)
    rounds(account, broker, now)
    order.refresh_from_db()
    assert (order.filled_quantity, Fill.objects.count(), Position.objects.get().quantity) == (D(4), 1, D(4))


def test_an_order_that_ended_stays_open_until_every_fill_of_it_is_here(account, broker, now):
    order = working(account, broker, now)
    broker.fill(order.client_order_id, 4, 99)
    broker.ends(order.client_order_id, CANCELLED, "It was ended there.")
    broker.hidden_fills = 1
    rounds(account, broker, now)
    order.refresh_from_db()
    assert (order.status, order.filled_quantity) == ("ACKED", D(0))
    broker.hidden_fills = 0
    rounds(account, broker, now)
    order.refresh_from_db()
    assert (order.status, order.filled_quantity) == ("CANCELLED", D(4))


def test_an_order_is_filled_by_its_fills_and_not_by_its_status(account, broker, now):
    order = working(account, broker, now)
    broker.fill(order.client_order_id, 9, 99)
    broker.hidden_fills = 1
    rounds(account, broker, now)
    order.refresh_from_db()
    assert (order.status, Position.objects.count()) == ("ACKED", 0)
    broker.hidden_fills = 0
    rounds(account, broker, now)
    order.refresh_from_db()
    assert (order.status, Position.objects.get().quantity) == ("FILLED", D(9))
