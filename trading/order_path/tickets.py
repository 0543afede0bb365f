"""Tickets: the one way by which people, plans, alerts, hedges and the advisor order something.

A ticket becomes the intent of an order, looked at as it would be when it is sent, so that whoever orders learns at once what
speaks against it. No broker is called: the sweeper sends what is ready, through the same looks again. An order of high risk
waits for a confirmation that is bound to exactly what it says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import numpy as np
from django.db import transaction

from quant_site.core import clock
from quant_site.core.errors import Conflict, InvalidInput, NotAllowed
from quant_site.core.models import Account
from quant_site.core.selectors import may_trade
from quant_site.core.services import audit_record
from quant_site.core.stepup import confirmation_use
from quant_site.core.types import Side, optional, price
from quant_site.market.models import Instrument
from quant_site.market.options.closing import closing_mid
from quant_site.market.options.contracts import multiplier_of, parse_contract
from quant_site.market.panel import Panel
from quant_site.market.selectors import panel_load
from quant_site.market.sessions import last_completed_session
from trading.models import Order, Position, TradingPlan
from trading.order_path.gate import Denial, risk
from trading.order_path.rows import order_build, order_insert, order_move, order_note
from trading.order_path.send_step import Venue, order_precheck
from trading.order_path.states import UNSENT, OrderStatus
from trading.vocabulary import REDUCING, OrderType, Origin, Purpose, TimeInForce

CONFIRM = "CONFIRM_ORDER"  # the action that a confirmation names


@dataclass(frozen=True)
class Ticket:
    """What is to be ordered. `key` makes the order's identity: the same key is the same order, whoever repeats it.

    Quantities in shares, contracts or, with `legs` ([{symbol, side, ratio}]), units; prices per share, per unit of an option's
    underlying, or net per unit of the legs. `stop_loss` and `take_profit` protect what an entry opens. What reduces names its
    `position`.
    """

    account: Account
    symbol: str
    side: str
    quantity: Decimal
    purpose: Purpose = Purpose.ENTRY
    order_type: OrderType = OrderType.MARKET
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.DAY
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    origin: Origin = Origin.MANUAL
    plan: TradingPlan | None = None
    position: Position | None = None
    group: str = ""
    legs: Sequence[Mapping] = ()
    key: str = ""


@transaction.atomic
def ticket_place(*, ticket: Ticket, actor, confirmed: bool = False, panel: Panel | None = None, session: date | None = None) -> Order:
    """Write the ticket's order, or answer the one that its key already made.

    The order comes back DENIED ("CODE: sentence") where the gate or a risk check speaks against it for good, waiting where it
    `awaits` a confirmation, else unsent. `confirmed` says that the caller has one of `CONFIRM` on what the ticket says.
    `panel` and `session` are those of the loop that asks; by default the stored bars and the last completed session.

    Raises `InvalidInput` for what no order can be, `NotAllowed` without the right to trade, and `Conflict` where the key made
    an order of another content.
    """
    _require_trader(ticket.account, actor)
    panel = panel or panel_load()
    order = order_build(**ticket_content(ticket, panel, session))
    known = Order.objects.filter(client_order_id=order.client_order_id).first()
    if known is None:
        if not confirmed:
            order.awaits = confirmation_reason(order)[:255]
        elif not isinstance(actor, str):
            order.confirmed_by = actor
    written = order_insert(order, actor)
    if known is None:
        _judge(written, panel)
    return written


def ticket_content(ticket: Ticket, panel: Panel, session: date | None = None) -> dict:
    """What `order_build` takes. Raises `InvalidInput` for what cannot be ordered."""
    session = session or last_completed_session(clock.now())
    legs = [{"decision": _mark(panel, leg["symbol"], session), **leg} for leg in ticket.legs]
    for symbol in [leg["symbol"] for leg in legs] or [ticket.symbol]:
        _require_known(symbol)
    _require_levels(ticket)
    if ticket.purpose in REDUCING and ticket.position is None:
        raise InvalidInput("no_position", "What closes or reduces names the position that it closes.")
    return {
        "account": ticket.account,
        "purpose": ticket.purpose,
        "symbol": ticket.symbol,
        "side": Side(ticket.side),
        "order_type": ticket.order_type,
        "quantity": ticket.quantity,
        "session": session,
        "position": ticket.position,
        "time_in_force": ticket.time_in_force,
        "limit_price": ticket.limit_price,
        "stop_price": ticket.stop_price,
        "decision_price": None if legs else _mark(panel, ticket.symbol, session),
        "legs": legs,
        "group": ticket.group,
        "origin": ticket.origin,
        "plan": ticket.plan,
        "stop_loss": ticket.stop_loss,
        "take_profit": ticket.take_profit,
        "key": ticket.key,
    }


@transaction.atomic
def order_confirm(*, order: Order, actor, confirmation_id, ip_address: str = "") -> Order:
    """Let an order go that waits for it. Spends a confirmation of `CONFIRM` on `order_payload`.

    Raises `Conflict` for an order that waits for none, or is no longer unsent.
    """
    _require_trader(order.account, actor)
    if order.status not in UNSENT:
        raise Conflict("not_unsent", f"Order {order.pk} is {order.status}: there is nothing to confirm.", status=order.status)
    if not order.awaits or order.confirmed_by_id is not None:
        raise Conflict("needs_no_confirmation", f"Order {order.pk} waits for no confirmation.")
    used = confirmation_use(confirmation_id=confirmation_id, user=actor, action=CONFIRM, payload=order_payload(order))
    details = {"awaited": order.awaits, "confirmation": str(used.pk)}
    order_note(order, "CONFIRMED", {"by": actor.get_username(), **details}, confirmed_by_id=actor.pk)
    audit_record(action="ORDER_CONFIRM", actor=actor, account=order.account_id, resource=order, details=details, ip_address=ip_address)
    return order


def order_payload(order: Order) -> dict:
    """What a confirmation is bound to: everything that decides what is bought and sold."""
    return {
        "order": order.client_order_id,
        "account": order.account_id,
        "symbol": order.symbol,
        "side": order.side,
        "type": order.order_type,
        "quantity": f"{order.quantity.normalize():f}",
        "limit": None if order.limit_price is None else f"{order.limit_price.normalize():f}",
        "stop": None if order.stop_price is None else f"{order.stop_price.normalize():f}",
        "legs": [[leg["symbol"], leg["side"], leg["ratio"]] for leg in order.legs],
    }


def confirmation_reason(order: Order) -> str:
    """Why an order is of high risk: it opens something, and sells options or is large; empty where it is not."""
    if order.purpose in REDUCING:
        return ""
    sold = [leg["symbol"] for leg in order.legs if leg["side"] == Side.SELL]
    if not order.legs and order.side == Side.SELL and parse_contract(order.symbol):
        sold = [order.symbol]
    if sold:
        return f"It sells options: {', '.join(sold)}."
    limit = order.account.confirm_above
    notional = order_notional(order)
    if limit is not None and notional is not None and notional > limit:
        return f"It trades {notional:.2f}, more than {limit:.2f}."
    return ""


def order_notional(order: Order) -> Decimal | None:
    """Dollars that a plain order trades at its limit, else at the price it was decided on; None for several legs or no price."""
    unit = order.limit_price if order.limit_price is not None else order.decision_price
    if order.legs or unit is None:
        return None
    return order.quantity * unit * multiplier_of(order.symbol)


def _judge(order: Order, panel: Panel) -> None:
    """Deny at once what would be denied when it is sent."""
    found, violations = order_precheck(order, venue_of(order.account, panel))
    equal = next((violation for violation in violations if violation.code == "DUPLICATE"), None)
    others = [violation for violation in violations if violation is not equal]
    denial = found if isinstance(found, Denial) else risk(others)
    if denial is not None:
        order_move(order, OrderStatus.DENIED, reason=denial.reason, evidence={"violations": [each.as_json() for each in others]})
    elif equal is not None and not order.awaits and order.confirmed_by_id is None:
        order_note(order, "AWAITS", {"why": equal.message}, awaits=equal.message[:255])


def venue_of(account: Account, panel: Panel) -> Venue:
    """Where orders of the account trade, for looks that call no broker."""
    return Venue(mode=account.mode, simulated=account.broker == Account.Broker.PAPER, panel=panel)


def _require_trader(account: Account, actor) -> None:
    if account.is_replay and not isinstance(actor, str):
        raise NotAllowed("replay_account", f"Account {account.pk} belongs to a replay: nobody orders on it by hand.")
    if not isinstance(actor, str) and not may_trade(user=actor, account=account):
        raise NotAllowed("read_only", f"You may look at account {account.pk}, not trade on it.")


def _require_known(symbol: str) -> None:
    contract = parse_contract(symbol)
    name = symbol if contract is None else contract.underlying
    if not Instrument.objects.filter(symbol=name).exists() and contract is None:
        raise InvalidInput("unknown_symbol", f"{symbol} is not known here: import its bars first (manage.py import_bars PATH).")


def _require_levels(ticket: Ticket) -> None:
    """The stop of an entry lies on the side where it loses, the target where it gains."""
    reference, sign = ticket.limit_price or ticket.stop_price, Side(ticket.side).sign
    levels = [("stop", ticket.stop_loss, -sign), ("target", ticket.take_profit, sign)]
    for what, level, way in levels:
        if level is not None and level <= 0:
            raise InvalidInput("bad_level", f"The {what} must be above zero, not {level}.")
        if level is not None and reference is not None and (level - reference) * way <= 0:
            side = "above" if way > 0 else "below"
            raise InvalidInput("bad_level", f"The {what} {level} is on the wrong side: it belongs {side} {reference}.")
    if ticket.stop_loss is not None and ticket.take_profit is not None and (ticket.take_profit - ticket.stop_loss) * sign <= 0:
        raise InvalidInput("bad_level", "The stop and the target are the wrong way round.")


def _mark(panel: Panel, symbol: str, session: date) -> Decimal | None:
    """The last raw close up to `session`, which the order is decided on; of an option its mid, None where it has none."""
    t = int(np.searchsorted(panel.sessions, np.datetime64(session, "D"), side="right")) - 1
    if t < 0:
        return None
    if parse_contract(symbol) is not None:
        return optional(price, closing_mid(panel, symbol, t))
    if symbol not in panel:
        return None
    closes = panel.close[panel.row(symbol), : t + 1]
    known = closes[closes == closes]
    return price(float(known[-1])) if len(known) else None
