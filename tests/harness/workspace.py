"""A database, a fake Tiger and a clock for one worker of a campaign, outside pytest.

`prepare` sets Django up on a scratch folder; only then may anything of the project be imported. Time is New York noon of a
session that has bars, and runs on from there with the wall: the fake's clock, `clock.now` and `time.time` are moved alike, so
that leases, quotes and the fake's stamps agree whatever the hour is.
"""

import atexit
import importlib
import os
import shutil
import tempfile
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")
BEGINS = datetime(2019, 1, 10, 16, 0, tzinfo=UTC)


def scratch_folder(prefix: str) -> Path:
    """A folder that is gone when this process ends; in memory where there is such a place, for a kill of a process loses nothing
    of what it wrote either way."""
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else None))
    owner = os.getpid()
    atexit.register(lambda: os.getpid() == owner and shutil.rmtree(folder, ignore_errors=True))
    return folder


def prepare(folder: Path, *, database_url: str = "", redis_url: str = ""):
    """Django on `folder`, or on the database of the URL, with tables; answers the module that works with them."""
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "quant_site.settings_test",
        "VAR_DIR": str(folder),
        "LOG_LEVEL": "ERROR",
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
    }
    importlib.import_module("django").setup()
    return importlib.import_module("tests.harness.real_account")


class MovedClock:
    """The wall, moved by `offset` seconds; `current` is the one that is told everywhere in this process."""

    current: "MovedClock | None" = None

    def __init__(self, begins: datetime = BEGINS):
        self.wall = time.time
        self.offset = begins.timestamp() - time.time()

    def time(self) -> float:
        return self.wall() + self.offset

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.time(), UTC)

    @contextmanager
    def everywhere(self, clock):
        """Let `time.time` and `clock` (the project's) tell this time."""
        time.time, MovedClock.current = self.time, self
        try:
            with clock.use(self):
                yield self
        finally:
            time.time, MovedClock.current = self.wall, None
