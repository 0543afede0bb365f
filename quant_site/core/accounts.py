"""Changing an account: what it is stays, its limits tighten freely, and loosen only by a person's confirmation."""

from django.core.exceptions import ValidationError
from django.db import transaction

from quant_site.core.errors import InvalidInput, NotAllowed
from quant_site.core.limits import limits_loosened, limits_payload
from quant_site.core.models import Account, Confirmation
from quant_site.core.selectors import may_trade
from quant_site.core.services import audit_record
from quant_site.core.stepup import confirmation_use

LIMITS = "LIMITS"  # the action that a confirmation names


@transaction.atomic
def account_update(*, account: Account, actor, changes: dict, ip_address: str = "", confirmation_id=None) -> Account:
    """Set `changes` ({field: value}) of an account; raises `InvalidInput` when a value cannot be taken.

    What an account is (its id, broker, mode, first cash, whether it belongs to a replay) never changes, and its trading
    state has services of its own. A change that loosens a limit spends a confirmation of `LIMITS` on `limits_payload`, or
    raises `NotAllowed` naming what is loosened.
    """
    fixed = sorted({"id", "broker", "mode", "initial_cash", "is_replay", "base_currency"} & changes.keys())
    if fixed:
        raise InvalidInput("fixed_field", f"{', '.join(fixed)} of an account cannot be changed; make another account.", fields=fixed)
    if {"state", "state_reason"} & changes.keys():
        raise InvalidInput("state_is_set_elsewhere", "The trading state of an account is set by the kill switch (trading-state/).")
    if not isinstance(actor, str) and not may_trade(user=actor, account=account):
        raise NotAllowed("read_only", f"You may look at account {account.pk}, not trade on it.")
    account = Account.objects.select_for_update().get(pk=account.pk)
    before = {name: getattr(account, name) for name in changes}
    for name, value in changes.items():
        setattr(account, name, value)
    try:
        account.full_clean()
    except ValidationError as error:
        raise InvalidInput("invalid_account", " ".join(error.messages), fields=error.message_dict) from error
    after = {name: getattr(account, name) for name in changes}
    moved = {name: [str(before[name]), str(after[name])] for name in sorted(changes) if before[name] != after[name]}
    if moved:
        used = _limits_confirm(account, before, after, actor, confirmation_id)
        account.save(update_fields=[*changes, "updated_at"])
        details = moved | ({"confirmation": str(used.pk)} if used is not None else {})
        audit_record(action="ACCOUNT_UPDATE", actor=actor, account=account, resource=account, details=details, ip_address=ip_address)
    return account


def _limits_confirm(account: Account, before: dict, after: dict, actor, confirmation_id) -> Confirmation | None:
    """Spend the confirmation that a looser limit needs; None where no limit is loosened."""
    looser = limits_loosened(before, after)
    if not looser:
        return None
    if isinstance(actor, str):
        raise NotAllowed("needs_a_person", f"Only a person can loosen limits of account {account.pk}: {', '.join(looser)}.")
    payload = limits_payload(account.pk, before, after)
    try:
        return confirmation_use(confirmation_id=confirmation_id, user=actor, action=LIMITS, payload=payload)
    except NotAllowed as error:
        message = f"This loosens {', '.join(looser)}. {error.message}"
        raise NotAllowed(error.code, message, **error.details, loosened=looser) from error
