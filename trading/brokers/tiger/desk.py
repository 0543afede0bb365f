"""The queries behind the adapter: what Tiger says of orders, holdings and money, as JSON items and Decimals.

One desk a process and set of credentials: it remembers ticks of contracts, and which accounts have no list of executions.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

from tigeropen.common.model import BaseParams
from tigeropen.trade.request.model import AccountsParams, AssetParams, OrderParams, OrdersParams, PositionParams, TransactionsParams

from quant_site.core.types import money
from quant_site.market.options.contracts import parse_contract
from quant_site.market.tiger import quotes
from quant_site.market.tiger.config import credentials
from quant_site.market.tiger.errors import TigerError, TigerNotSent, TigerRefused, TigerUnclear
from quant_site.market.tiger.ticks import OPTION_TICKS, STOCK_TICKS, Tick
from quant_site.market.tiger.values import identity, milliseconds, moment, number, scaled, symbol_of
from quant_site.market.tiger.wire import Wire, items_of
from trading.brokers.tiger.fills import Execution

PAGE, EXECUTIONS_A_PAGE = 300, 100
TICKS_LIVE = 12 * 3600.0
CURRENCY = "USD"
LISTS = ("active_orders", "filled_orders", "inactive_orders")
BY_UPDATE = "LATEST_STATUS_UPDATED"
Item = dict[str, Any]


@dataclass(frozen=True)
class Assets:
    """What the account's securities are worth, in dollars; None where Tiger does not say."""

    cash: Decimal | None
    net_liquidation: Decimal | None
    buying_power: Decimal | None
    initial_margin: Decimal | None
    maintenance_margin: Decimal | None
    gross_position_value: Decimal | None
    unrealized: Decimal | None
    realized: Decimal | None


