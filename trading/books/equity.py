"""Equity at the close of a session: what the account is worth, what it returned, and how the benchmark did.

Returns are time-weighted. A deposit or withdrawal counts at the start of its session, when the account is worth what
it was at the last close, so a session returns E_t / (E_{t−1} + flow_t) − 1; the first one is measured on the deposit.
One unit is worth 1 at the first deposit and is compounded by these returns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import NamedTuple

import numpy as np
from django.db import transaction

from quant_site.core.errors import Conflict
from quant_site.core.models import Account
from quant_site.core.rows import row_insert, rows_read
from quant_site.core.services import events_publish
from quant_site.core.types import decimal, optional, ratio
from quant_site.market.panel import Panel
from trading.books.accounting import ZERO
from trading.models import CashEntry, EquitySnapshot, Position

FLOWS = frozenset({CashEntry.Kind.DEPOSIT, CashEntry.Kind.WITHDRAWAL})
INDEX = Decimal("0.0000000001")
OF_ACCOUNT, OPEN_ORDERED = "account_id = %s AND", "exit_session IS NULL ORDER BY symbol, id"
# What stands for the market where the account names no benchmark: the first of these that is stored.
BENCHMARKS = ("SPY", "SPX")


# --- arithmetic


def session_return(before: Decimal, after: Decimal, flow: Decimal) -> Decimal | None:
    """E_t / (E_{t−1} + flow_t) − 1, unrounded; None where there was nothing to earn a return on."""
    base = before + flow
    return after / base - 1 if base > 0 else None


def time_weighted(values: Sequence[Decimal], flows: Sequence[Decimal]) -> Decimal | None:
    """Π(1 + r_t) − 1 over values at successive closes; `flows[t]` came in before value t (the first one funds it all).

    None where a return within is undefined.
    """
    growth, before = Decimal(1), ZERO
    for value, flow in zip(values, flows, strict=True):
        gained = session_return(before, value, flow)
        if gained is None:
            return None
        growth, before = growth * (1 + gained), value
    return growth - 1


def drawdowns(unit_values: np.ndarray) -> np.ndarray:
    """Distance of each value from the highest before it (≤ 0), the starting value of 1 included."""
    peaks = np.maximum(np.maximum.accumulate(unit_values), 1.0)
    return unit_values / peaks - 1.0


# --- the account at the close of a session


class Before(NamedTuple):
    """The columns of the last snapshot that the next one stands on."""

    snapshot_date: date
    total_equity: Decimal
    cash: Decimal
    realized_pnl: Decimal
    unrealized_pnl: Decimal
    closed_pnl: Decimal
    unit_value: Decimal | None
    peak_unit_value: Decimal | None
    max_drawdown_pct: Decimal | None


class OpenPosition(NamedTuple):
    """The columns of an open position that equity and risk read."""

    symbol: str
    strategy_id: int | None
    quantity: Decimal
    cost: Decimal
    realized_pnl: Decimal
    dividends: Decimal
    market_value: Decimal
    unrealized_pnl: Decimal


@dataclass(frozen=True)
class AccountState:
    """An account as its rows tell at the close of a session; `previous` is the snapshot it continues from, if any."""

    session: date
    previous: Before | None
    positions: list[OpenPosition]
    cash: Decimal
    net_flow: Decimal
    market_value: Decimal
    unrealized_pnl: Decimal
    closed_pnl: Decimal
    realized_pnl: Decimal

    @cached_property
    def equity(self) -> Decimal:
        return self.cash + self.market_value

    @cached_property
    def gross_exposure(self) -> Decimal:
        return sum((abs(position.market_value) for position in self.positions), ZERO)

    @cached_property
    def unit_value(self) -> Decimal | None:
        """The value of a unit; None from the first session whose return is undefined."""
        before = self.previous.unit_value if self.previous else Decimal(1)
        gained = self.daily_return
        return None if before is None or gained is None else decimal(before * (1 + gained), INDEX, "The value of a unit")

    @cached_property
    def peak_unit_value(self) -> Decimal | None:
        value = self.unit_value
        before = self.previous.peak_unit_value if self.previous else Decimal(1)
        return before if value is None else max(value, before or value)

    @cached_property
    def daily_return(self) -> Decimal | None:
        return session_return(self.previous.total_equity if self.previous else ZERO, self.equity, self.net_flow)

    @cached_property
    def drawdown(self) -> Decimal | None:
        """Distance of a unit's value from its peak, ≤ 0."""
        value, peak = self.unit_value, self.peak_unit_value
        return value / peak - 1 if value is not None and peak else None


