"""The second HTTP port: one POST path for each command of the client, JSON in and out."""

import json
from collections.abc import Callable
from typing import Any

from tests.fake_tiger.book import BookOrder
from tests.fake_tiger.contracts import Contract, Invalid
from tests.fake_tiger.faults import Faults, Limits
from tests.fake_tiger.gateway import Gateway
from tests.fake_tiger.intake import Refused
from tests.fake_tiger.journal import Writer
from tests.fake_tiger.push import Push
from tests.fake_tiger.server import Answer
from tests.fake_tiger.venue import Venue
from tests.fake_tiger.world import World

EXTERNAL_SOURCE = "iOS"


class Control:
    """Commands by name. What changes the world is journalled, so that a restart hears it again."""

    def __init__(self, venue: Venue, gateway: Gateway, push: Push, journal: Writer, faults: Faults, limits: Limits) -> None:
        self._venue, self._gateway, self._push = venue, gateway, push
        self._journal, self._faults, self._limits = journal, faults, limits
        self._commands: dict[str, Callable[..., Any]] = {
            "fill": self._fill,
            "status": self._status,
            "external_order": self._external_order,
            "external_position": self._external_position,
            "cash_change": self._cash_change,
            "fault": faults.add,
            "heal": faults.heal,
            "limits": limits.set,
            "push_fault": push.fault,
            "push_heal": push.heal,
            "push_disconnect": push.disconnect,
            "push_kick": push.kick,
            "push_silence": self._push_silence,
            "push_order": lambda order: push.publish("order", self._order(order)),
            "state": self._state,
        }

    async def answer(self, path: str, body: bytes) -> Answer:
        name = path.strip("/")
        try:
            result = self._do(name, json.loads(body or b"{}"))
        except (Invalid, Refused, ValueError, TypeError, KeyError) as error:
            return Answer(json.dumps({"error": f"{name}: {type(error).__name__}: {error}"}).encode())
        self._journal.sync()
        return Answer(json.dumps({"result": result}).encode())

    def _do(self, name: str, arguments: dict[str, Any]) -> Any:
        if name in World.COMMANDS:
            return self._arrange(name, arguments)
        if name not in self._commands:
            raise Invalid("no such command")
        return self._commands[name](**arguments)

    def _arrange(self, name: str, arguments: dict[str, Any]) -> Any:
        if name == "quote" and arguments.get("at") is None:
            arguments["at"] = self._venue.world.now()
        answer = getattr(self._venue.world, name)(**arguments)
        self._journal.append({"kind": "control", "command": name, "arguments": arguments})
        if name == "quote":
            self._push.publish("quote", arguments["symbol"])
        self._venue.match_all()
        return answer

    def _order(self, name: int | str) -> BookOrder:
        """By global id, or the newest of a user mark."""
        book = self._venue.book
        ids = [name] if name in book.orders else book.marks.get(str(name), [])
        if not ids:
            raise Invalid(f"no order {name!r}")
        return book.orders[ids[-1]]

    def _fill(self, order: int | str, **arguments: Any) -> list[int]:
        return self._venue.fill(self._order(order), **arguments)

    def _status(self, order: int | str, status: str, remark: str) -> None:
        self._venue.status(self._order(order), status, remark)

    def _external_order(self, symbol: str, action: str, quantity: Any, order_type: str, fields: dict[str, Any]) -> int:
        contract = Contract.from_key(symbol)
        named = {"symbol": contract.symbol, "sec_type": contract.sec_type, "right": contract.right, "expiry": contract.expiry}
        named |= {"strike": str(contract.strike)} if contract.strike is not None else {}
        wanted = {"action": action, "total_quantity": quantity, "order_type": order_type}
        return self._venue.place(named | wanted | fields, source=EXTERNAL_SOURCE).id

    def _external_position(self, symbol: str, quantity: Any, price: Any, account: str, reason: str) -> None:
        self._venue.external_position(self._account(account), symbol, quantity, price, reason)

    def _cash_change(self, amount: Any, reason: str, account: str) -> None:
        self._venue.cash_change(self._account(account), amount, reason)

    def _account(self, name: str) -> str:
        return name or next(iter(self._venue.book.accounts))

    def _push_silence(self, silent: bool) -> None:
        self._push.silent = silent

    def _state(self) -> dict[str, Any]:
        return {"pending": self._gateway.pending, "push": self._push.state(), "faults": self._faults.left()}
