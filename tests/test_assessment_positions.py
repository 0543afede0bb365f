"""The assessment of open trades, against pandas and numbers by hand."""

from decimal import Decimal as D

import numpy as np
import pandas as pd
import pytest

from quant_site.core.errors import DataMissing
from quant_site.market.options.quotes import option_market
from tests.hedge_world import HedgeWorld, factor_panel
from tests.options_world import market_panel
from trading.books.ledger import fills_book
from trading.exposure.assessment import positions_assess
from trading.exposure.surroundings import surroundings_of
from trading.models import Position

pytestmark = pytest.mark.django_db


def assess(world: HedgeWorld, t: int):
    world.close(t)
    return positions_assess(account=world.account, panel=world.panel, session=world.day(t))


def with_levels(world: HedgeWorld, symbol: str, **levels) -> Position:
    Position.objects.filter(symbol=symbol).update(**levels)
    return Position.objects.get(symbol=symbol)


def close_of(world: HedgeWorld, symbol: str, t: int) -> float:
    return world.panel.close[world.panel.row(symbol), t]


def test_an_account_without_positions_has_nothing_to_assess():
    assert assess(HedgeWorld(factor_panel()), 280) == []


def test_a_session_that_is_not_stored_is_an_error_that_says_so():
    world = HedgeWorld(factor_panel())
    with pytest.raises(DataMissing, match="no bars of session"):
        positions_assess(account=world.account, panel=world.panel, session=world.day(0).replace(year=2011))


def test_a_long_trade_is_measured_by_its_stop_and_its_risk():
    world = HedgeWorld(factor_panel())
    world.buy("AAA", 100, 200)
    entry = D(str(round(close_of(world, "AAA", 200), 4)))
    stop, target = entry - 5, entry + 100
    with_levels(world, "AAA", stop_price=stop, target_price=target, initial_risk=D(500))
    [trade] = assess(world, 240)
    price = D(str(close_of(world, "AAA", 240)))
    pnl = (100 * price - 100 * entry - 1).quantize(D("0.01"))
    assert trade.pnl == pnl
    assert trade.r_multiple == (pnl / 500).quantize(D("0.0001"))
    assert (trade.strategy, trade.group, trade.direction, trade.sessions_held) == ("turtle", "AAA", "LONG", 40)
    assert float(trade.stop_distance_pct) == pytest.approx(float((price - stop) / price), abs=1e-6)
    assert float(trade.target_distance_pct) == pytest.approx(float((target - price) / price), abs=1e-6)
    assert float(trade.stop_distance_atr) == pytest.approx(float(price - stop) / trade.surroundings.atr_14, abs=1e-4)
    equity = world.account.equity_snapshots.get().total_equity
    assert float(trade.weight) == pytest.approx(float(100 * price / equity), abs=1e-6)
    assert trade.undefined == {}


def test_a_short_trade_gains_where_the_price_falls_and_has_its_stop_above():
    world = HedgeWorld(factor_panel())
    world.buy("AAA", -100, 200)
    entry = D(str(round(close_of(world, "AAA", 200), 4)))
    with_levels(world, "AAA", stop_price=entry + 5, initial_risk=D(500))
    [trade] = assess(world, 201)
    price = D(str(close_of(world, "AAA", 201)))
    assert trade.direction == "SHORT"
    assert trade.pnl == (100 * (entry - price) - 1).quantize(D("0.01"))
    assert float(trade.stop_distance_pct) == pytest.approx(float((entry + 5 - price) / price), abs=1e-6)
    assert trade.weight > 0 > trade.beta_dollars
    assert trade.undefined["target"] == trade.undefined["target_distance_pct"] == "It has no target."


