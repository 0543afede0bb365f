"""Stops and targets of open positions, as a desired state.

What an open position should have follows from its row alone: an exit where its end was decided, else a stop and a
target at its prices over exactly its quantity. What differs is cancelled and made anew, what agrees is left alone, so
running this again, also after a crash at any point, changes nothing. The options of a structure end together.
"""

import logging
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import chain
from typing import NamedTuple

from django.db import transaction

from quant_site.core.errors import QuantError
from quant_site.core.models import Account
from quant_site.core.rows import objects_follow, objects_read, places, rows_read
from quant_site.market.options.contracts import parse_contract
from signals_app.models import TradingSignal
from signals_app.states import SignalStatus
from strategies.risk.orders import share_tick
from trading.brokers.base import Broker
from trading.models import Order, Position
from trading.order_path.exits import (
    REDUCING_OPEN,
    REDUCING_PURPOSES,
    closing_side,
    oca_group,
    origin_of,
    position_exit,
    reduces,
    sequence_of,
    structure_exit,
    structure_exits_open,
)
from trading.order_path.orders import order_cancel, order_create, order_modify, order_send
from trading.order_path.rows import order_note
from trading.order_path.states import OPEN, UNSENT, WORKING, OrderStatus
from trading.vocabulary import PROTECTIVE, REDUCING, OrderType, Purpose, TimeInForce

logger = logging.getLogger(__name__)
# Signals that came to nothing, and of which something is held.
BROKEN_TRADES = (
    "account_id = %s AND signal_status IN ('FAILED', 'CANCELLED', 'EXPIRED')"
    " AND id IN (SELECT signal_id FROM positions WHERE account_id = %s AND exit_session IS NULL)"
)
EXITING = (
    f"account_id = %s AND {REDUCING_PURPOSES}"
    " AND status IN ('INTENT', 'READY', 'SENDING', 'UNKNOWN', 'ACKED', 'PARTIAL', 'EXPIRED') ORDER BY id"
)
# Exits of structures that ended with one of their contracts: the broker cancelled them, or they were called back for it here.
ENDED_WITH_A_CONTRACT = (
    "account_id = %s AND session >= %s AND purpose = 'EXIT' AND position_id IS NULL AND status = 'CANCELLED'"
    " AND (status_reason IN ('CONTRACT_ENDED', 'NOT_WANTED') OR EXISTS (SELECT 1 FROM order_events"
    " WHERE order_id = orders.id AND reason = 'CANCEL_REQUESTED' AND evidence LIKE %s)) ORDER BY id"
)
Trade = tuple[int | None, str]


class Held(NamedTuple):
    """The columns of an open position that tell what it should have."""

    id: int
    strategy_id: int | None
    signal_id: int | None
    group: str
    symbol: str
    quantity: Decimal
    entry_session: date
    stop_price: Decimal | None
    target_price: Decimal | None

    @property
    def trade(self) -> Trade:
        return self.strategy_id, self.group

    @property
    def is_option(self) -> bool:
        return parse_contract(self.symbol) is not None


class Exiting(NamedTuple):
    """The columns of an order that reduces, or whose end tells that an exit was decided."""

    id: int
    position_id: int | None
    signal_id: int | None
    group: str
    session: date
    purpose: str
    status: str
    quantity: Decimal
    filled_quantity: Decimal
    stop_price: Decimal | None
    limit_price: Decimal | None
    legs: list

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def remaining(self) -> Decimal:
        return self.quantity - self.filled_quantity

    @property
    def level(self) -> Decimal | None:
        return self.stop_price if self.stop_price is not None else self.limit_price

    def fits(self, symbols: set[str]) -> bool:
        """Whether everything that it would close is held in `symbols`. Legs that are filled already are not, in one that is
        filled in part."""
        return self.status == OrderStatus.PARTIAL or all(leg["symbol"] in symbols for leg in self.legs)


@dataclass
class Plan:
    """Orders to cancel, and (positions, purpose) to make once that is done. `live`: orders at a broker on the live clock are
    changed instead, so that a position is covered all the while: {order: (quantity, level)}."""

    live: bool = False
    change: dict[int, tuple[Decimal, Decimal]] = field(default_factory=dict)
    cancel: list[int] = field(default_factory=list)
    make: list[tuple[tuple[int, ...], Purpose]] = field(default_factory=list)


