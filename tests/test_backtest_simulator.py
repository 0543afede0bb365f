"""One account through sessions small enough to follow by hand."""

from dataclasses import replace
from decimal import Decimal

import pytest

from quant_site.core.errors import Conflict, InvalidInput
from quant_site.core.types import Direction, OrderType, Side
from quant_site.market.execution import CostModel
from strategies.backtest import BacktestSettings, simulate
from strategies.backtest.broker import Broker
from strategies.backtest.orders import ENTRY, REJECTED, WORKING
from strategies.backtest.settings import DEFAULT_LIMITS
from strategies.backtest.tape import tape_of
from strategies.base import Draft, Leg
from tests.backtest_world import QUIET, Scripted, close, flat_then, long, short

FREE = CostModel(*(Decimal(0) for _ in range(7)))
LAST = QUIET - 1  # the column of the first decision; it trades in column QUIET


def played(drafts, symbols, *, costs=FREE, factor=None, limits=DEFAULT_LIMITS, start=LAST, strategy=None):
    """The result from column `start` on: its first session is the first decision's."""
    panel = flat_then(symbols, factor=factor)
    settings = BacktestSettings(costs=costs, limits=limits)
    return simulate(strategy or Scripted(drafts), panel=panel, start=panel.sessions[start].item(), settings=settings)


def fills(result) -> list[tuple]:
    """(sessions after the first decision, side, purpose, quantity, price)."""
    return [
        (int(row["session"]), each["side"], each["purpose"], each["quantity"], each["price"])
        for row, each in zip(result.fills, result.fill_rows(), strict=True)
    ]


def test_a_decision_trades_at_the_next_open_and_pays_its_costs_to_the_cent():
    bars = [(101.0, 103.0, 100.0, 102.0), (104.0, 104.0, 104.0, 104.0), (104.0, 104.0, 104.0, 104.0)]
    result = played({LAST: [long("AAA")], LAST + 1: [close("AAA")]}, {"AAA": bars}, costs=CostModel())
    # A tenth of the strategy's capital: 0.98 of 100,000, at the deciding close of 100.50; the floor of 97.5 shares.
    bought, sold = 101.0303, 103.9688
    assert fills(result) == [(1, "BUY", "ENTRY", 97, bought), (2, "SELL", "EXIT", 97, sold)]
    spent, got = round(97 * bought, 2), round(97 * sold, 2)
    assert result.cash.tolist() == pytest.approx([100_000, 100_000 - spent - 1, 100_000 - spent - 1 + got - 1, 100_283.03], abs=1e-9)
    assert result.equity[1] == pytest.approx(100_000 - spent - 1 + 97 * 102, abs=1e-9)
    [trade] = result.trade_rows()
    assert (trade["pnl"], trade["fees"], trade["exit"], trade["sessions_held"]) == (round(got - spent - 2, 2), 2.0, "EXIT", 1)


@pytest.mark.parametrize(
    ("bar", "purpose", "price"),
    [
        ((100.0, 112.0, 94.0, 100.0), "STOP", 95.0),  # both within the bar: the stop is taken
        ((100.0, 112.0, 96.0, 100.0), "TARGET", 110.0),
        ((93.0, 96.0, 92.0, 94.0), "STOP", 93.0),  # the market opened through it
        ((113.0, 114.0, 99.0, 113.0), "TARGET", 113.0),
    ],
)
def test_a_stop_comes_before_a_target_and_gaps_trade_at_the_open(bar, purpose, price):
    quiet = (100.0, 101.0, 99.0, 100.0)
    draft = long("AAA", stop_loss=95.0, take_profit=110.0)
    result = played({LAST: [draft]}, {"AAA": [quiet, bar, quiet]})
    assert fills(result) == [(1, "BUY", "ENTRY", 97, 100.0), (2, "SELL", purpose, 97, price)]


def test_a_stop_is_live_from_the_fill_of_its_entry_on():
    bars = [(100.0, 101.0, 94.0, 96.0), (96.0, 97.0, 95.0, 96.0)]
    result = played({LAST: [long("AAA", stop_loss=95.0)]}, {"AAA": bars})
    assert fills(result) == [(1, "BUY", "ENTRY", 97, 100.0), (1, "SELL", "STOP", 97, 95.0)]
    assert result.trade_rows()[0]["r_multiple"] == -1.0


def test_day_trades_are_counted_over_five_sessions_and_then_stop_entries():
    down, quiet = (100.0, 101.0, 94.0, 100.0), (100.0, 101.0, 99.0, 100.0)
    drafts = {LAST + i: [long("AAA", stop_loss=95.0)] for i in range(8)}
    limits = replace(DEFAULT_LIMITS, max_day_trades=2)
    result = played(drafts, {"AAA": [down, down, *[quiet] * 7]}, limits=limits)
    # Two on sessions 1 and 2; refused until the first of them is six sessions back.
    assert result.rejected == {"DAY_TRADES": 4}
    assert [fill[0] for fill in fills(result) if fill[2] == "ENTRY"] == [1, 2, 7, 8]


