"""Ordering through the API: preview, order, confirm, change, cancel; what is sent twice is done once."""

from decimal import Decimal

import pytest

from quant_site.core import clock
from quant_site.core.models import Account
from quant_site.market.sessions import session_close
from tests.api_world import PASSWORD, World, build_world
from tests.orders_world import DAYS, FLAT, instruments, panel_of
from trading.books.ledger import account_fund
from trading.models import Order

pytestmark = pytest.mark.django_db
D = Decimal
WANTED = {"account": "FUND-1", "symbol": "AAA", "side": "BUY", "quantity": "10", "order_type": "LMT", "limit_price": "100"}


@pytest.fixture(autouse=True)
def closed_day(monkeypatch):
    panel = panel_of({"AAA": [FLAT] * 6, "AAPL": [FLAT] * 6})
    monkeypatch.setattr("trading.order_path.tickets.panel_load", lambda: panel)
    monkeypatch.setattr("trading.order_path.previews.panel_load", lambda: panel)
    with clock.use(clock.VirtualClock(session_close(DAYS[5]))):
        yield


@pytest.fixture
def world() -> World:
    world = build_world()
    instruments("AAA")
    Account.objects.filter(pk="FUND-1").update(max_adv_pct=1, max_position_pct=1)
    account_fund(account=world.account, amount=D(100_000), session=DAYS[0], key="initial")
    return world


def post(world, path, body=None, role="trader", **headers):
    return world.client(role).post(f"/api/v1/{path}", body or {}, format="json", headers=headers)


def test_an_order_is_made_once_under_a_key_and_another_body_is_a_conflict(world):
    first = post(world, "orders/", WANTED, **{"Idempotency-Key": "one"})
    again = post(world, "orders/", WANTED, **{"Idempotency-Key": "one"})
    other = post(world, "orders/", WANTED | {"quantity": "11"}, **{"Idempotency-Key": "one"})
    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 409)
    assert first.json()["id"] == again.json()["id"]
    assert Order.objects.filter(symbol="AAA").count() == 1
    assert (first.json()["status"], first.json()["origin"], first.json()["limit_price"]) == ("INTENT", "MANUAL", "100.000000")


def test_a_denied_order_says_which_check_denied_it(world):
    Account.objects.filter(pk="FUND-1").update(max_order_notional=D(500))
    answer = post(world, "orders/", WANTED).json()
    assert (answer["status"], answer["status_reason"].partition(":")[0]) == ("DENIED", "ORDER_NOTIONAL")


def test_a_preview_has_every_figure_and_orders_nothing(world):
    answer = post(world, "orders/preview", WANTED | {"stop_loss": "95", "take_profit": "115"})
    body = answer.json()
    assert answer.status_code == 200
    assert (body["cost"], body["maximum_loss"], body["reward_risk"]) == ("1000.00", "51.00", "3.000000")
    assert (body["verdicts"], body["exposure_after"]["gross"] - body["exposure_before"]["gross"]) == ([], 1000)
    assert Order.objects.filter(symbol="AAA").count() == 0


def test_a_high_risk_order_goes_only_with_a_password_for_exactly_this_order(world):
    Account.objects.filter(pk="FUND-1").update(confirm_above=D(500))
    order = post(world, "orders/", WANTED).json()
    assert order["awaits"] == "It trades 1000.00, more than 500.00."
    path = f"orders/{order['id']}/confirm"
    refusal = post(world, path)
    assert (refusal.status_code, refusal.json()["code"]) == (403, "confirmation_required")
    assert refusal.json()["details"]["payload"] == order["confirm"]
    wrong = post(world, "auth/confirm", {"password": "guess", **refusal.json()["details"]})
    assert wrong.status_code == 403
    given = post(world, "auth/confirm", {"password": PASSWORD, **refusal.json()["details"]}).json()["confirmation"]
    assert post(world, path, **{"X-Confirmation": given}).json()["confirm"] is None
    assert post(world, path, **{"X-Confirmation": given}).status_code == 409


def test_an_unsent_order_is_cancelled_at_once_and_cannot_be_changed(world):
    order = post(world, "orders/", WANTED).json()["id"]
    change = post(world, f"orders/{order}/change", {"quantity": "5"})
    assert (change.status_code, change.json()["code"]) == (409, "not_sent")
    assert post(world, f"orders/{order}/cancel").json()["status"] == "CANCELLED"
    assert post(world, f"orders/{order}/cancel").json()["status"] == "CANCELLED"


def test_a_working_order_keeps_the_change_and_the_cancel_that_are_wanted_of_it(world):
    number = post(world, "orders/", WANTED).json()["id"]
    Order.objects.filter(pk=number).update(status="ACKED")
    assert post(world, f"orders/{number}/change", {"limit_price": "101", "quantity": "8"}).status_code == 200
    assert Order.objects.get(pk=number).wanted == {"quantity": "8.000000", "limit_price": "101.000000"}
    assert post(world, f"orders/{number}/change", {"stop_price": "90"}).json()["code"] == "bad_price"
    assert post(world, f"orders/{number}/cancel").json()["cancel_requested"] is True
    assert post(world, f"orders/{number}/change", {"quantity": "7"}).json()["code"] == "not_working"


@pytest.mark.parametrize(
    "wrong", [{"quantity": "NaN"}, {"quantity": "-1"}, {"side": "HOLD"}, {"limit_price": "1e400"}, {"symbol": ""}, {"order_type": "XXX"}]
)
def test_bad_input_is_a_400_that_names_the_field(world, wrong):
    answer = post(world, "orders/", WANTED | wrong)
    assert answer.status_code == 400
    assert Order.objects.filter(symbol="AAA").count() == 0
