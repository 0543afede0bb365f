"""Exact money in compiled code: cents and millionths of a dollar as 64-bit integers, rounded as `Decimal` rounds them.

What `CostModel` says in Decimals is said here in ratios of integers.
"""

from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numba import njit

from quant_site.market.execution import SESSIONS_A_YEAR, CostModel
from strategies.backtest.amounts import MICROS_A_CENT
from strategies.library.kernels import two_product

# Products below this are exact in 64 bits.
EXACT = 9e18
LARGEST_NUMERATOR, LARGEST_DENOMINATOR = 10**6, 10**15
# Without run-time allocation nothing is counted when an array is handed on: a fifth of the time, in code this small.
compiled = njit(nogil=True, error_model="numpy", _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)
# What runs at every close is written into its caller: handing arrays on costs more than what it does.
inlined = njit(nogil=True, error_model="numpy", _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True, forceinline=True)


class Costs(NamedTuple):
    """Ratios in lowest terms: commission in cents a share, and of a notional in millionths; what a price moves against who
    takes liquidity; a session's fee on borrowed worth. `least` is the lowest commission in cents."""

    share: int
    share_of: int
    least: int
    cap: int
    cap_of: int
    worse: int
    worse_of: int
    borrow: int
    borrow_of: int


@lru_cache(maxsize=64)
def costs_of(model: CostModel) -> Costs | None:
    """The ratios of `model`; None where it has more decimals than can be followed exactly."""
    share, cap = Fraction(model.commission_per_share) * 100, Fraction(model.commission_cap) / MICROS_A_CENT
    worse = (Fraction(model.half_spread_bps) + Fraction(model.slippage_bps)) / 10_000
    borrow = Fraction(model.borrow_rate) / SESSIONS_A_YEAR
    rates = (share, cap, worse, borrow)
    if not all(0 <= rate.numerator <= LARGEST_NUMERATOR and rate.denominator <= LARGEST_DENOMINATOR for rate in rates):
        return None
    least = round(Fraction(model.commission_minimum) * 100)
    terms = [(rate.numerator, rate.denominator) for rate in rates]
    return Costs(*terms[0], least, *terms[1], *terms[2], *terms[3])


@inlined
def half_even(numerator, denominator):
    """The quotient as a whole number, ties to the even one. `denominator` > 0."""
    whole = numerator // denominator
    twice = 2 * (numerator - whole * denominator)
    return whole + 1 if twice > denominator or (twice == denominator and whole & 1) else whole


@inlined
def cents(micros):
    """An amount in millionths of a dollar as whole cents."""
    return half_even(micros, MICROS_A_CENT)


@inlined
def product_ratio(a, b, c):
    """a·b / c as a whole number, ties to the even one, also where the product leaves 64 bits. c > 0; each below 2^53."""
    if abs(float(a) * float(b)) < EXACT:
        return half_even(a * b, c)
    whole = np.int64(np.rint(float(a) * float(b) / float(c)))
    left, left_rest = two_product(float(a), float(b))
    right, right_rest = two_product(float(whole), float(c))
    twice = 2.0 * ((left - right) + (left_rest - right_rest))
    if twice > c or (twice == c and whole & 1):
        return whole + 1
    if twice < -c or (twice == -c and whole & 1):
        return whole - 1
    return whole


@compiled
def commission(costs, quantity, price):
    """Cents for a fill of `quantity` > 0 shares at `price`."""
    by_share = max(half_even(quantity * costs.share, costs.share_of), costs.least)
    return min(by_share, product_ratio(quantity * price, costs.cap, costs.cap_of))


@compiled
def worse(costs, price, side):
    """What an order that takes liquidity pays (side 1) or receives (−1), rounded against it."""
    if side > 0:
        return price - (-price * costs.worse) // costs.worse_of
    return price + (-price * costs.worse) // costs.worse_of


@compiled
def borrowing(costs, micros):
    """Cents for a session of borrowing shares worth `micros` millionths of a dollar."""
    return product_ratio(micros, costs.borrow, costs.borrow_of * MICROS_A_CENT)


@compiled
def restated(price, numerator, denominator):
    """A price in shares after a split of numerator / denominator new ones for one."""
    return half_even(price * denominator, numerator)
