"""Plans: what a person, an alert or the advisor means to trade, and what becomes of it.

A plan is ACTIVE until its order was accepted for sending (EXECUTED), its time is over (EXPIRED) or it was taken back
(CANCELLED). An order that is denied, at once or in the last look before it is sent, leaves the plan ACTIVE and says why; one
that waits for a confirmation leaves it ACTIVE until somebody confirms. Every order of a plan carries it (`Order.plan`), and
its terms are frozen with the order (`plan_freeze`).

Executing by hand: a PULLBACK sends a limit at its entry, a BREAKOUT a stop there, MARKET a market order, each for the day.
With `auto_execute` the price engine does it, once, when the price reaches the entry (`plan_rules.entry_level`): a PULLBACK
by a limit, so that it never pays more than its entry; the others at the market. An automatic try that comes to nothing
switches `auto_execute` off: it is for a person to try again.

Deleting hides a plan everywhere and keeps the row.
"""

from datetime import datetime
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import transaction

from quant_site.core import clock
from quant_site.core.errors import Conflict, InvalidInput, NotAllowed, NotFound, QuantError
from quant_site.core.models import Account
from quant_site.core.services import audit_record, event_publish
from quant_site.core.types import Direction, optional, price, quantity
from quant_site.market.execution import CostModel
from quant_site.market.models import Instrument
from quant_site.market.selectors import unknown_symbols
from quant_site.market.store import symbol_clean
from trading.intents.bar_marks import mark_ensure
from trading.intents.intent_tickets import intent_order, position_held
from trading.intents.plan_freeze import plan_freeze, plan_unfreeze
from trading.intents.plan_rules import RiskReward, entry_level, prices_check, quantity_check, risk_reward
from trading.models import Order, TradingPlan
from trading.order_path.orders import order_cancel_request
from trading.order_path.states import OPEN, OrderStatus
from trading.vocabulary import OrderType, Origin

Status, Kind = TradingPlan.Status, TradingPlan.Kind
PRICES = ("entry_price", "stop_loss", "take_profit")
TERMS = ("symbol", "direction", "plan_type", *PRICES, "quantity", "auto_execute", "expired_at", "reasoning")
ENGINE = "prices"
ACCEPTED = "ACCEPTED"
CAME_TO_NOTHING = (OrderStatus.DENIED, OrderStatus.CANCELLED, OrderStatus.EXPIRED)


def plan_event(plan: TradingPlan) -> dict:
    """What a client learns about a plan."""
    levels = {name: None if (value := getattr(plan, name)) is None else f"{value:f}" for name in (*PRICES, "quantity")}
    return {
        "id": plan.pk,
        "symbol": plan.symbol,
        "direction": plan.direction,
        "type": plan.plan_type,
        "status": plan.status,
        "reason": plan.status_reason,
        "auto_execute": plan.auto_execute,
        **levels,
    }


def plan_risk_reward(plan: TradingPlan) -> RiskReward:
    """Gain against risk, net of what trading costs by the default schedule."""
    return risk_reward(
        direction=plan.direction,
        plan_type=plan.plan_type,
        entry=plan.entry_price,
        stop=plan.stop_loss,
        target=plan.take_profit,
        quantity=plan.quantity,
        costs=CostModel(),
    )


def terms_clean(terms: dict) -> dict:
    """`terms` of a plan as they are stored, its type filled in; raises `InvalidInput` for what no plan can be."""
    clean = {**terms, "symbol": symbol_clean(terms["symbol"])}
    clean |= {name: optional(price, terms.get(name), f"The {name}") for name in PRICES}
    clean["quantity"] = optional(quantity, terms.get("quantity"))
    entry, expires = clean["entry_price"], clean.get("expired_at")
    clean["plan_type"] = terms.get("plan_type") or (Kind.MARKET if entry is None else Kind.PULLBACK)
    if clean["direction"] not in Direction.__members__ or clean["plan_type"] not in Kind.values:
        words = f"A plan is {', '.join(Direction)} and of the type {', '.join(Kind.values)}."
        raise InvalidInput("bad_plan", words, direction=clean["direction"], plan_type=clean["plan_type"])
    if entry is None and clean["plan_type"] != Kind.MARKET:
        raise InvalidInput("entry_missing", f"A {clean['plan_type']} needs an entry price; only MARKET goes without.", field="entry_price")
    prices_check(clean["direction"], entry, clean["stop_loss"], clean["take_profit"])
    quantity_check(clean["direction"], clean["quantity"])
    if expires is not None and expires <= clock.now():
        raise InvalidInput("already_expired", "The plan would have expired already: give a time that is still to come.", field="expired_at")
    symbol_tradable(clean["symbol"])
    return clean


