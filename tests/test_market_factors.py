"""Daily factors and rates: which column is which series, in which unit, and what becomes of each value."""

import io
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest
from django.core.management import CommandError, call_command
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_site.core.errors import InvalidInput
from quant_site.core.models import AuditLog
from quant_site.market.models import BarImport
from quant_site.market.reference.series import parse_series
from quant_site.market.reference.services import factors_import
from quant_site.market.reference.store import SERIES, reference_store
from quant_site.market.sessions import is_session, sessions_between

AT = datetime(2024, 6, 12, 15, 0, tzinfo=UTC)  # a Wednesday, the session still trades


def daily(count=30, first=date(2024, 1, 2), **columns):
    """`count` sessions with columns of numbers, repeated as needed."""
    days = [str(day) for day in sessions_between(first, date(2024, 6, 11))[:count]]
    return numbered(pd.DataFrame({"date": days} | {name: np.resize(values, count) for name, values in columns.items()}))


def numbered(frame):
    return frame.set_axis(np.arange(len(frame)) + 2, axis=0)


def parse(frame, unit=""):
    return parse_series(frame, "x.csv", unit=unit, at=AT)


def values(parsed, name):
    rows = parsed.frame[parsed.frame["item"] == name]
    return dict(zip(rows["date"].dt.strftime("%Y-%m-%d"), rows["value"], strict=True))


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Mkt-RF", "MKT_RF"),
        (" MKT-RF ", "MKT_RF"),
        ("smb", "SMB"),
        ("HML", "HML"),
        ("RMW", "RMW"),
        ("CMA", "CMA"),
        ("Mom   ", "MOM"),
        ("UMD", "MOM"),
        ("RF", "RF"),
        ("tbill_3m_pct", "TBILL_3M"),
        ("mkt_rf_pct", "MKT_RF"),
    ],
)
def test_names_of_the_library_are_known_and_mean_percent(written, name):
    parsed = parse(daily(2, **{written: [0.5, -1.25]}))
    assert list(values(parsed, name).values()) == pytest.approx([0.005, -0.0125]) and not parsed.rejections


@pytest.mark.parametrize("unit", ["percent", "decimal"])
def test_a_unit_that_is_said_holds_for_every_column(unit):
    parsed = parse(daily(2, MKT_RF=[0.01, 0.02], TBILL_3M=[0.05, 0.04]), unit)
    scale = 0.01 if unit == "percent" else 1.0
    assert list(values(parsed, "MKT_RF").values()) == pytest.approx([0.01 * scale, 0.02 * scale])
    assert list(values(parsed, "TBILL_3M").values()) == pytest.approx([0.05 * scale, 0.04 * scale])


@pytest.mark.parametrize(
    ("columns", "unit", "words"),
    [
        ({"MKT_RF": [0.5]}, "", "Whether MKT_RF of x.csv is in percent cannot be told.*--unit percent or --unit decimal"),
        ({"tbill_3m": [5.1]}, "", "Whether tbill_3m of x.csv"),
        ({"tbill_3m_pct": [5.1]}, "decimal", "tbill_3m_pct of x.csv says percent and --unit decimal"),
        ({"SMB": [0.002, -0.004]}, "", "SMB of x.csv is typically 0.00300 if in percent, which is too little: say --unit decimal"),
        ({"SMB": [0.6, -0.4]}, "decimal", "SMB of x.csv is typically 0.5000 as a decimal, which is too much: say --unit percent"),
        ({"tbill_3m": [4.1]}, "decimal", "TBILL_3M of x.csv is typically 4.1000 as a decimal"),
    ],
)
def test_a_unit_that_is_unclear_or_contradicted_is_refused_with_what_to_say(columns, unit, words):
    with pytest.raises(InvalidInput, match=words):
        parse(daily(30, **columns), unit)


