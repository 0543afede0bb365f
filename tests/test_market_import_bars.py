"""`import_bars` as a user meets it: what it stores, what it says, and what bad input leaves untouched."""

import gzip
import io
from datetime import date

import pandas as pd
import pytest
from django.core.management import CommandError, call_command

from quant_site.core.errors import Conflict, DataMissing, InvalidInput
from quant_site.core.locks import exclusive
from quant_site.core.models import AuditLog
from quant_site.market import services
from quant_site.market.models import BarImport, Instrument
from quant_site.market.selectors import benchmark_default, panel_load, universe_symbols, unknown_symbols
from quant_site.market.services import bars_import, bundled_import
from quant_site.market.sessions import sessions_between
from quant_site.market.store import bar_store

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "prices"
    path.mkdir()
    return path


@pytest.fixture(autouse=True)
def store(tmp_path, settings):
    settings.MARKET_DATA_DIR = tmp_path / "market"
    return bar_store()


def table(close=100.0, first=date(2020, 1, 2), last=date(2020, 1, 31), **columns):
    days = sessions_between(first, last)
    frame = pd.DataFrame(
        {"date": [str(day) for day in days], "open": close, "high": close + 1, "low": close - 1, "close": close, "volume": 1000}
    )
    return frame.assign(**columns)


def run(*arguments):
    out = io.StringIO()
    call_command("import_bars", *map(str, arguments), stdout=out, stderr=io.StringIO())
    return out.getvalue()


def untouched(store):
    return store.symbols() == [] and not Instrument.objects.exists() and not BarImport.objects.exists() and not AuditLog.objects.exists()


def test_each_format_and_both_ways_of_naming_the_symbol_are_taken(folder, store):
    table(10).to_csv(folder / "aaa.csv", index=False)
    with gzip.open(folder / "BBB.csv.gz", "wt") as file:
        table(20).rename(columns=str.title).to_csv(file, index=False)
    table(30).to_parquet(folder / "CCC.parquet")
    table(40).assign(date=lambda frame: pd.to_datetime(frame["date"])).set_index("date").to_parquet(folder / "DDD.parquet")
    pd.concat([table(50, symbol="brk.b"), table(60, symbol="FFF")]).sample(frac=1, random_state=1).to_csv(folder / "long.csv", index=False)
    (folder / "notes.txt").write_text("not bars")
    said = run(folder, "--kind", "etf", "--source", "a vendor")
    assert store.symbols() == universe_symbols() == ["AAA", "BBB", "BRK.B", "CCC", "DDD", "FFF"]
    panel = panel_load()
    assert panel.close[:, 0].tolist() == [10, 20, 50, 30, 40, 60]
    assert set(panel.sources.values()) == {"a vendor"}
    assert set(Instrument.objects.values_list("kind", "bars", "first_session")) == {("ETF", 21, date(2020, 1, 2))}
    assert "6 symbols with 126 bars: 6 changed" in said


def test_the_same_content_again_changes_nothing(folder, store):
    table().to_csv(folder / "AAA.csv", index=False)
    run(folder)
    panel, row, written = panel_load(), Instrument.objects.get().__dict__ | {"_state": None}, store.path("AAA").stat().st_mtime_ns
    assert "0 changed, 1 left as they were" in run(folder)
    assert Instrument.objects.get().__dict__ | {"_state": None} == row
    assert store.path("AAA").stat().st_mtime_ns == written and panel_load() is panel
    assert list(BarImport.objects.order_by("id").values_list("changed", flat=True)) == [True, False]


def test_new_content_replaces_the_history_and_gives_another_panel(folder):
    table(10).to_csv(folder / "AAA.csv", index=False)
    run(folder)
    before = panel_load()
    table(11, last=date(2020, 1, 15)).to_csv(folder / "AAA.csv", index=False)
    assert "replaces 21 bars, 2020-01-02 to 2020-01-31, folder: prices" in run(folder)
    after = panel_load()
    assert before.close[0, 0] == 10 and after.close.tolist() == [[11.0] * 10]
    assert Instrument.objects.get().last_session == date(2020, 1, 15)


def test_every_rejected_row_is_reported_and_recorded(folder):
    frame = table()
    frame.loc[3, "close"] = -5
    frame.loc[25] = ["2020-02-01", 1, 1, 1, 1, 1]
    frame.to_csv(folder / "AAA.csv", index=False)
    said = run(folder)
    assert "AAA: row 5 (2020-01-07) rejected, NEGATIVE_PRICE: close is -5." in said
    assert "AAA: row 23 (2020-02-01) rejected, NOT_A_SESSION: the exchange was closed on 2020-02-01." in said
    log = BarImport.objects.get()
    assert (log.accepted, log.rejected) == (20, 2)
    assert [(each["row"], each["reason"]) for each in log.rejections] == [(5, "NEGATIVE_PRICE"), (23, "NOT_A_SESSION")]


