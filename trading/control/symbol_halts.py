"""Symbols in which an account opens nothing until somebody has looked: an unknown outcome, or books that do not agree."""

from django.db import IntegrityError, transaction

from quant_site.core import clock
from quant_site.core.errors import NotAllowed
from quant_site.core.selectors import may_trade
from quant_site.core.services import audit_record, event_publish
from quant_site.core.stepup import confirmation_use
from trading.models import SymbolHalt

UNKNOWN_ORDER, MISMATCH, UNPROTECTED = "UNKNOWN_ORDER", "MISMATCH", "UNPROTECTED"
CLEAR = "CLEAR_SYMBOL"  # the action that a confirmation names


def symbol_halt_set(*, account_id: str, symbol: str, code: str, reason: str, **details) -> SymbolHalt | None:
    """Halt `symbol` and raise the alarm; None where it is halted for this already, which says nothing twice."""
    key = f"{account_id}:{symbol}:{code}"
    try:
        with transaction.atomic():
            halt = SymbolHalt.objects.create(account_id=account_id, symbol=symbol, open_key=key, code=code, reason=reason[:255])
            audit_record(action="SYMBOL_HALT", account=account_id, resource=halt, details={"code": code, "reason": reason, **details})
            payload = {"code": code, "symbol": symbol, "message": reason, **details}
            event_publish(type="alert.critical", payload=payload, account=account_id)
            return halt
    except IntegrityError:
        return None


@transaction.atomic
def symbol_halts_resolve(*, account_id: str, symbols, code: str) -> int:
    """End the halts of `symbols` whose cause, `code`, is gone by the broker's own evidence."""
    ended = 0
    for halt in SymbolHalt.objects.filter(account_id=account_id, symbol__in=list(symbols), code=code).exclude(open_key=None):
        ended += _close(halt, "evidence")
    return ended


def clear_payload(halt: SymbolHalt) -> dict:
    """What a confirmation of clearing is bound to."""
    return {"account": halt.account_id, "symbol": halt.symbol, "halt": halt.pk}


@transaction.atomic
def symbol_halt_clear(*, halt: SymbolHalt, actor, confirmation_id, ip_address: str = "") -> SymbolHalt:
    """A person has looked and lets the symbol trade again. Spends a confirmation of `CLEAR` on `clear_payload`."""
    if not may_trade(user=actor, account=halt.account):
        raise NotAllowed("read_only", f"You may look at account {halt.account_id}, not trade on it.")
    if halt.open_key is None:
        return halt
    confirmation_use(confirmation_id=confirmation_id, user=actor, action=CLEAR, payload=clear_payload(halt))
    if _close(halt, actor.get_username()):
        details = {"symbol": halt.symbol, "code": halt.code}
        audit_record(action="SYMBOL_CLEAR", actor=actor, account=halt.account_id, resource=halt, details=details, ip_address=ip_address)
    halt.refresh_from_db()
    return halt


def _close(halt: SymbolHalt, by: str) -> int:
    done = {"open_key": None, "cleared_at": clock.now(), "cleared_by": by[:150]}
    closed = SymbolHalt.objects.filter(pk=halt.pk).exclude(open_key=None).update(**done)
    if closed:
        event_publish(type="account.symbol", payload={"symbol": halt.symbol, "cleared_by": by}, account=halt.account_id)
    return closed
