"""`Chain`: the options on one underlying at one moment, in columns, and `Quote`, one of its rows.

Greeks are of one unit of the underlying: delta and gamma per unit of money, vega per point of volatility, theta per
calendar day (`black_scholes`).
"""

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Literal

import numpy as np

from quant_site.market.options.contracts import OptionContract

Moment = Literal["OPEN", "CLOSE"]
NUMBERS = ("strike", "forward", "bid", "ask", "mid", "iv", "delta", "gamma", "vega", "theta")
COLUMNS = ("expiry", "right", *NUMBERS)
OPEN_HOURS = 6.5


@dataclass(frozen=True, slots=True)
class Quote:
    """What one contract trades at, in money per unit of its underlying. `mid` is the mean of bid and ask.

    A bid of 0 is real: nobody bids. `iv` and Greeks are NaN where the price defines none.
    """

    contract: OptionContract
    bid: float
    ask: float
    mid: float
    iv: float
    delta: float
    gamma: float
    vega: float
    theta: float
    synthetic: bool
    source: str


@dataclass(frozen=True)
class Quarantined:
    """A quote that cannot be true beside the others: left out of its chain, never repaired."""

    contract: OptionContract
    bid: float
    ask: float
    reason: str


@dataclass(frozen=True, eq=False)
class Chain:
    """Columns of one length: `expiry` datetime64[D], `right` "C" or "P", the others float64; sorted by expiry, right, strike.

    `forward` is the underlying's at the row's expiry. `rate` and `dividend_yield` are continuous, a year. `synthetic`: a
    model made it (`source` says which), and `assumptions` says in sentences what it rests on. An empty chain is one that
    could not be had; its `assumptions` say why. `quarantined` are the quotes of a real chain that were left out.
    """

    underlying: str
    session: date
    moment: Moment
    spot: float
    rate: float
    dividend_yield: float
    expiry: np.ndarray
    right: np.ndarray
    strike: np.ndarray
    forward: np.ndarray
    bid: np.ndarray
    ask: np.ndarray
    mid: np.ndarray
    iv: np.ndarray
    delta: np.ndarray
    gamma: np.ndarray
    vega: np.ndarray
    theta: np.ndarray
    source: str
    synthetic: bool
    assumptions: tuple[str, ...] = ()
    quarantined: tuple[Quarantined, ...] = ()

    def __post_init__(self):
        for name in COLUMNS:
            getattr(self, name).setflags(write=False)

    def __len__(self) -> int:
        return len(self.strike)

    @cached_property
    def contracts(self) -> tuple[OptionContract, ...]:
        """The contract of each row."""
        rows = zip(self.expiry.tolist(), self.right.tolist(), self.strike.tolist(), strict=True)
        return tuple(OptionContract(self.underlying, expiry, right, strike_decimal(strike)) for expiry, right, strike in rows)

    @cached_property
    def zero_bid(self) -> np.ndarray:
        """Rows nobody bids for: real, but what is sold there is sold for nothing."""
        return self.bid == 0

    @cached_property
    def _rows(self) -> dict[tuple, int]:
        keys = zip(self.expiry.tolist(), self.right.tolist(), np.rint(self.strike * 1000).astype(int).tolist(), strict=True)
        return {key: row for row, key in enumerate(keys)}

    def expirations(self) -> list[date]:
        """The expiration days, ascending."""
        return np.unique(self.expiry).tolist()

    def of(self, expiry: date, right: str) -> "Chain":
        """The rows of one expiration and right ("C" or "P"), strikes ascending; empty where there are none."""
        return self.where((self.expiry == np.datetime64(expiry, "D")) & (self.right == right))

    def where(self, mask: np.ndarray) -> "Chain":
        """The rows of `mask`."""
        return replace(self, **{name: getattr(self, name)[mask] for name in COLUMNS})

    def nearest_delta(self, expiry: date, right: str, delta: float) -> Quote | None:
        """The quote whose delta lies closest to `delta`, the further out of the money of two; None where none has a delta.

        Only the size counts: 0.2 and −0.2 name the same put.
        """
        rows = np.flatnonzero((self.expiry == np.datetime64(expiry, "D")) & (self.right == right) & np.isfinite(self.delta))
        if not len(rows):
            return None
        sizes = np.abs(self.delta[rows])
        return self.quote(int(rows[np.lexsort((sizes, np.abs(sizes - abs(delta))))[0]]))

    def at(self, contract: OptionContract) -> Quote | None:
        """The quote of `contract`; None where the chain does not hold it."""
        row = self._rows.get((contract.expiry, contract.right, int(contract.strike * 1000)))
        return None if row is None or contract.underlying != self.underlying else self.quote(row)

    def quote(self, row: int) -> Quote:
        numbers = (float(getattr(self, name)[row]) for name in NUMBERS[2:])
        return Quote(self.contracts[row], *numbers, self.synthetic, self.source)


def middle(bid, ask):
    """Half-way between bid and ask, without what halving adds to a decimal number."""
    return np.round((bid + ask) / 2, 6)


def strike_decimal(strike: float) -> Decimal:
    """A strike as contracts carry it: thousandths, without trailing zeros of its own."""
    return Decimal(round(strike * 1000)) / 1000


def years_until(expiry, session: date, moment: Moment) -> np.ndarray | float:
    """From the moment of `session` to the close of `expiry` (a date or datetime64 array), days / 365: 0 at the close of that day.

    A session counts as 6.5 hours, also where it is shorter.
    """
    if isinstance(expiry, date):
        days = float((expiry - session).days)
    else:
        days = (np.asarray(expiry, "datetime64[D]") - np.datetime64(session, "D")).astype(float)
    return (days + (OPEN_HOURS / 24 if moment == "OPEN" else 0.0)) / 365


def empty_chain(underlying: str, session: date, moment: Moment, why: str) -> Chain:
    """A chain without rows, for `why`."""
    columns = {name: np.array([], float) for name in NUMBERS}
    columns |= {"expiry": np.array([], "datetime64[D]"), "right": np.array([], "<U1")}
    return Chain(underlying, session, moment, *[np.nan] * 3, **columns, source="", synthetic=False, assumptions=(why,))
