"""Indicators agree with their definitions written out in pandas and numpy, over a grid of windows and listings."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_site.market import indicators as ta
from quant_site.market.patterns import candle_patterns, support_resistance

WINDOWS = [2, 5, 14, 20, 55]


@pytest.fixture(scope="module")
def bars():
    """(4, 400) prices: a full row, one listed later, one with gaps, one that ends early."""
    random = np.random.default_rng(11)
    close = 80 * np.exp(np.cumsum(random.normal(0, 0.02, (4, 400)), axis=1))
    high = close * (1 + random.uniform(0, 0.02, close.shape))
    low = close * (1 - random.uniform(0, 0.02, close.shape))
    volume = random.integers(1_000, 9_000, close.shape).astype(float)
    for array in (close, high, low, volume):
        array[1, :130] = np.nan
        array[2, [60, 61, 200]] = np.nan
        array[3, 300:] = np.nan
    return high, low, close, volume


def check(actual, oracle, *inputs):
    """`oracle` computes each row from its own bars only; the results sit where the bars are."""
    assert actual.shape == inputs[0].shape
    for row in range(len(actual)):
        valid = np.logical_and.reduce([np.isfinite(each[row]) for each in inputs])
        expected = np.full(actual.shape[1], np.nan)
        expected[valid] = oracle(*(pd.Series(each[row][valid]) for each in inputs))
        np.testing.assert_allclose(actual[row], expected, rtol=1e-8, atol=1e-8)
    assert np.isfinite(actual).any()


def wilder(values: pd.Series, n: int, start: int) -> pd.Series:
    """Wilder's smoothing: the mean of `n` values from `start` on, then (n − 1) parts old and one part new."""
    out = pd.Series(np.nan, index=values.index)
    if start + n > len(values):
        return out
    out.iloc[start + n - 1] = values.iloc[start : start + n].mean()
    for i in range(start + n, len(values)):
        out.iloc[i] = (out.iloc[i - 1] * (n - 1) + values.iloc[i]) / n
    return out


def exponential(values: pd.Series, n: int, start: int = 0) -> pd.Series:
    """EMA that begins with the mean of the `n` values from `start` on."""
    out = pd.Series(np.nan, index=values.index)
    if start + n <= len(values):
        seeded = values.iloc[start + n - 1 :].copy()
        seeded.iloc[0] = values.iloc[start : start + n].mean()
        out.iloc[start + n - 1 :] = seeded.ewm(span=n, adjust=False).mean()
    return out


def true_range(high, low, close):
    before = close.shift()
    return pd.concat([high - low, (high - before).abs(), (low - before).abs()], axis=1).max(axis=1, skipna=False)


@pytest.mark.parametrize("n", WINDOWS)
def test_averages(bars, n):
    close = bars[2]
    check(ta.sma(close, n), lambda c: c.rolling(n).mean(), close)
    check(ta.ema(close, n), lambda c: exponential(c, n), close)


@pytest.mark.parametrize("n", WINDOWS)
@pytest.mark.parametrize("k", [1.0, 2.0, 2.5])
def test_bollinger_bands_use_the_population_deviation(bars, n, k):
    close = bars[2]
    lower, middle, upper = ta.bollinger(close, n, k)
    check(middle, lambda c: c.rolling(n).mean(), close)
    check(lower, lambda c: c.rolling(n).mean() - k * c.rolling(n).std(ddof=0), close)
    check(upper, lambda c: c.rolling(n).mean() + k * c.rolling(n).std(ddof=0), close)


@pytest.mark.parametrize("n", WINDOWS)
def test_relative_strength(bars, n):
    def oracle(close):
        change = close.diff()
        gain, loss = (wilder(side.clip(lower=0), n, 1) for side in (change, -change))
        return 100 * gain / (gain + loss)

    check(ta.rsi(bars[2], n), oracle, bars[2])


@pytest.mark.parametrize(("fast", "slow", "signal"), [(12, 26, 9), (5, 35, 5), (3, 10, 16)])
def test_macd(bars, fast, slow, signal):
    def line(close):
        values = exponential(close, fast, slow - fast) - exponential(close, slow)
        return values.mask(np.arange(len(values)) < slow + signal - 2)

    def trigger(close):
        values = exponential(close, fast, slow - fast) - exponential(close, slow)
        return exponential(values, signal, slow - 1)

    macd, signal_line, histogram = ta.macd(bars[2], fast, slow, signal)
    check(macd, line, bars[2])
    check(signal_line, trigger, bars[2])
    np.testing.assert_allclose(histogram, macd - signal_line, atol=1e-9)


@pytest.mark.parametrize(("n", "smooth", "signal"), [(14, 3, 3), (5, 2, 4), (21, 5, 5)])
def test_stochastic(bars, n, smooth, signal):
    high, low, close, _ = bars

    def slow_k(h, lo, c):
        bottom, top = lo.rolling(n).min(), h.rolling(n).max()
        return (100 * (c - bottom) / (top - bottom)).rolling(smooth).mean()

    k, d = ta.stochastic(high, low, close, n, smooth, signal)
    check(d, lambda *each: slow_k(*each).rolling(signal).mean(), high, low, close)
    defined = np.isfinite(d)
    check(np.where(defined, k, np.nan), lambda *each: slow_k(*each).mask(slow_k(*each).rolling(signal).mean().isna()), high, low, close)


@pytest.mark.parametrize("n", WINDOWS)
def test_average_true_range(bars, n):
    high, low, close, _ = bars
    check(ta.atr(high, low, close, n), lambda *each: wilder(true_range(*each), n, 1), high, low, close)


