"""A state machine over the order path: any order of sends, faults, deaths, late arrivals, cancels, sessions and halts."""

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from quant_site.core.errors import QuantError
from quant_site.core.models import Account
from tests.orders_world import DAYS, account_of, broker_of
from trading.brokers.base import BrokerUnclear, OrderRequest
from trading.models import Fill, Order, OrderEvent, PaperFill, PaperOrder, Position
from trading.order_path.orders import order_cancel, order_create, order_send, orders_resolve, orders_send_ready, orders_sync
from trading.order_path.states import TERMINAL, TRANSITIONS, UNSENT, OrderStatus
from trading.vocabulary import OrderType, Purpose

FAULTS = ("none", "lost request", "lost reply", "dies before", "dies after", "late")
BARS = {symbol: [(100.0, 103.0, 97.0, 100.0)] * len(DAYS) for symbol in ("AAA", "BBB")}


class Died(BaseException):
    """A kill -9."""


class Wire:
    """The paper broker behind a wire that loses requests and replies, delays them, or kills the sender."""

    def __init__(self, broker):
        self.broker, self.fault = broker, "none"
        self.late: list[OrderRequest] = []
        self.accepted: list[str] = []

    def __getattr__(self, name):
        return getattr(self.broker, name)

    def deliver(self, request):
        known = PaperOrder.objects.filter(client_order_id=request.client_order_id).exists()
        ack = self.broker.place(request)
        if not known:
            self.accepted.append(request.client_order_id)
        return ack

    def place(self, request):
        fault, self.fault = self.fault, "none"
        if fault == "dies before":
            raise Died
        if fault == "lost request":
            raise TimeoutError
        if fault == "late":
            self.late.append(request)
            raise TimeoutError
        ack = self.deliver(request)
        if fault == "lost reply":
            raise BrokerUnclear("HTTP_502", "bad gateway")
        if fault == "dies after":
            raise Died
        return ack


class OrderPath(RuleBasedStateMachine):
    count = 0

    @initialize()
    def begin(self):
        type(self).count += 1
        self.name, self.number, self.day = f"machine{self.count}", 0, 0
        self.broker = Wire(broker_of(BARS, account_id=self.name))
        self.account = account_of(self.name)
        self.sent_while_halted = 0
        self.session()

    def orders(self):
        return Order.objects.filter(account=self.account).order_by("pk")

    def pick(self, index, **where):
        rows = list(self.orders().filter(**where))
        return rows[index % len(rows)] if rows else None

    @rule(symbol=st.sampled_from(["AAA", "BBB", "ZZZ"]), kind=st.sampled_from(["MKT", "LMT", "far"]), again=st.booleans())
    def create(self, symbol, kind, again):
        self.number += not again
        limit = {"MKT": None, "LMT": 98, "far": 50}[kind]
        values = {"symbol": symbol, "order_type": OrderType.MARKET if limit is None else OrderType.LIMIT, "limit_price": limit}
        try:
            order_create(
                account=self.account,
                purpose=Purpose.ENTRY,
                side="BUY",
                quantity=1 + self.number % 3,
                session=DAYS[0],
                leg=self.number,
                **values,
            )
        except QuantError as error:
            assert error.code == "order_differs"

    @rule(index=st.integers(0, 9), fault=st.sampled_from(FAULTS))
    def send(self, index, fault):
        order = self.pick(index, status__in=UNSENT)
        if order is not None:
            self.broker.fault = fault
            before, halted = len(self.broker.accepted), Account.objects.get(pk=self.name).state == "HALTED"
            try:
                order_send(order, self.broker)
            except Died:
                assert fault.startswith("dies")
            self.sent_while_halted += halted and len(self.broker.accepted) > before
            self.broker.fault = "none"

    @rule()
    def send_all(self):
        orders_send_ready(self.account, self.broker)

    @rule()
    def resolve(self):
        orders_resolve(self.account, self.broker, exclusive=True)

    @rule()
    def arrive_late(self):
        while self.broker.late:
            try:
                self.broker.deliver(self.broker.late.pop())
            except QuantError as error:
                assert error.code in {"FENCED", "UNKNOWN_SYMBOL"}

    @rule(index=st.integers(0, 9))
    def cancel(self, index):
        order = self.pick(index)
        if order is not None:
            order_cancel(order, self.broker)

    @rule()
    def session(self):
        self.day += 1
        for step in (self.broker.open_session, self.broker.trade_session, self.broker.close_session):
            step(self.name, DAYS[self.day])

    @rule()
    def sync(self):
        for day in DAYS[1 : self.day + 1]:
            orders_sync(self.account, self.broker, day)

    @rule(state=st.sampled_from(["ACTIVE", "ACTIVE", "HALTED"]))
    def switch(self, state):
        Account.objects.filter(pk=self.name).update(state=state)

    @invariant()
    def no_order_is_doubled_and_each_has_its_row(self):
        assert len(self.broker.accepted) == len(set(self.broker.accepted))
        assert set(self.broker.accepted) <= set(self.orders().values_list("client_order_id", flat=True))
        assert not self.sent_while_halted

    @invariant()
    def events_replay_to_the_row_by_moves_the_table_has(self):
        trails: dict[int, list] = {}
        for order, number, before, after in OrderEvent.objects.filter(order__account=self.account).values_list(
            "order_id", "sequence", "from_status", "to_status"
        ):
            trails.setdefault(order, []).append((number, before, after))
        for order in self.orders():
            trail = sorted(trails[order.pk])
            assert [step[0] for step in trail] == list(range(1, order.version + 1))
            assert all(first[2] == second[1] for first, second in pairwise(trail))
            assert all(after == before or after in TRANSITIONS[OrderStatus(before)] for _, before, after in trail[1:])
            assert trail[-1][2] == order.status

    @invariant()
    def what_ended_did_so_on_evidence(self):
        at_broker = dict(PaperOrder.objects.filter(account_id=self.name).values_list("client_order_id", "status"))
        for order in self.orders().filter(status__in=TERMINAL):
            if order.fence:
                found = at_broker.get(order.client_order_id)
                assert order.status == found or (order.status in ("CANCELLED", "DENIED") and found is None)
            else:
                assert order.client_order_id not in at_broker

    @invariant()
    def fills_are_those_of_the_broker(self):
        ours = Fill.objects.filter(account=self.account).values_list("fill_id", "quantity", "price", "commission")
        theirs = PaperFill.objects.filter(account_id=self.name).values_list("fill_id", "quantity", "price", "commission")
        assert set(ours) <= set(theirs)

    def teardown(self):
        """Once the faults stop, everything resolves."""
        if not hasattr(self, "account"):
            return
        Account.objects.filter(pk=self.name).update(state="ACTIVE")
        self.arrive_late()
        self.resolve()
        self.send_all()
        self.sync()
        assert not self.orders().filter(status__in=["INTENT", "READY", "SENDING", "UNKNOWN"]).exists()
        assert Fill.objects.filter(account=self.account).count() == PaperFill.objects.filter(account_id=self.name).count()
        bought = sum(Fill.objects.filter(account=self.account).values_list("quantity", flat=True), Decimal(0))
        assert bought == sum(self.broker.positions(self.name).values(), Decimal(0))
        assert not Position.objects.filter(account=self.account).exists()


@pytest.mark.django_db
def test_no_order_of_events_doubles_loses_or_invents_anything():
    run_state_machine_as_test(
        OrderPath,
        settings=settings(max_examples=12, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True),
    )
