"""Two lanes that move by themselves: weights within their band, and less money for what no longer earns what it claimed.

A strategy's weight is what the weekly competition gives it (`base`), times what it keeps of that (`factor`, 1 unless an alarm or
its volatility lowered it). A weight that a person sets starts both anew; one that a person pinned stays.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from analytics.judging.tally import ReturnTally
from analytics.models import Adaptation, DailyPerformance, Pin
from analytics.services import adaptations_record
from analytics.tuning import weights
from analytics.tuning.derisk import Watch
from quant_site.core.models import Account
from quant_site.core.rows import objects_follow, objects_read, rows_read
from quant_site.core.types import ratio
from strategies.models import ParameterVersion, Strategy
from strategies.parameters import account_overrides, merged_params
from strategies.registry import REGISTRY
from strategies.selectors import strategies_due
from strategies.services import version_create

FEWEST_SESSIONS = 60
# The volatility of a month is known to an eighth or so: what moves less than this is noise.
SCALE_MOVES = 0.3
SAME = 5e-7
PLACES = 4
Lane = Adaptation.Lane


@dataclass(frozen=True)
class Candidate:
    """An enabled strategy with enough of a record. `spread` is the daily volatility of its whole record; `base`, `belief`, `watch`
    and `scale` are as the last decision left them, None and fresh without one."""

    strategy: Strategy
    weight: float
    sessions: int
    spread: float
    base: float
    belief: float | None
    watch: Watch | None
    scale: float

    @property
    def factor(self) -> float:
        return self.scale * (self.watch.factor if self.watch else 1.0)


@dataclass(frozen=True)
class Record:
    """The returns of a strategy since the last decision, and the daily volatility of the 60 sessions before."""

    recent: list[float]
    volatility: float | None

    @property
    def gain(self) -> float:
        return weights.normalised(self.recent, self.volatility or 0.0)


class WeightLanes:
    """The weights of one account at the end of a week."""

    def __init__(self, account: Account):
        self.account = account

    def move(self, session: date) -> dict:
        """Decide once for `session`; answers what was decided, or {"skipped": why}."""
        decided = self._decisions(session)
        if decided:
            return summary(decided)
        last, known = self._last(session)
        candidates = self._candidates(session, known)
        if len(candidates) < 2:
            return {
                "skipped": f"Weights need two or more strategies with {FEWEST_SESSIONS} sessions of returns: there are {len(candidates)}.",
                "candidates": [candidate.strategy.key for candidate in candidates],
            }
        rows = self._decide(session, last, candidates)
        adaptations_record(account=self.account, rows=rows)
        return summary(rows)

    # --- what is known

    def _decisions(self, session: date) -> list[Adaptation]:
        rows = objects_read(Adaptation, "account_id = %s AND session = %s AND lane <> %s", self.account.pk, session, str(Lane.PARAMETERS))
        objects_follow(rows, "strategy")
        return sorted(rows, key=lambda row: (row.strategy.key, row.lane != Lane.WEIGHTS))

    def _last(self, session: date) -> tuple[date | None, dict[int, dict]]:
        """When the weights were last judged, and what each strategy carries from there, by strategy."""
        where = """account_id = %s AND lane <> %s AND session = (
            SELECT MAX(session) FROM adaptations WHERE account_id = %s AND lane = %s AND session < %s) ORDER BY lane DESC"""
        names = ("session", "strategy_id", "lane", "weight_after", "evidence")
        parameters = (self.account.pk, str(Lane.PARAMETERS), self.account.pk, str(Lane.WEIGHTS), session)
        rows, known = rows_read(Adaptation, names, where, *parameters), {}
        # The competition of that week first, then what an alarm made of it.
        for _, pk, lane, after, evidence in rows:
            carried = dict(evidence) if lane == Lane.WEIGHTS else known[pk] | {"scale": evidence["scale_after"]}
            known[pk] = carried | {"final": float(after)}
        return (rows[0][0] if rows else None), known

    def _candidates(self, session: date, known: dict[int, dict]) -> list[Candidate]:
        """Strategies the optimiser may weigh. A weight of 0 is a person's decision and stays, and so does one that is pinned."""
        strategies = {row.pk: row for row in strategies_due(keys=REGISTRY, holding=())}
        own = account_overrides(strategies.values(), self.account)
        pinned = {
            row[0] for row in rows_read(Pin, ("strategy_id",), "account_id = %s AND what = %s", self.account.pk, str(Pin.What.WEIGHT))
        }
        where = "account_id = %s AND session = %s AND strategy_id IS NOT NULL ORDER BY scope"
        candidates = []
        for pk, state in rows_read(DailyPerformance, ("strategy_id", "state"), where, self.account.pk, session):
            record = ReturnTally.load(state["returns"])
            if pk not in strategies or pk in pinned or record.n < FEWEST_SESSIONS:
                continue
            weight = merged_params(strategies[pk], own.get(pk, {})).weight
            if weight > 0 and record.deviation > 0:
                candidates.append(_candidate(strategies[pk], weight, record, known.get(pk)))
        return candidates

    def _records(self, session: date, last: date | None, candidates: list[Candidate]) -> list[Record]:
        since = last or session
        series: dict[int, list[tuple[date, float]]] = {candidate.strategy.pk: [] for candidate in candidates}
        where = """account_id = %s AND session > %s AND session <= %s AND strategy_id IS NOT NULL AND daily_return IS NOT NULL
            ORDER BY session"""
        names = ("strategy_id", "session", "daily_return")
        for pk, day, change in rows_read(DailyPerformance, names, where, self.account.pk, since - timedelta(days=120), session):
            if pk in series:
                series[pk].append((day, float(change)))
        records = []
        for days in series.values():
            past = [change for day, change in days if day <= since][-FEWEST_SESSIONS:]
            volatility = float(np.std(past, ddof=1)) if len(past) >= FEWEST_SESSIONS else None
            records.append(Record([change for day, change in days if day > since], volatility))
        return records

    def _watched(self, session: date, candidate: Candidate, record: Record) -> Watch:
        """The watch with what came since; a new one reads the whole record once."""
        if candidate.watch is not None:
            changes = record.recent
        else:
            where = "account_id = %s AND scope = %s AND session <= %s AND daily_return IS NOT NULL ORDER BY session"
            rows = rows_read(DailyPerformance, ("daily_return",), where, self.account.pk, candidate.strategy.key, session)
            changes = [float(change) for (change,) in rows]
        watch = candidate.watch or Watch()
        for change in changes:
            watch = watch.step(change)
        return watch

    # --- what is decided

    def _decide(self, session: date, last: date | None, candidates: list[Candidate]) -> list[Adaptation]:
        records = self._records(session, last, candidates)
        bases = [candidate.base for candidate in candidates]
        belief, target = weights.week(bases, self._belief(candidates), [record.gain for record in records] if last else None)
        budget = float(sum(bases))
        band = [round(share * budget / len(candidates), 6) for share in (weights.LOWEST, weights.HIGHEST)]
        rows = []
        for candidate, share, record, base in zip(candidates, belief.tolist(), records, target.tolist(), strict=True):
            watch = self._watched(session, candidate, record)
            evidence = {
                "belief": share,
                "gain": round(record.gain, 6),
                "volatility": None if record.volatility is None else round(record.volatility, 9),
                "since": None if last is None else str(last),
                "sessions": candidate.sessions,
                "strategies": len(candidates),
                "band": band,
                "target": base,
                "base": base,
                "factor": candidate.factor,
                "scale": candidate.scale,
                "watch": watch.dump(),
            }
            rows.append(self._weighed(session, candidate, base, evidence))
            rows += self._derisked(session, candidate, base, watch)
        return rows

    def _belief(self, candidates: list[Candidate]) -> np.ndarray:
        """The belief from the last decision; at first the inverse-volatility prior.

        A strategy that is new among the others starts with an equal share; those that left give theirs back.
        """
        shares = np.array([np.nan if candidate.belief is None else candidate.belief for candidate in candidates])
        new = np.isnan(shares)
        if new.all():
            return weights.prior([candidate.base for candidate in candidates], [candidate.spread for candidate in candidates])
        if new.any():
            shares[~new] *= (1 - new.sum() / shares.size) / shares[~new].sum()
            shares[new] = 1 / shares.size
        return shares / shares.sum()

    def _weighed(self, session: date, candidate: Candidate, base: float, evidence: dict) -> Adaptation:
        after = candidate.weight if base == candidate.base else round(base * candidate.factor, PLACES)
        reason = f"Kept: the weights would move by less than {weights.SMALLEST_CHANGE}."
        if after != candidate.weight:
            reason = f"Weight {candidate.weight:g} to {after:g} by the record of {candidate.sessions} sessions."
        return self._row(session, candidate.strategy, Lane.WEIGHTS, candidate.weight, after, evidence, reason)

    def _derisked(self, session: date, candidate: Candidate, base: float, watch: Watch) -> list[Adaptation]:
        """A row where the strategy keeps another part of its weight than before."""
        before = candidate.factor
        scale = watch.scale if abs(watch.scale - candidate.scale) >= SCALE_MOVES or watch.scale == 1.0 else candidate.scale
        after = watch.factor * scale
        if abs(after - before) < SAME:
            return []
        evidence = {
            "cusum": round(watch.fall, 6),
            "alarm": round(watch.height, 6),
            "claimed_sharpe": round(watch.claim, 6),
            "realised_sharpe": round(watch.sharpe, 6),
            "factor_before": before,
            "factor_after": after,
            "scale_before": candidate.scale,
            "scale_after": scale,
            "sessions": watch.n,
        }
        claimed = f"a Sharpe ratio of {watch.claim:.2f} is claimed, {watch.sharpe:.2f} is there"
        reason = f"Keeps {after:.0%} of its weight after {before:.0%}: {claimed}."
        weight = candidate.weight if base == candidate.base else round(base * before, PLACES)
        return [self._row(session, candidate.strategy, Lane.DERISK, weight, round(base * after, PLACES), evidence, reason)]

    def _row(self, session: date, strategy: Strategy, lane: str, before: float, after: float, evidence: dict, reason: str) -> Adaptation:
        """The decision, with the new version where the weight changes."""
        version = None
        if after != before:
            version = version_create(
                strategy=strategy,
                params={"weight": after},
                reason=reason,
                source=ParameterVersion.Source.OPTIMIZER,
                account=self.account,
                evidence=evidence,
                session=session,
            )
        return Adaptation(
            account=self.account,
            strategy=strategy,
            session=session,
            lane=str(lane),
            weight_before=ratio(before),
            weight_after=ratio(after),
            version=version,
            evidence=evidence,
            reason=reason,
        )


def _candidate(strategy: Strategy, weight: float, record: ReturnTally, carried: dict | None) -> Candidate:
    """With what it carries from the last decision, unless a person has set another weight since."""
    sessions, spread = record.n, record.deviation
    if carried is None or abs(carried["final"] - weight) > SAME:
        return Candidate(strategy, weight, sessions, spread, weight, carried and carried["belief"], Watch() if carried else None, 1.0)
    watch = Watch(**carried["watch"])
    return Candidate(strategy, weight, sessions, spread, carried["base"], carried["belief"], watch, carried["scale"])


def summary(rows: list[Adaptation]) -> dict:
    """What the loop records about a week's decision: how many weights moved, and what they are."""
    moved = {row.strategy.key for row in rows if row.version_id is not None}
    return {"changed": len(moved), "weights": {row.strategy.key: float(row.weight_after) for row in rows}}
