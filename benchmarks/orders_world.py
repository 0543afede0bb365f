"""What `benchmarks.orders` drives: a live account at a broker in memory. Imported once Django stands."""

import time
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal

from django.contrib.auth.models import User
from django.db import connection

from quant_site.core import clock
from quant_site.core.models import Account
from quant_site.core.services import account_create
from quant_site.market.sessions import trading_session
from tests.live_world import LAST_CLOSE, NOON, LiveDouble
from tests.orders_world import FLAT, instruments, panel_of
from trading.books.ledger import account_fund, session_book
from trading.models import Arming, CashEntry, Fill, Order, Position, Reconciliation, SenderBoot
from trading.order_path.orders import order_create, orders_send_ready, orders_sync
from trading.order_path.send_step import order_precheck
from trading.order_path.tickets import venue_of
from trading.vocabulary import OrderType, Origin, Purpose

D = Decimal
CASH = D(100_000_000)


@contextmanager
def market_time():
    """Noon of a session, standing still."""
    with clock.use(clock.VirtualClock(NOON)):
        yield


def vendor() -> str:
    return connection.vendor


def account_of(name: str) -> Account:
    owner = User.objects.create_user(f"owner-{name}")
    limits = {
        "max_position_pct": 1,
        "max_gross_exposure": 100,
        "max_adv_pct": 1,
        "duplicate_window": 0,
        "max_order_notional": D(10_000_000),
    }
    account = account_create(id=name, owner=owner, broker="tiger", mode="REAL", **limits)
    boot = SenderBoot.objects.create(host="bench", pid=1, role="sweeper", code_version="c", config_hash="h")
    Arming.objects.create(account=account, open_key=account.pk, boot=boot, armed_by=owner)
    Reconciliation.objects.create(account=account, boot=boot, kind="BOOT", agrees=True, at=clock.now())
    account_fund(account=account, amount=CASH, session=LAST_CLOSE, key="initial")
    return account


class Desk:
    """Orders in rounds: written, sent, filled at once, taken in and booked."""

    def __init__(self, symbols: int):
        self.symbols = [f"S{number:03d}" for number in range(symbols)]
        instruments(*self.symbols)
        panel = panel_of({symbol: [FLAT] * 6 for symbol in self.symbols})
        self.broker = LiveDouble(panel, balance=CASH, quotes=dict.fromkeys(self.symbols, D(100)))
        self.account = account_of("BENCH")
        self.done = self.made = 0

    def reset_counts(self) -> None:
        self.done = 0

    def round(self, size: int) -> None:
        for _ in range(size):
            self.made += 1
            order_create(
                account=self.account, purpose=Purpose.ENTRY, symbol=self.symbols[self.made % len(self.symbols)], side="BUY",
                order_type=OrderType.MARKET, quantity=1 + self.made % 7, session=LAST_CLOSE, decision_price=100, origin=Origin.MANUAL,
                key=f"bench {self.made}",
            )  # fmt: skip
        sent = orders_send_ready(self.account, self.broker)
        for order in sent:
            self.broker.fill(order.client_order_id, order.quantity, D(100))
        session = trading_session(clock.now())
        fresh = self.broker.done[-len(sent) :]
        self.broker.done = fresh  # what a broker answers for the last moments; the whole day would be the broker's time
        fills = orders_sync(self.account, self.broker, session)
        session_book(account=self.account, activities=[], fills=fills[-len(sent) :])
        self.done += len(sent)

    def violations(self) -> list[str]:
        """What must hold however fast it was."""
        found = []
        orders = list(Order.objects.filter(account=self.account).values_list("status", "client_order_id", "version"))
        if any(status != "FILLED" for status, _, _ in orders):
            found.append(f"{sum(status != 'FILLED' for status, _, _ in orders)} orders are not FILLED")
        if len({request.client_order_id for request in self.broker.placed}) != len(self.broker.placed) or len(self.broker.placed) != len(
            orders
        ):
            found.append(f"{len(self.broker.placed)} placed for {len(orders)} orders")
        if Fill.objects.filter(account=self.account).count() != len(orders):
            found.append("fills are missing or doubled")
        held = {}
        for symbol, quantity in Position.objects.filter(account=self.account, exit_session=None).values_list("symbol", "quantity"):
            held[symbol] = held.get(symbol, D(0)) + quantity
        if held != {symbol: quantity for symbol, quantity in self.broker.held.items() if quantity}:
            found.append("positions differ")
        if sum(CashEntry.objects.filter(account=self.account).values_list("amount", flat=True)) != self.broker.balance:
            found.append("cash differs")
        return found


def orm_peer(account: Account, seconds: float) -> float:
    """Orders a second that the ORM writes: the order, its status twice, the fill, the position, the cash."""
    Position.objects.create(
        account=account, group="PEER", symbol="PEER", direction="LONG", open_key="peer", quantity=0, cost=0, entry_session=LAST_CLOSE,
        entry_price=100, last_entry_price=100, peak_quantity=0, entry_cost=0,
    )  # fmt: skip
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        order = Order.objects.create(
            account=account, client_order_id=f"peer {count}", purpose="ENTRY", mode="DRY_RUN", session=LAST_CLOSE, symbol="PEER",
            side="BUY", order_type="MKT", quantity=1,
        )  # fmt: skip
        for status in ("SENDING", "FILLED"):
            order.status = status
            order.save()
        Fill.objects.create(
            account=account, order=order, fill_id=f"peer {count}", session=LAST_CLOSE, symbol="PEER", side="BUY", quantity=1, price=100,
            amount=100, filled_at=datetime.now(UTC),
        )  # fmt: skip
        position = Position.objects.get(open_key="peer")
        position.quantity += 1
        position.cost += 100
        position.save()
        CashEntry.objects.create(account=account, key=f"peer {count}", session=LAST_CLOSE, kind="TRADE", amount=-100)
        count += 1
    return count / (time.perf_counter() - began)


def verdict_times(open_orders: int, count: int) -> list[float]:
    """Milliseconds of each verdict on a new order while `open_orders` wait, every limit of exposure set."""
    desk = Desk.__new__(Desk)
    symbols = [f"S{number:03d}" for number in range(50)]
    panel = panel_of({symbol: [FLAT] * 6 for symbol in symbols})
    account = account_of("CROWD")
    Account.objects.filter(pk=account.pk).update(max_net_exposure=50, max_symbol_notional=D(90_000_000))
    account.refresh_from_db()
    desk.account = account
    for number in range(open_orders):
        order_create(
            account=account, purpose=Purpose.ENTRY, symbol=symbols[number % 50], side="BUY", order_type=OrderType.LIMIT,
            quantity=1 + number % 9, limit_price=D(90), session=LAST_CLOSE, decision_price=100, key=f"crowd {number}",
        )  # fmt: skip
    venue, times = venue_of(account, panel), []
    for number in range(count):
        order = order_create(
            account=account, purpose=Purpose.ENTRY, symbol=symbols[number % 50], side="BUY", order_type=OrderType.MARKET, quantity=3,
            session=LAST_CLOSE, decision_price=100, key=f"asked {number}",
        )  # fmt: skip
        began = time.perf_counter()
        found, violations = order_precheck(order, venue)
        times.append(1000 * (time.perf_counter() - began))
        if found is not None or violations:
            raise RuntimeError(f"The order would not pass: {found}, {violations}")
        order.delete()
    return times
