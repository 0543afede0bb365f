"""No flag, and no way of ordering, lets a DRY_RUN account reach the broker for real money: the gateway counts its calls."""

from decimal import Decimal
from itertools import product

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from quant_site.core import clock
from quant_site.core.models import Account
from quant_site.core.services import account_create
from quant_site.core.tokens import login_create
from quant_site.schedules import account_loop, signals_execute
from signals_app.models import TradingSignal
from strategies.services import strategies_seed
from tests.fake_tiger.client import FakeTiger
from tests.intents_world import DAYS, FLAT, after, bars_write, moment
from tests.orders_world import strategy_of
from tests.tiger_world import tiger_settings
from trading.books.ledger import account_fund
from trading.brokers.paper import PaperBroker
from trading.control.senders import boot_register
from trading.exposure.hedge_policies import hedge_policy_set
from trading.intents.alert_engine import AlertEngine
from trading.intents.alerts import alert_create
from trading.intents.plans import plan_create, plan_execute
from trading.models import AlertFiring, HedgeRecord, Order, SenderBoot, TradingPlan
from trading.order_path.doorbell import Doorbell
from trading.order_path.sweeper import sweep

pytestmark = pytest.mark.django_db
D = Decimal
START = 40
UP = (104.0, 108.0, 103.0, 107.0)


@pytest.fixture(scope="module")
def tiger(tmp_path_factory):
    with FakeTiger(tmp_path_factory.mktemp("tiger")) as tiger:
        tiger.quote("AAA", bid=99.9, ask=100.1, last=100)
        yield tiger


@pytest.fixture
def time(market_dir):
    with clock.use(after(DAYS[START])) as time:
        for symbol in ("AAA", "SPY"):
            bars_write(symbol, [FLAT] * (START + 1))
        yield time


@pytest.fixture
def account():
    owner = User.objects.create_user("owner", password="correct-horse-7")
    account = account_create(id="DESK", owner=owner, max_adv_pct=1, max_position_pct=1, max_gross_exposure=3, duplicate_window=0)
    account_fund(account=account, amount=account.initial_cash, session=DAYS[0], key="initial")
    return account


class Ways:
    """Every way in which something comes to be ordered. Each answers what it ordered, so that a silent way is no proof."""

    def __init__(self, account: Account, time):
        self.account, self.time, self.bars = account, time, [FLAT] * (START + 1)
        self.client = APIClient()
        self.client.credentials(HTTP_AUTHORIZATION=f"Bearer {login_create(user=account.owner)['access']}")

    def next_day(self, bar) -> None:
        self.bars.append(bar)
        bars_write("AAA", self.bars)
        bars_write("SPY", [FLAT] * len(self.bars))
        self.time.move_to(moment(DAYS[len(self.bars) - 1]))

    def new_orders(self, way) -> list[Order]:
        known = set(Order.objects.values_list("pk", flat=True))
        way()
        sweep()
        return list(Order.objects.exclude(pk__in=known))

    def by_api(self) -> None:
        body = {"account": "DESK", "symbol": "AAA", "side": "BUY", "quantity": "1"}
        assert self.client.post("/api/v1/orders/preview", body, format="json").status_code == 200
        answer = self.client.post("/api/v1/orders/", body, format="json")
        assert answer.status_code == 201
        self.client.post(f"/api/v1/orders/{answer.json()['id']}/cancel")

    def by_job(self) -> None:
        signal = TradingSignal.objects.create(
            account=self.account, strategy=strategy_of(), session=DAYS[START], symbol="AAA", direction="LONG", signal_status="VALIDATED",
            legs=[{"symbol": "AAA", "direction": "LONG", "ratio": 1.0, "quantity": 2}],
        )  # fmt: skip
        signals_execute("DESK", [signal.pk])

    def by_plan(self) -> None:
        plan_execute(plan=self._plan("MANUAL"), actor=self.account.owner)

    def by_advice(self) -> None:
        """What an advisor proposes is a plan of its own, which executes itself."""
        plan, engine = self._plan("ADVISOR", auto_execute=True, plan_type="MARKET"), AlertEngine(lambda account: None)
        engine.step()
        self.next_day(FLAT)
        engine.step()
        plan.refresh_from_db()
        assert plan.created_source == "ADVISOR"

    def by_alert(self) -> None:
        fired = AlertFiring.objects.count()
        alert_create(
            account=self.account, symbol="AAA", alert_type="PRICE_ABOVE", threshold_value=D(105), actor="tester", action_type="AUTO_TRADE",
            action_params={"direction": "LONG", "quantity": 4},
        )  # fmt: skip
        engine = AlertEngine(lambda account: None)
        engine.step()
        self.next_day(UP)
        engine.step()
        assert AlertFiring.objects.count() == fired + 1

    def by_loop(self) -> None:
        hedge_policy_set(account=self.account, kind="BETA", symbol="SPY", actor=self.account.owner, state="ON")
        account_loop("DESK", DAYS[len(self.bars) - 1].isoformat())
        assert HedgeRecord.objects.count() >= 1

    def _plan(self, source: str, **fields) -> TradingPlan:
        return plan_create(
            account=self.account, symbol="AAA", direction="LONG", quantity=D(3), created_source=source, actor=self.account.owner, **fields
        )


