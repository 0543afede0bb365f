"""The report of an account or of one strategy on it: as a page, and as one file to keep or print."""

from functools import cache
from pathlib import Path

from django import forms
from django.contrib.staticfiles import finders
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.text import get_valid_filename
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from analytics.pages import records
from analytics.pages.dashboard import Figure
from analytics.pages.site import account_page, page
from analytics.reports.tearsheet import TearSheet, tear_sheet
from analytics.reports.tearsheet_figures import shade_scale
from analytics.words.report_words import DIMENSIONS, GROUPS
from quant_site.core.models import Account
from strategies.models import Strategy

SHEETS = ("css/quant.css", "css/report.css")


class SpanForm(forms.Form):
    """Which sessions: `from` and `to`, both included; empty is from the start and up to the latest."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for name, label in (("from", _("From")), ("to", _("To"))):
            widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
            self.fields[name] = forms.DateField(label=label, required=False, widget=widget)

    def clean(self):
        first, last = self.cleaned_data.get("from"), self.cleaned_data.get("to")
        if first and last and first > last:
            self.add_error("to", _("The first day lies after the last: exchange them."))


@page
def report(request, account):
    if account is None:
        return account_page(request, "pages/no_account.html", None, "report")
    strategy = _strategy_of(request)
    form, sheet = _sheet(request, account, strategy)
    shared = {"form": form, "strategy": strategy, "strategies": Strategy.objects.order_by("id"), "query": request.GET.urlencode()}
    context = report_context(sheet) if sheet else {}
    return account_page(request, "pages/report.html", account, "report", code=200 if sheet else 400, **shared, **context)


@page
def report_download(request, account):
    """One file without any reference to another: it opens offline and prints."""
    if account is None:
        return redirect("report")
    strategy = _strategy_of(request)
    _form, sheet = _sheet(request, account, strategy)
    if sheet is None:
        return redirect(f"{reverse('report')}?{request.GET.urlencode()}")
    context = report_context(sheet) | {"account": account, "strategy": strategy, "download": True, "styles": _styles()}
    context["updown"] = "red-up" if get_language().startswith("zh") else "green-up"
    response = render(request, "report/download.html", context)
    response["Content-Disposition"] = f'attachment; filename="{_file_name(sheet)}"'
    return response


def _strategy_of(request) -> Strategy | None:
    key = request.GET.get("strategy")
    return records.strategy_get(key) if key else None


def _sheet(request, account: Account, strategy: Strategy | None) -> tuple[SpanForm, TearSheet | None]:
    """The form as it was filled in, and the sheet unless something in it is wrong."""
    form = SpanForm({name: request.GET.get(name, "") for name in ("from", "to")})
    if not form.is_valid():
        return form, None
    return form, tear_sheet(account, strategy, form.cleaned_data["from"], form.cleaned_data["to"])


@cache
def _styles() -> str:
    return "\n".join(Path(finders.find(sheet)).read_text() for sheet in SHEETS)


def _file_name(sheet: TearSheet) -> str:
    parts = ["report", sheet.account.pk, sheet.strategy and sheet.strategy.key, sheet.first, sheet.last]
    return get_valid_filename("-".join(str(part) for part in parts if part)) + ".html"


def report_context(sheet: TearSheet) -> dict:
    """What page and file show of a sheet."""
    monthly = [month.change for year in sheet.years for month in year.months]
    return {
        "sheet": sheet,
        "tiles": _tiles(sheet),
        "groups": [(title, _rows(sheet, figures)) for title, figures in GROUPS],
        "scale": shade_scale(monthly),
        "places": 2 if sheet.strategy else 1,
        "sources": _sources(sheet),
        "names": dict(Strategy.objects.values_list("id", "name")),
        "chart": _chart(sheet),
    }


def _tiles(sheet: TearSheet) -> list[Figure]:
    found, other, own = sheet.metrics, sheet.benchmark_metrics["time_weighted_return"].value, sheet.strategy is not None

    def figure(label, kind, name, *notes):
        return Figure(label, kind, found[name].value, found[name].reason or "", notes)

    rate, total = found["win_rate"], found["time_weighted_return"].value
    excess = None if None in (total, other) else total - other
    beside = ((sheet.benchmark_symbol or _("Benchmark"), "change", other), (_("Excess"), "change", excess))
    equity = ((_("Equity"), "money", sheet.equity),)
    bounds = ((_("95 per cent interval"), "interval", (rate.low, rate.high)),) if rate.low is not None else ()
    label = _("Return on the account's equity") if own else _("Total return")
    return [
        Figure(_("P&L"), "gain", sheet.pnl if sheet.first else None, "NO_DATA", () if own else equity),
        figure(label, "change", "time_weighted_return", *(() if own else beside)),
        figure(_("Return a year"), "change", "cagr", (_("Volatility a year"), "percent", found["annual_volatility"].value)),
        figure(_("Sharpe ratio"), "ratio", "sharpe_ratio", (_("Sortino ratio"), "ratio", found["sortino_ratio"].value)),
        figure(_("Deepest drawdown"), "depth", "max_drawdown", (_("Longest, in sessions"), "shares", found["longest_drawdown"].value)),
        figure(_("Win rate"), "percent", "win_rate", *bounds),
        figure(_("Profit factor"), "ratio", "profit_factor", (_("Closed trades"), "shares", sheet.outcomes.trades)),
        figure(_("Exposure"), "percent", "exposure", (_("Turnover"), "ratio", found["turnover"].value)),
    ]


def _rows(sheet: TearSheet, figures: tuple) -> list[dict]:
    beside = {} if sheet.strategy else sheet.benchmark_metrics
    return [
        {"label": label, "kind": kind, "metric": sheet.metrics[name], "benchmark": beside.get(name)}
        for name, label, kind in figures
        if name in sheet.metrics
    ]


def _sources(sheet: TearSheet) -> list[dict]:
    """Where the P&L came from, one table a dimension: strategies by the judgements of all sessions, the rest as attributed."""
    rows = {"STRATEGY": sheet.contributions} if sheet.contributions else {}
    for dimension, amounts in (sheet.attribution.dimensions if sheet.attribution else {}).items():
        rows.setdefault(dimension, list(amounts.items()))
    return [
        {
            "dimension": dimension,
            "title": DIMENSIONS[dimension],
            "rows": rows[dimension],
            "largest": max(abs(amount) for _key, amount in rows[dimension]),
            "total": sum(amount for _key, amount in rows[dimension]),
        }
        for dimension in DIMENSIONS
        if rows.get(dimension)
    ]


def _chart(sheet: TearSheet) -> dict:
    """What the script draws. Drawdown in per cent."""
    curves = sheet.curves
    return {
        "sessions": [session.isoformat() for session in curves.sessions],
        "own": [float(amount) for amount in curves.pnl] if sheet.strategy else curves.growth,
        "benchmark": None if sheet.strategy else curves.benchmark,
        "drawdown": [None if depth is None else round(100 * depth, 4) for depth in curves.drawdown],
        "sharpe": curves.rolling_sharpe,
        "words": {
            "own": _("Cumulative P&L") if sheet.strategy else sheet.account.pk,
            "benchmark": sheet.benchmark_symbol or _("Benchmark"),
            "drawdown": _("Drawdown"),
            "sharpe": _("Rolling Sharpe ratio"),
        },
    }
