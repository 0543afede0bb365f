"""What the fake Tiger can do wrong, as the real SDK sees it, and what the journal says of it."""

import json
import time
from decimal import Decimal

import pytest
from tigeropen.common.exceptions import ApiException, RequestException, ResponseException
from tigeropen.common.util.contract_utils import stock_contract
from tigeropen.common.util.order_utils import limit_order

from tests.fake_tiger import sdk
from tests.fake_tiger.client import FakeTiger
from tests.fake_tiger.keys import Keys

STOCK = stock_contract("AAPL", "USD")


@pytest.fixture
def tiger(tmp_path):
    with FakeTiger(tmp_path) as fake:
        yield fake


@pytest.fixture
def trade(tiger):
    return sdk.trade_client(tiger)


def send(trade, mark="one"):
    order = limit_order(trade._account, STOCK, "BUY", 1, 9.0)
    order.user_mark = mark
    return trade.place_order(order)


def test_a_lost_reply_leaves_an_order_that_is_in_the_journal(tiger, trade):
    tiger.fault("place_order", "lose_reply")
    with pytest.raises(RequestException):
        send(trade)
    assert tiger.journal.orders_by_mark() == {"one": 1}
    assert [order.user_mark for order in trade.get_open_orders()] == ["one"]
    (call,) = tiger.journal.calls("place_order")
    assert (call.fault, call.fields["user_mark"], call.code) == ("lose_reply", "one", None)
    assert send(trade, "two")


def test_a_lost_request_leaves_nothing(tiger, trade):
    tiger.fault("place_order", "lose_request")
    with pytest.raises(RequestException):
        send(trade)
    assert tiger.journal.orders() == []
    assert len(tiger.journal.calls("place_order")) == 1


@pytest.mark.parametrize("accepted", [False, True])
@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("http", ResponseException),
        ("error", ApiException),
        ("empty", json.JSONDecodeError),
        ("garbage", json.JSONDecodeError),
        ("cut", RequestException),
        ("bad_sign", ResponseException),
        ("never", RequestException),
    ],
)
def test_a_bad_reply_hides_whether_the_order_was_accepted(tiger, kind, error, accepted):
    trade = sdk.trade_client(tiger, timeout=0.3)
    tiger.fault("place_order", kind, after=accepted)
    with pytest.raises(error):
        send(trade)
    assert len(tiger.journal.orders()) == int(accepted)
    assert len(tiger.journal.calls("place_order")) == 1
    assert send(trade, "two")


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_http_errors_have_their_status(tiger, trade, status):
    tiger.fault("place_order", "http", status=status)
    with pytest.raises(ResponseException) as failure:
        send(trade)
    assert failure.value.status == status


@pytest.mark.parametrize("code", [1, 2, 4, 5, 1200, 1300])
def test_api_errors_have_their_code(tiger, trade, code):
    tiger.fault("place_order", "error", code=code, message="because")
    with pytest.raises(ApiException) as failure:
        send(trade)
    assert (failure.value.code, failure.value.msg) == (code, "because")
    assert tiger.journal.orders() == []
    assert tiger.journal.calls("place_order")[0].code == code


def test_an_error_may_come_without_a_message(tiger, trade):
    tiger.fault("place_order", "error", code=1, message=None)
    with pytest.raises(ApiException) as failure:
        send(trade)
    assert failure.value.msg is None


def test_a_reply_without_a_signature_passes(tiger, trade):
    tiger.fault("orders", "no_sign", after=True)
    assert trade.get_orders() == []


def test_an_order_may_arrive_long_after_the_client_gave_up(tiger):
    trade = sdk.trade_client(tiger, timeout=0.2)
    tiger.fault("place_order", "delay_processing", seconds=0.6)
    with pytest.raises(RequestException):
        send(trade)
    assert trade.get_open_orders() == []
    assert tiger.state()["pending"] == 1
    tiger.settle()
    assert tiger.journal.orders_by_mark() == {"one": 1}


def test_an_order_may_be_accepted_after_its_connection_was_closed(tiger, trade):
    tiger.fault("place_order", "accept_late", seconds=0.3)
    with pytest.raises(RequestException):
        send(trade)
    assert tiger.journal.orders() == []
    tiger.settle()
    assert tiger.journal.orders_by_mark() == {"one": 1}