def test_an_entry_without_a_bar_at_the_next_open_comes_to_nothing():
    result = played({LAST: [long("AAA")]}, {"AAA": [None, (100.0, 101.0, 99.0, 100.0)], "BBB": [(100.0, 101.0, 99.0, 100.0)] * 2})
    assert (len(result.fills), result.rejected, result.drafts) == (0, {"NO_BAR": 1}, 1)


def test_an_exit_without_a_bar_waits_for_the_next_one_whatever_the_strategy_says_by_then():
    quiet = (100.0, 101.0, 99.0, 100.0)
    bars = [quiet, None, None, (98.0, 99.0, 90.0, 98.0), quiet]
    drafts = {LAST: [long("AAA", stop_loss=95.0)], LAST + 1: [close("AAA")]}
    result = played(drafts, {"AAA": bars, "BBB": [quiet] * 5})
    # The stop at 95 is gone: the end was decided.
    assert fills(result)[1:] == [(4, "SELL", "EXIT", 97, 98.0)]


def test_a_pair_of_which_one_leg_finds_no_market_is_closed_at_the_next_open():
    quiet = (100.0, 101.0, 99.0, 100.0)
    pair = Draft("AAA/BBB", Direction.LONG, (Leg("AAA", Direction.LONG, 0.5), Leg("BBB", Direction.SHORT, 0.5)), 1.0, "", weight=0.2)
    result = played({LAST: [pair]}, {"AAA": [quiet, (102.0, 103.0, 101.0, 102.0)], "BBB": [None, quiet]})
    assert fills(result) == [(1, "BUY", "ENTRY", 97, 100.0), (2, "SELL", "EXIT", 97, 102.0)]
    assert result.rejected == {"NO_BAR": 1}


def test_a_partial_exit_sells_the_floor_of_its_part_and_the_stop_follows():
    quiet, down = (100.0, 101.0, 99.0, 100.0), (100.0, 101.0, 94.0, 96.0)
    drafts = {LAST: [long("AAA", stop_loss=95.0)], LAST + 1: [close("AAA", 0.35)]}
    result = played(drafts, {"AAA": [quiet, down, quiet]})
    assert fills(result)[1:] == [(2, "SELL", "REDUCE", 33, 100.0), (2, "SELL", "STOP", 64, 95.0)]
    [trade] = result.trade_rows()
    assert (trade["quantity"], trade["exit"], trade["pnl"]) == (97, "STOP", -64 * 5.0)
    assert trade["exit_price"] == pytest.approx((33 * 100 + 64 * 95) / 97, abs=1e-6)


def test_a_stop_that_takes_the_shares_leaves_a_partial_exit_nothing_of_another_trade():
    quiet, gap = (100.0, 101.0, 99.0, 100.0), (94.0, 95.0, 93.0, 94.0)
    pair = Draft("AAA/BBB", Direction.LONG, (Leg("AAA", Direction.LONG, 0.5), Leg("BBB", Direction.SHORT, 0.5)), 1.0, "", weight=0.1)
    drafts = {LAST: [long("AAA", stop_loss=95.0), pair], LAST + 1: [close("AAA", 0.4)]}
    result = played(drafts, {"AAA": [quiet, gap, gap], "BBB": [quiet] * 3})
    assert fills(result)[3:] == [(2, "SELL", "STOP", 97, 94.0)]
    assert {trade["group"] for trade in result.trade_rows() if trade["exit"] is None} == {"AAA/BBB"}


def test_a_part_that_is_less_than_one_share_closes_nothing():
    quiet = (100.0, 101.0, 99.0, 100.0)
    result = played({LAST: [long("AAA")], LAST + 1: [close("AAA", 0.01)]}, {"AAA": [quiet] * 3})
    assert len(result.fills) == 1


def test_a_split_restates_the_position_and_pays_the_fraction_in_cash():
    before, after = (100.0, 101.0, 99.0, 99.0), (66.0, 66.5, 65.0, 66.0)
    factor = {"AAA": [2 / 3, 1.0, 1.0]}
    result = played({LAST: [long("AAA", stop_loss=90.0)]}, {"AAA": [before, after, (66.0, 66.0, 59.0, 60.0)]}, factor=factor)
    # 97 shares become 145.5: half a new share is a third of an old one, paid at the last close of 99; the stop is 60 now.
    assert fills(result)[1:] == [(3, "SELL", "STOP", 145, 60.0)]
    assert result.cash[2] == 100_000 - 9_700 + 33
    assert result.trade_rows()[0]["quantity"] == 146


def test_dividends_are_paid_to_longs_and_by_shorts_on_the_ex_date():
    quiet = (100.0, 101.0, 99.0, 100.0)
    factor = {"AAA": [0.99, 0.99, 1.0]}  # 1 − D / previous close: D is 1.00
    for draft, sign in ((long("AAA"), 1), (short("AAA"), -1)):
        result = played({LAST: [draft]}, {"AAA": [quiet, quiet, quiet]}, factor=factor)
        assert result.trade_rows()[0]["pnl"] == sign * 97.0


