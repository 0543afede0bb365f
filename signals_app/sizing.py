"""How large a trade may be: the smallest of its caps, floored to whole shares."""

import math
from dataclasses import dataclass

from signals_app.risk import RiskContext
from strategies.base import Draft, Leg

# Without a stop the loss to budget for is a two-sigma move over a month of sessions.
NO_STOP_SIGMAS, NO_STOP_SESSIONS = 2.0, 20
TARGET_VOLATILITY = 0.20
SESSIONS_A_YEAR = 252
# Costs and the opening gap are unknown when the size is set.
BUFFER = 0.98
# A trade smaller than this share of equity is not worth its commission.
SMALLEST_TRADE = 0.005


@dataclass(frozen=True)
class Size:
    """Signed whole shares per leg, gross notional, the loss to budget for, and the cap that bound."""

    quantities: tuple[int, ...]
    notional: float
    loss_at_stop: float
    budget: float
    binding: str

    @property
    def empty(self) -> bool:
        return any(quantity == 0 for quantity in self.quantities)


def size_entry(draft: Draft, context: RiskContext, *, strategy_id: int, share: float, scale: float) -> Size:
    """Size an entry. `share` is the strategy's part of the gross limit, `scale` its weight relative to an equal one.

    size = floor(min(risk budget / loss per share, volatility target, ADV cap, and what is left of the name, strategy,
    gross and cash limits)), after the drawdown throttle. Legs share the notional by their ratios. A leg without a price
    or volatility gets size 0, and so does a trade below half a per cent of equity.
    """
    caps = _caps(draft, context, strategy_id, share, scale)
    if caps is None:
        return Size((0,) * len(draft.legs), 0.0, 0.0, 0.0, "NO_DATA")
    binding = min(caps, key=caps.get)
    notional = caps[binding] if caps[binding] >= SMALLEST_TRADE * float(context.equity) else 0.0
    quantities = tuple(math.floor(notional * leg.ratio / context.prices[leg.symbol]) * leg.direction.sign for leg in draft.legs)
    filled = sum(abs(q) * context.prices[leg.symbol] for q, leg in zip(quantities, draft.legs, strict=True))
    budget = _risk_budget(context, scale)
    return Size(quantities, filled, filled * loss_fraction(draft, context), budget, binding)


def loss_fraction(draft: Draft, context: RiskContext) -> float:
    """Loss to budget for as a share of the notional: distance to the stop, else a volatility move."""
    if len(draft.legs) == 1 and draft.stop_loss is not None:
        price = context.prices[draft.legs[0].symbol]
        return abs(price - draft.stop_loss) / price
    variance = sum((leg.ratio * context.volatility[leg.symbol]) ** 2 for leg in draft.legs)
    return NO_STOP_SIGMAS * math.sqrt(variance * NO_STOP_SESSIONS)


def _risk_budget(context: RiskContext, scale: float) -> float:
    return float(context.equity) * context.limits.risk_per_trade_pct * scale * context.throttle


def _caps(draft: Draft, context: RiskContext, strategy_id: int, share: float, scale: float) -> dict[str, float] | None:
    if not all(_known(context, leg) for leg in draft.legs):
        return None
    loss = loss_fraction(draft, context)
    if loss <= 0:
        return None
    equity, limits, throttle = float(context.equity), context.limits, context.throttle
    name_limit = limits.max_position_pct * equity * BUFFER
    gross_limit = limits.max_gross_exposure * equity * BUFFER
    held = float(context.strategy_exposures.get(strategy_id, 0))
    sigma = math.sqrt(sum((leg.ratio * context.volatility[leg.symbol]) ** 2 for leg in draft.legs) * SESSIONS_A_YEAR)
    return {
        "RISK_BUDGET": _risk_budget(context, scale) / loss,
        "SINGLE_NAME": throttle * min((name_limit - abs(context.net(leg.symbol))) / leg.ratio for leg in draft.legs),
        "STRATEGY_SHARE": gross_limit * share - held,
        "GROSS_EXPOSURE": gross_limit - context.gross,
        "VOLATILITY_TARGET": equity * share * TARGET_VOLATILITY / sigma * throttle if sigma > 0 else 0.0,
        "ADV": min(limits.max_adv_pct * context.adv[leg.symbol] * context.prices[leg.symbol] / leg.ratio for leg in draft.legs),
        "CASH": max(0.0, context.free_cash) * BUFFER,
    }


def _known(context: RiskContext, leg: Leg) -> bool:
    values = (context.prices.get(leg.symbol), context.volatility.get(leg.symbol), context.adv.get(leg.symbol))
    return all(value is not None and math.isfinite(value) and value > 0 for value in values)
