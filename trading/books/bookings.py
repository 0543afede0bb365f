"""How a fill, a split or the settlement of an option changes the row of a position. `trading.books.ledger` saves the rows.

Prices of an option are per unit of its underlying, amounts those of whole contracts.
"""

from datetime import date
from decimal import Decimal

from quant_site.core import clock
from quant_site.core.types import Direction, Side, money, optional, price, quantity
from quant_site.market.options.contracts import multiplier_of, parse_contract
from trading.books.accounting import ZERO, PositionState, SplitShare, apply_fill, split_ratio
from trading.models import Fill, Order, Position

# What the signal engine keeps in a signal's metadata for itself, and a strategy need not see in its holding.
HOUSE_METADATA = frozenset({"add", "binding", "loss_at_stop", "portion", "sizing", "strength"})
# What a split restates, besides the position itself.
QUANTITIES = ("entry_quantity", "peak_quantity")
PRICES = ("entry_price", "last_entry_price", "initial_stop", "stop_price", "target_price", "mark_price", "exit_price")


def position_group(order: Order) -> str:
    """The trade an order belongs to: its own name of it, else its signal's, else its symbol."""
    return order.group or (order.signal.symbol if order.signal is not None else order.symbol)


def position_key(order: Order, symbol: str) -> str:
    """What makes an open position unique: account, strategy, trade and symbol."""
    strategy = order.signal.strategy_id if order.signal is not None else "-"
    return f"{order.account_id}:{strategy}:{position_group(order)}:{symbol}"


def position_opened(fill: Fill, session: date) -> Position:
    """A new position from the first fill of an entry."""
    order, signal = fill.order, fill.order.signal
    stop, target = _levels(order, fill.symbol)
    position = Position(
        account_id=order.account_id,
        strategy_id=signal.strategy_id if signal else None,
        signal=signal,
        group=position_group(order),
        symbol=fill.symbol,
        direction=Direction.LONG if fill.side == Side.BUY else Direction.SHORT,
        open_key=position_key(order, fill.symbol),
        quantity=Decimal(0),
        cost=ZERO,
        entry_session=session,
        entry_price=fill.price,
        last_entry_price=fill.price,
        peak_quantity=Decimal(0),
        entry_cost=ZERO,
        initial_stop=stop,
        stop_price=stop,
        target_price=target,
        metadata=_strategy_metadata(signal),
    )
    _enter(position, fill)
    _add_initial_risk(position, fill)
    return position


def position_extended(position: Position, fill: Fill, new_unit: bool) -> None:
    """More of an open position: the first fill of a new unit, or another part of the order that made the last one."""
    if new_unit:
        signal = fill.order.signal
        stop, target = _levels(fill.order, fill.symbol)
        position.units += 1
        position.stop_price = stop if stop is not None else position.stop_price
        position.target_price = target if target is not None else position.target_price
        position.metadata = {**position.metadata, **_strategy_metadata(signal)}
        position.last_entry_price = fill.price
    else:
        if position.units == 1:
            paid = fill.amount / multiplier_of(fill.symbol)
            position.entry_price = price(
                (position.entry_price * position.entry_quantity + paid) / (position.entry_quantity + fill.quantity)
            )
            _add_initial_risk(position, fill)
        position.last_entry_price = position.entry_price if position.units == 1 else fill.price
    _enter(position, fill)


def position_reduced(position: Position, fill: Fill, session: date) -> None:
    """Less of a position; flat, it is closed. Raises `LedgerMismatch("overfill")` for more than is held."""
    state, realized = apply_fill(_state(position), fill.side, fill.quantity, fill.amount, fill.commission)
    position.exit_price = _average_exit(position, abs(position.quantity), fill.quantity, fill.amount)
    position.quantity, position.cost = state.quantity, state.cost
    position.realized_pnl += realized
    position.commission += fill.commission
    if position.quantity == 0:
        _close(position, session, fill.order.purpose)


