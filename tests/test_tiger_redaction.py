"""Keys, signatures, tokens and account numbers are in no log, no exception and no traceback."""

import io
import json
import logging
import traceback

import pytest
from django.conf import settings
from django.test import override_settings

from quant_site.market.tiger import redaction
from quant_site.market.tiger.config import client_config
from quant_site.market.tiger.redaction import Redaction, redact
from tests.test_tiger_failures import chain_of
from tests.tiger_world import order_row, real_account, request_of, tiger_settings, trading_at
from trading.brokers.tiger import TigerBroker

CANARY = "canary0123456789canary"
TEXTS = [
    f"?account=1&sign={CANARY}&x=1",
    f"params: {{'sign': '{CANARY}', 'method': 'orders'}}",
    json.dumps({"secret_key": CANARY}),
    json.dumps({"biz_content": json.dumps({"secret_key": CANARY, "a": 1})}),
    str({"biz_content": json.dumps({"token": CANARY})}),
    f"headers: {{'Authorization': '{CANARY}'}}",
    f"refresh token, token={CANARY}, new",
    f"-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n-----END RSA PRIVATE KEY-----",
    f'"access_token": "{CANARY}"',
]


@pytest.fixture
def written():
    """What a logger of ours with the filter writes."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(Redaction())
    logger = logging.getLogger("test.redaction")
    logger.addHandler(handler)
    logger.propagate = False
    yield logger, stream
    logger.removeHandler(handler)


@pytest.mark.parametrize("text", TEXTS)
def test_what_stands_behind_a_telling_name_is_hidden(text):
    assert CANARY not in redact(text)


@pytest.mark.parametrize("name", ["account", "accountId", "tiger_id"])
def test_accounts_are_hidden_in_the_sdks_texts_and_stay_in_ours(name):
    text = json.dumps({name: CANARY})
    assert CANARY not in redact(text, strict=True)
    assert CANARY in redact(text)


def test_a_value_that_is_known_is_hidden_wherever_it_stands():
    redaction.learn("a-known-secret")
    assert "a-known-secret" not in redact("it says xxa-known-secretxx")


def test_words_are_not_hidden_because_an_account_is_called_like_one():
    redaction.learn("AB", "")
    assert redact("ABOUT") == "ABOUT"


def test_a_traceback_is_written_without_secrets(written):
    logger, stream = written
    try:
        try:
            raise ValueError(f"sign={CANARY}")
        except ValueError as error:
            raise RuntimeError(f"{{'secret_key': '{CANARY}'}}") from error
    except RuntimeError:
        logger.exception("It failed with %s.", f"token={CANARY}", stack_info=True)
    assert CANARY not in stream.getvalue()
    assert "RuntimeError" in stream.getvalue()
    assert "ValueError" in stream.getvalue()


def test_arguments_that_do_not_fit_do_not_stop_a_message(written):
    logger, stream = written
    logger.warning("%s and %s", "one")
    assert "%s and %s" in stream.getvalue()


def test_every_handler_of_the_settings_has_the_filter():
    assert settings.LOGGING["root"]["handlers"] == ["stderr"]
    assert settings.LOGGING["handlers"]["stderr"]["filters"] == ["redact"]
    assert settings.LOGGING["filters"]["redact"]["()"] == f"{Redaction.__module__}.{Redaction.__qualname__}"


@pytest.mark.django_db
@pytest.mark.parametrize("fault", ["lose_reply", "bad_sign", "http", "garbage", "error"])
def test_no_failure_of_the_wire_shows_a_secret(tmp_path, caplog, fault):
    """The SDK's own exception holds key, signature and account; ours has nothing of it, not even hanging on it."""
    caplog.set_level(logging.DEBUG)
    with trading_at(tmp_path) as tiger:
        real_account()
        broker = TigerBroker()
        tiger.quote("AAPL", bid=99, ask=101)
        order = order_row(broker)
        tiger.fault("place_order", fault, message=f"no: account={settings.TIGER.account} sign={CANARY}", code=1200)
        with pytest.raises(Exception) as raised:
            broker.place(request_of(order))
        secrets = [settings.TIGER.private_key, settings.TIGER.account, settings.TIGER.tiger_id, CANARY]
        signatures = [part.split("&")[0] for record in caplog.records for part in record.getMessage().split("sign=")[1:]]
    shown = "".join(traceback.format_exception(raised.value))
    shown += "".join(str(error) + repr(getattr(error, "details", "")) for error in chain_of(raised.value))
    assert not any(secret in shown for secret in secrets)
    sdk = "".join(record.getMessage() + str(record.exc_text) for record in caplog.records if record.name == redaction.SDK_LOGGER)
    assert "place_order" in sdk  # the SDK did write about it
    assert not any(secret in sdk for secret in secrets)
    assert all(signature.startswith(redaction.HIDDEN) for signature in signatures)


def test_the_settings_and_the_sdks_configuration_show_nothing(tmp_path):
    with trading_at(tmp_path) as tiger:
        given = tiger_settings(tiger)
        with override_settings(TIGER=given):
            config = client_config(given)
    assert given.private_key not in repr(given)
    assert given.private_key not in repr(config)
