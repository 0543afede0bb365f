"""What a holding is exposed to at the close of a session: its price, its dollars of delta, and its beta.

Whatever cannot be measured is None with a sentence that says why; it is never counted as nothing.
"""

from math import isfinite

import numpy as np

from quant_site.core.stats import Metric, Undefined, undefined
from quant_site.market.options.contracts import OPTION_MULTIPLIER, parse_contract, price_sources
from quant_site.market.options.quotes import option_market
from quant_site.market.panel import Panel
from strategies.risk.holdings import MISSING_GREEK, Measured
from trading.exposure.hedging import BETA_OBSERVATIONS, BETA_SESSIONS, shrunk_beta

NO_PRICE, NO_BETA = "NO_PRICE", "NO_BETA"


class Measures:
    """Measures of holdings at the close of column t of `panel`; nothing after it is looked at."""

    def __init__(self, panel: Panel, t: int):
        self.panel, self.t = panel, t
        self.session = panel.sessions[t].item()
        self.options = option_market(panel)
        self._betas: dict[tuple[str, str], Metric] = {}

    def price(self, symbol: str) -> Measured:
        """The raw close of a share, the mid of an option; the last close before where a share has no bar that day."""
        if parse_contract(symbol) is not None:
            quote = self.options.quote(symbol, self.t, "CLOSE")
            return Measured(quote.mid) if quote and isfinite(quote.mid) else Measured(None, NO_PRICE, f"{symbol} has no quote.")
        held = self.panel.holding(symbol)
        closes = held[0].close[held[1], : self.t + 1] if held else np.array([])
        bars = np.flatnonzero(np.isfinite(closes))
        return Measured(float(closes[bars[-1]])) if len(bars) else Measured(None, NO_PRICE, f"No bars of {symbol} are stored.")

    def delta_dollars(self, symbol: str, quantity: float) -> Measured:
        """Δ·S·M·n of `quantity` shares (Δ 1) or contracts, signed."""
        contract = parse_contract(symbol)
        if contract is None:
            price = self.price(symbol)
            return price if price.value is None else Measured(price.value * quantity)
        quote = self.options.quote(symbol, self.t, "CLOSE")
        spot = self.options.spot(contract.underlying, self.t)
        if quote is None or not isfinite(quote.delta) or not isfinite(spot):
            why = self.options.lack(contract.underlying, self.t) or "its price defines none."
            return Measured(None, MISSING_GREEK, f"{symbol} has no delta: {why}")
        return Measured(quote.delta * spot * OPTION_MULTIPLIER * quantity)

    def beta(self, symbol: str, market: str) -> Metric:
        """The shrunk beta of a share, or of what an option is on, to `market`; of daily total returns."""
        contract = parse_contract(symbol)
        name = price_sources(symbol if contract is None else contract.underlying)[0]
        if (name, market) not in self._betas:
            own, other = self._returns(name), self._returns(market)
            known = own is not None and other is not None
            self._betas[name, market] = shrunk_beta(own, other) if known else undefined(Undefined.NO_DATA, 0)
        return self._betas[name, market]

    def beta_dollars(self, symbol: str, quantity: float, market: str) -> Measured:
        """β·Δ·S·M·n, signed."""
        delta, metric = self.delta_dollars(symbol, quantity), self.beta(symbol, market)
        if delta.value is None:
            return delta
        if metric.value is None:
            return Measured(None, NO_BETA, no_beta(symbol, market, metric))
        return Measured(metric.value * delta.value)

    def _returns(self, symbol: str) -> np.ndarray | None:
        held = self.panel.holding(symbol)
        if held is None:
            return None
        bars, row = held
        prices = bars.adj_close[row, max(self.t - BETA_SESSIONS, 0) : self.t + 1]
        with np.errstate(invalid="ignore", divide="ignore"):
            return prices[1:] / prices[:-1] - 1


def no_beta(symbol: str, market: str, metric: Metric) -> str:
    """Why there is no beta."""
    whys = {
        Undefined.TOO_FEW: f"{metric.n} common sessions, {BETA_OBSERVATIONS} are needed.",
        Undefined.NO_DATA: "bars of both must be stored.",
        Undefined.NO_VARIATION: f"{market} did not move.",
    }
    return f"{symbol} has no beta to {market}: {whys.get(metric.reason, 'its returns are out of range.')}"
