"""What the habits of a person look at: the trades that no strategy opened, with their fills and the bars around them."""

from datetime import date
from typing import NamedTuple

import numpy as np

from analytics.behaviour.habits import Entry, Holding, Loss, Opened, Sale, SaleDay
from analytics.behaviour.reads import Closed, Filled, Window, fills_of, restatement
from analytics.behaviour.scores import VOLATILITY_WINDOW
from quant_site.core.rows import rows_read
from quant_site.market.indicators import atr, ema
from trading.models import Position

EMA, ATR = 20, 14
# Bars before the first entry: what an exponential mean of 20 remembers of earlier ones is beyond measuring.
WARM_UP = 250


class Person(NamedTuple):
    """Trades of a person: closed in the window, and still open at its end, with the fills of both."""

    closed: list[Closed]
    open: list[Closed]
    fills: dict[int, list[Filled]]

    @property
    def all(self) -> list[Closed]:
        return [*self.closed, *self.open]


def person_read(closed: list[Closed], window: Window) -> Person:
    """The person's part of `closed`, and what a person held at the end of `window`."""
    then = "account_id = %s AND strategy_id IS NULL AND entry_session <= %s AND (exit_session IS NULL OR exit_session > %s)"
    where = f"{then} ORDER BY symbol, id"
    rows = rows_read(Position, Closed._fields, where, window.account.pk, window.until, window.until)
    held = [one for row in rows if (one := Closed(*row)).manual]
    own = [one for one in closed if one.manual]
    return Person(own, held, fills_of([one.id for one in (*own, *held)]))


def sale_days(person: Person, window: Window) -> list[SaleDay]:
    """Each session with a sale: what was sold, and what was held before it and not sold."""
    sold: dict[date, dict[int, Sale]] = {}
    for one in person.all:
        for day, sale in _sales(one, person.fills.get(one.id, ()), window).items():
            sold.setdefault(day, {})[one.id] = sale
    return [SaleDay(tuple(sold[day].values()), _held(person, day, set(sold[day]), window)) for day in sorted(sold)]


def _sales(one: Closed, fills, window: Window) -> dict[date, Sale]:
    """By session the mean price of what was sold, in shares as they were at the end."""
    days: dict[date, list[Filled]] = {}
    for fill in fills:
        if not fill.enters and window.since <= fill.session <= window.until:
            days.setdefault(fill.session, []).append(fill)
    ratios = restatement(one.adjustments, list(days))
    sales = {}
    for (day, parts), ratio in zip(days.items(), ratios, strict=True):
        mean = float(sum(part.quantity * part.price for part in parts) / sum(part.quantity for part in parts))
        sales[day] = Sale(one.sign, one.cost, mean / ratio)
    return sales


def _held(person: Person, day: date, sold: set[int], window: Window) -> tuple[Holding, ...]:
    at, held = window.column(day), []
    for one in person.all:
        found = window.panel.holding(one.symbol)
        if one.id in sold or found is None or one.entry_session >= day or (one.exit_session is not None and one.exit_session <= day):
            continue
        (panel, row), [ratio] = found, restatement(one.adjustments, [day])
        low, high = panel.low[row, at] / ratio, panel.high[row, at] / ratio
        if np.isfinite(low) and np.isfinite(high):
            held.append(Holding(one.sign, one.cost, float(low), float(high)))
    return tuple(held)


def opened_of(person: Person, window: Window) -> list[Opened]:
    """Trades opened in the window, by the time of their first fill."""
    times = {one.id: min((fill.at for fill in person.fills.get(one.id, ()) if fill.enters), default=None) for one in person.all}
    return [
        Opened(times[one.id], one.symbol, float(abs(one.entry_cost)))
        for one in person.all
        if one.entry_session >= window.since and times[one.id] is not None
    ]


def losses_of(person: Person) -> list[Loss]:
    """Closed trades that lost, by the time of their last fill."""
    ends = {one.id: max((fill.at for fill in person.fills.get(one.id, ()) if not fill.enters), default=None) for one in person.closed}
    return [Loss(ends[one.id], one.symbol) for one in person.closed if one.result < 0 and ends[one.id] is not None]


def entry_sessions(person: Person, window: Window) -> list[date]:
    """The session of each order that entered, one for each; adding to a position is an entry too."""
    orders = {fill.order_id: fill.session for fills in person.fills.values() for fill in reversed(fills) if fill.enters}
    return sorted(day for day in orders.values() if window.since <= day <= window.until)


def entries_of(person: Person, window: Window) -> list[Entry]:
    """First entries of the window in what has bars, beside what was known before their session."""
    by_symbol: dict[str, list[Closed]] = {}
    for one in person.all:
        if one.entry_session >= window.since and window.panel.holding(one.symbol):
            by_symbol.setdefault(one.symbol, []).append(one)
    return [entry for symbol in sorted(by_symbol) for entry in _entries_in(symbol, by_symbol[symbol], window)]


def _entries_in(symbol: str, trades: list[Closed], window: Window) -> list[Entry]:
    panel, row = window.panel.holding(symbol)
    start = max(0, window.first - WARM_UP)
    seen = slice(start, window.last + 1)
    high, low, close = (getattr(panel, name)[row, seen] * panel.factor[row, seen] for name in ("high", "low", "close"))
    mean, span, entries = ema(close, EMA), atr(high, low, close, ATR), []
    for one in trades:
        at = window.column(one.entry_session) - start
        if at <= VOLATILITY_WINDOW:
            entries.append(Entry(one.sign, np.nan, np.nan, np.nan, np.nan, np.nan))
            continue
        [ratio] = restatement(one.adjustments, [one.entry_session])
        paid = float(one.entry_price) * ratio * panel.factor[row, start + at]
        before = close[at - VOLATILITY_WINDOW - 1 : at]
        sigma = float((before[1:] / before[:-1] - 1).std(ddof=1))
        entries.append(Entry(one.sign, paid, close[at - 1], mean[at - 1], span[at - 1], sigma))
    return entries
