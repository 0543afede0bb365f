"""Option contracts by their OCC symbols, and how many units of the underlying one contract of anything stands for.

An option's symbol is the OCC's (root, yymmdd, C or P, strike × 1000 in eight digits) without the blanks that pad its
root: SPY190315C00280000. It fits wherever a share's symbol does, and the contract can be read back from it.
"""

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Literal

from quant_site.core.errors import InvalidInput

OPTION_MULTIPLIER = 100
OCC = re.compile(r"([A-Z][A-Z0-9.]{0,5})(\d{6})([CP])(\d{8})")
# Exercised at expiry only and settled in cash; options on everything else are American and deliver shares.
EUROPEAN_ROOTS = frozenset({"SPX", "XSP", "VIX", "NDX", "RUT"})

# Listed options begin in 1973, so a two-digit year from 70 on is of the last century.
FIRST_YEAR = 1970
# Options on a tenth of an index, priced off the index itself.
TENTHS = {"XSP": "SPX"}


@dataclass(frozen=True, order=True)
class OptionContract:
    """One listed option on 100 units of `underlying`. `strike` is a raw price."""

    underlying: str
    expiry: date
    right: Literal["C", "P"]
    strike: Decimal

    @property
    def symbol(self) -> str:
        """The OCC symbol; raises `InvalidInput` for a strike that is not a positive multiple of a tenth of a cent, and for an
        expiry whose two-digit year would stand for another."""
        if not FIRST_YEAR <= self.expiry.year < FIRST_YEAR + 100:
            raise InvalidInput("bad_expiry", f"{self.expiry} is no expiry: use years {FIRST_YEAR} to {FIRST_YEAR + 99}.")
        thousandths = self.strike * 1000
        if thousandths != thousandths.to_integral_value() or not 0 < thousandths < 10**8:
            raise InvalidInput("bad_strike", f"{self.strike} is no strike: use 0.001 to 99999.999 in steps of 0.001.")
        return f"{self.underlying}{self.expiry:%y%m%d}{self.right}{int(thousandths):08d}"

    @property
    def european(self) -> bool:
        return self.underlying in EUROPEAN_ROOTS

    def intrinsic(self, spot: float) -> float:
        """Worth of exercising one unit at `spot`, at least 0."""
        strike = float(self.strike)
        return max(0.0, spot - strike if self.right == "C" else strike - spot)


def _year(two_digits: int) -> int:
    return FIRST_YEAR + (two_digits - FIRST_YEAR) % 100


@lru_cache(maxsize=65536)
def parse_contract(symbol: str) -> OptionContract | None:
    """The contract behind an OCC symbol; None for the symbol of anything else."""
    found = OCC.fullmatch(symbol)
    if found is None:
        return None
    root, day, right, strike = found.groups()
    try:
        expiry = date(_year(int(day[:2])), int(day[2:4]), int(day[4:]))
    except ValueError:
        return None
    return OptionContract(root, expiry, right, Decimal(int(strike)) / 1000)


def multiplier_of(symbol: str) -> int:
    """Units of the underlying that one contract of `symbol` stands for: 100 for an option, 1 for a share."""
    return OPTION_MULTIPLIER if parse_contract(symbol) else 1


def price_sources(underlying: str) -> tuple[str, ...]:
    """Symbols whose bars tell the price of `underlying`: its own, or the index it is a tenth of."""
    return (TENTHS.get(underlying, underlying),)
