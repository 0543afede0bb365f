"""A challenger in shadow, in force and taken back; and the holdout nobody may read."""

import json

import numpy as np
import pytest

from analytics.tuning.duel import PROBATION, SHADOW_LEAST, SHADOW_MOST, Duel, Verdict, drawdown_bound
from analytics.tuning.holdout import Holdout
from analytics.tuning.neighbours import neighbours
from quant_site.core.errors import NotAllowed
from strategies.registry import LIBRARY

# When data were published, what data must be there, and how much may be lost.
NO_RECORD_DECIDES = {
    "weight", "book_lag", "factor_lag", "min_names", "min_turnover", "pinned", "fewest", "entry_window", "pin", "max_units",
    "max_risk", "budget", "max_gross", "target_volatility", "stress_spot", "stress_volatility",
}  # fmt: skip
NOISE = np.random.default_rng(1).normal(0, 0.01, 2000)


def fought(duel, gaps, base=NOISE):
    """Until something is decided: (duel, verdict, sessions)."""
    for number, gap in enumerate(gaps):
        duel = duel.step(float(base[number]), float(base[number] + gap))
        if duel.verdict is not None:
            return duel, duel.verdict, number + 1
    return duel, None, len(gaps)


def gaps(seed, edge, n=1500):
    return 0.003 * (np.random.default_rng(seed).normal(0, 1, n) + edge)


def test_promotion_needs_the_evidence_and_sixty_sessions():
    _, verdict, sessions = fought(Duel(20.0), gaps(1, 0.3))
    assert verdict is Verdict.PROMOTED
    assert sessions > SHADOW_LEAST
    early, verdict, sessions = fought(Duel(1.01), gaps(1, 0.3))
    assert (verdict, sessions) == (Verdict.PROMOTED, SHADOW_LEAST)
    assert early.evidence > 1.01


def test_more_challengers_need_more_evidence():
    assert fought(Duel(20.0), gaps(2, 0.3))[2] < fought(Duel(2000.0), gaps(2, 0.3))[2]


def test_who_shows_nothing_for_three_years_is_dropped():
    assert fought(Duel(20.0), gaps(3, -0.05))[1:] == (Verdict.DROPPED, SHADOW_MOST)


def test_after_the_promotion_the_old_ones_stand_in_shadow_and_take_it_back():
    duel, _, _ = fought(Duel(20.0), gaps(1, 0.3))
    on_probation = duel.promoted(bound=0.9)
    assert (on_probation.evidence, on_probation.threshold) == (1.0, 20.0)
    assert fought(on_probation, gaps(4, 1.5))[1] is Verdict.REVERSED
    assert fought(on_probation, gaps(5, 0.0))[1:] == (Verdict.CONFIRMED, PROBATION)


def test_a_drawdown_beyond_the_bound_takes_it_back_at_once():
    duel = Duel(20.0).promoted(bound=0.10)
    falling = np.full(50, -0.02)
    ended, verdict, sessions = fought(duel, np.zeros(50), base=falling)
    assert (verdict, sessions) == (Verdict.DRAWDOWN, 6)
    assert ended.drawdown == pytest.approx(1 - 0.98**6)


def test_the_bound_is_the_quantile_of_resampled_drawdowns():
    returns = np.random.default_rng(2).normal(0.0003, 0.01, 1000)
    bound = drawdown_bound(returns, seed=1)
    rng = np.random.default_rng(3)
    paths = np.cumprod(1 + rng.choice(returns, (4000, 126)), axis=1)
    levels = np.hstack([np.ones((4000, 1)), paths])
    independent = np.quantile((1 - levels / np.maximum.accumulate(levels, axis=1)).max(axis=1), 0.95)
    assert bound == pytest.approx(independent, rel=0.15)
    assert drawdown_bound(returns, seed=1) == bound
    assert drawdown_bound(returns[:100], seed=1) is None


def test_a_duel_goes_on_from_where_it_was_stored():
    duel = fought(Duel(1e9), gaps(6, 0.1, 100))[0].promoted(0.2)
    assert Duel.load(json.loads(json.dumps(duel.dump()))) == duel


def test_a_holdout_is_not_even_computed_before_it_is_asked_and_answers_once():
    asked = []
    holdout = Holdout(lambda: asked.append(1) or np.arange(3.0))
    for read in (np.asarray, list, len, lambda sealed: sealed[0], float):
        with pytest.raises(NotAllowed, match="cannot be read"):
            read(holdout)
    assert asked == []
    assert holdout.confirm(lambda values: values.sum()) == 3.0
    with pytest.raises(NotAllowed, match="looked at before"):
        holdout.confirm(lambda values: values.sum())


@pytest.mark.parametrize("strategy", LIBRARY, ids=lambda strategy: strategy.key)
def test_a_neighbour_moves_one_parameter_by_a_fifth_at_most(strategy):
    published = strategy.Params()
    found = neighbours(strategy, published)
    assert found
    for name, params in found:
        before, after = published.model_dump(), params.model_dump()
        assert [each for each in before if before[each] != after[each]] == [name]
        assert name not in NO_RECORD_DECIDES
        assert abs(after[name] - before[name]) <= 0.2 * abs(before[name]) + 1e-9
