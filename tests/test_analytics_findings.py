"""Findings are noticed only where the whole interval is on the wrong side, and say on what evidence."""

import json

import numpy as np
import pytest
from scipy import stats as scipy_stats

from analytics.judging import findings
from analytics.judging.findings import Code, Observation

SEEDS = range(5)


def noise(seed, n, mean, scale):
    """A sample with exactly this mean and standard deviation."""
    values = np.random.default_rng(seed).normal(0, 1, n)
    return (mean + scale * (values - values.mean()) / values.std(ddof=1)).tolist()


def test_looking_at_more_things_asks_for_more_confidence():
    assert findings.shared_confidence(1) == findings.shared_confidence(0) == 0.95
    assert findings.shared_confidence(10) == pytest.approx(0.995)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_losing_strategy_is_one_whose_whole_interval_is_below_zero(seed):
    returns = noise(seed, 40, -0.02, 0.05)
    bound = -0.02 + scipy_stats.t.ppf(0.975, 39) * 0.05 / 40**0.5
    seen = findings.losing_strategy("trend", returns, 0.95)
    assert seen.effect == pytest.approx(-2.0, abs=1e-4)
    assert seen.high == pytest.approx(100 * bound, abs=1e-4)
    assert seen.evidence["n"] == 40
    assert findings.losing_strategy("trend", noise(seed, 40, -0.01, 0.05), 0.95) is None


def test_few_trades_never_make_a_losing_strategy():
    assert findings.losing_strategy("trend", noise(1, 19, -0.5, 0.01), 0.95) is None
    assert findings.losing_strategy("trend", noise(1, 20, -0.5, 0.01), 0.95) is not None


@pytest.mark.parametrize("seed", SEEDS)
def test_an_account_is_behind_only_where_the_interval_of_the_difference_is(seed):
    market = noise(seed, 120, 0.001, 0.01)
    behind = [change + lag for change, lag in zip(market, noise(seed + 100, 120, -0.001, 0.003), strict=True)]
    seen = findings.behind_benchmark(behind, market, "SPY", 0.95)
    assert seen.effect == pytest.approx(-10, abs=1e-3)
    assert seen.high < 0
    assert findings.behind_benchmark(behind, market, "SPY", 0.9999) is None
    assert findings.behind_benchmark(market, behind, "SPY", 0.95) is None
    assert findings.behind_benchmark(behind[:59], market[:59], "SPY", 0.5) is None


def test_one_code_that_rejects_more_than_a_third_dominates():
    seen = findings.rejections_dominate("trend", 100, {"CASH": 5, "GROSS_EXPOSURE": 60}, 0.95)
    oracle = scipy_stats.binomtest(60, 100).proportion_ci(0.95, method="wilson")
    assert (seen.evidence["error"], seen.effect) == ("GROSS_EXPOSURE", 60.0)
    assert (seen.low, seen.high) == pytest.approx((100 * oracle.low, 100 * oracle.high), abs=1e-4)
    assert findings.rejections_dominate("trend", 100, {"CASH": 40}, 0.95) is None
    assert findings.rejections_dominate("trend", 19, {"CASH": 19}, 0.95) is None
    assert findings.rejections_dominate("trend", 100, {}, 0.95) is None


def test_two_codes_as_frequent_as_each_other_are_told_in_alphabetical_order():
    one = findings.rejections_dominate("trend", 50, {"B": 40, "A": 40}, 0.95)
    assert one == findings.rejections_dominate("trend", 50, {"A": 40, "B": 40}, 0.95)
    assert one.evidence["error"] == "A"


def test_stops_are_too_often_when_the_other_exits_cannot_pay_for_them():
    # Winners make 100, stops lose 100: half may be stopped. 90 of 100 are more than that, 55 may be chance.
    often = findings.stops_too_often("trend", [-100.0] * 90, [100.0] * 10, 0.95)
    assert (often.effect, often.evidence["bearable"]) == (90.0, 50.0)
    assert findings.stops_too_often("trend", [-100.0] * 55, [100.0] * 45, 0.95) is None


def test_many_stops_are_fine_where_the_winners_are_large():
    assert findings.stops_too_often("trend", [-100.0] * 80, [2000.0] * 20, 0.95) is None


def test_stops_are_not_judged_without_both_kinds_of_exit():
    assert findings.stops_too_often("trend", [-1.0] * 50, [], 0.95) is None
    assert findings.stops_too_often("trend", [], [1.0] * 50, 0.95) is None
    assert findings.stops_too_often("trend", [5.0] * 30, [5.0] * 30, 0.95) is None


def test_slippage_is_noticed_when_it_is_above_what_is_modelled_beyond_chance():
    seen = findings.slippage_above_model("trend", noise(1, 50, 8, 10), 3.0, 0.95)
    assert (seen.effect, seen.evidence["modelled"]) == (pytest.approx(8.0), 3.0)
    assert findings.slippage_above_model("trend", noise(1, 50, 4, 10), 3.0, 0.95) is None
    assert findings.slippage_above_model("trend", noise(1, 19, 50, 1), 3.0, 0.95) is None


def test_a_strategy_that_proposes_nothing_for_long_is_silent():
    seen = findings.silent_strategy("pairs", 63, 0, {"warm-up": 20, "no data": 40})
    assert seen.evidence == {"n": 63, "abstained": 60, "reasons": {"no data": 40, "warm-up": 20}}
    assert findings.silent_strategy("pairs", 63, 1, {}) is None
    assert findings.silent_strategy("pairs", 59, 0, {}) is None


def every_finding():
    return [
        findings.losing_strategy("bollinger_mean_reversion", noise(1, 40, -0.02, 0.01), 0.95),
        findings.behind_benchmark(noise(1, 90, -0.01, 0.01), noise(2, 90, 0.01, 0.01), "SPY", 0.95),
        findings.rejections_dominate("bollinger_mean_reversion", 100, {"GROSS_EXPOSURE": 90}, 0.95),
        findings.stops_too_often("bollinger_mean_reversion", [-100.0] * 90, [100.0] * 10, 0.95),
        findings.slippage_above_model("bollinger_mean_reversion", noise(1, 50, 8, 1), 3.0, 0.95),
        findings.silent_strategy("bollinger_mean_reversion", 63, 0, {"warm-up": 63}),
    ]


def test_every_code_has_a_finding_that_reads_and_is_stored():
    seen = every_finding()
    others = {Code.REJECTIONS_COST, Code.GAINS_GIVEN_BACK, Code.CORRELATED_STRATEGIES}  # tests/test_findings_missed.py
    assert {one.code for one in seen} == set(Code) - others
    for one in seen:
        assert len(one.message) <= 255
        assert one.scope in one.message or one.scope == "ALL"
        assert 0 < len(one.suggestion) <= 255
        assert json.loads(json.dumps(one.evidence)) == one.evidence


def test_without_an_effect_false_alarms_stay_within_the_shared_error():
    """400 worlds without any effect, ten looks each: at most about 5 % of the worlds raise an alarm."""
    rng, confidence = np.random.default_rng(11), findings.shared_confidence(10)
    alarms = sum(any(findings.losing_strategy("s", rng.normal(0, 1, 30), confidence) for _ in range(10)) for _ in range(400))
    assert alarms <= 400 * 0.05 + 2 * (400 * 0.05 * 0.95) ** 0.5


def test_an_observation_without_an_interval_is_one_without_an_effect():
    assert Observation(Code.SILENT_STRATEGY, "s", evidence={"n": 60, "abstained": 0}).effect is None
