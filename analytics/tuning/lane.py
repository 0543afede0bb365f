"""Parameters of all strategies of an account, each with one challenger at most: proposed, in shadow, in force, taken back. Pure.

A review looks at one strategy at the end of a week. What it needs of the market it asks an `Evaluator` for: a backtest of
stored bars in the loop, drawn numbers in a simulated world. Sessions are counted from 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import numpy as np

from analytics.tuning.duel import ALPHA, Duel, Verdict, drawdown_bound
from analytics.tuning.gate import Gate, gate, matched
from analytics.tuning.holdout import Holdout

HOLDOUT = 126
FEWEST, MOST = 504, 1260
# Challengers that were started within so many sessions share the level at which a change is false.
SHARED = 1260
BASIS_POINTS = 1e4
Params = object


class Kind(StrEnum):
    REFUSED = "REFUSED"
    SHADOW = "SHADOW"
    PROMOTED = "PROMOTED"
    DROPPED = "DROPPED"
    CONFIRMED = "CONFIRMED"
    ROLLED_BACK = "ROLLED_BACK"


class Evaluator(Protocol):
    """The market as a search sees it. Sets of parameters are opaque here."""

    def first(self, strategy: str) -> int:
        """The first session for which the strategy can be played."""

    def returns(self, strategy: str, sets: Sequence[Params], first: int, last: int, since: int | None = None) -> np.ndarray:
        """(sets, last − first + 1): daily returns with modelled costs, of accounts that were opened at `since` (`first`)."""

    def neighbours(self, strategy: str, params: Params) -> list[Params]:
        """Sets one step away."""

    def tried(self, strategy: str) -> int:
        """How many sets were ever evaluated for the strategy."""


@dataclass(frozen=True)
class Day:
    """One session of a duel; `evidence` after it."""

    t: int
    in_force: float
    other: float
    evidence: float


@dataclass
class Seat:
    """One strategy: `params` are in force, `other` stands against them while there is a `duel`, which began after the session
    `began` and has seen those up to `seen`. `spent` is the last session that a holdout has used."""

    strategy: str
    params: Params
    other: Params = None
    duel: Duel | None = None
    began: int = -1
    seen: int = -1
    spent: int | None = None


@dataclass(frozen=True)
class Rules:
    """How a review decides. Not `gated` the best neighbour always becomes a challenger, which tests the evidence alone; not
    `thorough` numbers that change no verdict are left out."""

    gated: bool = True
    thorough: bool = True


@dataclass(frozen=True)
class Event:
    """What a review decided. `challenger` is the set that `kind` is about, `evidence` its numbers, JSON-ready."""

    kind: Kind
    strategy: str
    challenger: Params
    evidence: dict = field(default_factory=dict)


USUAL = Rules()


def review(
    seat: Seat, evaluator: Evaluator, t: int, *, propose: bool, started: int, seed: int, rules: Rules = USUAL
) -> tuple[list[Day], Event | None]:
    """Look at one strategy after session `t`; moves `seat` on, and answers the sessions of its duel since and what was decided.

    With `propose` a strategy without a duel may get a challenger. `started` counts the challengers of the account within the
    last `SHARED` sessions: this one would be one more.
    """
    if seat.duel is not None:
        return _go_on(seat, evaluator, t, seed)
    return [], _propose(seat, evaluator, t, started, seed, rules) if propose else None


def _go_on(seat: Seat, evaluator: Evaluator, t: int, seed: int) -> tuple[list[Day], Event | None]:
    days, pair = [], np.empty((2, 0))
    if t > seat.seen:
        pair = evaluator.returns(seat.strategy, [seat.params, seat.other], seat.seen + 1, t, since=seat.began + 1)
    for own, other in pair.T.tolist():
        seat.duel, seat.seen = seat.duel.step(own, other), seat.seen + 1
        days.append(Day(seat.seen, own, other, seat.duel.evidence))
        if seat.duel.verdict is not None:
            break
    verdict = seat.duel.verdict
    return days, None if verdict is None else _end(seat, evaluator, t, verdict, seed)


def _end(seat: Seat, evaluator: Evaluator, t: int, verdict: Verdict, seed: int) -> Event:
    duel, strategy, other = seat.duel, seat.strategy, seat.other
    numbers = {"evidence": round(duel.evidence, 6), "threshold": round(duel.threshold, 6), "sessions": duel.sessions}
    if verdict is Verdict.PROMOTED:
        record = evaluator.returns(strategy, [other], max(evaluator.first(strategy), t - MOST + 1), t)[0]
        bound = drawdown_bound(record, seed)
        seat.params, seat.other, seat.duel = other, seat.params, duel.promoted(bound)
        seat.began = seat.seen = t
        return Event(Kind.PROMOTED, strategy, other, numbers | {"bound": None if bound is None else round(bound, 6)})
    seat.duel = seat.other = None
    if verdict is Verdict.DROPPED:
        return Event(Kind.DROPPED, strategy, other, numbers)
    numbers |= {"drawdown": round(duel.drawdown, 6), "bound": None if duel.bound is None else round(duel.bound, 6)}
    challenger = seat.params
    if verdict is Verdict.CONFIRMED:
        return Event(Kind.CONFIRMED, strategy, challenger, numbers)
    seat.params = other
    return Event(Kind.ROLLED_BACK, strategy, challenger, numbers | {"why": str(verdict)})


def _propose(seat: Seat, evaluator: Evaluator, t: int, started: int, seed: int, rules: Rules) -> Event | None:
    last = t - HOLDOUT
    first = max(evaluator.first(seat.strategy), last - MOST + 1)
    if last - first + 1 < FEWEST or (seat.spent is not None and last < seat.spent):
        return None
    sets = evaluator.neighbours(seat.strategy, seat.params)
    if not sets:
        return None
    history = evaluator.returns(seat.strategy, [seat.params, *sets], first, last)

    def around(row: int) -> np.ndarray:
        near = evaluator.neighbours(seat.strategy, sets[row])
        return evaluator.returns(seat.strategy, near, first, last)

    judged = gate(history[0], history[1:], around, tried=lambda: evaluator.tried(seat.strategy), seed=seed, thorough=rules.thorough)
    best, numbers = sets[judged.best], judged.as_dict() | {"first": first, "last": last}
    if rules.gated and not judged.passed:
        return Event(Kind.REFUSED, seat.strategy, best, numbers)
    numbers["holdout"] = _confirm(seat, evaluator, best, last, t)
    if rules.gated and not numbers["holdout"]["passed"]:
        return Event(Kind.REFUSED, seat.strategy, best, numbers)
    threshold = (started + 1) / ALPHA
    seat.other, seat.duel = best, Duel(threshold)
    seat.began = seat.seen = t
    return Event(Kind.SHADOW, seat.strategy, best, numbers | {"threshold": threshold})


def _confirm(seat: Seat, evaluator: Evaluator, best: Params, last: int, t: int) -> dict:
    """Spend the sessions that the search did not see on one question: is the candidate ahead there too?"""
    holdout = Holdout(lambda: evaluator.returns(seat.strategy, [seat.params, best], last + 1, t))
    gap = holdout.confirm(lambda pair: float((matched(pair[0], pair[1:])[0] - pair[0]).mean()))
    seat.spent = t
    return {"first": last + 1, "last": t, "difference_bps": round(gap * BASIS_POINTS, 4), "passed": gap > 0}


__all__ = ["ALPHA", "HOLDOUT", "Day", "Evaluator", "Event", "Gate", "Kind", "Seat", "review"]