def account_state(*, account: Account, session: date) -> AccountState:
    """The account from its last snapshot before `session` and what was booked since: four queries, whatever its age."""
    latest = rows_read(
        EquitySnapshot, Before._fields, f"{OF_ACCOUNT} snapshot_date < %s ORDER BY snapshot_date DESC LIMIT 1", account.pk, session
    )
    previous = Before(*latest[0]) if latest else None
    since = previous.snapshot_date if previous else date.min
    movements = rows_read(CashEntry, ("kind", "amount"), f"{OF_ACCOUNT} session > %s AND session <= %s", account.pk, since, session)
    closed = rows_read(
        Position, ("realized_pnl", "dividends"), f"{OF_ACCOUNT} exit_session > %s AND exit_session <= %s", account.pk, since, session
    )
    positions = [OpenPosition(*row) for row in rows_read(Position, OpenPosition._fields, f"{OF_ACCOUNT} {OPEN_ORDERED}", account.pk)]
    closed_pnl = sum((realized + dividends for realized, dividends in closed), previous.closed_pnl if previous else ZERO)
    return AccountState(
        session=session,
        previous=previous,
        positions=positions,
        cash=(previous.cash if previous else ZERO) + sum((amount for _, amount in movements), ZERO),
        net_flow=sum((amount for kind, amount in movements if kind in FLOWS), ZERO),
        market_value=sum((position.market_value for position in positions), ZERO),
        unrealized_pnl=sum((position.unrealized_pnl for position in positions), ZERO),
        closed_pnl=closed_pnl,
        realized_pnl=closed_pnl + sum((position.realized_pnl + position.dividends for position in positions), ZERO),
    )


def equity_snapshot(*, account: Account, session: date, panel: Panel) -> EquitySnapshot:
    """Write the snapshot of `session`, from positions marked at its close. Doing it again changes nothing.

    The snapshots of a replay are not announced: they come faster than anybody could watch.
    Raises `Conflict` for a session before the account's last snapshot: the past is not written again.
    """
    known = rows_read(
        EquitySnapshot, ("snapshot_date",), f"{OF_ACCOUNT} snapshot_date >= %s ORDER BY snapshot_date DESC", account.pk, session
    )
    if known and known[0][0] > session:
        raise Conflict("session_closed", f"Account {account.pk} has a snapshot of {known[0][0]} already.", session=str(session))
    values = _snapshot_values(account, account_state(account=account, session=session), panel)
    snapshot = EquitySnapshot(account=account, snapshot_date=session, **values)
    if known:
        return _snapshot_again(snapshot, values)
    with transaction.atomic():
        row_insert(snapshot)
        if not account.is_replay:
            events_publish([("equity.snapshot", snapshot_event(snapshot))], account=account)
    return snapshot


@transaction.atomic
def _snapshot_again(snapshot: EquitySnapshot, values: dict) -> EquitySnapshot:
    """The row that is there already; brought up to `values` where it differs from them."""
    known = EquitySnapshot.objects.get(account=snapshot.account, snapshot_date=snapshot.snapshot_date)
    if any(getattr(known, name) != value for name, value in values.items()):
        snapshot.pk, snapshot.created_at = known.pk, known.created_at
        snapshot.save(force_update=True)
        events_publish([("equity.snapshot", snapshot_event(snapshot))], account=snapshot.account)
        return snapshot
    return known


def _snapshot_values(account: Account, state: AccountState, panel: Panel) -> dict:
    previous, drawdown, unit_value = state.previous, optional(ratio, state.drawdown), state.unit_value
    deepest = [value for value in (drawdown, previous.max_drawdown_pct if previous else None) if value is not None]
    symbol = benchmark_symbol(account, panel)
    return {
        "total_equity": state.equity,
        "cash": state.cash,
        "market_value": state.market_value,
        "gross_exposure": state.gross_exposure,
        "realized_pnl": state.realized_pnl,
        "unrealized_pnl": state.unrealized_pnl,
        "closed_pnl": state.closed_pnl,
        "net_flow": state.net_flow,
        "daily_return": optional(ratio, state.daily_return),
        "cumulative_return": None if unit_value is None else ratio(unit_value - 1),
        "unit_value": unit_value,
        "peak_unit_value": state.peak_unit_value,
        "drawdown_pct": drawdown,
        "max_drawdown_pct": min(deepest, default=None),
        "benchmark_return": benchmark_return(panel, symbol, state.session, previous.snapshot_date if previous else None),
        "benchmark_symbol": symbol,
        "open_positions": len(state.positions),
    }


def benchmark_symbol(account: Account, panel: Panel) -> str:
    """The account's benchmark, else the market's where it is stored, else empty."""
    return account.benchmark or next((symbol for symbol in BENCHMARKS if symbol in panel), "")


def benchmark_return(panel: Panel, symbol: str, session: date, since: date | None) -> Decimal | None:
    """Total return of `symbol` from the close of `since` (None: the session before) to that of `session`; None without bars."""
    t = panel.index(session)
    start = t - 1 if since is None else int(np.searchsorted(panel.sessions, np.datetime64(since, "D")))
    if symbol not in panel or start < 0:
        return None
    closes = panel.adj_close[panel.row(symbol)]
    return optional(ratio, float(closes[t] / closes[start] - 1))


def snapshot_event(snapshot: EquitySnapshot) -> dict:
    """What a client learns about a snapshot."""
    names = ("total_equity", "cash", "daily_return", "cumulative_return", "drawdown_pct", "benchmark_return")
    values = {name: getattr(snapshot, name) for name in names}
    return {"session": str(snapshot.snapshot_date)} | {name: None if value is None else str(value) for name, value in values.items()}


__all__ = [
    "AccountState",
    "account_state",
    "benchmark_return",
    "benchmark_symbol",
    "drawdowns",
    "equity_snapshot",
    "session_return",
    "snapshot_event",
    "time_weighted",
]
