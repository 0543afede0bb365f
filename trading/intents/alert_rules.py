"""What an alert means in prices, and what its action's parameters may be. Pure: Decimals and plain values in and out.

PRICE_ABOVE is reached at the threshold and above, PRICE_BELOW at it and below, PERCENT_CHANGE at so many per cent above
(threshold > 0) or below (< 0) the reference. Without a reference of its own a change counts from the last stored close,
and anew with every session.
"""

from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from quant_site.core.errors import InvalidInput
from quant_site.core.types import price, quantity
from trading.intents.plan_rules import LARGEST_PRICE, MICROS, Level, prices_check, quantity_check

PRICE_ABOVE, PRICE_BELOW, PERCENT_CHANGE = "PRICE_ABOVE", "PRICE_BELOW", "PERCENT_CHANGE"
NOTIFY_ONLY, CREATE_PLAN, AUTO_TRADE = "NOTIFY_ONLY", "CREATE_PLAN", "AUTO_TRADE"
PLAN_TYPES = ("PULLBACK", "BREAKOUT", "MARKET")
LONGEST_VALIDITY, LARGEST_CHANGE = 365, 10_000


def alert_level(kind: str, threshold: Decimal, reference: Decimal | None) -> Level | None:
    """Where the alert is reached; None for a change whose reference is not known."""
    if kind != PERCENT_CHANGE:
        return Level(int(threshold * MICROS), above=kind == PRICE_ABOVE)
    if reference is None:
        return None
    exact, rises = reference * (100 + threshold) / 100 * MICROS, threshold > 0
    return Level(int(exact.to_integral_value(rounding=ROUND_CEILING if rises else ROUND_FLOOR)), above=rises)


def threshold_check(kind: str, threshold: Decimal, reference: Decimal | None) -> None:
    """Raise `InvalidInput` for a threshold that no price can cross, or a reference that has no use."""
    if kind == PERCENT_CHANGE:
        if threshold == 0 or not -100 < threshold <= LARGEST_CHANGE:
            words = f"A change in per cent is above 0 for a rise (at most {LARGEST_CHANGE}), or between -100 and 0 for a fall."
            raise InvalidInput("bad_threshold", words)
        if reference is not None and not 0 < reference <= LARGEST_PRICE:
            raise InvalidInput("bad_reference", f"The reference must be above zero and at most {LARGEST_PRICE}.")
        return
    if not 0 < threshold <= LARGEST_PRICE:
        raise InvalidInput("bad_threshold", f"The threshold must be above zero and at most {LARGEST_PRICE}, not {threshold.normalize():f}.")
    if reference is not None:
        raise InvalidInput("bad_reference", "Only a change in per cent has a reference: leave it empty.")


# --- The parameters of the action


def _flag(name: str, value) -> bool:
    if not isinstance(value, bool):
        raise InvalidInput("bad_action_params", f"{name} must be true or false, not {value!r}.", field=name)
    return value


def _one_of(*words: str) -> Callable:
    def check(name: str, value) -> str:
        if value not in words:
            raise InvalidInput("bad_action_params", f"{name} must be one of {', '.join(words)}, not {value!r}.", field=name)
        return value

    return check


def _amount(constructor: Callable) -> Callable:
    """Amounts are kept as text, for JSON knows no Decimals."""

    def check(name: str, value) -> str:
        return f"{constructor(value, name).normalize():f}"

    return check


def _days(name: str, value) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= LONGEST_VALIDITY:
        raise InvalidInput("bad_action_params", f"{name} must be a whole number from 1 to {LONGEST_VALIDITY}, not {value!r}.", field=name)
    return value


TRADE = {
    "direction": _one_of("LONG", "SHORT", "CLOSE"),
    "quantity": _amount(quantity),
    "stop_loss": _amount(price),
    "take_profit": _amount(price),
}
ACCEPTED = {
    NOTIFY_ONLY: {"once": _flag},
    AUTO_TRADE: {"once": _flag, **TRADE, "order_type": _one_of("MKT", "LMT"), "limit_price": _amount(price)},
    CREATE_PLAN: {
        "once": _flag,
        **TRADE,
        "plan_type": _one_of(*PLAN_TYPES),
        "entry_price": _amount(price),
        "auto_execute": _flag,
        "valid_days": _days,
    },
}


def params_clean(action: str, params, level: Level | None = None) -> dict:
    """`params` of an alert as they are stored, `once` filled in; `level` is where the alert is reached, if that is known.

    Raises `InvalidInput` for what the action does not take, for a quantity or prices that no order can have, and for prices
    out of order: around the limit or entry where there is one, else around the level.
    """
    if not isinstance(params, dict):
        raise InvalidInput("bad_action_params", "The action's parameters must be an object of names and values.")
    accepted = ACCEPTED[action]
    strange = sorted(set(params) - set(accepted))
    if strange:
        raise InvalidInput("bad_action_params", f"{action} does not take {', '.join(strange)}; it takes {', '.join(accepted)}.")
    clean = {name: accepted[name](name, value) for name, value in params.items() if value is not None}
    clean.setdefault("once", action != NOTIFY_ONLY)
    if action != NOTIFY_ONLY:
        _trade_check(action, clean, level)
    return clean


def _trade_check(action: str, params: dict, level: Level | None) -> None:
    if "direction" not in params:
        raise InvalidInput("bad_action_params", f"{action} needs a direction: LONG, SHORT or CLOSE.", field="direction")
    wants_limit = params.get("order_type") == "LMT"
    if wants_limit != ("limit_price" in params):
        raise InvalidInput(
            "bad_action_params", "A limit order (LMT) has a limit_price, a market order (MKT) has none.", field="limit_price"
        )
    entry = amount_of(params, "limit_price") or amount_of(params, "entry_price") or (Decimal(level.price) / MICROS if level else None)
    prices_check(params["direction"], entry, amount_of(params, "stop_loss"), amount_of(params, "take_profit"))
    quantity_check(params["direction"], amount_of(params, "quantity"))


def amount_of(params: dict, name: str) -> Decimal | None:
    return Decimal(params[name]) if name in params else None
