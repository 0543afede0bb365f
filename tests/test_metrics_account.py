"""Exposure, turnover, returns of money that comes and goes, and what an order cost: by hand and against plain loops."""

import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_site.core import stats
from quant_site.core.errors import InvalidInput
from quant_site.core.stats import Metric, Undefined
from quant_site.core.types import Side

amounts = st.floats(0, 1e6, allow_subnormal=False)


# --- turnover


def test_turnover_is_the_smaller_side_over_mean_equity():
    assert stats.turnover([500, 0, 1500], [300, 400], [1000, 2000, 3000]) == Metric(0.35, None, 3)
    assert stats.turnover([300, 400], [500, 0, 1500], [1000, 2000, 3000]) == Metric(0.35, None, 3)


def test_who_never_sold_has_turned_nothing_over():
    assert stats.turnover([500], [], [1000]) == Metric(0.0, None, 1)


def test_turnover_without_equity_is_undefined():
    assert stats.turnover([1], [1], []) == Metric(None, Undefined.NO_DATA, 0)
    assert stats.turnover([1], [1], [-5, 5]) == Metric(None, Undefined.NO_EQUITY, 2)


def test_a_sale_written_as_a_negative_amount_is_refused_and_named():
    with pytest.raises(InvalidInput, match=r"Sells: observation 2 of 2 is -5\.0; it must be zero or more"):
        stats.turnover([1], [1, -5], [100])


@settings(max_examples=60, deadline=None)
@given(st.lists(amounts, max_size=20), st.lists(amounts, max_size=20), st.lists(st.floats(1, 1e6), min_size=1, max_size=20))
def test_turnover_is_that_of_plain_sums(buys, sells, equity):
    expected = min(math.fsum(buys), math.fsum(sells)) / (math.fsum(equity) / len(equity))
    assert stats.turnover(buys, sells, equity).value == pytest.approx(expected, rel=1e-9)


# --- money that comes and goes


def test_the_modified_dietz_return_of_the_worked_example():
    assert stats.modified_dietz(100_000, 112_000, [10_000], [10], 30) == Metric(0.01875, None, 1)


def test_the_modified_dietz_return_takes_decimals_and_no_flow():
    assert stats.modified_dietz(Decimal("100.00"), Decimal("110.00"), [], [], 30).value == pytest.approx(0.10)


def test_a_flow_on_the_last_day_earned_nothing_and_one_on_day_zero_was_there_throughout():
    assert stats.modified_dietz(100, 160, [50], [30], 30).value == pytest.approx(10 / 100)
    assert stats.modified_dietz(100, 160, [50], [0], 30).value == pytest.approx(10 / 150)
    assert stats.modified_dietz(100, 55, [-50], [15], 30).value == pytest.approx(5 / 75)


@pytest.mark.parametrize(("start", "flow"), [(0, 0), (100, -200), (-10, 0)])
def test_the_modified_dietz_return_on_no_capital_is_undefined(start, flow):
    assert stats.modified_dietz(start, 50, [flow], [0], 30) == Metric(None, Undefined.NO_EQUITY, 1)


@pytest.mark.parametrize("day", [-1, 31])
def test_a_flow_outside_its_period_is_refused_and_named(day):
    with pytest.raises(InvalidInput, match="Flow 2 of 2 is on day") as caught:
        stats.modified_dietz(100, 100, [1, 1], [5, day], 30)
    assert caught.value.details["at"] == 1


def test_a_period_of_no_days_or_a_flow_without_a_day_is_refused():
    with pytest.raises(InvalidInput, match="longer than"):
        stats.modified_dietz(100, 100, [], [], 0)
    with pytest.raises(InvalidInput, match="one day per flow; the lengths are 1, 0"):
        stats.modified_dietz(100, 100, [1], [], 30)
    with pytest.raises(InvalidInput, match="value at the end must be a finite number"):
        stats.modified_dietz(100, math.nan, [], [], 30)


def test_the_time_weighted_return_does_not_see_the_size_of_flows():
    # +10 %, then 890 are paid in, then −5 %.
    found = stats.time_weighted_return_of([100, 110, 950], [0, 890])
    assert (found.value, found.n) == (pytest.approx(1.10 * 0.95 - 1), 2)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(-0.5, 0.5), st.floats(0, 1000)), min_size=1, max_size=30))
