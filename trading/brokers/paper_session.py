"""How one session trades on its daily bar, at the paper broker.

A bar tells the open and the range, not the path, so where both a stop and a target lie within it the stop is taken:
the result is never better than what could have happened. Order of events:

1. Before the open: splits, dividends (paid on the ex-date; borrowing and margin interest are not modelled).
2. At the open: stops the market gapped through, market orders and satisfied limits, all at the open; exits before
   entries.
3. Within the day: stops at their stop, or at the open when the order arrived after the market was through it; then
   limits at their limit, or at the open where that is better.
4. At the close: DAY orders expire.

Market and stop orders pay half the spread and slippage; limits pay neither. A symbol without a bar does not trade.
Fills are whole; volume is the business of whoever sizes the order.
"""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from math import isnan, trunc
from typing import NamedTuple
from weakref import WeakKeyDictionary

from quant_site.core.rows import objects_read, places, row_insert, rows_delete, rows_insert, rows_read, rows_update
from quant_site.core.types import Side, money, optional, price, quantity
from quant_site.market.actions import CorporateAction, corporate_actions
from quant_site.market.execution import CostModel, at_open_price, intraday_price
from quant_site.market.panel import Panel
from quant_site.market.sessions import session_close, session_open
from trading.accounting import split_ratio
from trading.models.paper import PaperAccount, PaperActivity, PaperFill, PaperHolding, PaperOrder
from trading.vocabulary import OrderType, TimeInForce

Status = PaperOrder.Status
RANK = {OrderType.STOP: 0, OrderType.MARKET: 1, OrderType.LIMIT: 2}
WORKING = "account_id = %s AND status = 'WORKING'"
LEVEL_FIELDS = ("id", "symbol", "side", "order_type", "time_in_force", "stop_price", "limit_price")
_actions: WeakKeyDictionary[Panel, dict[int, list[CorporateAction]]] = WeakKeyDictionary()


