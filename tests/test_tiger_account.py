"""Holdings, money, quotes and clock of an account at Tiger, as Decimals or not at all."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tests.tiger_world import ACCOUNT, real_account, sent, today, trading_at
from trading.brokers.base import BrokerUnclear
from trading.brokers.tiger import TigerBroker

pytestmark = pytest.mark.django_db
CALL = "AAPL260320C00227500"
UNSET = ["cashBalance", "netLiquidation", "buyingPower", "initMargin", "maintainMargin", "grossPositionValue", "unrealizedPL", "realizedPL"]


@pytest.fixture
def tiger(tmp_path):
    with trading_at(tmp_path, cash="12345.67") as tiger:
        real_account()
        yield tiger


@pytest.fixture
def broker(tiger):
    return TigerBroker()


def test_options_are_held_as_well_as_stocks(tiger, broker):
    tiger.external_position("MSFT", -30)
    tiger.external_position("AAPL  260320C00227500", -2)
    tiger.external_position("F     260320P00002010", 5)
    assert broker.positions(ACCOUNT) == {CALL: -2, "F260320P00002010": 5, "MSFT": -30}


def test_what_was_sold_again_is_not_held(tiger, broker):
    tiger.external_position("MSFT", 30)
    tiger.external_position("MSFT", -30)
    assert broker.positions(ACCOUNT) == {}


def test_a_half_of_the_positions_is_not_taken_for_all(tiger, broker):
    tiger.fault("positions", "http", status=500, skip=1, times=None)
    with pytest.raises(BrokerUnclear):
        broker.positions(ACCOUNT)


def test_cash_is_exact_and_follows_what_happens(tiger, broker):
    assert broker.cash(ACCOUNT) == Decimal("12345.67")
    tiger.cash_change("-0.02", reason="fee")
    assert broker.cash(ACCOUNT) == Decimal("12345.65")
    assert broker.equity(ACCOUNT) == Decimal("12345.65")


def test_what_tiger_does_not_say_is_none_and_never_infinite(tiger, broker):
    tiger.settings(unset_assets=[name for name in UNSET if name != "cashBalance"])
    assets = broker.assets(ACCOUNT)
    assert (assets.net_liquidation, assets.buying_power, assets.initial_margin, assets.maintenance_margin) == (None,) * 4
    assert broker.equity(ACCOUNT) is None
    assert broker.cash(ACCOUNT) == Decimal("12345.67")


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 1.7976931348623157e308, "Infinity", None])
def test_numbers_that_stand_for_none_are_none(broker, monkeypatch, value):
    data = {"segments": [{"category": "S", "currency": "USD", "cashBalance": value, "netLiquidation": value}]}
    monkeypatch.setattr(broker.desk.wire, "query", lambda *_: data)
    assert broker.equity(ACCOUNT) is None
    with pytest.raises(BrokerUnclear):
        broker.cash(ACCOUNT)


def test_cash_is_what_is_held_in_dollars(broker, monkeypatch):
    currencies = [{"currency": "HKD", "cashBalance": 5800.29}, {"currency": "USD", "cashBalance": 6302.06}]
    segments = [
        {"category": "C", "cashBalance": 1.0},
        {"category": "S", "currency": "USD", "cashBalance": 7198.59, "currencyAssets": currencies},
    ]
    monkeypatch.setattr(broker.desk.wire, "query", lambda *_: {"segments": segments})
    assert broker.cash(ACCOUNT) == Decimal("6302.06")


@pytest.mark.parametrize("data", [None, {}, {"segments": []}, {"segments": [{"category": "C"}]}, []])
def test_no_securities_segment_is_no_balance_of_nought(broker, monkeypatch, data):
    monkeypatch.setattr(broker.desk.wire, "query", lambda *_: data)
    with pytest.raises(BrokerUnclear):
        broker.cash(ACCOUNT)


def test_margins_are_told_while_something_is_held(tiger, broker):
    tiger.quote("AAPL", bid=99.9, ask=100.1, last=100)
    order = sent(broker)
    tiger.fill(order.client_order_id, price=100)
    assets = broker.assets(ACCOUNT)
    assert assets.gross_position_value == 1000
    assert assets.initial_margin > 0
    assert assets.cash == tiger.journal.cash()


# --- quotes and the clock


def test_a_quote_tells_both_sides_and_its_time(tiger, broker):
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=7)
    tiger.quote("AAPL", bid="99.95", ask="100.05", last="100.01", at=int(at.timestamp() * 1000))
    quote = broker.quote("AAPL")
    assert (quote.bid, quote.ask, quote.last, quote.at) == (Decimal("99.95"), Decimal("100.05"), Decimal("100.01"), at)
    assert quote.price == Decimal("100.00")


def test_an_options_quote_is_asked_for_as_its_contract(tiger, broker):
    tiger.quote("F     260320C00002010", bid="0.45", ask="0.50", last="0.47")
    quote = broker.quote("F260320C00002010")
    assert (quote.symbol, quote.bid, quote.ask) == ("F260320C00002010", Decimal("0.45"), Decimal("0.50"))


def test_nobody_quotes_what_is_unknown_or_halted(tiger, broker):
    assert broker.quote("NONE") is None
    tiger.quote("AAPL", bid=99, ask=101, last=100, status="HALTED")
    assert broker.quote("AAPL") is None


def test_a_side_that_nobody_makes_is_none(tiger, broker):
    tiger.quote("AAPL", ask=101, last=100)
    quote = broker.quote("AAPL")
    assert (quote.bid, quote.price) == (None, 100)


@pytest.mark.parametrize("skew", [0, -30, 45])
def test_tigers_clock_is_told_as_it_is(tiger, broker, skew):
    tiger.clock_skew(skew)
    ahead = (broker.server_time() - datetime.now(UTC)).total_seconds()
    assert ahead == pytest.approx(skew, abs=1.5)
    assert len(tiger.journal.calls("accounts")) == 1
    broker.server_time()
    assert len(tiger.journal.calls("accounts")) == 1


def test_what_happens_to_holdings_is_not_told_by_the_api(broker):
    assert broker.activities(ACCOUNT, today()) == []
