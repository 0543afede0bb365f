"""Risk before the order: small pure checks over a frozen context.

`limits`, `proposal` and `context` say what is looked at; `account_checks`, `exposure_checks` and `model_checks` are the
checks, `assessment` their order. `market` answers what only some limits ask for, `holdings` what Greeks (`greeks`), scenarios
(`scenarios`) and groups (`groups`) say of what is held; `report` says it of a whole account. `orders` are the checks of
one order as it is sent. `throttle` is shared with the compiled backtest.
"""

from strategies.risk.account_checks import (
    cash,
    day_trades,
    drawdown,
    halted,
    intraday_margin,
    not_tradable,
    opposite_position,
    options_permission,
    restricted,
    settled_cash,
    short_selling,
    stale_data,
    too_small,
)
from strategies.risk.assessment import CLOSE_CHECKS, ENTRY_CHECKS, Check, assess
from strategies.risk.context import RiskContext, proposal_of
from strategies.risk.exposure_checks import (
    correlated_group,
    gross_exposure,
    name_values,
    net_exposure,
    order_notional,
    sector,
    single_name,
    strategy_share,
    symbol_notional,
)
from strategies.risk.limits import RiskLimits
from strategies.risk.market import PanelMarket, RiskMarket
from strategies.risk.proposal import Proposal, ProposedLeg, is_share
from strategies.risk.report import ExposureReport, exposure_report
from strategies.risk.throttle import SHORT_MARGIN, THROTTLE_START, drawdown_shut, drawdown_throttle
from strategies.risk.violation import Violation

__all__ = [
    "CLOSE_CHECKS",
    "ENTRY_CHECKS",
    "SHORT_MARGIN",
    "THROTTLE_START",
    "Check",
    "ExposureReport",
    "PanelMarket",
    "Proposal",
    "ProposedLeg",
    "RiskContext",
    "RiskLimits",
    "RiskMarket",
    "Violation",
    "assess",
    "cash",
    "correlated_group",
    "day_trades",
    "drawdown",
    "drawdown_shut",
    "drawdown_throttle",
    "exposure_report",
    "gross_exposure",
    "halted",
    "intraday_margin",
    "is_share",
    "name_values",
    "net_exposure",
    "not_tradable",
    "opposite_position",
    "options_permission",
    "order_notional",
    "proposal_of",
    "restricted",
    "sector",
    "settled_cash",
    "short_selling",
    "single_name",
    "stale_data",
    "strategy_share",
    "symbol_notional",
    "too_small",
]
