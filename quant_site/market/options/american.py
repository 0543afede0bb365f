"""The price of an American option by QuantLib's `QdFpAmericanEngine` (Andersen, Lake and Offengenden 2016), and its Greeks.

An option's worth depends on rate × years, yield × years and volatility × √years only, and is homogeneous in spot and
strike. So one call and one put of strike 1 and one "year" serve every contract: four quotes are set and the engine asked,
some 20 µs. The curves start on a fixed day far ahead: neither today's date nor QuantLib's evaluation date enters.

The engine's fast scheme is within 0.001 of its exact one for a strike of 100. It gives no Greeks: delta and gamma are
central differences of the spot by a twentieth of σ√T, vega of the volatility by a hundredth of itself, and theta follows
from the Black–Scholes equation, which the price solves wherever it is not exercised at once.

Arguments and units are those of `black_scholes`; a function of one contract takes floats, one of arrays broadcasts.
"""

from math import exp, isfinite, nan, sqrt
from threading import Lock
from typing import NamedTuple

import numpy as np
import QuantLib as ql

from quant_site.market.options.black_scholes import DAYS_PER_YEAR, POINT, bsm_greeks, bsm_price
from quant_site.market.options.implied import TICK, implied_volatility

# Early exercise that is worth less than a hundredth of a tick is left out, and with it the engine.
NEGLIGIBLE = 1e-4
SPOT_BUMP = 0.05
VOLATILITY_BUMP = 0.01
PREMIUM_ROUNDS = 3


class AmericanValue(NamedTuple):
    """Of one unit; units as in `black_scholes.Greeks`."""

    price: float
    delta: float
    gamma: float
    vega: float
    theta: float


UNDEFINED = AmericanValue(nan, nan, nan, nan, nan)


class _Engine:
    """A call and a put of strike 1 that expire after one year; one price at a time."""

    def __init__(self):
        start, days = ql.Date(1, 1, 2100), ql.Actual365Fixed()
        self.quotes = [ql.SimpleQuote(1.0) for _ in range(4)]
        spot, rate, dividend_yield, volatility = (ql.QuoteHandle(quote) for quote in self.quotes)
        process = ql.BlackScholesMertonProcess(
            spot,
            ql.YieldTermStructureHandle(ql.FlatForward(start, dividend_yield, days)),
            ql.YieldTermStructureHandle(ql.FlatForward(start, rate, days)),
            ql.BlackVolTermStructureHandle(ql.BlackConstantVol(start, ql.NullCalendar(), volatility, days)),
        )
        engine = ql.QdFpAmericanEngine(process, ql.QdFpAmericanEngine.fastScheme())
        exercise = ql.AmericanExercise(start, start + 365)
        self.put, self.call = (self._option(right, exercise, engine) for right in (ql.Option.Put, ql.Option.Call))
        self.lock = Lock()

    @staticmethod
    def _option(right, exercise, engine) -> ql.VanillaOption:
        option = ql.VanillaOption(ql.PlainVanillaPayoff(right, 1.0), exercise)
        option.setPricingEngine(engine)
        return option

    def price(self, spot: float, strike: float, years: float, rate: float, dividend_yield: float, volatility: float, call: bool) -> float:
        """NaN where the engine refuses: two exercise boundaries (yield < rate < 0 for a put, rate < yield < 0 for a call)."""
        first, second, third, fourth = self.quotes
        with self.lock:
            first.setValue(spot / strike)
            second.setValue(rate * years)
            third.setValue(dividend_yield * years)
            fourth.setValue(volatility * sqrt(years))
            try:
                return strike * (self.call if call else self.put).NPV()
            except RuntimeError:
                return nan


_engine = _Engine()


def american_price(spot, strike, years, rate, dividend_yield, volatility, call: bool) -> float:
    """The price of one unit; at expiry what exercising is worth, after it or without a positive price NaN."""
    return _price(spot, strike, years, rate, dividend_yield, volatility, call)[0]


def american_prices(spot, strike, years, rate, dividend_yield, volatility, call) -> np.ndarray:
    """`american_price` of each."""
    arguments = np.broadcast_arrays(*(np.asarray(each, float) for each in (spot, strike, years, rate, dividend_yield, volatility)), call)
    rows = zip(*(each.ravel().tolist() for each in arguments), strict=True)
    return np.array([american_price(*row) for row in rows], float).reshape(arguments[0].shape)


