"""The way of one order to the broker: claimed before it is sent, sent once, moved by evidence only."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction

from quant_site.core.errors import Conflict, IllegalTransition, InvalidInput, Unavailable
from quant_site.core.models import Account, AuditLog, OutboxEvent
from tests.orders_world import DAYS, FLAT, account_of, broker_of, run_session
from trading.brokers import broker_for
from trading.brokers.base import BrokerFill, BrokerUnclear
from trading.models import Fill, Order, PaperAccount, PaperOrder
from trading.order_path import orders
from trading.order_path.orders import order_cancel, order_create, order_move, order_send, orders_resolve, orders_send_ready, orders_sync
from trading.order_path.rows import order_advance
from trading.order_path.states import OrderStatus
from trading.vocabulary import OrderType, Purpose

pytestmark = pytest.mark.django_db
D = Decimal


class Died(BaseException):
    """A kill -9 in the middle of a call."""


@pytest.fixture
def broker():
    broker = broker_of({"AAA": [FLAT] * 6, "BBB": [FLAT] * 6})
    run_session(broker, DAYS[0])
    return broker


@pytest.fixture
def account(broker):
    return account_of()


def intent(account, symbol="AAA", side="BUY", quantity=10, **fields):
    values = {"purpose": Purpose.ENTRY, "order_type": OrderType.MARKET, "session": DAYS[0], "decision_price": 100} | fields
    return order_create(account=account, symbol=symbol, side=side, quantity=quantity, **values)


def path(order):
    return [event.to_status for event in order.events.order_by("sequence")]


def dies(function, *, before: bool):
    def call(*args, **kwargs):
        if not before:
            function(*args, **kwargs)
        raise Died

    return call


def test_an_order_is_written_before_it_is_sent_and_every_move_leaves_an_event(account, broker):
    order = intent(account)
    assert (order.status, PaperOrder.objects.count()) == ("INTENT", 0)
    order_send(order, broker)
    order.refresh_from_db()
    assert order.status == "ACKED"
    assert order.broker_order_id == f"P-{order.client_order_id}"
    assert path(order) == ["INTENT", "READY", "SENDING", "ACKED"]
    assert order.version == order.events.count()
    assert (order.fence, order.lease_owner, order.lease_until) == (1, "", None)
    types = list(OutboxEvent.objects.filter(account_id=account.pk).order_by("id").values_list("type", flat=True))
    assert types == ["order.created", "order.moved"]


def test_the_same_intent_is_one_order_and_another_content_is_refused(account, broker):
    assert intent(account).pk == intent(account).pk
    assert Order.objects.count() == 1
    with pytest.raises(Conflict, match="quantity"):
        intent(account, quantity=11)


@pytest.mark.parametrize("quantity", [0, -1, "NaN", "Infinity", None])
def test_an_impossible_quantity_makes_no_order(account, quantity):
    with pytest.raises(InvalidInput):
        intent(account, quantity=quantity)
    assert not Order.objects.exists()


@pytest.mark.parametrize("fields", [{"limit_price": 5}, {"order_type": OrderType.LIMIT}, {"order_type": OrderType.STOP, "stop_price": -1}])
def test_prices_must_fit_the_type(account, fields):
    with pytest.raises(InvalidInput):
        intent(account, **fields)


def test_of_two_who_move_an_order_one_succeeds(account):
    order = intent(account)
    other = Order.objects.get(pk=order.pk)
    order_move(order, OrderStatus.READY)
    with pytest.raises(Conflict):
        order_move(other, OrderStatus.CANCELLED)
    with pytest.raises(IllegalTransition):
        order_move(order, OrderStatus.FILLED)
    assert path(order) == ["INTENT", "READY"]


def test_the_version_tells_a_status_from_the_same_status_later(account, broker):
    """READY, sent, unknown, proven absent, READY again: who read the first READY may not send."""
    order = intent(account)
    order_move(order, OrderStatus.READY)
    stale = Order.objects.get(pk=order.pk)
    order_advance(order, [(OrderStatus.SENDING, "", {}), (OrderStatus.UNKNOWN, "", {}), (OrderStatus.READY, "", {})])
    with pytest.raises(Conflict):
        order_send(stale, broker)
    assert PaperOrder.objects.count() == 0


def test_a_refusal_is_final(account, broker):
    order = intent(account, quantity=900)
    PaperAccount.objects.filter(pk=account.pk).update(cash=1000)  # the broker knows better than our books
    order_send(order, broker)
    assert (order.status, order.status_reason.partition(":")[0]) == ("REJECTED", "BUYING_POWER")
    assert (orders_send_ready(account, broker), PaperOrder.objects.count()) == ([], 1)


def test_what_the_risk_checks_refuse_never_reaches_the_broker(account, broker):
    order = order_send(intent(account, symbol="ZZZ"), broker)
    assert (order.status, order.status_reason) == ("DENIED", "NOT_TRADABLE: ZZZ is not a tradable instrument.")
    assert PaperOrder.objects.count() == 0


@pytest.mark.parametrize("before", [True, False])
def test_a_sender_that_dies_leaves_a_claim_that_evidence_resolves(account, broker, monkeypatch, before):
    order = intent(account)
    with monkeypatch.context() as patch, pytest.raises(Died):
        patch.setattr(broker, "place", dies(broker.place, before=before))
        order_send(order, broker)
    assert Order.objects.get().status == "SENDING"
    orders_resolve(account, broker)
    assert Order.objects.get().status == "SENDING", "its lease still runs, and the caller has no lock"
    orders_resolve(account, broker, exclusive=True)
    assert Order.objects.get().status == ("READY" if before else "ACKED")
    orders_send_ready(account, broker)
    assert Order.objects.get().status == "ACKED"
    assert PaperOrder.objects.count() == 1


def test_a_lease_that_ran_out_makes_the_claim_unknown(account, broker, monkeypatch):
    order = intent(account)
    with monkeypatch.context() as patch, pytest.raises(Died):
        patch.setattr(broker, "place", dies(broker.place, before=True))
        order_send(order, broker)
    wall = orders._wall()
    monkeypatch.setattr(orders, "_wall", lambda: wall + timedelta(seconds=31))
    orders_resolve(account, broker)
    assert path(order)[-2:] == ["UNKNOWN", "READY"]


@pytest.mark.parametrize("arrived", [True, False])
@pytest.mark.parametrize("error", [TimeoutError("no reply"), BrokerUnclear("HTTP_502", "bad gateway"), ValueError("empty reply")])
def test_whatever_is_no_known_refusal_is_unknown_and_never_sent_again_without_proof(account, broker, monkeypatch, arrived, error):
    order = intent(account)
    place = broker.place

    def unclear(request):
        if arrived:
            place(request)
        raise error

    monkeypatch.setattr(broker, "place", unclear)
    assert order_send(order, broker).status == "UNKNOWN"
    monkeypatch.setattr(broker, "place", place)
    orders_send_ready(account, broker)
    assert (Order.objects.get().status, PaperOrder.objects.count()) == ("UNKNOWN", int(arrived))
    orders_resolve(account, broker)
    orders_send_ready(account, broker)
    assert (Order.objects.get().status, PaperOrder.objects.count()) == ("ACKED", 1)


def test_a_request_that_arrives_after_the_proof_of_its_absence_is_refused_by_the_broker(account, broker, monkeypatch):
    order = intent(account)
    place, late = broker.place, []
    with monkeypatch.context() as patch:
        patch.setattr(broker, "place", dies(late.append, before=False))
        with pytest.raises(Died):
            order_send(order, broker)
    orders_resolve(account, broker, exclusive=True)
    with pytest.raises(BrokerUnclear):
        place(late[0])
    orders_send_ready(account, broker)
    assert PaperOrder.objects.count() == 1


def test_a_sender_that_wakes_up_after_its_claim_was_taken_over_changes_nothing(account, broker, monkeypatch):
    order = intent(account)
    place = broker.place

    def slow(request):
        with monkeypatch.context() as patch:
            patch.setattr(broker, "place", place)
            orders_resolve(account, broker, exclusive=True)
            orders_send_ready(account, broker)
        return place(request)

    monkeypatch.setattr(broker, "place", slow)
    order_send(order, broker)
    assert (Order.objects.get().status, PaperOrder.objects.count()) == ("ACKED", 1)
    assert path(order) == ["INTENT", "READY", "SENDING", "UNKNOWN", "READY", "SENDING", "ACKED"]


def test_no_evidence_no_move(account, broker, monkeypatch):
    order = intent(account)
    order_advance(order, [(OrderStatus.READY, "", {}), (OrderStatus.SENDING, "", {}), (OrderStatus.UNKNOWN, "", {})])
    for answer in (lambda *_: (_ for _ in ()).throw(TimeoutError()), lambda *_: orders.base.Evidence(None, final=False)):
        monkeypatch.setattr(broker, "find", answer)
        orders_resolve(account, broker, exclusive=True)
        assert Order.objects.get().status == "UNKNOWN"


def test_a_symbol_with_an_unknown_order_waits_and_others_do_not(account, broker):
    unknown = intent(account)
    order_advance(unknown, [(OrderStatus.READY, "", {}), (OrderStatus.SENDING, "", {}), (OrderStatus.UNKNOWN, "", {})])
    intent(account, leg=1), intent(account, symbol="BBB")
    orders_send_ready(account, broker)
    assert list(Order.objects.order_by("pk").values_list("status", flat=True)) == ["UNKNOWN", "INTENT", "ACKED"]


@pytest.mark.parametrize(
    ("state", "purpose", "expected"),
    [("HALTED", "ENTRY", "DENIED"), ("HALTED", "EXIT", "DENIED"), ("REDUCING", "ENTRY", "DENIED"), ("REDUCING", "EXIT", "ACKED")],
)
def test_the_kill_switch_is_read_when_sending(account, broker, state, purpose, expected):
    order = intent(account, purpose=Purpose(purpose))
    Account.objects.update(state=state)
    order_send(order, broker)
    assert order.status == expected
    if expected == "DENIED":
        assert order.status_reason.startswith(state)
        assert not PaperOrder.objects.exists()


def test_an_order_for_real_money_never_reaches_the_paper_broker(account, broker):
    account.mode = "REAL"
    account.save()
    order = order_send(intent(account), broker)
    assert (order.status, order.status_reason.split(":")[0]) == ("DENIED", "MODE")
    assert AuditLog.objects.filter(action_type="ORDER_CREATE").exists()
    with pytest.raises(Unavailable, match="Nothing was sent"):
        broker_for(account, broker.panel)


def test_entries_on_both_sides_of_a_symbol_are_denied(account, broker):
    order_send(intent(account), broker)
    order = order_send(intent(account, side="SELL"), broker)
    assert (order.status, order.status_reason.split(":")[0]) == ("DENIED", "OPPOSITE_POSITION")


def test_nothing_is_sent_within_a_transaction(account, broker):
    with transaction.atomic(), pytest.raises(RuntimeError):
        order_send(intent(account), broker)
    assert not PaperOrder.objects.exists()


def test_day_orders_of_an_earlier_session_expire_unsent(account, broker):
    intent(account)
    orders_send_ready(account, broker, session=DAYS[1])
    assert (Order.objects.get().status, PaperOrder.objects.count()) == ("EXPIRED", 0)


def test_fills_are_taken_in_once_and_answered_each_time(account, broker):
    order = order_send(intent(account, decision_price="99.5"), broker)
    run_session(broker, DAYS[1])
    for _ in range(2):
        [fill] = orders_sync(account, broker, DAYS[1])
        assert (fill.quantity, fill.price, fill.amount, fill.slippage) == (10, 100, D("1000.00"), D("5.00"))
    order.refresh_from_db()
    assert (order.status, order.filled_quantity, order.average_fill_price) == ("FILLED", 10, 100)
    assert path(order)[-1] == "FILLED"


def test_a_sync_without_news_writes_nothing(account, broker):
    order = order_send(intent(account, order_type=OrderType.LIMIT, limit_price=1), broker)
    version = order.version
    assert orders_sync(account, broker, DAYS[0]) == []
    order.refresh_from_db()
    assert order.version == version


@pytest.mark.parametrize("when", ["before it is sent", "while it works", "after it was filled"])
def test_a_cancel_is_a_request_and_a_fill_that_came_first_wins(account, broker, when):
    order = intent(account)
    if when != "before it is sent":
        order_send(order, broker)
    if when == "after it was filled":
        run_session(broker, DAYS[1])
    order_cancel(order, broker)
    orders_sync(account, broker, DAYS[1])
    assert Order.objects.get().status == ("FILLED" if when == "after it was filled" else "CANCELLED")
    assert Fill.objects.count() == (1 if when == "after it was filled" else 0)


def test_a_cancel_that_died_on_its_way_is_asked_again(account, broker, monkeypatch):
    order = order_send(intent(account), broker)
    with monkeypatch.context() as patch, pytest.raises(Died):
        patch.setattr(broker, "cancel", dies(broker.cancel, before=True))
        order_cancel(order, broker)
    assert (Order.objects.get().status, Order.objects.get().cancel_requested) == ("ACKED", True)
    orders_resolve(account, broker)
    assert Order.objects.get().status == "CANCELLED"


def test_a_cancel_of_an_unknown_order_waits_for_the_evidence(account, broker):
    order = intent(account)
    order_advance(order, [(OrderStatus.READY, "", {}), (OrderStatus.SENDING, "", {}), (OrderStatus.UNKNOWN, "", {})])
    order_cancel(order, broker)
    assert Order.objects.get().status == "UNKNOWN"
    orders_resolve(account, broker)
    assert (Order.objects.get().status, PaperOrder.objects.count()) == ("CANCELLED", 0)


def extra_fill(broker, order, quantity, number=9):
    fill = BrokerFill(f"extra-{number}", order.client_order_id, DAYS[1], D(quantity), D(100), D(0), orders._wall())
    fills = broker.fills
    broker.fills = lambda *args: [*fills(*args), fill]


def test_more_fills_than_ordered_are_recorded_and_halt_the_account(account, broker):
    order = order_send(intent(account), broker)
    run_session(broker, DAYS[1])
    extra_fill(broker, order, 3)
    assert len(orders_sync(account, broker, DAYS[1])) == 2
    order.refresh_from_db()
    account.refresh_from_db()
    assert (order.status, order.filled_quantity) == ("FILLED", 13)
    assert (account.state, account.state_reason.split(":")[0]) == ("HALTED", "OVERFILL")
    assert AuditLog.objects.filter(action_type="ACCOUNT_HALT").count() == 1


def test_a_late_fill_reopens_a_cancelled_order_until_the_broker_says_the_rest_is_cancelled(account, broker):
    order = order_cancel(order_send(intent(account), broker), broker)
    assert order.status == "CANCELLED"
    extra_fill(broker, order, 4)
    orders_sync(account, broker, DAYS[1])
    order.refresh_from_db()
    assert (order.filled_quantity, path(order)[-2:]) == (4, ["PARTIAL", "CANCELLED"])


def test_a_fill_of_an_order_that_is_not_ours_halts_the_account(account, broker):
    extra_fill(broker, Order(client_order_id="someone"), 1)
    assert orders_sync(account, broker, DAYS[1]) == []
    assert Account.objects.get(pk=account.pk).state == "HALTED"


def test_an_order_the_broker_forgot_halts_the_account(account, broker):
    order_send(intent(account), broker)
    PaperOrder.objects.all().delete()
    orders_sync(account, broker, DAYS[1])
    account.refresh_from_db()
    assert (account.state, account.state_reason.split(":")[0]) == ("HALTED", "ORDER_LOST")
    assert Order.objects.get().status == "ACKED"


def test_a_split_restates_our_order_too(account):
    half = (50.0, 51.0, 49.0, 50.0)
    broker = broker_of({"AAA": [FLAT, half, half]}, factors={"AAA": [0.5, 1.0, 1.0]})
    run_session(broker, DAYS[0])
    order = order_send(intent(account, decision_price=99), broker)
    run_session(broker, DAYS[1])
    [fill] = orders_sync(account, broker, DAYS[1])
    order.refresh_from_db()
    assert (order.status, order.quantity, order.split_ratio) == ("FILLED", 20, 2)
    assert fill.slippage == D("10.00"), "20 shares, each 0.50 above half of 99"
