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

from quant_site.core.models import Account
from quant_site.core.rows import objects_follow, objects_read, places, rows_read
from quant_site.core.types import Side
from signals_app.models import TradingSignal
from trading.brokers.base import Broker
from trading.models import Order, Position
from trading.orders import order_cancel, order_create, order_send
from trading.states import OPEN, UNSENT
from trading.vocabulary import PROTECTIVE, REDUCING, OrderType, Purpose, TimeInForce

# Trades of which a leg failed while another was filled.
BROKEN_TRADES = (
    "account_id = %s AND signal_status = 'FAILED'"
    " AND id IN (SELECT signal_id FROM positions WHERE account_id = %s AND exit_session IS NULL)"
)
REDUCING_PURPOSES = "purpose IN ('EXIT', 'REDUCE', 'STOP', 'TARGET')"
REDUCING_OPEN = f"{REDUCING_PURPOSES} AND status IN ('INTENT', 'READY', 'SENDING', 'UNKNOWN', 'ACKED', 'PARTIAL')"
EXITING = (
    f"account_id = %s AND position_id IS NOT NULL AND {REDUCING_PURPOSES}"
    " AND status IN ('INTENT', 'READY', 'SENDING', 'UNKNOWN', 'ACKED', 'PARTIAL', 'EXPIRED') ORDER BY id"
)


@dataclass(frozen=True)
class WorkingOrder:
    """An exit (of all or a part), stop or target that exists for a position; `level` is its stop or limit."""

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
    if rows_read(Account, ("state",), "id = %s", account.pk) == [(Account.State.HALTED,)]:
        return {}
    unwanted = objects_read(Order, f"id IN {places(plan.cancel)} ORDER BY id", *plan.cancel) if plan.cancel else []
    for order in unwanted:
        order_cancel(order, broker, reason="NOT_WANTED")
    made = _make(account, session, plan.make) if plan.make else []
    for order in made:
        if order.status in UNSENT:
            order_send(order, broker)
    return {"protected": len(made), "unprotected": len(plan.cancel)}


def position_exit(
    position: Position, *, session: date, signal: TradingSignal | None = None, leg: int = 0, part: int | None = None
) -> Order:
    """The intent to close all of `position` at the next open, or the `part` of it.

    A part is of one group with stop and target: where one of them fills first it must not take another trade's shares.
    What the position keeps is protected anew.
    """
    purpose = Purpose.EXIT if part is None else Purpose.REDUCE
    return order_create(
        account=position.account,
        signal=signal or position.signal,
        position=position,
        leg=leg,
        sequence=_sequence(position, session, purpose),
        purpose=purpose,
        symbol=position.symbol,
        side=closing_side(position),
        order_type=OrderType.MARKET,
        quantity=abs(position.quantity) if part is None else part,
        decision_price=position.mark_price if position.mark_session == session else None,
        oca_group="" if part is None else _oca_group(position),
        session=session,
    )


def closing_side(position: Position) -> Side:
    return Side.SELL if position.quantity > 0 else Side.BUY


def _plan(account: Account) -> Plan:
    plan = Plan()
    existing = _existing(account)
    failed = {row[0] for row in rows_read(TradingSignal, ("id",), BROKEN_TRADES, account.pk, account.pk)}
    columns = ("id", "quantity", "stop_price", "target_price", "signal_id")
    for pk, quantity, stop, target, signal in rows_read(Position, columns, "account_id = %s AND exit_session IS NULL", account.pk):
        _plan_position(plan, pk, abs(quantity), {Purpose.STOP: stop, Purpose.TARGET: target}, existing.pop(pk, []), signal in failed)
    for orders in existing.values():
        plan.cancel += [order.pk for order in orders if order.status in OPEN]
    return plan


def _plan_position(plan: Plan, pk: int, quantity: Decimal, levels: dict, orders: list[WorkingOrder], broken: bool) -> None:
    exits = [order for order in orders if order.purpose == Purpose.EXIT]
    leaving = any(order.status in OPEN for order in exits)
    # A trade that came about in part, or an exit that found no market: the end is decided, whatever the prices do. A
    # reduction that found none is not: the strategy decides anew.
    if not leaving and (exits or broken):
        plan.make.append((pk, Purpose.EXIT))
        leaving = True
    for purpose, level in levels.items():
        wanted = None if leaving else level
        having = [order for order in orders if order.purpose == purpose and order.status in OPEN]
        right = [order for order in having if order.level == wanted and order.remaining == quantity][:1]
        plan.cancel += [order.pk for order in having if order not in right]
        if wanted is not None and not right:
            plan.make.append((pk, purpose))


def _existing(account: Account) -> dict[int, list[WorkingOrder]]:
    """By position: what is open, and what tells that an exit was decided and expired."""
    columns = ("position_id", "id", "purpose", "status", "quantity", "filled_quantity", "stop_price", "limit_price")
    existing = defaultdict(list)
    for position, pk, purpose, status, quantity, filled, stop, limit in rows_read(Order, columns, EXITING, account.pk):
        existing[position].append(WorkingOrder(pk, purpose, status, quantity - filled, stop if stop is not None else limit))
    return existing


@transaction.atomic
def _make(account: Account, session: date, wanted: list[tuple[int, Purpose]]) -> list[Order]:
    """Write the intents, all or none. A purpose whose old order could not be cancelled yet waits for the next time."""
    ids = sorted({pk for pk, _ in wanted})
    positions = {position.pk: position for position in objects_read(Position, f"id IN {places(ids)}", *ids)}
    objects_follow(list(positions.values()), "strategy")
    objects_follow(objects_follow(list(positions.values()), "signal"), "strategy")
    for position in positions.values():
        position.account = account
    busy = set(rows_read(Order, ("position_id", "purpose"), f"position_id IN {places(ids)} AND {REDUCING_OPEN}", *ids))
    made = []
    for pk, purpose in sorted(wanted, key=lambda pair: _made_in_order(positions[pair[0]], pair[1])):
        hindered = any((pk, other) in busy for other in ((purpose,) if purpose in PROTECTIVE else REDUCING))
        if not hindered:
            position = positions[pk]
            made.append(position_exit(position, session=session) if purpose is Purpose.EXIT else _protection(position, purpose, session))
    return made


def _made_in_order(position: Position, purpose: Purpose) -> tuple:
    """An order that depends on no row's number."""
    return (position.strategy.key if position.strategy else "", position.group, position.symbol, position.entry_session, purpose)


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
    same = "account_id = %s AND session = %s AND symbol = %s AND purpose = %s"
    return len(rows_read(Order, ("id",), same, position.account_id, session, position.symbol, str(purpose)))
