"""Who may call what: every route of the API, for everybody."""

import re

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from tests.api_world import World, build_world

pytestmark = pytest.mark.django_db

EVERYBODY = ("owner", "trader", "reader", "other", "manager", "anonymous", "disabled")


def expect(*, mine: int = 200, read_only: int | None = None, foreign: int = 404, manager: int | None = None) -> dict[str, int]:
    """Status by role; `read_only` where looking on is not enough, `foreign` for those the account is not of."""
    looking = mine if read_only is None else read_only
    return {
        "owner": mine,
        "trader": mine,
        "reader": looking,
        "other": foreign,
        "manager": foreign if manager is None else manager,
        "anonymous": 401,
        "disabled": 401,
    }


OPEN_LIST = expect(foreign=200)  # a list of what one may see: everybody may ask
MANAGED = {**expect(mine=403, foreign=403), "manager": 200}
PRICE_ALERT = {"account": "{account}", "symbol": "AAPL", "alert_type": "PRICE_ABOVE", "threshold_value": "500"}
ACCOUNT_BODY = {"account": "{account}", "session": "2013-02-28"}

# (method, path, body, status by role). `{...}` are ids of the owner's rows.
ROUTES = [
    ("get", "accounts/", None, OPEN_LIST),
    ("get", "accounts/{account}/", None, expect()),
    ("get", "accounts/{account}/limits", None, expect()),
    ("patch", "accounts/{account}/limits", {"max_position_pct": "0.1"}, expect(read_only=403)),
    ("get", "accounts/{account}/arm", None, expect(read_only=403)),
    ("post", "accounts/{account}/arm", {}, expect(mine=400, read_only=403)),
    ("post", "accounts/{account}/disarm", {}, expect(read_only=403)),
    ("get", "trading-state/", None, OPEN_LIST),
    ("post", "trading-state/", {"account": "{account}", "state": "HALTED"}, expect(read_only=403)),
    ("get", "strategies/", None, OPEN_LIST),
    ("get", "strategies/{strategy}/", None, OPEN_LIST),
    ("get", "strategies/{strategy}/params", None, OPEN_LIST),
    ("get", "strategies/{strategy}/params?account={account}", None, expect()),
    ("put", "strategies/{strategy}/params", {"params": {"fast_entry": 21}, "reason": "test"}, MANAGED),
    ("get", "strategies/{strategy}/versions", None, OPEN_LIST),
    ("get", "strategies/{strategy}/versions?account={account}", None, expect()),
    ("post", "strategies/{strategy}/toggle", {"enabled": False, "reason": "test"}, MANAGED),
    ("post", "strategies/{strategy}/backtest", {}, expect(mine=422, foreign=422)),
    ("post", "strategies/{strategy}/run", ACCOUNT_BODY, expect(mine=422, read_only=403)),
    ("get", "strategies/{strategy}/performance?account={account}", None, expect()),
    ("get", "strategies/{strategy}/signals", None, OPEN_LIST),
    ("get", "signals/", None, OPEN_LIST),
    ("get", "signals/?account={account}", None, expect()),
    ("get", "signals/{signal}/", None, expect()),
    ("post", "signals/{signal}/cancel", {}, expect(read_only=403)),
    ("post", "signals/{signal}/validate", {}, expect(mine=422, read_only=403)),
    ("post", "signals/execute", {"account": "{account}"}, expect(mine=202, read_only=403)),
    ("get", "orders/", None, OPEN_LIST),
    ("get", "orders/?account={account}", None, expect()),
    ("get", "orders/{order}/", None, expect()),
    ("post", "orders/", {"account": "{account}", "symbol": "SPY", "side": "BUY", "quantity": "1"}, expect(mine=422, read_only=403)),
    ("post", "orders/preview", {"account": "{account}", "symbol": "SPY", "side": "BUY", "quantity": "1"}, expect(mine=422, read_only=403)),
    ("post", "orders/{order}/confirm", {}, expect(mine=409, read_only=403)),
    ("post", "orders/{order}/cancel", {}, expect(read_only=403)),
    ("post", "orders/{order}/change", {"quantity": "5"}, expect(mine=409, read_only=403)),
    ("post", "orders/{order}/settle", {"outcome": "CANCELLED", "evidence": "seen"}, expect(mine=409, read_only=403)),
    ("get", "reconciliations/", None, OPEN_LIST),
    ("get", "reconciliations/?account={account}", None, expect()),
    ("get", "symbol-halts/", None, OPEN_LIST),
    ("get", "symbol-halts/?account={account}", None, expect()),
    ("post", "symbol-halts/{halt}/clear", {}, expect(mine=403, read_only=403)),
    ("get", "positions/", None, OPEN_LIST),
    ("get", "positions/?account={account}", None, expect()),
    ("get", "positions/{position}/", None, expect()),
    ("get", "positions/assessment?account={account}", None, expect(mine=422)),
    ("get", "options/exposure?account={account}", None, expect(mine=422)),
    ("get", "options/chain?underlying=SPY", None, expect(mine=422, foreign=422)),
    ("get", "hedges/", None, OPEN_LIST),
    ("get", "hedges/?account={account}", None, expect()),
    ("post", "hedges/", {"account": "{account}", "kind": "BETA", "symbol": "SPY"}, expect(mine=422, read_only=403)),
    ("get", "hedges/{hedge}/", None, expect()),
    ("patch", "hedges/{hedge}/", {"band": "0.1"}, expect(read_only=403)),
    ("get", "hedges/{hedge}/records", None, expect()),
    ("get", "trading-plans/", None, OPEN_LIST),
    ("get", "trading-plans/?account={account}", None, expect()),
    ("post", "trading-plans/", {"account": "{account}", "symbol": "AAPL", "direction": "LONG"}, expect(mine=400, read_only=403)),
    ("get", "trading-plans/{plan}/", None, expect()),
    ("patch", "trading-plans/{plan}/", {}, expect(mine=400, read_only=403)),
    ("post", "trading-plans/{plan}/execute", {}, expect(mine=422, read_only=403)),
    ("post", "trading-plans/{plan}/cancel", {}, expect(read_only=403)),
    ("delete", "trading-plans/{plan}/", None, {**expect(mine=404), "owner": 204}),
    ("get", "alerts/", None, OPEN_LIST),
    ("get", "alerts/?account={account}", None, expect()),
    ("post", "alerts/", PRICE_ALERT, expect(mine=400, read_only=403)),
    ("get", "alerts/{alert}/", None, expect()),
    ("patch", "alerts/{alert}/", {}, expect(mine=400, read_only=403)),
    ("get", "alerts/{alert}/firings", None, expect()),
    ("delete", "alerts/{alert}/", None, {**expect(mine=404), "owner": 204}),
    ("get", "adaptations/", None, OPEN_LIST),
    ("get", "adaptations/?account={account}", None, expect()),
    ("post", "adaptations/{adaptation}/revert/", {"reason": "test"}, {**expect(mine=409, read_only=403), "owner": 200}),
    ("get", "challengers/", None, OPEN_LIST),
    ("get", "challengers/?account={account}", None, expect()),
    ("get", "challengers/{challenger}/", None, expect()),
    ("post", "challengers/{challenger}/veto/", {"reason": "test"}, {**expect(mine=409, read_only=403), "owner": 200}),
    ("get", "trials/", None, OPEN_LIST),
    ("get", "trials/?account={account}", None, expect()),
    ("get", "pins/", None, OPEN_LIST),
    ("get", "pins/?account={account}", None, expect()),
    ("post", "pins/", {"account": "{account}", "strategy": "golden_cross", "what": "WEIGHT", "reason": "test"}, expect(read_only=403)),
    ("delete", "pins/{pin}/?reason=test", None, {**expect(mine=404), "owner": 204}),
    ("get", "equity/curve?account={account}", None, expect()),
    ("get", "report/?account={account}", None, expect()),
    ("get", "journal/", None, OPEN_LIST),
    ("get", "journal/?account={account}", None, expect()),
    ("get", "journal/behavior/?account={account}", None, expect(mine=404)),
    ("get", "journal/export/?account={account}", None, expect()),
    ("post", "journal/import/", {}, {**dict.fromkeys(EVERYBODY, 415), "anonymous": 401, "disabled": 401}),
    ("post", "journal/{journal}/complete/", {}, expect(read_only=403)),
    ("post", "journal/{journal}/review/", {}, expect(mine=409, read_only=403)),
    ("post", "loop/run", ACCOUNT_BODY, expect(mine=422, read_only=403)),
    ("get", "loop/runs/", None, OPEN_LIST),
    ("get", "loop/runs/?account={account}", None, expect()),
    ("get", "loop/runs/{run}/", None, expect()),
    ("get", "monitoring/health", None, OPEN_LIST),
    ("post", "auth/logout", {}, OPEN_LIST),
    ("post", "auth/confirm", {"password": "correct-horse-7", "action": "RESUME", "payload": {}}, OPEN_LIST),
    # Doors: open to all, and closed to a wrong key.
    ("post", "auth/token", {"username": "nobody", "password": "wrong"}, dict.fromkeys(EVERYBODY, 401)),
    ("post", "auth/refresh", {"refresh": "not.a.token"}, dict.fromkeys(EVERYBODY, 401)),
]


