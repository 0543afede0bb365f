"""Implied volatilities and sectors from files, and what the reference store does with any set."""

import io
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from quant_site.core.errors import Conflict, InvalidInput
from quant_site.core.locks import exclusive
from quant_site.core.models import AuditLog
from quant_site.market import parquet as storing
from quant_site.market.models import BarImport
from quant_site.market.reference.imports import parse_implied_vols
from quant_site.market.reference.rows import parse_sectors
from quant_site.market.reference.services import sectors_import, volatility_import
from quant_site.market.reference.store import IMPLIED_VOL, SECTORS, reference_store, table_digest

AT = datetime(2024, 6, 12, 15, 0, tzinfo=UTC)
VOLS = "date,AAA,BBB\n2024-06-03,0.30,0.20\n2024-06-04,0.31,\n2024-06-05,0.32,0.22\n"


def numbered(frame):
    return frame.set_axis(np.arange(len(frame)) + 2, axis=0)


@pytest.fixture
def folder(tmp_path, market_dir):
    path = tmp_path / "tables"
    path.mkdir()
    return path


def write(folder, name, text):
    (folder / name).write_text(text)
    return folder / name


def run(command, *arguments):
    out = io.StringIO()
    call_command(command, *map(str, arguments), stdout=out, stderr=io.StringIO())
    return out.getvalue()


@pytest.mark.parametrize(
    ("value", "reason", "words"),
    [
        (0, "OUT_OF_RANGE", "0 as a decimal is not within 0 (excluded) to 5"),
        (-0.2, "OUT_OF_RANGE", "-0.2 as a decimal"),
        (5.01, "OUT_OF_RANGE", "5.01 as a decimal"),
        ("x", "NOT_A_NUMBER", "the value is 'x'"),
    ],
)
def test_a_volatility_that_cannot_be_is_rejected_and_a_blank_is_unknown(value, reason, words):
    columns = {"AAA": pd.Series([0.3, value, None, 5.0], dtype=object), "BBB": [0.2, 0.2, 0.2, 0.2]}
    frame = numbered(pd.DataFrame({"date": ["2024-06-03", "2024-06-04", "2024-06-05", "2024-06-06"]} | columns))
    parsed = parse_implied_vols(frame, "x.csv", at=AT)
    assert [(each["row"], each["item"], each["reason"]) for each in parsed.rejections] == [(3, "AAA", reason)]
    assert words in parsed.rejections[0]["detail"]
    assert parsed.frame["item"].tolist() == ["AAA"] * 2 + ["BBB"] * 4


def test_a_volatility_of_a_closed_day_is_rejected_once_for_its_row():
    frame = numbered(pd.DataFrame({"date": ["2024-06-07", "2024-06-08"], "AAA": 0.3, "BBB": 0.2}))
    parsed = parse_implied_vols(frame, "x.csv", at=AT)
    assert [(each["row"], each["item"], each["reason"]) for each in parsed.rejections] == [(3, "implied volatilities", "NOT_A_SESSION")]


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (pd.DataFrame({"date": ["2024-06-03"] * 3, "AAA": [30.0, 25.0, 28.0]}), "x.csv looks like percent.*0.25 for 25 %"),
        (pd.DataFrame({"date": ["2024-06-03"]}), "x.csv has no column beside the date"),
        (pd.DataFrame({"date": ["2024-06-03"], "../AAA": [0.3]}), "'../AAA' is not a symbol"),
        (pd.DataFrame({"date": ["2024-06-03"], "AAA": [0.3], "AAA.1": [0.3]}), "more than one column for AAA"),
    ],
)
def test_a_table_of_volatilities_that_cannot_be_is_refused(frame, words):
    with pytest.raises(InvalidInput, match=words):
        parse_implied_vols(frame, "x.csv", at=AT)


