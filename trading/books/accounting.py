"""Arithmetic of positions, exact to the cent: fills, splits, and amounts shared out over several positions.

Pure: Decimals in, Decimals out. Quantities and costs are signed (negative when short). What a position cost includes
commissions, so that realised and unrealised P&L are net of them and

    Σ cash flows of its fills = realised P&L − cost of what is still open

holds to the cent after every fill: the identity that `trading.books.checks` checks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import floor, trunc

from quant_site.core.errors import InvalidInput, LedgerMismatch
from quant_site.core.types import CENT, Side, money

ZERO = Decimal("0.00")
# Splits are ratios of small whole numbers; a ratio of six decimals (0.333333) stands for the nearest of them.
LARGEST_SPLIT_TERM = 1000


@dataclass(frozen=True)
class PositionState:
    """An open quantity and what it cost; flat is (0, 0)."""

    quantity: Decimal = Decimal(0)
    cost: Decimal = ZERO


@dataclass(frozen=True)
class SplitShare:
    """What a split did to one position: its state after, P&L realised on a fraction, and the cash it got (or paid)."""

    state: PositionState
    realized: Decimal
    cash: Decimal


def cash_flow(side: str, amount: Decimal, commission: Decimal) -> Decimal:
    """Cash that a fill brings (positive) or takes: a sale's amount less commission, or minus a purchase's with it."""
    return -Side(side).sign * amount - commission


def apply_fill(
    state: PositionState, side: str, quantity: Decimal, amount: Decimal, commission: Decimal = ZERO
) -> tuple[PositionState, Decimal]:
    """The state after a fill, and the P&L it realised (in cents).

    `quantity` is in shares and positive, `amount` its value in cents before commission. A fill against the position
    releases cost · closed / held, rounded to the cent; the last one releases all that is left. Raises `InvalidInput`
    for a quantity or commission that makes no sense and `LedgerMismatch("overfill")` for closing more than is held.
    """
    if quantity <= 0 or commission < 0:
        raise InvalidInput("bad_fill", f"A fill has a positive quantity and no negative commission, not {quantity} and {commission}.")
    sign, flow = Side(side).sign, cash_flow(side, amount, commission)
    after = state.quantity + sign * quantity
    if state.quantity * sign >= 0:
        return PositionState(after, state.cost - flow), ZERO
    held = abs(state.quantity)
    if quantity > held:
        raise LedgerMismatch("overfill", f"A fill closes {quantity} of a position of {held}.", filled=str(quantity), held=str(held))
    released = state.cost if quantity == held else money(state.cost * quantity / held)
    return PositionState(after, state.cost - released), flow - released


def allocate(amount: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
    """Share `amount` (cents) out in proportion to `weights`: exact in sum, the largest remainders get the odd cents.

    Weights may be signed, as long and short positions in one symbol are; their sum must not be 0.
    """
    total = sum(weights)
    if total == 0:
        raise InvalidInput("no_weights", "An amount can be shared out over weights only if they do not sum to 0.")
    cents = Fraction(amount) * 100
    shares = _largest_remainder([cents * Fraction(weight) / Fraction(total) for weight in weights], int(cents))
    return [money(share * CENT) for share in shares]


def split_ratio(ratio: Decimal) -> Fraction:
    """New shares for one old, as the simple fraction that the six decimals stand for (0.333333 is 1/3)."""
    fraction = Fraction(ratio).limit_denominator(LARGEST_SPLIT_TERM)
    if fraction <= 0:
        raise InvalidInput("bad_split", f"A split gives a positive number of new shares for one old, not {ratio}.")
    return fraction


def apply_split(states: Sequence[PositionState], ratio: Decimal, cash: Decimal, price: Decimal) -> list[SplitShare]:
    """A split of everything held in one symbol, with `cash` (cents) in lieu of the fraction of a share that was left over.

    The broker sees one holding: its whole shares are shared out over the positions (largest fractions first), and so
    is the cash. What a position loses beyond its whole shares it sells, what it gains it buys, at the price the broker
    paid for the fraction; where there was none, at `price`, per new share.
    """
    factor = split_ratio(ratio)
    exact = [Fraction(state.quantity) * factor for state in states]
    whole = _largest_remainder(exact, trunc(sum(exact)))
    fractions = [share - kept for share, kept in zip(exact, whole, strict=True)]
    left_over = sum(fractions)
    if left_over == 0 and cash != 0:
        raise LedgerMismatch("cash_in_lieu", f"The broker paid {cash} in lieu of a fraction that does not exist.", cash=str(cash))
    paid = Fraction(cash) / left_over if left_over else Fraction(price)
    cents = _largest_remainder([part * paid * 100 for part in fractions], int(Fraction(cash) * 100))
    return [
        _split_share(state, Decimal(kept), part / share if share else Fraction(0), money(cent * CENT))
        for state, share, kept, part, cent in zip(states, exact, whole, fractions, cents, strict=True)
    ]


def _split_share(state: PositionState, quantity: Decimal, sold: Fraction, cash: Decimal) -> SplitShare:
    if sold <= 0:
        return SplitShare(PositionState(quantity, state.cost - cash), ZERO, cash)
    released = state.cost if quantity == 0 else money(state.cost * sold.numerator / sold.denominator)
    return SplitShare(PositionState(quantity, state.cost - released), cash - released, cash)


def _largest_remainder(exact: Sequence[Fraction], total: int) -> list[int]:
    """Whole numbers near `exact` that sum to `total`; ties go to the earlier one."""
    shares = [floor(value) for value in exact]
    order = sorted(range(len(exact)), key=lambda i: (shares[i] - exact[i], i))
    for i in order[: total - sum(shares)]:
        shares[i] += 1
    return shares