def test_a_trade_beyond_its_stop_is_to_be_closed():
    world = HedgeWorld(factor_panel())
    world.buy("AAA", 100, 200)
    with_levels(world, "AAA", stop_price=D(str(round(close_of(world, "AAA", 240) + 0.01, 4))))
    [trade] = assess(world, 240)
    assert (trade.verdict, trade.reasons[0].code) == ("CLOSE", "STOP_REACHED")
    assert trade.stop_distance_pct < 0


def test_a_trade_without_stop_says_so_and_has_no_r():
    world = HedgeWorld(factor_panel())
    world.buy("AAA", 100, 200)
    [trade] = assess(world, 240)
    assert (trade.stop, trade.r_multiple, trade.stop_distance_atr) == (None, None, None)
    assert trade.undefined["stop"] == "It has no stop."
    assert trade.undefined["r_multiple"].startswith("It was opened without a stop")
    assert [reason.code for reason in trade.reasons] == ["NO_STOP"]


def test_what_was_partly_sold_is_no_longer_whole():
    world = HedgeWorld(factor_panel())
    world.buy("AAA", 100, 200)
    position = with_levels(world, "AAA", stop_price=D(1), initial_risk=D("0.01"))
    order = world.books.order("AAA", "SELL", 40, purpose="REDUCE", position=position, signal=position.signal, session=world.day(201))
    fills_book(account=world.account, fills=[world.books.fill(order, 40, "500", session=world.day(201))])
    [trade] = assess(world, 240)
    assert trade.r_multiple > 2
    assert "PROFIT_OF_2R" not in {reason.code for reason in trade.reasons}
    assert trade.legs[0].quantity == 60
    assert trade.pnl > 40 * 400


def test_beta_is_that_to_the_benchmark():
    world = HedgeWorld(factor_panel())
    world.buy("AAA", 100, 200)
    [trade] = assess(world, 280)
    frame = pd.DataFrame(world.panel.close[:, 28:281].T, columns=world.panel.symbols).pct_change().dropna()
    slope = frame["AAA"].cov(frame["SPY"]) / frame["SPY"].var()
    assert len(frame) == 252
    assert (trade.benchmark, trade.beta) == ("SPY", pytest.approx(0.67 * slope + 0.33))
    assert float(trade.beta_dollars) == pytest.approx(trade.beta * 100 * close_of(world, "AAA", 280), abs=0.01)


def test_too_little_history_leaves_beta_and_surroundings_undefined():
    world = HedgeWorld(factor_panel())
    world.buy("AAA", 100, 5)
    [trade] = assess(world, 10)
    assert (trade.beta, trade.beta_dollars, trade.surroundings.trend_20, trade.surroundings.atr_14) == (None, None, None, None)
    assert "10 common sessions, 60 are needed" in trade.undefined["beta"]
    assert "too few within 60 sessions" in trade.undefined["surroundings"]


def test_an_account_without_equity_has_no_weights():
    world = HedgeWorld(factor_panel(), cash="1000")
    world.buy("AAA", -800, 100, price=10)
    [trade] = assess(world, 280)
    assert trade.weight is None
    assert trade.undefined["weight"] == "The account has no equity."


def test_a_share_whose_bars_are_not_stored_has_no_price_and_says_so():
    world = HedgeWorld(factor_panel())
    world.buy("AAA", 100, 200)
    Position.objects.update(symbol="GONE", group="GONE")
    [trade] = positions_assess(account=world.account, panel=world.panel, session=world.day(240))
    assert (trade.pnl, trade.price, trade.weight, trade.beta) == (None, None, None, None)
    assert trade.undefined["pnl"] == "No bars of GONE are stored."
    assert trade.verdict == "HOLD"


