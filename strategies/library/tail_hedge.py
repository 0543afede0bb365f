"""Tail hedge: a small budget spent each month on options that pay in a crash.

Sources: Cboe S&P 500 5% Put Protection Index (PPUT), a put 5 % out of the money, held to its monthly expiration and bought
anew; Cboe VIX Tail Hedge Index (VXTH), 30-delta calls on the VIX, on which 1 % of the portfolio is spent each month while
the VIX stands between 15 and 30, half of it up to 50 and nothing outside; and the desks' ladder of put spreads, bought at
25 delta and sold at 10.

Ours: PPUT is the default. At the same premium an outright put has no ceiling, which the spread has just where the hedge is
for; it is cheap enough that a budget of 1 % a year buys whole contracts; and it has a published index to be compared with.
The budget is spent in twelfths, on the whole contracts it buys at the ask, and what a month leaves over is not carried on.
So a calendar year never spends more than its budget. The expected result is a loss; `carry` in a draft's metadata is how
large a loss per unit the physical forecast expects, `stress` what the hedge gains where the index falls by 20 % and its
volatilities double at once.

Roll: decided at the close before the expiration session, filled at its open, where the old hedge is sold and the new one
bought: no night is without protection, and nothing is exercised into shares. An old hedge nobody bids for expires.
Monetised: a hedge worth `monetise_at` times its cost is sold, and the next roll buys anew; until then there is none.

Departures: PPUT protects the whole index position, here the budget says how much is protected, and the index's put is
held into settlement. VXTH reads the VIX future, here the VIX; with its own budget (12 % a year) it is as published. It
needs chains of VIX options and abstains without them.
"""

from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
from pydantic import model_validator

from quant_site.core.types import Direction
from quant_site.market.options.black_scholes import bsm_price
from quant_site.market.options.chain import Chain, Quote
from quant_site.market.options.contracts import OPTION_MULTIPLIER
from quant_site.market.options.inputs import VIX
from quant_site.market.options.quotes import OptionMarket, option_market
from quant_site.market.panel import Panel
from quant_site.market.sessions import session_array, session_distance
from strategies.base import Draft, KnownAnswer, Needs, StrategyParams, knob
from strategies.library.declarations import gettext_noop
from strategies.library.drafting import closing, rounded, sessions_held
from strategies.library.option_strategy import MonthlyOptionStrategy
from strategies.library.option_trades import (
    FEE,
    INDEX_UNDERLYINGS,
    OpenTrade,
    before_expiration,
    entry_targets,
    first_priced,
    forecast_of,
    known,
    nearest_lack,
    opening,
)
from strategies.library.realised import horizon_of
from strategies.library.structures import OptionLeg, Structure, Terms, terms_of

CATEGORY = "DEFENSIVE"
KIND = "TH"
MONTHS = 12
HORIZON = horizon_of(30)
# The crash a hedge is measured by: the spot falls by a fifth, volatilities double.
CRASH_SPOT, CRASH_VOLATILITY = -0.20, 1.00
# A VIX call is measured by the VIX doubling at unchanged volatility of its own.
CRASH_VIX = 1.00
# VXTH: up to which VIX which share of the budget is spent.
VIX_SHARES = ((15.0, 0.0), (30.0, 1.0), (50.0, 0.5), (np.inf, 0.0))


class TailHedgeParams(StrategyParams):
    form: Literal["PPUT", "LADDER", "VXTH"] = knob(
        "PPUT",
        description=gettext_noop("PPUT buys an index put out of the money, LADDER put spreads over several months, VXTH calls on the VIX."),
    )
    budget: float = knob(
        0.01,
        searched=False,
        ge=0.001,
        le=0.12,
        step=0.001,
        unit="share a year",
        description=gettext_noop("Premium a year, as a share of equity."),
    )
    out_of_money: float = knob(
        0.05, ge=0.01, le=0.3, step=0.01, unit="share", description=gettext_noop("PPUT: how far below the index the put is.")
    )
    long_delta: float = knob(
        0.25, ge=0.05, le=0.6, step=0.01, unit="delta", description=gettext_noop("LADDER: delta of the put that is bought.")
    )
    short_delta: float = knob(
        0.10, ge=0.01, le=0.5, step=0.01, unit="delta", description=gettext_noop("LADDER: delta of the put that is sold.")
    )
    rungs: int = knob(
        3, ge=1, le=6, step=1, unit="months", description=gettext_noop("LADDER: months to expiry, and spreads held at a time.")
    )
    call_delta: float = knob(0.30, ge=0.05, le=0.6, step=0.01, unit="delta", description=gettext_noop("VXTH: delta of the VIX call."))
    by_vix: bool = knob(
        False, description=gettext_noop("Spend the budget by the VIX as VXTH does: none up to 15 or above 50, half above 30.")
    )
    monetise_at: float = knob(
        5.0, ge=0, le=50, step=0.5, unit="times", description=gettext_noop("Sell a hedge worth this many times its cost; 0: never.")
    )
    entry_window: int = knob(
        3,
        searched=False,
        ge=1,
        le=10,
        step=1,
        unit="sessions",
        description=gettext_noop("Sessions from the roll in which it may still be bought."),
    )

    @model_validator(mode="after")
    def _ordered(self):
        if not self.short_delta < self.long_delta:
            raise ValueError("short_delta must be below long_delta")
        return self

    @property
    def underlyings(self) -> tuple[str, ...]:
        return (VIX,) if self.form == "VXTH" else INDEX_UNDERLYINGS

    @property
    def scaled(self) -> bool:
        return self.by_vix or self.form == "VXTH"


