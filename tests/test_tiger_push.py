"""Tiger's push rings for what changed, comes back by itself, and says when something may have been missed."""

import ssl
import threading
from decimal import Decimal

import pytest
from django.test import override_settings

from quant_site.core.errors import Unavailable
from tests.tiger_world import real_account, sent, trading_at
from trading.brokers.tiger import TigerBroker
from trading.brokers.tiger.push import Kind, PushEvent, TigerPush

pytestmark = pytest.mark.django_db


class Ear:
    """Hears everything."""

    def __init__(self):
        self.events: list[PushEvent] = []
        self.alerts: list[str] = []

    def heard(self, kind: Kind, **fields) -> list[PushEvent]:
        return [event for event in list(self.events) if event.kind == kind and all(getattr(event, k) == v for k, v in fields.items())]


@pytest.fixture
def tiger(tmp_path):
    with trading_at(tmp_path, heartbeat_ms=400) as tiger:
        real_account()
        tiger.quote("AAPL", bid=99.9, ask=100.1, last=100)
        yield tiger


@pytest.fixture
def ear():
    return Ear()


@pytest.fixture
def listen(tiger, ear):
    made = []

    def start(**options) -> TigerPush:
        values = {"on_event": ear.events.append, "on_alert": lambda code, _: ear.alerts.append(code), "pause": 0.05} | options
        made.append(TigerPush(**values))
        made[-1].start()
        tiger.wait(lambda: made[-1].connected)
        return made[-1]

    yield start
    for push in made:
        push.stop()


def test_an_order_rings_with_our_mark(tiger, ear, listen):
    listen()
    order = sent(TigerBroker())
    tiger.fill(order.client_order_id, quantity=4, price="99.5")
    tiger.wait(lambda: ear.heard(Kind.ORDER, client_order_id=order.client_order_id))
    event = ear.heard(Kind.ORDER)[0]
    assert (event.broker_order_id, event.symbol) == (order.broker_order_id, "AAPL")
    tiger.wait(lambda: ear.heard(Kind.POSITION, symbol="AAPL") and ear.heard(Kind.ASSET))


def test_an_order_without_our_mark_is_named_by_its_id(tiger, ear, listen):
    tiger.settings(store_user_mark=False)
    push_ids = {}
    listen(resolve=lambda identity: push_ids.setdefault(identity, "ours"))
    sent(TigerBroker())
    tiger.wait(lambda: ear.heard(Kind.ORDER, client_order_id="ours"))


def test_quotes_ring_for_what_was_asked_for_also_later(tiger, ear, listen):
    push = listen(symbols=["AAPL"])
    tiger.quote("AAPL", bid=98, ask=99, last="98.5")
    tiger.wait(lambda: ear.heard(Kind.QUOTE, symbol="AAPL", bid=Decimal(98), ask=Decimal(99)))
    tiger.wait(lambda: ear.heard(Kind.QUOTE, symbol="AAPL", last=Decimal("98.5")))
    push.subscribe(["MSFT"])
    tiger.wait(lambda: "MSFT" in str(tiger.state()["push"]))
    tiger.quote("MSFT", bid=300, ask=301)
    tiger.wait(lambda: ear.heard(Kind.QUOTE, symbol="MSFT"))


def test_after_a_break_it_is_back_with_all_subscriptions_and_says_so(tiger, ear, listen):
    push = listen(symbols=["AAPL"])
    tiger.wait(lambda: len(ear.heard(Kind.RESYNC)) == 1)
    tiger.push_disconnect()
    tiger.wait(lambda: len(ear.heard(Kind.RESYNC)) == 2 and push.connected)
    order = sent(TigerBroker())
    tiger.wait(lambda: ear.heard(Kind.ORDER, client_order_id=order.client_order_id))
    tiger.quote("AAPL", bid=97, ask=98)
    tiger.wait(lambda: ear.heard(Kind.QUOTE, bid=Decimal(97)))
    assert ear.alerts == []


def test_a_server_that_falls_silent_is_left_and_found_again(tiger, ear, listen):
    push = listen()
    tiger.push_silence()
    tiger.wait(lambda: not push.connected)
    tiger.push_silence(False)
    tiger.wait(lambda: push.connected and len(ear.heard(Kind.RESYNC)) >= 2)


def test_a_gateway_that_is_restarted_is_found_again(tiger, ear, listen):
    push = listen()
    tiger.kill()
    tiger.wait(lambda: not push.connected)
    tiger.start()
    tiger.wait(lambda: push.connected and len(ear.heard(Kind.RESYNC)) >= 2)


def test_thrown_out_it_stays_out_and_tells_somebody(tiger, ear, listen):
    push = listen()
    tiger.push_kick()
    tiger.wait(lambda: not push.running)
    assert ear.alerts == ["PUSH_KICKED"]
    tiger.wait(lambda: tiger.state()["push"] == [])


def test_a_second_listener_throws_the_first_out(tiger, ear, listen):
    first = listen()
    second = listen()
    tiger.wait(lambda: not first.running)
    assert second.connected
    assert ear.alerts == ["PUSH_KICKED"]


def test_what_is_lost_because_nobody_listens_is_made_good_by_one_look_at_everything(tiger, ear, listen):
    gate = threading.Event()

    def slow(event: PushEvent) -> None:
        gate.wait(10)
        ear.events.append(event)

    push, broker = listen(on_event=slow, capacity=3), TigerBroker()
    for _ in range(8):
        sent(broker)
    tiger.wait(push._lost.is_set)
    gate.set()
    tiger.wait(lambda: len(ear.heard(Kind.RESYNC)) >= 2)
    assert len(ear.heard(Kind.ORDER)) < 8


def test_a_listener_that_fails_hears_the_next(tiger, ear, listen):
    def picky(event: PushEvent) -> None:
        ear.events.append(event)
        if event.kind is Kind.RESYNC:
            raise RuntimeError("not now")

    listen(on_event=picky)
    order = sent(TigerBroker())
    tiger.wait(lambda: ear.heard(Kind.ORDER, client_order_id=order.client_order_id))


def test_stopping_ends_its_threads(tiger, ear, listen):
    push = listen()
    push.stop()
    assert not push.running
    assert not any(thread.is_alive() for thread in push._threads)
    tiger.wait(lambda: tiger.state()["push"] == [])


def test_a_connection_leaves_the_tls_of_the_process_as_it_was(listen):
    listen()
    assert ssl.SSLContext.wrap_socket.__module__ == "ssl"


def test_without_credentials_there_is_no_listener():
    with override_settings(TIGER=None), pytest.raises(Unavailable):
        TigerPush(on_event=print, on_alert=print)
