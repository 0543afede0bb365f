"""The compiled account from its first session to its last, by rules that are arrays: the ledgers and the summary."""

import sys
from typing import NamedTuple

import numpy as np
from numba import njit

from strategies import sizing
from strategies.backtest import (
    kernel_amounts,
    kernel_book,
    kernel_codes,
    kernel_entries,
    kernel_market,
    kernel_record,
    kernel_rules,
    kernel_session,
)
from strategies.backtest import kernel_book as at
from strategies.backtest.amounts import MICROS
from strategies.backtest.book import OPEN as STILL_OPEN
from strategies.backtest.kernel_amounts import compiled, inlined
from strategies.backtest.kernel_book import record_trade
from strategies.backtest.kernel_cache import cached_with
from strategies.backtest.kernel_codes import CODES
from strategies.backtest.kernel_entries import DRAFT, DRAFT_SIDE, DRAFT_STOP, DRAFT_SYSTEM, ROW, place_entries
from strategies.backtest.kernel_market import CLOSE
from strategies.backtest.kernel_record import open_record, summarise, take_in
from strategies.backtest.kernel_rules import Plan, adds, glide, leaves
from strategies.backtest.kernel_session import carry, mark, queued, quiet, trade_session
from strategies.library import kernels
from strategies.library.kernels import rounded, units
from strategies.risk import throttle

LEAST_ROWS = 256
# What the compiled account takes code and constants from.
SOURCES = (
    kernel_amounts, kernel_book, kernel_codes, kernel_entries, kernel_market, kernel_record, kernel_rules, kernel_session, kernels, sizing,
    throttle,
)  # fmt: skip


class Work(NamedTuple):
    """Memory of one account, used again for the next: nothing is allocated while sets are played."""

    book: np.ndarray
    account: np.ndarray
    refused: np.ndarray
    queue: np.ndarray
    drafts: np.ndarray
    scores: np.ndarray
    chain: np.ndarray
    tally: np.ndarray

    @classmethod
    def of(cls, symbols: int) -> "Work":
        return cls(
            book=np.zeros((symbols, at.WIDTH), np.int64),
            account=np.zeros(at.STATE, np.int64),
            refused=np.zeros(len(CODES), np.int64),
            queue=np.zeros(symbols, np.int64),
            drafts=np.zeros((symbols, DRAFT), np.int64),
            scores=np.zeros(symbols),
            chain=np.zeros(symbols),
            tally=np.zeros(at.TALLY),
        )


@cached_with(sys.modules[__name__], *SOURCES)
@njit(nogil=True, error_model="numpy")
def play_sets(
    market, terms, costs, capital, entry, leave, score, unit, unit_of, stop, add, most, holding, warm_up, first, last, work, curve,
    fills, trades, kept, summary,
):  # fmt: skip
    """Play each set of rules over the columns `first` to `last`. Answers the ledgers of the last set, and the trades of all.

    `curve` (3, L) takes equity, cash and gross value in cents; `kept` (K, 1 + TRADE_WIDTH) the trades of every set after its
    number; empty, they are left out. `summary` (S, len(SUMMARY)) takes what each set came to.
    """
    keep, count = len(kept) > 0, 0
    for s in range(len(stop)):
        plan = Plan(stop[s], add[s], most[s], holding[s], _ready(market, warm_up[s]))
        rules = entry[s], leave[s], score[:, s], unit, unit_of[s]
        while not _play(market, terms, costs, capital, *rules, plan, first, last, work, curve, fills, trades):
            # Its ledger was full: it is played again with a longer one, which the sets after it will find long enough.
            fills, trades = _longer(fills), _longer(trades)
        closed = work.account[at.TRADES]
        _record_open(market, work, trades)
        summarise(work, capital, fills, trades, closed, last - first + 1, summary[s])
        if keep:
            while count + work.account[at.TRADES] > len(kept):
                kept = _longer(kept)
            _keep(kept, count, s, trades, work.account[at.TRADES])
            count += work.account[at.TRADES]
    return fills, trades, kept, count


@njit(nogil=True)
def _longer(ledger):
    """A copy of the ledger with room for twice as much."""
    longer = np.empty((2 * len(ledger), ledger.shape[1]), np.int64)
    for i in range(len(ledger)):
        for field in range(ledger.shape[1]):
            longer[i, field] = ledger[i, field]
    return longer


@compiled
def _play(market, terms, costs, capital, entry, leave, score, unit, unit_of, plan, first, last, work, curve, fills, trades):
    """Whether the ledgers took it all: in a session each row may fill three times, and close twice."""
    account, book, tally = work.account, work.book, work.tally
    _begin(work)
    open_record(account, tally, capital)
    rows, record = len(book), curve.shape[1] > 0
    alone = rows == 1 and not record
    t = first
    while t <= last:
        if alone and account[at.OPEN] and not account[at.WAITING] and tally[at.SESSIONS] == 0:
            t = glide(market, costs, account, book[0], tally, leave, unit, unit_of, plan, t, last)
            if t > last:
                break
        before = account[at.EQUITY]
        if account[at.OPEN] or account[at.WAITING]:
            if quiet(market, account, book, t):
                carry(market, costs, account, book, t)
            elif account[at.FILLS] + 3 * rows > len(fills) or account[at.TRADES] + 3 * rows > len(trades):
                return False
            else:
                trade_session(market, costs, account, book, fills, trades, work.refused, work.queue, t)
        elif not record:
            t = _next_entry(entry, t, last)
        speaks = _close(market, account, book, entry, leave, unit, unit_of, plan, t)
        take_in(account, tally, before, t - first + 1)
        if record:
            curve[0, t - first], curve[1, t - first], curve[2, t - first] = account[at.EQUITY], account[at.CASH], account[at.GROSS]
        if speaks:
            _decide(market, terms, account, book, trades, work, entry, leave, score, unit, unit_of, plan, t)
        t += 1
    return account[at.TRADES] + account[at.OPEN] <= len(trades)


