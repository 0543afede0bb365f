"""Every session of a history is attributed to the cent in each dimension, and each bucket is what other means say it is."""

from collections import defaultdict
from decimal import Decimal as D

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.models import Attribution, MissedOutcome
from quant_site.core.models import Account
from tests.attribution_world import SECTORS, AttributedHistory
from trading.models import CashEntry, EquitySnapshot, Fill

pytestmark = pytest.mark.django_db


def amounts(row, dimension):
    return {key: D(text) for key, text in row.buckets[dimension].items()}


def booked(history, t, *kinds):
    entries = CashEntry.objects.filter(account=history.account, session=history.days[t], kind__in=kinds)
    return sum(entries.values_list("amount", flat=True), D(0))


def fills(history, t):
    return Fill.objects.filter(account=history.account, session=history.days[t]).select_related("order__position__strategy")


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 10_000), sessions=st.integers(2, 22))
def test_every_dimension_of_every_session_adds_up_to_the_equity_change_less_flows(seed, sessions):
    history = AttributedHistory(f"wild-{Account.objects.count()}", seed)
    history.run(last=sessions)
    equity = D(0)
    for snapshot in EquitySnapshot.objects.filter(account=history.account).order_by("snapshot_date"):
        row = Attribution.objects.get(account=history.account, session=snapshot.snapshot_date)
        assert row.total == snapshot.total_equity - equity - snapshot.net_flow
        assert {name: sum(amounts(row, name).values(), D(0)) for name in row.buckets} == dict.fromkeys(row.buckets, row.total)
        assert set(row.buckets) == {"STRATEGY", "SYMBOL", "SECTOR", "STAGE"}
        equity = snapshot.total_equity
    assert Fill.objects.filter(account=history.account).exists() or sessions < 10


@pytest.fixture(scope="module")
def judged(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), transaction.atomic():
        yield AttributedHistory(seed=3, sessions=60).run()
        transaction.set_rollback(True)


def row_of(history, t):
    return Attribution.objects.get(account=history.account, session=history.days[t])


def test_the_signal_stage_is_what_trades_made_at_their_decision_prices_and_missed_and_smaller_ones_would_have(judged):
    for t in range(len(judged.days)):
        missed = MissedOutcome.objects.filter(account=judged.account, session=judged.days[t]).values_list("result", flat=True)
        stage = amounts(row_of(judged, t), "STAGE")
        assert stage["SIZE"] == -judged.made_smaller(t)
        assert stage["SIGNAL"] == judged.signal_profit(t) + sum(missed, D(0)) + judged.made_smaller(t)
    assert MissedOutcome.objects.count() > 3
    assert sum(judged.made_smaller(t) != 0 for t in range(len(judged.days))) > 3


def test_the_other_stages_are_what_the_books_and_the_bars_say(judged):
    seen = defaultdict(D)
    for t in range(len(judged.days)):
        stage, costs = amounts(row_of(judged, t), "STAGE"), {"TIMING": D(0), "PRICE": D(0)}
        for fill in fills(judged, t):
            signed = fill.quantity if fill.side == "BUY" else -fill.quantity
            opened = D(str(judged.panel.open[judged.panel.row(fill.symbol), t]))
            costs["TIMING"] -= signed * (opened - fill.order.decision_price)
            costs["PRICE"] -= signed * (fill.price - opened)
        assert {name: stage[name] for name in costs} == costs
        assert stage["FEE"] == booked(judged, t, "COMMISSION")
        assert stage["DATA"] == booked(judged, t, "DIVIDEND", "BORROW")
        for name, amount in stage.items():
            seen[name] += abs(amount)
    assert all(seen.values())


def test_strategies_and_symbols_get_what_their_own_fills_and_dividends_made(judged):
    before, totals = defaultdict(D), defaultdict(D)
    for t in range(len(judged.days)):
        now = judged.profits(t)
        made = {key: now[key] - before[key] for key in now}
        strategies = amounts(row_of(judged, t), "STRATEGY")
        if not booked(judged, t, "DIVIDEND"):
            assert strategies == {key: amount for key, amount in sorted(made.items()) if amount}
        before = defaultdict(D, now)
        for symbol, amount in amounts(row_of(judged, t), "SYMBOL").items():
            totals[symbol] += amount
    last = len(judged.days) - 1
    for symbol in judged.closes:
        own = D(0)
        for fill in Fill.objects.filter(account=judged.account, symbol=symbol):
            sign = 1 if fill.side == "BUY" else -1
            own += sign * (fill.quantity * judged.price(symbol, last) - fill.amount) - fill.commission
        own += sum(CashEntry.objects.filter(account=judged.account, symbol=symbol, kind="DIVIDEND").values_list("amount", flat=True), D(0))
        assert totals[symbol] == own


def test_a_sector_is_the_sum_of_its_symbols_and_what_has_none_is_unknown(judged):
    for t in range(len(judged.days)):
        row, sums = row_of(judged, t), defaultdict(D)
        for symbol, amount in amounts(row, "SYMBOL").items():
            sums[SECTORS.get(symbol, "UNKNOWN")] += amount
        assert amounts(row, "SECTOR") == {sector: amount for sector, amount in sums.items() if amount}
