"""Realised variance of daily bars, and its forecast: the Yang–Zhang estimator and the HAR regression.

D. Yang and Q. Zhang (2000), "Drift-Independent Volatility Estimation Based on High, Low, Open, and Close Prices", Journal
of Business 73(3). F. Corsi (2009), "A Simple Approximate Long-Memory Model of Realized Volatility", Journal of Financial
Econometrics 7(2); in logarithms, as there for comparison: of levels, roots and logs it forecasts best.

Arrays are (T,) or (N, T) of adjusted prices. A variance is that of one session, night and day, as a decimal; NaN where it
is not defined. Windows count a symbol's own bars: a gap in between is skipped and NaN itself. Column t depends on bars up
to t only.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

SESSIONS_A_YEAR = 252
# A week and a month of sessions, the scales of the HAR regression beside the day.
WEEK, MONTH = 5, 22
# Yang and Zhang's α less one; α = 1.34 is their choice for every window.
SPARE = 0.34
# A variance below this (σ of 0.2 % a year) is a price that stood still.
STILL = 1e-8
# The regression runs on logarithms of variances over that of a move of 1 %, numbers near zero.
UNIT = 1e-4
# A bar that goes one way from where the last one ended has no variance of its own, and no logarithm of it: a session counts
# for this share of its month at least.
LEAST_SHARE = 0.02


def session_variance(opened, high, low, close) -> np.ndarray:
    """Each session's own variance: the squared move over night and Rogers and Satchell's (1991) of the day."""
    return _by_row(_session_variance, opened, high, low, close)


def yang_zhang(opened, high, low, close, n: int) -> np.ndarray:
    """The mean variance of the last `n` ≥ 2 sessions, whatever the drift: night + k · day + (1 − k) · Rogers–Satchell."""
    return _by_row(lambda *bars: _yang_zhang(*bars, n), opened, high, low, close)


def har_forecast(opened, high, low, close, horizon: int, *, fit: int, least: int) -> np.ndarray:
    """The mean variance expected of the `horizon` ≥ 2 sessions after each one.

    Ordinary least squares of the log of the Yang–Zhang variance of `horizon` sessions on the logs of the variances of the
    session, the week and the month before them, over the last `fit` such pairs that are complete at t (at least `least`).
    The forecast is the mean of the lognormal law that the fitted value and the residual variance describe. A fitted value
    beyond what occurred in those pairs is brought back to their range (Bollerslev, Patton and Quaedvlieg 2016 do alike).
    """
    return _by_row(lambda *bars: _har(*bars, horizon, fit, least), opened, high, low, close)


def annual_volatility(variance: np.ndarray) -> np.ndarray:
    """σ a year of a variance a session; NaN where nothing moved."""
    with np.errstate(invalid="ignore"):
        return np.sqrt(np.where(variance > STILL, variance, np.nan) * SESSIONS_A_YEAR)


def horizon_of(days: int) -> int:
    """How many sessions `days` calendar days have, on average."""
    return max(2, round(days * SESSIONS_A_YEAR / 365))


def _moves(opened, high, low, close) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each session but the first: log moves over night and over the day, and the day's Rogers–Satchell variance."""
    up, down, day = np.log(high / opened)[1:], np.log(low / opened)[1:], np.log(close / opened)[1:]
    # What rounding leaves below zero is zero.
    return np.log(opened[1:] / close[:-1]), day, np.maximum(up * (up - day) + down * (down - day), 0.0)


def _session_variance(opened, high, low, close) -> np.ndarray:
    night, _, ranged = _moves(opened, high, low, close)
    return np.concatenate([[np.nan], night**2 + ranged])


def _yang_zhang(opened, high, low, close, n: int) -> np.ndarray:
    night, day, ranged = _moves(opened, high, low, close)
    if len(night) < n:
        return np.full(len(close), np.nan)
    k = SPARE / (1 + SPARE + (n + 1) / (n - 1))
    nights, days, ranges = (sliding_window_view(values, n) for values in (night, day, ranged))
    variance = nights.var(axis=1, ddof=1) + k * days.var(axis=1, ddof=1) + (1 - k) * ranges.mean(axis=1)
    return np.concatenate([np.full(n, np.nan), variance])


def _har(opened, high, low, close, horizon: int, fit: int, least: int) -> np.ndarray:
    bars = opened, high, low, close
    month = _yang_zhang(*bars, MONTH)
    scales = np.maximum(_session_variance(*bars), LEAST_SHARE * month), _yang_zhang(*bars, WEEK), month
    with np.errstate(divide="ignore"):
        regressors = np.column_stack([np.ones(len(close)), *(np.log(scale / UNIT) for scale in scales)])
        target = np.log(_yang_zhang(*bars, horizon) / UNIT)
    # A pair is the regressors of one session and what the `horizon` sessions after it brought; it is complete at their end.
    before = np.full_like(regressors, np.nan)
    before[horizon:] = regressors[:-horizon]
    pairs = np.column_stack([before, target])
    complete = np.isfinite(pairs).all(axis=1)
    fitted, spread = _fitted(np.where(complete[:, None], pairs, 0.0), complete, regressors, fit, least)
    return UNIT * np.exp(fitted + spread / 2)


def _fitted(pairs: np.ndarray, complete: np.ndarray, regressors: np.ndarray, fit: int, least: int) -> tuple[np.ndarray, np.ndarray]:
    """The regression at each session: its fitted value, kept within the targets it saw, and its residual variance.

    Rows of `pairs` that are not complete are 0.
    """
    moments = _window_sum(pairs[:, :, None] * pairs[:, None, :], fit)
    count = _window_sum(complete.astype(float), fit)
    cross, product, square = moments[:, :-1, :-1], moments[:, :-1, -1], moments[:, -1, -1]
    beta = np.einsum("tij,tj->ti", np.linalg.pinv(cross, hermitian=True), product)
    free = count - regressors.shape[1]
    enough = (count >= least) & (free > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.maximum(square - np.einsum("ti,ti->t", beta, product), 0) / np.where(enough, free, np.nan)
        fitted = np.einsum("ti,ti->t", regressors, beta)
    low, high = _extremes(np.where(complete, pairs[:, -1], np.nan), fit)
    return np.where(enough, np.clip(fitted, low, high), np.nan), spread


def _window_sum(values: np.ndarray, window: int) -> np.ndarray:
    """Sums of the last `window` rows, of fewer at the beginning."""
    total = np.cumsum(values, axis=0)
    total[window:] -= total[:-window].copy()
    return total


def _extremes(values: np.ndarray, window: int) -> tuple[np.ndarray, np.ndarray]:
    """The least and the largest of the last `window` values that are there; NaN where none is."""
    padded = np.concatenate([np.full(window - 1, np.nan), values])
    low = sliding_window_view(np.where(np.isnan(padded), np.inf, padded), window).min(axis=1)
    high = sliding_window_view(np.where(np.isnan(padded), -np.inf, padded), window).max(axis=1)
    none = low > high
    return np.where(none, np.nan, low), np.where(none, np.nan, high)


def _by_row(function, *bars: np.ndarray) -> np.ndarray:
    """Apply a function of complete bars to those of each row, and put its values back in their place."""
    arrays = [np.atleast_2d(np.asarray(values, float)) for values in bars]
    answer = np.full(arrays[0].shape, np.nan)
    whole = np.logical_and.reduce([np.isfinite(values) & (values > 0) for values in arrays])
    for i in range(answer.shape[0]):
        valid = whole[i]
        if valid.sum() > 1:
            answer[i, valid] = function(*(values[i, valid] for values in arrays))
    return answer.reshape(np.shape(bars[0]))
