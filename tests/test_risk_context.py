"""The context that an order is judged in: everything else that is open counts, by symbol, strategy and underlying."""

from dataclasses import fields, replace
from decimal import Decimal as D

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from strategies.risk import PanelMarket, RiskLimits, assess
from tests.accounting_world import SESSIONS, World, panel_of
from tests.risk_world import trade
from trading.books.equity import equity_snapshot
from trading.books.ledger import fills_book, positions_mark
from trading.exposure.context import risk_context_build, risk_limits
from trading.models import CashEntry, Position
from trading.order_path.states import OPEN, TERMINAL

LOW, HIGH = "AAA120615P00045000", "AAA120615P00055000"
T = 1


@pytest.fixture
def world(db):
    return World()


@pytest.fixture
def panel():
    return panel_of({"AAA": [50] * 20, "BBB": [20] * 20})


def build(world, panel, t=T, **others):
    return risk_context_build(account=world.account, session=SESSIONS[t], panel=panel, **others)


def test_every_open_status_counts_and_no_ended_one(world, panel):
    for number, status in enumerate([*sorted(OPEN), *sorted(TERMINAL)]):
        world.order("AAA", "BUY", 10, signal=world.signal(strategy=f"s{number}"), status=status)
    context = build(world, panel)
    assert context.pending == {"AAA": D(10 * 50 * len(OPEN))}
    assert set(context.strategy_exposures.values()) == {D(500)}
    assert len(context.strategy_exposures) == len(OPEN)


def test_the_order_that_is_looked_at_does_not_count(world, panel):
    signal = world.signal()
    first, second = (world.order("AAA", "BUY", size, signal=signal, leg=size, status="READY") for size in (10, 30))
    assert build(world, panel).pending == {"AAA": D(2000)}
    context = build(world, panel, excluding=(second.pk,))
    assert (context.pending, context.strategy_exposures) == ({"AAA": D(500)}, {signal.strategy_id: D(500)})
    nothing = build(world, panel, excluding={first.pk, second.pk})
    assert (nothing.pending, nothing.strategy_exposures, nothing.reserved) == ({}, {}, {})


def test_held_and_coming_of_a_strategy_add_up(world, panel):
    signal = world.signal()
    fills_book(account=world.account, fills=[world.trade("AAA", "BUY", 100, "50", signal=signal)])
    positions_mark(account=world.account, session=SESSIONS[T], panel=panel)
    world.order("AAA", "BUY", 20, signal=signal, leg=1, status="ACKED", filled_quantity=D(5))
    world.order("BBB", "SELL", 10, status="ACKED")
    context = build(world, panel)
    assert context.strategy_exposures == {signal.strategy_id: D(5750)}
    assert context.pending == {"AAA": D(750), "BBB": D(-200)}


def test_an_order_of_several_legs_counts_leg_by_leg(world, panel):
    legs = [{"symbol": "AAA", "side": "BUY", "ratio": 100}, {"symbol": "BBB", "side": "SELL", "ratio": 50}]
    world.order("AAA/BBB", "BUY", 3, legs=legs, signal=world.signal(), status="PARTIAL", filled_quantity=D(1))
    context = build(world, panel)
    assert context.pending == {"AAA": D(10000), "BBB": D(-2000)}
    assert list(context.strategy_exposures.values()) == [D(12000)]


def test_a_structure_on_its_way_reserves_what_it_can_lose_once(world, panel, monkeypatch):
    mids = {LOW: 1.0, HIGH: 6.0}
    monkeypatch.setattr("quant_site.market.options.closing.closing_mid", lambda panel, symbol, t: mids.get(symbol))
    legs = [{"symbol": LOW, "side": "BUY", "ratio": 1}, {"symbol": HIGH, "side": "SELL", "ratio": 1}]
    signal = world.signal("AAA puts")
    one = world.order("AAA puts", "BUY", 2, legs=legs, signal=signal, status="READY")
    context = build(world, panel)
    assert context.contracts_pending == {LOW: 2.0, HIGH: -2.0}
    assert context.pending == {LOW: D(200), HIGH: D(-1200)}
    assert context.reserved == {"AAA": pytest.approx(2000 - 1000)}
    assert context.strategy_exposures == {signal.strategy_id: D(1000)}
    assert context.gross == pytest.approx(1000)
    assert build(world, panel, excluding=[one.pk]).contracts_pending == {}


