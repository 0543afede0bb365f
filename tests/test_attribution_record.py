"""Attribution is written once, late changes of closed trades are found, and what happens without an order has its place."""

from decimal import Decimal as D

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from analytics.judging.attribution import attribution_record
from analytics.models import Attribution
from quant_site.core.errors import Conflict, DataMissing, LedgerMismatch
from tests.attribution_world import AttributedHistory
from trading.books.ledger import activities_book, fills_book
from trading.models import EquitySnapshot, Position

pytestmark = pytest.mark.django_db


def stored(account):
    return list(Attribution.objects.filter(account=account).order_by("session").values())


def stages(row):
    return {key: D(text) for key, text in row.buckets["STAGE"].items()}


@pytest.fixture
def history():
    return AttributedHistory(sessions=30)


def test_attributing_a_session_again_writes_nothing():
    history = AttributedHistory(seed=7).run(last=15)
    before = stored(history.account)
    with CaptureQueriesContext(connection) as queries:
        history.end(14)
    assert stored(history.account) == before
    assert not [query for query in queries if query["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]


def test_a_session_that_others_followed_keeps_its_row_and_cannot_get_one_later():
    history = AttributedHistory(seed=7).run(last=8).run(8, 10, judge=False)
    before = stored(history.account)
    assert attribution_record(history.account, history.days[9], history.panel).session == history.days[9]
    assert attribution_record(history.account, history.days[5], history.panel).buckets == before[5]["buckets"]
    with pytest.raises(Conflict, match="can no longer be judged"):
        attribution_record(history.account, history.days[8], history.panel)


def test_sessions_nobody_attributed_are_in_the_next_row(history):
    whole, gapped = AttributedHistory("whole", 8).run(last=20), AttributedHistory("gapped", 8)
    gapped.run(last=12).run(12, 19, judge=False).run(19, 20)
    for dimension in ("STRATEGY", "SYMBOL"):
        sums = []
        for one in (whole, gapped):
            made: dict[str, D] = {}
            for row in Attribution.objects.filter(account=one.account):
                for key, text in row.buckets[dimension].items():
                    made[key] = made.get(key, D(0)) + D(text)
            sums.append({key: amount for key, amount in made.items() if amount})
        assert sums[0] == sums[1]
    assert stored(whole.account)[-1]["state"] == stored(gapped.account)[-1]["state"]


def test_a_dividend_that_reaches_a_closed_position_late_is_attributed_to_it(history):
    history.open(0, "turtle", ("AAA", "BUY"))
    history.end(0)
    history.close(1, Position.objects.get())
    history.end(1)
    Position.objects.update(dividends=D("12.34"))
    history.account.cash_entries.create(key="late", session=history.days[2], kind="DIVIDEND", amount=D("12.34"))
    EquitySnapshot.objects.filter(snapshot_date=history.days[1]).update(closed_pnl=Position.objects.get().realized_pnl + D("12.34"))
    history.end(2)
    assert history.row.buckets["STRATEGY"] == {"turtle": "12.34"}
    assert history.row.buckets["SYMBOL"] == {"AAA": "12.34"}
    assert stages(history.row) == {**dict.fromkeys(stages(history.row), D(0)), "DATA": D("12.34")}
    history.end(3)
    assert history.row.buckets["SYMBOL"] == {}


def test_a_row_that_was_tampered_with_is_not_attributed(history):
    history.open(0, "turtle", ("AAA", "BUY"))
    history.end(0)
    history.end(1, judge=False)
    Position.objects.update(realized_pnl=D("0.01"))
    with pytest.raises(LedgerMismatch, match="STRATEGY to"):
        attribution_record(history.account, history.days[1], history.panel)
    assert Attribution.objects.count() == 1


def test_without_a_snapshot_there_is_nothing_to_attribute(history):
    with pytest.raises(DataMissing):
        attribution_record(history.account, history.days[0], history.panel)


def test_cash_in_lieu_counts_only_beyond_what_the_fraction_was_worth(history):
    """Three shares at p become one and a half at 2p: half a share of 2p is worth one old share."""
    history.open(0, "turtle", ("AAA", "BUY"), quantity=3)
    history.end(0)
    before = history.price("AAA", 0)
    fraction = D("0.5") * 2 * before
    split = history.activity("SPLIT", "AAA", 3, "0.5", (fraction + D("0.07")).quantize(D("0.01")), session=history.days[1])
    activities_book(account=history.account, activities=[split])
    assert Position.objects.get().quantity == 1
    history.end(1)
    assert stages(history.row)["DATA"] == D("0.07")
    # One new share was worth two old ones.
    assert stages(history.row)["SIGNAL"] == history.price("AAA", 1) - 2 * before


def test_a_stop_within_the_day_is_timed_at_its_level_and_one_through_the_gap_at_the_open(history):
    row, t = history.panel.row("AAA"), 2
    opened = D(str(history.panel.open[row, t]))
    for above, timing in ((D("1.00"), "gap"), (D("-1.00"), "level")):
        account = AttributedHistory(f"stop-{timing}", sessions=30)
        account.open(0, "turtle", ("AAA", "BUY"), quantity=10)
        account.end(0)
        account.end(1)
        level, position = opened + above, Position.objects.get(account=account.account)
        fill = account.trade(
            "AAA", "SELL", 10, min(opened, level) - D("0.05"), session=account.days[t], purpose="STOP", position=position,
            stop_price=level, decision_price=level,
        )  # fmt: skip
        fill.order.order_type = "STP"
        fill.order.save()
        fills_book(account=account.account, fills=[fill])
        account.end(t)
        gap = -10 * D("1.00") if timing == "gap" else D(0)
        assert (stages(account.row)["TIMING"], stages(account.row)["PRICE"]) == (gap, D("-0.50"))


def test_what_has_no_decision_price_was_decided_where_it_was_filled(history):
    fill = history.trade("AAA", "BUY", 10, history.price("AAA", 0), session=history.days[0], decision_price=None)
    fills_book(account=history.account, fills=[fill])
    history.end(0)
    assert (stages(history.row)["TIMING"], stages(history.row)["PRICE"], stages(history.row)["SIGNAL"]) == (0, 0, 0)


def test_ids_and_other_accounts_do_not_show(history):
    first = AttributedHistory("first", 10).run(last=20)
    AttributedHistory("between", 11).run(last=3)
    second = AttributedHistory("second", 10).run(last=20)
    names = ("session", "total", "buckets", "state")
    rows = [list(Attribution.objects.filter(account=one.account).order_by("session").values_list(*names)) for one in (first, second)]
    assert rows[0] == rows[1]


def test_a_session_costs_as_many_queries_late_in_a_history_as_early():
    history, counts = AttributedHistory(seed=3, sessions=60), {}
    for t in range(60):
        history.trade_at_random(t)
        super(AttributedHistory, history).end(t)
        with CaptureQueriesContext(connection) as queries:
            attribution_record(history.account, history.days[t], history.panel)
        counts[t] = len(queries)
    assert max(counts[t] for t in range(40, 60)) <= max(counts[t] for t in range(1, 20))
