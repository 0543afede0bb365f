"""A round of a live account: books that follow the broker, brackets that follow the fills, and what is found outside."""

from datetime import timedelta
from decimal import Decimal

import pytest

from quant_site.core import clock
from quant_site.core.models import Account, OutboxEvent
from tests.live_world import LAST_CLOSE, NOON, live_account, live_broker
from trading.books.equity import account_state
from trading.books.ledger import account_fund
from trading.models import CashEntry, EquitySnapshot, Order, Position, Reconciliation, SymbolHalt
from trading.order_path.live import live_round
from trading.order_path.orders import order_create
from trading.vocabulary import OrderType, Origin, Purpose

pytestmark = pytest.mark.django_db
D = Decimal


@pytest.fixture
def now(settings):
    settings.REAL_TRADING = True
    with clock.use(clock.VirtualClock(NOON)) as virtual:
        yield virtual


@pytest.fixture
def account(now):
    account = live_account()
    account_fund(account=account, amount=D(100_000), session=LAST_CLOSE, key="initial")
    return account


@pytest.fixture
def broker(account):
    return live_broker()


def entry(account, quantity=9, **fields) -> Order:
    values = {"stop_loss": D(95), "take_profit": D(120), "origin": Origin.MANUAL} | fields
    return order_create(
        account=account, purpose=Purpose.ENTRY, symbol="AAA", side="BUY", order_type=OrderType.MARKET, quantity=quantity,
        session=LAST_CLOSE, decision_price=100, key=f"entry {quantity}", **values,
    )  # fmt: skip


def protections(broker) -> dict[str, Decimal]:
    """What works at the broker to close, by type."""
    return {order.order_type: order.quantity - order.filled_quantity for order in broker.open_orders("LIVE") if order.side == "SELL"}


def rounds(account, broker, now, count=2) -> None:
    for _ in range(count):
        live_round(account, broker)
        now.move_to(now.now() + timedelta(seconds=2))


def later(now, **elapsed) -> None:
    now.move_to(now.now() + timedelta(**elapsed))


# --- the account and its broker


def test_the_first_comparison_takes_over_the_balance_and_then_the_books_agree(account, broker, now):
    Reconciliation.objects.all().delete()
    CashEntry.objects.all().delete()
    live_round(account, broker)
    row = Reconciliation.objects.get()
    assert (row.kind, row.agrees, row.adopted) == ("BOOT", True, [{"what": "cash", "amount": "100000"}])
    assert account_state(account=account, session=LAST_CLOSE).cash == D(100_000)


def test_nothing_is_sent_before_the_first_comparison_and_then_in_the_same_round(account, broker, now):
    Reconciliation.objects.all().delete()
    order = entry(account)
    live_round(account, broker)
    order.refresh_from_db()
    assert (order.status, broker.calls.index("place") > 0, Reconciliation.objects.count()) == ("ACKED", True, 1)


def test_the_books_are_compared_every_minute(account, broker, now):
    rounds(account, broker, now, 2)
    known = Reconciliation.objects.count()
    later(now, seconds=61)
    live_round(account, broker)
    assert Reconciliation.objects.count() == known + 1
    assert Reconciliation.objects.latest("pk").kind == "PERIODIC"


def test_a_position_that_differs_halts_its_symbol_and_is_never_traded(account, broker, now):
    entry(account, stop_loss=None, take_profit=None)
    rounds(account, broker, now)
    [key] = broker.book
    broker.fill(key, 9, 100)
    broker.held["AAA"] = D(7)
    broker.balance = D(100_000 - 900)
    later(now, seconds=61)
    rounds(account, broker, now)
    row = Reconciliation.objects.latest("pk")
    assert [(each["what"], each["ours"], each["broker"]) for each in row.differences] == [("Position in AAA", "9.000000", "7")]
    assert SymbolHalt.objects.get(account=account, symbol="AAA").code == "MISMATCH"
    assert len(broker.placed) == 1


def test_what_happened_between_two_looks_is_no_difference(account, broker, now, monkeypatch):
    """A fill that arrives after the orders were read and before the positions are."""
    order = entry(account, stop_loss=None, take_profit=None)
    rounds(account, broker, now)
    later(now, seconds=61)
    positions, late = broker.positions, []

    def filled_meanwhile(account_id):
        if not late:
            late.append(broker.fill(order.client_order_id, 9, 100))
        return positions(account_id)

    monkeypatch.setattr(broker, "positions", filled_meanwhile)
    live_round(account, broker)
    assert Reconciliation.objects.latest("pk").agrees
    assert Position.objects.get(account=account).quantity == 9


