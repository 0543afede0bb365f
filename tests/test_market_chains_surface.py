"""A real chain in the option market, and `check_surface`, which holds the synthetic surface against it."""

import io
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from django.core.management import CommandError, call_command

from quant_site.market.chains.services import chains_import
from quant_site.market.options.comparison import surface_check
from quant_site.market.options.contracts import OptionContract
from quant_site.market.options.expirations import expiry_near
from quant_site.market.options.quotes import OptionMarket
from quant_site.market.options.surface import stock_surface
from quant_site.market.providers.synthetic import SyntheticMarket
from quant_site.market.services import bars_import
from tests.options_world import market_panel, real_panel

pytestmark = pytest.mark.django_db

CHAIN = "options/spy_chain_2023-09-14.csv.gz"
SESSION = date(2023, 9, 14)
T = 60


@pytest.fixture(autouse=True)
def empty_market(market_dir):
    """A store of the test's own."""


def run(*arguments):
    out = io.StringIO()
    call_command("check_surface", *map(str, arguments), stdout=out)
    return out.getvalue()


def synthetic_file(path, panel, underlying="SPY", t=T, shift=0.0):
    """A file with the model's own chain of that day, every price moved by `shift`."""
    session = panel.sessions[t].item()
    chain = OptionMarket(panel).chain(underlying, t, expirations=[expiry_near(session, days) for days in (45, 90)])
    frame = pd.DataFrame(
        {
            "quote_date": str(session),
            "underlying": underlying,
            "underlying_price": chain.spot,
            "expiration": chain.expiry,
            "strike": chain.strike,
            "type": chain.right,
            "bid": chain.bid + shift,
            "ask": chain.ask + shift,
        }
    )
    frame.to_csv(path, index=False)
    return chain


def test_a_stored_chain_stands_at_its_close_and_the_rest_is_synthetic(tmp_path):
    panel = market_panel()
    market = OptionMarket(panel)
    before = market.chain("SPY", T)
    made = synthetic_file(tmp_path / "chain.csv", panel, shift=0.07)
    symbol = made.nearest_delta(made.expirations()[0], "P", 0.3).contract.symbol
    synthetic = market.quote(symbol, T, "CLOSE")
    chains_import(path=tmp_path / "chain.csv", source="a vendor")

    chain, quote = market.chain("SPY", T), market.quote(symbol, T, "CLOSE")
    assert before.synthetic and not chain.synthetic and chain.source == "a vendor" and chain.expirations() == made.expirations()
    assert not quote.synthetic and quote.source == "a vendor"
    assert (quote.bid, quote.ask) == pytest.approx((synthetic.bid + 0.07, synthetic.ask + 0.07))
    assert quote == chain.at(quote.contract)
    assert market.quote(symbol, T, "OPEN").synthetic and market.quote(symbol, T + 1, "CLOSE").synthetic
    assert market.chain("SPY", T, moment="OPEN").synthetic and market.chain("XSP", T).synthetic
    missing = OptionContract("SPY", chain.expirations()[0], "C", made.contracts[0].strike * 3).symbol
    assert market.quote(missing, T, "CLOSE").synthetic


def test_a_stored_chain_needs_no_vix_and_is_seen_until_its_session_only(tmp_path):
    panel = market_panel()
    synthetic_file(tmp_path / "chain.csv", panel)
    chains_import(path=tmp_path / "chain.csv")
    alone = OptionMarket(replace(panel.select(["SPY"]), background=None))
    assert alone.lack("SPY", T) == "" and "VIX" in alone.lack("SPY", T + 1)
    assert len(alone.chain("SPY", T)) > 100 and len(alone.chain("SPY", T + 1)) == 0
    cut = OptionMarket(panel.until(panel.sessions[T].item()))
    assert cut.chain("SPY", T).bid.tolist() == OptionMarket(panel).chain("SPY", T).bid.tolist()


def test_a_later_import_replaces_what_was_quoted(tmp_path):
    panel, path = market_panel(), tmp_path / "chain.csv"
    market, made = OptionMarket(panel), synthetic_file(path, panel)
    symbol, bids = made.nearest_delta(made.expirations()[0], "P", 0.3).contract.symbol, []
    frame = pd.read_csv(path)
    for shift in (0.07, 0.11):
        frame.assign(bid=frame["bid"] + shift, ask=frame["ask"] + shift).to_csv(path, index=False)
        chains_import(path=path)
        bids.append(market.quote(symbol, T, "CLOSE").bid)
    assert bids[1] - bids[0] == pytest.approx(0.04)


