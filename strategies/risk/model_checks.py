"""What options and history say: Greeks, expected shortfall and losses under stress. What cannot be computed does not pass."""

from strategies.risk.context import RiskContext
from strategies.risk.holdings import Measured
from strategies.risk.proposal import Proposal
from strategies.risk.violation import Violation, beyond


def delta(proposal: Proposal, context: RiskContext) -> Violation | None:
    return _greek("delta", "DELTA", "Delta would exceed its limit.", context.limits.max_delta_pct, proposal, context)


def gamma(proposal: Proposal, context: RiskContext) -> Violation | None:
    return _greek("gamma", "GAMMA", "Gamma would exceed its limit.", context.limits.max_gamma_pct, proposal, context)


def vega(proposal: Proposal, context: RiskContext) -> Violation | None:
    return _greek("vega", "VEGA", "Vega would exceed its limit.", context.limits.max_vega_pct, proposal, context)


def theta(proposal: Proposal, context: RiskContext) -> Violation | None:
    return _greek("theta", "THETA", "Theta would exceed its limit.", context.limits.max_theta_pct, proposal, context)


def expected_shortfall(proposal: Proposal, context: RiskContext) -> Violation | None:
    share = context.limits.max_es_pct
    if share is None:
        return None
    after, before = context.after(proposal).expected_shortfall, context.holdings.expected_shortfall
    return _verdict("EXPECTED_SHORTFALL", "Expected shortfall would exceed its limit.", share, after, before, context)


def stress(proposal: Proposal, context: RiskContext) -> Violation | None:
    share = context.limits.max_stress_pct
    if share is None:
        return None
    after, before = context.after(proposal).stress_loss, context.holdings.stress_loss
    return _verdict("STRESS", "The loss under stress would exceed its limit.", share, after, before, context)


def _greek(name: str, code: str, message: str, share: float | None, proposal: Proposal, context: RiskContext) -> Violation | None:
    if share is None:
        return None
    after, before = context.after(proposal).greek(name), context.holdings.greek(name)
    return _verdict(code, message, share, _unsigned(after), _unsigned(before), context)


def _unsigned(each: Measured) -> Measured:
    return each if each.value is None else Measured(abs(each.value))


def _verdict(code: str, message: str, share: float, after: Measured, before: Measured, context: RiskContext) -> Violation | None:
    """`share` of equity is the limit. What was not known before is taken as less than what is known now."""
    limit = share * float(context.equity)
    if after.value is None:
        return Violation(after.code, after.reason, round(limit, 2), None)
    return beyond(code, message, limit, after.value, float("-inf") if before.value is None else before.value)
