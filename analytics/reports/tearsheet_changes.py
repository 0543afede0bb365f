"""How the system adapted: the path of each weight, what was changed and why, and the parameter sets that stood for office."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db.models import F, Q

from analytics.models import Adaptation, Challenger
from analytics.reports.tearsheet_reads import Scope
from quant_site.core.rows import rows_read

CHANGES, CHALLENGERS = 20, 20


@dataclass(frozen=True)
class WeightPath:
    """Where a weight moved: (session, weight from then on). The first point is where it stood before the span's first decision."""

    strategy_id: int
    points: tuple[tuple[date, Decimal], ...]
    decisions: int

    @property
    def before(self) -> Decimal:
        return self.points[0][1]

    @property
    def after(self) -> Decimal:
        return self.points[-1][1]

    @property
    def moves(self) -> int:
        return len(self.points) - 1


@dataclass(frozen=True)
class Adapted:
    """`changes` and `challengers` are the newest; `decisions` counts all decisions, also those that left things as they were."""

    paths: list[WeightPath]
    changes: list[Adaptation]
    challengers: list[Challenger]
    decisions: int
    changed: int


def adaptation_read(scope: Scope) -> Adapted:
    paths = _paths(scope)
    rows = _of(Adaptation.objects.all(), scope).filter(session__gte=scope.first, session__lte=scope.last)
    changed = rows.filter(Q(version__isnull=False) | ~Q(weight_before=F("weight_after")))
    newest = changed.select_related("strategy", "version").order_by("-session", "strategy__key", "lane")
    stood = _of(Challenger.objects.all(), scope).filter(started__lte=scope.last).exclude(ended__lt=scope.first)
    challengers = stood.select_related("strategy", "decided_by").order_by("-started", "strategy__key", "status", "id")
    return Adapted(paths, list(newest[:CHANGES]), list(challengers[:CHALLENGERS]), sum(path.decisions for path in paths), changed.count())


def _of(rows, scope: Scope):
    rows = rows.filter(account=scope.account)
    return rows.filter(strategy=scope.strategy) if scope.strategy else rows


def _paths(scope: Scope) -> list[WeightPath]:
    where, params = "account_id = %s AND session >= %s AND session <= %s", [*scope.span]
    if scope.strategy is not None:
        where, params = f"{where} AND strategy_id = %s", [*params, scope.strategy.pk]
    names = ("strategy_id", "session", "weight_before", "weight_after")
    decided = defaultdict(list)
    for strategy_id, *decision in rows_read(Adaptation, names, f"{where} ORDER BY strategy_id, session, lane", *params):
        decided[strategy_id].append(decision)
    return [WeightPath(pk, tuple(_points(decisions)), len(decisions)) for pk, decisions in decided.items()]


def _points(decisions: list) -> list[tuple[date, Decimal]]:
    session, before, _ = decisions[0]
    points = [(session, before)]
    for session, _, after in decisions:
        if after != points[-1][1]:
            points.append((session, after))
    return points
