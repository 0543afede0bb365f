"""Fills, dividends and splits reach cash and positions once, to the cent."""

from decimal import Decimal as D

import pytest

from quant_site.core.errors import Conflict, InvalidInput, LedgerMismatch
from quant_site.core.models import OutboxEvent
from signals_app.models import SignalOutcome
from tests.accounting_world import SESSIONS, World, panel_of
from trading.books import bookings, ledger
from trading.books.equity import equity_snapshot
from trading.books.ledger import account_fund, activities_book, fills_book, fills_unbooked, positions_mark
from trading.models import CashEntry, Order, Position, TradeJournal

pytestmark = pytest.mark.django_db


@pytest.fixture
def world():
    return World()


def rows():
    """Everything the ledger writes, in full."""
    tables = (CashEntry, Position, TradeJournal, SignalOutcome, OutboxEvent)
    return [list(table.objects.order_by("pk").values()) for table in tables] + [list(Order.objects.order_by("pk").values("pk", "position"))]


def cash():
    return sum(CashEntry.objects.values_list("amount", flat=True))


def test_an_entry_opens_a_position_with_the_stop_and_target_of_its_signal(world):
    signal = world.signal(stop=D("45"), target=D("60"), system="S1", add=False, binding="RISK_BUDGET")
    fill = world.trade("AAA", "BUY", 100, "50", signal=signal)
    fills_book(account=world.account, fills=[fill])
    position = Position.objects.get()
    assert (position.quantity, position.cost, position.entry_cost, position.commission) == (D(100), D("5001"), D("5001"), D("1"))
    assert (position.stop_price, position.initial_stop, position.target_price) == (D(45), D(45), D(60))
    assert (position.initial_risk, position.units, position.direction) == (D("500"), 1, "LONG")
    assert position.metadata == {"system": "S1"}
    assert position.open_key == f"books:{signal.strategy_id}:AAA:AAA"
    assert Order.objects.get().position == position
    assert list(CashEntry.objects.filter(key__contains="-f").order_by("id").values_list("kind", "amount")) == [
        ("TRADE", D("-5000")),
        ("COMMISSION", D("-1")),
    ]
    assert cash() == D("94999")


def test_booking_the_same_fills_again_changes_nothing(world):
    entry = world.trade("AAA", "BUY", 100, "50", signal=world.signal(stop=D("45")))
    fills_book(account=world.account, fills=[entry])
    exit_ = world.trade("AAA", "SELL", 100, "55", purpose="STOP", position=Position.objects.get(), session=SESSIONS[3])
    fills_book(account=world.account, fills=[entry, exit_])
    before = rows()
    assert fills_book(account=world.account, fills=[exit_, entry]) == []
    assert rows() == before


def test_a_close_realises_profit_drafts_the_journal_and_writes_the_outcome(world):
    signal = world.signal(stop=D("45"))
    fills_book(account=world.account, fills=[world.trade("AAA", "BUY", 100, "50", signal=signal)])
    position = Position.objects.get()
    exit_ = world.trade("AAA", "SELL", 100, "55.5", purpose="EXIT", position=position, session=SESSIONS[4], commission="1.25")
    fills_book(account=world.account, fills=[exit_])
    position.refresh_from_db()
    assert (position.quantity, position.cost, position.realized_pnl) == (D(0), D(0), D("547.75"))
    assert (position.exit_session, position.exit_price, position.exit_reason) == (SESSIONS[4], D("55.5"), "EXIT")
    assert position.open_key is None
    journal = TradeJournal.objects.get()
    assert (journal.realized_pnl, journal.quantity, journal.entry_price, journal.exit_price) == (D("547.75"), D(100), D(50), D("55.5"))
    assert (journal.entry_date, journal.exit_date, journal.journal_status) == (SESSIONS[1], SESSIONS[4], "DRAFT")
    outcome = SignalOutcome.objects.get(signal=signal)
    assert (outcome.realized_pnl, outcome.holding_sessions, outcome.r_multiple) == (D("547.75"), 3, D("1.0955"))
    assert list(OutboxEvent.objects.order_by("id").values_list("type", flat=True)) == ["position.opened", "position.closed"]
    assert cash() == D("100547.75")


def test_a_position_can_be_opened_again_after_it_was_closed_in_the_same_batch(world):
    fills_book(account=world.account, fills=[world.trade("AAA", "BUY", 10, "50", signal=world.signal())])
    first = Position.objects.get()
    out = world.fill(world.order("AAA", "SELL", 10, purpose="EXIT", position=first), 10, "51", session=SESSIONS[2], hour=14)
    again = world.fill(world.order("AAA", "BUY", 10, signal=world.signal(session=SESSIONS[1])), 10, "51", session=SESSIONS[2], hour=15)
    fills_book(account=world.account, fills=[again, out])
    assert list(Position.objects.order_by("id").values_list("quantity", flat=True)) == [D(0), D(10)]


