"""Option exposure: Greeks and shocks against QuantLib, flags at their limits, and what is not known."""

from dataclasses import replace
from datetime import date
from decimal import Decimal as D
from types import SimpleNamespace

import numpy as np
import pytest
import QuantLib as ql

from quant_site.core.errors import DataMissing, InvalidInput
from quant_site.market.options.contracts import parse_contract
from quant_site.market.options.quotes import option_market
from tests.accounting_world import panel_of
from tests.hedge_world import DAYS, HedgeWorld, factor_panel
from tests.options_world import flat_process, market_panel, quantlib_option
from trading.exposure.chain_table import chain_table
from trading.exposure.option_exposure import option_exposure
from trading.exposure.option_flags import flags_of, last_dividend

pytestmark = pytest.mark.django_db

T = 91
SHOCKS = [(spot, volatility) for spot in (-0.2, -0.1, -0.05, 0.05, 0.1, 0.2) for volatility in (-0.25, 0.5, 1.0)]


def desk(*trades: tuple[str, int], shares: int = 0, panel=None) -> SimpleNamespace:
    """An account that holds options of (right, contracts) on SPY at the second monthly expiry, and `shares` of SPY."""
    world = HedgeWorld(panel or market_panel(sessions=120), cash="1000000")
    chain = option_market(world.panel).chain("SPY", T - 1)
    symbols = []
    for right, count in trades:
        quote = chain.nearest_delta(chain.expirations()[1], right, 0.4)
        world.buy(quote.contract.symbol, count, T - 1, price=quote.mid)
        symbols.append(quote.contract.symbol)
    if shares:
        world.buy("SPY", shares, T - 1)
    world.close(T)
    return SimpleNamespace(world=world, symbols=symbols, spot=float(world.panel.close[world.panel.row("SPY"), T]))


def expose(world: HedgeWorld, t: int = T):
    return option_exposure(account=world.account, panel=world.panel, session=world.day(t))


def quantlib_price(symbol: str, spot: float, volatility: float, session: date) -> ql.VanillaOption:
    """The American option by finite differences, at the panel's rate and without dividends."""
    contract = parse_contract(symbol)
    process = flat_process(spot, np.log1p(0.02), 0.0, volatility)
    engine = ql.FdBlackScholesVanillaEngine(process, 400, 400)
    return quantlib_option(engine, float(contract.strike), (contract.expiry - session).days, contract.right == "C", True)


def test_an_account_without_options_is_exposed_to_nothing():
    found = expose(desk(shares=100).world)
    assert (found.underlyings, found.flags, found.warnings) == ((), (), ())
    assert set(found.total.greeks.values()) == {0}
    assert found.total.worst.gain == 0


@pytest.mark.parametrize("trades", [(("C", 10),), (("P", -7),), (("C", -5), ("P", -5))])
def test_greeks_are_those_of_quantlib_in_dollars(trades):
    held = desk(*trades)
    found, session = expose(held.world), held.world.day(T)
    expected = dict.fromkeys(("delta", "gamma", "vega", "theta"), 0.0)
    for symbol, (_, count) in zip(held.symbols, trades, strict=True):
        iv = option_market(held.world.panel).quote(symbol, T, "CLOSE").iv
        option, units = quantlib_price(symbol, held.spot, iv, session), 100 * count
        expected["delta"] += option.delta() * held.spot * units
        expected["gamma"] += option.gamma() * held.spot**2 * units / 100
        up, down = (quantlib_price(symbol, held.spot, iv + move, session).NPV() for move in (0.005, -0.005))
        expected["vega"] += (up - down) * units
        expected["theta"] += option.theta() / 365 * units
    for name, value in expected.items():
        assert float(found.total.greeks[name]) == pytest.approx(value, rel=0.02, abs=2.0), name
    assert found.underlyings[0].options.greeks == found.total.greeks


