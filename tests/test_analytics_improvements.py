"""The week's findings are read from what happened, stored once, and announced once."""

from decimal import Decimal as D

import pytest
from django.db import transaction

from analytics.judging.evidence import TRADE_WINDOW, observations, window_read
from analytics.judging.findings import Code
from analytics.models import Finding
from analytics.performance import PerformanceAnalyzer, is_week_end
from analytics.selectors import findings_latest
from analytics.services import findings_record
from quant_site.core.models import OutboxEvent
from signals_app.models import TradingSignal
from strategies.models import StrategyRun
from tests.accounting_world import SESSIONS
from tests.analytics_world import History
from trading.books.ledger import fills_book
from trading.models import EquitySnapshot, Fill, Position

pytestmark = pytest.mark.django_db

WEEK_END = next(day for day in SESSIONS[70:] if is_week_end(day))
LAST = SESSIONS.index(WEEK_END)


@pytest.fixture(scope="module")
def losing_history(django_db_setup, django_db_blocker):
    """A strategy that buys 10 % above the price it sells at, session after session; most of its exits are stops."""
    with django_db_blocker.unblock(), transaction.atomic():
        history = History(seed=1, sessions=LAST + 1)
        for t in range(LAST + 1):
            signal = history.signal(session=history.days[t], strategy="turtle")
            price = history.price("AAA", t)
            fill = history.trade("AAA", "BUY", 10, price * D("1.1"), signal=signal, session=history.days[t])
            Fill.objects.filter(pk=fill.pk).update(slippage=D("10.00") + t % 3)
            fills_book(account=history.account, fills=[fill])
            history.close(t, Position.objects.get(exit_session=None), "STOP" if t % 4 else "EXIT")
            history.end(t, judge=False)
        yield history
        transaction.set_rollback(True)


@pytest.fixture
def history(losing_history):
    return losing_history


def codes(history):
    return [(one.scope, one.code) for one in observations(history.account, window_read(history.account, WEEK_END))]


def test_a_losing_strategy_and_its_slippage_are_found_with_their_effects(history):
    seen = {one.code: one for one in observations(history.account, window_read(history.account, WEEK_END))}
    assert set(seen) == {Code.BEHIND_BENCHMARK, Code.LOSING_STRATEGY, Code.SLIPPAGE_ABOVE_MODEL}
    positions = Position.objects.exclude(exit_session=None)
    returns = [float(p.realized_pnl / p.entry_cost) for p in positions]
    assert seen[Code.LOSING_STRATEGY].effect == pytest.approx(100 * sum(returns) / len(returns), abs=1e-3)
    points = [1e4 * float(fill.slippage / fill.amount) for fill in Fill.objects.filter(order__purpose="ENTRY")]
    assert seen[Code.SLIPPAGE_ABOVE_MODEL].effect == pytest.approx(sum(points) / len(points), abs=1e-3)


def test_findings_are_stored_with_their_evidence_and_announced_once(history):
    analyzer = PerformanceAnalyzer(history.account)
    stored = analyzer.identify_improvement_opportunities(WEEK_END)
    assert [(row.scope, row.code, row.strategy and row.strategy.key) for row in stored] == [
        ("ALL", "BEHIND_BENCHMARK", None),
        ("turtle", "LOSING_STRATEGY", "turtle"),
        ("turtle", "SLIPPAGE_ABOVE_MODEL", "turtle"),
    ]
    assert stored[0].evidence["benchmark"] == "SPY"
    assert stored[1].effect_high < 0
    assert stored[1].evidence["n"] > 20
    assert "turtle made -9" in stored[1].message
    again = analyzer.identify_improvement_opportunities(WEEK_END)
    assert [(row.pk, row.message) for row in again] == [(row.pk, row.message) for row in stored]
    assert OutboxEvent.objects.filter(type="finding").count() == 3
    assert [row.pk for row in findings_latest(account=history.account)] == [row.pk for row in stored]


def test_a_finding_that_no_longer_holds_for_the_same_session_is_taken_back(history):
    analyzer = PerformanceAnalyzer(history.account)
    analyzer.identify_improvement_opportunities(WEEK_END)
    Fill.objects.update(slippage=None)
    assert [row.code for row in analyzer.identify_improvement_opportunities(WEEK_END)] == [
        "BEHIND_BENCHMARK",
        "LOSING_STRATEGY",
    ]


