"""The journal's tab in a real Chromium: it fits at every size, and works without JavaScript."""

# ruff: noqa: F811 (fixtures of another module are asked for by their names)

import pytest
from django.test import Client
from playwright.sync_api import expect

from analytics.behaviour.record import behaviour_record
from analytics.models import BehaviourScore
from tests.accounting_world import SESSIONS
from tests.pages_world import account_make, user_make
from tests.test_behaviour_record import LAST, planned
from tests.test_behaviour_record import Desk as Trades
from tests.test_browser_pages import CHROMIUM, Desk, chromium  # noqa: F401 (fixtures)
from trading.models import TradeJournal

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
]


@pytest.fixture
def account():
    return account_make(user_make("owner"))


@pytest.fixture
def entry(account):
    return TradeJournal.objects.get(account=account)


@pytest.fixture
def judged(account):
    """Scores of trades by hand and by a strategy, with a plan, shown on the account."""
    trades = Trades({103: 94.0, 125: 130.0, 150: 80.0})
    trades.close(103, trades.open(100, "turtle", stop=95), price=94, purpose="STOP")
    trades.close(110, trades.open(104, plan=planned(trades, 104), stop=90), price=105)
    trades.close(120, trades.open(110, stop=90), price=99)
    trades.close(155, trades.open(140, stop=85), price=90)
    behaviour_record(trades.account, SESSIONS[LAST], trades.panel)
    BehaviourScore.objects.update(account=account)


@pytest.mark.parametrize(("width", "locale"), [(1440, "zh-CN"), (1440, "en-US"), (390, "zh-CN"), (390, "en-US")])
def test_the_tab_fits_the_window_and_the_console_stays_quiet(chromium, live_server, account, entry, judged, width, locale):
    TradeJournal.objects.update(journal_status="COMPLETED", mistake_tags=["sell_fly", "a_word_of_somebody_else"], lesson_learned="W" * 90)
    window = Desk(chromium, live_server, account, width=width, scheme="light", locale=locale)
    window.page.goto(f"/trades/?tab=journal&entry={entry.pk}")
    window.page.evaluate("document.querySelectorAll('#journal details').forEach(each => { each.open = true })")
    assert window.overflow() <= 0
    assert window.complaints == []
    window.context.close()


def test_an_entry_is_written_and_a_file_imported_without_javascript(chromium, live_server, account, entry, tmp_path):
    context = chromium.new_context(java_script_enabled=False, base_url=live_server.url, locale="en-US")
    signed_in = Client()
    signed_in.force_login(account.owner)
    context.add_cookies([{"name": "sessionid", "value": signed_in.cookies["sessionid"].value, "url": live_server.url}])
    page = context.new_page()
    page.goto("/trades/?tab=journal")
    page.click("#journal td.acts-cell a")
    page.select_option("#journal_execution_quality", "4")
    page.check("text=Sold too soon")
    page.fill("#journal_lesson_learned", "Wait.")
    page.click("#journal-entry button.primary")
    expect(page.locator("#messages")).to_contain_text("is written")
    page.click("#journal td.acts-cell a")
    page.click("#journal-entry button:has-text('Review it')")
    expect(page.locator("#messages")).to_contain_text("it stands")
    file = tmp_path / "trades.csv"
    file.write_text("symbol,direction,realized_pnl\nMSFT,LONG,5\n")
    page.click("#journal-files summary")
    page.set_input_files("#file_file", file)
    page.click("#journal-files button.primary")
    expect(page.locator("#journal-files")).to_contain_text("1 would be new")
    page.set_input_files("#file_file", file)
    page.check("#file_write")
    page.click("#journal-files button.primary")
    expect(page.locator("#messages")).to_contain_text("Imported: 1 new")
    context.close()
    entry.refresh_from_db()
    assert (entry.journal_status, entry.lesson_learned, entry.mistake_tags) == ("REVIEWED", "Wait.", ["sell_fly"])
    assert TradeJournal.objects.filter(account=account).count() == 2
