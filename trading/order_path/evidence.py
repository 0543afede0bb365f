"""What the broker reports becomes rows: restated orders, fills, and the moves that follow from both.

Fills are the truth: an order is FILLED when they add up to it, whatever a status says, and becomes CANCELLED or
EXPIRED only when every fill the broker counted is here. Of an order of several legs each is filled by fills of its own, in
any order; the order is filled as far as whole units of all legs are.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from django.db import transaction

from quant_site.core.rows import objects_read, places, rows_insert, rows_read
from quant_site.core.services import events_publish
from quant_site.core.types import Side, money, price
from quant_site.market.options.contracts import multiplier_of
from trading.books.accounting import split_ratio
from trading.brokers import base
from trading.brokers.base import BrokerFill, BrokerOrder
from trading.models import Fill, Order
from trading.order_path.legs import net_price, overfilled, units_filled
from trading.order_path.rows import account_halt, order_advance, order_note
from trading.order_path.states import OrderStatus

ENDED = {base.CANCELLED: OrderStatus.CANCELLED, base.EXPIRED: OrderStatus.EXPIRED, base.REJECTED: OrderStatus.REJECTED}
# What a broker may change of an order; the names are the same in its report.
TERMS = ("split_ratio", "quantity", "limit_price", "stop_price")
# Orders of which no fill can be true: never sent, or refused.
UNFILLABLE = frozenset({OrderStatus.INTENT, OrderStatus.READY, OrderStatus.DENIED, OrderStatus.REJECTED})


@transaction.atomic
def evidence_apply(account_id: str, reports: dict[str, BrokerOrder], executions: list[BrokerFill]) -> None:
    """Write what is new in `reports` (by our order id) and `executions`; applying it again changes nothing."""
    known = fills_known(account_id, executions)
    # A broker may tell of a fill twice at once.
    fresh = list({item.fill_id: item for item in executions if item.fill_id not in known}.values())
    wanted = set(reports) | {item.client_order_id for item in fresh}
    orders = {order.client_order_id: order for order in _orders(account_id, wanted)}
    for order in sorted(orders.values(), key=lambda row: row.pk):
        if order.client_order_id in reports:
            _adopt_terms(order, reports[order.client_order_id])
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


def _adopt_terms(order: Order, report: BrokerOrder) -> None:
    """What the broker says the order is now: restated by a split, in new shares from here on, or changed as it was asked."""
    terms = {name: getattr(report, name) for name in TERMS}
    changed = {name: value for name, value in terms.items() if value != getattr(order, name)}
    if changed:
        evidence = {name: [_text(getattr(order, name)), _text(value)] for name, value in changed.items()}
        order_note(order, "SPLIT" if "split_ratio" in changed else "CHANGED", evidence, **changed)


def _text(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"


def _fills_write(account_id: str, orders: dict[str, Order], executions: list[BrokerFill]) -> list[Fill]:
    fills = []
    for item in executions:
        order = orders.get(item.client_order_id)
        if order is None and item.client_order_id.startswith(base.EXTERNAL):
            continue  # somebody else's: it is taken in once reconciling has adopted its order
        if order is None:
            message = f"The broker filled {item.client_order_id}, which is no order of ours."
            account_halt(account_id, "FILL_OF_UNKNOWN_ORDER", message, fill=item.fill_id)
            continue
        traded = _traded(order, item)
        if traded is None:
            message = f"The broker filled {item.side} {item.symbol or 'no symbol'}, which is no part of order {order.pk}."
            account_halt(account_id, "FILL_OF_UNKNOWN_LEG", message, fill=item.fill_id, order=order.pk)
            continue
        symbol, side = traded
        fills.append(
            Fill(
                account_id=account_id,
                order=order,
                fill_id=item.fill_id,
                session=item.session,
                symbol=symbol,
                side=side,
                quantity=item.quantity,
                price=item.price,
                amount=money(item.quantity * item.price * multiplier_of(symbol)),
                commission=item.commission,
                slippage=_slippage(order, symbol, side, item),
                filled_at=item.filled_at,
            )
        )
    rows_insert(fills)
    if fills:
        events_publish([("fill", _fill_event(fill)) for fill in fills], account=account_id)
    return fills


def _traded(order: Order, item: BrokerFill) -> tuple[str, str] | None:
    """Symbol and side of a fill: those of the order, or of the leg that it names. None where the order has nothing like it."""
    legs = [(leg["symbol"], leg["side"]) for leg in order.legs]
    if not legs:
        own = (order.symbol, order.side)
        return own if (item.symbol or order.symbol, item.side or order.side) == own else None
    return next((leg for leg in legs if leg[0] == item.symbol and item.side in ("", leg[1])), None)


def _slippage(order: Order, symbol: str, side: str, item: BrokerFill) -> Decimal | None:
    """Dollars lost against the decision price, a leg's against its own; negative when the fill was better. Decision prices are
    in the shares of their day."""
    decision = order.decision_price
    if order.legs:
        text = next(leg["decision"] for leg in order.legs if leg["symbol"] == symbol)
        decision = None if text is None else Decimal(text)
    if decision is None:
        return None
    factor = split_ratio(order.split_ratio)
    decided = decision * factor.denominator / factor.numerator
    return money(Side(side).sign * (item.price - decided) * item.quantity * multiplier_of(symbol))


@dataclass(frozen=True)
class Added:
    """All fills of an order added up: what of the order they are (whole units of several legs), at which price one of it came (None
    while a leg has no fill), and the first symbol of which more is filled than ordered, with both numbers."""

    quantity: Decimal
    average: Decimal | None
    commission: Decimal
    excess: tuple[str, Decimal, Decimal] | None

    def fields(self) -> dict:
        return {"filled_quantity": self.quantity, "average_fill_price": self.average, "commission": self.commission}


def _follow(order: Order, report: BrokerOrder | None, fills: list[Fill]) -> None:
    """Move the order to where its fills and the broker's status put it."""
    added = _added(order, fills) if fills else None
    totals, filled = (added.fields(), added.quantity) if added else ({}, order.filled_quantity)
    evidence = {"fills": [fill.fill_id for fill in fills]} | ({"status": report.status} if report else {})
    if added and (order.status in UNFILLABLE or added.excess):
        symbol, count, wanted = added.excess or (order.symbol, filled, order.quantity)
        message = f"Order {order.pk} is {order.status}, {count.normalize():f} of {wanted.normalize():f} {symbol} are filled."
        account_halt(order.account_id, "OVERFILL" if added.excess else "FILL_OF_UNSENT_ORDER", message, order=order.pk)
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


def _added(order: Order, fills: list[Fill]) -> Added:
    # Of several legs some may be filled while no whole unit is.
    every = fills if not order.filled_quantity and not order.legs else list(Fill.objects.filter(order=order))
    counts, paid = _by_symbol(every)
    commission = sum(fill.commission for fill in every)
    means = {symbol: price(paid[symbol] / counts[symbol]) for symbol in counts}
    if order.legs:
        excess = overfilled(order.legs, order.quantity, counts)
        return Added(units_filled(order.legs, counts), net_price(order.legs, means), commission, excess)
    filled = counts[order.symbol]
    return Added(filled, means[order.symbol], commission, (order.symbol, filled, order.quantity) if filled > order.quantity else None)


def _by_symbol(fills: Iterable[Fill]) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
    """Quantities, and quantities times prices."""
    counts: dict[str, Decimal] = defaultdict(Decimal)
    paid: dict[str, Decimal] = defaultdict(Decimal)
    for fill in fills:
        counts[fill.symbol] += fill.quantity
        paid[fill.symbol] += fill.quantity * fill.price
    return counts, paid


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
