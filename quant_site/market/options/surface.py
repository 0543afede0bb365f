"""A surface of implied volatility from one number, for days without a chain: the VIX, or a stock's at-the-money volatility.

IV(K, T) = ATM(T) · (1 + s·m + c·m²) with m = ln(K / F) / (ATM(T) · √T), cut to [−3, 1.5]. Slope s and curvature c are
given at five maturities; between them they are linear in days, outside they stay as at the nearest. They were fitted to
index chains of two calm days: on any other day, and for a stock, they are an assumption. Prices of the surface rise and fall
with the strike as they must, but where m is cut the smile has a kink, and around it a butterfly can cost less than nothing.

ATM(T) of an index: 30 days out it is 0.80 · VIX, for the VIX also prices the dear out-of-the-money puts. For other
maturities variance reverts to its mean as in Heston (1993): the mean variance until T is θ + (v − θ)·w(T) / w(30 days),
w(T) = (1 − e^{−κT}) / κT, with κ = 5 a year, about what Aït-Sahalia and Kimmel (2007) estimate for the S&P 500, and
θ = (0.80 · 20 %)², a VIX of 20 being near its long mean. Neither is fitted to a chain. For a stock no such mean is known:
its three-month volatility stands at every maturity.

Bid and ask lie around the model's price. Out of the money they are 1.5 % of it apart where m = 0 and 3.5 % from |m| = 1.5
on, a fit at 30 days taken for all maturities; in the money 1.5 %, at most 0.2 % of the spot. Both round outwards to cents.
"""

from dataclasses import dataclass

import numpy as np

NODES = np.array([7.0, 30.0, 90.0, 180.0, 365.0])
SLOPES = np.array([-0.10, -0.17, -0.22, -0.25, -0.29])
CURVATURES = np.array([0.03, 0.041, 0.036, 0.031, 0.008])
LEAST_MONEYNESS, MOST_MONEYNESS = -3.0, 1.5
ATM_OF_VIX = 0.80
REVERSION = 5.0
LONG_RUN_VIX = 0.20
# Below this no listed underlying's options have traded for long; the smile's right wing could fall under it.
FLOOR = 0.04

TICK, TICKS_PER_UNIT = 0.01, 100
# Share of a tick that is rounding of the arithmetic and no reason for another tick.
DUST = 1e-6
SPREAD_AT_MONEY, SPREAD_WING, WING = 0.015, 0.035, 1.5
SPREAD_IN_MONEY_CAP = 0.002


@dataclass(frozen=True)
class Surface:
    """At-the-money volatility `atm` at `days`; `long_run` is what it reverts to, None where it stays."""

    atm: float
    days: float
    long_run: float | None = None

    def atm_volatility(self, years) -> np.ndarray:
        """ATM(T), a decimal a year."""
        years = np.asarray(years, float)
        if self.long_run is None:
            return np.full(years.shape, self.atm)
        mean = self.long_run**2
        weight = _reversion(years) / _reversion(self.days / 365)
        return np.sqrt(np.maximum(mean + (self.atm**2 - mean) * weight, FLOOR**2))

    def smile(self, strike, forward, years) -> tuple[np.ndarray, np.ndarray]:
        """IV(K, T), a decimal a year, and m, not cut. `years` > 0."""
        atm = self.atm_volatility(years)
        moneyness = np.log(strike / forward) / (atm * np.sqrt(years))
        m, days = np.clip(moneyness, LEAST_MONEYNESS, MOST_MONEYNESS), np.asarray(years, float) * 365
        curve = 1 + m * (np.interp(days, NODES, SLOPES) + np.interp(days, NODES, CURVATURES) * m)
        return np.maximum(atm * curve, FLOOR), moneyness

    def volatility(self, strike, forward, years) -> np.ndarray:
        """IV(K, T), a decimal a year. `years` > 0."""
        return self.smile(strike, forward, years)[0]


def _reversion(years) -> np.ndarray:
    scaled = REVERSION * np.asarray(years, float)
    return -np.expm1(-scaled) / scaled


def index_surface(vix: float) -> Surface:
    """The surface of S&P 500 options on a day on which the VIX stands at `vix` points."""
    return Surface(ATM_OF_VIX * vix / 100, 30, ATM_OF_VIX * LONG_RUN_VIX)


def stock_surface(implied_vol: float) -> Surface:
    """The surface of a stock whose at-the-money three-month implied volatility is `implied_vol` (a decimal)."""
    return Surface(implied_vol, 90)


def bid_ask(price, moneyness, spot, call) -> tuple[np.ndarray, np.ndarray]:
    """The market around a model's price, in cents: the bid rounds down to nothing at least, the ask up and over the bid."""
    outside = np.where(call, moneyness >= 0, moneyness <= 0)
    wing = SPREAD_AT_MONEY + (SPREAD_WING - SPREAD_AT_MONEY) * np.minimum(np.abs(moneyness) / WING, 1)
    half = np.where(outside, wing * price, np.minimum(SPREAD_AT_MONEY * price, SPREAD_IN_MONEY_CAP * spot)) / 2
    bid = np.maximum(np.floor((price - half) / TICK + DUST), 0)
    ask = np.maximum(np.ceil((price + half) / TICK - DUST), bid + 1)
    return bid / TICKS_PER_UNIT, ask / TICKS_PER_UNIT
