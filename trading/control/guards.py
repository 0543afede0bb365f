"""Guards that act without a person: losses beyond a limit, an account that runs away, a critical alert.

They only tighten. What they set stays set, after a restart too, until a person lets the account trade again.
"""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from django.db import transaction

from quant_site.core import clock
from quant_site.core.limits import AccountLimits
from quant_site.core.models import Account
from quant_site.core.rows import rows_read
from quant_site.core.services import audit_record, event_publish
from quant_site.core.types import money, ratio
from trading.models import Order
from trading.order_path.rows import account_halt

MINUTE = timedelta(seconds=60)
SENT_SINCE = "account_id = %s AND sent_at > %s"
REFUSED_SINCE = "account_id = %s AND status = 'REJECTED' AND updated_at > %s"


@dataclass(frozen=True)
class Breach:
    """A limit that was overstepped: `value` and `limit` are shares of equity, or orders."""

    code: str
    message: str
    value: Decimal
    limit: Decimal


# --- Losses


def daily_loss_check(
    *, account: AccountLimits, equity_now: Decimal, equity_before: Decimal, net_flow: Decimal = Decimal(0), drawdown: Decimal | None = None
) -> Breach | None:
    """The loss limit that the account has overstepped, or None. Pure.

    `equity_before` is the equity at the last close, `net_flow` what was deposited less withdrawn since; both in dollars, as
    `equity_now`. `drawdown` is the return from the highest value of a unit so far, ≤ 0, or None where it is not known.
    The daily limit is overstepped by a deeper loss, the drawdown limit is reached as the risk checks reach it.
    Raises `InvalidInput` for what is no finite number.
    """
    base = money(equity_before, "The equity before") + money(net_flow, "The net flow")
    loss = base - money(equity_now, "The equity now")
    limit = account.max_daily_loss_pct
    if limit is not None and loss > limit * max(base, Decimal(0)):
        share = ratio(loss / base) if base > 0 else Decimal(1)
        return Breach("DAILY_LOSS", f"The account lost {share:.2%} since the last close; {limit:.2%} is its limit.", share, limit)
    if drawdown is not None and -ratio(drawdown, "The drawdown") >= account.max_drawdown_pct:
        depth, limit = -ratio(drawdown), account.max_drawdown_pct
        return Breach("DRAWDOWN", f"The account stands {depth:.2%} below its peak; {limit:.2%} is its limit.", depth, limit)
    return None


def losses_guard(
    *, account: Account, equity_now: Decimal, equity_before: Decimal, net_flow: Decimal = Decimal(0), drawdown: Decimal | None = None
) -> Breach | None:
    """`daily_loss_check`, and the account only reduces from then on; answers the breach, also of an account that did already."""
    breach = daily_loss_check(account=account, equity_now=equity_now, equity_before=equity_before, net_flow=net_flow, drawdown=drawdown)
    if breach is not None:
        account_reduce(account.pk, breach.code, breach.message, value=str(breach.value), limit=str(breach.limit))
    return breach


@transaction.atomic
def account_reduce(account_id: str, code: str, message: str, **details) -> bool:
    """Let an ACTIVE account only reduce until a person looks at it; False where it was not ACTIVE."""
    reducing = {"state": Account.State.REDUCING, "state_reason": f"{code}: {message}"[:255]}
    if Account.objects.filter(pk=account_id, state=Account.State.ACTIVE).update(**reducing) != 1:
        return False
    audit_record(action="ACCOUNT_REDUCE", account=account_id, details={"code": code, "message": message, **details})
    said = {"from": str(Account.State.ACTIVE), "to": str(Account.State.REDUCING), "reason": f"{code}: {message}", "by": "system"}
    event_publish(type="account.state", payload=said, account=account_id)
    return True


# --- Runaway


def runaway_check(*, account: AccountLimits, orders: int, rejects: int) -> Breach | None:
    """Whether more orders were sent, or more refused, within a minute than the account's limits allow. Pure."""
    counted = (
        ("RUNAWAY_ORDERS", "were sent", orders, account.max_orders_per_minute),
        ("RUNAWAY_REJECTS", "were refused", rejects, account.max_rejects_per_minute),
    )
    for code, what, number, limit in counted:
        if limit is not None and number > limit:
            message = f"{number} orders {what} within a minute; {limit} are allowed."
            return Breach(code, message, Decimal(number), Decimal(limit))
    return None


def runaway_guard(*, account: Account) -> Breach | None:
    """`runaway_check` over the last 60 seconds, and the account is halted; answers the breach."""
    since = clock.now() - MINUTE
    orders, rejects = (len(rows_read(Order, ("id",), where, account.pk, since)) for where in (SENT_SINCE, REFUSED_SINCE))
    breach = runaway_check(account=account, orders=orders, rejects=rejects)
    if breach is not None:
        account_halt(account.pk, breach.code, breach.message, value=str(breach.value), limit=str(breach.limit))
    return breach


# --- Alerts


@transaction.atomic
def critical_alert(*, account: Account | str, code: str, message: str, halt: bool = True, **details) -> None:
    """Tell everybody who watches the account that something is badly wrong, and halt it without waiting for anybody."""
    account_id = getattr(account, "pk", account)
    said = {"code": code, "message": message, **details}
    audit_record(action="ALERT_CRITICAL", account=account_id, details=said)
    event_publish(type="alert.critical", payload=said | {"halted": halt}, account=account_id)
    if halt:
        account_halt(account_id, code, message, **details)
