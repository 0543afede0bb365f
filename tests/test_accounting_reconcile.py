"""The books agree at every session, and a single changed cent is found."""

from decimal import Decimal as D

import pytest
from django.db import models
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from quant_site.core.errors import Conflict, LedgerMismatch
from tests.accounting_world import SESSIONS, BrokerBook, World, panel_of
from trading.books.checks import books_check
from trading.books.equity import equity_snapshot
from trading.books.ledger import account_fund, activities_book, fills_book, positions_mark
from trading.models import CashEntry, EquitySnapshot, Fill, Position

PANEL = panel_of({"AAA": [50, 51, 53, 49, 55, 56, 57], "BBB": [20, 21, 22, 20, 19, 18, 17]})


def close(world, session, panel=PANEL):
    positions_mark(account=world.account, session=session, panel=panel)
    equity_snapshot(account=world.account, session=session, panel=panel)


@pytest.fixture
def world(db):
    """Two sessions: a long and a short, one closed, a dividend and a deposit."""
    world = World()
    fills_book(account=world.account, fills=[world.trade("AAA", "BUY", 100, "50.5", signal=world.signal(), commission="1.01")])
    short = world.trade("BBB", "SELL", 33, "20.333333", signal=world.signal("BBB", "SHORT"), commission="0.99")
    fills_book(account=world.account, fills=[short])
    close(world, SESSIONS[1])
    activities_book(account=world.account, activities=[world.activity("DIVIDEND", "AAA", 100, "0.12", "12.00")])
    position = Position.objects.get(symbol="BBB")
    fills_book(account=world.account, fills=[world.trade("BBB", "BUY", 33, "21.7", purpose="STOP", position=position, session=SESSIONS[2])])
    account_fund(account=world.account, amount=D("250.50"), session=SESSIONS[2], key="more")
    close(world, SESSIONS[2])
    return world


def broker(cash="95164.40", **positions):
    return BrokerBook(cash, positions or {"AAA": 100})


def test_books_that_agree_answer_their_numbers(world):
    result = books_check(account=world.account, session=SESSIONS[2], broker=broker(), full=True)
    assert result == {
        "cash": "95164.40",
        "equity": "100464.40",
        "realized_pnl": "-35.09",
        "unrealized_pnl": "248.99",
        "positions": 1,
        "broker": True,
        "full": True,
    }


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize(
    ("model", "field", "message"),
    [
        (EquitySnapshot, "cash", "cash"),
        (EquitySnapshot, "total_equity", "equity"),
        (CashEntry, "amount", "cash"),
        (Position, "cost", "profit"),
        (Position, "market_value", "equity"),
        (Position, "unrealized_pnl", "profit"),
        (Position, "realized_pnl", "profit"),
        (Position, "dividends", "profit"),
    ],
)
def test_a_single_cent_in_a_row_of_the_session_is_found(world, model, field, message, full):
    row = model.objects.order_by("-pk").first() if model is not Position else Position.objects.get(symbol="AAA")
    model.objects.filter(pk=row.pk).update(**{field: models.F(field) + D("0.01")})
    with pytest.raises(LedgerMismatch, match=message):
        books_check(account=world.account, session=SESSIONS[2], full=full)


@pytest.mark.parametrize(
    ("model", "field", "where"),
    [
        (Fill, "quantity", {}),
        (Fill, "amount", {}),
        (Fill, "commission", {}),
        (Position, "realized_pnl", {"symbol": "BBB"}),
        (Position, "quantity", {"symbol": "AAA"}),
        (CashEntry, "amount", {"session": SESSIONS[1]}),
    ],
)
def test_the_full_check_finds_a_changed_row_of_the_past(world, model, field, where):
    row = model.objects.filter(**where).order_by("pk").first()
    model.objects.filter(pk=row.pk).update(**{field: models.F(field) + D("0.01")})
    with pytest.raises(LedgerMismatch):
        books_check(account=world.account, session=SESSIONS[2], full=True)


@pytest.mark.parametrize("field", ["cumulative_return", "net_flow"])
def test_the_full_check_finds_a_return_that_does_not_follow_from_the_snapshots(world, field):
    EquitySnapshot.objects.filter(snapshot_date=SESSIONS[2]).update(**{field: D("0.5")})
    with pytest.raises(LedgerMismatch, match="time-weighted return"):
        books_check(account=world.account, session=SESSIONS[2], full=True)


def test_a_fill_that_nobody_booked_is_found_by_the_full_check(world):
    world.trade("AAA", "BUY", 1, "50", signal=world.signal(session=SESSIONS[1]), session=SESSIONS[2])
    with pytest.raises(LedgerMismatch, match="1 fills are not booked"):
        books_check(account=world.account, session=SESSIONS[2], full=True)


