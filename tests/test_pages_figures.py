"""Figures read as a trader writes them, and the drawn series equal an independent computation."""

from datetime import date, timedelta
from decimal import Decimal as D

import pandas as pd
import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from analytics.reports.figures import compounded, growth_of_100, returns_by_month
from analytics.templatetags import figures
from analytics.words import wording

returns_lists = st.lists(st.floats(-0.2, 0.2), min_size=1, max_size=120)


@pytest.mark.parametrize(
    ("value", "text"),
    [(D("1234567.891"), "1,234,567.89"), (D("-0.004"), "0.00"), (D("-12.5"), "−12.50"), (0, "0.00"), (None, "—")],
)
def test_money_has_separators_and_no_negative_zero(value, text):
    assert figures.money(value) == text


@pytest.mark.parametrize(("value", "css", "text"), [(D("12"), "up", "+12.00"), (D("-12"), "down", "−12.00"), (D("0.001"), "flat", "0.00")])
def test_a_gain_has_a_sign_beside_its_colour(value, css, text):
    assert figures.gain(value) == f'<span class="num {css}">{text}</span>'


@pytest.mark.parametrize(("value", "text"), [(D("300.862"), "300.8620"), (D("29.70"), "29.70"), (D("0.123456"), "0.1235"), (None, "—")])
def test_a_price_has_two_decimals_or_four(value, text):
    assert figures.price(value) == text


@pytest.mark.parametrize(("value", "text"), [(D("120.000000"), "120"), (D("-3.5"), "−3.5000"), (12000, "12,000")])
def test_shares_are_whole_where_they_are_whole(value, text):
    assert figures.shares(value) == text


@pytest.mark.parametrize(
    "show", [figures.money, figures.gain, figures.percent, figures.change, figures.depth, figures.ratio, figures.points]
)
def test_undefined_is_never_a_number(show):
    assert show(None) == "—"


def test_a_ratio_is_shown_in_per_cent():
    assert figures.percent(D("0.0812"), 1) == "8.1%"
    assert "+8.12%" in figures.change(D("0.0812"))


def test_times_are_those_of_new_york():
    assert figures.new_york(pd.Timestamp("2012-07-02T20:15", tz="UTC").to_pydatetime()) == "07-02 16:15"


@given(returns_lists)
def test_growth_of_100_is_the_cumulative_product(returns):
    expected = 100 * (1 + pd.Series(returns)).cumprod()
    assert growth_of_100(returns) == pytest.approx(expected.tolist(), abs=1e-3)


def test_a_session_without_a_return_is_a_gap():
    assert growth_of_100([0.1, None, 0.1]) == [110.0, None, pytest.approx(121.0)]
    assert compounded([None, None]) is None


@given(returns_lists)
def test_monthly_returns_are_those_of_pandas(returns):
    days = [date(2011, 11, 1) + timedelta(days=2 * step) for step in range(len(returns))]
    growth = 1 + pd.Series(returns, index=pd.to_datetime(days))
    by_month, by_year = growth.groupby([growth.index.year, growth.index.month]).prod() - 1, growth.groupby(growth.index.year).prod() - 1
    for year in returns_by_month(days, returns):
        assert year.change == pytest.approx(by_year[year.year])
        for month in year.months:
            assert month.change == (pytest.approx(by_month[year.year, month.month]) if (year.year, month.month) in by_month.index else None)


def test_a_violation_of_a_share_is_shown_in_per_cent_and_an_amount_in_money():
    assert wording.violation({"code": "DRAWDOWN_LIMIT", "limit": 0.2, "value": 0.2134})["value"] == "21.34%"
    assert wording.violation({"code": "SINGLE_NAME", "limit": 20000.0, "value": 23100.5})["limit"] == "20,000.00"


def test_nested_details_are_said_in_words():
    with translation.override("en"):
        said = dict(wording.facts({"golden_cross": {"status": "COMPLETED", "drafts": 2, "why": ""}, "codes": {}, "cash": "1234.50"}))
    assert said == {"Golden cross": "status Completed · drafts 2", "cash": "1,234.50"}


def test_an_unknown_code_is_shown_as_it_is():
    assert wording.violation({"code": "NEW_RULE", "message": "x"})["label"] == "NEW_RULE"
    assert wording.stage("weather") == "weather"


def test_a_limit_that_leaves_no_share_is_said_once_in_words():
    too_small = {"code": "STRATEGY_SHARE", "message": "x", "limit": 1, "value": 0}
    over = {"code": "STRATEGY_SHARE", "message": "y", "limit": 22949.35, "value": 24036.27}
    with translation.override("en"):
        assert [shown["value"] for shown in wording.violations([too_small])] == ["less than one share left"]
        assert [(shown["value"], shown["limit"]) for shown in wording.violations([too_small, over])] == [("24,036.27", "22,949.35")]


def test_an_option_is_named_by_underlying_expiry_strike_and_right():
    with translation.override("en"):
        assert figures.instrument("SPY190315P00280000") == "SPY 2019-03-15 280 put"
        assert figures.instrument("XSP190315C00287500") == "XSP 2019-03-15 287.5 call"
        assert figures.instrument("BRK.B") == "BRK.B"


def test_what_a_model_priced_is_marked_and_nothing_else():
    with translation.override("en"):
        assert ">synthetic<" in figures.synthetic({"synthetic": True})
    assert [figures.synthetic(metadata) for metadata in ({}, None, {"synthetic": False})] == ["", "", ""]
