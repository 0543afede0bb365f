"""The trade journal as a file."""

from django.http import HttpResponse

from quant_site.core.models import Account
from trading.books.journal_csv import journal_csv
from trading.models import TradeJournal


def csv_response(account: Account) -> HttpResponse:
    """The journal of `account` as a file, the latest first; with the mark by which spreadsheets know UTF-8."""
    entries = TradeJournal.objects.filter(account=account).order_by("-exit_date", "-id").iterator()
    headers = {"Content-Disposition": f'attachment; filename="journal-{account.pk}.csv"'}
    return HttpResponse("\ufeff" + journal_csv(entries), content_type="text/csv; charset=utf-8", headers=headers)
