"""An order of several legs, shown: in the API, in the admin and on the page of trades, found by the symbol of any of its legs."""

from datetime import date
from decimal import Decimal

import pytest

from quant_site.core.types import OrderType, Side
from tests.api_world import build_world
from tests.options_desk import option
from trading.models import Fill
from trading.order_path.rows import order_create
from trading.vocabulary import Purpose

pytestmark = pytest.mark.django_db
LOW, SOLD = option("P", 90), option("P", 95)
LEGS = [{"symbol": LOW, "side": "BUY", "ratio": 2, "decision": "0.35"}, {"symbol": SOLD, "side": "SELL", "ratio": 1}]


@pytest.fixture
def world():
    world = build_world()
    world.structure = order_create(
        account=world.account,
        purpose=Purpose.ENTRY,
        symbol="SPY/spread",
        side=Side.BUY,
        order_type=OrderType.MARKET,
        quantity=3,
        session=date(2013, 2, 28),
        legs=LEGS,
        signal=world.signal,
    )
    Fill.objects.create(
        account=world.account, order=world.structure, fill_id="leg", session=world.structure.session, symbol=LOW, side="BUY",
        quantity=6, price=Decimal("0.4"), amount=Decimal(240), filled_at=world.structure.created_at,
    )  # fmt: skip
    return world


def test_the_api_tells_the_legs_with_their_decision_prices_and_each_fill_its_leg(world):
    body = world.client("reader").get(f"/api/v1/orders/{world.structure.pk}/").json()
    assert body["legs"] == [
        {"symbol": LOW, "side": "BUY", "ratio": 2, "decision": "0.350000"},
        {"symbol": SOLD, "side": "SELL", "ratio": 1, "decision": None},
    ]
    assert (body["symbol"], body["group"], body["quantity"]) == ("SPY/spread", "SPY/spread", "3.000000")
    assert [(fill["symbol"], fill["side"], fill["quantity"]) for fill in body["fills"]] == [(LOW, "BUY", "6.000000")]
    assert world.client("reader").get(f"/api/v1/orders/{world.order.pk}/").json()["legs"] == []


@pytest.mark.parametrize(
    ("symbol", "found"),
    [(LOW, True), (SOLD.lower(), True), ("SPY/spread", True), ("SPY", False), ("AAPL", False), (option("P", 91), False)],
)
def test_an_order_is_found_by_the_symbol_of_each_of_its_legs_and_not_by_a_part_of_one(world, client, symbol, found):
    listed = world.client("owner").get("/api/v1/orders/", {"symbol": symbol}).json()["results"]
    assert (world.structure.pk in [row["id"] for row in listed]) is found
    client.force_login(world.users["owner"])
    rows = client.get("/trades/", {"account": world.account.pk, "symbol": symbol}).context["rows"]
    assert (world.structure.pk in [row.pk for row in rows]) is found


def test_the_page_of_trades_shows_what_each_leg_buys_and_sells(world, client):
    client.force_login(world.users["owner"])
    client.cookies["django_language"] = "en"
    text = client.get("/trades/", {"account": world.account.pk}).content.decode()
    assert "2 × SPY 2019-01-18 90 put" in text
    assert "1 × SPY 2019-01-18 95 put" in text


def test_the_admin_shows_the_legs_in_a_line(world, client):
    client.force_login(world.users["root"])
    assert f"BUY 2 {LOW}, SELL 1 {SOLD}" in client.get("/admin/trading/order/").content.decode()
    page = client.get(f"/admin/trading/order/{world.structure.pk}/change/").content.decode()
    assert LOW in page and SOLD in page
