"""Another quantity or price of an order, asked for by a person: written down here, asked of the broker by who sends."""

from decimal import Decimal

from django.db import transaction

from quant_site.core.errors import Conflict, InvalidInput
from quant_site.core.services import audit_record
from quant_site.core.types import price, quantity
from trading.models import Order
from trading.order_path.rows import order_note
from trading.order_path.states import UNSENT, WORKING
from trading.vocabulary import OrderType

LEVELS = {"limit_price": OrderType.LIMIT, "stop_price": OrderType.STOP}


@transaction.atomic
def order_change_request(*, order: Order, changes: dict[str, Decimal], actor, ip_address: str = "") -> Order:
    """Write down what is wanted of `order`: {quantity, limit_price, stop_price}. A later wish takes the place of an earlier one.

    An order that was not sent yet is cancelled and ordered anew instead. Raises `InvalidInput` for what the order cannot have,
    `Conflict` for one that is not working or is being cancelled.
    """
    if order.status in UNSENT:
        raise Conflict("not_sent", f"Order {order.pk} was not sent yet: cancel it and order what you want.", status=order.status)
    if order.status not in WORKING or order.cancel_requested:
        raise Conflict("not_working", f"Order {order.pk} is {order.status} and can no longer be changed.", status=order.status)
    wanted = {name: f"{_value(order, name, value):f}" for name, value in changes.items()}
    if not wanted:
        raise InvalidInput("no_change", "Give a quantity, a limit_price or a stop_price.")
    who = {"actor": actor, "account": order.account_id, "ip_address": ip_address}
    audit_record(action="ORDER_CHANGE", resource=order, details=wanted, **who)
    return order_note(order, "CHANGE_REQUESTED", {"wanted": wanted}, wanted=wanted)


def _value(order: Order, name: str, value: Decimal) -> Decimal:
    if name == "quantity":
        number = quantity(value)
        if number != number.to_integral_value() or number <= order.filled_quantity:
            least = order.filled_quantity.normalize()
            raise InvalidInput(
                "bad_quantity", f"The quantity must be a whole number above what is filled ({least:f}); else cancel the order."
            )
        return number
    if order.order_type != LEVELS[name]:
        raise InvalidInput("bad_price", f"An order of type {order.order_type} has no {name}.")
    if value <= 0 and not order.legs:
        raise InvalidInput("bad_price", f"The {name} must be above zero.")
    return price(value)
