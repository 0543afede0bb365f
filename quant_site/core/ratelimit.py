"""Rate limits: requests per address, and failed logins per address and per name.

Counters live in Redis where there is one, shared by all web processes; else in the memory of the one web process of
the embedded default. Windows move: a burst at the turn of a minute counts as what it is.
"""

import ipaddress
import logging
import time
from functools import cache

import redis
from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.signals import user_login_failed
from django.core.exceptions import PermissionDenied
from django.dispatch import receiver
from limits import RateLimitItemPerMinute
from limits.storage import storage_from_string
from limits.strategies import MovingWindowRateLimiter
from rest_framework.exceptions import Throttled
from rest_framework.throttling import BaseThrottle

from quant_site.core.errors import Unavailable

logger = logging.getLogger(__name__)

REQUESTS_PER_ADDRESS = RateLimitItemPerMinute(100, namespace="requests")
FAILED_LOGINS_PER_ADDRESS = RateLimitItemPerMinute(20, 15, namespace="login-address")
FAILED_LOGINS_PER_NAME = RateLimitItemPerMinute(10, 15, namespace="login-name")


@cache
def limiter() -> MovingWindowRateLimiter:
    return MovingWindowRateLimiter(storage_from_string(settings.RATE_LIMITS_URL))


def client_address(request) -> str:
    """Who sent the request. X-Forwarded-For counts only behind as many proxies as NUM_PROXIES says there are.

    A whole IPv6 /64 is one sender: its holder can use any address of it.
    """
    ident = BaseThrottle().get_ident(request) or ""
    try:
        address = ipaddress.ip_address(ident)
    except ValueError:
        return ident[:45]
    return str(address) if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False).network_address)


class AddressThrottle(BaseThrottle):
    """So many requests a minute from one address. Without its counters (Redis down) it lets requests pass."""

    def allow_request(self, request, view) -> bool:
        self.address = client_address(request)
        try:
            return limiter().hit(REQUESTS_PER_ADDRESS, self.address)
        except redis.RedisError:
            return True

    def wait(self) -> float:
        return _seconds_until_free(REQUESTS_PER_ADDRESS, self.address)


def login_check(*, request, username: str) -> None:
    """Raise `Throttled` where too many logins have failed lately, from this address or for this name.

    Without its counters nobody can log in (`Unavailable`): a guard that is down must not open the door.
    """
    try:
        full = [(limit, key) for limit, key in _login_limits(request, username) if not limiter().test(limit, key)]
    except redis.RedisError as error:
        raise Unavailable("login_guard_down", "Logins cannot be counted now, so none is let in; try again soon.") from error
    if full:
        raise Throttled(wait=max(_seconds_until_free(limit, key) for limit, key in full))


class GuardedModelBackend(ModelBackend):
    """Names and passwords, for the pages, the admin and the API alike, behind the guard against guessing."""

    def authenticate(self, request, username=None, password=None, **kwargs):
        if request is not None and username:
            try:
                login_check(request=request, username=username)
            except (Throttled, Unavailable) as error:
                raise PermissionDenied from error
        return super().authenticate(request, username=username, password=password, **kwargs)


@receiver(user_login_failed)
def _count_failed_login(sender, credentials, request=None, **kwargs) -> None:
    if request is None:
        return
    try:
        for limit, key in _login_limits(request, credentials.get("username") or ""):
            limiter().hit(limit, key)
    except redis.RedisError as error:
        logger.error("A failed login could not be counted: %s", error)


def _login_limits(request, username: str):
    return ((FAILED_LOGINS_PER_ADDRESS, client_address(request)), (FAILED_LOGINS_PER_NAME, username.casefold()[:150]))


def _seconds_until_free(limit, key: str) -> float:
    return max(1.0, limiter().get_window_stats(limit, key).reset_time - time.time())
