"""How large a trade may be: the smallest of its caps, floored to whole shares or units.

A draft is sized in one of three ways: by the loss at its stop, by its share of the strategy's capital, or, for a
structure of several contracts, in whole units by the most that a unit can lose.

The arithmetic of a single cap is a function of plain numbers. The compiled backtest compiles those very functions, so
that a trade is as large there as it is live.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from numba.extending import register_jitable

from strategies.base import Draft, Leg
from strategies.risk import Proposal, RiskContext

# Without a stop the loss to budget for is a two-sigma move over a month of sessions.
NO_STOP_SIGMAS, NO_STOP_SESSIONS = 2.0, 20
TARGET_VOLATILITY = 0.20
SESSIONS_A_YEAR = 252
# Costs and the opening gap are unknown when the size is set.
BUFFER = 0.98
# A trade smaller than this share of equity is not worth its commission.
SMALLEST_TRADE = 0.005
# The caps of a trade that is sized by its loss, in this order: of equal ones the first binds.
CAPS = ("RISK_BUDGET", "SINGLE_NAME", "STRATEGY_SHARE", "GROSS_EXPOSURE", "ADV", "CASH", "VOLATILITY_TARGET")
# Those that are the strategy's own; the others are the room that the account has.
OWN_MEASURES = frozenset({"RISK_BUDGET", "VOLATILITY_TARGET", "TARGET_WEIGHT"})


@dataclass(frozen=True)
class Size:
    """Signed whole shares or contracts per leg, gross notional (of a structure: what it can lose), the loss to budget for,
    and the cap that bound. `asked` is how many times that the strategy's own measure asked for, before the account's room."""

    quantities: tuple[int, ...]
    notional: float
    loss_at_stop: float
    budget: float
    binding: str
    asked: float = 1.0

    @property
    def empty(self) -> bool:
        return any(quantity == 0 for quantity in self.quantities)


# --- the arithmetic, in dollars and shares of equity; also compiled


@register_jitable
def strategy_capital(equity: float, max_gross_exposure: float, share: float) -> float:
    """Dollars that a strategy with this `share` of the account may hold, gross."""
    return max_gross_exposure * equity * BUFFER * share


@register_jitable
def risk_budget(equity: float, risk_per_trade: float, scale: float, throttle: float) -> float:
    """What a trade may lose at its stop."""
    return equity * risk_per_trade * scale * throttle


@register_jitable
def stop_fraction(price: float, stop: float) -> float:
    """Loss at the stop as a share of the notional."""
    return abs(price - stop) / price


@register_jitable
def volatility_fraction(variance: float) -> float:
    """Loss to budget for without a stop, as a share of the notional; `variance` of the legs' returns a session."""
    return NO_STOP_SIGMAS * math.sqrt(variance * NO_STOP_SESSIONS)


@register_jitable
def name_room(equity: float, max_position: float, net: float, ratio: float) -> float:
    """Notional of a trade that still fits the limit of one name, of which the trade puts the share `ratio` into it."""
    return (max_position * equity * BUFFER - abs(net)) / ratio


@register_jitable
def volume_room(max_adv: float, adv: float, price: float, ratio: float) -> float:
    """Notional of a trade that stays within the share `max_adv` of the mean volume."""
    return max_adv * adv * price / ratio


@register_jitable
def cash_room(free_cash: float) -> float:
    return max(0.0, free_cash) * BUFFER


@register_jitable
def gross_room(equity: float, max_gross_exposure: float, gross: float) -> float:
    return max_gross_exposure * equity * BUFFER - gross


@register_jitable
def volatility_room(equity: float, share: float, variance: float, throttle: float) -> float:
    """Notional at which the trade's own volatility is the strategy's part of the target."""
    sigma = math.sqrt(variance * SESSIONS_A_YEAR)
    return equity * share * TARGET_VOLATILITY / sigma * throttle if sigma > 0 else 0.0


@register_jitable
def worthwhile(notional: float, equity: float) -> float:
    """The notional, or 0 where it is too small a part of the account."""
    return notional if notional >= SMALLEST_TRADE * equity else 0.0


@register_jitable
def whole_shares(notional: float, ratio: float, price: float) -> int:
    return math.floor(notional * ratio / price)


# --- from a draft to its size


def size_entry(draft: Draft, context: RiskContext, *, strategy_id: int, share: float, scale: float) -> Size:
    """Size an entry. `share` is the strategy's part of the gross limit, `scale` its weight relative to an equal one.

    size = floor(min of the caps), after the drawdown throttle. Legs share the notional by their ratios; a leg without a
    price or volatility gets size 0, and so does a trade below half a per cent of equity.
    """
    if draft.structure:
        return _size_structure(draft, context, strategy_id, share, scale)
    caps = _caps(draft, context, strategy_id, share, scale)
    if caps is None:
        return Size((0,) * len(draft.legs), 0.0, 0.0, 0.0, "NO_DATA")
    binding = min(caps, key=caps.get)
    notional = worthwhile(caps[binding], float(context.equity))
    quantities = tuple(whole_shares(notional, leg.ratio, context.prices[leg.symbol]) * leg.direction.sign for leg in draft.legs)
    filled = sum(abs(q) * context.prices[leg.symbol] for q, leg in zip(quantities, draft.legs, strict=True))
    loss = filled * loss_fraction(draft, context)
    budget = loss if draft.weight is not None else _risk_budget(context, scale)
    return Size(quantities, filled, loss, budget, binding, _asked(caps, binding))


