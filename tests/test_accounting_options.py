"""Options in the books: whole contracts in every amount, marks at the mid, an end without an order, and a holding per structure."""

from datetime import date
from decimal import Decimal as D
from math import isnan

import pytest

from quant_site.core.errors import LedgerMismatch
from quant_site.core.types import Direction, money
from signals_app.models import SignalOutcome
from strategies.sizing import BUFFER
from tests.accounting_world import SESSIONS, BrokerBook, World, panel_of
from tests.options_desk import OptionDesk, option, quoted
from trading.books.checks import books_check
from trading.books.equity import equity_snapshot
from trading.books.ledger import activities_book, fills_book, positions_mark, session_book
from trading.exposure.context import holdings_build, risk_context_build
from trading.models import CashEntry, Position, TradeJournal

EXPIRY = date(2012, 1, 20)
CALL, PUT = option("C", 100, EXPIRY), option("P", 100, EXPIRY)
LOW, HIGH = option("P", 95, EXPIRY), option("C", 105, EXPIRY)
LAST = SESSIONS.index(EXPIRY)


@pytest.fixture
def world(db):
    return World()


def market(prices=None, closes=100.0, length=LAST + 2):
    return quoted(panel_of({"SPY": [closes] * length}), prices or {})


def straddle(world, *, quantity=2, direction="LONG", strategy="desk", **metadata):
    """A call at 3.00 and a put at 2.00, both bought or both sold, at the open of the second session."""
    legs = [(CALL, direction), (PUT, direction)]
    signal = world.signal("SPY/straddle", direction, legs=legs, strategy=strategy, **metadata)
    side = "BUY" if direction == "LONG" else "SELL"
    fills = [world.trade(symbol, side, quantity, price, signal=signal, commission="1.30") for symbol, price in ((CALL, "3"), (PUT, "2"))]
    fills_book(account=world.account, fills=fills)
    return signal


def close_day(world, panel, day):
    positions_mark(account=world.account, session=SESSIONS[day], panel=panel)
    return equity_snapshot(account=world.account, session=SESSIONS[day], panel=panel)


def expiry(world, symbol, quantity, per_unit, session=EXPIRY):
    return world.activity("EXPIRY", symbol, quantity, per_unit, money(D(quantity) * D(per_unit) * 100), session=session)


def position(symbol) -> Position:
    return Position.objects.get(symbol=symbol)


# --- entries and marks


def test_a_contract_costs_a_hundred_times_its_price(world):
    straddle(world)
    call = position(CALL)
    assert (call.quantity, call.cost, call.entry_price, call.entry_cost) == (2, D("601.30"), 3, D("601.30"))
    assert sum(entry.amount for entry in CashEntry.objects.exclude(kind="DEPOSIT")) == D("-1002.60")


def test_an_entry_in_two_fills_keeps_the_mean_price_of_a_unit(world):
    order = world.order(CALL, "BUY", 3, signal=world.signal("SPY/call", legs=[(CALL, "LONG")]))
    fills_book(account=world.account, fills=[world.fill(order, 1, "3"), world.fill(order, 2, "4.5")])
    assert (position(CALL).entry_price, position(CALL).cost) == (4, D("1202"))


def test_an_option_has_no_stop_for_none_could_work(world):
    signal = world.signal("SPY/call", legs=[(CALL, "LONG")], stop=D("1.5"), target=D("9"))
    fills_book(account=world.account, fills=[world.trade(CALL, "BUY", 1, "3", signal=signal)])
    assert (position(CALL).stop_price, position(CALL).target_price, position(CALL).initial_risk) == (None, None, None)


def test_options_are_marked_at_the_closing_mid_and_keep_the_last_mark_where_there_is_none(world):
    straddle(world)
    panel = market({CALL: {(1, "CLOSE"): (3.4, 3.6)}, PUT: {(2, "CLOSE"): (1.0, 1.2)}})
    snapshot = close_day(world, panel, 1)
    assert (position(CALL).mark_price, position(CALL).market_value, position(CALL).unrealized_pnl) == (D("3.5"), 700, D("98.70"))
    assert (position(PUT).mark_price, position(PUT).market_value) == (2, 400), "without a quote on its first day, what was paid"
    assert snapshot.total_equity == D("100000") - D("1002.60") + 1100
    close_day(world, panel, 2)
    assert (position(CALL).mark_price, position(CALL).mark_session) == (D("3.5"), SESSIONS[1])
    assert (position(PUT).mark_price, position(PUT).mark_session) == (D("1.1"), SESSIONS[2])
    books_check(account=world.account, session=SESSIONS[2], full=True)


