"""The fake Tiger under the real SDK: orders, executions, what the account shows, and what survives a kill."""

import math
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tigeropen.common.consts import OrderStatus, SecurityType
from tigeropen.common.exceptions import ApiException, RequestException
from tigeropen.common.util.contract_utils import option_contract_by_symbol, stock_contract
from tigeropen.common.util.order_utils import (
    combo_order,
    contract_leg,
    limit_order,
    limit_order_with_legs,
    market_order,
    order_leg,
    stop_limit_order,
    stop_order,
)

from tests.fake_tiger import sdk
from tests.fake_tiger.book import Holding
from tests.fake_tiger.client import FakeTiger, FakeTigerError
from tests.fake_tiger.contracts import Contract
from tests.fake_tiger.journal import Journal

STOCK = stock_contract("AAPL", "USD")
OPTION = option_contract_by_symbol("AAPL", "20270115", 225.0, "CALL", "USD")
OPTION_KEY = "AAPL  270115C00225000"


@pytest.fixture
def tiger(tmp_path):
    with FakeTiger(tmp_path) as fake:
        yield fake


@pytest.fixture
def trade(tiger):
    return sdk.trade_client(tiger)


def placed(trade, build, *arguments, mark="", **fields):
    """Build an order of the account, send it, and answer it."""
    order = build(trade._account, *arguments, **fields)
    order.user_mark = mark or None
    trade.place_order(order)
    return order


def bought(trade, tiger, quantity, price, contract=STOCK, mark="bought"):
    order = placed(trade, limit_order, contract, "BUY", quantity, price, mark=mark)
    tiger.fill(order.id)
    return order


def test_an_order_rests_until_it_is_filled_in_parts_and_the_journal_has_every_cent(tiger, trade):
    order = placed(trade, limit_order, STOCK, "BUY", 100, 100.05, mark="one")
    assert trade.get_order(id=order.id).status is OrderStatus.HELD
    tiger.fill("one", quantity=40, price="100.01")
    part = trade.get_order(id=order.id)
    assert (part.status, part.filled, part.avg_fill_price) == (OrderStatus.PARTIALLY_FILLED, 40, 100.01)
    tiger.fill("one", price="100.04")
    whole = trade.get_order(id=order.id)
    assert (whole.status, whole.filled) == (OrderStatus.FILLED, 100)
    assert whole.avg_fill_price == pytest.approx((40 * 100.01 + 60 * 100.04) / 100, abs=1e-12)
    fees = Decimal(str(whole.commission))
    fills = tiger.journal.fills(user_mark="one")
    assert [(fill.quantity, fill.price) for fill in fills] == [(40, Decimal("100.01")), (60, Decimal("100.04"))]
    assert sum(fill.commission for fill in fills) == fees
    assert tiger.journal.cash() == Decimal(100_000) - Decimal("4000.40") - Decimal("6002.40") - fees
    assert tiger.journal.positions() == {"AAPL": 100}


def test_cash_and_positions_of_the_api_are_those_of_the_journal(tiger, trade):
    bought(trade, tiger, 100, 50.0)
    tiger.cash_change("-12.34", reason="fee")
    tiger.external_position("MSFT", 7, price=10)
    segment = trade.get_prime_assets().segments["S"]
    assert segment.cash_balance == pytest.approx(float(tiger.journal.cash()), abs=1e-9)
    assert {row.contract.symbol: row.position_qty for row in trade.get_positions()} == tiger.journal.positions()


def test_numbers_that_are_not_set_arrive_as_infinity(tiger, trade):
    assert math.isinf(trade.get_prime_assets().segments["S"].locked_funds)
    assert math.isinf(trade.get_prime_assets().segments["C"].cash_balance)
    assert math.isfinite(trade.get_prime_assets().segments["S"].net_liquidation)
    tiger.settings(unset_assets=["netLiquidation"])
    assert math.isinf(trade.get_prime_assets().segments["S"].net_liquidation)