class Level(NamedTuple):
    """Where a working order would trade."""

    pk: int
    symbol: str
    side: str
    order_type: str
    time_in_force: str
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
    """One step of one session of one account, within the caller's transaction. A step answers whether it changed anything.

    The caller writes `cash` back, with how far the session has come.
    """

    def __init__(self, account: PaperAccount, bars: SessionBars, costs: CostModel):
        self.account, self.bars, self.costs, self.session = account, bars, costs, bars.session
        self.cash = account.cash
        self.held: dict[str, Decimal] | None = None
        self.working: list[Level] | None = None
        self.touched = False

    def open(self) -> bool:
        self._apply_actions()
        self._execute(at_open_price)
        return self._save()

    def trade(self) -> bool:
        self._execute(intraday_price)
        return self._save()

    def close(self) -> bool:
        if not any(level.time_in_force == TimeInForce.DAY for level in self._levels()):
            return False
        day_orders = self._working().filter(time_in_force=TimeInForce.DAY, session__lt=self.session)
        return day_orders.update(status=Status.EXPIRED, reason="SESSION_ENDED") > 0

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
        changed = {symbol: held for symbol, held in sorted(self.holdings.items()) if held != self.held.get(symbol, 0)}
        rows_delete(PaperHolding, [self.rows[symbol] for symbol, held in changed.items() if not held])
        kept = {symbol: held for symbol, held in changed.items() if held}
        rows_update(PaperHolding, ("quantity",), [(held, self.rows[symbol]) for symbol, held in kept.items() if symbol in self.rows])
        added = [symbol for symbol in kept if symbol not in self.rows]
        rows_insert([PaperHolding(account_id=self.account.pk, symbol=symbol, quantity=kept[symbol]) for symbol in added])
        self.held, self.touched = None, False
        return True

    # --- splits and dividends

    def _apply_actions(self) -> None:
        for action in self.bars.actions():
            self.working = None
            if action.kind == "SPLIT":
                self._split(action)
            else:
                held = self.holdings.get(action.symbol, Decimal(0))
                self._book(action, held, money(held * action.value))

    def _split(self, action: CorporateAction) -> None:
        """Multiply the holding, pay its fraction in cash at the last close, and restate the working orders."""
        factor = split_ratio(action.value)
        before = self.holdings.get(action.symbol, Decimal(0))
        if before:
            exact = Fraction(before) * factor
            fraction = (exact - trunc(exact)) / factor
            close = self.bars.previous_close(action.symbol) or Decimal(0)
            self.holdings[action.symbol] = Decimal(trunc(exact))
            self._book(action, before, money(close * fraction.numerator / fraction.denominator))
        for order in self._working().filter(symbol=action.symbol).order_by("id"):
            order.quantity = Decimal(trunc(Fraction(order.quantity) * factor))
            order.limit_price = optional(_restated, order.limit_price, factor)
            order.stop_price = optional(_restated, order.stop_price, factor)
            order.split_ratio = quantity(order.split_ratio * factor.numerator / factor.denominator)
            if not order.quantity:
                order.status, order.reason = Status.CANCELLED, "SPLIT_TO_NOTHING"
            _write(order, ("quantity", "limit_price", "stop_price", "split_ratio", "status", "reason"))
            self.touched = True

    def _book(self, action: CorporateAction, held: Decimal, amount: Decimal) -> None:
        if not held:
            return
        self.cash += amount
        self.touched = True
        PaperActivity.objects.create(
            account_id=self.account.pk,
            activity_id=f"{action.symbol}-{self.session:%Y%m%d}-{action.kind}",
            kind=action.kind,
            session=self.session,
            symbol=action.symbol,
            quantity=held,
            per_share=price(action.value),
            amount=amount,
        )

    # --- executions

    def _execute(self, price_of) -> None:
        """Fill the orders that trade. Which do is decided on plain floats; only those are read as rows."""
        triggered = {}
        for level in self._levels():
            bar = self.bars.bar(level.symbol)
            traded = bar and price_of(level.order_type, level.side, level.stop, level.limit, *bar)
            if traded is not None:
                triggered[level.pk] = traded
        if not triggered:
            return
        self.touched, self.working = True, None
        orders = sorted(
            objects_read(PaperOrder, f"id IN {places(triggered)}", *triggered),
            key=lambda order: (order.reducing is False, RANK[order.order_type], order.pk),
        )
        cancelled: set[str] = set()
        for order in orders:
            if order.oca_group and order.oca_group in cancelled:
                continue
            if self._fill(order, price(triggered[order.pk]), price_of is at_open_price) and order.oca_group:
                cancelled.add(order.oca_group)
                group = rows_read(PaperOrder, ("id",), f"{WORKING} AND oca_group = %s", self.account.pk, order.oca_group)
                rows_update(PaperOrder, ("status", "reason"), [(Status.CANCELLED.value, "OCA", pk) for (pk,) in group])

    def _fill(self, order: PaperOrder, level: Decimal, at_open: bool) -> bool:
        """Fill `order`; False when it is cancelled instead, because it would open or turn what it must not."""
        side = Side(order.side)
        held = self.holdings.get(order.symbol, Decimal(0))
        against = max(Decimal(0), -side.sign * held)
        shares = min(order.quantity, against) if order.reducing else order.quantity
        if not shares or (against and not order.reducing):
            order.status, order.reason = Status.CANCELLED, "NOTHING_TO_REDUCE" if order.reducing else "OPPOSITE_HOLDING"
            _write(order, ("status", "reason"))
            return False
        paid = level if order.order_type == OrderType.LIMIT else self.costs.worse(level, side)
        commission = self.costs.commission(shares, paid)
        self.holdings[order.symbol] = held + side.sign * shares
        self.cash -= side.sign * money(shares * paid) + commission
        complete = shares == order.quantity
        order.status, order.reason = (Status.FILLED, "") if complete else (Status.CANCELLED, "NOTHING_TO_REDUCE")
        order.filled_quantity, order.average_fill_price, order.commission = shares, paid, commission
        _write(order, ("status", "reason", "filled_quantity", "average_fill_price", "commission"))
        fill = PaperFill(
            account_id=self.account.pk,
            fill_id=f"{order.client_order_id}-{self.session:%Y%m%d}",
            order=order,
            session=self.session,
            quantity=shares,
            price=paid,
            commission=commission,
            filled_at=session_open(self.session) if at_open else session_close(self.session),
        )
        row_insert(fill)
        return True


def _write(order: PaperOrder, names: tuple[str, ...]) -> None:
    rows_update(PaperOrder, names, [(*(getattr(order, name) for name in names), order.pk)])


def _restated(level: Decimal, factor: Fraction) -> Decimal:
    return price(level * factor.denominator / factor.numerator)
