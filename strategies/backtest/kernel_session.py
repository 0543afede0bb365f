"""A session of the compiled account: what happens before the open, at it, within the day, and at the close.

The order of events and the prices are those of `quant_site.market.execution` and the paper broker: stops the market
gapped through, exits and entries at the open; then stops within the day, also those of what was entered at the open;
orders that found no market expire.
"""

from strategies.backtest import kernel_book as at
from strategies.backtest.amounts import MICROS
from strategies.backtest.kernel_amounts import borrowing, cents, commission, compiled, inlined, worse
from strategies.backtest.kernel_book import dividend, enter, record_fill, reduce, split, watch
from strategies.backtest.kernel_codes import NO_BAR, SPLIT_TO_NOTHING
from strategies.backtest.kernel_market import DENOMINATOR, HIGH, LOW, MARK, NUMERATOR, OPEN, OPENED, WHEN, WHOSE
from strategies.backtest.orders import ENTRY, EXIT, STOP


@inlined
def trade_session(market, costs, account, book, fills, trades, refused, queue, t):
    """Column t from before its open to after its close."""
    if _acts(market, account, t):
        _before_open(market, costs, account, book, trades, refused, t)
    else:
        carry(market, costs, account, book, t)
    _at_open(market, costs, account, book, fills, trades, queue, t)
    stops = False
    for row in range(len(book)):
        stops |= book[row, at.STOP_ORDER] != 0
    if stops:
        _within_day(market, costs, account, book, fills, trades, queue, t)
    if account[at.WAITING] != 0:
        _expire(market.by_name, account, book, refused)


@inlined
def _acts(market, account, t):
    return account[at.ACTION] < len(market.actions) and market.actions[account[at.ACTION], WHEN] <= t


@inlined
def quiet(market, account, book, t):
    """Whether column t brings nothing but prices: no order waits for the open, no stop is reached, nothing is split or paid."""
    if account[at.WAITING] != 0:
        return False
    if _acts(market, account, t):
        return False
    stopped = False
    for row in range(len(book)):
        stopped |= book[row, at.STOP_ORDER] != 0 and _reached(market, book[row], row, t)
    return not stopped


# --- the parts of a session


@inlined
def carry(market, costs, account, book, t):
    """What a night without corporate actions costs: the fee of shares that are short, on their worth at the last close."""
    for row in range(len(book)):
        place = book[row]
        if place[at.QTY] < 0:
            _pay(account, place, borrowing(costs, -place[at.QTY] * market.micros[row, t - 1, MARK]))


@compiled
def _before_open(market, costs, account, book, trades, refused, t):
    """The same with corporate actions: the fee is for what was short overnight, of what is still held then."""
    for row in range(len(book)):
        book[row, at.OWED] = borrowing(costs, max(0, -book[row, at.QTY]) * market.micros[row, t - 1, MARK])
    _act(market, account, book, trades, refused, t)
    for row in range(len(book)):
        if book[row, at.QTY] != 0:
            _pay(account, book[row], book[row, at.OWED])


@inlined
def _pay(account, place, fee):
    account[at.CASH] -= fee
    place[at.DIVIDENDS] -= fee


@compiled
def _act(market, account, book, trades, refused, t):
    """Splits and dividends of what is held or ordered; those of sessions that were passed over touch nothing."""
    while _acts(market, account, t):
        action = market.actions[account[at.ACTION]]
        account[at.ACTION] += 1
        row, numerator, denominator = action[WHOSE], action[NUMERATOR], action[DENOMINATOR]
        if action[WHEN] < t:
            continue
        if denominator == 0:
            dividend(account, book[row], numerator)
            continue
        split(account, trades, book[row], t, row, numerator, denominator, market.micros[row, t - 1, MARK])
        if book[row, at.IN_SIDE] != 0 and book[row, at.IN_QTY] == 0:
            _withdraw(account, book[row], refused, SPLIT_TO_NOTHING)


@compiled
def _at_open(market, costs, account, book, fills, trades, queue, t):
    """Stops the market gapped through, then exits, each in the order they were placed, then entries by name."""
    count = 0
    for row in range(len(book)):
        if book[row, at.STOP_ORDER] != 0 and market.micros[row, t, OPENED] != 0 and _beyond(market.bars[row, t, OPEN], book[row]):
            count = queued(queue, count, book, row, at.STOP_ORDER)
    for i in range(count):
        row = queue[i]
        _fill_out(costs, account, book[row], fills, t, row, market.micros[row, t, OPENED], STOP)
    count = 0
    for row in range(len(book)):
        if book[row, at.EXIT_ORDER] != 0 and market.micros[row, t, OPENED] != 0:
            count = queued(queue, count, book, row, at.EXIT_ORDER)
    for i in range(count):
        row = queue[i]
        _fill_out(costs, account, book[row], fills, t, row, market.micros[row, t, OPENED], EXIT)
    for row in market.by_name:
        if book[row, at.IN_SIDE] != 0 and market.micros[row, t, OPENED] != 0:
            _fill_in(costs, account, book[row], fills, t, row, market.micros[row, t, OPENED])
    _settle(market.by_name, account, book, trades, t)


