"""The third lane: parameters move only from champion to challenger. What `analytics.tuning.lane` decides becomes rows here.

At the end of a week every challenger is played on, and judged; at the end of a quarter a strategy without one is searched. A
person's word comes first: what is pinned is left alone, and parameters that a person changed end a duel about them.
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.db import transaction

from analytics.adapting.shadow import Evaluated, ShadowMarket, chosen, packed, params_hash
from analytics.models import Adaptation, Challenger, HoldoutUse, Pin, ShadowDay, Trial
from analytics.services import adaptations_record
from analytics.tuning.duel import Duel
from analytics.tuning.gate import sharpes
from analytics.tuning.lane import SHARED, Day, Event, Kind, Seat, review
from quant_site.core.build import code_version
from quant_site.core.models import Account
from quant_site.core.rows import objects_read, rows_insert, rows_read
from quant_site.core.services import audit_record, event_publish
from quant_site.core.types import ratio
from quant_site.market.panel import Panel
from strategies.base import Strategy, StrategyParams
from strategies.models import ParameterVersion
from strategies.models import Strategy as StrategyRow
from strategies.parameters import account_overrides, effective_params, merged_params
from strategies.selectors import strategies_due
from strategies.services import active_version, version_create

Status = Challenger.Status
LIVE = "account_id = %s AND status IN ('SHADOW', 'PROBATION')"
REASONS = {
    Kind.REFUSED: "No challenger: {refusals}.",
    Kind.SHADOW: "{name} {before} to {after} passed the gate and stands in shadow.",
    Kind.PROMOTED: "{name} {before} to {after} after {sessions} sessions in shadow: evidence {evidence:.1f} of {threshold:.0f}.",
    Kind.DROPPED: "{name} {before} to {after} showed no edge within {sessions} sessions in shadow.",
    Kind.CONFIRMED: "{name} {before} to {after} held for {sessions} sessions.",
    Kind.ROLLED_BACK: "{name} {after} back to {before} after {sessions} sessions in force: {why}.",
}
WHY = {"REVERSED": "the old value did better", "DRAWDOWN": "it lost more than its record allows"}
TAKEN_OVER = "The parameters in force were changed by a person."
PINNED = "A person pinned the parameters."


@dataclass
class Played:
    """A strategy with its seat, and the challenger's row while there is a duel."""

    row: StrategyRow
    seat: Seat
    challenger: Challenger | None


def is_quarter_end(session: date) -> bool:
    """Whether the week that ends with `session` is the last one to end in its quarter."""
    following = session + timedelta(days=7)
    return (following.month - 1) // 3 != (session.month - 1) // 3


def seed_of(strategy: str, session: date) -> int:
    """What resampling begins with: the same wherever the same is looked at."""
    return zlib.crc32(f"{strategy} {session}".encode()) >> 1


