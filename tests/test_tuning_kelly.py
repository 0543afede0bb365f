"""Kelly's fractions against scikit-learn's covariance (golden numbers), a search over which strategies to hold, and scipy's bound."""

import itertools
import math
from dataclasses import FrozenInstanceError
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from analytics import stats
from analytics.stats import Metric, Undefined
from analytics.tuning.kelly import kelly_fractions, kelly_of_trades, ledoit_wolf
from quant_site.core.errors import InvalidInput

# scikit-learn 1.9.1, LedoitWolf().fit(waves(T, K)): shrinkage_, covariance_[0, :2], covariance_[-1, -1].
GOLDEN = {
    (60, 1): (0.0, [4.954212063172911e-05], 4.954212063172911e-05),
    (60, 2): (1.0, [5.405027573174191e-05, 0.0], 5.405027573174191e-05),
    (252, 3): (0.8026201530083349, [5.4322550976592204e-05, 2.9398954699320177e-07], 5.591903893984916e-05),
    (1250, 5): (0.26452390951921123, [5.128523077624626e-05, 6.97603864905993e-07], 5.6828678104050124e-05),
    (80, 12): (0.8170657853093994, [5.3010685312466994e-05, 4.579715803281468e-08], 5.4562853647922536e-05),
    (5, 8): (0.6376974382460335, [5.2534052438664314e-05, 1.2034801155717717e-05], 3.9891390259670854e-05),
}


def waves(sessions, strategies):
    t, k = np.arange(1, sessions + 1)[:, None], np.arange(1, strategies + 1)
    return 0.01 * np.sin(t * np.sqrt(k + 1)) + 0.004 * np.cos(t * t * 0.1) * k / strategies + 0.0006 * k


def world(seed, sessions, strategies, drift=0.001, common=0.005):
    random = np.random.default_rng(seed)
    shared = random.normal(0, common, (sessions, 1))
    return shared + random.standard_t(5, (sessions, strategies)) * 0.008 + random.normal(drift, 0.0005, strategies)


def pair(first, second, apart=0.001, sessions=2000):
    """Two strategies that move together; their means are exactly those given."""
    random = np.random.default_rng(1)
    moves = random.normal(0, 0.01, (sessions, 1)) + random.normal(0, apart, (sessions, 2))
    return moves - moves.mean(axis=0) + np.array([first, second])


def values(metrics):
    return np.array([metric.value for metric in metrics])


def growth(fractions, mean, covariance):
    return float(fractions @ mean - fractions @ covariance @ fractions / 2)


# --- the covariance


@pytest.mark.parametrize("shape", GOLDEN)
def test_the_covariance_is_that_of_scikit_learn(shape):
    covariance, shrinkage = ledoit_wolf(waves(*shape))
    expected, first, last = GOLDEN[shape]
    assert shrinkage == pytest.approx(expected, rel=1e-9)
    assert covariance[0, :2].tolist() == pytest.approx(first, rel=1e-9, abs=1e-18)
    assert covariance[-1, -1] == pytest.approx(last, rel=1e-9)
    assert (covariance == covariance.T).all()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("sessions", "strategies"), [(10, 3), (60, 2), (100, 6)])
def test_the_shrinkage_is_that_of_the_paper_session_by_session(seed, sessions, strategies):
    returns = world(seed, sessions, strategies)
    sample = np.cov(returns, rowvar=False, ddof=0)
    mean = np.trace(sample) / strategies
    distance = np.linalg.norm(sample - mean * np.eye(strategies)) ** 2
    noise = sum(np.linalg.norm(np.outer(row, row) - sample) ** 2 for row in returns - returns.mean(axis=0)) / sessions**2
    expected = min(noise, distance) / distance
    covariance, shrinkage = ledoit_wolf(returns)
    assert shrinkage == pytest.approx(expected, rel=1e-9)
    assert covariance == pytest.approx((1 - expected) * sample + expected * mean * np.eye(strategies), rel=1e-9, abs=1e-18)


# --- fractions of strategies


