"""How an order executes on a daily bar, and what its fill costs: one definition for paper trading and backtests.

A bar tells the open and the range, not the path: a stop or limit within the range trades at its level, or at the open
where the market gapped through it. Market and stop orders pay half the spread and slippage; limits pay neither.
"""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from quant_site.core.types import MICRO, OrderType, Side, money

SESSIONS_A_YEAR = 252


@dataclass(frozen=True)
class CostModel:
    """Commission in dollars, spread and slippage in basis points of the price, borrowing in a share of value a year.

    The defaults are a common fixed schedule for US shares (0.005 a share, at least 1.00, at most 1 % of the notional;
    where the two bounds cross, the lower amount holds), a liquid stock's half spread and slippage, and the fee of shares
    that are easy to borrow. Options trade at the bid and the ask, so that their spread is paid in the price.
    """

    commission_per_share: Decimal = Decimal("0.005")
    commission_minimum: Decimal = Decimal("1.00")
    commission_cap: Decimal = Decimal("0.01")
    half_spread_bps: Decimal = Decimal("1.0")
    slippage_bps: Decimal = Decimal("2.0")
    commission_per_contract: Decimal = Decimal("0.65")
    borrow_rate: Decimal = Decimal("0.003")

    def commission(self, quantity: Decimal, price: Decimal) -> Decimal:
        """Dollars and cents for `quantity` > 0 shares at `price`."""
        by_share = max(quantity * self.commission_per_share, self.commission_minimum)
        return money(min(by_share, quantity * price * self.commission_cap))

    def contract_commission(self, contracts: Decimal) -> Decimal:
        """Dollars and cents for `contracts` > 0 option contracts."""
        return money(contracts * self.commission_per_contract)

    def borrowing(self, value: Decimal) -> Decimal:
        """Dollars and cents that one session of borrowing shares worth `value` > 0 costs."""
        return money(value * self.borrow_rate / SESSIONS_A_YEAR)

    def worse(self, price: Decimal, side: Side) -> Decimal:
        """What an order that takes liquidity pays (BUY) or receives (SELL), rounded against it to six decimals."""
        shift = price * (self.half_spread_bps + self.slippage_bps) / 10_000
        return (price + side.sign * shift).quantize(MICRO, rounding=ROUND_CEILING if side is Side.BUY else ROUND_FLOOR)


def at_open_price(
    order_type: str, side: str, stop: float | None, limit: float | None, open_: float, high: float, low: float
) -> float | None:
    """The open, where an order of this type trades at it."""
    if order_type == OrderType.STOP:
        trades = open_ >= stop if side == Side.BUY else open_ <= stop
    elif order_type == OrderType.LIMIT:
        trades = open_ <= limit if side == Side.BUY else open_ >= limit
    else:
        trades = True
    return open_ if trades else None


def intraday_price(
    order_type: str, side: str, stop: float | None, limit: float | None, open_: float, high: float, low: float
) -> float | None:
    """The price before costs at which a stop or limit trades within the bar, or None."""
    buys = side == Side.BUY
    if order_type == OrderType.STOP:
        reached = high >= stop if buys else low <= stop
        return (max(open_, stop) if buys else min(open_, stop)) if reached else None
    if order_type == OrderType.LIMIT:
        reached = low <= limit if buys else high >= limit
        return (min(open_, limit) if buys else max(open_, limit)) if reached else None
    return None