def positions_protect(*, account: Account, session: date, broker: Broker) -> dict:
    """Bring stops, targets and decided exits of all open positions to what they should be; answers what was done.

    On a halted account nothing is touched: what works at the broker keeps working.
    """
    plan = _plan(account, live=not broker.simulated)
    if not plan.cancel and not plan.make and not plan.change:
        return {}
    if rows_read(Account, ("state",), "id = %s", account.pk) == [(Account.State.HALTED,)]:
        return {}
    for order in _orders(plan.change):
        _change(order, *plan.change[order.pk], broker)
    for order in _orders(plan.cancel):
        order_cancel(order, broker, reason="NOT_WANTED")
    lasting = TimeInForce.GTC if not plan.make or broker.keeps_orders(account.pk) else TimeInForce.DAY
    made = _make(account, session, plan.make, lasting) if plan.make else []
    for order in made:
        if order.status in UNSENT:
            _send(order, broker)
    changed = {"changed": len(plan.change)} if plan.change else {}
    return {"protected": len(made), "unprotected": len(plan.cancel), **changed}


def _send(order: Order, broker: Broker) -> None:
    try:
        order_send(order, broker)
    except QuantError as error:
        # Raised before anything was sent: the order stays unsent, and the next round tries again.
        logger.warning("Order %s is not sent now: %s", order.pk, error.message)


def _orders(ids: Collection[int]) -> list[Order]:
    return objects_read(Order, f"id IN {places(ids)} ORDER BY id", *ids) if ids else []


def _change(order: Order, quantity: Decimal, level: Decimal, broker: Broker) -> None:
    """Ask for what the order should be; one that the broker does not change is cancelled, and made anew."""
    price = "stop_price" if order.stop_price is not None else "limit_price"
    wanted = {"quantity": f"{quantity:f}", price: f"{level:f}"}
    if order.wanted != wanted:
        order_note(order, "CHANGE_WANTED", {"wanted": wanted}, wanted=wanted)
    if order_modify(order, broker) is not None:
        order_cancel(order, broker, reason="NOT_WANTED")


def _plan(account: Account, *, live: bool) -> Plan:
    plan, trades = Plan(live), defaultdict(list)
    positions = [Held(*row) for row in rows_read(Position, Held._fields, "account_id = %s AND exit_session IS NULL", account.pk)]
    for position in positions:
        if position.is_option:
            trades[position.trade].append(position)
    of_position, of_trade = _existing(account, trades)
    ends = dict(rows_read(TradingSignal, ("id", "signal_status"), BROKEN_TRADES, account.pk, account.pk))
    for position in positions:
        if not position.is_option:
            _plan_exit(plan, [position], of_position.pop(position.id, []), ends.get(position.signal_id) == SignalStatus.FAILED)
    for trade, legs in trades.items():
        legs.sort(key=lambda leg: leg.symbol)
        orders = [*chain(*(of_position.pop(leg.id, []) for leg in legs)), *of_trade.pop(trade, [])]
        # Of a signal that was called back or expired the broker may have filled some legs all the same.
        _plan_exit(plan, legs, orders, any(leg.signal_id in ends for leg in legs))
    plan.cancel += [order.id for order in chain(*of_position.values(), *of_trade.values()) if order.is_open]
    return plan


def _plan_exit(plan: Plan, positions: list[Held], orders: list[Exiting], broken: bool) -> None:
    """What `positions` that one exit closes should have; `orders` are theirs."""
    exits, symbols = [order for order in orders if order.purpose == Purpose.EXIT], {position.symbol for position in positions}
    leaving = any(order.is_open and order.fits(symbols) for order in exits)
    plan.cancel += [order.id for order in orders if order.legs and order.is_open and not order.fits(symbols)]
    # A trade that came about in part, or an exit that found no market or lost a contract: the end is decided, whatever the
    # prices do. A reduction that found none is not: the strategy decides anew.
    if not leaving and (exits or broken):
        plan.make.append((tuple(position.id for position in positions), Purpose.EXIT))
        leaving = True
    for position in positions:
        _plan_guards(plan, position, [order for order in orders if order.position_id == position.id], leaving)


def _plan_guards(plan: Plan, position: Held, orders: list[Exiting], leaving: bool) -> None:
    """The stop and the target of one position; none for what leaves."""
    for purpose, level in ((Purpose.STOP, position.stop_price), (Purpose.TARGET, position.target_price)):
        wanted = None if leaving else level
        having = [order for order in orders if order.purpose == purpose and order.is_open]
        right = [order for order in having if _agrees(order, wanted, plan.live) and order.remaining == abs(position.quantity)][:1]
        if plan.live and wanted is not None and not right and having and having[0].status in WORKING:
            right = having[:1]
            plan.change[right[0].id] = right[0].filled_quantity + abs(position.quantity), wanted
        plan.cancel += [order.id for order in having if order not in right]
        if wanted is not None and not right:
            plan.make.append(((position.id,), purpose))


