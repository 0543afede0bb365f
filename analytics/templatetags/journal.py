"""What the journal's tab shows beside its rows: the scores of behaviour, the form of the entry that is open, and the file form."""

from django import template

from analytics.behaviour.card import behaviour_card
from analytics.pages.journal_forms import MISTAKES, JournalFileForm, JournalForm
from analytics.pages.page_acts import acts_on
from trading.books.journal_csv import COLUMNS
from trading.models import TradeJournal

register = template.Library()


@register.simple_tag(takes_context=True)
def journal_desk(context) -> dict:
    """Forms that were sent come with the context; `?entry=` opens the form of another entry of the account."""
    account, request = context["account"], context["request"]
    may_act = acts_on(request.user, account)
    entry = context.get("journal_entry") or _entry(request, account)
    open_ = may_act and entry is not None and entry.journal_status != TradeJournal.Status.REVIEWED
    return {
        "may_act": may_act,
        "behaviour": behaviour_card(account),
        "entry": entry if open_ else None,
        "form": (context.get("journal_form") or JournalForm(entry=entry)) if open_ else None,
        "file": (context.get("journal_file") or JournalFileForm()) if may_act else None,
        "imported": context.get("imported"),
        "columns": ", ".join(COLUMNS),
    }


def _entry(request, account) -> TradeJournal | None:
    number = request.GET.get("entry", "")
    return TradeJournal.objects.filter(account=account, pk=int(number)).first() if number.isdecimal() and len(number) < 19 else None


@register.filter
def mistake(tag):
    """A tag of a mistake in the reader's language, where it is one of the journal's own."""
    return MISTAKES.get(tag, tag)
