"""Run the whole system: web, worker, scheduler, order sweeper and price watch under one supervisor."""

import fcntl
import os
import socket
import sys

from django.conf import settings
from django.core.management import BaseCommand, CommandError, call_command
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from quant_site.checks import redis_problems
from quant_site.management.supervisor import Program, Supervisor

PORT_IN_USE = 3
ALREADY_UP = 4
NOT_READY = 5


class Command(BaseCommand):
    help = "Runs web server, worker, scheduler, order sweeper and price watch, restarts what ends, and stops all with Ctrl-C."

    def add_arguments(self, parser):
        parser.add_argument("--bind", default="127.0.0.1", help="Address to listen on (default 127.0.0.1).")
        parser.add_argument("--port", type=int, default=8000, help="Port to listen on (default 8000).")
        parser.add_argument("--workers", type=int, default=2, help="Processes that work on tasks (default 2).")
        parser.add_argument("--prepare", action="store_true", help="First do what manage.py prepare does.")
        parser.add_argument("--grace", type=float, default=20.0, help="Seconds to finish in after Ctrl-C (default 20).")

    def handle(self, *args, bind, port, workers, prepare, grace, **options):
        self._require_port(bind, port)
        lock = self._require_alone()
        for problem in redis_problems():
            raise CommandError(f"({problem.id}) {problem.msg}\n    HINT: {problem.hint}", returncode=NOT_READY)
        if prepare:
            call_command("prepare", stdout=self.stdout)
        self._require_database()
        address = (bind, port)
        self.announced = False
        supervisor = Supervisor(
            programs(bind, port, workers),
            folder=str(settings.BASE_DIR),
            write=self._write,
            grace=grace,
            on_tick=lambda: self._announce(address),
        )
        connection.close()  # the children have their own
        supervisor.run()
        os.close(lock)

    def _write(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()

    def _announce(self, address: tuple[str, int]) -> None:
        """Say once that the page is there, when it is."""
        if not self.announced and listens(address):
            self.announced = True
            host = f"[{address[0]}]" if ":" in address[0] else address[0]
            self._write(self.style.SUCCESS(f"\n  Ready: http://{host}:{address[1]}/   (Ctrl-C stops everything)\n"))

    def _require_database(self) -> None:
        try:
            executor = MigrationExecutor(connection)
            behind = executor.migration_plan(executor.loader.graph.leaf_nodes())
        except DatabaseError as error:
            where = connection.settings_dict["HOST"] or connection.settings_dict["NAME"]
            raise CommandError(f"The database at {where} does not answer: {error}", returncode=NOT_READY) from error
        if behind:
            message = f"The database {DEFAULT_DB_ALIAS} lacks {len(behind)} migrations. Run: manage.py migrate"
            raise CommandError(message, returncode=NOT_READY)

    def _require_port(self, bind: str, port: int) -> None:
        if not 1 <= port <= 65535:
            raise CommandError(f"{port} is not a port: give a number from 1 to 65535.", returncode=PORT_IN_USE)
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(bind, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
        except OSError as error:
            message = (
                f"Cannot listen on {bind}:{port}: {error.strerror}. Choose another port: manage.py up --port 8001, or PORT=8001 bin/run."
            )
            raise CommandError(message, returncode=PORT_IN_USE) from error

    def _require_alone(self) -> int:
        """Two schedulers on one queue would do everything twice. The lock dies with this process."""
        handle = os.open(settings.VAR_DIR / "up.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(handle)
            message = f"It is up already, from the same folder {settings.VAR_DIR}. Stop it first, or set another VAR_DIR."
            raise CommandError(message, returncode=ALREADY_UP) from error
        return handle


def programs(bind: str, port: int, workers: int) -> list[Program]:
    python, queue = [sys.executable, "-m"], ["celery", "--quiet", "-A", "quant_site.celery"]
    level = f"--loglevel={settings.LOG_LEVEL}"
    web = ["daphne", "-v", "0", "-b", bind, "-p", str(port), "--no-server-name", "--websocket-max-message-size", "65536"]
    # A client that stopped reading is found by its missing pongs; until then what it does not read is held in memory.
    web += ["--ping-interval", "10", "--ping-timeout", "15"]
    worker = ["worker", "--pool=prefork", f"--concurrency={workers}", level, "--without-gossip", "--without-mingle"]
    return [
        Program("web", [*python, *web, "quant_site.asgi:application"]),
        Program("worker", [*python, *queue, *worker]),
        Program("scheduler", [*python, *queue, "beat", level]),
        Program("sweeper", [sys.executable, "manage.py", "sweep_orders"]),
        Program("prices", [sys.executable, "manage.py", "watch_prices"]),
    ]


def listens(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, timeout=0.2).close()
    except OSError:
        return False
    return True