def test_shares_that_are_short_overnight_cost_their_fee_at_each_open():
    quiet = (100.0, 101.0, 99.0, 100.0)
    costs = replace(FREE, borrow_rate=Decimal("0.252"))
    result = played({LAST: [short("AAA")], LAST + 2: [close("AAA")]}, {"AAA": [quiet] * 4}, costs=costs)
    # A thousandth of 9,700 a session: on the two mornings after the sale, the second before it is bought back.
    assert result.trade_rows()[0]["pnl"] == pytest.approx(-2 * 9.70)
    assert result.equity[-1] == pytest.approx(100_000 - 19.40)


def test_a_drawdown_throttles_the_size_and_at_the_limit_stops_entries():
    quiet, fallen = (100.0, 101.0, 99.0, 100.0), (100.0, 100.0, 60.0, 60.0)
    low = (60.0, 61.0, 59.0, 60.0)
    limits = replace(DEFAULT_LIMITS, max_position_pct=1.0)
    drafts = {LAST: [long("AAA", weight=0.3)], LAST + 2: [long("BBB", weight=0.1)]}
    result = played(drafts, {"AAA": [quiet, fallen, low, low], "BBB": [quiet] * 4}, limits=limits)
    # 292 shares lost 40 each: equity is 88,320, 11.68 % below its peak, and (20 − 11.68) / (20 − 5) of a size is left.
    assert result.equity[2] == 88_320
    assert fills(result)[1][3] == int(0.1 * 88_320 * 0.98 * (0.20 - 0.1168) / 0.15 / 100)
    strict = played(drafts, {"AAA": [quiet, fallen, low, low], "BBB": [quiet] * 4}, limits=replace(limits, max_drawdown_pct=0.11))
    assert strict.rejected == {"DRAWDOWN_LIMIT": 1}


def test_entries_are_sized_by_score_and_sent_by_name():
    quiet = (100.0, 101.0, 99.0, 100.0)
    limits = replace(DEFAULT_LIMITS, max_position_pct=1.0)
    drafts = [replace(long("AAA", weight=0.7), score=1.0), replace(long("BBB", weight=0.7), score=2.0)]
    result = played({LAST: drafts}, {"AAA": [quiet, quiet], "BBB": [quiet, quiet]}, limits=limits)
    quantities = {fill["symbol"]: fill["quantity"] for fill in result.fill_rows()}
    assert quantities["BBB"] == int(0.7 * 98_000 / 100.5)
    assert 280 < quantities["AAA"] < 300


def test_a_strategy_sees_its_trades_as_they_are_at_the_close():
    quiet = (100.0, 101.0, 99.0, 102.0)
    strategy = Scripted({LAST: [long("AAA", stop_loss=95.0, metadata={"why": "test"})]})
    played({}, {"AAA": [quiet, quiet]}, strategy=strategy)
    [holding] = strategy.seen[LAST + 1]
    assert (holding.group, holding.quantities, holding.entry_price, holding.stop_price) == ("AAA", {"AAA": 97.0}, 100.0, 95.0)
    assert (holding.entry_prices, holding.units, holding.metadata) == ({"AAA": 100.0}, 1, {"why": "test"})
    assert holding.weight == pytest.approx(97 * 102 / (0.98 * (100_000 + 97 * 2)))


def test_sessions_without_a_decision_are_counted_by_what_was_missing():
    class Late(Scripted):
        def needs(self, params):
            return replace(super().needs(params), sessions=75)

    result = played({}, {"AAA": [(100.0, 101.0, 99.0, 100.0)] * 10}, strategy=Late({}), start=0)
    assert result.abstained == {"Needs 75 sessions of history of 1 symbol": 74}


def test_two_drafts_for_one_trade_are_a_defect():
    with pytest.raises(Conflict, match="More than one draft for AAA"):
        played({LAST: [long("AAA"), close("AAA")]}, {"AAA": [(100.0, 101.0, 99.0, 100.0)]})


def test_a_draft_that_could_not_be_stored_live_is_refused_here_too():
    with pytest.raises(InvalidInput, match="cannot be stored"):
        played({LAST: [long("AAA", metadata={"z": float("nan")})]}, {"AAA": [(100.0, 101.0, 99.0, 100.0)]})


def test_a_broker_refuses_what_exceeds_twice_the_account():
    panel = flat_then({"AAA": [(100.0, 100.0, 100.0, 100.0)]})
    broker = Broker(panel, tape_of(panel), FREE, 1_000_000)
    fields = {"purpose": ENTRY, "symbol": "AAA", "type": OrderType.MARKET}
    first = broker.place(QUIET, side=Side.BUY, quantity=150, **fields)
    second = broker.place(QUIET, side=Side.BUY, quantity=50, **fields)
    third = broker.place(QUIET, side=Side.BUY, quantity=1, **fields)
    assert (first.status, second.status) == (WORKING, WORKING)
    assert (third.status, third.reason) == (REJECTED, "BUYING_POWER")
