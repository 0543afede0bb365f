"""Quotes that cannot be true are left out of a chain with the reason, and the others are untouched."""

from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from quant_site.market.options.american import american_prices
from quant_site.market.options.black_scholes import bsm_greeks, bsm_price
from quant_site.market.options.contracts import OptionContract
from quant_site.market.options.stored import stored_chain

SESSION, EXPIRY = date(2023, 9, 14), date(2023, 12, 15)
SPOT, RATE, YIELD, YEARS = 450.0, 0.05, 0.015, 92 / 365
STRIKES = np.arange(350.0, 551, 5)


def quotes(underlying="SPY", expiry=EXPIRY, strikes=STRIKES) -> pd.DataFrame:
    """Good quotes: a model's prices two cents either side, with a smile."""
    price = bsm_price if underlying == "XSP" else american_prices
    parts = []
    for right in "CP":
        volatility = 0.16 - 0.2 * np.log(strikes / SPOT) + 0.3 * np.log(strikes / SPOT) ** 2
        mid = price(SPOT, strikes, YEARS, RATE, YIELD, volatility, right == "C")
        rows = {"expiry": pd.Timestamp(expiry), "right": right, "strike": strikes, "volatility": volatility}
        parts.append(pd.DataFrame(rows | {"bid": np.maximum(np.floor(mid * 100 - 2), 0) / 100, "ask": np.ceil(mid * 100 + 2) / 100}))
    return pd.concat(parts, ignore_index=True)


def chain_of(frame, underlying="SPY", **facts):
    known = {"session": SESSION, "spot": SPOT, "rate": RATE, "dividend_yield": YIELD, "source": "a vendor"} | facts
    return stored_chain(frame, underlying=underlying, **known)


def planted(frame, right, strike, **prices):
    frame = frame.copy()
    row = (frame["right"] == right) & (frame["strike"] == strike)
    for name, change in prices.items():
        frame.loc[row, name] = change(frame.loc[row, name])
    return frame


@pytest.mark.parametrize("underlying", ["SPY", "XSP"])
def test_good_quotes_all_stay(underlying):
    chain = chain_of(quotes(underlying), underlying)
    assert chain.quarantined == () and len(chain) == 2 * len(STRIKES)
    assert not chain.synthetic and chain.source == "a vendor"


def up(money):
    return lambda price: price + money


def test_a_crossed_quote_is_left_out():
    assert found(planted(quotes(), "C", 450, bid=lambda bid: bid + 1)) == {("C", 450): "CROSSED"}
    assert found(planted(quotes(), "C", 450, ask=lambda ask: ask * np.nan)) == {("C", 450): "CROSSED"}
    assert found(planted(quotes(), "P", 400, bid=lambda bid: -1.0)) == {("P", 400): "CROSSED"}


def found(frame, underlying="SPY", **facts):
    chain = chain_of(frame, underlying, **facts)
    assert len(chain) == len(frame) - len(chain.quarantined)
    return {(each.contract.right, float(each.contract.strike)): each.reason for each in chain.quarantined}


@pytest.mark.parametrize("underlying", ["SPY", "XSP"])
@pytest.mark.parametrize(
    ("right", "strike", "change", "reason"),
    [
        ("C", 400, -8.0, "BELOW_INTRINSIC"),
        ("P", 525, -9.0, "BELOW_INTRINSIC"),
        ("C", 350, 400.0, "ABOVE_BOUND"),
        ("P", 350, 400.0, "ABOVE_BOUND"),
        ("C", 450, 6.0, "VERTICAL"),
        ("C", 450, -6.0, "VERTICAL"),
        ("P", 430, 5.0, "VERTICAL"),
        ("P", 430, -5.5, "VERTICAL"),
        ("C", 450, 1.2, "BUTTERFLY"),
        ("C", 450, -1.2, "BUTTERFLY"),
        ("P", 450, 1.2, "BUTTERFLY"),
    ],
)
def test_one_wrong_quote_is_left_out_and_no_other(underlying, right, strike, change, reason):
    bad = planted(quotes(underlying), right, strike, bid=up(change), ask=up(change))
    bad[["bid", "ask"]] = bad[["bid", "ask"]].clip(lower=0)
    assert found(bad, underlying) == {(right, strike): reason}


