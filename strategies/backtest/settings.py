"""What a backtest assumes about the account it trades: capital, limits and costs."""

from dataclasses import dataclass, field
from decimal import Decimal

from quant_site.market.execution import CostModel
from strategies.risk import RiskLimits

# Those of a new account.
DEFAULT_LIMITS = RiskLimits(
    max_position_pct=0.20,
    max_gross_exposure=1.00,
    max_drawdown_pct=0.20,
    risk_per_trade_pct=0.01,
    max_adv_pct=0.01,
    max_day_trades=3,
    allow_short=True,
)


@dataclass(frozen=True)
class BacktestSettings:
    """`capital` in dollars. `share` of the account the strategy may use (None: its own parameter `weight`). `benchmark`
    is a symbol that the panel or its background holds; "" for none."""

    capital: Decimal = Decimal("100000.00")
    limits: RiskLimits = DEFAULT_LIMITS
    costs: CostModel = field(default_factory=CostModel)
    share: float | None = 1.0
    benchmark: str = ""
