"""The engine fires an alert once for each crossing, through restarts, changes and other engines, and records what came of it."""

from datetime import timedelta
from decimal import Decimal

import pytest

from quant_site.core import clock
from quant_site.core.errors import InvalidInput, Unavailable
from quant_site.core.models import OutboxEvent
from tests.intents_world import DAYS, FLAT, D, account_live, after, bars_write, firings, moment
from trading.intents import alert_firings, intent_tickets
from trading.intents.alert_engine import AlertEngine
from trading.intents.alert_firings import Move, moves_record
from trading.intents.alerts import alert_create, alert_delete, alert_update, watched_terms
from trading.intents.price_sources import QuotePush, Ticks
from trading.models import AlertFiring, Order, PriceAlert, TradingPlan, WatchedBar

pytestmark = pytest.mark.django_db
START = 29  # the bar that is the last one when a test begins
TRADE = {"direction": "LONG", "quantity": 10, "stop_loss": "90", "take_profit": "150"}


class Desk:
    """A paper account that lives by stored bars, one of a live broker with pushed quotes, and the bars of AAA."""

    def __init__(self, time):
        self.time, self.bars = time, [FLAT] * (START + 1)
        bars_write("AAA", self.bars)
        self.account, self.live = account_live("desk"), account_live("live", broker="tiger", mode="REAL")
        self.quotes, self.seconds = QuotePush("tiger"), 0

    def engine(self) -> AlertEngine:
        return AlertEngine(lambda account: self.quotes)

    def alert(self, kind="PRICE_ABOVE", threshold=105, *, account=None, action="NOTIFY_ONLY", params=None, **fields) -> PriceAlert:
        return alert_create(
            account=account or self.account,
            symbol="AAA",
            alert_type=kind,
            threshold_value=D(threshold),
            actor="tester",
            action_type=action,
            action_params=params,
            **fields,
        )

    def session(self, *bar, **stored) -> None:
        """One session more, with this bar."""
        self.bars.append(bar)
        self.time.move_to(moment(DAYS[len(self.bars) - 1]))
        bars_write("AAA", self.bars, **stored)

    def quote(self, *prices) -> None:
        """Live prices, a second apart."""
        for price in prices:
            self.time.move_to(clock.now() + timedelta(seconds=1))
            self.quotes.push("AAA", D(str(price)), clock.now())


@pytest.fixture
def desk(market_dir):
    with clock.use(after(DAYS[START])) as time:
        yield Desk(time)


UP, STAYS, DOWN = (104.0, 108.0, 103.0, 107.0), (107.0, 108.0, 106.0, 107.0), (104.0, 104.5, 98.0, 99.0)


# --- by stored bars


def test_a_new_bar_fires_what_it_crosses_and_nothing_fires_twice(desk):
    above, far = desk.alert(), desk.alert(threshold=120)
    engine = desk.engine()
    assert engine.step() == 0
    desk.session(*UP)
    assert engine.step() == 1
    assert engine.step() == desk.engine().step() == 0
    assert (firings(above), firings(far)) == ([(1, "108", "NOTIFIED")], [])
    above.refresh_from_db()
    assert (above.trigger_count, above.is_active, above.is_beyond, above.triggered_at) == (1, True, True, moment(DAYS[START + 1], 0))


def test_an_alert_that_goes_on_fires_again_after_the_price_has_been_back(desk):
    alert, engine = desk.alert(), desk.engine()
    for bar in (UP, STAYS, DOWN, UP):
        desk.session(*bar)
        engine.step()
    assert firings(alert) == [(1, "108", "NOTIFIED"), (2, "108", "NOTIFIED")]


def test_within_a_bar_the_low_comes_before_the_high_where_it_closed_at_its_open_or_above(desk):
    alert, engine = desk.alert(threshold=103), desk.engine()
    desk.session(104.0, 110.0, 100.0, 105.0)  # above at the open, below at the low, above at the high
    desk.session(104.0, 110.0, 100.0, 103.5)  # it opens above already; high, low, close: back at 103.5
    engine.step()
    assert [crossing for crossing, *_ in firings(alert)] == [1, 2, 3]


