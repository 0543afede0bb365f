"""The market as a simulation reads it: bars, marks and corporate actions by symbol and column, as plain numbers."""

from decimal import Decimal
from weakref import WeakKeyDictionary

import numpy as np

from quant_site.market.actions import CorporateAction, corporate_actions
from quant_site.market.panel import Panel
from strategies.backtest.amounts import prices_in_micros
from strategies.panel_facts import panel_facts

Bar = tuple[float, float, float]


class Tape:
    """Bars of one panel. Rows become lists when they are first asked for: a number is read from a list ten times as fast
    as from an array. The panel itself is not kept, so that it can be forgotten."""

    def __init__(self, panel: Panel):
        self.rows = {symbol: row for row, symbol in enumerate(panel.symbols)}
        self.actions = {t: sorted(found, key=_splits_first) for t, found in corporate_actions(panel).items()}
        facts = panel_facts(panel)
        self.days, self._last_bar, self._close = facts.days, facts.last_bar, panel.close
        self._prices = (panel.open, panel.high, panel.low)
        self._bars: dict[str, list[Bar | None]] = {}
        self._marks: dict[str, list[int | None]] = {}

    def bar(self, symbol: str, t: int) -> Bar | None:
        """(open, high, low), or None where the symbol did not trade."""
        if symbol not in self._bars:
            values = [prices[self.rows[symbol]] for prices in self._prices]
            traded = np.isfinite(values).all(axis=0).tolist()
            bars = zip(*(value.tolist() for value in values), strict=True)
            self._bars[symbol] = [bar if whole else None for bar, whole in zip(bars, traded, strict=True)]
        return self._bars[symbol][t]

    def mark(self, symbol: str, t: int) -> int | None:
        """The last raw close up to column t, in millionths of a dollar."""
        if symbol not in self._marks:
            row = self.rows[symbol]
            last = self._last_bar[row]
            known = last >= 0
            micros = prices_in_micros(np.where(known, self._close[row, np.maximum(last, 0)], 0.0))
            self._marks[symbol] = [value if seen else None for value, seen in zip(micros, known.tolist(), strict=True)]
        return self._marks[symbol][t]

    def last_close(self, symbol: str, t: int) -> Decimal | None:
        """The last raw close up to column t as it is written, unrounded."""
        row = self.rows[symbol]
        bar = self._last_bar[row, t] if t >= 0 else -1
        return None if bar < 0 else Decimal(str(float(self._close[row, bar])))


_tapes: WeakKeyDictionary[Panel, Tape] = WeakKeyDictionary()


def tape_of(panel: Panel) -> Tape:
    """The tape of `panel`, made once as long as the panel lives."""
    if panel not in _tapes:
        _tapes[panel] = Tape(panel)
    return _tapes[panel]


def _splits_first(action: CorporateAction) -> tuple:
    return (action.kind != "SPLIT", action.symbol)
