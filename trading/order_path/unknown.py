"""Orders whose outcome nobody knows: their symbols are halted and the alarm is raised, until it is known."""

from trading.control.symbol_halts import UNKNOWN_ORDER, symbol_halt_set, symbol_halts_resolve
from trading.models import Order
from trading.order_path.send_step import order_trades


def unknown_tell(order: Order) -> None:
    """Halt what `order` trades; said again it tells nobody twice."""
    reason = f"Nobody knows what became of order {order.pk} ({order}). It is not sent again; look it up at the broker."
    for symbol in order_trades(order):
        symbol_halt_set(account_id=order.account_id, symbol=symbol, code=UNKNOWN_ORDER, reason=reason, order=order.pk)


def unknown_end(order: Order) -> None:
    """It is known now what became of `order`: its symbols trade again. None of them has a second order that is unknown, for
    nothing is sent in a symbol while one is."""
    symbol_halts_resolve(account_id=order.account_id, symbols=order_trades(order), code=UNKNOWN_ORDER)
