"""The push stream: frames of a varint32 length and a protobuf message, one connection for each developer.

A message is sent when something happens, to a connection that subscribed to it; what happens while nobody is connected
is not sent later. Faults of push are for the whole stream."""

import asyncio
import json
import random
from dataclasses import dataclass, field
from typing import Any

from tigeropen.push.pb.Request_pb2 import Request
from tigeropen.push.pb.Response_pb2 import Response
from tigeropen.push.pb.SocketCommon_pb2 import SocketCommon

from tests.fake_tiger.book import Book, BookOrder, Fill
from tests.fake_tiger.contracts import Invalid
from tests.fake_tiger.keys import Keys
from tests.fake_tiger.push_messages import asset_data, order_data, position_data, quote_data, transaction_data
from tests.fake_tiger.world import World

KICKED, REFUSED = 4001, 4000
SYMBOLS, SUBSCRIBED, UNSUBSCRIBED = 111, 112, 113
SILENCE_BEATS = 3
PUSH_FAULTS = ("duplicate", "drop", "reorder")
ACCOUNT_TYPES = {
    SocketCommon.OrderStatus: "order",
    SocketCommon.OrderTransaction: "fill",
    SocketCommon.Position: "position",
    SocketCommon.Asset: "asset",
}
QUOTE_TYPES = (SocketCommon.Quote, SocketCommon.Option)


class Closed(Exception):
    """The connection is over."""


@dataclass(slots=True)
class PushFault:
    """See the client's `push_fault`."""

    kind: str
    topic: str
    times: int | None
    probability: float
    copies: int
    batch: int
    dice: random.Random

    def hits(self, topic: str) -> bool:
        if self.topic not in ("", topic) or self.times == 0 or self.dice.random() >= self.probability:
            return False
        if self.times is not None:
            self.times -= 1
        return True


@dataclass(slots=True)
class Connection:
    """One client: `accounts` by topic ("" for its default), quoted symbols."""

    writer: asyncio.StreamWriter
    tiger_id: str = ""
    accounts: dict[str, str] = field(default_factory=dict)
    symbols: set[str] = field(default_factory=set)

    def send(self, response: Response) -> None:
        if self.writer.is_closing():
            return
        data = response.SerializeToString()
        self.writer.write(_varint(len(data)) + data)

    def close(self) -> None:
        self.writer.close()


