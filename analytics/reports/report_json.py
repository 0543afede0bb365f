"""The tear sheet as JSON-ready data: money as text in cents, shares and ratios as numbers, what is undefined null."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from analytics.models import Adaptation, Finding
from analytics.reports.tearsheet import Outcomes, TearSheet
from analytics.reports.tearsheet_changes import Adapted
from analytics.reports.tearsheet_figures import ClosedTrade, Curves
from analytics.reports.tearsheet_reads import Attributed
from analytics.services import plain
from strategies.models import Strategy

CHALLENGER = ("status", "change", "started", "sessions", "evidence", "threshold", "promoted", "ended", "reason")


def sheet_json(sheet: TearSheet) -> dict:
    """What `api_report.ReportSerializer` describes."""
    keys = dict(Strategy.objects.values_list("id", "key"))
    return {
        "account": sheet.account.pk,
        "strategy": sheet.strategy and sheet.strategy.key,
        "first_session": sheet.first,
        "last_session": sheet.last,
        "benchmark_symbol": sheet.benchmark_symbol,
        "pnl": str(sheet.pnl),
        "gaps": sheet.gaps,
        "curves": _curves(sheet.curves),
        "years": [{"year": row.year, "months": [month.change for month in row.months], "total": row.change} for row in sheet.years],
        "metrics": {name: metric.as_dict() for name, metric in sheet.metrics.items()},
        "benchmark_metrics": {name: metric.as_dict() for name, metric in sheet.benchmark_metrics.items()},
        "outcomes": _outcomes(sheet.outcomes, keys),
        "contributions": _texts(sheet.contributions),
        "attribution": sheet.attribution and _attribution(sheet.attribution),
        "findings": [_finding(row) for row in sheet.findings],
        "adaptation": _adapted(sheet.adapted, keys),
    }


def _attribution(found: Attributed) -> dict:
    return {
        "first_session": found.first,
        "last_session": found.last,
        "sessions": found.sessions,
        "total": str(found.total),
        "dimensions": {name: _texts(amounts.items()) for name, amounts in found.dimensions.items()},
    }


def _texts(amounts: Iterable[tuple[str, Decimal]]) -> dict[str, str]:
    return {key: str(amount) for key, amount in amounts}


def _curves(curves: Curves) -> dict:
    names = ("sessions", "growth", "benchmark", "drawdown", "rolling_sharpe")
    return {name: getattr(curves, name) for name in names} | {"cumulative_pnl": [str(amount) for amount in curves.pnl]}


def _outcomes(outcomes: Outcomes, keys: dict[int, str]) -> dict:
    return {
        "trades": outcomes.trades,
        "results": outcomes.results and outcomes.results._asdict(),
        "with_risk": outcomes.with_risk,
        "r_multiples": outcomes.multiples and outcomes.multiples._asdict(),
        "best": [_trade(trade, keys) for trade in outcomes.best],
        "worst": [_trade(trade, keys) for trade in outcomes.worst],
        "exits": [{"reason": row.reason, "trades": row.trades, "won": row.won, "pnl": str(row.pnl)} for row in outcomes.exits],
        "symbols": {symbol: str(pnl) for symbol, _trades, pnl in outcomes.symbols},
    }


def _trade(trade: ClosedTrade, keys: dict[int, str]) -> dict:
    return {
        "symbol": trade.symbol,
        "strategy": keys.get(trade.strategy_id),
        "opened": trade.opened,
        "closed": trade.closed,
        "sessions": trade.sessions,
        "result": str(trade.result),
        "r_multiple": None if trade.multiple is None else plain(trade.multiple),
        "exit_reason": trade.reason,
    }


def _finding(row: Finding) -> dict:
    names = ("session", "scope", "code", "message", "suggestion", "weeks")
    return {name: getattr(row, name) for name in names} | {"effect": None if row.effect is None else float(row.effect)}


def _adapted(adapted: Adapted, keys: dict[int, str]) -> dict:
    return {
        "decisions": adapted.decisions,
        "changed": adapted.changed,
        "weights": [
            {"strategy": keys[path.strategy_id], "decisions": path.decisions, "points": [_point(*point) for point in path.points]}
            for path in adapted.paths
        ],
        "changes": [_change(row) for row in adapted.changes],
        "challengers": [{"strategy": row.strategy.key} | {name: getattr(row, name) for name in CHALLENGER} for row in adapted.challengers],
    }


def _point(session: date, weight: Decimal) -> dict:
    return {"session": session, "weight": plain(weight)}


def _change(row: Adaptation) -> dict:
    return {
        "session": row.session,
        "strategy": row.strategy.key,
        "lane": row.lane,
        "weight_before": plain(row.weight_before),
        "weight_after": plain(row.weight_after),
        "version": row.version and row.version.number,
        "change": row.version.diff if row.version else {},
        "reason": row.reason,
        "evidence": row.evidence,
    }
