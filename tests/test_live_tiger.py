"""A real account at Tiger from end to end: the sweeper's rounds over the real SDK, against a gateway in a process of its own."""

from decimal import Decimal

import pytest

from quant_site.core import clock
from quant_site.core.models import Account, OutboxEvent
from quant_site.market.models import Instrument
from quant_site.market.sessions import last_completed_session
from quant_site.market.tiger import budget
from tests.fake_tiger.client import FakeTiger
from tests.harness.workspace import MovedClock
from tests.live_world import live_account
from tests.orders_world import DAYS, FLAT, panel_of
from tests.tiger_world import tiger_settings
from trading.control.senders import boot_register
from trading.models import Arming, Fill, Order, Position, Reconciliation, SenderBoot, SymbolHalt
from trading.order_path import sweeper
from trading.order_path.exits import structure_exit
from trading.order_path.orders import order_create
from trading.vocabulary import OrderType, Origin, Purpose

pytestmark = pytest.mark.django_db
D = Decimal
CONDOR = {
    "AAA190315P00085000": ("BUY", "0.60"),
    "AAA190315P00090000": ("SELL", "1.20"),
    "AAA190315C00110000": ("SELL", "1.50"),
    "AAA190315C00115000": ("BUY", "0.70"),
}


def identifier(symbol: str) -> str:
    """As the exchange writes it, with the name filled up to six places."""
    return f"{symbol[:-15]:<6}{symbol[-15:]}"


class Desk:
    def __init__(self, tiger: FakeTiger, account: Account):
        self.tiger, self.account = tiger, account

    def round(self) -> str:
        return sweeper.sweep()[self.account.pk]

    def starts(self) -> None:
        """A process that sends starts, compares, and a person arms the account."""
        boot_register("sweeper")
        self.round()
        boot = SenderBoot.objects.latest("pk")
        Arming.objects.create(account=self.account, open_key=self.account.pk, boot=boot, armed_by=self.account.owner)

    def wants(self, symbol="AAA", quantity=5, **fields) -> Order:
        values = {"order_type": OrderType.MARKET, "decision_price": 100, "origin": Origin.MANUAL, "key": f"{symbol} {quantity}"} | fields
        return order_create(
            account=self.account, purpose=Purpose.ENTRY, symbol=symbol, side="BUY", quantity=quantity,
            session=last_completed_session(clock.now()), **values,
        )  # fmt: skip


@pytest.fixture
def desk(tmp_path, settings, monkeypatch):
    panel = panel_of({symbol: [FLAT] * len(DAYS) for symbol in ("AAA", "BBB")})
    for symbol in ("AAA", "BBB"):
        Instrument.objects.get_or_create(symbol=symbol)
    with MovedClock().everywhere(clock) as moved, FakeTiger(tmp_path, kind="GLOBAL") as tiger:
        tiger.clock_skew(moved.offset)
        for symbol in ("AAA", "BBB"):
            tiger.quote(symbol, bid=100, ask=100, last=100)
        for symbol, (_, paid) in CONDOR.items():
            tiger.quote(identifier(symbol), bid=paid, ask=paid, last=paid)
        settings.REAL_TRADING, settings.TIGER = True, tiger_settings(tiger, timeout=1)
        monkeypatch.setattr(sweeper, "panel_load", lambda: panel)
        monkeypatch.setattr(budget, "take", lambda method, urgent=False: 0.0)
        monkeypatch.setattr(budget, "exhaust", lambda method: None)
        account = live_account(arm=False, max_adv_pct=1, max_position_pct=1, allow_short=True)
        yield Desk(tiger, account)


def test_an_iron_condor_is_opened_and_closed_as_one_order_each(desk):
    desk.starts()
    legs = [{"symbol": symbol, "side": side, "ratio": 1, "decision": paid} for symbol, (side, paid) in CONDOR.items()]
    terms = {"order_type": OrderType.LIMIT, "limit_price": D("-1.40"), "decision_price": None}
    opening = desk.wants("AAA/condor", 2, legs=legs, group="AAA/condor", **terms)
    said = desk.round()
    opening.refresh_from_db()
    assert (opening.status, opening.status_reason) == ("ACKED", ""), said
    [known] = desk.tiger.journal.orders()
    assert (known.contract.sec_type, len(known.legs), known.limit_price) == ("MLEG", 4, D("-1.40"))
    desk.tiger.fill(known.id, prices=[CONDOR[symbol][1] for symbol in sorted(CONDOR)])
    desk.round()
    opening.refresh_from_db()
    assert (opening.status, opening.filled_quantity, opening.average_fill_price) == ("FILLED", D(2), D("-1.40"))
    held = dict(Position.objects.filter(account=desk.account, exit_session=None).values_list("symbol", "quantity"))
    assert held == {symbol: D(2) if side == "BUY" else D(-2) for symbol, (side, _) in CONDOR.items()}
    positions = list(Position.objects.filter(account=desk.account).select_related("account", "signal", "strategy").order_by("symbol"))
    closing = structure_exit(positions, session=last_completed_session(clock.now()))
    desk.round()
    _, known = desk.tiger.journal.orders()
    assert (known.contract.sec_type, len(known.legs)) == ("MLEG", 4)
    desk.tiger.fill(known.id, prices=["0.10"] * 4)
    desk.round()
    closing.refresh_from_db()
    assert closing.status == "FILLED"
    assert not Position.objects.filter(account=desk.account, exit_session=None).exists()
    assert Fill.objects.filter(account=desk.account).count() == 8
    assert len(desk.tiger.journal.calls("place_order")) == 2
    later(61)
    desk.round()
    assert Reconciliation.objects.latest("pk").agrees, Reconciliation.objects.latest("pk").differences