def test_the_grid_of_shocks_is_a_full_revaluation():
    held = desk(("C", 10), ("P", -10))
    found, session = expose(held.world), held.world.day(T)
    market = option_market(held.world.panel)
    assert [(cell.spot, cell.volatility) for cell in found.total.stress] == SHOCKS
    for cell in found.total.stress:
        expected = 0.0
        for symbol, count in zip(held.symbols, (10, -10), strict=True):
            iv = market.quote(symbol, T, "CLOSE").iv
            before, after = (
                quantlib_price(symbol, held.spot * (1 + spot), iv * (1 + shock), session).NPV()
                for spot, shock in ((0, 0), (cell.spot, cell.volatility))
            )
            expected += (after - before) * 100 * count
        assert cell.gain == pytest.approx(expected, rel=0.01, abs=60), cell
    assert found.total.worst == min(found.total.stress, key=lambda cell: cell.gain)


def test_shares_of_an_underlying_are_added_and_cover_what_was_sold():
    held = desk(("C", -10), shares=1000)
    found = expose(held.world)
    [spy] = found.underlyings
    assert spy.shares == 1000
    difference = spy.with_shares.greeks["delta"] - spy.options.greeks["delta"]
    assert float(difference) == pytest.approx(1000 * held.spot, abs=0.02)
    assert spy.options.worst.spot == 0.2 and spy.with_shares.worst.spot == -0.2
    assert found.total == spy.with_shares
    for covered, bare in zip(spy.with_shares.stress, spy.options.stress, strict=True):
        assert covered.gain - bare.gain == pytest.approx(1000 * held.spot * bare.spot, abs=0.02)


def test_quotes_say_that_they_are_synthetic_and_what_they_rest_on():
    found = expose(desk(("C", 10)).world)
    [held] = found.underlyings[0].contracts
    assert (held.synthetic, held.source) == (True, "synthetic: SPY and VIX")
    assert "No market made these prices" in found.warnings[0]
    assert held.time_value == held.price - held.intrinsic


def test_an_option_without_a_quote_leaves_its_sums_undefined():
    held = desk(("C", 10), ("P", 5))
    closes = held.world.panel.close.copy()
    closes[held.world.panel.row("VIX"), 60:] = np.nan
    held.world.panel = replace(held.world.panel, close=closes)
    found = expose(held.world)
    assert (set(found.total.greeks.values()), found.total.stress, found.total.worst) == ({None}, None, None)
    assert any("no quote" in reason for reason in found.total.reasons)
    contract = found.underlyings[0].contracts[0]
    assert (contract.price, contract.market_value, contract.greeks["delta"]) == (None, None, None)
    assert "need bars of VIX" in contract.reason and "need bars of VIX" in found.warnings[0]


def test_a_holding_in_two_trades_is_counted_once_with_its_sum():
    held = desk(("C", 10))
    quote = option_market(held.world.panel).quote(held.symbols[0], T, "CLOSE")
    held.world.buy(held.symbols[0], 4, T, price=quote.mid, strategy="other")
    held.world.close(T + 1)
    [contract] = expose(held.world, T + 1).underlyings[0].contracts
    assert contract.contracts == 14


# --- what is near


CALL = parse_contract("SPY190315C00280000")
FAR = date(2019, 2, 1)


def codes(contract=CALL, **values) -> list[str]:
    defaults = {"sold": True, "session": FAR, "spot": 300.0, "mid": D("21"), "dividend": None}
    return [flag.code for flag in flags_of(contract, **(defaults | values))]


def test_an_expiry_is_near_seven_days_before_it_and_not_eight():
    assert codes(session=date(2019, 3, 8), spot=250.0, mid=D("0.05")) == ["EXPIRES_SOON"]
    assert codes(session=date(2019, 3, 7), spot=250.0, mid=D("0.05")) == []


