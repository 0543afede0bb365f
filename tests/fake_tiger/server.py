"""HTTP/1.1 over asyncio, as little as the two ports need: POST with a length, keep-alive, and ways to answer badly."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus

HEAD_MOST = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes out: a body with a status; or, in place of it, the connection is closed or left hanging. `missing` bytes are
    announced but never come. `date` is the server's clock in seconds."""

    body: bytes = b""
    status: int = 200
    close: bool = False
    hang: bool = False
    missing: int = 0
    date: float | None = None


Handler = Callable[[str, bytes], Awaitable[Answer]]


async def serve(handler: Handler, port: int) -> asyncio.Server:
    """Listen on the loopback; `handler(path, body)` answers each request."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await _exchange(handler, reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the client went away: what it asked for has happened all the same
        except asyncio.CancelledError:
            pass  # the process ends
        finally:
            writer.transport.abort()

    return await asyncio.start_server(connected, "127.0.0.1", port, limit=HEAD_MOST)


async def _exchange(handler: Handler, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """One request and its answer; False ends the connection."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    path = head[0].split(" ")[1]
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    answer = await handler(path, body)
    if answer.hang:
        await reader.read()
        return False
    if answer.close:
        return False
    lines = [
        f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}",
        "Content-Type: application/json;charset=UTF-8",
        f"Content-Length: {len(answer.body) + answer.missing}",
        f"Date: {formatdate(answer.date, usegmt=True)}",
        "",
        "",
    ]
    writer.write("\r\n".join(lines).encode() + answer.body)
    await writer.drain()
    if answer.missing:
        writer.close()
        await writer.wait_closed()
    return not answer.missing
