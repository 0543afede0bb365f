"""Words and numbers that every floor shares: enumerations of the domain, and Decimals that cannot be NaN.

Money is in cents, prices and quantities carry six decimals. Arrays (float64) live in `market`; whatever becomes a
row or an order passes through one of the constructors here first.
"""

import math
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from enum import StrEnum

from quant_site.core.errors import InvalidInput

CENT = Decimal("0.01")
MICRO = Decimal("0.000001")
BASIS = Decimal("0.0001")


class Direction(StrEnum):
    LONG = "LONG"
    SHORT = "SHORT"
    CLOSE = "CLOSE"

    @property
    def sign(self) -> int:
        return {"LONG": 1, "SHORT": -1, "CLOSE": 0}[self.value]


class Side(StrEnum):
    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        return 1 if self is Side.BUY else -1


class OrderType(StrEnum):
    MARKET = "MKT"
    LIMIT = "LMT"
    STOP = "STP"


class Mode(StrEnum):
    DRY_RUN = "DRY_RUN"
    REAL = "REAL"


def decimal(value, quantum: Decimal, what: str) -> Decimal:
    """`value` (str, int, float or Decimal) as a finite Decimal rounded half-even to `quantum`.

    Raises `InvalidInput` for anything that is not a finite number.
    """
    if isinstance(value, bool):
        raise InvalidInput("not_a_number", f"{what} must be a number, not {value!r}.")
    try:
        number = value if isinstance(value, Decimal) else Decimal(str(value))
        if not number.is_finite():
            raise InvalidOperation
        return number.quantize(quantum, rounding=ROUND_HALF_EVEN)
    except (InvalidOperation, ValueError) as error:
        raise InvalidInput("not_a_number", f"{what} must be a finite number, not {value!r}.") from error


def money(value, what: str = "The amount") -> Decimal:
    """Cents."""
    return decimal(value, CENT, what)


def price(value, what: str = "The price") -> Decimal:
    """A price per unit with six decimals."""
    return decimal(value, MICRO, what)


def quantity(value, what: str = "The quantity") -> Decimal:
    """A number of shares or contracts with six decimals."""
    return decimal(value, MICRO, what)


def ratio(value, what: str = "The ratio") -> Decimal:
    """A share, return or weight with six decimals."""
    return decimal(value, MICRO, what)


def score(value, what: str = "The score") -> Decimal:
    """A score with four decimals."""
    return decimal(value, BASIS, what)


def optional(constructor, value, *args):
    """`constructor(value)`, or None where the value is None or an undefined float."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return constructor(value, *args)
