"""The books of the compiled account: what a fill, a split or a dividend does to a position, and the ledgers it leaves.

`book` (N, WIDTH) int64 holds by row of the panel the position and the order that enters; prices are in millionths, amounts
in cents, `QTY` and `COST` are signed. `account` (int64) is the rest of the account's state. The arithmetic is that of
`strategies.backtest.book`, which says why.
"""

from strategies.backtest.amounts import MICROS, MICROS_A_CENT
from strategies.backtest.book import EXITED, SPLIT, STOPPED
from strategies.backtest.kernel_amounts import cents, compiled, half_even, inlined, product_ratio, restated
from strategies.backtest.orders import STOP

# --- the position of a row; prices are restated by splits
QTY, COST, VALUE, REALIZED, DIVIDENDS, FEES, SIDE, SYSTEM, UNITS, ENTRY_AT = range(10)
ENTRY_PRICE, LAST_PRICE, STOP_PRICE, RISK, BEST, WORST = range(10, 16)
# What came in and went out, in millionths of a share as shares are after splits, and for how much.
SHARES_IN, SHARES_OUT, AMOUNT_IN, AMOUNT_OUT = range(16, 20)
# The numbers of the orders that work for its end (0: none).
STOP_ORDER, EXIT_ORDER = range(20, 22)
POSITION = 22
# --- the order that enters or adds: side (0: none), shares, stop and system of its signal
IN_SIDE, IN_QTY, IN_STOP, IN_SYSTEM = range(22, 26)
# --- what filled against the position and is not booked yet: shares (0: nothing), price, commission, purpose
OUT_QTY, OUT_PRICE, OUT_FEE, OUT_WHY = range(26, 30)
# --- the fill of the entering order that is not booked yet: price (0: none), commission
FILLED_PRICE, FILLED_FEE = range(30, 32)
# --- the fee for what was borrowed overnight, until it is charged
OWED = 32
WIDTH = 33

# --- the account
# What positions are worth, net and gross; how many are open, how many orders wait for an open, how many were placed so far;
# the next corporate action.
CASH, EQUITY, WORTH, GROSS, OPEN, WAITING, ORDERS, FILLS, TRADES, DRAFTS, ACTION = range(11)
STATE = 11

# --- what is told of the account at each close, as doubles; see `kernel_record`
UNIT, PEAK, INVERSE, SUM, SQUARES, DEEPEST, TOP, EXPOSED = range(8)
# Once nothing is left of it: the sessions until then, and what was left.
SESSIONS, LEFT = range(8, 10)
TALLY = 10
# The value of a unit at the beginning, in steps, and once it has none.
ONE, UNKNOWN = 1e10, -1e300

# --- the ledgers: the columns of FILL and TRADE, by row of the panel
FILL_WIDTH, TRADE_WIDTH = 7, 13
FEE, ENTERED_AT, LEFT_AT, PNL = 6, 3, 4, 8


@compiled
def _clear(place):
    """No position; the order that enters stays."""
    for field in range(POSITION):
        place[field] = 0


@compiled
def record_fill(account, fills, t, row, side, purpose, quantity, price, fee):
    line = fills[account[FILLS]]
    line[0], line[1], line[2], line[3], line[4], line[5], line[6] = t, row, side, purpose, quantity, price, fee
    account[FILLS] += 1


@compiled
def enter(account, place, t):
    """Book the fill of the row's entering order: it opens a position or extends the one that is open."""
    side, quantity, stop = place[IN_SIDE], place[IN_QTY], place[IN_STOP]
    price, fee = place[FILLED_PRICE], place[FILLED_FEE]
    amount = cents(quantity * price)
    if place[QTY] == 0:
        _clear(place)
        place[SIDE], place[SYSTEM], place[ENTRY_AT], place[ENTRY_PRICE] = side, place[IN_SYSTEM], t, price
        if stop > 0:
            place[RISK] = max(0, cents((price - stop) * side * quantity))
        account[OPEN] += 1
    place[UNITS] += 1
    place[LAST_PRICE] = price
    if stop > 0:
        place[STOP_PRICE] = stop
    place[STOP_ORDER] = 0  # what works is for the shares before
    place[QTY] += side * quantity
    place[COST] += side * amount + fee
    place[FEES] += fee
    place[SHARES_IN] += quantity * MICROS
    place[AMOUNT_IN] += amount
    place[IN_SIDE] = place[FILLED_PRICE] = 0


