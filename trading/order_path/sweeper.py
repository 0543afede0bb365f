"""The sweeper: the guarantee behind the queue. Whatever rang no doorbell is found here, by looking at the orders table.

Every two seconds it resolves what dead senders left and sends what is unsent, account by account, under the lock
that the account's loop holds too. Accounts that a replay works on are the replay's own business.
"""

import logging
import time
from collections.abc import Callable

from django.db import OperationalError, close_old_connections
from django.db.models import Exists, OuterRef, Q

from quant_site.core import clock
from quant_site.core.errors import Conflict, QuantError
from quant_site.core.locks import exclusive
from quant_site.core.models import Account, LoopRun
from quant_site.core.types import Mode
from quant_site.market.selectors import panel_load
from quant_site.market.sessions import last_completed_session
from trading.brokers import broker_for
from trading.models import Order
from trading.order_path.live import live_round
from trading.order_path.orders import orders_resolve, orders_send_ready
from trading.order_path.states import IN_FLIGHT, UNSENT, WORKING

logger = logging.getLogger(__name__)
INTERVAL = 2.0


def orders_waiting_accounts() -> list[Account]:
    """Accounts of the live clock with orders that are unsent, in flight, to be cancelled or changed; and every REAL one."""
    asked = Q(status__in=WORKING) & (Q(cancel_requested=True) | ~Q(wanted={}))
    waiting = Order.objects.filter(Q(status__in=UNSENT | IN_FLIGHT) | asked)
    replaying = LoopRun.objects.filter(account=OuterRef("pk"), kind=LoopRun.Kind.REPLAY).exclude(status=LoopRun.Status.DONE)
    busy = Q(pk__in=waiting.values("account")) | Q(mode=Mode.REAL)
    accounts = Account.objects.filter(busy, is_replay=False).exclude(Exists(replaying))
    return list(accounts.order_by("pk"))


def sweep() -> dict[str, str]:
    """One round; answers what happened, by account. What one account raises is reported and does not stop the others."""
    results = {}
    for account in orders_waiting_accounts():
        try:
            results[account.pk] = _sweep_account(account)
        except Conflict as error:
            results[account.pk] = error.message
        except QuantError as error:
            results[account.pk] = error.message
            logger.error("Sweep of account %s: %s", account.pk, error.message)
        except Exception as error:
            results[account.pk] = f"{type(error).__name__}: {error}"
            logger.exception("Sweep of account %s failed.", account.pk)
    return results


def _sweep_account(account: Account) -> str:
    with exclusive(f"loop:{account.pk}", busy="Its loop is running, which does this itself."):
        broker = broker_for(account, panel_load())
        if not broker.simulated:
            return live_round(account, broker)
        resolved = orders_resolve(account, broker, exclusive=True)
        sent = orders_send_ready(account, broker, session=last_completed_session(clock.now()))
        return f"{len(resolved)} looked up, {len(sent)} sent or expired"


def sweep_forever(
    *, interval: float = INTERVAL, stopped: Callable[[], bool] = lambda: False, wait: Callable[[float], None] = time.sleep
) -> None:
    """Sweep until `stopped` answers True, with `wait` between rounds. A database that is away for a while is waited for."""
    while not stopped():
        try:
            for account, result in sweep().items():
                if result:
                    logger.info("Swept %s: %s", account, result)
        except OperationalError:
            logger.exception("The database did not answer; the sweeper tries again.")
            close_old_connections()
        wait(interval)
