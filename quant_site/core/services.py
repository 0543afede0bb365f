"""Writes of the ground floor: accounts, audit entries, events."""

from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import transaction

from quant_site.core.errors import InvalidInput
from quant_site.core.models import Account, AuditLog, OutboxEvent
from quant_site.core.rows import rows_insert


def audit_record(*, action: str, actor="system", account=None, resource=None, details=None, ip_address="", user_agent="") -> AuditLog:
    """Append one audit entry inside the caller's transaction. `actor` is a user or the name of a part of the system."""
    return AuditLog.objects.create(
        account_id=getattr(account, "pk", account) or "",
        actor=actor if isinstance(actor, str) else actor.get_username(),
        action_type=action,
        resource_type=resource._meta.model_name if resource is not None else "",
        resource_id=str(resource.pk) if resource is not None else "",
        details=details or {},
        ip_address=ip_address,
        user_agent=user_agent,
    )


def event_publish(*, type: str, payload: dict, account=None) -> None:
    """Write one event to the outbox inside the caller's transaction; it is pushed once that commits."""
    events_publish([(type, payload)], account=account)


def events_publish(events: list[tuple[str, dict]], *, account=None) -> None:
    """Write several events `(type, payload)` of one account in one statement."""
    account_id = getattr(account, "pk", account) or ""
    rows_insert([OutboxEvent(type=type, payload=payload, account_id=account_id) for type, payload in events])


@transaction.atomic
def account_create(*, id: str, actor="system", owner=None, initial_cash: Decimal = Decimal("100000"), **fields) -> Account:
    """Create an account; raises `InvalidInput` with the field's own message when a value cannot be taken."""
    account = Account(id=id, owner=owner, initial_cash=initial_cash, **fields)
    try:
        account.full_clean(exclude=["owner"])
    except ValidationError as error:
        raise InvalidInput("invalid_account", " ".join(error.messages), fields=error.message_dict) from error
    account.save(force_insert=True)
    audit_record(action="ACCOUNT_CREATE", actor=actor, account=account, resource=account, details={"cash": str(initial_cash)})
    return account