def test_bars_that_came_while_no_engine_ran_are_looked_at_one_by_one_when_one_starts(desk):
    alert = desk.alert()
    for bar in (UP, DOWN, UP):
        desk.session(*bar)
    desk.engine().step()
    assert [crossing for crossing, *_ in firings(alert)] == [1, 2]
    assert WatchedBar.objects.get().session == DAYS[START + 3]


def test_prices_from_before_an_alert_was_made_do_not_fire_it(desk):
    desk.alert(threshold=200)  # somebody watches the symbol
    desk.session(*UP)
    late = desk.alert()  # made after that session, before an engine has looked at it
    engine = desk.engine()
    assert engine.step() == 0
    late.refresh_from_db()
    assert (late.is_beyond, firings(late)) == (True, [])
    desk.session(*DOWN)
    desk.session(*UP)
    assert engine.step() == 1


def test_an_alert_whose_price_is_beyond_already_waits_for_it_to_come_back(desk):
    alert, engine = desk.alert(threshold=95), desk.engine()
    assert alert.is_beyond
    desk.session(*FLAT)
    assert engine.step() == 0
    desk.session(94.0, 94.5, 93.0, 94.0)
    desk.session(*FLAT)
    assert engine.step() == 1


@pytest.mark.parametrize(("threshold", "bar"), [(5, (104.0, 105.0, 103.0, 104.0)), (-5, (96.0, 97.0, 95.0, 96.0))])
def test_a_change_in_per_cent_counts_from_its_reference(desk, threshold, bar):
    reached, not_reached = desk.alert("PERCENT_CHANGE", threshold, reference_price=D(100)), desk.alert("PERCENT_CHANGE", threshold * 1.01)
    engine = desk.engine()
    desk.session(*bar)
    assert engine.step() == 1
    assert (len(firings(reached)), firings(not_reached)) == (1, [])


def test_without_a_reference_a_change_counts_from_the_close_before_and_anew_with_every_session(desk):
    alert, engine = desk.alert("PERCENT_CHANGE", 5), desk.engine()
    desk.session(101.0, 105.0, 100.0, 105.0)  # +5 % on 100
    engine.step()
    engine = desk.engine()
    desk.session(110.25, 112.0, 110.25, 112.0)  # opens +5 % on 105
    engine.step()
    desk.session(113.0, 116.0, 110.0, 112.0)  # never +5 % on 112
    engine.step()
    assert [price for _, price, _ in firings(alert)] == ["105", "110.25"]


def test_a_split_is_no_fall(desk):
    alert, engine = desk.alert("PERCENT_CHANGE", -20), desk.engine()
    halves = [50.0] * (START + 1)
    desk.session(50.0, 50.5, 49.5, 50.0, adjusted=[*halves, 50.0])
    assert (engine.step(), firings(alert)) == (0, [])


def test_two_engines_on_the_same_bars_fire_each_crossing_once(desk):
    alert, once = desk.alert(), desk.alert("PRICE_BELOW", 99, params={"once": True})
    one, two = desk.engine(), desk.engine()
    for bar in (UP, DOWN, UP, DOWN):
        desk.session(*bar)
        one.step()
        two.step()
        one, two = two, one
    assert [crossing for crossing, *_ in firings(alert)] == [1, 2]
    assert [crossing for crossing, *_ in firings(once)] == [1]


def test_the_second_engine_goes_on_where_the_first_one_died(desk):
    alert, dying, other = desk.alert(), desk.engine(), desk.engine()
    for bar in (UP, DOWN):
        desk.session(*bar)
        dying.step()
    other.step()
    desk.session(*UP)
    assert other.step() == 1
    assert [crossing for crossing, *_ in firings(alert)] == [1, 2]


def test_an_engine_that_takes_over_knows_what_the_other_one_armed(desk):
    alert, dying, other = desk.alert(), desk.engine(), desk.engine()
    for bar, engines in ((UP, (dying, other)), (DOWN, (dying,)), (STAYS, (other,))):
        desk.session(*bar)
        for engine in engines:
            engine.step()
    assert [crossing for crossing, *_ in firings(alert)] == [1, 2]


# --- by live quotes


def live(desk, *prices, **alert) -> tuple[PriceAlert, AlertEngine]:
    made, engine = desk.alert(account=desk.live, **alert), desk.engine()
    desk.quote(*prices)
    engine.step()
    return made, engine


