"""Plans and alerts over REST: made, changed, executed and removed there, once for each key, and told to their owner's socket."""

import pytest

from quant_site.core import clock
from quant_site.core.models import OutboxEvent
from quant_site.core.stream.outbox import events_missed
from tests.api_world import build_world
from tests.intents_world import DAYS, FLAT, D, after, bars_write, moment
from trading.books.ledger import account_fund
from trading.intents.alert_engine import AlertEngine
from trading.models import AlertFiring, Order, PriceAlert, TradingPlan

pytestmark = pytest.mark.django_db
PLAN = {"account": "FUND-1", "symbol": "MSFT", "direction": "LONG", "quantity": "10", "entry_price": "98", "stop_loss": "95"}
ALERT = {"account": "FUND-1", "symbol": "MSFT", "alert_type": "PRICE_ABOVE", "threshold_value": "105"}


@pytest.fixture
def world(market_dir):
    with clock.use(after(DAYS[29])) as time:
        bars_write("MSFT", [FLAT] * 30)
        world = build_world()
        TradingPlan.objects.all().delete()
        PriceAlert.objects.all().delete()
        account_fund(account=world.account, amount=world.account.initial_cash, session=DAYS[0], key="initial")
        world.time = time
        yield world


def post(client, path, body=None, **headers):
    return client.post(f"/api/v1/{path}", body or {}, format="json", **headers)


# --- plans


def test_a_plan_is_made_looked_at_changed_and_executed(world):
    client = world.client("trader")
    made = post(client, "trading-plans/", PLAN | {"take_profit": "110"})
    assert made.status_code == 201
    plan = made.json()
    assert (plan["status"], plan["plan_type"], plan["orders"]) == ("ACTIVE", "PULLBACK", [])
    assert D(plan["risk_reward"]["value"]) > 3
    changed = client.patch(f"/api/v1/trading-plans/{plan['id']}/", {"take_profit": None}, format="json").json()
    assert changed["risk_reward"] == {"value": None, "reason": "It needs target."}
    done = post(client, f"trading-plans/{plan['id']}/execute").json()
    assert (done["status"], [order["status"] for order in done["orders"]]) == ("EXECUTED", ["INTENT"])
    again = post(client, f"trading-plans/{plan['id']}/execute")
    assert (again.status_code, again.json()["code"]) == (409, "plan_over")
    back = post(client, f"trading-plans/{plan['id']}/cancel").json()
    assert (back["status"], [order["status"] for order in back["orders"]]) == ("CANCELLED", ["CANCELLED"])


def test_the_same_key_executes_once_and_answers_twice(world):
    client, key = world.client("owner"), {"HTTP_IDEMPOTENCY_KEY": "k-1"}
    plan = post(client, "trading-plans/", PLAN).json()["id"]
    answers = [post(client, f"trading-plans/{plan}/execute", **key) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert answers[1].headers["Idempotency-Replayed"] == "true"
    assert Order.objects.filter(plan=plan).count() == 1


def test_what_cannot_be_is_answered_in_the_envelope_and_leaves_nothing(world):
    answer = post(world.client("owner"), "trading-plans/", PLAN | {"stop_loss": "99"})
    assert (answer.status_code, answer.json()["code"]) == (400, "levels_out_of_order")
    answer = post(world.client("owner"), "alerts/", ALERT | {"action_type": "AUTO_TRADE"})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_action_params")
    assert not TradingPlan.objects.exists() and not PriceAlert.objects.exists()


def test_plans_can_be_filtered_and_a_deleted_one_is_seen_no_more(world):
    client = world.client("owner")
    ids = [post(client, "trading-plans/", PLAN | {"auto_execute": auto}).json()["id"] for auto in (True, False)]
    post(client, f"trading-plans/{ids[1]}/cancel")
    listed = client.get("/api/v1/trading-plans/?status=ACTIVE&auto_execute=true&symbol=MSFT").json()["results"]
    assert [plan["id"] for plan in listed] == [ids[0]]
    assert client.delete(f"/api/v1/trading-plans/{ids[0]}/").status_code == 204
    assert client.get("/api/v1/trading-plans/").json()["count"] == 1
    for method, path in (("get", ""), ("patch", ""), ("post", "execute"), ("post", "cancel"), ("delete", "")):
        assert getattr(client, method)(f"/api/v1/trading-plans/{ids[0]}/{path}").status_code == 404
    assert TradingPlan.objects.filter(pk=ids[0], is_deleted=True).exists()


# --- alerts


def test_an_alert_is_made_fires_and_shows_its_firings(world):
    client = world.client("owner")
    alert = post(client, "alerts/", ALERT).json()
    assert (alert["is_active"], alert["is_beyond"], alert["action_params"]) == (True, False, {"once": False})
    engine = AlertEngine()
    world.time.move_to(moment(DAYS[30]))
    bars_write("MSFT", [FLAT] * 30 + [(104.0, 106.0, 103.0, 104.0)])
    engine.step()
    [firing] = client.get(f"/api/v1/alerts/{alert['id']}/firings").json()["results"]
    assert (firing["crossing"], D(firing["price"]), firing["outcome"]) == (1, 106, "NOTIFIED")
    assert client.get(f"/api/v1/alerts/{alert['id']}/").json()["trigger_count"] == 1


def test_a_firing_reaches_the_sockets_of_those_who_may_see_the_account_and_no_other(world):
    AlertFiring.objects.all().delete()
    before = OutboxEvent.objects.latest("id").pk
    test_an_alert_is_made_fires_and_shows_its_firings(world)
    seen = {
        role: events_missed(user=world.users[role], since=before, topics=frozenset({"alert"}))[0] for role in ("owner", "reader", "other")
    }
    assert ['"alert.fired"' in event.text for event in seen["owner"]] == [False, True]
    assert (len(seen["reader"]), seen["other"]) == (2, [])


def test_the_same_key_makes_one_alert(world):
    client, key = world.client("owner"), {"HTTP_IDEMPOTENCY_KEY": "k-2"}
    assert [post(client, "alerts/", ALERT, **key).status_code for _ in range(2)] == [201, 201]
    assert PriceAlert.objects.count() == 1


def test_an_alert_is_changed_switched_off_and_removed(world):
    client = world.client("owner")
    url = f"/api/v1/alerts/{post(client, 'alerts/', ALERT).json()['id']}/"
    changed = client.patch(url, {"threshold_value": "99", "is_active": False}, format="json").json()
    assert (D(changed["threshold_value"]), changed["is_active"], changed["is_beyond"]) == (99, False, True)
    params = {"action_type": "AUTO_TRADE", "action_params": {"direction": "SHORT", "quantity": 3, "stop_loss": "104"}}
    assert client.patch(url, params, format="json").json()["action_params"]["once"] is True
    assert client.patch(url, {"action_type": "NOTIFY_ONLY"}, format="json").json()["action_params"] == {"once": False}
    assert client.get("/api/v1/alerts/?active=true").json()["count"] == 0
    assert client.delete(url).status_code == 204
    assert client.get(url).status_code == client.get(f"{url}firings").status_code == 404
    assert PriceAlert.objects.get().is_deleted