def test_a_structure_that_a_person_trades_elsewhere_is_taken_over_with_its_legs(desk):
    desk.starts()
    legs = [
        {"symbol": "AAA", "sec_type": "OPT", "expiry": "2019-03-15", "strike": str(int(symbol[-8:]) / 1000), "right": right, "action": side,
         "ratio": 1}
        for symbol, (side, _) in CONDOR.items() for right in ["PUT" if symbol[9] == "P" else "CALL"]
    ]  # fmt: skip
    theirs = desk.tiger.external_order("AAA", "BUY", 2, limit_price="-1.40", sec_type="MLEG", combo_type="CUSTOM", contract_legs=legs)
    later(61)
    desk.round()
    adopted = Order.objects.get(origin=Origin.EXTERNAL)
    assert {leg["symbol"]: leg["side"] for leg in adopted.legs} == {symbol: side for symbol, (side, _) in CONDOR.items()}
    desk.tiger.fill(theirs, prices=[CONDOR[symbol][1] for symbol in sorted(CONDOR)])
    desk.round()
    later(61)
    desk.round()
    adopted.refresh_from_db()
    assert (adopted.status, adopted.filled_quantity) == ("FILLED", D(2))
    held = dict(Position.objects.filter(account=desk.account, exit_session=None).values_list("symbol", "quantity"))
    assert held == {symbol: D(2) if side == "BUY" else D(-2) for symbol, (side, _) in CONDOR.items()}
    assert Reconciliation.objects.latest("pk").agrees, Reconciliation.objects.latest("pk").differences
    desk.account.refresh_from_db()
    assert desk.account.state == "ACTIVE"


def later(seconds: float) -> None:
    MovedClock.current.offset += seconds


def test_a_reply_that_never_comes_leaves_the_symbol_blocked_told_of_and_the_order_unsent_for_ever(desk):
    desk.starts()
    desk.tiger.fault("place_order", "never")
    order = desk.wants()
    began = MovedClock.current.wall()
    desk.round()
    order.refresh_from_db()
    assert (order.status, MovedClock.current.wall() - began < 10) == ("UNKNOWN", True)
    assert OutboxEvent.objects.filter(type="alert.critical", account_id=desk.account.pk).count() == 1
    following, other = desk.wants(quantity=6), desk.wants("BBB", 4)
    for _ in range(3):
        desk.round()
    following.refresh_from_db()
    other.refresh_from_db()
    assert (following.status, other.status) == ("INTENT", "ACKED")
    assert SymbolHalt.objects.get(open_key__isnull=False).symbol == "AAA"
    assert [call for call in desk.tiger.journal.orders() if call.contract.symbol == "AAA"] == []
    assert len(desk.tiger.journal.calls("place_order")) == 2, "the unknown one once, and the other symbol's"


def test_a_lost_reply_is_found_again_by_the_next_round(desk):
    desk.starts()
    desk.tiger.fault("place_order", "lose_reply")
    order = desk.wants()
    desk.round()
    order.refresh_from_db()
    if order.status == "UNKNOWN":
        desk.round()
    order.refresh_from_db()
    [known] = desk.tiger.journal.orders()
    assert (order.status, order.broker_order_id) == ("ACKED", str(known.id))
    assert not SymbolHalt.objects.filter(open_key__isnull=False).exists()


@pytest.mark.parametrize("fault", [{"kind": "error", "code": 4, "message": "forbidden"}, {"kind": "http", "status": 429}])
def test_being_told_to_slow_down_is_no_refusal_and_doubles_nothing(desk, fault):
    desk.starts()
    kind = fault.pop("kind")
    desk.tiger.fault("place_order", kind, **fault)
    order = desk.wants()
    for _ in range(3):
        desk.round()
    order.refresh_from_db()
    assert order.status == "UNKNOWN"
    assert (len(desk.tiger.journal.orders()), len(desk.tiger.journal.calls("place_order"))) == (0, 1)


def test_inactive_is_a_refusal_with_its_reason_and_invalid_is_an_end(desk):
    desk.starts()
    first, second = desk.wants(), desk.wants("BBB", 4, order_type=OrderType.LIMIT, limit_price=D(99))
    desk.round()
    desk.tiger.reject(first.client_order_id, "Insufficient margin")
    desk.tiger.expire(second.client_order_id)
    desk.round()
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.status, "Insufficient margin" in first.status_reason, second.status) == ("REJECTED", True, "EXPIRED")
