"""The journal: a draft for each closed position, completed and reviewed by a person; and how its signal turned out."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple, Protocol

from django.core.exceptions import ValidationError
from django.db import transaction

from quant_site.core import clock
from quant_site.core.errors import Conflict, InvalidInput
from quant_site.core.rows import places, row_insert, rows_read
from quant_site.core.services import audit_record
from quant_site.core.types import money, price
from quant_site.market.options.contracts import multiplier_of, parse_contract
from quant_site.market.sessions import session_distance
from signals_app.models import TradingSignal
from signals_app.services import outcome_record
from trading.models import Fill, Order, Position, TradeJournal

Status = TradeJournal.Status
WRITTEN_BY_PEOPLE = ("execution_quality", "emotion_state", "mistake_tags", "lesson_learned", "plan_id")


class Leg(NamedTuple):
    """What the position of one leg adds to the outcome of its signal."""

    entry_session: date
    exit_session: date | None
    realized_pnl: Decimal
    dividends: Decimal
    entry_cost: Decimal
    initial_risk: Decimal | None


def trade_closed(position: Position) -> TradeJournal:
    """Draft the journal row of a position that went flat, and the outcome of its signal once every leg of it has."""
    if position.signal_id is not None:
        _outcome_write(position)
    entry = TradeJournal(
        account_id=position.account_id,
        position=position,
        strategy_id=position.strategy_id,
        symbol=position.symbol,
        direction=position.direction,
        entry_date=position.entry_session,
        exit_date=position.exit_session,
        entry_price=average_entries([position])[position.pk],
        exit_price=position.exit_price,
        quantity=position.entry_quantity,
        realized_pnl=position.realized_pnl + position.dividends,
        exit_reason=position.exit_reason,
    )
    row_insert(entry)
    return entry


class Entered(Protocol):
    """The columns of a position that tell its mean entry price."""

    pk: int
    symbol: str
    units: int
    entry_price: Decimal
    entry_quantity: Decimal


def average_entries(positions: Sequence[Entered]) -> dict[int, Decimal]:
    """By id of each position the mean price of all its units, commissions apart, in shares as they are after splits."""
    averages = {position.pk: position.entry_price for position in positions}
    several = {position.pk: position for position in positions if position.units > 1}
    if several:
        owners = dict(rows_read(Order, ("id", "position_id"), f"position_id IN {places(several)} AND purpose = 'ENTRY'", *several))
        # Of an order of several legs the fill names its position.
        of_legs = f"position_id IN {places(several)} AND order_id IN (SELECT id FROM orders WHERE purpose = 'ENTRY')"
        where, params = (f"order_id IN {places(owners)} OR {of_legs}", [*owners, *several]) if owners else (of_legs, list(several))
        amounts: dict[int, Decimal] = defaultdict(Decimal)
        for order, position, amount in rows_read(Fill, ("order_id", "position_id", "amount"), where, *params):
            amounts[position or owners[order]] += amount
        averages |= {pk: price(amounts[pk] / multiplier_of(one.symbol) / one.entry_quantity) for pk, one in several.items()}
    return averages


def _outcome_write(position: Position) -> None:
    """Legs of a signal are judged together: a pair that earned on one leg what it lost on the other earned nothing.

    What a structure of options was sized to lose is its initial risk.
    """
    legs = [Leg(*row) for row in rows_read(Position, Leg._fields, "signal_id = %s", position.signal_id)]
    if any(leg.exit_session is None for leg in legs):
        return
    risk = legs[0].initial_risk if len(legs) == 1 else None
    if parse_contract(position.symbol):
        [(terms,)] = rows_read(TradingSignal, ("signal_metadata",), "id = %s", position.signal_id)
        risk = money(terms["loss_at_stop"]) if terms.get("loss_at_stop") else None
    opened, closed = min(leg.entry_session for leg in legs), max(leg.exit_session for leg in legs)
    outcome_record(
        signal_id=position.signal_id,
        closed_session=closed,
        holding_sessions=session_distance(opened, closed),
        realized_pnl=sum(leg.realized_pnl + leg.dividends for leg in legs),
        cost=sum(abs(leg.entry_cost) for leg in legs),
        initial_risk=risk,
    )


@transaction.atomic
def journal_complete(*, entry: TradeJournal, actor, **fields) -> TradeJournal:
    """A person fills a draft in: execution quality (1 to 5), emotion, mistakes, lesson. Completing again edits it.

    Raises `InvalidInput` for another field or value, `Conflict` once it was reviewed.
    """
    return _journal_write(entry, actor, (Status.DRAFT, Status.COMPLETED), Status.COMPLETED, fields)


@transaction.atomic
def journal_review(*, entry: TradeJournal, actor, **fields) -> TradeJournal:
    """A person reviews a completed entry and may add to it; after that it stands. Raises as `journal_complete` does."""
    return _journal_write(entry, actor, (Status.COMPLETED,), Status.REVIEWED, fields)


def _journal_write(entry: TradeJournal, actor, allowed: tuple[Status, ...], to: Status, fields: dict) -> TradeJournal:
    unknown = sorted(set(fields) - set(WRITTEN_BY_PEOPLE))
    if unknown:
        message = f"A person does not write {', '.join(unknown)} of a journal entry, only {', '.join(WRITTEN_BY_PEOPLE)}."
        raise InvalidInput("unknown_field", message, fields=unknown)
    candidate = TradeJournal(account_id=entry.account_id, symbol=entry.symbol, direction=entry.direction, **fields)
    try:
        candidate.clean_fields(exclude=[field.name for field in TradeJournal._meta.fields if field.name not in fields])
    except ValidationError as error:
        raise InvalidInput("invalid_journal", " ".join(error.messages), fields=error.message_dict) from error
    values = {**fields, "journal_status": to, "updated_at": clock.now()}
    if TradeJournal.objects.filter(pk=entry.pk, journal_status__in=allowed).update(**values) != 1:
        current = TradeJournal.objects.filter(pk=entry.pk).values_list("journal_status", flat=True).first()
        raise Conflict("journal_status", f"A journal entry that is {current} cannot become {to}.", current=current, target=str(to))
    entry.refresh_from_db()
    audit_record(action=f"JOURNAL_{to}", actor=actor, account=entry.account_id, resource=entry, details={"fields": sorted(fields)})
    return entry
