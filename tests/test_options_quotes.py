"""`OptionMarket`: what options trade at on a panel's sessions; nothing of it may know the future."""

import gc
import time
import weakref
from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np
import pytest
import QuantLib as ql

from quant_site.market.options.chain import Chain
from quant_site.market.options.contracts import OptionContract
from quant_site.market.options.expirations import expiry_near, monthly_expirations
from quant_site.market.options.inputs import trailing_yield
from quant_site.market.options.quotes import OptionMarket, option_market
from quant_site.market.options.surface import index_surface, stock_surface
from quant_site.market.panel import Panel
from quant_site.market.reference import Reference
from quant_site.market.sessions import session_array
from tests.options_world import changed, flat_process, market_panel, quantlib_option, real_panel

T = 60


@pytest.fixture(autouse=True)
def no_stored_chains(market_dir):
    """No test here reads the chains of the installation."""


@pytest.fixture(scope="module")
def panel():
    return market_panel()


@pytest.fixture
def market(panel):
    return OptionMarket(panel)


def day(panel, t) -> date:
    return panel.sessions[t].item()


def columns(chain: Chain) -> list:
    names = ("expiry", "right", "strike", "forward", "bid", "ask", "mid", "iv", "delta", "gamma", "vega", "theta")
    return [getattr(chain, name).tolist() for name in names] + [chain.spot, chain.rate, chain.dividend_yield, chain.assumptions]


def symbols_of(panel, underlyings=("SPY", "XSP", "ACME"), t=T) -> list[str]:
    market, expiry = OptionMarket(panel), expiry_near(day(panel, t), 45)
    found = [market.chain(name, t, expirations=[expiry]).nearest_delta(expiry, right, 0.25) for name in underlyings for right in "CP"]
    return [quote.contract.symbol for quote in found]


def test_what_can_be_priced_follows_from_the_bars_there_are(panel):
    assert OptionMarket(panel).underlyings() == ("SPY", "XSP", "ACME")
    assert OptionMarket(panel.select(["SPY", "ACME"])).underlyings() == ("SPY", "XSP", "ACME")  # the rest is in the background
    assert OptionMarket(panel.select(["SPX"])).underlyings() == ("SPY", "XSP")
    alone = replace(panel.select(["SPY", "SPX", "ACME"]), background=None)
    assert OptionMarket(alone).underlyings() == ("ACME",)


def test_a_synthetic_chain_says_so_and_what_it_rests_on(market, panel):
    chain = market.chain("SPY", T)
    assert chain.synthetic and chain.source == "synthetic: SPY and VIX"
    assert "two calm days" in chain.assumptions[0] and "1.98%" in chain.assumptions[1] and "three-month bills" in chain.assumptions[1]
    assert chain.expirations() == list(monthly_expirations(day(panel, T)))
    assert chain.at(chain.contracts[7]).synthetic
    assert (chain.spot, chain.rate) == (panel.close[2, T], np.log1p(0.02))


def test_volatilities_are_the_surface_of_that_close(market, panel):
    expiry = expiry_near(day(panel, T), 45)
    years = (expiry - day(panel, T)).days / 365
    for underlying, surface in (("SPY", index_surface(panel.close[3, T])), ("ACME", stock_surface(panel.reference.implied_vol[0, T]))):
        chain = market.chain(underlying, T, expirations=[expiry])
        forward = market.spot(underlying, T) * np.exp(np.log1p(0.02) * years)
        assert chain.iv == pytest.approx(surface.volatility(chain.strike, forward, years), rel=1e-12)


def test_xsp_is_a_tenth_of_the_index_and_european(market, panel):
    assert market.spot("XSP", T) == pytest.approx(panel.close[1, T] / 10)
    expiry = expiry_near(day(panel, T), 90)
    chains = {name: market.chain(name, T, expirations=[expiry]) for name in ("XSP", "SPY")}
    deep = {name: OptionContract(name, expiry, "P", Decimal(int(chain.spot * 1.3))) for name, chain in chains.items()}
    worth = {name: deep[name].intrinsic(chains[name].spot) for name in chains}
    assert market.quote(deep["XSP"].symbol, T, "CLOSE").mid < worth["XSP"] - 0.5
    assert market.quote(deep["SPY"].symbol, T, "CLOSE").mid >= worth["SPY"] - 0.01


def test_a_quote_is_the_row_of_its_chain(market, panel):
    expiry = expiry_near(day(panel, T), 45)
    for underlying in ("SPY", "XSP", "ACME"):
        for moment in ("OPEN", "CLOSE"):
            chain = market.chain(underlying, T, expirations=[expiry], moment=moment)
            for contract in chain.contracts[::7]:
                quote, row = market.quote(contract.symbol, T, moment), chain.at(contract)
                assert (quote.bid, quote.ask, quote.mid, quote.iv) == (row.bid, row.ask, row.mid, row.iv)
                assert quote.bid <= quote.mid <= quote.ask and quote.mid == round((quote.bid + quote.ask) / 2, 3)


