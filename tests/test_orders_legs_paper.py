"""An order of several legs at the paper broker: refused as a whole, filled as a whole at one open or not at all."""

from decimal import Decimal

import pytest

from quant_site.market.execution import CostModel
from tests.options_desk import EXPIRY, option, quoted
from tests.orders_world import DAYS, FLAT, broker_of, request, run_session
from trading.brokers.base import BrokerRefused, OrderLeg

pytestmark = pytest.mark.django_db
D = Decimal
LOW, SOLD_PUT, SOLD_CALL, HIGH = option("P", 90), option("P", 95), option("C", 105), option("C", 110)
PRICES = {LOW: (0.3, 0.4), SOLD_PUT: (0.9, 1.0), SOLD_CALL: (0.8, 0.9), HIGH: (0.2, 0.3)}
CONDOR = (OrderLeg(LOW, "BUY", 1), OrderLeg(SOLD_PUT, "SELL", 1), OrderLeg(SOLD_CALL, "SELL", 1), OrderLeg(HIGH, "BUY", 1))
CLOSING = tuple(OrderLeg(leg.symbol, "SELL" if leg.side == "BUY" else "BUY", leg.ratio) for leg in CONDOR)
SPREAD = (OrderLeg(LOW, "BUY", 1), OrderLeg(SOLD_PUT, "SELL", 1))
LAST = DAYS.index(EXPIRY)
CENTS = (100.25, 101.25, 99.25, 100.25)


def broker_with(prices=PRICES, *, spy=None, **options):
    """SPY on 15 days and the options that `prices` quote; the first session is over."""
    broker = broker_of({"SPY": spy or [FLAT] * 15, "AAA": [FLAT] * 15}, costs=CostModel(), **options)
    quoted(broker.panel, prices)
    run_session(broker, DAYS[0])
    return broker


def combo(key, legs=CONDOR, quantity=3, **fields):
    return request(key, "BUY", quantity=quantity, symbol="SPY/condor", legs=legs, **fields)


def state(broker, key):
    found = broker.orders("paper", [key])[key]
    return found.status, found.reason


def refusal(broker, *arguments, **fields) -> str:
    with pytest.raises(BrokerRefused) as refused:
        broker.place(combo(*arguments, **fields))
    return refused.value.code


# --- fills


def test_all_legs_are_filled_at_one_open_each_at_its_own_price():
    broker = broker_with()
    broker.place(combo("one"))
    run_session(broker, DAYS[1])
    fills = {fill.symbol: (fill.client_order_id, fill.side, fill.quantity, fill.price) for fill in broker.fills("paper", DAYS[1])}
    assert fills == {
        LOW: ("one", "BUY", 3, D("0.4")),
        SOLD_PUT: ("one", "SELL", 3, D("0.9")),
        SOLD_CALL: ("one", "SELL", 3, D("0.8")),
        HIGH: ("one", "BUY", 3, D("0.3")),
    }
    order = broker.orders("paper", ["one"])["one"]
    assert (order.status, order.filled_quantity, order.average_fill_price, order.commission) == ("FILLED", 3, D("-1.0"), 12 * D("0.65"))
    assert broker.positions("paper") == {LOW: 3, SOLD_PUT: -3, SOLD_CALL: -3, HIGH: 3}
    assert broker.cash("paper") == D("100000") + 300 - order.commission
    assert len({fill.fill_id for fill in broker.fills("paper", DAYS[1])}) == 4


def test_a_leg_of_two_contracts_in_a_unit_is_filled_twice_as_far():
    broker = broker_with()
    broker.place(combo("one", (OrderLeg(LOW, "BUY", 2), OrderLeg(SOLD_PUT, "SELL", 1)), 4))
    run_session(broker, DAYS[1])
    order = broker.orders("paper", ["one"])["one"]
    assert (order.filled_quantity, order.average_fill_price) == (4, D("-0.1"))
    assert broker.positions("paper") == {LOW: 8, SOLD_PUT: -4}


