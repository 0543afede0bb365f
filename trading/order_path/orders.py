"""The order path: the one module that places, cancels and looks up orders at a broker.

An order is claimed (SENDING, with a lease and a fence) in a transaction that has committed before the first byte
leaves. Whatever happens then, nothing is sent twice: a claim that ended without an answer becomes UNKNOWN, and leaves
that only by the broker's evidence. The orders table is the queue: `orders_send_ready` sends what is unsent, in the
order it was created, `orders_resolve` clears up what a dead sender left, `orders_sync` takes in what the broker did.
"""

import logging
import time
from datetime import UTC, date, datetime
from decimal import Decimal

from django.db import connection, transaction
from django.db.models import Q

from quant_site.core.errors import Conflict, QuantError
from quant_site.core.models import Account
from quant_site.core.rows import objects_read, rows_read
from quant_site.core.services import audit_record
from quant_site.core.types import price
from trading.brokers import base
from trading.brokers.base import Broker, BrokerOrder, BrokerRefused, OrderLeg, OrderRequest
from trading.models import Fill, Order
from trading.order_path.evidence import evidence_apply, fills_known
from trading.order_path.gate import Wait
from trading.order_path.rows import account_halt, order_create, order_move, order_note, order_refresh
from trading.order_path.send_step import Outside, change_verdict, look_outside, order_claim
from trading.order_path.states import IN_FLIGHT, OPEN, UNSENT, WORKING, OrderStatus
from trading.order_path.unknown import unknown_end, unknown_tell
from trading.vocabulary import REDUCING, TimeInForce

__all__ = [
    "order_cancel",
    "order_cancel_request",
    "order_create",
    "order_modify",
    "order_move",
    "order_send",
    "orders_recover",
    "orders_resolve",
    "orders_send_ready",
    "orders_sync",
]

logger = logging.getLogger(__name__)
LEFT_BEHIND = (
    "account_id = %s AND status IN ('INTENT', 'READY', 'SENDING', 'UNKNOWN', 'ACKED', 'PARTIAL')"
    " AND (status NOT IN ('ACKED', 'PARTIAL') OR cancel_requested OR wanted <> '{}') LIMIT 1"
)
UNSENT_OLDEST_FIRST = "account_id = %s AND status IN ('INTENT', 'READY') ORDER BY id"
# What is compared of a working order with the broker's word; the names are the same in both.
NEWS = ("client_order_id", "filled_quantity", "split_ratio", "quantity", "limit_price", "stop_price")
AT_BROKER = "account_id = %s AND status IN ('ACKED', 'PARTIAL')"
RELEASED = {"lease_owner": "", "lease_until": None}


def order_send(order: Order, broker: Broker) -> Order:
    """Send one unsent order and answer it as it stands then: ACKED, REJECTED, UNKNOWN, DENIED, or unsent still where it has
    to wait. Raises `Conflict` when another process claimed it first, and what the broker raises before anything is sent."""
    _outside_transaction()
    if not order_claim(order, broker, look_outside(order, broker)):
        return order
    try:
        ack = broker.place(_request(order))
    except BrokerRefused as refused:
        return _conclude(order, OrderStatus.REJECTED, f"{refused.code}: {refused.message}", {"code": refused.code})
    except Exception as error:
        # Not known to be a refusal: the order may be there. Only evidence can tell.
        logger.exception("Order %s: the outcome of sending it is unknown.", order.pk)
        with transaction.atomic():
            _conclude(order, OrderStatus.UNKNOWN, f"{type(error).__name__} while sending", {"error": str(error)[:255]})
            _alarm(order, broker)
        return order
    return _conclude(order, OrderStatus.ACKED, "", {}, broker_order_id=ack.broker_order_id)


def orders_send_ready(account: Account, broker: Broker, *, session: date | None = None) -> list[Order]:
    """Send what is unsent, oldest first. DAY orders made before `session` are too late: they expire."""
    handled = []
    for order in objects_read(Order, UNSENT_OLDEST_FIRST, account.pk):
        try:
            if session and order.time_in_force == TimeInForce.DAY and order.session < session:
                order_move(order, OrderStatus.EXPIRED, reason="NOT_SENT_IN_TIME")
            else:
                order_send(order, broker)
        except Conflict:
            logger.warning("Order %s was taken by another process.", order.pk)
        except QuantError as error:
            # Raised before anything was sent: the order stays as it is, and the next round tries again.
            logger.warning("Order %s is not sent now: %s", order.pk, error.message)
        handled.append(order)
    return handled


