"""Tiger's push: a doorbell. It says that something changed; what changed is asked of the API, which alone is evidence.

One connection belongs to one process: a second one of the same tiger id throws the first out (4001), and a connection that
was thrown out does not come back by itself, or the two would go on for ever. After every connection, and wherever messages
were lost, RESYNC tells the listener to look at everything. The server's certificate is not checked by the SDK: nothing that
comes here is believed.
"""

import logging
import queue
import random
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from tigeropen.push.push_client import PushClient

from quant_site.core.errors import Unavailable
from quant_site.market.tiger import redaction
from quant_site.market.tiger.config import client_config, credentials, push_address
from quant_site.market.tiger.values import moment, number, symbol_of

logger = logging.getLogger(__name__)
CONNECT_SECONDS = 5.0
HEARTBEAT_MILLISECONDS = 10_000
LONGEST_PAUSE = 60.0
# Away for longer than this, somebody is told, once.
DOWN_SECONDS = 60.0


class Kind(StrEnum):
    ORDER = "ORDER"
    POSITION = "POSITION"
    ASSET = "ASSET"
    QUOTE = "QUOTE"
    RESYNC = "RESYNC"


@dataclass(frozen=True, slots=True)
class PushEvent:
    """What rang. `client_order_id` is empty where Tiger does not return our mark and nobody could say whose order it is.
    Prices are None where the message had none."""

    kind: Kind
    client_order_id: str = ""
    broker_order_id: str = ""
    symbol: str = ""
    bid: Decimal | None = None
    ask: Decimal | None = None
    last: Decimal | None = None
    at: datetime | None = None


