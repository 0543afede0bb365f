"""What the account may do at all: its state, its permissions, the market's data, its drawdown and its day trades."""

from quant_site.core.types import Direction
from strategies.risk.context import RiskContext
from strategies.risk.limits import ALL_OPTIONS, BUYING_ONLY, CASH_ACCOUNT, COVERED_ONLY, INTRADAY_MARGIN, LEGACY_COUNT, NO_OPTIONS
from strategies.risk.maintenance import margin_level
from strategies.risk.proposal import Proposal, is_share
from strategies.risk.throttle import SHORT_MARGIN
from strategies.risk.violation import Violation


def halted(proposal: Proposal, context: RiskContext) -> Violation | None:
    if context.trading_state == "HALTED" or (context.trading_state == "REDUCING" and proposal.direction is not Direction.CLOSE):
        return Violation("TRADING_STATE", f"The account is {context.trading_state}.", "ACTIVE", context.trading_state)
    return None


def not_tradable(proposal: Proposal, context: RiskContext) -> Violation | None:
    """An option is tradable where it can be priced, be its underlying for sale or an index."""
    for leg in proposal.shares:
        if leg.symbol not in context.tradable:
            return Violation("NOT_TRADABLE", f"{leg.symbol} is not a tradable instrument.", None, leg.symbol)
    return None


def restricted(proposal: Proposal, context: RiskContext) -> Violation | None:
    """A barred underlying bars its options too."""
    for leg in proposal.legs if context.limits.restricted else ():
        if not {leg.symbol, leg.name}.isdisjoint(context.limits.restricted):
            return Violation("RESTRICTED", f"{leg.symbol} is barred for this account.", None, leg.symbol)
    return None


def stale_data(proposal: Proposal, context: RiskContext) -> Violation | None:
    for leg in proposal.legs:
        if is_share(leg.symbol):
            last = context.last_session.get(leg.symbol)
            if last != context.session:
                return Violation("STALE_DATA", f"{leg.symbol} has no bar of {context.session}.", str(context.session), str(last))
        elif leg.symbol not in context.prices:
            message = f"{leg.symbol} has no quote at the close of {context.session}."
            return Violation("STALE_DATA", message, str(context.session), leg.symbol)
    return None


def drawdown(proposal: Proposal, context: RiskContext) -> Violation | None:
    limit, release = context.limits.max_drawdown_pct, context.limits.drawdown_release_pct
    if -context.drawdown >= limit:
        return Violation("DRAWDOWN_LIMIT", "The account is at its drawdown limit: only closing orders pass.", limit, -context.drawdown)
    if context.shut:
        message = "The account reached its drawdown limit and has not recovered yet: only closing orders pass."
        return Violation("DRAWDOWN_LIMIT", message, release, -context.drawdown)
    return None


def too_small(proposal: Proposal, context: RiskContext) -> Violation | None:
    for leg in proposal.legs:
        if abs(leg.quantity) < 1:
            code = proposal.binding or "SIZE_TOO_SMALL"
            return Violation(code, f"What this limit leaves is too small a trade in {leg.symbol}.", 1, abs(leg.quantity))
    return None


def day_trades(proposal: Proposal, context: RiskContext) -> Violation | None:
    """The count of the pattern-day-trader rule, where the account keeps it."""
    limit = context.limits.max_day_trades
    if context.limits.day_trade_rule == LEGACY_COUNT and context.day_trades >= limit:
        return Violation("DAY_TRADES", "Too many day trades in the last five sessions.", limit, context.day_trades)
    return None


def short_selling(proposal: Proposal, context: RiskContext) -> Violation | None:
    """Options may be sold where the same trade buys what covers them. A cash account never sells short."""
    if context.limits.allow_short and context.limits.day_trade_rule != CASH_ACCOUNT:
        return None
    for leg in proposal.legs:
        if leg.quantity < 0 and (is_share(leg.symbol) or leg.symbol in proposal.uncovered):
            return Violation("SHORT_NOT_ALLOWED", f"This account may not sell {leg.symbol} short.", 0, leg.quantity)
    return None


def options_permission(proposal: Proposal, context: RiskContext) -> Violation | None:
    """What of options the account may trade: nothing, bought ones, structures whose sold options its own cover, or all.

    Shares cover no calls here, as they do not for their margin (`strategies.margin`).
    """
    level = context.limits.options_level
    if level >= ALL_OPTIONS:
        return None
    sold = [leg.symbol for leg in proposal.options if leg.quantity < 0]
    every, bare = [leg.symbol for leg in proposal.options], [symbol for symbol in sold if symbol in proposal.uncovered]
    if level == NO_OPTIONS and every:
        return Violation("OPTIONS_LEVEL", f"This account may not trade options ({every[0]}).", level, every[0])
    if level == BUYING_ONLY and sold:
        return Violation("OPTIONS_LEVEL", f"This account may not sell options ({sold[0]}).", level, sold[0])
    if level == COVERED_ONLY and bare:
        return Violation("OPTIONS_LEVEL", f"This account may not sell uncovered options ({bare[0]}).", level, bare[0])
    return None


def opposite_position(proposal: Proposal, context: RiskContext) -> Violation | None:
    """A broker nets a symbol: an entry against what another strategy holds would close that instead."""
    for leg in proposal.legs:
        held = context.net(leg.symbol)
        if held * leg.notional < 0:
            return Violation(
                "OPPOSITE_POSITION", f"{leg.symbol} is already held the other way round.", round(held, 2), round(leg.notional, 2)
            )
    return None


def needed_cash(proposal: Proposal) -> float:
    """Cash that a trade claims: what it buys, the margin of what it sells short, and what its options claim."""
    needed = sum(leg.notional if leg.notional > 0 else -SHORT_MARGIN * leg.notional for leg in proposal.shares)
    return needed + proposal.needed_for_options


def cash(proposal: Proposal, context: RiskContext) -> Violation | None:
    needed = needed_cash(proposal)
    if needed > context.free_cash:
        return Violation("CASH", "There is not enough free cash.", round(context.free_cash, 2), round(needed, 2))
    return None


def settled_cash(proposal: Proposal, context: RiskContext) -> Violation | None:
    """A cash account pays with what has arrived: the proceeds of a sale do so a session later (T+1)."""
    if context.limits.day_trade_rule != CASH_ACCOUNT:
        return None
    needed, settled = needed_cash(proposal), context.free_cash - float(context.unsettled)
    if needed > settled:
        message = "There is not enough settled cash: what was sold today pays from the next session on."
        return Violation("UNSETTLED_CASH", message, round(settled, 2), round(needed, 2))
    return None


def intraday_margin(proposal: Proposal, context: RiskContext) -> Violation | None:
    """The rule that replaced the count: nothing that lowers the margin level may be done where it would fall below 0."""
    if context.limits.day_trade_rule != INTRADAY_MARGIN:
        return None
    level = margin_level(proposal, context)
    if level < 0:
        message = "The trade would leave an intraday margin deficit: equity below the maintenance margin."
        return Violation("INTRADAY_MARGIN", message, 0, round(level, 2))
    return None
