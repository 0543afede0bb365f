"""What a paper fill costs: commission, half the spread, slippage."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from quant_site.core.types import MICRO, Side, money


@dataclass(frozen=True)
class CostModel:
    """Commission in dollars, the rest in basis points of the price.

    The defaults are a common fixed schedule for US shares (0.005 a share, at least 1.00, at most 1 % of the notional;
    where the two bounds cross, the lower amount holds) and a liquid stock's half spread and slippage.
    """

    commission_per_share: Decimal = Decimal("0.005")
    commission_minimum: Decimal = Decimal("1.00")
    commission_cap: Decimal = Decimal("0.01")
    half_spread_bps: Decimal = Decimal("1.0")
    slippage_bps: Decimal = Decimal("2.0")

    def commission(self, quantity: Decimal, price: Decimal) -> Decimal:
        """Dollars and cents for `quantity` > 0 shares at `price`."""
        by_share = max(quantity * self.commission_per_share, self.commission_minimum)
        return money(min(by_share, quantity * price * self.commission_cap))

    def worse(self, price: Decimal, side: Side) -> Decimal:
        """What an order that takes liquidity pays (BUY) or receives (SELL), rounded against it to six decimals."""
        shift = price * (self.half_spread_bps + self.slippage_bps) / 10_000
        return (price + side.sign * shift).quantize(MICRO, rounding=ROUND_CEILING if side is Side.BUY else ROUND_FLOOR)
