"""What the dashboard shows of one account: one section per card, each read on its own.

`section(name, account)` never raises: a section that fails carries its own message and the others stay.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from django.db.models import Count, Max, Min, Sum
from django.utils.translation import gettext as _

from analytics.models import Adaptation, DailyPerformance, ExtremeSignal, Finding
from analytics.reports.figures import compounded, growth_of_100, returns_by_month
from quant_site.core.errors import QuantError
from quant_site.core.models import Account, LoopRun, OutboxEvent
from quant_site.market.models import Instrument
from signals_app.models import TradingSignal
from strategies.models import Strategy
from trading.models import EquitySnapshot, Order, Position

logger = logging.getLogger(__name__)

LATEST = 12
FEED = 40
RECENT, FINDINGS, EXTREMES = 60, 6, 3
WHOLE_ACCOUNT = "ALL"


@dataclass(frozen=True)
class Section:
    """A card's content, or the message that stands in its place."""

    name: str
    data: dict = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True)
class Figure:
    """One key figure. `kind` names the format; `reason` says why `value` is None; `note` is (text, kind, value) lines."""

    label: str
    kind: str
    value: object
    reason: str = ""
    notes: tuple[tuple[str, str, object], ...] = ()


def section(name: str, account: Account) -> Section:
    """The section `name`, or one that carries the message of what went wrong. Raises `KeyError` for an unknown name."""
    read = SECTIONS[name]
    try:
        return Section(name, read(account))
    except Exception as error:  # noqa: BLE001 - one broken card must not take the page with it
        return failed_section(name, account, error)


def failed_section(name: str, account: Account, error: Exception) -> Section:
    logger.exception("The section %s of account %s could not be shown.", name, account.pk)
    reason = error.message if isinstance(error, QuantError) else type(error).__name__
    return Section(name, error=_("This section could not be read (%(reason)s). The others are not affected.") % {"reason": reason})


def read_status(account: Account) -> dict:
    """Mode, trading state, how old the data is and where it came from."""
    run = LoopRun.objects.filter(account=account).first()
    return {
        "run": run,
        "snapshot": EquitySnapshot.objects.filter(account=account).first(),
        "sources": list(
            Instrument.objects.values("source", "synthetic")
            .annotate(symbols=Count("symbol"), first=Min("first_session"), last=Max("last_session"))
            .order_by("source")
        ),
    }


def read_kpis(account: Account) -> dict:
    """The key figures at the latest snapshot; an undefined one says why."""
    snapshots = EquitySnapshot.objects.filter(account=account)
    latest = snapshots.first()
    if latest is None:
        return {"figures": []}
    performance = DailyPerformance.objects.filter(account=account, scope=WHOLE_ACCOUNT).first()
    benchmark = compounded(snapshots.order_by("snapshot_date").values_list("benchmark_return", flat=True))
    return {"latest": latest, "figures": [*_equity_figures(account, latest, benchmark), *_trade_figures(latest, performance)]}


def _equity_figures(account: Account, latest: EquitySnapshot, benchmark: float | None) -> list[Figure]:
    previous = EquitySnapshot.objects.filter(account=account, snapshot_date__lt=latest.snapshot_date).first()
    deposits = EquitySnapshot.objects.filter(account=account).aggregate(total=Sum("net_flow"))["total"] or Decimal(0)
    today = latest.total_equity - latest.net_flow - (previous.total_equity if previous else Decimal(0))
    total, excess = latest.cumulative_return, None
    if total is not None and benchmark is not None:
        excess = float(total) - benchmark
    return [
        Figure(_("Equity"), "money", latest.total_equity, notes=((_("Total P&L"), "gain", latest.total_equity - _cents(deposits)),)),
        Figure(_("P&L of the day"), "gain", _cents(today), notes=((_("Return"), "change", latest.daily_return),)),
        Figure(
            _("Return since the start"),
            "change",
            total,
            "NO_DATA",
            ((latest.benchmark_symbol or _("Benchmark"), "change", benchmark), (_("Excess"), "change", excess)),
        ),
        Figure(_("Drawdown"), "depth", latest.drawdown_pct, "NO_DATA", ((_("Deepest"), "depth", latest.max_drawdown_pct),)),
        Figure(
            _("Exposure"),
            "percent",
            latest.gross_exposure / latest.total_equity if latest.total_equity else None,
            "NO_EQUITY",
            ((_("Cash"), "money", latest.cash), (_("Open positions"), "shares", latest.open_positions)),
        ),
    ]


