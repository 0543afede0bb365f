"""Who is at the other end of a socket: a session cookie or a JWT in the subprotocol, asked again every few seconds."""

from dataclasses import dataclass
from importlib import import_module
from types import SimpleNamespace

from django.conf import settings
from django.contrib.auth import get_user
from django.http import parse_cookie
from rest_framework.exceptions import APIException

from quant_site.core.selectors import accounts_for
from quant_site.core.tokens import user_for_access_token

BEARER = "bearer"


@dataclass(frozen=True)
class Viewer:
    """A user as he is now, and the accounts he may see now."""

    user: object
    accounts: frozenset[str]


@dataclass(frozen=True)
class Credential:
    """Kept by the connection so that it can be tried again; never logged."""

    session_key: str = ""
    token: str = ""

    def __repr__(self) -> str:
        return f"Credential({'token' if self.token else 'session'})"


def credential_of(scope) -> tuple[Credential, str | None]:
    """The credential of a handshake, and the subprotocol to accept (the token itself is never echoed).

    `new WebSocket(url, ["bearer", token])` brings a token; whoever brings one is judged by it alone.
    """
    offered = scope.get("subprotocols", [])
    if BEARER in offered:
        tokens = [word for word in offered if word != BEARER]
        return Credential(token=tokens[0] if len(tokens) == 1 else ""), BEARER
    cookies = b"; ".join(value for name, value in scope["headers"] if name == b"cookie").decode("latin-1")
    return Credential(session_key=parse_cookie(cookies).get(settings.SESSION_COOKIE_NAME, "")), None


def viewer_of(credential: Credential) -> Viewer | None:
    """The active user behind `credential`, or None where it is no longer (or never was) good."""
    user = _token_user(credential.token) if credential.token else _session_user(credential.session_key)
    if user is None or not user.is_authenticated or not user.is_active:
        return None
    return Viewer(user, frozenset(accounts_for(user).values_list("pk", flat=True)))


def viewers_of(credentials: set[Credential]) -> dict[Credential, Viewer | None]:
    return {credential: viewer_of(credential) for credential in credentials}


def _token_user(token: str):
    try:
        return user_for_access_token(token)
    except APIException:
        return None


def _session_user(session_key: str):
    if not session_key:
        return None
    session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    return get_user(SimpleNamespace(session=session))
