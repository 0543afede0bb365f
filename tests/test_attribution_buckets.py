"""The stages share a profit out without a cent left over, and an order is measured against what it could trade at."""

from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.judging.attribution_buckets import Executed, changes, grouped, reference_price, stages, tied
from quant_site.core.errors import LedgerMismatch
from quant_site.core.types import OrderType, Side
from quant_site.market.execution import intraday_price

cents = st.decimals(-100_000, 100_000, places=2)
prices = st.decimals("0.01", 1000, places=6)
fills = st.builds(Executed, st.sampled_from([1, -1]), st.integers(1, 10_000).map(D), prices, st.none() | prices, st.none() | prices)


@given(total=cents, executed=st.lists(fills, max_size=20), fees=cents, data=cents, missed=cents, smaller=cents)
def test_whatever_was_filled_the_stages_add_up_to_the_total(total, executed, fees, data, missed, smaller):
    found = stages(total, executed, fees=fees, data=data, missed=missed, smaller=smaller)
    assert sum(found.values()) == total
    assert (found["SIZE"], found["REJECTION"]) == (-smaller, -missed)
    assert tied({"STAGE": found}, total)["STAGE"].keys() == {"SIGNAL", "SIZE", "REJECTION", "TIMING", "PRICE", "FEE", "DATA"}
    exact = sum(fill.side * (fill.decision - fill.price) * fill.quantity for fill in executed if fill.decision is not None)
    assert abs(found["TIMING"] + found["PRICE"] - exact) <= D("0.005") * len(executed)


@given(
    kind=st.sampled_from([OrderType.STOP, OrderType.LIMIT]), side=st.sampled_from(list(Side)), bar=st.tuples(*[st.integers(1, 50)] * 3),
    level=st.integers(1, 50),
)  # fmt: skip
def test_an_order_with_a_level_is_measured_where_the_bar_lets_it_trade(kind, side, bar, level):
    opened, high, low = bar[0], max(bar), min(bar)
    stop, limit = (level, None) if kind is OrderType.STOP else (None, level)
    traded = intraday_price(kind, side, stop, limit, opened, high, low)
    if traded is not None:
        assert reference_price(kind, side.sign, D(level), D(opened)) == traded


def test_a_market_order_is_measured_at_the_open_and_without_one_not_at_all():
    assert reference_price("MKT", 1, None, D(7)) == 7
    assert reference_price("STP", 1, D(9), None) is None
    unknown = Executed(1, D(10), D(101), D(100), None)
    assert stages(D(0), [unknown], fees=D(0), data=D(0), missed=D(0), smaller=D(0))["PRICE"] == -10


def test_a_position_that_was_not_there_before_or_is_no_more_counts_in_full():
    made = changes({("a", "X"): D(5), ("b", "X"): D(1)}, {("a", "X"): D(7), ("c", "Y"): D(2)})
    assert made == {("a", "X"): -2, ("b", "X"): 1, ("c", "Y"): -2}
    assert grouped(made, lambda owner: owner[1]) == {"X": -1, "Y": -2}
    assert grouped({"up": D(1), "down": D(-1)}, lambda key: "same") == {}


def test_a_dimension_that_is_a_cent_off_is_named():
    with pytest.raises(LedgerMismatch, match=r"SECTOR to 0\.99") as raised:
        tied({"SYMBOL": {"X": D("1.00")}, "SECTOR": {"UNKNOWN": D("0.99")}}, D("1.00"))
    assert raised.value.details["sums"] == {"SECTOR": "0.99"}