class ParameterLane:
    """The parameters of one account's strategies over the stored bars of `panel`.

    What is played is played outside of any transaction, and takes from seconds to minutes; what follows from it for a strategy
    is written in one. Not `every` strategy is searched where that would take too long, but those with compiled rules.
    """

    def __init__(self, account: Account, panel: Panel, registry: Mapping[str, Strategy], *, every: bool = False):
        self.account, self.registry = account, registry
        self.market = ShadowMarket(panel, registry, every=every)

    def move(self, session: date, *, propose: bool) -> dict:
        """Look at every strategy once after `session`, the last of a week; answers what was decided, by strategy."""
        rows = {row.pk: row for row in strategies_due(keys=self.registry, holding=())}
        live = {row.strategy_id: row for row in objects_read(Challenger, LIVE, self.account.pk)}
        pinned = {row[0] for row in rows_read(Pin, ("strategy_id",), "account_id = %s AND what = 'PARAMETERS'", self.account.pk)}
        if not live and not propose:
            return {}
        where = "account_id = %s AND session = %s AND lane = 'PARAMETERS'"
        done = {row[0] for row in rows_read(Adaptation, ("strategy_id",), where, self.account.pk, session)}
        own = account_overrides(rows.values(), self.account)
        decided = {}
        for pk, row in rows.items():
            if pk in done:
                continue
            params = merged_params(row, own.get(pk, {}), self.registry)
            played = self._seated(row, params, live.get(pk), pk in pinned, session)
            may_search = propose and pk not in pinned and self.market.searchable(row.key)
            if played.challenger is None and not may_search:
                continue
            event = self._review(played, params, session, may_search)
            if event is not None:
                decided[row.key] = str(event.kind)
        return decided

    def _seated(self, row: StrategyRow, params: StrategyParams, challenger: Challenger | None, pinned: bool, session: date) -> Played:
        """The seat as the rows have it. A duel that a person's word made void is ended here."""
        seat = Seat(row.key, params)
        if challenger is None:
            where = "account_id = %s AND strategy_id = %s ORDER BY last_session DESC LIMIT 1"
            spent = rows_read(HoldoutUse, ("last_session",), where, self.account.pk, row.pk)
            seat.spent = self.market.column(spent[0][0]) if spent else None
            return Played(row, seat, None)
        [(name, (before, after))] = challenger.change.items()
        on_probation = challenger.status == Status.PROBATION
        expected = challenger.champion | ({name: after} if on_probation else {})
        if chosen(params) != expected or pinned:
            self._void(challenger, PINNED if pinned and chosen(params) == expected else TAKEN_OVER, session)
            return self._seated(row, params, None, pinned, session)
        seat.other = _changed(params, {name: before if on_probation else after})
        seat.duel = Duel.load(challenger.state["duel"])
        seat.began, seat.seen = (self.market.column(date.fromisoformat(challenger.state[each])) for each in ("began", "seen"))
        return Played(row, seat, challenger)

    @transaction.atomic
    def _void(self, challenger: Challenger, reason: str, session: date) -> None:
        challenger.status, challenger.reason, challenger.ended = Status.DROPPED, reason, session
        challenger.save(update_fields=["status", "reason", "ended"])
        audit_record(action="CHALLENGER_DROPPED", account=self.account, resource=challenger, details={"why": reason})

    def _review(self, played: Played, params: StrategyParams, session: date, propose: bool) -> Event | None:
        seat, column = played.seat, self.market.column(session)
        started, seed = self._started(column), seed_of(seat.strategy, session)
        days, event = review(seat, self.market, column, propose=propose, started=started, seed=seed)
        with transaction.atomic():
            self._trials(played.row, params, session)  # what was tried counts, whatever becomes of it
            if self._overtaken(played, params):
                return None
            if played.challenger is not None:
                self._go_on(played, days)
            if event is not None:
                self._conclude(played, params, event, session)
        return event

    def _overtaken(self, played: Played, params: StrategyParams) -> bool:
        """Whether a person decided something while this was played: it is looked at again next week."""
        row = StrategyRow.objects.select_for_update().get(pk=played.row.pk)
        if chosen(effective_params(row, self.account)) != chosen(params):
            return True
        if Pin.objects.filter(account=self.account, strategy=row, what=Pin.What.PARAMETERS).exists():
            return True
        challenger = played.challenger
        return challenger is not None and not Challenger.objects.filter(pk=challenger.pk, status=challenger.status).exists()

    def _started(self, column: int) -> int:
        since = self.market.day(max(0, column - SHARED))
        return len(rows_read(Challenger, ("id",), "account_id = %s AND started > %s", self.account.pk, since))

    # --- rows

    def _trials(self, row: StrategyRow, params: StrategyParams, session: date) -> None:
        """Write down every set that was evaluated, once."""
        evaluated, self.market.evaluated = self.market.evaluated, []
        where = "account_id = %s AND strategy_id = %s AND session = %s"
        known = {each[0] for each in rows_read(Trial, ("params_hash",), where, self.account.pk, row.pk, session)}
        roles = {params_hash(near): "CANDIDATE" for near in self.market.neighbours(row.key, params)} | {params_hash(params): "CHAMPION"}
        fresh = {params_hash(each.params): each for each in reversed(evaluated)}  # the first of each counts
        rows = [self._trial(row, session, fresh[key], roles.get(key, "NEIGHBOUR")) for key in sorted(fresh.keys() - known)]
        rows_insert(rows)

    def _trial(self, row: StrategyRow, session: date, each: Evaluated, role: str) -> Trial:
        return Trial(
            account=self.account,
            strategy=row,
            session=session,
            params=chosen(each.params),
            params_hash=params_hash(each.params),
            role=role,
            data_digest=self.market.panel.digest,
            code_version=code_version(),
            seed=seed_of(row.key, session),
            first_session=self.market.day(each.first),
            last_session=self.market.day(each.last),
            n=each.returns.size,
            sharpe=float(sharpes(each.returns[None])[0]),
            returns=packed(each.returns),
        )

    def _go_on(self, played: Played, days: Sequence[Day]) -> None:
        challenger, seat = played.challenger, played.seat
        on_probation = challenger.status == Status.PROBATION
        rows_insert(
            [
                ShadowDay(
                    challenger=challenger,
                    session=self.market.day(day.t),
                    champion_return=day.other if on_probation else day.in_force,
                    challenger_return=day.in_force if on_probation else day.other,
                    evidence=day.evidence,
                )
                for day in days
            ]
        )
        if days:
            challenger.sessions += len(days)
            challenger.evidence = days[-1].evidence
        if seat.duel is not None:
            challenger.state = self._state(seat)
        challenger.save(update_fields=["sessions", "evidence", "state"])

    def _state(self, seat: Seat) -> dict:
        return {"duel": seat.duel.dump(), "began": str(self.market.day(seat.began)), "seen": str(self.market.day(seat.seen))}

    def _conclude(self, played: Played, params: StrategyParams, event: Event, session: date) -> None:
        numbers = self._dated(event.evidence)
        if "holdout" in numbers:
            self._spend(played.row, numbers["holdout"], session)
        challenger, version = played.challenger, None
        if event.kind is Kind.REFUSED:
            change = _difference(params, event.challenger)
        elif event.kind is Kind.SHADOW:
            challenger = self._begin(played, params, event, numbers, session)
            change = challenger.change
        else:
            change = challenger.change
            version = self._follow(played, event, numbers, session)
        told = numbers | {"event": str(event.kind), "change": change}
        weight = ratio(params.weight)
        row = Adaptation(
            account=self.account,
            strategy=played.row,
            session=session,
            lane=Adaptation.Lane.PARAMETERS,
            weight_before=weight,
            weight_after=weight,
            version=version,
            challenger=challenger,
            evidence=told,
            reason=_reason(event.kind, change, numbers)[:255],
        )
        adaptations_record(account=self.account, rows=[row])

    def _dated(self, evidence: Mapping) -> dict:
        """The evidence with sessions for columns."""
        dated = {name: str(self.market.day(value)) if name in ("first", "last") else value for name, value in evidence.items()}
        if "holdout" in dated:
            dated["holdout"] = self._dated(dated["holdout"])
        return dated

    def _spend(self, row: StrategyRow, holdout: dict, session: date) -> None:
        first, last = (date.fromisoformat(holdout[name]) for name in ("first", "last"))
        HoldoutUse.objects.create(
            account=self.account,
            strategy=row,
            session=session,
            first_session=first,
            last_session=last,
            passed=holdout["passed"],
            evidence=holdout,
        )

    def _begin(self, played: Played, params: StrategyParams, event: Event, numbers: dict, session: date) -> Challenger:
        challenger = Challenger.objects.create(
            account=self.account,
            strategy=played.row,
            change=_difference(params, event.challenger),
            champion=chosen(params),
            gate=numbers,
            state=self._state(played.seat),
            started=session,
            threshold=numbers["threshold"],
        )
        audit_record(action="CHALLENGER_SHADOW", account=self.account, resource=challenger, details={"change": challenger.change})
        return challenger

    def _follow(self, played: Played, event: Event, numbers: dict, session: date) -> ParameterVersion | None:
        """The row of a challenger whose duel came to something, and the version that puts it in force or takes it back."""
        challenger, version = played.challenger, None
        [(name, (before, after))] = challenger.change.items()
        reason = _reason(event.kind, challenger.change, numbers)
        if event.kind is Kind.PROMOTED:
            challenger.status, challenger.promoted = Status.PROBATION, session
            challenger.state, challenger.threshold, challenger.evidence = self._state(played.seat), played.seat.duel.threshold, 1.0
            challenger.previous_version = active_version(played.row, self.account)
            version = challenger.version = self._version(played.row, {name: after}, reason, numbers, session)
        else:
            challenger.status, challenger.ended = Status(str(event.kind)), session
            if event.kind is Kind.ROLLED_BACK:
                version = self._version(played.row, {name: before}, reason, numbers, session)
        challenger.reason = reason[:255]
        challenger.save()
        audit_record(
            action=f"CHALLENGER_{event.kind}",
            account=self.account,
            resource=challenger,
            details={"change": challenger.change, "why": reason},
        )
        payload = {"strategy": played.row.key, "change": challenger.change, "event": str(event.kind), "reason": reason}
        event_publish(type="challenger", payload=payload, account=self.account)
        return version

    def _version(self, row: StrategyRow, params: dict, reason: str, numbers: dict, session: date) -> ParameterVersion:
        return version_create(
            strategy=row,
            params=params,
            reason=reason,
            source=ParameterVersion.Source.OPTIMIZER,
            account=self.account,
            evidence=numbers,
            session=session,
        )


def _changed(params: StrategyParams, values: Mapping) -> StrategyParams:
    return type(params)(**(params.model_dump() | dict(values)))


def _difference(before: StrategyParams, after: StrategyParams) -> dict:
    """{name: [before, after]} of what two sets choose differently."""
    old, new = chosen(before), chosen(after)
    return {name: [old[name], new[name]] for name in sorted(old) if old[name] != new[name]}


def _reason(kind: Kind, change: Mapping, numbers: Mapping) -> str:
    [(name, (before, after))] = change.items()
    refusals = ", ".join(numbers.get("refusals") or ["HOLDOUT"])
    words = {"name": name, "before": before, "after": after, "refusals": refusals, "why": WHY.get(numbers.get("why", ""), "")}
    return REASONS[kind].format(**{**numbers, **words})
