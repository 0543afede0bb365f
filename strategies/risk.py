"""Risk checks before an order: small pure functions over a frozen context.

A check answers None when the proposal passes, else a `Violation` with a stable code, the limit and the value that
broke it. Closing proposals pass every check but the kill switch: what reduces risk is never held back by risk.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

from quant_site.core.types import Direction

THROTTLE_START = 0.05
SHORT_MARGIN = 0.5


@dataclass(frozen=True)
class RiskLimits:
    """Shares of equity, but `max_day_trades` (a count in five sessions) and `allow_short`."""

    max_position_pct: float
    max_gross_exposure: float
    max_drawdown_pct: float
    risk_per_trade_pct: float
    max_adv_pct: float
    max_day_trades: int
    allow_short: bool


@dataclass(frozen=True)
class RiskContext:
    """The account and the market at the close of `session`, as the checks see them.

    `exposures` are signed market values of open positions by symbol, `pending` signed notionals of entries that are
    not filled yet, `strategy_exposures` gross market values by strategy id. `prices` are raw closes, `adv` mean shares
    of 20 sessions, `volatility` the daily σ of adjusted returns over 60 sessions. `drawdown` is ≤ 0.
    """

    account_id: str
    session: date
    equity: Decimal
    cash: Decimal
    drawdown: float
    limits: RiskLimits
    exposures: Mapping[str, Decimal]
    pending: Mapping[str, Decimal]
    day_trades: int
    prices: Mapping[str, float]
    adv: Mapping[str, float]
    volatility: Mapping[str, float]
    last_session: Mapping[str, date]
    tradable: frozenset[str]
    trading_state: str = "ACTIVE"
    strategy_exposures: Mapping[int, Decimal] = field(default_factory=dict)

    def net(self, symbol: str) -> float:
        """Signed notional of `symbol`, held and on its way."""
        return float(self.exposures.get(symbol, 0)) + float(self.pending.get(symbol, 0))

    @property
    def gross(self) -> float:
        return sum(abs(self.net(symbol)) for symbol in {*self.exposures, *self.pending})

    @property
    def free_cash(self) -> float:
        """Cash that can still be spent: proceeds of shorts are locked, entries on their way are reserved."""
        locked = sum(-float(value) for value in self.exposures.values() if value < 0)
        reserved = sum(float(value) if value > 0 else -SHORT_MARGIN * float(value) for value in self.pending.values())
        return float(self.cash) - (1 + SHORT_MARGIN) * locked - reserved

    @property
    def throttle(self) -> float:
        """1 down to a drawdown of 5 %, then falling linearly to 0 at the account's limit."""
        depth, limit = -self.drawdown, self.limits.max_drawdown_pct
        if depth <= THROTTLE_START:
            return 1.0
        return max(0.0, (limit - depth) / (limit - THROTTLE_START)) if limit > THROTTLE_START else 0.0

    def with_entry(self, proposal: "Proposal") -> "RiskContext":
        """The context in which `proposal` is on its way too."""
        pending = dict(self.pending)
        for leg in proposal.legs:
            pending[leg.symbol] = pending.get(leg.symbol, Decimal(0)) + Decimal(str(leg.notional))
        strategies = dict(self.strategy_exposures)
        strategies[proposal.strategy_id] = strategies.get(proposal.strategy_id, Decimal(0)) + Decimal(str(proposal.gross))
        return replace(self, pending=pending, strategy_exposures=strategies)


@dataclass(frozen=True)
class ProposedLeg:
    """`quantity` and `notional` are signed: negative when sold short."""

    symbol: str
    quantity: float
    notional: float


@dataclass(frozen=True)
class Proposal:
    """What a signal would do to the account. `share` is the part of the gross limit its strategy may use; `binding`
    names the cap that set the size."""

    strategy_id: int
    direction: Direction
    legs: tuple[ProposedLeg, ...]
    share: float = 1.0
    binding: str = ""

    @property
    def gross(self) -> float:
        return sum(abs(leg.notional) for leg in self.legs)


@dataclass(frozen=True)
class Violation:
    code: str
    message: str
    limit: float | str | None = None
    value: float | str | None = None

    def as_json(self) -> dict:
        return {"code": self.code, "message": self.message, "limit": self.limit, "value": self.value}


Check = Callable[[Proposal, RiskContext], Violation | None]


def halted(proposal: Proposal, context: RiskContext) -> Violation | None:
    if context.trading_state == "HALTED" or (context.trading_state == "REDUCING" and proposal.direction is not Direction.CLOSE):
        return Violation("TRADING_STATE", f"The account is {context.trading_state}.", "ACTIVE", context.trading_state)
    return None


