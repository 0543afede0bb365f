"""What options are priced from on each session of a panel: prices, a volatility, dividends and the rate.

Arrays have one entry a column of the panel, and column t rests on nothing after session t. None of them holds the panel.

The rate is that of three-month bills, else the factor file's daily rate × 252, else 0. The dividend yield is what the
adjustment factor shows as paid in the last 52 weeks (ex-dates keep their weekday, so a year has no fifth payment), over
the price; payments of more than 3 % are one-off and left out. Without adjusted prices it is 0. XSP has SPY's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from quant_site.market.actions import corporate_actions
from quant_site.market.options.surface import Surface, index_surface, stock_surface
from quant_site.market.panel import Panel

VIX = "VIX"
# Underlying → (symbol of its bars, how many of its units one of them is, symbol whose dividends are its own).
INDEX_OPTIONS = {"SPY": ("SPY", 1.0, "SPY"), "XSP": ("SPX", 0.1, "SPY")}
VIX_AGE = 5
TRADING_DAYS = 252
DIVIDEND_DAYS = 364
ORDINARY_DIVIDEND = 0.03


@dataclass(frozen=True, eq=False)
class Underlying:
    """One underlying. `volatility` at the close is the VIX in points or a stock's implied volatility, `opening` the same
    at the open, `age` how many sessions old the one at the close is. `needs` begins the sentence on a missing one."""

    opens: np.ndarray
    closes: np.ndarray
    volatility: np.ndarray
    opening: np.ndarray
    age: np.ndarray
    surface: Callable[[float], Surface]
    source: str
    needs: str
    payer: Panel | None

    @cached_property
    def dividend_yield(self) -> np.ndarray:
        """Of the last 52 weeks, a decimal a year."""
        return np.zeros(len(self.closes)) if self.payer is None else trailing_yield(self.payer)


def rates(panel: Panel) -> tuple[np.ndarray, np.ndarray]:
    """The continuous rate a year at each column, and where it comes from ("" where it is not known and counts as 0)."""
    empty = np.full(len(panel.sessions), np.nan)
    series = panel.reference.series
    bills, daily = series.get("TBILL_3M", empty), series.get("RF", empty) * TRADING_DAYS
    rate = np.where(np.isfinite(bills), np.log1p(bills), daily)
    source = np.where(np.isfinite(bills), "three-month bills", np.where(np.isfinite(daily), "the factor file's daily rate", ""))
    return np.where(np.isfinite(rate), rate, 0.0), source


def underlyings(panel: Panel) -> dict[str, Underlying]:
    """Every underlying that the panel or its background has bars of; its volatility is NaN throughout where none is known."""
    found = {}
    for underlying, (symbol, scale, payer) in INDEX_OPTIONS.items():
        held = panel.holding(symbol)
        if held is not None:
            found[underlying] = _index(panel, underlying, *held, scale, _bars_alone(panel.holding(payer)))
    for bars in filter(None, (panel, panel.background)):
        volatilities = bars.reference.implied_vol
        for row, symbol in enumerate(bars.symbols):
            if symbol not in found and symbol != VIX:
                found[symbol] = _stock(bars, row, None if volatilities is None else volatilities[row])
    return found


def _index(panel: Panel, underlying: str, bars: Panel, row: int, scale: float, payer: Panel | None) -> Underlying:
    closes, opening, age = _vix(panel)
    return Underlying(
        opens=bars.open[row] * scale,
        closes=bars.close[row] * scale,
        volatility=closes,
        opening=opening,
        age=age,
        surface=index_surface,
        source=f"synthetic: {bars.symbols[row]} and VIX",
        needs=f"Synthetic options on {underlying} need bars of VIX (manage.py import_bars PATH), and there are none of the last sessions",
        payer=payer,
    )


def _vix(panel: Panel) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The VIX at each close, carried over missing bars, its value at each open, and the age of the former in sessions."""
    held = panel.holding(VIX)
    if held is None:
        empty = np.full(len(panel.sessions), np.nan)
        return empty, empty, np.zeros(len(empty), int)
    bars, row = held
    columns = np.arange(len(bars.sessions))
    last = np.maximum.accumulate(np.where(np.isfinite(bars.close[row]), columns, -1))
    age = columns - last
    closes = np.where((last >= 0) & (age <= VIX_AGE), bars.close[row, last], np.nan)
    # Sources that know a close only write it into all four prices: that is no open.
    real = bars.high[row] > bars.low[row]
    return closes, np.where(real, bars.open[row], _shifted(closes)), age


def _stock(bars: Panel, row: int, volatility: np.ndarray | None) -> Underlying:
    symbol = bars.symbols[row]
    volatility = np.full(len(bars.sessions), np.nan) if volatility is None else volatility
    return Underlying(
        opens=bars.open[row],
        closes=bars.close[row],
        volatility=volatility,
        opening=_shifted(volatility),
        age=np.zeros(len(volatility), int),
        surface=stock_surface,
        source=f"synthetic: {symbol} and its three-month implied volatility",
        needs=f"Synthetic options on {symbol} need its three-month implied volatility, and none is known",
        payer=_bars_alone((bars, row)),
    )


def _shifted(values: np.ndarray) -> np.ndarray:
    """What stood one column earlier."""
    return np.concatenate([[np.nan], values[:-1]])


def _bars_alone(held: tuple[Panel, int] | None) -> Panel | None:
    """The bars of one symbol as a panel of their own, without what lies around them."""
    if held is None:
        return None
    bars, row = held
    rows = slice(row, row + 1)
    arrays = (getattr(bars, name)[rows] for name in ("open", "high", "low", "close", "volume", "factor"))
    return Panel((bars.symbols[row],), bars.sessions, *arrays)


def trailing_yield(bars: Panel) -> np.ndarray:
    """The ordinary dividends of the 52 weeks up to each session of the panel's only symbol, over its price then."""
    close, paid, units = bars.close[0], np.zeros(len(bars.sessions)), np.ones(len(bars.sessions))
    for t, actions in corporate_actions(bars).items():
        for action in actions:
            if action.kind == "SPLIT":
                units[t:] *= float(action.value)  # shares now for each one of the first session
            elif float(action.value) <= ORDINARY_DIVIDEND * close[t]:
                paid[t] += float(action.value) * units[t]
    total = np.concatenate([[0.0], np.cumsum(paid)])
    days = bars.sessions.astype("datetime64[D]")
    first = np.searchsorted(days, days - np.timedelta64(DIVIDEND_DAYS, "D"), side="right")
    last = np.maximum.accumulate(np.where(np.isfinite(close), np.arange(len(close)), 0))
    price = close[last] * units[last]
    return np.where(np.isfinite(price) & (price > 0), (total[1:] - total[first]) / price, 0.0)
