"""The market as compiled code reads it: bars, marks, corporate actions and what sizes depend on, once per panel."""

from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from quant_site.market.actions import corporate_actions
from quant_site.market.panel import Panel
from strategies.backtest.amounts import MICROS, prices_in_micros
from strategies.backtest.orders import split_ratio
from strategies.library.kernels import raw_prices
from strategies.panel_facts import panel_facts

# The columns of `bars`: raw prices, the close of the column before in shares of this one, and what sizes depend on.
OPEN, HIGH, LOW, CLOSE, BEFORE, ADV, VOLATILITY = range(7)
# The columns of `micros`: the open of a bar that traded (0: none did) and the last close, in millionths of a dollar.
OPENED, MARK = range(2)
# The columns of `actions`: when, which row, and the ratio of a split (new shares for old ones), or the amount of a dividend
# in millionths over 0.
WHEN, WHOSE, NUMERATOR, DENOMINATOR = range(4)


class Market(NamedTuple):
    """Arrays of a panel of N symbols and T sessions, in its order: `bars` (N, T, 7), `micros` (N, T, 2), corporate `actions`
    (A, 4) by session with splits first, `nth_bar` (N, T) the columns of a symbol's bars (T where there are no more), and
    `by_name` the rows in alphabetical order."""

    bars: np.ndarray
    micros: np.ndarray
    actions: np.ndarray
    nth_bar: np.ndarray
    by_name: np.ndarray


_markets: WeakKeyDictionary[Panel, Market] = WeakKeyDictionary()


def market_of(panel: Panel) -> Market:
    """The market of `panel`, made once as long as the panel lives."""
    if panel not in _markets:
        _markets[panel] = _market(panel)
    return _markets[panel]


def _market(panel: Panel) -> Market:
    facts = panel_facts(panel)
    bars = (panel.open, panel.high, panel.low, panel.close, _before(panel), facts.adv, facts.volatility)
    traded = np.isfinite(panel.open) & np.isfinite(panel.high) & np.isfinite(panel.low)
    micros = np.where(traded, _micros(panel.open), 0), _marks(_micros(panel.close), facts.last_bar)
    names = np.array(panel.symbols, dtype=object)
    market = Market(
        bars=np.stack(bars, axis=-1),
        micros=np.stack(micros, axis=-1),
        actions=_actions(panel),
        nth_bar=_nth_bars(panel.close),
        by_name=np.argsort(names, kind="stable").astype(np.int64),
    )
    return Market(*(_frozen(values) for values in market))


def _frozen(values: np.ndarray) -> np.ndarray:
    """Contiguous and read-only: compiled code is made for one kind of array, not for each kind that comes along."""
    array = np.ascontiguousarray(values)
    array.setflags(write=False)
    return array


def _micros(prices: np.ndarray) -> np.ndarray:
    """Prices in millionths, rounded as a row of them would be; 0 where there is none."""
    micros, known = np.zeros(prices.shape, np.int64), np.isfinite(prices)
    micros[known] = prices_in_micros(prices[known])
    return micros


def _marks(closes: np.ndarray, last_bar: np.ndarray) -> np.ndarray:
    carried = np.take_along_axis(closes, np.maximum(last_bar, 0), axis=1)
    return np.where(last_bar >= 0, carried, 0)


def _before(panel: Panel) -> np.ndarray:
    shifted = np.full(panel.close.shape, np.nan)
    shifted[:, 1:] = panel.adj_close[:, :-1]
    return raw_prices(shifted, panel.factor.copy())


def _nth_bars(close: np.ndarray) -> np.ndarray:
    columns = np.full(close.shape, close.shape[1], np.int64)
    for row, values in enumerate(close):
        present = np.flatnonzero(np.isfinite(values))
        columns[row, : len(present)] = present
    return columns


def _actions(panel: Panel) -> np.ndarray:
    rows = []
    for t, found in corporate_actions(panel).items():
        for action in sorted(found, key=lambda action: (action.kind != "SPLIT", action.symbol)):
            ratio = split_ratio(action.value) if action.kind == "SPLIT" else None
            terms = (ratio.numerator, ratio.denominator) if ratio else (int(action.value * MICROS), 0)
            rows.append((t, panel.row(action.symbol), *terms))
    return np.array(rows, np.int64).reshape(-1, 4)
