"""Brokers, by the name and the mode an account carries. The registry is explicit: to add one, write an adapter and name it here.

They are named and not imported: a process that trades on paper loads no vendor's SDK, and makes no client of one.
"""

from pkgutil import resolve_name

from django.conf import settings

from quant_site.core.errors import Unavailable
from quant_site.core.models import Account
from quant_site.core.types import Mode
from quant_site.market.panel import Panel
from trading.brokers.base import Broker

REGISTRY = {
    (Account.Broker.PAPER.value, Mode.DRY_RUN.value): "trading.brokers.paper:PaperBroker",
    (Account.Broker.TIGER.value, Mode.REAL.value): "trading.brokers.tiger:TigerBroker",
}


def broker_for(account: Account, panel: Panel) -> Broker:
    """The broker of `account`. Raises `Unavailable` where there is none: nothing stands in for a missing broker."""
    adapter = REGISTRY.get((str(account.broker), str(account.mode)))
    if adapter is None:
        ready = ", ".join(f"{broker} in mode {mode}" for broker, mode in REGISTRY)
        raise Unavailable(
            "broker_not_ready",
            f"Account {account.pk} trades at {account.get_broker_display()} in mode {account.mode}, for which there is no broker"
            f" here: there are {ready}. Nothing was sent.",
        )
    if account.mode == Mode.REAL:
        _real_require(account)
    return resolve_name(adapter)(panel)


def _real_require(account: Account) -> None:
    if not settings.REAL_TRADING:
        raise Unavailable("real_trading_off", f"Account {account.pk} sends real orders, and REAL_TRADING is off here. Nothing was sent.")
    if account.broker == Account.Broker.TIGER and settings.TIGER is None:
        raise Unavailable(
            "tiger_not_configured",
            f"Account {account.pk} trades at Tiger: set TIGER_ACCOUNT, TIGER_API_KEY and TIGER_SECRET. Nothing was sent.",
        )
