"""What the tests of options share: a market of quotes by hand, a panel with real option prices, and strategies that trade them."""

from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import numpy as np

from quant_site.core.types import Direction
from quant_site.market.options import quotes
from quant_site.market.options.chain import Quote
from quant_site.market.options.contracts import OptionContract, parse_contract
from quant_site.market.options.expirations import monthly_expirations
from quant_site.market.panel import Panel
from strategies.base import Draft, Leg, Needs, Strategy, StrategyParams, knob

EXPIRY = date(2019, 1, 18)


def option(right: str, strike: float, expiry: date = EXPIRY, underlying: str = "SPY") -> str:
    """An OCC symbol."""
    return OptionContract(underlying, expiry, right, Decimal(str(strike))).symbol


class HandMarket:
    """Stands for the option market of one panel. `prices` gives (bid, ask) by symbol: of every moment, or by column and moment
    (None: no quote); what is not named has none. Spots and settlements are the panel's."""

    def __init__(self, panel: Panel, prices: dict):
        self.panel, self.prices = panel, prices

    def quote(self, symbol, t, moment):
        known = self.prices.get(symbol)
        pair = known.get((t, moment), known.get("else")) if isinstance(known, dict) else known
        contract = parse_contract(symbol)
        if pair is None or contract.expiry < self.panel.sessions[t].item():
            return None
        bid, ask = pair
        return Quote(contract, bid, ask, (bid + ask) / 2, *[np.nan] * 5, False, "by hand")

    def spot(self, underlying, t, moment="CLOSE"):
        held = self.panel.holding(underlying)
        prices = None if held is None else held[0].open if moment == "OPEN" else held[0].close
        return float("nan") if prices is None else float(prices[held[1], t])

    def settlement(self, symbol, t):
        contract = parse_contract(symbol)
        days = self.panel.sessions.tolist()
        closes = [self.spot(contract.underlying, column) for column, day in enumerate(days) if day <= contract.expiry]
        known = [close for close in closes if close == close]
        return contract.intrinsic(known[-1]) if known and days[t] >= contract.expiry else float("nan")


def quoted(panel: Panel, prices: dict) -> Panel:
    """`panel`, whose options trade at `prices` from now on."""
    quotes._markets[panel] = HandMarket(panel, prices)
    return panel


class Params(StrategyParams):
    weight: float = knob(1.0, ge=0, le=1, description="All of the account.")


class OptionDesk(Strategy):
    """Opens an iron condor and a straddle on SPY each month, both to the expiry about a month ahead; a subclass may close them."""

    key, name, category, source, description = "desk", "Desk", "VOLATILITY", "none", "none"
    Params = Params

    def needs(self, params):
        return Needs(sessions=1)

    def prepare(self, panel, params):
        return None

    def decide(self, panel, features, t, params, holdings):
        held = {holding.group: holding for holding in holdings}
        closing = [draft for draft in (self.close(panel, t, holding) for holding in holdings) if draft is not None]
        opening = [self.condor, self.straddle]
        fresh = (make(panel, t) for make, group in zip(opening, ("SPY/condor", "SPY/straddle"), strict=True) if group not in held)
        return closing + [draft for draft in fresh if draft is not None]

    def close(self, panel, t, holding):
        return None

    def condor(self, panel, t):
        spot = float(panel.close[panel.row("SPY"), t])
        legs = [("P", 0.92, Direction.LONG), ("P", 0.95, Direction.SHORT), ("C", 1.04, Direction.SHORT), ("C", 1.07, Direction.LONG)]
        return self._structure(panel, t, "SPY/condor", Direction.SHORT, [(right, round(spot * far), way) for right, far, way in legs])

    def straddle(self, panel, t):
        strike = round(float(panel.close[panel.row("SPY"), t]))
        return self._structure(panel, t, "SPY/straddle", Direction.LONG, [("C", strike, Direction.LONG), ("P", strike, Direction.LONG)])

    def _structure(self, panel, t, group, direction, legs):
        today = panel.sessions[t].item()
        expiry = next(day for day in monthly_expirations(today) if day >= today + timedelta(days=25))
        market, named = quotes.option_market(panel), [(option(right, strike, expiry), way) for right, strike, way in legs]
        found = [market.quote(symbol, t, "CLOSE") for symbol, _ in named]
        if None in found:
            return None
        debit = sum(quote.ask if way is Direction.LONG else -quote.bid for quote, (_, way) in zip(found, named, strict=True))
        width = max(abs(strike - other) for (right, strike, _), (side, other, _) in pairwise(legs) if right == side) if debit < 0 else 0
        risk = 100 * (width + debit)
        parts = tuple(Leg(symbol, way, 1 / len(named), 1) for symbol, way in named)
        return Draft(group, direction, parts, 1.0, "As every month.", unit_risk=round(risk, 2), metadata={"debit": round(debit, 4)})
