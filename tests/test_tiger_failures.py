"""Whatever goes wrong with a call is either certain not to have happened, or unclear; nothing in between, and nothing secret in it."""

import socket
from dataclasses import replace
from decimal import Decimal

import pytest
from django.conf import settings
from django.test import override_settings
from tigeropen.trade.request.model import AccountsParams
from urllib3 import PoolManager
from urllib3.exceptions import MaxRetryError, NewConnectionError

from quant_site.core.errors import QuantError
from quant_site.market.tiger.errors import TigerNotSent, TigerRefused, TigerUnclear, reply_error, transport_error
from quant_site.market.tiger.wire import Wire
from tests.tiger_world import ACCOUNT, order_row, real_account, request_of, trading_at
from trading.brokers.base import BrokerRefused, BrokerUnclear
from trading.brokers.tiger import TigerBroker

pytestmark = pytest.mark.django_db
UNCLEAR = [
    {"kind": "lose_request"},
    {"kind": "lose_reply"},
    {"kind": "http", "status": 500},
    {"kind": "http", "status": 503, "after": True},
    {"kind": "http", "status": 429},
    {"kind": "http", "status": 403},
    {"kind": "error", "code": 1},
    {"kind": "error", "code": 2},
    {"kind": "error", "code": 4},
    {"kind": "error", "code": 5},
    {"kind": "error", "code": 9999},
    {"kind": "error", "code": 1200, "message": "standard_account_response_error(service timeout)"},
    {"kind": "error", "code": 1300, "message": "Duplicate order id 7"},
    {"kind": "error", "code": 4, "message": None},
    {"kind": "empty"},
    {"kind": "garbage"},
    {"kind": "cut", "after": True},
    {"kind": "bad_sign", "after": True},
    {"kind": "never"},
]
REFUSED = [1000, 1010, 1100, 1200, 1300, 4000]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with trading_at(tmp_path_factory.mktemp("tiger")) as tiger:
        yield tiger


@pytest.fixture
def broker(gateway):
    gateway.heal()
    real_account()
    gateway.quote("AAPL", bid=99.9, ask=100.1, last=100)
    with override_settings(TIGER=replace(settings.TIGER, timeout=1)):
        yield TigerBroker()


@pytest.mark.parametrize("fault", UNCLEAR, ids=lambda fault: "-".join(map(str, fault.values())))
def test_an_order_whose_fate_nobody_saw_is_unclear_and_sent_once(gateway, broker, fault):
    order = order_row(broker)
    gateway.fault("place_order", **fault)
    with pytest.raises(BrokerUnclear) as raised:
        broker.place(request_of(order))
    assert raised.value.__cause__ is None
    assert all(isinstance(error, QuantError) for error in chain_of(raised.value))
    assert len([call for call in gateway.journal.calls("place_order") if call.fields["user_mark"] == order.client_order_id]) == 1


def chain_of(error: BaseException | None) -> list[BaseException]:
    """The error and all that hangs on it, shown or not."""
    return [] if error is None else [error, *chain_of(error.__context__)]


@pytest.mark.parametrize("code", REFUSED)
def test_a_refusal_that_tiger_names_is_certain(gateway, broker, code):
    order = order_row(broker)
    gateway.fault("place_order", "error", code=code, message="Not enough buying power")
    with pytest.raises(BrokerRefused, match="Not enough buying power") as raised:
        broker.place(request_of(order))
    assert raised.value.code == f"TIGER_{code}"
    assert gateway.journal.orders(user_mark=order.client_order_id) == []


def test_a_refusal_within_an_answer_that_looks_like_success_is_one():
    class Client:
        def execute(self, request):
            return {"code": 0, "message": "success", "data": {"code": "1200", "message": "Insufficient cash"}}

    wire = Wire(clients_of(Client()))
    with pytest.raises(TigerRefused, match="Insufficient cash"):
        wire.order("place_order", AccountsParams())


@pytest.mark.parametrize("reply", [None, [], 7, "text", {}, {"code": None}, {"code": 0}, {"code": 0, "data": "{"}, {"code": 0, "data": []}])
def test_an_answer_that_is_none_leaves_an_order_unclear(reply):
    class Client:
        def execute(self, request):
            return reply

    with pytest.raises(TigerUnclear):
        Wire(clients_of(Client())).order("place_order", AccountsParams())


@pytest.mark.parametrize(
    "error", [TypeError("argument of type 'int' is not iterable"), KeyError("x"), UnicodeDecodeError("utf-8", b"", 0, 1, "")]
)
def test_what_the_sdk_stumbles_over_after_sending_is_unclear(error):
    class Client:
        def execute(self, request):
            raise error

    with pytest.raises(TigerUnclear):
        Wire(clients_of(Client())).order("place_order", AccountsParams())


def test_what_cannot_be_written_is_certain_not_to_have_been_sent():
    class Client:
        def execute(self, request):
            raise AssertionError("it was sent")

    params = AccountsParams()
    params.account = Decimal("1")
    with pytest.raises(TigerNotSent):
        Wire(clients_of(Client())).order("place_order", params)


def clients_of(client):
    return type("Clients", (), {"trade": client, "quote": client, "account": "1", "host": "127.0.0.1", "port": 1})()


def test_a_gateway_that_cannot_be_reached_has_taken_nothing(broker):
    order = order_row(broker)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (
        override_settings(TIGER=replace(settings.TIGER, server_url=f"http://127.0.0.1:{port}/gateway")),
        pytest.raises(BrokerRefused) as raised,
    ):
        TigerBroker().place(request_of(order))
    assert raised.value.code == "NOT_CONNECTED"


def test_a_connection_to_another_host_proves_nothing_of_the_first():
    def failed(host: str) -> Exception:
        pool = PoolManager().connection_from_host(host, 443, "https")
        try:
            try:
                raise MaxRetryError(pool, "/gateway", NewConnectionError(None, "refused"))
            except MaxRetryError:
                raise RuntimeError("as the SDK does") from None
        except RuntimeError as error:
            return error

    assert isinstance(transport_error(failed("a.example"), host="a.example", port=443), TigerNotSent)
    assert isinstance(transport_error(failed("elsewhere.example"), host="a.example", port=443), TigerUnclear)


def test_a_query_is_asked_again_once_and_an_order_never(gateway, broker):
    gateway.fault("prime_assets", "http", status=503)
    before = len(gateway.journal.calls("prime_assets"))
    assert broker.cash(ACCOUNT) > 0
    assert len(gateway.journal.calls("prime_assets")) == before + 2


def test_a_query_that_fails_twice_says_so(gateway, broker):
    gateway.fault("prime_assets", "http", status=503, times=2)
    with pytest.raises(BrokerUnclear, match="503"):
        broker.cash(ACCOUNT)


def test_data_may_come_as_text(gateway, broker):
    gateway.settings(string_data=True)
    try:
        assert broker.cash(ACCOUNT) == gateway.journal.cash().quantize(Decimal("0.01"))
    finally:
        gateway.settings(string_data=False)


@pytest.mark.parametrize("code", [*REFUSED, 1, 4, 5, 2400])
def test_a_query_is_refused_by_any_code_but_a_limit(code):
    error = reply_error(code, "no", ordering=False)
    assert isinstance(error, TigerUnclear) is (code in (4, 5))
    assert isinstance(error, TigerRefused) is (code not in (4, 5))