def test_many_rejections_are_cut_short_unless_all_are_asked_for(folder):
    frame = pd.concat([table(), table(-1, first=date(2020, 2, 3), last=date(2020, 3, 30))])
    frame.to_csv(folder / "AAA.csv", index=False)
    assert "AAA: 20 more rejected rows; --all-rejections lists them." in run(folder)
    assert run(folder, "--all-rejections").count("NEGATIVE_PRICE") == 40
    assert len(BarImport.objects.first().rejections) == 40


def write_empty(folder):
    (folder / "AAA.csv").write_text("")


def write_header(folder):
    table().iloc[:0].to_csv(folder / "AAA.csv", index=False)


def write_columns(folder):
    table().drop(columns="low").to_csv(folder / "AAA.csv", index=False)


def write_parquet(folder):
    table().to_csv(folder / "AAA.csv", index=False)
    (folder / "ZZZ.parquet").write_bytes(b"PAR1 this is none")


def write_gzip(folder):
    table().to_csv(folder / "AAA.csv", index=False)
    (folder / "ZZZ.csv.gz").write_bytes(gzip.compress(table().to_csv().encode())[:-200])


def write_negative(folder):
    table(-10).to_csv(folder / "AAA.csv", index=False)


def write_twice(folder):
    table().to_csv(folder / "AAA.csv", index=False)
    table().to_parquet(folder / "aaa.parquet")


def write_escape(folder):
    table(symbol="../../etc").to_csv(folder / "long.csv", index=False)


def write_blank(folder):
    pd.concat([table(symbol="AAA"), table(symbol=None)]).to_csv(folder / "long.csv", index=False)


def write_nothing(folder):
    (folder / "README.md").write_text("no bars")


def write_below(folder):
    (folder / "etf").mkdir()
    table().to_csv(folder / "etf" / "AAA.csv", index=False)


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (write_nothing, "holds no file of .csv"),
        (write_below, "There are some in etf inside it"),
        (write_empty, "AAA.csv cannot be read as CSV"),
        (write_header, "AAA.csv holds no rows"),
        (write_columns, "AAA.csv lacks the column low"),
        (write_parquet, "ZZZ.parquet cannot be read as Parquet"),
        (write_gzip, "ZZZ.csv.gz cannot be read as CSV"),
        (write_negative, "every one of the 21 rows was rejected"),
        (write_twice, "AAA is in AAA.csv and again in aaa.parquet"),
        (write_escape, "row 2: '../../etc' is not a symbol"),
        (write_blank, "row 23: the symbol is blank"),
    ],
)
def test_bad_input_is_named_and_changes_nothing(folder, store, write, words):
    write(folder)
    with pytest.raises(CommandError) as refused:
        run(folder)
    assert words in str(refused.value)
    assert untouched(store)


def test_a_path_that_is_not_there_and_a_file_of_another_kind_are_refused(folder, store):
    (folder / "bars.xlsx").write_bytes(b"x")
    for path, words in ((folder / "missing", "There is no file or folder"), (folder / "bars.xlsx", "bars.xlsx is none of .csv")):
        with pytest.raises(CommandError, match=words):
            run(path)
    assert untouched(store)


def test_strict_imports_nothing_when_a_row_is_rejected(folder, store):
    table().to_csv(folder / "GOOD.csv", index=False)
    frame = table()
    frame.loc[0, "high"] = 1
    frame.to_csv(folder / "BAD.csv", index=False)
    with pytest.raises(CommandError, match="1 rows were rejected, and none may be"):
        run(folder, "--strict")
    assert untouched(store)
    run(folder)
    assert store.symbols() == ["BAD", "GOOD"]


def test_a_symbol_without_one_good_row_keeps_what_was_stored(folder, store):
    table(10).to_csv(folder / "AAA.csv", index=False)
    table(20).to_csv(folder / "BBB.csv", index=False)
    run(folder)
    table(-10).to_csv(folder / "AAA.csv", index=False)
    assert "no usable row" in run(folder)
    assert store.read("AAA")["close"].tolist() == [10.0] * 21
    assert Instrument.objects.get(pk="AAA").bars == 21


def test_a_failure_in_one_symbol_leaves_it_whole_and_the_others_stored(folder, store, monkeypatch):
    for name in ("AAA", "BBB"):
        table(10).to_csv(folder / f"{name}.csv", index=False)
    run(folder)
    for name in ("AAA", "BBB"):
        table(11).to_csv(folder / f"{name}.csv", index=False)
    update = services._instrument_update

    def fail(raw, *rest):
        update(raw, *rest)
        if raw.symbol == "BBB":
            raise OSError("disk full")

    monkeypatch.setattr(services, "_instrument_update", fail)
    with pytest.raises(OSError, match="disk full"):
        run(folder)
    assert panel_load().close[:, 0].tolist() == [11.0, 10.0]


