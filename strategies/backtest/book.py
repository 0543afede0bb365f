"""The books of a simulated account: positions, what they cost and made, and what the account is worth.

The arithmetic is the ledger's, in integers: cost includes commissions, a fill against a position releases its share of
the cost, what happens to a holding without an order is shared out over the positions of its symbol, and the account's
unit value is compounded from daily returns and rounded as its snapshots are.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from quant_site.core.types import decimal, ratio
from quant_site.market.options.contracts import multiplier_of, parse_contract
from strategies.backtest.amounts import MICROS, MICROS_A_CENT, allocate, as_money, cents, half_even, largest_remainder, rounded, whole
from strategies.backtest.broker import Event
from strategies.backtest.orders import ENTRY, EXIT, REDUCE, STOP, TARGET, Execution, Order, Signal, restated, split_ratio
from strategies.backtest.result import REASONS

OPEN, EXITED, STOPPED, TARGETED, SPLIT, EXPIRY, ASSIGNMENT = range(len(REASONS))
SETTLED = {"SPLIT": SPLIT, "EXPIRY": EXPIRY, "ASSIGNMENT": ASSIGNMENT}
REASON_OF = {EXIT: EXITED, REDUCE: EXITED, STOP: STOPPED, TARGET: TARGETED}
INDEX = Decimal("0.0000000001")


@dataclass(slots=True, eq=False)
class Position:
    """One leg of one trade. Prices are in millionths of a dollar, amounts in cents; `quantity` and `cost` are signed, `entered`
    and `exited` in millionths of a share as shares are after splits.

    `trade` numbers the trades of the account: the legs of a pair share it. `exit_order` works for its end, `reduce_order` for
    a part of it; `ended` says that the end was decided and found no market yet. `dividends` are less borrowing fees.
    """

    group: str
    symbol: str
    multiplier: int
    trade: int
    signal: Signal
    side: int
    entry: int
    entry_price: int
    last_entry_price: int
    stop: int | None
    target: int | None
    metadata: dict[str, Any]
    quantity: int = 0
    cost: int = 0
    realized: int = 0
    dividends: int = 0
    fees: int = 0
    units: int = 1
    entered: int = 0
    entry_amount: int = 0
    exited: int = 0
    exit_amount: int = 0
    risk: int = 0
    marked: int | None = None
    value: int = 0
    best: int = 0
    worst: int = 0
    exit: int = -1
    reason: int = OPEN
    stop_order: Order | None = None
    target_order: Order | None = None
    exit_order: Order | None = None
    reduce_order: Order | None = None
    ended: bool = False

    @property
    def pnl(self) -> int:
        """Net of commissions, with dividends and the mark."""
        return self.realized + self.dividends + self.value - self.cost

    @property
    def mean_entry(self) -> int:
        """Mean price of all its units."""
        return self.entry_price if self.units == 1 else self._mean(self.entry_amount, self.entered)

    @property
    def mean_exit(self) -> int:
        return self._mean(self.exit_amount, self.exited) if self.exited else 0

    def _mean(self, amount: int, count: int) -> int:
        return half_even(amount * MICROS_A_CENT * MICROS, count * self.multiplier)

    def mark(self, price: int | None) -> None:
        """Value it at the close; without a price (of an option) at the last mark, at first the entry price."""
        self.marked = price if price is not None else self.entry_price if self.marked is None else self.marked
        self.value = cents(self.quantity * self.multiplier * self.marked)
        self.best, self.worst = max(self.best, self.pnl), min(self.worst, self.pnl)

    def take(self, done: Execution) -> None:
        """More of it: the fill of an entry."""
        self.quantity += done.side.sign * done.quantity
        self.cost += done.side.sign * done.amount + done.commission
        self.fees += done.commission
        self.entered += done.quantity * MICROS
        self.entry_amount += done.amount

    def give(self, done: Execution) -> None:
        """Less of it: the fill of an exit, or of an entry on the other side."""
        sign, held = done.side.sign, abs(self.quantity)
        released = self.cost if done.quantity == held else half_even(self.cost * done.quantity, held)
        self.quantity += sign * done.quantity
        self.cost -= released
        self.realized += -sign * done.amount - done.commission - released
        self.fees += done.commission
        self.exited += done.quantity * MICROS
        self.exit_amount += done.amount

    def settle(self, cash: int) -> None:
        """All of it for `cash`, which is negative for a writer."""
        self.exited += abs(self.quantity) * MICROS
        self.exit_amount += abs(cash)
        self.realized += cash - self.cost
        self.quantity = self.cost = 0

    def split(self, factor: Fraction, kept: int, sold: Fraction, cash: int) -> None:
        """The same in new shares, `kept` of them; the share `sold` of it went for `cash`, or cash bought what it gained."""
        for name in ("entry_price", "last_entry_price", "stop", "target", "marked"):
            value = getattr(self, name)
            setattr(self, name, None if value is None else restated(value, factor))
        held = restated(abs(self.quantity) * MICROS, 1 / factor)
        self.entered, self.exited = restated(self.entered, 1 / factor), restated(self.exited, 1 / factor)
        left_over = held - abs(kept) * MICROS
        if sold > 0:
            released = self.cost if kept == 0 else rounded(self.cost * sold)
            self.realized += cash - released
            self.cost -= released
            self.exited += max(0, left_over)
            self.exit_amount += abs(cash)
        else:
            self.cost -= cash
            self.entered -= min(0, left_over)
        self.quantity = kept

    def close(self, t: int, reason: int) -> None:
        self.exit, self.reason, self.value = t, reason, 0
        self.best, self.worst = max(self.best, self.pnl), min(self.worst, self.pnl)


class Book:
    """Open positions by (group, symbol), in the order they were opened, and the closed ones."""

    def __init__(self, capital: int):
        self.open: dict[tuple[str, str], Position] = {}
        self.closed: list[Position] = []
        self.trades = 0
        self.equity, self.unit, self.peak = capital, Decimal(1), Decimal(1)

    # --- fills

    def book(self, t: int, fills: list[Execution]) -> None:
        """Book the fills of one moment, in the order the ledger does: by symbol, purchases first."""
        for done in sorted(fills, key=lambda done: (done.symbol, done.side)):
            order = done.order
            position = self.open.get((order.group, done.symbol)) if order.purpose == ENTRY else order.position_in(done.symbol)
            if position is None:
                self._opened(t, done)
            elif position.quantity * done.side.sign > 0:
                self._extended(position, done)
            else:
                position.give(done)
                self._finish(t, position, REASON_OF.get(order.purpose, EXITED))

    def _opened(self, t: int, done: Execution) -> None:
        signal, stop, target = done.order.signal, *levels(done)
        sign = done.side.sign
        key = (signal.group, done.symbol)
        position = Position(
            signal.group, done.symbol, multiplier_of(done.symbol), self._trade(signal.group), signal, sign, t, done.price, done.price,
            stop, target, dict(signal.metadata),
        )  # fmt: skip
        position.take(done)
        if stop is not None:
            position.risk = max(0, cents((done.price - stop) * sign * done.quantity * position.multiplier))
        self.open[key] = position

    def _trade(self, group: str) -> int:
        """The number of the trade that is open in `group`, else a new one."""
        for position in self.open.values():
            if position.group == group:
                return position.trade
        self.trades += 1
        return self.trades - 1

    def _extended(self, position: Position, done: Execution) -> None:
        stop, target = levels(done)
        position.units += 1
        position.stop = stop if stop is not None else position.stop
        position.target = target if target is not None else position.target
        position.metadata = {**position.metadata, **done.order.signal.metadata}
        position.last_entry_price = done.price
        position.take(done)

    def _finish(self, t: int, position: Position, reason: int) -> None:
        if position.quantity == 0:
            position.close(t, reason)
            del self.open[position.group, position.symbol]
            self.closed.append(position)

    # --- what happens without an order

    def happened(self, t: int, events: Iterable[Event]) -> None:
        """Book events in their order, each over the positions of its symbol."""
        for event in events:
            positions = sorted((each for each in self.open.values() if each.symbol == event.symbol), key=lambda each: each.group)
            if event.kind == "SPLIT" and event.action is not None:
                self._split(t, positions, event)
                continue
            for position, share in zip(positions, allocate(event.amount, [each.quantity for each in positions]), strict=True):
                if event.kind in SETTLED:
                    position.settle(share)
                    self._finish(t, position, SETTLED[event.kind])
                else:
                    position.dividends += share

    def _split(self, t: int, positions: list[Position], event: Event) -> None:
        """Positions in new shares; whole shares and the cash for the fraction are shared out, largest fractions first.

        Where no cash was paid, what one position loses to another goes at the last mark.
        """
        factor, cash = split_ratio(event.action.value), event.amount
        exact = [position.quantity * factor for position in positions]
        kept = largest_remainder(exact, whole(sum(exact)))
        fractions = [share - left for share, left in zip(exact, kept, strict=True)]
        left_over = sum(fractions)
        mark = Fraction(restated(positions[0].marked, factor), MICROS)
        paid = Fraction(cash, 100) / left_over if left_over else mark
        shares = largest_remainder([part * paid * 100 for part in fractions], cash)
        for position, share, left, part, got in zip(positions, exact, kept, fractions, shares, strict=True):
            position.split(factor, left, part / share if share else Fraction(0), got)
            self._finish(t, position, SPLIT)

    # --- the close

    def snapshot(self, equity: int) -> None:
        """Compound the unit's value by the session's return."""
        if equity != self.equity or equity <= 0:
            before = as_money(self.equity)
            known = self.unit is not None and before > 0
            self.unit = decimal(self.unit * (1 + (as_money(equity) / before - 1)), INDEX, "The value of a unit") if known else None
            self.peak = self.peak if self.unit is None else max(self.unit, self.peak)
            self.equity = equity

    @property
    def drawdown(self) -> float:
        """Distance of the unit's value from its peak, ≤ 0."""
        return 0.0 if self.unit is None or not self.peak else float(ratio(self.unit / self.peak - 1))


def levels(done: Execution) -> tuple[int | None, int | None]:
    """Stop and target of the signal of a fill in today's shares; a trade of several legs has none per leg, an option none."""
    signal = done.order.signal
    if len(signal.quantities) > 1 or parse_contract(done.symbol):
        return None, None
    return tuple(None if level is None else restated(level, done.order.factor) for level in (signal.stop, signal.target))
