"""Rules: what a strategy of single symbols decides, as arrays that a compiled account can trade without asking again.

A rule strategy enters a symbol on the side that its scan says, adds to it at fixed distances, and leaves at a stop, on a
flag of its scan or after a time. The scan is the one that its live decisions take their features from; what it answers
for session t depends on sessions ≤ t only.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from quant_site.market.panel import Panel
from strategies.base import Strategy, StrategyParams


@dataclass(frozen=True, eq=False)
class Rules:
    """The rules of S parameter sets over a panel of N symbols and T sessions.

    `scan(*market, *sets, entry, leave, score)` is compiled and fills, for the sets whose rows of `sets` (each (S,)) it
    is given:

    - `entry` (S, N, T) int8: side of an entry at the close (1 long, −1 short, 0 none) times the system, 1 or 2;
    - `leave` (S, N, T) uint8: what is closed there, by the bits of `strategies.library.kernels`;
    - `score` (2, S, N, T) float64: of a long and a short entry, comparable within the strategy; only where symbols
      compete, else it is empty.

    `unit` (U, N, T) are raw distances, six decimals, of which set s has `unit[unit_of[s]]`: its stop lies `stop` units
    from the close, a unit is added when the close is first `add` units beyond the last entry, up to `most` units of one
    trade. Without stops `stop` is NaN. `holding` sessions end a trade, 0 is without limit; `warm_up` are the bars of a
    symbol without which nothing is opened. These are (S,).
    """

    scan: Callable[..., None]
    market: tuple[np.ndarray, ...]
    sets: tuple[np.ndarray, ...]
    unit: np.ndarray
    unit_of: np.ndarray
    stop: np.ndarray
    add: np.ndarray
    most: np.ndarray
    holding: np.ndarray
    warm_up: np.ndarray

    def __post_init__(self):
        # Compiled code is made for one layout of arrays, not for each that comes along.
        object.__setattr__(self, "market", tuple(map(np.ascontiguousarray, self.market)))

    def fill(self, sets: slice, entry: np.ndarray, leave: np.ndarray, score: np.ndarray) -> None:
        """The decisions of some of the sets into arrays of their size."""
        self.scan(*self.market, *(values[sets] for values in self.sets), entry, leave, score)

    def numbers(self, sets: slice) -> tuple[np.ndarray, ...]:
        """What beside the decisions the account needs of some of the sets."""
        each = (self.unit_of, self.stop, self.add, self.most, self.holding, self.warm_up)
        return self.unit, *(values[sets] for values in each)


class RuleStrategy(Strategy):
    """A strategy whose decisions are rules too. Its `decide` and its `rules` propose the same."""

    @abstractmethod
    def rules(self, panel: Panel, sets: Sequence[StrategyParams]) -> Rules:
        """The rules of each of `sets`, what they share computed once."""


def column(sets: Sequence[StrategyParams], name: str, dtype: type = float) -> np.ndarray:
    """(S,) one parameter of each set."""
    return np.array([getattr(params, name) for params in sets], dtype)


def shared(compute: Callable[[int], tuple[np.ndarray, ...]], *keys: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Indicators of every window that occurs in `keys` (each (S,)), computed once each.

    Answers, for each array (N, T) of `compute(window)`, one of shape (W, N, T), and for each of `keys` the index of its
    windows in it.
    """
    windows, index = np.unique(np.concatenate(keys), return_inverse=True)
    found = [compute(int(window)) for window in windows]
    stacked = [np.stack(arrays) for arrays in zip(*found, strict=True)]
    return stacked, np.split(index, len(keys))


def without_units(sets: Sequence[StrategyParams]) -> dict[str, np.ndarray]:
    """What a strategy without stops and additions says of its units."""
    count = len(sets)
    return {
        "unit": np.empty((0, 0, 0)),
        "unit_of": np.zeros(count, np.int64),
        "stop": np.full(count, np.nan),
        "add": np.full(count, np.nan),
        "most": np.ones(count, np.int64),
    }
