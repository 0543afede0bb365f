"""Parity: every strategy's replay and backtest are equal, and what is planted between the two is found and named."""

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from django.apps import apps
from django.core.management import call_command
from django.core.management.base import CommandError

from quant_site import parity
from quant_site.core.models import Account, AuditLog
from quant_site.market.execution import CostModel
from quant_site.parity import backtest_trail, parity_run, settings_of
from strategies.backtest.comparison import BUCKETS, compare, counted
from strategies.backtest.settings import DEFAULT_LIMITS, BacktestSettings
from strategies.models import Strategy
from strategies.registry import REGISTRY
from tests.backtest_world import real_market
from tests.support_strategies import bundled_panel

# What the bundled prices are enough for; the others need more symbols than five.
ON_BUNDLED = ("bollinger_mean_reversion", "breakout_momentum", "golden_cross", "pairs_trading")
START, END = date(2008, 1, 2), date(2009, 12, 31)


@pytest.fixture(scope="module")
def real_bars(tmp_path_factory):
    """Folders for the cut files and for the store, and the rows of the market once they have been written."""
    return tmp_path_factory.mktemp("real"), {}


@pytest.fixture
def stored(request, settings, key, real_bars):
    """The market that a strategy is compared on, and the sessions."""
    if key in ON_BUNDLED:
        request.getfixturevalue("bundled_market")
        return {"start": date(2009, 1, 2), "end": date(2009, 7, 31)}
    folder, rows = real_bars
    settings.MARKET_DATA_DIR = folder / "store"
    for model, kept in rows.items():
        model.objects.bulk_create(kept)
    if not rows:
        real_market(request.getfixturevalue("market_fixtures"), folder / "bars")
        rows.update({model: list(model.objects.all()) for model in apps.get_app_config("market").get_models()})
    return {"start": date(2015, 1, 2), "end": date(2015, 4, 30)}


@pytest.mark.django_db
@pytest.mark.parametrize("key", sorted(REGISTRY))
def test_a_replay_and_a_backtest_of_every_strategy_trade_the_same(key, stored):
    report = parity_run(key, **stored)
    assert report.differences == []
    assert report.fills[0] == report.fills[1] > 0
    assert report.equity[0] == report.equity[1]


@pytest.mark.slow
@pytest.mark.django_db
@pytest.mark.parametrize("key", ON_BUNDLED)
@pytest.mark.usefixtures("bundled_market")
def test_five_years_of_every_strategy_on_the_bundled_prices_are_equal(key):
    report = parity_run(key, start=START, end=date(2012, 12, 31))
    assert (report.differences, report.sessions) == ([], 1259)
    assert report.fills[0] > 20


# --- what is planted is found


def trail(key="bollinger_mean_reversion", *, panel=None, costs=CostModel(), limits=DEFAULT_LIMITS, capital=100_000, **params):  # noqa: B008
    """What a backtest leaves; where nothing is planted that is what a replay leaves."""
    strategy, panel = REGISTRY[key], panel or bundled_panel()
    settings = BacktestSettings(capital=Decimal(capital), limits=limits, costs=costs, share=None)
    return backtest_trail(strategy, strategy.Params(**({"weight": 1.0} | params)), panel, START, END, settings)


def other_bar(symbol: str, day: date, by: float):
    """The bundled panel with one close moved."""
    panel = bundled_panel()
    close = panel.close.copy()
    close[panel.row(symbol), panel.index(day)] *= by
    return replace(panel, close=close)


@pytest.mark.parametrize(
    ("bucket", "planted", "said"),
    [
        ("fee", {"costs": CostModel(commission_minimum=Decimal("1.50"))}, "The commission is"),
        ("price", {"costs": CostModel(slippage_bps=Decimal("3.0"))}, "The price is"),
        ("size", {"capital": 50_000}, "The quantity is"),
        ("size", {"weight": 0.5}, "The quantity is"),
        ("signal", {"width": 1.9}, "the replay proposed nothing"),
        ("signal", {"stop_atr": 2.0}, "stop_loss is"),
        ("rejection", {"limits": replace(DEFAULT_LIMITS, allow_short=False)}, "The backtest refused the entry"),
        ("data", {"panel": other_bar("IBM", date(2008, 2, 12), 1.05)}, "The close of IBM on 2008-02-12"),
    ],
)
def test_the_first_difference_is_named_by_its_cause(bucket, planted, said):
    differences = compare(trail(), trail(**planted))
    assert differences[0].bucket == bucket
    assert said in differences[0].explanation
    assert sum(counted(differences).values()) == len(differences)
    assert list(counted(differences)) == list(BUCKETS)


def test_each_difference_is_in_one_bucket_and_equal_fills_in_none():
    ours, theirs = trail(), trail(costs=CostModel(commission_minimum=Decimal("1.50")))
    unequal = len([pair for pair in zip(ours.fills, theirs.fills, strict=True) if pair[0] != pair[1]])
    assert unequal == len(compare(ours, theirs)) > 50
    assert compare(ours, trail()) == []


