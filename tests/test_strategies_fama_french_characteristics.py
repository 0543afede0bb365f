"""Book-to-market and size by hand: which fiscal year counts, and in which prices shares are counted."""

import numpy as np
import pytest

from quant_site.market.panel import Panel
from quant_site.market.reference import Reference
from quant_site.market.sessions import session_array
from strategies.library.characteristics import valuation

SESSIONS = session_array("2012-12-03", "2014-12-31")


def column(day: str) -> int:
    """The column of the first session from `day` on."""
    return int(np.searchsorted(SESSIONS, np.datetime64(day)))


def before(day) -> np.ndarray:
    return np.datetime64(day) > SESSIONS


def panel_of(close, factor, *, years=(2012, 2013), equity=500.0, shares=100.0, sources=None):
    """One or more companies (rows of `close`) that report `equity` and `shares` for each fiscal year, 90 days after its end."""
    close, factor = (np.atleast_2d(values + np.zeros(len(SESSIONS))) for values in (close, factor))
    fields = {name: np.full(close.shape, np.nan) for name in ("total_equity", "shares", "fiscal_year_end")}
    fields |= {f"{name}_prior": np.full(close.shape, np.nan) for name in ("total_equity", "shares")}
    for k, year in enumerate(years):
        end = np.datetime64(f"{year}-12-31")
        known = np.searchsorted(SESSIONS, end + 90)
        for name, given in (("total_equity", equity), ("shares", shares)):
            values = np.atleast_1d(given)
            fields[f"{name}_prior"][:, known:] = fields[name][:, known:] if k else np.nan
            fields[name][:, known:] = values[min(k, len(values) - 1)]
        fields["fiscal_year_end"][:, known:] = end.astype(int)
    names = tuple("AB"[: len(close)])
    arrays = [close.copy() for _ in range(4)] + [np.full(close.shape, 1e6), factor.copy()]
    return Panel(names, SESSIONS.copy(), *arrays, sources=sources or {}, reference=Reference(fundamentals=fields))


def dividend(at="2012-12-10", size=0.99):
    """A factor that shows that prices are raw: a dividend early on."""
    return np.where(before(at), size, 1.0)


def test_market_value_is_the_raw_close_at_the_fiscal_year_end_times_the_shares_of_that_day():
    close = np.where(before("2013-01-01"), 10.0, 12.0)
    values = valuation(panel_of(close, dividend()), 6)
    t = column("2013-07-01")
    assert values.book_to_market[0, t] == pytest.approx(500 / (10 * 100))
    assert values.market_value[0, t] == pytest.approx(10 * 100 * 12 / 10)


def test_a_fiscal_year_counts_from_six_months_after_its_end_and_the_one_before_until_then():
    close = np.where(before("2013-06-01"), 10.0, 20.0)
    values = valuation(panel_of(close, dividend(), equity=(500.0, 800.0)), 6)
    # From the first session of June on the year that ended in December is six months old.
    assert np.isnan(values.book_to_market[0, : column("2013-06-01")]).all()
    assert values.book_to_market[0, column("2013-06-03")] == pytest.approx(500 / 1000)
    # The report of 2013 is public at the end of March 2014; until June its year is too young and the one before stands.
    assert values.book_to_market[0, column("2014-05-30")] == pytest.approx(500 / 1000)
    assert values.book_to_market[0, column("2014-06-02")] == pytest.approx(800 / 2000)


@pytest.mark.parametrize("ratio", [2, 7, 1 / 10])
def test_a_split_after_the_report_changes_neither_value(ratio):
    split = "2013-10-01"
    whole = np.where(before("2013-09-01"), 70.0, 84.0)
    raw = np.where(before(split), whole, whole / ratio)
    factor = dividend() * np.where(before(split), 1 / ratio, 1.0)
    values = valuation(panel_of(raw, factor), 6)
    for day in ("2013-09-30", "2013-10-01", "2014-01-15"):
        t = column(day)
        assert values.book_to_market[0, t] == pytest.approx(500 / 7000)
        assert values.market_value[0, t] == pytest.approx(8400)


def test_shares_reported_across_a_split_are_of_an_unknown_count():
    split = "2013-02-01"
    raw = np.where(before(split), 40.0, 20.0)
    factor = dividend() * np.where(before(split), 0.5, 1.0)
    values = valuation(panel_of(raw, factor), 6)
    assert np.isnan(values.book_to_market[0, : column("2014-06-01")]).all()
    # The next fiscal year has no split near it.
    assert values.book_to_market[0, column("2014-06-02")] == pytest.approx(500 / 2000)


def test_adjusted_prices_alone_say_nothing_of_market_value():
    values = valuation(panel_of(10.0, 1.0), 6)
    assert np.isnan(values.book_to_market).all()
    assert np.isnan(values.market_value).all()


def test_one_dividend_of_a_source_shows_that_its_prices_are_raw():
    close = np.full((2, len(SESSIONS)), 10.0)
    factor = np.vstack([dividend("2013-08-15"), np.ones(len(SESSIONS))])
    same, apart = (
        valuation(panel_of(close, factor, sources=sources), 6).book_to_market for sources in ({"A": "x", "B": "x"}, {"A": "x", "B": "y"})
    )
    paid = column("2013-08-15")
    assert np.isnan(same[:, paid - 1]).all()
    assert np.isfinite(same[:, paid]).all()
    assert np.isfinite(apart[0, paid])
    assert np.isnan(apart[1]).all()


@pytest.mark.parametrize("given", [{"equity": -500.0}, {"equity": 0.0}, {"shares": 0.0}, {"shares": np.nan}, {"equity": np.nan}])
def test_book_equity_or_shares_that_are_not_above_zero_have_no_book_to_market(given):
    assert np.isnan(valuation(panel_of(10.0, dividend(), **given), 6).book_to_market).all()


def test_a_fiscal_year_that_ended_before_the_panel_has_no_price():
    values = valuation(panel_of(10.0, dividend(), years=(2011,)), 6)
    assert np.isnan(values.market_value).all()


def test_a_missing_bar_at_the_year_end_gives_way_to_the_last_one_of_that_week():
    close = np.full(len(SESSIONS), 10.0)
    close[column("2012-12-28") : column("2013-01-02")] = np.nan
    values = valuation(panel_of(close, dividend()), 6)
    assert values.book_to_market[0, column("2013-07-01")] == pytest.approx(0.5)
    close[column("2012-12-12") : column("2013-01-02")] = np.nan
    assert np.isnan(valuation(panel_of(close, dividend()), 6).book_to_market[0, column("2013-07-01")])
