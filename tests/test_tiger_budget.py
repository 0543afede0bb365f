"""No rolling minute holds more calls than Tiger allows, over all processes together; cancels are never the ones that wait."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quant_site.market.models import CallSlot
from quant_site.market.tiger import budget
from tests.tiger_world import ACCOUNT, order_row, real_account, request_of, sent, trading_at
from trading.brokers.base import BrokerRefused, BrokerUnclear
from trading.brokers.tiger import TigerBroker

START = datetime(2030, 1, 2, 15, tzinfo=UTC)


@pytest.fixture
def clock(monkeypatch):
    """A wall clock that stands until it is moved."""
    now = [START]
    monkeypatch.setattr(budget, "_wall", lambda: now[0])
    return now


@pytest.mark.django_db
@pytest.mark.parametrize(("method", "limit"), [("order_no", 120), ("kline", 60), ("market_state", 10), ("some_new_method", 10)])
def test_a_gate_gives_as_many_calls_as_its_limit_and_says_when_the_next_is_free(clock, method, limit):
    assert [budget.take(method) for _ in range(limit)] == [0.0] * limit
    assert budget.take(method) == pytest.approx(61)
    clock[0] += timedelta(seconds=60.9)
    assert budget.take(method) > 0
    clock[0] += timedelta(seconds=0.1)
    assert budget.take(method) == 0.0


@pytest.mark.django_db
def test_orders_changes_and_cancels_count_together_and_leave_a_reserve_for_cancels(clock):
    methods = ("place_order", "modify_order")
    assert all(budget.take(methods[n % 2]) == 0.0 for n in range(100))
    assert budget.take("place_order") > 0
    assert budget.take("cancel_order") > 0
    assert [budget.take("cancel_order", urgent=True) for _ in range(20)] == [0.0] * 20
    assert budget.take("cancel_order", urgent=True) > 0
    assert budget.usage()["modify_order"] == (120, 120)


@pytest.mark.django_db
def test_what_tiger_calls_too_much_stops_for_a_window_but_cancels_do_not(clock):
    budget.exhaust("place_order")
    assert budget.take("place_order") == pytest.approx(61)
    assert budget.take("cancel_order", urgent=True) == 0.0
    clock[0] += timedelta(seconds=61)
    assert budget.take("place_order") == 0.0


@pytest.mark.django_db
def test_usage_tells_what_the_last_minute_held(clock):
    for _ in range(3):
        budget.take("kline")
    budget.take("some_new_method")
    assert (budget.usage()["kline"], budget.usage()["some_new_method"]) == ((3, 60), (1, 10))
    clock[0] += timedelta(seconds=61)
    assert budget.usage()["kline"] == (0, 60)


@pytest.mark.django_db
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(waits=st.lists(st.floats(0, 30), min_size=1, max_size=60))
def test_no_window_of_sixty_seconds_ever_holds_more_than_the_limit(clock, waits):
    CallSlot.objects.all().delete()
    clock[0], granted = START, []
    for wait in waits:
        clock[0] += timedelta(seconds=wait)
        granted += [clock[0] for _ in range(4) if budget.take("market_state") == 0.0]
    assert granted
    for first in granted:
        assert sum(first <= at <= first + timedelta(seconds=60) for at in granted) <= 10


@pytest.mark.django_db(transaction=True)
def test_threads_that_call_at_once_share_the_limit():
    def calls(_):
        try:
            return sum(budget.take("market_state") == 0.0 for _ in range(5))
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(calls, range(6))) == 10
    assert Counter(CallSlot.objects.filter(used_at=None).values_list("gate")) == Counter()


@pytest.mark.django_db
def test_an_order_that_is_held_back_is_certain_not_to_have_been_sent(tmp_path):
    with trading_at(tmp_path) as tiger:
        real_account()
        broker = TigerBroker()
        tiger.quote("AAPL", bid=99, ask=101)
        working, held = sent(broker), order_row(broker)
        before = len(tiger.journal.calls())
        budget.exhaust("place_order")
        with pytest.raises(BrokerRefused) as raised:
            broker.place(request_of(held))
        assert raised.value.code == "RATE_LIMITED"
        assert len(tiger.journal.calls("place_order")) == 1
        assert len(tiger.journal.calls()) - before <= 1  # at most its ticks
        broker.cancel(ACCOUNT, working.client_order_id)
        assert tiger.journal.order(working.client_order_id).status == "Cancelled"


@pytest.mark.django_db
@pytest.mark.parametrize("code", [4, 429])
def test_after_tigers_own_limit_nothing_more_is_sent_for_a_window(tmp_path, code):
    with trading_at(tmp_path) as tiger:
        real_account()
        broker = TigerBroker()
        tiger.quote("AAPL", bid=99, ask=101)
        orders = [order_row(broker) for _ in range(3)]
        tiger.limits(per_minute={"place_order": 1, "modify_order": 1, "cancel_order": 1}, code=code)
        broker.place(request_of(orders[0]))
        with pytest.raises(BrokerUnclear):
            broker.place(request_of(orders[1]))
        with pytest.raises(BrokerRefused):
            broker.place(request_of(orders[2]))
        assert len(tiger.journal.calls("place_order")) == 2
