"""Price alerts: what they wait for, and how a person makes, changes and removes them.

An alert fires when the price comes to its threshold from the other side. `is_beyond` is the side last recorded and
`trigger_count` how often it fired. Unless `action_params.once` says otherwise, an alert that only notifies goes on, and
fires again after the price has been back; one that plans or trades ends with its first firing.

Deleting hides an alert everywhere and keeps the row, with what it did.
"""

from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import transaction

from quant_site.core import clock
from quant_site.core.errors import InvalidInput, NotFound
from quant_site.core.models import Account
from quant_site.core.services import audit_record, event_publish
from quant_site.core.types import optional, price
from quant_site.market.selectors import unknown_symbols
from quant_site.market.store import symbol_clean
from trading.intents.alert_rules import PERCENT_CHANGE, alert_level, params_clean, threshold_check
from trading.intents.bar_marks import mark_ensure
from trading.intents.plan_rules import Level, micros
from trading.intents.plans import live_account, symbol_tradable
from trading.models import PriceAlert

Action = PriceAlert.Action
TERMS = ("symbol", "alert_type", "threshold_value", "reference_price", "action_type", "action_params", "is_active")
# What the crossing depends on: a change of it makes a crossing that was seen before worthless.
WATCHED = ("symbol", "alert_type", "threshold_value", "reference_price", "is_active")


def alert_event(alert: PriceAlert) -> dict:
    """What a client learns about an alert."""
    return {
        "id": alert.pk,
        "symbol": alert.symbol,
        "type": alert.alert_type,
        "threshold": f"{alert.threshold_value:f}",
        "active": alert.is_active,
        "action": alert.action_type,
        "times": alert.trigger_count,
    }


def terms_clean(terms: dict) -> dict:
    """`terms` of an alert as they are stored; raises `InvalidInput` for what no alert can be."""
    clean = {**terms, "symbol": symbol_clean(terms["symbol"]), "threshold_value": price(terms["threshold_value"], "The threshold")}
    clean["reference_price"] = optional(price, terms.get("reference_price"), "The reference")
    kind, action = clean["alert_type"], clean["action_type"]
    if kind not in PriceAlert.Kind.values or action not in Action.values:
        words = f"An alert is {', '.join(PriceAlert.Kind.values)}, its action {', '.join(Action.values)}."
        raise InvalidInput("bad_alert", words, alert_type=kind, action_type=action)
    threshold_check(kind, clean["threshold_value"], clean["reference_price"])
    if action == Action.NOTIFY_ONLY:
        for sentence in unknown_symbols([clean["symbol"]]).values():
            raise InvalidInput("unknown_symbol", sentence, symbol=clean["symbol"])
    else:
        symbol_tradable(clean["symbol"])
    level = alert_level(kind, clean["threshold_value"], clean["reference_price"])
    clean["action_params"] = params_clean(action, clean.get("action_params") or {}, level)
    return clean


@transaction.atomic
def alert_create(
    *,
    account: Account,
    symbol: str,
    alert_type: str,
    threshold_value: Decimal,
    actor,
    reference_price: Decimal | None = None,
    action_type: str = Action.NOTIFY_ONLY,
    action_params: dict | None = None,
    is_active: bool = True,
    ip_address: str = "",
) -> PriceAlert:
    """Write an alert, on the side of its threshold where the last stored close is. Raises `InvalidInput` for terms that
    cannot be, `NotAllowed` on an account of a replay."""
    live_account(account)
    terms = {
        "symbol": symbol,
        "alert_type": alert_type,
        "threshold_value": threshold_value,
        "reference_price": reference_price,
        "action_type": action_type,
        "action_params": action_params,
        "is_active": is_active,
    }
    alert = _armed(PriceAlert(account=account, **terms_clean(terms)))
    alert.save(force_insert=True)
    _told(alert, "CREATE", "created", actor, ip_address)
    return alert


@transaction.atomic
def alert_update(*, alert: PriceAlert, actor, changes: dict, ip_address: str = "") -> PriceAlert:
    """Set `changes` ({term: value}). An alert whose threshold changes, or that is switched on, watches anew from now on; one
    that gets another action without its parameters has none.

    Raises `InvalidInput` for terms that cannot be.
    """
    strange = sorted(set(changes) - set(TERMS))
    if strange:
        raise InvalidInput("fixed_field", f"{', '.join(strange)} of an alert cannot be changed.", fields=strange)
    row = alert_lock(alert.pk)
    before = {name: getattr(row, name) for name in TERMS}
    if changes.get("action_type", row.action_type) != row.action_type and "action_params" not in changes:
        changes = {**changes, "action_params": {}}
    clean = terms_clean(before | changes)
    moved = {name: [str(before[name]), str(clean[name])] for name in TERMS if before[name] != clean[name]}
    if not moved:
        return row
    for name, value in clean.items():
        setattr(row, name, value)
    if moved.keys() & set(WATCHED):
        row = _armed(row)
    row.save()
    _told(row, "UPDATE", "changed", actor, ip_address, changes=moved)
    return row


@transaction.atomic
def alert_delete(*, alert: PriceAlert, actor, ip_address: str = "") -> None:
    """Hide an alert and switch it off; what it did stays on record."""
    row = alert_lock(alert.pk)
    row.is_deleted, row.is_active = True, False
    row.save()
    _told(row, "DELETE", "deleted", actor, ip_address)


def alert_lock(pk: int) -> PriceAlert:
    """The row of an alert that is not deleted, locked until the transaction ends; raises `NotFound`."""
    row = PriceAlert.objects.select_for_update().filter(pk=pk, is_deleted=False).first()
    if row is None:
        raise NotFound("not_found", f"There is no price alert {pk}.")
    return row


def level_of(alert: PriceAlert, close: Decimal | None) -> Level | None:
    """Where `alert` is reached, with the last stored `close` as the reference of a change that has none of its own."""
    reference = close if alert.reference_price is None else alert.reference_price
    return alert_level(alert.alert_type, alert.threshold_value, reference)


def counts_from_close(alert: PriceAlert) -> bool:
    """Whether the reference is the last stored close, new with every session."""
    return alert.alert_type == PERCENT_CHANGE and alert.reference_price is None


def watched_terms(alert: PriceAlert) -> tuple:
    """What a crossing of the alert depends on."""
    return (*(getattr(alert, name) for name in WATCHED), alert.watched_since)


# --- the parts


def _armed(row: PriceAlert) -> PriceAlert:
    """`row`, checked, on the side where the last stored close is, and watched from now on."""
    close = mark_ensure(row.symbol).close
    row.is_beyond = False if counts_from_close(row) else level_of(row, close).reached(micros(close))
    row.watched_since = clock.now()
    return _checked(row)


def _checked(row: PriceAlert) -> PriceAlert:
    try:
        row.full_clean(exclude=["account"], validate_unique=False)
    except ValidationError as error:
        raise InvalidInput("invalid_alert", " ".join(error.messages), fields=error.message_dict) from error
    return row


def _told(row: PriceAlert, act: str, event: str, actor, ip_address: str, **details) -> None:
    told = alert_event(row) | details
    audit_record(action=f"ALERT_{act}", actor=actor, account=row.account_id, resource=row, details=told, ip_address=ip_address)
    event_publish(type=f"alert.{event}", payload=told, account=row.account_id)
