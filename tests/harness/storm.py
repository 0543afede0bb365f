"""A live broker in a storm: it loses requests and replies, takes orders late, lags, tells twice, and lets its callers die.

What it accepted and executed is the truth that a machine compares the books with. Whatever reaches `place` is looked at by
an oracle of its own at that moment: may this be sent at all, by the rows of the database alone?
"""

import random
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

from quant_site.core import clock
from quant_site.core.models import Account
from quant_site.market.sessions import market_is_open
from tests.live_world import LiveDouble
from trading.brokers.base import (
    CANCELLED,
    EXPIRED,
    EXTERNAL,
    FILLED,
    REJECTED,
    WORKING,
    Ack,
    BrokerFill,
    BrokerOrder,
    BrokerRefused,
    BrokerUnclear,
    Evidence,
    LiveQuote,
    OrderRequest,
    external_id,
)
from trading.models import Arming, Fill, Order, Position, Reconciliation, SenderBoot, SymbolHalt

D = Decimal
LATE, REFUSED, INACTIVE = "accepted after the timeout", "refused", "accepted and rejected"
LOST_REQUEST, LOST_REPLY = "lost request", "lost reply"
DIES_BEFORE, DIES_AFTER = "dies before the call", "dies after the call"
ORDER_FAULTS = ("", REFUSED, INACTIVE, LOST_REQUEST, LOST_REPLY, LATE, DIES_BEFORE, DIES_AFTER)
CALL_FAULTS = ("", REFUSED, LOST_REQUEST, LOST_REPLY, LATE, DIES_BEFORE, DIES_AFTER)
PRICE = D(100)


class Died(BaseException):
    """A kill -9."""