@compiled
def reduce(account, trades, place, t, row):
    """Book what filled against the position."""
    quantity, price, fee, side = place[OUT_QTY], place[OUT_PRICE], place[OUT_FEE], -place[SIDE]
    held, amount = abs(place[QTY]), cents(quantity * price)
    released = place[COST] if quantity == held else product_ratio(place[COST], quantity, held)
    place[QTY] += side * quantity
    place[COST] -= released
    place[REALIZED] += -side * amount - fee - released
    place[FEES] += fee
    place[SHARES_OUT] += quantity * MICROS
    place[AMOUNT_OUT] += amount
    place[STOP_ORDER] = place[OUT_QTY] = 0
    if place[QTY] == 0:
        finish(account, trades, place, t, row, STOPPED if place[OUT_WHY] == STOP else EXITED)


@compiled
def finish(account, trades, place, t, row, reason):
    """Close the position: its line in the ledger of trades, and an empty row."""
    place[VALUE] = 0
    watch(place)
    record_trade(account, trades, place, t, row, reason)
    account[OPEN] -= 1
    if place[EXIT_ORDER] != 0:
        account[WAITING] -= 1
    _clear(place)


@inlined
def watch(place):
    """The extremes of its result at the closes, and at its end."""
    result = place[REALIZED] + place[DIVIDENDS] + place[VALUE] - place[COST]
    place[BEST], place[WORST] = max(place[BEST], result), min(place[WORST], result)


@compiled
def record_trade(account, trades, place, t, row, reason):
    line = trades[account[TRADES]]
    line[0], line[1], line[2], line[3], line[4] = row, place[SIDE], reason, place[ENTRY_AT], t
    line[5] = half_even(place[SHARES_IN], MICROS)
    line[6] = place[ENTRY_PRICE] if place[UNITS] == 1 else _mean(place[AMOUNT_IN], place[SHARES_IN])
    line[7] = _mean(place[AMOUNT_OUT], place[SHARES_OUT]) if place[SHARES_OUT] else 0
    line[8] = place[REALIZED] + place[DIVIDENDS] + place[VALUE] - place[COST]
    line[9], line[10], line[11], line[12] = place[FEES], place[RISK], place[BEST], place[WORST]
    account[TRADES] += 1


@compiled
def _mean(amount, shares):
    """Mean price of millionths of shares that came to `amount`."""
    return product_ratio(amount * MICROS_A_CENT, MICROS, shares)


@compiled
def dividend(account, place, per_share):
    """Pay the dividend on what is held, or charge it."""
    paid = cents(place[QTY] * per_share)
    place[DIVIDENDS] += paid
    account[CASH] += paid


@compiled
def split(account, trades, place, t, row, numerator, denominator, last_close):
    """The position and the order of a row in new shares; the fraction of one that is left is paid at the last close."""
    if place[IN_SIDE] != 0:
        place[IN_QTY] = place[IN_QTY] * numerator // denominator
        place[IN_STOP] = restated(place[IN_STOP], numerator, denominator)
    if place[QTY] == 0:
        return
    exact = abs(place[QTY]) * numerator
    kept = exact // denominator
    rest = exact - kept * denominator
    for price in (ENTRY_PRICE, LAST_PRICE, STOP_PRICE):
        place[price] = restated(place[price], numerator, denominator)
    for shares in (SHARES_IN, SHARES_OUT):
        place[shares] = product_ratio(place[shares], numerator, denominator)
    if rest:
        # `rest` / `denominator` new shares are `rest` / `numerator` old ones.
        paid = place[SIDE] * half_even(last_close * rest, numerator * MICROS_A_CENT)
        released = place[COST] if kept == 0 else product_ratio(place[COST], rest, exact)
        account[CASH] += paid
        place[REALIZED] += paid - released
        place[COST] -= released
        place[SHARES_OUT] += product_ratio(exact, MICROS, denominator) - kept * MICROS
        place[AMOUNT_OUT] += abs(paid)
    place[QTY] = place[SIDE] * kept
    if kept == 0:
        finish(account, trades, place, t, row, SPLIT)
