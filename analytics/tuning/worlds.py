"""Simulated markets in which it is known whether there is anything to find, run through the optimiser's own code. Pure.

A strategy has two parameters on a grid. Its returns are its own noise and, for each step away from the published set, a little
more: neighbours correlate at about 0.96, as those of real strategies do. In a null world no set has an edge. `skewed` noise has
one day in 500 of −10 standard deviations, its mean still nought.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from analytics.tuning.derisk import Watch
from analytics.tuning.lane import SHARED, Kind, Rules, Seat, review
from analytics.tuning.weights import normalised, prior, week

YEAR, QUARTER, WEEK, MONTH = 252, 63, 5, 21
HISTORY = 756
DAILY, STEP_NOISE = 0.01, 0.3
CRASH, CRASH_ODDS = 10.0, 1 / 500
FARTHEST = 6
BAD = 5.0
WARM_UP, AFTER_FLIP = 70, 126
FAST = Rules(thorough=False)
Set = tuple[int, int]


def drawn(seed: Sequence[int], size: int, skewed: bool) -> np.ndarray:
    """Noise of mean 0, and of variance 1 apart from crashes."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal(size)
    if not skewed:
        return noise
    crashes = rng.random(size) < CRASH_ODDS
    return np.where(crashes, -CRASH, noise) + CRASH * CRASH_ODDS


@dataclass
class World:
    """The evaluator of a world of `strategies` over `HISTORY` sessions and `years` more. `edge` is the yearly Sharpe ratio that
    the difference of one step upwards of the first parameter has, for the first strategy; from session `turns` on such a step loses
    instead, as much as a Sharpe ratio of −`BAD` of the whole."""

    seed: int
    years: int = 5
    strategies: int = 8
    skewed: bool = False
    edge: float = 0.0
    turns: int | None = None
    seen: dict[str, set] = field(default_factory=dict)

    def __post_init__(self):
        self.sessions = HISTORY + self.years * YEAR
        self._series = cache(self._series_of)

    def first(self, strategy: str) -> int:
        return 0

    def neighbours(self, strategy: str, params: Set) -> list[Set]:
        p, q = params
        near = [(p - 1, q), (p + 1, q), (p, q - 1), (p, q + 1)]
        return [each for each in near if max(map(abs, each)) <= FARTHEST]

    def returns(self, strategy: str, sets: Sequence[Set], first: int, last: int, since: int | None = None) -> np.ndarray:
        self.seen.setdefault(strategy, set()).update(sets)
        return np.array([self._series(strategy, each)[first : last + 1] for each in sets])

    def tried(self, strategy: str) -> int:
        return len(self.seen.get(strategy, ()))

    def _series_of(self, strategy: str, params: Set) -> np.ndarray:
        base = drawn((self.seed, int(strategy)), self.sessions, self.skewed)
        return DAILY * (base + STEP_NOISE * sum(self._steps(int(strategy), axis, place) for axis, place in enumerate(params)))

    def _steps(self, strategy: int, axis: int, place: int) -> np.ndarray:
        """What `place` steps on one axis add; both directions are independent."""
        total = np.zeros(self.sessions)
        for number in range(1, abs(place) + 1):
            total += drawn((self.seed, strategy, 1 + axis, int(place > 0), number), self.sessions, self.skewed)
            if self.edge and (strategy, axis) == (0, 0) and place > 0:
                total += self._edge()
        return total

    def _edge(self) -> np.ndarray:
        drift = np.full(self.sessions, self.edge / math.sqrt(YEAR))
        if self.turns is not None:
            drift[self.turns :] = -BAD / math.sqrt(YEAR) / STEP_NOISE
        return drift


def played(world: World, rules: Rules = FAST) -> Iterator[tuple[int, Kind, str]]:
    """Run the optimiser through the world, a review a week and a search a quarter; (session, event, strategy) of each."""
    seats = [Seat(str(number), (0, 0)) for number in range(world.strategies)]
    starts: list[int] = []
    for t in range(HISTORY, world.sessions, WEEK):
        propose = t // QUARTER != (t - WEEK) // QUARTER
        for seat in seats:
            started = sum(start > t - SHARED for start in starts)
            _, event = review(seat, world, t, propose=propose, started=started, seed=world.seed, rules=rules)
            if event is not None:
                starts += [t] if event.kind is Kind.SHADOW else []
                yield t, event.kind, seat.strategy


def naive_changes(world: World) -> int:
    """How often a rule changes parameters that each month takes the best Sharpe ratio of the last 63 sessions among neighbours."""
    changes = 0
    for number in range(world.strategies):
        current: Set = (0, 0)
        for t in range(HISTORY, world.sessions, MONTH):
            sets = [current, *world.neighbours(str(number), current)]
            recent = world.returns(str(number), sets, t - QUARTER + 1, t)
            best = sets[int((recent.mean(axis=1) / recent.std(axis=1)).argmax())]
            changes += best != current
            current = best
    return changes


def flipped_share(seed: int, *, sharpe: float = 2.0, others: float = 2.0, flip: int = 500, strategies: int = 8) -> np.ndarray:
    """What share of the money half of the strategies have, week by week, when they earn `sharpe` a year until session `flip` and
    lose it from then on. The other half earns `others`; where that is negative it turns too, and both change places.

    Weights and de-risking are those of the optimiser. The last `AFTER_FLIP` sessions are those after the flip.
    """
    half, total = strategies // 2, flip + AFTER_FLIP
    drift = np.full((strategies, total), sharpe / math.sqrt(YEAR))
    drift[:half, flip:] *= -1
    drift[half:] = others / math.sqrt(YEAR)
    if others < 0:
        drift[half:, flip:] *= -1
    returns = DAILY * (np.random.default_rng(seed).standard_normal((strategies, total)) + drift)
    weights = np.full(strategies, 1 / strategies)
    belief, watches, shares = None, [Watch()] * strategies, []
    for t in range(flip % WEEK + WEEK, total + 1, WEEK):
        recent = returns[:, t - WEEK : t]
        watches = [_stepped(watch, row) for watch, row in zip(watches, recent, strict=True)]
        if t < WARM_UP:
            continue
        spreads = returns[:, t - WEEK - 60 : t - WEEK].std(axis=1, ddof=1)
        gains = [normalised(row, spread) for row, spread in zip(recent, spreads, strict=True)]
        belief = prior(weights, spreads * weights) if belief is None else belief
        belief, weights = week(weights, belief, gains)
        money = weights * [watch.factor for watch in watches]
        shares.append(float(money[:half].sum() / money.sum()))
    return np.array(shares)


def _stepped(watch: Watch, returns: np.ndarray) -> Watch:
    for change in returns.tolist():
        watch = watch.step(change)
    return watch
