"""The kill switch in a real Chromium: seen on every page, one click to its panel, one more to stop."""

# ruff: noqa: F811 (fixtures of another module are asked for by their names)

import json

import pytest
from django.test import Client
from playwright.sync_api import expect

from quant_site.core.models import Account
from tests.pages_world import PASSWORD
from tests.test_browser_pages import CHROMIUM, PATHS, account, chromium, desk  # noqa: F401 (fixtures)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
]
EVERY_PAGE = [*PATHS, "/trading-state/"]
SUMMARY, PANEL = "header details.control > summary", "header details.control > .panel"
LOOKS = [(1440, "light", "zh-CN"), (1440, "dark", "en-US"), (390, "light", "en-US"), (390, "dark", "zh-CN")]


def put(account, state, reason=""):
    Account.objects.filter(pk=account.pk).update(state=state, state_reason=reason)


def state_of(account) -> str:
    return Account.objects.values_list("state", flat=True).get(pk=account.pk)


def inside(page, selector) -> bool:
    """Whether the element lies wholly within the window, from side to side."""
    box, width = page.locator(selector).bounding_box(), page.viewport_size["width"]
    return box is not None and box["x"] >= 0 and box["x"] + box["width"] <= width


@pytest.mark.parametrize(("width", "scheme", "locale"), LOOKS)
def test_the_state_is_seen_in_the_head_of_every_page(desk, account, width, scheme, locale):
    window = desk(width=width, scheme=scheme, locale=locale)
    labels = {"zh-CN": ("正常", "已停止"), "en-US": ("Active", "Halted")}[locale]
    for state, label in zip(("ACTIVE", "HALTED"), labels, strict=True):
        put(account, state)
        for path in EVERY_PAGE:
            window.page.goto(path)
            expect(window.page.locator(f"{SUMMARY} .state-name")).to_have_text(label)
            assert inside(window.page, SUMMARY), path
            window.page.click(SUMMARY)
            expect(window.page.locator(PANEL)).to_be_visible()
            assert inside(window.page, PANEL), path
            assert window.overflow() <= 0, path
    assert window.complaints == []


def test_each_state_has_a_colour_of_its_own_that_can_be_read(desk, account):
    colours = """() => { const s = getComputedStyle(document.querySelector('.state-name')); return [s.color, s.backgroundColor]; }"""
    for scheme in ("light", "dark"):
        window, seen = desk(scheme=scheme), set()
        for state in ("ACTIVE", "REDUCING", "HALTED"):
            put(account, state)
            window.page.goto("/")
            ink, paper = window.page.evaluate(colours)
            assert contrast(ink, paper) >= 4.5, (scheme, state)
            seen.add(ink)
        assert len(seen) == 3


def contrast(one: str, other: str) -> float:
    """WCAG 2.1 contrast of two colours "rgb(r, g, b)"."""

    def luminance(colour):
        parts = [int(part) / 255 for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("path", ["/", "/trades/?tab=journal"])
def test_two_clicks_halt_and_the_page_stays_the_same(desk, account, path):
    window = desk()
    window.page.goto(path)
    window.page.click(SUMMARY)
    window.page.click(f"{PANEL} button[value=HALTED] >> nth=0")
    expect(window.page.locator("header .state-halted")).to_be_visible()
    assert window.page.url == window.server.url + path
    assert state_of(account) == "HALTED"


def test_the_panel_closes_like_a_menu_and_halts_nothing(desk, account):
    window = desk()
    panel = window.page.locator(PANEL)
    window.page.click(SUMMARY)
    window.page.keyboard.press("Escape")
    expect(panel).not_to_be_visible()
    window.page.click(SUMMARY)
    window.page.mouse.click(20, 500)
    expect(panel).not_to_be_visible()
    assert state_of(account) == "ACTIVE"


def test_resuming_asks_for_the_password_and_says_when_it_is_wrong(desk, account):
    put(account, "HALTED", "odd fills")
    window = desk(locale="en-US")
    window.page.goto("/loop/")
    window.page.click(SUMMARY)
    expect(window.page.locator(PANEL)).to_contain_text("odd fills")
    window.page.click(f"{PANEL} button[value=ACTIVE]")
    assert state_of(account) == "HALTED"  # the empty field was not sent
    window.page.fill(f"{PANEL} input[type=password]", "wrong")
    window.page.click(f"{PANEL} button[value=ACTIVE]")
    expect(window.page.locator("[role=alert]")).to_contain_text("not your password")
    window.page.fill("main input[type=password]", PASSWORD)
    window.page.click("main button[value=ACTIVE]")
    expect(window.page.locator("header .state-active")).to_be_visible()
    assert state_of(account) == "ACTIVE"


def test_the_badge_follows_what_another_did_without_a_reload(desk, account):
    window = desk()
    expect(window.page.locator("#link-state")).to_have_attribute("data-state", "connected")
    put(account, "HALTED", "fire")
    payload = {"from": "ACTIVE", "to": "HALTED", "reason": "fire", "by": "trader"}
    event = {"id": 10**9, "type": "account.state", "at": "2012-03-05T14:30:00Z", "account": account.pk, "payload": payload}
    window.sockets[-1].send(json.dumps(event))
    expect(window.page.locator("header .state-halted")).to_be_visible()
    expect(window.page.locator("#card-status")).to_contain_text("fire")
    expect(window.page.locator("#feed li").first).to_contain_text("已停止 fire trader")
    assert window.complaints == []


def test_it_works_without_javascript(chromium, live_server, account):
    context = chromium.new_context(java_script_enabled=False, base_url=live_server.url, locale="en-US")
    signed_in = Client()
    signed_in.force_login(account.owner)
    context.add_cookies([{"name": "sessionid", "value": signed_in.cookies["sessionid"].value, "url": live_server.url}])
    page = context.new_page()
    page.goto("/trades/")
    page.click(SUMMARY)
    page.click(f"{PANEL} button[value=HALTED] >> nth=0")
    expect(page.locator("header .state-halted")).to_be_visible()
    page.click(SUMMARY)
    page.fill(f"{PANEL} input[type=password]", PASSWORD)
    page.click(f"{PANEL} button[value=ACTIVE]")
    expect(page.locator("header .state-active")).to_be_visible()
    context.close()
    assert state_of(account) == "ACTIVE"
