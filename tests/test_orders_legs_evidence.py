"""Fills of an order of several legs: in parts, out of order, told twice; what they make of the order, and what stops the account."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quant_site.core.errors import Conflict, InvalidInput
from quant_site.core.models import Account
from quant_site.core.types import OrderType, Side
from tests.options_desk import option
from tests.orders_world import DAYS, account_of
from trading.brokers.base import CANCELLED, FILLED, WORKING, BrokerFill, BrokerOrder
from trading.models import Fill, Order
from trading.order_path.evidence import evidence_apply
from trading.order_path.rows import order_advance, order_create
from trading.order_path.states import OrderStatus
from trading.vocabulary import Purpose, TimeInForce

pytestmark = pytest.mark.django_db
D = Decimal
LOW, SOLD, CALL, HIGH = option("P", 90), option("P", 95), option("C", 105), option("C", 110)
# Two of the outer put for each unit.
LEGS = {LOW: ("BUY", 2, "0.35"), SOLD: ("SELL", 1, "0.95"), CALL: ("SELL", 1, None), HIGH: ("BUY", 1, "0.25")}


def made(account, legs=LEGS, **fields):
    written = [{"symbol": symbol, "side": side, "ratio": ratio, "decision": decision} for symbol, (side, ratio, decision) in legs.items()]
    content = {"symbol": "SPY/condor", "side": Side.BUY, "quantity": 3, "order_type": OrderType.MARKET, "legs": written} | fields
    return order_create(account=account, purpose=Purpose.ENTRY, session=DAYS[0], **content)


def sent(account, **fields):
    order = made(account, **fields)
    return order_advance(order, [(OrderStatus.READY, "", {}), (OrderStatus.SENDING, "", {}), (OrderStatus.ACKED, "", {})])


def fill(order, name, symbol, quantity, price="1.00", **fields):
    side = LEGS[symbol][0] if symbol in LEGS else "BUY"
    values = {"side": side, "symbol": symbol, "commission": D("0.65") * quantity} | fields
    return BrokerFill(name, order.client_order_id, DAYS[1], D(quantity), D(price), filled_at=datetime(2019, 1, 3, 15, tzinfo=UTC), **values)


def report(order, status=WORKING, filled=0, reason=""):
    return {
        order.client_order_id: BrokerOrder(
            order.client_order_id, "B-1", status, order.quantity, None, None, D(filled), None, D(0), reason=reason
        )
    }


def whole(order):
    """One fill for each leg, of everything."""
    prices = {LOW: "0.40", SOLD: "0.90", CALL: "0.80", HIGH: "0.30"}
    return [fill(order, symbol, symbol, 3 * ratio, prices[symbol]) for symbol, (_, ratio, _) in LEGS.items()]


def state(order):
    order.refresh_from_db()
    return order.status, order.filled_quantity, order.average_fill_price


@pytest.fixture
def account():
    return account_of()


# --- how it is written


def test_its_legs_are_written_sorted_with_their_decision_prices_and_the_net_of_them(account):
    order = made(account, LEGS | {CALL: ("SELL", 1, "0.85")})
    assert [leg["symbol"] for leg in order.legs] == sorted(LEGS)
    assert (order.side, order.group, order.position_id) == ("BUY", "SPY/condor", None)
    assert order.decision_price == 2 * D("0.35") - D("0.95") - D("0.85") + D("0.25")
    assert made(account, LEGS, leg=1).decision_price is None, "of one leg it is not known"


def test_the_same_intent_is_one_order_in_whatever_order_its_legs_are_named_and_at_whatever_price_they_were_decided(account):
    one = made(account)
    again = made(account, dict(reversed(LEGS.items())) | {LOW: ("BUY", 2, "0.36")})
    assert (one.pk, Order.objects.count()) == (again.pk, 1)


@pytest.mark.parametrize(
    "other",
    [LEGS | {LOW: ("BUY", 1, None)}, LEGS | {LOW: ("SELL", 2, None)}, {symbol: LEGS[symbol] for symbol in (LOW, SOLD)}],
    ids=["ratio", "side", "fewer"],
)
def test_the_same_intent_with_other_legs_is_refused_not_ordered_besides(account, other):
    made(account)
    with pytest.raises(Conflict, match="legs"):
        made(account, other)
    assert Order.objects.count() == 1


def test_a_key_names_an_order_whatever_else_is_said_of_it(account):
    one = made(account, key="mine")
    assert made(account, key="mine").pk == one.pk != made(account).pk
    with pytest.raises(Conflict, match="quantity"):
        made(account, key="mine", quantity=4)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"legs": {LOW: LEGS[LOW]}}, "bad_legs"),
        ({"legs": LEGS | {LOW: ("BUY", 0, None)}}, "bad_legs"),
        ({"legs": LEGS | {LOW: ("HOLD", 1, None)}}, "bad_legs"),
        ({"side": Side.SELL}, "bad_legs"),
        ({"order_type": OrderType.STOP, "stop_price": 1}, "bad_legs"),
        ({"order_type": OrderType.LIMIT}, "bad_limit_price"),
    ],
)
def test_what_is_no_order_of_several_legs_is_not_written(account, wrong, code):
    with pytest.raises(InvalidInput) as refused:
        made(account, **wrong)
    assert (refused.value.code, Order.objects.count()) == (code, 0)


@pytest.mark.parametrize("net", ["-1.20", "0", "0.35"])
def test_the_limit_of_a_unit_may_be_paid_or_received(account, net):
    order = made(account, order_type=OrderType.LIMIT, limit_price=net, time_in_force=TimeInForce.GTC)
    assert order.limit_price == D(net)


# --- what fills make of it


def test_it_is_filled_when_every_leg_is_and_costs_the_net_of_its_legs(account):
    order = sent(account)
    fills = whole(order)
    for each in fills[:3]:
        evidence_apply(account.pk, report(order), [each])
        assert state(order) == ("PARTIAL", 0, None)
    evidence_apply(account.pk, report(order, FILLED, 3), fills[3:])
    assert state(order) == ("FILLED", 3, 2 * D("0.40") - D("0.90") - D("0.80") + D("0.30"))
    assert order.commission == 15 * D("0.65")
    assert Account.objects.get().state == "ACTIVE"


def test_each_fill_carries_its_leg_and_is_measured_against_that_leg_s_own_decision(account):
    order = sent(account)
    evidence_apply(account.pk, {}, whole(order))
    rows = {row.symbol: (row.side, row.quantity, row.amount, row.slippage) for row in Fill.objects.all()}
    assert rows == {
        LOW: ("BUY", 6, D("240.00"), D("30.00")),
        SOLD: ("SELL", 3, D("270.00"), D("15.00")),
        CALL: ("SELL", 3, D("240.00"), None),
        HIGH: ("BUY", 3, D("90.00"), D("15.00")),
    }


def test_units_are_counted_by_the_leg_that_is_least_far(account):
    order = sent(account)
    evidence_apply(
        account.pk, {}, [fill(order, "a", LOW, 5), fill(order, "b", SOLD, 2), fill(order, "c", CALL, 3), fill(order, "d", HIGH, 1)]
    )
    assert state(order)[:2] == ("PARTIAL", 1)
    evidence_apply(account.pk, {}, [fill(order, "e", HIGH, 2)])
    assert state(order)[:2] == ("PARTIAL", 2)


def test_a_fill_told_twice_counts_once_also_when_both_come_at_once(account):
    order = sent(account)
    one = fill(order, "a", LOW, 6)
    for _ in range(2):
        evidence_apply(account.pk, report(order), [one, one])
    assert (Fill.objects.count(), state(order)[0], order.events.filter(to_status="PARTIAL").count()) == (1, "PARTIAL", 1)


@pytest.mark.parametrize("symbol", [LOW, SOLD])
def test_more_of_one_leg_than_ordered_is_recorded_and_halts_the_account_whatever_the_others_are(account, symbol):
    order = sent(account)
    too_many = 3 * LEGS[symbol][1] + 1
    evidence_apply(account.pk, report(order), [fill(order, "a", symbol, too_many)])
    account.refresh_from_db()
    assert (account.state, Fill.objects.get().quantity, state(order)[0]) == ("HALTED", too_many, "PARTIAL")
    assert account.state_reason == f"OVERFILL: Order {order.pk} is ACKED, {too_many} of {too_many - 1} {symbol} are filled."
    evidence_apply(
        account.pk, report(order), [fill(order, f"rest {other}", other, 3 * LEGS[other][1]) for other in LEGS if other != symbol]
    )
    assert state(order)[:2] == ("FILLED", 3)


@pytest.mark.parametrize(
    "strange",
    [(option("P", 85), "BUY"), ("", "BUY"), (LOW, "SELL")],
    ids=["another symbol", "no symbol", "the other side"],
)
def test_a_fill_of_no_leg_of_it_halts_the_account(account, strange):
    order = sent(account)
    evidence_apply(account.pk, report(order), [fill(order, "a", strange[0], 1, side=strange[1])])
    account.refresh_from_db()
    assert (account.state, account.state_reason.split(":")[0]) == ("HALTED", "FILL_OF_UNKNOWN_LEG")
    assert (Fill.objects.count(), state(order)[0]) == (0, "ACKED")


def test_a_fill_of_a_plain_order_may_name_its_symbol_but_no_other(account):
    plain = order_create(
        account=account, purpose=Purpose.ENTRY, symbol=LOW, side=Side.BUY, order_type=OrderType.MARKET, quantity=2, session=DAYS[0]
    )
    order_advance(plain, [(OrderStatus.READY, "", {}), (OrderStatus.SENDING, "", {}), (OrderStatus.ACKED, "", {})])
    evidence_apply(account.pk, {}, [fill(plain, "a", LOW, 1)])
    assert state(plain) == ("PARTIAL", 1, 1)
    evidence_apply(account.pk, {}, [fill(plain, "b", SOLD, 1)])
    assert (state(plain)[:2], Account.objects.get().state) == (("PARTIAL", 1), "HALTED")


def test_a_cancel_waits_for_the_fills_that_the_broker_counted(account):
    order = sent(account)
    ended = report(order, CANCELLED, 1, "as asked")
    evidence_apply(account.pk, ended, [fill(order, "a", LOW, 2), fill(order, "b", SOLD, 1)])
    assert state(order)[:2] == ("PARTIAL", 0)
    evidence_apply(account.pk, ended, [fill(order, "c", CALL, 1), fill(order, "d", HIGH, 1)])
    assert state(order)[:2] == ("CANCELLED", 1)
    evidence_apply(account.pk, ended, [fill(order, "e", HIGH, 1)])
    assert (state(order)[:2], order.events.last().to_status) == (("CANCELLED", 1), "CANCELLED"), "a late fill is taken in"


# --- in any parts, in any order


@st.composite
def histories(draw):
    """Parts of every leg in any order, some of them told again later: [(fill name, symbol, contracts)], in calls."""
    parts = []
    for symbol, (_, ratio, _) in LEGS.items():
        left, number = 3 * ratio, 0
        while left:
            count = draw(st.integers(1, left))
            parts.append((f"{symbol}-{number}", symbol, count))
            left, number = left - count, number + 1
    shuffled = draw(st.permutations(parts))
    told = list(shuffled)
    for again in draw(st.lists(st.sampled_from(parts), max_size=5)):
        told.insert(draw(st.integers(0, len(told))), again)
    calls = []
    while told:
        size = draw(st.integers(1, len(told)))
        calls.append(told[:size])
        told = told[size:]
    return calls


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories(), st.booleans())
def test_whatever_the_parts_their_order_and_their_repetition_the_order_is_where_its_legs_are(calls, with_reports):
    sent.count = getattr(sent, "count", 0) + 1
    account = account_of(f"legs{sent.count}")
    order = sent(account)
    known: dict[str, tuple[str, int]] = {}
    for call in calls:
        executions = [fill(order, f"{account.pk}-{name}", symbol, count) for name, symbol, count in call]
        evidence_apply(account.pk, report(order) if with_reports else {}, executions)
        known |= {name: (symbol, count) for name, symbol, count in call}
        filled = dict.fromkeys(LEGS, 0)
        for symbol, count in known.values():
            filled[symbol] += count
        units = min(filled[symbol] // ratio for symbol, (_, ratio, _) in LEGS.items())
        complete = all(filled[symbol] == 3 * ratio for symbol, (_, ratio, _) in LEGS.items())
        assert state(order)[:2] == ("FILLED" if complete else "PARTIAL", units)
        assert (order.average_fill_price is None) == (not all(filled.values()))
        assert order.commission == sum(D("0.65") * count for _, count in known.values())
        assert Fill.objects.filter(account=account).count() == len(known)
    assert (order.status, order.average_fill_price) == ("FILLED", 1), "two and one bought, two sold, each at a dollar"
    trail = list(order.events.order_by("sequence").values_list("to_status", flat=True))
    assert trail.count("FILLED") == 1
    assert Account.objects.get(pk=account.pk).state == "ACTIVE"