@pytest.mark.parametrize(("real_trading", "credentials"), list(product([False, True], [False, True])))
def test_whatever_the_flags_say_no_way_of_ordering_reaches_the_real_broker(tiger, time, account, settings, real_trading, credentials):
    settings.REAL_TRADING = real_trading
    settings.TIGER = tiger_settings(tiger) if credentials else None
    settings.CELERY_TASK_ALWAYS_EAGER = True
    strategies_seed()
    PaperBroker(None).open_account("DESK", D(100_000))
    boot_register("sweeper")
    before = len(tiger.journal.calls())
    bell = Doorbell()
    bell.open()
    ways = Ways(account, time)
    try:
        ordered = {
            way.__name__: len(ways.new_orders(way)) for way in (ways.by_api, ways.by_job, ways.by_plan, ways.by_advice, ways.by_alert)
        }
        ways.new_orders(ways.by_loop)
    finally:
        bell.close()
    assert ordered == dict.fromkeys(ordered, 1), "each way ordered something"
    assert set(Order.objects.values_list("mode", flat=True)) == {"DRY_RUN"}
    assert SenderBoot.objects.exists() and len(tiger.journal.calls()) == before == 0


@pytest.mark.parametrize("real_trading", [False, True])
def test_an_account_that_names_the_real_broker_in_dry_run_has_no_broker_at_all(tiger, time, account, settings, real_trading):
    settings.REAL_TRADING, settings.TIGER = real_trading, tiger_settings(tiger)
    Account.objects.filter(pk="DESK").update(broker="tiger")
    account.refresh_from_db()
    ways = Ways(account, time)
    [order] = ways.new_orders(lambda: ways.client.post("/api/v1/orders/", _body(), format="json"))
    assert (order.mode, order.status, order.broker_order_id) in {("DRY_RUN", "INTENT", ""), ("DRY_RUN", "DENIED", "")}
    assert tiger.journal.calls() == []


def test_real_orders_written_while_the_environment_allowed_them_stay_here_when_it_does_not(tiger, time, account, settings):
    settings.REAL_TRADING, settings.TIGER = False, tiger_settings(tiger)
    Account.objects.filter(pk="DESK").update(broker="tiger", mode="REAL")
    account.refresh_from_db()
    ways = Ways(account, time)
    [order] = ways.new_orders(lambda: ways.client.post("/api/v1/orders/", _body(), format="json"))
    assert (order.mode, order.status) == ("REAL", "DENIED")
    assert tiger.journal.calls() == []


def _body() -> dict:
    return {"account": "DESK", "symbol": "AAA", "side": "BUY", "quantity": "1"}
