"""What Tiger says about the market: quotes, bars, option chains, expirations, contracts, the calendar.

Everything is asked by the SDK's own request models; times go out as milliseconds, because dates as text are not converted.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from tigeropen.quote.request.model import (
    MultipleQuoteParams,
    OptionChainParams,
    OptionContractsParams,
    SingleContractParams,
    TradingCalendarParams,
)
from tigeropen.trade.request.model import ContractParams

from quant_site.core.errors import DataMissing
from quant_site.market.options.contracts import OptionContract, parse_contract
from quant_site.market.tiger.ticks import OPTION_TICKS, STOCK_TICKS, Tick, ticks_of
from quant_site.market.tiger.values import RIGHTS, day, milliseconds, moment, number, symbol_of, wire_contract
from quant_site.market.tiger.wire import Wire, items_of

STOCKS_A_CALL, OPTIONS_A_CALL, BARS_A_PAGE = 50, 30, 1000
MOST_PAGES = 40
V3 = "3.0"
HALTED = frozenset({"HALTED", "DELIST", "3", "4"})
QUOTE_TIMES = ("latestTime", "midTimestamp", "timestamp", "lastTimestamp", "markTimestamp")


@dataclass(frozen=True)
class TigerQuote:
    """What a symbol trades at. Prices are None where there are none; `halted`: nobody may trade it now."""

    symbol: str
    bid: Decimal | None
    ask: Decimal | None
    last: Decimal | None
    previous_close: Decimal | None
    at: datetime
    halted: bool


@dataclass(frozen=True)
class TigerBar:
    """One day. `amount` is what was turned over, in money."""

    session: date
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal | None
    amount: Decimal | None


@dataclass(frozen=True)
class ChainRow:
    """One option of a chain. Greeks are Tiger's, of one unit of the underlying; None where it gives none."""

    contract: OptionContract
    bid: Decimal | None
    ask: Decimal | None
    last: Decimal | None
    volume: Decimal | None
    open_interest: Decimal | None
    implied_volatility: Decimal | None
    delta: Decimal | None
    gamma: Decimal | None
    theta: Decimal | None
    vega: Decimal | None
    rho: Decimal | None


@dataclass(frozen=True)
class TigerContract:
    """What can be traded and how. `ticks` are never empty: where Tiger says nothing they are those that hold for all."""

    symbol: str
    ticks: tuple[Tick, ...]
    lot_size: Decimal
    multiplier: Decimal
    shortable: bool | None
    tradable: bool
    currency: str


def quotes(wire: Wire, symbols: Iterable[str]) -> dict[str, TigerQuote]:
    """The quotes of stocks and options by our symbol; what Tiger has none of is absent."""
    wanted = sorted(set(symbols))
    stocks = [symbol for symbol in wanted if parse_contract(symbol) is None]
    options = [symbol for symbol in wanted if parse_contract(symbol) is not None]
    found: dict[str, TigerQuote] = {}
    for some in _batches(stocks, STOCKS_A_CALL):
        params = MultipleQuoteParams()
        params.symbols, params.include_hour_trading = some, False
        found |= _quotes(items_of(wire.query("quote_real_time", params), "quote_real_time"))
    for some in _batches(options, OPTIONS_A_CALL):
        params = OptionContractsParams()
        params.option_basics = [_option(symbol) for symbol in some]
        found |= _quotes(items_of(wire.query("option_brief", params), "option_brief"))
    return {symbol: found[symbol] for symbol in wanted if symbol in found}


def bars(wire: Wire, symbol: str, first: date, last: date, *, adjusted: bool = False) -> list[TigerBar]:
    """The daily bars from `first` to `last`, oldest first, page by page; `adjusted` for splits and dividends or as they were."""
    params = MultipleQuoteParams()
    params.symbols, params.period, params.right, params.limit = [symbol], "day", "br" if adjusted else "nr", BARS_A_PAGE
    params.begin_time, params.end_time = milliseconds(first), milliseconds(last + timedelta(days=1))
    found: dict[date, TigerBar] = {}
    for _ in range(MOST_PAGES):
        series = items_of(wire.query("kline", params), "kline")
        for item in (row for each in series for row in items_of(each, "kline")):
            bar = _bar(item)
            if bar is not None and first <= bar.session <= last:
                found[bar.session] = bar
        params.page_token = series[0].get("nextPageToken") if series else None
        if not params.page_token:
            return [found[session] for session in sorted(found)]
    raise DataMissing("tiger_too_many_bars", f"Tiger has more than {MOST_PAGES} pages of bars of {symbol}: ask for a shorter time.")


def expirations(wire: Wire, underlying: str) -> list[date]:
    """The days on which listed options of `underlying` expire."""
    params = OptionContractsParams()
    params.symbols, params.market = [underlying], "US"
    days = (
        day(text) for item in items_of(wire.query("option_expiration", params), "option_expiration") for text in item.get("dates") or ()
    )
    return sorted({each for each in days if each is not None})


