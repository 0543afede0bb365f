"""Die at any database statement while options are opened, reduced, closed, assigned and settled; resume, and end with the same rows."""

import random
from decimal import Decimal

import pytest

from quant_site.market.execution import CostModel
from signals_app.models import TradingSignal
from tests.options_desk import option, quoted
from tests.orders_world import DAYS, FLAT, broker_of, signal_of
from tests.test_orders_survive_crashes import Loop, check_invariants, dies_and_ends_the_same, undisturbed
from trading.books.ledger import account_fund, session_book
from trading.models import CashEntry, Fill, Order, PaperOrder, Position

pytestmark = pytest.mark.django_db
D = Decimal
CENTS = (100.25, 101.25, 99.25, 100.25)
LOW, SOLD = option("P", 90.25), option("P", 95.25)
CALLED, COVER, NEVER = option("C", 90.25), option("C", 99.25), option("C", 120.25)
SOON = option("C", 98.25, DAYS[3])
CONDOR = {option("P", 85.25): "LONG", option("P", 88.25): "SHORT", option("C", 105.25): "SHORT", option("C", 110.25): "LONG"}
PRICES = {LOW: (0.3, 0.4), SOLD: (0.9, 1.0), CALLED: (10.1, 10.3), COVER: (3.0, 3.2), SOON: (2.0, 2.2), NEVER: (0.0, 0.1)}
PRICES |= dict(zip(CONDOR, [(0.1, 0.2), (0.3, 0.4), (0.8, 0.9), (0.2, 0.3)], strict=True))
# The ex-date of a dollar is the fourth day; by then the written call has 0.20 of time value left.
FACTORS = {"SPY": [1 - 1 / 100.25] * 3 + [1.0] * 3}


class OptionLoop(Loop):
    def book(self, activities, fills) -> None:
        session_book(account=self.account, activities=activities, fills=fills)

    def signals(self) -> None:
        first = DAYS[0]
        signal_of(self.account, first, (LOW, "LONG", 4), (SOLD, "SHORT", 4), group="SPY/spread", direction="SHORT", key="desk")
        signal_of(self.account, first, (CALLED, "SHORT", 1), (COVER, "LONG", 2), group="SPY/back", direction="SHORT", key="other")
        signal_of(self.account, first, (SOON, "LONG", 2), (NEVER, "SHORT", 2), group="SPY/none", direction="LONG", key="none")
        signal_of(
            self.account, first, *((symbol, way, 3) for symbol, way in CONDOR.items()), group="SPY/condor", direction="SHORT", key="wings"
        )
        signal_of(self.account, first, (SOON, "LONG", 3), group="SPY/soon", key="soon")
        signal_of(self.account, first, ("AAA", "SHORT", 300), direction="SHORT", key="borrower")
        half = {"portion": 0.5}
        signal_of(self.account, DAYS[1], ("x", "CLOSE", None), group="SPY/spread", direction="CLOSE", key="desk", signal_metadata=half)
        signal_of(self.account, DAYS[1], ("x", "CLOSE", None), group="SPY/condor", direction="CLOSE", key="wings")
        signal_of(self.account, DAYS[2], ("x", "CLOSE", None), group="SPY/back", direction="CLOSE", key="other")


@pytest.fixture
def loop():
    bars = {"SPY": [CENTS] * 6, "AAA": [FLAT] * 6}
    broker = broker_of(bars, costs=CostModel(borrow_rate=D("0.1")), factors=FACTORS)
    quoted(broker.panel, PRICES)
    loop = OptionLoop(broker)
    account_fund(account=loop.account, amount=loop.account.initial_cash, session=DAYS[0], key="initial")
    loop.signals()
    return loop


def test_the_scenario_does_what_it_says(loop):
    loop.run()
    check_invariants(loop.broker)
    ends = {row.symbol: (row.group, row.exit_session, row.exit_reason) for row in Position.objects.exclude(exit_session=None)}
    assert ends == {
        CALLED: ("SPY/back", DAYS[3], "ASSIGNMENT"),
        COVER: ("SPY/back", DAYS[4], "EXIT"),
        SOON: ("SPY/soon", DAYS[3], "EXPIRY"),
        **dict.fromkeys(CONDOR, ("SPY/condor", DAYS[2], "EXIT")),
    }
    assert dict(Position.objects.filter(exit_session=None).values_list("symbol", "quantity")) == {LOW: 2, SOLD: -2, "AAA": -300}
    signals = {(row.symbol, row.direction): row.signal_status for row in TradingSignal.objects.order_by("id")}
    assert signals["SPY/none", "LONG"] == "EXPIRED", "nobody bids for the option that it sells, so nothing of it is bought"
    assert not Fill.objects.filter(order__signal__symbol="SPY/none").exists()
    assert set(CashEntry.objects.values_list("kind", flat=True)) >= {"BORROW", "ASSIGNMENT", "EXPIRY"}


def test_every_structure_is_one_order_when_it_is_opened_reduced_and_closed(loop):
    loop.run()
    made = {(row.symbol, row.purpose, len(row.legs), int(row.quantity), row.status) for row in Order.objects.exclude(legs=[])}
    assert made == {
        ("SPY/spread", "ENTRY", 2, 4, "FILLED"),
        ("SPY/spread", "REDUCE", 2, 2, "FILLED"),
        ("SPY/back", "ENTRY", 2, 1, "FILLED"),
        # The written call was assigned before the open at which both were to be closed: the other goes at the next.
        ("SPY/back", "EXIT", 2, 1, "CANCELLED"),
        ("SPY/none", "ENTRY", 2, 2, "EXPIRED"),
        ("SPY/condor", "ENTRY", 4, 3, "FILLED"),
        ("SPY/condor", "EXIT", 4, 3, "FILLED"),
    }
    assert Order.objects.get(symbol="SPY/back", purpose="EXIT").status_reason == "CONTRACT_ENDED"
    assert Order.objects.get(symbol=COVER).quantity == 2
    assert Order.objects.count() == PaperOrder.objects.count()
    condor = Order.objects.get(symbol="SPY/condor", purpose="ENTRY")
    assert [(leg["symbol"], leg["side"]) for leg in condor.legs] == sorted(
        (symbol, "BUY" if way == "LONG" else "SELL") for symbol, way in CONDOR.items()
    )
    # At the ask of what is bought, the bid of what is sold; decided half-way between them.
    assert (condor.average_fill_price, condor.decision_price) == (D("0.2") - D("0.3") - D("0.8") + D("0.3"), D("-0.8"))
    assert sum(fill.slippage for fill in condor.fills.all()) == 3 * 100 * (condor.average_fill_price - condor.decision_price)


@pytest.mark.parametrize("seed", range(2))
def test_dying_again_and_again_and_resuming_changes_nothing(loop, seed):
    expected, _ = undisturbed(loop)
    chance = random.Random(seed)
    assert dies_and_ends_the_same(loop, expected, [chance.randint(1, 120) for _ in range(20)]) >= 8


@pytest.mark.slow
def test_dying_at_every_seventh_statement_and_resuming_changes_nothing(loop):
    expected, statements = undisturbed(loop)
    for at in range(1, statements + 1, 7):
        dies_and_ends_the_same(loop, expected, [at])
