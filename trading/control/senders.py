"""The processes that send orders: each says when it starts, what it runs, and that it lives.

A start disarms every account: what was armed for other processes is not armed for this one. Times here are the wall's,
because they guard processes.
"""

import hashlib
import json
import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import Error, close_old_connections, transaction

from quant_site.core.build import code_version
from quant_site.core.models import Account
from quant_site.core.types import Mode
from trading.control.armed import accounts_disarm
from trading.models import SenderBoot

logger = logging.getLogger(__name__)
RESTART = "RESTART"
LIVE_WITHIN = timedelta(seconds=30)
BEAT_EVERY = 5.0  # seconds: six may be lost before a process counts as dead
RETRY_EVERY = 1.0
# Settings by which two processes would trade differently, beside where they keep what they know.
TRADING_SETTINGS = ("TIME_ZONE", "CELERY_TIMEZONE", "STRATEGY_MANAGE_USERS")
TRADING_PREFIXES = ("REAL_", "TIGER_", "BROKER_", "MARKET_")
SECRET_WORDS = ("KEY", "SECRET", "PASSWORD", "TOKEN")


@transaction.atomic
def boot_register(role: str) -> SenderBoot:
    """Write down that this process may send from now on, and disarm every account."""
    # Whoever arms holds these rows too, so that an arming is either before this boot, and ended by it, or after it.
    list(Account.objects.select_for_update().filter(mode=Mode.REAL).order_by("pk").values_list("pk"))
    at = wall()
    boot = SenderBoot.objects.create(
        host=socket.gethostname()[:128],
        pid=os.getpid(),
        role=role[:16],
        code_version=code_version(),
        config_hash=config_hash(),
        started_at=at,
        beat_at=at,
    )
    accounts_disarm(reason=RESTART, actor=role)
    return boot


def boot_beat(boot: SenderBoot) -> None:
    """Say that the process of `boot` lives."""
    SenderBoot.objects.filter(pk=boot.pk).update(beat_at=wall())


def boots_live(within: timedelta = LIVE_WITHIN) -> list[SenderBoot]:
    """Boots whose process gave a sign of life `within` the last seconds, latest first."""
    return list(SenderBoot.objects.filter(beat_at__gte=wall() - within).order_by("-pk"))


def boot_latest() -> SenderBoot | None:
    """The latest start of a process that sends: what an arming and a reconciliation must not be older than."""
    return SenderBoot.objects.order_by("-pk").first()


def sender_start(role: str, *, stopped: Callable[[], bool] = lambda: False) -> SenderBoot | None:
    """Register this process, waiting for a database that is away, and keep saying that it lives, from a thread.

    To be called before anything is sent; answers None where `stopped` said so first.
    """
    while not stopped():
        try:
            boot = boot_register(role)
        except Error:
            logger.exception("This process (%s) cannot register as a sender; it tries again before it sends anything.", role)
            close_old_connections()
            time.sleep(RETRY_EVERY)
        else:
            threading.Thread(target=_beat_forever, args=(boot,), name="sender-beat", daemon=True).start()
            return boot
    return None


def _beat_forever(boot: SenderBoot) -> None:
    while True:
        time.sleep(BEAT_EVERY)
        try:
            boot_beat(boot)
        except Error as error:
            logger.warning("A sign of life could not be written: %s", error)
        finally:
            close_old_connections()


def config_hash() -> str:
    """Twelve hexadecimal digits of the settings that matter for trading; of a secret only whether there is one."""
    names = {name for name in dir(settings) if name.isupper() and name.startswith(TRADING_PREFIXES)} | set(TRADING_SETTINGS)
    seen = {name: _shown(name, getattr(settings, name, None)) for name in sorted(names)}
    database = settings.DATABASES["default"]
    seen["database"] = [str(database.get(part, "")) for part in ("ENGINE", "HOST", "PORT", "NAME")]
    return hashlib.sha256(json.dumps(seen, sort_keys=True, default=str).encode()).hexdigest()[:12]


def _shown(name: str, value) -> object:
    return bool(value) if any(word in name for word in SECRET_WORDS) else value


def wall() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC)
