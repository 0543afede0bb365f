"""What the journal's tab does: completing and reviewing an entry, and CSV out and in."""

from django.contrib import messages
from django.utils.translation import gettext as _

from analytics.pages import records
from analytics.pages.journal_forms import JournalFileForm, JournalForm
from analytics.pages.page_acts import back, form_view, require_acting, who
from analytics.pages.site import account_page, page, paged
from analytics.reports.journal_file import csv_response
from quant_site.core.errors import QuantError
from quant_site.core.models import Account
from quant_site.core.selectors import account_get
from quant_site.core.views import row_get
from trading.books.journal import journal_complete, journal_review
from trading.books.journal_csv import journal_import
from trading.models import TradeJournal

ENTRIES = TradeJournal.objects.select_related("account")


@page
def export(request, account):
    """The journal as a file."""
    if account is None:
        return account_page(request, "pages/no_account.html", None, "trades")
    return csv_response(account)


@form_view("trades")
def complete(request, pk: int):
    return _write(request, pk, journal_complete, _("The entry on %(symbol)s is written."))


@form_view("trades")
def review(request, pk: int):
    return _write(request, pk, journal_review, _("The entry on %(symbol)s is reviewed: it stands."))


def _write(request, pk: int, service, said: str):
    entry = row_get(ENTRIES, user=request.user, pk=pk)
    form, status = JournalForm(request.POST, entry=entry), 400
    try:
        require_acting(request.user, entry.account)
        if form.is_valid():
            service(entry=entry, actor=request.user, **form.words())
            messages.success(request, said % {"symbol": entry.symbol})
            return back("trades", entry.account, "journal", tab="journal")
    except QuantError as error:
        form.is_valid()
        form.refuse(error)
        status = error.status
    return _page(request, entry.account, status, journal_entry=entry, journal_form=form)


@form_view("trades")
def file(request):
    """Read a file of trades made elsewhere; without the tick nothing is written."""
    account = account_get(user=request.user, account_id=request.POST.get("account", ""))
    form, done, status = JournalFileForm(request.POST, request.FILES), None, 400
    try:
        require_acting(request.user, account)
        if form.is_valid():
            content, dry_run = form.cleaned_data["file"].read(), not form.cleaned_data["write"]
            done = journal_import(account=account, content=content, dry_run=dry_run, **who(request))
            if not dry_run and not done.errors:
                told = {"new": done.new, "known": done.known}
                messages.success(request, _("Imported: %(new)s new entries; %(known)s lines were there already.") % told)
                return back("trades", account, "journal", tab="journal")
            status = 400 if done.errors else 200
    except QuantError as error:
        form.is_valid()
        form.refuse(error)
        status = error.status
    return _page(request, account, status, journal_file=form, imported=done)


def _page(request, account: Account, status: int, **shown):
    """The journal's tab as it stands, with a form and what was wrong with it."""
    rows, counts = paged(request, records.journal(account)), records.trade_counts(account)
    tab = {"tab": "journal", "symbol": "", "status": "", "statuses": [], "rows": rows, "counts": counts}
    return account_page(request, "pages/trades.html", account, "trades", code=status, **tab, **shown)
