"""What a session did to the account: orders filled, fills booked, open positions protected.

A simulated broker is taken through the session in its three steps, so that a stop that follows an entry at the open
is already live for the rest of the day. A real broker has done all that by itself: it is only asked.
"""

from datetime import date

from quant_site.core.models import Account
from trading.brokers.base import Broker
from trading.executor import OrderExecutor
from trading.ledger import account_fund, activities_book, fills_book
from trading.models import CashEntry
from trading.orders import orders_resolve, orders_send_ready, orders_sync
from trading.protection import positions_protect


def session_settle(*, account: Account, broker: Broker, session: date) -> dict:
    """Bring orders, fills and positions up to the close of `session`; doing it again changes nothing."""
    if broker.simulated and not CashEntry.objects.filter(account=account).exists():
        broker.open_account(account.pk, account.initial_cash)
        account_fund(account=account, amount=account.initial_cash, session=session, key="initial")
    orders_resolve(account, broker, exclusive=True)
    orders_send_ready(account, broker)
    fills, activities = 0, 0
    steps = (broker.open_session, broker.trade_session) if broker.simulated else (None,)
    for step in steps:
        if step is not None:
            step(account.pk, session)
        activities += activities_book(account=account, activities=broker.activities(account.pk, session))
        fills += _book(account, broker, session)
        positions_protect(account=account, session=session, broker=broker)
    if broker.simulated:
        broker.close_session(account.pk, session)
        orders_sync(account, broker, session)
    executor = OrderExecutor(account, broker, session)
    return {"fills": fills, "activities": activities, **executor.monitor_order_status()}


def _book(account: Account, broker: Broker, session: date) -> int:
    fills = orders_sync(account, broker, session)
    fills_book(account=account, fills=fills)
    return len(fills)