def orders_resolve(account: Account, broker: Broker, *, exclusive: bool = False) -> list[Order]:
    """Clear up after senders that died: claims whose lease ran out become UNKNOWN, UNKNOWN orders become what the broker
    proves, and requested cancels and changes are asked for.

    With `exclusive` the caller holds the account's loop lock: then no living process sends, and no lease is waited for.
    """
    asked = Q(status__in=WORKING) & (Q(cancel_requested=True) | ~Q(wanted={}))
    orders = list(Order.objects.filter(Q(status__in=IN_FLIGHT) | asked, account=account).order_by("pk"))
    for order in orders:
        try:
            _resolve(order, broker, exclusive)
        except Conflict:
            logger.warning("Order %s was resolved by another process.", order.pk)
        except Exception:
            # It stays as it is: the next sweep asks again.
            logger.exception("Order %s could not be resolved.", order.pk)
    return orders


def orders_recover(account: Account, broker: Broker, *, session: date) -> None:
    """What every stage that touches orders begins with, under the account's loop lock: finish what a dead process left."""
    if rows_read(Order, ("id",), LEFT_BEHIND, account.pk):
        orders_resolve(account, broker, exclusive=True)
        orders_send_ready(account, broker, session=session)


def order_cancel(order: Order, broker: Broker, *, reason: str = "") -> Order:
    """Ask for a cancel and answer the order as it stands then: a fill that came first wins.

    What was never sent is cancelled at once; what is in flight, when it is resolved; the wish is written down first.
    """
    if order.status in UNSENT:
        return order_move(order, OrderStatus.CANCELLED, reason=reason or "REQUESTED")
    if order.status not in OPEN:
        return order
    if not order.cancel_requested:
        order_note(order, "CANCEL_REQUESTED", {"why": reason}, cancel_requested=True)
    return order if order.status in IN_FLIGHT else _cancel_at_broker(order, broker)


@transaction.atomic
def order_cancel_request(*, order: Order, actor, reason: str = "", ip_address: str = "") -> Order:
    """A person, or a part of the system that calls no broker, wants the order gone. What was never sent is cancelled here;
    for the rest the wish is written down, and whoever sends next asks the broker."""
    if order.status not in OPEN or order.cancel_requested:
        return order
    audit_record(
        action="ORDER_CANCEL", actor=actor, account=order.account_id, resource=order, details={"why": reason}, ip_address=ip_address
    )
    if order.status in UNSENT:
        return order_move(order, OrderStatus.CANCELLED, reason=reason or "REQUESTED")
    return order_note(order, "CANCEL_REQUESTED", {"why": reason}, cancel_requested=True)


def order_modify(order: Order, broker: Broker) -> str | None:
    """Ask the broker for the change that is wanted of a working order; answers why it was refused, None where it was not.

    A cancel that was asked for wins, and so does a fill. A change that would open more than the limits allow is not asked for.
    """
    _outside_transaction()
    if order.status not in WORKING or order.cancel_requested or not order.wanted:
        return None
    wanted = wanted_values(order)
    found = change_verdict(order, wanted, broker, look_outside(order, broker) if order.purpose not in REDUCING else Outside())
    if isinstance(found, Wait):
        return None  # what works keeps working, and the wish is looked at again
    refused = None if found is None else found.reason
    if refused is None:
        try:
            broker.modify(order.account_id, order.client_order_id, **wanted)
        except BrokerRefused as error:
            refused = f"{error.code}: {error.message}"
    if refused is not None:
        order_note(order, "CHANGE_REFUSED", {"wanted": order.wanted, "why": refused}, wanted={})
        return refused
    order_note(order, "CHANGE_SENT", {"wanted": order.wanted}, wanted={})
    evidence_apply(order.account_id, broker.orders(order.account_id, [order.client_order_id]), [])
    order_refresh(order)
    return None


def orders_sync(account: Account, broker: Broker, session: date) -> list[Fill]:
    """Take in what the broker did: moves, and fills of `session`. Answers all fills of the session, oldest first, those
    written earlier too, so that whoever books them misses none after a crash."""
    _outside_transaction()
    ours = {row[0]: row[1:] for row in rows_read(Order, NEWS, AT_BROKER, account.pk)}
    reports = broker.orders(account.pk, ours) if ours else {}
    executions = broker.fills(account.pk, session)
    for lost in sorted(set(ours) - set(reports)):
        account_halt(account.pk, "ORDER_LOST", f"The broker does not know order {lost}, which it had acknowledged.", order=lost)
    news = {key: report for key, report in reports.items() if _is_news(report, *ours[key])}
    known = fills_known(account.pk, executions)
    fresh = [item for item in executions if item.fill_id not in known]
    if news or fresh:
        filled_elsewhere = {item.client_order_id for item in fresh} - set(reports)
        if filled_elsewhere:
            news |= broker.orders(account.pk, filled_elsewhere)
        evidence_apply(account.pk, news, fresh)
    return objects_read(Fill, "account_id = %s AND session = %s ORDER BY id", account.pk, session) if executions else []


