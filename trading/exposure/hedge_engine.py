"""AutoHedgeEngine: after each close, looks at what an account wants hedged, orders what is missing, and says what hedging did.

A hedge is ordered as a person would order it: through a ticket, past the same checks and the same gate. What it holds is
booked as a trade of its own, so that its result and its cost are known to the cent. A hedge that does not work is
stopped and unwound; only a person switches it on again.

Each policy is looked at once a session: its record and its order commit together, and the record is what keeps a pass that
resumes from ordering twice.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from django.db import transaction

from quant_site.core.errors import Conflict, DataMissing, InvalidInput, NotAllowed
from quant_site.core.models import Account
from quant_site.core.rows import objects_read, places, row_insert, rows_read, rows_update
from quant_site.core.types import Side, money, optional, quantity, ratio
from quant_site.market.execution import CostModel
from quant_site.market.panel import Panel
from trading.books.accounting import ZERO
from trading.books.equity import account_state
from trading.exposure.hedge_looks import Held, Look, policy_look
from trading.exposure.hedge_policies import hedge_group, hedge_policy_stop
from trading.exposure.hedging import Day, Review, estimated_cost, review, trading_cost
from trading.exposure.measures import Measures
from trading.models import Fill, HedgePolicy, HedgeRecord, Order, Position
from trading.order_path.states import OPEN, OrderStatus
from trading.order_path.tickets import Ticket, ticket_place
from trading.vocabulary import Origin, Purpose

ACTOR = "hedge"
State = HedgePolicy.State
# A stopped hedge is looked at until it is unwound.
DUE = "account_id = %s AND state IN ('ON', 'STOPPED') ORDER BY kind, symbol"
HELD = "account_id = %s AND exit_session IS NULL ORDER BY symbol, id"
CLOSED = "account_id = %s AND symbol = %s AND strategy_id IS NULL AND exit_session IS NOT NULL"
LOOKED_AT = "policy_id = %s AND session = %s"
BEFORE = "policy_id = %s AND session < %s ORDER BY session DESC LIMIT 1"
REVIEWED = "policy_id = %s AND session > %s AND (hedge_pnl <> 0 OR hedge_cost <> 0) ORDER BY session DESC LIMIT %s"
REFUSED = "policy_id IN {policies} AND quantity <> 0 AND order_id IN (SELECT id FROM orders WHERE status IN ('DENIED', 'REJECTED'))"
FILLED = "account_id = %s AND session = %s AND order_id IN (SELECT id FROM orders WHERE position_id IN {positions})"
WORKING = f"account_id = %s AND symbol = %s AND status IN {places(OPEN)}"


class Row(NamedTuple):
    """The columns of a position that a hedge looks at."""

    id: int
    strategy_id: int | None
    group: str
    symbol: str
    quantity: Decimal
    realized_pnl: Decimal
    dividends: Decimal
    unrealized_pnl: Decimal

    @property
    def pnl(self) -> Decimal:
        return self.realized_pnl + self.dividends + self.unrealized_pnl


class AutoHedgeEngine:
    """Works for one account; the caller holds the account's loop lock. `costs` are those that orders are expected to pay."""

    def __init__(self, account: Account, panel: Panel, *, costs: CostModel | None = None):
        self.account, self.panel, self.costs = account, panel, costs or CostModel()

    def run(self, session: date) -> dict:
        """Look at every policy at the close of `session`, whose positions are marked; empty where there is none.

        Answers how many policies there are, how many of them ordered something and how many were stopped. Doing it again
        changes nothing, but for what became of orders meanwhile.
        """
        policies = objects_read(HedgePolicy, DUE, self.account.pk)
        if not policies:
            return {}
        self.note_refusals(policies)
        running = [policy for policy in policies if policy.state == State.ON]
        close = _Close(self.account, self.panel, session)
        looked = [record for policy in policies if (record := self._look(policy, close)) is not None]
        stopped = sum(policy.state == State.STOPPED for policy in running)
        return {"policies": len(policies), "orders": sum(record.order_id is not None for record in looked), "stopped": stopped}

    def note_refusals(self, policies: Sequence[HedgePolicy] | None = None) -> int:
        """Write into the records of orders that were refused after all that nothing was traded, and why; answers how many."""
        policies = objects_read(HedgePolicy, DUE, self.account.pk) if policies is None else policies
        if not policies:
            return 0
        ids = [policy.pk for policy in policies]
        refused = rows_read(HedgeRecord, ("id", "order_id"), REFUSED.format(policies=places(ids)), *ids)
        orders = [order for _, order in refused]
        reasons = dict(rows_read(Order, ("id", "status_reason"), f"id IN {places(orders)}", *orders)) if orders else {}
        return rows_update(HedgeRecord, ("quantity", "detail"), [(Decimal(0), reasons[order], pk) for pk, order in refused])

    @transaction.atomic
    def _look(self, policy: HedgePolicy, close: "_Close") -> HedgeRecord | None:
        """The record of `policy` at this close, new in the database; None where there is one, or nothing left to do."""
        if rows_read(HedgeRecord, ("id",), LOOKED_AT, policy.pk, close.session):
            return None
        own = close.hedge_of(policy)
        if policy.state == State.STOPPED and not any(abs(row.quantity) >= 1 for row in own):
            return None
        record = self._day(policy, close, own)
        look = policy_look(policy, close.held(own), close.measures, equity=float(close.equity), costs=self.costs)
        if look.hedge is not None:
            record.exposure, record.wanted, record.band = map(money, (look.hedge.exposure, look.hedge.wanted, look.hedge.band))
        if policy.state == State.ON:
            judged = self._review(policy, record, float(close.equity))
            record.variance_removed = optional(ratio, _bounded(judged.variance_removed))
            if judged.fault:
                hedge_policy_stop(policy=policy, reason=judged.fault)
        self._act(policy, close, own, look, record)
        row_insert(record)
        return record

    # --- what the day brought

    def _day(self, policy: HedgePolicy, close: "_Close", own: Sequence[Row]) -> HedgeRecord:
        """The record with the day's P&L and cost; the cost is part of the P&L."""
        last = rows_read(HedgeRecord, ("total_pnl",), BEFORE, policy.pk, close.session)
        total = sum((row.pnl for row in own), ZERO)
        return HedgeRecord(
            policy=policy,
            session=close.session,
            total_pnl=total,
            hedge_pnl=total - (last[0][0] if last else ZERO),
            hedge_cost=self._cost(close.session, own),
            account_pnl=close.account_pnl,
        )

    def _cost(self, session: date, own: Sequence[Row]) -> Decimal:
        """Commissions of the session's fills as they were booked, and half spread and slippage as the model has them."""
        ids = [row.id for row in own]
        if not ids:
            return ZERO
        fills = rows_read(Fill, ("amount", "commission"), FILLED.format(positions=places(ids)), self.account.pk, session, *ids)
        return money(sum((commission + trading_cost(self.costs, amount) for amount, commission in fills), ZERO))

    def _review(self, policy: HedgePolicy, today: HedgeRecord, equity: float) -> Review:
        """Judge the policy by what its hedge did since it was switched on; the first look only marks that moment."""
        if policy.since is None:
            policy.since = today.session
            policy.save(update_fields=["since", "updated_at"])
        if policy.since == today.session:
            return Review(None, 0, 0.0)
        names = ("account_pnl", "hedge_pnl", "hedge_cost")
        rows = rows_read(HedgeRecord, names, REVIEWED, policy.pk, policy.since, policy.review_sessions)
        rows = [*reversed(rows), tuple(getattr(today, name) for name in names)]
        return review([Day(*map(float, row)) for row in rows], sessions=policy.review_sessions, equity=equity)

    # --- what follows

    def _act(self, policy: HedgePolicy, close: "_Close", own: Sequence[Row], look: Look, record: HedgeRecord) -> None:
        """Order what the look asks for, or all of a stopped hedge back; note in `record` what became of it."""
        held = next((row for row in own if row.quantity), None)
        if policy.state == State.STOPPED:
            shares, record.detail = -int(held.quantity) if held else 0, policy.state_reason[:255]
        elif look.hedge is None:
            shares, record.detail = 0, look.reason[:255]
        else:
            shares = look.hedge.shares
        if not shares:
            return
        ticket = self._ticket(policy, close.session, shares, held)
        hindrance = self._hindrance(policy, close, own, ticket)
        if hindrance:
            record.detail = hindrance[:255]
            return
        try:
            with transaction.atomic():
                order = ticket_place(ticket=ticket, actor=ACTOR, panel=self.panel, session=close.session)
        except (InvalidInput, Conflict, NotAllowed, DataMissing) as error:
            record.detail = f"{error.code}: {error.message}"[:255]
            return
        record.order = order
        if order.status == OrderStatus.DENIED:
            record.detail = order.status_reason
            return
        record.quantity = quantity(Side(ticket.side).sign * ticket.quantity)
        record.detail = record.detail or self._expectation(order, look)

    def _ticket(self, policy: HedgePolicy, session: date, shares: int, held: Row | None) -> Ticket:
        """A market order for the next open. One that would turn the hedge round closes it first: the broker nets a symbol, and
        the rest follows at the next look."""
        reducing = held is not None and held.quantity * shares < 0
        count = min(abs(shares), abs(int(held.quantity))) if reducing else abs(shares)
        purpose = Purpose.ENTRY
        if reducing:
            purpose = Purpose.EXIT if count == abs(held.quantity) else Purpose.REDUCE
        return Ticket(
            account=self.account,
            symbol=policy.symbol,
            side=Side.BUY if shares > 0 else Side.SELL,
            quantity=Decimal(count),
            purpose=purpose,
            origin=Origin.HEDGE,
            position=objects_read(Position, "id = %s", held.id)[0] if reducing else None,
            group=hedge_group(policy),
            key=f"hedge:{policy.kind}:{policy.symbol}:{session}",
        )

    def _hindrance(self, policy: HedgePolicy, close: "_Close", own: Sequence[Row], ticket: Ticket) -> str:
        """What keeps a ticket from being placed now; empty where nothing does."""
        if close.state == Account.State.HALTED:
            return "HALTED: The account is halted: nothing is hedged."
        if close.state == Account.State.REDUCING and ticket.purpose == Purpose.ENTRY:
            return "REDUCING: The account only reduces: the hedge is not made larger."
        ours = {row.id for row in own}
        working = rows_read(Order, ("group", "position_id"), WORKING, self.account.pk, policy.symbol, *sorted(OPEN))
        if any(group == ticket.group or position in ours for group, position in working):
            return "ORDER_OPEN: An order of this hedge is still open: it is looked at again at the next close."
        return ""

    def _expectation(self, order: Order, look: Look) -> str:
        if order.awaits:
            return f"AWAITS_CONFIRMATION: {order.awaits}"[:255]
        cost = money(estimated_cost(self.costs, int(order.quantity), Decimal(str(look.price))))
        return f"ORDERED: {order.side} {order.quantity.normalize():f} {order.symbol}, expected to cost about {cost}."


