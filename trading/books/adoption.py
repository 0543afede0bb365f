"""Taking over what came about outside this system: an account's first balance, orders and positions made elsewhere.

An adopted position enters the books as if it had been paid in: a deposit of what it is worth, and its cost in the same
amount, so that equity counts it from that day on and profit begins at nought.
"""

from dataclasses import asdict
from datetime import date
from decimal import Decimal

from django.db import transaction

from quant_site.core import clock
from quant_site.core.models import Account
from quant_site.core.services import event_publish
from quant_site.core.types import Direction, money, price, quantity
from quant_site.market.options.contracts import multiplier_of
from trading.books.ledger import account_fund, posting_session
from trading.brokers.base import BrokerOrder
from trading.models import CashEntry, Order, OrderEvent, Position
from trading.order_path.legs import legs_written
from trading.order_path.rows import order_event
from trading.order_path.states import OrderStatus
from trading.vocabulary import OrderType, Origin, Purpose, TimeInForce

ADOPTED = "ADOPTED"


def opening_cash_adopt(*, account: Account, cash: Decimal, session: date) -> dict:
    """The balance an account at a real broker begins with; {} where there is none."""
    if cash == 0:
        return {}
    account_fund(account=account, amount=money(cash), session=session, key="initial", memo="Balance at the broker")
    return {"what": "cash", "amount": str(cash)}


@transaction.atomic
def external_order_adopt(*, account: Account, report: BrokerOrder, session: date) -> dict:
    """A row for an order that works at the broker and was placed elsewhere: from now on its fills are booked.

    It may only be cancelled from here. It counts as opening, so what it sells of a strategy's position becomes a position of
    its own on the other side: the two add up to what the broker holds, and a person decides what to do with them.
    """
    order = Order(
        account=account,
        client_order_id=report.client_order_id,
        broker_order_id=report.broker_order_id,
        origin=str(Origin.EXTERNAL),
        purpose=str(Purpose.ENTRY),
        mode=str(account.mode),
        session=session,
        symbol=report.symbol,
        side=report.side,
        order_type=report.order_type or str(OrderType.MARKET),
        time_in_force=str(TimeInForce.GTC),
        quantity=report.quantity,
        legs=legs_written([asdict(leg) for leg in report.legs]),
        limit_price=report.limit_price,
        stop_price=report.stop_price,
        status=str(OrderStatus.ACKED),
        version=1,
    )
    order.save(force_insert=True)
    evidence = {"broker_order_id": report.broker_order_id}
    OrderEvent.objects.create(order=order, sequence=1, to_status=order.status, reason=ADOPTED, evidence=evidence)
    event_publish(type="order.adopted", payload=order_event(order), account=account)
    return {"what": "order", "order": order.pk, "symbol": order.symbol, "side": order.side, "quantity": f"{order.quantity:f}"}


@transaction.atomic
def external_position_adopt(*, account: Account, symbol: str, quantity: Decimal, price: Decimal, session: date) -> dict:
    """A position of nobody's strategy, at today's price."""
    worth, day = money(quantity * price * multiplier_of(symbol)), posting_session(account, session)
    memo = f"Position of {quantity.normalize():f} {symbol} found at the broker"
    for kind, amount, suffix in ((CashEntry.Kind.DEPOSIT, worth, "in"), (CashEntry.Kind.TRADE, -worth, "cost")):
        key = f"adopt:{symbol}:{clock.now():%Y%m%d%H%M%S}:{suffix}"
        CashEntry.objects.create(account=account, key=key, session=day, kind=kind, amount=amount, symbol=symbol, memo=memo)
    position = Position.objects.create(account=account, **_adopted_row(account, symbol, quantity, price, worth, day))
    told = {"symbol": symbol, "quantity": f"{quantity:f}", "worth": str(worth)}
    event_publish(type="position.adopted", payload=told, account=account)
    return {"what": "position", "position": position.pk, **told}


def _adopted_row(account: Account, symbol: str, held: Decimal, paid: Decimal, worth: Decimal, session: date) -> dict:
    record = {"session": str(session), "kind": ADOPTED, "per_unit": str(paid), "before": "0", "after": str(held), "cash": str(-worth)}
    return {
        "group": symbol,
        "symbol": symbol,
        "direction": Direction.LONG if held > 0 else Direction.SHORT,
        "open_key": f"{account.pk}:-:{symbol}:{symbol}",
        "quantity": quantity(held),
        "cost": worth,
        "entry_session": session,
        "entry_price": price(paid),
        "last_entry_price": price(paid),
        "entry_quantity": quantity(abs(held)),
        "peak_quantity": quantity(abs(held)),
        "entry_cost": worth,
        "mark_price": price(paid),
        "mark_session": session,
        "market_value": worth,
        "adjustments": [record],
        "metadata": {"origin": str(Origin.EXTERNAL)},
    }
