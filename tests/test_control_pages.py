"""The kill switch on the pages, as plain forms: no script, no socket, and nothing that belongs to another."""

import pytest
from django.test import Client
from django.urls import reverse

from quant_site.core.models import Account
from quant_site.core.ratelimit import FAILED_LOGINS_PER_NAME
from strategies.services import strategies_seed
from tests.control_world import PASSWORD, account_make, audited, people, ready_to_arm, real_account_make, state_of
from trading.control.armed import armed
from trading.models import Arming

pytestmark = pytest.mark.django_db
SET, ARM, DISARM = (reverse(name) for name in ("trading-state-set", "account-arm", "account-disarm"))
PAGES = ["/", "/strategies/", "/strategies/golden_cross/", "/loop/", "/trades/", "/trading-state/"]


@pytest.fixture
def users():
    return people()


@pytest.fixture
def account(users):
    return account_make(users)


def signed_in(user, **options) -> Client:
    client = Client(**options)
    client.force_login(user)
    return client


def put(account, state, reason="before"):
    Account.objects.filter(pk=account.pk).update(state=state, state_reason=reason)


def head_of(client, path, language="en") -> str:
    text = client.get(path, headers={"Accept-Language": language}).content.decode()
    return text[text.index("<header") : text.index("</header>")]


# --- the badge


@pytest.fixture
def strategies():
    strategies_seed()


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(
    ("state", "english", "chinese"), [("ACTIVE", "Active", "正常"), ("REDUCING", "Reducing only", "仅减仓"), ("HALTED", "Halted", "已停止")]
)
def test_every_page_shows_the_state_in_its_head(users, account, strategies, path, state, english, chinese):
    put(account, state)
    client = signed_in(users["owner"])
    for language, label in (("en", english), ("zh-hans", chinese)):
        head = head_of(client, path, language)
        assert f"state-{state.lower()}" in head
        assert f'<span class="state-name">{label}</span>' in head


def test_who_may_trade_has_the_button_and_who_may_look_has_the_badge_alone(users, account):
    for name, forms in (("owner", True), ("trader", True), ("reader", False)):
        head = head_of(signed_in(users[name]), "/")
        assert "state-active" in head
        assert (SET in head) is forms


def test_who_has_no_account_has_no_badge(users, account):
    assert "state-" not in head_of(signed_in(users["other"]), "/")


def test_no_page_holds_a_script_of_its_own(users, account):
    put(account, "REDUCING")
    head = head_of(signed_in(users["owner"]), "/")
    assert "<script" not in head and "onclick" not in head and "style=" not in head


def test_the_badge_can_be_read_again_alone_and_leads_back_to_the_page_it_stands_on(users, account):
    client = signed_in(users["owner"])
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/trades/?tab=fills"}
    text = client.get(reverse("trading-state-badge"), {"account": account.pk}, headers=headers).content.decode()
    assert "<html" not in text
    assert 'name="next" value="/trades/?tab=fills"' in text
    assert signed_in(users["other"]).get(reverse("trading-state-badge"), {"account": account.pk}).status_code == 404


# --- stopping


def test_halting_needs_no_password_and_leads_back(users, account):
    answer = signed_in(users["trader"]).post(
        SET, {"account": account.pk, "state": "HALTED", "reason": " odd ", "next": "/trades/?tab=fills"}
    )
    assert (answer.status_code, answer.url) == (302, "/trades/?tab=fills")
    assert Account.objects.values_list("state", "state_reason").get(pk=account.pk) == ("HALTED", "odd")
    assert audited("TRADING_STATE")[0].ip_address == "127.0.0.1"


def test_all_of_ones_accounts_are_halted_with_one_form(users, account):
    second = account_make(users, "DESK-2")
    assert signed_in(users["owner"]).post(SET, {"account": "all", "state": "HALTED"}).status_code == 302
    assert (state_of(account), state_of(second)) == ("HALTED", "HALTED")


@pytest.mark.parametrize("wanted", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "\\\\evil.example", ""])
def test_a_form_leads_back_to_this_site_only(users, account, wanted):
    answer = signed_in(users["owner"]).post(SET, {"account": account.pk, "state": "HALTED", "next": wanted})
    assert answer.url == f"/trading-state/?account={account.pk}"


def test_a_form_from_elsewhere_is_not_taken(users, account):
    assert signed_in(users["owner"], enforce_csrf_checks=True).post(SET, {"account": account.pk, "state": "HALTED"}).status_code == 403
    assert state_of(account) == "ACTIVE"


# --- going on


def test_resuming_takes_the_password_in_the_same_form(users, account):
    put(account, "HALTED")
    client = signed_in(users["owner"])
    answer = client.post(SET, {"account": account.pk, "state": "ACTIVE", "password": PASSWORD, "next": "/"})
    assert (answer.status_code, answer.url) == (302, "/")
    assert state_of(account) == "ACTIVE"


