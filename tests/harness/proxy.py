"""A TCP proxy in front of a database, as a process of its own: it can refuse, drop, and swallow the answer to a commit.

with Proxy("127.0.0.1", 3306) as proxy:
    proxy.swallow_commit(3)     # the third COMMIT from now on reaches the server, and its client hears nothing
    proxy.refuse()              # every connection is dropped, and no new one taken
    proxy.accept()
"""

import asyncio
import os
import socket
from contextlib import suppress
from typing import Self

COM_QUERY = 3


class Proxy:
    """The handle; `port` is where it listens."""

    def __init__(self, host: str, port: int):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._control, theirs = socket.socketpair()
        self._child = os.fork()
        if self._child == 0:
            self._control.close()
            try:
                asyncio.run(_Server(self._listener, theirs, host, port).serve())
            finally:
                os._exit(0)
        theirs.close()
        self._listener.close()

    def refuse(self) -> None:
        self._say("refuse")

    def accept(self) -> None:
        self._say("accept")

    def swallow_commit(self, number: int) -> None:
        self._say(f"swallow {number}")

    def _say(self, command: str) -> None:
        """Returns when it is done."""
        self._control.sendall(f"{command}\n".encode())
        if not self._control.recv(16):
            raise ConnectionError("the proxy is gone")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._control.close()
        os.waitpid(self._child, 0)


class _Server:
    def __init__(self, listener: socket.socket, control: socket.socket, host: str, port: int):
        self._listener, self._control, self._target = listener, control, (host, port)
        self._open: set[asyncio.StreamWriter] = set()
        self._refusing, self._commits_left = False, 0

    async def serve(self) -> None:
        server = await asyncio.start_server(self._connected, sock=self._listener)
        reader, writer = await asyncio.open_connection(sock=self._control)
        while line := await reader.readline():
            self._obey(*line.decode().split())
            writer.write(b"done\n")
            await writer.drain()
        server.close()

    def _obey(self, command: str, number: str = "0") -> None:
        if command == "swallow":
            self._commits_left = int(number)
        else:
            self._refusing = command == "refuse"
        if command == "refuse":
            for writer in list(self._open):
                writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            writer.transport.abort()
            return
        with suppress(OSError):
            up_reader, up_writer = await asyncio.open_connection(*self._target)
            self._open |= {writer, up_writer}
            swallowing = asyncio.Event()
            await asyncio.gather(
                self._forward(reader, up_writer, swallowing, watch=True), self._forward(up_reader, writer, swallowing, watch=False)
            )

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, swallowing: asyncio.Event, *, watch: bool) -> None:
        """Pass on what comes; what the server says to a commit that is to be swallowed ends both connections instead."""
        with suppress(OSError):
            while data := await reader.read(65536):
                if watch and data[4:5] == bytes([COM_QUERY]) and data[5:11].upper() == b"COMMIT" and self._commits_left:
                    self._commits_left -= 1
                    if self._commits_left == 0:
                        swallowing.set()
                if not watch and swallowing.is_set():
                    break
                writer.write(data)
                await writer.drain()
        for each in [writer, *(other for other in self._open if swallowing.is_set() and other is writer)]:
            each.transport.abort()
        self._open.discard(writer)
