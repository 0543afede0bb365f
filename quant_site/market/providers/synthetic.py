"""Option chains made from an underlying's price and one volatility: prices of a model, and every one of them says so.

The surface is `options.surface`. American contracts are priced by QuantLib, European ones in closed form. The Greeks of a
whole chain are the Black–Scholes–Merton ones, by which strikes are chosen; one contract's quote has the American ones.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import numpy as np

from quant_site.market.options.american import AmericanValue, american_prices, american_value
from quant_site.market.options.black_scholes import bsm_greeks, bsm_price, forward_price
from quant_site.market.options.chain import Chain, Moment, Quote, middle, years_until
from quant_site.market.options.contracts import EUROPEAN_ROOTS, OptionContract
from quant_site.market.options.expirations import strike_grid
from quant_site.market.options.surface import Surface, bid_ask

SOURCE = "synthetic"
WARNING = "No market made these prices: the implied volatilities follow a fit to two calm days and are an assumption on every other."


@dataclass(frozen=True)
class SyntheticMarket:
    """One underlying at one moment, and the surface over it. `rate` and `dividend_yield` are continuous, a year."""

    underlying: str
    session: date
    moment: Moment
    spot: float
    rate: float
    dividend_yield: float
    surface: Surface
    source: str = SOURCE
    assumptions: tuple[str, ...] = (WARNING,)

    @property
    def european(self) -> bool:
        return self.underlying in EUROPEAN_ROOTS

    def chain(self, expirations: Iterable[date]) -> Chain:
        """The chain of the `expirations` after this moment, on the listed strikes."""
        days = np.unique(np.array(list(expirations), "datetime64[D]"))
        days = days[years_until(days, self.session, self.moment) > 0]
        grid = strike_grid(self.underlying, self.spot)
        expiry, right, strike = (np.ravel(each) for each in np.meshgrid(days, np.array(["C", "P"]), grid, indexing="ij"))
        columns = self._columns(expiry, right == "C", strike)
        return Chain(
            self.underlying,
            self.session,
            self.moment,
            self.spot,
            self.rate,
            self.dividend_yield,
            expiry=expiry,
            right=right,
            strike=strike,
            **columns,
            source=self.source,
            synthetic=True,
            assumptions=self.assumptions,
        )

    def _columns(self, expiry, call, strike) -> dict[str, np.ndarray]:
        years = years_until(expiry, self.session, self.moment)
        forward = forward_price(self.spot, years, self.rate, self.dividend_yield)
        iv, moneyness = self.surface.smile(strike, forward, years)
        terms = (self.spot, strike, years, self.rate, self.dividend_yield, iv, call)
        price = bsm_price(*terms) if self.european else american_prices(*terms)
        bid, ask = bid_ask(price, moneyness, self.spot, call)
        delta, gamma, vega, theta, _ = bsm_greeks(*terms)
        numbers = {"bid": bid, "ask": ask, "mid": middle(bid, ask), "iv": iv}
        return {"forward": forward, **numbers, "delta": delta, "gamma": gamma, "vega": vega, "theta": theta}

    def quote(self, contract: OptionContract) -> Quote | None:
        """One contract's market; None once it has expired. At the moment it expires, what exercising is worth."""
        years = float(years_until(contract.expiry, self.session, self.moment))
        strike, call = float(contract.strike), contract.right == "C"
        if years < 0:
            return None
        if years == 0:
            worth = contract.intrinsic(self.spot)
            delta = float(bsm_greeks(self.spot, strike, 0.0, 0.0, 0.0, 0.0, call).delta)
            return Quote(contract, worth, worth, worth, np.nan, delta, 0.0, 0.0, 0.0, True, self.source)
        forward = forward_price(self.spot, years, self.rate, self.dividend_yield)
        iv, moneyness = map(float, self.surface.smile(strike, forward, years))
        value = self._value(strike, years, iv, call)
        bid, ask = map(float, bid_ask(value.price, moneyness, self.spot, call))
        return Quote(contract, bid, ask, float(middle(bid, ask)), iv, value.delta, value.gamma, value.vega, value.theta, True, self.source)

    def _value(self, strike: float, years: float, iv: float, call: bool) -> AmericanValue:
        terms = (self.spot, strike, years, self.rate, self.dividend_yield, iv, call)
        if not self.european:
            return american_value(*terms)
        greeks = bsm_greeks(*terms)
        return AmericanValue(*map(float, (bsm_price(*terms), greeks.delta, greeks.gamma, greeks.vega, greeks.theta)))
