"""The API's one address: checks signatures, lets faults happen, calls the method, signs the reply."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

from tests.fake_tiger import market_methods, methods
from tests.fake_tiger.contracts import Invalid
from tests.fake_tiger.faults import Fault, Faults, Limits
from tests.fake_tiger.intake import PARAMETERS, Refused
from tests.fake_tiger.journal import Writer
from tests.fake_tiger.keys import Keys, signed_content
from tests.fake_tiger.server import Answer
from tests.fake_tiger.venue import Venue

PATH = "/gateway"
COMMON = 1000
METHODS = methods.METHODS | market_methods.METHODS
CALL_FIELDS = ("account", "user_mark", "id", "order_id", "symbol", "action", "total_quantity", "page_token", "sec_type")
SPOILT = ("http", "error", "never", "empty", "garbage", "cut", "bad_sign", "no_sign")
CLOSE, HANG = Answer(close=True), Answer(hang=True)

Result = tuple[int, str | None, Any]


class Gateway:
    """`answer(path, body)` is the whole interface; `pending` counts requests that were taken but are processed later."""

    def __init__(self, venue: Venue, keys: Keys, journal: Writer, faults: Faults, limits: Limits, *, tiger_id: str, calls: int) -> None:
        self._venue, self._keys, self._journal = venue, keys, journal
        self._faults, self._limits, self._tiger_id = faults, limits, tiger_id
        self._calls, self.pending = calls, 0
        self._tasks: set[asyncio.Task] = set()

    async def answer(self, path: str, body: bytes) -> Answer:
        if path.rstrip("/") != PATH:
            return Answer(status=404)
        try:
            request = json.loads(body)
            fields = json.loads(request.get("biz_content") or "{}")
        except ValueError:
            return Answer(status=400)
        method, moment = str(request.get("method")), str(request.get("timestamp"))
        fault = self._faults.take(method, fields)
        number = self._called(method, fields, fault)
        if fault and fault.kind == "lose_request":
            return CLOSE
        problem = self._problem(request, method)
        if problem:
            return self._reply(number, moment, (*problem, None))
        return await self._handle(number, method, fields, moment, fault)

    def _called(self, method: str, fields: dict[str, Any], fault: Fault | None) -> int:
        self._calls += 1
        shown = {name: fields[name] for name in CALL_FIELDS if name in fields}
        record = {"kind": "call", "number": self._calls, "method": method, "at": time.time(), "fields": shown}
        self._journal.append(record | ({"fault": fault.kind} if fault else {}))
        return self._calls

    def _problem(self, request: dict[str, Any], method: str) -> tuple[int, str] | None:
        """Code and message where the request is not let in."""
        if request.get("tiger_id") != self._tiger_id or request.get("sign_type") != "RSA":
            return COMMON, "common param error(the developer does not exist)"
        if not self._keys.verified(signed_content(request), request.get("sign")):
            return COMMON, "common param error(failed to verify signature)"
        if method not in METHODS and method not in self._venue.world.replies:
            return COMMON, f"common param error(method {method} does not exist)"
        paper = any(account.kind == "PAPER" for account in self._venue.book.accounts.values())
        return self._limits.exceeded(method, paper=paper)

    async def _handle(self, number: int, method: str, fields: dict[str, Any], moment: str, fault: Fault | None) -> Answer:
        kind = fault.kind if fault else ""
        if kind in ("delay_processing", "accept_late"):
            return await self._later(number, method, fields, moment, fault)
        if kind in SPOILT and not fault.after:
            result = (fault.code, fault.message, None) if kind == "error" else (0, "success", None)
        else:
            result = self._process(method, fields, fault)
        if kind == "lose_reply":
            self._journal.sync()
            return CLOSE
        if kind == "delay_reply":
            self._journal.sync()
            await asyncio.sleep(fault.seconds)
        if kind in SPOILT:
            return self._spoilt(number, moment, result, fault)
        return self._reply(number, moment, result)

    async def _later(self, number: int, method: str, fields: dict[str, Any], moment: str, fault: Fault) -> Answer:
        """Process when the time has come, whether or not anybody still waits."""

        async def work() -> Answer:
            try:
                await asyncio.sleep(fault.seconds)
                return self._reply(number, moment, self._process(method, fields, fault))
            finally:
                self.pending -= 1

        self.pending += 1
        task = asyncio.create_task(work())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return CLOSE if fault.kind == "accept_late" else await asyncio.shield(task)

    def _process(self, method: str, fields: dict[str, Any], fault: Fault | None) -> Result:
        function: Callable[[Venue, dict[str, Any]], Any] | None = METHODS.get(method)
        try:
            data = self._venue.world.replies[method] if method in self._venue.world.replies else function(self._venue, fields)
        except Refused as refusal:
            return refusal.code, refusal.message, None
        except (Invalid, ValueError, TypeError) as error:
            return PARAMETERS, f"biz param error({error})", None
        if fault and fault.kind == "inactive" and method == "place_order":
            self._venue.status(self._venue.book.orders[data["id"]], "Inactive", fault.message or "")
        return 0, "success", data

    def _spoilt(self, number: int, moment: str, result: Result, fault: Fault) -> Answer:
        """A reply that is none."""
        good = self._reply(number, moment, (fault.code, fault.message, None) if fault.kind == "error" else result)
        if fault.kind == "error":
            return good
        if fault.kind == "never":
            return HANG
        if fault.kind == "http":
            return Answer(b'{"message":"upstream error"}', fault.status)
        if fault.kind == "empty":
            return Answer(b"")
        if fault.kind == "garbage":
            return Answer(b"<html><body>upstream connect error</body></html>")
        if fault.kind == "cut":
            return Answer(good.body[: len(good.body) // 2], missing=len(good.body) - len(good.body) // 2)
        reply = json.loads(good.body)
        sign = reply.pop("sign")
        return Answer(json.dumps(reply if fault.kind == "no_sign" else reply | {"sign": self._wrong(sign)}).encode())

    def _wrong(self, sign: str) -> str:
        """A signature by the right key of another text."""
        other = self._keys.sign("1970-01-01 00:00:00")
        return other if other != sign else self._keys.sign("1970-01-01 00:00:01")

    def _reply(self, number: int, moment: str, result: Result) -> Answer:
        code, message, data = result
        self._journal.append({"kind": "reply", "call": number, "code": code})
        self._journal.sync()
        if code == 429:
            return Answer(b"", status=429)
        world = self._venue.world
        reply = {"code": code, "timestamp": world.now(), "sign": self._keys.sign(moment)}
        if message is not None:
            reply["message"] = message
        if data is not None:
            reply["data"] = json.dumps(data) if world.config.string_data else data
        return Answer(json.dumps(reply).encode(), date=world.now() / 1000)
