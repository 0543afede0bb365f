"""Misconfiguration ends at boot, with an id and a hint: as Django checks, and for the entry points that run none."""

import redis
from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured

SHORTEST_KEY = 32


@register()
def environment_check(**_) -> list[CheckMessage]:
    """What `quant_site.environment` could not use: E003 folders, E004/E005 database, E006 algorithm, E007 numbers, E008 Redis,
    E012 Tiger."""
    return [Error(problem.message, hint=problem.hint, id=problem.id) for problem in settings.CONFIGURATION_PROBLEMS]


@register()
def jwt_secret_check(**_) -> list[CheckMessage]:
    """A short key can be guessed offline from one token; a shared one lets a leak of either forge the other."""
    found = []
    key = settings.SIMPLE_JWT["SIGNING_KEY"]
    hint = "Unset JWT_SECRET to have one made, or set it to the output of: openssl rand -base64 48"
    if len(key.encode()) < SHORTEST_KEY:
        found.append(Error(f"JWT_SECRET is shorter than {SHORTEST_KEY} bytes.", hint=hint, id="quant.E001"))
    if key == settings.SECRET_KEY:
        found.append(Error("JWT_SECRET and SECRET_KEY are the same.", hint=hint, id="quant.E002"))
    return found


@register()
def debug_check(**_) -> list[CheckMessage]:
    if settings.DEBUG and settings.HTTPS:
        hint = "Unset DEBUG where HTTPS is set: its error pages show code, settings and data to whoever causes an error."
        return [Error("DEBUG and HTTPS are both set.", hint=hint, id="quant.E009")]
    return []


def configuration_problems() -> list[CheckMessage]:
    return [*environment_check(), *jwt_secret_check(), *debug_check()]


def configuration_require() -> None:
    """Raise `ImproperlyConfigured` with every problem and hint; for servers and workers, which run no checks themselves."""
    found = configuration_problems()
    if found:
        raise ImproperlyConfigured("\n".join(f"({message.id}) {message.msg}\n    HINT: {message.hint}" for message in found))


def redis_problems() -> list[CheckMessage]:
    """Whether the Redis of the settings answers. Asked when everything is started and by the doctor, not by each command."""
    if not settings.REDIS_URL:
        return []
    try:
        redis.Redis.from_url(settings.REDIS_URL, socket_timeout=3, socket_connect_timeout=3).ping()
    except redis.RedisError as error:
        hint = "Start it, or correct REDIS_URL, or unset it for the embedded queue and cache."
        return [Error(f"Redis does not answer: {error}", hint=hint, id="quant.E011")]
    return []
