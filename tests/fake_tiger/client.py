"""The test's handle on a fake Tiger: its process, its journal, and everything that can be made to happen in it.

    with FakeTiger(tmp_path) as tiger:
        tiger.quote("AAPL", bid=99.9, ask=100.1)
        tiger.fault("place_order", "lose_reply")
        trade = sdk.trade_client(tiger)
        ...
        tiger.fill("my-mark", price="100.05")
        assert len(tiger.journal.orders(user_mark="my-mark")) == 1

Quantities and prices may be Decimal, int, str or float; an order is named by its global id or by its user mark.
"""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

from tests.fake_tiger.journal import Journal

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 30.0
CALL_SECONDS = 30.0

Number = Decimal | int | float | str
OrderName = int | str


class FakeTigerError(Exception):
    """The fake refused a command; the message says why."""


class FakeTiger:
    """One fake broker. `folder` keeps journal and keys, so that another instance on it continues where this one ended.

    `kind` is the account's type (PAPER, STANDARD or GLOBAL); `fsync` costs about a millisecond an order and matters only
    where the machine itself could fail; `heartbeat_ms` is what push announces."""

    def __init__(
        self,
        folder: Path | str,
        *,
        account: str = "20260101000000001",
        kind: str = "PAPER",
        cash: Number = 100_000,
        fsync: bool = False,
        heartbeat_ms: int = 10_000,
    ) -> None:
        self.folder = Path(folder)
        self.journal = Journal(self.folder / "journal.jsonl")
        self._arguments = [f"--account={account}:{kind}:{cash}", f"--heartbeat={heartbeat_ms}", *([] if fsync else ["--no-fsync"])]
        self._process: subprocess.Popen | None = None
        self._hello: dict[str, Any] = {}
        self._control: http.client.HTTPConnection | None = None
        self._control_pid = 0

    # Process

    def start(self) -> Self:
        """Start the process, on the ports of the time before where there was one."""
        ports = ("port", "control_port", "push_port")
        again = [f"--{name.replace('_', '-')}={self._hello.get(name, 0)}" for name in ports]
        command = [sys.executable, "-m", "tests.fake_tiger", f"--journal={self.journal.path}", f"--keys={self.folder}", "--watch-stdin"]
        self.folder.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            [*command, *again, *self._arguments], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        line = self._process.stdout.readline()
        if not line:
            raise FakeTigerError(f"the fake did not start; its exit status is {self._process.wait(START_SECONDS)}")
        self._hello = json.loads(line)
        return self

    def stop(self) -> None:
        """End the process in order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Kill and start again on the same journal and ports. Faults and push connections are gone, everything else is back."""
        self.kill()
        self.start()

    def _end(self, number: int) -> None:
        if self._process is None:
            return
        self._process.send_signal(number)
        self._process.wait(CALL_SECONDS)
        for stream in (self._process.stdin, self._process.stdout):
            stream.close()
        self._process = None
        if self._control is not None:
            self._control.close()
            self._control = None

    def __enter__(self) -> Self:
        return self if self._process else self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    def config(self) -> dict[str, Any]:
        """What a client needs: `tiger_id, private_key, account, license, server_url, tiger_public_key, push_host, push_port`."""
        names = ("tiger_id", "private_key", "account", "license", "server_url", "tiger_public_key", "push_host", "push_port")
        return {name: self._hello[name] for name in names}

    # Market

    def quote(
        self, symbol: str, *, bid: Number | None = None, ask: Number | None = None, last: Number | None = None, **fields: Any
    ) -> None:
        """What `symbol` (or an OCC identifier) trades at; `fields` are pre_close, open, high, low, volume, bid_size, ask_size,
        status, at (milliseconds) and hour_trading. Working orders that became marketable fill where auto fill is instant."""
        self._call("quote", symbol=symbol, bid=bid, ask=ask, last=last, **fields)

    def no_quote(self, symbol: str) -> None:
        """Nobody quotes `symbol` any more."""
        self._call("no_quote", symbol=symbol)

    def hours(self, state: str, *, open_time: str | None = None) -> None:
        """REGULAR, PRE, POST or CLOSED; `open_time` is Tiger's text, as in "08-13 09:30:00 EDT"."""
        self._call("hours", state=state, open_time=open_time)

    def contract(self, symbol: str, **fields: Any) -> None:
        """Change what is known of a contract: lot_size, tick_sizes, multiplier, shortable, trade, name; `unknown=True` hides it."""
        self._call("contract", symbol=symbol, fields=fields)

    def bars(self, symbol: str, items: Sequence[Mapping[str, Any]], *, period: str = "day") -> None:
        """Bars of `kline`: time (milliseconds), open, high, low, close, volume, amount."""
        self._call("bars", symbol=symbol, items=list(items), period=period)

    def chain(self, symbol: str, expiry: str, items: Sequence[Mapping[str, Any]]) -> None:
        """Options of one expiry ("YYYY-MM-DD"): `{"strike": 100, "call": {...}, "put": {...}}`, wire names and Greeks within."""
        self._call("chain", symbol=symbol, expiry=expiry, items=list(items))

    def calendar(self, days: Mapping[str, str]) -> None:
        """Days ("YYYY-MM-DD") that differ from "weekdays trade": TRADING, NON_TRADING or EARLY_CLOSE."""
        self._call("calendar", days=dict(days))

    def canned(self, method: str, data: Any) -> None:
        """What an API method without behaviour of its own answers (`financial_daily`, `stock_detail` …)."""
        self._call("canned", method=method, data=data)

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Change and answer the settings of `world.Settings`: store_user_mark, honour_order_no, dedupe_order_no, auto_fill,
        fill_after_queries, pending_cancel, initial_status, strict, quantity_scale, average_decimals, unset_assets …"""
        return self._call("settings", changes=changes)

    def auto_fill(self, mode: str, *, queries: int = 1) -> None:
        """ "off": orders rest until told. "instant": what is marketable fills at the quote at once. "queries": it fills when
        orders were asked for `queries` times since."""
        self.settings(auto_fill=mode, fill_after_queries=queries)

    # Orders, positions, cash

    def fill(
        self,
        order: OrderName,
        *,
        quantity: Number | None = None,
        price: Number | None = None,
        prices: Sequence[Number] | None = None,
        legs: Sequence[int] | None = None,
        commission: Number | None = None,
        late: bool = False,
    ) -> list[int]:
        """Execute `quantity` (the rest, if None) and answer the fill ids. Without a price the limit, else the quote, is taken.

        A combo takes `prices` by leg and quantity in units; `legs` executes only some of them. `late` executes an order that
        is over already; more than the rest is an overfill, and it happens."""
        return self._call("fill", order=order, quantity=quantity, price=price, prices=prices, legs=legs, commission=commission, late=late)

    def reject(self, order: OrderName, remark: str = "Order rejected by the exchange") -> None:
        """Inactive."""
        self._call("status", order=order, status="Inactive", remark=remark)

    def expire(self, order: OrderName, remark: str = "") -> None:
        """Invalid."""
        self._call("status", order=order, status="Invalid", remark=remark)

    def cancel(self, order: OrderName, remark: str = "") -> None:
        """Cancelled, asked for or not."""
        self._call("status", order=order, status="Cancelled", remark=remark)

    def submit(self, order: OrderName) -> None:
        """Submitted, after Initial or PendingSubmit, or because a pending cancel failed."""
        self._call("status", order=order, status="Submitted", remark="")

    def external_order(self, symbol: str, action: str, quantity: Number, *, order_type: str = "LMT", **fields: Any) -> int:
        """An order from the phone app; answers its global id. `fields` are those of `place_order` on the wire."""
        return self._call("external_order", symbol=symbol, action=action, quantity=quantity, order_type=order_type, fields=fields)

    def external_position(self, symbol: str, quantity: Number, *, price: Number = 0, account: str = "", reason: str = "transfer") -> None:
        """Add a signed quantity of a symbol (or OCC identifier) that no order of the API bought; no cash moves."""
        self._call("external_position", symbol=symbol, quantity=quantity, price=price, account=account, reason=reason)

    def cash_change(self, amount: Number, *, reason: str = "dividend", account: str = "") -> None:
        """Dividends, fees, deposits: a signed amount of cash."""
        self._call("cash_change", amount=amount, reason=reason, account=account)

    # Faults

    def fault(
        self,
        method: str,
        kind: str,
        *,
        times: int | None = 1,
        skip: int = 0,
        probability: float = 1.0,
        seed: int = 0,
        after: bool = False,
        seconds: float = 0.0,
        status: int = 503,
        code: int = 1,
        message: str | None = "server error",
        match: Mapping[str, Any] | None = None,
    ) -> int:
        """Make calls of `method` ("*" for all) go wrong; answers the fault's number. Kinds are those of `faults.KINDS`:

        lose_request      closed before it is processed            lose_reply     processed, then closed
        delay_reply       processed, answered `seconds` later      delay_processing   processed and answered `seconds` later
        accept_late       closed at once, processed `seconds` later never         no reply, ever
        http              HTTP `status`                            error          `code` and `message` (None: no message)
        empty, garbage, cut, bad_sign, no_sign                     bodies that are none
        inactive          accepted, and Inactive before the reply leaves

        It hits the calls after the first `skip`, `times` of them (None: all), each with `probability` (seeded). With `after`
        the request is processed before http, error, never, empty, garbage, cut or bad_sign hide it. `match` compares fields
        of the request."""
        return self._call(
            "fault", method=method, kind=kind, times=times, skip=skip, probability=probability, seed=seed, after=after,
            seconds=seconds, status=status, code=code, message=message, match=dict(match or {}),
        )  # fmt: skip

    def heal(self, method: str = "") -> None:
        """End the faults of a method, or all."""
        self._call("heal", method=method)

    def limits(self, on: bool = True, *, per_minute: Mapping[str, int] | None = None, code: int = 4, blacklist_after: int = 0) -> None:
        """Enforce the documented limits over a rolling minute, or those of `per_minute` for some methods. `code` 429 answers
        with that HTTP status. After `blacklist_after` excess calls (0: never) everything is refused with code 4."""
        self._call("limits", on=on, per_minute=dict(per_minute or {}), code=code, blacklist_after=blacklist_after)

    def clock_skew(self, seconds: float) -> None:
        """How far the server's clock is ahead."""
        self.settings(clock_skew=seconds)

    # Push

    def push_fault(
        self,
        kind: str,
        *,
        topic: str = "",
        times: int | None = 1,
        probability: float = 1.0,
        seed: int = 0,
        copies: int = 2,
        batch: int = 2,
    ) -> None:
        """duplicate (sent `copies` times), drop, or reorder (held back until `batch` are there, then sent last first), for
        messages that somebody subscribed to; of one `topic` (order, fill, position, asset, quote) or all."""
        rest = {"probability": probability, "seed": seed, "copies": copies, "batch": batch}
        self._call("push_fault", kind=kind, topic=topic, times=times, **rest)

    def push_heal(self) -> None:
        """End the faults of push; what was held back goes out."""
        self._call("push_heal")

    def push_disconnect(self) -> int:
        """Close every push connection; answers how many."""
        return self._call("push_disconnect")

    def push_kick(self) -> int:
        """Send 4001 to every push connection and close it."""
        return self._call("push_kick")

    def push_silence(self, silent: bool = True) -> None:
        """Stop heartbeats and messages, keeping connections open."""
        self._call("push_silence", silent=silent)

    def push_order(self, order: OrderName) -> None:
        """Push an order's state again."""
        self._call("push_order", order=order)

    # State

    def state(self) -> dict[str, Any]:
        """`pending` (requests accepted but not yet processed), `push` (connections with what they subscribed), `faults` left."""
        return self._call("state")

    def wait(self, condition: Callable[[], Any], *, seconds: float = 10.0) -> Any:
        """Poll until `condition()` is true and answer it; TimeoutError where it never is."""
        end = time.monotonic() + seconds
        while not (answer := condition()):
            if time.monotonic() > end:
                raise TimeoutError(f"not within {seconds} s")
            time.sleep(0.01)
        return answer

    def settle(self, *, seconds: float = 10.0) -> None:
        """Wait until nothing is processed late any more."""
        self.wait(lambda: self.state()["pending"] == 0, seconds=seconds)

    def _call(self, command: str, **arguments: Any) -> Any:
        body = json.dumps(arguments, default=str)
        if self._control is None or self._control_pid != os.getpid():
            self._control = http.client.HTTPConnection("127.0.0.1", self._hello["control_port"], timeout=CALL_SECONDS)
            self._control_pid = os.getpid()
        self._control.request("POST", f"/{command}", body, {"Content-Type": "application/json"})
        answer = json.loads(self._control.getresponse().read())
        if "error" in answer:
            raise FakeTigerError(answer["error"])
        return answer["result"]
