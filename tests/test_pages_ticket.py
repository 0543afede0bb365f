"""The order ticket on the page of risk: previewed first, ordered exactly as previewed, and once."""

import re

import pytest
from django.urls import reverse

from quant_site.core import clock
from quant_site.core.models import Account, AuditLog, OutboxEvent
from tests.desk_world import NOW, D, account_make, order_make, people, position_make, signed_in
from tests.test_pages_desk import page_of, part, plain
from trading.models import Order

pytestmark = pytest.mark.django_db
TICKET = reverse("ticket")


@pytest.fixture(autouse=True)
def after_the_close(market_dir):
    with clock.use(NOW):
        yield


@pytest.fixture
def users():
    return people()


@pytest.fixture
def account(users):
    return account_make(users)


@pytest.fixture
def owner(users):
    return signed_in(users["owner"])


def body(account, **fields) -> dict:
    values = {"symbol": "AAA", "side": "BUY", "quantity": "10", "order_type": "LMT", "limit_price": "99", "stop_loss": "94"}
    values |= {"take_profit": "109", "time_in_force": "DAY", "account": account.pk}
    return values | fields


def previewed(client, sent: dict) -> tuple[str, dict]:
    """The ticket's card under its preview, and what its form then sends to order it."""
    answer = client.post(TICKET, sent | {"act": "preview"})
    assert answer.status_code == 200
    card = part(answer.content.decode(), "ticket")
    hidden = dict(re.findall(r'<input type="hidden" name="(key|previewed)" value="(\w+)"', card))
    return card, sent | hidden | {"act": "place"}


def test_a_preview_shows_what_it_would_do_and_writes_nothing(account, owner):
    before = (Order.objects.count(), AuditLog.objects.count(), OutboxEvent.objects.count())
    card, _ = previewed(owner, body(account))
    words = plain(card)
    # 10 at 99 with a stop at 94 and a target at 109: 50 and the commission of a dollar are risked, 2 to 1.
    for each in ("Paid 990.00", "Commission 1.00", "Taken out of the free cash 990.00", "Maximum loss 51.00", "Reward to risk 2.00"):
        assert each in words
    assert "Nothing speaks against it." in words
    assert "Gross exposure 0 990 100,000" in words
    assert (Order.objects.count(), AuditLog.objects.count(), OutboxEvent.objects.count()) == before


def test_what_was_previewed_is_ordered_and_shown_with_its_status(account, owner, users):
    _, order = previewed(owner, body(account))
    answer = owner.post(TICKET, order)
    made = Order.objects.get()
    assert (answer.status_code, answer.url) == (302, f"/risk/?account=DESK&order={made.pk}#ticket")
    assert (made.symbol, made.quantity, made.limit_price, made.stop_loss, made.take_profit) == ("AAA", 10, 99, 94, 109)
    assert (made.status, made.origin, made.purpose, made.time_in_force) == ("INTENT", "MANUAL", "ENTRY", "DAY")
    assert "It is written down and goes out with the next sending." in plain(
        part(page_of(users["owner"], account, order=made.pk), "ticket")
    )


def test_a_double_click_orders_once(account, owner):
    _, order = previewed(owner, body(account))
    first, second = owner.post(TICKET, order), owner.post(TICKET, order)
    assert first.url == second.url
    assert Order.objects.count() == 1


def test_two_previews_are_two_orders_and_the_second_equal_one_waits_for_a_password(account, owner):
    owner.post(TICKET, previewed(owner, body(account))[1])
    card, order = previewed(owner, body(account))
    assert "An equal order was made 0 seconds before" in plain(card) and "then waits for a confirmation" in card
    owner.post(TICKET, order)
    assert [bool(each.awaits) for each in Order.objects.order_by("pk")] == [False, True]


@pytest.mark.parametrize(
    "changed", [{"quantity": "11"}, {"limit_price": "98"}, {"side": "SELL"}, {"stop_loss": ""}, {"time_in_force": "GTC"}]
)
def test_what_was_not_previewed_is_previewed_instead_of_ordered(account, owner, changed):
    _, order = previewed(owner, body(account, take_profit=""))
    if changed == {"side": "SELL"}:
        changed |= {"stop_loss": "104"}
    answer = owner.post(TICKET, order | changed)
    assert answer.status_code == 200
    assert "This is not what the last preview showed." in answer.content.decode()
    assert Order.objects.count() == 0


@pytest.mark.parametrize("missing", [{"key": ""}, {"previewed": ""}, {"key": "0" * 32, "previewed": "guessed"}])
def test_nothing_is_ordered_without_a_preview(account, owner, missing):
    _, order = previewed(owner, body(account))
    assert owner.post(TICKET, order | missing).status_code == 200
    assert Order.objects.count() == 0


def test_the_same_key_with_another_content_is_refused(account, owner):
    _, first = previewed(owner, body(account))
    owner.post(TICKET, first)
    _, second = previewed(owner, body(account, quantity="11"))
    answer = owner.post(TICKET, second | {"key": first["key"]})
    assert answer.status_code == 409
    assert "already stands for this intent, with another quantity" in answer.content.decode()
    assert Order.objects.count() == 1