@pytest.mark.parametrize("cap", [0.1, 0.25, 0.5])
def test_one_strategy_is_its_mean_over_its_variance_shrunk_and_halved(cap):
    returns = world(1, 500, 1)
    mean, variance = returns.mean(), returns.var()
    s = 1 - 1 / (500 * mean**2 / variance)
    assert 0 < s < 1
    found = kelly_fractions(returns, cap=cap)
    assert found.fractions[0].value == pytest.approx(cap * s * mean / variance, rel=1e-9)
    assert (found.s.value, found.sharpe.value) == (pytest.approx(s, rel=1e-9), pytest.approx(mean / math.sqrt(variance), rel=1e-9))
    assert (found.shrinkage.value, found.kelly_share, found.s.n) == (0.0, cap, 500)


@pytest.mark.parametrize("seed", range(5))
def test_strategies_all_worth_holding_get_the_inverse_covariance_times_their_means(seed):
    returns = world(seed, 750, 4, drift=0.003, common=0.002)
    covariance, mean = ledoit_wolf(returns)[0], returns.mean(axis=0)
    plain = np.linalg.inv(covariance) @ mean
    s = 1 - 4 / (750 * mean @ plain)
    assert plain.min() > 0 and s > 0
    found = kelly_fractions(returns)
    assert values(found.fractions) == pytest.approx(0.5 * s * plain, rel=1e-8)
    assert values(found.unfloored) == pytest.approx(values(found.fractions), rel=1e-8)
    assert found.sharpe.value == pytest.approx(math.sqrt(mean @ plain), rel=1e-9)


@pytest.mark.parametrize("seed", range(30))
def test_no_choice_of_strategies_to_hold_grows_faster_than_the_one_answered(seed):
    returns = world(seed, 400, 4, drift=0.0004, common=0.02)
    covariance, mean = ledoit_wolf(returns)[0], returns.mean(axis=0)
    best = np.zeros(4)
    for held in (list(each) for size in range(1, 5) for each in itertools.combinations(range(4), size)):
        fractions = np.zeros(4)
        fractions[held] = np.linalg.solve(covariance[np.ix_(held, held)], mean[held])
        if fractions.min() >= 0 and growth(fractions, mean, covariance) > growth(best, mean, covariance):
            best = fractions
    found = kelly_fractions(returns)
    assert values(found.fractions) == pytest.approx(0.5 * found.s.value * best, rel=1e-7, abs=1e-9)


def test_a_strategy_that_would_hedge_another_by_being_short_is_not_held_and_the_other_stands_alone():
    returns = pair(0.0006, 0.0005)
    found = kelly_fractions(returns)
    first, second = values(found.unfloored)
    assert first > 15 and second < -10
    alone = 0.0006 / ledoit_wolf(returns)[0][0, 0]
    assert values(found.fractions) == pytest.approx([0.5 * found.s.value * alone, 0.0], rel=1e-6)


def test_strategies_that_are_one_and_the_same_share_one_bet():
    one = pair(0.001, 0.001)[:, :1]
    both, alone = kelly_fractions(np.hstack([one, one])), kelly_fractions(one)
    assert both.fractions[0].value == pytest.approx(both.fractions[1].value, rel=1e-6)
    # Two are believed less than one of the same record; the shrinkage δ takes δ/2 off what they have in common.
    assert both.s.value < alone.s.value
    expected = alone.fractions[0].value / alone.s.value / (1 - both.shrinkage.value / 2)
    assert sum(values(both.fractions)) / both.s.value == pytest.approx(expected, rel=1e-9)


def test_a_strategy_that_loses_gets_nothing():
    returns = world(3, 500, 1) - 0.01
    found = kelly_fractions(returns)
    assert found.s.value > 0.9 and found.unfloored[0].value < -1
    assert found.fractions == (Metric(0.0, None, 500),)


def test_a_record_no_better_than_luck_gives_nothing_to_hold():
    returns = pair(0.0001, 0.0002, apart=0.01)
    # 2000·SR̂² is about half of 2, what two strategies without edge show on average.
    found = kelly_fractions(returns)
    assert 2000 * found.sharpe.value**2 < 2
    assert (found.s, found.fractions) == (Metric(0.0, None, 2000), (Metric(0.0, None, 2000),) * 2)