def test_small_factors_in_percent_are_taken_when_it_is_said():
    assert values(parse(daily(30, SMB=[0.002]), "percent"), "SMB")["2024-01-02"] == pytest.approx(0.00002)


@pytest.mark.parametrize(
    ("day", "value", "reason"),
    [
        ("03/01/2024", 0.1, "BAD_DATE"),
        (None, 0.1, "BAD_DATE"),
        ("2024-06-12", 0.1, "FUTURE_DATE"),
        ("2024-06-13", 0.1, "FUTURE_DATE"),
        ("2024-01-06", 0.1, "NOT_A_SESSION"),
        ("2024-01-15", 0.1, "NOT_A_SESSION"),
        ("2024-01-04", "abc", "NOT_A_NUMBER"),
        ("2024-01-04", float("inf"), "NOT_A_NUMBER"),
        ("2024-01-04", 50.1, "OUT_OF_RANGE"),
        ("2024-01-04", -50.1, "OUT_OF_RANGE"),
        ("2024-01-02", 0.1, "DUPLICATE_DATE"),
    ],
)
def test_a_bad_value_is_rejected_for_its_reason_and_the_others_stay(day, value, reason):
    frame = numbered(pd.DataFrame({"date": ["2024-01-02", "2024-01-03", day], "SMB": pd.Series([0.5, 0.6, value], dtype=object)}))
    parsed = parse(frame)
    assert [(each["row"], each["reason"]) for each in parsed.rejections] == [(4, reason)]
    assert parsed.rejections[0]["detail"] and parsed.rejections[0]["item"] in ("factors", "SMB")
    assert values(parsed, "SMB") == pytest.approx({"2024-01-02": 0.005, "2024-01-03": 0.006})


def test_a_bad_cell_costs_its_own_series_only_and_a_blank_costs_nothing():
    frame = daily(3, **{"Mkt-RF": [0.5], "SMB": [0.5], "RF": [0.02]}).astype({"SMB": object, "RF": object})
    frame.loc[3, "SMB"], frame.loc[4, "RF"] = "x", None
    parsed = parse(frame)
    assert [(each["row"], each["item"], each["reason"]) for each in parsed.rejections] == [(3, "SMB", "NOT_A_NUMBER")]
    assert parsed.frame["item"].value_counts().to_dict() == {"MKT_RF": 3, "SMB": 2, "RF": 2}


@pytest.mark.parametrize("blank", [-99.99, -999])
def test_the_library_writes_unknown_as_a_number_of_its_own(blank):
    parsed = parse(daily(3, SMB=[0.5, blank, 0.6]))
    assert list(values(parsed, "SMB")) == ["2024-01-02", "2024-01-04"] and not parsed.rejections


def test_a_rate_may_be_set_on_a_day_without_a_session_and_a_factor_may_not():
    days = ["2024-01-11", "2024-01-12", "2024-01-15", "2024-01-16"]  # Monday the 15th: banks and exchange are closed
    parsed = parse(numbered(pd.DataFrame({"date": days, "tbill_3m_pct": [5.0, 5.1, 5.2, 5.3], "SMB": 0.5})))
    assert list(values(parsed, "TBILL_3M")) == days
    assert [(each["row"], each["item"], each["reason"]) for each in parsed.rejections] == [(4, "factors", "NOT_A_SESSION")]


def test_rows_before_the_calendar_are_left_out_and_counted_not_rejected():
    days = ["1926-07-01", "1926-07-02", "1926-07-06", "1962-01-02", "1962-01-03", "1962-01-04", "1962-01-05"]
    parsed = parse(numbered(pd.DataFrame({"date": days, "SMB": 0.5})))
    assert list(values(parsed, "SMB")) == days[3:] and not parsed.rejections
    assert parsed.notes == ["3 rows are from before 1962-01-02, where the calendar begins, and were left out."]


