"""The pages. Each shows one account that the user may see; another's account does not exist."""

from functools import wraps

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from analytics.pages import dashboard, records
from analytics.words import wording
from quant_site.core.errors import NotFound, QuantError
from quant_site.core.models import Account, LoopRun
from quant_site.core.selectors import account_get, accounts_for
from signals_app.models import STATUS_LABELS as SIGNAL_LABELS
from strategies.cards import card as strategy_card
from strategies.parameters import effective_params, implementation
from strategies.previews import preview, result_context
from strategies.registry import REGISTRY
from trading.control.selectors import account_states
from trading.models.orders import STATUS_LABELS as ORDER_LABELS

SESSION_KEY = "account"
ROWS = 40
TABS = ("orders", "fills", "journal", "signals")
# Cards of the dashboard and the events after which each is read again.
CARD_EVENTS = {
    "status": "loop.run account.",
    "kpis": "equity.snapshot loop.run",
    "equity": "equity.snapshot",
    "months": "equity.snapshot",
    "positions": "fill position. equity.snapshot",
    "signals": "signal.",
    "orders": "order. fill",
    "loop": "loop.",
    "strategies": "equity.snapshot strategy.",
    "findings": "finding adaptation",
}


def page(view):
    """A page for signed-in users: resolves the account (`?account=`, else the last one looked at, else the first)."""

    @login_required
    @never_cache
    @require_safe
    @wraps(view)
    def wrapped(request, *args, **kwargs):
        try:
            account = _account_of(request)
            return view(request, account, *args, **kwargs)
        except NotFound as error:
            raise Http404(error.message) from error

    return wrapped


def _account_of(request) -> Account | None:
    wanted = request.GET.get("account")
    if wanted:
        account = account_get(user=request.user, account_id=wanted)
        if request.session.get(SESSION_KEY) != account.pk:
            request.session[SESSION_KEY] = account.pk
        return account
    visible = accounts_for(request.user)
    remembered = visible.filter(pk=request.session.get(SESSION_KEY, "")).first()
    return remembered or visible.order_by("is_replay", "pk").first()


def account_page(request, template: str, account: Account | None, section: str, *, code: int = 200, **context) -> HttpResponse:
    """A page with what the head of each needs; `section` is its place in the navigation."""
    shared = {
        "account": account,
        "accounts": list(accounts_for(request.user).order_by("is_replay", "pk")),
        "control": control_of(request, account) if account is not None else None,
        "section": section,
        "words": _script_words(),
    }
    return render(request, template, shared | context, status=code)


def control_of(request, account: Account) -> dict:
    """What the badge of the trading state shows, and where its forms lead back to."""
    here = request.htmx.current_url_abs_path if getattr(request, "htmx", None) else None
    [row] = account_states(request.user, [account])
    back = reverse("trading-state", query={"account": account.pk}) if request.method == "POST" else here or request.get_full_path()
    return row | {"next": back}


def _script_words() -> dict:
    """What the scripts say, in the reader's language."""
    return {
        "stage": {name: str(label) for name, label in wording.STAGES.items()},
        "status": {str(key): str(label) for key, label in wording.status_labels().items()},
        "code": wording.code_labels(),
        "event": {name: str(label) for name, label in wording.EVENTS.items()},
        "text": {name: str(label) for name, label in wording.SCRIPT_TEXTS.items()},
    }


def card_html(request, name: str, account: Account) -> str:
    """One card as HTML; a section or a template that fails becomes a card with its message."""
    section = dashboard.section(name, account)
    context = {"card": section, "account": account, **section.data}
    try:
        return render_to_string(f"cards/{'failed' if section.error else name}.html", context, request)
    except Exception as error:  # noqa: BLE001 - one broken card must not take the page with it
        failed = dashboard.failed_section(name, account, error)
        return render_to_string("cards/failed.html", {"card": failed, "account": account}, request)


@page
def dashboard_page(request, account):
    if account is None:
        return account_page(request, "pages/no_account.html", None, "dashboard")
    cards = {name: _slot(request, name, account) for name in dashboard.SECTIONS}
    return account_page(request, "pages/dashboard.html", account, "dashboard", cards=cards)


def _slot(request, name: str, account: Account) -> dict:
    """A card with what it needs to be read again by itself."""
    url = reverse("card", args=[name], query={"account": account.pk})
    return {"name": name, "events": CARD_EVENTS.get(name, ""), "url": url, "html": card_html(request, name, account)}


@page
def card(request, account, name):
    """One card alone, read again after an event."""
    if account is None or name not in dashboard.SECTIONS:
        raise Http404
    return HttpResponse(card_html(request, name, account))


@page
def strategies(request, account):
    return account_page(request, "pages/strategies.html", account, "strategies", strategies=records.strategies_list(account))


@page
def strategy(request, account, key):
    row = records.strategy_get(key)
    card = strategy_card(REGISTRY[key]) if key in REGISTRY else None
    detail = records.strategy_detail(row, account)
    return account_page(request, "pages/strategy.html", account, "strategies", strategy=row, conformance=card, **detail)


@page
def strategy_backtest(request, account, key):
    """What the strategy makes of the stored bars with the account's parameters: read by the page once it stands."""
    row = records.strategy_get(key)
    try:
        summary = preview(implementation(row), effective_params(row, account), account=account)
    except QuantError as error:
        return render(request, "backtest/refused.html", {"problems": [("", error.message)]})
    return render(request, "backtest/result.html", result_context(summary))


@page
def loop(request, account):
    if account is None:
        return account_page(request, "pages/no_account.html", None, "loop")
    counts = dashboard.section("loop", account)
    rows = paged(request, records.loop_runs(account))
    return account_page(request, "pages/loop.html", account, "loop", rows=rows, counts=counts.data.get("counts", {}))


@page
def loop_run(request, account, pk):
    run = LoopRun.objects.select_related("account").filter(pk=pk, account__in=accounts_for(request.user)).first()
    if run is None:
        raise Http404
    return account_page(request, "pages/loop_run.html", run.account, "loop", run=run, **records.loop_run_detail(run))


@page
def trades(request, account):
    if account is None:
        return account_page(request, "pages/no_account.html", None, "trades")
    tab = request.GET.get("tab", TABS[0])
    if tab not in TABS:
        raise Http404
    symbol, status = request.GET.get("symbol", "").strip(), request.GET.get("status", "")
    filters = {"symbol": symbol} | ({"status": status} if tab in {"orders", "signals"} else {})
    labels = {"orders": ORDER_LABELS, "signals": SIGNAL_LABELS}.get(tab, {})
    return account_page(
        request,
        "pages/trades.html",
        account,
        "trades",
        tab=tab,
        symbol=symbol,
        status=status,
        statuses=[(str(key), label) for key, label in labels.items()],
        rows=paged(request, getattr(records, tab)(account, **filters)),
        counts=records.trade_counts(account),
    )


def paged(request, rows):
    """One page of `rows`, as `?page=` asks."""
    paginator = Paginator(rows, ROWS)
    current = paginator.get_page(request.GET.get("page"))
    current.elided = list(paginator.get_elided_page_range(current.number, on_each_side=2, on_ends=1))
    return current
