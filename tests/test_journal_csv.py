"""The journal as CSV: what a spreadsheet gets, and trades made elsewhere."""

import csv
import io
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_site.core.errors import InvalidInput
from quant_site.core.models import AuditLog
from quant_site.core.services import account_create
from trading.books.journal_csv import COLUMNS, journal_csv, journal_import
from trading.models import TradeJournal

HEADER = "symbol,direction,entry_date,exit_date,entry_price,exit_price,quantity,realized_pnl"
LINE = "AAPL,LONG,2024-01-03,2024-02-01,180.5,190,10,95.00"


@pytest.fixture
def account(db):
    return account_create(id="FUND-1")


def read(account, *lines, header=HEADER, dry_run=False):
    return journal_import(account=account, content="\n".join([header, *lines]).encode(), actor="tester", dry_run=dry_run)


def entries(account) -> list[TradeJournal]:
    return list(TradeJournal.objects.filter(account=account).order_by("pk"))


def test_a_line_becomes_a_draft_without_a_position(account):
    done = read(account, LINE)
    assert (done.lines, done.new, done.known, done.errors) == (1, 1, 0, ())
    [entry] = entries(account)
    assert (entry.position_id, entry.journal_status) == (None, "DRAFT")
    assert (entry.symbol, entry.direction, str(entry.entry_date), str(entry.exit_date)) == ("AAPL", "LONG", "2024-01-03", "2024-02-01")
    assert (entry.entry_price, entry.exit_price, entry.quantity, entry.realized_pnl) == (D("180.5"), D(190), D(10), D("95.00"))
    assert AuditLog.objects.get(action_type="JOURNAL_IMPORT").details["new"] == 1


@pytest.mark.parametrize(
    ("words", "status"), [("4,,,", "COMPLETED"), (",calm,,", "COMPLETED"), (",,sell_fly;chase_high,", "DRAFT"), (",,,Wait.", "DRAFT")]
)
def test_an_emotion_or_a_quality_makes_it_completed(account, words, status):
    read(account, f"{LINE},{words}", header=f"{HEADER},execution_quality,emotion_state,mistake_tags,lesson_learned")
    [entry] = entries(account)
    assert entry.journal_status == status
    assert entry.mistake_tags == (["sell_fly", "chase_high"] if "sell_fly" in words else [])


def test_a_dry_run_says_what_would_be_and_writes_nothing(account):
    done = read(account, LINE, dry_run=True)
    assert (done.dry_run, done.new) == (True, 1)
    assert entries(account) == []
    assert not AuditLog.objects.filter(action_type="JOURNAL_IMPORT").exists()


def test_one_wrong_line_keeps_everything_out_and_each_is_named(account):
    wrong = ["AAPL,SIDEWAYS,2024-01-03,,1,,1,", "A B,LONG,2024-13-01,,x,,-1,"]
    done = read(account, LINE, *wrong)
    assert [(error.line, error.column) for error in done.errors] == [(3, "direction"), (4, "symbol"), (4, "entry_date"), (4, "entry_price")]
    assert "LONG or SHORT" in done.errors[0].message
    assert (done.new, entries(account)) == (0, [])


@pytest.mark.parametrize(
    ("line", "column"),
    [
        ("AAPL,LONG,2024-02-01,2024-01-03,1,1,1,1", "exit_date"),
        ("AAPL,LONG,2999-01-01,,1,1,1,1", "entry_date"),
        ("AAPL,LONG,,,0,1,1,1", "entry_price"),
        ("AAPL,LONG,,,1,1,-1,1", "quantity"),
        ("AAPL,LONG,,,1,1,1,NaN", "realized_pnl"),
        ("AAPL,LONG,,,1,1,1,1e30", "realized_pnl"),
        ('AAPL,LONG,,,"1,000.50",1,1,1', "entry_price"),
        ("AAPL,CLOSE,,,1,1,1,1", "direction"),
        ("AAPL,LONG,,,1,1,1,1,more", ""),
    ],
)
def test_what_cannot_be_a_trade_is_refused_with_its_column(account, line, column):
    [error] = read(account, line).errors
    assert (error.line, error.column) == (2, column)


@pytest.mark.parametrize(("value", "name"), [("6", "execution_quality"), ("good", "execution_quality"), ("bored", "emotion_state")])
def test_what_a_person_cannot_write_is_refused(account, value, name):
    [error] = read(account, f"AAPL,LONG,{value}", header=f"symbol,direction,{name}").errors
    assert error.column == name


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "bad_header"),
        (b"symbol\nAAPL", "bad_header"),
        (b"symbol,direction,colour\n", "bad_header"),
        (b"symbol,direction,symbol\n", "bad_header"),
        (b"\xff\xfe\x00", "not_csv"),
        (b'symbol,direction\n"AAPL,LONG', "not_csv"),
        (b"x" * 2_000_001, "file_too_large"),
        (b"symbol,direction\n" + b"A,LONG\n" * 10_001, "too_many_lines"),
    ],
)
def test_what_is_no_such_file_is_refused(account, content, code):
    with pytest.raises(InvalidInput) as refused:
        journal_import(account=account, content=content, actor="tester")
    assert refused.value.code == code


def test_importing_again_adds_nothing_even_after_a_person_wrote_into_it(account):
    read(account, LINE)
    TradeJournal.objects.update(emotion_state="calm", journal_status="COMPLETED", lesson_learned="Wait.")
    done = read(account, LINE, LINE.replace("AAPL", "MSFT"))
    assert (done.new, done.known) == (1, 1)
    assert [entry.symbol for entry in entries(account)] == ["AAPL", "MSFT"]


def test_two_equal_trades_in_one_file_are_two(account):
    assert read(account, LINE, LINE).new == 2
    assert read(account, LINE, LINE).new == 0
    assert read(account, LINE, LINE, LINE).new == 1


def test_the_same_trade_on_another_account_is_another(account):
    read(account, LINE)
    assert read(account_create(id="FUND-2"), LINE).new == 1


def test_what_was_exported_is_known(account):
    common = {"account": account, "symbol": "AAPL", "direction": "SHORT", "entry_price": D("1.123456"), "realized_pnl": D("-12.50")}
    TradeJournal.objects.create(**common, quantity=D(100), lesson_learned='=1+1, "quoted"\nand more', mistake_tags=["@home", "b"])
    content = "\ufeff" + journal_csv(entries(account))
    done = journal_import(account=account, content=content.encode(), actor="tester", dry_run=False)
    assert (done.lines, done.new, done.known, done.errors) == (1, 0, 1, ())


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "'=1"])
def test_no_cell_begins_a_formula_and_numbers_stay_numbers(account, text):
    TradeJournal.objects.create(account=account, symbol="AAPL", direction="LONG", lesson_learned=text, realized_pnl=D("-5.00"))
    [row] = csv.DictReader(io.StringIO(journal_csv(entries(account))))
    assert row["lesson_learned"] == f"'{text}"
    assert row["realized_pnl"] == "-5"
    assert list(row) == list(COLUMNS)


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",), exclude_characters="\x00"), max_size=30)


@given(WORDS)
def test_a_lesson_comes_back_as_it_was_written(text):
    lesson = text.strip()
    written = journal_csv([TradeJournal(symbol="AAPL", direction="LONG", lesson_learned=lesson)])
    [row] = csv.DictReader(io.StringIO(written, newline=""))
    assert (row["lesson_learned"][1:] if row["lesson_learned"].startswith("'") else row["lesson_learned"]) == lesson