@pytest.fixture
def world(settings) -> World:
    settings.STRATEGY_MANAGE_USERS = ["manager"]
    return build_world()


def fill(value, ids):
    return {name: str(item).format(**ids) if isinstance(item, str) else item for name, item in value.items()} if value else value


@pytest.mark.parametrize(("method", "path", "body", "statuses"), ROUTES, ids=[f"{route[0]} {route[1]}" for route in ROUTES])
def test_a_route_answers_each_person_as_the_table_says(world, method, path, body, statuses):
    url, body = f"/api/v1/{path.format(**world.ids())}", fill(body, world.ids())
    answers = {role: getattr(world.client(role), method)(url, body, format="json") for role in EVERYBODY}
    assert {role: answer.status_code for role, answer in answers.items()} == statuses
    for answer in answers.values():
        assert answer.status_code < 400 or set(answer.json()) == {"code", "message", "details"}


@pytest.mark.parametrize("path", ["signals/", "orders/", "positions/", "trading-plans/", "alerts/", "journal/", "loop/runs/", "accounts/"])
def test_a_list_holds_the_rows_of_ones_own_accounts_and_nothing_else(world, path):
    assert world.client("reader").get(f"/api/v1/{path}").json()["count"] == 1
    assert world.client("other").get(f"/api/v1/{path}").json()["count"] == 0


