"""Engines are killed at any database statement, and run side by side: each crossing is recorded once, each act done once."""

import os
import random
import signal

import pytest
from django.db import connection, connections

from quant_site.core import clock
from quant_site.core.models import OutboxEvent
from tests.intents_world import DAYS, FLAT, D, account_live, after, bars_write
from trading.intents.alert_engine import AlertEngine
from trading.intents.alerts import alert_create
from trading.intents.plans import plan_create
from trading.intents.price_sources import bar_ticks
from trading.models import AlertFiring, Order, PriceAlert, TradingPlan

pytestmark = pytest.mark.django_db(transaction=True)
SYMBOLS, START, SESSIONS = ("AAA", "BBB", "CCC"), 20, 4
TRADE = {"direction": "LONG", "quantity": 1, "stop_loss": "50", "take_profit": "200"}


@pytest.fixture
def desk(market_dir):
    """Alerts and plans at many prices of three symbols, and four sessions of wild bars that no engine has looked at."""
    dice = random.Random(7)
    with clock.use(after(DAYS[START])) as time:
        for symbol in SYMBOLS:
            bars_write(symbol, [FLAT] * (START + 1))
        account = account_live()
        for symbol in SYMBOLS:
            for number in range(4):
                kind = ("PRICE_ABOVE", "PRICE_BELOW")[number % 2]
                threshold = D(100 + dice.randint(2, 9) * (1, -1)[number % 2])
                alert(account, symbol, kind, threshold)
            alert(account, symbol, "PERCENT_CHANGE", D(4))
            alert(account, symbol, "PRICE_ABOVE", D(130), "AUTO_TRADE", TRADE)
            alert(account, symbol, "PRICE_ABOVE", D(131), "CREATE_PLAN", TRADE)
            terms = {"entry_price": D(70), "quantity": D(1), "auto_execute": True}
            plan_create(account=account, symbol=symbol, direction="LONG", actor="tester", **terms)
        bars = {symbol: [wild(dice) for _ in range(SESSIONS - 1)] + [(100.0, 135.0, 65.0, 101.0)] for symbol in SYMBOLS}
        time.move_to(after(DAYS[START + SESSIONS]).at)
        for symbol in SYMBOLS:
            bars_write(symbol, [FLAT] * (START + 1) + bars[symbol])
        yield bars


def alert(account, symbol, kind, threshold, action="NOTIFY_ONLY", params=None) -> None:
    terms = {"alert_type": kind, "threshold_value": threshold, "action_type": action, "action_params": params}
    alert_create(account=account, symbol=symbol, actor="tester", **terms)


def wild(dice) -> tuple:
    open_, close = dice.randint(95, 105), dice.randint(95, 105)
    return tuple(map(float, (open_, max(open_, close) + dice.randint(0, 6), min(open_, close) - dice.randint(0, 6), close)))


def expected(bars) -> dict[int, list[int]]:
    """The prices in micros at which each alert fires, by looking at every tick."""
    found = {}
    for row in PriceAlert.objects.all():
        beyond, close, found[row.pk] = False, 100.0, []
        for number, bar in enumerate(bars[row.symbol]):
            if row.alert_type == "PERCENT_CHANGE":
                beyond = False
            for tick in bar_ticks(row.symbol, DAYS[START + 1 + number], *bar):
                price = tick.price / 1_000_000
                level = (
                    float(row.threshold_value) if row.alert_type != "PERCENT_CHANGE" else close * (100 + float(row.threshold_value)) / 100
                )
                now = price <= level if row.alert_type == "PRICE_BELOW" else price >= level
                if now and not beyond and not (found[row.pk] and row.action_params["once"]):
                    found[row.pk].append(tick.price)
                beyond = now
            close = bar[3]
    return found


def recorded() -> dict[int, list[int]]:
    found = {pk: [] for pk in PriceAlert.objects.values_list("pk", flat=True)}
    for firing in AlertFiring.objects.order_by("alert", "crossing"):
        assert firing.crossing == len(found[firing.alert_id]) + 1
        found[firing.alert_id].append(int(firing.price * 1_000_000))
    return found


def child(work) -> int:
    """`work` in a process of its own."""
    connections.close_all()
    pid = os.fork()
    if pid == 0:
        try:
            work()
            code = 0
        except BaseException:  # noqa: BLE001 (a child must never go on as if it were the parent)
            code = 1
        os._exit(code)
    return pid


def ended(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def run(killed_at: int | None = None) -> None:
    """An engine until nothing is left to do; killed at its statement number `killed_at`."""
    seen = 0

    def count(execute, sql, params, many, context):
        nonlocal seen
        seen += 1
        if seen == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(count):
        engine = AlertEngine()
        for _ in range(3):
            engine.step()


def check(bars) -> None:
    assert recorded() == expected(bars)
    assert {row.pk: row.trigger_count for row in PriceAlert.objects.all()} == {pk: len(prices) for pk, prices in recorded().items()}
    fired = OutboxEvent.objects.filter(type="alert.fired").values_list("payload", flat=True)
    assert sorted((payload["id"], payload["crossing"]) for payload in fired) == sorted(
        AlertFiring.objects.values_list("alert_id", "crossing")
    )
    assert not AlertFiring.objects.filter(outcome="PENDING").exists()
    assert AlertFiring.objects.filter(outcome="ORDERED", order__isnull=False).count() == len(SYMBOLS)
    assert Order.objects.filter(origin="ALERT").count() == len(SYMBOLS)
    assert (
        AlertFiring.objects.filter(outcome="PLANNED").count() == TradingPlan.objects.filter(created_source="ALERT").count() == len(SYMBOLS)
    )
    waiting = TradingPlan.objects.filter(created_source="MANUAL")
    assert {plan.status for plan in waiting} == {"EXECUTED"}
    assert Order.objects.filter(origin="PLAN").count() == len(SYMBOLS)


def test_the_scenario_fires_often(desk):
    AlertEngine().step()
    check(desk)
    assert len(max(recorded().values(), key=len)) > 2
    assert AlertFiring.objects.count() > 30


@pytest.mark.parametrize("seed", range(4))
def test_killed_at_any_statement_and_started_again_everything_is_done_once(desk, seed):
    dice, deaths = random.Random(seed), 0
    for _ in range(10):
        at = dice.randint(12, 90)
        code = ended(child(lambda at=at: run(killed_at=at)))
        assert code in (0, -signal.SIGKILL)
        deaths += code == -signal.SIGKILL
    assert ended(child(run)) == 0
    assert deaths > 3
    check(desk)


def test_two_engines_side_by_side_do_everything_once(desk):
    for pid in [child(run), child(run)]:
        assert ended(pid) == 0
    assert ended(child(run)) == 0
    check(desk)