def test_cash_that_differs_is_said_and_halts_no_symbol(account, broker, now):
    rounds(account, broker, now)
    broker.balance += D("12.34")
    later(now, seconds=61)
    live_round(account, broker)
    row = Reconciliation.objects.latest("pk")
    assert [(each["what"], each["ours"], each["broker"]) for each in row.differences] == [("Cash", "100000.00", "100012.34")]
    assert not SymbolHalt.objects.exists()
    assert OutboxEvent.objects.filter(type="reconciliation.differs").count() == 1


def test_an_order_placed_elsewhere_is_adopted_and_its_fills_are_booked(account, broker, now):
    key = broker.elsewhere("BBB", "BUY", 5)
    later(now, seconds=61)
    rounds(account, broker, now)
    order = Order.objects.get(client_order_id=key)
    assert (order.origin, order.status, order.quantity) == ("EXTERNAL", "ACKED", D(5))
    broker.fill(key, 5, 90)
    rounds(account, broker, now)
    position = Position.objects.get(account=account, symbol="BBB")
    assert (position.quantity, position.cost, position.strategy) == (D(5), D("450.00"), None)
    later(now, seconds=61)
    live_round(account, broker)
    assert Reconciliation.objects.latest("pk").agrees


def test_an_order_placed_and_filled_elsewhere_between_two_looks_is_adopted_too(account, broker, now):
    rounds(account, broker, now)
    key = broker.elsewhere("BBB", "BUY", 5)
    broker.fill(key, 5, 90)
    rounds(account, broker, now)
    assert Account.objects.get(pk=account.pk).state == "ACTIVE", "somebody else's fill is no runaway"
    later(now, seconds=61)
    rounds(account, broker, now)
    assert (Order.objects.get(client_order_id=key).status, Position.objects.get(symbol="BBB").quantity) == ("FILLED", D(5))
    assert Reconciliation.objects.latest("pk").agrees


def test_a_position_held_elsewhere_enters_the_books_at_todays_price(account, broker, now):
    broker.held["BBB"] = D(20)
    later(now, seconds=61)
    rounds(account, broker, now)
    position = Position.objects.get(account=account, symbol="BBB")
    assert (position.quantity, position.cost, position.metadata) == (D(20), D("2000.00"), {"origin": "EXTERNAL"})
    assert sum(CashEntry.objects.filter(symbol="BBB").values_list("amount", flat=True)) == 0
    assert Reconciliation.objects.latest("pk").agrees


# --- brackets


def test_stop_and_target_work_as_soon_as_a_part_is_filled_and_follow_its_parts(account, broker, now):
    order = entry(account)
    rounds(account, broker, now)
    for part, held in ((2, 2), (3, 5), (4, 9)):
        broker.fill(order.client_order_id, part, 100)
        rounds(account, broker, now)
        assert protections(broker) == {"STP": D(held), "LMT": D(held)}
    assert Order.objects.get(pk=order.pk).status == "FILLED"


def test_the_target_goes_when_the_stop_is_filled(account, broker, now):
    order = entry(account)
    rounds(account, broker, now)
    broker.fill(order.client_order_id, 9, 100)
    rounds(account, broker, now)
    stop = Order.objects.get(purpose=Purpose.STOP, status="ACKED")
    broker.fill(stop.client_order_id, 9, 95)
    rounds(account, broker, now)
    assert protections(broker) == {}
    position = Position.objects.get(account=account)
    assert (position.quantity, position.exit_reason, position.realized_pnl) == (0, "STOP", D("-45.00"))
    assert account_state(account=account, session=now.now().date()).cash == broker.balance


def test_a_stop_that_does_not_come_about_is_told_within_ten_seconds_and_its_symbol_opens_nothing(account, broker, now):
    order = entry(account)
    rounds(account, broker, now)
    broker.fill(order.client_order_id, 9, 100)
    broker.faults = ["refused"] * 20
    rounds(account, broker, now, 7)
    assert SymbolHalt.objects.get(symbol="AAA").code == "UNPROTECTED"
    assert OutboxEvent.objects.filter(type="alert.critical").count() == 1
    broker.faults = []
    rounds(account, broker, now, 3)
    assert protections(broker)["STP"] == D(9)
    assert SymbolHalt.objects.get(symbol="AAA").cleared_by == "evidence"


