"""The claim: the account is locked, everything is looked at again, and the order becomes ours to send, or is denied.

What only the broker knows (a quote, its clock, a reserved id) is asked for before the transaction begins; limits, state,
positions and every open order, unsent ones and those whose outcome is unknown included, are read within it.
"""

import os
import socket
import time
from collections import ChainMap
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from django.conf import settings
from django.db import transaction

from quant_site.core import clock
from quant_site.core.errors import DataMissing
from quant_site.core.models import Account
from quant_site.core.rows import objects_read, places, rows_read
from quant_site.core.types import Direction, Side
from quant_site.market.panel import Panel
from quant_site.market.sessions import market_is_open, trading_session
from signals_app.models import TradingSignal
from strategies.risk import Proposal, RiskContext, Violation, assess, proposal_of
from strategies.risk import orders as order_checks
from trading.brokers.base import Broker, LiveQuote
from trading.control.armed import armed
from trading.exposure.context import risk_context_build
from trading.models import Order, Position, Reconciliation, SymbolHalt
from trading.order_path.gate import Denial, GateView, Verdict, Wait, risk, verdict
from trading.order_path.rows import account_halt, order_advance, order_move
from trading.order_path.states import OrderStatus
from trading.vocabulary import LEAVING, REDUCING, Purpose

LEASE = timedelta(seconds=30)
MINUTE = timedelta(seconds=60)
OPEN_STATUSES = "('INTENT', 'READY', 'SENDING', 'UNKNOWN', 'ACKED', 'PARTIAL')"
OPEN_AROUND = "account_id = %s AND id <> %s AND (symbol IN {symbols} OR legs <> '[]') AND status IN {statuses}"
HALTED_SYMBOLS = "account_id = %s AND open_key IS NOT NULL"
SENT_SINCE = "account_id = %s AND sent_at > %s"
REFUSED_SINCE = "account_id = %s AND status IN ('REJECTED', 'DENIED') AND updated_at > %s"
NOT_WRITTEN = 2**63 - 1  # stands for the number of an order that has none yet
MADE_SINCE = (
    "account_id = %s AND symbol = %s AND id < %s AND purpose = %s AND created_at > %s AND status NOT IN ('DENIED', 'REJECTED', 'CANCELLED')"
)


class Around(NamedTuple):
    """The columns of another open order of the account."""

    status: str
    purpose: str
    symbol: str
    side: str
    order_type: str
    quantity: Decimal
    filled_quantity: Decimal
    limit_price: Decimal | None
    legs: list

    @property
    def trades(self) -> dict[str, Decimal]:
        """Signed quantities by symbol that it may still trade."""
        return order_trades(self)


@dataclass(frozen=True)
class Venue:
    """What the looks at an order need to know of the broker where none is called: its kind, and the market it prices by."""

    mode: str
    simulated: bool
    panel: Panel


@dataclass(frozen=True)
class Outside:
    """What the broker said before the claim. Of a simulated broker nothing is asked."""

    reserved_id: str = ""
    quotes: Mapping[str, LiveQuote | None] = field(default_factory=dict)
    server_time: datetime | None = None
    asked_at: datetime | None = None


def order_trades(order) -> dict[str, Decimal]:
    """Signed quantities by symbol that `order` (a row or its columns) may still trade."""
    remaining = order.quantity - order.filled_quantity
    if not order.legs:
        return {order.symbol: Side(order.side).sign * remaining}
    return {leg["symbol"]: Side(leg["side"]).sign * remaining * leg["ratio"] for leg in order.legs}


def look_outside(order: Order, broker: Broker) -> Outside:
    """Ask a live broker what the claim needs to know. Raises what the broker raises: then nothing is sent."""
    if broker.simulated:
        return Outside()
    quotes = {} if order.purpose in REDUCING else {symbol: broker.quote(symbol) for symbol in order_trades(order)}
    reserved = order.reserved_id or broker.reserve(order.account_id)
    server_time = broker.server_time()
    return Outside(reserved, quotes, server_time, _wall())  # the two clocks are read at once


@transaction.atomic(durable=True)
def order_claim(order: Order, broker: Broker, outside: Outside) -> bool:
    """Make the order ours to send, or deny it; False where it is not to be sent now. Durable: this has committed when the
    broker is called, or it raises."""
    [account] = objects_read(Account, "id = %s", order.account_id, lock=True)
    others = _around(order)
    found = verdict(_view(order, account, broker, others))
    if found is None and order.purpose not in REDUCING:
        found = risk(_violations(order, account, broker, others, outside))
    if isinstance(found, Wait):
        return False
    if isinstance(found, Denial):
        order_move(order, OrderStatus.DENIED, reason=found.reason)
        if found.halts:
            code, _, message = found.reason.partition(": ")
            account_halt(order.account_id, code, message, order=order.pk)
        return False
    ready = [(OrderStatus.READY, "", {})] if order.status == OrderStatus.INTENT else []
    fence = order.fence + 1
    order_advance(
        order,
        [*ready, (OrderStatus.SENDING, "", {"fence": fence})],
        fence=fence,
        sent_at=clock.now(),
        reserved_id=outside.reserved_id,
        lease_owner=f"{socket.gethostname()}:{os.getpid()}"[:64],
        lease_until=_wall() + LEASE,
    )
    return True


