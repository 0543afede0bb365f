"""Hedges as arithmetic: what is exposed, within which band it is left alone, how many shares bring it back, and whether it helped.

Pure: floats and arrays in, frozen answers out. Dollars of beta are β times the dollars held (of an option: of its delta),
dollars of delta are delta times the price; signs are those of the holding. What is undefined is None with a reason.

- A beta hedge trades n = −(exposure − target) / (S·M) shares, only outside the band, back to the *target*: each order has a
  least commission, and with a fixed cost the best answer to leaving the band is to go to its middle, rarely.
- A delta hedge has the band of Whalley and Wilmott (1997), "An asymptotic analysis of an optimal hedging model for option
  pricing with transaction costs", H = (3/2 · e^{−r(T−t)} · λ·S·Γ² / γ)^{1/3} shares on either side, and trades back to its
  nearest *edge*: where costs are proportional to what is traded, going further costs more than it saves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import exp, isfinite, trunc

import numpy as np

from quant_site.core.stats import Metric, Undefined, beta, observed, undefined
from quant_site.market.execution import CostModel

BETA_SESSIONS = 252
BETA_OBSERVATIONS = 60
# Vasicek's shrinking towards the market's beta of 1, in the round numbers of Blume (1975).
OWN_WEIGHT, PRIOR_WEIGHT = 0.67, 0.33

# A review of fewer hedged sessions says nothing: the variance of 20 is known to ± a third.
LEAST_REVIEWED = 20
# A hedge may cost this share of equity a year; one that costs more is not worth what it calms.
COST_LIMIT_A_YEAR = 0.01
SESSIONS_A_YEAR = 252
NO_VARIANCE = 1e-9


# --- beta


def shrunk_beta(returns: np.ndarray, market: np.ndarray) -> Metric:
    """.67·β + .33 with β by least squares over the last 252 of two aligned rows of daily returns (NaN: none that day).

    Undefined below 60 sessions in which both have a return, and where the market did not move.
    """
    own, other = returns[-BETA_SESSIONS:], market[-BETA_SESSIONS:]
    both = np.isfinite(own) & np.isfinite(other)
    count = int(both.sum())
    if count < BETA_OBSERVATIONS:
        return undefined(Undefined.TOO_FEW, count)
    raw = beta(own[both], other[both])
    return raw if raw.value is None else observed(OWN_WEIGHT * raw.value + PRIOR_WEIGHT, count)


# --- how much to trade


@dataclass(frozen=True)
class Hedge:
    """What a look at an exposure came to: dollars, and signed whole shares to trade (0 within the band)."""

    exposure: float
    wanted: float
    band: float
    shares: int

    @property
    def outside(self) -> bool:
        return abs(self.exposure - self.wanted) > self.band


def beta_hedge(exposure: float, target: float, band: float, price: float, multiplier: int = 1) -> Hedge:
    """Back to `target` dollars of beta, once more than `band` away from it, with an instrument of β 1 at `price`."""
    _check(exposure, target, band, price)
    away = exposure - target
    shares = -away / (price * multiplier) if abs(away) > band else 0.0
    return Hedge(exposure, target, band, _whole(shares))


def delta_hedge(exposure: float, target: float, band: float, price: float) -> Hedge:
    """Back to the nearest edge of the band around `target` dollars of delta, with the underlying at `price`."""
    _check(exposure, target, band, price)
    edge = min(max(exposure, target - band), target + band)
    return Hedge(exposure, target, band, _whole((edge - exposure) / price))


def _whole(shares: float) -> int:
    """Whole shares towards 0: what is left is less than one, and no order overshoots. Dust of the division is no share."""
    return trunc(round(shares, 6))


def _check(exposure: float, target: float, band: float, price: float) -> None:
    if not (isfinite(exposure) and isfinite(target) and band >= 0 and isfinite(band) and price > 0 and isfinite(price)):
        raise ValueError(f"A hedge needs finite dollars, a band of 0 or more and a price above 0: {exposure}, {target}, {band}, {price}.")


def whalley_wilmott(gamma: float, price: float, *, cost: float, aversion: float, discount: float = 1.0) -> float:
    """Half the width of the band, in shares: (3/2 · e^{−r(T−t)} · λ·S·Γ² / γ)^{1/3}.

    `gamma` is that of the whole position (shares a dollar), `cost` λ the share of a trade's value that trading takes,
    `aversion` γ per dollar (`absolute_aversion`), `discount` e^{−r(T−t)}.
    """
    return (1.5 * discount * cost * price * gamma**2 / aversion) ** (1 / 3)


def absolute_aversion(relative: float, equity: float) -> float:
    """γ per dollar of an account whose aversion relative to its `equity` > 0 is `relative` > 0 (1: logarithmic utility)."""
    return relative / equity


def mean_discount(gammas: Sequence[float], years: Sequence[float], rate: float) -> float:
    """e^{−r(T−t)} of options that expire at several times, weighed by the size of their gammas; 1 where none has any."""
    sizes = [abs(gamma) for gamma in gammas]
    total = sum(sizes)
    return sum(size * exp(-rate * time) for size, time in zip(sizes, years, strict=True)) / total if total > 0 else 1.0


# --- what it costs


def proportional_cost(costs: CostModel, price: float) -> float:
    """λ: half spread, slippage and commission a share, as a share of the value traded. The least commission is left out."""
    return float((costs.half_spread_bps + costs.slippage_bps) / 10_000) + float(costs.commission_per_share) / price


def trading_cost(costs: CostModel, value: Decimal) -> Decimal:
    """What half spread and slippage take from trading `value` ≥ 0 dollars at the market, commission apart."""
    return value * (costs.half_spread_bps + costs.slippage_bps) / 10_000


def estimated_cost(costs: CostModel, shares: int, price: Decimal) -> Decimal:
    """Dollars that trading `shares` at `price` is expected to cost, commission included."""
    count = Decimal(abs(shares))
    return trading_cost(costs, count * price) + costs.commission(count, price) if shares else Decimal(0)


# --- whether it worked


@dataclass(frozen=True)
class Day:
    """One session of a hedge, in dollars: the account's P&L (the hedge included), the hedge's P&L and what it cost."""

    account_pnl: float
    hedge_pnl: float
    hedge_cost: float

    @property
    def hedged(self) -> bool:
        """Whether the hedge did anything: a session in which nothing was held as a hedge proves nothing about it."""
        return self.hedge_pnl != 0 or self.hedge_cost != 0


@dataclass(frozen=True)
class Review:
    """What the last hedged sessions say. `fault` is "CODE: sentence" where the hedge should end, else empty."""

    variance_removed: float | None
    sessions: int
    cost: float
    fault: str = ""


def variance_removed(days: Sequence[Day]) -> float | None:
    """1 − var(account) / var(account without the hedge), ddof 1; None below 2 days and where the account never moved."""
    account = np.array([day.account_pnl for day in days])
    without = account - np.array([day.hedge_pnl for day in days])
    if len(days) < 2 or (before := float(without.var(ddof=1))) < NO_VARIANCE:
        return None
    return 1 - float(account.var(ddof=1)) / before


def review(days: Sequence[Day], *, sessions: int, equity: float) -> Review:
    """Judge a hedge by its last `sessions` hedged sessions, of which `days` holds the latest ones, oldest first.

    Nothing is said below 20 of them. Once there are `sessions`, a hedge that removed no variance is at fault, and so is one
    that cost more than 1 % a year of `equity`.
    """
    hedged = [day for day in days if day.hedged][-sessions:]
    cost = sum(day.hedge_cost for day in hedged)
    if len(hedged) < LEAST_REVIEWED:
        return Review(None, len(hedged), cost)
    removed = variance_removed(hedged)
    return Review(removed, len(hedged), cost, _fault(removed, cost, len(hedged), equity) if len(hedged) >= sessions else "")


def _fault(removed: float | None, cost: float, count: int, equity: float) -> str:
    if removed is not None and removed <= 0:
        return f"NO_VARIANCE_REMOVED: Over {count} hedged sessions the hedge removed {removed:.1%} of the variance."
    limit = COST_LIMIT_A_YEAR * equity * count / SESSIONS_A_YEAR
    if cost > limit:
        allowed = f"more than the {limit:.2f} that {COST_LIMIT_A_YEAR:.0%} of equity a year are"
        return f"TOO_DEAR: Over {count} hedged sessions the hedge cost {cost:.2f}, {allowed}."
    return ""
