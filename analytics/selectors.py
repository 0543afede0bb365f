"""Reads of judgements for pages and the API."""

from datetime import date

from analytics import stats
from analytics.judging.evaluation import WHOLE_ACCOUNT
from analytics.models import Adaptation, Challenger, DailyPerformance, ExtremeSignal, Finding, Trial
from quant_site.core.models import Account
from trading.models import EquitySnapshot


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


def adaptation_figures(account_id: str) -> dict:
    """What an account made, with what adaptation did on it: JSON-ready, a figure that is undefined null."""
    days = EquitySnapshot.objects.filter(account=account_id).order_by("snapshot_date")
    returns = [change for change in days.values_list("daily_return", flat=True) if change is not None]
    last, moves = days.last(), Adaptation.objects.filter(account=account_id)
    metrics = {name: getattr(stats, name)(returns).value for name in ("cagr", "annual_volatility", "sharpe_ratio", "max_drawdown")}
    return {
        "final_equity": None if last is None else str(last.total_equity),
        **{name: None if value is None else round(value, 4) for name, value in metrics.items()},
        "weights_moved": moves.filter(lane=Adaptation.Lane.WEIGHTS, version__isnull=False).count(),
        "weights_lowered_or_raised_by_alarms": moves.filter(lane=Adaptation.Lane.DERISK, version__isnull=False).count(),
        "searches_refused": moves.filter(lane=Adaptation.Lane.PARAMETERS, evidence__event="REFUSED").count(),
        "challengers": Challenger.objects.filter(account=account_id).count(),
        "promotions": Challenger.objects.filter(account=account_id, promoted__isnull=False).count(),
        "sets_tried": Trial.objects.filter(account=account_id).values("strategy", "params_hash").distinct().count(),
    }


def extremes_current(*, account: Account) -> list[ExtremeSignal]:
    """The best and the worst signals so far, the most extreme first within each kind."""
    session = _newest(ExtremeSignal.objects.filter(account=account))
    rows = ExtremeSignal.objects.filter(account=account, session=session).select_related("signal__strategy") if session else []
    return sorted(rows, key=lambda row: (row.kind, -abs(row.realized_pnl)))


def _newest(rows) -> date | None:
    return rows.order_by("-session").values_list("session", flat=True).first()