@pytest.mark.parametrize(
    ("theirs", "message"),
    [
        (broker(cash="95164.39"), "cash and the broker's"),
        (broker(AAA=99), "position in AAA"),
        (broker(AAA=100, BBB=-1), "position in BBB"),
        (BrokerBook("95164.40", {}), "position in AAA"),
    ],
)
def test_a_broker_that_holds_something_else_is_a_mismatch(world, theirs, message):
    with pytest.raises(LedgerMismatch, match=message) as caught:
        books_check(account=world.account, session=SESSIONS[2], broker=theirs)
    assert caught.value.details["differences"]


def test_a_session_without_a_snapshot_or_with_a_later_one_cannot_be_checked(world):
    with pytest.raises(LedgerMismatch, match="no equity snapshot"):
        books_check(account=world.account, session=SESSIONS[3])
    with pytest.raises(Conflict, match="can no longer be checked"):
        books_check(account=world.account, session=SESSIONS[1])


def test_every_twenty_first_session_the_check_is_full_by_itself(db):
    world = World("long", is_replay=True)
    panel = panel_of({"AAA": [50] * 45})
    fulls = []
    for session in SESSIONS[:45]:
        close(world, session, panel)
        fulls.append(books_check(account=world.account, session=session)["full"])
    assert sum(fulls) in (2, 3)
    first = fulls.index(True)
    assert fulls[first + 21] and not any(fulls[first + 1 : first + 21])


class AnyHistory(TestCase):
    """Whatever is traded, split, paid and deposited, every session reconciles from nothing."""

    steps = st.lists(
        st.tuples(
            st.sampled_from(["AAA", "BBB"]),
            st.sampled_from(["one", "two"]),
            st.integers(1, 400),
            st.integers(100, 9999),
            st.sampled_from(["trade", "trade", "trade", "exit", "exit", "half", "dividend", "split", "deposit", "close"]),
        ),
        min_size=1,
        max_size=25,
    )

    @given(steps)
    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    def test_every_session_reconciles(self, steps):
        world, day = World("any", is_replay=True), 1
        for number, (symbol, strategy, quantity, cents, what) in enumerate(steps):
            session, unit = SESSIONS[day], D(cents) / 100
            position = Position.objects.filter(symbol=symbol, exit_session=None, strategy__key=strategy).first()
            if what == "trade":
                side = "SELL" if position and position.quantity < 0 else "BUY" if position else ("BUY", "SELL")[number % 2]
                signal = world.signal(symbol, "LONG" if side == "BUY" else "SHORT", session=SESSIONS[day - 1], strategy=strategy)
                fills_book(account=world.account, fills=[world.trade(symbol, side, quantity, unit, signal=signal, session=session)])
            elif what in ("exit", "half") and position:
                size = abs(position.quantity) if what == "exit" else max(D(1), abs(position.quantity) // 2)
                side = "SELL" if position.quantity > 0 else "BUY"
                fills_book(
                    account=world.account,
                    fills=[world.trade(symbol, side, size, unit, purpose="EXIT", position=position, session=session)],
                )
            elif what == "deposit":
                account_fund(account=world.account, amount=unit, session=session, key=str(number))
            elif what in ("dividend", "split"):
                self._act(world, symbol, session, what, unit, number)
            elif what == "close":
                self._close(world, session)
                day += 1
        self._close(world, SESSIONS[day])

    @staticmethod
    def _act(world, symbol, session, what, unit, number):
        held = Position.objects.filter(symbol=symbol, exit_session=None, entry_session__lt=session)
        total = sum(held.values_list("quantity", flat=True))
        today = Position.objects.filter(symbol=symbol, exit_session=None, entry_session=session)
        if not total or (what == "split" and today.exists()):
            return
        ratio = (D(2), D("1.5"), D("0.1"))[number % 3]
        whole = D(int(total * ratio))
        amount = ((total * ratio - whole) * unit if what == "split" else total * unit / 100).quantize(D("0.01"))
        activity = world.activity(what.upper(), symbol, total, ratio if what == "split" else unit / 100, amount, session=session)
        activities_book(account=world.account, activities=[activity])

    @staticmethod
    def _close(world, session):
        panel = panel_of({"AAA": [41.37] * len(SESSIONS), "BBB": [13.01] * len(SESSIONS)})
        close(world, session, panel)
        flows = sum(CashEntry.objects.values_list("amount", flat=True))
        held = {}
        for symbol, quantity in Position.objects.filter(exit_session=None).values_list("symbol", "quantity"):
            held[symbol] = held.get(symbol, 0) + quantity
        theirs = BrokerBook(flows, {symbol: quantity for symbol, quantity in held.items() if quantity})
        books_check(account=world.account, session=session, broker=theirs, full=True)
