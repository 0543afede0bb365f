"""A bar that is missing or no number is passed over, wherever it is; many rows give what each gives alone."""

import numpy as np
import pytest

from quant_site.market import indicators as ta

BARS = 160
# Each with the inputs it reads: high, low, close, volume.
FUNCTIONS = {
    "sma": (lambda b: (ta.sma(b[2], 12),), (2,)),
    "ema": (lambda b: (ta.ema(b[2], 12),), (2,)),
    "bollinger": (lambda b: ta.bollinger(b[2], 12), (2,)),
    "rsi": (lambda b: (ta.rsi(b[2], 9),), (2,)),
    "macd": (lambda b: ta.macd(b[2], 5, 12, 4), (2,)),
    "stochastic": (lambda b: ta.stochastic(b[0], b[1], b[2], 9, 3, 3), (0, 1, 2)),
    "atr": (lambda b: (ta.atr(b[0], b[1], b[2], 9),), (0, 1, 2)),
    "adx": (lambda b: (ta.adx(b[0], b[1], b[2], 7),), (0, 1, 2)),
    "volume_ratio": (lambda b: (ta.volume_ratio(b[3], 9),), (3,)),
}


def walk(seed: int, rows: int = 1) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.02, (rows, BARS)), axis=1))
    high, low = close * (1 + rng.uniform(0.001, 0.02, close.shape)), close * (1 - rng.uniform(0.001, 0.02, close.shape))
    return [high, low, close, rng.uniform(1e3, 1e6, close.shape)]


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.filterwarnings("error")
def test_one_bad_value_of_any_input_anywhere_is_passed_over(name, bad):
    function, inputs = FUNCTIONS[name]
    for seed, at in enumerate((0, 1, 20, 77, BARS - 2, BARS - 1)):
        for which in inputs:
            bars = walk(seed)
            bars[which][0, at] = bad
            without = function([np.delete(values, at, axis=1) for values in bars])
            for made, expected in zip(function(bars), without, strict=True):
                assert np.isnan(made[0, at])
                np.testing.assert_array_equal(np.delete(made, at, axis=1), expected)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_rows_shared_out_over_threads_are_each_what_they_are_alone(name, monkeypatch):
    function, _ = FUNCTIONS[name]
    bars = walk(5, rows=37)
    bars[2][3, 50:60], bars[2][9, :30], bars[3][20, 5] = np.nan, np.nan, np.nan
    alone = [function([values[row] for values in bars]) for row in range(37)]
    monkeypatch.setattr(ta, "WORTH_THREADS", 1)
    monkeypatch.setattr(ta.os, "sched_getaffinity", lambda _: {0, 1, 2})
    for i, made in enumerate(function(bars)):
        np.testing.assert_array_equal(made, np.stack([row[i] for row in alone]))
