"""What a case is about: what is wanted, and what people and the market do meanwhile.

Every act can be done again: it brings something about rather than adding to it. So whoever takes over from a dead process
goes through all acts from the beginning.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from quant_site.core.models import Account
from tests.fake_tiger.client import FakeTigerError
from tests.harness.real_account import EXTERNAL, OPTIONS, PRICE, Desk
from trading.models import Order
from trading.order_path.changes import order_change_request
from trading.order_path.orders import order_cancel_request, order_create
from trading.order_path.rows import account_halt
from trading.order_path.states import OPEN, WORKING
from trading.vocabulary import OrderType, Origin, Purpose, TimeInForce

D = Decimal
BELOW = PRICE - 1
STOP, TARGET = D(95), D(120)
LEGS = {identifier: (side, paid) for (identifier, paid), side in zip(OPTIONS.items(), ("BUY", "SELL"), strict=True)}


@dataclass
class Case:
    """One account and what became of it: `halted_at` is the number of calls the exchange had heard when it was halted."""

    desk: Desk
    account: Account
    notes: dict[str, Any] = field(default_factory=dict)

    def orders(self, **where):
        return Order.objects.filter(account=self.account, **where).order_by("pk")

    def first(self) -> Order:
        return self.orders(purpose=Purpose.ENTRY).first()

    def wants(self, symbol: str, quantity: int, *, limit: Decimal | None = None, key: str = "", **fields) -> Order:
        return order_create(
            account=self.account, purpose=Purpose.ENTRY, symbol=symbol, side="BUY", quantity=quantity, session=self.desk.day(),
            order_type=OrderType.MARKET if limit is None else OrderType.LIMIT, limit_price=limit, decision_price=PRICE,
            time_in_force=TimeInForce.DAY, origin=Origin.MANUAL, key=f"{symbol} {quantity} {key}", **fields,
        )  # fmt: skip

    # --- the market

    def filled_to(self, order: Order, quantity: int, price: Decimal, **where) -> None:
        """See to it that so much of the order is filled at the exchange, where it has it and it still works."""
        for known in self.desk.exchange.journal.orders(user_mark=order.client_order_id):
            if known.filled < quantity and known.working:
                self.exchange(lambda at=known: self.desk.exchange.fill(at.id, quantity=quantity - at.filled, price=price, **where))

    def exchange(self, act: Callable[[], Any]) -> Any:
        """Something that may have become impossible meanwhile."""
        try:
            return act()
        except FakeTigerError:
            return None


Act = Callable[[Case], Any]


def round_(case: Case) -> None:
    case.desk.round(case.account)


def starts(case: Case) -> None:
    case.desk.starts(case.account)


def part(quantity: int, price: Decimal = BELOW) -> Act:
    return lambda case: case.filled_to(case.first(), quantity, price)


def stop_trades(case: Case) -> None:
    for order in case.orders(purpose=Purpose.STOP):
        case.filled_to(order, int(order.quantity), STOP)


def cancel_wanted(case: Case) -> None:
    order = case.first()
    if order.status in OPEN and not order.cancel_requested:
        order_cancel_request(order=order, actor=case.account.owner)


def change_wanted(case: Case) -> None:
    order = case.first()
    if order.status in WORKING and not order.cancel_requested and not order.wanted and order.quantity != 5 and order.filled_quantity < 5:
        order_change_request(order=order, changes={"quantity": D(5)}, actor=case.account.owner)


def halt(case: Case) -> None:
    """Somebody throws the kill switch, and an order is wanted all the same."""
    if "halted" not in case.notes:
        account_halt(case.account.pk, "TEST", "Somebody pulled the plug.")
        case.wants("BBB", 3, key="while halted")
        case.notes["halted"] = True


def others_deal(case: Case) -> None:
    """The phone app orders, and shares arrive from elsewhere."""
    if not case.desk.exchange.journal.orders(account=case.account.broker_account, external=True):
        fields = {"account": case.account.broker_account, "limit_price": "90"}
        case.desk.exchange.external_order(EXTERNAL, "BUY", 5, **fields)
        case.desk.exchange.external_position("DDD", 7, price=PRICE, account=case.account.broker_account)


def others_fill(case: Case) -> None:
    for known in case.desk.exchange.journal.orders(account=case.account.broker_account, external=True):
        if known.working:
            case.exchange(lambda at=known: case.desk.exchange.fill(at.id, price="90"))


def nothing(case: Case) -> None:
    """What is wanted comes later."""


def guarded(case: Case) -> None:
    case.wants("AAA", 9, stop_loss=STOP, take_profit=TARGET)


def rests(case: Case) -> None:
    case.wants("AAA", 9, limit=BELOW)


def rests_guarded(case: Case) -> None:
    case.wants("AAA", 9, limit=BELOW, stop_loss=STOP, take_profit=TARGET)


def four(case: Case) -> None:
    """Two of them fit into the limit."""
    for symbol in ("AAA", "BBB", "CCC", "DDD"):
        case.wants(symbol, 20)


def two(case: Case) -> None:
    case.wants("AAA", 4)
    case.wants("CCC", 4)


def structure(case: Case) -> None:
    legs = [{"symbol": "".join(symbol.split()), "side": side, "ratio": 1, "decision": paid} for symbol, (side, paid) in LEGS.items()]
    order_create(
        account=case.account, purpose=Purpose.ENTRY, symbol="AAA/vertical", side="BUY", quantity=2, session=case.desk.day(),
        order_type=OrderType.LIMIT, limit_price=D("2.40"), legs=legs, group="AAA/vertical", origin=Origin.MANUAL, key="vertical",
    )  # fmt: skip


def leg_by_leg(case: Case) -> None:
    """One leg is filled in full, then the other."""
    for known in case.desk.exchange.journal.orders(user_mark=case.first().client_order_id):
        for number in range(len(known.legs)):
            if known.legs[number].filled == 0 and known.working:
                paid = [str(price) for _, price in LEGS.values()]
                case.exchange(lambda at=known, n=number, paid=paid: case.desk.exchange.fill(at.id, prices=paid, legs=[n]))


@dataclass(frozen=True)
class Story:
    """`begins` with the account's process started by a broker's comparison; else it is taken as started."""

    wants: Act
    acts: tuple[Act, ...]
    compares: bool = False


STORIES: Mapping[str, Story] = {
    "bracket": Story(guarded, (round_, round_, round_)),
    "parts": Story(rests_guarded, (round_, part(2), round_, round_, part(6), round_, part(9), round_)),
    "exit": Story(guarded, (round_, round_, stop_trades, round_, round_)),
    "combo": Story(structure, (round_, leg_by_leg, round_, round_)),
    "cancel": Story(rests, (round_, part(3), cancel_wanted, round_, round_)),
    "change": Story(rests, (round_, change_wanted, round_, part(2), round_)),
    "outside": Story(nothing, (others_deal, starts, two, round_, others_fill, round_), compares=True),
    "tight": Story(four, (round_, round_)),
    "halt": Story(two, (round_, halt, round_)),
}
