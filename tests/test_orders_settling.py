"""An order that nobody can say anything about: two people may, one of them never."""

import pytest
from django.contrib.auth.models import User

from quant_site.core import clock
from quant_site.core.errors import Conflict, InvalidInput, NotAllowed
from quant_site.core.models import AccountMember, AuditLog
from quant_site.core.stepup import confirmation_give
from tests.live_world import LAST_CLOSE, NOON, live_account, live_broker
from trading.books.ledger import account_fund
from trading.models import SymbolHalt
from trading.order_path.orders import order_create, order_send
from trading.order_path.settling import SETTLE, order_settle, settle_payload
from trading.vocabulary import OrderType, Purpose

pytestmark = pytest.mark.django_db
PASSWORD = "correct-horse-7"


@pytest.fixture(autouse=True)
def at_noon(settings):
    settings.REAL_TRADING = True
    with clock.use(clock.VirtualClock(NOON)):
        yield


@pytest.fixture
def account():
    account = live_account()
    account_fund(account=account, amount=100_000, session=LAST_CLOSE, key="initial")
    return account


@pytest.fixture
def partner(account):
    user = User.objects.create_user("partner", password=PASSWORD)
    AccountMember.objects.create(account=account, user=user, role=AccountMember.Role.TRADE)
    return user


@pytest.fixture
def order(account):
    broker = live_broker(faults=["lost request"])
    order = order_create(
        account=account, purpose=Purpose.ENTRY, symbol="AAA", side="BUY", order_type=OrderType.MARKET, quantity=5, session=LAST_CLOSE,
        decision_price=100,
    )  # fmt: skip
    return order_send(order, broker)


def word(order, actor, outcome="NEVER_ARRIVED", confirmation_id=None, **fields):
    return order_settle(
        order=order, outcome=outcome, evidence="Not in its list of orders.", actor=actor, confirmation_id=confirmation_id, **fields
    )


def confirmation(order, user, outcome="NEVER_ARRIVED", broker_order_id=""):
    payload = settle_payload(order, outcome, broker_order_id)
    return confirmation_give(user=user, password=PASSWORD, action=SETTLE, payload=payload).pk


def test_one_person_only_proposes(order, account):
    word(order, account.owner)
    assert order.status == "UNKNOWN"
    with pytest.raises(NotAllowed, match="another person"):
        word(order, account.owner, confirmation_id=confirmation(order, account.owner))
    order.refresh_from_db()
    assert order.status == "UNKNOWN"


def test_a_second_person_with_a_fresh_password_makes_it_so(order, account, partner):
    word(order, account.owner)
    with pytest.raises(NotAllowed, match="password"):
        word(order, partner)
    word(order, partner, confirmation_id=confirmation(order, partner))
    order.refresh_from_db()
    assert (order.status, order.status_reason) == ("REJECTED", "SETTLED: NEVER_ARRIVED by owner-LIVE and partner")
    assert SymbolHalt.objects.get(symbol="AAA").open_key is None
    assert list(AuditLog.objects.filter(action_type__startswith="ORDER_SETTLE").order_by("pk").values_list("action_type", "actor")) == [
        ("ORDER_SETTLE_PROPOSE", "owner-LIVE"),
        ("ORDER_SETTLE", "partner"),
    ]


def test_another_word_is_another_proposal(order, account, partner):
    word(order, account.owner)
    word(order, partner, "CANCELLED", confirmation_id=confirmation(order, partner))
    order.refresh_from_db()
    assert order.status == "UNKNOWN"
    word(order, account.owner, "CANCELLED", confirmation_id=confirmation(order, account.owner, "CANCELLED"))
    order.refresh_from_db()
    assert order.status == "CANCELLED"


def test_an_order_that_works_needs_its_number_at_the_broker(order, account, partner):
    with pytest.raises(InvalidInput, match="id at the broker"):
        word(order, account.owner, "WORKING")
    word(order, account.owner, "WORKING", broker_order_id="B77")
    word(order, partner, "WORKING", confirmation(order, partner, "WORKING", "B77"), broker_order_id="B77")
    order.refresh_from_db()
    assert (order.status, order.broker_order_id) == ("ACKED", "B77")


def test_only_an_unknown_outcome_can_be_settled(order, account, partner):
    word(order, account.owner)
    word(order, partner, confirmation_id=confirmation(order, partner))
    with pytest.raises(Conflict, match="is known"):
        word(order, account.owner)


def test_a_stranger_has_no_word(order):
    with pytest.raises(NotAllowed, match="not trade"):
        word(order, User.objects.create_user("stranger"))