class Push:
    """The push server. `publish` is what the venue calls."""

    def __init__(self, book: Book, world: World, keys: Keys, *, tiger_id: str, heartbeat_ms: int) -> None:
        self._book, self._world, self._keys = book, world, keys
        self._tiger_id, self._beat = tiger_id, heartbeat_ms / 1000
        self._connections: dict[int, Connection] = {}
        self._current: Connection | None = None
        self._faults: list[PushFault] = []
        self._held: list[Response] = []
        self._beating: asyncio.Task | None = None
        self.silent = False

    async def serve(self, port: int) -> asyncio.Server:
        self._beating = asyncio.create_task(self._heartbeats())
        return await asyncio.start_server(self._connected, "127.0.0.1", port)

    async def _heartbeats(self) -> None:
        while True:
            await asyncio.sleep(self._beat)
            if self._current and not self.silent:
                self._current.send(Response(command=SocketCommon.HEARTBEAT))

    # Messages

    def publish(self, topic: str, subject: Any) -> None:
        """Send what happened, if somebody subscribed to it."""
        if self.silent or not self._wanted(topic, subject):
            return
        response = Response(command=SocketCommon.MESSAGE)
        self._fill(response, topic, subject)
        fault = next((fault for fault in self._faults if fault.hits(topic)), None)
        if fault is None:
            self._send(response)
        elif fault.kind == "duplicate":
            for _ in range(fault.copies):
                self._send(response)
        elif fault.kind == "reorder":
            self._held.append(response)
            if len(self._held) >= fault.batch:
                self._release()

    def _wanted(self, topic: str, subject: Any) -> bool:
        current = self._current
        if current is None:
            return False
        return subject in current.symbols if topic == "quote" else current.accounts.get(topic) in ("", _account(subject))

    def _send(self, response: Response) -> None:
        if self._current:
            self._current.send(response)

    def _fill(self, response: Response, topic: str, subject: Any) -> None:
        body, now = response.body, self._world.now()
        if topic == "order":
            body.dataType = SocketCommon.OrderStatus
            order_data(body.orderStatusData, subject, self._world, now)
        elif topic == "fill":
            body.dataType = SocketCommon.OrderTransaction
            transaction_data(body.orderTransactionData, subject, now)
        elif topic == "position":
            body.dataType = SocketCommon.Position
            account, key = subject
            position_data(body.positionData, account, self._book.accounts[account].holdings[key], self._world, now)
        elif topic == "asset":
            body.dataType = SocketCommon.Asset
            asset_data(body.assetData, self._book.accounts[subject], self._world, now)
        else:
            body.dataType = SocketCommon.Quote
            quote_data(body.quoteData, subject, self._world, now)

    def _release(self) -> None:
        """What was held back goes out, last first."""
        held, self._held = self._held, []
        for response in reversed(held):
            self._send(response)

    # Control

    def fault(self, *, kind: str, topic: str, times: int | None, probability: float, seed: int, copies: int, batch: int) -> None:
        if kind not in PUSH_FAULTS:
            raise Invalid(f"no fault {kind}; there are {', '.join(PUSH_FAULTS)}")
        self._faults.append(PushFault(kind, topic, times, probability, copies, batch, random.Random(seed)))

    def heal(self) -> None:
        self._faults = []
        self._release()

    def disconnect(self) -> int:
        connections = list(self._connections.values())
        for connection in connections:
            connection.close()
        return len(connections)

    def kick(self) -> int:
        current, self._current = self._current, None
        if current is None:
            return 0
        self._refuse(current, KICKED, "kicked out by another connection")
        return 1

    def state(self) -> list[dict[str, Any]]:
        current = [self._current] if self._current else []
        return [{"topics": sorted(row.accounts), "symbols": sorted(row.symbols)} for row in current]

    # Connections

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(writer)
        self._connections[id(connection)] = connection
        try:
            while True:
                self._take(connection, await asyncio.wait_for(_read(reader), max(self._beat * SILENCE_BEATS, 1.0)))
        except (Closed, ConnectionError, asyncio.IncompleteReadError, TimeoutError):
            pass  # gone, silent for too long, or shown the door
        except asyncio.CancelledError:
            pass  # the process ends
        finally:
            self._forget(connection)

    def _forget(self, connection: Connection) -> None:
        connection.close()
        self._connections.pop(id(connection), None)
        if self._current is connection:
            self._current = None

    def _take(self, connection: Connection, request: Request) -> None:
        if request.command == SocketCommon.CONNECT:
            self._connect(connection, request)
        elif not connection.tiger_id:
            self._refuse(connection, REFUSED, "not connected")
            raise Closed
        elif request.command in (SocketCommon.SUBSCRIBE, SocketCommon.UNSUBSCRIBE):
            self._subscribe(connection, request)
        elif request.command == SocketCommon.SEND:
            message = json.dumps({"subscribedSymbols": sorted(connection.symbols), "used": len(connection.symbols), "limit": 100})
            connection.send(Response(command=SocketCommon.MESSAGE, id=request.id, code=SYMBOLS, msg=message))
        elif request.command == SocketCommon.DISCONNECT:
            connection.send(Response(command=SocketCommon.DISCONNECT, id=request.id))
            raise Closed

    def _connect(self, connection: Connection, request: Request) -> None:
        """A new connection of a developer ends the one before."""
        tiger_id, sign = request.connect.tigerId, request.connect.sign
        if tiger_id != self._tiger_id or not self._keys.verified(tiger_id, sign):
            self._refuse(connection, REFUSED, "failed to verify signature")
            raise Closed
        self.kick()
        connection.tiger_id = tiger_id
        self._current = connection
        beats = f"{int(self._beat * 1000)},{int(self._beat * 1000)}"
        connection.send(Response(command=SocketCommon.CONNECTED, id=request.id, code=0, msg=json.dumps({"heart-beat": beats})))

    def _subscribe(self, connection: Connection, request: Request) -> None:
        wanted, on = request.subscribe, request.command == SocketCommon.SUBSCRIBE
        topic = ACCOUNT_TYPES.get(wanted.dataType)
        if topic and on:
            connection.accounts[topic] = wanted.account
        elif topic:
            connection.accounts.pop(topic, None)
        elif wanted.dataType in QUOTE_TYPES:
            symbols = {symbol for symbol in wanted.symbols.split(",") if symbol}
            connection.symbols = connection.symbols | symbols if on else connection.symbols - (symbols or connection.symbols)
        code = SUBSCRIBED if on else UNSUBSCRIBED
        connection.send(Response(command=SocketCommon.MESSAGE, id=request.id, code=code, msg='{"code":0,"message":"success"}'))

    def _refuse(self, connection: Connection, code: int, message: str) -> None:
        connection.send(Response(command=SocketCommon.ERROR, code=code, msg=message))
        connection.close()


def _account(subject: Any) -> str:
    if isinstance(subject, BookOrder | Fill):
        return subject.account
    return subject if isinstance(subject, str) else subject[0]


async def _read(reader: asyncio.StreamReader) -> Request:
    length, shift = 0, 0
    while True:
        (byte,) = await reader.readexactly(1)
        length |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            break
    request = Request()
    request.ParseFromString(await reader.readexactly(length))
    return request


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(0x80 | (value & 0x7F))
        value >>= 7
    out.append(value)
    return bytes(out)
