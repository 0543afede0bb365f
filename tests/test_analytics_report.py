"""The report of a strategy says what its rows say, and the week's findings look at missed entries, gains and correlations."""

import json
from decimal import Decimal as D

import numpy as np
import pytest
from django.db import transaction
from scipy.stats import ttest_1samp

from analytics.judging import strategy_report
from analytics.judging.evidence import observations, window_read
from analytics.judging.findings import Code
from analytics.models import DailyPerformance, MissedOutcome
from analytics.performance import PerformanceAnalyzer
from strategies.models import Strategy
from tests.attribution_world import AttributedHistory
from trading.models import EquitySnapshot, Fill, Position

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def judged(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), transaction.atomic():
        history = AttributedHistory(seed=5, sessions=80).run()
        for number, position in enumerate(Position.objects.filter(strategy__key="turtle").order_by("id")):
            Position.objects.filter(pk=position.pk).update(initial_risk=D(100 + number))
        for number, fill in enumerate(Fill.objects.order_by("id")):
            Fill.objects.filter(pk=fill.pk).update(slippage=D(number % 7) / 10)
        yield history
        transaction.set_rollback(True)


@pytest.fixture
def report(judged):
    return PerformanceAnalyzer(judged.account).generate_strategy_report(Strategy.objects.get(key="turtle"))


def own(**where):
    return Position.objects.filter(strategy__key="turtle", **where)


def test_it_is_plain_json_with_what_it_had_before(report):
    assert json.loads(json.dumps(report)) == report
    assert set(report) >= {"strategy", "as_of", "cumulative_pnl", "signals", "closed_trades", "metrics", "exits", "extremes", "findings"}
    assert report["metrics"]["exposure"]["value"] == pytest.approx(report["exposure"], abs=1e-5)


def test_turnover_is_the_smaller_side_of_its_own_fills_over_mean_equity(judged, report):
    fills = [fill for fill in Fill.objects.select_related("order__position__strategy") if fill.order.position.strategy_id]
    mine = [fill for fill in fills if fill.order.position.strategy.key == "turtle"]
    sides = [float(sum(fill.amount for fill in mine if fill.side == side)) for side in ("BUY", "SELL")]
    first = DailyPerformance.objects.filter(scope="turtle").order_by("session").first().session
    equity = [float(row.total_equity) for row in EquitySnapshot.objects.filter(account=judged.account, snapshot_date__gte=first)]
    assert report["metrics"]["turnover"]["value"] == pytest.approx(min(sides) / np.mean(equity))
    points = [1e4 * float(fill.slippage / fill.amount) for fill in mine]
    slippage, interval = report["metrics"]["slippage_bps"], ttest_1samp(points, 0).confidence_interval()
    assert (slippage["value"], slippage["low"], slippage["high"]) == pytest.approx((np.mean(points), interval.low, interval.high))


def test_excursions_are_in_units_of_initial_risk(report):
    closed = list(own(exit_session__isnull=False))
    assert len(closed) > 5
    assert report["metrics"]["mfe"]["value"] == pytest.approx(np.mean([float(max(p.best_pnl, 0) / p.initial_risk) for p in closed]))
    assert report["metrics"]["mae"]["value"] == pytest.approx(np.mean([float(max(-p.worst_pnl, 0) / p.initial_risk) for p in closed]))


def test_the_bootstrap_interval_is_repeatable_and_near_the_one_of_student():
    values = np.random.default_rng(1).normal(0.3, 1.5, 200)
    one, student = strategy_report.bootstrap_mean(values), ttest_1samp(values, 0).confidence_interval()
    assert one == strategy_report.bootstrap_mean(values.tolist())
    assert one.value == pytest.approx(values.mean())
    assert (one.low, one.high) == pytest.approx((student.low, student.high), abs=0.03)
    assert strategy_report.bootstrap_mean([]).reason == "NO_TRADES"
    assert (strategy_report.bootstrap_mean([2.0]).value, strategy_report.bootstrap_mean([2.0, 2.0]).low) == (2.0, None)


