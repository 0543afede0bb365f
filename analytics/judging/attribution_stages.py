"""What the stages of an attribution are made of, as it was booked: fills with their decision prices, cash without an order."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from math import isfinite
from typing import NamedTuple

from analytics.judging.attribution_buckets import ZERO, Executed, reference_price
from analytics.judging.evaluation import BEGINNING, Held
from analytics.models import MissedOutcome
from quant_site.core.models import Account
from quant_site.core.rows import places, rows_read
from quant_site.core.types import Side, money, price
from quant_site.market.options.contracts import multiplier_of, parse_contract
from quant_site.market.options.quotes import option_market
from quant_site.market.panel import Panel
from signals_app.models import TradingSignal
from strategies.panel_facts import panel_facts
from trading.books.accounting import split_ratio
from trading.models import CashEntry, Fill, Order, Position

Kind = CashEntry.Kind
FILL = "fill:"
AT_ONCE = 1000  # keys in one condition


@dataclass(frozen=True)
class Span:
    """The sessions of `account` after `since` (None: from the first) up to `session`."""

    account: Account
    since: date | None
    session: date

    @property
    def where(self) -> tuple:
        return self.account.pk, self.since or BEGINNING, self.session


WITHIN = "account_id = %s AND session > %s AND session <= %s"


class Entry(NamedTuple):
    key: str
    session: date
    kind: str
    amount: Decimal
    symbol: str


class Filled(NamedTuple):
    order_id: int
    session: date
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal


class Terms(NamedTuple):
    """What of an order tells at which price it was decided and could trade."""

    id: int
    order_type: str
    decision_price: Decimal | None
    stop_price: Decimal | None
    limit_price: Decimal | None
    split_ratio: Decimal
    legs: list


def entries_of(span: Span) -> list[Entry]:
    """The cash entries that were booked."""
    return [Entry(*row) for row in rows_read(CashEntry, Entry._fields, WITHIN, *span.where)]


def missed_total(span: Span) -> Decimal:
    """What signals would have made that were not filled, known in the span."""
    return sum((result for (result,) in rows_read(MissedOutcome, ("result",), WITHIN, *span.where)), ZERO)


def made_smaller(ended: list[Held]) -> Decimal:
    """What positions that ended would have made more in the size that the signal which opened them asked for."""
    signals = sorted({held.signal_id for held in ended if held.signal_id is not None})
    asked = {}
    for some in _some(signals):
        for pk, metadata in rows_read(TradingSignal, ("id", "signal_metadata"), f"id IN {places(some)}", *some):
            asked[pk] = Decimal(str(metadata.get("asked", 1)))
    return sum((money(held.result * (asked[held.signal_id] - 1)) for held in ended if held.signal_id in asked), ZERO)


# --- fills


def executed(span: Span, entries: list[Entry], panel: Panel) -> list[Executed]:
    """The fills behind `entries`, in shares or units of an underlying, with what they were decided at and could trade at."""
    ids = [entry.key.removeprefix(FILL) for entry in entries if entry.key.startswith(FILL)]
    fills = [Filled(*row) for some in _some(ids) for row in _fills(span.account, some)]
    orders = {terms.id: terms for some in _some(sorted({fill.order_id for fill in fills})) for terms in _terms(some)}
    return [_executed(fill, orders[fill.order_id], panel) for fill in fills]


def _some(keys: list) -> Iterator[list]:
    return (keys[at : at + AT_ONCE] for at in range(0, len(keys), AT_ONCE))


def _fills(account: Account, ids: list[str]) -> list[tuple]:
    return rows_read(Fill, Filled._fields, f"account_id = %s AND fill_id IN {places(ids)} ORDER BY id", account.pk, *ids)


def _terms(ids: list[int]) -> list[Terms]:
    return [Terms(*row) for row in rows_read(Order, Terms._fields, f"id IN {places(ids)}", *ids)]


def _executed(fill: Filled, order: Terms, panel: Panel) -> Executed:
    side, decision = Side(fill.side).sign, order.decision_price
    if order.legs:
        decided = next(leg["decision"] for leg in order.legs if leg["symbol"] == fill.symbol)
        decision = None if decided is None else Decimal(decided)
    if decision is not None and order.split_ratio != 1:
        factor = split_ratio(order.split_ratio)
        decision = decision * factor.denominator / factor.numerator
    level = None if order.legs else order.stop_price if order.stop_price is not None else order.limit_price
    reference = reference_price(order.order_type, side, level, _open(panel, fill.symbol, fill.session))
    return Executed(side, fill.quantity * multiplier_of(fill.symbol), fill.price, decision, reference)


def _open(panel: Panel, symbol: str, session: date) -> Decimal | None:
    """The open of a share, of an option its mid there; None where it is not known."""
    t = panel.index(session)
    if parse_contract(symbol) is not None:
        quote = option_market(panel).quote(symbol, t, "OPEN")
        value = float("nan") if quote is None else quote.mid
    else:
        value = float(panel.open[panel.row(symbol), t]) if symbol in panel else float("nan")
    return price(value) if isfinite(value) else None


# --- what moved cash without an order


def moved_without_order(span: Span, entries: list[Entry], panel: Panel) -> Decimal:
    """Dividends, borrowing, and cash in lieu beyond the worth of its fraction at the last close."""
    data = sum((entry.amount for entry in entries if entry.kind in (Kind.DIVIDEND, Kind.BORROW)), ZERO)
    splits = [entry for entry in entries if entry.kind == Kind.CASH_IN_LIEU and parse_contract(entry.symbol) is None]
    return data + sum((entry.amount - _fraction_worth(span, entry, panel) for entry in splits), ZERO)


def _fraction_worth(span: Span, entry: Entry, panel: Panel) -> Decimal:
    """What the fraction of a share that a split left over was worth at the last close before it."""
    where = "account_id = %s AND symbol = %s AND (exit_session IS NULL OR exit_session > %s)"
    worth = Decimal(0)
    for (records,) in rows_read(Position, ("adjustments",), where, span.account.pk, entry.symbol, span.since or BEGINNING):
        for record in records:
            if record["session"] == str(entry.session) and "ratio" in record:
                factor = split_ratio(Decimal(record["ratio"]))
                kept = Decimal(record["after"]) * factor.denominator / factor.numerator
                worth += (Decimal(record["before"]) - kept) * _close_before(panel, entry)
    return money(worth)


def _close_before(panel: Panel, entry: Entry) -> Decimal:
    row, t = panel.row(entry.symbol), panel.index(entry.session) - 1
    bar = panel_facts(panel).last_bar[row, t] if t >= 0 else -1
    return Decimal(0) if bar < 0 else price(float(panel.close[row, bar]))