def test_after_a_partial_exit_without_a_new_quote_the_old_mark_counts_for_what_is_left(world):
    straddle(world)
    panel = market({CALL: {(1, "CLOSE"): (3.4, 3.6)}, PUT: (1.0, 1.2)})
    close_day(world, panel, 1)
    order = world.order(CALL, "SELL", 1, purpose="REDUCE", position=position(CALL))
    fills_book(account=world.account, fills=[world.fill(order, 1, "4", session=SESSIONS[2], commission="0.65")])
    close_day(world, panel, 2)
    left = position(CALL)
    assert (left.quantity, left.market_value, left.realized_pnl) == (1, 350, D("400") - D("0.65") - D("300.65"))
    books_check(account=world.account, session=SESSIONS[2], full=True)


# --- the end


def test_an_expiry_closes_the_position_at_its_worth_and_the_books_agree(world):
    straddle(world, loss_at_stop=1000.0)
    panel = market({CALL: (3.0, 3.2), PUT: (1.8, 2.0)})
    for day in range(1, LAST):
        close_day(world, panel, day)
    ends = [expiry(world, CALL, 2, "7.5"), expiry(world, PUT, 2, "0")]
    for _ in range(2):
        activities_book(account=world.account, activities=ends)
    close_day(world, panel, LAST)
    call, put = position(CALL), position(PUT)
    assert (call.exit_session, call.exit_reason, call.exit_price, call.quantity) == (EXPIRY, "EXPIRY", D("7.5"), 0)
    assert (call.realized_pnl, put.realized_pnl, put.exit_price) == (D("1500") - D("601.30"), D("-401.30"), 0)
    assert dict(CashEntry.objects.filter(kind="EXPIRY").values_list("symbol", "amount")) == {CALL: D("1500"), PUT: D("0")}
    outcome = SignalOutcome.objects.get()
    assert (outcome.realized_pnl, outcome.return_pct, outcome.r_multiple) == (D("497.40"), D("0.496110"), D("0.4974"))
    assert dict(TradeJournal.objects.values_list("symbol", "exit_reason")) == {CALL: "EXPIRY", PUT: "EXPIRY"}
    broker = BrokerBook(D("100000") - D("1002.60") + 1500, {})
    assert books_check(account=world.account, session=EXPIRY, full=True, broker=broker)["realized_pnl"] == "497.40"


def test_a_writer_pays_what_exercise_is_worth(world):
    straddle(world, direction="SHORT", quantity=1)
    activities_book(account=world.account, activities=[expiry(world, CALL, -1, "4.25"), expiry(world, PUT, -1, "0")])
    assert (position(CALL).realized_pnl, position(PUT).realized_pnl) == (D("300") - D("1.30") - 425, D("200") - D("1.30"))


@pytest.mark.parametrize(("kind", "cash_kind"), [("ASSIGNMENT", "ASSIGNMENT"), ("SPLIT", "CASH_IN_LIEU")])
def test_other_ends_are_booked_before_the_fills_of_their_session(world, kind, cash_kind):
    straddle(world, direction="SHORT", quantity=1)
    end = world.activity(kind, CALL, -1, "4.00", "-400.00", session=SESSIONS[5])
    back = world.trade(PUT, "BUY", 1, "1", session=SESSIONS[5], purpose="EXIT", position=position(PUT), commission="0.65")
    session_book(account=world.account, activities=[end], fills=[back])
    assert (position(CALL).exit_reason, position(PUT).exit_reason) == (kind, "EXIT")
    assert CashEntry.objects.get(kind=cash_kind).amount == D("-400")


def test_what_is_bought_on_its_last_day_expires_after_its_fill_also_when_both_are_told_at_once(world):
    signal = world.signal("SPY/call", legs=[(CALL, "LONG")])
    fill = world.trade(CALL, "BUY", 1, "1", signal=signal, session=EXPIRY)
    for _ in range(2):
        session_book(account=world.account, activities=[expiry(world, CALL, 1, "3")], fills=[fill])
    assert (position(CALL).exit_session, position(CALL).realized_pnl) == (EXPIRY, D("300") - D("101"))


def test_two_strategies_share_the_end_of_one_contract(world):
    for strategy, quantity in (("desk", 2), ("other", 1)):
        straddle(world, quantity=quantity, strategy=strategy)
    activities_book(account=world.account, activities=[expiry(world, CALL, 3, "0.333333", EXPIRY)])
    cash = dict(Position.objects.filter(symbol=CALL).values_list("signal__strategy__key", "adjustments"))
    assert {key: change["cash"] for key, [change] in cash.items()} == {"desk": "66.67", "other": "33.33"}


def test_an_end_of_another_number_of_contracts_than_ours_is_a_mismatch(world):
    straddle(world)
    with pytest.raises(LedgerMismatch, match="expiry on 3"):
        activities_book(account=world.account, activities=[expiry(world, CALL, 3, "1")])
    assert position(CALL).exit_session is None


