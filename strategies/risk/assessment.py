"""All checks in their order.

A check answers None when the proposal passes, else a `Violation`. Closing proposals pass every check but the kill switch:
what reduces risk is never held back by risk.
"""

from collections.abc import Callable

from quant_site.core.types import Direction
from strategies.risk import account_checks as account
from strategies.risk import exposure_checks as exposure
from strategies.risk import model_checks as model
from strategies.risk.context import RiskContext
from strategies.risk.proposal import Proposal
from strategies.risk.violation import Violation

Check = Callable[[Proposal, RiskContext], Violation | None]

# The compiled backtest names the first violation too: what it knows stays in this order.
ENTRY_CHECKS: tuple[Check, ...] = (
    account.halted,
    account.not_tradable,
    account.restricted,
    account.stale_data,
    account.drawdown,
    account.too_small,
    account.day_trades,
    account.short_selling,
    account.options_permission,
    account.opposite_position,
    exposure.order_notional,
    exposure.single_name,
    exposure.symbol_notional,
    exposure.sector,
    exposure.correlated_group,
    exposure.strategy_share,
    exposure.gross_exposure,
    exposure.net_exposure,
    account.cash,
    account.settled_cash,
    account.intraday_margin,
    model.delta,
    model.gamma,
    model.vega,
    model.theta,
    model.expected_shortfall,
    model.stress,
)
CLOSE_CHECKS: tuple[Check, ...] = (account.halted,)


def assess(proposal: Proposal, context: RiskContext) -> list[Violation]:
    """Every violation of `proposal` in `context`, in the order of the checks; empty when it may go ahead."""
    checks = CLOSE_CHECKS if proposal.direction is Direction.CLOSE else ENTRY_CHECKS
    return [violation for check in checks if (violation := check(proposal, context)) is not None]
