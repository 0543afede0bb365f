"""Where the prices come from that plans and alerts wait for: stored bars, or quotes of a live market.

Accounts of a simulated broker live by stored bars (`StoredBars`): when the bar of a new session arrives, its open, its two
extremes and its close become ticks, the extreme nearer to the open's way first: low before high where it closed at its
open or above, else high before low. Accounts of any other broker live by quotes, asked for (`QuotePolling`) or pushed by
a subscription (`QuotePush`).
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import NamedTuple, Protocol

import numpy as np
import pandas as pd
from django.db.models import Count, Max, Sum

from quant_site.core import clock
from quant_site.core.errors import DataMissing
from quant_site.core.types import price
from quant_site.market.models import Instrument
from quant_site.market.sessions import market_is_open, session_close, session_open
from quant_site.market.store import bar_store
from trading.brokers.base import LiveQuote
from trading.intents.alert_firings import Mark
from trading.intents.plan_rules import MICROS, micros
from trading.models import WatchedBar

logger = logging.getLogger(__name__)
SYMBOLS_AT_ONCE, TICKS_AT_ONCE = 100, 10_000
BARS = "bars"


class Tick(NamedTuple):
    """A price in micros, and when it was one."""

    symbol: str
    price: int
    at: datetime


@dataclass
class Ticks:
    """Ticks in the order of their time. `marks` are the bars they came from, recorded together with what they did; changes in
    per cent count from `opening` before the ticks (where a split or dividend moved the last close), from the marks' closes
    after them."""

    ticks: Sequence[Tick]
    marks: dict[str, Mark] = field(default_factory=dict)
    opening: dict[str, Decimal] = field(default_factory=dict)


class TickSource(Protocol):
    """A stream of prices. `follow` names the symbols that are wanted from now on; `read` answers what is new, in parts of
    bounded size, and returns within a second or two."""

    name: str

    def follow(self, symbols: Sequence[str]) -> None: ...

    def read(self) -> Iterator[Ticks]: ...


class StoredBars:
    """The bars of sessions after each symbol's mark, session by session. What was not recorded is read again."""

    name = BARS

    def __init__(self):
        self.symbols: frozenset[str] = frozenset()
        self._seen: tuple | None = None

    def follow(self, symbols: Sequence[str]) -> None:
        self.symbols = frozenset(symbols)

    def read(self) -> Iterator[Ticks]:
        # The sum finds an import that began before the newest one and committed after it.
        stored = Instrument.objects.filter(bars__gt=0).aggregate(Count("pk"), Sum("bars"), Max("last_session"), Max("updated_at"))
        state = (tuple(stored.values()), self.symbols)
        if state == self._seen:
            return
        yield from self._due()
        self._seen = state

    def _due(self) -> Iterator[Ticks]:
        marks = dict(WatchedBar.objects.values_list("symbol", "session"))
        last = Instrument.objects.filter(bars__gt=0).order_by("symbol").values_list("symbol", "last_session")
        due = [symbol for symbol, session in last if symbol in self.symbols and symbol in marks and session > marks[symbol]]
        for first in range(0, len(due), SYMBOLS_AT_ONCE):
            yield from sessions_of({symbol: marks[symbol] for symbol in due[first : first + SYMBOLS_AT_ONCE]})


def sessions_of(marks: dict[str, date]) -> Iterator[Ticks]:
    """The stored bars of each symbol after its mark as ticks, one part a session."""
    bars: dict[date, list[tuple[str, pd.Series, pd.Series]]] = {}
    for symbol, mark in marks.items():
        try:
            frame = bar_store().read(symbol)
        except DataMissing as error:
            logger.error("The prices of %s are not looked at: %s", symbol, error.message)
            continue
        since = int(np.searchsorted(frame["date"].to_numpy(), np.datetime64(mark), side="right"))
        for at in range(max(since, 1), len(frame)):
            bars.setdefault(frame["date"].iloc[at].date(), []).append((symbol, frame.iloc[at - 1], frame.iloc[at]))
    before = dict(marks)
    for session in sorted(bars):
        part = Ticks([])
        for symbol, previous, bar in bars[session]:
            part.ticks += bar_ticks(symbol, session, *(float(bar[name]) for name in ("open", "high", "low", "close")))
            part.marks[symbol] = Mark(before[symbol], session, price(float(bar["close"])))
            part.opening[symbol] = _restated(previous, bar)
            before[symbol] = session
        yield part