def _price(spot, strike, years, rate, dividend_yield, volatility, call) -> tuple[float, bool]:
    """The price, and whether it is the European one because exercising early is worth nothing.

    An American put costs at most the European one whose strike has grown at the interest that exercising could earn,
    and a call at most the European one on a spot grown by the dividends: exercised early, either is worth less than that.
    """
    if not (isfinite(spot + strike + rate + dividend_yield) and spot > 0 and strike > 0 and years >= 0 and volatility >= 0):
        return nan, False
    terms = (years, rate, dividend_yield, volatility, call)
    european = _european(spot, strike, *terms)
    bounded = (rate if call else dividend_yield) >= 0
    intrinsic = spot - strike if call else strike - spot
    if years == 0 or volatility == 0:
        return max(european, intrinsic), False
    grown = (spot * exp(max(dividend_yield, 0.0) * years), strike) if call else (spot, strike * exp(max(rate, 0.0) * years))
    if bounded and _european(*grown, *terms) - european < NEGLIGIBLE:
        return max(european, intrinsic), True
    price = _engine.price(spot, strike, *terms)
    return (nan if price != price else max(price, european, intrinsic)), False


def _european(spot, strike, years, rate, dividend_yield, volatility, call) -> float:
    right = ql.Option.Call if call else ql.Option.Put
    forward, discount = spot * exp((rate - dividend_yield) * years), exp(-rate * years)
    return ql.blackFormula(right, strike, forward, volatility * sqrt(years), discount)


def american_value(spot, strike, years, rate, dividend_yield, volatility, call: bool) -> AmericanValue:
    """Price and Greeks of one unit."""
    arguments = (spot, strike, years, rate, dividend_yield, volatility, call)
    price, european = _price(*arguments)
    if price != price:
        return UNDEFINED
    if european or years == 0 or volatility == 0:
        greeks = bsm_greeks(*arguments)
        return AmericanValue(price, *map(float, (greeks.delta, greeks.gamma, greeks.vega, greeks.theta)))
    sign = 1.0 if call else -1.0
    if price <= sign * (spot - strike) + NEGLIGIBLE:
        return AmericanValue(price, sign, 0.0, 0.0, 0.0)  # exercised at once: it is the share itself, held or owed
    return AmericanValue(price, *_differences(price, *arguments))


def _differences(price, spot, strike, years, rate, dividend_yield, volatility, call) -> tuple[float, float, float, float]:
    move, point = SPOT_BUMP * volatility * sqrt(years) * spot, VOLATILITY_BUMP * volatility
    up, down = (_engine.price(each, strike, years, rate, dividend_yield, volatility, call) for each in (spot + move, spot - move))
    rich, poor = (_engine.price(spot, strike, years, rate, dividend_yield, each, call) for each in (volatility + point, volatility - point))
    delta, gamma = (up - down) / (2 * move), (up - 2 * price + down) / move**2
    theta = rate * price - (rate - dividend_yield) * spot * delta - (volatility * spot) ** 2 * gamma / 2
    return delta, gamma, (rich - poor) / (2 * point) * POINT, theta / DAYS_PER_YEAR


def american_implied_volatility(price, spot, strike, years, rate, dividend_yield, call, tick=TICK) -> np.ndarray:
    """σ a year of each price: that of the price less what early exercise is worth at σ, found by repetition.

    Three rounds settle it to 1e-4 for options near and out of the money, which are what it is for. NaN as in `implied`,
    and where the price is less than half a tick above what exercising at once is worth.
    """
    terms, price = (spot, strike, years, rate, dividend_yield), np.asarray(price, float)
    exercise = np.where(call, np.subtract(spot, strike), np.subtract(strike, spot))
    price = np.where(price - exercise >= tick / 2, price, np.nan)
    volatility = implied_volatility(price, *terms, call, tick)
    for _ in range(PREMIUM_ROUNDS):
        premium = american_prices(*terms, volatility, call) - bsm_price(*terms, volatility, call)
        volatility = implied_volatility(price - premium, *terms, call, tick)
    return volatility
