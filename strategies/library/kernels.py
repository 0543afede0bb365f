"""Compiled scans over bars, for rules that remember. Each is causal: its answer at column t has read no later column.

Rows are symbols, columns sessions, float64; a NaN close marks a session without a bar, and a scan passes over it.

Those named `…_rules` answer for S parameter sets at once. What several sets share of the market is handed in once, as
(W, N, T), and an index (S,) says which of the W is whose. They fill what `strategies.rules.Rules` describes:
`entry` and `leave` (S, N, T), and `score` (2, S, N, T), long and short, unless it is empty. A live decision takes its
features from the same scans, so that both follow one definition.
"""

import numpy as np
from numba import njit

# Division by zero answers as in NumPy.
scan = njit(cache=True, nogil=True, error_model="numpy")
part = njit(nogil=True, error_model="numpy", _nrt=False)

# What is closed, as bits of `leave`: a long or a short trade, of system 1 or 2.
LONG_1, SHORT_1, LONG_2, SHORT_2 = 1, 2, 4, 8
# Averages nearer than this share of price are equal: a running sum of a price that stood still differs by rounding.
EQUAL = 1e-9
# Bands narrower than this share of price are rounding noise of a price that stood still.
NARROWEST_BANDS = 1e-6
# Where the close before the first lay.
UNKNOWN = 2


@scan
def channel(high, low, bars):
    """Highest high and lowest low (N, T) of the `bars` bars before each bar, that bar excluded; NaN until there are so many."""
    top = np.full(high.shape, np.nan)
    bottom = np.full(high.shape, np.nan)
    for row in range(high.shape[0]):
        present = np.flatnonzero(~(np.isnan(high[row]) | np.isnan(low[row])))
        queue = np.empty(len(present), np.int64)
        _extreme_before(high[row], present, bars, 1.0, queue, top[row])
        _extreme_before(low[row], present, bars, -1.0, queue, bottom[row])
    return top, bottom


@part
def _extreme_before(values, present, bars, sign, queue, out):
    """The extreme of the last `bars` values by a queue of those that can still become it: each enters and leaves once."""
    head, tail = 0, 0
    for k in range(len(present)):
        if k >= bars:
            if queue[head] < k - bars:
                head += 1
            out[present[k]] = values[present[queue[head]]]
        while tail > head and sign * values[present[queue[tail - 1]]] <= sign * values[present[k]]:
            tail -= 1
        queue[tail] = k
        tail += 1


@part
def _follow(high, low, close, unit, entry_top, entry_bottom, exit_top, exit_bottom, stop_units, side_at, won_before):
    """One symbol of `breakouts`."""
    side, entry, stop, won = 0, 0.0, 0.0, False
    for t in range(len(close)):
        side_at[t], won_before[t] = 0, False
        if np.isnan(close[t]):
            continue
        if side != 0:
            worst = low[t] if side > 0 else high[t]
            leave = exit_bottom[t] if side > 0 else exit_top[t]
            if side * (worst - stop) <= 0:
                side, won = 0, False
            elif side * (close[t] - leave) < 0:
                won = side * (close[t] - entry) > 0
                side = 0
        if side == 0 and unit[t] > 0:
            if close[t] > entry_top[t]:
                side = 1
            elif close[t] < entry_bottom[t]:
                side = -1
            if side != 0:
                entry = close[t]
                stop = entry - side * stop_units * unit[t]
                side_at[t], won_before[t] = side, won


