"""What every broker adapter speaks: requests, evidence, and two kinds of failure.

A `BrokerRefused` is definitive: the broker has said no, the order does not exist. Everything else that goes wrong
while an order is placed is unclear: the order may exist, and only evidence can tell. An adapter therefore raises
`BrokerRefused` for error codes it knows to be refusals, and nothing else.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

from quant_site.core.errors import QuantError
from quant_site.core.types import Mode

WORKING, FILLED, CANCELLED, EXPIRED, REJECTED = "WORKING", "FILLED", "CANCELLED", "EXPIRED", "REJECTED"


class BrokerRefused(QuantError):
    """The broker refused, definitively; `code` is one of the adapter's known refusals."""

    status = 409


class BrokerUnclear(QuantError):
    """What was asked may or may not have happened."""

    status = 503


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """One order as it is sent. `fence` counts the claims of its sender: a broker that promised that a fence never
    arrived takes none that is not larger. `reducing` orders never open or turn a position."""

    client_order_id: str
    account_id: str
    symbol: str
    side: str
    order_type: str
    time_in_force: str
    quantity: Decimal
    limit_price: Decimal | None
    stop_price: Decimal | None
    oca_group: str
    reducing: bool
    session: date
    fence: int


@dataclass(frozen=True, slots=True)
class Ack:
    broker_order_id: str


@dataclass(frozen=True, slots=True)
class BrokerOrder:
    """An order as the broker sees it now. Quantity and prices are in today's shares; `split_ratio` new shares for one
    old since it arrived."""

    client_order_id: str
    broker_order_id: str
    status: str
    quantity: Decimal
    limit_price: Decimal | None
    stop_price: Decimal | None
    filled_quantity: Decimal
    average_fill_price: Decimal | None
    commission: Decimal
    split_ratio: Decimal = Decimal(1)
    reason: str = ""


@dataclass(frozen=True, slots=True)
class BrokerFill:
    fill_id: str
    client_order_id: str
    session: date
    quantity: Decimal
    price: Decimal
    commission: Decimal
    filled_at: datetime


@dataclass(frozen=True, slots=True)
class Activity:
    """What happened to a holding without an order. `quantity` is the signed holding it applied to, before a split;
    `per_share` is cash per share (per unit of the underlying for an option), or new shares for one old; `amount` is cash,
    negative when owed.

    Before the open, in this order: SPLIT (of an option: its settlement because the underlying splits), DIVIDEND, ASSIGNMENT,
    BORROW (the fee of a short holding carried overnight). After the close: EXPIRY."""

    activity_id: str
    kind: str
    session: date
    symbol: str
    quantity: Decimal
    per_share: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Evidence:
    """`found` is the order, where the broker has it. `final` with nothing found is the broker's proof that the order
    never arrived and no longer can; not found without `final` proves nothing."""

    found: BrokerOrder | None
    final: bool


class Broker(Protocol):
    """The calls that `trading.orders` makes; none of them within a transaction."""

    mode: Mode
    simulated: bool

    def place(self, request: OrderRequest) -> Ack:
        """Send one order. Raises `BrokerRefused`; any other exception leaves the outcome unknown."""

    def cancel(self, account_id: str, client_order_id: str) -> None:
        """Ask for a cancel. It is a request: what became of the order is read from `orders` and `fills`."""

    def find(self, account_id: str, client_order_id: str, fence: int) -> Evidence:
        """What the broker knows of an order that was sent with at most `fence`."""

    def orders(self, account_id: str, client_order_ids: Iterable[str]) -> dict[str, BrokerOrder]:
        """The orders by our id; those the broker does not know are absent."""

    def fills(self, account_id: str, session: date) -> list[BrokerFill]:
        """All fills of a session, in the order they happened."""

    def activities(self, account_id: str, session: date) -> list[Activity]:
        """What happened to holdings without an order in a session, in that order."""

    def positions(self, account_id: str) -> dict[str, Decimal]:
        """Signed quantities by symbol, none of them zero."""

    def cash(self, account_id: str) -> Decimal:
        """The balance in cents."""