@pytest.mark.parametrize("opening", [None, (0.0, 0.05)], ids=["no quote", "no bid"])
@pytest.mark.parametrize("lacking", [SOLD_PUT, SOLD_CALL])
def test_where_one_leg_finds_nobody_nothing_trades_and_the_order_expires_with_the_day(lacking, opening):
    broker = broker_with({**PRICES, lacking: {(1, "OPEN"): opening, "else": PRICES[lacking]}})
    broker.place(combo("one"))
    run_session(broker, DAYS[1])
    assert (state(broker, "one"), broker.cash("paper")) == (("EXPIRED", "SESSION_ENDED"), D("100000"))
    assert (broker.positions("paper"), broker.fills("paper", DAYS[1])) == ({}, [])


def test_an_order_that_is_good_till_cancelled_waits_for_the_open_at_which_all_legs_trade():
    broker = broker_with({**PRICES, LOW: {(1, "OPEN"): None, "else": PRICES[LOW]}})
    broker.place(combo("one", time_in_force="GTC"))
    run_session(broker, DAYS[1])
    assert broker.positions("paper") == {}
    run_session(broker, DAYS[2])
    assert broker.positions("paper") == {LOW: 3, SOLD_PUT: -3, SOLD_CALL: -3, HIGH: 3}


def held():
    broker = broker_with()
    broker.place(combo("in"))
    run_session(broker, DAYS[1])
    return broker


def test_closing_as_one_leaves_nothing():
    broker = held()
    broker.place(combo("out", CLOSING, reducing=True))
    run_session(broker, DAYS[2])
    assert (state(broker, "out"), broker.positions("paper")) == (("FILLED", ""), {})
    assert broker.orders("paper", ["out"])["out"].average_fill_price == D("1.0") + D("0.9") - D("0.3") - D("0.2")


def test_a_closing_order_never_opens_or_turns_a_leg():
    broker = held()
    broker.place(request("part", "SELL", quantity=1, symbol=LOW, reducing=True))
    run_session(broker, DAYS[2])
    broker.place(combo("out", CLOSING, reducing=True))
    run_session(broker, DAYS[3])
    assert state(broker, "out") == ("CANCELLED", "NOTHING_TO_REDUCE")
    assert broker.orders("paper", ["out"])["out"].filled_quantity == 2
    assert broker.positions("paper") == {SOLD_PUT: -1, SOLD_CALL: -1, HIGH: 1}


def test_what_opens_is_cancelled_as_a_whole_where_a_leg_came_to_be_held_on_the_other_side():
    broker = broker_with()
    broker.place(request("before", "BUY", quantity=1, symbol=SOLD_PUT))
    broker.place(combo("one"))
    run_session(broker, DAYS[1])
    assert state(broker, "one") == ("CANCELLED", "OPPOSITE_HOLDING")
    assert broker.positions("paper") == {SOLD_PUT: 1}


# --- refusals


def test_what_speaks_against_one_leg_speaks_against_the_order():
    broker = broker_with()
    for code, legs in {
        "UNKNOWN_SYMBOL": (*SPREAD, OrderLeg(option("C", 100, underlying="QQQ"), "BUY", 1)),
        "CONTRACT_ENDED": (*SPREAD, OrderLeg(option("C", 100, DAYS[0]), "BUY", 1)),
        "NO_PRICE": (*SPREAD, OrderLeg(option("C", 100), "BUY", 1)),
    }.items():
        assert refusal(broker, code, legs) == code
    assert broker.positions("paper") == {}
    assert refusal(broker, "limit", order_type="LMT", limit_price=-1) == "ORDER_TYPE"
    assert refusal(broker, "half", quantity="0.5") == "BAD_QUANTITY"