def test_an_account_may_want_what_has_no_stop_closed(account, broker, now):
    Account.objects.filter(pk=account.pk).update(close_unprotected=True)
    account.refresh_from_db()
    order = entry(account)
    rounds(account, broker, now)
    broker.fill(order.client_order_id, 9, 100)
    broker.faults = ["refused"] * 18
    rounds(account, broker, now, 9)
    assert Order.objects.filter(purpose=Purpose.EXIT, side="SELL", quantity=9).exists()


# --- guards


def test_a_loss_beyond_the_days_limit_lets_the_account_only_reduce_and_that_stays(account, broker, now):
    Account.objects.filter(pk=account.pk).update(max_daily_loss_pct=D("0.02"))
    account.refresh_from_db()
    EquitySnapshot.objects.create(account=account, snapshot_date=LAST_CLOSE, total_equity=D(103_000), unit_value=1, peak_unit_value=1)
    later(now, seconds=61)
    live_round(account, broker)
    account.refresh_from_db()
    assert (account.state, account.state_reason.partition(":")[0]) == ("REDUCING", "DAILY_LOSS")
    broker.balance = D(200_000)
    later(now, seconds=61)
    live_round(account, broker)
    account.refresh_from_db()
    assert account.state == "REDUCING"


# --- changes and cancels


def test_a_change_that_is_wanted_is_asked_for_and_the_order_becomes_what_the_broker_says(account, broker, now):
    order = order_create(
        account=account, purpose=Purpose.ENTRY, symbol="AAA", side="BUY", order_type=OrderType.LIMIT, quantity=10, limit_price=D(90),
        session=LAST_CLOSE, decision_price=100,
    )  # fmt: skip
    rounds(account, broker, now)
    Order.objects.filter(pk=order.pk).update(wanted={"quantity": "6", "limit_price": "91"})
    rounds(account, broker, now)
    order.refresh_from_db()
    assert (order.quantity, order.limit_price, order.wanted, order.status) == (D(6), D(91), {}, "ACKED")
    assert [event.reason for event in order.events.order_by("sequence")][-2:] == ["CHANGE_SENT", "CHANGED"]


def test_a_change_that_would_break_a_limit_is_not_asked_for(account, broker, now):
    order = order_create(
        account=account, purpose=Purpose.ENTRY, symbol="AAA", side="BUY", order_type=OrderType.LIMIT, quantity=10, limit_price=D(90),
        session=LAST_CLOSE, decision_price=100,
    )  # fmt: skip
    rounds(account, broker, now)
    Order.objects.filter(pk=order.pk).update(wanted={"quantity": "5000"})
    rounds(account, broker, now)
    order.refresh_from_db()
    refusal = order.events.order_by("sequence").last()
    assert (order.quantity, order.wanted, refusal.reason, "modify" in broker.calls) == (D(10), {}, "CHANGE_REFUSED", False)
    assert refusal.evidence["why"].startswith("SINGLE_NAME")


def test_a_fill_that_crosses_a_cancel_wins(account, broker, now, monkeypatch):
    order = entry(account, stop_loss=None, take_profit=None)
    rounds(account, broker, now)
    Order.objects.filter(pk=order.pk).update(cancel_requested=True)
    monkeypatch.setattr(broker, "cancel", lambda *_: broker.fill(order.client_order_id, 9, 100))
    rounds(account, broker, now)
    order.refresh_from_db()
    assert (order.status, order.filled_quantity) == ("FILLED", D(9))


def test_a_broker_that_keeps_no_orders_over_night_gets_them_again_each_day(account, broker, now):
    broker.keeps = False
    order = entry(account)
    rounds(account, broker, now)
    broker.fill(order.client_order_id, 9, 100)
    rounds(account, broker, now)
    first = {row.order_type: row for row in Order.objects.filter(purpose__in=("STOP", "TARGET"), status="ACKED")}
    assert {row.time_in_force for row in first.values()} == {"DAY"}
    for row in first.values():
        broker.ends(row.client_order_id)
    later(now, days=1)
    rounds(account, broker, now)
    assert protections(broker) == {"STP": D(9), "LMT": D(9)}
    assert Order.objects.filter(pk__in=[row.pk for row in first.values()], status="EXPIRED").count() == 2