@dataclass
class StormDouble(LiveDouble):
    """`storms` holds what happens to the next calls of place, cancel and modify, in order; `outage` how many of the next
    questions get no answer. `limit` is the gross exposure in dollars that the account may have."""

    account_id: str = ""
    limit: Decimal = field(default_factory=Decimal)
    storms: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    outage: int = 0
    lagging: bool = False
    hidden_fills: int = 0
    telling: random.Random | None = None
    before: dict[str, BrokerOrder] = field(default_factory=dict)
    days: dict[str, str] = field(default_factory=dict)
    underway: list[tuple] = field(default_factory=list)
    accepted: Counter = field(default_factory=Counter)
    refused: set[str] = field(default_factory=set)
    outside: set[str] = field(default_factory=set)
    broken: list[str] = field(default_factory=list)
    numbers: int = 0

    # --- orders go out

    def reserve(self, account_id: str) -> str:
        self._asked()
        self.numbers += 1
        return f"R{self.numbers}"

    def place(self, request: OrderRequest) -> Ack:
        fault = self._fault("place")
        if fault == DIES_BEFORE:
            raise Died
        self._judge(request)
        if fault == REFUSED:
            self.refused.add(request.client_order_id)
            raise BrokerRefused("NO_FUNDS", "The broker says no.")
        if fault == LOST_REQUEST:
            raise BrokerUnclear("TIMEOUT", "No reply.")
        if fault == LATE:
            self.underway.append(("place", request))
            raise BrokerUnclear("TIMEOUT", "No reply.")
        number = self.accept(request)
        if fault == INACTIVE:
            self.ends(request.client_order_id, REJECTED, "Rejected by the exchange.")
        self._after(fault)
        return Ack(number)

    def cancel(self, account_id: str, client_order_id: str) -> None:
        self._change("cancel", client_order_id, ())

    def modify(self, account_id, client_order_id, quantity, limit_price, stop_price) -> None:
        order = self.book[client_order_id]
        if order.status != WORKING or quantity <= order.filled_quantity:
            raise BrokerRefused("NOT_WORKING", f"It is {order.status}.")
        self._change("modify", client_order_id, (quantity, limit_price, stop_price))

    def _change(self, what: str, key: str, values: tuple) -> None:
        fault = self._fault(what)
        if fault == DIES_BEFORE:
            raise Died
        if fault == REFUSED and what == "modify":
            raise BrokerRefused("NOT_NOW", "The broker says no.")
        if fault == LOST_REQUEST:
            raise BrokerUnclear("TIMEOUT", "No reply.")
        if fault == LATE:
            self.underway.append((what, key, *values))
            return
        self._arrive(what, key, *values)
        self._after(fault)

    def _arrive(self, what: str, key: str, *values) -> None:
        order = self.book.get(key)
        if order is None or order.status != WORKING:
            return
        if what == "cancel":
            self._put(replace(order, status=CANCELLED, reason="REQUESTED"))
        elif values[0] > order.filled_quantity:
            self._put(replace(order, quantity=values[0], limit_price=values[1], stop_price=values[2]))
            if values[0] > order.quantity and self.gross() > self.limit:
                self.broken.append(f"{self.gross()} are held or ordered with a change of {key}, {self.limit} are allowed")

    @staticmethod
    def _after(fault: str) -> None:
        if fault == LOST_REPLY:
            raise BrokerUnclear("HTTP_502", "Bad gateway.")
        if fault == DIES_AFTER:
            raise Died

    def _fault(self, method: str) -> str:
        self.calls.append(method)
        return self.storms[method].pop(0) if self.storms[method] else ""

    def accept(self, request: OrderRequest) -> str:
        """The order is in the broker's book, whoever still waits for the answer."""
        key = request.client_order_id
        self.accepted[key] += 1
        if self.accepted[key] > 1:
            return self.book[key].broker_order_id
        self.placed.append(request)
        number = f"B{len(self.placed)}"
        self.days[key] = request.time_in_force
        self.book[key] = BrokerOrder(
            key, number, WORKING, request.quantity, request.limit_price, request.stop_price, D(0), None, D(0),
            symbol=request.symbol, side=request.side, order_type=request.order_type,
        )  # fmt: skip
        if not request.reducing and self.gross() > self.limit:
            self.broken.append(f"{self.gross()} are held or ordered with {request}, {self.limit} are allowed")
        return number

    def arrive_late(self) -> None:
        """What was underway when its sender gave up waiting arrives."""
        while self.underway:
            what, *rest = self.underway.pop(0)
            if what == "place":
                self.accept(rest[0])
            else:
                self._arrive(what, *rest)

    def _judge(self, request: OrderRequest) -> None:
        """Why this order must not be sent now, by rows that no module of the order path reads for us."""
        account = Account.objects.get(pk=self.account_id)
        boot = SenderBoot.objects.order_by("-pk").first()
        trades = {request.symbol}
        unknown = Order.objects.filter(account=account, status="UNKNOWN", symbol__in=trades).exclude(
            client_order_id=request.client_order_id
        )
        row = Order.objects.get(client_order_id=request.client_order_id)
        found = {
            "its account is halted": account.state == Account.State.HALTED,
            "its account only reduces": account.state == Account.State.REDUCING and not request.reducing,
            "nobody armed the account": not Arming.objects.filter(open_key=account.pk, boot=boot).exists(),
            "nothing was compared since the start": not Reconciliation.objects.filter(account=account, boot=boot).exists(),
            "an order of its symbol is unknown": unknown.exists(),
            "its symbol is halted": not request.reducing
            and SymbolHalt.objects.filter(account=account, symbol=request.symbol).exclude(open_key=None).exists(),
            "the market is closed": not market_is_open(clock.now()),
            "it is not claimed": (row.status, row.fence) != ("SENDING", request.fence),
            "it was sent before": any(sent.client_order_id == request.client_order_id for sent in self.placed),
            "more would be closed than is held": request.reducing
            and self._closing(request) + request.quantity > self._held(request.symbol),
        }
        self.broken += [f"{request} was sent though {why}" for why, true in found.items() if true]

    def _closing(self, request: OrderRequest) -> Decimal:
        """What works already to close the same in the same way."""
        same = [sent for sent in self.placed if sent.reducing and (sent.symbol, sent.order_type) == (request.symbol, request.order_type)]
        orders = [self.book[sent.client_order_id] for sent in same]
        return sum((order.quantity - order.filled_quantity for order in orders if order.status == WORKING), D(0))

    def _held(self, symbol: str) -> Decimal:
        """As far as we know."""
        held = Position.objects.filter(account_id=self.account_id, symbol=symbol, exit_session=None).values_list("quantity", flat=True)
        return abs(sum(held, D(0)))

    # --- questions

    def _asked(self) -> None:
        if self.outage > 0:
            self.outage -= 1
            raise BrokerUnclear("HTTP_503", "Service unavailable.")

    def find(self, account_id: str, client_order_id: str, fence: int) -> Evidence:
        self._asked()
        return Evidence(self._seen().get(client_order_id), final=False)

    def orders(self, account_id: str, client_order_ids: Iterable[str]) -> dict[str, BrokerOrder]:
        self._asked()
        seen = self._seen()
        return {key: seen[key] for key in client_order_ids if key in seen}

    def open_orders(self, account_id: str) -> list[BrokerOrder]:
        self._asked()
        return [order for order in self._seen().values() if order.status == WORKING]

    def fills(self, account_id: str, session: date) -> list[BrokerFill]:
        """Those of the session, and every one that is not written yet; perhaps out of order, told twice, or behind (of our orders:
        a position that nothing explains yet would be adopted)."""
        self._asked()
        written = set(Fill.objects.filter(account_id=account_id).values_list("fill_id", flat=True))
        own = [fill.fill_id for fill in self.done if not fill.client_order_id.startswith(EXTERNAL)]
        hidden = set(own[-self.hidden_fills :]) - written if self.hidden_fills else set()
        new = [fill for fill in self.done if fill.session == session or fill.fill_id not in written]
        found = [fill for fill in new if fill.fill_id not in hidden]
        if self.telling is not None:
            found = self.telling.sample(found + found[::2], len(found + found[::2]))
        return found

    def positions(self, account_id: str) -> dict[str, Decimal]:
        self._asked()
        return super().positions(account_id)

    def cash(self, account_id: str) -> Decimal:
        self._asked()
        return self.balance

    def equity(self, account_id: str) -> Decimal | None:
        self._asked()
        return self.worth()

    def quote(self, symbol: str) -> LiveQuote | None:
        self._asked()
        return super().quote(symbol)

    def _seen(self) -> dict[str, BrokerOrder]:
        return self.book | self.before if self.lagging else self.book

    # --- what the market does

    def _put(self, order: BrokerOrder) -> None:
        self.before[order.client_order_id] = self.book[order.client_order_id]
        self.book[order.client_order_id] = order

    def caught_up(self) -> None:
        """No answer lags behind any more."""
        self.lagging, self.hidden_fills, self.telling, self.outage = False, 0, None, 0
        self.before.clear()
        self.storms.clear()

    def fill(self, client_order_id: str, quantity, price) -> None:
        order = self.book[client_order_id]
        super().fill(client_order_id, quantity, price)
        self.before[client_order_id] = order

    def ends(self, client_order_id: str, status: str = EXPIRED, reason: str = "") -> None:
        self._put(replace(self.book[client_order_id], status=status, reason=reason))

    def elsewhere(self, symbol: str, side: str, quantity) -> str:
        """Somebody places an order from another program. A broker's numbers are its own, whatever account they are of."""
        key = external_id(f"{self.account_id}-{len(self.book) + 1}")
        number = key.removeprefix(EXTERNAL)
        self.book[key] = BrokerOrder(
            key, number, WORKING, D(quantity), D(90), None, D(0), None, D(0), symbol=symbol, side=side, order_type="LMT"
        )
        return key

    def close(self) -> None:
        """The day's orders end with it."""
        for key, order in list(self.book.items()):
            if order.status == WORKING and self.days.get(key) == "DAY":
                self.ends(key)

    # --- the truth

    def worth(self) -> Decimal:
        return self.balance + sum(held * self.quotes[symbol] for symbol, held in self.held.items())

    def gross(self) -> Decimal:
        """Dollars held and on order by entries of ours at this moment, those underway included; what somebody else did is left out."""
        own = Counter({symbol: held for symbol, held in self.held.items() if symbol not in self.outside})
        for key, order in self.book.items():
            if key.startswith(EXTERNAL):
                own[order.symbol] -= order.filled_quantity if order.side == "BUY" else -order.filled_quantity
        total = sum((abs(held) * PRICE for held in own.values()), D(0))
        for request in (each for each in self.placed if not each.reducing):
            order = self.book[request.client_order_id]
            if order.status == WORKING:
                total += (order.quantity - order.filled_quantity) * min(order.limit_price or PRICE, PRICE)
        late = [rest[0] for what, *rest in self.underway if what == "place" and not rest[0].reducing]
        return total + sum((request.quantity * min(request.limit_price or PRICE, PRICE) for request in late), D(0))

    def left(self, key: str) -> Decimal:
        """What of a working order may trade now: a sale never more than is held, as a broker would see to it."""
        order = self.book[key]
        rest = order.quantity - order.filled_quantity
        request = next((each for each in self.placed if each.client_order_id == key), None)
        return min(rest, abs(self.held.get(order.symbol, D(0)))) if request is not None and request.reducing else rest


__all__ = ["CALL_FAULTS", "FILLED", "ORDER_FAULTS", "PRICE", "Died", "StormDouble"]
