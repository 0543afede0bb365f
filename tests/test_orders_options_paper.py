"""Options at the paper broker: bought at the ask and sold at the bid of the open, marked up by nothing, settled in cash."""

from decimal import Decimal

import pytest

from quant_site.market.execution import CostModel
from quant_site.market.models import Instrument
from tests.options_desk import EXPIRY, option, quoted
from tests.orders_world import DAYS, FLAT, broker_of, request, run_session
from trading.brokers.base import BrokerRefused
from trading.brokers.paper import CLOSED, OPENED

pytestmark = pytest.mark.django_db
D = Decimal
CALL, PUT = option("C", 100), option("P", 95)
LOW, SOLD_PUT, SOLD_CALL, HIGH = option("P", 90), option("P", 95), option("C", 105), option("C", 110)
LAST = DAYS.index(EXPIRY)


def broker_with(prices, *, spy=None, **options):
    """SPY at 100 on 15 days and the options that `prices` quote; the first session is over."""
    bars = {"SPY": spy or [FLAT] * 15, **options.pop("bars", {})}
    broker = broker_of(bars, costs=options.pop("costs", CostModel()), **options)
    quoted(broker.panel, prices)
    run_session(broker, DAYS[0])
    return broker


def order(key, symbol=CALL, side="BUY", quantity=2, **fields):
    return request(key, side, quantity=quantity, symbol=symbol, **fields)


def state(broker, key):
    found = broker.orders("paper", [key])[key]
    return found.status, found.reason


def refusal(broker, *arguments, **fields) -> str:
    with pytest.raises(BrokerRefused) as refused:
        broker.place(order(*arguments, **fields))
    return refused.value.code


# --- fills


@pytest.mark.parametrize(("side", "price", "cash"), [("BUY", "3.20", "-640.00"), ("SELL", "3.00", "600.00")])
def test_what_is_bought_pays_the_ask_of_the_open_and_what_is_sold_gets_the_bid(side, price, cash):
    broker = broker_with({CALL: {(1, "OPEN"): (3.0, 3.2), "else": (9.0, 9.9)}})
    broker.place(order("one", side=side))
    run_session(broker, DAYS[1])
    [fill] = broker.fills("paper", DAYS[1])
    assert (fill.price, fill.quantity, fill.commission) == (D(price), 2, D("1.30"))
    assert broker.cash("paper") == D("100000") + D(cash) - D("1.30")
    assert broker.positions("paper") == {CALL: 2 if side == "BUY" else -2}


@pytest.mark.parametrize("opening", [None, (0.0, 0.05)], ids=["no quote", "no bid"])
def test_without_anybody_to_deal_with_the_order_expires_with_the_day(opening):
    broker = broker_with({CALL: {(1, "OPEN"): opening, "else": (0.0, 0.05)}})
    broker.place(order("one", side="SELL"))
    run_session(broker, DAYS[1])
    assert (state(broker, "one"), broker.cash("paper")) == (("EXPIRED", "SESSION_ENDED"), D("100000"))


def test_an_option_on_a_tenth_of_an_index_trades_although_the_index_is_not_for_sale():
    mini = option("C", 10, underlying="XSP")
    broker = broker_with({mini: (0.4, 0.5)}, bars={"SPX": [FLAT] * 15})
    Instrument.objects.filter(symbol="SPX").update(kind="INDEX", tradable=False)
    broker.place(order("one", mini))
    run_session(broker, DAYS[1])
    assert broker.positions("paper") == {mini: 2}
    assert refusal(broker, "two", "SPX") == "NOT_TRADABLE"


# --- refusals


def test_what_cannot_trade_is_refused():
    broker = broker_with({CALL: (3.0, 3.2)})
    assert refusal(broker, "a", option("C", 100, underlying="QQQ")) == "UNKNOWN_SYMBOL"
    assert refusal(broker, "b", option("C", 100, DAYS[0])) == "CONTRACT_ENDED"
    assert refusal(broker, "c", order_type="LMT", limit_price=3) == "ORDER_TYPE"
    assert refusal(broker, "d", PUT) == "NO_PRICE"
    assert refusal(broker, "e", quantity="0.5") == "BAD_QUANTITY"


def test_an_exit_is_taken_where_the_last_close_had_no_quote():
    broker = broker_with({CALL: {(1, "OPEN"): (3.0, 3.2), (0, "CLOSE"): (3.0, 3.2), (2, "OPEN"): (2.0, 2.2)}})
    broker.place(order("in"))
    run_session(broker, DAYS[1])
    broker.place(order("out", side="SELL", reducing=True))
    run_session(broker, DAYS[2])
    assert broker.positions("paper") == {}


PRICES = {LOW: (0.3, 0.4), SOLD_PUT: (0.9, 1.0), SOLD_CALL: (0.8, 0.9), HIGH: (0.2, 0.3)}


def test_what_is_sold_uncovered_needs_its_margin_and_what_is_covered_its_width():
    """A 95 put can lose what it locks less its premium, 100 · 15.00 uncovered: 20,000 carry 13 of them and no 14."""
    broker = broker_with(PRICES, cash="20000")
    assert refusal(broker, "naked", SOLD_PUT, "SELL", 14) == "BUYING_POWER"
    broker.place(order("few", SOLD_PUT, "SELL", 13))


