"""Market data of Tiger: bars by page, chains with Greeks, expirations, the calendar and contracts."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from quant_site.core.errors import DataMissing, InvalidInput
from quant_site.market.chains.imports import parse_chains
from quant_site.market.imports import parse_bars
from quant_site.market.providers import PROVIDERS, provider_class
from quant_site.market.providers.bundled import BundledProvider
from quant_site.market.providers.tiger import TigerProvider
from quant_site.market.sessions import sessions_between
from quant_site.market.tiger import quotes
from quant_site.market.tiger.ticks import OPTION_TICKS, STOCK_TICKS, Tick
from quant_site.market.tiger.values import milliseconds
from tests.tiger_world import trading_at

pytestmark = pytest.mark.django_db
DAYS = sessions_between(date(2024, 1, 2), date(2025, 6, 30))
EXPIRY = date(2025, 8, 15)
GREEKS = {"impliedVol": 0.25, "delta": 0.52, "gamma": 0.03, "theta": -0.12, "vega": 0.31, "rho": 0.08}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with trading_at(tmp_path_factory.mktemp("tiger")) as tiger:
        yield tiger


@pytest.fixture
def tiger(gateway):
    gateway.heal()
    return gateway


def bar(day: date, n: int) -> dict:
    return {
        "time": milliseconds(day),
        "open": 100.0 + n,
        "high": 102.5 + n,
        "low": 99.5 + n,
        "close": 101.25 + n,
        "volume": 10**6 + n,
        "amount": 1e8,
    }


def test_bars_come_whole_over_many_pages(tiger, monkeypatch):
    monkeypatch.setattr(quotes, "BARS_A_PAGE", 100)
    tiger.bars("AAPL", [bar(day, n) for n, day in enumerate(DAYS)])
    before = len(tiger.journal.calls("kline"))
    (raw,) = TigerProvider(["AAPL"], first=DAYS[0], last=DAYS[-1]).bars()
    assert len(tiger.journal.calls("kline")) - before == 2 * 4  # as traded, and adjusted
    parsed = parse_bars(raw.frame, at=datetime(2025, 12, 1, tzinfo=UTC))
    assert parsed.rejections == []
    assert parsed.frame["date"].to_numpy().astype("datetime64[D]").tolist() == DAYS
    assert parsed.frame["close"].tolist() == [101.25 + n for n in range(len(DAYS))]
    assert (raw.symbol, raw.source) == ("AAPL", "Tiger Brokers")


def test_bars_outside_the_wish_are_left_out(tiger):
    tiger.bars("MSFT", [bar(day, n) for n, day in enumerate(DAYS)])
    provider = TigerProvider(["MSFT"], first=DAYS[5], last=DAYS[9])
    (raw,) = provider.bars()
    assert raw.frame["date"].tolist() == [day.isoformat() for day in DAYS[5:10]]


def test_a_symbol_without_bars_says_so(tiger):
    with pytest.raises(DataMissing, match="no bars of NONE"):
        list(TigerProvider(["NONE"], first=DAYS[0], last=DAYS[-1]).bars())
    with pytest.raises(InvalidInput):
        list(TigerProvider([]).bars())


def arrange_chain(tiger) -> None:
    at = int(datetime(2025, 7, 1, 18, tzinfo=UTC).timestamp() * 1000)
    tiger.quote("SPY", bid=619.9, ask=620.1, last=620, at=at)
    call, put = {"bidPrice": 12.1, "askPrice": 12.3, "latestPrice": 12.2, "volume": 7, "openInterest": 50}, {"askPrice": 0.05}
    tiger.chain(
        "SPY", EXPIRY.isoformat(), [{"strike": 620, "call": call | GREEKS, "put": call | GREEKS}, {"strike": 500.5, "put": put | GREEKS}]
    )


def test_a_chain_has_greeks_and_lacks_what_is_null(tiger):
    arrange_chain(tiger)
    rows = TigerProvider().chain("SPY", EXPIRY)
    assert [row.contract.symbol for row in rows] == ["SPY250815C00620000", "SPY250815P00500500", "SPY250815P00620000"]
    assert (rows[0].bid, rows[0].ask, rows[0].delta, rows[0].implied_volatility) == tuple(map(Decimal, ("12.1", "12.3", "0.52", "0.25")))
    assert (rows[1].bid, rows[1].ask, rows[1].last) == (None, Decimal("0.05"), None)


@pytest.mark.parametrize("pair", [{"call": None, "put": None}, {"call": {}, "put": {"strike": "x"}}, {"call": {"strike": "-1"}}, {}])
def test_a_null_side_does_not_stop_a_chain(pair):
    class Wire:
        def query(self, method, params):
            return [{"symbol": "SPY", "items": [pair, {"put": {"strike": "10.0", "delta": float("inf")}}]}]

    (row,) = quotes.chain(Wire(), "SPY", EXPIRY)
    assert (row.contract.symbol, row.delta) == ("SPY250815P00010000", None)


def test_chains_can_be_imported_like_those_of_files(tiger):
    arrange_chain(tiger)
    (raw,) = TigerProvider(["SPY"], last=date(2025, 7, 1)).chains()
    parsed = parse_chains(raw.frame, at=datetime(2025, 7, 2, tzinfo=UTC))
    (chain,) = parsed.chains
    assert (chain.underlying, chain.session, chain.spot, len(chain.frame)) == ("SPY", date(2025, 7, 1), 620.0, 3)
    assert parsed.rejections == []
    assert chain.frame["delta"].tolist() == [0.52] * 3


def test_expirations_are_days(tiger):
    arrange_chain(tiger)
    tiger.chain("SPY", "2025-09-19", [])
    assert TigerProvider().expirations("SPY") == [EXPIRY, date(2025, 9, 19)]
    assert TigerProvider().expirations("NONE") == []


def test_the_calendar_tells_each_day(tiger):
    tiger.calendar({"2025-07-03": "EARLY_CLOSE", "2025-07-04": "NON_TRADING"})
    days = TigerProvider().calendar(date(2025, 7, 2), date(2025, 7, 5))
    assert days[date(2025, 7, 2)] == "TRADING"
    assert days[date(2025, 7, 3)] == "EARLY_CLOSE"
    assert days.get(date(2025, 7, 4), "NON_TRADING") == days.get(date(2025, 7, 5), "NON_TRADING") == "NON_TRADING"


def test_a_contract_tells_its_ticks_and_lots(tiger):
    tiger.contract(
        "TICK", lot_size=5, shortable=False, tick_sizes=[{"begin": "0", "end": "Infinity", "type": "CLOSED_OPEN", "tickSize": 0.05}]
    )
    found = TigerProvider().contract("TICK")
    assert (found.lot_size, found.shortable, found.multiplier) == (5, False, 1)
    assert [tick.size for tick in found.ticks] == [Decimal("0.05")]
    option = TigerProvider().contract("AAPL260320C00227500")
    assert (option.multiplier, option.symbol) == (100, "AAPL260320C00227500")
    tiger.contract("GONE", unknown=True)
    assert TigerProvider().contract("GONE") is None


@pytest.mark.parametrize(("symbol", "ticks"), [("AAPL", STOCK_TICKS), ("AAPL260320C00227500", OPTION_TICKS)])
def test_a_contract_without_ticks_has_those_that_hold_for_all(symbol, ticks):
    class Wire:
        account = "1"

        def query(self, method, params):
            return {"symbol": "AAPL", "tickSizes": None}

    assert quotes.contract(Wire(), symbol).ticks == ticks
    assert all(isinstance(tick, Tick) for tick in ticks)


def test_many_quotes_are_asked_for_in_few_calls(tiger):
    names = [f"S{n:03d}" for n in range(60)]
    for name in names:
        tiger.quote(name, bid=10, ask=11)
    tiger.quote("AAPL  260320C00227500", bid=1, ask=2)
    before = len(tiger.journal.calls("quote_real_time"))
    found = TigerProvider().quotes([*names, "AAPL260320C00227500", "NONE"])
    assert sorted(found) == sorted([*names, "AAPL260320C00227500"])
    assert len(tiger.journal.calls("quote_real_time")) - before == 2


def test_a_provider_is_had_by_its_name_and_asks_nothing_before_it_is_asked(gateway):
    assert provider_class("tiger") is TigerProvider
    assert provider_class("bundled") is BundledProvider
    assert list(PROVIDERS) == ["bundled", "folder", "tiger"]
    before = len(gateway.journal.calls())
    provider = TigerProvider(["AAPL"])
    assert provider.last - provider.first == timedelta(days=730)
    assert len(gateway.journal.calls()) == before
    with pytest.raises(InvalidInput, match="no provider"):
        provider_class("nobody")


def test_a_quote_without_a_time_is_never_fresh():
    class Wire:
        def query(self, method, params):
            return [{"symbol": "AAPL", "bidPrice": 1, "askPrice": 2}]

    assert quotes.quotes(Wire(), ["AAPL"])["AAPL"].at == datetime.fromtimestamp(0, UTC)
