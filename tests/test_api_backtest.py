"""Backtests over REST: what a strategy would have traded, with other parameters if one likes."""

from datetime import date

import numpy as np
import pytest

from quant_site.market.selectors import panel_load
from strategies.backtest import BacktestSettings, backtest
from strategies.models import Strategy, StrategyRun
from strategies.services import version_create
from tests.api_world import build_world

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("bundled_market")]
SPAN = {"start": "2008-01-02", "end": "2009-12-31"}


@pytest.fixture
def world():
    return build_world()


def post(world, body, *, role="reader", key="golden_cross"):
    row = Strategy.objects.get(key=key)
    return world.client(role).post(f"/api/v1/strategies/{row.pk}/backtest", body, format="json")


def test_it_answers_metrics_curve_trades_and_assumptions_and_records_nothing(world):
    runs = StrategyRun.objects.count()
    answer = post(world, {**SPAN, "symbols": ["IBM", "MSFT"]})
    assert answer.status_code == 200
    found, panel = answer.json(), panel_load().select(["IBM", "MSFT"])
    settings = BacktestSettings(benchmark="SPX")
    expected = backtest("golden_cross", panel=panel, start=date(2008, 1, 2), end=date(2009, 12, 31), settings=settings)
    assert np.allclose(found["equity"], expected.equity)
    assert found["sessions"][0] == "2008-01-02"
    assert found["metrics"]["win_rate"] == expected.metrics["win_rate"].as_dict()
    assert (found["fills"], len(found["trades"])) == (len(expected.fills), len(expected.trades))
    assert (found["benchmark_symbol"], len(found["benchmark"])) == ("SPX", 505)
    assert found["assumptions"]
    assert StrategyRun.objects.count() == runs


def test_it_begins_with_what_the_house_has_in_force_and_changes_what_is_asked(world):
    version_create(strategy=Strategy.objects.get(key="golden_cross"), params={"fast": 20, "slow": 120}, reason="Faster.")
    assert post(world, SPAN).json()["params"]["slow"] == 120
    changed = post(world, {**SPAN, "params": {"fast": 30, "slow": None}, "capital": "2500.50"}).json()
    assert (changed["params"]["fast"], changed["params"]["slow"], changed["capital"]) == (30, 200, 2500.5)


@pytest.mark.parametrize(
    ("params", "code", "said"),
    [
        ({"fst": 25}, "unknown_parameter", "did you mean 'fast'"),
        ({"fast": 0}, "invalid_parameter", "greater than or equal to"),
        ({"fast": True}, "invalid_parameter", "a number"),
        ({"fast": 200}, "invalid_parameter", "fast must be shorter"),
    ],
)
def test_parameters_are_refused_with_the_words_of_a_change(world, settings, params, code, said):
    settings.STRATEGY_MANAGE_USERS = ["manager"]
    answer = post(world, {**SPAN, "params": params})
    row = Strategy.objects.get(key="golden_cross")
    change = world.client("manager").put(f"/api/v1/strategies/{row.pk}/params", {"params": params, "reason": "x"}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert said in answer.json()["message"]
    assert answer.json() == change.json()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"start": "2009-12-31", "end": "2008-01-02"}, 400, "bad_range"),
        ({"start": "2050-01-03"}, 422, "no_sessions"),
        ({"symbols": ["NOPE"]}, 422, "unknown_symbol"),
        ({"symbols": ["SPX"]}, 400, "not_tradable"),
        ({"symbols": []}, 400, "invalid_input"),
        ({"capital": "0"}, 400, "invalid_input"),
        ({"start": "soon"}, 400, "invalid_input"),
    ],
)
def test_a_request_that_cannot_be_met_says_why(world, body, status, code):
    answer = post(world, body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["message"]


def test_only_who_is_signed_in_may_ask_and_only_for_what_exists(world):
    assert post(world, SPAN, role="anonymous").status_code == 401
    assert world.client("reader").post("/api/v1/strategies/999999/backtest", SPAN, format="json").status_code == 404


def test_the_assumptions_speak_the_readers_language(world):
    row = Strategy.objects.get(key="golden_cross")
    client = world.client("reader")
    english = client.post(f"/api/v1/strategies/{row.pk}/backtest", SPAN, format="json", headers={"Accept-Language": "en"}).json()
    assert english["assumptions"][0].startswith("What is decided on the close")
