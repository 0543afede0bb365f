"""The SDK's clients, made so that they talk to one gateway and to nothing else, and read nothing but our settings.

The SDK would otherwise look up other hosts, read properties from the working directory and from TIGEROPEN_* variables, ask
for the quote permission of another device, and send again what may have arrived. Each is turned off here, and what it may
have set is set again.
"""

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from django.conf import settings
from tigeropen.common.consts import Language
from tigeropen.common.util import web_utils
from tigeropen.common.util.signature_utils import load_private_key
from tigeropen.quote.quote_client import QuoteClient
from tigeropen.tiger_open_config import (
    SERVER_URL,
    SOCKET_HOST_PORT,
    TIGER_PUBLIC_KEY,
    US_SERVER_URL,
    US_SOCKET_HOST_PORT,
    TigerOpenClientConfig,
)
from tigeropen.trade.trade_client import TradeClient
from urllib3 import PoolManager

from quant_site.core.errors import Unavailable
from quant_site.market.tiger import redaction

# A folder that ships with us and holds no properties.
NO_PROPERTIES = Path(__file__).resolve().parent
DEVICE = "quant-loop"
US_LICENSE = "TBUS"

redaction.install()


@dataclass(frozen=True)
class Clients:
    """One client for orders and one for quotes; both may be used by several threads."""

    trade: TradeClient
    quote: QuoteClient
    account: str
    host: str
    port: int


def credentials():
    """`settings.TIGER`; raises `Unavailable` where there is none."""
    if settings.TIGER is None:
        raise Unavailable("tiger_not_configured", "Tiger is not configured: set TIGER_ACCOUNT, TIGER_API_KEY and TIGER_SECRET.")
    return settings.TIGER


def clients() -> Clients:
    """This process's clients. Raises `Unavailable` where there are no credentials or the key is none."""
    return _clients(credentials())


def client_config(given) -> TigerOpenClientConfig:
    """The SDK's configuration for `given` (the settings' `TigerSettings`). Raises `Unavailable` for a key that is none."""
    redaction.learn(given.private_key, given.tiger_id, given.account)
    if not key_usable(given.private_key):
        raise Unavailable("tiger_key", "The private key in TIGER_SECRET cannot be used: give a PKCS#1 or PKCS#8 RSA key.")
    url = given.server_url or (US_SERVER_URL if given.license == US_LICENSE else SERVER_URL)
    config = TigerOpenClientConfig(enable_dynamic_domain=False, props_path=str(NO_PROPERTIES))
    config.props_path = str(NO_PROPERTIES)
    config.tiger_id, config.private_key, config.account = given.tiger_id, given.private_key, given.account
    config.secret_key, config.token, config.license = "", None, given.license or None
    config.tiger_public_key = given.public_key or TIGER_PUBLIC_KEY
    config.server_url = config.quote_server_url = url
    config.socket_host_port = US_SOCKET_HOST_PORT if given.license == US_LICENSE else SOCKET_HOST_PORT
    config.timeout, config.timezone, config.language = given.timeout, "US/Eastern", Language.en_US
    config.use_full_tick, config.log_level, config.log_path = False, None, None
    config.retry_max_tries = config.retry_max_time = 0
    config._device_id = DEVICE
    return config


def key_usable(key: str) -> bool:
    """Whether `key` is an RSA private key."""
    try:
        load_private_key(key).private_numbers()
    except (ValueError, TypeError, UnsupportedAlgorithm, AttributeError):
        return False
    return True


def push_address(given) -> tuple[str, int, bool]:
    """(host, port, with TLS) of the push server."""
    if not given.push_url:
        _, host, port = US_SOCKET_HOST_PORT if given.license == US_LICENSE else SOCKET_HOST_PORT
        return host, port, True
    parts = urlsplit(given.push_url)
    return parts.hostname, parts.port or SOCKET_HOST_PORT[2], parts.scheme == "ssl"


@lru_cache(maxsize=2)
def _clients(given) -> Clients:
    config = client_config(given)
    trade, quote = TradeClient(config), QuoteClient(config, is_grab_permission=False)
    url = given.server_url or (US_SERVER_URL if given.license == US_LICENSE else SERVER_URL)
    if not config.server_url == config.quote_server_url == quote._url == url:
        raise Unavailable("tiger_gateway", "The SDK would talk to another gateway than the one that is configured. Nothing was sent.")
    parts = urlsplit(url)
    return Clients(trade, quote, given.account, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80))


def _after_fork() -> None:
    """A child must not share connections with its parent: each would read the other's answers."""
    _clients.cache_clear()
    web_utils.http_pool = PoolManager()


os.register_at_fork(after_in_child=_after_fork)
