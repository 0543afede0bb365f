"""What signals would have made that were rejected or never filled: as the paper broker would have traded them, once each."""

from dataclasses import replace
from decimal import Decimal as D

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.judging.missed import missed_record
from analytics.judging.missed_paths import LONGEST, REASONS, Bars, exits
from analytics.models import MissedOutcome
from quant_site.market.execution import CostModel
from tests.orders_world import DAYS, FLAT, account_of, broker_of, panel_of, request, signal_of
from trading.models import EquitySnapshot, Order

pytestmark = pytest.mark.django_db

CALM = [FLAT] * 30


def missed(account, t=0, *legs, status="REJECTED", **fields):
    return signal_of(account, DAYS[t], *(legs or (("AAA", fields.get("direction", "LONG"), 100),)), status=status, **fields)


def known(account, panel, last=None):
    """Outcomes after each session up to `last` was recorded."""
    for day in DAYS[: len(panel.sessions) if last is None else last + 1]:
        missed_record(account, day, panel)
    return list(MissedOutcome.objects.filter(account=account).order_by("entry_session", "id"))


def after(*bars):
    """A panel whose bars after the decision at DAYS[0] are these, then calm ones."""
    return panel_of({"AAA": [FLAT, *bars, *CALM]})


@pytest.mark.parametrize(
    ("bars", "direction", "stop", "target", "reason", "at", "level"),
    [
        ([FLAT, (97, 98, 94, 95)], "LONG", 96, 110, "STOP", 2, 96),
        ([FLAT, (93, 98, 92, 95)], "LONG", 96, 110, "STOP", 2, 93),  # gapped through
        ([(100, 111, 95, 100)], "LONG", 96, 110, "STOP", 1, 96),  # both within one bar
        ([FLAT, (112, 113, 95, 100)], "LONG", 96, 110, "TARGET", 2, 112),  # the target was reached at the open
        ([FLAT, (101, 111, 100, 105)], "LONG", 96, 110, "TARGET", 2, 110),
        ([(100, 105, 99, 100)], "SHORT", 104, 90, "STOP", 1, 104),
        ([FLAT, (99, 99, 89, 91)], "SHORT", 104, 90, "TARGET", 2, 90),
        ([], "LONG", 90, 110, "TIME", LONGEST, 100),
        ([], "LONG", None, None, "TIME", LONGEST, 100),
    ],
)
def test_a_trade_ends_where_its_bars_say(bars, direction, stop, target, reason, at, level):
    account, panel = account_of(), after(*bars)
    missed(account, 0, direction=direction, stop_loss=stop, take_profit=target)
    assert known(account, panel, at - 1) == []
    (row,) = known(account, panel)
    assert (row.exit_reason, row.session, row.exit_session, row.entry_session) == (reason, DAYS[at], DAYS[at], DAYS[1])
    costs, sign, opened = D("0.0003"), 1 if direction == "LONG" else -1, D(panel.open[0, 1])
    paid = opened * (1 + sign * costs)
    got = D(level) if reason == "TARGET" else D(level) * (1 - sign * costs)
    borrowed = 0 if sign > 0 else (at - 1) * (100 * paid * D("0.003") / 252).quantize(D("0.01"))
    assert row.result == (sign * 100 * (got - paid) - 2 - borrowed).quantize(D("0.01"))
    risk = None if stop is None else sign * (paid - stop) * 100
    assert row.r_multiple == (None if risk is None else (row.result / risk).quantize(D("0.0001")))


bar = st.tuples(*[st.integers(85, 115)] * 4).map(lambda four: (four[0], max(four), min(four), four[3]))


@settings(max_examples=200, deadline=None)
@given(
    bars=st.lists(bar, min_size=LONGEST, max_size=LONGEST), side=st.sampled_from([1.0, -1.0]), stop=st.integers(86, 99) | st.none(),
    target=st.integers(101, 114) | st.none(), seen=st.integers(1, LONGEST),
)  # fmt: skip
def test_all_trades_at_once_end_as_each_does_bar_by_bar(bars, side, stop, target, seen):
    stop, target = (stop, target) if side > 0 else (target, stop)
    columns = [np.array([[b[i] if t < seen else np.nan for t, b in enumerate(bars)]], dtype=float) for i in range(4)]
    levels = (np.array([np.nan if level is None else float(level)]) for level in (stop, target))
    found = exits(Bars(*columns), np.array([side]), *levels, np.array([seen]))
    expected = bar_by_bar(bars[:seen], side, stop, target)
    if expected is None:
        assert found.why[0] == 0
    else:
        assert (REASONS[found.why[0]], found.at[0], found.level[0]) == expected


