"""Reads of trading for pages, API and evaluation: positions, orders, trades, and the equity curve as arrays."""

from dataclasses import dataclass
from datetime import date

import numpy as np
from django.db.models import Prefetch, Q, QuerySet

from quant_site.core.models import Account
from quant_site.core.rows import rows_read
from trading.books.equity import drawdowns
from trading.models import EquitySnapshot, Order, OrderEvent, Position, TradeJournal

CURVE = ("snapshot_date", "total_equity", "net_flow", "daily_return", "benchmark_return", "unit_value")


@dataclass(frozen=True)
class EquityCurve:
    """One value per snapshot, oldest first: `equity` and `flows` in the account's currency, returns as fractions.

    `growth` and `benchmark` are what one unit became since the first snapshot's open; `drawdown` is ≤ 0. NaN where a
    return is undefined; a benchmark without a bar stands still, so that the curve goes on after it.
    """

    sessions: list[date]
    equity: np.ndarray
    flows: np.ndarray
    returns: np.ndarray
    growth: np.ndarray
    drawdown: np.ndarray
    benchmark: np.ndarray


def equity_curve(*, account: Account, first: date = date.min, last: date = date.max) -> EquityCurve:
    """The account's snapshots from `first` to `last`; empty arrays where there are none."""
    where = "account_id = %s AND snapshot_date >= %s AND snapshot_date <= %s ORDER BY snapshot_date"
    rows = rows_read(EquitySnapshot, CURVE, where, account.pk, first, last)
    sessions, *columns = zip(*rows, strict=True) if rows else [()] * len(CURVE)
    equity, flows, returns, market, unit = (np.array(column, dtype=float) for column in columns)
    growth = unit / (unit[0] / (1 + returns[0])) if rows else unit
    return EquityCurve(
        sessions=list(sessions),
        equity=equity,
        flows=flows,
        returns=returns,
        growth=growth,
        drawdown=drawdowns(growth),
        benchmark=np.cumprod(1 + np.nan_to_num(market)),
    )


def positions_open(*, account: Account) -> QuerySet[Position]:
    """Open positions by symbol, with strategy and first signal."""
    return Position.objects.filter(account=account, exit_session=None).select_related("strategy", "signal").order_by("symbol", "id")


def orders_in(symbol: str) -> Q:
    """Orders that trade `symbol`, in any case of its letters: by themselves, or as one of their legs."""
    return Q(symbol__iexact=symbol) | Q(legs__icontains=f'"{symbol.upper()}"')


def orders_recent(*, account: Account, limit: int = 50) -> list[Order]:
    """The latest orders, newest first, each with its events in order and the strategy of its signal."""
    events = Prefetch("events", queryset=OrderEvent.objects.order_by("sequence"))
    return list(Order.objects.filter(account=account).select_related("signal__strategy").prefetch_related(events).order_by("-id")[:limit])


def trades_closed(*, account: Account, first: date = date.min, last: date = date.max) -> QuerySet[TradeJournal]:
    """Journal rows of the positions closed from `first` to `last`, newest first."""
    closed = TradeJournal.objects.filter(account=account, exit_date__range=(first, last))
    return closed.select_related("strategy", "position").order_by("-exit_date", "symbol", "-id")
