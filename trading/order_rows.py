"""Orders as rows: how one is created, and how it moves. No broker is called here.

Creating and moving are single transactions: the row, its event and its outbox row commit together or not at all. A
move is a compare-and-set on the status *and* the version that were read, so of two movers exactly one succeeds.
"""

import hashlib
from datetime import date
from decimal import Decimal

from django.db import IntegrityError, transaction

from quant_site.core import clock
from quant_site.core.errors import Conflict, InvalidInput
from quant_site.core.models import Account
from quant_site.core.rows import row_insert, rows_insert, rows_read, rows_update
from quant_site.core.services import audit_record, event_publish, events_publish
from quant_site.core.types import Mode, Side, optional, price, quantity
from trading.models import Order, OrderEvent, Position
from trading.states import OrderStatus, check_transition
from trading.vocabulary import OrderType, Purpose, TimeInForce

CONTENT = ("account_id", "symbol", "side", "order_type", "time_in_force", "quantity", "limit_price", "stop_price", "mode", "purpose")


def order_event(order: Order) -> dict:
    """What a client learns about an order."""
    return {
        "id": order.pk,
        "session": str(order.session),
        "symbol": order.symbol,
        "side": order.side,
        "type": order.order_type,
        "purpose": order.purpose,
        "quantity": f"{order.quantity:f}",
        "filled": f"{order.filled_quantity:f}",
        "status": order.status,
        "reason": order.status_reason,
    }


def client_order_id(
    *, account_id: str, session: date, strategy: str, group: str, symbol: str, side: str, purpose: str, leg: int, sequence: int = 0
) -> str:
    """Our id of an order: 32 hexadecimal digits that follow from what it is for, so the same intent has one id."""
    words = (account_id, session.isoformat(), strategy, group, symbol, side, purpose, str(leg), str(sequence))
    return hashlib.sha256("\x1f".join(words).encode()).hexdigest()[:32]


def order_create(
    *,
    account: Account,
    purpose: Purpose,
    symbol: str,
    side: Side,
    order_type: OrderType,
    quantity,
    session: date,
    leg: int = 0,
    sequence: int = 0,
    signal=None,
    position: Position | None = None,
    time_in_force: TimeInForce = TimeInForce.DAY,
    limit_price=None,
    stop_price=None,
    decision_price=None,
    oca_group: str = "",
    actor="system",
) -> Order:
    """Write the intent of an order, or answer the row that already holds it.

    Raises `InvalidInput` for numbers that no order can have and `Conflict("order_differs")` where the same intent was
    written with another content.
    """
    origin = signal or position
    order = Order(
        account=account,
        signal=signal,
        position=position,
        client_order_id=client_order_id(
            account_id=account.pk,
            session=session,
            strategy=origin.strategy.key if origin is not None and origin.strategy_id else "-",
            group=signal.symbol if signal is not None else position.group if position is not None else symbol,
            symbol=symbol,
            side=side,
            purpose=purpose,
            leg=leg,
            sequence=sequence,
        ),
        leg=leg,
        purpose=str(purpose),
        mode=str(account.mode),
        session=session,
        symbol=symbol,
        side=str(side),
        order_type=str(order_type),
        time_in_force=str(time_in_force),
        quantity=_quantity(quantity),
        limit_price=_level(limit_price, order_type is OrderType.LIMIT, "limit"),
        stop_price=_level(stop_price, order_type is OrderType.STOP, "stop"),
        decision_price=optional(price, decision_price),
        oca_group=oca_group,
        status=str(OrderStatus.INTENT),
        version=1,
    )
    return _insert(order, actor)


def _insert(order: Order, actor) -> Order:
    try:
        with transaction.atomic():
            row_insert(order)
            row_insert(OrderEvent(order=order, sequence=1, from_status="", to_status=order.status))
            event_publish(type="order.created", payload=order_event(order), account=order.account_id)
            if order.mode == Mode.REAL or actor != "system":
                audit_record(action="ORDER_CREATE", actor=actor, account=order.account_id, resource=order, details=order_event(order))
    except IntegrityError:
        known = Order.objects.filter(client_order_id=order.client_order_id).first()
        if known is None:
            raise
        return _same(known, order)
    return order


