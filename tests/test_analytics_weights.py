"""Weights by fixed-share Hedge: the update by hand, the band, the step, the budget, and how fast they follow."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.tuning import weights
from quant_site.core.errors import InvalidInput

shares = st.lists(st.floats(0.01, 1), min_size=2, max_size=12)
weight_lists = st.lists(st.integers(1, 400_000), min_size=2, max_size=12).map(lambda units: [unit / 1e6 for unit in units])


def test_the_prior_is_inverse_to_each_strategy_s_own_volatility():
    # The second adds as much risk at half the weight: its own volatility is twice that of the first.
    assert weights.prior([0.5, 0.25], [0.01, 0.01]).tolist() == pytest.approx([2 / 3, 1 / 3])


def test_a_prior_without_volatility_is_refused():
    with pytest.raises(InvalidInput, match="above zero"):
        weights.prior([0.5, 0.5], [0.01, 0.0])


def test_a_week_s_returns_are_measured_in_daily_volatilities():
    assert weights.normalised([0.01, -0.002, 0.004, 0.0, 0.003], 0.01) == pytest.approx(1.5)
    assert weights.normalised([0.5], 0.01) == 6.0
    assert weights.normalised([-0.5], 0.01) == -6.0
    assert weights.normalised([], 0.01) == weights.normalised([0.1], 0.0) == 0.0


def test_the_hedge_update_is_that_of_the_definition():
    p, z = np.array([0.5, 0.3, 0.2]), np.array([1.0, -2.0, 0.5])
    v = p * np.exp(0.1 * z)
    v /= v.sum()
    expected = [(1 - 0.02) * v[i] + 0.02 / 2 * sum(v[j] for j in range(3) if j != i) for i in range(3)]
    assert weights.hedge(p, z).tolist() == pytest.approx(expected, abs=1e-11)


def test_no_evidence_moves_the_belief_towards_equal_shares_only():
    after = weights.hedge([0.9, 0.1], [0.0, 0.0])
    assert after.tolist() == pytest.approx([0.9 * 0.98 + 0.1 * 0.02, 0.1 * 0.98 + 0.9 * 0.02])


@given(shares, st.data())
def test_a_belief_stays_a_belief(belief, data):
    gains = data.draw(st.lists(st.floats(-3, 3), min_size=len(belief), max_size=len(belief)))
    after = weights.hedge(belief, gains)
    assert after.sum() == pytest.approx(1, abs=1e-9)
    assert (after > 0).all()


@pytest.mark.parametrize(("belief", "gains"), [([1.0], [0.0]), ([0.5, 0.5], [0.0]), ([0.0, 0.0], [0.0, 0.0]), ([0.5, np.nan], [0.0, 0.0])])
def test_a_belief_that_is_none_is_refused(belief, gains):
    with pytest.raises(InvalidInput):
        weights.hedge(belief, gains)


@settings(max_examples=100, deadline=None)
@given(weight_lists, st.data())
def test_a_step_moves_whole_basis_points_and_keeps_the_budget_the_band_and_the_largest_step(current, data):
    belief = data.draw(st.lists(st.floats(0.001, 1), min_size=len(current), max_size=len(current)))
    after, now = weights.step(current, belief), np.array(current)
    assert after.sum() == pytest.approx(now.sum(), abs=1e-9)
    assert (after - now) * 1e4 == pytest.approx(np.rint((after - now) * 1e4), abs=1e-6)
    assert np.abs(after - now).max() <= weights.LARGEST_STEP + 1e-9
    low, high = 0.5 * now.sum() / now.size, 2 * now.sum() / now.size
    # Within the band it stays there; outside of it, it does not go further out.
    assert (after >= np.minimum(low, now) - 1e-9).all()
    assert (after <= np.maximum(high, now) + 1e-9).all()


def nearest_by_trying_every_corner(target, low, high, total):
    """The least-squares point by brute force: each weight at its lower bound, at its upper bound, or free."""
    best, distance = None, np.inf
    for sides in product((low, high, None), repeat=target.size):
        free = np.array([side is None for side in sides])
        point = np.array([0.0 if side is None else side[i] for i, side in enumerate(sides)])
        if free.any():
            point[free] = target[free] + (total - point.sum() - target[free].sum()) / free.sum()
        allowed = np.isclose(point.sum(), total, atol=1e-12) and (point >= low - 1e-12).all() and (point <= high + 1e-12).all()
        if allowed and ((point - target) ** 2).sum() < distance:
            best, distance = point, ((point - target) ** 2).sum()
    return best


@pytest.mark.parametrize("seed", range(12))
def test_a_step_is_the_nearest_allowed_point(seed):
    rng = np.random.default_rng(seed)
    k = int(rng.integers(2, 6))
    now = np.round(rng.dirichlet(np.full(k, 8.0)) * rng.uniform(0.5, 1.5), 6)
    belief, budget = rng.dirichlet(np.ones(k)), now.sum()
    low = np.minimum(now, np.maximum(0.5 * budget / k, now - 0.02))
    high = np.maximum(now, np.minimum(2 * budget / k, now + 0.02))
    assert weights.step(now, belief) == pytest.approx(nearest_by_trying_every_corner(budget * belief, low, high, budget), abs=1.5e-4)


def test_weights_settle_at_the_edge_of_the_band_however_strong_the_belief():
    current = np.full(4, 0.25)
    for _ in range(100):
        current = weights.step(current, [0.97, 0.01, 0.01, 0.01])
    assert current.tolist() == pytest.approx([0.5, 1 / 6, 1 / 6, 1 / 6], abs=1e-4)


def test_a_weight_that_a_person_set_outside_the_band_returns_by_steps():
    after = weights.step([0.9, 0.1], [0.5, 0.5])
    assert after.tolist() == pytest.approx([0.88, 0.12], abs=1e-9)


def test_the_same_input_gives_the_same_weights():
    arguments = [0.25, 0.25, 0.3, 0.2], [0.1, 0.4, 0.3, 0.2]
    assert weights.step(*arguments).tolist() == weights.step(*arguments).tolist()


def test_belief_in_a_set_whose_edge_turned_halves_in_some_sixty_sessions():
    """Two sets with yearly Sharpe ratios of 2 and -2 that change places after two years, in 80 worlds."""
    rng = np.random.default_rng(7)
    halved = []
    for _ in range(80):
        belief = np.array([0.5, 0.5])
        edge = np.array([2.0, -2.0]) / np.sqrt(252)
        for week in range(208):
            if week == 104:
                edge, start = -edge, belief[0]
            belief = weights.hedge(belief, [weights.normalised(rng.normal(e, 1, 5), 1.0) for e in edge])
            if week >= 104 and belief[0] <= start / 2:
                halved.append(5 * (week - 103))
                break
    assert len(halved) == 80
    assert 45 <= np.median(halved) <= 80
