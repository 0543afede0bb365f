"""Which of Tiger's orders are ours: read from our rows, which hold the ids that were reserved, given and acknowledged.

An order is ours by its acknowledged id, else by our mark, else by the number that was reserved for it. An order of ours
whose outcome nobody saw may carry neither mark nor number (both have to be granted by Tiger): it is recognised by its
content and its time, where exactly one order of Tiger's fits exactly one of ours.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from quant_site.core.rows import places, rows_read
from quant_site.market.tiger.values import identity, moment
from trading.brokers.base import EXTERNAL, BrokerFill, OrderLeg, external_id
from trading.brokers.tiger.translate import same_content
from trading.models import Fill, Order

logger = logging.getLogger(__name__)
NAMES = (
    "id", "client_order_id", "broker_order_id", "reserved_id", "status", "symbol", "side", "order_type", "time_in_force",
    "quantity", "limit_price", "stop_price", "legs", "created_at", "sent_at",
)  # fmt: skip
FILL_NAMES = ("order_id", "fill_id", "session", "symbol", "side", "quantity", "price", "commission", "filled_at")
IN_FLIGHT = "account_id = %s AND status IN ('SENDING', 'UNKNOWN') AND broker_order_id = ''"
UNFINISHED = (
    "account_id = %s AND broker_order_id <> '' AND (status IN ('ACKED', 'PARTIAL')"
    " OR (status IN ('CANCELLED', 'EXPIRED') AND updated_at >= %s))"
)
# The clocks may differ by two seconds; what was sent is taken within this time or not at all.
EARLIER, LATER = timedelta(seconds=5), timedelta(seconds=120)
APPS = frozenset({"ios", "android", "web", "pc", "mac", "windows", "desktop", "mobile", "h5"})


@dataclass(frozen=True, slots=True)
class OwnOrder:
    """One of our rows, as far as the adapter needs it."""

    id: int
    client_order_id: str
    broker_order_id: str
    reserved_id: str
    status: str
    symbol: str
    side: str
    order_type: str
    time_in_force: str
    quantity: Decimal
    limit_price: Decimal | None
    stop_price: Decimal | None
    legs: tuple[OrderLeg, ...]
    created_at: datetime
    sent_at: datetime | None

    @property
    def left_at(self) -> datetime:
        return self.sent_at or self.created_at

    @property
    def in_flight(self) -> bool:
        return self.status in ("SENDING", "UNKNOWN") and not self.broker_order_id


class Booked(NamedTuple):
    """What of an order's symbol is written down: `value` is the sum of quantity times price."""

    quantity: Decimal
    value: Decimal
    commission: Decimal


NOTHING = Booked(Decimal(0), Decimal(0), Decimal(0))


def own_orders(account_id: str, client_order_ids: Iterable[str]) -> dict[str, OwnOrder]:
    """Our rows by our id."""
    ids = sorted(set(client_order_ids))
    return _read(f"account_id = %s AND client_order_id IN {places(ids)}", account_id, *ids) if ids else {}


def unfinished(account_id: str, since: datetime) -> dict[str, OwnOrder]:
    """Acknowledged orders that may still be filled, those that ended after `since` included: a late fill wins."""
    return _read(UNFINISHED, account_id, since)


def _read(where: str, *params) -> dict[str, OwnOrder]:
    rows = (OwnOrder(**(dict(zip(NAMES, row, strict=True)) | {"legs": _legs(row)})) for row in rows_read(Order, NAMES, where, *params))
    return {row.client_order_id: row for row in rows}


def _legs(row: tuple) -> tuple[OrderLeg, ...]:
    return tuple(OrderLeg(leg["symbol"], leg["side"], int(leg["ratio"])) for leg in row[NAMES.index("legs")] or ())


def fills_of_session(account_id: str, session: date) -> list[BrokerFill]:
    """The fills of a session that are written down, as they were told."""
    rows = rows_read(Fill, FILL_NAMES, "account_id = %s AND session = %s ORDER BY id", account_id, session)
    orders = sorted({row[0] for row in rows})
    names = ("id", "client_order_id", "legs")
    ours = {pk: rest for pk, *rest in rows_read(Order, names, f"id IN {places(orders)}", *orders)} if orders else {}
    return [
        BrokerFill(fill, ours[order][0], day, amount, paid, fee, at, *((symbol, side) if ours[order][1] else ()))
        for order, fill, day, symbol, side, amount, paid, fee, at in rows
    ]


