"""Reads of the strategy library."""

from collections.abc import Collection, Sequence
from difflib import get_close_matches

from django.db.models import Count, Max, Sum

from quant_site.core.errors import InvalidInput, NotFound
from quant_site.core.rows import DATABASE, rows_read
from strategies.models import ParameterVersion, Strategy, StrategyRun, SweepResult, SweepRun

SWEEP_METRICS = ("sharpe_ratio", "total_return", "max_drawdown", "win_rate", "profit_factor", "trades", "exposure")
DUE = ("id", "key", "name", "enabled", "disabled_reason", "active_version_id")


def strategies_list(*, category: str | None = None) -> list[Strategy]:
    """Every strategy, or those of one category, in the order of the library; raises `InvalidInput` for no such category."""
    rows = Strategy.objects.select_related("active_version").order_by("pk")
    if category is None:
        return list(rows)
    if category not in Strategy.Category.values:
        known = ", ".join(Strategy.Category.values)
        raise InvalidInput("unknown_category", f"There is no category {category!r}: choose one of {known}.", category=category)
    return list(rows.filter(category=category))


def strategies_due(*, keys: Collection[str], holding: Collection[int]) -> list[Strategy]:
    """Strategies of these keys that are switched on, or are in `holding` (ids), in the order of the library.

    The loop reads them every session, so what a run has no use for is left out, of versions all but the overrides.
    """
    stored = rows_read(Strategy, DUE, "1 = 1 ORDER BY id")
    due = [values for values in stored if values[1] in keys and (values[3] or values[0] in holding)]
    versions = dict(rows_read(ParameterVersion, ("id", "params"), "id IN (SELECT active_version_id FROM strategies)"))
    rows = [Strategy.from_db(DATABASE, DUE, values) for values in due]
    for row in rows:
        pk = row.active_version_id
        row.active_version = ParameterVersion.from_db(DATABASE, ("id", "params"), (pk, versions[pk])) if pk else None
    return rows


def strategy_get(*, strategy_id: int) -> Strategy:
    """One strategy by id; raises `NotFound`."""
    row = Strategy.objects.select_related("active_version").filter(pk=strategy_id).first()
    if row is None:
        raise NotFound("strategy_not_found", f"There is no strategy {strategy_id}.", strategy=strategy_id)
    return row


def strategy_by_key(*, key: str) -> Strategy:
    """One strategy by key; raises `NotFound` with the nearest key."""
    row = Strategy.objects.select_related("active_version").filter(key=key).first()
    if row is None:
        known = list(Strategy.objects.order_by("pk").values_list("key", flat=True))
        near = get_close_matches(key, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known) or 'none: seed the library first'}."
        raise NotFound("strategy_not_found", f"There is no strategy {key!r}: {hint}", strategy=key)
    return row


def versions_list(*, strategy: Strategy, account=None) -> list[ParameterVersion]:
    """The versions of the house (account None) or of one account, the newest first."""
    return list(strategy.versions.filter(scope=scope_of(account)).select_related("created_by").order_by("-number"))


def scope_of(account) -> str:
    return getattr(account, "pk", account) or ""


def run_totals(*, strategy: Strategy, accounts: Sequence | None = None) -> dict:
    """How often `strategy` ran, how it ended, and what it proposed; over `accounts`, or all."""
    runs = StrategyRun.objects.filter(strategy=strategy)
    if accounts is not None:
        runs = runs.filter(account__in=accounts)
    counts = dict(runs.order_by("status").values_list("status").annotate(n=Count("pk")))
    totals = runs.aggregate(drafts=Sum("signal_count"), last=Max("session"))
    return {"runs": counts, "drafts": totals["drafts"] or 0, "last_session": totals["last"]}


# --- sweeps


def sweep_get(*, sweep_id: int) -> SweepRun:
    """One sweep by id; raises `NotFound`."""
    run = SweepRun.objects.select_related("strategy").filter(pk=sweep_id).first()
    if run is None:
        raise NotFound("sweep_not_found", f"There is no sweep {sweep_id}.", sweep=sweep_id)
    return run


def sweep_best(*, run: SweepRun, by: str = "sharpe_ratio", count: int = 10, least_trades: int = 1) -> list[SweepResult]:
    """The sets with the highest `by` among those with so many closed trades, best first; undefined ones are left out.

    Raises `InvalidInput` for no such metric.
    """
    if by not in SWEEP_METRICS:
        raise InvalidInput("unknown_metric", f"There is no metric {by!r}: choose one of {', '.join(SWEEP_METRICS)}.", metric=by)
    rows = run.results.filter(trades__gte=least_trades).exclude(**{by: None})
    return list(rows.order_by(f"-{by}", "number")[:count])


def sweep_neighbours(*, result: SweepResult) -> list[SweepResult]:
    """The sets one step of one parameter away from `result` in its grid, as far as they have results, by number.

    What is best by luck stands alone among them; what is robust has neighbours like itself.
    """
    numbers, stride = [], 1
    for values in reversed(result.run.axes.values()):
        at = result.number // stride % len(values)
        numbers += [result.number + step * stride for step in (-1, 1) if 0 <= at + step < len(values)]
        stride *= len(values)
    return list(SweepResult.objects.filter(run_id=result.run_id, number__in=numbers).order_by("number"))
