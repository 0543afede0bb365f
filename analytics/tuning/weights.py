"""Weights of strategies by fixed-share Hedge (Herbster and Warmuth 1998), kept within a band and moved slowly. Pure.

Belief follows v_i = p_i·e^(η·z_i) / Σ, then each strategy gives the share α of its own to the others:
p_i = (1 − α)·v_i + α/(K − 1)·(1 − v_i). z is the sum of the week's daily returns, each over the strategy's daily
volatility, clipped to ±6: one freak week of a strategy that hardly ever trades must not decide. The budget (the sum of
the weights) never changes here: more of it is for a person to give.

It follows slowly on purpose. Where two sets with yearly Sharpe ratios of 2 and −2 change places, half of the belief in
the first is gone after some 60 sessions (median of 300 simulated worlds); at ±1 after 85.
"""

from collections.abc import Sequence

import numpy as np

from quant_site.core.errors import InvalidInput

RATE = 0.10
SHARE = 0.02
CLIP = 6.0
LOWEST, HIGHEST = 0.5, 2.0
LARGEST_STEP = 0.02
# Smaller changes wait until they add up: a version a week that moves a weight by a hair is noise to its reader.
SMALLEST_CHANGE = 0.01
PLACES = 12
UNIT = 1e-4
SLACK = 1e-6


def prior(weights: Sequence[float], volatilities: Sequence[float]) -> np.ndarray:
    """Inverse-volatility shares (K,), summing to 1.

    `volatilities` are those of what a strategy added to the account at its weight; over the weight they are its own.
    """
    own = _vector(volatilities, "volatilities") / _vector(weights, "weights")
    if (own <= 0).any():
        raise InvalidInput("no_volatility", "A prior by inverse volatility needs volatilities and weights above zero.")
    return np.round((1 / own) / (1 / own).sum(), PLACES)


def normalised(returns: Sequence[float], volatility: float) -> float:
    """Σ of the week's `returns` over the daily `volatility`, within ±6; 0 (no evidence) where either is missing."""
    values = _vector(returns, "returns")
    if not values.size or not volatility > 0:
        return 0.0
    return float(np.clip(values.sum() / volatility, -CLIP, CLIP))


def hedge(belief: Sequence[float], gains: Sequence[float], rate: float = RATE, share: float = SHARE) -> np.ndarray:
    """The belief (K,) after a week's `gains` (K,), volatility-normalised. K ≥ 2; rounded to 12 decimals, sums to 1."""
    p, z = _vector(belief, "belief"), _vector(gains, "gains")
    if p.size != z.size or p.size < 2 or (p < 0).any() or not p.sum() > 0:
        raise InvalidInput("bad_belief", "Hedge needs two or more strategies, a belief of each and a gain of each.")
    grown = p * np.exp(rate * (z - z.max()))
    v = grown / grown.sum()
    shared = (1 - share) * v + share / (p.size - 1) * (1 - v)
    return np.round(shared / shared.sum(), PLACES)


def step(current: Sequence[float], belief: Sequence[float], largest: float = LARGEST_STEP) -> np.ndarray:
    """The next weights (K,): as near to budget·belief as the band and the largest step of a week allow.

    Band: [0.5, 2]·budget/K. A weight that a person set outside of it may stay or return, not go further out. The
    result is the point of the allowed box with the same sum that is nearest in least squares, in moves of whole basis
    points.
    """
    now, p = _vector(current, "weights"), _vector(belief, "belief")
    budget = now.sum()
    low = np.minimum(now, np.maximum(LOWEST * budget / now.size, now - largest))
    high = np.maximum(now, np.minimum(HIGHEST * budget / now.size, now + largest))
    moves = _whole_moves(_project(budget * p / p.sum(), low, high, budget) - now, low - now, high - now)
    return np.where(moves == 0, now, np.round(now + moves * UNIT, PLACES))


def week(current: Sequence[float], belief: Sequence[float], gains: Sequence[float] | None) -> tuple[np.ndarray, np.ndarray]:
    """(belief, weights) after a week: the belief after the week's `gains` (as it is before the first), and the weights that follow
    it, which stay while none would move by `SMALLEST_CHANGE`."""
    held = hedge(belief, gains) if gains is not None else _vector(belief, "belief")
    target = step(current, held)
    moves = np.abs(target - _vector(current, "weights")).max() >= SMALLEST_CHANGE - UNIT / 2
    return held, target if moves else _vector(current, "weights")


def _project(target: np.ndarray, low: np.ndarray, high: np.ndarray, total: float) -> np.ndarray:
    """Nearest point with low ≤ x ≤ high and Σx = total: x = clip(target − λ), λ by bisection (Σ falls in λ)."""
    below, above = float((target - high).min()), float((target - low).max())
    for _ in range(100):
        middle = (below + above) / 2
        if np.clip(target - middle, low, high).sum() > total:
            below = middle
        else:
            above = middle
    return np.clip(target - above, low, high)


def _whole_moves(moves: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """`moves` in whole units that sum to 0, within [low, high] (which contains 0): rounded, then the odd units go where
    rounding took most and there is room.
    """
    least, most = np.ceil(low / UNIT - SLACK), np.floor(high / UNIT + SLACK)
    whole = np.clip(np.rint(moves / UNIT), least, most)
    while odd := -whole.sum():
        room = whole < most if odd > 0 else whole > least
        want = np.sign(odd) * (moves / UNIT - whole)
        whole[np.argmax(np.where(room, want, -np.inf))] += np.sign(odd)
    return whole


def _vector(values: Sequence[float], what: str) -> np.ndarray:
    array = np.asarray(values, dtype=float)
    if array.ndim != 1 or not np.isfinite(array).all():
        raise InvalidInput("not_finite", f"The {what} must be finite numbers, not {list(values)}.")
    return array