def test_the_legs_of_a_condor_have_quantlibs_greeks(market, panel):
    expiry = expiry_near(day(panel, T), 45)
    chain = market.chain("XSP", T, expirations=[expiry])
    for right, delta in (("P", 0.05), ("P", 0.2), ("C", 0.2), ("C", 0.05)):
        row = chain.nearest_delta(expiry, right, delta)
        assert abs(abs(row.delta) - delta) < 0.02
        process = flat_process(chain.spot, chain.rate, chain.dividend_yield, row.iv)
        option = quantlib_option(
            ql.AnalyticEuropeanEngine(process), float(row.contract.strike), (expiry - day(panel, T)).days, right == "C", american=False
        )
        for found in (row, market.quote(row.contract.symbol, T, "CLOSE")):
            assert found.delta == pytest.approx(option.delta(), abs=1e-8)
            assert found.gamma == pytest.approx(option.gamma(), abs=1e-8)
            assert found.vega == pytest.approx(option.vega() / 100, abs=1e-8)
            assert found.theta == pytest.approx(option.thetaPerDay(), abs=1e-8)
            assert found.bid <= option.NPV() <= found.ask


def test_american_quotes_have_the_greeks_of_a_finite_difference_grid(market, panel):
    expiry, days = expiry_near(day(panel, T), 45), (expiry_near(day(panel, T), 45) - day(panel, T)).days
    chain = market.chain("SPY", T, expirations=[expiry])
    for delta in (0.05, 0.2, 0.6):
        row = chain.nearest_delta(expiry, "P", delta)
        engine = ql.FdBlackScholesVanillaEngine(flat_process(chain.spot, chain.rate, 0.0, row.iv), 400, 800)
        option, quote = (
            quantlib_option(engine, float(row.contract.strike), days, False, american=True),
            market.quote(row.contract.symbol, T, "CLOSE"),
        )
        assert quote.delta == pytest.approx(option.delta(), abs=1e-3)
        assert quote.gamma == pytest.approx(option.gamma(), rel=2e-2)
        assert quote.bid <= option.NPV() <= quote.ask


@pytest.mark.parametrize("t", [1, 30, T])
def test_nothing_after_a_session_changes_its_close(panel, t):
    whole, cut = OptionMarket(panel), OptionMarket(panel.until(day(panel, t)))
    for underlying in ("SPY", "XSP", "ACME"):
        assert columns(whole.chain(underlying, t)) == columns(cut.chain(underlying, t))
        assert len(whole.chain(underlying, t)) > 500
    for symbol in symbols_of(panel, t=t):
        for moment in ("OPEN", "CLOSE"):
            assert whole.quote(symbol, t, moment) == cut.quote(symbol, t, moment) is not None


def test_the_open_knows_nothing_of_its_own_session_but_the_opens(panel):
    other = panel
    for symbol in ("SPY", "SPX", "ACME"):
        other = changed(other, symbol, T, close=1.0, high=500_000.0, low=0.5, factor=3.0)
    other = changed(other, "VIX", T, close=70.0, high=75.0)
    implied = panel.reference.implied_vol.copy()
    implied[0, T] = 1.5
    bills = panel.reference.series["TBILL_3M"].copy()
    bills[T] = 0.2
    other = replace(other, reference=replace(panel.reference, implied_vol=implied, series={"TBILL_3M": bills}))
    for symbol in symbols_of(panel):
        assert OptionMarket(panel).quote(symbol, T, "OPEN") == OptionMarket(other).quote(symbol, T, "OPEN")
        assert OptionMarket(panel).quote(symbol, T, "CLOSE") != OptionMarket(other).quote(symbol, T, "CLOSE")


def test_the_vix_opens_where_its_bar_is_real_and_else_stands_at_the_last_close(panel):
    symbol = symbols_of(panel, ("SPY",))[0]
    flat = changed(panel, "VIX", T, open=44.0, high=44.0, low=44.0, close=44.0)
    real = changed(panel, "VIX", T, open=44.0, high=45.0, low=43.0, close=44.0)
    expiry = expiry_near(day(panel, T), 45)
    years = ((expiry - day(panel, T)).days + 6.5 / 24) / 365
    for bars, vix in ((flat, panel.close[3, T - 1]), (real, 44.0)):
        chain = OptionMarket(bars).chain("SPY", T, expirations=[expiry], moment="OPEN")
        assert chain.spot == panel.open[2, T]
        assert chain.iv == pytest.approx(index_surface(vix).volatility(chain.strike, chain.forward, years), rel=1e-12)
        assert OptionMarket(bars).quote(symbol, T, "OPEN").iv > 0


