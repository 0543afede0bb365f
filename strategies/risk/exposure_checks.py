"""How much of what may be held: of a name, a sector, a group, a strategy, in all; and how large an order may be."""

from collections import defaultdict

from strategies.risk.context import RiskContext
from strategies.risk.groups import group_value, sector_values
from strategies.risk.proposal import Proposal, is_share
from strategies.risk.violation import Violation, beyond


def name_values(proposal: Proposal, context: RiskContext) -> dict[str, float]:
    """What would be held of each name that `proposal` touches: the net value of its shares, and what options on it can lose."""
    notionals: dict[str, float] = defaultdict(float)
    for leg in proposal.legs:
        notionals[leg.name] += leg.notional if is_share(leg.symbol) else 0.0
    losses = dict.fromkeys(proposal.underlyings, proposal.loss)
    return {
        name: abs(context.net(name) + notional) + context.options_at_risk(name) + losses.get(name, 0.0)
        for name, notional in notionals.items()
    }


def single_name(proposal: Proposal, context: RiskContext) -> Violation | None:
    limit = context.limits.max_position_pct * float(context.equity)
    for name, value in name_values(proposal, context).items():
        if value > limit:
            return Violation("SINGLE_NAME", f"{name} would exceed the limit of one name.", round(limit, 2), round(value, 2))
    return None


def symbol_notional(proposal: Proposal, context: RiskContext) -> Violation | None:
    """The limit of one name in dollars: it does not grow with the account."""
    limit = context.limits.max_symbol_notional
    for name, value in name_values(proposal, context).items() if limit is not None else ():
        if value > limit:
            return Violation("SYMBOL_NOTIONAL", f"{name} would exceed the amount of one symbol.", round(limit, 2), round(value, 2))
    return None


def order_notional(proposal: Proposal, context: RiskContext) -> Violation | None:
    """Each symbol of a trade is an order of its own; its options are one, as large as what they claim."""
    limit = context.limits.max_order_notional
    if limit is None:
        return None
    value = max([proposal.needed_for_options, *(abs(leg.notional) for leg in proposal.shares)])
    if value > limit:
        return Violation("ORDER_NOTIONAL", "The order is larger than one may be.", round(limit, 2), round(value, 2))
    return None


def sector(proposal: Proposal, context: RiskContext) -> Violation | None:
    """A name whose sector is not known is a sector of its own."""
    if context.limits.max_sector_pct is None:
        return None
    limit, of = context.limits.max_sector_pct * float(context.equity), context.market.sector
    before = sector_values(context.share_values, context.option_risk, of)
    holdings = context.after(proposal)
    after = sector_values(holdings.shares, holdings.option_risk, of)
    for name in sorted({of(leg.name) for leg in proposal.legs}):
        found = beyond("SECTOR", f"{name} would exceed the limit of one sector.", limit, after.get(name, 0.0), before.get(name, 0.0))
        if found:
            return found
    return None


def correlated_group(proposal: Proposal, context: RiskContext) -> Violation | None:
    """What would be held of each proposed name and of all that is the same bet (`groups`)."""
    if context.limits.max_group_pct is None:
        return None
    limit = context.limits.max_group_pct * float(context.equity)
    for name in sorted({leg.name for leg in proposal.legs}):
        before, after = _group(name, proposal, context)
        found = beyond("CORRELATED_GROUP", f"The names that move with {name} would exceed their limit.", limit, after, before)
        if found:
            return found
    return None


def _group(name: str, proposal: Proposal, context: RiskContext) -> tuple[float, float]:
    """The value of the bet on `name` before and after, in the direction it is traded; of options alone in the larger one."""
    after = context.after(proposal)
    others = sorted({*after.shares, *after.option_risk})
    known = dict(zip(others, context.market.correlations(name, others).tolist(), strict=True))
    traded = sum(leg.notional for leg in proposal.shares if leg.symbol == name)
    level, values = context.limits.group_correlation, []
    for direction in (1, -1):
        if traded * direction >= 0:
            held = (context.share_values, context.option_risk), (after.shares, after.option_risk)
            values.append(tuple(group_value(name, direction, *each, known, level) for each in held))
    return max(values, key=lambda pair: pair[1])


def strategy_share(proposal: Proposal, context: RiskContext) -> Violation | None:
    """What belongs to no strategy has no share of one."""
    if proposal.strategy_id is None:
        return None
    limit = context.limits.max_gross_exposure * float(context.equity) * proposal.share
    value = float(context.strategy_exposures.get(proposal.strategy_id, 0)) + proposal.gross
    if value > limit:
        return Violation("STRATEGY_SHARE", "The strategy would exceed its share of the account.", round(limit, 2), round(value, 2))
    return None


def gross_exposure(proposal: Proposal, context: RiskContext) -> Violation | None:
    limit = context.limits.max_gross_exposure * float(context.equity)
    value = context.gross + proposal.gross
    if value > limit:
        return Violation("GROSS_EXPOSURE", "Gross exposure would exceed its limit.", round(limit, 2), round(value, 2))
    return None


def net_exposure(proposal: Proposal, context: RiskContext) -> Violation | None:
    """Long less short, either way: shares by their value, options by their delta."""
    if context.limits.max_net_exposure is None:
        return None
    after, before = context.after(proposal).net, context.holdings.net
    limit = context.limits.max_net_exposure * float(context.equity)
    if after.value is None:
        return Violation(after.code, after.reason, round(limit, 2), None)
    return beyond("NET_EXPOSURE", "Net exposure would exceed its limit.", limit, abs(after.value), _size(before.value))


def _size(value: float | None) -> float:
    """What was not known before is less than whatever is now."""
    return -1.0 if value is None else abs(value)
