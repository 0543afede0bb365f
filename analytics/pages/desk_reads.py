"""What the page of risk shows: what waits for somebody, what is held and what it can lose, and what the rules say to it.

Market data may be missing while an order waits for a person: each part is read by itself, and one that fails says why.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

from django.db.models import Prefetch

from analytics.pages import desk_exposure
from quant_site.core.errors import QuantError
from quant_site.core.models import Account
from quant_site.core.stepup import payload_hash
from quant_site.market.panel import Panel
from quant_site.market.selectors import panel_load
from strategies.risk import exposure_report
from trading.api.exposure import last_close
from trading.control.symbol_halts import clear_payload
from trading.exposure.assessment import positions_assess
from trading.exposure.context import risk_context_build, risk_limits
from trading.exposure.option_exposure import option_exposure
from trading.models import Order, OrderEvent, Position, Reconciliation
from trading.order_path.settling import OUTCOMES, PROPOSED, settle_payload
from trading.order_path.states import OPEN, UNSENT, WORKING, OrderStatus
from trading.order_path.tickets import order_notional, order_payload
from trading.vocabulary import PROTECTIVE, OrderType, Origin

logger = logging.getLogger(__name__)
EVENTS = Prefetch("events", OrderEvent.objects.order_by("sequence"))


@dataclass(frozen=True)
class Part:
    """A part of the page, or the sentence that stands in its place."""

    data: dict = field(default_factory=dict)
    error: str = ""


def part(account: Account, read: Callable[[], dict]) -> Part:
    """What `read` answers; what it raises becomes the sentence."""
    try:
        return Part(read())
    except QuantError as error:
        return Part(error=error.message)
    except Exception as error:
        logger.exception("A part of the page of risk of account %s could not be read.", account.pk)
        return Part(error=type(error).__name__)


# --- what waits for somebody


def orders_awaiting(account: Account) -> list[Order]:
    """Unsent orders that wait for a confirmation, the oldest first; `seen` is what it is bound to, by its hash."""
    rows = Order.objects.filter(account=account, status__in=UNSENT, confirmed_by=None).exclude(awaits="")
    orders = list(rows.select_related("account", "plan").order_by("pk"))
    for order in orders:
        order.seen, order.notional = payload_hash(order_payload(order)), order_notional(order)
    return orders


def orders_unknown(account: Account, user) -> list[Order]:
    """Orders whose outcome nobody knows, with what is known: `lost` is the event, `proposal` what somebody saw."""
    rows = Order.objects.filter(account=account, status=OrderStatus.UNKNOWN)
    orders = list(rows.prefetch_related(EVENTS).order_by("pk"))
    for order in orders:
        events = list(order.events.all())
        order.lost = next(
            (each for each in reversed(events) if each.to_status == OrderStatus.UNKNOWN and each.from_status != each.to_status), None
        )
        proposed = next((each for each in reversed(events) if each.reason == PROPOSED), None)
        order.proposal = proposed and {**proposed.evidence, "at": proposed.at}
        order.proposed_here = proposed is not None and proposed.evidence["by"] == user.get_username()
        if proposed is not None:
            payload = settle_payload(order, proposed.evidence["outcome"], proposed.evidence["broker_order_id"])
            order.seen = payload_hash(payload)
    return orders


def halts_open(account: Account) -> list:
    """Symbols that wait for a person, the oldest first."""
    halts = list(account.symbol_halts.exclude(open_key=None).order_by("pk"))
    for halt in halts:
        halt.seen = payload_hash(clear_payload(halt))
    return halts


def orders_open(account: Account) -> list[Order]:
    """Every open order, the newest first. `level` is the price that can be changed, `changeable` whether a change would last:
    what protects a position follows that position, and what was placed elsewhere may only be cancelled."""
    rows = Order.objects.filter(account=account, status__in=OPEN).select_related("signal__strategy", "position__strategy")
    orders = list(rows.prefetch_related(EVENTS).order_by("-pk"))
    for order in orders:
        order.level = {OrderType.LIMIT: "limit_price", OrderType.STOP: "stop_price"}.get(order.order_type, "")
        order.level_value = getattr(order, order.level) if order.level else None
        ours = order.origin != Origin.EXTERNAL and order.purpose not in PROTECTIVE
        order.changeable = ours and order.status in WORKING and not order.cancel_requested
    return orders


def reconciliation_last(account: Account) -> Reconciliation | None:
    return Reconciliation.objects.filter(account=account).order_by("-pk").first()


def waiting(account: Account, user) -> dict:
    """What somebody has to look at, and the orders that are out."""
    found = {"awaiting": orders_awaiting(account), "unknown": orders_unknown(account, user), "halts": halts_open(account)}
    return {
        **found,
        "waits": sum(map(len, found.values())),
        "open_orders": orders_open(account),
        "reconciliation": reconciliation_last(account),
        "outcomes": list(OUTCOMES),
    }


# --- what is held, and what it can lose


@dataclass(frozen=True)
class Market:
    """The stored bars and the session at whose close the account stands."""

    panel: Panel
    session: date


def market_of(account: Account) -> Market:
    panel = panel_load()
    return Market(panel, last_close(account, panel))


def exposure(account: Account, market: Market) -> dict:
    """Figures beside their limits, sectors, and the grid of shocks."""
    context = risk_context_build(account=account, session=market.session, panel=market.panel)
    report, limits = exposure_report(context), risk_limits(account)
    held = bool(context.share_values or context.option_counts)
    columns, rows = desk_exposure.grid(report.stress.cells, report.stress.worst)
    return {
        "session": market.session,
        "equity": report.equity,
        "held": held,
        "usages": desk_exposure.usages(report, limits, largest=desk_exposure.largest_name(context), options=bool(context.option_counts)),
        "sectors": desk_exposure.sectors(report.by_sector, report.equity, limits.max_sector_pct),
        "columns": columns,
        "grid": rows,
        "stress": report.stress,
    }


def options(account: Account, market: Market) -> dict:
    found = option_exposure(account=account, panel=market.panel, session=market.session)
    return {"underlyings": found.underlyings, "total": found.total, "flags": found.flags, "warnings": found.warnings}


def assessments(account: Account, market: Market) -> dict:
    trades = positions_assess(account=account, panel=market.panel, session=market.session)
    return {"trades": trades, "session": market.session}


def risk_parts(account: Account) -> dict[str, Part]:
    """`exposure`, `options` and `assessment`. Without market data each says so."""
    known = part(account, lambda: {"market": market_of(account)})
    readers = {"exposure": exposure, "options": options, "assessment": assessments}
    if known.error:
        return dict.fromkeys(readers, known)
    market = known.data["market"]
    return {name: part(account, lambda read=read: read(account, market)) for name, read in readers.items()}


# --- the order that was just written, and the position that a ticket closes


def order_shown(account: Account, number: str) -> Order | None:
    """The order that the page was led back to, with the checks that denied it."""
    if not number.isdecimal():
        return None
    order = Order.objects.filter(account=account, pk=int(number)).prefetch_related(EVENTS).first()
    if order is not None:
        events = list(order.events.all())
        order.violations = events[-1].evidence.get("violations", []) if events else []
    return order


def position_open(account: Account, number: str) -> Position | None:
    """The open position that a ticket closes."""
    return Position.objects.filter(account=account, exit_session=None, pk=int(number)).first() if number.isdecimal() else None