def not_tradable(proposal: Proposal, context: RiskContext) -> Violation | None:
    for leg in proposal.legs:
        if leg.symbol not in context.tradable:
            return Violation("NOT_TRADABLE", f"{leg.symbol} is not a tradable instrument.", None, leg.symbol)
    return None


def stale_data(proposal: Proposal, context: RiskContext) -> Violation | None:
    for leg in proposal.legs:
        last = context.last_session.get(leg.symbol)
        if last != context.session:
            return Violation("STALE_DATA", f"{leg.symbol} has no bar of {context.session}.", str(context.session), str(last))
    return None


def too_small(proposal: Proposal, context: RiskContext) -> Violation | None:
    for leg in proposal.legs:
        if abs(leg.quantity) < 1:
            code = proposal.binding or "SIZE_TOO_SMALL"
            return Violation(code, f"What this limit leaves is too small a trade in {leg.symbol}.", 1, abs(leg.quantity))
    return None


def drawdown(proposal: Proposal, context: RiskContext) -> Violation | None:
    limit = context.limits.max_drawdown_pct
    if -context.drawdown >= limit:
        return Violation("DRAWDOWN_LIMIT", "The account is at its drawdown limit: only closing orders pass.", limit, -context.drawdown)
    return None


def day_trades(proposal: Proposal, context: RiskContext) -> Violation | None:
    limit = context.limits.max_day_trades
    if context.day_trades >= limit:
        return Violation("DAY_TRADES", "Too many day trades in the last five sessions.", limit, context.day_trades)
    return None


def short_selling(proposal: Proposal, context: RiskContext) -> Violation | None:
    for leg in proposal.legs:
        if leg.quantity < 0 and not context.limits.allow_short:
            return Violation("SHORT_NOT_ALLOWED", f"This account may not sell {leg.symbol} short.", 0, leg.quantity)
    return None


def opposite_position(proposal: Proposal, context: RiskContext) -> Violation | None:
    """A broker nets a symbol: an entry against what another strategy holds would close that instead."""
    for leg in proposal.legs:
        held = context.net(leg.symbol)
        if held * leg.notional < 0:
            return Violation(
                "OPPOSITE_POSITION", f"{leg.symbol} is already held the other way round.", round(held, 2), round(leg.notional, 2)
            )
    return None


def single_name(proposal: Proposal, context: RiskContext) -> Violation | None:
    limit = context.limits.max_position_pct * float(context.equity)
    for leg in proposal.legs:
        value = abs(context.net(leg.symbol) + leg.notional)
        if value > limit:
            return Violation("SINGLE_NAME", f"{leg.symbol} would exceed the limit of one name.", round(limit, 2), round(value, 2))
    return None


def strategy_share(proposal: Proposal, context: RiskContext) -> Violation | None:
    limit = context.limits.max_gross_exposure * float(context.equity) * proposal.share
    value = float(context.strategy_exposures.get(proposal.strategy_id, 0)) + proposal.gross
    if value > limit:
        return Violation("STRATEGY_SHARE", "The strategy would exceed its share of the account.", round(limit, 2), round(value, 2))
    return None


def gross_exposure(proposal: Proposal, context: RiskContext) -> Violation | None:
    limit = context.limits.max_gross_exposure * float(context.equity)
    value = context.gross + proposal.gross
    if value > limit:
        return Violation("GROSS_EXPOSURE", "Gross exposure would exceed its limit.", round(limit, 2), round(value, 2))
    return None


def cash(proposal: Proposal, context: RiskContext) -> Violation | None:
    needed = sum(leg.notional if leg.notional > 0 else -SHORT_MARGIN * leg.notional for leg in proposal.legs)
    if needed > context.free_cash:
        return Violation("CASH", "There is not enough free cash.", round(context.free_cash, 2), round(needed, 2))
    return None


ENTRY_CHECKS: tuple[Check, ...] = (
    halted,
    not_tradable,
    stale_data,
    drawdown,
    too_small,
    day_trades,
    short_selling,
    opposite_position,
    single_name,
    strategy_share,
    gross_exposure,
    cash,
)
CLOSE_CHECKS: tuple[Check, ...] = (halted,)


def assess(proposal: Proposal, context: RiskContext) -> list[Violation]:
    """Every violation of `proposal` in `context`, in the order of the checks; empty when it may go ahead."""
    checks = CLOSE_CHECKS if proposal.direction is Direction.CLOSE else ENTRY_CHECKS
    return [violation for check in checks if (violation := check(proposal, context)) is not None]
