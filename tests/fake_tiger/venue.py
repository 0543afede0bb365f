"""What happens to orders: they are accepted, executed, changed, cancelled. Every step is written before it counts."""

from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from tests.fake_tiger.book import Book, BookOrder, Leg
from tests.fake_tiger.contracts import CENT, Contract, Invalid, decimal
from tests.fake_tiger.intake import account_of, attached_fields, modified, objection, order_fields, refused
from tests.fake_tiger.matching import executable, taken
from tests.fake_tiger.world import World

FIRST_ID, ID_STEP = 40_130_901_147_389_952, 4097


class Venue:
    """The books and whatever changes them. `write` makes a record durable; `publish(topic, subject)` tells who listens:
    "order" a BookOrder, "fill" a Fill, "position" (account, key), "asset" an account, "quote" a symbol."""

    def __init__(self, book: Book, world: World, write: Callable[[dict[str, Any]], None], publish: Callable[[str, Any], None]) -> None:
        self.book, self.world = book, world
        self._write, self._publish = write, publish
        self._seen: dict[int, int] = {}

    # Requests of the API

    def number(self, fields: dict[str, Any]) -> int:
        """Give out an order number."""
        account = account_of(self.book, fields)
        self._record("number", account=account.account, number=account.number + 1)
        return account.number

    def place(self, fields: dict[str, Any], *, source: str = "OpenApi") -> BookOrder:
        """Accept an order with what is attached to it. Raises Refused."""
        account = account_of(self.book, fields)
        order = order_fields(fields)
        attached = attached_fields(fields, order)
        if problem := objection(order, account, self.world):
            raise refused(account, problem)
        mark = str(fields.get("user_mark") or "") if self.world.config.store_user_mark else ""
        number = self._number_for(account.account, fields, source)
        parent = self._accept(order, account.account, number, mark, source, self.world.config.initial_status)
        for child in attached:
            self._accept(child | {"parent_id": parent.id}, account.account, account.number + 1, "", source, "Initial")
        self._publish("order", parent)
        if self.world.config.auto_fill == "instant":
            self._match(parent)
        return parent

    def _number_for(self, account: str, fields: dict[str, Any], source: str) -> int:
        config, given = self.world.config, int(fields.get("order_id") or 0)
        if given and config.dedupe_order_no and (account, given) in self.book.numbers:
            raise refused(self.book.accounts[account], f"Duplicate order id {given}")
        if source != "OpenApi":
            return 0
        return given if given and config.honour_order_no else self.book.accounts[account].number + 1

    def _accept(self, order: dict[str, Any], account: str, number: int, mark: str, source: str, status: str) -> BookOrder:
        identity = max(self.book.last_id + ID_STEP, FIRST_ID)
        self._record("order", id=identity, order_id=number, account=account, user_mark=mark, source=source, status=status, **order)
        return self.book.orders[identity]

    def modify(self, fields: dict[str, Any]) -> BookOrder:
        """Change a submitted order. Raises Refused."""
        account = account_of(self.book, fields)
        order = self.find(account.account, fields)
        if order.status not in ("Initial", "PendingSubmit", "Submitted"):
            raise refused(account, f"The order is {order.status} and cannot be modified")
        change = modified(order, fields)
        if Decimal(change["quantity"]) < order.filled or Decimal(change["quantity"]) <= 0:
            raise refused(account, "The quantity is less than what has been filled")
        for name in ("limit_price", "aux_price"):
            if self.world.config.strict and change[name] and not self.world.tick_fits(order.contract, Decimal(change[name])):
                raise refused(account, f"The price {change[name]} does not fit the minimum price increment")
        self._record("modify", id=order.id, **change)
        self._publish("order", order)
        if self.world.config.auto_fill == "instant":
            self._match(order)
        return order

    def cancel(self, fields: dict[str, Any]) -> BookOrder:
        """Take a request to cancel. Raises Refused."""
        account = account_of(self.book, fields)
        order = self.find(account.account, fields)
        if not order.working:
            raise refused(account, f"The order is {order.status} and cannot be cancelled")
        self._move(order, "PendingCancel")
        if not self.world.config.pending_cancel:
            self.status(order, "Cancelled")
        return order

    def find(self, account: str, fields: dict[str, Any]) -> BookOrder:
        """The order that `id`, else `order_id`, names. Raises Refused."""
        identity = int(fields.get("id") or 0) or self.book.numbers.get((account, int(fields.get("order_id") or 0)), 0)
        order = self.book.orders.get(identity)
        if order is None or order.account != account:
            raise refused(self.book.accounts[account], "The order does not exist")
        return order

    def asked(self) -> None:
        """Orders were asked for: those that wait for questions may fill."""
        if self.world.config.auto_fill != "queries":
            return
        for order in list(self.book.open.values()):
            self._seen[order.id] = self._seen.get(order.id, 0) + 1
            if self._seen[order.id] >= self.world.config.fill_after_queries:
                self._match(order)

    # What the market, the broker and people do

    def status(self, order: BookOrder, status: str, remark: str = "") -> None:
        """Move an order; what is attached to one that ends follows."""
        self._move(order, status, remark)
        self._follow(order)

    def fill(
        self,
        order: BookOrder,
        *,
        quantity: Any = None,
        price: Any = None,
        prices: list[Any] | None = None,
        legs: list[int] | None = None,
        commission: Any = None,
        late: bool = False,
    ) -> list[int]:
        """Execute, see the client's `fill`. Answers the fill ids."""
        if not order.working and not late:
            raise Invalid(f"the order is {order.status}")
        units = order.rest if quantity is None else decimal(quantity)
        if units <= 0:
            raise Invalid("nothing is left to fill")
        at = [decimal(value) for value in prices] if prices else self._prices(order, price)
        fee = None if commission is None else decimal(commission)
        if not order.legs:
            ids = [self._execute(order, None, units, at[0], fee)]
        else:
            numbers = list(range(len(order.legs))) if legs is None else legs
            share = None if fee is None else fee / len(numbers)
            parts = [(number, min(units, order.quantity - order.legs[number].filled / order.legs[number].ratio)) for number in numbers]
            ids = [self._execute(order, n, part * order.legs[n].ratio, at[n], share) for n, part in parts if part > 0]
        self._publish("order", order)
        self._publish("asset", order.account)
        self._follow(order)
        return ids

    def external_position(self, account: str, key: str, quantity: Any, price: Any, reason: str) -> None:
        contract = Contract.from_key(key)
        values = {"quantity": str(decimal(quantity)), "price": str(decimal(price))}
        self._record("position", account=account, contract=contract.as_record(), reason=reason, **values)
        self._publish("position", (account, contract.key))

    def cash_change(self, account: str, amount: Any, reason: str) -> None:
        self._record("cash", account=account, amount=str(decimal(amount).quantize(CENT)), reason=reason)
        self._publish("asset", account)

    def match_all(self) -> None:
        """Fill what has become marketable."""
        if self.world.config.auto_fill == "instant":
            for order in list(self.book.open.values()):
                self._match(order)

    # Steps

    def _match(self, order: BookOrder) -> None:
        active = order.status in ("PendingSubmit", "Submitted") or (order.status == "Initial" and not order.parent_id)
        prices = executable(order, self.world.quotes, self.world.state) if active else None
        if prices:
            self.fill(order, prices=prices)

    def _prices(self, order: BookOrder, price: Any) -> list[Decimal]:
        """Prices by leg: as told, else the limit (a single contract's), else the quotes."""
        if order.legs:
            found = taken(order, self.world.quotes)
            if price is not None or found is None:
                raise Invalid("a combo needs prices by leg, or a quote for each")
            return found
        if price is None and order.order_type in ("LMT", "STP_LMT"):
            return [order.limit_price]
        found = taken(order, self.world.quotes) if price is None else [decimal(price)]
        if found is None:
            raise Invalid("no price was given, and there is no quote")
        return found

    def _execute(self, order: BookOrder, number: int | None, quantity: Decimal, price: Decimal, commission: Decimal | None) -> int:
        leg = None if number is None else order.effective_legs()[number]
        contract, side = (leg.contract, leg.action) if leg else (order.contract, order.action)
        fee = self._commission(order, leg, quantity) if commission is None else commission
        value = (quantity * price * contract.multiplier).quantize(CENT, ROUND_HALF_UP)
        amount = (-value if side == "BUY" else value) - fee
        account = self.book.accounts[order.account]
        signed = quantity if side == "BUY" else -quantity
        held = account.holding(contract).quantity + signed
        fill_id = self.book.fills[-1].fill_id + 1 if self.book.fills else 1
        self._record(
            "fill", fill_id=fill_id, id=order.id, leg=number, side=side, quantity=str(quantity), price=str(price), commission=str(fee),
            amount=str(amount), cash_after=str(account.cash + amount), position_after=str(held), key=contract.key,
        )  # fmt: skip
        self._publish("fill", self.book.fills[-1])
        self._publish("position", (order.account, contract.key))
        return fill_id

    def _commission(self, order: BookOrder, leg: Leg | None, quantity: Decimal) -> Decimal:
        """What this part adds: options by contract, shares by share with a minimum for the order."""
        config = self.world.config
        if leg or order.contract.sec_type == "OPT":
            return (quantity * Decimal(config.commission_per_contract)).quantize(CENT, ROUND_HALF_UP)
        whole = max((order.filled + quantity) * Decimal(config.commission_per_share), Decimal(config.commission_minimum))
        return max(whole.quantize(CENT, ROUND_HALF_UP) - order.commission, Decimal(0))

    def commission_of(self, order: dict[str, Any]) -> Decimal:
        """What the whole of a new order would cost."""
        config, quantity = self.world.config, Decimal(order["quantity"])
        contracts = sum((leg["ratio"] for leg in order["legs"]), 0) or (order["contract"].get("sec_type") == "OPT")
        if contracts:
            return (quantity * contracts * Decimal(config.commission_per_contract)).quantize(CENT, ROUND_HALF_UP)
        return max(quantity * Decimal(config.commission_per_share), Decimal(config.commission_minimum)).quantize(CENT, ROUND_HALF_UP)

    def _move(self, order: BookOrder, status: str, remark: str = "", quantity: Decimal | None = None) -> None:
        extra = {} if quantity is None else {"quantity": str(quantity)}
        self._record("status", id=order.id, status=status, remark=remark, **extra)
        self._publish("order", order)

    def _follow(self, order: BookOrder) -> None:
        """Attached orders start when their parent is done, and end when it ends unfilled or one of them is done."""
        if not order.working:
            for identity in self.book.children.get(order.id, ()):
                child = self.book.orders[identity]
                if child.status == "Initial" and order.filled:
                    self._move(child, "Submitted", quantity=order.filled)
                    if self.world.config.auto_fill == "instant":
                        self._match(child)
                elif child.status == "Initial":
                    self._move(child, "Cancelled")
        if order.parent_id and order.status == "Filled":
            for identity in self.book.children[order.parent_id]:
                if identity != order.id and self.book.orders[identity].working:
                    self._move(self.book.orders[identity], "Cancelled")

    def _record(self, kind: str, **fields: Any) -> None:
        record = {"kind": kind, "at": self.world.now(), **fields}
        self._write(record)
        self.book.apply(record)