@pytest.mark.parametrize(
    "days",
    [
        [192607, 192608, 192609],
        ["1926", "1927", "1928"],
        ["2023-01-31", "2023-02-28", "2023-03-31", "2023-04-28"],
        ["2024-01-05", "2024-01-12", "2024-01-19", "2024-01-26"],
    ],
    ids=["months", "years", "ends of months", "weeks"],
)
def test_values_that_are_not_daily_are_refused(days):
    with pytest.raises(InvalidInput, match=r"x\.csv holds no daily values of SMB.*Get the daily file"):
        parse(pd.DataFrame({"date": days, "SMB": 0.5}))


def test_a_monthly_series_in_a_daily_table_is_refused_too():
    frame = daily(100, SMB=[0.5], CMA=[0.5])
    frame.loc[frame.index % 21 > 0, "CMA"] = None
    with pytest.raises(InvalidInput, match="no daily values of CMA"):
        parse(frame)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (["date", "Open", "Close"], "x.csv has no known series; it can have mkt-rf, smb"),
        (["Mkt-RF", "date"], "The first column of x.csv is Mkt-RF: it must be the date"),
        (["date", "Mom", "UMD"], "x.csv has more than one column for MOM"),
        (["date", "SMB", "SMB.1"], "x.csv has more than one column for SMB"),
    ],
)
def test_columns_that_cannot_be_told_apart_are_refused(columns, words):
    with pytest.raises(InvalidInput, match=words):
        parse(pd.DataFrame([["2024-01-02", 0.5, 0.5][: len(columns)]], columns=columns))


def test_columns_that_are_no_known_series_are_named_once():
    parsed = parse(daily(2, SMB=[0.5], VIX=[15.0], Note=["x"]))
    assert parsed.notes == ["Columns that are no known series were ignored: VIX, Note."] and set(parsed.frame["item"]) == {"SMB"}


cell = st.one_of(st.floats(), st.integers(-100, 100), st.sampled_from(["", " ", "x", None, "0.5", -99.99]))
day = st.one_of(st.dates(date(2024, 5, 20), date(2024, 6, 30)).map(str), st.text(max_size=12), st.none(), st.dates().map(str))
table = st.lists(st.fixed_dictionaries({"date": day, "SMB": cell, "tbill_3m_pct": cell}), min_size=1, max_size=15)


@settings(max_examples=80, deadline=None)
@given(rows=table)
def test_whatever_comes_in_what_is_taken_is_a_value_of_a_day_that_can_be(rows):
    frame = numbered(pd.DataFrame(rows, columns=["date", "SMB", "tbill_3m_pct"], dtype=object))
    try:
        parsed = parse(frame)
    except InvalidInput as error:
        assert error.code in ("not_daily", "ambiguous_unit", "implausible_unit")
        return
    taken = parsed.frame
    assert set(taken["item"]) <= {"SMB", "TBILL_3M"} and not taken.duplicated(["item", "date"]).any()
    assert taken["value"].abs().le(0.5).all()
    assert all(each < date(2024, 6, 12) for each in taken["date"].dt.date)
    assert all(is_session(each) for each in taken[taken["item"] == "SMB"]["date"].dt.date)
    assert taken.equals(taken.sort_values(["item", "date"]))
    assert len({(each["row"], each["item"]) for each in parsed.rejections}) == len(parsed.rejections)


@pytest.fixture
def folder(tmp_path, market_dir):
    path = tmp_path / "factors"
    path.mkdir()
    return path


def run(*arguments):
    out = io.StringIO()
    call_command("import_factors", *map(str, arguments), stdout=out, stderr=io.StringIO())
    return out.getvalue()


