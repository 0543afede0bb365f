"""How one session trades on its daily bar, at the paper broker.

A bar tells the open and the range, not the path, so where both a stop and a target lie within it the stop is taken:
the result is never better than what could have happened. Order of events:

1. Before the open, on what was carried overnight: splits; dividends, paid on the ex-date; options that end there
   (`options.lifecycle`); the fee for borrowing the shares of short holdings, on their worth at the last close. Interest
   is not modelled.
2. At the open: stops the market gapped through, market orders and satisfied limits, all at the open; exits before
   entries.
3. Within the day: stops at their stop, or at the open when the order arrived after the market was through it; then
   limits at their limit, or at the open where that is better.
4. At the close: options that expire are settled in cash, then DAY orders expire.

Market and stop orders pay half the spread and slippage; limits pay neither. Options trade at the open only, bought at the
ask and sold at the bid, which are their spread. A symbol without a bar or quote, or without a bid for what is sold, does not
trade. Fills are whole; volume is the business of whoever sizes the order. An order of several legs fills all of them or none:
where one does not trade it waits, and where a contract of it ends it is cancelled.
"""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from fractions import Fraction
from math import isfinite, isnan, trunc
from typing import NamedTuple
from weakref import WeakKeyDictionary

from quant_site.core.rows import objects_read, places, row_insert, rows_delete, rows_insert, rows_read, rows_update
from quant_site.core.types import Side, money, optional, price, quantity
from quant_site.market.actions import CorporateAction, corporate_actions
from quant_site.market.execution import CostModel, at_open_price, intraday_price
from quant_site.market.options.chain import Moment
from quant_site.market.options.contracts import multiplier_of, parse_contract
from quant_site.market.options.lifecycle import settlements
from quant_site.market.options.quotes import option_market
from quant_site.market.panel import Panel
from quant_site.market.sessions import session_close, session_open
from trading.books.accounting import split_ratio
from trading.models.paper import PaperAccount, PaperActivity, PaperFill, PaperHolding, PaperOrder
from trading.vocabulary import OrderType, TimeInForce

Status = PaperOrder.Status
RANK = {OrderType.STOP: 0, OrderType.MARKET: 1, OrderType.LIMIT: 2}
WORKING = "account_id = %s AND status = 'WORKING'"
LEVEL_FIELDS = ("id", "symbol", "side", "order_type", "time_in_force", "legs", "stop_price", "limit_price")
_actions: WeakKeyDictionary[Panel, dict[int, list[CorporateAction]]] = WeakKeyDictionary()


class Trade(NamedTuple):
    """One symbol that an order trades; `ratio` are its shares or contracts in one unit."""

    symbol: str
    side: Side
    ratio: int


class Level(NamedTuple):
    """Where a working order would trade."""

    pk: int
    symbol: str
    side: str
    order_type: str
    time_in_force: str
    legs: list
    stop: float | None
    limit: float | None


class SessionBars:
    """The bars and corporate actions of one session. Raises `DataMissing` when the panel does not reach it."""

    def __init__(self, panel: Panel, session: date):
        self.panel, self.session, self.t = panel, session, panel.index(session)
        self.bars: dict[str, tuple[float, float, float] | None] = {}

    def bar(self, symbol: str) -> tuple[float, float, float] | None:
        """(open, high, low), or None where the symbol did not trade."""
        if symbol not in self.bars:
            self.bars[symbol] = self._read(symbol)
        return self.bars[symbol]

    def _read(self, symbol: str) -> tuple[float, float, float] | None:
        if symbol not in self.panel:
            return None
        row = self.panel.row(symbol)
        values = self.panel.open[row, self.t], self.panel.high[row, self.t], self.panel.low[row, self.t]
        return None if any(isnan(value) for value in values) else values

    def option_price(self, symbol: str, side: str) -> float | None:
        """What an option is bought or sold for at the open; None where it has no quote or nobody deals."""
        quote = option_market(self.panel).quote(symbol, self.t, "OPEN")
        level = None if quote is None else quote.ask if side == Side.BUY else quote.bid
        return level if level is not None and isfinite(level) and level > 0 else None

    def previous_close(self, symbol: str) -> Decimal | None:
        """The last raw close before the session."""
        for value in self.panel.close[self.panel.row(symbol), : self.t][::-1]:
            if value == value:
                return Decimal(str(value))
        return None

    def actions(self) -> list[CorporateAction]:
        if self.panel not in _actions:
            _actions[self.panel] = corporate_actions(self.panel)
        return sorted(_actions[self.panel].get(self.t, ()), key=lambda action: (action.kind != "SPLIT", action.symbol))


