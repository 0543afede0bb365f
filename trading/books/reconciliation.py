"""Our books beside the broker's: orders, positions and cash, compared every minute and before anything is sent.

What somebody placed or holds outside this system is adopted, and labelled as external; a difference that stays halts its
symbol and raises the alarm. Nothing is ever traded to make the books agree.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from django.db import transaction

from quant_site.core import clock
from quant_site.core.models import Account
from quant_site.core.rows import rows_read
from quant_site.core.services import audit_record, event_publish
from quant_site.core.types import Side
from quant_site.market.sessions import last_completed_session
from trading.books.adoption import external_order_adopt, external_position_adopt, opening_cash_adopt
from trading.books.equity import account_state
from trading.books.ledger import fills_unbooked
from trading.brokers.base import EXTERNAL, Broker, BrokerOrder, BrokerUnclear
from trading.control.symbol_halts import MISMATCH, symbol_halt_set
from trading.models import CashEntry, Order, Position, Reconciliation, SenderBoot
from trading.order_path.intake import Intake
from trading.order_path.states import IN_FLIGHT, WORKING

Kind = Reconciliation.Kind
OUR_ORDERS = "account_id = %s AND status IN ('SENDING', 'UNKNOWN', 'ACKED', 'PARTIAL')"
CENT = Decimal("0.01")
Difference = dict


def account_reconcile(*, account: Account, broker: Broker, kind: str, intake: Intake) -> Reconciliation:
    """Compare, adopt, halt what differs, and write down what was found.

    The caller holds the account's loop lock. What the broker did is taken in before each look, so that what happened in
    between is no difference: one counts when the second look finds it too. Raises what the broker raises: then nothing was
    compared, and nothing is sent.
    """
    boot = _latest_boot()  # one that starts meanwhile has not been compared
    adopted = _adopt(account, broker, intake)
    differences = _differences(account, broker)
    if differences:
        intake.settle()
        differences = [each for each in _differences(account, broker) if each in differences]
    return _write(account, kind, boot, differences, adopted)


@transaction.atomic
def _write(account: Account, kind: str, boot: int | None, differences: list[Difference], adopted: list[dict]) -> Reconciliation:
    for symbol, texts in _by_symbol(differences).items():
        symbol_halt_set(account_id=account.pk, symbol=symbol, code=MISMATCH, reason="; ".join(texts))
    row = Reconciliation.objects.create(
        account=account,
        boot_id=boot,
        kind=kind,
        agrees=not differences,
        differences=differences,
        adopted=adopted,
        at=clock.now(),
    )
    if differences:
        payload = {"code": "RECONCILIATION", "message": "; ".join(each["what"] for each in differences), "differences": differences}
        event_publish(type="reconciliation.differs", payload=payload, account=account)
    return row


def _latest_boot() -> int | None:
    boots = rows_read(SenderBoot, ("id",), "1 = 1 ORDER BY id DESC LIMIT 1")
    return boots[0][0] if boots else None


def _by_symbol(differences: list[Difference]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in differences:
        if each["symbol"]:
            found.setdefault(each["symbol"], []).append(each["what"])
    return found


# --- what differs


def _differences(account: Account, broker: Broker) -> list[Difference]:
    return [*_order_differences(account, broker), *_position_differences(account, broker), *_cash_differences(account, broker)]


def _order_differences(account: Account, broker: Broker) -> list[Difference]:
    theirs = {report.client_order_id: report for report in broker.open_orders(account.pk)}
    names = ("client_order_id", "status", "symbol", "quantity", "filled_quantity")
    ours = {row[0]: row[1:] for row in rows_read(Order, names, OUR_ORDERS, account.pk)}
    missing = sorted(key for key in ours.keys() - theirs.keys() if ours[key][0] not in IN_FLIGHT)
    known = broker.orders(account.pk, missing) if missing else {}
    found = [
        _difference(f"The broker works on order {key}, which stands nowhere here", theirs[key].symbol, None, key)
        for key in sorted(theirs.keys() - ours.keys())
    ]
    found += [
        _difference(f"The broker does not know order {key}, which it had acknowledged", ours[key][1], key, None)
        for key in missing
        if key not in known
    ]
    for key in sorted(theirs.keys() & ours.keys()):
        status, symbol, quantity, filled = ours[key]
        report = theirs[key]
        if status in WORKING and (report.quantity, report.filled_quantity) != (quantity, filled):
            mine, broker_says = f"{filled:f} of {quantity:f}", f"{report.filled_quantity:f} of {report.quantity:f}"
            found.append(_difference(f"Order {key} is filled otherwise", symbol, mine, broker_says))
    return found


def _position_differences(account: Account, broker: Broker) -> list[Difference]:
    ours, theirs = positions_held(account), broker.positions(account.pk)
    zero = Decimal(0)
    return [
        _difference(f"Position in {symbol}", symbol, f"{ours.get(symbol, zero):f}", f"{theirs.get(symbol, zero):f}")
        for symbol in sorted(ours.keys() | theirs.keys())
        if ours.get(symbol, zero) != theirs.get(symbol, zero)
    ]


def _cash_differences(account: Account, broker: Broker) -> list[Difference]:
    ours, theirs = account_state(account=account, session=date.max).cash, broker.cash(account.pk)
    return [] if abs(ours - theirs) < CENT else [_difference("Cash", "", str(ours), str(theirs))]


def _difference(what: str, symbol: str, ours: str | None, broker: str | None) -> Difference:
    return {"what": what, "symbol": symbol, "ours": ours, "broker": broker}


def positions_held(account: Account) -> dict[str, Decimal]:
    """Signed quantities by symbol over all strategies, none of them zero."""
    held: dict[str, Decimal] = {}
    for symbol, quantity in rows_read(Position, ("symbol", "quantity"), "account_id = %s AND exit_session IS NULL", account.pk):
        held[symbol] = held.get(symbol, Decimal(0)) + quantity
    return {symbol: quantity for symbol, quantity in held.items() if quantity}


# --- what is adopted


def _adopt(account: Account, broker: Broker, intake: Intake) -> list[dict]:
    """Take in what the broker did, and take over what came about outside; answers what was taken over."""
    if broker.simulated:
        intake.settle()
        return []
    if CashEntry.objects.filter(account=account).exists():
        intake.settle()
        found = _orders_adopt(account, broker, intake)
        found += _positions_adopt(account, _priced(broker, _foreign_positions(account, broker)), intake.session)
        if found:
            intake.settle()
    else:
        found = _opening_adopt(account, broker, intake)
        intake.settle()
    if found:
        audit_record(action="ADOPT", account=account, details={"adopted": found})
    return found


def _opening_adopt(account: Account, broker: Broker, intake: Intake) -> list[dict]:
    """What an account begins with: the orders of others, and of cash and positions what their fills do not explain, for these
    are booked by themselves. Raises `BrokerUnclear` while it changes between two looks."""
    intake.look()
    orders = _orders_adopt(account, broker, intake)
    looks = []
    for _ in range(2):
        intake.look()
        looks.append(_opening(account, broker, intake.session))
    (cash, positions), again = looks
    if again != (cash, positions):
        raise BrokerUnclear("ACCOUNT_MOVES", f"Account {account.pk} trades while its opening balance is read; it is read again.")
    opened = last_completed_session(clock.now())  # so that what is there now can be used before the next close
    priced = _priced(broker, positions)
    with transaction.atomic():
        funded = opening_cash_adopt(account=account, cash=cash, session=opened)
        return [*([funded] if funded else []), *orders, *_positions_adopt(account, priced, intake.session)]


def _opening(account: Account, broker: Broker, session: date) -> tuple[Decimal, dict[str, Decimal]]:
    """Cash and positions at the broker without what the fills that are not booked yet add to them."""
    cash, held = broker.cash(account.pk), Counter(broker.positions(account.pk))
    for fill in fills_unbooked(account=account, session=session):
        sign = Side(fill.side).sign
        cash += sign * fill.amount + fill.commission
        held[fill.symbol] -= sign * fill.quantity
    return cash, {symbol: quantity for symbol, quantity in held.items() if quantity}


def _orders_adopt(account: Account, broker: Broker, intake: Intake) -> list[dict]:
    reports = _external_orders(account, broker, intake.since)
    return [external_order_adopt(account=account, report=report, session=intake.session) for report in reports]


def _external_orders(account: Account, broker: Broker, since: date) -> list[BrokerOrder]:
    """Orders of others that work, or were filled since the session `since`, and have no row yet."""
    working = {report.client_order_id: report for report in broker.open_orders(account.pk)}
    filled = {fill.client_order_id for fill in broker.fills(account.pk, since)} - working.keys()
    foreign = {key for key in working.keys() | filled if key.startswith(EXTERNAL)}
    unknown = foreign - set(Order.objects.filter(account=account, client_order_id__in=foreign).values_list("client_order_id", flat=True))
    reports = working | broker.orders(account.pk, sorted(unknown - working.keys()))
    return [reports[key] for key in sorted(unknown & reports.keys())]


def _positions_adopt(account: Account, positions: Mapping[str, tuple[Decimal, Decimal]], session: date) -> list[dict]:
    return [
        external_position_adopt(account=account, symbol=symbol, quantity=quantity, price=price, session=session)
        for symbol, (quantity, price) in positions.items()
    ]


def _priced(broker: Broker, positions: Mapping[str, Decimal]) -> dict[str, tuple[Decimal, Decimal]]:
    """Quantity and price of those that have a price now; the others stay a difference."""
    quotes = {symbol: broker.quote(symbol) for symbol in sorted(positions)}
    return {symbol: (positions[symbol], quote.price) for symbol, quote in quotes.items() if quote and quote.price is not None}


def _foreign_positions(account: Account, broker: Broker) -> dict[str, Decimal]:
    """Signed quantities of what is held at the broker in symbols in which we hold, order and know nothing."""
    ours = positions_held(account)
    working = Order.objects.filter(account=account, status__in=IN_FLIGHT | WORKING).values_list("symbol", "legs")
    touched = {each for symbol, legs in working for each in (symbol, *(leg["symbol"] for leg in legs))}
    return {symbol: held for symbol, held in broker.positions(account.pk).items() if symbol not in ours and symbol not in touched}
