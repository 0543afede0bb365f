"""What is held of a sector, and of names that move together. Pure: dollars by name in, dollars out.

The value of a sector is the net value of its shares, either way, and what options on its names can lose. A group is the
bet on one name and all that is the same bet: names whose daily returns correlate with it by at least the account's
level and that are held the same way round, and names that correlate by at least that much the other way and are held the
other way round. What lies opposite does not lower it: a group that moves together most days parts when it matters.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

import numpy as np

# Of 252 sessions half must be common to two names, or their correlation is not known.
LEAST_COMMON = 126


def correlations(one: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Pearson's correlation of `one` (T) with each row of `others` (n, T), over the sessions that both have.

    NaN below 126 common sessions, and where either did not move.
    """
    both = np.isfinite(others) & np.isfinite(one)
    x, y = np.where(both, one, 0.0), np.where(both, others, 0.0)
    count = both.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        x = np.where(both, x - (x.sum(axis=1) / count)[:, None], 0.0)
        y = np.where(both, y - (y.sum(axis=1) / count)[:, None], 0.0)
        found = (x * y).sum(axis=1) / np.sqrt((x * x).sum(axis=1) * (y * y).sum(axis=1))
    return np.where(count >= LEAST_COMMON, np.clip(found, -1.0, 1.0), np.nan)


def sector_values(shares: Mapping[str, float], options: Mapping[str, float], sector: Callable[[str], str]) -> dict[str, float]:
    """By sector |Σ of `shares`| + Σ of what `options` on its names can lose."""
    net: dict[str, float] = defaultdict(float)
    lost: dict[str, float] = defaultdict(float)
    for name, value in shares.items():
        net[sector(name)] += value
    for name, value in options.items():
        lost[sector(name)] += value
    return {each: abs(net.get(each, 0.0)) + lost.get(each, 0.0) for each in sorted({*net, *lost})}


def group_value(
    name: str,
    direction: int,
    shares: Mapping[str, float],
    options: Mapping[str, float],
    known: Mapping[str, float],
    level: float,
) -> float:
    """Dollars of the bet on `name` in `direction` (1 or −1): its own shares that way round, shares that are the same bet, and
    what options on any of these names can lose, for which way those win is not asked.

    `known` are correlations with `name`, NaN where there is none.
    """
    total = max(0.0, direction * shares.get(name, 0.0)) + options.get(name, 0.0)
    for other in moving_with(name, known, level):
        same = direction if known[other] > 0 else -direction
        total += max(0.0, same * shares.get(other, 0.0)) + options.get(other, 0.0)
    return total


def moving_with(name: str, known: Mapping[str, float], level: float) -> Iterable[str]:
    """The other names whose correlation with `name` is at least `level`, one way or the other."""
    return (other for other in sorted(known) if other != name and abs(known[other]) >= level)
