"""How far a synthetic surface lies from a real chain: absolute differences of implied volatility, in points."""

from dataclasses import dataclass

import numpy as np

from quant_site.market.options.chain import Chain, years_until
from quant_site.market.options.surface import Surface

LEAST_DAYS, MOST_DAYS = 7, 365
LEAST_MONEYNESS, MOST_MONEYNESS = 0.8, 1.1
BUCKETS = ((7, 14), (15, 30), (31, 60), (61, 120), (121, 240), (241, 365))


@dataclass(frozen=True)
class Deviation:
    """Over `n` strikes whose expiration is `first` to `last` days ahead; NaN where there are none. `bias` is model − market."""

    first: int
    last: int
    n: int
    median: float
    mean: float
    bias: float


@dataclass(frozen=True)
class SurfaceCheck:
    """`overall` and by maturity. `vendor` compares with the source's own implied volatilities, None where it gives none."""

    overall: Deviation
    buckets: tuple[Deviation, ...]
    vendor: Deviation | None


def surface_check(chain: Chain, surface: Surface, vendor_iv: np.ndarray | None = None) -> SurfaceCheck:
    """Compare on the strikes of `chain` 7 to 365 days ahead at 0.8 to 1.1 of the forward, one quote each: the side out of the money.

    The market's volatility is that of the quotes' mids (`chain.iv`), the model's that of `surface` at the chain's own
    forward. `vendor_iv` has one entry a row of `chain`, NaN where not given.
    """
    days = np.rint(years_until(chain.expiry, chain.session, chain.moment) * 365).astype(int)
    outside = np.where(chain.right == "C", chain.strike >= chain.forward, chain.strike < chain.forward)
    relative = chain.strike / chain.forward
    wanted = (days >= LEAST_DAYS) & (days <= MOST_DAYS) & (relative >= LEAST_MONEYNESS) & (relative <= MOST_MONEYNESS)
    wanted &= outside & (chain.bid > 0)
    days = days[wanted]
    model = surface.volatility(chain.strike[wanted], chain.forward[wanted], days / 365)
    points = 100 * (model - chain.iv[wanted])
    buckets = tuple(_deviation(points, days, *bucket) for bucket in BUCKETS)
    vendor = None
    if vendor_iv is not None and np.isfinite(vendor_iv[wanted]).any():
        vendor = _deviation(100 * (model - vendor_iv[wanted]), days, LEAST_DAYS, MOST_DAYS)
    return SurfaceCheck(_deviation(points, days, LEAST_DAYS, MOST_DAYS), buckets, vendor)


def _deviation(points: np.ndarray, days: np.ndarray, first: int, last: int) -> Deviation:
    points = points[(days >= first) & (days <= last) & np.isfinite(points)]
    if not len(points):
        return Deviation(first, last, 0, np.nan, np.nan, np.nan)
    size = np.abs(points)
    return Deviation(first, last, len(points), float(np.median(size)), float(size.mean()), float(points.mean()))