def test_a_mean_of_exactly_nothing_is_no_evidence():
    found = kelly_fractions(np.array([[0.01], [-0.01]] * 50))
    assert (found.sharpe, found.s, found.fractions) == (Metric(0.0, None, 100), Metric(0.0, None, 100), (Metric(0.0, None, 100),))


def test_among_strategies_without_edge_the_share_believed_is_that_of_chance():
    # T·SR̂² is then about chi-squared with K degrees, slightly less by the shrinkage: E max(0, 1 − K/χ²).
    found = [kelly_fractions(np.random.default_rng(seed).normal(0, 0.01, (500, 3))).s.value for seed in range(300)]
    chi = scipy_stats.chi2(3)
    expected = chi.expect(lambda x: 1 - 3 / x, lb=3)
    assert np.mean(found) == pytest.approx(expected, abs=0.03)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(60, 150), st.integers(1, 6), st.floats(-0.002, 0.004), st.floats(0, 0.03), st.floats(0.01, 0.5))
def test_nothing_is_short_and_all_together_is_never_beyond_half_of_kelly(seed, sessions, strategies, drift, common, cap):
    returns = world(seed, sessions, strategies, drift, common)
    found, mean = kelly_fractions(returns, cap=cap), returns.mean(axis=0)
    fractions, covariance = values(found.fractions), ledoit_wolf(returns)[0]
    assert fractions.min() >= 0 and 0 <= found.s.value <= 1 and 0 <= found.shrinkage.value <= 1
    # Full Kelly has f'Σ̂f = f'μ̂; a share of it has that share.
    assert fractions @ covariance @ fractions <= cap * (fractions @ mean) + 1e-12


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.permutations(range(4)), st.floats(0.1, 10))
def test_fractions_follow_the_order_of_strategies_and_fall_as_their_returns_are_levered(seed, order, times):
    returns = world(seed, 120, 4)
    plain, other = kelly_fractions(returns), kelly_fractions(returns[:, order] * times)
    assert values(other.fractions) * times == pytest.approx(values(plain.fractions)[order], rel=1e-6, abs=1e-8)
    assert (other.s.value, other.shrinkage.value) == (pytest.approx(plain.s.value, abs=1e-9), pytest.approx(plain.shrinkage.value))


# --- where there is no fraction


@pytest.mark.parametrize(
    ("returns", "reason"),
    [
        (np.empty((0, 2)), Undefined.NO_DATA),
        (np.empty((60, 0)), Undefined.NO_DATA),
        (world(1, 1, 1), Undefined.TOO_FEW),
        (world(1, 60, 60), Undefined.TOO_FEW),
        (world(1, 59, 2), Undefined.TOO_SHORT),
        (np.full((100, 1), 0.001), Undefined.NO_VARIATION),
        (np.column_stack([world(1, 100, 1), np.zeros(100)]), Undefined.NO_VARIATION),
        # Two that always make the same of two moves: nothing to shrink by, and one of them is idle.
        (np.array([[0.01, 0.01], [-0.01, -0.01]] * 40), Undefined.NO_VARIATION),
        (np.array([[1e200, 1.0], [-1e200, 2.0]] * 40), Undefined.TOO_LARGE),
    ],
)
@pytest.mark.filterwarnings("error")
def test_too_little_to_go_by_is_undefined_in_every_ingredient(returns, reason):
    found = kelly_fractions(returns)
    nothing = Metric(None, reason, len(returns))
    assert found.fractions == found.unfloored == (nothing,) * returns.shape[1]
    assert found.s == found.sharpe == found.shrinkage == nothing


def test_sixty_sessions_are_enough():
    assert kelly_fractions(world(1, 60, 2)).fractions[0].reason is None


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_a_return_that_is_no_number_is_refused_by_strategy_and_session(wrong):
    returns = world(1, 60, 3)
    returns[4, 1] = wrong
    with pytest.raises(InvalidInput, match="Returns of strategy 2: observation 5 of 60 is") as caught:
        kelly_fractions(returns)
    assert caught.value.details["at"] == 4


