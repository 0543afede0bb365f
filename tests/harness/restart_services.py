"""How long until everything works again, measured on real processes.

    python -m tests.harness.restart_services [--database mysql://root@127.0.0.1:3306/quant] [--part NAME]

sweeper       the sweeper is killed under its supervisor: seconds until an order made then is sent         (≤ 10)
database      connections to the database are dropped and refused for five seconds: seconds from their
              return until every order made meanwhile is sent, each once (needs --database)                (≤ 15)
kill_switch   a sender works through a queue while Redis is unreachable, and somebody halts the account:
              seconds from the halt's commit until the last order that the broker heard of                 (≤ 1)

Prints one line of JSON; the exit status is 0 where every figure lies within its bound.
"""

import argparse
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from tests.harness import databases, workspace
from tests.harness.proxy import Proxy

ROOT = Path(__file__).resolve().parents[2]
BOUNDS = {"sweeper": 10.0, "database": 15.0, "kill_switch": 1.0}
OUTAGE = 5.0
NOBODY = "redis://127.0.0.1:1"
QUEUE, WARM = 300, 30


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", default=databases.SQLITE)
    parser.add_argument("--part", choices=tuple(BOUNDS))
    arguments = parser.parse_args()
    if arguments.part:
        print(json.dumps(PARTS[arguments.part](arguments.database)))
        return 0
    parts = [part for part in BOUNDS if part != "database" or arguments.database != databases.SQLITE]
    figures = {part: _measured(part, arguments.database) for part in parts}
    print(json.dumps(figures))
    return 0 if all(figure["seconds"] <= BOUNDS[part] and not figure["lost"] for part, figure in figures.items()) else 1


def _measured(part: str, database: str) -> dict[str, Any]:
    """Each part has a process of its own, because settings are read once."""
    command = [sys.executable, "-m", "tests.harness.restart_services", "--part", part, "--database", database]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    if done.returncode:
        raise SystemExit(f"{part} failed:\n{done.stdout}{done.stderr}")
    return {**json.loads(done.stdout.splitlines()[-1]), "bound": BOUNDS[part]}


# --- a sweeper that works on a simulated account


class Paper:
    """An account of the paper broker with orders that the sweeper must send."""

    def __init__(self):
        self.project = importlib.import_module("tests.harness.project")
        self.models = importlib.import_module("trading.models")
        self.account = self.project.paper_account("RESTARTS")

    def order(self) -> int:
        return self.project.paper_order(self.account)

    def sent(self, ids: list[int]) -> bool:
        connection = importlib.import_module("django.db").connection
        try:
            return self.models.Order.objects.filter(pk__in=ids, status="ACKED").count() == len(ids)
        finally:
            connection.close()

    def taken(self) -> int:
        """How many orders the paper broker took."""
        return self.models.PaperOrder.objects.filter(account_id=self.account.pk).count()


def _until(condition: Callable[[], Any], seconds: float) -> float:
    """Seconds until `condition()` was true."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise SystemExit(f"not within {seconds} s")
        time.sleep(0.05)
    return time.monotonic() - began


@contextmanager
def supervised_sweeper(database_url: str = ""):
    """`manage.py sweep_orders` under the supervisor, in a process of its own."""
    child = os.fork()
    if child == 0:
        os.environ["DATABASE_URL"] = database_url
        module = importlib.import_module("quant_site.management.supervisor")
        program = module.Program("sweeper", [sys.executable, "manage.py", "sweep_orders"])
        module.Supervisor([program], folder=str(ROOT), write=lambda line: print(line, file=sys.stderr)).run()
        os._exit(0)
    try:
        yield
    finally:
        os.kill(child, signal.SIGTERM)
        os.waitpid(child, 0)


def sweeper(database: str) -> dict[str, Any]:
    folder = workspace.scratch_folder("restarts-")
    made = databases.copies(folder, database, 1)
    try:
        if database != databases.SQLITE:  # the sweeper finds a file by its folder
            made.places[0]()
        paper = Paper()
        with supervised_sweeper(databases.url_here(database)):
            first = paper.order()
            _until(lambda order=first: paper.sent([order]), 120)
            boot = paper.models.SenderBoot.objects.latest("pk")
            killed_at = time.monotonic()
            os.kill(boot.pid, signal.SIGKILL)
            order = paper.order()
            _until(lambda: paper.sent([order]), 120)
            seconds = time.monotonic() - killed_at
        return {"seconds": round(seconds, 1), "lost": 2 - paper.taken()}
    finally:
        made.drop()


def database(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    folder = workspace.scratch_folder("restarts-")
    with Proxy(parts.hostname, parts.port or 3306) as proxy:
        made = databases.copies(folder, url, 1)
        try:
            made.places[0]()
            paper, address = Paper(), f"{parts.username or 'root'}:{parts.password or ''}@127.0.0.1:{proxy.port}"
            with supervised_sweeper(urlunsplit(urlsplit(databases.url_here(url))._replace(netloc=address))):
                first = paper.order()
                _until(lambda order=first: paper.sent([order]), 120)
                proxy.refuse()
                orders = []
                for _ in range(5):
                    time.sleep(OUTAGE / 5)
                    orders.append(paper.order())
                proxy.accept()
                seconds = _until(lambda: paper.sent(orders), 120)
            return {"seconds": round(seconds, 1), "outage": OUTAGE, "lost": 6 - paper.taken()}
        finally:
            made.drop()


# --- the kill switch


def kill_switch(database: str) -> dict[str, Any]:
    folder = workspace.scratch_folder("restarts-")
    made = databases.copies(folder, database, 1, redis_url=NOBODY)
    try:
        made.places[0]()
        real = importlib.import_module("tests.harness.real_account")
        clock = importlib.import_module("quant_site.core.clock")
        with workspace.MovedClock().everywhere(clock) as moved:
            return _halted_under_load(real, moved, folder)
    finally:
        made.drop()


def _halted_under_load(real, moved: workspace.MovedClock, folder: Path) -> dict[str, Any]:
    stories, control = (importlib.import_module(name) for name in ("tests.harness.stories", "trading.control.trading_state"))
    desk = real.Desk(folder / "exchange", moved, ["60000001"])
    desk.exchange.auto_fill("instant")
    account = desk.account("LOADED", "60000001", max_gross_exposure=Decimal(50), duplicate_window=0)
    desk.starts(account)
    case = stories.Case(desk, account)
    for number in range(QUEUE):
        case.wants(real.SYMBOLS[number % 4], 1, key=str(number))
    with real.forked() as child:
        if child == 0:
            for _ in range(1000):
                desk.round(account)
    placed = desk.exchange.journal
    _until(lambda: len(placed.calls("place_order")) >= WARM, 60)
    asked_at = moved.wall()
    control.trading_state_set(account=account, state="HALTED", reason="Enough.", actor="trial")
    halted_at = moved.wall()
    time.sleep(3)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    calls = placed.calls("place_order")
    left = case.orders(status__in=("INTENT", "READY")).count() + case.orders(status="DENIED").count()
    desk.close()
    seconds = max(0.0, calls[-1].at - halted_at)
    return {
        "seconds": round(seconds, 3),
        "seconds_to_halt": round(halted_at - asked_at, 3),
        "sent_before": len(calls),
        "not_sent": left,
        "lost": 0 if left else 1,
    }


PARTS: dict[str, Callable[[str], dict[str, Any]]] = {"sweeper": sweeper, "database": database, "kill_switch": kill_switch}


if __name__ == "__main__":
    sys.exit(main())