def _same(known: Order, wanted: Order) -> Order:
    """`known`, if it is the order that is wanted. A split that restated it since is no difference."""
    differing = [name for name in CONTENT if getattr(known, name) != getattr(wanted, name)]
    if differing and known.split_ratio == 1:
        raise Conflict(
            "order_differs", f"Order {known.pk} already stands for this intent, with another {', '.join(differing)}.", id=known.pk
        )
    return known


def _quantity(value) -> Decimal:
    number = quantity(value)
    if number <= 0:
        raise InvalidInput("bad_quantity", f"An order needs a quantity above zero, not {value}.")
    return number


def _level(value, needed: bool, what: str) -> Decimal | None:
    if (value is not None) != needed:
        raise InvalidInput(f"bad_{what}_price", f"This type of order {'needs' if needed else 'has no'} {what} price.")
    level = None if value is None else price(value)
    if level is not None and level <= 0:
        raise InvalidInput(f"bad_{what}_price", f"A {what} price must be above zero, not {value}.")
    return level


def order_move(order: Order, to: OrderStatus, *, reason: str = "", evidence: dict | None = None, **fields) -> Order:
    """Move an order, setting `fields` with it. Raises `IllegalTransition`, or `Conflict("order_moved")` when another was faster."""
    return order_advance(order, [(to, reason, evidence or {})], **fields)


@transaction.atomic
def order_advance(order: Order, steps: list[tuple[OrderStatus, str, dict]], **fields) -> Order:
    """Take several moves `(to, reason, evidence)` at once: one compare-and-set, an event for each."""
    status, events = order.status, []
    for number, (to, reason, evidence) in enumerate(steps, start=order.version + 1):
        check_transition(status, to)
        events.append(_event(order, number, status, to, reason, evidence))
        status = str(to)
    reason = steps[-1][1][:255]
    _write(order, events, status=status, status_reason=reason, **fields)
    if status != OrderStatus.SENDING:
        # The claim is over in a moment: what follows it is what a client wants to know.
        event_publish(type="order.moved", payload=order_event(order) | {"from": events[0].from_status}, account=order.account_id)
    return order


def order_refresh(order: Order) -> Order:
    """Read the columns of `order` again."""
    names = tuple(field.attname for field in Order._meta.concrete_fields)
    for name, value in zip(names, rows_read(Order, names, "id = %s", order.pk)[0], strict=True):
        setattr(order, name, value)
    return order


@transaction.atomic
def order_note(order: Order, reason: str, evidence: dict, **fields) -> Order:
    """Record something that changes `fields` but not the status: an event from the status to itself."""
    _write(order, [_event(order, order.version + 1, order.status, order.status, reason, evidence)], **fields)
    return order


def _event(order: Order, number: int, before: str, after: str, reason: str, evidence: dict) -> OrderEvent:
    return OrderEvent(order=order, sequence=number, from_status=before, to_status=str(after), reason=reason[:255], evidence=evidence)


def _write(order: Order, events: list[OrderEvent], **fields) -> None:
    values = {"version": order.version + len(events), "updated_at": clock.now(), **fields}
    row = (*values.values(), order.pk, str(order.status), order.version)
    if rows_update(Order, tuple(values), [row], where="status = %s AND version = %s") != 1:
        raise Conflict("order_moved", f"Order {order.pk} is no longer {order.status}: read it again.", id=order.pk)
    for name, value in values.items():
        setattr(order, name, value)
    rows_insert(events)


@transaction.atomic
def account_halt(account_id: str, code: str, message: str, **details) -> None:
    """Stop all sending on an account until a person looks at it."""
    reason = f"{code}: {message}"[:255]
    if Account.objects.filter(pk=account_id).exclude(state=Account.State.HALTED).update(state=Account.State.HALTED, state_reason=reason):
        audit_record(action="ACCOUNT_HALT", account=account_id, details={"code": code, "message": message, **details})
        events_publish([("account.halted", {"code": code, "message": message, **details})], account=account_id)
