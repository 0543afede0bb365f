"""Risk checks before an order: small pure functions over a frozen context.

A check answers None when the proposal passes, else a `Violation` with a stable code, the limit and the value that
broke it. Closing proposals pass every check but the kill switch: what reduces risk is never held back by risk.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from functools import cached_property

from numba.extending import register_jitable

from quant_site.core.types import Direction
from quant_site.market.options.contracts import multiplier_of, parse_contract
from strategies.margin import margins, uncovered

THROTTLE_START = 0.05
SHORT_MARGIN = 0.5


@register_jitable
def drawdown_throttle(depth: float, limit: float) -> float:
    """1 down to a drawdown of 5 %, then falling linearly to 0 at the account's limit; the compiled backtest compiles it too."""
    if depth <= THROTTLE_START:
        return 1.0
    return max(0.0, (limit - depth) / (limit - THROTTLE_START)) if limit > THROTTLE_START else 0.0


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
    not filled yet, `strategy_exposures` by strategy id what counts against its share: gross market values, of options what
    they can lose. `prices` are raw closes and mids of options, `adv` mean shares of 20 sessions, `volatility` the daily σ of
    adjusted returns over 60 sessions. `drawdown` is ≤ 0. By underlying, `option_margins` are the dollars that open options
    lock, `reserved` what structures on their way can lose.
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
    option_margins: Mapping[str, float] = field(default_factory=dict)
    reserved: Mapping[str, float] = field(default_factory=dict)

    def net(self, symbol: str) -> float:
        """Signed notional of `symbol`, held and on its way."""
        return float(self.exposures.get(symbol, 0)) + float(self.pending.get(symbol, 0))

    def options_at_risk(self, underlying: str) -> float:
        """What the options on `underlying` can lose, held (their worth and what they lock) and on their way."""
        return self._option_risk.get(underlying, 0.0)

    @cached_property
    def _option_risk(self) -> dict[str, float]:
        risk: dict[str, float] = defaultdict(float)
        for amounts in (self.option_margins, self.reserved):
            for underlying, dollars in amounts.items():
                risk[underlying] += dollars
        for symbol, value in self.exposures.items():
            contract = parse_contract(symbol)
            if contract is not None:
                risk[contract.underlying] += float(value)
        return risk

    @property
    def gross(self) -> float:
        """Σ |notional| of shares, and what options can lose."""
        shares = (symbol for symbol in sorted({*self.exposures, *self.pending}) if is_share(symbol))
        return sum(abs(self.net(symbol)) for symbol in shares) + sum(self._option_risk.values())

    @property
    def free_cash(self) -> float:
        """Cash that can still be spent: proceeds of shorts and margins of options are locked, entries on their way reserved."""
        locked = sum(-float(value) for symbol, value in self.exposures.items() if value < 0 and is_share(symbol))
        pending = (float(value) for symbol, value in self.pending.items() if is_share(symbol))
        coming = sum(value if value > 0 else -SHORT_MARGIN * value for value in pending)
        options = sum(self.option_margins.values()) + sum(self.reserved.values())
        return float(self.cash) - (1 + SHORT_MARGIN) * locked - coming - options

    @property
    def throttle(self) -> float:
        """What a drawdown leaves of the size of new trades, 0 to 1."""
        return drawdown_throttle(-self.drawdown, self.limits.max_drawdown_pct)

    def with_entry(self, proposal: "Proposal") -> "RiskContext":
        """The context in which `proposal` is on its way too."""
        pending = dict(self.pending)
        for leg in proposal.legs:
            pending[leg.symbol] = pending.get(leg.symbol, Decimal(0)) + Decimal(str(leg.notional))
        strategies, reserved = dict(self.strategy_exposures), dict(self.reserved)
        strategies[proposal.strategy_id] = strategies.get(proposal.strategy_id, Decimal(0)) + Decimal(str(proposal.gross))
        for name in proposal.underlyings:
            reserved[name] = reserved.get(name, 0.0) + proposal.needed_for_options / len(proposal.underlyings)
        return replace(self, pending=pending, strategy_exposures=strategies, reserved=reserved)


def is_share(symbol: str) -> bool:
    """Whether `symbol` is held as it is priced: anything but an option."""
    return parse_contract(symbol) is None


@dataclass(frozen=True)
class ProposedLeg:
    """`quantity` and `notional` are signed: negative when sold short."""

    symbol: str
    quantity: float
    notional: float

    @property
    def name(self) -> str:
        """Whose single-name limit it counts against: its own symbol's, of an option its underlying's."""
        contract = parse_contract(self.symbol)
        return self.symbol if contract is None else contract.underlying


