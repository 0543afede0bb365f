"""From drafts to checked entries: sized in the order of their scores, then checked in the order of execution.

Both passes are those of the signal stage and the risk stage: each begins with the account as it is at the close, and
each draft sees what the ones before it took.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from quant_site.core.types import Direction, money, optional, ratio
from quant_site.market.options.closing import ClosingPrices
from quant_site.market.options.contracts import parse_contract
from quant_site.market.panel import Panel
from strategies.backtest.amounts import as_money, price_in_micros
from strategies.backtest.book import Book
from strategies.backtest.orders import Signal
from strategies.base import Draft
from strategies.margin import margins
from strategies.panel_facts import panel_facts
from strategies.risk import PanelMarket, Proposal, RiskContext, RiskLimits, assess, drawdown_shut, proposal_of
from strategies.sizing import size_entry, strategy_capital

# A backtest has one strategy; its number matters to nobody.
STRATEGY = 0
DAY_TRADE_SESSIONS = 5
# What the signal stage keeps in a signal's metadata for itself, and a strategy does not see in its holding.
HOUSE_METADATA = frozenset({"add", "binding", "loss_at_stop", "portion", "sizing", "strength"})


@dataclass(frozen=True)
class Entry:
    """A sized draft: signed whole quantities by symbol, and the cap that bound."""

    draft: Draft
    quantities: dict[str, int]
    binding: str

    def proposal(self, context: RiskContext, share: float) -> Proposal:
        draft = self.draft
        return proposal_of(
            context,
            self.quantities,
            strategy_id=STRATEGY,
            direction=draft.direction,
            share=share,
            binding=self.binding,
            units=self._units() if draft.structure else 0,
            unit_risk=draft.unit_risk or 0.0,
        )

    def _units(self) -> int:
        return min((abs(self.quantities[leg.symbol]) // leg.units for leg in self.draft.legs if leg.units), default=0)

    def signal(self, t: int) -> Signal:
        """What is sent at the close of column t; options that are sold come last, so that they are covered."""
        draft = self.draft
        legs = sorted(draft.legs, key=lambda leg: leg.direction is Direction.SHORT and parse_contract(leg.symbol) is not None)
        return Signal(
            group=draft.group,
            direction=draft.direction,
            decided=t,
            quantities={leg.symbol: self.quantities[leg.symbol] for leg in legs},
            stop=optional(price_in_micros, draft.stop_loss),
            target=optional(price_in_micros, draft.take_profit),
            metadata={name: value for name, value in draft.metadata.items() if name not in HOUSE_METADATA},
        )


class Desk:
    """Sizes and checks the entries of one account over one panel. `share` is the part of the account it may use."""

    def __init__(self, panel: Panel, limits: RiskLimits, share: float):
        self.limits, self.share = limits, share
        self.panel, self.facts = panel, panel_facts(panel)
        self.rows = {symbol: row for row, symbol in enumerate(panel.symbols)}
        self.tradable = frozenset(panel.symbols)
        self.shut = False

    def closed(self, book: Book) -> None:
        """Follow the account's drawdown to its close: whether it has reached the limit and not recovered yet."""
        limits = self.limits
        if limits.drawdown_release_pct is not None:
            self.shut = drawdown_shut(self.shut, -book.drawdown, limits.max_drawdown_pct, limits.drawdown_release_pct)

    def checked(self, t: int, drafts: Sequence[Draft], book: Book, cash: int) -> tuple[list[Entry], list[tuple[str, str]]]:
        """The entries that pass, in the order of execution, and for each that does not its group and the code of what it broke."""
        base = context = self._context(t, drafts, book, cash)
        # A signal carries the share with the decimals of its row; none of it means all of it.
        share = float(ratio(self.share)) or 1.0
        entries = []
        for draft in sorted(drafts, key=lambda draft: (-draft.score, draft.group)):
            size = size_entry(draft, context, strategy_id=STRATEGY, share=self.share, scale=self.share)
            entry = Entry(draft, {leg.symbol: count for leg, count in zip(draft.legs, size.quantities, strict=True)}, size.binding)
            entries.append(entry)
            if not size.empty:
                context = context.with_entry(entry.proposal(context, share))
        return self._validated(entries, base, share)

    def _validated(self, entries: list[Entry], context: RiskContext, share: float) -> tuple[list[Entry], list[tuple[str, str]]]:
        passed, refused = [], []
        for entry in sorted(entries, key=lambda entry: (entry.draft.group, entry.draft.direction.value)):
            proposal = entry.proposal(context, share)
            violations = assess(proposal, context)
            if violations:
                refused.append((entry.draft.group, violations[0].code))
            else:
                passed.append(entry)
                context = context.with_entry(proposal)
        return passed, refused

    def capital(self, equity: int) -> float:
        """Dollars that the strategy may hold, gross, where the account is worth `equity` cents."""
        return strategy_capital(equity / 100, self.limits.max_gross_exposure, self.share)

    def _context(self, t: int, drafts: Sequence[Draft], book: Book, cash: int) -> RiskContext:
        """The account at the close of column t, and the market for the symbols of `drafts`."""
        symbols = sorted({leg.symbol for draft in drafts for leg in draft.legs if leg.symbol in self.rows})
        rows = {symbol: self.rows[symbol] for symbol in symbols}
        last = {symbol: int(self.facts.last_bar[row, t]) for symbol, row in rows.items()}
        prices = ClosingPrices(_finite(rows, self.panel.close, t), self.panel, t)
        exposures, at_work, locked, contracts = self._exposures(book, prices)
        return RiskContext(
            account_id="",
            session=self.facts.days[t],
            equity=as_money(book.equity),
            cash=as_money(cash),
            drawdown=book.drawdown,
            limits=self.limits,
            exposures=exposures,
            pending={},
            day_trades=day_trades(book, t),
            prices=prices,
            adv=_finite(rows, self.facts.adv, t),
            volatility=_finite(rows, self.facts.volatility, t),
            last_session={symbol: self.facts.days[bar] for symbol, bar in last.items() if bar >= 0},
            tradable=self.tradable,
            strategy_exposures={STRATEGY: at_work},
            option_margins=locked,
            contracts=contracts,
            shut=self.shut,
            market=PanelMarket(self.panel, t),
        )

    def _exposures(self, book: Book, prices: ClosingPrices) -> tuple[dict[str, Decimal], Decimal, dict[str, float], dict[str, int]]:
        """Market values by symbol, what counts against the strategy's share, what options lock by underlying, and how many
        of each there are."""
        exposures: dict[str, Decimal] = defaultdict(Decimal)
        contracts: dict[str, int] = defaultdict(int)
        at_work = 0
        for position in sorted(book.open.values(), key=lambda position: position.symbol):
            exposures[position.symbol] += as_money(position.value)
            if parse_contract(position.symbol) is None:
                at_work += abs(position.value)
            else:
                at_work += position.value
                contracts[position.symbol] += position.quantity
        locked = margins(contracts, prices) if contracts else {}
        return dict(exposures), as_money(at_work) + money(sum(locked.values())), locked, dict(contracts)


def day_trades(book: Book, t: int) -> int:
    """Positions opened and closed in one session, in the last five sessions up to column t."""
    first, count = t - DAY_TRADE_SESSIONS + 1, 0
    for position in reversed(book.closed):
        if position.exit < first:
            break
        count += position.entry == position.exit
    return count


def _finite(rows: dict[str, int], values, t: int) -> dict[str, float]:
    read = {symbol: float(values[row, t]) for symbol, row in rows.items()}
    return {symbol: value for symbol, value in read.items() if value == value}