def test_option_positions_are_seen_only_when_options_are_asked_for(tiger, trade):
    bought(trade, tiger, 2, 5.25, OPTION)
    assert trade.get_positions() == []
    (row,) = trade.get_positions(sec_type=SecurityType.OPT)
    assert (row.contract.identifier, row.contract.expiry, row.contract.strike, row.contract.put_call) == (
        OPTION_KEY,
        "20270115",
        "225.0",
        "CALL",
    )
    assert row.quantity / 10**row.position_scale == 2
    assert tiger.journal.fills()[0].amount == -(2 * 525) - tiger.journal.fills()[0].commission


def test_scaled_quantities_mean_the_same(tiger, trade):
    tiger.settings(quantity_scale=2)
    order = bought(trade, tiger, 3, 10.0)
    (row,) = trade.get_positions()
    assert (row.quantity, row.position_scale, row.position_qty) == (300, 2, 3.0)
    seen = trade.get_order(id=order.id)
    assert (seen.quantity, seen.quantity_scale, seen.filled, seen.filled_scale) == (300, 2, 300, 2)


def test_every_state_on_the_wire_becomes_the_state_of_the_sdk(tiger, trade):
    tiger.settings(initial_status="Initial", pending_cancel=True)
    order = placed(trade, limit_order, STOCK, "BUY", 10, 9.0, mark="states")

    def seen():
        return trade.get_order(id=order.id).status

    assert seen() is OrderStatus.NEW
    tiger.submit("states")
    assert seen() is OrderStatus.HELD
    trade.cancel_order(id=order.id)
    assert seen() is OrderStatus.PENDING_CANCEL
    tiger.fill("states", quantity=4)
    assert seen() is OrderStatus.PENDING_CANCEL
    tiger.cancel("states")
    assert seen() is OrderStatus.CANCELLED
    tiger.fill("states", late=True)
    assert seen() is OrderStatus.FILLED


def test_rejected_and_expired_orders_say_why(tiger, trade):
    rejected = placed(trade, limit_order, STOCK, "BUY", 10, 9.0, mark="rejected")
    expired = placed(trade, limit_order, STOCK, "BUY", 10, 9.0, mark="expired")
    tiger.reject("rejected", "Not enough buying power")
    tiger.expire("expired")
    seen = {order.id: order for order in trade.get_cancelled_orders()}
    assert (seen[rejected.id].status, seen[rejected.id].reason) == (OrderStatus.REJECTED, "Not enough buying power")
    assert seen[expired.id].status is OrderStatus.EXPIRED
    assert trade.get_open_orders() == []


def test_a_modified_order_has_its_new_price_and_quantity(tiger, trade):
    order = placed(trade, limit_order, STOCK, "BUY", 10, 9.0, mark="changed")
    tiger.fill("changed", quantity=3)
    trade.modify_order(order, quantity=5, limit_price=9.5)
    seen = trade.get_order(id=order.id)
    assert (seen.quantity, seen.limit_price, seen.filled) == (5, 9.5, 3)
    with pytest.raises(ApiException) as refusal:
        trade.modify_order(order, quantity=2)
    assert refusal.value.code == 1300
    tiger.fill("changed")
    with pytest.raises(ApiException):
        trade.modify_order(order, quantity=9)


def test_stop_orders_keep_their_prices(tiger, trade):
    bought(trade, tiger, 10, 100.0)
    stop = placed(trade, stop_order, STOCK, "SELL", 10, 95.0)
    limited = placed(trade, stop_limit_order, STOCK, "SELL", 10, 94.0, 95.0)
    assert (trade.get_order(id=stop.id).order_type, trade.get_order(id=stop.id).aux_price) == ("STP", 95.0)
    seen = trade.get_order(id=limited.id)
    assert (seen.order_type, seen.limit_price, seen.aux_price) == ("STP_LMT", 94.0, 95.0)