def _trade_figures(latest: EquitySnapshot, row: DailyPerformance | None) -> list[Figure]:
    if row is None:
        return [Figure(label, "ratio", None, "NOT_EVALUATED") for label in (_("Sharpe ratio"), _("Win rate"), _("Profit factor"))]
    why = row.undefined or {}
    interval = ((_("95 per cent interval"), "interval", (row.win_rate_low, row.win_rate_high)),) if row.win_rate is not None else ()
    return [
        Figure(_("Sharpe ratio"), "ratio", row.sharpe_ratio, why.get("sharpe_ratio", ""), ((_("Realised"), "gain", latest.realized_pnl),)),
        Figure(
            _("Win rate"),
            "percent",
            row.win_rate,
            why.get("win_rate", ""),
            (*interval, (_("Closed trades"), "shares", row.closed_trades)),
        ),
        Figure(
            _("Profit factor"),
            "ratio",
            row.profit_factor,
            why.get("profit_factor", ""),
            ((_("Sessions held"), "ratio1", row.average_holding),),
        ),
    ]


def _cents(amount) -> Decimal:
    """A sum that came from the database, back in cents."""
    return Decimal(str(amount)).quantize(Decimal("0.01"))


def read_equity(account: Account) -> dict:
    """The curve for the chart: growth of 100 of account and benchmark, and the drawdown in per cent, by session."""
    rows = list(
        EquitySnapshot.objects.filter(account=account)
        .order_by("snapshot_date")
        .values_list("snapshot_date", "daily_return", "benchmark_return", "drawdown_pct", "total_equity", "benchmark_symbol")
    )
    return {
        "sessions": [row[0].isoformat() for row in rows],
        "account": growth_of_100(row[1] for row in rows),
        "benchmark": growth_of_100(row[2] for row in rows),
        "drawdown": [None if row[3] is None else round(100 * float(row[3]), 4) for row in rows],
        "equity": [float(row[4]) for row in rows],
        "benchmark_symbol": rows[-1][5] if rows else "",
        "name": account.pk,
    }


def read_months(account: Account) -> dict:
    rows = EquitySnapshot.objects.filter(account=account).order_by("snapshot_date").values_list("snapshot_date", "daily_return")
    sessions, returns = [row[0] for row in rows], [row[1] for row in rows]
    return {"years": returns_by_month(sessions, returns)}


def read_positions(account: Account) -> dict:
    """Open positions, largest first, with totals and the distance to the stop."""
    rows = list(
        Position.objects.filter(account=account, exit_session__isnull=True)
        .exclude(quantity=0)
        .select_related("strategy")
        .order_by("symbol", "id")
    )
    rows.sort(key=lambda row: -abs(row.market_value))
    for row in rows:
        row.open_return = row.unrealized_pnl / abs(row.cost) if row.cost else None
        row.to_stop = row.stop_price / row.mark_price - 1 if row.stop_price and row.mark_price else None
    return {
        "positions": rows,
        "market_value": sum((row.market_value for row in rows), Decimal(0)),
        "gross": sum((abs(row.market_value) for row in rows), Decimal(0)),
        "unrealized": sum((row.unrealized_pnl for row in rows), Decimal(0)),
    }