@compiled
def _within_day(market, costs, account, book, fills, trades, queue, t):
    """Stops within the range, at their level or at the open where the market was through it by then."""
    count = 0
    for row in range(len(book)):
        if book[row, at.STOP_ORDER] != 0 and _reached(market, book[row], row, t):
            count = queued(queue, count, book, row, at.STOP_ORDER)
    for i in range(count):
        row = queue[i]
        level = market.micros[row, t, OPENED] if _beyond(market.bars[row, t, OPEN], book[row]) else book[row, at.STOP_PRICE]
        _fill_out(costs, account, book[row], fills, t, row, level, STOP)
    if count:
        _settle(market.by_name, account, book, trades, t)


@compiled
def _settle(by_name, account, book, trades, t):
    """Book what filled, by name, purchases first; a position with a level that is not on its way out then has a stop."""
    for row in by_name:
        place = book[row]
        if place[at.FILLED_PRICE] != 0 and place[at.IN_SIDE] > 0:
            enter(account, place, t)
        if place[at.OUT_QTY] != 0:
            reduce(account, trades, place, t, row)
        if place[at.FILLED_PRICE] != 0:
            enter(account, place, t)
    for row in by_name:
        place = book[row]
        if place[at.QTY] != 0 and place[at.EXIT_ORDER] == 0 and place[at.STOP_ORDER] == 0 and place[at.STOP_PRICE] > 0:
            account[at.ORDERS] += 1
            place[at.STOP_ORDER] = account[at.ORDERS]


@compiled
def _expire(by_name, account, book, refused):
    """Entries without a bar end; exits without one are placed again."""
    for row in by_name:
        place = book[row]
        if place[at.IN_SIDE] != 0:
            _withdraw(account, place, refused, NO_BAR)
        if place[at.EXIT_ORDER] != 0:
            account[at.ORDERS] += 1
            place[at.EXIT_ORDER] = account[at.ORDERS]


@compiled
def _withdraw(account, place, refused, code):
    place[at.IN_SIDE] = 0
    account[at.WAITING] -= 1
    refused[code] += 1


# --- orders that trade


@compiled
def queued(queue, count, book, row, field):
    """Insert `row` among the first `count` of `queue`, which are in the order of their orders' numbers."""
    i = count
    while i > 0 and book[queue[i - 1], field] > book[row, field]:
        queue[i] = queue[i - 1]
        i -= 1
    queue[i] = row
    return count + 1


@inlined
def _beyond(price, place):
    """Whether a price is at or through the stop."""
    stop = place[at.STOP_PRICE] / MICROS
    return price <= stop if place[at.SIDE] > 0 else price >= stop


@inlined
def _reached(market, place, row, t):
    return market.micros[row, t, OPENED] != 0 and _beyond(market.bars[row, t, LOW if place[at.SIDE] > 0 else HIGH], place)


@compiled
def _fill_out(costs, account, place, fills, t, row, level, purpose):
    """Close all that is held of a row at `level`, less costs."""
    side, quantity = -place[at.SIDE], abs(place[at.QTY])
    price = worse(costs, level, side)
    fee = commission(costs, quantity, price)
    account[at.CASH] -= side * cents(quantity * price) + fee
    place[at.OUT_QTY], place[at.OUT_PRICE], place[at.OUT_FEE], place[at.OUT_WHY] = quantity, price, fee, purpose
    record_fill(account, fills, t, row, side, purpose, quantity, price, fee)


@compiled
def _fill_in(costs, account, place, fills, t, row, opened):
    """Fill the entering order of a row at the open."""
    side, quantity = place[at.IN_SIDE], place[at.IN_QTY]
    price = worse(costs, opened, side)
    fee = commission(costs, quantity, price)
    account[at.CASH] -= side * cents(quantity * price) + fee
    account[at.WAITING] -= 1
    place[at.FILLED_PRICE], place[at.FILLED_FEE] = price, fee
    record_fill(account, fills, t, row, side, ENTRY, quantity, price, fee)


# --- the close


@inlined
def mark(market, account, place, row, t):
    """What a position is worth at the close."""
    value = cents(place[at.QTY] * market.micros[row, t, MARK])
    place[at.VALUE] = value
    account[at.WORTH] += value
    account[at.GROSS] += abs(value)
    watch(place)
