"""The broker of a simulated account: its cash and holdings, the orders that work, and how a session treats them.

The rules are the paper broker's (`market.execution` for one bar, `options.lifecycle` for what ends without an order). In
this order: before the open splits, dividends, settlements of options, the fee for shares that are borrowed; at the open
stops the market gapped through, market orders and satisfied limits, exits before entries; then stops before limits within
the day's range; at the close options that expire, then DAY orders. Options trade at the open only, at the ask and the bid.
Fills are whole, and an order of several legs fills all of them or none.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from decimal import Decimal
from math import isfinite
from typing import NamedTuple

from quant_site.core.types import OrderType, Side, money
from quant_site.market.actions import CorporateAction
from quant_site.market.execution import CostModel, at_open_price, intraday_price
from quant_site.market.options.chain import Moment
from quant_site.market.options.closing import ClosingPrices, closing_mid
from quant_site.market.options.contracts import multiplier_of, parse_contract
from quant_site.market.options.lifecycle import settlements, trades_after
from quant_site.market.options.quotes import option_market
from quant_site.market.panel import Panel
from strategies.backtest.amounts import MICROS_A_CENT, as_money, as_price, cents, money_in_cents, price_in_micros, whole
from strategies.backtest.orders import (
    CANCELLED,
    ENTRY,
    EXPIRED,
    FILLED,
    LEVERAGE,
    REJECTED,
    STOP,
    TARGET,
    WORKING,
    Execution,
    Leg,
    Order,
    restated,
    split_ratio,
)
from strategies.backtest.tape import Tape
from strategies.margin import margins

RANK = {OrderType.STOP: 0, OrderType.MARKET: 1, OrderType.LIMIT: 2}
# Below this share of the buying power no rounding of a price decides.
SURELY = 0.99


class Event(NamedTuple):
    """What happened to a holding without an order. `amount` is cash in cents, negative when owed; `action` a split's or
    dividend's, None of a settlement or fee."""

    kind: str
    symbol: str
    amount: int
    action: CorporateAction | None = None


