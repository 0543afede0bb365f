"""What prices did to alerts, written down; and what an alert does when it has fired.

A crossing is written by a compare-and-set on the side and the count it was matched against (`Move`), so of several processes
that see it exactly one records it, and one that died before it recorded sees it again. What a firing is for (a plan, an order)
is done after that, once, in a transaction of its own.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db import transaction

from quant_site.core import clock
from quant_site.core.errors import Conflict, QuantError
from quant_site.core.rows import rows_insert, rows_update
from quant_site.core.services import event_publish, events_publish
from quant_site.core.types import OrderType
from quant_site.market.sessions import last_completed_session, session_open
from trading.intents.alert_rules import amount_of
from trading.intents.alerts import alert_event, watched_terms
from trading.intents.bar_marks import trades_by_session
from trading.intents.intent_tickets import intent_order
from trading.intents.plans import plan_create
from trading.models import AlertFiring, PriceAlert, TradingPlan, WatchedBar
from trading.order_path.states import OrderStatus
from trading.vocabulary import Origin

Action, Outcome = PriceAlert.Action, AlertFiring.Outcome
ACTOR = "alerts"
ACTS_WITHIN = timedelta(minutes=15)
BARS_WATCHED = "bars.watched"
AT_ONCE = 5000


@dataclass(frozen=True, slots=True)
class Move:
    """An alert changes sides at a price. It holds if the row still is what it was matched against: `terms` (see
    `watched_terms`), `count` and `was`."""

    alert_id: int
    symbol: str
    terms: tuple
    count: int
    was: bool | None
    beyond: bool
    fires: bool
    price: Decimal
    at: datetime


@dataclass(frozen=True, slots=True)
class Mark:
    """The bar of `session` became ticks; it holds if the one before was `before`."""

    before: date
    session: date
    close: Decimal


@dataclass
class Recorded:
    """How many firings were written, and which alerts and symbols were not as they were matched: read them again."""

    fired: int = 0
    stale_alerts: set[int] = field(default_factory=set)
    stale_symbols: set[str] = field(default_factory=set)


@transaction.atomic
def moves_record(*, moves: list[Move], marks: dict[str, Mark] | None = None) -> Recorded:
    """Write what ticks did to alerts, and the bars they came from, in one transaction.

    A move that no longer holds is left out, and so is everything of a symbol whose mark another process has set.
    """
    recorded = Recorded(stale_symbols=_marks_move(marks or {}))
    rows = _alerts_lock(sorted({move.alert_id for move in moves}))
    counts = {pk: row.trigger_count for pk, row in rows.items()}
    firings, moved = [], set()
    for move in moves:
        row = rows.get(move.alert_id)
        if move.symbol in recorded.stale_symbols or row is None or not _holds(move, row):
            recorded.stale_alerts.add(move.alert_id)
            continue
        moved.add(row.pk)
        firings += _apply(move, row)
    _alerts_write([rows[pk] for pk in sorted(moved)], counts)
    rows_insert(firings)
    _firings_tell(firings)
    _marks_tell({symbol: mark for symbol, mark in (marks or {}).items() if symbol not in recorded.stale_symbols})
    recorded.fired = len(firings)
    return recorded


def _marks_move(marks: dict[str, Mark]) -> set[str]:
    """Set the marks that are where they were; answers the symbols whose mark is not."""
    known = dict(WatchedBar.objects.select_for_update().filter(pk__in=marks).order_by("pk").values_list("symbol", "session"))
    stale = {symbol for symbol, mark in marks.items() if known.get(symbol) != mark.before}
    rows_update(
        WatchedBar, ("session", "close"), [(mark.session, mark.close, symbol) for symbol, mark in marks.items() if symbol not in stale]
    )
    return stale


def _alerts_lock(ids: list[int]) -> dict[int, PriceAlert]:
    parts = (ids[first : first + AT_ONCE] for first in range(0, len(ids), AT_ONCE))
    return {row.pk: row for part in parts for row in PriceAlert.objects.select_for_update().filter(pk__in=part).order_by("pk")}


def _holds(move: Move, row: PriceAlert) -> bool:
    watched = row.is_active and not row.is_deleted and watched_terms(row) == move.terms
    return watched and (row.trigger_count, row.is_beyond) == (move.count, move.was)


def _apply(move: Move, row: PriceAlert) -> list[AlertFiring]:
    row.is_beyond = move.beyond
    if not move.fires:
        return []
    row.trigger_count, row.triggered_at = row.trigger_count + 1, move.at
    row.is_active = not row.action_params.get("once", False)
    outcome = Outcome.NOTIFIED if row.action_type == Action.NOTIFY_ONLY else Outcome.PENDING
    return [AlertFiring(alert=row, crossing=row.trigger_count, price=move.price, at=row.triggered_at, outcome=str(outcome))]


def _alerts_write(rows: list[PriceAlert], counts: dict[int, int]) -> None:
    columns = ("is_beyond", "trigger_count", "triggered_at", "is_active")
    values = [(*(getattr(row, name) for name in columns), row.pk, counts[row.pk]) for row in rows]
    if rows and rows_update(PriceAlert, columns, values, where="trigger_count = %s") != len(rows):
        raise Conflict("alerts_moved", "Some of these alerts were moved by another process: read them again.")


def _firings_tell(firings: list[AlertFiring]) -> None:
    by_account = defaultdict(list)
    for firing in firings:
        by_account[firing.alert.account_id].append(("alert.fired", _firing_event(firing)))
    for account_id, events in by_account.items():
        events_publish(events, account=account_id)


def _marks_tell(marks: dict[str, Mark]) -> None:
    """Other processes that watch the same symbols look at the rows again."""
    for session in sorted({mark.session for mark in marks.values()}):
        symbols = sorted(symbol for symbol, mark in marks.items() if mark.session == session)
        event_publish(type=BARS_WATCHED, payload={"session": str(session), "symbols": symbols})


def _firing_event(firing: AlertFiring) -> dict:
    seen = {"crossing": firing.crossing, "price": f"{firing.price:f}", "at": firing.at.isoformat()}
    return alert_event(firing.alert) | seen | {"outcome": firing.outcome, "detail": firing.detail}


# --- What a firing is for


def firings_pending() -> list[int]:
    """Firings whose action is still to be done, the oldest first."""
    return list(AlertFiring.objects.filter(outcome=Outcome.PENDING).order_by("pk").values_list("pk", flat=True))


@transaction.atomic
def firing_act(*, firing_id: int) -> AlertFiring | None:
    """Do what a pending firing is for, and write down what came of it; None where another process has done it.

    What cannot be done is REFUSED with the reason, and so is what comes too late: the price is another one by then.
    """
    firing = AlertFiring.objects.select_for_update().filter(pk=firing_id, outcome=Outcome.PENDING).first()
    if firing is None:
        return None
    act = {Action.NOTIFY_ONLY: _notify, Action.CREATE_PLAN: _create_plan, Action.AUTO_TRADE: _auto_trade}[firing.alert.action_type]
    try:
        _require_timely(firing)
        with transaction.atomic():
            act(firing)
    except QuantError as error:
        firing.outcome, firing.detail = Outcome.REFUSED, f"{error.code.upper()}: {error.message}"[:255]
    firing.save(update_fields=["outcome", "detail", "plan", "order"])
    event_publish(type="alert.acted", payload=_firing_event(firing), account=firing.alert.account_id)
    return firing


def _require_timely(firing: AlertFiring) -> None:
    """An action follows its price within minutes; where a simulated broker trades by sessions, before the next one closes."""
    if firing.alert.is_deleted:
        raise Conflict("alert_deleted", "The alert was deleted before its action was done.")
    now, by_session = clock.now(), trades_by_session(firing.alert.account)
    if firing.at < (session_open(last_completed_session(now)) if by_session else now - ACTS_WITHIN):
        raise Conflict("too_late", f"The price crossed at {firing.at:%Y-%m-%d %H:%M} UTC, too long before its action could be done.")


def _notify(firing: AlertFiring) -> None:
    firing.outcome, firing.detail = Outcome.NOTIFIED, ""


def _auto_trade(firing: AlertFiring) -> None:
    alert, params = firing.alert, firing.alert.action_params
    order = intent_order(
        actor=ACTOR,
        account=alert.account,
        symbol=alert.symbol,
        direction=params["direction"],
        quantity=amount_of(params, "quantity"),
        key=f"alert:{alert.pk}:{firing.crossing}",
        origin=Origin.ALERT,
        order_type=OrderType(params.get("order_type", "MKT")),
        price=amount_of(params, "limit_price"),
        stop_loss=amount_of(params, "stop_loss"),
        take_profit=amount_of(params, "take_profit"),
    )
    firing.order = order
    firing.outcome, firing.detail = Outcome.ORDERED, ""
    if order.status == OrderStatus.DENIED:
        firing.outcome, firing.detail = Outcome.REFUSED, order.status_reason
    elif order.awaits:
        firing.detail = f"The order waits for a confirmation: {order.awaits}"[:255]


def _create_plan(firing: AlertFiring) -> None:
    alert, params = firing.alert, firing.alert.action_params
    kind = params.get("plan_type", TradingPlan.Kind.PULLBACK)
    entry = amount_of(params, "entry_price") or (None if kind == TradingPlan.Kind.MARKET else firing.price)
    days = params.get("valid_days")
    firing.plan = plan_create(
        account=alert.account,
        symbol=alert.symbol,
        direction=params["direction"],
        actor=ACTOR,
        quantity=amount_of(params, "quantity"),
        entry_price=entry,
        stop_loss=amount_of(params, "stop_loss"),
        take_profit=amount_of(params, "take_profit"),
        plan_type=kind,
        reasoning=f"{alert} fired at {firing.price.normalize():f}.",
        auto_execute=params.get("auto_execute", False),
        expired_at=None if days is None else clock.now() + timedelta(days=days),
        created_source="ALERT",
    )
    firing.outcome, firing.detail = Outcome.PLANNED, ""