def position_split(position: Position, share: SplitShare, ratio: Decimal, session: date) -> None:
    """The same position in new shares: quantities times the ratio, prices divided by it; cash in lieu is an exit."""
    factor = split_ratio(ratio)
    before, after = position.quantity, share.state.quantity
    for name in QUANTITIES:
        setattr(position, name, quantity(getattr(position, name) * factor.numerator / factor.denominator))
    for name in PRICES:
        value = getattr(position, name)
        setattr(position, name, optional(price, None if value is None else value * factor.denominator / factor.numerator))
    held = quantity(abs(before) * factor.numerator / factor.denominator)
    left_over = held - abs(after)
    if left_over > 0:
        position.exit_price = _average_exit(position, held, left_over, abs(share.cash))
    elif left_over < 0:
        position.entry_quantity -= left_over
        position.entry_cost += share.state.cost - position.cost
    position.quantity, position.cost = after, share.state.cost
    position.realized_pnl += share.realized
    record = {"session": str(session), "ratio": str(ratio), "before": str(before), "after": str(after), "cash": str(share.cash)}
    position.adjustments = [*position.adjustments, record]
    if after == 0:
        _close(position, session, "SPLIT")


def position_settled(position: Position, cash: Decimal, kind: str, per_unit: Decimal, session: date) -> None:
    """An option that ended without an order: all of it for `cash`, which is negative for a writer."""
    held = abs(position.quantity)
    position.exit_price = _average_exit(position, held, held, abs(cash))
    record = {"session": str(session), "kind": kind, "per_unit": str(per_unit), "before": str(position.quantity), "after": "0"}
    position.adjustments = [*position.adjustments, record | {"cash": str(cash)}]
    position.realized_pnl += cash - position.cost
    position.quantity, position.cost = Decimal(0), ZERO
    _close(position, session, kind)


def _average_exit(position: Position, held: Decimal, sold: Decimal, amount: Decimal) -> Decimal:
    """The mean exit price once `sold` of what was `held` has gone for `amount`."""
    exited = max(position.entry_quantity - held, Decimal(0))
    return price(((position.exit_price or 0) * exited + amount / multiplier_of(position.symbol)) / (exited + sold))


def _state(position: Position) -> PositionState:
    return PositionState(position.quantity, position.cost)


def _enter(position: Position, fill: Fill) -> None:
    state, _ = apply_fill(_state(position), fill.side, fill.quantity, fill.amount, fill.commission)
    position.entry_cost += state.cost - position.cost
    position.quantity, position.cost = state.quantity, state.cost
    position.commission += fill.commission
    position.entry_quantity += fill.quantity
    position.peak_quantity = max(position.peak_quantity, abs(position.quantity))
    position.updated_at = clock.now()


def _close(position: Position, session: date, reason: str) -> None:
    total = position.realized_pnl + position.dividends
    position.open_key = None
    position.exit_session, position.exit_reason = session, reason
    position.market_value = position.unrealized_pnl = ZERO
    position.best_pnl, position.worst_pnl = max(position.best_pnl, total), min(position.worst_pnl, total)
    position.updated_at = clock.now()


def _levels(order: Order, symbol: str) -> tuple[Decimal | None, Decimal | None]:
    """Stop and target in today's shares: of the order's signal, or of an order without one its own. A trade of several legs has
    none per leg, and an option none: no stop works on what is quoted at the open and the close only."""
    signal = order.signal
    if order.legs or (signal is not None and len(signal.legs) > 1) or parse_contract(symbol):
        return None, None
    factor = split_ratio(order.split_ratio)
    levels = (order.stop_loss, order.take_profit) if signal is None else (signal.stop_loss, signal.take_profit)
    return tuple(optional(price, None if level is None else level * factor.denominator / factor.numerator) for level in levels)


def _add_initial_risk(position: Position, fill: Fill) -> None:
    """An entry that opened beyond its stop has no risk to measure its result by: None, not a negative one."""
    if position.initial_stop is not None:
        loss = money((fill.price - position.initial_stop) * Side(fill.side).sign * fill.quantity) + (position.initial_risk or ZERO)
        position.initial_risk = loss if loss > 0 else None


def _strategy_metadata(signal) -> dict:
    return {} if signal is None else {key: value for key, value in signal.signal_metadata.items() if key not in HOUSE_METADATA}
