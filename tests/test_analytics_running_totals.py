"""Running totals give what a pass over the whole history gives, in any order, through JSON and back."""

import json
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics import stats
from analytics.judging.tally import ExposureTally, ReturnTally, TradeTally
from analytics.stats import Undefined

cents = st.decimals(-10_000, 10_000, places=2)
changes = st.decimals(Decimal("-0.5"), Decimal("0.5"), places=6)


def stored(tally):
    """The tally as the next session reads it."""
    return type(tally).load(json.loads(json.dumps(tally.dump())))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(cents, st.integers(0, 400)), max_size=60))
def test_trades_added_one_by_one_give_the_metrics_of_all(trades):
    tally = TradeTally()
    for result, sessions in trades:
        tally = stored(tally.plus(result, sessions))
    results, held = [result for result, _ in trades], [sessions for _, sessions in trades]
    assert tally.win_rate == stats.win_rate(results)
    assert tally.average_holding.value == pytest.approx(stats.average_holding(held).value)
    whole = stats.profit_factor(results)
    assert (tally.profit_factor.reason, tally.profit_factor.n) == (whole.reason, whole.n)
    assert tally.profit_factor.value == (None if whole.value is None else pytest.approx(whole.value))


@settings(max_examples=100, deadline=None)
@given(st.lists(changes, max_size=130))
def test_returns_added_one_by_one_give_the_metrics_of_all(returns):
    tally = ReturnTally()
    for change in returns:
        tally = stored(tally.plus(change))
    for running, whole in ((tally.sharpe, stats.sharpe_ratio(returns)), (tally.max_drawdown, stats.max_drawdown(returns))):
        assert (running.reason, running.n) == (whole.reason, whole.n)
        assert running.value == (None if whole.value is None else pytest.approx(whole.value, rel=1e-9, abs=1e-12))


def test_the_sums_are_exact_and_do_not_depend_on_the_order():
    returns = [Decimal(int(x)).scaleb(-6) for x in np.random.default_rng(1).integers(-30_000, 30_000, 500)]
    one, other = ReturnTally(), ReturnTally()
    for change in returns:
        one = one.plus(change)
    for change in sorted(returns):
        other = other.plus(change)
    assert (one.total, one.squares) == (other.total, other.squares)
    exact = [Fraction(change) for change in returns]
    assert Fraction(one.total, 10**12) == sum(exact)
    assert Fraction(one.squares, 10**24) == sum(change * change for change in exact)


def test_a_tiny_variation_around_a_large_mean_keeps_its_digits():
    returns = [Decimal("0.4") + Decimal(i % 2).scaleb(-9) for i in range(100)]
    tally = ReturnTally()
    for change in returns:
        tally = tally.plus(change)
    assert tally.deviation == pytest.approx(1e-9 * 0.5 * (100 / 99) ** 0.5, rel=1e-12)


def test_a_return_over_several_sessions_moves_the_value_and_is_no_observation():
    tally = ReturnTally().compounded(Decimal("-0.2")).plus(Decimal("0.05"))
    assert (tally.n, tally.max_drawdown.value) == (1, -0.2)


def test_exposure_is_the_mean_over_the_sessions():
    tally = stored(ExposureTally().plus(Decimal(50), Decimal(100)).plus(Decimal(0), Decimal(80)))
    assert tally.exposure == stats.exposure([50, 0], [100, 80])


def test_exposure_is_undefined_once_there_was_no_equity():
    tally = stored(ExposureTally().plus(Decimal(50), Decimal(100)).plus(Decimal(50), Decimal(-1)))
    assert tally.exposure.reason == Undefined.NO_EQUITY


def test_an_empty_total_is_undefined_throughout():
    assert [
        TradeTally().win_rate.reason,
        ReturnTally().sharpe.reason,
        ReturnTally().max_drawdown.reason,
        ExposureTally().exposure.reason,
    ] == [
        Undefined.NO_TRADES,
        Undefined.TOO_FEW,
        Undefined.NO_DATA,
        Undefined.NO_DATA,
    ]
