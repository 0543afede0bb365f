"""How fast the order path is without the broker's own time, and what a risk verdict costs.

    python -m benchmarks.orders [--seconds 60] [--database mysql://…]

Each order is written as an intent, claimed under the account's lock with every check, placed at a broker that answers at
once, filled, taken in and booked. The peer writes the same rows by Django's ORM, without lock, checks, events or evidence.
Everything happens in a scratch database, which is removed at the end.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from urllib.parse import urlsplit

SYMBOLS, BATCH, OPEN_ORDERS, VERDICTS = 50, 10, 1000, 400


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--database", default="", help="mysql://user:password@host:3306/ANY; default SQLite in a scratch folder.")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-orders-") as folder:
        os.environ |= {"DJANGO_SETTINGS_MODULE": "quant_site.settings", "VAR_DIR": folder, "LOG_LEVEL": "ERROR", "REAL_TRADING": "1"}
        if arguments.database:
            os.environ["DATABASE_URL"] = urlsplit(arguments.database)._replace(path="/quant_bench").geturl()
        with scratch_database(arguments.database):
            report = measure(arguments.seconds)
    print(json.dumps(report, indent=1))
    return 0 if not report["violations"] else 1


class scratch_database:
    """A database of its own on the server, dropped at the end; SQLite lies in the scratch folder."""

    def __init__(self, url: str):
        self.url = urlsplit(url) if url else None

    def __enter__(self):
        self._run("DROP DATABASE IF EXISTS quant_bench", "CREATE DATABASE quant_bench CHARACTER SET utf8mb4")

    def __exit__(self, *_):
        from django.db import connections  # noqa: PLC0415 (Django reads its settings from what main has set)

        connections.close_all()
        self._run("DROP DATABASE IF EXISTS quant_bench")

    def _run(self, *statements: str) -> None:
        if self.url is None:
            return
        import MySQLdb  # noqa: PLC0415 (only where there is such a server)

        server = MySQLdb.connect(
            host=self.url.hostname, port=self.url.port or 3306, user=self.url.username, password=self.url.password or ""
        )
        for statement in statements:
            server.cursor().execute(statement)
        server.close()


def measure(seconds: float) -> dict:
    import django  # noqa: PLC0415

    django.setup()
    from django.core.management import call_command  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    from benchmarks import orders_world as world  # noqa: PLC0415

    with world.market_time():
        desk = world.Desk(SYMBOLS)
        for _ in range(3):
            desk.round(BATCH)  # warm statements and caches
        desk.reset_counts()
        began = time.perf_counter()
        while time.perf_counter() - began < seconds:
            desk.round(BATCH)
        elapsed = time.perf_counter() - began
        violations, ours = desk.violations(), desk.done / elapsed
        peer = world.orm_peer(desk.account, min(5.0, seconds))
        verdicts = world.verdict_times(OPEN_ORDERS, VERDICTS)
    return {
        "database": world.vendor(),
        "seconds": round(elapsed, 1),
        "orders": desk.done,
        "orders_per_second": round(ours, 1),
        "peer": "Django ORM, the same rows without lock, checks, events or evidence",
        "peer_orders_per_second": round(peer, 1),
        "ratio": round(ours / peer, 2),
        "violations": violations,
        "verdict_open_orders": OPEN_ORDERS,
        "verdict_ms_p50": round(statistics.median(verdicts), 2),
        "verdict_ms_p99": round(sorted(verdicts)[int(0.99 * len(verdicts))], 2),
    }


if __name__ == "__main__":
    sys.exit(main())
