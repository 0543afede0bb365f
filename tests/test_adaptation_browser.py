"""The page of the adaptation in a real Chromium: read at every size, and worked with by plain forms."""

# ruff: noqa: F811 (fixtures of another module are asked for by their names)

import pytest
from django.test import Client
from playwright.sync_api import expect

from analytics.models import Challenger, Pin
from tests.adaptation_world import account_make, everything_make, people
from tests.test_browser_pages import CHROMIUM, Desk, chromium  # noqa: F401 (fixtures)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
]
LOOKS = [(1440, "light", "zh-CN"), (1440, "dark", "en-US"), (390, "light", "en-US"), (390, "dark", "zh-CN")]
OPEN_ALL = "document.querySelectorAll('details').forEach(each => { if (!each.dataset.control) each.open = true })"


@pytest.fixture
def account():
    users = people()
    made = account_make(users)
    everything_make(made, users["owner"])
    return made


@pytest.fixture
def desk(chromium, live_server, account):
    opened = []

    def open_desk(**wishes) -> Desk:
        opened.append(Desk(chromium, live_server, account, **wishes))
        return opened[-1]

    yield open_desk
    for each in opened:
        each.context.close()


@pytest.mark.parametrize(("width", "scheme", "locale"), LOOKS)
def test_the_page_fits_the_window_and_the_console_stays_quiet(desk, width, scheme, locale):
    window = desk(width=width, scheme=scheme, locale=locale)
    window.page.goto("/adaptation/")
    assert window.overflow() <= 0
    window.page.evaluate(OPEN_ALL)
    assert window.overflow() <= 0
    assert window.complaints == []


def test_it_is_in_the_head_of_every_page(desk):
    window = desk(locale="en-US")
    window.page.goto("/loop/")
    window.page.click("nav.nav >> text=Adaptation")
    expect(window.page.locator("nav.nav a[aria-current]")).to_have_text("Adaptation")


def test_decisions_are_filtered_by_choosing_a_lane(desk):
    window = desk(locale="en-US")
    window.page.goto("/adaptation/")
    window.page.select_option("#lane", "DERISK")
    expect(window.page.locator("#history .count")).to_have_text("1")
    assert window.complaints == []


def test_everything_works_without_javascript(chromium, live_server, account):
    context = chromium.new_context(java_script_enabled=False, base_url=live_server.url, locale="en-US")
    signed_in = Client()
    signed_in.force_login(account.owner)
    context.add_cookies([{"name": "sessionid", "value": signed_in.cookies["sessionid"].value, "url": live_server.url}])
    page = context.new_page()
    page.goto("/adaptation/")
    challenger = page.locator("article.wait-warn")
    challenger.locator("summary.button").click()
    challenger.locator("button.danger").click()
    assert Challenger.objects.filter(status="VETOED").count() == 0  # the empty reason was not sent
    challenger.locator("input[name=reason]").fill("Luck.")
    challenger.locator("button.danger").click()
    expect(page.locator("#messages")).to_contain_text("is vetoed")
    row = page.locator("#pin-golden_cross")
    row.locator("summary").click()
    row.locator("input[name=reason]").fill("The audit is over.")
    row.locator("button", has_text="Unpin weight").click()
    expect(page.locator("#messages")).to_contain_text("no longer pinned")
    context.close()
    assert list(Challenger.objects.exclude(status="DROPPED").order_by("pk").values_list("status", flat=True)) == ["SHADOW", "VETOED"]
    assert not Pin.objects.exists()