def test_a_combo_fills_by_leg_and_shows_its_net_price(tiger, trade):
    legs = [
        contract_leg("AAPL", "OPT", "20270115", "230", "CALL", "BUY", 1),
        contract_leg("AAPL", "OPT", "20270115", "225", "CALL", "SELL", 1),
    ]
    order = combo_order(trade._account, legs, "VERTICAL", "BUY", 3, limit_price=-1.5)
    order.user_mark = "spread"
    trade.place_order(order)
    tiger.fill("spread", quantity=1, prices=["2.10", "3.70"])
    part = trade.get_order(id=order.id)
    assert (part.status, part.filled, part.contract.sec_type, part.combo_type) == (OrderStatus.PARTIALLY_FILLED, 1, "MLEG", "VERTICAL")
    assert part.avg_fill_price == pytest.approx(-1.60)
    assert [(leg.action, leg.put_call, leg.filled_quantity, leg.avg_filled_price) for leg in part.contract_legs] == [
        ("BUY", "CALL", 1.0, 2.1),
        ("SELL", "CALL", 1.0, 3.7),
    ]
    tiger.fill("spread", quantity=1, prices=["2.10", "3.70"], legs=[0])
    assert trade.get_order(id=order.id).filled == 1
    tiger.fill("spread", prices=["2.00", "3.60"])
    assert trade.get_order(id=order.id).status is OrderStatus.FILLED
    assert tiger.journal.positions() == {"AAPL  270115C00230000": 3, OPTION_KEY: -3}
    paid, got = (2 * Decimal(210) + Decimal(200)), (Decimal(370) + 2 * Decimal(360))
    fees = sum(fill.commission for fill in tiger.journal.fills())
    assert tiger.journal.cash() == 100_000 - paid + got - fees


def test_selling_a_combo_turns_its_legs(tiger, trade):
    legs = [
        contract_leg("AAPL", "OPT", "20270115", "230", "CALL", "BUY", 2),
        contract_leg("AAPL", "OPT", "20270115", "225", "CALL", "SELL", 1),
    ]
    trade.place_order(order := combo_order(trade._account, legs, "CUSTOM", "SELL", 1, limit_price=0.5))
    tiger.fill(order.id, prices=["2.10", "3.70"])
    assert tiger.journal.positions() == {"AAPL  270115C00230000": -2, OPTION_KEY: 1}
    assert trade.get_order(id=order.id).avg_fill_price == pytest.approx(0.5)


def test_attached_orders_start_with_the_fill_and_end_each_other(tiger, trade):
    exits = [order_leg("PROFIT", 110.0), order_leg("LOSS", 95.0, limit_price=94.5)]
    entry = placed(trade, limit_order_with_legs, STOCK, "BUY", 10, 100.0, order_legs=exits)
    profit, loss = (trade.get_order(id=identity) for identity in entry.sub_ids)
    assert (profit.order_type, profit.action, loss.order_type, loss.parent_id) == ("LMT", "SELL", "STP_LMT", entry.id)
    assert profit.status is OrderStatus.NEW
    tiger.fill(entry.id, quantity=6)
    tiger.cancel(entry.id)
    assert [(trade.get_order(id=identity).status, trade.get_order(id=identity).quantity) for identity in entry.sub_ids] == [
        (OrderStatus.HELD, 6)
    ] * 2
    tiger.fill(profit.id)
    assert trade.get_order(id=loss.id).status is OrderStatus.CANCELLED
    assert tiger.journal.positions() == {}


def test_pages_together_are_all_orders_even_while_new_ones_arrive(tiger, trade):
    ids = [placed(trade, limit_order, STOCK, "BUY", 1, 9.0).id for _ in range(25)]
    seen, token = [], ""
    while token is not None:
        page = trade.get_orders(limit=10, page_token=token)
        assert len(page.result) <= 10
        seen += [order.id for order in page.result]
        token = page.next_page_token
        placed(trade, limit_order, STOCK, "BUY", 1, 9.0)
    assert seen == list(reversed(ids))


