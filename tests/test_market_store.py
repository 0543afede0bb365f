"""The bar store: what is written is read back, replaced as a whole, and never taken from a damaged file."""

import os
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_site.core.errors import DataMissing, InvalidInput
from quant_site.market import parquet
from quant_site.market.sessions import sessions_between
from quant_site.market.store import COLUMNS, BarStore, bars_digest, symbol_clean


def bars(first=date(2020, 1, 2), last=date(2020, 3, 31), *, seed=1, factor=0.5):
    days = sessions_between(first, last)
    close = 100 + np.cumsum(np.random.default_rng(seed).normal(size=len(days)))
    return pd.DataFrame(
        {
            "date": np.array(days, dtype="datetime64[D]"),
            "open": close,
            "high": close + 1,
            "low": close - 1,
            "close": close,
            "adj_close": close * factor,
            "volume": np.arange(len(days), dtype=float),
        }
    )


@pytest.fixture
def store(tmp_path):
    return BarStore(tmp_path / "market")


def test_bars_come_back_exactly_as_they_were_written(store):
    frame = bars()
    digest, changed = store.write("BRK.B", frame, "folder")
    assert changed and digest == bars_digest(frame) and store.identity("BRK.B") == (digest, "folder")
    back = store.read("BRK.B")
    assert tuple(back.columns) == COLUMNS
    np.testing.assert_array_equal(back["date"].to_numpy().astype("datetime64[D]"), frame["date"].to_numpy().astype("datetime64[D]"))
    np.testing.assert_array_equal(back[list(COLUMNS[1:])].to_numpy(), frame[list(COLUMNS[1:])].to_numpy())
    assert bars_digest(back) == digest


def test_writing_the_same_bars_again_changes_nothing(store):
    store.write("A", bars(), "folder")
    before = store.path("A").stat().st_mtime_ns
    assert store.write("A", bars(), "folder") == (bars_digest(bars()), False)
    assert store.path("A").stat().st_mtime_ns == before
    assert store.write("A", bars(), "elsewhere")[1]
    assert store.write("A", bars(seed=2), "elsewhere")[1]


def test_the_panel_spans_all_sessions_and_leaves_gaps_undefined(store):
    early, late = bars(date(2020, 1, 2), date(2020, 1, 31)), bars(date(2020, 2, 14), date(2020, 3, 6), seed=3, factor=1.0)
    holed = early.drop(index=[3, 4]).reset_index(drop=True)
    store.write("OLD", holed, "one")
    store.write("NEW", late, "two")
    panel = store.panel(("NEW", "OLD"))
    assert panel.symbols == ("NEW", "OLD") and panel.sources == {"NEW": "two", "OLD": "one"}
    assert panel.sessions.tolist() == sessions_between(date(2020, 1, 2), date(2020, 3, 6))
    old = pd.Series(holed["close"].to_numpy(), index=holed["date"].dt.date).reindex(panel.sessions.tolist())
    np.testing.assert_array_equal(panel.close[panel.row("OLD")], old.to_numpy())
    assert np.isnan(panel.close[panel.row("NEW"), : panel.index(date(2020, 2, 14))]).all()
    np.testing.assert_allclose(panel.factor[1][~np.isnan(old.to_numpy())], 0.5)
    assert not panel.close.flags.writeable and not panel.sessions.flags.writeable


def test_a_damaged_file_is_named_with_the_way_to_repair_it(store):
    store.write("A", bars(), "folder")
    content = store.path("A").read_bytes()
    for damage in (b"", b"not parquet", content[: len(content) // 2], content[:200] + b"\0" * 400 + content[600:]):
        store.path("A").write_bytes(damage)
        with pytest.raises(DataMissing, match=r"bars of A cannot be read.*import_bars"):
            store.read("A")
        with pytest.raises(DataMissing, match="A"):
            store.panel(["A"])
    assert store.write("A", bars(), "folder")[1]
    assert len(store.read("A")) == len(bars())


def test_a_parquet_file_with_other_columns_is_not_taken_for_bars(store):
    store.root.mkdir(parents=True)
    pd.DataFrame({"date": [1], "price": [2.0]}).to_parquet(store.path("A"))
    with pytest.raises(DataMissing, match="its columns are date, price"):
        store.read("A")


def test_a_writer_that_dies_leaves_the_old_bars_and_no_litter_among_the_symbols(store, monkeypatch):
    store.write("A", bars(), "folder")

    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(parquet.os, "replace", die)
    with pytest.raises(KeyboardInterrupt):
        store.write("A", bars(seed=9), "folder")
    assert bars_digest(store.read("A")) == bars_digest(bars())
    assert os.listdir(store.root) == ["A.parquet"] and store.symbols() == ["A"]


def test_bars_out_of_order_are_refused(store):
    for frame in (bars().iloc[::-1], pd.concat([bars(), bars()]), bars().iloc[:0]):
        with pytest.raises(InvalidInput, match="ascending"):
            store.write("A", frame, "folder")
    assert store.symbols() == []


@pytest.mark.parametrize("symbol", ["../x", "..", ".hidden", "a/b", "", "A\0B", "A B", "X" * 33, "-A", "A..B"])
def test_a_symbol_cannot_leave_the_folder(store, symbol):
    with pytest.raises(InvalidInput, match="is not a symbol"):
        store.path(symbol)


@given(st.text(max_size=40))
def test_a_clean_symbol_is_one_plain_file_name(text):
    try:
        name = symbol_clean(text)
    except InvalidInput:
        return
    assert os.path.basename(name) == name and name not in (".", "..") and symbol_clean(name) == name


def test_missing_symbols_and_an_empty_panel_say_how_to_get_bars(store):
    with pytest.raises(DataMissing, match=r"No bars of ZZZ are stored.*import_bars"):
        store.read("ZZZ")
    with pytest.raises(DataMissing, match="import_bars"):
        store.panel([])
    assert store.symbols() == [] and store.identity("ZZZ") is None