def test_the_model_agrees_with_its_own_chain(tmp_path):
    panel = market_panel()
    synthetic_file(tmp_path / "chain.csv", panel)
    said = run(tmp_path / "chain.csv", "--vix", panel.close[3, T], "--rate", np.log1p(0.02))
    overall = next(line for line in said.splitlines() if line.startswith("7 to 365")).split()
    assert int(overall[3]) > 80 and float(overall[4]) < 0.1


def test_a_surface_that_is_two_points_higher_is_found_two_points_off():
    session, expirations = SESSION, [date(2023, 10, 20), date(2024, 3, 15)]
    chain = SyntheticMarket("XSP", session, "CLOSE", 450.0, 0.05, 0.015, stock_surface(0.20)).chain(expirations)
    check = surface_check(chain, stock_surface(0.22))
    at_money = surface_check(chain.where(np.abs(chain.strike / chain.forward - 1) < 0.003), stock_surface(0.22))
    assert at_money.overall.median == pytest.approx(2, abs=0.02) and at_money.overall.bias == pytest.approx(2, abs=0.02)
    assert check.overall.n == sum(bucket.n for bucket in check.buckets) and check.vendor is None
    assert [bucket.n > 0 for bucket in check.buckets] == [False, False, True, False, True, False]
    assert np.isnan(check.buckets[0].median)
    theirs = surface_check(chain, stock_surface(0.22), chain.iv + 0.01).vendor
    assert theirs.bias == pytest.approx(check.overall.bias - 1, abs=1e-9)


def test_what_the_check_needs_is_named(tmp_path):
    synthetic_file(tmp_path / "chain.csv", market_panel())
    synthetic_file(tmp_path / "acme.csv", market_panel(), "ACME")
    for arguments, words in (
        ((tmp_path / "chain.csv",), "VIX"),
        ((tmp_path / "acme.csv",), "give --implied-vol"),
        ((), "--underlying and --session"),
        (("--session", "2023-09-14", "--vix", "13"), "No chain of SPY on 2023-09-14 is stored"),
        ((tmp_path / "missing.csv",), "There is no file or folder"),
    ):
        with pytest.raises(CommandError) as refused:
            run(*arguments)
        assert words in str(refused.value)
    assert "a three-month volatility of 30.00%" in run(tmp_path / "acme.csv", "--implied-vol", "0.3")


def test_the_real_chain_lies_within_a_point_and_a_half_of_the_surface(market_fixtures):
    bars_import(path=market_fixtures / "vol" / "VIX.csv.gz", kind="INDEX")
    chains_import(path=market_fixtures / CHAIN)
    said = run("--session", SESSION)
    assert said.replace("folder: spy_chain_2023-09-14.csv.gz", "") == run(market_fixtures / CHAIN).replace(
        "folder: spy_chain_2023-09-14.csv.gz", ""
    )
    overall = next(line for line in said.splitlines() if line.startswith("7 to 365")).split()
    vendor = next(line for line in said.splitlines() if line.startswith("vendor's IV")).split()
    assert "a VIX of 12.82" in said and int(overall[3]) > 1000
    assert float(overall[4]) <= 1.5 and float(vendor[3]) <= 1.5


def test_the_real_chain_in_a_market_has_hardly_a_quote_in_quarantine(market_fixtures):
    panel = real_panel(market_fixtures)
    chains_import(path=market_fixtures / CHAIN, source="CBOE, delayed")
    market, t = OptionMarket(panel), panel.index(SESSION)
    chain = market.chain("SPY", t, expirations=[date(2023, 10, 20), date(2023, 12, 15)])
    assert not chain.synthetic and chain.spot == 450.81 and len(chain.quarantined) <= 2 and len(chain) > 700
    near = (np.abs(chain.strike / chain.forward - 1) < 0.08) & (chain.bid > 0)
    stored = pd.read_csv(market_fixtures / CHAIN)
    stored = stored[stored["expiration"].isin(["2023-10-20", "2023-12-15"])]
    keys = {(row.expiration, row.type[0].upper(), row.strike): row for row in stored.itertuples()}
    rows = [keys[str(contract.expiry), contract.right, float(contract.strike)] for contract in chain.contracts]
    vendor = np.array([(row.iv, row.delta) for row in rows])
    outside = near & ((chain.right == "C") == (chain.strike >= chain.forward)) & (vendor[:, 0] > 0)
    assert outside.sum() > 100
    assert np.median(np.abs(chain.iv - vendor[:, 0])[outside]) < 0.005
    assert np.median(np.abs(chain.delta - vendor[:, 1])[outside]) < 0.01
    assert chain.dividend_yield == pytest.approx(0.0145, abs=5e-4)
    put = chain.nearest_delta(date(2023, 10, 20), "P", 0.16)
    assert market.quote(put.contract.symbol, t, "CLOSE") == put and 415 < put.contract.strike < 440
