"""Equity at the close: returns are time-weighted, drawdown knows the start, and writing it twice changes nothing."""

from decimal import Decimal as D

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_site.core.errors import Conflict
from quant_site.core.models import OutboxEvent
from tests.accounting_world import SESSIONS, World, panel_of
from trading.books.equity import drawdowns, equity_snapshot, session_return, time_weighted
from trading.books.ledger import account_fund, fills_book, positions_mark
from trading.models import EquitySnapshot, Position


@pytest.fixture
def world(db):
    return World(cash="10000")


def close(world, session, panel):
    positions_mark(account=world.account, session=session, panel=panel)
    return equity_snapshot(account=world.account, session=session, panel=panel)


@given(st.lists(st.floats(-0.2, 0.2), min_size=1, max_size=40), st.lists(st.integers(-500, 500), min_size=40, max_size=40))
def test_time_weighted_return_does_not_see_the_flows(returns, amounts):
    """Oracle: the compounded returns by which the values were made."""
    value, values, flows = 0.0, [], []
    for i, gained in enumerate(returns):
        flow = 100_000 if i == 0 else amounts[i]
        value = (value + flow) * (1 + gained)
        values.append(D(value))
        flows.append(D(flow))
    assert float(time_weighted(values, flows)) == pytest.approx(np.prod(1 + np.array(returns)) - 1, abs=1e-9)


def test_a_return_on_nothing_is_undefined():
    assert session_return(D(0), D(0), D(0)) is None
    assert session_return(D(100), D(0), D(-100)) is None
    assert time_weighted([D(0), D(5)], [D(0), D(5)]) is None


@given(st.lists(st.floats(0.2, 5.0), min_size=1, max_size=50))
def test_drawdown_is_measured_from_the_highest_value_the_start_included(values):
    """Oracle: pandas."""
    series = pd.Series([1.0, *values])
    np.testing.assert_allclose(drawdowns(np.array(values)), (series / series.cummax() - 1).iloc[1:], rtol=1e-12, atol=1e-15)


def test_a_position_is_marked_at_the_raw_close_not_at_the_adjusted_one(world):
    panel = panel_of({"AAA": [50, 52, 53]}, factor={"AAA": [0.5, 0.5, 1.0]})
    fills_book(account=world.account, fills=[world.trade("AAA", "BUY", 100, "51", signal=world.signal())])
    snapshot = close(world, SESSIONS[1], panel)
    position = Position.objects.get()
    assert (position.mark_price, position.mark_session) == (D(52), SESSIONS[1])
    assert (position.market_value, position.unrealized_pnl) == (D(5200), D(99))
    assert (snapshot.cash, snapshot.market_value, snapshot.total_equity) == (D(4899), D(5200), D(10099))


def test_where_there_is_no_bar_the_last_close_counts_and_its_session_is_told(world):
    panel = panel_of({"AAA": [50, 52, None, 55]})
    fills_book(account=world.account, fills=[world.trade("AAA", "SELL", 10, "51", signal=world.signal(direction="SHORT"))])
    snapshot = close(world, SESSIONS[2], panel)
    position = Position.objects.get()
    assert (position.mark_price, position.mark_session, position.market_value) == (D(52), SESSIONS[1], D(-520))
    assert snapshot.gross_exposure == D(520)
    assert snapshot.total_equity == snapshot.cash + D(-520)


def test_best_and_worst_profit_follow_the_closes_and_the_exit(world):
    panel = panel_of({"AAA": [50, 60, 40, 50]})
    fills_book(account=world.account, fills=[world.trade("AAA", "BUY", 10, "50", signal=world.signal(), commission="0")])
    for session in SESSIONS[1:4]:
        close(world, session, panel)
    position = Position.objects.get()
    assert (position.best_pnl, position.worst_pnl) == (D(100), D(-100))
    fills_book(
        account=world.account,
        fills=[world.trade("AAA", "SELL", 10, "70", purpose="TARGET", position=position, session=SESSIONS[4], commission="0")],
    )
    position.refresh_from_db()
    assert (position.best_pnl, position.worst_pnl, position.market_value) == (D(200), D(-100), D(0))


def test_a_position_is_never_marked_backwards(world):
    panel = panel_of({"AAA": [50, 60, 40]})
    fills_book(account=world.account, fills=[world.trade("AAA", "BUY", 10, "50", signal=world.signal())])
    positions_mark(account=world.account, session=SESSIONS[2], panel=panel)
    positions_mark(account=world.account, session=SESSIONS[1], panel=panel)
    assert Position.objects.get().mark_price == D(40)