def bar_by_bar(bars, side, stop, target):
    for t, (opened, high, low, _) in enumerate(bars):
        beyond_target = target is not None and (opened >= target if side > 0 else opened <= target)
        if beyond_target and t:
            return "TARGET", t, opened
        if stop is not None and (low <= stop if side > 0 else high >= stop):
            return "STOP", t, min(opened, stop) if side > 0 else max(opened, stop)
        if target is not None and (high >= target if side > 0 else low <= target):
            return "TARGET", t, max(opened, target) if side > 0 else min(opened, target)
    return ("TIME", LONGEST - 1, bars[-1][3]) if len(bars) == LONGEST else None


@pytest.mark.parametrize("seed", range(6))
def test_the_result_is_the_cash_that_the_paper_broker_would_have_ended_with(seed):
    rng, way = np.random.default_rng(seed), ("BUY", "SELL") if seed % 2 else ("SELL", "BUY")
    sign = 1 if way[0] == "BUY" else -1
    rows = [FLAT]
    while len(rows) < 30:
        opened, close = rows[-1][3] * (1 + rng.normal(0, 0.02, 2)).round(2)
        rows.append((opened, max(opened, close) + 1, min(opened, close) - 1, close))
    stop, target = 100 - 4 * sign, 100 + 5 * sign
    broker, account = broker_of({"AAA": rows}, costs=CostModel()), account_of("missed")
    missed(account, 0, direction="LONG" if sign > 0 else "SHORT", stop_loss=stop, take_profit=target)
    outcomes = known(account, panel_of({"AAA": rows}))
    broker.place(request("in", way[0], quantity=100))
    for t, day in enumerate(DAYS[1:30]):
        broker.open_session("paper", day)
        if not t:
            leaving = {"quantity": 100, "reducing": True, "oca_group": "x", "session": DAYS[0]}
            broker.place(request("stop", way[1], "STP", stop_price=stop, **leaving))
            broker.place(request("target", way[1], "LMT", limit_price=target, **leaving))
        broker.trade_session("paper", day)
        broker.close_session("paper", day)
    assert outcomes[0].exit_reason in {"STOP", "TARGET"}
    fees = sum(activity.amount for day in DAYS[1:30] for activity in broker.activities("paper", day))
    borrowed = -(100 * D(str(rows[1][0])) * D("0.003") / 252).quantize(D("0.01"))
    nights = DAYS.index(outcomes[0].exit_session) - 1
    mine = outcomes[0].result - (0 if sign > 0 else nights * borrowed)
    assert mine == pytest.approx(broker.cash("paper") - 100_000 - fees, abs=D("0.01") * (1 + nights))


@pytest.mark.parametrize("status", ["REJECTED", "CANCELLED", "EXPIRED", "FAILED"])
def test_whatever_kept_a_signal_from_being_filled_it_is_scored(status):
    account = account_of()
    missed(account, status=status)
    assert len(known(account, after())) == 1


@pytest.mark.parametrize("status", ["PENDING", "VALIDATED", "EXECUTING", "EXECUTED"])
def test_what_may_still_be_filled_or_was_is_not_missed(status):
    account = account_of()
    missed(account, status=status)
    assert known(account, after()) == []


def test_a_signal_of_which_something_was_filled_and_a_close_are_not_missed():
    account = account_of()
    partly = missed(account, status="FAILED")
    Order.objects.create(
        account=account, signal=partly, client_order_id="x", purpose="ENTRY", mode="DRY_RUN", session=DAYS[0], symbol="AAA", side="BUY",
        order_type="MKT", quantity=100, filled_quantity=40,
    )  # fmt: skip
    missed(account, 1, ("AAA", "LONG", 100), direction="CLOSE")
    assert known(account, after()) == []


def test_a_signal_that_repeats_one_that_would_still_be_open_is_the_same_trade():
    account = account_of()
    for t in range(25):
        missed(account, t)
    missed(account, 3, key="other")
    rows = known(account, panel_of({"AAA": [FLAT] * 50}))
    entered = [(row.signal.strategy.key, row.entry_session) for row in rows]
    # The next one is decided at the close at which the first would have been sold.
    assert entered == [("trend", DAYS[1]), ("other", DAYS[4]), ("trend", DAYS[21])]


