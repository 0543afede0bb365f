"""Fills from running totals: each part once, under the same id whenever it is told, adding up to the cent."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.tiger_world import ACCOUNT, book, real_account, sent, today, trading_at
from trading.brokers.tiger import TigerBroker
from trading.brokers.tiger.fills import Execution, Total, fees_of, new_parts
from trading.brokers.tiger.own import Booked
from trading.models import Fill

AT = datetime(2026, 3, 2, 15, tzinfo=UTC)
LEGS = [{"symbol": "AAPL260320C00230000", "side": "SELL", "ratio": 1}, {"symbol": "AAPL260320C00240000", "side": "BUY", "ratio": 2}]
EXECUTIONS = st.lists(st.tuples(st.integers(1, 500), st.decimals("1", "400", places=2)), min_size=1, max_size=12)


@given(EXECUTIONS, st.data())
def test_polled_whenever_the_parts_add_up_to_the_total(executions, data):
    """An independent sum over the executions, against what is told at arbitrary polls, with and without the list."""
    booked, ids = Booked(Decimal(0), Decimal(0), Decimal(0)), []
    polls = sorted(data.draw(st.sets(st.integers(1, len(executions)), min_size=1)) | {len(executions)})
    for reached in polls:
        so_far = executions[:reached]
        quantity = Decimal(sum(amount for amount, _ in so_far))
        value = sum(amount * paid for amount, paid in so_far)
        listed = [Execution(Decimal(amount), paid, AT + timedelta(seconds=n)) for n, (amount, paid) in enumerate(so_far)]
        parts = new_parts(Total(quantity, value / quantity, AT), booked, listed if data.draw(st.booleans()) else ())
        ids += [part.reached for part in parts]
        booked = Booked(
            booked.quantity + sum(part.quantity for part in parts),
            booked.value + sum(part.quantity * part.price for part in parts),
            Decimal(0),
        )
        assert booked.quantity == quantity
        assert abs(booked.value - value) < Decimal("0.01")
        assert new_parts(Total(quantity, value / quantity, AT), booked, listed) == []
    assert ids == sorted(set(ids))
    assert all(reached > 0 for reached in ids)


@given(EXECUTIONS)
def test_a_list_that_adds_up_is_told_part_by_part(executions):
    listed = [Execution(Decimal(amount), paid, AT) for amount, paid in executions]
    quantity = sum(each.quantity for each in listed)
    parts = new_parts(Total(quantity, Decimal(1), AT), Booked(Decimal(0), Decimal(0), Decimal(0)), listed)
    assert [(part.quantity, part.price) for part in parts] == [(each.quantity, each.price) for each in listed]


def test_a_list_that_is_behind_is_not_used():
    listed = [Execution(Decimal(3), Decimal(10), AT)]
    (part,) = new_parts(Total(Decimal(5), Decimal(11), AT), Booked(Decimal(0), Decimal(0), Decimal(0)), listed)
    assert (part.quantity, part.price) == (5, 11)


@given(st.integers(0, 100), st.integers(0, 100))
def test_totals_that_go_back_tell_nothing(known, told):
    assume(told <= known)
    assert new_parts(Total(Decimal(told), Decimal(10), AT), Booked(Decimal(known), Decimal(known) * 10, Decimal(0))) == []


def test_an_average_that_was_rounded_leaves_no_price_of_nothing():
    (part,) = new_parts(Total(Decimal(1000), Decimal("0.01"), AT), Booked(Decimal(999), Decimal("10.00"), Decimal(0)))
    assert part.price == Decimal("0.01")


@given(st.integers(0, 5), st.decimals("0", "9", places=4), st.decimals("0", "9", places=2))
def test_fees_are_booked_once_and_never_below_nothing(parts, charged, booked):
    fees = fees_of(parts, charged, booked)
    assert len(fees) == parts
    assert all(fee >= 0 for fee in fees)
    if parts and charged >= booked:
        assert abs(booked + sum(fees) - charged) <= Decimal("0.005")


# --- against the gateway


@pytest.fixture(params=["PAPER", "STANDARD"])
def tiger(tmp_path, request):
    """PAPER accounts have no list of executions, STANDARD ones do."""
    with trading_at(tmp_path, kind=request.param) as tiger:
        tiger.kind = request.param
        tiger.quote("AAPL", bid=99.9, ask=100.1, last=100)
        yield tiger


@pytest.fixture
def broker(db, tiger):
    real_account()
    return TigerBroker()


def test_each_part_is_told_once_and_again_under_the_same_id(tiger, broker):
    order = sent(broker)
    tiger.fill(order.client_order_id, quantity=4, price="99.5")
    first = broker.fills(ACCOUNT, today())
    assert broker.fills(ACCOUNT, today()) == first
    book(order, first)
    tiger.fill(order.client_order_id, quantity=3, price="99.7")
    tiger.fill(order.client_order_id, quantity=3, price="99.9")
    second = broker.fills(ACCOUNT, today())
    book(order, second)
    assert [fill.fill_id for fill in second[:1]] == [fill.fill_id for fill in first] == [f"{order.broker_order_id}:4"]
    parts = [(fill.quantity, fill.price) for fill in second]
    if tiger.kind == "STANDARD":
        assert parts == [(4, Decimal("99.5")), (3, Decimal("99.7")), (3, Decimal("99.9"))]
    else:
        assert parts == [(4, Decimal("99.5")), (6, Decimal("99.8"))]
    paid = sum(fill.quantity * fill.price + fill.commission for fill in Fill.objects.all())
    assert Decimal(100_000) - paid == broker.cash(ACCOUNT) == tiger.journal.cash()
    assert {fill.session for fill in second} == {today()}
    assert [fill.fill_id for fill in broker.fills(ACCOUNT, today())] == [fill.fill_id for fill in second]


def test_a_fill_after_the_cancel_is_told(tiger, broker):
    order = sent(broker)
    tiger.cancel(order.client_order_id)
    order.status = "CANCELLED"
    order.save()
    tiger.fill(order.client_order_id, quantity=4, price="99.5", late=True)
    assert [fill.quantity for fill in broker.fills(ACCOUNT, today())] == [4]


def test_an_order_of_weeks_ago_that_is_filled_now_is_told(tiger, broker):
    order = sent(broker)
    tiger.fill(order.client_order_id, price="99.5")
    type(order).objects.update(sent_at=datetime.now(UTC) - timedelta(days=30), created_at=datetime.now(UTC) - timedelta(days=30))
    assert [fill.quantity for fill in broker.fills(ACCOUNT, today())] == [10]


def test_what_others_traded_is_told_as_theirs(tiger, broker):
    identity = tiger.external_order("AAPL", "BUY", 7, limit_price=100)
    tiger.fill(identity, price="99")
    (fill,) = broker.fills(ACCOUNT, today())
    assert (fill.client_order_id, fill.fill_id, fill.quantity, fill.price) == (f"X-{identity}", f"{identity}:7", 7, 99)


def test_legs_are_told_apart_each_with_its_own_price_and_side(tiger, broker):
    order = sent(broker, quantity=Decimal(3), limit_price=Decimal("-1.50"), legs=LEGS)
    tiger.fill(order.client_order_id, quantity=1, prices=["4.10", "1.20"])
    first = broker.fills(ACCOUNT, today())
    book(order, first)
    tiger.fill(order.client_order_id, quantity=2, prices=["4.20", "1.30"])
    second = broker.fills(ACCOUNT, today())
    book(order, second)
    told = sorted((fill.symbol, fill.side, fill.quantity, fill.price) for fill in second)
    assert told == sorted(
        [
            (LEGS[0]["symbol"], "SELL", 1, Decimal("4.1")),
            (LEGS[0]["symbol"], "SELL", 2, Decimal("4.2")),
            (LEGS[1]["symbol"], "BUY", 2, Decimal("1.2")),
            (LEGS[1]["symbol"], "BUY", 4, Decimal("1.3")),
        ]
    )
    assert len({fill.fill_id for fill in second}) == 4
    assert sum(fill.commission for fill in second) == tiger.journal.order(order.client_order_id).commission
    assert broker.positions(ACCOUNT) == {LEGS[0]["symbol"]: -3, LEGS[1]["symbol"]: 6}


def test_a_leg_that_traded_alone_is_told(tiger, broker):
    order = sent(broker, quantity=Decimal(1), limit_price=Decimal("-1.50"), legs=LEGS)
    tiger.fill(order.client_order_id, quantity=1, prices=["4.10", "1.20"], legs=[0])
    (fill,) = broker.fills(ACCOUNT, today())
    assert (fill.symbol, fill.side, fill.quantity) == (LEGS[0]["symbol"], "SELL", 1)
    assert broker.orders(ACCOUNT, [order.client_order_id])[order.client_order_id].status == "WORKING"