def read_signals(account: Account) -> dict:
    """The latest signals with reasons, and how the signals of the latest session fared."""
    rows = list(TradingSignal.objects.filter(account=account).select_related("strategy")[:LATEST])
    counts = TradingSignal.objects.filter(account=account).order_by().values("signal_status").annotate(count=Count("id"))
    return {"signals": rows, "counts": {row["signal_status"]: row["count"] for row in counts}}


def read_orders(account: Account) -> dict:
    rows = (
        Order.objects.filter(account=account).select_related("signal__strategy", "position__strategy").order_by("-session", "-id")[:LATEST]
    )
    return {"orders": list(rows)}


def read_loop(account: Account) -> dict:
    """The latest run, stage by stage, and how runs ended so far."""
    run = LoopRun.objects.filter(account=account).first()
    counts = LoopRun.objects.filter(account=account).order_by().values("status").annotate(count=Count("id"))
    return {
        "run": run,
        "stages": list(run.stages.all()) if run else [],
        "counts": {row["status"]: row["count"] for row in counts},
    }


def read_strategies(account: Account) -> dict:
    """Each strategy with what it made on this account."""
    latest = {row.scope: row for row in latest_performance(account)}
    rows = []
    for strategy in Strategy.objects.order_by("-enabled", "id"):
        strategy.performance = latest.get(strategy.key)
        rows.append(strategy)
    return {"strategies": [row for row in rows if row.enabled or row.performance], "disabled": sum(not row.enabled for row in rows)}


def latest_performance(account: Account) -> list[DailyPerformance]:
    """The newest judgement of each strategy: a strategy without activity has no row of today."""
    newest = DailyPerformance.objects.filter(account=account).order_by().values("scope").annotate(last=Max("session"))
    wanted: dict[date, set[str]] = {}
    for row in newest:
        wanted.setdefault(row["last"], set()).add(row["scope"])
    rows = DailyPerformance.objects.filter(account=account, session__in=wanted).select_related("strategy")
    return [row for row in rows if row.scope in wanted[row.session]]


def read_findings(account: Account) -> dict:
    """The newest finding of each kind and scope, the last change of each weight, and the extremes."""
    newest = {}
    for row in Finding.objects.filter(account=account).select_related("strategy")[:RECENT]:
        newest.setdefault((row.code, row.scope), row)
    adaptations = {}
    for row in Adaptation.objects.filter(account=account).select_related("strategy", "version")[:RECENT]:
        adaptations.setdefault(row.strategy_id, row)
    return {"findings": list(newest.values())[:FINDINGS], "adaptations": list(adaptations.values()), "extremes": _extremes(account)}


def _extremes(account: Account) -> list[ExtremeSignal]:
    """The three best and the three worst signals of the latest judgement."""
    rows = ExtremeSignal.objects.filter(account=account).select_related("signal__strategy")
    last = rows.aggregate(last=Max("session"))["last"]
    best = rows.filter(session=last, kind=ExtremeSignal.Kind.BEST).order_by("-realized_pnl")[:EXTREMES]
    worst = rows.filter(session=last, kind=ExtremeSignal.Kind.WORST).order_by("realized_pnl")[:EXTREMES]
    return [*best, *worst]


def read_feed(account: Account) -> dict:
    """The last events in the form the socket pushes them, oldest first."""
    events = OutboxEvent.objects.filter(account_id__in=["", account.pk]).order_by("-id")[:FEED]
    rows = [
        {"id": event.pk, "type": event.type, "at": event.at.isoformat(), "account": event.account_id, "payload": event.payload}
        for event in reversed(events)
    ]
    newest = OutboxEvent.objects.order_by("-id").values_list("id", flat=True).first()
    return {"events": rows, "last": newest or 0}


SECTIONS: dict[str, Callable[[Account], dict]] = {
    "status": read_status,
    "kpis": read_kpis,
    "equity": read_equity,
    "months": read_months,
    "positions": read_positions,
    "signals": read_signals,
    "orders": read_orders,
    "loop": read_loop,
    "strategies": read_strategies,
    "findings": read_findings,
    "feed": read_feed,
}
