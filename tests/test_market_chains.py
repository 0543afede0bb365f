"""`import_chain` and the store of chains as a user meets them: what is stored, what is said, what bad input leaves untouched."""

import gzip
import io
import os
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest
from django.core.management import CommandError, call_command

from quant_site.core.errors import Conflict, DataMissing, InvalidInput
from quant_site.core.locks import exclusive
from quant_site.core.models import AuditLog
from quant_site.market.chains import services as chain_services
from quant_site.market.chains.imports import chain_columns_clean, parse_chains
from quant_site.market.chains.services import chains_import
from quant_site.market.chains.store import chain_store
from quant_site.market.store import bar_store

pytestmark = pytest.mark.django_db

SESSION = date(2023, 9, 14)
AT = datetime(2024, 1, 2, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "options"
    path.mkdir()
    return path


@pytest.fixture(autouse=True)
def store(market_dir):
    return chain_store()


def table(underlying="SPY", session="2023-09-14", bid=10.0, **columns) -> pd.DataFrame:
    strikes = [440.0, 445.0, 450.0, 455.0, 460.0]
    rows = [
        {"expiration": expiry, "strike": strike, "type": right, "bid": bid, "ask": bid + 0.1, "last": bid, "volume": 3, "open_interest": 5}
        for expiry in ("2023-10-20", "2023-11-17")
        for strike in strikes
        for right in ("call", "put")
    ]
    frame = pd.DataFrame(rows).assign(iv=0.2, delta=0.5, gamma=0.01)
    return frame.assign(quote_date=session, underlying=underlying, underlying_price=450.81).assign(**columns)


def run(*arguments):
    out = io.StringIO()
    call_command("import_chain", *map(str, arguments), stdout=out, stderr=io.StringIO())
    return out.getvalue()


def rejected(frame) -> list[tuple[int, str]]:
    parsed = parse_chains(chain_columns_clean(frame, "table"), at=AT)
    return [(each["row"], each["reason"]) for each in parsed.rejections]


def test_each_format_is_taken_and_every_underlying_and_session_is_a_chain_of_its_own(folder, store):
    table().to_csv(folder / "a.csv", index=False)
    both = pd.concat([table("xsp", "2023-09-14"), table("XSP", "2023-09-15")]).sample(frac=1, random_state=1)
    with gzip.open(folder / "b.csv.gz", "wt") as file:
        both.to_csv(file, index=False)
    table("BRK.B").assign(expiration=pd.Timestamp("2023-10-20")).drop_duplicates(["strike", "type"]).to_parquet(folder / "c.parquet")
    said = run(folder, "--source", "a vendor")
    assert {name: store.sessions(name) for name in ("SPY", "XSP", "BRK.B")} == {
        "SPY": [SESSION],
        "XSP": [SESSION, date(2023, 9, 15)],
        "BRK.B": [SESSION],
    }
    assert "4 chains with 70 contracts: 4 changed, 0 left as they were; 0 rows rejected" in said
    stored = store.read("SPY", SESSION)
    assert (stored.spot, stored.source, len(stored.frame)) == (450.81, "a vendor", 20)
    assert stored.frame["right"].tolist()[:10] == ["C"] * 5 + ["P"] * 5 and stored.frame["strike"].is_monotonic_increasing is False
    assert AuditLog.objects.get().details["changed"] == ["SPY 2023-09-14", "XSP 2023-09-14", "XSP 2023-09-15", "BRK.B 2023-09-14"]


def test_the_store_of_bars_does_not_see_chains(folder):
    table().to_csv(folder / "a.csv", index=False)
    run(folder)
    assert bar_store().symbols() == []


def test_the_same_chain_again_changes_nothing(folder, store):
    table().to_csv(folder / "a.csv", index=False)
    assert "new" in run(folder)
    written = store.path("SPY", SESSION).stat().st_mtime_ns
    table().sample(frac=1, random_state=2).to_csv(folder / "a.csv", index=False)
    said = run(folder)
    assert "unchanged" in said and "0 changed, 1 left as they were" in said
    assert store.path("SPY", SESSION).stat().st_mtime_ns == written and AuditLog.objects.count() == 1


def test_new_content_replaces_the_chain_and_is_written_in_the_audit_log(folder, store):
    table().to_csv(folder / "a.csv", index=False)
    run(folder)
    table(bid=11.0).iloc[:6].to_csv(folder / "a.csv", index=False)
    assert "replaces 20 contracts" in run(folder)
    assert store.read("SPY", SESSION).frame["bid"].tolist() == [11.0] * 6
    entry = AuditLog.objects.first()
    assert (entry.action_type, entry.actor) == ("CHAIN_IMPORT", "import_chain")
    assert entry.details == {"path": str(folder), "changed": ["SPY 2023-09-14"], "contracts": 6, "rejected": 0}


def test_a_damaged_file_is_named_and_repaired_by_importing_again(folder, store):
    table().to_csv(folder / "a.csv", index=False)
    run(folder)
    path = store.path("SPY", SESSION)
    content = path.read_bytes()
    for damage in (content[:-30], content[: len(content) // 2] + b"\0" * 40 + content[len(content) // 2 + 40 :], b""):
        path.write_bytes(damage)
        with pytest.raises(DataMissing, match=r"cannot be read.*import_chain PATH replaces"):
            store.read("SPY", SESSION)
        assert "1 changed" in run(folder)
        assert len(store.read("SPY", SESSION).frame) == 20


def test_what_is_not_stored_is_named_with_the_way_to_get_it(store):
    with pytest.raises(DataMissing, match=r"No chain of SPY on 2023-09-14 is stored: import it first \(manage.py import_chain PATH\)"):
        store.read("SPY", SESSION)
    assert store.sessions("SPY") == [] and store.stamp("SPY") == 0


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("quote_date", "yesterday", "BAD_DATE"),
        ("expiration", "20.10.2023", "BAD_DATE"),
        ("expiration", None, "BAD_DATE"),
        ("quote_date", "2024-01-02", "FUTURE_DATE"),
        ("quote_date", "2023-09-16", "NOT_A_SESSION"),
        ("underlying", "../SPY", "BAD_SYMBOL"),
        ("underlying", None, "BAD_SYMBOL"),
        ("type", "straddle", "BAD_TYPE"),
        ("expiration", "2023-09-13", "EXPIRED"),
        ("strike", 0.0, "BAD_STRIKE"),
        ("strike", -5.0, "BAD_STRIKE"),
        ("strike", 445.00001, "BAD_STRIKE"),
        ("strike", np.nan, "BAD_STRIKE"),
        ("bid", "n/a", "NOT_A_NUMBER"),
        ("ask", np.inf, "NOT_A_NUMBER"),
        ("bid", -0.1, "NEGATIVE_PRICE"),
        ("bid", 10.2, "CROSSED"),
        ("underlying_price", 449.0, "OTHER_SPOT"),
        ("underlying_price", None, "OTHER_SPOT"),
    ],
)
def test_a_row_that_can_be_no_quote_is_rejected_and_named(column, value, reason):
    frame = table()
    frame[column] = frame[column].astype(object)
    frame.loc[7, column] = value
    assert rejected(frame) == [(7, reason)]


def test_a_second_row_of_one_contract_and_one_without_an_offer_are_rejected():
    frame = pd.concat([table(), table(bid=12.0).iloc[[3]]], ignore_index=True)
    frame.loc[5, ["bid", "ask"]] = 0
    assert rejected(frame) == [(5, "NO_OFFER"), (20, "DUPLICATE_CONTRACT")]
    assert set(rejected(table(underlying_price=0.0))) == {(row, "BAD_SPOT") for row in range(20)}


def test_rejections_are_printed_with_row_contract_and_reason(folder, store):
    frame = table()
    frame.loc[3, "bid"] = 11.0
    frame.loc[4, "strike"] = 0
    frame.to_csv(folder / "a.csv", index=False)
    said = run(folder)
    assert "a.csv: row 5 (SPY 2023-10-20 P 445) rejected, CROSSED: the bid 11 is above the ask 10.1." in said
    assert "a.csv: row 6 (SPY 2023-10-20 C 0) rejected, BAD_STRIKE: the strike is 0." in said
    assert "1 chain with 18 contracts: 1 changed, 0 left as they were; 2 rows rejected" in said
    assert len(store.read("SPY", SESSION).frame) == 18


def test_many_rejections_are_cut_short_unless_all_are_asked_for(folder):
    pd.concat([table(), *[table(bid=-1.0)] * 2]).to_csv(folder / "a.csv", index=False)
    assert "a.csv: 20 more rejected rows; --all-rejections lists them." in run(folder)
    assert run(folder, "--all-rejections").count("NEGATIVE_PRICE") == 40


def test_a_vendors_zero_means_that_nothing_was_computed(folder, store):
    frame = table()
    frame.loc[0, ["iv", "delta", "gamma"]] = 0
    frame.drop(columns="volume").to_csv(folder / "a.csv", index=False)
    run(folder)
    stored = store.read("SPY", SESSION).frame
    assert np.isnan(stored.loc[0, ["iv", "delta", "gamma"]].to_numpy(float)).all() and stored["iv"].notna().sum() == 19
    assert stored["volume"].isna().all() and (stored["open_interest"] == 5).all()


def test_a_zero_bid_is_taken(folder, store):
    table(bid=0.0).to_csv(folder / "a.csv", index=False)
    run(folder)
    assert (store.read("SPY", SESSION).frame["bid"] == 0).all()


def test_expirations_that_named_a_saturday_become_the_friday_before(folder, store):
    table(session="2011-09-14", expiration="2011-10-22").drop_duplicates(["strike", "type"]).to_csv(folder / "a.csv", index=False)
    assert "10 Saturday expirations moved to the Friday before" in run(folder)
    assert set(store.read("SPY", date(2011, 9, 14)).frame["expiry"]) == {pd.Timestamp("2011-10-21")}


def test_other_names_of_the_columns_are_understood():
    names = {
        "quote_date": "Date",
        "underlying": "Ticker",
        "expiration": "Expiry",
        "type": "CP_Flag",
        "bid": "Best Bid",
        "ask": "best_offer",
    }
    frame = table(type="C").drop_duplicates(["expiration", "strike"]).rename(columns=names).assign(Date="20230914")
    chain = parse_chains(chain_columns_clean(frame, "table"), at=AT).chains[0]
    assert (chain.underlying, chain.session, len(chain.frame)) == ("SPY", SESSION, 10)
    beside = table().assign(symbol="SPY231020C00440000")
    assert "underlying" in chain_columns_clean(beside, "table") and "symbol" not in chain_columns_clean(beside, "table")


def write_columns(folder):
    table().drop(columns="ask").to_csv(folder / "a.csv", index=False)


def write_ambiguous(folder):
    table().rename(columns={"type": "right"}).assign(cp_flag="C").to_csv(folder / "a.csv", index=False)


def write_gzip(folder):
    table().to_csv(folder / "a.csv", index=False)
    (folder / "z.csv.gz").write_bytes(gzip.compress(table().to_csv().encode())[:-80])


def write_empty(folder):
    (folder / "a.csv").write_text("")


def write_bad(folder):
    table(bid=-1.0).to_csv(folder / "a.csv", index=False)


def write_twice(folder):
    table().to_csv(folder / "a.csv", index=False)
    table().to_parquet(folder / "b.parquet")


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda folder: None, "holds no file of .csv"),
        (write_columns, "a.csv lacks the column ask"),
        (write_ambiguous, "a.csv has more than one column for type"),
        (write_gzip, "z.csv.gz cannot be read as CSV"),
        (write_empty, "a.csv cannot be read as CSV"),
        (write_bad, "every one of the 20 rows was rejected"),
        (write_twice, "SPY 2023-09-14 is in a.csv and again in b.parquet"),
    ],
)
def test_bad_input_is_named_and_changes_nothing(folder, store, write, words):
    write(folder)
    with pytest.raises(CommandError) as refused:
        run(folder)
    assert words in str(refused.value)
    assert not store.root.exists() and not AuditLog.objects.exists()


