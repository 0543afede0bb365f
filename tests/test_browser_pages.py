"""The pages in a real Chromium: no console errors, a drawn chart, language, theme, live feed, no sideways scrolling."""

import json
import os
import shutil
from datetime import timedelta

import pytest
from django.test import Client
from playwright.sync_api import expect, sync_playwright

from tests.pages_world import LAST, PASSWORD, account_make, user_make
from trading.models import EquitySnapshot

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATHS = ["/", "/strategies/", "/strategies/bollinger_mean_reversion/", "/loop/", "/trades/", "/trades/?tab=journal", "/trades/?tab=signals"]
DRAWN = """() => [...document.querySelectorAll('#equity-chart canvas')].some(canvas => {
    if (!canvas.width || !canvas.height) return false;
    const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
    const colours = new Set();
    for (let i = 0; i < pixels.length; i += 4) if (pixels[i + 3] > 200) colours.add(`${pixels[i]},${pixels[i + 1]},${pixels[i + 2]}`);
    return colours.size > 5;
})"""
pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
]


@pytest.fixture(scope="module")
def chromium():
    """One Chromium. Its event loop lives in this thread, so the ORM is told that this is a test's choice."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        with sync_playwright() as playwright:
            running = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
            yield running
            running.close()


@pytest.fixture
def account():
    return account_make(user_make("owner"))


class Desk:
    """A signed-in browser window on the live server. The socket is played by the test; `complaints` is the console."""

    def __init__(self, browser, server, account, *, width=1440, scheme="light", locale="zh-CN"):
        self.server, self.complaints, self.sockets = server, [], []
        self.context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, locale=locale, base_url=server.url
        )
        self.page = self.context.new_page()
        self.page.on("console", lambda message: self.complaints.append(message.text) if message.type in {"error", "warning"} else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.route_web_socket("**/ws/stream/**", lambda socket: self.sockets.append(socket))
        signed_in = Client()
        signed_in.force_login(account.owner)
        self.context.add_cookies([{"name": "sessionid", "value": signed_in.cookies["sessionid"].value, "url": server.url}])
        self.page.goto("/")

    def overflow(self) -> int:
        return self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


@pytest.fixture
def desk(chromium, live_server, account):
    opened = []

    def open_desk(**wishes) -> Desk:
        opened.append(Desk(chromium, live_server, account, **wishes))
        return opened[-1]

    yield open_desk
    for each in opened:
        each.context.close()


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_every_page_fits_the_window_and_the_console_stays_quiet(desk, width, scheme):
    window = desk(width=width, scheme=scheme)
    for path in PATHS:
        window.page.goto(path)
        assert window.overflow() <= 0, path
    assert window.complaints == []


@pytest.mark.parametrize("width", [1440, 390])
def test_the_chart_is_drawn_and_its_legend_names_date_and_values(desk, width):
    window = desk(width=width)
    window.page.wait_for_function(DRAWN)
    expect(window.page.locator("#equity-legend")).to_contain_text(str(LAST))
    expect(window.page.locator("#equity-legend")).to_contain_text("SPX +6.18%")
    box = window.page.locator("#equity-chart").bounding_box()
    assert 0 < box["width"] <= width


def test_the_crosshair_shows_the_values_of_another_session(desk):
    window = desk()
    window.page.wait_for_function(DRAWN)
    box = window.page.locator("#equity-chart").bounding_box()
    window.page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 100)
    expect(window.page.locator("#equity-legend")).not_to_contain_text(str(LAST))


def test_a_range_starts_both_curves_at_zero_again(desk, account):
    days = [LAST + timedelta(days=step + 1) for step in range(40)]
    common = {
        "account": account,
        "total_equity": 100000,
        "daily_return": 0,
        "benchmark_return": 0,
        "drawdown_pct": 0,
        "benchmark_symbol": "SPX",
    }
    EquitySnapshot.objects.bulk_create(EquitySnapshot(snapshot_date=day, **common) for day in days)
    window = desk()
    legend = window.page.locator("#equity-legend")
    expect(legend).to_contain_text("SPX +6.18%")
    window.page.click('[data-range="63"]')
    expect(legend).to_contain_text("SPX +2.33%")  # 1.001^23 - 1: what the last 63 of 100 sessions made


def test_signing_in_and_out_again(desk):
    window = desk()
    window.page.click("form[action='/logout/'] button")
    window.page.fill("#id_username", "owner")
    window.page.fill("#id_password", "wrong")
    window.page.click("button.primary")
    expect(window.page.locator("[role=alert]")).to_be_visible()
    window.page.fill("#id_username", "owner")
    window.page.fill("#id_password", PASSWORD)
    window.page.click("button.primary")
    window.page.wait_for_url(window.server.url + "/")


def test_chinese_comes_first_and_the_language_can_be_changed(desk):
    window = desk()
    expect(window.page.locator("html")).to_have_attribute("lang", "zh-hans")
    expect(window.page.get_by_role("heading", name="权益与基准")).to_be_visible()
    window.page.click("[data-language]")
    expect(window.page.locator("html")).to_have_attribute("lang", "en")
    expect(window.page.get_by_role("heading", name="Equity against the benchmark")).to_be_visible()
    window.page.click("[data-language]")
    expect(window.page.locator("html")).to_have_attribute("lang", "zh-hans")


def test_the_theme_follows_the_system_until_the_reader_chooses_and_is_remembered(desk):
    window = desk(scheme="dark")
    background = "getComputedStyle(document.body).backgroundColor"
    dark = window.page.evaluate(background)
    window.page.click("[data-theme-toggle]")
    light = window.page.evaluate(background)
    assert dark != light
    window.page.goto("/loop/")
    assert window.page.evaluate(background) == light
    assert window.page.evaluate("document.documentElement.dataset.theme") == "light"


def test_rising_is_red_in_chinese_and_the_reader_may_turn_it_round(desk):
    window = desk()
    colour = "getComputedStyle(document.querySelector('.up')).color"
    red = window.page.evaluate(colour)
    window.page.click("[data-updown-toggle]")
    green = window.page.evaluate(colour)
    assert red == "rgb(200, 30, 58)" and green == "rgb(8, 120, 79)"
    window.page.reload()
    assert window.page.evaluate(colour) == green


def test_a_pushed_event_becomes_a_line_and_its_cards_are_read_again(desk, account):
    window = desk()
    expect(window.page.locator("#link-state")).to_have_attribute("data-state", "connected")
    payload = {"symbol": "MSFT", "side": "SELL", "quantity": "25", "price": "31.5"}
    event = {"id": 10**9, "type": "fill", "at": "2012-03-05T14:30:00Z", "account": account.pk, "payload": payload}
    with window.page.expect_response(lambda response: "/cards/positions/" in response.url) as read:
        window.sockets[-1].send(json.dumps(event))
        expect(window.page.locator("#feed li").first).to_contain_text("MSFT 卖出 25 @ 31.5")
    assert read.value.ok
    expect(window.page.locator("#feed li").first).to_contain_text("03-05 09:30")
    before = window.page.locator("#feed li").count()
    window.sockets[-1].send(json.dumps(event))
    window.sockets[-1].send(json.dumps(event | {"id": 10**9 + 1, "account": "SOMEBODY-ELSE"}))
    window.sockets[-1].send(json.dumps(event | {"id": 10**9 - 1, "payload": payload | {"symbol": "LATE"}}))
    expect(window.page.locator("#feed li").first).to_contain_text("LATE")
    assert window.page.locator("#feed li").count() == before + 1


def test_a_dropped_connection_comes_back_and_asks_for_what_it_missed(desk, account):
    window = desk()
    expect(window.page.locator("#link-state")).to_have_attribute("data-state", "connected")
    event = {"id": 777000, "type": "loop.run", "at": "2012-03-05T21:15:00Z", "account": account.pk, "payload": {"status": "DONE"}}
    window.sockets[-1].send(json.dumps(event))
    expect(window.page.locator("#feed li").first).to_contain_text("完成")
    count = len(window.sockets)
    window.sockets[-1].close()
    window.page.wait_for_function("document.getElementById('link-state').dataset.state === 'connected'", timeout=8000)
    window.page.wait_for_timeout(1500)
    assert len(window.sockets) > count
    assert "since=777000" in window.sockets[-1].url


def test_text_that_arrives_by_the_socket_is_never_markup(desk, account):
    window = desk()
    expect(window.page.locator("#link-state")).to_have_attribute("data-state", "connected")
    payload = {"symbol": "<img src=x onerror=alert(1)>"}
    event = {"id": 888000, "type": "fill", "at": "2012-03-05T14:30:00Z", "account": account.pk, "payload": payload}
    window.sockets[-1].send(json.dumps(event))
    expect(window.page.locator("#feed li").first).to_contain_text("<img")
    assert window.page.locator("#feed img").count() == 0


def test_the_equity_card_draws_again_when_a_snapshot_arrives(desk, account):
    window = desk()
    expect(window.page.locator("#link-state")).to_have_attribute("data-state", "connected")
    day = LAST + timedelta(days=1)
    EquitySnapshot.objects.create(account=account, snapshot_date=day, total_equity=123456, daily_return=0, drawdown_pct=0)
    event = {"id": 999000, "type": "equity.snapshot", "at": "2012-03-05T21:15:00Z", "account": account.pk, "payload": {"session": str(day)}}
    window.sockets[-1].send(json.dumps(event))
    expect(window.page.locator("#equity-legend")).to_contain_text("123,456.00")
    assert window.complaints == []