def symbol_tradable(symbol: str) -> None:
    """Raise `InvalidInput` unless `symbol` has stored bars and can be traded."""
    for sentence in unknown_symbols([symbol]).values():
        raise InvalidInput("unknown_symbol", sentence, symbol=symbol)
    if not Instrument.objects.filter(pk=symbol, tradable=True).exists():
        raise InvalidInput("not_tradable", f"{symbol} cannot be traded: it is an index or was barred.", symbol=symbol)


def live_account(account: Account) -> None:
    """Raise `NotAllowed` for an account of a replay: what waits for prices of the live clock has no place there."""
    if account.is_replay:
        raise NotAllowed("replay_account", f"Account {account.pk} belongs to a replay: it never runs on the live clock.")


@transaction.atomic
def plan_create(
    *,
    account: Account,
    symbol: str,
    direction: str,
    actor,
    quantity: Decimal | None = None,
    entry_price: Decimal | None = None,
    stop_loss: Decimal | None = None,
    take_profit: Decimal | None = None,
    plan_type: str = "",
    reasoning: str = "",
    auto_execute: bool = False,
    expired_at: datetime | None = None,
    created_source: str = "MANUAL",
    ip_address: str = "",
) -> TradingPlan:
    """Write a plan; raises `InvalidInput` for terms that cannot be, `NotAllowed` on an account of a replay."""
    live_account(account)
    terms = {
        "symbol": symbol,
        "direction": direction,
        "quantity": quantity,
        "entry_price": entry_price,
        "stop_loss": stop_loss,
        "take_profit": take_profit,
        "plan_type": plan_type,
        "reasoning": reasoning,
        "auto_execute": auto_execute,
        "expired_at": expired_at,
    }
    plan = _checked(TradingPlan(account=account, created_source=created_source, **terms_clean(terms)))
    plan.save(force_insert=True)
    mark_ensure(plan.symbol)
    _told(plan, "CREATE", "created", actor, ip_address)
    return plan


@transaction.atomic
def plan_update(*, plan: TradingPlan, actor, changes: dict, ip_address: str = "") -> TradingPlan:
    """Set `changes` ({term: value}) of an active plan. Raises `Conflict` once it is over or its order waits, `InvalidInput`
    for terms that cannot be."""
    strange = sorted(set(changes) - set(TERMS))
    if strange:
        raise InvalidInput("fixed_field", f"{', '.join(strange)} of a plan cannot be changed.", fields=strange)
    row = plan_lock(plan.pk)
    _require_waiting(row)
    before = {name: getattr(row, name) for name in TERMS}
    after = before | changes
    if "plan_type" not in changes and ("entry_price" in changes) and (before["entry_price"] is None) != (changes["entry_price"] is None):
        after["plan_type"] = ""  # the entry came or went, and the type with it
    if "expired_at" not in changes and row.expired_at is not None and row.expired_at <= clock.now():
        raise Conflict("plan_expired", f"Plan {row.pk} has expired: give it a new time, or make another plan.", id=row.pk)
    clean = terms_clean(after)
    moved = {name: [str(before[name]), str(clean[name])] for name in TERMS if before[name] != clean[name]}
    if not moved:
        return row
    for name, value in clean.items():
        setattr(row, name, value)
    mark_ensure(row.symbol)
    return _save(_checked(row), "UPDATE", "changed", actor, ip_address, changes=moved)


@transaction.atomic
def plan_execute(*, plan: TradingPlan, actor, ip_address: str = "") -> Order:
    """Order what the plan says now, and answer the order: accepted (the plan is EXECUTED), DENIED, or waiting for a
    confirmation. Raises `Conflict` where the plan is over or has an order already, and what `intent_order` raises."""
    row = plan_lock(plan.pk)
    _require_waiting(row)
    if row.expired_at is not None and row.expired_at <= clock.now():
        raise Conflict("plan_expired", f"Plan {row.pk} has expired.", id=row.pk)
    return _execute(row, actor, ip_address, reached=False)


@transaction.atomic
def plan_execute_reached(*, plan_id: int, price: int, at: datetime) -> Order | None:
    """Execute a plan that waits for its price, if it still does and `price` (micros, seen at `at`) is one it waits for.

    None where it is not: another process was faster, or a person changed it. What cannot be ordered is written down.
    """
    row = TradingPlan.objects.select_for_update().filter(pk=plan_id, status=Status.ACTIVE, is_deleted=False, auto_execute=True).first()
    if row is None or row.updated_at >= at or (row.expired_at is not None and row.expired_at <= clock.now()) or _ordered(row):
        return None
    try:
        if not entry_level(row.plan_type, plan_sign(row), row.entry_price).reached(price):
            return None
        with transaction.atomic():
            return _execute(row, ENGINE, "", reached=True)
    except QuantError as error:
        _refuse(row, f"{error.code.upper()}: {error.message}", ENGINE, "")
        return None


