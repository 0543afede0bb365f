"""Reads behind the list pages: strategies with their versions, loop runs, orders, fills and the journal."""

from dataclasses import dataclass

from django.db.models import Count, Max, Prefetch, Q, Sum

from analytics.pages.dashboard import latest_performance
from quant_site.core.errors import NotFound
from quant_site.core.models import Account, LoopRun, LoopStage
from signals_app.models import TradingSignal
from strategies.labels import unit_label
from strategies.models import AccountStrategy, ParameterVersion, Strategy, StrategyRun
from strategies.registry import REGISTRY
from strategies.schema import parameter_rows
from trading.models import Fill, Order, OrderEvent, TradeJournal
from trading.selectors import orders_in

LATEST = 15


@dataclass(frozen=True)
class Parameter:
    """One parameter of a strategy as the page shows it. `value` is what holds on the account."""

    name: str
    description: str
    unit: str
    bounds: str
    default: object
    value: object

    @property
    def changed(self) -> bool:
        return self.value != self.default


def strategies_list(account: Account | None) -> list[Strategy]:
    """All strategies in the library's order, each with its latest judgement on `account` and its last run there."""
    rows = list(Strategy.objects.order_by("id").select_related("active_version"))
    judged = {row.strategy_id: row for row in latest_performance(account)} if account else {}
    runs = StrategyRun.objects.filter(account=account).order_by()
    ran = {row["strategy"]: row["last"] for row in runs.values("strategy").annotate(last=Max("session"))} if account else {}
    for row in rows:
        row.performance, row.last_run = judged.get(row.pk), ran.get(row.pk)
    return rows


def strategy_get(key: str) -> Strategy:
    """Raises `NotFound` for an unknown key."""
    strategy = Strategy.objects.select_related("active_version").filter(key=key).first()
    if strategy is None:
        raise NotFound("strategy_not_found", f"There is no strategy {key!r}.")
    return strategy


def strategy_detail(strategy: Strategy, account: Account | None) -> dict:
    """Parameters, versions of the house and of this account, and what the strategy did on this account last."""
    pointer = (
        AccountStrategy.objects.filter(strategy=strategy, account=account).select_related("active_version").first() if account else None
    )
    own = account.pk if account else ""
    versions = ParameterVersion.objects.filter(Q(strategy=strategy), Q(scope="") | Q(scope=own)).select_related("created_by", "account")
    active = {version.pk for version in (strategy.active_version, pointer and pointer.active_version) if version}
    return {
        "parameters": parameters(strategy, pointer.active_version if pointer else None),
        "versions": list(versions.order_by("-scope", "-number")[:LATEST]),
        "active": active,
        "runs": list(StrategyRun.objects.filter(strategy=strategy, account=account)[:LATEST]) if account else [],
        "signals": list(TradingSignal.objects.filter(strategy=strategy, account=account)[:LATEST]) if account else [],
        "performance": next((row for row in latest_performance(account) if row.strategy_id == strategy.pk), None) if account else None,
    }


def parameters(strategy: Strategy, account_version: ParameterVersion | None) -> list[Parameter]:
    """Defaults, overridden by the house's active version, overridden by the account's."""
    values = dict(strategy.default_params)
    for version in (strategy.active_version, account_version):
        values |= version.params if version else {}
    implementation = REGISTRY.get(strategy.key)
    rows = parameter_rows(implementation) if implementation else []
    return [Parameter(row.name, row.description, unit_label(row.unit), row.bounds, row.default, values[row.name]) for row in rows]


def loop_runs(account: Account):
    """Runs of the account, newest first, with their stages and the time they took."""
    stages = Prefetch("stages", LoopStage.objects.order_by("position"))
    return (
        LoopRun.objects.filter(account=account)
        .annotate(wall_ms=Sum("stages__wall_ms"))
        .order_by("-session", "-id")
        .prefetch_related(stages)
    )


def loop_run_detail(run: LoopRun) -> dict:
    """One run: its stages, and the rows of its session."""
    of_session = {"account_id": run.account_id, "session": run.session}
    neighbours = LoopRun.objects.filter(account_id=run.account_id)
    return {
        "stages": list(run.stages.all()),
        "strategy_runs": list(StrategyRun.objects.filter(**of_session).select_related("strategy").order_by("strategy")),
        "signals": list(TradingSignal.objects.filter(**of_session).select_related("strategy").order_by("id")),
        "fills": list(
            Fill.objects.filter(**of_session).select_related("order__signal__strategy", "order__position__strategy").order_by("id")
        ),
        "earlier": neighbours.filter(session__lt=run.session).order_by("-session").first(),
        "later": neighbours.filter(session__gt=run.session).order_by("session").first(),
    }


def orders(account: Account, *, symbol: str = "", status: str = ""):
    """Orders with their events, newest first."""
    rows = Order.objects.filter(account=account).select_related("signal__strategy", "position__strategy")
    rows = rows.prefetch_related(Prefetch("events", OrderEvent.objects.order_by("sequence"))).order_by("-session", "-id")
    return _of(rows.filter(orders_in(symbol)) if symbol else rows, "", status=status)


def fills(account: Account, *, symbol: str = ""):
    rows = Fill.objects.filter(account=account).select_related("order__signal__strategy", "order__position__strategy")
    return _of(rows.order_by("-session", "-id"), symbol)


def journal(account: Account, *, symbol: str = ""):
    return _of(TradeJournal.objects.filter(account=account).select_related("strategy", "position").order_by("-exit_date", "-id"), symbol)


def _of(rows, symbol: str, **equal):
    if symbol:
        rows = rows.filter(symbol__iexact=symbol)
    return rows.filter(**{name: value for name, value in equal.items() if value})


def signals(account: Account, *, symbol: str = "", status: str = ""):
    rows = TradingSignal.objects.filter(account=account).select_related("strategy").order_by("-session", "-id")
    if symbol:
        rows = rows.filter(symbol__icontains=symbol)
    return rows.filter(signal_status=status) if status else rows


def trade_counts(account: Account) -> dict:
    """How many rows each tab of the trades page holds."""
    tables = {"orders": Order, "fills": Fill, "journal": TradeJournal, "signals": TradingSignal}
    return {name: table.objects.filter(account=account).aggregate(count=Count("pk"))["count"] for name, table in tables.items()}
