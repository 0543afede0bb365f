"""The paper broker: a broker with a book of its own, that trades on stored bars.

It is used as a real one would be: it knows orders by the id their sender gave, refuses what a broker would refuse,
and answers with evidence. It never reads our orders or positions, and nothing else reads or writes its tables. Each
call is one transaction of its own under a lock on the paper account's row, so a process that dies within a call has
either made it or not.

How a session trades is in `paper_session`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property

import numpy as np
from django.db import transaction

from quant_site.core.errors import Conflict, NotFound
from quant_site.core.rows import objects_read, places, row_insert, rows_read, rows_update
from quant_site.core.types import Mode, Side, money
from quant_site.market.execution import CostModel
from quant_site.market.models import Instrument
from quant_site.market.options.closing import ClosingPrices, closing_mid
from quant_site.market.options.contracts import multiplier_of, parse_contract
from quant_site.market.options.lifecycle import trades_after
from quant_site.market.panel import Panel
from strategies.margin import margins
from trading.brokers.base import Ack, Activity, BrokerFill, BrokerOrder, BrokerRefused, BrokerUnclear, Evidence, OrderRequest
from trading.brokers.paper_session import PaperSession, SessionBars, signed_legs
from trading.models.paper import PaperAccount, PaperActivity, PaperFence, PaperFill, PaperHolding, PaperOrder
from trading.vocabulary import OrderType

LEVERAGE = 2
Phase, Status = PaperAccount.Phase, PaperOrder.Status
# How far a session has come, in the order it happens; `CLOSED` of the same session is its end.
NOT_OPENED, OPENED, TRADED, CLOSED = range(4)
# Entries that wait, and exits that are sure to trade.
ENTERING_OR_LEAVING = "account_id = %s AND status = 'WORKING' AND (NOT reducing OR order_type = 'MKT')"
OF_SESSION = "account_id = %s AND session = %s ORDER BY id"
WORKING_OLDEST_FIRST = "account_id = %s AND status = 'WORKING' ORDER BY id"
THIS_WORKING = "client_order_id = %s AND account_id = %s AND status = 'WORKING'"
FILL_FIELDS = ("fill_id", "order_id", "session", "quantity", "price", "commission", "filled_at", "symbol", "side")
ACTIVITY_FIELDS = ("activity_id", "kind", "session", "symbol", "quantity", "per_share", "amount")
ORDER_FIELDS = (
    "client_order_id", "status", "quantity", "limit_price", "stop_price", "filled_quantity", "average_fill_price", "commission",
    "split_ratio", "reason",
)  # fmt: skip


class PaperBroker:
    """Paper accounts over one panel. Raises `NotFound` for an account that was never opened, save in `place`."""

    mode = Mode.DRY_RUN
    simulated = True

    def __init__(self, panel: Panel, costs: CostModel | None = None):
        self.panel, self.costs = panel, costs or CostModel()

    # --- accounts

    def open_account(self, account_id: str, cash: Decimal) -> None:
        """Open an account with `cash`; one that exists stays as it is."""
        PaperAccount.objects.get_or_create(account_id=account_id, defaults={"cash": money(cash)})

    def positions(self, account_id: str) -> dict[str, Decimal]:
        return dict(rows_read(PaperHolding, ("symbol", "quantity"), "account_id = %s ORDER BY symbol", account_id))

    def cash(self, account_id: str) -> Decimal:
        return self._account(account_id).cash

    # --- orders

    def place(self, request: OrderRequest) -> Ack:
        """Take an order, once: the same id again gets the same answer. Refusals are remembered too.

        Raises `BrokerRefused`, and `BrokerUnclear` for a sender whose fence was given up: whoever holds a larger one
        knows better.
        """
        with transaction.atomic():
            known = rows_read(PaperOrder, ("status", "reason"), "client_order_id = %s", request.client_order_id)
            status, reason = known[0] if known else self._take(request)
        if status == Status.REJECTED:
            code, _, message = reason.partition(": ")
            raise BrokerRefused(code, message)
        return Ack(broker_order_id(request.client_order_id))

    def keeps_orders(self, account_id: str) -> bool:
        return True

    def reserve(self, account_id: str) -> str:
        """Nothing: it knows orders by our ids."""
        return ""

    def cancel(self, account_id: str, client_order_id: str) -> None:
        """Cancel what is still working; an order that is not stays as it is."""
        with transaction.atomic():
            self._account(account_id, lock=True)
            working = rows_read(PaperOrder, ("id",), THIS_WORKING, client_order_id, account_id)
            rows_update(PaperOrder, ("status", "reason"), [(Status.CANCELLED.value, "REQUESTED", pk) for (pk,) in working])

    def find(self, account_id: str, client_order_id: str, fence: int) -> Evidence:
        """The order, or the proof that no sender with a fence up to `fence` ever placed it nor ever can.

        The proof is kept as a row: `place` refuses those senders from then on, also one that wakes up late.
        """
        with transaction.atomic():
            self._account(account_id, lock=True)
            found = self.orders(account_id, [client_order_id]).get(client_order_id)
            if found is None:
                kept, _ = PaperFence.objects.get_or_create(
                    client_order_id=client_order_id, defaults={"account_id": account_id, "fence": fence}
                )
                PaperFence.objects.filter(pk=kept.pk, fence__lt=fence).update(fence=fence)
        return Evidence(found, final=True)

    def orders(self, account_id: str, client_order_ids: Iterable[str]) -> dict[str, BrokerOrder]:
        ids = sorted(client_order_ids)
        rows = rows_read(PaperOrder, ("account_id", *ORDER_FIELDS), f"client_order_id IN {places(ids)} ORDER BY id", *ids) if ids else []
        return {row[0]: BrokerOrder(row[0], broker_order_id(row[0]), *row[1:]) for account, *row in rows if account == account_id}

    def open_orders(self, account_id: str) -> list[BrokerOrder]:
        """What works, the oldest first. Nobody else places orders here."""
        ids = [row[0] for row in rows_read(PaperOrder, ("client_order_id",), WORKING_OLDEST_FIRST, account_id)]
        return list(self.orders(account_id, ids).values())

    def modify(
        self, account_id: str, client_order_id: str, quantity: Decimal, limit_price: Decimal | None, stop_price: Decimal | None
    ) -> None:
        """Change an order that is still working. Raises `BrokerRefused` for any other."""
        with transaction.atomic():
            self._account(account_id, lock=True)
            working = rows_read(PaperOrder, ("id",), THIS_WORKING, client_order_id, account_id)
            if not working or quantity <= 0:
                raise BrokerRefused("NOT_WORKING", f"There is no working order {client_order_id} to change.")
            rows_update(PaperOrder, ("quantity", "limit_price", "stop_price"), [(quantity, limit_price, stop_price, working[0][0])])

    def fills(self, account_id: str, session: date) -> list[BrokerFill]:
        rows = rows_read(PaperFill, FILL_FIELDS, OF_SESSION, account_id, session)
        orders = sorted({row[1] for row in rows})
        ours = dict(rows_read(PaperOrder, ("id", "client_order_id"), f"id IN {places(orders)}", *orders)) if orders else {}
        return [BrokerFill(fill_id, ours[order], *rest) for fill_id, order, *rest in rows]

    def activities(self, account_id: str, session: date) -> list[Activity]:
        return [Activity(*row) for row in rows_read(PaperActivity, ACTIVITY_FIELDS, OF_SESSION, account_id, session)]

    # --- what only a broker on the live clock knows

    def equity(self, account_id: str) -> None:
        """Our own snapshots say it: the same bars price both."""

    def preview(self, request: OrderRequest) -> None:
        """Nothing beyond what our own preview says."""

    def quote(self, symbol: str) -> None:
        """None: it trades on bars, session by session."""

    def server_time(self) -> None:
        """None: it has no clock of its own."""

    # --- the simulated market

    def progress(self, account_id: str, session: date) -> int:
        """How far `session` has come: NOT_OPENED, OPENED, TRADED or CLOSED."""
        return _progress(self._account(account_id), session)

    def open_session(self, account_id: str, session: date) -> bool:
        """Book what happens before the open, then trade at it; False when that changed nothing."""
        return any(self._run(account_id, session, OPENED)[1:])

    def trade_session(self, account_id: str, session: date) -> bool:
        """Trade stops and limits within the day's range; False when that changed nothing."""
        return any(self._run(account_id, session, TRADED)[1:])

    def close_session(self, account_id: str, session: date) -> bool:
        """Settle the options that expire and let the day's unfilled DAY orders expire; False when that changed nothing."""
        return any(self._run(account_id, session, CLOSED)[1:])

    def run_session(self, account_id: str, session: date) -> tuple[int, bool, bool]:
        """Open the session, and where nothing happened that anybody would act on take it to its end at once. Answers how far it
        has come, whether anything happened (True where it had been begun), and whether fees were charged."""
        return self._run(account_id, session, OPENED, until=CLOSED)

    @transaction.atomic
    def _run(self, account_id: str, session: date, target: int, *, until: int | None = None) -> tuple[int, bool, bool]:
        """Take the session to `target`, and on to `until` while nothing happens. The moves and all they cause commit
        together; a step that was made is not made again. Raises `Conflict` for a step or a session out of order."""
        account = self._account(account_id, lock=True)
        reached = _progress(account, session)
        if reached >= target:
            return reached, True, False
        if reached != target - 1:
            raise Conflict("paper_step", f"Session {session} of paper account {account_id} has not come that far.", reached=reached)
        if target == OPENED:
            self._check_no_gap(account, session)
        book = PaperSession(account, SessionBars(self.panel, session), self.costs)
        steps = (book.open, book.trade, book.close)
        acted = steps[reached]()
        while not acted and target < (until or target):
            acted = steps[target]()
            target += 1
        row = (session, target % CLOSED, book.cash, account_id, *([account.session, int(account.phase)] if account.session else []))
        where = "session = %s AND phase = %s" if account.session else "session IS NULL"
        if rows_update(PaperAccount, ("session", "phase", "cash"), [row], where=where) != 1:
            raise Conflict("paper_step", f"Another process moves paper account {account_id}.")
        return target, acted, book.charged

    def _check_no_gap(self, account: PaperAccount, session: date) -> None:
        """Sessions may be left out only while nothing is held and nothing works."""
        t = self.panel.index(session)
        if account.session is None or (t and self.panel.sessions[t - 1].astype(date) <= account.session):
            return
        works = PaperOrder.objects.filter(account_id=account.pk, status=Status.WORKING).exists()
        if works or PaperHolding.objects.filter(account_id=account.pk).exists():
            raise Conflict("paper_gap", f"Paper account {account.pk} stands at {account.session}: run the sessions before {session} first.")

    # --- what a broker refuses

    def _take(self, request: OrderRequest) -> tuple[str, str]:
        accounts = objects_read(PaperAccount, "account_id = %s", request.account_id, lock=True)
        if not accounts:
            raise BrokerRefused("NO_ACCOUNT", f"There is no paper account {request.account_id}.")
        account = accounts[0]
        fences = rows_read(PaperFence, ("fence",), "client_order_id = %s", request.client_order_id)
        if fences and request.fence <= fences[0][0]:
            raise BrokerUnclear("FENCED", f"A sender with fence {fences[0][0]} or less was given up; this one has {request.fence}.")
        reason = self._refusal(account, request) or ""
        order = PaperOrder(
            account_id=request.account_id,
            client_order_id=request.client_order_id,
            symbol=request.symbol,
            side=request.side,
            order_type=request.order_type,
            time_in_force=request.time_in_force,
            quantity=request.quantity,
            legs=[{"symbol": leg.symbol, "side": str(leg.side), "ratio": leg.ratio} for leg in request.legs],
            limit_price=request.limit_price,
            stop_price=request.stop_price,
            oca_group=request.oca_group,
            reducing=request.reducing,
            status=Status.REJECTED if reason else Status.WORKING,
            reason=reason[:255],
            session=_trades_after(account, request),
        )
        row_insert(order)
        return order.status, order.reason

    def _refusal(self, account: PaperAccount, request: OrderRequest) -> str | None:
        """ "CODE: sentence" where the order is refused: one of several legs as a whole, for whatever speaks against one of them."""
        day, symbols = account.session or request.session, [leg.symbol for leg in request.legs] or [request.symbol]
        refused = next((reason for symbol in symbols if (reason := self._refusal_of_symbol(symbol, day))), None)
        if refused is not None:
            return refused
        options = [symbol for symbol in symbols if parse_contract(symbol) is not None]
        if request.legs and not _trade_together(request, options):
            return "BAD_LEGS: Several different options, in whole numbers of each, trade as one here; shares trade one by one."
        if options and request.order_type != OrderType.MARKET:
            return "ORDER_TYPE: Options trade by market orders here."
        if request.quantity <= 0 or request.quantity != request.quantity.to_integral_value():
            return f"BAD_QUANTITY: {request.quantity} is not a whole, positive number."
        if _price_missing(request):
            return "BAD_PRICE: A limit order needs a limit above zero, a stop order a stop above zero."
        if options and request.reducing:
            return None
        unpriced = next((symbol for symbol in symbols if self._last_close(symbol, day) is None), None)
        if unpriced is not None:
            return f"NO_PRICE: {unpriced} has {'no quote' if options else 'not traded yet'}."
        return None if request.reducing else self._refusal_of_entry(account, request, day)

    def _refusal_of_symbol(self, symbol: str, day: date) -> str | None:
        contract = parse_contract(symbol)
        if not self.panel.knows(symbol):
            return f"UNKNOWN_SYMBOL: {symbol} is not known here."
        if contract is None and symbol not in self._tradable:
            return f"NOT_TRADABLE: {symbol} cannot be traded."
        if contract is not None and not trades_after(contract, day):
            return f"CONTRACT_ENDED: {symbol} does not trade after {day}."
        return None

    def _refusal_of_entry(self, account: PaperAccount, request: OrderRequest, day: date) -> str | None:
        """What of the order would turn a holding, or what it and all that is held and ordered would take more than is there. Legs
        count together: what is sold in an order is covered by what is bought in it."""
        holdings, left, ordered = self.positions(account.pk), Counter(), _traded(request)
        names = ("symbol", "side", "quantity", "legs", "reducing")
        for *columns, exits in rows_read(PaperOrder, names, ENTERING_OR_LEAVING, account.pk):
            if exits:
                left.update(dict(signed_legs(*columns)))
            else:
                ordered += signed_legs(*columns)
        for symbol, quantity in _traded(request):
            held = holdings.get(symbol, Decimal(0)) + left[symbol]
            if held * quantity < 0:
                side = Side.BUY if quantity > 0 else Side.SELL
                return f"OPPOSITE_HOLDING: {held:f} {symbol} are held: an opening {side} would turn through zero."
        gross = money(self._gross([*holdings.items(), *ordered], day))
        power = money(LEVERAGE * (account.cash + sum(self._worth(symbol, quantity, day) for symbol, quantity in holdings.items())))
        if gross > power:
            return f"BUYING_POWER: {gross} would be held or ordered; {power} is allowed."
        return None

    def _gross(self, quantities: list[tuple[str, Decimal]], day: date) -> Decimal:
        """Worth of shares regardless of sign, and of options, for which nothing is lent, `LEVERAGE` times what they can lose."""
        options: dict[str, Decimal] = defaultdict(Decimal)
        gross = Decimal(0)
        for symbol, quantity in quantities:
            if parse_contract(symbol) is None:
                gross += abs(self._worth(symbol, quantity, day))
            else:
                options[symbol] += quantity
        if not options:
            return gross
        locked = margins(options, ClosingPrices({}, self.panel, self._column(day)))
        worth = sum(self._worth(symbol, quantity, day) for symbol, quantity in options.items())
        return gross + LEVERAGE * (worth + money(sum(locked.values())))

    def _worth(self, symbol: str, quantity: Decimal, day: date) -> Decimal:
        return quantity * (self._last_close(symbol, day) or 0) * multiplier_of(symbol)

    @cached_property
    def _tradable(self) -> frozenset[str]:
        return frozenset(Instrument.objects.filter(tradable=True).values_list("symbol", flat=True))

    def _last_close(self, symbol: str, day: date) -> Decimal | None:
        """The last raw close up to `day`; of an option its mid at the close of `day`."""
        if parse_contract(symbol) is not None:
            mid = closing_mid(self.panel, symbol, self._column(day))
            return None if mid is None else Decimal(str(mid))
        if symbol not in self.panel:
            return None
        known = self.panel.close[self.panel.row(symbol), : self._column(day) + 1]
        for value in known[::-1]:
            if value == value:
                return Decimal(str(value))
        return None

    def _column(self, day: date) -> int:
        """The last column up to `day`."""
        return int(np.searchsorted(self.panel.sessions, np.datetime64(day, "D"), side="right")) - 1

    def _account(self, account_id: str, *, lock: bool = False) -> PaperAccount:
        accounts = objects_read(PaperAccount, "account_id = %s", account_id, lock=lock)
        if not accounts:
            raise NotFound("paper_account_not_found", f"There is no paper account {account_id}: open it first.")
        return accounts[0]


