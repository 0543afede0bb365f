"""What is told of the compiled account at each close, and what it came to in the end.

`tally` holds it as doubles. Its first fields are the record that every session moves: the value of the account's unit (a
whole number of steps of 1e-10, as snapshots round it) and its peak; the inverse of the equity; the sums of returns and of
their squares; the deepest fall, the highest equity and the sum of exposures. The definitions are those of
`quant_site.core.stats`.
"""

import numpy as np

from quant_site.core.stats import FEWEST_TO_ANNUALISE, NO_SPREAD, SESSIONS_PER_YEAR
from strategies.backtest import kernel_book as at
from strategies.backtest.amounts import MICROS
from strategies.backtest.kernel_amounts import compiled, inlined, product_ratio

# The summary of a set; NaN where undefined.
SUMMARY = ("trades", "total_return", "sharpe_ratio", "max_drawdown", "win_rate", "profit_factor", "fees", "exposure")
# A quotient of doubles below 1e13 is off by less than 0.01: nearer to a whole number than this it rounds to it.
SURELY, EXACT_ROUGHLY = 0.49, 1e13


@compiled
def open_record(account, tally, capital):
    """The account as it begins."""
    account[at.CASH] = account[at.EQUITY] = capital
    tally[at.UNIT] = tally[at.PEAK] = at.ONE
    tally[at.TOP], tally[at.INVERSE] = capital, 1.0 / capital


@inlined
def read(tally):
    return tally[0], tally[1], tally[2], tally[3], tally[4], tally[5], tally[6], tally[7]


@inlined
def write(tally, record):
    for i in range(8):
        tally[i] = record[i]


@inlined
def followed(record, before, equity, gross):
    """The record after a session that took `before` > 0 cents to `equity`, of which `gross` were at work at its close."""
    unit, peak, inverse, total, squares, deepest, top, exposed = record
    if equity != before:
        growth = equity * inverse
        unit = _compounded(unit, growth, before, equity)
        peak = max(peak, unit)
        total += growth - 1.0
        squares += (growth - 1.0) * (growth - 1.0)
        inverse = 1.0 / equity
        top = max(top, float(equity))
        if equity < top * (1.0 + deepest):
            deepest = equity / top - 1.0
    return unit, peak, inverse, total, squares, deepest, top, exposed + gross * inverse


@inlined
def _compounded(unit, growth, before, equity):
    """The unit's value times equity / before, which is about `growth`, as a whole number of steps."""
    rough = unit * growth
    whole = np.rint(rough)
    if abs(rough - whole) > SURELY or abs(rough) > EXACT_ROUGHLY:
        return float(product_ratio(np.int64(unit), equity, before))
    return whole


@inlined
def take_in(account, tally, before, sessions):
    """Move the record by a session, until nothing is left of the account: from then on no unit has a value."""
    if tally[at.SESSIONS] > 0:
        tally[at.UNIT] = at.UNKNOWN
        return
    equity = account[at.EQUITY]
    write(tally, followed(read(tally), before, equity, account[at.GROSS]))
    if equity <= 0:
        tally[at.SESSIONS], tally[at.LEFT], tally[at.EXPOSED] = sessions, equity, np.nan


@compiled
def drawdown(tally):
    """Distance of the unit's value from its peak, ≤ 0, to six decimals."""
    if tally[at.UNIT] == at.UNKNOWN:
        return 0.0
    return (product_ratio(np.int64(tally[at.UNIT]), MICROS, np.int64(tally[at.PEAK])) - MICROS) / MICROS


# --- the end


@compiled
def summarise(work, capital, fills, trades, closed, sessions, summary):
    """One row of a sweep: what SUMMARY names, of the first `closed` trades and a record of so many sessions."""
    account, tally = work.account, work.tally
    ruined = tally[at.SESSIONS] > 0
    n = tally[at.SESSIONS] if ruined else float(sessions)
    end = tally[at.LEFT] if ruined else float(account[at.EQUITY])
    won, gained, lost, fees = 0, 0, 0, 0
    for i in range(closed):
        pnl = trades[i, at.PNL]
        won += pnl > 0
        gained += max(pnl, 0)
        lost -= min(pnl, 0)
    for i in range(account[at.FILLS]):
        fees += fills[i, at.FEE]
    summary[0] = closed
    summary[1] = end / capital - 1.0 if end >= 0 else np.nan
    summary[2] = _sharpe(tally[at.SUM], tally[at.SQUARES], n)
    summary[3] = tally[at.DEEPEST]
    summary[4] = won / closed if closed else np.nan
    summary[5] = gained / lost if lost else np.nan
    summary[6] = fees / 100.0
    summary[7] = tally[at.EXPOSED] / sessions


@compiled
def _sharpe(total, squares, n):
    if n < FEWEST_TO_ANNUALISE:
        return np.nan
    mean = total / n
    sd = np.sqrt(max(squares - n * mean * mean, 0.0) / (n - 1))
    return mean / sd * np.sqrt(SESSIONS_PER_YEAR) if sd >= NO_SPREAD else np.nan