def test_a_page_has_300_orders_at_most(tiger, trade):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: placed(trade, limit_order, STOCK, "BUY", 1, 9.0), range(301)))
    first = trade.get_orders(limit=1000, page_token="")
    second = trade.get_orders(limit=1000, page_token=first.next_page_token)
    assert (len(first.result), len(second.result), second.next_page_token) == (300, 1, None)
    assert len(trade.get_open_orders()) == 100


def test_filled_orders_are_asked_for_by_time_and_90_days_at_most(tiger, trade):
    order = bought(trade, tiger, 1, 9.0)
    now = tiger.journal.order(order.id).opened_at
    assert [row.id for row in trade.get_filled_orders(start_time=now - 1000, end_time=now + 1000)] == [order.id]
    assert trade.get_filled_orders(start_time=now + 1) == []
    with pytest.raises(ApiException):
        trade.get_filled_orders(start_time=now - 91 * 86_400_000, end_time=now)


def test_order_numbers_are_reserved_kept_and_used_twice_only_where_that_is_allowed(tiger, trade):
    reserved = trade.create_order(trade._account, STOCK, "BUY", "LMT", 1, limit_price=9.0)
    trade.place_order(reserved)
    assert trade.get_order(order_id=reserved.order_id).id == reserved.id
    first = reserved.id
    trade.place_order(reserved)
    assert reserved.id != first
    tiger.settings(dedupe_order_no=True)
    with pytest.raises(ApiException):
        trade.place_order(reserved)
    tiger.settings(dedupe_order_no=False, honour_order_no=False)
    trade.place_order(reserved)
    assert trade.get_order(id=reserved.id).order_id != reserved.order_id


def test_user_marks_come_back_only_where_they_are_enabled(tiger, trade):
    assert trade.get_order(id=placed(trade, limit_order, STOCK, "BUY", 1, 9.0, mark="kept").id).user_mark == "kept"
    tiger.settings(store_user_mark=False)
    assert trade.get_order(id=placed(trade, limit_order, STOCK, "BUY", 1, 9.0, mark="lost").id).user_mark == ""
    assert tiger.journal.orders_by_mark() == {"kept": 1}


def test_orders_and_positions_from_the_phone_are_told_from_ours(tiger, trade):
    placed(trade, limit_order, STOCK, "BUY", 1, 9.0, mark="ours")
    theirs = tiger.external_order("MSFT", "BUY", 5, limit_price=10)
    option = tiger.external_order(OPTION_KEY, "BUY", 1, limit_price=2)
    seen = {order.id: order for order in trade.get_open_orders()}
    assert (seen[theirs].source, seen[theirs].order_id, seen[theirs].user_mark) == ("iOS", 0, "")
    assert seen[option].contract.sec_type == "OPT"
    assert [order.id for order in tiger.journal.orders(external=True)] == [theirs, option]


def test_market_orders_fill_at_the_quote_at_once_where_that_is_set(tiger, trade):
    tiger.quote("AAPL", bid=99.9, ask=100.1)
    tiger.auto_fill("instant")
    buy = placed(trade, market_order, STOCK, "BUY", 10)
    assert trade.get_order(id=buy.id).avg_fill_price == 100.1
    resting = placed(trade, limit_order, STOCK, "BUY", 10, 95.0)
    assert trade.get_order(id=resting.id).status is OrderStatus.HELD
    tiger.quote("AAPL", bid=94.8, ask=94.9)
    assert trade.get_order(id=resting.id).avg_fill_price == 94.9
    stop = placed(trade, stop_order, STOCK, "SELL", 20, 90.0)
    tiger.quote("AAPL", bid=89.8, ask=89.9)
    assert trade.get_order(id=stop.id).avg_fill_price == 89.8


def test_orders_fill_after_being_asked_for_where_that_is_set(tiger, trade):
    tiger.quote("AAPL", bid=99.9, ask=100.1)
    tiger.auto_fill("queries", queries=3)
    order = placed(trade, market_order, STOCK, "BUY", 10)
    assert [trade.get_order(id=order.id).filled for _ in range(3)] == [0, 0, 10]


