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
    """The watches of one symbol: settled ones sorted by boundary, and `fresh` ones with their recorded side. Nothing
    changes at a price p with low <= p < high."""

    __slots__ = ("bounds", "fresh", "high", "last", "low", "row", "watches")

    def __init__(self, row: int):
        self.row = row
        self.last: int | None = None
        self.bounds: list[int] = []
        self.watches: list[Watch] = []
        self.fresh: dict[Hashable, tuple[Watch, bool | None]] = {}
        self.low, self.high = NOWHERE

    def refresh(self) -> None:
        """Find the neighbours of the last price anew; with fresh watches no price is between them."""
        low, high = NOWHERE
        if self.fresh:
            self.low, self.high = high, low
        elif self.last is not None:
            edge = bisect_right(self.bounds, self.last)
            self.low = self.bounds[edge - 1] if edge else low
            self.high = self.bounds[edge] if edge < len(self.bounds) else high

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
        self._low, self._high = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)

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
            if state.row >= len(self._low):
                size = max(64, 2 * len(self._low))
                self._low, self._high = (np.resize(array, size) for array in (self._low, self._high))
            self._low[state.row], self._high[state.row] = NOWHERE
        return state

    def _settle(self, state: _Symbol) -> None:
        state.refresh()
        self._low[state.row], self._high[state.row] = state.low, state.high

    def _cross(self, state: _Symbol, price: int, at: int) -> list[Crossing]:
        crossings = [self._crossing(watch, not watch.reached(price), price, at) for watch in _passed(state, price)]
        fresh = list(state.fresh.values())
        state.fresh = {}
        for watch, was in fresh:
            state.insert(watch)
            if watch.reached(price) is not was:
                crossings.append(self._crossing(watch, was, price, at))
        state.last = price
        for crossing in crossings:
            self._follow(state, crossing)
        self._settle(state)
        return [crossing for crossing in crossings if not _held_back(crossing)]

    def _crossing(self, watch: Watch, was: bool | None, price: int, at: int) -> Crossing:
        beyond = watch.reached(price)
        return Crossing(watch, was, beyond, beyond and was is False and at > watch.since, price, at)

    def _follow(self, state: _Symbol, crossing: Crossing) -> None:
        """A watch that ends with its firing goes; a touch that came too early is looked at again at the next tick."""
        watch = crossing.watch
        if crossing.fires and watch.once:
            state.drop(watch)
            del self._watches[watch.key]
        elif _held_back(crossing):
            state.drop(watch)
            state.fresh[watch.key] = (watch, False)


def _passed(state: _Symbol, price: int) -> list[Watch]:
    """Settled watches whose boundary lies between the last price and this one, in the order in which it is passed."""
    if state.last is None:
        return []
    first, last = bisect_right(state.bounds, state.last), bisect_right(state.bounds, price)
    return state.watches[first:last] if last >= first else state.watches[last:first][::-1]


def _held_back(crossing: Crossing) -> bool:
    return crossing.watch.touch and crossing.was is False and crossing.beyond and not crossing.fires
