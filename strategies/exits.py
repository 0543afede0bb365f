"""How much of an open trade a partial exit closes. Pure; live trading and backtests share it."""

from collections.abc import Mapping
from decimal import ROUND_FLOOR, Decimal

from strategies.units import in_units, legs_together


def reductions(quantities: Mapping[str, Decimal | int], portion: float) -> dict[str, int]:
    """Whole shares or contracts to close of each leg of a trade, unsigned: floor(|quantity| × portion), exact in decimals.

    Options that trade as one order are reduced by whole units of it: floor(units × portion) of every leg. A trade of several
    legs is reduced in all of them or in none, for its legs belong together: where one would keep everything the answer is
    empty, as it is for a `portion` too small to close one share.
    """
    share = Decimal(str(portion))
    closing = {symbol: _floor(abs(Decimal(held)) * share) for symbol, held in quantities.items()}
    legs = legs_together(quantities)
    if legs:
        units, ratios = in_units({symbol: quantities[symbol] for symbol in legs})
        closing |= {symbol: _floor(units * share) * abs(ratio) for symbol, ratio in ratios.items()}
    return closing if all(closing.values()) else {}


def _floor(value: Decimal) -> int:
    return int(value.to_integral_value(ROUND_FLOOR))
