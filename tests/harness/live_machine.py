"""Any order of what can happen to a live account: sends and their accidents, deaths at every statement, fills in parts, out of
order and twice, cancels that cross fills, changes, orders of others, halts, disarming, restarts, nights.

After each step the invariants hold; in the end the storm is over, two people settle what never arrived, and the books are
those of the broker to the cent.
"""

import random
from collections import Counter
from contextlib import ExitStack
from datetime import datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise

from django.contrib.auth.models import User
from django.db import connection
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from quant_site.core import clock
from quant_site.core.errors import QuantError
from quant_site.core.models import Account, AccountMember, OutboxEvent
from quant_site.core.stepup import confirmation_give
from quant_site.market.sessions import NEW_YORK, last_completed_session, market_is_open, next_session
from tests.harness.storm import CALL_FAULTS, INACTIVE, ORDER_FAULTS, PRICE, REJECTED, Died, StormDouble
from tests.live_world import CANCELLED, LAST_CLOSE, NOON, live_account
from tests.orders_world import DAYS, FLAT, instruments, panel_of
from trading.books.equity import account_state
from trading.books.ledger import account_fund
from trading.books.reconciliation import positions_held
from trading.brokers.base import EXPIRED, EXTERNAL, FILLED, WORKING
from trading.control.senders import boot_register
from trading.models import Arming, Fill, Order, OrderEvent, Position, Reconciliation, SenderBoot, SymbolHalt
from trading.order_path.changes import order_change_request
from trading.order_path.live import live_round
from trading.order_path.orders import order_cancel_request, order_create
from trading.order_path.settling import SETTLE, order_settle, settle_payload
from trading.order_path.states import OPEN, TERMINAL, TRANSITIONS, OrderStatus
from trading.order_path.states import WORKING as AT_BROKER
from trading.vocabulary import OrderType, Origin, Purpose, TimeInForce

D = Decimal
PASSWORD = "correct-horse-7"
SYMBOLS = {"AAA": "BUY", "BBB": "BUY", "CCC": "SELL"}
GROSS = D("0.02")
CASH = D(100_000)
faults = st.lists(st.sampled_from(ORDER_FAULTS), max_size=3)
call_faults = st.lists(st.sampled_from(CALL_FAULTS), max_size=2)


