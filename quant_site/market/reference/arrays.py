"""`Reference`: what is known about the market beside bars, aligned to the sessions and symbols of a panel.

Every value stands at the session on whose close it was public, and stays until a newer one: column t of each array
holds nothing that was published after session t.
"""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, eq=False)
class Reference:
    """Arrays for N symbols and T sessions; NaN where nothing is known.

    `series` (T,) by name: daily factor returns as decimals of the day itself ("MKT_RF", "SMB", "HML", "RMW", "CMA",
    "MOM", "RF") and yearly rates as decimals ("TBILL_3M"). A factor return stands at its own day, on whose close it could
    be computed; the library that computes it publishes weeks later, so that live the newest sessions have none yet.

    `fundamentals` (N, T) by field as of session t: those of `fundamentals.FIELDS`, each with the suffix `_prior` for the
    year before, and "fiscal_year_end". `implied_vol` (N, T): at-the-money three-month implied volatility, a decimal a
    year. `sectors` and `kinds` name each symbol's GICS sector and `Instrument.Kind`, "" where unknown. `sources` name
    where each series, and each of the sets "fundamentals", "implied_vol" and "sectors", comes from.
    """

    series: dict[str, np.ndarray] = field(default_factory=dict)
    fundamentals: dict[str, np.ndarray] = field(default_factory=dict)
    implied_vol: np.ndarray | None = None
    sectors: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    sources: dict[str, str] = field(default_factory=dict)

    def until(self, end: int) -> "Reference":
        """The same without the columns from `end` on."""
        return Reference(
            {name: values[:end] for name, values in self.series.items()},
            {name: values[:, :end] for name, values in self.fundamentals.items()},
            None if self.implied_vol is None else self.implied_vol[:, :end],
            self.sectors,
            self.kinds,
            self.sources,
        )

    def select(self, rows: list[int]) -> "Reference":
        """The same for the symbols of these rows, in their order."""
        return Reference(
            self.series,
            {name: values[rows] for name, values in self.fundamentals.items()},
            None if self.implied_vol is None else self.implied_vol[rows],
            tuple(self.sectors[row] for row in rows) if self.sectors else (),
            tuple(self.kinds[row] for row in rows) if self.kinds else (),
            self.sources,
        )