@pytest.mark.parametrize("n", [5, 14, 20])
def test_directional_index(bars, n):
    """Wilder's ADX with his running sums: the first holds n − 1 moves, as TA-Lib and his worked example have it."""

    def running(values):
        out, total = pd.Series(np.nan, index=values.index), values.iloc[1:n].sum()
        for i in range(n, len(values)):
            total = total - total / n + values.iloc[i]
            out.iloc[i] = total
        return out

    def oracle(high, low, close):
        up, down = high.diff(), -low.diff()
        plus, minus = up.where((up > down) & (up > 0), 0.0), down.where((down > up) & (down > 0), 0.0)
        span = running(true_range(high, low, close))
        plus, minus = running(plus) / span, running(minus) / span
        return wilder(100 * (plus - minus).abs() / (plus + minus), n, n)

    high, low, close, _ = bars
    check(ta.adx(high, low, close, n), oracle, high, low, close)


@pytest.mark.parametrize("n", WINDOWS)
def test_volume_ratio_compares_with_the_bars_before(bars, n):
    volume = bars[3]
    check(ta.volume_ratio(volume, n), lambda v: v / v.rolling(n).mean().shift(), volume)


def test_one_row_gives_one_row(bars):
    close = bars[2]
    np.testing.assert_array_equal(ta.rsi(close[2], 14), ta.rsi(close, 14)[2])
    assert ta.bollinger(close[0], 20, 2)[0].shape == (400,)


@pytest.mark.parametrize("length", [0, 1, 2, 13])
def test_too_few_bars_give_nothing_but_undefined_values(length):
    values = np.linspace(10, 11, length)
    for result in (ta.sma(values, 14), ta.rsi(values, 14), ta.atr(values, values, values, 14), *ta.macd(values), *ta.bollinger(values)):
        assert result.shape == (length,) and np.isnan(result).all()
    assert np.isnan(ta.adx(*[np.full((2, 40), np.nan)] * 3, 14)).all()


def test_what_does_not_move_is_undefined_not_oversold():
    flat = np.full(60, 25.0)
    assert np.isnan(ta.rsi(flat, 14)).all()
    assert all(np.isnan(each).all() for each in ta.stochastic(flat, flat, flat))
    assert np.isnan(ta.volume_ratio(np.zeros(60), 20)).all()
    falling = np.linspace(100, 50, 60)
    assert (ta.rsi(falling, 14)[14:] == 0).all()


def test_a_window_below_two_and_unequal_inputs_are_refused():
    values = np.arange(50.0)
    with pytest.raises(ValueError, match="at least 2 bars"):
        ta.sma(values, 1)
    with pytest.raises(ValueError, match="one shape"):
        ta.atr(values, values[1:], values, 14)


@settings(max_examples=30, deadline=None)
@given(cut=st.integers(60, 399))
def test_later_bars_change_nothing_before(bars, cut):
    high, low, close, volume = bars

    def all_of(end):
        h, lo, c, v = (each[:, :end] for each in (high, low, close, volume))
        return [
            ta.ema(c, 20),
            ta.rsi(c),
            *ta.bollinger(c),
            *ta.macd(c),
            *ta.stochastic(h, lo, c),
            ta.atr(h, lo, c),
            ta.adx(h, lo, c),
            ta.volume_ratio(v),
        ]

    for whole, part in zip(all_of(400), all_of(cut), strict=True):
        np.testing.assert_array_equal(whole[:, :cut], part)


def test_levels_are_confirmed_swings_on_their_side_of_the_close():
    wave = 100 + 10 * np.sin(np.arange(400) * 2 * np.pi / 40)
    levels = support_resistance(wave + 0.5, wave - 0.5, wave, window=5)
    assert levels.support[0].price == pytest.approx(89.5) and levels.resistance[0].price == pytest.approx(110.5)
    assert levels.support[0].touches >= 5 and levels.resistance[0].touches >= 5
    assert all(each.price < wave[-1] for each in levels.support) and all(each.price > wave[-1] for each in levels.resistance)


def test_a_swing_counts_only_once_it_is_confirmed():
    close = np.concatenate([np.linspace(100, 120, 41), np.linspace(119.5, 110, 20)])
    peak = 40
    assert not support_resistance(close[: peak + 5], close[: peak + 5] - 1, close[: peak + 5] - 0.5, window=5).resistance
    assert support_resistance(close[: peak + 6], close[: peak + 6] - 1, close[: peak + 6] - 0.5, window=5).resistance[0].price == 120


def test_the_nearest_level_comes_first():
    close = 100 + 10 * np.sin(np.arange(240) * 2 * np.pi / 40) * np.linspace(2, 0.5, 240)
    levels = support_resistance(close + 0.1, close - 0.1, close, window=5, count=4)
    below, above = [each.price for each in levels.support], [each.price for each in levels.resistance]
    assert len(below) > 1 and below == sorted(below, reverse=True)
    assert len(above) > 1 and above == sorted(above)


def test_levels_of_too_short_a_history_are_none():
    short = np.arange(8.0) + 10
    assert support_resistance(short, short, short) == support_resistance(short[:0], short[:0], short[:0])
    assert not support_resistance(short, short, short).support


def test_a_bullish_engulfing_is_found_on_its_day():
    close = np.concatenate([np.linspace(120, 100, 30), [99.0, 103.0]])
    opened = np.concatenate([close[:30] + 0.5, [100.0, 98.5]])
    high, low = np.maximum(opened, close) + 0.2, np.minimum(opened, close) - 0.2
    found = candle_patterns(opened, high, low, close, bars=3)
    assert ("ENGULFING", "BULLISH", 0) in {(each.name, each.direction, each.bars_ago) for each in found}
    before = candle_patterns(opened[:31], high[:31], low[:31], close[:31], bars=3)
    assert "ENGULFING" not in {each.name for each in before}
    assert candle_patterns(opened[:0], high[:0], low[:0], close[:0]) == []
