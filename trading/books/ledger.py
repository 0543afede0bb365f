"""The ledger: cash entries and positions that follow from deposits, fills, and what happens without an order. Each is booked once.

What makes a booking idempotent is the key of its cash entry, unique per account and written in the same transaction
as the change of the position. Bookings into a session that already has its equity snapshot go to the next session,
as into a closed period: a snapshot, once the next one stands on it, is never contradicted.
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from django.db import connection, transaction
from django.db.models import CharField, Exists, OuterRef, Value
from django.db.models.functions import Concat

from quant_site.core import clock
from quant_site.core.errors import Conflict, InvalidInput, LedgerMismatch
from quant_site.core.models import Account
from quant_site.core.rows import objects_follow, objects_read, places, row_insert, row_update, rows_insert, rows_read, rows_update
from quant_site.core.services import events_publish
from quant_site.core.types import Side, money, price
from quant_site.market.options.closing import closing_mid
from quant_site.market.options.contracts import multiplier_of, parse_contract
from quant_site.market.panel import Panel
from quant_site.market.sessions import next_session
from strategies.models import Strategy
from strategies.panel_facts import panel_facts
from trading.books import bookings
from trading.books.accounting import PositionState, allocate, apply_split, split_ratio
from trading.books.journal import trade_closed
from trading.brokers.base import Activity
from trading.models import CashEntry, EquitySnapshot, Fill, Order, Position
from trading.vocabulary import Purpose

# How far back a fill may be reported late and still be found by `fills_unbooked`; the full check finds any.
LATE_FILLS = timedelta(days=31)
Kind = CashEntry.Kind
MARKED = (
    "id", "symbol", "quantity", "cost", "realized_pnl", "dividends", "best_pnl", "worst_pnl", "entry_price", "mark_price", "mark_session",
)  # fmt: skip
MARKS = ("mark_price", "mark_session", "market_value", "unrealized_pnl", "best_pnl", "worst_pnl", "updated_at")


class Share(NamedTuple):
    """The columns of a position that take part in what happens to a whole holding."""

    id: int
    strategy_id: int | None
    group: str
    quantity: Decimal
    dividends: Decimal


@transaction.atomic
def account_fund(*, account: Account, amount: Decimal, session: date, key: str, memo: str = "") -> CashEntry:
    """Book a deposit (positive) or withdrawal at the start of `session`. The same `key` books once.

    Raises `InvalidInput` for an amount of 0 and `Conflict` when the key was used for another amount.
    """
    amount = money(amount)
    if amount == 0:
        raise InvalidInput("no_amount", "A deposit or withdrawal needs an amount other than 0.")
    _account_lock(account)
    known = CashEntry.objects.filter(account=account, key=f"fund:{key}").first()
    if known is None:
        return CashEntry.objects.create(
            account=account,
            key=f"fund:{key}",
            session=posting_session(account, session),
            kind=Kind.DEPOSIT if amount > 0 else Kind.WITHDRAWAL,
            amount=amount,
            memo=memo,
        )
    if known.amount != amount:
        raise Conflict("key_reused", f"The key {key!r} already booked {known.amount}, not {amount}: use another key.", key=key)
    return known


def fills_unbooked(*, account: Account, session: date) -> list[Fill]:
    """Fills of the last month up to `session` that have no cash entry yet, oldest first."""
    booked = CashEntry.objects.filter(account=account, key=Concat(Value("fill:"), OuterRef("fill_id"), output_field=CharField()))
    fills = Fill.objects.filter(account=account, session__range=(session - LATE_FILLS, session)).exclude(Exists(booked))
    return list(fills.order_by("session", "filled_at", "symbol", "side", "fill_id"))


def fills_book(*, account: Account, fills: Iterable[Fill]) -> list[Fill]:
    """Book fills into cash and positions, in one transaction; answers those that were not booked before.

    An ENTRY opens or extends the position of its trade in the fill's symbol, with the stop and target of its signal, or of an
    order without one its own (in today's shares, should a split have come between them); every other order reduces the position
    it belongs to, one of several legs that of each leg's symbol in its trade. Raises `LedgerMismatch` when a fill closes more
    than is held: nothing is booked then.
    """
    wanted = sorted(fills, key=lambda fill: (fill.session, fill.filled_at, fill.symbol, fill.side, fill.fill_id))
    if not _fills_fresh(account, wanted):
        return []
    with transaction.atomic():
        _account_lock(account)
        fresh = _fills_fresh(account, wanted)
        if fresh:
            _FillBooking(account, fresh).book()
    return fresh


@transaction.atomic
def session_book(*, account: Account, activities: Sequence[Activity], fills: Iterable[Fill]) -> None:
    """Book what a session brought in the order in which it happened: before the open, the fills, at the close."""
    at_close = [activity for activity in activities if activity.kind == Kind.EXPIRY]
    _activities_book(account, [activity for activity in activities if activity.kind != Kind.EXPIRY])
    fills_book(account=account, fills=fills)
    _activities_book(account, at_close)


@transaction.atomic
def activities_book(*, account: Account, activities: Sequence[Activity]) -> int:
    """Book what happened to holdings without an order; answers how much of it was not booked before.

    Each is shared out over the positions held when the session began; an expiry, which comes after the fills, over all.
    Raises `LedgerMismatch` when the broker's holding is not ours.
    """
    return _activities_book(account, activities)


def positions_mark(*, account: Account, session: date, panel: Panel) -> list[int]:
    """Mark the open positions at the raw close of `session`, or at the last close before it where there is no bar.

    Options are marked at their closing mid; where they have none the last mark stays, at first the entry price. Answers
    the ids. `mark_session` is the session of the price. A position marked later than that is left alone.
    """
    rows = rows_read(Position, MARKED, "account_id = %s AND exit_session IS NULL ORDER BY symbol, id", account.pk)
    t, now = panel.index(session), clock.now()
    marks = []
    for pk, symbol, quantity, cost, realized, dividends, best, worst, entry_price, mark_price, marked in rows:
        option = parse_contract(symbol) is not None
        known = _option_mark(panel, symbol, t) if option else _share_mark(panel, symbol, t)
        if known is None and option:
            known = (mark_price, marked) if marked else (entry_price, session)
        if known is None or (marked is not None and known[1] < marked):
            continue
        if option or known != (mark_price, marked):
            value = money(quantity * known[0] * multiplier_of(symbol))
            total = value - cost + realized + dividends
            marks.append((*known, value, value - cost, max(best, total), min(worst, total), now, pk))
    rows_update(Position, MARKS, marks)
    return [row[0] for row in rows]


def _share_mark(panel: Panel, symbol: str, t: int) -> tuple[Decimal, date] | None:
    """The last raw close up to column t, and its session."""
    facts, row = panel_facts(panel), panel.row(symbol)
    bar = facts.last_bar[row, t]
    return None if bar < 0 else (price(float(panel.close[row, bar])), facts.days[bar])


def _option_mark(panel: Panel, symbol: str, t: int) -> tuple[Decimal, date] | None:
    """The mid at the close of column t, and its session."""
    mid = closing_mid(panel, symbol, t)
    return None if mid is None else (price(mid), panel.sessions[t].item())


def _account_lock(account: Account) -> None:
    """Bookings of one account wait for each other (on SQLite the IMMEDIATE transaction does that already)."""
    if connection.features.has_select_for_update:
        Account.objects.select_for_update().values_list("pk").get(pk=account.pk)


def posting_session(account: Account, session: date) -> date:
    last = rows_read(EquitySnapshot, ("snapshot_date",), "account_id = %s ORDER BY snapshot_date DESC LIMIT 1", account.pk)
    return session if not last or session > last[0][0] else next_session(last[0][0])


def _fills_fresh(account: Account, fills: list[Fill]) -> list[Fill]:
    keys = [f"fill:{fill.fill_id}" for fill in fills]
    booked = _keys_booked(account, keys)
    return [fill for fill, key in zip(fills, keys, strict=True) if key not in booked]


def _keys_booked(account: Account, keys: list[str]) -> set[str]:
    """Those of `keys` that have a cash entry."""
    known = f"account_id = %s AND {connection.ops.quote_name('key')} IN {places(keys)}"
    return {row[0] for row in rows_read(CashEntry, ("key",), known, account.pk, *keys)} if keys else set()


class _FillBooking:
    """One batch of fills on its way into the ledger, within the caller's transaction."""

    def __init__(self, account: Account, fills: list[Fill]):
        self.account, self.fills = account, fills
        self.session = {day: posting_session(account, day) for day in {fill.session for fill in fills}}
        symbols = sorted({fill.symbol for fill in fills})
        held = f"account_id = %s AND exit_session IS NULL AND symbol IN {places(symbols)} ORDER BY id"
        self.open = {position.pk: position for position in objects_read(Position, held, account.pk, *symbols)}
        # One instance for all fills of an order, so that the second sees the position the first opened.
        objects_follow(objects_follow(fills, "order"), "signal")
        self.events: list[tuple[str, dict]] = []

    def book(self) -> None:
        for fill in self.fills:
            rows_insert(self._entries(fill))
            self._apply(fill, self._position(fill))
        events_publish(self.events, account=self.account)

    def _entries(self, fill: Fill) -> list[CashEntry]:
        session, symbol = self.session[fill.session], fill.symbol
        memo = f"{fill.side} {fill.quantity.normalize():f} {symbol} at {fill.price.normalize():f}"
        flow = -Side(fill.side).sign * fill.amount
        entries = [CashEntry(account=self.account, key=f"fill:{fill.fill_id}", session=session, kind=Kind.TRADE, amount=flow)]
        if fill.commission:
            entries.append(
                CashEntry(account=self.account, key=f"fee:{fill.fill_id}", session=session, kind=Kind.COMMISSION, amount=-fill.commission)
            )
        for entry in entries:
            entry.symbol, entry.memo = symbol, memo
        return entries

    def _position(self, fill: Fill) -> Position | None:
        """The open position the fill belongs to; None when an entry opens a new one."""
        order = fill.order
        if order.purpose != Purpose.ENTRY and order.position_id is not None:
            found = self.open.get(order.position_id)
        else:
            key = bookings.position_key(order, fill.symbol)
            found = next((position for position in self.open.values() if position.open_key == key), None)
        if found is None and order.purpose != Purpose.ENTRY:
            raise LedgerMismatch(
                "overfill",
                f"{fill.side} {fill.quantity.normalize():f} {fill.symbol} ({order.purpose}) reduces a position that is not open.",
                fill=fill.fill_id,
                position=order.position_id,
            )
        return found

    def _apply(self, fill: Fill, position: Position | None) -> None:
        session = self.session[fill.session]
        if position is None:
            position = bookings.position_opened(fill, session)
            row_insert(position)
            self.open[position.pk] = position
            self.events.append(("position.opened", position_event(position)))
        elif position.quantity * Side(fill.side).sign > 0:
            bookings.position_extended(position, fill, self._is_new_unit(fill, position))
            row_update(position)
        else:
            bookings.position_reduced(position, fill, session)
            row_update(position)
        self._attach(fill, position)
        if position.exit_session is not None:
            del self.open[position.pk]
            self.events.append(_position_finish(position))

    def _is_new_unit(self, fill: Fill, position: Position) -> bool:
        """Whether nothing of the fill's order went into the position before."""
        if not fill.order.legs:
            return fill.order.position_id is None
        return not rows_read(Fill, ("id",), "order_id = %s AND position_id = %s LIMIT 1", fill.order_id, position.pk)

    def _attach(self, fill: Fill, position: Position) -> None:
        """Write down which position it was: on the order, of several legs on the fill."""
        if fill.order.legs:
            fill.position = position
            rows_update(Fill, ("position_id",), [(position.pk, fill.pk)])
        elif fill.order.position_id is None:
            fill.order.position = position
            rows_update(Order, ("position_id",), [(position.pk, fill.order_id)])


def _position_finish(position: Position) -> tuple[str, dict]:
    """What follows from a position that went flat; answers the event that tells of it."""
    trade_closed(position)
    return "position.closed", position_event(position)


def _activities_book(account: Account, activities: Sequence[Activity]) -> int:
    if not activities:
        return 0
    _account_lock(account)
    keys = [f"activity:{activity.activity_id}" for activity in activities]
    booked = _keys_booked(account, keys)
    fresh = [activity for activity, key in zip(activities, keys, strict=True) if key not in booked]
    sessions = {day: posting_session(account, day) for day in {activity.session for activity in fresh}}
    for activity in fresh:
        _activity_book(account, activity, sessions[activity.session])
    return len(fresh)


def _activity_book(account: Account, activity: Activity, session: date) -> None:
    shares, option = _concerned(account, activity), parse_contract(activity.symbol) is not None
    entry = CashEntry(
        account=account,
        key=f"activity:{activity.activity_id}",
        session=session,
        kind=(Kind.CASH_IN_LIEU if activity.kind == "SPLIT" else Kind(activity.kind)).value,
        amount=activity.amount,
        symbol=activity.symbol,
        memo=_memo(activity, option),
    )
    row_insert(entry)
    if option:
        _settlement_book(shares, activity, session)
    elif activity.kind == "SPLIT":
        _split_book(shares, activity, session)
    else:
        rows_update(Position, ("dividends",), [(share.dividends + cash, share.id) for share, cash in _shared_out(shares, activity)])


def _concerned(account: Account, activity: Activity) -> list[Share]:
    """The positions an activity applies to, in an order that depends on no row's number where their trades differ. Raises
    `LedgerMismatch` where they are not what the broker holds."""
    held = f"account_id = %s AND exit_session IS NULL AND symbol = %s AND entry_session {'<=' if activity.kind == Kind.EXPIRY else '<'} %s"
    shares = [Share(*row) for row in rows_read(Position, Share._fields, held, account.pk, activity.symbol, activity.session)]
    if len(shares) > 1:
        keys = dict(rows_read(Strategy, ("id", "key"), "1 = 1"))
        shares.sort(key=lambda share: (keys.get(share.strategy_id, ""), share.group, share.id))
    ours = sum((share.quantity for share in shares), Decimal(0))
    if ours != activity.quantity:
        raise LedgerMismatch(
            "holding",
            f"The broker reports a {activity.kind.lower()} on {activity.quantity} {activity.symbol}, we hold {ours}.",
            symbol=activity.symbol,
            broker=str(activity.quantity),
            ours=str(ours),
        )
    return shares


def _memo(activity: Activity, option: bool) -> str:
    per_share, held = f"{activity.per_share.normalize():f}", f"{activity.quantity.normalize():f} {activity.symbol}"
    if activity.kind == "SPLIT" and not option:
        return f"{per_share} new {activity.symbol} for 1"
    return f"{per_share} a {'unit' if option else 'share'} on {held}"


def _shared_out(shares: list[Share], activity: Activity) -> Iterable[tuple[Share, Decimal]]:
    return zip(shares, allocate(activity.amount, [share.quantity for share in shares]), strict=True)


def _positions(shares: list[Share]) -> list[Position]:
    ids = [share.id for share in shares]
    found = {position.pk: position for position in objects_read(Position, f"id IN {places(ids)}", *ids)}
    return [found[pk] for pk in ids]


def _settlement_book(shares: list[Share], activity: Activity, session: date) -> None:
    """An option ended: its positions close for their share of the cash."""
    for position, (_, cash) in zip(_positions(shares), _shared_out(shares, activity), strict=True):
        bookings.position_settled(position, cash, activity.kind, activity.per_share, session)
        row_update(position)
        events_publish([_position_finish(position)], account=position.account_id)


def _split_book(shares: list[Share], activity: Activity, session: date) -> None:
    positions, factor = _positions(shares), split_ratio(activity.per_share)
    mark = positions[0].mark_price or positions[0].entry_price
    new_price = price(mark * factor.denominator / factor.numerator)
    states = [PositionState(position.quantity, position.cost) for position in positions]
    for position, share in zip(positions, apply_split(states, activity.per_share, activity.amount, new_price), strict=True):
        bookings.position_split(position, share, activity.per_share, session)
        row_update(position)
        if position.exit_session is not None:
            events_publish([_position_finish(position)], account=position.account_id)


def position_event(position: Position) -> dict:
    """What a client learns about a position that was opened or closed."""
    return {
        "id": position.pk,
        "strategy_id": position.strategy_id,
        "group": position.group,
        "symbol": position.symbol,
        "direction": position.direction,
        "quantity": str(position.quantity),
        "entry_session": str(position.entry_session),
        "entry_price": str(position.entry_price),
        "exit_session": None if position.exit_session is None else str(position.exit_session),
        "exit_price": None if position.exit_price is None else str(position.exit_price),
        "exit_reason": position.exit_reason,
        "pnl": str(position.realized_pnl + position.dividends),
    }


__all__ = ["account_fund", "activities_book", "fills_book", "fills_unbooked", "position_event", "positions_mark", "session_book"]