# --- what strategies and checks see


def test_a_structure_is_one_holding_with_its_signed_share_of_the_strategys_capital(world):
    straddle(world, direction="SHORT", quantity=3, debit=-5.0, sizing={"unit_risk": 900.0})
    close_day(world, market({CALL: (2.9, 3.1), PUT: (1.9, 2.1)}), 1)
    [(holding,)] = holdings_build(account=world.account, registry={"desk": OptionDesk()}).values()
    assert (holding.group, holding.direction, holding.quantities) == ("SPY/straddle", Direction.SHORT, {CALL: -3.0, PUT: -3.0})
    assert (holding.entry_prices, holding.metadata) == ({CALL: 3.0, PUT: 2.0}, {"debit": -5.0})
    equity = 100_000 + 1500 - 2.60 - 1500
    assert holding.weight == pytest.approx(-1500 / (equity * BUFFER))


def test_the_direction_of_a_structure_is_that_of_its_signal_not_of_one_leg(world):
    signal = world.signal("SPY/spread", "SHORT", legs=[(LOW, "LONG"), (PUT, "SHORT")], strategy="desk")
    fills = [world.trade(LOW, "BUY", 1, "1", signal=signal), world.trade(PUT, "SELL", 1, "2", signal=signal)]
    fills_book(account=world.account, fills=fills)
    positions_mark(account=world.account, session=SESSIONS[1], panel=market({LOW: (0.9, 1.1), PUT: (1.9, 2.1)}))
    [(holding,)] = holdings_build(account=world.account, registry={"desk": OptionDesk()}).values()
    assert (holding.direction, holding.quantities) == (Direction.SHORT, {LOW: 1.0, PUT: -1.0})
    assert holding.weight == pytest.approx(-100 / (99_998 * BUFFER)), "before the first snapshot the rows tell the equity"


def test_what_is_not_in_the_registry_has_no_known_weight(world):
    straddle(world)
    close_day(world, market({CALL: (2.9, 3.1), PUT: (1.9, 2.1)}), 1)
    [(holding,)] = holdings_build(account=world.account, registry={}).values()
    assert isnan(holding.weight)


def test_the_context_prices_options_when_asked_and_locks_what_they_lock(world):
    straddle(world, direction="SHORT", quantity=1)
    panel = market({CALL: (2.9, 3.1), PUT: (1.9, 2.1), HIGH: (0.4, 0.6)})
    close_day(world, panel, 1)
    context = risk_context_build(account=world.account, session=SESSIONS[1], panel=panel)
    # The call's side, 3.00 + 20.00, and the put's premium.
    assert context.option_margins == {"SPY": pytest.approx(2500)}
    assert context.options_at_risk("SPY") == pytest.approx(2500 - 500)
    assert context.strategy_exposures == {world.strategy("desk").pk: D("2000")}
    assert context.free_cash == pytest.approx(float(context.cash) - 2500)
    assert (context.prices[HIGH], context.prices.get(LOW)) == (0.5, None)


def test_options_of_two_strategies_cover_each_other_in_the_account_and_not_in_a_strategys_share(world):
    short = world.signal("SPY/short", "SHORT", legs=[(CALL, "SHORT")], strategy="short")
    long = world.signal("SPY/long", "LONG", legs=[(HIGH, "LONG")], strategy="long")
    fills = [world.trade(CALL, "SELL", 1, "3", signal=short), world.trade(HIGH, "BUY", 1, "0.5", signal=long)]
    fills_book(account=world.account, fills=fills)
    panel = market({CALL: (2.9, 3.1), HIGH: (0.4, 0.6)})
    close_day(world, panel, 1)
    context = risk_context_build(account=world.account, session=SESSIONS[1], panel=panel)
    assert context.option_margins == {"SPY": 500.0}
    assert context.strategy_exposures == {short.strategy_id: D("2000"), long.strategy_id: D("50")}


def test_structures_on_their_way_are_reserved_at_what_they_can_lose(world):
    signal = world.signal("SPY/spread", "SHORT", legs=[(LOW, "LONG"), (PUT, "SHORT")])
    for symbol, side in ((LOW, "BUY"), (PUT, "SELL")):
        world.order(symbol, side, 2, signal=signal, status="ACKED", decision_price=D("1"))
    panel = market({LOW: (0.4, 0.6), PUT: (1.9, 2.1)})
    context = risk_context_build(account=world.account, session=SESSIONS[1], panel=panel)
    assert context.pending == {LOW: D("100"), PUT: D("-400")}
    assert context.reserved == {"SPY": pytest.approx(1000 - 300)}
