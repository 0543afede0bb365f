"""Reads of signals."""

from datetime import date

from django.db.models import Count

from quant_site.core.rows import rows_read
from quant_site.core.types import Direction
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
    """Scores of the latest entries of each strategy, at most `HISTORY_SESSIONS`, none at or after `before`; sorted."""
    where = (
        "account_id = %s AND strategy_id = %s AND session < %s AND score IS NOT NULL AND direction <> %s"
        f" ORDER BY session DESC, symbol, direction LIMIT {HISTORY_SESSIONS}"
    )
    history = {}
    for strategy_id in sorted(strategy_ids):
        rows = rows_read(TradingSignal, ("score",), where, account.pk, strategy_id, before, Direction.CLOSE)
        history[strategy_id] = sorted(score for (score,) in rows)
    return history


def runs_with_signals(runs) -> set[int]:
    """Ids of those of `runs` whose drafts have become signals."""
    if not runs:
        return set()
    where = f"strategy_run_id IN ({', '.join(['%s'] * len(runs))})"
    return {run_id for (run_id,) in rows_read(TradingSignal, ("strategy_run_id",), where, *(run.pk for run in runs))}


def signal_counts(*, account) -> dict[str, int]:
    """How many signals of the account have each status."""
    rows = TradingSignal.objects.filter(account=account).values("signal_status").annotate(n=Count("pk")).order_by("signal_status")
    return {row["signal_status"]: row["n"] for row in rows}
