"""The fake Tiger's push stream under the real SDK's push client."""

import queue
from contextlib import suppress

import pytest
from tigeropen.common.util.contract_utils import stock_contract
from tigeropen.common.util.order_utils import limit_order
from tigeropen.push.network.exception import ConnectFailedException

from tests.fake_tiger import sdk
from tests.fake_tiger.client import FakeTiger

STOCK = stock_contract("AAPL", "USD")
SECONDS = 5.0
TOPICS = {"orders": "order_changed", "fills": "transaction_changed", "positions": "position_changed", "assets": "asset_changed"}
TOPICS |= {"quotes": "quote_bbo_changed", "errors": "error_callback", "kicks": "kickout_callback", "answers": "subscribe_callback"}
TOPICS |= {"connects": "connect_callback", "beats": "heartbeat_callback"}


@pytest.fixture
def tiger(tmp_path):
    with FakeTiger(tmp_path, heartbeat_ms=200) as fake:
        yield fake


@pytest.fixture
def trade(tiger):
    return sdk.trade_client(tiger)


class Listener:
    """A connected push client; what it was told waits in one queue by topic."""

    def __init__(self, tiger):
        self.client = sdk.push_client(tiger)
        self.gone = queue.Queue()
        self.client.disconnect_callback = lambda: self.gone.put("gone")
        for name, callback in TOPICS.items():
            setattr(self, name, queue.Queue())
            setattr(self.client, callback, getattr(self, name).put)
        sdk.push_connect(self.client, tiger)

    def subscribed(self, *topics, account=None):
        for topic in topics:
            getattr(self.client, f"subscribe_{topic}")(account=account)
            self.answers.get(timeout=SECONDS)
        return self


@pytest.fixture
def listener(tiger):
    one = Listener(tiger)
    one.connects.get(timeout=SECONDS)
    yield one
    one.client.disconnect()


def send(trade, mark="one", quantity=10):
    order = limit_order(trade._account, STOCK, "BUY", quantity, 9.0)
    order.user_mark = mark
    trade.place_order(order)
    return order


def got(waiting, count):
    return [waiting.get(timeout=SECONDS) for _ in range(count)]


def test_orders_fills_positions_and_cash_are_pushed_as_they_change(tiger, trade, listener):
    listener.subscribed("order", "transaction", "position", "asset")
    order = send(trade)
    new = listener.orders.get(timeout=SECONDS)
    assert (new.id, new.userMark, new.status, new.limitPrice, new.totalQuantity) == (order.id, "one", "HELD", 9.0, 10)
    tiger.fill("one", quantity=4, price="8.99")
    part = listener.orders.get(timeout=SECONDS)
    assert (part.status, part.filledQuantity, part.avgFillPrice) == ("PARTIALLY_FILLED", 4, 8.99)
    fill = listener.fills.get(timeout=SECONDS)
    assert (fill.orderId, fill.filledQuantity, fill.filledPrice) == (order.id, 4, 8.99)
    assert fill.id == tiger.journal.fills()[0].fill_id
    assert listener.positions.get(timeout=SECONDS).positionQty == 4
    assert listener.assets.get(timeout=SECONDS).cashBalance == pytest.approx(float(tiger.journal.cash()))
    tiger.reject("one", "halted")
    assert [(row.status, row.errorMsg) for row in got(listener.orders, 1)] == [("REJECTED", "halted")]


def test_nothing_is_pushed_that_was_not_subscribed_to(tiger, trade, listener):
    listener.subscribed("asset")
    listener.subscribed("order", account="another account")
    send(trade)
    tiger.cash_change(1)
    listener.assets.get(timeout=SECONDS)
    assert listener.orders.empty()
    assert listener.fills.empty()


