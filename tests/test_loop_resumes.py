"""The loop resumes where it failed, and a second pass over the same sessions changes nothing."""

from datetime import date
from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command

from quant_site.core.errors import Conflict, DataMissing, InvalidInput, NotAllowed
from quant_site.core.models import Account, LoopRun, LoopStage, OutboxEvent
from quant_site.digest import account_digest
from quant_site.loop import QuantTradingLoop, cycle_run, cycles_run_all
from quant_site.replay import replay_account, replay_run
from strategies.models import ParameterVersion, Strategy
from trading.models import EquitySnapshot, Order

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("bundled_market")]

START, END = date(2012, 7, 2), date(2012, 9, 28)


def replay(name, start=START, end=END, symbols=None, **options):
    account = replay_account(account_id=name, cash=Decimal("100000"), symbols=symbols)
    return replay_run(account=account, start=start, end=end, **options)


def test_a_replay_trades_and_its_digest_does_not_depend_on_the_account():
    first, second = replay("ONE"), replay("TWO")
    assert first.fills > 0
    assert first.digest == second.digest
    assert first.sessions == LoopRun.objects.filter(account_id="ONE").count() == 63


def test_a_database_that_knows_no_strategy_yet_gets_the_library():
    Strategy.objects.update(active_version=None)
    ParameterVersion.objects.all().delete()
    Strategy.objects.all().delete()
    assert replay("FRESH", end=date(2012, 7, 31)).runs == 12 * 21
    assert Strategy.objects.count() == 12


def test_the_digest_notices_one_changed_cent():
    replay("ONE")
    account = Account.objects.get(pk="ONE")
    before = account_digest(account)
    row = EquitySnapshot.objects.filter(account=account).order_by("snapshot_date").last()
    row.cash += Decimal("0.01")
    row.save()
    assert account_digest(account) != before


def test_replaying_the_same_sessions_again_writes_nothing():
    first = replay("ONE")
    events, orders = OutboxEvent.objects.count(), Order.objects.count()
    again = replay("ONE")
    assert again.digest == first.digest
    assert (OutboxEvent.objects.count(), Order.objects.count()) == (events, orders)
    assert again.sessions_per_second is None


def test_two_halves_equal_one_whole():
    replay("HALVES", end=date(2012, 8, 15))
    assert replay("HALVES", start=date(2012, 8, 16)).digest == replay("WHOLE").digest


@pytest.mark.parametrize("stage", ["settlement", "strategies", "signals", "risk", "orders", "evaluation", "adaptation"])
def test_a_stage_that_fails_once_is_where_the_next_pass_resumes(monkeypatch, stage):
    calm = replay("CALM")
    broken = date(2012, 8, 20)
    work = getattr(QuantTradingLoop, f"_{stage}")
    calls = []

    def fail_once(loop):
        if loop.session == broken:
            calls.append(stage)
            if len(calls) == 1:
                work(loop)
                raise RuntimeError("the power went out")
        return work(loop)

    monkeypatch.setattr(QuantTradingLoop, f"_{stage}", fail_once)
    with pytest.raises(RuntimeError):
        replay("BROKEN")
    failed = LoopStage.objects.get(run__account_id="BROKEN", status=LoopStage.Status.FAILED)
    assert (failed.name, failed.run.session, failed.run.status) == (stage, broken, LoopRun.Status.FAILED)
    assert "the power went out" in failed.error

    assert replay("BROKEN").digest == calm.digest
    failed.refresh_from_db()
    assert failed.status != LoopStage.Status.FAILED
    assert LoopRun.objects.get(account_id="BROKEN", session=broken).error == ""


def test_ctrl_c_loses_nothing():
    def stop_early(sessions):
        for session in sessions:
            if session > date(2012, 8, 1):
                raise KeyboardInterrupt
            yield session

    with pytest.raises(KeyboardInterrupt):
        replay("STOPPED", progress=stop_early)
    assert replay("STOPPED").digest == replay("WHOLE").digest


def test_an_unknown_symbol_is_refused_with_a_suggestion_and_makes_no_account():
    with pytest.raises(DataMissing, match="AAPL"):
        replay("TYPO", symbols=["APPL"])
    assert not Account.objects.filter(pk="TYPO").exists()


@pytest.mark.parametrize(("start", "end"), [(date(1950, 1, 3), END), (START, date(2049, 1, 4)), (END, START)])
def test_dates_that_the_bars_do_not_cover_are_refused_and_nothing_is_run(start, end):
    with pytest.raises(InvalidInput):
        replay("RANGE", start=start, end=end)
    assert not LoopRun.objects.exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"symbols": ["APPL"]}, "did you mean AAPL"),
        ({"end": date(2049, 1, 4)}, "Bars are stored from"),
        ({"end": date(2012, 6, 1)}, "before it begins"),
        ({"cash": "abc"}, "finite number"),
        ({"account": "../x"}, "64"),
        ({"user": "nobody"}, "no active user"),
    ],
)
def test_the_command_refuses_what_cannot_be_and_leaves_nothing_behind(options, said):
    arguments = {"account": "NEW", "start": START, "end": END, "as_json": True} | options
    with pytest.raises(CommandError, match=said):
        call_command("replay", **arguments)
    assert not Account.objects.exists()
    assert not LoopRun.objects.exists()


def test_the_command_does_not_touch_an_account_that_is_not_the_users():
    get_user_model().objects.create_user("eve")
    Account.objects.create(id="OURS", owner=get_user_model().objects.create_user("owner"), is_replay=True)
    with pytest.raises(CommandError, match="no account 'OURS' of yours"):
        call_command("replay", account="OURS", start=START, end=END, user="eve")
    assert not LoopRun.objects.exists()


def test_a_gap_between_two_replays_of_an_account_is_refused():
    replay("GAP", end=date(2012, 7, 20))
    with pytest.raises(Conflict, match="2012-07-20"):
        replay("GAP", start=date(2012, 8, 1))


def test_an_account_that_trades_live_cannot_be_replayed_and_a_replay_never_goes_live():
    Account.objects.create(id="REAL", mode="REAL")
    with pytest.raises(NotAllowed):
        replay("REAL")
    account = replay_account(account_id="R", cash=Decimal("1000"), symbols=None)
    with pytest.raises(NotAllowed):
        cycle_run(account, END)


def test_a_live_cycle_without_bars_says_how_far_the_data_reaches_and_writes_no_run():
    Account.objects.create(id="LIVE")
    results = cycles_run_all()
    assert "There are no bars of session" in results["LIVE"]
    assert not LoopRun.objects.exists()


def test_a_live_cycle_runs_the_sessions_that_were_missed(monkeypatch):
    replay_account(account_id="LIVE", cash=Decimal("100000"), symbols=None, keeps_living=True)
    account = Account.objects.get(pk="LIVE")
    assert [run.session for run in cycle_run(account, date(2012, 8, 1))] == [date(2012, 8, 1)]
    assert [run.session for run in cycle_run(account, date(2012, 8, 6))] == [date(2012, 8, 2), date(2012, 8, 3), date(2012, 8, 6)]
    assert cycle_run(account, date(2012, 8, 6)) == []
    first = EquitySnapshot.objects.filter(account=account).order_by("snapshot_date").first()
    assert (first.snapshot_date, first.net_flow) == (date(2012, 8, 1), Decimal("100000"))
