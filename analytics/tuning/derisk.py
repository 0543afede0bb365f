"""Less money, by itself, for what no longer earns what it claimed. Pure.

A CUSUM (Page 1954) on returns over their own volatility, against a drift from the claimed Sharpe ratio to none:
S = max(0, S + c/2 − z), c the claim per session. It alarms at the height at which a strategy that keeps its claim is halved
in error about once in ten years (Siegmund's approximation of the average run length). The mirrored sum, for which the strategy
has to earn its claim, takes the last halving back. Volatility scaling lowers a weight while the strategy's returns move more than
they usually do.
"""

import math
from dataclasses import dataclass, replace
from functools import cache

from scipy.optimize import brentq

RUN_LENGTH = 2520.0
CLAIM_LEAST, CLAIM_MOST, CLAIM_SHARE = 0.5, 2.0, 0.5
CLAIM_AFTER = 252
YEAR = math.sqrt(252)
CLIP = 6.0
DECAY, LONG_DECAY = 0.97, 0.995
WARM_UP = 20
NO_SPREAD = 1e-10
FACTOR, LOWEST_FACTOR = 0.5, 0.25
LEAST_SCALE, SCALE_STEP, SCALE_AFTER = 0.5, 0.1, 60


@dataclass(frozen=True)
class Watch:
    """What is carried from session to session. The variances are exponentially weighted, of a month and of most of a year; `fall`
    and `rise` are the two sums, `claim` the claimed yearly Sharpe ratio (the least there is until a year is known), `factor` what
    of its weight the strategy keeps."""

    n: int = 0
    total: float = 0.0
    squares: float = 0.0
    variance: float = 0.0
    long_variance: float = 0.0
    claim: float = CLAIM_LEAST
    fall: float = 0.0
    rise: float = 0.0
    factor: float = 1.0

    def step(self, change: float) -> "Watch":
        """Add the return of a session."""
        seen = replace(
            self,
            n=self.n + 1,
            total=self.total + change,
            squares=self.squares + change * change,
            variance=self._mixed(self.variance, change, DECAY),
            long_variance=self._mixed(self.long_variance, change, LONG_DECAY),
        )
        if seen.n == CLAIM_AFTER:
            seen = replace(seen, claim=min(max(CLAIM_SHARE * seen.sharpe, CLAIM_LEAST), CLAIM_MOST))
        if self.n < WARM_UP or self.variance < NO_SPREAD**2:
            return seen
        return seen._judged(min(max(change / math.sqrt(self.variance), -CLIP), CLIP))

    @property
    def sharpe(self) -> float:
        """Yearly, of the whole record; 0 where nothing varies."""
        if self.n < 2:
            return 0.0
        spread = self.squares / self.n - (self.total / self.n) ** 2
        return YEAR * self.total / self.n / math.sqrt(spread) if spread > NO_SPREAD**2 else 0.0

    @property
    def scale(self) -> float:
        """What of a weight is left while the last month moves more than the year: the ratio of the volatilities in tenths, a half
        at least."""
        if self.n < SCALE_AFTER or self.variance <= self.long_variance or self.variance < NO_SPREAD**2:
            return 1.0
        tenths = math.floor(math.sqrt(self.long_variance / self.variance) / SCALE_STEP + 1e-9)
        return max(round(tenths * SCALE_STEP, 6), LEAST_SCALE)

    @property
    def height(self) -> float:
        return alarm_height(self.claim)

    def dump(self) -> dict:
        return dict(vars(self))

    def _mixed(self, variance: float, change: float, decay: float) -> float:
        weight = max(1 - decay, 1 / (self.n + 1))
        return (1 - weight) * variance + weight * change * change

    def _judged(self, z: float) -> "Watch":
        drift, height = self.claim / YEAR / 2, self.height
        fall = max(0.0, self.fall + drift - z)
        rise = max(0.0, self.rise + z - drift) if self.factor < 1 else 0.0
        if fall >= height:
            return replace(self, fall=0.0, rise=0.0, factor=max(self.factor * FACTOR, LOWEST_FACTOR))
        if rise >= height:
            return replace(self, fall=0.0, rise=0.0, factor=min(self.factor / FACTOR, 1.0))
        return replace(self, fall=fall, rise=rise)


@cache
def alarm_height(claim: float) -> float:
    """The height h at which the run length under the claim (yearly Sharpe ratio) is `RUN_LENGTH` sessions: Siegmund (1985),
    (e^{2δb} − 1 − 2δb)/(2δ²) with δ half the claim per session and b = h + 1.166."""
    drift = claim / YEAR / 2
    goal = RUN_LENGTH * 2 * drift * drift
    exponent = brentq(lambda x: math.expm1(x) - x - goal, 1e-9, 50.0)
    return exponent / (2 * drift) - 1.166