def bar_ticks(symbol: str, session: date, open_: float, high: float, low: float, close: float) -> list[Tick]:
    """The four prices of a bar as ticks: its open when the session opens, the others when it closes."""
    path = (low, high) if close >= open_ else (high, low)
    ended = session_close(session)
    rest = [Tick(symbol, _micros(value), ended) for value in (*path, close)]
    return [Tick(symbol, _micros(open_), session_open(session)), *rest]


def _restated(previous: pd.Series, bar: pd.Series) -> Decimal:
    """The previous close in today's shares, less the dividend that today's buyer does not get."""
    factor = (float(previous["adj_close"]) / float(previous["close"])) / (float(bar["adj_close"]) / float(bar["close"]))
    return price(float(previous["close"]) * factor)


def _micros(value: float) -> int:
    return round(value * int(MICROS))


class QuotePolling:
    """Quotes of a live market, one symbol after the other, as many a minute as the budget allows; in regular hours only.

    `quote` asks the broker for a symbol. The last trade counts, where there is none the middle of the market. A quote that
    is no newer than the one before is no tick.
    """

    def __init__(self, name: str, quote: Callable[[str], LiveQuote | None], *, per_minute: int = 60, at_once: int = 5):
        self.name, self._quote, self._per_minute, self._at_once = name, quote, per_minute, at_once
        self._waiting: deque[str] = deque()
        self._latest: dict[str, datetime] = {}
        self._allowance, self._checked = float(at_once), time.monotonic()

    def follow(self, symbols: Sequence[str]) -> None:
        known, wanted = set(self._waiting), set(symbols)
        self._waiting = deque([symbol for symbol in self._waiting if symbol in wanted] + [one for one in symbols if one not in known])

    def read(self) -> Iterator[Ticks]:
        self._refill()
        if not market_is_open(clock.now()):
            return
        ticks = []
        for _ in range(min(int(self._allowance), len(self._waiting))):
            self._allowance -= 1
            symbol = self._waiting[0]
            self._waiting.rotate(-1)
            try:
                ticks += self._tick(symbol, self._quote(symbol))
            except Exception:
                # The market is another's machine: what it does wrong must not end the watch. The next round asks on.
                logger.exception("No quote of %s from %s.", symbol, self.name)
                break
        if ticks:
            yield Ticks(ticks)

    def _refill(self) -> None:
        now = time.monotonic()
        self._allowance = min(self._allowance + (now - self._checked) * self._per_minute / 60, self._at_once)
        self._checked = now

    def _tick(self, symbol: str, quote: LiveQuote | None) -> list[Tick]:
        value = None if quote is None else (quote.last if quote.last is not None else quote.price)
        if value is None or value <= 0 or quote.at <= self._latest.get(symbol, datetime.min.replace(tzinfo=UTC)):
            return []
        self._latest[symbol] = quote.at
        return [Tick(symbol, micros(price(value)), quote.at)]


class QuotePush:
    """Prices that a subscription pushes, from whatever thread: `push` takes them, `read` hands them on. A subscriber that
    pushes more than `most` between two reads loses the oldest."""

    def __init__(self, name: str, *, most: int = 1_000_000, subscribe: Callable[[Sequence[str]], None] = lambda symbols: None):
        self.name, self._subscribe = name, subscribe
        self._pushed: deque[Tick] = deque(maxlen=most)

    def follow(self, symbols: Sequence[str]) -> None:
        self._subscribe(symbols)

    def push(self, symbol: str, value: Decimal, at: datetime) -> None:
        self._pushed.append(Tick(symbol, micros(price(value)), at))

    def read(self) -> Iterator[Ticks]:
        waiting = len(self._pushed)
        while waiting:
            part = min(waiting, TICKS_AT_ONCE)
            yield Ticks([self._pushed.popleft() for _ in range(part)])
            waiting -= part
