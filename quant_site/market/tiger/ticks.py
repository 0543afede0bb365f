"""Which prices a contract can have. Pure.

Where Tiger does not say, the rules that hold for every contract do: a stock above a dollar trades in cents, below in
hundredths of one (Rule 612 of Regulation NMS); every option class takes multiples of 0.05 below 3 dollars and of 0.10 from
there on, and several options as one trade for a net price in cents.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from quant_site.core.types import Side
from quant_site.market.tiger.values import number

CENT = Decimal("0.01")
INFINITY = Decimal("1e15")


@dataclass(frozen=True)
class Tick:
    """Prices from `begin` up to `end` are `begin` plus multiples of `size`."""

    begin: Decimal
    end: Decimal
    size: Decimal


STOCK_TICKS = (Tick(Decimal(0), Decimal(1), Decimal("0.0001")), Tick(Decimal(1), INFINITY, CENT))
OPTION_TICKS = (Tick(Decimal(0), Decimal(3), Decimal("0.05")), Tick(Decimal(3), INFINITY, Decimal("0.10")))
COMBO_TICKS = (Tick(Decimal(0), INFINITY, CENT),)


def ticks_of(items: Iterable[Mapping[str, Any]] | None) -> tuple[Tick, ...]:
    """The table of a contract's `tickSizes`, lowest first; empty where it is none."""
    found = []
    for item in items or ():
        begin, size = number(item.get("begin")), number(item.get("tickSize") or item.get("tick_size"))
        end = number(item.get("end"))
        if begin is None or size is None or size <= 0:
            return ()
        found.append(Tick(begin, INFINITY if end is None else end, size))
    return tuple(sorted(found, key=lambda tick: tick.begin))


def on_tick(price: Decimal, ticks: tuple[Tick, ...], side: str) -> Decimal:
    """The tick at `price`, else the next one below for a purchase and above for a sale: a limit is never worse than the one
    that was decided, a stop never reached later. A negative price (a combo's credit) lies on the ticks of its size."""
    size = abs(price)
    tick = next((tick for tick in reversed(ticks) if size >= tick.begin), ticks[0])
    base = tick.begin.copy_sign(price)
    rounding = ROUND_CEILING if side == Side.SELL else ROUND_FLOOR
    return base + ((price - base) / tick.size).quantize(Decimal(1), rounding=rounding) * tick.size
