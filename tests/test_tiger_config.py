"""Tiger's credentials come from the environment alone, and the SDK is told to read and call nothing else."""

import os
import ssl
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.test import override_settings
from tigeropen.common.util import web_utils

from quant_site.core.errors import Unavailable
from quant_site.core.models import Account
from quant_site.environment import Environment, TigerSettings, tiger_from_env
from quant_site.market.tiger import config
from tests.orders_world import FLAT, panel_of
from trading.brokers import broker_for
from trading.brokers.paper import PaperBroker
from trading.brokers.tiger import TigerBroker

KEY = rsa.generate_private_key(public_exponent=65537, key_size=1024)
PKCS1, PKCS8 = (
    KEY.private_bytes(Encoding.PEM, kind, NoEncryption()).decode() for kind in (PrivateFormat.TraditionalOpenSSL, PrivateFormat.PKCS8)
)
PANEL = panel_of({"AAPL": [FLAT]})
GIVEN = {"TIGER_ACCOUNT": "20990101000000009", "TIGER_API_KEY": "20159999", "TIGER_SECRET": PKCS1}


def read(**variables) -> tuple[TigerSettings | None, list]:
    env = Environment(GIVEN | variables)
    return tiger_from_env(env), env.problems


def test_without_any_variable_tiger_is_not_used():
    env = Environment({})
    assert tiger_from_env(env) is None
    assert env.problems == []


@pytest.mark.parametrize("missing", GIVEN)
def test_a_part_of_the_variables_is_a_problem_that_names_the_rest(missing):
    found, problems = read(**{missing: ""})
    assert found is None
    assert [problem.id for problem in problems] == ["quant.E012"]
    assert missing in problems[0].message


@pytest.mark.parametrize("pem", [PKCS1, PKCS8, PKCS8.replace("\n", "\\n"), "".join(PKCS1.splitlines()[1:-1])])
def test_a_key_is_taken_in_every_form_it_is_handed_out_in(pem):
    found, problems = read(TIGER_SECRET=pem)
    assert problems == []
    assert config.key_usable(found.private_key)


def test_a_key_may_be_in_a_file(tmp_path):
    (tmp_path / "key.pem").write_text(PKCS8)
    found, problems = read(TIGER_SECRET=str(tmp_path / "key.pem"))
    assert problems == []
    assert config.key_usable(found.private_key)


@pytest.mark.parametrize("secret", ["/no/such/file", "short", "x" * 50 + "!" * 200])
def test_what_is_no_key_is_a_problem_that_does_not_repeat_it(secret):
    found, problems = read(TIGER_SECRET=secret)
    assert found is None
    assert [problem.id for problem in problems] == ["quant.E012"]
    assert secret not in problems[0].message + problems[0].hint


@pytest.mark.parametrize("url", ["http://gateway.example.com/x", "ftp://127.0.0.1/", "not a url", "https://", "http://127.0.0.1:99999/"])
def test_only_the_machine_itself_is_called_without_tls(url):
    assert read(TIGER_SERVER_URL=url)[0] is None


def test_the_settings_do_not_show_what_is_secret():
    found, _ = read()
    assert not any(value in repr(found) for value in (found.private_key, found.account, found.tiger_id))


def test_a_client_talks_to_the_configured_gateway_and_to_nothing_else(tmp_path, monkeypatch):
    (tmp_path / "tiger_openapi_config.properties").write_text("tiger_id=1\naccount=U1\nserver_url=http://evil/gateway\nenv=SANDBOX\n")
    (tmp_path / "tiger_openapi_token.properties").write_text("token=stolen\n")
    monkeypatch.chdir(tmp_path)
    for name in ("PROPS_PATH", "SERVER_URL", "TOKEN", "SECRET_KEY", "TIGER_ID", "ACCOUNT"):
        monkeypatch.setenv(f"TIGEROPEN_{name}", str(tmp_path) if name == "PROPS_PATH" else "http://evil/gateway")
    given = replace(read()[0], server_url="https://gateway.example.com/gateway")
    made = config.client_config(given)
    assert made.server_url == made.quote_server_url == "https://gateway.example.com/gateway"
    assert (made.tiger_id, made.account, made.secret_key, made.token) == (given.tiger_id, given.account, "", None)
    assert made.retry_max_tries == 0
    assert not made.enable_dynamic_domain
    assert made.load_token() is None
    clients = config._clients(given)
    assert clients.quote._url == clients.trade._TigerOpenClient__config.server_url == given.server_url
    assert clients.quote.permissions is None


@pytest.mark.parametrize(
    ("license", "host", "push"),
    [("", "openapi.tigerfintech.com", 9883), ("TBSG", "openapi.tigerfintech.com", 9883), ("TBUS", "openapi.tradeup.com", 9983)],
)
def test_a_licence_has_one_gateway_for_orders_and_for_quotes(license, host, push):
    given = replace(read()[0], license=license)
    made = config.client_config(given)
    assert made.server_url == made.quote_server_url == f"https://{host}/gateway"
    assert config.push_address(given) == (host, push, True)


def test_a_key_that_is_none_is_refused_before_anything_is_made():
    with pytest.raises(Unavailable, match="cannot be used"):
        config.client_config(replace(read()[0], private_key="A" * 400))


def test_importing_the_adapters_leaves_tls_as_it_is():
    assert ssl.SSLContext.wrap_socket.__module__ == "ssl"


def test_a_forked_child_shares_no_connection_with_its_parent():
    config._clients(read()[0])
    pool = web_utils.http_pool
    pid = os.fork()
    if not pid:
        os._exit(0 if web_utils.http_pool is not pool and config._clients.cache_info().currsize == 0 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert web_utils.http_pool is pool


# --- which broker an account gets


def account(broker="tiger", mode="REAL") -> Account:
    return Account(id="a", broker=broker, mode=mode)


@pytest.fixture
def no_clients(monkeypatch):
    """Any client that is made fails the test."""

    def made(*_, **__):
        raise AssertionError("a client was made")

    for name in ("TradeClient", "QuoteClient"):
        monkeypatch.setattr(config, name, made)
    config._clients.cache_clear()


@pytest.mark.parametrize(("broker", "mode"), [("tiger", "DRY_RUN"), ("paper", "REAL")])
def test_a_broker_is_not_used_in_the_mode_of_another(no_clients, broker, mode):
    with override_settings(REAL_TRADING=True, TIGER=read()[0]), pytest.raises(Unavailable, match="there is no broker"):
        broker_for(account(broker, mode), PANEL)


def test_real_orders_need_the_environment(no_clients):
    with override_settings(REAL_TRADING=False, TIGER=read()[0]), pytest.raises(Unavailable, match="REAL_TRADING is off"):
        broker_for(account(), PANEL)


def test_real_orders_need_credentials(no_clients):
    with override_settings(REAL_TRADING=True, TIGER=None), pytest.raises(Unavailable, match="TIGER_SECRET"):
        broker_for(account(), PANEL)


def test_a_dry_run_makes_no_client_even_where_there_are_credentials(no_clients):
    with override_settings(REAL_TRADING=True, TIGER=read()[0]):
        assert isinstance(broker_for(account("paper", "DRY_RUN"), PANEL), PaperBroker)


def test_a_real_account_gets_tiger_once_it_may(no_clients):
    with override_settings(REAL_TRADING=True, TIGER=read()[0]):
        broker = broker_for(account(), PANEL)
    assert isinstance(broker, TigerBroker)
    assert (broker.mode, broker.simulated) == ("REAL", False)
