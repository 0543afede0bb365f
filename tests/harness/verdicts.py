"""The invariants of the order path, held against the exchange's journal. Each answers sentences about what does not hold.

Nothing of the order path is asked for them: they read rows and journal records only.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

from quant_site.core.models import AuditLog, OutboxEvent
from tests.fake_tiger.book import BookOrder
from tests.harness.real_account import CASH, PRICE
from tests.harness.stories import Case
from trading.brokers.base import EXTERNAL
from trading.control.symbol_halts import UNKNOWN_ORDER
from trading.models import CashEntry, Fill, Order, OrderEvent, Position, Reconciliation, SymbolHalt
from trading.order_path.states import TERMINAL, TRANSITIONS, OrderStatus
from trading.vocabulary import REDUCING, Purpose

D = Decimal
ALARM_WITHIN = timedelta(seconds=10)
ENDINGS = {"CANCELLED": ("Cancelled", "Inactive"), "EXPIRED": ("Invalid",), "REJECTED": ("Inactive",)}


class Evidence:
    """A case's rows beside what the exchange wrote since the byte `offset` of its journal and the call `first`."""

    def __init__(self, case: Case, offset: int, first: int):
        self.case, self.number = case, case.account.broker_account
        self.journal = case.desk.exchange.journal
        self.rows: list[Order] = list(case.orders())
        self.row = {order.client_order_id: order for order in self.rows}
        self.theirs: list[BookOrder] = self.journal.orders(account=self.number)
        self.ours = [order for order in self.theirs if order.source == "OpenApi"]
        self.at_exchange: dict[str, list[BookOrder]] = defaultdict(list)
        for order in self.ours:
            self.at_exchange[order.user_mark].append(order)
        mine = ("", None, self.number)
        self.calls = [call for call in self.journal.calls() if call.number > first and call.fields.get("account") in mine]
        with self.journal.path.open("rb") as lines:
            lines.seek(offset)
            self.records = [json.loads(line) for line in lines if line.endswith(b"\n")]
        events = OrderEvent.objects.filter(order__account=case.account).order_by("order_id", "sequence")
        self.trails: dict[int, list[OrderEvent]] = defaultdict(list)
        for event in events:
            self.trails[event.order_id].append(event)


def one_order_per_intent(seen: Evidence) -> Iterable[str]:
    for mark, orders in seen.at_exchange.items():
        if len(orders) > 1:
            yield f"{len(orders)} orders at the exchange for {mark}"
    sent = Counter(call.fields.get("user_mark", "") for call in seen.calls if call.method == "place_order")
    for mark, count in sent.items():
        trail = seen.trails[seen.row[mark].pk] if mark in seen.row else []
        claims = sum(event.to_status == "SENDING" != event.from_status for event in trail)
        if count > claims:
            yield f"order {mark} was placed {count} times and claimed {claims} times"


def every_order_has_one_row(seen: Evidence) -> Iterable[str]:
    numbers = Counter(row.broker_order_id for row in seen.rows if row.broker_order_id)
    for order in seen.theirs:
        key = order.user_mark if order.source == "OpenApi" else f"{EXTERNAL}{order.id}"
        if key not in seen.row:
            yield f"the exchange's order {order.id} ({order.status}) has no row"
        elif seen.row[key].broker_order_id != str(order.id):
            yield f"order {key} is {seen.row[key].status} with the number {seen.row[key].broker_order_id!r}, the exchange says {order.id}"
        elif numbers[str(order.id)] != 1:
            yield f"{numbers[str(order.id)]} rows have the exchange's number {order.id}"


def fills_are_those_of_the_exchange(seen: Evidence) -> Iterable[str]:
    ours: dict[tuple, list[Decimal]] = defaultdict(lambda: [D(0), D(0)])
    for number, symbol, side, quantity, amount in Fill.objects.filter(account=seen.case.account).values_list(
        "order__broker_order_id", "symbol", "side", "quantity", "amount"
    ):
        total = ours[number, symbol, side]
        total[0] += quantity
        total[1] += amount
    theirs: dict[tuple, list[Decimal]] = defaultdict(lambda: [D(0), D(0)])
    for fill in (fill for fill in seen.journal.fills() if fill.account == seen.number):
        total = theirs[str(fill.id), "".join(fill.contract.key.split()), fill.side]
        total[0] += fill.quantity
        total[1] += fill.quantity * fill.price * fill.contract.multiplier
    if ours != theirs:
        yield f"fills: ours {_shown(ours)}, theirs {_shown(theirs)}"


def positions_are_those_of_the_exchange(seen: Evidence) -> Iterable[str]:
    ours: dict[str, Decimal] = defaultdict(Decimal)
    for symbol, quantity in Position.objects.filter(account=seen.case.account, exit_session=None).values_list("symbol", "quantity"):
        ours[symbol] += quantity
    theirs = {"".join(key.split()): quantity for key, quantity in seen.journal.positions(seen.number).items()}
    held = {symbol: quantity for symbol, quantity in ours.items() if quantity}
    if held != theirs:
        yield f"positions: ours {held}, theirs {theirs}"


