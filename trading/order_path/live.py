"""The round of a live account: every two seconds orders, fills and positions are brought up to what the broker knows.

Under the account's lock, in this order: compare with the broker where that is due (at the start before anything is sent,
then every minute), resolve what dead senders left, take in fills and book them, let stops and targets follow, send what is
ready. A round that fails at the broker leaves everything as it is; the next one asks again.
"""

import logging
from datetime import date, timedelta
from decimal import Decimal

from quant_site.core import clock
from quant_site.core.models import Account
from quant_site.core.rows import rows_read
from quant_site.market.sessions import last_completed_session, trading_session
from trading.books.equity import account_state
from trading.books.reconciliation import account_reconcile
from trading.books.valuation import positions_value
from trading.brokers.base import Broker
from trading.control.guards import losses_guard
from trading.control.symbol_halts import UNPROTECTED, symbol_halt_set, symbol_halts_resolve
from trading.models import Order, Position, Reconciliation, SenderBoot
from trading.order_path.intake import LAST, Intake
from trading.order_path.orders import orders_send_ready
from trading.order_path.protection import position_exit, positions_protect
from trading.order_path.states import UNSENT

logger = logging.getLogger(__name__)
RECONCILE_EVERY = timedelta(seconds=60)
UNPROTECTED_AFTER = timedelta(seconds=10)
Kind = Reconciliation.Kind
STOPS = "account_id = %s AND purpose IN ('STOP', 'EXIT') AND status IN ('SENDING', 'UNKNOWN', 'ACKED', 'PARTIAL')"


def live_round(account: Account, broker: Broker) -> str:
    """One round; the caller holds the account's loop lock. Answers in a line what it did. Raises what the broker raises."""
    now = clock.now()
    session, before = trading_session(now), last_completed_session(now)
    intake = Intake(account, broker, session)
    kind = reconcile_due(account)
    if kind is not None:
        row = account_reconcile(account=account, broker=broker, kind=kind, intake=intake)
        positions_value(account=account, prices=_quoted(account, broker))
        equity_watch(account, broker, session)
        compared = "agrees" if row.agrees else f"{len(row.differences)} differences"
    else:
        intake.settle()
        compared = ""
    protected = positions_protect(account=account, session=before, broker=broker)
    unprotected_watch(account, before)
    sent = orders_send_ready(account, broker, session=before)
    moved = sum(order.status not in UNSENT for order in sent)
    return ", ".join(filter(None, (compared, f"{moved} sent" if moved else "", f"{len(protected)} protections" if protected else "")))


def _quoted(account: Account, broker: Broker) -> dict[str, Decimal]:
    """What the symbols that are held trade at now, as far as there are quotes."""
    symbols = sorted({row[0] for row in rows_read(Position, ("symbol",), "account_id = %s AND exit_session IS NULL", account.pk)})
    quotes = {symbol: broker.quote(symbol) for symbol in symbols}
    return {symbol: quote.price for symbol, quote in quotes.items() if quote is not None and quote.price is not None}


def reconcile_due(account: Account) -> str | None:
    """Which comparison is due: the first since the last process that sends was started, a periodic one, or none."""
    boots = rows_read(SenderBoot, ("id",), "1 = 1 ORDER BY id DESC LIMIT 1")
    last = rows_read(Reconciliation, ("boot_id", "at"), LAST, account.pk)
    if not last or (boots and last[0][0] != boots[0][0]):
        return Kind.BOOT
    return Kind.PERIODIC if clock.now() - last[0][1] >= RECONCILE_EVERY else None


def equity_watch(account: Account, broker: Broker, session: date) -> None:
    """Hold what the account is worth now against its last close and its highest value; a breach lets it only reduce."""
    worth, state = broker.equity(account.pk), account_state(account=account, session=session)
    last = state.previous
    if worth is None or last is None:
        return
    base = last.total_equity + state.net_flow
    unit = last.unit_value * worth / base if last.unit_value and base > 0 else None
    depth = drawdown_of(unit, last.peak_unit_value)
    losses_guard(account=account, equity_now=worth, equity_before=last.total_equity, net_flow=state.net_flow, drawdown=depth)


def drawdown_of(unit: Decimal | None, peak: Decimal | None) -> Decimal | None:
    """Distance of a unit's value from its highest, ≤ 0; None where either is unknown."""
    return None if unit is None or not peak else min(unit / max(peak, unit) - 1, Decimal(0))


def unprotected_watch(account: Account, session: date) -> None:
    """A position that should have a stop and has none working ten seconds after it changed: tell, open nothing more in its
    symbol, and close it where the account says so."""
    protected = {row[0] for row in rows_read(Order, ("position_id",), STOPS, account.pk)}
    names = ("id", "symbol", "updated_at")
    positions = rows_read(Position, names, "account_id = %s AND exit_session IS NULL AND stop_price IS NOT NULL", account.pk)
    covered = [symbol for pk, symbol, _ in positions if pk in protected]
    symbol_halts_resolve(account_id=account.pk, symbols=covered, code=UNPROTECTED)
    for pk, symbol, changed in positions:
        if pk not in protected and clock.now() - changed > UNPROTECTED_AFTER:
            reason = f"Position {pk} in {symbol} has no stop that works at the broker."
            news = symbol_halt_set(account_id=account.pk, symbol=symbol, code=UNPROTECTED, reason=reason, position=pk)
            if news is not None and account.close_unprotected:
                position_exit(Position.objects.select_related("account", "signal", "strategy").get(pk=pk), session=session)