def test_a_failing_disk_leaves_the_old_chain_and_no_word_of_a_new_one(folder, store, monkeypatch):
    table().to_csv(folder / "a.csv", index=False)
    run(folder)
    table(bid=11.0).to_csv(folder / "a.csv", index=False)
    monkeypatch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        run(folder)
    assert store.read("SPY", SESSION).frame["bid"].tolist() == [10.0] * 20
    assert [path.name for path in store.path("SPY", SESSION).parent.iterdir()] == ["2023-09-14.parquet"]
    assert AuditLog.objects.count() == 1


def test_two_imports_do_not_run_at_once(folder, store):
    table().to_csv(folder / "a.csv", index=False)
    with exclusive("chains"), pytest.raises(Conflict, match="Another import of chains is running"):
        chains_import(path=folder)
    assert not store.root.exists()


def test_a_session_that_is_not_over_has_no_chain_yet(folder, monkeypatch):
    table().to_csv(folder / "a.csv", index=False)
    monkeypatch.setattr(chain_services.clock, "now", lambda: datetime(2023, 9, 14, 19, 0, tzinfo=UTC))
    with pytest.raises(InvalidInput, match="every one of the 20 rows was rejected") as refused:
        chains_import(path=folder)
    assert {each["reason"] for each in refused.value.details["rejections"]["a.csv"]} == {"FUTURE_DATE"}


def test_the_real_chain_comes_in_whole(market_fixtures, store):
    said = run(market_fixtures / "options" / "spy_chain_2023-09-14.csv.gz")
    assert "1 chain with 7292 contracts: 1 changed" in said and "0 rows rejected" in said
    stored = store.read("SPY", SESSION)
    assert stored.spot == 450.81 and stored.frame["expiry"].nunique() == 31 and (stored.frame["bid"] == 0).sum() == 788
    assert stored.frame["iv"].isna().sum() == 1635
