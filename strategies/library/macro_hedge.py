"""Macro hedge: rotation among sectors, and trends of commodities.

Sector rotation
    Source: M. Faber (2010), "Relative Strength Strategies for Investing": each month rank the sectors by total return
    over the last 1, 3, 6, 9 or 12 months, or by the combination of the five; hold the best three in equal parts, and
    Treasury bills instead while the S&P 500 is below the mean of its last ten month-end closes.
    Ours: the Select Sector SPDR funds, ranked by the mean of their ranks over the five spans. The index is SPY, else the
    S&P 500 itself. XLRE and XLC are ranked from twelve months after their listing (October 2015, June 2018) on.
    Departures: his sectors are ten industry portfolios of French's data library; cash earns nothing here.

CTA commodities
    Source: Moskowitz, Ooi and Pedersen (2012), "Time Series Momentum", Journal of Financial Economics 104: each month the
    sign of the last twelve months' return in excess of cash, at 40 % / σ of each of S instruments, a part 1/S of each.
    σ² is 261 times the exponentially weighted variance of daily returns, around their mean of the same weights, with
    centre of mass 60 days; it ends a day before the decision.
    Ours: the same on funds that hold commodities or their futures. The whole is scaled to a volatility of 10 % a year by
    the covariance of the same weights; the 40 % sets proportions only. Gross weight is at most the strategy's capital.
    Departures: futures have excess returns by themselves; a fund's total return holds its roll, its fees and the
    interest on its collateral, so that cash is taken off it: the three-month bill, else the factors' risk-free rate. Both
    are accrued at the rate of the day, the last one known for at most a quarter. Funds are not contracts: USO changed what
    it holds in April 2020; DBC, a basket of fourteen, holds again what others hold. A price that is not above zero has
    no return: such sessions count for nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import rankdata

from quant_site.market.panel import Panel
from strategies.base import KnownAnswer, Needs, knob
from strategies.library.declarations import gettext_noop
from strategies.library.drafting import at_bar_before, rounded
from strategies.library.ranking import best_first, mean_of
from strategies.library.trend_sizing import (
    YEAR_DAYS,
    cash_returns,
    earned_since,
    exponential_covariance,
    exponential_variance,
    scaled_weights,
)
from strategies.library.windows import at_columns, daily_returns, months_back, positive, recent
from strategies.portfolio import PortfolioParams, PortfolioStrategy, Target

CATEGORY = "MACRO_HEDGE"
# From one month-end to that of k months later are at most 22·k + 1 sessions.
MONTH_SESSIONS = 22
INDEXES = ("SPY", "SPX")
SECTORS = ("XLB", "XLC", "XLE", "XLF", "XLI", "XLK", "XLP", "XLRE", "XLU", "XLV", "XLY")
SPANS = (1, 3, 6, 9, 12)
# Funds on commodities, and what each holds; a basket counts as a market of its own.
COMMODITIES = {
    "BNO": "Brent crude",
    "CORN": "maize",
    "CPER": "copper",
    "DBA": "agriculture",
    "DBB": "base metals",
    "DBC": "a basket",
    "GLD": "gold",
    "PALL": "palladium",
    "PPLT": "platinum",
    "SLV": "silver",
    "SOYB": "soybeans",
    "UGA": "petrol",
    "UNG": "natural gas",
    "USO": "WTI crude",
    "WEAT": "wheat",
}
INSTRUMENT_VOLATILITY = 0.40
# Returns of fewer sessions have no σ to size by.
LEAST_RETURNS = 60
# An index nearer to its average than this is at it: a mean of equal closes differs from them by rounding.
EQUAL = 1e-9


class SectorRotationParams(PortfolioParams):
    top: int = knob(3, ge=1, le=6, step=1, unit="sectors", description=gettext_noop("Sectors held, in equal parts."))
    ranking: Literal["BLEND", "1M", "3M", "6M", "9M", "12M"] = knob(
        "BLEND",
        description=gettext_noop("Months of total return that sectors are ranked by; BLEND is the mean of the ranks over all five spans."),
    )
    index_filter: bool = knob(True, description=gettext_noop("Hold cash while the index is below its average."))
    index_months: int = knob(10, ge=2, le=24, step=1, unit="months", description=gettext_noop("Month-end closes of the index's average."))

    @property
    def spans(self) -> tuple[int, ...]:
        return SPANS if self.ranking == "BLEND" else (int(self.ranking.removesuffix("M")),)


@dataclass(frozen=True)
class SectorRotationFeatures:
    """`rows` (S,) of the sectors in the panel, `returns` (spans, S, T) over each span, `distance` (T,) of the index from its
    average as a share of it."""

    rows: np.ndarray
    returns: np.ndarray
    distance: np.ndarray


class SectorRotation(PortfolioStrategy):
    key = "sector_rotation"
    name = gettext_noop("Sector rotation")
    category = CATEGORY
    source = "M. Faber, Relative Strength Strategies for Investing, 2010"
    description = gettext_noop("Holds the three strongest sectors equally, and cash while the index is below its ten-month average.")
    requires = (
        gettext_noop("Bars of the Select Sector SPDR funds (XLB, XLC, XLE, XLF, XLI, XLK, XLP, XLRE, XLU, XLV, XLY)."),
        gettext_noop("Bars of SPY or of the S&P 500 index (SPX)."),
    )
    departures = (
        gettext_noop("Funds of eleven sectors instead of the ten industry portfolios of the source."),
        gettext_noop("The blend is the mean of the ranks over 1, 3, 6, 9 and 12 months."),
        gettext_noop("Cash earns nothing."),
    )
    Params = SectorRotationParams

    def needs(self, params: SectorRotationParams) -> Needs:
        months = max(*params.spans, params.index_months - 1) if params.index_filter else max(params.spans)
        return Needs(sessions=MONTH_SESSIONS * months + 2, symbols=params.top + 1, among=SECTORS)

    def lack(self, panel: Panel, features: SectorRotationFeatures, t: int, params: SectorRotationParams) -> str:
        ranked = int(self._ranked(panel, features, t).sum())
        if ranked <= params.top:
            return (
                f"Needs month-end closes of {max(params.spans)} months of {params.top + 1} sector funds by {panel.sessions[t]}; "
                f"{ranked} have them. Import bars: manage.py import_bars PATH."
            )
        if params.index_filter and not np.isfinite(features.distance[t]):
            return (
                f"Needs {params.index_months} month-end closes of {' or '.join(INDEXES)} by {panel.sessions[t]}. "
                "Import its bars: manage.py import_bars PATH."
            )
        return ""

    def prepare(self, panel: Panel, params: SectorRotationParams) -> SectorRotationFeatures:
        rows = np.array([row for row, symbol in enumerate(panel.symbols) if symbol in SECTORS], dtype=int)
        close = recent(positive(panel.adj_close[rows]))
        returns = np.stack([close / at_columns(close, months_back(panel.sessions, span)) - 1 for span in params.spans])
        return SectorRotationFeatures(rows, returns, index_distance(panel, params.index_months))

    def targets(self, panel, features: SectorRotationFeatures, t, params: SectorRotationParams, held) -> Sequence[Target] | None:
        if self.lack(panel, features, t, params):
            return None
        if params.index_filter and features.distance[t] < -EQUAL:
            return []
        returns = np.where(self._ranked(panel, features, t), features.returns[:, :, t], np.nan)
        scores, symbols = blended_ranks(returns), [panel.symbols[row] for row in features.rows]
        chosen = best_first(scores, symbols)[: params.top]
        return [self._target(symbols[each], scores[each], returns[:, each], params) for each in chosen]

    def _ranked(self, panel: Panel, features: SectorRotationFeatures, t: int) -> np.ndarray:
        """(S,) the sectors with a bar at t and a return over every span."""
        return np.isfinite(features.returns[:, :, t]).all(axis=0) & np.isfinite(panel.close[features.rows, t])

    def _target(self, symbol: str, score: float, returns: np.ndarray, params: SectorRotationParams) -> Target:
        gained = {f"return_{span}m": rounded(value) for span, value in zip(params.spans, returns, strict=True)}
        said = ", ".join(f"{value:+.1%} in {span} months" for span, value in zip(params.spans, returns, strict=True))
        return Target(symbol, 1 / params.top, rounded(score), f"Among the {params.top} strongest sectors: {said}.", gained)

    def known_answers(self) -> tuple[KnownAnswer, ...]:
        # Ranks over two spans: 1, 2, 3 and 3, 1, 2.
        scores = blended_ranks(np.array([[0.01, 0.02, 0.03], [0.09, 0.03, 0.06]]))
        order = ", ".join("ABC"[each] for each in best_first(scores, "ABC"))
        # Two sessions a month; of the month before last the second one is its end.
        sessions = np.array(["2020-01-30", "2020-01-31", "2020-02-27", "2020-02-28", "2020-03-30"], dtype="datetime64[D]")
        return (
            KnownAnswer(gettext_noop("Score of the third of three sectors, ranked 3 and 2"), 2.5, scores[2], 1e-12),
            KnownAnswer(gettext_noop("Order of three sectors with ranks 1 3, 2 1 and 3 2"), "C, A, B", order),
            KnownAnswer(gettext_noop("Column of the month-end two months before March"), 1, int(months_back(sessions, 2)[-1])),
        )


def index_distance(panel: Panel, months: int) -> np.ndarray:
    """(T,) of the index from the mean of its last `months` month-end closes, this one included, as a share of it.

    Of the indexes the first whose average is known at a session; NaN where none is.
    """
    distance = np.full(len(panel.sessions), np.nan)
    for symbol in INDEXES:
        found = panel.holding(symbol)
        if found is not None:
            where, row = found
            close = recent(positive(where.adj_close[row][None]))[0]
            mean = mean_of(*(at_columns(close, months_back(panel.sessions, back)) for back in range(months)))
            distance = np.where(np.isfinite(distance), distance, close / mean - 1)
    return distance


def blended_ranks(returns: np.ndarray) -> np.ndarray:
    """(S,) mean over the spans of each sector's rank by return (spans, S), the highest return the highest rank; NaN where
    a return is not known."""
    known = np.isfinite(returns).all(axis=0)
    scores = np.full(returns.shape[1], np.nan)
    scores[known] = rankdata(returns[:, known], axis=1).mean(axis=0)
    return scores


class CtaParams(PortfolioParams):
    lookback_months: int = knob(
        12, ge=1, le=24, step=1, unit="months", description=gettext_noop("Months of the return whose sign is followed.")
    )
    center_of_mass: int = knob(
        60, ge=10, le=250, step=10, unit="sessions", description=gettext_noop("Centre of mass of the weights in volatilities.")
    )
    target_volatility: float = knob(
        0.10, searched=False, ge=0.02, le=0.40, step=0.01, unit="a year", description=gettext_noop("Volatility the portfolio is scaled to.")
    )
    max_gross: float = knob(
        1.0,
        searched=False,
        ge=0.1,
        le=1,
        step=0.1,
        unit="share",
        description=gettext_noop("Gross weight at most, as a share of the capital."),
    )
    min_markets: int = knob(
        3, ge=1, le=15, step=1, unit="markets", description=gettext_noop("Markets with a trend that must be known before any is held.")
    )
    short: bool = knob(True, description=gettext_noop("Also sell falling markets short."))


@dataclass(frozen=True)
class CtaFeatures:
    """`rows` (M,) of the markets in the panel; (M, T): `excess` return over the lookback, yearly `sigma` up to the bar before,
    daily `returns`. `cash` (T,) says whether the return of cash over the lookback is known."""

    rows: np.ndarray
    excess: np.ndarray
    sigma: np.ndarray
    returns: np.ndarray
    cash: np.ndarray


class CtaCommodities(PortfolioStrategy):
    key = "cta_commodities"
    name = gettext_noop("CTA commodities")
    category = CATEGORY
    source = "Moskowitz, Ooi and Pedersen, Journal of Financial Economics 104, 2012"
    description = gettext_noop("Follows the sign of each market's twelve-month excess return at constant volatility.")
    requires = (
        gettext_noop("Bars of funds on commodities (GLD, SLV, USO, DBC and others): futures themselves cannot be traded here."),
        gettext_noop("The three-month Treasury bill rate, or the risk-free rate of the Fama–French factors."),
    )
    departures = (
        gettext_noop("Funds instead of futures: their returns hold the roll, fees and interest; the return of cash is taken off."),
        gettext_noop("The whole is scaled to 10 % volatility with the covariance of its markets, and never levered."),
        gettext_noop("A price at or below zero has no return and counts for nothing."),
    )
    Params = CtaParams

    def needs(self, params: CtaParams) -> Needs:
        sessions = max(MONTH_SESSIONS * params.lookback_months, LEAST_RETURNS) + 2
        return Needs(sessions=sessions, symbols=params.min_markets, among=tuple(COMMODITIES))

    def lack(self, panel: Panel, features: CtaFeatures, t: int, params: CtaParams) -> str:
        if not features.cash[t]:
            return (
                f"Needs the rate of cash for the {params.lookback_months} months to {panel.sessions[t]}: "
                "TBILL_3M or RF, by manage.py import_factors PATH."
            )
        markets = int(self._markets(panel, features, t).sum())
        if markets >= params.min_markets:
            return ""
        return (
            f"Needs {params.lookback_months} months of returns of {params.min_markets} funds on commodities by {panel.sessions[t]}; "
            f"{markets} have them. Import bars: manage.py import_bars PATH."
        )

    def prepare(self, panel: Panel, params: CtaParams) -> CtaFeatures:
        kinds = panel.reference.kinds or ("",) * len(panel.symbols)
        tradable = [symbol in COMMODITIES and kind not in ("FUTURE", "INDEX") for symbol, kind in zip(panel.symbols, kinds, strict=True)]
        rows = np.flatnonzero(tradable)
        close, returns = recent(positive(panel.adj_close[rows])), daily_returns(panel)[rows]
        columns = months_back(panel.sessions, params.lookback_months)
        earned = earned_since(cash_returns(panel.reference, len(panel.sessions)), columns)
        sigma = np.sqrt(YEAR_DAYS * at_bar_before(exponential_variance(returns, params.center_of_mass, LEAST_RETURNS)))
        return CtaFeatures(rows, close / at_columns(close, columns) - 1 - earned, sigma, returns, np.isfinite(earned))

    def targets(self, panel, features: CtaFeatures, t, params: CtaParams, held) -> Sequence[Target] | None:
        if self.lack(panel, features, t, params):
            return None
        markets = np.flatnonzero(self._markets(panel, features, t))
        excess, sigma = features.excess[markets, t], features.sigma[markets, t]
        # A day before the decision, as σ is.
        covariance = YEAR_DAYS * exponential_covariance(features.returns[markets, :t], params.center_of_mass)
        weights = np.sign(excess) * INSTRUMENT_VOLATILITY / sigma / len(markets)
        if not params.short:
            weights = np.maximum(weights, 0.0)
        scaled = scaled_weights(weights, covariance, params.target_volatility, params.max_gross)
        if scaled is None:
            return None
        numbers = zip(features.rows[markets], scaled, excess, sigma, strict=True)
        return [self._target(panel.symbols[row], *rest, params) for row, *rest in numbers if rest[0] != 0]

    def _markets(self, panel: Panel, features: CtaFeatures, t: int) -> np.ndarray:
        """(M,) the markets with a bar at t, a trend and a volatility."""
        known = np.isfinite(features.excess[:, t]) & (features.sigma[:, t] > 0)
        return known & (panel.close[features.rows, t] > 0)

    def _target(self, symbol: str, weight: float, excess: float, sigma: float, params: CtaParams) -> Target:
        move = f"{abs(excess):.1%} {'above' if excess > 0 else 'below'} cash over {params.lookback_months} months"
        reason = f"{COMMODITIES[symbol].capitalize()}: {move}, volatility {sigma:.0%} a year."
        numbers = {"excess": rounded(excess), "volatility": rounded(sigma)}
        return Target(symbol, float(weight), rounded(abs(excess) / sigma), reason, numbers)

    def known_answers(self) -> tuple[KnownAnswer, ...]:
        # Weights 60/61 apart: of two returns the last has 61/121, so that the variance of ±1 % is 4·(61/121)·(60/121)·0.01².
        variance = exponential_variance(np.array([[-0.01, 0.01]]), 60, 2)[0, -1]
        one = scaled_weights(np.array([2.0]), np.array([[0.2**2]]), 0.10, 1.0)[0]
        calm = scaled_weights(np.array([-8.0]), np.array([[0.05**2]]), 0.10, 1.0)[0]
        two = scaled_weights(np.array([1.0, -1.0]), np.diag([0.1**2, 0.1**2]), 0.10, 10.0)[0]
        return (
            KnownAnswer(
                gettext_noop("Exponential variance of −1 %, +1 % with centre of mass 60"), 4 * 61 * 60 / 121**2 * 1e-4, variance, 1e-15
            ),
            KnownAnswer(gettext_noop("Weight of one market of 20 % at a target of 10 %"), 0.5, one, 1e-12),
            KnownAnswer(gettext_noop("Weight of one falling market of 5 %: gross is capped"), -1.0, calm, 1e-12),
            KnownAnswer(gettext_noop("Weight of each of two uncorrelated markets of 10 %: 1/√2"), 0.5**0.5, two, 1e-12),
        )
