"""One source of "now". Live code reads the wall; a replay puts a virtual clock in its place.

Durations that guard processes (leases, back-off) never come from here: they use the wall through `time`.
"""

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class RealClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass
class VirtualClock:
    """A clock that stands still until it is moved. `at` must be aware."""

    at: datetime

    def now(self) -> datetime:
        return self.at

    def move_to(self, at: datetime) -> None:
        if at.tzinfo is None:
            raise ValueError("A clock takes aware times only.")
        self.at = at.astimezone(UTC)


_WALL = RealClock()
_clock: ContextVar = ContextVar("clock")


def now() -> datetime:
    """The current time of whoever runs: aware, UTC."""
    return _clock.get(_WALL).now()


@contextmanager
def use(clock):
    """Let `now()` read `clock` within the block."""
    token = _clock.set(clock)
    try:
        yield clock
    finally:
        _clock.reset(token)