def test_quotes_fire_the_alerts_of_accounts_of_a_live_broker_only(desk):
    paper = desk.alert()
    alert, _ = live(desk, 100, 104.999999, 105, 106)
    assert (firings(alert), firings(paper)) == ([(1, "105", "NOTIFIED")], [])


def test_an_alert_fires_once_a_crossing_within_one_batch_of_quotes(desk):
    alert, _ = live(desk, 106, 107, 104, 108, 103, 105)
    assert [price for _, price, _ in firings(alert)] == ["106", "108", "105"]


def test_a_crossing_while_the_engine_was_down_fires_once_at_the_first_tick(desk):
    alert, engine = live(desk, 106, 104)  # fired, and back: armed again
    del engine
    engine = desk.engine()
    desk.quote(107, 108)
    assert engine.step() == 1
    assert firings(alert) == [(1, "106", "NOTIFIED"), (2, "107", "NOTIFIED")]


def test_what_had_fired_before_a_restart_does_not_fire_again_while_the_price_stays(desk):
    alert, _ = live(desk, 106)
    desk.quote(107)
    assert desk.engine().step() == 0
    assert len(firings(alert)) == 1


def test_an_alert_for_once_is_switched_off_by_its_firing(desk):
    alert, engine = live(desk, 106, 104, 106, params={"once": True})
    alert.refresh_from_db()
    assert (alert.is_active, len(firings(alert))) == (False, 1)
    alert_update(alert=alert, actor="tester", changes={"is_active": True})
    desk.quote(104, 107)
    engine.step()
    assert [price for _, price, _ in firings(alert)] == ["106", "107"]


def test_changes_by_people_count_from_the_next_round_on(desk):
    alert, engine = live(desk, 100)
    alert_update(alert=alert, actor="tester", changes={"threshold_value": D(110)})
    added = desk.alert(account=desk.live, threshold=106)
    gone = desk.alert(account=desk.live, threshold=107)
    alert_delete(alert=gone, actor="tester")
    desk.quote(108)
    engine.step()
    assert (firings(alert), len(firings(added)), firings(gone)) == ([], 1, [])


def test_a_crossing_that_was_matched_before_a_change_is_not_recorded_after_it(desk):
    alert = desk.alert(account=desk.live)
    move = Move(alert.pk, "AAA", watched_terms(alert), 0, False, True, True, D(106), clock.now())
    desk.time.move_to(clock.now() + timedelta(seconds=1))
    alert_update(alert=alert, actor="tester", changes={"threshold_value": D("105.5")})
    recorded = moves_record(moves=[move])
    assert (recorded.fired, recorded.stale_alerts, firings(alert)) == (0, {alert.pk}, [])


def test_a_move_is_recorded_by_one_of_two_that_saw_it(desk):
    alert = desk.alert(account=desk.live)
    move = Move(alert.pk, "AAA", watched_terms(alert), 0, False, True, True, D(106), clock.now())
    assert [moves_record(moves=[move]).fired for _ in range(2)] == [1, 0]
    again = Move(alert.pk, "AAA", watched_terms(alert), 1, True, False, False, D(104), clock.now())
    moves_record(moves=[again])
    assert moves_record(moves=[move]).fired == 0  # late: the alert is armed again, for its second crossing
    assert len(firings(alert)) == 1


def test_an_engine_that_was_late_goes_on_from_what_the_other_one_recorded(desk):
    alert = desk.alert(account=desk.live)
    quick, late = desk.engine(), desk.engine()
    desk.quote(106)
    seen = desk.quotes._pushed[0]
    desk.quote(104)
    quick.step()  # fired, and armed again
    assert late._take("tiger", Ticks([seen])) == 0  # it had taken the price before it could know
    desk.quote(107)
    assert late.step() == 1
    assert [crossing for crossing, *_ in firings(alert)] == [1, 2]


def test_an_account_whose_broker_is_away_is_watched_when_it_comes_back(desk, monkeypatch):
    def away(account):
        raise Unavailable("broker_not_ready", "Not now.")

    alert = desk.alert(account=desk.live)
    engine = AlertEngine(away)
    desk.quote(106)
    assert engine.step() == 0
    engine._source_of = lambda account: desk.quotes
    engine._looks_again_at = 0.0
    assert engine.step() == 1
    assert len(firings(alert)) == 1