@transaction.atomic
def order_precheck(order: Order, venue: Venue) -> tuple[Verdict, list[Violation]]:
    """What the send step would say now of an order that nobody sends yet, and every violation of the risk checks. What only
    the broker knows is looked at when it is sent. Nothing is written; the account is locked."""
    [account] = objects_read(Account, "id = %s", order.account_id, lock=True)
    others = _around(order)
    found = verdict(_view(order, account, venue, others))
    violations = [] if order.purpose in REDUCING else _violations(order, account, venue, others, None)
    return found, violations


@transaction.atomic
def change_verdict(order: Order, wanted: dict, broker: Broker, outside: Outside) -> Verdict:
    """What speaks against changing a working order to `wanted` ({quantity, limit_price, stop_price}): the same looks as before it
    was sent. Nothing is written."""
    changed = copy(order)
    for name, value in wanted.items():
        setattr(changed, name, value)
    [account] = objects_read(Account, "id = %s", order.account_id, lock=True)
    others = _around(changed)
    found = verdict(replace(_view(changed, account, broker, others), claims=0, runaway=""))
    if found is None and order.purpose not in REDUCING:
        found = risk(_violations(changed, account, broker, others, outside))
    return found


# --- what the gate looks at


def _around(order: Order) -> list[Around]:
    """The other open orders in a symbol of the order."""
    ours = sorted(order_trades(order))
    where = OPEN_AROUND.format(symbols=places(ours), statuses=OPEN_STATUSES)
    rows = (Around(*row) for row in rows_read(Order, Around._fields, where, order.account_id, order.pk or 0, *ours))
    return [other for other in rows if not other.trades.keys().isdisjoint(ours)]


def _view(order: Order, account: Account, broker: Broker | Venue, others: list[Around]) -> GateView:
    ours, reducing, live = order_trades(order), order.purpose in REDUCING, not broker.simulated
    unknown = {symbol for other in others if other.status == OrderStatus.UNKNOWN for symbol in other.trades}
    halted = dict(rows_read(SymbolHalt, ("symbol", "reason"), HALTED_SYMBOLS, account.pk)) if live else {}
    return GateView(
        trading_state=account.state,
        mode=order.mode,
        broker_mode=broker.mode,
        reducing=reducing,
        quantity=order.quantity,
        claims=order.fence,
        against=Decimal(0) if reducing else sum(_against(symbol, quantity, account, others) for symbol, quantity in ours.items()),
        live=live,
        real_allowed=settings.REAL_TRADING,
        armed=live and armed(account.pk) is not None,
        reconciled=live and _reconciled(account.pk),
        market_open=not live or market_is_open(clock.now()),
        awaits="" if order.confirmed_by_id else order.awaits,
        unsettled=tuple(sorted(unknown & ours.keys())),
        halted_symbols=tuple((symbol, halted[symbol]) for symbol in sorted(ours.keys() & halted.keys())),
        runaway="" if reducing else _runaway(account),
    )


def _against(symbol: str, quantity: Decimal, account: Account, others: Iterable[Around]) -> Decimal:
    """What of `symbol` is on the other side of `quantity`: held and not being closed, or about to be opened."""
    sign = 1 if quantity > 0 else -1
    positions = rows_read(Position, ("quantity",), "account_id = %s AND symbol = %s AND exit_session IS NULL", account.pk, symbol)
    held = sum((row[0] for row in positions), Decimal(0))
    entering = Decimal(0)
    for other in others:
        traded = other.trades.get(symbol, Decimal(0))
        if other.purpose in LEAVING:
            held += traded
        elif other.purpose == Purpose.ENTRY and traded * sign < 0:
            entering += abs(traded)
    return max(Decimal(0), -sign * held) + entering


def _reconciled(account_id: str) -> bool:
    """Whether the account was compared with its broker since the last process that sends was started."""
    since = "account_id = %s AND boot_id = (SELECT MAX(id) FROM sender_boots) LIMIT 1"
    return bool(rows_read(Reconciliation, ("id",), since, account_id))


def _runaway(account: Account) -> str:
    """Why the account sends or is refused too much, where its limits say so."""
    since = clock.now() - MINUTE
    sent = _count(SENT_SINCE, account.pk, since) if account.max_orders_per_minute is not None else 0
    refused = _count(REFUSED_SINCE, account.pk, since) if account.max_rejects_per_minute is not None else 0
    violation = order_checks.order_rate(sent, refused, account.max_orders_per_minute, account.max_rejects_per_minute)
    return violation.message if violation else ""


def _count(where: str, *params) -> int:
    return len(rows_read(Order, ("id",), where, *params))


# --- what the risk checks look at


