"""Several long-running programs under one: started together, restarted when they end, stopped together, never orphaned.

Each program leads a process group of its own, so a Ctrl-C at the terminal reaches only the supervisor, which then stops
them in order: SIGTERM to the leader, which knows how to finish, and SIGKILL to the whole group of whoever does not.
The kernel kills each leader when the supervisor is gone, however it went (`quant_site.core.processes`). One thread does
it all, because it is the death of the thread that forked which the kernel watches.
"""

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from quant_site.core import processes

# By path, isolated from the folder it lies in (whose types.py is not Python's) and without site-packages: it starts at once.
BIND = [sys.executable, "-I", "-S", processes.__file__]
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
STEADY_AFTER = 60.0
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass
class Program:
    """A command to keep running, and how it fares. Times are monotonic seconds."""

    name: str
    command: list[str]
    process: subprocess.Popen | None = None
    started_at: float = 0.0
    start_at: float = 0.0
    failures: int = 0
    partial_line: bytes = field(default=b"", repr=False)

    def pause(self) -> float:
        """How long to wait before the next start: twice as long after each quick end."""
        return min(FIRST_PAUSE * 2 ** max(self.failures - 1, 0), LONGEST_PAUSE)


class Supervisor:
    """Runs `programs` in `folder` until a stop signal; `write` takes lines, `on_tick` is called several times a second."""

    def __init__(self, programs: list[Program], *, folder: str, write: Callable[[str], None], grace: float = 20.0, on_tick=lambda: None):
        self.programs, self.folder, self.write, self.grace, self.on_tick = programs, folder, write, grace, on_tick
        self.width = max(len(program.name) for program in programs)
        self.selector = selectors.DefaultSelector()
        self.stop_requests = 0

    def run(self) -> None:
        """Returns once everything has been stopped."""
        previous = {number: signal.signal(number, self._request_stop) for number in STOP_SIGNALS}
        try:
            while not self.stop_requests:
                self._start_due()
                self._pump(0.2)
                self._reap()
                self.on_tick()
        except BrokenPipeError:  # nobody reads us any more; there is nobody to tell
            self.write = lambda line: None
        finally:
            self._stop()
            for number, handler in previous.items():
                signal.signal(number, handler)

    def say(self, name: str, line: str) -> None:
        self.write(f"{name:<{self.width}} | {line}")

    def _request_stop(self, number: int, frame) -> None:
        self.stop_requests += 1

    def _start_due(self) -> None:
        now = time.monotonic()
        for program in self.programs:
            if program.process is None and program.start_at <= now:
                program.process = subprocess.Popen(
                    [*BIND, str(os.getpid()), *program.command],
                    cwd=self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    env=os.environ | {"PYTHONUNBUFFERED": "1"},
                    start_new_session=True,
                )
                program.started_at = now
                os.set_blocking(program.process.stdout.fileno(), False)
                self.selector.register(program.process.stdout, selectors.EVENT_READ, program)

    def _pump(self, timeout: float) -> None:
        """Pass on whole lines of output, each with the program's name."""
        for key, _ in self.selector.select(timeout):
            program = key.data
            try:
                chunk = os.read(key.fd, 65536)
            except BlockingIOError:
                continue
            if not chunk:
                self.selector.unregister(key.fileobj)
                continue
            *lines, program.partial_line = (program.partial_line + chunk).split(b"\n")
            for line in lines:
                self.say(program.name, line.decode(errors="replace"))

    def _reap(self) -> None:
        now = time.monotonic()
        for program in self.programs:
            if program.process is None or program.process.poll() is None:
                continue
            steady = now - program.started_at >= STEADY_AFTER
            program.failures = 1 if steady else program.failures + 1
            program.start_at = now + program.pause()
            self._finish(program)
            self.say(program.name, f"ended ({_ending(program.process.returncode)}); starting again in {program.pause():.0f} s")
            program.process = None

    def _finish(self, program: Program) -> None:
        """After a leader has ended: end what it left of its group, and pass on its last words."""
        with suppress(ProcessLookupError):
            os.killpg(program.process.pid, signal.SIGKILL)
        for _ in range(1000):  # bounded: a stranger outside the group may hold the pipe and write for ever
            if not any(key.data is program for key, _ in self.selector.select(0)):
                break
            self._pump(0)
        with suppress(KeyError):
            self.selector.unregister(program.process.stdout)
        program.process.stdout.close()
        if program.partial_line:
            self.say(program.name, program.partial_line.decode(errors="replace"))
            program.partial_line = b""

    def _stop(self) -> None:
        """Ask every program to finish; kill those that have not after `grace` seconds, or when asked a second time."""
        running = [program for program in self.programs if program.process is not None]
        for program in running:
            with suppress(ProcessLookupError):
                program.process.terminate()
        deadline, asked = time.monotonic() + self.grace, self.stop_requests
        while any(program.process.poll() is None for program in running):
            if time.monotonic() > deadline or self.stop_requests > max(asked, 1):
                break
            with suppress(BrokenPipeError):
                self._pump(0.1)
        for program in running:
            if program.process.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(program.process.pid, signal.SIGKILL)
                program.process.wait()
            with suppress(BrokenPipeError):
                self._finish(program)


def _ending(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