def test_the_parts_of_one_order_are_one_unit_with_a_mean_price(world):
    order = world.order("AAA", "BUY", 100, signal=world.signal(stop=D("45")))
    parts = [world.fill(order, 40, "50", hour=14), world.fill(order, 60, "51", hour=15)]
    fills_book(account=world.account, fills=parts)
    position = Position.objects.get()
    assert (position.units, position.quantity, position.entry_price, position.last_entry_price) == (1, D(100), D("50.6"), D("50.6"))
    assert position.initial_risk == D("560")


def test_an_addition_raises_the_units_and_takes_stop_and_last_price_from_its_signal(world):
    fills_book(account=world.account, fills=[world.trade("AAA", "BUY", 100, "50", signal=world.signal(stop=D("46"), n=2.0))])
    second = world.signal(stop=D("47"), session=SESSIONS[2], add=True, n=2.5)
    order = world.order("AAA", "BUY", 100, signal=second, session=SESSIONS[2])
    fills = [world.fill(order, 50, "51", session=SESSIONS[3], hour=14), world.fill(order, 50, "51.2", session=SESSIONS[3])]
    fills_book(account=world.account, fills=fills)
    position = Position.objects.get()
    assert (position.units, position.quantity, position.last_entry_price) == (2, D(200), D("51.2"))
    assert (position.entry_price, position.initial_stop, position.stop_price) == (D(50), D(46), D(47))
    assert (position.initial_risk, position.metadata) == (D("400"), {"n": 2.5})
    fills_book(account=world.account, fills=[world.trade("AAA", "SELL", 200, "52", purpose="EXIT", position=position, session=SESSIONS[5])])
    assert TradeJournal.objects.get().entry_price == D("50.55")


def test_a_pair_has_a_position_per_leg_no_stops_and_one_outcome_when_both_are_flat(world):
    signal = world.signal("AAA/BBB", legs=[("AAA", "LONG"), ("BBB", "SHORT")], stop=D("1"))
    legs = [world.trade("AAA", "BUY", 100, "50", signal=signal), world.trade("BBB", "SELL", 50, "100", signal=signal)]
    fills_book(account=world.account, fills=legs)
    long, short = Position.objects.order_by("symbol")
    assert {long.group, short.group} == {"AAA/BBB"}
    assert (long.stop_price, short.stop_price, short.quantity, short.cost) == (None, None, D(-50), D("-4999"))
    fills_book(account=world.account, fills=[world.trade("AAA", "SELL", 100, "49", purpose="EXIT", position=long, session=SESSIONS[5])])
    assert not SignalOutcome.objects.exists()
    fills_book(account=world.account, fills=[world.trade("BBB", "BUY", 50, "95", purpose="EXIT", position=short, session=SESSIONS[7])])
    outcome = SignalOutcome.objects.get()
    assert (outcome.realized_pnl, outcome.holding_sessions, outcome.closed_session) == (D("146"), 6, SESSIONS[7])
    assert (outcome.return_pct, outcome.r_multiple) == (D("0.0146"), None)
    assert TradeJournal.objects.count() == 2


def test_partial_exits_have_a_mean_price_and_the_position_stays_open_until_flat(world):
    fills_book(account=world.account, fills=[world.trade("AAA", "BUY", 3, "100", signal=world.signal(), commission="0")])
    position = Position.objects.get()
    order = world.order("AAA", "SELL", 3, purpose="TARGET", position=position)
    fills_book(account=world.account, fills=[world.fill(order, 1, "110", session=SESSIONS[2], commission="0")])
    position.refresh_from_db()
    assert (position.quantity, position.cost, position.realized_pnl, position.exit_session) == (D(2), D(200), D(10), None)
    fills_book(account=world.account, fills=[world.fill(order, 2, "120", session=SESSIONS[3], commission="0")])
    position.refresh_from_db()
    assert (position.realized_pnl, position.exit_price, position.exit_session) == (D(50), D("116.666667"), SESSIONS[3])


def test_an_exit_of_more_than_is_held_books_nothing(world):
    fills_book(account=world.account, fills=[world.trade("AAA", "BUY", 10, "50", signal=world.signal())])
    position, before = Position.objects.get(), rows()
    order = world.order("AAA", "SELL", 20, purpose="EXIT", position=position)
    over = world.fill(order, 20, "50", session=SESSIONS[2])
    before[-1] = rows()[-1]
    with pytest.raises(LedgerMismatch, match="closes 20"):
        fills_book(account=world.account, fills=[over])
    assert rows() == before


