"""Writes of signals. Every move is a compare-and-set against the table in `states`."""

import json
from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from django.db import transaction

from quant_site.core import clock
from quant_site.core.errors import Conflict
from quant_site.core.rows import row_insert, row_update, rows_read, rows_update
from quant_site.core.services import audit_record, events_publish
from quant_site.core.types import money, optional, ratio, score
from signals_app.models import SignalOutcome, TradingSignal
from signals_app.states import SignalStatus, check_transition

WAITING = (SignalStatus.PENDING, SignalStatus.VALIDATED)


def signal_event(signal: TradingSignal) -> dict:
    """What a client learns about a signal."""
    return {
        "id": signal.pk,
        "session": str(signal.session),
        "strategy_id": signal.strategy_id,
        "symbol": signal.symbol,
        "direction": signal.direction,
        "status": signal.signal_status,
        "reason": signal.reason,
        "errors": [error["code"] for error in signal.validation_errors],
    }


@transaction.atomic
def signals_create(signals: list[TradingSignal], *, account) -> list[TradingSignal]:
    """Write new signals and announce them."""
    for signal in signals:
        row_insert(signal)
    events_publish([("signal.created", signal_event(signal)) for signal in signals], account=account)
    return signals


@transaction.atomic
def signal_move(signal: TradingSignal, to: SignalStatus, **fields) -> TradingSignal:
    """Move one signal, setting `fields` with it; raises `IllegalTransition`, or `Conflict` when another was faster."""
    check_transition(signal.signal_status, to)
    values = {"signal_status": str(to), "updated_at": clock.now(), **fields}
    if to is SignalStatus.EXECUTED:
        values.setdefault("executed_at", clock.now())
    columns = {name: json.dumps(value) if name == "validation_errors" else value for name, value in values.items()}
    row = (*columns.values(), signal.pk, str(signal.signal_status))
    if rows_update(TradingSignal, tuple(columns), [row], where="signal_status = %s") != 1:
        raise Conflict("signal_moved", f"Signal {signal.pk} is no longer {signal.signal_status}: read it again.", id=signal.pk)
    for name, value in values.items():
        setattr(signal, name, value)
    events_publish([("signal.moved", signal_event(signal))], account=signal.account_id)
    return signal


@transaction.atomic
def signals_decide(signals: list[TradingSignal], *, account) -> None:
    """Write the verdicts that `signals` (read as PENDING) carry in memory: all of them, in a handful of statements.

    Raises `Conflict`, and writes nothing, when one of them is no longer pending.
    """
    now = clock.now()
    for signal in signals:
        check_transition(SignalStatus.PENDING, signal.signal_status)
        signal.updated_at = now
    rows = [(str(signal.signal_status), json.dumps(signal.validation_errors), now, signal.pk) for signal in signals]
    columns = ("signal_status", "validation_errors", "updated_at")
    if rows_update(TradingSignal, columns, rows, where=f"signal_status = '{SignalStatus.PENDING}'") != len(rows):
        raise Conflict("signal_moved", "Some of these signals are no longer pending: read them again.", ids=[row[-1] for row in rows])
    events_publish([("signal.moved", signal_event(signal)) for signal in signals], account=account)


@transaction.atomic
def signals_expire(*, account, before) -> int:
    """Expire signals of sessions before `before` that were never sent; answers how many."""
    waiting = rows_read(
        TradingSignal, ("id",), "account_id = %s AND signal_status IN (%s, %s) AND session < %s", account.pk, *WAITING, before
    )
    late = TradingSignal.objects.filter(pk__in=[pk for (pk,) in waiting]).order_by("session", "pk") if waiting else []
    return len([signal_move(signal, SignalStatus.EXPIRED) for signal in late])


@transaction.atomic
def signal_cancel(*, signal: TradingSignal, actor) -> TradingSignal:
    """A person takes a signal back before it is sent."""
    signal_move(signal, SignalStatus.CANCELLED)
    audit_record(action="SIGNAL_CANCEL", actor=actor, account=signal.account_id, resource=signal)
    return signal


def outcome_record(
    *,
    signal_id: int,
    closed_session: date,
    holding_sessions: int,
    realized_pnl: Decimal,
    cost: Decimal,
    initial_risk: Decimal | None,
) -> SignalOutcome:
    """Write how a signal's whole trade ended. `cost` is what the entries cost; `initial_risk` the loss at the first stop.

    A leg that fills and closes after the others writes it anew.
    """
    outcome = SignalOutcome(
        signal_id=signal_id,
        closed_session=closed_session,
        holding_sessions=holding_sessions,
        realized_pnl=money(realized_pnl),
        return_pct=optional(ratio, realized_pnl / abs(cost) if cost else None),
        r_multiple=optional(score, realized_pnl / initial_risk if initial_risk else None),
    )
    if rows_read(SignalOutcome, ("signal_id",), "signal_id = %s", signal_id):
        row_update(outcome)
    else:
        row_insert(outcome)
    return outcome


def in_execution_order(signals: Iterable[TradingSignal]) -> list[TradingSignal]:
    """Signals in a fixed order that depends on no id: closes first, then by strategy and symbol."""
    return sorted(signals, key=lambda signal: (signal.direction != "CLOSE", signal.strategy.key, signal.symbol, signal.direction))