def test_what_would_be_denied_says_every_reason_and_cannot_be_placed(account, owner):
    Account.objects.update(max_order_notional=D(500))
    card, order = previewed(owner, body(account, quantity="600", limit_price="100"))
    words = plain(card)
    assert "Size of an order The order is larger than one may be. 60,000.00 / 500.00" in words
    assert "Limit of a single name AAA would exceed the limit of one name." in words
    assert 'value="place"' not in card
    answer = owner.post(TICKET, order, follow=True)  # sent all the same: it is written, and denied
    assert Order.objects.get().status == "DENIED"
    assert "The order is larger than one may be." in plain(part(answer.content.decode(), "ticket"))


def test_what_is_of_high_risk_says_that_it_will_need_a_password(account, owner, users):
    Account.objects.update(confirm_above=D(500))
    card, order = previewed(owner, body(account))
    assert "It trades 990.00, more than 500.00." in card and "it then waits for a confirmation" in card
    answer = owner.post(TICKET, order, follow=True)
    text, made = answer.content.decode(), Order.objects.get()
    assert f'href="#confirm-{made.pk}"' in part(text, "ticket")
    assert "Confirm and send it" in part(text, f"confirm-{made.pk}")


@pytest.mark.parametrize(
    ("fields", "status", "field", "said"),
    [
        ({"symbol": "ZZZ"}, 400, "symbol", "not known here"),
        ({"symbol": "../etc"}, 400, "symbol", "is not a symbol"),
        ({"quantity": "0"}, 400, "quantity", "1"),
        ({"quantity": "ten"}, 400, "quantity", "number"),
        ({"quantity": "NaN"}, 400, "quantity", "number"),
        ({"limit_price": ""}, 400, "limit_price", "This type of order needs limit price."),
        ({"order_type": "MKT"}, 400, "limit_price", "This type of order has no limit price."),
        ({"order_type": "STP", "limit_price": ""}, 400, "stop_price", "needs stop price"),
        ({"stop_loss": "99.5"}, 400, "stop_loss", "belongs below 99"),
        ({"side": "HOLD"}, 400, "side", "HOLD"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field_with_the_rest_still_there(account, owner, fields, status, field, said):
    answer = owner.post(TICKET, body(account, **fields) | {"act": "preview"})
    assert answer.status_code == status
    [wrong] = re.findall(r'<div class="field wrong.*?</div>', part(answer.content.decode(), "ticket"), re.S)
    assert f'id="ticket_{field}"' in wrong and said in wrong
    assert 'value="109"' in part(answer.content.decode(), "ticket")


def test_without_bars_of_the_session_the_preview_says_so(account, owner):
    with clock.use(clock.VirtualClock(NOW.at.replace(year=2020))):
        card, _ = previewed(owner, body(account))
    assert "There are no bars of session" in card and 'value="place"' not in card


# --- closing a position


def test_a_ticket_closes_all_of_a_position_and_asks_neither_what_nor_which_way(account, owner, users):
    position = position_make(account)
    card = part(page_of(users["owner"], account, position=position.pk), "ticket")
    assert "Close AAA" in card and "Sell" in card and 'value="100"' in card
    assert not {'name="symbol"', 'name="side"', 'name="stop_loss"'} & set(re.findall(r'name="\w+"', card))
    sent = {"account": account.pk, "position": position.pk, "quantity": "100", "order_type": "MKT", "time_in_force": "DAY"}
    card, order = previewed(owner, sent)
    assert "what is held can only become less" in card
    owner.post(TICKET, order)
    made = Order.objects.get()
    assert (made.purpose, made.side, made.quantity, made.position) == ("EXIT", "SELL", 100, position)


def test_fewer_reduce_it_and_more_are_refused(account, owner):
    position = position_make(account, quantity=-100, paid=110, stop=None)
    sent = {"account": account.pk, "position": position.pk, "quantity": "40", "order_type": "MKT", "time_in_force": "DAY"}
    owner.post(TICKET, previewed(owner, sent)[1])
    assert Order.objects.values_list("purpose", "side", "quantity").get() == ("REDUCE", "BUY", 40)
    answer = owner.post(TICKET, sent | {"quantity": "101", "act": "preview"})
    assert answer.status_code == 400
    assert "Only 100 AAA are held, not 101." in answer.content.decode()


def test_a_position_of_somebody_else_or_one_that_is_closed_does_not_exist(account, owner, users):
    closed = position_make(account)
    type(closed).objects.update(exit_session=clock.now().date(), open_key=None)
    foreign = position_make(account_make(users, "OTHER-1"))
    for number in (closed.pk, foreign.pk, "nine", "9" * 40):
        sent = {"account": account.pk, "position": number, "quantity": "1", "order_type": "MKT", "act": "preview"}
        assert owner.post(TICKET, sent).status_code == 404
        assert 'name="position"' not in page_of(users["owner"], account, position=number)


def test_an_order_of_another_account_is_not_shown(account, users):
    foreign = order_make(account_make(users, "OTHER-1"), "foreign")
    for number in (foreign.pk, "x", "9" * 40):
        assert 'class="result"' not in page_of(users["owner"], account, order=number)
