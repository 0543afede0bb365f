"""OrderExecutor: validated signals become orders, and orders tell what became of their signals.

A signal becomes EXECUTING in the transaction that writes its orders' intents; sending follows. Whoever repeats this
after a crash finds the signal either still VALIDATED without orders, or EXECUTING with all of them. The options of a
structure are one order, all of which trades or nothing; shares are ordered one by one.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from django.db import transaction
from django.db.models import prefetch_related_objects

from quant_site.core.models import Account
from quant_site.core.rows import objects_follow, objects_read, places, rows_read
from quant_site.core.types import Direction, Side
from quant_site.market.options.closing import closing_mid
from quant_site.market.options.contracts import parse_contract
from quant_site.market.panel import Panel
from signals_app.models import TradingSignal
from signals_app.services import in_execution_order, signal_move
from signals_app.states import SignalStatus
from strategies.exits import reductions
from strategies.units import legs_together
from trading.brokers.base import Broker
from trading.models import Fill, Order, Position
from trading.order_path.exits import exits_open, reduces, trade_exits
from trading.order_path.legs import is_even, legs_of
from trading.order_path.orders import order_cancel, order_create, orders_recover, orders_send_ready
from trading.order_path.states import OPEN, TERMINAL, OrderStatus
from trading.vocabulary import LEAVING, OrderType, Purpose

EXECUTING = "account_id = %s AND signal_status = 'EXECUTING' ORDER BY id"
# The orders that decide what becomes of a signal; stops and targets belong to its position.
DECIDING = "purpose IN ('ENTRY', 'EXIT', 'REDUCE')"
TRADE = "account_id = %s AND strategy_id = %s AND exit_session IS NULL ORDER BY symbol, id"
FAILURES = frozenset({OrderStatus.DENIED, OrderStatus.REJECTED})


class OrderExecutor:
    """Works for one account in one session; the caller holds the account's loop lock. `panel` gives decision prices."""

    def __init__(self, account: Account, broker: Broker, session: date, panel: Panel | None = None):
        self.account, self.broker, self.session = account, broker, session
        self.panel = panel or getattr(broker, "panel", None)

    def execute_signal_batch(self, signals: Sequence[TradingSignal]) -> dict:
        """Send the orders of the VALIDATED ones of `signals`, closes first; also finishes what an earlier call began.

        At a broker on the live clock they are only written: the account's rounds send them, in regular hours.
        """
        if self.broker.simulated:
            orders_recover(self.account, self.broker, session=self.session)
        prefetch_related_objects(signals, "strategy")
        ordered = [signal for signal in in_execution_order(signals) if signal.signal_status == SignalStatus.VALIDATED]
        for signal in ordered:
            self._execute_single_signal(signal)
        sent = orders_send_ready(self.account, self.broker) if ordered and self.broker.simulated else []
        return {"signals": len(ordered), "orders": len(sent), **(self.monitor_order_status() if signals else {})}

    def monitor_order_status(self) -> dict:
        """Conclude the signals whose orders have ended; answers how many became what."""
        ids = self._movable()
        if not ids:
            return {}
        signals = objects_read(TradingSignal, f"id IN {places(ids)} AND signal_status = 'EXECUTING'", *ids)
        objects_follow(signals, "strategy")
        signals.sort(key=lambda signal: (signal.session, signal.strategy.key, signal.symbol, signal.direction))
        orders = defaultdict(list)
        for order in objects_read(Order, f"signal_id IN {places(ids)} ORDER BY leg, id", *ids):
            orders[order.signal_id].append(order)
        concluded: dict[str, int] = defaultdict(int)
        for signal in signals:
            if self._conclude(signal, orders[signal.pk]):
                concluded[str(signal.signal_status).lower()] += 1
        return dict(concluded)

    def _movable(self) -> list[int]:
        """Signals that are EXECUTING while not every order of theirs is open: the others have nothing to conclude."""
        ids = [row[0] for row in rows_read(TradingSignal, ("id",), EXECUTING, self.account.pk)]
        if not ids:
            return []
        statuses = defaultdict(list)
        for signal, status in rows_read(Order, ("signal_id", "status"), f"signal_id IN {places(ids)} AND {DECIDING}", *ids):
            statuses[signal].append(status)
        return [pk for pk in ids if not statuses[pk] or any(status not in OPEN for status in statuses[pk])]

    def cancel_signal(self, signal: TradingSignal) -> TradingSignal:
        """Take a signal back. Orders that are out are asked to be cancelled; what was filled before that stands."""
        if signal.signal_status in (SignalStatus.PENDING, SignalStatus.VALIDATED):
            return signal_move(signal, SignalStatus.CANCELLED)
        if signal.signal_status == SignalStatus.EXECUTING:
            for order in signal.orders.filter(status__in=OPEN, purpose__in=_purposes(signal)).order_by("leg", "pk"):
                order_cancel(order, self.broker, reason="SIGNAL_CANCELLED")
            self._conclude(signal, list(signal.orders.order_by("leg", "pk")))
        return signal

    # --- from a signal to orders

    def _execute_single_signal(self, signal: TradingSignal) -> list[Order]:
        """Write the intents of one signal and move it to EXECUTING, in one transaction."""
        if signal.direction == Direction.CLOSE:
            return self._execute_close(signal)
        missing = [leg["symbol"] for leg in signal.legs if not leg["quantity"] or leg["quantity"] < 0]
        if missing or not signal.legs:
            message = f"There is nothing to order in {', '.join(missing) or 'a signal without legs'}."
            signal_move(signal, SignalStatus.REJECTED, validation_errors=[_error("NO_QUANTITY", message)])
            return []
        with transaction.atomic():
            orders = [order_create(**params) for params in self._calculate_order_params(signal)]
            signal_move(signal, SignalStatus.EXECUTING)
        return orders

    def _calculate_order_params(self, signal: TradingSignal) -> list[dict]:
        """Market orders of an entry for the next session: one for the options of a structure, one for each other leg.

        An option that is sold against shares comes last: a broker that takes orders one by one must find it covered.
        """
        together = legs_together(leg["symbol"] for leg in signal.legs)
        alone = [numbered for numbered in enumerate(signal.legs) if numbered[1]["symbol"] not in together]
        orders = [
            {
                "leg": number,
                "symbol": leg["symbol"],
                "side": Side.BUY if leg["direction"] == Direction.LONG else Side.SELL,
                "quantity": leg["quantity"],
                "decision_price": self._decision_price(signal, leg["symbol"]),
            }
            for number, leg in sorted(alone, key=lambda numbered: _sold_last(numbered[1]))
        ]
        if together:
            orders.append(self._structure_params(signal, together))
        same = {
            "account": self.account,
            "signal": signal,
            "purpose": Purpose.ENTRY,
            "order_type": OrderType.MARKET,
            "session": self.session,
        }
        return [same | order for order in orders]

    def _structure_params(self, signal: TradingSignal, together: list[str]) -> dict:
        number = next(number for number, leg in enumerate(signal.legs) if leg["symbol"] in together)
        signed = {leg["symbol"]: Direction(leg["direction"]).sign * leg["quantity"] for leg in signal.legs if leg["symbol"] in together}
        units, legs = legs_of(signed, {symbol: self._decision_price(signal, symbol) for symbol in together})
        return {
            "leg": number,
            "symbol": signal.symbol,
            "group": signal.symbol,
            "side": Side.BUY,
            "quantity": units,
            "legs": legs,
        }

    def _execute_close(self, signal: TradingSignal) -> list[Order]:
        """Exits for what is open of the signal's trade, or for the part of it that the signal names."""
        held = objects_read(Position, TRADE, self.account.pk, signal.strategy_id)
        positions = [position for position in held if position.group == signal.symbol]
        for position in positions:
            position.account = self.account
        portion = signal.signal_metadata.get("portion", 1.0)
        return self._exit(signal, positions) if portion >= 1 else self._reduce(signal, positions, portion)

    def _exit(self, signal: TradingSignal, positions: list[Position]) -> list[Order]:
        """Orders for all of each position, once its stops, targets and reductions are out of the way."""
        for order in exits_open(positions):
            if order.purpose != Purpose.EXIT:
                order_cancel(order, self.broker, reason="POSITION_CLOSES")
        with transaction.atomic():
            exiting = [order for order in exits_open(positions) if order.purpose == Purpose.EXIT]
            staying = [position for position in positions if not any(reduces(order, position) for order in exiting)]
            orders = trade_exits(staying, session=self.session, signal=signal)
            if orders:
                signal_move(signal, SignalStatus.EXECUTING)
            else:
                self._nothing_to_close(signal, "The trade is being closed already." if positions else "Nothing of the trade is open.")
        return orders

    def _reduce(self, signal: TradingSignal, positions: list[Position], portion: float) -> list[Order]:
        """Orders for a part of each position, which stays open; its stop and target follow once they are filled."""
        with transaction.atomic():
            if any(order.purpose in LEAVING for order in exits_open(positions)):
                return self._nothing_to_close(signal, "The trade is being closed already.")
            parts = reductions({position.symbol: position.quantity for position in positions}, portion)
            if not parts:
                why = f"A share of {portion:g} of the trade is less than one unit." if positions else "Nothing of the trade is open."
                return self._nothing_to_close(signal, why)
            orders = trade_exits(positions, session=self.session, signal=signal, parts=parts)
            signal_move(signal, SignalStatus.EXECUTING)
        return orders

    def _nothing_to_close(self, signal: TradingSignal, why: str) -> list[Order]:
        signal_move(signal, SignalStatus.CANCELLED, validation_errors=[_error("NOTHING_TO_CLOSE", why)])
        return []

    def _decision_price(self, signal: TradingSignal, symbol: str):
        """The raw close of the session the decision was made on, of an option its mid."""
        if self.panel is not None and parse_contract(symbol):
            return closing_mid(self.panel, symbol, self.panel.index(signal.session))
        if self.panel is not None and symbol in self.panel:
            close = self.panel.close[self.panel.row(symbol), self.panel.index(signal.session)]
            return float(close)
        return signal.entry_price if symbol == signal.symbol else None

    # --- from orders to the signal

    def _conclude(self, signal: TradingSignal, orders: list[Order]) -> bool:
        """Move the signal to where its orders have put it; False while that is open.

        Orders of an entry belong together: where one is dead the others are called back, and what was filled of them is
        closed (`positions_protect` does, since the signal FAILED). So is a structure of which a broker filled other than whole
        units.
        """
        closing = signal.direction == Direction.CLOSE
        entries = [order for order in orders if order.purpose in _purposes(signal)]
        dead = [order for order in entries if order.status in TERMINAL and order.status != OrderStatus.FILLED]
        if dead and not closing:
            for order in entries:
                if order.status in OPEN:
                    order_cancel(order, self.broker, reason="OTHER_LEG_FAILED")
        if any(order.status in OPEN for order in entries):
            return False
        legs = _leg_fills(dead)
        filled = [order for order in entries if order.filled_quantity or legs.get(order.pk)]
        whole = all(is_even(order.legs, legs[order.pk]) for order in dead if order.pk in legs)
        if filled and (closing or not dead or (len(entries) == 1 and whole)):
            self._executed(signal, filled, dead)
        elif filled or any(order.status in FAILURES for order in dead):
            signal_move(signal, SignalStatus.FAILED, validation_errors=[_leg_error(order) for order in dead])
        else:
            expired = any(order.status == OrderStatus.EXPIRED for order in dead)
            to = SignalStatus.EXPIRED if expired else SignalStatus.CANCELLED
            signal_move(signal, to, validation_errors=[_leg_error(order) for order in dead])
        return True

    def _executed(self, signal: TradingSignal, filled: list[Order], dead: list[Order]) -> None:
        ids = [order.pk for order in filled]
        at = max(row[0] for row in rows_read(Fill, ("filled_at",), f"order_id IN {places(ids)}", *ids))
        errors = {"validation_errors": [_leg_error(order) for order in dead]} if dead else {}
        signal_move(signal, SignalStatus.EXECUTED, executed_at=at, **errors)


def _purposes(signal: TradingSignal) -> frozenset[Purpose]:
    return LEAVING if signal.direction == Direction.CLOSE else frozenset({Purpose.ENTRY})


def _leg_fills(orders: list[Order]) -> dict[int, dict[str, Decimal]]:
    """Contracts filled by symbol, of those `orders` that have several legs and any fill."""
    ids = [order.pk for order in orders if order.legs]
    filled: dict[int, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    rows = rows_read(Fill, ("order_id", "symbol", "quantity"), f"order_id IN {places(ids)}", *ids) if ids else []
    for order, symbol, quantity in rows:
        filled[order][symbol] += quantity
    return dict(filled)


def _sold_last(leg: dict) -> bool:
    return leg["direction"] == Direction.SHORT and parse_contract(leg["symbol"]) is not None


def _leg_error(order: Order) -> dict:
    code, colon, message = order.status_reason.partition(": ")
    sentence = message if colon else f"{order} became {order.status}."
    return _error(code or order.status, sentence, symbol=order.symbol)


def _error(code: str, message: str, **more) -> dict:
    return {"code": code, "message": message, "limit": None, "value": None, **more}
