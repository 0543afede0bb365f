"""The intraday margin level: the cash that could be withdrawn while equity still meets the maintenance margin.

FINRA Rule 4210 as amended by SR-FINRA-2025-017 (91 FR 20731) puts it in the place of the count of day trades: what lowers the
level may not take it below 0, else there is an intraday margin deficit. Maintenance is that of 4210(c): 25 % of shares held
long, of shares held short the larger of 30 % and $5 a share, below $5 a share the larger of all and $2.50; options
by `strategies.margin`, bought ones in full. A broker may ask for more.
"""

from collections.abc import Mapping

from strategies.risk.context import RiskContext
from strategies.risk.proposal import Proposal

LONG, SHORT = 0.25, 0.30
SHORT_A_SHARE = 5.0
CHEAP_SHARE, CHEAP_A_SHARE = 5.0, 2.5


def share_maintenance(value: float, price: float | None) -> float:
    """Dollars that shares worth `value` (negative when short) at `price` ask for; without a price all of a short's value."""
    if value >= 0:
        return LONG * value
    worth = -value
    if price is None or price <= 0:
        return worth
    shares = worth / price
    return max(worth, CHEAP_A_SHARE * shares) if price < CHEAP_SHARE else max(SHORT * worth, SHORT_A_SHARE * shares)


def maintenance(shares: Mapping[str, float], options: Mapping[str, float], prices: Mapping[str, float]) -> float:
    """Dollars of maintenance margin of signed values of `shares` by symbol, and of what `options` lock beside their worth."""
    return sum(share_maintenance(value, prices.get(symbol)) for symbol, value in shares.items()) + sum(options.values())


def margin_level(proposal: Proposal, context: RiskContext) -> float:
    """Equity less the maintenance margin of all that is held, on its way and proposed."""
    after = context.after(proposal)
    return float(context.equity) - maintenance(after.shares, after.option_risk, context.prices)
