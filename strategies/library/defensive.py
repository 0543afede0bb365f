"""Defensive: the stocks that move least; the hedge of the tail is in `tail_hedge`.

Low volatility
    Source: S&P Low Volatility Indices methodology (S&P Dow Jones Indices): of the S&P 500 the 100 stocks with the least
    standard deviation of daily returns over 252 trading days, weighted by its inverse, renewed each quarter.
    Ours: the calmest fifth of the account's stocks, at the last close of March, June, September and December. A fifth of
    that number is buffer on either side: who is held and ranks within it stays, before a newcomer replaces it. A stock
    must have traded: on 95 % of the sessions of a quarter, with a mean turnover of a million dollars a day. And it must
    have moved: whose σ over the quarter is below three tenths of the median is halted or pinned to the price of a
    takeover, not calm. Of 57 large US stocks from 2004 to 2024 none fell below 0.32; Rockwell Collins, under the bid of
    2017, stood at 0.24.
    Departures: the index is renewed in February, May, August and November, with data of the month before; it has no
    condition of turnover beyond its parent's, and none on pinned prices. Returns are total returns.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quant_site.market.panel import Panel
from strategies.base import KnownAnswer, Needs, knob
from strategies.library.declarations import gettext_noop
from strategies.library.drafting import rounded
from strategies.library.ranking import buffered, stock_rows, top_count
from strategies.library.tail_hedge import CATEGORY, TailHedge
from strategies.library.windows import daily_returns, rolling_count, rolling_sigma, rolling_sum
from strategies.portfolio import PortfolioParams, PortfolioStrategy, Target

__all__ = ["LowVolatility", "TailHedge"]
SESSIONS_A_YEAR = 252
# The share of a window's sessions that must have a return, and of a quarter's that must have traded.
COVERAGE, TRADED = 0.9, 0.95
QUARTER_SESSIONS = 63
# A median of fewer names says nothing of the market.
LEAST_NAMES = 5


class LowVolatilityParams(PortfolioParams):
    window: int = knob(252, ge=63, le=504, step=21, unit="sessions", description=gettext_noop("Sessions of the standard deviation."))
    share: float = knob(
        0.2, ge=0.05, le=0.5, step=0.05, unit="share", description=gettext_noop("The calmest share of the stocks, which is held.")
    )
    buffer: float = knob(
        0.2, ge=0, le=0.5, step=0.05, unit="share", description=gettext_noop("Share of that number by which a held stock may rank lower.")
    )
    min_turnover: float = knob(
        1e6,
        searched=False,
        ge=0,
        le=1e9,
        step=1e6,
        unit="USD",
        description=gettext_noop("Mean dollars a day that a stock must have traded over the last quarter."),
    )
    pinned: float = knob(
        0.3,
        searched=False,
        ge=0,
        le=0.8,
        step=0.05,
        unit="share",
        description=gettext_noop("Share of the median volatility of a quarter below which a price is pinned."),
    )


@dataclass(frozen=True)
class LowVolatilityFeatures:
    """(N, T): `sigma` a day over the window, of stocks that traded enough; `quarter`, that of the last quarter, of the same."""

    sigma: np.ndarray
    quarter: np.ndarray


class LowVolatility(PortfolioStrategy):
    key = "low_volatility"
    name = gettext_noop("Low volatility")
    category = CATEGORY
    source = "S&P 500 Low Volatility Index methodology"
    description = gettext_noop("Holds the stocks of least volatility over a year, weighted by its inverse, renewed quarterly.")
    requires = (
        gettext_noop("Bars with volume of at least five stocks, a year and a day of each."),
        gettext_noop("Funds marked as such when they are imported (import_bars --kind ETF): they would be ranked as stocks."),
    )
    departures = (
        gettext_noop("Renewed at the last close of March, June, September and December; the index is in the middle of the quarter."),
        gettext_noop("Stocks that hardly trade, or whose price is pinned by a halt or a takeover, are left out."),
        gettext_noop("Standard deviations are of total returns."),
    )
    Params = LowVolatilityParams
    months = 3

    def needs(self, params: LowVolatilityParams) -> Needs:
        return Needs(sessions=params.window + 1, symbols=LEAST_NAMES)

    def lack(self, panel: Panel, features: LowVolatilityFeatures, t: int, params: LowVolatilityParams) -> str:
        ranked = int(np.isfinite(features.sigma[:, t]).sum())
        if ranked >= LEAST_NAMES:
            return ""
        return (
            f"Needs {LEAST_NAMES} stocks with returns of {params.window} sessions and enough volume by {panel.sessions[t]}; "
            f"{ranked} have them. Import bars with volume: manage.py import_bars PATH."
        )

    def prepare(self, panel: Panel, params: LowVolatilityParams) -> LowVolatilityFeatures:
        returns = daily_returns(panel)
        usable = stock_rows(panel)[:, None] & np.isfinite(panel.close) & _traded(panel, params.min_turnover)
        sigma, quarter = (
            np.where(usable, rolling_sigma(returns, window, int(np.ceil(COVERAGE * window))), np.nan)
            for window in (params.window, QUARTER_SESSIONS)
        )
        return LowVolatilityFeatures(sigma, quarter)

    def targets(self, panel, features: LowVolatilityFeatures, t, params: LowVolatilityParams, held) -> Sequence[Target] | None:
        sigma = unpinned(features.sigma[:, t], features.quarter[:, t], params.pinned)
        count = int(np.isfinite(sigma).sum())
        if count < LEAST_NAMES:
            return None
        chosen = buffered(-sigma, panel.symbols, held, count=top_count(count, params.share), buffer=params.buffer)
        return [
            self._target(panel, row, sigma[row], weight, count) for row, weight in zip(chosen, inverse_weights(sigma[chosen]), strict=True)
        ]

    def _target(self, panel: Panel, row: int, sigma: float, weight: float, count: int) -> Target:
        yearly = sigma * np.sqrt(SESSIONS_A_YEAR)
        reason = f"Among the calmest of {count} stocks: volatility {yearly:.1%} a year."
        return Target(panel.symbols[row], float(weight), rounded(-yearly, 6), reason, {"volatility": rounded(yearly)})

    def known_answers(self) -> tuple[KnownAnswer, ...]:
        weights = inverse_weights(np.array([0.01, 0.02]))
        # Returns of +1 % and −1 % in turn: n of them have the variance 0.01²·n/(n − 1).
        sigma = rolling_sigma(np.tile([0.01, -0.01], 32)[None], 64, 64)[0, -1]
        names = [f"S{row:02}" for row in range(20)]
        chosen = buffered(-np.arange(20.0), names, frozenset({"S11", "S12"}), count=10, buffer=0.2)
        return (
            KnownAnswer(gettext_noop("Weight of σ 1 % beside σ 2 %"), 2 / 3, weights[0], 1e-12),
            KnownAnswer(gettext_noop("σ of 64 returns of ±1 %"), 0.01 * (64 / 63) ** 0.5, sigma, 1e-12),
            KnownAnswer(
                gettext_noop("The last two of ten, where the 12th and 13th calmest are held: the 12th is within the buffer"),
                "S08, S11",
                ", ".join(names[row] for row in chosen[-2:]),
            ),
        )


def _traded(panel: Panel, min_turnover: float) -> np.ndarray:
    """(N, T) whether each symbol traded on nearly all sessions of the last quarter, and enough."""
    dollars = np.nan_to_num(panel.close * panel.volume)
    sessions = rolling_count(np.where(dollars > 0, dollars, np.nan), QUARTER_SESSIONS)
    with np.errstate(invalid="ignore"):
        return (sessions >= TRADED * QUARTER_SESSIONS) & (rolling_sum(dollars, QUARTER_SESSIONS) / QUARTER_SESSIONS >= min_turnover)


def unpinned(sigma: np.ndarray, quarter: np.ndarray, pinned: float) -> np.ndarray:
    """`sigma` (N,) of stocks whose price moves: NaN where that of the quarter is below the share `pinned` of its median."""
    known = np.isfinite(sigma) & np.isfinite(quarter)
    if not known.any():
        return np.full(len(sigma), np.nan)
    with np.errstate(invalid="ignore"):
        return np.where(known & (quarter > 0) & (sigma > 0) & (quarter >= pinned * np.median(quarter[known])), sigma, np.nan)


def inverse_weights(sigma: np.ndarray) -> np.ndarray:
    """Weights in proportion to 1/σ that sum to one."""
    return (1 / sigma) / (1 / sigma).sum()
