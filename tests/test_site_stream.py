"""The WebSocket: who gets what, what was missed, and who is dropped."""

import asyncio
import json

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.test import Client

from quant_site.core.models import Account, AccountMember, OutboxEvent
from quant_site.core.services import event_publish
from quant_site.core.stream import hub, outbox
from quant_site.core.stream.application import stream
from quant_site.core.tokens import login_create, logins_revoke
from quant_site.routing import websockets

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio]
database = sync_to_async
ORIGIN = (b"origin", b"http://localhost:8000")


@pytest.fixture(autouse=True)
def _fast(monkeypatch):
    monkeypatch.setattr(hub, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(hub, "GUARD_SECONDS", 0.05)


@pytest.fixture
def people(transactional_db):
    User = get_user_model()
    ann, bob = (User.objects.create_user(name, password="a long password") for name in ("ann", "bob"))
    Account.objects.create(id="A", owner=ann)
    Account.objects.create(id="B", owner=bob)
    return {"ann": ann, "bob": bob}


def session_headers(user, origin=ORIGIN):
    client = Client()
    client.force_login(user)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
    return [origin, (b"cookie", f"{settings.SESSION_COOKIE_NAME}={cookie}".encode())]


async def connect(user, query=""):
    socket = WebsocketCommunicator(websockets, f"/ws/stream/{query}", headers=await database(session_headers)(user))
    accepted, _ = await socket.connect(timeout=5)
    assert accepted
    return socket


async def until_ready(socket):
    got = []
    while not got or got[-1]["type"] != "stream.ready":
        got.append(json.loads(await socket.receive_from(timeout=5)))
    return got


async def receive(socket):
    return json.loads(await socket.receive_from(timeout=5))


async def closed_with(socket):
    while (message := await socket.receive_output(timeout=5))["type"] != "websocket.close":
        continue
    return message["code"]


async def publish(type, account="", **payload):
    await database(event_publish)(type=type, payload=payload, account=account)


async def test_a_user_gets_the_events_of_the_own_accounts_and_of_nobody_else(people):
    ann, bob = await connect(people["ann"]), await connect(people["bob"])
    await until_ready(ann)
    await until_ready(bob)
    await publish("order.created", "B", secret=1)
    await publish("order.created", "A", n=2)
    await publish("finding", "", n=3)
    first, second = await receive(ann), await receive(ann)
    assert (first["account"], first["payload"], first["type"]) == ("A", {"n": 2}, "order.created")
    assert set(first) == {"id", "type", "at", "account", "payload"}
    assert (second["account"], second["payload"]) == ("", {"n": 3})
    assert [(await receive(bob))["account"] for _ in range(2)] == ["B", ""]
    assert await ann.receive_nothing(0.1)
    await ann.disconnect()
    await bob.disconnect()


async def test_membership_opens_an_account_to_an_open_socket_and_closes_it_again(people):
    bob = await connect(people["bob"])
    await until_ready(bob)
    share = await database(AccountMember.objects.create)(account_id="A", user=people["bob"])
    await asyncio.sleep(0.4)
    await publish("fill", "A", n=1)
    assert (await receive(bob))["payload"] == {"n": 1}
    await database(share.delete)()
    await asyncio.sleep(0.4)
    await publish("fill", "A", n=2)
    await publish("fill", "B", n=3)
    assert (await receive(bob))["payload"] == {"n": 3}
    await bob.disconnect()


async def test_what_was_missed_is_replayed_once_and_in_order_and_only_what_may_be_seen(people):
    for n in range(6):
        await publish("fill", "AB"[n % 2], n=n)
    first = await database(lambda: OutboxEvent.objects.earliest("id").id)()
    ann = await connect(people["ann"], f"?since={first}")
    *missed, ready = await until_ready(ann)
    assert [event["payload"]["n"] for event in missed] == [2, 4]
    assert ready["id"] == first + 5
    await publish("fill", "A", n=6)
    assert (await receive(ann))["payload"] == {"n": 6}
    await ann.disconnect()


async def test_nothing_is_lost_or_doubled_while_events_arrive_during_the_replay(people):
    await publish("fill", "A", n=0)
    first = await database(lambda: OutboxEvent.objects.earliest("id").id)()

    async def writer():
        for n in range(1, 60):
            await publish("fill", "A", n=n)

    writing = asyncio.create_task(writer())
    sockets = [await connect(people["ann"], f"?since={first}") for _ in range(3)]
    await writing
    for socket in sockets:
        numbers = []
        while len(numbers) < 59:
            event = await receive(socket)
            if event["type"] == "fill":
                numbers.append(event["payload"]["n"])
        assert numbers == list(range(1, 60))
        assert await socket.receive_nothing(0.1)
        await socket.disconnect()


async def test_a_replay_that_is_too_long_keeps_the_newest_and_says_so(people, monkeypatch):
    monkeypatch.setattr(outbox, "REPLAY_LIMIT", 3)
    for n in range(8):
        await publish("fill", "A", n=n)
    first = await database(lambda: OutboxEvent.objects.earliest("id").id)()
    ann = await connect(people["ann"], f"?since={first}")
    truncated, *missed, _ = await until_ready(ann)
    assert truncated["type"] == "stream.truncated"
    assert [event["payload"]["n"] for event in missed] == [5, 6, 7]
    await ann.disconnect()


async def test_a_replay_from_before_the_pruned_events_says_that_some_are_missing(people):
    for n in range(4):
        await publish("fill", "A", n=n)
    first = await database(lambda: OutboxEvent.objects.earliest("id").id)()
    await database(OutboxEvent.objects.filter(id__lte=first + 1).delete)()
    ann = await connect(people["ann"], f"?since={first}")
    assert (await until_ready(ann))[0]["type"] == "stream.truncated"
    await ann.disconnect()
    ann = await connect(people["ann"], f"?since={first + 1}")
    assert [event["type"] for event in await until_ready(ann)] == ["fill", "fill", "stream.ready"]
    await ann.disconnect()


async def test_topics_filter_what_is_live_and_what_is_replayed(people):
    await publish("order.moved", "A", n=0)
    await publish("orderly.march", "A", n=1)
    await publish("signal.created", "A", n=2)
    first = await database(lambda: OutboxEvent.objects.earliest("id").id)()
    ann = await connect(people["ann"], f"?since={first - 1}&topics=order")
    assert [event["payload"].get("n") for event in await until_ready(ann)][:-1] == [0]
    await ann.send_to(json.dumps({"action": "subscribe", "topics": ["signal", "loop"]}))
    assert (await receive(ann))["payload"] == {"topics": ["loop", "signal"]}
    await publish("order.moved", "A", n=3)
    await publish("loop.stage", "A", n=4)
    assert (await receive(ann))["payload"] == {"n": 4}
    await ann.disconnect()


@pytest.mark.parametrize(
    "text", ["null", "{", "[]", '{"action": "buy"}', '{"action": "subscribe", "topics": "order"}', "x" * 5000, "[" * 4000]
)
async def test_a_request_that_makes_no_sense_gets_an_answer_and_changes_nothing(people, text):
    ann = await connect(people["ann"])
    await until_ready(ann)
    await ann.send_to(text)
    assert (await receive(ann))["payload"]["code"] == "bad_request"
    await publish("order.moved", "A", n=1)
    assert (await receive(ann))["payload"] == {"n": 1}
    await ann.disconnect()


async def test_a_token_in_the_subprotocol_opens_the_stream_and_is_not_echoed(people):
    token = (await database(login_create)(user=people["ann"]))["access"]
    socket = WebsocketCommunicator(websockets, "/ws/stream/", headers=[ORIGIN], subprotocols=["bearer", token])
    assert await socket.connect(timeout=5) == (True, "bearer")
    await until_ready(socket)
    await publish("fill", "A", n=1)
    assert (await receive(socket))["payload"] == {"n": 1}
    await socket.disconnect()


@pytest.mark.parametrize(
    "headers, subprotocols, query",
    [
        ([ORIGIN], [], ""),
        ([ORIGIN], ["bearer"], ""),
        ([ORIGIN], ["bearer", "not.a.token"], ""),
        ([ORIGIN, (b"cookie", b"sessionid=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")], [], ""),
        ([ORIGIN], [], "?token=TOKEN"),
    ],
)
async def test_without_a_good_credential_the_handshake_is_refused(people, headers, subprotocols, query):
    token = (await database(login_create)(user=people["ann"]))["access"]
    path = f"/ws/stream/{query.replace('TOKEN', token)}"
    socket = WebsocketCommunicator(websockets, path, headers=headers, subprotocols=subprotocols)
    assert (await socket.connect(timeout=5))[0] is False


async def test_a_bad_token_is_not_rescued_by_a_good_cookie(people):
    headers = await database(session_headers)(people["ann"])
    socket = WebsocketCommunicator(websockets, "/ws/stream/", headers=headers, subprotocols=["bearer", "not.a.token"])
    assert (await socket.connect(timeout=5))[0] is False


@pytest.mark.parametrize("origin", [None, b"http://evil.example", b"http://localhost.evil.example", b"null"])
async def test_a_foreign_page_cannot_ride_on_the_cookie(people, origin):
    headers = await database(session_headers)(people["ann"])
    headers = [header for header in headers if header != ORIGIN] + ([(b"origin", origin)] if origin else [])
    socket = WebsocketCommunicator(websockets, "/ws/stream/", headers=headers)
    assert (await socket.connect(timeout=5))[0] is False


@pytest.mark.parametrize("query", ["?since=-1", "?since=x", "?since=99999999999999999999", "?topics=a,b,<script>"])
async def test_a_handshake_that_asks_for_nonsense_is_refused(people, query):
    headers = await database(session_headers)(people["ann"])
    socket = WebsocketCommunicator(websockets, f"/ws/stream/{query}", headers=headers)
    assert (await socket.connect(timeout=5))[0] is False


def disable(user):
    user.is_active = False
    user.save()


def change_password(user):
    user.set_password("another long password")
    user.save()


def log_out(user):
    for session in Session.objects.all():
        if session.get_decoded()["_auth_user_id"] == str(user.pk):
            session.delete()


@pytest.mark.parametrize("act", [disable, change_password, log_out])
async def test_a_user_who_loses_the_right_to_be_here_is_dropped(people, act):
    ann, bob = await connect(people["ann"]), await connect(people["bob"])
    await database(act)(people["ann"])
    assert await closed_with(ann) == hub.CLOSE_UNAUTHENTICATED
    await until_ready(bob)
    await publish("fill", "B", n=1)
    assert (await receive(bob))["payload"] == {"n": 1}
    await bob.disconnect()


async def test_a_revoked_login_of_the_api_ends_its_socket(people):
    pair = await database(login_create)(user=people["ann"])
    socket = WebsocketCommunicator(websockets, "/ws/stream/", headers=[ORIGIN], subprotocols=["bearer", pair["access"]])
    await socket.connect(timeout=5)
    await database(logins_revoke)(user=people["ann"], reason="TEST", actor="test")
    assert await closed_with(socket) == hub.CLOSE_UNAUTHENTICATED


async def test_a_client_that_does_not_read_is_dropped_and_holds_nobody_up(people, monkeypatch):
    monkeypatch.setattr(hub, "QUEUE_LIMIT", 10)
    headers = await database(session_headers)(people["ann"])
    scope = {"type": "websocket", "path": "/ws/stream/", "headers": headers, "query_string": b"", "subprotocols": []}
    sent, silence, blocked = [], asyncio.Event(), asyncio.Event()
    requests = asyncio.Queue()
    await requests.put({"type": "websocket.connect"})

    async def send(message):
        sent.append(message)
        if message["type"] == "websocket.send" and '"fill"' in message["text"]:
            blocked.set()
            await silence.wait()

    serving = asyncio.create_task(stream(scope, requests.get, send))
    while not any('"stream.ready"' in message.get("text", "") for message in sent):
        await asyncio.sleep(0.01)
    quick = await connect(people["ann"])
    await until_ready(quick)
    for n in range(15):
        await publish("fill", "A", n=n)
        assert (await receive(quick))["payload"] == {"n": n}
    await asyncio.wait_for(serving, 5)
    assert blocked.is_set()
    assert sent[-1] == {"type": "websocket.close", "code": hub.CLOSE_TOO_SLOW}
    await quick.disconnect()


async def test_one_user_cannot_hold_every_connection(people, monkeypatch):
    monkeypatch.setattr(hub, "CONNECTIONS_PER_USER", 1)
    ann = await connect(people["ann"])
    await until_ready(ann)
    second = WebsocketCommunicator(websockets, "/ws/stream/", headers=await database(session_headers)(people["ann"]))
    assert (await second.connect(timeout=5))[0] is False
    bob = await connect(people["bob"])
    await ann.disconnect()
    await bob.disconnect()


async def test_the_reader_of_the_outbox_runs_only_while_somebody_listens(people):
    before = hub.current_hub()
    assert before.connections == set()
    ann = await connect(people["ann"])
    await until_ready(ann)
    assert len(before._tasks) == 2
    await ann.disconnect()
    assert before._tasks == []


async def test_an_id_that_commits_late_is_still_delivered(people):
    ann = await connect(people["ann"])
    await until_ready(ann)
    await publish("fill", "A", n=1)
    last = (await receive(ann))["id"]
    await database(OutboxEvent.objects.create)(id=last + 3, type="fill", account_id="A", payload={"n": 3})
    assert (await receive(ann))["payload"] == {"n": 3}
    await database(OutboxEvent.objects.create)(id=last + 1, type="fill", account_id="A", payload={"n": 2})
    assert (await receive(ann))["payload"] == {"n": 2}
    assert await ann.receive_nothing(0.1)
    await ann.disconnect()


async def test_a_reader_that_breaks_closes_its_sockets_so_that_clients_come_back(people, monkeypatch):
    ann = await connect(people["ann"])
    await until_ready(ann)
    with monkeypatch.context() as patch:
        patch.setattr(hub, "events_new", lambda *_: 1 / 0)
        assert await closed_with(ann) == hub.CLOSE_TRY_AGAIN
    again = await connect(people["ann"])
    await until_ready(again)
    await publish("fill", "A", n=1)
    assert (await receive(again))["payload"] == {"n": 1}
    await again.disconnect()
