"""`Holdings`: what is held and on its way, and what its Greeks, its scenarios and its stresses say. Each is computed when asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from quant_site.market.options.contracts import OPTION_MULTIPLIER, parse_contract
from strategies.risk.greeks import UNKNOWN, Sensitivities, of_option, of_share, total
from strategies.risk.market import OptionTerms, RiskMarket
from strategies.risk.scenarios import LEAST_SESSIONS, Book, OptionRows, expected_shortfall, stress_grid

NOT_ENOUGH_HISTORY, MISSING_GREEK, NO_VALUATION = "NOT_ENOUGH_HISTORY", "MISSING_GREEK", "NO_VALUATION"


@dataclass(frozen=True)
class Measured:
    """A number, or None with the code and the sentence of why there is none; `n` observations where it rests on any."""

    value: float | None
    code: str = ""
    reason: str = ""
    n: int | None = None


@dataclass(frozen=True)
class Holdings:
    """Signed dollars of `shares` and signed numbers of `contracts` by symbol; what options can lose by underlying; the market."""

    shares: Mapping[str, float]
    contracts: Mapping[str, float]
    option_risk: Mapping[str, float]
    market: RiskMarket

    @cached_property
    def terms(self) -> dict[str, OptionTerms | None]:
        """What each option that is held is worth by, None without a quote."""
        return {symbol: self.market.option(symbol) for symbol, count in self.contracts.items() if count}

    # --- Greeks

    @cached_property
    def by_name(self) -> dict[str, Sensitivities]:
        """Sensitivities by name, options with their underlying."""
        found = {symbol: of_share(value) for symbol, value in self.shares.items() if value}
        for symbol, each in self._of_options.items():
            name = parse_contract(symbol).underlying
            found[name] = found.get(name, Sensitivities()) + each
        return dict(sorted(found.items()))

    @cached_property
    def sensitivities(self) -> Sensitivities:
        """Of all; NaN where an option's is not known."""
        return of_share(sum(self.shares.values())) + total(self._of_options.values())

    def greek(self, name: str) -> Measured:
        """One of them in dollars."""
        value = getattr(self.sensitivities, name)
        if value == value:
            return Measured(value)
        missing = next(symbol for symbol, each in self._of_options.items() if getattr(each, name) != getattr(each, name))
        return Measured(None, MISSING_GREEK, f"The {name} of {missing} is not known: it has no quote that defines one.")

    @cached_property
    def _of_options(self) -> dict[str, Sensitivities]:
        return {symbol: _of_terms(terms, self.contracts[symbol]) for symbol, terms in self.terms.items()}

    @property
    def net(self) -> Measured:
        """Long less short: shares by their value, options by their delta."""
        return self.greek("delta")

    # --- scenarios

    @cached_property
    def book(self) -> Book:
        """The columns that scenarios are run over. Where an option has no volatility, so has its row."""
        options = [(symbol, terms) for symbol, terms in self.terms.items() if terms is not None]
        held = {symbol: value for symbol, value in self.shares.items() if value}
        names = sorted({*held, *(terms.contract.underlying for _, terms in options)})
        values = np.array([held.get(name, 0.0) for name in names])
        return Book(tuple(names), values, self._rows(options, names) if options else None)

    def _rows(self, options: list[tuple[str, OptionTerms]], names: list[str]) -> OptionRows:
        every = [terms for _, terms in options]
        columns = {name: np.array([getattr(terms, name) for terms in every]) for name in ("spot", "years", "rate", "dividend_yield")}
        return OptionRows(
            name=np.array([names.index(terms.contract.underlying) for terms in every]),
            units=np.array([self.contracts[symbol] * OPTION_MULTIPLIER for symbol, _ in options]),
            strike=np.array([float(terms.contract.strike) for terms in every]),
            volatility=np.array([terms.iv if terms.years > 0 else 0.0 for terms in every]),
            call=np.array([terms.contract.right == "C" for terms in every]),
            european=np.array([terms.contract.european for terms in every]),
            **columns,
        )

    @cached_property
    def expected_shortfall(self) -> Measured:
        """ES 97.5 % of one session in dollars, a loss being positive; `n` scenarios."""
        lack = self._unvalued
        if lack is not None or not self.book.names:
            return lack or Measured(0.0, n=0)
        moves = self.market.scenarios(self.book.names)
        count = moves.shape[1]
        if count < LEAST_SESSIONS:
            shortest = min(self.book.names, key=lambda name: np.isfinite(self.market.scaled_returns(name)).sum())
            reason = f"Expected shortfall needs {LEAST_SESSIONS} sessions that all names have; there are {count} ({shortest} has fewest)."
            return Measured(None, NOT_ENOUGH_HISTORY, reason, count)
        return Measured(expected_shortfall(self.book.outcomes(moves)), n=count)

    @cached_property
    def stress(self) -> np.ndarray | None:
        """Gains in dollars by the shocks of spot and volatility (`scenarios`); None where an option has no volatility."""
        return None if self._unvalued is not None else stress_grid(self.book)

    @property
    def stress_loss(self) -> Measured:
        """The loss in the worst cell, 0 where none loses."""
        return self._unvalued or Measured(max(0.0, -float(self.stress.min())))

    @cached_property
    def _unvalued(self) -> Measured | None:
        """Why the options cannot be valued anew, if they cannot."""
        for symbol, terms in self.terms.items():
            if terms is None or not np.isfinite(terms.spot) or (terms.years > 0 and not np.isfinite(terms.iv)):
                return Measured(None, NO_VALUATION, f"{symbol} has no quote that defines a volatility: no scenario can value it.")
        return None


def _of_terms(terms: OptionTerms | None, contracts: float) -> Sensitivities:
    if terms is None:
        return UNKNOWN
    return of_option(terms.spot, contracts, delta=terms.delta, gamma=terms.gamma, vega=terms.vega, theta=terms.theta)
