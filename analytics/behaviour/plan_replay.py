"""What departures from a plan cost, to the cent: the plan replayed on the bars, against what was done.

Both are trades of one symbol. From the plan to what was done one thing is changed at a time, in the order of `BUCKETS`; a bucket
is what its step changes, so that the buckets add up to actual P&L − planned P&L whatever the rounding of a step.

Rules of the replay: an order works from its first bar on; a stop or a limit trades at its level, or at the open where the market
gapped through it. Within one bar the stop comes before the target. In the bar of an entry that was not at the open the stop counts
(the worst case) and the target does not. What neither stop nor target ended is closed at the last close. Market and stop orders
pay spread and slippage, limits do not; every fill pays commission.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from quant_site.core.errors import InvalidInput
from quant_site.core.types import OrderType, Side, money
from quant_site.market.execution import CostModel, at_open_price, intraday_price

ZERO = Decimal("0.00")


class Bucket(StrEnum):
    ENTRY = "ENTRY"
    STOP_MOVED = "STOP_MOVED"
    EARLY_EXIT = "EARLY_EXIT"
    OVERRIDE = "OVERRIDE"
    SIZE = "SIZE"
    FEES = "FEES"


@dataclass(frozen=True)
class Bar:
    """One session's raw prices, in the shares that the plan and the fills are in."""

    session: date
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal


@dataclass(frozen=True)
class Plan:
    """`sign` 1 long, −1 short. `order_type` says how it enters: a limit or a stop at `entry`, or the market. The entry works in
    the sessions from `first` to `last` (None: until it fills); `quantity` in shares."""

    sign: int
    order_type: OrderType
    entry: Decimal | None
    stop: Decimal | None
    target: Decimal | None
    quantity: Decimal
    first: date
    last: date | None = None

    @property
    def sides(self) -> tuple[Side, Side]:
        """What opens it, and what closes it."""
        return (Side.BUY, Side.SELL) if self.sign > 0 else (Side.SELL, Side.BUY)


@dataclass(frozen=True)
class Execution:
    """A fill: `amount` is quantity · price in cents, `commission` in cents."""

    session: date
    at: datetime
    side: Side
    quantity: Decimal
    price: Decimal
    amount: Decimal
    commission: Decimal


@dataclass(frozen=True)
class StopMove:
    """From `session` on the stop stood at `level`; None: it was taken away."""

    session: date
    level: Decimal | None


@dataclass(frozen=True)
class Leg:
    """A fill of the replay: the bar's number, the price paid or received, and whether it was at the bar's open."""

    at: int
    price: Decimal
    at_open: bool


@dataclass(frozen=True)
class PlanReplay:
    """Dollars. `entry` is None where the plan would not have been entered; `buckets` add up to `actual` − `planned`."""

    planned: Decimal
    actual: Decimal
    entry: Leg | None
    exit: Leg | None
    buckets: dict[Bucket, Decimal]


def plan_replay(
    plan: Plan, bars: Sequence[Bar], fills: Sequence[Execution], moves: Sequence[StopMove] = (), costs: CostModel | None = None
) -> PlanReplay:
    """Replay `plan` on `bars` (ascending sessions, at least one) and share out how what was done differs.

    `fills` are all of a trade that is flat, or none; raises `InvalidInput` where they are not. Quantity aside, what is done after
    the actual entry is compared with the plan as it would have gone on from there (stop and target of the plan).
    """
    costs = costs or CostModel()
    opening, closing = _split(plan, fills)
    entry = _planned_entry(plan, bars, costs)
    exit_ = None if entry is None else _exit(plan, bars, entry, lambda _: plan.stop, costs)
    planned_fees = ZERO if entry is None else sum((costs.commission(plan.quantity, leg.price) for leg in (entry, exit_)), ZERO)
    steps = [ZERO if entry is None else _gross(plan, entry.price, exit_.price)]
    steps += _steps(plan, bars, opening, closing, moves, costs) if opening else [ZERO] * 5
    fees = sum((fill.commission for fill in fills), ZERO)
    gross_buckets = tuple(bucket for bucket in Bucket if bucket is not Bucket.FEES)
    buckets = {bucket: after - before for bucket, before, after in zip(gross_buckets, steps, steps[1:], strict=False)}
    return PlanReplay(steps[0] - planned_fees, steps[-1] - fees, entry, exit_, buckets | {Bucket.FEES: planned_fees - fees})


