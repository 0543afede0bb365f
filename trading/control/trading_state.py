"""The kill switch: what an account may do is one row of the database, read in the step that sends each order.

ACTIVE → REDUCING → HALTED asks for the right to trade and for nothing else: stopping must be easy. The way back needs a
confirmation. No queue, cache or broker is involved, so it works while any of them is down.
"""

import logging

from django.db import Error, transaction

from quant_site.core.errors import InvalidInput, NotAllowed, Unavailable
from quant_site.core.models import Account
from quant_site.core.selectors import accounts_tradable, may_trade
from quant_site.core.services import audit_record, event_publish
from quant_site.core.stepup import confirmation_use
from trading.control.armed import account_disarm, accounts_disarm, armed
from trading.control.arming import account_arm, arming_problems
from trading.control.senders import boot_beat, boot_register, boots_live

__all__ = [
    "account_arm",
    "account_disarm",
    "accounts_disarm",
    "armed",
    "arming_problems",
    "boot_beat",
    "boot_register",
    "boots_live",
    "resume_payload",
    "trading_state_set",
    "trading_state_set_all",
]

logger = logging.getLogger(__name__)
State = Account.State
STRICTER = (State.ACTIVE, State.REDUCING, State.HALTED)  # the strictest last
RESUME = "RESUME"  # the action that a confirmation names
BY_HAND = "BY_HAND"


def loosens(before: str, after: str) -> bool:
    """Whether the way from one state to the other lets the account do more."""
    return STRICTER.index(after) < STRICTER.index(before)


def resume_payload(account_id: str, state: str) -> dict:
    """What a confirmation of loosening is bound to."""
    return {"account": account_id, "state": str(state)}


@transaction.atomic
def trading_state_set(*, account: Account, state: str, reason: str, actor, confirmation_id=None, ip_address: str = "") -> Account:
    """Set what the account may do. Setting what is set already changes nothing, and needs nothing.

    `actor` is a user, who must have the right to trade the account, or the name of a part of the system, which can only
    tighten. Loosening spends a confirmation of `RESUME` on `resume_payload`. Raises `NotAllowed` and `InvalidInput`.
    """
    if state not in State.values:
        raise InvalidInput("unknown_state", f"{state!r} is no trading state; give one of {', '.join(State.values)}.")
    if not isinstance(actor, str) and not may_trade(user=actor, account=account):
        raise NotAllowed("read_only", f"You may look at account {account.pk}, not trade on it.")
    account = Account.objects.select_for_update().get(pk=account.pk)
    before = account.state
    if before == state:
        return account
    details = {"from": str(before), "to": str(state), "reason": reason}
    if loosens(before, state):
        details["confirmation"] = str(_confirmed(account, state, actor, confirmation_id).pk)
    account.state, account.state_reason = state, "" if state == State.ACTIVE else reason[:255]
    account.save(update_fields=["state", "state_reason", "updated_at"])
    audit_record(action="TRADING_STATE", actor=actor, account=account, resource=account, details=details, ip_address=ip_address)
    by = actor if isinstance(actor, str) else actor.get_username()
    said = {"from": str(before), "to": str(state), "reason": reason, "by": by}
    event_publish(type="account.state", payload=said, account=account)
    if state == State.HALTED:
        event_publish(type="account.halted", payload={"code": BY_HAND, "message": reason, "by": by}, account=account)
    return account


def trading_state_set_all(*, reason: str, actor, state: str = State.HALTED, ip_address: str = "") -> list[Account]:
    """Tighten every account that `actor` may trade (a part of the system: every account); answers those that moved.

    Accounts are set one by one: one that cannot be set keeps none of the others running. Those that are at least as tight
    already stay as they are, and so do accounts of replays, which trade history. Raises `Unavailable` naming what is left.
    """
    if state not in (State.REDUCING, State.HALTED):
        raise InvalidInput("one_by_one", "All accounts can be halted or set to reduce together; let them trade again one by one.")
    accounts = Account.objects.all() if isinstance(actor, str) else accounts_tradable(actor)
    moved, failed = [], []
    for account in accounts.filter(is_replay=False).order_by("pk"):
        if STRICTER.index(account.state) >= STRICTER.index(state):
            continue
        try:
            moved.append(trading_state_set(account=account, state=state, reason=reason, actor=actor, ip_address=ip_address))
        except Error:
            logger.exception("Account %s could not be set to %s.", account.pk, state)
            failed.append(account.pk)
    if failed:
        message = f"{', '.join(failed)} could not be set to {state}; send it again at once."
        raise Unavailable("not_all_set", message, failed=failed, moved=[account.pk for account in moved])
    return moved


def _confirmed(account: Account, state: str, actor, confirmation_id):
    if isinstance(actor, str):
        raise NotAllowed("needs_a_person", f"Only a person can let account {account.pk} trade again.")
    payload = resume_payload(account.pk, state)
    return confirmation_use(confirmation_id=confirmation_id, user=actor, action=RESUME, payload=payload)
