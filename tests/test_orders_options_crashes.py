"""Die at any database statement while options are opened, reduced, assigned and settled; resume, and end with the same rows."""

import random
from decimal import Decimal

import pytest

from quant_site.market.execution import CostModel
from signals_app.models import TradingSignal
from tests.options_desk import option, quoted
from tests.orders_world import DAYS, FLAT, broker_of, signal_of
from tests.test_orders_survive_crashes import Loop, check_invariants, dies_and_ends_the_same, undisturbed
from trading.ledger import account_fund, session_book
from trading.models import CashEntry, Position

pytestmark = pytest.mark.django_db
D = Decimal
CENTS = (100.25, 101.25, 99.25, 100.25)
LOW, SOLD = option("P", 90.25), option("P", 95.25)
CALLED, NEVER = option("C", 90.25), option("C", 120.25)
SOON = option("C", 98.25, DAYS[3])
PRICES = {LOW: (0.3, 0.4), SOLD: (0.9, 1.0), CALLED: (10.1, 10.3), SOON: (2.0, 2.2), NEVER: (0.0, 0.1)}
# The ex-date of a dollar is the fourth day; by then the written call has 0.20 of time value left.
FACTORS = {"SPY": [1 - 1 / 100.25] * 3 + [1.0] * 3}


class OptionLoop(Loop):
    def book(self, activities, fills) -> None:
        session_book(account=self.account, activities=activities, fills=fills)

    def signals(self) -> None:
        first = DAYS[0]
        signal_of(self.account, first, (LOW, "LONG", 4), (SOLD, "SHORT", 4), group="SPY/spread", direction="SHORT", key="desk")
        signal_of(self.account, first, (CALLED, "SHORT", 1), group="SPY/call", direction="SHORT", key="other")
        signal_of(self.account, first, (SOON, "LONG", 2), (NEVER, "SHORT", 2), group="SPY/broken", direction="LONG", key="broken")
        signal_of(self.account, first, (SOON, "LONG", 3), group="SPY/soon", key="soon")
        signal_of(self.account, first, ("AAA", "SHORT", 300), direction="SHORT", key="borrower")
        half = {"portion": 0.5}
        signal_of(self.account, DAYS[1], ("x", "CLOSE", None), group="SPY/spread", direction="CLOSE", key="desk", signal_metadata=half)
        signal_of(self.account, DAYS[2], ("x", "CLOSE", None), group="SPY/call", direction="CLOSE", key="other")


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
    ends = {row.group: (row.symbol, row.exit_session, row.exit_reason) for row in Position.objects.exclude(exit_session=None)}
    assert ends == {
        "SPY/call": (CALLED, DAYS[3], "ASSIGNMENT"),
        "SPY/broken": (SOON, DAYS[2], "EXIT"),
        "SPY/soon": (SOON, DAYS[3], "EXPIRY"),
    }
    assert dict(Position.objects.filter(exit_session=None).values_list("symbol", "quantity")) == {LOW: 2, SOLD: -2, "AAA": -300}
    signals = {row.symbol: row.signal_status for row in TradingSignal.objects.order_by("id")}
    assert signals["SPY/broken"] == "FAILED", "nobody bids for the option that it sells"
    assert set(CashEntry.objects.values_list("kind", flat=True)) >= {"BORROW", "ASSIGNMENT", "EXPIRY"}


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
