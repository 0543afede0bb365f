"""What a person sees of who may send what: accounts with state and arming, and the processes that send."""

from collections.abc import Iterable

from quant_site.core.models import Account
from quant_site.core.selectors import accounts_for, accounts_tradable
from trading.control.senders import boot_latest, boots_live
from trading.models import Arming


def account_states(user, accounts: Iterable[Account] | None = None) -> list[dict]:
    """For each account that `user` may see (or those of `accounts`): state, reason, whether it may be traded, and its arming."""
    rows = accounts_for(user).order_by("is_replay", "pk") if accounts is None else accounts
    tradable = set(accounts_tradable(user).values_list("pk", flat=True))
    latest = boot_latest()
    standing = Arming.objects.filter(boot=latest).exclude(open_key=None).select_related("armed_by") if latest else ()
    armings = {arming.account_id: arming for arming in standing}
    return [
        {
            "account": account.pk,
            "name": account.name,
            "mode": account.mode,
            "is_replay": account.is_replay,
            "state": account.state,
            "state_label": account.get_state_display(),
            "reason": account.state_reason,
            "may_trade": account.pk in tradable,
            "armed": armings.get(account.pk),
        }
        for account in rows
    ]


def senders_shown() -> list[dict]:
    """The live processes that send. They are equal when code and configuration of all are."""
    return [
        {
            "role": boot.role,
            "process": str(boot),
            "code_version": boot.code_version,
            "config_hash": boot.config_hash,
            "started_at": boot.started_at,
            "beat_at": boot.beat_at,
        }
        for boot in boots_live()
    ]
