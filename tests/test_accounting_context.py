"""What risk checks and strategies are given: the account and the market at the close, and nothing later."""

from datetime import UTC, datetime
from decimal import Decimal as D

import numpy as np
import pandas as pd
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from quant_site.core.models import Account
from quant_site.core.rows import row_insert, rows_read, rows_update
from quant_site.core.types import Direction
from quant_site.market.models import Instrument
from quant_site.market.panel import Panel
from strategies.panel_facts import average_volume, panel_facts, return_volatility
from tests.accounting_world import SESSIONS, World, panel_of
from trading.books.checks import books_check
from trading.books.equity import equity_snapshot
from trading.books.ledger import fills_book, positions_mark
from trading.exposure.context import holdings_build, previous_sessions, risk_context_build
from trading.models import CashEntry, EquitySnapshot, Fill, Order, Position


@pytest.fixture
def world(db):
    return World()


def random_panel(symbols=4, length=130, seed=7) -> Panel:
    """Random prices and volumes; the second symbol is listed late, the third has gaps, the fourth stops trading."""
    rng = np.random.default_rng(seed)
    close = np.round(50 * np.exp(np.cumsum(rng.normal(0, 0.02, (symbols, length)), axis=1)), 2)
    close[1, :40] = np.nan
    close[2, 70:74] = np.nan
    close[3, 110:] = np.nan
    volume = np.where(np.isfinite(close), rng.integers(1_000, 9_000_000, close.shape), np.nan)
    factor = np.repeat(np.linspace(0.5, 1.0, length)[None, :], symbols, axis=0)
    days = np.array(SESSIONS[:length], dtype="datetime64[D]")
    return Panel(tuple("ABCD"[:symbols]), days, close, close, close, close, volume, factor)


# --- facts of a panel


def test_average_volume_is_the_mean_of_the_bars_in_twenty_sessions():
    """Oracle: pandas."""
    panel = random_panel()
    frame = pd.DataFrame(panel.volume.T)
    first = frame.apply(lambda column: column.first_valid_index())
    expected = frame.rolling(20, min_periods=1).mean()
    for column in frame:
        expected.loc[: first[column] + 18, column] = np.nan
    np.testing.assert_allclose(average_volume(panel.volume), expected.to_numpy().T, rtol=1e-12)


def test_volatility_is_that_of_adjusted_returns_within_sixty_sessions():
    """Oracle: pandas, on returns from bar to bar."""
    panel = random_panel()
    expected = []
    for row in panel.adj_close:
        series = pd.Series(row)
        returns = series.dropna().pct_change().reindex(series.index)
        expected.append(returns.rolling(60, min_periods=55).std())
    facts = panel_facts(panel)
    np.testing.assert_allclose(facts.volatility, np.array(expected), rtol=1e-9)
    assert np.isfinite(facts.volatility[2, 100])


def test_a_price_that_never_moves_has_no_volatility_at_all():
    prices = np.full((1, 80), 12.34)
    assert return_volatility(prices, np.arange(80)[None, :])[0, -1] == 0.0


def test_facts_know_nothing_of_the_future():
    panel = random_panel()
    whole, cut = panel_facts(panel), panel_facts(panel.until(SESSIONS[89]))
    for name in ("last_bar", "adv", "volatility"):
        np.testing.assert_array_equal(getattr(whole, name)[:, :90], getattr(cut, name))


def test_facts_are_computed_once_per_panel():
    panel = random_panel()
    assert panel_facts(panel) is panel_facts(panel)
    assert panel_facts(random_panel()) is not panel_facts(panel)


# --- the risk context


def test_the_context_tells_the_account_after_the_close(world):
    panel = panel_of({"AAA": [50, 60], "BBB": [20, 10]})
    turtle, cross = world.signal(), world.signal(strategy="cross")
    entries = [world.trade("AAA", "BUY", 100, "50", signal=turtle), world.trade("AAA", "BUY", 10, "50", signal=cross)]
    entries.append(world.trade("BBB", "SELL", 50, "20", signal=world.signal("BBB", "SHORT")))
    fills_book(account=world.account, fills=entries)
    positions_mark(account=world.account, session=SESSIONS[1], panel=panel)
    before = risk_context_build(account=world.account, session=SESSIONS[1], panel=panel)
    snapshot = equity_snapshot(account=world.account, session=SESSIONS[1], panel=panel)
    context = risk_context_build(account=world.account, session=SESSIONS[1], panel=panel)
    assert (context.equity, context.cash) == (snapshot.total_equity, snapshot.cash)
    assert (before.equity, before.cash, round(before.drawdown, 6)) == (context.equity, context.cash, context.drawdown)
    assert context.exposures == {"AAA": D(6600), "BBB": D(-500)}
    assert context.strategy_exposures == {turtle.strategy_id: D(6500), cross.strategy_id: D(600)}
    assert context.limits.max_position_pct == 0.2
    assert context.limits.allow_short is True


