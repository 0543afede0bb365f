"""Compiled scans over bars, for rules that remember. Each is causal: its answer at column t has read no later column.

Rows are symbols, columns sessions, float64; a NaN close marks a session without a bar, and a scan passes over it.
"""

import numpy as np
from numba import njit


@njit(cache=True)
def channel(high, low, bars):
    """Highest high and lowest low (N, T) of the `bars` bars before each bar, that bar excluded; NaN until there are so many."""
    top = np.full(high.shape, np.nan)
    bottom = np.full(high.shape, np.nan)
    for row in range(high.shape[0]):
        present = np.flatnonzero(~(np.isnan(high[row]) | np.isnan(low[row])))
        for k in range(bars, len(present)):
            highest, lowest = -np.inf, np.inf
            for j in range(k - bars, k):
                highest = max(highest, high[row, present[j]])
                lowest = min(lowest, low[row, present[j]])
            top[row, present[k]] = highest
            bottom[row, present[k]] = lowest
    return top, bottom


@njit(cache=True)
def breakouts(high, low, close, unit, entry_top, entry_bottom, exit_top, exit_bottom, stop_units):
    """Breakouts of a channel, each followed on paper until it would have been closed, whether or not anybody took it.

    A breakout is a close outside the entry channel while no earlier breakout is being followed. It ends at its stop,
    `stop_units`·`unit` from its close, when a later bar trades there, else at the first close outside the opposite
    exit channel; it won when that close is beyond its own. Answers two (N, T) arrays: the side of the breakout that
    began at t (int8: 1 up, −1 down, 0 none), and whether the one before it won.
    """
    side_at = np.zeros(close.shape, np.int8)
    won_before = np.zeros(close.shape, np.bool_)
    for row in range(close.shape[0]):
        side, entry, stop, won = 0, 0.0, 0.0, False
        for t in range(close.shape[1]):
            if np.isnan(close[row, t]):
                continue
            if side != 0:
                worst = low[row, t] if side > 0 else high[row, t]
                leave = exit_bottom[row, t] if side > 0 else exit_top[row, t]
                if side * (worst - stop) <= 0:
                    side, won = 0, False
                elif side * (close[row, t] - leave) < 0:
                    won = side * (close[row, t] - entry) > 0
                    side = 0
            if side == 0 and unit[row, t] > 0:
                if close[row, t] > entry_top[row, t]:
                    side = 1
                elif close[row, t] < entry_bottom[row, t]:
                    side = -1
                if side != 0:
                    entry = close[row, t]
                    stop = entry - side * stop_units * unit[row, t]
                    side_at[row, t] = side
                    won_before[row, t] = won
    return side_at, won_before


@njit(cache=True)
def divergence_age(spread, width):
    """Sessions since the spread (P, L) of a pair went beyond ±`width`, until it next crosses zero; −1 outside."""
    age = np.full(spread.shape, -1, np.int64)
    for pair in range(spread.shape[0]):
        side, since = 0, -1
        for t in range(spread.shape[1]):
            value = spread[pair, t]
            if side != 0:
                since += 1
                if value * side <= 0:
                    side, since = 0, -1
            if side == 0 and abs(value) > width:
                side = 1 if value > 0 else -1
                since = 0
            age[pair, t] = since
    return age
