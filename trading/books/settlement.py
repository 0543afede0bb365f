"""What a session did to the account: orders traded, and what they brought booked into cash and positions."""

from datetime import date

from quant_site.core.models import Account
from trading.books.ledger import account_fund, session_book
from trading.books.market_day import session_trade
from trading.brokers.base import Broker
from trading.models import CashEntry


def account_open(*, account: Account, broker: Broker, session: date) -> None:
    """Put the initial cash on a new account with a simulated broker, once; a real one has what its owner paid in."""
    if broker.simulated and not CashEntry.objects.filter(account=account).exists():
        broker.open_account(account.pk, account.initial_cash)
        account_fund(account=account, amount=account.initial_cash, session=session, key="initial")


def session_settle(*, account: Account, broker: Broker, session: date) -> dict:
    """Bring orders, fills, cash and positions up to the close of `session`; doing it again changes nothing."""

    def book(activities, fills) -> None:
        session_book(account=account, activities=activities, fills=fills)

    return session_trade(account=account, broker=broker, session=session, book=book)
