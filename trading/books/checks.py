"""Do the books agree? Cash with its entries, positions with their fills, profit with equity, and all with the broker.

The check of a session looks at what is new since the last snapshot and rests on that one by induction; every 21st
session, and whenever asked, the full check starts from nothing: from every entry, fill and position of the account.
"""

from collections import defaultdict
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from quant_site.core.errors import Conflict, LedgerMismatch
from quant_site.core.models import Account
from quant_site.core.rows import rows_read
from quant_site.core.types import MICRO, Side, optional, ratio
from quant_site.market.sessions import session_distance
from trading.books.accounting import ZERO, cash_flow
from trading.books.equity import FLOWS, AccountState, account_state, time_weighted
from trading.books.ledger import fills_unbooked
from trading.brokers.base import Broker
from trading.models import CashEntry, EquitySnapshot, Fill, Position

FULL_CHECK_EVERY = 21
FIRST_DAY = date(1990, 1, 2)


class Snapshot(NamedTuple):
    """The columns of a snapshot that can be checked."""

    snapshot_date: date
    cash: Decimal
    total_equity: Decimal
    realized_pnl: Decimal
    unrealized_pnl: Decimal
    cumulative_return: Decimal | None


def books_check(*, account: Account, session: date, broker: Broker | None = None, full: bool | None = None) -> dict:
    """Reconcile the account at the close of `session`, after its snapshot; answers what was compared, in numbers.

    `full` decides about the full check (None: every 21st session). With a `broker` its cash and positions are compared
    too. Raises `LedgerMismatch` naming every difference; a difference is a defect or a changed row, nothing to trade on.
    """
    snapshot = _snapshot(account, session)
    state = account_state(account=account, session=session)
    if full is None:
        full = session_distance(FIRST_DAY, session) % FULL_CHECK_EVERY == 0
    differences = _snapshot_differences(snapshot, state)
    if broker is not None:
        differences += _broker_differences(account, state, broker)
    if full:
        differences += _full_differences(account, session, snapshot)
    if differences:
        raise LedgerMismatch(
            "books",
            f"The books of {account.pk} do not agree at {session}: " + "; ".join(text for text, _ in differences) + ".",
            session=str(session),
            differences=[{"what": text, **numbers} for text, numbers in differences],
        )
    return {
        "cash": str(state.cash),
        "equity": str(state.equity),
        "realized_pnl": str(state.realized_pnl),
        "unrealized_pnl": str(state.unrealized_pnl),
        "positions": len(state.positions),
        "broker": broker is not None,
        "full": full,
    }


Difference = tuple[str, dict]


def _snapshot(account: Account, session: date) -> Snapshot:
    rows = rows_read(
        EquitySnapshot, Snapshot._fields, "account_id = %s AND snapshot_date >= %s ORDER BY snapshot_date", account.pk, session
    )
    if not rows or rows[0][0] != session:
        raise LedgerMismatch("no_snapshot", f"Account {account.pk} has no equity snapshot of {session} to check.", session=str(session))
    if len(rows) > 1:
        raise Conflict("session_closed", f"The books of {account.pk} stand at {rows[-1][0]}: {session} can no longer be checked.")
    return Snapshot(*rows[0])


def _compare(what: str, left: Decimal | None, right: Decimal | None) -> list[Difference]:
    return [] if left == right else [(f"{what} ({left} against {right})", {"left": str(left), "right": str(right)})]


def _snapshot_differences(snapshot: Snapshot, state: AccountState) -> list[Difference]:
    """The snapshot with the rows behind it; and the profit with what equity gained beyond deposits."""
    before = state.previous
    gained = state.equity - (before.total_equity if before else ZERO) - state.net_flow
    earned = state.realized_pnl + state.unrealized_pnl
    if before is not None:
        earned -= before.realized_pnl + before.unrealized_pnl
    differences = _compare("cash of the snapshot and its entries", snapshot.cash, state.cash)
    differences += _compare("equity of the snapshot and of the positions", snapshot.total_equity, state.equity)
    differences += _compare("gain of equity and profit of the positions", gained, earned)
    for position in state.positions:
        value = position.market_value - position.cost
        differences += _compare(f"unrealised profit of {position.symbol}", position.unrealized_pnl, value)
    return differences


