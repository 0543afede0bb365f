"""Named places of the order path at which a process can be killed, put in from outside: the product knows nothing of them.

A failpoint wraps one function and fires before it, or after it while what it did is uncommitted, committed, or on the wire.
`arm` installs one in this process; at its `hit`-th time SIGKILL follows, and nothing after it runs.
"""

import functools
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any

BEFORE, AFTER = "before", "after"
Occasion = Callable[[tuple, dict, Any], bool]
SEND = "quant_site.market.tiger.wire:Wire._send"
READ = "urllib3.connection:HTTPConnection.getresponse"


def always(args: tuple, named: dict, result: Any) -> bool:
    return True


def something(args: tuple, named: dict, result: Any) -> bool:
    """Whether the function answered anything."""
    return bool(result)


def moves_to(*statuses: str) -> Occasion:
    return lambda args, named, result: str(named.get("status", "")) in statuses


def notes(reason: str) -> Occasion:
    return lambda args, named, result: len(args) > 1 and args[1] == reason


@dataclass(frozen=True)
class Failpoint:
    """`target` is "module:function"; `call` a method of the API that must be the one on its way. `stories` can reach it, and of a
    second one the first process died at `first`."""

    name: str
    target: str
    when: str
    stories: tuple[str, ...]
    occasion: Occasion = always
    call: str = ""
    first: str = ""


ANY = ("bracket", "parts", "exit", "combo", "cancel", "change", "outside", "tight", "halt")
FILLING = ("bracket", "parts", "exit", "combo", "tight")
CANCELLING, CHANGING, OUTSIDE = ("cancel", "exit"), ("change", "parts"), ("outside",)


def on_the_wire(method: str, name: str, stories: tuple[str, ...]) -> list[Failpoint]:
    """Before the first byte, between request and reply, and with the reply in hand."""
    return [
        Failpoint(f"{name}.before_bytes", SEND, BEFORE, stories, call=method),
        Failpoint(f"{name}.bytes_sent", READ, BEFORE, stories, call=method),
        Failpoint(f"{name}.reply_read", SEND, AFTER, stories, call=method),
    ]


FAILPOINTS: tuple[Failpoint, ...] = (
    Failpoint("claim.before", "trading.order_path.orders:order_claim", BEFORE, ANY),
    Failpoint("claim.uncommitted", "trading.order_path.send_step:order_advance", AFTER, ANY),
    Failpoint("claim.committed", "trading.order_path.orders:order_claim", AFTER, ANY, something),
    *on_the_wire("place_order", "place", ANY),
    Failpoint("conclude.before", "trading.order_path.orders:_conclude", BEFORE, ANY),
    Failpoint("conclude.uncommitted", "trading.order_path.rows:_write", AFTER, ANY, moves_to("ACKED", "REJECTED", "UNKNOWN")),
    Failpoint("conclude.committed", "trading.order_path.orders:_conclude", AFTER, ANY),
    Failpoint("alarm.before", "trading.order_path.orders:_alarm", BEFORE, ANY),
    Failpoint("alarm.uncommitted", "trading.order_path.orders:_alarm", AFTER, ANY),
    Failpoint("evidence.locked", "trading.order_path.evidence:_fills_write", BEFORE, ANY),
    Failpoint("evidence.fills_written", "trading.order_path.evidence:_fills_write", AFTER, FILLING, something),
    Failpoint("evidence.uncommitted", "trading.order_path.evidence:_follow", AFTER, FILLING),
    Failpoint("evidence.committed", "trading.order_path.orders:evidence_apply", AFTER, FILLING),
    Failpoint("booking.entry_written", "trading.books.ledger:_FillBooking._apply", BEFORE, FILLING),
    Failpoint("booking.uncommitted", "trading.books.ledger:_FillBooking._apply", AFTER, FILLING),
    Failpoint("booking.committed", "trading.order_path.intake:session_book", AFTER, FILLING),
    Failpoint("protect.intents_written", "trading.order_path.protection:_make", AFTER, ("bracket", "parts", "exit"), something),
    *on_the_wire("cancel_order", "cancel", CANCELLING),
    *on_the_wire("modify_order", "modify", CHANGING),
    Failpoint("modify.noted", "trading.order_path.orders:order_note", AFTER, CHANGING, notes("CHANGE_SENT")),
    Failpoint("adopt.uncommitted", "trading.books.adoption:order_event", BEFORE, OUTSIDE),
    Failpoint("adopt.order_committed", "trading.books.reconciliation:external_order_adopt", AFTER, OUTSIDE),
    Failpoint("adopt.position_half", "trading.books.adoption:_adopted_row", BEFORE, OUTSIDE),
    Failpoint("reconcile.before_written", "trading.books.reconciliation:_write", BEFORE, OUTSIDE),
    Failpoint("reconcile.written", "trading.books.reconciliation:_write", AFTER, OUTSIDE),
    Failpoint("resolve.uncommitted", "trading.order_path.rows:_write", AFTER, ANY, moves_to("UNKNOWN"), first="claim.committed"),
    Failpoint("resolve.evidence_read", "trading.brokers.tiger:TigerBroker.find", AFTER, ANY, first="place.bytes_sent"),
    Failpoint("resolve.adopted", "trading.order_path.rows:_write", AFTER, ANY, moves_to("ACKED"), first="place.reply_read"),
)
BY_NAME = {failpoint.name: failpoint for failpoint in FAILPOINTS}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def arm(failpoint: Failpoint, hit: int, fire: Callable[[], None] = die) -> Callable[[], None]:
    """Install the failpoint; `fire` is called at its `hit`-th time. Answers what takes it out again."""
    left, on_its_way = hit, []

    def reached(args: tuple, named: dict, result: Any) -> None:
        nonlocal left
        if failpoint.call and failpoint.call not in on_its_way:
            return
        if failpoint.occasion(args, named, result):
            left -= 1
            if left == 0:
                fire()

    def sending(original: Callable) -> Callable:
        @functools.wraps(original)
        def send(wire, method, params):
            on_its_way.append(method)
            try:
                return original(wire, method, params)
            finally:
                on_its_way.pop()

        return send

    undo = [_wrap(SEND, sending)] if failpoint.call and failpoint.target != SEND else []
    undo.append(_wrap(failpoint.target, _watching(failpoint, reached, on_its_way)))
    return lambda: [each() for each in reversed(undo)]


def _watching(failpoint: Failpoint, reached: Callable[[tuple, dict, Any], None], on_its_way: list[str]):
    def wrap(original: Callable) -> Callable:
        @functools.wraps(original)
        def watched(*args, **named):
            named_call = failpoint.target == SEND
            if named_call:
                on_its_way.append(args[1])
            result = None
            try:
                if failpoint.when == BEFORE:
                    reached(args, named, None)
                result = original(*args, **named)
                return result
            finally:
                if failpoint.when == AFTER:
                    reached(args, named, result)
                if named_call:
                    on_its_way.pop()

        return watched

    return wrap


def _wrap(target: str, wrapper: Callable[[Callable], Callable]) -> Callable[[], None]:
    """Put `wrapper` around the function `target`. Raises where there is none: a failpoint that cannot fire proves nothing."""
    path, _, name = target.rpartition(".") if "." in target.partition(":")[2] else target.rpartition(":")
    owner = resolve_name(path)
    original = getattr(owner, name)
    setattr(owner, name, wrapper(original))
    return lambda: setattr(owner, name, original)
