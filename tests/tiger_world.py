"""A fake gateway that the real SDK talks to, an account that trades there, and rows of its orders."""

from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from pathlib import Path

from django.test import override_settings

from quant_site.core.models import Account
from quant_site.environment import TigerSettings
from quant_site.market.sessions import NEW_YORK, is_session, previous_session
from quant_site.market.tiger.errors import TigerError
from tests.fake_tiger.client import FakeTiger
from trading.brokers.base import BrokerFill, BrokerUnclear, OrderLeg, OrderRequest
from trading.brokers.tiger import TigerBroker
from trading.models import Fill, Order
from trading.order_path.states import OrderStatus

ACCOUNT = "real-one"
_keys = count(1)


def tiger_settings(tiger: FakeTiger, **changes) -> TigerSettings:
    told = tiger.config()
    values = {
        "account": told["account"],
        "tiger_id": told["tiger_id"],
        "private_key": told["private_key"],
        "license": told["license"],
        "server_url": told["server_url"],
        "push_url": f"tcp://{told['push_host']}:{told['push_port']}",
        "public_key": told["tiger_public_key"],
        "timeout": 2,
    }
    return TigerSettings(**values | changes)


@contextmanager
def trading_at(folder: Path, **options):
    """A fake in `folder` and the settings that name it."""
    with FakeTiger(folder, **options) as tiger, override_settings(TIGER=tiger_settings(tiger), REAL_TRADING=True):
        yield tiger


def real_account(pk: str = ACCOUNT, **fields) -> Account:
    return Account.objects.create(id=pk, broker=Account.Broker.TIGER, mode="REAL", **fields)


def order_row(broker: TigerBroker | None = None, **fields) -> Order:
    """An order as it is written before it is sent: SENDING, with a number reserved where there is a broker to ask."""
    values = {
        "account_id": ACCOUNT,
        "client_order_id": f"{next(_keys):032x}",
        "purpose": "ENTRY",
        "mode": "REAL",
        "session": today(),
        "symbol": "AAPL",
        "side": "BUY",
        "order_type": "LMT",
        "quantity": Decimal(10),
        "limit_price": Decimal("100"),
        "status": str(OrderStatus.SENDING),
        "sent_at": datetime.now(UTC),
        "reserved_id": broker.reserve(ACCOUNT) if broker else "",
    }
    return Order.objects.create(**values | fields)


def request_of(order: Order) -> OrderRequest:
    return OrderRequest(
        client_order_id=order.client_order_id,
        account_id=order.account_id,
        symbol=order.symbol,
        side=order.side,
        order_type=order.order_type,
        time_in_force=order.time_in_force,
        quantity=order.quantity,
        limit_price=order.limit_price,
        stop_price=order.stop_price,
        oca_group="",
        reducing=False,
        session=order.session,
        fence=1,
        legs=tuple(OrderLeg(leg["symbol"], leg["side"], leg["ratio"]) for leg in order.legs),
        reserved_id=order.reserved_id,
    )


def send(broker: TigerBroker, order: Order) -> Order:
    """Place it and write down what came of it, as the order path does."""
    try:
        ack = broker.place(request_of(order))
    except (BrokerUnclear, TigerError):
        order.status = str(OrderStatus.UNKNOWN)
    else:
        order.status, order.broker_order_id = str(OrderStatus.ACKED), ack.broker_order_id
    order.save()
    return order


def sent(broker: TigerBroker, **fields) -> Order:
    return send(broker, order_row(broker, **fields))


def book(order: Order, fills: list[BrokerFill]) -> None:
    """Write fills down, as the order path does."""
    for fill in fills:
        if not Fill.objects.filter(fill_id=fill.fill_id).exists():
            Fill.objects.create(
                account_id=order.account_id,
                order=order,
                fill_id=fill.fill_id,
                session=fill.session,
                symbol=fill.symbol or order.symbol,
                side=fill.side or order.side,
                quantity=fill.quantity,
                price=fill.price,
                amount=fill.quantity * fill.price,
                commission=fill.commission,
                filled_at=fill.filled_at,
            )


def today():
    """The session that trades now, or the last one."""
    day = datetime.now(UTC).astimezone(NEW_YORK).date()
    return day if is_session(day) else previous_session(day)
