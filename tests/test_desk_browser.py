"""The pages of risk and plans in a real Chromium: read at every size, and worked with by plain forms."""

# ruff: noqa: F811 (fixtures of another module are asked for by their names)

import pytest
from django.test import Client
from playwright.sync_api import expect

from quant_site.core import clock
from quant_site.core.models import Account
from tests.desk_world import NOW, PASSWORD, D, account_make, order_awaiting, order_make, order_unknown, people, position_make
from tests.test_browser_pages import CHROMIUM, Desk, chromium  # noqa: F401 (fixtures)
from tests.test_pages_desk import options_held
from trading.intents.alerts import alert_create
from trading.intents.plans import plan_create
from trading.models import Order, PriceAlert, Reconciliation, SymbolHalt, TradingPlan

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
]
LOOKS = [(1440, "light", "zh-CN"), (1440, "dark", "en-US"), (390, "light", "en-US"), (390, "dark", "zh-CN")]


@pytest.fixture(autouse=True)
def after_the_close(market_dir, monkeypatch):
    """The server's threads read the wall clock: it stands still."""
    monkeypatch.setattr(clock, "_WALL", NOW)


@pytest.fixture
def users():
    return people()


@pytest.fixture
def account(users):
    return account_make(users)


@pytest.fixture
def desk(chromium, live_server, account):
    opened = []

    def open_desk(**wishes) -> Desk:
        opened.append(Desk(chromium, live_server, account, **wishes))
        return opened[-1]

    yield open_desk
    for each in opened:
        each.context.close()


@pytest.fixture
def full(account, users):
    """Something in every place of both pages, with the longest words there are; answers the addresses at which all is seen."""
    owner = users["owner"]
    position = position_make(account)
    order_awaiting(account, owner)
    order_unknown(account)
    order_make(account, "working", status="ACKED", order_type="LMT", limit_price=D(95))
    reason = "Position in AAA; The broker does not know order 0123456789abcdef0123456789abcdef, which it had acknowledged"
    SymbolHalt.objects.create(account=account, symbol="AAA", open_key="DESK:AAA", code="MISMATCH", reason=reason)
    what = "The broker works on order 0123456789abcdef0123456789abcdef, which stands nowhere here"
    differences = [{"what": what, "symbol": "AAA", "ours": None, "broker": "0123456789abcdef0123456789abcdef"}]
    Reconciliation.objects.create(account=account, kind="PERIODIC", agrees=False, differences=differences)
    terms = {"symbol": "AAA", "direction": "LONG", "quantity": D(10), "entry_price": D(99), "reasoning": "W" * 200}
    plan = plan_create(account=account, actor=owner, **terms)
    params = {"direction": "LONG", "quantity": "10", "stop_loss": "80", "take_profit": "120"}
    common = {"account": account, "actor": owner, "symbol": "AAA", "alert_type": "PRICE_BELOW", "threshold_value": D("95.123456")}
    alert_create(**common, action_type="AUTO_TRADE", action_params=params)
    Account.objects.update(max_sector_pct=D("0.1"), max_stress_pct=D("0.01"), max_vega_pct=D("0.01"))
    return ["/risk/", "/plans/", f"/plans/?plan={plan.pk}", f"/risk/?position={position.pk}"]


@pytest.mark.parametrize(("width", "scheme", "locale"), LOOKS)
def test_both_pages_fit_the_window_and_the_console_stays_quiet(desk, full, width, scheme, locale):
    window = desk(width=width, scheme=scheme, locale=locale)
    for path in full:
        window.page.goto(path)
        window.page.evaluate("document.querySelectorAll('details').forEach(each => { if (!each.dataset.control) each.open = true })")
        assert window.overflow() <= 0, path
    assert window.complaints == []


@pytest.mark.parametrize("width", [1440, 390])
def test_options_fit_too(desk, users, monkeypatch, width):
    held = options_held(users, monkeypatch)
    window = desk(width=width, locale="en-US")
    window.page.goto(f"/risk/?account={held.pk}")
    expect(window.page.locator("#options")).to_contain_text("SPY")
    assert window.overflow() <= 0
    assert window.complaints == []


def test_they_are_in_the_head_of_every_page(desk):
    window = desk(locale="en-US")
    for name in ("Risk", "Plans"):
        window.page.goto("/loop/")
        window.page.click(f"nav.nav >> text={name}")
        expect(window.page.locator("nav.nav a[aria-current]")).to_have_text(name)


def fill_ticket(page, quantity="10") -> None:
    page.fill("#ticket_symbol", "aaa")
    page.fill("#ticket_quantity", quantity)
    page.select_option("#ticket_order_type", "LMT")
    page.fill("#ticket_limit_price", "99")
    page.fill("#ticket_stop_loss", "94")


