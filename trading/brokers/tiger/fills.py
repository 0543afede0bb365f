"""Fills from what Tiger counts. Pure.

Tiger says of an order how much of it is filled and at which average; a list of executions there is for some accounts only.
What is new is the difference to what is written down, under an id that follows from the order and the new total: the same
total again is the same fill, and totals only grow. Where the executions add up to the total, its parts are told one by one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from quant_site.core.types import money, price
from trading.brokers.tiger.own import Booked


@dataclass(frozen=True)
class Total:
    """All that is filled of an order, or of one leg of it, and when the last part was."""

    quantity: Decimal
    average: Decimal
    at: datetime


@dataclass(frozen=True)
class Execution:
    quantity: Decimal
    price: Decimal
    at: datetime


@dataclass(frozen=True)
class Part:
    """One new fill: `reached` is the total with it."""

    reached: Decimal
    quantity: Decimal
    price: Decimal
    at: datetime


def new_parts(total: Total, booked: Booked, executions: Sequence[Execution] = ()) -> list[Part]:
    """What of `total` is not booked; nothing where Tiger counts no more than is written down."""
    if total.quantity <= booked.quantity:
        return []
    if sum((each.quantity for each in executions), Decimal(0)) == total.quantity:
        parts = _by_execution(booked.quantity, executions)
        if all(part.price > 0 for part in parts):
            return parts
    fresh = total.quantity - booked.quantity
    paid = (total.average * total.quantity - booked.value) / fresh
    # An average that was rounded can leave nothing, or less, for a small rest.
    return [Part(total.quantity, fresh, price(paid if paid > 0 else total.average), total.at)]


def _by_execution(known: Decimal, executions: Sequence[Execution]) -> list[Part]:
    parts, reached = [], Decimal(0)
    for each in executions:
        before, reached = max(reached, known), reached + each.quantity
        if reached > known:
            parts.append(Part(reached, reached - before, price(each.price), each.at))
    return parts


def fees_of(parts: int, charged: Decimal, booked: Decimal) -> list[Decimal]:
    """What each of the new fills costs: all that is charged and not booked yet, on the last of them. Never less than nothing."""
    return [*[Decimal("0.00")] * (parts - 1), max(Decimal("0.00"), money(charged - booked))] if parts else []
