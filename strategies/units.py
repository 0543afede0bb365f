"""Structures of options in whole units: which contracts of a trade are one order, and how many units of which legs they are.

Pure; live trading and backtests share it.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from math import gcd

from quant_site.market.options.contracts import parse_contract


def legs_together(symbols: Iterable[str]) -> list[str]:
    """The options among the `symbols` of a trade, sorted, where they are several: the legs of one order. All others trade by
    themselves, for brokers have no combinations of shares."""
    options = sorted(symbol for symbol in symbols if parse_contract(symbol))
    return options if len(options) > 1 else []


def in_units(quantities: Mapping[str, int | Decimal]) -> tuple[int, dict[str, int]]:
    """How many equal units `quantities` (signed whole contracts by symbol, none of them 0) are, and the signed contracts of one
    by symbol, sorted. Ratios come in their lowest terms, as brokers want them."""
    units = gcd(*(int(quantity) for quantity in quantities.values()))
    return units, {symbol: int(quantities[symbol]) // units for symbol in sorted(quantities)}
