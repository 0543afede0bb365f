"""The last look before an order is sent: small pure functions over what was read in the transaction that claims it.

Each answers None where it has nothing to say, a `Wait` where the order may go later, or a `Denial`, which is final. What
closes or reduces a position passes everything but the kill switch, the mode and what makes sending impossible.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from strategies.risk import Violation

MAX_CLAIMS = 10


@dataclass(frozen=True)
class GateView:
    """The order and its surroundings.

    `live` says that the broker trades on the live clock. `against` is what is held or being opened in a symbol of the order
    on the other side, as a positive number of shares or contracts. `unsettled` are the order's symbols in which an order's
    outcome is UNKNOWN, `halted_symbols` those that wait for a person, with the reason.
    """

    trading_state: str
    mode: str
    broker_mode: str
    reducing: bool
    quantity: Decimal
    claims: int
    against: Decimal
    live: bool = False
    real_allowed: bool = False
    armed: bool = False
    reconciled: bool = False
    market_open: bool = True
    awaits: str = ""
    unsettled: tuple[str, ...] = ()
    halted_symbols: tuple[tuple[str, str], ...] = ()
    runaway: str = ""


@dataclass(frozen=True)
class Wait:
    """The order stays unsent for now."""

    reason: str


@dataclass(frozen=True)
class Denial:
    """The order is not sent. `reason` is "CODE: sentence"; `halts` says that the account must stop, too."""

    reason: str
    halts: bool = False


Verdict = Wait | Denial | None


def unknown_outcome(view: GateView) -> Verdict:
    """Nothing is sent in a symbol while nobody knows what became of an earlier order in it."""
    if view.unsettled:
        return Wait(f"UNKNOWN_ORDER: The outcome of another order in {', '.join(view.unsettled)} is not known yet.")
    return None


def confirmation(view: GateView) -> Verdict:
    return Wait(f"AWAITS_CONFIRMATION: {view.awaits}") if view.awaits else None


def trading_state(view: GateView) -> Verdict:
    if view.trading_state == "HALTED":
        return Denial("HALTED: The account is halted: nothing is sent.")
    if view.trading_state == "REDUCING" and not view.reducing:
        return Denial("REDUCING: The account only reduces: no new positions.")
    return None


def mode(view: GateView) -> Verdict:
    if view.mode != view.broker_mode:
        return Denial(f"MODE: The order is made for {view.mode}, the broker works in {view.broker_mode}.")
    if view.mode == "REAL" and not view.real_allowed:
        return Denial("MODE: Real orders are switched off here: the environment does not set REAL_TRADING.")
    return None


def armed(view: GateView) -> Verdict:
    """What protects a position waits to be armed again after a restart; what opens one is not sent late."""
    if view.mode != "REAL" or view.armed:
        return None
    reason = "NOT_ARMED: The account is not armed for real orders."
    return Wait(reason) if view.reducing else Denial(reason)


def boot(view: GateView) -> Verdict:
    if view.live and not view.reconciled:
        return Wait("NOT_RECONCILED: Orders, fills and positions were not compared with the broker's since the start.")
    return None


def hours(view: GateView) -> Verdict:
    return None if view.market_open else Wait("MARKET_CLOSED: Orders are sent in regular hours.")


def symbol_halt(view: GateView) -> Verdict:
    if view.halted_symbols and not view.reducing:
        symbol, reason = view.halted_symbols[0]
        return Denial(f"SYMBOL_HALTED: {symbol} is halted: {reason}")
    return None


def quantity(view: GateView) -> Verdict:
    if view.quantity <= 0 or view.quantity != view.quantity.to_integral_value():
        return Denial(f"QUANTITY: {view.quantity.normalize():f} is not a whole, positive number.")
    return None


def one_side(view: GateView) -> Verdict:
    """Positions of all strategies in a symbol net to one at the broker: their signs never differ.

    The legs of a structure are symbols of their own: bought and sold options of one underlying do not stand against each other.
    """
    if not view.reducing and view.against > 0:
        return Denial(f"OPPOSITE_POSITION: {view.against.normalize():f} are held or ordered on the other side.")
    return None


def claims(view: GateView) -> Verdict:
    if view.claims >= MAX_CLAIMS:
        return Denial(f"TOO_MANY_CLAIMS: The order was claimed {view.claims} times and never arrived.")
    return None


def runaway(view: GateView) -> Verdict:
    return Denial(f"RUNAWAY: {view.runaway}", halts=True) if view.runaway else None


# A wait for another order or a person comes first: what is final must be judged when the order could go.
CHECKS: tuple[Callable[[GateView], Verdict], ...] = (
    unknown_outcome,
    confirmation,
    trading_state,
    mode,
    armed,
    boot,
    hours,
    symbol_halt,
    quantity,
    one_side,
    claims,
    runaway,
)


def verdict(view: GateView) -> Verdict:
    """The first that speaks against sending, or None. What the risk checks say of an entry comes after it (`risk`)."""
    return next((found for check in CHECKS if (found := check(view)) is not None), None)


def risk(violations: Sequence[Violation]) -> Verdict:
    """The verdict that follows from the violations of an order that opens something, most important first."""
    return Denial(f"{violations[0].code}: {violations[0].message}") if violations else None