def test_an_exit_of_a_position_that_is_flat_is_a_mismatch(world):
    fills_book(account=world.account, fills=[world.trade("AAA", "BUY", 10, "50", signal=world.signal())])
    position = Position.objects.get()
    fills_book(account=world.account, fills=[world.trade("AAA", "SELL", 10, "50", purpose="STOP", position=position)])
    with pytest.raises(LedgerMismatch, match="not open"):
        fills_book(account=world.account, fills=[world.trade("AAA", "SELL", 10, "50", purpose="EXIT", position=position)])


@pytest.mark.parametrize("point", ["position_event", "trade_closed", "position_reduced", "events_publish"])
def test_a_crash_within_a_batch_leaves_nothing_behind_and_booking_again_ends_the_same(world, monkeypatch, point):
    fills = [world.trade("AAA", "BUY", 10, "50", signal=world.signal()), world.trade("BBB", "BUY", 5, "20", signal=world.signal("BBB"))]
    fills_book(account=world.account, fills=fills[:1])
    exit_ = world.trade("AAA", "SELL", 10, "52", purpose="EXIT", position=Position.objects.get(), session=SESSIONS[2])
    before = rows()

    def crash(*args, **kwargs):
        raise SystemExit("killed")

    with monkeypatch.context() as patch:
        patch.setattr(bookings if point == "position_reduced" else ledger, point, crash)
        with pytest.raises(SystemExit):
            fills_book(account=world.account, fills=[*fills, exit_])
    assert rows() == before
    assert [fill.fill_id for fill in fills_unbooked(account=world.account, session=SESSIONS[2])] == [fills[1].fill_id, exit_.fill_id]
    fills_book(account=world.account, fills=fills_unbooked(account=world.account, session=SESSIONS[2]))
    assert fills_unbooked(account=world.account, session=SESSIONS[2]) == []
    assert cash() == D("100000") - D("501") + D("519") - D("101")


def test_a_manual_order_without_a_signal_has_a_position_of_no_strategy(world):
    fills_book(account=world.account, fills=[world.trade("AAA", "SELL", 10, "50")])
    position = Position.objects.get()
    assert (position.strategy_id, position.group, position.direction, position.open_key) == (None, "AAA", "SHORT", "books:-:AAA:AAA")
    fills_book(account=world.account, fills=[world.trade("AAA", "BUY", 10, "49", purpose="EXIT", position=position)])
    assert TradeJournal.objects.get().realized_pnl == D("8")


def test_an_entry_beyond_its_stop_has_no_initial_risk_and_so_no_r_multiple(world):
    signal = world.signal(stop=D("45"))
    fills_book(account=world.account, fills=[world.trade("AAA", "BUY", 100, "44", signal=signal)])
    position = Position.objects.get()
    assert (position.stop_price, position.initial_risk) == (D(45), None)
    fills_book(account=world.account, fills=[world.trade("AAA", "SELL", 100, "44", purpose="STOP", position=position)])
    assert SignalOutcome.objects.get().r_multiple is None


def test_a_split_between_decision_and_fill_restates_the_stop(world):
    signal = world.signal(stop=D("85"), target=D("120"))
    order = world.order("AAA", "BUY", 200, signal=signal, split_ratio=D(2))
    fills_book(account=world.account, fills=[world.fill(order, 200, "44")])
    position = Position.objects.get()
    assert (position.stop_price, position.target_price, position.initial_risk) == (D("42.5"), D("60"), D("300"))


def test_a_dividend_is_shared_out_over_the_strategies_in_a_symbol(world):
    for strategy, quantity in (("one", 100), ("two", 50)):
        fills_book(account=world.account, fills=[world.trade("AAA", "BUY", quantity, "10", signal=world.signal(strategy=strategy))])
    paid = world.activity("DIVIDEND", "AAA", 150, "0.3333", "50.00")
    assert activities_book(account=world.account, activities=[paid]) == 1
    before = rows()
    assert activities_book(account=world.account, activities=[paid]) == 0
    assert rows() == before
    assert list(Position.objects.order_by("id").values_list("dividends", flat=True)) == [D("33.33"), D("16.67")]
    assert CashEntry.objects.get(kind="DIVIDEND").amount == D("50")


def test_a_short_position_pays_the_dividend(world):
    fills_book(account=world.account, fills=[world.trade("AAA", "SELL", 10, "10", signal=world.signal(direction="SHORT"))])
    activities_book(account=world.account, activities=[world.activity("DIVIDEND", "AAA", -10, "0.25", "-2.50")])
    assert Position.objects.get().dividends == D("-2.50")