def test_a_pair_that_is_out_of_parity_goes_as_a_whole():
    frame = quotes("XSP", strikes=np.array([430.0, 440, 450, 460, 470, 520]))
    frame.loc[(frame["right"] == "C") & (frame["strike"] == 520), ["bid", "ask"]] += 1.5
    assert found(frame, "XSP") == {("C", 520): "PARITY", ("P", 520): "PARITY"}


def test_several_wrong_quotes_are_found_together():
    frame = quotes()
    for right, strike, change in (("C", 420, 9.0), ("C", 500, 7.0), ("P", 410, 6.0), ("P", 470, -7.0)):
        frame = planted(frame, right, strike, bid=up(change), ask=up(change))
    assert set(found(frame)) == {("C", 420), ("C", 500), ("P", 410), ("P", 470)}


def test_a_dividend_that_is_due_or_a_stale_spot_condemns_nobody():
    assert found(quotes(), spot=SPOT * 1.0009) == {}
    frame = quotes()
    assert found(frame, dividend_yield=0.0) == {}


def test_an_unknown_rate_condemns_nobody():
    for underlying in ("SPY", "XSP"):
        assert found(quotes(underlying), underlying, rate=0.0, rate_known=False) == {}


def test_zero_bids_are_real_and_marked():
    frame = planted(quotes(strikes=np.arange(250.0, 551, 5)), "P", 250, bid=lambda bid: bid * 0)
    chain = chain_of(frame)
    assert chain.quarantined == () and chain.zero_bid.sum() >= 1
    quote = chain.at(OptionContract("SPY", EXPIRY, "P", Decimal(250)))
    assert quote.bid == 0 and quote.ask > 0 and quote.mid == quote.ask / 2


@pytest.mark.parametrize("underlying", ["SPY", "XSP"])
def test_volatilities_and_greeks_are_those_the_quotes_were_made_with(underlying):
    frame = quotes(underlying)
    chain = chain_of(frame, underlying)
    expected = frame.sort_values(["right", "strike"])["volatility"].to_numpy()
    near = (chain.strike > 400) & (chain.strike < 510)
    assert np.abs(chain.iv - expected)[near].max() < 2e-3
    assert chain.forward[0] == pytest.approx(SPOT * np.exp((RATE - YIELD) * YEARS), rel=1e-3)
    greeks = bsm_greeks(SPOT, chain.strike, YEARS, RATE, YIELD, expected, chain.right == "C")
    assert np.abs(chain.delta - greeks.delta)[near].max() < 1e-2
    for strike in (420, 450, 480):
        call, put = (chain.at(OptionContract("SPY" if underlying == "SPY" else "XSP", EXPIRY, right, Decimal(strike))) for right in "CP")
        assert call.iv == put.iv and call.vega == put.vega


def test_a_quote_without_time_value_has_neither_volatility_nor_greeks():
    frame = quotes(strikes=np.array([100.0, 440, 445, 450, 455, 460]))
    frame = planted(frame, "P", 100, bid=lambda bid: 0.0, ask=lambda ask: 0.01)
    frame = planted(frame, "C", 100, bid=lambda bid: 349.9, ask=lambda ask: 350.1)
    quote = chain_of(frame).at(OptionContract("SPY", EXPIRY, "P", Decimal(100)))
    assert quote.bid == 0 and np.isnan([quote.iv, quote.delta, quote.vega]).all()


def test_expiring_rows_keep_their_prices_and_have_no_volatility():
    frame = quotes(expiry=SESSION, strikes=np.array([440.0, 450, 460]))
    frame[["bid", "ask"]] = np.abs(frame[["strike"]].to_numpy() - SPOT) * np.where(
        (frame["right"] == "C") == (frame["strike"] < SPOT), 1, 0
    )[:, None] + np.array([0, 0.05])
    chain = chain_of(frame)
    assert len(chain) == 6 and np.isnan(chain.iv).all()


def test_an_empty_table_is_an_empty_chain():
    chain = chain_of(quotes().iloc[:0])
    assert len(chain) == 0 and chain.expirations() == [] and chain.nearest_delta(EXPIRY, "C", 0.2) is None
    assert chain.at(OptionContract("SPY", EXPIRY, "C", Decimal(450))) is None and len(chain.of(EXPIRY, "C")) == 0


def test_only_the_expirations_asked_for_are_built():
    frame = pd.concat([quotes(), quotes(expiry=date(2023, 12, 29))])
    assert chain_of(frame).expirations() == [EXPIRY, date(2023, 12, 29)]
    assert chain_of(frame, expirations=[EXPIRY, date(2024, 1, 19)]).expirations() == [EXPIRY]
