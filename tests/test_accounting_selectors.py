"""What pages and the API read of the books."""

from decimal import Decimal as D

import numpy as np
import pytest

from tests.accounting_world import SESSIONS, World, panel_of
from trading.books.equity import equity_snapshot
from trading.books.ledger import account_fund, fills_book, positions_mark
from trading.models import OrderEvent, Position
from trading.selectors import equity_curve, orders_recent, positions_open, trades_closed


@pytest.fixture
def world(db):
    world = World(cash="10000")
    panel = panel_of({"AAA": [50, 50, 55, 44, 66], "SPY": [100, 110, None, 121, 121]})
    fills_book(account=world.account, fills=[world.trade("AAA", "BUY", 200, "50", signal=world.signal(), commission="0")])
    for session in SESSIONS[1:5]:
        if session == SESSIONS[3]:
            account_fund(account=world.account, amount=D("1000"), session=session, key="more")
        positions_mark(account=world.account, session=session, panel=panel)
        equity_snapshot(account=world.account, session=session, panel=panel)
    return world


def test_the_curve_compounds_returns_and_ignores_deposits(world):
    curve = equity_curve(account=world.account)
    assert curve.sessions == SESSIONS[1:5]
    np.testing.assert_allclose(curve.equity, [10000, 11000, 9800, 14200])
    np.testing.assert_allclose(curve.returns, [0, 0.1, 9800 / 12000 - 1, 14200 / 9800 - 1], atol=1e-6)
    np.testing.assert_allclose(curve.growth, np.cumprod([1, 1.1, 9800 / 12000, 14200 / 9800]), rtol=1e-9)
    np.testing.assert_allclose(curve.drawdown, [0, 0, 9800 / 12000 - 1, 0], atol=1e-9)
    np.testing.assert_allclose(curve.benchmark, [1.1, 1.1, 1.1, 1.1])


def test_a_part_of_the_curve_starts_at_its_own_first_return(world):
    curve = equity_curve(account=world.account, first=SESSIONS[3])
    np.testing.assert_allclose(curve.growth, [9800 / 12000, 14200 / 12000], rtol=1e-5)
    np.testing.assert_allclose(curve.drawdown, [9800 / 12000 - 1, 0], atol=1e-5)


def test_an_account_without_snapshots_has_an_empty_curve(db):
    curve = equity_curve(account=World("new").account)
    assert (curve.sessions, len(curve.equity), len(curve.growth), len(curve.drawdown)) == ([], 0, 0, 0)


def test_positions_leave_the_open_ones_and_join_the_trades_when_closed(world):
    position = positions_open(account=world.account).get()
    assert not trades_closed(account=world.account).exists()
    fills_book(account=world.account, fills=[world.trade("AAA", "SELL", 200, "60", purpose="EXIT", position=position, session=SESSIONS[5])])
    assert not positions_open(account=world.account).exists()
    assert trades_closed(account=world.account, first=SESSIONS[5]).get().position == Position.objects.get()
    assert not trades_closed(account=world.account, last=SESSIONS[4]).exists()


def test_recent_orders_come_with_their_events_in_two_statements(world, django_assert_num_queries):
    order = world.order("BBB", "BUY", 1, signal=world.signal("BBB"))
    for sequence, status in ((2, "READY"), (1, "INTENT")):
        OrderEvent.objects.create(order=order, sequence=sequence, to_status=status)
    with django_assert_num_queries(2):
        newest, *others = orders_recent(account=world.account, limit=5)
        assert [event.to_status for event in newest.events.all()] == ["INTENT", "READY"]
        assert newest.signal.strategy.key == "turtle"
    assert len(others) == 1
