"""The page of plans and alerts: what somebody means to trade, what waits for a price, and what came of it."""

from django.contrib import messages
from django.db.models import Case, Value, When
from django.utils.translation import gettext as _

from analytics.pages.intent_forms import AlertForm, PlanForm
from analytics.pages.page_acts import Failed, acts_on, back, form_view, require_acting, who
from analytics.pages.site import account_page, page, paged
from analytics.words import wording
from quant_site.core.errors import QuantError
from quant_site.core.models import Account
from quant_site.core.selectors import account_get
from quant_site.core.views import row_get
from trading.intents.alerts import alert_create, alert_delete, alert_update
from trading.intents.plans import plan_cancel, plan_create, plan_delete, plan_execute, plan_risk_reward, plan_update
from trading.models import AlertFiring, PriceAlert, TradingPlan
from trading.order_path.states import OPEN, OrderStatus

PLANS = TradingPlan.objects.filter(is_deleted=False).select_related("account")
ALERTS = PriceAlert.objects.filter(is_deleted=False).select_related("account")
FIRINGS = 20
WAITS_FIRST = Case(When(status=TradingPlan.Status.ACTIVE, then=Value(0)), default=Value(1))


@page
def plans(request, account):
    if account is None:
        return account_page(request, "pages/no_account.html", None, "plans")
    return _page(request, account, editing=_editing(request, account))


def _editing(request, account: Account) -> TradingPlan | None:
    """The active plan that `?plan=` names, for its form."""
    number = request.GET.get("plan", "")
    rows = PLANS.filter(account=account, status=TradingPlan.Status.ACTIVE)
    return rows.filter(pk=int(number)).first() if number.isdecimal() else None


def _page(request, account: Account, *, plan_form=None, alert_form=None, editing=None, failed: Failed | None = None, status: int = 200):
    rows = paged(request, PLANS.filter(account=account).order_by(WAITS_FIRST, "-pk").prefetch_related("orders"))
    for plan in rows.object_list:
        _plan_shown(plan)
    alerts = list(ALERTS.filter(account=account).order_by("-is_active", "-pk"))
    context = {
        "rows": rows,
        "alerts": alerts,
        "firings": list(AlertFiring.objects.filter(alert__account=account).select_related("alert", "order").order_by("-pk")[:FIRINGS]),
        "may_act": acts_on(request.user, account),
        "plan_form": plan_form or PlanForm(plan=editing),
        "alert_form": alert_form or AlertForm(),
        "editing": editing,
        "failed": failed,
        "failed_above": failed is not None and failed.at not in _anchors(rows.object_list, alerts),
    }
    return account_page(request, "pages/plans.html", account, "plans", code=status, **context)


def _plan_shown(plan: TradingPlan) -> None:
    plan.risk_reward = plan_risk_reward(plan)
    plan.made = sorted(plan.orders.all(), key=lambda order: -order.pk)
    out = any(order.status in OPEN for order in plan.made)
    plan.can_execute = plan.status == TradingPlan.Status.ACTIVE and not out
    plan.can_cancel = plan.status == TradingPlan.Status.ACTIVE or (plan.status == TradingPlan.Status.EXECUTED and out)
    plan.can_delete = not out


def _anchors(rows: list, alerts: list) -> set[str]:
    return {f"plan-{plan.pk}" for plan in rows} | {f"alert-{alert.pk}" for alert in alerts}


def _act(request, account: Account, at: str, act):
    """Do `act`, which answers a message with its level, and lead back; what is refused is said at `at`."""
    try:
        require_acting(request.user, account)
        level, said = act()
    except QuantError as error:
        return _page(request, account, failed=Failed(at, error.message), status=error.status)
    messages.add_message(request, level, said)
    return back("plans", account, "messages")


# --- plans


def _write(request, account: Account, form, write, **shown):
    """Let `write` use the valid form and answer what to say; what is wrong or refused is shown beside its field."""
    status = 400
    try:
        require_acting(request.user, account)
        if form.is_valid():
            messages.success(request, write())
            return back("plans", account, "messages")
    except QuantError as error:
        form.is_valid()
        form.refuse(error)
        status = error.status
    return _page(request, account, status=status, **shown)


