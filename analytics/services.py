"""Writes of judgements. Each makes the rows of one account and session what they should be: running it twice changes nothing."""

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal

from django.db import models, transaction

from analytics.findings import Observation
from analytics.models import Adaptation, DailyPerformance, ExtremeSignal, Finding
from quant_site.core.models import Account
from quant_site.core.services import events_publish
from quant_site.core.types import optional, score
from strategies.models import Strategy

NEVER_COMPARED = {"id", "created_at"}
# The last session of a week lies at most eight days after that of the week before, when holidays move both.
LONGEST_WEEK = 8


@transaction.atomic
def rows_sync(existing: models.QuerySet, wanted: list[models.Model], key: tuple[str, ...]) -> list[models.Model]:
    """Make the rows of `existing` equal to `wanted`, told apart by `key`; answers those that were not there before.

    Rows that stay keep their id and the time they were made; rows that are already equal are not written.
    """
    stored = {tuple(getattr(row, name) for name in key): row for row in existing}
    new, changed = [], []
    names = [field.attname for field in existing.model._meta.concrete_fields if field.attname not in NEVER_COMPARED]
    for row in wanted:
        known = stored.pop(tuple(getattr(row, name) for name in key), None)
        if known is None:
            new.append(row)
            continue
        row.pk, row.created_at = known.pk, getattr(known, "created_at", None)
        if any(getattr(known, name) != getattr(row, name) for name in names):
            changed.append(row)
    if stored:
        existing.model.objects.filter(pk__in=[row.pk for row in stored.values()]).delete()
    if changed:
        existing.model.objects.bulk_update(changed, names)
    if new:
        existing.model.objects.bulk_create(new)
    return new


def performance_record(*, account: Account, session: date, rows: list[DailyPerformance]) -> None:
    """Store the judgements of a session, one a scope."""
    rows_sync(DailyPerformance.objects.filter(account=account, session=session), rows, ("scope",))


def extremes_record(*, account: Account, session: date, rows: list[ExtremeSignal]) -> None:
    """Store the list of extremes as it stands at `session`."""
    rows_sync(ExtremeSignal.objects.filter(account=account, session=session), rows, ("signal_id", "kind"))


@transaction.atomic
def strategy_statistics_update(*, account: Account, rows: Iterable[DailyPerformance]) -> None:
    """Write win rate, Sharpe ratio and number of signals back to the strategies; only what changed is written.

    A replay's account never does: its past is not what the house's strategies did. With several live accounts the
    figures are those of the one evaluated last; each account's own are in `DailyPerformance`.
    """
    if account.is_replay:
        return
    latest = {row.strategy_id: row for row in rows if row.strategy_id}
    changed = []
    for strategy in Strategy.objects.filter(pk__in=latest).only("win_rate", "sharpe_ratio", "total_signals"):
        row = latest[strategy.pk]
        figures = {"win_rate": row.win_rate, "sharpe_ratio": row.sharpe_ratio, "total_signals": row.state["signals"]}
        if any(getattr(strategy, name) != value for name, value in figures.items()):
            for name, value in figures.items():
                setattr(strategy, name, value)
            changed.append(strategy)
    if changed:
        Strategy.objects.bulk_update(changed, ["win_rate", "sharpe_ratio", "total_signals"])


@transaction.atomic
def findings_record(*, account: Account, session: date, observations: list[Observation]) -> list[Finding]:
    """Store what a week's evaluation noticed; answers all findings of the session.

    `evidence` says since when it has been noticed week after week, and only what the week before did not notice is
    announced.
    """
    strategies = dict(Strategy.objects.values_list("key", "pk"))
    week_before = Finding.objects.filter(account=account, session__lt=session, session__gte=session - timedelta(days=LONGEST_WEEK))
    known = {(scope, code): evidence for scope, code, evidence in week_before.order_by("session").values_list("scope", "code", "evidence")}
    rows = [
        Finding(
            account=account,
            strategy_id=strategies.get(seen.scope),
            scope=seen.scope,
            session=session,
            code=str(seen.code),
            message=seen.message[:255],
            evidence=seen.evidence | _persistence(known.get((seen.scope, str(seen.code))), session),
            effect=optional(score, seen.effect),
            effect_low=optional(score, seen.low),
            effect_high=optional(score, seen.high),
            suggestion=seen.suggestion,
        )
        for seen in observations
    ]
    existing = Finding.objects.filter(account=account, session=session)
    new = rows_sync(existing, rows, ("scope", "code"))
    announced = [row for row in new if (row.scope, row.code) not in known]
    if announced:
        events_publish([("finding", finding_event(row)) for row in announced], account=account)
    return list(existing.order_by("scope", "code"))


def _persistence(before: dict | None, session: date) -> dict:
    """Since when something has been noticed, and in how many weeks, given the evidence of the week before."""
    return {"since": before["since"], "weeks": before["weeks"] + 1} if before else {"since": str(session), "weeks": 1}


def finding_event(finding: Finding) -> dict:
    names = ("scope", "code", "message", "suggestion")
    return {"session": str(finding.session)} | {name: getattr(finding, name) for name in names}


@transaction.atomic
def adaptations_record(*, account: Account, rows: list[Adaptation]) -> None:
    """Store the optimiser's decisions of one session, taken or not, and announce those that changed a weight."""
    Adaptation.objects.bulk_create(rows)
    taken = [row for row in rows if row.version_id is not None]
    if taken:
        events_publish([("adaptation", adaptation_event(row)) for row in taken], account=account)


def adaptation_event(row: Adaptation) -> dict:
    weights = {"weight_before": plain(row.weight_before), "weight_after": plain(row.weight_after)}
    return {"session": str(row.session), "strategy": row.strategy.key, "lane": row.lane, "reason": row.reason, **weights}


def plain(value: Decimal) -> str:
    return f"{value.normalize():f}"
