"""Taking in what a broker on the live clock did: orders, fills and cash become rows, and the fills are booked."""

from datetime import date
from itertools import chain

from quant_site.core.models import Account
from quant_site.core.rows import rows_read
from quant_site.market.sessions import sessions_between, trading_session
from trading.books.ledger import fills_unbooked, session_book
from trading.books.valuation import positions_value
from trading.brokers.base import Broker
from trading.models import Reconciliation
from trading.order_path.executor import OrderExecutor
from trading.order_path.orders import orders_resolve, orders_sync

LAST = "account_id = %s ORDER BY id DESC LIMIT 1"


class Intake:
    """What happened at the broker up to `session`, which trades now, since the last comparison; again, it changes nothing.

    The caller holds the account's loop lock. Raises what the broker raises: what was taken in until then stays.
    """

    def __init__(self, account: Account, broker: Broker, session: date):
        self.account, self.broker, self.session = account, broker, session
        last = rows_read(Reconciliation, ("at",), LAST, account.pk)
        self.since = min(session, trading_session(last[0][0])) if last else session

    def look(self) -> None:
        """Orders that a dead sender left, and every move and fill, become rows."""
        orders_resolve(self.account, self.broker, exclusive=True)
        orders_sync(self.account, self.broker, self.since)

    def book(self) -> None:
        """Every fill that is written enters the books, whatever session it is of."""
        fills = fills_unbooked(account=self.account, session=self.session)
        activities = list(chain.from_iterable(self.broker.activities(self.account.pk, day) for day in self._sessions()))
        if activities or fills:
            session_book(account=self.account, activities=activities, fills=fills)
        positions_value(account=self.account, prices={fill.symbol: fill.price for fill in fills}, marked=False)
        OrderExecutor(self.account, self.broker, self.session).monitor_order_status()

    def settle(self) -> None:
        self.look()
        self.book()

    def _sessions(self) -> list[date]:
        return sessions_between(self.since, self.session)