@pytest.mark.parametrize(
    "legs",
    [
        (OrderLeg("SPY", "BUY", 1), OrderLeg("AAA", "SELL", 1)),
        (OrderLeg("SPY", "BUY", 100), OrderLeg(SOLD_CALL, "SELL", 1)),
        (OrderLeg(LOW, "BUY", 1),),
        (OrderLeg(LOW, "BUY", 1), OrderLeg(LOW, "SELL", 1)),
        (OrderLeg(LOW, "BUY", 0), OrderLeg(SOLD_PUT, "SELL", 1)),
    ],
    ids=["shares", "shares and an option", "one leg", "the same twice", "nothing of a leg"],
)
def test_only_several_different_options_trade_as_one(legs):
    assert refusal(broker_with(), "one", legs) == "BAD_LEGS"


def test_what_is_sold_in_an_order_is_covered_by_what_is_bought_in_it_in_whatever_order_the_legs_stand():
    """A unit of the spread can lose 5.00 less the credit of 0.60: 440 dollars. 20,000 carry 45 of them; what it sells, alone, 13."""
    broker = broker_with(cash="20000")
    assert refusal(broker, "too many", tuple(reversed(SPREAD)), 46) == "BUYING_POWER"
    assert refusal(broker, "naked", (SPREAD[1], OrderLeg(SOLD_CALL, "BUY", 1)), 14) == "BUYING_POWER"
    broker.place(combo("fits", tuple(reversed(SPREAD)), 45))
    assert refusal(broker, "more", SPREAD, 1) == "BUYING_POWER", "what waits counts too"


def test_a_leg_held_on_the_other_side_is_refused_unless_it_leaves_before():
    broker = held()
    turned = (OrderLeg(SOLD_PUT, "BUY", 1), OrderLeg(option("P", 85), "SELL", 1))
    quoted(broker.panel, {**PRICES, option("P", 85): (0.1, 0.2)})
    assert refusal(broker, "turn", turned, 1) == "OPPOSITE_HOLDING"
    broker.place(combo("out", CLOSING, reducing=True))
    broker.place(combo("again", turned, 1))
    run_session(broker, DAYS[2])
    assert broker.positions("paper") == {SOLD_PUT: 1, option("P", 85): -1}


def test_a_refusal_is_remembered_and_placing_again_is_the_same_order():
    broker = broker_with()
    assert refusal(broker, "bad", quantity="0.5") == refusal(broker, "bad") == "BAD_QUANTITY"
    assert broker.place(combo("good")) == broker.place(combo("good"))
    run_session(broker, DAYS[1])
    assert broker.positions("paper")[LOW] == 3


# --- what ends an order


def test_where_a_contract_of_it_ends_the_whole_order_is_cancelled():
    called = option("C", 95.25)
    prices = {called: (5.1, 5.3), HIGH: (0.2, 0.3)}
    broker = broker_with(prices, spy=[CENTS] * 15, factors={"SPY": [1 - 1 / 100.25] * 3 + [1.0] * 12})
    legs = (OrderLeg(called, "SELL", 1), OrderLeg(HIGH, "BUY", 1))
    broker.place(combo("in", legs))
    run_session(broker, DAYS[1]), run_session(broker, DAYS[2])
    broker.place(combo("out", (OrderLeg(called, "BUY", 1), OrderLeg(HIGH, "SELL", 1)), reducing=True))
    run_session(broker, DAYS[3])
    assert [(each.kind, each.symbol) for each in broker.activities("paper", DAYS[3])] == [("ASSIGNMENT", called)]
    assert state(broker, "out") == ("CANCELLED", "CONTRACT_ENDED")
    assert broker.positions("paper") == {HIGH: 3}


def test_a_split_of_the_underlying_cancels_it():
    half = (50.0, 51.0, 49.0, 50.0)
    prices = {**PRICES, LOW: {"else": PRICES[LOW], (1, "OPEN"): None}}
    broker = broker_with(prices, spy=[FLAT, FLAT, *[half] * 13], factors={"SPY": [0.5] * 2 + [1.0] * 13})
    broker.place(combo("one", time_in_force="GTC"))
    run_session(broker, DAYS[1])
    assert state(broker, "one") == ("WORKING", "")
    run_session(broker, DAYS[2])
    assert (state(broker, "one"), broker.positions("paper")) == (("CANCELLED", "CONTRACT_ENDED"), {})