@pytest.mark.django_db
def test_the_command_shows_what_was_taken_and_every_rejected_row(folder):
    frame = daily(5, **{"Mkt-RF": [0.5], "SMB": [0.25]}).astype({"SMB": object})
    frame.loc[4, "SMB"] = "x"
    frame.to_csv(folder / "ff.csv", index=False)
    said = run(folder / "ff.csv", "--source", "French")
    assert "MKT_RF       2024-01-02 2024-01-08       5        0  new" in said
    assert "SMB          2024-01-02 2024-01-08       4        1  new" in said
    assert "ff.csv, SMB: row 4 (2024-01-04) rejected, NOT_A_NUMBER: the value is 'x'." in said
    assert "9 values of 2 series: 2 changed, 0 left as they were; 1 rejected." in said
    log = BarImport.objects.get()
    assert (log.kind, log.symbol, log.accepted, log.rejected, log.changed) == ("FACTORS", "", 9, 1, True)
    assert log.rejections[0]["file"] == "ff.csv" and log.source == "French (ff.csv)"
    entry = AuditLog.objects.get()
    assert (entry.action_type, entry.actor, entry.details["items"]) == ("FACTORS_IMPORT", "import_factors", ["MKT_RF", "SMB"])


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("write", "arguments", "words"),
    [
        (lambda folder: daily(5, MKT_RF=[0.5]).to_csv(folder / "a.csv", index=False), (), "say --unit percent or --unit decimal"),
        (lambda folder: (folder / "a.csv").write_text("date,SMB\n2024-01-06,0.5\n"), (), "every one of the 1 rows was rejected"),
        (lambda folder: (folder / "a.csv").write_text("date,SMB\n2024-01-05,\n"), (), "no row has a value"),
        (lambda folder: (folder / "a.csv").write_text("date,SMB\n2024-01-05,0.5\n2024-01-06,0.5\n"), ("--strict",), "none may be"),
        (lambda folder: (folder / "a.parquet").write_bytes(b"none"), (), "cannot be read as Parquet"),
        (
            lambda folder: [daily(5, SMB=[0.5]).to_csv(folder / f"{name}.csv", index=False) for name in "ab"],
            (),
            "in a.csv and again in b.csv",
        ),
    ],
)
def test_bad_input_is_named_and_changes_nothing(folder, write, arguments, words):
    write(folder)
    with pytest.raises(CommandError, match=words):
        run(folder, *arguments)
    assert reference_store().digests() == () and not BarImport.objects.exists() and not AuditLog.objects.exists()


@pytest.mark.django_db
def test_an_unknown_unit_is_refused(folder):
    with pytest.raises(InvalidInput, match="bps is no unit: use percent or decimal"):
        factors_import(path=folder, unit="bps")


@pytest.mark.django_db
def test_real_factors_and_rates_come_in_without_a_rejection(market_fixtures, market_dir):
    def read(part):
        frame = pd.read_csv(market_fixtures / f"{part}.csv.gz", index_col="date")
        return frame[frame.index >= "1962-01-02"] / 100

    three, momentum, bills = read("factors/ff3_daily"), read("factors/mom_daily"), read("rates/tbill_3m")
    for part in ("factors/ff3_daily", "factors/mom_daily", "rates/tbill_3m"):
        assert factors_import(path=market_fixtures / f"{part}.csv.gz").log.rejected == 0
    stored = reference_store().read(SERIES)
    counts = {"MKT_RF": len(three), "SMB": len(three), "HML": len(three), "RF": len(three), "MOM": len(momentum), "TBILL_3M": len(bills)}
    assert stored["item"].value_counts().to_dict() == counts
    for name, wanted in (("MKT_RF", three["Mkt-RF"]), ("MOM", momentum["Mom"]), ("TBILL_3M", bills["tbill_3m_pct"])):
        rows = stored[stored["item"] == name]
        assert rows["date"].dt.strftime("%Y-%m-%d").tolist() == wanted.index.tolist()
        assert rows["value"].to_numpy() == pytest.approx(wanted.to_numpy(), abs=1e-15)
    with pytest.raises(InvalidInput, match=r"ff5_monthly\.csv\.gz holds no daily values"):
        factors_import(path=market_fixtures / "factors" / "ff5_monthly.csv.gz")
