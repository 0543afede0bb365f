"""The journal and the scores of behaviour over the API."""

from datetime import date
from decimal import Decimal as D

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from analytics.models import BehaviourScore
from tests.api_world import build_world
from trading.models import TradeJournal

pytestmark = pytest.mark.django_db
LINES = b"symbol,direction,realized_pnl,emotion_state\nAAPL,LONG,95,calm\nMSFT,SHORT,-5,\n"
WORDS = {"execution_quality": 4, "emotion_state": "calm", "mistake_tags": ["sell_fly"], "lesson_learned": "Wait."}


@pytest.fixture
def world():
    return build_world()


def send(world, role="owner", content=LINES, **fields):
    body = {"account": world.account.pk, "file": SimpleUploadedFile("trades.csv", content), **fields}
    return world.client(role).post("/api/v1/journal/import/", body, format="multipart")


def test_the_latest_scores_are_read_with_their_details(world):
    for day, overall in ((date(2013, 2, 22), 40), (date(2013, 3, 1), None)):
        BehaviourScore.objects.create(account=world.account, session=day, overall_score=overall, details={"habits": None})
    answer = world.client("reader").get(f"/api/v1/journal/behavior/?account={world.account.pk}")
    assert answer.status_code == 200
    assert (answer.json()["session"], answer.json()["overall_score"], answer.json()["details"]) == ("2013-03-01", None, {"habits": None})


def test_without_a_judged_week_there_is_none(world):
    answer = world.client("owner").get(f"/api/v1/journal/behavior/?account={world.account.pk}")
    assert (answer.status_code, answer.json()["code"]) == (404, "no_behaviour")
    assert world.client("owner").get("/api/v1/journal/behavior/").status_code == 400


def test_an_entry_is_completed_then_reviewed_and_stands(world):
    client, url = world.client("trader"), f"/api/v1/journal/{world.journal.pk}"
    assert client.post(f"{url}/review/", {}, format="json").status_code == 409
    done = client.post(f"{url}/complete/", WORDS, format="json").json()
    assert {name: done[name] for name in WORDS} == WORDS
    assert done["journal_status"] == "COMPLETED"
    assert client.post(f"{url}/review/", {"lesson_learned": "Wait longer."}, format="json").json()["journal_status"] == "REVIEWED"
    assert client.post(f"{url}/complete/", {}, format="json").status_code == 409
    world.journal.refresh_from_db()
    assert (world.journal.lesson_learned, world.journal.emotion_state) == ("Wait longer.", "calm")


@pytest.mark.parametrize("words", [{"execution_quality": 6}, {"emotion_state": "bored"}, {"mistake_tags": "sell_fly"}])
def test_what_cannot_be_written_is_refused(world, words):
    assert world.client("owner").post(f"/api/v1/journal/{world.journal.pk}/complete/", words, format="json").status_code == 400


@pytest.mark.parametrize(("role", "status"), [("anonymous", 401), ("other", 404), ("reader", 403), ("trader", 200), ("owner", 200)])
def test_only_who_may_trade_writes(world, role, status):
    client = world.client(role)
    assert client.post(f"/api/v1/journal/{world.journal.pk}/complete/", WORDS, format="json").status_code == status
    assert send(world, role).status_code == status


@pytest.mark.parametrize(("role", "status"), [("anonymous", 401), ("other", 404), ("reader", 200)])
def test_whoever_may_look_exports(world, role, status):
    assert world.client(role).get(f"/api/v1/journal/export/?account={world.account.pk}").status_code == status


def test_the_export_is_a_csv_file_of_the_account(world):
    answer = world.client("owner").get(f"/api/v1/journal/export/?account={world.account.pk}")
    assert answer["Content-Type"].startswith("text/csv")
    assert "journal-FUND-1.csv" in answer["Content-Disposition"]
    text = answer.content.decode("utf-8-sig").splitlines()
    assert text[0].startswith("symbol,direction,") and text[1].startswith("AAPL,LONG,") and len(text) == 2


def test_an_import_is_a_dry_run_unless_it_says_otherwise(world):
    assert send(world).json() == {"dry_run": True, "lines": 2, "new": 2, "known": 0, "errors": []}
    assert TradeJournal.objects.count() == 1
    assert send(world, dry_run="false").json()["new"] == 2
    assert list(TradeJournal.objects.filter(position=None).order_by("pk").values_list("symbol", "realized_pnl", "journal_status")) == [
        ("AAPL", D("95.00"), "COMPLETED"),
        ("MSFT", D("-5.00"), "DRAFT"),
    ]
    assert send(world, dry_run="false").json()["known"] == 2


def test_wrong_lines_are_named_and_nothing_is_written(world):
    wrong = LINES + b"TSLA,UP,,\n"
    for dry_run, status in (("true", 200), ("false", 400)):
        answer = send(world, content=wrong, dry_run=dry_run)
        assert answer.status_code == status
        assert [(error["line"], error["column"]) for error in answer.json()["errors"]] == [(4, "direction")]
    assert TradeJournal.objects.count() == 1


def test_a_file_that_is_none_is_refused(world):
    assert send(world, content=b"\xff").json()["code"] == "not_csv"
    assert world.client("owner").post("/api/v1/journal/import/", {"account": world.account.pk}, format="multipart").status_code == 400
