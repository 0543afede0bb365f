"""`RiskContext`: the account and the market as the checks see them, frozen; and what a trade would do in it."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from functools import cached_property

from quant_site.core.types import Direction
from quant_site.market.options.contracts import multiplier_of, parse_contract
from strategies.margin import margins, uncovered
from strategies.risk.holdings import Holdings
from strategies.risk.limits import RiskLimits
from strategies.risk.market import RiskMarket
from strategies.risk.proposal import Proposal, ProposedLeg, is_share
from strategies.risk.throttle import SHORT_MARGIN, drawdown_throttle


@dataclass(frozen=True)
class RiskContext:
    """The account and the market at the close of `session`, as the checks see them.

    `exposures` are signed market values of open positions by symbol, `pending` signed notionals of entries that are
    not filled yet, `strategy_exposures` by strategy id what counts against its share: gross market values, of options what
    they can lose. `prices` are raw closes and mids of options, `adv` mean shares of 20 sessions, `volatility` the daily σ of
    adjusted returns over 60 sessions. `drawdown` is ≤ 0; `shut` says that it reached the limit and has not recovered to the
    level of release yet. By underlying, `option_margins` are the dollars that open options lock, `reserved` what structures on
    their way can lose. `contracts` and `contracts_pending` are signed numbers of options by symbol, held and on their way.
    `unsettled` is the part of the cash that sales since `session` brought and that has not arrived yet.

    `market` answers what only some limits ask for (sectors, correlations, Greeks, histories), when it is asked.
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
    contracts: Mapping[str, float] = field(default_factory=dict)
    contracts_pending: Mapping[str, float] = field(default_factory=dict)
    unsettled: Decimal = Decimal(0)
    shut: bool = False
    market: RiskMarket = field(default_factory=RiskMarket, compare=False, repr=False)

    def net(self, symbol: str) -> float:
        """Signed notional of `symbol`, held and on its way."""
        return float(self.exposures.get(symbol, 0)) + float(self.pending.get(symbol, 0))

    def options_at_risk(self, underlying: str) -> float:
        """What the options on `underlying` can lose, held (their worth and what they lock) and on their way."""
        return self.option_risk.get(underlying, 0.0)

    @cached_property
    def option_risk(self) -> dict[str, float]:
        """`options_at_risk` by underlying."""
        risk: dict[str, float] = defaultdict(float)
        for amounts in (self.option_margins, self.reserved):
            for underlying, dollars in amounts.items():
                risk[underlying] += dollars
        for symbol, value in self.exposures.items():
            contract = parse_contract(symbol)
            if contract is not None:
                risk[contract.underlying] += float(value)
        return risk

    @cached_property
    def share_values(self) -> dict[str, float]:
        """Signed notional of each share, held and on its way, by symbol in order."""
        return {symbol: self.net(symbol) for symbol in sorted({*self.exposures, *self.pending}) if is_share(symbol)}

    @cached_property
    def option_counts(self) -> dict[str, float]:
        """Signed contracts of each option, held and on their way, by symbol in order."""
        symbols = sorted({*self.contracts, *self.contracts_pending})
        return {symbol: float(self.contracts.get(symbol, 0)) + float(self.contracts_pending.get(symbol, 0)) for symbol in symbols}

    @cached_property
    def holdings(self) -> Holdings:
        """All that is held and on its way, for what Greeks and scenarios say of it."""
        return Holdings(self.share_values, self.option_counts, self.option_risk, self.market)

    @property
    def gross(self) -> float:
        """Σ |notional| of shares, and what options can lose."""
        return sum(map(abs, self.share_values.values())) + sum(self.option_risk.values())

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
        return 0.0 if self.shut else drawdown_throttle(-self.drawdown, self.limits.max_drawdown_pct)

    def after(self, proposal: Proposal) -> Holdings:
        """What would be held and on its way with `proposal`; several checks ask for it."""
        if proposal not in self._afterwards:
            self._afterwards[proposal] = self.with_entry(proposal).holdings
        return self._afterwards[proposal]

    @cached_property
    def _afterwards(self) -> dict[Proposal, Holdings]:
        return {}

    def with_entry(self, proposal: Proposal) -> "RiskContext":
        """The context in which `proposal` is on its way too."""
        pending, contracts = dict(self.pending), dict(self.contracts_pending)
        for leg in proposal.legs:
            pending[leg.symbol] = pending.get(leg.symbol, Decimal(0)) + Decimal(str(leg.notional))
        for leg in proposal.options:
            contracts[leg.symbol] = float(contracts.get(leg.symbol, 0)) + leg.quantity
        strategies, reserved = dict(self.strategy_exposures), dict(self.reserved)
        if proposal.strategy_id is not None:
            strategies[proposal.strategy_id] = strategies.get(proposal.strategy_id, Decimal(0)) + Decimal(str(proposal.gross))
        for name in proposal.underlyings:
            reserved[name] = reserved.get(name, 0.0) + proposal.needed_for_options / len(proposal.underlyings)
        return replace(self, pending=pending, strategy_exposures=strategies, reserved=reserved, contracts_pending=contracts)


def proposal_of(
    context: RiskContext,
    quantities: Mapping[str, float],
    *,
    strategy_id: int | None,
    direction: Direction,
    share: float = 1.0,
    binding: str = "",
    units: int = 0,
    unit_risk: float = 0.0,
) -> Proposal:
    """The proposal to trade `quantities` (signed shares or contracts by symbol) at the prices of `context`.

    Of a structure, `units` of which each can lose `unit_risk` dollars. One whose options cover each other cannot lose less
    than the closing mids say, whatever is claimed; of uncovered ones of which nothing is claimed, what they lock counts.
    """
    prices = context.prices
    legs = [ProposedLeg(symbol, count, _notional(symbol, count, prices)) for symbol, count in quantities.items()]
    options = {leg.symbol: leg.quantity for leg in legs if not is_share(leg.symbol)}
    loss, locks, bare = units * unit_risk, 0.0, uncovered(options)
    if options:
        locks = sum(leg.notional for leg in legs if leg.symbol in options) + sum(margins(options, prices).values())
        loss = loss if bare and loss else max(loss, locks)
    return Proposal(strategy_id, direction, tuple(legs), share, binding, loss, locks, bare)


def _notional(symbol: str, count: float, prices: Mapping[str, float]) -> float:
    return count * prices.get(symbol, 0.0) * multiplier_of(symbol) if count else 0.0