def plan_sign(plan: TradingPlan) -> int:
    """1 where the plan's order buys, -1 where it sells; what closes asks what is held (`Conflict` where that is nothing)."""
    if plan.direction != Direction.CLOSE:
        return Direction(plan.direction).sign
    return -1 if position_held(account=plan.account, symbol=plan.symbol).quantity > 0 else 1


@transaction.atomic
def plan_cancel(*, plan: TradingPlan, actor, reason: str = "", ip_address: str = "") -> TradingPlan:
    """Take a plan back; its orders that are out are asked to be cancelled. What was filled before that stands. Doing it again
    changes nothing; raises `Conflict` where there is nothing left to take back."""
    row = plan_lock(plan.pk)
    if row.status == Status.CANCELLED:
        return row
    if row.status != Status.ACTIVE and not (row.status == Status.EXECUTED and _unfinished(row)):
        raise Conflict("plan_over", f"Plan {row.pk} is {row.status}: there is nothing to take back.", id=row.pk)
    _call_back(row, actor)
    row.status, row.status_reason = Status.CANCELLED, reason[:255]
    return _save(row, "CANCEL", "cancelled", actor, ip_address)


@transaction.atomic
def plan_delete(*, plan: TradingPlan, actor, ip_address: str = "") -> None:
    """Hide a plan; an active one executes no more. Raises `Conflict` while an order of it is out: cancel it first."""
    row = plan_lock(plan.pk)
    if _unfinished(row):
        raise Conflict("plan_has_orders", f"An order of plan {row.pk} is out: cancel the plan first.", id=row.pk)
    row.is_deleted = True
    _save(row, "DELETE", "deleted", actor, ip_address)


def plans_expire() -> int:
    """Expire active plans whose time is over; orders of them that still wait are taken back. Answers how many."""
    due = TradingPlan.objects.filter(status=Status.ACTIVE, expired_at__lte=clock.now(), is_deleted=False)
    return sum(_expire(pk) for pk in due.order_by("pk").values_list("pk", flat=True))


@transaction.atomic
def _expire(pk: int) -> bool:
    due = TradingPlan.objects.select_for_update().filter(pk=pk, status=Status.ACTIVE, expired_at__lte=clock.now(), is_deleted=False)
    row = due.first()
    if row is None:
        return False
    _call_back(row, "system")
    row.status, row.status_reason = Status.EXPIRED, ""
    _save(row, "EXPIRE", "expired", "system", "")
    return True


def plans_follow() -> int:
    """Let plans follow their orders: a confirmed one makes its plan EXECUTED, a denied one leaves it ACTIVE with the reason.

    Answers how many plans moved.
    """
    ours = Order.objects.filter(plan__isnull=False, plan__is_deleted=False).select_related("plan").order_by("pk")
    moving = (ours.filter(plan__status=Status.ACTIVE), ours.filter(plan__status=Status.EXECUTED, status=OrderStatus.DENIED))
    newest = {order.plan_id: order for orders in moving for order in orders}
    return sum(_follow(pk) for pk, order in sorted(newest.items()) if _news(order.plan, order))


@transaction.atomic
def _follow(pk: int) -> bool:
    row = TradingPlan.objects.select_for_update().filter(pk=pk, is_deleted=False).first()
    order = Order.objects.filter(plan=row).order_by("-pk").first() if row is not None else None
    news = _news(row, order) if order is not None else ""
    if news == ACCEPTED:
        _accepted(row, order, "system", "")
    elif news:
        _refuse(row, news, "system", "", order=order.pk)
    return bool(news)


def _news(row: TradingPlan, order: Order) -> str:
    """What the newest order of a plan tells that the plan does not know: ACCEPTED, or why it came to nothing; else ""."""
    if order.status == OrderStatus.DENIED:
        reason = order.status_reason or "The order was denied."
    elif order.status in (OrderStatus.CANCELLED, OrderStatus.EXPIRED) and not order.filled_quantity:
        reason = f"Order {order.pk} was not confirmed in time: it is {order.status}."
    else:
        return ACCEPTED if row.status == Status.ACTIVE and not _waits(order) else ""
    if row.status == Status.EXECUTED:
        return reason if order.status == OrderStatus.DENIED else ""
    known = row.status != Status.ACTIVE or row.status_reason == reason[:255] or row.updated_at > order.updated_at
    return "" if known else reason