@pytest.mark.parametrize(
    ("build", "arguments", "code"),
    [
        (limit_order, (STOCK, "BUY", 1, 100.001), 1300),
        (limit_order, (STOCK, "BUY", 0, 100.0), 1010),
        (limit_order, (STOCK, "BUY", 1, -5.0), 1300),
        (limit_order, (STOCK, "BUY", 1, None), 1010),
        (limit_order, (stock_contract("", "USD"), "BUY", 1, 100.0), 1010),
        (limit_order, (STOCK, "BUY", 1, 100.0, "GTC"), 1300),
        (market_order, (STOCK, "BUY", 1, "GTC"), 1300),
    ],
)
def test_orders_the_broker_would_refuse_are_refused(tiger, trade, build, arguments, code):
    with pytest.raises(ApiException) as refusal:
        placed(trade, build, *arguments)
    assert refusal.value.code == code
    assert tiger.journal.orders() == []


def test_a_position_is_not_turned_through_zero(tiger, trade):
    bought(trade, tiger, 10, 100.0)
    with pytest.raises(ApiException):
        placed(trade, market_order, STOCK, "SELL", 11)
    tiger.contract("XYZ", shortable=False)
    with pytest.raises(ApiException):
        placed(trade, market_order, stock_contract("XYZ", "USD"), "SELL", 1)


def test_market_orders_are_refused_when_the_market_is_closed(tiger, trade):
    tiger.hours("CLOSED")
    with pytest.raises(ApiException):
        placed(trade, market_order, STOCK, "BUY", 1)
    assert placed(trade, limit_order, STOCK, "BUY", 1, 9.0).id


def test_a_preview_says_what_an_order_costs_and_why_it_would_not_pass(tiger, trade):
    tiger.quote("AAPL", bid=99.9, ask=100.1)
    passing = trade.preview_order(limit_order(trade._account, STOCK, "BUY", 10, 100.0))
    assert (passing["is_pass"], passing["commission"], passing["init_margin"]) == (True, 0.99, 500.0)
    failing = trade.preview_order(limit_order(trade._account, STOCK, "BUY", 10, 100.001))
    assert not failing["is_pass"]
    assert "increment" in failing["message"]
    assert tiger.journal.orders() == []


def test_executions_are_listed_for_prime_accounts_only(tmp_path, tiger, trade):
    with pytest.raises(ApiException):
        trade.get_transactions()
    with FakeTiger(tmp_path / "prime", account="U1234567", kind="STANDARD") as prime:
        client = sdk.trade_client(prime)
        assert client.get_managed_accounts()[0].account_type == "STANDARD"
        order = bought(client, prime, 10, 100.0)
        (row,) = client.get_transactions(order_id=order.id)
        assert (row.order_id, row.filled_quantity, row.filled_price, row.filled_amount) == (order.id, 10, 100.0, 1000.0)


def test_contracts_say_ticks_lots_and_multipliers(tiger, trade):
    tiger.contract("AAPL", lot_size=10)
    tiger.contract("NONE", unknown=True)
    stock = trade.get_contract("AAPL")
    assert (stock.lot_size, stock.tick_sizes[1]["tick_size"], stock.trade) == (10.0, 0.01, True)
    option = trade.get_contract("AAPL", "OPT", expiry="20270115", strike=225.0, put_call="CALL")
    assert (option.multiplier, option.identifier) == (100.0, OPTION_KEY)
    assert [row.symbol for row in trade.get_contracts(["AAPL", "NONE"])] == ["AAPL"]
    assert trade.get_contract("NONE") is None


def test_a_restart_keeps_orders_fills_cash_marks_and_quotes(tiger, trade):
    tiger.quote("AAPL", bid=99.9, ask=100.1)
    tiger.settings(store_user_mark=False)
    open_order = placed(trade, limit_order, STOCK, "BUY", 5, 90.0)
    bought(trade, tiger, 10, 100.0)
    before = (tiger.journal.cash(), tiger.journal.positions(), len(tiger.journal.calls()))
    tiger.restart()
    assert trade.get_order(id=open_order.id).status is OrderStatus.HELD
    assert [row.quantity for row in trade.get_positions()] == [10]
    assert (tiger.journal.cash(), tiger.journal.positions()) == before[:2]
    assert not tiger.settings()["store_user_mark"]
    later = placed(trade, limit_order, STOCK, "BUY", 5, 90.0)
    assert later.id > open_order.id
    assert [call.number for call in tiger.journal.calls()] == list(range(1, before[2] + 4))