@scan
def breakouts(high, low, close, unit, entry_top, entry_bottom, exit_top, exit_bottom, stop_units):
    """Breakouts of a channel, each followed on paper until it would have been closed, whether or not anybody took it.

    A breakout is a close outside the entry channel while no earlier breakout is being followed. It ends at its stop,
    `stop_units`·`unit` from its close, when a later bar trades there, else at the first close outside the opposite
    exit channel; it won when that close is beyond its own. Answers two (N, T) arrays: the side of the breakout that
    began at t (int8: 1 up, −1 down, 0 none), and whether the one before it won.
    """
    side_at = np.empty(close.shape, np.int8)
    won_before = np.empty(close.shape, np.bool_)
    for i in range(close.shape[0]):
        bars, channels = (high[i], low[i], close[i], unit[i]), (entry_top[i], entry_bottom[i], exit_top[i], exit_bottom[i])
        _follow(*bars, *channels, stop_units, side_at[i], won_before[i])
    return side_at, won_before


@scan
def breakout_rules(
    high, low, close, top, bottom, unit, fast_entry, slow_entry, fast_exit, slow_exit, unit_of, stop, skip, short, entry, leave, score
):
    """The Turtles' two systems. `top` and `bottom` (W, N, T) are channels, `unit` (U, N, T) is N; windows index them."""
    side, won = np.empty(close.shape[1], np.int8), np.empty(close.shape[1], np.bool_)
    for s in range(len(stop)):
        for i in range(close.shape[0]):
            c, n = close[i], unit[unit_of[s], i]
            high_1, low_1 = top[fast_entry[s], i], bottom[fast_entry[s], i]
            high_2, low_2 = top[slow_entry[s], i], bottom[slow_entry[s], i]
            out_1, out_2 = (top[fast_exit[s], i], bottom[fast_exit[s], i]), (top[slow_exit[s], i], bottom[slow_exit[s], i])
            _follow(high[i], low[i], c, n, high_1, low_1, out_1[0], out_1[1], stop[s], side, won)
            for t in range(len(c)):
                system, way = 1, side[t]
                if way == 0 or (skip[s] and won[t]):
                    system, way = 2, (1 if c[t] > high_2[t] else 0) - (1 if c[t] < low_2[t] else 0)
                entry[s, i, t] = 0 if way < 0 and not short[s] else way * system
                leave[s, i, t] = (
                    (LONG_1 if c[t] < out_1[1][t] else 0)
                    | (SHORT_1 if c[t] > out_1[0][t] else 0)
                    | (LONG_2 if c[t] < out_2[1][t] else 0)
                    | (SHORT_2 if c[t] > out_2[0][t] else 0)
                )
                if score.size:
                    score[0, s, i, t] = rounded((c[t] - high_1[t]) / n[t], 1e4)
                    score[1, s, i, t] = rounded(-(c[t] - low_1[t]) / n[t], 1e4)


# --- crosses of two averages


@part
def _cross(side, age, fast, slow):
    """The side the fast average is on (0: not known yet) and the sessions since it changed (−1: it never did), after a
    session. Averages that touch keep the side they had: only a change of sides is a cross."""
    gap, least = fast - slow, EQUAL * abs(slow)
    now = 1 if gap > least else -1 if gap < -least else side
    if now != side and side != 0:
        return now, 0
    return now, age + 1 if age >= 0 else age


@scan
def crosses(fast, slow):
    """(N, T) state of the fast average (int8: 1 above, −1 below, 0 unknown) and sessions since it last changed (int32)."""
    state, age = np.empty(fast.shape, np.int8), np.empty(fast.shape, np.int32)
    for i in range(fast.shape[0]):
        side, since = 0, -1
        for t in range(fast.shape[1]):
            side, since = _cross(side, since, fast[i, t], slow[i, t])
            state[i, t], age[i, t] = side, since
    return state, age


@scan
def cross_rules(close, average, fast, slow, window, entry, leave, score):
    """Long within `window` sessions from a cross upwards, closed while the fast average is below."""
    for s in range(len(fast)):
        for i in range(close.shape[0]):
            quick, calm, c = average[fast[s], i], average[slow[s], i], close[i]
            side, age = 0, -1
            for t in range(len(c)):
                side, age = _cross(side, age, quick[t], calm[t])
                buys = side > 0 and 0 <= age < window[s] and np.isfinite(c[t])
                entry[s, i, t] = 1 if buys else 0
                leave[s, i, t] = LONG_1 if side < 0 else 0
                if buys and score.size:
                    score[0, s, i, t] = rounded(c[t] / calm[t] - 1, 1e6)