class _Close:
    """An account at the close of a session, read once for all its policies."""

    def __init__(self, account: Account, panel: Panel, session: date):
        self.account, self.session = account, session
        self.measures = Measures(panel, panel.index(session))
        books = account_state(account=account, session=session)
        self.equity = books.equity
        self.account_pnl = books.equity - (books.previous.total_equity if books.previous else ZERO) - books.net_flow
        self.state = rows_read(Account, ("state",), "id = %s", account.pk)[0][0]
        self.open = [Row(*row) for row in rows_read(Position, Row._fields, HELD, account.pk)]

    def hedge_of(self, policy: HedgePolicy) -> list[Row]:
        """All that was ever held for `policy`: what is open of it, and what is closed."""
        rows = [row for row in self.open if row.strategy_id is None and row.symbol == policy.symbol]
        rows += [Row(*row) for row in rows_read(Position, Row._fields, CLOSED, self.account.pk, policy.symbol)]
        return [row for row in rows if row.group == hedge_group(policy)]

    def held(self, own: Sequence[Row]) -> list[Held]:
        """Every open position; those of `own` are the hedge itself."""
        ours = {row.id for row in own}
        return [Held(row.symbol, float(row.quantity), row.id in ours) for row in self.open]


def _bounded(value: float | None) -> float | None:
    """A ratio that its column can hold: a hedge that made the variance thousands of times larger is no longer measured."""
    return None if value is None else max(value, -9999.0)
