"""The trials of `service_trials`: each makes accounts, lets services fail under processes that send, and answers what does not hold."""

import itertools
import os
import signal
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.db import OperationalError, connection, connections

from quant_site.core.models import Account
from tests.harness import databases, workspace
from tests.harness.failpoints import BY_NAME, arm
from tests.harness.kill_cases import CaseRun, Coordinates, heard
from tests.harness.proxy import Proxy
from tests.harness.real_account import Desk, forked
from tests.harness.stories import Case
from tests.harness.verdicts import Evidence, violations
from trading.control.trading_state import trading_state_set
from trading.order_path.orders import orders_send_ready

KILLED_AT = (
    "claim.uncommitted", "claim.committed", "conclude.uncommitted", "conclude.before", "evidence.fills_written", "evidence.committed",
    "booking.entry_written", "booking.uncommitted", "protect.intents_written",
)  # fmt: skip
COMMITS = 16
ACCOUNTS = 80
Report = dict[str, Any]


class Ground:
    """What the trials share: the exchange and the accounts on it, the server's URL, the proxy in front of it, a Redis."""

    def __init__(self, folder: Path, url: str, proxy: Proxy, redis):
        self.folder, self.url, self.proxy, self.redis = folder, url, proxy, redis
        self.numbers = [f"7{number:07d}" for number in range(ACCOUNTS)]
        self.desk = Desk(folder / "exchange", workspace.MovedClock.current, self.numbers)
        self.desk.exchange.auto_fill("instant")
        self.desk.survives = True
        self._next = itertools.count()

    def run(self, story: str, failpoint: str, hit: int, fire: Callable[[], None]) -> CaseRun:
        """A case at whose failpoint `fire` happens to a process that lives on."""
        number = next(self._next)
        at = Coordinates(
            number, failpoint, "none", story, hit, "place_order", after=False, skip=0, times=1, heals=True, armed_first=True, settles=False
        )
        return CaseRun(self.desk, at, f"S-{number}", self.numbers[number], self.folder, fire)

    def close(self) -> None:
        self.desk.close()


def report(cases: int, found: dict[str, Any], **seen) -> Report:
    return {"cases": cases, "violations": {name: each for name, each in found.items() if each}, **seen}


# --- the database goes away


def commit_killed(ground: Ground) -> Report:
    """The server kills the connection of a transaction that is about to commit, and of one that has just done so."""

    def kill_my_connection() -> None:
        databases.server(ground.url, f"KILL CONNECTION {connection.connection.thread_id()}")

    found = {}
    for failpoint, story in itertools.product(KILLED_AT, ("bracket", "parts")):
        found[f"{failpoint} {story}"] = ground.run(story, failpoint, 1, kill_my_connection).run()["violations"]
    return report(len(found), found)


def commit_answer_lost(ground: Ground) -> Report:
    """A commit reaches the server, and its client hears that the connection is gone: of each of the first commits in turn."""
    found = {}
    for number in range(1, COMMITS + 1):
        run = ground.run("parts", "reconcile.written", 99, lambda: None)
        run.prelude = lambda number=number: (through(ground.proxy), ground.proxy.swallow_commit(number))
        found[f"commit {number}"] = run.run()["violations"]
        ground.proxy.swallow_commit(0)
    return report(len(found), found)


def through(proxy: Proxy) -> None:
    """From here on this process reaches the database by the proxy."""
    connections.close_all()
    connection.settings_dict |= {"HOST": "127.0.0.1", "PORT": proxy.port}


# --- processes side by side


def stopped_past_its_lease(ground: Ground) -> Report:
    """A sender is stopped between its claim and its call. Another may take over only once the lock of the first is gone; then
    the first wakes up and sends after all."""
    found, seen = {}, {}
    for keeps_connection in (True, False):
        run = ground.run("bracket", "claim.committed", 1, lambda: os.kill(os.getpid(), signal.SIGSTOP))
        found[f"connection {'kept' if keeps_connection else 'lost'}"] = _stopped(ground, run, keeps_connection, seen)
    return report(len(found), found, **seen)


