"""What the broker reports becomes rows: restated orders, fills, and the moves that follow from both.

Fills are the truth: an order is FILLED when they add up to it, whatever a status says, and becomes CANCELLED or
EXPIRED only when every fill the broker counted is here.
"""

from decimal import Decimal

from django.db import transaction

from quant_site.core.rows import objects_read, places, rows_insert, rows_read
from quant_site.core.services import events_publish
from quant_site.core.types import Side, money, price
from quant_site.market.options.contracts import multiplier_of
from trading.accounting import split_ratio
from trading.brokers import base
from trading.brokers.base import BrokerFill, BrokerOrder
from trading.models import Fill, Order
from trading.order_rows import account_halt, order_advance, order_note
from trading.states import OrderStatus

ENDED = {base.CANCELLED: OrderStatus.CANCELLED, base.EXPIRED: OrderStatus.EXPIRED, base.REJECTED: OrderStatus.REJECTED}
# Orders of which no fill can be true: never sent, or refused.
UNFILLABLE = frozenset({OrderStatus.INTENT, OrderStatus.READY, OrderStatus.DENIED, OrderStatus.REJECTED})


@transaction.atomic
def evidence_apply(account_id: str, reports: dict[str, BrokerOrder], executions: list[BrokerFill]) -> None:
    """Write what is new in `reports` (by our order id) and `executions`; applying it again changes nothing."""
    known = fills_known(account_id, executions)
    fresh = [item for item in executions if item.fill_id not in known]
    wanted = set(reports) | {item.client_order_id for item in fresh}
    orders = {order.client_order_id: order for order in _orders(account_id, wanted)}
    for order in sorted(orders.values(), key=lambda row: row.pk):
        if order.client_order_id in reports:
            _adopt_split(order, reports[order.client_order_id])
    fills = _fills_write(account_id, orders, fresh)
    for order in sorted(orders.values(), key=lambda row: row.pk):
        _follow(order, reports.get(order.client_order_id), [fill for fill in fills if fill.order_id == order.pk])


def fills_known(account_id: str, executions: list[BrokerFill]) -> set[str]:
    """Those of the broker's fill ids that are written here."""
    ids = [item.fill_id for item in executions]
    rows = rows_read(Fill, ("fill_id",), f"account_id = %s AND fill_id IN {places(ids)}", account_id, *ids) if ids else []
    return {row[0] for row in rows}


def _orders(account_id: str, wanted: set[str]) -> list[Order]:
    """The account's orders by our ids, locked."""
    ids = sorted(wanted)
    orders = objects_read(Order, f"client_order_id IN {places(ids)}", *ids, lock=True) if ids else []
    return [order for order in orders if order.account_id == account_id]


def _adopt_split(order: Order, report: BrokerOrder) -> None:
    """A split restated the order at the broker: quantity and prices are in new shares from here on."""
    if report.split_ratio == order.split_ratio:
        return
    evidence = {"ratio": str(report.split_ratio), "quantity": str(report.quantity), "before": str(order.quantity)}
    order_note(
        order, "SPLIT", evidence,
        split_ratio=report.split_ratio, quantity=report.quantity, limit_price=report.limit_price, stop_price=report.stop_price,
    )  # fmt: skip


def _fills_write(account_id: str, orders: dict[str, Order], executions: list[BrokerFill]) -> list[Fill]:
    fills = []
    for item in executions:
        order = orders.get(item.client_order_id)
        if order is None:
            message = f"The broker filled {item.client_order_id}, which is no order of ours."
            account_halt(account_id, "FILL_OF_UNKNOWN_ORDER", message, fill=item.fill_id)
            continue
        fills.append(
            Fill(
                account_id=account_id,
                order=order,
                fill_id=item.fill_id,
                session=item.session,
                symbol=order.symbol,
                side=order.side,
                quantity=item.quantity,
                price=item.price,
                amount=money(item.quantity * item.price * multiplier_of(order.symbol)),
                commission=item.commission,
                slippage=_slippage(order, item),
                filled_at=item.filled_at,
            )
        )
    rows_insert(fills)
    if fills:
        events_publish([("fill", _fill_event(fill)) for fill in fills], account=account_id)
    return fills


def _slippage(order: Order, item: BrokerFill) -> Decimal | None:
    """Dollars lost against the decision price, which is in the shares of its day; negative when the fill was better."""
    if order.decision_price is None:
        return None
    factor = split_ratio(order.split_ratio)
    decided = order.decision_price * factor.denominator / factor.numerator
    return money(Side(order.side).sign * (item.price - decided) * item.quantity * multiplier_of(order.symbol))


def _follow(order: Order, report: BrokerOrder | None, fills: list[Fill]) -> None:
    """Move the order to where its fills and the broker's status put it."""
    totals = _totals(order, fills) if fills else {}
    filled = totals.get("filled_quantity", order.filled_quantity)
    evidence = {"fills": [fill.fill_id for fill in fills]} | ({"status": report.status} if report else {})
    if fills and (order.status in UNFILLABLE or filled > order.quantity):
        message = f"Order {order.pk} is {order.status}, {filled:f} of {order.quantity:f} shares are filled."
        account_halt(order.account_id, "OVERFILL" if filled > order.quantity else "FILL_OF_UNSENT_ORDER", message, order=order.pk)
    steps = []
    if fills and order.status not in UNFILLABLE | {OrderStatus.FILLED}:
        reached = OrderStatus.FILLED if filled >= order.quantity else OrderStatus.PARTIAL
        if reached != order.status:
            steps.append((reached, "", evidence))
    status = steps[-1][0] if steps else OrderStatus(order.status)
    ended = ENDED.get(report.status) if report else None
    if ended and status != OrderStatus.FILLED and status != ended and report.filled_quantity <= filled:
        ended = OrderStatus.CANCELLED if status == OrderStatus.PARTIAL and ended is OrderStatus.REJECTED else ended
        steps.append((ended, report.reason, evidence))
    if steps:
        order_advance(order, steps, **totals)
    elif fills:
        order_note(order, "FILL", evidence, **totals)


def _totals(order: Order, fills: list[Fill]) -> dict:
    every = fills if not order.filled_quantity else list(Fill.objects.filter(order=order))
    quantity = sum(fill.quantity for fill in every)
    value = sum(fill.quantity * fill.price for fill in every)
    return {
        "filled_quantity": quantity,
        "average_fill_price": price(value / quantity),
        "commission": sum(fill.commission for fill in every),
    }


def _fill_event(fill: Fill) -> dict:
    return {
        "order_id": fill.order_id,
        "session": str(fill.session),
        "symbol": fill.symbol,
        "side": fill.side,
        "quantity": f"{fill.quantity:f}",
        "price": f"{fill.price:f}",
        "amount": str(fill.amount),
        "commission": str(fill.commission),
    }
