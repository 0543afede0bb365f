"""Assessments, option exposure and chains as the API shows them."""

from dataclasses import replace

import numpy as np
import pytest
from django.core.management import call_command

from quant_site.market.options.quotes import option_market
from quant_site.market.panel import Panel
from quant_site.market.sessions import session_array
from tests.api_world import build_world
from tests.hedge_world import HedgeWorld
from tests.options_world import market_panel
from trading.models import Position

pytestmark = pytest.mark.django_db

T = 91


@pytest.fixture
def world(monkeypatch):
    """The people of the API's world, and an account of the owner's that sold five calls on SPY and holds ACME."""
    world, panel = build_world(), market_panel(sessions=120)
    desk = HedgeWorld(panel, cash="1000000")
    desk.account.owner = world.users["owner"]
    desk.account.save()
    chain = option_market(panel).chain("SPY", T - 1)
    quote = chain.nearest_delta(chain.expirations()[0], "C", 0.5)
    desk.buy(quote.contract.symbol, -5, T - 1, price=quote.mid)
    desk.buy("ACME", 100, T - 1)
    desk.close(T)
    monkeypatch.setattr("trading.api.exposure.panel_load", lambda: panel)
    world.desk, world.panel = desk, panel
    return world


def get(world, path, role="owner"):
    response = world.client(role).get(f"/api/v1/{path}")
    assert response.status_code == 200, response.content
    return response.json()


def test_an_assessment_is_that_of_the_accounts_last_close(world):
    found = get(world, "positions/assessment?account=hedged")
    assert (found["account"], found["session"]) == ("hedged", str(world.desk.day(T)))
    by_group = {trade["group"]: trade for trade in found["trades"]}
    share = by_group["ACME"]
    assert (share["sessions_held"], share["stop"], share["verdict"]) == (1, None, "HOLD")
    assert share["undefined"]["stop"] == "It has no stop."
    assert share["legs"][0]["position"] == Position.objects.get(symbol="ACME").pk
    assert [event["kind"] for event in share["events"]] == ["EX_DIVIDEND"]
    option = next(trade for group, trade in by_group.items() if group != "ACME")
    assert [event["kind"] for event in option["events"]] == ["EXPIRY", "EX_DIVIDEND"]
    assert option["reasons"][0]["message"]


def test_option_exposure_shows_greeks_shocks_and_where_its_prices_come_from(world):
    found = get(world, "options/exposure?account=hedged")
    [spy] = found["underlyings"]
    assert spy["underlying"] == "SPY"
    assert float(found["total"]["greeks"]["delta"]) < 0 < float(found["total"]["greeks"]["theta"])
    assert len(found["total"]["stress"]) == 18
    assert found["total"]["worst"]["spot"] == 0.2
    assert spy["contracts"][0]["synthetic"] is True
    assert "No market made these prices" in found["warnings"][0]


def test_an_account_is_named_and_is_ones_own(world):
    assert world.client("owner").get("/api/v1/options/exposure").status_code == 400
    assert world.client("other").get("/api/v1/options/exposure?account=hedged").status_code == 404
    assert world.client("other").get("/api/v1/positions/assessment?account=hedged").status_code == 404


def test_a_chain_is_asked_for_by_underlying_session_and_expiration(world):
    session = world.desk.day(T)
    first = get(world, f"options/chain?underlying=spy&session={session}")
    assert first["expiration"] == first["expirations"][0]
    second = get(world, f"options/chain?underlying=SPY&session={session}&expiration={first['expirations'][2]}")
    assert second["expiration"] == first["expirations"][2]
    assert {row["symbol"][3:9] for row in second["rows"]} == {second["expiration"][2:].replace("-", "")}
    last = get(world, "options/chain?underlying=SPY")
    assert last["session"] == str(world.panel.sessions[-1])
    for bad in (
        "underlying=SPY&session=yesterday",
        "underlying=SPY&expiration=2019-13-01",
        f"underlying=SPY&session={session}&expiration=2019-06-22",
        "",
    ):
        assert world.client("owner").get(f"/api/v1/options/chain?{bad}").status_code == 400
    assert world.client("owner").get("/api/v1/options/chain?underlying=NONE").status_code == 422


@pytest.mark.usefixtures("market_dir")
def test_a_real_chain_says_what_its_prices_do_not_define_and_what_was_left_out(world, market_fixtures, monkeypatch):
    call_command("import_chain", str(market_fixtures / "options/spy_chain_2023-09-14.csv.gz"), "--source", "a vendor", verbosity=0)
    days = session_array("2023-09-01", "2023-09-14").copy()
    bars = [np.full((1, len(days)), 450.0) for _ in range(4)]
    panel = Panel(("SPY",), days, *bars, np.full((1, len(days)), 1e6), np.ones((1, len(days))))
    monkeypatch.setattr("trading.api.exposure.panel_load", lambda: replace(panel))
    first = get(world, "options/chain?underlying=SPY&session=2023-09-14")
    assert (first["synthetic"], first["source"]) == (False, "a vendor")
    tables = [get(world, f"options/chain?underlying=SPY&session=2023-09-14&expiration={day}") for day in first["expirations"][:6]]
    undefined = [row for table in tables for row in table["rows"] if row["iv"] is None]
    assert undefined
    for row in undefined:
        assert row["delta"] is None and "defines no volatility" in row["reason"]
