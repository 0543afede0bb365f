"""Arming an account for real orders: everything that must be true first, and a person's confirmation."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.conf import settings
from django.db import transaction

from quant_site.core.errors import Conflict, InvalidInput, NotAllowed
from quant_site.core.models import Account
from quant_site.core.selectors import may_trade
from quant_site.core.services import audit_record, event_publish
from quant_site.core.stepup import confirmation_use
from quant_site.core.types import Mode
from trading.control.armed import account_disarm, armed
from trading.control.senders import RESTART, boot_latest, boots_live, wall
from trading.models import Arming, Reconciliation, SenderBoot

ARM = "ARM"  # the action that a confirmation names
HARD_LIMITS = ("max_order_notional", "max_daily_loss_pct", "price_collar_pct", "max_orders_per_minute", "max_rejects_per_minute")


@dataclass(frozen=True)
class Problem:
    """Why an account cannot be armed now: a code, a sentence that says what to do, and what it is about."""

    code: str
    message: str
    details: dict = field(default_factory=dict)


def arm_payload(account_id: str) -> dict:
    """What a confirmation of arming is bound to."""
    return {"account": account_id}


def arming_problems(account: Account) -> list[Problem]:
    """Everything that keeps the account from being armed, in the order to mend it in."""
    if account.mode != Mode.REAL:
        return [Problem("NOT_REAL", f"Account {account.pk} is made for {account.mode}; only accounts of mode REAL are armed.")]
    latest, live = boot_latest(), boots_live()
    found = (
        None if getattr(settings, "REAL_TRADING", False) else Problem("REAL_TRADING_OFF", "The environment does not set REAL_TRADING."),
        _limits(account),
        _state(account),
        _senders(live),
        _reconciled(account, latest) if latest is not None else None,
    )
    return [problem for problem in found if problem is not None]


@transaction.atomic
def account_arm(*, account: Account, actor, confirmation_id, ip_address: str = "") -> Arming:
    """Arm the account for real orders until it is disarmed or a process that sends starts. An arming that stands is answered.

    Raises `InvalidInput("not_real")`, `Conflict("cannot_arm")` with every problem in its details, and `NotAllowed` without
    the right to trade or without a confirmation of `ARM` on `arm_payload`.
    """
    if not may_trade(user=actor, account=account):
        raise NotAllowed("read_only", f"You may look at account {account.pk}, not trade on it.")
    account = Account.objects.select_for_update().get(pk=account.pk)
    standing = armed(account.pk)
    if standing is not None:
        return standing
    problems = arming_problems(account)
    if problems and problems[0].code == "NOT_REAL":
        raise InvalidInput("not_real", problems[0].message)
    if problems:
        listed = [{"code": each.code, "message": each.message, **each.details} for each in problems]
        raise Conflict("cannot_arm", " ".join(each.message for each in problems), problems=listed)
    used = confirmation_use(confirmation_id=confirmation_id, user=actor, action=ARM, payload=arm_payload(account.pk))
    account_disarm(account=account, reason=RESTART, actor="system")  # one of an earlier boot, where its end was not written
    boot = boot_latest()
    arming = Arming.objects.create(account=account, open_key=account.pk, boot=boot, armed_by=actor, armed_at=wall())
    details = {"boot": boot.pk, "code_version": boot.code_version, "config_hash": boot.config_hash, "confirmation": str(used.pk)}
    audit_record(action="ACCOUNT_ARM", actor=actor, account=account, resource=arming, details=details, ip_address=ip_address)
    event_publish(type="account.armed", payload={"by": actor.get_username()}, account=account)
    return arming


def _limits(account: Account) -> Problem | None:
    missing = [name for name in HARD_LIMITS if getattr(account, name) is None]
    if not missing:
        return None
    return Problem("LIMITS_MISSING", f"Set these limits of the account first: {', '.join(missing)}.", {"missing": missing})


def _state(account: Account) -> Problem | None:
    if account.state != Account.State.HALTED:
        return None
    return Problem("HALTED", f"Account {account.pk} is halted; let it trade again first.")


def _senders(live: Sequence[SenderBoot]) -> Problem | None:
    if not live:
        return Problem("NO_SENDER", "No process that sends orders gives a sign of life; start the sweeper and the worker.")
    running = sorted({(boot.code_version, boot.config_hash) for boot in live})
    if len(running) == 1:
        return None
    differing = ", ".join(f"{boot.role} {boot} runs {boot.code_version} with {boot.config_hash}" for boot in live)
    return Problem("SENDERS_DIFFER", f"The processes that send run different code or settings: {differing}. Restart them all.")


def _reconciled(account: Account, latest: SenderBoot) -> Problem | None:
    """The last comparison counts: one that agreed is worth nothing once a later one did not."""
    last = Reconciliation.objects.filter(account=account).order_by("-pk").first()
    if last is None or last.boot_id != latest.pk:
        message = "Orders, fills and positions were not compared with the broker's since the last start: run manage.py reconcile."
        return Problem("NOT_RECONCILED", message)
    if not last.agrees:
        message = f"The last comparison with the broker found {len(last.differences)} differences; clear them up and compare again."
        return Problem("DIFFERENCES", message, {"differences": last.differences})
    return None
