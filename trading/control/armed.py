"""Who is armed for real orders, and how that ends. Arming itself is in `trading.control.arming`.

An arming stands for the processes that sent when it was made. A process that starts later may run other code, so the
arming is void from then on: `armed` compares the two, whether or not anybody has closed the row yet.
"""

import time
from datetime import UTC, datetime

from django.db import transaction

from quant_site.core.errors import NotAllowed
from quant_site.core.models import Account
from quant_site.core.rows import objects_read
from quant_site.core.selectors import may_trade
from quant_site.core.services import audit_record, event_publish
from trading.models import Arming

STANDING = "open_key = %s AND boot_id = (SELECT MAX(id) FROM sender_boots)"


def armed(account_id: str) -> Arming | None:
    """The arming that stands for the account, or None. One statement by unique keys, fit for the transaction of a claim."""
    rows = objects_read(Arming, STANDING, account_id)
    return rows[0] if rows else None


@transaction.atomic
def account_disarm(*, account: Account, reason: str, actor, ip_address: str = "") -> bool:
    """End the account's arming; False where it had none. A user must have the right to trade the account."""
    if not isinstance(actor, str) and not may_trade(user=actor, account=account):
        raise NotAllowed("read_only", f"You may look at account {account.pk}, not trade on it.")
    return bool(_close(Arming.objects.filter(open_key=account.pk), reason, actor, ip_address))


@transaction.atomic
def accounts_disarm(*, reason: str, actor="system") -> list[str]:
    """End every arming; answers the accounts that had one."""
    return _close(Arming.objects.exclude(open_key=None), reason, actor, "")


def _close(open_rows, reason: str, actor, ip_address: str) -> list[str]:
    """Close what is still open of `open_rows`: of two that close a row at once, one does, and leaves the audit entry."""
    closed = []
    for arming in open_rows.order_by("account_id"):
        done = {"open_key": None, "disarmed_at": datetime.fromtimestamp(time.time(), UTC), "disarmed_why": reason[:255]}
        if Arming.objects.filter(pk=arming.pk, open_key=arming.account_id).update(**done) == 1:
            details = {"reason": reason, "armed_at": arming.armed_at.isoformat()}
            audit_record(
                action="ACCOUNT_DISARM", actor=actor, account=arming.account_id, resource=arming, details=details, ip_address=ip_address
            )
            event_publish(type="account.disarmed", payload={"reason": reason}, account=arming.account_id)
            closed.append(arming.account_id)
    return closed
