"""A digest of everything the loop wrote for an account, the same wherever the same happened.

Rows are written out with the words that identify them for a person (session, strategy, symbol, …) instead of ids,
sorted, and hashed. Left out: ids, the account's name, our and the broker's order ids (they contain it), wall times,
and the order events, which tell of crashes and resumptions that change nothing.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from itertools import chain

from django.db.models import QuerySet

from analytics.models import (
    Adaptation,
    Attribution,
    BehaviourScore,
    Challenger,
    DailyPerformance,
    ExtremeSignal,
    Finding,
    HoldoutUse,
    MissedOutcome,
    ShadowDay,
    Trial,
)
from quant_site.core.models import Account, LoopStage
from signals_app.models import SignalOutcome, TradingSignal
from strategies.models import ParameterVersion, StrategyRun
from trading.models import CashEntry, EquitySnapshot, Fill, HedgeRecord, Order, Position, TradeJournal

Rows = Callable[..., QuerySet]
Tables = Iterator[tuple[str, QuerySet]]
SIGNAL = ("session", "strategy__key", "symbol", "direction")


def account_digest(account: Account) -> str:
    """SHA-256 over the account's rows, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for name, rows in _tables(account):
        for line in sorted(_line(name, row) for row in rows.iterator(chunk_size=5000)):
            digest.update(line.encode())
    return digest.hexdigest()


def _tables(account: Account) -> Tables:
    def rows(model, *fields, **where):
        return model.objects.filter(**(where or {"account": account})).values_list(*fields)

    return chain.from_iterable(part(account, rows) for part in (_decided, _traded, _judged, _adapted, _explained))


def _decided(account: Account, rows: Rows) -> Tables:
    yield "stage", rows(LoopStage, "run__session", "position", "name", "status", run__account=account)
    yield "run", rows(StrategyRun, "session", "strategy__key", "status", "params", "output", "abstain_reason")
    yield (
        "signal",
        rows(
            TradingSignal, *SIGNAL, "legs", "reason", "score", "signal_strength", "weight", "risk_score", "entry_price", "stop_loss",
            "take_profit", "position_size", "signal_metadata", "signal_status", "validation_errors", "executed_at",
        ),
    )  # fmt: skip
    yield (
        "outcome",
        rows(
            SignalOutcome, *(f"signal__{name}" for name in SIGNAL), "closed_session", "holding_sessions", "realized_pnl", "return_pct",
            "r_multiple", signal__account=account,
        ),
    )  # fmt: skip


def _traded(account: Account, rows: Rows) -> Tables:
    yield (
        "order",
        rows(
            Order, *(f"signal__{name}" for name in SIGNAL), "session", "leg", "purpose", "mode", "symbol", "group", "side",
            "order_type", "time_in_force", "quantity", "legs", "limit_price", "stop_price", "decision_price", "status", "status_reason",
            "filled_quantity", "average_fill_price", "commission",
        ),
    )  # fmt: skip
    yield (
        "fill",
        rows(
            Fill, "session", "symbol", "side", "quantity", "price", "amount", "commission", "slippage", "filled_at", "order__purpose",
            "order__session",
        ),
    )  # fmt: skip
    yield (
        "position",
        rows(
            Position, "strategy__key", "group", "symbol", "direction", "quantity", "cost", "realized_pnl", "dividends", "commission",
            "units", "entry_session", "entry_price", "peak_quantity", "entry_cost", "initial_stop", "stop_price", "target_price",
            "mark_price", "market_value", "unrealized_pnl", "best_pnl", "worst_pnl", "exit_session", "exit_price", "exit_reason",
            "adjustments",
        ),
    )  # fmt: skip
    yield "cash", rows(CashEntry, "session", "kind", "amount", "symbol")
    yield (
        "equity",
        rows(
            EquitySnapshot, "snapshot_date", "total_equity", "cash", "market_value", "gross_exposure", "realized_pnl", "unrealized_pnl",
            "net_flow", "daily_return", "cumulative_return", "drawdown_pct", "max_drawdown_pct", "benchmark_return", "open_positions",
        ),
    )  # fmt: skip
    yield (
        "journal",
        rows(
            TradeJournal, "strategy__key", "symbol", "direction", "entry_date", "exit_date", "entry_price", "exit_price", "quantity",
            "realized_pnl",
        ),
    )  # fmt: skip


def _judged(account: Account, rows: Rows) -> Tables:
    yield (
        "performance",
        rows(
            DailyPerformance, "scope", "session", "pnl", "cumulative_pnl", "daily_return", "closed_trades", "win_rate", "profit_factor",
            "average_holding", "sharpe_ratio", "max_drawdown_pct", "exposure", "signals", "rejected", "undefined",
        ),
    )  # fmt: skip
    yield (
        "hedge",
        rows(
            HedgeRecord, "session", "policy__kind", "policy__symbol", "exposure", "wanted", "band", "quantity", "hedge_pnl", "hedge_cost",
            "account_pnl", "variance_removed", "detail", policy__account=account,
        ),
    )  # fmt: skip
    yield "extreme", rows(ExtremeSignal, *(f"signal__{name}" for name in SIGNAL), "kind", "realized_pnl", "r_multiple")
    yield "finding", rows(Finding, "scope", "session", "code", "message", "evidence", "effect", "effect_low", "effect_high", "suggestion")


def _adapted(account: Account, rows: Rows) -> Tables:
    yield "version", rows(ParameterVersion, "strategy__key", "number", "params", "diff", "source", "reason", "evidence", "session")
    yield "adaptation", rows(Adaptation, "strategy__key", "session", "lane", "weight_before", "weight_after", "evidence", "reason")
    # Which code made a trial is no part of what happened.
    yield "trial", rows(Trial, "strategy__key", "session", "params", "role", "first_session", "last_session", "n", "sharpe")
    yield "holdout", rows(HoldoutUse, "strategy__key", "session", "first_session", "last_session", "passed", "evidence")
    yield (
        "challenger",
        rows(Challenger, "strategy__key", "status", "change", "gate", "started", "sessions", "evidence", "threshold", "promoted", "ended"),
    )
    shadow = ("challenger__strategy__key", "challenger__started", "session", "champion_return", "challenger_return", "evidence")
    yield "shadow", rows(ShadowDay, *shadow, challenger__account=account)


def _explained(account: Account, rows: Rows) -> Tables:
    yield "attribution", rows(Attribution, "session", "total", "buckets")
    missed = ("session", "entry_session", "exit_session", "exit_reason", "quantity", "result", "r_multiple")
    yield "missed", rows(MissedOutcome, *(f"signal__{name}" for name in SIGNAL), *missed)
    yield "behaviour", rows(BehaviourScore, "session", "sell_fly_score", "discipline_score", "overall_score", "details")


def _line(name: str, row: tuple) -> str:
    return json.dumps([name, *row], sort_keys=True, default=_plain, ensure_ascii=False) + "\n"


def _plain(value):
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, datetime | date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in a digest.")
