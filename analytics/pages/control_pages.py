"""The kill switch on the pages: the badge in the head of each, and the page of who may send what.

Plain forms, so that stopping needs neither a script nor a socket. What a form did shows on the page it came from; what
was refused is said on the page of the trading state, with the form still there.
"""

from functools import wraps

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from analytics.pages.site import account_page, control_of, page
from quant_site.core.errors import NotFound, QuantError
from quant_site.core.models import EVERY_ACCOUNT, Account
from quant_site.core.ratelimit import client_address
from quant_site.core.selectors import account_get
from quant_site.core.stepup import confirmation_give
from quant_site.core.types import Mode
from trading.control.arming import ARM, account_arm, arm_payload, arming_problems
from trading.control.selectors import account_states, senders_shown
from trading.control.trading_state import RESUME, account_disarm, loosens, resume_payload, trading_state_set, trading_state_set_all


@page
def trading_state(request, account):
    """Every account that the user may see, and for the shown one what can be done with it."""
    return _page(request, account)


def _page(request, account: Account | None, *, error: str = "", status: int = 200):
    senders = senders_shown()
    context = {
        "rows": account_states(request.user),
        "senders": senders,
        "senders_agree": len({(row["code_version"], row["config_hash"]) for row in senders}) == 1,
        "problems": arming_problems(account) if account is not None and account.mode == Mode.REAL else [],
        "error": error,
    }
    return account_page(request, "pages/trading_state.html", account, "control", code=status, **context)


@page
def badge(request, account):
    """The badge and its panel alone, read again after an event."""
    if account is None:
        raise Http404
    return render(request, "pages/_control.html", {"account": account, "control": control_of(request, account)})


def act(view):
    """A form of the kill switch: `view(request, account)` does it; what is refused is said on the page of the trading state."""

    @login_required
    @never_cache
    @require_POST
    @wraps(view)
    def wrapped(request):
        name = request.POST.get("account", "")
        try:
            account = None if name == EVERY_ACCOUNT else account_get(user=request.user, account_id=name)
        except NotFound as error:
            raise Http404(error.message) from error
        try:
            view(request, account)
        except QuantError as error:
            return _page(request, account, error=error.message, status=error.status)
        return HttpResponseRedirect(_next(request, account))

    return wrapped


@act
def state_set(request, account):
    """Halt, only reduce, or let trade again; the last with the password in the same form."""
    state, who = request.POST.get("state", ""), _who(request)
    wish = {"state": state, "reason": request.POST.get("reason", "").strip()}
    if account is None:
        trading_state_set_all(**wish, **who)
        return
    given = None
    if state in Account.State.values and loosens(account.state, state):
        given = _confirmed(request, RESUME, resume_payload(account.pk, state))
    trading_state_set(account=account, confirmation_id=given, **wish, **who)


@act
def arm(request, account):
    """Arm the account for real orders, with the password in the same form."""
    account = _one(account)
    problems = arming_problems(account)
    given = None if problems else _confirmed(request, ARM, arm_payload(account.pk))
    account_arm(account=account, confirmation_id=given, **_who(request))


@act
def disarm(request, account):
    account_disarm(account=_one(account), reason=request.POST.get("reason", "").strip() or "BY_HAND", **_who(request))


def _one(account: Account | None) -> Account:
    if account is None:
        raise Http404
    return account


def _who(request) -> dict:
    return {"actor": request.user, "ip_address": client_address(request)}


def _confirmed(request, action: str, payload: dict):
    password = request.POST.get("password", "")
    return confirmation_give(user=request.user, password=password, action=action, payload=payload, request=request).pk


def _next(request, account: Account | None) -> str:
    """Back to the page the form was on; elsewhere is nowhere."""
    wanted = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        return wanted
    return reverse("trading-state", query={"account": account.pk} if account else None)
