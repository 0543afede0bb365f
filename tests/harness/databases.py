"""A database for each worker of a campaign: copies of one SQLite file, or databases of one server."""

import importlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from tests.harness import workspace

SQLITE = "sqlite"


@dataclass(frozen=True)
class Databases:
    """`places` point this process at one of them each; `drop` removes them."""

    places: list[Callable[[], None]]
    drop: Callable[[], None]


def copies(folder: Path, database: str, count: int, *, redis_url: str = "") -> Databases:
    """Set Django up and make `count` databases with tables and nothing else in them."""
    return _files(folder, count) if database == SQLITE else _of_server(folder, database, count, redis_url)


def _files(folder: Path, count: int) -> Databases:
    workspace.prepare(folder).tables()
    connection = importlib.import_module("django.db").connection
    connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    first = Path(connection.settings_dict["NAME"])
    names = [first.with_name(f"database-{number}.sqlite3") for number in range(count)]
    for name in names:
        shutil.copy(first, name)
    return Databases([lambda name=name: _point(str(name)) for name in names], lambda: None)


def _of_server(folder: Path, url: str, count: int, redis_url: str) -> Databases:
    parts = urlsplit(url)
    base = f"{parts.path.lstrip('/') or 'quant'}_crash_{os.getpid()}"
    names = [f"{base}_{number}" for number in range(count)]
    server(url, *(f"CREATE DATABASE {name} CHARACTER SET utf8mb4" for name in names))
    real = workspace.prepare(folder, database_url=urlunsplit(parts._replace(path=f"/{names[0]}")), redis_url=redis_url)
    for name in names:
        _point(name)
        real.tables()
    return Databases([lambda name=name: _point(name) for name in names], lambda: server(url, *(f"DROP DATABASE {name}" for name in names)))


def server(url: str, *statements: str) -> list[tuple]:
    """Run statements on the server of a mysql:// URL, on a connection of their own; answers the rows of the last."""
    parts = urlsplit(url)
    driver = importlib.import_module("MySQLdb")
    connection = driver.connect(host=parts.hostname, port=parts.port or 3306, user=parts.username or "root", passwd=parts.password or "")
    try:
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall())
    finally:
        connection.close()


def url_here(database: str) -> str:
    """The URL of the database that this process is pointed at; "" for the SQLite file of its folder."""
    name = importlib.import_module("django.db").connection.settings_dict["NAME"]
    return "" if database == SQLITE else urlunsplit(urlsplit(database)._replace(path=f"/{name}"))


def _point(name: str) -> None:
    connection = importlib.import_module("django.db").connection
    connection.close()
    connection.settings_dict["NAME"] = name
