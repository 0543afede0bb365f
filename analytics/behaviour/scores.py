"""Scores of how trades were ended, 0 to 100: sold too soon (sell-fly), stopped on time (discipline), and both together.

sell-fly = 100 − fly / total · 100, discipline = on-time stops / total stops · 100, overall = 0.6 · discipline + 0.4 · sell-fly.
A score whose denominator is 0 has no value but a reason; overall has none where either has none.

Daily bars tell no path within a session; where it would matter, the definitions below say what is taken for granted.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from functools import cached_property

import numpy as np

from analytics import stats
from analytics.stats import Metric, Undefined, observed, undefined

HORIZON = 10
VOLATILITY_WINDOW = 60
FLY_SIGMAS = 1.0
DISCIPLINE_SHARE = Fraction(6, 10)


class LeftOut(StrEnum):
    """Why an exit is not judged."""

    STOP = "STOP"
    NOT_MATURED = "NOT_MATURED"
    NO_BARS = "NO_BARS"


@dataclass(frozen=True, eq=False)
class Prices:
    """Adjusted closes of one symbol and of its benchmark on the same T sessions; float64 (T,), NaN where there is no bar."""

    close: np.ndarray
    benchmark: np.ndarray

    @cached_property
    def sigma(self) -> np.ndarray:
        """By session the standard deviation (ddof 1) of the returns of the 60 sessions before it; NaN where one is missing; (T,)."""
        n, sigma = VOLATILITY_WINDOW, np.full(len(self.close), np.nan)
        returns = self.close[1:] / self.close[:-1] - 1
        known = np.isfinite(returns)
        counted = np.where(known, returns, 0.0)
        # Differences of running sums: a deviation of each window by itself would be most of the cost.
        running = np.zeros((3, len(returns) + 1))
        np.cumsum([counted, counted**2, known], axis=1, out=running[:, 1:])
        total, squares, whole = running[:, n:] - running[:, :-n] if len(returns) >= n else np.zeros((3, 0))
        spread = np.sqrt(np.maximum(squares - total**2 / n, 0) / (n - 1))
        sigma[n + 1 :] = np.where(whole == n, spread, np.nan)[:-1]
        return sigma


@dataclass(frozen=True)
class Exit:
    """The end of a trade: `sign` 1 long, −1 short; `price` on the scale of the adjusted closes; `at` its column in `prices`."""

    sign: int
    price: float
    at: int
    stopped: bool
    prices: Prices


@dataclass(frozen=True)
class SellFly:
    """`rate` is the share that flew, `chance` the share expected by chance, `excess` their difference; of `left_out` exits by why."""

    score: Metric
    rate: Metric
    chance: Metric
    excess: Metric
    left_out: dict[str, int]


@dataclass(frozen=True)
class StopTrade:
    """A closed trade that had a stop from the start. `low`, `high`: its bars from the session of its entry (0) to that of its exit
    (the last), float64 (n,), on the scale of `stop`, the first one. `at_open`: its exit filled at the open."""

    sign: int
    stop: float
    low: np.ndarray
    high: np.ndarray
    exit_price: float
    stopped: bool
    at_open: bool


def flown(prices: Prices, sign: int) -> np.ndarray:
    """Of each session whether a trade closed at its close would have flown: 1 or 0, NaN where it cannot be told; (T,).

    It flew where, within `HORIZON` sessions, the furthest close in the trade's direction, less the benchmark's return since, is
    at least `FLY_SIGMAS`·σ·√`HORIZON` away. σ: the standard deviation of the returns of the 60 sessions before.
    """
    return _verdicts(prices, sign, np.arange(len(prices.close)), prices.close)


def _verdicts(prices: Prices, sign: int, at: np.ndarray, exits: np.ndarray) -> np.ndarray:
    """The same for trades that ended at columns `at` for `exits`; both (m,), answers (m,)."""
    verdict = np.full(len(at), np.nan)
    known = (at > VOLATILITY_WINDOW) & (at + HORIZON < len(prices.close))
    if not known.any():
        return verdict
    columns, price = at[known], exits[known]
    after = columns[:, None] + np.arange(1, HORIZON + 1)
    since = prices.benchmark[after] / prices.benchmark[columns][:, None]
    furthest = (sign * (prices.close[after] / price[:, None] - since)).max(axis=1)
    sigma = prices.sigma[columns]
    whole = np.isfinite(furthest) & np.isfinite(sigma)
    verdict[known] = np.where(whole, furthest >= FLY_SIGMAS * sigma * np.sqrt(HORIZON), np.nan)
    return verdict


def sell_fly(exits: Sequence[Exit]) -> SellFly:
    """Sell-fly score of `exits`; those by a stop and those whose window is not over, or has gaps, are left out.

    Chance: the share of all other sessions of the same `prices` (those on which none of `exits` fell) on which a trade of the
    same side, closed at the close, would have flown; a mean over the exits judged. The interval of `excess` is that of the rate
    (Wilson) less the chance, which is taken as known.
    """
    flew, chances, left_out = [], [], Counter()
    for group in _by_prices(exits):
        left_out.update(str(why) for one in group if (why := _left_out(one)))
        judged = [one for one in group if _left_out(one) is None]
        for sign in sorted({one.sign for one in judged}):
            side = [one for one in judged if one.sign == sign]
            verdicts = _verdicts(side[0].prices, sign, np.array([one.at for one in side]), np.array([one.price for one in side]))
            known = verdicts[np.isfinite(verdicts)]
            left_out.update({str(LeftOut.NO_BARS): len(side) - len(known)} if len(known) < len(side) else {})
            flew += known.tolist()
            chances += [_chance(group, sign)] * len(known)
    return _sell_fly_of(flew, chances, dict(left_out), Undefined.NO_DATA if exits else Undefined.NO_TRADES)


def _sell_fly_of(flew: list[float], chances: list[float], left_out: dict[str, int], none: Undefined) -> SellFly:
    total, fly = len(flew), int(sum(flew))
    rate = stats.proportion(fly, total, none=none)
    if not total:
        missing = undefined(none, 0)
        return SellFly(missing, rate, missing, missing, left_out)
    score = observed(float(100 - Fraction(100 * fly, total)), total)
    known = [share for share in chances if np.isfinite(share)]
    if not known:
        return SellFly(score, rate, undefined(Undefined.TOO_FEW, 0), undefined(Undefined.TOO_FEW, total), left_out)
    chance = float(np.mean(known))
    excess = observed(rate.value - chance, total, (rate.low - chance, rate.high - chance))
    return SellFly(score, rate, observed(chance, len(known)), excess, left_out)


def _by_prices(exits: Sequence[Exit]) -> list[list[Exit]]:
    groups: dict[int, list[Exit]] = {}
    for one in exits:
        groups.setdefault(id(one.prices), []).append(one)
    return list(groups.values())


def _left_out(one: Exit) -> LeftOut | None:
    if one.stopped:
        return LeftOut.STOP
    return LeftOut.NOT_MATURED if one.at + HORIZON >= len(one.prices.close) else None


def _chance(group: Sequence[Exit], sign: int) -> float:
    """The share of flown sessions among those of the same prices on which no trade ended; NaN where there are none."""
    others = np.delete(flown(group[0].prices, sign), [one.at for one in group])
    others = others[np.isfinite(others)]
    return float(others.mean()) if others.size else float("nan")


def stop_on_time(trade: StopTrade) -> bool | None:
    """Whether a trade that came to its first stop was closed in time: in that session, or at the open of the next. None: it never
    came to it while it was open.

    The session of the entry does not count (its low may lie before the entry). In that of the exit the stop was touched while
    the trade was open only where a stop order ended it, or it ended at the stop or beyond.
    """
    against = trade.low if trade.sign > 0 else trade.high
    touched = trade.sign * (against - trade.stop) <= 0
    last = len(touched) - 1
    if last < 0:
        return None
    beyond = trade.stopped or trade.sign * (trade.exit_price - trade.stop) <= 0
    inside = np.flatnonzero(touched[1:last]) + 1
    if not inside.size:
        return True if touched[last] and beyond else None
    return bool(inside[0] == last - 1 and trade.at_open)


def discipline(trades: Iterable[StopTrade]) -> Metric:
    """Of the trades that came to their first stop, the share closed in time, times 100."""
    verdicts = [verdict for trade in trades if (verdict := stop_on_time(trade)) is not None]
    if not verdicts:
        return undefined(Undefined.NO_DATA, 0)
    return observed(float(Fraction(100 * sum(verdicts), len(verdicts))), len(verdicts))


def overall(discipline_score: Metric, sell_fly_score: Metric) -> Metric:
    """0.6 · discipline + 0.4 · sell-fly."""
    n = discipline_score.n + sell_fly_score.n
    for part in (discipline_score, sell_fly_score):
        if part.value is None:
            return undefined(part.reason, n)
    weighted = DISCIPLINE_SHARE * Fraction(discipline_score.value) + (1 - DISCIPLINE_SHARE) * Fraction(sell_fly_score.value)
    return observed(float(weighted), n)
