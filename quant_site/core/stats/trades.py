"""Metrics of closed trades: what they made, in money or in units of the risk taken at entry."""

import math
from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from quant_site.core.errors import InvalidInput
from quant_site.core.stats.estimates import mean_estimate, proportion, wilson_interval
from quant_site.core.stats.metric import CONFIDENCE, Metric, Undefined, amounts, observations, observed, same_length, undefined

LARGEST_KELLY_SHARE = 0.5


class Excursions(NamedTuple):
    """Mean adverse and mean favourable excursion, in units of initial risk."""

    mae: Metric
    mfe: Metric


def win_rate(results: Iterable, confidence: float = CONFIDENCE) -> Metric:
    """Share of closed trades with a net result above zero, with its Wilson interval. A result of exactly 0 is no win."""
    values = observations(results, "Win rate")
    return proportion(int((values > 0).sum()), values.size, confidence, Undefined.NO_TRADES)


@np.errstate(over="ignore")
def profit_factor(results: Iterable) -> Metric:
    """Sum of the gains over the sum of the losses of closed trades; without a loss it is undefined, not infinite."""
    values = observations(results, "Profit factor")
    return profit_factor_of(float(values[values > 0].sum()), -float(values[values < 0].sum()), values.size)


def profit_factor_of(profit: float | Decimal, loss: float | Decimal, n: int) -> Metric:
    """`loss` is the size of the losses, positive."""
    if n == 0:
        return undefined(Undefined.NO_TRADES, 0)
    if not math.isfinite(loss):
        return undefined(Undefined.TOO_LARGE, n)
    return observed(profit / loss, n) if loss > 0 else undefined(Undefined.NO_LOSSES, n)


@np.errstate(over="ignore")
def payoff_ratio(results: Iterable) -> Metric:
    """Mean gain of the winners over mean loss of the losers; undefined without a loser, and without a winner."""
    values = observations(results, "Payoff ratio")
    if not values.size:
        return undefined(Undefined.NO_TRADES, 0)
    wins, losses = values[values > 0], values[values < 0]
    if not losses.size or not wins.size:
        return undefined(Undefined.NO_WINS if losses.size else Undefined.NO_LOSSES, values.size)
    loss = -float(losses.mean())
    return observed(float(wins.mean()) / loss if math.isfinite(loss) else math.inf, values.size)


def expectancy(results: Iterable, confidence: float = CONFIDENCE) -> Metric:
    """Mean net result of a closed trade, with Student's t interval where two trades or more differ."""
    return _mean_of_trades(observations(results, "Expectancy"), confidence)


def average_r(results: Iterable, risks: Iterable, confidence: float = CONFIDENCE) -> Metric:
    """Mean R-multiple: net result over initial risk (what the stop would have cost at entry, above zero), per closed trade.

    With Student's t interval where two trades or more differ.
    """
    won, risked = observations(results, "Average R"), amounts(risks, "Initial risk", zero=False)
    same_length("Average R needs one initial risk per result", won, risked)
    with np.errstate(over="ignore"):
        multiples = won / risked
    return _mean_of_trades(multiples, confidence) if np.isfinite(multiples).all() else undefined(Undefined.TOO_LARGE, won.size)


def _mean_of_trades(values: np.ndarray, confidence: float) -> Metric:
    if not values.size:
        return undefined(Undefined.NO_TRADES, 0)
    estimate = mean_estimate(values, confidence)
    if estimate.reason in (Undefined.TOO_FEW, Undefined.NO_VARIATION):
        return observed(values.mean(), values.size)
    return estimate


def average_holding(sessions: Iterable) -> Metric:
    """Mean number of sessions that closed trades were held; 0 is a trade opened and closed in one session."""
    values = observations(sessions, "Average holding")
    return average_holding_of(values.sum(), values.size)


def average_holding_of(total: float, n: int) -> Metric:
    return observed(total / n, n) if n else undefined(Undefined.NO_TRADES, 0)


def mae_mfe(directions: Iterable, entries: Iterable, stops: Iterable, lows: Iterable, highs: Iterable) -> Excursions:
    """How far trades went against and for their holder before they ended (Sweeney 1996), in units of initial risk: means.

    One of each per trade: direction (1 long, −1 short), entry price, first stop, lowest and highest price while held.
    A long trade's adverse excursion is max(entry − low, 0) / (entry − stop); 1.0 reached the stop. Both are ≥ 0.
    """
    names = ("Direction", "Entry", "Stop", "Lowest price", "Highest price")
    given = (directions, entries, stops, lows, highs)
    side, entry, stop, low, high = (observations(values, name) for values, name in zip(given, names, strict=True))
    same_length("Excursions need one direction, entry, stop, low and high per trade", side, entry, stop, low, high)
    if not side.size:
        return Excursions(undefined(Undefined.NO_TRADES, 0), undefined(Undefined.NO_TRADES, 0))
    risk = side * (entry - stop)
    _refuse(np.abs(side) != 1, "bad_direction", "the direction is neither 1 (long) nor -1 (short)")
    _refuse(risk <= 0, "bad_stop", "the first stop is not on the losing side of the entry")
    _refuse(low > high, "bad_range", "the lowest price is above the highest")
    down, up = np.maximum(entry - low, 0.0), np.maximum(high - entry, 0.0)
    with np.errstate(over="ignore"):
        adverse, favourable = np.where(side > 0, down, up) / risk, np.where(side > 0, up, down) / risk
        return Excursions(observed(adverse.mean(), side.size), observed(favourable.mean(), side.size))


def _refuse(wrong: np.ndarray, code: str, why: str) -> None:
    if wrong.any():
        at = int(wrong.argmax())
        raise InvalidInput(code, f"Trade {at + 1} of {wrong.size}: {why}. Correct it or leave the trade out.", at=at)


def kelly_fraction(results: Iterable, kelly_share: float = LARGEST_KELLY_SHARE, confidence: float = CONFIDENCE) -> Metric:
    """Share of equity to lose at a full loss: κ·max(0, p − (1 − p)/b) (Kelly 1956), κ at most one half.

    p is the lower Wilson bound of the win rate, not the rate itself, and b the payoff ratio; break-even trades count as
    not won. Without an edge it is 0, which is a size; without a loss the payoff is unknown and so is the fraction.
    """
    if not 0 < kelly_share <= LARGEST_KELLY_SHARE:
        raise InvalidInput("bad_kelly_share", f"The share of Kelly's fraction is above 0 and at most one half, not {kelly_share}.")
    values = observations(results, "Kelly fraction")
    payoff = payoff_ratio(values)
    if payoff.reason is Undefined.NO_WINS:
        return observed(0.0, values.size)
    if payoff.value is None:
        return payoff
    p = wilson_interval(int((values > 0).sum()), values.size, confidence)[0]
    # A payoff too small for its inverse is no edge either.
    edge = p - (1 - p) / payoff.value if payoff.value > 0 else -math.inf
    return observed(kelly_share * max(0.0, edge), values.size)
