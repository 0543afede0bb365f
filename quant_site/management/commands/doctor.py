"""Look at everything the system needs, one line each, with what to do about what is wrong."""

import importlib.metadata
import os
import re
import sys
import tempfile
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import talib
from django.conf import settings
from django.core.cache import cache
from django.core.management import BaseCommand, CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Count, Max

from quant_site.checks import configuration_problems, redis_problems
from quant_site.core import clock
from quant_site.market.models import Instrument
from quant_site.market.sessions import last_completed_session, session_distance
from quant_site.market.tiger.config import key_usable
from quant_site.market.tiger.errors import TigerError
from quant_site.market.tiger.health import MAX_SKEW, checkup, quote_permissions
from quant_site.schedules import HEARTBEAT_KEY

HEARTBEAT_LATE = timedelta(minutes=3)
Answer = TypeVar("Answer")


class Problem(Exception):
    """What is wrong, and how to mend it."""

    def __init__(self, what: str, remedy: str):
        super().__init__(what)
        self.what, self.remedy = what, remedy


def python() -> str:
    return f"{sys.version.split()[0]} in {sys.prefix}"


def packages() -> str:
    """What is installed against requirements.txt. mysqlclient may be missing where the database is not MySQL."""
    wrong = []
    wanted = re.findall(r"(?m)^([\w.-]+)(?:\[[\w,]+\])?==(\S+)", (settings.BASE_DIR / "requirements.txt").read_text())
    for name, version in wanted:
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            installed = None
        if installed != version and not (name == "mysqlclient" and installed is None and connection.vendor != "mysql"):
            wrong.append(f"{name} {installed or 'missing'} (wanted {version})")
    if wrong:
        raise Problem("; ".join(wrong), ".venv/bin/pip install -r requirements.txt")
    return f"{len(wanted)} as pinned"


def configuration() -> str:
    found = configuration_problems()
    if found:
        raise Problem("; ".join(f"({message.id}) {message.msg}" for message in found), " ".join(message.hint for message in found))
    return "usable"


def database() -> str:
    executor = MigrationExecutor(connection)
    behind = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if behind:
        raise Problem(f"{connection.vendor}: {len(behind)} migrations are missing", "manage.py migrate")
    return f"{connection.vendor} {connection.settings_dict['NAME']}"


def cache_works() -> str:
    key = f"doctor.{uuid.uuid4()}"
    cache.set(key, 1, timeout=60)
    if cache.get(key) != 1:
        raise Problem("a value does not come back", "manage.py createcachetable, or look at Redis.")
    cache.delete(key)
    return settings.CACHES["default"]["BACKEND"].rpartition(".")[2]


def queue() -> str:
    if settings.REDIS_URL:
        return "Redis"
    with tempfile.TemporaryFile(dir=settings.QUEUE_DIR):
        pass
    messages = settings.QUEUE_DIR / "messages"
    waiting = sum(name.endswith(".msg") for name in os.listdir(messages)) if messages.is_dir() else 0
    return f"{settings.QUEUE_DIR}, {waiting} messages wait"


def redis_answers() -> str:
    for message in redis_problems():
        raise Problem(f"({message.id}) {message.msg}", message.hint)
    return "answers" if settings.REDIS_URL else "not used"


def indicators() -> str:
    return f"TA-Lib {talib.__ta_version__.decode().split()[0]}, {len(talib.get_functions())} functions"


def market_data() -> str:
    stored = Instrument.objects.filter(bars__gt=0).aggregate(instruments=Count("pk"), last=Max("last_session"))
    if not stored["instruments"]:
        raise Problem("no bars are stored", "manage.py seed_demo for the bundled history, or manage.py import_bars PATH.")
    behind = session_distance(stored["last"], last_completed_session(clock.now()))
    return f"{stored['instruments']} instruments up to {stored['last']} ({behind} sessions ago)"


def tiger() -> str:
    """Keys, gateway, account and clock; what is missing of the variables is among the lines of the configuration."""
    if settings.TIGER is None:
        if any(problem.id == "quant.E012" for problem in settings.CONFIGURATION_PROBLEMS):
            raise Problem("the settings cannot be used", "See the line of the configuration.")
        return "not used"
    found = _tiger_asked(checkup)
    if not found.account_type:
        raise Problem("TIGER_ACCOUNT is no account of the tiger id", "Give the number that Tiger's developer page lists.")
    if found.skewed:
        what = "Tiger tells no time" if found.skew is None else f"our clock and Tiger's differ by {abs(found.skew):.1f} s"
        raise Problem(what, f"Let chrony or systemd-timesyncd set the clock: beyond {MAX_SKEW:.0f} s nothing is sent.")
    orders = "real orders are on" if settings.REAL_TRADING else "real orders are off (REAL_TRADING)"
    account = f"{found.account_type} account, {found.capability}, {found.status}"
    return f"{account}; answers in {found.seconds * 1000:.0f} ms, clock {found.skew:+.1f} s; {orders}"


def tiger_quotes() -> str:
    if settings.TIGER is None:
        return "not used"
    allowed = _tiger_asked(quote_permissions)
    if not allowed:
        raise Problem("no permission to quotes", "Subscribe to US quotes of the Open API: without a quote no opening order is sent.")
    return ", ".join(allowed)


def _tiger_asked(question: Callable[[], Answer]) -> Answer:
    if not key_usable(settings.TIGER.private_key):
        raise Problem("the private key is none", "Let TIGER_SECRET be the RSA key (PKCS#1 or PKCS#8), or the path of its file.")
    try:
        return question()
    except TigerError as error:
        remedy = "Compare TIGER_API_KEY and TIGER_SECRET with Tiger's developer page, and look whether its gateway can be reached."
        raise Problem(error.message, remedy) from None


def worker() -> str:
    last = cache.get(HEARTBEAT_KEY)
    remedy = "Start everything with manage.py up, and look at what worker and scheduler print."
    if last is None:
        raise Problem("no task was ever worked on", remedy)
    age = clock.now() - last
    if age > HEARTBEAT_LATE:
        raise Problem(f"the last heartbeat is {age.total_seconds() / 60:.0f} minutes old", remedy)
    return f"worked on a task {age.total_seconds():.0f} s ago"


CHECKS: dict[str, Callable[[], str]] = {
    "python": python,
    "packages": packages,
    "configuration": configuration,
    "database": database,
    "cache": cache_works,
    "queue": queue,
    "redis": redis_answers,
    "indicators": indicators,
    "market data": market_data,
    "tiger": tiger,
    "tiger quotes": tiger_quotes,
    "worker": worker,
}


class Command(BaseCommand):
    help = "Checks everything the system needs: one line each, and what to do about what is wrong."
    requires_system_checks = []  # it reports them itself

    def handle(self, *args, **options):
        bad = sum(not self._examine(name, check) for name, check in CHECKS.items())
        if bad:
            raise CommandError(f"{bad} of {len(CHECKS)} need attention.")

    def _examine(self, name: str, check: Callable[[], str]) -> bool:
        try:
            self.stdout.write(f"{self.style.SUCCESS('ok     ')} {name:<14} {check()}")
            return True
        except Problem as problem:
            what, remedy = problem.what, problem.remedy
        except Exception as error:  # noqa: BLE001 (whatever keeps a part from answering is what we are here to report)
            what, remedy = f"{type(error).__name__}: {error}", "See the message; the lines above may name the cause."
        self.stdout.write(f"{self.style.ERROR('problem')} {name:<14} {what}\n{'':23}{self.style.WARNING(remedy)}")
        return False
