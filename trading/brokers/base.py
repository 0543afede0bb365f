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


EXTERNAL = "X-"


def external_id(broker_order_id: str) -> str:
    """The id under which we know an order that was placed at the broker by somebody else."""
    return f"{EXTERNAL}{broker_order_id}"


class BrokerRefused(QuantError):
    """The broker refused, definitively; `code` is one of the adapter's known refusals."""

    status = 409


class BrokerUnclear(QuantError):
    """What was asked may or may not have happened."""

    status = 503


@dataclass(frozen=True, slots=True)
class OrderLeg:
    """One symbol of an order that trades several as one; `ratio` are its contracts in one unit."""

    symbol: str
    side: str
    ratio: int


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """One order as it is sent. `fence` counts the claims of its sender: a broker that promised that a fence never
    arrived takes none that is not larger. `reducing` orders never open or turn a position.

    With `legs` they trade together or not at all; `quantity` is in units, `limit_price` the net price of a unit, negative
    where it is received. `reserved_id` is what `reserve` answered for it."""

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
    legs: tuple[OrderLeg, ...] = ()
    reserved_id: str = ""


@dataclass(frozen=True, slots=True)
class Ack:
    broker_order_id: str


@dataclass(frozen=True, slots=True)
class BrokerOrder:
    """An order as the broker sees it now. Quantity and prices are in today's shares; `split_ratio` new shares for one
    old since it arrived.

    An order that is none of ours has `external_id(broker_order_id)` for our id, in its fills too; what it is follows from the
    fields after `reason`, which a broker fills in for every order."""

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
    symbol: str = ""
    side: str = ""
    order_type: str = ""
    placed_at: datetime | None = None
    legs: tuple[OrderLeg, ...] = ()


@dataclass(frozen=True, slots=True)
class BrokerFill:
    """A part of an order that was executed. `symbol` and `side` name the leg of an order that has several; else they are empty."""

    fill_id: str
    client_order_id: str
    session: date
    quantity: Decimal
    price: Decimal
    commission: Decimal
    filled_at: datetime
    symbol: str = ""
    side: str = ""


@dataclass(frozen=True, slots=True)
class LiveQuote:
    """What a symbol trades at now. Prices are None where nobody deals; `at` is when the market said so."""

    symbol: str
    bid: Decimal | None
    ask: Decimal | None
    last: Decimal | None
    at: datetime

    @property
    def price(self) -> Decimal | None:
        """The middle of bid and ask, else the last trade."""
        return (self.bid + self.ask) / 2 if self.bid and self.ask else self.last


@dataclass(frozen=True, slots=True)
class BrokerPreview:
    """What the broker says an order would do: margins and commission in dollars, None where it does not say."""

    accepted: bool
    message: str
    initial_margin: Decimal | None
    maintenance_margin: Decimal | None
    commission: Decimal | None


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
    """The calls that the order path and reconciling make; none of them within a transaction.

    A `simulated` broker trades on stored bars, session by session (`trading.books.market_day`); every other works on the live
    clock, sends in regular hours only, and answers `quote` and `server_time`.
    """

    mode: Mode
    simulated: bool

    def keeps_orders(self, account_id: str) -> bool:
        """Whether it takes orders that outlive the day (GTC); else what protects a position is placed again each day."""

    def reserve(self, account_id: str) -> str:
        """An id under which the broker will know the next order, asked for before anything is sent; "" where it has none.

        Raises when none can be had: then nothing is sent."""

    def place(self, request: OrderRequest) -> Ack:
        """Send one order. Raises `BrokerRefused`; any other exception leaves the outcome unknown."""

    def modify(
        self, account_id: str, client_order_id: str, quantity: Decimal, limit_price: Decimal | None, stop_price: Decimal | None
    ) -> None:
        """Ask for another quantity (of the whole order) or price of a working order. Like a cancel it is a request. Raises
        `BrokerRefused` where the order stays as it is."""

    def cancel(self, account_id: str, client_order_id: str) -> None:
        """Ask for a cancel. It is a request: what became of the order is read from `orders` and `fills`."""

    def find(self, account_id: str, client_order_id: str, fence: int) -> Evidence:
        """What the broker knows of an order that was sent with at most `fence`."""

    def orders(self, account_id: str, client_order_ids: Iterable[str]) -> dict[str, BrokerOrder]:
        """The orders by our id; those the broker does not know are absent."""

    def open_orders(self, account_id: str) -> list[BrokerOrder]:
        """Everything that works at the broker, whoever placed it."""

    def fills(self, account_id: str, session: date) -> list[BrokerFill]:
        """All fills of a session, in the order they happened; a broker on the live clock also tells those of later and earlier
        sessions that are not written here, as far as something happened to their orders since."""

    def activities(self, account_id: str, session: date) -> list[Activity]:
        """What happened to holdings without an order in a session, in that order."""

    def positions(self, account_id: str) -> dict[str, Decimal]:
        """Signed quantities by symbol, none of them zero."""

    def cash(self, account_id: str) -> Decimal:
        """The balance in cents."""

    def equity(self, account_id: str) -> Decimal | None:
        """What the account is worth now, in dollars; None where the broker does not say."""

    def preview(self, request: OrderRequest) -> BrokerPreview | None:
        """What the broker says the order would do; None where it does not say."""

    def quote(self, symbol: str) -> LiveQuote | None:
        """What `symbol` trades at now; None where there is no quote."""

    def server_time(self) -> datetime | None:
        """The broker's clock; None where it has none of its own."""
