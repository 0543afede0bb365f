"""The adapter: Tiger Brokers as every other module of trading sees a broker.

Placing is one call that is never repeated. It raises `BrokerRefused` only where it is certain that no order exists, and
`BrokerUnclear` otherwise; then the order is looked for by what it was given before it left: our id as its mark, the number
that was reserved for it, and its content. Tiger proves no absence, so what is not found stays unknown.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any

from tigeropen.trade.request.model import AccountsParams, CancelOrderParams

from quant_site.core.models import Account
from quant_site.core.rows import rows_read
from quant_site.core.types import Mode
from quant_site.market.panel import Panel
from quant_site.market.sessions import NEW_YORK, is_session, previous_session
from quant_site.market.tiger import quotes, redaction
from quant_site.market.tiger.config import credentials
from quant_site.market.tiger.errors import TigerError, TigerNotSent, TigerRefused
from quant_site.market.tiger.values import identity, moment, number, symbol_of
from trading.brokers import base
from trading.brokers.base import (
    Ack,
    Activity,
    BrokerFill,
    BrokerOrder,
    BrokerPreview,
    BrokerRefused,
    BrokerUnclear,
    Evidence,
    LiveQuote,
    OrderRequest,
)
from trading.brokers.tiger.desk import Assets, Desk, Item, desk
from trading.brokers.tiger.fills import Execution, Part, Total, fees_of, new_parts
from trading.brokers.tiger.own import (
    NOTHING,
    Booked,
    Claims,
    OwnOrder,
    booked_of,
    external_number,
    fills_of_session,
    own_orders,
    unfinished,
)
from trading.brokers.tiger.translate import (
    broker_order,
    commission_of,
    filled_of,
    legs_of,
    order_params,
    side_of,
    status_of,
    wire_terms,
)

logger = logging.getLogger(__name__)
# Up to this many orders are asked for one by one, more in a list.
ONE_BY_ONE = 3
PAPER = "PAPER"  # Tiger's word for an account without real money
SEARCH_BEFORE = timedelta(minutes=10)


class TigerBroker:
    """Real accounts at Tiger. One that is made talks to nobody before a method is called."""

    mode = Mode.REAL
    simulated = False

    def __init__(self, panel: Panel | None = None):
        self.panel = panel

    @cached_property
    def desk(self) -> Desk:
        return desk()

    # --- orders go out

    def keeps_orders(self, account_id: str) -> bool:
        """Paper accounts at Tiger take orders for the day only."""
        with _asking():
            return self.desk.account_type(self._number(account_id)) != PAPER

    def reserve(self, account_id: str) -> str:
        """A number of Tiger's for the next order of the account."""
        params = AccountsParams()
        params.account = self._number(account_id)
        with _asking():
            data = self.desk.wire.query("order_no", params)
        found = identity((data.get("orderId") or data.get("order_id")) if isinstance(data, dict) else None)
        if not found:
            raise BrokerUnclear("NO_ORDER_NUMBER", "Tiger gave no number for the order. Nothing was sent.")
        return found

    def place(self, request: OrderRequest) -> Ack:
        params = self._params(request)
        params.user_mark = request.client_order_id
        params.order_id = int(request.reserved_id) if request.reserved_id else None
        with _telling():
            data = self.desk.wire.order("place_order", params)
        given = identity(data.get("id"))
        if not given:
            raise BrokerUnclear("NO_ORDER_ID", "Tiger took the order and gave no id for it.")
        return Ack(given)

    def modify(
        self, account_id: str, client_order_id: str, quantity: Decimal, limit_price: Decimal | None, stop_price: Decimal | None
    ) -> None:
        own = self._own(account_id, client_order_id)
        if not own.broker_order_id:
            raise BrokerRefused("NOT_ACKNOWLEDGED", "Tiger has not acknowledged the order yet. Nothing was sent.")
        changed = replace(own, quantity=quantity, limit_price=limit_price, stop_price=stop_price)
        params = order_params(changed, wire_terms(changed, self.desk.ticks_of), account=self._number(account_id))
        params.id = int(own.broker_order_id)
        with _telling():
            self.desk.wire.order("modify_order", params)

    def cancel(self, account_id: str, client_order_id: str) -> None:
        """Ask for a cancel. What Tiger will not cancel is over, or stays as it is: `orders` says which."""
        own, params = self._own(account_id, client_order_id), CancelOrderParams()
        params.account = self._number(account_id)
        if own.broker_order_id:
            params.id = int(own.broker_order_id)
        elif own.reserved_id:
            params.order_id = int(own.reserved_id)
        else:
            raise BrokerRefused("NOT_ACKNOWLEDGED", "Tiger has given no id for the order, so it cannot be cancelled there yet.")
        try:
            with _telling():
                self.desk.wire.order("cancel_order", params, urgent=True)
        except BrokerRefused as refused:
            if refused.details["not_sent"]:
                raise
            logger.warning("Tiger does not cancel order %s: %s", client_order_id, refused.message)

    # --- and are looked for

    def find(self, account_id: str, client_order_id: str, fence: int) -> Evidence:
        """The order where Tiger has it. Never `final`: an order may still be on its way, or in a list that is behind."""
        own = own_orders(account_id, [client_order_id]).get(client_order_id)
        if own is None:
            return Evidence(None, final=False)
        account = self._number(account_id)
        with _asking():
            if own.broker_order_id:
                items = [item for item in [self.desk.order(account, own.broker_order_id)] if item]
            else:
                items = self.desk.listed_since(account, own.left_at - SEARCH_BEFORE, by_update=False)
            claims = Claims.of(account_id, items)
        found = [item for item in items if claims.client_of(item) == client_order_id]
        if len(found) > 1:
            logger.error("Tiger has %d orders that are order %s: the oldest is taken for it.", len(found), client_order_id)
        return Evidence(self._report(found[0], claims) if found else None, final=False)

    def orders(self, account_id: str, client_order_ids: Iterable[str]) -> dict[str, BrokerOrder]:
        """Raises `BrokerUnclear` where Tiger does not answer; it is never taken for not knowing an order."""
        wanted, account = sorted(set(client_order_ids)), self._number(account_id)
        own = own_orders(account_id, wanted)
        numbers = {key: (own[key].broker_order_id if key in own else "") or external_number(key) for key in wanted}
        with _asking():
            items = self._listed(account, own.values()) if len(wanted) > ONE_BY_ONE or "" in numbers.values() else []
            known = {str(item["id"]) for item in items}
            asked = sorted({each for each in numbers.values() if each} - known)
            items += [item for each in asked if (item := self.desk.order(account, each))]
            if len(asked) > len({str(item["id"]) for item in items} - known):
                # One that is not found by its id is looked for once more before it counts as unknown.
                items = _together(items, self._listed(account, own.values()))
            claims = Claims.of(account_id, items)
        found = {claims.client_of(item): item for item in items}
        return {key: self._report(found[key], claims) for key in wanted if key in found}

    def open_orders(self, account_id: str) -> list[BrokerOrder]:
        """What may be one of ours whose outcome is unknown, or somebody else's, is left out until that is known."""
        with _asking():
            items = self.desk.active(self._number(account_id))
            claims = Claims.of(account_id, items)
        working = [item for item in items if status_of(item) == base.WORKING and claims.client_of(item)]
        return [self._report(item, claims) for item in working]

    def fills(self, account_id: str, session: date) -> list[BrokerFill]:
        """The fills of `session` that are written down, and every one that is not, under the session it happened in."""
        account, start = self._number(account_id), datetime(session.year, session.month, session.day, tzinfo=NEW_YORK)
        waiting = unfinished(account_id, start)
        with _asking():
            items = self.desk.listed_since(account, start, by_update=True)
            listed = {str(item["id"]) for item in items}
            asked = sorted({order.broker_order_id for order in waiting.values()} - listed)
            items += [item for each in asked if (item := self.desk.order(account, each))]
            claims = Claims.of(account_id, items)
            filled = [item for item in items if _has_fills(item) and claims.client_of(item) and not _awaited(claims.own(item))]
            booked = booked_of(own.id for item in filled if (own := claims.own(item)) is not None)
            fresh = [fill for item in filled for fill in self._new_fills(account, item, claims, booked)]
        return sorted([*fills_of_session(account_id, session), *fresh], key=_in_time)

    def activities(self, account_id: str, session: date) -> list[Activity]:
        """Nothing: the API has no list of dividends, splits, assignments and fees. They change cash and positions, which
        are compared with the broker's every minute, and a person books what differs."""
        return []

    # --- the account

    def positions(self, account_id: str) -> dict[str, Decimal]:
        with _asking():
            return self.desk.positions(self._number(account_id))

    def cash(self, account_id: str) -> Decimal:
        found = self.assets(account_id).cash
        if found is None:
            raise BrokerUnclear("NO_CASH", "Tiger does not say how many dollars the account holds.")
        return found

    def equity(self, account_id: str) -> Decimal | None:
        return self.assets(account_id).net_liquidation

    def assets(self, account_id: str) -> Assets:
        """Cash, net liquidation value, margins; None for what Tiger does not say."""
        with _asking():
            return self.desk.assets(self._number(account_id))

    def preview(self, request: OrderRequest) -> BrokerPreview | None:
        """Raises `BrokerRefused` for what cannot be an order, `BrokerUnclear` where Tiger does not answer."""
        params = self._params(request)
        with _asking():
            try:
                data = self.desk.wire.query("preview_order", params)
            except TigerNotSent:
                raise
            except TigerRefused as refused:
                return BrokerPreview(False, refused.message, None, None, None)
        if not isinstance(data, dict) or "isPass" not in data:
            return None
        amounts = (number(data.get(name)) for name in ("initMargin", "maintMargin", "commission"))
        return BrokerPreview(bool(data["isPass"]), str(data.get("message") or ""), *amounts)

    def quote(self, symbol: str) -> LiveQuote | None:
        """None too where trading is halted."""
        with _asking():
            found = quotes.quotes(self.desk.wire, [symbol]).get(symbol)
        return None if found is None or found.halted else LiveQuote(symbol, found.bid, found.ask, found.last, found.at)

    def server_time(self) -> datetime | None:
        with _asking():
            return self.desk.server_time()

    # --- the parts

    def _number(self, account_id: str) -> str:
        """The account's number at Tiger. Raises `BrokerRefused` for an account that is not made for it."""
        rows = rows_read(Account, ("broker", "mode", "broker_account"), "id = %s", account_id)
        if not rows or rows[0][:2] != (Account.Broker.TIGER, Mode.REAL):
            raise BrokerRefused("NO_ACCOUNT", f"Account {account_id} is not one for real orders at Tiger. Nothing was sent.")
        found = rows[0][2] or credentials().account
        redaction.learn(found)
        return found

    def _own(self, account_id: str, client_order_id: str) -> OwnOrder:
        own = own_orders(account_id, [client_order_id]).get(client_order_id)
        if own is None:
            raise BrokerRefused("NO_ORDER", f"Account {account_id} has no order {client_order_id}. Nothing was sent.")
        return own

    def _params(self, request: OrderRequest):
        account = self._number(request.account_id)
        return order_params(request, wire_terms(request, self.desk.ticks_of), account=account)

    def _listed(self, account: str, orders: Iterable[OwnOrder]) -> list[Item]:
        since = min((order.left_at for order in orders), default=None)
        return [] if since is None else self.desk.orders_since(account, since - SEARCH_BEFORE)

    @staticmethod
    def _report(item: Mapping[str, Any], claims: Claims) -> BrokerOrder:
        own = claims.own(item)
        # What was adopted from outside has the terms that Tiger tells.
        ours = None if own is None or external_number(own.client_order_id) else own
        return broker_order(item, claims.client_of(item) or "", ours)

    def _new_fills(self, account: str, item: Item, claims: Claims, booked: Mapping[tuple[int, str], Booked]) -> list[BrokerFill]:
        own, key, legs = claims.own(item), str(item["id"]), legs_of(item)
        at = moment(item.get("latestTime")) or moment(item.get("updateTime")) or moment(item.get("openTime"))
        totals = {(symbol_of(leg), side_of(leg)): _leg_total(leg, at) for leg in legs} or {
            (own.symbol if own else symbol_of(item), ""): Total(filled_of(item), number(item.get("avgFillPrice")) or Decimal(0), at)
        }
        known = {symbol: booked.get((own.id, symbol), NOTHING) if own else NOTHING for symbol, _ in totals}
        if all(total.quantity <= known[symbol].quantity for (symbol, _), total in totals.items()):
            return []
        executions = self.desk.executions(account, key)
        found = []
        for (symbol, side), total in totals.items():
            parts = new_parts(total, known[symbol], _of_symbol(executions, symbol, alone=not legs))
            found += [(_fill_id(key, symbol if legs else "", part), symbol, side, part) for part in parts]
        paid = sum((each.commission for each in known.values()), Decimal(0))
        client = claims.client_of(item) or ""
        return [
            BrokerFill(fill, client, _session_of(part.at), part.quantity, part.price, fee, part.at, *((symbol, side) if legs else ()))
            for (fill, symbol, side, part), fee in zip(found, fees_of(len(found), commission_of(item), paid), strict=True)
        ]


