"""How much of the equity the record would bear: Kelly's fractions (1956), halved at least and shrunk for what was estimated. Pure.

Of strategies f = κ·s·Σ̂⁻¹μ̂ (Thorp 2006), of trades f = κ·(p − (1 − p)/b). Both μ̂ and p are taken with the doubt that belongs to
them: s takes off what n strategies without any edge would show, p is the lower Wilson bound. Fractions are of equity and
may add up to more than 1; the limits of the account bound them afterwards. A fraction that is not above zero is 0, a size.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from analytics.stats import (
    CONFIDENCE,
    FEWEST_TO_ANNUALISE,
    LARGEST_KELLY_SHARE,
    NO_SPREAD,
    Metric,
    Undefined,
    observations,
    observed,
    proportion,
    undefined,
)
from quant_site.core.errors import InvalidInput


@dataclass(frozen=True)
class KellyAnswer:
    """`fractions`, one per strategy, and what they were made of; `n` of each counts sessions.

    `unfloored` is κ·s·Σ̂⁻¹μ̂ where some may be short, `s` the share of the evidence that is not luck (0 to 1), `sharpe` SR̂ per
    session of the best mix of all strategies, `shrinkage` Ledoit and Wolf's (0 to 1), `kelly_share` κ.
    """

    fractions: tuple[Metric, ...]
    unfloored: tuple[Metric, ...]
    s: Metric
    sharpe: Metric
    shrinkage: Metric
    kelly_share: float


@dataclass(frozen=True)
class KellyOfTrades:
    """`fraction` of equity to lose at a full loss; `win_rate` with the interval whose lower bound was p; `payoff` b; κ."""

    fraction: Metric
    win_rate: Metric
    payoff: float | None
    kelly_share: float


def kelly_fractions(returns: np.ndarray, *, cap: float = LARGEST_KELLY_SHARE) -> KellyAnswer:
    """Fractions of equity for strategies by their `returns` (T, K) per session beyond the risk-free rate, simple; κ = `cap` ≤ ½.

    s = max(0, (T·SR̂² − n)/(T·SR̂²)), SR̂² = μ̂'Σ̂⁻¹μ̂, n = K. No strategy is short: where Σ̂⁻¹μ̂ would short one, the answer
    is the f ≥ 0 of the largest growth f'μ̂ − ½f'Σ̂f. To cut the short one off alone would leave its partner unhedged, at a
    multiple of Kelly's fraction. Undefined below 60 sessions, without more sessions than strategies, and where one never
    varied (leave it out).
    """
    _within_half(cap)
    values = _columns(returns)
    sessions, strategies = values.shape
    if reason := _unmeasured(values):
        nothing = undefined(reason, sessions)
        return KellyAnswer((nothing,) * strategies, (nothing,) * strategies, nothing, nothing, nothing, cap)
    covariance, shrinkage = ledoit_wolf(values)
    root = np.linalg.cholesky(covariance)
    # With Σ̂ = LL' and b = L⁻¹μ̂: SR̂² = b'b, and the growth is ½b'b − ½|L'f − b|².
    scaled = np.linalg.solve(root, values.mean(axis=0))
    squared = float(np.square(scaled).sum())
    s = max(0.0, 1 - strategies / (sessions * squared)) if squared > 0 else 0.0
    return KellyAnswer(
        _metrics(cap * s * nnls(root.T, scaled)[0], sessions),
        _metrics(cap * s * np.linalg.solve(root.T, scaled), sessions),
        observed(s, sessions),
        observed(math.sqrt(squared), sessions),
        observed(shrinkage, sessions),
        cap,
    )


def kelly_of_trades(
    wins: int, losses: int, payoff: float | None, *, cap: float = LARGEST_KELLY_SHARE, confidence: float = CONFIDENCE
) -> KellyOfTrades:
    """κ·max(0, p − (1 − p)/b) of `wins` and `losses` (all that did not win), b = `payoff`: mean gain over mean loss.

    Undefined without a trade, and without a loss: the payoff is unknown then. Without a win it is 0 whatever the payoff.
    """
    _within_half(cap)
    if wins != int(wins) or losses != int(losses) or min(wins, losses) < 0:
        raise InvalidInput("bad_count", f"Wins and losses are whole numbers of zero or more, not {wins} and {losses}.")
    n = int(wins) + int(losses)
    rate = proportion(int(wins), n, confidence, Undefined.NO_TRADES)
    if not n or not losses:
        return KellyOfTrades(undefined(Undefined.NO_LOSSES if n else Undefined.NO_TRADES, n), rate, None, cap)
    if not wins:
        return KellyOfTrades(observed(0.0, n), rate, None, cap)
    if payoff is None or not 0 < payoff < math.inf:
        raise InvalidInput("bad_payoff", f"The payoff ratio of trades that won and lost is a number above zero, not {payoff}.")
    b = float(payoff)
    return KellyOfTrades(observed(cap * max(0.0, rate.low - (1 - rate.low) / b), n), rate, b, cap)


def ledoit_wolf(returns: np.ndarray) -> tuple[np.ndarray, float]:
    """Σ̂ (K, K) and its shrinkage δ of `returns` (T, K), T ≥ 1: (1 − δ)·S + δ·m·I, S over T, m its mean variance.

    Ledoit and Wolf 2004, δ = min(b̄², d²)/d², as scikit-learn's `LedoitWolf`. One strategy alone is not shrunk.
    """
    centred = returns - returns.mean(axis=0)
    sample = centred.T @ centred / len(centred)
    mean = np.trace(sample) / len(sample)
    target = mean * np.eye(len(sample))
    # |x x' − S|² over the sessions has the mean of |x|⁴ less |S|²; the factor 1/K of both is left out.
    distance = float(np.square(sample - target).sum())
    noise = float(np.square(np.square(centred).sum(axis=1)).mean() - np.square(sample).sum()) / len(centred)
    shrinkage = min(max(noise, 0.0), distance) / distance if distance > 0 and len(sample) > 1 else 0.0
    return (1 - shrinkage) * sample + shrinkage * target, shrinkage


def _columns(returns: np.ndarray) -> np.ndarray:
    values = np.asarray(returns)
    if values.ndim != 2:
        raise InvalidInput("not_a_table", f"Give returns by session and strategy, not an array of shape {values.shape}.")
    columns = [observations(values[:, each], f"Returns of strategy {each + 1}") for each in range(values.shape[1])]
    return np.column_stack(columns) if columns else np.empty(values.shape)


@np.errstate(over="ignore", invalid="ignore")
def _unmeasured(values: np.ndarray) -> Undefined | None:
    sessions, strategies = values.shape
    if not strategies or not sessions:
        return Undefined.NO_DATA
    if sessions < 2 or sessions <= strategies:
        return Undefined.TOO_FEW
    spread = values.std(axis=0)
    if not math.isfinite(float(np.square(np.square(spread).sum()))):
        return Undefined.TOO_LARGE
    if spread.min() < NO_SPREAD or _singular(values):
        return Undefined.NO_VARIATION
    return Undefined.TOO_SHORT if sessions < FEWEST_TO_ANNUALISE else None


def _singular(values: np.ndarray) -> bool:
    """Whether some mix of strategies never varied, even shrunk."""
    own = np.linalg.eigvalsh(ledoit_wolf(values)[0])
    return bool(own[0] <= NO_SPREAD * own[-1])


def _metrics(fractions: np.ndarray, n: int) -> tuple[Metric, ...]:
    return tuple(observed(float(each), n) for each in fractions)


def _within_half(cap: float) -> None:
    if not 0 < cap <= LARGEST_KELLY_SHARE:
        raise InvalidInput("bad_kelly_share", f"The share of Kelly's fraction is above 0 and at most one half, not {cap}.")
