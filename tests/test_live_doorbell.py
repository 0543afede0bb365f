"""The bell that wakes the sweeper: the broker's push, where a real account is traded, and silence everywhere else."""

import time

import pytest

from quant_site.core.models import OutboxEvent
from tests.tiger_world import real_account, sent, trading_at
from trading.brokers.tiger import TigerBroker
from trading.order_path.doorbell import Doorbell

pytestmark = pytest.mark.django_db


def test_a_fill_at_the_broker_wakes_the_sweeper_before_its_round(tmp_path):
    with trading_at(tmp_path) as tiger:
        tiger.quote("AAPL", bid=99.9, ask=100.1, last=100)
        real_account()
        order = sent(TigerBroker())
        bell = Doorbell()
        bell.open()
        try:
            [listener] = bell._listeners
            deadline = time.monotonic() + 10
            while not listener.connected and time.monotonic() < deadline:
                bell.wait(0.05)
            tiger.wait(lambda: any("order" in each["topics"] for each in tiger.state()["push"]))
            while bell._rang.is_set():
                bell.wait(0)
            tiger.fill(order.client_order_id)
            began = time.monotonic()
            bell.wait(20)
            assert time.monotonic() - began < 10
        finally:
            bell.close()


def test_without_real_trading_nobody_listens(settings):
    settings.REAL_TRADING = False
    real_account()
    bell = Doorbell()
    bell.open()
    assert bell._listeners == []
    bell.ring()
    bell.wait(60)  # answers at once, because it rang


def test_a_real_account_without_credentials_is_swept_without_a_bell(settings):
    settings.REAL_TRADING, settings.TIGER = True, None
    real_account()
    bell = Doorbell()
    bell.open()
    assert (bell._listeners, OutboxEvent.objects.count()) == ([], 0)