@inlined
def _next_entry(entry, t, last):
    """The first column from t on where a rule enters; the last one where none does."""
    while t < last:
        for row in range(len(entry)):
            if entry[row, t] != 0:
                return t
        t += 1
    return last


@inlined
def _close(market, account, book, entry, leave, unit, unit_of, plan, t):
    """Mark what is held, and say whether the rules propose anything."""
    account[at.WORTH], account[at.GROSS], speaks = 0, 0, False
    for row in range(len(book)):
        place = book[row]
        if place[at.QTY] == 0:
            speaks |= entry[row, t] != 0
        else:
            mark(market, account, place, row, t)
            speaks |= leaves(place, leave[row, t], plan, t)
            speaks |= place[at.UNITS] < plan.most and adds(market, place, unit[unit_of, row, t], plan, row, t)
    account[at.EQUITY] = account[at.CASH] + account[at.WORTH]
    return speaks


@compiled
def _begin(work):
    """An account that holds nothing and did nothing."""
    for row in range(len(work.book)):
        for field in range(at.WIDTH):
            work.book[row, field] = 0
    for values in (work.account, work.refused):
        for i in range(len(values)):
            values[i] = 0
    for i in range(len(work.tally)):
        work.tally[i] = 0.0


@inlined
def _decide(market, terms, account, book, trades, work, entry, leave, score, unit, unit_of, plan, t):
    """Orders of what the rules say at the close: exits, then what enters and adds."""
    count, ready = 0, t >= plan.ready
    for row in market.by_name:
        place = book[row]
        if place[at.QTY] == 0:
            code = entry[row, t]
            if code != 0 and ready:
                side, system = (1, code) if code > 0 else (-1, -code)
                count = _draft(market, work, score, unit, unit_of, plan, count, row, side, system, t)
        elif leaves(place, leave[row, t], plan, t):
            account[at.DRAFTS] += 1
            if place[at.EXIT_ORDER] == 0:
                account[at.ORDERS] += 1
                account[at.WAITING] += 1
                place[at.EXIT_ORDER], place[at.STOP_ORDER] = account[at.ORDERS], 0
        elif ready and place[at.UNITS] < plan.most and adds(market, place, unit[unit_of, row, t], plan, row, t):
            count = _draft(market, work, score, unit, unit_of, plan, count, row, place[at.SIDE], place[at.SYSTEM], t)
    if count:
        account[at.DRAFTS] += count
        place_entries(market, terms, account, book, trades, work, count, t)


@inlined
def _draft(market, work, score, unit, unit_of, plan, count, row, side, system, t):
    """Note an entry or addition with its stop; not where the distance to it is unknown or it would lie below zero."""
    draft, level = work.drafts[count], 0.0
    if not np.isnan(plan.stop):
        distance = unit[unit_of, row, t]
        level = rounded(market.bars[row, t, CLOSE] - side * plan.stop * distance, MICROS)
        if not (distance > 0 and level > 0):
            return count
    draft[ROW], draft[DRAFT_SIDE], draft[DRAFT_SYSTEM], draft[DRAFT_STOP] = row, side, system, np.int64(units(level, MICROS))
    work.scores[count] = score[0 if side > 0 else 1, row, t] if score.shape[1] > 0 else 0.0
    return count + 1


@compiled
def _ready(market, warm_up):
    """The first column by which a symbol has so many bars."""
    columns = market.nth_bar.shape[1]
    if warm_up > columns:
        return columns
    first = columns
    for row in range(len(market.nth_bar)):
        first = min(first, market.nth_bar[row, max(warm_up, 1) - 1])
    return first


# --- the ledgers


@compiled
def _record_open(market, work, trades):
    """What is open at its mark, behind the closed trades, in the order it was opened."""
    count = 0
    for row in market.by_name:
        if work.book[row, at.QTY] != 0:
            count = queued(work.queue, count, work.book, row, at.ENTRY_AT)
    for i in range(count):
        record_trade(work.account, trades, work.book[work.queue[i]], -1, work.queue[i], STILL_OPEN)


@compiled
def _keep(kept, count, s, trades, many):
    """The trades of set s behind those of the sets before it."""
    for i in range(many):
        kept[count + i, 0] = s
        for field in range(at.TRADE_WIDTH):
            kept[count + i, 1 + field] = trades[i, field]


def ledgers(symbols: int) -> tuple[np.ndarray, np.ndarray]:
    """Room for fills and trades, to begin with."""
    rows = LEAST_ROWS + 3 * symbols
    return np.empty((rows, at.FILL_WIDTH), np.int64), np.empty((rows, at.TRADE_WIDTH), np.int64)
