"""Volatility arbitrage: straddles where implied volatility is far from a forecast of the realised one.

Source: Goyal and Saretto (2009), "Cross-section of option returns and volatility", Journal of Financial Economics 94: at
each monthly expiration stocks are ranked by realised less implied volatility; the straddles at the money of the next month
are bought where it is highest (a decile) and sold where it is lowest.

Ours: logarithms of the two; the realised volatility is a forecast (HAR over Yang–Zhang), never a trailing one. With ten
stocks or more the extremes are those of the cross-section; with fewer, and for an index, an underlying's own gap is ranked
in its last 252. Each trade gets the share of equity that buys it the same vega. A short straddle is sized by what it would
lose if the spot moved by a fifth and volatilities doubled at once: a stress, not a bound. A trade ends when its rank
returns to the middle, when the straddle's delta leaves `delta_band`, or before expiry. Beyond the band it is closed and
not struck anew: it has become a bet on direction (at a delta of 0.7 it has lost four tenths of its vega), and striking anew
crosses two more spreads for what is left of the month. The score is the edge (the way back to the middle, times vega, less
both spreads and commissions) over the loss.

Departures: nothing is hedged with shares in between. Dates of earnings are not known here, so volatility that is high
before them passes for mispricing. A stock's implied volatility is that of three months at the money; for SPY it is
0.80 · VIX, of one month.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import product

import numpy as np

from quant_site.core.types import Direction
from quant_site.market.options.black_scholes import bsm_price
from quant_site.market.options.chain import Chain
from quant_site.market.options.inputs import INDEX_OPTIONS, VIX
from quant_site.market.options.quotes import OptionMarket, option_market
from quant_site.market.options.surface import ATM_OF_VIX
from quant_site.market.panel import Panel
from quant_site.market.sessions import session_distance
from strategies.base import Draft, KnownAnswer, Needs, StrategyParams, knob
from strategies.library.declarations import gettext_noop
from strategies.library.drafting import closing, rounded, sessions_held
from strategies.library.option_strategy import OptionStrategy
from strategies.library.option_trades import (
    FEE,
    OpenTrade,
    at_expiration,
    entry_targets,
    first_priced,
    forecast_of,
    forecast_warm_up,
    nearest_lack,
    opening,
)
from strategies.library.realised import annual_volatility, horizon_of
from strategies.library.structures import OptionLeg, Structure, Terms, terms_of
from strategies.library.volatility_gap import Gaps, ranked_gaps, volatility_gap

CATEGORY = "VOLATILITY"
KIND = "VA"
HORIZON = horizon_of(30)
# How far from the forward the strike may be to count as at the money.
AT_THE_MONEY = 0.05


class VolatilityArbitrageParams(StrategyParams):
    tail: float = knob(
        0.10,
        ge=0.01,
        le=0.3,
        step=0.01,
        unit="share",
        description=gettext_noop("Share of the ranking that counts as extreme on each side."),
    )
    window: int = knob(
        252, ge=60, le=756, step=21, unit="sessions", description=gettext_noop("Sessions of its own past an underlying is ranked in.")
    )
    fewest: int = knob(
        10,
        searched=False,
        ge=5,
        le=100,
        step=1,
        unit="stocks",
        description=gettext_noop("Stocks from which on they are ranked among each other."),
    )
    exit_rank: float = knob(
        0.5, ge=0.2, le=0.8, step=0.05, unit="rank", description=gettext_noop("Rank at which the gap counts as closed.")
    )
    exit_sessions: int = knob(
        1, ge=1, le=15, step=1, unit="sessions", description=gettext_noop("Sessions before expiry at which a straddle is closed.")
    )
    delta_band: float = knob(
        0.7, ge=0.1, le=1, step=0.05, unit="delta", description=gettext_noop("Net delta of a straddle at which it is closed.")
    )
    short: bool = knob(True, description=gettext_noop("Also sell straddles whose implied volatility is high."))
    max_risk: float = knob(
        0.01,
        searched=False,
        ge=0.001,
        le=0.05,
        step=0.001,
        unit="share",
        description=gettext_noop("Share of equity that one straddle may lose."),
    )
    stress_spot: float = knob(
        0.2,
        searched=False,
        ge=0.05,
        le=0.5,
        step=0.05,
        unit="share",
        description=gettext_noop("Move of the spot that a short straddle must bear."),
    )
    stress_volatility: float = knob(
        1.0, searched=False, ge=0, le=3, step=0.25, unit="share", description=gettext_noop("Rise of volatilities that it must bear.")
    )
    entry_window: int = knob(
        3, searched=False, ge=1, le=10, step=1, unit="sessions", description=gettext_noop("Sessions in which an entry may be tried.")
    )


@dataclass(frozen=True)
class VolatilityArbitrageFeatures:
    """By session: `days` and the expiry to trade (`targets`). `names` are the rows of the (N, T) `gaps` and `forecasts`."""

    market: OptionMarket
    days: tuple[date, ...]
    targets: tuple[date | None, ...]
    names: tuple[str, ...]
    gaps: Gaps
    forecasts: np.ndarray


@dataclass(frozen=True)
class _Candidate:
    row: int
    structure: Structure
    vega: float
    unit_loss: float
    edge: float


class VolatilityArbitrage(OptionStrategy):
    key = "volatility_arbitrage"
    name = gettext_noop("Volatility arbitrage")
    category = CATEGORY
    source = "Goyal and Saretto, Journal of Financial Economics 94, 2009"
    description = gettext_noop("Trades straddles of stocks whose implied volatility is far from a forecast of the realised one.")
    requires = (
        gettext_noop("Implied volatilities: three-month ones of stocks, or bars of SPY and of the VIX."),
        gettext_noop("Options on them: stored chains, or synthetic ones made from these."),
    )
    departures = (
        gettext_noop("Realised volatility is a HAR forecast, not that of the past year."),
        gettext_noop("With fewer than ten stocks an underlying is ranked in its own past instead of among the others."),
        gettext_noop("A straddle whose delta leaves its band is closed; nothing is hedged with shares."),
        gettext_noop("Dates of earnings are not known: implied volatility that is high before them is taken for mispricing."),
        gettext_noop("The loss of a short straddle is a stress of spot and volatility, not a bound."),
    )
    signal_sources = ("OPTIONS",)
    Params = VolatilityArbitrageParams

    def needs(self, params: VolatilityArbitrageParams) -> Needs:
        return Needs(sessions=forecast_warm_up(HORIZON))

    def lack(self, panel: Panel, features: VolatilityArbitrageFeatures, t: int, params: VolatilityArbitrageParams) -> str:
        names, day = features.names or ("SPY",), features.days[t]
        if not first_priced(features.market, names, t):
            return nearest_lack(features.market, names, t)
        if np.isfinite(features.gaps.rank[:, t]).any():
            return ""
        bars = forecast_warm_up(HORIZON)
        return (
            f"Needs {bars} bars and implied volatilities of {params.fewest} stocks, or {bars + params.window} of one underlying, by {day}: "
            "import earlier bars (manage.py import_bars PATH) and volatilities (manage.py import_volatility PATH)."
        )

    def prepare(self, panel: Panel, params: VolatilityArbitrageParams) -> VolatilityArbitrageFeatures:
        market = option_market(panel)
        names = tuple(name for name in market.underlyings() if name != "XSP" or "SPY" not in market.underlyings())
        shape = (len(names), len(panel.sessions))
        forecasts = np.array([forecast_of(panel, name, HORIZON) for name in names]).reshape(shape)
        implied = np.array([implied_history(panel, name) for name in names]).reshape(shape)
        stocks = np.array([name not in INDEX_OPTIONS for name in names], bool)
        gaps = ranked_gaps(volatility_gap(forecasts, implied), stocks, window=params.window, fewest=params.fewest)
        targets = entry_targets(panel.sessions, params.entry_window, at_expiration)
        days = tuple(panel.sessions.astype("datetime64[D]").tolist())
        return VolatilityArbitrageFeatures(market, days, targets, names, gaps, forecasts)

    def _entries(self, features, t: int, params: VolatilityArbitrageParams, expiry: date, trades: Sequence[OpenTrade]) -> list[Draft]:
        """Straddles of what was extreme on the day of the entry, of one vega each."""
        held, day = {trade.underlying for trade in trades}, t
        while day and features.targets[day - 1] == expiry:
            day -= 1
        rank = features.gaps.rank[:, day]
        rows = np.flatnonzero((rank >= 1 - params.tail) | ((rank <= params.tail) & params.short))
        found = [self._candidate(features, t, day, params, expiry, row) for row in rows.tolist() if features.names[row] not in held]
        found = [candidate for candidate in found if candidate]
        dearest = max((candidate.unit_loss / candidate.vega for candidate in found), default=0.0)
        return [self._opening(features, day, candidate, params.max_risk / dearest) for candidate in found]

    def _candidate(self, features, t: int, day: int, params: VolatilityArbitrageParams, expiry: date, row: int) -> _Candidate | None:
        chain = features.market.chain(features.names[row], t, expirations=[expiry])
        direction = Direction.LONG if features.gaps.rank[row, day] > 0.5 else Direction.SHORT
        structure = straddle_of(chain, expiry, direction)
        if structure is None or not (vega := abs(structure.greeks()["vega"] or 0.0)):
            return None
        loss = structure.max_loss if direction is Direction.LONG else stress_loss(structure, terms_of(chain, expiry), params)
        points = abs(features.gaps.gap[row, day] - features.gaps.centre[row, day]) * 100 * structure.legs[0].quote.iv
        # Into the spread and out of it again.
        edge = points * vega - 2 * (structure.crossing + FEE * structure.contracts)
        return _Candidate(row, structure, vega, loss, edge) if loss > 0 and edge > 0 else None

    def _opening(self, features, day: int, candidate: _Candidate, share_per_loss: float) -> Draft:
        structure, row, gaps = candidate.structure, candidate.row, features.gaps
        gap, implied = float(gaps.gap[row, day]), structure.legs[0].quote.iv
        cheap = structure.legs[0].direction is Direction.LONG
        return opening(
            structure,
            KIND,
            rule="BUY_STRADDLE" if cheap else "SELL_STRADDLE",
            reason=f"Forecast over implied volatility {np.exp(gap):.2f}: {'low' if cheap else 'high'} implied volatility.",
            score=candidate.edge / candidate.unit_loss,
            unit_loss=candidate.unit_loss,
            risk_share=rounded(share_per_loss * candidate.unit_loss / candidate.vega, 6),
            gap=rounded(gap),
            centre=rounded(gaps.centre[row, day]),
            rank=rounded(gaps.rank[row, day]),
            iv=rounded(implied),
            forecast=rounded(float(annual_volatility(features.forecasts[row, day]))),
            edge=rounded(candidate.edge),
        )

    def _exit(self, panel: Panel, features, t: int, params: VolatilityArbitrageParams, trade: OpenTrade) -> Draft | None:
        if session_distance(features.days[t], trade.expiry) <= params.exit_sessions:
            return closing(trade.holding, "EXPIRY", f"{params.exit_sessions} sessions or fewer to expiry.")
        # What is closed within the window would be opened again at once.
        if sessions_held(panel, trade.holding, t) < params.entry_window - 1:
            return None
        side = trade.holding.direction.sign
        rank = features.gaps.rank[features.names.index(trade.underlying), t] if trade.underlying in features.names else np.nan
        if side * (rank - params.exit_rank) <= 0:
            return closing(trade.holding, "GAP_CLOSED", "Implied volatility is no longer extreme.", rank=rounded(rank))
        quotes = trade.quotes(features.market, t)
        delta = np.nan if quotes is None else trade.delta(quotes)
        if abs(delta) > params.delta_band:
            return closing(trade.holding, "DELTA_BAND", f"Its delta is {delta:+.2f} a straddle.", delta=rounded(delta))
        return None

    def known_answers(self) -> tuple[KnownAnswer, ...]:
        # σ of 1 % a session is 15.87 % a year, over an implied 20 %.
        gap = float(volatility_gap(np.array(1e-4), np.array(0.20)))
        tenths = np.arange(11)[:, None] / 10.0
        ranks = ranked_gaps(tenths, np.ones(11, bool), window=252, fewest=10).rank[:, 0]
        # Hull's call and put of strike 40 at 42: 4.76 + 0.81.
        straddle = sum(float(bsm_price(42.0, 40.0, 0.5, 0.10, 0.0, 0.20, call)) for call in (True, False))
        return (
            KnownAnswer(gettext_noop("A forecast of 1 % a session under an implied 20 %: log(0.1587 / 0.20)"), -0.231, gap, 5e-4),
            KnownAnswer(gettext_noop("Of eleven stocks the second dearest ranks 0.1"), 0.1, float(ranks[1]), 1e-12),
            KnownAnswer(gettext_noop("Hull's straddle of strike 40 on a stock at 42 costs 5.57"), 5.57, straddle, 0.005),
        )


def straddle_of(chain: Chain, expiry: date, direction: Direction) -> Structure | None:
    """Call and put of the strike nearest the forward; None where the chain has none at the money that can be traded."""
    calls, puts = chain.of(expiry, "C"), chain.of(expiry, "P")
    strikes, at_call, at_put = np.intersect1d(calls.strike, puts.strike, return_indices=True)
    if not len(strikes):
        return None
    forward = float(calls.forward[0])
    nearest = int(np.argmin(np.abs(strikes - forward)))
    if abs(strikes[nearest] / forward - 1) > AT_THE_MONEY:
        return None
    quotes = calls.quote(int(at_call[nearest])), puts.quote(int(at_put[nearest]))
    straddle = Structure(tuple(OptionLeg(quote, direction) for quote in quotes))
    return straddle if straddle.tradable else None


def stress_loss(straddle: Structure, terms: Terms, params: VolatilityArbitrageParams) -> float:
    """What one unit loses at the worst of the stresses, and on buying it back across the spread; NaN where it cannot be told."""
    spots, volatilities = (-params.stress_spot, 0.0, params.stress_spot), (0.0, params.stress_volatility)
    worst = np.min([straddle.worth(terms, *moves) for moves in product(spots, volatilities)])
    return float(straddle.debit - worst + straddle.crossing)


def implied_history(panel: Panel, underlying: str) -> np.ndarray:
    """At-the-money implied volatility, a decimal a year, (T,): an index's from the VIX, a stock's own of three months."""
    if underlying in INDEX_OPTIONS:
        bars, row = panel.holding(VIX)
        return ATM_OF_VIX * bars.close[row] / 100
    return panel.reference.implied_vol[panel.row(underlying)]