def test_an_order_that_trades_a_session_later_is_a_matter_of_timing():
    ours = trail()
    at = next(i for i, fill in enumerate(ours.fills) if fill.purpose == "STOP")
    late = ours.fills[at]._replace(session=ours.sessions[ours.sessions.index(ours.fills[at].session) + 1])
    theirs = replace(ours, fills=[*ours.fills[:at], late, *ours.fills[at + 1 :]])
    [difference] = compare(ours, theirs)
    assert difference.bucket == "timing"
    assert str(late.session) in difference.explanation


def test_a_fill_that_one_side_lacks_without_a_reason_is_a_matter_of_timing_too():
    ours = trail()
    theirs = replace(ours, fills=ours.fills[:-1])
    [difference] = compare(ours, theirs)
    assert (difference.bucket, difference.session) == ("timing", ours.fills[-1].session)
    assert "backtest nothing" in difference.what


def test_equal_fills_with_another_balance_are_a_difference_of_fees():
    ours = trail("pairs_trading")
    free = trail("pairs_trading", costs=CostModel(borrow_rate=Decimal(0)))
    assert ours.fills == free.fills
    [difference] = compare(ours, free)
    assert difference.bucket == "fee"
    assert "All fills are equal" in difference.explanation


def test_a_bar_that_differs_only_after_the_difference_is_not_its_cause():
    planted = trail(panel=other_bar("IBM", date(2009, 12, 30), 1.05), costs=CostModel(slippage_bps=Decimal("3.0")))
    assert compare(trail(), planted)[0].bucket == "price"


def test_a_symbol_that_one_side_does_not_know_is_a_difference_of_data():
    panel = bundled_panel().select(["AAPL", "GOOG", "IBM"])
    difference = compare(trail(), trail(panel=panel))[0]
    assert (difference.bucket, difference.explanation) == ("data", "FB is in one panel only.")


def test_bars_of_the_same_content_are_no_difference():
    panel = bundled_panel()
    copy = replace(panel, close=np.array(panel.close))
    assert compare(trail(), trail(panel=copy)) == []


# --- the command


def run(capsys, *words) -> tuple[int, str]:
    code = 0
    try:
        call_command("parity", "bollinger_mean_reversion", "--from", "2009-01-02", "--to", "2009-02-27", *words)
    except SystemExit as exit_:
        code = exit_.code
    return code, capsys.readouterr().out


@pytest.mark.django_db
@pytest.mark.usefixtures("bundled_market")
def test_the_command_says_equal_and_leaves_only_its_audit_entry_behind(capsys):
    code, printed = run(capsys, "--json")
    report = json.loads(printed)
    assert (code, report["equal"], report["account"]) == (0, True, None)
    assert report["fills"]["replay"] == report["fills"]["backtest"] > 0
    assert not Account.objects.exists()
    owned = [model for model in apps.get_models() if "account_id" in {field.attname for field in model._meta.concrete_fields}]
    assert len(owned) > 20
    owners = {model._meta.label: {str(owner) for owner in model.objects.values_list("account_id", flat=True)} for model in owned}
    left = [label for label, known in owners.items() if any(owner.startswith("parity-") for owner in known)]
    assert left == ["core.AuditLog"]
    assert AuditLog.objects.filter(action_type="ACCOUNT_DELETE").count() == 1


@pytest.mark.django_db
@pytest.mark.usefixtures("bundled_market")
def test_the_command_fails_where_the_two_differ_and_keeps_the_account_when_asked(capsys, monkeypatch):
    monkeypatch.setattr(parity, "settings_of", lambda account: replace(settings_of(account), costs=CostModel(slippage_bps=Decimal(9))))
    code, printed = run(capsys, "--keep", "--symbols", "AAPL,IBM", "MSFT")
    account = Account.objects.get()
    assert code == 1
    assert f"account {account.pk}" in printed
    assert "Different: price" in printed
    assert account.universe == ["AAPL", "IBM", "MSFT"]


@pytest.mark.django_db
@pytest.mark.usefixtures("bundled_market")
def test_a_strategy_that_is_switched_off_is_not_compared_and_no_account_is_made():
    Strategy.objects.filter(key="golden_cross").update(enabled=False)
    with pytest.raises(CommandError, match="switched off"):
        call_command("parity", "golden_cross", "--from", "2009-01-02", "--to", "2009-04-30")
    with pytest.raises(CommandError, match="did you mean 'pairs_trading'"):
        call_command("parity", "pair_trading", "--from", "2009-01-02", "--to", "2009-04-30")
    with pytest.raises(CommandError, match="Bars are stored from"):
        call_command("parity", "pairs_trading", "--from", "1950-01-02", "--to", "2009-04-30")
    assert not Account.objects.exists()