def test_the_legs_of_a_pair_are_one_trade():
    world = HedgeWorld(factor_panel(betas=(1.5, 0.7)))
    signal = world.books.signal(group="AAA/BBB", legs=[("AAA", "LONG"), ("BBB", "SHORT")], session=world.day(200), strategy="pairs")
    for leg, (symbol, side) in enumerate((("AAA", "BUY"), ("BBB", "SELL"))):
        order = world.books.order(symbol, side, 100, signal=signal, leg=leg, session=world.day(200))
        fill = world.books.fill(order, 100, str(round(close_of(world, symbol, 200), 4)), session=world.day(200))
        fills_book(account=world.account, fills=[fill])
    [trade] = assess(world, 280)
    assert [leg.symbol for leg in trade.legs] == ["AAA", "BBB"]
    assert trade.pnl == sum(leg.pnl for leg in trade.legs)
    gross = sum(abs(leg.market_value) for leg in trade.legs)
    assert float(trade.weight) == pytest.approx(float(gross / world.account.equity_snapshots.get().total_equity), abs=1e-6)
    assert (trade.beta, trade.stop) == (None, None)
    assert trade.beta_dollars is not None
    assert trade.undefined["stop"].startswith("A trade of several legs")


def test_an_option_names_its_expiry_and_admits_that_no_ex_date_is_known():
    world = HedgeWorld(market_panel(sessions=120), cash="1000000")
    market = option_market(world.panel)
    chain = market.chain("SPY", 90)
    quote = chain.nearest_delta(chain.expirations()[0], "C", 0.5)
    symbol = quote.contract.symbol
    world.buy(symbol, -5, 90, price=quote.mid)
    t = next(t for t in range(90, 120) if (quote.contract.expiry - world.day(t)).days <= 2)
    [trade] = assess(world, t)
    expiry, dividend = trade.events
    assert (expiry.kind, expiry.date, expiry.days) == ("EXPIRY", quote.contract.expiry, (quote.contract.expiry - world.day(t)).days)
    assert (dividend.kind, dividend.symbol, dividend.date) == ("EX_DIVIDEND", "SPY", None)
    assert "the next ex-date of SPY is not known" in dividend.note
    assert trade.beta == pytest.approx(1.0)
    delta = market.quote(symbol, t, "CLOSE").delta * close_of(world, "SPY", t) * -500
    assert float(trade.beta_dollars) == pytest.approx(delta, abs=0.01)
    spot, strike = close_of(world, "SPY", t), float(quote.contract.strike)
    ends_badly = spot > strike or abs(spot / strike - 1) <= 0.01
    assert (trade.verdict == "CLOSE") == ends_badly


def test_surroundings_are_those_that_pandas_computes():
    panel = market_panel(sessions=120)
    row, t = panel.row("ACME"), 110
    found = surroundings_of("ACME", panel, row, t)
    close = pd.Series(panel.close[row, : t + 1])
    returns = close.pct_change()
    assert found.trend_20 == pytest.approx(close.iloc[-1] / close.iloc[-21] - 1)
    assert found.volatility_20 == pytest.approx(returns.iloc[-20:].std() * np.sqrt(252))
    assert found.volatility_60 == pytest.approx(returns.iloc[-60:].std() * np.sqrt(252))
    assert found.trend_in_deviations == pytest.approx(found.trend_20 / (returns.iloc[-60:].std() * np.sqrt(20)))
    assert found.above_mean_20 == pytest.approx(close.iloc[-1] / close.rolling(20).mean().iloc[-1] - 1)
    before = pd.Series(panel.close[row, : t + 1]).shift()
    high, low = pd.Series(panel.high[row, : t + 1]), pd.Series(panel.low[row, : t + 1])
    ranges = pd.concat([high - low, (high - before).abs(), (low - before).abs()], axis=1).max(axis=1).iloc[1:]
    average = ranges.iloc[:14].mean()
    for value in ranges.iloc[14:]:
        average = (13 * average + value) / 14
    assert found.atr_14 == pytest.approx(average)


def test_nothing_after_the_session_is_looked_at():
    panel = market_panel(sessions=120)
    assert surroundings_of("ACME", panel, panel.row("ACME"), 90) == surroundings_of("ACME", panel.until(panel.sessions[90].item()), 0, 90)
