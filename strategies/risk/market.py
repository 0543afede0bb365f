"""`RiskMarket`: what only some limits ask of the market, answered when it is asked for.

Everything is causal: it rests on the columns of a panel up to the session's. What is not known is answered as such (a name
is its own sector, a correlation NaN, an option None) and never guessed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from quant_site.market.options.chain import years_until
from quant_site.market.options.contracts import OptionContract, parse_contract, price_sources
from quant_site.market.options.quotes import option_market
from quant_site.market.panel import Panel
from strategies.risk.groups import correlations
from strategies.risk.scenarios import SESSIONS as SCENARIO_SESSIONS
from strategies.risk.scenarios import common_scenarios, volatility_scaled

CORRELATION_SESSIONS = 252
STACKS_KEPT = 6
# The overnight gap is the 99 % quantile of the adverse ones among the last 1,000, of at least 250.
GAP_SESSIONS, GAP_LEAST, GAP_QUANTILE = 1000, 250, 0.99


@dataclass(frozen=True, slots=True)
class OptionTerms:
    """What one option is worth by and how it moves, per unit of its underlying (`options.black_scholes`); NaN where the
    quote defines none. `rate` and `dividend_yield` are continuous, a year."""

    contract: OptionContract
    spot: float
    years: float
    rate: float
    dividend_yield: float
    iv: float
    delta: float
    gamma: float
    vega: float
    theta: float


class RiskMarket:
    """Of a market nobody knows anything about: what the checks see where no panel stands behind a context."""

    def sector(self, name: str) -> str:
        """The sector of `name`; its own name where none is known."""
        return name

    def correlations(self, name: str, others: Sequence[str]) -> np.ndarray:
        """Of the daily returns of `name` with those of each of `others` over 252 sessions; NaN where it is not known."""
        return np.full(len(others), np.nan)

    def option(self, symbol: str) -> OptionTerms | None:
        """What the option `symbol` is worth by at the close; None without a quote."""
        return None

    def scaled_returns(self, name: str) -> np.ndarray:
        """Daily returns of `name` in the sessions of the scenarios, scaled to its volatility of today; NaN where there is none."""
        return np.full(SCENARIO_SESSIONS, np.nan)

    def scenarios(self, names: tuple[str, ...]) -> np.ndarray:
        """The scaled returns (n, k) of at least one name, on the days that all of them have."""
        return common_scenarios([self.scaled_returns(name) for name in names])

    def overnight_gap(self, symbol: str, sign: int) -> float | None:
        """The share of the last close that a holding (`sign` 1 long, −1 short) loses overnight in one night of a hundred, at
        least; None where fewer than 250 nights are known."""
        return None


class PanelMarket(RiskMarket):
    """The market of a panel at the close of column t."""

    def __init__(self, panel: Panel, t: int):
        self.panel, self.t = panel, t

    def sector(self, name: str) -> str:
        """As the reference data name it: one classification for all sessions."""
        known = _kept_of(self.panel).sectors
        if name not in known:
            held = self.panel.holding(name)
            sectors = held[0].reference.sectors if held else ()
            known[name] = (sectors[held[1]] if sectors else "") or name
        return known[name]

    def correlations(self, name: str, others: Sequence[str]) -> np.ndarray:
        if not others:
            return np.empty(0)
        names = tuple(others)
        rows = _kept_of(self.panel).stack(self.t, ("recent", names), lambda: np.array([self._recent(other) for other in names]))
        return correlations(self._recent(name), rows)

    def scenarios(self, names: tuple[str, ...]) -> np.ndarray:
        return _kept_of(self.panel).stack(self.t, ("scenarios", names), lambda: super(PanelMarket, self).scenarios(names))

    def option(self, symbol: str) -> OptionTerms | None:
        contract, market = parse_contract(symbol), option_market(self.panel)
        quote = market.quote(symbol, self.t, "CLOSE")
        if contract is None or quote is None:
            return None
        rate, dividend_yield = market.terms(contract.underlying, self.t)
        return OptionTerms(
            contract,
            market.spot(contract.underlying, self.t),
            float(years_until(contract.expiry, self.panel.sessions[self.t].item(), "CLOSE")),
            rate,
            dividend_yield,
            quote.iv,
            quote.delta,
            quote.gamma,
            quote.vega,
            quote.theta,
        )

    def scaled_returns(self, name: str) -> np.ndarray:
        kept = _kept_of(self.panel).at(self.t)
        if name not in kept:
            kept[name] = volatility_scaled(self._returns(name, SCENARIO_SESSIONS))
        return kept[name]

    def overnight_gap(self, symbol: str, sign: int) -> float | None:
        held = self.panel.holding(price_sources(symbol)[0])
        if held is None:
            return None
        bars, row = held
        days = slice(max(0, self.t - GAP_SESSIONS), self.t + 1)
        factor = bars.factor[row, days]
        opens, closes = bars.open[row, days] * factor, bars.close[row, days] * factor
        with np.errstate(invalid="ignore", divide="ignore"):
            losses = -sign * (opens[1:] / closes[:-1] - 1)
        losses = losses[np.isfinite(losses)]
        return max(0.0, float(np.quantile(losses, GAP_QUANTILE))) if len(losses) >= GAP_LEAST else None

    def _recent(self, name: str) -> np.ndarray:
        kept, key = _kept_of(self.panel).at(self.t), ("recent", name)
        if key not in kept:
            kept[key] = self._returns(name, CORRELATION_SESSIONS)
        return kept[key]

    def _returns(self, name: str, sessions: int) -> np.ndarray:
        """Adjusted returns from close to close in the last `sessions` columns; NaN where either has no bar, and before the first."""
        found = np.full(sessions, np.nan)
        held = self.panel.holding(price_sources(name)[0])
        if held is not None:
            bars, row = held
            days = slice(max(0, self.t - sessions), self.t + 1)
            prices = bars.close[row, days] * bars.factor[row, days]
            with np.errstate(invalid="ignore", divide="ignore"):
                returns = prices[1:] / prices[:-1] - 1
            if len(returns):
                found[-len(returns) :] = returns
        return found


class _Kept:
    """What was computed of a panel: sectors, and arrays of one column (another one begins anew). It holds nothing of the panel
    itself."""

    def __init__(self):
        self.sectors: dict[str, str] = {}
        self._t, self._arrays, self._stacks = -1, {}, {}

    def at(self, t: int) -> dict:
        if t != self._t:
            self._t, self._arrays, self._stacks = t, {}, {}
        return self._arrays

    def stack(self, t: int, key: tuple, make: Callable[[], np.ndarray]) -> np.ndarray:
        """Arrays of many names, of which the last few are kept: one order is judged after the other by the same names."""
        self.at(t)
        if key not in self._stacks:
            if len(self._stacks) >= STACKS_KEPT:
                del self._stacks[next(iter(self._stacks))]
            self._stacks[key] = make()
        return self._stacks[key]


_kept: WeakKeyDictionary[Panel, _Kept] = WeakKeyDictionary()


def _kept_of(panel: Panel) -> _Kept:
    kept = _kept.get(panel)
    if kept is None:
        kept = _kept[panel] = _Kept()
    return kept
