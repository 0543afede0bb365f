"""One reader of the outbox per web process, and the connections it hands events to."""

import asyncio
import logging
import time
from contextlib import suppress
from weakref import WeakKeyDictionary

from channels.db import database_sync_to_async
from django.db import Error as DatabaseError

from quant_site.core.stream.credentials import Credential, Viewer, viewers_of
from quant_site.core.stream.outbox import BATCH, Cursor, Event, cursor_at_end, events_new

log = logging.getLogger(__name__)

POLL_SECONDS = 0.25
RETRY_SECONDS = 2.0
GUARD_SECONDS = 3.0
QUEUE_LIMIT = 2000
CONNECTIONS_PER_USER = 32
CLOSE_TRY_AGAIN = 1013
CLOSE_UNAUTHENTICATED = 4401
CLOSE_TOO_SLOW = 4408


class Connection:
    """What the hub knows of one client: what it may see, what it asked for, and what waits to be sent to it."""

    def __init__(self, credential: Credential, viewer: Viewer, topics: frozenset[str] | None):
        self.credential, self.viewer, self.topics = credential, viewer, topics
        self.outgoing: asyncio.Queue[Event] = asyncio.Queue(QUEUE_LIMIT)
        self.closing: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def wants(self, event: Event) -> bool:
        visible = not event.account_id or event.account_id in self.viewer.accounts
        return visible and (self.topics is None or event.topic in self.topics)

    def put(self, event: Event) -> None:
        """Queue an event; a client that does not keep up is dropped instead of holding memory."""
        try:
            self.outgoing.put_nowait(event)
        except asyncio.QueueFull:
            self.close(CLOSE_TOO_SLOW)

    def close(self, code: int) -> None:
        if not self.closing.done():
            self.closing.set_result(code)


class Hub:
    """Works while it has connections; starts with the first and stops with the last."""

    def __init__(self):
        self.connections: set[Connection] = set()
        self.cursor: Cursor | None = None
        self._starting = asyncio.Lock()
        self._tasks: list[asyncio.Task] = []

    async def join(self, connection: Connection) -> int:
        """Let `connection` have every event from now on; returns the id of the newest one before them."""
        self.connections.add(connection)
        async with self._starting:
            if not self._tasks:
                self.cursor = await database_sync_to_async(cursor_at_end)(time.monotonic())
                self._tasks = [asyncio.create_task(self._keep(work)) for work in (self._read, self._guard)]
        return self.cursor.position

    def leave(self, connection: Connection) -> None:
        self.connections.discard(connection)
        if not self.connections:
            self._stop()

    def crowded(self, viewer: Viewer) -> bool:
        return sum(other.viewer.user.pk == viewer.user.pk for other in self.connections) >= CONNECTIONS_PER_USER

    def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._tasks = []

    async def _keep(self, work) -> None:
        """Repeat `work` until the hub stops.

        When it breaks the connections close: open sockets that stay silent serve nobody, and the clients come back to
        a new reader and ask for what they missed.
        """
        try:
            while True:
                await work()
        except Exception:
            log.exception("The stream broke; its connections are closed.")
            for connection in self.connections:
                connection.close(CLOSE_TRY_AGAIN)
            self._stop()

    async def _read(self) -> None:
        """Hand on what is new."""
        try:
            events = await database_sync_to_async(events_new)(self.cursor, time.monotonic())
        except DatabaseError as error:
            log.warning("The outbox cannot be read now (%s); trying again.", error)
            await asyncio.sleep(RETRY_SECONDS)
            return
        for event in events:
            for connection in self.connections:
                if connection.wants(event):
                    connection.put(event)
        await asyncio.sleep(0 if len(events) == BATCH else POLL_SECONDS)

    async def _guard(self) -> None:
        """Ask again who everybody is: who was logged out, disabled or changed the password goes; accounts may change."""
        await asyncio.sleep(GUARD_SECONDS)
        viewers = await database_sync_to_async(viewers_of)({connection.credential for connection in self.connections})
        for connection in self.connections:
            if connection.credential not in viewers:  # it joined meanwhile
                continue
            viewer = viewers[connection.credential]
            if viewer is None:
                connection.close(CLOSE_UNAUTHENTICATED)
            else:
                connection.viewer = viewer


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def current_hub() -> Hub:
    """The hub of the running event loop; a web process has one loop."""
    with suppress(KeyError):
        return _hubs[asyncio.get_running_loop()]
    return _hubs.setdefault(asyncio.get_running_loop(), Hub())
