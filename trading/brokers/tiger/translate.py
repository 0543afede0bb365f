"""Orders in our words and in Tiger's. Pure: rows and requests in, parameters out; JSON in, `BrokerOrder` out."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from tigeropen.trade.domain.contract import Contract, ContractLeg
from tigeropen.trade.request.model import PlaceModifyOrderParams

from quant_site.core.types import OrderType, Side, money, price
from quant_site.market.options.contracts import parse_contract
from quant_site.market.tiger.ticks import COMBO_TICKS, OPTION_TICKS, STOCK_TICKS, Tick, on_tick
from quant_site.market.tiger.values import moment, number, scaled, symbol_of, wire_contract
from trading.brokers import base
from trading.brokers.base import BrokerOrder, BrokerRefused, OrderLeg
from trading.vocabulary import TimeInForce

TicksOf = Callable[[str], tuple[Tick, ...]]
STOP_LIMIT = "STP_LMT"
# An option's stop needs a limit: this far beyond the stop it still trades through a gap, and not at any price.
SLACK = Decimal("0.10")
LARGEST_QUANTITY = Decimal(10**7)
# What Tiger calls the end of an order, by name and by number. Whatever is not here still works, for all we know.
ENDED = {
    "Filled": base.FILLED, "FILLED": base.FILLED, "6": base.FILLED,
    "Cancelled": base.CANCELLED, "Canceled": base.CANCELLED, "CANCELLED": base.CANCELLED, "4": base.CANCELLED,
    "Inactive": base.REJECTED, "REJECTED": base.REJECTED, "7": base.REJECTED,
    "Invalid": base.EXPIRED, "EXPIRED": base.EXPIRED, "-2": base.EXPIRED,
}  # fmt: skip


class LegTerms(Protocol):
    """One symbol of several that trade as one."""

    symbol: str
    side: str
    ratio: int


class OrderTerms(Protocol):
    """What decides how an order looks on the wire: an `OrderRequest`, or one of our rows."""

    symbol: str
    side: str
    order_type: str
    time_in_force: str
    quantity: Decimal
    limit_price: Decimal | None
    stop_price: Decimal | None
    legs: Sequence[LegTerms]


@dataclass(frozen=True)
class WireTerms:
    """Type, quantity and prices as they go out, on the contract's ticks."""

    order_type: str
    quantity: int
    limit_price: Decimal | None
    stop_price: Decimal | None


def wire_terms(order: OrderTerms, ticks_of: TicksOf) -> WireTerms:
    """Raises `BrokerRefused` for what is no order here: nothing is sent then."""
    if not 0 < order.quantity < LARGEST_QUANTITY or order.quantity != order.quantity.to_integral_value():
        raise BrokerRefused("BAD_QUANTITY", f"{order.quantity:f} is not a whole, positive number. Nothing was sent.")
    if order.order_type not in list(OrderType):
        raise BrokerRefused("ORDER_TYPE", f"Orders of type {order.order_type} are not sent from here. Nothing was sent.")
    kind, combo = OrderType(order.order_type), bool(order.legs)
    if kind is OrderType.MARKET and order.time_in_force == TimeInForce.GTC:
        raise BrokerRefused("TIME_IN_FORCE", "A market order is good for the day only. Nothing was sent.")
    if kind is OrderType.STOP and combo:
        raise BrokerRefused("ORDER_TYPE", "Several legs have no stop order. Nothing was sent.")
    ticks = COMBO_TICKS if combo else ticks_of(order.symbol) if kind is not OrderType.MARKET else ()
    limit = stop = None
    name = kind.value
    if kind is OrderType.LIMIT:
        limit = _level(order.limit_price, ticks, order.side, combo)
    if kind is OrderType.STOP:
        stop = _level(order.stop_price, ticks, order.side, combo)
        if parse_contract(order.symbol) is not None:
            name, limit = STOP_LIMIT, _stop_limit(stop, ticks, order.side)
    return WireTerms(name, int(order.quantity), limit, stop)


def _level(level: Decimal | None, ticks: tuple[Tick, ...], side: str, combo: bool) -> Decimal:
    found = on_tick(level, ticks, side) if level is not None and level.is_finite() else None
    if found is None or (found <= 0 and not combo):
        raise BrokerRefused("BAD_PRICE", f"{level} is no price that can be sent. Nothing was sent.")
    return found


def _stop_limit(stop: Decimal, ticks: tuple[Tick, ...], side: str) -> Decimal:
    """The worst price at which a stop may still trade; at least one tick."""
    worst = stop * (1 + SLACK if side == Side.BUY else 1 - SLACK)
    opposite = Side.SELL if side == Side.BUY else Side.BUY
    return max(on_tick(worst, ticks, opposite), ticks[0].size)


def order_params(order: OrderTerms, terms: WireTerms, *, account: str) -> PlaceModifyOrderParams:
    """An order as it is placed, changed or previewed. Outside regular hours is said to be no, because the server's own
    answer differs. `secret_key` and everything else that identifies us stays out."""
    params = PlaceModifyOrderParams()
    params.account, params.order_type, params.quantity = account, terms.order_type, terms.quantity
    params.action, params.time_in_force, params.outside_rth = str(order.side), str(order.time_in_force), False
    # Floats of a Decimal on a tick are written as that Decimal.
    params.limit_price = None if terms.limit_price is None else float(terms.limit_price)
    params.aux_price = None if terms.stop_price is None else float(terms.stop_price)
    if order.legs:
        params.combo_type, params.contract_legs = "CUSTOM", [_leg(leg) for leg in order.legs]
    else:
        params.contract = _contract(order.symbol)
    return params


