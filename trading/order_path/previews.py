"""What an order would do, before anybody orders: cost, margin, the most it can lose, the account after it, every verdict.

Amounts are dollars. What cannot be known is None, with the reason under its name in `undefined`.
"""

from dataclasses import asdict, dataclass, field
from datetime import date
from decimal import Decimal

from quant_site.core.errors import DataMissing
from quant_site.core.types import Side, money, optional, ratio
from quant_site.market.execution import CostModel
from quant_site.market.options.contracts import multiplier_of, parse_contract
from quant_site.market.panel import Panel
from quant_site.market.selectors import panel_load
from strategies.risk import Proposal, RiskContext, exposure_report
from strategies.risk.account_checks import needed_cash
from trading.models import Order
from trading.order_path.gate import Denial, Wait
from trading.order_path.rows import order_build
from trading.order_path.send_step import order_context, order_precheck, order_proposal
from trading.order_path.tickets import Ticket, confirmation_reason, order_payload, ticket_content, venue_of
from trading.vocabulary import REDUCING

UNLIMITED = "Without a stop a short sale can lose any amount."


@dataclass(frozen=True)
class Preview:
    """`cost` is what is paid, negative where it is received, before `commission`. `margin` is what the order takes out of the
    free cash. `maximum_loss` counts to the stop, else to the worst that can happen. `verdicts` are {code, message, limit,
    value}: with any of them the order would be denied; `waits` says why it would be sent later only; `confirmation` why it
    needs one, bound to `payload`. `exposure_before` and `_after` are reports of the account.
    """

    cost: Decimal | None
    commission: Decimal | None
    margin: Decimal | None
    maximum_loss: Decimal | None
    reward_risk: Decimal | None
    verdicts: list[dict]
    waits: str
    confirmation: str
    payload: dict
    exposure_before: dict | None = None
    exposure_after: dict | None = None
    undefined: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict:
        return asdict(self)


def ticket_preview(*, ticket: Ticket, panel: Panel | None = None, session: date | None = None, costs: CostModel | None = None) -> Preview:
    """The preview of a ticket; nothing is written and no broker is called. Raises `InvalidInput` for what no order can be."""
    panel, costs = panel or panel_load(), costs or CostModel()
    order = order_build(**ticket_content(ticket, panel, session))
    order.awaits = confirmation_reason(order)[:255]
    venue = venue_of(ticket.account, panel)
    found, violations = order_precheck(order, venue)
    verdicts = [violation.as_json() for violation in violations]
    if isinstance(found, Denial):
        code, _, message = found.reason.partition(": ")
        verdicts.insert(0, {"code": code, "message": message, "limit": None, "value": None})
    undefined: dict[str, str] = {}
    try:
        context = order_context(order, ticket.account, venue, None)
    except DataMissing as error:
        context, proposal = None, None
        undefined["exposure"] = error.message
    else:
        proposal = order_proposal(order, context)
    cost = _cost(order, proposal, undefined)
    commission = _commission(order, context, costs, undefined)
    return Preview(
        cost=cost,
        commission=commission,
        margin=_margin(order, proposal, undefined),
        maximum_loss=_maximum_loss(order, proposal, commission, undefined),
        reward_risk=_reward_risk(order, undefined),
        verdicts=verdicts,
        waits=found.reason if isinstance(found, Wait) and not order.awaits else "",
        confirmation=order.awaits,
        payload=order_payload(order),
        exposure_before=exposure_report(context).as_json() if context else None,
        exposure_after=_after(order, context, proposal),
        undefined=undefined,
    )


def _cost(order: Order, proposal: Proposal | None, undefined: dict) -> Decimal | None:
    if order.legs and order.limit_price is not None:
        return money(order.quantity * order.limit_price * multiplier_of(order.legs[0]["symbol"]))
    if proposal is None or any(not leg.notional for leg in proposal.legs):
        undefined["cost"] = "There is no price of every symbol it trades."
        return None
    return money(sum(leg.notional for leg in proposal.legs))


def _commission(order: Order, context: RiskContext | None, costs: CostModel, undefined: dict) -> Decimal | None:
    if order.legs:
        return costs.contract_commission(order.quantity * sum(leg["ratio"] for leg in order.legs))
    if parse_contract(order.symbol) is not None:
        return costs.contract_commission(order.quantity)
    unit = order.limit_price or (optional(money, context.prices.get(order.symbol)) if context else None)
    if unit is None:
        undefined["commission"] = f"There is no price of {order.symbol}."
        return None
    return costs.commission(order.quantity, unit)


def _margin(order: Order, proposal: Proposal | None, undefined: dict) -> Decimal | None:
    if proposal is None:
        undefined["margin"] = "The account cannot be looked at without market data."
        return None
    if order.purpose in REDUCING:
        return Decimal("0.00")
    return money(needed_cash(proposal))


def _maximum_loss(order: Order, proposal: Proposal | None, commission: Decimal | None, undefined: dict) -> Decimal | None:
    """To the stop where there is one; else all that is paid, and of covered options what they can lose."""
    fees, entry = commission or Decimal(0), order.limit_price or order.decision_price
    if order.purpose in REDUCING:
        undefined["maximum_loss"] = "It closes or reduces."
        return None
    if order.stop_loss is not None and entry is not None:
        return money(abs(entry - order.stop_loss) * order.quantity * multiplier_of(order.symbol) + fees)
    if proposal is None:
        undefined["maximum_loss"] = "The account cannot be looked at without market data."
        return None
    if proposal.uncovered or (proposal.shares and order.side == Side.SELL):
        undefined["maximum_loss"] = UNLIMITED
        return None
    return money(sum(leg.notional for leg in proposal.shares) + proposal.needed_for_options) + fees


def _reward_risk(order: Order, undefined: dict) -> Decimal | None:
    entry = order.limit_price or order.decision_price
    if entry is None or order.stop_loss is None or order.take_profit is None:
        undefined["reward_risk"] = "It takes an entry, a stop and a target."
        return None
    risked = (entry - order.stop_loss) * Side(order.side).sign
    if risked <= 0:
        undefined["reward_risk"] = "The stop is on the wrong side of the price."
        return None
    return ratio((order.take_profit - entry) * Side(order.side).sign / risked)


def _after(order: Order, context: RiskContext | None, proposal: Proposal | None) -> dict | None:
    if context is None or proposal is None or order.purpose in REDUCING:
        return None
    return exposure_report(context.with_entry(proposal)).as_json()