def test_the_same_panel_gives_the_same_digits(panel):
    for symbol in symbols_of(panel):
        first, second = (OptionMarket(market_panel()).quote(symbol, T, "CLOSE") for _ in range(2))
        assert first == second


def test_an_expired_contract_has_no_quote_and_settles_at_its_last_close(market, panel):
    expiry = monthly_expirations(day(panel, T))[0]
    end = panel.index(expiry)
    spot = panel.close[2, end]
    for right in "CP":
        contract = OptionContract("SPY", expiry, right, Decimal(int(spot) - 3))
        last = market.quote(contract.symbol, end, "CLOSE")
        assert last.bid == last.ask == last.mid == contract.intrinsic(spot)
        assert (last.gamma, last.vega, last.theta) == (0, 0, 0) and abs(last.delta) in (0, 1)
        assert market.quote(contract.symbol, end + 1, "OPEN") is market.quote(contract.symbol, end + 1, "CLOSE") is None
        assert np.isnan(market.settlement(contract.symbol, end - 1))
        assert market.settlement(contract.symbol, end) == market.settlement(contract.symbol, end + 9) == contract.intrinsic(spot)
    assert market.quote(OptionContract("SPY", expiry, "C", Decimal(int(spot))).symbol, end, "OPEN").vega > 0


def test_a_settlement_without_a_bar_takes_the_last_there_was(panel):
    expiry = monthly_expirations(day(panel, T))[0]
    end = panel.index(expiry)
    gap = changed(panel, "SPY", end, open=np.nan, high=np.nan, low=np.nan, close=np.nan)
    symbol = OptionContract("SPY", expiry, "C", Decimal(200)).symbol
    assert OptionMarket(gap).settlement(symbol, end) == pytest.approx(panel.close[2, end - 1] - 200)
    assert OptionMarket(gap).quote(symbol, end, "CLOSE") is None


def test_what_cannot_be_priced_is_no_error(market, panel):
    assert market.quote("SPY", T, "CLOSE") is None
    assert market.quote("QQQ240119C00400000", T, "CLOSE") is None
    assert np.isnan(market.spot("QQQ", T)) and np.isnan(market.settlement("QQQ190118C00400000", T))
    assert np.isnan(market.settlement("SPY", T))
    chain = market.chain("QQQ", T)
    assert len(chain) == 0 and chain.expirations() == [] and chain.assumptions == (market.lack("QQQ", T),)
    assert "import_bars" in market.lack("QQQ", T)
    assert len(market.chain("SPY", T, expirations=[])) == 0


def test_a_missing_vix_is_carried_five_sessions_and_then_named(panel):
    holes = panel
    for t in range(T, T + 8):
        holes = changed(holes, "VIX", t, open=np.nan, high=np.nan, low=np.nan, close=np.nan)
    market, symbol = OptionMarket(holes), symbols_of(panel, ("SPY",))[0]
    carried = market.chain("SPY", T + 4)
    assert "The volatility is 5 sessions old." in carried.assumptions and market.lack("SPY", T + 4) == ""
    assert market.lack("SPY", T + 5).startswith("Synthetic options on SPY need bars of VIX")
    assert len(market.chain("SPY", T + 5)) == 0 and market.quote(symbol, T + 5, "CLOSE") is None
    assert market.quote(symbol, T + 5, "OPEN") is not None and market.quote(symbol, T + 6, "OPEN") is None
    without = OptionMarket(replace(panel.select(["SPY"]), background=None))
    assert without.underlyings() == () and "VIX" in without.lack("SPY", T) and without.spot("SPY", T) == panel.close[2, T]


def test_a_stock_without_an_implied_volatility_or_a_bar_is_named(panel):
    implied = panel.reference.implied_vol.copy()
    implied[0, T] = np.nan
    bare = replace(panel, reference=replace(panel.reference, implied_vol=implied))
    market = OptionMarket(bare)
    assert "three-month implied volatility" in market.lack("ACME", T) and market.lack("ACME", T + 1) == ""
    gap = OptionMarket(changed(panel, "ACME", T, open=np.nan, close=np.nan))
    assert gap.lack("ACME", T).startswith("There is no bar of ACME on")
    assert gap.quote(symbols_of(panel, ("ACME",))[0], T, "CLOSE") is None and len(gap.chain("ACME", T)) == 0


def test_the_first_open_has_no_session_before_it(panel):
    market = OptionMarket(panel)
    quote = market.quote(OptionContract("SPY", expiry_near(day(panel, 0), 45), "C", Decimal(280)).symbol, 0, "OPEN")
    assert (
        quote is not None
        and market.quote(OptionContract("ACME", expiry_near(day(panel, 0), 45), "C", Decimal(60)).symbol, 0, "OPEN") is None
    )
    assert any("A rate of 0" in each for each in market.chain("SPY", 0, moment="OPEN").assumptions)


