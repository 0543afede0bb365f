"""What the crash harness found once, each as the shortest story of it."""

from datetime import timedelta
from decimal import Decimal

import pytest

from quant_site.core import clock
from quant_site.core.models import Account, OutboxEvent
from tests.harness.storm import LOST_REQUEST, REFUSED, StormDouble
from tests.live_world import LAST_CLOSE, NOON, live_account
from tests.orders_world import DAYS, FLAT, instruments, panel_of
from trading.books.ledger import account_fund
from trading.models import Arming, CashEntry, Order, OrderEvent, Position, Reconciliation
from trading.order_path.live import live_round
from trading.order_path.orders import order_create
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
    account = live_account("DEFECTS", day_trade_rule="OFF")
    account_fund(account=account, amount=D(100_000), session=LAST_CLOSE, key="initial")
    return account


@pytest.fixture
def broker(account):
    instruments("AAA", "BBB")
    panel = panel_of({symbol: [FLAT] * len(DAYS) for symbol in ("AAA", "BBB")})
    return StormDouble(panel, account_id="DEFECTS", limit=D(10**6))


def entry(account, **fields) -> Order:
    return order_create(
        account=account, purpose=Purpose.ENTRY, symbol="AAA", side="BUY", quantity=9, session=LAST_CLOSE, decision_price=100,
        order_type=OrderType.LIMIT, limit_price=D(99), time_in_force=TimeInForce.GTC, origin=Origin.MANUAL, key="entry", **fields,
    )  # fmt: skip


def rounds(account, broker, now, count=2, seconds=2) -> None:
    for _ in range(count):
        live_round(Account.objects.get(pk=account.pk), broker)
        now.move_to(now.now() + timedelta(seconds=seconds))


def stops(broker) -> list[Decimal]:
    return [order.quantity - order.filled_quantity for order in broker.open_orders("DEFECTS") if order.order_type == "STP"]


def guarded(account, broker, now) -> Order:
    """Four of nine are bought, and a stop works over them."""
    order = entry(account, stop_loss=D(95), take_profit=D(120))
    rounds(account, broker, now, 1)
    broker.fill(order.client_order_id, 4, 99)
    return order


def test_a_fill_that_is_seen_only_in_the_next_session_is_booked(account, broker, now):
    order = entry(account)
    rounds(account, broker, now, 1)
    broker.fill(order.client_order_id, 9, 99)
    now.move_to(now.now() + timedelta(days=1))
    rounds(account, broker, now, 3, seconds=61)
    assert Position.objects.get().quantity == D(9)
    assert Reconciliation.objects.latest("pk").agrees


def test_a_stop_that_works_is_not_taken_away_because_another_order_is_unknown(account, broker, now):
    order = guarded(account, broker, now)
    broker.storms["place"] = ["", LOST_REQUEST]  # the stop arrives, the target's fate is unknown
    rounds(account, broker, now, 1)
    assert stops(broker) == [D(4)]
    broker.fill(order.client_order_id, 5, 99)
    rounds(account, broker, now, 4)
    assert stops(broker), "nine are held, and nothing protects any of them"


def test_a_stop_that_works_is_not_taken_away_because_the_account_is_not_armed(account, broker, now):
    order = guarded(account, broker, now)
    rounds(account, broker, now, 1)
    Arming.objects.update(open_key=None)
    broker.fill(order.client_order_id, 5, 99)
    rounds(account, broker, now, 4)
    assert stops(broker), "nine are held, and nothing protects any of them"


def test_a_change_that_waits_is_written_down_once(account, broker, now):
    order = guarded(account, broker, now)
    rounds(account, broker, now, 1)
    Arming.objects.update(open_key=None)
    broker.fill(order.client_order_id, 5, 99)
    rounds(account, broker, now, 6)
    assert OrderEvent.objects.filter(order__purpose=Purpose.STOP, reason="CHANGE_WANTED").count() == 1


def test_a_missing_stop_is_told_in_a_symbol_that_is_halted_for_another_reason(account, broker, now):
    guarded(account, broker, now)
    broker.storms["place"] = [REFUSED, LOST_REQUEST, *[REFUSED] * 40]  # no stop comes about, and the target is unknown
    rounds(account, broker, now, 9)
    assert (stops(broker), Position.objects.get().quantity) == ([], D(4))
    told = [event.payload["code"] for event in OutboxEvent.objects.filter(type="alert.critical")]
    assert "UNPROTECTED" in told, told


def test_what_others_traded_before_the_first_comparison_is_in_the_opening_balance_once(account, broker, now):
    Reconciliation.objects.all().delete()
    CashEntry.objects.all().delete()
    broker.fill(broker.elsewhere("BBB", "BUY", 5), 5, 90)
    rounds(account, broker, now, 2, seconds=61)
    assert Position.objects.get(symbol="BBB").quantity == D(5)
    assert Reconciliation.objects.latest("pk").differences == []


def test_what_is_held_before_the_days_trades_is_taken_over_and_they_are_booked_beside_it(account, broker, now):
    Reconciliation.objects.all().delete()
    CashEntry.objects.all().delete()
    broker.held["BBB"] = D(10)
    broker.fill(broker.elsewhere("BBB", "BUY", 5), 5, 90)
    rounds(account, broker, now, 2, seconds=61)
    assert sum(Position.objects.filter(symbol="BBB").values_list("quantity", flat=True)) == D(15)
    assert Reconciliation.objects.latest("pk").differences == []
