"""The words of a simulated account: what is on its way, an order, and a fill."""

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from quant_site.core.types import Direction, OrderType, Side
from strategies.backtest.amounts import MICROS, half_even
from strategies.backtest.result import PURPOSES

ENTRY, EXIT, REDUCE, STOP, TARGET = range(len(PURPOSES))
WORKING, FILLED, CANCELLED, EXPIRED, REJECTED = "WORKING", "FILLED", "CANCELLED", "EXPIRED", "REJECTED"
# What a broker lends: positions and orders of this many times what the account is worth.
LEVERAGE = 2
# Splits are ratios of small whole numbers; decimals of one stand for the nearest of them.
LARGEST_SPLIT_TERM = 1000


@dataclass(slots=True, eq=False)
class Signal:
    """An entry on its way, decided at the close of column `decided`; `quantities` are signed, by symbol in the order in which
    they are ordered. Levels are in millionths of a dollar, in shares of that session."""

    group: str
    direction: Direction
    decided: int
    quantities: dict[str, int]
    stop: int | None
    target: int | None
    metadata: dict[str, Any]
    orders: list["Order"] = field(default_factory=list)
    failed: bool = False


class Leg(NamedTuple):
    """One symbol of an order; `ratio` are its contracts in one unit."""

    symbol: str
    side: Side
    ratio: int = 1


@dataclass(slots=True, eq=False)
class Order:
    """`after` is the column of the last session it may not trade in; `level` its stop or limit in millionths; `factor` new
    shares for one old since it was made. `reason` says why one that did not fill ended.

    One with `legs`, sorted by symbol, trades all of them or none; its symbol is the trade's group, its quantity in units.
    `positions` are those it reduces, one for each leg."""

    number: int
    purpose: int
    symbol: str
    side: Side
    type: OrderType
    quantity: int
    after: int
    day: bool = True
    level: int | None = None
    signal: Signal | None = None
    positions: tuple[Any, ...] = ()
    legs: tuple[Leg, ...] = ()
    factor: Fraction = Fraction(1)
    status: str = WORKING
    reason: str = ""
    # What it trades: its legs, or the one that it is.
    trades: tuple[Leg, ...] = field(init=False)

    def __post_init__(self):
        self.trades = self.legs or (Leg(self.symbol, self.side),)

    @property
    def reducing(self) -> bool:
        return self.purpose != ENTRY

    @property
    def group(self) -> str:
        return self.signal.group

    def position_in(self, symbol: str) -> Any:
        """The one of `positions` that is held in `symbol`."""
        return next(position for position in self.positions if position.symbol == symbol)

    def signed(self) -> list[tuple[str, int]]:
        """Signed shares or contracts by symbol."""
        return [(leg.symbol, leg.side.sign * leg.ratio * self.quantity) for leg in self.trades]

    def price_on(self, bar: tuple[float, float, float], rule) -> float | None:
        """What it trades at on a bar before costs, by a rule of `market.execution`; None where it does not."""
        level = None if self.level is None else self.level / MICROS
        return rule(self.type, self.side, level, level, *bar)


class Execution(NamedTuple):
    """A fill of one leg; `price` in millionths of a dollar a unit, `amount` and `commission` in cents."""

    order: Order
    symbol: str
    side: Side
    quantity: int
    price: int
    amount: int
    commission: int


def split_ratio(ratio: Decimal) -> Fraction:
    """New shares for one old, as the simple fraction that the decimals stand for."""
    return Fraction(ratio).limit_denominator(LARGEST_SPLIT_TERM)


def restated(level: int, factor: Fraction) -> int:
    """A price in shares after a split."""
    return half_even(level * factor.denominator, factor.numerator)
