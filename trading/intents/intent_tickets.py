"""What a plan or an alert orders: a ticket for a direction, on the side and for the purpose that what is held asks for."""

from decimal import Decimal

from quant_site.core.errors import Conflict, InvalidInput
from quant_site.core.models import Account
from quant_site.core.types import Direction, Side
from trading.models import Order, Position, TradingPlan
from trading.order_path.tickets import Ticket, ticket_place
from trading.vocabulary import OrderType, Origin, Purpose


def sides_held(*, account_ids: set[str]) -> dict[tuple[str, str], int]:
    """{(account, symbol): 1 or -1} of what these accounts hold; a symbol of which several positions are open is left out."""
    held: dict[tuple[str, str], list[Decimal]] = {}
    rows = Position.objects.filter(account__in=account_ids, exit_session=None).values_list("account_id", "symbol", "quantity")
    for account_id, symbol, quantity in rows:
        held.setdefault((account_id, symbol), []).append(quantity)
    return {key: 1 if rows[0] > 0 else -1 for key, rows in held.items() if len(rows) == 1}


def position_held(*, account: Account, symbol: str) -> Position:
    """The open position that closing `symbol` means; raises `Conflict` where there is none, or more than one."""
    held = list(Position.objects.filter(account=account, symbol=symbol, exit_session=None).order_by("pk")[:2])
    if not held:
        raise Conflict("nothing_to_close", f"Account {account.pk} holds no {symbol}: there is nothing to close.", symbol=symbol)
    if len(held) > 1:
        raise Conflict("several_positions", f"Several positions in {symbol} are open: close the one you mean by itself.", symbol=symbol)
    return held[0]


def intent_order(
    *,
    actor,
    account: Account,
    symbol: str,
    direction: str,
    quantity: Decimal | None,
    key: str,
    origin: Origin,
    order_type: OrderType = OrderType.MARKET,
    price: Decimal | None = None,
    stop_loss: Decimal | None = None,
    take_profit: Decimal | None = None,
    plan: TradingPlan | None = None,
) -> Order:
    """Place the ticket for `direction`; `price` is the limit or the stop of a type that has one. The same `key` is the same order.

    Raises as `position_held` and `ticket_place` do, and `InvalidInput` for closing more than is held."""
    levels = {OrderType.LIMIT: "limit_price", OrderType.STOP: "stop_price"}
    fields = {levels[order_type]: price} if order_type in levels else {}
    if direction == Direction.CLOSE:
        fields |= _closing(position_held(account=account, symbol=symbol), quantity)
    else:
        side = Side.BUY if direction == Direction.LONG else Side.SELL
        fields |= {"side": side, "quantity": quantity, "purpose": Purpose.ENTRY, "stop_loss": stop_loss, "take_profit": take_profit}
    ticket = Ticket(account=account, symbol=symbol, order_type=order_type, origin=origin, plan=plan, key=key, **fields)
    return ticket_place(ticket=ticket, actor=actor)


def _closing(position: Position, quantity: Decimal | None) -> dict:
    held = abs(position.quantity)
    if quantity is not None and quantity > held:
        raise InvalidInput("more_than_held", f"Only {held.normalize():f} {position.symbol} are held, not {quantity.normalize():f}.")
    part = quantity is not None and quantity < held
    return {
        "side": Side.SELL if position.quantity > 0 else Side.BUY,
        "quantity": quantity if part else held,
        "purpose": Purpose.REDUCE if part else Purpose.EXIT,
        "position": position,
    }
