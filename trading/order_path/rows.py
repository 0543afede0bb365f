"""Orders as rows: how one is created, and how it moves. No broker is called here.

Creating and moving are single transactions: the row, its event and its outbox row commit together or not at all. A
move is a compare-and-set on the status *and* the version that were read, so of two movers exactly one succeeds.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from django.db import IntegrityError, transaction

from quant_site.core import clock
from quant_site.core.errors import Conflict, InvalidInput
from quant_site.core.models import Account
from quant_site.core.rows import row_insert, rows_insert, rows_read, rows_update
from quant_site.core.services import audit_record, event_publish, events_publish
from quant_site.core.types import Mode, Side, optional, price, quantity
from trading.models import Order, OrderEvent, Position, TradingPlan
from trading.order_path.legs import legs_content, legs_written, net_decision
from trading.order_path.states import OrderStatus, check_transition
from trading.vocabulary import OrderType, Origin, Purpose, TimeInForce

CONTENT = (
    "account_id", "symbol", "side", "order_type", "time_in_force", "quantity", "limit_price", "stop_price", "mode", "purpose", "group",
    "origin", "plan_id", "stop_loss", "take_profit",
)  # fmt: skip


def order_event(order: Order) -> dict:
    """What a client learns about an order; `legs` only of one that has several."""
    event = {
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
    return event | {"legs": order.legs} if order.legs else event


def client_order_id(
    *,
    account_id: str,
    session: date,
    strategy: str,
    group: str,
    symbol: str,
    side: str,
    purpose: str,
    leg: int,
    sequence: int = 0,
    key: str = "",
) -> str:
    """Our id of an order: 32 hexadecimal digits that follow from what it is for, so the same intent has one id. A `key` of whoever
    orders makes it alone. Legs are content and no part of it: the same intent with other legs is refused, not ordered besides."""
    words = (account_id, session.isoformat(), strategy, group, symbol, side, purpose, str(leg), str(sequence))
    words = (account_id, key) if key else words
    return hashlib.sha256("\x1f".join(words).encode()).hexdigest()[:32]


def order_create(*, actor="system", **content) -> Order:
    """Write the intent of an order (`content` as for `order_build`), or answer the row that already holds it.

    Raises `InvalidInput` for numbers that no order can have and `Conflict("order_differs")` where the same intent was
    written with another content.
    """
    return order_insert(order_build(**content), actor)


def order_build(
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
    legs: Sequence[Mapping] = (),
    group: str = "",
    origin: Origin = Origin.SIGNAL,
    plan: TradingPlan | None = None,
    stop_loss=None,
    take_profit=None,
    awaits: str = "",
    reserved_id: str = "",
    key: str = "",
) -> Order:
    """An order as it would be written, in memory.

    With `legs` ([{symbol, side, ratio}], with `decision` where a leg has a decision price) they trade as one: `symbol` is the
    name of the trade, `quantity` in units, the limit the net price of a unit; a `position` names the trade in which each leg
    finds its own. `awaits` says why it waits for a confirmation.

    Raises `InvalidInput` for numbers that no order can have.
    """
    written = legs_written(legs)
    if written and (order_type is OrderType.STOP or side != Side.BUY):
        raise InvalidInput("bad_legs", "An order of several legs buys a unit of them, at the market or a limit.")
    if written and position is not None:
        signal, group, position = signal or position.signal, group or position.group, None
    source = signal or position
    return Order(
        account=account,
        signal=signal,
        position=position,
        client_order_id=client_order_id(
            account_id=account.pk,
            session=session,
            strategy=source.strategy.key if source is not None and source.strategy_id else "-",
            group=signal.symbol if signal is not None else position.group if position is not None else group or symbol,
            symbol=symbol,
            side=side,
            purpose=purpose,
            leg=leg,
            sequence=sequence,
            key=key,
        ),
        plan=plan,
        origin=str(origin),
        reserved_id=reserved_id,
        group=group or (symbol if written else ""),
        leg=leg,
        purpose=str(purpose),
        mode=str(account.mode),
        session=session,
        symbol=symbol,
        side=str(side),
        order_type=str(order_type),
        time_in_force=str(time_in_force),
        quantity=_quantity(quantity),
        legs=written,
        limit_price=_level(limit_price, order_type is OrderType.LIMIT, "limit", net=bool(written)),
        stop_price=_level(stop_price, order_type is OrderType.STOP, "stop"),
        stop_loss=optional(price, stop_loss),
        take_profit=optional(price, take_profit),
        decision_price=net_decision(written) if written else optional(price, decision_price),
        oca_group=oca_group,
        awaits=awaits[:255],
        status=str(OrderStatus.INTENT),
        version=1,
    )


def order_insert(order: Order, actor) -> Order:
    """Write an order that was built, or answer the row that holds it; raises `Conflict("order_differs")`."""
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
    differing += ["legs"] if legs_content(known.legs) != legs_content(wanted.legs) else []
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


def _level(value, needed: bool, what: str, net: bool = False) -> Decimal | None:
    """A price that an order of its type must have, or must not. The `net` price of several legs may be zero, or received."""
    if (value is not None) != needed:
        raise InvalidInput(f"bad_{what}_price", f"This type of order {'needs' if needed else 'has no'} {what} price.")
    level = None if value is None else price(value)
    if level is not None and level <= 0 and not net:
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
    columns = [json.dumps(value) if isinstance(value, dict | list) else value for value in values.values()]
    row = (*columns, order.pk, str(order.status), order.version)
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
