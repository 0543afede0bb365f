"""A challenger beside the parameters in force: in shadow until the evidence suffices, then in force on probation. Pure.

In shadow both are played on the same sessions with modelled costs. Promotion needs 60 sessions and evidence of the threshold.
For 126 sessions after it the old parameters stay in shadow: evidence that they are the better ones, or a drawdown beyond what
the record of the new ones would show in one of twenty such stretches, takes the change back.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
from arch.bootstrap import StationaryBootstrap

from analytics.tuning.eprocess import EProcess

ALPHA = 0.05
SHADOW_LEAST, SHADOW_MOST, PROBATION = 60, 756, 126
REPETITIONS, BLOCK = 500, 20


class Verdict(StrEnum):
    PROMOTED = "PROMOTED"
    DROPPED = "DROPPED"
    CONFIRMED = "CONFIRMED"
    REVERSED = "REVERSED"
    DRAWDOWN = "DRAWDOWN"


@dataclass(frozen=True)
class Duel:
    """`process` collects evidence against what is in force. On probation `level` and `peak` are the value of one unit of what is
    in force since the promotion, and `bound` the deepest drawdown that is no alarm."""

    threshold: float
    process: EProcess = field(default_factory=EProcess)
    sessions: int = 0
    on_probation: bool = False
    level: float = 1.0
    peak: float = 1.0
    bound: float | None = None

    def step(self, in_force: float, other: float) -> "Duel":
        """Add one session: the return of what is in force, and of what stands against it."""
        level = self.level * (1 + in_force)
        moved = {"level": level, "peak": max(self.peak, level)} if self.on_probation else {}
        return replace(self, process=self.process.step(in_force, other), sessions=self.sessions + 1, **moved)

    @property
    def evidence(self) -> float:
        return self.process.value

    @property
    def drawdown(self) -> float:
        """≥ 0."""
        return 1 - self.level / self.peak

    @property
    def verdict(self) -> Verdict | None:
        if not self.on_probation:
            if self.sessions >= SHADOW_LEAST and self.evidence >= self.threshold:
                return Verdict.PROMOTED
            return Verdict.DROPPED if self.sessions >= SHADOW_MOST else None
        if self.evidence >= self.threshold:
            return Verdict.REVERSED
        if self.bound is not None and self.drawdown > self.bound:
            return Verdict.DRAWDOWN
        return Verdict.CONFIRMED if self.sessions >= PROBATION else None

    def promoted(self, bound: float | None) -> "Duel":
        """The duel on probation: the old parameters are the challenger now, and have no evidence yet."""
        seen = self.process
        turned = EProcess(n=seen.n, champion=seen.challenger, challenger=seen.champion, difference=seen.difference)
        return Duel(threshold=1 / ALPHA, process=turned, on_probation=True, bound=bound)

    def dump(self) -> dict:
        return vars(self) | {"process": self.process.dump()}

    @classmethod
    def load(cls, state: dict) -> "Duel":
        return cls(**(state | {"process": EProcess.load(state["process"])}))


def drawdown_bound(returns: np.ndarray, seed: int, sessions: int = PROBATION, confidence: float = 0.95) -> float | None:
    """The drawdown that `sessions` of daily `returns` like these stay within at `confidence`: the quantile over 500 stationary
    bootstraps (Politis and Romano 1994) with blocks of 20 on average. None for a record shorter than that."""
    if returns.size < sessions:
        return None
    paths = StationaryBootstrap(BLOCK, returns, seed=seed).bootstrap(REPETITIONS)
    depths = [_deepest(sample[0][:sessions]) for sample, _ in paths]
    return float(np.quantile(depths, confidence))


def _deepest(returns: np.ndarray) -> float:
    levels = np.cumprod(np.concatenate([[1.0], 1 + returns]))
    return float((1 - levels / np.maximum.accumulate(levels)).max())
