"""Habits of a person who trades: holding losers, trading out of anger, chasing, trading too much, and what a trade makes in R."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
from scipy.stats import bootstrap, norm, poisson

from analytics import stats
from analytics.stats import CONFIDENCE, Metric, Undefined, observed, undefined

REVENGE_WITHIN = timedelta(minutes=30)
REVENGE_SIZE = 1.5
FOMO_ATRS, FOMO_SIGMAS = 2.0, 2.0
# Mean + 2 standard deviations, and the tail beyond that of a normal distribution.
OVERTRADING_SD = 2.0
OVERTRADING_TAIL = float(norm.sf(OVERTRADING_SD))
FEWEST_SESSIONS = 20
RESAMPLES, SEED = 2000, 20240607


# --- Disposition effect


@dataclass(frozen=True)
class Sale:
    """What was closed, whole or in part: `sign` 1 long, −1 short; price per share, and the mean price paid (received)."""

    sign: int
    cost: float
    price: float


@dataclass(frozen=True)
class Holding:
    """What was held before a day with a sale and not sold on it, with the range of the day."""

    sign: int
    cost: float
    low: float
    high: float


@dataclass(frozen=True)
class SaleDay:
    sales: tuple[Sale, ...]
    held: tuple[Holding, ...]


@dataclass(frozen=True)
class Disposition:
    """`effect` is PGR − PLR: above 0, gains are realised more readily than losses."""

    pgr: Metric
    plr: Metric
    effect: Metric


def disposition(days: Sequence[SaleDay]) -> Disposition:
    """PGR = RG / (RG + PG) and PLR = RL / (RL + PL) over days with a sale (Odean 1998, J. Finance 53(5)).

    A holding is a paper gain where even the worst price of the day is above its cost, a paper loss where even the best is below;
    else it counts as neither. Nor does a sale at cost. Mirrored for shorts. The interval of the effect is Odean's: standard error
    √(PGR(1 − PGR)/(RG + PG) + PLR(1 − PLR)/(RL + PL)).
    """
    realised = [float(one.sign * (one.price - one.cost)) for day in days for one in day.sales]
    paper = [sorted(float(one.sign * (edge - one.cost)) for edge in (one.low, one.high)) for day in days for one in day.held]
    gains, losses = sum(made > 0 for made in realised), sum(made < 0 for made in realised)
    paper_gains, paper_losses = sum(worst > 0 for worst, _ in paper), sum(best < 0 for _, best in paper)
    pgr = stats.proportion(gains, gains + paper_gains, none=Undefined.NO_WINS)
    plr = stats.proportion(losses, losses + paper_losses, none=Undefined.NO_LOSSES)
    n = pgr.n + plr.n
    for part in (pgr, plr):
        if part.value is None:
            return Disposition(pgr, plr, undefined(part.reason, n))
    error = math.sqrt(sum(part.value * (1 - part.value) / part.n for part in (pgr, plr)))
    half, effect = float(norm.isf((1 - CONFIDENCE) / 2)) * error, pgr.value - plr.value
    return Disposition(pgr, plr, observed(effect, n, (effect - half, effect + half)))


# --- Revenge and chasing


@dataclass(frozen=True)
class Opened:
    """A trade as it was opened: when, what and how large (dollars, without sign)."""

    at: datetime
    symbol: str
    size: float


@dataclass(frozen=True)
class Loss:
    """A loss that was realised."""

    at: datetime
    symbol: str


def revenge(opened: Sequence[Opened], losses: Sequence[Loss]) -> Metric:
    """The share of trades opened at most 30 minutes after a realised loss and either in the same symbol or with at least 1.5
    times the median size of `opened`. What filled at the very time of the loss was decided before it."""
    if not opened:
        return undefined(Undefined.NO_TRADES, 0)
    large = REVENGE_SIZE * float(np.median([one.size for one in opened]))
    angry = sum(
        any(timedelta(0) < one.at - loss.at <= REVENGE_WITHIN and (one.symbol == loss.symbol or one.size >= large) for loss in losses)
        for one in opened
    )
    return stats.proportion(angry, len(opened))


@dataclass(frozen=True)
class Entry:
    """An entry beside what was known before its session: the close, EMA 20, ATR 14 and σ of 60 daily returns; adjusted prices."""

    sign: int
    price: float
    close: float
    ema: float
    atr: float
    sigma: float

    @property
    def known(self) -> bool:
        return all(math.isfinite(value) for value in (self.price, self.close, self.ema, self.atr, self.sigma))


def fomo(entries: Sequence[Entry]) -> Metric:
    """The share of entries more than 2 ATR beyond the EMA, after a move of the day to the entry of more than 2σ the same way
    (up for a long, down for a short). Entries without a full history are left out."""
    known = [one for one in entries if one.known]
    if not known:
        return undefined(Undefined.NO_DATA if entries else Undefined.NO_TRADES, 0)
    return stats.proportion(sum(bool(_chased(one)) for one in known), len(known))


def _chased(one: Entry) -> bool:
    stretched = one.sign * (one.price - one.ema) > FOMO_ATRS * one.atr
    return stretched and one.sign * (one.price / one.close - 1) > FOMO_SIGMAS * one.sigma


# --- Trading too much


@dataclass(frozen=True)
class Overtrading:
    """`share` of the sessions that were overtraded, and which; `mean` entries a session."""

    share: Metric
    mean: float
    sessions: tuple[date, ...]


def overtrading(entries: Sequence[date], sessions: Sequence[date]) -> Overtrading:
    """Sessions with more entries than the person's own mean + 2 sd (ddof 1) over `sessions`, which chance does not explain either.

    Who seldom trades passes mean + 2 sd with a single entry: so the number must be 2 or more, and in the upper tail of a Poisson
    variable with the same mean, P(N ≥ n) at most that of a normal variable beyond 2 sd (2.28 %). Undefined below 20 sessions.
    """
    if not entries:
        return Overtrading(undefined(Undefined.NO_TRADES, 0), 0.0, ())
    place = {day: at for at, day in enumerate(sessions)}
    counts = np.zeros(len(sessions))
    for day in entries:
        if day in place:
            counts[place[day]] += 1
    if len(counts) < FEWEST_SESSIONS:
        return Overtrading(undefined(Undefined.TOO_FEW, len(counts)), float(counts.mean()) if len(counts) else 0.0, ())
    mean, sd = float(counts.mean()), float(counts.std(ddof=1))
    beyond = (counts > max(1, mean + OVERTRADING_SD * sd)) & (poisson.sf(counts - 1, mean) <= OVERTRADING_TAIL)
    found = tuple(sessions[at] for at in np.flatnonzero(beyond))
    return Overtrading(stats.proportion(len(found), len(counts)), mean, found)


# --- What a trade makes


def r_multiples(results: Sequence[float], risks: Sequence[float | None]) -> list[float]:
    """Net result over initial risk of each trade that had one above zero."""
    return [result / risk for result, risk in zip(results, risks, strict=True) if risk is not None and risk > 0]


def bootstrap_mean(values: Sequence[float], seed: int = SEED) -> Metric:
    """The mean with its bootstrap interval (BCa, Efron 1987, 2,000 resamples); without one below two values or variation."""
    array = stats.observations(values, "Bootstrap")
    if not array.size:
        return undefined(Undefined.NO_TRADES, 0)
    mean = float(array.mean())
    if array.size < 2 or np.ptp(array) == 0:
        return observed(mean, array.size)
    drawn = bootstrap((array,), np.mean, n_resamples=RESAMPLES, confidence_level=CONFIDENCE, rng=np.random.default_rng(seed))
    low, high = (float(bound) for bound in drawn.confidence_interval)
    return observed(mean, array.size, (low, high) if math.isfinite(low) and math.isfinite(high) else None)
