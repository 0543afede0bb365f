"""What wakes the sweeper before its next round is due: the push of a real broker, where one is traded.

Push is only a bell. It says that something happened; what happened is asked of the broker's API, which alone is evidence,
and a bell that stays silent costs a round's wait and nothing else.
"""

import logging
import threading
from pkgutil import resolve_name
from typing import Protocol

from django.conf import settings

from quant_site.core.errors import QuantError
from quant_site.core.models import Account
from quant_site.core.types import Mode
from trading.control.guards import critical_alert

logger = logging.getLogger(__name__)
# Named and not imported: a process that trades on paper loads no vendor's SDK.
PUSH = {Account.Broker.TIGER.value: "trading.brokers.tiger.push:TigerPush"}


class Listener(Protocol):
    def start(self) -> None: ...
    def stop(self) -> None: ...


class Doorbell:
    """`wait` until somebody rings or the time is over. `open` starts the listeners of the real accounts; one that cannot be
    had is said and done without."""

    def __init__(self):
        self._rang = threading.Event()
        self._listeners: list[Listener] = []

    def ring(self, *_) -> None:
        self._rang.set()

    def wait(self, seconds: float) -> None:
        self._rang.wait(seconds)
        self._rang.clear()

    def open(self) -> None:
        if not settings.REAL_TRADING:
            return
        for account in Account.objects.filter(mode=Mode.REAL, broker__in=PUSH).order_by("pk"):
            try:
                listener = resolve_name(PUSH[account.broker])(
                    on_event=self.ring, on_alert=_alert_of(account.pk), account=account.broker_account
                )
                listener.start()
                self._listeners.append(listener)
            except QuantError as error:
                logger.warning("There is no push for account %s: %s", account.pk, error.message)
            return  # one connection is all that a broker allows its clients

    def close(self) -> None:
        for listener in self._listeners:
            listener.stop()
        self._listeners = []


def _alert_of(account_id: str):
    def tell(code: str, message: str) -> None:
        critical_alert(account=account_id, code=code, message=message, halt=False)

    return tell
