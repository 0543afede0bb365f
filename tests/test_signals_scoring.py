"""The strength of a signal is its percentile among its strategy's own scores."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import percentileofscore

from signals_app.scoring import MINIMUM_HISTORY, signal_strength

scores = st.floats(-1e6, 1e6) | st.integers(-3, 3).map(float)


@given(score=scores, history=st.lists(scores, min_size=MINIMUM_HISTORY, max_size=300))
def test_the_strength_is_twice_the_mean_percentile_less_one(score, history):
    strength, missing = signal_strength(score, sorted(history))
    assert missing is None
    assert strength == pytest.approx(2 * percentileofscore(history, score, kind="mean") / 100 - 1)


@pytest.mark.parametrize("n", [0, 1, MINIMUM_HISTORY - 1])
def test_a_short_history_gives_no_strength_and_says_why(n):
    assert signal_strength(1.0, [0.0] * n) == (None, "HISTORY_TOO_SHORT")


def test_the_extremes_are_minus_one_and_one():
    history = [float(value) for value in range(100)]
    assert signal_strength(-1.0, history) == (-1.0, None)
    assert signal_strength(1000.0, history) == (1.0, None)
