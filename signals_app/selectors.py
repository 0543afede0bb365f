"""Reads of signals."""

from collections import defaultdict
from datetime import date

from django.db.models import Count

from signals_app.models import TradingSignal
from signals_app.scoring import HISTORY_SESSIONS
from signals_app.states import SignalStatus


def signals_pending(*, account, session: date | None = None):
    """Signals that wait for their checks or for execution, in a fixed order."""
    waiting = TradingSignal.objects.filter(account=account, signal_status__in=[SignalStatus.PENDING, SignalStatus.VALIDATED])
    if session is not None:
        waiting = waiting.filter(session=session)
    return waiting.select_related("strategy").order_by("session", "strategy__key", "symbol", "direction")


def score_history(*, account, before: date, strategy_ids) -> dict[int, list[float]]:
    """Scores of the latest entries of each strategy, at most `HISTORY_SESSIONS`, none at or after `before`."""
    history: dict[int, list[float]] = defaultdict(list)
    for strategy_id in sorted(strategy_ids):
        history[strategy_id] = list(
            TradingSignal.objects.filter(account=account, strategy_id=strategy_id, session__lt=before, score__isnull=False)
            .exclude(direction="CLOSE")
            .order_by("-session", "symbol", "direction")
            .values_list("score", flat=True)[:HISTORY_SESSIONS]
        )
    return history


def signal_counts(*, account) -> dict[str, int]:
    """How many signals of the account have each status."""
    rows = TradingSignal.objects.filter(account=account).values("signal_status").annotate(n=Count("pk")).order_by("signal_status")
    return {row["signal_status"]: row["n"] for row in rows}