@pytest.mark.parametrize("width", [1440, 390])
def test_a_ticket_is_previewed_and_placed_and_a_double_click_orders_once(desk, width):
    window = desk(width=width, locale="en-US")
    window.page.goto("/risk/")
    fill_ticket(window.page)
    window.page.click("button[value=preview]")
    expect(window.page.locator("#preview")).to_contain_text("Nothing speaks against it.")
    expect(window.page.locator("#preview")).to_be_in_viewport()
    assert window.overflow() <= 0
    window.page.dblclick("button[value=place]")
    expect(window.page.locator("#ticket .result")).to_contain_text("It is written down")
    expect(window.page.locator("#ticket .result")).to_be_in_viewport()
    assert Order.objects.values_list("symbol", "status").get() == ("AAA", "INTENT")
    assert Order.objects.count() == 1
    assert window.complaints == []


def test_what_is_wrong_is_seen_beside_its_field(desk):
    window = desk(locale="en-US")
    window.page.goto("/risk/")
    fill_ticket(window.page)
    window.page.fill("#ticket_stop_loss", "101")
    window.page.click("button[value=preview]")
    expect(window.page.locator(".field.wrong")).to_contain_text("it belongs below 99")
    expect(window.page.locator(".field.wrong")).to_be_in_viewport()
    expect(window.page.locator("#ticket_symbol")).to_have_value("aaa")


def test_a_waiting_order_asks_for_the_password_again_where_it_was_wrong(desk, account, users):
    order = order_awaiting(account, users["owner"])
    window = desk(width=390, locale="en-US")
    window.page.goto("/risk/")
    form = window.page.locator(f"#confirm-{order.pk}")
    form.locator("button.danger").click()
    assert Order.objects.get().confirmed_by is None  # the empty field was not sent
    form.locator("input[type=password]").fill("wrong")
    form.locator("button.danger").click()
    expect(form.locator("[role=alert]")).to_contain_text("not your password")
    expect(form.locator("input[type=password]")).to_be_focused()
    form.locator("input[type=password]").fill(PASSWORD)
    form.locator("button.danger").click()
    expect(window.page.locator("#messages")).to_contain_text("is confirmed")
    assert Order.objects.get().confirmed_by == users["owner"]


@pytest.mark.parametrize("width", [1440, 390])
def test_what_was_done_is_seen_below_the_head(desk, account, width):
    order = order_make(account, "working", status="ACKED")
    window = desk(width=width, locale="en-US")
    window.page.goto("/risk/")
    window.page.click(f"#order-{order.pk} button")
    expect(window.page.locator("#messages .message")).to_contain_text(f"cancel order {order.pk}")
    head, said = (window.page.locator(name).bounding_box() for name in ("header.top", "#messages .message"))
    assert head["y"] + head["height"] <= said["y"]
    expect(window.page.locator("#messages .message")).to_be_in_viewport()


def test_everything_works_without_javascript(chromium, live_server, account, users):
    context = chromium.new_context(java_script_enabled=False, base_url=live_server.url, locale="en-US")
    signed_in = Client()
    signed_in.force_login(users["owner"])
    context.add_cookies([{"name": "sessionid", "value": signed_in.cookies["sessionid"].value, "url": live_server.url}])
    page = context.new_page()
    page.goto("/risk/")
    fill_ticket(page)
    page.click("button[value=preview]")
    page.click("button[value=place]")
    expect(page.locator("#ticket .result")).to_contain_text("It is written down")
    page.click("#open-orders button:has-text('Cancel')")
    expect(page.locator("#messages")).to_contain_text("is cancelled")
    page.goto("/plans/")
    for name, value in {"symbol": "AAA", "quantity": "10", "entry_price": "99", "expired_at": "2019-07-01T09:30"}.items():
        page.fill(f"#plan_{name}", value)
    page.click("#plan-form button.primary")
    page.click("summary:has-text('Execute')")
    page.click("button:has-text('Order it now')")
    expect(page.locator("#messages")).to_contain_text("is executed")
    page.fill("#alert_symbol", "AAA")
    page.fill("#alert_threshold_value", "120")
    page.click("#alert-form button.primary")
    page.click("button:has-text('Switch off')")
    expect(page.locator("#alerts")).to_contain_text("off")
    context.close()
    assert TradingPlan.objects.get().status == "EXECUTED"
    assert not PriceAlert.objects.get().is_active
    assert list(Order.objects.order_by("pk").values_list("status", flat=True)) == ["CANCELLED", "INTENT"]
