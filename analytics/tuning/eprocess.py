"""A test that may be looked at every day: evidence that one series of returns has a higher mean than another.

An e-process after Waudby-Smith and Ramdas (2024, "Estimating means of bounded random variables by betting") and Ville
(1939): wealth that bets on the difference. Where the difference has no positive mean, the wealth exceeds 1/α ever with
probability α at most, whenever and however often one looks. A bet of the share λ multiplies by 1 + λ·z, where z is the
difference over its own volatility until the session before, clipped to [−9.5, 4]: no loss can take more than is there.
Several λ share the stake. Because an edge may begin late, a new bettor starts every 63 sessions with the share
1/((j + 1)(j + 2)) of the whole, and what is not at stake yet keeps its value.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

LOWEST, HIGHEST = -9.5, 4.0
STAKES = (0.03, 0.06, 0.10)
RESTART = 63
# Sessions before the first bet, from which the volatilities are known.
WARM_UP = 20
DECAY = 0.97
NO_SPREAD = 1e-10
LARGEST_RATIO = 3.0


@dataclass(frozen=True)
class EProcess:
    """`bets` counts sessions with a bet; `wealth` are the logarithms by bettor and stake; the variances are exponentially
    weighted, of the champion's returns, the challenger's and their difference, after `n` sessions."""

    n: int = 0
    bets: int = 0
    champion: float = 0.0
    challenger: float = 0.0
    difference: float = 0.0
    wealth: tuple[tuple[float, ...], ...] = ()

    def step(self, champion: float, challenger: float) -> "EProcess":
        """Add the returns of one session. The challenger's are brought to the champion's volatility first: more risk is no edge."""
        gap = challenger * self.ratio - champion
        seen = replace(
            self,
            n=self.n + 1,
            champion=self._mixed(self.champion, champion),
            challenger=self._mixed(self.challenger, challenger),
            difference=self._mixed(self.difference, gap),
        )
        if self.n < WARM_UP or self.difference < NO_SPREAD**2:
            return seen
        return replace(seen, bets=self.bets + 1, wealth=self._bet(gap / math.sqrt(self.difference)))

    def steps(self, champion: Iterable[float], challenger: Iterable[float]) -> "EProcess":
        process = self
        for own, other in zip(champion, challenger, strict=True):
            process = process.step(own, other)
        return process

    @property
    def ratio(self) -> float:
        """By what the challenger's returns are multiplied: the champion's volatility over its own, until the last session."""
        if self.n < WARM_UP or min(self.champion, self.challenger) < NO_SPREAD**2:
            return 1.0
        return min(max(math.sqrt(self.champion / self.challenger), 1 / LARGEST_RATIO), LARGEST_RATIO)

    @property
    def value(self) -> float:
        """The evidence E: 1 at the start; at 1/α the mean of the difference is above zero at the level α."""
        idle = 1.0
        total = 0.0
        for number, logs in enumerate(self.wealth):
            share = 1 / ((number + 1) * (number + 2))
            total += share * math.fsum(math.exp(log) for log in logs) / len(logs)
            idle -= share
        return total + idle

    def dump(self) -> dict:
        return vars(self) | {"wealth": [list(logs) for logs in self.wealth]}

    @classmethod
    def load(cls, state: dict) -> "EProcess":
        return cls(**(state | {"wealth": tuple(tuple(logs) for logs in state["wealth"])}))

    def _mixed(self, variance: float, value: float) -> float:
        """The plain mean of squares while there are few, exponentially weighted from then on."""
        weight = max(1 - DECAY, 1 / (self.n + 1))
        return (1 - weight) * variance + weight * value * value

    def _bet(self, gap: float) -> tuple[tuple[float, ...], ...]:
        z = min(max(gap, LOWEST), HIGHEST)
        bettors = (*self.wealth, (0.0,) * len(STAKES)) if self.bets % RESTART == 0 else self.wealth
        gains = [math.log1p(stake * z) for stake in STAKES]
        return tuple(tuple(log + gain for log, gain in zip(logs, gains, strict=True)) for logs in bettors)
