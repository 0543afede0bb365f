"""What departures from a plan cost: each bucket by hand, and the sum to the cent."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.behaviour.plan_replay import Bar, Bucket, Execution, Plan, StopMove, plan_replay
from quant_site.core.errors import InvalidInput
from quant_site.core.types import OrderType, Side, money
from quant_site.market.execution import CostModel
from tests.orders_world import FREE

DAYS = [date(2024, 3, 4) + timedelta(days=t) for t in range(12)]
# Entered at 100 in the first session; the stop at 95 is never touched; the target at 110 is reached in the fourth.
RISE = [(101, 102, 99, 100), (100, 103, 98, 102), (102, 106, 101, 105), (106, 111, 104, 109), (109, 112, 108, 111)]
# The stop is touched in the second session, and missed: it goes on falling, then recovers.
FALL = [(101, 102, 99, 100), (99, 100, 94, 96), (96, 97, 90, 91), (91, 99, 91, 98), (98, 99, 97, 98)]
SEVERAL = {"STOP_MOVED": D("-30.00"), "EARLY_EXIT": D("-20.00"), "SIZE": D("-100.00")}


def bars(rows) -> list[Bar]:
    return [Bar(day, *map(D, row)) for day, row in zip(DAYS, rows, strict=False)]


def plan(**changes) -> Plan:
    terms = {"sign": 1, "order_type": OrderType.LIMIT, "entry": D(100), "stop": D(95), "target": D(110), "quantity": D(10)}
    return Plan(**terms | {"first": DAYS[0], "last": None} | changes)


def fill(t, side, quantity, price, commission="0.00") -> Execution:
    quantity, price = D(quantity), D(str(price))
    at = datetime.combine(DAYS[t], datetime.min.time(), UTC)
    return Execution(DAYS[t], at, Side(side), quantity, price, money(quantity * price), D(commission))


def trade(*, entry=(0, 100), exit_=(3, 110), quantity=10) -> list[Execution]:
    return [fill(entry[0], "BUY", quantity, entry[1]), fill(exit_[0], "SELL", quantity, exit_[1])]


def buckets(rows, fills, *moves, costs=FREE, **terms) -> dict[str, D]:
    """The buckets that are not 0."""
    found = plan_replay(plan(**terms), bars(rows), fills, moves, costs)
    assert sum(found.buckets.values()) == found.actual - found.planned
    return {str(name): amount for name, amount in found.buckets.items() if amount}


def test_a_trade_as_planned_departs_in_nothing():
    found = plan_replay(plan(), bars(RISE), trade(), costs=FREE)
    assert (found.planned, found.actual) == (D("100.00"), D("100.00"))
    assert set(found.buckets.values()) == {D(0)}


@pytest.mark.parametrize(
    ("rows", "fills", "moves", "expected"),
    [
        (RISE, trade(entry=(1, "102.5")), [], {"ENTRY": D("-25.00")}),
        (RISE, trade(exit_=(2, 105)), [], {"EARLY_EXIT": D("-50.00")}),
        (RISE, trade(quantity=15), [], {"SIZE": D("50.00")}),
        (RISE, trade(exit_=(4, "111.5")), [], {"OVERRIDE": D("15.00")}),
        (FALL, trade(exit_=(2, "90.5")), [], {"OVERRIDE": D("-45.00")}),
        (FALL, trade(exit_=(2, 92)), [StopMove(DAYS[1], D(92))], {"STOP_MOVED": D("-30.00")}),
        (FALL, trade(exit_=(4, 98)), [StopMove(DAYS[1], None)], {"STOP_MOVED": D("30.00")}),
        (FALL, trade(exit_=(2, 90), quantity=20), [StopMove(DAYS[1], D(92))], SEVERAL),
        (RISE, [], [], {"ENTRY": D("-100.00")}),
    ],
)  # fmt: skip
def test_each_departure_has_its_bucket(rows, fills, moves, expected):
    assert buckets(rows, fills, *moves) == expected


def test_a_short_is_mirrored():
    rows = [(99, 101, 98, 100), (100, 102, 97, 98), (98, 99, 89, 91)]
    fills = [fill(0, "SELL", 10, 100), fill(1, "BUY", 10, 98)]
    assert buckets(rows, fills, sign=-1, stop=D(105), target=D(90)) == {"EARLY_EXIT": D("-80.00")}


def test_a_plan_whose_entry_never_came_made_nothing():
    found = plan_replay(plan(entry=D(90)), bars(RISE), trade(), costs=FREE)
    assert (found.planned, found.entry, found.exit) == (D(0), None, None)
    assert found.buckets[Bucket.ENTRY] == found.actual == D("100.00")


def test_an_entry_after_its_expiry_is_none():
    rows = [(105, 106, 104, 105), *RISE]
    assert plan_replay(plan(last=DAYS[0]), bars(rows), [], costs=FREE).entry is None
    assert plan_replay(plan(last=DAYS[1]), bars(rows), [], costs=FREE).entry.at == 1


@pytest.mark.parametrize(
    ("rows", "exit_price"),
    [
        ([(101, 102, 99, 100), (90, 92, 89, 91)], 90),  # gapped through the stop: the open
        ([(101, 102, 99, 100), (115, 116, 114, 115)], 115),  # gapped through the target: the open
        ([(101, 102, 99, 100), (100, 111, 94, 100)], 95),  # both within one bar: the stop
        ([(101, 102, 94, 100), (100, 120, 99, 100)], 95),  # the bar of the entry: the stop counts
        ([(101, 111, 99, 100), (100, 105, 99, 103)], 103),  # and the target does not; the last close ends it
        ([(98, 111, 97, 100)], 110),  # entered at the open: the target counts too
    ],
)
def test_the_plan_is_replayed_by_the_rules_of_a_daily_bar(rows, exit_price):
    found = plan_replay(plan(), bars(rows), [], costs=FREE)
    assert found.exit.price == exit_price


def test_a_market_order_that_opens_beyond_its_stop_ends_where_it_began():
    found = plan_replay(plan(order_type=OrderType.MARKET, entry=None), bars([(90, 96, 89, 95)]), [], costs=FREE)
    assert (found.entry.price, found.exit.price) == (90, 90)


def test_costs_are_those_of_the_model_and_fees_are_a_bucket():
    """Planned: limit in and out, 1 dollar of commission each way. Done: 2.50 and 1.50."""
    fills = [fill(0, "BUY", 10, 100, "2.50"), fill(3, "SELL", 10, 110, "1.50")]
    found = plan_replay(plan(), bars(RISE), fills, costs=CostModel())
    assert (found.planned, found.actual) == (D("98.00"), D("96.00"))
    assert {name for name, amount in found.buckets.items() if amount} == {Bucket.FEES}


def test_a_stop_of_the_plan_pays_spread_and_slippage():
    found = plan_replay(plan(), bars(FALL), [], costs=CostModel())
    assert found.exit.price == D("94.971500")  # 95 less 3 basis points
    assert found.planned == D("949.72") - D("1000.00") - 2


def test_a_trade_that_is_not_flat_cannot_be_compared():
    with pytest.raises(InvalidInput) as refused:
        plan_replay(plan(), bars(RISE), [fill(0, "BUY", 10, 100)])
    assert refused.value.code == "not_flat"


def test_a_fill_without_a_bar_cannot_be_compared():
    with pytest.raises(InvalidInput) as refused:
        plan_replay(plan(), bars(RISE), trade(exit_=(9, 110)))
    assert refused.value.code == "no_bar"


PRICE = st.decimals("1", "1000", places=6)
BAR = st.lists(PRICE, min_size=4, max_size=4).map(lambda four: (four[0], max(four), min(four), four[3]))
PART = st.tuples(st.integers(0, 5), st.integers(1, 500), PRICE, st.decimals("0", "50", places=2))


@given(
    st.lists(BAR, min_size=6, max_size=6),
    st.lists(PART, max_size=4),
    st.sampled_from((1, -1)),
    st.sampled_from(OrderType),
    st.tuples(PRICE, st.none() | PRICE, st.none() | PRICE),
    st.lists(st.tuples(st.integers(0, 5), st.none() | PRICE), max_size=3),
    st.data(),
)
def test_the_buckets_add_up_to_the_cent(rows, parts, sign, order_type, levels, moves, data):
    opens, closes = ("BUY", "SELL") if sign > 0 else ("SELL", "BUY")
    fills = [fill(t, opens, quantity, price, str(fee)) for t, quantity, price, fee in parts]
    fills += [fill(data.draw(st.integers(t, 5)), closes, quantity, data.draw(PRICE), str(fee)) for t, quantity, _, fee in parts]
    entry, stop, target = levels
    terms = plan(sign=sign, order_type=order_type, entry=entry, stop=stop, target=target, quantity=D(data.draw(st.integers(1, 500))))
    found = plan_replay(terms, bars(rows), fills, [StopMove(DAYS[t], level) for t, level in moves])
    cash = sum((-fill.side.sign * fill.amount - fill.commission for fill in fills), D(0))
    assert found.actual == cash
    assert sum(found.buckets.values()) == found.actual - found.planned
    assert all(amount == money(amount) for amount in (found.planned, found.actual, *found.buckets.values()))
