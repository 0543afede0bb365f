"""Implied volatility: the σ at which Black–Scholes–Merton gives a price, on arrays.

The price's time value is brought to the out-of-the-money side and to units of √(forward · strike), which leaves one
function b(x, s) of log-moneyness x ≤ 0 and s = σ√T to invert (Jäckel, "By Implication", 2006). From its inflection
point √(2|x|), where Newton's method converges from both sides (Manaster and Koehler 1982), we step on a transform that
is nearly a straight line: 1/√(−ln b) below the inflection, ln(e^{x/2} − b) above it.
"""

import numpy as np
from scipy.special import ndtr

from quant_site.market.options.black_scholes import DAYS_PER_YEAR

TICK = 0.01
ROUNDS = 30
CONVERGED, SETTLED = 1e-15, 1e-9
SHORTEST = 1e-3 / DAYS_PER_YEAR
ROOT_2PI = np.sqrt(2 * np.pi)


def implied_volatility(price, spot, strike, years, rate, dividend_yield, call, tick=TICK) -> np.ndarray:
    """σ a year of each price; arguments as in `black_scholes`.

    NaN where no σ is defined by the price: it is at or below the least a European option can cost, at or above the
    most, its time value is below half a `tick`, or no time is left.
    """
    price, spot, strike, years = np.broadcast_arrays(*(np.asarray(each, float) for each in (price, spot, strike, years)))
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        asset, bond = spot * np.exp(-dividend_yield * years), strike * np.exp(-rate * years)
        sign = np.where(call, 1.0, -1.0)
        time_value = price - np.maximum(sign * (asset - bond), 0.0)
        most = np.minimum(asset, bond)  # what the out-of-the-money side may cost
        defined = (time_value > 0) & (time_value >= tick / 2) & (time_value < most) & (years > SHORTEST) & (spot > 0) & (strike > 0)
        volatility = np.full(defined.shape, np.nan)
        where = np.flatnonzero(defined)
        if len(where):
            asset, bond = np.broadcast_to(asset, defined.shape).flat[where], np.broadcast_to(bond, defined.shape).flat[where]
            x = -np.abs(np.log(asset / bond))
            deviation = _invert(np.broadcast_to(time_value, defined.shape).flat[where] / np.sqrt(asset * bond), x)
            volatility.flat[where] = deviation / np.sqrt(np.broadcast_to(years, defined.shape).flat[where])
    return volatility


def _invert(target: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The s at which b(x, s) = `target`; NaN where rounding leaves none."""
    turn = np.sqrt(-2 * x)
    at_turn, slope, _ = _normalised(x, np.maximum(turn, 1e-12))
    high = target >= at_turn
    # The first step of Newton's method from the inflection stays on its side of the solution.
    s = np.where(high, turn + (target - at_turn) / slope, np.maximum(turn, 1e-12))
    answer, active = np.full(len(s), np.nan), np.arange(len(s))
    for last in reversed(range(ROUNDS)):
        step = _step(target[active], x[active], s[active], high[active])
        s[active] = np.clip(s[active] + step, s[active] / 4, s[active] * 4)
        # At the end rounding may leave a step that jumps between neighbours; where the price tells nothing of σ it stays large.
        done = np.abs(step) <= (CONVERGED if last else SETTLED) * s[active]
        answer[active[done]] = s[active[done]]
        active = active[~done]
        if not len(active):
            break
    return answer


def _normalised(x: np.ndarray, s: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """b(x, s), its slope in s, and how far it stays below its bound e^{x/2}."""
    ratio, half, root = x / s, s / 2, np.exp(x / 2)
    price = root * ndtr(ratio + half) - ndtr(ratio - half) / root
    gap = root * ndtr(-ratio - half) + ndtr(ratio - half) / root
    return price, np.exp(-(ratio**2 + half**2) / 2) / ROOT_2PI, gap


def _step(target, x, s, high) -> np.ndarray:
    """Newton's step on the transform of each side."""
    price, slope, gap = _normalised(x, s)
    log_price = np.log(price)
    below = -2 * log_price * (np.sqrt(log_price / np.log(target)) - 1) * price / slope
    above = np.log(gap / (np.exp(x / 2) - target)) * gap / slope
    return np.where(high, above, below)
