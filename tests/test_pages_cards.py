"""The dashboard's cards stand alone: what breaks one leaves the others, and nothing undefined is shown as a number."""

import json
import re

import pytest
from django.utils import translation

from analytics.pages import dashboard
from analytics.pages import site as pages
from quant_site.core.errors import DataMissing
from quant_site.core.models import Account
from tests.pages_world import account_make, user_make

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(client):
    user = user_make("owner")
    client.force_login(user)
    client.cookies["django_language"] = "en"
    return user


@pytest.fixture
def account(owner):
    return account_make(owner)


def page_of(client, path="/") -> str:
    return client.get(path).content.decode()


def broken(account):
    raise DataMissing("no_bars", "There are no bars of that session.")


def test_a_section_that_fails_shows_its_message_and_the_others_stay(client, account, monkeypatch):
    monkeypatch.setitem(dashboard.SECTIONS, "orders", broken)
    text = page_of(client)
    assert "There are no bars of that session." in text
    assert "Latest orders" not in text
    assert "Open positions" in text and "Latest signals" in text


def test_a_bug_in_a_section_is_named_but_not_leaked(client, account, monkeypatch):
    monkeypatch.setitem(dashboard.SECTIONS, "kpis", lambda account: {"figures": 1 / 0})
    text = page_of(client)
    assert "ZeroDivisionError" in text
    assert "Traceback" not in text


def test_a_template_that_fails_is_isolated_too(client, account, monkeypatch):
    monkeypatch.setitem(dashboard.SECTIONS, "months", lambda account: {"years": [object()], "undefined": None, "card": None} | {"years": 3})
    text = page_of(client)
    assert "Returns by month" not in text
    assert "Latest orders" in text


def test_an_account_without_history_says_so_instead_of_showing_zeros(client, owner):
    Account.objects.create(id="EMPTY", owner=owner)
    text = page_of(client, "/?account=EMPTY")
    assert "No session has been closed on this account yet" in text
    assert "The loop has not run on this account yet." in text
    assert "NaN" not in text and "None" not in re.sub(r"<script.*?</script>", "", text, flags=re.S)


def test_an_undefined_figure_is_a_dash_with_its_reason(client, account):
    text = page_of(client, "/cards/kpis/")
    assert "Nothing has been lost yet." in text
    assert "Fewer than 60 sessions" in text
    assert text.count('class="undefined"') == 2


def test_figures_follow_the_snapshots(account):
    latest = account.equity_snapshots.first()
    before = account.equity_snapshots.all()[1]
    figures = {figure.label: figure for figure in dashboard.read_kpis(account)["figures"]}
    assert figures["Equity"].value == latest.total_equity
    assert figures["Equity"].notes[0][2] == latest.total_equity - 100000
    assert figures["P&L of the day"].value == latest.total_equity - before.total_equity
    assert figures["Return since the start"].notes[0][2] == pytest.approx(1.001**60 - 1)


def test_the_chart_gets_every_session_with_the_drawdown_in_per_cent(account):
    data = dashboard.read_equity(account)
    assert len(data["sessions"]) == len(data["account"]) == len(data["benchmark"]) == len(data["drawdown"]) == 60
    assert data["account"][0] == pytest.approx(99.5)
    assert data["benchmark"][-1] == pytest.approx(100 * 1.001**60, abs=1e-3)
    assert data["drawdown"][-1] == -0.5


def test_rejected_signals_carry_their_reason_with_numbers(client, account):
    text = page_of(client, "/cards/signals/")
    assert "Limit of a single name" in text
    assert "23,100.50 / 20,000.00" in text


def test_each_card_can_be_read_again_by_itself(client, account):
    for name in dashboard.SECTIONS:
        assert client.get(f"/cards/{name}/", {"account": account.pk}).status_code == 200, name


def test_cards_name_events_that_exist():
    known = {"signal.created", "signal.moved", "order.created", "order.moved", "fill", "position.opened", "position.closed"}
    known |= {"loop.run", "loop.stage", "equity.snapshot", "strategy.params", "strategy.toggled", "finding", "adaptation"}
    known |= {"account.state", "account.halted", "account.armed", "account.disarmed"}
    for events in pages.CARD_EVENTS.values():
        for each in events.split():
            assert any(name.startswith(each) if each.endswith(".") else name == each for name in known), each


def test_the_feed_begins_with_the_accounts_own_events_and_the_newest_id(account):
    other = account_make(user_make("other"), "OTHER")
    feed = dashboard.read_feed(account)
    assert {event["account"] for event in feed["events"]} <= {"", account.pk}
    assert feed["last"] >= max(event["id"] for event in dashboard.read_feed(other)["events"])


def test_the_page_has_no_inline_script_or_style(client, account):
    text = page_of(client)
    scripts = re.findall(r"<script(?![^>]*(?:src=|application/json))", text)
    assert scripts == []
    assert "style=" not in text and "onclick" not in text


def test_json_on_the_page_is_escaped(client, owner, account):
    Account.objects.filter(pk=account.pk).update(name="</script><b>x")
    assert "</script><b>x" not in page_of(client)


def test_chinese_is_the_language_without_a_preference(client, account):
    del client.cookies["django_language"]
    text = page_of(client)
    assert '<html lang="zh-hans">' in text
    assert "权益与基准" in text and "单一标的上限" in text
    assert "首次收于下轨之外：偏离均值 2.68 个标准差，ADX 23。" in text
    translation.activate("en")


def test_the_equity_data_on_the_page_is_json(client, account):
    text = page_of(client, "/cards/equity/")
    data = json.loads(re.search(r'<script id="equity-data" type="application/json">(.*?)</script>', text, re.S)[1])
    assert data["benchmark_symbol"] == "SPX"
