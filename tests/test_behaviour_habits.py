"""Habits of a person, against numbers worked out by hand."""

import math
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from analytics.behaviour.habits import (
    Entry,
    Holding,
    Loss,
    Opened,
    Sale,
    SaleDay,
    bootstrap_mean,
    disposition,
    fomo,
    overtrading,
    r_multiples,
    revenge,
)
from quant_site.core.stats import Undefined, observed

NOON = datetime(2024, 3, 5, 17, tzinfo=UTC)
DAYS = [date(2024, 1, 1) + timedelta(days=t) for t in range(100)]


def test_the_disposition_effect_counts_gains_and_losses_on_days_with_a_sale():
    """Odean's example of counting: one gain and one loss sold; three paper gains, one paper loss, one that straddles its cost."""
    held = (
        Holding(1, 10.0, 11.0, 12.0),
        Holding(1, 10.0, 10.5, 12.0),
        Holding(-1, 10.0, 8.0, 9.0),
        Holding(1, 10.0, 8.0, 9.0),
        Holding(1, 10.0, 9.0, 11.0),
    )
    days = [SaleDay((Sale(1, 10.0, 12.0), Sale(1, 10.0, 10.0)), held), SaleDay((Sale(-1, 10.0, 12.0),), ())]
    found = disposition(days)
    assert (found.pgr.value, found.plr.value) == (1 / 4, 1 / 2)
    assert found.effect.value == -0.25
    error = math.sqrt(0.25 * 0.75 / 4 + 0.5 * 0.5 / 2)
    assert found.effect.high - found.effect.value == pytest.approx(1.959964 * error, rel=1e-6)


def test_without_a_loss_there_is_no_disposition_effect():
    found = disposition([SaleDay((Sale(1, 10.0, 12.0),), ())])
    assert found.pgr.value == 1
    assert found.plr.reason == found.effect.reason == Undefined.NO_LOSSES
    assert disposition([]).effect.value is None


@pytest.mark.parametrize(
    ("minutes", "symbol", "size", "angry"),
    [
        (30, "AAA", 100.0, True),
        (31, "AAA", 100.0, False),
        (0, "AAA", 100.0, False),  # filled at the time of the loss: decided before
        (-5, "AAA", 100.0, False),
        (10, "BBB", 149.0, False),
        (10, "BBB", 150.0, True),
    ],
)
def test_revenge_is_soon_after_a_loss_and_in_the_same_symbol_or_large(minutes, symbol, size, angry):
    calm = [Opened(NOON - timedelta(days=day), "ZZZ", 100.0) for day in (1, 2, 3, 4)]
    trade = Opened(NOON + timedelta(minutes=minutes), symbol, size)
    assert revenge([*calm, trade], [Loss(NOON, "AAA")]).value == (0.2 if angry else 0)


def test_without_trades_there_is_no_share_of_revenge():
    assert revenge([], [Loss(NOON, "AAA")]).reason == Undefined.NO_TRADES


@pytest.mark.parametrize(
    ("sign", "price", "ema", "close", "chased"),
    [
        (1, 110.0, 105.9, 105.0, True),  # 4.1 above with an ATR of 2; up 4.8 % with σ of 2 %
        (1, 110.0, 106.0, 105.0, False),  # exactly 2 ATR
        (1, 110.0, 105.9, 106.0, False),  # up 3.8 % only
        (-1, 90.0, 94.1, 95.0, True),
        (-1, 110.0, 105.9, 105.0, False),
    ],
)
def test_chasing_is_far_above_the_mean_after_a_large_move_of_the_day(sign, price, ema, close, chased):
    assert fomo([Entry(sign, price, close, ema, 2.0, 0.02)]).value == (1 if chased else 0)


def test_an_entry_without_history_is_left_out_of_chasing():
    assert fomo([Entry(1, 110.0, 105.0, math.nan, 2.0, 0.02)]).reason == Undefined.NO_DATA
    assert fomo([Entry(1, 110.0, 105.0, math.nan, 2.0, 0.02), Entry(1, 110.0, 105.0, 100.0, 2.0, 0.02)]).n == 1


def test_a_session_is_overtraded_beyond_two_deviations_and_beyond_chance():
    """99 sessions with 1 entry and one with 8: mean 1.07, sd 0.7, and P(N ≥ 8) of a Poisson variable is 1e-5."""
    found = overtrading([*DAYS[1:], *[DAYS[0]] * 8], DAYS)
    assert found.sessions == (DAYS[0],)
    assert (found.share.value, found.mean) == (0.01, 1.07)


@pytest.mark.parametrize("entries", [1, 3])
def test_a_single_entry_of_a_person_who_seldom_trades_is_not_overtrading(entries):
    assert overtrading(DAYS[:entries], DAYS).sessions == ()


def test_two_entries_within_chance_are_not_overtrading():
    """20 single ones and 2 in one session: mean 0.22, sd 0.44, so 2 lie beyond 1.1; P(N ≥ 2) is 2.09 %, with 25 more 8.1 %."""
    assert overtrading([*DAYS[1:21], DAYS[0], DAYS[0]], DAYS).sessions == (DAYS[0],)
    assert overtrading([*DAYS[1:46], DAYS[0], DAYS[0]], DAYS).sessions == ()


def test_regular_trading_is_not_overtrading_however_much():
    assert overtrading(DAYS * 20, DAYS).sessions == ()


def test_overtrading_needs_entries_and_twenty_sessions():
    assert overtrading([], DAYS).share.reason == Undefined.NO_TRADES
    assert overtrading(DAYS[:3], DAYS[:19]).share.reason == Undefined.TOO_FEW


def test_r_is_the_result_over_the_risk_of_trades_that_had_one():
    assert r_multiples([200.0, -100.0, 50.0, 10.0], [100.0, 100.0, None, 0.0]) == [2.0, -1.0]


def test_the_bootstrap_interval_is_repeatable_and_close_to_the_normal_one():
    values = np.random.default_rng(5).normal(0.3, 1.0, 400)
    found = bootstrap_mean(values)
    assert found == bootstrap_mean(values)
    half = 1.96 * values.std(ddof=1) / 20
    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.02)


def test_one_value_or_equal_ones_have_no_interval():
    assert bootstrap_mean([]).reason == Undefined.NO_TRADES
    assert bootstrap_mean([1.5]) == observed(1.5, 1)
    assert bootstrap_mean([2.0, 2.0]) == observed(2.0, 2)