@dataclass(frozen=True)
class TailHedgeFeatures:
    """By session: `days`, the expiry to buy (`targets`, None between rolls) and the VIX; `forecasts` of variance by underlying."""

    market: OptionMarket
    days: tuple[date, ...]
    targets: tuple[date | None, ...]
    vix: np.ndarray
    forecasts: dict[str, np.ndarray]


def vix_share(vix: float) -> float:
    """The share of the budget that VXTH spends at this VIX; NaN where it is not known."""
    return next((share for level, share in VIX_SHARES if vix <= level), np.nan)


class TailHedge(MonthlyOptionStrategy):
    key = "tail_hedge"
    name = gettext_noop("Tail hedge")
    category = CATEGORY
    source = "Cboe S&P 500 5% Put Protection Index (PPUT) and VIX Tail Hedge Index (VXTH) methodologies"
    description = gettext_noop("Spends a small budget each month on options that pay in a crash.")
    requires = (
        gettext_noop("Options on SPY or XSP: a stored chain, or bars of SPY or SPX and of the VIX to make one from."),
        gettext_noop("The form VXTH: stored chains of VIX options."),
    )
    departures = (
        gettext_noop("A premium budget says how much is protected; PPUT protects the whole index position."),
        gettext_noop("Rolled at the open of the expiration session, not at its settlement, so that nothing is exercised into shares."),
        gettext_noop("Sold early once it is worth several times its cost; the indices hold to expiry."),
        gettext_noop("VXTH reads the VIX future, here the VIX itself."),
    )
    signal_sources = ("TECHNICAL", "OPTIONS")
    Params = TailHedgeParams

    def needs(self, params: TailHedgeParams) -> Needs:
        return Needs(sessions=1)

    def lack(self, panel: Panel, features: TailHedgeFeatures, t: int, params: TailHedgeParams) -> str:
        if params.scaled and np.isnan(features.vix[t]):
            return f"There is no bar of the VIX on {features.days[t]}: import it (manage.py import_bars PATH)."
        if first_priced(features.market, params.underlyings, t):
            return ""
        if params.form == "VXTH":
            return (
                f"The form VXTH needs options on the VIX on {features.days[t]}: import a chain of them (manage.py import_chain PATH), "
                "or choose the form PPUT or LADDER."
            )
        return nearest_lack(features.market, INDEX_UNDERLYINGS, t)

    def prepare(self, panel: Panel, params: TailHedgeParams) -> TailHedgeFeatures:
        ahead = params.rungs if params.form == "LADDER" else 1
        targets = entry_targets(panel.sessions, params.entry_window, before_expiration, ahead)
        held = panel.holding(VIX)
        vix = held[0].close[held[1]] if held else np.full(len(panel.sessions), np.nan)
        forecasts = {name: forecast_of(panel, name, HORIZON) for name in params.underlyings if name != VIX}
        return TailHedgeFeatures(option_market(panel), tuple(panel.sessions.astype("datetime64[D]").tolist()), targets, vix, forecasts)

    def _exit(self, panel: Panel, features: TailHedgeFeatures, t: int, params: TailHedgeParams, trade: OpenTrade) -> Draft | None:
        # What is sold within the window would be bought again at once, from the same month's budget.
        may_sell = params.monetise_at > 0 and sessions_held(panel, trade.holding, t) >= params.entry_window - 1
        if not trade.ends and not may_sell:
            return None
        quotes = trade.quotes(features.market, t)
        if trade.ends and (quotes is None or trade.proceeds(quotes) > 0):
            return closing(trade.holding, "ROLL", f"Expires on {trade.expiry}: rolled while it still trades.")
        cost = trade.cost()
        if quotes is None or trade.ends or not cost > 0:
            return None
        times = trade.proceeds(quotes) / cost
        if times < params.monetise_at:
            return None
        return closing(trade.holding, "MONETISE", f"Worth {times:.1f} times its cost.", times=rounded(times), cost=rounded(cost))

    def _entry(self, features: TailHedgeFeatures, t: int, params: TailHedgeParams, expiry: date) -> Draft | None:
        share = vix_share(float(features.vix[t])) if params.scaled else 1.0
        underlying = first_priced(features.market, params.underlyings, t)
        if not share > 0 or not underlying:
            return None
        chain = features.market.chain(underlying, t, expirations=[expiry])
        structure, terms = hedge_of(chain, expiry, params), terms_of(chain, expiry)
        if structure is None or not structure.max_loss > 0:
            return None
        moves = (CRASH_VIX, 0.0) if params.form == "VXTH" else (CRASH_SPOT, CRASH_VOLATILITY)
        gain = structure.worth(terms, *moves) - structure.debit
        if not np.isfinite(gain):
            return None
        return opening(
            structure,
            KIND,
            rule=params.form,
            reason=f"Protection until {expiry}: gains {gain / structure.debit:.1f} times its cost in a crash.",
            score=gain / structure.debit,
            unit_loss=structure.max_loss,
            risk_share=params.budget / MONTHS * share,
            stress=rounded(OPTION_MULTIPLIER * gain, 2),
            carry=self._carry(features, t, structure, terms),
            vix=known(float(features.vix[t])),
        )

    def _carry(self, features: TailHedgeFeatures, t: int, structure: Structure, terms: Terms) -> float | None:
        """Dollars that one unit held to expiry gains on average under the physical forecast; None without one."""
        contract = structure.legs[0].contract
        if contract.underlying not in features.forecasts:
            return None
        deviation = np.sqrt(features.forecasts[contract.underlying][t] * session_distance(features.days[t], contract.expiry))
        return known(OPTION_MULTIPLIER * structure.expected_profit(terms.forward, deviation, FEE), 2)

    def known_answers(self) -> tuple[KnownAnswer, ...]:
        # Hull's put: spot 42, strike 40, rate 10 %, volatility 20 %, half a year.
        put = float(bsm_price(42.0, 40.0, 0.5, 0.10, 0.0, 0.20, False))
        return (
            KnownAnswer(gettext_noop("Hull's put of strike 40 on a stock at 42 costs 0.81"), 0.81, put, 0.005),
            KnownAnswer(gettext_noop("VXTH spends nothing at a VIX of 15"), 0.0, vix_share(15.0)),
            KnownAnswer(gettext_noop("VXTH spends half of a month's budget at a VIX of 50"), 0.5, vix_share(50.0)),
            # Good Friday 2019 is the third Friday of April: options expire on the Thursday.
            KnownAnswer(
                gettext_noop("The hedge of April 2019 is rolled on the Wednesday before Good Friday"), "2019-04-17", _roll_of_april_2019()
            ),
        )