class PaperSession:
    """One step of one session of one account, within the caller's transaction. A step answers whether it did anything that
    somebody may want to act on before the next one.

    The caller writes `cash` back, with how far the session has come. `charged` says whether there are fees to be booked: those
    call for no action.
    """

    def __init__(self, account: PaperAccount, bars: SessionBars, costs: CostModel):
        self.account, self.bars, self.costs, self.session = account, bars, costs, bars.session
        self.cash = account.cash
        self.held: dict[str, Decimal] | None = None
        self.working: list[Level] | None = None
        self.touched = self.acted = self.charged = False

    def open(self) -> bool:
        carried = dict(self.holdings)
        self._apply_actions()
        self._settle("OPEN")
        self._charge_borrowing(carried)
        self._execute(at_open_price)
        return self._save()

    def trade(self) -> bool:
        self._execute(intraday_price)
        return self._save()

    def close(self) -> bool:
        self._settle("CLOSE")
        if any(level.time_in_force == TimeInForce.DAY for level in self._levels()):
            day_orders = self._working().filter(time_in_force=TimeInForce.DAY, session__lt=self.session)
            if day_orders.update(status=Status.EXPIRED, reason="SESSION_ENDED"):
                self._act()
        return self._save()

    def _act(self) -> None:
        self.touched = self.acted = True

    # --- the book

    def _working(self):
        return PaperOrder.objects.filter(account_id=self.account.pk, status=Status.WORKING)

    def _levels(self) -> list["Level"]:
        """The orders that may trade today, as plain values: read once, and again after something changed."""
        if self.working is None:
            rows = rows_read(PaperOrder, LEVEL_FIELDS, f"{WORKING} AND session < %s ORDER BY id", self.account.pk, self.session)
            self.working = [Level(*row[:-2], *(optional(float, level) for level in row[-2:])) for row in rows]
        return self.working

    @property
    def holdings(self) -> dict[str, Decimal]:
        if self.held is None:
            rows = rows_read(PaperHolding, ("symbol", "quantity", "id"), "account_id = %s", self.account.pk)
            self.held = {symbol: quantity for symbol, quantity, _ in rows}
            self.rows = {symbol: pk for symbol, _, pk in rows}
            self.now = dict(self.held)
        return self.now

    def _save(self) -> bool:
        if not self.touched:
            return False
        acted, self.acted = self.acted, False
        changed = {symbol: held for symbol, held in sorted(self.holdings.items()) if held != self.held.get(symbol, 0)}
        rows_delete(PaperHolding, [self.rows[symbol] for symbol, held in changed.items() if not held])
        kept = {symbol: held for symbol, held in changed.items() if held}
        rows_update(PaperHolding, ("quantity",), [(held, self.rows[symbol]) for symbol, held in kept.items() if symbol in self.rows])
        added = [symbol for symbol in kept if symbol not in self.rows]
        rows_insert([PaperHolding(account_id=self.account.pk, symbol=symbol, quantity=kept[symbol]) for symbol in added])
        self.held, self.touched = None, False
        return acted

    # --- what happens without an order

    def _apply_actions(self) -> None:
        for action in self.bars.actions():
            self.working = None
            held = self.holdings.get(action.symbol, Decimal(0))
            if action.kind == "SPLIT":
                self._split(action, held)
            elif held:
                self._note("DIVIDEND", action.symbol, held, action.value, money(held * action.value))

    def _split(self, action: CorporateAction, before: Decimal) -> None:
        """Multiply the holding, pay its fraction in cash at the last close, and restate the working orders; those for options
        on it are cancelled, for their contracts are no longer what they were."""
        factor = split_ratio(action.value)
        if before:
            exact = Fraction(before) * factor
            fraction = (exact - trunc(exact)) / factor
            close = self.bars.previous_close(action.symbol) or Decimal(0)
            self.holdings[action.symbol] = Decimal(trunc(exact))
            self._note("SPLIT", action.symbol, before, action.value, money(close * fraction.numerator / fraction.denominator))
        for order in self._working().filter(symbol=action.symbol).order_by("id"):
            order.quantity = Decimal(trunc(Fraction(order.quantity) * factor))
            order.limit_price = optional(_restated, order.limit_price, factor)
            order.stop_price = optional(_restated, order.stop_price, factor)
            order.split_ratio = quantity(order.split_ratio * factor.numerator / factor.denominator)
            if not order.quantity:
                order.status, order.reason = Status.CANCELLED, "SPLIT_TO_NOTHING"
            _write(order, ("quantity", "limit_price", "stop_price", "split_ratio", "status", "reason"))
            self._act()
        self._cancel(lambda symbol: (contract := parse_contract(symbol)) is not None and contract.underlying == action.symbol)

    def _settle(self, moment: Moment) -> None:
        """Pay out the options that end at this moment, and cancel what works on them."""
        ends = settlements(self.holdings, self.bars.panel, self.bars.t, moment)
        for end in ends:
            held, worth = self.holdings[end.symbol], price(end.per_unit)
            self.holdings[end.symbol] = Decimal(0)
            self._note(end.kind, end.symbol, held, worth, money(held * worth * multiplier_of(end.symbol)))
        if ends:
            self._cancel({end.symbol for end in ends}.__contains__)

    def _charge_borrowing(self, carried: dict[str, Decimal]) -> None:
        """Charge for the shares that were short overnight, at the last close before the session."""
        for symbol, shares in sorted(carried.items()):
            held = self.holdings[symbol]
            if shares < 0 and held and parse_contract(symbol) is None:
                fee = self.costs.borrowing(-shares * (self.bars.previous_close(symbol) or Decimal(0)))
                if fee:
                    self._note("BORROW", symbol, held, fee / -held, -fee)

    def _note(self, kind: str, symbol: str, held: Decimal, per_share: Decimal, amount: Decimal) -> None:
        """Write down what happened to a holding and move the cash."""
        self.cash += amount
        self.touched, fee = True, kind == "BORROW"
        self.acted, self.charged = self.acted or not fee, self.charged or fee
        activity = PaperActivity(
            account_id=self.account.pk,
            activity_id=f"{symbol}-{self.session:%Y%m%d}-{kind}",
            kind=kind,
            session=self.session,
            symbol=symbol,
            quantity=held,
            per_share=price(per_share),
            amount=amount,
        )
        row_insert(activity)

    def _cancel(self, concerns: Callable[[str], bool]) -> None:
        """Cancel what works on contracts that ended."""
        rows = rows_read(PaperOrder, ("id", "symbol", "side", "legs"), f"{WORKING} ORDER BY id", self.account.pk)
        gone = [
            (Status.CANCELLED.value, "CONTRACT_ENDED", pk)
            for pk, *columns in rows
            if any(concerns(each.symbol) for each in _trades(*columns))
        ]
        if gone:
            rows_update(PaperOrder, ("status", "reason"), gone)
            self.working = None
            self._act()

    # --- executions

    def _execute(self, price_of) -> None:
        """Fill the orders that trade. Which do is decided on plain floats; only those are read as rows."""
        triggered = {}
        for level in self._levels():
            traded = self._prices(level, price_of)
            if traded is not None:
                triggered[level.pk] = traded
        if not triggered:
            return
        self._act()
        self.working = None
        orders = sorted(
            objects_read(PaperOrder, f"id IN {places(triggered)}", *triggered),
            key=lambda order: (order.reducing is False, RANK[order.order_type], order.pk),
        )
        cancelled: set[str] = set()
        for order in orders:
            if order.oca_group and order.oca_group in cancelled:
                continue
            if self._fill(order, [price(level) for level in triggered[order.pk]], price_of is at_open_price) and order.oca_group:
                cancelled.add(order.oca_group)
                group = rows_read(PaperOrder, ("id",), f"{WORKING} AND oca_group = %s", self.account.pk, order.oca_group)
                rows_update(PaperOrder, ("status", "reason"), [(Status.CANCELLED.value, "OCA", pk) for (pk,) in group])

    def _prices(self, level: Level, price_of) -> list[float] | None:
        """What each symbol of an order trades at before costs; None where one of them does not."""
        prices = []
        for trade in _trades(level.symbol, level.side, level.legs):
            found = self._price(trade, level, price_of)
            if found is None:
                return None
            prices.append(found)
        return prices

    def _price(self, trade: Trade, level: Level, price_of) -> float | None:
        if parse_contract(trade.symbol) is not None:
            return self.bars.option_price(trade.symbol, trade.side) if price_of is at_open_price else None
        bar = self.bars.bar(trade.symbol)
        return bar and price_of(level.order_type, level.side, level.stop, level.limit, *bar)

    def _fill(self, order: PaperOrder, levels: list[Decimal], at_open: bool) -> bool:
        """Fill `order`; False when it is cancelled instead, because it would open or turn what it must not."""
        trades = _trades(order.symbol, order.side, order.legs)
        against = [max(Decimal(0), -trade.side.sign * self.holdings.get(trade.symbol, Decimal(0))) for trade in trades]
        units = order.quantity
        if order.reducing:
            units = min(units, *(held // trade.ratio for held, trade in zip(against, trades, strict=True)))
        if not units or (any(against) and not order.reducing):
            order.status, order.reason = Status.CANCELLED, "NOTHING_TO_REDUCE" if order.reducing else "OPPOSITE_HOLDING"
            _write(order, ("status", "reason"))
            return False
        fills = [self._trade(order, trade, units * trade.ratio, level, at_open) for trade, level in zip(trades, levels, strict=True)]
        complete = units == order.quantity
        order.status, order.reason = (Status.FILLED, "") if complete else (Status.CANCELLED, "NOTHING_TO_REDUCE")
        order.filled_quantity, order.commission = units, sum(fill.commission for fill in fills)
        order.average_fill_price = fills[0].price
        if order.legs:
            order.average_fill_price = sum(trade.side.sign * trade.ratio * fill.price for trade, fill in zip(trades, fills, strict=True))
        _write(order, ("status", "reason", "filled_quantity", "average_fill_price", "commission"))
        rows_insert(fills)
        return True

    def _trade(self, order: PaperOrder, trade: Trade, shares: Decimal, level: Decimal, at_open: bool) -> PaperFill:
        """Move holdings and cash for one symbol of an order; answers the fill, still to be written."""
        option = parse_contract(trade.symbol) is not None
        paid = level if option or order.order_type == OrderType.LIMIT else self.costs.worse(level, trade.side)
        commission = self.costs.contract_commission(shares) if option else self.costs.commission(shares, paid)
        self.holdings[trade.symbol] = self.holdings.get(trade.symbol, Decimal(0)) + trade.side.sign * shares
        self.cash -= trade.side.sign * money(shares * paid * multiplier_of(trade.symbol)) + commission
        fill_id = f"{order.client_order_id}-{self.session:%Y%m%d}"
        return PaperFill(
            account_id=self.account.pk,
            fill_id=f"{fill_id}-{trade.symbol}" if order.legs else fill_id,
            order=order,
            symbol=trade.symbol if order.legs else "",
            side=trade.side.value if order.legs else "",
            session=self.session,
            quantity=shares,
            price=paid,
            commission=commission,
            filled_at=session_open(self.session) if at_open else session_close(self.session),
        )


def _trades(symbol: str, side: str, legs: list) -> list[Trade]:
    """What an order trades: its legs, or the one symbol that it is."""
    return [Trade(leg["symbol"], Side(leg["side"]), leg["ratio"]) for leg in legs] or [Trade(symbol, Side(side), 1)]


def signed_legs(symbol: str, side: str, quantity: Decimal, legs: list) -> list[tuple[str, Decimal]]:
    """Signed shares or contracts of an order by symbol."""
    return [(trade.symbol, trade.side.sign * trade.ratio * quantity) for trade in _trades(symbol, side, legs)]


def _write(order: PaperOrder, names: tuple[str, ...]) -> None:
    rows_update(PaperOrder, names, [(*(getattr(order, name) for name in names), order.pk)])


def _restated(level: Decimal, factor: Fraction) -> Decimal:
    return price(level * factor.denominator / factor.numerator)
