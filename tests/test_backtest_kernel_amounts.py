"""Money in compiled code is what `Decimal` makes of it; a rounded double is what round() makes of it."""

import math
import re
import sys
from dataclasses import replace
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from quant_site.core.types import Side
from quant_site.market.execution import CostModel
from strategies import risk
from strategies.backtest import kernel_amounts as amounts
from strategies.backtest import kernel_book as at
from strategies.backtest import kernel_record
from strategies.backtest.kernel_cache import SourceCache, cached_with
from strategies.backtest.kernel_loop import SOURCES, play_sets
from strategies.library import kernels
from tests.test_signals_risk import CONTEXT

# The first call compiles.
patient = settings(deadline=None)
MICRO = Decimal("0.000001")
WHOLE = st.integers(-(10**12), 10**12)
SHARES, MICROS = st.integers(1, 10**6), st.integers(1, 10**10)
RATES = st.decimals(0, 1, places=4)


def called(function):
    """A compiled helper, callable from Python."""
    return njit(lambda *given: function(*given), error_model="numpy")


half_even, product_ratio = called(amounts.half_even), called(amounts.product_ratio)
commission, worse, borrowing = called(amounts.commission), called(amounts.worse), called(amounts.borrowing)
restated, rounded, throttle = called(amounts.restated), called(kernels.rounded), called(risk.drawdown_throttle)
drawdown = called(kernel_record.drawdown)


@njit(error_model="numpy")
def follow(tally, before, equity):
    kernel_record.write(tally, kernel_record.followed(kernel_record.read(tally), before, equity, 0))


@patient
@given(WHOLE, st.integers(1, 10**6))
def test_quotients_are_rounded_half_to_even(numerator, denominator):
    assert half_even(numerator, denominator) == round(Fraction(numerator, denominator))


@pytest.mark.parametrize("numerator, rounded_to", [(5, 0), (15, 2), (25, 2), (-5, 0), (-15, -2), (-25, -2), (6, 1), (-6, -1)])
def test_ties_go_to_the_even_number(numerator, rounded_to):
    assert half_even(numerator, 10) == rounded_to


@patient
@given(st.integers(-(10**14), 10**14), st.integers(1, 10**13), st.integers(1, 10**14))
def test_products_that_leave_64_bits_are_still_exact(a, b, c):
    exact = Fraction(a * b, c)
    if abs(exact) < 2**52:
        assert product_ratio(a, b, c) == round(exact)


@patient
@given(st.integers(1, 10**9), st.integers(1, 10**9), st.integers(1, 10**5))
def test_ties_of_large_products_go_to_the_even_number(a, b, c):
    # (2a + 1)·b·c / (2·b·c) lies half-way between two whole numbers.
    assert product_ratio((2 * a + 1) * c, b, 2 * b * c) == round(Fraction(2 * a + 1, 2))


MODELS = st.builds(
    CostModel,
    commission_per_share=RATES,
    commission_minimum=st.decimals(0, 20, places=2),
    commission_cap=RATES,
    half_spread_bps=st.decimals(0, 50, places=2),
    slippage_bps=st.decimals(0, 50, places=2),
    borrow_rate=RATES,
)


@patient
@given(MODELS, SHARES, MICROS)
def test_costs_are_those_of_the_cost_model(model, shares, micros):
    costs, level = amounts.costs_of(model), Decimal(micros).scaleb(-6)
    assert commission(costs, shares, micros) == int(model.commission(Decimal(shares), level) * 100)
    for side in Side:
        assert worse(costs, micros, side.sign) == int(model.worse(level, side).scaleb(6))
    assert borrowing(costs, shares * micros) == int(model.borrowing(shares * level) * 100)


def test_costs_that_64_bits_cannot_follow_are_refused():
    assert amounts.costs_of(CostModel()) is not None
    assert amounts.costs_of(CostModel(slippage_bps=Decimal("0.123456789"))) is None


@patient
@given(MICROS, st.integers(1, 1000), st.integers(1, 1000))
def test_prices_are_restated_as_rows_are(micros, new, old):
    exact = Decimal(micros).scaleb(-6) * old / new
    assert restated(micros, new, old) == int(exact.quantize(MICRO, rounding=ROUND_HALF_EVEN).scaleb(6))


@patient
@given(st.floats(-1e8, 1e8) | st.decimals(-(10**5), 10**5, places=7).map(float) | st.integers(-(10**9), 10**9).map(lambda n: n / 2**20))
def test_doubles_are_rounded_as_round_does(value):
    assert rounded(value, 1e6) == round(value, 6)
    assert rounded(value, 1e4) == round(value, 4)


def test_what_is_not_finite_stays_as_it_is():
    assert math.isnan(rounded(math.nan, 1e6))
    assert rounded(math.inf, 1e6) == math.inf


@patient
@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=40))
def test_the_value_of_a_unit_is_compounded_as_snapshots_are(equities):
    """Rounded to ten decimals each session, in Decimals and in doubles; the drawdown to six."""
    before, unit, peak = 10**7, Decimal(1), Decimal(1)
    tally = np.zeros(at.TALLY)
    tally[at.UNIT] = tally[at.PEAK] = at.ONE
    tally[at.TOP], tally[at.INVERSE] = before, 1.0 / before
    for equity in equities:
        unit = (unit * (1 + (Decimal(equity) / before - 1))).quantize(Decimal("1e-10"), rounding=ROUND_HALF_EVEN)
        peak = max(peak, unit)
        follow(tally, before, equity)
        assert (int(unit.scaleb(10)), int(peak.scaleb(10))) == (tally[at.UNIT], tally[at.PEAK])
        assert drawdown(tally) == float((unit / peak - 1).quantize(MICRO, rounding=ROUND_HALF_EVEN))
        before = equity


@patient
@given(st.floats(0, 1), st.floats(0, 0.5))
def test_the_drawdown_throttle_is_that_of_the_risk_context(depth, limit):
    context = replace(CONTEXT, drawdown=-depth, limits=replace(CONTEXT.limits, max_drawdown_pct=limit))
    assert throttle(depth, limit) == context.throttle


def test_machine_code_is_kept_under_the_digest_of_all_it_was_made_from():
    assert play_sets._cache._index_key.__func__ is SourceCache._index_key
    assert len(play_sets._cache.digest) == 64
    others = [cached_with(module)(njit(lambda x: x)) for module in (amounts, kernels)]
    assert others[0]._cache.digest != others[1]._cache.digest


def test_no_module_of_the_compiled_account_is_left_out_of_that_digest():
    of_account = {name for name in sys.modules if re.fullmatch(r"strategies\.backtest\.kernel_\w+", name)}
    uncompiled = {"strategies.backtest.kernel_cache", "strategies.backtest.kernel_loop"}
    assert of_account - uncompiled <= {module.__name__ for module in SOURCES}
