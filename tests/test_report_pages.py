"""The report as page, data and file: whose it is, what it says where a number is undefined, and that the file stands alone."""

import re
from html.parser import HTMLParser

import pytest
from django.urls import reverse
from rest_framework.test import APIClient

from analytics.models import Attribution, DailyPerformance
from quant_site.core.models import Account
from strategies.models import Strategy
from tests.pages_world import FIRST, LAST, D, account_make, user_make

KEY = "bollinger_mean_reversion"
VIEWS = ["/report/", "/report/download/"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def account():
    return account_make(user_make("owner"))


@pytest.fixture
def reader(client, account):
    """The owner's browser, in English."""
    client.force_login(account.owner)
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    return client


def shown(client, path="/report/", **query) -> str:
    return client.get(path, query).content.decode()


def api(user, **query):
    client = APIClient()
    client.force_authenticate(user)
    return client.get("/api/v1/report/", query)


def text_of(html: str) -> str:
    """What a person reads, with single spaces."""
    return re.sub(r"\s+", " ", re.sub(r"<(style|script).*?</\1>|<[^>]+>", " ", html, flags=re.DOTALL))


@pytest.mark.parametrize("path", VIEWS)
def test_a_stranger_is_sent_to_the_login(client, account, path):
    assert client.get(path).url.startswith(reverse("login"))


@pytest.mark.parametrize("path", VIEWS)
def test_anothers_account_is_not_found(client, account, path):
    client.force_login(user_make("other"))
    assert client.get(path, {"account": account.pk}).status_code == 404
    assert client.get(path, {"account": account.pk, "strategy": KEY}).status_code == 404


def test_the_data_of_anothers_account_is_not_found(account):
    assert api(user_make("other"), account=account.pk).status_code == 404
    assert APIClient().get("/api/v1/report/", {"account": account.pk}).status_code == 401
    assert api(account.owner, account=account.pk).status_code == 200


def test_an_unknown_strategy_is_not_found(reader, account):
    assert {reader.get(path, {"strategy": "alchemy"}).status_code for path in VIEWS} == {404}
    assert api(account.owner, account=account.pk, strategy="alchemy").status_code == 404


def test_an_undefined_figure_is_a_dash_with_its_reason_and_never_zero(reader, account):
    rows = re.findall(r"<tr>.*?</tr>", shown(reader, to=str(FIRST)), flags=re.DOTALL)
    [sharpe] = [text_of(row) for row in rows if "<td>Sharpe ratio" in row]
    [profit] = [text_of(row) for row in rows if "<td>Profit factor" in row]
    assert sharpe.strip() == "Sharpe ratio Too few observations. —"
    assert profit.strip() == "Profit factor No trade has been closed yet. —"
    metrics = api(account.owner, account=account.pk, to=str(FIRST)).json()["metrics"]
    assert metrics["sharpe_ratio"] == {"value": None, "reason": "TOO_FEW", "n": 1}


def test_the_page_names_account_span_and_what_a_strategy_s_returns_are(reader, account):
    page = text_of(shown(reader))
    assert f"Account DESK-1 · Desk · {FIRST} – {LAST} · sessions: 60" in page
    assert "no capital of its own" not in page
    own = text_of(shown(reader, strategy=KEY))
    assert "Report · Bollinger mean reversion" in own
    assert "its returns are what it added on the equity of the whole account" in own


def test_a_span_narrows_every_figure(reader, account):
    page = text_of(shown(reader, **{"from": "2012-02-01", "to": "2012-02-10"}))
    assert "2012-02-01 – 2012-02-10 · sessions: 10" in page
    data = api(account.owner, account=account.pk, **{"from": "2012-02-01", "to": "2012-02-10"}).json()
    assert (data["first_session"], data["last_session"], len(data["curves"]["growth"])) == ("2012-02-01", "2012-02-10", 10)


@pytest.mark.parametrize("query", [{"from": "2012-02-30"}, {"from": "2012-02-10", "to": "2012-02-01"}])
def test_a_span_that_cannot_be_is_refused_where_it_was_typed(reader, account, query):
    answer = reader.get("/report/", query)
    assert answer.status_code == 400
    assert 'role="alert"' in answer.content.decode()
    assert "Growth of 100" not in answer.content.decode()
    assert reader.get("/report/download/", query).url.startswith("/report/?from=")
    assert api(account.owner, account=account.pk, **query).status_code == 400


def test_the_months_of_the_page_are_those_of_the_data_and_compound_to_the_year(reader, account):
    [year] = api(account.owner, account=account.pk).json()["years"]
    months = [change for change in year["months"] if change is not None]
    total = 1.0
    for change in months:
        total *= 1 + change
    assert total - 1 == pytest.approx(year["total"])
    [row] = re.findall(r'<tr><th class="num">2012</th>.*?</tr>', shown(reader), flags=re.DOTALL)
    cells = [cell.replace("−", "-") for cell in re.findall(r'class="num[^"]*">([^<]+)</span>', row)]
    assert cells == [f"{100 * change:+.1f}" for change in [*months, year["total"]]]
    assert len(re.findall("heat-up-|heat-down-", row)) == len(months)


def test_money_is_text_in_cents_and_the_curve_ends_with_the_p_and_l(account):
    data = api(account.owner, account=account.pk).json()
    assert data["pnl"] == data["curves"]["cumulative_pnl"][-1]
    assert re.fullmatch(r"-?\d+\.\d\d", data["pnl"])
    assert data["contributions"] == {KEY: "812.20"}
    assert {len(values) for values in data["curves"].values()} == {60}


def test_where_the_p_and_l_came_from_is_said_in_words(reader, account):
    buckets = {"SYMBOL": {"IBM": "10.00", "GOOG": "-4.00"}, "STAGE": {"SIGNAL": "7.50", "FEE": "-1.50"}, "SECTOR": {"UNKNOWN": "6.00"}}
    Attribution.objects.create(account=account, session=LAST, total=D("6.00"), buckets=buckets)
    page = text_of(shown(reader))
    assert "Commissions −1.50" in page
    assert "IBM +10.00 GOOG −4.00 Together +6.00" in page
    assert f"are attributed from {LAST} to {LAST} only (sessions: 1)" in page
    assert api(account.owner, account=account.pk).json()["attribution"]["dimensions"]["SYMBOL"] == {"IBM": "10.00", "GOOG": "-4.00"}


def test_how_it_adapted_is_shown_with_its_reason(reader):
    page = text_of(shown(reader, strategy=KEY))
    assert "Bollinger mean reversion 25.0% 27.0% 1" in page
    assert "weight 0.25 → 0.27" in page
    assert "Silent strategy" in page


class Parts(HTMLParser):
    """Elements and attributes by which a document could ask for another."""

    def __init__(self, html: str):
        super().__init__()
        self.elements, self.references = [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.references += [value for name, value in attrs if name in {"src", "href", "action", "srcset", "data", "xlink:href", "poster"}]


@pytest.mark.parametrize("strategy", ["", KEY])
def test_the_file_refers_to_nothing_outside_itself(reader, account, strategy):
    answer = reader.get("/report/download/", {"strategy": strategy})
    html = answer.content.decode()
    assert answer["Content-Type"].startswith("text/html")
    name = f"report-DESK-1-{KEY}-{LAST}-{LAST}.html" if strategy else f"report-DESK-1-{FIRST}-{LAST}.html"
    assert answer["Content-Disposition"] == f'attachment; filename="{name}"'
    assert "http" not in html
    assert "url(" not in html
    assert "@import" not in html
    assert not {"script", "iframe", "img", "object", "form"} & set(Parts(html).elements)
    assert Parts(html).references == ["data:,"]
    assert html.count("<svg") >= 3


def test_the_file_holds_what_the_page_shows(reader, account):
    tables = [re.findall(r"<td class=\"n\">.*?</td>", shown(reader, path), flags=re.DOTALL) for path in VIEWS]
    assert tables[0] == tables[1]
    assert len(tables[0]) > 20


def test_the_file_speaks_the_reader_s_language_and_colours(client, account):
    client.force_login(account.owner)
    chinese = client.get("/report/download/", HTTP_ACCEPT_LANGUAGE="zh-CN").content.decode()
    english = client.get("/report/download/", HTTP_ACCEPT_LANGUAGE="en").content.decode()
    assert 'lang="zh-hans" data-updown="red-up"' in chinese
    assert "夏普比率" in chinese
    assert 'lang="en" data-updown="green-up"' in english
    assert "Sharpe ratio" in english


def test_names_are_escaped_wherever_they_stand(reader, account):
    Account.objects.filter(pk=account.pk).update(name="<b>&bold")
    DailyPerformance.objects.filter(account=account).update(undefined={"sharpe_ratio": "<i>"})
    for path in VIEWS:
        assert "<b>&bold" not in shown(reader, path)
        assert "&lt;b&gt;&amp;bold" in shown(reader, path)


def test_an_account_without_a_session_and_one_that_never_traded_are_told_so(reader, account):
    Account.objects.create(id="EMPTY", owner=account.owner)
    page = text_of(shown(reader, account="EMPTY"))
    assert "No session was closed in this span." in page
    assert "No trade was closed in this span." in page
    assert reader.get("/report/download/", {"account": "EMPTY"})["Content-Disposition"] == 'attachment; filename="report-EMPTY.html"'
    other = Strategy.objects.exclude(key=KEY).first()
    assert "There is no record of this strategy on this account" in text_of(shown(reader, account=account.pk, strategy=other.key))


def test_a_user_without_accounts_is_told_what_to_do(client, account):
    client.force_login(user_make("new"))
    assert client.get("/report/").templates[0].name == "pages/no_account.html"
    assert client.get("/report/download/").url == "/report/"


def test_dashboard_strategy_and_every_head_lead_to_it(reader, account):
    assert '<a href="/report/?account=DESK-1">Report</a>' in shown(reader, "/")
    assert f'<a href="/report/?account=DESK-1&amp;strategy={KEY}">Report</a>' in shown(reader, f"/strategies/{KEY}/")
    assert 'href="/report/?account=DESK-1" aria-current="page"' in shown(reader)