def test_it_is_compared_with_the_strategies_judged_with_it(report):
    rows = DailyPerformance.objects.exclude(strategy=None).filter(session=max(DailyPerformance.objects.values_list("session", flat=True)))
    made = sorted((row.cumulative_pnl for row in rows), reverse=True)
    mine = next(row for row in rows if row.scope == "turtle")
    assert report["comparison"]["strategies"] == len(made) == 3
    assert report["comparison"]["ranks"]["cumulative_pnl"] == made.index(mine.cumulative_pnl) + 1
    assert set(report["comparison"]["correlations"]) == {"bollinger", "pairs"}
    series = {}
    for row in DailyPerformance.objects.filter(scope__in=["turtle", "pairs"], daily_return__isnull=False):
        series.setdefault(row.session, {})[row.scope] = float(row.daily_return)
    both = np.array([[pair["turtle"], pair["pairs"]] for pair in series.values() if len(pair) == 2]).T
    assert report["comparison"]["correlations"]["pairs"]["value"] == pytest.approx(np.corrcoef(both)[0, 1])


def test_equal_strategies_share_a_rank_and_one_without_a_value_has_none():
    values = {"a": D(3), "b": D(3), "c": D(1), "d": None}
    assert [strategy_report.rank_of(values, key) for key in ("a", "b", "c", "d", "e")] == [1, 1, 3, None, None]


def test_symbols_and_sectors_add_up_to_what_it_made(report, monkeypatch):
    for dimension in ("SYMBOL", "SECTOR"):
        assert sum(map(D, report["attribution"][dimension].values())) == D(report["cumulative_pnl"])
    for symbol, made in report["attribution"]["SYMBOL"].items():
        assert D(made) == sum(p.realized_pnl + p.dividends + p.unrealized_pnl for p in own(symbol=symbol))


def test_missed_entries_are_counted_with_an_interval_over_days(report):
    rows = list(MissedOutcome.objects.filter(signal__strategy__key="turtle"))
    assert (report["missed"]["n"], D(report["missed"]["sum"])) == (len(rows), sum(row.result for row in rows))
    days = {row.entry_session for row in rows}
    means = [np.mean([float(row.result) for row in rows if row.entry_session == day]) for day in days]
    assert (report["missed"]["mean"]["value"], report["missed"]["mean"]["n"]) == (pytest.approx(np.mean(means)), len(days))


# --- the week's findings


def seen(history):
    return {(one.scope, one.code): one for one in observations(history.account, window_read(history.account, history.days[-1]))}


def test_the_week_notices_what_rejections_would_have_made(judged):
    assert ("turtle", Code.REJECTIONS_COST) not in seen(judged)
    for t in range(30):
        signal = judged.reject(t, "DDD", strategy="bollinger")
        MissedOutcome.objects.create(
            account=judged.account, signal=signal, session=judged.days[t + 5], entry_session=judged.days[t + 1],
            exit_session=judged.days[t + 5], exit_reason="TARGET", quantity=10, result=D(100 + t % 3),
        )  # fmt: skip
    found = seen(judged)["bollinger", Code.REJECTIONS_COST]
    assert (found.effect, found.evidence["missed"]) == (pytest.approx(101, abs=0.5), 30)


def test_the_week_notices_gains_that_were_given_back(judged):
    for n in range(40):
        Position.objects.create(
            account=judged.account, strategy=judged.strategy("bollinger"), group=f"G{n}", symbol=f"G{n}", direction="LONG", quantity=0,
            cost=0, entry_cost=500, realized_pnl=D(n % 5), best_pnl=300, initial_risk=100, entry_session=judged.days[n],
            exit_session=judged.days[n + 1], entry_price=50, last_entry_price=50, peak_quantity=10, entry_quantity=10,
        )  # fmt: skip
    assert seen(judged)["bollinger", Code.GAINS_GIVEN_BACK].effect == pytest.approx(0.98, abs=0.2)


def test_the_week_notices_two_strategies_that_are_one_and_tells_of_the_closest(judged):
    rng = np.random.default_rng(3)
    for key in ("alpha", "beta", "gamma"):
        judged.strategy(key)
    for t, day in enumerate(judged.days):
        base = float(rng.normal(0, 0.01))
        for key, noise in (("alpha", 0), ("beta", 1e-3), ("gamma", 1e-4)):
            change = round(base + float(rng.normal(0, 1)) * noise, 6)
            DailyPerformance.objects.create(
                account=judged.account, strategy=judged.strategy(key), scope=key, session=day, pnl=0, cumulative_pnl=0,
                daily_return=D(str(change)) if t else None,
            )  # fmt: skip
    found = {key: one for key, one in seen(judged).items() if key[1] == Code.CORRELATED_STRATEGIES}
    assert {scope: one.evidence["other"] for (scope, _), one in found.items()} == {"alpha": "gamma", "beta": "gamma"}
