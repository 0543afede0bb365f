"""An order whose outcome the broker does not tell: what became of it by the word of two people.

The first writes down what was seen at the broker; only another person, with a fresh confirmation of exactly that, makes it
so. Nothing is sent again by this: an order that never arrived is over, and who still wants it orders anew.
"""

from django.db import transaction

from quant_site.core.errors import Conflict, InvalidInput, NotAllowed
from quant_site.core.selectors import may_trade
from quant_site.core.services import audit_record
from quant_site.core.stepup import confirmation_use
from trading.models import Order
from trading.order_path.rows import order_move, order_note
from trading.order_path.states import OrderStatus
from trading.order_path.unknown import unknown_end

SETTLE = "SETTLE_ORDER"  # the action that a confirmation names
PROPOSED = "SETTLEMENT_PROPOSED"
OUTCOMES = {
    "NEVER_ARRIVED": OrderStatus.REJECTED,
    "WORKING": OrderStatus.ACKED,
    "CANCELLED": OrderStatus.CANCELLED,
    "EXPIRED": OrderStatus.EXPIRED,
}


def settle_payload(order: Order, outcome: str, broker_order_id: str) -> dict:
    """What a confirmation of settling is bound to."""
    return {"order": order.client_order_id, "outcome": outcome, "broker_order_id": broker_order_id}


@transaction.atomic
def order_settle(
    *, order: Order, outcome: str, evidence: str, actor, confirmation_id=None, broker_order_id: str = "", ip_address: str = ""
) -> Order:
    """Propose what became of an UNKNOWN order, or, as another person, make a standing proposal of the same true.

    `WORKING` needs the broker's id: fills are taken in from there. Raises `Conflict` for an order that is not UNKNOWN,
    `NotAllowed` where the second person is the first or has no confirmation of `SETTLE` on `settle_payload`.
    """
    if not may_trade(user=actor, account=order.account):
        raise NotAllowed("read_only", f"You may look at account {order.account_id}, not trade on it.")
    if order.status != OrderStatus.UNKNOWN:
        raise Conflict("not_unknown", f"Order {order.pk} is {order.status}: its outcome is known.", status=order.status)
    if outcome not in OUTCOMES:
        raise InvalidInput("unknown_outcome", f"{outcome!r} is no outcome; give one of {', '.join(OUTCOMES)}.")
    if outcome == "WORKING" and not broker_order_id:
        raise InvalidInput("no_broker_id", "An order that works has an id at the broker: give it.")
    seen = {"outcome": outcome, "broker_order_id": broker_order_id, "evidence": evidence, "by": actor.get_username()}
    proposal = order.events.filter(reason=PROPOSED).order_by("-sequence").first()
    same = proposal is not None and all(proposal.evidence[name] == seen[name] for name in ("outcome", "broker_order_id"))
    if not same:
        _audit("ORDER_SETTLE_PROPOSE", order, actor, seen, ip_address)
        return order_note(order, PROPOSED, seen)
    if proposal.evidence["by"] == seen["by"]:
        raise NotAllowed("second_person", "You proposed this yourself: another person must confirm it.", proposed_by=seen["by"])
    payload = settle_payload(order, outcome, broker_order_id)
    used = confirmation_use(confirmation_id=confirmation_id, user=actor, action=SETTLE, payload=payload)
    told = {"proposed": proposal.evidence, "confirmed": seen, "confirmation": str(used.pk)}
    fields = {"broker_order_id": broker_order_id} if broker_order_id else {}
    order_move(
        order, OUTCOMES[outcome], reason=f"SETTLED: {outcome} by {proposal.evidence['by']} and {seen['by']}", evidence=told, **fields
    )
    unknown_end(order)
    _audit("ORDER_SETTLE", order, actor, told, ip_address)
    return order


def _audit(action: str, order: Order, actor, details: dict, ip_address: str) -> None:
    audit_record(action=action, actor=actor, account=order.account_id, resource=order, details=details, ip_address=ip_address)
