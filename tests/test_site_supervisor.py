"""Programs under the supervisor: kept running, stopped together, and never left behind."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.conf import settings

from quant_site.management import supervisor as supervisor_module
from quant_site.management.supervisor import Program, Supervisor

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")


def is_alive(pid: int) -> bool:
    """Running or sleeping; a zombie is dead, only its parent has not looked yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return sorted(child for child in found if is_alive(child))


def descendants(pid: int) -> list[int]:
    return [one for child in children(pid) for one in (child, *descendants(child))]


def started_with(variable: str) -> list[int]:
    """Processes of ours with this in their environment, whoever their parent is by now."""
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            if variable.encode() in environ.read_bytes().split(b"\0"):
                found.append(int(environ.parent.name))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return [pid for pid in found if is_alive(pid)]


def wait_for(condition, seconds: float, what: str):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.1)
    pytest.fail(f"waited {seconds} s for {what}")


class Watched:
    """A supervisor that stops itself when `until(lines)` says so, or after 20 s."""

    def __init__(self, *programs: Program, grace: float = 5.0):
        self.lines: list[str] = []
        self.until = lambda lines: True
        self.deadline = time.monotonic() + 20
        self.supervisor = Supervisor(list(programs), folder="/", write=self.lines.append, grace=grace, on_tick=self.tick)

    def tick(self) -> None:
        if self.until(self.lines) or time.monotonic() > self.deadline:
            os.kill(os.getpid(), signal.SIGTERM)

    def run(self, until) -> list[str]:
        self.until = until
        self.supervisor.run()
        return self.lines


def shell(name: str, script: str) -> Program:
    return Program(name, ["sh", "-c", script])


def test_a_program_that_ends_is_started_again_after_longer_and_longer_pauses(monkeypatch):
    monkeypatch.setattr(supervisor_module, "FIRST_PAUSE", 0.1)
    lines = Watched(shell("short", "echo started; exit 3")).run(lambda lines: len(lines) >= 8)
    assert lines[:2] == ["short | started", "short | ended (exit code 3); starting again in 0 s"]
    assert lines.count("short | started") >= 4


def test_pauses_double_up_to_half_a_minute():
    pauses = [Program("x", [], failures=n).pause() for n in range(1, 9)]
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]


def test_output_carries_the_programs_name_in_whole_lines_whatever_the_bytes():
    talk = "printf 'one\\nt'; sleep 0.3; printf 'wo\\n\\377\\nlast'; exec sleep 60"
    lines = Watched(shell("a", talk), shell("longer", "echo hello; exec sleep 60")).run(lambda lines: len(lines) >= 4)
    assert [line for line in lines if line.startswith("a ")] == ["a      | one", "a      | two", "a      | \ufffd", "a      | last"]
    assert "longer | hello" in lines


def test_stopping_asks_first_and_lets_a_program_finish():
    lines = Watched(shell("polite", "trap 'sleep 0.3; echo finished; exit 0' TERM; echo up; while :; do sleep 0.05; done")).run(
        lambda lines: "polite | up" in lines
    )
    assert lines[-1] == "polite | finished"


def test_a_program_that_does_not_stop_is_killed_with_its_children():
    stubborn = "trap '' TERM; sleep 600 & echo $!; echo $$; while :; do sleep 0.05; done"
    lines = Watched(shell("stubborn", stubborn), grace=0.5).run(lambda lines: len(lines) == 2)
    pids = [int(line.rpartition(" ")[2]) for line in lines]
    wait_for(lambda: not any(map(is_alive, pids)), 5, "both to be killed")


def test_what_a_dead_program_leaves_of_its_group_is_killed_before_it_starts_again():
    lines = Watched(shell("leaky", "sleep 600 & echo $!; exit 1")).run(lambda lines: any("ended" in line for line in lines))
    left = int(lines[0].rpartition(" ")[2])
    wait_for(lambda: not is_alive(left), 5, "the child to be killed")


@pytest.fixture
def up(tmp_path):
    """The real thing, on a database of its own and a free port; whatever the test does, nothing of it survives."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    clean = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE")}
    environment = clean | {"VAR_DIR": str(tmp_path), "LOG_LEVEL": "INFO"}
    manage = [sys.executable, str(settings.BASE_DIR / "manage.py")]
    subprocess.run([*manage, "migrate", "-v", "0"], env=environment, check=True, timeout=120, cwd="/")
    log = (tmp_path / "log").open("w+")
    process = subprocess.Popen([*manage, "up", "--port", str(port)], env=environment, stdout=log, stderr=log, cwd="/")
    process.port, process.log = port, tmp_path / "log"
    yield process
    process.kill()
    process.wait(10)
    for pid in started_with(f"VAR_DIR={tmp_path}"):
        os.kill(pid, signal.SIGKILL)


def test_no_process_is_left_when_the_worker_or_the_supervisor_is_killed(up):
    def worker():
        return next((pid for pid in children(up.pid) if b"worker" in Path(f"/proc/{pid}/cmdline").read_bytes()), None)

    wait_for(lambda: "Ready: " in up.log.read_text() and " ready." in up.log.read_text(), 90, "everything to be up")
    pool = wait_for(lambda: len(children(worker())) >= 2 and children(worker()), 30, "the pool of the worker")
    others = [pid for pid in descendants(up.pid) if pid not in pool]
    assert len(others) == 5  # web, worker, scheduler, sweeper, prices
    os.kill(worker(), signal.SIGKILL)
    wait_for(lambda: not any(map(is_alive, pool)), 5, "the pool to die with its worker")
    wait_for(worker, 10, "another worker")
    family = descendants(up.pid)
    up.kill()
    up.wait(10)
    wait_for(lambda: not any(map(is_alive, family)), 5, "everything to die with the supervisor")