def test_quotes_are_pushed_until_unsubscribed(tiger, listener):
    listener.client.subscribe_quote(["AAPL"])
    listener.answers.get(timeout=SECONDS)
    tiger.quote("MSFT", bid=1, ask=2)
    tiger.quote("AAPL", bid=99.9, ask=100.1)
    quote = listener.quotes.get(timeout=SECONDS)
    assert (quote.symbol, quote.bidPrice, quote.askPrice) == ("AAPL", 99.9, 100.1)
    listener.client.unsubscribe_quote(["AAPL"])
    tiger.wait(lambda: tiger.state()["push"][0]["symbols"] == [])
    tiger.quote("AAPL", bid=99.8, ask=100.0)
    listener.client.subscribe_quote(["MSFT"])
    listener.answers.get(timeout=SECONDS)
    assert listener.quotes.empty()


def test_messages_may_be_sent_twice_out_of_order_or_not_at_all(tiger, trade, listener):
    listener.subscribed("order")
    send(trade)
    listener.orders.get(timeout=SECONDS)
    tiger.push_fault("duplicate")
    tiger.fill("one", quantity=1)
    assert [row.filledQuantity for row in got(listener.orders, 2)] == [1, 1]
    tiger.push_fault("reorder", times=2)
    tiger.push_fault("drop", times=1)
    for _ in range(4):
        tiger.fill("one", quantity=1)
    assert [row.filledQuantity for row in got(listener.orders, 3)] == [3, 2, 5]


def test_what_is_held_back_goes_out_when_the_fault_ends(tiger, trade, listener):
    listener.subscribed("order")
    tiger.push_fault("reorder", times=None, batch=99)
    send(trade)
    tiger.fill("one", quantity=1)
    tiger.push_heal()
    assert [row.filledQuantity for row in got(listener.orders, 2)] == [1, 0]


def test_a_newer_connection_kicks_the_older(tiger, listener):
    newer = Listener(tiger)
    assert listener.kicks.get(timeout=SECONDS).code == 4001
    assert listener.gone.get(timeout=SECONDS)
    assert newer.connects.get(timeout=SECONDS)
    newer.client.disconnect()


def test_being_kicked_and_being_cut_off_are_told_apart(tiger, listener):
    assert tiger.push_disconnect() == 1
    assert listener.gone.get(timeout=SECONDS)
    assert listener.kicks.empty()
    again = Listener(tiger)
    again.connects.get(timeout=SECONDS)
    assert tiger.push_kick() == 1
    assert again.kicks.get(timeout=SECONDS).code == 4001
    assert again.gone.get(timeout=SECONDS)


def test_what_happens_while_nobody_listens_is_not_told_later(tiger, trade, listener):
    tiger.push_disconnect()
    listener.gone.get(timeout=SECONDS)
    send(trade)
    again = Listener(tiger)
    again.connects.get(timeout=SECONDS)
    again.subscribed("order")
    tiger.push_order("one")
    assert again.orders.get(timeout=SECONDS).userMark == "one"
    assert again.orders.empty()
    again.client.disconnect()


def test_heartbeats_keep_a_connection_and_silence_ends_it(tiger, listener):
    got(listener.beats, 3)
    tiger.push_silence()
    assert listener.gone.get(timeout=SECONDS)


def test_a_connection_with_a_bad_signature_is_refused(tiger, tmp_path):
    client = sdk.push_client(tiger)
    errors, gone = queue.Queue(), queue.Queue()
    client.error_callback, client.disconnect_callback = errors.put, lambda: gone.put("gone")
    with suppress(ConnectFailedException):  # raised where the answer is there before the client looks
        client.connect("someone else", tiger.config()["private_key"])
    assert errors.get(timeout=SECONDS).code == 4000
    assert gone.get(timeout=SECONDS)
    assert tiger.state()["push"] == []


def test_push_goes_on_after_a_restart_of_the_broker(tiger, trade, listener):
    send(trade)
    tiger.restart()
    assert listener.gone.get(timeout=SECONDS)
    again = Listener(tiger)
    again.connects.get(timeout=SECONDS)
    again.subscribed("order")
    tiger.fill("one")
    assert again.orders.get(timeout=SECONDS).status == "FILLED"
    again.client.disconnect()
