"""The order path: the one module that places, cancels and looks up orders at a broker.

An order is claimed (SENDING, with a lease and a fence) in a transaction that has committed before the first byte
leaves. Whatever happens then, nothing is sent twice: a claim that ended without an answer becomes UNKNOWN, and leaves
that only by the broker's evidence. The orders table is the queue: `orders_send_ready` sends what is unsent, in the
order it was created, `orders_resolve` clears up what a dead sender left, `orders_sync` takes in what the broker did.
"""

import logging
import os
import socket
import time
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from django.db import connection, transaction
from django.db.models import Q

from quant_site.core.errors import Conflict
from quant_site.core.models import Account
from quant_site.core.rows import lock_words, objects_read, rows_read
from quant_site.core.types import Side
from trading.brokers import base
from trading.brokers.base import Broker, BrokerOrder, BrokerRefused, OrderRequest
from trading.gate import GateView, refusal
from trading.models import Fill, Order, Position
from trading.order_evidence import evidence_apply, fills_known
from trading.order_rows import account_halt, order_advance, order_create, order_move, order_note, order_refresh
from trading.states import IN_FLIGHT, OPEN, UNSENT, WORKING, OrderStatus
from trading.vocabulary import LEAVING, REDUCING, Purpose, TimeInForce

__all__ = [
    "order_cancel",
    "order_create",
    "order_move",
    "order_send",
    "orders_recover",
    "orders_resolve",
    "orders_send_ready",
    "orders_sync",
]

logger = logging.getLogger(__name__)
LEASE = timedelta(seconds=30)
LEFT_BEHIND = (
    "account_id = %s AND status IN ('INTENT', 'READY', 'SENDING', 'UNKNOWN', 'ACKED', 'PARTIAL')"
    " AND (status NOT IN ('ACKED', 'PARTIAL') OR cancel_requested) LIMIT 1"
)
UNSENT_OLDEST_FIRST = "account_id = %s AND status IN ('INTENT', 'READY') ORDER BY id"
AT_BROKER = "account_id = %s AND status IN ('ACKED', 'PARTIAL')"
OPEN_AROUND = "account_id = %s AND symbol = %s AND id <> %s AND status IN ('INTENT', 'READY', 'SENDING', 'UNKNOWN', 'ACKED', 'PARTIAL')"
RELEASED = {"lease_owner": "", "lease_until": None}


def order_send(order: Order, broker: Broker) -> Order:
    """Send one unsent order and answer it as it stands then: ACKED, REJECTED, UNKNOWN, DENIED, or unsent still where its
    symbol waits for an UNKNOWN order. Raises `Conflict` when another process claimed it first."""
    if not _claim(order, broker):
        return order
    try:
        ack = broker.place(_request(order))
    except BrokerRefused as refused:
        return _conclude(order, OrderStatus.REJECTED, f"{refused.code}: {refused.message}", {"code": refused.code})
    except Exception as error:
        # Not known to be a refusal: the order may be there. Only evidence can tell.
        logger.exception("Order %s: the outcome of sending it is unknown.", order.pk)
        return _conclude(order, OrderStatus.UNKNOWN, f"{type(error).__name__} while sending", {"error": str(error)[:255]})
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
        handled.append(order)
    return handled


def orders_resolve(account: Account, broker: Broker, *, exclusive: bool = False) -> list[Order]:
    """Clear up after senders that died: claims whose lease ran out become UNKNOWN, UNKNOWN orders become what the broker
    proves, and requested cancels are asked for again.

    With `exclusive` the caller holds the account's loop lock: then no living process sends, and no lease is waited for.
    """
    unfinished = Q(status__in=IN_FLIGHT) | Q(status__in=WORKING, cancel_requested=True)
    orders = list(Order.objects.filter(unfinished, account=account).order_by("pk"))
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


def orders_sync(account: Account, broker: Broker, session: date) -> list[Fill]:
    """Take in what the broker did: moves, and fills of `session`. Answers all fills of the session, oldest first, those
    written earlier too, so that whoever books them misses none after a crash."""
    _outside_transaction()
    ours = {row[0]: row[1:] for row in rows_read(Order, ("client_order_id", "filled_quantity", "split_ratio"), AT_BROKER, account.pk)}
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