def test_alerts_of_a_replay_are_not_watched(desk):
    alert = desk.alert(account=desk.live)
    type(desk.live).objects.filter(pk="live").update(is_replay=True)
    desk.quote(106)
    desk.engine().step()
    assert firings(alert) == []


# --- what a firing is for


def fire(desk, action, params, **fields) -> tuple[PriceAlert, AlertFiring]:
    alert = desk.alert(action=action, params=params, **fields)
    engine = desk.engine()
    desk.session(*UP)
    assert engine.step() == 1
    return alert, AlertFiring.objects.get(alert=alert)


def test_an_alert_that_trades_orders_once_and_ends(desk):
    alert, firing = fire(desk, "AUTO_TRADE", TRADE)
    order = Order.objects.get()
    assert (firing.outcome, firing.order, firing.detail) == ("ORDERED", order, "")
    assert (order.origin, order.side, order.quantity, order.stop_loss, order.status) == ("ALERT", "BUY", 10, 90, "INTENT")
    alert.refresh_from_db()
    assert not alert.is_active
    events = list(OutboxEvent.objects.filter(type__startswith="alert.", account_id="desk").order_by("id").values_list("type", flat=True))
    assert events == ["alert.created", "alert.fired", "alert.acted"]


def test_a_trade_that_the_gate_denies_is_recorded_as_refused(desk):
    type(desk.account).objects.filter(pk="desk").update(state="HALTED")
    _, firing = fire(desk, "AUTO_TRADE", TRADE)
    assert (firing.outcome, firing.order.status) == ("REFUSED", "DENIED")
    assert firing.detail.startswith("HALTED: ")


def test_a_trade_that_cannot_be_is_recorded_as_refused(desk):
    _, firing = fire(desk, "AUTO_TRADE", {"direction": "CLOSE"})
    assert (firing.outcome, firing.order) == ("REFUSED", None)
    assert firing.detail == "NOTHING_TO_CLOSE: Account desk holds no AAA: there is nothing to close."


def test_a_defect_in_one_action_keeps_neither_the_others_nor_itself_from_being_done(desk, monkeypatch):
    broken, whole = desk.alert(action="AUTO_TRADE", params=TRADE | {"quantity": 1}), desk.alert(action="AUTO_TRADE", params=TRADE)
    place = intent_tickets.ticket_place

    def defective(*, ticket, actor):
        if ticket.quantity == 1:
            raise ZeroDivisionError
        return place(ticket=ticket, actor=actor)

    monkeypatch.setattr(intent_tickets, "ticket_place", defective)
    engine = desk.engine()
    desk.session(*UP)
    engine.step()
    assert (firings(broken), firings(whole)) == ([(1, "108", "PENDING")], [(1, "108", "ORDERED")])
    monkeypatch.setattr(intent_tickets, "ticket_place", place)
    desk.engine().step()  # the one that is started after the defect was mended
    assert firings(broken) == [(1, "108", "ORDERED")]


def test_what_was_recorded_and_not_done_is_done_by_the_next_engine_once(desk, monkeypatch):
    monkeypatch.setattr(AlertEngine, "_act", lambda engine: None)
    alert, firing = fire(desk, "AUTO_TRADE", TRADE)
    assert firing.outcome == "PENDING"
    monkeypatch.undo()
    for _ in range(2):
        desk.engine().step()
    assert (firings(alert), Order.objects.count()) == ([(1, "108", "ORDERED")], 1)


def test_what_a_firing_is_for_is_done_by_one_of_two(desk):
    _, firing = fire(desk, "CREATE_PLAN", TRADE)
    assert alert_firings.firing_act(firing_id=firing.pk) is None
    assert TradingPlan.objects.count() == 1


def test_an_action_that_comes_too_late_is_refused(desk, monkeypatch):
    monkeypatch.setattr(AlertEngine, "_act", lambda engine: None)
    alert, engine = live(desk, 106, action="AUTO_TRADE", params=TRADE)
    monkeypatch.undo()
    desk.time.move_to(clock.now() + alert_firings.ACTS_WITHIN + timedelta(seconds=1))
    engine.step()
    assert firings(alert) == [(1, "106", "REFUSED")]
    assert AlertFiring.objects.get().detail.startswith("TOO_LATE: ")


