"""Scheduled work: the nightly evaluation of every live account."""

import logging

from celery import shared_task

from analytics.performance import PerformanceAnalyzer
from quant_site.core.errors import QuantError
from quant_site.core.models import Account
from trading.models import EquitySnapshot

logger = logging.getLogger(__name__)


@shared_task(name="analytics.evaluate_daily_performance")
def evaluate_daily_performance() -> dict[str, str]:
    """Judge the last closed session of each live account, unless its loop has done so; answers the result by account.

    What one account raises is logged and reported, and does not stop the others.
    """
    results = {}
    for account in Account.objects.filter(is_replay=False).order_by("pk"):
        session = EquitySnapshot.objects.filter(account=account).order_by("-snapshot_date").values_list("snapshot_date", flat=True).first()
        if session is None:
            results[account.pk] = "no snapshot yet"
            continue
        try:
            analyzer = PerformanceAnalyzer(account)
            rows = analyzer.evaluate_daily_performance(session)
            analyzer.identify_improvement_opportunities(session)
            results[account.pk] = f"{session}: {len(rows)} judged"
        except QuantError as error:
            logger.error("Evaluation of %s: %s", account.pk, error.message)
            results[account.pk] = f"{error.code}: {error.message}"
    return results
