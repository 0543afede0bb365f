"""What surrounds the books: settings, quotes, hours, contracts, bars, chains. Only tests change it.

Every change is a command with JSON arguments, so that a restarted broker can hear them again from its journal."""

import time
from dataclasses import dataclass, fields
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from tests.fake_tiger.contracts import Contract, Invalid, decimal, optional

STOCK_TICKS = (
    {"begin": "0", "end": "1", "type": "CLOSED", "tickSize": 0.0001},
    {"begin": "1", "end": "Infinity", "type": "OPEN", "tickSize": 0.01},
)
OPTION_TICKS = ({"begin": "0", "end": "Infinity", "type": "CLOSED", "tickSize": 0.01},)
AUTO_FILLS = ("off", "instant", "queries")
MARKET_STATES = {
    "REGULAR": ("Trading", "TRADING"),
    "PRE": ("Pre-Market Trading", "PRE_HOUR_TRADING"),
    "POST": ("Post-Market Trading", "POST_HOUR_TRADING"),
    "CLOSED": ("Closed", "CLOSING"),
}


@dataclass(slots=True)
class Settings:
    """How this broker behaves where the real one is unknown, or can be configured.

    store_user_mark: user marks come back. honour_order_no: an order keeps the order_id it was sent with.
    dedupe_order_no: a second order with the same order_id is refused. auto_fill: off, instant or queries, see the client.
    pending_cancel: a cancel stays PendingCancel until told. initial_status: of an accepted order. strict: refuse turning a
    position through zero, ticks, GTC on paper, market orders out of hours. quantity_scale: decimals that whole quantities are
    shifted by on the wire. average_decimals: to which average prices are rounded there, if at all. unset_assets: fields of
    the S segment left out. string_data: `data` comes as a JSON string. license: what user_license answers."""

    store_user_mark: bool = True
    honour_order_no: bool = True
    dedupe_order_no: bool = False
    auto_fill: str = "off"
    fill_after_queries: int = 1
    pending_cancel: bool = False
    initial_status: str = "Submitted"
    strict: bool = True
    quantity_scale: int = 0
    average_decimals: int | None = None
    unset_assets: tuple[str, ...] = ()
    string_data: bool = False
    license: str = "TBSG"
    clock_skew: float = 0.0
    commission_per_share: str = "0.0039"
    commission_minimum: str = "0.99"
    commission_per_contract: str = "0.65"


@dataclass(slots=True)
class Quote:
    """The top of the book; `fields` are wire fields as they are passed on."""

    bid: Decimal | None
    ask: Decimal | None
    last: Decimal | None
    at: int
    fields: dict[str, Any]

    def taken(self, action: str) -> Decimal | None:
        """What somebody who takes the other side deals at."""
        return (self.ask if action == "BUY" else self.bid) or self.last


class World:
    """Everything that tests arrange. Methods named in `COMMANDS` are called with their journalled arguments."""

    COMMANDS = ("quote", "no_quote", "hours", "contract", "bars", "chain", "calendar", "canned", "settings")

    def __init__(self) -> None:
        self.config = Settings()
        self.quotes: dict[str, Quote] = {}
        self.state, self.open_time = "REGULAR", "01-02 09:30:00 EST"
        self.known: dict[str, dict[str, Any]] = {}
        self.series: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self.chains: dict[str, dict[str, list[dict[str, Any]]]] = {}
        self.days: dict[str, str] = {}
        self.replies: dict[str, Any] = {}

    def now(self) -> int:
        """The server's clock in milliseconds."""
        return int((time.time() + self.config.clock_skew) * 1000)

    def quote(self, symbol: str, bid: Any = None, ask: Any = None, last: Any = None, at: int | None = None, **rest: Any) -> None:
        bid, ask, last = optional(bid), optional(ask), optional(last)
        if last is None and bid and ask:
            last = (bid + ask) / 2
        self.quotes[symbol] = Quote(bid, ask, last, at if at is not None else self.now(), rest)

    def no_quote(self, symbol: str) -> None:
        self.quotes.pop(symbol, None)

    def hours(self, state: str, open_time: str | None = None) -> None:
        if state not in MARKET_STATES:
            raise Invalid(f"hours are one of {', '.join(MARKET_STATES)}")
        self.state, self.open_time = state, open_time or self.open_time

    def contract(self, symbol: str, fields: dict[str, Any]) -> None:
        self.known.setdefault(symbol, {}).update(fields)

    def bars(self, symbol: str, items: list[dict[str, Any]], period: str) -> None:
        self.series[(symbol, period)] = sorted(items, key=lambda item: item["time"])

    def chain(self, symbol: str, expiry: str, items: list[dict[str, Any]]) -> None:
        date.fromisoformat(expiry)
        self.chains.setdefault(symbol, {})[expiry] = sorted(items, key=lambda item: float(item["strike"]))

    def calendar(self, days: dict[str, str]) -> None:
        self.days.update(days)

    def canned(self, method: str, data: Any) -> None:
        self.replies[method] = data

    def settings(self, changes: dict[str, Any]) -> dict[str, Any]:
        names = [item.name for item in fields(Settings)]
        for name, value in changes.items():
            if name not in names:
                raise Invalid(f"no setting {name}; there are {', '.join(names)}")
            if name == "auto_fill" and value not in AUTO_FILLS:
                raise Invalid(f"auto_fill is one of {', '.join(AUTO_FILLS)}")
            setattr(self.config, name, value)
        return {name: getattr(self.config, name) for name in names}

    def facts(self, contract: Contract) -> dict[str, Any] | None:
        """What is known of a contract, defaults included; None where the broker does not know it."""
        option = contract.sec_type == "OPT"
        facts = {
            "lot_size": 1,
            "tick_sizes": list(OPTION_TICKS if option else STOCK_TICKS),
            "multiplier": contract.multiplier,
            "shortable": True,
            "trade": True,
            "name": contract.symbol,
        } | self.known.get(contract.key, {})
        return None if facts.get("unknown") else facts

    def tick_fits(self, contract: Contract, price: Decimal) -> bool:
        """Whether a price is a multiple of the tick that holds where it lies."""
        facts = self.facts(contract) or {}
        for band in facts.get("tick_sizes", ()):
            if decimal(band["begin"]) <= abs(price) <= Decimal(band["end"]):
                return price % decimal(band["tickSize"]) == 0
        return True

    def day_type(self, day: date) -> str:
        return self.days.get(day.isoformat(), "TRADING" if day.weekday() < 5 else "NON_TRADING")

    def day_list(self, begin: date, end: date) -> list[dict[str, str]]:
        """Days from `begin` up to, not including, `end`."""
        days = [begin + timedelta(n) for n in range((end - begin).days)]
        return [{"date": day.isoformat(), "type": self.day_type(day)} for day in days]