class Broker:
    """Cash in cents, signed holdings, and the working orders in the order they were placed."""

    def __init__(self, panel: Panel, tape: Tape, costs: CostModel, cash: int):
        self.panel, self.tape, self.costs, self.cash = panel, tape, costs, cash
        self.holdings: dict[str, int] = {}
        self.working: list[Order] = []
        self.count = 0

    # --- orders

    def place(self, t: int, **fields) -> Order:
        """Take an order after the close of column t, or (`after` one earlier) between its open and its close."""
        self.count += 1
        order = Order(self.count, **({"after": t} | fields))
        order.reason = self._refusal(order, t)
        if order.reason:
            order.status = REJECTED
        else:
            self.working.append(order)
        return order

    def cancel(self, order: Order, reason: str = "CANCELLED") -> None:
        if order.status == WORKING:
            self._end(order, CANCELLED, reason)

    def _end(self, order: Order, status: str, reason: str = "") -> None:
        order.status, order.reason = status, reason
        self.working.remove(order)

    def _refusal(self, order: Order, t: int) -> str:
        """The code of what the broker has against an order, "" for nothing. A symbol is known to have a bar by now."""
        contracts = [contract for leg in order.trades if (contract := parse_contract(leg.symbol)) is not None]
        if not all(trades_after(contract, self.tape.days[t]) for contract in contracts):
            return "CONTRACT_ENDED"
        if order.purpose != ENTRY:
            return ""
        if any(self.last_price(contract.symbol, t) is None for contract in contracts):
            return "NO_PRICE"
        return "BUYING_POWER" if self._lacks_power(order, t) else ""

    def _lacks_power(self, order: Order, t: int) -> bool:
        """Whether what is held and ordered would exceed twice the account's worth at the last closes; of options, for which
        nothing is lent, what they can lose counts twice."""
        entering = [each for each in (*self.working, order) if each.purpose == ENTRY]
        quantities = [*self.holdings.items(), *(traded for each in entering for traded in each.signed())]
        if all(parse_contract(symbol) is None for symbol, _ in quantities):
            held = [quantity * (self.tape.mark(symbol, t) or 0) for symbol, quantity in self.holdings.items()]
            ordered = sum(each.quantity * (self.tape.mark(each.symbol, t) or 0) for each in entering)
            if sum(map(abs, held)) + ordered < SURELY * LEVERAGE * (self.cash * MICROS_A_CENT + sum(held)):
                return False
        worth = sum(self._worth(symbol, quantity, t) for symbol, quantity in self.holdings.items())
        return money(self._gross(quantities, t)) > money(LEVERAGE * (as_money(self.cash) + worth))

    def _gross(self, quantities: Iterable[tuple[str, int]], t: int) -> Decimal:
        options: dict[str, int] = defaultdict(int)
        gross = Decimal(0)
        for symbol, quantity in quantities:
            if parse_contract(symbol) is None:
                gross += abs(self._worth(symbol, quantity, t))
            else:
                options[symbol] += quantity
        if not options:
            return gross
        locked = margins(options, ClosingPrices({}, self.panel, t))
        worth = sum(self._worth(symbol, quantity, t) for symbol, quantity in options.items())
        return gross + LEVERAGE * (worth + money(sum(locked.values())))

    def last_price(self, symbol: str, t: int) -> Decimal | None:
        """The last raw close up to column t as it is written; of an option its mid at that close."""
        if parse_contract(symbol) is None:
            return self.tape.last_close(symbol, t)
        mid = closing_mid(self.panel, symbol, t)
        return None if mid is None else Decimal(str(mid))

    def _worth(self, symbol: str, quantity: int, t: int) -> Decimal:
        return quantity * (self.last_price(symbol, t) or 0) * multiplier_of(symbol)

    # --- before the open

    def before_open(self, t: int) -> list[Event]:
        """What happens to what was carried overnight, in its order."""
        carried = dict(self.holdings)
        events = [event for action in self.tape.actions.get(t, ()) if (event := self._act(t, action))]
        events += self._settled(t, "OPEN")
        return events + self._borrowed(t, carried)

    def _act(self, t: int, action: CorporateAction) -> Event | None:
        held = self.holdings.get(action.symbol, 0)
        if action.kind == "SPLIT":
            return self._split(t, action, held)
        return self._paid("DIVIDEND", action.symbol, money_in_cents(money(held * action.value)), action) if held else None

    def _split(self, t: int, action: CorporateAction, before: int) -> Event | None:
        """Multiply the holding, pay its fraction in cash at the last close, restate the orders; those for options on it are
        cancelled, for their contracts are no longer what they were."""
        factor, event = split_ratio(action.value), None
        if before:
            exact = before * factor
            fraction = (exact - whole(exact)) / factor
            close = self.last_price(action.symbol, t - 1) or Decimal(0)
            self._hold(action.symbol, whole(exact))
            cash = money_in_cents(money(close * fraction.numerator / fraction.denominator))
            event = self._paid("SPLIT", action.symbol, cash, action)
        for order in [order for order in self.working if order.symbol == action.symbol]:
            order.quantity = whole(order.quantity * factor)
            order.level = None if order.level is None else restated(order.level, factor)
            order.factor *= factor
            if not order.quantity:
                self._end(order, CANCELLED, "SPLIT_TO_NOTHING")
        self._cancel(lambda symbol: (contract := parse_contract(symbol)) is not None and contract.underlying == action.symbol)
        return event

    def _settled(self, t: int, moment: Moment) -> list[Event]:
        """Pay out the options that end at this moment, and cancel what works on them."""
        events = []
        for end in settlements(self.holdings, self.panel, t, moment):
            held, worth = self.holdings[end.symbol], price_in_micros(end.per_unit)
            self._hold(end.symbol, 0)
            events.append(self._paid(end.kind, end.symbol, cents(held * worth * multiplier_of(end.symbol))))
        if events:
            self._cancel({event.symbol for event in events}.__contains__)
        return events

    def _borrowed(self, t: int, carried: dict[str, int]) -> list[Event]:
        """The fee of shares that were short overnight, on their worth at the last close."""
        events = []
        for symbol, shares in sorted(carried.items()):
            if shares < 0 and self.holdings.get(symbol) and parse_contract(symbol) is None:
                fee = self.costs.borrowing(-shares * (self.last_price(symbol, t - 1) or Decimal(0)))
                if fee:
                    events.append(self._paid("BORROW", symbol, -money_in_cents(fee)))
        return events

    def _paid(self, kind: str, symbol: str, amount: int, action: CorporateAction | None = None) -> Event:
        self.cash += amount
        return Event(kind, symbol, amount, action)

    def _cancel(self, concerns: Callable[[str], bool]) -> None:
        for order in [order for order in self.working if any(concerns(leg.symbol) for leg in order.trades)]:
            self._end(order, CANCELLED, "CONTRACT_ENDED")

    # --- the session

    def open(self, t: int) -> list[Execution]:
        return self._execute(t, at_open_price)

    def trade(self, t: int) -> list[Execution]:
        return self._execute(t, intraday_price)

    def close(self, t: int) -> tuple[list[Event], bool]:
        """What expires of the holdings, and whether an order of the day did."""
        events = self._settled(t, "CLOSE")
        late = [order for order in self.working if order.day and order.after < t]
        for order in late:
            self._end(order, EXPIRED, "NO_BAR")
        return events, bool(late)

    def _execute(self, t: int, rule) -> list[Execution]:
        triggered = [(order, levels) for order in self.working if order.after < t and (levels := self._levels(t, order, rule)) is not None]
        triggered.sort(key=lambda pair: (not pair[0].reducing, RANK[pair[0].type], pair[0].number))
        return [done for order, levels in triggered if order.status == WORKING for done in self._fill(order, levels)]

    def _levels(self, t: int, order: Order, rule) -> list[float] | None:
        """What each leg of an order trades at before costs; None where one of them does not."""
        levels = [self._price(t, order, leg, rule) for leg in order.trades]
        return None if None in levels else levels

    def _price(self, t: int, order: Order, leg: Leg, rule) -> float | None:
        if parse_contract(leg.symbol) is None:
            bar = self.tape.bar(leg.symbol, t)
            return bar and order.price_on(bar, rule)
        quote = option_market(self.panel).quote(leg.symbol, t, "OPEN") if rule is at_open_price else None
        level = None if quote is None else quote.ask if leg.side is Side.BUY else quote.bid
        return level if level is not None and isfinite(level) and level > 0 else None

    def _fill(self, order: Order, levels: list[float]) -> list[Execution]:
        """Fill `order`; nothing where it is cancelled instead, because it would open or turn what it must not."""
        against = [max(0, -leg.side.sign * self.holdings.get(leg.symbol, 0)) for leg in order.trades]
        whole_units = (held // leg.ratio for leg, held in zip(order.trades, against, strict=True))
        count = min(order.quantity, *whole_units) if order.reducing else order.quantity
        if not count or (any(against) and not order.reducing):
            self._end(order, CANCELLED, "NOTHING_TO_REDUCE" if order.reducing else "OPPOSITE_HOLDING")
            return []
        done = [self._executed(order, leg, count * leg.ratio, level) for leg, level in zip(order.trades, levels, strict=True)]
        self._end(order, FILLED if count == order.quantity else CANCELLED)
        if order.purpose in (STOP, TARGET):
            [position] = order.positions
            for other in (position.stop_order, position.target_order, position.reduce_order):
                if other is not None:
                    self.cancel(other, "OCA")
        return done

    def _executed(self, order: Order, leg: Leg, count: int, level: float) -> Execution:
        paid, commission = self._terms(order, leg, count, as_price(price_in_micros(level)))
        micros, sign = price_in_micros(paid), leg.side.sign
        amount, fee = cents(count * multiplier_of(leg.symbol) * micros), money_in_cents(commission)
        self._hold(leg.symbol, self.holdings.get(leg.symbol, 0) + sign * count)
        self.cash -= sign * amount + fee
        return Execution(order, leg.symbol, leg.side, count, micros, amount, fee)

    def _terms(self, order: Order, leg: Leg, count: int, level: Decimal) -> tuple[Decimal, Decimal]:
        """What is paid a unit, and the commission."""
        if parse_contract(leg.symbol) is not None:
            return level, self.costs.contract_commission(Decimal(count))
        paid = level if order.type is OrderType.LIMIT else self.costs.worse(level, leg.side)
        return paid, self.costs.commission(Decimal(count), paid)

    def _hold(self, symbol: str, quantity: int) -> None:
        if quantity:
            self.holdings[symbol] = quantity
        else:
            self.holdings.pop(symbol, None)