def test_a_late_reply_is_a_reply(tiger, trade):
    tiger.fault("place_order", "delay_reply", seconds=0.3)
    begin = time.monotonic()
    assert send(trade)
    assert time.monotonic() - begin >= 0.3


def test_an_order_may_be_inactive_before_its_reply_leaves(tiger, trade):
    tiger.fault("place_order", "inactive", message="No buying power")
    assert send(trade)
    assert (tiger.journal.order("one").status, tiger.journal.order("one").remark) == ("Inactive", "No buying power")


def test_faults_hit_the_calls_they_are_meant_for(tiger, trade):
    tiger.fault("place_order", "lose_request", times=2, skip=1)
    tiger.fault("place_order", "error", code=1200, message="x", match={"user_mark": "marked"})
    outcomes = [outcome(trade, mark) for mark in ("a", "b", "c", "d", "marked", "marked")]
    assert outcomes == ["ok", "RequestException", "RequestException", "ok", "ApiException", "ok"]


def test_faults_with_a_probability_are_the_same_for_the_same_seed(tiger, trade):
    def run():
        tiger.fault("place_order", "lose_reply", times=None, probability=0.5, seed=7)
        outcomes = [outcome(trade, "x") for _ in range(20)]
        tiger.heal("place_order")
        return outcomes

    first = run()
    assert first == run()
    assert set(first) == {"ok", "RequestException"}
    assert outcome(trade, "x") == "ok"


def outcome(trade, mark):
    try:
        send(trade, mark)
    except (ApiException, RequestException) as error:
        return type(error).__name__
    return "ok"


def test_a_bad_signature_is_refused(tiger, tmp_path):
    config = sdk.client_config(tiger)
    config.private_key = Keys.load(tmp_path / "other").private_key
    trade = sdk.TradeClient(config)
    with pytest.raises(ApiException) as refusal:
        send(trade)
    assert refusal.value.code == 1000
    assert tiger.journal.orders() == []


def test_another_developer_is_refused(tiger):
    config = sdk.client_config(tiger)
    config.tiger_id = "1"
    with pytest.raises(ApiException) as refusal:
        sdk.TradeClient(config).get_orders()
    assert refusal.value.code == 1000


def test_limits_are_enforced_by_interface_and_order_calls_share_one_on_paper(tiger, trade):
    tiger.limits(per_minute={"place_order": 3, "cancel_order": 3})
    first = send(trade)
    trade.cancel_order(id=first)
    send(trade, "two")
    with pytest.raises(ApiException) as excess:
        send(trade, "three")
    assert excess.value.code == 4
    assert len(trade.get_open_orders()) == 1
    tiger.limits(per_minute={"place_order": 0}, code=5, blacklist_after=1)
    for code in (5, 4):
        with pytest.raises(ApiException) as excess:
            send(trade)
        assert excess.value.code == code
    tiger.limits(False)
    assert send(trade, "three")


def test_documented_limits_hold(tiger):
    quote = sdk.quote_client(tiger)
    tiger.limits()
    for _ in range(10):
        quote.get_market_status("US")
    with pytest.raises(ApiException):
        quote.get_market_status("US")


def test_a_wrong_clock_shows_in_every_time(tiger, trade):
    tiger.clock_skew(-3600)
    send(trade)
    tiger.quote("AAPL", bid=1, ask=2)
    behind = time.time() - 3600
    assert tiger.journal.order("one").opened_at / 1000 == pytest.approx(behind, abs=5)
    assert sdk.quote_client(tiger).get_stock_briefs(["AAPL"])["latest_time"][0] / 1000 == pytest.approx(behind, abs=5)


def test_average_prices_may_be_rounded(tiger, trade):
    order = limit_order(trade._account, STOCK, "BUY", 3, 9.0)
    trade.place_order(order)
    tiger.fill(order.id, quantity=1, price="8.99")
    tiger.fill(order.id, quantity=2, price="9")
    tiger.settings(average_decimals=2)
    assert trade.get_order(id=order.id).avg_fill_price == 9.0
    assert sum(fill.quantity * fill.price for fill in tiger.journal.fills()) == Decimal("26.99")
    assert tiger.journal.cash() == 100_000 - Decimal("26.99") - Decimal("0.99")


def test_an_execution_may_be_more_than_was_ordered(tiger, trade):
    send(trade)
    tiger.fill("one", quantity=3)
    assert tiger.journal.order("one").filled == 3
    assert tiger.journal.positions() == {"AAPL": 3}