def test_a_crossing_of_an_earlier_session_moves_no_paper_money_any_more(desk):
    alert = desk.alert(action="AUTO_TRADE", params=TRADE)
    desk.session(*UP)
    desk.session(*FLAT)
    desk.engine().step()
    assert firings(alert) == [(1, "108", "REFUSED")]


def test_an_alert_that_plans_makes_a_plan_at_the_price_it_fired_at(desk):
    _, firing = fire(desk, "CREATE_PLAN", TRADE | {"auto_execute": True, "valid_days": 5})
    plan = TradingPlan.objects.get()
    assert (firing.outcome, firing.plan) == ("PLANNED", plan)
    assert (plan.entry_price, plan.plan_type, plan.auto_execute, plan.created_source) == (108, "PULLBACK", True, "ALERT")
    assert plan.expired_at == clock.now() + timedelta(days=5)


def test_a_plan_that_cannot_be_is_recorded_as_refused(desk):
    _, firing = fire(desk, "CREATE_PLAN", TRADE | {"take_profit": "107"})  # in order at the threshold, not at the price
    assert (firing.outcome, firing.plan) == ("REFUSED", None)
    assert firing.detail.startswith("LEVELS_OUT_OF_ORDER: ")


# --- what is an alert


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"alert_type": "PRICE_NEAR"}, "bad_alert"),
        ({"action_type": "TWEET"}, "bad_alert"),
        ({"threshold_value": Decimal(0)}, "bad_threshold"),
        ({"threshold_value": Decimal("NaN")}, "not_a_number"),
        ({"threshold_value": Decimal("1e12")}, "bad_threshold"),
        ({"reference_price": Decimal(100)}, "bad_reference"),
        ({"alert_type": "PERCENT_CHANGE", "threshold_value": Decimal(-100)}, "bad_threshold"),
        ({"alert_type": "PERCENT_CHANGE", "reference_price": Decimal(0)}, "bad_reference"),
        ({"symbol": "ZZZ"}, "unknown_symbol"),
        ({"action_params": {"loud": True}}, "bad_action_params"),
        ({"action_params": {"once": "yes"}}, "bad_action_params"),
        ({"action_params": TRADE}, "bad_action_params"),
        ({"action_type": "AUTO_TRADE"}, "bad_action_params"),
        ({"action_type": "AUTO_TRADE", "action_params": {"direction": "LONG"}}, "bad_quantity"),
        ({"action_type": "AUTO_TRADE", "action_params": TRADE | {"quantity": 1.5}}, "bad_quantity"),
        ({"action_type": "AUTO_TRADE", "action_params": TRADE | {"quantity": "many"}}, "not_a_number"),
        ({"action_type": "AUTO_TRADE", "action_params": TRADE | {"stop_loss": "106"}}, "levels_out_of_order"),
        ({"action_type": "AUTO_TRADE", "action_params": TRADE | {"direction": "SHORT"}}, "levels_out_of_order"),
        ({"action_type": "AUTO_TRADE", "action_params": TRADE | {"order_type": "LMT"}}, "bad_action_params"),
        ({"action_type": "AUTO_TRADE", "action_params": TRADE | {"limit_price": 104}}, "bad_action_params"),
        ({"action_type": "AUTO_TRADE", "action_params": TRADE | {"valid_days": 3}}, "bad_action_params"),
        ({"action_type": "CREATE_PLAN", "action_params": TRADE | {"valid_days": 0}}, "bad_action_params"),
        ({"action_type": "CREATE_PLAN", "action_params": TRADE | {"plan_type": "SOON"}}, "bad_action_params"),
    ],
)
def test_what_cannot_be_an_alert_is_refused_and_leaves_nothing(desk, changes, code):
    terms = {"symbol": "AAA", "alert_type": "PRICE_ABOVE", "threshold_value": D(105), "action_type": "NOTIFY_ONLY"}
    with pytest.raises(InvalidInput) as refused:
        alert_create(account=desk.account, actor="tester", **(terms | changes))
    assert refused.value.code == code
    assert not PriceAlert.objects.exists()


def test_the_parameters_of_an_action_are_kept_exactly(desk):
    alert = desk.alert(action="AUTO_TRADE", params={"direction": "LONG", "quantity": 10, "stop_loss": 99.1})
    alert.refresh_from_db()
    assert alert.action_params == {"direction": "LONG", "quantity": "10", "stop_loss": "99.1", "once": True}
