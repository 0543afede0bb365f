"""Writes of judgements. Each makes the rows of one account and session what they should be: running it twice changes nothing."""

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal

from django.db import models, transaction

from analytics.judging.findings import Observation
from analytics.models import Adaptation, DailyPerformance, ExtremeSignal, Finding
from quant_site.core.models import Account
from quant_site.core.rows import objects_read, rows_insert, rows_read
from quant_site.core.services import events_publish
from quant_site.core.types import optional, score
from strategies.models import Strategy

NEVER_COMPARED = {"id", "created_at"}
# The last session of a week lies at most eight days after that of the week before, when holidays move both.
LONGEST_WEEK = 8


@transaction.atomic(savepoint=False)
def rows_sync(
    model: type[models.Model], wanted: list[models.Model], key: tuple[str, ...], *, account: Account, session: date
) -> list[models.Model]:
    """Make the rows of `account` and `session` equal to `wanted`, told apart by `key`; answers those that were not there.

    Rows that stay keep their id and the time they were made; rows that are already equal are not written. New ones are
    not told their ids.
    """
    if not rows_read(model, ("id",), "account_id = %s AND session = %s", account.pk, session):
        rows_insert(wanted)
        return wanted
    stored = {tuple(getattr(row, name) for name in key): row for row in model.objects.filter(account=account, session=session)}
    new, changed = [], []
    names = [field.attname for field in model._meta.concrete_fields if field.attname not in NEVER_COMPARED]
    for row in wanted:
        known = stored.pop(tuple(getattr(row, name) for name in key), None)
        if known is None:
            new.append(row)
            continue
        row.pk, row.created_at = known.pk, getattr(known, "created_at", None)
        if any(getattr(known, name) != getattr(row, name) for name in names):
            changed.append(row)
    if stored:
        model.objects.filter(pk__in=[row.pk for row in stored.values()]).delete()
    if changed:
        model.objects.bulk_update(changed, names)
    rows_insert(new)
    return new


def performance_record(*, account: Account, session: date, rows: list[DailyPerformance]) -> None:
    """Store the judgements of a session, one a scope."""
    rows_sync(DailyPerformance, rows, ("scope",), account=account, session=session)


def extremes_record(*, account: Account, session: date, rows: list[ExtremeSignal]) -> None:
    """Store the list of extremes as it stands at `session`."""
    rows_sync(ExtremeSignal, rows, ("signal_id", "kind"), account=account, session=session)


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


def findings_of(account: Account, session: date) -> list[Finding]:
    """What the evaluation noticed at `session`."""
    return objects_read(Finding, "account_id = %s AND session = %s ORDER BY scope, code", account.pk, session)


@transaction.atomic(savepoint=False)
def findings_record(*, account: Account, session: date, observations: list[Observation]) -> list[Finding]:
    """Store what a week's evaluation noticed; answers all findings of the session.

    `evidence` says since when it has been noticed week after week, and only what the week before did not notice is
    announced.
    """
    strategies = dict(rows_read(Strategy, ("key", "id"), "1 = 1"))
    week_before = "account_id = %s AND session >= %s AND session < %s ORDER BY session"
    noticed = rows_read(Finding, ("scope", "code", "evidence"), week_before, account.pk, session - timedelta(days=LONGEST_WEEK), session)
    known = {(scope, code): evidence for scope, code, evidence in noticed}
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
    new = rows_sync(Finding, rows, ("scope", "code"), account=account, session=session)
    announced = [row for row in new if (row.scope, row.code) not in known]
    if announced:
        events_publish([("finding", finding_event(row)) for row in announced], account=account)
    return findings_of(account, session)


def _persistence(before: dict | None, session: date) -> dict:
    """Since when something has been noticed, and in how many weeks, given the evidence of the week before."""
    return {"since": before["since"], "weeks": before["weeks"] + 1} if before else {"since": str(session), "weeks": 1}


def finding_event(finding: Finding) -> dict:
    names = ("scope", "code", "message", "suggestion")
    return {"session": str(finding.session)} | {name: getattr(finding, name) for name in names}


@transaction.atomic(savepoint=False)
def adaptations_record(*, account: Account, rows: list[Adaptation]) -> None:
    """Store the optimiser's decisions of one session, taken or not, and announce those that changed a weight."""
    rows_insert(rows)
    taken = [row for row in rows if row.version_id is not None]
    if taken:
        events_publish([("adaptation", adaptation_event(row)) for row in taken], account=account)


def adaptation_event(row: Adaptation) -> dict:
    weights = {"weight_before": plain(row.weight_before), "weight_after": plain(row.weight_after)}
    return {"session": str(row.session), "strategy": row.strategy.key, "lane": row.lane, "reason": row.reason, **weights}


def plain(value: Decimal) -> str:
    return f"{value.normalize():f}"