# --- closes outside bands


@part
def _z(close, middle, sigma, width):
    """Standard deviations from the mean; NaN where the bands are but rounding noise of a price that stood still."""
    return (close - middle) / sigma if width * sigma > NARROWEST_BANDS * middle else np.nan


@part
def _outside(z, width):
    return 0 if abs(z) <= width else 1 if z > 0 else -1


@part
def _fresh(z, width, before):
    """The side to enter at a close, and where that close lies for the next one; `before` is None's 2 until one is known.

    Only the first close outside a band is entered, against it.
    """
    if np.isnan(z):
        return 0, before
    now = _outside(z, width)
    return (-now if now != before and before != UNKNOWN else 0), now


@scan
def band_crossings(close, middle, sigma, trend, width, limit, short):
    """(N, T) side of an entry (int8: 1 long, −1 short, 0 none) and z, the close's standard deviations from the mean."""
    side, z = np.zeros(close.shape, np.int8), np.empty(close.shape)
    for i in range(close.shape[0]):
        before = UNKNOWN
        for t in range(close.shape[1]):
            z[i, t] = _z(close[i, t], middle[i, t], sigma[i, t], width)
            way, before = _fresh(z[i, t], width, before)
            if way != 0 and trend[i, t] < limit and (way > 0 or short):
                side[i, t] = way
    return side, z


@scan
def band_rules(close, middle, sigma, trend, band, trend_of, width, limit, short, entry, leave, score):
    """Against the first close outside a band where ADX is below its limit, closed at the middle band."""
    for s in range(len(band)):
        for i in range(close.shape[0]):
            c, mean, spread, adx = close[i], middle[band[s], i], sigma[band[s], i], trend[trend_of[s], i]
            before = UNKNOWN
            for t in range(len(c)):
                z = _z(c[t], mean[t], spread[t], width[s])
                way, before = _fresh(z, width[s], before)
                enters = way != 0 and adx[t] < limit[s] and (way > 0 or short[s])
                entry[s, i, t] = way if enters else 0
                leave[s, i, t] = (LONG_1 if c[t] - mean[t] >= 0 else 0) | (SHORT_1 if c[t] - mean[t] <= 0 else 0)
                if enters and score.size:
                    score[0 if way > 0 else 1, s, i, t] = abs(rounded(z, 1e4))


# --- decimals


@part
def two_product(a, b):
    """a·b as its nearest double and what that is short of the true product (Dekker 1971); both factors below 2^53."""
    product = a * b
    wide = 134217729.0 * a
    a_high = wide - (wide - a)
    wide = 134217729.0 * b
    b_high = wide - (wide - b)
    a_low, b_low = a - a_high, b - b_high
    return product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


@part
def units(value, scale):
    """value·scale as the nearest whole number, ties of the exact product to even: what round() does to decimals.

    A float; exact below 2^52.
    """
    product, rest = two_product(value, scale)
    whole = np.floor(product)
    if product - whole != 0.5 or rest == 0.0:
        return np.rint(product)
    return whole + 1.0 if rest > 0 else whole


@part
def rounded(value, scale):
    """round(value, digits) with scale = 10^digits, to the last bit; NaN and infinities as they are."""
    return units(value, scale) / scale if np.isfinite(value) else value


@scan
def raw_prices(adjusted, factor):
    """Adjusted prices or distances (N, T) in what the symbol traded at in each session, six decimals; see `drafting.raw_price`."""
    raw = np.empty(adjusted.shape)
    for i in range(adjusted.shape[0]):
        for t in range(adjusted.shape[1]):
            raw[i, t] = rounded(adjusted[i, t] / factor[i, t], 1e6)
    return raw


@scan
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
