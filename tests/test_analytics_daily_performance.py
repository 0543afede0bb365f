"""Daily performance over a long history: the parts add up to the cent, and every number has an independent oracle."""

from collections import defaultdict
from decimal import Decimal as D
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from django.db import transaction

from analytics import stats
from analytics.models import DailyPerformance, ExtremeSignal
from analytics.performance import PerformanceAnalyzer
from quant_site.market.sessions import session_distance
from signals_app.models import SignalOutcome
from strategies.models import Strategy
from tests.analytics_world import History
from trading.models import EquitySnapshot, Position

pytestmark = pytest.mark.django_db


def rows_of(account, scope="ALL"):
    return list(DailyPerformance.objects.filter(account=account, scope=scope).order_by("session"))


@pytest.fixture(scope="module")
def judged(django_db_setup, django_db_blocker):
    """One history of 80 sessions that several tests look at and none changes."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield History(seed=5, sessions=80).run()
        transaction.set_rollback(True)


def test_strategies_add_up_to_the_account_to_the_cent_in_every_session(judged):
    snapshots = list(EquitySnapshot.objects.order_by("snapshot_date"))
    parts = defaultdict(D)
    for row in DailyPerformance.objects.exclude(scope="ALL"):
        parts[row.session] += row.pnl
    before = D(0)
    for row, snapshot in zip(rows_of(judged.account), snapshots, strict=True):
        assert row.pnl == parts[row.session] == snapshot.total_equity - before - snapshot.net_flow
        before = snapshot.total_equity
    assert {row.scope for row in DailyPerformance.objects.all()} == {"ALL", "UNASSIGNED", "bollinger", "turtle", "pairs"}


def test_the_profit_of_a_strategy_is_what_its_fills_and_the_closes_say(judged):
    for t in range(0, len(judged.days), 5):
        stored = {row.scope: row.cumulative_pnl for row in DailyPerformance.objects.filter(session=judged.days[t]).exclude(scope="ALL")}
        assert {scope: pnl for scope, pnl in stored.items() if pnl} == {scope: pnl for scope, pnl in judged.profits(t).items() if pnl}


def test_metrics_of_the_last_row_are_those_of_the_whole_history(judged):
    last = rows_of(judged.account)[-1]
    trades = pd.DataFrame(
        Position.objects.exclude(exit_session=None).values(
            "group", "signal", "symbol", "entry_session", "exit_session", "realized_pnl", "id"
        )
    )
    trades["key"] = trades["signal"].where(trades["signal"].notna(), -trades["id"])
    waiting = set(Position.objects.filter(exit_session=None).values_list("signal", flat=True)) - {None}
    whole = trades[~trades["signal"].isin(waiting) | (trades["group"] == trades["symbol"])]
    ended = whole.groupby("key").agg(pnl=("realized_pnl", "sum"), start=("entry_session", "min"), end=("exit_session", "max"))
    results = ended["pnl"].astype(float)
    holding = [session_distance(start, end) for start, end in zip(ended["start"], ended["end"], strict=True)]
    assert last.closed_trades == len(ended) > 20
    assert float(last.win_rate) == pytest.approx((results > 0).mean(), abs=5e-5)
    assert float(last.profit_factor) == pytest.approx(results.clip(lower=0).sum() / -results.clip(upper=0).sum(), abs=5e-5)
    assert float(last.average_holding) == pytest.approx(np.mean(holding), abs=5e-5)
    snapshots = pd.DataFrame(
        EquitySnapshot.objects.order_by("snapshot_date").values("gross_exposure", "total_equity", "daily_return")
    ).astype({"gross_exposure": float, "total_equity": float})
    assert float(last.exposure) == pytest.approx((snapshots["gross_exposure"] / snapshots["total_equity"]).mean(), abs=5e-7)
    returns = snapshots["daily_return"].astype(float)
    assert float(last.sharpe_ratio) == pytest.approx(returns.mean() / returns.std() * 252**0.5, abs=5e-5)
    assert float(last.max_drawdown_pct) == pytest.approx(stats.max_drawdown(returns).value, abs=5e-6)


def test_returns_and_ratios_of_a_strategy_are_on_the_account_s_equity(judged):
    snapshots = list(EquitySnapshot.objects.order_by("snapshot_date"))
    base = {after.snapshot_date: float(before.total_equity + after.net_flow) for before, after in pairwise(snapshots)} | {
        snapshots[0].snapshot_date: 100_000.0
    }
    for scope in ("bollinger", "turtle", "pairs", "UNASSIGNED"):
        rows = rows_of(judged.account, scope)
        returns = [float(row.pnl) / base[row.session] for row in rows]
        assert [float(row.daily_return) for row in rows] == pytest.approx(returns, abs=5e-7)
        assert float(rows[-1].sharpe_ratio) == pytest.approx(stats.sharpe_ratio(returns).value, abs=6e-5)
        assert float(rows[-1].max_drawdown_pct) == pytest.approx(stats.max_drawdown(returns).value, abs=5e-7)
    for row in rows_of(judged.account):
        parts = sum(part.daily_return for part in DailyPerformance.objects.filter(session=row.session).exclude(scope="ALL"))
        assert float(row.daily_return) == pytest.approx(float(parts), abs=5e-6)


def test_the_extremes_are_the_five_best_and_worst_of_all_closed_signals(judged):
    last = ExtremeSignal.objects.order_by("-session").first().session
    outcomes = sorted(SignalOutcome.objects.values_list("realized_pnl", flat=True))
    stored = {
        kind: sorted(ExtremeSignal.objects.filter(session=last, kind=kind).values_list("realized_pnl", flat=True))
        for kind in ("BEST", "WORST")
    }
    assert stored["WORST"] == [pnl for pnl in outcomes[:5] if pnl < 0]
    assert stored["BEST"] == [pnl for pnl in outcomes[-5:] if pnl > 0]
    assert len(outcomes) > 12


def test_a_list_of_extremes_is_written_only_when_it_changes(judged):
    written = set(ExtremeSignal.objects.values_list("session", flat=True))
    lists = [set(ExtremeSignal.objects.filter(session=day).values_list("signal", "kind")) for day in sorted(written)]
    assert len(written) < len(judged.days)
    assert all(one != other for one, other in pairwise(lists))


def test_the_report_of_a_strategy_says_the_same_as_its_last_judgement(judged):
    strategy = Strategy.objects.get(key="turtle")
    report, last = PerformanceAnalyzer(judged.account).generate_strategy_report(strategy), rows_of(judged.account, "turtle")[-1]
    assert report["cumulative_pnl"] == str(last.cumulative_pnl)
    assert report["closed_trades"] == last.closed_trades
    assert report["metrics"]["win_rate"]["value"] == pytest.approx(float(last.win_rate), abs=5e-5)
    assert report["metrics"]["profit_factor"]["value"] == pytest.approx(float(last.profit_factor), abs=5e-5)
    assert (
        sum(exit_["positions"] for exit_ in report["exits"].values())
        == Position.objects.filter(strategy=strategy).exclude(exit_session=None).count()
    )
