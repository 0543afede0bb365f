"""Sensitivities of what is held, in dollars. Pure.

With N shares or contracts of M units each at a spot S: Δ$ = ΔSMN, Γ$ = ΓS²MN/100 (what Δ$ gains when the spot rises by 1 %),
vega per point of volatility, θ per calendar day. A share has a delta of its value and nothing else.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

from quant_site.market.options.contracts import OPTION_MULTIPLIER

GREEKS = ("delta", "gamma", "vega", "theta")


@dataclass(frozen=True, slots=True)
class Sensitivities:
    """Dollars; NaN where a Greek is not defined."""

    delta: float = 0.0
    gamma: float = 0.0
    vega: float = 0.0
    theta: float = 0.0

    def __add__(self, other: "Sensitivities") -> "Sensitivities":
        return Sensitivities(self.delta + other.delta, self.gamma + other.gamma, self.vega + other.vega, self.theta + other.theta)


UNKNOWN = Sensitivities(*[float("nan")] * 4)


def of_share(value: float) -> Sensitivities:
    """Of shares worth `value` dollars (negative when short)."""
    return Sensitivities(delta=value)


def of_option(
    spot: float, contracts: float, *, delta: float, gamma: float, vega: float, theta: float, multiplier: int = OPTION_MULTIPLIER
) -> Sensitivities:
    """Of signed `contracts`, from the Greeks of one unit."""
    units = contracts * multiplier
    return Sensitivities(delta * spot * units, gamma * spot**2 * units / 100, vega * units, theta * units)


def total(each: Iterable[Sensitivities]) -> Sensitivities:
    return reduce(Sensitivities.__add__, each, Sensitivities())
