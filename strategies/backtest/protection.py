"""Stops, targets and decided exits of open positions, as a desired state: what differs is cancelled and made anew."""

from quant_site.core.types import OrderType, Side
from strategies.backtest.book import Book, Position
from strategies.backtest.broker import Broker
from strategies.backtest.orders import EXIT, EXPIRED, REDUCE, STOP, TARGET, WORKING, Order

FIELDS = {STOP: ("stop_order", "stop", OrderType.STOP), TARGET: ("target_order", "target", OrderType.LIMIT)}


def protect(t: int, book: Book, broker: Broker, *, trading: bool) -> None:
    """Bring the orders of every open position to what they should be.

    `trading` says that column t is between its open and its close: stops and targets are live the same day then, an exit
    waits for the next open in any case. Orders of positions that are gone are cancelled.
    """
    for order in [order for order in broker.working if order.position is not None and order.position.quantity == 0]:
        broker.cancel(order)
    for position in sorted(book.open.values(), key=lambda position: (position.group, position.symbol)):
        _protect(t, position, broker, trading)


def _protect(t: int, position: Position, broker: Broker, trading: bool) -> None:
    leaving = working(position.exit_order)
    if not leaving and (_ended(position) or position.signal.failed):
        # Not while a part of it is leaving already.
        if not working(position.reduce_order):
            leave(t, position, broker)
        leaving = True
    for purpose, (name, level, kind) in FIELDS.items():
        order: Order | None = getattr(position, name)
        wanted = None if leaving else getattr(position, level)
        if working(order) and (order.level != wanted or order.quantity != abs(position.quantity)):
            broker.cancel(order)
        if wanted is not None and not working(order):
            made = broker.place(
                t,
                purpose=purpose,
                symbol=position.symbol,
                side=closing_side(position),
                type=kind,
                quantity=abs(position.quantity),
                after=t - 1 if trading else t,
                day=False,
                level=wanted,
                signal=position.signal,
                position=position,
            )
            setattr(position, name, made)


def leave(t: int, position: Position, broker: Broker, part: int | None = None) -> None:
    """An order to close all of `position`, or the `part` of it, at the next open."""
    order = broker.place(
        t,
        purpose=EXIT if part is None else REDUCE,
        symbol=position.symbol,
        side=closing_side(position),
        type=OrderType.MARKET,
        quantity=abs(position.quantity) if part is None else part,
        signal=position.signal,
        position=position,
    )
    if part is None:
        position.exit_order = order
    else:
        position.reduce_order = order


def _ended(position: Position) -> bool:
    """Whether an exit found no market: the end stays decided, whatever the prices do. A reduction is decided anew."""
    position.ended = position.ended or (position.exit_order is not None and position.exit_order.status == EXPIRED)
    return position.ended


def working(order: Order | None) -> bool:
    return order is not None and order.status == WORKING


def closing_side(position: Position) -> Side:
    return Side.SELL if position.quantity > 0 else Side.BUY