def test_the_rate_is_that_of_bills_or_of_the_factor_file_or_nothing(panel):
    daily = np.full(len(panel.sessions), 0.0001)
    for series, rate, words in (
        ({"TBILL_3M": np.full(len(daily), 0.03), "RF": daily}, np.log(1.03), "three-month bills"),
        ({"RF": daily}, 0.0252, "the factor file's daily rate"),
        ({}, 0.0, "A rate of 0: none is known"),
    ):
        chain = OptionMarket(replace(panel, reference=Reference(series))).chain("SPY", T)
        assert chain.rate == pytest.approx(rate) and words in chain.assumptions[1]


def dividend_bars(amounts: dict[int, float], splits: dict[int, float], sessions=600) -> Panel:
    """One symbol at 100 a share, adjusted for cash `amounts` and for `splits` of n new shares for one."""
    close, factor = np.full(sessions, 100.0), np.ones(sessions)
    for t, ratio in splits.items():
        close[t:] /= ratio
        factor[:t] /= ratio
    for t, amount in amounts.items():
        factor[:t] *= 1 - amount / close[t - 1]
    days = session_array("2018-01-02", "2024-12-31")[:sessions].copy()
    rows = close[None]
    return Panel(("DIV",), days, rows.copy(), rows.copy(), rows.copy(), rows.copy(), rows * 0 + 1e6, factor[None])


def test_the_dividend_yield_is_what_the_last_year_paid():
    quarterly = dict.fromkeys(range(63, 600, 63), 0.5)
    found = trailing_yield(dividend_bars(quarterly, {}))
    assert found[62] == 0 and found[63] == pytest.approx(0.005) and found[300] == pytest.approx(0.02)
    split = trailing_yield(dividend_bars({t: amount / 4 if t >= 280 else amount for t, amount in quarterly.items()}, {280: 4.0}))
    assert split[[270, 300, 350, 500]] == pytest.approx(found[[270, 300, 350, 500]], rel=1e-6)
    one_off = trailing_yield(dividend_bars({200: 8.0}, {}))
    assert (one_off == 0).all()


def test_the_dividend_yield_lowers_the_forward_and_is_causal(panel):
    bars = dividend_bars(dict.fromkeys(range(63, 600, 63), 0.5), {})
    assert (trailing_yield(bars)[:401] == trailing_yield(bars.until(bars.sessions[400].item()))).all()
    implied = np.full((1, 600), 0.2)
    market = OptionMarket(replace(bars, reference=Reference(implied_vol=implied)))
    chain = market.chain("DIV", 400)
    assert chain.dividend_yield == pytest.approx(0.02) and "2.00%" in chain.assumptions[2]
    last = chain.expiry == chain.expiry[-1]
    years = (chain.expirations()[-1] - chain.session).days / 365
    assert chain.forward[last] == pytest.approx(100 * np.exp(-0.02 * years))


def test_one_market_is_kept_as_long_as_its_panel():
    panel = market_panel(sessions=30)
    assert option_market(panel) is option_market(panel)
    market, gone = weakref.ref(option_market(panel)), weakref.ref(panel)
    del panel
    gc.collect()
    assert gone() is None and market() is None


def test_a_quote_takes_microseconds_and_a_chain_milliseconds(panel):
    market, expiry = OptionMarket(panel), expiry_near(day(panel, T), 45)
    contracts = market.chain("SPY", T, expirations=[expiry]).contracts
    started = time.process_time()
    for contract in contracts:
        market.quote(contract.symbol, T + 1, "CLOSE")
    per_quote = (time.process_time() - started) / len(contracts)
    started = time.process_time()
    for t in range(T, T + 10):
        market.chain("SPY", t, expirations=[expiry])
    per_chain = (time.process_time() - started) / 10
    # What they take on a machine of 2024 is a third of this.
    assert per_quote < 450e-6 and per_chain < 45e-3


def test_a_year_of_real_sessions_is_priced_without_a_gap(market_fixtures):
    panel = real_panel(market_fixtures)
    market = option_market(panel)
    for t in range(panel.index(date(2020, 1, 2)), panel.index(date(2020, 12, 31)), 5):
        session = day(panel, t)
        expiry = expiry_near(session, 45)
        chain = market.chain("SPY", t, expirations=[expiry])
        quote = market.quote(chain.nearest_delta(expiry, "P", 0.2).contract.symbol, t + 1, "OPEN")
        assert market.lack("SPY", t) == "" and 0 < quote.bid < quote.ask and 0.05 < -quote.delta < 0.5
        assert 0.014 < chain.dividend_yield < 0.026
