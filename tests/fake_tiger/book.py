"""The account books: a fold over the journal's records, the same for the running broker and for a test that reads them.

`apply` takes one record and changes the books; nothing else does. A record that the fold does not know (calls, quotes) is
of no account."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tests.fake_tiger.contracts import Contract, optional

WORKING = frozenset({"Initial", "PendingSubmit", "Submitted", "PendingCancel"})
ZERO = Decimal(0)


@dataclass(slots=True)
class Leg:
    """One contract of a combo: `ratio` of it in a unit; `filled` contracts, `paid` the sum of quantity times price."""

    contract: Contract
    action: str
    ratio: int
    filled: Decimal = ZERO
    paid: Decimal = ZERO
    updated_at: int = 0


@dataclass(slots=True)
class BookOrder:
    """An order as the broker has it. Times are milliseconds; `paid` is the sum of quantity times price, a combo's net."""

    id: int
    order_id: int
    account: str
    contract: Contract
    action: str
    order_type: str
    quantity: Decimal
    limit_price: Decimal | None
    aux_price: Decimal | None
    time_in_force: str
    outside_rth: bool
    user_mark: str
    source: str
    status: str
    opened_at: int
    updated_at: int
    parent_id: int = 0
    attached: str = ""
    combo_type: str = ""
    legs: list[Leg] = field(default_factory=list)
    remark: str = ""
    filled: Decimal = ZERO
    paid: Decimal = ZERO
    commission: Decimal = ZERO
    realized: Decimal = ZERO
    traded_at: int = 0

    @property
    def working(self) -> bool:
        return self.status in WORKING

    @property
    def rest(self) -> Decimal:
        return self.quantity - self.filled

    @property
    def average(self) -> Decimal:
        """The mean price without commission; a combo's is the net price of a unit."""
        if self.legs:
            return self._net() if self.filled else ZERO
        return self.paid / self.filled if self.filled else ZERO

    def _net(self) -> Decimal:
        return sum(((1 if leg.action == "BUY" else -1) * leg.ratio * leg.paid / leg.filled for leg in self.legs), ZERO)

    def effective_legs(self) -> list[Leg]:
        """The legs as they trade: selling the combo turns every side."""
        if self.action == "BUY":
            return self.legs
        turned = {"BUY": "SELL", "SELL": "BUY"}
        return [Leg(leg.contract, turned[leg.action], leg.ratio, leg.filled, leg.paid, leg.updated_at) for leg in self.legs]


@dataclass(slots=True)
class Fill:
    """One execution. `amount` is what cash changed by, commission included; `leg` numbers the leg of a combo."""

    fill_id: int
    id: int
    account: str
    user_mark: str
    contract: Contract
    side: str
    quantity: Decimal
    price: Decimal
    commission: Decimal
    amount: Decimal
    at: int
    leg: int | None = None


@dataclass(slots=True)
class Holding:
    """A signed quantity and what it cost, commission included (negative for what was sold short)."""

    contract: Contract
    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    realized: Decimal = ZERO

    @property
    def average_cost(self) -> Decimal:
        return self.cost / (self.quantity * self.contract.multiplier) if self.quantity else ZERO

    def trade(self, signed: Decimal, price: Decimal, commission: Decimal) -> Decimal:
        """Buy or sell, and answer what was realised."""
        size = self.contract.multiplier
        closing = ZERO
        if self.quantity * signed < 0:
            closing = min(abs(signed), abs(self.quantity)).copy_sign(signed)
        share = commission * (closing / signed) if closing else ZERO
        realized = ZERO
        if closing:
            released = self.cost * (abs(closing) / abs(self.quantity))
            realized = -closing * price * size - released - share
            self.cost -= released
        opening = signed - closing
        if opening:
            self.cost += opening * price * size + commission - share
        self.quantity += signed
        self.realized += realized
        return realized


@dataclass(slots=True)
class AccountBook:
    """Cash and holdings of one account. `number` is the last order number that was given out."""

    account: str
    kind: str
    cash: Decimal
    holdings: dict[str, Holding] = field(default_factory=dict)
    number: int = 0

    def holding(self, contract: Contract) -> Holding:
        return self.holdings.setdefault(contract.key, Holding(contract))


