"""The last look before an order is sent: small pure functions, each answering None or why the order must not go."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

MAX_CLAIMS = 10


@dataclass(frozen=True)
class GateView:
    """The order and its surroundings, read in the transaction that claims it.

    `against` is what is held or being opened in the symbol on the other side, as a positive number of shares or contracts.
    """

    trading_state: str
    mode: str
    broker_mode: str
    purpose: str
    reducing: bool
    quantity: Decimal
    claims: int
    against: Decimal


def trading_state(view: GateView) -> str | None:
    if view.trading_state == "HALTED":
        return "HALTED: The account is halted: nothing is sent."
    if view.trading_state == "REDUCING" and not view.reducing:
        return "REDUCING: The account only reduces: no new positions."
    return None


def mode(view: GateView) -> str | None:
    if view.mode != view.broker_mode:
        return f"MODE: The order is made for {view.mode}, the broker works in {view.broker_mode}."
    return None


def quantity(view: GateView) -> str | None:
    if view.quantity <= 0 or view.quantity != view.quantity.to_integral_value():
        return f"QUANTITY: {view.quantity.normalize():f} is not a whole, positive number."
    return None


def one_side(view: GateView) -> str | None:
    """Positions of all strategies in a symbol net to one at the broker: their signs never differ.

    The legs of a structure are symbols of their own: bought and sold options of one underlying do not stand against each other.
    """
    if not view.reducing and view.against > 0:
        return f"OPPOSITE_POSITION: {view.against.normalize():f} are held or ordered on the other side."
    return None


def runaway(view: GateView) -> str | None:
    if view.claims >= MAX_CLAIMS:
        return f"TOO_MANY_CLAIMS: The order was claimed {view.claims} times and never arrived."
    return None


CHECKS: tuple[Callable[[GateView], str | None], ...] = (trading_state, mode, quantity, one_side, runaway)


def refusal(view: GateView) -> str | None:
    """The first "CODE: sentence" that speaks against sending, or None."""
    return next((reason for check in CHECKS if (reason := check(view)) is not None), None)