def _roll_of_april_2019() -> str:
    sessions = session_array(date(2019, 4, 1), date(2019, 4, 30))
    targets = entry_targets(sessions, 1, before_expiration)
    return str(sessions[next(t for t, target in enumerate(targets) if target)])


def hedge_of(chain: Chain, expiry: date, params: TailHedgeParams) -> Structure | None:
    """What `params.form` buys of `expiry`; None where the chain does not offer it at prices one can trade at."""
    if params.form == "PPUT":
        quotes = [(put_below(chain, expiry, chain.spot * (1 - params.out_of_money)), Direction.LONG)]
    elif params.form == "LADDER":
        bought, sold = (chain.nearest_delta(expiry, "P", delta) for delta in (params.long_delta, params.short_delta))
        quotes = [(bought, Direction.LONG), (sold, Direction.SHORT)]
        if bought is None or sold is None or not sold.contract.strike < bought.contract.strike:
            return None
    else:
        quotes = [(chain.nearest_delta(expiry, "C", params.call_delta), Direction.LONG)]
    if any(quote is None for quote, _ in quotes):
        return None
    structure = Structure(tuple(OptionLeg(quote, direction) for quote, direction in quotes))
    return structure if structure.tradable else None


def put_below(chain: Chain, expiry: date, level: float) -> Quote | None:
    """The put of the highest strike at or below `level`."""
    puts = chain.of(expiry, "P")
    rows = np.flatnonzero(puts.strike <= level)
    return puts.quote(int(rows[-1])) if len(rows) else None
