"""How a trade would have gone that was never made: entered at the open, left at its stop, its target, or after 20 sessions.

Pure. Executions are those of paper trading (`quant_site.market.execution`): market and stop orders pay half the spread and
slippage, a target trades at its level, a gap at the open; where stop and target lie within one bar the stop is taken. Both work
from the entry's own bar on, once the entry is filled. Prices are in the shares of the decision's day, with dividends
reinvested, so that a split or a dividend on the way moves no level.
"""

from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from quant_site.core.types import Side, money, price
from quant_site.market.execution import CostModel

LONGEST = 20
OPEN, STOP, TARGET, TIME = 0, 1, 2, 3
REASONS = {STOP: "STOP", TARGET: "TARGET", TIME: "TIME"}


@dataclass(frozen=True, eq=False)
class Bars:
    """Of n trades the sessions from their entry on: arrays (n, 20), NaN where there is no bar or it is not there yet."""

    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray


@dataclass(frozen=True, eq=False)
class Exits:
    """Of n trades why they ended (OPEN: they did not), in which of their sessions, and at what price before costs."""

    why: np.ndarray
    at: np.ndarray
    level: np.ndarray


@dataclass(frozen=True)
class Outcome:
    """What a trade would have made in cents, net of costs; `r_multiple` in units of what it would have lost at its stop."""

    result: Decimal
    r_multiple: Decimal | None


def exits(bars: Bars, sides: np.ndarray, stops: np.ndarray, targets: np.ndarray, lengths: np.ndarray) -> Exits:
    """`sides` (n,) 1 or −1; `stops` and `targets` (n,) NaN where there is none; `lengths` (n,) how many sessions have passed."""
    side = sides[:, None]
    # Mirrored, a short is a long: what is worse for it is below.
    opened, best = bars.open * side, np.where(side > 0, bars.high, bars.low) * side
    worst = np.where(side > 0, bars.low, bars.high) * side
    stop, target = (stops * sides)[:, None], (targets * sides)[:, None]
    later = np.arange(bars.open.shape[1]) > 0
    gained, stopped, reached = (opened >= target) & later, worst <= stop, best >= target
    ended = gained | stopped | reached
    at = np.where(ended.any(axis=1), ended.argmax(axis=1), -1)
    each = np.arange(len(sides))
    by_stop = stopped[each, at] & ~gained[each, at]
    level = np.where(by_stop, np.minimum(opened[each, at], stop[:, 0]), np.maximum(opened[each, at], target[:, 0])) * sides
    why = np.where(at < 0, OPEN, np.where(by_stop, STOP, TARGET))
    out = (at < 0) & (lengths >= LONGEST)
    return Exits(np.where(out, TIME, why), np.where(out, LONGEST - 1, at), np.where(out, _last_close(bars.close), level))


def _last_close(closes: np.ndarray) -> np.ndarray:
    """Of each row the last close that is there; NaN for none."""
    last = closes.shape[1] - 1 - np.isfinite(closes)[:, ::-1].argmax(axis=1)
    return closes[np.arange(len(closes)), last]


def outcome(side: Side, shares: int, entry: float, leaves: float, why: int, nights: int, stop: Decimal | None, costs: CostModel) -> Outcome:
    """`shares` > 0 bought (sold short) at the open `entry` and closed at `leaves`, commissions and borrowing paid."""
    back, quantity = Side.SELL if side is Side.BUY else Side.BUY, Decimal(shares)
    paid = costs.worse(price(entry), side)
    got = price(leaves) if why == TARGET else costs.worse(price(leaves), back)
    gained = side.sign * (money(quantity * got) - money(quantity * paid))
    gained -= costs.commission(quantity, paid) + costs.commission(quantity, got)
    if side is Side.SELL:
        gained -= nights * costs.borrowing(quantity * paid)
    risk = Decimal(0) if stop is None else money(side.sign * (paid - stop) * quantity)
    return Outcome(gained, gained / risk if risk > 0 else None)
