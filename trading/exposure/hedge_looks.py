"""What a hedge policy sees at the close of a session: the exposure it is about, what it wants, and the shares between the two.

Nothing is read from the database here. Where a part of the exposure is unknown, so is the whole: then nothing is traded,
for a hedge of the rest could make things worse.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import NamedTuple

from quant_site.market.execution import CostModel
from quant_site.market.options.chain import years_until
from quant_site.market.options.contracts import OPTION_MULTIPLIER, multiplier_of, parse_contract
from strategies.risk.holdings import MISSING_GREEK, Measured
from trading.exposure.hedging import Hedge, absolute_aversion, beta_hedge, delta_hedge, mean_discount, proportional_cost, whalley_wilmott
from trading.exposure.measures import Measures
from trading.models import HedgePolicy


class Held(NamedTuple):
    """Signed shares or contracts of one symbol; `own` says that this policy's hedge holds them."""

    symbol: str
    quantity: float
    own: bool = False


@dataclass(frozen=True)
class Look:
    """The hedge there is to make at `price`, or the reason ("CODE: sentence") why that is not known."""

    hedge: Hedge | None
    reason: str = ""
    price: float | None = None


class _Unknown(Exception):
    """A part that cannot be measured."""


def policy_look(policy: HedgePolicy, held: Sequence[Held], measures: Measures, *, equity: float, costs: CostModel) -> Look:
    """The look of `policy` at an account that holds `held` and is worth `equity`."""
    try:
        if equity <= 0:
            raise _Unknown("NO_EQUITY: The account is worth nothing, so no share of it can be a target.")
        price = _price_now(policy.symbol, measures)
        make = _beta_hedge if policy.kind == HedgePolicy.Kind.BETA else _delta_hedge
        return Look(make(policy, held, measures, equity, price, costs), price=price)
    except _Unknown as unknown:
        return Look(None, str(unknown))


def _price_now(symbol: str, measures: Measures) -> float:
    """The close of the session itself: nothing is traded on an older one."""
    held = measures.panel.holding(symbol)
    price = float(held[0].close[held[1], measures.t]) if held else float("nan")
    if not isfinite(price):
        raise _Unknown(f"NO_PRICE: {symbol} has no bar of {measures.session}.")
    return price


def _beta_hedge(policy, held: Sequence[Held], measures: Measures, equity: float, price: float, _costs) -> Hedge:
    """All positions, the hedge among them, in dollars of beta to the hedge's own symbol."""
    parts = (measures.beta_dollars(each.symbol, each.quantity, policy.symbol) for each in held)
    exposure = _total(parts)
    return beta_hedge(exposure, float(policy.target) * equity, float(policy.band) * equity, price, multiplier_of(policy.symbol))


def _delta_hedge(policy, held: Sequence[Held], measures: Measures, equity: float, price: float, costs: CostModel) -> Hedge:
    """The options on the policy's symbol, and the shares that hedge them; shares that others hold are no part of it."""
    options = [each for each in held if (contract := parse_contract(each.symbol)) and contract.underlying == policy.symbol]
    ours = [each for each in held if each.own]
    exposure = _total(measures.delta_dollars(each.symbol, each.quantity) for each in (*options, *ours))
    target = float(policy.target) * equity
    width = _band(policy, options, measures, equity, price, costs)
    return delta_hedge(exposure, target, width * price, price)


def _band(policy, options: Sequence[Held], measures: Measures, equity: float, price: float, costs: CostModel) -> float:
    """Half the width, in shares; 0 without gamma: then a hedge once made stays right, and there is nothing to wait for."""
    gammas = [_gamma(each, measures) for each in options]
    years = [float(years_until(parse_contract(each.symbol).expiry, measures.session, "CLOSE")) for each in options]
    rate, _ = measures.options.terms(policy.symbol, measures.t)
    return whalley_wilmott(
        sum(gammas),
        price,
        cost=proportional_cost(costs, price),
        aversion=absolute_aversion(float(policy.risk_aversion), equity),
        discount=mean_discount(gammas, years, rate),
    )


def _gamma(each: Held, measures: Measures) -> float:
    """Of all its contracts: shares a dollar."""
    quote = measures.options.quote(each.symbol, measures.t, "CLOSE")
    if quote is None or not isfinite(quote.gamma):
        raise _Unknown(f"{MISSING_GREEK}: {each.symbol} has no gamma.")
    return quote.gamma * OPTION_MULTIPLIER * each.quantity


def _total(parts: Iterable[Measured]) -> float:
    total = 0.0
    for part in parts:
        if part.value is None:
            raise _Unknown(f"{part.code}: {part.reason}")
        total += part.value
    return total