def test_a_sector_needs_a_symbol_and_a_name_and_the_first_of_a_symbol_is_kept():
    rows = [
        ("mmm", "Industrials"),
        (None, "Energy"),
        ("A B", "Energy"),
        ("XOM", " "),
        ("MMM", "Energy"),
        ("XOM", "x" * 65),
        ("XOM", " Energy "),
    ]
    parsed = parse_sectors(numbered(pd.DataFrame(rows, columns=["Symbol", "GICS Sector"])), "x.csv")
    reasons = [(3, "BAD_SYMBOL"), (4, "BAD_SYMBOL"), (5, "NO_SECTOR"), (6, "DUPLICATE_SYMBOL"), (7, "NO_SECTOR")]
    assert [(each["row"], each["reason"]) for each in parsed.rejections] == reasons
    assert parsed.frame.to_dict("list") == {"item": ["MMM", "XOM"], "sector": ["Industrials", "Energy"]}
    with pytest.raises(InvalidInput, match=r"x\.csv lacks the column sector; its columns are: symbol, name"):
        parse_sectors(pd.DataFrame([["MMM", "3M"]], columns=["symbol", "name"]), "x.csv")


@pytest.mark.django_db
def test_the_commands_show_what_was_taken(folder):
    said = run("import_volatility", write(folder, "vol.csv", VOLS))
    assert "AAA          2024-06-03 2024-06-05       3        0  new" in said
    assert "5 values of 2 symbols: 2 changed, 0 left as they were; 0 rejected." in said
    said = run("import_sectors", write(folder, "s.csv", "symbol,sector\nAAA,Energy\nBBB,Energy\nCCC,Utilities\n,Energy\n"))
    assert f"{'Energy':<32} {2:>7}" in said and "s.csv, rows: row 5 rejected, BAD_SYMBOL: the symbol is blank." in said
    assert "3 sectors of 3 symbols: 3 changed, 0 left as they were; 1 rejected." in said
    said = run("import_sectors", write(folder, "s.csv", "symbol,sector\nAAA,Materials\n"))
    assert "AAA: replaces 1 row (Energy), folder: s.csv" in said
    reports = write(folder, "r.csv", "symbol,period_ending,net_income\nAAA,2023-12-31,5\nBBB,2023-12-31,x\n")
    said = run("import_fundamentals", reports)
    assert "AAA          2023-12-31 2023-12-31       1        0  new" in said
    assert "r.csv, BBB: row 3 (2023-12-31) rejected, NOT_A_NUMBER: net_income is 'x'." in said
    assert list(BarImport.objects.order_by("id").values_list("kind", flat=True)) == ["IMPLIED_VOL", "SECTORS", "SECTORS", "FUNDAMENTALS"]


@pytest.mark.django_db
def test_many_rejections_are_cut_short_unless_all_are_asked_for(folder):
    rows = "".join(f"2024-05-{day:02},0.3,-1\n" for day in range(1, 32))
    path = write(folder, "vol.csv", f"date,AAA,BBB\n{rows}")
    said = run("import_volatility", path)
    assert "vol.csv, BBB: 2 more rejected; --all-rejections lists them." in said and said.count("OUT_OF_RANGE") == 20
    assert run("import_volatility", path, "--all-rejections").count("OUT_OF_RANGE") == 22 == (len(rows.splitlines()) - 9)
    assert len(BarImport.objects.first().rejections) == 22 + 9


@pytest.mark.django_db
def test_what_is_stored_of_a_symbol_is_replaced_as_a_whole_and_other_symbols_stay(folder):
    volatility_import(path=write(folder, "one.csv", VOLS), source="one")
    done = volatility_import(path=write(folder, "two.csv", "date,BBB,CCC\n2024-06-06,0.4,0.5\n"), source="two")
    assert [(each.item, each.outcome) for each in done.items] == [
        ("BBB", "replaces 2 rows, 2024-06-03 to 2024-06-05, one"),
        ("CCC", "new"),
    ]
    stored = reference_store().read(IMPLIED_VOL)
    assert stored.groupby("item", observed=True)["source"].agg(["first", "size"]).to_dict("index") == {
        "AAA": {"first": "one", "size": 3},
        "BBB": {"first": "two", "size": 1},
        "CCC": {"first": "two", "size": 1},
    }