def chain(wire: Wire, underlying: str, expiry: date) -> list[ChainRow]:
    """The options of one expiration, with Greeks, by strike and right. What is null on the wire is left out."""
    basic, params = SingleContractParams(), OptionChainParams()
    basic.symbol, basic.expiry = underlying, milliseconds(expiry)
    params.contracts, params.return_greek_value, params.market, params.version = [basic], True, "US", V3
    rows = {row.contract: row for row in _chain_rows(items_of(wire.query("option_chain", params), "option_chain"), underlying, expiry)}
    return [rows[contract] for contract in sorted(rows)]


def contract(wire: Wire, symbol: str) -> TigerContract | None:
    """How `symbol` is traded; None where Tiger does not know it."""
    asked, params = wire_contract(symbol), ContractParams()
    params.account, params.symbol, params.sec_type, params.currency, params.version = wire.account, asked.symbol, asked.sec_type, "USD", V3
    params.expiry, params.strike, params.right = asked.expiry, asked.strike, asked.right
    data = wire.query("contract", params)
    found = items_of(data, "contract") if isinstance(data, dict) and "items" in data else [data]
    item = next((each for each in found if isinstance(each, dict) and each), None)
    if item is None:
        return None
    shortable = item.get("shortable")
    return TigerContract(
        symbol=symbol,
        ticks=ticks_of(item.get("tickSizes")) or (OPTION_TICKS if asked.sec_type == "OPT" else STOCK_TICKS),
        lot_size=number(item.get("lotSize")) or Decimal(1),
        multiplier=number(item.get("multiplier")) or Decimal(asked.multiplier or 1),
        shortable=None if shortable is None else bool(shortable),
        tradable=bool(item.get("tradeable", item.get("trade", True))),
        currency=str(item.get("currency") or "USD"),
    )


def calendar(wire: Wire, first: date, last: date) -> dict[date, str]:
    """What each day from `first` to `last` is in the United States: TRADING, EARLY_CLOSE or another word of Tiger's; what it
    leaves out is absent."""
    params = TradingCalendarParams()
    params.market, params.begin_date, params.end_date = "US", first.isoformat(), (last + timedelta(days=1)).isoformat()
    items = items_of(wire.query("trading_calendar", params), "trading_calendar")
    days = {day(item.get("date")): str(item.get("type") or "") for item in items}
    return {each: kind for each, kind in sorted((each, kind) for each, kind in days.items() if each) if first <= each <= last}


def _batches(symbols: list[str], size: int) -> list[list[str]]:
    return [symbols[start : start + size] for start in range(0, len(symbols), size)]


def _quotes(items: list[dict]) -> dict[str, TigerQuote]:
    return {quote.symbol: quote for quote in map(_quote, items)}


def _quote(item: dict[str, Any]) -> TigerQuote:
    times = [at for name in QUOTE_TIMES if (at := moment(item.get(name)))]
    bid, ask = (_price(item.get(name)) for name in ("bidPrice", "askPrice"))
    return TigerQuote(
        symbol=symbol_of(item),
        bid=bid,
        ask=ask,
        last=_price(item.get("latestPrice")),
        previous_close=_price(item.get("preClose")),
        # Without a time it is as old as can be: nobody takes it for a fresh one.
        at=max(times) if times else datetime.fromtimestamp(0, UTC),
        halted=str(item.get("status") or "").upper() in HALTED,
    )


def _price(value: Any) -> Decimal | None:
    """A price above zero."""
    price = number(value)
    return price if price is not None and price > 0 else None


def _bar(item: dict[str, Any]) -> TigerBar | None:
    session, levels = day(item.get("time")), [number(item.get(name)) for name in ("open", "high", "low", "close")]
    if session is None or None in levels:
        return None
    return TigerBar(session, *levels, number(item.get("volume")), number(item.get("amount")))


def _option(symbol: str) -> SingleContractParams:
    option, params = parse_contract(symbol), SingleContractParams()
    params.symbol, params.expiry = option.underlying, milliseconds(option.expiry)
    params.put_call, params.strike = RIGHTS[option.right], f"{option.strike.normalize():f}"
    return params


def _chain_rows(series: list[dict], underlying: str, expiry: date) -> Iterator[ChainRow]:
    for each in series:
        for pair in items_of(each, "option_chain"):
            for right, name in (("C", "call"), ("P", "put")):
                item = pair.get(name)
                strike = number(item.get("strike")) if isinstance(item, dict) else None
                if strike is not None and strike > 0:
                    yield _chain_row(OptionContract(underlying, expiry, right, strike), item)


def _chain_row(option: OptionContract, item: dict[str, Any]) -> ChainRow:
    names = ("volume", "openInterest", "impliedVol", "delta", "gamma", "theta", "vega", "rho")
    prices = (_price(item.get(name)) for name in ("bidPrice", "askPrice", "latestPrice"))
    return ChainRow(option, *prices, *(number(item.get(name)) for name in names))
