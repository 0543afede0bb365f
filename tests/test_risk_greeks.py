"""Greeks in dollars: by their definitions, over what is held, on its way and proposed; what is not known is refused."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_site.market.options.black_scholes import bsm_greeks, bsm_price
from strategies.risk import PanelMarket
from strategies.risk.greeks import of_option
from tests.options_world import market_panel
from tests.risk_world import CALL, PUT, HandMarket, codes, context, terms, trade


@given(
    spot=st.floats(20, 500),
    moneyness=st.floats(0.8, 1.2),
    years=st.floats(0.05, 2),
    volatility=st.floats(0.1, 0.8),
    contracts=st.integers(-50, 50),
    call=st.booleans(),
)
def test_dollars_are_what_the_position_gains_when_the_world_moves_a_little(spot, moneyness, years, volatility, contracts, call):
    """Oracle: differences of the position's own value."""

    def value(spot, years, volatility):
        return contracts * 100 * float(bsm_price(spot, strike, years, 0.02, 0.01, volatility, call))

    def delta(at):
        return (value(at * 1.0001, years, volatility) - value(at * 0.9999, years, volatility)) / 0.0002

    strike = spot * moneyness
    unit = bsm_greeks(spot, strike, years, 0.02, 0.01, volatility, call)
    found = of_option(spot, contracts, **{name: float(getattr(unit, name)) for name in ("delta", "gamma", "vega", "theta")})
    size = abs(contracts) * 100 * spot
    assert found.delta == pytest.approx(delta(spot), abs=1e-4 * size + 1e-9)
    # Dollars of delta of the same shares: their number is Δ$ / S.
    shares = (delta(spot * 1.001) / (spot * 1.001) - delta(spot * 0.999) / (spot * 0.999)) / 0.002
    assert found.gamma == pytest.approx(shares * spot / 100, abs=1e-3 * size + 1e-9)
    change = value(spot, years, volatility + 0.005) - value(spot, years, volatility - 0.005)
    assert found.vega == pytest.approx(change, abs=1e-4 * size + 1e-9)
    day = value(spot, years - 0.5 / 365, volatility) - value(spot, years + 0.5 / 365, volatility)
    assert found.theta == pytest.approx(day, abs=1e-4 * size + 1e-9)


MARKET = HandMarket(options={CALL: terms(CALL), PUT: terms(PUT, delta=-0.4, gamma=0.02, vega=0.3, theta=-0.04)})


def test_a_total_is_over_what_is_held_on_its_way_and_proposed():
    held = context(
        MARKET,
        exposures={"SPY": Decimal("28000"), PUT: Decimal("600")},
        pending={"KO": Decimal("-5000")},
        contracts={PUT: 1.0},
        contracts_pending={CALL: 2.0, PUT: -3.0},
    )
    before = held.holdings.sensitivities
    assert before.delta == pytest.approx(28000 - 5000 + 0.5 * 280 * 200 - 0.4 * 280 * -200)
    assert before.gamma == pytest.approx(0.01 * 280**2 * 200 / 100 + 0.02 * 280**2 * -200 / 100)
    assert before.vega == pytest.approx(0.4 * 200 + 0.3 * -200)
    assert before.theta == pytest.approx(-0.05 * 200 - 0.04 * -200)
    after = held.after(trade({CALL: -1, "KO": 10})).sensitivities
    assert after.delta == pytest.approx(before.delta - 0.5 * 280 * 100 + 500)
    assert after.vega == pytest.approx(before.vega - 40)
    assert set(held.holdings.by_name) == {"KO", "SPY"}


@pytest.mark.parametrize(
    ("greek", "of_one"), [("delta", 0.5 * 280 * 100), ("gamma", 0.01 * 280**2), ("vega", 0.4 * 100), ("theta", 0.05 * 100)]
)
def test_each_greek_is_limited_by_its_size_whichever_its_sign(greek, of_one):
    limits = {f"max_{greek}_pct": (of_one + 0.01) / 100_000}
    assert codes(trade({CALL: 1}), context(MARKET, limits=limits)) == []
    assert codes(trade({CALL: 2}), context(MARKET, limits=limits)) == [greek.upper()]
    assert greek.upper() in codes(trade({CALL: -2}), context(MARKET, limits=limits))


def test_what_lowers_a_greek_passes_while_its_limit_is_exceeded():
    held = context(MARKET, limits={"max_delta_pct": 0.05}, contracts={CALL: 1.0}, exposures={CALL: Decimal("800")})
    assert codes(trade({"SPY": 1}), held) == ["DELTA"]
    assert codes(trade({"SPY": -40}), held) == []
    assert codes(trade({"SPY": -75}), held) == [], "7,000 short is less than 14,000 long was"
    assert codes(trade({"SPY": -101}), held) == ["DELTA"]


@pytest.mark.parametrize("greek", ["delta", "gamma", "vega", "theta"])
def test_a_greek_that_is_not_known_refuses_the_trade_where_it_is_limited(greek):
    limits = {f"max_{greek}_pct": 10.0}
    partly = HandMarket(options={CALL: terms(CALL, **{greek: float("nan")})})
    for market in (partly, HandMarket()):
        assert codes(trade({CALL: 1}), context(market, limits=limits)) == ["MISSING_GREEK"]
        held = context(market, limits=limits, contracts={CALL: 1.0})
        assert codes(trade({"KO": 1}), held) == ["MISSING_GREEK"]
        assert codes(trade({"KO": 1}), replace(held, contracts={})) == []
    assert codes(trade({CALL: 1}), context(partly)) == [], "without a limit nobody asks"


def test_a_panel_answers_with_the_greeks_of_its_quotes():
    panel = market_panel()
    market = PanelMarket(panel, 60)
    symbol = f"SPY190621P00{int(panel.close[2, 60]) // 5 * 5:03d}000"
    found = market.option(symbol)
    again = bsm_greeks(found.spot, float(found.contract.strike), found.years, found.rate, found.dividend_yield, found.iv, False)
    assert found.spot == pytest.approx(panel.close[2, 60])
    assert found.delta == pytest.approx(float(again.delta), abs=0.02), "American, and so a little more than European"
    assert market.option("KO190621P00050000") is None
