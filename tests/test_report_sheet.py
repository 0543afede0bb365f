"""The report of a made history ties to its books: to the cent in P&L, and to an independent computation in every curve."""

from datetime import date
from decimal import Decimal as D

import empyrical
import pandas as pd
import pytest
from django.db import transaction

from analytics.models import Adaptation, Attribution, Challenger, DailyPerformance, Finding
from analytics.reports.tearsheet import tear_sheet
from quant_site.core.errors import InvalidInput
from strategies.models import Strategy
from tests.analytics_world import History
from trading.models import EquitySnapshot, Fill, Position

SESSIONS = 66
pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def judged(django_db_setup, django_db_blocker):
    """One history that several tests look at and none changes."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield History(seed=7, sessions=SESSIONS).run()
        transaction.set_rollback(True)


@pytest.fixture
def small():
    return History("small", seed=2, sessions=12).run()


def series(account, name, **where):
    rows = EquitySnapshot.objects.filter(account=account, **where).order_by("snapshot_date").values_list("snapshot_date", name)
    return pd.Series({pd.Timestamp(day): value for day, value in rows}, dtype=float)


def strategies(account):
    return [Strategy.objects.get(key=key) for key in ("bollinger", "pairs", "turtle")]


def test_the_account_s_curve_is_its_compounded_returns_beside_the_benchmark(judged):
    sheet, own = tear_sheet(judged.account), series(judged.account, "daily_return")
    assert sheet.curves.growth == pytest.approx((100 * (1 + own).cumprod()).tolist(), abs=1e-3)
    market = series(judged.account, "benchmark_return")
    assert market.isna().tolist() == [value is None for value in sheet.curves.benchmark] == [True] + (SESSIONS - 1) * [False]
    assert sheet.curves.benchmark[1:] == pytest.approx((100 * (1 + market[1:]).cumprod()).tolist(), abs=1e-3)
    assert sheet.benchmark_symbol == "SPY"
    assert min(sheet.curves.drawdown) == pytest.approx(empyrical.max_drawdown(own), abs=1e-6)
    assert sheet.metrics["sharpe_ratio"].value == pytest.approx(empyrical.sharpe_ratio(own))
    assert sheet.metrics["beta"].value == pytest.approx(empyrical.beta(own[1:], market[1:]))


def test_p_and_l_is_that_of_the_fills_to_the_cent_for_the_account_and_each_strategy(judged):
    made = judged.profits(SESSIONS - 1)
    assert tear_sheet(judged.account).pnl == sum(made.values())
    assert dict(tear_sheet(judged.account).contributions) == made
    for strategy in strategies(judged.account):
        sheet = tear_sheet(judged.account, strategy)
        assert sheet.pnl == sheet.curves.pnl[-1] == made[strategy.key]
        assert sheet.contributions == []


def test_two_spans_add_up_to_the_whole(judged):
    cut = judged.days[40]
    before, after = tear_sheet(judged.account, None, None, judged.days[39]), tear_sheet(judged.account, None, cut)
    whole = tear_sheet(judged.account)
    assert before.pnl + after.pnl == whole.pnl
    assert before.outcomes.trades + after.outcomes.trades == whole.outcomes.trades
    assert {key: dict(before.contributions).get(key, 0) + amount for key, amount in after.contributions} == dict(whole.contributions)
    assert (before.first, before.last, after.first, after.last) == (judged.days[0], judged.days[39], cut, judged.days[-1])
    own = series(judged.account, "daily_return", snapshot_date__gte=cut)
    assert after.curves.growth[-1] == pytest.approx(100 * (1 + own).prod(), abs=1e-3)
    assert after.metrics["sharpe_ratio"].reason == "TOO_SHORT"


def test_a_strategy_s_returns_are_what_it_added_on_the_account_s_equity(judged):
    strategy = Strategy.objects.get(key="turtle")
    rows = DailyPerformance.objects.filter(account=judged.account, strategy=strategy).order_by("session")
    equity = dict(EquitySnapshot.objects.filter(account=judged.account).values_list("snapshot_date", "total_equity"))
    own = [float(row.pnl / (equity[row.session] - made_in(judged, row.session))) for row in rows]
    sheet = tear_sheet(judged.account, strategy)
    assert sheet.curves.growth == pytest.approx((100 * (1 + pd.Series(own)).cumprod()).tolist(), abs=0.01)
    assert sheet.first == rows[0].session


def made_in(judged, session):
    """What the whole account made in a session: its capital was its equity less that."""
    return DailyPerformance.objects.get(account=judged.account, scope="ALL", session=session).pnl


def test_trades_exits_and_symbols_tell_of_the_same_trades(judged):
    sheet = tear_sheet(judged.account)
    positions = Position.objects.filter(account=judged.account)
    running = positions.filter(exit_session=None, strategy__key="pairs").values("signal")
    closed = positions.filter(exit_session__isnull=False).exclude(strategy__key="pairs", signal__in=running)
    legs = closed.filter(strategy__key="pairs")
    assert sheet.outcomes.trades == closed.count() - legs.count() + legs.values("signal").distinct().count()
    results = sum(row.realized_pnl + row.dividends for row in closed)
    assert sum(row.pnl for row in sheet.outcomes.exits) == sum(pnl for _, _, pnl in sheet.outcomes.symbols) == results
    assert sum(row.trades for row in sheet.outcomes.exits) == sum(sheet.outcomes.results.counts) == sheet.outcomes.trades
    assert {row.reason for row in sheet.outcomes.exits} == {"EXIT", "STOP"}
    best = [trade.result for trade in sheet.outcomes.best]
    assert best == sorted(best, reverse=True)
    assert sheet.metrics["expectancy"].value == pytest.approx(float(results) / sheet.outcomes.trades)


def test_a_trade_of_two_legs_is_closed_when_its_last_leg_is(small):
    signal = small.open(3, "pairs", ("CCC", "BUY"), ("DDD", "SELL"), quantity=10)
    strategy = Strategy.objects.get(key="pairs")
    before = tear_sheet(small.account, strategy).outcomes.trades
    legs = Position.objects.filter(signal=signal).order_by("symbol")
    for leg, session in zip(legs, small.days[5:7], strict=True):
        Position.objects.filter(pk=leg.pk).update(exit_session=session, realized_pnl=D("-3.10"), exit_reason="STOP")
        after = tear_sheet(small.account, strategy).outcomes.trades
        assert after == before + (leg.symbol == "DDD")
    trades = tear_sheet(small.account, strategy, small.days[6], small.days[6]).outcomes.worst
    assert [trade.result for trade in trades if trade.symbol == "CCC/DDD"] == [D("-6.20")]


def test_exposure_and_turnover_of_a_strategy_are_those_of_its_own_positions_and_fills(judged):
    strategy = Strategy.objects.get(key="turtle")
    sheet = tear_sheet(judged.account, strategy)
    fills = Fill.objects.filter(order__position__strategy=strategy)
    equity = dict(EquitySnapshot.objects.filter(account=judged.account).values_list("snapshot_date", "total_equity"))
    shares = []
    for t, session in enumerate(judged.days):
        if session >= sheet.first:
            held = {symbol: D(0) for symbol in judged.closes}
            for fill in fills.filter(session__lte=session):
                held[fill.symbol] += fill.quantity if fill.side == "BUY" else -fill.quantity
            shares.append(sum(quantity * judged.price(symbol, t) for symbol, quantity in held.items()) / equity[session])
    assert sheet.metrics["exposure"].value == pytest.approx(float(sum(shares) / len(shares)), abs=1e-6)
    tail = tear_sheet(judged.account, strategy, judged.days[SESSIONS - 20])
    assert tail.metrics["exposure"].value == pytest.approx(float(sum(shares[-20:]) / 20), abs=1e-6)
    assert tail.metrics["exposure"].n == 20
    traded = [sum(fill.amount for fill in fills if fill.side == side) for side in ("BUY", "SELL")]
    mean = sum(equity[session] for session in sheet.curves.sessions) / len(sheet.curves.sessions)
    assert sheet.metrics["turnover"].value == pytest.approx(float(min(traded) / mean))


def test_attribution_is_summed_to_the_cent_and_says_which_sessions_it_covers(small):
    assert tear_sheet(small.account).attribution is None
    for day, (turtle, hand) in zip(small.days[4:7], [("10.10", "-0.20"), ("0.01", "0.02"), ("-3.33", "1.00")], strict=True):
        buckets = {"STRATEGY": {"turtle": turtle, "UNASSIGNED": hand}, "STAGE": {"SIGNAL": turtle, "FEE": hand}}
        Attribution.objects.create(account=small.account, session=day, total=D(turtle) + D(hand), buckets=buckets)
    found = tear_sheet(small.account).attribution
    assert (found.first, found.last, found.sessions, found.total) == (small.days[4], small.days[6], 3, D("7.60"))
    assert found.dimensions == {
        "STRATEGY": {"turtle": D("6.78"), "UNASSIGNED": D("0.82")},
        "STAGE": {"SIGNAL": D("6.78"), "FEE": D("0.82")},
    }
    assert tear_sheet(small.account, None, small.days[5], small.days[5]).attribution.total == D("0.03")


def test_a_finding_is_shown_once_with_the_weeks_that_noticed_it(small):
    for day in small.days[:3]:
        Finding.objects.create(account=small.account, scope="ALL", session=day, code="BEHIND_BENCHMARK", message="Behind.")
    Finding.objects.create(account=small.account, scope="ALL", session=small.days[0], code="LOSING_STRATEGY", message="Losing.")
    found = tear_sheet(small.account).findings
    assert [(row.code, row.session, row.weeks) for row in found] == [
        ("BEHIND_BENCHMARK", small.days[2], 3),
        ("LOSING_STRATEGY", small.days[0], 1),
    ]
    assert tear_sheet(small.account, small.strategy("turtle")).findings == []


def test_the_path_of_a_weight_holds_its_moves_and_counts_all_decisions(small):
    turtle, weights = small.strategy("turtle"), ["0.25", "0.25", "0.27", "0.27", "0.26"]
    for day, before, after in zip(small.days, ["0.25", *weights], weights, strict=False):
        Adaptation.objects.create(
            account=small.account, strategy=turtle, session=day, weight_before=D(before), weight_after=D(after), reason="By the record."
        )
    Challenger.objects.create(
        account=small.account,
        strategy=turtle,
        change={"entry": [20, 25]},
        champion={},
        started=small.days[0],
        ended=small.days[5],
        threshold=20,
    )
    adapted = tear_sheet(small.account, turtle).adapted
    [path] = adapted.paths
    assert path.points == ((small.days[0], D("0.25")), (small.days[2], D("0.27")), (small.days[4], D("0.26")))
    assert (path.decisions, path.moves, adapted.decisions, adapted.changed) == (5, 2, 5, 2)
    assert [row.session for row in adapted.changes] == [small.days[4], small.days[2]]
    assert len(adapted.challengers) == 1
    assert tear_sheet(small.account, turtle, small.days[6]).adapted.challengers == []


def test_an_account_without_a_session_has_a_sheet_of_reasons(small):
    sheet = tear_sheet(small.account, None, date(2020, 1, 1))
    assert (sheet.first, sheet.pnl, sheet.curves.sessions, sheet.outcomes.results) == (None, 0, (), None)
    assert all(metric.value is None and metric.reason for metric in sheet.metrics.values())


def test_a_span_that_ends_before_it_begins_is_refused(small):
    with pytest.raises(InvalidInput, match="exchange them"):
        tear_sheet(small.account, None, small.days[5], small.days[4])