def _broker_differences(account: Account, state: AccountState, broker: Broker) -> list[Difference]:
    ours: dict[str, Decimal] = defaultdict(Decimal)
    for position in state.positions:
        ours[position.symbol] += position.quantity
    theirs = broker.positions(account.pk)
    differences = _compare("cash and the broker's", state.cash, broker.cash(account.pk))
    for symbol in sorted({*ours, *theirs}):
        differences += _compare(f"position in {symbol} and the broker's", ours.get(symbol, Decimal(0)), theirs.get(symbol, Decimal(0)))
    return differences


def _full_differences(account: Account, session: date, snapshot: Snapshot) -> list[Difference]:
    """Everything from the first entry on, up to `session`."""
    entries = list(CashEntry.objects.filter(account=account, session__lte=session).order_by("id").values_list("kind", "amount"))
    deposits = sum((amount for kind, amount in entries if kind in FLOWS), ZERO)
    differences = _compare("cash and all entries", snapshot.cash, sum((amount for _, amount in entries), ZERO))
    profit = snapshot.realized_pnl + snapshot.unrealized_pnl
    differences += _compare("equity less deposits and all profit", snapshot.total_equity - deposits, profit)
    differences += _return_differences(account, session, snapshot) + _position_differences(account, snapshot)
    unbooked = fills_unbooked(account=account, session=session)
    if unbooked:
        differences.append((f"{len(unbooked)} fills are not booked", {"fills": [fill.fill_id for fill in unbooked]}))
    return differences


def _return_differences(account: Account, session: date, snapshot: Snapshot) -> list[Difference]:
    """The chained return with the one over all snapshots at once, which may differ in the last decimal."""
    names = ("total_equity", "net_flow")
    rows = rows_read(EquitySnapshot, names, "account_id = %s AND snapshot_date <= %s ORDER BY snapshot_date", account.pk, session)
    earned = time_weighted(*zip(*rows, strict=True))
    if earned is None or snapshot.cumulative_return is None or abs(earned - snapshot.cumulative_return) > MICRO:
        return _compare("time-weighted return and all snapshots", snapshot.cumulative_return, optional(ratio, earned))
    return []


def _position_differences(account: Account, snapshot: Snapshot) -> list[Difference]:
    """Each position with the sum of its own fills, splits and settlements: quantity, and realised profit less open cost."""
    quantities: dict[int, Decimal] = defaultdict(Decimal)
    flows: dict[int, Decimal] = defaultdict(lambda: ZERO)
    fills = Fill.objects.filter(account=account).order_by("id")
    names = ("position_id", "order__position_id", "side", "quantity", "amount", "commission")
    for own, of_order, side, quantity, amount, commission in fills.values_list(*names):
        pk = own or of_order
        quantities[pk] += Side(side).sign * quantity
        flows[pk] += cash_flow(side, amount, commission)
    positions = Position.objects.filter(account=account).order_by("id")
    differences, realized = [], ZERO
    names = ("id", "symbol", "quantity", "cost", "realized_pnl", "dividends", "adjustments")
    for pk, symbol, quantity, cost, gained, dividends, adjustments in positions.values_list(*names):
        for change in adjustments:
            quantities[pk] += Decimal(change["after"]) - Decimal(change["before"])
            flows[pk] += Decimal(change["cash"])
        realized += gained + dividends
        differences += _compare(f"quantity of position {pk} ({symbol}) and its fills", quantity, quantities[pk])
        differences += _compare(f"profit of position {pk} ({symbol}) and its fills", gained - cost, flows[pk])
    return differences + _compare("realised profit of the snapshot and of all positions", snapshot.realized_pnl, realized)
