"""Exact money as integers: amounts in cents, prices in millionths of a dollar, rounded half to even as rows are."""

from decimal import Decimal
from fractions import Fraction
from math import floor, trunc

import numpy as np

from quant_site.core.types import price

MICROS = 1_000_000
MICROS_A_CENT = 10_000
# Farther than this from a half, a scaled double rounds the way its decimal digits do.
DOUBTFUL = 1e-3


def half_even(numerator: int, denominator: int) -> int:
    """The quotient as a whole number, ties to the even one. `denominator` > 0."""
    whole, rest = divmod(numerator, denominator)
    twice = 2 * rest
    return whole + (twice > denominator or (twice == denominator and whole & 1))


def rounded(value: Fraction) -> int:
    return half_even(value.numerator, value.denominator)


def cents(micros: int) -> int:
    """An amount in millionths as whole cents."""
    return half_even(micros, MICROS_A_CENT)


def money_in_cents(amount: Decimal) -> int:
    """An amount that is whole cents already."""
    return int(amount.scaleb(2))


def price_in_micros(level: Decimal | float) -> int:
    return int(price(level).scaleb(6))


def as_price(micros: int) -> Decimal:
    return Decimal(micros).scaleb(-6)


def as_money(amount: int) -> Decimal:
    return Decimal(amount).scaleb(-2)


def prices_in_micros(values: np.ndarray) -> list[int]:
    """Finite prices as `core.types.price` would round each, in one go."""
    scaled = values * MICROS
    micros = np.rint(scaled).astype(np.int64)
    for i in np.flatnonzero(np.abs(scaled - np.floor(scaled) - 0.5) < DOUBTFUL):
        micros[i] = price_in_micros(float(values[i]))
    return micros.tolist()


def largest_remainder(exact: list[Fraction], total: int) -> list[int]:
    """Whole numbers near `exact` that sum to `total`: the largest remainders are rounded up, ties to the earlier one."""
    shares = [floor(value) for value in exact]
    order = sorted(range(len(exact)), key=lambda i: (shares[i] - exact[i], i))
    for i in order[: total - sum(shares)]:
        shares[i] += 1
    return shares


def allocate(amount: int, weights: list[int]) -> list[int]:
    """Share `amount` out in proportion to `weights`, whose sum is not 0; exact in sum."""
    total = sum(weights)
    return largest_remainder([Fraction(amount * weight, total) for weight in weights], amount)


def whole(value: Fraction) -> int:
    """The whole part, towards zero."""
    return trunc(value)