def test_entries_on_their_way_are_pending_with_what_is_left_of_them(world):
    panel = panel_of({"AAA": [50, 60], "BBB": [20, None]})
    world.order("AAA", "BUY", 100, signal=world.signal(), status="PARTIAL", filled_quantity=D(40))
    world.order("AAA", "BUY", 10, signal=world.signal(strategy="cross"), status="UNKNOWN")
    world.order("BBB", "SELL", 10, signal=world.signal("BBB", "SHORT"), status="READY", decision_price=D("21"))
    world.order("AAA", "SELL", 500, purpose="STOP", status="ACKED")
    for status in ("FILLED", "CANCELLED", "DENIED"):
        world.order("AAA", "BUY", 999, signal=world.signal(strategy=status), status=status)
    context = risk_context_build(account=world.account, session=SESSIONS[1], panel=panel)
    assert context.pending == {"AAA": D(4200), "BBB": D(-210)}


def test_day_trades_are_counted_over_five_sessions(world):
    for number, (opened, closed) in enumerate([(1, 1), (2, 2), (3, 4), (6, 6)]):
        signal = world.signal(strategy=f"s{number}")
        fills_book(account=world.account, fills=[world.trade("AAA", "BUY", 1, "50", signal=signal, session=SESSIONS[opened])])
        position = Position.objects.get(signal=signal)
        order = world.order("AAA", "SELL", 1, purpose="EXIT", position=position)
        fills_book(account=world.account, fills=[world.fill(order, 1, "50", session=SESSIONS[closed], hour=18)])
    panel = panel_of({"AAA": [50] * 20})
    counts = [risk_context_build(account=world.account, session=SESSIONS[t], panel=panel).day_trades for t in (1, 2, 5, 6, 7, 11)]
    assert counts == [1, 2, 2, 2, 1, 0]


def test_the_market_is_known_up_to_the_session_and_absent_where_it_is_not(world):
    panel = random_panel()
    t = 113
    context = risk_context_build(account=world.account, session=SESSIONS[t], panel=panel)
    assert context.prices == {symbol: panel.close[row, t] for row, symbol in enumerate("ABC")}
    assert context.last_session == {"A": SESSIONS[t], "B": SESSIONS[t], "C": SESSIONS[t], "D": SESSIONS[109]}
    assert context.adv["A"] == pytest.approx(panel.volume[0, t - 19 : t + 1].mean())
    assert set(context.volatility) == {"A", "B", "C", "D"}
    early = risk_context_build(account=world.account, session=SESSIONS[45], panel=panel)
    assert "B" in early.prices
    assert "B" not in early.volatility
    assert "B" not in early.adv


def test_only_tradable_symbols_of_the_account_may_be_traded(world):
    panel = panel_of({"AAA": [50, 60], "BBB": [20, 10], "SPX": [1, 2]})
    Instrument.objects.create(symbol="AAA")
    Instrument.objects.create(symbol="SPX", kind="INDEX", tradable=False)
    assert risk_context_build(account=world.account, session=SESSIONS[1], panel=panel).tradable == {"AAA", "BBB"}
    world.account.universe = ["BBB", "SPX", "GONE"]
    assert risk_context_build(account=world.account, session=SESSIONS[1], panel=panel).tradable == {"BBB"}


def test_a_kill_switch_thrown_elsewhere_is_seen(world):
    Account.objects.filter(pk=world.account.pk).update(state="HALTED")
    panel = panel_of({"AAA": [50, 60]})
    assert risk_context_build(account=world.account, session=SESSIONS[1], panel=panel).trading_state == "HALTED"


def test_previous_sessions_end_with_the_session():
    assert previous_sessions(SESSIONS[30], 5) == SESSIONS[26:31]


# --- holdings


