"""Words of the pages of risk and plans: codes by their labels, and what stands in the slots of their sentences."""

from collections.abc import Callable

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from signals_app.models import DIRECTION_LABELS
from trading.models import PriceAlert, TradingPlan

VERDICTS = {
    "HOLD": _("Hold"),
    "TIGHTEN_STOP": _("Tighten the stop"),
    "TAKE_PARTIAL": _("Take part of the profit"),
    "CLOSE": _("Close the trade"),
}
VERDICT_CLASS = {"HOLD": "good", "TIGHTEN_STOP": "warn", "TAKE_PARTIAL": "busy", "CLOSE": "bad"}

HALTS = {
    "UNKNOWN_ORDER": _("Outcome of an order unknown"),
    "MISMATCH": _("Books do not agree"),
    "UNPROTECTED": _("Position without a working stop"),
}

# What two people can say became of an order.
OUTCOMES = {
    "NEVER_ARRIVED": _("It never arrived"),
    "WORKING": _("It works at the broker"),
    "CANCELLED": _("It was cancelled"),
    "EXPIRED": _("It expired"),
}

GREEKS = {"delta": _("Delta"), "gamma": _("Gamma"), "vega": _("Vega"), "theta": _("Theta")}

FLAGS = {
    "EXPIRES_SOON": _("Expires soon"),
    "PIN_RISK": _("Pinned to its strike"),
    "ASSIGNMENT_DIVIDEND": _("May be assigned for a dividend"),
    "ASSIGNMENT_TIME_VALUE": _("May be assigned any day"),
}

TIMES_IN_FORCE = {"DAY": _("For the day"), "GTC": _("Until cancelled")}

# Columns and parameters by which a sentence or a form names a number.
COLUMNS = {
    "symbol": _("symbol"),
    "side": _("side"),
    "direction": _("direction"),
    "quantity": _("quantity"),
    "entry": _("entry"),
    "entry_price": _("entry"),
    "stop": _("stop"),
    "stop_price": _("stop price"),
    "stop_loss": _("stop"),
    "target": _("target"),
    "take_profit": _("target"),
    "limit": _("limit"),
    "limit_price": _("limit"),
    "order_type": _("type of order"),
    "plan_type": _("type"),
    "time_in_force": _("time in force"),
    "auto_execute": _("execute by itself"),
    "valid_days": _("valid for days"),
    "once": _("once only"),
    "threshold": _("threshold"),
    "mode": _("mode"),
    "purpose": _("purpose"),
    "group": _("trade"),
    "origin": _("origin"),
    "plan_id": _("plan"),
    "account_id": _("account"),
    "legs": _("legs"),
}

ORDER_TYPES = {"MKT": _("Market"), "LMT": _("Limit"), "STP": _("Stop")}


def label(labels: dict, code: str) -> str:
    """The label of `code`, or the code itself."""
    return str(labels.get(code, code))


def in_slot(slot: str, text: str) -> str | None:
    """What stands in a slot of a sentence about orders, plans or alerts, by the slot's name; None where it is no code."""
    read = SLOTS.get(slot)
    return read(text) if read else None


def _by(labels: dict) -> Callable[[str], str | None]:
    return lambda text: gettext(str(labels[text])) if text in labels else None


def _each(labels: dict, separator: str) -> Callable[[str], str | None]:
    """Several codes, where all of them are known."""

    def read(text: str) -> str | None:
        names = text.split(separator)
        return ", ".join(str(labels[name]) for name in names) if labels.keys() >= set(names) else None

    return read


_WORDS = {**DIRECTION_LABELS, **dict(TradingPlan.Kind.choices), **ORDER_TYPES}
SLOTS: dict[str, Callable[[str], str | None]] = {
    "action": _by(dict(PriceAlert.Action.choices)),
    "column": _by(COLUMNS),
    "columns": _each(COLUMNS, ", "),
    "all_columns": _each(COLUMNS, ", "),
    "content": _each(COLUMNS, ", "),
    "direction": _by(DIRECTION_LABELS),
    "greek": _by(GREEKS),
    "level": _by(COLUMNS),
    "levels": _each(COLUMNS, " and "),
    "order_type": _by(ORDER_TYPES),
    "outcome": _by(OUTCOMES),
    "plan_status": _by(dict(TradingPlan.Status.choices)),
    "plan_type": _by(dict(TradingPlan.Kind.choices)),
    "words": _each(_WORDS, ", "),
}
