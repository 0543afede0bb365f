"""Stops and targets of open positions, as a desired state.

What an open position should have follows from its row alone: an exit where its end was decided, else a stop and a
target at its prices over exactly its quantity. What differs is cancelled and made anew, what agrees is left alone, so
running this again, also after a crash at any point, changes nothing.
"""

import hashlib
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from django.db import transaction
from django.db.models import Q

from quant_site.core.models import Account
from quant_site.core.types import Side
from signals_app.models import TradingSignal
from signals_app.states import SignalStatus
from trading.brokers.base import Broker
from trading.models import Order, Position
from trading.orders import order_cancel, order_create, order_send
from trading.states import OPEN, UNSENT, OrderStatus
from trading.vocabulary import PROTECTIVE, REDUCING, OrderType, Purpose, TimeInForce


@dataclass(frozen=True)
class WorkingOrder:
    """An exit, stop or target that exists for a position; `level` is its stop or limit."""

    pk: int
    purpose: str
    status: str
    remaining: Decimal
    level: Decimal | None


@dataclass
class Plan:
    """Orders to cancel, and (position, purpose) to make once that is done."""

    cancel: list[int] = field(default_factory=list)
    make: list[tuple[int, Purpose]] = field(default_factory=list)


def positions_protect(*, account: Account, session: date, broker: Broker) -> dict:
    """Bring stops, targets and decided exits of all open positions to what they should be; answers what was done.

    On a halted account nothing is touched: what works at the broker keeps working.
    """
    plan = _plan(account)
    if not plan.cancel and not plan.make:
        return {}
    if Account.objects.values_list("state", flat=True).get(pk=account.pk) == Account.State.HALTED:
        return {}
    for order in Order.objects.filter(pk__in=plan.cancel).order_by("pk"):
        order_cancel(order, broker, reason="NOT_WANTED")
    made = _make(session, plan.make) if plan.make else []
    for order in made:
        if order.status in UNSENT:
            order_send(order, broker)
    return {"protected": len(made), "unprotected": len(plan.cancel)}


def position_exit(position: Position, *, session: date, signal: TradingSignal | None = None, leg: int = 0) -> Order:
    """The intent to close all of `position` at the next open."""
    return order_create(
        account=position.account,
        signal=signal or position.signal,
        position=position,
        leg=leg,
        sequence=_sequence(position, session, Purpose.EXIT),
        purpose=Purpose.EXIT,
        symbol=position.symbol,
        side=closing_side(position),
        order_type=OrderType.MARKET,
        quantity=abs(position.quantity),
        decision_price=position.mark_price if position.mark_session == session else None,
        session=session,
    )


def closing_side(position: Position) -> Side:
    return Side.SELL if position.quantity > 0 else Side.BUY


def _plan(account: Account) -> Plan:
    plan = Plan()
    existing = _existing(account)
    columns = ("pk", "quantity", "stop_price", "target_price", "signal__signal_status")
    positions = Position.objects.filter(account=account, exit_session=None).order_by("strategy__key", "group", "symbol", "pk")
    for pk, quantity, stop, target, signal_status in positions.values_list(*columns):
        orders = existing.pop(pk, [])
        exits = [order for order in orders if order.purpose == Purpose.EXIT]
        leaving = any(order.status in OPEN for order in exits)
        # A trade that came about in part, or an exit that found no market: the end is decided, whatever the prices do.
        if not leaving and (exits or signal_status == SignalStatus.FAILED):
            plan.make.append((pk, Purpose.EXIT))
            leaving = True
        wanted = {} if leaving else {Purpose.STOP: stop, Purpose.TARGET: target}
        for purpose in (Purpose.STOP, Purpose.TARGET):
            level = wanted.get(purpose)
            having = [order for order in orders if order.purpose == purpose and order.status in OPEN]
            right = [order for order in having if order.level == level and order.remaining == abs(quantity)][:1]
            plan.cancel += [order.pk for order in having if order not in right]
            if level is not None and not right:
                plan.make.append((pk, purpose))
    for orders in existing.values():
        plan.cancel += [order.pk for order in orders if order.status in OPEN]
    return plan


def _existing(account: Account) -> dict[int, list[WorkingOrder]]:
    """By position: what is open, and what tells that an exit was decided and expired."""
    expired_exit = Q(status=OrderStatus.EXPIRED, purpose=Purpose.EXIT, position__exit_session=None)
    rows = Order.objects.filter(Q(status__in=OPEN) | expired_exit, account=account, purpose__in=REDUCING, position__isnull=False)
    columns = ("position_id", "pk", "purpose", "status", "quantity", "filled_quantity", "stop_price", "limit_price")
    existing = defaultdict(list)
    for position, pk, purpose, status, quantity, filled, stop, limit in rows.order_by("pk").values_list(*columns):
        existing[position].append(WorkingOrder(pk, purpose, status, quantity - filled, stop if stop is not None else limit))
    return existing


@transaction.atomic
def _make(session: date, wanted: list[tuple[int, Purpose]]) -> list[Order]:
    """Write the intents, all or none. A purpose whose old order could not be cancelled yet waits for the next time."""
    positions = Position.objects.select_related("strategy", "signal__strategy", "account").in_bulk({pk for pk, _ in wanted})
    busy = set(Order.objects.filter(position__in=positions, status__in=OPEN, purpose__in=REDUCING).values_list("position_id", "purpose"))
    made = []
    for pk, purpose in wanted:
        hindered = any((pk, other) in busy for other in ((purpose,) if purpose in PROTECTIVE else REDUCING))
        if not hindered:
            position = positions[pk]
            made.append(position_exit(position, session=session) if purpose is Purpose.EXIT else _protection(position, purpose, session))
    return made


def _protection(position: Position, purpose: Purpose, session: date) -> Order:
    stops = purpose is Purpose.STOP
    level = position.stop_price if stops else position.target_price
    return order_create(
        account=position.account,
        signal=position.signal,
        position=position,
        sequence=_sequence(position, session, purpose),
        purpose=purpose,
        symbol=position.symbol,
        side=closing_side(position),
        order_type=OrderType.STOP if stops else OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
        quantity=abs(position.quantity),
        stop_price=level if stops else None,
        limit_price=None if stops else level,
        decision_price=level,
        oca_group=_oca_group(position),
        session=session,
    )


def _oca_group(position: Position) -> str:
    """The same for a stop and target of one position, and for their successors; it depends on no row's number."""
    words = (position.open_key or "", position.entry_session.isoformat())
    return hashlib.sha256("\x1f".join(words).encode()).hexdigest()[:32]


def _sequence(position: Position, session: date, purpose: Purpose) -> int:
    """How many such orders the session has seen: the number of the next. Two that count at once get one id, hence one order."""
    return Order.objects.filter(account_id=position.account_id, session=session, symbol=position.symbol, purpose=purpose).count()
