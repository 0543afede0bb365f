"""Reads behind the page of the adaptation: what is in force and since when, live challengers, decisions, and what was tried."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta

from django.db.models import Count, F, Max, Min, OuterRef, Q, Subquery

from analytics.adapting.adaptation_figures import GateNumber, Path, evidence_path, gate_numbers, log_share, weight_path
from analytics.models import Adaptation, Challenger, HoldoutUse, Pin, ShadowDay, Trial
from quant_site.core.errors import InvalidInput
from quant_site.core.models import Account
from quant_site.core.rows import rows_read
from quant_site.core.types import ratio
from strategies.models import AccountStrategy, ParameterVersion, Strategy
from strategies.parameters import account_overrides, merged_params
from strategies.registry import REGISTRY

WEIGHT_LANES = (Adaptation.Lane.WEIGHTS, Adaptation.Lane.DERISK)
EVERYTHING = "ALL"
PATH_DAYS = 730
ENDED, HOLDOUTS = 10, 20


@dataclass(frozen=True)
class Standing:
    """What of one strategy is in force on an account, as far as a decision about it can be taken back.

    `newest_move` is the key of the last decision that moved the weight and was not `reverted`, `challengers` are those whose
    change was brought in.
    """

    weight: float
    params: dict
    newest_move: int | None = None
    reverted: frozenset[int] = frozenset()
    challengers: dict[int, Challenger] = field(default_factory=dict)


def standings(account: Account, strategies: Iterable[Strategy]) -> dict[int, Standing]:
    """By strategy id; a strategy that cannot run with what is stored has none."""
    rows = list(strategies)
    own, reverted = account_overrides(rows, account), _reverted(account)
    moves = newest_moves(Adaptation.objects.filter(account=account, version__isnull=False).exclude(pk__in=reverted))
    brought = Challenger.objects.filter(account=account, status__in=(Challenger.Status.PROBATION, Challenger.Status.CONFIRMED))
    challengers = defaultdict(dict)
    for row in brought:
        challengers[row.strategy_id][row.pk] = row
    found = {}
    for row in rows:
        try:
            params = merged_params(row, own.get(row.pk, {}))
        except InvalidInput:
            continue
        found[row.pk] = Standing(params.weight, params.model_dump(mode="json"), moves.get(row.pk), reverted, challengers[row.pk])
    return found


def _reverted(account: Account) -> frozenset[int]:
    """Decisions about a weight that a person took back by a version of the account."""
    made = ParameterVersion.objects.filter(account=account, source=ParameterVersion.Source.PERSON, evidence__has_key="adaptation")
    return frozenset(evidence["adaptation"] for evidence in made.values_list("evidence", flat=True))


def newest_moves(rows) -> dict[int, int]:
    """Of decisions `rows`, by strategy id the key of the last about its weight; the cost does not grow with the history."""
    last = rows.filter(strategy=OuterRef("pk"), lane__in=WEIGHT_LANES).order_by("-session", "-pk").values("pk")[:1]
    found = Strategy.objects.annotate(newest=Subquery(last)).filter(newest__isnull=False)
    return dict(found.order_by().values_list("pk", "newest"))


# --- what is in force


@dataclass(frozen=True)
class InForce:
    """A strategy's weight on the account. `factor` is what the lane of less risk leaves of it, None where no
    decision is about that weight; `version` is the account's own, or the house's."""

    strategy: Strategy
    weight: float | None
    factor: float | None
    version: ParameterVersion | None
    own: bool
    path: Path | None
    pins: dict[str, Pin]

    @property
    def since(self) -> date | None:
        """The session the version was made for, else the day it was made."""
        if self.version is None:
            return None
        return self.version.session or self.version.created_at.date()


def in_force(account: Account) -> list[InForce]:
    """Every strategy that is enabled, or has a version of its own, a challenger or a pin on the account; in the library's order."""
    pointers = {row.strategy_id: row.active_version for row in _pointers(account)}
    pins: dict[int, dict[str, Pin]] = defaultdict(dict)
    for pin in Pin.objects.filter(account=account).select_related("pinned_by"):
        pins[pin.strategy_id][pin.what] = pin
    live = set(Challenger.objects.filter(account=account, status__in=Challenger.LIVE).values_list("strategy", flat=True))
    rows = Strategy.objects.filter(key__in=REGISTRY).select_related("active_version").order_by("pk")
    shown = [row for row in rows if row.enabled or row.pk in pointers or row.pk in pins or row.pk in live]
    standing, paths = standings(account, shown), _weight_paths(account)
    factors = _factors(account, standing)
    return [
        InForce(
            strategy=row,
            weight=standing[row.pk].weight if row.pk in standing else None,
            factor=factors.get(row.pk),
            version=pointers.get(row.pk) or row.active_version,
            own=row.pk in pointers,
            path=paths.get(row.pk),
            pins=pins[row.pk],
        )
        for row in shown
    ]


