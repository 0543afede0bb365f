"""The page of risk: what waits for somebody is seen by all and decided by those who may, with a password and once."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from analytics.pages import desk_reads
from analytics.templatetags.figures import number
from quant_site.core import clock
from quant_site.core.models import Account
from quant_site.core.stepup import payload_hash
from quant_site.market.options.quotes import option_market
from tests.desk_world import (
    LAST,
    NOW,
    PASSWORD,
    D,
    account_make,
    order_awaiting,
    order_make,
    order_unknown,
    people,
    position_make,
    signed_in,
)
from tests.hedge_world import HedgeWorld
from tests.options_world import market_panel
from trading.control.symbol_halts import clear_payload
from trading.models import Order, Reconciliation, SymbolHalt
from trading.order_path.settling import settle_payload
from trading.order_path.tickets import order_payload

pytestmark = pytest.mark.django_db
PAGE = reverse("risk")


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


def page_of(user, account, **query) -> str:
    answer = signed_in(user).get(PAGE, {"account": account.pk, **query})
    assert answer.status_code == 200
    return answer.content.decode()


def part(text: str, anchor: str) -> str:
    """The section, article or row with this id."""
    found = re.search(rf'<(section|article|tr)[^>]* id="{anchor}".*?</\1>', text, re.S)
    assert found, anchor
    return found.group()


def plain(text: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def halt_make(account) -> SymbolHalt:
    return SymbolHalt.objects.create(
        account=account, symbol="AAA", open_key=f"{account.pk}:AAA", code="MISMATCH", reason="Position in AAA; Position in BBB"
    )


# --- who


@pytest.fixture
def everything(account, users):
    """One thing of each kind, and every form that acts on it."""
    position_make(account)
    awaiting, unknown, halt = order_awaiting(account, users["owner"]), order_unknown(account), halt_make(account)
    working = order_make(account, "working", status="ACKED", order_type="LMT", limit_price=D(95), symbol="BBB", origin="PLAN")
    return {
        reverse("order-confirm", args=[awaiting.pk]): {"seen": payload_hash(order_payload(awaiting)), "password": PASSWORD},
        reverse("order-settle", args=[unknown.pk]): {"outcome": "CANCELLED", "evidence": "seen"},
        reverse("halt-clear", args=[halt.pk]): {"seen": payload_hash(clear_payload(halt)), "password": PASSWORD},
        reverse("order-cancel", args=[working.pk]): {},
        reverse("order-change", args=[working.pk]): {"quantity": "11"},
        reverse("ticket"): {"account": account.pk, "symbol": "BBB", "side": "BUY", "quantity": "1", "order_type": "MKT", "act": "preview"},
    }


def rows() -> list:
    orders = Order.objects.order_by("pk").values_list("pk", "status", "version", "confirmed_by", "cancel_requested", "wanted")
    return [*orders, *SymbolHalt.objects.values_list("open_key", flat=True)]


def test_who_may_look_sees_everything_and_no_form(account, users, everything):
    for name, forms in (("owner", True), ("trader", True), ("reader", False)):
        text = page_of(users[name], account)
        assert re.search(r"Order \d+ waits for a confirmation", text)
        assert "Nobody knows what became of order" in text
        assert "Books do not agree" in text
        for path in everything:
            assert (path in text) is forms, (name, path)


def test_anothers_account_does_not_exist_and_a_stranger_signs_in_first(account, users, everything):
    assert signed_in(users["other"]).get(PAGE, {"account": account.pk}).status_code == 404
    assert Client().get(PAGE).url.startswith(reverse("login"))
    before = rows()
    for path, body in everything.items():
        assert signed_in(users["other"]).post(path, body).status_code == 404
        assert Client().post(path, body).url.startswith(reverse("login"))
    assert rows() == before


def test_who_may_only_look_can_do_nothing(account, users, everything):
    before = rows()
    for path, body in everything.items():
        answer = signed_in(users["reader"]).post(path, body)
        assert answer.status_code == 403, path
        assert "not trade on it" in answer.content.decode()
    assert rows() == before


def test_a_form_from_elsewhere_is_not_taken_and_a_link_to_one_leads_to_the_page(account, users, everything):
    before = rows()
    for path, body in everything.items():
        assert signed_in(users["owner"], enforce_csrf_checks=True).post(path, body).status_code == 403
        answer = signed_in(users["owner"]).get(path, body)
        assert (answer.status_code, answer.url) == (302, PAGE)
    assert rows() == before


def test_nobody_acts_on_a_replay(account, users, everything):
    Account.objects.update(is_replay=True)
    text, before = page_of(users["owner"], account), rows()
    assert "belongs to a replay" in text
    for path, body in everything.items():
        assert path not in text
        assert signed_in(users["owner"]).post(path, body).status_code == 403
    assert rows() == before


def test_who_has_no_account_is_told_what_to_do(users):
    assert "No account yet" in signed_in(users["other"]).get(PAGE).content.decode()


def test_the_page_needs_few_queries(account, users, everything, django_assert_max_num_queries):
    client = signed_in(users["owner"])
    with django_assert_max_num_queries(60):
        client.get(PAGE, {"account": account.pk})


# --- an order that waits


def confirm(user, order, *, password=PASSWORD, seen=None):
    body = {"password": password, "seen": payload_hash(order_payload(order)) if seen is None else seen}
    return signed_in(user).post(reverse("order-confirm", args=[order.pk]), body)


def test_an_order_that_waits_says_what_it_does_and_why(account, users):
    order = order_awaiting(account, users["owner"])
    shown = plain(part(page_of(users["reader"], account), f"confirm-{order.pk}"))
    for words in ("Buy 20 BBB Market", "It trades 2000.00, more than 1000.00.", "Amount 2,000.00", "Stop 95.00", "By hand"):
        assert words in shown


def test_the_password_in_the_same_form_lets_it_go(account, users):
    order = order_awaiting(account, users["owner"])
    answer = confirm(users["trader"], order)
    assert (answer.status_code, answer.url) == (302, f"{PAGE}?account=DESK#messages")
    order.refresh_from_db()
    assert (order.confirmed_by, order.status) == (users["trader"], "INTENT")
    assert f"confirm-{order.pk}" not in page_of(users["owner"], account)


def test_what_was_done_is_said_once_on_the_page_it_leads_back_to(account, users):
    order, client = order_awaiting(account, users["owner"]), signed_in(users["owner"])
    answer = client.post(reverse("order-cancel", args=[order.pk]), follow=True)
    assert f"Order {order.pk} is cancelled." in plain(answer.content.decode())
    assert "is cancelled." not in client.get(PAGE).content.decode()
    assert Order.objects.get(pk=order.pk).status == "CANCELLED"


@pytest.mark.parametrize("password", ["wrong", ""])
def test_a_wrong_password_is_said_at_the_form_and_nothing_goes(account, users, password):
    order = order_awaiting(account, users["owner"])
    answer = confirm(users["owner"], order, password=password)
    assert answer.status_code == 403
    shown = part(answer.content.decode(), f"confirm-{order.pk}")
    assert 'role="alert">That is not your password.' in shown
    assert "autofocus" in shown and "wrong" not in shown
    order.refresh_from_db()
    assert order.confirmed_by is None


def test_a_password_for_what_was_shown_before_is_worth_nothing(account, users):
    order = order_awaiting(account, users["owner"])
    other = order_awaiting(account, users["owner"], quantity=30)
    for seen in ("", payload_hash(order_payload(other))):
        answer = confirm(users["owner"], order, seen=seen)
        assert answer.status_code == 403
        assert "confirm it as it stands now" in part(answer.content.decode(), f"confirm-{order.pk}")
    order.refresh_from_db()
    assert order.confirmed_by is None


def test_what_is_over_meanwhile_is_said_above(account, users):
    order = order_awaiting(account, users["owner"])
    confirm(users["owner"], order)
    answer = confirm(users["owner"], order)
    assert answer.status_code == 409
    assert f"Order {order.pk} waits for no confirmation." in plain(answer.content.decode())


# --- an order whose outcome nobody knows


def settle(user, order, outcome="NEVER_ARRIVED", *, number="", password=None, evidence="Not in its list."):
    body = {"outcome": outcome, "broker_order_id": number, "evidence": evidence}
    if password is not None:
        body |= {"password": password, "seen": payload_hash(settle_payload(order, outcome, number))}
    return signed_in(user).post(reverse("order-settle", args=[order.pk]), body)


def status_of(order) -> str:
    return Order.objects.values_list("status", flat=True).get(pk=order.pk)


def test_one_person_proposes_and_another_makes_it_so(account, users):
    order = order_unknown(account)
    assert "BrokerUnclear while sending (No reply.)" in plain(part(page_of(users["reader"], account), f"settle-{order.pk}"))
    assert settle(users["owner"], order).status_code == 302
    assert status_of(order) == "UNKNOWN"
    mine = part(page_of(users["owner"], account), f"settle-{order.pk}")
    assert "another person must confirm it" in mine and 'name="password"' not in mine
    theirs = part(page_of(users["trader"], account), f"settle-{order.pk}")
    assert "It never arrived — Not in its list. owner" in plain(theirs) and 'name="password"' in theirs
    assert settle(users["trader"], order, password=PASSWORD).status_code == 302
    assert status_of(order) == "REJECTED"
    assert Order.objects.get(pk=order.pk).status_reason == "SETTLED: NEVER_ARRIVED by owner and trader"


def test_who_proposed_it_cannot_make_it_so(account, users):
    order = order_unknown(account)
    settle(users["owner"], order)
    answer = settle(users["owner"], order, password=PASSWORD)
    assert answer.status_code == 403
    assert "another person must confirm it" in part(answer.content.decode(), f"settle-{order.pk}")
    assert status_of(order) == "UNKNOWN"


def test_the_second_person_needs_a_password(account, users):
    order = order_unknown(account)
    settle(users["owner"], order)
    assert settle(users["trader"], order, password="wrong").status_code == 403
    assert settle(users["trader"], order).status_code == 403
    assert status_of(order) == "UNKNOWN"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"outcome": "WORKING"}, "has an id at the broker"),
        ({"outcome": ""}, "Choose what became of the order."),
        ({"outcome": "FILLED"}, "Choose what became of the order."),
        ({"evidence": " "}, "Say what you saw at the broker"),
        ({"evidence": "x" * 201}, "Say what you saw at the broker"),
    ],
)
def test_what_is_missing_of_a_proposal_is_said_beside_it(account, users, fields, said):
    order = order_unknown(account)
    answer = settle(users["owner"], order, **fields)
    assert answer.status_code == 400
    assert said in part(answer.content.decode(), f"settle-{order.pk}")
    assert Order.objects.get(pk=order.pk).version == order.version


# --- a halted symbol, and the books


def test_a_halted_symbol_is_let_go_with_a_password(account, users):
    halt = halt_make(account)
    path, seen = reverse("halt-clear", args=[halt.pk]), payload_hash(clear_payload(halt))
    assert "Books do not agree Position in AAA; Position in BBB" in plain(part(page_of(users["reader"], account), f"clear-{halt.pk}"))
    assert signed_in(users["owner"]).post(path, {"seen": seen, "password": "wrong"}).status_code == 403
    assert SymbolHalt.objects.get().open_key
    assert signed_in(users["owner"]).post(path, {"seen": seen, "password": PASSWORD}).status_code == 302
    assert (SymbolHalt.objects.get().open_key, SymbolHalt.objects.get().cleared_by) == (None, "owner")
    assert "Nothing waits" in page_of(users["owner"], account)


def test_the_last_comparison_shows_what_differs_and_what_was_taken_over(account, users):
    assert "nothing to compare them with" in page_of(users["owner"], account)
    Account.objects.filter(pk=account.pk).update(broker="tiger")
    assert "manage.py reconcile" in part(page_of(users["owner"], account), "books")
    differences = [{"what": "Position in AAA", "symbol": "AAA", "ours": "20.000000", "broker": None}]
    differences.append({"what": "Cash", "symbol": "", "ours": "45120.10", "broker": "1234567.50"})
    adopted = [{"what": "order", "order": 7, "symbol": "BBB", "side": "SELL", "quantity": "5.000000"}, {"what": "cash", "amount": "10.00"}]
    Reconciliation.objects.create(account=account, kind="PERIODIC", agrees=False, differences=differences, adopted=adopted)
    shown = plain(part(page_of(users["reader"], account), "books"))
    for words in ("differ", "Position in AAA 20 —", "Cash 45,120.10 1,234,567.50", "Order Sell 5 BBB", "Balance 10.00"):
        assert words in shown
    Reconciliation.objects.create(account=account, kind="BOOT", agrees=True)
    shown = plain(part(page_of(users["reader"], account), "books"))
    assert "agree" in shown and "What differs" not in shown


# --- open orders


def test_a_working_order_is_changed_by_what_differs(account, users):
    order = order_make(account, "working", status="ACKED", order_type="LMT", limit_price=D(95), filled_quantity=D(4))
    path = reverse("order-change", args=[order.pk])
    answer = signed_in(users["owner"]).post(path, {"quantity": "10", "limit_price": "96.5"}, follow=True)
    assert Order.objects.get(pk=order.pk).wanted == {"limit_price": "96.500000"}
    assert "asked for: limit 96.50" in plain(part(answer.content.decode(), f"order-{order.pk}"))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"quantity": "4", "limit_price": "95"}, "above what is filled (4)"),
        ({"quantity": "10", "limit_price": "95"}, "Give a quantity"),
        ({"quantity": "many", "limit_price": "95"}, "Give plain numbers."),
        ({"quantity": "10", "limit_price": "-1"}, "must be above zero"),
    ],
)
def test_a_change_that_cannot_be_is_said_at_the_order(account, users, body, said):
    order = order_make(account, "working", status="ACKED", order_type="LMT", limit_price=D(95), filled_quantity=D(4))
    answer = signed_in(users["owner"]).post(reverse("order-change", args=[order.pk]), body)
    assert answer.status_code == 400
    shown = part(answer.content.decode(), f"order-{order.pk}")
    assert said in shown and "<details open>" in shown
    assert Order.objects.get(pk=order.pk).wanted == {}


def test_what_follows_a_position_or_was_placed_elsewhere_can_only_be_cancelled(account, users):
    changed = {
        "ours": order_make(account, "ours", status="ACKED", order_type="LMT", limit_price=D(95)),
        "stop": order_make(account, "stop", status="ACKED", order_type="STP", stop_price=D(95), purpose="STOP", side="SELL"),
        "outside": order_make(account, "outside", status="ACKED", origin="EXTERNAL"),
        "unsent": order_make(account, "unsent"),
    }
    text = page_of(users["owner"], account)
    assert [name for name, order in changed.items() if reverse("order-change", args=[order.pk]) in text] == ["ours"]
    assert all(reverse("order-cancel", args=[order.pk]) in text for order in changed.values())


def test_a_cancel_of_what_works_is_asked_for_and_of_what_is_over_says_so(account, users):
    order = order_make(account, "working", status="ACKED")
    path = reverse("order-cancel", args=[order.pk])
    answer = signed_in(users["owner"]).post(path, follow=True)
    assert "A fill that comes first stands." in answer.content.decode()
    assert Order.objects.get(pk=order.pk).cancel_requested
    assert path not in answer.content.decode()
    over = order_make(account, "over", status="FILLED")
    assert (
        "is over already: Filled." in signed_in(users["owner"]).post(reverse("order-cancel", args=[over.pk]), follow=True).content.decode()
    )


# --- exposure and assessment


def test_exposure_stands_beside_its_limits_and_one_cell_is_the_worst(account, users):
    position_make(account)  # 100 shares at 100; equity 91,000 + 10,000
    Account.objects.filter(pk=account.pk).update(max_stress_pct=D("0.01"), max_sector_pct=D("0.10"))
    shown = part(page_of(users["reader"], account), "exposure")
    words = plain(shown)
    assert "Equity 101,000.00" in words
    assert "Gross exposure 10,000.00 10% of its limit 101,000.00" in words
    assert "Largest single name AAA 10,000.00 20% of its limit 50,500.00" in words
    assert "Worst loss under stress 2,000.00 198% of its limit 1,010.00" in words
    assert "Net exposure 10,000.00 no limit set 9.9%" in words
    assert "bar-bad" in shown and "bar-good" in shown
    assert "AAA 10,000 9.9% / 10,100" in words
    [worst] = re.findall(r'<td class="n worst".*?</td>', shown, re.S)
    assert plain(worst) == "−2,000"


def test_what_cannot_be_known_says_why(account, users):
    position_make(account)
    shown = plain(part(page_of(users["reader"], account), "exposure"))
    assert "Expected shortfall of a day — Expected shortfall needs 500 sessions" in shown


def test_each_trade_has_the_verdict_of_the_rules_with_its_reasons(account, users):
    position = position_make(account)  # 1,000 made, 500 risked: 2 R
    shown = part(page_of(users["owner"], account), "trades")
    words = plain(shown)
    for each in (
        "AAA Long",
        "Take part of the profit",
        "Twice the initial risk is earned and nothing is sold yet. 2.00 / 2.00",
        "+1,000.00",
    ):
        assert each in words
    assert "95.00 5.0%" in words and 'title="It has no target."' in shown
    assert f"position={position.pk}#ticket" in shown


def test_without_market_data_what_waits_is_shown_all_the_same(account, users, settings, tmp_path):
    order = order_awaiting(account, users["owner"])
    settings.MARKET_DATA_DIR = tmp_path / "gone"
    text = page_of(users["owner"], account)
    assert f"confirm-{order.pk}" in text
    assert "AAA" in part(text, "exposure") and "alert" in part(text, "exposure")


def test_an_empty_account_says_what_will_stand_there(account, users):
    text = plain(page_of(users["owner"], account))
    for words in ("Nothing waits", "Flat: no position is open.", "Nothing is held or on its way", "No order is open."):
        assert words in text


def test_the_state_is_shown_with_the_way_to_change_it(account, users):
    Account.objects.filter(pk=account.pk).update(
        state="REDUCING", state_reason="DAILY_LOSS: The account lost 3% since the last close; 2% is its limit."
    )
    shown = part(page_of(users["owner"], account), "state")
    assert f"{reverse('trading-state')}?account=DESK" in shown
    assert "Reducing only" in shown and "The account lost 3% since the last close" in shown
    assert str(LAST) in page_of(users["owner"], account)


# --- options


def options_held(users, monkeypatch) -> Account:
    """An account of the owner's that sold five calls on SPY near their end and holds 100 ACME; options are priced by a model."""
    panel = market_panel(sessions=120)
    desk = HedgeWorld(panel, cash="1000000")
    desk.account.owner, desk.account.is_replay = users["owner"], False
    desk.account.save()
    chain = option_market(panel).chain("SPY", 90)
    quote = chain.nearest_delta(chain.expirations()[0], "C", 0.5)
    desk.buy(quote.contract.symbol, -5, 90, price=quote.mid)
    desk.buy("ACME", 100, 90)
    desk.close(91)
    monkeypatch.setattr("analytics.pages.desk_reads.panel_load", lambda: panel)
    return desk.account


def test_options_are_shown_by_underlying_with_their_greeks_and_where_prices_come_from(users, monkeypatch):
    account = options_held(users, monkeypatch)
    found = desk_reads.risk_parts(account)["options"].data["underlyings"][0]
    text = page_of(users["owner"], account)
    shown = part(text, "options")
    words = plain(shown)
    assert "SPY" in words and "−5 × SPY" in words and "call synthetic" in words
    greeks = [found.with_shares.greeks[name] for name in ("delta", "gamma", "vega", "theta")]
    assert all(value is not None for value in greeks)
    assert f"{number(greeks[0], 0)} {number(greeks[1], 0)} {number(greeks[2], 0)} {number(greeks[3], 0)}" in words
    assert "No market made these prices" in words
    assert {"Delta", "Gamma", "Vega", "Theta"} <= set(re.findall(r"<span>(\w+)</span>", part(text, "exposure")))
