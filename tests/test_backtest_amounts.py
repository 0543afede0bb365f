"""A backtest counts in integers what the ledger counts in Decimals: both must agree to the last cent."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from quant_site.core.types import Side, decimal, money, price, ratio
from quant_site.market.actions import CorporateAction
from strategies.backtest.amounts import allocate, as_money, as_price, cents, half_even, price_in_micros, prices_in_micros
from strategies.backtest.book import Book, Position
from strategies.backtest.broker import Event
from strategies.backtest.orders import Execution, Order, Signal, restated, split_ratio
from trading.books import accounting
from trading.books.equity import INDEX, session_return

whole = st.integers(-(10**12), 10**12)
prices = st.floats(0.0001, 1e6)
RATIOS = ("2", "1.5", "0.333333", "0.5", "1.25", "7", "0.1", "0.666667", "3")


@given(whole, st.integers(1, 10**7))
def test_halves_are_rounded_to_the_even_number(numerator, denominator):
    assert half_even(numerator, denominator) == round(Fraction(numerator, denominator))


@given(st.lists(prices, min_size=1, max_size=30))
def test_prices_become_millionths_as_rows_round_them(values):
    expected = [int(price(value) * 10**6) for value in values]
    assert prices_in_micros(np.array(values)) == expected
    assert [price_in_micros(value) for value in values] == expected


@given(st.integers(0, 10**6), st.integers(0, 9).map(lambda digit: digit / 1e7 + 5e-8))
def test_a_seventh_decimal_that_is_a_five_is_decided_by_its_digits(count, tail):
    value = count / 100 + tail
    assert prices_in_micros(np.array([value])) == [int(price(value) * 10**6)]


@given(st.integers(-(10**6), 10**6), st.integers(1, 10**10))
def test_a_value_in_cents_is_the_ledgers(count, micros):
    assert as_money(cents(count * micros)) == money(count * as_price(micros))


@given(whole, st.lists(st.integers(1, 10**6), min_size=1, max_size=6), st.sampled_from([1, -1]))
def test_an_amount_is_shared_out_as_the_ledger_does(amount, weights, sign):
    ours = allocate(amount, [sign * weight for weight in weights])
    theirs = accounting.allocate(as_money(amount), [Decimal(sign * weight) for weight in weights])
    assert [as_money(share) for share in ours] == theirs
    assert sum(ours) == amount


@given(st.integers(1, 10**11), st.sampled_from(RATIOS))
def test_a_level_is_restated_by_a_split_as_its_row_is(level, text):
    factor, exact = split_ratio(Decimal(text)), accounting.split_ratio(Decimal(text))
    assert factor == exact
    assert as_price(restated(level, factor)) == price(as_price(level) * exact.denominator / exact.numerator)


def position(group: str, quantity: int, cost: int) -> Position:
    signal = Signal(group, None, 0, {group: quantity}, None, None, {})
    side = 1 if quantity > 0 else -1
    held = Position(group, "AAA", 1, 0, signal, side, 0, 10**8, 10**8, None, None, {}, quantity=quantity, cost=cost)
    held.entered, held.marked = abs(quantity) * 10**6, 10**8
    return held


@given(
    st.integers(1, 10**5), st.integers(-(10**9), 10**9), st.integers(1, 10**5), st.integers(1, 10**9), st.integers(0, 10**4), st.booleans()
)
def test_a_fill_against_a_position_releases_what_the_ledger_releases(held, cost, closed, amount, fee, long):
    closed, sign = min(held, closed), 1 if long else -1
    mine = position("AAA", sign * held, cost)
    order = Order(1, 1, "AAA", Side.SELL if long else Side.BUY, None, closed, 0)
    mine.give(Execution(order, order.symbol, order.side, closed, 0, amount, fee))
    before = accounting.PositionState(Decimal(sign * held), as_money(cost))
    after, realized = accounting.apply_fill(before, order.side, Decimal(closed), as_money(amount), as_money(fee))
    assert (Decimal(mine.quantity), as_money(mine.cost), as_money(mine.realized)) == (after.quantity, after.cost, realized)


@given(
    st.lists(st.tuples(st.integers(1, 10**5), st.integers(-(10**9), 10**9)), min_size=1, max_size=4),
    st.sampled_from(RATIOS),
    st.sampled_from([1, -1]),
)
def test_a_split_is_shared_out_as_the_ledger_does(holdings, text, sign):
    book, factor = Book(10**7), accounting.split_ratio(Decimal(text))
    positions = [position(f"G{i}", sign * count, cost) for i, (count, cost) in enumerate(holdings)]
    book.open = {(each.group, each.symbol): each for each in positions}
    states = [accounting.PositionState(Decimal(each.quantity), as_money(each.cost)) for each in positions]
    exact = sum(each.quantity for each in positions) * factor
    fraction = (exact - int(exact)) / factor
    cash = money(Decimal("37.41") * fraction.numerator / fraction.denominator)
    shares = accounting.apply_split(states, Decimal(text), cash, price(Decimal(100) * factor.denominator / factor.numerator))
    book.happened(5, [Event("SPLIT", "AAA", int(cash * 100), CorporateAction("AAA", "SPLIT", Decimal(text)))])
    for mine, share in zip(positions, shares, strict=True):
        assert (mine.quantity, as_money(mine.cost), as_money(mine.realized)) == (share.state.quantity, share.state.cost, share.realized)
        assert (mine.exit == 5) == (share.state.quantity == 0)


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=40))
def test_the_unit_is_compounded_and_rounded_as_snapshots_are(equities):
    book, unit, peak, before = Book(10**7), Decimal(1), Decimal(1), Decimal("100000.00")
    for equity in equities:
        book.snapshot(equity)
        unit = decimal(unit * (1 + session_return(before, as_money(equity), Decimal(0))), INDEX, "unit")
        peak, before = max(peak, unit), as_money(equity)
        assert (book.unit, book.peak) == (unit, peak)
        assert book.drawdown == float(ratio(unit / peak - 1)) <= 0


def test_an_account_that_lost_everything_has_no_unit_any_more():
    book = Book(10**7)
    for equity in (0, 0, 5_000):
        book.snapshot(equity)
    assert (book.unit, book.peak, book.drawdown) == (None, Decimal(1), 0.0)
