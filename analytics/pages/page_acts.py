"""Forms of the pages that do something: who may send them, and where they lead.

Plain POST forms. What was done is a message on the page they lead back to; what was refused is said beside the form, on the
page as it stands now. A link to such a form leads to its page and does nothing.
"""

from collections.abc import Callable
from functools import wraps
from typing import NamedTuple

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from quant_site.core.errors import NotAllowed, NotFound, QuantError
from quant_site.core.models import Account
from quant_site.core.ratelimit import client_address
from quant_site.core.selectors import may_trade
from quant_site.core.stepup import confirmation_give, payload_hash


class Failed(NamedTuple):
    """What was refused: the anchor of its form, and the sentence."""

    at: str
    message: str


def form_view(home: str):
    """Decorate a view that takes a form; `home` names the page that the form stands on."""

    def decorate(view):
        @login_required
        @never_cache
        @require_http_methods(["GET", "HEAD", "POST"])
        @wraps(view)
        def wrapped(request, *args, **kwargs):
            if request.method != "POST":
                return redirect(home)
            try:
                return view(request, *args, **kwargs)
            except NotFound as error:
                raise Http404(error.message) from error

        return wrapped

    return decorate


def acts_on(user, account: Account) -> bool:
    """Whether `user` may order on the account: a replay belongs to nobody."""
    return not account.is_replay and may_trade(user=user, account=account)


def require_acting(user, account: Account) -> None:
    """Raise `NotAllowed` unless `acts_on`."""
    if not may_trade(user=user, account=account):
        raise NotAllowed("read_only", f"You may look at account {account.pk}, not trade on it.")
    if account.is_replay:
        raise NotAllowed("replay_account", f"Account {account.pk} belongs to a replay: nobody orders on it by hand.")


def performer(home: str, page: Callable[..., HttpResponse]):
    """What performs the acts of the page `home`, which `page` renders as it stands now."""

    def perform(request, account: Account, at: str, act: Callable[[], str]) -> HttpResponse:
        """Do `act`, which answers what to say, and lead back; what is refused is said at the form `at`."""
        try:
            require_acting(request.user, account)
            said = act()
        except QuantError as error:
            return page(request, account, failed=Failed(at, error.message), status=error.status)
        messages.success(request, said)
        return back(home, account, "messages")

    return perform


def who(request) -> dict:
    """The actor and the address, as services take them."""
    return {"actor": request.user, "ip_address": client_address(request)}


def confirmed(request, action: str, payload: dict):
    """The id of a confirmation by the password in the same form.

    The form names what was shown by its hash (`seen`): what has changed since is not what the password is for.
    """
    if request.POST.get("seen") != payload_hash(payload):
        raise NotAllowed("confirmation_mismatch", "What you confirmed is not what is asked for; confirm it as it stands now.")
    password = request.POST.get("password", "")
    return confirmation_give(user=request.user, password=password, action=action, payload=payload, request=request).pk


def back(page: str, account: Account, fragment: str = "", **query) -> HttpResponseRedirect:
    """To the page of the account, at `fragment`."""
    url = reverse(page, query={"account": account.pk, **query})
    return HttpResponseRedirect(f"{url}#{fragment}" if fragment else url)
