"""The ASGI application behind `/ws/stream/`: handshake, then a listener and a speaker until one of them ends."""

import asyncio
import json
import re
from urllib.parse import parse_qs

from channels.db import database_sync_to_async

from quant_site.core.stream.credentials import credential_of, viewer_of
from quant_site.core.stream.hub import CLOSE_TRY_AGAIN, CLOSE_UNAUTHENTICATED, Connection, current_hub
from quant_site.core.stream.outbox import Event, event, events_missed

CLOSE_BAD_REQUEST = 4400
LONGEST_REQUEST = 4096
MOST_TOPICS = 32
_topic = re.compile(r"[a-z_]{1,48}")


class BadRequest(ValueError):
    """The client asked for something that cannot be; the text says what to do."""


async def stream(scope, receive, send) -> None:
    """Serve one WebSocket. Without a good credential the handshake itself is refused (HTTP 403)."""
    await receive()  # websocket.connect
    hub = current_hub()
    try:
        since, topics = _query(scope)
    except BadRequest:
        await _close(send, CLOSE_BAD_REQUEST)
        return
    credential, subprotocol = credential_of(scope)
    viewer = await database_sync_to_async(viewer_of)(credential)
    if viewer is None or hub.crowded(viewer):
        await _close(send, CLOSE_UNAUTHENTICATED if viewer is None else CLOSE_TRY_AGAIN)
        return
    await send({"type": "websocket.accept", "subprotocol": subprotocol})
    connection = Connection(credential, viewer, topics)
    try:
        position = await hub.join(connection)
        code = await _serve(connection, receive, _speak(connection, since, position, send))
    finally:
        hub.leave(connection)
    if code is not None:
        await _close(send, code)


async def _serve(connection: Connection, receive, speaking) -> int | None:
    """Until the client leaves (None) or has to (the close code)."""
    tasks = [asyncio.create_task(_listen(connection, receive)), asyncio.create_task(speaking)]
    try:
        done, _ = await asyncio.wait([*tasks, connection.closing], return_when=asyncio.FIRST_COMPLETED)
        return done.pop().result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _listen(connection: Connection, receive) -> None:
    """Take requests until the client disconnects."""
    while (incoming := await receive())["type"] != "websocket.disconnect":
        try:
            connection.topics = _subscription(incoming.get("text") or "")
            connection.put(event(id=None, type="stream.subscribed", payload=_asked(connection)))
        except BadRequest as error:
            connection.put(event(id=None, type="stream.error", payload={"code": "bad_request", "message": str(error)}))


async def _speak(connection: Connection, since: int | None, position: int, send) -> None:
    """Send what came after `since`, say that the rest is live, and go on with that. Live events wait meanwhile."""
    missed, truncated = [], False
    if since is not None:
        user, topics = connection.viewer.user, connection.topics
        missed, truncated = await database_sync_to_async(events_missed)(user=user, since=since, topics=topics)
    if truncated:
        await _say(send, event(id=None, type="stream.truncated", payload={"since": since, "replayed": len(missed)}))
    for one in missed:
        await _say(send, one)
    replayed = {one.id for one in missed}
    await _say(send, event(id=max([position, *replayed]), type="stream.ready", payload=_asked(connection)))
    while True:
        one = await connection.outgoing.get()
        if one.id not in replayed:
            await _say(send, one)


def _query(scope) -> tuple[int | None, frozenset[str] | None]:
    """`?since=` and `?topics=`; raises `BadRequest`."""
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    since = query.get("since", [""])[-1]
    if since and not (since.isascii() and since.isdigit() and len(since) < 19):
        raise BadRequest("since is the id of the last message you have.")
    topics = query.get("topics", [""])[-1]
    return int(since) if since else None, _topics(topics.split(",")) if topics else None


def _subscription(text: str) -> frozenset[str] | None:
    """The topics of `{"action": "subscribe", "topics": […]}`; an absent or empty list means all. Raises `BadRequest`."""
    if len(text) > LONGEST_REQUEST:
        raise BadRequest(f"A request has at most {LONGEST_REQUEST} characters.")
    try:
        request = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadRequest('Send JSON: {"action": "subscribe", "topics": ["signal", "order"]}.') from error
    if not isinstance(request, dict) or request.get("action") != "subscribe":
        raise BadRequest('The only action is "subscribe".')
    topics = request.get("topics") or []
    if not isinstance(topics, list):
        raise BadRequest('"topics" is a list of words.')
    return _topics(topics) if topics else None


def _topics(words: list) -> frozenset[str]:
    if len(words) > MOST_TOPICS or not all(isinstance(word, str) and _topic.fullmatch(word) for word in words):
        raise BadRequest(f"Topics are at most {MOST_TOPICS} words such as signal, order, fill, position, loop.")
    return frozenset(words)


def _asked(connection: Connection) -> dict:
    return {"topics": sorted(connection.topics) if connection.topics is not None else None}


async def _say(send, one: Event) -> None:
    await send({"type": "websocket.send", "text": one.text})


async def _close(send, code: int) -> None:
    await send({"type": "websocket.close", "code": code})
