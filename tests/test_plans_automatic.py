"""A plan that executes by itself does so once, when the price reaches its entry, and says why where it could not."""

from datetime import timedelta

import pytest

from quant_site.core import clock
from quant_site.core.errors import InvalidInput
from tests.intents_world import DAYS, FLAT, D, account_live, after, bars_write, moment, orders_of
from tests.test_plans_lifecycle import CLOSE, hold
from trading.intents import intent_tickets
from trading.intents.alert_engine import AlertEngine
from trading.intents.plans import plan_cancel, plan_create, plan_execute_reached, plan_update
from trading.models import Order, TradingPlan

pytestmark = pytest.mark.django_db
START = 29


class Desk:
    def __init__(self, time):
        self.time, self.bars = time, [FLAT] * (START + 1)
        bars_write("AAA", self.bars)
        self.account = account_live()

    def plan(self, direction="LONG", entry=95, **fields) -> TradingPlan:
        terms = {"quantity": D(10), "entry_price": None if entry is None else D(entry), "auto_execute": True} | fields
        return plan_create(account=self.account, symbol="AAA", direction=direction, actor="tester", **terms)

    def session(self, *bar) -> int:
        """One session more, with this bar, and a round of a new engine."""
        self.bars.append(bar)
        self.time.move_to(moment(DAYS[len(self.bars) - 1]))
        bars_write("AAA", self.bars)
        return AlertEngine().step()


@pytest.fixture
def desk(market_dir):
    with clock.use(after(DAYS[START])) as time:
        yield Desk(time)


def bar(low, high):
    return (100.0, float(high), float(low), 100.0)


@pytest.mark.parametrize(
    ("direction", "plan_type", "entry", "not_yet", "reached", "order_type"),
    [
        ("LONG", "PULLBACK", 95, bar(95.01, 120), bar(95, 101), "LMT"),
        ("SHORT", "PULLBACK", 105, bar(80, 104.99), bar(99, 105), "LMT"),
        ("LONG", "BREAKOUT", 105, bar(80, 104.99), bar(99, 105), "MKT"),
        ("SHORT", "BREAKOUT", 95, bar(95.01, 120), bar(95, 101), "MKT"),
    ],
)
def test_a_plan_goes_when_the_price_reaches_its_entry_and_not_before(desk, direction, plan_type, entry, not_yet, reached, order_type):
    plan = desk.plan(direction, entry, plan_type=plan_type)
    assert desk.session(*not_yet) == 0
    assert orders_of(plan) == []
    assert desk.session(*reached) == 1
    [order] = orders_of(plan)
    assert (order.order_type, order.limit_price, order.origin) == (order_type, D(entry) if order_type == "LMT" else None, "PLAN")
    plan.refresh_from_db()
    assert plan.status == "EXECUTED"
    assert desk.session(*reached) == 0


def test_a_plan_at_the_market_goes_with_the_next_price(desk):
    plan = desk.plan(entry=None)
    assert AlertEngine().step() == 0
    assert desk.session(*FLAT) == 1
    assert [order.order_type for order in orders_of(plan)] == ["MKT"]


def test_a_price_that_is_there_already_is_reached_by_the_next_tick(desk):
    plan = desk.plan(entry=110)  # a limit above the market: better than asked for
    assert desk.session(*FLAT) == 1
    assert len(orders_of(plan)) == 1


@pytest.mark.parametrize(
    ("held", "entry", "not_yet", "reached"), [(20, 105, bar(80, 104), bar(99, 105)), (-20, 95, bar(96, 120), bar(95, 101))]
)
def test_a_plan_that_closes_waits_for_the_better_price_of_its_side(desk, held, entry, not_yet, reached):
    position = hold(desk.account, held)
    plan = desk.plan(**CLOSE | {"entry": entry, "entry_price": D(entry)}, quantity=None)
    assert desk.session(*not_yet) == 0
    assert desk.session(*reached) == 1
    [order] = orders_of(plan)
    assert (order.position_id, order.purpose, order.limit_price) == (position.pk, "EXIT", entry)