def test_the_legs_of_a_group_are_one_holding_named_after_its_first(world):
    pair = world.signal("BBB/AAA", "SHORT", legs=[("BBB", "SHORT"), ("AAA", "LONG")], spread=1.5)
    fills_book(
        account=world.account, fills=[world.trade("BBB", "SELL", 50, "100", signal=pair), world.trade("AAA", "BUY", 99, "50", signal=pair)]
    )
    single = world.signal("CCC", stop=D("8"))
    fills_book(account=world.account, fills=[world.trade("CCC", "BUY", 10, "10", signal=single), world.trade("DDD", "BUY", 1, "1")])
    (holdings,) = holdings_build(account=world.account).values()
    first, second = holdings
    assert (first.group, first.direction, first.quantities) == ("BBB/AAA", Direction.SHORT, {"AAA": 99.0, "BBB": -50.0})
    assert (first.entry_price, first.stop_price, first.metadata) == (100.0, None, {"spread": 1.5})
    assert (second.group, second.stop_price, second.entry_session, second.units) == ("CCC", 8.0, SESSIONS[1], 1)


def test_holdings_belong_to_their_strategy_and_end_with_their_position(world):
    one, two = world.signal(strategy="one"), world.signal(strategy="two")
    fills_book(account=world.account, fills=[world.trade("AAA", "BUY", 5, "50", signal=signal) for signal in (one, two)])
    assert set(holdings_build(account=world.account)) == {one.strategy_id, two.strategy_id}
    position = Position.objects.get(signal=one)
    fills_book(account=world.account, fills=[world.trade("AAA", "SELL", 5, "50", purpose="EXIT", position=position, session=SESSIONS[2])])
    assert set(holdings_build(account=world.account)) == {two.strategy_id}


# --- the work of a quiet session


def test_a_quiet_session_takes_few_statements_and_never_reads_closed_positions(world):
    panel = panel_of({"AAA": [50] * 20})
    for session in SESSIONS[1:4]:
        positions_mark(account=world.account, session=session, panel=panel)
        equity_snapshot(account=world.account, session=session, panel=panel)
    with CaptureQueriesContext(connection) as queries:
        positions_mark(account=world.account, session=SESSIONS[5], panel=panel)
        equity_snapshot(account=world.account, session=SESSIONS[5], panel=panel)
        books_check(account=world.account, session=SESSIONS[5], full=False)
        risk_context_build(account=world.account, session=SESSIONS[5], panel=panel)
        holdings_build(account=world.account)
    assert len(queries) <= 24
    if connection.vendor == "sqlite":
        sql = "EXPLAIN QUERY PLAN SELECT cost FROM positions WHERE account_id = 'x' AND exit_session IS NULL ORDER BY symbol, id"
        with connection.cursor() as cursor:
            plan = cursor.execute(sql).fetchall()
        assert "exit_session=?" in plan[0][3], plan
        assert len(plan) == 1, "rows are sorted after they were read"


def test_rows_are_read_as_the_orm_reads_them(world):
    fill = world.trade("AAA", "BUY", "10.5", "50.123456", signal=world.signal(stop=D("45"), n=[1, {"a": None}]))
    fills_book(account=world.account, fills=[fill])
    positions_mark(account=world.account, session=SESSIONS[1], panel=panel_of({"AAA": [50, 51.337]}))
    equity_snapshot(account=world.account, session=SESSIONS[1], panel=panel_of({"AAA": [50, 51.337]}))
    for model in (Position, CashEntry, EquitySnapshot, Order, Fill):
        names = tuple(field.attname for field in model._meta.concrete_fields)
        assert rows_read(model, names, "account_id = %s ORDER BY id", "books") == list(model.objects.order_by("id").values_list(*names))


def test_rows_are_written_as_the_orm_writes_them(world):
    panel = panel_of({"AAA": [50, 51]})
    row = EquitySnapshot(account=world.account, snapshot_date=SESSIONS[3], total_equity=D("1.05"), unit_value=D("0.3333333333"))
    row_insert(row)
    stored = EquitySnapshot.objects.get(pk=row.pk)
    assert (stored.total_equity, stored.unit_value, stored.daily_return, stored.created_at) == (
        D("1.05"),
        row.unit_value,
        None,
        row.created_at,
    )
    fills_book(account=world.account, fills=[world.trade("AAA", "BUY", 1, "50", signal=world.signal())])
    positions_mark(account=world.account, session=SESSIONS[1], panel=panel)
    at = datetime(2012, 1, 4, 21, 15, 0, 123456, tzinfo=UTC)
    rows_update(Position, ("mark_price", "mark_session", "updated_at"), [(D("1.234567"), SESSIONS[9], at, Position.objects.get().pk)])
    position = Position.objects.get()
    assert (position.mark_price, position.mark_session, position.updated_at) == (D("1.234567"), SESSIONS[9], at)