def test_other_days_than_the_last_of_a_week_have_no_findings(history):
    assert PerformanceAnalyzer(history.account).identify_improvement_opportunities(SESSIONS[LAST - 1]) == []
    assert not Finding.objects.exists()


def test_rejections_by_one_code_are_counted_once_a_signal_and_closes_do_not_count(history):
    for n in range(40):
        TradingSignal.objects.create(
            account=history.account, strategy=history.strategy("bollinger"), session=history.days[LAST - n % 20], symbol=f"S{n}",
            direction="LONG", signal_status="REJECTED", validation_errors=[{"code": "CASH"}, {"code": "CASH"}, {"code": f"X{n}"}],
        )  # fmt: skip
        history.signal(f"C{n}", "CLOSE", session=history.days[LAST], strategy="bollinger")
    (seen,) = [one for one in observations(history.account, window_read(history.account, WEEK_END)) if one.scope == "bollinger"]
    assert (seen.code, seen.effect, seen.evidence["rejected"], seen.evidence["n"]) == (Code.REJECTIONS_DOMINATE, 100.0, 40, 40)


def test_an_enabled_strategy_that_abstains_for_a_quarter_is_silent_and_a_disabled_one_is_not(history):
    for key, enabled in (("pairs", True), ("hedge", False)):
        strategy = history.strategy(key)
        strategy.enabled = enabled
        strategy.save()
        for day in history.days:
            StrategyRun.objects.create(
                account=history.account, strategy=strategy, session=day, status="ABSTAINED", abstain_reason="warm-up"
            )
    assert ("pairs", Code.SILENT_STRATEGY) in codes(history)
    assert "hedge" not in {scope for scope, _ in codes(history)}


def test_what_other_accounts_did_is_not_seen(history):
    other = History(account_id="other", sessions=LAST + 1)
    other.end(LAST)
    assert codes(other) == []
    assert window_read(History(account_id="empty").account, WEEK_END) is None


def test_a_week_that_others_followed_keeps_its_findings(history):
    early = next(day for day in reversed(SESSIONS[: LAST - 15]) if is_week_end(day))
    kept = Finding.objects.create(account=history.account, scope="ALL", session=early, code="BEHIND_BENCHMARK", message="as it was then")
    assert PerformanceAnalyzer(history.account).identify_improvement_opportunities(early) == [kept]
    assert Finding.objects.count() == 1


def test_what_is_noticed_week_after_week_says_since_when_and_is_announced_once(history):
    (seen,) = [one for one in observations(history.account, window_read(history.account, WEEK_END)) if one.code == Code.LOSING_STRATEGY]
    weeks = [day for day in SESSIONS if is_week_end(day)][:5]
    for week in (0, 1, 2, 4):
        (row,) = findings_record(account=history.account, session=weeks[week], observations=[seen])
        since = 0 if week < 4 else 4
        assert row.evidence == seen.evidence | {"since": str(weeks[since]), "weeks": week + 1 - since}
    assert OutboxEvent.objects.filter(type="finding").count() == 2


def test_a_strategy_whose_gains_are_still_open_is_not_called_losing(history):
    assert ("turtle", Code.LOSING_STRATEGY) in codes(history)
    for n in range(20):
        Position.objects.create(
            account=history.account, strategy=history.strategy("turtle"), signal=history.signal(f"G{n}"), group=f"G{n}", symbol=f"G{n}",
            direction="LONG", quantity=10, cost=500, entry_cost=500, unrealized_pnl=1000, entry_session=history.days[n], entry_price=50,
            last_entry_price=50, peak_quantity=10, entry_quantity=10,
        )  # fmt: skip
    assert ("turtle", Code.LOSING_STRATEGY) not in codes(history)


def test_the_window_reaches_back_a_year_of_sessions_and_no_further():
    history = History(account_id="long")
    flat = {"account": history.account, "total_equity": D(1), "daily_return": D(0), "benchmark_return": D(0)}
    EquitySnapshot.objects.bulk_create([EquitySnapshot(snapshot_date=day, **flat) for day in SESSIONS])
    window = window_read(history.account, SESSIONS[-1])
    assert window.trades_from == SESSIONS[-min(TRADE_WINDOW, len(SESSIONS))]
    assert window.signals_from == SESSIONS[-63]
    assert len(window.returns) == min(TRADE_WINDOW, len(SESSIONS))
