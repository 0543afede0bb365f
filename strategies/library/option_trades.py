"""What the option strategies share: the days on which they open, what an open trade would bring, and how structures become drafts.

A trade is known by its contracts: from their symbols follow its expiry and its legs, whatever was noted at its entry. One
whose contracts have expired is no longer decided on; the account settles it.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from quant_site.market.actions import corporate_actions
from quant_site.market.execution import CostModel
from quant_site.market.options.chain import Quote
from quant_site.market.options.contracts import OPTION_MULTIPLIER, OptionContract, parse_contract, price_sources
from quant_site.market.options.expirations import monthly_expiration
from quant_site.market.options.quotes import OptionMarket
from quant_site.market.panel import Panel
from quant_site.market.sessions import is_session, next_session, previous_session
from strategies.base import Draft, Holding
from strategies.library.drafting import rounded
from strategies.library.realised import MONTH, har_forecast
from strategies.library.structures import Structure, two_sided

# Where the S&P 500's options can be had: on the fund, else on the mini index.
INDEX_UNDERLYINGS = ("SPY", "XSP")
# What the forecast of realised variance is fitted on: four years of sessions, one at least.
FIT, LEAST_FIT = 1000, 250
# The commission of one contract in dollars of its underlying's price.
FEE = float(CostModel().commission_per_contract) / OPTION_MULTIPLIER
# Dividends of this time tell when the next ones are due.
YEAR = timedelta(days=380)


def entry_targets(sessions: np.ndarray, window: int, opens: Callable[[date, date], date], ahead: int = 1) -> tuple[date | None, ...]:
    """For each session the expiry to open a trade in; None where it is not the time.

    Each monthly expiration has one entry: in the options that expire `ahead` months later, on the session that
    `opens(expiration, target)` names and the `window` − 1 after it, on which what was refused or missed is tried again.
    """
    days = sessions.astype("datetime64[D]").tolist()
    targets: list[date | None] = [None] * len(days)
    first, last = (_months(days[0]), _months(days[-1])) if days else (0, -2)
    for month in range(first - ahead - 1, last + 2):
        expiration, target = (monthly_expiration((month + k) // 12, (month + k) % 12 + 1) for k in (0, ahead))
        opening_day = opens(expiration, target)
        start = bisect_left(days, opening_day)
        if start < len(days) and days[start] == opening_day:
            end = min(start + window, len(days))
            targets[start:end] = [target] * (end - start)
    return tuple(targets)


def at_expiration(expiration: date, _target: date) -> date:
    """At the close at which the options before expire."""
    return expiration


def before_expiration(expiration: date, _target: date) -> date:
    """At the close of the session before they expire, while what is held can still be sold."""
    return previous_session(expiration)


def days_before(days: int) -> Callable[[date, date], date]:
    """On the first session at most `days` calendar days before the target."""

    def day(_expiration: date, target: date) -> date:
        wanted = target - timedelta(days=days)
        return wanted if is_session(wanted) else next_session(wanted)

    return day


def _months(day: date) -> int:
    return day.year * 12 + day.month - 1


# --- trades that are open


@dataclass(frozen=True)
class OpenTrade:
    """An open trade of options: its contracts by symbol. `ends`: the next session is the last in which they trade."""

    holding: Holding
    contracts: dict[str, OptionContract]
    expiry: date
    ends: bool

    @property
    def european(self) -> bool:
        return all(contract.european for contract in self.contracts.values())

    @property
    def underlying(self) -> str:
        return next(iter(self.contracts.values())).underlying

    def sold(self, right: str) -> list[OptionContract]:
        return [contract for symbol, contract in self.contracts.items() if contract.right == right and self.holding.quantities[symbol] < 0]

    def cost(self) -> float:
        """What it cost to open, below zero for a credit; NaN where the entry prices are not known."""
        return sum(number * self.holding.entry_prices.get(symbol, math.nan) for symbol, number in self.holding.quantities.items())

    def quotes(self, market: OptionMarket, t: int) -> dict[str, Quote] | None:
        """The market of each leg at the close of t; None where one of them has none."""
        found = {symbol: market.quote(symbol, t, "CLOSE") for symbol in self.contracts}
        return found if all(map(two_sided, found.values())) else None

    def proceeds(self, quotes: dict[str, Quote]) -> float:
        """What closing it brings: what is long sold at the bid, what is short bought at the ask."""
        numbers = self.holding.quantities.items()
        return sum(number * (quotes[symbol].bid if number > 0 else quotes[symbol].ask) for symbol, number in numbers)

    def delta(self, quotes: dict[str, Quote]) -> float:
        """The delta of one unit, by the largest number of contracts that a leg has."""
        numbers = self.holding.quantities
        return sum(number * quotes[symbol].delta for symbol, number in numbers.items()) / max(map(abs, numbers.values()))


def open_trades(holdings: Iterable[Holding], session: date) -> list[OpenTrade]:
    """The trades whose contracts still trade after `session`."""
    following = next_session(session)
    found = []
    for holding in holdings:
        contracts = {symbol: contract for symbol in holding.quantities if (contract := parse_contract(symbol))}
        if contracts and (expiry := min(contract.expiry for contract in contracts.values())) >= following:
            found.append(OpenTrade(holding, contracts, expiry, next_session(following) > expiry))
    return found


# --- what a decision rests on


def first_priced(market: OptionMarket, underlyings: Iterable[str], t: int) -> str:
    """The first of `underlyings` with options at the close of t; "" where none has."""
    return next((underlying for underlying in underlyings if not market.lack(underlying, t)), "")


def nearest_lack(market: OptionMarket, underlyings: Sequence[str], t: int) -> str:
    """What the first of `underlyings` that has a market at all still lacks at the close of t; else what the first of them does."""
    within_reach = market.underlyings()
    return market.lack(next((name for name in underlyings if name in within_reach), underlyings[0]), t)


def forecast_of(panel: Panel, underlying: str, horizon: int) -> np.ndarray:
    """The variance a session expected over the next `horizon` of them, (T,); NaN where it cannot be told."""
    held = panel.holding(price_sources(underlying)[0])
    if held is None:
        return np.full(len(panel.sessions), np.nan)
    bars, row = held
    prices = (values[row] for values in (bars.adj_open, bars.adj_high, bars.adj_low, bars.adj_close))
    return har_forecast(*prices, horizon, fit=FIT, least=LEAST_FIT)


def forecast_warm_up(horizon: int) -> int:
    """Bars before the first forecast."""
    return MONTH + horizon + LEAST_FIT


def no_forecast(underlying: str, session: date, horizon: int) -> str:
    """Why there is no forecast of variance, and what mends it."""
    bars = forecast_warm_up(horizon)
    return f"Needs {bars} bars of {underlying} by {session} to forecast its variance: import earlier ones (manage.py import_bars PATH)."


def dividends_of(panel: Panel, underlying: str) -> tuple[tuple[date, float], ...]:
    """Ex-date and cash per share of each dividend that the adjusted prices of `underlying` show."""
    held = panel.holding(underlying)
    if held is None:
        return ()
    bars = held[0].select([underlying])
    paid = [(t, float(action.value)) for t, actions in corporate_actions(bars).items() for action in actions if action.kind == "DIVIDEND"]
    return tuple((bars.sessions[t].astype("datetime64[D]").item(), cash) for t, cash in paid)


def dividend_due(paid: tuple[tuple[date, float], ...], session: date, after: date, until: date) -> float:
    """The cash of the last dividend paid by `session`, where an ex-date is expected after `after` and up to `until`; else 0.

    A year after each known ex-date one is expected on the same weekday of the same week of its month: third Fridays return
    as third Fridays.
    """
    known = [(day, cash) for day, cash in paid if session - YEAR < day <= session]
    return known[-1][1] if any(after < _next_year(day) <= until for day, _ in known) else 0.0


def _next_year(day: date) -> date:
    """The same weekday of the same week of the month a year later: its second Tuesday for a second Tuesday."""
    first = day.replace(year=day.year + 1, day=1)
    return first + timedelta(days=(day.weekday() - first.weekday()) % 7 + (day.day - 1) // 7 * 7)


# --- drafts


def group_of(structure: Structure, kind: str) -> str:
    """The name of a trade: SPY/IC/190419."""
    contract = structure.legs[0].contract
    return f"{contract.underlying}/{kind}/{contract.expiry:%y%m%d}"


def opening(
    structure: Structure, kind: str, *, rule: str, reason: str, score: float, unit_loss: float, risk_share: float, **facts
) -> Draft:
    """The draft that opens `structure`. `unit_loss` is the most one unit can lose, in dollars of the underlying's price."""
    return Draft(
        group=group_of(structure, kind),
        direction=structure.direction,
        legs=structure.draft_legs(),
        score=rounded(score, 6),
        reason=reason,
        entry_price=rounded(abs(structure.debit), 6),
        unit_risk=rounded(OPTION_MULTIPLIER * unit_loss, 2),
        risk_share=risk_share,
        metadata={"rule": rule, **_facts(structure), **facts},
    )


def known(value: float | None, digits: int = 4) -> float | None:
    """A number for JSON; None where there is none."""
    return rounded(value, digits) if value is not None and math.isfinite(value) else None


def _facts(structure: Structure) -> dict:
    first = structure.legs[0].quote
    legs = structure.legs
    return {
        "underlying": first.contract.underlying,
        "expiry": first.contract.expiry.isoformat(),
        "strikes": [leg.strike for leg in legs],
        "rights": "".join(leg.contract.right for leg in legs),
        "deltas": [known(leg.quote.delta) for leg in legs],
        "ivs": [known(leg.quote.iv) for leg in legs],
        "debit": rounded(structure.debit),
        "crossing": rounded(structure.crossing),
        "break_evens": [rounded(spot) for spot in structure.break_evens],
        "max_loss": known(structure.max_loss),
        "max_profit": known(structure.max_profit),
        "greeks": {name: known(value, 6) for name, value in structure.greeks().items()},
        "synthetic": any(leg.quote.synthetic for leg in legs),
        "source": first.source,
    }
