"""The order path with Tiger behind it: what was lost is found, what was filled is written once, and nothing is sent again."""

from decimal import Decimal

import pytest

from quant_site.core.models import Account
from quant_site.market.tiger import budget
from tests.tiger_world import ACCOUNT, real_account, sent, today, trading_at
from trading.brokers.tiger import TigerBroker
from trading.models import Fill, Order
from trading.order_path.orders import order_cancel, orders_resolve, orders_sync

pytestmark = pytest.mark.django_db
LEGS = [
    {"symbol": "AAPL260320C00230000", "side": "SELL", "ratio": 1, "decision": "4.00"},
    {"symbol": "AAPL260320C00240000", "side": "BUY", "ratio": 2, "decision": "1.25"},
]


@pytest.fixture
def tiger(tmp_path):
    with trading_at(tmp_path) as tiger:
        tiger.quote("AAPL", bid=99.9, ask=100.1, last=100)
        yield tiger


@pytest.fixture
def account(tiger):
    return real_account()


@pytest.fixture
def broker(account):
    return TigerBroker()


def again(order: Order) -> Order:
    return Order.objects.get(pk=order.pk)


@pytest.mark.parametrize("ways", [{}, {"store_user_mark": False, "honour_order_no": False}], ids=["by-mark", "by-content"])
def test_a_lost_order_is_resolved_filled_and_never_sent_twice(tiger, broker, account, ways):
    tiger.settings(**ways)
    tiger.fault("place_order", "lose_reply")
    order = sent(broker)
    (book,) = tiger.journal.orders()
    orders_resolve(account, broker)
    assert (again(order).status, again(order).broker_order_id) == ("ACKED", str(book.id))
    tiger.fill(book.id, quantity=4, price="99.5")
    orders_sync(account, broker, today())
    assert (again(order).status, again(order).filled_quantity) == ("PARTIAL", 4)
    tiger.fill(book.id, price="99.6")
    for _ in range(3):
        orders_sync(account, broker, today())
    found = again(order)
    assert (found.status, found.filled_quantity, found.average_fill_price) == ("FILLED", 10, Decimal("99.56"))
    assert [fill.quantity for fill in Fill.objects.order_by("id")] == [4, 6]
    assert sum(fill.amount + fill.commission for fill in Fill.objects.all()) == 100_000 - tiger.journal.cash()
    assert len(tiger.journal.calls("place_order")) == 1
    assert Account.objects.get(pk=ACCOUNT).state == "ACTIVE"


def test_what_tiger_never_shows_stays_unknown(tiger, broker, account):
    tiger.fault("place_order", "lose_request")
    order = sent(broker)
    for _ in range(3):
        orders_resolve(account, broker)
    assert again(order).status == "UNKNOWN"
    assert len(tiger.journal.calls("place_order")) == 1


def test_a_rejection_that_came_later_is_written_with_its_reason(tiger, broker, account):
    order = sent(broker)
    tiger.reject(order.client_order_id, "Not enough buying power")
    orders_sync(account, broker, today())
    assert (again(order).status, again(order).status_reason) == ("REJECTED", "Not enough buying power")


def test_a_fill_that_crosses_a_cancel_wins(tiger, broker, account):
    order = sent(broker)
    tiger.settings(pending_cancel=True)
    order_cancel(order, broker)
    tiger.fill(order.client_order_id, price="99.5")
    orders_sync(account, broker, today())
    assert again(order).status == "FILLED"


def test_a_price_on_a_tick_is_adopted_once(tiger, broker, account):
    order = sent(broker, limit_price=Decimal("100.019"))
    for _ in range(3):
        orders_sync(account, broker, today())
    assert again(order).limit_price == Decimal("100.01")
    assert again(order).events.filter(reason="CHANGED").count() == 1


def test_an_options_stop_is_not_adopted_as_a_limit(tiger, broker, account):
    tiger.external_position("AAPL  260320C00227500", 10)
    order = sent(
        broker, symbol="AAPL260320C00227500", side="SELL", order_type="STP", limit_price=None, stop_price=Decimal("2.00"), purpose="STOP"
    )
    orders_sync(account, broker, today())
    assert (again(order).limit_price, again(order).stop_price, again(order).order_type) == (None, Decimal("2.00"), "STP")


def test_each_leg_is_written_with_its_own_side_and_price(tiger, broker, account):
    order = sent(broker, quantity=Decimal(1), limit_price=Decimal("-1.50"), legs=LEGS)
    tiger.fill(order.client_order_id, quantity=1, prices=["4.10", "1.20"])
    orders_sync(account, broker, today())
    written = {(fill.symbol, fill.side, fill.quantity, fill.price) for fill in Fill.objects.all()}
    assert written == {(LEGS[0]["symbol"], "SELL", 1, Decimal("4.1")), (LEGS[1]["symbol"], "BUY", 2, Decimal("1.2"))}
    assert again(order).status == "FILLED"


def test_rounds_every_two_seconds_use_half_of_what_may_be_asked(tiger, broker, account):
    sent(broker)
    for _ in range(5):
        orders_resolve(account, broker)
        orders_sync(account, broker, today())
    lists = ("orders", "active_orders", "filled_orders", "inactive_orders")
    assert {method: used for method, (used, _) in budget.usage().items() if method in lists} == dict.fromkeys(lists, 5)
    assert all(limit / 2 >= 30 for method, (_, limit) in budget.usage().items() if method in lists)
