"""What a live account sends: armed, compared with its broker, in regular hours, on a fresh quote, and nothing unknown before it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from quant_site.core import clock
from quant_site.core.errors import Unavailable
from quant_site.core.models import Account, OutboxEvent
from tests.live_world import LAST_CLOSE, NOON, live_account, live_broker
from trading.books.ledger import account_fund
from trading.control.senders import boot_register
from trading.models import Arming, Order, Reconciliation, SenderBoot, SymbolHalt
from trading.order_path.orders import order_create, order_send, orders_resolve, orders_send_ready
from trading.vocabulary import OrderType, Purpose

pytestmark = pytest.mark.django_db
D = Decimal


@pytest.fixture
def at_noon(settings):
    settings.REAL_TRADING = True
    with clock.use(clock.VirtualClock(NOON)):
        yield


@pytest.fixture
def account(at_noon):
    account = live_account()
    account_fund(account=account, amount=D(100_000), session=LAST_CLOSE, key="initial")
    return account


@pytest.fixture
def broker(account):
    return live_broker()


def intent(account, symbol="AAA", side="BUY", quantity=10, **fields) -> Order:
    key = fields.pop("key", f"test {Order.objects.count()}")
    values = {"purpose": Purpose.ENTRY, "order_type": OrderType.MARKET, "session": LAST_CLOSE, "decision_price": 100, "key": key} | fields
    return order_create(account=Account.objects.get(pk=account.pk), symbol=symbol, side=side, quantity=quantity, **values)


def limit(account, price, **fields) -> Order:
    return intent(account, order_type=OrderType.LIMIT, limit_price=D(price), **fields)


def update(account, **fields) -> None:
    Account.objects.filter(pk=account.pk).update(**fields)


def code(order) -> str:
    return order.status_reason.partition(":")[0]


def test_an_order_that_nothing_speaks_against_is_sent_once_under_its_reserved_id(account, broker):
    order = order_send(intent(account), broker)
    assert (order.status, order.reserved_id, order.broker_order_id) == ("ACKED", "R1", "B1")
    assert (broker.calls, broker.placed[0].reserved_id) == (["reserve", "place"], "R1")
    assert order.sent_at == NOON


def test_an_account_that_is_not_armed_opens_nothing(account, broker):
    Arming.objects.update(open_key=None)
    order = order_send(intent(account), broker)
    assert (order.status, code(order), broker.placed) == ("DENIED", "NOT_ARMED", [])


def test_what_reduces_waits_to_be_armed_again(account, broker):
    Arming.objects.update(open_key=None)
    order = intent(account, purpose=Purpose.EXIT, side="SELL")
    assert (order_send(order, broker).status, broker.placed) == ("INTENT", [])


def test_a_process_that_starts_disarms_and_nothing_is_sent_before_the_next_comparison(account, broker):
    boot_register("sweeper")
    assert code(order_send(intent(account), broker)) == "NOT_ARMED"
    armed = Arming.objects.create(account=account, open_key=account.pk, boot=SenderBoot.objects.latest("pk"), armed_by=account.owner)
    order = intent(account, symbol="BBB")
    assert order_send(order, broker).status == "INTENT", "nothing was compared since that start"
    Reconciliation.objects.create(account=account, boot=armed.boot, kind="BOOT", agrees=True)
    assert order_send(order, broker).status == "ACKED"


def test_real_orders_need_the_environment_too(account, broker, settings):
    settings.REAL_TRADING = False
    order = order_send(intent(account), broker)
    assert (order.status, code(order), broker.placed) == ("DENIED", "MODE", [])


def test_orders_wait_for_regular_hours(account, broker):
    order = intent(account)
    with clock.use(clock.VirtualClock(NOON + timedelta(hours=6))):
        assert order_send(order, broker).status == "INTENT"
    assert order_send(order, broker).status == "ACKED"


def test_a_day_order_that_found_no_hours_expires_with_its_day(account, broker):
    order = intent(account)
    orders_send_ready(account, broker, session=LAST_CLOSE + timedelta(days=1))
    order.refresh_from_db()
    assert (order.status, order.status_reason, broker.placed) == ("EXPIRED", "NOT_SENT_IN_TIME", [])


def test_without_a_fresh_quote_nothing_is_opened(account, broker):
    broker.quotes.pop("AAA")
    assert code(order_send(intent(account), broker)) == "NO_QUOTE"
    broker.quotes["AAA"], broker.quote_at = D(100), datetime.now(UTC) - timedelta(minutes=5)
    assert code(order_send(intent(account, symbol="AAA", quantity=11), broker)) == "STALE_QUOTE"
    assert broker.placed == []


def test_clocks_that_differ_by_more_than_two_seconds_open_nothing(account, broker):
    broker.clock_off = 3.0
    assert code(order_send(intent(account), broker)) == "CLOCK_SKEW"
    broker.clock_off = 1.0
    assert order_send(intent(account, quantity=12), broker).status == "ACKED"


def test_a_limit_outside_the_collar_is_denied_and_one_within_is_sent(account, broker):
    update(account, price_collar_pct=D("0.05"))
    assert code(order_send(limit(account, 106), broker)) == "PRICE_COLLAR"
    assert order_send(limit(account, 104, quantity=11), broker).status == "ACKED"


def test_an_order_larger_than_the_account_allows_is_denied(account, broker):
    update(account, max_order_notional=D(900))
    assert code(order_send(intent(account), broker)) == "ORDER_NOTIONAL"
    assert order_send(intent(account, quantity=9), broker).status == "ACKED"


def test_a_second_equal_order_is_denied_unless_it_was_confirmed(account, broker):
    assert order_send(intent(account), broker).status == "ACKED"
    again = intent(account)
    assert code(order_send(again, broker)) == "DUPLICATE"
    confirmed = intent(account)
    Order.objects.filter(pk=confirmed.pk).update(confirmed_by=account.owner)
    confirmed.refresh_from_db()
    assert order_send(confirmed, broker).status == "ACKED"


def test_an_order_that_would_trade_with_one_of_our_own_is_denied(account, broker):
    resting = limit(account, 99, purpose=Purpose.TARGET, side="SELL", session=LAST_CLOSE)
    order_send(resting, broker)
    order = order_send(intent(account), broker)
    assert (order.status, code(order)) == ("DENIED", "SELF_CROSS")


def test_too_many_orders_in_a_minute_halt_the_account(account, broker):
    update(account, max_orders_per_minute=2)
    sent = [order_send(intent(account, quantity=number), broker) for number in (1, 2, 3)]
    assert [order.status for order in sent] == ["ACKED", "ACKED", "DENIED"]
    assert code(sent[2]) == "RUNAWAY"
    account.refresh_from_db()
    assert account.state == "HALTED"


def test_refusals_count_towards_a_runaway(account, broker):
    update(account, max_rejects_per_minute=2)
    broker.faults = ["refused", "refused"]
    sent = [order_send(intent(account, quantity=number), broker) for number in (1, 2, 3)]
    assert [order.status for order in sent] == ["REJECTED", "REJECTED", "DENIED"]
    assert Account.objects.get(pk=account.pk).state == "HALTED"


def test_a_lost_reply_blocks_the_symbol_raises_the_alarm_and_is_never_sent_again(account, broker):
    broker.faults = ["lost request"]
    order = order_send(intent(account), broker)
    assert order.status == "UNKNOWN"
    halt = SymbolHalt.objects.get(account=account, symbol="AAA")
    assert halt.code == "UNKNOWN_ORDER"
    assert halt.open_key is not None
    assert OutboxEvent.objects.filter(type="alert.critical", account_id="LIVE").count() == 1
    following = intent(account, quantity=11)
    for _ in range(3):
        orders_resolve(account, broker, exclusive=True)
        assert order_send(following, broker).status == "INTENT"
    order.refresh_from_db()
    assert (order.status, broker.placed, broker.calls.count("place")) == ("UNKNOWN", [], 1)
    assert OutboxEvent.objects.filter(type="alert.critical").count() == 1, "said once"
    assert order_send(intent(account, symbol="BBB"), broker).status == "ACKED", "other symbols go on"


def test_evidence_ends_the_block(account, broker):
    broker.faults = ["lost reply"]
    order = order_send(intent(account), broker)
    assert order.status == "UNKNOWN"
    orders_resolve(account, broker, exclusive=True)
    order.refresh_from_db()
    halt = SymbolHalt.objects.get(account=account)
    assert (order.status, halt.open_key, halt.cleared_by) == ("ACKED", None, "evidence")
    assert order_send(intent(account, quantity=11), broker).status == "ACKED"


def test_unknown_exposure_counts_against_the_limits(account, broker):
    update(account, max_gross_exposure=D("0.5"))
    broker.faults = ["lost request"]
    assert order_send(intent(account, quantity=300), broker).status == "UNKNOWN"
    order = order_send(intent(account, symbol="BBB", quantity=300), broker)
    assert (order.status, code(order)) == ("DENIED", "GROSS_EXPOSURE")


def test_a_halted_symbol_opens_nothing_and_closes(account, broker):
    SymbolHalt.objects.create(account=account, symbol="AAA", open_key="LIVE:AAA", code="MISMATCH", reason="Position in AAA")
    assert code(order_send(intent(account), broker)) == "SYMBOL_HALTED"
    assert order_send(intent(account, purpose=Purpose.EXIT, side="SELL"), broker).status == "ACKED"


def test_the_risk_of_an_order_is_taken_at_the_quote(account, broker):
    update(account, max_position_pct=D("0.1"))
    broker.quotes["AAA"] = D(200)
    assert code(order_send(intent(account, quantity=60), broker)) == "SINGLE_NAME"
    broker.quotes["AAA"] = D(100)
    assert order_send(intent(account, quantity=61), broker).status == "ACKED"


def test_a_broker_that_gives_no_id_before_leaves_the_order_where_it_is(account, broker, monkeypatch):
    def refuses(account_id):
        raise Unavailable("budget", "No call is left this minute.")

    monkeypatch.setattr(broker, "reserve", refuses)
    order = intent(account)
    orders_send_ready(account, broker)
    order.refresh_from_db()
    assert (order.status, order.fence, broker.placed) == ("INTENT", 0, [])
