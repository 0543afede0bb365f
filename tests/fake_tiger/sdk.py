"""The unmodified SDK, pointed at a fake: nothing it does can leave the machine."""

from tigeropen.push.push_client import PushClient
from tigeropen.quote.quote_client import QuoteClient
from tigeropen.tiger_open_config import TigerOpenClientConfig
from tigeropen.trade.trade_client import TradeClient

from tests.fake_tiger.client import FakeTiger


def client_config(tiger: FakeTiger, *, timeout: float = 5, retries: int = 0) -> TigerOpenClientConfig:
    """A configuration for `tiger`, without the SDK's own retries unless they are asked for."""
    told = tiger.config()
    config = TigerOpenClientConfig(enable_dynamic_domain=False, props_path=str(tiger.folder))
    config.tiger_id, config.private_key, config.account = told["tiger_id"], told["private_key"], told["account"]
    config.license, config.timezone, config.timeout = told["license"], "US/Eastern", timeout
    config.server_url = config.quote_server_url = told["server_url"]
    config.tiger_public_key, config.retry_max_tries = told["tiger_public_key"], retries
    config._device_id = "fake"
    return config


def trade_client(tiger: FakeTiger, **options: float) -> TradeClient:
    return TradeClient(client_config(tiger, **options))


def quote_client(tiger: FakeTiger, **options: float) -> QuoteClient:
    return QuoteClient(client_config(tiger, **options), is_grab_permission=False)


def push_client(tiger: FakeTiger) -> PushClient:
    """Not yet connected; set its callbacks first, `disconnect_callback` among them, then `push_connect`."""
    told = tiger.config()
    return PushClient(told["push_host"], told["push_port"], use_ssl=False, connection_timeout=5)


def push_connect(client: PushClient, tiger: FakeTiger) -> None:
    told = tiger.config()
    client.connect(told["tiger_id"], told["private_key"])
