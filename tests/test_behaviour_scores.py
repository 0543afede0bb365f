"""Scores of how trades were ended, against numbers worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.behaviour.scores import HORIZON, Exit, Prices, StopTrade, discipline, overall, sell_fly, stop_on_time
from quant_site.core.stats import Undefined, observed, undefined

AT = 70
# Closes that rise and fall by 1 % in turn: σ of any 60 returns is √(60/59) · 1 %, so 10 sessions move by σ√10 = 3.19 %.
STEPS = np.array([0.01, -0.01] * 100)
SIGMA = 0.01 * math.sqrt(60 / 59)
BARRIER = SIGMA * math.sqrt(HORIZON)


def closes(length=100, at=AT) -> np.ndarray:
    """Alternating until the exit, 100 at it, flat after."""
    path = np.full(length, 100.0)
    for t in range(at, 0, -1):
        path[t - 1] = path[t] / (1 + STEPS[t])
    return path


def prices(peak: float, *, length=100, benchmark: float = 0.0) -> Prices:
    """The close goes to 100 · (1 + peak) in the fifth session after the exit; the benchmark moves at once and stays."""
    path, market = closes(length), np.full(length, 50.0)
    path[AT + 5], market[AT + 1 :] = 100 * (1 + peak), 50 * (1 + benchmark)
    return Prices(path, market)


def one(peak: float, sign=1, stopped=False, at=AT, **market) -> Exit:
    return Exit(sign, 100.0, at, stopped, prices(peak, **market))


def score(*exits: Exit) -> float | None:
    return sell_fly(exits).score.value


@pytest.mark.parametrize(
    ("peak", "sign", "flew"),
    [
        (BARRIER + 1e-6, 1, True),
        (BARRIER - 1e-6, 1, False),
        (-BARRIER - 1e-6, -1, True),
        (-BARRIER + 1e-6, -1, False),
        (-0.2, 1, False),
        (0.2, -1, False),
    ],
)
def test_an_exit_flew_where_the_furthest_close_passed_one_sigma_of_ten_sessions(peak, sign, flew):
    assert score(one(peak, sign)) == (0 if flew else 100)


def test_what_the_benchmark_made_since_the_exit_is_no_regret():
    assert score(one(0.05)) == 0
    assert score(one(0.05, benchmark=0.03)) == 100
    assert score(one(0.01, benchmark=-0.03)) == 0


def test_the_eleventh_session_after_the_exit_no_longer_counts():
    late = prices(0.0)
    late.close[AT + 10 + 1] = 150
    assert score(Exit(1, 100.0, AT, False, late)) == 100
    late.close[AT + 10] = 150
    assert score(Exit(1, 100.0, AT, False, late)) == 0


def test_the_score_is_100_less_the_share_that_flew():
    assert score(one(0.2), one(0), one(0)) == pytest.approx(100 - 100 / 3, abs=1e-12)


def test_stops_and_windows_that_are_not_over_are_left_out():
    fly = sell_fly([one(0.2, stopped=True), one(0.2, length=AT + 10), one(0, length=AT + 11), one(0, at=59)])
    assert fly.score == observed(100.0, 1)
    assert fly.left_out == {"STOP": 1, "NOT_MATURED": 1, "NO_BARS": 1}


def test_without_an_exit_that_can_be_judged_there_is_no_score():
    assert sell_fly([]).score == undefined(Undefined.NO_TRADES, 0)
    assert sell_fly([one(0.2, stopped=True)]).score == undefined(Undefined.NO_DATA, 0)


def test_chance_is_the_share_of_the_other_sessions_that_would_have_flown():
    single = one(0.2)
    fly = sell_fly([single])
    close, market = single.prices.close, single.prices.benchmark
    verdicts = []
    for t in range(61, len(close) - 10):
        before = [close[u] / close[u - 1] - 1 for u in range(t - 60, t)]
        mean = sum(before) / 60
        sigma = math.sqrt(sum((change - mean) ** 2 for change in before) / 59)
        furthest = max(close[u] / close[t] - market[u] / market[t] for u in range(t + 1, t + 11))
        verdicts += [furthest >= sigma * math.sqrt(10)] if t != AT else []
    assert 0 < sum(verdicts) < len(verdicts)
    assert fly.chance.value == pytest.approx(sum(verdicts) / len(verdicts), abs=1e-12)
    assert fly.excess.value == pytest.approx(1 - fly.chance.value, abs=1e-12)
    assert fly.excess.low < fly.excess.value


# --- Discipline


def stopped(low, exit_price, *, by_stop=False, at_open=False, sign=1, stop=95.0) -> StopTrade:
    low = np.array(low, dtype=float)
    return StopTrade(sign, stop, low, low + 5, exit_price, by_stop, at_open)


@pytest.mark.parametrize(
    ("trade", "verdict"),
    [
        (stopped([98, 97, 96], 100.0), None),  # never came to it
        (stopped([98, 97, 94], 94.9, by_stop=True), True),  # the stop ended it
        (stopped([98, 97, 94], 93.0), True),  # sold by hand on that session, at the stop or beyond
        (stopped([98, 97, 94], 97.0), None),  # sold at 97: the low may have come after
        (stopped([98, 94, 93], 93.5, at_open=True), True),  # the next open
        (stopped([98, 94, 93], 93.5), False),  # later that day
        (stopped([98, 94, 96, 97], 97.0, at_open=True), False),  # two sessions later
        (stopped([98, 95, 96, 97], 99.0), False),  # to touch is enough
        (stopped([90, 97, 98], 99.0), None),  # the low of the entry's session may lie before it
        (stopped([90], 94.0), True),  # opened and stopped in one session
    ],
)
def test_a_stop_is_on_time_in_its_session_or_at_the_next_open(trade, verdict):
    assert stop_on_time(trade) is verdict


def test_the_stop_of_a_short_is_above():
    assert stop_on_time(stopped([90, 92, 96], 101.0, sign=-1, stop=100.0)) is True
    assert stop_on_time(stopped([90, 96, 90, 88], 92.0, sign=-1, stop=100.0)) is False


def test_discipline_is_the_share_of_stops_that_were_on_time():
    late, early, none = stopped([98, 94, 96, 97], 97.0), stopped([98, 97, 94], 93.0), stopped([98, 97, 96], 100.0)
    assert discipline([late, early, early, none]) == observed(float(200 / 3), 3)
    assert discipline([none]) == undefined(Undefined.NO_DATA, 0)


def test_overall_weighs_discipline_six_to_four_and_needs_both():
    assert overall(observed(50.0, 4), observed(100.0, 6)) == observed(70.0, 10)
    assert overall(undefined(Undefined.NO_DATA, 0), observed(100.0, 6)) == undefined(Undefined.NO_DATA, 6)
    assert overall(observed(50.0, 4), undefined(Undefined.NO_TRADES, 0)).value is None


@given(
    st.lists(st.tuples(st.floats(-0.9, 9), st.sampled_from((1, -1)), st.booleans(), st.integers(0, 99)), max_size=8),
    st.lists(
        st.tuples(st.lists(st.floats(1, 1e6) | st.just(math.nan), min_size=1, max_size=6), st.floats(1, 1e6), st.booleans()), max_size=6
    ),
)
def test_scores_lie_between_0_and_100_or_say_why_they_are_missing(exits, stops):
    fly = sell_fly([one(peak, sign, by_stop, at) for peak, sign, by_stop, at in exits])
    on_time = discipline([stopped(low, price, at_open=at_open) for low, price, at_open in stops])
    for metric in (fly.score, on_time, overall(on_time, fly.score)):
        assert (metric.value is None) == (metric.reason is not None)
        assert metric.value is None or 0 <= metric.value <= 100
    assert fly.score.n + sum(fly.left_out.values()) == len(exits)
