"""Option structures: what several contracts of one underlying and one expiry cost, pay at expiry and lose at most, together.

Amounts are dollars of the underlying's price for one unit of the structure; times `OPTION_MULTIPLIER` they are money. A
structure opens by buying at the ask and selling at the bid. At expiry it is worth what exercising it is worth, a
piecewise linear function of the spot with corners at the strikes: its extremes and break-evens follow from them.
"""

import math
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np

from quant_site.core.errors import InvalidInput
from quant_site.core.types import Direction
from quant_site.market.options.black_scholes import bsm_price
from quant_site.market.options.chain import Chain, Quote, years_until
from quant_site.market.options.contracts import OptionContract
from strategies.base import Leg

GREEKS = ("delta", "gamma", "vega", "theta")


@dataclass(frozen=True)
class Terms:
    """What options of one expiry are priced off: the spot, its forward, the years left and the rate."""

    spot: float
    forward: float
    years: float
    rate: float

    @property
    def known(self) -> bool:
        return all(math.isfinite(value) for value in (self.spot, self.forward, self.rate)) and self.years > 0


def terms_of(chain: Chain, expiry: date) -> Terms | None:
    """The terms of `expiry` in `chain`; None where it is not listed there."""
    rows = np.flatnonzero(chain.expiry == np.datetime64(expiry, "D"))
    if not len(rows):
        return None
    years = float(years_until(expiry, chain.session, chain.moment))
    return Terms(chain.spot, float(chain.forward[rows[0]]), years, chain.rate)


@dataclass(frozen=True)
class OptionLeg:
    """`units` ≥ 1 contracts for one unit of the structure, bought (LONG) or sold (SHORT) at `quote`."""

    quote: Quote
    direction: Direction
    units: int = 1

    @property
    def contract(self) -> OptionContract:
        return self.quote.contract

    @property
    def strike(self) -> float:
        return float(self.contract.strike)

    @property
    def signed(self) -> int:
        return self.direction.sign * self.units

    @property
    def price(self) -> float:
        """What it trades at when it is opened."""
        return self.quote.ask if self.direction is Direction.LONG else self.quote.bid

    @property
    def tradable(self) -> bool:
        """Whether it can be opened: the market is known and not crossed, and there is someone to trade with."""
        return two_sided(self.quote) and self.price > 0


def two_sided(quote: Quote | None) -> bool:
    """Whether `quote` is a market: bid and ask known, not crossed; a bid of 0 is one."""
    return quote is not None and math.isfinite(quote.ask) and 0 <= quote.bid <= quote.ask


