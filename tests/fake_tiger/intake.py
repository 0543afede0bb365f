"""From the wire fields of `place_order` and `modify_order` to an order the books can take, or a refusal."""

from decimal import Decimal
from typing import Any

from tests.fake_tiger.book import AccountBook, Book, BookOrder
from tests.fake_tiger.contracts import Contract, Invalid, decimal, optional
from tests.fake_tiger.world import World

TYPES = {"MKT": (), "LMT": ("limit_price",), "STP": ("aux_price",), "STP_LMT": ("limit_price", "aux_price")}
REFUSALS = {"PAPER": 1300, "STANDARD": 1200, "GLOBAL": 1100}
PARAMETERS = 1010


class Refused(Exception):
    """The broker says no: `code` as in the API, and a message."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def refused(account: AccountBook, message: str) -> Refused:
    """A refusal by the code of the account's type."""
    return Refused(REFUSALS[account.kind], message)


def account_of(book: Book, fields: dict[str, Any]) -> AccountBook:
    name = str(fields.get("account") or next(iter(book.accounts)))
    if name not in book.accounts:
        raise Refused(PARAMETERS, f"account {name} is not yours")
    return book.accounts[name]


def order_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """Contract, legs, side, type, quantity and prices of a request, checked for shape only."""
    try:
        legs = [_leg(leg) for leg in fields.get("contract_legs") or ()]
        contract = Contract(legs[0]["contract"]["symbol"], "MLEG") if legs else Contract.from_request(fields)
        answer = {
            "contract": contract.as_record(),
            "legs": legs,
            "combo_type": fields.get("combo_type") or "",
            "action": fields.get("action"),
            "order_type": fields.get("order_type"),
            "quantity": str(_quantity(fields)),
            "limit_price": _text(fields.get("limit_price")),
            "aux_price": _text(fields.get("aux_price")),
            "time_in_force": fields.get("time_in_force") or "DAY",
            "outside_rth": bool(fields.get("outside_rth", True)),
        }
    except Invalid as error:
        raise Refused(PARAMETERS, f"biz param error({error})") from None
    _shape_check(answer)
    return answer


def _quantity(fields: dict[str, Any]) -> Decimal:
    quantity = decimal(fields.get("total_quantity"))
    scale = int(fields.get("total_quantity_scale") or 0)
    return (quantity.scaleb(-scale) if scale else quantity).normalize() + 0


def _text(value: Any) -> str | None:
    return None if value is None else str(optional(value))


def _leg(fields: dict[str, Any]) -> dict[str, Any]:
    if fields.get("action") not in ("BUY", "SELL"):
        raise Invalid("a leg needs 'action'")
    ratio = int(decimal(fields.get("ratio") or 1))
    if ratio < 1:
        raise Invalid("'ratio' is at least 1")
    return {"contract": Contract.from_request(fields).as_record(), "action": fields["action"], "ratio": ratio}


def _shape_check(order: dict[str, Any]) -> None:
    if order["action"] not in ("BUY", "SELL"):
        raise Refused(PARAMETERS, "biz param error(field 'action' must be BUY or SELL)")
    if order["order_type"] not in TYPES:
        raise Refused(PARAMETERS, f"biz param error(order_type {order['order_type']} is not supported)")
    for name in TYPES[order["order_type"]]:
        if order[name] is None:
            raise Refused(PARAMETERS, f"biz param error(field '{name}' cannot be empty)")
    if Decimal(order["quantity"]) <= 0:
        raise Refused(PARAMETERS, "biz param error(field 'total_quantity' must be positive)")


def objection(order: dict[str, Any], account: AccountBook, world: World) -> str:
    """Why this broker would not take the order; "" where it would."""
    contract = Contract.from_record(order["contract"])
    parts = [Contract.from_record(leg["contract"]) for leg in order["legs"]] or [contract]
    facts = [world.facts(part) for part in parts]
    if None in facts:
        return "The contract does not exist"
    if not all(fact["trade"] for fact in facts):
        return "The contract cannot be traded"
    if not world.config.strict:
        return ""
    if Decimal(order["quantity"]) % decimal(facts[0]["lot_size"]):
        return f"The quantity must be a multiple of the lot size {facts[0]['lot_size']}"
    return (
        _time_objection(order, account, world)
        or _price_objection(order, contract, world)
        or _side_objection(order, contract, account, facts[0])
    )


def _time_objection(order: dict[str, Any], account: AccountBook, world: World) -> str:
    if order["time_in_force"] == "GTC" and (account.kind == "PAPER" or order["order_type"] == "MKT"):
        return "GTC is not supported for this order"
    if order["order_type"] in ("MKT", "STP") and world.state != "REGULAR":
        return "This order type is supported in regular trading hours only"
    return ""


def _price_objection(order: dict[str, Any], contract: Contract, world: World) -> str:
    for name in TYPES[order["order_type"]]:
        price = Decimal(order[name])
        if not world.tick_fits(contract, price):
            return f"The price {price} does not fit the minimum price increment"
        if price <= 0 and not order["legs"]:
            return "The price must be positive"
    return ""


def _side_objection(order: dict[str, Any], contract: Contract, account: AccountBook, facts: dict[str, Any]) -> str:
    held = account.holdings.get(contract.key)
    quantity = held.quantity if held else Decimal(0)
    signed = Decimal(order["quantity"]) * (1 if order["action"] == "BUY" else -1)
    if quantity * signed < 0 and abs(signed) > abs(quantity):
        return "Close the position before opening one in the other direction"
    if contract.sec_type == "STK" and signed < 0 and quantity <= 0 and not facts["shortable"]:
        return "The stock cannot be sold short"
    return ""


def attached_fields(fields: dict[str, Any], parent: dict[str, Any]) -> list[dict[str, Any]]:
    """The orders of `order_legs`: take profit is a limit, stop loss a stop (with a limit, where it has one)."""
    kind = fields.get("attach_type")
    if not kind:
        return []
    if parent["order_type"] != "LMT":
        raise Refused(PARAMETERS, "biz param error(attached orders need a limit order)")
    common = parent | {"action": "SELL" if parent["action"] == "BUY" else "BUY", "limit_price": None, "aux_price": None}
    answer = []
    if kind in ("PROFIT", "BRACKETS"):
        answer.append(common | {"order_type": "LMT", "limit_price": _text(fields.get("profit_taker_price")), "attached": "PROFIT"})
    if kind in ("LOSS", "BRACKETS"):
        limit = _text(fields.get("stop_loss_limit_price"))
        stop = {"order_type": "STP_LMT" if limit else "STP", "limit_price": limit, "aux_price": _text(fields.get("stop_loss_price"))}
        answer.append(common | stop | {"attached": "LOSS"})
    for order in answer:
        _shape_check(order)
    return answer


def modified(order: BookOrder, fields: dict[str, Any]) -> dict[str, Any]:
    """What an order is after a modification: fields that were not sent stay."""
    try:
        quantity = _quantity(fields) if "total_quantity" in fields else order.quantity
        return {
            "quantity": str(quantity),
            "limit_price": _text(fields.get("limit_price", order.limit_price)),
            "aux_price": _text(fields.get("aux_price", order.aux_price)),
            "time_in_force": fields.get("time_in_force") or order.time_in_force,
            "outside_rth": bool(fields.get("outside_rth", order.outside_rth)),
        }
    except Invalid as error:
        raise Refused(PARAMETERS, f"biz param error({error})") from None
