"""Whether the best of several candidates may stand against the parameters in force at all.

What counts is the difference from what is in force, the candidate's volatility brought to the champion's: a candidate of a
good strategy is good, that does not make it better. Four questions, each with its number:

- Is any candidate better than the champion, all that were looked at together considered? Hansen's (2005) test of superior
  predictive ability, p below 5 %; or the deflated Sharpe ratio of the difference above 95 % at the number of sets that were
  ever tried for the strategy.
- Would the choice have held in the other half of the sessions? The probability of backtest overfitting below 20 %.
- Is it a plateau? The median Sharpe ratio of the sets one step around the candidate is at least 80 % of its own.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum

import numpy as np
from arch.bootstrap import SPA

from analytics.stats import deflated_sharpe_ratio
from analytics.tuning.cscv import probability_of_overfitting

SIGNIFICANT, DEFLATED, OVERFIT, PLATEAU = 0.05, 0.95, 0.20, 0.80
REPETITIONS, BLOCK = 500, 10
YEAR = 252**0.5
NO_SPREAD = 1e-12


class Refusal(StrEnum):
    NOT_BETTER = "NOT_BETTER"
    NOT_SIGNIFICANT = "NOT_SIGNIFICANT"
    OVERFIT = "OVERFIT"
    NO_PLATEAU = "NO_PLATEAU"


@dataclass(frozen=True)
class Gate:
    """`best` is the candidate's row; Sharpe ratios are per year. A number that is None could not be computed."""

    best: int
    refusals: tuple[Refusal, ...]
    spa_p: float | None
    dsr: float | None
    pbo: float | None
    plateau: float | None
    trials: int
    sets: int
    sessions: int
    champion_sharpe: float | None
    challenger_sharpe: float | None

    @property
    def passed(self) -> bool:
        return not self.refusals

    def as_dict(self) -> dict:
        """JSON form, numbers to six places."""
        plain = asdict(self) | {"refusals": [str(each) for each in self.refusals]}
        del plain["best"]
        return {name: round(value, 6) if isinstance(value, float) else value for name, value in plain.items()}


def gate(
    champion: np.ndarray,
    candidates: np.ndarray,
    around: Callable[[int], np.ndarray],
    *,
    tried: Callable[[], int],
    seed: int,
    thorough: bool = True,
) -> Gate:
    """Judge `candidates` (N, T) beside `champion` (T,), daily returns. `around` answers the returns (M, T) of the sets one step
    around a candidate; `tried`, asked after that, how many sets were ever tried. Not `thorough` the slow test of superior ability is left
    out where the verdict stands without it."""
    gaps = matched(champion, candidates) - champion
    ratios = sharpes(gaps)
    best = int(ratios.argmax())
    near = around(best)
    at_best = float(sharpes(candidates)[best])
    trials = max(tried(), len(candidates))
    pbo = probability_of_overfitting(np.vstack([champion, champion + gaps])).value
    plateau = None if at_best <= 0 or not len(near) else float(np.median(sharpes(near))) / at_best
    refusals = [
        *([Refusal.NOT_BETTER] if ratios[best] <= 0 else []),
        *([Refusal.OVERFIT] if pbo is None or pbo >= OVERFIT else []),
        *([Refusal.NO_PLATEAU] if plateau is None or plateau < PLATEAU else []),
    ]
    dsr = _deflated(gaps[best], ratios, trials)
    spa_p = _superior(champion, champion + gaps, seed) if thorough or not refusals else None
    if not (spa_p is not None and spa_p < SIGNIFICANT) and not (dsr is not None and dsr > DEFLATED):
        refusals.append(Refusal.NOT_SIGNIFICANT)
    return Gate(
        best=best,
        refusals=tuple(refusals),
        spa_p=spa_p,
        dsr=dsr,
        pbo=pbo,
        plateau=plateau,
        trials=trials,
        sets=1 + len(candidates) + len(near),
        sessions=champion.size,
        champion_sharpe=float(sharpes(champion[None])[0]) * YEAR,
        challenger_sharpe=at_best * YEAR,
    )


def matched(champion: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """`candidates` (N, T) at the champion's volatility; as they are where one of both has none."""
    own, theirs = champion.std(), candidates.std(axis=1)
    ratio = np.where((theirs > NO_SPREAD) & (own > NO_SPREAD), own / np.maximum(theirs, NO_SPREAD), 1.0)
    return candidates * ratio[:, None]


def sharpes(returns: np.ndarray) -> np.ndarray:
    """Per session, of each row; 0 where nothing varies."""
    spread = returns.std(axis=1, ddof=1)
    return np.where(spread > NO_SPREAD, returns.mean(axis=1) / np.maximum(spread, NO_SPREAD), 0.0)


def _superior(champion: np.ndarray, candidates: np.ndarray, seed: int) -> float | None:
    """Hansen's consistent p-value; losses are negative returns. Candidates that are the champion say nothing."""
    other = candidates[np.abs(candidates - champion).max(axis=1) > NO_SPREAD]
    if not len(other):
        return None
    test = SPA(-champion, -other.T, block_size=BLOCK, reps=REPETITIONS, seed=seed)
    test.compute()
    return float(test.pvalues["consistent"])


def _deflated(gap: np.ndarray, ratios: np.ndarray, trials: int) -> float | None:
    variance = float(ratios.var(ddof=1)) if ratios.size > 1 else 0.0
    return deflated_sharpe_ratio(gap, trials, variance).value