def plan_lock(pk: int) -> TradingPlan:
    """The row of a plan that is not deleted, locked until the transaction ends; raises `NotFound`."""
    row = TradingPlan.objects.select_for_update().filter(pk=pk, is_deleted=False).first()
    if row is None:
        raise NotFound("not_found", f"There is no trading plan {pk}.")
    return row


# --- the parts


def _execute(row: TradingPlan, actor, ip_address: str, *, reached: bool) -> Order:
    order_type = _order_type(row, reached)
    plan_freeze(row)
    order = intent_order(
        actor=actor,
        account=row.account,
        symbol=row.symbol,
        direction=row.direction,
        quantity=row.quantity,
        key=f"plan:{row.pk}:{row.orders.count() + 1}",
        origin=Origin.PLAN,
        order_type=order_type,
        price=None if order_type is OrderType.MARKET else row.entry_price,
        stop_loss=row.stop_loss,
        take_profit=row.take_profit,
        plan=row,
    )
    again = row.auto_execute and not reached
    if order.status == OrderStatus.DENIED:
        _refuse(row, order.status_reason, actor, ip_address, again=again, order=order.pk)
    elif _waits(order):
        row.auto_execute = again
        row.status_reason = f"Order {order.pk} waits for a confirmation: {order.awaits}"[:255]
        _save(row, "EXECUTE", "waiting", actor, ip_address, order=order.pk)
    else:
        _accepted(row, order, actor, ip_address)
    return order


def _order_type(row: TradingPlan, reached: bool) -> OrderType:
    if row.plan_type == Kind.PULLBACK:
        return OrderType.LIMIT
    return OrderType.STOP if row.plan_type == Kind.BREAKOUT and not reached else OrderType.MARKET


def _accepted(row: TradingPlan, order: Order, actor, ip_address: str) -> None:
    row.status, row.status_reason, row.executed_at = Status.EXECUTED, "", clock.now()
    _save(row, "EXECUTE", "executed", actor, ip_address, order=order.pk)


def _refuse(row: TradingPlan, reason: str, actor, ip_address: str, *, again: bool = False, **details) -> None:
    """The plan stays, or is again, ACTIVE, for nothing of it was sent; unless `again`, it does not try by itself any more."""
    row.status, row.status_reason, row.auto_execute, row.executed_at = Status.ACTIVE, reason[:255], again, None
    plan_unfreeze(row)
    _save(row, "DENIED", "denied", actor, ip_address, **details)


def _require_waiting(row: TradingPlan) -> None:
    if row.status != Status.ACTIVE:
        raise Conflict("plan_over", f"Plan {row.pk} is {row.status}: make another one.", id=row.pk)
    if _unfinished(row):
        raise Conflict("plan_has_orders", f"An order of plan {row.pk} waits already: confirm it, or cancel the plan.", id=row.pk)
    if _ordered(row):
        raise Conflict("plan_frozen", f"The terms of plan {row.pk} are frozen since it was ordered: make another plan.", id=row.pk)


def _ordered(row: TradingPlan) -> bool:
    """Whether an order of the plan is out, or was filled before the plan heard of it. The freeze of one that came to nothing
    before that is lifted, on the row."""
    newest = row.orders.order_by("-pk").first()
    if newest is not None and newest.status in CAME_TO_NOTHING and not newest.filled_quantity:
        plan_unfreeze(row)
    return bool(row.frozen_hash) or bool(_unfinished(row))


def _waits(order: Order) -> bool:
    return order.status == OrderStatus.INTENT and bool(order.awaits) and order.confirmed_by_id is None


def _unfinished(row: TradingPlan) -> list[Order]:
    return list(row.orders.filter(status__in=OPEN).order_by("pk"))


def _call_back(row: TradingPlan, actor) -> None:
    for order in _unfinished(row):
        order_cancel_request(order=order, actor=actor)


def _checked(row: TradingPlan) -> TradingPlan:
    try:
        row.full_clean(exclude=["account"], validate_unique=False)
    except ValidationError as error:
        raise InvalidInput("invalid_plan", " ".join(error.messages), fields=error.message_dict) from error
    return row


def _save(row: TradingPlan, act: str, event: str, actor, ip_address: str, **details) -> TradingPlan:
    row.updated_at = clock.now()
    row.save()
    _told(row, act, event, actor, ip_address, **details)
    return row


def _told(row: TradingPlan, act: str, event: str, actor, ip_address: str, **details) -> None:
    told = plan_event(row) | details
    audit_record(action=f"PLAN_{act}", actor=actor, account=row.account_id, resource=row, details=told, ip_address=ip_address)
    event_publish(type=f"plan.{event}", payload=told, account=row.account_id)