def test_the_time_weighted_return_from_valuations_is_that_of_the_returns_behind_them(stretches):
    values, flows = [100.0], []
    for change, flow in stretches:
        flows.append(flow)
        values.append((values[-1] + flow) * (1 + change))
    expected = stats.time_weighted_return([change for change, _ in stretches])
    assert stats.time_weighted_return_of(values, flows).value == pytest.approx(expected.value, rel=1e-9, abs=1e-12)


def test_where_nothing_was_left_to_invest_there_is_no_time_weighted_return():
    assert stats.time_weighted_return_of([100, 110, 50], [0, -110]) == Metric(None, Undefined.NO_EQUITY, 2)
    assert stats.time_weighted_return_of([100], []) == Metric(None, Undefined.NO_DATA, 0)


def test_the_time_weighted_return_needs_one_value_more_than_flows():
    with pytest.raises(InvalidInput, match="2 values and 2 flows"):
        stats.time_weighted_return_of([100, 110], [0, 0])


# --- implementation shortfall


def test_the_shortfall_of_a_purchase_counts_slippage_fees_and_what_was_missed():
    # 600 at 50.10 and 200 at 50.20 against 50.00, 12 of fees, 200 never bought and 0.50 dearer at the close.
    found = stats.implementation_shortfall(Side.BUY, 50.0, 50.5, [50.1, 50.2], [600, 200], unfilled=200, fees=12)
    assert (found.value, found.n) == (pytest.approx(60 + 40 + 12 + 100), 2)


def test_the_shortfall_of_a_sale_is_mirrored_but_its_fees_are_not():
    found = stats.implementation_shortfall(Side.SELL, 50.0, 50.5, [50.1, 50.2], [600, 200], unfilled=200, fees=12)
    assert found.value == pytest.approx(-60 - 40 + 12 - 100)


def test_an_order_that_never_filled_cost_what_was_missed():
    assert stats.implementation_shortfall(Side.BUY, 50, 52, [], [], unfilled=100) == Metric(200.0, None, 0)


def test_an_order_of_no_quantity_has_no_shortfall():
    assert stats.implementation_shortfall(Side.BUY, 50, 52, [], []) == Metric(None, Undefined.NO_DATA, 0)


def test_the_shortfall_is_what_the_paper_portfolio_made_beyond_the_real_one():
    decision, close, unfilled, fees = 20.0, 21.5, 30.0, 4.5
    prices, quantities = np.array([20.1, 20.4, 19.9]), np.array([100, 50, 70])
    paper = (close - decision) * (quantities.sum() + unfilled)
    real = ((close - prices) * quantities).sum() - fees
    found = stats.implementation_shortfall(Side.BUY, decision, close, prices, quantities, unfilled, fees)
    assert found.value == pytest.approx(paper - real)


def test_a_negative_quantity_or_a_missing_price_is_refused():
    with pytest.raises(InvalidInput, match=r"Quantities: observation 1 of 1 is -5\.0"):
        stats.implementation_shortfall(Side.SELL, 50, 52, [50], [-5])
    with pytest.raises(InvalidInput, match="Unfilled quantity"):
        stats.implementation_shortfall(Side.SELL, 50, 52, [50], [5], unfilled=-1)
    with pytest.raises(InvalidInput, match="one quantity per fill price; the lengths are 2, 1"):
        stats.implementation_shortfall(Side.BUY, 50, 52, [50], [5, 6])
    with pytest.raises(InvalidInput, match="The decision price must be a finite number"):
        stats.implementation_shortfall(Side.BUY, math.nan, 52, [50], [5])


@pytest.mark.filterwarnings("error")
def test_what_leaves_the_range_of_numbers_is_too_large():
    assert stats.turnover([1e308, 1e308], [1e308, 1e308], [1.0]).reason is Undefined.TOO_LARGE
    assert stats.turnover([1.0], [1.0], [1e308, 1e308]).reason is Undefined.TOO_LARGE
    assert stats.exposure([1e308], [1e-10]).reason is Undefined.TOO_LARGE
    assert stats.time_weighted_return_of([1e-300, 1e300], [0]).reason is Undefined.TOO_LARGE
    assert stats.modified_dietz(1e308, 1e308, [1e308], [0], 30).reason is Undefined.TOO_LARGE
    assert stats.implementation_shortfall(Side.BUY, 0.0, 1.0, [1e300], [1e300]).reason is Undefined.TOO_LARGE