def _agrees(order: Exiting, wanted: Decimal | None, live: bool) -> bool:
    """Whether the order lies where it should; at a real broker prices lie on ticks."""
    if wanted is None or order.level is None or not live:
        return order.level == wanted
    return abs(order.level - wanted) <= share_tick(wanted)


def _existing(account: Account, trades: dict[Trade, list[Held]]) -> tuple[dict[int, list[Exiting]], dict[Trade, list[Exiting]]]:
    """By position, and of several legs by trade: what is open, and what tells that an exit was decided and found no market."""
    of_position, of_trade = defaultdict(list), defaultdict(list)
    orders = [Exiting(*row) for row in rows_read(Order, Exiting._fields, EXITING, account.pk)]
    begun = {trade: min(leg.entry_session for leg in legs) for trade, legs in trades.items()}
    if begun:
        rows = rows_read(Order, Exiting._fields, ENDED_WITH_A_CONTRACT, account.pk, min(begun.values()), "%NOT_WANTED%")
        orders += [Exiting(*row) for row in rows]
    shared = [order for order in orders if order.position_id is None and order.legs]
    strategies = _strategies(shared) if shared else {}
    for order in orders:
        if order.position_id is not None:
            of_position[order.position_id].append(order)
    for order in shared:
        trade = strategies.get(order.signal_id), order.group
        # What ended may have been for an earlier trade of the same name.
        if order.is_open or (trade in begun and order.session >= begun[trade]):
            of_trade[trade].append(order)
    return of_position, of_trade


def _strategies(orders: list[Exiting]) -> dict[int | None, int]:
    """The strategies of the orders' signals."""
    ids = sorted({order.signal_id for order in orders if order.signal_id is not None})
    return dict(rows_read(TradingSignal, ("id", "strategy_id"), f"id IN {places(ids)}", *ids)) if ids else {}


@transaction.atomic
def _make(account: Account, session: date, wanted: list[tuple[tuple[int, ...], Purpose]], lasting: TimeInForce) -> list[Order]:
    """Write the intents, all or none. A purpose whose old order could not be cancelled yet waits for the next time."""
    ids = sorted({pk for pks, _ in wanted for pk in pks})
    positions = {position.pk: position for position in objects_read(Position, f"id IN {places(ids)}", *ids)}
    objects_follow(list(positions.values()), "strategy")
    objects_follow(objects_follow(list(positions.values()), "signal"), "strategy")
    for position in positions.values():
        position.account = account
    busy = _busy(account, positions)
    made = []
    for pks, purpose in sorted(wanted, key=lambda pair: _made_in_order(positions[pair[0][0]], pair[1])):
        hindering = (purpose,) if purpose in PROTECTIVE else REDUCING
        if not any((pk, other) in busy for pk in pks for other in hindering):
            made.append(_order([positions[pk] for pk in pks], purpose, session, lasting))
    return made


def _busy(account: Account, positions: dict[int, Position]) -> set[tuple[int, str]]:
    """Positions and the purposes for which an order of theirs is open."""
    ids, options = list(positions), [position for position in positions.values() if parse_contract(position.symbol)]
    busy = set(rows_read(Order, ("position_id", "purpose"), f"position_id IN {places(ids)} AND {REDUCING_OPEN}", *ids))
    for order in structure_exits_open(account.pk) if options else ():
        busy |= {(position.pk, order.purpose) for position in options if reduces(order, position)}
    return busy


def _order(positions: list[Position], purpose: Purpose, session: date, lasting: TimeInForce) -> Order:
    if len(positions) > 1:
        return structure_exit(positions, session=session)
    [position] = positions
    return position_exit(position, session=session) if purpose is Purpose.EXIT else _protection(position, purpose, session, lasting)


def _made_in_order(position: Position, purpose: Purpose) -> tuple:
    """An order that depends on no row's number."""
    return (position.strategy.key if position.strategy else "", position.group, position.symbol, position.entry_session, purpose)


def _protection(position: Position, purpose: Purpose, session: date, lasting: TimeInForce) -> Order:
    stops = purpose is Purpose.STOP
    level = position.stop_price if stops else position.target_price
    return order_create(
        account=position.account,
        signal=position.signal,
        position=position,
        origin=origin_of(position),
        sequence=sequence_of(position, session, position.symbol, purpose),
        purpose=purpose,
        symbol=position.symbol,
        side=closing_side(position),
        order_type=OrderType.STOP if stops else OrderType.LIMIT,
        time_in_force=lasting,
        quantity=abs(position.quantity),
        stop_price=level if stops else None,
        limit_price=None if stops else level,
        decision_price=level,
        oca_group=oca_group(position),
        session=session,
    )


__all__ = ["position_exit", "positions_protect"]
