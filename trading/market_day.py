"""One session of the market, from before its open to after its close, as the orders of one account live through it.

A simulated broker is taken through the session step by step, so that a stop that follows an entry at the open is live
for the rest of the day. It remembers how far the session has come, and each step is resumed where it stood: whoever
died in between finds every order placed at the moment of the day at which it would have been placed anyway. A real
broker has done all that by itself and is only asked.
"""

from collections.abc import Callable, Sequence
from datetime import date

from quant_site.core.models import Account
from trading.brokers.base import Activity, Broker
from trading.brokers.paper import NOT_OPENED, OPENED, TRADED
from trading.executor import OrderExecutor
from trading.models import Fill
from trading.orders import orders_resolve, orders_send_ready, orders_sync
from trading.protection import positions_protect

# Books activities, then fills, into cash and positions; must be idempotent, for it is handed the whole session again.
Book = Callable[[Sequence[Activity], Sequence[Fill]], None]


def session_trade(*, account: Account, broker: Broker, session: date, book: Book) -> dict:
    """Bring orders, fills, positions (through `book`) and signals up to the close of `session`.

    The caller holds the account's loop lock. Doing it again changes nothing. Answers counts of fills, of protective
    orders and of concluded signals.
    """
    orders_resolve(account, broker, exclusive=True)
    orders_send_ready(account, broker, session=session)
    if broker.simulated:
        _simulate(account, broker, session, book)
    fills = orders_sync(account, broker, session)
    book([] if broker.simulated else broker.activities(account.pk, session), fills)
    # First what became of the signals: the rest of a trade that came about in part is closed at the next open.
    concluded = OrderExecutor(account, broker, session).monitor_order_status()
    return {"fills": len(fills), **concluded, **positions_protect(account=account, session=session, broker=broker)}


def _simulate(account: Account, broker: Broker, session: date, book: Book) -> None:
    reached = broker.progress(account.pk, session)
    news = broker.open_session(account.pk, session) if reached == NOT_OPENED else True
    if reached <= OPENED:
        if news:
            book(broker.activities(account.pk, session), orders_sync(account, broker, session))
            positions_protect(account=account, session=session, broker=broker)
        broker.trade_session(account.pk, session)
    if reached <= TRADED:
        broker.close_session(account.pk, session)