def _stopped(ground: Ground, run: CaseRun, keeps_connection: bool, seen: dict) -> Any:
    case, offset, first = run.case, ground.desk.exchange.journal.path.stat().st_size, heard(ground.desk)
    run.taken_as_started()
    run.story.wants(case)
    with forked() as child:
        if child == 0:
            arm(BY_NAME["claim.committed"], 1, run.fire)
            for act in run.story.acts:
                act(case)
    os.waitpid(child, os.WUNTRACED)
    if not keeps_connection:
        name = connection.settings_dict["NAME"]
        rows = databases.server(ground.url, "SELECT id, db FROM information_schema.processlist WHERE command = 'Sleep'")
        connections.close_all()
        for thread, database in rows:
            if database == name:
                databases.server(ground.url, f"KILL CONNECTION {thread}")
    answer = ground.desk.round(case.account)
    status = case.first().status
    seen["kept" if keeps_connection else "lost"] = {"round": answer, "status": status}
    os.kill(child, signal.SIGCONT)
    os.waitpid(child, 0)
    run.successor()
    found = violations(Evidence(case, offset, first))
    expected = "SENDING" if keeps_connection else "UNKNOWN"
    return found or ({} if status == expected else {"taken_over": [f"the order was {status} while its sender was stopped, not {expected}"]})


def two_sweepers(ground: Ground) -> Report:
    """Two sweepers work on the same accounts, by the lock of each."""
    return _side_by_side(ground, 2, ("bracket", "parts", "exit", "tight"), lambda run: [act(run.case) for act in run.story.acts])


def three_workers(ground: Ground) -> Report:
    """Three processes send the same queues at once, without the lock: the claim alone keeps them apart, and the limits."""

    def send(run: CaseRun) -> None:
        # A statement that the server gives up for a deadlock ends the round; a sweeper comes again.
        for _ in range(5):
            try:
                return orders_send_ready(Account.objects.get(pk=run.case.account.pk), ground.desk.broker())
            except OperationalError as error:
                (ground.folder / "deadlocks").open("a").write(f"{error}\n")
                connections.close_all()
        return []

    deadlocks = ground.folder / "deadlocks"
    deadlocks.unlink(missing_ok=True)
    answer = _side_by_side(ground, 3, ("tight", "tight", "tight", "crowd"), send)
    return answer | {"deadlocks": len(deadlocks.read_text().splitlines()) if deadlocks.exists() else 0}


def _side_by_side(ground: Ground, processes: int, stories: tuple[str, ...], work: Callable[[CaseRun], Any]) -> Report:
    runs = [ground.run("tight" if story == "crowd" else story, "reconcile.written", 99, lambda: None) for story in stories]
    offset, first = ground.desk.exchange.journal.path.stat().st_size, heard(ground.desk)
    for run, story in zip(runs, stories, strict=True):
        run.taken_as_started()
        (crowd if story == "crowd" else run.story.wants)(run.case)
    begins = time.monotonic() + 0.5
    children = []
    for _ in range(processes):
        with forked() as child:
            if child == 0:
                time.sleep(max(0.0, begins - time.monotonic()))
                _worked(ground.folder, runs, work)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    raised = [path.read_text() for path in ground.folder.glob("raised-*")]
    found: dict[str, Any] = {"processes": raised}
    for run in runs:
        run.successor()
        found[f"{run.at.story} {run.case.account.pk}"] = violations(Evidence(run.case, offset, first))
    return report(len(runs), found, orders=sum(run.case.orders().count() for run in runs))


def _worked(folder: Path, runs: list[CaseRun], work: Callable[[CaseRun], Any]) -> None:
    try:
        for run in runs:
            work(run)
    except Exception:
        (folder / f"raised-{os.getpid()}").write_text(traceback.format_exc())
        raise


def crowd(case: Case) -> None:
    """Twenty small orders, all of which fit."""
    for number in range(1, 21):
        case.wants("ABCD"[number % 4] * 3, 1 + number // 4, key=f"crowd {number}")


# --- Redis


def redis_flushed_and_dead(ground: Ground) -> Report:
    """Redis is flushed between rounds and then killed: orders, fills and the kill switch do not need it."""
    found = {}
    for act, story in ((ground.redis.flush, "parts"), (ground.redis.kill, "parts"), (lambda: None, "exit")):
        if ground.redis.there:
            run = ground.run(story, "claim.uncommitted", 1, lambda: None)
            act()
            found[f"{story} {run.case.account.pk}"] = run.run()["violations"]
    account = ground.run("bracket", "claim.uncommitted", 1, lambda: None).case.account
    began = time.perf_counter()
    trading_state_set(account=account, state="HALTED", reason="Redis is dead.", actor="trial")
    return report(len(found), found, seconds_to_halt=round(time.perf_counter() - began, 3))
