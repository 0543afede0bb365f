"""Evidence that may be looked at every day: by hand, under no edge, with one, and stored half-way."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.tuning.eprocess import HIGHEST, LOWEST, RESTART, STAKES, WARM_UP, EProcess


def pairs(seed, n=400, edge=0.0, scale=1.0):
    """A champion and a challenger that differs by noise and `edge`, in units of that noise."""
    rng = np.random.default_rng(seed)
    champion = rng.normal(0, 0.01, n)
    return champion, scale * (champion + 0.003 * (rng.normal(0, 1, n) + edge))


def by_hand(champion, challenger):
    """The definition, with every volatility taken from what came before, and every bettor on his own."""
    own = theirs = spread = 0.0
    bets = []
    for t, (a, b) in enumerate(zip(champion, challenger, strict=True)):
        known = t >= WARM_UP
        ratio = min(max(math.sqrt(own / theirs), 1 / 3), 3) if known else 1.0
        gap = b * ratio - a
        if known:
            bets.append(min(max(gap / math.sqrt(spread), LOWEST), HIGHEST))
        weight = max(0.03, 1 / (t + 1))
        own, theirs, spread = ((1 - weight) * old + weight * new * new for old, new in ((own, a), (theirs, b), (spread, gap)))
    total, at_stake = 0.0, 0.0
    for number, start in enumerate(range(0, len(bets), RESTART)):
        share = 1 / ((number + 1) * (number + 2))
        total += share * np.mean([np.prod([1 + stake * z for z in bets[start:]]) for stake in STAKES])
        at_stake += share
    return total + 1 - at_stake


@pytest.mark.parametrize("n", [0, 1, WARM_UP, WARM_UP + 1, WARM_UP + RESTART, WARM_UP + RESTART + 1, 300])
def test_the_value_is_the_mean_of_what_all_bettors_have(n):
    champion, challenger = pairs(3, n, edge=0.1)
    assert EProcess().steps(champion, challenger).value == pytest.approx(by_hand(champion, challenger), rel=1e-9)


def test_without_an_edge_the_evidence_seldom_reaches_one_over_alpha():
    reached = 0
    for seed in range(300):
        process = EProcess()
        for own, other in zip(*pairs(seed, 300), strict=True):
            process = process.step(own, other)
            if process.value >= 20:
                reached += 1
                break
    assert reached <= 15  # 5 % of 300; the expected number of a fair game is at most that


def test_an_edge_is_found_and_the_other_way_round_it_is_not():
    champion, challenger = pairs(1, 800, edge=0.25)
    assert EProcess().steps(champion, challenger).value > 20
    assert EProcess().steps(challenger, champion).value < 1


def test_an_edge_that_begins_late_is_found_by_a_bettor_who_starts_late():
    champion, challenger = pairs(2, 500, edge=-0.3)
    late, better = pairs(5, 1000, edge=0.3)
    process = EProcess().steps(np.concatenate([champion, late]), np.concatenate([challenger, better]))
    assert process.value > 20


def test_more_risk_is_no_edge():
    champion = np.random.default_rng(4).normal(0.001, 0.01, 500)
    assert EProcess().steps(champion, 2 * champion).value == pytest.approx(1.0, abs=0.05)


def test_who_never_differs_has_no_evidence():
    champion, _ = pairs(6, 200)
    assert EProcess().steps(champion, champion).value == 1.0
    assert EProcess().steps([0.0] * 100, [0.0] * 100).value == 1.0


def test_a_day_of_minus_ten_sigma_leaves_something():
    champion, challenger = pairs(7, 100)
    challenger[50:] = -0.5
    assert 0 < EProcess().steps(champion, challenger).value < 1


@given(st.integers(0, 50), st.integers(0, 200))
def test_it_goes_on_from_where_it_was_stored(seed, cut):
    champion, challenger = pairs(seed, 200, edge=0.1)
    half = EProcess().steps(champion[:cut], challenger[:cut])
    again = EProcess.load(json.loads(json.dumps(half.dump()))).steps(champion[cut:], challenger[cut:])
    assert again == EProcess().steps(champion, challenger)
