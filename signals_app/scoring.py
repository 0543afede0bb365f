"""Scores of a signal: how strong it is for its strategy, and how much of the account's limits it uses."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from strategies.risk import Proposal, RiskContext, name_values
from strategies.sizing import Size, loss_with_gap

MINIMUM_HISTORY = 20
HISTORY_SESSIONS = 252
# The largest score that its column holds.
LARGEST = 99999.0


def signal_strength(score: float, history: Sequence[float]) -> tuple[float | None, str | None]:
    """2·percentile − 1 of `score` among the strategy's own recent scores (mid-rank), in [−1, 1].

    `history` is sorted. None with the reason HISTORY_TOO_SHORT below 20 scores: comparing with a handful says nothing.
    """
    if len(history) < MINIMUM_HISTORY:
        return None, "HISTORY_TOO_SHORT"
    below, not_above = bisect_left(history, score), bisect_right(history, score)
    return (below + not_above) / len(history) - 1.0, None


def risk_score(proposal: Proposal, size: Size, context: RiskContext, *, stopped: bool = False) -> float | None:
    """100 × the most used limit; 100 is binding. None where nothing is proposed, or a limit that is set cannot be measured.

    Loss at the stop over the budget, the value of each name, gross exposure and the share of volume; where they are limited,
    what the trade adds to expected shortfall and to the loss under stress. `stopped`: the trade has a stop; a gap overnight
    passes over it, so the loss is at least that of the worst night in a hundred (`loss_with_gap`).
    """
    equity, limits = float(context.equity), context.limits
    if equity <= 0 or size.empty:
        return None
    loss = loss_with_gap(size, proposal, context) if stopped else size.loss_at_stop
    used = [
        loss / size.budget if size.budget > 0 else float("inf"),
        (context.gross + proposal.gross) / (limits.max_gross_exposure * equity),
        *(value / (limits.max_position_pct * equity) for value in name_values(proposal, context).values()),
        *(abs(leg.quantity) / (limits.max_adv_pct * context.adv[leg.symbol]) for leg in proposal.shares if context.adv.get(leg.symbol)),
    ]
    for share, measure in ((limits.max_es_pct, "expected_shortfall"), (limits.max_stress_pct, "stress_loss")):
        if share is not None:
            now, then = (getattr(holdings, measure).value for holdings in (context.holdings, context.after(proposal)))
            if now is None or then is None:
                return None
            used.append(_part(then - now, share * equity))
    return min(100.0 * max(used), LARGEST)


def _part(added: float, limit: float) -> float:
    """What is added as a part of a limit; of a limit of 0 nothing may be added at all."""
    if limit > 0:
        return added / limit
    return float("inf") if added > 0 else 0.0
