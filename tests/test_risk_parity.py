"""The further limits refuse the same in a replay and in a backtest, at the same sessions, and for the same reasons."""

import pytest

from quant_site.market.sessions import session_array
from quant_site.parity import backtest_trail, replay_trail, settings_of
from quant_site.replay import replay_account
from signals_app.models import TradingSignal
from strategies.backtest.comparison import compare
from strategies.models import Strategy
from strategies.parameters import effective_params
from strategies.registry import REGISTRY
from strategies.services import strategies_seed
from tests.backtest_world import FIRST, SHARES, Everything, eventful_market
from trading.models import EquitySnapshot

SESSIONS = 130
LOOSE = {"max_gross_exposure": 2, "max_day_trades": 99, "max_position_pct": "0.5", "risk_per_trade_pct": "0.03"}


def trails(limits, monkeypatch, tmp_path, seed=31):
    folder = tmp_path / "bars"
    folder.mkdir()
    eventful_market(folder, seed=seed, sessions=SESSIONS)
    strategies_seed()
    strategy = Everything(seed)
    monkeypatch.setitem(REGISTRY, strategy.key, strategy)
    Strategy.objects.create(key=strategy.key, name=strategy.name, category=strategy.category, enabled=True)
    days = session_array(FIRST, "2024-12-31")
    start, end = days[61].item(), days[SESSIONS - 1].item()
    account = replay_account(account_id="replay", cash=100_000, symbols=list(SHARES), **LOOSE | limits)
    replay = replay_trail(account, strategy, start, end)
    params = effective_params(Strategy.objects.get(key=strategy.key), account)
    return account, replay, backtest_trail(strategy, params, replay.panel, start, end, settings_of(account))


def refusals(account) -> set[str]:
    found = TradingSignal.objects.filter(account=account).values_list("validation_errors", flat=True)
    return {error["code"] for errors in found for error in errors or ()}


@pytest.mark.django_db
@pytest.mark.usefixtures("market_dir")
@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (
            {
                "max_sector_pct": "0.35",
                "max_net_exposure": "0.25",
                "max_delta_pct": "0.3",
                "max_order_notional": 30_000,
                "restricted": ["BBB"],
            },
            {"SECTOR", "NET_EXPOSURE"},
        ),
        ({"max_stress_pct": "0.05", "max_group_pct": "0.35", "day_trade_rule": "INTRADAY_MARGIN"}, {"STRESS", "CORRELATED_GROUP"}),
        ({"max_symbol_notional": 20_000, "day_trade_rule": "CASH_ACCOUNT"}, {"SYMBOL_NOTIONAL", "SHORT_NOT_ALLOWED"}),
    ],
)
def test_further_limits_refuse_the_same(limits, expected, monkeypatch, tmp_path):
    account, replay, backtest = trails(limits, monkeypatch, tmp_path)
    assert compare(replay, backtest) == []
    assert expected <= refusals(account)


@pytest.mark.django_db
@pytest.mark.usefixtures("market_dir")
def test_an_account_that_reached_its_limit_opens_again_in_both_at_the_same_close(monkeypatch, tmp_path):
    limits = {"max_drawdown_pct": "0.06", "drawdown_release_pct": "0.03"}
    account, replay, backtest = trails(limits, monkeypatch, tmp_path)
    assert compare(replay, backtest) == []
    assert "DRAWDOWN_LIMIT" in refusals(account)
    depths = EquitySnapshot.objects.filter(account=account).order_by("snapshot_date").values_list("snapshot_date", "drawdown_pct")
    shut, between = False, []
    for day, depth in depths:
        shut = -depth >= 0.06 or (shut and -depth > 0.03)
        if shut and -depth < 0.06:
            between.append(day)
    refused = set(
        TradingSignal.objects.filter(account=account, validation_errors__icontains="not recovered").values_list("session", flat=True)
    )
    assert refused
    assert refused <= set(between)