def test_options_that_are_held_are_counted_in_contracts(world, panel):
    fills_book(account=world.account, fills=[world.trade(HIGH, "SELL", 2, "6", signal=world.signal(strategy=name)) for name in "ab"])
    context = build(world, panel)
    assert context.contracts == {HIGH: -4.0}
    assert context.option_counts == {HIGH: -4.0}


def test_what_was_booked_since_the_close_counts_on_the_live_clock(world, panel):
    fills_book(account=world.account, fills=[world.trade("AAA", "BUY", 100, "50", signal=world.signal())])
    positions_mark(account=world.account, session=SESSIONS[1], panel=panel)
    equity_snapshot(account=world.account, session=SESSIONS[1], panel=panel)
    close = build(world, panel)
    position = Position.objects.get()
    order = world.order("AAA", "SELL", 40, purpose="EXIT", position=position)
    fills_book(account=world.account, fills=[world.fill(order, 40, "55", session=SESSIONS[2])])
    assert (build(world, panel).cash, build(world, panel).unsettled) == (close.cash, 0)
    today = build(world, panel, through=SESSIONS[2])
    assert today.cash == close.cash + 2200 - 1
    assert today.unsettled == 2200
    assert today.equity == close.equity
    tomorrow = build(world, panel, through=SESSIONS[3])
    assert (tomorrow.cash, tomorrow.unsettled) == (today.cash, 0)
    CashEntry.objects.create(account=world.account, key="more", session=SESSIONS[2], kind="DEPOSIT", amount=D(500))
    assert build(world, panel, through=SESSIONS[2]).equity == close.equity + 500


def test_day_trades_of_today_count_on_the_live_clock(world, panel):
    fills_book(account=world.account, fills=[world.trade("AAA", "BUY", 1, "50", signal=world.signal(), session=SESSIONS[2])])
    order = world.order("AAA", "SELL", 1, purpose="EXIT", position=Position.objects.get())
    fills_book(account=world.account, fills=[world.fill(order, 1, "50", session=SESSIONS[2], hour=18)])
    assert build(world, panel).day_trades == 0
    assert build(world, panel, through=SESSIONS[2]).day_trades == 1


def test_limits_are_read_from_their_columns(world):
    account = world.account
    assert risk_limits(account) == RiskLimits(0.20, 1.0, 0.20, 0.01, 0.01, 3, True)
    assert risk_limits(account).plain
    account.max_sector_pct, account.max_order_notional, account.restricted = D("0.3"), D("25000.00"), ["MO"]
    account.day_trade_rule = type(account).DayTradeRule.CASH_ACCOUNT
    limits = risk_limits(account)
    assert (limits.max_sector_pct, limits.max_order_notional, limits.restricted) == (0.3, 25000.0, ("MO",))
    assert limits.day_trade_rule == "CASH_ACCOUNT"
    assert not any(isinstance(getattr(limits, each.name), D) for each in fields(RiskLimits))


def test_many_open_orders_take_no_more_statements_than_few(world, panel):
    def statements() -> int:
        with CaptureQueriesContext(connection) as queries:
            build(world, panel)
        return len(queries)

    signals = [world.signal(strategy=f"s{number}") for number in range(3)]
    world.order("AAA", "BUY", 10, signal=signals[0], status="READY")
    few = statements()
    for number in range(60):
        world.order("AAA", "BUY", 10, signal=signals[number % 3], leg=number + 1, status="READY")
    assert statements() == few <= 12


def test_what_no_limit_asks_for_is_never_computed(world, panel, monkeypatch):
    def never(*args, **kwargs):
        raise AssertionError("nobody may ask")

    for name in ("sector", "correlations", "option", "scaled_returns", "overnight_gap"):
        monkeypatch.setattr(PanelMarket, name, never)
    from_panel = build(world, panel)
    proposal = trade({"AAA": 10}, from_panel)
    assert [each.code for each in assess(proposal, from_panel)] == []
    limited = replace(from_panel, limits=replace(from_panel.limits, max_sector_pct=0.5))
    with pytest.raises(AssertionError, match="nobody"):
        assess(proposal, limited)
