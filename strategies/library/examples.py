"""Small markets for cases that are checked by hand."""

from collections.abc import Sequence

import numpy as np

from quant_site.market.panel import Panel
from quant_site.market.sessions import session_array


def example_panel(closes: Sequence[float], reach: float = 0.0, symbol: str = "EXAMPLE") -> Panel:
    """One symbol that opens at its closes and trades `reach` above and below them; no splits, no dividends."""
    close = np.array([closes], float)
    sessions = session_array("2020-01-02", "2024-12-31")[: len(closes)].copy()
    volume, factor = np.full(close.shape, 1e6), np.ones(close.shape)
    return Panel((symbol,), sessions, close.copy(), close + reach, close - reach, close, volume, factor)
