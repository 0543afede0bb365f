"""Tickets: what people, plans, alerts and hedges order, judged at once, confirmed where it is of high risk, sent by nobody here."""

from decimal import Decimal

import pytest
from django.contrib.auth.models import User

from quant_site.core import clock
from quant_site.core.errors import Conflict, InvalidInput, NotAllowed
from quant_site.core.models import Account, AuditLog, OutboxEvent
from quant_site.core.services import account_create
from quant_site.core.stepup import confirmation_give
from quant_site.market.sessions import session_close
from tests.orders_world import DAYS, FLAT, instruments, panel_of
from trading.books.ledger import account_fund
from trading.models import Order, PaperOrder, Position
from trading.order_path.previews import ticket_preview
from trading.order_path.tickets import CONFIRM, Ticket, order_confirm, order_payload, ticket_place
from trading.vocabulary import OrderType, Origin, Purpose

pytestmark = pytest.mark.django_db
D = Decimal
PASSWORD = "correct-horse-7"


@pytest.fixture(autouse=True)
def closed_day(monkeypatch):
    instruments("AAA", "BBB")
    panel = panel_of({"AAA": [FLAT] * 6, "BBB": [FLAT] * 6})
    monkeypatch.setattr("trading.order_path.tickets.panel_load", lambda: panel)
    monkeypatch.setattr("trading.order_path.previews.panel_load", lambda: panel)
    with clock.use(clock.VirtualClock(session_close(DAYS[5]))):
        yield


@pytest.fixture
def owner():
    return User.objects.create_user("owner", password=PASSWORD)


@pytest.fixture
def account(owner):
    account = account_create(id="DESK", owner=owner, max_position_pct=D("0.5"), max_adv_pct=1)
    account_fund(account=account, amount=D(100_000), session=DAYS[0], key="initial")
    return account


def limits(account, **fields) -> Account:
    Account.objects.filter(pk=account.pk).update(**fields)
    account.refresh_from_db()
    return account


def ticket(account, quantity=10, **fields) -> Ticket:
    values = {"symbol": "AAA", "side": "BUY", "key": f"k{quantity}", "quantity": D(quantity)} | fields
    return Ticket(account=account, **values)


def code(order) -> str:
    return order.status_reason.partition(":")[0]


def test_a_ticket_becomes_an_intent_and_nothing_is_sent(account, owner):
    order = ticket_place(ticket=ticket(account, stop_loss=D(95), take_profit=D(110)), actor=owner)
    assert (order.status, order.origin, order.stop_loss, order.take_profit) == ("INTENT", "MANUAL", D(95), D(110))
    assert (order.decision_price, order.session, order.awaits) == (D(100), DAYS[5], "")
    assert PaperOrder.objects.count() == 0
    assert AuditLog.objects.get(action_type="ORDER_CREATE").actor == "owner"


def test_the_same_key_is_the_same_order_and_another_content_is_a_conflict(account, owner):
    first = ticket_place(ticket=ticket(account), actor=owner)
    assert ticket_place(ticket=ticket(account), actor=owner).pk == first.pk
    with pytest.raises(Conflict, match="quantity"):
        ticket_place(ticket=ticket(account, quantity=11, key="k10"), actor=owner)
    assert Order.objects.count() == 1


def test_what_would_be_denied_when_it_is_sent_is_denied_at_once_with_the_check_that_says_so(account, owner):
    order = ticket_place(ticket=ticket(account, quantity=600), actor=owner)
    assert (order.status, code(order)) == ("DENIED", "SINGLE_NAME")
    evidence = order.events.order_by("sequence").last().evidence
    assert [each["code"] for each in evidence["violations"]] == ["SINGLE_NAME"]


def test_a_halted_account_takes_no_ticket(account, owner):
    limits(account, state="HALTED")
    assert code(ticket_place(ticket=ticket(account), actor=owner)) == "HALTED"


def test_what_other_tickets_would_buy_counts(account, owner):
    assert ticket_place(ticket=ticket(account, quantity=400), actor=owner).status == "INTENT"
    assert code(ticket_place(ticket=ticket(account, quantity=401), actor=owner)) == "SINGLE_NAME"


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"symbol": "ZZZ"}, "not known"),
        ({"quantity": D(0)}, "above zero"),
        ({"quantity": D("NaN")}, "finite"),
        ({"order_type": OrderType.LIMIT}, "needs"),
        ({"limit_price": D(99)}, "has no"),
        ({"order_type": OrderType.LIMIT, "limit_price": D(99), "stop_loss": D(100)}, "wrong side"),
        ({"order_type": OrderType.LIMIT, "limit_price": D(99), "take_profit": D(98)}, "wrong side"),
        ({"stop_loss": D(110), "take_profit": D(90)}, "wrong way round"),
        ({"stop_loss": D(-1)}, "above zero"),
        ({"purpose": Purpose.EXIT, "side": "SELL"}, "names the position"),
    ],
)
def test_what_no_order_can_be_is_refused_with_what_to_do(account, owner, fields, wrong):
    with pytest.raises(InvalidInput, match=wrong):
        ticket_place(ticket=ticket(account, **fields), actor=owner)
    assert Order.objects.count() == 0


