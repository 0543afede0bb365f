"""The report in a real Chromium: the page at every size and colour, and the file as it opens from a folder and prints."""

# ruff: noqa: F811 (fixtures of another module are asked for by their names)

import pytest
from playwright.sync_api import expect

from analytics.models import Attribution, Challenger
from strategies.models import Strategy
from tests.pages_world import FIRST, LAST
from tests.test_browser_pages import CHROMIUM, account, chromium, desk  # noqa: F401 (fixtures)
from trading.models import Position

KEY = "bollinger_mean_reversion"
LOOKS = [(1440, "light", "zh-CN"), (1440, "dark", "en-US"), (390, "light", "en-US"), (390, "dark", "zh-CN")]
DRAWN = """() => [...document.querySelectorAll('#report-chart canvas')].some(canvas => canvas.width && canvas.height &&
    canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(value => value > 0))"""
# What of the file is wider than the window, but for what scrolls in its own place.
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
]


@pytest.fixture(autouse=True)
def full(account):
    """Something in every place of the report, with the longest words there are."""
    strategy = Strategy.objects.get(key=KEY)
    for number, result in enumerate((120, -80, 15000)):
        Position.objects.create(
            account=account,
            strategy=strategy,
            group="SPY   190315P00280000",
            symbol="SPY   190315P00280000",
            direction="LONG",
            quantity=0,
            cost=0,
            realized_pnl=result,
            entry_session=FIRST,
            exit_session=LAST,
            exit_reason="STOP" if number else "EXIT",
            entry_price=10,
            last_entry_price=10,
            peak_quantity=10,
            entry_cost=100,
        )
    buckets = {"SYMBOL": {"SPY   190315P00280000": "1500.25"}, "SECTOR": {"Communication Services": "1500.25"}, "STAGE": {"FEE": "1500.25"}}
    Attribution.objects.create(account=account, session=LAST, total="1500.25", buckets=buckets)
    change = {"bollinger_standard_deviations": [2.0, 2.25]}
    Challenger.objects.create(account=account, strategy=strategy, change=change, champion={}, started=LAST, threshold=20, reason="W" * 200)


@pytest.mark.parametrize(("width", "scheme", "locale"), LOOKS)
def test_the_page_fits_the_window_and_the_console_stays_quiet(desk, width, scheme, locale):
    window = desk(width=width, scheme=scheme, locale=locale)
    for path in ("/report/", f"/report/?strategy={KEY}"):
        window.page.goto(path)
        window.page.wait_for_function(DRAWN)
        window.page.evaluate("document.querySelectorAll('.report details').forEach(each => { each.open = true })")
        assert window.overflow() <= 0, path
    assert window.complaints == []


@pytest.mark.parametrize(("width", "scheme", "locale"), LOOKS)
def test_the_file_opens_from_a_folder_asks_for_nothing_and_fits(desk, tmp_path, width, scheme, locale):
    window, asked = desk(width=width, scheme=scheme, locale=locale), []
    window.page.goto("/report/")
    with window.page.expect_download() as download:
        window.page.click("a[href^='/report/download/']")
    kept = tmp_path / download.value.suggested_filename
    download.value.save_as(kept)
    assert kept.name == f"report-DESK-1-{FIRST}-{LAST}.html"
    window.context.set_offline(True)
    window.page.on("request", lambda request: asked.append(request.url))
    window.page.goto(kept.as_uri())
    assert window.page.locator("svg.plot").count() == 4
    assert window.page.evaluate(SIDEWAYS) <= 0
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert window.complaints == []


def test_in_print_a_dark_reader_s_file_is_black_on_white(desk, tmp_path):
    window = desk(scheme="dark", locale="en-US")
    (tmp_path / "report.html").write_bytes(window.context.request.get("/report/download/").body())
    window.page.goto((tmp_path / "report.html").as_uri())
    background = "getComputedStyle(document.body).backgroundColor"
    assert window.page.evaluate(background) == "rgb(12, 16, 22)"
    window.page.emulate_media(media="print")
    assert window.page.evaluate(background) == "rgb(255, 255, 255)"
    window.page.set_viewport_size({"width": 703, "height": 1000})  # A4 less its margins
    assert window.page.evaluate(SIDEWAYS) <= 0
    assert window.page.locator(".kept .tall").first.evaluate("each => each.scrollHeight <= each.clientHeight")


def test_the_crosshair_names_the_values_of_a_session_and_the_form_narrows_the_span(desk):
    window = desk(locale="en-US")
    window.page.goto("/report/")
    expect(window.page.locator("#report-legend")).to_contain_text(str(LAST))
    expect(window.page.locator("#report-legend")).to_contain_text("SPX 106.18")
    box = window.page.locator("#report-chart").bounding_box()
    window.page.mouse.move(box["x"] + box["width"] / 3, box["y"] + 60)
    expect(window.page.locator("#report-legend")).not_to_contain_text(str(LAST))
    window.page.select_option("select[name=strategy]", KEY)
    window.page.fill("input[name=to]", "2012-01-20")
    window.page.click(".span-form button")
    expect(window.page.locator("h1")).to_have_text("Report · Bollinger mean reversion")
    expect(window.page.locator("select[name=strategy]")).to_have_value(KEY)
    expect(window.page.locator("input[name=to]")).to_have_value("2012-01-20")
