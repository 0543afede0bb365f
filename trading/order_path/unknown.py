"""Orders whose outcome nobody knows: their symbols are halted and the alarm is raised, until the last of them is known."""

from trading.control.symbol_halts import UNKNOWN_ORDER, symbol_halt_set, symbol_halts_resolve
from trading.models import Order
from trading.order_path.send_step import order_trades
from trading.order_path.states import OrderStatus


def unknown_tell(order: Order) -> None:
    """Halt what `order` trades; said again it tells nobody twice."""
    reason = f"Nobody knows what became of order {order.pk} ({order}). It is not sent again; look it up at the broker."
    for symbol in order_trades(order):
        symbol_halt_set(account_id=order.account_id, symbol=symbol, code=UNKNOWN_ORDER, reason=reason, order=order.pk)


def unknown_end(order: Order) -> None:
    """It is known now what became of `order`: its symbols trade again, but for those of other orders that are unknown."""
    others = Order.objects.filter(account=order.account_id, status=OrderStatus.UNKNOWN).exclude(pk=order.pk)
    still = {symbol for other in others for symbol in order_trades(other)}
    symbol_halts_resolve(account_id=order.account_id, symbols=order_trades(order).keys() - still, code=UNKNOWN_ORDER)