@contextmanager
def _telling() -> Iterator[None]:
    """Failures of what changes something, in the words of brokers; the new exception carries nothing of the old one but its
    text."""
    failure: BrokerRefused | BrokerUnclear | None = None
    try:
        yield
    except TigerRefused as error:
        failure = BrokerRefused(error.code, error.message, not_sent=isinstance(error, TigerNotSent))
    except TigerError as error:
        failure = BrokerUnclear(error.code, error.message)
    if failure is not None:
        raise failure from None


@contextmanager
def _asking() -> Iterator[None]:
    """Failures of a question: whatever they are, nothing is known."""
    failure: BrokerUnclear | None = None
    try:
        yield
    except TigerError as error:
        failure = BrokerUnclear(error.code, error.message)
    if failure is not None:
        raise failure from None


def _awaited(own: OwnOrder | None) -> bool:
    """One of ours whose outcome is not written yet: `find` gives it its id first, so that its fills can be told by it."""
    return own is not None and own.in_flight


def _together(first: Iterable[Item], second: Iterable[Item]) -> list[Item]:
    found = {int(item["id"]): item for item in [*first, *second]}
    return [found[identity] for identity in sorted(found)]


def _has_fills(item: Mapping[str, Any]) -> bool:
    return filled_of(item) > 0 or any((number(leg.get("filledQuantity")) or 0) > 0 for leg in legs_of(item))


def _fill_id(order: str, leg: str, part: Part) -> str:
    """The order, the leg of one that has several, and the total that is reached: the same whenever it is told."""
    return ":".join(filter(None, (order, leg, f"{part.reached.normalize():f}")))


def _leg_total(leg: Mapping[str, Any], at: datetime) -> Total:
    return Total(
        number(leg.get("filledQuantity")) or Decimal(0), number(leg.get("avgFilledPrice")) or Decimal(0), moment(leg.get("updatedAt")) or at
    )


def _of_symbol(executions: list[tuple[str, Execution]], symbol: str, *, alone: bool) -> list[Execution]:
    return [execution for name, execution in executions if alone or name == symbol]


def _session_of(at: datetime) -> date:
    """The session of a moment: its day in New York, or the session before where the exchange is closed that day."""
    day = at.astimezone(NEW_YORK).date()
    return day if is_session(day) else previous_session(day)


def _in_time(fill: BrokerFill) -> tuple:
    """By time; of one moment by the total that was reached, which ends the id: of texts the shorter is the smaller number."""
    return fill.filled_at, len(fill.fill_id), fill.fill_id