@transaction.atomic(durable=True)
def _claim(order: Order, broker: Broker) -> bool:
    """Make the order ours to send, or deny it. Durable: this has committed when the broker is called, or it raises."""
    [(state,)] = rows_read(Account, ("state",), f"id = %s{lock_words()}", order.account_id)
    columns = ("status", "purpose", "side", "quantity", "filled_quantity")
    others = rows_read(Order, columns, OPEN_AROUND, order.account_id, order.symbol, order.pk)
    if any(status == OrderStatus.UNKNOWN for status, *_ in others):
        return False
    reducing = order.purpose in REDUCING
    view = GateView(
        trading_state=state,
        mode=order.mode,
        broker_mode=broker.mode,
        purpose=order.purpose,
        reducing=reducing,
        quantity=order.quantity,
        claims=order.fence,
        against=Decimal(0) if reducing else _against(order, others),
    )
    reason = refusal(view)
    if reason:
        order_move(order, OrderStatus.DENIED, reason=reason)
        return False
    ready = [(OrderStatus.READY, "", {})] if order.status == OrderStatus.INTENT else []
    fence = order.fence + 1
    order_advance(
        order,
        [*ready, (OrderStatus.SENDING, "", {"fence": fence})],
        fence=fence,
        lease_owner=f"{socket.gethostname()}:{os.getpid()}"[:64],
        lease_until=_wall() + LEASE,
    )
    return True


def _against(order: Order, others: list[tuple]) -> Decimal:
    """What of the symbol is on the other side: held and not being closed, or about to be opened."""
    sign = Side(order.side).sign
    positions = rows_read(
        Position, ("quantity",), "account_id = %s AND symbol = %s AND exit_session IS NULL", order.account_id, order.symbol
    )
    held = sum((row[0] for row in positions), Decimal(0))
    for _, purpose, side, quantity, filled in others:
        if purpose in LEAVING:
            held += Side(side).sign * (quantity - filled)
    entering = sum(
        (row[3] - row[4] for row in others if row[1] == Purpose.ENTRY and Side(row[2]).sign != sign),
        Decimal(0),
    )
    return max(Decimal(0), -sign * held) + entering


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
        order_move(order, OrderStatus.UNKNOWN, reason="SENDER_DIED", evidence={"owner": order.lease_owner}, **RELEASED)
    if order.status == OrderStatus.UNKNOWN:
        _resolve_unknown(order, broker)
    if order.status in WORKING and order.cancel_requested:
        _cancel_at_broker(order, broker)


def _resolve_unknown(order: Order, broker: Broker) -> None:
    _outside_transaction()
    evidence = broker.find(order.account_id, order.client_order_id, order.fence)
    found = evidence.found
    if found is not None and found.status == base.REJECTED:
        order_move(order, OrderStatus.REJECTED, reason=found.reason, evidence=_told(found))
    elif found is not None:
        # Whether it was filled or ended since is for `orders_sync`, which brings the fills with it.
        order_move(order, OrderStatus.ACKED, evidence=_told(found), broker_order_id=found.broker_order_id)
    elif evidence.final:
        order_move(order, OrderStatus.READY, evidence={"found": False, "final": True, "fence": order.fence})
        if order.cancel_requested:
            order_move(order, OrderStatus.CANCELLED, reason="REQUESTED")


def _cancel_at_broker(order: Order, broker: Broker) -> Order:
    _outside_transaction()
    broker.cancel(order.account_id, order.client_order_id)
    reports = broker.orders(order.account_id, [order.client_order_id])
    evidence_apply(order.account_id, reports, [])
    return order_refresh(order)


def _is_news(report: BrokerOrder, filled: Decimal, split_ratio: Decimal) -> bool:
    return report.status != base.WORKING or report.filled_quantity != filled or report.split_ratio != split_ratio


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
