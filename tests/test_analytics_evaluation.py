"""Each session is judged from the books: again, late, after a gap or on wrong books, and what is missing is said."""

from decimal import Decimal as D

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from analytics.judging.evaluation import bounded
from analytics.models import DailyPerformance, ExtremeSignal
from analytics.performance import PerformanceAnalyzer
from analytics.stats import Metric, Undefined
from quant_site.core.errors import Conflict, DataMissing, LedgerMismatch
from strategies.models import Strategy
from tests.accounting_world import SESSIONS
from tests.analytics_world import History
from trading.models import EquitySnapshot, Position

pytestmark = pytest.mark.django_db


def rows_of(account, scope="ALL"):
    return list(DailyPerformance.objects.filter(account=account, scope=scope).order_by("session"))


def everything(account):
    names = [field.attname for field in DailyPerformance._meta.concrete_fields]
    extremes = ExtremeSignal.objects.filter(account=account).order_by("session", "kind", "signal").values_list()
    return list(DailyPerformance.objects.filter(account=account).order_by("id").values_list(*names)), list(extremes)


@pytest.fixture
def history():
    return History()


def test_judging_a_session_again_changes_nothing():
    history = History(seed=7).run(last=15)
    before = everything(history.account)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        history.end(14)
    assert everything(history.account) == before
    assert not [query for query in queries if query["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]


def test_a_session_that_others_followed_keeps_its_judgement():
    history = History(seed=7).run(last=12)
    before = everything(history.account)
    rows = PerformanceAnalyzer(history.account).evaluate_daily_performance(history.days[5])
    assert (rows[0].scope, rows[0].session) == ("ALL", history.days[5])
    assert everything(history.account) == before


def test_a_session_that_was_never_judged_cannot_be_once_others_followed():
    history = History(seed=7).run(last=3).run(3, 5, judge=False)
    with pytest.raises(Conflict, match="can no longer be judged"):
        PerformanceAnalyzer(history.account).evaluate_daily_performance(history.days[3])


def test_sessions_nobody_judged_are_caught_up_and_the_strategies_say_there_was_a_gap():
    whole, gapped = History(account_id="whole", seed=8).run(last=30), History(account_id="gapped", seed=8)
    gapped.run(last=16).run(16, 20, judge=False).run(20, 30)
    judged = {row.scope: row for row in DailyPerformance.objects.filter(account=gapped.account, session=gapped.days[20])}
    assert {"ALL", "turtle"} < set(judged)
    assert {scope: row.undefined.get("daily_return") for scope, row in judged.items()} == {**dict.fromkeys(judged, "GAP"), "ALL": None}
    for scope in judged:
        one, other = rows_of(whole.account, scope)[-1], rows_of(gapped.account, scope)[-1]
        same = ("cumulative_pnl", "closed_trades", "win_rate", "profit_factor", "average_holding")
        assert [getattr(one, name) for name in same] == [getattr(other, name) for name in same]
    assert rows_of(whole.account)[-1].state["returns"] == rows_of(gapped.account)[-1].state["returns"]


def test_an_evaluation_that_begins_late_reads_all_that_was_before():
    whole, late = History(account_id="whole", seed=9).run(last=20), History(account_id="late", seed=9)
    late.run(last=19, judge=False).run(19, 20)
    one, other = rows_of(whole.account)[-1], rows_of(late.account)[-1]
    assert one.state == other.state
    assert one.cumulative_pnl == other.cumulative_pnl


def test_the_result_does_not_depend_on_ids_or_on_other_accounts():
    first = History(account_id="first", seed=10).run(last=20)
    Position.objects.create(
        account=first.account, group="X", symbol="X", direction="LONG", quantity=0, cost=0, entry_session=SESSIONS[200], entry_price=1,
        last_entry_price=1, peak_quantity=0, entry_cost=0, entry_quantity=0, exit_session=SESSIONS[201],
    )  # fmt: skip
    second = History(account_id="second", seed=10).run(last=20)
    names = [f.attname for f in DailyPerformance._meta.concrete_fields if f.attname not in {"id", "account_id", "created_at"}]
    rows = DailyPerformance.objects.order_by("session", "scope")
    assert list(rows.filter(account=first.account).values_list(*names)) == list(rows.filter(account=second.account).values_list(*names))


def test_a_row_that_was_tampered_with_stops_the_evaluation():
    history = History(seed=11).run(last=20)
    history.run(20, 21, judge=False)
    victim = Position.objects.filter(exit_session=None).first()
    Position.objects.filter(pk=victim.pk).update(realized_pnl=victim.realized_pnl + D("0.01"))
    before = everything(history.account)
    with pytest.raises(LedgerMismatch):
        PerformanceAnalyzer(history.account).evaluate_daily_performance(history.days[20])
    assert everything(history.account) == before


def test_a_dividend_that_reaches_a_closed_position_late_is_found_and_counted():
    history = History(seed=12)
    history.open(0, "turtle", ("AAA", "BUY"))
    history.end(0)
    history.close(1, Position.objects.get())
    history.end(1)
    Position.objects.update(dividends=D("12.34"))
    EquitySnapshot.objects.filter(snapshot_date=history.days[2]).delete()
    history.account.cash_entries.create(key="late", session=history.days[2], kind="DIVIDEND", amount=D("12.34"))
    EquitySnapshot.objects.filter(snapshot_date=history.days[1]).update(closed_pnl=Position.objects.get().realized_pnl + D("12.34"))
    row = history.end(2)[1]
    assert (row.scope, row.pnl) == ("turtle", D("12.34"))


def test_without_a_snapshot_there_is_nothing_to_judge(history):
    with pytest.raises(DataMissing, match="no equity snapshot"):
        PerformanceAnalyzer(history.account).evaluate_daily_performance(history.days[0])


def test_an_account_that_never_traded_is_judged_and_says_why_numbers_are_missing(history):
    (row,) = history.end(0)
    assert (row.pnl, row.daily_return, row.closed_trades, row.exposure) == (D("0.00"), D(0), 0, D(0))
    assert row.undefined == {
        "win_rate": "NO_TRADES", "profit_factor": "NO_TRADES", "average_holding": "NO_TRADES", "sharpe_ratio": "TOO_FEW",
    }  # fmt: skip
    assert (row.win_rate, row.profit_factor, row.sharpe_ratio) == (None, None, None)


def test_a_pair_is_one_trade_and_ends_when_its_last_leg_does(history):
    history.open(0, "pairs", ("AAA", "BUY"), ("BBB", "SELL"))
    history.end(0)
    long, short = Position.objects.order_by("symbol")
    history.close(1, long)
    assert history.end(1)[0].closed_trades == 0
    history.close(4, short)
    row = history.end(4)[1]
    both = sum(Position.objects.values_list("realized_pnl", flat=True))
    assert (row.scope, row.closed_trades, row.average_holding) == ("pairs", 1, D(4))
    assert row.cumulative_pnl == both
    assert (row.win_rate == 1) == (both > 0)


def test_a_strategy_without_activity_has_no_row_and_one_with_it_keeps_its_row(history):
    history.strategy("silent")
    history.open(0, "turtle", ("AAA", "BUY"))
    assert [row.scope for row in history.end(0)] == ["ALL", "turtle"]
    history.close(1, Position.objects.get())
    history.end(1)
    row = history.end(2)[1]
    assert (row.scope, row.pnl, row.signals) == ("turtle", D(0), 0)


def test_signals_of_the_day_and_rejected_ones_are_counted(history):
    history.signal(session=history.days[0])
    history.signal("BBB", session=history.days[0], strategy="bollinger").__class__.objects.filter(symbol="BBB").update(
        signal_status="REJECTED"
    )
    whole, bollinger, turtle = history.end(0)
    assert (whole.signals, whole.rejected) == (2, 1)
    assert (bollinger.signals, bollinger.rejected, turtle.signals, turtle.rejected) == (1, 1, 1, 0)
    assert history.end(1)[0].signals == 0
    assert rows_of(history.account)[-1].state["signals"] == 2


def test_statistics_are_written_back_for_a_living_account_and_never_by_a_replay():
    replayed = History(account_id="replayed", seed=13, is_replay=True).run(last=20)
    turtle = Strategy.objects.get(key="turtle")
    assert (turtle.win_rate, turtle.total_signals) == (None, 0)
    living = History(account_id="living", seed=13).run(last=20)
    turtle.refresh_from_db()
    row = rows_of(living.account, "turtle")[-1]
    assert (turtle.win_rate, turtle.sharpe_ratio, turtle.total_signals) == (row.win_rate, None, row.state["signals"])
    assert turtle.total_signals > 0
    assert rows_of(replayed.account, "turtle")[-1].win_rate == row.win_rate


def test_a_number_its_column_cannot_hold_is_undefined_and_says_so():
    assert bounded(Metric(1e6, None, 3)) == Metric(None, Undefined.TOO_LARGE, 3)
    assert bounded(Metric(-999_999.0, None, 3)).value == -999_999.0


def test_an_evaluation_costs_the_same_number_of_queries_late_as_early():
    history = History(seed=15)
    counts = {}
    for t in range(40):
        history.trade_at_random(t)
        history.end(t, judge=False)
        with CaptureQueriesContext(connection) as queries:
            PerformanceAnalyzer(history.account).evaluate_daily_performance(history.days[t])
        counts[t] = len(queries)
    assert max(counts[t] for t in range(30, 40)) <= max(counts[t] for t in range(10, 20))


def test_the_report_of_a_strategy_that_did_nothing_is_empty_and_says_why(history):
    report = PerformanceAnalyzer(history.account).generate_strategy_report(history.strategy("silent"))
    assert report["as_of"] is None
    assert {metric["reason"] for metric in report["metrics"].values()} == {"NO_TRADES", "TOO_FEW", "NO_DATA"}