def test_who_may_only_look_orders_nothing_and_nobody_orders_on_a_replay(account, owner):
    with pytest.raises(NotAllowed, match="not trade"):
        ticket_place(ticket=ticket(account), actor=User.objects.create_user("other"))
    with pytest.raises(NotAllowed, match="replay"):
        ticket_place(ticket=ticket(limits(account, is_replay=True)), actor=owner)


# --- the second confirmation


def confirmation(owner, order):
    return confirmation_give(user=owner, password=PASSWORD, action=CONFIRM, payload=order_payload(order)).pk


def test_an_order_above_the_accounts_amount_waits_and_goes_when_it_is_confirmed(account, owner):
    limits(account, confirm_above=D(900))
    order = ticket_place(ticket=ticket(account), actor=owner)
    assert (order.status, order.awaits) == ("INTENT", "It trades 1000.00, more than 900.00.")
    with pytest.raises(NotAllowed, match="password"):
        order_confirm(order=order, actor=owner, confirmation_id=None)
    order_confirm(order=order, actor=owner, confirmation_id=confirmation(owner, order))
    order.refresh_from_db()
    assert (order.confirmed_by, order.status) == (owner, "INTENT")
    assert AuditLog.objects.filter(action_type="ORDER_CONFIRM", resource_id=str(order.pk)).count() == 1
    with pytest.raises(Conflict, match="waits for no confirmation"):
        order_confirm(order=order, actor=owner, confirmation_id=confirmation(owner, order))


def test_a_confirmation_of_one_order_is_worth_nothing_for_another(account, owner):
    limits(account, confirm_above=D(100))
    small, large = (ticket_place(ticket=ticket(account, quantity=number), actor=owner) for number in (10, 100))
    with pytest.raises(NotAllowed, match="not what is asked for"):
        order_confirm(order=large, actor=owner, confirmation_id=confirmation(owner, small))


def test_a_second_equal_order_waits_for_a_confirmation(account, owner):
    ticket_place(ticket=ticket(account), actor=owner)
    again = ticket_place(ticket=ticket(account, key="again"), actor=owner)
    assert (again.status, again.awaits.partition(";")[0]) == ("INTENT", "An equal order was made 0 seconds before")
    order_confirm(order=again, actor=owner, confirmation_id=confirmation(owner, again))
    again.refresh_from_db()
    assert again.confirmed_by == owner


def test_what_closes_needs_no_confirmation(account, owner):
    limits(account, confirm_above=D(1))
    position = Position.objects.create(
        account=account, group="AAA", symbol="AAA", direction="LONG", open_key="x", quantity=10, cost=1000, entry_session=DAYS[0],
        entry_price=100, last_entry_price=100, peak_quantity=10, entry_cost=1000,
    )  # fmt: skip
    closing = ticket(account, purpose=Purpose.EXIT, side="SELL", position=position)
    assert ticket_place(ticket=closing, actor=owner).awaits == ""


# --- previews


def test_a_preview_tells_cost_loss_reward_and_the_account_after_it_and_writes_nothing(account):
    wanted = ticket(account, order_type=OrderType.LIMIT, limit_price=D(100), stop_loss=D(95), take_profit=D(112))
    preview = ticket_preview(ticket=wanted)
    assert (preview.cost, preview.commission, preview.margin) == (D("1000.00"), D("1.00"), D("1000.00"))
    assert (preview.maximum_loss, preview.reward_risk) == (D("51.00"), D("2.4"))
    assert (preview.exposure_before["gross"], preview.exposure_after["gross"]) == (0, 1000)
    assert (preview.verdicts, preview.waits, preview.confirmation) == ([], "", "")
    assert (Order.objects.count(), OutboxEvent.objects.filter(type__startswith="order").count()) == (0, 0)


def test_a_preview_holds_every_verdict(account):
    limits(account, max_order_notional=D(10_000), max_gross_exposure=D("0.3"))
    verdicts = ticket_preview(ticket=ticket(account, quantity=600)).verdicts
    assert {each["code"] for each in verdicts} == {"SINGLE_NAME", "ORDER_NOTIONAL", "GROSS_EXPOSURE"}


def test_a_preview_says_why_a_figure_is_unknown(account):
    preview = ticket_preview(ticket=ticket(account, side="SELL"))
    assert (preview.maximum_loss, preview.reward_risk) == (None, None)
    assert set(preview.undefined) == {"maximum_loss", "reward_risk"}
    assert "any amount" in preview.undefined["maximum_loss"]


def test_a_preview_names_the_confirmation_and_what_it_is_bound_to(account):
    limits(account, confirm_above=D(900))
    preview = ticket_preview(ticket=ticket(account))
    assert preview.confirmation == "It trades 1000.00, more than 900.00."
    assert (preview.payload["symbol"], preview.payload["quantity"]) == ("AAA", "10")


def test_origins_are_kept(account):
    order = ticket_place(ticket=ticket(account, origin=Origin.HEDGE, group="HEDGE"), actor="hedge")
    assert (order.origin, order.group) == ("HEDGE", "HEDGE")