def _size_structure(draft: Draft, context: RiskContext, strategy_id: int, share: float, scale: float) -> Size:
    """Whole units by what one can lose. Its loss counts against the name, the strategy's share and the free cash."""
    equity, limits = float(context.equity), context.limits
    own = equity * draft.risk_share * context.throttle if draft.risk_share is not None else math.inf
    caps = {
        "RISK_BUDGET": min(_risk_budget(context, scale), own),
        "SINGLE_NAME": limits.max_position_pct * equity * BUFFER * context.throttle,
        "STRATEGY_SHARE": strategy_capital(equity, limits.max_gross_exposure, share) - _held(context, strategy_id),
        "GROSS_EXPOSURE": gross_room(equity, limits.max_gross_exposure, context.gross),
        "CASH": cash_room(context.free_cash),
    }
    binding = min(caps, key=caps.get)
    units = max(0, math.floor(caps[binding] / draft.unit_risk)) if draft.unit_risk > 0 else 0
    quantities = tuple(units * leg.units * leg.direction.sign for leg in draft.legs)
    loss = units * draft.unit_risk
    return Size(quantities, loss, loss, caps["RISK_BUDGET"], binding, _asked(caps, binding))


def _asked(caps: Mapping[str, float], binding: str) -> float:
    """What the strategy's own measures would allow over what is allowed; 1 where nothing is."""
    own = min(cap for name, cap in caps.items() if name in OWN_MEASURES)
    return own / caps[binding] if caps[binding] > 0 else 1.0


def loss_fraction(draft: Draft, context: RiskContext) -> float:
    """Loss to budget for as a share of the notional: distance to the stop, else a volatility move."""
    if len(draft.legs) == 1 and draft.stop_loss is not None:
        return stop_fraction(context.prices[draft.legs[0].symbol], draft.stop_loss)
    return volatility_fraction(_variance(draft, context))


def loss_with_gap(size: Size, proposal: Proposal, context: RiskContext) -> float:
    """Loss to budget for of a trade with a stop: at the stop, or where the next open lies beyond it.

    That open is the worst in a hundred nights of its symbol; where fewer than 250 are known only the stop counts. It sets no
    size, only what is said of one: sizes are those of the compiled backtest, which knows no gaps.
    """
    if len(proposal.shares) != 1 or len(proposal.legs) != 1:
        return size.loss_at_stop
    [leg] = proposal.legs
    gap = context.market.overnight_gap(leg.symbol, 1 if leg.quantity > 0 else -1)
    return size.loss_at_stop if gap is None else max(size.loss_at_stop, size.notional * gap)


def _variance(draft: Draft, context: RiskContext) -> float:
    """Of the draft's return a session, its legs taken as independent."""
    moves = [leg.ratio * context.volatility[leg.symbol] for leg in draft.legs]
    return sum(move * move for move in moves)


def _risk_budget(context: RiskContext, scale: float) -> float:
    return risk_budget(float(context.equity), context.limits.risk_per_trade_pct, scale, context.throttle)


def _held(context: RiskContext, strategy_id: int) -> float:
    return float(context.strategy_exposures.get(strategy_id, 0))


def _caps(draft: Draft, context: RiskContext, strategy_id: int, share: float, scale: float) -> dict[str, float] | None:
    if not all(_known(context, leg) for leg in draft.legs):
        return None
    loss = loss_fraction(draft, context)
    if loss <= 0:
        return None
    equity, limits, throttle = float(context.equity), context.limits, context.throttle
    capital = strategy_capital(equity, limits.max_gross_exposure, share)
    names = (name_room(equity, limits.max_position_pct, context.net(leg.symbol), leg.ratio) for leg in draft.legs)
    volumes = (volume_room(limits.max_adv_pct, context.adv[leg.symbol], context.prices[leg.symbol], leg.ratio) for leg in draft.legs)
    caps = {
        "SINGLE_NAME": throttle * min(names),
        "STRATEGY_SHARE": capital - _held(context, strategy_id),
        "GROSS_EXPOSURE": gross_room(equity, limits.max_gross_exposure, context.gross),
        "ADV": min(volumes),
        "CASH": cash_room(context.free_cash),
    }
    if draft.weight is not None:
        # A portfolio spreads its risk over its holdings by itself: the budget of a single trade is not its measure.
        return {"TARGET_WEIGHT": draft.weight * capital * throttle} | caps
    target = volatility_room(equity, share, _variance(draft, context), throttle)
    return {"RISK_BUDGET": _risk_budget(context, scale) / loss, **caps, "VOLATILITY_TARGET": target}


def _known(context: RiskContext, leg: Leg) -> bool:
    values = (context.prices.get(leg.symbol), context.volatility.get(leg.symbol), context.adv.get(leg.symbol))
    return all(value is not None and math.isfinite(value) and value > 0 for value in values)
