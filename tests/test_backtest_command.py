"""`manage.py backtest`: a strategy over the stored bars, for people and for programs."""

import json

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from strategies.models import StrategyRun

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("bundled_market")]
SPAN = ("--from", "2008-01-02", "--to", "2009-12-31")


def printed(capsys, *words) -> str:
    call_command("backtest", *words)
    return capsys.readouterr().out


def test_it_prints_metrics_trades_and_assumptions_and_records_nothing(capsys):
    text = printed(capsys, "bollinger_mean_reversion", *SPAN, "--symbols", "IBM,MSFT", "AAPL")
    assert "bollinger_mean_reversion, 2008-01-02 to 2009-12-31, 505 sessions, AAPL, IBM, MSFT" in text
    assert "sharpe_ratio" in text
    assert "beta" in text
    assert "Trades (the last 20 of" in text
    assert "Where a stop and a target lie within one bar" in text
    assert not StrategyRun.objects.exists()


def test_as_json_it_is_one_object_with_everything(capsys):
    found = json.loads(printed(capsys, "golden_cross", *SPAN, "--param", "fast=20", "--param", "slow=100", "--capital", "5000", "--json"))
    assert (found["params"]["fast"], found["params"]["slow"], found["capital"]) == (20, 100, 5000.0)
    assert len(found["equity"]) == len(found["sessions"]) == 505
    assert found["symbols"] == ["AAPL", "FB", "GOOG", "IBM", "MSFT"]
    assert {"trades", "fills", "metrics", "assumptions"} <= found.keys()


def test_parameters_are_read_as_json_where_they_are(capsys):
    words = ("bollinger_mean_reversion", *SPAN, "--param", "short=false", "--param", "width=1.5", "--json")
    found = json.loads(printed(capsys, *words))
    assert (found["params"]["short"], found["params"]["width"]) == (False, 1.5)
    assert {trade["direction"] for trade in found["trades"]} == {"LONG"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["golden_kross"], "choose one of"),
        (["golden_cross", "--param", "fast"], "NAME=VALUE"),
        (["golden_cross", "--param", "fst=3"], "did you mean 'fast'"),
        (["golden_cross", "--param", "fast=many"], "fast"),
        (["golden_cross", "--symbols", "IBN"], "did you mean IBM"),
        (["golden_cross", "--symbols", "VIX"], "cannot be traded"),
        (["golden_cross", "--from", "2050-01-03"], "choose others"),
        (["golden_cross", "--capital", "much"], "The capital must be"),
    ],
)
def test_what_cannot_be_run_is_said_in_one_line(words, said):
    with pytest.raises(CommandError, match=said):
        call_command("backtest", *words)
