"""How much of an open trade a partial exit closes. Pure; live trading and backtests share it."""

from collections.abc import Mapping
from decimal import ROUND_FLOOR, Decimal


def reductions(quantities: Mapping[str, Decimal | int], portion: float) -> dict[str, int]:
    """Whole shares or contracts to close of each leg of a trade, unsigned: floor(|quantity| × portion), exact in decimals.

    A trade of several legs is reduced in all of them or in none, for its legs belong together: where one would keep
    everything the answer is empty, as it is for a `portion` too small to close one share.
    """
    share = Decimal(str(portion))
    closing = {symbol: int((abs(Decimal(held)) * share).to_integral_value(ROUND_FLOOR)) for symbol, held in quantities.items()}
    return closing if all(closing.values()) else {}
