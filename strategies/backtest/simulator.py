"""The general backtest: one account, one strategy, its own `decide` at every close, the loop's order of events.

A session runs as the loop runs it: what happens without an order before the open (`broker`), market orders and gapped
stops at the open, stops and targets within the day (a stop is live from the fill of its entry on), expiries at the close;
then positions are marked, and the strategy decides what trades from the next open. Nothing is drawn at random and nothing
is kept between two runs. Where nothing is held and nothing works, a session costs no more than the decision itself.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import groupby
from math import nan

from quant_site.core.types import Direction, OrderType, Side, money
from quant_site.market.options.closing import closing_mid
from quant_site.market.options.contracts import parse_contract
from quant_site.market.panel import Panel
from strategies.backtest.amounts import MICROS, money_in_cents, price_in_micros
from strategies.backtest.book import Book, Position
from strategies.backtest.broker import Broker
from strategies.backtest.entries import Desk, Entry
from strategies.backtest.orders import CANCELLED, ENTRY, EXPIRED, FILLED, REJECTED, WORKING, Execution, Leg, Signal
from strategies.backtest.protection import exits_of, leave, protect, working
from strategies.backtest.settings import BacktestSettings
from strategies.backtest.tape import tape_of
from strategies.base import Draft, Holding, Strategy, StrategyParams
from strategies.drafts import draft_from_json, draft_to_json
from strategies.exits import reductions
from strategies.features import features
from strategies.panel_facts import panel_facts
from strategies.readiness import check_one_per_trade, missing
from strategies.units import in_units, legs_together

# Told the column, what was held, and the drafts.
Watch = Callable[[int, tuple[Holding, ...], list[Draft]], None]
DATED = re.compile(r"( by| on| of)? \d{4}-\d\d-\d\d")
DEAD = frozenset({REJECTED, EXPIRED, CANCELLED})


@dataclass
class Record:
    """What a simulation leaves: executions with their columns, positions, the account at each close, counts, and which
    entries were refused: (column, group, code)."""

    fills: list[tuple[int, Execution]] = field(default_factory=list)
    positions: list[Position] = field(default_factory=list)
    equity: list[int] = field(default_factory=list)
    cash: list[int] = field(default_factory=list)
    gross: list[int] = field(default_factory=list)
    drafts: int = 0
    refused: list[tuple[int, str, str]] = field(default_factory=list)
    abstained: Counter = field(default_factory=Counter)


class Simulation:
    """One run of a strategy over columns of `panel`. `watch` is told every decision, where somebody wants to see them."""

    def __init__(self, strategy: Strategy, params: StrategyParams, panel: Panel, settings: BacktestSettings, watch: Watch | None = None):
        self.strategy, self.params, self.panel, self.watch = strategy, params, panel, watch
        share = params.weight if settings.share is None else settings.share
        capital = money_in_cents(money(settings.capital, "The capital"))
        self.tape = tape_of(panel)
        self.broker = Broker(panel, self.tape, settings.costs, capital)
        self.book = Book(capital)
        self.desk = Desk(panel, settings.limits, share)
        self.features = features.prepared(strategy, panel, params)
        self.needs = strategy.needs(params)
        self.days = panel_facts(panel).days
        self.executing: list[Signal] = []
        self.record = Record()

    def run(self, first: int, last: int) -> Record:
        for t in range(first, last + 1):
            if self.broker.working or self.book.open:
                self._trade(t)
                self._mark(t)
            self._close(t)
            self._decide(t)
        self.record.positions = [*self.book.closed, *self.book.open.values()]
        return self.record

    # --- the session

    def _trade(self, t: int) -> None:
        events = self.broker.before_open(t)
        fills = self.broker.open(t)
        if events or fills:
            self.book.happened(t, events)
            self._book(t, fills)
            protect(t, self.book, self.broker, trading=True)
        fills = self.broker.trade(t)
        ends, expired = self.broker.close(t)
        if events or fills or ends or expired:
            self._book(t, fills)
            self.book.happened(t, ends)
            self._conclude()
            protect(t, self.book, self.broker, trading=False)

    def _book(self, t: int, fills: list[Execution]) -> None:
        self.book.book(t, fills)
        self.record.fills += [(t, done) for done in fills]

    def _conclude(self) -> None:
        """Orders of an entry belong together: where one came to nothing the signal failed, and what was filled is closed."""
        for signal in self.executing:
            dead = [order for order in signal.orders if order.status in DEAD]
            if dead:
                for order in signal.orders:
                    self.broker.cancel(order, "OTHER_LEG_FAILED")
                signal.failed = any(order.status == FILLED for order in signal.orders)
                self.record.refused.append((signal.decided, signal.group, dead[0].reason))
        self.executing = [signal for signal in self.executing if any(order.status == WORKING for order in signal.orders)]

    def _mark(self, t: int) -> None:
        for position in self.book.open.values():
            if parse_contract(position.symbol) is None:
                position.mark(self.tape.mark(position.symbol, t))
            else:
                mid = closing_mid(self.panel, position.symbol, t)
                position.mark(None if mid is None else price_in_micros(mid))

    def _close(self, t: int) -> None:
        """The account at the close, before anything is decided."""
        values = [position.value for position in self.book.open.values()]
        equity = self.broker.cash + sum(values)
        self.book.snapshot(equity)
        self.desk.closed(self.book)
        self.record.equity.append(equity)
        self.record.cash.append(self.broker.cash)
        self.record.gross.append(sum(map(abs, values)))

    # --- the decision

    def _decide(self, t: int) -> None:
        holdings = self._holdings(t)
        drafts = self._drafts(t, holdings)
        if self.watch is not None:
            self.watch(t, holdings, drafts)
        self.record.drafts += len(drafts)
        exits = sorted((draft for draft in drafts if draft.direction is Direction.CLOSE), key=lambda draft: draft.group)
        for draft in exits:
            self._exit(t, draft)
        entries = [draft for draft in drafts if draft.direction is not Direction.CLOSE]
        if entries:
            passed, refused = self.desk.checked(t, entries, self.book, self.broker.cash)
            self.record.refused += [(t, group, code) for group, code in refused]
            for entry in passed:
                self._enter(t, entry)
            self._conclude()

    def _drafts(self, t: int, holdings: tuple[Holding, ...]) -> list[Draft]:
        """What the strategy proposes, as it would be stored and read back; of one that lacks something only its exits."""
        lack = missing(self.needs, self.panel, t) or self.strategy.lack(self.panel, self.features, t, self.params)
        if lack:
            self.record.abstained[kind_of(lack)] += 1
            if not holdings:
                return []
        drafts = self.strategy.decide(self.panel, self.features, t, self.params, holdings)
        check_one_per_trade(drafts)
        return [draft_from_json(draft_to_json(draft)) for draft in drafts if not lack or draft.direction is Direction.CLOSE]

    def _holdings(self, t: int) -> tuple[Holding, ...]:
        """Open trades sorted by group, the legs of a group as one."""
        if not self.book.open:
            return ()
        legs = [self.book.open[key] for key in sorted(self.book.open)]
        return tuple(self._holding(group, list(members)) for group, members in groupby(legs, key=lambda leg: leg.group))

    def _holding(self, group: str, legs: list[Position]) -> Holding:
        first = next((leg for leg in legs if leg.symbol == group.split("/")[0]), legs[0])
        side = Direction.LONG if first.side > 0 else Direction.SHORT
        capital = self.desk.capital(self.book.equity)
        return Holding(
            group=group,
            direction=side if parse_contract(first.symbol) is None else first.signal.direction,
            quantities={leg.symbol: float(leg.quantity) for leg in legs},
            entry_price=first.entry_price / MICROS,
            entry_session=self.days[min(leg.entry for leg in legs)],
            last_entry_price=first.last_entry_price / MICROS,
            units=max(leg.units for leg in legs),
            stop_price=None if first.stop is None else first.stop / MICROS,
            weight=sum(leg.value for leg in legs) / 100 / capital if capital > 0 else nan,
            entry_prices={leg.symbol: leg.mean_entry / MICROS for leg in legs},
            metadata=first.metadata,
        )

    # --- orders

    def _exit(self, t: int, draft: Draft) -> None:
        """Orders for what is open of the trade, once its stops, targets and reductions are out of the way, or for a part."""
        positions = sorted((each for each in self.book.open.values() if each.group == draft.group), key=lambda each: each.symbol)
        if draft.portion < 1:
            self._reduce(t, positions, draft.portion)
            return
        for position in positions:
            for order in (position.stop_order, position.target_order, position.reduce_order):
                if working(order):
                    self.broker.cancel(order)
        for leaving in exits_of([position for position in positions if not working(position.exit_order)]):
            leave(t, leaving, self.broker)

    def _reduce(self, t: int, positions: list[Position], portion: float) -> None:
        """A part of each position, which stays open; its stop and target follow once the orders are filled."""
        if any(working(order) for position in positions for order in (position.exit_order, position.reduce_order)):
            return
        parts = reductions({position.symbol: position.quantity for position in positions}, portion)
        for leaving in exits_of(positions) if parts else ():
            leave(t, leaving, self.broker, parts)

    def _enter(self, t: int, entry: Entry) -> None:
        """Market orders for the next open: one for the options of a structure, one for each other leg."""
        signal = entry.signal(t)
        together = legs_together(signal.quantities)
        for symbol, quantity in signal.quantities.items():
            if symbol not in together:
                self._order(t, signal, symbol=symbol, side=_side(quantity), quantity=abs(quantity))
        if together:
            units, ratios = in_units({symbol: signal.quantities[symbol] for symbol in together})
            legs = tuple(Leg(symbol, _side(ratio), abs(ratio)) for symbol, ratio in ratios.items())
            self._order(t, signal, symbol=signal.group, side=Side.BUY, quantity=units, legs=legs)
        self.executing.append(signal)

    def _order(self, t: int, signal: Signal, **fields) -> None:
        signal.orders.append(self.broker.place(t, purpose=ENTRY, type=OrderType.MARKET, signal=signal, **fields))


def _side(quantity: int) -> Side:
    return Side.BUY if quantity > 0 else Side.SELL


def kind_of(reason: str) -> str:
    """A reason to abstain without the day and the counts that it names: the same every session."""
    return DATED.sub("", reason.split(";")[0])
