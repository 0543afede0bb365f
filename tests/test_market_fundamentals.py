"""Reports of companies: which row is taken, and which report stands at which session. No session knows what came later."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from dateutil.relativedelta import relativedelta
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_site.core.errors import InvalidInput
from quant_site.market.models import BarImport
from quant_site.market.reference.fundamentals import FIELDS, align, mixed_periods
from quant_site.market.reference.rows import parse_fundamentals
from quant_site.market.reference.services import fundamentals_import
from quant_site.market.reference.store import FUNDAMENTALS, reference_store
from quant_site.market.sessions import is_session, next_session, previous_session, session_array

AT = datetime(2024, 6, 12, 15, 0, tzinfo=UTC)
GOOD = {"symbol": "AAA", "period_ending": "2022-12-31", "total_equity": 100.0, "total_assets": 300.0, "net_income": 10.0}


def parse(*rows):
    frame = pd.DataFrame([GOOD | row for row in rows])
    return parse_fundamentals(frame.set_axis(frame.index + 2, axis=0), "x.csv", at=AT)


def reports(*rows):
    return parse(*rows).frame


def field(table, name, session, symbol="AAA"):
    """The value of one field at one session."""
    return align(table, [symbol], np.array([session], dtype="datetime64[D]"))[name][0, 0]


@pytest.mark.parametrize(
    ("change", "reason", "words"),
    [
        ({"symbol": ""}, "BAD_SYMBOL", "the symbol is blank"),
        ({"symbol": None}, "BAD_SYMBOL", "the symbol is blank"),
        ({"symbol": "../x"}, "BAD_SYMBOL", "is not a symbol"),
        ({"period_ending": "12/31/2022"}, "BAD_DATE", "period_ending is not of the form"),
        ({"period_ending": "2024-06-30"}, "FUTURE_DATE", "the period ends on 2024-06-30, in the future"),
        ({"filing_date": "soon"}, "BAD_DATE", "filing_date is 'soon'"),
        ({"filing_date": "2024-06-13"}, "FUTURE_DATE", "it was filed on 2024-06-13, in the future"),
        ({"filing_date": "2022-12-30"}, "FILED_BEFORE_END", "before its period ended"),
        ({"net_income": "n/a?"}, "NOT_A_NUMBER", "net_income is 'n/a?'"),
        ({"total_assets": float("inf")}, "NOT_A_NUMBER", "total_assets is 'inf'"),
        ({"total_equity": None, "total_assets": None, "net_income": " "}, "NO_NUMBERS", "every number is blank"),
    ],
)
def test_a_bad_row_is_rejected_for_its_reason_and_the_others_stay(change, reason, words):
    parsed = parse({}, {"symbol": "BBB"} | change, {"symbol": "CCC"})
    assert [(each["row"], each["reason"]) for each in parsed.rejections] == [(3, reason)]
    assert words in parsed.rejections[0]["detail"]
    assert parsed.frame["item"].tolist() == ["AAA", "CCC"]


def test_of_two_rows_of_one_filing_the_first_is_kept():
    parsed = parse({"net_income": 1.0}, {"net_income": 2.0}, {"net_income": 3.0, "symbol": "aaa"})
    assert parsed.frame["net_income"].tolist() == [1.0]
    assert [(each["row"], each["reason"]) for each in parsed.rejections] == [(3, "DUPLICATE_PERIOD"), (4, "DUPLICATE_PERIOD")]


def test_a_row_without_a_filing_date_gives_way_to_a_filed_one():
    parsed = parse({"net_income": 1.0}, {"net_income": 2.0, "filing_date": "2023-02-15"})
    assert parsed.frame["net_income"].tolist() == [2.0]
    assert [(each["row"], each["detail"]) for each in parsed.rejections] == [
        (2, "another row of the period has a filing date; that one is kept")
    ]


def test_blanks_are_unknown_and_so_are_zeros_where_a_company_cannot_have_one():
    rows = {
        "net_income": 0.0,
        "total_equity": 0,
        "total_assets": None,
        "long_term_debt": 0,
        "total_revenue": 0,
        "shares": -5,
        "gross_profit": 0,
    }
    parsed = parse(rows)
    row = parsed.frame.iloc[0]
    assert (row["net_income"], row["long_term_debt"], row["total_revenue"]) == (0, 0, 0)
    assert row[["total_equity", "total_assets", "shares", "gross_profit", "cost_of_revenue"]].isna().all()
    assert parsed.repaired == 3 and "total_equity 1, gross_profit 1, shares 1" in parsed.notes[0]


def test_a_negative_equity_and_a_loss_are_numbers():
    row = reports({"total_equity": -50.0, "net_income": -3.0, "net_cash_flow_operating": -1.0}).iloc[0]
    assert (row["total_equity"], row["net_income"], row["net_cash_flow_operating"]) == (-50, -3, -1)


def test_columns_that_are_not_kept_are_named_once_and_shares_have_several_names():
    parsed = parse({"earnings_per_share": 2.0, "price_at_period_end": 30.0, "Estimated Shares Outstanding": 5e6})
    assert parsed.notes == ["Columns that are not kept were ignored: earnings_per_share, price_at_period_end."]
    assert parsed.frame["shares"].tolist() == [5e6] and set(parsed.frame) == {"item", "period_ending", "filing_date", *FIELDS}


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (["symbol", "total_equity"], "x.csv lacks the column period_ending; its columns are: symbol, total_equity"),
        (["symbol", "period_ending", "earnings_per_share"], "x.csv has none of the numbers that are kept: total_equity"),
        (["symbol", "ticker", "period_ending", "total_equity"], "more than one column for symbol"),
        (["symbol", "period_ending", "net_income", "net_income.1"], "more than one column for net_income"),
    ],
)
def test_a_table_without_its_columns_is_refused(columns, words):
    with pytest.raises(InvalidInput, match=words):
        parse_fundamentals(pd.DataFrame([[None] * len(columns)], columns=columns), "x.csv", at=AT)


@pytest.mark.parametrize(
    ("filed", "before", "first"),
    [
        ("2023-02-15", "2023-02-15", "2023-02-16"),  # Wednesday: known on the morning after
        ("2023-02-17", "2023-02-17", "2023-02-21"),  # Friday before a Monday without a session
        ("2023-02-18", "2023-02-17", "2023-02-21"),  # Saturday
        (None, "2023-03-30", "2023-03-31"),  # the 90th day after 2022-12-31 is a session
    ],
)
def test_a_report_is_invisible_the_session_before_it_is_public_and_visible_on_it(filed, before, first):
    table = reports({"filing_date": filed})
    assert np.isnan(field(table, "net_income", before))
    assert field(table, "net_income", first) == 10
    assert field(table, "fiscal_year_end", first) == (date(2022, 12, 31) - date(1970, 1, 1)).days


def test_ninety_days_that_end_on_a_day_without_a_session_end_on_the_next():
    table = reports({"period_ending": "2022-12-25"})  # the 90th day is Saturday, 2023-03-25
    assert np.isnan(field(table, "net_income", "2023-03-24")) and field(table, "net_income", "2023-03-27") == 10


def test_a_restated_report_stands_from_its_own_filing_and_the_first_until_then():
    table = reports({"net_income": 10.0, "filing_date": "2023-02-15"}, {"net_income": 4.0, "filing_date": "2023-08-10"})
    assert [field(table, "net_income", day) for day in ("2023-02-16", "2023-08-10", "2023-08-11")] == [10, 10, 4]


def test_a_late_filing_of_an_older_period_does_not_displace_a_newer_one():
    old = {"period_ending": "2021-12-31", "net_income": 7.0, "filing_date": "2023-05-10"}
    table = reports({"filing_date": "2023-02-15"}, old)
    assert field(table, "net_income", "2023-05-11") == 10
    assert np.isnan(field(table, "net_income_prior", "2023-05-10")) and field(table, "net_income_prior", "2023-05-11") == 7


def test_a_report_counts_for_eighteen_months_after_its_period():
    table = reports({"period_ending": "2022-08-31"})  # until the last day of February 2024
    assert field(table, "net_income", "2024-02-29") == 10 and np.isnan(field(table, "net_income", "2024-03-01"))
    assert np.isnan(field(table, "fiscal_year_end", "2024-03-01"))


@pytest.mark.parametrize(
    ("before", "found"), [("2021-12-31", True), ("2022-01-01", True), ("2021-12-25", True), ("2021-09-30", False), ("2022-03-31", False)]
)
def test_the_year_before_is_the_period_that_ended_a_year_earlier(before, found):
    table = reports({}, {"period_ending": before, "net_income": 7.0, "total_equity": 80.0})
    assert field(table, "net_income", "2023-06-01") == 10
    assert field(table, "net_income_prior", "2023-06-01") == pytest.approx(7 if found else np.nan, nan_ok=True)
    assert field(table, "total_equity_prior", "2023-06-01") == pytest.approx(80 if found else np.nan, nan_ok=True)


def test_a_quarter_is_compared_with_the_same_quarter_of_the_year_before():
    ends = ["2021-12-31", "2022-03-31", "2022-06-30", "2022-09-30", "2022-12-31"]
    table = reports(*({"period_ending": end, "net_income": float(place)} for place, end in enumerate(ends)))
    assert (field(table, "net_income", "2023-06-01"), field(table, "net_income_prior", "2023-06-01")) == (4, 0)


def test_symbols_without_reports_and_sessions_without_symbols_are_unknown():
    arrays = align(reports({}), ["BBB", "AAA"], session_array("2023-06-01", "2023-06-09"))
    assert np.isnan(arrays["net_income"][0]).all() and (arrays["net_income"][1] == 10).all()
    assert align(reports({}), ["AAA"], session_array("2023-06-03", "2023-06-04"))["net_income"].shape == (1, 0)


def test_years_and_quarters_are_told_apart_by_the_typical_distance_of_periods():
    years = pd.date_range("2015-12-31", periods=5, freq="YE").to_numpy()
    quarters = pd.date_range("2015-12-31", periods=5, freq="QE").to_numpy()
    moved = np.array(["2015-06-30", "2015-09-30"], dtype="datetime64[D]")  # a year that ends in another month
    assert mixed_periods({"A": years, "B": quarters, "C": moved, "D": years[:1]}) == (["A"], ["B"])


# What stands, by the definition and one session at a time: an oracle without arrays.


def public(report):
    if report["filing_date"] is not None:
        return next_session(report["filing_date"])
    day = report["period_ending"] + timedelta(days=90)
    return day if is_session(day) else next_session(day)


def standing(rows, session):
    known = sorted((row for row in rows if public(row) <= session), key=lambda row: (public(row), row["filing_date"] or date.min))
    newest = max(known, key=lambda row: row["period_ending"], default=None)
    if newest is None or session > newest["period_ending"] + relativedelta(months=18):
        return None, None
    same = [row for row in known if row["period_ending"] == newest["period_ending"]]
    wanted = newest["period_ending"] - timedelta(days=365)
    near = [row for row in known if abs((row["period_ending"] - wanted).days) <= 45]
    closest = min((abs((row["period_ending"] - wanted).days) for row in near), default=None)
    prior = [row for row in near if abs((row["period_ending"] - wanted).days) == closest]
    return same[-1]["net_income"], prior[-1]["net_income"] if prior else None


year_end = st.sampled_from([date(2012, 12, 31), date(2013, 12, 31), date(2014, 12, 31)])
period = st.builds(
    lambda end, days: end + timedelta(days=days), year_end, st.sampled_from([-90, -46, -45, -44, -4, -1, 0, 0, 1, 44, 45, 46])
)
report = st.builds(
    lambda symbol, end, lag, income: {
        "symbol": symbol,
        "period_ending": end,
        "filing_date": None if lag is None else end + timedelta(days=lag),
        "net_income": float(income),
    },
    st.sampled_from(["AAA", "BBB"]),
    period,
    st.one_of(st.none(), st.integers(0, 120), st.integers(300, 700)),
    st.integers(1, 10**6),
)


def turning_points(rows):
    """The sessions at which what stands may change, and those before them."""
    days = {public(row) for row in rows} | {next_session(row["period_ending"] + relativedelta(months=18)) for row in rows}
    return np.array(sorted(days | {previous_session(day) for day in days}), dtype="datetime64[D]")


@settings(max_examples=100, deadline=None)
@given(rows=st.lists(report, min_size=1, max_size=12))
def test_at_every_session_stands_what_the_definition_says(rows):
    frame = pd.DataFrame(rows).assign(filing_date=lambda table: pd.to_datetime(table["filing_date"]))
    parsed = parse_fundamentals(frame.set_axis(range(len(frame)), axis=0), "x.csv", at=AT)
    assert len(parsed.frame) + len(parsed.rejections) == len(rows)
    dropped = {each["row"] for each in parsed.rejections}
    sessions = turning_points(rows)
    arrays = align(parsed.frame, ["AAA", "BBB"], sessions)
    for place, symbol in enumerate(("AAA", "BBB")):
        own = [row for number, row in enumerate(rows) if row["symbol"] == symbol and number not in dropped]
        wanted = np.array([standing(own, session) for session in sessions.tolist()], dtype=float)
        assert np.array_equal(arrays["net_income"][place], wanted[:, 0], equal_nan=True)
        assert np.array_equal(arrays["net_income_prior"][place], wanted[:, 1], equal_nan=True)


@pytest.mark.django_db
def test_reports_of_quarters_are_not_stored_beside_reports_of_years(tmp_path, market_dir):
    for name, step in (("years", "YE"), ("quarters", "QE")):
        ends = pd.date_range("2018-12-31", periods=5, freq=step).strftime("%Y-%m-%d")
        pd.DataFrame({"symbol": name, "period_ending": ends, "net_income": 1.0}).to_csv(tmp_path / f"{name}.csv", index=False)
    fundamentals_import(path=tmp_path / "years.csv")
    with pytest.raises(InvalidInput, match=r"Reports of years \(1 symbols: YEARS.*quarters \(1: QUARTERS.*remove .*fundamentals.parquet"):
        fundamentals_import(path=tmp_path / "quarters.csv")
    assert BarImport.objects.count() == 1 and set(reference_store().read(FUNDAMENTALS)["item"]) == {"YEARS"}


@pytest.mark.django_db
def test_real_reports_come_in_without_a_rejection_and_stand_when_they_should(market_fixtures, market_dir):
    path = market_fixtures / "fundamentals" / "annual_2012_2016.csv.gz"
    raw = pd.read_csv(path)
    done = fundamentals_import(path=path)
    assert (done.log.accepted, done.log.rejected) == (len(raw), 0) == (1318, 0)
    never_zero = raw[["gross_profit", "total_current_assets", "total_current_liabilities"]].eq(0).to_numpy().sum()
    assert done.log.repaired == never_zero + (raw["estimated_shares_outstanding"] <= 0).sum() == 520
    stored = reference_store().read(FUNDAMENTALS)
    assert stored["item"].nunique() == raw["symbol"].nunique() and stored["total_equity"].sum() == raw["total_equity"].sum()
    assert stored["shares"].notna().sum() == (raw["estimated_shares_outstanding"] > 0).sum()
    apple = raw[raw["symbol"] == "AAPL"].set_index("period_ending")["net_income"]
    sessions = np.array(["2014-12-24", "2014-12-26"], dtype="datetime64[D]")  # the 90th day after 2014-09-27 is the 26th
    arrays = align(stored, ["AAPL"], sessions)
    assert arrays["net_income"][0].tolist() == [apple["2013-09-28"], apple["2014-09-27"]]
    assert np.isnan(arrays["net_income_prior"][0, 0]) and arrays["net_income_prior"][0, 1] == apple["2013-09-28"]
