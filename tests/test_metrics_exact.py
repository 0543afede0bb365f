"""Trades, flows and orders over a grid of lengths, against exact fractions, the price of a fund's unit and a root finder."""

from fractions import Fraction

import numpy as np
import pytest
from scipy.optimize import brentq
from statsmodels.stats.proportion import proportion_confint

from analytics import stats
from analytics.stats import Metric, Undefined
from quant_site.core.types import Side

LENGTHS = (0, 1, 2, 59, 60, 61, 252, 1250)
TRADES = {
    "normal": lambda n: np.random.default_rng(1).normal(4, 50, n),
    "skewed": lambda n: np.random.default_rng(2).exponential(60, n) - 50,
    "fat-tailed": lambda n: np.random.default_rng(3).standard_t(2, n) * 40,
    "no losers": lambda n: np.random.default_rng(4).uniform(1, 90, n),
    "no winners": lambda n: -np.random.default_rng(5).uniform(1, 90, n),
    "break-even": lambda n: np.zeros(n),
}


@pytest.mark.parametrize("world", TRADES)
@pytest.mark.parametrize("n", LENGTHS)
def test_metrics_of_trades_are_those_of_exact_fractions(world, n):
    results = [Fraction(round(float(each) * 100), 100) for each in TRADES[world](n)]
    wins, losses = [each for each in results if each > 0], [-each for each in results if each < 0]
    lost = Undefined.NO_LOSSES if n else Undefined.NO_TRADES
    rate, factor, payoff = stats.win_rate(results), stats.profit_factor(results), stats.payoff_ratio(results)
    assert factor.value == (pytest.approx(float(sum(wins) / sum(losses))) if losses else None)
    assert factor.reason == (None if losses else lost)
    both = bool(wins and losses)
    assert payoff.value == (pytest.approx(float(sum(wins) / len(wins) / (sum(losses) / len(losses)))) if both else None)
    assert payoff.reason == (None if both else Undefined.NO_WINS if losses else lost)
    if not n:
        assert rate == stats.expectancy(results) == Metric(None, Undefined.NO_TRADES, 0)
        return
    assert (rate.low, rate.high) == pytest.approx(proportion_confint(len(wins), n, method="wilson"), abs=1e-12)
    assert (rate.value, rate.n) == (len(wins) / n, n)
    assert stats.expectancy(results).value == pytest.approx(float(sum(results) / n), abs=1e-12)


# --- money that comes and goes, orders


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n", LENGTHS[1:])
def test_the_time_weighted_return_is_the_change_in_the_price_of_a_unit_of_a_fund(seed, n):
    random = np.random.default_rng(seed)
    values, flows, price, units = [100_000.0], [0.0], 1.0, 100_000.0
    for stretch, change in enumerate(random.normal(0.0004, 0.01, n)):
        price *= 1 + change
        values.append(units * price)
        if stretch < n - 1:
            flows.append(float(random.uniform(-0.2, 0.3)) * values[-1])
            units += flows[-1] / price
    assert stats.time_weighted_return_of(values, flows).value == pytest.approx(price - 1, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("flows", [0, 1, 5])
def test_the_modified_dietz_return_is_the_simple_interest_that_explains_the_end(seed, flows):
    random = np.random.default_rng(seed)
    start, end, length = 100_000.0, random.uniform(80_000, 130_000), 31
    paid, days = random.uniform(-9_000, 12_000, flows), random.integers(0, length + 1, flows)

    def unexplained(interest):
        return start * (1 + interest) + sum(paid * (1 + interest * (length - days) / length)) - end

    assert stats.modified_dietz(start, end, paid, days, length).value == pytest.approx(brentq(unexplained, -5, 5, xtol=1e-14), abs=1e-10)


@pytest.mark.parametrize("n", LENGTHS[1:])
def test_exposure_is_the_mean_of_exact_shares(n):
    random = np.random.default_rng(n)
    gross, equity = random.integers(0, 200_000, n), random.integers(50_000, 150_000, n)
    exact = sum(Fraction(int(held), int(own)) for held, own in zip(gross, equity, strict=True)) / n
    assert stats.exposure(gross, equity).value == pytest.approx(float(exact))
    assert stats.exposure(gross, equity).n == n


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("fills", [0, 1, 2, 60])
def test_the_shortfall_is_exactly_what_the_paper_portfolio_made_beyond_the_real_one(side, fills):
    random = np.random.default_rng(fills)
    decision, close, unfilled, fees = Fraction(5013, 100), Fraction(5127, 100), 40, Fraction(325, 100)
    prices = [Fraction(int(each), 100) for each in random.integers(4900, 5200, fills)]
    sizes = [int(each) for each in random.integers(1, 300, fills)]
    held = 1 if side is Side.BUY else -1
    paper = held * (close - decision) * (sum(sizes) + unfilled)
    real = sum(held * (close - price) * size for price, size in zip(prices, sizes, strict=True)) - fees
    found = stats.implementation_shortfall(side, decision, close, prices, sizes, unfilled, fees)
    assert (found.value, found.n) == (pytest.approx(float(paper - real)), fills)