def _violations(order: Order, account: Account, broker: Broker | Venue, others: list[Around], outside: Outside | None) -> list[Violation]:
    """Why the order may not open what it would: against everything that is held, on its way or unknown."""
    found = _order_violations(order, account, broker, others, outside)
    try:
        context = order_context(order, account, broker, outside)
    except DataMissing as error:
        return [*found, Violation("NO_MARKET_DATA", error.message, None, str(order.session))]
    return found + assess(order_proposal(order, context), context)


def order_context(order: Order, account: Account, broker: Broker | Venue, outside: Outside | None) -> RiskContext:
    """The account without the order, at the prices the market shows now; what is bought at a limit counts at the limit. On a
    live account what was traded since the last close counts too. Raises `DataMissing` where the panel does not reach the
    order's session."""
    through = None if broker.simulated else trading_session(clock.now())
    context = risk_context_build(account=account, session=order.session, panel=broker.panel, excluding=(order.pk,), through=through)
    known = {symbol: float(quote.price) for symbol, quote in outside.quotes.items() if quote and quote.price} if outside else {}
    if order.limit_price is not None and order.side == Side.BUY and not order.legs:
        known[order.symbol] = float(order.limit_price)
    return replace(context, prices=ChainMap(known, context.prices)) if known else context


def order_proposal(order: Order, context: RiskContext) -> Proposal:
    """What the order would do to the account at the prices of `context`."""
    signals = rows_read(TradingSignal, ("strategy_id", "weight", "signal_metadata"), "id = %s", order.signal_id) if order.signal_id else []
    strategy_id, weight, metadata = signals[0] if signals else (None, None, {})
    unit_risk = metadata.get("sizing", {}).get("unit_risk")
    structure = bool(order.legs) and unit_risk is not None
    return proposal_of(
        context,
        {symbol: float(quantity) for symbol, quantity in order_trades(order).items()},
        strategy_id=strategy_id,
        direction=Direction.LONG if order.side == Side.BUY else Direction.SHORT,
        share=float(weight or 1),
        units=int(order.quantity) if structure else 0,
        unit_risk=unit_risk if structure else 0.0,
    )


def _order_violations(
    order: Order, account: Account, broker: Broker | Venue, others: list[Around], outside: Outside | None
) -> list[Violation]:
    """The checks of the order itself: its price, its likes, the market it is sent into."""
    checks = [_duplicate(order, account)]
    if broker.simulated or outside is not None:
        price = _reference(order, broker, outside)
        checks.append(order_checks.self_cross(order.side, order.limit_price or price, _resting_against(order, others)))
        if not order.legs:
            checks.append(order_checks.price_collar(order.limit_price, price, account.price_collar_pct))
    if not broker.simulated and outside is not None:
        now = outside.asked_at or _wall()
        checks.append(order_checks.clock_skew(outside.server_time, now))
        for symbol, quote in outside.quotes.items():
            checks.append(order_checks.quote_age(symbol, quote and quote.at, now, account.quote_max_age))
    return [violation for violation in checks if violation is not None]


def _reference(order: Order, broker: Broker | Venue, outside: Outside | None) -> Decimal | None:
    """The price that a plain order is measured against: the live quote, or the close it was decided on."""
    if order.legs:
        return None
    quote = outside.quotes.get(order.symbol) if outside else None
    if quote is not None:
        return quote.price
    return order.decision_price if broker.simulated else None


def _resting_against(order: Order, others: Iterable[Around]) -> list[Decimal]:
    """Limits of what rests on the other side of the order's symbol."""
    if order.legs:
        return []
    return [
        other.limit_price
        for other in others
        if other.symbol == order.symbol and not other.legs and other.side != order.side and other.limit_price is not None
    ]


def _duplicate(order: Order, account: Account) -> Violation | None:
    """Orders of different signals are never each other's duplicates: each has an identity of its own."""
    if order.signal_id is not None or order.confirmed_by_id is not None:
        return None
    since = order.created_at - timedelta(seconds=account.duplicate_window)
    names = ("symbol", "side", "quantity", "legs", "created_at")
    rows = rows_read(Order, names, MADE_SINCE, order.account_id, order.symbol, order.pk or NOT_WRITTEN, str(order.purpose), since)
    made = [order_checks.MadeOrder(_content(order.account_id, *content), at) for *content, at in rows]
    content = _content(order.account_id, order.symbol, order.side, order.quantity, order.legs)
    return order_checks.duplicate(content, order.created_at, made, account.duplicate_window)


def _content(account_id: str, symbol: str, side: str, quantity: Decimal, legs: list) -> order_checks.OrderContent:
    trades = tuple((leg["symbol"], leg["side"], leg["ratio"]) for leg in legs)
    return order_checks.OrderContent(account_id, symbol, side, quantity, trades)


def _wall() -> datetime:
    """Leases guard processes, so they run on the wall clock also when the loop's clock is virtual."""
    return datetime.fromtimestamp(time.time(), UTC)


__all__ = [
    "Outside",
    "Venue",
    "change_verdict",
    "look_outside",
    "order_claim",
    "order_context",
    "order_precheck",
    "order_proposal",
    "order_trades",
]
