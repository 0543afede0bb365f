"""Iron condor: a put and a call are sold out of the money each month, and wings beyond them bought.

Source: Cboe S&P 500 Iron Condor Index (CNDR): at each monthly expiration a put and a call of about 20 delta are sold and
those of about 5 delta beyond them bought, in the next month's options, and all four are held to expiry.

Ours: on SPY, else on XSP. A condor may lose `max_risk` of equity; one unit loses (wider wing − credit) × 100 at most. Its
score is the expected profit over that loss, where the spot at expiry is lognormal around the forward with the HAR
forecast of realised variance, less commissions: no premium for the market's drift is claimed. As the index does, it sells
whatever the score; `least_edge` can leave out those that score too low. The retail rules (about 45 days to expiry, 30 and
16 delta, closed at half of the maximum profit or 21 days before expiry) are parameters, and off.

Departures: sold at the open after the expiration, not at its close. SPY's options are American and deliver shares, the
index's are settled in cash: a condor on SPY is closed at the open of its last session where a short strike is in the money
or within `pin` of the spot, and on the eve of an ex-date where the time value of a short call in the money is below the
dividend expected (the last one, on the days on which a year ago was an ex-date). The lognormal law has thinner tails than
markets have: in a crash the wings protect, not the score.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import numpy as np
from pydantic import model_validator

from quant_site.core.types import Direction
from quant_site.market.options.chain import Chain, Quote
from quant_site.market.options.contracts import OptionContract
from quant_site.market.options.quotes import OptionMarket, option_market
from quant_site.market.panel import Panel
from quant_site.market.sessions import next_session, session_distance
from strategies.base import Draft, KnownAnswer, Needs, StrategyParams, knob
from strategies.library.declarations import gettext_noop
from strategies.library.drafting import closing, rounded, sessions_held
from strategies.library.option_strategy import MonthlyOptionStrategy
from strategies.library.option_trades import (
    FEE,
    INDEX_UNDERLYINGS,
    OpenTrade,
    at_expiration,
    days_before,
    dividend_due,
    dividends_of,
    entry_targets,
    first_priced,
    forecast_of,
    forecast_warm_up,
    known,
    nearest_lack,
    no_forecast,
    opening,
)
from strategies.library.realised import annual_volatility, horizon_of
from strategies.library.structures import OptionLeg, Structure, terms_of, two_sided

CATEGORY = "VOLATILITY"
KIND = "IC"


class IronCondorParams(StrategyParams):
    short_delta: float = knob(
        0.20, ge=0.05, le=0.45, step=0.01, unit="delta", description=gettext_noop("Delta of the put and the call that are sold.")
    )
    long_delta: float = knob(
        0.05, ge=0.01, le=0.40, step=0.01, unit="delta", description=gettext_noop("Delta of the wings that are bought.")
    )
    days: int = knob(
        0,
        ge=0,
        le=60,
        step=1,
        unit="days",
        description=gettext_noop("Days to expiry at which it is sold; 0: as the options before expire."),
    )
    take_profit: float = knob(
        0.0, ge=0, le=1, step=0.05, unit="share", description=gettext_noop("Close at this share of the maximum profit; 0: never.")
    )
    exit_days: int = knob(
        0, ge=0, le=45, step=1, unit="days", description=gettext_noop("Close this many days before expiry; 0: hold to expiry.")
    )
    pin: float = knob(
        0.005,
        searched=False,
        ge=0,
        le=0.05,
        step=0.001,
        unit="share",
        description=gettext_noop("Before expiry: how near the spot may be to a short strike."),
    )
    max_risk: float = knob(
        0.02,
        searched=False,
        ge=0.001,
        le=0.05,
        step=0.001,
        unit="share",
        description=gettext_noop("Share of equity that one condor may lose."),
    )
    least_edge: float = knob(
        -1.0, ge=-1, le=0.5, step=0.01, unit="share", description=gettext_noop("Least expected profit over maximum loss; −1: any.")
    )
    entry_window: int = knob(
        3, searched=False, ge=1, le=10, step=1, unit="sessions", description=gettext_noop("Sessions in which an entry may be tried.")
    )

    @model_validator(mode="after")
    def _ordered(self):
        if not self.long_delta < self.short_delta:
            raise ValueError("long_delta must be below short_delta")
        if 0 < self.days <= self.exit_days:
            raise ValueError("exit_days must be fewer than days")
        return self


@dataclass(frozen=True)
class IronCondorFeatures:
    """By session: `days` and the expiry to sell (`targets`, None between entries). By underlying: `forecasts` of variance (T,)
    and the dividends it has `paid`."""

    market: OptionMarket
    days: tuple[date, ...]
    targets: tuple[date | None, ...]
    forecasts: dict[str, np.ndarray]
    paid: dict[str, tuple[tuple[date, float], ...]]


class IronCondor(MonthlyOptionStrategy):
    key = "iron_condor"
    name = gettext_noop("Iron condor")
    category = CATEGORY
    source = "Cboe S&P 500 Iron Condor Index (CNDR) methodology"
    description = gettext_noop("Sells an out-of-the-money put and call and buys the wings beyond them, monthly.")
    requires = (gettext_noop("Options on SPY or XSP: a stored chain, or bars of SPY or SPX and of the VIX to make one from."),)
    departures = (
        gettext_noop("Sold at the open after the monthly expiration, not at its close, and on SPY, whose options deliver shares."),
        gettext_noop("Closed before expiry where a short strike is in or near the money, and before an ex-date that invites exercise."),
    )
    signal_sources = ("OPTIONS",)
    Params = IronCondorParams

    def needs(self, params: IronCondorParams) -> Needs:
        return Needs(sessions=forecast_warm_up(_condor_horizon(params)))

    def lack(self, panel: Panel, features: IronCondorFeatures, t: int, params: IronCondorParams) -> str:
        underlying = first_priced(features.market, INDEX_UNDERLYINGS, t)
        if not underlying:
            return nearest_lack(features.market, INDEX_UNDERLYINGS, t)
        return "" if np.isfinite(features.forecasts[underlying][t]) else no_forecast(underlying, features.days[t], _condor_horizon(params))

    def prepare(self, panel: Panel, params: IronCondorParams) -> IronCondorFeatures:
        opens = days_before(params.days) if params.days else at_expiration
        return IronCondorFeatures(
            market=option_market(panel),
            days=tuple(panel.sessions.astype("datetime64[D]").tolist()),
            targets=entry_targets(panel.sessions, params.entry_window, opens),
            forecasts={name: forecast_of(panel, name, _condor_horizon(params)) for name in INDEX_UNDERLYINGS},
            paid={name: dividends_of(panel, name) for name in INDEX_UNDERLYINGS},
        )

    def _entry(self, features: IronCondorFeatures, t: int, params: IronCondorParams, expiry: date) -> Draft | None:
        underlying = first_priced(features.market, INDEX_UNDERLYINGS, t)
        if not underlying:
            return None
        chain = features.market.chain(underlying, t, expirations=[expiry])
        structure = condor_of(chain, expiry, params)
        sessions = session_distance(features.days[t], expiry)
        deviation = float(np.sqrt(features.forecasts[underlying][t] * sessions))
        if structure is None or not np.isfinite(deviation):
            return None
        expected = structure.expected_profit(terms_of(chain, expiry).forward, deviation, FEE)
        edge = expected / structure.max_loss
        if edge < params.least_edge:
            return None
        return opening(
            structure,
            KIND,
            rule="CONDOR",
            reason=f"A credit of {-structure.debit:.2f} against a loss of {structure.max_loss:.2f} at most until {expiry}.",
            score=edge,
            unit_loss=structure.max_loss,
            risk_share=params.max_risk,
            credit=rounded(-structure.debit),
            expected=rounded(expected),
            forecast=rounded(float(annual_volatility(features.forecasts[underlying][t]))),
        )

    def _exit(self, panel: Panel, features: IronCondorFeatures, t: int, params: IronCondorParams, trade: OpenTrade) -> Draft | None:
        day, spot = features.days[t], features.market.spot(trade.underlying, t)
        if trade.ends:
            if trade.european or not near_short_strike(trade, spot, params.pin):
                return None
            return closing(trade.holding, "PIN_RISK", "Expires next session with a short strike in or near the money.", spot=known(spot))
        if (trade.expiry - day).days <= params.exit_days:
            return closing(trade.holding, "TIME_EXIT", f"{params.exit_days} days or fewer to expiry.")
        if not trade.european and (dividend := self._exercise_threat(features, t, trade, spot)):
            reason = "A short call in the money has less time value than the dividend expected on the session after the next."
            return closing(trade.holding, "EX_DIVIDEND", reason, spot=known(spot), dividend=dividend)
        # What is closed within the window would be sold again at once.
        if params.take_profit > 0 and sessions_held(panel, trade.holding, t) >= params.entry_window - 1:
            return self._take_profit(features, t, params, trade)
        return None

    def _exercise_threat(self, features: IronCondorFeatures, t: int, trade: OpenTrade, spot: float) -> float:
        """The dividend for which the holder of a short call would exercise it on the eve of an ex-date, the session after the
        next; 0 where nobody would, or none is expected."""
        calls = [contract for contract in trade.sold("C") if contract.intrinsic(spot) > 0]
        if not calls:
            return 0.0
        day, tomorrow = features.days[t], next_session(features.days[t])
        dividend = dividend_due(features.paid.get(trade.underlying, ()), day, tomorrow, next_session(tomorrow))
        for contract in calls if dividend else ():
            quote = features.market.quote(contract.symbol, t, "CLOSE")
            if two_sided(quote) and quote.mid - contract.intrinsic(spot) < dividend:
                return dividend
        return 0.0

    def _take_profit(self, features: IronCondorFeatures, t: int, params: IronCondorParams, trade: OpenTrade) -> Draft | None:
        credit, quotes = -trade.cost(), trade.quotes(features.market, t)
        if quotes is None or not credit > 0:
            return None
        share = 1 + trade.proceeds(quotes) / credit
        if share < params.take_profit:
            return None
        return closing(trade.holding, "TAKE_PROFIT", f"{share:.0%} of the maximum profit is earned.", share=rounded(share))

    def known_answers(self) -> tuple[KnownAnswer, ...]:
        # Sold 90 put and 110 call, bought 85 put and 120 call; credits 1.50 and 1.20, debits 0.50 and 0.20.
        condor = _example()
        return (
            KnownAnswer(
                gettext_noop("Puts 85/90 and calls 110/120 for 1.50 + 1.20 − 0.50 − 0.20: a credit of 2.00"), 2.0, -condor.debit, 1e-9
            ),
            KnownAnswer(gettext_noop("It loses the wider wing less the credit at most: 8.00"), 8.0, condor.max_loss, 1e-9),
            KnownAnswer(
                gettext_noop("It breaks even at 88 and 112"), "88.00, 112.00", ", ".join(f"{spot:.2f}" for spot in condor.break_evens)
            ),
            KnownAnswer(gettext_noop("At 87 it has lost 1.00"), -1.0, float(condor.profit(87.0)), 1e-9),
        )


def _condor_horizon(params: IronCondorParams) -> int:
    return horizon_of(params.days or 30)


def condor_of(chain: Chain, expiry: date, params: IronCondorParams) -> Structure | None:
    """The condor of these deltas; None where the chain does not offer one that brings a credit and can lose."""
    wanted = (("P", params.long_delta), ("P", params.short_delta), ("C", params.short_delta), ("C", params.long_delta))
    quotes = [chain.nearest_delta(expiry, right, delta) for right, delta in wanted]
    if any(quote is None for quote in quotes):
        return None
    strikes = [quote.contract.strike for quote in quotes]
    if not strikes[0] < strikes[1] < strikes[2] < strikes[3]:
        return None
    sides = (Direction.LONG, Direction.SHORT, Direction.SHORT, Direction.LONG)
    condor = Structure(tuple(OptionLeg(quote, side) for quote, side in zip(quotes, sides, strict=True)))
    return condor if condor.tradable and condor.debit < 0 < condor.max_loss else None


def near_short_strike(trade: OpenTrade, spot: float, pin: float) -> bool:
    """Whether a short strike is in the money or within the share `pin` of the spot; also where the spot is not known."""
    puts, calls = ([float(contract.strike) for contract in trade.sold(right)] for right in "PC")
    return not (all(spot * (1 - pin) > strike for strike in puts) and all(spot * (1 + pin) < strike for strike in calls))


def _example() -> Structure:
    """The condor of the known answers, at bid = ask."""
    rows = (
        ("P", 85, 0.50, Direction.LONG),
        ("P", 90, 1.50, Direction.SHORT),
        ("C", 110, 1.20, Direction.SHORT),
        ("C", 120, 0.20, Direction.LONG),
    )
    legs = []
    for right, strike, price, side in rows:
        contract = OptionContract("SPY", date(2019, 4, 18), right, Decimal(strike))
        legs.append(OptionLeg(Quote(contract, price, price, price, *[np.nan] * 5, False, "example"), side))
    return Structure(tuple(legs))