def booked_of(order_ids: Iterable[int]) -> dict[tuple[int, str], Booked]:
    """What is written down of orders, by order and symbol."""
    ids, found = sorted(set(order_ids)), defaultdict(lambda: NOTHING)
    names = ("order_id", "symbol", "quantity", "price", "commission")
    for order, symbol, amount, paid, fee in rows_read(Fill, names, f"order_id IN {places(ids)}", *ids) if ids else ():
        known = found[order, symbol]
        found[order, symbol] = Booked(known.quantity + amount, known.value + amount * paid, known.commission + fee)
    return dict(found)


@dataclass
class Claims:
    """Tiger's orders and ours, brought together. `client_of` is our id of one of the given items: `external_id` of one that
    is nobody's, None of one that may be either."""

    orders: Mapping[str, OwnOrder]
    by_item: dict[str, str | None] = field(default_factory=dict)

    @classmethod
    def of(cls, account_id: str, items: Sequence[Mapping[str, Any]]) -> "Claims":
        claims = cls(_candidates(account_id, items))
        acknowledged = {order.broker_order_id: order for order in claims.orders.values() if order.broker_order_id}
        numbered = {order.reserved_id: order for order in claims.orders.values() if order.reserved_id}
        left = []
        for item in items:
            names = acknowledged.get(str(item["id"])), claims.orders.get(_mark_of(item)), numbered.get(_number_of(item))
            if not claims._by_name(str(item["id"]), names):
                left.append(item)
        claims._by_content(left)
        return claims

    def client_of(self, item: Mapping[str, Any]) -> str | None:
        return self.by_item.get(str(item["id"]), external_id(str(item["id"])))

    def own(self, item: Mapping[str, Any]) -> OwnOrder | None:
        return self.orders.get(self.client_of(item) or "")

    def _by_name(self, key: str, named: Sequence[OwnOrder | None]) -> bool:
        for order in named:
            # A row that is another order's already is not this one's: a second order under one mark is nobody's.
            if order is not None and order.broker_order_id in ("", key):
                self.by_item[key] = order.client_order_id
                return True
        if any(named):
            logger.error("Tiger's order %s bears a mark or a number of one of ours that is another order.", key)
        return False

    def _by_content(self, items: Sequence[Mapping[str, Any]]) -> None:
        taken = set(self.by_item.values())
        waiting = [order for order in self.orders.values() if order.in_flight and order.client_order_id not in taken]
        fits = {str(item["id"]): [order for order in waiting if _fits(item, order)] for item in items} if waiting else {}
        rivals: dict[str, int] = defaultdict(int)
        for orders in fits.values():
            for order in orders:
                rivals[order.client_order_id] += 1
        for key, orders in fits.items():
            if orders:
                alone = len(orders) == 1 and rivals[orders[0].client_order_id] == 1
                self.by_item[key] = orders[0].client_order_id if alone else None


def _candidates(account_id: str, items: Sequence[Mapping[str, Any]]) -> dict[str, OwnOrder]:
    """Rows that any of the items could be, by whatever name, and those in flight."""
    found = _read(IN_FLIGHT, account_id)
    columns = {
        "broker_order_id": {str(item["id"]) for item in items},
        "client_order_id": {_mark_of(item) for item in items},
        "reserved_id": {_number_of(item) for item in items},
    }
    for column, values in columns.items():
        wanted = sorted(values - {""})
        if wanted:
            found |= _read(f"account_id = %s AND {column} IN {places(wanted)}", account_id, *wanted)
    return found


def _mark_of(item: Mapping[str, Any]) -> str:
    return str(item.get("userMark") or "")


def _number_of(item: Mapping[str, Any]) -> str:
    """The order's number in its account; "" where it has none (an app's orders have 0)."""
    return identity(item.get("orderId"))


def _fits(item: Mapping[str, Any], order: OwnOrder) -> bool:
    placed = moment(item.get("openTime"))
    if item.get("userMark") or str(item.get("source") or "").lower() in APPS or placed is None:
        return False
    return order.left_at - EARLIER <= placed <= order.left_at + LATER and same_content(item, order)


def external_number(client_order_id: str) -> str:
    """The broker's id in our id of somebody else's order; "" for an order of ours."""
    return client_order_id.removeprefix(EXTERNAL) if client_order_id.startswith(EXTERNAL) else ""
