"""Findings about what was not done hold only beyond chance, and their null worlds raise no more alarms than promised."""

import json
from datetime import date, timedelta

import numpy as np
import pytest
from scipy import stats as scipy_stats

from analytics.judging import findings_missed
from analytics.judging.findings import TEXTS, Code
from analytics.words import phrases
from tests.test_analytics_findings import noise

DAYS = [date(2020, 1, 1) + timedelta(days=n) for n in range(400)]


def test_rejections_cost_where_the_mean_of_the_days_is_above_zero_beyond_chance():
    results = [(day, value) for day, value in zip(DAYS, noise(1, 40, 20, 30), strict=False)]
    seen = findings_missed.rejections_cost("trend", results, 0.95)
    half = scipy_stats.t.ppf(0.975, 39) * 30 / 40**0.5
    assert (seen.effect, seen.low) == (pytest.approx(20, abs=1e-3), pytest.approx(20 - half, abs=1e-3))
    assert findings_missed.rejections_cost("trend", [(day, -value) for day, value in results], 0.95) is None
    assert findings_missed.rejections_cost("trend", [(day, value - 15) for day, value in results], 0.95) is None
    assert findings_missed.rejections_cost("trend", results[:19], 0.5) is None


def test_a_hundred_rejections_of_one_day_are_one_look_at_it():
    results = [(DAYS[n % 5], 50.0 + n % 5) for n in range(500)]
    assert findings_missed.by_session(results) == [50.0, 51.0, 52.0, 53.0, 54.0]
    assert findings_missed.rejections_cost("trend", results, 0.95) is None


def test_gains_are_given_back_when_taking_them_would_have_paid_beyond_chance():
    # Thirty trades were 2 R ahead and came home with nothing, thirty others lost 1 R at once.
    trades = [(2.0, 0.01 * n) for n in range(30)] + [(0.2, -1.0)] * 30
    seen = findings_missed.gains_given_back("trend", trades, 0.95)
    assert seen.effect == pytest.approx(np.mean([1 - 0.01 * n for n in range(30)] + [0.0] * 30), abs=1e-4)
    assert findings_missed.gains_given_back("trend", [(4.0, 3.0)] * 30 + [(0.5, -1.0)] * 30, 0.95) is None
    assert findings_missed.gains_given_back("trend", trades[:19], 0.5) is None


def test_trades_without_drift_give_back_their_best_and_are_not_accused_of_it():
    """Random walks stopped at −1 R or after 40 steps: all end below their best, few worlds raise an alarm."""
    rng, alarms = np.random.default_rng(4), 0
    for _ in range(200):
        walks = rng.choice([-0.25, 0.25], (60, 40)).cumsum(axis=1)
        stopped = np.where((walks <= -1).any(axis=1), (walks <= -1).argmax(axis=1), 39)
        best = [max(walk[: end + 1].max(), 0) for walk, end in zip(walks, stopped, strict=True)]
        alarms += findings_missed.gains_given_back("s", list(zip(best, walks[np.arange(60), stopped], strict=True)), 0.95) is not None
    assert alarms <= 200 * 0.025 + 3 * (200 * 0.025 * 0.975) ** 0.5


def test_strategies_correlate_when_the_whole_interval_is_above_the_threshold():
    rng = np.random.default_rng(2)
    one = rng.normal(0, 1, 120)
    other = one + rng.normal(0, 0.4, 120)
    seen = findings_missed.correlated_strategies("a", "b", one, other, 0.95)
    oracle = scipy_stats.pearsonr(one, other)
    interval = oracle.confidence_interval(0.95)
    assert (seen.effect, seen.low, seen.high) == pytest.approx((oracle.statistic, interval.low, interval.high), abs=1e-4)
    assert seen.evidence["other"] == "b"
    assert findings_missed.correlated_strategies("a", "b", one, one + rng.normal(0, 0.9, 120), 0.95) is None
    assert findings_missed.correlated_strategies("a", "b", one[:59], other[:59], 0.5) is None
    assert findings_missed.correlated_strategies("a", "b", one, np.zeros(120), 0.95) is None
    assert findings_missed.correlated_strategies("a", "b", one, one, 0.95).effect == 1.0


def test_sessions_in_which_both_rested_do_not_count():
    assert findings_missed.active(np.array([0, 0, 1, 2.0]), np.array([0, 1, 0, 2.0])).tolist() == [False, True, True, True]


def every_finding():
    results = [(day, value) for day, value in zip(DAYS, noise(1, 40, 20, 3), strict=False)]
    one = np.random.default_rng(2).normal(0, 1, 120)
    return [
        findings_missed.rejections_cost("bollinger_mean_reversion", results, 0.95),
        findings_missed.gains_given_back("bollinger_mean_reversion", [(2.0, 0.01 * n) for n in range(30)], 0.95),
        findings_missed.correlated_strategies("bollinger_mean_reversion", "breakout_momentum", one, one, 0.95),
    ]


def test_each_reads_is_stored_and_is_known_to_the_pages():
    seen = every_finding()
    assert {one.code for one in seen} == {Code.REJECTIONS_COST, Code.GAINS_GIVEN_BACK, Code.CORRELATED_STRATEGIES}
    for one in seen:
        assert len(one.message) <= 255
        assert one.scope in one.message
        assert json.loads(json.dumps(one.evidence)) == one.evidence
        assert phrases.template_of(one.message) is not None
        assert one.suggestion in phrases.SENTENCES
        assert TEXTS[one.code][1] == one.suggestion
