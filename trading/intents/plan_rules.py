"""What a plan means in prices: their order, when the entry is reached, and gain against risk. Pure: Decimals in, Decimals out.

A plan is a PULLBACK (wait until the price comes to the entry or to a better one, and enter by a limit there), a BREAKOUT
(wait until the price passes the entry in the direction of the order) or MARKET (enter at the next price). To CLOSE is to
trade against what is held: the `sign` of an order is 1 where it buys and -1 where it sells, whatever the plan is called.
"""

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

from quant_site.core.errors import InvalidInput
from quant_site.core.types import BASIS, Side
from quant_site.market.execution import CostModel

PULLBACK, BREAKOUT, MARKET = "PULLBACK", "BREAKOUT", "MARKET"
MICROS = Decimal(1_000_000)
# What a price can be: far above any that is quoted, and in micros far within 64 bits.
LARGEST_PRICE = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Level:
    """A price in micros, and on which side of it the price has to be: at it and above, else at it and below."""

    price: int
    above: bool

    def reached(self, price: int) -> bool:
        return price >= self.price if self.above else price <= self.price


@dataclass(frozen=True)
class RiskReward:
    """Gain at the target for one of risk at the stop, net of costs, rounded down; None with a reason where it has none."""

    value: Decimal | None
    reason: str = ""


def micros(price: Decimal) -> int:
    """A price of at most six decimals as an integer."""
    return int(price * MICROS)


def entry_level(plan_type: str, sign: int, entry: Decimal | None) -> Level:
    """Where the price has to be for an order of `sign` to go out by itself."""
    if plan_type == MARKET or entry is None:
        return Level(0, above=True)
    return Level(micros(entry), above=(sign > 0) == (plan_type == BREAKOUT))


def prices_check(direction: str, entry: Decimal | None, stop: Decimal | None, target: Decimal | None) -> None:
    """Raise `InvalidInput` unless every price can be one and stop < entry < target (reversed for a SHORT), where given."""
    for name, price in (("entry", entry), ("stop", stop), ("target", target)):
        if price is not None and not 0 < price <= LARGEST_PRICE:
            message = f"The {name} must be above zero and at most {LARGEST_PRICE}, not {price.normalize():f}."
            raise InvalidInput("bad_price", message, field=name)
    if direction == "CLOSE":
        if stop is not None or target is not None:
            raise InvalidInput("close_has_no_levels", "What closes a position has neither stop nor target: leave them empty.")
        return
    given = [price for price in (stop, entry, target) if price is not None]
    if given != sorted(set(given), reverse=direction == "SHORT"):
        words = "stop < entry < target" if direction == "LONG" else "target < entry < stop"
        raise InvalidInput("levels_out_of_order", f"A {direction} needs {words}.", entry=str(entry), stop=str(stop), target=str(target))


def quantity_check(direction: str, quantity: Decimal | None) -> None:
    """Raise `InvalidInput` unless the quantity is whole and above zero; only a CLOSE may leave it out (all that is held)."""
    if quantity is None:
        if direction != "CLOSE":
            raise InvalidInput("bad_quantity", "Give a quantity: only what closes a position may leave it out, to close all of it.")
    elif quantity <= 0 or quantity != quantity.to_integral_value():
        raise InvalidInput("bad_quantity", f"The quantity must be a whole number above zero, not {quantity.normalize():f}.")


def risk_reward(
    *,
    direction: str,
    plan_type: str,
    entry: Decimal | None,
    stop: Decimal | None,
    target: Decimal | None,
    quantity: Decimal | None,
    costs: CostModel,
) -> RiskReward:
    """Gain against risk of the whole plan. Commissions are paid on both ways; spread and slippage where an order takes
    liquidity: at the stop, and at an entry that is no limit."""
    if direction == "CLOSE":
        return RiskReward(None, "A plan that closes has none.")
    missing = [name for name, value in (("entry", entry), ("stop", stop), ("target", target), ("quantity", quantity)) if value is None]
    if missing:
        return RiskReward(None, f"It needs {' and '.join(missing)}.")
    enters, leaves = (Side.BUY, Side.SELL) if direction == "LONG" else (Side.SELL, Side.BUY)
    paid = entry if plan_type == PULLBACK else costs.worse(entry, enters)
    into = costs.commission(quantity, paid)
    gain = enters.sign * (target - paid) * quantity - into - costs.commission(quantity, target)
    lost = costs.worse(stop, leaves)
    risk = enters.sign * (paid - lost) * quantity + into + costs.commission(quantity, lost)
    return RiskReward((gain / risk).quantize(BASIS, rounding=ROUND_FLOOR))