@pytest.mark.parametrize("state", ["ACTIVE", "REDUCING"])
@pytest.mark.parametrize("password", ["wrong", ""])
def test_a_wrong_password_is_said_with_the_form_still_there(users, account, state, password):
    put(account, "HALTED")
    answer = signed_in(users["owner"]).post(
        SET, {"account": account.pk, "state": state, "password": password}, headers={"Accept-Language": "en"}
    )
    assert answer.status_code == 403
    page = answer.content.decode()
    assert 'role="alert">That is not your password.' in page
    assert SET in page and "wrong" not in page
    assert state_of(account) == "HALTED"


def test_guessing_is_locked_out(users, account):
    put(account, "HALTED")
    client = signed_in(users["owner"])
    for _ in range(FAILED_LOGINS_PER_NAME.amount):
        client.post(SET, {"account": account.pk, "state": "ACTIVE", "password": "wrong"})
    assert client.post(SET, {"account": account.pk, "state": "ACTIVE", "password": PASSWORD}).status_code == 429
    assert state_of(account) == "HALTED"
    assert client.post(SET, {"account": account.pk, "state": "HALTED"}).status_code == 302


# --- who


@pytest.mark.parametrize("path", [SET, ARM, DISARM])
@pytest.mark.parametrize(("name", "status"), [("reader", 403), ("other", 404)])
def test_who_may_not_trade_can_do_nothing(users, account, path, name, status):
    for state in ("HALTED", "ACTIVE"):
        answer = signed_in(users[name]).post(path, {"account": account.pk, "state": state, "password": PASSWORD})
        assert answer.status_code == status
    assert state_of(account) == "ACTIVE"


@pytest.mark.parametrize("path", [SET, ARM, DISARM])
def test_a_stranger_is_sent_to_the_login_and_a_link_does_nothing(users, account, path):
    assert Client().post(path, {"account": account.pk, "state": "HALTED"}).url.startswith(reverse("login"))
    assert signed_in(users["owner"]).get(path, {"account": account.pk, "state": "HALTED"}).status_code == 405
    assert state_of(account) == "ACTIVE"


@pytest.mark.parametrize("body", [{}, {"account": ""}, {"account": "NOBODY", "state": "HALTED"}])
def test_an_account_that_is_not_there_is_not_found(users, account, body):
    assert signed_in(users["owner"]).post(SET, body).status_code == 404


@pytest.mark.parametrize("path", [ARM, DISARM])
def test_accounts_are_armed_one_by_one(users, account, path):
    assert signed_in(users["owner"]).post(path, {"account": "all", "password": PASSWORD}).status_code == 404


def test_a_state_that_there_is_not_is_refused(users, account):
    assert signed_in(users["owner"]).post(SET, {"account": account.pk, "state": "PAUSED"}).status_code == 400


# --- real orders


@pytest.fixture
def real(users, settings):
    settings.REAL_TRADING = True
    return real_account_make(users)


def page_of(user, account) -> str:
    return signed_in(user).get("/trading-state/", {"account": account.pk}, headers={"Accept-Language": "en"}).content.decode()


def test_the_page_says_what_arming_needs_then_arms_then_disarms(users, real):
    client = signed_in(users["trader"])
    assert "No process that sends orders gives a sign of life" in page_of(users["trader"], real)
    assert ARM not in page_of(users["trader"], real)
    Account.objects.filter(pk=real.pk).update(max_order_notional=None, price_collar_pct=None)
    assert "Set these limits of the account first: largest order, price collar." in page_of(users["trader"], real)
    Account.objects.filter(pk=real.pk).update(max_order_notional=1, price_collar_pct="0.1")
    assert client.post(ARM, {"account": real.pk, "password": PASSWORD}).status_code == 409
    ready_to_arm(real)
    assert ARM in page_of(users["trader"], real)
    assert client.post(ARM, {"account": real.pk, "password": "wrong"}).status_code == 403
    assert armed(real.pk) is None
    assert client.post(ARM, {"account": real.pk, "password": PASSWORD}).status_code == 302
    assert armed(real.pk).armed_by == users["trader"]
    assert "Armed by trader" in page_of(users["owner"], real)
    assert client.post(DISARM, {"account": real.pk}).status_code == 302
    assert (armed(real.pk), Arming.objects.get().disarmed_why) == (None, "BY_HAND")


def test_a_reader_sees_the_page_without_its_forms(users, real):
    page = page_of(users["reader"], real)
    assert real.pk in page
    assert not any(path in page for path in (SET, ARM, DISARM))


def test_the_admin_says_what_arming_needs(users, real):
    users["owner"].is_staff = users["owner"].is_superuser = True
    users["owner"].save()
    client, url = signed_in(users["owner"]), reverse("admin:core_account_change", args=[real.pk])
    assert "No process that sends orders" in client.get(url, headers={"Accept-Language": "en"}).content.decode()
    ready_to_arm(real)
    client.post(ARM, {"account": real.pk, "password": PASSWORD})
    assert "Armed by owner since" in client.get(url, headers={"Accept-Language": "en"}).content.decode()
