"""One process at a time, by a lock that the death of its holder releases at once.

SQLite means one machine: an advisory file lock beside the database. MySQL and MariaDB: `GET_LOCK`, which belongs to
the connection. Both vanish with a kill -9, so a resumed run waits for nobody who is dead. A lock alone is not proof
against a holder that lost its connection but still runs: whoever writes checks its fencing number besides.
"""

import fcntl
import hashlib
import os
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import connection

from quant_site.core.errors import Conflict

_here = threading.local()


@contextmanager
def exclusive(name: str, *, timeout: float = 0.0, busy: str = ""):
    """Hold the lock `name`, waiting at most `timeout` seconds; raises `Conflict("busy")` when another holds it."""
    # A server's locks are one for all its databases, and may be those of several sites.
    key = "quant-" + hashlib.sha256(f"{connection.settings_dict['NAME']}:{name}".encode()).hexdigest()[:32]
    holder = _mysql_lock if connection.vendor == "mysql" else _file_lock
    with holder(key, timeout) as acquired:
        if not acquired:
            raise Conflict("busy", busy or f"Another process is working on {name}; try again when it has ended.", lock=name)
        yield


@contextmanager
def _file_lock(key: str, timeout: float):
    folder = Path(settings.LOCK_DIR)
    folder.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout
    handle = os.open(folder / f"{key}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        acquired = _try_flock(handle)
        while not acquired and time.monotonic() < deadline:
            time.sleep(0.02)
            acquired = _try_flock(handle)
        yield acquired
    finally:
        os.close(handle)


def _try_flock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _mysql_lock(key: str, timeout: float):
    """The server would give a connection the same lock twice; who holds it here already is told no, as by a file."""
    held = _held_here()
    if key in held:
        yield False
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(%s, %s)", [key, timeout])
        acquired = cursor.fetchone()[0] == 1
    if not acquired:
        yield False
        return
    held.add(key)
    try:
        yield True
    finally:
        held.discard(key)
        with connection.cursor() as cursor:
            cursor.execute("SELECT RELEASE_LOCK(%s)", [key])


def _held_here() -> set[str]:
    """Keys this thread's connection holds."""
    if not hasattr(_here, "held"):
        _here.held = set()
    return _here.held
