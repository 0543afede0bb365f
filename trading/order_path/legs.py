"""The legs of an order that trades several symbols as one: how they are written down, and what their fills make of the order.

Pure. `legs` are as an order keeps them: [{symbol, side, ratio, decision}] sorted by symbol, `ratio` the contracts in one unit,
`decision` the leg's decision price as text or None. `filled` are contracts by symbol.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from quant_site.core.errors import InvalidInput
from quant_site.core.types import Side, optional, price
from strategies.units import in_units

Legs = Sequence[Mapping]


def legs_written(legs: Legs) -> list[dict]:
    """`legs` as an order keeps them; without any, none. Raises `InvalidInput` for one leg, for a symbol twice, and for a ratio
    that is not a whole number above zero."""
    symbols = [leg["symbol"] for leg in legs]
    if len(legs) == 1 or len(set(symbols)) < len(symbols):
        raise InvalidInput("bad_legs", "An order of several legs needs two of them at least, and each in a symbol of its own.")
    return sorted(map(_written, legs), key=lambda leg: leg["symbol"])


def _written(leg: Mapping) -> dict:
    ratio, side, decision = leg["ratio"], leg["side"], optional(price, leg.get("decision"))
    if not isinstance(ratio, int) or ratio < 1 or side not in set(Side):
        raise InvalidInput("bad_legs", f"A leg buys or sells a whole number of contracts in each unit, not {side} {ratio}.")
    decision = optional(price, leg.get("decision"))
    return {
        "symbol": leg["symbol"],
        "side": str(side),
        "ratio": ratio,
        "decision": None if decision is None else f"{decision.normalize():f}",
    }


def legs_of(signed: Mapping[str, int | Decimal], decisions: Mapping[str, Decimal | float | None]) -> tuple[int, list[dict]]:
    """Whole units, and the legs of one, of an order that trades `signed` contracts by symbol, decided at these prices."""
    units, ratios = in_units(signed)
    legs = [
        {"symbol": symbol, "side": Side.BUY if ratio > 0 else Side.SELL, "ratio": abs(ratio), "decision": decisions.get(symbol)}
        for symbol, ratio in ratios.items()
    ]
    return units, legs_written(legs)


def legs_content(legs: Legs) -> list[tuple[str, str, int]]:
    """What makes two orders of legs the same order: not the prices they were decided at."""
    return [(leg["symbol"], leg["side"], leg["ratio"]) for leg in legs]


def net_price(legs: Legs, prices: Mapping[str, Decimal | None]) -> Decimal | None:
    """What one unit costs where its legs cost `prices`, negative where it is received; None where a leg has no price."""
    known = [prices.get(leg["symbol"]) for leg in legs]
    if None in known:
        return None
    return price(sum(Side(leg["side"]).sign * leg["ratio"] * Decimal(paid) for leg, paid in zip(legs, known, strict=True)))


def net_decision(legs: Legs) -> Decimal | None:
    """The decision price of one unit; None where that of a leg is not known."""
    return net_price(legs, {leg["symbol"]: None if leg["decision"] is None else Decimal(leg["decision"]) for leg in legs})


# --- fills


def units_filled(legs: Legs, filled: Mapping[str, Decimal]) -> Decimal:
    """Whole units of which every leg is filled."""
    return min(filled.get(leg["symbol"], Decimal(0)) // leg["ratio"] for leg in legs)


def is_even(legs: Legs, filled: Mapping[str, Decimal]) -> bool:
    """Whether what is filled are whole units, and nothing beside them."""
    units = units_filled(legs, filled)
    return all(filled.get(leg["symbol"], Decimal(0)) == units * leg["ratio"] for leg in legs)


def overfilled(legs: Legs, quantity: Decimal, filled: Mapping[str, Decimal]) -> tuple[str, Decimal, Decimal] | None:
    """The first leg of which more is filled than `quantity` units have: its symbol, what is filled, what was ordered."""
    found = ((leg["symbol"], filled.get(leg["symbol"], Decimal(0)), quantity * leg["ratio"]) for leg in legs)
    return next((each for each in found if each[1] > each[2]), None)
