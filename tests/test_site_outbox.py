"""Reading the outbox while transactions commit in any order, and pruning it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_site.core.models import OutboxEvent
from quant_site.core.stream.outbox import GAP_REACH, GAP_SECONDS, Cursor, cursor_at_end, events_new, events_prune

NOW = datetime(2025, 6, 2, tzinfo=UTC)


def events(*ids, age_days=0):
    OutboxEvent.objects.bulk_create([OutboxEvent(id=id, type="fill", at=NOW - timedelta(days=age_days)) for id in ids])


@given(st.permutations(range(1, 30)), st.lists(st.integers(1, 5), min_size=30, max_size=30))
def test_whatever_the_order_of_commits_each_id_is_read_exactly_once(order, sizes):
    cursor, committed, read, now = Cursor(), set(), [], 0.0
    waiting = list(order)
    for size in sizes:
        committed.update(waiting[:size])
        del waiting[:size]
        now += 0.25
        awaited = set(cursor.awaited(now))
        visible = sorted(id for id in committed if id > cursor.position or id in awaited)
        cursor.advance(visible, now)
        read += visible
    assert sorted(read) == sorted(committed)


def test_an_id_that_never_comes_is_given_up_after_some_seconds():
    cursor = Cursor(position=10)
    cursor.advance([13], now=100.0)
    assert cursor.awaited(100.0 + GAP_SECONDS - 1) == [11, 12]
    assert cursor.awaited(100.0 + GAP_SECONDS) == []


def test_a_jump_of_the_ids_does_not_make_the_search_grow_without_bound():
    cursor = Cursor(position=1)
    cursor.advance([10_000_000], now=0.0)
    assert len(cursor.awaited(0.0)) == GAP_REACH


@pytest.mark.django_db
def test_the_tail_starts_behind_what_is_there_and_waits_for_what_was_not_committed_yet():
    events(5, 6, 8)
    cursor = cursor_at_end(0.0)
    assert events_new(cursor, 0.1) == []
    events(7, 9)
    assert [event.id for event in events_new(cursor, 0.2)] == [7, 9]
    assert events_new(cursor, 0.3) == []


@pytest.mark.django_db
def test_pruning_removes_the_old_end_only():
    events(1, 2, age_days=40)
    events(3, age_days=1)
    events(4, age_days=5000)  # a replay's event carries the date of its session
    events(5)
    assert events_prune(before=NOW - timedelta(days=30)) == 2
    assert list(OutboxEvent.objects.order_by("id").values_list("id", flat=True)) == [3, 4, 5]


@pytest.mark.django_db
def test_pruning_keeps_the_newest_event_so_that_ids_go_on(monkeypatch):
    monkeypatch.setattr("quant_site.core.stream.outbox.PRUNE_BATCH", 2)
    events(*range(1, 8), age_days=40)
    assert events_prune(before=NOW - timedelta(days=30)) == 6
    assert list(OutboxEvent.objects.values_list("id", flat=True)) == [7]
    assert events_prune(before=NOW - timedelta(days=30)) == 0


@pytest.mark.django_db
def test_pruning_an_empty_outbox_is_nothing():
    assert events_prune(before=NOW) == 0