def test_every_order_that_was_acknowledged_before_a_kill_is_in_the_journal(tiger):
    acknowledged, started = [], threading.Event()

    def send(number):
        client = sdk.trade_client(tiger)
        try:
            for n in range(1000):
                acknowledged.append(placed(client, limit_order, STOCK, "BUY", 1, 9.0, mark=f"{number}-{n}").id)
                if len(acknowledged) > 50:
                    started.set()
        except RequestException:
            return

    with ThreadPoolExecutor(3) as pool:
        work = [pool.submit(send, number) for number in range(3)]
        assert started.wait(20)
        tiger.kill()
        for item in work:
            item.result()
    known = {order.id for order in tiger.journal.orders()}
    assert set(acknowledged) <= known
    assert len(known) <= len(acknowledged) + 3
    tiger.start()
    assert len(sdk.trade_client(tiger).get_orders(limit=300)) == min(len(known), 300)


def test_a_line_that_a_kill_cut_short_is_no_record(tiger, trade):
    order = placed(trade, limit_order, STOCK, "BUY", 5, 90.0)
    tiger.kill()
    with tiger.journal.path.open("ab") as file:
        file.write(b'{"kind":"fill","id":')
    assert Journal(tiger.journal.path).fills() == []
    tiger.start()
    assert trade.get_order(id=order.id).filled == 0
    tiger.fill(order.id)
    assert Journal(tiger.journal.path).positions() == {"AAPL": 5}


@given(
    trades=st.lists(
        st.tuples(st.integers(-50, 50).filter(bool), st.decimals("0.01", "900", places=2), st.decimals("0", "5", places=2)), max_size=30
    )
)
def test_cash_is_what_was_realised_less_what_the_holding_cost(trades):
    holding, cash, realized = Holding(Contract.from_key(OPTION_KEY)), Decimal(0), Decimal(0)
    for quantity, price, commission in trades:
        cash -= quantity * price * 100 + commission
        realized += holding.trade(Decimal(quantity), price, commission)
    assert abs(cash - (realized - holding.cost)) < Decimal("1e-9")
    assert holding.quantity == sum(quantity for quantity, _, _ in trades)
    if not holding.quantity:
        assert abs(cash - realized) < Decimal("1e-9")


def test_many_clients_at_once_leave_one_order_for_each_call(tiger):
    def send(number):
        client = sdk.trade_client(tiger)
        return [placed(client, limit_order, STOCK, "BUY", 1, 9.0, mark=f"{number}-{n}").id for n in range(20)]

    with ThreadPoolExecutor(4) as pool:
        ids = [identity for part in pool.map(send, range(4)) for identity in part]
    assert len(set(ids)) == 80
    assert tiger.journal.orders_by_mark() == {f"{number}-{n}": 1 for number in range(4) for n in range(20)}


