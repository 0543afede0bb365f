"""Up to which stored bar the prices of a symbol have been looked at for plans and alerts."""

from quant_site.core.models import Account
from quant_site.core.types import price
from quant_site.market.store import bar_store
from trading.models import WatchedBar


def trades_by_session(account: Account) -> bool:
    """Whether a simulated broker serves `account`, whose only prices are stored bars."""
    return account.broker == Account.Broker.PAPER


def mark_ensure(symbol: str) -> WatchedBar:
    """The mark of `symbol`; a symbol that was never watched begins with its last stored bar. Raises `DataMissing`."""
    mark = WatchedBar.objects.filter(pk=symbol).first()
    if mark is None:
        bar = bar_store().read(symbol).iloc[-1]
        found = {"session": bar["date"].date(), "close": price(float(bar["close"]))}
        mark, _ = WatchedBar.objects.get_or_create(symbol=symbol, defaults=found)
    return mark
