"""A live account at a broker that is a Python object: regular hours, an armed account, and faults on demand."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal

from django.contrib.auth.models import User

from quant_site.core import clock
from quant_site.core.models import Account
from quant_site.core.services import account_create
from quant_site.core.types import Mode
from quant_site.market.panel import Panel
from quant_site.market.sessions import trading_session
from tests.orders_world import DAYS, FLAT, instruments, panel_of
from trading.brokers.base import (
    CANCELLED,
    EXPIRED,
    FILLED,
    REJECTED,
    WORKING,
    Ack,
    BrokerFill,
    BrokerOrder,
    BrokerRefused,
    BrokerUnclear,
    Evidence,
    LiveQuote,
    OrderRequest,
    external_id,
)
from trading.models import Arming, Reconciliation, SenderBoot

D = Decimal
NOON = datetime(2019, 1, 10, 17, 0, tzinfo=UTC)  # in New York, within the session after DAYS[5]
LAST_CLOSE = DAYS[5]


@dataclass
class LiveDouble:
    """What a broker does with orders, in memory. `faults` holds what happens to the next placements, in order."""

    panel: Panel
    balance: Decimal = Decimal("100000")
    mode: Mode = Mode.REAL
    simulated: bool = False
    faults: list = field(default_factory=list)
    book: dict[str, BrokerOrder] = field(default_factory=dict)
    placed: list[OrderRequest] = field(default_factory=list)
    done: list[BrokerFill] = field(default_factory=list)
    held: dict[str, Decimal] = field(default_factory=dict)
    quotes: dict[str, Decimal] = field(default_factory=lambda: {"AAA": D(100), "BBB": D(100)})
    quote_at: datetime | None = None
    clock_off: float = 0.0
    keeps: bool = True
    calls: list[str] = field(default_factory=list)

    # --- what the order path asks

    def keeps_orders(self, account_id: str) -> bool:
        return self.keeps

    def reserve(self, account_id: str) -> str:
        self.calls.append("reserve")
        return f"R{len(self.placed) + 1}"

    def place(self, request: OrderRequest) -> Ack:
        self.calls.append("place")
        fault = self.faults.pop(0) if self.faults else None
        if fault == "refused":
            raise BrokerRefused("NO_FUNDS", "The broker says no.")
        if fault == "lost request":
            raise BrokerUnclear("TIMEOUT", "No reply.")
        self.placed.append(request)
        number = f"B{len(self.placed)}"
        self.book[request.client_order_id] = BrokerOrder(
            request.client_order_id, number, WORKING, request.quantity, request.limit_price, request.stop_price, D(0), None, D(0),
            symbol=request.symbol, side=request.side, order_type=request.order_type,
        )  # fmt: skip
        if fault == "lost reply":
            raise BrokerUnclear("TIMEOUT", "No reply.")
        if isinstance(fault, BaseException):
            raise fault
        return Ack(number)

    def modify(self, account_id, client_order_id, quantity, limit_price, stop_price) -> None:
        self.calls.append("modify")
        order = self.book[client_order_id]
        if order.status != WORKING:
            raise BrokerRefused("NOT_WORKING", f"It is {order.status}.")
        self.book[client_order_id] = replace(order, quantity=quantity, limit_price=limit_price, stop_price=stop_price)

    def cancel(self, account_id: str, client_order_id: str) -> None:
        self.calls.append("cancel")
        order = self.book.get(client_order_id)
        if order is not None and order.status == WORKING:
            self.book[client_order_id] = replace(order, status=CANCELLED, reason="REQUESTED")

    def find(self, account_id: str, client_order_id: str, fence: int) -> Evidence:
        return Evidence(self.book.get(client_order_id), final=False)

    def orders(self, account_id: str, client_order_ids: Iterable[str]) -> dict[str, BrokerOrder]:
        return {key: self.book[key] for key in client_order_ids if key in self.book}

    def open_orders(self, account_id: str) -> list[BrokerOrder]:
        return [order for order in self.book.values() if order.status == WORKING]

    def fills(self, account_id: str, session: date) -> list[BrokerFill]:
        return [fill for fill in self.done if fill.session == session]

    def activities(self, account_id: str, session: date) -> list:
        return []

    def positions(self, account_id: str) -> dict[str, Decimal]:
        return {symbol: held for symbol, held in sorted(self.held.items()) if held}

    def cash(self, account_id: str) -> Decimal:
        return self.balance

    def equity(self, account_id: str) -> Decimal | None:
        return self.balance + sum(held * self.quotes[symbol] for symbol, held in self.held.items())

    def preview(self, request):
        return None

    def quote(self, symbol: str) -> LiveQuote | None:
        last = self.quotes.get(symbol)
        return None if last is None else LiveQuote(symbol, None, None, last, self.quote_at or datetime.now(UTC))

    def server_time(self) -> datetime:
        return datetime.fromtimestamp(datetime.now(UTC).timestamp() + self.clock_off, UTC)

    # --- what the market does

    def fill(self, client_order_id: str, quantity, price) -> None:
        """A part of an order trades."""
        order, quantity, price = self.book[client_order_id], D(quantity), D(price)
        filled = order.filled_quantity + quantity
        status = FILLED if filled >= order.quantity else order.status
        self.book[client_order_id] = replace(order, status=status, filled_quantity=filled, average_fill_price=price)
        sign = 1 if order.side == "BUY" else -1
        self.held[order.symbol] = self.held.get(order.symbol, D(0)) + sign * quantity
        self.balance -= sign * quantity * price
        at = clock.now()
        self.done.append(BrokerFill(f"{order.broker_order_id}:{filled}", client_order_id, trading_session(at), quantity, price, D(0), at))

    def ends(self, client_order_id: str, status: str = EXPIRED, reason: str = "") -> None:
        self.book[client_order_id] = replace(self.book[client_order_id], status=status, reason=reason)

    def elsewhere(self, symbol: str, side: str, quantity) -> str:
        """Somebody places an order from another program."""
        number = f"E{len(self.book) + 1}"
        key = external_id(number)
        self.book[key] = BrokerOrder(
            key, number, WORKING, D(quantity), D(90), None, D(0), None, D(0), symbol=symbol, side=side, order_type="LMT"
        )
        return key


def live_broker(**fields) -> LiveDouble:
    instruments("AAA", "BBB")
    return LiveDouble(panel_of({"AAA": [FLAT] * 6, "BBB": [FLAT] * 6}), **fields)


def live_account(account_id="LIVE", *, arm=True, **fields) -> Account:
    """A REAL account with its owner, compared with its broker and armed by a process that sends."""
    owner = User.objects.create_user(f"owner-{account_id}", password="correct-horse-7")
    limits = {"max_position_pct": 1, "max_gross_exposure": 2, "max_adv_pct": 1}
    account = account_create(id=account_id, owner=owner, broker="tiger", mode="REAL", **limits | fields)
    boot = SenderBoot.objects.create(host="test", pid=1, role="sweeper", code_version="c", config_hash="h")
    if arm:
        Arming.objects.create(account=account, open_key=account.pk, boot=boot, armed_by=owner)
        Reconciliation.objects.create(account=account, boot=boot, kind="BOOT", agrees=True, at=clock.now())
    return account


__all__ = ["CANCELLED", "EXPIRED", "FILLED", "LAST_CLOSE", "NOON", "REJECTED", "LiveDouble", "live_account", "live_broker"]
