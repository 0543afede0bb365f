"""Mean reversion: Bollinger bands, and pairs by the distance method.

Bollinger mean reversion
    Source: J. Bollinger, "Bollinger on Bollinger Bands" (2001): simple mean of 20 closes ± 2 population standard
    deviations of the same closes.
    Ours: entry on the first close outside a band (an event: after a stop it does not enter again while price walks the
    band), only where ADX 14 is below 25; the short side is the mirror image and can be switched off. Exit on a close at
    or beyond the middle band, after 10 sessions, or at a stop 2.5 ATR 14 from the deciding close.
    Departures: Bollinger himself reads a close outside the bands as a continuation first; the ADX filter, the time stop
    and the stop are ours.

Pairs trading
    Source: Gatev, Goetzmann and Rouwenhorst (2006), see `distance`: 12 months of formation, 6 months of trading, open at
    2 formation σ, close at the next crossing of the normalised prices or at the end of the period, dollar neutral.
    Departures: one set of periods on the calendar (from January and July) instead of one begun each month; 5 pairs
    (their smaller portfolio); a pair is opened once a divergence, within `entry_window` sessions of its beginning, and
    never at the last close of a period. Their one-day wait is how every decision here fills: at the next open.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from quant_site.core.types import Direction
from quant_site.market.indicators import adx, atr, bollinger
from quant_site.market.panel import Panel
from strategies.base import Draft, Holding, KnownAnswer, Leg, Needs, Strategy, StrategyParams, knob
from strategies.library import distance
from strategies.library.declarations import gettext_noop
from strategies.library.drafting import closing, in_order, raw_price, rounded, sessions_held
from strategies.library.kernels import band_crossings, band_rules, raw_prices
from strategies.library.mean_reversion_answers import band_answers, pair_answers
from strategies.rules import Rules, RuleStrategy, column, shared

CATEGORY = "MEAN_REVERSION"


class BollingerParams(StrategyParams):
    window: int = knob(
        20, ge=5, le=120, step=5, unit="sessions", description=gettext_noop("Sessions of the mean and the standard deviation.")
    )
    width: float = knob(2.0, ge=0.5, le=4, step=0.25, unit="σ", description=gettext_noop("Standard deviations from the mean to each band."))
    adx_window: int = knob(14, ge=5, le=60, step=1, unit="sessions", description=gettext_noop("Sessions of the ADX trend filter."))
    adx_limit: float = knob(
        25.0, ge=5, le=100, step=5, description=gettext_noop("No entry where ADX is at or above this: the market trends.")
    )
    atr_window: int = knob(
        14, ge=5, le=60, step=1, unit="sessions", description=gettext_noop("Sessions of the average true range the stop is measured in.")
    )
    stop_atr: float = knob(
        2.5,
        ge=0.5,
        le=6,
        step=0.25,
        unit="ATR",
        description=gettext_noop("Distance from the deciding close to the stop, in average true ranges."),
    )
    max_holding: int = knob(
        10, ge=1, le=120, step=1, unit="sessions", description=gettext_noop("Sessions after which a trade is closed whatever its result.")
    )
    short: bool = knob(True, description=gettext_noop("Also sell closes above the upper band short."))


@dataclass(frozen=True)
class BollingerFeatures:
    """(N, T) arrays: side of an entry (1 long, −1 short, 0 none), middle band, σ from the mean, ATR, ADX; adjusted."""

    side: np.ndarray
    middle: np.ndarray
    z: np.ndarray
    atr: np.ndarray
    adx: np.ndarray


def _bands(close: np.ndarray, window: int) -> tuple[np.ndarray, np.ndarray]:
    """Middle band and population standard deviation."""
    _, middle, upper = bollinger(close, window, 1.0)
    return middle, upper - middle


class BollingerMeanReversion(RuleStrategy):
    key = "bollinger_mean_reversion"
    name = gettext_noop("Bollinger mean reversion")
    category = CATEGORY
    source = "J. Bollinger, Bollinger on Bollinger Bands, 2001"
    description = gettext_noop("Buys the first close below the lower band of a market without trend and sells at the middle band.")
    requires = (gettext_noop("Daily bars of each symbol with open, high, low and close, adjusted for splits and dividends."),)
    departures = (
        gettext_noop("Bollinger himself reads a close outside the bands as a continuation first; here it is bought or sold against."),
        gettext_noop("Only the first close outside a band is entered, and only where ADX says that the market does not trend."),
        gettext_noop("The time stop and the stop in average true ranges are not in the source."),
    )
    Params = BollingerParams

    def needs(self, params: BollingerParams) -> Needs:
        return Needs(sessions=max(params.window + 1, 2 * params.adx_window, params.atr_window + 1))

    def prepare(self, panel: Panel, params: BollingerParams) -> BollingerFeatures:
        high, low, close = panel.adj_high, panel.adj_low, panel.adj_close
        middle, sigma = _bands(close, params.window)
        trend = adx(high, low, close, params.adx_window)
        side, z = band_crossings(close, middle, sigma, trend, params.width, params.adx_limit, params.short)
        return BollingerFeatures(side, middle, z, atr(high, low, close, params.atr_window), trend)

    def rules(self, panel: Panel, sets: Sequence[BollingerParams]) -> Rules:
        high, low, close = panel.adj_high, panel.adj_low, panel.adj_close
        (middle, sigma), (band,) = shared(lambda window: _bands(close, window), column(sets, "window", int))
        (trend,), (trend_of,) = shared(lambda window: (adx(high, low, close, window),), column(sets, "adx_window", int))
        (reach,), (unit_of,) = shared(lambda window: (atr(high, low, close, window),), column(sets, "atr_window", int))
        return Rules(
            scan=band_rules,
            market=(close, middle, sigma, trend),
            sets=(band, trend_of, column(sets, "width"), column(sets, "adx_limit"), column(sets, "short", bool)),
            unit=np.stack([raw_prices(each, panel.factor.copy()) for each in reach]),
            unit_of=unit_of,
            stop=column(sets, "stop_atr"),
            add=np.full(len(sets), np.nan),
            most=np.ones(len(sets), int),
            holding=column(sets, "max_holding", int),
            warm_up=np.array([self.needs(params).sessions for params in sets]),
        )

    def decide(self, panel, features: BollingerFeatures, t, params: BollingerParams, holdings) -> list[Draft]:
        exits = [draft for holding in holdings if (draft := self._exit(panel, features, t, params, holding))]
        held = {holding.group for holding in holdings}
        rows = [row for row in np.flatnonzero(features.side[:, t]) if panel.symbols[row] not in held]
        entries = [draft for row in rows if (draft := self._entry(panel, features, t, params, row))]
        return in_order(exits, entries)

    def _entry(self, panel: Panel, features: BollingerFeatures, t: int, params: BollingerParams, row: int) -> Draft | None:
        side, symbol = int(features.side[row, t]), panel.symbols[row]
        close, reach = float(panel.close[row, t]), raw_price(panel, row, t, features.atr[row, t])
        stop = round(close - side * params.stop_atr * reach, 6)
        if not (reach > 0 and stop > 0):
            return None
        direction, z = (Direction.LONG if side > 0 else Direction.SHORT), rounded(features.z[row, t])
        band = "lower" if side > 0 else "upper"
        return Draft(
            group=symbol,
            direction=direction,
            legs=(Leg(symbol, direction),),
            score=abs(z),
            reason=f"First close outside the {band} band: {abs(z):.2f} standard deviations from the mean, ADX {features.adx[row, t]:.0f}.",
            entry_price=round(close, 6),
            stop_loss=stop,
            metadata={"rule": "OUTSIDE_BAND", "z": z, "adx": rounded(features.adx[row, t]), "atr": reach},
        )

    def _exit(self, panel: Panel, features: BollingerFeatures, t: int, params: BollingerParams, holding: Holding) -> Draft | None:
        row = panel.row(holding.group)
        close, middle = panel.adj_close[row, t], features.middle[row, t]
        if holding.direction.sign * (close - middle) >= 0:
            return closing(holding, "MIDDLE_BAND", "The close is back at the middle band.", middle=raw_price(panel, row, t, middle))
        held = sessions_held(panel, holding, t)
        if held >= params.max_holding:
            return closing(holding, "TIME_STOP", f"Held for {held} sessions without reaching the middle band.", sessions=held)
        return None

    def known_answers(self) -> tuple[KnownAnswer, ...]:
        return band_answers(self)


class PairsParams(StrategyParams):
    formation_months: int = knob(12, ge=3, le=36, step=3, unit="months", description=gettext_noop("Months in which pairs are formed."))
    trading_months: Literal[1, 2, 3, 4, 6, 12] = knob(
        6, unit="months", description=gettext_noop("Months in which they are traded; periods begin in January.")
    )
    pairs: int = knob(5, ge=1, le=50, step=1, unit="pairs", description=gettext_noop("Pairs of least distance that may be traded."))
    open_sigma: float = knob(
        2.0,
        ge=1,
        le=4,
        step=0.25,
        unit="σ",
        description=gettext_noop("Divergence, in formation standard deviations, at which a pair is opened."),
    )
    entry_window: int = knob(
        5,
        searched=False,
        ge=1,
        le=60,
        step=1,
        unit="sessions",
        description=gettext_noop("Sessions from the beginning of a divergence in which it may still be opened."),
    )


class PairsTrading(Strategy):
    key = "pairs_trading"
    name = gettext_noop("Pairs trading")
    category = CATEGORY
    source = "Gatev, Goetzmann and Rouwenhorst, Review of Financial Studies 19(3), 2006"
    description = gettext_noop("Buys the laggard and sells the leader of two symbols that moved together and have parted.")
    requires = (gettext_noop("Daily closes of two or more symbols over the whole formation, adjusted for splits and dividends."),)
    departures = (
        gettext_noop("One set of periods on the calendar, from January and July, instead of one begun each month."),
        gettext_noop("Five pairs, the source's smaller portfolio."),
        gettext_noop("A pair is opened once a divergence, a few sessions from its beginning, and not at the last close of a period."),
        gettext_noop("The one-day wait of the source is how every decision fills here: at the next open."),
    )
    Params = PairsParams

    def needs(self, params: PairsParams) -> Needs:
        return Needs(sessions=21 * params.formation_months + 1, symbols=2)

    def prepare(self, panel: Panel, params: PairsParams) -> dict[int, distance.Period]:
        return distance.trading_periods(
            panel, formation=params.formation_months, trading=params.trading_months, count=params.pairs, width=params.open_sigma
        )

    def decide(self, panel, features: dict[int, distance.Period], t, params: PairsParams, holdings) -> list[Draft]:
        session = panel.sessions[t].item()
        period = features.get(distance.period_of(session, params.trading_months))
        last = distance.is_last_of_period(session, params.trading_months)
        exits = [draft for holding in holdings if (draft := self._exit(panel, period, t, params, holding, last))]
        held = {holding.group for holding in holdings}
        entries = [] if period is None or last else self._entries(panel, period, t, params, held)
        return in_order(exits, entries)

    def _entries(self, panel: Panel, period: distance.Period, t: int, params: PairsParams, held: set[str]) -> list[Draft]:
        drafts = []
        for i, pair in enumerate(period.pairs):
            z, age = float(period.z[i, t - period.start]), int(period.age[i, t - period.start])
            first, second = panel.symbols[pair.a], panel.symbols[pair.b]
            if f"{first}/{second}" in held or not (0 <= age < params.entry_window and abs(z) > params.open_sigma):
                continue
            # Above zero the first symbol is the dear one: sell it, buy the second.
            direction, other = (Direction.SHORT, Direction.LONG) if z > 0 else (Direction.LONG, Direction.SHORT)
            drafts.append(
                Draft(
                    group=f"{first}/{second}",
                    direction=direction,
                    legs=(Leg(first, direction, 0.5), Leg(second, other, 0.5)),
                    score=rounded(abs(z)),
                    reason=f"Normalised prices have parted by {abs(z):.2f} formation standard deviations.",
                    metadata={"rule": "DIVERGED", "z": rounded(z), "sigma": rounded(pair.sigma, 6), "distance": rounded(pair.distance, 6)},
                )
            )
        return drafts

    def _exit(
        self, panel: Panel, period: distance.Period | None, t: int, params: PairsParams, holding: Holding, last: bool
    ) -> Draft | None:
        if len(holding.quantities) != 2:
            return closing(holding, "BROKEN_PAIR", "One leg of the pair is gone: the other is no hedge.")
        opened_in = distance.period_of(holding.entry_session, params.trading_months)
        if last or period is None or opened_in != distance.period_of(panel.sessions[t].item(), params.trading_months):
            return closing(holding, "PERIOD_END", "The trading period of the pair has ended.")
        first, second = (panel.row(symbol) for symbol in holding.group.split("/"))
        spread = period.spread(panel.adj_close[:, t], first, second)
        # A LONG pair was opened below zero: it is done when the spread is no longer there.
        if spread * holding.direction.sign >= 0:
            return closing(holding, "CROSSED", "The normalised prices have crossed.", spread=rounded(spread, 6))
        return None

    def known_answers(self) -> tuple[KnownAnswer, ...]:
        return pair_answers()
