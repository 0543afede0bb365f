"""Watched prices in memory: which of many thresholds does a tick cross? Pure: no Django, no database, no clock.

Prices are integers (micros), so that they compare exactly. Every watch is one boundary: a price at or above it is on its
high side, one below it on its low side. The boundaries of a symbol are kept sorted, and between two ticks only those
between the old and the new price change sides. A tick that stays between its neighbours costs two comparisons.

What a watch does not know from a tick it knows from its record (`beyond`): a new watch is compared with that at the next
tick of its symbol, so a crossing while nobody looked is found then, once.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

NOWHERE = -(2**62), 2**62


@dataclass(frozen=True, slots=True)
class Watch:
    """A threshold: reached at `level` and above where `above`, else at `level` and below.

    It fires when the price comes from the other side at a tick later than `since`; an older tick changes its side quietly.
    A `touch` needs no other side: it fires at the first tick after `since` that reaches it. `once` ends with the firing.
    """

    key: Hashable
    symbol: str
    level: int
    above: bool
    since: int = -1
    once: bool = False
    touch: bool = False

    @property
    def bound(self) -> int:
        """The lowest price on the high side."""
        return self.level if self.above else self.level + 1

    def reached(self, price: int) -> bool:
        return price >= self.level if self.above else price <= self.level


class Crossing(NamedTuple):
    """A watch that changed sides: `was` is its side before (None: unknown), `beyond` whether the price has reached it now."""

    watch: Watch
    was: bool | None
    beyond: bool
    fires: bool
    price: int
    at: int


class _Symbol:
    """The watches of one symbol: settled ones sorted by boundary, `edge` of them at or below the last price, and `fresh` ones
    with their recorded side. Nothing changes at a price p with low <= p < high; with fresh watches there is none."""

    __slots__ = ("bounds", "edge", "fresh", "high", "last", "low", "row", "watches")

    def __init__(self, row: int):
        self.row = row
        self.last: int | None = None
        self.edge = 0
        self.bounds: list[int] = []
        self.watches: list[Watch] = []
        self.fresh: dict[Hashable, tuple[Watch, bool | None]] = {}
        self.low, self.high = NOWHERE

    def refresh(self) -> None:
        """Find the neighbours of the last price anew."""
        low, high = NOWHERE
        bounds = self.bounds
        self.edge = edge = 0 if self.last is None else bisect_right(bounds, self.last)
        self.low = bounds[edge - 1] if edge else low
        self.high = bounds[edge] if edge < len(bounds) else high
        if self.fresh:
            self.low, self.high = high, low

    def insert(self, watch: Watch) -> None:
        at = bisect_right(self.bounds, watch.bound)
        self.bounds.insert(at, watch.bound)
        self.watches.insert(at, watch)

    def drop(self, watch: Watch) -> None:
        at = bisect_left(self.bounds, watch.bound)
        while self.watches[at] is not watch:
            at += 1
        del self.bounds[at], self.watches[at]


class AlertBook:
    """All watches of one stream of ticks, by key. Ticks of a symbol come in the order of their time."""

    def __init__(self):
        self._watches: dict[Hashable, Watch] = {}
        self._symbols: dict[str, _Symbol] = {}
        self._states: list[_Symbol] = []
        # The neighbours of every symbol's price as arrays, but for the rows that have changed since the last batch.
        self._low, self._high = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        self._changed: set[int] = set()

    def __len__(self) -> int:
        return len(self._watches)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._watches

    def __getitem__(self, key: Hashable) -> Watch:
        return self._watches[key]

    def symbols(self) -> list[str]:
        """Symbols that are watched now, sorted."""
        return sorted(name for name, state in self._symbols.items() if state.watches or state.fresh)

    def add(self, watch: Watch, *, beyond: bool | None = None) -> None:
        """Watch from the next tick on; `beyond` is the side on record. A watch with the same key is replaced."""
        self.remove(watch.key)
        self._watches[watch.key] = watch
        state = self._state(watch.symbol)
        state.fresh[watch.key] = (watch, beyond)
        self._settle(state)

    def remove(self, key: Hashable) -> None:
        """Watch no longer; a key that is not there changes nothing."""
        watch = self._watches.pop(key, None)
        if watch is None:
            return
        state = self._symbols[watch.symbol]
        if state.fresh.pop(key, None) is None:
            state.drop(watch)
        self._settle(state)

    def beyond(self, key: Hashable) -> bool | None:
        """The side a watch is on: as the last tick left it, else as it was recorded."""
        watch = self._watches[key]
        state = self._symbols[watch.symbol]
        return state.fresh[key][1] if key in state.fresh else watch.reached(state.last)

    def tick(self, symbol: str, price: int, at: int = 0) -> Sequence[Crossing]:
        """What the price of `symbol` at time `at` changes: settled watches in the order in which the price passes them, then
        fresh ones in the order in which they were added."""
        state = self._symbols.get(symbol)
        if state is None or state.low <= price < state.high:
            return ()
        return self._cross(state, price, at)

    def rows(self, symbols: Iterable[str]) -> np.ndarray:
        """Row numbers for `match`, int64. A symbol keeps its number for the life of the book."""
        return np.array([self._state(symbol).row for symbol in symbols], dtype=np.int64)

    def match(self, rows: np.ndarray, prices: np.ndarray, at: np.ndarray) -> list[tuple[int, Crossing]]:
        """The same for a batch of ticks (arrays of equal length, int64): (number of the tick, crossing), in their order.

        Symbols of which no tick leaves its neighbours are done in a handful of array operations; the others go one by one.
        """
        self._refresh_arrays()
        moved = np.zeros(len(self._states), dtype=bool)
        moved[rows[(prices < self._low[rows]) | (prices >= self._high[rows])]] = True
        crossings, states, cross = [], self._states, self._cross
        numbers = np.flatnonzero(moved[rows])
        ticks = zip(numbers.tolist(), rows[numbers].tolist(), prices[numbers].tolist(), at[numbers].tolist(), strict=True)
        for number, row, price, time in ticks:
            state = states[row]
            if not state.low <= price < state.high:
                crossings += [(number, crossing) for crossing in cross(state, price, time)]
        return crossings

    # --- the parts

    def _state(self, symbol: str) -> _Symbol:
        state = self._symbols.get(symbol)
        if state is None:
            state = self._symbols[symbol] = _Symbol(len(self._states))
            self._states.append(state)
            self._changed.add(state.row)
        return state

    def _settle(self, state: _Symbol) -> None:
        state.refresh()
        self._changed.add(state.row)

    def _refresh_arrays(self) -> None:
        if len(self._low) < len(self._states):
            self._low, self._high = (np.resize(array, 2 * len(self._states)) for array in (self._low, self._high))
        if self._changed:
            rows = list(self._changed)
            self._low[rows] = [self._states[row].low for row in rows]
            self._high[rows] = [self._states[row].high for row in rows]
            self._changed.clear()

    def _cross(self, state: _Symbol, price: int, at: int) -> list[Crossing]:
        crossings = _passed(state, price, at)
        state.last = price
        leaving = [crossing for crossing in crossings if crossing.watch.once or crossing.watch.touch]
        if state.fresh:
            found = _found(state, price, at)
            crossings += found
            leaving += found
        for crossing in leaving:
            self._leave(state, crossing)
        self._settle(state)
        return [crossing for crossing in crossings if not _held_back(crossing)] if leaving else crossings

    def _leave(self, state: _Symbol, crossing: Crossing) -> None:
        """A watch that ends with its firing goes; a touch that came too early is looked at again at the next tick."""
        watch = crossing.watch
        if crossing.fires and watch.once:
            state.drop(watch)
            del self._watches[watch.key]
        elif _held_back(crossing):
            state.drop(watch)
            state.fresh[watch.key] = (watch, False)


def _passed(state: _Symbol, price: int, at: int) -> list[Crossing]:
    """Settled watches whose boundary lies between the last price and this one, in the order in which it is passed."""
    before, after = state.edge, bisect_right(state.bounds, price)
    rises = after > before
    watches = state.watches[before:after] if rises else state.watches[after:before][::-1]
    return [
        Crossing(watch, watch.above is not rises, watch.above is rises, watch.above is rises and at > watch.since, price, at)
        for watch in watches
    ]


def _found(state: _Symbol, price: int, at: int) -> list[Crossing]:
    """Settle the fresh watches, and answer those that are not on the side that was recorded."""
    fresh, state.fresh = list(state.fresh.values()), {}
    found = []
    for watch, was in fresh:
        state.insert(watch)
        beyond = watch.reached(price)
        if beyond is not was:
            found.append(Crossing(watch, was, beyond, beyond and was is False and at > watch.since, price, at))
    return found


def _held_back(crossing: Crossing) -> bool:
    return crossing.watch.touch and crossing.was is False and crossing.beyond and not crossing.fires