def cash_is_that_of_the_exchange(seen: Evidence) -> Iterable[str]:
    ours = sum(CashEntry.objects.filter(account=seen.case.account).values_list("amount", flat=True), D(0))
    theirs = seen.journal.cash(seen.number)
    if ours != theirs:
        yield f"cash: ours {ours}, theirs {theirs}"


def nothing_ended_without_evidence(seen: Evidence) -> Iterable[str]:
    for row in seen.rows:
        found = seen.at_exchange.get(row.client_order_id) or [
            order for order in seen.theirs if f"{EXTERNAL}{order.id}" == row.client_order_id
        ]
        status = found[0].status if found else None
        if row.status not in TERMINAL or row.pk in seen.case.notes.get("settled", ()):
            continue
        if row.fence == 0 and row.origin != "EXTERNAL":
            if found:
                yield f"order {row.pk} was never claimed and is at the exchange ({status})"
        elif row.status == "REJECTED" and not found:
            if not _was_refused(seen, row):
                yield f"order {row.pk} is REJECTED ({row.status_reason}) and nobody refused it"
        elif row.status == "FILLED" and found and found[0].filled >= row.quantity:
            continue  # whatever it is called
        elif status not in ENDINGS.get(row.status, ()):
            yield f"order {row.pk} is {row.status} ({row.status_reason}), at the exchange it is {status}"


def _was_refused(seen: Evidence, row: Order) -> bool:
    """Whether the exchange answered its placing with a refusal, or the placing never reached it."""
    calls = [call for call in seen.calls if call.method == "place_order" and call.fields.get("user_mark") == row.client_order_id]
    return not calls or any(call.code in (1000, 1010, 1100, 1200, 1300, 4000) for call in calls)


def exposure_stays_within_the_limit(seen: Evidence) -> Iterable[str]:
    """At every record of the journal: what is held of our own dealing and what our working entries may still buy."""
    limit = seen.case.account.max_gross_exposure * CASH * D("1.001")
    held: dict[str, Decimal] = defaultdict(Decimal)
    working: dict[int, dict] = {}
    own: dict[int, dict] = {}
    for record in seen.records:
        kind = record["kind"]
        if kind == "order" and record["account"] == seen.number and record["source"] == "OpenApi" and not record["legs"]:
            row = seen.row.get(record["user_mark"])
            own[record["id"]] = order = {
                "symbol": record["contract"]["symbol"], "rest": D(record["quantity"]), "price": D(record["limit_price"] or PRICE),
                "sign": 1 if record["action"] == "BUY" else -1,
            }  # fmt: skip
            if row is None or row.purpose not in REDUCING:
                working[record["id"]] = order
        elif kind == "fill" and record["id"] in own:
            order = own[record["id"]]
            order["rest"] -= D(record["quantity"])
            held[order["symbol"]] += order["sign"] * D(record["quantity"])
        elif kind == "modify" and record["id"] in working:
            order = working[record["id"]]
            order["price"] = D(record["limit_price"] or PRICE)
        elif kind == "status" and record["status"] in ("Cancelled", "Inactive", "Invalid"):
            working.pop(record["id"], None)
        gross = sum(abs(quantity) * PRICE for quantity in held.values())
        gross += sum(max(order["rest"], D(0)) * order["price"] for order in working.values())
        if gross > limit:
            yield f"{gross} are held or ordered at the exchange after {record['kind']} {record.get('id')}, {limit} are allowed"
            return


def nothing_is_sent_that_must_not_be(seen: Evidence) -> Iterable[str]:
    """While the account was halted, between a start and the next arming, and before the first comparison after a start."""
    placed = [call for call in seen.calls if call.method == "place_order"]
    for begins, ends, why in seen.case.notes.get("closed", ()):
        for call in placed:
            if begins < call.number <= ends:
                yield f"{call.fields} was placed (call {call.number}) {why}"
    for begins in seen.case.notes.get("compares_after", ()):
        after = [call.method for call in seen.calls if call.number > begins]
        if "place_order" in after and "prime_assets" not in after[: after.index("place_order")]:
            yield "an order was placed before the books were compared"


def events_replay_to_the_row(seen: Evidence) -> Iterable[str]:
    for row in seen.rows:
        trail = seen.trails[row.pk]
        numbers = [event.sequence for event in trail] == list(range(1, row.version + 1))
        joined = all(before.to_status == after.from_status for before, after in pairwise(trail))
        legal = all(
            event.to_status == event.from_status or event.to_status in TRANSITIONS[OrderStatus(event.from_status)] for event in trail[1:]
        )
        if not (numbers and joined and legal and trail[-1].to_status == row.status):
            yield f"order {row.pk} is {row.status} at version {row.version}, its events say {[(e.sequence, e.to_status) for e in trail]}"


