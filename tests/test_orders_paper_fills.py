"""How the paper broker trades on a daily bar; every expected price is worked out by hand."""

from decimal import Decimal

import pytest

from quant_site.market.execution import CostModel
from tests.orders_world import DAYS, FLAT, broker_of, request, run_session
from trading.models import PaperOrder

pytestmark = pytest.mark.django_db
D = Decimal


def fill_of(broker, key):
    return next((fill for day in DAYS[:4] for fill in broker.fills("paper", day) if fill.client_order_id == key), None)


def status_of(broker, key):
    order = broker.orders("paper", [key])[key]
    return order.status, order.reason


def held(broker, quantity):
    """A broker that holds `quantity` AAA at the close of DAYS[1]."""
    run_session(broker, DAYS[0])
    if quantity:
        broker.place(request("seed", "BUY" if quantity > 0 else "SELL", quantity=abs(quantity)))
    run_session(broker, DAYS[1])
    return broker


BAR = (102.0, 106.0, 96.0, 104.0)


@pytest.mark.parametrize(
    ("holding", "side", "kind", "level", "expected"),
    [
        (0, "BUY", "MKT", None, "102"),
        (0, "SELL", "MKT", None, "102"),
        (0, "BUY", "LMT", 103, "102"),  # satisfied at the open: the better price
        (0, "BUY", "LMT", 97, "97"),  # reached within the day
        (0, "BUY", "LMT", 95.99, None),
        (0, "SELL", "LMT", 101, "102"),
        (0, "SELL", "LMT", 106, "106"),
        (0, "SELL", "LMT", 106.01, None),
        (0, "BUY", "STP", 105, "105"),
        (0, "BUY", "STP", 101, "102"),  # gapped through
        (0, "BUY", "STP", 106.01, None),
        (100, "SELL", "STP", 98, "98"),
        (100, "SELL", "STP", 103, "102"),  # gapped through
        (100, "SELL", "STP", 95.99, None),
        (-100, "BUY", "STP", 105, "105"),
        (-100, "BUY", "LMT", 97, "97"),
    ],
)
def test_an_order_trades_where_the_bar_says(holding, side, kind, level, expected):
    broker = held(broker_of({"AAA": [FLAT, FLAT, BAR]}), holding)
    prices = {"LMT": {"limit_price": level}, "STP": {"stop_price": level}}.get(kind, {})
    broker.place(request("x", side, kind, 10, reducing=bool(holding), **prices))
    run_session(broker, DAYS[2])
    fill = fill_of(broker, "x")
    assert (fill and fill.price) == (D(expected) if expected else None)
    signed = 10 if side == "BUY" else -10
    assert broker.positions("paper").get("AAA", 0) == holding + (signed if expected else 0)


def test_market_and_stop_orders_pay_spread_and_slippage_and_limits_do_not():
    broker = broker_of({"AAA": [FLAT, BAR]}, costs=CostModel())
    run_session(broker, DAYS[0])
    broker.place(request("buy", quantity=500))
    broker.place(request("limit", order_type="LMT", quantity=100, limit_price=97))
    run_session(broker, DAYS[1])
    # 102 × 1.0003; 500 × 0.005 = 2.50 and the minimum of 1.00.
    assert (fill_of(broker, "buy").price, fill_of(broker, "buy").commission) == (D("102.0306"), D("2.50"))
    assert (fill_of(broker, "limit").price, fill_of(broker, "limit").commission) == (D("97"), D("1.00"))
    assert broker.cash("paper") == D("100000") - D("51015.30") - D("2.50") - D("9700") - D("1.00")


@pytest.mark.parametrize(
    ("quantity", "price", "expected"), [(1, "20", "0.20"), (200, "50", "1.00"), (1000, "50", "5.00"), (3, "33.335", "1.00")]
)
def test_commission_keeps_its_floor_and_its_cap(quantity, price, expected):
    assert CostModel().commission(D(quantity), D(price)) == D(expected)