def _steps(plan: Plan, bars, opening, closing, moves, costs: CostModel) -> list[Decimal]:
    """P&L before commissions after each step from the plan to what was done."""
    paid, received = _mean(opening), _mean(closing)
    at = _bar_of(bars, min(fill.session for fill in opening))
    ended = _bar_of(bars, max(fill.session for fill in closing))
    entered = Leg(at, paid, at_open=False)
    as_planned = _exit(plan, bars, entered, lambda _: plan.stop, costs)
    as_moved = _exit(plan, bars, entered, lambda session: _stop_at(plan, moves, session), costs)
    after_entry, after_stop = _gross(plan, paid, as_planned.price), _gross(plan, paid, as_moved.price)
    done = _gross(plan, paid, received)
    early = done if ended <= as_moved.at else after_stop
    actual = plan.sign * (sum(fill.amount for fill in closing) - sum(fill.amount for fill in opening))
    return [after_entry, after_stop, early, done, actual]


def _split(plan: Plan, fills: Sequence[Execution]) -> tuple[list[Execution], list[Execution]]:
    opens, _ = plan.sides
    opening = [fill for fill in fills if fill.side is opens]
    closing = [fill for fill in fills if fill.side is not opens]
    bought, sold = (sum((fill.quantity for fill in part), Decimal(0)) for part in (opening, closing))
    if bought != sold:
        raise InvalidInput("not_flat", f"{bought} were opened and {sold} closed: compare a trade with its plan once it is flat.")
    return opening, closing


def _mean(fills: Sequence[Execution]) -> Decimal:
    return sum(fill.quantity * fill.price for fill in fills) / sum(fill.quantity for fill in fills)


def _gross(plan: Plan, entry: Decimal, exit_: Decimal) -> Decimal:
    return plan.sign * (money(plan.quantity * exit_) - money(plan.quantity * entry))


def _bar_of(bars: Sequence[Bar], session: date) -> int:
    for at, bar in enumerate(bars):
        if bar.session == session:
            return at
    raise InvalidInput("no_bar", f"There is no bar of {session}, on which something was filled.", session=str(session))


def _stop_at(plan: Plan, moves: Sequence[StopMove], session: date) -> Decimal | None:
    level = plan.stop
    for move in sorted(moves, key=lambda move: move.session):
        if move.session <= session:
            level = move.level
    return level


def _planned_entry(plan: Plan, bars: Sequence[Bar], costs: CostModel) -> Leg | None:
    side, _ = plan.sides
    for at, bar in enumerate(bars):
        if bar.session < plan.first or (plan.last is not None and bar.session > plan.last):
            continue
        found = _trade(plan.order_type, side, plan.entry, bar, costs)
        if found is not None:
            return Leg(at, *found)
    return None


def _exit(plan: Plan, bars: Sequence[Bar], entry: Leg, stop_at: Callable[[date], Decimal | None], costs: CostModel) -> Leg:
    """How a trade opened by `entry` ends by its stop, its target, or the last close."""
    _, side = plan.sides
    for at in range(entry.at, len(bars)):
        since = entry.price if at == entry.at else None
        stop = stop_at(bars[at].session)
        if stop is not None and (found := _trade(OrderType.STOP, side, stop, bars[at], costs, since=since)):
            return Leg(at, *found)
        if plan.target is not None and (since is None or entry.at_open):
            found = _trade(OrderType.LIMIT, side, plan.target, bars[at], costs, since=since)
            if found:
                return Leg(at, *found)
    return Leg(len(bars) - 1, costs.worse(bars[-1].close, side), at_open=False)


def _trade(
    order_type: OrderType, side: Side, level: Decimal | None, bar: Bar, costs: CostModel, *, since: Decimal | None = None
) -> tuple[Decimal, bool] | None:
    """Price and whether at the open; None where `bar` does not reach it. `since`: the price at which the order began to work
    within the bar, which takes the place of the open."""
    stop, limit = (level if order_type is kind else None for kind in (OrderType.STOP, OrderType.LIMIT))
    terms = (order_type, side, stop, limit, bar.open if since is None else since, bar.high, bar.low)
    price = at_open_price(*terms) if since is None else None
    at_open = price is not None
    price = price if at_open else intraday_price(*terms)
    if price is None:
        return None
    return (price if order_type is OrderType.LIMIT else costs.worse(price, side)), at_open