def test_returns_compound_and_the_deepest_drawdown_stays(world):
    panel = panel_of({"AAA": [50, 50, 55, 44, 66]})
    fills_book(account=world.account, fills=[world.trade("AAA", "BUY", 200, "50", signal=world.signal(), commission="0")])
    snapshots = [close(world, session, panel) for session in SESSIONS[1:5]]
    assert [row.total_equity for row in snapshots] == [D(10000), D(11000), D(8800), D(13200)]
    assert [row.daily_return for row in snapshots] == [D(0), D("0.1"), D("-0.2"), D("0.5")]
    assert [row.cumulative_return for row in snapshots] == [D(0), D("0.1"), D("-0.12"), D("0.32")]
    assert [row.drawdown_pct for row in snapshots] == [D(0), D(0), D("-0.2"), D(0)]
    assert [row.max_drawdown_pct for row in snapshots] == [D(0), D(0), D("-0.2"), D("-0.2")]


def test_a_loss_on_the_first_day_is_a_drawdown_from_the_deposit(world):
    panel = panel_of({"AAA": [50, 45]})
    fills_book(account=world.account, fills=[world.trade("AAA", "BUY", 200, "50", signal=world.signal(), commission="0")])
    snapshot = close(world, SESSIONS[1], panel)
    assert (snapshot.daily_return, snapshot.drawdown_pct, snapshot.net_flow) == (D("-0.1"), D("-0.1"), D(10000))


def test_a_deposit_is_no_return(world):
    panel = panel_of({"AAA": [50, 50, 55]})
    fills_book(account=world.account, fills=[world.trade("AAA", "BUY", 200, "50", signal=world.signal(), commission="0")])
    close(world, SESSIONS[1], panel)
    account_fund(account=world.account, amount=D("10000"), session=SESSIONS[2], key="more")
    snapshot = close(world, SESSIONS[2], panel)
    assert (snapshot.total_equity, snapshot.net_flow, snapshot.daily_return) == (D(21000), D(10000), D("0.05"))
    assert snapshot.cumulative_return == D("0.05")


def test_compounding_for_years_does_not_drift(world):
    """Without flows the time-weighted return is the change of equity, whatever the rounding of each day."""
    rng = np.random.default_rng(3)
    prices = np.round(50 * np.exp(np.cumsum(rng.normal(0, 0.001, 120))), 2)
    panel = panel_of({"AAA": list(prices)})
    fills_book(account=world.account, fills=[world.trade("AAA", "BUY", 190, str(prices[1]), signal=world.signal())])
    for session in SESSIONS[1:120]:
        snapshot = close(world, session, panel)
    assert abs(snapshot.cumulative_return - (snapshot.total_equity / D(10000) - 1)) <= D("0.000001")


def test_the_benchmark_is_measured_on_adjusted_closes_and_null_without_a_bar(world):
    panel = panel_of({"AAA": [1, 1, 1, 1], "SPY": [100, 99, None, 110]}, factor={"SPY": [0.98, 1.0, 1.0, 1.0]})
    rows = [close(world, session, panel) for session in SESSIONS[1:4]]
    assert [row.benchmark_return for row in rows] == [D("0.010204"), None, None]
    assert {row.benchmark_symbol for row in rows} == {"SPY"}
    world.account.benchmark = "AAA"
    assert close(world, SESSIONS[3], panel).benchmark_return == D(0)


def test_without_a_benchmark_in_the_store_there_is_no_benchmark_return(world):
    snapshot = close(world, SESSIONS[1], panel_of({"AAA": [1, 1]}))
    assert (snapshot.benchmark_return, snapshot.benchmark_symbol) == (None, "")


def test_a_snapshot_taken_again_writes_nothing_and_announces_nothing(world):
    panel = panel_of({"AAA": [50, 50, 55]})
    close(world, SESSIONS[1], panel)
    before = list(EquitySnapshot.objects.values()), OutboxEvent.objects.count()
    close(world, SESSIONS[1], panel)
    assert (list(EquitySnapshot.objects.values()), OutboxEvent.objects.count()) == before
    assert OutboxEvent.objects.filter(type="equity.snapshot").count() == 1


def test_a_snapshot_taken_again_after_a_new_mark_is_brought_up_to_it(world):
    fills_book(account=world.account, fills=[world.trade("AAA", "BUY", 10, "50", signal=world.signal(), commission="0")])
    close(world, SESSIONS[1], panel_of({"AAA": [50, 50]}))
    assert close(world, SESSIONS[1], panel_of({"AAA": [50, 51]})).total_equity == D(10010)
    assert EquitySnapshot.objects.get().total_equity == D(10010)


def test_the_past_is_not_written_again(world):
    panel = panel_of({"AAA": [50, 50, 55]})
    close(world, SESSIONS[2], panel)
    with pytest.raises(Conflict, match="has a snapshot of"):
        equity_snapshot(account=world.account, session=SESSIONS[1], panel=panel)


def test_the_snapshots_of_a_replay_are_not_announced(db):
    world = World("silent", is_replay=True)
    close(world, SESSIONS[1], panel_of({"AAA": [50, 50]}))
    assert EquitySnapshot.objects.count() == 1
    assert not OutboxEvent.objects.filter(type="equity.snapshot").exists()