def test_near_its_expiry_a_price_close_to_the_strike_is_pinned():
    near = {"session": date(2019, 3, 14), "sold": False, "mid": D("2")}
    assert codes(spot=282.0, **near) == ["EXPIRES_SOON", "PIN_RISK"]
    assert codes(spot=277.5, **near) == ["EXPIRES_SOON", "PIN_RISK"]
    assert codes(spot=283.0, **near) == ["EXPIRES_SOON"]
    assert codes(spot=282.0, session=FAR, sold=False) == []


def test_a_sold_call_may_be_exercised_for_its_dividend():
    assert codes(mid=D("21.40"), dividend=D("1.41")) == ["ASSIGNMENT_DIVIDEND"]
    assert codes(mid=D("21.41"), dividend=D("1.41")) == []
    assert codes(mid=D("21.40"), dividend=D("1.41"), sold=False) == []
    put = parse_contract("SPY190315P00320000")
    assert codes(put, mid=D("21.40"), dividend=D("1.41")) == []


def test_a_sold_option_without_time_value_may_be_exercised_any_day():
    assert codes(mid=D("20.29")) == ["ASSIGNMENT_TIME_VALUE"]
    assert codes(mid=D("20.31")) == []
    put = parse_contract("SPY190315P00320000")
    assert codes(put, mid=D("20.29")) == ["ASSIGNMENT_TIME_VALUE"]
    assert codes(put, spot=330.0, mid=D("0.01")) == []


def test_a_european_option_is_exercised_at_its_end_only():
    assert codes(parse_contract("XSP190315C00280000"), mid=D("20.00"), dividend=D("1.41")) == []


def test_without_a_price_there_is_no_saying():
    assert codes(mid=None) == codes(spot=float("nan")) == []


def test_the_last_dividend_is_an_ordinary_one_within_a_year():
    closes, factor = [100.0] * 400, np.ones(400)
    factor[:50] *= 1 - 1.2 / 100
    factor[:300] *= 1 - 1.5 / 100
    panel = panel_of({"PAYS": closes}, factor={"PAYS": list(factor)}, sessions=DAYS)
    assert last_dividend(panel, "PAYS", 49) is None
    assert last_dividend(panel, "PAYS", 50) == D("1.20")
    assert last_dividend(panel, "PAYS", 290) == D("1.20")
    assert last_dividend(panel, "PAYS", 299) is None  # 364 days later
    assert last_dividend(panel, "PAYS", 300) == D("1.50")
    assert last_dividend(panel, "NONE", 300) is None


# --- the chain as a table


def test_a_chain_is_shown_one_expiration_at_a_time():
    panel = market_panel(sessions=120)
    session = panel.sessions[T].item()
    first = chain_table(panel=panel, underlying="spy", session=session)
    assert first.expiration == first.expirations[0] and first.synthetic
    second = chain_table(panel=panel, underlying="SPY", session=session, expiration=first.expirations[1])
    contracts = [parse_contract(row.symbol) for row in second.rows]
    assert {contract.expiry for contract in contracts} == {first.expirations[1]}
    row = next(row for row in second.rows if row.right == "P" and row.strike == round(second.spot))
    quote = option_market(panel).quote(row.symbol, T, "CLOSE")
    assert (row.bid, row.ask, row.iv) == (quote.bid, quote.ask, pytest.approx(quote.iv))
    assert row.reason == ""


def test_an_expiration_that_is_not_listed_is_refused_with_those_that_are():
    panel = market_panel(sessions=120)
    with pytest.raises(InvalidInput, match="no options that expire on 2019-06-22") as raised:
        chain_table(panel=panel, underlying="SPY", session=panel.sessions[T].item(), expiration=date(2019, 6, 22))
    assert "2019-06-21" in raised.value.details["expirations"]


def test_a_chain_that_cannot_be_had_says_what_it_lacks():
    panel = factor_panel()
    with pytest.raises(DataMissing, match="need bars of VIX"):
        chain_table(panel=panel, underlying="SPY", session=panel.sessions[T].item())
    with pytest.raises(DataMissing, match="no bars of what NONE stands for"):
        chain_table(panel=panel, underlying="NONE", session=panel.sessions[T].item())
