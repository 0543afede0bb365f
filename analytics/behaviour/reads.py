"""From positions, fills and bars to what the scores of behaviour look at: the trades closed in the last 252 sessions.

Prices of a position are in shares as they were at its exit: bars of before a split are restated to those, never the position.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import NamedTuple

import numpy as np

from analytics.behaviour.scores import VOLATILITY_WINDOW, Exit, Prices, StopTrade
from quant_site.core.models import Account
from quant_site.core.rows import places, rows_read
from quant_site.core.types import Direction, Side
from quant_site.market.options.contracts import multiplier_of
from quant_site.market.panel import Panel
from quant_site.market.sessions import session_open
from trading.books.equity import benchmark_symbol
from trading.models import Fill, HedgePolicy, Order, Position
from trading.vocabulary import Purpose

WINDOW = 252
# How long after the bell a fill is still one of the open.
AT_OPEN = timedelta(minutes=5)
HEDGES = tuple(f"HEDGE-{kind}" for kind in HedgePolicy.Kind.values)


class Closed(NamedTuple):
    """The columns of a position that judging it takes; `exit_session` None while it is open."""

    id: int
    strategy_id: int | None
    group: str
    symbol: str
    direction: str
    entry_session: date
    exit_session: date | None
    entry_price: Decimal
    entry_quantity: Decimal
    entry_cost: Decimal
    exit_price: Decimal | None
    exit_reason: str
    initial_stop: Decimal | None
    initial_risk: Decimal | None
    realized_pnl: Decimal
    dividends: Decimal
    adjustments: list

    @property
    def sign(self) -> int:
        return Direction(self.direction).sign

    @property
    def manual(self) -> bool:
        """Whether a person opened it: no strategy did, nor a hedge."""
        return self.strategy_id is None and self.group not in HEDGES

    @property
    def result(self) -> float:
        """Net of commissions, dividends included."""
        return float(self.realized_pnl + self.dividends)

    @property
    def cost(self) -> float:
        """What a share cost or brought, commissions included, in shares as they were at the exit."""
        return float(abs(self.entry_cost) / (self.entry_quantity or 1) / multiplier_of(self.symbol))


class Filled(NamedTuple):
    """A fill of a position, and what its order was for."""

    order_id: int
    at: datetime
    session: date
    side: Side
    quantity: Decimal
    price: Decimal
    amount: Decimal
    commission: Decimal
    enters: bool


@dataclass(frozen=True, eq=False)
class Window:
    """The sessions from column `first` to column `last` of a panel, both judged, and the closes of the benchmark (NaN: unknown)."""

    account: Account
    panel: Panel
    first: int
    last: int

    @classmethod
    def ending(cls, account: Account, session: date, panel: Panel) -> "Window":
        last = panel.index(session)
        return cls(account, panel, max(0, last - WINDOW + 1), last)

    @cached_property
    def sessions(self) -> list[date]:
        return self.panel.sessions[self.first : self.last + 1].tolist()

    @property
    def since(self) -> date:
        return self.sessions[0]

    @property
    def until(self) -> date:
        return self.sessions[-1]

    @property
    def start(self) -> int:
        """The column from which prices are looked at, for the volatility before the first session."""
        return max(0, self.first - VOLATILITY_WINDOW - 1)

    @cached_property
    def benchmark(self) -> np.ndarray:
        found = self.panel.holding(benchmark_symbol(self.account, self.panel))
        if found is None:
            return np.full(self.last + 1 - self.start, np.nan)
        return self._adjusted(*found, self.start)

    def prices(self, symbol: str) -> Prices:
        """Adjusted closes from `start` on; NaN for what has no bars, such as an option."""
        found = self.panel.holding(symbol)
        close = np.full(len(self.benchmark), np.nan) if found is None else self._adjusted(*found, self.start)
        return Prices(close, self.benchmark)

    def _adjusted(self, panel: Panel, row: int, start: int) -> np.ndarray:
        return panel.close[row, start : self.last + 1] * panel.factor[row, start : self.last + 1]

    def column(self, session: date) -> int:
        """The column of a session, or of the last bar before it."""
        return int(np.searchsorted(self.panel.sessions, np.datetime64(session, "D"), side="right")) - 1


def closed_read(window: Window) -> list[Closed]:
    """Positions closed in the sessions of `window`, in the order of their exits."""
    where = "account_id = %s AND exit_session >= %s AND exit_session <= %s ORDER BY exit_session, symbol, id"
    return [Closed(*row) for row in rows_read(Position, Closed._fields, where, window.account.pk, window.since, window.until)]


def restatement(adjustments: Iterable[dict], sessions: Sequence[date]) -> np.ndarray:
    """By session how many shares at the end one share of then became: what a price of then is divided by; float64 (n,)."""
    ratios = np.ones(len(sessions))
    days = np.array(sessions, dtype="datetime64[D]")
    for change in adjustments:
        if "ratio" in change:
            ratios[days < np.datetime64(change["session"], "D")] *= float(change["ratio"])
    return ratios


def exits_of(closed: Sequence[Closed], window: Window) -> list[Exit]:
    """Closed positions as the sell-fly test sees them."""
    prices: dict[str, Prices] = {}
    exits = []
    for one in closed:
        if one.symbol not in prices:
            prices[one.symbol] = window.prices(one.symbol)
        found, at = window.panel.holding(one.symbol), window.column(one.exit_session)
        factor = found[0].factor[found[1], at] if found else np.nan
        stopped = one.exit_reason == Purpose.STOP
        exits.append(Exit(one.sign, float(one.exit_price or "nan") * factor, at - window.start, stopped, prices[one.symbol]))
    return exits


def stop_trades_of(closed: Sequence[Closed], window: Window) -> list[StopTrade]:
    """Closed positions that had a stop from the start and whose bars are stored."""
    ranges = {one.id: bars for one in closed if one.initial_stop is not None and (bars := range_of(one, window)) is not None}
    late = [one.id for one in closed if one.id in ranges and _touched_before_exit(one, *ranges[one.id])]
    fills = fills_of(late)
    trades = []
    for one in closed:
        if one.id in ranges:
            leaving = [fill.at for fill in fills.get(one.id, ()) if not fill.enters]
            at_open = bool(leaving) and max(leaving) <= session_open(one.exit_session) + AT_OPEN
            stop, exit_price, stopped = float(one.initial_stop), float(one.exit_price), one.exit_reason == Purpose.STOP
            trades.append(StopTrade(one.sign, stop, *ranges[one.id], exit_price, stopped, at_open))
    return trades


def range_of(one: Closed, window: Window) -> tuple[np.ndarray, np.ndarray] | None:
    """(lows, highs) from the session of the entry to that of the exit, in shares as they were at the exit."""
    found = window.panel.holding(one.symbol)
    if found is None:
        return None
    (panel, row), held = found, slice(window.column(one.entry_session), window.column(one.exit_session) + 1)
    if held.start < 0:
        return None
    if not one.adjustments:
        return panel.low[row, held], panel.high[row, held]
    ratios = restatement(one.adjustments, panel.sessions[held].tolist())
    return panel.low[row, held] / ratios, panel.high[row, held] / ratios


def _touched_before_exit(one: Closed, low: np.ndarray, high: np.ndarray) -> bool:
    against, stop = (low if one.sign > 0 else high), float(one.initial_stop)
    return bool((one.sign * (against[1:-1] - stop) <= 0).any())


def fills_of(positions: Collection[int]) -> dict[int, list[Filled]]:
    """The fills of each position, the earliest first."""
    if not positions:
        return {}
    orders = rows_read(Order, ("id", "position_id", "purpose"), f"position_id IN {places(positions)}", *positions)
    owner, purpose = {pk: position for pk, position, _ in orders}, {pk: why for pk, _, why in orders}
    names = ("order_id", "filled_at", "session", "side", "quantity", "price", "amount", "commission", "position_id")
    where = f"position_id IN {places(positions)} OR order_id IN (SELECT id FROM orders WHERE position_id IN {places(positions)})"
    found: dict[int, list[Filled]] = {}
    for order, at, session, side, *numbers, position in rows_read(Fill, names, f"{where} ORDER BY filled_at, id", *positions, *positions):
        enters = purpose.get(order) == Purpose.ENTRY
        found.setdefault(position or owner[order], []).append(Filled(order, at, session, Side(side), *numbers, enters))
    return found