def test_two_engines_execute_a_plan_once(desk):
    plan, engines = desk.plan(), [AlertEngine(), AlertEngine()]
    desk.bars.append(bar(90, 101))
    desk.time.move_to(moment(DAYS[START + 1]))
    bars_write("AAA", desk.bars)
    reads = [list(engine.sources["bars"].read()) for engine in engines if not engine._follow_symbols()]
    assert [len(parts) for parts in reads] == [1, 1]  # both have the bar before either records it
    assert sorted(engine._take("bars", parts[0]) for engine, parts in zip(engines, reads, strict=True)) == [0, 1]
    assert len(orders_of(plan)) == 1


def test_prices_from_before_a_plan_was_made_or_changed_do_not_execute_it(desk):
    desk.plan(entry=50)
    desk.bars.append(bar(90, 101))
    desk.time.move_to(moment(DAYS[START + 1]))
    bars_write("AAA", desk.bars)
    plan = desk.plan()
    assert AlertEngine().step() == 0
    assert desk.session(*bar(95.5, 101)) == 0
    desk.time.move_to(clock.now() + timedelta(minutes=1))
    plan_update(plan=plan, actor="tester", changes={"entry_price": D(96)})
    assert AlertEngine().step() == 0
    assert desk.session(*bar(95.5, 101)) == 1


def test_a_plan_taken_back_or_expired_is_not_executed(desk):
    plan_cancel(plan=desk.plan(), actor="tester")
    late = desk.plan(expired_at=clock.now() + timedelta(minutes=1))
    assert desk.session(*bar(90, 101)) == 0
    assert not Order.objects.exists()
    late.refresh_from_db()
    assert late.status == "EXPIRED"


def test_a_denied_try_is_made_once_and_says_why(desk):
    type(desk.account).objects.update(state="HALTED")
    plan = desk.plan()
    desk.session(*bar(90, 101))
    desk.session(*bar(90, 101))
    assert [order.status for order in orders_of(plan)] == ["DENIED"]
    plan.refresh_from_db()
    assert (plan.status, plan.auto_execute, plan.status_reason[:8]) == ("ACTIVE", False, "HALTED: ")


def test_a_try_that_raises_is_made_once_and_says_why(desk, monkeypatch):
    def refuse(**ticket):
        raise InvalidInput("bad_lot", "Round lots only.")

    monkeypatch.setattr(intent_tickets, "ticket_place", refuse)
    plan = desk.plan()
    assert desk.session(*bar(90, 101)) == 0
    plan.refresh_from_db()
    assert (plan.status, plan.auto_execute, plan.status_reason) == ("ACTIVE", False, "BAD_LOT: Round lots only.")


def test_a_defect_in_one_plan_keeps_no_other_from_going(desk, monkeypatch):
    place = intent_tickets.ticket_place

    def defective(*, ticket, actor):
        if ticket.quantity == 1:
            raise ZeroDivisionError
        return place(ticket=ticket, actor=actor)

    monkeypatch.setattr(intent_tickets, "ticket_place", defective)
    broken, whole = desk.plan(quantity=D(1)), desk.plan()
    assert desk.session(*bar(90, 101)) == 1
    assert (orders_of(broken), len(orders_of(whole))) == ([], 1)


def test_a_try_that_waits_for_a_confirmation_is_made_once(desk):
    type(desk.account).objects.update(confirm_above=D(500))
    plan = desk.plan()
    desk.session(*bar(90, 101))
    desk.session(*bar(90, 101))
    [order] = orders_of(plan)
    plan.refresh_from_db()
    assert (bool(order.awaits), plan.status, plan.auto_execute) == (True, "ACTIVE", False)


def test_a_price_that_does_not_reach_the_entry_as_it_is_now_executes_nothing(desk):
    plan = desk.plan()
    desk.time.move_to(clock.now() + timedelta(minutes=1))
    for price in (96_000_000, 95_000_001):
        assert plan_execute_reached(plan_id=plan.pk, price=price, at=clock.now()) is None
    assert plan_execute_reached(plan_id=plan.pk, price=95_000_000, at=clock.now()) is not None
    assert plan_execute_reached(plan_id=plan.pk, price=95_000_000, at=clock.now()) is None