def test_what_was_bought_on_the_ex_date_earns_no_dividend(world):
    fills_book(account=world.account, fills=[world.trade("AAA", "BUY", 10, "10", signal=world.signal(strategy="one"))])
    late = world.trade("AAA", "BUY", 10, "10", signal=world.signal(strategy="two"), session=SESSIONS[2])
    fills_book(account=world.account, fills=[late])
    activities_book(account=world.account, activities=[world.activity("DIVIDEND", "AAA", 10, "0.5", "5.00", session=SESSIONS[2])])
    assert list(Position.objects.order_by("id").values_list("dividends", flat=True)) == [D("5"), D("0")]


def test_an_activity_on_another_holding_than_ours_is_a_mismatch(world):
    fills_book(account=world.account, fills=[world.trade("AAA", "BUY", 10, "10", signal=world.signal())])
    with pytest.raises(LedgerMismatch, match="on 11 AAA, we hold 10"):
        activities_book(account=world.account, activities=[world.activity("DIVIDEND", "AAA", 11, "0.5", "5.50")])
    assert not CashEntry.objects.filter(kind="DIVIDEND").exists()


def test_a_split_restates_quantities_prices_and_stops_and_moves_no_money(world):
    fills_book(account=world.account, fills=[world.trade("AAA", "BUY", 100, "90", signal=world.signal(stop=D("80"), target=D("110")))])
    positions_mark(account=world.account, session=SESSIONS[1], panel=panel_of({"AAA": [90, 88, 44]}))
    split = world.activity("SPLIT", "AAA", 100, "2", "0.00")
    activities_book(account=world.account, activities=[split])
    activities_book(account=world.account, activities=[split])
    position = Position.objects.get()
    assert (position.quantity, position.cost, position.entry_quantity, position.peak_quantity) == (D(200), D("9001"), D(200), D(200))
    assert (position.entry_price, position.stop_price, position.initial_stop, position.target_price) == (D(45), D(40), D(40), D(55))
    assert (position.mark_price, position.initial_risk) == (D(44), D("1000"))
    assert position.adjustments == [{"session": str(SESSIONS[2]), "ratio": "2", "before": "100.000000", "after": "200", "cash": "0.00"}]
    assert cash() == D("90999")


def test_cash_in_lieu_counts_as_an_exit_at_its_price(world):
    fills_book(account=world.account, fills=[world.trade("AAA", "BUY", 15, "60", signal=world.signal(), commission="0")])
    activities_book(account=world.account, activities=[world.activity("SPLIT", "AAA", 15, "1.5", "22.00")])
    position = Position.objects.get()
    assert (position.quantity, position.cost, position.realized_pnl, position.exit_price) == (D(22), D("880"), D("2"), D("44"))
    order = world.order("AAA", "SELL", 22, purpose="EXIT", position=position)
    fills_book(account=world.account, fills=[world.fill(order, 22, "40", session=SESSIONS[3], commission="0")])
    position.refresh_from_db()
    assert (position.realized_pnl, position.exit_price) == (D("2"), D("40.088889"))


def test_a_split_that_leaves_no_share_closes_the_position(world):
    fills_book(account=world.account, fills=[world.trade("AAA", "BUY", 3, "10", signal=world.signal(), commission="0")])
    activities_book(account=world.account, activities=[world.activity("SPLIT", "AAA", 3, "0.1", "31.00")])
    position = Position.objects.get()
    assert (position.quantity, position.realized_pnl, position.exit_reason) == (D(0), D("1"), "SPLIT")
    assert position.exit_price == D("103.333333")
    assert TradeJournal.objects.get().realized_pnl == D("1")


def test_a_deposit_books_once_per_key(world):
    account_fund(account=world.account, amount=D("500"), session=SESSIONS[3], key="gift")
    account_fund(account=world.account, amount=D("500"), session=SESSIONS[3], key="gift")
    assert cash() == D("100500")
    with pytest.raises(Conflict, match="already booked 500"):
        account_fund(account=world.account, amount=D("600"), session=SESSIONS[3], key="gift")
    with pytest.raises(InvalidInput):
        account_fund(account=world.account, amount=D("0"), session=SESSIONS[3], key="nothing")
    assert account_fund(account=world.account, amount=D("-200"), session=SESSIONS[3], key="out").kind == "WITHDRAWAL"


def test_what_arrives_after_a_snapshot_is_booked_into_the_next_session(world):
    panel = panel_of({"AAA": [50, 50, 50, 50]})
    equity_snapshot(account=world.account, session=SESSIONS[1], panel=panel)
    entry = account_fund(account=world.account, amount=D("500"), session=SESSIONS[0], key="late")
    fills_book(account=world.account, fills=[world.trade("AAA", "BUY", 1, "50", signal=world.signal(), session=SESSIONS[1])])
    assert entry.session == SESSIONS[2]
    assert Position.objects.get().entry_session == SESSIONS[2]
    positions_mark(account=world.account, session=SESSIONS[2], panel=panel)
    assert equity_snapshot(account=world.account, session=SESSIONS[2], panel=panel).cash == D("100449")
