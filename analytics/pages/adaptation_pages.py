"""The page of the adaptation: what is in force and why, what stands against it, and the forms by which a person decides.

Everything that changes something is a service of `analytics.adapting.steering`. Plain POST forms: what was done is a message on the page
they lead back to, what was refused is said at the form, on the page as it stands now.
"""

from django.http import Http404
from django.utils.translation import gettext as _

from analytics.adapting import adaptation_reads, steering
from analytics.adapting.kelly_reads import kelly_bearing
from analytics.models import Adaptation, Challenger, Pin
from analytics.pages.page_acts import Failed, acts_on, form_view, performer, who
from analytics.pages.site import account_page, page, paged
from analytics.tuning.duel import PROBATION, SHADOW_LEAST
from analytics.tuning.weights import LARGEST_STEP
from analytics.words import wording
from quant_site.core.models import Account
from quant_site.core.selectors import account_get
from quant_site.core.views import row_get
from strategies.models import Strategy
from strategies.selectors import strategy_by_key

ADAPTATIONS = Adaptation.objects.select_related("account", "strategy", "version")
CHALLENGERS = Challenger.objects.select_related("account", "strategy")
RULES = {"shadow": SHADOW_LEAST, "probation": PROBATION, "step": LARGEST_STEP}


@page
def adaptation(request, account):
    if account is None:
        return account_page(request, "pages/no_account.html", None, "adaptation")
    return _page(request, account)


def _page(request, account: Account, *, failed: Failed | None = None, status: int = 200):
    lane, strategy = request.GET.get("lane", ""), request.GET.get("strategy", "")
    if lane not in ("", adaptation_reads.EVERYTHING, *Adaptation.Lane.values):
        raise Http404
    rows = paged(request, adaptation_reads.decisions(account, lane=lane, strategy=strategy))
    _decisions_shown(account, rows.object_list)
    live, in_force = adaptation_reads.contenders(account), adaptation_reads.in_force(account)
    anchors = {f"challenger-{each.challenger.pk}" for each in live} | {f"decision-{row.pk}" for row in rows.object_list}
    context = {
        "rows": rows,
        "in_force": in_force,
        "live": live,
        "over": adaptation_reads.contenders_over(account),
        "kelly": kelly_bearing(account),
        "trials": adaptation_reads.trials_summary(account),
        "holdouts": adaptation_reads.holdouts_used(account),
        "may_act": acts_on(request.user, account),
        "lane": lane,
        "lanes": [*Adaptation.Lane.choices, (adaptation_reads.EVERYTHING, _("all, kept ones too"))],
        "strategy": strategy,
        "strategies": adaptation_reads.decided_strategies(account),
        "kinds": Pin.What.values,
        "rules": RULES,
        "failed": failed,
        "failed_above": failed is not None and failed.at not in anchors | {f"pin-{row.strategy.key}" for row in in_force},
    }
    return account_page(request, "pages/adaptation.html", account, "adaptation", code=status, **context)


def _decisions_shown(account: Account, rows: list[Adaptation]) -> None:
    """Say of each decision on the page why it cannot be taken back; nothing where it can."""
    about = {row.strategy_id: row.strategy for row in rows}
    standing = adaptation_reads.standings(account, about.values())
    for row in rows:
        row.problem = steering.revert_problem(row, standing.get(row.strategy_id))


_act = performer("adaptation", _page)


def _why(request) -> dict:
    """Who decides, and the reason of the form."""
    return {"reason": request.POST.get("reason", ""), **who(request)}


@form_view("adaptation")
def veto(request, pk: int):
    """End a challenger; one on probation is taken back."""
    challenger = row_get(CHALLENGERS, user=request.user, pk=pk)

    def act() -> str:
        steering.challenger_veto(challenger=challenger, **_why(request))
        return _("The challenger of %(strategy)s is vetoed.") % {"strategy": wording.say(challenger.strategy.name)}

    return _act(request, challenger.account, f"challenger-{pk}", act)


@form_view("adaptation")
def revert(request, pk: int):
    """Take a decision of the optimiser back."""
    decision = row_get(ADAPTATIONS, user=request.user, pk=pk)

    def act() -> str:
        steering.adaptation_revert(adaptation=decision, **_why(request))
        text = _("What %(strategy)s had before is in force again. The optimiser may change it anew: pin what is to stay.")
        return text % {"strategy": wording.say(decision.strategy.name)}

    return _act(request, decision.account, f"decision-{pk}", act)


@form_view("adaptation")
def pin(request):
    """Keep the optimiser from moving a weight, or parameters."""
    account, strategy, what = _pinned(request)

    def act() -> str:
        steering.pin_set(account=account, strategy=strategy, what=what, **_why(request))
        return _("%(strategy)s is pinned.") % {"strategy": wording.say(strategy.name)}

    return _act(request, account, f"pin-{strategy.key}", act)


@form_view("adaptation")
def unpin(request):
    """Let the optimiser move it again."""
    account, strategy, what = _pinned(request)

    def act() -> str:
        steering.pin_remove(account=account, strategy=strategy, what=what, **_why(request))
        return _("%(strategy)s is no longer pinned.") % {"strategy": wording.say(strategy.name)}

    return _act(request, account, f"pin-{strategy.key}", act)


def _pinned(request) -> tuple[Account, Strategy, str]:
    account = account_get(user=request.user, account_id=request.POST.get("account", ""))
    return account, strategy_by_key(key=request.POST.get("strategy", "")), request.POST.get("what", "")
