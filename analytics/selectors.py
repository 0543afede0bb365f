"""Reads of judgements for pages and the API."""

from datetime import date

from analytics.evaluation import WHOLE_ACCOUNT
from analytics.models import Adaptation, DailyPerformance, ExtremeSignal, Finding
from quant_site.core.models import Account


def performance_latest(*, account: Account) -> list[DailyPerformance]:
    """The newest judgement: the whole account first, then the strategies by key; empty before the first evaluation."""
    session = _newest(DailyPerformance.objects.filter(account=account, scope=WHOLE_ACCOUNT))
    rows = DailyPerformance.objects.filter(account=account, session=session).select_related("strategy")
    return sorted(rows, key=lambda row: (row.scope != WHOLE_ACCOUNT, row.scope)) if session else []


def performance_history(*, account: Account, scope: str = WHOLE_ACCOUNT, since: date | None = None):
    """The judgements of one scope, oldest first."""
    rows = DailyPerformance.objects.filter(account=account, scope=scope).order_by("session")
    return rows.filter(session__gte=since) if since else rows


def findings_latest(*, account: Account) -> list[Finding]:
    """What the last evaluation that noticed anything noticed."""
    session = _newest(Finding.objects.filter(account=account))
    return (
        list(Finding.objects.filter(account=account, session=session).select_related("strategy").order_by("scope", "code"))
        if session
        else []
    )


def adaptations_latest(*, account: Account, changed_only: bool = False, limit: int = 20) -> list[Adaptation]:
    """The optimiser's last decisions, newest first; with `changed_only` those that moved a weight."""
    rows = Adaptation.objects.filter(account=account).select_related("strategy", "version")
    if changed_only:
        rows = rows.filter(version__isnull=False)
    return list(rows.order_by("-session", "strategy__key")[:limit])


def extremes_current(*, account: Account) -> list[ExtremeSignal]:
    """The best and the worst signals so far, the most extreme first within each kind."""
    session = _newest(ExtremeSignal.objects.filter(account=account))
    rows = ExtremeSignal.objects.filter(account=account, session=session).select_related("signal__strategy") if session else []
    return sorted(rows, key=lambda row: (row.kind, -abs(row.realized_pnl)))


def _newest(rows) -> date | None:
    return rows.order_by("-session").values_list("session", flat=True).first()
