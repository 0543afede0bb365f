"""The assessment of each open trade at the close of a session: where it stands, its surroundings, and what to do about it.

A trade is all legs of one group of one strategy, as everywhere. What is not known is None, and `undefined` says why.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import groupby
from math import isfinite

from quant_site.core.models import Account
from quant_site.core.types import money, optional, price, ratio, score
from quant_site.market.options.contracts import EUROPEAN_ROOTS, multiplier_of, parse_contract, price_sources
from quant_site.market.panel import Panel
from quant_site.market.sessions import session_distance
from trading.books.accounting import ZERO
from trading.books.equity import account_state, benchmark_symbol
from trading.exposure.assessment_rules import Reason, SoldOption, TradeFacts, Verdict, judge
from trading.exposure.measures import Measures, no_beta
from trading.exposure.surroundings import LONG_SESSIONS, Surroundings, surroundings_of
from trading.models import Position
from trading.selectors import positions_open

SEVERAL_LEGS = "A trade of several legs or of options has none of its own."


@dataclass(frozen=True)
class LegState:
    """One position of a trade, valued at the close."""

    position: int
    symbol: str
    quantity: Decimal
    entry_price: Decimal
    price: Decimal | None
    market_value: Decimal | None
    pnl: Decimal | None


@dataclass(frozen=True)
class KnownEvent:
    """What is coming for a symbol; without a `date` it is not known when, and `note` says why."""

    kind: str
    symbol: str
    date: date | None
    days: int | None
    note: str = ""


@dataclass(frozen=True)
class Assessment:
    """One open trade. Money in dollars, distances positive where there is room left; `weight` is Σ|market value| over equity,
    `beta_dollars` its dollars of beta to `benchmark`."""

    strategy: str | None
    group: str
    direction: str
    legs: tuple[LegState, ...]
    entry_session: date
    sessions_held: int
    pnl: Decimal | None
    r_multiple: Decimal | None
    price: Decimal | None
    stop: Decimal | None
    target: Decimal | None
    stop_distance_pct: Decimal | None
    stop_distance_atr: Decimal | None
    target_distance_pct: Decimal | None
    target_distance_atr: Decimal | None
    surroundings: Surroundings
    benchmark: str
    beta: float | None
    beta_dollars: Decimal | None
    weight: Decimal | None
    events: tuple[KnownEvent, ...]
    verdict: Verdict
    reasons: tuple[Reason, ...]
    undefined: dict[str, str]


def positions_assess(*, account: Account, panel: Panel, session: date) -> list[Assessment]:
    """Every open trade of `account` at the close of `session`, by strategy and group. Raises `DataMissing` for a session that
    `panel` does not reach."""
    measures = Measures(panel, panel.index(session))
    equity = account_state(account=account, session=session).equity
    benchmark = benchmark_symbol(account, panel)
    positions = sorted(positions_open(account=account).filter(entry_session__lte=session), key=_order)
    return [_Trade(account, list(legs), measures, equity, benchmark).assess() for _, legs in groupby(positions, key=_trade)]


def _trade(position: Position) -> tuple[str, str]:
    return (position.strategy.key if position.strategy else "", position.group)


def _order(position: Position) -> tuple:
    return (*_trade(position), position.symbol, position.entry_session, position.pk)


class _Trade:
    """One trade on its way to its assessment. `undefined` collects why what is missing is missing."""

    def __init__(self, account: Account, legs: list[Position], measures: Measures, equity: Decimal, benchmark: str):
        self.account, self.legs, self.measures, self.equity, self.benchmark = account, legs, measures, equity, benchmark
        self.first = next((leg for leg in legs if leg.symbol == leg.group.split("/")[0]), legs[0])
        self.single = len(legs) == 1 and parse_contract(self.first.symbol) is None
        self.undefined: dict[str, str] = {}
        self.states = tuple(self._state(leg) for leg in legs)
        self.surroundings = self._surroundings()

    def assess(self) -> Assessment:
        pnl, stop, target = self._sum("pnl"), self._level("stop"), self._level("target")
        r, weight = self._r(pnl), self._weight()
        beta, beta_dollars = self._beta()
        distances = {
            f"{name}_distance_{unit}": self._distance(name, level, unit)
            for name, level in (("stop", stop), ("target", target))
            for unit in ("pct", "atr")
        }
        verdict, reasons = judge(self._facts(pnl, r, weight, stop, target))
        return Assessment(
            strategy=self.first.strategy.key if self.first.strategy else None,
            group=self.first.group,
            direction=self._direction(),
            legs=self.states,
            entry_session=min(leg.entry_session for leg in self.legs),
            sessions_held=session_distance(min(leg.entry_session for leg in self.legs), self.measures.session),
            pnl=pnl,
            r_multiple=r,
            price=self.states[0].price if self.single else self._missing("price", SEVERAL_LEGS),
            stop=stop,
            target=target,
            **distances,
            surroundings=self.surroundings,
            benchmark=self.benchmark,
            beta=beta,
            beta_dollars=beta_dollars,
            weight=weight,
            events=tuple(self._events()),
            verdict=verdict,
            reasons=reasons,
            undefined=dict(sorted(self.undefined.items())),
        )

    def _missing(self, name: str, why: str) -> None:
        self.undefined.setdefault(name, why)

    # --- what it is worth

    def _state(self, leg: Position) -> LegState:
        found = self.measures.price(leg.symbol)
        value = None if found.value is None else money(leg.quantity * Decimal(str(found.value)) * multiplier_of(leg.symbol))
        pnl = None if value is None else value - leg.cost + leg.realized_pnl + leg.dividends
        if value is None:
            self._missing("pnl", found.reason)
            self._missing("weight", found.reason)
        return LegState(leg.pk, leg.symbol, leg.quantity, leg.entry_price, optional(price, found.value), value, pnl)

    def _sum(self, name: str, absolute: bool = False) -> Decimal | None:
        values = [getattr(state, name) for state in self.states]
        return None if None in values else sum((abs(value) if absolute else value for value in values), ZERO)

    def _r(self, pnl: Decimal | None) -> Decimal | None:
        risks = [leg.initial_risk for leg in self.legs]
        if not self.single or not risks[0]:
            return self._missing("r_multiple", "It was opened without a stop, so no risk was set to measure by.")
        return self._missing("r_multiple", self.undefined["pnl"]) if pnl is None else score(pnl / risks[0])

    def _weight(self) -> Decimal | None:
        gross = self._sum("market_value", absolute=True)
        if gross is None:
            return None
        if self.equity <= 0:
            return self._missing("weight", "The account has no equity.")
        return ratio(gross / self.equity)

    # --- its levels

    def _level(self, name: str) -> Decimal | None:
        level = getattr(self.first, f"{name}_price") if self.single else None
        return level if level is not None else self._missing(name, f"It has no {name}." if self.single else SEVERAL_LEGS)

    def _distance(self, name: str, level: Decimal | None, unit: str) -> Decimal | None:
        field = f"{name}_distance_{unit}"
        if level is None:
            return self._missing(field, self.undefined[name])
        now, atr = self.states[0].price, self.surroundings.atr_14
        if now is None:
            return self._missing(field, self.undefined["pnl"])
        if unit == "atr" and not atr:
            return self._missing(field, "There are too few bars for an average true range, or nothing moved.")
        room = float((now - level) * self._sign * (1 if name == "stop" else -1))
        return ratio(room / float(now)) if unit == "pct" else score(room / atr)

    @property
    def _sign(self) -> int:
        return 1 if self.first.quantity > 0 else -1

    def _direction(self) -> str:
        structure = not self.single and self.first.signal is not None
        return self.first.signal.direction if structure else self.first.direction

    # --- what surrounds it

    def _surroundings(self) -> Surroundings:
        contract = parse_contract(self.first.symbol)
        symbol = price_sources(contract.underlying if contract else self.first.symbol)[0]
        held = self.measures.panel.holding(symbol)
        if held is None:
            self._missing("surroundings", f"No bars of {symbol} are stored.")
            return Surroundings(symbol)
        found = surroundings_of(symbol, *held, self.measures.t)
        if found.trend_20 is None or found.volatility_60 is None:
            self._missing("surroundings", f"{symbol} has no bar that day, or too few within {LONG_SESSIONS} sessions, for all of them.")
        return found

    def _beta(self) -> tuple[float | None, Decimal | None]:
        """Of one share or underlying its beta; of the whole trade its dollars."""
        if not self.benchmark:
            why = "There is no benchmark: name one in the account, or import SPY."
            return self._missing("beta", why), self._missing("beta_dollars", why)
        metric, names = self.measures.beta(self.first.symbol, self.benchmark), {self._underlying(leg.symbol) for leg in self.legs}
        beta = metric.value if len(names) == 1 else self._missing("beta", "The trade has legs on several names: see its dollars.")
        if metric.value is None:
            self._missing("beta", no_beta(self.first.symbol, self.benchmark, metric))
        parts = [self.measures.beta_dollars(leg.symbol, float(leg.quantity), self.benchmark) for leg in self.legs]
        unknown = next((part.reason for part in parts if part.value is None), None)
        dollars = self._missing("beta_dollars", unknown) if unknown else money(sum(part.value for part in parts))
        return beta, dollars

    @staticmethod
    def _underlying(symbol: str) -> str:
        contract = parse_contract(symbol)
        return symbol if contract is None else contract.underlying

    def _events(self) -> list[KnownEvent]:
        events = []
        for leg in self.legs:
            contract = parse_contract(leg.symbol)
            if contract is not None:
                events.append(KnownEvent("EXPIRY", leg.symbol, contract.expiry, (contract.expiry - self.measures.session).days))
        for name in sorted({self._underlying(leg.symbol) for leg in self.legs} - EUROPEAN_ROOTS):
            note = f"No source of announced dividends is connected: the next ex-date of {name} is not known."
            events.append(KnownEvent("EX_DIVIDEND", name, None, None, note))
        return events

    # --- what the rules see

    def _facts(self, pnl, r, weight, stop, target) -> TradeFacts:
        around, sign = self.surroundings, self._sign if self.single else 0
        volatilities = around.volatility_20, around.volatility_60
        return TradeFacts(
            sign=sign,
            price=optional(float, self.states[0].price) if self.single else None,
            entry=float(self.first.entry_price),
            stop=optional(float, stop),
            target=optional(float, target),
            pnl=optional(float, pnl),
            r=optional(float, r),
            weight=optional(float, weight),
            weight_limit=float(self.account.max_position_pct),
            trend=None if around.trend_in_deviations is None or not sign else sign * around.trend_in_deviations,
            volatility_ratio=volatilities[0] / volatilities[1] if all(volatilities) else None,
            whole=all(abs(leg.quantity) == leg.peak_quantity for leg in self.legs),
            sold=tuple(self._sold()),
        )

    def _sold(self) -> list[SoldOption]:
        sold = []
        for leg in self.legs:
            contract = parse_contract(leg.symbol)
            if contract is None or leg.quantity > 0:
                continue
            spot = self.measures.options.spot(contract.underlying, self.measures.t)
            if isfinite(spot):
                days, right = (contract.expiry - self.measures.session).days, 1 if contract.right == "C" else -1
                sold.append(SoldOption(leg.symbol, days, float(contract.strike), spot, right))
        return sold
