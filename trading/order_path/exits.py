"""The orders that close a trade or a part of it: each position by one of its own, the options of a structure by one of all.

An order of several legs has no position: it belongs to the trade of its strategy and name, in which each leg finds the
position in its symbol.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from quant_site.core.rows import objects_follow, objects_read, places, rows_read
from quant_site.core.types import Side
from quant_site.market.options.contracts import parse_contract
from signals_app.models import TradingSignal
from strategies.units import legs_together
from trading.books.bookings import position_group
from trading.models import Order, Position
from trading.order_path.legs import legs_of
from trading.order_path.rows import order_create
from trading.vocabulary import OrderType, Origin, Purpose

REDUCING_PURPOSES = "purpose IN ('EXIT', 'REDUCE', 'STOP', 'TARGET')"
REDUCING_OPEN = f"{REDUCING_PURPOSES} AND status IN ('INTENT', 'READY', 'SENDING', 'UNKNOWN', 'ACKED', 'PARTIAL')"


def trade_exits(
    positions: Sequence[Position], *, session: date, signal: TradingSignal | None = None, parts: Mapping[str, int] | None = None
) -> list[Order]:
    """The intents to close all of `positions`, of one trade and sorted by symbol, at the next open, or the `parts` of them by symbol."""
    together = legs_together(position.symbol for position in positions)
    orders = [
        position_exit(position, session=session, signal=signal, leg=number, part=parts and parts[position.symbol])
        for number, position in enumerate(positions)
        if position.symbol not in together
    ]
    legs = [position for position in positions if position.symbol in together]
    return [*orders, structure_exit(legs, session=session, signal=signal, leg=positions.index(legs[0]), parts=parts)] if legs else orders


def position_exit(
    position: Position, *, session: date, signal: TradingSignal | None = None, leg: int = 0, part: int | None = None
) -> Order:
    """The intent to close all of `position` at the next open, or the `part` of it.

    A part is of one group with stop and target: where one of them fills first it must not take another trade's shares.
    What the position keeps is protected anew.
    """
    purpose = Purpose.EXIT if part is None else Purpose.REDUCE
    return order_create(
        account=position.account,
        signal=signal or position.signal,
        position=position,
        origin=origin_of(position),
        leg=leg,
        sequence=sequence_of(position, session, position.symbol, purpose),
        purpose=purpose,
        symbol=position.symbol,
        side=closing_side(position),
        order_type=OrderType.MARKET,
        quantity=abs(position.quantity) if part is None else part,
        decision_price=_decision(position, session),
        oca_group="" if part is None else oca_group(position),
        session=session,
    )


def structure_exit(
    positions: Sequence[Position],
    *,
    session: date,
    signal: TradingSignal | None = None,
    leg: int = 0,
    parts: Mapping[str, int] | None = None,
) -> Order:
    """The intent to close several option `positions` of one trade as one at the next open, or the `parts` of them by symbol."""
    first, purpose = positions[0], Purpose.EXIT if parts is None else Purpose.REDUCE
    closing = {
        position.symbol: closing_side(position).sign * (abs(position.quantity) if parts is None else parts[position.symbol])
        for position in positions
    }
    units, legs = legs_of(closing, {position.symbol: _decision(position, session) for position in positions})
    return order_create(
        account=first.account,
        signal=signal or first.signal,
        origin=origin_of(first),
        group=first.group,
        leg=leg,
        sequence=sequence_of(first, session, first.group, purpose),
        purpose=purpose,
        symbol=first.group,
        side=Side.BUY,
        order_type=OrderType.MARKET,
        quantity=units,
        legs=legs,
        session=session,
    )


def exits_open(positions: Sequence[Position]) -> list[Order]:
    """The open orders that would reduce `positions`, of one account, oldest first."""
    ids = [position.pk for position in positions]
    orders = objects_read(Order, f"position_id IN {places(ids)} AND {REDUCING_OPEN} ORDER BY id", *ids) if ids else []
    if any(parse_contract(position.symbol) for position in positions):
        shared = structure_exits_open(positions[0].account_id)
        orders += [order for order in shared if any(reduces(order, position) for position in positions)]
    return sorted(orders, key=lambda order: order.pk)


def structure_exits_open(account_id: str) -> list[Order]:
    """The account's open orders of several legs that reduce a trade, with their signals."""
    orders = objects_read(Order, f"account_id = %s AND position_id IS NULL AND {REDUCING_OPEN} ORDER BY id", account_id)
    orders = [order for order in orders if order.legs]
    objects_follow(orders, "signal")
    return orders


def reduces(order: Order, position: Position) -> bool:
    """Whether the order is to close some of the position."""
    if not order.legs:
        return order.position_id == position.pk
    strategy = None if order.signal is None else order.signal.strategy_id
    same_trade = (strategy, position_group(order)) == (position.strategy_id, position.group)
    return same_trade and any(leg["symbol"] == position.symbol for leg in order.legs)


def closing_side(position: Position) -> Side:
    return Side.SELL if position.quantity > 0 else Side.BUY


def origin_of(position: Position) -> Origin:
    """Where the orders come from that close or protect a position: its signal, else the position itself."""
    return Origin.SIGNAL if position.signal_id is not None else Origin.POSITION


def oca_group(position: Position) -> str:
    """The same for a stop and target of one position, and for their successors; it depends on no row's number."""
    words = (position.open_key or "", position.entry_session.isoformat())
    return hashlib.sha256("\x1f".join(words).encode()).hexdigest()[:32]


def sequence_of(position: Position, session: date, symbol: str, purpose: Purpose) -> int:
    """How many such orders the session has seen: the number of the next. Two that count at once get one id, hence one order."""
    same = "account_id = %s AND session = %s AND symbol = %s AND purpose = %s"
    return len(rows_read(Order, ("id",), same, position.account_id, session, symbol, str(purpose)))


def _decision(position: Position, session: date) -> Decimal | None:
    return position.mark_price if position.mark_session == session else None
