"""Entries of the compiled account: what the rules propose at a close, sized by score, checked by name, and ordered.

Sizes are those of `strategies.sizing`, by the very functions; checks and their order those of `strategies.risk`. Both
passes begin with the account as it is at the close, and each proposal sees what the ones before it took.
"""

from typing import NamedTuple

import numpy as np

from strategies.backtest import kernel_book as at
from strategies.backtest import kernel_codes as codes
from strategies.backtest.amounts import MICROS, MICROS_A_CENT
from strategies.backtest.broker import LEVERAGE
from strategies.backtest.entries import DAY_TRADE_SESSIONS
from strategies.backtest.kernel_amounts import cents, compiled, inlined
from strategies.backtest.kernel_market import ADV, CLOSE, MARK, VOLATILITY
from strategies.backtest.kernel_record import drawdown
from strategies.risk import SHORT_MARGIN, drawdown_throttle
from strategies.sizing import (
    cash_room,
    gross_room,
    name_room,
    risk_budget,
    stop_fraction,
    strategy_capital,
    volatility_fraction,
    volatility_room,
    volume_room,
    whole_shares,
    worthwhile,
)

# A draft: row, side, system, stop in millionths (0: none), signed shares, the cap that bound.
ROW, DRAFT_SIDE, DRAFT_SYSTEM, DRAFT_STOP, SHARES, BINDING = range(6)
DRAFT = 6


class Terms(NamedTuple):
    """Limits of the account as plain numbers. `share` is the part of it the strategy may use, `checked_share` the same with
    the six decimals that a signal carries."""

    share: float
    checked_share: float
    max_position: float
    max_gross: float
    max_drawdown: float
    risk_per_trade: float
    max_adv: float
    max_day_trades: int
    allow_short: bool


@inlined
def place_entries(market, terms, account, book, trades, work, count, t):
    """Size, check and order the first `count` drafts, which are by name; their scores rank them."""
    refused, queue, drafts, scores, chain = work.refused, work.queue, work.drafts, work.scores, work.chain
    depth = -drawdown(work.tally)
    throttle = drawdown_throttle(depth, terms.max_drawdown)
    for i in range(count):
        _ranked(queue, scores, i)
    taken, coming = _begin(chain)
    for k in range(count):
        i = queue[k]
        _size(market, terms, account, book, drafts[i], chain, taken, coming, throttle, t)
        notional = drafts[i, SHARES] * market.bars[drafts[i, ROW], t, CLOSE]
        chain[drafts[i, ROW]] += notional
        taken, coming = taken + abs(notional), coming + _claim(notional)
    taken, coming = _begin(chain)
    for i in range(count):
        code = _check(market, terms, account, book, trades, drafts[i], chain, taken, coming, depth, t)
        if code == codes.PASSED:
            notional = drafts[i, SHARES] * market.bars[drafts[i, ROW], t, CLOSE]
            chain[drafts[i, ROW]] += notional
            taken, coming = taken + abs(notional), coming + _claim(notional)
            drafts[i, BINDING] = codes.PASSED
        else:
            refused[code] += 1
    for i in range(count):
        if drafts[i, BINDING] == codes.PASSED:
            _order(market, account, book, refused, drafts[i], t)


@compiled
def _begin(chain):
    """Nothing is on its way: by row, in all, and in claims on cash."""
    for row in range(len(chain)):
        chain[row] = 0.0
    return 0.0, 0.0


@compiled
def _ranked(queue, scores, i):
    """Insert draft `i` among those before it, the highest score first; of equal ones the earlier."""
    k = i
    while k > 0 and scores[queue[k - 1]] < scores[i]:
        queue[k] = queue[k - 1]
        k -= 1
    queue[k] = i


