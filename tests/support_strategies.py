"""What the tests of strategies share: small panels, the bundled prices, and a plain simulation of holdings."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
from bokeh_sampledata import stocks

from quant_site.core.types import Direction
from quant_site.market.panel import Panel
from quant_site.market.sessions import session_array
from strategies.base import Holding
from strategies.models import Strategy as StrategyRow

# The strategies that find something to trade in the bundled stocks alone; the others need more symbols, or other data.
ON_BUNDLED = ("bollinger_mean_reversion", "breakout_momentum", "golden_cross", "pairs_trading")
BUNDLED = ("AAPL", "FB", "GOOG", "IBM", "MSFT")


def panel_of(closes: dict, *, start="2010-01-04", highs=None, lows=None, factor=None) -> Panel:
    """A panel from closes by symbol (lists of one length, NaN where no bar); open = close, high and low as given or = close."""
    symbols = tuple(sorted(closes))
    close = np.array([closes[symbol] for symbol in symbols], float)
    high, low = ((np.array([given[s] for s in symbols], float) if given else close.copy()) for given in (highs, lows))
    sessions = session_array(start, "2024-12-31")[: close.shape[1]].copy()
    factors = np.ones_like(close) if factor is None else np.array([factor[symbol] for symbol in symbols], float)
    return Panel(symbols, sessions, close.copy(), high, low, close.copy(), np.where(np.isnan(close), np.nan, 1e6), factors)


@cache
def bundled_panel() -> Panel:
    """Five real stocks with raw and adjusted prices, 2000 to 2013; GOOG and FB were listed later."""
    frames = {}
    for symbol in BUNDLED:
        frame = pd.DataFrame(getattr(stocks, symbol))
        frames[symbol] = frame.set_index(pd.to_datetime(frame["date"])).drop(columns="date")
    sessions = session_array("2000-03-01", "2013-03-01").copy()
    wide = {
        name: np.array([frames[symbol][name].reindex(pd.DatetimeIndex(sessions)).to_numpy(float) for symbol in BUNDLED])
        for name in ("open", "high", "low", "close", "volume", "adj_close")
    }
    high = np.fmax(wide["high"], np.fmax(wide["open"], wide["close"]))
    low = np.fmin(wide["low"], np.fmin(wide["open"], wide["close"]))
    factor = wide["adj_close"] / wide["close"]
    return Panel(BUNDLED, sessions, wide["open"], high, low, wide["close"], wide["volume"], factor)


def random_panel(seed: int, symbols: int = 4, sessions: int = 300, *, gaps: bool = False, late: bool = False) -> Panel:
    """Correlated random walks; with `gaps` some bars are missing, with `late` one symbol is listed half-way."""
    rng = np.random.default_rng(seed)
    common = rng.normal(0, 0.01, sessions)
    close = 50 * np.exp(np.cumsum(common + rng.normal(0, 0.008, (symbols, sessions)), axis=1))
    spread = np.abs(rng.normal(0, 0.01, (2, symbols, sessions)))
    opened = close * (1 + rng.normal(0, 0.004, (symbols, sessions)))
    high = np.maximum(opened, close) * (1 + spread[0])
    low = np.minimum(opened, close) * (1 - spread[1])
    factor = np.where(np.arange(sessions) < sessions // 3, 0.5, 1.0) * np.ones((symbols, 1))
    bars = [opened, high, low, close]
    if gaps:
        hole = rng.random((symbols, sessions)) < 0.02
        bars = [np.where(hole, np.nan, values) for values in bars]
    if late:
        for values in bars:
            values[-1, : sessions // 2] = np.nan
    names = tuple(f"S{i}" for i in range(symbols))
    return Panel(names, session_array("2010-01-04", "2024-12-31")[:sessions].copy(), *bars, np.full(close.shape, 1e6), factor)


def holding_of(group: str, direction: Direction, price: float, session, **fields) -> Holding:
    """An open trade of one share; both legs of "A/B"."""
    legs = group.split("/")
    quantities = {leg: float(direction.sign * (1 if i == 0 else -1)) for i, leg in enumerate(legs)}
    values = {"quantities": quantities, "entry_price": price, "last_entry_price": price, "entry_session": session, **fields}
    return Holding(group=group, direction=direction, **values)


def simulated(strategy, panel: Panel, params, first: int, last: int) -> list[list]:
    """The drafts of each session from column `first` to `last`, with every draft filled at the next open, no stops."""
    features, open_trades, decisions = strategy.prepare(panel, params), {}, []
    for t in range(first, last + 1):
        drafts = strategy.decide(panel, features, t, params, tuple(open_trades[group] for group in sorted(open_trades)))
        decisions.append(drafts)
        if t < last:
            for draft in drafts:
                _fill(panel, open_trades, draft, t + 1)
    return decisions


def _fill(panel: Panel, open_trades: dict, draft, t: int) -> None:
    prices = [float(panel.open[panel.row(leg.symbol), t]) for leg in draft.legs]
    if np.isnan(prices).any():
        return
    if draft.direction is Direction.CLOSE:
        del open_trades[draft.group]
    elif draft.add:
        held = open_trades[draft.group]
        open_trades[draft.group] = replace(held, units=held.units + 1, last_entry_price=prices[0])
    else:
        session = panel.sessions[t].item()
        open_trades[draft.group] = holding_of(draft.group, draft.direction, prices[0], session, metadata=draft.metadata)


def strategy_gone() -> StrategyRow:
    """A row of the library whose implementation is not there any more."""
    reason = "It was taken out of the library."
    return StrategyRow.objects.create(key="gone", name="Gone", category="VOLATILITY", enabled=False, disabled_reason=reason)
