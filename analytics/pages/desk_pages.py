"""The page of risk: what waits for somebody, what is held and can be lost, open orders, and a ticket to order by hand.

Everything that orders, changes or lets go is a service of `trading`; nothing here calls a broker. An order that is refused by
its checks is written as DENIED and shown with its reason.
"""

from django import forms
from django.utils.translation import gettext as _

from analytics.pages import desk_reads
from analytics.pages.desk_ticket import TicketForm, preview_shown
from analytics.pages.page_acts import Failed, acts_on, back, confirmed, form_view, performer, require_acting, who
from analytics.pages.page_forms import NUMBER
from analytics.pages.site import account_page, page
from analytics.words import wording
from quant_site.core.errors import InvalidInput, QuantError
from quant_site.core.models import Account
from quant_site.core.selectors import account_get
from quant_site.core.views import row_get
from trading.control.symbol_halts import CLEAR, clear_payload, symbol_halt_clear
from trading.models import Order, Position, SymbolHalt
from trading.order_path.changes import order_change_request
from trading.order_path.orders import order_cancel_request
from trading.order_path.previews import ticket_preview
from trading.order_path.settling import OUTCOMES, SETTLE, order_settle, settle_payload
from trading.order_path.states import OrderStatus
from trading.order_path.tickets import CONFIRM, order_confirm, order_payload, ticket_place

ORDERS = Order.objects.select_related("account")


@page
def risk(request, account):
    if account is None:
        return account_page(request, "pages/no_account.html", None, "risk")
    closing = desk_reads.position_open(account, request.GET.get("position", ""))
    shown = desk_reads.order_shown(account, request.GET.get("order", ""))
    return _page(request, account, form=TicketForm(position=closing), shown=shown)


def _page(request, account: Account, *, form=None, preview=None, shown=None, failed: Failed | None = None, status: int = 200):
    waiting = desk_reads.waiting(account, request.user)
    context = {
        **waiting,
        "parts": desk_reads.risk_parts(account),
        "may_act": acts_on(request.user, account),
        "form": form or TicketForm(),
        "preview": preview,
        "shown": shown,
        "failed": failed,
        "failed_above": failed is not None and failed.at not in _anchors(waiting),
    }
    return account_page(request, "pages/risk.html", account, "risk", code=status, **context)


def _anchors(waiting: dict) -> set[str]:
    """The forms that stand on the page: what was refused is said at its own, as long as that is there."""
    found = {f"confirm-{order.pk}" for order in waiting["awaiting"]}
    found |= {f"settle-{order.pk}" for order in waiting["unknown"]}
    found |= {f"clear-{halt.pk}" for halt in waiting["halts"]}
    return found | {f"order-{order.pk}" for order in waiting["open_orders"]}


_act = performer("risk", _page)


def _order(request, pk: int) -> Order:
    return row_get(ORDERS, user=request.user, pk=pk)


@form_view("risk")
def confirm(request, pk: int):
    """Let an order go that waits for it, with the password in the same form."""
    order = _order(request, pk)

    def act() -> str:
        given = confirmed(request, CONFIRM, order_payload(order))
        order_confirm(order=order, confirmation_id=given, **who(request))
        return _("Order %(order)s is confirmed and goes out with the next sending.") % {"order": order.pk}

    return _act(request, order.account, f"confirm-{pk}", act)


@form_view("risk")
def settle(request, pk: int):
    """Say what became of an order whose outcome is unknown; or, as a second person with a password, make it so."""
    order = _order(request, pk)
    outcome, number = request.POST.get("outcome", ""), request.POST.get("broker_order_id", "").strip()
    evidence = request.POST.get("evidence", "").strip()

    def act() -> str:
        if not 0 < len(evidence) <= 200 or len(number) > 64:
            raise InvalidInput("no_evidence", "Say what you saw at the broker, and where, in at most 200 characters.")
        if outcome not in OUTCOMES:
            raise InvalidInput("unknown_outcome", "Choose what became of the order.")
        seconding = "password" in request.POST
        given = confirmed(request, SETTLE, settle_payload(order, outcome, number)) if seconding else None
        order_settle(order=order, outcome=outcome, evidence=evidence, broker_order_id=number, confirmation_id=given, **who(request))
        if order.status == OrderStatus.UNKNOWN:
            return _("Written down for order %(order)s. Another person has to confirm it.") % {"order": order.pk}
        return _("Order %(order)s is settled.") % {"order": order.pk}

    return _act(request, order.account, f"settle-{pk}", act)