def test_quotes_bars_chains_and_the_calendar_parse(tiger):
    quote = sdk.quote_client(tiger)
    assert quote.get_stock_briefs(["AAPL"]) is None
    tiger.quote("AAPL", bid=99.9, ask=100.1, volume=123, pre_close=98.5, hour_trading={"tag": "Pre-Mkt", "latestPrice": 101.0})
    (row,) = quote.get_stock_briefs(["AAPL", "NONE"], include_hour_trading=True).to_dict("records")
    assert (row["bid_price"], row["ask_price"], row["pre_close"], row["volume"]) == (99.9, 100.1, 98.5, 123)
    assert (row["hour_trading_tag"], row["hour_trading_latest_price"]) == ("Pre-Mkt", 101.0)
    day = 86_400_000
    tiger.bars("AAPL", [{"time": n * day, "open": n, "high": n, "low": n, "close": n, "volume": 1, "amount": 1.0} for n in range(1, 11)])
    page = quote.get_bars(["AAPL"], begin_time=2 * day, end_time=10 * day, limit=5)
    assert list(page["close"]) == [5, 6, 7, 8, 9]
    rest = quote.get_bars(["AAPL"], begin_time=2 * day, end_time=10 * day, limit=5, page_token=page["next_page_token"][0])
    assert list(rest["close"]) == [2, 3, 4]
    assert quote.get_bars(["NONE"]).empty
    states = quote.get_market_status("US")
    assert (states[0].trading_status, states[0].open_time.hour) == ("TRADING", 9)
    tiger.calendar({"2026-07-03": "NON_TRADING"})
    days = quote.get_trading_calendar("US", begin_date="2026-07-02", end_date="2026-07-06")
    assert [(row["date"], row["type"]) for row in days] == [
        ("2026-07-02", "TRADING"),
        ("2026-07-03", "NON_TRADING"),
        ("2026-07-04", "NON_TRADING"),
        ("2026-07-05", "NON_TRADING"),
    ]
    assert quote.grab_quote_permission()[0]["expire_at"] == -1


def test_chains_have_greeks_when_asked_and_leave_out_what_nobody_lists(tiger):
    quote = sdk.quote_client(tiger)
    call = {"bidPrice": 2.0, "askPrice": 2.2, "openInterest": 50, "impliedVol": 0.3, "delta": 0.5, "gamma": 0.1}
    tiger.chain("AAPL", "2027-01-15", [{"strike": 225, "call": call, "put": call | {"delta": -0.5}}, {"strike": 230, "call": call}])
    tiger.chain("AAPL", "2027-01-22", [{"strike": 225, "call": call}])
    expirations = quote.get_option_expirations(["AAPL"])
    assert list(expirations["date"]) == ["2027-01-15", "2027-01-22"]
    assert list(expirations["period_tag"]) == ["m", "w"]
    chain = quote.get_option_chain("AAPL", "2027-01-15", return_greek_value=True)
    assert list(zip(chain["strike"], chain["put_call"], chain["delta"], strict=True)) == [
        ("225.0", "CALL", 0.5),
        ("225.0", "PUT", -0.5),
        ("230.0", "CALL", 0.5),
    ]
    assert chain["identifier"][0] == OPTION_KEY
    assert datetime.fromtimestamp(chain["expiry"][0] / 1000, ZoneInfo("America/New_York")).isoformat() == "2027-01-15T00:00:00-05:00"
    assert "delta" not in quote.get_option_chain("AAPL", "2027-01-15").columns
    assert quote.get_option_chain("AAPL", "2027-01-15", open_interest_min=60).empty
    (brief,) = quote.get_option_briefs([OPTION_KEY]).to_dict("records")
    assert (brief["identifier"], brief["bid_price"], brief["open_interest"], "delta" in brief) == (OPTION_KEY, 2.0, 50, False)
    tiger.quote(OPTION_KEY, bid=2.4, ask=2.6)
    assert quote.get_option_briefs([OPTION_KEY])["bid_price"][0] == 2.4


def test_data_may_come_as_text_and_methods_may_be_canned(tiger, trade):
    tiger.settings(string_data=True)
    order = placed(trade, limit_order, STOCK, "BUY", 5, 90.0)
    assert trade.get_order(id=order.id).id == order.id
    tiger.canned("stock_detail", {"items": []})
    with pytest.raises(ApiException) as unknown:
        sdk.quote_client(tiger).get_symbols()
    assert unknown.value.code == 1000


def test_commands_that_make_no_sense_are_refused(tiger):
    with pytest.raises(FakeTigerError, match="no order"):
        tiger.fill("nobody")
    with pytest.raises(FakeTigerError, match="no setting"):
        tiger.settings(colour="red")
    with pytest.raises(FakeTigerError, match="no fault"):
        tiger.fault("orders", "magic")