def test_what_belongs_to_another_looks_exactly_like_what_is_not_there(world):
    client = world.client("other")
    foreign, absent = client.get(f"/api/v1/orders/{world.order.pk}/"), client.get("/api/v1/orders/999999/")
    assert foreign.status_code == absent.status_code == 404
    assert foreign.json()["message"].replace(str(world.order.pk), "N") == absent.json()["message"].replace("999999", "N")


def routes(patterns, prefix=""):
    for pattern in patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, path)
        elif isinstance(pattern, URLPattern):
            yield path, pattern.callback


API = [(path, callback) for path, callback in routes(get_resolver().url_patterns) if path.startswith("api/v1/")]


@pytest.mark.parametrize(("path", "callback"), API, ids=[path for path, _ in API])
def test_every_route_states_its_permission_itself(path, callback):
    view = callback.view_class
    own = [cls for cls in view.__mro__ if not cls.__module__.startswith(("rest_framework", "quant_site.core.views"))]
    assert any({"permission_classes", "get_permissions"} & vars(cls).keys() for cls in own), f"{path} declares no permission"


def test_every_method_of_every_route_is_in_the_table():
    def shape(path):
        return re.sub(r"<[^>]+>|\{[^}]+\}", "*", path.split("?")[0])

    tabled = {(method, shape(path)) for method, path, _, _ in ROUTES}
    served = {
        (method, shape(path.removeprefix("api/v1/")))
        for path, callback in API
        for method in ("get", "post", "put", "patch", "delete")
        if hasattr(callback.view_class, method)
    }
    assert served == tabled