class Desk:
    """Asks over one wire. Raises `TigerError`."""

    def __init__(self, wire: Wire):
        self.wire = wire
        self._ticks: dict[str, tuple[tuple[Tick, ...], float]] = {}
        self._without_executions: set[str] = set()
        self._types: dict[str, str] = {}

    def account_type(self, number: str) -> str:
        """PAPER, STANDARD or GLOBAL, asked once; empty where the credentials have no such account."""
        if number not in self._types:
            params = AccountsParams()
            params.account = number
            items = items_of(self.wire.query("accounts", params), "accounts")
            self._types[number] = next((str(item.get("accountType") or "") for item in items if str(item.get("account")) == number), "")
        return self._types[number]

    # --- orders

    def order(self, number: str, broker_order_id: str) -> Item | None:
        """One order by Tiger's id; None where nothing comes."""
        params = OrderParams()
        params.account, params.id = number, int(broker_order_id)
        data = self.wire.query("orders", params)
        item = data if isinstance(data, dict) and "items" not in data else next(iter(items_of(data, "orders")), None)
        return item if item and str(item.get("id")) == broker_order_id else None

    def orders_since(self, number: str, since: datetime) -> list[Item]:
        """Orders of every state that were made since."""
        return _unique(self.wire.pages("orders", self._orders(number, since)))

    def active(self, number: str) -> list[Item]:
        """Everything that works, stocks, options and combinations, whenever it was made."""
        return _unique(self.wire.pages("active_orders", self._orders(number, None)))

    def listed_since(self, number: str, since: datetime, *, by_update: bool) -> list[Item]:
        """What works now, and what was filled or ended otherwise since: by its last change, or by when it was made."""
        found = self.active(number)
        for name in LISTS[1:]:
            params = self._orders(number, since)
            params.sort_by = BY_UPDATE if by_update else None
            found += self.wire.pages(name, params)
        return _unique(found)

    def executions(self, number: str, broker_order_id: str) -> list[tuple[str, Execution]]:
        """(symbol, execution) of an order, oldest first; nothing for accounts that have no such list."""
        if number in self._without_executions:
            return []
        params = TransactionsParams()
        params.account, params.order_id, params.limit = number, int(broker_order_id), EXECUTIONS_A_PAGE
        try:
            items = list(self.wire.pages("order_transactions", params))
        except TigerError as error:
            # The totals of the order say the same, only less finely.
            if isinstance(error, TigerRefused) and not isinstance(error, TigerNotSent):
                self._without_executions.add(number)
            return []
        found = [each for item in items if (each := _execution(item)) is not None]
        return [(symbol, execution) for _, symbol, execution in sorted(found, key=lambda each: (each[2].at, each[0]))]

    @staticmethod
    def _orders(number: str, since: datetime | None) -> OrdersParams:
        params = OrdersParams()
        params.account, params.market, params.limit = number, "ALL", PAGE
        params.start_date = None if since is None else milliseconds(since)
        return params

    # --- contracts

    def ticks_of(self, symbol: str) -> tuple[Tick, ...]:
        """The prices a contract can have: Tiger's table, kept for half a day, else those that every contract of its kind takes."""
        known, until = self._ticks.get(symbol, ((), 0.0))
        if time.monotonic() < until:
            return known
        try:
            contract = quotes.contract(self.wire, symbol)
        except TigerError:
            contract = None
        if contract is None:
            return OPTION_TICKS if parse_contract(symbol) is not None else STOCK_TICKS
        self._ticks[symbol] = contract.ticks, time.monotonic() + TICKS_LIVE
        return contract.ticks

    # --- holdings and money

    def positions(self, number: str) -> dict[str, Decimal]:
        """Signed quantities by symbol. Stocks and options are asked for apart: the API leaves options out otherwise."""
        held: dict[str, Decimal] = {}
        for kind in ("STK", "OPT"):
            params = PositionParams()
            params.account, params.sec_type, params.currency, params.market = number, kind, "ALL", "ALL"
            for item in items_of(self.wire.query("positions", params), "positions"):
                symbol = symbol_of({"secType": kind, **item})
                held[symbol] = held.get(symbol, Decimal(0)) + scaled(item.get("position"), item.get("positionScale"))
        return {symbol: held[symbol] for symbol in sorted(held) if held[symbol]}

    def assets(self, number: str) -> Assets:
        """The securities segment in dollars. Raises `TigerUnclear` where there is none."""
        params = AssetParams()
        params.account, params.base_currency, params.consolidated = number, CURRENCY, True
        data = self.wire.query("prime_assets", params)
        segments = data.get("segments") if isinstance(data, dict) else None
        found = next((each for each in segments or () if isinstance(each, dict) and each.get("category") == "S"), None)
        if found is None:
            raise TigerUnclear("NO_ASSETS", "Tiger says nothing of the account's securities.")
        names = ("netLiquidation", "buyingPower", "initMargin", "maintainMargin", "grossPositionValue", "unrealizedPL", "realizedPL")
        return Assets(_cash(found), *(_dollars(found.get(name)) for name in names))

    def server_time(self) -> datetime | None:
        """Tiger's clock now: as an answer of the last seconds told it, else asked for."""
        known = self.wire.server_time
        if known is None or known[1] > 5.0:
            params: BaseParams = AccountsParams()
            self.wire.query("accounts", params)
            known = self.wire.server_time
        return None if known is None else known[0] + timedelta(seconds=known[1])


def desk() -> Desk:
    """This process's desk. Raises `Unavailable` without usable credentials."""
    return _desk(credentials())


@lru_cache(maxsize=2)
def _desk(_given) -> Desk:
    return Desk(Wire())


def _unique(items: Iterable[Item]) -> list[Item]:
    """By id, oldest first; of one that moved from list to list meanwhile, what was said last."""
    found = {int(item["id"]): item for item in items if identity(item.get("id"))}
    return [found[each] for each in sorted(found)]


def _execution(item: Item) -> tuple[int, str, Execution] | None:
    """Its number, its symbol, and what was traded; None for what is none."""
    amount, paid = scaled(item.get("filledQuantity"), item.get("filledQuantityScale")), number(item.get("filledPrice"))
    at = moment(item.get("transactionTime")) or moment(item.get("transactedAt")) or moment(item.get("createTime"))
    if amount <= 0 or paid is None or at is None:
        return None
    return int(identity(item.get("id")) or 0), symbol_of(item), Execution(amount, paid, at)


def _cash(segment: Item) -> Decimal | None:
    """The dollars, not what other currencies would be worth in dollars: the books are kept in dollars."""
    currencies = [each for each in segment.get("currencyAssets") or () if isinstance(each, dict)]
    dollars = next((_dollars(each.get("cashBalance")) for each in currencies if each.get("currency") == CURRENCY), None)
    if dollars is not None:
        return dollars
    return _dollars(segment.get("cashBalance")) if segment.get("currency") in (None, CURRENCY) else None


def _dollars(value: Any) -> Decimal | None:
    found = number(value)
    return None if found is None else money(found)
