"""The record of what the broker did: one JSON object a line, written before any reply leaves.

Kinds: `account`, `number` (an order number given out), `order` (accepted), `status`, `modify`, `fill` (with the cash and
the holding after it), `cash` and `position` (changes from outside), `control` (what a test arranged), `call` (each HTTP
request as it arrives) and `reply` (what was answered to it). A line that SIGKILL cut short is no record."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.fake_tiger.book import Book, BookOrder, Fill


class Writer:
    """Appends records; `sync` makes what was appended survive the machine, where that is wanted."""

    def __init__(self, path: Path, *, fsync: bool) -> None:
        size = _whole(path)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.ftruncate(self._file, size)
        self._fsync, self._dirty = fsync, False

    def append(self, record: dict[str, Any]) -> None:
        line = json.dumps(record, separators=(",", ":")).encode() + b"\n"
        while line:
            line = line[os.write(self._file, line) :]
        self._dirty = self._dirty or record["kind"] not in ("call", "reply")

    def sync(self) -> None:
        if self._fsync and self._dirty:
            os.fdatasync(self._file)
        self._dirty = False

    def close(self) -> None:
        self.sync()
        os.close(self._file)


def _whole(path: Path) -> int:
    """Bytes up to the end of the last complete line."""
    return path.read_bytes().rfind(b"\n") + 1 if path.exists() else 0


def records(path: Path) -> Iterator[dict[str, Any]]:
    """Every complete record."""
    if path.exists():
        with path.open("rb") as lines:
            yield from (json.loads(line) for line in lines if line.endswith(b"\n"))


@dataclass(slots=True)
class Call:
    """One HTTP request: `at` is seconds since the epoch, `fields` what it asked for, `fault` what went wrong with it and
    `code` what was answered (None where nothing was, or not yet)."""

    number: int
    method: str
    at: float
    fields: dict[str, Any]
    fault: str = ""
    code: int | None = None


class Journal:
    """Ground truth for a test. Reads what was added since the last question, so that asking often is cheap."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._offset = 0
        self._book = Book()
        self._calls: dict[int, Call] = {}

    @property
    def book(self) -> Book:
        """The folded books as of now."""
        self._read()
        return self._book

    def orders(self, *, user_mark: str | None = None, account: str | None = None, external: bool | None = None) -> list[BookOrder]:
        """Orders as they were accepted; `external` tells those of the phone app from those of the API."""
        every = self.book.orders.values()
        return [
            order
            for order in every
            if (user_mark is None or order.user_mark == user_mark)
            and (account is None or order.account == account)
            and (external is None or (order.source != "OpenApi") == external)
        ]

    def order(self, name: int | str) -> BookOrder:
        """One order by global id, or the only one of a user mark."""
        if isinstance(name, int):
            return self.book.orders[name]
        (order,) = self.orders(user_mark=name)
        return order

    def orders_by_mark(self) -> dict[str, int]:
        """How many orders each user mark has, orders without one left out."""
        return {mark: len(ids) for mark, ids in self.book.marks.items() if mark}

    def fills(self, *, user_mark: str | None = None, order: int | None = None) -> list[Fill]:
        """Executions as they happened."""
        every = self.book.fills
        return [fill for fill in every if (user_mark is None or fill.user_mark == user_mark) and (order is None or fill.id == order)]

    def positions(self, account: str | None = None) -> dict[str, Decimal]:
        """Signed quantities by symbol or OCC identifier, none of them zero."""
        holdings = self.book.accounts[self._name(account)].holdings
        return {key: holding.quantity for key, holding in holdings.items() if holding.quantity}

    def cash(self, account: str | None = None) -> Decimal:
        return self.book.accounts[self._name(account)].cash

    def calls(self, method: str | None = None) -> list[Call]:
        """HTTP requests as they arrived."""
        self._read()
        return [call for call in self._calls.values() if method is None or call.method == method]

    def _name(self, account: str | None) -> str:
        return account or next(iter(self._book.accounts))

    def _read(self) -> None:
        if not self.path.exists():
            return
        with self.path.open("rb") as lines:
            lines.seek(self._offset)
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                self._offset += len(line)
                self._take(json.loads(line))

    def _take(self, record: dict[str, Any]) -> None:
        if record["kind"] == "call":
            call = Call(record["number"], record["method"], record["at"], record["fields"], record.get("fault", ""))
            self._calls[call.number] = call
        elif record["kind"] == "reply":
            self._calls[record["call"]].code = record["code"]
        else:
            self._book.apply(record)
