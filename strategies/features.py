"""Prepared features, kept for as long as their panel lives: a replay prepares once and decides a thousand times."""

from collections import OrderedDict
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from quant_site.market.panel import Panel
from strategies.base import Strategy, StrategyParams

# Features of one strategy over 60 symbols and 8,000 sessions are some 20 MB.
SETS_PER_PANEL = 16


class FeatureCache:
    """Features by panel (the object itself: another panel prepares anew), strategy and parameters."""

    def __init__(self):
        self._panels: WeakKeyDictionary[Panel, OrderedDict] = WeakKeyDictionary()

    def prepared(self, strategy: Strategy, panel: Panel, params: StrategyParams) -> Any:
        """`strategy.prepare(panel, params)`, computed at the first call. `weight` does not change features."""
        return self._get(panel, (strategy, params.model_dump_json(exclude={"weight"})), lambda: strategy.prepare(panel, params))

    def bar_counts(self, panel: Panel) -> np.ndarray:
        """How many bars each symbol has up to each session: (N, T) int32."""
        return self._get(panel, "bars", lambda: np.cumsum(np.isfinite(panel.close), axis=1, dtype=np.int32))

    def restricted(self, panel: Panel, symbols: tuple[str, ...]) -> Panel:
        """`panel.select(symbols)`, the same object each time, so that what was prepared on it is found again."""
        return self._get(panel, ("symbols", symbols), lambda: panel.select(symbols))

    def _get(self, panel: Panel, key, compute):
        sets = self._panels.setdefault(panel, OrderedDict())
        if key not in sets:
            sets[key] = compute()
            if len(sets) > SETS_PER_PANEL:
                sets.popitem(last=False)
        sets.move_to_end(key)
        return sets[key]


features = FeatureCache()