@dataclass(frozen=True)
class Proposal:
    """What a signal would do to the account. `share` is the part of the gross limit its strategy may use; `binding`
    names the cap that set the size.

    Options come in structures: `loss` is the most that one can lose, `locks` what its options take out of the free cash
    (net premium and margin), in dollars; `uncovered` are the options sold in it that none of its own cover.
    """

    strategy_id: int
    direction: Direction
    legs: tuple[ProposedLeg, ...]
    share: float = 1.0
    binding: str = ""
    loss: float = 0.0
    locks: float = 0.0
    uncovered: tuple[str, ...] = ()

    @property
    def shares(self) -> list[ProposedLeg]:
        """Its legs but options."""
        return [leg for leg in self.legs if is_share(leg.symbol)]

    @property
    def underlyings(self) -> list[str]:
        """What its options are on, sorted."""
        return sorted({leg.name for leg in self.legs if not is_share(leg.symbol)})

    @property
    def needed_for_options(self) -> float:
        """Cash that its options claim."""
        return max(self.loss, self.locks)

    @property
    def gross(self) -> float:
        return sum(abs(leg.notional) for leg in self.shares) + self.loss


def proposal_of(
    context: RiskContext,
    quantities: Mapping[str, float],
    *,
    strategy_id: int,
    direction: Direction,
    share: float = 1.0,
    binding: str = "",
    units: int = 0,
    unit_risk: float = 0.0,
) -> Proposal:
    """The proposal to trade `quantities` (signed shares or contracts by symbol) at the prices of `context`.

    Of a structure, `units` of which each can lose `unit_risk` dollars. One whose options cover each other cannot lose less
    than the closing mids say, whatever is claimed.
    """
    prices = context.prices
    legs = [ProposedLeg(symbol, count, _notional(symbol, count, prices)) for symbol, count in quantities.items()]
    options = {leg.symbol: leg.quantity for leg in legs if not is_share(leg.symbol)}
    loss, locks, bare = units * unit_risk, 0.0, uncovered(options)
    if options:
        locks = sum(leg.notional for leg in legs if leg.symbol in options) + sum(margins(options, prices).values())
        loss = loss if bare else max(loss, locks)
    return Proposal(strategy_id, direction, tuple(legs), share, binding, loss, locks, bare)


def _notional(symbol: str, count: float, prices: Mapping[str, float]) -> float:
    return count * prices.get(symbol, 0.0) * multiplier_of(symbol) if count else 0.0


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
    """An option is tradable where it can be priced, be its underlying for sale or an index."""
    for leg in proposal.shares:
        if leg.symbol not in context.tradable:
            return Violation("NOT_TRADABLE", f"{leg.symbol} is not a tradable instrument.", None, leg.symbol)
    return None


def stale_data(proposal: Proposal, context: RiskContext) -> Violation | None:
    for leg in proposal.legs:
        if is_share(leg.symbol):
            last = context.last_session.get(leg.symbol)
            if last != context.session:
                return Violation("STALE_DATA", f"{leg.symbol} has no bar of {context.session}.", str(context.session), str(last))
        elif leg.symbol not in context.prices:
            message = f"{leg.symbol} has no quote at the close of {context.session}."
            return Violation("STALE_DATA", message, str(context.session), leg.symbol)
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
    """Options may be sold where the same trade buys what covers them."""
    if context.limits.allow_short:
        return None
    for leg in proposal.legs:
        if leg.quantity < 0 and (is_share(leg.symbol) or leg.symbol in proposal.uncovered):
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


def name_values(proposal: Proposal, context: RiskContext) -> dict[str, float]:
    """What would be held of each name that `proposal` touches: the net value of its shares, and what options on it can lose."""
    notionals: dict[str, float] = defaultdict(float)
    for leg in proposal.legs:
        notionals[leg.name] += leg.notional if is_share(leg.symbol) else 0.0
    losses = dict.fromkeys(proposal.underlyings, proposal.loss)
    return {
        name: abs(context.net(name) + notional) + context.options_at_risk(name) + losses.get(name, 0.0)
        for name, notional in notionals.items()
    }


def single_name(proposal: Proposal, context: RiskContext) -> Violation | None:
    limit = context.limits.max_position_pct * float(context.equity)
    for name, value in name_values(proposal, context).items():
        if value > limit:
            return Violation("SINGLE_NAME", f"{name} would exceed the limit of one name.", round(limit, 2), round(value, 2))
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
    needed = sum(leg.notional if leg.notional > 0 else -SHORT_MARGIN * leg.notional for leg in proposal.shares)
    needed += proposal.needed_for_options
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