@form_view("risk")
def clear(request, pk: int):
    """Let a symbol trade again, with the password in the same form."""
    halt = row_get(SymbolHalt.objects.select_related("account"), user=request.user, pk=pk)

    def act() -> str:
        given = confirmed(request, CLEAR, clear_payload(halt)) if halt.open_key else None
        symbol_halt_clear(halt=halt, confirmation_id=given, **who(request))
        return _("%(symbol)s may be traded again.") % {"symbol": halt.symbol}

    return _act(request, halt.account, f"clear-{pk}", act)


@form_view("risk")
def cancel(request, pk: int):
    """Ask for a cancel. What was never sent is cancelled at once; a fill that comes first wins."""
    order = _order(request, pk)

    def act() -> str:
        done = order_cancel_request(order=order, reason="BY_HAND", **who(request))
        if done.status == OrderStatus.CANCELLED:
            return _("Order %(order)s is cancelled.") % {"order": order.pk}
        if not done.cancel_requested:
            status = wording.status_labels().get(done.status, done.status)
            return _("Order %(order)s is over already: %(status)s.") % {"order": order.pk, "status": status}
        return _("The broker is asked to cancel order %(order)s. A fill that comes first stands.") % {"order": order.pk}

    return _act(request, order.account, f"order-{pk}", act)


class ChangeForm(forms.Form):
    quantity = forms.DecimalField(required=False, **NUMBER)
    limit_price = forms.DecimalField(required=False, **NUMBER)
    stop_price = forms.DecimalField(required=False, **NUMBER)


@form_view("risk")
def change(request, pk: int):
    """Ask for another quantity or price of a working order; what is as it was is not asked for."""
    order = _order(request, pk)

    def act() -> str:
        form = ChangeForm(request.POST)
        if not form.is_valid():
            raise InvalidInput("not_a_number", "Give plain numbers.")
        given = {name: value for name, value in form.cleaned_data.items() if value is not None}
        changes = {name: value for name, value in given.items() if value != getattr(order, name)}
        order_change_request(order=order, changes=changes, **who(request))
        return _("The broker is asked to change order %(order)s. The limits are looked at again before.") % {"order": order.pk}

    return _act(request, order.account, f"order-{pk}", act)


@form_view("risk")
def ticket(request):
    """Preview a ticket, or order what its preview showed. Sent twice it orders once."""
    account = account_get(user=request.user, account_id=request.POST.get("account", ""))
    form = TicketForm(request.POST, position=_position(request, account))
    preview, status = None, 200
    try:
        require_acting(request.user, account)
        if not form.is_valid():
            status = 400
        elif request.POST.get("act") == "place" and form.is_previewed:
            order = ticket_place(ticket=form.ticket(account, request.user), actor=request.user)
            return back("risk", account, "ticket", order=order.pk)
        else:
            preview = preview_shown(ticket_preview(ticket=form.ticket(account, request.user)), account)
            preview["differs"] = request.POST.get("act") == "place"
            form = form.as_previewed()
    except QuantError as error:
        form.is_valid()
        form.refuse(error)
        status = error.status
    return _page(request, account, form=form, preview=preview, status=status)


def _position(request, account: Account) -> Position | None:
    """The position that the ticket closes; raises `NotFound` where it is not the account's, or closed by now."""
    number = request.POST.get("position", "")
    if not number:
        return None
    rows = Position.objects.filter(account=account, exit_session=None)
    return row_get(rows, user=request.user, pk=int(number) if number.isdecimal() else 0)
