"""What a book can lose in a day: expected shortfall by historical simulation, and a grid of shocks. Pure arrays.

Scenarios are the returns of past sessions, each scaled by today's volatility over the volatility of its own day (Hull and
White 1998, "Incorporating volatility updating into the historical simulation method for value-at-risk", Journal of Risk
1(1)); volatilities are exponentially weighted with λ = 0.94 (RiskMetrics 1996). In a scenario the returns of all names are
those of one day, so that they move together as they did. Options are valued anew in each (Black–Scholes–Merton, an
American one at no less than what exercising is worth) at their own volatility; no time passes.

The expected shortfall is the mean loss in the worst 2.5 % of scenarios; where these are no whole number, the last one
counts by its part (Acerbi and Tasche 2002). The grid moves every spot by ±5, 10 and 20 % and every volatility by −25, +50
and +100 % of itself, all at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from quant_site.market.options.black_scholes import bsm_price

SESSIONS, LEAST_SESSIONS = 1000, 500
DECAY = 0.94
TAIL = 0.025
SPOT_SHOCKS = (-0.20, -0.10, -0.05, 0.05, 0.10, 0.20)
VOLATILITY_SHOCKS = (-0.25, 0.50, 1.00)
# A price that fell to nothing is still a price.
LEAST_PRICE = 1e-9


def volatility_scaled(returns: np.ndarray, decay: float = DECAY) -> np.ndarray:
    """`returns` (T, oldest first; NaN: none that day), each times today's volatility over that of its own day.

    The variance of a day is σ²_t = λσ²_{t−1} + (1−λ)r²_{t−1}, known before the day; the first one is the mean of all squares.
    """
    there = np.isfinite(returns)
    moves = returns[there]
    scaled = np.full(len(returns), np.nan)
    if not len(moves):
        return scaled
    first = float(np.mean(moves**2))
    if first == 0:
        scaled[there] = 0.0
        return scaled
    following, _ = lfilter([1 - decay], [1, -decay], moves**2, zi=[decay * first])
    of_day = np.concatenate([[first], following[:-1]])
    scaled[there] = moves * np.sqrt(following[-1] / of_day)
    return scaled


def expected_shortfall(outcomes: np.ndarray, tail: float = TAIL) -> float:
    """The mean loss in the worst `tail` of `outcomes` (gains and losses, at least one), a loss being positive."""
    losses = -np.sort(outcomes)
    count = tail * len(losses)
    whole = int(count)
    part = (count - whole) * losses[whole] if whole < len(losses) else 0.0
    return float((losses[:whole].sum() + part) / count)


@dataclass(frozen=True)
class OptionRows:
    """Options as columns of one length: `name` is the row of the underlying among a book's names, `units` are signed contracts
    times the multiplier. Other columns are those of `black_scholes`."""

    name: np.ndarray
    units: np.ndarray
    spot: np.ndarray
    strike: np.ndarray
    years: np.ndarray
    rate: np.ndarray
    dividend_yield: np.ndarray
    volatility: np.ndarray
    call: np.ndarray
    european: np.ndarray

    def prices(self, growth: np.ndarray, volatility: float) -> np.ndarray:
        """Prices (m, k) where the underlyings are `growth` (m, k) times as high, the volatilities `volatility` times."""
        spot = np.maximum(self.spot[:, None] * growth, LEAST_PRICE)
        strike, call = self.strike[:, None], self.call[:, None]
        others = (each[:, None] for each in (self.years, self.rate, self.dividend_yield, self.volatility * volatility))
        prices = bsm_price(spot, strike, *others, call)
        exercised = np.where(call, spot - strike, strike - spot)
        return np.where(self.european[:, None], prices, np.maximum(prices, exercised))


@dataclass(frozen=True)
class Book:
    """What is held: signed dollars of shares of each of `names`, and options."""

    names: tuple[str, ...]
    values: np.ndarray
    options: OptionRows | None = None

    def outcomes(self, moves: np.ndarray, volatility: float = 1.0) -> np.ndarray:
        """Gains (k) in scenarios in which the names move by `moves` (n, k) ≥ −1, as shares of their prices."""
        gains = self.values @ moves
        if self.options is None:
            return gains
        growth = 1.0 + moves[self.options.name]
        change = self.options.prices(growth, volatility) - self.options.prices(np.ones((len(self.options.units), 1)), 1.0)
        return gains + self.options.units @ change


def common_scenarios(returns: Sequence[np.ndarray]) -> np.ndarray:
    """The days (n, k) on which all of the rows have a return. Nothing loses more than all of itself, however it was scaled."""
    rows = np.array(returns)
    return np.maximum(rows[:, np.isfinite(rows).all(axis=0)], -1.0)


def stress_grid(book: Book) -> np.ndarray:
    """Gains (6, 3) by the shocks of spot and of volatility."""
    moves = np.tile(np.array(SPOT_SHOCKS), (len(book.names), 1))
    return np.column_stack([book.outcomes(moves, 1.0 + shock) for shock in VOLATILITY_SHOCKS])
