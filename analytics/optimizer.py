"""`AdaptiveOptimizer`: feeds what was learnt back into the strategies. Only weights move by themselves, slowly, in a band.

Parameters, thresholds and limits do not: choosing what looked best lately is right by chance in most worlds without
any edge. A new weight is a parameter version of the account like any change; reverting it moves the pointer.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from django.db import transaction

from analytics import weights
from analytics.models import Adaptation, DailyPerformance
from analytics.performance import is_week_end
from analytics.services import adaptations_record
from analytics.tally import ReturnTally
from quant_site.core.models import Account
from quant_site.core.rows import objects_follow, objects_read, rows_read
from quant_site.core.types import ratio
from strategies.models import ParameterVersion, Strategy
from strategies.parameters import account_overrides, merged_params
from strategies.registry import REGISTRY
from strategies.selectors import strategies_due
from strategies.services import version_create

FEWEST_SESSIONS = 60
# Smaller changes wait until they add up: a version a week that moves a weight by a hair is noise to its reader.
SMALLEST_CHANGE = 0.01


@dataclass(frozen=True)
class Candidate:
    """An enabled strategy with enough of a record. `spread` is the daily volatility of its whole record."""

    strategy: Strategy
    weight: float
    sessions: int
    spread: float


class AdaptiveOptimizer:
    def __init__(self, account: Account):
        self.account = account

    def run_daily_optimization(self, session: date) -> dict:
        """Move the weights at the end of a week; answers what was decided, or {"skipped": why}. Idempotent."""
        if not is_week_end(session):
            return {"skipped": "Weights move at the end of a week."}
        with transaction.atomic():
            return self._move_weights(session)

    def _move_weights(self, session: date) -> dict:
        decided = self._decisions(session)
        if decided:
            return summary(decided)
        candidates = self._candidates(session)
        if len(candidates) < 2:
            return {
                "skipped": f"Weights need two or more strategies with {FEWEST_SESSIONS} sessions of returns: there are {len(candidates)}.",
                "candidates": [candidate.strategy.key for candidate in candidates],
            }
        rows = self._decide(session, candidates)
        adaptations_record(account=self.account, rows=rows)
        return summary(rows)

    def _decisions(self, session: date) -> list[Adaptation]:
        rows = objects_read(Adaptation, "account_id = %s AND session = %s", self.account.pk, session)
        objects_follow(rows, "strategy")
        return sorted(rows, key=lambda row: row.strategy.key)

    def _candidates(self, session: date) -> list[Candidate]:
        """Strategies the optimiser may weigh. A weight of 0 is a person's decision and stays."""
        strategies = {row.pk: row for row in strategies_due(keys=REGISTRY, holding=())}
        own = account_overrides(strategies.values(), self.account)
        where = "account_id = %s AND session = %s AND strategy_id IS NOT NULL ORDER BY scope"
        candidates = []
        for pk, state in rows_read(DailyPerformance, ("strategy_id", "state"), where, self.account.pk, session):
            record = ReturnTally.load(state["returns"])
            if pk not in strategies or record.n < FEWEST_SESSIONS:
                continue
            weight = merged_params(strategies[pk], own.get(pk, {})).weight
            candidates.append(Candidate(strategies[pk], weight, record.n, record.deviation))
        return [candidate for candidate in candidates if candidate.weight > 0 and candidate.spread > 0]

    def _decide(self, session: date, candidates: list[Candidate]) -> list[Adaptation]:
        last, belief = self._belief(session, candidates)
        gains = self._gains(session, last, candidates)
        if last is not None:
            belief = weights.hedge(belief, [gain for gain, _ in gains])
        current = [candidate.weight for candidate in candidates]
        target = weights.step(current, belief)
        moves = bool(np.abs(target - current).max() >= SMALLEST_CHANGE - weights.UNIT / 2)
        budget = float(sum(current))
        band = [round(share * budget / len(candidates), 6) for share in (weights.LOWEST, weights.HIGHEST)]
        rows = []
        for candidate, share, (gain, volatility), after in zip(candidates, belief, gains, target.tolist(), strict=True):
            evidence = {
                "belief": float(share),
                "gain": round(gain, 6),
                "volatility": None if volatility is None else round(volatility, 9),
                "since": None if last is None else str(last),
                "sessions": candidate.sessions,
                "strategies": len(candidates),
                "band": band,
                "target": after,
            }
            rows.append(self._decision(session, candidate, after if moves else candidate.weight, evidence))
        return rows

    def _belief(self, session: date, candidates: list[Candidate]) -> tuple[date | None, np.ndarray]:
        """When the weights were last judged, and the belief from then; at first the inverse-volatility prior.

        A strategy that is new among the others starts with an equal share; those that left give theirs back.
        """
        where = """account_id = %s AND session = (
            SELECT MAX(session) FROM adaptations WHERE account_id = %s AND session < %s)"""
        names = ("session", "strategy_id", "evidence")
        earlier = rows_read(Adaptation, names, where, self.account.pk, self.account.pk, session)
        prior = weights.prior([candidate.weight for candidate in candidates], [candidate.spread for candidate in candidates])
        if not earlier:
            return None, prior
        last, known = earlier[0][0], {pk: evidence["belief"] for _, pk, evidence in earlier}
        shares = np.array([known.get(candidate.strategy.pk, np.nan) for candidate in candidates])
        new = np.isnan(shares)
        if new.all():
            return last, prior
        if new.any():
            shares[~new] *= (1 - new.sum() / shares.size) / shares[~new].sum()
            shares[new] = 1 / shares.size
        return last, shares / shares.sum()

    def _gains(self, session: date, last: date | None, candidates: list[Candidate]) -> list[tuple[float, float | None]]:
        """(volatility-normalised return since `last`, the daily volatility of the 60 sessions until then) of each."""
        since = last or session
        series: dict[int, list[tuple[date, float]]] = {candidate.strategy.pk: [] for candidate in candidates}
        where = """account_id = %s AND session > %s AND session <= %s AND strategy_id IS NOT NULL AND daily_return IS NOT NULL
            ORDER BY session"""
        names = ("strategy_id", "session", "daily_return")
        for pk, day, change in rows_read(DailyPerformance, names, where, self.account.pk, since - timedelta(days=120), session):
            if pk in series:
                series[pk].append((day, float(change)))
        gains = []
        for candidate in candidates:
            days = series[candidate.strategy.pk]
            past = [change for day, change in days if day <= since][-FEWEST_SESSIONS:]
            week = [change for day, change in days if day > since]
            volatility = float(np.std(past, ddof=1)) if len(past) >= FEWEST_SESSIONS else None
            gains.append((weights.normalised(week, volatility or 0.0), volatility))
        return gains

    def _decision(self, session: date, candidate: Candidate, after: float, evidence: dict) -> Adaptation:
        """The decision about one strategy, with the new version where the weight changes."""
        version: ParameterVersion | None = None
        reason = f"Kept: the weights would move by less than {SMALLEST_CHANGE}."
        if after != candidate.weight:
            reason = f"Weight {candidate.weight:g} to {after:g} by the record of {candidate.sessions} sessions."
            version = version_create(
                strategy=candidate.strategy,
                params={"weight": after},
                reason=reason,
                source=ParameterVersion.Source.OPTIMIZER,
                account=self.account,
                evidence=evidence,
                session=session,
            )
        return Adaptation(
            account=self.account,
            strategy=candidate.strategy,
            session=session,
            weight_before=ratio(candidate.weight),
            weight_after=ratio(after),
            version=version,
            evidence=evidence,
            reason=reason,
        )


def summary(rows: list[Adaptation]) -> dict:
    """What the loop records about a week's decision."""
    moved = [row for row in rows if row.version_id is not None]
    return {"changed": len(moved), "weights": {row.strategy.key: float(row.weight_after) for row in rows}}