def everything_is_resolved(seen: Evidence) -> Iterable[str]:
    """What the exchange has is known; what it never got waits for two people, and everybody was told at once."""
    unknown = [row for row in seen.rows if row.status == OrderStatus.UNKNOWN]
    stuck = {symbol for row in unknown for symbol in symbols_of(row)}
    for row in seen.rows:
        waits = row.status in ("INTENT", "READY") and not stuck & symbols_of(row)
        if row.status == "SENDING" or (waits and "halted" not in seen.case.notes):
            yield f"order {row.pk} is still {row.status} ({row.status_reason})"
        if row.status == "UNKNOWN" and row.client_order_id in seen.at_exchange:
            yield f"order {row.pk} is UNKNOWN, and the exchange has it"
    halts = SymbolHalt.objects.filter(account=seen.case.account)
    alerts = OutboxEvent.objects.filter(account_id=seen.case.account.pk, type="alert.critical").count()
    if halts.count() > alerts:
        yield f"{halts.count()} symbols were halted and {alerts} alerts told of it"
    halted = {halt.symbol for halt in halts if halt.open_key and halt.code == UNKNOWN_ORDER}
    for row in unknown:
        for symbol in symbols_of(row):
            if symbol not in halted:
                yield f"order {row.pk} is UNKNOWN and {symbol} is not halted"
        became = next(event.at for event in reversed(seen.trails[row.pk]) if event.to_status == "UNKNOWN" != event.from_status)
        told = [halt.since for halt in halts if halt.symbol in symbols_of(row) and halt.since <= became + ALARM_WITHIN]
        if not told:
            yield f"nobody was told of order {row.pk} within {ALARM_WITHIN}"


def positions_are_protected(seen: Evidence) -> Iterable[str]:
    """One stop and one target over what is held, and never more of either than is held."""
    stuck = {symbol for row in seen.rows if row.status == "UNKNOWN" for symbol in symbols_of(row)}
    working: dict[tuple[str, str], list[Decimal]] = defaultdict(list)
    for row in seen.rows:
        for order in seen.at_exchange.get(row.client_order_id, ()):
            if order.working and row.purpose in REDUCING:
                working[row.symbol, row.purpose].append(order.rest)
    positions = Position.objects.filter(account=seen.case.account, exit_session=None)
    held = {position.symbol: position for position in positions}
    for (symbol, purpose), rests in working.items():
        if symbol not in held or sum(rests) > abs(held[symbol].quantity):
            yield f"{purpose} orders over {rests} {symbol} work, {held[symbol].quantity if symbol in held else 0} are held"
    for symbol, position in held.items():
        for purpose, level in ((Purpose.STOP, position.stop_price), (Purpose.TARGET, position.target_price)):
            rests = working.get((symbol, purpose), [])
            if level is not None and symbol not in stuck and "halted" not in seen.case.notes and rests != [abs(position.quantity)]:
                yield f"{position.quantity} {symbol} are held, {purpose} orders over {rests} work"
        unknown = [
            row for row in seen.rows if row.status == "UNKNOWN" and row.symbol == symbol and row.purpose in (Purpose.STOP, Purpose.EXIT)
        ]
        if position.stop_price is not None and not working.get((symbol, Purpose.STOP)) and not unknown:
            yield f"{position.quantity} {symbol} are held without any stop"


def books_agree(seen: Evidence) -> Iterable[str]:
    last = Reconciliation.objects.filter(account=seen.case.account).order_by("-pk").first()
    if last is None or not last.agrees:
        yield f"the last comparison found {last.differences if last else 'nothing: there was none'}"
    halts = AuditLog.objects.filter(account_id=seen.case.account.pk, action_type="ACCOUNT_HALT")
    for entry in halts:
        if entry.details.get("code") != "TEST":
            yield f"the account was halted: {entry.details}"


def symbols_of(row: Order) -> set[str]:
    return {leg["symbol"] for leg in row.legs} or {row.symbol}


def _shown(totals: dict) -> dict:
    return {key: [str(each) for each in value] for key, value in totals.items()}


INVARIANTS: tuple[Callable[[Evidence], Iterable[str]], ...] = (
    one_order_per_intent,
    every_order_has_one_row,
    fills_are_those_of_the_exchange,
    positions_are_those_of_the_exchange,
    cash_is_that_of_the_exchange,
    nothing_ended_without_evidence,
    exposure_stays_within_the_limit,
    nothing_is_sent_that_must_not_be,
    events_replay_to_the_row,
    everything_is_resolved,
    positions_are_protected,
    books_agree,
)


def violations(seen: Evidence) -> dict[str, list[str]]:
    """What does not hold, by invariant."""
    found = {check.__name__: list(check(seen)) for check in INVARIANTS}
    return {name: sentences for name, sentences in found.items() if sentences}
