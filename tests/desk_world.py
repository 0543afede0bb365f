"""A live paper account with a position, plans and alerts to act on, and the people around it: what tests of the desk's pages share."""

from datetime import date
from decimal import Decimal

from django.contrib.auth.models import User
from django.test import Client

from quant_site.core import clock
from quant_site.core.models import Account, AccountMember
from quant_site.core.services import account_create
from tests.control_world import PASSWORD, people
from tests.intents_world import DAYS, FLAT, after, bars_write
from trading.books.ledger import account_fund
from trading.models import CashEntry, Order, OrderEvent, Position
from trading.order_path.tickets import Ticket, ticket_place

D = Decimal
LAST = DAYS[5]
NOW = after(LAST)
MARKS = {"AAA": FLAT, "BBB": FLAT}


def account_make(users: dict[str, User], account_id: str = "DESK", **fields) -> Account:
    """100,000 dollars, of `owner`; `trader` may trade, `reader` may look. AAA and BBB stand at 100."""
    for symbol in MARKS:
        bars_write(symbol, [FLAT] * 6)
    account = account_create(id=account_id, owner=users["owner"], **({"max_position_pct": D("0.5"), "max_adv_pct": 1} | fields))
    AccountMember.objects.create(account=account, user=users["trader"], role=AccountMember.Role.TRADE)
    AccountMember.objects.create(account=account, user=users["reader"], role=AccountMember.Role.READ)
    account_fund(account=account, amount=D(100_000), session=DAYS[0], key="initial")
    return account


def position_make(account: Account, *, symbol="AAA", quantity=100, paid=90, stop=95, day: date = LAST) -> Position:
    """`quantity` shares bought at `paid`, worth 100 each now; equity counts both."""
    cost = D(quantity * paid)
    CashEntry.objects.create(account=account, key=f"buy:{symbol}", session=day, kind="TRADE", amount=-cost, symbol=symbol)
    return Position.objects.create(
        account=account,
        group=symbol,
        symbol=symbol,
        direction="LONG" if quantity > 0 else "SHORT",
        open_key=f"{account.pk}:-:{symbol}:{symbol}",
        quantity=D(quantity),
        cost=cost,
        entry_session=day,
        entry_price=D(paid),
        last_entry_price=D(paid),
        entry_quantity=D(abs(quantity)),
        peak_quantity=D(abs(quantity)),
        entry_cost=cost,
        initial_risk=None if stop is None else D(500),
        stop_price=None if stop is None else D(stop),
        mark_price=D(100),
        mark_session=LAST,
        market_value=D(quantity * 100),
    )


def order_make(account: Account, key: str, *events: tuple, **fields) -> Order:
    """A row as it stands at some point of its life; `events` are (from, to, reason, evidence) after the first."""
    values = {
        "purpose": "ENTRY",
        "origin": "MANUAL",
        "mode": "DRY_RUN",
        "session": LAST,
        "symbol": "BBB",
        "side": "BUY",
        "order_type": "MKT",
        "quantity": D(10),
        "version": 1 + len(events),
    } | fields
    order = Order.objects.create(account=account, client_order_id=key.ljust(32, "0"), **values)
    for number, (before, now, reason, evidence) in enumerate([("", "INTENT", "", {}), *events], start=1):
        OrderEvent.objects.create(
            order=order, sequence=number, from_status=before, to_status=now, reason=reason, evidence=evidence, at=clock.now()
        )
    return order


def order_unknown(account: Account) -> Order:
    """Sent, and never heard of again."""
    events = [("INTENT", "SENDING", "", {}), ("SENDING", "UNKNOWN", "BrokerUnclear while sending", {"error": "No reply."})]
    return order_make(account, "unknown", *events, status="UNKNOWN", sent_at=clock.now(), fence=1)


def order_awaiting(account: Account, user, quantity=20) -> Order:
    """One that is larger than the account lets go without a confirmation."""
    Account.objects.filter(pk=account.pk).update(confirm_above=D(1000))
    account.refresh_from_db()
    ticket = Ticket(account=account, symbol="BBB", side="BUY", quantity=D(quantity), stop_loss=D(95), key=f"awaits{quantity}")
    return ticket_place(ticket=ticket, actor=user)


def signed_in(user, **options) -> Client:
    client = Client(**options)
    client.force_login(user)
    client.cookies["django_language"] = "en"
    return client


__all__ = [
    "LAST",
    "NOW",
    "PASSWORD",
    "account_make",
    "order_awaiting",
    "order_make",
    "order_unknown",
    "people",
    "position_make",
    "signed_in",
]
