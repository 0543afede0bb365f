"""Running totals from which the metrics follow, so that judging a session costs the same on the first day and the last.

Sums of money are Decimals; returns are summed as integers of 10^-12 and their squares of 10^-24. Both are exact: the
result depends neither on the order of additions nor on how many there were, and a variance loses no digits. Pure.
"""

import math
from dataclasses import dataclass, replace
from decimal import Decimal

from analytics import stats
from analytics.stats import Metric, Undefined, undefined

UNITS = 10**12
ZERO = Decimal(0)
PLACES = Decimal(1).scaleb(-15)


@dataclass(frozen=True)
class TradeTally:
    """Closed trades. `loss` is the size of all losses, positive; `holding` the sum of sessions held."""

    n: int = 0
    wins: int = 0
    profit: Decimal = ZERO
    loss: Decimal = ZERO
    holding: int = 0

    def plus(self, result: Decimal, sessions: int) -> "TradeTally":
        return replace(
            self,
            n=self.n + 1,
            wins=self.wins + (result > 0),
            profit=self.profit + max(result, ZERO),
            loss=self.loss - min(result, ZERO),
            holding=self.holding + sessions,
        )

    @property
    def win_rate(self) -> Metric:
        return stats.proportion(self.wins, self.n, none=Undefined.NO_TRADES)

    @property
    def profit_factor(self) -> Metric:
        return stats.profit_factor_of(self.profit, self.loss, self.n)

    @property
    def average_holding(self) -> Metric:
        return stats.average_holding_of(self.holding, self.n)

    def dump(self) -> dict:
        return vars(self) | {"profit": str(self.profit), "loss": str(self.loss)}

    @classmethod
    def load(cls, state: dict | None) -> "TradeTally":
        return cls(**(state | {name: Decimal(state[name]) for name in ("profit", "loss")})) if state else cls()


@dataclass(frozen=True)
class ReturnTally:
    """Returns per session: `total` and `squares` in units of 10^-12 and 10^-24. `level` is the compounded value over its
    highest so far (the start included), which cannot outgrow its digits; `deepest` the lowest level − 1.
    """

    n: int = 0
    total: int = 0
    squares: int = 0
    level: Decimal = Decimal(1)
    deepest: Decimal = ZERO

    def plus(self, change: Decimal) -> "ReturnTally":
        """Add the return of one session."""
        units = int((change * UNITS).to_integral_value())
        return replace(self.compounded(change), n=self.n + 1, total=self.total + units, squares=self.squares + units * units)

    def compounded(self, change: Decimal) -> "ReturnTally":
        """Let the value change without counting an observation: a return over several sessions is not one of a session."""
        level = min((self.level * (1 + change)).quantize(PLACES), Decimal(1))
        return replace(self, level=level, deepest=min(self.deepest, level - 1))

    @property
    def deviation(self) -> float:
        """The standard deviation (n − 1) of the returns; needs n ≥ 2."""
        spread = self.n * self.squares - self.total * self.total
        return math.sqrt(spread / (self.n * (self.n - 1))) / UNITS

    @property
    def sharpe(self) -> Metric:
        if self.n < 2:
            return undefined(Undefined.TOO_FEW, self.n)
        return stats.sharpe_ratio_of(self.total / self.n / UNITS, self.deviation, self.n)

    @property
    def max_drawdown(self) -> Metric:
        return stats.observed(float(self.deepest), self.n) if self.n else undefined(Undefined.NO_DATA, 0)

    def dump(self) -> dict:
        """JSON form; integers beyond 2^53 and Decimals as text."""
        return {"n": self.n} | {name: str(getattr(self, name)) for name in ("total", "squares", "level", "deepest")}

    @classmethod
    def load(cls, state: dict | None) -> "ReturnTally":
        if not state:
            return cls()
        decimals = {name: Decimal(state[name]) for name in ("level", "deepest")}
        return cls(state["n"], int(state["total"]), int(state["squares"]), **decimals)


@dataclass(frozen=True)
class ExposureTally:
    """Sum over the sessions of Σ|market value| / equity; `undefined` counts sessions whose equity was not above zero."""

    n: int = 0
    total: Decimal = ZERO
    undefined: int = 0

    def plus(self, gross: Decimal, equity: Decimal) -> "ExposureTally":
        if equity <= 0:
            return replace(self, n=self.n + 1, undefined=self.undefined + 1)
        return replace(self, n=self.n + 1, total=self.total + (gross / equity).quantize(PLACES))

    @property
    def exposure(self) -> Metric:
        if not self.n:
            return undefined(Undefined.NO_DATA, 0)
        return undefined(Undefined.NO_EQUITY, self.n) if self.undefined else stats.observed(self.total / self.n, self.n)

    def dump(self) -> dict:
        return vars(self) | {"total": str(self.total)}

    @classmethod
    def load(cls, state: dict | None) -> "ExposureTally":
        return cls(**(state | {"total": Decimal(state["total"])})) if state else cls()
