"""What may stand against the parameters in force, and why the rest may not."""

import numpy as np
import pytest
from arch.bootstrap import SPA

from analytics.stats import deflated_sharpe_ratio
from analytics.tuning.gate import Refusal, gate, matched, sharpes


def series(seed, candidates=4, n=1000, edges=None):
    rng = np.random.default_rng(seed)
    champion = rng.normal(0.0005, 0.01, n)
    edges = np.zeros(candidates) if edges is None else np.asarray(edges)
    return champion, champion + 0.003 * (rng.normal(0, 1, (candidates, n)) + edges[:, None])


def judge(champion, candidates, tried=4, near=None, **options):
    around = candidates if near is None else near
    return gate(champion, candidates, lambda row: around, tried=lambda: tried, seed=7, **options)


def test_a_candidate_that_is_better_everywhere_on_a_plateau_passes():
    champion, candidates = series(1, edges=[0, 0.25, 0, 0])
    answer = judge(champion, candidates, near=candidates[1:2])
    assert answer.passed, answer
    assert answer.best == 1
    assert answer.spa_p < 0.05 and answer.dsr > 0.95 and answer.pbo < 0.2 and answer.plateau == pytest.approx(1.0)


def test_noise_is_refused():
    refused = [judge(*series(seed)).passed for seed in range(10, 40)]
    assert sum(refused) <= 1


def test_a_peak_without_a_plateau_is_refused():
    champion, candidates = series(1, edges=[0, 0.25, 0, 0])
    answer = judge(champion, candidates, near=champion[None] * 0.2 - 0.0002)
    assert answer.refusals == (Refusal.NO_PLATEAU,)


def test_who_is_worse_is_not_better_however_good_it_is_by_itself():
    champion, candidates = series(2, edges=[-0.5] * 4)
    answer = judge(champion + 0.005, candidates + 0.005)
    assert Refusal.NOT_BETTER in answer.refusals
    assert answer.challenger_sharpe > 5


def test_the_numbers_are_those_of_the_library_on_differences_at_one_volatility():
    champion, candidates = series(3, edges=[0.05, 0, 0.02, 0])
    candidates = candidates * 3
    level = candidates * (champion.std() / candidates.std(axis=1))[:, None]
    gaps = level - champion
    answer = judge(champion, candidates, tried=40)
    test = SPA(-champion, -level.T, block_size=10, reps=500, seed=7)
    test.compute()
    ratios = gaps.mean(axis=1) / gaps.std(axis=1, ddof=1)
    assert answer.best == int(ratios.argmax())
    assert answer.spa_p == pytest.approx(test.pvalues["consistent"])
    assert answer.dsr == pytest.approx(deflated_sharpe_ratio(gaps[answer.best], 40, ratios.var(ddof=1)).value)
    assert answer.trials == 40
    np.testing.assert_allclose(matched(champion, candidates), level)


def test_the_more_was_tried_the_less_the_best_is_worth():
    champion, candidates = series(4, edges=[0.1, 0.05, 0, 0])
    assert judge(champion, candidates, tried=400).dsr < judge(champion, candidates, tried=5).dsr


def test_the_short_way_decides_the_same():
    for seed in range(50, 70):
        champion, candidates = series(seed, edges=[0.1, 0, 0, 0])
        assert judge(champion, candidates).passed == judge(champion, candidates, thorough=False).passed


def test_candidates_that_never_trade_or_are_the_champion_give_numbers_or_none():
    champion, _ = series(5)
    answer = judge(champion, np.vstack([champion, champion, np.zeros_like(champion)]))
    assert not answer.passed
    assert judge(champion, np.vstack([champion, champion])).spa_p is None
    assert sharpes(np.zeros((1, 10))).tolist() == [0.0]