def test_stop_and_target_in_one_bar_take_the_stop_and_cancel_the_target():
    broker = held(broker_of({"AAA": [FLAT, FLAT, (100, 110, 90, 100), FLAT]}), 100)
    broker.place(request("target", "SELL", "LMT", 100, limit_price=105, reducing=True, oca_group="g"))
    broker.place(request("stop", "SELL", "STP", 100, stop_price=95, reducing=True, oca_group="g"))
    run_session(broker, DAYS[2])
    run_session(broker, DAYS[3])
    assert fill_of(broker, "stop").price == D("95")
    assert status_of(broker, "target") == ("CANCELLED", "OCA")
    assert broker.positions("paper") == {}


def test_a_stop_placed_after_the_open_is_live_the_same_day_and_never_better_than_the_open():
    broker = broker_of({"AAA": [FLAT, (92, 93, 91, 92)]})
    run_session(broker, DAYS[0])
    broker.place(request("entry", quantity=100))
    broker.open_session("paper", DAYS[1])
    broker.place(request("stop", "SELL", "STP", 100, stop_price=95, reducing=True))
    broker.trade_session("paper", DAYS[1])
    assert fill_of(broker, "stop").price == D("92")


def test_what_is_placed_after_the_close_waits_for_the_next_session():
    broker = held(broker_of({"AAA": [FLAT, FLAT, (100, 101, 90, 100)]}), 100)
    broker.open_session("paper", DAYS[2])
    broker.trade_session("paper", DAYS[2])
    broker.place(request("stop", "SELL", "STP", 100, stop_price=95, reducing=True))
    broker.place(request("exit", "SELL", quantity=100, reducing=True))
    broker.close_session("paper", DAYS[2])
    assert status_of(broker, "stop") == status_of(broker, "exit") == ("WORKING", "")


def test_without_a_bar_nothing_trades_and_day_orders_expire():
    broker = held(broker_of({"AAA": [FLAT, FLAT, None, FLAT], "BBB": [FLAT] * 4}), 100)
    broker.place(request("exit", "SELL", quantity=100, reducing=True))
    broker.place(request("stop", "SELL", "STP", 100, stop_price=150, reducing=True))
    run_session(broker, DAYS[2])
    assert status_of(broker, "exit") == ("EXPIRED", "SESSION_ENDED")
    assert status_of(broker, "stop") == ("WORKING", "")


def test_a_reducing_order_never_opens_or_turns_a_position():
    broker = held(broker_of({"AAA": [FLAT] * 4}), 60)
    broker.place(request("first", "SELL", quantity=100, reducing=True))
    broker.place(request("second", "SELL", quantity=10, reducing=True))
    run_session(broker, DAYS[2])
    assert fill_of(broker, "first").quantity == 60
    assert status_of(broker, "first") == ("CANCELLED", "NOTHING_TO_REDUCE")
    assert status_of(broker, "second") == ("CANCELLED", "NOTHING_TO_REDUCE")
    assert broker.positions("paper") == {}


def test_exits_trade_before_entries_whatever_arrived_first():
    broker = held(broker_of({"AAA": [FLAT] * 3}), 50)
    PaperOrder.objects.create(
        account_id="paper",
        client_order_id="entry",
        symbol="AAA",
        side="SELL",
        order_type="MKT",
        time_in_force="DAY",
        quantity=30,
        session=DAYS[1],
    )
    broker.place(request("exit", "SELL", quantity=50, reducing=True))
    run_session(broker, DAYS[2])
    assert broker.positions("paper") == {"AAA": D(-30)}


def test_a_step_that_was_made_is_not_made_again():
    broker = broker_of({"AAA": [FLAT, FLAT]})
    run_session(broker, DAYS[0])
    broker.place(request("buy"))
    for _ in range(3):
        broker.open_session("paper", DAYS[1])
    for _ in range(3):
        run_session(broker, DAYS[1])
        run_session(broker, DAYS[0])
    assert len(broker.fills("paper", DAYS[1])) == 1
    assert broker.cash("paper") == D("99000")