@pytest.mark.django_db
def test_a_symbol_without_one_good_row_keeps_what_was_stored(folder):
    volatility_import(path=write(folder, "vol.csv", VOLS))
    done = volatility_import(path=write(folder, "vol.csv", "date,AAA,BBB\n2024-06-03,0.35,-1\n"))
    assert [(each.item, each.rows, each.outcome[:13]) for each in done.items] == [("AAA", 1, "replaces 3 ro"), ("BBB", 0, "no usable row")]
    assert reference_store().read(IMPLIED_VOL)["value"].tolist() == [0.35, 0.2, 0.22]


@pytest.mark.django_db
def test_the_same_content_again_changes_nothing_but_the_log(folder):
    path = write(folder, "vol.csv", VOLS)
    volatility_import(path=path)
    file = reference_store().path(IMPLIED_VOL)
    written = file.stat().st_mtime_ns
    pd.read_csv(path).iloc[::-1, [0, 2, 1]].to_csv(path, index=False)  # in another order
    done = volatility_import(path=path)
    assert not done.log.changed and {each.outcome for each in done.items} == {"unchanged"} and file.stat().st_mtime_ns == written
    assert BarImport.objects.count() == 2 and AuditLog.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_failure_while_writing_leaves_rows_and_file_as_they_were(folder, monkeypatch):
    volatility_import(path=write(folder, "vol.csv", VOLS))

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(storing.os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        volatility_import(path=write(folder, "vol.csv", VOLS.replace("0.30", "0.35")))
    assert reference_store().read(IMPLIED_VOL)["value"].iloc[0] == 0.3
    assert [path.name for path in reference_store().root.iterdir()] == ["implied_vol.parquet"]
    assert BarImport.objects.count() == AuditLog.objects.count() == 1


@pytest.mark.django_db
def test_two_imports_do_not_run_at_once(folder):
    with exclusive("reference"), pytest.raises(Conflict, match="Another import is running"):
        volatility_import(path=write(folder, "vol.csv", VOLS))
    assert reference_store().digests() == ()


@pytest.mark.django_db
def test_a_path_that_is_not_there_is_refused(folder):
    with pytest.raises(CommandError, match="There is no file or folder"):
        run("import_sectors", folder / "missing.csv")


def test_the_digest_follows_content_and_source_and_nothing_else(market_dir):
    frame = pd.DataFrame({"item": ["AAA", "BBB"], "sector": ["Energy", "Utilities"], "source": ["one", "one"]})
    digest, changed = reference_store().write(SECTORS, frame)
    assert changed and reference_store().write(SECTORS, frame) == (digest, False)
    assert table_digest(reference_store().read(SECTORS)) == digest == table_digest(frame[["source", "item", "sector"]])
    assert (
        len({digest, table_digest(frame.assign(source="two")), table_digest(frame.assign(sector="Energy")), table_digest(frame[:1])}) == 4
    )


@pytest.mark.django_db(transaction=True)
def test_the_migration_of_imports_can_be_taken_back():
    executor = MigrationExecutor(connection)
    executor.migrate([("market", "0001_initial")])
    old = executor.loader.project_state([("market", "0001_initial")]).apps.get_model("market", "BarImport")
    old.objects.create(symbol="AAA", source="x")
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())
    assert BarImport.objects.get().kind == "BARS"


@pytest.mark.django_db
def test_real_volatilities_and_sectors_come_in_without_a_rejection(market_fixtures, market_dir):
    path = market_fixtures / "vol" / "implied_vol_3m_atm_stocks.csv.gz"
    raw = pd.read_csv(path, index_col="date")
    done = volatility_import(path=path)
    assert (done.log.accepted, done.log.rejected, len(done.items)) == (raw.notna().to_numpy().sum(), 0, raw.shape[1]) == (49050, 0, 15)
    stored = reference_store().read(IMPLIED_VOL)
    assert all((stored[stored["item"] == symbol]["value"].to_numpy() == raw[symbol].to_numpy()).all() for symbol in raw)
    path = market_fixtures / "fundamentals" / "sectors_2016.csv.gz"
    raw = pd.read_csv(path).set_index("symbol")["gics_sector"]
    assert sectors_import(path=path).log.rejected == 0
    stored = reference_store().read(SECTORS)
    assert dict(zip(stored["item"], stored["sector"], strict=True)) == raw.to_dict() and len(raw) == 505
