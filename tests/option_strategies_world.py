"""What the tests of the option strategies share: markets, real and made, quotes by QuantLib, and a plain simulation of trades."""

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import cache

import numpy as np
import pandas as pd
import QuantLib as ql

from quant_site.core.types import Direction
from quant_site.market.options.black_scholes import bsm_greeks
from quant_site.market.options.chain import Quote
from quant_site.market.options.contracts import OptionContract, parse_contract
from quant_site.market.options.quotes import option_market
from quant_site.market.panel import Panel
from quant_site.market.reference import Reference
from quant_site.market.sessions import session_array
from strategies.base import Holding

STOCKS = ("AAPL", "AMD", "BAC", "CVX", "HD", "JNJ", "JPM", "KO", "LLY", "MSFT", "PEP", "PFE", "PG", "WMT", "XOM")
DAYS = ql.Actual365Fixed()


# --- quotes by QuantLib


def quantlib_values(contract: OptionContract, session: date, spot, rate, dividend_yield, volatility) -> dict[str, float]:
    """Price and Greeks of a European option by QuantLib's analytic engine; vega a point, theta a day."""
    today = ql.Date(session.day, session.month, session.year)
    ql.Settings.instance().evaluationDate = today
    process = ql.BlackScholesMertonProcess(
        ql.QuoteHandle(ql.SimpleQuote(spot)),
        ql.YieldTermStructureHandle(ql.FlatForward(today, dividend_yield, DAYS)),
        ql.YieldTermStructureHandle(ql.FlatForward(today, rate, DAYS)),
        ql.BlackVolTermStructureHandle(ql.BlackConstantVol(today, ql.NullCalendar(), volatility, DAYS)),
    )
    expiry = ql.Date(contract.expiry.day, contract.expiry.month, contract.expiry.year)
    payoff = ql.PlainVanillaPayoff(ql.Option.Call if contract.right == "C" else ql.Option.Put, float(contract.strike))
    option = ql.VanillaOption(payoff, ql.EuropeanExercise(expiry))
    option.setPricingEngine(ql.AnalyticEuropeanEngine(process))
    greeks = {"delta": option.delta(), "gamma": option.gamma(), "vega": option.vega() / 100, "theta": option.theta() / 365}
    return {"price": option.NPV(), **greeks}


def quote_of(right, strike, expiry, bid, ask, *, underlying="SPY", terms=None, iv=np.nan) -> Quote:
    """A quote with Greeks of our own by `terms` (spot, years, rate, dividend yield) and `iv`, NaN without."""
    contract = OptionContract(underlying, expiry, right, Decimal(str(strike)))
    greeks = [np.nan] * 4
    if terms:
        spot, years, rate, dividend_yield = terms
        greeks = [float(value) for value in bsm_greeks(spot, float(strike), years, rate, dividend_yield, iv, right == "C")[:4]]
    return Quote(contract, bid, ask, (bid + ask) / 2, iv, *greeks, False, "test")


# --- markets


def made_panel(sessions: int = 520, *, seed: int = 3, start="2016-01-04", stocks: int = 0, factor=None) -> Panel:
    """SPY as a random walk of changing volatility with the VIX over it, and `stocks` with implied volatilities; VIX and SPX in
    the background."""
    rng = np.random.default_rng(seed)
    sigma = 0.009 * np.exp(0.35 * np.sin(np.arange(sessions) / 40) + 0.1 * rng.normal(size=sessions))
    names = [f"S{i:02d}" for i in range(stocks)]
    closes = {"SPY": 250 * np.exp(np.cumsum(sigma * rng.normal(size=sessions)))}
    closes |= {name: (40 + 10 * i) * np.exp(np.cumsum(2 * sigma * rng.normal(size=sessions))) for i, name in enumerate(names)}
    closes["SPX"] = 10 * closes["SPY"]
    closes["VIX"] = 100 * np.sqrt(252) * sigma * 1.25 * np.exp(0.15 * rng.normal(size=sessions))
    symbols = tuple(sorted(closes))
    close = np.array([closes[symbol] for symbol in symbols])
    opened = close * np.exp(0.003 * rng.normal(size=close.shape))
    reach = np.abs(0.004 * rng.normal(size=(2, *close.shape)))
    high, low = np.maximum(opened, close) * (1 + reach[0]), np.minimum(opened, close) * (1 - reach[1])
    implied = np.full(close.shape, np.nan)
    for name in names:
        implied[symbols.index(name)] = 2 * sigma * np.sqrt(252) * np.exp(0.25 * rng.normal(size=sessions))
    factors = np.ones_like(close)
    if factor is not None:
        factors[symbols.index("SPY")] = factor
    days = session_array(start, "2024-12-31")[:sessions].copy()
    reference = Reference({"TBILL_3M": np.full(sessions, 0.015)}, implied_vol=implied)
    whole = Panel(symbols, days, opened, high, low, close, np.full(close.shape, 1e6), factors, reference=reference)
    return whole.select([symbol for symbol in symbols if symbol not in ("SPX", "VIX")])


