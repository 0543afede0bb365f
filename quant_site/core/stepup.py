"""Confirmations: a person's fresh password for one dangerous act, bound to exactly what is done, good for minutes, used once.

Whoever asks for such an act without a confirmation is told, in the refusal's details, which `action` and `payload` to
confirm. The payload must come back as it is: what is used is compared with what was confirmed by its hash.
"""

import hashlib
import json
import uuid
from datetime import timedelta

from django.contrib.auth import authenticate
from django.db import transaction
from rest_framework.exceptions import Throttled

from quant_site.core import clock
from quant_site.core.errors import InvalidInput, NotAllowed, TooManyTries
from quant_site.core.models import Confirmation
from quant_site.core.ratelimit import client_address, login_check
from quant_site.core.services import audit_record

HEADER = "X-Confirmation"
GOOD_FOR = timedelta(minutes=5)
LONGEST_ACTION, LONGEST_PAYLOAD = 32, 10_000


def confirmation_give(*, user, password: str, action: str, payload: dict, request=None) -> Confirmation:
    """A confirmation of `action` on `payload` by `user`, whose password is asked again.

    Wrong passwords count as failed logins, of the address of `request` and of the name. Raises `NotAllowed("wrong_password")`,
    `TooManyTries`, or `Unavailable` while the counters of failed logins are down. `payload` holds texts, whole numbers, booleans
    and None, nested in lists and dicts.
    """
    digest = payload_hash(payload)
    if not 0 < len(action) <= LONGEST_ACTION:
        raise InvalidInput("invalid_action", f"An action has 1 to {LONGEST_ACTION} characters.")
    address = client_address(request) if request is not None else ""
    who = {"actor": user, "ip_address": address}
    if not _is_password(user, password, request):
        audit_record(action="CONFIRMATION_REFUSED", details={"action": action, "payload": payload}, **who)
        raise NotAllowed("wrong_password", "That is not your password.")
    with transaction.atomic():
        at = clock.now()
        given = Confirmation.objects.create(user=user, action=action, payload_hash=digest, created_at=at, expires_at=at + GOOD_FOR)
        audit_record(action="CONFIRMATION_GIVEN", resource=given, details={"action": action, "payload": payload}, **who)
    return given


@transaction.atomic
def confirmation_use(*, confirmation_id, user, action: str, payload: dict) -> Confirmation:
    """Spend a confirmation on `action` with `payload`, in the transaction that does it: what is undone leaves it unspent.

    Raises `NotAllowed` with the code confirmation_required, _mismatch, _used or _expired; its details are what to confirm.
    """
    wanted = {"action": action, "payload": payload}
    if not confirmation_id:
        how = f"Give your password to auth/confirm with the action and payload of the details, and send it again with {HEADER}."
        raise NotAllowed("confirmation_required", f"This needs your password. {how}", **wanted)
    given = Confirmation.objects.filter(pk=_uuid(confirmation_id), user=user).first()
    if given is None or (given.action, given.payload_hash) != (action, payload_hash(payload)):
        raise NotAllowed("confirmation_mismatch", "What you confirmed is not what is asked for; confirm it as it stands now.", **wanted)
    now = clock.now()
    if given.expires_at <= now:
        raise NotAllowed("confirmation_expired", "The confirmation is too old; give your password again.", **wanted)
    if Confirmation.objects.filter(pk=given.pk, used_at=None).update(used_at=now) != 1:
        raise NotAllowed("confirmation_used", "This confirmation has been used; give your password again.", **wanted)
    given.used_at = now
    return given


def payload_hash(payload: dict) -> str:
    """SHA-256 of the canonical JSON of `payload`; raises `InvalidInput` for what has no canonical form."""
    if not isinstance(payload, dict):
        raise InvalidInput("invalid_payload", "The payload must be an object.")
    _require_plain(payload)
    text = json.dumps(payload, sort_keys=True, separators=(",", ":"))
    if len(text) > LONGEST_PAYLOAD:
        raise InvalidInput("invalid_payload", f"The payload is longer than {LONGEST_PAYLOAD} characters.")
    return hashlib.sha256(text.encode()).hexdigest()


def _require_plain(value) -> None:
    """A float has several texts, and a Decimal none of its own: amounts are passed as text."""
    if isinstance(value, dict):
        for name, item in value.items():
            if not isinstance(name, str):
                raise InvalidInput("invalid_payload", "The names in a payload must be texts.")
            _require_plain(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _require_plain(item)
    elif value is not None and not isinstance(value, str | bool | int):
        raise InvalidInput("invalid_payload", f"A payload holds texts, whole numbers, booleans and null, not {value!r}.")


def _is_password(user, password: str, request) -> bool:
    """Ask the guarded backend, so that a guess here costs what a guess at the login costs."""
    name = user.get_username()
    try:
        if request is not None:
            login_check(request=request, username=name)
    except Throttled as error:
        message = f"Too many wrong passwords; try again in {error.wait:.0f} seconds."
        raise TooManyTries("too_many_tries", message, wait_seconds=round(error.wait)) from error
    found = authenticate(request, username=name, password=password)
    return found is not None and found.pk == user.pk


def _uuid(value) -> uuid.UUID | None:
    try:
        return value if isinstance(value, uuid.UUID) else uuid.UUID(str(value))
    except ValueError:
        return None
