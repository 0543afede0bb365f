"""The nightly task judges every living account, and pages read the newest judgements."""

import pytest

from analytics.models import DailyPerformance, Finding
from analytics.selectors import adaptations_latest, extremes_current, findings_latest, performance_history, performance_latest
from analytics.tasks import evaluate_daily_performance
from quant_site.core.services import account_create
from tests.analytics_world import History
from trading.models import Position

pytestmark = pytest.mark.django_db


def test_the_task_judges_the_last_session_of_each_living_account_and_of_no_replay():
    living, replayed = History("living", sessions=5), History("replayed", sessions=5, is_replay=True)
    account_create(id="new")
    for history in (living, replayed):
        for t in range(3):
            history.end(t, judge=False)
    assert evaluate_daily_performance() == {"living": f"{living.days[2]}: 1 judged", "new": "no snapshot yet"}
    assert list(DailyPerformance.objects.values_list("account", "session")) == [("living", living.days[2])]


def test_the_task_changes_nothing_where_the_loop_has_judged_already():
    history = History("living", sessions=5)
    history.end(0)
    before = list(DailyPerformance.objects.values())
    evaluate_daily_performance()
    assert list(DailyPerformance.objects.values()) == before


def test_wrong_books_of_one_account_are_reported_and_do_not_stop_the_others():
    wrong, right = History("a-wrong", sessions=5), History("b-right", sessions=5)
    wrong.open(0, "turtle", ("AAA", "BUY"))
    for history in (wrong, right):
        history.end(0, judge=False)
    Position.objects.update(realized_pnl=1)
    results = evaluate_daily_performance()
    assert "a-wrong" in results["a-wrong"]
    assert results["b-right"] == f"{right.days[0]}: 1 judged"
    assert set(DailyPerformance.objects.values_list("account", flat=True)) == {"b-right"}


def test_pages_read_the_newest_judgement_with_the_whole_account_first():
    history = History(sessions=5)
    history.open(0, "bollinger", ("AAA", "BUY"))
    history.open(0, None, ("BBB", "BUY"))
    history.end(0)
    history.end(1)
    latest = performance_latest(account=history.account)
    assert [(row.scope, row.session) for row in latest] == [(scope, history.days[1]) for scope in ("ALL", "UNASSIGNED", "bollinger")]
    assert [row.session for row in performance_history(account=history.account, scope="bollinger")] == history.days[:2]
    assert [row.session for row in performance_history(account=history.account, since=history.days[1])] == [history.days[1]]


def test_pages_of_an_account_without_a_record_are_empty():
    account = account_create(id="new")
    for read in (performance_latest, findings_latest, adaptations_latest, extremes_current):
        assert read(account=account) == []


def test_only_findings_of_the_newest_session_are_the_latest():
    history = History(sessions=5)
    for t in (0, 3):
        Finding.objects.create(account=history.account, scope="ALL", session=history.days[t], code="BEHIND_BENCHMARK", message="m")
    assert [row.session for row in findings_latest(account=history.account)] == [history.days[3]]


def test_the_current_extremes_are_the_most_extreme_first():
    history = History(sessions=5)
    for symbol in ("AAA", "BBB", "CCC", "DDD"):
        history.open(0, "turtle", (symbol, "BUY"))
    history.end(0)
    for position in Position.objects.order_by("symbol"):
        history.close(3, position)
    history.end(3)
    rows = extremes_current(account=history.account)
    for kind in ("BEST", "WORST"):
        sizes = [abs(row.realized_pnl) for row in rows if row.kind == kind]
        assert sizes == sorted(sizes, reverse=True)
    assert len(rows) == 4