@form_view("plans")
def plan_new(request):
    """Write a plan. Nothing is ordered before it is executed, or before the price reaches its entry where it executes itself."""
    account = account_get(user=request.user, account_id=request.POST.get("account", ""))
    form = PlanForm(request.POST)

    def write() -> str:
        plan = plan_create(account=account, **form.cleaned_data, **who(request))
        what = f"{plan.get_direction_display()} {plan.symbol}"
        return _("Plan %(plan)s is written: %(what)s.") % {"plan": plan.pk, "what": what}

    return _write(request, account, form, write, plan_form=form)


@form_view("plans")
def plan_change(request, pk: int):
    plan = row_get(PLANS, user=request.user, pk=pk)
    form = PlanForm(request.POST, plan=plan)

    def write() -> str:
        plan_update(plan=plan, changes=form.changes(), **who(request))
        return _("Plan %(plan)s is changed.") % {"plan": pk}

    return _write(request, plan.account, form, write, plan_form=form, editing=plan)


@form_view("plans")
def plan_order(request, pk: int):
    """Order what the plan says now. An order that is denied or waits for a confirmation leaves the plan as it is, and says why."""
    plan = row_get(PLANS, user=request.user, pk=pk)

    def act():
        order = plan_execute(plan=plan, **who(request))
        told = {"order": order.pk, "plan": pk}
        if order.status == OrderStatus.DENIED:
            why = wording.order_reason(order.status_reason)
            return messages.ERROR, _("Order %(order)s of plan %(plan)s was denied: %(why)s") % {**told, "why": why}
        if order.awaits and order.confirmed_by_id is None:
            why = wording.say(order.awaits)
            text = _("Order %(order)s of plan %(plan)s waits for a confirmation on the page of risk: %(why)s")
            return messages.WARNING, text % {**told, "why": why}
        return messages.SUCCESS, _("Plan %(plan)s is executed: order %(order)s goes out with the next sending.") % told

    return _act(request, plan.account, f"plan-{pk}", act)


@form_view("plans")
def plan_back(request, pk: int):
    """Take a plan back; its orders that are out are asked to be cancelled."""
    plan = row_get(PLANS, user=request.user, pk=pk)

    def act():
        plan_cancel(plan=plan, **who(request))
        return messages.SUCCESS, _("Plan %(plan)s is cancelled.") % {"plan": pk}

    return _act(request, plan.account, f"plan-{pk}", act)


@form_view("plans")
def plan_remove(request, pk: int):
    plan = row_get(PLANS, user=request.user, pk=pk)

    def act():
        plan_delete(plan=plan, **who(request))
        return messages.SUCCESS, _("Plan %(plan)s is deleted.") % {"plan": pk}

    return _act(request, plan.account, f"plan-{pk}", act)


# --- alerts


@form_view("plans")
def alert_new(request):
    """Write an alert. It fires when the price comes to its threshold from the other side."""
    account = account_get(user=request.user, account_id=request.POST.get("account", ""))
    form = AlertForm(request.POST)

    def write() -> str:
        alert = alert_create(account=account, **form.terms(), **who(request))
        return _("The alert on %(symbol)s watches from now on.") % {"symbol": alert.symbol}

    return _write(request, account, form, write, alert_form=form)


@form_view("plans")
def alert_switch(request, pk: int):
    """Switch an alert off, or on: it then watches anew."""
    alert = row_get(ALERTS, user=request.user, pk=pk)
    on = request.POST.get("active") == "1"

    def act():
        alert_update(alert=alert, changes={"is_active": on}, **who(request))
        text = _("The alert on %(symbol)s watches from now on.") if on else _("The alert on %(symbol)s is switched off.")
        return messages.SUCCESS, text % {"symbol": alert.symbol}

    return _act(request, alert.account, f"alert-{pk}", act)


@form_view("plans")
def alert_remove(request, pk: int):
    """Remove an alert; what it did stays on record."""
    alert = row_get(ALERTS, user=request.user, pk=pk)

    def act():
        alert_delete(alert=alert, **who(request))
        return messages.SUCCESS, _("The alert on %(symbol)s is deleted.") % {"symbol": alert.symbol}

    return _act(request, alert.account, f"alert-{pk}", act)
