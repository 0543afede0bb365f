"""The Black–Scholes–Merton price of a European option and its Greeks, on arrays (Hull, "Options, Futures and Other
Derivatives", chapters 15, 17 and 19).

Arguments broadcast: spot and strike in money, years to expiry (days / 365), rate and dividend yield continuous and a
year, volatility a decimal a year, `call` True for calls and False for puts. Where any of them is NaN, a price is not
positive, or years or volatility are negative, the answer is NaN.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

DAYS_PER_YEAR = 365.0
POINT = 0.01


class Greeks(NamedTuple):
    """Of one unit: delta and gamma per unit of money, vega and rho per point (0.01) of volatility and rate, theta per calendar day."""

    delta: np.ndarray
    gamma: np.ndarray
    vega: np.ndarray
    theta: np.ndarray
    rho: np.ndarray


class _Terms(NamedTuple):
    sign: np.ndarray
    asset: np.ndarray  # the spot less the dividends until expiry
    bond: np.ndarray  # the strike, discounted
    d1: np.ndarray
    deviation: np.ndarray  # σ√T
    cdf1: np.ndarray  # Φ(±d1)
    cdf2: np.ndarray  # Φ(±d2)


def forward_price(spot, years, rate, dividend_yield):
    """What `spot` is worth for delivery in `years`."""
    return spot * np.exp((rate - dividend_yield) * np.asarray(years, float))


def _terms(spot, strike, years, rate, dividend_yield, volatility, call) -> _Terms:
    spot, strike, years, volatility = (np.asarray(each, float) for each in (spot, strike, years, volatility))
    sign = np.where(call, 1.0, -1.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        asset, bond = spot * np.exp(-dividend_yield * years), strike * np.exp(-rate * years)
        deviation = volatility * np.sqrt(years)
        moneyness = np.log(asset / bond)
        bad = (volatility < 0) | (spot <= 0) | (strike <= 0)
        # Without time or volatility the option is exercised where the forward lies beyond the strike.
        certain = np.where(moneyness == 0, 0.0, np.copysign(np.inf, moneyness)) + moneyness * 0
        d1 = np.where(deviation > 0, moneyness / deviation + deviation / 2, certain) + deviation * 0
        d1 = np.where(bad, np.nan, d1)
    return _Terms(sign, asset, bond, d1, deviation, ndtr(sign * d1), ndtr(sign * (d1 - deviation)))


def bsm_price(spot, strike, years, rate, dividend_yield, volatility, call) -> np.ndarray:
    """The price of one unit; at expiry what exercising is worth."""
    return _price(_terms(spot, strike, years, rate, dividend_yield, volatility, call))


def _price(terms: _Terms) -> np.ndarray:
    return np.maximum(terms.sign * (terms.asset * terms.cdf1 - terms.bond * terms.cdf2), 0.0)


def bsm_greeks(spot, strike, years, rate, dividend_yield, volatility, call) -> Greeks:
    """The derivatives of `bsm_price`. At expiry delta is that of the share held or not (one half at the strike) and the others are 0."""
    terms = _terms(spot, strike, years, rate, dividend_yield, volatility, call)
    years = np.asarray(years, float)
    density = np.exp(-(terms.d1**2) / 2) / np.sqrt(2 * np.pi)
    with np.errstate(invalid="ignore", divide="ignore"):
        live = terms.deviation > 0
        dead = np.where(np.isnan(terms.d1), np.nan, 0.0)
        share = terms.asset / spot
        gamma = np.where(live, share * density / (spot * terms.deviation), dead)
        vega = np.where(live, terms.asset * density * np.sqrt(years) * POINT, dead)
        decay = np.where(live, terms.asset * density * volatility / (2 * np.sqrt(years)), dead)
        carry = terms.sign * (dividend_yield * terms.asset * terms.cdf1 - rate * terms.bond * terms.cdf2)
        theta = np.where(years > 0, (carry - decay) / DAYS_PER_YEAR, dead)
        rho = terms.sign * years * terms.bond * terms.cdf2 * POINT
    return Greeks(terms.sign * share * terms.cdf1, gamma, vega, theta, rho)
