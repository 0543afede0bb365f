"""What rules say of one symbol at a close, and the passage over closes at which they say nothing."""

from typing import NamedTuple

from strategies.backtest import kernel_book as at
from strategies.backtest.amounts import MICROS
from strategies.backtest.kernel_amounts import borrowing, cents, inlined
from strategies.backtest.kernel_market import BEFORE, CLOSE, HIGH, LOW, MARK, OPENED, WHEN
from strategies.backtest.kernel_record import followed, read, write


class Plan(NamedTuple):
    """The numbers of one set beside its arrays; `ready` is the first column at which it may open anything."""

    stop: float
    add: float
    most: int
    holding: int
    ready: int


@inlined
def leaves(place, flags, plan, t):
    """Whether its system's exit, on its side, or the time says that a trade is over."""
    return (flags & bit(place)) != 0 or (plan.holding > 0 and t - place[at.ENTRY_AT] + 1 >= plan.holding)


@inlined
def bit(place):
    """The flag that closes the trade."""
    return (1 if place[at.SIDE] > 0 else 2) << (2 * (place[at.SYSTEM] - 1))


@inlined
def adds(market, place, distance, plan, row, t):
    """Whether this close is the first beyond the next unit's level."""
    last = place[at.LAST_PRICE] / MICROS
    moved, moved_before = place[at.SIDE] * (market.bars[row, t, CLOSE] - last), place[at.SIDE] * (market.bars[row, t, BEFORE] - last)
    return distance > 0 and moved >= plan.add * distance and plan.add * distance > moved_before


@inlined
def glide(market, costs, account, place, tally, leave, unit, unit_of, plan, t, last):
    """Take the one symbol that is held from column t to the first one at which anything but its price counts: something
    is split or paid, its stop is reached, the rules leave or add, or nothing would be left of the account. Answers that
    column, which is still to come.

    It is the same as session by session, with the account in registers.
    """
    end = min(last + 1, place[at.ENTRY_AT] + plan.holding - 1) if plan.holding > 0 else last + 1
    flag, grows = bit(place), place[at.UNITS] < plan.most
    quantity, stop = place[at.QTY], place[at.STOP_PRICE] / MICROS
    stops, extreme = place[at.STOP_ORDER] != 0, LOW if quantity > 0 else HIGH
    if account[at.ACTION] < len(market.actions):
        end = min(end, market.actions[account[at.ACTION], WHEN])
    cash, equity, value = account[at.CASH], account[at.EQUITY], place[at.VALUE]
    made, best, worst = place[at.REALIZED] + place[at.DIVIDENDS] - place[at.COST], place[at.BEST], place[at.WORST]
    record, paid = read(tally), 0
    while t < end and (leave[0, t] & flag) == 0:
        price = market.bars[0, t, extreme]
        if stops and market.micros[0, t, OPENED] != 0 and (price <= stop if quantity > 0 else price >= stop):
            break
        if grows and adds(market, place, unit[unit_of, 0, t], plan, 0, t):
            break
        fee = borrowing(costs, -quantity * market.micros[0, t - 1, MARK]) if quantity < 0 else 0
        marked = cents(quantity * market.micros[0, t, MARK])
        worth = cash - paid - fee + marked
        if worth <= 0:
            break
        record = followed(record, equity, worth, abs(marked))
        paid, equity, value = paid + fee, worth, marked
        best, worst = max(best, made - paid + value), min(worst, made - paid + value)
        t += 1
    write(tally, record)
    account[at.CASH], account[at.EQUITY], account[at.GROSS] = cash - paid, equity, abs(value)
    place[at.VALUE], place[at.BEST], place[at.WORST] = value, best, worst
    place[at.DIVIDENDS] -= paid
    return t
