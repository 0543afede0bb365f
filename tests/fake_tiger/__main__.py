"""Start the fake: three ports on the loopback, one line of JSON that names them, then it serves until it is told to end."""

import argparse
import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from tests.fake_tiger.book import Book
from tests.fake_tiger.control import Control
from tests.fake_tiger.faults import Faults, Limits
from tests.fake_tiger.gateway import PATH, Gateway
from tests.fake_tiger.intake import REFUSALS
from tests.fake_tiger.journal import Writer, records
from tests.fake_tiger.keys import Keys
from tests.fake_tiger.push import Push
from tests.fake_tiger.server import serve
from tests.fake_tiger.venue import Venue
from tests.fake_tiger.world import World

TIGER_ID = "20150001"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fake_tiger", description=__doc__)
    parser.add_argument("--journal", type=Path, required=True, help="file of the record; continued where it exists")
    parser.add_argument("--keys", type=Path, required=True, help="folder of the key pairs; made where it has none")
    parser.add_argument("--port", type=int, default=0, help="HTTP gateway (0: any)")
    parser.add_argument("--control-port", type=int, default=0)
    parser.add_argument("--push-port", type=int, default=0)
    parser.add_argument("--account", action="append", metavar="ID:TYPE:CASH", help=f"TYPE is one of {', '.join(REFUSALS)}; repeatable")
    parser.add_argument("--heartbeat", type=int, default=10_000, help="milliseconds that push announces")
    parser.add_argument("--no-fsync", dest="fsync", action="store_false", help="survive the process's death, not the machine's")
    parser.add_argument("--watch-stdin", action="store_true", help="end when stdin does")
    return parser.parse_args()


def main() -> None:
    asyncio.run(run(arguments()))


async def run(options: argparse.Namespace) -> None:
    book, world, calls = restored(options.journal)
    options.journal.parent.mkdir(parents=True, exist_ok=True)
    journal = Writer(options.journal, fsync=options.fsync)
    keys = Keys.load(options.keys)
    push = Push(book, world, keys, tiger_id=TIGER_ID, heartbeat_ms=options.heartbeat)
    venue = Venue(book, world, journal.append, push.publish)
    faults, limits = Faults(), Limits()
    gateway = Gateway(venue, keys, journal, faults, limits, tiger_id=TIGER_ID, calls=calls)
    control = Control(venue, gateway, push, journal, faults, limits)
    open_accounts(book, journal, options.account or ["20260101000000001:PAPER:100000"])
    servers = [
        await serve(gateway.answer, options.port),
        await serve(control.answer, options.control_port),
        await push.serve(options.push_port),
    ]
    port, control_port, push_port = (server.sockets[0].getsockname()[1] for server in servers)
    hello = {
        "port": port, "control_port": control_port, "push_port": push_port, "push_host": "127.0.0.1", "pid": os.getpid(),
        "server_url": f"http://127.0.0.1:{port}{PATH}", "tiger_id": TIGER_ID, "account": next(iter(book.accounts)),
        "license": world.config.license, "private_key": keys.private_key, "tiger_public_key": keys.public_key,
    }  # fmt: skip
    print(json.dumps(hello), flush=True)
    await ended(watch_stdin=options.watch_stdin)
    journal.close()


def restored(path: Path) -> tuple[Book, World, int]:
    """What the journal says: books, world, and how many calls there were."""
    book, world, calls = Book(), World(), 0
    for record in records(path):
        if record["kind"] == "control":
            getattr(world, record["command"])(**record["arguments"])
        elif record["kind"] == "call":
            calls = record["number"]
        else:
            book.apply(record)
    return book, world, calls


def open_accounts(book: Book, journal: Writer, wanted: list[str]) -> None:
    """Accounts the journal does not have yet."""
    for text in wanted:
        account, kind, cash = text.split(":")
        if account not in book.accounts:
            record = {"kind": "account", "account": account, "type": kind, "cash": cash}
            journal.append(record)
            book.apply(record)


async def ended(*, watch_stdin: bool) -> None:
    """Return when SIGTERM or SIGINT arrives, or whoever started this is gone."""
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)
    if watch_stdin:
        loop.add_reader(sys.stdin.fileno(), lambda: None if os.read(sys.stdin.fileno(), 1024) else over.set())
    await over.wait()


if __name__ == "__main__":
    main()