# --- the parts


def _alarm(order: Order, broker: Broker) -> None:
    """Tell of an outcome that nobody knows, once. A simulated broker proves every outcome at the next look."""
    if not broker.simulated and order.status == OrderStatus.UNKNOWN:
        unknown_tell(order)


def _request(order: Order) -> OrderRequest:
    return OrderRequest(
        client_order_id=order.client_order_id,
        account_id=order.account_id,
        symbol=order.symbol,
        side=order.side,
        order_type=order.order_type,
        time_in_force=order.time_in_force,
        quantity=order.quantity,
        limit_price=order.limit_price,
        stop_price=order.stop_price,
        oca_group=order.oca_group,
        reducing=order.purpose in REDUCING,
        session=order.session,
        fence=order.fence,
        legs=tuple(OrderLeg(leg["symbol"], leg["side"], leg["ratio"]) for leg in order.legs),
        reserved_id=order.reserved_id,
    )


def _conclude(order: Order, to: OrderStatus, reason: str, evidence: dict, **fields) -> Order:
    """Write down how a send ended. Where the claim was taken over meanwhile, its new holder decides by evidence."""
    try:
        return order_move(order, to, reason=reason, evidence=evidence, **fields, **RELEASED)
    except Conflict:
        logger.warning("Order %s: the claim was taken over before its outcome (%s) was written.", order.pk, to)
        return order_refresh(order)


def _resolve(order: Order, broker: Broker, exclusive: bool) -> None:
    if order.status == OrderStatus.SENDING:
        if not exclusive and order.lease_until is not None and order.lease_until > _wall():
            return
        with transaction.atomic():
            order_move(order, OrderStatus.UNKNOWN, reason="SENDER_DIED", evidence={"owner": order.lease_owner}, **RELEASED)
            _alarm(order, broker)
    if order.status == OrderStatus.UNKNOWN:
        _resolve_unknown(order, broker)
    if order.status in WORKING and order.cancel_requested:
        _cancel_at_broker(order, broker)
    elif order.status in WORKING and order.wanted:
        order_modify(order, broker)


def _resolve_unknown(order: Order, broker: Broker) -> None:
    _outside_transaction()
    evidence = broker.find(order.account_id, order.client_order_id, order.fence)
    found = evidence.found
    if found is not None and found.status == base.REJECTED:
        order_move(order, OrderStatus.REJECTED, reason=found.reason, evidence=_told(found), broker_order_id=found.broker_order_id)
    elif found is not None:
        # Whether it was filled or ended since is for `orders_sync`, which brings the fills with it.
        order_move(order, OrderStatus.ACKED, evidence=_told(found), broker_order_id=found.broker_order_id)
    elif evidence.final:
        order_move(order, OrderStatus.READY, evidence={"found": False, "final": True, "fence": order.fence})
        if order.cancel_requested:
            order_move(order, OrderStatus.CANCELLED, reason="REQUESTED")
    if not broker.simulated and order.status != OrderStatus.UNKNOWN:
        unknown_end(order)


def _cancel_at_broker(order: Order, broker: Broker) -> Order:
    _outside_transaction()
    broker.cancel(order.account_id, order.client_order_id)
    reports = broker.orders(order.account_id, [order.client_order_id])
    evidence_apply(order.account_id, reports, [])
    return order_refresh(order)


def wanted_values(order: Order) -> dict:
    """Quantity and prices of the order with the change that is wanted of it."""
    names = ("quantity", "limit_price", "stop_price")
    return {name: price(order.wanted[name]) if name in order.wanted else getattr(order, name) for name in names}


def _is_news(report: BrokerOrder, *known: Decimal | None) -> bool:
    """Whether the broker says anything of a working order that is not written here (`NEWS` but its id)."""
    return report.status != base.WORKING or tuple(getattr(report, name) for name in NEWS[1:]) != known


def _told(found: BrokerOrder) -> dict:
    return {"found": True, "status": found.status, "filled": str(found.filled_quantity)}


def _outside_transaction() -> None:
    """No broker is called within a transaction: it could roll back what the broker has done. The one that a test case
    wraps around each test is none of ours (Django's own durability check tells them apart the same way)."""
    blocks = connection.atomic_blocks
    if blocks and not blocks[-1]._from_testcase:
        raise RuntimeError("A broker was about to be called within a transaction.")


def _wall() -> datetime:
    """Leases guard processes, so they run on the wall clock also when the loop's clock is virtual."""
    return datetime.fromtimestamp(time.time(), UTC)
