"""What the plans of closed trades said, beside what was done: frozen terms, fills, moves of the stop, and the bars since.

A plan of the middle of a session is replayed from the whole bar of that session on. Left out are trades in options, trades that
a split changed, and those whose terms are not what was frozen, which is said.
"""

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal

from analytics.behaviour.habit_reads import Person
from analytics.behaviour.plan_replay import ZERO, Bar, Bucket, Execution, Plan, PlanReplay, StopMove, plan_replay
from analytics.behaviour.reads import Closed, Filled, Window
from quant_site.core.errors import InvalidInput, LedgerMismatch, NotFound
from quant_site.core.rows import places, rows_read
from quant_site.core.types import Direction, OrderType, price
from quant_site.market.options.contracts import parse_contract
from quant_site.market.sessions import last_completed_session, next_session, trading_session
from trading.intents.plan_freeze import FrozenTerms, frozen_terms_of
from trading.models import Order, OrderEvent, TradingPlan
from trading.vocabulary import Purpose

ORDER_TYPES = {TradingPlan.Kind.PULLBACK: OrderType.LIMIT, TradingPlan.Kind.BREAKOUT: OrderType.STOP}


@dataclass(frozen=True)
class Departures:
    """Sums over `trades` closed trades with a plan; `left_out` by why, `tampered` names plans whose terms were changed."""

    trades: int
    planned: Decimal
    actual: Decimal
    buckets: dict[str, Decimal]
    left_out: dict[str, int]
    tampered: tuple[int, ...]


def departures_read(person: Person, window: Window) -> Departures:
    """What departing from their plans cost the closed trades of a person."""
    plans = _plans(person)
    moves = _stop_moves([one.id for one in person.closed if one.id in plans])
    replays, left_out, tampered = [], Counter(), []
    for one in person.closed:
        if one.id not in plans:
            continue
        pk, terms, digest = plans[one.id]
        try:
            frozen = frozen_terms_of(pk, terms, digest)
            replays.append(_replay(one, frozen, person.fills[one.id], moves.get(one.id, []), window))
        except LedgerMismatch:
            tampered.append(pk)
        except NotFound:
            left_out["NOT_FROZEN"] += 1
        except InvalidInput as error:
            left_out[error.code.upper()] += 1
    buckets = {str(bucket): sum((replay.buckets[bucket] for replay in replays), ZERO) for bucket in Bucket}
    planned, actual = (sum((getattr(replay, name) for replay in replays), ZERO) for name in ("planned", "actual"))
    return Departures(len(replays), planned, actual, buckets, dict(sorted(left_out.items())), tuple(sorted(set(tampered))))


def _plans(person: Person) -> dict[int, tuple]:
    """By position (id, frozen terms, hash) of the plan that opened it."""
    orders = {fills[0].order_id: pk for pk, fills in person.fills.items()}
    if not orders:
        return {}
    ordered = rows_read(Order, ("id", "plan_id"), f"id IN {places(orders)} AND plan_id IS NOT NULL", *orders)
    wanted = sorted({plan for _, plan in ordered})
    if not wanted:
        return {}
    rows = rows_read(TradingPlan, ("id", "frozen_terms", "frozen_hash"), f"id IN {places(wanted)}", *wanted)
    plans = {row[0]: row for row in rows}
    return {orders[order]: plans[plan] for order, plan in ordered}


def _stop_moves(positions: list[int]) -> dict[int, list[StopMove]]:
    """What a person asked of the stops of `positions`; a move holds from the session on in which it was asked, or the next."""
    if not positions:
        return {}
    stops = f"position_id IN {places(positions)} AND purpose = %s"
    owner = dict(rows_read(Order, ("id", "position_id"), stops, *positions, str(Purpose.STOP)))
    if not owner:
        return {}
    where = f"order_id IN {places(owner)} AND reason = 'CHANGE_REQUESTED' ORDER BY id"
    moves: dict[int, list[StopMove]] = {}
    for order, evidence, at in rows_read(OrderEvent, ("order_id", "evidence", "at"), where, *owner):
        level = evidence.get("wanted", {}).get("stop_price")
        if level is not None:
            moves.setdefault(owner[order], []).append(StopMove(next_session(last_completed_session(at)), price(level)))
    return moves


def _replay(one: Closed, terms: FrozenTerms, fills: list[Filled], moves: list[StopMove], window: Window) -> PlanReplay:
    found = window.panel.holding(one.symbol)
    if parse_contract(one.symbol) or found is None or terms.direction not in (Direction.LONG, Direction.SHORT):
        raise InvalidInput("not_a_share", f"{one.symbol} has no bars to replay a plan on.")
    if any("ratio" in change for change in one.adjustments):
        raise InvalidInput("split", f"{one.symbol} was split while it was held.")
    if terms.direction != one.direction or terms.symbol != one.symbol:
        raise InvalidInput("another_trade", f"The plan was {terms.direction} {terms.symbol}.")
    plan = Plan(
        sign=one.sign,
        order_type=ORDER_TYPES.get(terms.plan_type, OrderType.MARKET),
        entry=terms.entry_price,
        stop=terms.stop_loss,
        target=terms.take_profit,
        quantity=terms.quantity,
        first=next_session(last_completed_session(terms.planned_at)),
        last=terms.expired_at and trading_session(terms.expired_at),
    )
    start = window.column(min(plan.first, fills[0].session))
    executions = [Execution(fill.session, fill.at, *fill[3:8]) for fill in fills]
    return plan_replay(plan, _bars(*found, max(start, 0), window.last), executions, moves)


def _bars(panel, row: int, start: int, last: int) -> list[Bar]:
    """Bars of the columns `start` to `last`; sessions without one are left out."""
    columns = slice(start, last + 1)
    days, values = panel.sessions[columns].tolist(), [getattr(panel, name)[row, columns] for name in ("open", "high", "low", "close")]
    rows = zip(days, *values, strict=True)
    return [Bar(day, *(price(float(value)) for value in numbers)) for day, *numbers in rows if all(value == value for value in numbers)]
