"""What the tests of risk share: an empty account, a market whose every answer is set by hand, and proposals."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np

from quant_site.core.types import Direction
from quant_site.market.options.contracts import parse_contract
from strategies.risk import Proposal, RiskContext, RiskLimits, RiskMarket, assess, proposal_of
from strategies.risk.market import OptionTerms

SESSION = date(2019, 3, 8)
LIMITS = RiskLimits(0.90, 5.0, 0.20, 0.01, 0.01, 3, True)
NAMES = ("KO", "PEP", "XOM", "SPY")
CALL, PUT, LOW_PUT = "SPY190621C00280000", "SPY190621P00270000", "SPY190621P00250000"
INDEX_PUT = "XSP190621P00270000"


class HandMarket(RiskMarket):
    """Sectors and options by name, correlations by pair, scaled returns by name, overnight gaps by symbol and side."""

    def __init__(self, sectors=None, pairs=None, options=None, returns=None, gaps=None):
        self.sectors, self.pairs, self.options = sectors or {}, pairs or {}, options or {}
        self.returns, self.gaps = returns or {}, gaps or {}

    def sector(self, name):
        return self.sectors.get(name, name)

    def correlations(self, name, others):
        return np.array([self.pairs.get((name, other), self.pairs.get((other, name), np.nan)) for other in others])

    def option(self, symbol):
        return self.options.get(symbol)

    def scaled_returns(self, name):
        return np.asarray(self.returns[name], float) if name in self.returns else super().scaled_returns(name)

    def overnight_gap(self, symbol, sign):
        return self.gaps.get((symbol, sign))


def terms(symbol, **changes) -> OptionTerms:
    """An option on something at 280 with Greeks that are easily told apart."""
    values = {
        "spot": 280.0, "years": 0.25, "rate": 0.02, "dividend_yield": 0.01, "iv": 0.2, "delta": 0.5, "gamma": 0.01, "vega": 0.4,
        "theta": -0.05,
    }  # fmt: skip
    return OptionTerms(parse_contract(symbol), **(values | changes))


CONTEXT = RiskContext(
    account_id="A",
    session=SESSION,
    equity=Decimal("100000"),
    cash=Decimal("100000"),
    drawdown=0.0,
    limits=LIMITS,
    exposures={},
    pending={},
    day_trades=0,
    prices={"KO": 50.0, "PEP": 100.0, "XOM": 80.0, "SPY": 280.0, CALL: 8.0, PUT: 6.0, LOW_PUT: 2.0, INDEX_PUT: 6.0},
    adv=dict.fromkeys(NAMES, 1e7),
    volatility=dict.fromkeys(NAMES, 0.01),
    last_session=dict.fromkeys(NAMES, SESSION),
    tradable=frozenset(NAMES),
)


def context(market=None, *, limits=None, **changes) -> RiskContext:
    """`CONTEXT` with other limits and fields."""
    return replace(CONTEXT, limits=replace(LIMITS, **(limits or {})), market=market or RiskMarket(), **changes)


def trade(quantities, context=CONTEXT, strategy_id=1, **terms) -> Proposal:
    """To trade signed `quantities` by symbol."""
    direction = Direction.LONG if sum(quantities.values()) >= 0 else Direction.SHORT
    return proposal_of(context, quantities, strategy_id=strategy_id, direction=direction, **terms)


def codes(proposal, context) -> list[str]:
    return [violation.code for violation in assess(proposal, context)]
