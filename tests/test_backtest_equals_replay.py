"""A backtest trades what a replay trades: the same sessions, sides, quantities and prices, to the cent."""

import pytest

from quant_site.market.sessions import session_array
from quant_site.parity import backtest_trail, replay_trail, settings_of
from quant_site.replay import replay_account
from strategies.backtest.comparison import compare
from strategies.models import Strategy
from strategies.parameters import effective_params
from strategies.registry import REGISTRY
from strategies.services import strategies_seed
from tests.backtest_world import FIRST, SHARES, Everything, eventful_market
from trading.models import CashEntry, Position

pytestmark = pytest.mark.django_db
SESSIONS = 130


def trails(strategy, monkeypatch, tmp_path, seed):
    """The replay and the backtest of a strategy that is registered for this test only, over an eventful market."""
    folder = tmp_path / "bars"
    folder.mkdir()
    eventful_market(folder, seed=seed, sessions=SESSIONS)
    strategies_seed()
    monkeypatch.setitem(REGISTRY, strategy.key, strategy)
    Strategy.objects.create(key=strategy.key, name=strategy.name, category=strategy.category, enabled=True)
    days = session_array(FIRST, "2024-12-31")
    start, end = days[61].item(), days[SESSIONS - 1].item()
    account = replay_account(
        account_id="replay",
        cash=100_000,
        symbols=list(SHARES),
        max_gross_exposure=2,
        max_day_trades=3,
        max_position_pct="0.5",
        risk_per_trade_pct="0.03",
    )
    replay = replay_trail(account, strategy, start, end)
    params = effective_params(Strategy.objects.get(key=strategy.key), account)
    return account, replay, backtest_trail(strategy, params, replay.panel, start, end, settings_of(account))


def reasons(account) -> set[str]:
    return set(Position.objects.filter(account=account).exclude(exit_session=None).values_list("exit_reason", flat=True))


def kinds(account) -> set[str]:
    return set(CashEntry.objects.filter(account=account).values_list("kind", flat=True))


@pytest.mark.parametrize(
    ("seed", "ends", "codes"),
    [
        (31, {"SPLIT", "ASSIGNMENT", "EXPIRY"}, {"DAY_TRADES", "SINGLE_NAME", "OPPOSITE_POSITION", "CASH", "STALE_DATA"}),
        (45, {"SPLIT", "EXPIRY"}, {"CONTRACT_ENDED", "NO_BAR"}),
    ],
)
@pytest.mark.usefixtures("market_dir")
def test_a_strategy_that_does_everything_trades_the_same(seed, ends, codes, monkeypatch, tmp_path):
    account, replay, backtest = trails(Everything(seed, options=True), monkeypatch, tmp_path, seed)
    assert compare(replay, backtest) == []
    assert replay.fills == backtest.fills
    assert replay.refused == backtest.refused
    assert replay.equity == backtest.equity
    # Nothing of what may happen was missing.
    assert {fill.purpose for fill in replay.fills} == {"ENTRY", "EXIT", "REDUCE", "STOP", "TARGET"}
    assert ends <= reasons(account)
    assert codes <= set(replay.refused.values())
    assert {"DIVIDEND", "CASH_IN_LIEU", "BORROW"} <= kinds(account)
