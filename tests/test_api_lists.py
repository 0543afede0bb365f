"""Lists and single rows: pages, filters, exact numbers, few queries; and the page that describes them."""

import json
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from quant_site.core.models import LoopRun
from strategies.models import Strategy
from tests.api_world import SESSION, build_world, make_signal

pytestmark = pytest.mark.django_db


@pytest.fixture
def world():
    return build_world()


def get(client, path):
    response = client.get(f"/api/v1/{path}")
    assert response.status_code == 200, response.content
    return response.json()


def signals(world, count, **fields):
    return [make_signal(world.account, world.strategy, symbol=f"S{number:03d}", **fields) for number in range(count)]


def test_a_list_comes_in_pages_that_link_to_each_other(world):
    signals(world, 5)
    client = world.client("owner")
    first = get(client, "signals/?page_size=4")
    assert set(first) == {"count", "next", "previous", "results"}
    assert (first["count"], len(first["results"]), first["previous"]) == (6, 4, None)
    second = client.get(first["next"]).json()
    assert len(second["results"]) == 2
    assert second["next"] is None
    assert {row["id"] for row in first["results"]}.isdisjoint(row["id"] for row in second["results"])


def test_no_page_has_more_than_two_hundred_rows(world):
    signals(world, 205)
    assert len(get(world.client("owner"), "signals/?page_size=9999")["results"]) == 200


def test_a_page_that_does_not_exist_is_a_404(world):
    assert world.client("owner").get("/api/v1/signals/?page=99").status_code == 404


def test_signals_can_be_filtered_by_status_strategy_symbol_and_session(world):
    other = Strategy.objects.get(key="golden_cross")
    rejected = make_signal(world.account, other, symbol="IBM", status="REJECTED", session=SESSION.replace(day=1))
    client = world.client("owner")

    def ids(query):
        return [row["id"] for row in get(client, f"signals/?{query}")["results"]]

    assert ids("status=REJECTED") == ids("strategy=golden_cross") == ids("symbol=IBM") == [rejected.pk]
    assert ids("session_before=2013-02-01") == [rejected.pk]
    assert ids("session_after=2013-02-27") == [world.signal.pk]
    assert set(ids("status=REJECTED&status=PENDING")) == {rejected.pk, world.signal.pk}
    assert [row["id"] for row in get(client, f"strategies/{other.pk}/signals")["results"]] == [rejected.pk]


def test_a_filter_value_that_cannot_be_is_refused_not_ignored(world):
    response = world.client("owner").get("/api/v1/signals/?status=MAYBE")
    assert response.status_code == 400
    assert "status" in response.json()["details"]["fields"]


def test_positions_can_be_narrowed_to_open_ones(world):
    client = world.client("owner")
    assert get(client, "positions/?open=true")["count"] == 1
    assert get(client, "positions/?open=false")["count"] == 0


def test_a_decimal_is_the_same_exact_text_in_a_list_and_alone(world):
    client = world.client("owner")
    in_list, alone = get(client, "orders/")["results"][0], get(client, f"orders/{world.order.pk}/")
    assert in_list["quantity"] == alone["quantity"] == "10.000000"
    assert get(client, "equity/curve?account=FUND-1")["equity"] == ["100000.10"]
    assert in_list == {name: alone[name] for name in in_list}


@pytest.mark.parametrize("path", ["signals", "positions", "loop/runs"])
def test_a_list_and_a_single_row_agree_on_every_field_they_share(world, path):
    client = world.client("owner")
    in_list = get(client, f"{path}/")["results"][0]
    alone = get(client, f"{path}/{in_list['id']}/")
    assert in_list == {name: alone[name] for name in in_list}


def test_a_longer_list_takes_no_more_queries(world):
    client = world.client("owner")

    def queries():
        with CaptureQueriesContext(
            connection,
        ) as seen:
            get(client, "signals/?page_size=200")
        return len(seen)

    few = queries()
    signals(world, 40)
    assert queries() == few <= 6


def test_an_order_shows_its_moves_and_fills(world):
    order = get(world.client("owner"), f"orders/{world.order.pk}/")
    assert [event["to_status"] for event in order["events"]] == ["INTENT"]
    assert [Decimal(fill["amount"]) for fill in order["fills"]] == [Decimal("4414.00")]


def test_a_loop_run_shows_its_stages_in_order(world):
    assert [stage["name"] for stage in get(world.client("owner"), f"loop/runs/{world.run.pk}/")["stages"]] == ["market_data"]


def test_a_missing_statistic_is_null_with_its_reason(world):
    performance = get(world.client("owner"), f"strategies/{world.strategy.pk}/performance?account=FUND-1")
    assert performance["judgement"]["sharpe_ratio"] is None
    assert performance["judgement"]["undefined"] == {"sharpe_ratio": "TOO_SHORT"}


def test_the_curve_needs_an_account(world):
    response = world.client("owner").get("/api/v1/equity/curve")
    assert (response.status_code, response.json()["code"]) == (400, "invalid_input")


def test_the_curve_of_an_account_without_snapshots_is_empty(world):
    world.account.equity_snapshots.all().delete()
    curve = get(world.client("owner"), "equity/curve?account=FUND-1")
    assert curve["sessions"] == curve["equity"] == curve["growth"] == []


def test_monitoring_names_what_is_up_and_the_last_run_of_ones_own(world):
    health = get(world.client("owner"), "monitoring/health")
    assert health["checks"]["database"]["ok"] is health["checks"]["cache"]["ok"] is True
    assert health["status"] == "degraded"  # no worker beats in a test
    assert health["last_loop_run"]["id"] == LoopRun.objects.get().pk
    assert get(world.client("other"), "monitoring/health")["last_loop_run"] is None


def test_the_open_health_page_tells_only_that_we_are_up():
    response = Client().get("/health")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_the_schema_is_valid_and_has_nothing_to_warn_about(tmp_path):
    call_command("spectacular", "--validate", "--fail-on-warn", "--format", "openapi-json", "--file", str(tmp_path / "schema.json"))
    schema = json.loads((tmp_path / "schema.json").read_text())
    operation = schema["paths"]["/api/v1/signals/"]["get"]
    assert operation["responses"]["default"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Error"}
    assert {"bearer": []} in operation["security"]
    put = schema["paths"]["/api/v1/strategies/{id}/params"]["put"]
    assert "Idempotency-Key" in {parameter["name"] for parameter in put["parameters"]}


def test_the_documentation_page_loads_nothing_from_elsewhere():
    page = Client().get("/api/docs/").content.decode()
    assert "swagger-ui" in page
    assert "//cdn" not in page
    assert "https://" not in page