@dataclass(frozen=True)
class Structure:
    """Legs of one underlying and one expiry. Raises `InvalidInput` for none, for mixed ones, and for less than a contract."""

    legs: tuple[OptionLeg, ...]

    def __post_init__(self):
        if len({(leg.contract.underlying, leg.contract.expiry) for leg in self.legs}) != 1:
            raise InvalidInput("bad_structure", "A structure needs legs, all of one underlying and one expiry.")
        if any(leg.units < 1 or leg.direction is Direction.CLOSE for leg in self.legs):
            raise InvalidInput("bad_structure", "Each leg of a structure buys or sells at least one contract.")

    # --- what it costs

    @property
    def tradable(self) -> bool:
        return all(leg.tradable for leg in self.legs)

    @cached_property
    def debit(self) -> float:
        """What opening one unit costs; below zero it is a credit."""
        return sum(leg.signed * leg.price for leg in self.legs)

    @property
    def middle(self) -> float:
        """What it would cost half-way between bid and ask."""
        return sum(leg.signed * (leg.quote.bid + leg.quote.ask) / 2 for leg in self.legs)

    @property
    def crossing(self) -> float:
        """What crossing the spreads costs at the opening."""
        return self.debit - self.middle

    @property
    def direction(self) -> Direction:
        """LONG for a net debit, SHORT for a net credit."""
        return Direction.LONG if self.debit > 0 else Direction.SHORT

    @property
    def contracts(self) -> int:
        """Contracts of one unit, bought and sold."""
        return sum(leg.units for leg in self.legs)

    def draft_legs(self) -> tuple[Leg, ...]:
        """As the legs of a draft: contracts by OCC symbol, with their number in one unit."""
        return tuple(Leg(leg.contract.symbol, leg.direction, 1 / len(self.legs), leg.units) for leg in self.legs)

    # --- what it pays at expiry

    def payoff(self, spots) -> np.ndarray:
        """What one unit is worth at expiry at each of `spots`, whatever it cost."""
        spots = np.asarray(spots, float)[..., None]
        return np.maximum(self._ways * (spots - self._strikes), 0.0) @ self._signed

    def profit(self, spots) -> np.ndarray:
        """The payoff less what it cost to open."""
        return self.payoff(spots) - self.debit

    @property
    def max_loss(self) -> float:
        """The most one unit can lose at expiry, at least 0; infinite where more calls are sold than bought."""
        return math.inf if self._slope_above < 0 else max(0.0, -float(self._corners[1].min()))

    @property
    def max_profit(self) -> float:
        """The most one unit can win at expiry; infinite where more calls are bought than sold."""
        return math.inf if self._slope_above > 0 else float(self._corners[1].max())

    @property
    def break_evens(self) -> tuple[float, ...]:
        """The spots at which the profit at expiry turns from or to zero, ascending."""
        spots, profits = self._corners
        # One more point on the line beyond the last strike, past its root if it has one.
        beyond = spots[-1] + (abs(profits[-1]) + 1) / max(1.0, abs(self._slope_above))
        spots, profits = np.append(spots, beyond), np.append(profits, self.profit(beyond))
        before, after = profits[:-1], profits[1:]
        through = np.flatnonzero(before * after < 0)
        roots = spots[through] - before[through] * np.diff(spots)[through] / (after - before)[through]
        flat = (profits == 0) & (np.append(after, 0.0) == 0) & (np.append(0.0, before) == 0)
        return tuple(sorted([*roots.tolist(), *spots[(profits == 0) & ~flat].tolist()]))

    # --- what it is exposed to, and what may be expected of it

    def greeks(self) -> dict[str, float | None]:
        """Delta, gamma, vega and theta of one unit, in the units of the quotes; None where a leg's is not known."""
        sums = {name: sum(leg.signed * getattr(leg.quote, name) for leg in self.legs) for name in GREEKS}
        return {name: value if math.isfinite(value) else None for name, value in sums.items()}

    def expected_payoff(self, forward: float, deviation: float) -> float:
        """The mean payoff where the spot at expiry is lognormal around `forward` with σ√T = `deviation`; not discounted."""
        return float(bsm_price(forward, self._strikes, 1.0, 0.0, 0.0, deviation, self._calls) @ self._signed)

    def expected_profit(self, forward: float, deviation: float, fee: float = 0.0) -> float:
        """The mean of payoff less cost, less `fee` dollars of the underlying's price for each contract."""
        return self.expected_payoff(forward, deviation) - self.debit - fee * self.contracts

    def worth(self, terms: Terms, spot_move: float = 0.0, vol_move: float = 0.0) -> float:
        """What one unit would be worth now, were the spot moved by this share of itself and each volatility by that of its own.

        By Black–Scholes–Merton and not below exercise; NaN where a leg has no implied volatility or `terms` are not known.
        """
        if not terms.known:
            return math.nan
        spot, asset = (price * (1 + spot_move) for price in (terms.spot, terms.forward * math.exp(-terms.rate * terms.years)))
        volatility = np.array([leg.quote.iv for leg in self.legs]) * (1 + vol_move)
        values = bsm_price(asset, self._strikes, terms.years, terms.rate, 0.0, volatility, self._calls)
        exercised = np.where(self._american, self._ways * (spot - self._strikes), 0.0)
        return float(np.maximum(values, exercised) @ self._signed)

    # --- columns over the legs

    @cached_property
    def _strikes(self) -> np.ndarray:
        return np.array([leg.strike for leg in self.legs])

    @cached_property
    def _calls(self) -> np.ndarray:
        return np.array([leg.contract.right == "C" for leg in self.legs])

    @cached_property
    def _american(self) -> np.ndarray:
        return np.array([not leg.contract.european for leg in self.legs])

    @cached_property
    def _ways(self) -> np.ndarray:
        return np.where(self._calls, 1.0, -1.0)

    @cached_property
    def _signed(self) -> np.ndarray:
        return np.array([float(leg.signed) for leg in self.legs])

    @cached_property
    def _corners(self) -> tuple[np.ndarray, np.ndarray]:
        """Zero and the strikes, ascending, and the profit there."""
        spots = np.unique([0.0, *self._strikes])
        return spots, self.profit(spots)

    @cached_property
    def _slope_above(self) -> float:
        """How much the payoff rises for each dollar of the spot above all strikes."""
        return float(self._signed[self._calls].sum())
