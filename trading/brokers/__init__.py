"""Brokers, by the name an account carries. The registry is explicit: to add one, write an adapter and name it here."""

from quant_site.core.errors import Unavailable
from quant_site.core.models import Account
from quant_site.core.types import Mode
from quant_site.market.panel import Panel
from trading.brokers.base import Broker
from trading.brokers.paper import PaperBroker

REGISTRY = {Account.Broker.PAPER.value: PaperBroker}


def broker_for(account: Account, panel: Panel) -> Broker:
    """The broker of `account`. Raises `Unavailable` where there is none: nothing stands in for a missing broker."""
    adapter = REGISTRY.get(account.broker)
    if adapter is None or adapter.mode != account.mode:
        raise Unavailable(
            "broker_not_ready",
            f"Account {account.pk} trades at {account.get_broker_display()} in mode {account.mode}, for which there is no broker"
            f" here: only the paper broker in mode {Mode.DRY_RUN} is ready. Nothing was sent.",
        )
    return adapter(panel)