def without(panel: Panel, symbol: str, columns=slice(None)) -> Panel:
    """The panel and its background without bars of `symbol` at `columns`."""

    def torn(bars: Panel) -> Panel:
        arrays = {name: getattr(bars, name).copy() for name in ("open", "high", "low", "close")}
        if symbol in bars:
            for values in arrays.values():
                values[bars.row(symbol), columns] = np.nan
        return replace(bars, **arrays)

    return replace(torn(panel), background=torn(panel.background))


@cache
def real_panel(folder, *, stocks: bool = False) -> Panel:
    """SPY with raw and adjusted prices, the VIX behind it and three-month bills; with `stocks` fifteen with implied volatilities."""
    days = session_array("2009-01-02", "2023-12-29").copy()
    files = {"SPY": "prices/etf/SPY.csv.gz", "VIX": "vol/VIX.csv.gz"}
    files |= {symbol: f"prices/stocks/{symbol}.csv.gz" for symbol in STOCKS} if stocks else {}
    symbols = tuple(sorted(files))
    frames = [_by_session(folder / files[symbol], days) for symbol in symbols]
    bars = [np.array([frame[name].to_numpy(float) for frame in frames]) for name in ("open", "high", "low", "close")]
    factor = np.array([(frame.get("adj_close", frame["close"]) / frame["close"]).to_numpy(float) for frame in frames])
    vols = _by_session(folder / "vol/implied_vol_3m_atm_stocks.csv.gz", days)
    implied = np.array([vols[symbol].to_numpy(float) if symbol in vols else np.full(len(days), np.nan) for symbol in symbols])
    bills = _by_session(folder / "rates/tbill_3m.csv.gz", days)["tbill_3m_pct"].ffill().to_numpy(float) / 100
    reference = Reference({"TBILL_3M": bills}, implied_vol=implied if stocks else None)
    whole = Panel(symbols, days, *bars, np.full(factor.shape, 1e6), factor, reference=reference)
    return whole.select([symbol for symbol in symbols if symbol != "VIX"])


def _by_session(path, days) -> pd.DataFrame:
    frame = pd.read_csv(path)
    return frame.set_index(pd.to_datetime(frame["date"])).reindex(pd.DatetimeIndex(days))


def column(panel: Panel, day: str) -> int:
    return panel.index(date.fromisoformat(day))


# --- trades


@dataclass(frozen=True)
class Closed:
    """A trade that ended by `rule` (SETTLED: at expiry), and what one unit brought, dollars of the underlying's price."""

    rule: str
    holding: Holding
    session: date
    profit: float


def traded(strategy, panel: Panel, params, first: int, last: int) -> tuple[list[list], list[Closed]]:
    """The drafts of each session from column `first` to `last` and the trades that ended: one unit each, filled at the next
    open at the bid and the ask, settled at expiry."""
    market, features = option_market(panel), strategy.prepare(panel, params)
    held: dict[str, Holding] = {}
    decisions, ended = [], []
    for t in range(first, last + 1):
        drafts = strategy.decide(panel, features, t, params, tuple(held[group] for group in sorted(held)))
        decisions.append(drafts)
        ended += [
            Closed("SETTLED", *_settled(market, held, group, t)) for group in sorted(held) if _expiry(held[group]) <= features.days[t]
        ]
        for draft in drafts if t < last else ():
            prices = _fills(market, draft, held.get(draft.group), t + 1)
            if draft.direction is Direction.CLOSE:
                holding = held.pop(draft.group)
                profit = sum(number * (prices[symbol] - holding.entry_prices[symbol]) for symbol, number in holding.quantities.items())
                ended.append(Closed(draft.metadata["rule"], holding, features.days[t + 1], profit))
            else:
                numbers = {leg.symbol: float(leg.direction.sign * leg.units) for leg in draft.legs}
                session, price = features.days[t + 1], draft.entry_price
                held[draft.group] = Holding(
                    draft.group, draft.direction, numbers, price, session, price, entry_prices=prices, metadata=draft.metadata
                )
    return decisions, ended


def entries(decisions) -> list:
    return [draft for drafts in decisions for draft in drafts if draft.direction is not Direction.CLOSE]


def held_trade(quantities: dict[str, float], prices: dict[str, float], session: date, direction: Direction) -> Holding:
    """A trade that is open already."""
    contract = parse_contract(next(iter(quantities)))
    group = f"{contract.underlying}/XX/{contract.expiry:%y%m%d}"
    return Holding(group, direction, quantities, 1.0, session, 1.0, entry_prices=prices)


def _expiry(holding: Holding) -> date:
    return parse_contract(next(iter(holding.quantities))).expiry


def _settled(market, held: dict, group: str, t: int) -> tuple[Holding, date, float]:
    holding = held.pop(group)
    worth = {symbol: market.settlement(symbol, t) for symbol in holding.quantities}
    profit = sum(number * (worth[symbol] - holding.entry_prices[symbol]) for symbol, number in holding.quantities.items())
    return holding, _expiry(holding), profit


def _fills(market, draft, holding: Holding | None, t: int) -> dict[str, float]:
    """Each leg's price at the open of t: the ask where it is bought."""
    fills = {}
    for leg in draft.legs:
        quote = market.quote(leg.symbol, t, "OPEN")
        bought = leg.direction is Direction.LONG if holding is None else holding.quantities[leg.symbol] < 0
        fills[leg.symbol] = quote.ask if bought else quote.bid
    return fills