class Book:
    """All accounts, orders and fills. `marks` lists the orders of a user mark, `children` those attached to a parent."""

    def __init__(self) -> None:
        self.accounts: dict[str, AccountBook] = {}
        self.orders: dict[int, BookOrder] = {}
        self.open: dict[int, BookOrder] = {}
        self.fills: list[Fill] = []
        self.marks: dict[str, list[int]] = {}
        self.children: dict[int, list[int]] = {}
        self.numbers: dict[tuple[str, int], int] = {}
        self.last_id = 0

    def apply(self, record: dict[str, Any]) -> None:
        apply = getattr(self, f"_{record['kind']}", None)
        if apply is not None:
            apply(record)

    def _account(self, record: dict[str, Any]) -> None:
        name = record["account"]
        self.accounts[name] = AccountBook(name, record["type"], Decimal(record["cash"]))

    def _number(self, record: dict[str, Any]) -> None:
        self.accounts[record["account"]].number = record["number"]

    def _order(self, record: dict[str, Any]) -> None:
        order = BookOrder(
            id=record["id"],
            order_id=record["order_id"],
            account=record["account"],
            contract=Contract.from_record(record["contract"]),
            action=record["action"],
            order_type=record["order_type"],
            quantity=Decimal(record["quantity"]),
            limit_price=optional(record.get("limit_price")),
            aux_price=optional(record.get("aux_price")),
            time_in_force=record["time_in_force"],
            outside_rth=record["outside_rth"],
            user_mark=record["user_mark"],
            source=record["source"],
            status=record["status"],
            opened_at=record["at"],
            updated_at=record["at"],
            parent_id=record.get("parent_id", 0),
            attached=record.get("attached", ""),
            combo_type=record.get("combo_type", ""),
            legs=[Leg(Contract.from_record(leg["contract"]), leg["action"], leg["ratio"]) for leg in record.get("legs", ())],
        )
        self.orders[order.id] = self.open[order.id] = order
        self.last_id = max(self.last_id, order.id)
        self.marks.setdefault(order.user_mark, []).append(order.id)
        self.numbers[(order.account, order.order_id)] = order.id
        account = self.accounts[order.account]
        account.number = max(account.number, order.order_id)
        if order.parent_id:
            self.children.setdefault(order.parent_id, []).append(order.id)

    def _status(self, record: dict[str, Any]) -> None:
        order = self.orders[record["id"]]
        self._move(order, record["status"], record["at"])
        order.remark = record.get("remark") or order.remark
        order.quantity = Decimal(record.get("quantity", order.quantity))

    def _modify(self, record: dict[str, Any]) -> None:
        order = self.orders[record["id"]]
        order.quantity = Decimal(record["quantity"])
        order.limit_price = optional(record.get("limit_price"))
        order.aux_price = optional(record.get("aux_price"))
        order.time_in_force = record["time_in_force"]
        order.outside_rth = record["outside_rth"]
        self._move(order, "Filled" if order.filled and order.rest <= 0 else order.status, record["at"])

    def _fill(self, record: dict[str, Any]) -> None:
        order, number = self.orders[record["id"]], record.get("leg")
        leg = None if number is None else order.legs[number]
        contract = leg.contract if leg else order.contract
        quantity, price, commission = (Decimal(record[name]) for name in ("quantity", "price", "commission"))
        signed = quantity if record["side"] == "BUY" else -quantity
        account = self.accounts[order.account]
        account.cash += Decimal(record["amount"])
        order.realized += account.holding(contract).trade(signed, price, commission)
        order.commission += commission
        if leg:
            leg.filled, leg.paid, leg.updated_at = leg.filled + quantity, leg.paid + quantity * price, record["at"]
            order.filled = min(Decimal(int(part.filled / part.ratio)) for part in order.legs)
        else:
            order.filled, order.paid = order.filled + quantity, order.paid + quantity * price
        order.traded_at = record["at"]
        complete = order.rest <= 0 and all(part.filled >= part.ratio * order.quantity for part in order.legs)
        self._move(order, "Filled" if complete else order.status, record["at"])
        self.fills.append(
            Fill(
                record["fill_id"], order.id, order.account, order.user_mark, contract, record["side"], quantity, price, commission,
                Decimal(record["amount"]), record["at"], number,
            )
        )  # fmt: skip

    def _move(self, order: BookOrder, status: str, at: int) -> None:
        order.status, order.updated_at = status, at
        if order.working:
            self.open[order.id] = order
        else:
            self.open.pop(order.id, None)

    def _cash(self, record: dict[str, Any]) -> None:
        self.accounts[record["account"]].cash += Decimal(record["amount"])

    def _position(self, record: dict[str, Any]) -> None:
        holding = self.accounts[record["account"]].holding(Contract.from_record(record["contract"]))
        holding.trade(Decimal(record["quantity"]), Decimal(record["price"]), ZERO)
