"""What the tests of options share: panels with an underlying and its volatility, real and made, and QuantLib as oracle."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import QuantLib as ql

from quant_site.market.panel import Panel
from quant_site.market.reference import Reference
from quant_site.market.sessions import session_array

TODAY = ql.Date(14, 9, 2023)
DAYS = ql.Actual365Fixed()


def flat_process(spot, rate, dividend_yield, volatility) -> ql.BlackScholesMertonProcess:
    """QuantLib's process with flat curves from `TODAY` on."""
    return ql.BlackScholesMertonProcess(
        ql.QuoteHandle(ql.SimpleQuote(spot)),
        ql.YieldTermStructureHandle(ql.FlatForward(TODAY, dividend_yield, DAYS)),
        ql.YieldTermStructureHandle(ql.FlatForward(TODAY, rate, DAYS)),
        ql.BlackVolTermStructureHandle(ql.BlackConstantVol(TODAY, ql.NullCalendar(), volatility, DAYS)),
    )


def quantlib_option(engine, strike, days, call, american) -> ql.VanillaOption:
    """An option that expires `days` after `TODAY`, priced by `engine`."""
    ql.Settings.instance().evaluationDate = TODAY
    expiry = TODAY + days
    exercise = ql.AmericanExercise(TODAY, expiry) if american else ql.EuropeanExercise(expiry)
    option = ql.VanillaOption(ql.PlainVanillaPayoff(ql.Option.Call if call else ql.Option.Put, strike), exercise)
    option.setPricingEngine(engine)
    return option


def market_panel(sessions: int = 120, start="2019-01-02", seed: int = 5, rate: float = 0.02) -> Panel:
    """SPY, SPX, the VIX with real bars, and ACME with implied volatilities, as random walks."""
    rng = np.random.default_rng(seed)
    spy = 280 * np.exp(np.cumsum(rng.normal(0, 0.01, sessions)))
    vix = 16 * np.exp(0.3 * rng.normal(0, 1, sessions))
    acme = 60 * np.exp(np.cumsum(rng.normal(0, 0.02, sessions)))
    close = np.array([acme, spy * 10, spy, vix])
    opened = close * (1 + rng.normal(0, 0.003, close.shape))
    high, low = np.maximum(opened, close) * 1.004, np.minimum(opened, close) * 0.996
    implied = np.full(close.shape, np.nan)
    implied[0] = rng.uniform(0.2, 0.4, sessions)
    reference = Reference({"TBILL_3M": np.full(sessions, rate)}, implied_vol=implied)
    days = session_array(start, "2024-12-31")[:sessions].copy()
    bars = (opened, high, low, close, np.full(close.shape, 1e6), np.ones(close.shape))
    return Panel(("ACME", "SPX", "SPY", "VIX"), days, *bars, reference=reference)


def changed(panel: Panel, symbol: str, t: int, **prices) -> Panel:
    """A copy of `panel` with other prices of `symbol` at column t."""
    arrays = {}
    for name, value in prices.items():
        arrays[name] = getattr(panel, name).copy()
        arrays[name][panel.row(symbol), t] = value
    return replace(panel, **arrays)


@cache
def real_panel(folder) -> Panel:
    """SPY with raw and adjusted prices, the VIX and three-month bills of `folder`, 2005 to 2024."""
    days = session_array("2005-01-03", "2024-12-31").copy()
    files = {"SPY": "prices/etf/SPY.csv.gz", "VIX": "vol/VIX.csv.gz"}
    frames = {name: _by_session(folder / path, days) for name, path in files.items()}
    bars = [np.array([frames[name][column].to_numpy(float) for name in files]) for column in ("open", "high", "low", "close")]
    factor = np.array([(frames["SPY"]["adj_close"] / frames["SPY"]["close"]).to_numpy(float), np.ones(len(days))])
    bills = _by_session(folder / "rates/tbill_3m.csv.gz", days)["tbill_3m_pct"].ffill().to_numpy(float) / 100
    return Panel(tuple(files), days, *bars, np.full(factor.shape, 1e6), factor, reference=Reference({"TBILL_3M": bills}))


def _by_session(path, days) -> pd.DataFrame:
    frame = pd.read_csv(path)
    return frame.set_index(pd.to_datetime(frame["date"])).reindex(pd.DatetimeIndex(days))