def test_returns_that_are_no_table_are_refused():
    with pytest.raises(InvalidInput, match=r"by session and strategy, not an array of shape \(60,\)"):
        kelly_fractions(np.zeros(60))


@pytest.mark.parametrize("cap", [0.0, -0.1, 0.51, 1.0, math.nan])
def test_more_than_half_of_kelly_is_refused(cap):
    with pytest.raises(InvalidInput, match="at most one half"):
        kelly_fractions(world(1, 60, 2), cap=cap)
    with pytest.raises(InvalidInput, match="at most one half"):
        kelly_of_trades(6, 4, 2.0, cap=cap)


def test_an_answer_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        kelly_fractions(world(1, 60, 2)).kelly_share = 1.0
    with pytest.raises(FrozenInstanceError):
        kelly_of_trades(6, 4, 2.0).kelly_share = 1.0


# --- trades


@pytest.mark.parametrize(("wins", "losses", "payoff"), [(60, 40, 1.25), (45, 55, 3.0), (500, 500, 1.2), (3, 1, 9.0)])
@pytest.mark.parametrize("cap", [0.1, 0.5])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_trades_are_believed_at_the_lower_wilson_bound_of_their_win_rate(wins, losses, payoff, cap, confidence):
    p = scipy_stats.binomtest(wins, wins + losses).proportion_ci(confidence, method="wilson").low
    expected = cap * (p - (1 - p) / payoff)
    assert expected > 0
    found = kelly_of_trades(wins, losses, payoff, cap=cap, confidence=confidence)
    assert (found.fraction.value, found.fraction.n) == (pytest.approx(expected), wins + losses)
    assert (found.win_rate.value, found.win_rate.low) == (pytest.approx(wins / (wins + losses)), pytest.approx(p))
    assert (found.payoff, found.kelly_share) == (payoff, cap)


def test_trades_counted_give_what_the_same_trades_one_by_one_do():
    results = [30.0] * 55 + [-20.0] * 45
    assert kelly_of_trades(55, 45, stats.payoff_ratio(results).value).fraction == stats.kelly_fraction(results)


def test_a_win_rate_that_may_be_luck_is_a_size_of_zero():
    # 55 % at even money is an edge, but 100 trades do not show it.
    assert kelly_of_trades(55, 45, 1.0).fraction == Metric(0.0, None, 100)
    assert kelly_of_trades(5500, 4500, Decimal("1.0")).fraction.value > 0.04 / 2
    assert kelly_of_trades(9, 1, 5e-324).fraction == Metric(0.0, None, 10)


def test_without_a_trade_or_a_loss_there_is_no_fraction_and_without_a_win_none_to_bet():
    assert kelly_of_trades(0, 0, None).fraction == kelly_of_trades(0, 0, None).win_rate == Metric(None, Undefined.NO_TRADES, 0)
    assert kelly_of_trades(7, 0, None).fraction == Metric(None, Undefined.NO_LOSSES, 7)
    assert kelly_of_trades(0, 7, None).fraction == Metric(0.0, None, 7)


@pytest.mark.parametrize("payoff", [None, 0.0, -1.0, math.nan, math.inf])
def test_a_payoff_that_cannot_be_is_refused(payoff):
    with pytest.raises(InvalidInput, match="number above zero"):
        kelly_of_trades(6, 4, payoff)


@pytest.mark.parametrize(("wins", "losses"), [(-1, 4), (4, -1), (1.5, 2)])
def test_trades_that_cannot_be_counted_are_refused(wins, losses):
    with pytest.raises(InvalidInput, match="whole numbers of zero or more"):
        kelly_of_trades(wins, losses, 2.0)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 500), st.integers(1, 500), st.floats(0.01, 50), st.floats(0.01, 0.5))
def test_the_fraction_of_trades_lies_between_nothing_and_the_cap_and_below_that_of_the_rate_itself(wins, losses, payoff, cap):
    found, p = kelly_of_trades(wins, losses, payoff, cap=cap).fraction, wins / (wins + losses)
    assert 0 <= found.value < cap
    assert found.value <= cap * max(0.0, p - (1 - p) / payoff) + 1e-12