def test_bars_that_are_not_those_of_their_row_are_not_served(folder, store):
    table(10).to_csv(folder / "AAA.csv", index=False)
    run(folder)
    store.write("AAA", store.read("AAA").assign(close=10.5), "folder: prices")  # as if killed between file and row
    with pytest.raises(DataMissing, match=r"not those of its last import.*import them again"):
        panel_load(["AAA"])
    assert "1 changed" in run(folder)
    assert panel_load(["AAA"]).close[0, 0] == 10


def test_indexes_and_spliced_futures_cannot_be_traded_and_an_edit_of_a_person_stays(folder):
    table().to_csv(folder / "IDX.csv", index=False)
    run(folder, "--kind", "INDEX")
    assert universe_symbols() == []
    Instrument.objects.update(tradable=True, name="My index")
    table(101).to_csv(folder / "IDX.csv", index=False)
    run(folder, "--kind", "INDEX")
    run(folder)
    assert Instrument.objects.values_list("kind", "tradable", "name").get() == ("INDEX", True, "My index")


def test_only_the_symbols_asked_for_are_taken(folder, store):
    pd.concat([table(symbol=name) for name in ("AAA", "BBB", "CCC")]).to_csv(folder / "long.csv", index=False)
    run(folder, "--symbols", "bbb")
    assert store.symbols() == ["BBB"]
    with pytest.raises(InvalidInput, match="holds no bars of ZZZ"):
        bars_import(path=folder, symbols=["AAA", "ZZZ"])
    assert store.symbols() == ["BBB"]


def test_two_imports_do_not_run_at_once(folder, store):
    table().to_csv(folder / "AAA.csv", index=False)
    with exclusive("bars"), pytest.raises(Conflict, match="Another import is running"):
        bars_import(path=folder)
    assert untouched(store)


def test_bundled_bars_come_once_and_never_replace_the_users_own(folder, store):
    table(7, first=date(2012, 1, 3), last=date(2012, 2, 1)).to_csv(folder / "IBM.csv", index=False)
    run(folder)
    first = bundled_import()
    assert sorted(log.symbol for log in first) == ["AAPL", "FB", "GOOG", "IXIC", "MSFT", "SPX", "VIX", "WTI"]
    assert bundled_import() == []
    assert Instrument.objects.get(pk="IBM").bars == 21
    assert universe_symbols() == ["AAPL", "FB", "GOOG", "IBM", "MSFT"]
    assert Instrument.objects.get(pk="SPX").source.startswith("bundled: arch")
    store.path("FB").unlink()
    assert [log.symbol for log in bundled_import()] == ["FB"]
    panel = panel_load()
    apple, split = panel.row("AAPL"), panel.index(date(2005, 2, 28))
    assert panel.close[apple, split - 1] == 88.99 and panel.factor[apple, split] / panel.factor[apple, split - 1] == pytest.approx(2)


def test_the_benchmark_is_spy_where_stored_else_the_index(folder):
    assert benchmark_default() is None
    table().to_csv(folder / "SPX.csv", index=False)
    run(folder)
    assert benchmark_default() == "SPX"
    table().to_csv(folder / "SPY.csv", index=False)
    run(folder)
    assert benchmark_default() == "SPY"


def test_unknown_symbols_are_named_with_what_was_meant(folder):
    with pytest.raises(DataMissing, match=r"No bars are stored.*import_bars"):
        panel_load()
    table().to_csv(folder / "AAPL.csv", index=False)
    run(folder)
    assert unknown_symbols(["AAPL"]) == {}
    assert unknown_symbols(["APPL", "QQQQQ"]) == {
        "APPL": "No bars of APPL are stored: did you mean AAPL?",
        "QQQQQ": "No bars of QQQQQ are stored: import them first (manage.py import_bars PATH).",
    }
    with pytest.raises(DataMissing, match="did you mean AAPL"):
        panel_load(["AAPL", "APPL"])


def test_a_loaded_panel_costs_one_query(folder, django_assert_num_queries):
    for name in ("AAA", "BBB"):
        table().to_csv(folder / f"{name}.csv", index=False)
    run(folder)
    panel = panel_load(["BBB", "AAA"])
    with django_assert_num_queries(1):
        assert panel_load(("AAA", "BBB")) is panel and panel.symbols == ("AAA", "BBB")


@pytest.mark.parametrize(("part", "symbols"), [("etf", 19), ("stocks", 57), ("multiasset", 16)])
def test_real_folders_load_without_a_rejection(market_fixtures, part, symbols):
    logs = bars_import(path=market_fixtures / "prices" / part)
    assert len(logs) == symbols and not any(log.rejected for log in logs)


def test_negative_oil_is_a_price_of_a_future(market_fixtures):
    bars_import(path=market_fixtures / "prices" / "futures" / "CL.csv.gz", kind="FUTURE")
    panel = panel_load(["CL"])
    assert panel.close[0, panel.index(date(2020, 4, 20))] == -37.63
