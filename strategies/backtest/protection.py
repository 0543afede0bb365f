"""Stops, targets and decided exits of open positions, as a desired state: what differs is cancelled and made anew."""

from collections.abc import Mapping, Sequence
from itertools import groupby

from quant_site.core.types import OrderType, Side
from strategies.backtest.book import Book, Position
from strategies.backtest.broker import Broker
from strategies.backtest.orders import CANCELLED, EXIT, EXPIRED, REDUCE, STOP, TARGET, WORKING, Leg, Order
from strategies.units import in_units, legs_together

FIELDS = {STOP: ("stop_order", "stop", OrderType.STOP), TARGET: ("target_order", "target", OrderType.LIMIT)}


def protect(t: int, book: Book, broker: Broker, *, trading: bool) -> None:
    """Bring the orders of every open position to what they should be.

    `trading` says that column t is between its open and its close: stops and targets are live the same day then, an exit
    waits for the next open in any case. Orders of positions that are gone are cancelled.
    """
    for order in [order for order in broker.working if any(position.quantity == 0 for position in order.positions)]:
        broker.cancel(order)
    for _, trade in groupby(sorted(book.open.values(), key=_place), key=lambda position: position.group):
        for positions in exits_of(list(trade)):
            _protect(t, positions, broker, trading)


def _place(position: Position) -> tuple[str, str]:
    return position.group, position.symbol


def exits_of(trade: Sequence[Position]) -> list[list[Position]]:
    """The positions of a trade, sorted by symbol, by the orders that close them: options that trade as one, others alone."""
    together = legs_together(position.symbol for position in trade)
    alone = [[position] for position in trade if position.symbol not in together]
    return [*alone, [position for position in trade if position.symbol in together]] if together else alone


def _protect(t: int, positions: list[Position], broker: Broker, trading: bool) -> None:
    """`positions` are those that one exit closes."""
    leaving = any(working(position.exit_order) for position in positions)
    ended = [_ended(position) or position.signal.failed for position in positions]
    if not leaving and any(ended):
        # Not while a part of it is leaving already.
        if not any(working(position.reduce_order) for position in positions):
            leave(t, positions, broker)
        leaving = True
    for position in positions:
        _guard(t, position, broker, trading, leaving)


def _guard(t: int, position: Position, broker: Broker, trading: bool, leaving: bool) -> None:
    """The stop and the target of one position; none for what leaves."""
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
                positions=(position,),
            )
            setattr(position, name, made)


def leave(t: int, positions: Sequence[Position], broker: Broker, parts: Mapping[str, int] | None = None) -> None:
    """One order to close all of `positions`, or the `parts` of them by symbol, at the next open; several are options of one trade."""
    closing = {position.symbol: abs(position.quantity) if parts is None else parts[position.symbol] for position in positions}
    units, ratios = in_units(closing) if len(positions) > 1 else (closing[positions[0].symbol], {})
    order = broker.place(
        t,
        purpose=EXIT if parts is None else REDUCE,
        symbol=positions[0].group if ratios else positions[0].symbol,
        side=Side.BUY if ratios else closing_side(positions[0]),
        type=OrderType.MARKET,
        quantity=units,
        signal=positions[0].signal,
        positions=tuple(positions),
        legs=tuple(Leg(position.symbol, closing_side(position), ratios[position.symbol]) for position in positions if ratios),
    )
    for position in positions:
        setattr(position, "exit_order" if parts is None else "reduce_order", order)


def _ended(position: Position) -> bool:
    """Whether an exit found no market, or ended with a contract that it was for: the end stays decided, whatever the prices do.
    A reduction is decided anew."""
    order = position.exit_order
    unmet = order is not None and (order.status == EXPIRED or (order.status == CANCELLED and order.reason == "CONTRACT_ENDED"))
    position.ended = position.ended or unmet
    return position.ended


def working(order: Order | None) -> bool:
    return order is not None and order.status == WORKING


def closing_side(position: Position) -> Side:
    return Side.SELL if position.quantity > 0 else Side.BUY
