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
from trading.brokers.paper import OPENED, TRADED
from trading.models import Fill
from trading.order_path.executor import OrderExecutor
from trading.order_path.orders import orders_recover, orders_sync
from trading.order_path.protection import positions_protect

# Books what happened before the open, the fills, and what ended at the close, in that order, into cash and positions; must
# be idempotent, for it is handed the whole session again.
Book = Callable[[Sequence[Activity], Sequence[Fill]], None]


def session_trade(*, account: Account, broker: Broker, session: date, book: Book) -> dict:
    """Bring orders, fills, positions (through `book`) and signals up to the close of `session`.

    The caller holds the account's loop lock. Doing it again changes nothing. Answers counts of fills, of protective
    orders and of concluded signals.
    """
    if not broker.simulated:
        return _ask(account, broker, session, book)
    orders_recover(account, broker, session=session)
    news, fills = _simulate(account, broker, session, book)
    if news:
        fills = orders_sync(account, broker, session)
        book(broker.activities(account.pk, session), fills)
    # First what became of the signals: the rest of a trade that came about in part is closed at the next open.
    concluded = OrderExecutor(account, broker, session).monitor_order_status()
    return {"fills": len(fills), **concluded, **positions_protect(account=account, session=session, broker=broker)}


def _ask(account: Account, broker: Broker, session: date, book: Book) -> dict:
    """Take in what a real broker did. Nothing is sent here: that is for the account's rounds, which know whether it may."""
    fills = orders_sync(account, broker, session)
    book(broker.activities(account.pk, session), fills)
    return {"fills": len(fills), **OrderExecutor(account, broker, session).monitor_order_status()}


def _simulate(account: Account, broker: Broker, session: date, book: Book) -> tuple[bool, list[Fill]]:
    """Whether the broker has news that are not taken in, and the fills of the session that are. It has none only where
    this very call made the steps that changed nothing, or nothing but a fee."""
    reached, news, fees = broker.run_session(account.pk, session)
    fills = []
    if fees and not news:
        book(broker.activities(account.pk, session), [])
    if reached == OPENED:
        fills = orders_sync(account, broker, session)
        book(broker.activities(account.pk, session), fills)
        positions_protect(account=account, session=session, broker=broker)
        news = broker.trade_session(account.pk, session)
    if reached <= TRADED:
        news = broker.close_session(account.pk, session) or news
    return news, fills