class LiveAccount(RuleBasedStateMachine):
    """One account. `count` numbers the accounts of a process, `steps` counts what all of them went through."""

    count = 0
    steps = 0

    @initialize()
    def begin(self):
        type(self).count += 1
        self.name = f"STORM-{self.count}"
        self.stack = ExitStack()
        self.now = self.stack.enter_context(clock.use(clock.VirtualClock(NOON)))
        instruments(*SYMBOLS, "EXT")
        bars = {symbol: [FLAT] * len(DAYS) for symbol in (*SYMBOLS, "EXT")}
        self.double = StormDouble(
            panel_of(bars), account_id=self.name, limit=CASH * GROSS * D("1.02"), quotes=dict.fromkeys(bars, PRICE), outside={"EXT"}
        )
        self.account = live_account(self.name, max_gross_exposure=GROSS, day_trade_rule="OFF")
        self.second = User.objects.create_user(f"second-{self.name}", password=PASSWORD)
        AccountMember.objects.create(account=self.account, user=self.second, role=AccountMember.Role.TRADE)
        account_fund(account=self.account, amount=CASH, session=LAST_CLOSE, key="initial")
        self.number = 0
        self.settled: set[int] = set()

    # --- what is wanted

    @rule(symbol=st.sampled_from(sorted(SYMBOLS)), quantity=st.integers(1, 9), at=st.sampled_from([None, 98, 100]), guarded=st.booleans())
    def wants(self, symbol, quantity, at, guarded):
        self.number += 1
        side, sign = SYMBOLS[symbol], 1 if SYMBOLS[symbol] == "BUY" else -1
        levels = {"stop_loss": PRICE - 5 * sign, "take_profit": PRICE + 20 * sign} if guarded else {}
        limit = None if at is None else PRICE + sign * (at - PRICE)
        order_create(
            account=self.fresh(), purpose=Purpose.ENTRY, symbol=symbol, side=side, quantity=quantity, session=self.day(),
            order_type=OrderType.MARKET if limit is None else OrderType.LIMIT, limit_price=limit, decision_price=PRICE,
            time_in_force=TimeInForce.DAY if limit is None else TimeInForce.GTC, key=f"wish {self.number}", origin=Origin.MANUAL, **levels,
        )  # fmt: skip

    @rule(index=st.integers(0, 9))
    def cancels(self, index):
        order = self.pick(index, status__in=OPEN)
        if order is not None:
            order_cancel_request(order=order, actor=self.account.owner)

    @rule(index=st.integers(0, 9), quantity=st.integers(1, 12))
    def changes(self, index, quantity):
        order = self.pick(index, status__in=AT_BROKER, cancel_requested=False, purpose=Purpose.ENTRY)
        if order is not None and quantity > order.filled_quantity and not order.client_order_id.startswith(EXTERNAL):
            order_change_request(order=order, changes={"quantity": D(quantity)}, actor=self.account.owner)

    # --- rounds, and how they end

    @rule(place=faults, cancel=call_faults, modify=call_faults)
    def round(self, place, cancel, modify):
        self.double.storms.clear()
        self.double.storms |= {"place": list(place), "cancel": list(cancel), "modify": list(modify)}
        self.run()
        self.double.storms.clear()

    @rule()
    def calm_round(self):
        self.run()

    @rule(at=st.integers(1, 160))
    def dies_at_a_statement(self, at):
        left = at

        def die(execute, sql, params, many, context):
            nonlocal left
            left -= 1
            if left == 0:
                raise Died
            return execute(sql, params, many, context)

        with connection.execute_wrapper(die):
            self.run()

    @rule(questions=st.integers(1, 6))
    def broker_is_away(self, questions):
        self.double.outage = questions
        self.run()
        self.double.outage = 0

    @rule(lagging=st.booleans(), hidden=st.integers(0, 2), seed=st.none() | st.integers(0, 9))
    def broker_is_behind(self, lagging, hidden, seed):
        self.double.lagging, self.double.hidden_fills = lagging, hidden
        self.double.telling = None if seed is None else random.Random(seed)

    def before_the_close(self) -> None:
        """Two rounds see what the day brought."""
        self.double.caught_up()
        self.run()
        self.run()

    def run(self) -> None:
        """One round; whatever the broker does, nothing but its own failures comes out of it."""
        try:
            live_round(self.fresh(), self.double)
        except (Died, QuantError):
            return

    # --- what happens at the broker

    @rule(index=st.integers(0, 9), quantity=st.integers(1, 9), cents=st.integers(-50, 50))
    @precondition(lambda self: market_is_open(self.now.now()))
    def fills(self, index, quantity, cents):
        key = self.working(index)
        left = self.double.left(key) if key else D(0)
        if left > 0:
            order = self.double.book[key]
            level = order.limit_price or order.stop_price or PRICE + D(cents) / 100
            self.double.fill(key, min(left, D(quantity)), level)

    @rule(index=st.integers(0, 9), status=st.sampled_from([CANCELLED, EXPIRED, REJECTED]))
    def ends(self, index, status):
        key = self.working(index)
        if key:
            self.double.ends(key, status, "It was ended there.")

    @rule()
    def arrives(self):
        self.double.arrive_late()

    @rule(quantity=st.integers(1, 9), symbol=st.sampled_from(["AAA", "EXT"]))
    def somebody_orders_elsewhere(self, quantity, symbol):
        if sum(key.startswith(EXTERNAL) for key in self.double.book) < 3:
            self.double.elsewhere(symbol, "BUY", quantity)

    # --- people and processes

    @rule(state=st.sampled_from(["ACTIVE", "ACTIVE", "REDUCING", "HALTED"]))
    def switch(self, state):
        Account.objects.filter(pk=self.name).update(state=state)

    @rule()
    def starts_again(self):
        boot_register("sweeper")

    @rule()
    def disarms(self):
        Arming.objects.filter(account=self.account).update(open_key=None)

    @rule()
    def arms(self):
        self.arm()

    @rule(index=st.integers(0, 9))
    def two_people_settle(self, index):
        order = self.pick(index, status="UNKNOWN")
        if order is not None:
            self.settle(order)

    @rule(seconds=st.sampled_from([2, 4, 15, 61]))
    def passes(self, seconds):
        self.now.move_to(self.now.now() + timedelta(seconds=seconds))

    @rule()
    @precondition(lambda self: market_is_open(self.now.now()))
    def closes(self):
        self.before_the_close()
        self.double.close()
        self.now.move_to(self.now.now().replace(hour=22))

    @rule()
    @precondition(lambda self: not market_is_open(self.now.now()) and last_completed_session(self.now.now()) < DAYS[-2])
    def opens(self):
        day = next_session(self.now.now().date())
        self.now.move_to(datetime.combine(day, time(12), NEW_YORK))

    # --- what must hold after each step

    @invariant()
    def counted(self):
        type(self).steps += 1

    @invariant()
    def no_order_is_doubled_and_each_of_ours_has_its_row(self):
        double = self.double
        assert set(double.accepted.values()) <= {1}, double.accepted
        rows = dict(self.orders().values_list("client_order_id", "broker_order_id"))
        for key, order in double.book.items():
            assert key.startswith(EXTERNAL) or key in rows
            assert rows.get(key, "") in ("", order.broker_order_id)

    @invariant()
    def nothing_was_sent_that_must_not_be(self):
        assert not self.double.broken, self.double.broken

    @invariant()
    def events_replay_to_the_row(self):
        trails: dict[int, list] = {}
        names = ("order_id", "sequence", "from_status", "to_status")
        for order, *step in OrderEvent.objects.filter(order__account=self.account).order_by("sequence").values_list(*names):
            trails.setdefault(order, []).append(step)
        for order in self.orders():
            trail = trails[order.pk]
            assert [step[0] for step in trail] == list(range(1, order.version + 1))
            assert all(first[2] == second[1] for first, second in pairwise(trail))
            assert all(after == before or after in TRANSITIONS[OrderStatus(before)] for _, before, after in trail[1:])
            assert trail[-1][2] == order.status
            assert sum(step[2] == "SENDING" != step[1] for step in trail) == order.fence <= 1

    @invariant()
    def what_ended_did_so_on_evidence(self):
        underway = {rest[0].client_order_id for what, *rest in self.double.underway if what == "place"}
        for order in self.orders().filter(status__in=TERMINAL):
            assert self.is_proven(order, underway), f"{order} became {order.status}: {order.status_reason}"

    def is_proven(self, order: Order, underway: set[str]) -> bool:
        found, key = self.double.book.get(order.client_order_id), order.client_order_id
        if order.fence == 0 and not key.startswith(EXTERNAL):
            return found is None and key not in underway and order.status != "FILLED"
        if order.pk in self.settled:
            return True
        if order.status == "FILLED":
            return found is not None and found.filled_quantity >= order.quantity
        if order.status == "REJECTED":
            return key in self.double.refused or (found is not None and found.status == REJECTED)
        ended = {"CANCELLED": (CANCELLED, REJECTED), "EXPIRED": (EXPIRED,)}
        return found is not None and found.status in ended.get(order.status, ()) and found.filled_quantity == order.filled_quantity

    @invariant()
    def fills_are_those_of_the_broker_once_each(self):
        theirs = {fill.fill_id: (fill.quantity, fill.price, fill.client_order_id) for fill in self.double.done}
        names = ("fill_id", "quantity", "price", "order__client_order_id")
        ours = {fill: tuple(rest) for fill, *rest in Fill.objects.filter(account=self.account).values_list(*names)}
        assert ours.items() <= theirs.items()
        filled = Counter()
        for quantity, _, key in ours.values():
            filled[key] += quantity
        assert all(filled[order.client_order_id] == order.filled_quantity for order in self.orders())

    @invariant()
    def what_is_unknown_was_told_at_once(self):
        halted = set(SymbolHalt.objects.filter(account=self.account).exclude(open_key=None).values_list("symbol", flat=True))
        for order in self.orders().filter(status="UNKNOWN"):
            assert order.symbol in halted
        told = OutboxEvent.objects.filter(account_id=self.name, type="alert.critical").count()
        assert told == SymbolHalt.objects.filter(account=self.account).count()

    # --- the end

    def teardown(self):
        if hasattr(self, "double"):
            try:
                self.everything_comes_to_rest()
            finally:
                self.stack.close()

    def everything_comes_to_rest(self):
        self.double.caught_up()
        self.double.arrive_late()
        Account.objects.filter(pk=self.name).update(state="ACTIVE")
        if not market_is_open(self.now.now()):
            self.opens()
        boot_register("sweeper")
        self.rounds(2)
        self.arm()
        self.rounds(3)
        for order in self.orders().filter(status="UNKNOWN"):
            assert order.client_order_id not in self.double.book
            self.settle(order)
        SymbolHalt.objects.filter(account=self.account).update(open_key=None)
        self.rounds(4)
        assert not self.orders().filter(status__in=["INTENT", "READY", "SENDING", "UNKNOWN"]).exclude(awaits__gt="").exists()
        for check in (self.no_order_is_doubled_and_each_of_ours_has_its_row, self.nothing_was_sent_that_must_not_be):
            check()
        self.events_replay_to_the_row()
        self.what_ended_did_so_on_evidence()
        assert Fill.objects.filter(account=self.account).count() == len(self.double.done)
        assert positions_held(self.account) == self.double.positions(self.name)
        assert account_state(account=self.account, session=self.now.now().date()).cash == self.double.balance
        assert Reconciliation.objects.filter(account=self.account).latest("pk").agrees
        self.protected_as_wanted()

    def protected_as_wanted(self):
        """Each position has one stop and one target at the broker over exactly what is held, and nothing else would close it."""
        wanted, works = Counter(), Counter()
        for position in Position.objects.filter(account=self.account, exit_session=None):
            for kind, level in (("STP", position.stop_price), ("LMT", position.target_price)):
                if level is not None:
                    wanted[position.symbol, kind, level, abs(position.quantity)] += 1
        reducing = {request.client_order_id for request in self.double.placed if request.reducing}
        for key, order in self.double.book.items():
            if key in reducing and order.status == WORKING:
                level = order.stop_price if order.order_type == "STP" else order.limit_price
                works[order.symbol, order.order_type, level, order.quantity - order.filled_quantity] += 1
        assert wanted == works

    # --- the parts

    def rounds(self, count: int) -> None:
        for _ in range(count):
            live_round(self.fresh(), self.double)
            self.now.move_to(self.now.now() + timedelta(seconds=61))

    def fresh(self) -> Account:
        return Account.objects.get(pk=self.name)

    def day(self):
        return last_completed_session(self.now.now())

    def orders(self):
        return Order.objects.filter(account=self.account).order_by("pk")

    def pick(self, index: int, **where) -> Order | None:
        rows = list(self.orders().filter(**where))
        return rows[index % len(rows)] if rows else None

    def working(self, index: int) -> str:
        keys = [key for key, order in self.double.book.items() if order.status == WORKING]
        return keys[index % len(keys)] if keys else ""

    def arm(self) -> None:
        boot = SenderBoot.objects.latest("pk")
        Arming.objects.filter(open_key=self.name).update(open_key=None)
        Arming.objects.create(account=self.account, open_key=self.name, boot=boot, armed_by=self.account.owner)

    def settle(self, order: Order) -> None:
        """Two people write down what the broker would have told them."""
        found = self.double.book.get(order.client_order_id)
        if found is None and any(
            what == "place" and rest[0].client_order_id == order.client_order_id for what, *rest in self.double.underway
        ):
            return
        outcome, number = ("NEVER_ARRIVED", "") if found is None else ("WORKING", found.broker_order_id)
        seen = {"outcome": outcome, "evidence": "We looked.", "broker_order_id": number}
        order_settle(order=order, actor=self.account.owner, **seen)
        given = confirmation_give(user=self.second, password=PASSWORD, action=SETTLE, payload=settle_payload(order, outcome, number))
        order_settle(order=order, actor=self.second, confirmation_id=given.pk, **seen)
        self.settled |= {order.pk} if found is None else set()


__all__ = ["FILLED", "INACTIVE", "LiveAccount"]
