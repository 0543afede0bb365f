"""The journal's tab: a card of behaviour, a form for each entry, and CSV out and in, all by plain forms."""

from datetime import date

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from analytics.behaviour.record import behaviour_record
from analytics.models import BehaviourScore
from quant_site.core.models import AccountMember
from tests.accounting_world import SESSIONS
from tests.pages_world import account_make, user_make
from tests.test_behaviour_record import LAST, Desk, planned
from trading.models import TradeJournal

pytestmark = pytest.mark.django_db
WORDS = {"execution_quality": "4", "emotion_state": "calm", "mistake_tags": ["sell_fly", "no_plan"], "lesson_learned": "Wait."}
TAB = {"tab": "journal"}


@pytest.fixture
def account(client):
    owner = user_make("owner")
    client.force_login(owner)
    client.cookies["django_language"] = "en"
    return account_make(owner)


@pytest.fixture
def entry(account):
    return TradeJournal.objects.get(account=account)


def page(client, **query) -> str:
    return client.get("/trades/", TAB | query).content.decode()


def upload(client, account, content=b"symbol,direction\nMSFT,LONG\n", **fields):
    return client.post("/trades/journal/import/", {"account": account.pk, "file": SimpleUploadedFile("t.csv", content), **fields})


def test_a_draft_is_completed_by_its_form_and_then_reviewed(client, entry):
    assert f"entry={entry.pk}#journal-entry" in page(client)
    assert "Save the entry" in page(client, entry=entry.pk)
    assert "Review it" not in page(client, entry=entry.pk)
    answer = client.post(f"/trades/journal/{entry.pk}/complete/", WORDS, follow=True)
    entry.refresh_from_db()
    assert (entry.journal_status, entry.execution_quality, entry.mistake_tags) == ("COMPLETED", 4, ["sell_fly", "no_plan"])
    assert f"The entry on {entry.symbol} is written." in answer.content.decode()
    assert "Sold too soon" in answer.content.decode()
    assert "Review it" in page(client, entry=entry.pk)
    client.post(f"/trades/journal/{entry.pk}/review/", WORDS)
    entry.refresh_from_db()
    assert entry.journal_status == "REVIEWED"
    assert "Save the entry" not in page(client, entry=entry.pk)


def test_what_was_written_stands_in_the_form_and_strange_tags_stay(client, entry):
    TradeJournal.objects.filter(pk=entry.pk).update(mistake_tags=["own_word"], lesson_learned="Slow down.", emotion_state="fomo")
    text = page(client, entry=entry.pk)
    assert "Slow down." in text and 'value="own_word"' in text and '<option value="fomo" selected>' in text


def test_what_is_wrong_is_said_beside_its_field_and_nothing_is_written(client, entry):
    answer = client.post(f"/trades/journal/{entry.pk}/complete/", WORDS | {"execution_quality": "9"})
    assert answer.status_code == 400
    assert 'class="error" role="alert"' in answer.content.decode() and "Wait." in answer.content.decode()
    entry.refresh_from_db()
    assert entry.journal_status == "DRAFT"


def test_a_reviewed_entry_refuses_and_says_so(client, entry):
    TradeJournal.objects.filter(pk=entry.pk).update(journal_status="REVIEWED")
    assert client.post(f"/trades/journal/{entry.pk}/complete/", WORDS).status_code == 409


def test_a_reader_sees_neither_forms_nor_is_obeyed(account, entry):
    reader, browser = user_make("reader"), Client()
    AccountMember.objects.create(account=account, user=reader, role=AccountMember.Role.READ)
    browser.force_login(reader)
    text = page(browser, entry=entry.pk)
    assert "Export CSV" in text or "CSV" in text
    assert f"/trades/journal/{entry.pk}/complete/" not in text and "/trades/journal/import/" not in text
    assert browser.post(f"/trades/journal/{entry.pk}/complete/", WORDS).status_code == 403
    assert upload(browser, account).status_code == 403
    assert browser.get("/trades/journal/export/").status_code == 200


def test_another_person_finds_nothing(account, entry):
    browser = Client()
    browser.force_login(user_make("stranger"))
    assert browser.post(f"/trades/journal/{entry.pk}/complete/", WORDS).status_code == 404
    assert upload(browser, account).status_code == 404
    assert browser.get("/trades/journal/export/", {"account": account.pk}).status_code == 404


def test_forms_need_their_token_and_a_link_does_nothing(account, entry):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(account.owner)
    assert strict.post(f"/trades/journal/{entry.pk}/complete/", WORDS).status_code == 403
    assert strict.get(f"/trades/journal/{entry.pk}/complete/").status_code == 302
    entry.refresh_from_db()
    assert entry.journal_status == "DRAFT"


def test_a_file_is_looked_at_first_and_imported_when_ticked(client, account):
    looked = upload(client, account)
    assert "1 would be new" in looked.content.decode()
    assert TradeJournal.objects.count() == 1
    done = upload(client, account, write="on")
    assert (done.status_code, TradeJournal.objects.filter(symbol="MSFT").count()) == (302, 1)


def test_wrong_lines_are_listed_and_a_wrong_file_is_refused(client, account):
    listed = upload(client, account, b"symbol,direction\nMSFT,UP\n", write="on")
    assert listed.status_code == 400
    assert "Line 2" in listed.content.decode()
    assert upload(client, account, b"colour\n").status_code == 400
    assert TradeJournal.objects.count() == 1


def test_the_export_is_a_file(client, account):
    answer = client.get("/trades/journal/export/", {"account": account.pk})
    assert answer["Content-Disposition"] == f'attachment; filename="journal-{account.pk}.csv"'


def test_before_the_first_week_the_card_says_when_there_will_be_scores(client, account):
    assert "No week has been judged yet" in page(client)


def scores_of(desk, account) -> None:
    behaviour_record(desk.account, SESSIONS[LAST], desk.panel)
    BehaviourScore.objects.update(account=account)


def test_the_card_shows_scores_habits_and_the_excess_over_chance(client, account):
    desk = Desk({103: 94.0, 125: 130.0})
    desk.close(103, desk.open(100, stop=95), price=94, purpose="STOP")
    desk.close(120, desk.open(110, stop=90, plan=planned(desk, 110)), price=110)
    scores_of(desk, account)
    text = page(client)
    for words in (
        "What departing from plans cost",
        "Overall score",
        "60.0",
        "Flew beyond chance",
        "ended by a stop 1",
        "Disposition effect",
        "By hand",
    ):
        assert words in text
    assert "has no number" not in text


def test_the_card_says_why_a_number_is_missing(client, account):
    desk = Desk()
    desk.close(100, desk.open(90, "turtle"))
    scores_of(desk, account)
    text = page(client)
    assert "no trade came to its first stop while it was open" in text
    assert "nothing was traded by hand" in text


def test_scores_of_the_last_week_are_shown(client, account):
    scores_of(Desk(), account)
    details = BehaviourScore.objects.get().details
    BehaviourScore.objects.create(account=account, session=date(2013, 1, 4), overall_score=50, details=details)
    assert "2013-01-04" in page(client)
