"""What a panel carries beside bars: each value from the session on whose close it was public, and nothing from later."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from django.test import override_settings
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_site.core.errors import DataMissing
from quant_site.market.models import Instrument
from quant_site.market.panel import ARRAYS, Panel
from quant_site.market.reference import Reference
from quant_site.market.reference.fundamentals import FIELDS
from quant_site.market.reference.load import as_of, reference_load
from quant_site.market.reference.services import factors_import, fundamentals_import, sectors_import, volatility_import
from quant_site.market.reference.store import FUNDAMENTALS, IMPLIED_VOL, SECTORS, SERIES, ReferenceStore, reference_store
from quant_site.market.selectors import panel_load
from quant_site.market.services import bars_import
from quant_site.market.sessions import session_array, session_distance


def panel_of(symbols, first, last):
    sessions = session_array(first, last).copy()
    return Panel(tuple(symbols), sessions, **{name: np.full((len(symbols), len(sessions)), 1.0) for name in ARRAYS})


def values_table(rows, source="a source"):
    frame = pd.DataFrame(rows, columns=["item", "date", "value"]).assign(source=source)
    return frame.assign(date=pd.to_datetime(frame["date"])).sort_values(["item", "date"], ignore_index=True)


def reports_table(rows, source="a source"):
    frame = pd.DataFrame(rows, columns=["item", "period_ending", "filing_date", "net_income"]).assign(source=source)
    frame = frame.assign(**{name: np.nan for name in FIELDS if name != "net_income"})
    for name in ("period_ending", "filing_date"):
        frame[name] = pd.to_datetime(frame[name])
    return frame.sort_values(["item", "period_ending", "filing_date"], ignore_index=True)


def same(left: Reference, right: Reference) -> bool:
    def arrays(reference):
        found = {f"series.{name}": values for name, values in reference.series.items()}
        found |= {f"fundamentals.{name}": values for name, values in reference.fundamentals.items()}
        return found if reference.implied_vol is None else found | {"implied_vol": reference.implied_vol}

    one, other = arrays(left), arrays(right)
    facts = [(each.sectors, each.kinds, each.sources) for each in (left, right)]
    return (
        facts[0] == facts[1] and one.keys() == other.keys() and all(np.array_equal(one[name], other[name], equal_nan=True) for name in one)
    )


@pytest.fixture
def store(market_dir):
    return reference_store()


def test_where_nothing_is_stored_a_panel_carries_its_kinds_only(store):
    reference = reference_load(panel_of(["AAA", "BBB"], "2020-01-02", "2020-01-10"), {"AAA": "ETF"})
    assert (reference.series, reference.fundamentals, reference.implied_vol, reference.sectors) == ({}, {}, None, ())
    assert reference.kinds == ("ETF", "")


def test_a_factor_return_stands_at_its_own_session_and_is_never_carried(store):
    store.write(SERIES, values_table([("SMB", "2020-01-03", 0.01), ("SMB", "2020-01-07", 0.02)]))
    smb = reference_load(panel_of(["AAA"], "2020-01-02", "2020-01-08")).series["SMB"]
    assert np.array_equal(smb, [np.nan, 0.01, np.nan, 0.02, np.nan], equal_nan=True)


def test_a_rate_holds_for_ten_sessions_and_that_of_a_closed_day_counts_from_the_next(store):
    store.write(SERIES, values_table([("TBILL_3M", "2020-01-02", 0.015), ("TBILL_3M", "2020-01-20", 0.016)]))  # a Monday without a session
    panel = panel_of(["AAA"], "2020-01-02", "2020-02-05")
    rate = reference_load(panel).series["TBILL_3M"]
    assert (rate[: panel.index(date(2020, 1, 16)) + 1] == 0.015).all() and np.isnan(rate[panel.index(date(2020, 1, 17))])
    assert (rate[panel.index(date(2020, 1, 21)) : panel.index(date(2020, 2, 4)) + 1] == 0.016).all() and np.isnan(rate[-1])


def test_a_rate_from_before_the_panel_reaches_into_it(store):
    store.write(SERIES, values_table([("TBILL_3M", "2019-12-27", 0.015)]))
    assert reference_load(panel_of(["AAA"], "2020-01-02", "2020-01-03")).series["TBILL_3M"].tolist() == [0.015, 0.015]


def test_an_implied_volatility_holds_for_five_sessions_for_its_own_symbol(store):
    store.write(IMPLIED_VOL, values_table([("AAA", "2020-01-02", 0.3), ("ZZZ", "2020-01-02", 0.9)]))
    vols = reference_load(panel_of(["AAA", "BBB"], "2020-01-02", "2020-01-10")).implied_vol
    assert np.array_equal(vols, [[0.3] * 6 + [np.nan], [np.nan] * 7], equal_nan=True)
    assert reference_load(panel_of(["BBB"], "2020-01-02", "2020-01-10")).implied_vol is None


def test_sectors_and_sources_are_those_of_the_symbols_of_the_panel(store):
    sectors = pd.DataFrame({"item": ["AAA", "ZZZ"], "sector": ["Energy", "Utilities"], "source": ["one", "two"]})
    store.write(SECTORS, sectors)
    store.write(FUNDAMENTALS, reports_table([("BBB", "2019-06-30", None, 5.0)], "a vendor"))
    reference = reference_load(panel_of(["AAA", "BBB"], "2020-01-02", "2020-01-10"))
    assert reference.sectors == ("Energy", "") and reference.sources == {"sectors": "one", "fundamentals": "a vendor"}
    assert set(reference.fundamentals) == {*FIELDS, *(f"{name}_prior" for name in FIELDS), "fiscal_year_end"}
    assert (reference.fundamentals["net_income"][1] == 5).all() and np.isnan(reference.fundamentals["net_income"][0]).all()


def test_no_array_can_be_written_to(store):
    store.write(SERIES, values_table([("SMB", "2020-01-03", 0.01)]))
    store.write(IMPLIED_VOL, values_table([("AAA", "2020-01-02", 0.3)]))
    store.write(FUNDAMENTALS, reports_table([("AAA", "2019-06-30", None, 5.0)]))
    reference = reference_load(panel_of(["AAA"], "2020-01-02", "2020-01-10"))
    arrays = [*reference.series.values(), *reference.fundamentals.values(), reference.implied_vol]
    assert len(arrays) == 25 and not any(array.flags.writeable for array in arrays)


days = st.dates(date(2014, 11, 1), date(2016, 2, 1))
number = st.floats(-0.5, 0.5)
observations = st.lists(st.tuples(st.sampled_from(["AAA", "BBB", "CCC"]), days, number), max_size=25, unique_by=lambda row: row[:2])
series = st.lists(st.tuples(st.sampled_from(["SMB", "TBILL_3M"]), days, number), max_size=25, unique_by=lambda row: row[:2])
filings = st.lists(
    st.tuples(st.sampled_from(["AAA", "BBB", "CCC"]), days, st.one_of(st.none(), days), number), max_size=10, unique_by=lambda row: row[:3]
)


@settings(max_examples=60, deadline=None)
@given(rows=series, hold=st.integers(0, 12))
def test_what_holds_is_the_newest_value_unless_it_is_too_old(rows, hold):
    own = sorted((day, value) for name, day, value in rows if name == "SMB")
    sessions = session_array("2015-01-02", "2015-12-31")
    found = as_of(sessions, np.array([day for day, _ in own], dtype="datetime64[D]"), np.array([value for _, value in own]), hold)
    for session, value in zip(sessions.tolist(), found.tolist(), strict=True):
        day, newest = max((row for row in own if row[0] <= session), default=(None, np.nan))
        # The first session on or after a day is one more than the last session before it.
        old = day is not None and session_distance(date.fromordinal(day.toordinal() - 1), session) - 1 > hold
        assert value == pytest.approx(np.nan if old else newest, abs=0, nan_ok=True)


@settings(max_examples=60, deadline=None)
@given(vols=observations, series=series, filings=filings, cut=st.dates(date(2014, 12, 20), date(2016, 1, 10)))
def test_a_panel_that_ends_earlier_carries_the_same_until_there(tmp_path_factory, vols, series, filings, cut):
    panel = panel_of(["BBB", "AAA"], "2015-01-02", "2015-12-31")
    with override_settings(MARKET_DATA_DIR=tmp_path_factory.mktemp("wild")):
        for each, table in ((IMPLIED_VOL, values_table(vols)), (SERIES, values_table(series)), (FUNDAMENTALS, reports_table(filings))):
            if len(table):
                reference_store().write(each, table)
        whole, early = reference_load(panel), reference_load(panel.until(cut))
        assert same(early, whole.until(len(panel.until(cut).sessions)))
        # And what is not yet public may as well not be stored.
        known = [row for row in filings if (row[2] or row[1]) <= cut]
        if known:
            reference_store().write(FUNDAMENTALS, reports_table(known))
            later = reference_load(panel.until(cut)).fundamentals
            assert all(np.array_equal(later[name], values, equal_nan=True) for name, values in early.fundamentals.items() if later)


def write(folder, name, text):
    path = folder / name
    path.write_text(text)
    return path


@pytest.fixture
def bars(tmp_path, market_dir, db):
    rows = "".join(f"{day},10,11,9,10,100\n" for day in session_array("2020-01-02", "2020-01-10").astype(str))
    folder = tmp_path / "prices"
    folder.mkdir()
    for symbol in ("AAA", "BBB"):
        write(folder, f"{symbol}.csv", f"date,open,high,low,close,volume\n{rows}")
    bars_import(path=folder)
    return tmp_path


def test_an_import_shows_at_once_and_the_same_data_give_the_same_panel(bars):
    before = panel_load()
    assert panel_load() is before and before.reference.series == {} and before.reference.kinds == ("STOCK", "STOCK")
    smb = write(bars, "smb.csv", "date,SMB\n2020-01-03,0.5\n")
    factors_import(path=smb)
    after = panel_load()
    assert after.reference.series["SMB"][1] == 0.005 and panel_load() is after
    factors_import(path=smb)
    assert panel_load() is after
    volatility_import(path=write(bars, "vol.csv", "date,AAA\n2020-01-03,0.3\n"))
    fundamentals_import(path=write(bars, "reports.csv", "symbol,period_ending,net_income\nBBB,2019-09-30,7\n"))
    sectors_import(path=write(bars, "sectors.csv", "symbol,sector\nAAA,Energy\n"))
    reference = panel_load().reference
    assert reference.implied_vol[0, 1] == 0.3 and reference.fundamentals["net_income"][1, -1] == 7
    assert reference.sectors == ("Energy", "") and panel_load(["BBB"]).reference.sectors == ()


def test_a_kind_that_changes_shows_at_once(bars):
    assert panel_load().reference.kinds == ("STOCK", "STOCK")
    Instrument.objects.filter(pk="BBB").update(kind="ETF")
    assert panel_load().reference.kinds == ("STOCK", "ETF")


def test_an_import_during_a_reading_is_read_again(bars, monkeypatch):
    smb = [write(bars, f"{value}.csv", f"date,SMB\n2020-01-03,{value}\n") for value in ("0.5", "0.7")]
    factors_import(path=smb[0])
    read, turns = ReferenceStore.read, iter([True])

    def read_and_import(self, each, items=None):
        rows = read(self, each, items)
        if next(turns, False):
            factors_import(path=smb[1])
        return rows

    monkeypatch.setattr(ReferenceStore, "read", read_and_import)
    assert panel_load().reference.series["SMB"][1] == pytest.approx(0.007)


def test_a_damaged_file_is_named_with_what_to_do_and_an_import_mends_it(bars):
    smb = write(bars, "smb.csv", "date,SMB\n2020-01-03,0.5\n")
    factors_import(path=smb)
    path = reference_store().path(SERIES)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataMissing, match=r"stored series cannot be read .*manage.py import_factors PATH replaces"):
        panel_load()
    done = factors_import(path=smb)
    assert "What was stored is lost" in done.notes[0] and done.log.changed
    assert panel_load().reference.series["SMB"][1] == 0.005


def test_real_reference_data_carry_no_look_ahead(market_fixtures, market_dir, db):
    for part in ("ff3_daily", "mom_daily"):
        factors_import(path=market_fixtures / "factors" / f"{part}.csv.gz")
    factors_import(path=market_fixtures / "rates" / "tbill_3m.csv.gz")
    volatility_import(path=market_fixtures / "vol" / "implied_vol_3m_atm_stocks.csv.gz")
    fundamentals_import(path=market_fixtures / "fundamentals" / "annual_2012_2016.csv.gz")
    sectors_import(path=market_fixtures / "fundamentals" / "sectors_2016.csv.gz")
    panel = panel_of(["AAPL", "AMD", "BAC", "IBM", "XOM"], "2009-06-01", "2023-06-30")
    whole = reference_load(panel)
    assert {name: bool(np.isfinite(values).all()) for name, values in whole.series.items()} == dict.fromkeys(
        ("MKT_RF", "SMB", "HML", "RF", "MOM", "TBILL_3M"), True
    )
    assert whole.sectors == ("Information Technology", "", "Financials", "Information Technology", "Energy")  # AMD was no member in 2016
    for day in (date(2010, 1, 4), date(2013, 4, 1), date(2015, 12, 28), date(2016, 7, 1), date(2023, 1, 6)):
        assert same(reference_load(panel.until(day)), whole.until(panel.index(day) + 1))
    raw = pd.read_csv(market_fixtures / "vol" / "implied_vol_3m_atm_stocks.csv.gz", index_col="date")
    assert np.isfinite(whole.implied_vol).sum() == 4 * (len(raw) + 5) and np.isnan(whole.implied_vol[3]).all()  # none of IBM
    assert whole.implied_vol[0, panel.index(date(2015, 8, 24))] == raw.loc["2015-08-24", "AAPL"]
