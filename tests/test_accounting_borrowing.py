"""Short positions pay for the shares they borrow: each session on what was held overnight, at the close before it."""

from decimal import Decimal

import pytest

from quant_site.core.types import money
from quant_site.market.execution import CostModel
from signals_app.models import SignalOutcome
from tests.options_desk import option, quoted
from tests.orders_world import DAYS, FLAT, account_of, broker_of, request, run_session, signal_of
from trading.books.checks import books_check
from trading.books.equity import equity_snapshot
from trading.books.ledger import account_fund, positions_mark
from trading.books.settlement import session_settle
from trading.brokers.paper import CLOSED
from trading.models import CashEntry, Position
from trading.order_path.executor import OrderExecutor

pytestmark = pytest.mark.django_db
D = Decimal
# A quarter of the value a year, and nothing else: 252 sessions make a dollar of it a tenth of a cent a day.
COSTS = CostModel(D(0), D(0), D("0.01"), D(0), D(0), D(0), D("0.252"))
RISING = [FLAT, FLAT, (110.0, 110.0, 110.0, 110.0), (120.0, 120.0, 120.0, 120.0), FLAT, FLAT]


def broker_with(bars=None, **options):
    broker = broker_of({"AAA": RISING} | (bars or {}), costs=options.pop("costs", COSTS), **options)
    run_session(broker, DAYS[0])
    return broker


def fees(broker, day):
    return [(each.symbol, each.quantity, each.amount) for each in broker.activities("paper", DAYS[day]) if each.kind == "BORROW"]


def test_what_was_short_overnight_pays_on_the_close_before_the_open():
    broker = broker_with()
    broker.place(request("in", "SELL", quantity=50))
    run_session(broker, DAYS[1])
    broker.place(request("out", "BUY", quantity=50, reducing=True))
    assert fees(broker, 1) == [], "nothing was held before this open"
    before = broker.cash("paper")
    run_session(broker, DAYS[2])
    assert fees(broker, 2) == [("AAA", -50, D("-5.00"))], "50 · 100 · 0.001, although it is bought back that morning"
    assert broker.cash("paper") == before - 50 * 110 - 5
    run_session(broker, DAYS[3])
    assert fees(broker, 3) == []


def test_the_fee_follows_the_price():
    broker = broker_with()
    broker.place(request("in", "SELL", quantity=50))
    for day in range(1, 5):
        run_session(broker, DAYS[day])
    assert [fees(broker, day)[0][2] for day in (2, 3, 4)] == [D("-5.00"), D("-5.50"), D("-6.00")]
    assert broker.activities("paper", DAYS[3])[0].per_share == D("0.11")


def test_longs_options_and_less_than_half_a_cent_pay_nothing():
    call = option("C", 100)
    broker = broker_with({"SPY": [FLAT] * 6, "BBB": [FLAT] * 6, "CCC": [(4.0, 4.0, 4.0, 4.0)] * 6})
    quoted(broker.panel, {call: (3.0, 3.2)})
    for key, side, quantity, symbol in (("a", "BUY", 10, "BBB"), ("b", "SELL", 1, call), ("c", "SELL", 1, "CCC")):
        broker.place(request(key, side, quantity=quantity, symbol=symbol))
    run_session(broker, DAYS[1])
    before = broker.cash("paper")
    run_session(broker, DAYS[2])
    assert (fees(broker, 2), broker.cash("paper")) == ([], before)


def test_over_a_split_the_old_shares_at_the_old_close_pay():
    half = (50.0, 50.5, 49.5, 50.0)
    broker = broker_of({"AAA": [FLAT, FLAT, half, half]}, costs=COSTS, factors={"AAA": [0.5, 0.5, 1.0, 1.0]})
    run_session(broker, DAYS[0])
    broker.place(request("in", "SELL", quantity=50))
    run_session(broker, DAYS[1])
    run_session(broker, DAYS[2])
    assert fees(broker, 2) == [("AAA", -100, D("-5.00"))]


def test_a_session_that_brings_nothing_but_a_fee_is_over_in_one_step_and_charges_once():
    broker = broker_with()
    broker.place(request("in", "SELL", quantity=50))
    run_session(broker, DAYS[1])
    assert broker.run_session("paper", DAYS[2]) == (CLOSED, False, True)
    broker.open_session("paper", DAYS[2]), broker.close_session("paper", DAYS[2])
    assert len(fees(broker, 2)) == 1


def test_the_default_schedule_is_that_of_shares_easy_to_borrow():
    assert CostModel().borrowing(D("84000")) == D("1.00"), "30 basis points a year"


# --- the books


class Desk:
    def __init__(self, bars):
        self.broker, self.account = broker_of(bars, costs=COSTS), account_of()
        account_fund(account=self.account, amount=self.account.initial_cash, session=DAYS[0], key="initial")
        session_settle(account=self.account, broker=self.broker, session=DAYS[0])

    def execute(self, *signals, day):
        OrderExecutor(self.account, self.broker, DAYS[day]).execute_signal_batch(list(signals))

    def settle(self, day):
        session_settle(account=self.account, broker=self.broker, session=DAYS[day])
        positions_mark(account=self.account, session=DAYS[day], panel=self.broker.panel)
        equity_snapshot(account=self.account, session=DAYS[day], panel=self.broker.panel)
        return books_check(account=self.account, session=DAYS[day], broker=self.broker, full=True)


def test_fees_lower_the_result_of_the_positions_that_cause_them_and_the_books_agree():
    desk = Desk({"AAA": RISING})
    for key, quantity in (("pairs", 30), ("trend", 20)):
        desk.execute(signal_of(desk.account, DAYS[0], ("AAA", "SHORT", quantity), direction="SHORT", key=key), day=0)
    for day in (1, 2, 3):
        desk.settle(day)
    paid = dict(Position.objects.values_list("strategy__key", "dividends"))
    assert paid == {"pairs": D("-3.00") - D("3.30"), "trend": D("-2.00") - D("2.20")}
    entries = CashEntry.objects.filter(kind="BORROW").order_by("session").values_list("session", "amount", "memo")
    assert list(entries) == [(DAYS[2], D("-5.00"), "0.1 a share on -50 AAA"), (DAYS[3], D("-5.50"), "0.11 a share on -50 AAA")]


def test_the_outcome_of_a_trade_includes_its_fees():
    desk = Desk({"AAA": [FLAT] * 6})
    desk.execute(signal_of(desk.account, DAYS[0], ("AAA", "SHORT", 50), direction="SHORT"), day=0)
    desk.settle(1)
    desk.execute(signal_of(desk.account, DAYS[1], ("AAA", "CLOSE", None), direction="CLOSE"), day=1)
    assert desk.settle(2)["realized_pnl"] == "-5.00"
    assert SignalOutcome.objects.get().realized_pnl == D("-5.00")
    assert money(sum(CashEntry.objects.values_list("amount", flat=True))) == desk.broker.cash("paper")