@inlined
def _size(market, terms, account, book, draft, chain, taken, coming, throttle, t):
    """Shares of a draft and the cap that bound them."""
    row = draft[ROW]
    bar = market.bars[row, t]
    price, adv, volatility = bar[CLOSE], bar[ADV], bar[VOLATILITY]
    draft[SHARES], draft[BINDING] = 0, codes.NO_DATA
    if not (_known(price) and _known(adv) and _known(volatility)):
        return
    variance = volatility * volatility
    loss = stop_fraction(price, draft[DRAFT_STOP] / MICROS) if draft[DRAFT_STOP] else volatility_fraction(variance)
    if loss <= 0:
        return
    equity, net = account[at.EQUITY] / 100.0, book[row, at.VALUE] / 100.0 + chain[row]
    held = account[at.GROSS] / 100.0 + taken
    caps = (
        risk_budget(equity, terms.risk_per_trade, terms.share, throttle) / loss,
        throttle * name_room(equity, terms.max_position, net, 1.0),
        strategy_capital(equity, terms.max_gross, terms.share) - held,
        gross_room(equity, terms.max_gross, _gross(market, book, chain)),
        volume_room(terms.max_adv, adv, price, 1.0),
        cash_room(_free_cash(market, account, book, coming)),
        volatility_room(equity, terms.share, variance, throttle),
    )
    least = caps[0]
    draft[BINDING] = 0
    for i in range(1, len(caps)):
        if caps[i] < least:
            least, draft[BINDING] = caps[i], i
    draft[SHARES] = whole_shares(worthwhile(least, equity), 1.0, price) * draft[DRAFT_SIDE]


@inlined
def _check(market, terms, account, book, trades, draft, chain, taken, coming, depth, t):
    """The code of the first check that a draft breaks."""
    row, equity = draft[ROW], account[at.EQUITY] / 100.0
    notional = draft[SHARES] * market.bars[row, t, CLOSE]
    if depth >= terms.max_drawdown:
        return codes.DRAWDOWN_LIMIT
    if abs(draft[SHARES]) < 1:
        return draft[BINDING]
    if _day_trades(account, trades, t) >= terms.max_day_trades:
        return codes.DAY_TRADES
    if draft[SHARES] < 0 and not terms.allow_short:
        return codes.SHORT_NOT_ALLOWED
    if abs(book[row, at.VALUE] / 100.0 + chain[row] + notional) > terms.max_position * equity:
        return codes.SINGLE_NAME
    if account[at.GROSS] / 100.0 + taken + abs(notional) > terms.max_gross * equity * terms.checked_share:
        return codes.STRATEGY_SHARE
    if _gross(market, book, chain) + abs(notional) > terms.max_gross * equity:
        return codes.GROSS_EXPOSURE
    if _claim(notional) > _free_cash(market, account, book, coming):
        return codes.CASH
    return codes.PASSED


@inlined
def _order(market, account, book, refused, draft, t):
    """An order for the next open, unless the broker refuses it: twice the account's worth may be held and ordered."""
    worth, gross = account[at.CASH] * MICROS_A_CENT, abs(draft[SHARES]) * market.micros[draft[ROW], t, MARK]
    for row in range(len(book)):
        value = book[row, at.QTY] * market.micros[row, t, MARK]
        worth += value
        gross += abs(value)
        if book[row, at.IN_SIDE] != 0:
            gross += book[row, at.IN_QTY] * market.micros[row, t, MARK]
    if cents(gross) > cents(LEVERAGE * worth):
        refused[codes.BUYING_POWER] += 1
        return
    place = book[draft[ROW]]
    place[at.IN_SIDE], place[at.IN_QTY] = draft[DRAFT_SIDE], abs(draft[SHARES])
    place[at.IN_STOP], place[at.IN_SYSTEM] = draft[DRAFT_STOP], draft[DRAFT_SYSTEM]
    account[at.ORDERS] += 1
    account[at.WAITING] += 1


# --- the account as the caps and checks see it


@compiled
def _known(value):
    return np.isfinite(value) and value > 0


@compiled
def _claim(notional):
    """Cash that an entry on its way reserves."""
    return notional if notional > 0 else -SHORT_MARGIN * notional


@inlined
def _gross(market, book, chain):
    """Σ |notional| by symbol, held and on its way."""
    gross = 0.0
    for row in market.by_name:
        gross += abs(book[row, at.VALUE] / 100.0 + chain[row])
    return gross


@inlined
def _free_cash(market, account, book, coming):
    """Cash that can still be spent: proceeds of shorts are locked, entries on their way reserved."""
    locked = 0.0
    for row in market.by_name:
        if book[row, at.VALUE] < 0:
            locked += -(book[row, at.VALUE] / 100.0)
    return account[at.CASH] / 100.0 - (1 + SHORT_MARGIN) * locked - coming


@compiled
def _day_trades(account, trades, t):
    """Positions opened and closed in one session, in the last five sessions."""
    count, i = 0, account[at.TRADES] - 1
    while i >= 0 and trades[i, at.LEFT_AT] > t - DAY_TRADE_SESSIONS:
        if trades[i, at.ENTERED_AT] == trades[i, at.LEFT_AT]:
            count += 1
        i -= 1
    return count