def test_a_symbol_that_does_not_trade_at_the_next_open_was_not_missed_and_one_that_stops_trading_ends_at_its_last_close():
    account = account_of()
    missed(account)
    assert known(account, panel_of({"AAA": [FLAT, None, *CALM]})) == []
    (row,) = known(account, panel_of({"AAA": [FLAT, FLAT, (100, 104, 100, 103), *[None] * 28], "BBB": [FLAT] * 31}))
    assert (row.exit_reason, row.exit_session) == ("TIME", DAYS[20])
    assert row.result == (100 * (103 * D("0.9997") - 100 * D("1.0003")) - 2).quantize(D("0.01"))


def test_a_split_on_the_way_changes_nothing():
    halved = [tuple(price / 2 for price in row) for row in ((100, 105, 99, 104), (104, 104, 89, 92))]
    account = account_of()
    missed(account, stop_loss=90)
    panel = panel_of({"AAA": [FLAT, FLAT, *halved]}, {"AAA": [0.5, 0.5, 1.0, 1.0]})
    (row,) = known(account, panel)
    assert (row.exit_reason, row.exit_session) == ("STOP", DAYS[3])
    assert row.result == (100 * (90 * D("0.9997") - 100 * D("1.0003")) - 2).quantize(D("0.01"))


def test_the_legs_of_a_pair_are_added_up_after_twenty_sessions():
    account = account_of()
    panel = panel_of({"AAA": [FLAT, *[(100, 112, 88, 110)] * 30], "BBB": [FLAT, *[(100, 112, 88, 95)] * 30]})
    missed(account, 0, ("AAA", "LONG", 50), ("BBB", "SHORT", 40))
    (row,) = known(account, panel)
    long = (50 * (110 * D("0.9997") - 100 * D("1.0003"))).quantize(D("0.01")) - 2
    short = (40 * (100 * D("0.9997") - 95 * D("1.0003"))).quantize(D("0.01")) - 2 - 19 * D("0.05")
    assert (row.result, row.quantity, row.r_multiple, row.exit_reason) == (long + short, 50, None, "TIME")


def test_structures_of_options_are_left_out():
    account = account_of()
    legs = [{"symbol": "AAA", "direction": "LONG", "ratio": 0.5, "units": 100, "quantity": 100}]
    signal = missed(account)
    signal.legs = legs
    signal.save()
    assert known(account, after()) == []


def test_a_signal_without_a_size_gets_that_of_an_empty_account_or_else_one_per_cent():
    """57 sessions make a volatility, a few do not. The risk budget is 1 % of 100,000, the stop 5 away."""
    account = account_of(risk_per_trade_pct=D("0.01"))
    swings = [(100, 102, 99, 100 + t % 2) for t in range(58)]
    panel = panel_of({"AAA": [*swings[:57], FLAT, FLAT, (94, 94, 94, 94)]})
    for t in (4, 57):
        EquitySnapshot.objects.create(account=account, snapshot_date=DAYS[t], total_equity=D(100_000))
    none = ("AAA", "LONG", 0)
    missed(account, 57, none, stop_loss=95)
    missed(account, 57, none, stop_loss=95, key="portfolio", weight=D("0.5"), signal_metadata={"sizing": {"weight": 0.2}})
    missed(account, 57, none, stop_loss=95, key="small", weight=D("0.05"))
    missed(account, 4, none, stop_loss=95, key="early")
    closes = panel.close[0, :58]
    sigma = np.std(closes[1:] / closes[:-1] - 1, ddof=1) * 252**0.5
    rows = {row.signal.strategy.key: (int(row.quantity), row.exit_reason) for row in known(account, panel)}
    assert rows == {
        "trend": (200, "STOP"),
        "portfolio": (196, "STOP"),  # 0.2 of its half of twice the equity, less 2 %
        "small": (int(0.05 * 100_000 * 0.20 / sigma / 100), "STOP"),  # its part of a volatility of 20 %
        "early": (10, "TIME_1PCT"),
    }


def test_recording_again_changes_nothing_and_late_sessions_do_not_take_over_what_earlier_ones_knew():
    account, panel = account_of(), after(FLAT, (97, 98, 94, 95))
    missed(account, stop_loss=96)
    missed(account, 5, key="other")
    before = [vars(row) | {"_state": None} for row in known(account, panel)]
    with CaptureQueriesContext(connection) as queries:
        assert [vars(row) | {"_state": None} for row in known(account, panel)] == before
    assert not [query for query in queries if query["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]
    assert len(before) == 2


def test_bars_after_the_session_do_not_count():
    account, panel = account_of(), after(FLAT, FLAT, (80, 80, 80, 80))
    missed(account, stop_loss=96)
    for t in (1, 2):
        assert missed_record(account, DAYS[t], panel) == []
        assert missed_record(account, DAYS[t], replace(panel.until(DAYS[t]))) == []