def _pointers(account: Account):
    return AccountStrategy.objects.filter(account=account).select_related("active_version")


def _factors(account: Account, standing: dict[int, Standing]) -> dict[int, float]:
    """By strategy id, the share of the weight that the lane of less risk leaves, where the last decision's weight is in force."""
    found = {}
    for row in Adaptation.objects.filter(pk__in=newest_moves(Adaptation.objects.filter(account=account)).values()):
        factor = row.evidence.get("factor_after", row.evidence.get("factor"))
        if factor is not None and row.strategy_id in standing and ratio(standing[row.strategy_id].weight) == row.weight_after:
            found[row.strategy_id] = factor
    return found


def _weight_paths(account: Account) -> dict[int, Path]:
    """By strategy id, the weights that were decided over the last two years of decisions."""
    last = Adaptation.objects.filter(account=account, lane__in=WEIGHT_LANES).aggregate(last=Max("session"))["last"]
    if last is None:
        return {}
    where = "account_id = %s AND lane IN (%s, %s) AND session >= %s ORDER BY session, id"
    names = ("strategy_id", "session", "weight_before", "weight_after")
    decided = defaultdict(list)
    for pk, session, before, after in rows_read(Adaptation, names, where, account.pk, *WEIGHT_LANES, last - timedelta(days=PATH_DAYS)):
        decided[pk].append((session, float(before), float(after)))
    return {pk: weight_path(rows) for pk, rows in decided.items()}


# --- challengers


@dataclass(frozen=True)
class Contender:
    """A challenger with its evidence: `share` of the way to the threshold on a log scale, its path, and what let it in.

    In shadow the evidence speaks for the change, on probation against it.
    """

    challenger: Challenger
    share: float
    path: Path | None
    gate: tuple[GateNumber, ...]

    @property
    def on_probation(self) -> bool:
        return self.challenger.status == Challenger.Status.PROBATION


def contenders(account: Account) -> list[Contender]:
    """The challengers that are live, in shadow or on probation; the path is that of the sessions since it is what it is now."""
    rows = list(_challengers(account).filter(status__in=Challenger.LIVE).order_by("strategy", "pk"))
    days = defaultdict(list)
    found = ShadowDay.objects.filter(challenger__in=rows).order_by("session")
    for pk, session, evidence in found.values_list("challenger", "session", "evidence"):
        days[pk].append((session, evidence))
    return [_contender(row, days[row.pk]) for row in rows]


def _contender(row: Challenger, days: list[tuple[date, float]]) -> Contender:
    shown = [(session, evidence) for session, evidence in days if row.promoted is None or session > row.promoted]
    return Contender(row, log_share(row.evidence, row.threshold), evidence_path(shown, row.threshold), gate_numbers(row.gate))


def contenders_over(account: Account) -> list[Challenger]:
    """The last ones that are over."""
    return list(_challengers(account).exclude(status__in=Challenger.LIVE).order_by(F("ended").desc(nulls_last=True), "-pk")[:ENDED])


def _challengers(account: Account):
    return Challenger.objects.filter(account=account).select_related("strategy", "decided_by", "version", "previous_version")


# --- decisions, and what was tried


def decisions(account: Account, *, lane: str = "", strategy: str = ""):
    """Decisions of the optimiser, the newest first: those of a `lane`, of `EVERYTHING`, or (empty) without the weights that were
    kept as they are."""
    rows = Adaptation.objects.filter(account=account).select_related("strategy__active_version", "version", "account")
    if not lane:
        rows = rows.filter(Q(version__isnull=False) | Q(lane=Adaptation.Lane.PARAMETERS))
    wanted = {"lane": "" if lane == EVERYTHING else lane, "strategy__key": strategy}
    return rows.filter(**{name: value for name, value in wanted.items() if value}).order_by("-session", "strategy", "lane")


def decided_strategies(account: Account) -> list[Strategy]:
    """The strategies that any decision is about."""
    about = Adaptation.objects.filter(account=account).order_by().values("strategy").distinct()
    return list(Strategy.objects.filter(pk__in=about).order_by("pk"))


def trials_summary(account: Account) -> list[dict]:
    """How many parameter sets were ever tried, by strategy: evaluations, different sets, and from when to when."""
    rows = Trial.objects.filter(account=account).order_by().values("strategy", "strategy__key", "strategy__name")
    counted = rows.annotate(evaluated=Count("pk"), sets=Count("params_hash", distinct=True), first=Min("session"), last=Max("session"))
    return list(counted.order_by("strategy"))


def holdouts_used(account: Account) -> list[HoldoutUse]:
    """The last stretches of sessions that were looked at, and are spent."""
    return list(HoldoutUse.objects.filter(account=account).select_related("strategy").order_by("-session", "strategy")[:HOLDOUTS])
