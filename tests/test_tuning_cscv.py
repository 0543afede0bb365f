"""The probability of overfitting: against a loop over all choices, and where the answer is known."""

from itertools import combinations

import numpy as np
import pytest

from analytics.stats import Undefined
from analytics.tuning.cscv import probability_of_overfitting
from quant_site.core.errors import InvalidInput


def by_loop(returns, blocks):
    """Choice by choice, rank by rank."""
    sets, sessions = returns.shape
    size = sessions // blocks
    parts = np.split(returns[:, sessions - size * blocks :], blocks, axis=1)
    lower, count = 0.0, 0
    for chosen in combinations(range(blocks), blocks // 2):
        train = np.hstack([parts[i] for i in chosen])
        test = np.hstack([parts[i] for i in range(blocks) if i not in chosen])
        best = int((train.mean(axis=1) / train.std(axis=1, ddof=1)).argmax())
        ratios = test.mean(axis=1) / test.std(axis=1, ddof=1)
        rank = 1 + (ratios < ratios[best]).sum()
        middle = (sets + 1) / 2
        lower += 1.0 if rank < middle else 0.5 if rank == middle else 0.0
        count += 1
    return lower / count, count


@pytest.mark.parametrize(("sets", "sessions", "blocks"), [(2, 40, 4), (5, 97, 6), (8, 200, 8), (3, 64, 16)])
def test_it_is_what_a_loop_over_all_choices_finds(sets, sessions, blocks):
    returns = np.random.default_rng(sets).normal(0, 0.01, (sets, sessions))
    expected, count = by_loop(returns, blocks)
    answer = probability_of_overfitting(returns, blocks)
    assert answer.n == count
    assert answer.value == pytest.approx(expected, abs=1e-12)


def test_a_set_that_is_always_the_best_is_not_overfit_and_noise_is_by_half():
    rng = np.random.default_rng(1)
    returns = rng.normal(0, 0.01, (10, 640))
    returns[3] += 0.005
    assert probability_of_overfitting(returns).value == 0.0
    noise = [probability_of_overfitting(rng.normal(0, 0.01, (10, 640))).value for _ in range(40)]
    assert 0.4 < np.mean(noise) < 0.6


def test_what_cannot_be_judged_says_why():
    assert probability_of_overfitting(np.zeros((1, 100))).reason == Undefined.NO_DATA
    assert probability_of_overfitting(np.zeros((2, 63))).reason == Undefined.TOO_FEW
    with pytest.raises(InvalidInput, match="finite"):
        probability_of_overfitting(np.full((2, 100), np.nan))
    with pytest.raises(InvalidInput, match="even"):
        probability_of_overfitting(np.zeros((2, 100)), blocks=5)