def _contract(symbol: str) -> Contract:
    wire = wire_contract(symbol)
    return Contract(
        wire.symbol, "USD", sec_type=wire.sec_type, expiry=wire.expiry, strike=wire.strike, put_call=wire.right, multiplier=wire.multiplier
    )


def _leg(leg: LegTerms) -> ContractLeg:
    wire = wire_contract(leg.symbol)
    return ContractLeg(wire.symbol, wire.sec_type, wire.expiry, wire.strike, wire.right, str(leg.side), int(leg.ratio))


# --- what comes back


def filled_of(item: Mapping[str, Any]) -> Decimal:
    return scaled(item.get("filledQuantity"), item.get("filledQuantityScale"))


def quantity_of(item: Mapping[str, Any]) -> Decimal:
    return scaled(item.get("totalQuantity"), item.get("totalQuantityScale"))


def commission_of(item: Mapping[str, Any]) -> Decimal:
    """All that the order has cost so far, tax included."""
    return money((number(item.get("commission")) or Decimal(0)) + (number(item.get("gst")) or Decimal(0)))


def status_of(item: Mapping[str, Any]) -> str:
    """From the raw status and what was filled: all of it filled is FILLED whatever else is said, and a rejection of what was
    partly filled is the end of the rest."""
    quantity, filled = quantity_of(item), filled_of(item)
    if quantity > 0 and filled >= quantity:
        return base.FILLED
    ended = ENDED.get(str(item.get("status")), base.WORKING)
    return base.CANCELLED if ended == base.REJECTED and filled > 0 else ended


def side_of(item: Mapping[str, Any]) -> str:
    return str(Side.BUY) if str(item.get("action") or "").upper().startswith("BUY") else str(Side.SELL)


def legs_of(item: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The legs with the side on which each trades: selling a combination turns them."""
    turned = side_of(item) == Side.SELL
    legs = [leg for leg in item.get("legs") or () if isinstance(leg, Mapping)]
    if not turned:
        return legs
    return [{**leg, "action": str(Side.SELL if side_of(leg) == Side.BUY else Side.BUY)} for leg in legs]


def broker_order(item: Mapping[str, Any], client_order_id: str, own: OrderTerms | None) -> BrokerOrder:
    """An order of Tiger's list. Of one of ours (`own`) only the prices that its type has are told, for a stop of an option
    has a limit that was ours to choose."""
    filled, average = filled_of(item), number(item.get("avgFillPrice"))
    limit, stop = (_price(item.get(name)) for name in ("limitPrice", "auxPrice"))
    kind = str(item.get("orderType") or "")
    if own is not None:
        kind = own.order_type
        limit = limit if kind == OrderType.LIMIT else None
        stop = stop if kind == OrderType.STOP else None
    return BrokerOrder(
        client_order_id=client_order_id,
        broker_order_id=str(item["id"]),
        status=status_of(item),
        quantity=quantity_of(item),
        limit_price=limit,
        stop_price=stop,
        filled_quantity=filled,
        average_fill_price=price(average) if filled and average is not None else None,
        commission=commission_of(item),
        reason=str(item.get("remark") or "")[:255],
        symbol=own.symbol if own is not None else symbol_of(item),
        side=own.side if own is not None else side_of(item),
        order_type=kind[:8],
        placed_at=moment(item.get("openTime")),
        legs=() if own is not None else _legs_told(item),
    )


def _legs_told(item: Mapping[str, Any]) -> tuple[OrderLeg, ...]:
    """The legs of somebody else's order; none of a combination that has no legs of their own symbols."""
    legs = tuple(OrderLeg(symbol_of(leg), side_of(leg), int(number(leg.get("ratio")) or 1)) for leg in legs_of(item))
    return legs if len({leg.symbol for leg in legs}) == len(legs) > 1 else ()


def _price(value: Any) -> Decimal | None:
    found = number(value)
    return price(found) if found else None


def same_content(item: Mapping[str, Any], order: OrderTerms) -> bool:
    """Whether an order of Tiger's list can be `order` as it was sent: kind, quantity and contracts are the same, and its price
    is the one that was decided, put on a tick."""
    option_stop = order.order_type == OrderType.STOP and parse_contract(order.symbol) is not None
    kind = STOP_LIMIT if option_stop else order.order_type
    if (str(item.get("orderType")), quantity_of(item)) != (kind, order.quantity):
        return False
    limit, stop = number(item.get("limitPrice")) or None, number(item.get("auxPrice")) or None
    if order.order_type == OrderType.LIMIT and not _put_on_tick(limit, order.limit_price, order):
        return False
    if order.order_type == OrderType.STOP and not _put_on_tick(stop, order.stop_price, order):
        return False
    if not order.legs:
        return symbol_of(item) == order.symbol and side_of(item) == order.side
    theirs = Counter((symbol_of(leg), side_of(leg), int(number(leg.get("ratio")) or 1)) for leg in legs_of(item))
    return theirs == Counter((leg.symbol, str(leg.side), int(leg.ratio)) for leg in order.legs)


def _put_on_tick(found: Decimal | None, decided: Decimal | None, order: OrderTerms) -> bool:
    """Whether `decided` became `found` on whatever ticks the contract has: less than the largest there are away, and on the
    side to which it is put. No question is asked for it, for an answer that fails must not make an order of ours somebody's."""
    if found is None or decided is None:
        return False
    coarsest = COMBO_TICKS if order.legs else OPTION_TICKS if parse_contract(order.symbol) is not None else STOCK_TICKS
    size = next(tick.size for tick in reversed(coarsest) if abs(decided) >= tick.begin)
    away = found - decided if order.side == Side.SELL else decided - found
    return 0 <= away < size