def broker_order_id(client_order_id: str) -> str:
    """Our id, as the paper broker would have numbered it: the same in every run."""
    return f"P-{client_order_id}"


def _traded(request: OrderRequest) -> list[tuple[str, Decimal]]:
    legs = [{"symbol": leg.symbol, "side": leg.side, "ratio": leg.ratio} for leg in request.legs]
    return signed_legs(request.symbol, request.side, request.quantity, legs)


def _trade_together(request: OrderRequest, options: list[str]) -> bool:
    several = len(set(options)) == len(request.legs) > 1
    return several and all(isinstance(leg.ratio, int) and leg.ratio > 0 for leg in request.legs)


def _progress(account: PaperAccount, session: date) -> int:
    if account.session is None or account.session < session:
        if account.phase != Phase.CLOSED:
            raise Conflict("paper_step", f"Paper account {account.pk} is still within session {account.session}.")
        return NOT_OPENED
    if account.session > session or account.phase == Phase.CLOSED:
        return CLOSED
    return account.phase


def _trades_after(account: PaperAccount, request: OrderRequest) -> date:
    """Stops and limits that arrive after the open and before the day's range is traded are live the same day. A market
    order is not: its price would be the open, which is known by then."""
    day = account.session or request.session
    live_today = account.phase == Phase.OPENED and request.order_type != OrderType.MARKET
    return day - timedelta(days=1) if live_today else day


def _price_missing(request: OrderRequest) -> bool:
    needed = {OrderType.LIMIT: request.limit_price, OrderType.STOP: request.stop_price, OrderType.MARKET: Decimal(1)}[request.order_type]
    return needed is None or needed <= 0
