"""Scores of a signal: how strong it is for its strategy, and how much of the account's limits it uses."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from strategies.risk import Proposal, RiskContext, name_values
from strategies.sizing import Size

MINIMUM_HISTORY = 20
HISTORY_SESSIONS = 252


def signal_strength(score: float, history: Sequence[float]) -> tuple[float | None, str | None]:
    """2·percentile − 1 of `score` among the strategy's own recent scores (mid-rank), in [−1, 1].

    `history` is sorted. None with the reason HISTORY_TOO_SHORT below 20 scores: comparing with a handful says nothing.
    """
    if len(history) < MINIMUM_HISTORY:
        return None, "HISTORY_TOO_SHORT"
    below, not_above = bisect_left(history, score), bisect_right(history, score)
    return (below + not_above) / len(history) - 1.0, None


def risk_score(proposal: Proposal, size: Size, context: RiskContext) -> float | None:
    """100 × the most used limit: loss at the stop, single name, gross exposure, share of volume. 100 is binding."""
    equity = float(context.equity)
    if equity <= 0 or size.empty:
        return None
    limits = context.limits
    used = [
        size.loss_at_stop / size.budget if size.budget > 0 else float("inf"),
        (context.gross + proposal.gross) / (limits.max_gross_exposure * equity),
        *(value / (limits.max_position_pct * equity) for value in name_values(proposal, context).values()),
        *(abs(leg.quantity) / (limits.max_adv_pct * context.adv[leg.symbol]) for leg in proposal.shares),
    ]
    return min(100.0 * max(used), 99999.0)
