"""The system drafts the journal; people complete and review it, in that order."""

from decimal import Decimal as D

import pytest
from django.contrib.auth import get_user_model

from quant_site.core.errors import Conflict, InvalidInput
from quant_site.core.models import AuditLog
from tests.accounting_world import SESSIONS, World
from trading.books.journal import journal_complete, journal_review
from trading.books.ledger import fills_book
from trading.models import Position, TradeJournal


@pytest.fixture
def entry(db):
    world = World()
    fills_book(account=world.account, fills=[world.trade("AAA", "BUY", 10, "50", signal=world.signal())])
    position = Position.objects.get()
    fills_book(account=world.account, fills=[world.trade("AAA", "SELL", 10, "52", purpose="EXIT", position=position, session=SESSIONS[2])])
    return TradeJournal.objects.get()


@pytest.fixture
def person(db):
    return get_user_model().objects.create_user("ada", password="not-secret-1")


def test_a_draft_is_completed_then_reviewed_and_both_are_audited(entry, person):
    journal_complete(entry=entry, actor=person, execution_quality=4, emotion_state="calm", mistake_tags=["late"])
    journal_complete(entry=entry, actor=person, lesson_learned="Wait for the close.")
    journal_review(entry=entry, actor=person)
    entry.refresh_from_db()
    assert (entry.journal_status, entry.execution_quality, entry.lesson_learned) == ("REVIEWED", 4, "Wait for the close.")
    assert list(AuditLog.objects.filter(actor="ada").order_by("id").values_list("action_type", flat=True)) == [
        "JOURNAL_COMPLETED",
        "JOURNAL_COMPLETED",
        "JOURNAL_REVIEWED",
    ]


def test_a_draft_cannot_be_reviewed_nor_a_review_be_edited(entry, person):
    with pytest.raises(Conflict, match="DRAFT cannot become REVIEWED"):
        journal_review(entry=entry, actor=person)
    journal_complete(entry=entry, actor=person)
    journal_review(entry=entry, actor=person)
    with pytest.raises(Conflict, match="REVIEWED cannot become COMPLETED"):
        journal_complete(entry=entry, actor=person, lesson_learned="Too late.")


@pytest.mark.parametrize(
    "fields", [{"execution_quality": 6}, {"execution_quality": 0}, {"emotion_state": "sleepy"}, {"realized_pnl": D("1000")}]
)
def test_what_a_person_may_not_write_is_refused_and_changes_nothing(entry, person, fields):
    with pytest.raises(InvalidInput):
        journal_complete(entry=entry, actor=person, **fields)
    entry.refresh_from_db()
    assert (entry.journal_status, entry.realized_pnl, entry.execution_quality) == ("DRAFT", D("18"), None)
    assert not AuditLog.objects.filter(actor="ada").exists()
