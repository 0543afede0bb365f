"""Where the profit of a session came from: the arithmetic of its dimensions, exact to the cent. Pure.

STRATEGY, SYMBOL and SECTOR share out the change of realised + dividends + unrealised P&L of the positions. STAGE asks which
stage of the loop made it. For a fill of q shares (contracts times their multiplier) on side s (1 a purchase, −1 a sale), decided
at d, that could trade at r before costs and traded at p:

    FEE        −Σ commissions
    TIMING     Σ s·(d − r)·q   what came between the decision and the market; below zero is a cost
    PRICE      Σ s·(r − p)·q   what was paid beyond the market's price; below zero is a cost
    DATA       dividends, borrowing, and cash in lieu beyond what the fraction of a share was worth
    SIZE       −Σ what trades that ended would have made more in the size that their strategy asked for, before the account's room
    REJECTION  −Σ what signals would have made that were rejected or never filled, in the session in which it is known
    SIGNAL     the rest: what the signals would have made, all of them as they were asked for, at their decision prices and without costs

r is the open of the session; of a stop or limit its own level, or the open where the market had gone through it; of an option
the mid at the open. Where r is not known the difference is PRICE, without a decision price it is the fill's own. The settlement
of an option is the end of its price and so part of SIGNAL. TIMING + PRICE is the implementation shortfall of what was filled
(Perold 1988) with its sign turned. SIZE is known, like REJECTION, in the session in which a trade is over.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from quant_site.core.errors import LedgerMismatch
from quant_site.core.types import OrderType, money

ZERO = Decimal("0.00")
UNKNOWN = "UNKNOWN"
Owner = tuple[str, str]
Key = TypeVar("Key")


class Dimension(StrEnum):
    STRATEGY = "STRATEGY"
    SYMBOL = "SYMBOL"
    SECTOR = "SECTOR"
    STAGE = "STAGE"


class Stage(StrEnum):
    SIGNAL = "SIGNAL"
    SIZE = "SIZE"
    REJECTION = "REJECTION"
    TIMING = "TIMING"
    PRICE = "PRICE"
    FEE = "FEE"
    DATA = "DATA"


@dataclass(frozen=True)
class Executed:
    """A fill: `side` 1 or −1, `quantity` in shares or units of an option's underlying, prices per unit."""

    side: int
    quantity: Decimal
    price: Decimal
    decision: Decimal | None
    reference: Decimal | None

    @property
    def shortfall(self) -> Decimal:
        """TIMING + PRICE."""
        return ZERO if self.decision is None else money(self.side * (self.decision - self.price) * self.quantity)

    @property
    def timing(self) -> Decimal:
        known = self.decision is not None and self.reference is not None
        return money(self.side * (self.decision - self.reference) * self.quantity) if known else ZERO


def reference_price(order_type: str, side: int, level: Decimal | None, open_: Decimal | None) -> Decimal | None:
    """What an order could trade at before costs: the open, or a level within the day that the open had not gone through."""
    if order_type == OrderType.MARKET or level is None or open_ is None:
        return open_
    through = side * (open_ - level) >= 0 if order_type == OrderType.STOP else side * (open_ - level) <= 0
    return open_ if through else level


def changes(now: Mapping[Owner, Decimal], before: Mapping[Owner, Decimal]) -> dict[Owner, Decimal]:
    """By (strategy, symbol) what the P&L of its positions changed by; `before` knows those that were open."""
    return {owner: now.get(owner, ZERO) - before.get(owner, ZERO) for owner in sorted({*now, *before})}


def grouped(amounts: Mapping[Key, Decimal], key: Callable[[Key], str]) -> dict[str, Decimal]:
    """Sums by `key`, in its order; what came to nothing is left out."""
    sums: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for owner, amount in amounts.items():
        sums[key(owner)] += amount
    return {name: sums[name] for name in sorted(sums) if sums[name]}


def stages(total: Decimal, fills: list[Executed], *, fees: Decimal, data: Decimal, missed: Decimal, smaller: Decimal) -> dict[str, Decimal]:
    """Every stage, also those of nothing. `fees` and `data` as they moved cash, `missed` what missed signals would have made,
    `smaller` what trades would have made more in the size that was asked for."""
    timing = sum((fill.timing for fill in fills), ZERO)
    price = sum((fill.shortfall for fill in fills), ZERO) - timing
    known = {Stage.SIZE: -smaller, Stage.REJECTION: -missed, Stage.TIMING: timing, Stage.PRICE: price, Stage.FEE: fees, Stage.DATA: data}
    return {str(stage): amount for stage, amount in {Stage.SIGNAL: total - sum(known.values(), ZERO), **known}.items()}


def tied(buckets: Mapping[str, Mapping[str, Decimal]], total: Decimal) -> dict[str, dict[str, str]]:
    """`buckets` as text of cents; raises `LedgerMismatch` naming every dimension that does not add up to `total`."""
    sums = {dimension: sum(amounts.values(), ZERO) for dimension, amounts in buckets.items()}
    off = {dimension: str(found) for dimension, found in sums.items() if found != total}
    if off:
        told = ", ".join(f"{dimension} to {found}" for dimension, found in off.items())
        raise LedgerMismatch(
            "attribution_mismatch", f"The session made {total}, its attribution adds up by {told}.", total=str(total), sums=off
        )
    return {str(dimension): {key: f"{money(amount):f}" for key, amount in amounts.items()} for dimension, amounts in buckets.items()}