def test_a_spread_is_taken_leg_by_leg_when_its_cover_comes_first():
    broker = broker_with(PRICES, cash="20000")
    broker.place(order("long", LOW, "BUY", 40))
    broker.place(order("short", SOLD_PUT, "SELL", 40))
    run_session(broker, DAYS[1])
    assert broker.positions("paper") == {LOW: 40, SOLD_PUT: -40}
    assert refusal(broker, "more", SOLD_PUT, "SELL", 14) == "BUYING_POWER"


# --- expiry


def condor(broker):
    for symbol, side in ((LOW, "BUY"), (HIGH, "BUY"), (SOLD_PUT, "SELL"), (SOLD_CALL, "SELL")):
        broker.place(order(symbol, symbol, side, 3))
    for day in DAYS[1:LAST]:
        run_session(broker, day)
    return broker


def test_at_the_close_of_its_last_session_a_condor_is_settled_in_cash():
    falling = [FLAT] * LAST + [(100.0, 100.0, 90.0, 92.5)]
    broker = condor(broker_with(PRICES, spy=falling))
    before = broker.cash("paper")
    run_session(broker, DAYS[LAST])
    paid = {each.symbol: (each.kind, each.quantity, each.per_share, each.amount) for each in broker.activities("paper", DAYS[LAST])}
    assert paid == {
        LOW: ("EXPIRY", 3, 0, 0),
        SOLD_PUT: ("EXPIRY", -3, D("2.5"), D("-750.00")),
        SOLD_CALL: ("EXPIRY", -3, 0, 0),
        HIGH: ("EXPIRY", 3, 0, 0),
    }
    assert broker.cash("paper") == before - 750
    assert broker.positions("paper") == {}


def test_what_works_on_an_expired_contract_is_cancelled_before_the_day_orders_expire():
    broker = condor(broker_with({**PRICES, LOW: {"else": (0.3, 0.4), (LAST, "OPEN"): (0.0, 0.1)}}))
    broker.place(order("wing", LOW, "SELL", 3, reducing=True))
    run_session(broker, DAYS[LAST])
    assert state(broker, "wing") == ("CANCELLED", "CONTRACT_ENDED")


def test_an_option_bought_on_its_last_morning_expires_that_evening():
    broker = broker_with({CALL: (0.4, 0.5)}, spy=[FLAT] * LAST + [(100.0, 103.0, 100.0, 102.0)])
    for day in DAYS[1:LAST]:
        run_session(broker, day)
    broker.place(order("late"))
    run_session(broker, DAYS[LAST])
    assert broker.cash("paper") == D("100000") - 100 - D("1.30") + 400


# --- before the open


CENTS = (100.25, 101.25, 99.25, 100.25)
PAYS = {"SPY": [1 - 1 / 100.25] * 3 + [1.0] * 12}


def test_a_writer_is_assigned_on_the_ex_date_and_its_exit_is_cancelled():
    called = option("C", 95.25)
    broker = broker_with({called: (5.1, 5.3)}, spy=[CENTS] * 15, factors=PAYS)
    broker.place(order("in", called, "SELL", 3))
    run_session(broker, DAYS[1])
    run_session(broker, DAYS[2])
    broker.place(order("out", called, "BUY", 3, reducing=True))
    before = broker.cash("paper")
    run_session(broker, DAYS[3])
    [end] = broker.activities("paper", DAYS[3])
    assert (end.kind, end.quantity, end.per_share, end.amount) == ("ASSIGNMENT", -3, 5, -1500)
    assert broker.cash("paper") == before - 1500
    assert state(broker, "out") == ("CANCELLED", "CONTRACT_ENDED")


def test_a_split_settles_options_at_their_last_mid_and_cancels_what_waits_for_them():
    half = (50.0, 51.0, 49.0, 50.0)
    spy, factors = [FLAT, FLAT, FLAT, *[half] * 12], {"SPY": [0.5] * 3 + [1.0] * 12}
    broker = broker_with({CALL: (3.0, 3.2), PUT: (1.0, 1.2)}, spy=spy, factors=factors)
    broker.place(order("in"))
    run_session(broker, DAYS[1])
    run_session(broker, DAYS[2])
    broker.place(order("more", PUT))
    run_session(broker, DAYS[3])
    [end] = broker.activities("paper", DAYS[3])
    assert (end.kind, end.symbol, end.quantity, end.per_share, end.amount) == ("SPLIT", CALL, 2, D("3.1"), 620)
    assert state(broker, "more") == ("CANCELLED", "CONTRACT_ENDED")
    assert broker.positions("paper") == {}


def test_before_the_open_come_dividends_then_assignments_then_fees():
    called = option("C", 95.25)
    broker = broker_with({called: (5.1, 5.3)}, spy=[CENTS] * 15, factors=PAYS)
    broker.place(order("shares", "SPY", "SELL", 100))
    broker.place(order("call", called, "SELL", 1))
    for day in DAYS[1:4]:
        run_session(broker, day)
    assert [each.kind for each in broker.activities("paper", DAYS[3])] == ["DIVIDEND", "ASSIGNMENT", "BORROW"]


def test_a_session_in_which_options_are_merely_held_goes_through_in_one_step():
    broker = broker_with(PRICES)
    broker.place(order("in", LOW))
    assert broker.run_session("paper", DAYS[1]) == (OPENED, True, False)
    broker.trade_session("paper", DAYS[1]), broker.close_session("paper", DAYS[1])
    assert broker.run_session("paper", DAYS[2]) == (CLOSED, False, False)