class TigerPush:
    """Listens for one account in threads of its own. `on_event` is called in one of them, one event after the other, and may
    take its time; `on_alert(code, message)` for what a person has to know: PUSH_KICKED (it has stopped), PUSH_DOWN.

    `resolve` answers our id of a broker's id, for orders that come without our mark. Raises `Unavailable` without credentials.
    """

    def __init__(
        self,
        *,
        on_event: Callable[[PushEvent], None],
        on_alert: Callable[[str, str], None],
        account: str = "",
        symbols: Iterable[str] = (),
        resolve: Callable[[str], str] = lambda _: "",
        capacity: int = 10_000,
        pause: float = 1.0,
    ):
        given = credentials()
        self._config = client_config(given)
        self._host, self._port, self._tls = push_address(given)
        self.account = account or given.account
        redaction.learn(self.account)
        self._on_event, self._on_alert, self._resolve = on_event, on_alert, resolve
        self._symbols = sorted(set(symbols))
        self._events: queue.Queue[PushEvent | None] = queue.Queue(capacity)
        self._pause = pause
        self._stopped, self._over, self._lost = threading.Event(), threading.Event(), threading.Event()
        self._client: PushClient | None = None
        self._connected = self._kicked = self._told = False
        self._threads: list[threading.Thread] = []

    @property
    def connected(self) -> bool:
        """Whether the server has accepted us and not gone since."""
        return self._connected

    @property
    def running(self) -> bool:
        """Whether it is connected or tries to be; False after `stop` and after it was thrown out."""
        return any(thread.is_alive() for thread in self._threads[:1])

    def start(self) -> None:
        """Connect, and stay connected. Raises `Unavailable` when it was started before: make another one."""
        if self._threads:
            raise Unavailable("push_started", "This listener was started before: make another one.")
        self._threads = [
            threading.Thread(target=self._stay, name="tiger-push", daemon=True),
            threading.Thread(target=self._hand_out, name="tiger-push-events", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def stop(self, *, seconds: float = 5.0) -> None:
        """Leave, and wait for the threads."""
        self._stopped.set()
        self._over.set()
        self._lost.set()
        with self._events.mutex:
            self._events.queue.clear()
        self._events.put(None)
        for thread in self._threads:
            thread.join(seconds)

    def subscribe(self, symbols: Iterable[str]) -> None:
        """Quotes of these symbols too, now and after every reconnect."""
        fresh = sorted(set(symbols) - set(self._symbols))
        self._symbols = sorted({*self._symbols, *fresh})
        if fresh and self._connected and self._client is not None:
            self._client.subscribe_quote(fresh)

    # --- the connection

    def _stay(self) -> None:
        pause, since = self._pause, time.monotonic()
        while not self._stopped.is_set():
            if self._connect_once():
                pause, since, self._told = self._pause, time.monotonic(), False
            if self._kicked:
                self._alert("PUSH_KICKED", "Another connection of the same tiger id has taken over the push: this one stays away.")
                return
            if not self._told and time.monotonic() - since > DOWN_SECONDS:
                self._told = True
                self._alert("PUSH_DOWN", "Tiger's push cannot be reached. Orders are still looked up, only later.")
            self._stopped.wait(pause * random.uniform(1.0, 1.25))
            pause = min(2 * pause, LONGEST_PAUSE)

    def _connect_once(self) -> bool:
        """One connection from its beginning to its end; whether the server accepted it."""
        self._over.clear()
        if self._stopped.is_set():
            return False
        accepted = threading.Event()
        try:
            # The SDK would try for an hour within its own call, which nothing could stop.
            socket.create_connection((self._host, self._port), CONNECT_SECONDS).close()
            self._client = self._make(accepted)
            self._client.connect(self._config.tiger_id, self._config.private_key)
            accepted.wait(CONNECT_SECONDS) and self._over.wait()
        except Exception as error:  # noqa: BLE001 (the SDK lets through whatever its transport raised; the next attempt follows)
            logger.info("Tiger's push: %s.", type(error).__name__)
        finally:
            self._connected = False
            self._leave()
        return accepted.is_set()

    def _make(self, accepted: threading.Event) -> PushClient:
        wrap = ssl.SSLContext.wrap_socket
        beat = (HEARTBEAT_MILLISECONDS, HEARTBEAT_MILLISECONDS)
        try:
            client = PushClient(
                self._host, self._port, use_ssl=self._tls, heartbeats=beat, client_config=self._config, callback_executor=_Inline()
            )
        finally:
            # Making one replaces this for the whole process.
            ssl.SSLContext.wrap_socket = wrap
        client.connect_callback = lambda _frame: self._accepted(client, accepted)
        client.disconnect_callback = self._over.set
        client.kickout_callback = self._thrown_out
        client.error_callback = lambda frame: logger.warning("Tiger's push says: code %s.", getattr(frame, "code", "?"))
        client.order_changed = self._order
        client.position_changed = lambda data: self._ring(PushEvent(Kind.POSITION, symbol=_symbol(data)))
        client.asset_changed = lambda data: self._ring(PushEvent(Kind.ASSET))
        client.quote_changed = self._last
        client.quote_bbo_changed = self._bid_ask
        return client

    def _accepted(self, client: PushClient, accepted: threading.Event) -> None:
        """Subscriptions are the connection's, so they are made for every one."""
        client.subscribe_order(self.account)
        client.subscribe_position(self.account)
        client.subscribe_asset(self.account)
        if self._symbols:
            client.subscribe_quote(self._symbols)
        self._connected = True
        accepted.set()
        self._ring(PushEvent(Kind.RESYNC))

    def _thrown_out(self, _frame) -> None:
        self._kicked = True
        self._over.set()

    def _leave(self) -> None:
        """The SDK's goodbye may wait for ever for a server that is gone."""
        client, self._client = self._client, None
        if client is None:
            return
        client.connect_callback = client.order_changed = client.position_changed = client.asset_changed = None
        thread = threading.Thread(target=_disconnect, args=(client,), name="tiger-push-goodbye", daemon=True)
        thread.start()
        thread.join(1.0)

    # --- what it says

    def _order(self, data) -> None:
        self._ring(PushEvent(Kind.ORDER, str(data.userMark or ""), str(data.id), _symbol(data), at=moment(data.timestamp)))

    def _last(self, data) -> None:
        self._ring(PushEvent(Kind.QUOTE, symbol=_quoted(data), last=number(data.latestPrice) or None, at=moment(data.timestamp)))

    def _bid_ask(self, data) -> None:
        bid, ask = number(data.bidPrice) or None, number(data.askPrice) or None
        self._ring(PushEvent(Kind.QUOTE, symbol=_quoted(data), bid=bid, ask=ask, at=moment(data.timestamp)))

    def _ring(self, event: PushEvent) -> None:
        try:
            self._events.put_nowait(event)
        except queue.Full:
            # A quote is followed by the next; anything else that is lost has to be looked for.
            if event.kind is not Kind.QUOTE:
                self._lost.set()

    def _hand_out(self) -> None:
        while (event := self._events.get()) is not None:
            if self._lost.is_set() and not self._stopped.is_set():
                self._lost.clear()
                self._tell(PushEvent(Kind.RESYNC))
            self._tell(event)

    def _tell(self, event: PushEvent) -> None:
        try:
            if event.kind is Kind.ORDER and not event.client_order_id:
                event = replace(event, client_order_id=self._resolve(event.broker_order_id))
            self._on_event(event)
        except Exception:
            logger.exception("A listener of Tiger's push failed at %s.", event.kind)

    def _alert(self, code: str, message: str) -> None:
        logger.error("%s: %s", code, message)
        try:
            self._on_alert(code, message)
        except Exception:
            logger.exception("Nobody could be told of %s.", code)


class _Inline:
    """Calls at once, in the thread that reads: our callbacks only put into the queue, and so keep their order."""

    def submit(self, call, *args, key=None, **named) -> None:
        call(*args, **named)

    def shutdown(self, wait: bool = True, cancel_futures: bool = True) -> None:
        return


def _disconnect(client: PushClient) -> None:
    try:
        client.disconnect()
    except Exception as error:  # noqa: BLE001 (it is gone either way)
        logger.debug("Tiger's push ended with %s.", type(error).__name__)


def _symbol(data) -> str:
    names = ("symbol", "secType", "expiry", "strike", "right", "identifier")
    return symbol_of({name: getattr(data, name, None) for name in names})


def _quoted(data) -> str:
    """The symbol of a quote; an option's comes as its identifier."""
    return "".join(str(getattr(data, "identifier", "") or data.symbol).split()).upper()
