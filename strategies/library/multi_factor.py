"""Multi-factor: stocks by the three factors of Fama and French, and by momentum and quality.

Fama–French three factor
    Source: Fama and French (1993), "Common Risk Factors in the Returns on Stocks and Bonds", Journal of Financial
    Economics 33; Daniel and Titman (1997), Journal of Finance 52, for ranking on the characteristics themselves.
    Ours: the model explains returns and names nothing to trade. Where book-to-market and size are known of enough
    stocks, the best fifth by the mean of both percentiles (dear in book, small) is held; else the best fifth by the
    t-statistic of α in a regression of a year of daily excess returns on the three factors. Equal weights, monthly.
    Book-to-market is of a fiscal year that ended six months ago or more, its price that of the year's end, as theirs.
    Departures: the data library publishes a month's factors weeks after its end (a file of July 2025 ended in April),
    so a regression ends `factor_lag` sessions before it is used; the stocks' own returns of that time wait with it. Size
    is the value at the fiscal year's end, brought forward by total return: dividends paid since count as value, shares
    issued since do not. Their portfolios were value weighted with breakpoints of the NYSE; ours rank the account's stocks.

Momentum and quality
    Source: Jegadeesh and Titman (1993), Journal of Finance 48, for momentum; Novy-Marx (2013), "The Other Side of Value",
    Journal of Financial Economics 108, for gross profitability; Piotroski (2000), Journal of Accounting Research 38,
    for the flags of financial health.
    Ours: momentum is the return from 252 sessions ago to 21 sessions ago. Profitability is gross profit over assets,
    ranked among those that report it; return on equity for financials, whose assets are their trade, and for whoever
    reports no gross profit, ranked among themselves. Quality is the mean of that percentile and of the percentile of
    the flags met, where enough are known; financials have no flags. Bought is the best fifth by the mean of both
    percentiles, and sold what falls below the 40th percentile of it; equal weights, monthly.
    Departures: long only; windows are of sessions, not of calendar months; the flags take ratios to the assets at the
    end of the year; shares that were split between two reports leave the flag of new equity open.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from quant_site.market.panel import Panel
from strategies.base import KnownAnswer, Needs, knob
from strategies.library import characteristics
from strategies.library.declarations import gettext_noop
from strategies.library.drafting import rounded
from strategies.library.factors import THREE_FACTORS, Loadings, factor_loadings, factor_returns
from strategies.library.ranking import best_first, buy_and_hold_zones, mean_of, percentiles, stock_rows, top_count
from strategies.library.windows import daily_returns, positive, recent, shifted
from strategies.portfolio import PortfolioParams, PortfolioStrategy, Target

CATEGORY = "MULTI_FACTOR"
SESSIONS_A_YEAR = 252
# The newest fiscal year that is old enough ended at most eighteen months ago: so far back its price is looked up.
BOOK_SESSIONS = 378


class FamaFrenchParams(PortfolioParams):
    method: Literal["AUTO", "CHARACTERISTICS", "ALPHA"] = knob(
        "AUTO", description=gettext_noop("What stocks are ranked by; AUTO takes characteristics where enough of them are known.")
    )
    share: float = knob(
        0.2, ge=0.05, le=0.5, step=0.05, unit="share", description=gettext_noop("The best share of the ranked stocks that is held.")
    )
    min_names: int = knob(
        20, searched=False, ge=5, le=500, step=5, unit="stocks", description=gettext_noop("Stocks that must be ranked before any is held.")
    )
    book_lag: int = knob(
        6,
        searched=False,
        ge=3,
        le=17,
        step=1,
        unit="months",
        description=gettext_noop("Months from the end of a fiscal year until its book value counts."),
    )
    window: int = knob(
        252, ge=60, le=1260, step=21, unit="sessions", description=gettext_noop("Sessions of the regression on the factors.")
    )
    factor_lag: int = knob(
        63,
        searched=False,
        ge=0,
        le=252,
        step=21,
        unit="sessions",
        description=gettext_noop("Sessions after which a factor's return is published."),
    )


@dataclass(frozen=True)
class FamaFrenchFeatures:
    """`stocks` (N,) says which symbols are stocks; (N, T): `book_to_market`, `size` in dollars and `alpha_t`. `loadings` are
    None without factors."""

    stocks: np.ndarray
    book_to_market: np.ndarray
    size: np.ndarray
    alpha_t: np.ndarray
    loadings: Loadings | None


class FamaFrenchThreeFactor(PortfolioStrategy):
    key = "fama_french_three_factor"
    name = gettext_noop("Fama–French three factor")
    category = CATEGORY
    source = "Fama and French, Journal of Financial Economics 33, 1993; Daniel and Titman, Journal of Finance 52, 1997"
    description = gettext_noop("Holds the stocks that rank highest by book-to-market and size, or by their alpha to the three factors.")
    requires = (
        gettext_noop("Reports of companies, and raw prices beside adjusted ones, to rank by book-to-market and size."),
        gettext_noop("Without those, daily returns of the factors MKT_RF, SMB, HML and RF, to rank by alpha."),
        gettext_noop("Funds marked as such when they are imported (import_bars --kind ETF): they would be ranked as stocks."),
    )
    departures = (
        gettext_noop("Ranks the account's stocks and weights them equally, instead of value weights and breakpoints of the NYSE."),
        gettext_noop("Factor returns count from 63 sessions after their day: that is when the data library has published them."),
        gettext_noop("Size is the market value at the end of the fiscal year, brought forward by total return."),
    )
    signal_sources = ("TECHNICAL", "FUNDAMENTAL")
    Params = FamaFrenchParams

    def needs(self, params: FamaFrenchParams) -> Needs:
        alpha = params.window + params.factor_lag + 1
        sessions = {"ALPHA": alpha, "CHARACTERISTICS": BOOK_SESSIONS, "AUTO": max(alpha, BOOK_SESSIONS)}
        return Needs(sessions=sessions[params.method], symbols=params.min_names)

    def lack(self, panel: Panel, features: FamaFrenchFeatures, t: int, params: FamaFrenchParams) -> str:
        ranked = self._ranked(panel, features, t)
        if self._method(ranked, params):
            return ""
        valued, regressed = (int(rows.sum()) for rows in ranked.values())
        found = {
            "CHARACTERISTICS": f"book-to-market of {valued}: manage.py import_fundamentals PATH, and import_bars PATH with raw prices",
            "ALPHA": f"alpha of {regressed}: manage.py import_factors PATH",
        }
        wanted = found.values() if params.method == "AUTO" else [found[params.method]]
        return f"Needs {params.min_names} stocks to rank by {panel.sessions[t]}. There is {'; or '.join(wanted)}."

    def prepare(self, panel: Panel, params: FamaFrenchParams) -> FamaFrenchFeatures:
        stocks, values = stock_rows(panel), characteristics.valuation(panel, params.book_lag)
        factors = factor_returns(panel.reference, (*THREE_FACTORS, "RF"))
        loadings, alpha_t = None, np.full(panel.close.shape, np.nan)
        if factors is not None:
            loadings = factor_loadings(daily_returns(panel) - factors[-1], factors[:-1], params.window, lag=params.factor_lag)
            alpha_t = loadings.alpha_t
        return FamaFrenchFeatures(stocks, values.book_to_market, values.market_value, alpha_t, loadings)

    def targets(self, panel, features: FamaFrenchFeatures, t, params: FamaFrenchParams, held) -> Sequence[Target] | None:
        ranked = self._ranked(panel, features, t)
        method = self._method(ranked, params)
        if method is None:
            return None
        book, size, alpha = (
            np.where(ranked[method], values[:, t], np.nan) for values in (features.book_to_market, features.size, features.alpha_t)
        )
        scores = alpha if method == "ALPHA" else characteristic_scores(book, size)
        ordered = best_first(scores, panel.symbols)
        chosen = ordered[: top_count(len(ordered), params.share)]
        return [self._target(panel, features, t, method, row, scores[row], 1 / len(chosen), len(ordered)) for row in chosen]

    def _ranked(self, panel: Panel, features: FamaFrenchFeatures, t: int) -> dict[str, np.ndarray]:
        """(N,) by method, in the order in which AUTO prefers them: the stocks with a bar at t that it can rank."""
        trades = features.stocks & np.isfinite(panel.close[:, t])
        valued = np.isfinite(features.book_to_market[:, t]) & np.isfinite(features.size[:, t])
        return {"CHARACTERISTICS": trades & valued, "ALPHA": trades & np.isfinite(features.alpha_t[:, t])}

    def _method(self, ranked: dict[str, np.ndarray], params: FamaFrenchParams) -> str | None:
        allowed = ranked if params.method == "AUTO" else (params.method,)
        return next((method for method in allowed if ranked[method].sum() >= params.min_names), None)

    def _target(self, panel: Panel, features: FamaFrenchFeatures, t: int, method: str, row: int, score, weight, count: int) -> Target:
        numbers = {"book_to_market": features.book_to_market[row, t], "market_value": features.size[row, t]}
        if features.loadings is not None:
            numbers["alpha_year"] = features.loadings.alpha[row, t] * SESSIONS_A_YEAR
            numbers["alpha_t"] = features.alpha_t[row, t]
            numbers |= {f"beta_{name.lower()}": features.loadings.betas[k, row, t] for k, name in enumerate(THREE_FACTORS)}
        known = {name: rounded(number) for name, number in numbers.items() if np.isfinite(number)}
        if method == "ALPHA":
            reason = f"Among the highest of {count} stocks by alpha to the three factors: t = {score:.2f}."
        else:
            reason = f"Among the best of {count} stocks by book-to-market ({numbers['book_to_market']:.2f}) and small size."
        return Target(panel.symbols[row], weight, rounded(score), reason, {"method": method, **known})

    def known_answers(self) -> tuple[KnownAnswer, ...]:
        scores = characteristic_scores(np.array([0.8, 0.4, 1.6, 0.9]), np.array([50e9, 90e9, 1e9, 20e9]))
        # An error that is +e, −e, −e, +e over each four sessions is orthogonal to a constant and to a factor of period two.
        market = np.tile([0.01, -0.01], 32)
        error = np.tile([0.002, -0.002, -0.002, 0.002], 16)
        loadings = factor_loadings((0.001 + 1.5 * market + error)[None], market[None], 64)
        return (
            KnownAnswer(gettext_noop("Score of the stock of most book and least size among four: (4 − ½) / 4"), 87.5, scores[2], 1e-9),
            KnownAnswer(gettext_noop("Beta of 0.001 + 1.5·market + noise"), 1.5, loadings.betas[0, 0, -1], 1e-9),
            KnownAnswer(gettext_noop("Its alpha a day"), 0.001, loadings.alpha[0, -1], 1e-12),
            KnownAnswer(gettext_noop("Its t-statistic: 0.001 / (0.002·√(64/62) / √64)"), 0.5 * 62**0.5, loadings.alpha_t[0, -1], 1e-9),
        )


def characteristic_scores(book_to_market: np.ndarray, size: np.ndarray) -> np.ndarray:
    """(N,) mean percentile of high book-to-market and of small size, of those whose both are known."""
    known = np.isfinite(book_to_market) & np.isfinite(size)
    return mean_of(*(percentiles(np.where(known, values, np.nan)) for values in (book_to_market, -size)))


class MomentumQualityParams(PortfolioParams):
    lookback: int = knob(252, ge=63, le=504, step=21, unit="sessions", description=gettext_noop("Sessions ago at which momentum begins."))
    skip: int = knob(21, ge=0, le=42, step=1, unit="sessions", description=gettext_noop("Sessions ago at which momentum ends."))
    buy_share: float = knob(
        0.2, ge=0.05, le=0.5, step=0.05, unit="share", description=gettext_noop("The best share of the stocks, which is bought.")
    )
    hold_percentile: float = knob(
        40.0, ge=0, le=80, step=5, unit="percentile", description=gettext_noop("Percentile below which a stock is sold.")
    )
    min_names: int = knob(
        20, searched=False, ge=5, le=500, step=5, unit="stocks", description=gettext_noop("Stocks that must be ranked before any is held.")
    )


@dataclass(frozen=True)
class MomentumQualityFeatures:
    """`stocks` (N,) says which symbols are stocks; (N, T): `momentum`, `gross` profit over assets, return on `equity` of those
    without, and `health`, the share of the flags met."""

    stocks: np.ndarray
    momentum: np.ndarray
    gross: np.ndarray
    equity: np.ndarray
    health: np.ndarray


class MomentumQuality(PortfolioStrategy):
    key = "momentum_quality"
    name = gettext_noop("Momentum and quality")
    category = CATEGORY
    source = "Jegadeesh and Titman, Journal of Finance 48, 1993; Novy-Marx, Journal of Financial Economics 108, 2013"
    description = gettext_noop("Holds the top fifth by the average rank of twelve-month momentum and profitability, renewed monthly.")
    requires = (
        gettext_noop("Reports of companies with their filing dates: gross profit, assets, net income and equity."),
        gettext_noop("Sectors, to keep banks and insurers apart; without them nobody is taken for one."),
    )
    departures = (
        gettext_noop("Long only, with equal weights; a holding stays until it falls below the 40th percentile."),
        gettext_noop("Momentum is measured between 252 and 21 sessions ago, not in calendar months."),
        gettext_noop("Piotroski's flags use the assets at the end of the year; reports that a split lies between leave one flag open."),
    )
    signal_sources = ("TECHNICAL", "FUNDAMENTAL")
    Params = MomentumQualityParams

    def needs(self, params: MomentumQualityParams) -> Needs:
        return Needs(sessions=params.lookback + 1, symbols=params.min_names)

    def lack(self, panel: Panel, features: MomentumQualityFeatures, t: int, params: MomentumQualityParams) -> str:
        ranked = int(self._ranked(panel, features, t).sum())
        if ranked >= params.min_names:
            return ""
        return (
            f"Needs momentum and reported profits of {params.min_names} stocks by {panel.sessions[t]}; {ranked} have them. "
            "Import reports: manage.py import_fundamentals PATH."
        )

    def prepare(self, panel: Panel, params: MomentumQualityParams) -> MomentumQualityFeatures:
        close, banks = recent(positive(panel.adj_close)), characteristics.financials(panel)[:, None]
        gross = np.where(banks, np.nan, characteristics.gross_profitability(panel))
        equity = np.where(np.isfinite(gross), np.nan, characteristics.return_on_equity(panel))
        health = np.where(banks, np.nan, characteristics.health(panel))
        return MomentumQualityFeatures(stock_rows(panel), momentum(close, params.lookback, params.skip), gross, equity, health)

    def targets(self, panel, features: MomentumQualityFeatures, t, params: MomentumQualityParams, held) -> Sequence[Target] | None:
        ranked = self._ranked(panel, features, t)
        if ranked.sum() < params.min_names:
            return None
        gained, gross, equity, health = (
            np.where(ranked, values[:, t], np.nan) for values in (features.momentum, features.gross, features.equity, features.health)
        )
        standing = percentiles(gained), quality_percentiles(gross, equity, health)
        scores = mean_of(*standing)
        chosen = buy_and_hold_zones(scores, panel.symbols, held, buy=params.buy_share, hold=params.hold_percentile)
        return [self._target(panel, standing, scores, row, 1 / len(chosen)) for row in chosen]

    def _ranked(self, panel: Panel, features: MomentumQualityFeatures, t: int) -> np.ndarray:
        """(N,) the stocks with a bar at t, momentum and profitability."""
        profits = np.isfinite(features.gross[:, t]) | np.isfinite(features.equity[:, t])
        return features.stocks & np.isfinite(panel.close[:, t]) & np.isfinite(features.momentum[:, t]) & profits

    def _target(self, panel: Panel, standing: tuple[np.ndarray, np.ndarray], scores: np.ndarray, row: int, weight: float) -> Target:
        gained, quality = (percentile[row] for percentile in standing)
        count = int(np.isfinite(scores).sum())
        reason = f"Of {count} stocks it stands at percentile {gained:.0f} by momentum and {quality:.0f} by quality."
        numbers = {"momentum_percentile": rounded(gained, 2), "quality_percentile": rounded(quality, 2)}
        return Target(panel.symbols[row], weight, rounded(scores[row]), reason, numbers)

    def known_answers(self) -> tuple[KnownAnswer, ...]:
        # Twelve months from 100 to 120, then a last month to 60 that does not count.
        close = np.concatenate([np.linspace(100, 120, 232), np.linspace(118, 60, 21)])[None]
        gross, nothing = np.array([0.1, 0.4, 0.2, np.nan]), np.full(4, np.nan)
        quality = quality_percentiles(gross, np.array([np.nan, np.nan, np.nan, 0.3]), nothing)
        names = [f"S{row}" for row in range(10)]
        held = buy_and_hold_zones(np.arange(10.0), names, frozenset({"S3", "S4"}), buy=0.2, hold=40)
        kept = ", ".join(names[row] for row in held)
        return (
            KnownAnswer(gettext_noop("Momentum of 100 → 120 → 60, without the last month"), 0.2, momentum(close, 252, 21)[0, -1], 1e-12),
            KnownAnswer(gettext_noop("Quality of the best of three by gross profit, beside one bank"), 87.5, quality[1], 1e-9),
            KnownAnswer(gettext_noop("Held of S0 (worst) to S9, where S3 and S4 were held before"), "S9, S8, S4", kept),
        )


def momentum(close: np.ndarray, lookback: int, skip: int) -> np.ndarray:
    """(N, T) return from `lookback` sessions ago to `skip` sessions ago."""
    return shifted(close, skip) / shifted(close, lookback) - 1


def quality_percentiles(gross: np.ndarray, equity: np.ndarray, health: np.ndarray) -> np.ndarray:
    """(N,) percentiles of quality: profitability by `gross` profit over assets, else by return on `equity`, each ranked among
    its own, and `health` where it is known."""
    profitable = np.fmax(percentiles(gross), percentiles(equity))
    healthy = percentiles(health)
    return percentiles(np.where(np.isfinite(healthy), mean_of(profitable, healthy), profitable))
