"""The technical summary: right values, honest gaps, cached until the bars change."""

import json
from datetime import date

import numpy as np
import pandas as pd
import pytest
from django.core.cache import cache

from quant_site.core.errors import DataMissing, InvalidInput
from quant_site.market import analysis
from quant_site.market.analysis import technical_summary
from quant_site.market.models import Instrument
from quant_site.market.services import bars_import
from quant_site.market.sessions import sessions_between
from quant_site.market.store import bar_store
from quant_site.market.tasks import refresh_technical_indicators

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def memory_cache(settings, tmp_path):
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    settings.MARKET_DATA_DIR = tmp_path / "market"
    cache.clear()


def store_bars(tmp_path, *, symbol="AAA", last=date(2019, 12, 31), factor=1.0, seed=4, **columns):
    days = sessions_between(date(2018, 1, 2), last)
    random = np.random.default_rng(seed)
    close = (50 * np.exp(np.cumsum(random.normal(0, 0.015, len(days))))).round(4)
    frame = pd.DataFrame(
        {"date": days, "open": close, "high": close * 1.01, "low": close * 0.99, "close": close, "volume": 1000.0 + np.arange(len(days))}
    )
    frame["adj_close"] = close * factor
    path = tmp_path / f"{symbol}.csv"
    frame.assign(**columns).to_csv(path, index=False)
    bars_import(path=path)
    return frame


def test_values_are_those_of_the_last_bar_in_prices_of_that_day(tmp_path):
    frame = store_bars(tmp_path, factor=0.25)
    summary = technical_summary("aaa")
    assert summary["as_of"] == "2019-12-31" and summary["bars"] == len(frame) and summary["undefined"] == {}
    assert summary["close"] == pytest.approx(frame["close"].iloc[-1])
    assert summary["indicators"]["sma_200"] == pytest.approx(frame["close"].tail(200).mean(), abs=1e-6)
    assert summary["indicators"]["volume_ratio_20"] == pytest.approx(
        frame["volume"].iloc[-1] / frame["volume"].iloc[-21:-1].mean(), abs=1e-6
    )
    assert all(each["price"] < summary["close"] for each in summary["support"])
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_a_split_in_the_past_does_not_bend_the_average(tmp_path):
    frame = store_bars(tmp_path, symbol="FLAT")
    split = len(frame) - 50
    raw = frame.assign(
        **{name: np.where(np.arange(len(frame)) < split, frame[name] * 2, frame[name]) for name in ("open", "high", "low", "close")}
    )
    raw.to_csv(tmp_path / "SPLIT.csv", index=False)
    bars_import(path=tmp_path / "SPLIT.csv")
    assert technical_summary("SPLIT")["indicators"] == technical_summary("FLAT")["indicators"]


def test_what_has_no_value_is_null_and_says_why(tmp_path):
    store_bars(tmp_path, last=date(2018, 2, 15), volume=None)
    summary = technical_summary("AAA")
    assert summary["indicators"]["sma_200"] is None and summary["undefined"]["sma_200"] == "needs 200 bars, 32 are stored"
    assert summary["indicators"]["volume_ratio_20"] is None and "no volume" in summary["undefined"]["volume_ratio_20"]
    assert summary["indicators"]["sma_20"] is not None


def test_it_is_computed_once_until_the_bars_change_or_a_refresh_is_asked_for(tmp_path, monkeypatch):
    store_bars(tmp_path)
    computed = []
    summarise = analysis._summarise
    monkeypatch.setattr(analysis, "_summarise", lambda symbol: computed.append(symbol) or summarise(symbol))
    assert technical_summary("AAA") == technical_summary("AAA")
    assert len(computed) == 1
    technical_summary("AAA", force_refresh=True)
    assert len(computed) == 2
    store_bars(tmp_path, seed=5)
    technical_summary("AAA")
    assert len(computed) == 3


def test_an_unknown_symbol_says_what_was_meant(tmp_path):
    store_bars(tmp_path, symbol="AAPL")
    with pytest.raises(DataMissing, match="did you mean AAPL"):
        technical_summary("APPL")
    with pytest.raises(InvalidInput, match="is not a symbol"):
        technical_summary("../AAPL")


def test_the_hourly_job_refreshes_every_tradable_symbol_and_names_a_damaged_one(tmp_path):
    for symbol in ("AAA", "BBB", "IDX"):
        store_bars(tmp_path, symbol=symbol)
    Instrument.objects.filter(pk="IDX").update(tradable=False)
    bar_store().path("BBB").write_bytes(b"damaged")
    done = refresh_technical_indicators()
    assert done["refreshed"] == 1 and list(done["failed"]) == ["BBB"] and "Import them again" in done["failed"]["BBB"]
