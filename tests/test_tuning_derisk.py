"""Less money for what no longer earns what it claimed, and back when it earns it again."""

import json
import math

import numpy as np
import pytest

from analytics.tuning.derisk import LOWEST_FACTOR, RUN_LENGTH, Watch, alarm_height


def watched(watch, returns):
    factors = []
    for change in returns:
        watch = watch.step(float(change))
        factors.append(watch.factor)
    return watch, np.array(factors)


def record(seed, sharpe, n, scale=0.01):
    return scale * (np.random.default_rng(seed).normal(0, 1, n) + sharpe / math.sqrt(252))


def test_who_keeps_the_claim_is_seldom_halved_and_who_turns_is_halved_within_a_year():
    false, delays = 0, []
    for seed in range(60):
        _, factors = watched(Watch(), record(seed, 2.0, 1260))
        false += factors.min() < 1
        _, factors = watched(Watch(), np.concatenate([record(seed, 2.0, 500), record(seed + 1000, -2.0, 504)]))
        delays.append(np.argmax(factors[500:] < 1) if factors[500:].min() < 1 else 504)
    assert false <= 6
    assert np.median(delays) < 252


def test_the_height_is_where_the_mean_run_under_the_claim_lasts_ten_years():
    drift = 1.0 / math.sqrt(252) / 2
    rng = np.random.default_rng(1)
    runs = []
    for _ in range(150):
        total, n = 0.0, 0
        while total < alarm_height(1.0):
            for z in rng.normal(2 * drift, 1, 500):
                total, n = max(0.0, total + drift - z), n + 1
                if total >= alarm_height(1.0):
                    break
        runs.append(n)
    assert np.mean(runs) == pytest.approx(RUN_LENGTH, rel=0.25)


def test_the_claim_is_half_of_the_first_year_within_bounds():
    for sharpe in (-3.0, 2.0, 9.0):
        returns = record(3, sharpe, 252)
        realised = math.sqrt(252) * returns.mean() / returns.std()
        watch, _ = watched(Watch(), returns)
        assert watch.claim == pytest.approx(min(max(realised / 2, 0.5), 2.0))


def test_it_never_goes_below_a_quarter_and_comes_back_by_halves():
    watch, factors = watched(Watch(), record(4, -5.0, 2000))
    assert factors.min() == LOWEST_FACTOR
    watch, factors = watched(watch, record(5, 6.0, 1500))
    assert watch.factor == 1.0
    assert set(factors) == {0.25, 0.5, 1.0}


def test_months_that_move_three_times_as_much_lower_the_scale_and_calm_ones_do_not():
    watch, _ = watched(Watch(), record(6, 1.0, 500))
    assert watch.scale >= 0.8
    assert 0.5 <= watched(watch, record(7, 0.0, 60, scale=0.03))[0].scale <= 0.6
    assert watched(watch, record(7, 0.0, 60, scale=0.003))[0].scale == 1.0
    assert watched(Watch(), record(8, 0.0, 59))[0].scale == 1.0


def test_what_does_not_move_raises_no_alarm_and_what_is_stored_goes_on():
    assert watched(Watch(), np.zeros(2000))[0].factor == 1.0
    half, _ = watched(Watch(), record(9, 1.0, 300))
    again = Watch(**json.loads(json.dumps(half.dump())))
    assert watched(again, record(10, 0.0, 300))[0] == watched(half, record(10, 0.0, 300))[0]
